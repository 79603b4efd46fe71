"""What to do, in which order, with what effort and by when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tuneworthy.domain.assessment import Assessment, Reason
from tuneworthy.domain.case import Case
from tuneworthy.domain.decision import ApproachFit, Decision, Gate, Question
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.money import Outlook
from tuneworthy.domain.outline import Draft, NoPlan, Outline
from tuneworthy.domain.outlook import Aim
from tuneworthy.forecast.plan.calendar import DAYS_PER_WEEK, dated, day, working_days
from tuneworthy.forecast.plan.desk import Desk, LackingError
from tuneworthy.forecast.plan.notes import notes
from tuneworthy.forecast.plan.settling import keeping, questions, settling
from tuneworthy.forecast.plan.tuning import tuning


def plan(
    case: Case,
    framework: Framework,
    assessment: Assessment,
    decision: Decision,
    fits: Sequence[ApproachFit],
    gates: Sequence[Gate],
    asked: Sequence[Question],
    money: Outlook,
    start: date,
    simpler: Sequence[str] = (),
) -> Outline | NoPlan:
    """Plan what the verdict asks for.

    A candidate is planned up to a tuned model that is watched and kept fresh; any other verdict up
    to the next decision. Hours and USD are the case's where it states them by category, else those
    of the framework's tables; hours without a rate leave the USD open.

    Args:
        case: The case.
        framework: The framework it was judged by.
        assessment: The answers.
        decision: What the rules came to.
        fits: Approaches, the primary one first.
        gates: What stands between a candidate and money.
        asked: Open answers that can matter, the best first.
        money: When it pays.
        start: The day to begin.
        simpler: Ids of options that are recommended before any tuning.

    Returns:
        The phases, each after those it needs, with dates; or why they can't be given.
    """
    rule = framework.plan
    if rule is None:
        return NoPlan(Reason("no_plan_section", {"framework": framework.name}))
    capacity = case.economics.hours_per_week
    pace = rule.hours_per_week if capacity is None else capacity.likely
    try:
        first = day(start, 0)
        desk = Desk(case, framework, rule, assessment, first)
        aim, drafts = _drafts(desk, decision, fits, gates, asked, simpler)
    except LackingError as caught:
        return NoPlan(caught.why)
    except ValueError:  # the weekend at the end of the year 9999
        return NoPlan(Reason("beyond_calendar", {"years": 0.0}))
    phases = dated(drafts, first, pace)
    if isinstance(phases, NoPlan):
        return phases
    weeks = working_days(first, max(phase.end for phase in phases)) / DAYS_PER_WEEK
    return Outline(aim, first, phases, weeks, notes(desk, decision, fits, phases, money.appraisal))


def _drafts(
    desk: Desk,
    decision: Decision,
    fits: Sequence[ApproachFit],
    gates: Sequence[Gate],
    asked: Sequence[Question],
    simpler: Sequence[str],
) -> tuple[Aim, list[Draft]]:
    if decision.outcome == "undecided":
        first = questions(desk, asked)
        then = settling(desk, decision.leaning, fits, simpler, (first.id,))
        return "confirm", [first, *then]
    if decision.outcome != "fine_tune_candidate":
        aim: Aim = "confirm" if decision.outcome == "improve_rag_or_switch_model" else "change"
        return aim, settling(desk, decision.outcome, fits, simpler)
    if any(gate.id == "need" and gate.state == "no" for gate in gates):
        return "confirm", keeping(desk)
    return "tune", tuning(desk, gates, fits, simpler)


__all__ = ["plan"]
