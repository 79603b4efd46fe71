"""A call that got no answer says nothing about a model: no verdict moves, whatever refuses it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from internals import CeilingResult, ChatMessage, Fake, Refused, Reply, Request, prepare
from internals import lab_ceiling as ceiling
from internals import run as command
from lab_world import CAREFUL, LOUD, PLAIN, chance, folder_of, known
from test_labs_verify import RIGHT

AS_OF = date(2026, 11, 24)
AT_ONCE = 4
NO_TEMPERATURE = "Unsupported value: 'temperature' does not support 0 with this model"

Manner = Callable[[Request], tuple[int, dict[str, Any]] | None]
"""What an endpoint says to a request in place of an answer; None where it answers."""


@dataclass
class Endpoint:
    """An endpoint on the loopback, and what was asked of it."""

    fake: Fake
    manner: Manner = lambda _: None
    base_url: str = ""
    seen: list[str] = field(default_factory=list)
    """The model of each request."""

    def says(self, request: Request) -> tuple[int, dict[str, Any]]:
        self.seen.append(request.model)
        return self.manner(request) or (200, chat(self.fake._answer(request)))


def chat(text: str, finish: str = "stop") -> dict[str, Any]:
    return {
        "choices": [{"message": {"content": text}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 2},
    }


def error(message: str) -> dict[str, Any]:
    return {"error": {"message": message}}


@contextmanager
def served(shares: dict[str, float], **more: Any) -> Iterator[Endpoint]:
    """An endpoint whose models are right in known shares of cases."""
    endpoint = Endpoint(known(shares, **more))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            messages = tuple(ChatMessage(**one) for one in asked["messages"])
            status, body = endpoint.says(
                Request(provider="x", base_url="", model=asked["model"], messages=messages)
            )
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *ignored: Any) -> None:
            del ignored

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint.base_url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()


def models(endpoint: Endpoint, *names: str, tuned: str = "") -> str:
    free = "usd_per_mtok: {input: 0, output: 0}"
    kinds = {name: ", kind: tuned" if name == tuned else "" for name in (*names, tuned) if name}
    listed = (
        f"{{id: 'my:{name}', base_url: '{endpoint.base_url}', {free}{kind}}}"
        for name, kind in kinds.items()
    )
    return f"[{', '.join(listed)}]"


def lab(name: str, folder: Path, *more: str) -> int:
    return command([name, str(folder), "--as-of", "2026-11-24", "--at-once", str(AT_ONCE), *more])


def verdict(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    command(["decide", str(folder), "--format", "json", "--as-of", "2026-11-24"])
    return capsys.readouterr().out


def evidence(folder: Path) -> dict[str, float]:
    path = folder / ".tuneworthy" / "evidence.jsonl"
    if not path.exists():
        return {}
    (line,) = path.read_text().splitlines()
    return {one["id"]: one["value"] for one in json.loads(line)["evidence"]}


# Ceiling ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "quoted"),
    [
        (404, error("no such path"), "HTTP 404"),
        (400, error(NO_TEMPERATURE), "temperature"),
        (302, {}, "HTTP 302"),
        (307, {}, "HTTP 307"),
        (422, error("unknown field"), "HTTP 422"),
        (200, chat(""), "empty"),
        (200, chat("", "length"), "empty"),
        (200, chat("I'm", "content_filter"), "content filter"),
    ],
)
def test_where_nothing_is_answered_nothing_is_judged_and_no_verdict_moves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
    status: int, body: dict[str, Any], quoted: str,
) -> None:  # fmt: skip
    with served({"careful": 0.9}) as endpoint:
        endpoint.manner = lambda _: (status, body)
        folder = folder_of(tmp_path, models=models(endpoint, "a", "b"))
        before = verdict(folder, capsys)
        assert lab("ceiling", folder) == 3
        page = capsys.readouterr().out
        assert quoted in page
        assert "not judged" in page
        assert "Ceiling" in page
        assert " reached" not in page
        assert evidence(folder) == {}
        assert verdict(folder, capsys) == before
        refused = status != 200
        assert (len(endpoint.seen) <= 2 * (5 + AT_ONCE)) is refused
        assert lab("ceiling", folder, "--format", "json") == 3
    told = json.loads(capsys.readouterr().out)
    assert told["reached"] == "unknown"
    assert "ask" in told["reported"]
    assert {one["failed"] for one in told["arms"] if one["arm"]["kind"] == "prompt"} != {0}
    assert "yes" not in told["checks"].values()


def test_half_refused_is_not_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def half(request: Request) -> tuple[int, dict[str, Any]] | None:
        lucky = chance("half", request.messages[-1].content) < 0.5
        return None if lucky else (400, error("too long a prompt"))

    with served({"careful": 0.9}) as endpoint:
        endpoint.manner = half
        folder = folder_of(tmp_path, models=models(endpoint, "a"))
        before = verdict(folder, capsys)
        assert lab("ceiling", folder) == 3
        page = capsys.readouterr().out
    assert "too long a prompt" in page
    assert "Ceiling      not judged" in page
    assert evidence(folder) == {}
    assert verdict(folder, capsys) == before


def only(model: str, status: int = 404) -> Manner:
    return lambda request: (status, error("no such model")) if request.model == model else None


def test_an_arm_that_may_be_better_keeps_the_others_from_settling_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served({"good": 0.98, "poor": 0.3}) as endpoint:
        endpoint.manner = only("good")
        folder = folder_of(
            tmp_path, prompts={"p": "Answer.\n"}, models=models(endpoint, "good", "poor")
        )
        assert lab("ceiling", folder) == 3
        page = capsys.readouterr().out
        assert "no such model" in page
        assert " reached" not in page
        assert evidence(folder) == {}
        endpoint.manner = lambda _: None  # corrected: it goes on, and has its answer
        assert lab("ceiling", folder) == 0
        assert "not reached" in capsys.readouterr().out


def test_an_answered_arm_that_meets_the_target_is_enough(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served({"good": 1.0, "poor": 0.3}) as endpoint:
        endpoint.manner = only("poor")
        folder = folder_of(
            tmp_path, prompts={"p": "Answer.\n"}, models=models(endpoint, "good", "poor")
        )
        assert lab("ceiling", folder) == 0
    assert "not reached" in capsys.readouterr().out
    found = evidence(folder)
    assert found["success_share"] == 1.0
    assert found["models_seen"] == 1  # the one that answered
    assert found["distinct_prompts"] == 1


def test_a_silent_arm_leaves_nobody_behind(tmp_path: Path) -> None:
    """Half right, as an unknown case counts in the race, would beat every arm below a half."""
    with served({"poor": 0.05}) as endpoint:
        # one answer, so that the model isn't given up
        endpoint.manner = lambda request: (
            (400, error("no")) if request.model == "silent" and "7?" not in str(request) else None
        )
        folder = folder_of(
            tmp_path, n=240, prompts={"p": "Answer.\n"}, models=models(endpoint, "silent", "poor")
        )
        result = ceiling.run(prepare(folder, as_of=AS_OF), cap_usd=0).result
    assert all(one.dropped_after is None for one in result.arms)


# Verify -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", ["base", "mine"])
def test_a_side_that_is_refused_is_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lost: str
) -> None:
    general = {"base": RIGHT, "mine": RIGHT}
    with served({"base": 0.5, "mine": 0.5}, general=general) as endpoint:
        endpoint.manner = only(lost)
        folder = folder_of(
            tmp_path, prompts={"p": "Answer.\n"}, models=models(endpoint, "base", tuned="mine")
        )
        assert lab("verify", folder) == 3
        said = capsys.readouterr()
        assert "not judged" in said.err
        assert "HTTP 404" in said.err
        assert "no such model" in said.err
        assert said.out == ""
        assert not (folder / ".tuneworthy" / "verify-plan.json").exists()


@pytest.mark.parametrize("part", ["untouched", "general"])
def test_a_side_that_is_refused_later_is_not_judged_either(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], part: str
) -> None:
    general = {"base": RIGHT, "mine": RIGHT}
    with served({"base": 0.5, "mine": 0.95}, general=general) as endpoint:
        folder = folder_of(
            tmp_path, n=240, prompts={"p": "Answer.\n"},
            models=models(endpoint, "base", tuned="mine"),
        )  # fmt: skip
        untouched = {case.text for case in prepare(folder, as_of=AS_OF).plan.report}
        lost = untouched if part == "untouched" else set(RIGHT)
        endpoint.manner = lambda request: (
            (400, error("not now"))
            if request.model == "base" and request.messages[-1].content in lost
            else None
        )
        assert lab("verify", folder) == 3
        page = capsys.readouterr().out
    assert page.startswith("Not judged: ")
    assert "not now" in page


# Laws ---------------------------------------------------------------------------------------------

PROMPTS = {"careful": CAREFUL, "plain": PLAIN, "loud": LOUD}
SHARES = {"careful": 0.97, "Answer the question": 0.4, "SHOUT": 0.85}


class Withholding(Fake):
    """A model that refuses a share of what it would have answered, by prompt.

    Args:
        shares: How much is withheld, by a piece of the system prompt.
        right: Whether only right answers are withheld.
        seed: Of which ones.
    """

    def __init__(self, shares: dict[str, float], *, right: bool, seed: int) -> None:
        super().__init__(known(SHARES)._answer)
        self._shares, self._right, self._seed = shares, right, seed

    async def send(self, request: Request) -> Reply:
        system, asked = request.messages[0].content, request.messages[-1].content
        key = next(one for one in self._shares if one in system)
        held = chance(self._seed, system, asked) < self._shares[key]
        if held and (not self._right or self._answer(request).startswith("shelf")):
            raise Refused("HTTP 400: no")
        return await super().send(request)


def ran(fake: Fake, target: float) -> CeilingResult:
    with TemporaryDirectory() as folder:
        folder_of(Path(folder), prompts=PROMPTS, target=target)
        return ceiling.run(prepare(folder, as_of=AS_OF), cap_usd=0, transport=fake).result


@cache
def unheld(target: float) -> str:
    return ran(known(SHARES), target).reached


some = st.sampled_from([0.0, 0.02, 0.05, 0.1, 0.5, 1.0])


@example(careful=1.0, plain=0.0, loud=1.0, right=False, seed=0, target=0.8)
@settings(max_examples=15, deadline=None)
@given(
    careful=some, plain=some, loud=some, right=st.booleans(), seed=st.integers(0, 999),
    target=st.sampled_from([0.5, 0.8, 0.85]),
)  # fmt: skip
def test_withheld_answers_never_turn_not_reached_into_reached(
    careful: float, plain: float, loud: float, right: bool, seed: int, target: float
) -> None:
    assert unheld(target) == "no"
    shares = {"careful": careful, "Answer the question": plain, "SHOUT": loud}
    result = ran(Withholding(shares, right=right, seed=seed), target)
    assert result.reached != "yes"
