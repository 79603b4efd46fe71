"""Sessions of assistants and histories of runs, as calls of a model with the turns before each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
"""Kinds of items of a Codex session that a model writes."""
_NO_TURN = frozenset({"reasoning"})  #: Kinds that are no turn of the conversation.


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
    """Read an item of a session, which the model wrote or heard.

    The model may write several items in one call. The call is complete when its tokens were counted
    and another item follows, or when the model hears something.
    """
    state = context.state
    kind = name(payload.get("type"))
    if kind in _NO_TURN:
        return
    if kind in _BY_MODEL and payload.get("role", "assistant") == "assistant":
        if state.get("counted"):
            yield from _codex_call(context)
        state.setdefault("said", []).append(payload)
        state["answered_at"] = record.get("timestamp")
    else:
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
    """What the model heard, as a message: the output of a tool, or what somebody said."""
    if str(payload.get("type")).endswith("_output"):
        output = unpacked(payload.get("output"))
        text = output.get("content") if isinstance(output, dict) else output
        return {"role": "tool", "content": text}
    return {"role": payload.get("role") or "user", "content": payload.get("content")}


def _codex_call(context: ReadContext) -> Iterator[Record]:
    """End the open call of a session, and give it; nothing where none is open.

    What the model wrote is heard by the calls behind it.
    """
    state = context.state
    said = state.pop("said", [])
    failed = state.pop("failed", None)
    usage = state.pop("usage", None)
    state.pop("counted", None)
    if not said and failed is None:
        return
    # A count before what was said belongs to this call, so it stays until there is one.
    early_usage = state.pop("early", None)
    heard = [*state.get("heard", [])]
    yield {
        "session": state.get("session"),
        "provider": state.get("provider"),
        "model": state.get("model"),
        "turn": state.get("turn"),
        "asked_at": state.get("asked_at"),
        "heard": heard,
        "said": said or None,
        "usage": usage or early_usage,
        "failed": failed,
        "answered_at": state.get("answered_at"),
    }
    state["turn"] = (state.get("turn") or 0) + 1
    state["heard"] = [*heard, *map(_said_turn, said)]
    # A model that calls a tool is asked again as soon as it has answered.
    state["asked_at"] = state.get("answered_at")


def _said_turn(item: Record) -> Record:
    """What the model wrote, as a turn that later calls hear; other items have roles by their kind."""
    return {"role": "assistant", **item} if item.get("type") == "message" else item


FINISH["codex"] = _codex_call


@prepares
def gemini_cli(record: Record, context: ReadContext) -> Iterator[Record]:
    """Give the answers of a session, each with the turns before it."""
    state = context.state
    session = name(as_mapping(record.get("^")).get("sessionId"))
    turns_by_session = state.setdefault("heard", {})
    heard = turns_by_session.setdefault(session, [])
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
    # The reply of a chat has a message, that of a completion only a text.
    message = reply.get("message", reply.get("response"))
    yield {**record, **reply, "message": message, "response": None}


# Pydantic AI: a run is a list of requests and responses, each of several parts.

_ROLE_OF_PART = {
    "system-prompt": "system",
    "user-prompt": "user",
    "tool-return": "tool",
    "retry-prompt": "tool",
}


@prepares
def pydantic_ai(record: Record, context: ReadContext) -> Iterator[Record]:
    """Read the messages of a Pydantic AI run; each response is a call."""
    messages = mappings_in(unpacked(record.get("messages")))
    session = _session_of_run(messages, context)
    heard: list[Record] = []
    turn = 0
    asked_at = None
    for message in messages:
        parts = mappings_in(message.get("parts"))
        if message.get("kind") != "response":
            heard += _heard(message, parts)
            asked_at = _time_of(message, parts)
            continue
        texts = [part["content"] for part in parts if _is_said(part)]
        said = "\n".join(texts)
        calls = [_tool_call(p) for p in parts if p.get("part_kind") == "tool-call"]
        yield {
            **message,
            "session": session,
            "turn": turn,
            "heard": [*heard],
            "said": said or None,
            "calls": calls or None,
            "asked_at": asked_at,
        }
        heard.append({"role": "assistant", "content": said, "tool_calls": calls})
        turn += 1


def _session_of_run(messages: Sequence[Record], context: ReadContext) -> str:
    """The id of a run, by its first message that names one; else one of our own for the file."""
    runs = context.state.get("runs", 0) + 1
    context.state["runs"] = runs
    for message in messages:
        id_ = message.get("conversation_id") or message.get("run_id")
        if id_:
            return str(id_)
    return f"{context.file}:{runs}"


def _time_of(message: Record, parts: Sequence[Record]) -> Any:
    """The time of a request: that of its last part, else its own."""
    last = parts[-1].get("timestamp") if parts else None
    return last or message.get("timestamp")


def _is_said(part: Record) -> bool:
    return part.get("part_kind") == "text" and isinstance(part.get("content"), str)


def _heard(message: Record, parts: Iterable[Record]) -> Iterator[Record]:
    """The turns that the model heard in a message."""
    if isinstance(message.get("instructions"), str):
        yield {"role": "system", "content": message["instructions"]}
    for part in parts:
        role = _ROLE_OF_PART.get(str(part.get("part_kind")), "user")
        yield {"role": role, "content": part.get("content")}


def _tool_call(part: Record) -> Record:
    return {"name": part.get("tool_name"), "arguments": part.get("args")}


# Bedrock: what a model wrote stands in the shape of its maker, or in pieces of a stream.


@prepares
def bedrock(record: Record, _: ReadContext) -> Iterator[Record]:
    """Read a record of Bedrock's invocation log; each maker's body has its own form."""
    output = as_mapping(record.get("output"))
    body = unpacked(output.get("outputBodyJson"))
    pieces = mappings_in(body)  # of a stream
    whole = as_mapping(body)
    if pieces:
        said: Any = "".join(_streamed(pieces)) or None
        finish: Any = _end_of(pieces)
    else:
        said = _said_in(whole)
        finish = whole.get("stopReason") or whole.get("stop_reason")
    took = as_mapping(whole.get("metrics")).get("latencyMs")
    yield {**record, "said": said, "finish": finish, "took": took}


def _said_in(body: Record) -> Any:
    """What a model wrote in a body of any maker: a message, its parts, choices or a text."""
    message = as_mapping(as_mapping(body.get("output")).get("message"))
    if message:  # Converse
        return [message]
    for key in ("content", "choices"):  # Anthropic's, and others in OpenAI's form
        if body.get(key):
            return body[key]
    for result in mappings_in(body.get("results")):  # Titan's
        if result.get("outputText"):
            return result["outputText"]
    for key in ("generation", "completion", "outputText"):  # Llama's, older Claude's
        if body.get(key):
            return body[key]
    return None


def _streamed(pieces: Iterable[Record]) -> Iterator[str]:
    """The texts in the pieces of a stream, of Converse or of Anthropic."""
    for piece in pieces:
        block = as_mapping(piece.get("contentBlockDelta")) or piece
        text = as_mapping(block.get("delta")).get("text")
        if isinstance(text, str):
            yield text


def _end_of(pieces: Iterable[Record]) -> str | None:
    """Why a stream ended, of Converse or of Anthropic; None where no piece says it."""
    for piece in pieces:
        stop = as_mapping(piece.get("messageStop")).get("stopReason")
        stop = stop or as_mapping(piece.get("delta")).get("stop_reason")
        if isinstance(stop, str):
            return stop
    return None


# promptfoo's table: a column a prompt and provider, whose cells begin with how it went.

_COLUMN = re.compile(r"\[(?P<provider>[^\]]+)\]\s*(?P<prompt>.*)", re.DOTALL)
"""The name of a column with answers: ``[openai:gpt-6-luna] Answer the question …``."""
_CELL = re.compile(r"\[(?P<state>PASS|FAIL|ERROR)\]\s*(?P<rest>.*)", re.DOTALL)
"""An answer after its grade: ``[PASS] Paris``."""
_LONGEST_NAME = 80  #: Characters of a prompt that name it.


def is_promptfoo_table(row: Mapping[str, Any]) -> bool:
    """Whether a row of a table has a column with a provider's name and results in its cells."""
    return any(
        _COLUMN.fullmatch(key) and isinstance(cell, str) and _CELL.match(cell)
        for key, cell in row.items()
    )


@prepares
def promptfoo_table(record: Record, context: ReadContext) -> Iterator[Record]:
    """Give an answer for each cell in a provider's column; the other columns are the case."""
    row = context.state.get("lines", 0) + 1
    context.state["lines"] = row
    question = _question_of(record)
    for key, value in record.items():
        column = _COLUMN.fullmatch(key)
        cell = _CELL.match(str(value or ""))
        if column is None or cell is None:
            continue
        prompt = " ".join(column["prompt"].split())[:_LONGEST_NAME]
        yield {
            "case": f"{context.file}:{row}",
            "model": column["provider"],
            "prompt_name": prompt or None,
            "input": question,
            **_graded(cell["state"], cell["rest"].strip()),
        }


def _question_of(record: Record) -> str | None:
    """The variables of a case, a line for each column that is no provider's; None without any."""
    variables: list[str] = []
    for key, value in record.items():
        text = name(value)
        if text and _COLUMN.fullmatch(key) is None:
            variables.append(text)
    return "\n".join(variables) or None


def _graded(state: str, text: str) -> Record:
    """The answer and its score, or the error, of a cell with this grade and text."""
    if state == "ERROR":
        return {"output": None, "error": text or "error", "judged": None}
    if state == "FAIL":  # the reason stands before the answer
        text = text.rpartition("\n---\n")[2]
    return {"output": text, "error": None, "judged": float(state == "PASS")}
