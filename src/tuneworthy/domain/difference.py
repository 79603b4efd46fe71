"""What changed between two dossiers of a case."""

from __future__ import annotations

from typing import Literal

from tuneworthy.domain.decision import Verdict
from tuneworthy.domain.record import Record

Moved = tuple[tuple[str, ...], ...] | Literal["framework", "unknown", "nothing"]
"""The smallest sets of changed answers that alone move the outcome; ``framework`` when none does
and the framework changed, ``unknown`` when they can't be tried, ``nothing`` when it stayed."""


class AnswerChange(Record):
    """An answer that isn't what it was."""

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
    """Answers that changed, in the framework's order."""
    framework_changed: bool
    """Whether another framework, or another version of it, judged."""
    moved_by: Moved
    appeared: tuple[str, ...]
    """What challenges say that didn't fire before."""
    settled: tuple[str, ...]
    """What challenges said that fired before."""
    as_of_before: str
    as_of_after: str
