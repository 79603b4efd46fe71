"""Chances: how likely an untried way is to be enough, from the errors that are left."""

from __future__ import annotations

import math
from collections.abc import Iterable

from tuneworthy.model.framework import Move, Triangle
from tuneworthy.model.ways import ChanceWord

LIKELY = 0.5  #: From here a chance is called likely.
POSSIBLE = 0.125  #: From here it is called possible.


def needed_reduction(today: float, wanted: float) -> float:
    """The share of today's errors that has to go: from 0.80 to 0.92 it is 0.6.

    Negative where today is better than what is wanted; 0 where nothing is wrong today.
    """
    if today >= 1:
        return 0.0
    return 1 - (1 - wanted) / (1 - today)


def chance_of_reduction(needed: float, errors: Triangle) -> float:
    """The chance that a reduction of triangular distribution reaches what is needed.

    1 where even the least is enough, 0 where the most isn't.
    """
    low, likely, high = errors.low, errors.likely, errors.high
    if needed <= low:
        return 1.0
    if needed >= high:
        return 0.0
    if needed <= likely:
        return 1 - (needed - low) ** 2 / ((high - low) * (likely - low))
    return (high - needed) ** 2 / ((high - low) * (high - likely))


def chance_within(today: float, limit: float, move: Move | None) -> float:
    """The chance that today's seconds or USD, times a factor, stay within a limit.

    The logarithm of the factor is uniform between the ends of ``move``; without one nothing moves.
    """
    if today <= 0:
        return 1.0
    if move is None:
        return 1.0 if today <= limit else 0.0
    room = limit / today
    if room >= move.high:
        return 1.0
    if room < move.low:
        return 0.0
    if move.low <= 0:
        return room / move.high
    if move.high == move.low:
        return 1.0
    return math.log(room / move.low) / math.log(move.high / move.low)


def combine_chances(chances: Iterable[float]) -> float:
    """The chance that at least one of several is enough; 0 for none."""
    return 1 - math.prod(1 - chance for chance in chances)


def chance_word(chance: float) -> ChanceWord:
    """A chance in a word."""
    if chance >= LIKELY:
        return "likely"
    return "possible" if chance >= POSSIBLE else "unlikely"
