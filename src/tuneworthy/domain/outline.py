"""A plan before words: which phases, what they take, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from tuneworthy.domain.assessment import Reason
from tuneworthy.domain.decision import Ends
from tuneworthy.domain.outlook import Aim, Part


@dataclass(frozen=True, slots=True)
class Draft:
    """A phase before it has dates."""

    id: str
    what: Reason
    """Which words tell it, with their numbers."""
    part: Part
    hours: Ends
    usd: Ends
    """``math.inf`` at its upper end, inside the program only, where hours have no price."""
    needs: tuple[str, ...] = ()
    """Ids of drafts that come before it in the list and have to be done first."""
    weeks: float = 0.0
    """Calendar weeks it takes at least; the team is free for other phases meanwhile."""


@dataclass(frozen=True, slots=True)
class DatedPhase:
    """A phase with its dates, both included."""

    draft: Draft
    start: date
    end: date


@dataclass(frozen=True, slots=True)
class Outline:
    """A plan."""

    aim: Aim
    start: date
    """The first working day."""
    phases: tuple[DatedPhase, ...]
    weeks: float
    """Weeks of five working days until everything is done."""
    notes: tuple[Reason, ...]
    """What it rests on, and what to expect."""


@dataclass(frozen=True, slots=True)
class NoPlan:
    """Why there is no plan, and so what to do about it."""

    why: Reason
