"""Clients that say nothing, or say it slowly: they are dropped, and others are answered."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from tuneworthy import listen

PROJECT = Path(__file__).resolve().parents[1]
HURRIED = (
    "import sys, tuneworthy.listen as l; l.HEADERS_S, l.BODY_S = 0.5, 0.7; "
    "from tuneworthy.cli import main; main(sys.argv[1:])"
)
SERVERS = {
    "serve": (["serve"], 300, "stdout", r"(http://[\d.]+:\d+)\S*token=(\S+)"),
    "mcp": (["mcp", "--http"], 80, "stderr", r"at (http://[\d.]+:\d+)()"),
}


@contextmanager
def running(name: str, cases: Path) -> Iterator[tuple[str, int]]:
    """A server in a hurry: its address and its port."""
    words, _, stream, shown = SERVERS[name]
    command = [sys.executable, "-c", HURRIED, *words, str(cases), "--port", "0"]
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    ) as process:
        try:
            said = getattr(process, stream)
            line = next(line for line in said if re.search(shown, line))
            found = re.search(shown, line)
            assert found
            yield found[1], int(found[1].rpartition(":")[2])
        finally:
            process.kill()


def silent(
    port: int, count: int, stack: ExitStack, first: bytes = b""
) -> list[socket.socket]:
    """So many connections that say this and no more."""
    made = []
    for _ in range(count):
        link = stack.enter_context(
            socket.create_connection(("127.0.0.1", port), timeout=20)
        )
        link.sendall(first)
        made.append(link)
    return made


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    (tmp_path / "one").mkdir()
    (tmp_path / "one/case.yaml").write_text("name: One\n", "utf-8")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SERVERS))
def test_silent_clients_lock_nobody_out(name: str, cases: Path) -> None:
    """More than are let in at a time: some silent, some in the middle of a line or of a body."""
    body = b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nhalf"
    with running(name, cases) as (address, port), ExitStack() as stack:
        for first in (b"", b"GET / HTTP/1.1\r\nHost: 127", body):
            links = silent(port, SERVERS[name][1] // 3 + 1, stack, first)
            assert hung_up(links[-1]) or first == body
        with httpx.Client(base_url=address, timeout=20, trust_env=False) as client:
            assert client.get("/").status_code != 503


def hung_up(link: socket.socket) -> bool:
    """Waits until the other side says something or ends: whether it ended."""
    try:
        return link.recv(1000) == b""
    except ConnectionResetError:
        return True


@pytest.mark.slow
def test_a_body_that_goes_on_is_waited_for_and_one_that_stops_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listen, "BODY_S", 0.4)
    monkeypatch.setattr(listen, "BODY_BYTES_S", 1000)
    read: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        more = True
        while more and (message := await receive())["type"] == "http.request":
            read.append(len(message["body"]))
            more = message["more_body"]

    config = uvicorn.Config(
        app, http=listen.impatient(H11Protocol), lifespan="off", log_config=None
    )
    server, sock = uvicorn.Server(config), listen.listening("127.0.0.1", 0)
    thread = Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    try:
        with ExitStack() as stack:
            head = b"POST /x HTTP/1.1\r\nHost: here\r\nContent-Length: 9000\r\n\r\n"
            (link,) = silent(sock.getsockname()[1], 1, stack, head)
            began = time.monotonic()
            link.sendall(b"x" * 1500)  # which brings a second and a half
            assert hung_up(link)
            assert time.monotonic() - began > 1
            assert sum(read) == 1500
    finally:
        server.should_exit = True
        thread.join()
