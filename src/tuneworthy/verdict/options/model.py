"""Options that change the model without training it on one's own examples first."""

from __future__ import annotations

from tuneworthy.domain.assessment import Reason
from tuneworthy.domain.options import Judgement
from tuneworthy.verdict.options.facts import Facts, against, judged


def other_model(facts: Facts) -> Judgement:
    """Helps where the weakness is this model's own; a problem that stays across models isn't."""
    if (done := facts.nothing_to_mend()) is not None:
        return done
    if facts.target("privacy") == "no":
        return judged("yes", "model_inside")
    if (scored := _scored(facts)) is not None:
        return scored
    state = facts.state("foundation_models")
    given = facts.case.ceiling.get("foundation_models")
    check = facts.framework.ceiling.get("foundation_models")
    wanted = check.at_least if check else None
    count = given.count if given else None
    if state == "no":
        return judged("yes", "one_model_only", count=count, wanted=wanted)
    if state == "unknown":
        return judged("unknown", "models_open", wanted=wanted)
    if facts.case.tuning.model_switch == "yes":
        return judged("partly", "switch_planned", count=count)
    return judged("no", "persists_across_models", count=count)


def _scored(facts: Facts) -> Judgement | None:
    """What the best other model's counted quality settles; None where it settles nothing."""
    other, target = facts.scored("prompted"), facts.case.targets.quality
    if other is None or target is None:
        return None
    met = against(other.quality, other.cases, target.at_least)
    numbers = {"name": other.id, "quality": other.quality, "target": target.at_least}
    if met == "yes":
        return Judgement("yes", Reason("other_meets_target", numbers), measured=True)
    if met == "no":
        return Judgement("no", Reason("other_falls_short", numbers), measured=True)
    return None


def smaller_model(facts: Facts) -> Judgement:
    """Helps with cost or waiting time where quality has room."""
    return _cheaper(facts, "smaller_model", "smaller_has_room")


def distillation(facts: Facts) -> Judgement:
    """Helps where a large model meets the target and is too dear or too slow."""
    found = _cheaper(facts, "distillation", "teacher_meets_target")
    if found.helps == "no":
        return found
    volume = facts.case.economics.traffic.requests_per_month
    if facts.state("low_volume") == "yes":
        return judged("no", "too_few_calls", requests=volume.likely if volume else None)
    return found


def _cheaper(facts: Facts, option: str, reason: str) -> Judgement:
    if facts.tried(option):
        return judged("no", "tried")
    pressure = facts.pressure
    if pressure == "no":
        return judged("no", "no_pressure")
    quality = facts.target("quality")
    today, wanted = facts.case.today.quality, facts.case.targets.quality
    numbers = {
        "quality": today,
        "target": wanted.at_least if wanted else None,
        "cases": facts.case.today.cases,
    }
    if quality == "no":
        return judged("no", f"{option}_falls_short", measured=True, **numbers)
    if quality == "yes" and pressure == "yes":
        return judged("yes", reason, measured=True, by=facts.pressed_by, **numbers)
    if facts.satisfied == "yes" and pressure == "yes":
        return judged("yes", f"{reason}_as_said", by=facts.pressed_by)
    if facts.quality_short == "yes":
        return judged("no", "quality_short_as_said", seen=facts.seen)
    if pressure == "yes" and facts.state("success_with_prompts") == "no":
        return judged("partly", "short_of_something", by=facts.pressed_by)
    return judged("unknown", "quality_or_pressure_open", pressure=pressure)
