"""The cost of calls that state none: by the list price of their provider on their day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import lru_cache

from tuneworthy.llm.prices import Amounts, find_served
from tuneworthy.model.evidence import Batch

_DAY_S = 86_400.0
_MILLION = 1e6  #: Prices are in USD for a million tokens.
_TIERS_FROM = 100_000  #: Tokens; no price on the list rises before.


def price_batch(batch: Batch) -> None:
    """Fill in the price of calls, and the provider of models whose names are ambiguous.

    A call gets a price if it names its model and its numbers of tokens. A failed call names no
    model. A price that a call itself reports stays.
    """
    if not batch.model:
        return
    _name_servers(batch)
    if not batch.input_tokens or not batch.output_tokens:
        return
    reported = batch.usd or [None] * len(batch)
    if None not in reported:
        return
    listed = _listed_prices(batch, reported)
    if any(price is not None for price in listed):
        pairs = zip(reported, listed, strict=True)
        batch.usd = [by_list if own is None else own for own, by_list in pairs]
        batch.listed_usd = listed


def _listed_prices(
    batch: Batch, reported: Sequence[float | None]
) -> list[float | None]:
    """The list price of each call that reports none, in USD; None where it can't be computed."""
    rows = zip(
        batch.model,
        batch.column("provider"),
        batch.input_tokens,
        batch.output_tokens,
        batch.column("cached_tokens"),
        batch.column("timestamp"),
        reported,
        strict=True,
    )
    listed: list[float | None] = [None] * len(batch)
    for n, (model, provider, read, written, cached, time_s, own) in enumerate(rows):
        if own is not None or model is None or read is None or written is None:
            continue
        day = None if time_s is None else int(time_s // _DAY_S)
        # One entry of the cache serves all short inputs, as their price has no tiers.
        tokens = 0 if read < _TIERS_FROM else read
        amounts = _amounts(model, provider, day, tokens)
        if amounts is not None:
            listed[n] = _cost(amounts, read, written, cached)
    return listed


def _cost(
    amounts: Amounts, read: float, written: float, cached: float | None
) -> float | None:
    """USD of one call; None where no price is known."""
    if amounts.input is None or amounts.output is None:
        return None
    # Some logs count cached tokens beside those read, so they may be more.
    from_cache = min(cached or 0.0, read)
    per_cached = amounts.input if amounts.cached is None else amounts.cached
    spent = (read - from_cache) * amounts.input + from_cache * per_cached
    return (spent + written * amounts.output) / _MILLION


@lru_cache(maxsize=4096)
def _amounts(
    model: str, provider: str | None, day: int | None, tokens: float
) -> Amounts | None:
    served = find_served(model, provider or "")
    return None if served is None else served.amounts(_date(day), tokens)


def _date(day: int | None) -> date:
    """The date of a day counted from 1970; for None, the last possible date, with the newest price."""
    if day is None or day < 0:
        return date.max
    return datetime.fromtimestamp(day * _DAY_S, UTC).date()


def _name_servers(batch: Batch) -> None:
    """Put the provider before each model's name where the log has it apart."""
    if not batch.provider:
        return
    pairs = [*zip(batch.model, batch.provider, strict=True)]
    # A log has few pairs, and finding a model in the catalogue is slow.
    full_names = {pair: _full_name(*pair) for pair in set(pairs)}
    batch.model = [full_names[pair] for pair in pairs]


def _full_name(model: str | None, provider: str | None) -> str | None:
    """A model's name after its provider, where the name alone would mean another provider's model."""
    if not model or not provider:
        return model
    alone = find_served(model)
    served = find_served(model, provider)
    if served is None:
        # The name alone would get the price of a provider that didn't serve it.
        is_ambiguous = alone is not None and ":" not in model
        return f"{provider}:{model}" if is_ambiguous else model
    if alone is not None and alone.provider == served.provider:
        return model
    return served.id
