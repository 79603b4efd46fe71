"""A judge's scores put right by human labels: prediction-powered inference.

The judge scores every case, people label some of them drawn at random. The labels alone give an
unbiased answer; the judge only makes it narrower, by as much as it agrees with them (Angelopoulos,
Duchi and Zrnic 2023, *PPI++*, whose power tuning is used here). The interval leans with the skew,
as that of a mean does (Hall 1992): a good judge's errors are few and on one side. However biased
the judge is, even differently for each arm, the interval holds. docs/accuracy.md says how often.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.stats.clustered import Estimate, t95
from tuneworthy.stats.design import dot, leaning, members, sum_by

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

ENOUGH_LABELS = 20
"""Under this many labels, or labelled conversations, nothing is said."""
_CELLS = np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0]])
"""Labels that are added for a mean, and where between its least and most the judge puts each."""
_WINS = np.array([[-1.0, 1.0], [math.nan, math.nan]])
"""For a difference; of these the judge knows nothing."""


def predicted_mean(
    judged: ArrayLike, labels: ArrayLike, clusters: ArrayLike | None = None
) -> Estimate | None:
    """The mean of what people would say of all cases, with a 95% interval.

    Four labels are added before the variance is taken, two at either end of the scale, with which
    the judge agrees half of the time (after Agresti and Coull 1998): neither labels that are all
    alike nor a judge who agrees with all of them make certain.

    Args:
        judged: The judge's score of every case, between 0 and 1.
        labels: The label of each, between 0 and 1, NaN where nobody labelled it; which were
            labelled must have been drawn at random.
        clusters: The conversation of each case; every case its own if left out.

    Returns:
        The estimate, whose ``clusters`` are the conversations with a label; None under 20 of them.
    """
    return _estimate(judged, labels, clusters, _CELLS)


def predicted_difference(
    judged: tuple[ArrayLike, ArrayLike],
    labels: tuple[ArrayLike, ArrayLike],
    clusters: ArrayLike | None = None,
) -> Estimate | None:
    """How much better people would find the first of two arms on the same cases.

    One label is added that each arm wins, as for a paired difference.

    Args:
        judged: The judge's scores of every case, for either arm.
        labels: The labels, NaN where nobody labelled; a case counts as labelled where both arms
            are, and which are must have been drawn at random.
        clusters: The conversation of each case; every case its own if left out.

    Returns:
        First less second; None under 20 labelled conversations.
    """
    apart = [np.subtract(*(np.asarray(each, dtype=np.float64) for each in of))
             for of in (judged, labels)]  # fmt: skip
    return _estimate(apart[0], apart[1], clusters, _WINS)


def _estimate(
    judged: ArrayLike, labels: ArrayLike, clusters: ArrayLike | None, cells: NDArray[np.float64]
) -> Estimate | None:
    scores, human = np.asarray(judged, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    there = ~np.isnan(human)
    groups = np.arange(len(scores)) if clusters is None else np.asarray(clusters)
    labelled = len(np.unique(groups[there]))
    if labelled < ENOUGH_LABELS:
        return None
    seen, said, rest = scores[there], human[there], scores[~there]
    weight = _weight(seen, said, rest)
    others = float(rest.mean()) if len(rest) else float(seen.mean())
    value = float(said.mean()) + weight * (others - float(seen.mean()))
    # what each case adds to the error, the added labels as conversations of their own
    judge = np.where(np.isnan(cells[1]), others, scores.min() + cells[1] * np.ptp(scores))
    added = cells[0] - weight * (judge - others)
    right = np.concatenate([said - weight * (seen - others), added])
    centre = float(right.mean())
    error = np.empty(len(scores))
    error[there] = (right[: len(said)] - centre) / len(right)
    error[~there] = weight * (rest - others) / max(1, len(rest))
    member, k = members(groups)
    parts = np.concatenate([sum_by(member, error, k), (added - centre) / len(right)])
    spread = math.sqrt(dot(parts, parts) * labelled / (labelled - 1))
    below, above = leaning(spread, t95(labelled - 1), parts)
    least, most = float(cells[0].min()), float(cells[0].max())
    value = min(most, max(least, value))
    low, high = max(least, centre + below), min(most, centre + above)
    return Estimate(value, min(low, value), max(high, value), len(scores), labelled)


def _weight(
    seen: NDArray[np.float64], said: NDArray[np.float64], rest: NDArray[np.float64]
) -> float:
    """How far to trust the judge: the weight with the least variance, between 0 and 1."""
    spread = float(np.var(seen, ddof=1))
    if spread <= 0 or len(rest) < 2:
        return 0.0
    together = float(np.cov(said, seen, ddof=1)[0, 1])
    return min(1.0, max(0.0, together / (spread * (1 + len(seen) / len(rest)))))
