"""Which transport carries which request, and what a request of a case's model costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date
from functools import lru_cache

from tuneworthy.calls.endpoints import FAKE, LOCAL, PRESETS, Reached, Secret, reach
from tuneworthy.calls.fake import FAKES, Fake
from tuneworthy.calls.money import most_input_tokens
from tuneworthy.calls.prices import price_on
from tuneworthy.calls.run import PriceOf
from tuneworthy.calls.transport import NotSent, Transport
from tuneworthy.domain.calls import Reply, Request
from tuneworthy.domain.case import Model
from tuneworthy.domain.errors import CaseError, InputError
from tuneworthy.domain.prices import Price, price_of

FREE = Price(input=0.0, output=0.0)


class Switch:
    """A transport that hands each request to the one that serves its address.

    Args:
        by_place: Transport by base URL, or by provider where that is empty.
    """

    def __init__(self, by_place: Mapping[str, Transport]) -> None:
        self._by_place = dict(by_place)

    async def close(self) -> None:
        """Close all of them."""
        for each in {id(one): one for one in self._by_place.values()}.values():
            await each.close()

    async def send(self, request: Request) -> Reply:
        """Hand it over; see ``Transport``."""
        found = self._by_place.get(request.base_url or f"{request.provider}:{request.model}")
        if found is None:
            raise NotSent(f"nothing serves {request.model}", again=False)
        return await found.send(request)


def transport_for(
    places: Sequence[Reached], *, timeout_s: float = 120.0, at_once: int = 64,
    local: Callable[[str], Transport] | None = None,
) -> Transport:  # fmt: skip
    """What carries requests to some models.

    Args:
        places: Where they are reached; see ``reach``.
        timeout_s: Seconds after which an answer that hasn't come is in doubt.
        at_once: The most calls on the wire; give the runner no more.
        local: Gives an embedded model by its name; None for the one of ours.

    Returns:
        The transport. Whoever asked for it closes it.

    Raises:
        InputError: If a key or a library is missing, or a fake has no such name.
    """
    found: dict[str, Transport] = {}
    keys = {place.base_url: place.key for place in places if place.base_url}
    for place in places:
        if place.base_url:
            _want_key(place)
        elif place.provider == FAKE:
            found[f"{FAKE}:{place.name}"] = _fake(place.name)
        else:
            found[f"{LOCAL}:{place.name}"] = (local or _local)(place.name)
    if keys:
        http = _http(keys, timeout_s, at_once)
        found |= dict.fromkeys(keys, http)
    return Switch(found)


def lacking_keys(places: Iterable[Reached]) -> tuple[str, ...]:
    """The keys that some of the places need and this machine doesn't have, a sentence each."""
    found = []
    for place in places:
        try:
            _want_key(place)
        except CaseError as caught:
            found.append(str(caught))
    return tuple(dict.fromkeys(found))


def _want_key(place: Reached) -> None:
    preset = PRESETS.get(place.provider)
    known = preset is not None and preset.base_url == place.base_url and preset.key_from
    if known and place.key is None:
        fix = f"put it into the environment variable {place.key_from}"
        raise CaseError(f'model "{place.provider}:{place.name}" needs a key', fix=fix)


def _http(keys: Mapping[str, Secret | None], timeout_s: float, at_once: int) -> Transport:
    try:
        from tuneworthy.calls.http import Http
    except ImportError as lacking:
        fix = "install it: pip install 'tuneworthy[lab]'"
        raise InputError(f"calling models needs {lacking.name}", fix=fix) from None
    return Http(keys, timeout_s=timeout_s, at_once=at_once)


def _local(name: str) -> Transport:
    from tuneworthy.calls.embedded import local_model

    return local_model(name)


def _fake(name: str) -> Transport:
    if name not in FAKES:
        raise CaseError(f'there is no model "fake:{name}"', fix=f"there is {', '.join(FAKES)}")
    return Fake(FAKES[name])


def prices_of(models: Iterable[Model], as_of: date) -> PriceOf:
    """What requests of a case's models cost.

    Args:
        models: The models. One that states its price has it; one that is a function of ours or
            runs inside this program costs nothing; a prompted one of a known provider has its list
            price, for prompts as long as they can be.
        as_of: The day whose list prices count.

    Returns:
        The price of a request; None for one whose price nobody states.
    """
    by_place: dict[tuple[str, str], Model] = {}
    for model in models:
        with suppress(CaseError):  # a model that can't be reached is told of where it is reached
            place = reach(model)
            by_place.setdefault((place.base_url or place.provider, place.name), model)

    @lru_cache(maxsize=4096)
    def listed(model: Model, tokens: int) -> Price | None:
        if model.kind != "prompted" or model.runs == "own":
            return None  # what a catalogue has under such a name is somebody else's price
        return price_on(model.id, as_of, base_url=model.base_url, input_tokens=tokens)

    def price(request: Request) -> Price | None:
        model = by_place.get((request.base_url or request.provider, request.model))
        if model is not None and model.usd_per_mtok is not None:
            return price_of(model, {})
        if not request.base_url and request.provider in (LOCAL, FAKE):
            return FREE
        if model is None:
            return None
        return listed(model, 1 << most_input_tokens(request).bit_length())

    return price
