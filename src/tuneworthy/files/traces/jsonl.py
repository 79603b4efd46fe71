"""Our own format at full speed: a block of lines into typed objects, and those into columns.

What doesn't fit the types, because another tool wrote numbers as text or content as parts, is read
again leniently, a line at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import astuple

from tuneworthy.domain.traces import Batch
from tuneworthy.files.traces.building import batches, has_value, joined
from tuneworthy.files.traces.clocks import times
from tuneworthy.files.traces.decoding import Broken, decode, decode_object
from tuneworthy.files.traces.later import Known, LaterPassages, LaterTurns, Source
from tuneworthy.files.traces.lines import Block
from tuneworthy.files.traces.plain import AMOUNTS, reference, said, trace_rows
from tuneworthy.files.traces.sound import sound, sound_columns, without_debts
from tuneworthy.files.traces.tally import CUT_OFF, NOT_JSON, NOT_UTF8, TOO_LONG, Tally
from tuneworthy.files.traces.values import (
    Row,
    name,
    prompt_name,
    role_of,
    score,
    tool_calls,
)

_GIVE_UP = 3
Column = Sequence[Any]


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
        self._known = Known()

    def batches(self, found: Iterator[Block]) -> Iterator[Batch]:
        """The traces of the blocks, in their order."""
        held: list[Batch] = []
        size = 0
        for block in found:
            for part in self._parts(block):
                held.append(part)
                size += len(part)
            if size >= self._size:
                yield joined(held)
                held, size = [], 0
        if held:
            yield joined(held)

    def _parts(self, block: Block) -> Iterator[Batch]:
        """A block turns into columns at once, while it is still in the processor's cache."""
        traces = self._typed(block)
        if traces is not None and not traces:
            return
        if traces is None:
            yield from batches(self._lenient(block), self._size)
            return
        self._tally.records += len(traces)
        made = _columns(traces, Source(block, self._decoder, len(traces)), self._known)
        sound_columns(made, self._tally, block)
        yield Batch(**{name: list(values) for name, values in made.items()})

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
        return traces

    def _lenient(self, block: Block) -> Iterator[Row]:
        for line, data in each_line(block, self._tally):
            try:
                record = decode_object(data)
            except Broken as broken:
                self._tally.skip(broken.why, line)
                continue
            name = f"{self._name}:{line}"
            found = trace_rows(record, self._tally, line, conversation=name)
            yield from sound(found, self._tally, line)


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


_FIELDS = tuple(each.name for each in msgspec.structs.fields(_Trace))


def _columns(traces: list[_Trace], source: Source, known: Known) -> dict[str, Column]:
    """Columns of typed traces; one that no trace has a value for isn't there.

    A field of all traces at a time is much quicker than all fields of a trace at a time.
    """
    columns = zip(*map(astuple, traces), strict=True)
    every: dict[str, Column] = dict(zip(_FIELDS, columns, strict=True))
    some = {field: values for field, values in every.items() if has_value(values)}
    if "feedback" in some:
        some |= _judged(every["score"], every["label"], some["feedback"])
    made: dict[str, Column] = {"output": every["output"]}
    made |= {column: make(some[field]) for field, column, make in _MADE if field in some}
    if "prompt_name" in some or "prompt_version" in some:
        made["prompt"] = _prompts(every["prompt_name"], every["prompt_version"])
    spoken = some.get("messages")
    if spoken or "system" in some:
        made["system"] = _systems(every["system"], spoken, known)
    if spoken or "input" in some:
        made["input"] = _newest(every["input"], spoken) if spoken else every["input"]
    if spoken:
        made["messages"] = [
            LaterTurns(source, place, len(said)) if said else None
            for place, said in enumerate(spoken)
        ]
    if "contexts" in some:
        made["contexts"] = [
            None if each is None else LaterPassages(source, place)
            for place, each in enumerate(some["contexts"])
        ]
    return made


def _judged(scores: Column, labels: Column, feedback: Column) -> dict[str, Column]:
    """Scores and labels with those of the feedback, where they stand there alone."""
    triples = list(zip(scores, labels, feedback, strict=True))
    return {
        "score": [told.score if said is None and told else said for said, _, told in triples],
        "label": [label or (told.label if told else None) for _, label, told in triples],
    }


def _prompts(names: Column, versions: Column) -> Column:
    told = {pair: prompt_name(*pair) for pair in set(zip(names, versions, strict=True))}
    return [*map(told.__getitem__, zip(names, versions, strict=True))]


def _names(values: Column) -> Column:
    return [value if type(value) is str else name(value) for value in values]


def _each(make: Callable[[Any], Any]) -> Callable[[Column], Column]:
    return lambda values: [None if value is None else make(value) for value in values]


def _systems(given: Column, spoken: Column | None, known: Known) -> Column:
    """System prompts; mostly they stand first.

    One that was seen before is that same object: the new copy can go at once.
    """
    found = given
    if spoken:
        found = [
            _first(said) if system is None and said else system
            for system, said in zip(given, spoken, strict=True)
        ]
    return [known.one(system) if system else system for system in found]


def _first(said: list[_Said]) -> str | None:
    first = said[0]
    if first.role == "system":
        return first.content or ""
    return next((one.content or "" for one in said if role_of(one.role) == "system"), None)


def _newest(given: Column, spoken: Column) -> Column:
    """The newest message that isn't the model's; mostly it stands last."""
    return [
        _last(said) if asked is None and said else asked
        for asked, said in zip(given, spoken, strict=True)
    ]


def _last(said: list[_Said]) -> str | None:
    last = said[-1]
    if last.role == "user":
        return last.content or ""
    heard = (one for one in reversed(said) if role_of(one.role) not in _NOT_ASKING)
    return next((one.content or "" for one in heard), None)


def _as_they_are(values: Column) -> Column:
    return values


_MADE: tuple[tuple[str, str, Callable[[Column], Column]], ...] = (
    ("model", "model", _as_they_are),
    ("answerable", "answerable", _as_they_are),
    ("conversation_id", "conversation", _names),
    ("turn", "turn", without_debts),
    ("timestamp", "timestamp", times),
    ("tool_calls", "tool_calls", _each(lambda value: tool_calls(value) or None)),
    ("reference", "reference", _each(reference)),
    ("error", "error", _each(said)),
    ("score", "score", _each(score)),
    ("label", "label", _each(lambda value: value or None)),
    ("case", "case", _each(name)),
    *((amount, amount, _as_they_are) for amount in AMOUNTS),
)
"""Field, column and how one becomes the other."""
_NOT_ASKING = frozenset({"assistant", "system"})
