"""Calls go through the proxy that a user names, which sees the host and neither a key nor a text."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from test_chaos import endpoint

from lab_world import folder_of
from loopback import LoopbackServer
from tuneworthy import InputError
from tuneworthy.cli import run as command
from tuneworthy.llm import endpoints as llm_endpoints
from tuneworthy.llm import hosts as llm_proxies
from tuneworthy.llm import http as llm_http
from tuneworthy.llm.choose import transport_for
from tuneworthy.llm.endpoints import reach
from tuneworthy.model.case import Model
from tuneworthy.traces.read import TraceFiles

KEY = "sk-a-key-that-nobody-may-see"
BODY = b'{"model": "one", "messages": [{"role": "user", "content": "a customer asks"}]}'
VENDOR = "https://api.openai.com/v1"
VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


class ProxyServer:
    """One on the loopback, with all that it was sent; it answers every CONNECT alike."""

    def __init__(self, answer: bytes) -> None:
        self.heard: list[bytes] = []
        self.answer = answer
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.sock.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self.sock.accept()
            except OSError:  # closed
                return
            with link:
                link.settimeout(20)
                self.heard.append(link.recv(65536))
                link.sendall(self.answer)
                self.heard.append(link.recv(65536))


@contextmanager
def files_of(folder: Path) -> Iterator[str]:
    """The address at which the files of a folder are served."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(folder))

        def log_message(self, *ignored: Any) -> None:
            del ignored

    server = LoopbackServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def proxy() -> Iterator[ProxyServer]:
    server = ProxyServer(b"HTTP/1.1 200 Connection established\r\n\r\n")
    yield server
    server.sock.close()


def ask(url: str, key: str | None = KEY) -> int:
    """The status of an answer to a request with a key and a text."""

    async def send() -> int:
        http = llm_http.Http({}, timeout_s=20)
        try:
            secret = key and llm_endpoints.Secret(key)
            status, _, _ = await http.exchange("POST", url, secret or None, data=BODY)
            return status
        finally:
            await http.close()

    return asyncio.run(send())


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_proxy_sees_the_host_and_neither_the_key_nor_the_text(
    proxy: ProxyServer, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, f"http://ada:pass%40word@{proxy.address}")
    # it ends once it has heard both
    with pytest.raises((llm_endpoints.Doubtful, llm_endpoints.NotSent)):
        ask(f"{VENDOR}/chat/completions")
    connect, encrypted = proxy.heard
    assert connect.startswith(b"CONNECT api.openai.com:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic YWRhOnBhc3NAd29yZA==" in connect
    assert b"\r\nAuthorization" not in connect
    assert encrypted.startswith(b"\x16\x03")  # a handshake of TLS
    for heard in proxy.heard:
        assert KEY.encode() not in heard
        assert b"customer" not in heard


@pytest.mark.parametrize(
    "status", [b"407 Proxy Authentication Required", b"403 No", b"502 Bad"]
)
def test_what_a_proxy_refuses_was_not_sent(
    monkeypatch: pytest.MonkeyPatch, status: bytes
) -> None:
    server = ProxyServer(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
    monkeypatch.setenv("HTTPS_PROXY", server.address)
    with pytest.raises(
        llm_endpoints.NotSent, match=rf"proxy .*HTTP {status[:3].decode()}"
    ) as caught:
        ask(f"{VENDOR}/chat/completions")
    assert caught.value.again is status.startswith(b"502")
    server.sock.close()


def test_a_proxy_where_nobody_listens_was_sent_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
    with pytest.raises(llm_endpoints.NotSent, match="proxy"):
        ask(f"{VENDOR}/chat/completions")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_what_is_on_this_machine_never_goes_through_a_proxy(
    proxy: ProxyServer, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    for name in VARIABLES[:3]:
        monkeypatch.setenv(name, f"http://{proxy.address}")
    with endpoint(None) as (address, seen):
        body = address.replace("127.0.0.1", host)
        assert ask(f"{body}/chat/completions", None) == 200
    assert proxy.heard == []
    assert seen


def test_logs_on_this_machine_are_fetched_without_a_proxy(
    proxy: ProxyServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in VARIABLES[:3]:
        monkeypatch.setenv(name, f"http://{proxy.address}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "corp.example")
    (tmp_path / "a.jsonl").write_text('{"input": "a", "output": "b"}\n')
    with files_of(tmp_path) as address:
        (chunk,) = TraceFiles([f"{address}/a.jsonl"])
        assert len(chunk.batch) == 1
    assert proxy.heard == []
    assert os.environ["NO_PROXY"].startswith("corp.example,localhost,")


ADDRESSES = [
    ("https://api.openai.com/v1", "", True),
    ("https://api.openai.com/v1", "api.openai.com", False),
    ("https://api.openai.com/v1", ".openai.com", False),
    ("https://api.openai.com/v1", "openai.com", False),
    ("https://api.openai.com/v1", "*", False),
    ("https://api.openai.com/v1", "corp.example", True),
    ("https://llm.corp.example:8443/v1", "corp.example", False),
    ("http://127.0.0.1:8000/v1", "", False),
    ("https://127.0.0.1:8000/v1", "", False),
    ("https://localhost/v1", "", False),
    ("http://[::1]:8000/v1", "", False),
    ("http://api.openai.com/v1", "", False),  # a proxy would read it
]


@pytest.mark.parametrize(("address", "but", "goes"), ADDRESSES)
def test_only_what_is_encrypted_and_not_excepted_goes_through(
    monkeypatch: pytest.MonkeyPatch, address: str, but: str, goes: bool
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.corp.example:3128")
    monkeypatch.setenv("NO_PROXY", but)
    proxy = llm_proxies.find_proxy(address)
    assert (proxy is not None) is goes
    assert llm_proxies.list_proxies([address, address, ""]) == (
        ("proxy.corp.example:3128",) if goes else ()
    )


BAD = [
    "socks5://u:secret@x.example:1080",
    "http://",
    "http://u:secret@",
    "http://x:secret",
    "x y:secret",
    "http://x.example:99999",
    "ftp://u:secret@x.example",
    "http://\x07secret",
]


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_proxy_is_refused_without_being_repeated(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", text)
    with pytest.raises(InputError) as caught:
        transport_for(
            [reach(Model(id="my:one", base_url="https://x.example"))],
            confirmed=["x.example"],
        )
    assert str(caught.value).startswith("HTTPS_PROXY: ")
    assert "secret" not in str(caught.value)


def test_a_proxy_is_shown_without_its_password() -> None:
    proxy = llm_proxies.read_proxy("http://ada:secret@proxy.corp.example:3128")
    assert "secret" not in f"{proxy!r} {proxy.without_login} {proxy.address}"
    assert proxy.without_login == "proxy.corp.example:3128"


def test_a_quote_names_the_proxy_and_the_option_ends_with_its_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of(tmp_path, models="[{id: 'openai:gpt-4o'}]")
    lab = ["ceiling", str(folder), "--as-of", "2026-11-24", "--dry-run"]
    named = ["--proxy", "http://ada:secret@proxy.corp.example:3128"]
    assert command([*lab, *named, "--all"]) == 0
    page = " ".join(capsys.readouterr().out.split())
    assert "the proxy proxy.corp.example:3128" in page
    assert "secret" not in page
    assert command([*lab, *named, "--format", "json"]) == 0
    quote = json.loads(capsys.readouterr().out)
    assert quote["proxies"] == ["proxy.corp.example:3128"]
    assert "https_proxy" not in os.environ
    assert command([*lab, "--format", "json"]) == 0
    assert "proxies" not in json.loads(capsys.readouterr().out)
    assert command([*lab, "--proxy", "socks5://u:secret@x:1"]) == 2
    assert capsys.readouterr().err.startswith("--proxy: names no proxy over http")
