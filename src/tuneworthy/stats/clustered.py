"""Estimates from traces that come in conversations: turns of one are not independent.

Variances are those of a ratio of sums over clusters, linearised (Cochran 1977, chapter 9A); a share
gets Wilson's interval at the number of independent traces that this variance is worth, shrunk once
more for few clusters (Korn and Graubard 1998); a quantile gets the interval whose ends are the
quantiles at the ends of its share's interval (Woodruff 1952).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.stats.intervals import Z95, wilson

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95% interval, in the unit of the values."""

    value: float
    low: float
    high: float
    n: int
    """Values it was counted on."""
    clusters: int
    """Clusters these come from."""


def share(hits: ArrayLike, clusters: ArrayLike) -> Estimate | None:
    """The share of traces that are hits.

    Args:
        hits: 1 or true for a hit, 0 or false for none; NaN is left out.
        clusters: The cluster of each, as whole numbers.

    Returns:
        The estimate, with an interval of (0, 1) where there is a single cluster; None where nothing
        is left to count.
    """
    values, sums, sizes = _by_cluster(hits, clusters)
    n = len(values)
    if not n:
        return None
    rate = float(values.mean())
    independent = _independent(rate, sums, sizes)
    low, high = wilson(rate * independent, independent) if len(sizes) > 1 else (0.0, 1.0)
    return Estimate(rate, min(low, rate), max(high, rate), n, len(sizes))


def mean(values: ArrayLike, clusters: ArrayLike) -> Estimate | None:
    """The mean of a value; NaN is left out.

    Returns:
        The estimate, with an interval without ends (infinite) where there is a single cluster; None
        where nothing is left.
    """
    kept, sums, sizes = _by_cluster(values, clusters)
    if not len(kept):
        return None
    middle = float(kept.mean())
    k = len(sizes)
    if k == 1:
        return Estimate(middle, -math.inf, math.inf, len(kept), k)
    half = t95(k - 1) * math.sqrt(_variance(middle, sums, sizes))
    return Estimate(middle, middle - half, middle + half, len(kept), k)


def quantile(values: ArrayLike, at: float, clusters: ArrayLike) -> Estimate | None:
    """A quantile of a value, such as the 95th percentile for ``at=0.95``; NaN is left out.

    Returns:
        The estimate; its ends are the least and the largest value where there is a single cluster
        or too few values to tell. None where nothing is left.
    """
    data, groups = _known(values, clusters)
    if not len(data):
        return None
    value = float(np.quantile(data, at))
    around = share(data <= value, groups)
    assert around is not None  # there is a value
    below, above = around.value - around.low, around.high - around.value
    low = float(np.quantile(data, max(0.0, at - below)))
    high = float(np.quantile(data, min(1.0, at + above)))
    return Estimate(value, min(low, value), max(high, value), len(data), around.clusters)


def slope(y: ArrayLike, x: ArrayLike, clusters: ArrayLike) -> Estimate | None:
    """The least-squares slope of y on x, with the sandwich variance by cluster (Liang, Zeger 1986).

    Returns:
        The estimate, in units of y for one of x; None where x doesn't vary or fewer than three
        clusters are there.
    """
    ys, xs = np.asarray(y, dtype=np.float64), np.asarray(x, dtype=np.float64)
    kept = ~(np.isnan(ys) | np.isnan(xs))
    ys, xs, groups = ys[kept], xs[kept], np.asarray(clusters)[kept]
    _, member = np.unique(groups, return_inverse=True)
    k = int(member.max()) + 1 if len(member) else 0
    if k < 3:
        return None
    centred = xs - xs.mean()
    spread = float(centred @ centred)
    if spread <= 0:
        return None
    value = float(centred @ ys) / spread
    residual = ys - ys.mean() - value * centred
    scores = np.bincount(member, weights=centred * residual, minlength=k)
    error = math.sqrt(k / (k - 1) * float(scores @ scores)) / spread
    half = t95(k - 2) * error
    return Estimate(value, value - half, value + half, len(ys), k)


def true_share(
    seen: Estimate, sensitivity: tuple[float, float], specificity: tuple[float, float]
) -> tuple[float, float, float]:
    """What share is really there, when a detector with known errors saw another.

    The correction of Rogan and Gladen (1978).

    Args:
        seen: The share that the detector flags.
        sensitivity: Interval of the share of real ones it flags.
        specificity: Interval of the share of others it leaves alone.

    Returns:
        Value, low and high. The ends take the detector's worst ends too, so the interval is never
        narrower than that of ``seen`` mapped through a perfect detector; (…, 0, 1) where the
        detector is no better than chance at the worst.
    """
    if sensitivity[0] + specificity[0] <= 1:
        return seen.value, 0.0, 1.0

    def real(rate: float, sens: float, spec: float) -> float:
        return min(1.0, max(0.0, (rate + spec - 1) / (sens + spec - 1)))

    middle = real(seen.value, sum(sensitivity) / 2, sum(specificity) / 2)
    ends = [
        real(rate, sens, spec)
        for rate in (seen.low, seen.high)
        for sens in sensitivity
        for spec in specificity
    ]
    return middle, min(*ends, middle), max(*ends, middle)


def t95(degrees: int) -> float:
    """Student's 97.5% quantile (Hill 1970's expansion, within 0.5% from three degrees on)."""
    exact = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776}
    if degrees in exact:
        return exact[degrees]
    z, v = Z95, float(degrees)
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    )


def _known(values: ArrayLike, clusters: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    data = np.asarray(values, dtype=np.float64)
    groups = np.asarray(clusters)
    if len(data) != len(groups):
        raise ValueError("values and clusters differ in number")
    kept = ~np.isnan(data)
    return data[kept], groups[kept]


def _by_cluster(
    values: ArrayLike, clusters: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Values without NaN, and sum and size of each cluster."""
    data, groups = _known(values, clusters)
    _, member = np.unique(groups, return_inverse=True)
    sums = np.bincount(member, weights=data).astype(np.float64)
    return data, sums, np.bincount(member).astype(np.float64)


def _variance(middle: float, sums: NDArray[np.float64], sizes: NDArray[np.float64]) -> float:
    """Variance of a ratio of sums over clusters."""
    k = len(sizes)
    residual = sums - middle * sizes
    return k / (k - 1) * float(residual @ residual) / float(sizes.sum()) ** 2


def _independent(rate: float, sums: NDArray[np.float64], sizes: NDArray[np.float64]) -> float:
    """How many independent traces these are worth, never more than there are."""
    n, k = float(sizes.sum()), len(sizes)
    if k < 2:
        return 1.0
    worst = n * n / float(sizes @ sizes)  # all traces of a cluster alike
    variance = _variance(rate, sums, sizes)
    plain = rate * (1 - rate) / n
    effect = variance / plain if plain > 0 and variance > 0 else n / worst
    worth = min(n, max(n / max(effect, 1.0), min(worst, 1.0)))
    return worth * (Z95 / t95(k - 1)) ** 2
