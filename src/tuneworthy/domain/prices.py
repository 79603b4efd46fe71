"""What a model's tokens cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tuneworthy.domain.case import Case, Model


@dataclass(frozen=True, slots=True)
class Price:
    """USD for a million tokens of one model."""

    input: float
    output: float
    cached_input: float | None = None
    """Input read from a cache; None where no such price is known."""
    batch_input: float | None = None
    """Input of a call sent as part of a batch; None where no such price is known."""
    batch_output: float | None = None
    """Output of such a call."""
    context_tokens: int | None = None
    """The most tokens a request may have; None where nobody says."""
    catalogue: str = ""
    """Catalogue and version it was looked up in; empty for a price stated in the case."""


Prices = Mapping[tuple[str, str | None], Price]
"""Prices that were looked up, by model id and the address it is served at."""

NO_PRICES: Prices = {}


def price_of(model: Model, looked_up: Prices) -> Price | None:
    """The price of a model: the one stated with it, else the one looked up, else None."""
    stated = model.usd_per_mtok
    if stated is None:
        return looked_up.get((model.id, model.base_url))
    rest = None if stated.batch_discount is None else 1 - stated.batch_discount
    return Price(
        input=stated.input,
        output=stated.output,
        cached_input=stated.cached_input,
        batch_input=None if rest is None else stated.input * rest,
        batch_output=None if rest is None else stated.output * rest,
    )


def in_use(case: Case) -> Model | None:
    """The model in use today: the first that isn't tuned; None when none is named."""
    return next((model for model in case.models if model.kind == "prompted"), None)
