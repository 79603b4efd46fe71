"""Several arms on the same cases: intervals that hold for all of them at once.

The best of many is the one that was luckiest too, so its own 95% interval lies too high. Intervals
that hold for all arms together hold for the one that was picked (max-T).
For the best against the next it is different: picking the two brings them closer, so a plain lower
end is safe (Gutmann and Maymin 1987), and only the upper end has to hold for all pairs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.stats.clustered import Estimate, mean, share, t95
from tuneworthy.stats.intervals import Z80, Z95

if TYPE_CHECKING:
    from numpy.typing import NDArray

DRAWS = 20_000
_MOST_PAIRED = 20
_FARTHEST = 10**9


@dataclass(frozen=True, slots=True)
class Quantiles:
    """How many standard errors an interval reaches, so that all hold at once."""

    arms: float
    pairs: float


def quantiles(scores: NDArray[np.float64], rng: np.random.Generator) -> Quantiles:
    """The reach of intervals that hold for all arms, and for all pairs of arms, with 95%.

    The 95% quantile of the largest of normal deviations that correlate as the arms do over the
    cases (Hothorn, Bretz and Westfall 2008), where every arm has every case, for up to 20 arms;
    else Bonferroni's, which is wider.

    Args:
        scores: One row a case, one column an arm; NaN where an arm lacks the case.
        rng: The source of chance.

    Returns:
        Both, never less than the normal quantile for one interval.
    """
    cases, arms = scores.shape
    pairs = arms * (arms - 1) // 2
    if np.isnan(scores).any() or arms > _MOST_PAIRED or cases < 3:
        return Quantiles(*(_bonferroni(each) for each in (arms, max(pairs, 1))))
    together = np.atleast_2d(np.cov(scores, rowvar=False))
    drawn = rng.multivariate_normal(np.zeros(arms), together, size=DRAWS, method="eigh")
    left, right = np.triu_indices(arms, 1)
    apart = together[left, left] + together[right, right] - 2 * together[left, right]
    return Quantiles(
        _reach(drawn, np.diag(together)), _reach(drawn[:, left] - drawn[:, right], apart)
    )


def arm_estimate(
    scores: NDArray[np.float64], cases: NDArray[np.int64], reach: float, *, as_share: bool
) -> tuple[Estimate, float, float]:
    """An arm's mean score, with the interval of its own and the end of the one for all at once.

    Wilson's interval for shares; the mean and its standard error otherwise. Cases are clusters.

    Args:
        scores: A score a run; at least one.
        cases: The case of each.
        reach: Standard errors that an interval for all reaches.
        as_share: Whether all scores lie within 0 and 1.

    Returns:
        The estimate, and low and high of all; infinite ends for a single case that is no share.
    """
    one = share(scores, cases) if as_share else mean(scores, cases)
    assert one is not None  # every arm has a case
    if as_share:
        wide = share(scores, cases, reach=reach)
        assert wide is not None
        return one, min(wide.low, one.low), max(wide.high, one.high)
    wider = reach / Z95
    return (
        one,
        one.value - (one.value - one.low) * wider,
        one.value + (one.high - one.value) * wider,
    )


def paired(
    first: NDArray[np.float64], second: NDArray[np.float64], reach: float = Z95
) -> tuple[Estimate, int | None] | None:
    """The mean difference on the cases that both arms have, and the cases that would settle it.

    Args:
        first: Scores of the best, by case; NaN where it lacks the case.
        second: Scores of the next.
        reach: Standard errors that the upper end reaches; the lower end reaches those of one
            interval, by the quantile of Student's t.

    Returns:
        The estimate and the shared cases at which its lower end would lie above zero with 80% power
        if difference and spread stay; None for those where the first isn't ahead, or by so little
        that no test would ever be that long. None for all with under two shared cases.
    """
    apart = (first - second)[~np.isnan(first - second)]
    n = len(apart)
    if n < 2:
        return None
    value, spread = float(apart.mean()), float(apart.std(ddof=1))
    error = t95(n - 1) * spread / math.sqrt(n)
    estimate = Estimate(value, value - error, value + error * reach / Z95, n, n)
    if value <= 0 or (Z95 + Z80) * spread >= math.sqrt(_FARTHEST) * value:
        return estimate, None
    return estimate, max(2, math.ceil(((Z95 + Z80) * spread / value) ** 2))


def _bonferroni(intervals: int) -> float:
    return NormalDist().inv_cdf(1 - 0.025 / intervals)


def _reach(drawn: NDArray[np.float64], variance: NDArray[np.float64]) -> float:
    """The 95% quantile of the largest deviation in standard errors."""
    moving = variance > 1e-12
    if not moving.any():
        return Z95
    largest = np.abs(drawn[:, moving] / np.sqrt(variance[moving])).max(axis=1)
    return max(Z95, float(np.quantile(largest, 0.95)))
