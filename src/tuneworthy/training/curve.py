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
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from tuneworthy.model.base import Unknown
from tuneworthy.model.pilot import CurveAt, ExamplesNeeded, LearningCurve, Outlook
from tuneworthy.stats.clustered import floats, members, sum_by

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from tuneworthy.stats.clustered import Floats, Ints


FEWEST_SIZES = 3  #: Sizes of training sets that a curve is drawn through.
AHEAD = 2  #: Doublings beyond the largest size that anything is said about.
DRAWS = 2_000  #: Curves that are drawn, each as often as it fits well.
_TRIED = 40_000  # curves that they are drawn from
_EXPONENTS = (0.1, 4.0)  # the lowest and the highest β
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
        """Compute the share of right answers at a number of examples, for each draw."""
        left = 1 / (1 + (size / self.middle) ** self.exponent)
        # mistakes are logarithms of shares, so their mean is a product
        by_mistakes = self.end ** (1 - left) * self.start**left
        by_share = self.end + (self.start - self.end) * left
        right = np.where(self.mistakes, by_mistakes, by_share)
        return right * np.where(size < self.formed, self.before, 1.0)

    def pilot_score(self, size: float) -> Floats:
        """The score that a pilot would measure at a number of examples, for each draw."""
        return np.clip(self.score(size) + self.chance, 0.0, 1.0)

    def select(self, places: Ints) -> Drawn:
        """The draws at some places, in their order; a place may be there several times."""
        fields_of_places = {
            field.name: getattr(self, field.name)[places] for field in fields(self)
        }
        return Drawn(**fields_of_places)

    def needed(self, target: float) -> Floats:
        """Compute the examples at which each curve reaches a share; infinite for never."""
        goal = max(target, 1e-9)  # so that no logarithm is of nought
        # before answers have their form, the curve has to be higher by the share that has it
        early = self._reached(goal / self.before)
        late = np.maximum(self.formed, self._reached(np.full_like(early, goal)))
        return np.where(early < self.formed, early, late)

    def _reached(self, goal: Floats) -> Floats:
        """The examples at which the curve reaches a goal; infinite where it never does."""
        start = self.start
        end = self.end
        # a curve that doesn't move divides by nought, and is put right below
        with np.errstate(divide="ignore", invalid="ignore"):
            left_of_mistakes = np.log(end / goal) / np.log(end / start)
            left_of_share = (end - goal) / (end - start)
            left = np.where(self.mistakes, left_of_mistakes, left_of_share)
            examples = self.middle * (1 / left - 1) ** (1 / self.exponent)
        # a curve that falls below the goal doesn't come back
        examples = np.where(goal < end, examples, np.inf)
        return np.where(goal <= np.minimum(start, end), 0.0, examples)


def drawn(
    sizes: Sequence[int], scores: Sequence[ArrayLike], clusters: ArrayLike
) -> Drawn:
    """Draw curves through three or more sizes, which are rising numbers of examples.

    ``scores`` has an array for each size: a row for each seed, a column for each case. A score may
    be NaN, but not all of a row. ``clusters`` are conversations of the cases, as whole numbers.
    """
    rng = np.random.default_rng(0)
    measured = _measure_sizes(
        [floats(table) for table in scores], np.asarray(clusters), rng
    )
    tried, noise = _curves_to_try(measured, max(sizes) * 2**AHEAD, rng)
    # each curve is drawn through a likely score of the largest size: that determines its end
    shape = np.column_stack([tried.score(size) for size in sizes])
    error = np.sqrt(measured.spread[-1, -1] + measured.apart)
    end = np.maximum(measured.mean[-1] + noise * error, 0.0) / shape[:, -1]
    fit = _log_likelihood(measured, end[:, None] * shape)
    # the end was drawn around the largest size's score: weigh it as its prior does
    fit += noise**2 / 2 + np.log(error / shape[:, -1])
    fit -= np.log(np.maximum(end * (1 - end), _LEAST)) / 2
    # scores are shares
    impossible = (end <= 0) | (end > 1) | (tried.start * end > 1)
    fit[impossible] = -np.inf
    # the best fit is taken away, so that no exponential overflows
    weight = np.exp(fit - fit.max())
    taken = rng.choice(_TRIED, DRAWS, p=weight / weight.sum())
    scaled = replace(tried, start=tried.start * end, end=end)
    return scaled.select(taken)


def _curves_to_try(
    measured: _MeasuredSizes, limit: float, rng: np.random.Generator
) -> tuple[Drawn, Floats]:
    """Curves by the priors, with an end of 1 and a start that multiplies it; and normal noise.

    ``limit`` is the largest number of examples that anything is said about.
    """
    middle = limit ** rng.random(_TRIED)
    formed = limit ** rng.uniform(-1, 1, _TRIED)
    before = np.exp(-_MISTAKES * rng.random(_TRIED))
    chance, noise = rng.standard_normal((2, _TRIED))
    lowest, highest = _EXPONENTS
    exponent = np.exp(rng.uniform(math.log(lowest), math.log(highest), _TRIED))
    mistakes = rng.random(_TRIED) < 0.5
    start = rng.random(_TRIED)
    start = np.where(mistakes, np.exp(-_MISTAKES * start), 2 * start)
    falls = start > 1
    exponent = np.where(falls, np.minimum(exponent, _FALLS), exponent)
    tried = Drawn(
        start=start,
        end=np.ones(_TRIED),
        middle=middle,
        exponent=exponent,
        mistakes=mistakes,
        formed=formed,
        before=before,
        chance=chance * np.sqrt(measured.apart),
    )
    return tried, noise


def _log_likelihood(measured: _MeasuredSizes, curve_scores: Floats) -> Floats:
    """How well each curve fits the measured means: a row for each curve, a column for each size."""
    # along the axes of the covariance, the means vary independently
    variance, axes = np.linalg.eigh(measured.spread)
    variance = np.maximum(variance, 0.0) + measured.apart[:, None]
    off = (curve_scores - measured.mean) @ axes
    fit: Floats = -(off**2 / variance + np.log(variance)).sum(axis=1) / 2
    return fit


class _MeasuredSizes(NamedTuple):
    """The measured scores of the sizes, with what makes them uncertain."""

    mean: Floats  #: By size.
    spread: Floats  #: The covariance of the means by conversations: sizes by sizes.
    apart: Floats  #: Draws of the variance that seeds add to the mean of a size.


def _measure_sizes(
    scores: Sequence[Floats], clusters: Ints, rng: np.random.Generator
) -> _MeasuredSizes:
    """Measure mean scores by size, their covariance by conversations, and the variation of runs.

    Scores that were never right, or always, aren't certain to stay so. So half a conversation of
    each kind is added (Jeffreys' prior), half of which is the same at all sizes. The variance of
    seeds is pooled over all sizes, as three seeds of one size show hardly any, and it is only as
    certain as these are many. Where no size has two seeds, each answer of a run may vary by itself,
    and no more is known.
    """
    member, count = members(clusters)
    sizes = [_measure_size(table, member, count) for table in scores]
    off = np.column_stack([size.off for size in sizes])
    join = np.column_stack([size.off_added for size in sizes])
    shared = join.T @ join
    # the half that isn't the same at all sizes adds to the variances alone, on the diagonal
    spread = off.T @ off + (shared + np.diag(np.diag(shared))) / 2
    of_seeds = []
    for table in scores:
        if len(table) > 1:
            by_seed = np.nanmean(table, axis=1)
            of_seeds.append(by_seed.var(ddof=1) / len(table))
    of_answers = [size.variance_of_answers for size in sizes]
    apart = np.full(_TRIED, np.mean(of_seeds or of_answers))
    degrees = sum(len(table) - 1 for table in scores) or _UNSEEN
    # a variance of few seeds is uncertain itself, by the chi-squared distribution
    apart *= degrees / rng.chisquare(degrees, _TRIED)
    mean = np.array([size.mean for size in sizes])
    return _MeasuredSizes(mean, spread, apart + _LEAST**2)


class _MeasuredSize(NamedTuple):
    """The measured score of one size, with half an added conversation of each kind."""

    mean: float
    off: Floats  #: What each conversation adds to the error of the mean.
    #: What the added conversations do: the right one, and the wrong one.
    off_added: Floats
    variance_of_answers: float  #: Of the mean, if each answer varies by itself.


def _measure_size(table: Floats, member: Ints, count: int) -> _MeasuredSize:
    """Measure the score of one size, in a row for each seed and a column for each case.

    ``member`` is the conversation of each case, out of ``count``.
    """
    answers = (~np.isnan(table)).sum(axis=0)  # of each case, over the seeds
    has_answer = answers > 0
    # a case without an answer has 0 here, and isn't known below
    mean = np.nansum(table, axis=0) / np.maximum(answers, 1)
    right = sum_by(member, mean, count)  # of each conversation, in cases
    known = sum_by(member, has_answer.astype(np.float64), count)
    # the added conversation, half of it right, is as long as the others on average
    average = known.sum() / np.count_nonzero(known)
    total = known.sum() + average
    share = (right.sum() + average / 2) / total
    variance_of_case = float((mean * (1 - mean))[has_answer].mean())
    return _MeasuredSize(
        mean=share,
        off=(right - share * known) / total,
        off_added=np.sqrt(0.5) * average * np.array([1 - share, share]) / total,
        variance_of_answers=variance_of_case / len(table) / has_answer.sum(),
    )


def learning_curve(
    sizes: Sequence[int],
    scores: Sequence[ArrayLike],
    clusters: ArrayLike,
    *,
    margin: float,
    target: float | None,
) -> LearningCurve:
    """Compute the curve of a pilot: measured sizes, two doublings ahead, and what a target takes.

    Arguments are those of ``drawn``. The curve is called flat where one more doubling gains less
    than ``margin``. ``target`` is the required share of right answers.
    """
    means = [float(np.nanmean(floats(table))) for table in scores]
    if len(sizes) < FEWEST_SIZES:
        ask = f"train on {FEWEST_SIZES} sizes or more"
        points = [
            CurveAt(examples=size, value=mean, low=0, high=1)
            for size, mean in zip(sizes, means, strict=True)
        ]
        return LearningCurve(
            points=tuple(points), outlook="unknown", needed=Unknown(ask=ask)
        )
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
    least_gain, most_gain = np.percentile(gains, _INTERVAL).tolist()
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


_INTERVAL = (2.5, 97.5)  # percentiles: the ends of a 95% interval


def _curve_point(curves: Drawn, size: int, measured: float | None) -> CurveAt:
    """The curve at one size; ``measured`` is the mean score there, None for a size ahead."""
    # there, the interval is of the score that a pilot would measure
    if measured is None:
        scores = curves.pilot_score(size)
        value = float(np.percentile(scores, 50))
    else:
        scores = curves.score(size)
        value = measured
    low, high = np.percentile(scores, _INTERVAL).tolist()
    return CurveAt(
        examples=size,
        value=value,
        low=min(low, value),
        high=max(high, value),
        ahead=measured is None,
    )


def needed(curves: Drawn, target: float, most: int) -> ExamplesNeeded:
    """Return the examples that would reach a target; beyond two doublings, only that it takes more.

    ``most`` is the largest size that was tried.
    """
    examples = curves.needed(target)
    limit = most * 2**AHEAD
    # where even the lower end of the 95% interval is never
    if np.isinf(examples).mean() >= 0.975:
        return ExamplesNeeded(low="never", high="never", limit=limit)
    # an end is one of the draws: between a number and infinity lies nothing
    low, high = np.percentile(examples, _INTERVAL, method="nearest")

    def round_up(examples: float) -> int | Literal["more"]:
        return "more" if examples > limit else max(1, math.ceil(examples))

    return ExamplesNeeded(low=round_up(low), high=round_up(high), limit=limit)
