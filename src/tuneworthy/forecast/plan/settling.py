"""The steps that would confirm a verdict, or change it."""

from __future__ import annotations

from collections.abc import Sequence

from tuneworthy.domain.assessment import Assessed, Reason
from tuneworthy.domain.decision import ApproachFit, Question
from tuneworthy.domain.outline import Draft
from tuneworthy.domain.planning import either
from tuneworthy.domain.rules import Outcome
from tuneworthy.domain.units import MONTHS_PER_QUARTER, months_to_reach
from tuneworthy.forecast.plan.desk import FREE, Desk, Taken, hours
from tuneworthy.forecast.plan.tuning import WEEKS_PER_QUARTER, evaluation, simpler_first

_RETRIEVAL, _OTHER_MODEL = "better_retrieval", "other_model"
_DONE = {_RETRIEVAL: "retrieval_optimised", _OTHER_MODEL: "foundation_models"}
"""The check of the ceiling test that says an option was done already."""


def settling(
    desk: Desk,
    outcome: Outcome,
    fits: Sequence[ApproachFit],
    advised: Sequence[str] = (),
    needs: tuple[str, ...] = (),
) -> list[Draft]:
    """The steps for an outcome other than to tune, and the decision after them.

    Args:
        desk: The case and its framework.
        outcome: What the verdict is, or what an open one leans to.
        fits: Approaches, the primary one first.
        advised: Ids of options that are recommended and are no tuning.
        needs: What comes before all of them.

    Raises:
        LackingError: If the framework lacks a figure.
    """
    if outcome == "keep_optimizing_prompts":
        found = _checks(desk, needs)
    elif outcome == "improve_rag_or_switch_model":
        found = _improving(desk, advised, needs)
    elif outcome == "address_anti_indicators":
        found = _against(desk, fits, needs)
    else:
        found = _cases(desk, needs)
    if not found:  # a framework may lead here with nothing left to do
        found = [desk.step("watch", Reason("watch"), desk.rule.steps.watch, needs)]
    return [*found, _decide(desk, tuple(draft.id for draft in found))]


def keeping(desk: Desk) -> list[Draft]:
    """The present system meets every target: show it, and watch that it stays so."""
    found = _cases(desk, ())
    needs = tuple(draft.id for draft in found)
    what = Reason("need", {"cases": desk.rule.evaluation_cases})
    found.append(desk.step("need", what, desk.rule.steps.targets, needs))
    found.append(desk.step("watch", Reason("watch"), desk.rule.steps.watch, ("need",)))
    return [*found, _decide(desk, ("watch",))]


def questions(desk: Desk, asked: Sequence[Question]) -> Draft:
    """The open answers, found out at the minutes the framework gives them."""
    took = sum(question.minutes for question in asked) / 60
    what = Reason("questions", {"names": tuple(question.id for question in asked)})
    return desk.draft("questions", what, Taken(type(FREE.hours)(took, took), FREE.usd))


def _decide(desk: Desk, needs: tuple[str, ...]) -> Draft:
    return desk.step("decide", Reason("decide"), desk.rule.steps.decide, needs)


def _cases(desk: Desk, needs: tuple[str, ...]) -> list[Draft]:
    """An evaluation set where there is none: without one no comparison counts."""
    if desk.case.data.evaluation is not None:
        return []
    draft = evaluation(desk, needs)
    return [Draft(draft.id, draft.what, "steps", draft.hours, draft.usd, needs)]


def _checks(desk: Desk, needs: tuple[str, ...]) -> list[Draft]:
    """Every check that isn't known to be done."""
    todo = [a for a in desk.assessment.of_kind("check").values() if a.state != "yes"]
    if not todo:
        return []
    found = _cases(desk, needs)
    needs = (*needs, *(draft.id for draft in found))
    for check in todo:
        what = Reason("check", {"check": check.id, "state": check.state})
        work = either(desk.rule.checks, check.id)
        found.append(desk.step(f"check_{check.id}", what, work, needs))
    return found


def _improving(desk: Desk, advised: Sequence[str], needs: tuple[str, ...]) -> list[Draft]:
    """Find out whether the passage is found and mend that, look at another model, or go on.

    The lesson's tree comes here only where retrieval and other models are answered as done. Then
    neither is done again, unless a count says otherwise, and what is advised takes their place.
    """
    found = _cases(desk, needs)
    needs = (*needs, *(draft.id for draft in found))
    found += _retrieval(desk, needs)
    if _OTHER_MODEL in desk.framework.options and (
        _OTHER_MODEL in advised or not _is_done(desk, _OTHER_MODEL)
    ):
        what = Reason("other_model", {"cases": desk.rule.evaluation_cases})
        found.append(desk.draft("other_model", what, desk.option(_OTHER_MODEL), needs=needs))
    planned = {_OTHER_MODEL, _RETRIEVAL, *_kinds_of_retrieval(desk)}
    more = [name for name in advised if name not in planned and not _is_serving(desk, name)]
    if all(_is_done(desk, name) for name in _DONE):
        found += simpler_first(desk, more, needs)
    return found


def _retrieval(desk: Desk, needs: tuple[str, ...]) -> list[Draft]:
    """Count whether the passage is found; try every kind of better retrieval where it isn't."""
    found = []
    recall, enough = desk.case.today.retrieval_recall, desk.framework.threshold("retrieval_recall")
    numbers = {"recall": recall, "enough": enough, "cases": desk.rule.evaluation_cases}
    done = _is_done(desk, _RETRIEVAL)
    if recall is None:
        what = Reason("recall", {**numbers, "done": done})
        found.append(desk.step("recall", what, desk.rule.steps.recall, needs))
        needs = ("recall",)
    wanted = not done if recall is None or enough is None else recall < enough
    if wanted and _RETRIEVAL in desk.framework.options:
        kinds = _kinds_of_retrieval(desk)
        taken = sum((desk.option(name) for name in kinds or (_RETRIEVAL,)), FREE)
        what = Reason("retrieval", {**numbers, "kinds": kinds})
        found.append(desk.draft("retrieval", what, taken, needs=needs))
    return found


def _kinds_of_retrieval(desk: Desk) -> tuple[str, ...]:
    options = desk.framework.options.items()
    return tuple(name for name, option in options if option.variant_of == _RETRIEVAL)


def _is_done(desk: Desk, option: str) -> bool:
    """Whether the answers say that an option was done already."""
    return desk.assessment.state(_DONE[option]) == "yes"


def _is_serving(desk: Desk, option: str) -> bool:
    """Whether an option makes calls cheaper, which mends no answer."""
    return desk.framework.options[option].kind == "serving"


def _against(desk: Desk, fits: Sequence[ApproachFit], needs: tuple[str, ...]) -> list[Draft]:
    """One phase for each reason against that holds."""
    held = desk.assessment.of_kind("anti_indicator").values()
    return [_clear(desk, one, fits, needs) for one in held if one.state == "yes"]


def _clear(
    desk: Desk, against: Assessed, fits: Sequence[ApproachFit], needs: tuple[str, ...]
) -> Draft:
    work = either(desk.rule.against, against.id)
    taken, weeks = hours(work.hours), work.weeks
    what = Reason("against", {"name": against.id, "weeks": weeks})
    if against.id == "insufficient_data":
        what, more = _data(desk, fits)
        taken += more
    elif against.id == "low_volume":
        what, weeks = _volume(desk, weeks)
    elif against.id == "rapidly_changing_requirements":
        answer = desk.case.factors.get(against.id)
        changes = answer.changes if answer else None
        what = Reason("changing", {"name": against.id, "changes": changes, "weeks": weeks})
    elif against.id == "exploration_phase":
        what = Reason("exploration", {"name": against.id, "weeks": weeks})
    elif against.id == "success_with_prompts":
        what = Reason("success", {"name": against.id, "cases": desk.rule.evaluation_cases})
    return desk.draft(f"against_{against.id}", what, taken, needs=needs, weeks=weeks)


def _data(desk: Desk, fits: Sequence[ApproachFit]) -> tuple[Reason, Taken]:
    """Collect up to the need of the first goal that lacks data, or the framework's own number."""
    for fit in fits:
        if fit.have is None or fit.have < fit.low:
            numbers = {"low": fit.low, "unit": fit.unit, "have": fit.have}
            return Reason("collect", numbers), desk.collecting(fit)
    wanted = desk.framework.threshold("few_examples") or 0.0
    holding = desk.case.data.examples
    have = None if holding is None else holding.good
    lacking = max(0.0, wanted - (have or 0))
    numbers = {"low": wanted, "unit": "examples", "have": have}
    taken = desk.collected("examples", 0.0 if have is None else lacking, lacking)
    return Reason("collect", numbers), taken


def _volume(desk: Desk, weeks: float) -> tuple[Reason, float]:
    """Until the stated growth gets there; the framework's wait where it never does."""
    traffic = desk.case.economics.traffic
    now = traffic.requests_per_month.likely if traffic.requests_per_month else None
    limit = desk.framework.threshold("low_volume")
    growth = traffic.growth_per_month.likely if traffic.growth_per_month else 0.0
    months = None
    if now is not None and limit is not None and now < limit:
        months = months_to_reach(now=now, target=limit, growth_per_month=growth)
    if months:
        weeks = months * WEEKS_PER_QUARTER / MONTHS_PER_QUARTER
    return Reason("volume", {"now": now, "limit": limit, "months": months, "weeks": weeks}), weeks
