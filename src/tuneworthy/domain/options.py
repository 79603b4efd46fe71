"""What could be done instead of tuning, or beside it: judged, ranked, and where to begin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tuneworthy.domain.assessment import Reason
from tuneworthy.domain.decision import Ends
from tuneworthy.domain.framework import OptionKind, Risk
from tuneworthy.domain.outlook import Grade, Helps
from tuneworthy.domain.published import PublishedFigure

Choice = Literal["fine_tune", "simpler_path", "both", "undecided"]

Record = Mapping[str, Mapping[str, int]]
"""Goal to the arm that measured best to the number of published cases; ties are left out."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether an option would help a case, and why."""

    helps: Helps
    because: Reason
    measured: bool = False
    """Whether the answer that decides was counted on this case."""


@dataclass(frozen=True, slots=True)
class Published:
    """How often an arm measured best in the published cases of a goal."""

    arm: str
    goal: str
    won: int
    of: int


@dataclass(frozen=True, slots=True)
class Option:
    """An option with everything it is compared by; None for what nobody knows."""

    id: str
    title: str
    kind: OptionKind
    family: str
    """Options of one family are variants of each other; most are a family of their own."""
    helps: Helps
    because: Reason
    grade: Grade
    published: Published | None
    quality: float | None
    usd_per_month: Ends | None
    latency_p95_s: float | None
    effort_hours: Ends | None
    weeks: Ends | None
    risk: Risk
    rank: int = 0
    dominated_by: str = "none"
    figure: PublishedFigure | None = None
    """For a kind of tuning: the highest figure that somebody published of a tuned model."""


@dataclass(frozen=True, slots=True)
class Advice:
    """Tune, the simpler path, or both, and where to begin."""

    choice: Choice
    options: tuple[str, ...]
    because: Reason
