"""Our own format, read leniently: one object a trace, or one a whole conversation.

Every other source that has no reader of its own (a table, a mapping) is turned into these fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tuneworthy.files.traces.clocks import when
from tuneworthy.files.traces.tally import NO_OUTPUT, OF_THE_WHOLE, Tally
from tuneworthy.files.traces.values import (
    Row,
    Turn,
    Turns,
    amount,
    dumped,
    name,
    passages,
    prompt_name,
    score,
    text,
    tool_calls,
    turns,
    whole,
    yes_no,
)

FIELDS = (
    "timestamp", "conversation_id", "turn", "model", "prompt_name", "prompt_version", "messages",
    "system", "input", "output", "tool_calls", "contexts", "reference", "answerable", "latency_s",
    "time_to_first_token_s", "input_tokens", "output_tokens", "cached_tokens", "usd", "error",
    "feedback", "score", "label", "case",
)  # fmt: skip
"""Names of the fields."""

AMOUNTS = (
    "latency_s", "time_to_first_token_s", "input_tokens", "output_tokens", "cached_tokens", "usd"
)  # fmt: skip
_LAST_ONLY = ("score", "label", "reference", "error", "contexts", "answerable")


def trace_rows(
    record: Mapping[str, Any], tally: Tally, place: int | str, *, conversation: str
) -> Iterator[Row]:
    """The traces of one record.

    A record with an output is one trace. One with messages and no output is a whole conversation:
    one trace for each answer of the assistant, what was said of the conversation (a score, a
    reference) standing at its last. Amounts of a conversation of several answers are given to none
    of them, and counted as skipped. Messages that end in a question with passages, unjudged,
    are one trace without an output.

    Args:
        record: Fields by name; unknown ones are ignored.
        tally: Where what can't be used is counted.
        place: Line or number of the record.
        conversation: Name of the conversation where the record names none and holds several turns.
    """
    row = _fields(record)
    spoken = turns(record.get("messages"))
    if row["output"] is not None or row["tool_calls"]:
        _from_turns(row, spoken, len(spoken))
        yield row
    elif _awaits_answer(row, spoken):
        _from_turns(row, spoken, len(spoken))
        yield row
    elif any(turn.role == "assistant" for turn in spoken):
        yield from _answers(row, spoken, tally, place, conversation)
    elif any(row[key] is not None for key in (*AMOUNTS, "error")):
        _from_turns(row, spoken, len(spoken))
        yield row
    else:
        tally.skip(NO_OUTPUT, place)


def _awaits_answer(row: Row, spoken: Sequence[Turn]) -> bool:
    """Whether the last turn is a question with its passages, and no answer yet.

    What is told then belongs to that question and not to an earlier answer.
    """
    told = row["contexts"] is not None or row["answerable"] is not None
    judged = row["score"] is not None or row["label"] is not None
    return told and not judged and bool(spoken) and spoken[-1].role == "user"


def _fields(record: Mapping[str, Any]) -> Row:
    get = record.get
    given = get("feedback")
    feedback = given if isinstance(given, Mapping) else {"score": given}
    system, asked = get("system"), get("input")
    row: Row = {key: amount(get(key)) for key in AMOUNTS}
    row |= {
        "output": text(get("output")),
        "conversation": name(get("conversation_id")),
        "turn": whole(get("turn")),
        "timestamp": when(get("timestamp")),
        "model": name(get("model")),
        "prompt": prompt_name(get("prompt_name"), get("prompt_version")),
        "system": text(system),
        "tool_calls": tool_calls(get("tool_calls")) or None,
        "contexts": passages(get("contexts")),
        "reference": reference(get("reference")),
        "answerable": yes_no(get("answerable")),
        "error": said(get("error")),
        "score": score(get("score") if get("score") is not None else feedback.get("score")),
        "label": name(get("label")) or name(feedback.get("label")),
        "case": name(get("case")),
    }
    spoken = turns(asked) if isinstance(asked, list) else []
    row["input"] = None if spoken else text(asked)
    if spoken:
        _from_turns(row, spoken, len(spoken))
    return row


def reference(value: Any) -> str | None:
    """The right answer; of a list of accepted ones the first."""
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    return text(value)


def said(value: Any) -> str | None:
    """What went wrong, as text; None for nothing, false and an empty text."""
    if isinstance(value, Mapping):
        value = value.get("message") or dumped(value)
    return text(value) if value else None


def _from_turns(row: Row, spoken: Sequence[Turn], before: int) -> None:
    """System prompt and newest message from the turns before an answer."""
    if not spoken:
        return
    if row.get("system") is None:
        row["system"] = next((turn.content for turn in spoken if turn.role == "system"), None)
    if row.get("input") is None:
        heard = (spoken[i] for i in range(before - 1, -1, -1))
        row["input"] = next(
            (t.content for t in heard if t.role not in {"assistant", "system"}), None
        )
    row["messages"] = Turns(spoken, before)


def _answers(
    of_all: Row, spoken: Sequence[Turn], tally: Tally, place: int | str, conversation: str
) -> Iterator[Row]:
    """One trace for each answer; what was said of the whole conversation stands at the last."""
    answers = [i for i, turn in enumerate(spoken) if turn.role == "assistant"]
    apart = len(answers) > 1
    if apart and any(of_all[key] is not None for key in AMOUNTS):
        tally.skip(OF_THE_WHOLE, place)
    system = of_all["system"]
    if system is None:
        system = next((turn.content for turn in spoken if turn.role == "system"), None)
    heard, told = of_all["input"], 0
    for number, i in enumerate(answers):
        turn, row = spoken[i], dict(of_all)
        before = [t.content for t in spoken[told:i] if t.role not in {"assistant", "system"}]
        heard, told = before[-1] if before else heard, i
        row["output"] = turn.content or (None if turn.calls else "")
        row |= {"tool_calls": turn.calls or None, "system": system, "input": heard}
        row["messages"] = Turns(spoken, i)
        if apart:
            row["conversation"] = row["conversation"] or conversation
            row["turn"] = number
            row |= dict.fromkeys(AMOUNTS)
        if number < len(answers) - 1:
            row |= dict.fromkeys(_LAST_ONLY)
        yield row
