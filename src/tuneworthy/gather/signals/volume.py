"""Requests and spend a month, their growth, and where it leads."""

from __future__ import annotations

import calendar
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import numpy as np

from tuneworthy.domain.evidence import Evidence, Scalar, Series
from tuneworthy.gather.signals.base import ENOUGH_CONVERSATIONS, Table, how_many
from tuneworthy.gather.signals.clock import DAY_S, MONTH_DAYS, Clock, Teller, few
from tuneworthy.stats.design import t95
from tuneworthy.stats.forecast import LEVEL_DAYS, WEEK, Trend, level, trend

if TYPE_CHECKING:
    from numpy.typing import NDArray

TREND_DAYS = 91
"""Days of clock that a trend needs: three whole months, as thirteen whole weeks."""

FORECAST_MONTHS = 6
MOST_MONTHS = 36
"""A growth that takes longer to be told is none for any plan."""

_POWER_80 = 0.8416  # quantile of the normal distribution at a chance of 0.8
_LACKING = 0.01
_GAPS = 0.2
_MOST_GROWTH = 1e6
_LOG = "log the `timestamp` of every call"
_UNIT = "requests a month"


@dataclass(frozen=True, slots=True)
class Days:
    """An amount by day, a day being 24 hours counted back from the last timestamp."""

    amounts: NDArray[np.float64]
    """One a whole day, oldest first."""
    least: float
    """The variance a day would have if conversations came independently."""


def by_day(table: Table, clock: Clock, values: NDArray[np.float64] | None = None) -> Days:
    """Traces, or another amount of them, by day.

    Args:
        table: For the conversations.
        clock: Its clock; it must have a time.
        values: An amount a trace, NaN for none; traces are counted where it is absent.

    Returns:
        As many days as the clock spans; one that lacks a quarter or less counts as whole.
    """
    whole = int(clock.days + 0.25)
    ago = (clock.times[-1] - table.time[clock.usable]) / DAY_S
    amount = np.ones(len(ago)) if values is None else np.nan_to_num(values[clock.usable])
    kept = ago < whole
    ago, amount = ago[kept].astype(np.int64), amount[kept]
    days = np.bincount(ago, weights=amount, minlength=whole)[::-1].astype(np.float64)
    one = np.bincount(table.conversation[clock.usable][kept], weights=amount)
    return Days(days, float(one @ one) / max(whole, 1))


def per_month(
    table: Table, tell: Teller, values: NDArray[np.float64] | None = None
) -> tuple[float, float, float | Literal["open"]]:
    """An amount a month: value, low and high.

    With 28 days of clock or more it is the level of the last 28, times the length of a mean month;
    the upper end is open where more than one trace in a hundred has no usable timestamp. With less,
    it is what was counted, as a lower end.
    """
    clock = tell.clock
    if clock.days + 0.25 < LEVEL_DAYS:
        taken = clock.usable
        seen = float(taken.sum() if values is None else np.nansum(values[taken]))
        return seen, seen, "open"
    days = by_day(table, clock, values)
    found = level(days.amounts, days.least)
    missing = clock.lacking + clock.ignored > _LACKING * len(table)
    value, low, high = (MONTH_DAYS * each for each in (found.value, found.low, found.high))
    return value, low, "open" if missing else high


def requests(table: Table, tell: Teller) -> Evidence:
    """Requests a month, see ``per_month``."""
    clock, factor = tell.clock, "economics.traffic.requests_per_month"
    if not len(clock.times):
        return tell.unknown("requests_per_month", _LOG, unit=_UNIT, factor=factor)
    return tell.known(
        "requests_per_month",
        per_month(table, tell),
        n=len(clock.times),
        clusters=how_many(table.conversation[clock.usable]),
        unit=_UNIT,
        method=how(clock),
        factor=factor,
        details={
            "clock_days": clock.days,
            "without_timestamp": clock.lacking,
            "timestamps_ignored": clock.ignored,
        },
    )


def how(clock: Clock) -> str:
    """The method of ``per_month`` in words."""
    if clock.days + 0.25 < LEVEL_DAYS:
        return "counted; the clock spans no month, so this is the least that a month holds"
    return (
        "level of the last 28 days for a month of 30.4 days; interval from the scatter of days "
        "beyond their weekday, neighbouring days taken as related"
    )


def growth(table: Table, tell: Teller) -> tuple[Evidence, Trend | None]:
    """Growth a month by the trend of whole weeks, and the trend."""
    measure, unit = "growth_per_month", "share a month"
    factor = "economics.traffic.growth_per_month"
    clock = tell.clock

    def lacks(ask: str) -> tuple[Evidence, None]:
        return tell.unknown(measure, ask, unit=unit, factor=factor), None

    if not len(clock.times):
        return lacks(_LOG)
    if clock.days + 0.25 < TREND_DAYS:
        return lacks("measure traces of three whole months; the clock spans fewer")
    held = how_many(table.conversation[clock.usable])
    if held < ENOUGH_CONVERSATIONS:
        return lacks(few(held))
    days = by_day(table, clock).amounts
    weeks = days[len(days) % WEEK :].reshape(-1, WEEK).sum(axis=1)
    empty = int((weeks == 0).sum())
    gaps = empty > _GAPS * len(weeks) and weeks.mean() >= 3
    found = None if gaps else trend(weeks)
    if found is None:
        return lacks("measure a log without gaps; weeks of this one are empty")
    value, low, high = (each - 1 for each in found.interval(MONTH_DAYS / WEEK))
    method = "Poisson regression of whole weeks, widened by their scatter and likeness"
    details: dict[str, Scalar] = {"weeks": len(weeks), "empty_weeks": empty}
    if low <= 0 <= high and (needed := months_needed(found, clock.days / MONTH_DAYS)) is not None:
        details["months_needed"] = needed
        method += f"; about {needed} months of such days would tell this growth from none"
    evidence = tell.known(
        measure,
        (min(value, _MOST_GROWTH), min(low, _MOST_GROWTH), high if high < _MOST_GROWTH else "open"),
        n=len(clock.times),
        clusters=held,
        unit=unit,
        method=method,
        factor=factor,
        details=details,
    )
    return evidence, found


def months_needed(found: Trend, months: float) -> int | None:
    """Months of clock that would tell the growth seen from none, in four logs of five.

    The error of a slope falls with the length of the log to the power of 1.5.

    Returns:
        The months; None where more than ``MOST_MONTHS`` would be needed.
    """
    reach = (t95(found.degrees) + _POWER_80) * found.error
    if reach <= 0 or abs(found.growth) <= reach * (months / MOST_MONTHS) ** 1.5:
        return None
    return max(int(months) + 1, math.ceil(months * math.pow(reach / abs(found.growth), 2 / 3)))


def volume(clock: Clock, found: Trend | None) -> Series | None:
    """Requests by calendar month, and six months of forecast where there is a trend.

    A month that the clock spans in part has what was counted as its lower end, and no upper one.
    Returns None without a clock.
    """
    if not len(clock.times):
        return None
    rows = [*_seen(clock), *(_ahead(clock, found) if found is not None else ())]
    names = ("month", "requests", "low", "high", "forecast", "whole")
    columns = {name: tuple(row[place] for row in rows) for place, name in enumerate(names)}
    return Series(id="volume", columns=columns)


_Row = tuple[str, float, float, float | str, bool, bool]


def _seen(clock: Clock) -> Iterator[_Row]:
    last = clock.times[-1]
    month = _first_of_month(clock.times[0])
    while _seconds(month) <= last:
        start, end = _seconds(month), _seconds(_next(month))
        at = np.searchsorted(clock.times, (start, end))
        count = int(at[1] - at[0])
        whole = bool(clock.times[0] < start + DAY_S and last >= end - DAY_S)
        yield month.strftime("%Y-%m"), count, count, count if whole else "open", False, whole
        month = _next(month)


def _ahead(clock: Clock, found: Trend) -> Iterator[_Row]:
    month = _first_of_month(clock.times[-1])
    middle_of_last = clock.times[-1] - WEEK * DAY_S / 2
    for _ in range(FORECAST_MONTHS):
        month = _next(month)
        length = calendar.monthrange(month.year, month.month)[1]
        centre = _seconds(month) + length * DAY_S / 2
        ahead = (centre - middle_of_last) / (WEEK * DAY_S)
        value, low, high = found.expected(ahead, length / WEEK)
        yield month.strftime("%Y-%m"), value, low, high, True, True


def _first_of_month(time: float) -> date:
    return datetime.fromtimestamp(float(time), UTC).date().replace(day=1)


def _next(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def _seconds(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
