"""Two arms on the same cases: the difference, and how many cases would tell them apart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.stats.clustered import Estimate, mean
from tuneworthy.stats.design import members, sum_by
from tuneworthy.stats.intervals import Z80, Z95

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_MOST_CASES = 10**9


def paired_difference(first: ArrayLike, second: ArrayLike, clusters: ArrayLike) -> Estimate | None:
    """The mean difference of two scores between 0 and 1 on the same cases, with a 95% interval.

    Two pairs are added, one that each arm wins, before the variance by cluster is taken: for 0 and
    1 without clusters that is the interval of Bonett and Price (2012), which keeps its coverage
    where few pairs differ, and isn't empty where none does. The value is that of the pairs alone.

    Args:
        first: Scores of the first arm; NaN leaves a case out.
        second: Scores of the second, in the same order.
        clusters: The conversation of each case, as whole numbers.

    Returns:
        First less second, with an interval of (-1, 1) where there is a single conversation; None
        where no case has both.
    """
    differences, groups = _both(first, second, clusters)
    if not len(differences):
        return None
    member, k = members(groups)
    value = float(differences.mean())
    if k == 1:
        return Estimate(value, -1.0, 1.0, len(differences), 1)
    wide = mean([*differences, 1.0, -1.0], [*member, k, k + 1])
    assert wide is not None  # there are values
    low, high = max(-1.0, min(wide.low, value)), min(1.0, max(wide.high, value))
    return Estimate(value, low, high, len(differences), k)


def cases_needed(
    first: ArrayLike, second: ArrayLike, clusters: ArrayLike | None = None
) -> int | None:
    """Cases at which the difference seen would be told from none in 80 of 100 repetitions.

    ``n = (z_0.975 + z_0.80)² · variance / difference²``, the variance that of a pair's difference
    times the design effect of conversations.

    Args:
        first: Scores of the first arm; NaN leaves a case out.
        second: Scores of the second, in the same order.
        clusters: The conversation of each case; every case its own if left out.

    Returns:
        A count, 2 or more; None where the two don't differ, by too little for any test, or no two
        cases (and conversations) have both.
    """
    alone = np.arange(np.size(np.asarray(first)))
    differences, groups = _both(first, second, alone if clusters is None else clusters)
    n, value = len(differences), float(differences.mean()) if len(differences) else 0.0
    member, k = members(groups)
    if k < 2 or value == 0:
        return None
    off = sum_by(member, differences - value, k)
    variance = max(float(differences.var(ddof=1)), k / (k - 1) * float((off**2).sum()) / n)
    needed = (Z95 + Z80) ** 2 * variance / value**2
    return max(2, math.ceil(needed)) if needed < _MOST_CASES else None


def _both(
    first: ArrayLike, second: ArrayLike, clusters: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Differences and conversations of the cases that have both scores."""
    differences = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    kept = ~np.isnan(differences)
    return differences[kept], np.asarray(clusters)[kept]
