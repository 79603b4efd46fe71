"""Clients that say nothing, say it slowly, or come in crowds: they are dropped, and others answered."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from tuneworthy import listen
from tuneworthy.web import guard as web_guard

PROJECT = Path(__file__).resolve().parents[2]
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

    with answering(app) as port, ExitStack() as stack:
        head = b"POST /x HTTP/1.1\r\nHost: here\r\nContent-Length: 9000\r\n\r\n"
        (link,) = silent(port, 1, stack, head)
        began = time.monotonic()
        link.sendall(b"x" * 1500)  # which brings a second and a half
        assert hung_up(link)
        assert time.monotonic() - began > 1
        assert sum(read) == 1500


def shows(scope: Any) -> bool:
    return (b"authorization", b"Bearer right") in scope["headers"]


@contextmanager
def answering(app: Any) -> Iterator[int]:
    """The port of a server of this process; it ends with the block."""
    config = uvicorn.Config(
        app,
        http=listen.impatient(H11Protocol, shows),
        lifespan="off",
        log_config=None,
        limit_concurrency=listen.AT_ONCE + 1,
    )
    server = uvicorn.Server(config)
    sock = listen.listening("127.0.0.1", 0)
    thread = Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    try:
        yield sock.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


# Crowds.


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server with few places."""
    monkeypatch.setattr(listen, "AT_ONCE", 24)
    monkeypatch.setattr(listen, "STRANGERS", 12)
    monkeypatch.setattr(listen, "STRANGERS_OF_AN_ADDRESS", 6)


@dataclass(eq=False)
class Connection:
    """One as ``Strangers`` sees it."""

    client: tuple[str, int]
    came: float
    connections: set[Any]
    scope: Any = None
    ended: bool = field(default=False)

    @property
    def transport(self) -> Connection:
        return self

    def abort(self) -> None:
        self.ended = True


class Crowd:
    """Connections that come one after the other, each a moment later."""

    def __init__(self, apart_s: float) -> None:
        self.strangers = listen.Strangers()
        self.connections: set[Any] = set()
        self.apart_s = apart_s
        self.now = 0.0

    def come(self, address: str = "192.0.2.1", *, token: bool = False) -> Connection:
        self.now += self.apart_s
        newcomer = Connection((address, 1), self.now, self.connections)
        self.connections.add(newcomer)
        self.strangers.add(newcomer)
        if token:
            newcomer.scope = {"headers": [(b"authorization", b"Bearer right")]}
            self.strangers.see(newcomer, shows)
        return newcomer


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("apart_s", [0.0, 0.01, 1.0])
@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_who_has_shown_the_token_never_gives_way_to_a_crowd(
    apart_s: float, address: str
) -> None:
    crowd = Crowd(apart_s)
    readers = [crowd.come(token=True) for _ in range(9)]
    strangers = [crowd.come(address) for _ in range(2 * listen.AT_ONCE)]
    late = crowd.come(address)
    assert not any(reader.ended for reader in readers)
    assert len(crowd.connections) <= listen.AT_ONCE
    assert strangers[0].ended
    assert not late.ended


@pytest.mark.usefixtures("few")
def test_a_stranger_has_its_time_while_there_are_places() -> None:
    crowd = Crowd(0.0)
    strangers = [crowd.come() for _ in range(listen.AT_ONCE)]
    assert not any(each.ended for each in strangers)
    crowd.now += listen.GRACE_S
    crowd.come()
    staying = [each for each in strangers if not each.ended]
    assert len(staying) == listen.STRANGERS_OF_AN_ADDRESS - 1


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    "others",
    ["198.51.100.7", "::ffff:198.51.100.7", "2001:db8:0:9::{n:x}"],
)
def test_a_crowd_from_one_address_drops_nobody_from_another(others: str) -> None:
    crowd = Crowd(1.0)
    quiet = [crowd.come("192.0.2.1") for _ in range(3)]
    for n in range(2 * listen.AT_ONCE):
        crowd.come(others.format(n=n + 1))
    assert not any(each.ended for each in quiet)
    assert len(crowd.connections) == listen.STRANGERS_OF_AN_ADDRESS + 3


@pytest.mark.usefixtures("few")
def test_where_all_have_shown_the_token_nobody_gives_way() -> None:
    crowd = Crowd(1.0)
    readers = [crowd.come(token=True) for _ in range(listen.AT_ONCE)]
    late = crowd.come()  # which the server turns away in words
    assert not late.ended
    assert not any(reader.ended for reader in readers)


WHOLE = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


def reconnect(port: int, first: bytes, count: int, stop: Event) -> None:
    """So many clients that come again as soon as they are dropped."""
    with ExitStack() as stack:
        while not stop.is_set():
            with suppress(OSError):
                links = silent(port, count, stack, first)
                while not stop.is_set() and not hung_up(links[0]):
                    """What it says is of no interest."""
            stack.pop_all().close()


@pytest.mark.slow
@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("first", [b"", b"GET / HTTP/1.1\r\nHost: h", WHOLE])
def test_a_crowd_that_reconnects_leaves_a_reader_its_answers(
    monkeypatch: pytest.MonkeyPatch, first: bytes
) -> None:
    # more places than clients: where every place is taken, the oldest stranger goes at once, and a
    # reader whose request wasn't read yet may be the oldest
    monkeypatch.setattr(listen, "AT_ONCE", 48)
    monkeypatch.setattr(listen, "HEADERS_S", 60.0)
    stop = Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        del receive
        status = 200 if shows(scope) else 401
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with answering(app) as port:
        crowds = [Thread(target=reconnect, args=(port, first, 6, stop)) for _ in "1234"]
        for crowd in crowds:
            crowd.start()
        statuses = Counter[int]()
        try:
            for _ in range(30):
                address = f"http://127.0.0.1:{port}/"
                headers = {"Authorization": "Bearer right"}
                with httpx.Client(trust_env=False, timeout=20) as client:
                    statuses[client.get(address, headers=headers).status_code] += 1
        finally:
            stop.set()
    for crowd in crowds:
        crowd.join()
    assert statuses == {200: 30}


def test_many_requests_without_the_token_keep_no_reader_waiting() -> None:
    """Some are worked on, the next are turned away, and one with the token passes by."""
    site = web_guard.Site(None, token="right", hosts=frozenset({"here"}))  # type: ignore[arg-type]  # no case is read
    inside = Counter[str]()
    statuses: list[int] = []

    async def ask(guard: Any, path: str, until: Callable[[], Any]) -> None:
        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        scope: dict[str, Any] = {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": b"",
            "headers": [(b"host", b"here")],
        }
        if path == "/":
            scope["headers"] += [(b"authorization", b"Bearer right")]
        await guard(scope, until, send)

    async def play() -> None:
        over = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            del receive
            inside[scope["path"]] += 1
            if scope["path"] != "/":
                await over.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})

        guard = web_guard.Guard(app, site)
        crowd = [
            asyncio.create_task(ask(guard, "/login", over.wait)) for _ in range(50)
        ]
        await asyncio.sleep(0)
        await ask(guard, "/", over.wait)
        over.set()
        await asyncio.gather(*crowd)

    asyncio.run(play())
    places = inside["/login"]
    assert 0 < places < 20
    assert inside["/"] == 1
    assert Counter(statuses) == {200: places + 1, 503: 50 - places}
