"""Shares among things that only a detector with known errors tells apart."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.stats.clustered import Estimate, share, t95

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Ends = tuple[float, float]

CERTAIN: Ends = (1.0, 1.0)
"""Sensitivity or specificity of what needs no detector: a label."""


def share_given(
    hits: ArrayLike, flags: ArrayLike, clusters: ArrayLike, sensitivity: Ends, specificity: Ends
) -> Estimate | None:
    """The share of hits among what a detector flags, freed of what it flags wrongly.

    With sensitivity s and specificity c, ``(flag - (1 - c)) / (s + c - 1)`` is right on average
    for what is flagged, whether it is a hit or not (Rogan and Gladen 1978, for each trace); the
    share is the ratio of two sums of it, with a variance linearised over clusters (Cochran 1977,
    chapter 9A). It takes for granted that the detector errs as often on hits as on others.

    Args:
        hits: 1 for a hit, 0 for none.
        flags: 1 where the detector says so, 0 elsewhere.
        clusters: The cluster of each.
        sensitivity: Interval of the share of real ones that are flagged; (1, 1) for a label.
        specificity: Interval of the share of others that are not.

    Returns:
        The share with an interval that holds those at all ends of the two, and that of the flagged
        alone; ``n`` is the number flagged. (0, 1) where the detector may be no better than chance
        or may have flagged nothing real. None where nothing is flagged.
    """
    hit, flag = np.asarray(hits, dtype=np.float64), np.asarray(flags, dtype=np.float64)
    groups = np.asarray(clusters)
    seen = share(hit[flag > 0], groups[flag > 0])
    if seen is None or (sensitivity == CERTAIN == specificity):
        return seen
    found: list[tuple[float, float, float]] = []
    middle = (sum(sensitivity) / 2, sum(specificity) / 2)
    for s, c in (middle, *product(sensitivity, specificity)):
        at = _ratio(hit, (flag - (1 - c)) / (s + c - 1), groups) if s + c > 1 else None
        if at is None:
            return Estimate(seen.value, 0.0, 1.0, seen.n, seen.clusters)
        found.append(at)
    value = found[0][0]
    low = min(seen.low, *(each[1] for each in found))
    high = max(seen.high, *(each[2] for each in found))
    return Estimate(value, low, high, seen.n, seen.clusters)


def _ratio(
    hit: NDArray[np.float64], weight: NDArray[np.float64], groups: NDArray[np.int64]
) -> tuple[float, float, float] | None:
    """The weighted share with its ends, within 0 and 1; None for weights that sum to nothing."""
    total = float(weight.sum())
    _, member = np.unique(groups, return_inverse=True)
    k = int(member.max()) + 1
    if total <= 0 or k < 2:
        return None
    value = float(weight @ hit) / total
    sums = np.bincount(member, weights=weight * (hit - value), minlength=k)
    half = t95(k - 1) * math.sqrt(k / (k - 1) * float(sums @ sums)) / total
    low, middle, high = np.clip((value - half, value, value + half), 0.0, 1.0).tolist()
    return middle, low, high
