"""Parameters are negotiated: real refusals of large endpoints, as people posted them, replayed.

``fixtures/refusals/bodies.jsonl`` holds each with its status and where it was posted; ``refused``
is the parameter it names, and ``changed`` what is sent in its place. A parameter that makes an arm
what it is has none: the arm can't be run. The last ones name a parameter and refuse a value of it.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from lab_world import folder_of, known
from loopback import LoopbackServer
from tuneworthy.cli import run as command
from tuneworthy.lab import ceiling
from tuneworthy.lab.prepare import prepare
from tuneworthy.llm import endpoints as llm_endpoints
from tuneworthy.llm import http as llm_http
from tuneworthy.llm.endpoints import Refused
from tuneworthy.model.base import Unknown
from tuneworthy.model.lab import ChatMessage, Reply, Request

BODIES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "fixtures" / "refusals" / "bodies.jsonl")
    .read_text("utf-8")
    .splitlines()
]
WHO = [f"{one['endpoint']} {one['model']} {one['refused']}" for one in BODIES]
OPENAI = "https://api.openai.com/v1"


@contextmanager
def refusing(
    *refusals: dict[str, Any], always: bool = False
) -> Iterator[tuple[str, list[Any]]]:
    """An endpoint that refuses what these refuse, in their words, and answers anything else."""
    seen: list[dict[str, Any]] = []
    fake = known({"careful": 1.0, "Answer": 0.4})

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append(asked)
            told = next(
                (one for one in refusals if always or one["refused"] in asked), None
            )
            messages = tuple(ChatMessage(**one) for one in asked["messages"])
            request = Request(
                provider="x", base_url="", model=asked["model"], messages=messages
            )
            answer = {
                "choices": [{"message": {"content": fake._answer(request)}}],
                "usage": {"prompt_tokens": 9, "completion_tokens": 2},
            }
            raw = json.dumps(told["body"] if told else answer).encode()
            self.send_response(told["status"] if told else 200)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *ignored: Any) -> None:
            del ignored

    server = LoopbackServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", seen
    finally:
        server.shutdown()
        server.server_close()


def asked(address: str, **more: Any) -> Request:
    """A request with every parameter that may be refused."""
    values: dict[str, Any] = {
        "temperature": 0.0, "seed": 1, "effort": "low", "response_schema": "{}", "max_tokens": 99,
    }  # fmt: skip
    message = ChatMessage(role="user", content="Where is book 1?")
    values = {"provider": "my", "model": "m", "messages": (message,), **values, **more}
    return Request(base_url=address, **values)


def sent(address: str, *requests: Request) -> list[Reply | Refused]:
    async def go() -> list[Reply | Refused]:
        http = llm_http.Http({address: None})
        try:
            told = [http.send(request) for request in requests]
            return await asyncio.gather(*told, return_exceptions=True)  # type: ignore[return-value]  # no exception is among them
        finally:
            await http.close()

    return asyncio.run(go())


@pytest.mark.slow
@pytest.mark.parametrize("one", BODIES, ids=WHO)
def test_a_refused_parameter_is_renamed_or_dropped_once_and_remembered(
    one: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with refusing(one, always=not one["refused"]) as (address, seen):
        # what is sent to an address like OpenAI's
        if one["refused"] == "max_completion_tokens":
            monkeypatch.setitem(llm_endpoints.PRESETS, "openai", _preset(address))
        told = sent(address, asked(address))[0]
        if not one["refused"]:
            assert isinstance(told, Refused)
            assert not isinstance(told, llm_endpoints.NotTaken)
            assert len(seen) == 1
            return
        if not one["changed"]:  # without it, it would be another arm
            assert isinstance(told, llm_endpoints.NotTaken)
            assert str(told).startswith(
                f"it takes no {one['refused']}: HTTP {one['status']}"
            )
            assert len(seen) == 1
            return
        assert isinstance(told, Reply)
        assert told.changed == (one["changed"],)
        assert len(seen) == 2
        assert one["refused"] in seen[0]
        assert one["refused"] not in seen[1]
        # another client learns it anew, all together
        again = sent(address, *[asked(address)] * 3)
        assert all(isinstance(each, Reply) and each.changed for each in again)


def _preset(address: str) -> Any:
    from tuneworthy.llm import endpoints as llm_endpoints

    return llm_endpoints.Endpoint(address)


@pytest.mark.slow
def test_what_was_learned_is_not_tried_again(tmp_path: Path) -> None:
    del tmp_path
    caps, temperature = BODIES[0], BODIES[5]
    with refusing(caps, temperature) as (address, seen):

        async def go() -> list[Reply]:
            http = llm_http.Http({address: None})
            try:
                return [await http.send(asked(address, seed=n)) for n in range(5)]
            finally:
                await http.close()

        told = asyncio.run(go())
        assert len(seen) == 5 + 2
        assert {one.changed for one in told} == {
            ("max_completion_tokens for max_tokens", "without temperature")
        }
        # it is remembered by model
        other = sent(address, asked(address, model="another"))
        assert len(seen) == 5 + 2 + 3
        assert isinstance(other[0], Reply)


@pytest.mark.slow
def test_temperature_is_sent_only_when_a_prompt_asks_for_it(tmp_path: Path) -> None:
    with refusing() as (address, seen):
        free = "usd_per_mtok: {input: 0, output: 0}"
        prompts = {
            "careful": "careful\n",
            "hot": "---\nname: hot\ntemperature: 0.3\n---\nAnswer\n",
        }
        models = f"[{{id: 'my:a', base_url: '{address}', {free}}}]"
        folder = folder_of(tmp_path, n=60, prompts=prompts, models=models)
        ceiling.run(prepare(folder), cap_usd=0)
    assert {one.get("temperature") for one in seen} == {None, 0.3}
    assert all(one["messages"][0]["content"].startswith("Answer") == ("temperature" in one)
               for one in seen)  # fmt: skip


@pytest.mark.slow
def test_a_lab_goes_on_with_what_a_model_takes_and_says_what_was_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = BODIES[21]
    assert schema["refused"] == "response_format"
    with refusing(BODIES[0], schema) as (address, _):
        free = "usd_per_mtok: {input: 0, output: 0}"
        models = f"[{{id: 'my:a', base_url: '{address}', {free}}}]"
        folder = folder_of(tmp_path, n=160, models=models)
        (folder / "schema.json").write_text('{"type": "string"}')
        file = folder / "case.yaml"
        file.write_text(
            file.read_text().replace("data: {", "data: {output_schema: schema.json, ")
        )
        done = ceiling.run(prepare(folder), cap_usd=0)
        result = done.result
        assert result.stopped == ""  # an arm that nobody can use hides nothing
        assert result.reached == "no"
        (lost,) = [one for one in result.arms if one.arm.constrained == "schema"]
        assert isinstance(lost.quality, Unknown)
        assert "it takes no response_format" in lost.quality.ask
        page = " ".join(ceiling.render(done).split())
        assert "takes no response_format" in page
        assert "Sent my:a: max_completion_tokens for max_tokens" in page
        plan = (folder / ".tuneworthy" / "ceiling-plan.json").read_text()
        assert "max_completion_tokens for max_tokens" in plan
        # nothing is sent again
        assert command(["ceiling", str(folder), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["arms"][0]["changed"] == ["max_completion_tokens for max_tokens"]
