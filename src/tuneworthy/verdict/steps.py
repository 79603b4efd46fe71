"""Steps of the rules, and their order where data may not leave."""

from __future__ import annotations

from tuneworthy.verdict.situation import Situation, StepToDo
from tuneworthy.ways.gap import SEARCHED
from tuneworthy.ways.untried import find_option
from tuneworthy.ways.way import Way


def try_ways(ways: list[Way]) -> tuple[StepToDo, ...]:
    """A step for each way, at most one of a kind."""
    steps: dict[str, StepToDo] = {}
    for way in ways:
        steps.setdefault(way.option, StepToDo(way.option, way.because, way))
    return tuple(steps.values())


def search_first(it: Situation, steps: tuple[StepToDo, ...]) -> tuple[StepToDo, ...]:
    """Put a search for better prompts before the steps where a ceiling is only claimed.

    A search takes a set of cases and an hour, while all money for tuning rests on the ceiling.
    """
    way = it.table.find(SEARCHED)
    if it.facts.ceiling_grade != "claimed" or not it.facts.has_cases or way is None:
        return steps
    if not way.untried or "quality" not in it.table.gap.aims:
        return steps
    if "privacy" in it.missed and way.private != "yes":
        return steps  # it would send more of what may not leave
    because = (
        "prompting is said to be at its limit, and a set of cases exists to search on"
    )
    others = (step for step in steps if step.option != SEARCHED)
    return (StepToDo(SEARCHED, because, way), *others)


def keep_data_inside(
    it: Situation, steps: tuple[StepToDo, ...]
) -> tuple[StepToDo, ...]:
    """Put a way that keeps data inside before the first step that would send more of them out."""
    if "privacy" not in it.missed:
        return steps
    ways = [
        way for way in it.table.ways if way.option in _KEEPING_INSIDE and way.untried
    ]
    inside = try_ways(sorted(ways, key=lambda way: _KEEPING_INSIDE.index(way.option)))
    if not inside:
        why = "data may not leave, and they go to a third party today"
        inside = (StepToDo("clear_reasons_against", why),)
    named = {step.option for step in inside}
    others = [step for step in steps if step.option not in named]
    first = next((n for n, step in enumerate(others) if sends_data(step)), len(others))
    return (*others[:first], *inside, *others[first:])


_KEEPING_INSIDE = ("private_endpoint", "self_hosted_untuned")


def sends_data(step: StepToDo) -> bool:
    """Whether a step sends requests to the present provider or to another one."""
    if step.way is not None and step.way.private == "yes":
        return False
    option = find_option(step.option)
    if option is not None:
        return option.sends_data
    return step.option not in (
        "measure",
        "label",
        "settle",
        "target",
        "collect_data",
        *_KEPT,
    )


_KEPT = ("clear_reasons_against", "relax_target", "keep_prompt")


def keep_prompt(it: Situation, because: str) -> StepToDo:
    """The step that leaves everything unchanged."""
    return StepToDo("keep_prompt", because, it.table.today)
