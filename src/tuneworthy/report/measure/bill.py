"""What the calls cost, the most that tuning could save, and what a cache would."""

from __future__ import annotations

import math
from typing import NamedTuple

from tuneworthy.domain.evidence import Evidence
from tuneworthy.domain.prices import Price
from tuneworthy.report.evidence.values import interval_text
from tuneworthy.report.layout import safe
from tuneworthy.report.measure.found import Found
from tuneworthy.report.words import count, few, share, small_usd, usd

_EXAMPLE_CALLS = 10_000
_MILLION = 1e6

ENOUGH_RUNS = 20
"""Runs of the best prompt from which their mean cost is told: as many as any measurement takes."""

_LOG = "log the `usd` of every call, or its `model`, `input_tokens` and `output_tokens`"


class _Cost(NamedTuple):
    """USD a call, with its interval where it has one, and where it comes from."""

    value: float
    low: float
    high: float
    how: str


class _Volume(NamedTuple):
    """Calls a month."""

    calls: float
    words: str
    """Such as ``at least $164 a month``, with the amount left to fill in."""


def bill_text(found: Found) -> str:
    """The cost of a call and of a month, and that no tuning can save more."""
    cost = _cost(found)
    if cost is None:
        return f"unknown: {_missing(found)}"
    month = found.one("usd_per_month")
    if month is not None and not found.arms:
        least = "at least " if month.high == "open" else ""
        beside = f", {least}{usd(month.number)} a month"
    else:
        volume = _volume(found)
        beside = f",{volume.words.format(small_usd(cost.value * volume.calls))}"
    return f"{_each(cost)}{beside}. No tuning can save more than the whole bill"


def caching_text(found: Found) -> str:
    """The share of the input that a cache would take, and what that is worth by list price."""
    one = found.one("cacheable_share")
    if one is None:
        return f"unknown: {found.ask('cacheable_share', 'log messages with a timestamp')}"
    told = interval_text(one.value, one.low, one.high, "share of input tokens")
    taken = found.one("cached_share")
    now = f"; {share(taken.number)} is today" if taken is not None else ""
    more = one.number - (taken.number if taken is not None else 0.0)
    return f"{told} could be read from a cache{now}{_worth(found, more)}"


def _worth(found: Found, more: float) -> str:
    """What the input that isn't cached yet would save; nothing where no price is known."""
    price, tokens = found.price, found.one("input_tokens")
    if price is None or price.cached_input is None or tokens is None or more <= 0:
        return ""
    volume = _volume(found)
    saved = more * tokens.number * (price.input - price.cached_input) / _MILLION
    return f". That would save{volume.words.format(small_usd(saved * volume.calls))} by list price"


def _volume(found: Found) -> _Volume:
    """Calls a month as counted; an example where they are those of a test, or unknown."""
    one = found.one("requests_per_month")
    if one is None or found.arms or one.number < 1:
        return _Volume(_EXAMPLE_CALLS, f" {{}} at {count(_EXAMPLE_CALLS)} calls a month")
    least = "at least " if one.high == "open" else ""
    return _Volume(one.number, f" {least}{{}} a month")


def _each(cost: _Cost) -> str:
    said = small_usd(cost.value)
    ends = (small_usd(cost.low), small_usd(cost.high))
    beside = f" ({ends[0]}–{ends[1]})" if set(ends) != {said} else ""
    return f"{said}{beside} a call{cost.how}"


def _cost(found: Found) -> _Cost | None:
    """As reported for the best arm, as reported for all, or by list price."""
    told = found.details("best_arm_share")
    ends = [told.get(f"best_usd_per_run{end}") for end in ("", "_low", "_high")]
    best = [float(end) for end in ends if isinstance(end, int | float)]
    runs = told.get("best_runs")
    enough = isinstance(runs, int | float) and runs >= ENOUGH_RUNS
    if found.arms > 1 and enough and len(best) == len(ends):
        return _Cost(best[0], best[1], best[2], " with the best")
    one = found.one("usd_per_request")
    if one is not None and one.low is not None and isinstance(one.high, int | float):
        return _Cost(one.number, one.low, one.high, "")
    read, written = found.one("input_tokens"), found.one("output_tokens")
    if found.price is None or read is None or written is None:
        return None
    middle, low, high = (_priced(found, found.price, end) for end in _ends(read, written))
    over = ", over all that were tried" if found.arms > 1 else ""
    return _Cost(middle, low, high, f" by list price ({found.price.catalogue}){over}")


def _ends(read: Evidence, written: Evidence) -> tuple[tuple[float, float], ...]:
    """Tokens in and out: the middle, the least and the most."""
    most = [float(one.high) if isinstance(one.high, int | float) else math.inf
            for one in (read, written)]  # fmt: skip
    least = (read.low or 0.0, written.low or 0.0)
    return (read.number, written.number), least, (most[0], most[1])


def _priced(found: Found, price: Price, tokens: tuple[float, float]) -> float:
    cached = found.one("cached_share")
    held = cached.number if cached is not None and price.cached_input is not None else 0.0
    read = price.input * (1 - held) + (price.cached_input or 0.0) * held
    return (tokens[0] * read + tokens[1] * price.output) / _MILLION


def _missing(found: Found) -> str:
    """What would make the bill known."""
    if found.details("usd_per_request") and found.one("usd_per_request") is None:
        return found.ask("usd_per_request", _LOG)
    for name in ("input_tokens", "output_tokens"):
        if found.one(name) is None:
            return f"{found.ask(name, _LOG)}, or log the `usd` of every call"
    if len(found.models) > 1:
        answered = f"{few(len(found.models))} models answered, at different list prices"
        return f"log the `usd` of every call; {answered}"
    if found.models:
        name = safe(found.models[0])
        named = "" if ":" in name else f"; name it with its provider, as openai:{name}"
        return f"log the `usd` of every call; no list price is known for {name}{named}"
    names = ("input_tokens", "output_tokens")
    tokens = [count(one.number) for name in names if (one := found.one(name)) is not None]
    guessed = "" if all(found.details(name).get("reported") for name in names) else "about "
    takes = f"a call takes {guessed}{' tokens in and '.join(tokens)} out"
    return f"{takes}, but whose they are isn't logged: log its `model`, or its `usd`"
