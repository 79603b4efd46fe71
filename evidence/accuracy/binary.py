"""What the accuracy scripts of two-way detectors share: curves, thresholds, a small fit, tables."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
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
    return float((positive * (below + negative / 2)).sum() / positive.sum() / negative.sum())


def balanced(said: Floats, truth: Floats, weights: Floats) -> float:
    """The mean of the shares of true and of false cases that are told rightly; cases weighted."""
    hit = float((weights * truth * said).sum() / (weights * truth).sum())
    spared = float((weights * (1 - truth) * (1 - said)).sum() / (weights * (1 - truth)).sum())
    return (hit + spared) / 2


def best_threshold(scores: Floats, truth: Floats) -> float:
    """The threshold with the best balanced accuracy; the middle one where several have it."""
    ones = np.ones(len(scores))
    values = np.unique(scores)
    middles = (values[1:] + values[:-1]) / 2
    got = np.array([balanced((scores >= each) * 1.0, truth, ones) for each in middles])
    best = middles[got >= got.max() - 1e-12]
    return float(best[len(best) // 2])


def fit(columns: Floats, truth: Floats, ridge: float = 1.0) -> tuple[float, ...]:
    """A ridge logistic model by Newton's method, on standardised columns.

    Returns:
        The constant and one weight a column, for the columns as they are.
    """
    middle, spread = columns.mean(0), columns.std(0) + 1e-9
    design = np.c_[np.ones(len(columns)), (columns - middle) / spread]
    weights = np.zeros(design.shape[1])
    penalty = np.diag([0.0, *[ridge] * columns.shape[1]])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-design @ weights))
        curvature = design.T @ (design * (chance * (1 - chance))[:, None]) + penalty
        weights += np.linalg.solve(curvature, design.T @ (truth - chance) - penalty @ weights)
    scaled = weights[1:] / spread
    return (float(weights[0] - scaled @ middle), *map(float, scaled))


def redrawn(clusters: Sequence[str], draws: int, seed: int) -> Floats:
    """Weights of the cases under drawing whole clusters with replacement: (draws × cases)."""
    names, member = np.unique(np.array(clusters), return_inverse=True)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    return drawn[:, member].astype(np.float64)


def between(values: Floats) -> str:
    """The 95% percentile interval of redrawn values, as text."""
    low, high = np.percentile(values, (2.5, 97.5))
    return f"{low:.3f} to {high:.3f}"
