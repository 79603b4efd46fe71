"""A judge's scores put right by human labels: prediction-powered inference.

The judge scores every case, people label some of them drawn at random. The labels alone give an
unbiased answer; the judge only makes it narrower, by as much as it agrees with them (Angelopoulos,
Duchi and Zrnic 2023, *PPI++*, whose power tuning is used here). However biased the judge is, even
differently for each arm, the interval holds.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.stats.clustered import Estimate, t95

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

ENOUGH_LABELS = 20
"""Under this many labels nothing is said."""


def predicted_mean(judged: ArrayLike, labels: ArrayLike) -> Estimate | None:
    """The mean of what people would say of all cases, with a 95% interval.

    For the difference of two arms on the same cases give differences: of the judge's scores, and
    of the labels.

    Args:
        judged: The judge's score of every case.
        labels: The label of each, NaN where nobody labelled it; which were labelled must have been
            drawn at random.

    Returns:
        The estimate; None under 20 labels.
    """
    scores, human = np.asarray(judged, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    there = ~np.isnan(human)
    n, rest = int(there.sum()), scores[~there]
    if n < ENOUGH_LABELS:
        return None
    seen, said = scores[there], human[there]
    weight = _weight(seen, said, rest)
    value = float(
        said.mean() + weight * ((rest.mean() if len(rest) else seen.mean()) - seen.mean())
    )
    variance = float(np.var(said - weight * seen, ddof=1)) / n
    if len(rest) > 1:
        variance += weight**2 * float(np.var(rest, ddof=1)) / len(rest)
    half = t95(n - 1) * math.sqrt(variance + 0.25 / n**2)  # never empty where all labels agree
    return Estimate(value, value - half, value + half, len(scores), n)


def _weight(seen: ArrayLike, said: ArrayLike, rest: ArrayLike) -> float:
    """How far to trust the judge: the weight with the least variance, between 0 and 1."""
    seen, said, rest = (np.asarray(each, dtype=np.float64) for each in (seen, said, rest))
    spread = float(np.var(seen, ddof=1))
    if spread <= 0 or len(rest) < 2:
        return 0.0
    together = float(np.cov(said, seen, ddof=1)[0, 1])
    return min(1.0, max(0.0, together / (spread * (1 + len(seen) / len(rest)))))
