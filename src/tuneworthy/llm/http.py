"""OpenAI-compatible chat completions and decisions over HTTP, each sent exactly once."""

from __future__ import annotations

import asyncio
import json
import math
import re
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import aiohttp

from tuneworthy.errors import CaseError, one_line
from tuneworthy.llm.endpoints import (
    PRESETS,
    Busy,
    CallError,
    Doubtful,
    NotSent,
    NotTaken,
    Place,
    Refused,
    Secret,
    host_of,
    key_variable,
    named_address,
)
from tuneworthy.llm.hosts import find_proxy, may_send_to, unconfirmed_error
from tuneworthy.model.base import readable
from tuneworthy.model.lab import (
    ERROR_END,
    ChatMessage,
    Reply,
    Request,
    Usage,
)

# HTTP's status codes
_BUSY = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_NO_KEY = frozenset({401, 402})
_FORBIDDEN = 403
_OK = 200
_REDIRECT = 300
_MOST_BYTES = 4 * 1024 * 1024  # a hundred times the longest answer that any model gives
_BYTES_A_TOKEN = 64  # sixteen times the usual ones
# bytes for thinking that no token limit counts, and for JSON
_BYTES_AROUND = 256 * 1024
_MOST_TOKENS = 10**9  # of a count that is kept
# many servers close after 5 s, and a call sent just then would be in doubt
_IDLE_S = 4.0


class Http:
    """A transport over HTTP, with the key of each base URL; None where an endpoint needs none.

    An answer that takes more than ``timeout_s`` seconds is in doubt. Nothing goes to a host that is
    neither known nor ``confirmed``, nor has a key of its own.
    """

    def __init__(
        self,
        keys: Mapping[str, Secret | None],
        *,
        timeout_s: float = 120.0,
        at_once: int = 64,
        confirmed: Collection[str] = (),
    ) -> None:
        self._confirmed = frozenset(confirmed)
        self._keys = dict(keys)
        self._timeout = timeout_s
        self._at_once = at_once
        self._answered: set[str] = set()
        self._learned = defaultdict[Place, dict[str, str]](dict)
        """Parameters that were refused, with their replacements."""
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, request: Request) -> Reply:
        """Send a request once; see ``Transport``.

        Where the endpoint refuses a parameter, which costs nothing, it is replaced and sent again.
        """
        replaced = self._learned[request.base_url, request.model]
        for _ in range(_MOST_CHANGES):
            before = dict(replaced)
            try:
                reply = await self._send(request, replaced)
            except NotTaken as caught:
                if caught.parameter not in _INSTEAD:
                    raise
                replaced.setdefault(caught.parameter, _INSTEAD[caught.parameter])
                if replaced == before:  # the replacement that it asked for didn't help
                    raise
            else:
                changed = tuple(_CHANGES[parameter] for parameter in replaced)
                return reply.model_copy(update={"changed": changed})
        raise Refused("it takes none of the parameters that were tried")

    async def _send(self, request: Request, replaced: Mapping[str, str]) -> Reply:
        """Send a request once, with other parameters in place of refused ones."""
        key = self._keys.get(request.base_url)
        sent_at = time.monotonic()
        try:
            body = _with_replacements(payload(request), replaced)
            raw_body = json.dumps(body).encode()
        except (ValueError, RecursionError):
            raise Refused("its schema or tools are not JSON") from None
        path = "chat/completions" if request.choices is None else "decisions"
        most_bytes = _most_bytes(request)
        status, headers, raw = await self.exchange(
            "POST",
            f"{request.base_url}/{path}",
            key,
            data=raw_body,
            headers={"Content-Type": "application/json"},
            most_bytes=most_bytes,
        )
        if status != _OK:
            retry_after = headers.get("Retry-After", "")
            text = hidden(raw.decode("utf-8", "replace"), key)
            raise self._refusal(request, status, retry_after, text, sent=body)
        self._answered.add(request.base_url)
        latency_s = time.monotonic() - sent_at
        return parse(raw, latency_s=latency_s, key=key, most_bytes=most_bytes)

    def _refusal(
        self,
        request: Request,
        status: int,
        retry_after: str,
        text: str,
        *,
        sent: Iterable[str],
    ) -> Exception:
        """The error for a failed answer; NotTaken where it names one of the ``sent`` parameters."""
        if status in _NO_KEY and self._keys.get(request.base_url) is None:
            text = f"no key is in {key_variable(request.base_url)}; it says {text}"
        has_answered = request.base_url in self._answered
        refusal = refusal_of(status, retry_after, text, known=has_answered)
        if isinstance(refusal, Refused):
            parameter = refused_parameter(text, sent)
            if parameter:
                return NotTaken(parameter, str(refusal))
        return refusal

    async def exchange(
        self,
        method: str,
        url: str,
        key: Secret | None,
        *,
        data: bytes | Mapping[str, str | tuple[str, bytes]] | None = None,
        headers: Mapping[str, str] | None = None,
        vouched: bool = False,
        most_bytes: int = _MOST_BYTES,
    ) -> HttpAnswer:
        """Send one request, and return its answer; a body is cut at ``most_bytes``.

        ``data`` is a body, or the fields of a form: texts, and files with their names. No redirect
        is followed. An address is ``vouched`` for where a confirmed service named it. Raises
        Refused for an invalid address and for a host that nobody confirmed, NotSent if nothing left
        this machine, Doubtful if it was sent and the answer is late or the connection broke.
        """
        # who put a key for a host into the environment trusts that host
        self._refuse_host(url, trusted=vouched or key is not None)
        all_headers = dict(headers or {})
        if key is not None:
            all_headers["Authorization"] = f"Bearer {key.reveal()}"
        request = self._open().request(
            method,
            url,
            data=data if isinstance(data, bytes) else _form(data),
            headers=all_headers,
            allow_redirects=False,  # the key would go with it
            **_way_to(url),
        )
        try:
            async with asyncio.timeout(self._timeout), request as response:
                body = await _read_body(response, most_bytes)
                return HttpAnswer(response.status, response.headers, body)
        except TimeoutError:
            raise Doubtful(f"no answer within {self._timeout:g} s") from None
        except (aiohttp.ClientError, OSError) as caught:
            raise _call_error(caught) from None

    def _refuse_host(self, url: str, *, trusted: bool) -> None:
        """Refuse a host that nobody confirmed. Everything that is sent passes here."""
        try:
            host = host_of(url)
        except CaseError as caught:
            raise Refused(str(caught)) from None
        if not trusted and not may_send_to(host, self._confirmed):
            raise Refused(str(unconfirmed_error("what is sent", host)), for_all=True)

    def _open(self) -> aiohttp.ClientSession:
        """The session of all requests, made with the first one."""
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=self._at_once, keepalive_timeout=_IDLE_S
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=None),  # each request has its own
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


class HttpAnswer(NamedTuple):
    """An answer over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def _read_body(response: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    """Read a body up to the first bytes beyond a limit, so that no answer fills the memory."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > most_bytes:
            break
    return bytes(body)


def _call_error(caught: Exception) -> CallError:
    """The error of a failed exchange: only without a connection is it sure that nothing was sent."""
    match caught:
        case aiohttp.InvalidURL():
            return Refused("its address is not valid")
        case aiohttp.ClientHttpProxyError():
            why = f"the proxy lets nothing through to its host (HTTP {caught.status})"
            return NotSent(why, again=caught.status in _BUSY)
        case aiohttp.ClientProxyConnectionError():
            return NotSent(f"can't connect to the proxy {caught.host}")
        case aiohttp.ClientConnectorError():
            return NotSent(f"can't connect to {caught.host}")
        case _:
            return Doubtful(f"the connection broke ({type(caught).__name__})")


def _most_bytes(request: Request) -> int:
    """The most bytes of a valid answer to a request, by its limit of tokens."""
    if request.max_tokens is None:
        return _MOST_BYTES
    return min(_MOST_BYTES, _BYTES_AROUND + request.max_tokens * _BYTES_A_TOKEN)


def _way_to(url: str) -> dict[str, Any]:
    """The settings for reaching an address through a proxy; {} without one."""
    proxy = find_proxy(url)
    if proxy is None:
        return {}
    return {"proxy": proxy.address, "proxy_headers": proxy.headers}


def _form(
    fields: Mapping[str, str | tuple[str, bytes]] | None,
) -> aiohttp.FormData | None:
    """The fields as a form of several parts: texts, and files with their names; None without any."""
    if not fields:
        return None
    form = aiohttp.FormData()
    for name, value in fields.items():
        if isinstance(value, str):  # a content type makes it a form of several parts
            form.add_field(name, value, content_type="text/plain")
        else:
            file_name, content = value
            form.add_field(name, content, filename=file_name)
    return form


_INSTEAD = {
    "max_tokens": "max_completion_tokens",
    "max_completion_tokens": "max_tokens",
    "temperature": "",
    "seed": "",
}
"""The parameter that is sent instead of one that an endpoint refuses; empty for none. Only these
are replaced. Others (a schema, an effort) define the arm, and without them it would be another arm."""
_CHANGES = {
    old: f"{new} for {old}" if new else f"without {old}"
    for old, new in _INSTEAD.items()
}
_MOST_CHANGES = len(_INSTEAD) + 2
"""Tries of one request: each parameter may be refused once, and earlier replacements may be wrong."""
_NOT_TAKEN = re.compile(
    r"unsupported|not support|unrecogni[sz]ed|unknown (?:name|parameter|field)|not permitted|"
    r"extra_forbidden|deprecated|is allowed for this|must be one of|expected one of|"
    r"not one of the allowed|unavailable|unexpected keyword|cannot both be"
)


def refused_parameter(said: str, sent: Iterable[str]) -> str:
    """Return the parameter that an endpoint's error says it doesn't take; empty for none.

    ``said`` is the error, ``sent`` the parameters. Some endpoints write names in camel case.
    """
    text = said.casefold()
    if not _NOT_TAKEN.search(text):
        return ""
    # without underscores, maxTokens and max_tokens are one word
    words = set(re.findall(r"[a-z]+", text.replace("_", "")))
    for name in sent:
        # every error may speak of these two
        if name not in ("model", "messages") and name.replace("_", "") in words:
            return name
    return ""


def _with_replacements(
    body: Mapping[str, Any], replaced: Mapping[str, str]
) -> dict[str, Any]:
    """A body with other names for some parameters; one whose other name is empty is left out."""
    changed = {}
    for name, value in body.items():
        new_name = replaced.get(name, name)
        if new_name:
            changed[new_name] = value
    return changed


def payload(request: Request) -> dict[str, Any]:
    """Return the body of a request in the endpoint's form."""
    if request.choices is not None:
        return _decision(request)
    body: dict[str, Any] = {
        "model": request.model,
        "messages": _turns(request.messages),
        "temperature": request.temperature,
        "reasoning_effort": request.effort,
        _limit_name(request): request.max_tokens,
        "seed": request.seed,
        "response_format": _response_format(request.response_schema),
        "grammar": request.grammar,
        "tools": json.loads(request.tools) if request.tools else None,
    }
    return {name: part for name, part in body.items() if part is not None}


def _response_format(schema: str | None) -> dict[str, Any] | None:
    """The parameter that asks for an output of a JSON Schema; None without one."""
    if schema is None:
        return None
    named = {"name": "output", "strict": True, "schema": json.loads(schema)}
    return {"type": "json_schema", "json_schema": named}


def _limit_name(request: Request) -> str:
    """The parameter for the most tokens of an answer.

    OpenAI's newer models refuse the older name, and all of its models know the newer one.
    """
    of_openai = (PRESETS["openai"].base_url, named_address("openai"))
    return "max_completion_tokens" if request.base_url in of_openai else "max_tokens"


def _turns(messages: Iterable[ChatMessage]) -> list[dict[str, str]]:
    return [{"role": turn.role, "content": turn.content} for turn in messages]


def _decision(request: Request) -> dict[str, Any]:
    """A question of choice about the input. The system prompt says how to choose."""
    talk = [turn for turn in request.messages if turn.role != "system"]
    system = [turn.content for turn in request.messages if turn.role == "system"]
    question = {
        "type": "choice",
        "name": "answer",
        "instructions": "\n".join(system) or "Which of these fits the input?",
        "choices": [{"value": label} for label in request.choices or ()],
    }
    # a single turn is an input; more are a conversation
    content = talk[0].content if len(talk) == 1 else _turns(talk)
    return {"model": request.model, "input": content, "questions": [question]}


def _decision_as_chat(body: Any) -> Any:
    """A decision in the form of a chat completion."""
    answer = body["answers"][0]  # one question was asked
    refused = answer["type"] == "refusal"
    message = {"content": "" if refused else answer["choice"], "refusal": refused}
    choice = {"message": message, "error": answer.get("error")}
    usage = body.get("usage") or {}
    counts = {
        "prompt_tokens": usage.get("input_tokens"),
        "prompt_tokens_details": usage.get("input_tokens_details"),
        "completion_tokens": usage.get("output_tokens"),
        "completion_tokens_details": usage.get("output_tokens_details"),
    }
    return {"choices": [choice], "usage": counts}


def parse(
    raw: bytes,
    *,
    latency_s: float,
    key: Secret | None = None,
    most_bytes: int = _MOST_BYTES,
) -> Reply:
    """Parse an endpoint's answer.

    The key of the request is removed from decoded texts, as JSON can spell it in many ways. Raises
    Doubtful for an unreadable answer: there was one, so it was paid.
    """
    if len(raw) > most_bytes:
        raise Doubtful(f"the answer is larger than {most_bytes >> 10} KiB")
    try:
        body = json.loads(raw)
        error = _error_end(body, key)
        if "answers" in body:
            body = _decision_as_chat(body)
        choice = body["choices"][0]  # one answer was asked for
        message = choice["message"]
        error = error or _error_end(choice, key) or _error_end(message, key)
        calls = [call["function"] for call in message.get("tool_calls") or ()]
        return Reply(
            text=_content(message.get("content"), key),
            model=_model(body.get("model"), key),
            tool_calls=tuple(
                (_text(call["name"], key), _text(call["arguments"], key))
                for call in calls
            ),
            finish=error or _finish(choice, key),
            usage=_usage(body.get("usage") or {}),
            latency_s=latency_s,
        )
    except (
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        RecursionError,
    ):
        raise Doubtful("the answer can't be read") from None


def _finish(choice: Mapping[str, Any], key: Secret | None) -> str:
    """Why an answer ended; a missing or an empty reason counts as a whole answer."""
    if choice["message"].get("refusal"):
        return "refusal"
    reason = choice.get("finish_reason")
    if reason is None or reason == "":
        return "stop"
    return _text(reason, key)[:100]


def _usage(counts: Mapping[str, Any]) -> Usage:
    """The tokens of an answer, by its endpoint."""
    read = counts.get("prompt_tokens_details") or {}
    written = counts.get("completion_tokens_details") or {}
    return Usage(
        input_tokens=_tokens(counts.get("prompt_tokens")),
        output_tokens=_tokens(counts.get("completion_tokens")),
        cached_tokens=_tokens(read.get("cached_tokens")),
        reasoning_tokens=_tokens(written.get("reasoning_tokens")),
    )


def _error_end(part: Mapping[str, Any], key: Secret | None) -> str:
    """The end of an answer with an error in one of its parts; empty without an error."""
    error = part.get("error")
    if error is None or error is False or error == "":
        return ""
    said = error.get("message") if isinstance(error, Mapping) else error
    if not isinstance(said, str) or not said.strip():
        return ERROR_END
    return one_line(f"{ERROR_END}: {_text(said, key)}", limit=100)


def _content(value: object, key: Secret | None) -> str:
    """The text of an answer, which some endpoints give as a list of parts.

    Parts with thinking are left out. A TypeError for a part that isn't text, such as a picture.
    """
    if not isinstance(value, list):
        return _text(value or "", key)
    texts = [part if isinstance(part, str) else _part(part) for part in value]
    return "".join(_text(text, key) for text in texts)


def _part(part: Mapping[str, Any]) -> object:
    return "" if part["type"] in _THINKING_PARTS else part["text"]


_THINKING_PARTS = frozenset({"thinking", "reasoning", "redacted_thinking"})


def _model(value: object, key: Secret | None) -> str:
    """The name of the model that answered; empty for an invalid name."""
    if isinstance(value, str):
        return one_line(_text(value, key), limit=100)
    return ""


def _text(value: object, key: Secret | None) -> str:
    """A text that can be kept: without the key, and with a question mark for half a pair of UTF-16."""
    if not isinstance(value, str):
        raise TypeError("no text")
    return hidden(readable(value), key)


def hidden(text: str, key: Secret | None) -> str:
    return text if key is None else key.hide(text)


def _tokens(value: object) -> int:
    """A count of tokens; 0 for another value, which then counts as the most it can be."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        return 0
    return int(min(value, _MOST_TOKENS))


def refusal_of(status: int, retry_after: str, body: str, *, known: bool) -> Exception:
    """Return the error for a failed answer.

    A 403 of a ``known`` endpoint, which has answered before, is only about this request.
    """
    why = f"HTTP {status}: {one_line(body[:2000], limit=200)}".removesuffix(": ")
    if status in _BUSY:
        return Busy(why, _seconds(retry_after))
    # some success without an answer: it may have been paid
    if _OK < status < _REDIRECT:
        return Doubtful(why)
    for_all = status in _NO_KEY or (status == _FORBIDDEN and not known)
    return Refused(why, for_all=for_all)


def _seconds(retry_after: str) -> float | None:
    """Seconds of a Retry-After header, a number or a date; None for another text."""
    try:
        seconds = float(retry_after)
    except ValueError:
        seconds = _seconds_until(retry_after)
    # also not where it is no number
    return seconds if 0 <= seconds < math.inf else None


def _seconds_until(text: str) -> float:
    """Seconds until a date of HTTP; NaN for another text."""
    try:
        until = parsedate_to_datetime(text)
        if until.tzinfo is None:
            until = until.replace(tzinfo=UTC)
        return (until - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return math.nan
