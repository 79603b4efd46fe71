"""Sockets and limits of servers, for every surface with one."""

from __future__ import annotations

import ipaddress
import socket
from collections import Counter
from collections.abc import Callable, MutableMapping
from contextlib import ExitStack
from typing import Any

from tuneworthy.errors import InputError

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  # compared with, not bound to
HEADERS_S = 10.0
BODY_S = 30.0
BODY_BYTES_S = 16 * 1024
"""Seconds that a client has for its headers and for a body. This many bytes give one more second."""
AT_ONCE = 512
"""The most connections. If all have shown the token, another one is turned away."""
STRANGERS = AT_ONCE // 2
STRANGERS_OF_AN_ADDRESS = STRANGERS // 2
"""The most connections without the token, in all and from one address."""
GRACE_S = 0.5
"""Seconds that a stranger has to show the token before another connection may replace it."""

#: Whether a request shows the token.
Shows = Callable[[MutableMapping[str, Any]], bool]


def is_loopback(host: str) -> bool:
    """Whether an address can be reached only from this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def listening(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free port."""
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
        raise InputError(
            f"can't be listened on ({why})", where=f"{host}:{port}", fix=fix
        ) from None
    return listener


def in_link(host: str) -> str:
    """An address in the form for a link."""
    if host in EVERYWHERE:
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def serve(
    app: Any, listens: socket.socket, *, shows: Shows, patience_s: int, log: str
) -> None:
    """Serve until it is interrupted; open connections then have ``patience_s`` seconds.

    Connections without the token give way to others. The server's name isn't sent.
    """
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    config = uvicorn.Config(
        app,
        log_config=None,
        log_level=log,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        http=impatient(H11Protocol, shows),
        limit_concurrency=AT_ONCE + 1,
        timeout_graceful_shutdown=patience_s,
        ws="none",
    )
    uvicorn.Server(config).run(sockets=[listens])


def group_address(client: tuple[str, int] | None) -> str:
    """The group that an address is counted with: the whole network for IPv6.

    Each machine of an IPv6 network has many addresses.
    """
    if client is None:
        return ""
    address = ipaddress.ip_address(client[0].partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return client[0].removeprefix("::ffff:")


class Strangers:
    """Connections without the token, the oldest first, each with its address."""

    def __init__(self) -> None:
        self._addresses: dict[Any, str] = {}

    def add(self, newcomer: Any) -> None:
        """Add a connection. Where there are too many, the oldest of the busiest address is dropped."""
        self._addresses[newcomer] = group_address(newcomer.client)
        while True:
            (address, count), *_ = Counter(self._addresses.values()).most_common(1)
            oldest = next(
                each for each, its in self._addresses.items() if its == address
            )
            had_its_time = newcomer.came - oldest.came >= GRACE_S
            many = count > STRANGERS_OF_AN_ADDRESS or len(self._addresses) > STRANGERS
            is_full = len(newcomer.connections) > AT_ONCE
            if oldest is newcomer or not (is_full or (many and had_its_time)):
                return
            self.drop(oldest)
            oldest.connections.discard(oldest)  # its place is free now
            oldest.transport.abort()

    def see(self, connection: Any, shows: Shows) -> None:
        """Remove a connection if its request shows the token."""
        if (
            connection in self._addresses
            and connection.scope
            and shows(connection.scope)
        ):
            self.drop(connection)

    def drop(self, connection: Any) -> None:
        """Remove a connection."""
        self._addresses.pop(connection, None)


def impatient(protocol: type[Any], shows: Shows) -> type[Any]:
    """Uvicorn's protocol over h11, but without patience for slow requests.

    It drops a client that is too slow with the rest of a request. Otherwise as many silent
    connections as are allowed would lock everybody out.
    """
    import h11

    strangers = Strangers()

    class Impatient(protocol):  # type: ignore[misc]  # given by who may import uvicorn
        came = 0.0  # when it connected
        _owed: Any = None  # what the client has still to send: h11's state of it
        _until = 0.0
        _timer: Any = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.came = self.loop.time()
            strangers.add(self)
            self._wait()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            strangers.see(self, shows)
            self._wait()
            self._until += len(data) / BODY_BYTES_S * (self._owed is h11.SEND_BODY)

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            strangers.drop(self)
            self._timer = self._timer and self._timer.cancel()

        def _wait(self) -> None:
            """Start or stop the timer: it runs while the other side owes a part of a request."""
            answering = self.cycle is not None and not self.cycle.response_complete
            state = self.conn.their_state
            owed = state if state is h11.SEND_BODY or not answering else None
            if owed is not self._owed:
                self._timer = self._timer and self._timer.cancel()
                self._owed = owed
                if owed is not None:
                    patience = HEADERS_S if owed is h11.IDLE else BODY_S
                    self._until = self.loop.time() + patience
                    self._timer = self.loop.call_at(self._until, self._look)

        def _look(self) -> None:
            if self.flow.read_paused:  # we paused reading ourselves
                self._until = self.loop.time() + BODY_S
            if self.loop.time() >= self._until:
                self.transport.abort()
            else:
                self._timer = self.loop.call_at(self._until, self._look)

    return Impatient
