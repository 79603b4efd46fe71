"""What each challenge says, and what would settle it."""

from __future__ import annotations

from tuneworthy.domain.assessment import Challenge
from tuneworthy.domain.sections import ChallengeResult
from tuneworthy.report.challenges import claims, data, evidence, money, reasons
from tuneworthy.report.challenges.registry import WORDS
from tuneworthy.report.words import sentence

__all__ = ["WORDS", "challenge_result", "claims", "data", "evidence", "money", "reasons"]


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
