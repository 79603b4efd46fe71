"""The internal record of a way: its figures, and its effect on errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from tuneworthy.model.base import Interval, Range, State, Strings, Unknown
from tuneworthy.model.framework import Moves, TargetId, Triangle
from tuneworthy.model.ways import (
    AnyFigure,
    Figure,
    FigureGrade,
    FigureId,
    WayKind,
    WayState,
)
from tuneworthy.stats.intervals import wilson

FIGURE_OF: Mapping[TargetId, FigureId] = {
    "quality": "quality",
    "latency": "latency_p95_s",
    "cost": "usd_per_month",
    "privacy": "private",
}  #: The figure that a target is held against.


_SURE = 10**6  # cases of a share that is supposed


class KnownNumber(NamedTuple):
    """A known figure of a way, with its ends and its source."""

    low: float
    value: float
    high: float
    grade: FigureGrade
    #: Cases it was counted on; None where nobody said, or none are.
    cases: int | None = None
    source: str = ""
    #: Whether it came with the folder and wasn't checked here.
    brought: bool = False

    def made_sure(self) -> KnownNumber:
        """The same figure as if it rested on a huge number of cases."""
        return self._replace(low=self.value, high=self.value, cases=_SURE)

    @property
    def spread(self) -> Range:
        """The two ends."""
        return Range.between(self.low, self.high)


def share_of_cases(
    share: float | None, cases: int | None, grade: FigureGrade, source: str = ""
) -> KnownNumber | None:
    """A share with Wilson's 95% interval; a point without its cases; None without the share."""
    if share is None:
        return None
    if not cases:
        return KnownNumber(share, share, share, grade, None, source)
    low, high = wilson(share * cases, cases)
    return KnownNumber(low, share, high, grade, cases, source)


def known_amount(
    amount: Interval | None, grade: FigureGrade, source: str = ""
) -> KnownNumber | None:
    """An amount with its ends; None where it is unknown."""
    if amount is None:
        return None
    return KnownNumber(amount.low, amount.value, amount.high, grade, None, source)


@dataclass(frozen=True, slots=True)
class Way:
    """Something that could run in this use case.

    ``figures`` are known for exactly this way. ``errors`` and ``moves`` are its usual effects, for
    a way without figures: the share of the remaining errors that it removes, and factors on today's
    latency and bill.
    """

    id: str
    title: str
    kind: WayKind
    option: str
    state: WayState
    made_of: Strings = ()
    model: str = ""
    figures: Mapping[FigureId, KnownNumber] = field(default_factory=dict)
    errors: Triangle | None = None
    #: The same where only code can promise so much.
    strict_errors: Triangle | None = None
    moves: Moves = field(default_factory=dict)
    hours: Range | None = None
    weeks: Range | None = None
    because: str = ""
    private: State = "unknown"  #: Whether data stay inside where it runs.
    #: The day on which a tuned model that runs today is switched off, where that is soon.
    lapses: date | None = None
    #: Of a tuned one: its quality less that of the way beside it.
    gain: KnownNumber | None = None
    #: Of a tuned one: whether its lab knows the best untuned way.
    best_known: State = "unknown"
    beside: str = ""  #: Id of the untuned way that it was compared with, case by case.
    skills: State = "unknown"  #: Whether a tuned model keeps general skills.
    safe: State = "unknown"  #: Whether a tuned model keeps its refusals.

    @property
    def tuned(self) -> bool:
        """Whether its model was trained on examples."""
        return self.kind == "tuned"

    @property
    def untried(self) -> bool:
        """Whether nobody has run it on this case."""
        return self.state == "untried"

    def figure(self, target: TargetId) -> KnownNumber | None:
        """The known figure of the way for a target; None without one."""
        if target != "privacy":
            return self.figures.get(FIGURE_OF[target])
        if self.private == "unknown":
            return None
        kept = 1.0 if self.private == "yes" else 0.0
        return KnownNumber(kept, kept, kept, "stated")


_ASKS: Mapping[FigureId, str] = {
    "quality": "run it on the evaluation set",
    "latency_p95_s": "time it on the same cases",
    "usd_per_month": "state the traffic and its price",
    "private": "say who runs it",
    "general_skills": "ask it tasks that aren't your own",
}  #: The step that would tell a figure which isn't known.


def dossier_figure(name: FigureId, known: KnownNumber | None) -> AnyFigure:
    """A figure in the form of the dossier."""
    if known is None:
        return Unknown(ask=_ASKS[name])
    counted: dict[str, int] = {}
    if known.cases is not None:
        counted["cases"] = known.cases
    return Figure(
        value=known.value,
        low=known.low,
        high=known.high,
        grade=known.grade,
        source=known.source,
        brought=known.brought,
        **counted,
    )
