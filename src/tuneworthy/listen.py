"""Where a server listens, for every surface that has one."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import ExitStack
from typing import Any

from tuneworthy.errors import InputError

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  # compared with, not bound to
HEADERS_S = 10.0
BODY_S = 30.0
BODY_BYTES_S = 16 * 1024
"""How long a client may take for its headers, and for a body: a second more for so many bytes."""


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
        raise InputError(
            f"can't be listened on ({why})", where=f"{host}:{port}", fix=fix
        ) from None
    return listener


def in_link(host: str) -> str:
    """An address as it stands in a link."""
    if host in EVERYWHERE:
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def serve(
    app: Any, listens: socket.socket, *, at_once: int, patience_s: int, log: str
) -> None:
    """Serve until it is interrupted; whoever is still connected then has so many seconds.

    Of more than ``at_once`` connections the rest are turned away; nothing of ours is told by name.
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
        http=impatient(H11Protocol),
        limit_concurrency=at_once,
        timeout_graceful_shutdown=patience_s,
        ws="none",
    )
    uvicorn.Server(config).run(sockets=[listens])


def impatient(protocol: type[Any]) -> type[Any]:
    """Uvicorn's protocol over h11, which drops whoever keeps it waiting for the rest of a request.

    Otherwise as many silent connections as are let in at a time lock everybody out.
    """
    import h11

    class Impatient(protocol):  # type: ignore[misc]  # given by who may import uvicorn
        _owed: Any = None  # what the client has still to send: h11's state of it
        _until = 0.0
        _timer: Any = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._wait()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._wait()
            self._until += len(data) / BODY_BYTES_S * (self._owed is h11.SEND_BODY)

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._timer = self._timer and self._timer.cancel()

        def _wait(self) -> None:
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
            if self.flow.read_paused:  # it is we who don't read
                self._until = self.loop.time() + BODY_S
            if self.loop.time() >= self._until:
                self.transport.abort()
            else:
                self._timer = self.loop.call_at(self._until, self._look)

    return Impatient
