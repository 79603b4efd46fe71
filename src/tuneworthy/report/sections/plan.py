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
from tuneworthy.model.ways import WayResult
from tuneworthy.plan.section import hours_text
from tuneworthy.report import blocks as b
from tuneworthy.report import charts
from tuneworthy.report.named import named
from tuneworthy.report.sections.common import (
    about,
    advised_steps,
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

_BEFORE_TUNING = ("ceiling", "factors", "goals", "data")
"""Subjects of a plan that money and tuning don't concern."""


def document(dossier: Dossier, case_path: str = "") -> b.Document:
    """The document of the plan; ``case_path`` is the case as the user named it, for the commands."""
    plan = dossier.plan
    if isinstance(plan, Unknown):
        says = "no plan yet."
        expected = None
    else:
        says = f"{AIMS[plan.aim]}."
        expected = unfit(
            expectations(dossier, plan), "Optimistic expectations", "expected"
        )
    parts = (section(dossier, case_path), expected)
    return about(dossier, *parts, says=says, beside=headline(dossier))


def expectations(dossier: Dossier, plan: Plan) -> list[ChallengeResult]:
    """The push-backs about the plan: all of them for tuning, else those about its steps."""
    pushbacks = [claim for claim in dossier.challenges if claim.severity == "pushback"]
    if plan.aim == "tune":
        return pushbacks
    return [
        claim
        for claim in pushbacks
        if all(path.startswith(_BEFORE_TUNING) for path in claim.between)
    ]


def section(dossier: Dossier, case_path: str = "") -> b.Section:
    """The section on the plan."""
    plan = dossier.plan
    if isinstance(plan, Unknown):
        todo = b.Todo(plan.ask, "There is no plan yet.")
        return b.section("plan", "The plan", todo)
    phases = _phases(plan)
    calendar = captioned(charts.gantt(plan), phases, is_open=True)
    steps_title = "What is done in each phase, and when it is done"
    parts: list[b.Parts] = [
        sentence(f"{AIMS[plan.aim]}, from {day(plan.start)}"),
        b.facts(_facts(dossier, plan)),
        calendar or phases,
        b.fold(steps_title, _steps(plan, case_path)),
    ]
    if plan.notes:
        notes = b.bullets(sentence(note) for note in plan.notes)
        parts.append(b.part("What the plan rests on", notes))
    return b.section("plan", "The plan", parts)


def _facts(dossier: Dossier, plan: Plan) -> Iterator[tuple[str, str, str]]:
    """The main facts of a plan: the ask, the approach and the whole work."""
    if not isinstance(dossier.ask, Unknown):
        yield "Ask now", ask_text(dossier.ask), f"up to: {dossier.ask.until}"
    if plan.aim == "tune":
        yield from _approach(dossier)
    if len(plan.parts) > 1:  # a single part is all of it
        for part, total in plan.parts.items():
            work = work_text(total.hours, total.usd)
            yield part_title(plan, part), f"until {day(total.end)},", work
    last_day = max((phase.end for phase in plan.phases), default=plan.start)
    until = f"until {day(last_day)}, {weeks(plan.weeks)} weeks,"
    yield "In all", until, work_text(plan.hours, plan.usd)


def _approach(dossier: Dossier) -> Iterator[tuple[str, str, str]]:
    """The kind of tuning that the judgement names, and its data; nothing where it names none."""
    way = _advised_tuning(dossier)
    if way is None:
        return
    own = _fit_of(way, dossier)
    goal = "" if own is None else f"for {plain(own.goal)} ({own.priority})"
    yield "Approach", way.title, goal
    if own is not None and way.kind == "tuning":  # a tuned model has its data
        yield "Data", need_text(own), f"({_THERE[own.feasible]})"


def _advised_tuning(dossier: Dossier) -> WayResult | None:
    """The first kind of tuning, or tuned model, among the steps of the recommendation."""
    advised = [step.way for step in advised_steps(dossier)]
    for way in dossier.ways:
        if way.id in advised and way.kind in ("tuning", "tuned"):
            return way
    return None


def _fit_of(way: WayResult, dossier: Dossier) -> ApproachResult | None:
    """The goal that a kind of tuning fits, the primary one first; None for none."""
    if isinstance(dossier.approaches, Unknown):
        return None
    for fit in dossier.approaches:
        if fit.approach == way.id:
            return fit
    return None


def ask_text(ask: AskNow) -> str:
    """The work and money up to the next decision, in the same words on every page."""
    return work_text(ask.hours, Range(low=ask.low, high=ask.high))


def need_text(approach: ApproachResult) -> str:
    need = approach.data
    return ranged(Range(low=need.low, high=need.high), count, f" {plain(need.unit)}")


def work_text(hours: Range, money: Range) -> str:
    """Hours, and their cost where it is known."""
    work = f"{hours_text(hours.low, hours.high)} of work"
    return work if _is_unpriced(money) else f"{work}, {dollars(money)}"


def _is_unpriced(usd: Range) -> bool:
    """Whether nobody knows anything of an amount: from nothing to any."""
    return usd.low == 0 and usd.high == "open"


def part_title(plan: Plan, part: Part) -> str:
    """The title of a part of the plan. A plan without tuning has only one part."""
    return _PARTS[part] if plan.aim == "tune" else "Steps"


def _takes_work(phase: Phase) -> bool:
    return phase.hours.high != 0 or phase.usd.high != 0


def _numbers(plan: Plan) -> dict[str, int]:
    """The number of each phase, by its id, from 1."""
    return {phase.id: position for position, phase in enumerate(plan.phases, start=1)}


def _phases(plan: Plan) -> b.Table:
    """The table of phases."""
    numbers = _numbers(plan)
    costs = _costs(plan)
    rows = []
    for phase in plan.phases:
        work = "none stated"
        cost = ""
        if _takes_work(phase):
            work = hours_text(phase.hours.low, phase.hours.high)
            cost = "not priced" if _is_unpriced(phase.usd) else costs[phase.id]
        # a phase that this plan leaves out needn't be waited for
        after = [str(numbers[name]) for name in phase.needs if name in numbers]
        row = (
            f"{numbers[phase.id]} {phase.title}",
            day(phase.start),
            day(phase.end),
            work,
            cost,
            ", ".join(after),
        )
        rows.append(row)
    return b.table(
        "Phases of the plan", "Phase | @From | @To | Work | Cost | After", rows
    )


def _costs(plan: Plan) -> dict[str, str]:
    """The cost of each phase by its id, rounded so that those of a part add up to its sum."""
    parts: dict[Part, list[Phase]] = {}
    for phase in plan.phases:
        parts.setdefault(phase.part, []).append(phase)
    costs: dict[str, str] = {}
    for phases in parts.values():
        texts = parts_text([phase.usd for phase in phases])
        for phase, text in zip(phases, texts, strict=True):
            costs[phase.id] = text
    return costs


_COMMAND = re.compile(r"tuneworthy [^`)]+")  #: Up to the sign that ends it in a step.


def _steps(plan: Plan, case_path: str) -> Iterator[b.Parts]:
    """The tasks of each phase, folded, with when it is done."""
    numbers = _numbers(plan)
    case = argument(case_path) if case_path else "CASE"
    for part in plan.parts:
        folds = [
            _phase_fold(phase, numbers[phase.id], case)
            for phase in plan.phases
            if phase.part == part
        ]
        if len(plan.parts) == 1:  # it needs no title of its own
            yield folds
        else:
            yield b.part(part_title(plan, part), folds)


def _phase_fold(phase: Phase, number: int, case: str) -> b.Fold:
    """The tasks of a phase, with the case in their commands, and when it is done."""

    def name_case(command: re.Match[str]) -> str:
        return command[0].replace("CASE", case)

    parts: list[b.Parts] = []
    if phase.steps:
        tasks = [sentence(_COMMAND.sub(name_case, step)) for step in phase.steps]
        parts.append(b.bullets(tasks))
    parts.append(sentence(f"done when {phase.done_when}"))
    return b.fold(f"{number} {phase.title}", parts)
