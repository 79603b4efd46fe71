"""What doesn't fit together: every challenge reads structured fields, never words in notes."""

from __future__ import annotations

from tuneworthy.assess.challenge import claims, data, evidence, money, reasons
from tuneworthy.assess.challenge.facts import Facts
from tuneworthy.domain.assessment import Assessment, Challenge, Findings
from tuneworthy.domain.case import Case
from tuneworthy.domain.framework import Framework

ALL = (*reasons.ALL, *claims.ALL, *data.ALL, *money.ALL, *evidence.ALL)
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


__all__ = ["ALL", "Facts", "challenge"]
