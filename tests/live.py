"""A real server in a thread."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

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
