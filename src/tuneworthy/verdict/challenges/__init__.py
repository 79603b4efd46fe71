"""Challenges: each reads structured fields for statements that don't fit together, never notes."""

from __future__ import annotations

from types import ModuleType

from tuneworthy.answers.facts import CaseFacts, Challenge
from tuneworthy.model.base import Strings
from tuneworthy.model.dossier import ChallengeResult
from tuneworthy.verdict.challenges import claims, evidence, money, reasons

ROOMS = {
    "Reasons that exclude each other": reasons,
    "Claims about the ceiling, about success and about data": claims,
    "Expectations about money": money,
    "What was measured against what was said": evidence,
}  #: The modules with their titles, in the order of their challenges.


def in_room(room: ModuleType) -> tuple[Challenge, ...]:
    """The challenges of a module: its functions under a decorator of challenges."""
    return tuple(each for each in vars(room).values() if isinstance(each, Challenge))


#: Every challenge there is.
ALL = tuple(each for room in ROOMS.values() for each in in_room(room))

_RANK = {"contradiction": 0, "doubt": 1, "pushback": 2}


def challenge(facts: CaseFacts) -> tuple[ChallengeResult, ...]:
    """All challenges that a case raises, contradictions first; () for none."""
    fired = []
    for rule in ALL:
        result = rule(facts)
        if result is not None:
            fired.append(result)
    return tuple(sorted(fired, key=lambda item: _RANK[item.severity]))


def contradicted_paths(facts: CaseFacts) -> Strings:
    """Paths of the statements in contradictions."""
    paths = list[str]()
    for rule in ALL:
        if rule.severity == "contradiction":
            result = rule(facts)
            paths += () if result is None else result.between
    return tuple(paths)
