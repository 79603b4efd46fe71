"""How much of a time one cause explains, beside another and within groups."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.stats.clustered import Estimate
from tuneworthy.stats.design import members, sum_by, t95

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_VARIATION = 0.05
"""Standard deviation over mean of the cause, under which its slope can't be told."""

_ROUNDS = 3
_FAR = 0.99
_FLOOR = 0.1


def explained_share(
    time: NDArray[np.float64],
    cause: NDArray[np.float64],
    other: NDArray[np.float64],
    group: NDArray[np.int64],
    clusters: NDArray[np.int64],
) -> Estimate | None:
    """The share of the mean time that a cause explains: its slope times its mean, over that mean.

    Least squares of the time on cause and other, with a level of its own for each group. Weights
    are one over the squared fit, because times scatter in proportion to themselves; times beyond
    the 99th percentile of time over fit are drawn in to it, so that a few calls that hung don't
    decide. The variance is that of the influence of each cluster (Huber 1967; Liang and Zeger
    1986).

    Args:
        time: A time each, above or at 0; NaN is left out, here and below.
        cause: What may explain it, such as input tokens.
        other: What is held fixed, such as output tokens.
        group: Groups that differ in level, such as models; -1 is one of them.
        clusters: Cases that are not independent.

    Returns:
        The share, as it comes: noise can take it below 0 or above 1. None where fewer than four
        clusters are there, where all times are 0, or where the cause varies within its groups by
        less than ``LEAST_VARIATION`` of its mean once the other is taken out.
    """
    kept = np.isfinite(time) & np.isfinite(cause) & np.isfinite(other)
    y, x, z = time[kept], cause[kept], other[kept]
    if not len(y) or y.sum() <= 0 or x.mean() <= 0:
        return None
    _, level = np.unique(group[kept], return_inverse=True)
    member, k = members(clusters[kept])
    own = _within(x, level, np.ones(len(x)))
    aside = _within(z, level, np.ones(len(z)))
    own = own - aside * _slope(own, aside)
    if k < 4 or own.std() < LEAST_VARIATION * x.mean():
        return None
    y, weight, slope = _fit(y, x, z, level)
    columns = np.column_stack([_within(x, level, weight), _within(z, level, weight)])
    left = _within(y, level, weight) - columns @ slope
    inner = np.linalg.pinv(columns.T @ (columns * weight[:, None]))
    leverage = sum_by(member, ((columns @ inner) * columns).sum(axis=1) * weight, k)
    pull = inner[0] @ (columns * (weight * left)[:, None]).T
    pull /= 1 - np.minimum(leverage, 0.9)[member]  # as if the cluster had been left out
    middle_x, middle_y, n = float(x.mean()), float(y.mean()), len(y)
    value = float(slope[0]) * middle_x / middle_y
    influence = pull * middle_x / middle_y
    influence = influence + float(slope[0]) * (x - middle_x) / (middle_y * n)
    influence = influence - value * (y - middle_y) / (middle_y * n)
    each = sum_by(member, influence, k)
    half = t95(k - 3) * math.sqrt(k / (k - 1) * float(each @ each))
    return Estimate(value, value - half, value + half, n, k)


def _fit(
    y: NDArray[np.float64], x: NDArray[np.float64], z: NDArray[np.float64], level: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Times drawn in, weights and the two slopes."""
    weight, drawn = np.ones(len(y)), y
    slope = np.zeros(2)
    for _ in range(_ROUNDS):
        columns = np.column_stack([_within(x, level, weight), _within(z, level, weight)])
        inner = columns.T @ (columns * weight[:, None])
        slope = np.linalg.pinv(inner) @ (columns.T @ (weight * _within(drawn, level, weight)))
        ahead = np.column_stack([x, z]) @ slope
        fitted = ahead + _means(drawn - ahead, level, weight)[level]
        fitted = np.maximum(fitted, _FLOOR * float(y.mean()))
        drawn = np.minimum(y, fitted * float(np.quantile(y / fitted, _FAR)))
        weight = (float(y.mean()) / fitted) ** 2
    return drawn, weight, slope


def _means(
    values: NDArray[np.float64], level: NDArray[np.int64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.bincount(level, weights=values * weight) / np.bincount(level, weights=weight)


def _within(
    values: NDArray[np.float64], level: NDArray[np.int64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Values less the weighted mean of their group."""
    return values - _means(values, level, weight)[level]


def _slope(y: NDArray[np.float64], x: NDArray[np.float64]) -> float:
    spread = float(x @ x)
    return float(x @ y) / spread if spread > 0 else 0.0
