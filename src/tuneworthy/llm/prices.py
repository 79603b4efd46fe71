"""What models cost: the public price list, the catalogue of facts, and names in logs.

The list has prices at providers and their first days. It is the data of genai-prices, in
``genai_prices/`` with its license. Its own package would bring an HTTP client that fetches newer
lists. Our copy is renewed by ``tools/vendor.py``, which also compares every answer with it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from tuneworthy.errors import CaseError
from tuneworthy.facts.load import facts_on
from tuneworthy.facts.records import price_of_fact
from tuneworthy.llm.endpoints import plain_address
from tuneworthy.model.case import NO_PRICES, Case, Model, Price, Prices


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


# The price of a model that is called.

STATE_PRICE = (
    "state usd_per_mtok under models; 0 is a price on this machine alone, elsewhere it takes "
    "--trust-prices"
)  #: The advice for a model without a price.


def look_up(
    models: Iterable[Model], as_of: date, *, input_tokens: float = 0.0
) -> Prices:
    """Look up the prices of models without a stated one, by id and address.

    An unknown model is left out. ``input_tokens`` are those of a request. For a day before a
    model's first entry, the catalogue gives its first price.
    """
    prices: dict[tuple[str, str | None], Price] = {}
    for model in models:
        if model.usd_per_mtok is not None:
            continue
        price = list_price(model, as_of, input_tokens)
        if price is not None:
            prices[model.id, model.base_url] = price
    return prices


def list_price(model: Model, as_of: date, input_tokens: float) -> Price | None:
    """The list price of an untuned model. A tuned one with such a name isn't on the list."""
    if model.kind != "prompted" or model.runs == "own":
        return None
    return price_on(model.id, as_of, base_url=model.base_url, input_tokens=input_tokens)


def listed_prices(case: Case, as_of: date, others: Iterable[str] = ()) -> Prices:
    """Look up the prices of a case's models and of others; {} without traffic.

    Stated prices are left out, as they go first.
    """
    traffic = case.economics.traffic
    tokens = traffic.input_tokens
    if (
        tokens is None
        or traffic.output_tokens is None
        or traffic.requests_per_month is None
    ):
        return NO_PRICES
    models = (*case.models, *(Model(id=name) for name in others))
    return look_up(models, as_of, input_tokens=tokens.likely)


def price_on(
    model_id: str,
    as_of: date,
    *,
    base_url: str | None = None,
    input_tokens: float = 0.0,
) -> Price | None:
    """Look up the price of a model on a day, in USD for a million tokens.

    By the public list, else by the catalogue of facts. The address decides the provider if there is
    one, else the first part of the id; a name without a provider has no price. Some prices rise
    with the input tokens of a request. None where both lack the model or the address, or a price
    for input or output.
    """
    listed = listed_price(model_id, as_of, base_url=base_url, input_tokens=input_tokens)
    if listed is not None or base_url:
        return listed
    fact = facts_on(as_of).model(model_id)
    return None if fact is None else price_of_fact(fact, as_of)


def listed_price(
    model_id: str,
    as_of: date,
    *,
    base_url: str | None = None,
    input_tokens: float = 0.0,
) -> Price | None:
    """Look up the price of a model on a day by the public list alone; see ``price_on``."""
    provider, _, name = model_id.partition(":")
    if not name:  # a bare name may be served by anybody, at any price
        return None
    if base_url:
        try:
            address = plain_address(base_url)
        except CaseError:  # an invalid address is refused where it is called
            return None
        model = find_model(name, None, address)
    else:
        model = find_model(name, provider, None)
    if model is None:
        return None
    plain = amounts_for(rates_on(model, as_of), input_tokens)
    if plain.input is None or plain.output is None:
        return None
    batch = amounts_for(rates_on(model, as_of, batch=True), input_tokens)
    if batch == plain or batch.output is None:  # nothing is cheaper in a batch
        batch = NO_AMOUNTS
    return Price(
        input=plain.input,
        output=plain.output,
        cached_input=plain.cached,
        batch_input=batch.input,
        batch_output=batch.output,
        batch_cached_input=None if batch.cached == plain.cached else batch.cached,
        context_tokens=model.get("context"),
        catalogue=catalogue(),
    )


UNLISTED = "its own isn't listed: the dearest there, or that of its base"
"""The note on the price of a model that ``least_price`` found."""
_TUNED_NAME = re.compile(r"ft:([^:]+):")


def least_price(name: str, address: str, day: date) -> Price | None:
    """Return the lowest price for an unlisted model at an address; None for an unlisted provider.

    If its name says which model was tuned, that model's price counts, else the highest price there.
    """
    tuned = _TUNED_NAME.match(name)
    if tuned is not None:
        # any provider stands before the name, as the address decides
        of_base = listed_price(f"tuned:{tuned[1]}", day, base_url=address)
        if of_base is not None:
            return of_base
    dearest = dearest_amounts(address, day)
    if dearest.input is None or dearest.output is None:
        return None
    return Price(dearest.input, dearest.output, catalogue=catalogue())


# The provider of a model in a log. A log names a model as its maker's software does: with or without
# the provider, by an alias or by a dated snapshot, after a route or a resource name.

_OWN = re.compile(
    r"ollama|vllm|lm[-_ ]?studio|llama[-_.]?cpp|llamafile|\btgi\b|\blocal\b|localhost",
    re.IGNORECASE,
)
"""Words for a model on your own machine, which has no list price."""
_KINDS = frozenset(
    {"chat", "completion", "responses", "messages", "models", "publishers"}
)
"""Parts before a name that say how it was called."""
_ARN = re.compile(r"arn:aws[\w-]*:bedrock:.*/", re.IGNORECASE)
_BATCH = re.compile(r"\bbatch\b", re.IGNORECASE)
_MANY = 4096


class ServedModel(NamedTuple):
    """A model at its provider."""

    provider: str
    name: str  #: As the log has it, without the provider.
    listed: ListedModel
    batch: bool  #: Whether calls of a batch are meant.

    @property
    def id(self) -> str:
        """Provider and name, as a case file writes it."""
        return f"{self.provider}:{self.name}"

    @property
    def key(self) -> str:
        """Provider and the list's name, equal for an alias and its snapshot."""
        return f"{self.provider}:{self.listed['id']}"

    def amounts(self, day: date, input_tokens: float) -> Amounts:
        """Prices of a request on a day."""
        return amounts_for(rates_on(self.listed, day, batch=self.batch), input_tokens)


@lru_cache(maxsize=_MANY)
def find_served(name: str, provider: str = "") -> ServedModel | None:
    """Find the model with a name, if one provider is likely; None where none or several are.

    ``provider`` is a provider, a route or a host in the log's words. Where the list doesn't know
    it, the maker of the named model is used.
    """
    before_slash, _, _ = name.partition("/")
    if not name or _OWN.search(f"{provider} {before_slash}"):
        return None
    batch = _BATCH.search(provider) is not None
    for place, bare in _readings(name, provider):
        if "://" in place:
            listed = find_model(bare, None, place)
        else:
            listed = find_model(bare, place, None)
        place_id = provider_id(place, bare)
        if listed is not None and place_id is not None:
            return ServedModel(place_id, bare, listed, batch)
    *_, bare = _bares(name)  # the name alone
    return _served_by_maker(bare, batch=batch)


def _served_by_maker(name: str, *, batch: bool) -> ServedModel | None:
    """The model at its maker, else at the only provider that lists it."""
    of_maker = find_model(name, None, None)
    maker = provider_id(None, name)
    if of_maker is not None and maker is not None:
        return ServedModel(maker, name, of_maker, batch)
    offers = providers_with(name)
    if len(offers) != 1:  # nobody knows at which of them it ran
        return None
    ((only_provider, model),) = offers
    return ServedModel(only_provider, name, model, batch)


def _readings(name: str, provider: str) -> Iterator[tuple[str, str]]:
    """Yield pairs of a provider and a name that the log may mean, the likelier first."""
    bares = list(_bares(name))
    for place in _places(provider):
        for bare in bares:
            yield place, bare
    if _ARN.match(name):  # Amazon's name of a resource
        yield "bedrock", bares[-1]
    for sign in (":", "/"):
        first, _, rest = name.partition(sign)
        if rest and provider_id(first, rest) is not None:
            for bare in _bares(rest):
                yield first, bare


def _places(provider: str) -> tuple[str, ...]:
    """The provider as the list may know it; what has a dot may be a host, or a name."""
    if not provider:
        return ()
    if "://" in provider or "." not in provider:
        return (provider,)
    return (f"https://{provider}", provider)


def _bares(name: str) -> Iterator[str]:
    """Yield the name with fewer and fewer parts before it: ``a/b:c``, ``b:c``, ``c``."""
    rest = _ARN.sub("", name)
    while True:
        yield rest
        part = re.match(r"([^:/]+)([:/])", rest)
        if part is None or part.end() >= len(rest):
            return
        head = part[1].casefold()
        is_known = head in _KINDS or provider_id(head, "") is not None
        if part[2] == ":" and not is_known:
            return  # a version or a size stands behind the colon, as in llama3:8b
        rest = rest[part.end() :]
