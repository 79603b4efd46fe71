"""What doesn't fit together: every challenge reads structured fields, never words in notes."""

from __future__ import annotations

from tuneworthy.model.case import Case
from tuneworthy.model.dossier import Assessment, Challenge, ChallengeResult, Findings
from tuneworthy.model.framework import Framework
from tuneworthy.verdict.challenges import claims, data, money, reasons
from tuneworthy.verdict.challenges import data as evidence
from tuneworthy.verdict.challenges.facts import WORDS, Facts
from tuneworthy.words import sentence

# What doesn't fit together: every challenge reads structured fields, never words in notes.

ALL = (*reasons.ALL, *claims.ALL, *data.DATA_ALL, *money.ALL, *evidence.ALL)
"""Every challenge there is, in the order of their rooms."""

_RANK = {"contradiction": 0, "doubt": 1, "pushback": 2}


def challenge(
    case: Case, framework: Framework, assessment: Assessment, findings: Findings
) -> tuple[Challenge, ...]:
    """Everything that doesn't fit together, contradictions first.

    Returns:
        The challenges that fire; empty when the statements carry each other.
    """
    facts = Facts(case, framework, assessment, findings)
    fired = [found for rule in ALL if (found := rule(facts)) is not None]
    return tuple(sorted(fired, key=lambda one: _RANK[one.severity]))


_challenge_all__ = ["ALL", "Facts", "challenge"]


# What each challenge says, and what would settle it.


def challenge_result(challenge: Challenge) -> ChallengeResult:
    """A challenge in words."""
    said, settle = WORDS[challenge.id](challenge.numbers)
    return ChallengeResult(
        id=challenge.id,
        severity=challenge.severity,
        between=challenge.between,
        says=sentence(said),
        settle=sentence(settle),
    )
