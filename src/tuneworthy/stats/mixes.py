"""The least difference between two mixes of kinds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tuneworthy.stats.intervals import Z95

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tuneworthy.stats.clustered import Floats

Halves = tuple[Sequence[int], Sequence[int]]
"""Counts by kind, for each half of the things that were counted."""


class MovedShare(NamedTuple):
    """The least share that is of other kinds, with its 95% interval; chance can take it below 0."""

    value: float
    low: float
    high: float
    n: int  #: Counted in the smaller one of the two.


def moved_share(before: Halves, after: Halves) -> MovedShare:
    """The share of ``after`` that exceeds the share in ``before``, over all kinds that grew.

    The kinds that grew are chosen on one half and counted on the other, and the reverse, so that
    chance adds nothing. However the kinds are defined, the share that really changed is no smaller
    (data processing). None of the four halves may be empty.
    """
    before_first, before_second = _as_floats(before)
    after_first, after_second = _as_floats(after)
    on_second = _growth_of(
        _kinds_that_grew(before_first, after_first), before_second, after_second
    )
    on_first = _growth_of(
        _kinds_that_grew(before_second, after_second), before_first, after_first
    )
    value = (on_second.value + on_first.value) / 2
    half = Z95 * math.sqrt(on_second.variance + on_first.variance) / 2
    n = min(int(np.sum(before)), int(np.sum(after)))
    return MovedShare(value, value - half, value + half, n)


def _as_floats(halves: Halves) -> tuple[Floats, Floats]:
    first, second = halves
    return np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)


def _kinds_that_grew(before: Floats, after: Floats) -> NDArray[np.bool_]:
    """Return for each kind whether its share has grown."""
    grew: NDArray[np.bool_] = after / after.sum() > before / before.sum()
    return grew


class _Growth(NamedTuple):
    """By how much a share has grown, with its variance."""

    value: float
    variance: float


def _growth_of(kinds: NDArray[np.bool_], before: Floats, after: Floats) -> _Growth:
    """Return by how much the share of some kinds has grown."""
    shares = []
    variance = 0.0
    for counts in (before, after):
        n = float(counts.sum())
        share = float(counts[kinds].sum()) / n
        shares.append(share)
        # half a count is added to each side, so that 0 of a few isn't taken as certain
        eased = (share * n + 0.5) / (n + 1)
        variance += eased * (1 - eased) / n
    share_before, share_after = shares
    return _Growth(share_after - share_before, variance)
