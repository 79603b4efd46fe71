"""The gain from more examples: a rectified power law with an interval.

The law is by Lin and others 2024, "Selecting Large Language Model to Fine-tune via Rectified
Scaling Law". A loss falls from a start, its value without examples, to an end, which no number of
examples lowers. At ``n`` examples, ``1 / (1 + (n / m)**β)`` of the way from start to end is left.

Two things are unknown. First, which loss follows the law. It may be the share of wrong answers, or
the mistakes in an answer: then an answer is right with ``exp(-mistakes)``, and the share of right
ones may jump from zero (Schaeffer and others 2023, "Are Emergent Abilities of Large Language Models
a Mirage?"). Second, from how many examples on a model keeps the required form, without which no
answer is right.

Few sizes leave many such curves possible, so some are drawn from all of them. A curve that fits
better is drawn more often. The end is drawn from 0 to 1 (Jeffreys' prior of a share: many tasks end
near one of the two). The start is drawn from zero to twice the end, as more examples may also do
harm (Viering and Loog 2023, "The Shape of Learning Curves"). The middle ``m`` and the size for the
form are drawn from any number up to two doublings of the largest size that was tried. Nothing is
said beyond that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from tuneworthy.model.base import Unknown
from tuneworthy.model.pilot import CurveAt, ExamplesNeeded, LearningCurve, Outlook
from tuneworthy.stats.clustered import floats, members, sum_by

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from tuneworthy.stats.clustered import Floats, Ints


FEWEST_SIZES = 3  #: Sizes of training sets that a curve is drawn through.
AHEAD = 2  #: Doublings beyond the largest size that anything is said about.
DRAWS = 2_000
_TRIED = 40_000
_EXPONENTS = (0.1, 4.0)
_FALLS = 0.5  # the steepest fall of a score; one more example can't take away much
# an untuned answer has at most so many times the mistakes of the best; more can't be seen
_MISTAKES = 10.0
# standard error of a score that no number of cases goes below: seeds differ
_LEAST = 1e-3
_UNSEEN = 2  # degrees of freedom of a variance of seeds that nothing shows: three seeds of one size


@dataclass(frozen=True, slots=True)
class Drawn:
    """Possible curves, one for each draw."""

    start: Floats  #: The share of right answers without examples, and with any number of them.
    end: Floats
    middle: Floats  #: Examples at which half of the way is left.
    exponent: Floats
    #: Whether it is mistakes that go that way, or wrong answers.
    mistakes: NDArray[np.bool_]
    formed: Floats  #: Examples from which on every answer has its form.
    before: Floats  #: The share that has it with fewer.
    chance: Floats  #: The fluctuation that a pilot's seeds add to the score of a size.

    def score(self, size: float) -> Floats:
        """The share of right answers at a number of examples, for each draw."""
        left = 1 / (1 + (size / self.middle) ** self.exponent)
        many = self.end ** (1 - left) * self.start**left
        right = np.where(self.mistakes, many, self.end + (self.start - self.end) * left)
        return right * np.where(size < self.formed, self.before, 1.0)

    def pilot_score(self, size: float) -> Floats:
        """The score that a pilot would measure at a number of examples, for each draw."""
        return np.clip(self.score(size) + self.chance, 0.0, 1.0)

    def needed(self, target: float) -> Floats:
        """The examples at which each curve reaches a share of right answers; infinite for never."""
        early = self._reached(max(target, 1e-9) / self.before)
        late = np.maximum(
            self.formed, self._reached(np.full_like(early, max(target, 1e-9)))
        )
        return np.where(early < self.formed, early, late)

    def _reached(self, goal: Floats) -> Floats:
        """The examples at which the curve reaches a goal; infinite where it never does."""
        start = self.start
        end = self.end
        with np.errstate(divide="ignore", invalid="ignore"):
            many = np.log(end / goal) / np.log(end / start)
            left = np.where(self.mistakes, many, (end - goal) / (end - start))
            examples = self.middle * (1 / left - 1) ** (1 / self.exponent)
        # a curve that falls below the goal doesn't come back
        examples = np.where(goal < end, examples, np.inf)
        return np.where(goal <= np.minimum(start, end), 0.0, examples)


def drawn(
    sizes: Sequence[int], scores: Sequence[ArrayLike], clusters: ArrayLike
) -> Drawn:
    """Curves through three or more sizes, which are rising numbers of examples.

    ``scores`` has an array for each size: a row for each seed, a column for each case. A score may
    be NaN, but not all of a row. ``clusters`` are conversations of the cases, as whole numbers.
    """
    rng = np.random.default_rng(0)
    mean, spread, apart = _measure_sizes(
        [floats(table) for table in scores], np.asarray(clusters), rng
    )
    limit = max(sizes) * 2**AHEAD
    middle = limit ** rng.random(_TRIED)
    formed = limit ** rng.uniform(-1, 1, _TRIED)
    before = np.exp(-_MISTAKES * rng.random(_TRIED))
    chance, noise = rng.standard_normal((2, _TRIED))
    least, most = map(math.log, _EXPONENTS)
    exponent = np.exp(rng.uniform(least, most, _TRIED))
    mistakes = rng.random(_TRIED) < 0.5
    start = rng.random(_TRIED)
    start = np.where(mistakes, np.exp(-_MISTAKES * start), 2 * start)
    exponent = np.where(start > 1, np.minimum(exponent, _FALLS), exponent)
    chance = chance * np.sqrt(apart)
    tried = Drawn(
        start, np.ones(_TRIED), middle, exponent, mistakes, formed, before, chance
    )
    # each curve is drawn through a likely score of the largest size
    shape = np.column_stack([tried.score(n) for n in sizes])
    error = np.sqrt(spread[-1, -1] + apart)
    end = np.maximum(mean[-1] + noise * error, 0.0) / shape[:, -1]
    variance, axes = np.linalg.eigh(spread)
    variance = np.maximum(variance, 0.0) + apart[:, None]
    off = (end[:, None] * shape - mean) @ axes
    fit = -(off**2 / variance + np.log(variance)).sum(axis=1) / 2
    fit += noise**2 / 2 + np.log(error / shape[:, -1])
    fit -= np.log(np.maximum(end * (1 - end), _LEAST)) / 2
    fit[(end <= 0) | (end > 1) | (start * end > 1)] = -np.inf
    weight = np.exp(fit - fit.max())
    taken = rng.choice(_TRIED, DRAWS, p=weight / weight.sum())
    tried = replace(tried, start=start * end, end=end)
    return Drawn(*(getattr(tried, field.name)[taken] for field in fields(Drawn)))


def _measure_sizes(
    scores: Sequence[Floats], clusters: Ints, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """Mean scores by size, their covariance by conversations, and draws of the variation of runs.

    Scores that were never right, or always, aren't certain to stay so. So half a conversation of
    each kind is added (Jeffreys' prior), half of which is the same at all sizes. The variance of
    seeds is pooled over all sizes, as three seeds of one size show hardly any, and it is only as
    certain as these are many. Where no size has two seeds, each answer of a run may vary by itself,
    and no more is known.
    """
    member, count = members(clusters)
    means = []
    offs = []
    joined = []
    spreads = []
    alone = []
    for table in scores:
        seen = (~np.isnan(table)).sum(axis=0)
        there = seen > 0
        mean = np.nansum(table, axis=0) / np.maximum(seen, 1)
        sums = sum_by(member, mean, count)
        known = sum_by(member, there.astype(np.float64), count)
        average = known.sum() / np.count_nonzero(known)
        share = (sums.sum() + average / 2) / (known.sum() + average)
        total = known.sum() + average
        means.append(share)
        offs.append((sums - share * known) / total)
        joined.append(np.sqrt(0.5) * average * np.array([1 - share, share]) / total)
        alone.append(
            float((mean * (1 - mean))[there].mean()) / len(table) / there.sum()
        )
        if len(table) > 1:
            spreads.append(np.nanmean(table, axis=1).var(ddof=1) / len(table))
    off = np.column_stack(offs)
    join = np.column_stack(joined)
    shared = join.T @ join
    spread = off.T @ off + (shared + np.diag(np.diag(shared))) / 2
    apart = np.full(_TRIED, np.mean(spreads or alone))
    degrees = sum(len(table) - 1 for table in scores) or _UNSEEN
    apart *= degrees / rng.chisquare(degrees, _TRIED)
    return np.array(means), spread, apart + _LEAST**2


def learning_curve(
    sizes: Sequence[int],
    scores: Sequence[ArrayLike],
    clusters: ArrayLike,
    *,
    margin: float,
    target: float | None,
) -> LearningCurve:
    """The curve of a pilot: measured sizes, two doublings ahead, and the examples for the target.

    Arguments are those of ``drawn``. The curve is called flat where one more doubling gains less
    than ``margin``. ``target`` is the required share of right answers.
    """
    means = [float(np.nanmean(floats(table))) for table in scores]
    if len(sizes) < FEWEST_SIZES:
        ask = f"train on {FEWEST_SIZES} sizes or more"
        pairs = zip(sizes, means, strict=True)
        few = tuple(CurveAt(examples=n, value=m, low=0, high=1) for n, m in pairs)
        return LearningCurve(points=few, outlook="unknown", needed=Unknown(ask=ask))
    curves = drawn(sizes, scores, clusters)
    most = max(sizes)
    measured = [
        _curve_point(curves, size, mean)
        for size, mean in zip(sizes, means, strict=True)
    ]
    ahead = [
        _curve_point(curves, most * 2**doublings, None)
        for doublings in range(1, AHEAD + 1)
    ]
    gains = curves.score(2 * most) - curves.score(most)
    least_gain, most_gain = np.percentile(gains, (2.5, 97.5)).tolist()
    outlook: Outlook = "unclear"
    if most_gain < margin:
        outlook = "flat"
    elif least_gain > 0:
        outlook = "rising"
    reach = Unknown(ask="state a target: targets.quality")
    return LearningCurve(
        points=(*measured, *ahead),
        gain=(least_gain, most_gain),
        outlook=outlook,
        needed=reach if target is None else needed(curves, target, most),
    )


def _curve_point(curves: Drawn, size: int, measured: float | None) -> CurveAt:
    """The curve at one size; ``measured`` is the mean score there."""
    drawn_scores = (
        curves.score(size) if measured is not None else curves.pilot_score(size)
    )
    low, middle, high = (
        float(end) for end in np.percentile(drawn_scores, (2.5, 50, 97.5))
    )
    value = middle if measured is None else measured
    return CurveAt(
        examples=size,
        value=value,
        low=min(low, value),
        high=max(high, value),
        ahead=measured is None,
    )


def needed(curves: Drawn, target: float, most: int) -> ExamplesNeeded:
    """The examples that would reach a target; beyond two doublings, only that it takes more."""
    examples = curves.needed(target)
    limit = most * 2**AHEAD
    if np.isinf(examples).mean() >= 0.975:
        return ExamplesNeeded(low="never", high="never", limit=limit)
    low, high = np.percentile(examples, (2.5, 97.5), method="nearest")

    def round_up(examples: float) -> int | Literal["more"]:
        return "more" if examples > limit else max(1, math.ceil(examples))

    return ExamplesNeeded(low=round_up(low), high=round_up(high), limit=limit)
