"""Volume, tokens and spend: is there enough of it for tuning to pay?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tuneworthy.domain.evidence import Evidence
from tuneworthy.domain.traces import Batch
from tuneworthy.gather.signals import sizes, volume
from tuneworthy.gather.signals.base import (
    Found,
    Numbers,
    Table,
    as_numbers,
    distinct,
    how_many,
)
from tuneworthy.gather.signals.clock import END_S, Teller, clock
from tuneworthy.gather.signals.outcomes import shown
from tuneworthy.gather.signals.prefixes import HOUR_S, MINUTES_5_S, followers, repeated
from tuneworthy.stats.clustered import Estimate, mean, ratio

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
        "timestamp", "conversation", "turn", "model", "case", "cached_tokens", "usd",
        *sizes.COLUMNS,
    )  # fmt: skip

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
        grows, trend = volume.growth(table, tell)
        pictured = volume.volume(tell.clock, trend)
        found = (
            volume.requests(table, tell),
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
    value, low, high = volume.per_month(table, tell, usd)
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
        method=f"sum of what the calls report; {volume.how(tell.clock)}",
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
