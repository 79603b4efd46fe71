"""What more examples would bring: a rectified power law with an interval.

The error at ``n`` examples is ``E + B / (L + n**β)``, with nothing below zero (Lin and others 2024,
"Selecting Large Language Model to Fine-tune via Rectified Scaling Law"). Seeds and conversations
are drawn again with replacement; each draw gets a curve by lot, the likelier the better it fits,
since few sizes leave many curves possible. Nothing is said beyond two doublings of what was tried.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.model.base import Unknown
from tuneworthy.model.pilot import CurveAt, ExamplesNeeded, LearningCurve, Outlook
from tuneworthy.stats.clustered import floats, members, sum_by

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

FEWEST_SIZES = 3  #: Sizes of training sets that a curve is drawn through.
AHEAD = 2  #: Doublings beyond the largest size that anything is said about.
DRAWS = 2_000
_EXPONENTS = (0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0)
_BEFORE = (0.0, 0.3, 1.0, 3.0, 10.0)  # what was learned before, in powers of the smallest size
_LEAST = 1e-3  # standard error of a score that no number of cases goes below: seeds differ


@dataclass(frozen=True, slots=True)
class Drawn:
    """Curves that may be true, one a draw."""

    floor: Floats  #: Error that no number of examples takes away.
    scale: Floats
    before: Floats
    exponent: Floats

    def score(self, size: float) -> Floats:
        """The share of right answers at a number of examples, by draw."""
        error = self.floor + self.scale / (self.before + size**self.exponent)
        return np.clip(1 - error, 0.0, 1.0)

    def needed(self, target: float) -> Floats:
        """Examples at which each reaches a share of right answers; infinite for never."""
        room = 1 - target - self.floor
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            powered = np.where(room > 0, self.scale / np.maximum(room, 1e-12) - self.before, np.inf)
            found = np.where(powered > 0, powered ** (1 / self.exponent), 0.0)
        return np.where(room > 0, found, np.inf)


def drawn(
    sizes: Sequence[int], scores: Sequence[ArrayLike], clusters: ArrayLike, *, seed: int = 0
) -> Drawn:
    """Curves through some sizes.

    Args:
        sizes: Numbers of examples, rising; three or more.
        scores: For each size a row a seed, a column a case; NaN where there is none.
        clusters: Conversations of the cases, as whole numbers.
        seed: For the draws.
    """
    rng = np.random.default_rng(seed)
    errors = 1 - _redrawn([floats(each) for each in scores], np.asarray(clusters), rng)
    spread = np.cov(errors, rowvar=False) + _LEAST**2 * np.eye(len(sizes))
    weight = np.linalg.inv(spread)
    shapes = [(e, b * min(sizes) ** e) for e in _EXPONENTS for b in _BEFORE]
    fits = [
        _fit(errors, floats(weight), 1 / (b + np.array(sizes, np.float64) ** e)) for e, b in shapes
    ]
    misfit = np.column_stack([fit[2] for fit in fits])
    lot = rng.gumbel(size=misfit.shape) - misfit / 2
    chosen, rows = lot.argmax(axis=1), np.arange(len(errors))
    floor, scale = (np.column_stack([fit[at] for fit in fits])[rows, chosen] for at in (0, 1))
    exponent, before = np.array(shapes)[chosen].T
    return Drawn(floor, scale, before, exponent)


def _redrawn(
    scores: Sequence[Floats], clusters: NDArray[np.int64], rng: np.random.Generator
) -> Floats:
    """Mean scores, a column a size, when seeds and conversations are drawn again.

    The same conversations are drawn for all sizes. Of ``k`` seeds the deviations are stretched by
    ``sqrt(k / (k - 1))``, as drawing again shows that much too little of what seeds do; the spread
    of seeds is that of all sizes together, since three seeds of one show hardly any. What was never
    right, or always, isn't certain to be: half a conversation of each kind joins (Jeffreys' prior).
    """
    member, count = members(clusters)
    weights = rng.multinomial(count, np.full(count, 1 / count), size=DRAWS).astype(np.float64)
    columns, spreads = [], []
    for table in scores:
        mean = np.nanmean(table, axis=0)
        there = ~np.isnan(mean)
        sums = sum_by(member, np.where(there, mean, 0.0), count)
        known = sum_by(member, there.astype(np.float64), count)
        right, wrong = rng.gamma(0.5, size=(2, DRAWS)) * known.sum() / np.count_nonzero(known)
        columns.append((weights @ sums + right) / (weights @ known + right + wrong))
        by_seed = np.nanmean(table, axis=1)
        spreads.append(by_seed.var(ddof=1) / len(by_seed) if len(by_seed) > 1 else math.nan)
    error = math.sqrt(float(np.nanmean(spreads))) if not np.isnan(spreads).all() else 0.0
    return np.column_stack(columns) + error * rng.standard_normal((DRAWS, len(scores)))


def _fit(errors: Floats, weight: Floats, shape: Floats) -> tuple[Floats, Floats, Floats]:
    """Floor and scale of each draw for one shape, neither below zero, and how far it misses."""
    both = np.column_stack([np.ones_like(shape), shape])
    floor, scale = np.linalg.solve(both.T @ weight @ both, both.T @ weight @ errors.T)
    flat = errors @ weight.sum(axis=1) / weight.sum()
    steep = errors @ weight @ shape / (shape @ weight @ shape)
    rising, below = scale < 0, (floor < 0) & (scale >= 0)
    floor = np.where(rising, np.maximum(flat, 0.0), np.where(below, 0.0, floor))
    scale = np.where(rising, 0.0, np.where(below, np.maximum(steep, 0.0), scale))
    off = errors - floor[:, None] - scale[:, None] * shape
    return floor, scale, np.einsum("ij,jk,ik->i", off, weight, off)


def learning_curve(
    sizes: Sequence[int],
    scores: Sequence[ArrayLike],
    clusters: ArrayLike,
    *,
    margin: float,
    target: float | None,
    seed: int = 0,
) -> LearningCurve:
    """The curve of a pilot: each size as measured, two doublings ahead, and what it would take.

    Args:
        sizes: Numbers of examples, rising.
        scores: For each size a row a seed, a column a case.
        clusters: Conversations of the cases, as whole numbers.
        margin: Gain of one more doubling under which the curve is called flat.
        target: Share of right answers that is wanted; None for none.
        seed: For the draws.
    """
    means = [float(np.nanmean(floats(each))) for each in scores]
    if len(sizes) < FEWEST_SIZES:
        ask = f"train on {FEWEST_SIZES} sizes or more"
        pairs = zip(sizes, means, strict=True)
        few = tuple(CurveAt(examples=n, value=m, low=0, high=1) for n, m in pairs)
        return LearningCurve(points=few, outlook="unknown", needed=Unknown(ask=ask))
    curves, most = drawn(sizes, scores, clusters, seed=seed), max(sizes)
    points = [_at(curves, n, mean) for n, mean in zip(sizes, means, strict=True)]
    points += [_at(curves, most * 2**step) for step in range(1, AHEAD + 1)]
    gain = np.percentile(curves.score(2 * most) - curves.score(most), (2.5, 97.5))
    outlook: Outlook = "flat" if gain[1] < margin else "rising" if gain[0] > 0 else "unclear"
    return LearningCurve(
        points=tuple(points),
        gain=(float(gain[0]), float(gain[1])),
        outlook=outlook,
        needed=Unknown(ask="state a target: targets.quality")
        if target is None
        else needed(curves, target, most),
    )


def _at(curves: Drawn, size: int, measured: float | None = None) -> CurveAt:
    """The curve at one size; ``measured`` is the mean that was seen there."""
    drawn_scores = curves.score(size)
    low, middle, high = (float(each) for each in np.percentile(drawn_scores, (2.5, 50, 97.5)))
    value = middle if measured is None else measured
    return CurveAt(
        examples=size,
        value=value,
        low=min(low, value),
        high=max(high, value),
        ahead=measured is None,
    )


def needed(curves: Drawn, target: float, most: int) -> ExamplesNeeded:
    """How many examples would reach a target; beyond two doublings only that it takes more."""
    found, limit = curves.needed(target), most * 2**AHEAD
    if (np.isinf(found)).mean() >= 0.975:
        return ExamplesNeeded(low="never", high="never", limit=limit)
    low, high = np.percentile(found, (2.5, 97.5), method="nearest")
    ends = ["more" if end > limit else max(1, math.ceil(end)) for end in (low, high)]
    return ExamplesNeeded(low=ends[0], high=ends[1], limit=limit)
