"""Chances of seconds and USD to stay within their limits, and chances in words."""

from __future__ import annotations

import math

from tuneworthy.model.framework import Move
from tuneworthy.model.ways import ChanceWord

LIKELY = 0.5  #: From here a chance is called likely.
POSSIBLE = 0.125  #: From here it is called possible.


def chance_within(today: float, limit: float, move: Move | None) -> float:
    """The chance that today's seconds or USD, times a factor, stay within a limit.

    The logarithm of the factor is uniform between the ends of ``move``; without ``move`` the factor
    is 1.
    """
    if today <= 0:
        return 1.0  # no factor makes more of nothing
    if move is None:
        return 1.0 if today <= limit else 0.0
    most = limit / today  # the largest factor that stays within the limit
    if most >= move.high:
        return 1.0
    if most < move.low:
        return 0.0
    if move.low <= 0:
        return most / move.high  # 0 has no logarithm, so the factor itself is uniform
    return math.log(most / move.low) / math.log(move.high / move.low)


def chance_word(chance: float) -> ChanceWord:
    """A chance in a word."""
    if chance >= LIKELY:
        return "likely"
    return "possible" if chance >= POSSIBLE else "unlikely"
