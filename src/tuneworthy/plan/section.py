"""The plan as a section of the dossier: its phases, what they come to, and what they rest on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

from tuneworthy.model.base import Range, Unknown
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import (
    Aim,
    ApproachResult,
    Assessment,
    Decision,
    GateResult,
    InvestmentResult,
    Part,
    PartTotal,
    Plan,
    QuestionResult,
)
from tuneworthy.model.framework import Framework
from tuneworthy.money.investment import MoneyFindings
from tuneworthy.plan.context import (
    DAYS_PER_WEEK,
    Calendar,
    NoPlanError,
    PlanContext,
    said,
    working_days,
)
from tuneworthy.plan.phases import keeping, questions, steps_to_verdict, tuning
from tuneworthy.verdict.facts import DAYS_PER_MONTH
from tuneworthy.verdict.headline import OUTCOME_WORDS
from tuneworthy.verdict.judge import Judgement
from tuneworthy.words import count, months_later, months_range, number, plain, several
from tuneworthy.words import day as as_day

_PARTS: dict[Part, str] = {
    "steps": "Conditions to settle",
    "first_version": "Up to the first version",
    "running": "Running it, first quarter",
    "later_goals": "Further goals",
}
"""Parts of a plan for a tuning as they are called, in their order."""

_FAR_MONTHS = 1200  #: A century: nobody names the day.


def build_plan(
    case: Case,
    framework: Framework,
    assessment: Assessment,
    decision: Decision,
    found: Judgement,
    fits: Sequence[ApproachResult],
    gates: Sequence[GateResult],
    open_questions: Sequence[QuestionResult],
    money: MoneyFindings,
    start: date,
) -> Plan | Unknown:
    """Plan what the judgement asks for, or say what would make a plan possible.

    A pilot is planned up to a tuned model that is watched and kept fresh; any other answer up to
    the next decision. Hours and USD are the case's where it states them by category, else those
    of the framework's tables; hours without a rate leave the USD open.

    Args:
        case: The case.
        framework: The framework it was judged by.
        assessment: The answers.
        decision: What the rules came to.
        found: The judgement, whose steps come first.
        fits: Approaches, the primary one first.
        gates: What stands between a candidate and money.
        open_questions: Open answers that can matter, the best first.
        money: When it pays.
        start: The day to begin.
    """
    rule, stated = framework.plan, case.economics.hours_per_week
    if rule is None:
        return Unknown(ask="add a plan section to the framework, or let it extend one that has it")
    try:
        calendar = Calendar(start, rule.hours_per_week if stated is None else stated.likely)
        assert money.model is not None  # whoever assessed the money has it
        missed = [name for name, target in found.targets.items() if target.state == "missed"]
        known = (case, framework, rule, assessment, fits, calendar, money.model)
        plan = PlanContext(*known, found.ruled_out, missed)
        aim = _fill(plan, decision, found, gates, open_questions, money)
    except NoPlanError as error:
        return Unknown(ask=error.ask)
    phases = tuple(plan.phases)
    by_part = {part: [phase for phase in phases if phase.part == part] for part in _PARTS}
    return Plan(
        aim=aim,
        start=calendar.start,
        phases=phases,
        hours=Range.total(phase.hours for phase in phases),
        usd=Range.total(phase.usd for phase in phases),
        weeks=working_days(calendar.start, max(p.end for p in phases)) / DAYS_PER_WEEK,
        parts={
            part: PartTotal(
                hours=Range.total(p.hours for p in group),
                usd=Range.total(p.usd for p in group),
                end=max(p.end for p in group),
            )
            for part, group in by_part.items()
            if group
        },
        notes=tuple(_notes(plan, decision, money)),
    )


def _fill(
    plan: PlanContext,
    decision: Decision,
    found: Judgement,
    gates: Sequence[GateResult],
    open_questions: Sequence[QuestionResult],
    money: MoneyFindings,
) -> Aim:
    """Add the phases that the answer asks for."""
    simpler = plan.framework.simpler_than_tuning(found.recommendation.options)
    if found.tunes:
        tuning(plan, gates, simpler, money)
        return "tune"
    if found.answer == "no":
        keeping(plan)
        return "confirm"
    outcome = decision.leaning if found.outcome == "undecided" else found.outcome
    asks = found.recommendation.steps[0].option == "measure"
    first = questions(plan, open_questions) if asks and open_questions else ()
    steps_to_verdict(plan, outcome, found.recommendation, gates, first)
    return "confirm" if outcome == "improve_rag_or_switch_model" or first else "change"


def part_title(plan: Plan, part: Part) -> str:
    """What a part of a plan is called; a plan without a tuning has but one."""
    return _PARTS[part] if plan.aim == "tune" else "Steps"


# Everything a reader has to know before believing the dates and the sums.


def _notes(plan: PlanContext, decision: Decision, money: MoneyFindings) -> Iterator[str]:
    economics, notes = plan.case.economics, said()["notes"]
    whose = "as stated"
    if economics.hours_per_week is None:
        whose = "the framework's figure; state economics.hours_per_week"
    yield notes["dates"].format(hours=number(plan.calendar.hours_per_week), whose=whose)
    if economics.hourly_rate_usd is None:
        yield notes["no_rate"]
    if decision.outcome == "undecided":
        yield notes["undecided"].format(outcome=OUTCOME_WORDS[decision.leaning])
    launch = next((p.end for p in plan.phases if p.id == "deployment"), None)
    if launch is not None:
        yield from _notes_of_tuning(plan, notes, launch)
        if isinstance(money.result, InvestmentResult):
            yield from _pays_back(money.result, notes, launch)


def _notes_of_tuning(plan: PlanContext, notes: Mapping[str, str], launch: date) -> Iterator[str]:
    stated, lacks = plan.case.economics.upfront, plan.fits and plan.fits[0].missing
    if stated.hours is not None or stated.usd is not None:
        yield notes["in_total"]
    if (stated.hours or stated.usd or stated.by_category) and isinstance(lacks, int) and lacks > 0:
        unit = plan.fits[0].data.unit
        hours = plan.collected(unit, float(lacks), 0.0).hours
        work = hours_text(hours.low, hours.most)
        yield notes["lacking"].format(missing=count(lacks), unit=plain(unit), hours=work)
    for fit in plan.fits:
        if isinstance(fit.missing, Unknown):
            yield notes["uncounted"].format(
                unit=plain(fit.data.unit), goal=plain(fit.goal), need=count(fit.data.low)
            )
    until = plan.case.tuning.until
    if until and plan.calendar.start < until <= max(p.end for p in plan.phases):
        when = "ends_before" if until <= launch else "ends_after"
        yield notes[when].format(until=as_day(until), launch=as_day(launch))


def _pays_back(money: InvestmentResult, notes: Mapping[str, str], launch: date) -> Iterator[str]:
    point = money.break_even_months.point
    if isinstance(point, Unknown):
        return
    if isinstance(point, str):
        yield notes["never"]
        return
    low, high = (point.low, point.most) if isinstance(point, Range) else (point, point)
    day = None if money.one_off else _later(launch, high)
    back = f"after {months_range(low, high)}"
    if money.one_off:
        back = "with the job at best, never at worst" if math.isinf(high) else "with the job"
    yield notes["contradicted" if money.contradicted else "pays_back"].format(
        launch=as_day(launch),
        back=back,
        by=f", so by {as_day(day)}" if day else "",
    )


def _later(launch: date, months: float) -> date | None:
    if math.isinf(months) or months > _FAR_MONTHS:
        return None
    whole = math.floor(months + 1e-9)
    if launch.year + whole / 12 >= date.max.year - 1:
        return None
    days = max(0, math.ceil((months - whole) * DAYS_PER_MONTH - 1e-6))
    return months_later(launch, whole) + timedelta(days=days)


def hours_text(low: float, high: float | str) -> str:
    """Hours as ``18–36 hours``."""
    if isinstance(high, str):
        return f"{_hours(low)} hours or more"
    if high == 0:
        return "no hours"
    if high < 1:
        return several(max(1, round(high * 60)), "minute")
    least, most = _hours(low), _hours(high)
    if least == most:
        return f"{least} hour" if least == "1" else f"{least} hours"
    return f"{least}–{most} hours"


def _hours(value: float) -> str:
    return f"{round(value, 1):g}" if value < 20 else count(round(value))
