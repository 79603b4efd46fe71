"""What the accuracy scripts of two-way detectors share: halves, curves and thresholds."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def half_of(name: str) -> int:
    """0 or 1 by a hash, so that cases of one name always fall into the same half."""
    return hashlib.sha256(name.encode()).digest()[-1] % 2


def auc(scores: Floats, truth: Floats, weights: Floats) -> float:
    """The chance that a true case scores above a false one, ties counted half; cases weighted."""
    order = np.argsort(scores, kind="stable")
    score, true, weight = scores[order], truth[order], weights[order]
    _, group = np.unique(score, return_inverse=True)
    positive = np.bincount(group, weights=weight * true)
    negative = np.bincount(group, weights=weight * (1 - true))
    below = np.cumsum(negative) - negative
    return float(
        (positive * (below + negative / 2)).sum() / positive.sum() / negative.sum()
    )


def balanced(said: Floats, truth: Floats, weights: Floats) -> float:
    """The mean of the shares of true and of false cases that are told rightly; cases weighted."""
    hit = float((weights * truth * said).sum() / (weights * truth).sum())
    spared = float(
        (weights * (1 - truth) * (1 - said)).sum() / (weights * (1 - truth)).sum()
    )
    return (hit + spared) / 2


def best_threshold(scores: Floats, truth: Floats) -> float:
    """The threshold with the best balanced accuracy; the middle one where several have it."""
    ones = np.ones(len(scores))
    values = np.unique(scores)
    middles = (values[1:] + values[:-1]) / 2
    got = np.array([balanced((scores >= each) * 1.0, truth, ones) for each in middles])
    best = middles[got >= got.max() - 1e-12]
    return float(best[len(best) // 2])
