"""The plan: phases with dates, hours and cost."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tuneworthy.errors import argument
from tuneworthy.model.base import Range, Unknown
from tuneworthy.model.dossier import (
    ApproachResult,
    AskNow,
    ChallengeResult,
    Dossier,
    Part,
    Phase,
    Plan,
)
from tuneworthy.plan.section import hours_text
from tuneworthy.report import blocks as b
from tuneworthy.report import charts
from tuneworthy.report.named import named
from tuneworthy.report.sections.common import (
    about,
    captioned,
    dollars,
    headline,
    parts_text,
    ranged,
    unfit,
    weeks,
)
from tuneworthy.words import count, day, plain, sentence

AIMS = named("aims")
_PARTS = named("plan_parts")

_THERE = named("there")

_NOT_PRICED = "not priced"
_BEFORE_TUNING = ("ceiling", "factors", "goals", "data")
"""Subjects of a plan that money and tuning don't concern."""


def document(dossier: Dossier, case_path: str = "") -> b.Document:
    """The document of the plan; ``case_path`` is the case as the user named it, for the commands."""
    plan = dossier.plan
    expected = () if isinstance(plan, Unknown) else expectations(dossier, plan)
    more = unfit(expected, "Optimistic expectations", "expected")
    says = "no plan yet." if isinstance(plan, Unknown) else f"{AIMS[plan.aim]}."
    return about(
        dossier, section(dossier, case_path), more, says=says, beside=headline(dossier)
    )


def expectations(dossier: Dossier, plan: Plan) -> list[ChallengeResult]:
    """The push-backs about the plan: all of them for tuning, else those about its steps."""
    return [
        claim
        for claim in dossier.challenges
        if claim.severity == "pushback"
        and (
            plan.aim == "tune"
            or all(path.startswith(_BEFORE_TUNING) for path in claim.between)
        )
    ]


def section(dossier: Dossier, case_path: str = "") -> b.Section:
    """The section on the plan."""
    plan = dossier.plan
    if isinstance(plan, Unknown):
        todo = b.Todo(plan.ask, "There is no plan yet.")
        return b.section("plan", "The plan", todo)
    phases = _phases(plan)
    calendar = captioned(charts.gantt(plan), phases, table_is="open")
    return b.section(
        "plan",
        "The plan",
        sentence(f"{AIMS[plan.aim]}, from {day(plan.start)}"),
        b.facts(_facts(dossier, plan)),
        calendar or phases,
        _spending(plan, phases),
        b.fold(
            "What is done in each phase, and when it is done", _steps(plan, case_path)
        ),
        plan.notes
        and b.part("What the plan rests on", b.bullets(map(sentence, plan.notes))),
    )


def _spending(plan: Plan, phases: b.Table) -> b.Picture | None:
    """The picture of what each phase adds, with what is spent up to the next decision as its title."""
    drawing = charts.spending(plan)
    if drawing is None:
        return None
    decides = [row for row in drawing.rows if "decides" in row]
    title = f"{decides[0]['says']} up to the next decision"
    drawn = {row["part"] for row in drawing.rows}
    but = () if "later" in drawn else ("band",)
    return captioned(drawing, phases, table_is="elsewhere", title=title, but=but)


def _facts(dossier: Dossier, plan: Plan) -> Iterator[tuple[str, str, str]]:
    """The main facts of a plan: the ask, the approach and the whole work."""
    if not isinstance(dossier.ask, Unknown):
        yield "Ask now", ask_text(dossier.ask), f"up to: {dossier.ask.until}"
    if plan.aim == "tune":
        yield from _approach(dossier)
    if len(plan.parts) > 1:
        for part, total in plan.parts.items():
            work = work_text(total.hours, total.usd)
            yield part_title(plan, part), f"until {day(total.end)},", work
    last = max((phase.end for phase in plan.phases), default=plan.start)
    until = f"until {day(last)}, {weeks(plan.weeks)} weeks,"
    yield "In all", until, work_text(plan.hours, plan.usd)


def _approach(dossier: Dossier) -> Iterator[tuple[str, str, str]]:
    """The kind of tuning that the judgement names, and its data."""
    advice = dossier.recommendation
    named = () if isinstance(advice, Unknown) else [step.way for step in advice.steps]
    kinds = ("tuning", "tuned")
    way = next(
        (way for way in dossier.ways if way.id in named and way.kind in kinds), None
    )
    fits = () if isinstance(dossier.approaches, Unknown) else dossier.approaches
    if way is None:
        return
    own = next((fit for fit in fits if fit.approach == way.id), None)
    goal = f"for {plain(own.goal)} ({own.priority})" if own else ""
    yield "Approach", way.title, goal
    if own and way.kind == "tuning":
        yield "Data", need_text(own), f"({_THERE[own.feasible]})"


def ask_text(ask: AskNow) -> str:
    """The work and money up to the next decision, in the same words on every page."""
    return work_text(ask.hours, Range(low=ask.low, high=ask.high))


def need_text(approach: ApproachResult) -> str:
    need = approach.data
    return ranged(Range(low=need.low, high=need.high), count, f" {plain(need.unit)}")


def work_text(hours: Range, money: Range) -> str:
    """Hours, and their cost where it is known."""
    work = f"{hours_text(hours.low, hours.high)} of work"
    cost = _cost(money)
    return work if cost == _NOT_PRICED else f"{work}, {cost}"


def _cost(value: Range, text: str = "") -> str:
    unpriced = value.high == "open" and value.low == 0
    return _NOT_PRICED if unpriced else text or dollars(value)


def part_title(plan: Plan, part: Part) -> str:
    """The title of a part of the plan. A plan without tuning has only one part."""
    return _PARTS[part] if plan.aim == "tune" else "Steps"


def _takes(phase: Phase) -> bool:
    return phase.hours.high != 0 or phase.usd.high != 0


def _numbers(plan: Plan) -> dict[str, int]:
    """The number of each phase, by its id, from 1."""
    return {phase.id: position for position, phase in enumerate(plan.phases, start=1)}


def _phases(plan: Plan) -> b.Table:
    """The table of phases."""
    numbers = _numbers(plan)
    cost = dict[str, str]()
    for part in dict.fromkeys(phase.part for phase in plan.phases):
        own = [phase for phase in plan.phases if phase.part == part]
        cost |= zip(
            (phase.id for phase in own), parts_text([p.usd for p in own]), strict=True
        )
    rows = (
        (
            f"{numbers[phase.id]} {phase.title}",
            day(phase.start),
            day(phase.end),
            hours_text(phase.hours.low, phase.hours.high)
            if _takes(phase)
            else "none stated",
            _cost(phase.usd, cost[phase.id]) if _takes(phase) else "",
            ", ".join(str(numbers[name]) for name in phase.needs if name in numbers),
        )
        for phase in plan.phases
    )
    return b.table(
        "Phases of the plan", "Phase | @From | @To | Work | Cost | After", rows
    )


_COMMAND = re.compile(r"tuneworthy [^`)]+")


def _steps(plan: Plan, case_path: str) -> Iterator[b.Parts]:
    """The tasks of each phase, folded, with when it is done."""
    numbers = _numbers(plan)
    of = argument(case_path) if case_path else "CASE"
    for part in plan.parts:
        folds = [
            b.fold(
                f"{numbers[phase.id]} {phase.title}",
                phase.steps
                and b.bullets(
                    sentence(_COMMAND.sub(lambda m: m[0].replace("CASE", of), step))
                    for step in phase.steps
                ),
                sentence(f"done when {phase.done_when}"),
                id=f"phase-{phase.id}",
            )
            for phase in plan.phases
            if phase.part == part
        ]
        yield b.part(part_title(plan, part), folds) if len(plan.parts) > 1 else folds
