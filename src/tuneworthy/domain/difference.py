"""What changed between two dossiers of a case."""

from __future__ import annotations

from typing import Literal

from tuneworthy.domain.decision import GateId, Verdict
from tuneworthy.domain.record import Record, State

Moved = tuple[tuple[str, ...], ...] | Literal["framework", "unknown", "nothing"]
"""The smallest sets of changed answers that alone move the outcome; ``framework`` when none does
and the framework changed, ``unknown`` when they can't be tried, ``nothing`` when it stayed."""

ActionMoved = tuple[tuple[GateId, ...], ...] | Literal["verdict", "unknown", "nothing"]
"""The smallest sets of changed gates that alone move the action; ``verdict`` when it follows the
outcome, ``unknown`` when no gate's change moves it, ``nothing`` when it stayed."""


class AnswerChange(Record):
    """An answer that isn't what it was."""

    id: str
    title: str
    before: str
    after: str


class GateChange(Record):
    """A gate whose state or reason isn't what it was."""

    id: GateId
    before: State
    after: State
    why_before: str
    why_after: str


class FigureChange(Record):
    """A figure that isn't what it was, as the report says it."""

    id: str
    title: str
    before: str
    after: str


class Difference(Record):
    """The second dossier against the first."""

    case_before: str
    case_after: str
    outcome_before: Verdict
    outcome_after: Verdict
    action_before: str
    action_after: str
    answers: tuple[AnswerChange, ...]
    """Answers that changed, in the framework's order: checks, factors, signals."""
    gates: tuple[GateChange, ...]
    """Gates that changed, in their order."""
    figures: tuple[FigureChange, ...]
    """Break-even, the bill, and what answers were counted from."""
    framework_changed: bool
    """Whether another framework, or another version of it, judged."""
    moved_by: Moved
    action_moved_by: ActionMoved
    appeared: tuple[str, ...]
    """What challenges say that didn't fire before."""
    settled: tuple[str, ...]
    """What challenges said that fired before."""
    elsewhere: tuple[str, ...]
    """Other sections of the dossier that differ, by their names in it; () when none does."""
    as_of_before: str
    as_of_after: str
