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
_STEPS = 50
_MOST_ALIKE = 0.8


class Trend(NamedTuple):
    """An exponential trend through counts of equal periods, the last of them at time 0."""

    growth: float  #: Logarithm of the factor from one period to the next.
    error: float  #: Standard error of ``growth``.
    degrees: int  #: Degrees of freedom.
    level: float  #: Logarithm of the count expected at time 0.
    level_error: float  #: Its standard error.
    together: float  #: Covariance of the two.
    #: Variance of a count over its squared expectation, beyond Poisson's.
    scatter: float
    alike: float  #: Correlation of neighbouring periods.

    def interval(self, periods: float) -> tuple[float, float, float]:
        """The factor by which it grows in some periods: value, low and high."""
        half = t95(self.degrees) * self.error
        low, value, high = (
            math.exp(_bound_exponent(growth * periods))
            for growth in (self.growth - half, self.growth, self.growth + half)
        )
        return value, low, high

    def expected(self, ahead: float, periods: float) -> tuple[float, float, float]:
        """The count of some periods around a future time, with its 95% prediction interval.

        The interval combines the error of the line and the scatter of future counts on the log
        scale. It assumes that the trend goes on: no past count shows an event that would break it.
        """
        middle = self.level + self.growth * ahead
        line = (
            self.level_error**2 + ahead**2 * self.error**2 + 2 * ahead * self.together
        )
        count = math.exp(_bound_exponent(middle)) * periods
        own = 1 / max(count, 1.0) + self.scatter / periods
        own *= (1 + self.alike) / (1 - self.alike)
        half = t95(self.degrees) * math.sqrt(max(line, 0.0) + own)
        low, high = (
            math.exp(_bound_exponent(middle + side)) * periods for side in (-half, half)
        )
        return count, low, high


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
    at = np.arange(len(tail))
    columns = [(at % WEEK == day).astype(np.float64) for day in range(WEEK)]
    if n >= 2 * LEVEL_DAYS:  # with less data the line would follow slow ups and downs
        columns.append(at - at.mean())
    design = np.column_stack(columns)
    fitted, *_ = np.linalg.lstsq(design, tail, rcond=None)
    left = tail - design @ fitted
    square = float(left @ left)
    free = n - design.shape[1]
    alike = _alike(left, design.shape[1])
    variance = max(square / free * (1 + alike) / (1 - alike), least)
    half = t95(max(3, free // 3)) * math.sqrt(variance / LEVEL_DAYS)
    return Estimate(value, max(0.0, value - half), value + half, LEVEL_DAYS, LEVEL_DAYS)


def trend(counts: Floats) -> Trend | None:
    """An exponential trend through counts of equal periods, oldest first.

    Poisson regression by iterated weights (Nelder and Wedderburn 1972), the variance multiplied by
    the scatter around the line (never below Poisson's) and by what neighbouring periods share: at a
    correlation r it is (1 + r) / (1 - r), r corrected for its bias in short series (Marriott and
    Pope 1954). None for fewer than four periods or where one half has no count in it.
    """
    n = len(counts)
    if n < 4 or not counts[: n // 2].any() or not counts[n // 2 :].any():
        return None
    design = np.column_stack([np.ones(n), np.arange(n) - (n - 1.0)])
    line = np.array([math.log(counts.mean()), 0.0])
    for _ in range(_STEPS):
        expected = np.exp(np.clip(design @ line, -30, 60))
        inner = design.T @ (design * expected[:, None])
        step = np.linalg.solve(inner, design.T @ (counts - expected))
        line = line + np.clip(step, -2, 2)
        if float(np.abs(step).max()) < 1e-10:
            break
    expected = np.exp(np.clip(design @ line, -30, 60))
    left = (counts - expected) / np.sqrt(expected)
    scatter = max(1.0, float(left @ left) / (n - 2))
    alike = _alike(left, 2)
    inner = design.T @ (design * expected[:, None])
    spread = np.linalg.inv(inner) * scatter * (1 + alike) / (1 - alike)
    return Trend(
        growth=float(line[1]),
        error=math.sqrt(float(spread[1, 1])),
        degrees=max(2, n // 2 - 2),
        level=float(line[0]),
        level_error=math.sqrt(float(spread[0, 0])),
        together=float(spread[0, 1]),
        scatter=(scatter - 1) / float(counts.mean()),
        alike=alike,
    )


def poisson_interval(count: int) -> Ends:
    """The exact 95% interval of the mean behind one count (Garwood 1936); from 0 for none."""
    top = count + 10 * math.sqrt(count + 1) + 10
    low = (
        _solve_rising(lambda mean: 1 - _at_most(count - 1, mean), top) if count else 0.0
    )
    return low, _solve_rising(lambda mean: 1 - _at_most(count, mean), top, 0.975)


def _alike(left: Floats, fitted: int) -> float:
    """The correlation of neighbors, corrected for the part that a fitted curve removes."""
    square = float(left @ left)
    raw = float(left[1:] @ left[:-1]) / square if square > 0 else 0.0
    return min(
        max(raw + (fitted - 1 + (fitted + 2) * max(raw, 0.0)) / len(left), 0.0),
        _MOST_ALIKE,
    )


def _at_most(count: int, mean: float) -> float:
    """The chance of ``count`` or fewer at a mean above 0."""
    logs = (k * math.log(mean) - mean - math.lgamma(k + 1) for k in range(count + 1))
    return math.fsum(math.exp(log) for log in logs)


def _solve_rising(
    rising: Callable[[float], float], top: float, share: float = 0.025
) -> float:
    """The point between 0 and ``top`` at which a rising function reaches a share."""
    low = 1e-12
    high = top
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < share else (low, middle)
    return (low + high) / 2


def _bound_exponent(exponent: float) -> float:
    return min(max(exponent, -50.0), 50.0)
