"""The hosts at which models are called, and which of them somebody confirmed.

A case file may be a stranger's, and it says where its models are called: under a vendor's name, it
may name any host. So a model that isn't at its vendor's own host is shown with its host. Nothing is
sent to a host that nobody confirmed on this machine, and a case file can't confirm one.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from tuneworthy.errors import CaseError, InputError
from tuneworthy.llm.endpoints import LOOPBACK, PRESETS, Reached, host_of, named_address
from tuneworthy.model.base import Strings

_VENDORS = frozenset(host_of(preset.base_url) for preset in PRESETS.values())


def config_path() -> Path | None:
    """The path of a user's own configuration, if it exists; None without a home."""
    folder = user_folder("XDG_CONFIG_HOME", ".config")
    return None if folder is None else folder / "config.yaml"


def user_folder(variable: str, usual: str) -> Path | None:
    """The program's folder in one of the user's, whether it exists or not.

    The user's folder is in the environment's ``variable``, else it is ``usual`` in the home; None
    without a home.
    """
    named = os.environ.get(variable, "")
    # Unix's variable, and Windows'
    homes = tuple(os.environ.get(name, "") for name in ("HOME", "USERPROFILE"))
    return _user_folder(named, usual, homes)


@lru_cache(maxsize=8)
def _user_folder(named: str, usual: str, _: tuple[str, ...]) -> Path | None:
    """Our folder of a user, where the environment or the home names one.

    A decision asks twenty times, so it is cached. The last argument has the variables that
    ``Path.home`` reads, so that another home isn't taken for the cached one.
    """
    base = Path(named)
    # it is empty, or would depend on where the program was started
    if not base.is_absolute():
        try:
            base = Path.home() / usual
        except RuntimeError:  # no home is known
            return None
    return base / "tuneworthy"


def read_host(text: str) -> str:
    """Read the host in a host's name or an address; a CaseError for another text."""
    return host_of(text if "://" in text else f"https://{text}")


def find_strange_host(model_id: str, base_url: str | None) -> str:
    """Return the host of a model that isn't at its vendor's own; empty for one that is.

    A local server is no strange host, unless a vendor's name stands before it. An invalid address
    isn't reported here, but where the model is called.
    """
    if not base_url:
        return ""
    try:
        host = host_of(base_url)
    except CaseError:
        return ""
    provider, _, name = model_id.partition(":")
    preset = PRESETS.get(provider) if name else None
    if preset is None:
        return "" if host in LOOPBACK else host
    own = host_of(preset.base_url)
    both_local = host in LOOPBACK and own in LOOPBACK
    return "" if host == own or both_local else host


def name_with_host(model_id: str, base_url: str | None) -> str:
    """Name a model for people: ``openai:gpt-6-luna at elsewhere.example``."""
    host = find_strange_host(model_id, base_url)
    return f"{model_id} at {host}" if host else model_id


def find_strange_hosts(places: Iterable[Reached]) -> Strings:
    """Return the hosts of places other than their vendors' own, each once."""
    hosts: list[str] = []
    for place in places:
        host = find_strange_host(f"{place.provider}:{place.name}", place.base_url)
        if host and host not in hosts:
            hosts.append(host)
    return tuple(hosts)


def may_send_to(host: str, confirmed: Collection[str] = ()) -> bool:
    """Whether a host is on this machine, is a known vendor's, or was confirmed.

    A host in a user's environment, as in ``OPENAI_BASE_URL``, is confirmed.
    """
    return (
        host in LOOPBACK
        or host in _VENDORS
        or host in confirmed
        or host in _hosts_in_environment()
    )


def _hosts_in_environment() -> frozenset[str]:
    """The hosts at which a user's environment places vendors' models."""
    hosts = set[str]()
    for provider in PRESETS:
        address = named_address(provider)
        if address:
            with suppress(CaseError):  # reported where a model is called there
                hosts.add(read_host(address))
    return frozenset(hosts)


def _is_confirmed(place: Reached, confirmed: Collection[str]) -> bool:
    """Whether a model may be called at its place. A vendor's name confirms only its own host.

    A key for a host is in the environment or the keyring because its user put it there, so it
    confirms the host.
    """
    host = host_of(place.base_url)
    if place.key is not None or host in LOOPBACK or host in confirmed:
        return True
    if host in _hosts_in_environment():
        return True
    preset = PRESETS.get(place.provider)
    if preset is None:
        return host in _VENDORS
    return host == host_of(preset.base_url)


def list_unconfirmed(places: Iterable[Reached], confirmed: Collection[str]) -> Strings:
    """List a sentence for each host that nobody confirmed, with the way to confirm it; () for none."""
    sentences: list[str] = []
    for refusal in _refusals(places, confirmed):
        if str(refusal) not in sentences:
            sentences.append(str(refusal))
    return tuple(sentences)


def refuse_unconfirmed(places: Iterable[Reached], confirmed: Collection[str]) -> None:
    """Raise an error if a place is at a host that nobody confirmed."""
    for refusal in _refusals(places, confirmed):
        raise refusal


def _refusals(
    places: Iterable[Reached], confirmed: Collection[str]
) -> Iterator[InputError]:
    """The error for each place whose host nobody confirmed; a model inside the program has none."""
    for place in places:
        if place.base_url and not _is_confirmed(place, confirmed):
            model = f'model "{place.provider}:{place.name}"'
            yield unconfirmed_error(model, host_of(place.base_url))


def unconfirmed_error(what: str, host: str) -> InputError:
    """The error for a request to a host that nobody confirmed."""
    path = config_path()
    listed = f", or list it under hosts in {shorten_path(path)}" if path else ""
    fix = f"if that is right, run it in a terminal with --to {host}{listed}"
    return CaseError(f"{what} is called at {host}, which nobody confirmed", fix=fix)


def shorten_path(path: Path) -> str:
    """Write a path with ``~`` for the home, if it is inside it."""
    with suppress(RuntimeError, ValueError):  # no home is known, or it is elsewhere
        return f"~/{path.relative_to(Path.home())}"
    return str(path)
