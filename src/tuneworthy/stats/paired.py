"""Two arms on the same cases: the difference, and how many cases would tell them apart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.stats.clustered import Estimate, mean
from tuneworthy.stats.intervals import Z95

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Z80 = 0.8416212335729143
"""The normal quantile that gives a power of 80%."""


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
        First less second; None where no case has both.
    """
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    groups = np.asarray(clusters)
    kept = ~(np.isnan(one) | np.isnan(other))
    differences, groups = (one - other)[kept], groups[kept]
    if not len(differences):
        return None
    apart = int(groups.max()) + 1
    wide = mean([*differences, 1.0, -1.0], [*groups, apart, apart + 1])
    assert wide is not None  # there are values
    value = float(differences.mean())
    low, high = max(-1.0, min(wide.low, value)), min(1.0, max(wide.high, value))
    return Estimate(value, low, high, len(differences), len(np.unique(groups)))


def cases_needed(first: ArrayLike, second: ArrayLike) -> int | None:
    """Cases at which the difference seen would be told from none in 80 of 100 repetitions.

    ``n = (z_0.975 + z_0.80)² · variance / difference²``, the variance of the paired differences.

    Returns:
        A count, 2 or more; None where the two don't differ, or no case has both.
    """
    differences = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    differences = differences[~np.isnan(differences)]
    if len(differences) < 2 or differences.mean() == 0:
        return None
    needed = (Z95 + Z80) ** 2 * differences.var(ddof=1) / differences.mean() ** 2
    return max(2, math.ceil(needed)) if needed < 1e9 else None


def sign_test(first: ArrayLike, second: ArrayLike) -> float:
    """The exact two-sided McNemar test: could the wins of either side be fair coins?

    Scores needn't be 0 and 1: a case counts for the arm that is ahead in it, and not if neither is.

    Returns:
        A p-value; 1.0 where no case differs.
    """
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    wins, losses = int((one > other).sum()), int((one < other).sum())
    n, least = wins + losses, min(wins, losses)
    if n == 0:
        return 1.0
    logs = [
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) for k in range(least + 1)
    ]
    tail = sum(math.exp(each - n * math.log(2)) for each in logs)
    return min(1.0, 2 * tail)
