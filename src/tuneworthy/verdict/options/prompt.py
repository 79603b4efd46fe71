"""Options that work on the prompt. When each works and when it doesn't is the framework's."""

from __future__ import annotations

from tuneworthy.domain.options import Judgement
from tuneworthy.verdict.options.facts import KNOWLEDGE_GOALS, SHAPED_GOALS, Facts, judged


def keep_prompt(facts: Facts) -> Judgement:
    """Helps when every target is met; a target that is missed, as counted, settles it."""
    if facts.missed:
        counted = facts.missed != ("privacy",)
        return judged("no", "targets_missed", measured=counted, missed=facts.missed)
    success = facts.state("success_with_prompts")
    if success == "yes":
        met = tuple(name for name, state in facts.targets.items() if state == "yes")
        return judged("yes", "keeps_what_works", measured=bool(met), met=met)
    if success == "no":
        return judged("no", "falls_short")
    if facts.targets and set(facts.targets.values()) == {"yes"}:
        return judged("partly", "counted_targets_met", measured=True, met=tuple(facts.targets))
    return judged("unknown", "success_open")


def prompt_optimisation(facts: Facts) -> Judgement:
    """Helps while few prompts were tried and there is an evaluation set to search against."""
    if (done := facts.nothing_to_mend()) is not None:
        return done
    if facts.tried("prompt_optimisation"):
        return judged("no", "tried")
    checks = {name: facts.state(name) for name in ("prompt_variations", "structured_prompt")}
    lacking = tuple(name for name, state in checks.items() if state == "no")
    if lacking:
        given = facts.case.ceiling.get("prompt_variations")
        count = given.count if given else None
        if facts.case.data.evaluation is None:
            return judged("partly", "few_prompts_no_evaluation", lacking=lacking, count=count)
        return judged("yes", "few_prompts", lacking=lacking, count=count)
    if "unknown" in checks.values():
        return judged("unknown", "prompts_open")
    if facts.assessment.reached == "yes":
        return judged("no", "levelled_off")
    return judged("partly", "prompts_done_rest_open")


def few_shot(facts: Facts) -> Judgement:
    """Helps where no examples stand in the prompt yet and the prompt has room for them."""
    if (done := facts.nothing_to_mend()) is not None:
        return done
    state = facts.state("few_shot")
    if state == "yes" or facts.tried("few_shot"):
        return judged("no", "few_shot_done")
    if state == "unknown":
        return judged("unknown", "few_shot_open")
    if facts.examples == 0:
        return judged("no", "no_examples")
    if facts.state("instruction_limit") == "yes":
        return judged("partly", "few_shot_too_long", tokens=facts.tokens)
    if facts.target("latency") == "no":
        return judged("partly", "few_shot_too_slow")
    return judged("yes", "few_shot_missing")


def retrieved_examples(facts: Facts) -> Judgement:
    """Helps with many examples of a task whose questions resemble each other."""
    if (done := facts.nothing_to_mend()) is not None:
        return done
    if facts.tried("retrieved_examples"):
        return judged("no", "tried")
    have, least = facts.examples, facts.framework.threshold("examples_to_retrieve")
    if have is None or least is None:
        return judged("unknown", "examples_open")
    if have < least:
        return judged("no", "too_few_to_retrieve", have=have, least=least)
    if not facts.case.goals:
        return judged("partly", "examples_no_goal", have=have)
    if set(facts.case.goals) <= KNOWLEDGE_GOALS | {"safety"}:
        return judged("partly", "examples_show_form", have=have)
    fixed = facts.state("few_shot")
    if fixed == "yes":
        return judged("yes", "nearest_replace_fixed", have=have, tokens=facts.tokens)
    if facts.target("latency") == "no" or facts.state("instruction_limit") == "yes":
        return judged("partly", "nearest_lengthen", have=have, tokens=facts.tokens)
    return judged("yes", "nearest_missing" if fixed == "no" else "nearest_shown", have=have)


def constrained_output(facts: Facts) -> Judgement:
    """Helps where structure fails; never where the structure is right and the content wrong."""
    if (done := facts.nothing_to_mend()) is not None:
        return done
    if facts.tried("constrained_output"):
        return judged("no", "tried")
    fails, shaped = facts.state("inconsistent_format"), facts.goals(SHAPED_GOALS)
    if fails == "yes":
        return judged("yes", "structure_fails", schema=facts.case.data.output_schema is not None)
    if fails == "no":
        return judged("no", "structure_right")
    if shaped:
        return judged("partly", "structure_is_a_goal", goals=shaped)
    return judged("unknown", "structure_open")


def decomposition(facts: Facts) -> Judgement:
    """Helps where one prompt does too much and there is time for more calls."""
    if (done := facts.nothing_to_mend()) is not None:
        return done
    if facts.tried("decomposition"):
        return judged("no", "steps_fail")
    room = facts.room_for_a_call
    if room == "no":
        today, most = facts.case.today.latency_p95_s, facts.case.targets.latency_p95_s
        likely = None if today is None else today.likely
        counted = today is not None and most is not None
        return judged("no", "no_time_for_calls", measured=counted, today=likely, most=most)
    overloaded = facts.state("instruction_limit")
    many = len(facts.case.goals)
    if overloaded == "yes" and facts.long_prompt == "no":
        return judged("partly", "short_and_overloaded", tokens=facts.tokens)
    if overloaded == "yes":
        if room == "unknown":
            return judged("partly", "overloaded_time_open")
        return judged("yes", "overloaded", tokens=facts.tokens)
    if many > 1:
        return judged("partly", "several_goals", many=many)
    if overloaded == "no" and (many or facts.measured("instruction_limit")):
        return judged("no", "does_one_thing" if many else "followed")
    return judged("unknown", "goals_open" if overloaded == "no" else "overload_open")
