"""Volume, tokens and spend: is there enough of it for tuning to pay?"""

from __future__ import annotations

import calendar
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import numpy as np

from tuneworthy.measure.signals import base as sizes
from tuneworthy.measure.signals.base import (
    DAY_S,
    END_S,
    ENOUGH_CONVERSATIONS,
    MONTH_DAYS,
    Clock,
    Found,
    Numbers,
    Table,
    Teller,
    as_numbers,
    clock,
    distinct,
    few,
    how_many,
    shown,
)
from tuneworthy.model.evidence import Batch, Evidence, Scalar, Series
from tuneworthy.stats.clustered import Estimate, mean, ratio, t95
from tuneworthy.stats.forecast import LEVEL_DAYS, WEEK, Trend, level, trend

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Requests and spend a month, their growth, and where it leads.

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


def volume_volume(clock: Clock, found: Trend | None) -> Series | None:
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
        start, end = _seconds(month), _seconds(_volume_next(month))
        at = np.searchsorted(clock.times, (start, end))
        count = int(at[1] - at[0])
        whole = bool(clock.times[0] < start + DAY_S and last >= end - DAY_S)
        yield month.strftime("%Y-%m"), count, count, count if whole else "open", False, whole
        month = _volume_next(month)


def _ahead(clock: Clock, found: Trend) -> Iterator[_Row]:
    month = _first_of_month(clock.times[-1])
    middle_of_last = clock.times[-1] - WEEK * DAY_S / 2
    for _ in range(FORECAST_MONTHS):
        month = _volume_next(month)
        length = calendar.monthrange(month.year, month.month)[1]
        centre = _seconds(month) + length * DAY_S / 2
        ahead = (centre - middle_of_last) / (WEEK * DAY_S)
        value, low, high = found.expected(ahead, length / WEEK)
        yield month.strftime("%Y-%m"), value, low, high, True, True


def _first_of_month(time: float) -> date:
    return datetime.fromtimestamp(float(time), UTC).date().replace(day=1)


def _volume_next(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def _seconds(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


# What a prefix cache would take of the input: tokens that an earlier call had begun with.

LEAST_TOKENS = 1024
"""Shortest prefix that is cached: what OpenAI, Gemini and many Claude models ask for; some take 512
and some 4,096 (docs.litellm.ai, prompt caching, read 2026-11-24)."""

HOUR_S = 3600.0
MINUTES_5_S = 300.0


@dataclass(frozen=True, slots=True)
class Followers:
    """Calls that follow another which began alike, and how long after it, in seconds."""

    of_prompt: NDArray[np.int64]
    """Rows that follow a call with the same system prompt to the same model."""
    after_prompt_s: NDArray[np.float64]
    of_turn: NDArray[np.int64]
    """Rows that follow a call of their conversation, with the same system prompt and model."""
    before: NDArray[np.int64]
    """That call's row."""
    after_turn_s: NDArray[np.float64]


def followers(
    table: Table,
    usable: NDArray[np.bool_],
    read: NDArray[np.float64],
    system: NDArray[np.float64],
) -> Followers:
    """Which calls follow which.

    Args:
        table: The traces.
        usable: Which have a timestamp.
        read: Input tokens; NaN where unknown.
        system: Tokens of the system prompt; NaN for none.

    Returns:
        Every call that follows another; only those that read at least as much as the call of their
        conversation before, for a history is taken to be sent whole and only added to.
    """
    named = np.flatnonzero(usable & (table.system >= 0) & np.isfinite(system))
    later, _, after = _next(table, named, (table.system, table.model))
    turns = np.flatnonzero(usable & np.isfinite(read))
    turn, before, gap = _next(table, turns, (table.conversation, table.system, table.model))
    grown = read[turn] >= read[before]
    return Followers(later, after, turn[grown], before[grown], gap[grown])


def repeated(
    of: Followers, read: NDArray[np.float64], system: NDArray[np.float64], lives_s: float
) -> NDArray[np.float64]:
    """Tokens of each call that a call shortly before it had begun with.

    The system prompt, where the same text was sent to the same model; and in a conversation all
    that its call before had read. The longer of the two counts.

    Args:
        of: Which calls follow which.
        read: Input tokens; NaN where unknown.
        system: Tokens of the system prompt; NaN for none.
        lives_s: How long after its last use a prefix is kept, in seconds.

    Returns:
        Tokens, 0 under ``LEAST_TOKENS``; NaN where the input tokens are unknown.
    """
    again = np.zeros(len(read))
    later = of.of_prompt[of.after_prompt_s <= lives_s]
    again[later] = np.minimum(system[later], np.nan_to_num(read[later]))
    near = of.after_turn_s <= lives_s
    turn, before = of.of_turn[near], of.before[near]
    again[turn] = np.maximum(again[turn], read[before])
    again[again < LEAST_TOKENS] = 0.0
    return np.where(np.isfinite(read), again, np.nan)


def _next(
    table: Table, rows: NDArray[np.int64], same: tuple[NDArray[np.int64], ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Rows that follow another of the same kind in time, that other, and the seconds between."""
    turn, time = np.nan_to_num(table.turn[rows]), table.time[rows]
    order = rows[np.lexsort((turn, time, *(each[rows] for each in same)))]
    later, before = order[1:], order[:-1]
    follows = np.ones(len(later), dtype=bool)
    for each in same:
        follows &= each[later] == each[before]
    later, before = later[follows], before[follows]
    return later, before, table.time[later] - table.time[before]


# Volume, tokens and spend: is there enough of it for tuning to pay?

_MOSTLY = 0.95
_DATED = re.compile(r"-(?:latest|\d{4}-?\d{2}-?\d{2}|\d{6})$")


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests, tokens, spend and caching, from what the calls themselves report.

    * ``requests_per_month``: level of the last 28 days for a month of 30.4 days; the interval is
      that of the rate behind the counts. Under 28 days of clock it is what was counted, as a lower
      end: never more than was seen. Counts need no number of conversations.
    * ``growth_per_month``: share a month by a trend through whole weeks; needs three months.
    * ``input_tokens``, ``output_tokens``: mean a request, conversations as clusters. Where under
      half of the traces report them they are estimated from characters, and the interval is wider
      by ``sizes.ESTIMATE_FACTOR`` either way.
    * ``cached_share``: share of the input tokens that the calls report as read from a cache.
    * ``cacheable_share``: share that a prefix cache would have read, see ``prefixes``; the interval
      takes in the error of counting the system prompt by characters.
    * ``usd_per_request``, ``usd_per_month``: as reported; prices are not looked up here.
    * Of runs of a test (traces with a ``case``) the first two and ``usd_per_month`` are unknown.
    * ``models_seen``: distinct models, a maker's prefix and a date at the end apart.

    It can't see whether the log is whole: of a sample of one in ten it counts a tenth. It can't see
    calls that were not logged, nor tools and passages that were sent beside the messages.
    """

    end_s: float = END_S
    """Timestamps from here on are in the future, seconds since 1970."""

    id = "traffic"
    needs = (
        "timestamp",
        "conversation",
        "turn",
        "model",
        "case",
        "cached_tokens",
        "usd",
        *sizes.COLUMNS,
    )

    def rows(self, batch: Batch) -> Numbers:
        """Tokens read, written and cached, USD, and tokens of the system prompt by characters."""
        n = len(batch)
        systems, place = distinct(batch.column("system"))
        lengths = as_numbers(None if text is None else len(text) for text in systems)
        return {
            **sizes.token_numbers(batch),
            "cached_tokens": sizes.amounts(batch.cached_tokens, n),
            "usd": sizes.amounts(batch.usd, n),
            "system_tokens": lengths[place] / sizes.CHARACTERS_A_TOKEN,
        }

    def finish(self, table: Table) -> Found:
        """Evidence on volume, tokens, caching, spend and models, and the picture of the volume."""
        tell = Teller(clock(table, self.end_s))
        grows, trend = growth(table, tell)
        pictured = volume_volume(tell.clock, trend)
        found = (
            requests(table, tell),
            grows,
            _tokens(table, tell, "input"),
            _tokens(table, tell, "output"),
            _cached(table, tell),
            _cacheable(table, tell),
            *_spend(table, tell),
            _models(table, tell),
        )
        if "case" in table.present:  # runs of a test: their number is the tester's
            return Found(tuple(_of_a_test(one, tell) for one in found))
        return Found(found, () if pictured is None else (pictured,))


_OF_USE = frozenset({"requests_per_month", "growth_per_month", "usd_per_month"})


def _of_a_test(one: Evidence, tell: Teller) -> Evidence:
    """A measurement on runs of a test: how often these were made says nothing of real use."""
    if one.id not in _OF_USE:
        return one
    ask = "measure the logs of real use: these are runs of a test"
    return tell.unknown(one.id, ask, unit=one.unit, factor=one.factor)


def distinct_models(names: Sequence[str]) -> int:
    """Models under these names, a maker's prefix, a date at the end and capitals apart."""
    plain = (re.split(r"[/:]", name.strip().casefold())[-1] for name in names)
    return len({_DATED.sub("", name) for name in plain} - {""})


def _tokens(table: Table, tell: Teller, side: str) -> Evidence:
    tokens, guessed = sizes.chosen(
        table.numbers[f"{side}_tokens"], table.numbers[f"{side}_estimate"]
    )
    how = "estimated from characters/4" if guessed else "reported"
    return tell.estimated(
        f"{side}_tokens",
        mean(tokens, table.conversation),
        ask=f"log `{side}_tokens`, or the texts",
        unit="tokens a request",
        method=f"mean over requests, {how}; conversations as clusters",
        factor=f"economics.traffic.{side}_tokens",
        spread=sizes.ESTIMATE_FACTOR if guessed else 1.0,
        details={"reported": int(np.isfinite(table.numbers[f"{side}_tokens"]).sum())},
    )


def _cached(table: Table, tell: Teller) -> Evidence:
    read, cached = table.numbers["input_tokens"], table.numbers["cached_tokens"]
    return tell.estimated(
        "cached_share",
        ratio(np.minimum(cached, read), read, table.conversation),
        ask="log `cached_tokens` and `input_tokens`",
        unit="share of input tokens",
        method="cached over all input tokens, as reported; conversations as clusters",
        factor="economics.traffic.cached_share",
        bounds=(0.0, 1.0),
        details={"more_cached_than_read": int((cached > read).sum())},
    )


def _cacheable(table: Table, tell: Teller) -> Evidence:
    measure, unit = "cacheable_share", "share of input tokens"
    factor = "economics.traffic.cacheable_share"
    read, guessed = sizes.chosen(table.numbers["input_tokens"], table.numbers["input_estimate"])
    lacking = _lacks_for_cacheable(table, tell)
    if lacking:
        return tell.unknown(measure, lacking, unit=unit, factor=factor)

    system = table.numbers["system_tokens"]
    of = followers(table, tell.clock.usable, read, system)
    timed = np.where(tell.clock.usable, read, np.nan)

    def share(times: float, lives_s: float) -> Estimate | None:
        return ratio(repeated(of, timed, system * times, lives_s), timed, table.conversation)

    off = sizes.ESTIMATE_FACTOR
    found, *others = (share(times, HOUR_S) for times in (1.0, 1 / off, off))
    short = share(1.0, MINUTES_5_S)
    if found is not None:
        every = [found, *(each for each in others if each is not None)]
        low, high = min(each.low for each in every), max(each.high for each in every)
        found = Estimate(found.value, low, high, found.n, found.clusters)
    return tell.estimated(
        measure,
        found,
        ask="log `input_tokens`, or the texts",
        unit=unit,
        method=(
            "system prompts and histories sent again within an hour, 1,024 tokens or more; "
            f"input {'estimated from characters/4' if guessed else 'as reported'}"
        ),
        factor=factor,
        bounds=(0.0, 1.0),
        details={} if short is None else {"within_5_minutes": short.value},
    )


def _lacks_for_cacheable(table: Table, tell: Teller) -> str:
    if not len(tell.clock.times):
        return "log the `timestamp` of every call"
    if not table.present & {"system", "conversation"}:
        return "log the `system` prompt, or `conversation_id`"
    return ""


def _spend(table: Table, tell: Teller) -> tuple[Evidence, Evidence]:
    usd, month = table.numbers["usd"], "today.usd_per_month"
    known = np.isfinite(usd)
    ask = "log the `usd` of every call; a bill from prices is worked out from the tokens"
    each = tell.estimated(
        "usd_per_request",
        mean(usd, table.conversation),
        ask=ask,
        unit="USD a request",
        method="mean of what the calls report; conversations as clusters",
    )
    taken = known & tell.clock.usable
    if not taken.any():
        ask = ask if not known.any() else "log the `timestamp` of every call"
        return each, tell.unknown("usd_per_month", ask, unit="USD a month", factor=month)
    value, low, high = per_month(table, tell, usd)
    priced = float(known.mean())
    if priced < _MOSTLY:
        high = "open"
    elif high != "open":
        value, low, high = value / priced, low / priced, high / priced
    spent = tell.known(
        "usd_per_month",
        (value, low, high),
        n=int(taken.sum()),
        clusters=how_many(table.conversation[taken]),
        unit="USD a month",
        method=f"sum of what the calls report; {how(tell.clock)}",
        factor=month,
        details={"share_with_usd": priced},
    )
    return each, spent


def _models(table: Table, tell: Teller) -> Evidence:
    seen = distinct_models(table.models)
    if not seen:
        return tell.unknown(
            "models_seen", "log the `model`", unit="models", factor="foundation_models"
        )
    counts = np.bincount(table.model[table.model >= 0], minlength=len(table.models))
    most = np.argsort(-counts, kind="stable")[:10]
    return tell.known(
        "models_seen",
        (seen, seen, "open"),
        n=int(counts.sum()),
        clusters=how_many(table.conversation[table.model >= 0]),
        unit="models",
        method="distinct names, maker and date apart; others may have been tried elsewhere",
        factor="foundation_models",
        examples=[f"{shown(table.models[place])}: {counts[place]} traces" for place in most],
    )
