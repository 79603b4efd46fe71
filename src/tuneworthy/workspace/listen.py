"""Where a server listens, for every surface that has one."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import ExitStack

from tuneworthy.errors import InputError

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  # compared with, not bound to


def is_loopback(host: str) -> bool:
    """Whether an address can only be reached from this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with ExitStack() as undo:
            listener = undo.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(128)
            undo.pop_all()  # it listens: closing it is the caller's now
    except (OSError, UnicodeError, OverflowError) as caught:
        why = getattr(caught, "strerror", None) or "not an address"
        fix = "choose another --host or --port"
        raise InputError(f"can't be listened on ({why})", where=f"{host}:{port}", fix=fix) from None
    return listener


def in_link(host: str) -> str:
    """An address as it stands in a link."""
    if host in EVERYWHERE:
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
