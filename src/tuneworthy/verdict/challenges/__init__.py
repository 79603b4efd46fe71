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
    fired = [found for each in ALL if (found := each(facts)) is not None]
    return tuple(sorted(fired, key=lambda one: _RANK[one.severity]))


def disputed(facts: CaseFacts) -> frozenset[str]:
    """Factors whose statement stands in a contradiction."""
    found = (each(facts) for each in ALL if each.severity == "contradiction")
    paths = (path.split(".") for item in found if item for path in item.between)
    return frozenset(path[1] for path in paths if path[0] == "factors" and len(path) > 1)
