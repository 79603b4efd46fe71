"""The hosts at which models are called: who confirmed them, and the proxy on the way.

A case file may be a stranger's, and it says where its models are called: under a vendor's name, it
may name any host. So a model that isn't at its vendor's own host is shown with its host. Nothing is
sent to a host that nobody confirmed on this machine, and a case file can't confirm one.

A user's environment or ``--proxy`` may name a proxy, and a case file can't. Only encrypted calls go
through it, so it sees the called host, but neither a key nor a text. Calls to this machine never do.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from tuneworthy.errors import CaseError, InputError
from tuneworthy.llm.endpoints import (
    LOOPBACK,
    PRESETS,
    Reached,
    host_of,
    named_address,
    on_this_machine,
)
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
    base = Path(os.environ.get(variable, ""))
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
    hosts = [
        find_strange_host(f"{place.provider}:{place.name}", place.base_url)
        for place in places
    ]
    return tuple(dict.fromkeys(host for host in hosts if host))


def may_send_to(host: str, confirmed: Collection[str], provider: str = "") -> bool:
    """Whether a host is on this machine, in a user's environment, confirmed, or a vendor's own.

    A vendor's name confirms only its own host; another name confirms every vendor's.
    """
    if host in LOOPBACK or host in confirmed or host in _hosts_in_environment():
        return True
    preset = PRESETS.get(provider)
    if preset is None:
        return host in _VENDORS
    return host == host_of(preset.base_url)


def _hosts_in_environment() -> frozenset[str]:
    """The hosts at which a user's environment places vendors' models, as ``OPENAI_BASE_URL`` does."""
    hosts = set[str]()
    for provider in PRESETS:
        address = named_address(provider)
        if address:
            with suppress(CaseError):  # reported where a model is called there
                hosts.add(read_host(address))
    return frozenset(hosts)


def list_unconfirmed(places: Iterable[Reached], confirmed: Collection[str]) -> Strings:
    """List a sentence for each host that nobody confirmed, with the way to confirm it; () for none."""
    refusals = [str(refusal) for refusal in _refusals(places, confirmed)]
    return tuple(dict.fromkeys(refusals))


def refuse_unconfirmed(places: Iterable[Reached], confirmed: Collection[str]) -> None:
    """Raise an error if a place is at a host that nobody confirmed."""
    for refusal in _refusals(places, confirmed):
        raise refusal


def _refusals(
    places: Iterable[Reached], confirmed: Collection[str]
) -> Iterator[InputError]:
    """The error for each place whose host nobody confirmed; a model inside the program has none.

    A key for a host is in the environment or the keyring because its user put it there, so it
    confirms the host.
    """
    for place in places:
        if not place.base_url or place.key is not None:
            continue
        host = host_of(place.base_url)
        if not may_send_to(host, confirmed, place.provider):
            yield unconfirmed_error(f'model "{place.provider}:{place.name}"', host)


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


# The proxy.

VARIABLE = "HTTPS_PROXY"
_ENCRYPTED = "https"
_USUAL_PORTS = {"http": 80, "https": 443}


class Proxy(NamedTuple):
    """The address of a proxy; it may hold a password."""

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"Proxy({self.without_login})"

    @property
    def without_login(self) -> str:
        """Host and port without the user and the password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def address(self) -> str:
        return f"{self.scheme}://{self.without_login}"

    @property
    def headers(self) -> dict[str, str]:
        """The header that signs in at the proxy; {} without a user. Only the proxy gets it."""
        if not self.user:
            return {}
        login = b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Proxy-Authorization": f"Basic {login}"}


def read_proxy(text: str, where: str = VARIABLE) -> Proxy:
    """Read a proxy with or without http://, a port, a user and a password.

    Raises InputError for another text. The error doesn't repeat it, as it may hold a password.
    """
    no_proxy = InputError(
        "names no proxy over http", where=where, fix="write it as http://host:3128"
    )
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port
    except ValueError:
        raise no_proxy from None
    plain = text.isascii() and text.isprintable() and " " not in text
    if not plain or not parts.hostname or parts.scheme not in _USUAL_PORTS:
        raise no_proxy
    user = unquote(parts.username or "")
    password = unquote(parts.password or "")
    usual = _USUAL_PORTS[parts.scheme]
    return Proxy(parts.scheme, parts.hostname, port or usual, user, password)


def find_proxy(url: str) -> Proxy | None:
    """Return the proxy for calls to an address; None for direct calls.

    It is that of ``HTTPS_PROXY``, else of ``ALL_PROXY``, except for hosts in ``NO_PROXY``. A
    variable in small letters takes precedence.
    """
    # a proxy would read what isn't encrypted
    if urlsplit(url).scheme.lower() != _ENCRYPTED or on_this_machine(url):
        return None
    proxies = getproxies_environment()
    text = proxies.get(_ENCRYPTED) or proxies.get("all") or ""
    host = host_of(url).strip("[]")  # NO_PROXY has IPv6 addresses without brackets
    if not text.strip() or proxy_bypass(host):
        return None
    return read_proxy(text.strip())


def list_proxies(urls: Iterable[str]) -> Strings:
    """List the proxies for calls to some addresses, without passwords, each once."""
    names: dict[str, None] = {}
    for url in urls:
        if not url:  # a model inside this program
            continue
        with suppress(CaseError):  # an invalid address is reported where it is called
            proxy = find_proxy(url)
            if proxy is not None:
                names[proxy.without_login] = None
    return tuple(names)


def except_this_machine() -> None:
    """Let libraries that read the environment themselves reach this machine without a proxy."""
    proxies = getproxies_environment()
    exceptions = proxies.pop("no", "")
    no_proxy_at_all = not proxies or exceptions.strip() == "*"
    if no_proxy_at_all:
        return
    hosts = [host for host in exceptions.split(",") if host]
    for own in ("localhost", "127.0.0.1", "::1"):
        if own not in hosts:
            hosts.append(own)
    # some libraries read one of them, and some the other
    for variable in ("no_proxy", "NO_PROXY"):
        os.environ[variable] = ",".join(hosts)


@contextmanager
def use_proxy(text: str) -> Iterator[None]:
    """Let this program and its child processes use a proxy until the block ends."""
    read_proxy(text, "--proxy")
    # the lower-case variable counts before the one in capitals
    variable = VARIABLE.lower()
    before = os.environ.get(variable)
    os.environ[variable] = text
    try:
        yield
    finally:
        os.environ.pop(variable, None)
        if before is not None:
            os.environ[variable] = before
