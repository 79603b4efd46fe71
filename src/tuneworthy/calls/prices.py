"""Prices of hosted models, from a catalogue that lies on disk: nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from tuneworthy.domain.case import Model
from tuneworthy.domain.prices import Price, Prices

_NOON = 12  # some prices depend on the hour; a day's price is the one at noon, UTC
_PRICES = ("input_mtok", "output_mtok", "cache_read_mtok")


def look_up(models: Iterable[Model], as_of: date, *, input_tokens: float = 0.0) -> Prices:
    """Prices of models without a stated one.

    A tuned model, or one of the team's own, is in no catalogue: what is found under such a name
    would be somebody else's price.

    Args:
        models: Models in use or in question.
        as_of: The day whose prices count. For a day before a model's first entry the catalogue
            gives its first price.
        input_tokens: Input tokens a request; some prices rise from a number of them on.

    Returns:
        Price by id and address; a model the catalogue doesn't know is left out.
    """
    found: dict[tuple[str, str | None], Price] = {}
    for model in models:
        if model.usd_per_mtok is None and model.kind == "prompted" and model.runs != "own":
            price = price_on(model.id, as_of, base_url=model.base_url, input_tokens=input_tokens)
            if price is not None:
                found[model.id, model.base_url] = price
    return found


def price_on(
    model_id: str, as_of: date, *, base_url: str | None = None, input_tokens: float = 0.0
) -> Price | None:
    """The list price of a model on a day, USD for a million tokens.

    Args:
        model_id: Provider and name, as ``openai:gpt-4o``; a name without a provider has no price.
        as_of: The day.
        base_url: Where it is served; when given, the provider is told by it and not by the id.
        input_tokens: Input tokens a request, for prices that rise with them.

    Returns:
        The price, or None for a model or address that the catalogue doesn't know, and for one
        without a price for both input and output.
    """
    from genai_prices import __version__ as version
    from genai_prices.data_snapshot import get_snapshot

    provider, _, name = model_id.partition(":")
    if not name:  # a bare name may be served by anybody, at any price
        return None
    try:
        _, model = get_snapshot().find_provider_model(
            name, None, None if base_url else provider, base_url
        )
    except LookupError:
        return None
    moment = datetime(as_of.year, as_of.month, as_of.day, _NOON, tzinfo=UTC)
    plain = _numbers(model.get_prices(moment), input_tokens)
    batch = _numbers(model.get_prices(moment, {"processing": "batch"}), input_tokens)
    if plain["input_mtok"] is None or plain["output_mtok"] is None:
        return None
    batched = batch != plain and batch["output_mtok"] is not None
    return Price(
        input=plain["input_mtok"],
        output=plain["output_mtok"],
        cached_input=plain["cache_read_mtok"],
        batch_input=batch["input_mtok"] if batched else None,
        batch_output=batch["output_mtok"] if batched else None,
        context_tokens=model.context_window,
        catalogue=f"genai-prices {version}",
    )


def _numbers(price: Any, input_tokens: float) -> dict[str, float | None]:
    """Prices as plain numbers; of a price in tiers the one that these tokens reach."""
    found: dict[str, float | None] = {}
    for name in _PRICES:
        value = getattr(price, name)
        if hasattr(value, "tiers"):
            reached = [tier.price for tier in value.tiers if input_tokens > tier.start]
            value = reached[-1] if reached else value.base
        found[name] = None if value is None else float(value)
    return found
