"""Many kinds of bad endpoint, six commands: no verdict, no check and no target moves."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from test_labs_verify import RIGHT

from faulty import Fake
from lab_world import folder_of, known
from loopback import LoopbackServer
from tuneworthy.cli import run as command
from tuneworthy.llm import runner as llm_runner
from tuneworthy.llm.choose import transport_for
from tuneworthy.model.lab import ChatMessage, Request

FREE = "usd_per_mtok: {input: 0, output: 0}"
CALLS = 12  # a bad endpoint is asked at most so often for each model, whatever the lab would take

Bad = Callable[[BaseHTTPRequestHandler], None]


def says(
    status: int, body: bytes, kind: str = "application/json", **headers: str
) -> Bad:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        told = {"Content-Type": kind, "Content-Length": str(len(body)), **headers}
        for name, value in told.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def hangs(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.settimeout(30)
    handler.rfile.read(1)  # until the other side has had enough


def cuts(handler: BaseHTTPRequestHandler) -> None:
    says(200, b'{"choices": [', **{"Content-Length": "999"})(handler)
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)


def told(
    text: str = "Provider returned error", finish: str | None = "stop", *, top: Any = None,
    choice: Any = None, message: Any = None,
) -> Bad:  # fmt: skip
    """HTTP 200 with a text, its end, and perhaps an error somewhere."""
    wrote = {"content": text, **({} if message is None else message)}
    body = {
        "choices": [{"message": wrote, "finish_reason": finish, "error": choice}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3},
        **({} if top is None else {"error": top}),
    }
    return says(200, json.dumps(body).encode())


ERROR = {"code": 502, "message": "Provider returned error"}
CALL = {"type": "function", "function": {"name": "look", "arguments": "{}"}}
NULL = {"choices": [{"message": {"content": None}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 0}}  # fmt: skip
BAD: dict[str, Bad] = {
    "wrong path": says(404, b"404 page not found", "text/plain"),
    "no such model": says(404, b'{"error": {"message": "model does not exist"}}'),
    "bad request": says(400, b'{"error": {"message": "the prompt is too long"}}'),
    "redirect": says(307, b"", Location="/v2/chat/completions"),
    "plain text": says(200, b"It works!", "text/plain"),
    "html": says(200, b"<html><body>Sign in</body></html>", "text/html"),
    "empty": says(200, b""),
    "null": says(200, json.dumps(NULL).encode()),
    "no key": says(401, b'{"error": {"message": "no such key"}}'),
    "hang": hangs,
    "cut": cuts,
    "refuse": lambda _: None,  # nobody listens
    "ends in an error": told(finish="error"),
    "error in the choice": told(choice=ERROR),
    "error beside the choices": told(top=ERROR),
    "error in the message": told(message={"error": ERROR}),
    "aborted": told("shelf", "abort"),
    "cancelled": told("shelf", "cancelled"),
    "other": told("shelf", "OTHER"),
    "malformed": told("", "MALFORMED_FUNCTION_CALL"),
    "blocked": told("shelf", "BLOCKLIST"),
    "a new word": told("shelf", "compacted"),
    "nothing to see": told("\u200b\u200d\ufeff\u2060 \x07"),
    "strange tool": told("", "tool_calls", message={"tool_calls": [CALL]}),
    "strange tool in a text": told("shelf", message={"tool_calls": [CALL]}),
}
WORDS = {
    "unavailable": told("Service temporarily unavailable. Please try again later."),
    "limited": told('{"error": "rate limited"}'),
}
"""One and the same text to everything, as gateways say it."""


class Quiet(LoopbackServer):
    """Says nothing of a client that hung up while it was answered, which is no fault of ours."""

    def handle_error(self, *ignored: Any) -> None:
        del ignored


@contextmanager
def endpoint(
    bad: Bad | None, *, listens: bool = True, model: Fake | None = None
) -> Iterator[tuple[str, list[str]]]:
    """An address, and the models that were asked for there; without ``bad`` it answers well."""
    seen: list[str] = []
    fake = model or known(
        {"careful": 0.6, "Answer": 0.5, "mine": 0.9},
        general={"one": RIGHT, "mine": RIGHT},
    )

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append(asked["model"])
            if bad is not None:
                bad(self)
                return
            messages = tuple(ChatMessage(**one) for one in asked["messages"])
            text = fake._answer(
                Request(
                    provider="x", base_url="", model=asked["model"], messages=messages
                )
            )
            told(text, None)(self)

        def log_message(self, *ignored: Any) -> None:
            del ignored

    server = Quiet(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    address = f"http://127.0.0.1:{server.server_address[1]}/v1"
    if listens:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    else:
        server.server_close()
    try:
        yield address, seen
    finally:
        if listens:
            server.shutdown()
            server.server_close()


def model(name: str, address: str, kind: str = "prompted") -> str:
    return f"{{id: 'my:{name}', base_url: '{address}', {FREE}, kind: {kind}}}"


def case_of(
    folder: Path, command: str, good: str, bad: str, n: int = 60
) -> tuple[Path, list[str]]:
    """A case in which a command meets a bad endpoint, and what the command takes beside it."""
    judge = ["--judge", str(folder / "rubric.md"), "--judge-model", "my:judge"]
    (folder / "rubric.md").write_text("Names the shelf.\n")
    models = {
        "ceiling": (model("one", bad), model("two", bad)),
        "verify": (model("one", good), model("mine", bad, "tuned")),
        "verify untuned": (model("one", bad), model("mine", good, "tuned")),
        "judge": (model("one", good), model("judge", bad)),
        "proposals": (model("one", good), model("writer", bad)),
        "retrieval": (model("one", bad),),
    }[command]
    shown, prompts = {"contexts": [{"text": "Every book stands on its shelf."}]}, None
    if command == "retrieval":
        prompts = {"careful": "Answer by this: {{ contexts }}\n"}
    folder_of(
        folder, n=n, models=f"[{', '.join(models)}]", cases=shown, prompts=prompts
    )
    more = {
        "judge": judge,
        "proposals": ["--propose", "2", "--propose-with", "my:writer"],
    }
    more["retrieval"] = ["--answers"]
    return folder, more.get(command, [])


def state(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, bool]:
    """The whole dossier, and whether there is any evidence."""
    capsys.readouterr()
    assert (
        command(["decide", str(folder), "--format", "json", "--as-of", "2026-11-24"])
        == 0
    )
    return capsys.readouterr().out, (folder / ".tuneworthy" / "evidence.jsonl").exists()


def judged_of(seen: tuple[str, bool]) -> tuple[Any, ...]:
    """The answer, the checks and the targets of a dossier, and what is known of a bad writer."""
    dossier = json.loads(seen[0])
    arms = [way for way in dossier["ways"] if "my:writer" in way["title"]]
    known = [
        figure
        for way in arms
        for figure in way["figures"].values()
        if "value" in figure
    ]
    states = {
        name: check["state"] for name, check in dossier["ceiling"]["checks"].items()
    }
    targets = {name: target["state"] for name, target in dossier["targets"].items()}
    return (
        dossier["verdict"]["answer"],
        dossier["ceiling"]["reached"],
        states,
        targets,
        known,
    )


COMMANDS = {"verify": "verify", "verify untuned": "verify", "retrieval": "retrieve"}
"""What of a case isn't a ceiling lab."""
LABS = ["ceiling", "verify", "verify untuned", "judge", "proposals", "retrieval"]
MET = [
    (LABS[place % len(LABS)], kind)
    for n, kind in enumerate(BAD)
    for place in (n, n + 1 + n // len(LABS))
]
"""Each kind with two of the labs, and each lab with eight kinds: all read answers in one way."""


@pytest.mark.slow
@pytest.mark.parametrize(("what", "kind"), MET)
def test_no_bad_endpoint_moves_a_verdict_a_check_or_a_target(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    what: str, kind: str,
) -> None:  # fmt: skip
    assert transport_for.__kwdefaults__ is not None
    if kind == "hang":
        monkeypatch.setitem(transport_for.__kwdefaults__, "timeout_s", 0.3)
    monkeypatch.setattr(llm_runner, "_FIRST_WAIT_S", 0.002)
    with (
        endpoint(None) as (good, _),
        endpoint(BAD[kind], listens=kind != "refuse") as (bad, seen),
    ):
        folder, more = case_of(tmp_path, what, good, bad)
        before = state(folder, capsys)
        name = COMMANDS.get(what, "ceiling")
        lab = [name, str(folder), "--as-of", "2026-11-24", "--at-once", "4", *more]
        assert command(lab) == 3
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        after = state(folder, capsys)
        if what == "proposals":  # the arms of the model that did answer are kept
            assert judged_of(after) == judged_of(before)
        else:
            assert after == before
    assert (kind == "refuse") != bool(seen)
    assert len(seen) <= CALLS * len(set(seen))


@pytest.mark.slow
@pytest.mark.parametrize("kind", WORDS)
@pytest.mark.parametrize("what", ["ceiling", "verify", "verify untuned", "retrieval"])
def test_the_same_words_to_every_input_move_nothing_and_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str, kind: str
) -> None:
    with endpoint(None) as (good, _), endpoint(WORDS[kind]) as (bad, _):
        folder, more = case_of(tmp_path, what, good, bad, n=120)
        before = state(folder, capsys)
        lab = [
            COMMANDS.get(what, "ceiling"),
            str(folder),
            "--as-of",
            "2026-11-24",
            *more,
        ]
        assert command(lab) == 3
        both = capsys.readouterr()
        page = " ".join(f"{both.out} {both.err}".split())
        assert "every answer of " in page
        assert {"unavailable": "temporarily unavailable", "limited": "rate limited"}[
            kind
        ] in page
        assert state(folder, capsys) == before
