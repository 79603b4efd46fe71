"""What doesn't fit together: every challenge reads structured fields, never words in notes."""

from __future__ import annotations

from types import ModuleType

from tuneworthy.model.dossier import ChallengeResult
from tuneworthy.verdict.challenges import claims, data, evidence, money, reasons
from tuneworthy.verdict.facts import CaseFacts, Challenge

ROOMS = {
    "Reasons that exclude each other": reasons,
    "Claims about the ceiling and about success": claims,
    "Claims about data": data,
    "Expectations about money": money,
    "What was measured against what was said": evidence,
}  #: The modules with their titles, in the order of their challenges.


def in_room(room: ModuleType) -> tuple[Challenge, ...]:
    """The challenges of a module: its functions under one of the three decorators."""
    return tuple(each for each in vars(room).values() if isinstance(each, Challenge))


ALL = tuple(each for room in ROOMS.values() for each in in_room(room))  #: Every challenge there is.

_RANK = {"contradiction": 0, "doubt": 1, "pushback": 2}


def challenge(facts: CaseFacts) -> tuple[ChallengeResult, ...]:
    """Everything that doesn't fit together, contradictions first; empty where nothing is."""
    fired = [result for rule in ALL if (result := rule(facts)) is not None]
    return tuple(sorted(fired, key=lambda item: _RANK[item.severity]))


def disputed(facts: CaseFacts) -> frozenset[str]:
    """Factors whose statement stands in a contradiction."""
    results = (rule(facts) for rule in ALL if rule.severity == "contradiction")
    paths = (path.split(".") for item in results if item for path in item.between)
    return frozenset(path[1] for path in paths if path[0] == "factors" and len(path) > 1)
