"""The cost of calls that state none: by the list price of their provider on their day."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache

from tuneworthy.llm.prices import Amounts
from tuneworthy.llm.served import ServedModel, find_served
from tuneworthy.model.evidence import Batch

_DAY_S = 86_400.0
_MILLION = 1e6
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
    size = len(batch)
    none = [None] * size
    usd = batch.usd or [*none]
    if None not in usd:
        return
    listed: list[float | None] = [*none]
    rows = zip(
        *(
            batch.model,
            batch.column("provider"),
            batch.input_tokens,
            batch.output_tokens,
        ),
        *(batch.column("cached_tokens"), batch.column("timestamp"), usd),
        strict=True,
    )
    for n, (model, provider, read, written, cached, at, reported) in enumerate(rows):
        if reported is not None or model is None or read is None or written is None:
            continue
        day = None if at is None else int(at // _DAY_S)
        amounts = _amounts(model, provider, day, 0 if read < _TIERS_FROM else read)
        if amounts is not None:
            listed[n] = _cost(amounts, read, written, cached)
    if any(price is not None for price in listed):
        batch.usd = [
            a if a is not None else b for a, b in zip(usd, listed, strict=True)
        ]
        batch.listed_usd = listed


def _cost(
    amounts: Amounts, read: float, written: float, cached: float | None
) -> float | None:
    """USD of one call; None where no price is known."""
    if amounts.input is None or amounts.output is None:
        return None
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
    named = {
        pair: _named(*pair) for pair in {*zip(batch.model, batch.provider, strict=True)}
    }
    if any(name != model for (model, _), name in named.items()):
        pairs = zip(batch.model, batch.provider, strict=True)
        batch.model = [named[pair] for pair in pairs]


def _named(model: str | None, provider: str | None) -> str | None:
    """A model's name after its provider, where the name alone would mean another provider's model."""
    if not model or not provider:
        return model
    alone = find_served(model)
    served = find_served(model, provider)
    if served is None:
        return (
            f"{provider}:{model}" if alone is not None and ":" not in model else model
        )
    return model if _same(served, alone) else served.id


def _same(served: ServedModel, alone: ServedModel | None) -> bool:
    return alone is not None and alone.provider == served.provider
