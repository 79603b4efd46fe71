"""A real server in a thread, and a follower of its events that speaks plain HTTP."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import NamedTuple

import uvicorn

from tuneworthy.web.app import make_app
from tuneworthy.web.guard import Site

LONGEST_S = 30.0


@contextmanager
def served(site: Site) -> Iterator[int]:
    """The port on the loopback where a site is served, until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        config = uvicorn.Config(
            make_app(site),
            log_level="critical",
            timeout_graceful_shutdown=1,
            lifespan="on",
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [sock]}, daemon=True
        )
        thread.start()
        until = time.monotonic() + LONGEST_S
        while not server.started and time.monotonic() < until:
            time.sleep(0.02)
        try:
            yield sock.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(LONGEST_S)


class Event(NamedTuple):
    """A server-sent event."""

    id: str
    name: str
    data: str


def events(port: int, path: str, last: str = "", most: int = 10_000) -> list[Event]:
    """Every event of a stream until it ends; [] where there is none (204)."""
    connection = HTTPConnection("127.0.0.1", port, timeout=LONGEST_S)
    connection.request("GET", path, headers={"Last-Event-ID": last} if last else {})
    answer = connection.getresponse()
    found: list[Event] = []
    fields: dict[str, list[str]] = {}
    try:
        if answer.status == 204:
            return []
        assert answer.status == 200, answer.status
        assert (answer.getheader("Content-Type") or "").startswith("text/event-stream")
        while len(found) < most and (line := answer.readline()):
            name, _, value = line.decode().rstrip("\n").partition(":")
            if name:
                fields.setdefault(name, []).append(value.removeprefix(" "))
            elif "event" in fields:
                found.append(
                    Event(
                        fields["id"][0], fields["event"][0], "\n".join(fields["data"])
                    )
                )
                fields = {}
            else:  # a comment, or how long to wait before coming again
                fields = {}
    finally:
        connection.close()
    return found
