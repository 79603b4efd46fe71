"""The transport for each request, and the price of a request to a case's model."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from datetime import date
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from tuneworthy.errors import CaseError, InputError
from tuneworthy.llm.endpoints import (
    FAKE,
    LOCAL,
    PRESETS,
    NotSent,
    Reached,
    Secret,
    Transport,
    most_input_tokens,
    on_this_machine,
    reach,
)
from tuneworthy.llm.hosts import list_proxies, refuse_unconfirmed
from tuneworthy.llm.prices import (
    least_price,
    list_price,
    look_up,
    price_on,
)
from tuneworthy.llm.runner import PriceOf
from tuneworthy.model.base import Strings, readable
from tuneworthy.model.case import Model, Price, TokenPrice, price_of
from tuneworthy.model.lab import Reply, Request, Usage

FREE = Price(input=0.0, output=0.0)


# Models that are functions of ours, for trials without a key.

Answer = Callable[[Request], str]


class Fake:
    """A transport whose answers come from a function. Each word counts as a token."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def close(self) -> None:
        """Do nothing, as a fake holds nothing open."""

    async def send(self, request: Request) -> Reply:
        """Answer by the function; see ``Transport``."""
        # let other calls run, as they would while a real model answers
        await asyncio.sleep(0)
        text = readable(self._answer(request))
        wrote = max(1, len(text.split()))
        if request.max_tokens is not None:
            wrote = min(wrote, request.max_tokens)
        read = max(1, sum(len(message.content.split()) for message in request.messages))
        return Reply(text=text, usage=Usage(input_tokens=read, output_tokens=wrote))


def echo(request: Request) -> str:
    """Return the last message unchanged; empty without one."""
    return request.messages[-1].content if request.messages else ""


def parrot(request: Request) -> str:
    """Return the last example's answer in the conversation; without one, the last message."""
    answers = [
        message.content for message in request.messages if message.role == "assistant"
    ]
    return answers[-1] if answers else echo(request)


FAKES: Mapping[str, Answer] = {"echo": echo, "parrot": parrot}
"""The function that answers instead of a model, by the end of an id such as ``fake:echo``."""


class Switch:
    """A transport that passes each request to the transport of its base URL, or of its provider."""

    def __init__(self, by_place: Mapping[str, Transport]) -> None:
        self._by_place = dict(by_place)

    async def close(self) -> None:
        # many addresses share one transport
        for transport in set(self._by_place.values()):
            await transport.close()

    async def send(self, request: Request) -> Reply:
        """Send a request by the transport of its place; see ``Transport``."""
        place = request.base_url or f"{request.provider}:{request.model}"
        transport = self._by_place.get(place)
        if transport is None:
            raise NotSent(f"nothing serves {request.model}", again=False)
        return await transport.send(request)


def transport_for(
    places: Sequence[Reached],
    *,
    timeout_s: float = 120.0,
    at_once: int = 64,
    confirmed: Collection[str] = (),
) -> Transport:
    """Return the transport for requests to some models; the caller closes it.

    An answer that takes more than ``timeout_s`` seconds is in doubt. ``at_once`` is the most calls
    in flight (give the runner no more). ``confirmed`` are hosts that may get calls beside the
    vendors' own. Raises InputError if nobody confirmed a host, a key
    or a library is missing, or a fake has no such name.
    """
    refuse_unconfirmed(places, confirmed)
    # an invalid address is refused here
    list_proxies(place.base_url for place in places)
    keys = _keys_by_address(places)
    by_place: dict[str, Transport] = {}
    for place in places:
        lacks = _lacks_key(place)
        if lacks:
            raise lacks
        if not place.base_url:
            name = f"{place.provider}:{place.name}"
            by_place[name] = _transport_inside(place)
    if keys:
        http = _http(keys, timeout_s=timeout_s, at_once=at_once, confirmed=confirmed)
        for address in keys:
            by_place[address] = http
    return Switch(by_place)


def _transport_inside(place: Reached) -> Transport:
    """The transport of a model inside this program: the embedded one, or a fake."""
    from tuneworthy.llm.embedded import local_model

    if place.provider != FAKE:
        return local_model(place.name)
    if place.name in FAKES:
        return Fake(FAKES[place.name])
    fix = f"there is {', '.join(FAKES)}"
    raise CaseError(f'there is no model "{place.provider}:{place.name}"', fix=fix)


def _keys_by_address(places: Iterable[Reached]) -> dict[str, Secret | None]:
    """The key for each address, None for an address without a key.

    Two models at one address may take their key from different variables, such as a vendor's model
    and one that names the vendor's address. If one of the keys exists, it serves both. Two
    different keys are a CaseError, as nobody can say which of them would pay for an answer.
    """
    chosen: dict[str, Reached] = {}  # by address, a place with a key where there is one
    for place in places:
        if not place.base_url:
            continue
        other = chosen.get(place.base_url)
        if other is None or other.key is None:
            chosen[place.base_url] = place
        elif place.key is not None and place.key.reveal() != other.key.reveal():
            what = f"{other.key_from} and {place.key_from} hold different keys for one address"
            raise CaseError(what, where=place.base_url, fix="unset one of them")
    return {address: place.key for address, place in chosen.items()}


def lacking_keys(places: Iterable[Reached]) -> Strings:
    """Return a sentence for each key that a place needs and that this machine lacks."""
    sentences = []
    for place in places:
        lacks = _lacks_key(place)
        if lacks is not None and str(lacks) not in sentences:
            sentences.append(str(lacks))
    return tuple(sentences)


def _lacks_key(place: Reached) -> CaseError | None:
    """The error for a vendor's endpoint without its key; None where it has one or needs none."""
    preset = PRESETS.get(place.provider)
    if preset is None or preset.base_url != place.base_url:
        return None  # not the vendor's own address
    if not preset.key_from or place.key:
        return None
    fix = f"put it into the environment variable {place.key_from}"
    return CaseError(f'model "{place.provider}:{place.name}" needs a key', fix=fix)


def _http(keys: Mapping[str, Secret | None], **more: Any) -> Transport:
    """The transport over HTTP; an InputError where its library isn't installed."""
    try:
        from tuneworthy.llm.http import Http
    except ImportError as lacking:
        fix = "install it: pip install 'tuneworthy[lab]'"
        raise InputError(f"calling models needs {lacking.name}", fix=fix) from None
    return Http(keys, **more)


def prices_of(
    models: Iterable[Model], as_of: date, trusted: Collection[str] = frozenset()
) -> PriceOf:
    """Return the prices of requests to a case's models; None for a model without a known price.

    A stated price counts. At a vendor known by name, it counts at least as the list price of the
    day ``as_of`` for the longest prompts: a cap has to hold whatever a file says. A model that
    isn't listed counts at least as ``least_price`` says. A price of 0 counts only on this machine.
    Stated prices of models ``trusted`` by id count unchanged. A fake, or a model inside this
    program, costs nothing.
    """
    return _RequestPrices(models, as_of, trusted).price


class _RequestPrices:
    """Prices of requests to a case's models; see ``prices_of``."""

    def __init__(
        self, models: Iterable[Model], as_of: date, trusted: Collection[str]
    ) -> None:
        self._as_of = as_of
        self._trusted = trusted
        self._by_place: dict[tuple[str, str], Model] = {}  # by address and name
        # a lab asks for the same few prices very often
        self._listed: dict[tuple[Model, int], Price | None] = {}
        for model in models:
            # a model that can't be reached is reported where it is reached
            with suppress(CaseError):
                place = reach(model)
                address = place.base_url or place.provider
                self._by_place.setdefault((address, place.name), model)

    def price(self, request: Request) -> Price | None:
        """The price of a request: as stated where that is trusted, else at least the list price."""
        model = self._by_place.get(
            (request.base_url or request.provider, request.model)
        )
        stated = None if model is None else price_of(model, {})
        if not request.base_url and request.provider in (LOCAL, FAKE):
            return stated or FREE  # it runs inside this program
        if model is None:
            return None
        if stated is not None:
            is_trusted = model.id in self._trusted
            if is_trusted or on_this_machine(request.base_url):
                return stated
        # prices have steps by length; the next power of two makes few lookups of many lengths
        tokens = 1 << most_input_tokens(request).bit_length()
        return _at_least(stated, self._list_price(model, tokens))

    def _list_price(self, model: Model, tokens: int) -> Price | None:
        """The list price of a model at the place where it is called; None for an unlisted one."""
        asked = (model, tokens)
        if asked not in self._listed:
            self._listed[asked] = self._look_up_listed(model, tokens)
        return self._listed[asked]

    def _look_up_listed(self, model: Model, tokens: int) -> Price | None:
        if model.usd_per_mtok is None:
            return list_price(model, self._as_of, tokens)
        place = reach(model)  # the name that the endpoint knows it by
        address = place.base_url if model.base_url else None
        name = f"{place.provider}:{place.name}"
        listed = price_on(name, self._as_of, base_url=address, input_tokens=tokens)
        # a stated 0 doesn't count, so an unlisted model with it has no price
        if listed is not None or _is_free(model.usd_per_mtok):
            return listed
        return least_price(place.name, place.base_url, self._as_of)


def _is_free(price: Price | TokenPrice) -> bool:
    return price.input == 0 and price.output == 0


def _at_least(stated: Price | None, listed: Price | None) -> Price | None:
    """A stated price, if it isn't below the list price; a stated 0 doesn't count."""
    if stated is None:
        return listed
    if listed is None:
        return None if _is_free(stated) else stated
    if stated.input >= listed.input and stated.output >= listed.output:
        return stated
    return Price(max(stated.input, listed.input), max(stated.output, listed.output))


WAIT_S = 1.0  #: How long an endpoint on this machine has to answer.
_MOST_BYTES = 1024 * 1024  # of a list of models
_MOST_NAMED = 100  # models of an endpoint

State = Literal["key", "no_key", "answers", "silent", "open", "inside", "unknown"]
"""Its key exists; its key is missing; it answers on this machine; it doesn't answer there; it needs
no key; it runs inside this program; its address is unknown."""


class Served(NamedTuple):
    """An endpoint, or a model of a case."""

    name: str  #: Provider, or the model's id.
    base_url: str  #: Empty where it runs inside this program, or nobody knows.
    state: State
    #: Variable that its key is read from; empty where none is needed.
    key_from: str = ""
    #: None for an endpoint, and for a model whose price nobody states.
    price: Price | None = None
    models: Strings = ()  #: Names that an endpoint on this machine says it serves.
    why: str = ""  #: The fault of its address.


def endpoints() -> tuple[Served, ...]:
    """List the endpoints known by name, each where the environment says, else at its vendor."""
    described = _describe([Model(id=f"{provider}:any") for provider in PRESETS])
    return tuple(
        served._replace(name=provider)
        for provider, served in zip(PRESETS, described, strict=True)
    )


def of_case(models: Iterable[Model], as_of: date) -> tuple[Served, ...]:
    """List the models of a case, in their order, with the list prices of a day."""
    known = tuple(models)
    listed = look_up(known, as_of)
    described = []
    for model, served in zip(known, _describe(known), strict=True):
        price = price_of(model, listed)
        if price is None and served.state == "inside":
            price = FREE
        is_known = served.state != "unknown"
        described.append(served._replace(price=price if is_known else None))
    return tuple(described)


def _describe(models: Sequence[Model]) -> list[Served]:
    """How each model can be called; endpoints on this machine are asked, all at once."""
    described: list[Served] = []
    asking: list[threading.Thread] = []

    def ask(index: int, place: Reached) -> None:
        names = _models_at(place)
        if names is not None:
            answering = described[index]._replace(state="answers", models=names)
            described[index] = answering

    for index, model in enumerate(models):
        try:
            place = reach(model)
        except CaseError as caught:
            described.append(Served(model.id, "", "unknown", why=str(caught)))
            continue
        described.append(_describe_place(model.id, place))
        if described[index].state == "silent":
            # a daemon, so that one that hangs doesn't keep the program from ending
            thread = threading.Thread(target=ask, args=(index, place), daemon=True)
            asking.append(thread)
            thread.start()
    for thread in asking:
        thread.join(WAIT_S)
    return list(described)  # a copy, which a late thread can't change


def _describe_place(name: str, place: Reached) -> Served:
    """A model with its state; one on this machine is silent until it answers."""
    if not place.base_url:
        return Served(name, "", "inside")
    if on_this_machine(place.base_url):
        return Served(name, place.base_url, "silent")
    state: State = "open"
    if place.key is not None:
        state = "key"
    elif place.key_from in _NEEDED:
        state = "no_key"
    return Served(name, place.base_url, state, place.key_from)


#: Variables with keys that a vendor's endpoint needs.
_NEEDED = frozenset(preset.key_from for preset in PRESETS.values() if preset.key_from)


def _models_at(place: Reached) -> Strings | None:
    """The models that a place lists; () for an answer that isn't a list, None for no answer."""
    parts = urlsplit(place.base_url)
    connect: type[http.client.HTTPConnection] = http.client.HTTPConnection
    if parts.scheme == "https":
        connect = http.client.HTTPSConnection
    headers = {}
    if place.key is not None:
        headers["Authorization"] = f"Bearer {place.key.reveal()}"
    # whatever goes wrong, it doesn't answer
    with suppress(OSError, http.client.HTTPException, ValueError):
        connection = connect(parts.hostname or "", parts.port, timeout=WAIT_S)
        with closing(connection):
            connection.request("GET", f"{parts.path}/models", headers=headers)
            answer = connection.getresponse()
            if answer.status == http.client.OK:
                return _names_in_list(answer.read(_MOST_BYTES))
    return None


def _names_in_list(raw: bytes) -> Strings:
    """Names in a list of models; () without a list."""
    try:
        listed = json.loads(raw)["data"]
        return tuple(str(each["id"])[:200] for each in listed[:_MOST_NAMED])
    except (ValueError, TypeError, KeyError, RecursionError):
        return ()
