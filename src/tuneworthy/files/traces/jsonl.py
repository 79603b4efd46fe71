"""Our own format at full speed: a block of lines into typed objects, and those into columns.

What doesn't fit the types, because another tool wrote numbers as text or content as parts, is read
again leniently, a line at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import msgspec

from tuneworthy.domain.traces import Batch
from tuneworthy.files.traces.building import batches, extend, slim
from tuneworthy.files.traces.decoding import Broken, decode, decode_object
from tuneworthy.files.traces.lines import Block
from tuneworthy.files.traces.plain import AMOUNTS, reference, said, trace_rows
from tuneworthy.files.traces.tally import CUT_OFF, NOT_JSON, NOT_UTF8, TOO_LONG, Tally
from tuneworthy.files.traces.values import (
    Row,
    Turns,
    name,
    prompt_name,
    score,
    tool_calls,
    when,
)

_GIVE_UP = 3
_MOST_SYSTEMS = 1000


class _Said(msgspec.Struct, gc=False):
    role: str = "user"
    content: str | None = None
    tool_calls: Any = None


class _Feedback(msgspec.Struct, gc=False):
    score: float | bool | str | None = None
    label: str | None = None


class _Passage(msgspec.Struct, gc=False):
    text: str | None = None


class _Trace(msgspec.Struct, gc=False):
    """A trace as our format says, by the types it says."""

    output: str | None = None
    timestamp: datetime | float | None = None
    conversation_id: str | int | None = None
    turn: int | None = None
    model: str | None = None
    prompt_name: str | int | None = None
    prompt_version: str | float | None = None
    messages: list[_Said] | None = None
    system: str | None = None
    input: str | None = None
    tool_calls: Any = None
    contexts: list[_Passage] | None = None
    reference: Any = None
    answerable: bool | None = None
    latency_s: float | None = None
    time_to_first_token_s: float | None = None
    input_tokens: float | None = None
    output_tokens: float | None = None
    cached_tokens: float | None = None
    usd: float | None = None
    error: Any = None
    feedback: _Feedback | None = None
    score: float | bool | str | None = None
    label: str | None = None
    case: str | int | None = None


class Lines:
    """Blocks of our own format as batches.

    Args:
        tally: Where what can't be used is counted.
        name: The file, for the names of conversations that have none.
        size: Traces of a batch.
    """

    def __init__(self, tally: Tally, name: str, size: int) -> None:
        self._tally, self._name, self._size = tally, name, size
        self._decoder = msgspec.json.Decoder(_Trace)
        self._failed = 0
        self._systems: dict[str, str] = {}

    def batches(self, found: Iterator[Block]) -> Iterator[Batch]:
        """The traces of the blocks, in their order."""
        held = Batch()
        for block in found:
            for part in self._parts(block):
                extend(held, part)
            if len(held) >= self._size:
                yield slim(held)
                held = Batch()
        if len(held):
            yield slim(held)

    def _parts(self, block: Block) -> Iterator[Batch]:
        """A block turns into columns at once, while it is still in the processor's cache."""
        traces = self._typed(block)
        if traces is None:
            yield from batches(self._lenient(block), self._size)
        elif traces:
            if len(self._systems) > _MOST_SYSTEMS:
                self._systems.clear()
            yield _columns(traces, self._systems)

    def _typed(self, block: Block) -> list[_Trace] | None:
        """All lines of a block, or None where one of them wants a closer look."""
        if self._failed >= _GIVE_UP or block.too_long:
            return None
        try:
            traces = self._decoder.decode_lines(block.data)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self._failed += 1
            return None
        if any(each.output is None and not each.tool_calls for each in traces):
            return None
        self._failed = 0
        self._tally.records += len(traces)
        return traces

    def _lenient(self, block: Block) -> Iterator[Row]:
        for line, data in each_line(block, self._tally):
            try:
                record = decode_object(data)
            except Broken as broken:
                self._tally.skip(broken.why, line)
                continue
            yield from trace_rows(record, self._tally, line, conversation=f"{self._name}:{line}")


def each_line(block: Block, tally: Tally) -> Iterator[tuple[int, bytes]]:
    """Lines of a block with their numbers, counted; blank ones are passed over."""
    if block.too_long:
        tally.records += 1
        tally.skip(TOO_LONG, block.first)
        return
    lines = block.data.split(b"\n")
    for number, data in enumerate(lines, start=block.first):
        if not data.strip():
            continue
        tally.records += 1
        if not block.ended and number == block.first + len(lines) - 1 and _is_cut(data):
            tally.skip(CUT_OFF, number)
        else:
            yield number, data


def _is_cut(data: bytes) -> bool:
    """Whether a last line without its end is no whole value."""
    try:
        decode(data, msgspec.Raw)
    except Broken as broken:
        return broken.why in {NOT_JSON, NOT_UTF8}
    return False


_AMOUNTS = tuple((amount, attrgetter(amount)) for amount in AMOUNTS)


def _columns(traces: list[_Trace], known: dict[str, str]) -> Batch:
    prompts: dict[tuple[Any, Any], str | None] = {}
    for each in traces:
        key = (each.prompt_name, each.prompt_version)
        if key not in prompts:
            prompts[key] = prompt_name(*key)
    heard = [_heard(each, known) for each in traces]
    batch = Batch(
        output=[each.output for each in traces],
        conversation=[c if type(c := each.conversation_id) is str else name(c) for each in traces],
        turn=[None if (t := each.turn) is None or t < 0 else t for each in traces],
        timestamp=[_seconds(each.timestamp) for each in traces],
        model=[each.model for each in traces],
        prompt=[prompts[each.prompt_name, each.prompt_version] for each in traces],
        system=[system for system, _ in heard],
        input=[asked for _, asked in heard],
        messages=[Turns(m, len(m)) if (m := each.messages) else None for each in traces],
        tool_calls=[tool_calls(c) or None if (c := each.tool_calls) else None for each in traces],
        contexts=[
            None if each.contexts is None else [p.text for p in each.contexts if p.text is not None]
            for each in traces
        ],
        reference=[None if (r := each.reference) is None else reference(r) for each in traces],
        answerable=[each.answerable for each in traces],
        error=[said(e) if (e := each.error) else None for each in traces],
        score=[None if e.score is None and e.feedback is None else _scored(e) for e in traces],
        label=[None if e.label is None and e.feedback is None else _label(e) for e in traces],
        case=[None if (c := each.case) is None else name(c) for each in traces],
    )
    for amount, get in _AMOUNTS:
        values = list(map(get, traces))
        if min(filter(None, values), default=0) < 0:
            values = [None if value is None or value < 0 else value for value in values]
        setattr(batch, amount, values)
    return batch


def _seconds(given: datetime | float | None) -> float | None:
    if isinstance(given, datetime):
        return (given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp()
    return None if given is None else when(given)


def _heard(each: _Trace, known: dict[str, str]) -> tuple[str | None, str | None]:
    """System prompt and newest message; mostly they stand first and last.

    A system prompt that was seen before is that same object: the new copy can go at once.
    """
    system, asked, spoken = each.system, each.input, each.messages
    if spoken:
        if system is None:
            first = spoken[0]
            if first.role == "system" and first.content is not None:
                system = first.content = known.setdefault(first.content, first.content)
            else:
                system = _search(spoken, _SYSTEM)
        if asked is None:
            last = spoken[-1]
            asked = last.content if last.role == "user" else _search(spoken[::-1], _ASKING)
    return system, asked


def _search(spoken: list[_Said], roles: frozenset[str]) -> str | None:
    return next((one.content for one in spoken if one.role in roles), None)


_ASKING = frozenset({"user", "human", "tool", "function"})
_SYSTEM = frozenset({"system", "developer"})


def _label(each: _Trace) -> str | None:
    return each.label or (each.feedback.label if each.feedback else None)


def _scored(each: _Trace) -> float | None:
    given = each.score if each.score is not None or each.feedback is None else each.feedback.score
    return None if given is None else score(given)
