"""Prompt versions in the order in which they went live, with the cost of a call of each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tuneworthy.measure.signals.base import (
    ENOUGH_CONVERSATIONS,
    Floats,
    Ints,
    Measure,
    TraceTable,
    day_of,
    pictures,
    safe_excerpt,
)
from tuneworthy.model.evidence import Evidence, Scalar, Series
from tuneworthy.stats.clustered import Estimate, mean

_MOST_VERSIONS = 50  #: Of the table, the oldest ones.
#: Of the calls; a version with fewer was tried, and never went live.
_LEAST_SHARE = 0.01
_CHANGE = Measure("prompt_price_change", "share of the price of a call")
_UNKNOWN = "unknown"


class _PromptCalls(NamedTuple):
    """The calls of one prompt version."""

    name: str
    rows: Ints
    usd: Estimate | None  #: USD a call; None where no call says so.
    first_s: float  #: First call, in seconds since 1970; NaN without a clock.


def prompt_prices(table: TraceTable) -> tuple[Evidence, tuple[Series, ...]]:
    """The cost of a call by prompt version, and its change with the newest one.

    Versions come in the order of their first call. ``prompt_price_change`` compares the newest with
    the one before it, both with 20 conversations or more: its ends divide the ends of the two, so
    that they lie no nearer than a test of both would put them.
    """
    versions = sorted(_versions(table), key=lambda each: (each.first_s, each.name))
    rows = [_row(table, each) for each in versions[:_MOST_VERSIONS]]
    names = "prompt calls first last usd usd_low usd_high input_tokens output_tokens"
    return _change(table, versions), pictures("prompt_versions", names, rows)


def _versions(table: TraceTable) -> Iterator[_PromptCalls]:
    """The calls of each prompt version that is used often enough."""
    usd = table.numbers["usd"]
    named = table.prompt[table.prompt >= 0]
    calls = np.bincount(named, minlength=len(table.prompts))
    least = max(1.0, _LEAST_SHARE * len(table))
    for place in np.flatnonzero(calls >= least).tolist():
        rows = np.flatnonzero(table.prompt == place)
        times = table.time[rows][table.clock.usable[rows]]
        first_s = float(times.min()) if len(times) else math.nan
        cost = mean(usd[rows], table.conversation[rows])
        yield _PromptCalls(table.prompts[place], rows, cost, first_s)


def _row(table: TraceTable, version: _PromptCalls) -> tuple[Scalar, ...]:
    """A row of the table of prompts: calls, days, price of a call and tokens."""
    rows = version.rows
    times = table.time[rows][table.clock.usable[rows]]
    first: Scalar = _UNKNOWN
    last: Scalar = _UNKNOWN
    if len(times):
        first = day_of(times.min()).date().isoformat()
        last = day_of(times.max()).date().isoformat()
    usd: Scalar = _UNKNOWN
    usd_low: Scalar = _UNKNOWN
    usd_high: Scalar = _UNKNOWN
    if version.usd is not None:
        usd = _finite_or_unknown(version.usd.value)
        # A symmetrical interval may reach below 0, and no call does.
        usd_low = _finite_or_unknown(max(0.0, version.usd.low))
        usd_high = _finite_or_unknown(version.usd.high)
    return (
        safe_excerpt(version.name, 200) or "unnamed",
        len(rows),
        first,
        last,
        usd,
        usd_low,
        usd_high,
        _mean(table.numbers["input_tokens"][rows]),
        _mean(table.numbers["output_tokens"][rows]),
    )


def _mean(numbers: Floats) -> Scalar:
    known = numbers[np.isfinite(numbers)]
    return float(known.mean()) if len(known) else _UNKNOWN


def _finite_or_unknown(number: float) -> Scalar:
    return number if math.isfinite(number) else _UNKNOWN


def _change(table: TraceTable, versions: list[_PromptCalls]) -> Evidence:
    """The change in the price of a call from the former prompt version to the newest."""
    if "case" in table.present:
        return _CHANGE.make_evidence(
            table, "measure the logs of real use: these are runs of a test"
        )
    priced = [version for version in versions if _is_priced(version)]
    if len(priced) < 2 or math.isnan(priced[-1].first_s):
        return _CHANGE.make_evidence(
            table,
            "log the `usd` and the `prompt_version` of every call: it takes two versions "
            f"with {ENOUGH_CONVERSATIONS} conversations each",
        )
    *_, former, newest = priced
    assert newest.usd is not None
    assert former.usd is not None
    # The least change has the newest at its lowest and the former at its highest.
    ends = (
        newest.usd.value / former.usd.value - 1,
        newest.usd.low / former.usd.high - 1,
        newest.usd.high / former.usd.low - 1,
    )
    rows = np.concatenate([newest.rows, former.rows])
    return _CHANGE.make_evidence(
        table,
        ends,
        talks=table.conversation[rows],
        method=f"mean price of a call of {safe_excerpt(newest.name, 80)} over that of "
        f"{safe_excerpt(former.name, 80)}, less 1; the ends divide those of the two",
        details={
            "newest": safe_excerpt(newest.name, 200),
            "former": safe_excerpt(former.name, 200),
        },
    )


def _is_priced(version: _PromptCalls) -> bool:
    """Whether the price of a version is known well enough to be compared."""
    if version.usd is None or version.usd.clusters < ENOUGH_CONVERSATIONS:
        return False
    # The change divides by the lower end.
    return version.usd.low > 0
