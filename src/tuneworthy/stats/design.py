"""What clusters do to a variance: who belongs where, and how much evidence that leaves.

Sources stand in ``clustered``, whose intervals are made of these.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneworthy.stats.intervals import Z95

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DENSE = 4
"""Clusters are counted without a sort when no number is above so many times the rows."""


def t95(degrees: float) -> float:
    """Student's 97.5% quantile for one degree of freedom or more; a broken one is rounded down.

    Cornish and Fisher's expansion (Abramowitz and Stegun 1964, 26.7.5), within 0.2% from five
    degrees on, and a table before.
    """
    exact = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776}
    whole = max(1, math.floor(degrees + 1e-9))
    if whole in exact:
        return exact[whole]
    z, v = Z95, float(whole)
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    )


def members(groups: NDArray[Any]) -> tuple[NDArray[np.int64], int]:
    """Each row's cluster, numbered from 0 without gaps.

    Small whole numbers keep their order, which saves a sort; others go by first appearance, so
    that a hash in their place changes nothing.
    """
    if not len(groups):
        return np.zeros(0, dtype=np.int64), 0
    if groups.dtype.kind in "iu" and groups.min() >= 0 and groups.max() < _DENSE * len(groups):
        place = np.cumsum(np.bincount(groups) > 0) - 1
        return place[groups], int(place[-1]) + 1
    _, first, member = np.unique(groups, return_index=True, return_inverse=True)
    place = np.empty(len(first), dtype=np.int64)
    place[np.argsort(first)] = np.arange(len(first))
    return place[member], len(first)


def sum_by(member: NDArray[np.int64], values: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Sums by cluster of one value a row."""
    return np.bincount(member, weights=values, minlength=k).astype(np.float64)


def dot(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The sum of products, by one thread.

    The library behind ``@`` splits long arrays over threads, which here costs more than it gives
    and sums in another order on each machine.
    """
    return float(np.einsum("i,i->", one, other))


def worst_effect(counts: NDArray[np.float64]) -> float:
    """The design effect if all values of a cluster are alike."""
    return dot(counts, counts) / float(counts.sum())


def design_effect(
    rate: float, plain: float, sums: NDArray[np.float64], sizes: NDArray[np.float64]
) -> tuple[float, float]:
    """Design effect of a share, at least 1, and degrees of freedom.

    Where all are hits or none is, the data can't show how alike a cluster's are: the worst counts.
    """
    found, degrees = variance(rate, plain, sums, sizes, sizes)
    if plain > 0 and found > 0:
        return min(max(found / plain, 1.0), float(sizes.sum())), degrees
    return worst_effect(sizes), degrees


def variance(
    middle: float,
    plain: float,
    sums: NDArray[np.float64],
    sizes: NDArray[np.float64],
    counts: NDArray[np.float64],
) -> tuple[float, float]:
    """Variance of a ratio of sums over two clusters or more, and degrees of freedom.

    Args:
        middle: The ratio.
        plain: Its variance if all values were independent.
        sums: Numerator by cluster.
        sizes: Denominator by cluster.
        counts: Values by cluster.
    """
    k, total = len(sizes), float(sizes.sum())
    leverage = np.minimum(sizes / total, 1 - 1 / (2 * total + 2))
    left_out = (sums - middle * sizes) / (1 - leverage)
    found = (k - 1) / k * dot(left_out, left_out) / total**2
    worst, alike = worst_effect(counts), 1.0
    if plain > 0 and worst > 1:
        alike = min(1.0, max(0.0, (found / plain - 1) / (worst - 1)))
    weight = counts + (counts**2 - counts) * alike  # what each adds to the variance
    equal = float(weight.sum()) ** 2 / dot(weight, weight)
    return found, max(equal - 1, 1.0)


def leaning(error: float, t: float, residual: NDArray[np.float64]) -> tuple[float, float]:
    """Ends around 0: Student's, or Hall's for a skewed mean where they lie farther out."""
    square = float((residual**2).mean())
    low, high = -t * error, t * error
    if square <= 0 or error <= 0:
        return low, high
    skew = float((residual * residual * residual).mean()) / square**1.5 / math.sqrt(len(residual))
    if abs(skew) < 1e-6:
        return low, high
    ends = [-error * 3 / skew * (math.cbrt(1 + skew * (y - skew / 6)) - 1) for y in (t, -t)]
    return min(low, *ends), max(high, *ends)
