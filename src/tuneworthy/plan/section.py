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
    return Plan(
        aim=aim,
        start=plan.calendar.start,
        phases=tuple(plan.phases),
        hours=Range.total(phase.hours for phase in plan.phases),
        usd=Range.total(phase.usd for phase in plan.phases),
        weeks=plan.calendar.weeks,
        parts=_totals(plan.phases),
        notes=tuple(_notes(plan, judged)),
    )


def _totals(phases: Sequence[Phase]) -> dict[Part, PartTotal]:
    """The hours, the USD and the last day of each part of a plan that has phases."""
    totals: dict[Part, PartTotal] = {}
    for part in get_args(Part):
        own = [phase for phase in phases if phase.part == part]
        if own:
            totals[part] = PartTotal(
                hours=Range.total(phase.hours for phase in own),
                usd=Range.total(phase.usd for phase in own),
                end=max(phase.end for phase in own),
            )
    return totals


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
    """The kind of tuning that the judgement names, with its data; else that of the first goal.

    None for a case without goals.
    """
    framework = judged.framework
    first = judged.fits[0] if judged.fits else None
    name = ""
    for step in judged.judgement.recommendation.steps:
        if is_tuning(framework, step.way):
            name = step.way
            break
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
        title = framework.options[name].title
        return first.model_copy(update={"approach": name, "title": title})
    else:
        title = framework.approaches[name].title
        need = DataNeed(**framework.approaches[name].data.model_dump())
    return first.model_copy(
        update={
            "approach": name,
            "title": title,
            "data": need,
            "missing": _missing(judged.case, need),
            "offered_by": (),
        }
    )


def _missing(case: Case, need: DataNeed) -> int | Unknown:
    """How much of the data is missing; unknown where nobody counted it."""
    have = case.usable_data(need.unit)
    if have is None:
        return Unknown(ask=f"count the {plain(need.unit)} (data.{need.unit})")
    return max(0, need.low - have)


def _fill(plan: PlanContext, judged: JudgedCase) -> Aim:
    """Add the phases that the answer leads to, and return the aim of the plan."""
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
    if judgement.answer == "open":
        # the later steps depend on what the first one finds
        questions = judged.open_questions if rule == "no_target" else ()
        plan_steps(plan, [first], questions)
    elif judgement.answer == "no" and rule == "refused":
        plan_steps(plan, [first])
    else:
        plan_steps(plan, steps)
    return "change"


def _what_moves(judged: JudgedCase) -> list[str]:
    """Reasons against tuning about requirements that still change, where these decide."""
    if judged.judgement.ruling.rule != "moving":
        return []
    moving = []
    for name in ("exploration_phase", "rapidly_changing_requirements"):
        answer = judged.case.factors.get(name)
        # content is looked up and not trained in, so it may change
        only_content = answer is not None and answer.changes == "content"
        if judged.assessment.state(name) == "yes" and not only_content:
            moving.append(name)
    return moving


# Everything a reader has to know before believing the dates and the sums.


def _notes(plan: PlanContext, judged: JudgedCase) -> Iterator[str]:
    """Notes under a plan: on its dates, rates, launch and payback."""
    economics = plan.case.economics
    notes = phase_words()["notes"]
    whose = "stated"
    if economics.hours_per_week is None:
        whose = "the framework's figure, unless you state economics.hours_per_week"
    yield notes["dates"].format(hours=number(plan.calendar.hours_per_week), whose=whose)
    if economics.hourly_rate_usd is None:
        yield notes["no_rate"]
    launches = [phase.end for phase in plan.phases if phase.id == "deployment"]
    for launch in launches:  # a plan has one launch, or none
        yield from _notes_of_tuning(plan, notes, launch)
        if isinstance(judged.money.result, InvestmentResult):
            yield from _pays_back(judged.money.result, notes, launch)


def _notes_of_tuning(
    plan: PlanContext, notes: Mapping[str, str], launch: date
) -> Iterator[str]:
    """Notes for a plan that tunes: missing data, and the end of the service."""
    upfront = plan.case.economics.upfront
    if upfront.hours is not None or upfront.usd is not None:
        yield notes["in_total"]
    if plan.has_phase("data"):
        yield from _notes_of_data(plan, notes)
    until = plan.case.tuning.until
    plan_ends = max(phase.end for phase in plan.phases)
    if until and plan.calendar.start < until <= plan_ends:
        when = "ends_before" if until <= launch else "ends_after"
        yield notes[when].format(until=day(until), launch=day(launch))


def _notes_of_data(plan: PlanContext, notes: Mapping[str, str]) -> Iterator[str]:
    """Notes on data that is missing, or that nobody counted."""
    upfront = plan.case.economics.upfront
    stated = bool(upfront.hours or upfront.usd or upfront.by_category)
    first = plan.approach
    # the framework's own hours include the collecting
    if stated and first and isinstance(first.missing, int) and first.missing > 0:
        unit = first.data.unit
        hours = plan.collected(unit, float(first.missing), 0.0).hours
        yield notes["lacking"].format(
            missing=count(first.missing),
            unit=plain(unit),
            hours=hours_text(hours.low, hours.most),
        )
    for fit in plan.fits:
        if isinstance(fit.missing, Unknown):
            yield notes["uncounted"].format(
                unit=plain(fit.data.unit),
                goal=plain(fit.goal),
                need=count(fit.data.low),
            )


def _pays_back(
    money: InvestmentResult, notes: Mapping[str, str], launch: date
) -> Iterator[str]:
    """A note on when the money comes back after the launch; none where that is unknown."""
    point = money.break_even_months.point
    if isinstance(point, Unknown):
        return
    if isinstance(point, str):
        yield notes["never"]
        return
    low, high = (point.low, point.most) if isinstance(point, Range) else (point, point)
    by = ""
    if money.one_off:
        back = "with the job"
        if math.isinf(high):
            back = "with the job at best, never at worst"
    else:
        back = f"after {months_range(low, high)}"
        latest = _later(launch, high)
        if latest is not None:
            by = f", so by {day(latest)}"
    note = notes["contradicted" if money.contradicted else "pays_back"]
    yield note.format(launch=day(launch), back=back, by=by)


def _later(launch: date, months: float) -> date | None:
    """The day some months after the launch; None where that is too far off to be a day."""
    if math.isinf(months) or months > _FAR_MONTHS:
        return None
    whole = math.floor(months + 1e-9)  # a rounding error isn't a further day
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
    last = plan.phases.index(decision)
    phases = plan.phases[: last + 1]
    usd = Range.total(phase.usd for phase in phases)
    return AskNow(
        low=usd.low,
        high=usd.high,
        hours=Range.total(phase.hours for phase in phases),
        parts=tuple(AskPart(what=p.title, hours=p.hours, usd=p.usd) for p in phases),
        until=decision.title,
    )


def find_decision(plan: Plan) -> Phase:
    """The first phase that ends in a decision, else the last one. The ask covers everything up to it."""
    for phase in plan.phases:
        if phase.id in _DECISIONS:
            return phase
    return plan.phases[-1]
