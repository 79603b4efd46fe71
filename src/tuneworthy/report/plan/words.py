"""What every form of the plan says in the same words."""

from __future__ import annotations

from collections.abc import Iterator

from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.outlook import Aim, Plan
from tuneworthy.domain.record import Range, State, Unknown
from tuneworthy.domain.sections import ApproachResult, ChallengeResult
from tuneworthy.report.plan.notes import hours_text
from tuneworthy.report.words import count, listing, number, plain, usd, usd_range

AIMS: dict[Aim, str] = {
    "tune": "a plan to a tuned model in production",
    "confirm": "the steps that would confirm the verdict",
    "change": "the steps that would change the verdict",
}

_THERE: dict[State, str] = {
    "yes": "enough are there",
    "no": "there are fewer",
    "unknown": "nobody has counted what is there",
}

_BEFORE_TUNING = ("ceiling", "factors", "goals", "data")
"""What a plan is about that isn't about tuning; money and tuning don't concern it."""


def money_text(value: Range) -> str:
    """USD from its least to its most; ``or more`` where hours have no price."""
    if value.high == "open" and value.low == 0:
        return "not priced"
    return f"{usd(value.low)} or more" if value.high == "open" else usd_range(value.low, value.high)


def numbers_of(plan: Plan) -> dict[str, int]:
    """The number each phase bears, by its id, from 1."""
    return {phase.id: position for position, phase in enumerate(plan.phases, start=1)}


def facts(dossier: Dossier, plan: Plan) -> Iterator[tuple[str, str]]:
    """The plan in a few lines, each with its label: what, how much, by when."""
    if plan.aim == "tune" and not isinstance(dossier.approaches, Unknown):
        first, *others = dossier.approaches
        yield "Approach", _approaches(first, others)
        yield "Data", f"{_data(first)}; {_THERE[first.feasible]}"
    launch = plan.parts.get("first_version")
    if launch is not None:
        yield "Launch", f"by {launch.end}"
        yield "Upfront", _total(launch.hours, launch.usd)
        running = plan.parts["running"]
        yield "Running", f"{_total(running.hours, running.usd)} in the first quarter"
    total = _total(plan.hours, plan.usd)
    last = max(phase.end for phase in plan.phases)
    yield "In all", f"{total}; {number(plan.weeks)} weeks, until {last}"


def _total(hours: Range, money: Range) -> str:
    return f"{hours_text(hours.low, hours.high)}, {money_text(money)}"


def _approaches(first: ApproachResult, others: list[ApproachResult]) -> str:
    said = f"{first.title} for {plain(first.goal)} (P0)"
    later = [f"{plain(one.goal)} ({one.priority})" for one in others]
    return f"{said}; later {listing(later)}" if later else said


def _data(first: ApproachResult) -> str:
    need = first.data
    most = " or more" if need.high == "open" else f"–{count(need.high)}"
    return f"{count(need.low)}{most} {plain(need.unit)}"


def expectations(dossier: Dossier, plan: Plan) -> tuple[ChallengeResult, ...]:
    """The push-backs that concern the plan: all for a tuning, else those about its steps."""
    found = [one for one in dossier.challenges if one.severity == "pushback"]
    if plan.aim == "tune":
        return tuple(found)
    return tuple(
        one for one in found if all(path.startswith(_BEFORE_TUNING) for path in one.between)
    )
