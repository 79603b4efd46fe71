"""The plan as a section of the dossier: its phases, their sum, its grounds, and what is asked now."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import get_args

from tuneworthy.model.base import DAYS_PER_MONTH, Range, Unknown
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import (
    Aim,
    ApproachResult,
    AskNow,
    AskPart,
    Assessment,
    DataNeed,
    InvestmentResult,
    Part,
    PartTotal,
    Phase,
    Plan,
    QuestionResult,
)
from tuneworthy.model.framework import Framework, PlanRule
from tuneworthy.money.investment import MoneyFindings
from tuneworthy.plan.context import Calendar, NoPlanError, PlanContext, phase_words
from tuneworthy.plan.phases import (
    REINFORCEMENT,
    is_tuning,
    plan_adopting,
    plan_keeping,
    plan_pilot,
    plan_roll_out,
    plan_steps,
)
from tuneworthy.verdict.judge import Judgement
from tuneworthy.verdict.situation import LiveCondition
from tuneworthy.ways.way import TargetCriterion
from tuneworthy.words import (
    count,
    day,
    months_later,
    months_range,
    number,
    plain,
    sentence,
    several,
)
from tuneworthy.words import hours as as_hours

_FAR_MONTHS = 1200  #: A century: nobody names the day.


@dataclass(frozen=True, slots=True)
class JudgedCase:
    """The inputs of a plan: a case, and all findings about it."""

    case: Case
    framework: Framework  #: The one that it was judged by.
    assessment: Assessment  #: The answers.
    judgement: Judgement  #: The answer, its rule and its steps, which the plan follows.
    criterion: TargetCriterion  #: The criterion that a way has to meet.
    fits: Sequence[ApproachResult]  #: Approaches, the primary one first.
    lacking: DataNeed | None  #: The data that is too little, and how much is usual.
    #: The conditions that have to hold before a tuned model goes live.
    conditions: Sequence[LiveCondition]
    #: Open answers that can matter, the best first.
    open_questions: Sequence[QuestionResult]
    money: MoneyFindings  #: When it pays.
    start: date  #: The day to begin.


def build_plan(judged: JudgedCase) -> Plan | Unknown:
    """Plan the steps of the judgement, or say what would make a plan possible.

    The plan follows the answer, its rule and its steps. For a pilot, it leads to a tuned model that
    is watched and kept up. For a *yes*, it begins with the roll-out. For a *no*, it ends with the
    way that is used instead. For any other answer, it ends with the next decision; an open answer
    begins with its first step. Hours and USD are the case's where it states them by category, else
    those of the framework's tables. Hours without a rate leave the USD unknown.
    """
    if judged.framework.plan is None:
        return Unknown(
            ask="add a plan section to the framework, or let it extend one that has it"
        )
    try:
        plan = _plan_context(judged, judged.framework.plan)
        aim = _fill(plan, judged)
    except NoPlanError as error:
        return Unknown(ask=error.ask)
    phases = tuple(plan.phases)
    by_part = {
        part: [phase for phase in phases if phase.part == part]
        for part in get_args(Part)
    }
    return Plan(
        aim=aim,
        start=plan.calendar.start,
        phases=phases,
        hours=Range.total(phase.hours for phase in phases),
        usd=Range.total(phase.usd for phase in phases),
        weeks=plan.calendar.weeks,
        parts={
            part: PartTotal(
                hours=Range.total(p.hours for p in group),
                usd=Range.total(p.usd for p in group),
                end=max(p.end for p in group),
            )
            for part, group in by_part.items()
            if group
        },
        notes=tuple(_notes(plan, judged)),
    )


def _plan_context(judged: JudgedCase, rule: PlanRule) -> PlanContext:
    """Everything that a plan needs, taken from the judged case."""
    stated_hours = judged.case.economics.hours_per_week
    if stated_hours is None:
        hours_per_week = rule.hours_per_week
    else:
        hours_per_week = stated_hours.likely
    assert judged.money.model is not None  # whoever assessed the money has it
    return PlanContext(
        case=judged.case,
        framework=judged.framework,
        rule=rule,
        fits=judged.fits,
        approach=_judged_approach(judged),
        criterion=judged.criterion,
        targets=judged.judgement.targets,
        conditions=judged.conditions,
        because=sentence(judged.judgement.ruling.because),
        moving=_what_moves(judged),
        lacking=judged.lacking,
        calendar=Calendar(judged.start, hours_per_week),
        money=judged.money.model,
        more_cases=judged.judgement.more_cases,
    )


def _judged_approach(judged: JudgedCase) -> ApproachResult | None:
    """The kind of tuning that the judgement names, with its data; else that of the first goal."""
    framework = judged.framework
    steps = judged.judgement.recommendation.steps
    name = next((step.way for step in steps if is_tuning(framework, step.way)), "")
    first = next(iter(judged.fits), None)
    for fit in judged.fits:
        if fit.approach == name:
            return fit
    if not name or first is None:
        return first
    least = framework.threshold("examples_to_reinforce")
    if name == REINFORCEMENT and least is not None:
        title = framework.options[name].title
        need = DataNeed(low=math.ceil(least), high="open", unit="examples")
    elif name in framework.options:
        # distillation and the like learn from the goal's kind of data
        return first.model_copy(
            update={"approach": name, "title": framework.options[name].title}
        )
    else:
        title = framework.approaches[name].title
        need = DataNeed(**framework.approaches[name].data.model_dump())
    have = judged.case.usable_data(need.unit)
    missing: int | Unknown = Unknown(
        ask=f"count the {plain(need.unit)} (data.{need.unit})"
    )
    if have is not None:
        missing = max(0, need.low - have)
    words = {"approach": name, "title": title, "data": need, "missing": missing}
    return first.model_copy(update={**words, "offered_by": ()})


def _fill(plan: PlanContext, judged: JudgedCase) -> Aim:
    """Add the phases of the answer."""
    judgement = judged.judgement
    steps = judgement.recommendation.steps
    first = steps[0]
    rule = judgement.ruling.rule
    if judgement.answer == "yes":
        plan_roll_out(plan, judged.conditions, judged.money)
        return "tune"
    if judgement.answer == "pilot":
        plan_pilot(plan, steps, judged.conditions, judged.money)
        return "tune"
    if first.option == "keep_prompt":
        plan_keeping(plan)
        return "confirm"
    if judgement.answer == "no" and rule == "met":
        plan_adopting(plan, first)
        return "adopt"
    if judgement.answer == "open":  # the steps after it depend on what it finds
        plan_steps(plan, [first], judged.open_questions if rule == "no_target" else ())
    elif judgement.answer == "no" and rule == "refused":
        plan_steps(plan, [first])
    else:
        plan_steps(plan, steps)
    return "change"


def _what_moves(judged: JudgedCase) -> list[str]:
    """Reasons against tuning about requirements that still change, where these decide."""
    if judged.judgement.ruling.rule != "moving":
        return []
    names = [n for n in _MOVING if judged.assessment.state(n) == "yes"]
    answer = judged.case.factors.get("rapidly_changing_requirements")
    # knowledge that is looked up and not trained in
    if answer is not None and answer.changes == "content":
        names = [name for name in names if name != "rapidly_changing_requirements"]
    return names


_MOVING = ("exploration_phase", "rapidly_changing_requirements")


# Everything a reader has to know before believing the dates and the sums.


def _notes(plan: PlanContext, judged: JudgedCase) -> Iterator[str]:
    """Notes under a plan: on its dates, rates, launch and payback."""
    economics = plan.case.economics
    money = judged.money.result
    notes = phase_words()["notes"]
    whose = "stated"
    if economics.hours_per_week is None:
        whose = "the framework's figure, unless you state economics.hours_per_week"
    yield notes["dates"].format(hours=number(plan.calendar.hours_per_week), whose=whose)
    if economics.hourly_rate_usd is None:
        yield notes["no_rate"]
    launch = next(
        (phase.end for phase in plan.phases if phase.id == "deployment"), None
    )
    if launch is not None:
        yield from _notes_of_tuning(plan, notes, launch)
        if isinstance(money, InvestmentResult):
            yield from _pays_back(money, notes, launch)


def _notes_of_tuning(
    plan: PlanContext, notes: Mapping[str, str], launch: date
) -> Iterator[str]:
    """Notes for a plan that tunes: missing data, and the end of the service."""
    stated = plan.case.economics.upfront
    if stated.hours is not None or stated.usd is not None:
        yield notes["in_total"]
    first = plan.approach
    lacks = first.missing if first else None
    trained = any(phase.id == "data" for phase in plan.phases)
    some = bool(stated.hours or stated.usd or stated.by_category)
    if trained and some and first and isinstance(lacks, int) and lacks > 0:
        unit = first.data.unit
        hours = plan.collected(unit, float(lacks), 0.0).hours
        work = hours_text(hours.low, hours.most)
        yield notes["lacking"].format(
            missing=count(lacks), unit=plain(unit), hours=work
        )
    for fit in plan.fits if trained else ():
        if isinstance(fit.missing, Unknown):
            yield notes["uncounted"].format(
                unit=plain(fit.data.unit),
                goal=plain(fit.goal),
                need=count(fit.data.low),
            )
    until = plan.case.tuning.until
    if until and plan.calendar.start < until <= max(p.end for p in plan.phases):
        when = "ends_before" if until <= launch else "ends_after"
        yield notes[when].format(until=day(until), launch=day(launch))


def _pays_back(
    money: InvestmentResult, notes: Mapping[str, str], launch: date
) -> Iterator[str]:
    """A note on when the money comes back after the launch."""
    point = money.break_even_months.point
    if isinstance(point, Unknown):
        return
    if isinstance(point, str):
        yield notes["never"]
        return
    low, high = (point.low, point.most) if isinstance(point, Range) else (point, point)
    by = None if money.one_off else _later(launch, high)
    back = f"after {months_range(low, high)}"
    if money.one_off:
        if math.isinf(high):
            back = "with the job at best, never at worst"
        else:
            back = "with the job"
    yield notes["contradicted" if money.contradicted else "pays_back"].format(
        launch=day(launch), back=back, by=f", so by {day(by)}" if by else ""
    )


def _later(launch: date, months: float) -> date | None:
    """The day some months after the launch; None where that is too far off to be a day."""
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
        return f"{as_hours(low)} hours or more"
    if high == 0:
        return "no hours"
    if high < 1:
        return several(max(1, round(high * 60)), "minute")
    least = as_hours(low)
    most = as_hours(high)
    if least == most:
        return f"{least} hour" if least == "1" else f"{least} hours"
    return f"{least}–{most} hours"


_DECISIONS = (
    "pilot",
    "decide",
    "deployment",
    "adopt",
)  #: Phases that end in a decision.


def ask_now(plan: Plan | Unknown) -> AskNow | Unknown:
    """The work and money up to and including the first phase that ends in a decision.

    The page, the memo, the list and a budget all use this one number.
    """
    if isinstance(plan, Unknown):
        return plan
    decision = find_decision(plan)
    phases = plan.phases[: plan.phases.index(decision) + 1]
    usd = Range.total(phase.usd for phase in phases)
    return AskNow(
        low=usd.low,
        high=usd.high,
        hours=Range.total(phase.hours for phase in phases),
        parts=tuple(AskPart(what=p.title, hours=p.hours, usd=p.usd) for p in phases),
        until=decision.title,
    )


def find_decision(plan: Plan) -> Phase:
    """The first phase that ends in a decision. The ask covers everything up to it."""
    return next(
        (phase for phase in plan.phases if phase.id in _DECISIONS), plan.phases[-1]
    )
