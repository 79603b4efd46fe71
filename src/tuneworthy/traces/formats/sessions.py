"""Sessions of assistants and histories of runs, as calls of a model with the turns before each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tuneworthy.traces.formats.prepare import FINISH, Record, prepares
from tuneworthy.traces.rows import ReadContext
from tuneworthy.traces.values import as_mapping, mappings_in, name, unpacked

_BY_MODEL = frozenset(
    {
        "message",
        "function_call",
        "custom_tool_call",
        "local_shell_call",
        "web_search_call",
    }
)
_NO_TURN = frozenset({"reasoning"})


@prepares
def langsmith_batch(record: Record, _: ReadContext) -> Iterator[Record]:
    """The runs of a body; those that begin come before those that end."""
    for key in ("post", "patch"):
        yield from mappings_in(unpacked(record.get(key)))


# Codex: what a model wrote stands in items; how many tokens that took, in an event behind them.


@prepares
def codex(record: Record, context: ReadContext) -> Iterator[Record]:
    """Read a line of a Codex session; a call is yielded once it is complete."""
    state = context.state
    payload = as_mapping(record.get("payload"))
    match record.get("type"):
        case "session_meta":
            yield from _codex_call(context)
            state["session"] = payload.get("id") or payload.get("session_id")
            state["provider"] = payload.get("model_provider")
            state["turn"] = 0
            state["model"] = None
        case "turn_context":
            state["model"] = payload.get("model") or state.get("model")
        case "response_item":
            yield from _codex_item(payload, record, context)
        case "event_msg":
            yield from _codex_event(payload, record, context)


def _codex_item(
    payload: Record, record: Record, context: ReadContext
) -> Iterator[Record]:
    """Read a message of a session: said by the model, or heard by it."""
    state = context.state
    kind = name(payload.get("type"))
    if kind in _NO_TURN:
        return
    if kind in _BY_MODEL and payload.get("role", "assistant") == "assistant":
        if state.get("counted"):
            yield from _codex_call(context)
        state.setdefault("said", []).append(payload)
        state["answered_at"] = record.get("timestamp")
        return
    yield from _codex_call(context)
    state.setdefault("heard", []).append(_as_turn(payload))
    state["asked_at"] = record.get("timestamp")


def _codex_event(
    payload: Record, record: Record, context: ReadContext
) -> Iterator[Record]:
    """Read an event of a session: counted tokens, an error or the end of a task."""
    state = context.state
    kind = name(payload.get("type"))
    if kind == "token_count":
        usage = as_mapping(as_mapping(payload.get("info")).get("last_token_usage"))
        if usage and state.get("said"):
            state["usage"] = usage
            state["counted"] = True
        elif usage:
            state["early"] = usage  # some releases write the count before what was said
    elif kind in {"error", "stream_error"}:
        yield from _codex_call(context)
        state["failed"] = payload.get("message") or "error"
        state["answered_at"] = record.get("timestamp")
        yield from _codex_call(context)
    elif kind in {"task_complete", "turn_complete"}:
        yield from _codex_call(context)


def _as_turn(payload: Record) -> Record:
    if str(payload.get("type")).endswith("_output"):
        output = unpacked(payload.get("output"))
        text = output.get("content") if isinstance(output, dict) else output
        return {"role": "tool", "content": text}
    return {"role": payload.get("role") or "user", "content": payload.get("content")}


def _codex_call(context: ReadContext) -> Iterator[Record]:
    """The open call of a session, if there is one."""
    state = context.state
    said = state.pop("said", [])
    failed = state.pop("failed", None)
    early = state.pop("early", None) if said or failed else None
    usage = state.pop("usage", None) or early
    state.pop("counted", None)
    if not said and failed is None:
        return
    call = {
        key: state.get(key)
        for key in ("session", "provider", "model", "turn", "asked_at")
    }
    heard = [*state.get("heard", [])]
    yield {
        **call,
        "heard": heard,
        "said": said or None,
        "usage": usage,
        "failed": failed,
        "answered_at": state.get("answered_at"),
    }
    state["turn"] = (state.get("turn") or 0) + 1
    state["heard"] = [*heard, *map(_said_turn, said)]
    state["asked_at"] = state.get("answered_at")


def _said_turn(item: Record) -> Record:
    return {"role": "assistant", **item} if item.get("type") == "message" else item


FINISH["codex"] = _codex_call


@prepares
def gemini_cli(record: Record, context: ReadContext) -> Iterator[Record]:
    """The answers of a session, each with the turns before it."""
    state = context.state
    session = name(as_mapping(record.get("^")).get("sessionId"))
    heard = state.setdefault("heard", {}).setdefault(session, [])
    if record.get("type") == "gemini":
        yield {**record, "heard": [*heard], "asked_at": state.get("at")}
        heard.append({"role": "assistant", "content": record.get("content")})
    elif record.get("type") == "user":
        heard.append({"role": "user", "content": record.get("content")})
    state["at"] = record.get("timestamp")


@prepares
def ollama(record: Record, _: ReadContext) -> Iterator[Record]:
    """A reply, with its request if that is stored beside it."""
    reply = unpacked(record.get("response"))
    if not isinstance(reply, dict):
        yield record
        return
    message = reply.get("message", reply.get("response"))
    yield {**record, **reply, "message": message, "response": None}


# Pydantic AI: a run is a list of requests and responses, each of several parts.

_PARTS = {"system-prompt": "system", "user-prompt": "user", "tool-return": "tool"}
_PARTS["retry-prompt"] = "tool"


@prepares
def pydantic_ai(record: Record, context: ReadContext) -> Iterator[Record]:
    """Read the messages of a Pydantic AI run; each response is a call."""
    messages = mappings_in(unpacked(record.get("messages")))
    run = context.state["runs"] = context.state.get("runs", 0) + 1
    ids = (
        message.get("conversation_id") or message.get("run_id") for message in messages
    )
    session = next((id_ for id_ in ids if id_), f"{context.file}:{run}")
    heard: list[Record] = []
    turn = 0
    asked_at = None
    for message in messages:
        parts = mappings_in(message.get("parts"))
        if message.get("kind") == "response":
            said = "\n".join(p["content"] for p in parts if _is_said(p)) or None
            calls = [
                _tool_call(part)
                for part in parts
                if part.get("part_kind") == "tool-call"
            ]
            yield {
                **message,
                "session": session,
                "turn": turn,
                "heard": [*heard],
                "said": said,
                "calls": calls or None,
                "asked_at": asked_at,
            }
            heard.append(
                {"role": "assistant", "content": said or "", "tool_calls": calls}
            )
            turn += 1
        else:
            heard += _heard(message, parts)
            asked_at = next((p.get("timestamp") for p in reversed(parts)), None)
            asked_at = asked_at or message.get("timestamp")


def _is_said(part: Record) -> bool:
    return part.get("part_kind") == "text" and isinstance(part.get("content"), str)


def _heard(message: Record, parts: Iterable[Record]) -> Iterator[Record]:
    """The turns that the model heard in a message."""
    if isinstance(message.get("instructions"), str):
        yield {"role": "system", "content": message["instructions"]}
    for part in parts:
        yield {
            "role": _PARTS.get(str(part.get("part_kind")), "user"),
            "content": part.get("content"),
        }


def _tool_call(part: Record) -> Record:
    return {"name": part.get("tool_name"), "arguments": part.get("args")}


# Bedrock: what a model wrote stands in the shape of its maker, or in pieces of a stream.


@prepares
def bedrock(record: Record, _: ReadContext) -> Iterator[Record]:
    """Read a record of Bedrock's invocation log; each maker's body has its own form."""
    output = as_mapping(record.get("output"))
    body = unpacked(output.get("outputBodyJson"))
    pieces = mappings_in(body)
    whole = as_mapping(body)
    message = as_mapping(as_mapping(whole.get("output")).get("message"))
    said: Any = message.get("content") or whole.get("content") or whole.get("choices")
    if said is None:
        results = mappings_in(whole.get("results"))
        texts = (result.get("outputText") for result in results)
        said = next((text for text in texts if text), None)
    said = (
        said
        or whole.get("generation")
        or whole.get("completion")
        or whole.get("outputText")
    )
    finish = whole.get("stopReason") or whole.get("stop_reason")
    if pieces:
        said = "".join(_streamed(pieces)) or None
        finish = next(_ends(pieces), None)
    if message:
        said = [message]
    metrics = as_mapping(whole.get("metrics"))
    yield {**record, "said": said, "finish": finish, "took": metrics.get("latencyMs")}


def _streamed(pieces: Iterable[Record]) -> Iterator[str]:
    for piece in pieces:
        block = as_mapping(piece.get("contentBlockDelta")) or piece
        text = as_mapping(block.get("delta")).get("text")
        if isinstance(text, str):
            yield text


def _ends(pieces: Iterable[Record]) -> Iterator[str]:
    for piece in pieces:
        stop = as_mapping(piece.get("messageStop")).get("stopReason")
        stop = stop or as_mapping(piece.get("delta")).get("stop_reason")
        if isinstance(stop, str):
            yield stop


# promptfoo's table: a column a prompt and provider, whose cells begin with how it went.

_COLUMN = re.compile(r"\[(?P<provider>[^\]]+)\]\s*(?P<prompt>.*)", re.DOTALL)
_CELL = re.compile(r"\[(?P<state>PASS|FAIL|ERROR)\]\s*(?P<rest>.*)", re.DOTALL)


def is_promptfoo_table(row: Mapping[str, Any]) -> bool:
    """Whether a row of a table has a column with a provider's name and results in its cells."""
    return any(
        _COLUMN.fullmatch(key) and isinstance(cell, str) and _CELL.match(cell)
        for key, cell in row.items()
    )


@prepares
def promptfoo_table(record: Record, context: ReadContext) -> Iterator[Record]:
    """An answer for each cell in a provider's column; the other columns are the case."""
    row = context.state["lines"] = context.state.get("lines", 0) + 1
    heads = {key: match for key in record if (match := _COLUMN.fullmatch(key))}
    case = {key: value for key, value in record.items() if key not in heads}
    for key, head in heads.items():
        cell = _CELL.match(str(record[key] or ""))
        if cell is None:
            continue
        state = cell["state"]
        rest = cell["rest"].strip()
        if state == "FAIL":  # the reason stands before the answer
            rest = rest.rpartition("\n---\n")[2]
        yield {
            "case": f"{context.file}:{row}",
            "model": head["provider"],
            "prompt_name": " ".join(head["prompt"].split())[:80] or None,
            "input": "\n".join(filter(None, map(name, case.values()))) or None,
            "output": None if state == "ERROR" else rest,
            "error": (rest or "error") if state == "ERROR" else None,
            "judged": None if state == "ERROR" else float(state == "PASS"),
        }
