"""The proxy for calls, if a user's environment or ``--proxy`` names one.

Only encrypted calls go through a proxy, so it sees the called host, but neither a key nor a text.
Calls to this machine never use it. A case file can't name one.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from tuneworthy.errors import CaseError, InputError
from tuneworthy.llm.endpoints import host_of, on_this_machine
from tuneworthy.model.base import Strings

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
    names: list[str] = []
    for url in urls:
        if not url:  # a model inside this program
            continue
        with suppress(CaseError):  # an invalid address is reported where it is called
            proxy = find_proxy(url)
            if proxy is not None and proxy.without_login not in names:
                names.append(proxy.without_login)
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
