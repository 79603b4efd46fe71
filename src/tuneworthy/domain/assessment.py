"""What the evidence says about each answer, and what doesn't fit together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from tuneworthy.domain.evidence import Evidence
from tuneworthy.domain.prices import Prices
from tuneworthy.domain.record import State

Source = Literal["stated", "measured", "assumed"]
"""Said by a person; counted from data; or inferred, which includes nothing said at all."""

Severity = Literal["contradiction", "doubt", "pushback"]
"""Statements exclude each other; one lacks what would carry it; an expectation is unrealistic."""

Kind = Literal["check", "signal", "indicator", "anti_indicator"]


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason as an id with its numbers; the report makes the words."""

    id: str
    numbers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Assessed:
    """One answer after weighing."""

    id: str
    kind: Kind
    state: State
    source: Source
    note: str = ""
    """What the person wrote beside it."""
    because: Reason | None = None
    """For an inferred answer: from what."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """Two statements that don't fit together, or one that nothing carries."""

    id: str
    severity: Severity
    between: tuple[str, ...]
    """Dotted paths of the statements in the case file."""
    numbers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Replaced:
    """A number of the case file that gave way to a measured one."""

    path: str
    """Dotted path in the case file."""
    stated: tuple[float, float] | None
    """What was said, as low and high; None where nothing was."""
    evidence: Evidence
    """What was measured."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found beside the case file."""

    prompts: int | None = None
    """Prompt files in the folder the case names; None when it names none."""
    distinct_prompts: int | None = None
    """How many of them are no near copies of another."""
    missing: tuple[str, ...] = ()
    """Dotted paths of entries whose file or folder isn't there."""
    prices: Prices = field(default_factory=dict)
    """Prices that were looked up for the case's models."""
    ledger: Mapping[str, Evidence] = field(default_factory=dict)
    """What was measured and is known, by its id."""
    replaced: tuple[Replaced, ...] = ()
    """Numbers of the case file that gave way to measured ones."""
    as_of: date | None = None
    """The day the dossier speaks for."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """Every answer of a case, weighed."""

    answers: Mapping[str, Assessed]
    """Checks and factors by id, in the framework's order."""
    signals: Mapping[str, Assessed]
    """Signals by id."""
    reached: State
    """Whether the ceiling is reached: the checks alone decide."""

    @property
    def states(self) -> dict[str, State]:
        """State of every check and factor."""
        return {name: answer.state for name, answer in self.answers.items()}

    def state(self, name: str) -> State:
        """State of a check, factor or signal; unknown for one the framework doesn't have."""
        found = self.answers.get(name) or self.signals.get(name)
        return found.state if found else "unknown"

    def of_kind(self, kind: Kind) -> dict[str, Assessed]:
        """Answers of one kind, in order."""
        return {name: a for name, a in self.answers.items() if a.kind == kind}
