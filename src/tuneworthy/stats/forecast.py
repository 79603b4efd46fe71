"""The amount that comes in a month, its growth, and a forecast.

Counts are overdispersed (requests come in conversations, conversations in campaigns), weekdays
differ and one busy day follows another. All intervals are for the rate behind the counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tuneworthy.stats.clustered import Estimate, t95

if TYPE_CHECKING:
    from tuneworthy.stats.clustered import Floats
    from tuneworthy.stats.intervals import Ends


WEEK = 7
#: Days a level is counted on: whole weeks, so that weekdays can't tilt it.
LEVEL_DAYS = 28
_SHAPE_DAYS = 84  #: Days, at most, that show how days scatter.
_STEPS = 50  # of the regression, which ends before
_MOST_ALIKE = 0.8  # correlation of neighbours, as 1 would make every interval infinite
_LONGEST_EXPONENT = 50.0  # of a forecast, so that no count overflows


class Trend(NamedTuple):
    """An exponential trend through counts of equal periods, the last of them at time 0."""

    growth: float  #: Logarithm of the factor from one period to the next.
    error: float  #: Standard error of ``growth``.
    degrees: int  #: Degrees of freedom.
    level: float  #: Logarithm of the count expected at time 0.
    level_error: float  #: Its standard error.
    covariance: float  #: Covariance of the two.
    #: Variance of a count over its squared expectation, beyond Poisson's.
    scatter: float
    autocorrelation: float  #: Correlation of neighbouring periods.

    def interval(self, periods: float) -> tuple[float, float, float]:
        """Return the factor by which it grows in some periods: value, low and high."""
        half = t95(self.degrees) * self.error
        value = _exp(self.growth * periods)
        low = _exp((self.growth - half) * periods)
        high = _exp((self.growth + half) * periods)
        return value, low, high

    def expected(self, ahead: float, periods: float) -> tuple[float, float, float]:
        """Return the count of some periods around a future time: value, low and high.

        The 95% prediction interval combines the error of the line and the scatter of future counts
        on the log scale. It assumes that the trend goes on: no past count shows an event that would
        break it.
        """
        middle = self.level + self.growth * ahead
        count = _exp(middle) * periods
        of_line = (
            self.level_error**2 + ahead**2 * self.error**2 + 2 * ahead * self.covariance
        )
        # Poisson's variance of a count and what is beyond it, more where neighbouring periods are alike
        of_counts = 1 / max(count, 1.0) + self.scatter / periods
        of_counts *= (1 + self.autocorrelation) / (1 - self.autocorrelation)
        # a sum of squares that rounding may take below 0
        half = t95(self.degrees) * math.sqrt(max(of_line, 0.0) + of_counts)
        return count, _exp(middle - half) * periods, _exp(middle + half) * periods


def level(days: Floats, least: float) -> Estimate:
    """The amount per day at the end of a run of 28 days or more, oldest first.

    It is the mean of the last 28 days. Its variance is the scatter of the last 84 days around their
    weekdays (and around a straight trend, from 56 days on), times (1 + r) / (1 - r) for the
    correlation r of one day with the next, corrected for its bias. ``least`` is the lowest possible
    variance of a day, such as the mean count of independent arrivals. The lower end is never below
    0.
    """
    value = float(days[-LEVEL_DAYS:].mean())
    tail = days[-_SHAPE_DAYS:]
    n = len(tail)
    at = np.arange(n)
    columns = [(at % WEEK == day).astype(np.float64) for day in range(WEEK)]
    if n >= 2 * LEVEL_DAYS:  # with less data the line would follow slow ups and downs
        columns.append(at - at.mean())
    design = np.column_stack(columns)
    fitted, *_ = np.linalg.lstsq(design, tail, rcond=None)
    residual = tail - design @ fitted
    parameters = design.shape[1]
    free = n - parameters
    alike = _alike(residual, parameters)
    of_day = float(residual @ residual) / free * (1 + alike) / (1 - alike)
    variance = max(of_day, least)
    # days that are alike know the variance less well than as many independent ones
    degrees = max(3, free // 3)
    half = t95(degrees) * math.sqrt(variance / LEVEL_DAYS)
    return Estimate(value, max(0.0, value - half), value + half, LEVEL_DAYS, LEVEL_DAYS)


def trend(counts: Floats) -> Trend | None:
    """Fit an exponential trend to counts of equal periods, oldest first.

    Poisson regression by iterated weights (Nelder and Wedderburn 1972), the variance multiplied by
    the scatter around the line (never below Poisson's) and by what neighbouring periods share: at a
    correlation r it is (1 + r) / (1 - r), r corrected for its bias in short series (Marriott and
    Pope 1954). None for fewer than four periods or where one half has no count in it.
    """
    n = len(counts)
    if n < 4 or not counts[: n // 2].any() or not counts[n // 2 :].any():
        return None
    # the last period is at time 0, so that the first coefficient is the level there
    design = np.column_stack([np.ones(n), np.arange(n) - (n - 1.0)])
    line = _fit_line(counts, design)
    expected = _expected_counts(design, line)
    residual = (counts - expected) / np.sqrt(expected)
    scatter = max(1.0, float(residual @ residual) / (n - 2))
    alike = _alike(residual, 2)
    information = design.T @ (design * expected[:, None])
    covariance = np.linalg.inv(information) * scatter * (1 + alike) / (1 - alike)
    level, growth = line.tolist()
    return Trend(
        growth=growth,
        error=math.sqrt(float(covariance[1, 1])),
        # fewer than n - 2, as neighbours that are alike know the variance less well
        degrees=max(2, n // 2 - 2),
        level=level,
        level_error=math.sqrt(float(covariance[0, 0])),
        covariance=float(covariance[0, 1]),
        scatter=(scatter - 1) / float(counts.mean()),
        autocorrelation=alike,
    )


def _fit_line(counts: Floats, design: Floats) -> Floats:
    """Fit the logarithm of counts by Poisson regression: level and growth."""
    line = np.array([math.log(counts.mean()), 0.0])
    for _ in range(_STEPS):
        expected = _expected_counts(design, line)
        information = design.T @ (design * expected[:, None])
        step = np.linalg.solve(information, design.T @ (counts - expected))
        # a long step from a bad start would overflow
        line = line + np.clip(step, -2, 2)
        if float(np.abs(step).max()) < 1e-10:
            break
    return line


def _expected_counts(design: Floats, line: Floats) -> Floats:
    """Return the expected counts, within bounds that keep every sum finite and above 0."""
    expected: Floats = np.exp(np.clip(design @ line, -30, 60))
    return expected


def poisson_interval(count: int) -> Ends:
    """Return the exact 95% interval of the mean behind one count (Garwood 1936); from 0 for none."""
    top = count + 10 * math.sqrt(count + 1) + 10  # above every mean that is sought
    low = 0.0
    if count:
        low = _solve_rising(lambda mean: 1 - _at_most(count - 1, mean), top, 0.025)
    high = _solve_rising(lambda mean: 1 - _at_most(count, mean), top, 0.975)
    return low, high


def _alike(residual: Floats, fitted: int) -> float:
    """Return the correlation of neighbors, corrected for the part that a fitted curve removes.

    ``fitted`` is the number of the curve's parameters. Between 0 and ``_MOST_ALIKE``.
    """
    square = float(residual @ residual)
    raw = 0.0
    if square > 0:
        raw = float(residual[1:] @ residual[:-1]) / square
    bias = (fitted - 1 + (fitted + 2) * max(raw, 0.0)) / len(residual)
    return min(max(raw + bias, 0.0), _MOST_ALIKE)


def _at_most(count: int, mean: float) -> float:
    """The chance of ``count`` or fewer at a mean above 0."""
    logs = (k * math.log(mean) - mean - math.lgamma(k + 1) for k in range(count + 1))
    return math.fsum(math.exp(log) for log in logs)


def _solve_rising(rising: Callable[[float], float], top: float, share: float) -> float:
    """Return the point between 0 and ``top`` at which a rising function reaches a share."""
    low = 1e-12  # above 0, which has no logarithm
    high = top
    for _ in range(100):  # each halves the range
        middle = (low + high) / 2
        if rising(middle) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _exp(exponent: float) -> float:
    """Return the exponential function within bounds, so that no forecast overflows."""
    return math.exp(min(max(exponent, -_LONGEST_EXPONENT), _LONGEST_EXPONENT))
