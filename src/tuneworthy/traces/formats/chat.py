"""Examples to train on: OpenAI's chat format, pairs of answers, and TRL's plain columns.

Fields: OpenAI ``messages, tools``; pairs ``input{messages}, preferred_output[]``; TRL ``prompt``
with ``completion`` or ``chosen``. Of a pair the preferred answer is the output.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tuneworthy.traces.fields import (
    FIELDS,
    NO_OUTPUT,
    ReadContext,
    Row,
    SpokenTurn,
    TraceFormat,
    first_of,
    has_any,
    name,
    text,
    turns,
)

_OURS = frozenset(FIELDS) - {"messages", "input", "label", "score", "tool_calls"}


def _fits(record: Mapping[str, Any]) -> bool:
    if not _OURS.isdisjoint(record):
        return False
    if "preferred_output" in record or "messages" in record:
        return True
    return "prompt" in record and has_any(record, "completion", "chosen")


def _rows(record: Mapping[str, Any], place: int | str, context: ReadContext) -> Iterator[Row]:
    answer = first_of(record, ("preferred_output", "completion", "chosen"))
    if answer is None:
        known = {"messages": record.get("messages"), "conversation_id": record.get("id")}
        yield from context.traces(known, place)
        return
    question = _spoken(first_of(record, ("input", "prompt")), "user")
    answers = _spoken(answer, "assistant")
    # TRL repeats the question in front of a chosen answer that is a conversation.
    while answers and question and answers[0].role != "assistant":
        answers = answers[1:]
    if not answers:
        context.tally.skip(NO_OUTPUT, place)
        return
    messages = [_plain(turn) for turn in (*question, *answers)]
    known = {"conversation_id": name(record.get("id")), "messages": messages}
    yield from context.traces(known, place)


def _spoken(value: Any, role: str) -> list[SpokenTurn]:
    if isinstance(value, str):
        return [SpokenTurn(role, value)]
    found = turns(value)
    return found or ([SpokenTurn(role, said)] if (said := text(value)) else [])


def _plain(turn: SpokenTurn) -> dict[str, Any]:
    calls = [{"name": call.name, "arguments": call.arguments} for call in turn.calls]
    return {"role": turn.role, "content": turn.content, "tool_calls": calls}


CHAT = TraceFormat("OpenAI chat", _fits, rows=_rows)
