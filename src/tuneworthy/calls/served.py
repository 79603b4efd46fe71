"""Which models can be called from here, and at what price. Nothing leaves this machine."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Literal
from urllib.parse import urlsplit

from tuneworthy.calls.choose import FREE
from tuneworthy.calls.endpoints import FAKE, LOCAL, PRESETS, Reached, on_this_machine, reach
from tuneworthy.calls.prices import look_up
from tuneworthy.domain.case import Model
from tuneworthy.domain.errors import CaseError
from tuneworthy.domain.prices import Price, price_of

WAIT_S = 1.0
"""How long an endpoint on this machine has to answer."""
_MOST_BYTES = 1024 * 1024
_MOST_NAMED = 100

State = Literal["key", "no_key", "answers", "silent", "open", "inside", "published", "unknown"]
"""Its key is there; it isn't; it answers on this machine; it doesn't; it is called without a key;
it runs inside this program; it is a figure somebody published; nobody knows where it is served."""


@dataclass(frozen=True, slots=True)
class Served:
    """An endpoint, or a model of a case."""

    name: str
    """Provider, or the model's id."""
    base_url: str
    """Empty where it runs inside this program, or nobody knows."""
    state: State
    key_from: str = ""
    """Variable that its key is read from; empty where none is needed."""
    price: Price | None = None
    """None for a whole endpoint, and for a model whose price nobody states."""
    models: tuple[str, ...] = ()
    """Names that an endpoint on this machine says it serves."""
    why: str = ""
    """What is wrong with its address."""


def endpoints() -> tuple[Served, ...]:
    """The endpoints that are known by name."""
    places = [reach(Model(id=f"{provider}:any")) for provider in PRESETS]
    return tuple(_served(place.provider, each, None) for place, each in _probed(places))


def of_case(models: Iterable[Model], as_of: date) -> tuple[Served, ...]:
    """The models of a case.

    Args:
        models: In their order.
        as_of: The day whose list prices count.
    """
    known = tuple(models)
    listed = look_up(known, as_of)
    found: dict[int, Served] = {}
    places: list[Reached] = []
    at: list[int] = []
    for number, model in enumerate(known):
        try:
            places.append(reach(model))
            at.append(number)
        except CaseError as caught:
            state: State = "unknown" if model.published is None else "published"
            found[number] = Served(model.id, "", state, why=str(caught))
    for number, (_, probed) in zip(at, _probed(places), strict=True):
        model = known[number]
        inside = probed.place.provider in (LOCAL, FAKE) and not probed.place.base_url
        price = price_of(model, listed) or (FREE if inside else None)
        found[number] = _served(model.id, probed, price)
    return tuple(found[number] for number in range(len(known)))


@dataclass(slots=True)
class _Probe:
    place: Reached
    models: tuple[str, ...] | None = None
    """None where it doesn't answer, or wasn't asked."""


def _probed(places: Iterable[Reached]) -> list[tuple[Reached, _Probe]]:
    """Ask what is on this machine, all at a time; anything else is not asked."""
    probes = [_Probe(place) for place in places]
    threads = [
        threading.Thread(target=_ask, args=(probe,), daemon=True)
        for probe in probes
        if probe.place.base_url and on_this_machine(probe.place.base_url)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    return [(probe.place, probe) for probe in probes]


def _ask(probe: _Probe) -> None:
    parts = urlsplit(probe.place.base_url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    headers = {}
    if probe.place.key is not None:
        headers["Authorization"] = f"Bearer {probe.place.key.reveal()}"
    with suppress(OSError, http.client.HTTPException, ValueError):
        connection = kind(parts.hostname or "", parts.port, timeout=WAIT_S)
        try:
            connection.request("GET", f"{parts.path}/models", headers=headers)
            answer = connection.getresponse()
            if answer.status == http.client.OK:
                probe.models = _names(answer.read(_MOST_BYTES))
        finally:
            connection.close()


def _names(raw: bytes) -> tuple[str, ...]:
    """Names in a list of models; () where there is no list."""
    try:
        listed = json.loads(raw)["data"]
        return tuple(str(each["id"])[:200] for each in listed[:_MOST_NAMED])
    except (ValueError, TypeError, KeyError, RecursionError):
        return ()


def _served(name: str, probe: _Probe, price: Price | None) -> Served:
    place = probe.place
    state: State
    if not place.base_url:
        state = "inside"
    elif on_this_machine(place.base_url):
        state = "silent" if probe.models is None else "answers"
    elif place.key is not None:
        state = "key"
    else:
        state = "no_key" if place.key_from in _NEEDED else "open"
    key_from = "" if state in ("inside", "answers", "silent") else place.key_from
    return Served(name, place.base_url, state, key_from, price, probe.models or ())


_NEEDED = frozenset(preset.key_from for preset in PRESETS.values() if preset.key_from)
