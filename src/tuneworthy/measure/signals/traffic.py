"""Volume, tokens and spend: whether there is enough traffic for tuning to pay."""

from __future__ import annotations

import calendar
import math
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Literal, NamedTuple

import numpy as np

from tuneworthy.llm.prices import catalogue
from tuneworthy.measure.signals.base import (
    AMOUNT,
    CHARACTERS_A_TOKEN,
    DAY_S,
    ENOUGH_CONVERSATIONS,
    ESTIMATE_FACTOR,
    LOG_TIME,
    MONTH_DAYS,
    SHARE,
    Ends,
    Findings,
    Flags,
    Floats,
    Ints,
    Measure,
    Numbers,
    TraceSignal,
    TraceTable,
    amounts,
    as_numbers,
    chosen,
    day_of,
    distinct,
    few,
    how_many,
    pictures,
    rate,
    safe_excerpt,
    token_counts,
    wider,
)
from tuneworthy.measure.signals.prompts import prompt_prices
from tuneworthy.model.evidence import Batch, Evidence, Scalar
from tuneworthy.stats.clustered import Estimate, mean, ratio, t95
from tuneworthy.stats.forecast import LEVEL_DAYS, WEEK, Trend, level, trend
from tuneworthy.stats.intervals import Z95

TREND_DAYS = 91  #: Days of clock that a trend needs: three whole months, as thirteen whole weeks.

FORECAST_MONTHS = 6
#: A growth that no plan is long enough to see takes longer than this to show.
MOST_MONTHS = 36

LEAST_TOKENS = 1024
"""The shortest prefix that a provider caches: that of OpenAI, Gemini and many Claude models; some
have 512 and some 4,096 (docs.litellm.ai, prompt caching, read 2026-11-24)."""

HOUR_S = 3600.0
MINUTES_5_S = 300.0

_POWER_80 = 0.8416  # quantile of the normal distribution at a chance of 0.8
_LACKING = 0.01  #: The share of traces without a usable time from which a count has no upper end.
_GAPS = 0.2  #: The share of empty weeks from which a log has gaps.
_OFTEN = 3  #: Mean requests a week from which an empty week is no chance.
_MOSTLY = 0.95  #: The share of calls with a price from which the others are taken to cost as much.
_MOST_GROWTH = 1e6  #: A growth a month above this is no number to show.
_DATED = re.compile(r"-(?:latest|\d{4}-?\d{2}-?\d{2}|\d{6})$")
_OF_USE = frozenset(
    {"requests_per_month", "growth_per_month", "usd_per_month", "listed_usd_per_month"}
)


class TrafficSignal(TraceSignal):
    """Requests, tokens, spend and caching, from what the calls themselves report.

    * ``requests_per_month``: level of the last 28 days for a month of 30.4 days; the interval is
      that of the rate behind the counts. Under 28 days of clock it is what was counted, as a lower
      end: never more than was seen. Counts need no number of conversations.
    * ``growth_per_month``: share a month by a trend through whole weeks; needs three months.
    * ``input_tokens``, ``output_tokens``: mean a request, conversations as clusters. Where under
      half of the traces report them, ``input_tokens_estimate`` and ``output_tokens_estimate`` are
      counted from characters, with an interval that is wider by ``ESTIMATE_FACTOR`` either way:
      what isn't logged, as a system prompt or what a model thought, isn't in them.
    * ``cached_share``: share of the input tokens that the calls report as read from a cache.
    * ``cacheable_share``: share that a prefix cache would have read, see ``_cacheable``; the
      interval takes in the error of counting the system prompt by characters.
    * ``usd_per_request``, ``usd_per_month``: as reported. A call that reports no price has that of
      the list for its model, provider and day; a bill with such calls is ``listed_usd_per_month``,
      which no stated bill gives way to.
    * Of runs of a test (traces with a ``case``) the first two and ``usd_per_month`` are unknown.
    * ``prompt_price_change``: what the newest prompt version changed of the price of a call.
    * ``models_seen``: distinct models, a maker's prefix and a date at the end apart.

    It can't see whether the log is whole: of a sample of one in ten it counts a tenth. It can't see
    calls, nor tools on offer, that were not logged.
    """

    id = "traffic"

    def rows(self, batch: Batch) -> Numbers:
        """For each call: its tokens, the cached ones among them, and its price."""
        systems, place = distinct(batch.column("system"))
        lengths = as_numbers(None if text is None else len(text) for text in systems)
        return {
            **token_counts(batch),
            "cached_tokens": amounts(batch.column("cached_tokens")),
            "usd": amounts(batch.column("usd")),
            "listed_usd": amounts(batch.column("listed_usd")),
            "system_tokens": lengths[place] / CHARACTERS_A_TOKEN,
        }

    def finish(self, table: TraceTable) -> Findings:
        """All about traffic; calls of a test say nothing about use, so that stays unknown."""
        grows, line = growth(table)
        changed, versions = prompt_prices(table)
        evidence = (
            _requests(table),
            grows,
            *_tokens(table, "input"),
            *_tokens(table, "output"),
            _cached(table),
            _cacheable(table),
            *_spend(table),
            _models(table),
            changed,
        )
        if "case" in table.present:
            return Findings(
                tuple(_without_use(table, each) for each in evidence), versions
            )
        names = "month requests low high forecast whole"
        volume = pictures("volume", names, _volume(table, line))
        return Findings(evidence, (*volume, *versions))


def _without_use(table: TraceTable, evidence: Evidence) -> Evidence:
    """Unknown for a test: only real use shows it, as a test's author chose the number of calls."""
    if evidence.id not in _OF_USE:
        return evidence
    measure = Measure(evidence.id, evidence.unit, evidence.factor)
    return measure.make_evidence(
        table, "measure the logs of real use: these are runs of a test"
    )


# Requests and spend a month, their growth, and where it leads.


def by_day(table: TraceTable, values: Floats | None = None) -> tuple[Floats, float]:
    """Traces, or another amount of them, by days of 24 hours back from the last timestamp.

    There are as many days as the clock spans. A day that lacks at most a quarter counts as whole.
    The second value is the variance of a day if conversations came independently.
    """
    clock = table.clock
    whole = int(clock.days + 0.25)
    rows = np.flatnonzero(clock.usable)
    days_ago = (clock.times[-1] - table.time[rows]) / DAY_S
    kept = days_ago < whole
    rows = rows[kept]
    amount = np.ones(len(rows)) if values is None else np.nan_to_num(values[rows])
    ago = days_ago[kept].astype(np.int64)
    # Counted backwards, and turned round.
    days = np.bincount(ago, weights=amount, minlength=whole)[::-1].astype(np.float64)
    by_conversation = np.bincount(table.conversation[rows], weights=amount)
    variance = float(by_conversation @ by_conversation) / max(whole, 1)
    return days, variance


def per_month(table: TraceTable, values: Floats | None = None) -> Ends:
    """Traces, or another amount of them, per month: value, low and high.

    With 28 days of clock or more, it is the level of the last 28, times the length of a mean month.
    The upper end is open where more than one trace in a hundred has no usable timestamp. With fewer
    days, it is the count, as a lower end. For a drawn share of a log, it is scaled up.
    """
    clock = table.clock
    if clock.days + 0.25 < LEVEL_DAYS:
        rows = clock.usable
        amount = np.ones(int(rows.sum())) if values is None else values[rows]
        value, error = _counted_of(table, rows, np.nan_to_num(amount))
        return value, max(0.0, value - Z95 * error), "open"
    days, variance = by_day(table, values)
    now = level(days, variance)
    to_month = MONTH_DAYS / table.share
    is_incomplete = clock.lacking + clock.ignored > _LACKING * len(table)
    high: float | Literal["open"] = "open" if is_incomplete else to_month * now.high
    return to_month * now.value, to_month * now.low, high


def _counted_of(table: TraceTable, rows: Flags, amount: Floats) -> tuple[float, float]:
    """The amount of some traces, and the error of the draw; 0 where nothing was drawn.

    Conversations were drawn, so each represents several.
    """
    by_talk = np.bincount(table.conversation[rows], weights=amount) / table.share
    # Each conversation was drawn or not, with this share as its chance.
    error = math.sqrt((1 - table.share) * float(by_talk @ by_talk))
    return float(by_talk.sum()), error


def _how(table: TraceTable) -> str:
    """How requests a month were computed, in words."""
    source = ""
    if table.share < 1:
        source = f"from a draw of {table.share:.3g} of the conversations; "
    if table.clock.days + 0.25 < LEVEL_DAYS:
        return f"{source}counted; the clock spans no month, so this is the least that a month holds"
    return source + (
        "level of the last 28 days for a month of 30.4 days; interval from the scatter of days "
        "beyond their weekday, neighbouring days taken as related"
    )


def _requests(table: TraceTable) -> Evidence:
    """Requests a month."""
    at = table.clock
    factor = "economics.traffic.requests_per_month"
    return Measure("requests_per_month", "requests a month", factor).make_evidence(
        table,
        per_month(table) if len(at.times) else LOG_TIME,
        talks=table.conversation[at.usable],
        method=_how(table),
        details={
            "clock_days": at.days,
            "without_timestamp": at.lacking,
            "timestamps_ignored": at.ignored,
        },
    )


def growth(table: TraceTable) -> tuple[Evidence, Trend | None]:
    """Growth per month by the trend of whole weeks, and that trend."""
    factor = "economics.traffic.growth_per_month"
    measure = Measure("growth_per_month", "share a month", factor)
    clock = table.clock
    fitted = _trend(table)
    if isinstance(fitted, str):
        return measure.make_evidence(table, fitted), None
    line, details = fitted
    factor_of_month, least_factor, most_factor = line.interval(MONTH_DAYS / WEEK)
    value = factor_of_month - 1
    low = least_factor - 1
    high = most_factor - 1
    method = "Poisson regression of whole weeks, widened by their scatter and likeness"
    needed = months_needed(line, clock.days / MONTH_DAYS)
    if low <= 0 <= high and needed is not None:
        details["months_needed"] = needed
        method += f"; about {needed} months of such days are needed to tell this growth from zero"
    shown_high: float | Literal["open"] = high if high < _MOST_GROWTH else "open"
    evidence = measure.make_evidence(
        table,
        (min(value, _MOST_GROWTH), min(low, _MOST_GROWTH), shown_high),
        talks=table.conversation[clock.usable],
        method=method,
        details=details,
    )
    return evidence, line


def _trend(table: TraceTable) -> tuple[Trend, dict[str, Scalar]] | str:
    """The trend with its weeks, or the advice where there is none."""
    clock = table.clock
    too_short = clock.shorter(TREND_DAYS - 0.25, "three whole months")
    if too_short:
        return too_short
    conversations = how_many(table.conversation[clock.usable])
    if conversations < ENOUGH_CONVERSATIONS:
        return few(conversations)
    days, _ = by_day(table)
    # Whole weeks, counted back from the last day.
    whole = days[len(days) % WEEK :]
    weeks = whole.reshape(-1, WEEK).sum(axis=1)
    empty = int((weeks == 0).sum())
    # Where weeks have few requests anyway, some are empty by chance.
    has_gaps = empty > _GAPS * len(weeks) and weeks.mean() >= _OFTEN
    line = None if has_gaps else trend(weeks)
    if line is None:
        return "measure a log without gaps; weeks of this one are empty"
    return line, {"weeks": len(weeks), "empty_weeks": empty}


def months_needed(line: Trend, months: float) -> int | None:
    """Months of clock that distinguish the observed growth from none, in four logs of five.

    The error of a slope falls with the length of the log to the power of 1.5. None where more than
    ``MOST_MONTHS`` would be needed.
    """
    # The growth that a log of this length would distinguish from none.
    reach = (t95(line.degrees) + _POWER_80) * line.error
    if reach <= 0:
        return None
    least_growth = reach * (months / MOST_MONTHS) ** 1.5
    if abs(line.growth) <= least_growth:
        return None
    needed = math.ceil(months * math.pow(reach / abs(line.growth), 2 / 3))
    # This log has just not been long enough.
    return max(int(months) + 1, needed)


def _volume(table: TraceTable, line: Trend | None) -> Iterator[tuple[Scalar, ...]]:
    """Requests by calendar month, and a forecast of six months if there is a trend.

    For a month that the clock spans in part, the count is a lower end without an upper one. For a
    drawn share of a log, counts are those of all traces, with the error of the draw.
    """
    clock = table.clock
    if not len(clock.times):
        return
    month = day_of(clock.times[0]).date().replace(day=1)
    while _seconds(month) <= clock.times[-1]:
        yield _counted_month(table, month)
        month = _month_after(month)
    if line is None:
        return
    # The trend counts weeks from the middle of the last one.
    from_s = clock.times[-1] - WEEK * DAY_S / 2
    for _ in range(FORECAST_MONTHS):
        _, length = calendar.monthrange(month.year, month.month)
        middle_s = _seconds(month) + length * DAY_S / 2
        weeks_ahead = (middle_s - from_s) / (WEEK * DAY_S)
        value, low, high = line.expected(weeks_ahead, length / WEEK)
        yield (
            month.strftime("%Y-%m"),
            value / table.share,
            low / table.share,
            high / table.share,
            True,
            True,
        )
        month = _month_after(month)


def _counted_month(table: TraceTable, month: date) -> tuple[Scalar, ...]:
    """A calendar month: requests with their ends, no forecast, and whether the clock spans it all."""
    clock = table.clock
    start = _seconds(month)
    end = _seconds(_month_after(month))
    rows = clock.usable & (start <= table.time) & (table.time < end)
    count, error = _counted_of(table, rows, np.ones(int(rows.sum())))
    low = round(max(0.0, count - Z95 * error))
    whole = bool(clock.times[0] < start + DAY_S and clock.times[-1] >= end - DAY_S)
    high: int | Literal["open"] = round(count + Z95 * error) if whole else "open"
    return month.strftime("%Y-%m"), round(count), low, high, False, whole


def _month_after(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def _seconds(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


# What a prefix cache would take of the input: tokens that an earlier call had begun with.


class _Following(NamedTuple):
    """Rows that follow another row of the same kind."""

    later: Ints
    before: Ints
    gap_s: Floats  #: Seconds between the two.


def _following(table: TraceTable, rows: Ints, *same: Ints) -> _Following:
    """Find the rows that follow another one with the same number in each of ``same``."""
    turn = np.nan_to_num(table.turn[rows])
    time = table.time[rows]
    # By kind, then by time, then by turn: a row stands right behind the one that it follows.
    order = rows[np.lexsort((turn, time, *(numbers[rows] for numbers in same)))]
    later = order[1:]
    before = order[:-1]
    follows = np.ones(len(later), dtype=bool)
    for numbers in same:
        follows &= numbers[later] == numbers[before]
    later = later[follows]
    before = before[follows]
    return _Following(later, before, table.time[later] - table.time[before])


def _cacheable(table: TraceTable) -> Evidence:
    """The share of tokens with which another call shortly before began.

    They are the system prompt, if the same text went to the same model. In a conversation, they are
    all that the call before had read, if this one read no less, as a history is sent whole and only
    grows. The longer of the two counts, for some time after its last use.
    """
    factor = "economics.traffic.cacheable_share"
    measure = Measure("cacheable_share", "share of input tokens", factor)
    if not table.clock.usable.any():
        return measure.make_evidence(table, LOG_TIME)
    if table.share < 1:
        return measure.make_evidence(
            table, "measure the whole log: a draw lacks the calls before"
        )
    if not table.present & {"system", "conversation"}:
        return measure.make_evidence(
            table, "log the `system` prompt, or `conversation_id`"
        )
    repeated = _repeated_input(table)
    # A system prompt is counted by characters, so it may be shorter or longer.
    within_hour = [
        repeated.share_cached(times, HOUR_S)
        for times in (1.0, 1 / ESTIMATE_FACTOR, ESTIMATE_FACTOR)
    ]
    within_minutes = repeated.share_cached(1.0, MINUTES_5_S)
    source = "estimated from characters/4" if repeated.is_estimated else "as reported"
    details: dict[str, Scalar] = {}
    if within_minutes is not None:
        details["within_5_minutes"] = within_minutes.value
    return measure.make_evidence(
        table,
        wider(*within_hour),
        "log `input_tokens`, or the texts",
        method="system prompts and histories sent again within an hour, 1,024 tokens or more; "
        f"input {source}",
        bounds=SHARE,
        details=details,
    )


class _RepeatedInput(NamedTuple):
    """Calls whose input begins as that of an earlier call."""

    read: Floats  #: Tokens of each call; NaN where unknown, or without a usable time.
    is_estimated: bool
    system: Floats  #: Tokens of each call's system prompt, by characters.
    conversation: Ints
    prompts: _Following  #: Calls with the same system prompt and model.
    #: Calls of one conversation, where the later one read no less.
    histories: _Following

    def share_cached(self, times: float, lives_s: float) -> Estimate | None:
        """The share of the input that a cache would have, if it keeps texts for so many seconds.

        ``times`` is the error of counting the system prompt by characters.
        """
        cached = np.zeros(len(self.read))
        rows = self.prompts.later[self.prompts.gap_s <= lives_s]
        # No more than the call read in all.
        cached[rows] = np.minimum(
            self.system[rows] * times, np.nan_to_num(self.read[rows])
        )
        is_near = self.histories.gap_s <= lives_s
        later = self.histories.later[is_near]
        before = self.histories.before[is_near]
        cached[later] = np.maximum(cached[later], self.read[before])
        cached[cached < LEAST_TOKENS] = 0.0
        cached[~np.isfinite(self.read)] = np.nan
        return ratio(cached, self.read, self.conversation)


def _repeated_input(table: TraceTable) -> _RepeatedInput:
    """Find the calls with a usable time whose input begins as that of an earlier one."""
    usable = table.clock.usable
    read, is_estimated = chosen(
        table.numbers["input_tokens"], table.numbers["input_estimate"]
    )
    read = np.where(usable, read, np.nan)
    system = table.numbers["system_tokens"]
    prompted = np.flatnonzero(usable & (table.system >= 0) & np.isfinite(system))
    prompts = _following(table, prompted, table.system, table.model)
    known = np.flatnonzero(np.isfinite(read))
    turns = _following(table, known, table.conversation, table.system, table.model)
    grown = read[turns.later] >= read[turns.before]
    return _RepeatedInput(
        read=read,
        is_estimated=is_estimated,
        system=system,
        conversation=table.conversation,
        prompts=prompts,
        histories=_Following(
            turns.later[grown], turns.before[grown], turns.gap_s[grown]
        ),
    )


# Tokens, spend and models as the calls report them.


def _tokens(table: TraceTable, side: str) -> Iterator[Evidence]:
    """Tokens as reported. Where most calls report none, an estimate under another name."""
    reported = table.numbers[f"{side}_tokens"]
    tokens, estimated = chosen(reported, table.numbers[f"{side}_estimate"])
    factor = f"economics.traffic.{side}_tokens"
    as_reported = Measure(f"{side}_tokens", "tokens a request", factor)
    details = {"reported": int(np.isfinite(reported).sum())}
    if not estimated:
        yield as_reported.make_evidence(
            table,
            mean(tokens, table.conversation),
            f"log `{side}_tokens`, or the texts",
            method="mean over requests, reported; conversations as clusters",
            bounds=AMOUNT,
            details=details,
            counted=AMOUNT,
        )
        return
    yield as_reported.make_evidence(
        table, f"log `{side}_tokens`: the calls hold texts alone"
    )
    yield Measure(f"{side}_tokens_estimate", "tokens a request", factor).make_evidence(
        table,
        mean(tokens, table.conversation),
        f"log `{side}_tokens`, or the texts",
        method="mean over requests, estimated from characters/4; conversations as clusters",
        bounds=AMOUNT,
        spread=ESTIMATE_FACTOR,
        details=details,
    )


def _cached(table: TraceTable) -> Evidence:
    """The share of input tokens that were read from a cache."""
    read = table.numbers["input_tokens"]
    cached = table.numbers["cached_tokens"]
    return Measure(
        "cached_share", "share of input tokens", "economics.traffic.cached_share"
    ).make_evidence(
        table,
        ratio(np.minimum(cached, read), read, table.conversation),
        "log `cached_tokens` and `input_tokens`",
        method="cached over all input tokens, as reported; conversations as clusters",
        bounds=SHARE,
        details={"more_cached_than_read": int((cached > read).sum())},
    )


def _spend(table: TraceTable) -> tuple[Evidence, ...]:
    """The cost of a request and of a month. If list prices were used, the bill by calls is unknown."""
    usd = table.numbers["usd"]
    ask = "log the `usd` of every call. Without it the bill is computed from tokens and prices"
    listed = int(np.isfinite(table.numbers["listed_usd"]).sum())
    source = f"the list price ({catalogue()})" if listed else "what the calls report"
    request = Measure("usd_per_request", "USD a request").make_evidence(
        table,
        mean(usd, table.conversation),
        ask,
        method=f"mean of {source}; conversations as clusters",
        bounds=AMOUNT,
        details={"by_list": listed} if listed else {},
        counted=AMOUNT,
    )
    if not listed:
        return request, _bill(table, _BILL, source, ask)
    # A bill by list prices has another name, so that no stated bill gives way to it.
    by_list = Measure("listed_usd_per_month", "USD a month")
    bill = _bill(table, by_list, source, ask)
    return request, bill, _BILL.make_evidence(table, ask)


def _bill(table: TraceTable, measure: Measure, source: str, ask: str) -> Evidence:
    """The cost of a month by the prices of calls; ``ask`` is the advice where none has one."""
    priced = np.isfinite(table.numbers["usd"])
    counted = priced & table.clock.usable
    month: Ends | str
    if counted.any():
        month = _usd_per_month(table, rate(priced))
    else:
        month = LOG_TIME if priced.any() else ask
    return measure.make_evidence(
        table,
        month,
        talks=table.conversation[counted],
        method=f"sum of {source}; {_how(table)}",
        details={"share_with_usd": rate(priced)},
    )


def _usd_per_month(table: TraceTable, priced: float) -> Ends:
    """The bill of a month. Calls without a price count like the others.

    Where too few calls have a price, it is the sum of these alone, as a lower end.
    """
    value, low, high = per_month(table, table.numbers["usd"])
    if priced < _MOSTLY:
        return value, low, "open"
    if high == "open":
        return value, low, high
    return value / priced, low / priced, high / priced


_BILL = Measure("usd_per_month", "USD a month", "today.usd_per_month")


def distinct_models(names: Sequence[str]) -> int:
    """The number of models, without a maker's prefix, a date at the end, and capitals."""
    models = set()
    for name in names:
        *_, last = re.split(r"[/:]", name.strip().casefold())
        plain = _DATED.sub("", last)
        if plain:
            models.add(plain)
    return len(models)


def _models(table: TraceTable) -> Evidence:
    """How many different models answered."""
    seen = distinct_models(table.models)
    named = table.model >= 0
    counts = np.bincount(table.model[named], minlength=len(table.models))
    most = np.argsort(-counts, kind="stable")
    return Measure("models_seen", "models", "foundation_models").make_evidence(
        table,
        (seen, seen, "open") if seen else "log the `model`",
        talks=table.conversation[named],
        method="distinct names, without maker and date; others may have been tried elsewhere",
        examples=(
            f"{safe_excerpt(table.models[place])}: {counts[place]} traces"
            for place in most
        ),
    )
