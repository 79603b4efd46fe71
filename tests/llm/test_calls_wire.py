"""Over a real connection: keys stay where they belong, and no answer breaks anything."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import random
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from loopback import LoopbackServer
from tuneworthy import CaseError
from tuneworthy.llm import endpoints as llm_endpoints
from tuneworthy.llm import http as llm_http
from tuneworthy.llm.choose import FREE, transport_for
from tuneworthy.llm.endpoints import PRESETS, reach
from tuneworthy.llm.ledger import Ledger
from tuneworthy.llm.runner import Job, Outcome, Runner
from tuneworthy.model.case import Model
from tuneworthy.model.lab import ChatMessage, Request

KEY = "sk-a/very+secret.key-0123456789"
AT_ONCE, CALLS, CAP_USD = 16, 500, 1.0


@pytest.fixture
def endpoint(project: Path) -> Iterator[str]:
    """The base URL of an endpoint on loopback; the model's name says how it behaves."""
    command = [sys.executable, str(project / "benchmarks" / "calls_server.py")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        server.kill()


@pytest.fixture
def keyed(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, with a key for it in the environment."""
    monkeypatch.setenv(llm_endpoints.key_variable(endpoint), KEY)
    return endpoint


def count(endpoint: str) -> dict[str, Any]:
    """What the endpoint says it did."""
    with urllib.request.urlopen(endpoint.replace("/v1", "/count")) as told:
        found: dict[str, Any] = json.load(told)
    return found


def ask(
    base_url: str, model: str, folder: Path, many: int = 1, timeout_s: float = 20.0
) -> Outcome:
    """Put calls to a model through a ledger."""
    place = reach(Model(id=f"own:{model}", base_url=base_url))
    jobs = [
        Job(Request(provider=place.provider, base_url=place.base_url, model=model, max_tokens=9,
                    messages=(ChatMessage(role="user", content=f"case {number}"),)))
        for number in range(many)
    ]  # fmt: skip

    async def scene(ledger: Ledger) -> Outcome:
        transport = transport_for([place], timeout_s=timeout_s)
        try:
            runner = Runner(
                ledger, transport, lambda _: FREE, run="r", cap_usd=0, at_once=8
            )
            return await runner.all(jobs)
        finally:
            await transport.close()

    with Ledger(folder / "c.sqlite3") as ledger:
        return asyncio.run(scene(ledger))


# Keys -------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        "plain",
        "unauthorised",
        "mirror",
        "escaped",
        "escaped_error",
        "nested",
        "drop",
        "malformed",
    ],
)
def test_a_key_is_sent_and_stands_nowhere(
    keyed: str, model: str, tmp_path: Path, caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    caplog.set_level(0)
    outcome = ask(keyed, model, tmp_path, many=3)
    assert count(keyed)["keys"].get(f"Bearer {KEY}", 0) >= 1
    written = b"".join(
        path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
    )
    out, err = capfd.readouterr()
    place = reach(Model(id="own:x", base_url=keyed))
    said = f"{outcome!r} {place!r} {place} {place.key} {place.key!r:>9} {out} {err} {caplog.text}"
    for part in (KEY, KEY[3:20], "very+secret"):
        assert part not in said
        assert part.encode() not in written
    with pytest.raises(TypeError):
        pickle.dumps(place)
    with pytest.raises(TypeError):
        json.dumps(place.key)
    with pytest.raises(TypeError):
        asdict(place)


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("which", [KEY, KEY[:1], "-/.", "s-", "0123456789"])
def test_a_key_is_hidden_however_json_spells_it(which: str, times: int) -> None:
    spelt = "".join(f"\\u{ord(c):04X}" if c in which else c for c in KEY)
    for _ in range(times - 1):  # JSON inside of JSON
        spelt = json.dumps(spelt)[1:-1]
    key = llm_endpoints.Secret(KEY)
    assert key.hide(f'it is "{spelt}", and \\u00e9') == 'it is "***", and \\u00e9'
    assert key.hide(spelt.lower().replace("/", "\\/")) == "***"
    assert llm_endpoints.Secret("none").hide("none of it") == "none of it"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_key_is_looked_for_in_what_an_answer_means(encoding: str) -> None:
    arguments = json.dumps({"a": f"one\n{KEY}"})
    message = {
        "content": KEY,
        "tool_calls": [{"function": {"name": KEY, "arguments": arguments}}],
    }
    told = json.dumps(
        {"choices": [{"message": message, "finish_reason": f"{'x' * 90}{KEY}"}]}
    )
    raw = told.replace("-", r"\u002d").encode(encoding)
    found = llm_http.parse(raw, latency_s=0, key=llm_endpoints.Secret(KEY))
    assert (found.text, found.finish) == ("***", "x" * 90 + "***")
    assert (
        found.tool_calls[0][0] == json.loads(found.tool_calls[0][1])["a"][-3:] == "***"
    )


def test_an_answer_in_parts_is_read_and_its_thinking_left_out() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
        {"type": "text", "text": "shelf "},
        {"type": "output_text", "text": "9"},
    ]
    told = {"model": "other-2", "choices": [{"message": {"content": parts}}]}
    reply = llm_http.parse(json.dumps(told).encode(), latency_s=0)
    assert (reply.text, reply.model) == ("shelf 9", "other-2")


def test_an_answer_holds_no_more_bytes_than_its_tokens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One of four MiB to a call of nine tokens was kept, and a ledger grew to 614 MB."""
    sent = list[int]()

    async def long(_: object, *__: object, most_bytes: int, **___: object) -> Any:
        sent.append(most_bytes)
        text = "a" * (most_bytes + 1)
        return (
            200,
            {},
            json.dumps({"choices": [{"message": {"content": text}}]}).encode(),
        )

    async def ask_for(tokens: int | None) -> None:
        request = Request(
            provider="own",
            base_url="https://a.test/v1",
            model="m",
            messages=(ChatMessage(role="user", content="x"),),
            max_tokens=tokens,
        )
        with pytest.raises(llm_endpoints.Doubtful, match="is larger than"):
            await llm_http.Http({}).send(request)

    monkeypatch.setattr(llm_http.Http, "exchange", long)
    for tokens in (9, 4096, 100_000, None):
        asyncio.run(ask_for(tokens))
    assert sent[0] < 300_000 < sent[1] < 600_000
    assert sent[2:] == [4 << 20, 4 << 20]


@pytest.mark.parametrize(
    "part", [{"type": "image_url", "image_url": {}}, 7, {"text": "no type"}]
)
def test_an_answer_with_a_part_that_is_no_text_is_in_doubt(part: object) -> None:
    told = {"choices": [{"message": {"content": [part]}}]}
    with pytest.raises(llm_endpoints.Doubtful):
        llm_http.parse(json.dumps(told).encode(), latency_s=0)


def test_a_wrong_key_ends_the_run_at_once_in_one_plain_line(
    keyed: str, tmp_path: Path
) -> None:
    outcome = ask(keyed, "unauthorised", tmp_path, many=200)
    assert outcome.stop.by == "refused"
    assert outcome.stop.why == "HTTP 401: wrong key: ***"
    assert sum(count(keyed)["answered"].values()) <= 8


def test_where_no_key_was_sent_a_refusal_names_its_variable(
    keyed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(llm_endpoints.key_variable(keyed))
    told = ask(keyed, "unauthorised", tmp_path).stop.why
    assert told.startswith(
        f"HTTP 401: no key is in {llm_endpoints.key_variable(keyed)}; it says wrong key"
    )


@pytest.mark.parametrize("turned", [False, True])
def test_two_models_at_one_address_share_the_key_that_is_there(
    turned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last model's key once won, so that one without a key took it from the other."""
    headers: list[str | None] = []

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers.append(self.headers["authorization"])
            self.rfile.read(int(self.headers["content-length"]))
            choice = {"message": {"content": "a"}, "finish_reason": "stop"}
            body = json.dumps({"choices": [choice]}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with LoopbackServer(("127.0.0.1", 0), Answering) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/v1"
        monkeypatch.setenv("OPENAI_BASE_URL", address)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        own = reach(Model(id="own:m", base_url=address))
        vendor = reach(Model(id="openai:m"))
        assert own.base_url == vendor.base_url
        assert own.key is None
        places = [vendor, own] if turned else [own, vendor]
        question = ChatMessage(role="user", content="q")
        request = Request(
            provider="openai",
            base_url=address,
            model="m",
            max_tokens=9,
            messages=(question,),
        )

        async def send_once() -> None:
            transport = transport_for(places)
            try:
                await transport.send(request)
            finally:
                await transport.close()

        asyncio.run(send_once())
        server.shutdown()
    assert headers == [f"Bearer {KEY}"]


def test_two_keys_for_one_address_are_refused_by_the_names_of_their_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = "http://127.0.0.1:9/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    vendor = reach(Model(id="openai:m"))
    variable = llm_endpoints.key_variable(address)
    monkeypatch.setenv(variable, "another-key-0123")
    own = reach(Model(id="own:m", base_url=address))
    with pytest.raises(CaseError, match=f"{variable} and OPENAI_API_KEY") as refused:
        transport_for([own, vendor])
    assert KEY not in str(refused.value)


@pytest.mark.parametrize(
    "base_url",
    [
        "https://api.openai.com.evil.test/v1",
        "https://evil.test/api.openai.com/v1",
        "https://api-openai.com/v1",
        "https://api.openai.com:8443/v1",
        "https://xapi.openai.com/v1",
        "http://127.0.0.1:9/v1",
    ],
)
def test_another_address_never_gets_a_preset_s_key(
    base_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv(llm_endpoints.key_variable("https://api.openai.com/v1"), KEY)
    assert reach(Model(id="openai:gpt-4o", base_url=base_url)).key is None


@pytest.mark.parametrize(
    "base_url",
    [
        "http://api.openai.com/v1",
        "https://api.openai.com\\.evil.test/v1",
        "https://\uff41pi.openai.com/v1",
        "https://api.openai.com\t/v1",
        "https://[::1/v1",
        "https://a.test:port/v1",
        "https://a..test/v1",
        "https://-a.test/v1",
        "http://10.0.0.1/v1",
        "https://api.corp.test.port.8443/v1",  # its key would be that of another port
        "https://a.-b.test/v1",
        "https://a-.b.test/v1",
        "https://1.2.3/v1",
        "https://2130706433/v1",
        "https://10.0.0.0x1/v1",
    ],
)
def test_an_address_that_could_be_read_in_two_ways_is_refused(base_url: str) -> None:
    with pytest.raises(CaseError):
        reach(Model.model_construct(id="openai:gpt-4o", base_url=base_url))


def test_each_address_has_a_variable_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places = [
        "a-b.test", "a.b.test", "a.b-test", "a.b.test:8443", "a--b.test", "ae.b-c", "[ae:b::c]",
        "[a::b]", "a--b", "[::1:2:3:4]", "[::1.2.3.4]", "[::1]:2", "127.0.0.1:80",
    ]  # fmt: skip
    assert len(
        {llm_endpoints.key_variable(f"https://{place}/v1") for place in places}
    ) == len(places)
    assert (
        llm_endpoints.key_variable("https://models.ours.test:443/v1")
        == "TUNEWORTHY_KEY_MODELS_OURS_TEST"
    )
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert isinstance(reach(Model(id="openai:gpt-4o")).key, llm_endpoints.Secret)
    own = Model(id="openai:gpt-4o", base_url=PRESETS["openai"].base_url + "/")
    assert isinstance(reach(own).key, llm_endpoints.Secret)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-\nsecond line")
    with pytest.raises(CaseError, match="no key has") as caught:
        reach(Model(id="openai:gpt-4o"))
    assert "second" not in str(caught.value)


def test_a_redirect_is_not_followed(keyed: str, tmp_path: Path) -> None:
    found = next(iter(ask(keyed, "redirect", tmp_path).settled.values()))
    assert found.status == "failed"
    assert set(count(keyed)["paths"]) == {"/v1/chat/completions", "/count"}


# Answers ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "status"),
    [
        ("plain", "settled"), ("lone", "settled"), ("usageless", "settled"),
        ("hostile", "settled"), ("negative", "settled"), ("drop", "in_doubt"),
        ("malformed", "in_doubt"), ("deep", "in_doubt"), ("binary", "in_doubt"),
        ("oversized", "in_doubt"), ("accepted", "in_doubt"), ("forbidden", "failed"),
    ],
)  # fmt: skip
def test_no_answer_breaks_anything(
    endpoint: str, model: str, status: str, tmp_path: Path
) -> None:
    found = next(iter(ask(endpoint, model, tmp_path).settled.values()))
    assert found.status == status
    again = ask(endpoint, model, tmp_path)
    assert [one.status for one in again.settled.values()] == [status]
    sent = count(endpoint)["answered"]["case 0"]
    assert sent == (2 if status == "failed" else 1)


@pytest.mark.slow
def test_retry_after_is_kept_to(endpoint: str, tmp_path: Path) -> None:
    found = next(iter(ask(endpoint, "asks", tmp_path).settled.values()))
    assert found.status == "settled"
    first, second = (when for _, when in count(endpoint)["times"])
    assert second - first >= 0.5


def test_an_endpoint_that_asks_for_a_day_ends_the_run(
    endpoint: str, tmp_path: Path
) -> None:
    outcome = ask(endpoint, "for_ever", tmp_path, many=100)
    assert outcome.stop.by == "refused"
    assert "come again in 86400 s" in outcome.stop.why


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [("7", 7, 7), ("0.5", 0.5, 0.5), ("Wed, 21 Oct 2065 07:28:00 GMT", 1e9, 1e10)],
)
def test_a_retry_after_is_a_number_or_a_date(
    header: str, least: float, most: float
) -> None:
    found = llm_http._seconds(header)
    assert found is not None
    assert least <= found <= most


@pytest.mark.parametrize(
    "header", ["", "soon", "-1", "nan", "inf", "1e999", "99/99/9999"]
)
def test_a_retry_after_that_says_nothing_is_none(header: str) -> None:
    assert llm_http._seconds(header) is None


@pytest.mark.slow
def test_a_hang_is_in_doubt_and_is_not_sent_again(
    endpoint: str, tmp_path: Path
) -> None:
    outcome = ask(endpoint, "hang", tmp_path, many=3, timeout_s=0.6)
    assert {one.status for one in outcome.settled.values()} == {"in_doubt"}
    assert set(count(endpoint)["answered"].values()) == {1}


# Killed at any moment ---------------------------------------------------------------------------


def statuses(ledger: Path) -> dict[str, str]:
    """Status by key, read as a stranger would."""
    base = sqlite3.connect(ledger)
    try:
        return dict(base.execute("SELECT key, status FROM calls").fetchall())
    finally:
        base.close()


@pytest.mark.slow
def test_a_run_killed_at_any_moment_loses_nothing_and_pays_nothing_twice(
    endpoint: str, project: Path, tmp_path: Path
) -> None:
    ledger, chance = tmp_path / "c.sqlite3", random.Random(5)
    command = [
        sys.executable, str(project / "benchmarks" / "calls_child.py"), str(ledger), endpoint,
        "quick", str(CALLS), str(AT_ONCE), str(CAP_USD),
    ]  # fmt: skip
    known: dict[str, str] = {}
    for _ in range(10):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(chance.random() * 0.12)
            os.kill(child.pid, signal.SIGKILL)
        now = statuses(ledger)
        assert all(
            now[key] == status for key, status in known.items() if status != "sent"
        )
        assert sum(status == "sent" for status in now.values()) <= AT_ONCE
        with Ledger(ledger) as opened:
            spend = opened.spend("run")
        assert spend.paid + spend.held <= CAP_USD
        known = statuses(ledger)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["calls"] + told["in_doubt"] == CALLS
    answered = count(endpoint)["answered"]
    assert max(answered.values()) == 1
    assert told["calls"] <= len(answered) <= CALLS
    # none would mean that no kill hit the wire
    assert 0 < told["in_doubt"] <= 10 * AT_ONCE
