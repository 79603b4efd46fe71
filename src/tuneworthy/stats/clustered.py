"""Estimates from traces that come in conversations: turns of one are not independent.

Variances are those of a ratio of sums over clusters, each cluster's residual taken as if it had
been left out (the jackknife), with as many degrees of freedom as clusters of one size would give
(Carter, Schnepel and Steigerwald 2017). A share gets Wilson's interval at the number of independent
traces that this variance is worth, shrunk once more for few clusters (Korn and Graubard 1998). A
mean's interval takes in Hall's (1992) too, which leans with the skew. A quantile gets the values
whose share below can't be told from it (Woodruff 1952, with the variance at the quantile).
docs/accuracy.md says how often these intervals hold the truth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.stats.design import (
    design_effect,
    dot,
    leaning,
    members,
    sum_by,
    t95,
    variance,
    worst_effect,
)
from tuneworthy.stats.exact import clopper_pearson
from tuneworthy.stats.intervals import Z95, wilson

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ("Estimate", "mean", "quantile", "ratio", "share", "slope", "t95", "true_share")

_LEANING = 0.5
"""Clusters with a hit that the worst case is worth, when a design effect is judged; set so that the
interval of a share of 1% in conversations of very unequal size holds the truth in 95 of 100 worlds
(tools/accuracy/intervals.py, 2026-11-24)."""


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


def share(
    hits: ArrayLike, clusters: ArrayLike, *, exact: bool = False, reach: float = Z95
) -> Estimate | None:
    """The share of traces that are hits.

    Args:
        hits: 1 or true for a hit, 0 or false for none; NaN is left out.
        clusters: The cluster of each, as whole numbers.
        exact: Clopper and Pearson's interval in place of Wilson's: wider, and each of its ends may
            be held against a target.
        reach: Standard errors that the interval reaches, of as many clusters as there could be.

    Returns:
        The estimate, with an interval of (0, 1) where there is a single cluster; None where nothing
        is left to count.
    """
    sums, sizes = _by_cluster(hits, clusters)
    n, k = int(sizes.sum()), len(sizes)
    if not n:
        return None
    rate = float(sums.sum()) / n
    if k == 1:
        return Estimate(rate, 0.0, 1.0, n, k)
    effect, degrees = design_effect(rate, rate * (1 - rate) / n, sums, sizes)
    hit = min(int((sums > 0).sum()), int((sums < sizes).sum()))
    # what few clusters with a hit show of their likeness is little: lean to the worst there is
    effect += max(0.0, worst_effect(sizes) - effect) * _LEANING / (_LEANING + hit)
    worth = n / effect * (Z95 / t95(degrees) * Z95 / reach) ** 2
    low, high = (clopper_pearson if exact else wilson)(rate * worth, worth)
    return Estimate(rate, min(low, rate), max(high, rate), n, k)


def mean(values: ArrayLike, clusters: ArrayLike) -> Estimate | None:
    """The mean of a value; NaN is left out.

    Returns:
        The estimate, with an interval without ends (infinite) where there is a single cluster; None
        where nothing is left.
    """
    data, _ = _known(values, clusters)
    return ratio(values, np.ones(np.shape(np.asarray(values))), clusters) if len(data) else None


def ratio(above: ArrayLike, below: ArrayLike, clusters: ArrayLike) -> Estimate | None:
    """The sum of one value over the sum of another, such as cached tokens over all tokens.

    Args:
        above: The numerator of each trace; a trace with NaN in either is left out.
        below: Its denominator, not negative.
        clusters: The cluster of each.

    Returns:
        The estimate, with an interval without ends (infinite) where there is a single cluster; None
        where the denominators sum to nothing.
    """
    over, under = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    kept = ~(np.isnan(over) | np.isnan(under))
    groups = np.asarray(clusters)[kept]
    member, k = members(groups)
    sums, sizes = sum_by(member, over[kept], k), sum_by(member, under[kept], k)
    total, n = float(sizes.sum()), int(kept.sum())
    if total <= 0:
        return None
    middle = float(sums.sum()) / total
    if k == 1:
        return Estimate(middle, -math.inf, math.inf, n, k)
    spread = over[kept] - middle * under[kept]
    plain = dot(spread, spread) / total**2
    square, degrees = variance(middle, plain, sums, sizes, sum_by(member, np.ones(n), k))
    low, high = leaning(math.sqrt(square), t95(degrees), sums - middle * sizes)
    return Estimate(middle, middle + low, middle + high, n, k)


def quantile(values: ArrayLike, at: float, clusters: ArrayLike) -> Estimate | None:
    """A quantile of a value, such as the 95th percentile for ``at=0.95``; NaN is left out.

    Returns:
        The estimate; an end is infinite where too few values lie beyond the quantile to bound it:
        the upper end of a 95th percentile needs about 75 independent values. None where nothing is
        left.
    """
    data, groups = _known(values, clusters)
    if not len(data):
        return None
    value = float(np.quantile(data, at))
    sums, sizes = _by_cluster(data <= value, groups)
    n, k = len(data), len(sizes)
    if k == 1:
        return Estimate(value, -math.inf, math.inf, n, k)
    rate = float(sums.sum()) / n
    effect, degrees = design_effect(rate, rate * (1 - rate) / n, sums, sizes)
    half = t95(degrees) * math.sqrt(effect * at * (1 - at) / n)
    below, above = at - half, at + half
    low = float(np.quantile(data, below, method="lower")) if below > 0 else -math.inf
    high = float(np.quantile(data, above, method="higher")) if above < 1 else math.inf
    return Estimate(value, min(low, value), max(high, value), n, k)


def slope(y: ArrayLike, x: ArrayLike, clusters: ArrayLike) -> Estimate | None:
    """The least-squares slope of y on x, with the sandwich variance by cluster (Liang, Zeger 1986).

    Returns:
        The estimate, in units of y for one of x; None where x doesn't vary or fewer than three
        clusters are there.
    """
    ys, xs = np.asarray(y, dtype=np.float64), np.asarray(x, dtype=np.float64)
    kept = ~(np.isnan(ys) | np.isnan(xs))
    ys, xs, groups = ys[kept], xs[kept], np.asarray(clusters)[kept]
    member, k = members(groups)
    if k < 3:
        return None
    centred = xs - xs.mean()
    spread = dot(centred, centred)
    if spread <= 0:
        return None
    value = dot(centred, ys) / spread
    residual = ys - ys.mean() - value * centred
    scores = sum_by(member, centred * residual, k)
    error = math.sqrt(k / (k - 1) * dot(scores, scores)) / spread
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


def _known(values: ArrayLike, clusters: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    data = np.asarray(values, dtype=np.float64)
    groups = np.asarray(clusters)
    if len(data) != len(groups):
        raise ValueError("values and clusters differ in number")
    kept = ~np.isnan(data)
    return data[kept], groups[kept]


def _by_cluster(
    values: ArrayLike, clusters: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum and size of each cluster, values without NaN."""
    data, groups = _known(values, clusters)
    member, k = members(groups)
    return sum_by(member, data, k), sum_by(member, np.ones(len(data)), k)
