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
HEADERS_S = 10.0  #: Seconds that a client has for its headers.
BODY_S = 30.0  #: Seconds that a client has for a body.
BODY_BYTES_S = 16 * 1024  #: Bytes of a body that give the client one more second.
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
    """Open a listening socket; port 0 takes a free port."""
    try:
        # several addresses may fit the host; the system puts the one to prefer first
        addresses = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, address = addresses[0]
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
        proxy_headers=False,  # a stranger could write any address into them
        http=impatient(H11Protocol, shows),
        limit_concurrency=AT_ONCE + 1,  # uvicorn refuses at its limit, not above it
        timeout_graceful_shutdown=patience_s,
        ws="none",
    )
    uvicorn.Server(config).run(sockets=[listens])


def group_address(client: tuple[str, int] | None) -> str:
    """Return the group that an address is counted with: the whole network for IPv6.

    Each machine of an IPv6 network has many addresses. "" where the address is unknown.
    """
    if client is None:
        return ""
    host, _port = client
    bare, _, _zone = host.partition("%")
    address = ipaddress.ip_address(bare)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        # a site usually has 64 bits for its machines
        return str(ipaddress.ip_network((address, 64), strict=False))
    return host.removeprefix("::ffff:")


class Strangers:
    """Connections without the token, the oldest first, each with its address."""

    def __init__(self) -> None:
        self._addresses: dict[Any, str] = {}

    def add(self, newcomer: Any) -> None:
        """Add a connection. While there are too many, drop the oldest of the busiest address."""
        self._addresses[newcomer] = group_address(newcomer.client)
        while True:
            oldest = self._oldest_of_busiest_address()
            if oldest is newcomer or not self._gives_way(oldest, newcomer):
                return
            self.drop(oldest)
            oldest.connections.discard(oldest)  # its place is free now
            oldest.transport.abort()

    def _oldest_of_busiest_address(self) -> Any:
        """The connection to drop first, so that one address can't drive out the others."""
        counts = Counter(self._addresses.values())
        busiest = max(counts, key=lambda address: counts[address])
        # connections are in the order in which they came
        return next(
            connection
            for connection, address in self._addresses.items()
            if address == busiest
        )

    def _gives_way(self, oldest: Any, newcomer: Any) -> bool:
        """Whether a connection is dropped: it had its time among too many, or no place is left."""
        if len(newcomer.connections) > AT_ONCE:
            return True
        address = self._addresses[oldest]
        of_address = sum(1 for each in self._addresses.values() if each == address)
        too_many = (
            of_address > STRANGERS_OF_AN_ADDRESS or len(self._addresses) > STRANGERS
        )
        return too_many and newcomer.came - oldest.came >= GRACE_S

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


class _Patience:
    """The time that a client has for the rest of a request; then its connection is dropped."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._loop = connection.loop
        self._owed: Any = None  # what the client has still to send: h11's state of it
        self._until = 0.0  # when its time is over, by the loop's clock
        self._timer: Any = None

    def wait(self) -> None:
        """Start the timer when the client begins to owe a part of a request; else stop it."""
        import h11

        owed = self._owed_by_client()
        if owed is self._owed:
            return  # the timer runs on, so that single bytes buy no time
        self.stop()
        self._owed = owed
        if owed is not None:
            patience_s = HEADERS_S if owed is h11.IDLE else BODY_S
            self._until = self._loop.time() + patience_s
            self._timer = self._loop.call_at(self._until, self._look)

    def extend(self, received: int) -> None:
        """Give more time for a body, by the bytes that came."""
        import h11

        if self._owed is h11.SEND_BODY:
            self._until += received / BODY_BYTES_S

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def _owed_by_client(self) -> Any:
        """What h11 expects of the client; None while a whole request is being answered."""
        import h11

        cycle = self._connection.cycle
        answering = cycle is not None and not cycle.response_complete
        state = self._connection.conn.their_state
        # an answer may begin before the whole body has come
        if answering and state is not h11.SEND_BODY:
            return None
        return state

    def _look(self) -> None:
        """Drop the connection if its time is over, else look again when it will be."""
        if self._connection.flow.read_paused:  # we paused reading ourselves
            self._until = self._loop.time() + BODY_S
        if self._loop.time() >= self._until:
            self._connection.transport.abort()
        else:
            self._timer = self._loop.call_at(self._until, self._look)


def impatient(protocol: type[Any], shows: Shows) -> type[Any]:
    """Return uvicorn's protocol over h11, but without patience for slow requests.

    It drops a client that is too slow with the rest of a request. Otherwise as many silent
    connections as are allowed would lock everybody out.
    """
    strangers = Strangers()

    class Impatient(protocol):  # type: ignore[misc]  # given by who may import uvicorn
        came = 0.0  # when it connected

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.came = self.loop.time()
            self._patience = _Patience(self)
            strangers.add(self)
            self._patience.wait()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            strangers.see(self, shows)
            self._patience.wait()
            self._patience.extend(len(data))

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            strangers.drop(self)
            self._patience.stop()

    return Impatient
