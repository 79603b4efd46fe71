"""The wire: OpenAI-compatible chat completions over HTTP, each request sent exactly once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

import aiohttp

from tuneworthy.calls.endpoints import Secret
from tuneworthy.calls.transport import Busy, Doubtful, NotSent, Refused
from tuneworthy.domain.calls import Reply, Request, Usage
from tuneworthy.domain.errors import one_line

_BUSY = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_FOR_ALL = frozenset({401, 402, 403})
_MOST_BYTES = 16 * 1024 * 1024


class Http:
    """A transport over HTTP.

    Args:
        keys: Key by base URL; None where an endpoint needs none.
        timeout_s: Seconds after which an answer that hasn't come is in doubt.
        at_once: The most connections.
    """

    def __init__(
        self, keys: Mapping[str, Secret | None], *, timeout_s: float = 120.0, at_once: int = 64
    ) -> None:
        self._keys, self._timeout, self._at_once = dict(keys), timeout_s, at_once
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    async def send(self, request: Request) -> Reply:
        """Send a request once; see ``Transport``."""
        headers = {"Content-Type": "application/json"}
        if (key := self._keys.get(request.base_url)) is not None:
            headers["Authorization"] = f"Bearer {key.reveal()}"
        body, sent = json.dumps(payload(request)).encode("utf-8", "surrogatepass"), time.monotonic()
        try:
            async with asyncio.timeout(self._timeout), self._open().post(
                f"{request.base_url}/chat/completions", data=body, headers=headers,
                allow_redirects=False,
            ) as response:  # fmt: skip
                raw = await response.content.read(_MOST_BYTES + 1)
                while len(raw) <= _MOST_BYTES and (more := await response.content.read(1 << 16)):
                    raw += more
                status, retry_after = response.status, response.headers.get("Retry-After", "")
        except aiohttp.ClientConnectorError as caught:
            raise NotSent(f"can't connect to {caught.host}") from None
        except TimeoutError:
            raise Doubtful(f"no answer within {self._timeout:g} s") from None
        except (aiohttp.ClientError, OSError) as caught:
            raise Doubtful(f"the connection broke ({type(caught).__name__})") from None
        if status != 200:
            raise _refusal(status, retry_after, raw)
        return parse(raw, latency_s=time.monotonic() - sent)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._at_once)
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=aiohttp.ClientTimeout(total=None)
            )
        return self._session


def payload(request: Request) -> dict[str, Any]:
    """The body of a request as the endpoint wants it."""
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        "temperature": request.temperature,
    }
    if request.max_tokens is not None:
        body["max_tokens"] = request.max_tokens
    if request.seed is not None:
        body["seed"] = request.seed
    if request.response_schema is not None:
        schema = {"name": "output", "strict": True, "schema": json.loads(request.response_schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    if request.grammar is not None:
        body["grammar"] = request.grammar
    if request.tools is not None:
        body["tools"] = json.loads(request.tools)
    return body


def parse(raw: bytes, *, latency_s: float) -> Reply:
    """An endpoint's answer.

    Raises:
        Doubtful: If it can't be read: it was answered, and so paid, but nothing can be made of it.
    """
    try:
        body = json.loads(raw)
        choice = body["choices"][0]
        message = choice["message"]
        usage = body.get("usage") or {}
        details = usage.get("prompt_tokens_details") or {}
        calls = message.get("tool_calls") or ()
        return Reply(
            text=message.get("content") or "",
            tool_calls=tuple(
                (str(c["function"]["name"]), str(c["function"]["arguments"])) for c in calls
            ),
            finish=str(choice.get("finish_reason") or "stop"),
            usage=Usage(
                input_tokens=int(usage.get("prompt_tokens") or 0),
                output_tokens=int(usage.get("completion_tokens") or 0),
                cached_tokens=int(details.get("cached_tokens") or 0),
            ),
            latency_s=latency_s,
        )
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise Doubtful("the answer can't be read") from None


def _refusal(status: int, retry_after: str, raw: bytes) -> Busy | Refused:
    """What an answer that is no answer means."""
    said = one_line(raw[:300].decode("utf-8", "replace"), limit=200)
    why = f"HTTP {status}: {said}" if said else f"HTTP {status}"
    if status in _BUSY:
        return Busy(why, _seconds(retry_after))
    return Refused(why, for_all=status in _FOR_ALL)


def _seconds(retry_after: str) -> float | None:
    """Seconds of a Retry-After header; None for a date or nonsense, which our own wait covers."""
    try:
        found = float(retry_after)
    except ValueError:
        return None
    return found if 0 <= found < 86_400 else None
