"""Logs of calls whose rate and growth are known."""

from __future__ import annotations

import math

import numpy as np

from plain_engine import batch
from tuneworthy.model.evidence import Batch

START_S, DAY_S, MONTH_DAYS = 1_767_225_600.0, 86_400.0, 30.4375  # 2026-01-01
WEEKDAYS = np.array([1.2, 1.2, 1.15, 1.1, 1.05, 0.7, 0.6])


def visits(
    rng: np.random.Generator,
    *,
    a_day: float = 40.0,
    months: float = 6.0,
    growth: float = 0.0,
    scatter: float = 0.2,
    follows: float = 0.5,
) -> Batch:
    """Calls in conversations of three on average; weekdays differ, and busy days follow busy ones.

    Args:
        rng: The source of chance.
        a_day: Calls a day expected at the end of the log.
        months: Length of the log.
        growth: Share a month by which the rate grows.
        scatter: Standard deviation of a day's rate over its mean.
        follows: Correlation of one day's rate with the next.
    """
    days = round(months * MONTH_DAYS)
    at = np.arange(days)
    mood = np.zeros(days)
    mood[0] = rng.normal()
    for day in range(1, days):
        mood[day] = follows * mood[day - 1] + math.sqrt(1 - follows**2) * rng.normal()
    wide = math.sqrt(math.log1p(scatter**2))
    rate = a_day * (1 + growth) ** ((at - days) / MONTH_DAYS) * WEEKDAYS[at % 7]
    begun = rng.poisson(rate * np.exp(wide * mood - wide**2 / 2) / 3)
    start = np.repeat(at, begun) + rng.uniform(0, 1, int(begun.sum()))
    calls = rng.geometric(1 / 3, len(start))
    talk = np.repeat(np.arange(len(start)), calls)
    times = START_S + np.repeat(start, calls) * DAY_S + rng.uniform(0, 600, len(talk))
    return batch(
        timestamp=times.tolist(), conversation=[f"t{each}" for each in talk.tolist()]
    )
