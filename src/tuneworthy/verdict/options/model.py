"""Options that change the model without training it on one's own examples first."""

from __future__ import annotations

from collections.abc import Callable

from tuneworthy.model.dossier import Judgement, Reason
from tuneworthy.verdict.options.facts import (
    SIGNS,
    Facts,
    Numbers,
    against,
    judged,
    long,
    models,
    pair,
    presses,
    shortfall,
)
from tuneworthy.words import count, few, listing, plain, several, share

# Options that change the model without training it on one's own examples first.


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


# Options that change how the same model is called.


def caching(facts: Facts) -> Judgement:
    """Helps with cost and waiting time where a long beginning is the same in every call."""
    if facts.tried("caching"):
        return judged("no", "tried")
    if facts.pressure == "no":
        return judged("no", "no_pressure")
    limit = facts.framework.threshold("short_prompt")
    tokens, cached = facts.tokens, facts.case.economics.traffic.cached_share
    if facts.long_prompt == "no":
        return judged("no", "prompt_too_short", tokens=tokens, limit=limit)
    if facts.pressure == "unknown" or facts.long_prompt == "unknown":
        return judged("unknown", "caching_open", tokens=tokens, pressure=facts.pressure)
    if cached:
        return judged("no" if cached == 1 else "partly", "cached_already", share=cached)
    if facts.quality_short != "no":
        return judged("partly", "cheaper_not_better", tokens=tokens, by=facts.pressed_by)
    return judged("yes", "long_prefix", tokens=tokens, by=facts.pressed_by)


def batching(facts: Facts) -> Judgement:
    """Helps with cost where nobody waits for the answer."""
    if facts.tried("batching"):
        return judged("no", "tried")
    most = facts.case.targets.latency_p95_s
    waits, cost = facts.state("latency_requirements"), facts.state("cost_optimization")
    if waits == "yes" or most is not None:
        return judged("no", "somebody_waits", most=most)
    if cost == "no" and facts.target("cost") != "no":
        return judged("no", "no_cost_reason")
    if waits == "unknown" or (cost == "unknown" and facts.target("cost") != "no"):
        return judged("unknown", "batching_open", waits=waits, cost=cost)
    if facts.quality_short != "no":
        return judged("partly", "batch_cheaper_not_better")
    return judged("yes", "nobody_waits")


# Why another model, or another way to call it, helps or doesn't.

MODEL: dict[str, Callable[[Numbers], str]] = {
    "model_inside": lambda _: (
        "data may not go to today's provider; a model you run keeps it inside"
    ),
    "other_meets_target": lambda n: f"{n['name']} was scored and meets the target: {pair(n)}",
    "other_falls_short": lambda n: f"{n['name']} was scored and falls short too: {shortfall(n)}",
    "one_model_only": lambda n: (
        (
            f"fewer than {few(n['wanted'] or 2)} models were tested"
            if n["count"] is None
            else f"only {several(n['count'], 'model')} tested, {few(n['wanted'] or 2)} are wanted"
        )
        + ": the fault may be the model's own"
    ),
    "models_open": lambda n: f"whether {few(n['wanted'] or 2)} models were tested isn't said",
    "switch_planned": lambda n: f"{models(n)} fail alike, but another base model is planned",
    "persists_across_models": lambda n: f"{models(n)} were tested and the problem persists",
    "no_pressure": lambda _: "neither cost nor waiting time is a reason here",
    "smaller_model_falls_short": lambda n: f"quality is short already: {shortfall(n)}",
    "distillation_falls_short": lambda n: (
        f"there is no teacher yet, quality is short: {shortfall(n)}"
    ),
    "smaller_has_room": lambda n: f"quality has room ({pair(n)}), and {presses(n)}",
    "smaller_has_room_as_said": lambda n: f"every target is met as said, and {presses(n)}",
    "teacher_meets_target": lambda n: f"today's model can teach ({pair(n)}), and {presses(n)}",
    "teacher_meets_target_as_said": lambda n: f"today's model can teach as said, and {presses(n)}",
    "quality_short_as_said": lambda n: (
        f"answers fall short as it is: {listing([SIGNS.get(one, plain(one)) for one in n['seen']])}"
    ),
    "short_of_something": lambda n: (
        f"{presses(n)}; if it is quality that falls short, this makes it worse"
    ),
    "quality_or_pressure_open": lambda n: (
        "whether quality has room isn't known (today.quality and today.cases)"
        if n["pressure"] == "yes"
        else "whether cost or waiting time is a reason isn't said"
    ),
    "too_few_calls": lambda n: (
        "volume is too low to pay for training a student"
        + (f" ({count(n['requests'])} requests a month)" if n["requests"] is not None else "")
    ),
    "prompt_too_short": lambda n: (
        f"{count(n['tokens'])} input tokens a request are short (under {count(n['limit'])})"
    ),
    "cached_already": lambda n: f"{share(n['share'])} of the input comes from a cache already",
    "caching_open": lambda n: (
        "how many input tokens a request has isn't clear (economics.traffic.input_tokens)"
        if n["pressure"] == "yes"
        else "whether cost or waiting time is a reason isn't said"
    ),
    "cheaper_not_better": lambda n: (
        f"it cuts the {listing(n['by'])} of a long prompt{long(n)} and mends no answer"
    ),
    "long_prefix": lambda n: f"it cuts the {listing(n['by'])} of a long prompt{long(n)}",
    "somebody_waits": lambda n: (
        "somebody waits for the answer"
        + (f" ({n['most']:g} s at most)" if n["most"] is not None else "")
    ),
    "no_cost_reason": lambda _: "cost is no reason here",
    "batching_open": lambda _: "whether somebody waits, and whether cost presses, isn't all said",
    "batch_cheaper_not_better": lambda _: "nobody waits, so it cuts the cost; it mends no answer",
    "nobody_waits": lambda _: "nobody waits for the answer, and cost presses",
}
