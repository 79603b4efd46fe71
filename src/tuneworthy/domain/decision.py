"""What follows from the answers, and how firmly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tuneworthy.domain.assessment import Reason
from tuneworthy.domain.record import State
from tuneworthy.domain.rules import Band, Outcome

Verdict = Literal[
    "keep_optimizing_prompts",
    "improve_rag_or_switch_model",
    "address_anti_indicators",
    "fine_tune_candidate",
    "undecided",
]

Action = Literal[
    "answer_questions",
    "keep_prompting",
    "improve_rag_or_switch",
    "clear_anti_indicators",
    "explore_alternatives",
    "clear_gates",
    "proceed",
    "pilot",
]

GateId = Literal["need", "strength", "feasibility", "investment", "safety"]


@dataclass(frozen=True, slots=True)
class Ends:
    """The least and the most of a number over all completions; equal when nothing is open."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PathStep:
    """A step of the tree with this case's numbers."""

    ask: str
    """The condition, such as ``indicators at most 3``."""
    answer: State
    """Whether it holds, among the completions that come this far."""
    value: Mapping[str, Ends]
    """The measures the condition reads."""
    outcome: Outcome
    """What follows when it holds."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The framework's rules applied to an assessment."""

    outcome: Verdict
    final: bool
    leaning: Outcome
    reach: tuple[Outcome, ...]
    path: tuple[PathStep, ...]
    score: Ends
    denominator: float
    score_bands: tuple[Band, Band]
    difference: Ends
    difference_bands: tuple[Band, Band]
    strength: tuple[Band, Band]
    shares: Mapping[Outcome, float]
    bounds: Mapping[Outcome, Ends]


@dataclass(frozen=True, slots=True)
class Flip:
    """A smallest set of answers that changes the verdict."""

    changes: tuple[tuple[str, Literal["yes", "no"]], ...]
    outcome: Verdict


@dataclass(frozen=True, slots=True)
class Flips:
    """All the smallest sets, or how far the search went without finding one."""

    sets: tuple[Flip, ...]
    searched_to: int
    """Every set of up to this many answers was tried."""


@dataclass(frozen=True, slots=True)
class Question:
    """An open answer and what it is worth to ask."""

    id: str
    gain_bits: float
    minutes: int


@dataclass(frozen=True, slots=True)
class ApproachFit:
    """A goal's approach against what the team has."""

    goal: str
    approach: str
    low: int
    high: int | Literal["open"]
    unit: str
    have: int | None
    """How many there are, None when nobody said."""
    compute: str
    priority: int
    feasible: State
    missing: int | None = None
    """How many are lacking to the least that makes sense; None when nobody counted."""
    offered_by: tuple[str, ...] = ()
    """Who is known to take new work of this kind; only one's own where data may not leave."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Something that stands between a candidate and money."""

    id: GateId
    state: State
    why: Reason


@dataclass(frozen=True, slots=True)
class Caveat:
    """Something to keep in mind beside the verdict."""

    id: str
    numbers: Mapping[str, Any]
