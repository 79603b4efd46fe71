"""A challenge: its rule, its numbers and its sentence in one function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tuneworthy.model.dossier import ChallengeResult, Severity
from tuneworthy.verdict.facts import CaseFacts
from tuneworthy.words import sentence

Clash = tuple[tuple[str, ...], str, str]
"""Dotted paths of the statements in the case file, what doesn't fit, and what would settle it."""

Rule = Callable[[CaseFacts], Clash | None]


@dataclass(frozen=True, slots=True)
class Challenge:
    """A rule that finds statements that don't fit together, or one that nothing carries."""

    severity: Severity
    rule: Rule

    @property
    def id(self) -> str:
        """The name of its function."""
        return self.rule.__name__

    def __call__(self, facts: CaseFacts) -> ChallengeResult | None:
        """What it says of a case; None where the statements carry each other."""
        clash = self.rule(facts)
        if clash is None:
            return None
        between, says, settle = clash
        return ChallengeResult(
            id=self.id,
            severity=self.severity,
            between=between,
            says=sentence(says),
            settle=sentence(settle),
        )


def contradiction(rule: Rule) -> Challenge:
    """Statements that exclude each other."""
    return Challenge("contradiction", rule)


def doubt(rule: Rule) -> Challenge:
    """A statement that lacks what would carry it."""
    return Challenge("doubt", rule)


def pushback(rule: Rule) -> Challenge:
    """An expectation that isn't realistic."""
    return Challenge("pushback", rule)
