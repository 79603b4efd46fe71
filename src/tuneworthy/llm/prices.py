"""The public price list: the prices of models at providers, and their first days.

It is the data of genai-prices, in ``genai_prices/`` with its license. Its own package would bring
an HTTP client that fetches newer lists. Our copy is renewed by ``tools/vendor.py``, which also
compares every answer of this module with that package.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypedDict


class Tiers(TypedDict):
    """A price that rises with the input tokens of a request: it applies to all of its tokens."""

    base: float
    #: Pairs of a number of tokens and the price for longer requests, in rising order.
    above: Sequence[tuple[int, float]]


Amount = float | Tiers
"""USD for a million tokens."""

Clause = Mapping[str, Any]
"""A rule for names, by its kind: ``equals``, ``starts_with``, ``or`` and the like."""


class Rates(TypedDict, total=False):
    """Prices that hold on some days and hours."""

    start: str  #: The first day, as ISO writes it; always where there is none.
    hours: tuple[str, str]  #: Each day from this time on and before that one, UTC.
    input: Amount
    output: Amount
    cached: Amount


class ListedModel(TypedDict, total=False):
    """A model of a provider."""

    id: str
    match: Clause  #: The names by which it is called.
    context: int  #: Tokens of its window.
    rates: Sequence[Rates]  #: Of those that fit the day, the last counts.
    #: The differences of a batch; of those that fit, the first counts.
    batch: Sequence[Rates]


class ListedProvider(TypedDict, total=False):
    """A provider of models."""

    id: str
    address: str  #: Pattern of the addresses it serves at.
    match: Clause  #: Other names of the provider.
    names: Clause  #: Names of models that are its own.
    others: Sequence[str]  #: Providers whose models it serves too.
    models: Sequence[ListedModel]


class Amounts(NamedTuple):
    """USD for a million tokens, each None without a price."""

    input: float | None
    output: float | None
    cached: float | None


NO_AMOUNTS = Amounts(None, None, None)

_FILE = Path(__file__).parent / "genai_prices" / "prices.json"
_NOON = "12:00"  # some prices depend on the hour; a day's price is the one at noon, UTC
_ROUTER = "litellm"  # names of this router begin with the provider's name
_COMPACT_DATE = re.compile(r"-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")


@cache
def _whole() -> Any:
    return json.loads(_FILE.read_text("utf-8"))


def catalogue() -> str:
    """The name of the price list, with its release."""
    return str(_whole()["catalogue"])


@lru_cache(maxsize=4096)
def find_model(
    name: str, provider: str | None, address: str | None
) -> ListedModel | None:
    """Find a model by its name at a provider or at an address; None where the list lacks it."""
    name = name.lower()
    if provider is not None and provider.lower() == _ROUTER:
        # its names begin with the provider that serves the model, as openai/gpt-…
        first, slash, rest = name.partition("/")
        if slash and first and _provider_called(first):
            provider = first
            name = rest
    listed = _find_provider(name, provider, address)
    if listed is None:
        return None
    return _model_of(listed, name) or _model_of(listed, _with_dashed_date(name))


@lru_cache(maxsize=4096)
def provider_id(provider: str | None, name: str) -> str | None:
    """Return the list's id for a provider or an address; for None, the maker of the named model."""
    if provider is not None and "://" in provider:
        listed = _find_provider(name.lower(), None, provider)
    else:
        listed = _find_provider(name.lower(), provider, None)
    return None if listed is None else listed["id"]


@lru_cache(maxsize=4096)
def providers_with(name: str) -> tuple[tuple[str, ListedModel], ...]:
    """Find the providers with a model of this name among their own: their ids, and that model."""
    name = name.lower()
    rows: list[tuple[str, ListedModel]] = []
    for provider in _whole()["providers"]:
        listed = _first_that_fits(provider["models"], name)
        if listed is not None:
            rows.append((provider["id"], listed))
    return tuple(rows)


@lru_cache(maxsize=256)
def dearest_amounts(address: str, day: date) -> Amounts:
    """Return a provider's highest prices for input and for output, over all its listed models.

    Both are None at the address of an unlisted provider.
    """
    listed = _find_provider("", None, address)
    models = () if listed is None else listed["models"]
    # an endless request reaches the dearest tier
    amounts = [amounts_for(rates_on(model, day), math.inf) for model in models]
    inputs = [each.input for each in amounts if each.input is not None]
    outputs = [each.output for each in amounts if each.output is not None]
    return Amounts(max(inputs, default=None), max(outputs, default=None), None)


def _find_provider(
    name: str, provider: str | None, address: str | None
) -> ListedProvider | None:
    """The listed provider of a model, by its name, its address, or the model's own name."""
    providers: Sequence[ListedProvider] = _whole()["providers"]
    if provider is not None:
        called = _provider_called(provider)
        if called is not None or provider.lower() != _ROUTER:
            return called
        # a router serves other providers' models: go by the model
    if address is not None:
        for each in providers:
            if re.match(each["address"], address):
                return each
        return None
    for each in providers:
        if "names" in each and _fits(each["names"], name):
            return each
    return None


def _provider_called(name: str) -> ListedProvider | None:
    """The listed provider of this name, by its id or by the rules for its other names."""
    name = name.lower().strip()
    providers: Sequence[ListedProvider] = _whole()["providers"]
    for provider in providers:
        if provider["id"] == name:
            return provider
    for provider in providers:
        if "match" in provider and _fits(provider["match"], name):
            return provider
    return None


def _model_of(provider: ListedProvider, name: str) -> ListedModel | None:
    """A model of a provider, or of others whose models it serves."""
    own = _first_that_fits(provider["models"], name)
    if own is not None:
        return own
    providers = {each["id"]: each for each in _whole()["providers"]}
    for other in provider.get("others", ()):
        model = _first_that_fits(providers[other]["models"], name)
        if model is not None:
            return model
    return None


def _first_that_fits(models: Iterable[ListedModel], name: str) -> ListedModel | None:
    for model in models:
        if _fits(model["match"], name):
            return model
    return None


def _fits(clause: Clause, name: str) -> bool:
    """Whether a name in small letters fits a rule. The list's texts are in small letters, too."""
    ((kind, value),) = clause.items()  # a clause has one kind
    match kind:
        case "equals":
            return bool(name == value)
        case "starts_with":
            return name.startswith(value)
        case "ends_with":
            return name.endswith(value)
        case "contains":
            return value in name
        case "regex":
            return re.search(value, name) is not None
        case "or":
            return any(_fits(each, name) for each in value)
        case _:  # "and"
            return all(_fits(each, name) for each in value)


def _with_dashed_date(name: str) -> str:
    """A name in which a date like -20251211 is written as in the list, -2025-12-11."""

    def dashed(compact: re.Match[str]) -> str:
        day = "-".join(compact.groups())
        try:
            date.fromisoformat(day)
        except ValueError:
            return compact[0]
        return f"-{day}"

    return _COMPACT_DATE.sub(dashed, name)


def rates_on(model: ListedModel, day: date, *, batch: bool = False) -> Rates:
    """Return the prices of a model on a day at noon; before its first price, the first one."""
    rates = model["rates"][0]
    for later in reversed(model["rates"]):  # of those in force, the last counts
        if _is_in_force(later, day):
            rates = later
            break
    if not batch:
        return rates
    changed: Rates = {}
    for variant in model.get("batch", ()):
        if _is_in_force(variant, day):
            changed = variant | changed  # what an earlier one says stays
    return rates | changed


def _is_in_force(rates: Rates, day: date) -> bool:
    """Whether rates are in force at noon of a day."""
    if rates.get("start", "") > day.isoformat():
        return False
    if "hours" not in rates:
        return True
    begin, end = rates["hours"]
    if end < begin:  # over midnight
        return begin <= _NOON or end > _NOON
    return begin <= _NOON < end


def amounts_for(rates: Rates, input_tokens: float) -> Amounts:
    """Prices for a request with this many tokens; of several tiers, the one it reaches."""
    prices = (rates.get("input"), rates.get("output"), rates.get("cached"))
    return Amounts(*(_amount_for(price, input_tokens) for price in prices))


def _amount_for(price: Amount | None, input_tokens: float) -> float | None:
    """The price at a length: of several tiers, the highest that the length reaches."""
    if price is None or isinstance(price, int | float):
        return price
    amount = price["base"]
    for start, dearer in price["above"]:
        if input_tokens > start:
            amount = dearer
    return amount
