"""An assistant's side of the protocol: real clients over both transports, and cases to look at."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

PROJECT = Path(__file__).resolve().parents[1]
COMMAND = (sys.executable, "-m", "tuneworthy", "mcp")
DAY = "2026-11-24"
TOKEN = "a-token-of-some-length-0123456789"
AT_ONCE_S = 30
"""Seconds in which a server has ended, on a machine that does much else."""


def make_cases(folder: Path) -> Path:
    """Three cases: the lesson's, one that can be measured and priced, and one that is no case."""
    shutil.copytree(PROJECT / "examples" / "task-api", folder / "task-api")
    measured = folder / "with data"
    (measured / "prompts").mkdir(parents=True)
    for name, text in (("a", "Answer briefly."), ("b", "Answer in one word.")):
        (measured / "prompts" / f"{name}.md").write_text(
            f"{text}\n\n{{input}}\n", "utf-8"
        )
    talks = [
        {
            "messages": [
                {"role": "user", "content": f"Where is order {n}?"},
                {"role": "assistant", "content": f"Order {n} is on its way."},
            ]
        }
        for n in range(40)
    ]
    asked = [
        {"id": f"c{n}", "input": f"{n} + 1?", "reference": str(n + 1)}
        for n in range(30)
    ]
    for file, rows in (("log.jsonl", talks), ("eval.jsonl", asked)):
        (measured / file).write_text(
            "".join(json.dumps(row) + "\n" for row in rows), "utf-8"
        )
    (measured / "case.yaml").write_text(
        "name: With data\nfactors: {brand_voice: unknown}  # ask marketing\n"
        "data: {traces: [log.jsonl], evaluation: eval.jsonl, prompts: prompts}\n"
        'models: [{id: "openai:gpt-4o", usd_per_mtok: {input: 2.5, output: 10}}]\n',
        "utf-8",
    )
    (folder / "broken").mkdir()
    (folder / "broken" / "case.yaml").write_text("name: [\n", "utf-8")
    return folder


def digest_of(folder: Path) -> str:
    """Every name, kind and byte under a folder."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else b"folder"
        found.update(f"{path.relative_to(folder)}:{len(content)}:".encode() + content)
    return found.hexdigest()


def environment(**more: str) -> dict[str, str]:
    """Ours, without what would change how a server behaves."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TUNEWORTHY_")}
    return kept | {"PYTHONDONTWRITEBYTECODE": "1"} | more


@contextmanager
def http_server(
    folder: Path, *, end: signal.Signals = signal.SIGINT, **env: str
) -> Generator[str]:
    """A server on a free port of this machine, ended by a signal; its address."""
    command = [*COMMAND, str(folder), "--http", "--port", "0", "--as-of", DAY]
    own = environment(TUNEWORTHY_TOKEN=TOKEN, **env)
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=own
    )
    assert process.stderr is not None
    assert process.stdout is not None
    try:
        line = process.stderr.readline()
        found = re.search(r"http://\S+/mcp", line)
        assert found, line + process.stderr.read()
        yield found[0]
    finally:
        process.send_signal(end)
        out, err = process.communicate(timeout=AT_ONCE_S)
    assert (process.returncode, out, err) == (3, "", "")


class Assistant:
    """A client that waits for its answers."""

    def __init__(self, portal: BlockingPortal, client: Client) -> None:
        self.portal, self.client = portal, client

    def ask(self, method: str, *given: Any) -> Any:
        """Whatever the client can ask."""
        return self.portal.call(getattr(self.client, method), *given)

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The data of a tool that is expected to answer."""
        result = self.ask("call_tool", tool, arguments)
        assert not result.is_error, result.content[0].text
        found: dict[str, Any] = result.structured_content
        return found

    def text(self, tool: str, **arguments: Any) -> str:
        """The text of a tool that is expected to answer."""
        result = self.ask("call_tool", tool, arguments)
        assert not result.is_error, result.content[0].text
        return str(result.content[0].text)

    def refused(self, tool: str, **arguments: Any) -> str:
        """The one line of a tool that is expected to refuse."""
        result = self.ask("call_tool", tool, arguments)
        assert result.is_error, result.structured_content
        (only,) = result.content
        assert only.text.strip()
        assert only.text.isprintable()
        assert "Traceback" not in only.text
        return str(only.text)


@contextmanager
def connected(target: Any, **how: Any) -> Generator[Assistant]:
    """A client that is connected to a server: its address, or how to start it."""
    with start_blocking_portal() as portal:
        client = Client(target, read_timeout_seconds=60, **how)
        entered: AbstractContextManager[Any] = portal.wrap_async_context_manager(client)
        with entered:
            yield Assistant(portal, client)


@contextmanager
def connected_over_http(address: str, **how: Any) -> Generator[Assistant]:
    """A client that is connected to an address and shows the token."""
    bearer = httpx2.AsyncClient(
        headers={"authorization": f"Bearer {TOKEN}"}, timeout=60
    )
    with connected(
        streamable_http_client(address, http_client=bearer), **how
    ) as assistant:
        yield assistant
        assistant.portal.call(bearer.aclose)


def started(folder: Path) -> StdioServerParameters:
    """How a client starts the server over the standard streams."""
    return StdioServerParameters(
        command=COMMAND[0],
        args=[*COMMAND[1:], str(folder), "--as-of", DAY],
        env=environment(),
    )
