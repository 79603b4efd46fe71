"""Hold the readers of logs against what makers' newest software writes.

    python tools/makers_logs.py [MAKER …]

Installs the makers' packages into an environment under build/makers, makes the same calls through
each of them at a server of our own on this machine, and reads what they wrote: calls, failures and
tokens have to be what the server counted. Prints a line a maker with its versions; the exit code is
1 where one is read wrongly. Run by hand; ``tried`` in the formats has the versions.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

from makers_drivers import DRIVERS

from tuneworthy.errors import InputError
from tuneworthy.traces.read import TraceFiles

FOLDER = Path(__file__).resolve().parents[1] / "build" / "makers"
PACKAGES = {
    "openllmetry": (
        "openai",
        "opentelemetry-sdk",
        "opentelemetry-instrumentation-openai",
    ),
    "openinference": (
        "openai",
        "opentelemetry-sdk",
        "openinference-instrumentation-openai",
    ),
    "logfire_openai": ("openai", "logfire"),
    "pydantic_ai_spans": ("pydantic-ai-slim[openai]", "opentelemetry-sdk"),
    "pydantic_ai_messages": ("pydantic-ai-slim[openai]",),
    "agents_sdk": ("openai-agents",),
    "langsmith_runs": ("langchain-openai", "langsmith"),
    "llm_database": ("llm",),
    "openai_pairs": ("openai",),
    "anthropic_pairs": ("anthropic",),
    "ollama_pairs": ("ollama",),
    "gemini_pairs": ("google-genai",),
    "bedrock_pairs": ("boto3",),
}
SUFFIXES = {"llm_database": ".db"}
WITHOUT_FAILURES = frozenset({"pydantic_ai_messages", "llm_database"})
"""What these write holds no call that failed."""
_WAIT_S = 120
_STATES = {"[429]": 429, "[500]": 500}
_READ_A_WORD = 1.5  #: Tokens that the server counts for each word it reads.


class Counted(NamedTuple):
    calls: int
    failed: int
    input_tokens: int
    output_tokens: int


class Server:
    """The chat of several makers, answered by what the question asks for."""

    def __init__(self) -> None:
        #: State, and tokens read and written.
        self.answers: list[tuple[int, int, int]] = []
        server = self

        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.answer(self, body)

            def log_message(self, format: str, *args: Any) -> None:  # their name
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        Thread(target=self._http.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def counted(self) -> Counted:
        went = [answer for answer in self.answers if answer[0] == 200]
        return Counted(
            len(self.answers),
            len(self.answers) - len(went),
            sum(answer[1] for answer in went),
            sum(answer[2] for answer in went),
        )

    def answer(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        said = body.get("messages") or body.get("contents", "")
        asked = json.dumps(said) + str(body.get("system", ""))
        state = next((code for mark, code in _STATES.items() if mark in asked), 200)
        read = int(len(asked.split()) * _READ_A_WORD)
        text = "I can't help with that." if "[no]" in asked else "It is on its way."
        wrote = 64 if "[cut]" in asked else 8
        self.answers.append((state, read, wrote))
        other = next((k for k in _OTHERS if k in handler.path), None)
        if state != 200:
            kind = "rate_limit_error" if state == 429 else "server_error"
            error = {"message": "not now", "type": kind, "code": None, "param": None}
            _send(handler, state, {"type": "error", "error": error})
        elif other is not None:
            _send(handler, 200, _OTHERS[other](text, read, wrote, "[cut]" in asked))
        elif handler.path.endswith("/messages"):
            _send(handler, 200, _anthropic(text, read, wrote, cut="[cut]" in asked))
        elif body.get("stream"):
            _stream(handler, text, read, wrote)
        else:
            _send(handler, 200, _openai(text, read, wrote, cut="[cut]" in asked))


_WHOLE = "gpt-4.1-mini-2025-04-14"


def _openai(text: str, read: int, wrote: int, *, cut: bool) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {
        "index": 0,
        "message": message,
        "finish_reason": "length" if cut else "stop",
    }
    return {
        "id": f"chatcmpl-{read}-{wrote}",
        "object": "chat.completion",
        "created": 1796000000,
        "model": _WHOLE,
        "choices": [{**choice, "logprobs": None}],
        "usage": _usage(read, wrote),
    }


def _usage(read: int, wrote: int) -> dict[str, Any]:
    return {
        "prompt_tokens": read,
        "completion_tokens": wrote,
        "total_tokens": read + wrote,
    }


def _anthropic(text: str, read: int, wrote: int, *, cut: bool) -> dict[str, Any]:
    return {
        "id": f"msg_{read}_{wrote}",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "max_tokens" if cut else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": read, "output_tokens": wrote},
    }


def _ollama(text: str, read: int, wrote: int, cut: bool) -> dict[str, Any]:
    return {
        "model": "llama3.2",
        "created_at": "2026-11-30T12:00:00Z",
        "message": {"role": "assistant", "content": text},
        "done": True,
        "done_reason": "length" if cut else "stop",
        "total_duration": 200_000_000,
        "prompt_eval_count": read,
        "eval_count": wrote,
    }


def _gemini(text: str, read: int, wrote: int, cut: bool) -> dict[str, Any]:
    candidate = {
        "content": {"role": "model", "parts": [{"text": text}]},
        "finishReason": "MAX_TOKENS" if cut else "STOP",
    }
    usage = {"promptTokenCount": read, "candidatesTokenCount": wrote}
    return {
        "candidates": [candidate],
        "usageMetadata": usage,
        "modelVersion": "gemini-2.5-flash",
    }


def _bedrock(text: str, read: int, wrote: int, cut: bool) -> dict[str, Any]:
    message = {"role": "assistant", "content": [{"text": text}]}
    return {
        "output": {"message": message},
        "stopReason": "max_tokens" if cut else "end_turn",
        "usage": {
            "inputTokens": read,
            "outputTokens": wrote,
            "totalTokens": read + wrote,
        },
        "metrics": {"latencyMs": 200},
    }


_OTHERS = {
    "/api/chat": _ollama,
    ":generateContent": _gemini,
    "/converse": _bedrock,
}
"""Who answers, by what stands in the path of a request."""


def _send(handler: BaseHTTPRequestHandler, state: int, body: dict[str, Any]) -> None:
    data = json.dumps(body).encode()
    handler.send_response(state)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


def _stream(handler: BaseHTTPRequestHandler, text: str, read: int, wrote: int) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.end_headers()
    head = {
        "id": f"chatcmpl-{read}",
        "object": "chat.completion.chunk",
        "created": 1796000000,
    }
    head["model"] = _WHOLE
    pieces: list[dict[str, Any]] = [
        {
            "choices": [
                {"index": 0, "delta": {"role": "assistant", "content": text[:5]}}
            ]
        },
        {
            "choices": [
                {"index": 0, "delta": {"content": text[5:]}, "finish_reason": "stop"}
            ]
        },
        {"choices": [], "usage": _usage(read, wrote)},
    ]
    for piece in pieces:
        handler.wfile.write(f"data: {json.dumps({**head, **piece})}\n\n".encode())
    handler.wfile.write(b"data: [DONE]\n\n")


def read(file: Path) -> Counted:
    """What is read of a file."""
    calls = failed = 0
    read_tokens = wrote_tokens = 0.0
    for chunk in TraceFiles([file]):
        batch = chunk.batch
        calls += len(batch)
        failed += sum(error is not None for error in batch.column("error"))
        read_tokens += sum(filter(None, batch.column("input_tokens")))
        wrote_tokens += sum(filter(None, batch.column("output_tokens")))
    return Counted(calls, failed, round(read_tokens), round(wrote_tokens))


def checked(maker: str, python: str, folder: Path) -> str:
    """What is wrong with how a maker's file is read; empty for nothing."""
    server = Server()
    file = folder / f"{maker}{SUFFIXES.get(maker, '.jsonl')}"
    drivers = Path(__file__).with_name("makers_drivers.py")
    command = [python, str(drivers), maker, server.address, str(file)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_WAIT_S
        )
    except subprocess.TimeoutExpired:
        return f"not tried: it took more than {_WAIT_S} s"
    if done.returncode or not file.exists():
        return f"not tried: {(done.stderr.strip().splitlines() or ['it wrote no file'])[-1][:120]}"
    truth = server.counted()
    if maker in WITHOUT_FAILURES:
        truth = truth._replace(calls=truth.calls - truth.failed, failed=0)
    try:
        seen = read(file)
    except InputError as refused:
        return f"refused: {refused}"
    return "" if seen == truth else f"{seen} where the server counted {truth}"


def main() -> int:
    makers = sys.argv[1:] or [*DRIVERS]
    place = FOLDER / "logs"
    python = place / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    packages = sorted({package for maker in makers for package in PACKAGES[maker]})
    install = [str(python), "-m", "pip", "install", "-q", "--upgrade", *packages]
    subprocess.run(install, check=True)
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for maker in makers:
            problem = checked(maker, str(python), Path(folder))
            names = [package.partition("[")[0] for package in PACKAGES[maker]]
            listed = [str(python), "-m", "pip", "list", "--format=json"]
            packages_there = json.loads(subprocess.check_output(listed))
            versions = {each["name"]: each["version"] for each in packages_there}
            shown = ", ".join(f"{name} {versions.get(name, '?')}" for name in names)
            print(f"{maker} ({shown}): {problem or 'right'}")
            wrong += bool(problem) and not problem.startswith("not tried")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
