"""The least difference between two mixes of kinds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tuneworthy.stats.intervals import Z95

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
    shares = []
    variances = []
    for chosen, counted in ((0, 1), (1, 0)):
        old = np.asarray(before[chosen], dtype=np.float64)
        new = np.asarray(after[chosen], dtype=np.float64)
        grew = new / new.sum() > old / old.sum()
        parts = [
            np.asarray(each[counted], dtype=np.float64) for each in (before, after)
        ]
        inside = [float(part[grew].sum() / part.sum()) for part in parts]
        shares.append(inside[1] - inside[0])
        sizes = [float(part.sum()) for part in parts]
        # half a count is added to each, so that 0 of a few isn't taken as certain
        eased = [(p * n + 0.5) / (n + 1) for p, n in zip(inside, sizes, strict=True)]
        variances.append(
            sum(p * (1 - p) / n for p, n in zip(eased, sizes, strict=True))
        )
    value = float(np.mean(shares))
    half = Z95 * float(np.sqrt(sum(variances))) / 2
    n = min(int(np.sum(before)), int(np.sum(after)))
    return MovedShare(value, value - half, value + half, n)
