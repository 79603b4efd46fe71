"""A small endpoint on loopback for tests and benchmarks; the model's name says how it behaves.

Run ``python benchmarks/calls_server.py``; it prints its port and serves until it is killed or its
input ends. ``GET /count`` says what it answered.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter
from typing import Any

FAULTS = {
    "faulty": (("429", 0.10), ("500", 0.02), ("malformed", 0.01), ("hang", 0.002)),
    "busy_2": (("429", 0.02),),
    "busy_10": (("429", 0.10), ("500", 0.02)),
}
"""What models do by chance, and how often."""
ROOM = 16
"""Calls that the model ``full`` takes at a time."""
JSON = "application/json"
Told = tuple[int, bytes, dict[str, str]]
CONSTANT: dict[str, Told | None] = {
    "drop": None,
    "malformed": (200, b'{"choices": [', {}),
    "forbidden": (403, b"no", {}),
    "redirect": (307, b"", {"Location": "/elsewhere/chat/completions"}),
    "accepted": (202, b"later", {}),
    "deep": (200, b"[" * 200_000, {}),
    "binary": (200, bytes(range(256)) * 40, {}),
    "for_ever": (429, b"wait", {"Retry-After": "86400"}),
}
"""What models say that say the same to everything; None is no answer at all."""
OVERSIZED = "x" * 5_000_000


class Endpoint:
    """What it was asked and what it said."""

    def __init__(self) -> None:
        self.answered: Counter[str] = Counter()
        self.refused = 0
        self.paths: Counter[str] = Counter()
        self.keys: Counter[str] = Counter()
        self.at_once = self.most_at_once = 0
        self.times: list[tuple[str, float]] = []
        self.chance = random.Random(7)

    def count(self) -> bytes:
        """Everything, as JSON."""
        told = {
            "answered": self.answered, "refused": self.refused, "paths": self.paths,
            "keys": self.keys, "most_at_once": self.most_at_once, "times": self.times[-2000:],
        }  # fmt: skip
        return json.dumps(told).encode()

    async def say(self, body: dict[str, Any], key: str) -> Told | None:
        """The answer to a call; None for none at all."""
        model, asked = body["model"], body["messages"][-1]["content"]
        self.times.append((model, asyncio.get_running_loop().time()))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(0.02 if model == "quick" else 0.05)
        finally:
            self.at_once -= 1
        if model == "full":
            model = "plain" if self.at_once < ROOM else "429"
        fault = self._fault(model) if model in FAULTS else model
        if fault in ("429", "500"):
            self.refused += 1
            return (
                int(fault),
                b"not now",
                {"Retry-After": "0.05"} if fault == "429" else {},
            )
        self.answered[asked] += 1
        if fault == "hang":
            await asyncio.sleep(3600)
        return self._odd(fault, asked, key)

    def _fault(self, model: str) -> str:
        drawn = self.chance.random()
        for name, share in FAULTS[model]:
            drawn -= share
            if drawn < 0:
                return name
        return ""

    def _odd(self, model: str, asked: str, key: str) -> Told | None:
        if model == "asks" and self.answered[asked] == 1:
            return 429, b"wait", {"Retry-After": "0.5"}
        if model in CONSTANT:
            return CONSTANT[model]
        if model == "unauthorised":
            return 401, f"wrong key: {key}".encode(), {}
        spelt = key.replace("-", "\\u002d").replace("/", "\\/")
        if model == "escaped":
            return (
                200,
                answer(f"your key: {key}").replace(key.encode(), spelt.encode()),
                {},
            )
        if model == "escaped_error":
            return 400, f'{{"error": "wrong key: {spelt}"}}'.encode(), {}
        said = {
            "mirror": f"your key: {key}",
            "nested": f'{{"key": "{spelt}"}}',
            "lone": "a\ud800b",
            "oversized": OVERSIZED,
        }
        usage = {"usageless": None, "hostile": float("inf"), "negative": -3}
        return 200, answer(said.get(model, asked), usage.get(model, 1)), {}


def answer(text: str, usage: float | None = 1) -> bytes:
    """A chat completion."""
    message = {"role": "assistant", "content": text}
    body: dict[str, Any] = {
        "id": "1", "object": "chat.completion", "created": 0, "model": "plain",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }  # fmt: skip
    if usage is not None:
        total = usage + usage
        body["usage"] = {
            "prompt_tokens": usage, "completion_tokens": usage, "total_tokens": total
        }  # fmt: skip
    return json.dumps(body).encode()


def handler(endpoint: Endpoint) -> Any:
    """What serves one connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await exchange(endpoint, reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    return serve


async def exchange(
    endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    """One request and its answer; false where the connection is to be closed."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ", 2)
    headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in head[1:])}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    key = headers.get("authorization", "")
    endpoint.paths[path] += 1
    endpoint.keys[key] += 1
    told: Told | None
    if method == "GET" and path.endswith("/models"):
        told = (200, json.dumps({"data": [{"id": "plain"}]}).encode(), {})
    elif method == "POST":
        told = await endpoint.say(json.loads(body), key.removeprefix("Bearer "))
    else:
        told = (200, endpoint.count(), {})
    if told is None:
        return False
    status, raw, more = told
    extra = "".join(f"{name}: {value}\r\n" for name, value in more.items())
    top = f"HTTP/1.1 {status} so\r\nContent-Type: {JSON}\r\nContent-Length: {len(raw)}\r\n"
    writer.write(f"{top}{extra}\r\n".encode() + raw)
    await writer.drain()
    return True


async def main() -> None:
    """Serve until the input ends."""
    server = await asyncio.start_server(
        handler(Endpoint()), "127.0.0.1", 0, backlog=512
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
