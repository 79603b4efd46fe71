"""What a framework's own rules say about each other."""

from __future__ import annotations

from typing import Any, Literal

from tuneworthy.domain.record import Record
from tuneworthy.domain.rules import Band
from tuneworthy.domain.sections import Named

Grade = Literal["warning", "note"]
"""Something to mend, or to know before relying on it; or a figure computed again that fits."""


class LintCell(Record):
    """Combinations with the same numbers of reasons for and against."""

    indicators: int
    anti_indicators: int
    combinations: int
    score: Band | Literal["mixed"]
    """The band of the score (for another denominator: by the framework's own)."""
    difference: Band | Literal["mixed"]
    """The band of the difference (for another denominator: of the score by that one)."""


class LintFinding(Record):
    """One finding with its numbers; the report makes the words."""

    id: str
    grade: Grade
    numbers: dict[str, Any]
    count: int = 0
    """Combinations it concerns."""
    of: int = 0
    """Combinations that were gone through for it."""
    cells: tuple[LintCell, ...] = ()
    """The same by how many reasons hold."""
    combinations: tuple[tuple[str, ...], ...] = ()
    """For each combination the factors that are yes, the first 4,096 of them."""


class Lint(Record):
    """Everything the linter found."""

    framework: Named
    combinations: int
    """Combinations of answers to the factors."""
    findings: tuple[LintFinding, ...]

    @property
    def warnings(self) -> tuple[LintFinding, ...]:
        """What ``--strict`` fails on."""
        return tuple(one for one in self.findings if one.grade == "warning")
