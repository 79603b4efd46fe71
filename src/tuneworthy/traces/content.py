"""The content of one file as batches, whatever it is."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from typing import Any, Literal

import msgspec
from msgspec.structs import astuple

from tuneworthy.errors import InputError, one_line
from tuneworthy.files.disk import MIB
from tuneworthy.model.evidence import COLUMNS, Batch, Message
from tuneworthy.traces.fields import (
    AMOUNTS,
    CUT_OFF,
    NO_OBJECT,
    NOT_JSON,
    NOT_UTF8,
    NOTHING_AT,
    TOO_LONG,
    BrokenJson,
    Raws,
    ReadContext,
    Row,
    SkippedRecords,
    TraceFormat,
    decode,
    decode_object,
    drop_negative,
    has_too_much,
    name,
    prompt_name,
    reference,
    role_of,
    said,
    score,
    sound,
    sound_columns,
    times,
    tool_calls,
    trace_rows,
)
from tuneworthy.traces.formats import PLAIN, recognise
from tuneworthy.traces.mapping import FieldMap
from tuneworthy.traces.stream import Ahead, Block, Limits, blocks
from tuneworthy.traces.tables import Rows, csv_rows, fields_of, looks_like_table

# What a file of text is by its beginning: lines of JSON, one JSON value, or a table.

UNDERSTOOD = (
    "plain traces, OpenAI chat, OpenTelemetry GenAI, Langfuse observations, promptfoo results, "
    "Inspect logs, CSV and Parquet"
)
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


class NotTraces(InputError):  # noqa: N818  # a finding: InputError stands behind it
    """A file that holds nothing for us; among the files of a folder it is passed over."""


@dataclass(frozen=True, slots=True)
class Shape:
    kind: Literal["lines", "document", "table"]
    sign: str = ""
    """What stands between the columns of a table."""


def not_recognised(where: str) -> NotTraces:
    fix = f"what is understood: {UNDERSTOOD}; any other JSON or table by a mapping (--map)"
    return NotTraces("isn't recognised", where=where, fix=fix)


def shape(stream: Ahead, where: str, limits: Limits) -> Shape:
    """Look at the beginning of a text, and take off its byte order mark."""
    head = stream.peek(MIB)
    if head.startswith(codecs.BOM_UTF8):
        stream.read(3)
        head = stream.peek(MIB)
    if (wide := _wide(head)) is not None:
        raise InputError(f"is {wide} text", where=where, fix="save it as UTF-8")
    if not head.strip():
        raise NotTraces("is empty", where=where, fix="name a file with traces or results")
    if b"\n" not in head:
        head = stream.peek(limits.line_bytes + 1)
        if b"\n" not in head:
            head = stream.peek(limits.document_bytes + 1)
    start = head.lstrip()[:1]
    if start == b"[" or (start == b"{" and not _is_lines(head)):
        too_much = len(head) > limits.document_bytes and b"\n" not in head
        return Shape("lines" if too_much else "document")
    if _is_lines(head):
        return Shape("lines")
    if start != b"{" and (sign := looks_like_table(head)) is not None:
        return Shape("table", sign)
    raise not_recognised(where)


def _wide(head: bytes) -> str | None:
    """The encoding of a text with more than a byte a sign: by its mark, or by where zeros stand."""
    zeros = tuple(place for place, byte in enumerate(head[:4]) if not byte)
    if head.startswith(_UTF32) or zeros in {(0, 1, 2), (1, 2, 3)}:
        return "UTF-32"
    return "UTF-16" if head.startswith(_UTF16) or zeros in {(0, 2), (1, 3)} else None


def _is_lines(head: bytes) -> bool:
    """Whether it is one JSON value a line: a line that is an object, and more behind it."""
    found = list(objects(head, most=1))
    if not found:
        return False
    number = found[0][0]
    return number > 0 or bool(head.lstrip().partition(b"\n")[2].strip())


def objects(head: bytes, most: int) -> Iterator[tuple[int, bytes]]:
    """The first lines that are objects with something in them, with their places from 0."""
    for number, line in enumerate(head.lstrip().split(b"\n")):
        if not line.startswith(b"{"):
            continue
        try:
            keys = decode(line, dict[str, msgspec.Raw])
        except BrokenJson:
            continue
        if keys:
            yield number, line
            most -= 1
        if not most:
            return


# Rows into batches.


def batches(rows: Iterable[Row], limits: Limits, tally: SkippedRecords) -> Iterator[Batch]:
    held: list[Row] = []
    closes = tally.size + limits.batch_bytes
    for row in rows:
        held.append(row)
        if len(held) >= limits.batch_traces or tally.size >= closes:
            yield _batch(held)
            held, closes = [], tally.size + limits.batch_bytes
    if held:
        yield _batch(held)


def _batch(rows: list[Row]) -> Batch:
    columns = {name: [row.get(name) for row in rows] for name in COLUMNS}
    return slim(Batch(**columns))


def joined(parts: Sequence[Batch]) -> Batch:
    made: dict[str, list[Any]] = {}
    for column in COLUMNS:
        if any(getattr(part, column) for part in parts):
            made[column] = list(chain.from_iterable(part.column(column) for part in parts))
    return slim(Batch(**made))


def slim(batch: Batch) -> Batch:
    """A batch whose columns without any value are empty, but for the outputs."""
    for column in COLUMNS:
        values = getattr(batch, column)
        if values and column != "output" and not has_value(values):
            setattr(batch, column, [])
    return batch


def has_value(values: Sequence[object]) -> bool:
    """Whether anything but None is among some values; False for none."""
    # Mostly the first tells, and None is quickly compared with None alone.
    return bool(values) and (values[0] is not None or values.count(None) < len(values))


# Our own format by the types it says, as it is decoded at full speed.


class PlainTurn(msgspec.Struct, gc=False, rename={"from_": "from"}):
    role: str = "user"
    content: str | None = None
    tool_calls: Any = None
    speaker: None = None
    from_: None = None
    parts: None = None
    text: None = None
    value: None = None


class PlainFeedback(msgspec.Struct, gc=False):
    score: float | bool | str | None = None
    label: str | None = None


class PlainPassage(msgspec.Struct, gc=False):
    text: str | None = None
    content: None = None
    page_content: None = None
    document: None = None


class PlainTrace(msgspec.Struct, gc=False):
    timestamp: datetime | float | None = None
    conversation_id: str | int | None = None
    turn: int | None = None
    model: str | None = None
    prompt_name: str | int | None = None
    prompt_version: str | int | float | None = None
    messages: list[PlainTurn] | None = None
    system: str | None = None
    input: str | None = None
    output: str | None = None
    tool_calls: Any = None
    contexts: list[PlainPassage] | None = None
    reference: Any = None
    answerable: bool | None = None
    latency_s: float | None = None
    time_to_first_token_s: float | None = None
    input_tokens: float | None = None
    output_tokens: float | None = None
    cached_tokens: float | None = None
    usd: float | None = None
    error: Any = None
    feedback: PlainFeedback | None = None
    score: float | bool | str | None = None
    label: str | None = None
    case: str | int | None = None


FIELDS: tuple[str, ...] = tuple(each.name for each in msgspec.structs.fields(PlainTrace))
"""Names of a trace's fields, in the order of ``msgspec.structs.astuple``."""


def _message(said: PlainTurn) -> Message:
    return Message(role_of(said.role), said.content or "")


class Views(Sequence[Any]):
    """Values that are made when somebody asks, as most are not; an empty one is None."""

    __slots__ = ("_make", "_values")

    def __init__(self, values: Sequence[Any], make: Callable[[Any], Any]) -> None:
        self._values, self._make = values, make

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return Views(self._values[place], self._make)
        value = self._values[place]
        return self._make(value) if value else None

    def __iter__(self) -> Iterator[Any]:
        return (self._make(value) if value else None for value in self._values)


# Texts that come again and again, each held once.

_MOST_KNOWN, _LONGEST_KNOWN = 1000, 100_000  # a hundred megabytes at most


class Interned:
    """Gives equal texts as one object, so that who looks them up needn't read them.

    Of each length the last text is remembered: comparing with it is quicker than any hash.
    """

    def __init__(self) -> None:
        self._texts: dict[int, str] = {}

    def one(self, text: str) -> str:
        """The text, as the object that was seen last if that is equal."""
        known = self._texts.get(len(text))
        if known == text:
            return known
        if len(text) <= _LONGEST_KNOWN:
            if len(self._texts) >= _MOST_KNOWN:
                self._texts.clear()
            self._texts[len(text)] = text
        return text


# Typed traces as columns of a batch.

Column = Sequence[Any]
Fields = dict[str, Column]

_MESSAGES, _SYSTEM, _INPUT, _OUTPUT, _CALLS = map(
    FIELDS.index, ("messages", "system", "input", "output", "tool_calls")
)
_NOT_ASKING = frozenset({"assistant", "system"})


class Gathered:
    """Typed traces on their way into a batch; values that can't be true are counted."""

    def __init__(self, tally: SkippedRecords) -> None:
        self._tally, self._known = tally, Interned()
        self._held: tuple[list[Any], ...] = tuple([] for _ in FIELDS)
        self._lines: list[Sequence[int]] = []

    def add(self, traces: Sequence[PlainTrace], block: Block) -> bool:
        """Take the traces of a block apart, while they are still in the processor's cache.

        A system prompt that was seen before becomes that same object: its copy can go at once.
        False, and nothing is taken, where a trace has neither an output nor calls of tools.
        """
        columns: list[Column] = list(zip(*map(astuple, traces), strict=True))
        said, calls = columns[_OUTPUT], columns[_CALLS]
        if not all(said) and any(
            text is None and not tool_calls(called)
            for text, called in zip(said, calls, strict=True)
        ):
            return False
        if has_value(columns[_SYSTEM]):
            one = self._known.one
            columns[_SYSTEM] = [one(text) if text else text for text in columns[_SYSTEM]]
        if any(columns[_MESSAGES]):
            columns[_SYSTEM], columns[_INPUT] = self._told(columns)
        for held, values in zip(self._held, columns, strict=True):
            held.extend(values)
        one_a_line = len(traces) == block.lines
        lines = range(block.first, block.first + block.lines)
        self._lines.append(lines if one_a_line else [block.first] * len(traces))
        return True

    def batch(self) -> list[Batch]:
        """What was gathered, as one batch or as none; nothing is held afterwards."""
        held, lines = self._held, self._lines
        if not lines:
            return []
        self._held, self._lines = tuple([] for _ in FIELDS), []
        every = dict(zip(FIELDS, held, strict=True))
        fields: Fields = {field: values for field, values in every.items() if has_value(values)}
        fields |= {"output": every["output"]}
        if "timestamp" in fields:
            fields["timestamp"] = times(fields["timestamp"])
        sound_columns(fields, self._tally, lambda: list(chain.from_iterable(lines)))
        return [Batch(**dict(_columns(fields)))]

    def _told(self, columns: Sequence[Column]) -> tuple[Column, Column]:
        """System prompts and newest messages, out of the turns where they stand nowhere else."""
        systems, asked, one = [*columns[_SYSTEM]], [*columns[_INPUT]], self._known.one
        for row, spoken in enumerate(columns[_MESSAGES]):
            if not spoken:
                continue
            first, last = spoken[0], spoken[-1]
            if first.role == "system":  # mostly it stands first
                first.content = one(first.content or "")
            if systems[row] is None:
                systems[row] = first.content if first.role == "system" else _system(spoken)
            if asked[row] is None:
                asked[row] = last.content or "" if last.role == "user" else _newest(spoken)
        return systems, asked


def _system(spoken: Sequence[PlainTurn]) -> str | None:
    return next((one.content or "" for one in spoken if role_of(one.role) == "system"), None)


def _newest(spoken: Sequence[PlainTurn]) -> str | None:
    heard = (one for one in reversed(spoken) if role_of(one.role) not in _NOT_ASKING)
    return next((one.content or "" for one in heard), None)


def _columns(fields: Fields) -> Iterator[tuple[str, Any]]:
    nothing = [None] * len(fields["output"])
    if "feedback" in fields:
        fields |= _judged(*(fields.get(each, nothing) for each in ("score", "label", "feedback")))
    if "prompt_name" in fields or "prompt_version" in fields:
        named = [fields.get(each, nothing) for each in ("prompt_name", "prompt_version")]
        known = {pair: prompt_name(*pair) for pair in set(zip(*named, strict=True))}
        yield "prompt", [known[pair] for pair in zip(*named, strict=True)]
    for field, column, make in _MADE:
        if field in fields:
            yield column, make(fields[field])


def _judged(scores: Column, labels: Column, feedback: Column) -> Fields:
    """Scores and labels with those of the feedback, where they stand there alone."""
    score, label = [*scores], [*labels]
    for row, given in enumerate(feedback):
        if given is not None:
            score[row] = given.score if score[row] is None else score[row]
            label[row] = label[row] or given.label
    return {"score": score} | ({"label": label} if has_value(label) else {})


def _names(values: Column) -> Column:
    if set(map(type, values)) <= {str, type(None)} and "" not in values:
        return values
    return [(value or None) if type(value) is str else name(value) for value in values]


def _each(make: Callable[[Any], Any]) -> Callable[[Column], Column]:
    return lambda values: [None if value is None else make(value) for value in values]


def _texts(passages: Sequence[PlainPassage]) -> tuple[str, ...]:
    return tuple(passage.text for passage in passages if passage.text is not None)


def _as_they_are(values: Column) -> Column:
    return values


_MADE: tuple[tuple[str, str, Callable[[Column], Column]], ...] = (
    ("output", "output", _as_they_are),
    ("system", "system", _as_they_are),
    ("input", "input", _as_they_are),
    ("messages", "messages", lambda values: Views(values, lambda turns: Views(turns, _message))),
    ("contexts", "contexts", _each(_texts)),
    ("model", "model", _names),
    ("answerable", "answerable", _as_they_are),
    ("conversation_id", "conversation", _names),
    ("turn", "turn", drop_negative),
    ("timestamp", "timestamp", _as_they_are),
    ("tool_calls", "tool_calls", _each(lambda value: tool_calls(value) or None)),
    ("reference", "reference", _each(reference)),
    ("error", "error", _each(said)),
    ("score", "score", _each(score)),
    ("label", "label", _each(lambda value: value or None)),
    ("case", "case", _each(name)),
    *((amount, amount, _as_they_are) for amount in AMOUNTS),
)
"""Field, column and how one becomes the other."""


# Our own format at full speed: blocks of lines into typed objects, and those into columns.

_GIVE_UP = 3


class PlainLines:
    """Blocks of our own format as batches."""

    def __init__(self, tally: SkippedRecords, name: str, limits: Limits) -> None:
        self._tally, self._name, self._limits = tally, name, limits
        self._decoder = msgspec.json.Decoder(PlainTrace)
        self._failed = 0

    def batches(self, found: Iterator[Block]) -> Iterator[Batch]:
        held: list[Batch] = []
        typed = Gathered(self._tally)
        traces = size = 0
        for block in found:
            many = self._typed(block, typed)
            if not many:
                held += typed.batch()
                many = self._lenient(block, held)
            traces, size = traces + many, size + len(block.data)
            if traces >= self._limits.batch_traces or size >= self._limits.batch_bytes:
                held += typed.batch()
                yield from _handed_on(held)
                traces = size = 0
        held += typed.batch()
        yield from _handed_on(held)

    def _typed(self, block: Block, typed: Gathered) -> int:
        """Gather all lines of a block; 0 where one of them wants a closer look."""
        if self._failed >= _GIVE_UP or block.too_long or has_too_much(block.data):
            return 0
        try:
            traces = self._decoder.decode_lines(block.data)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self._failed += 1
            return 0
        if not traces or not typed.add(traces, block):
            return 0
        self._failed = 0
        self._tally.records += len(traces)
        return len(traces)

    def _lenient(self, block: Block, held: list[Batch]) -> int:
        """Add what can be read of a block, a line at a time; gives how many traces that are."""
        before = len(held)
        held += batches(self._rows(block), self._limits, self._tally)
        return sum(map(len, held[before:]))

    def _rows(self, block: Block) -> Iterator[Row]:
        for line, data in each_line(block, self._tally):
            try:
                record = decode_object(data)
            except BrokenJson as broken:
                self._tally.skip(broken.why, line)
                continue
            name = f"{self._name}:{line}"
            found = trace_rows(record, self._tally, line, conversation=name)
            yield from sound(found, self._tally, line)


def _handed_on(held: list[Batch]) -> Iterator[Batch]:
    """Batches as one, if there are any, of which nothing stays here while it is looked at."""
    if len(held) > 1:
        held[:] = [joined(held)]
    while held:
        yield held.pop()


def each_line(block: Block, tally: SkippedRecords) -> Iterator[tuple[int, bytes]]:
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
    except BrokenJson as broken:
        return broken.why in {NOT_JSON, NOT_UTF8}
    return False


# One file, whatever it is.

_TRIED = 20
_WRAPPED = ("data", "observations", "traces", "items", "records", "calls")
_NONE_OF_OURS = frozenset({"model", "label", "score", "error", "timestamp", "conversation_id"})
Records = Iterator[tuple[int | str, Any]]


class Content:
    """One file.

    ``name`` is for conversations that have none, ``where`` for errors; ``mapping`` says where our
    fields stand in records that aren't of a format we know.
    """

    def __init__(self, name: str, where: str, mapping: FieldMap | None, limits: Limits) -> None:
        self.where, self.mapping, self.limits = where, mapping, limits
        self.tally = SkippedRecords(name, until_s=limits.until_s)
        self.context = ReadContext(self.tally, name)
        self.format, self.packed = "", ""
        self._unseen = set(mapping.led if mapping is not None else ())

    def described(self) -> str:
        told = ", ".join((self.format, *self.context.notes))
        return one_line(f"{told} ({self.packed})" if self.packed else told, limit=200)

    def text(self, stream: Ahead) -> Iterator[Batch]:
        """Traces of a text: lines of JSON, one JSON value, or a table."""
        found = shape(stream, self.where, self.limits)
        if found.kind == "table":
            rows = csv_rows(stream, found.sign, self.tally, self.limits, self.where)
            yield from self.table(rows, "CSV")
        elif found.kind == "document":
            yield from self._pack(self._document(stream))
        else:
            yield from self._lines(stream)

    def _pack(self, rows: Iterator[Row]) -> Iterator[Batch]:
        return batches(rows, self.limits, self.tally)

    def _lines(self, stream: Ahead) -> Iterator[Batch]:
        lines, kind = blocks(stream, self.limits.line_bytes), None
        if self.mapping is None:
            kind, held = self._first_known(lines)
            lines = chain(held, lines)
        if kind is PLAIN:
            self.format = PLAIN.name
            reader = PlainLines(self.tally, self.context.file, self.limits)
            yield from reader.batches(lines)
            return
        records = chain.from_iterable(each_line(block, self.tally) for block in lines)
        yield from self._pack(self.rows(records, kind))

    def _first_known(self, lines: Iterator[Block]) -> tuple[TraceFormat, list[Block]]:
        """The format of the first record of one, and the blocks that were looked at."""
        held: list[Block] = []
        tried = 0
        for block in lines:
            held.append(block)
            for _, line in objects(block.data, most=_TRIED - tried):
                tried += 1
                if (kind := recognise(decode(line, Raws))) is not None:
                    return kind, held
            if tried >= _TRIED:
                break
        if not tried and any(block.too_long for block in held):
            raise self._too_large(self.limits.line_bytes)
        raise not_recognised(self.where)

    def _too_large(self, most: int) -> InputError:
        what = f"is one JSON value of more than {most // MIB} MiB"
        return InputError(what, where=self.where, fix="write one record a line")

    def rows(self, records: Records, kind: TraceFormat | None) -> Iterator[Row]:
        self.format = kind.name if kind else "JSON by a mapping"
        for place, raw in records:
            self.tally.size += memoryview(raw).nbytes
            try:
                yield from self._record(raw, place, kind)
            except BrokenJson as broken:
                self.tally.skip(broken.why, place)

    def _record(self, raw: Any, place: int | str, kind: TraceFormat | None) -> Iterator[Row]:
        if kind is None:
            yield from self._mapped(decode(raw, object), place)
        elif kind.document is not None:
            for number, row in enumerate(kind.document(raw, place, self.context), start=1):
                yield from sound((row,), self.tally, f"result {number}")
        elif kind.rows is not None:
            found = kind.rows(decode_object(raw), place, self.context)
            yield from sound(found, self.tally, place)

    def _mapped(self, value: Any, place: int | str) -> Iterator[Row]:
        assert self.mapping is not None  # whoever comes here has no format
        for number, record in enumerate(self.mapping.records(value), start=1):
            exact = f"{place}.{number}" if self.mapping.each else place
            if not isinstance(record, Mapping):
                self.tally.skip(NO_OBJECT, exact)
                continue
            found = self.mapping.plain(record)
            self._unseen = {name for name in self._unseen if found[name] is None}
            yield from self._plain(found, exact)

    def note_unseen(self) -> None:
        """Count paths of the mapping that led to nothing in any record: a slip is likely."""
        led = self.mapping.led if self.mapping is not None else {}
        for field in sorted(self._unseen):
            why = f'{NOTHING_AT}"{one_line(led[field], limit=100)}", where {field} is said to be'
            self.tally.reasons[why], self.tally.places[why] = self.tally.records, []

    def _plain(self, record: Mapping[str, Any], place: int | str) -> Iterator[Row]:
        return sound(self.context.traces(record, place), self.tally, place)

    def _document(self, stream: Ahead) -> Iterator[Row]:
        data = self._whole(stream)
        try:
            if data[:64].lstrip()[:1] == b"[":
                yield from self._array(decode(data, list[msgspec.Raw]))
                return
            top = decode(data, Raws)
        except BrokenJson as broken:
            raise self._no_json(broken, data) from None
        kind = None if self.mapping else recognise(top)
        wrapped = next((key for key in _WRAPPED if key in top), None)
        if kind is None and self.mapping is None:
            if wrapped is None or bytes(memoryview(top[wrapped])[:1]) != b"[":
                raise not_recognised(self.where)
            yield from self._array(decode(top[wrapped], list[msgspec.Raw]))
            return
        if kind is None or kind.document is None:
            self.tally.records += 1
        yield from self.rows(iter([(1, data)]), kind)

    def _array(self, items: list[msgspec.Raw]) -> Iterator[Row]:
        kind = None
        if self.mapping is None:
            tried = (_keys(item) for item in items[:_TRIED])
            found = (recognise(keys) for keys in tried if keys)
            kind = next((one for one in found if one is not None), None)
            if kind is None:
                raise not_recognised(self.where)

        def counted() -> Records:
            for number, item in enumerate(items, start=1):
                self.tally.records += 1
                yield number, item

        yield from self.rows(counted(), kind)

    def _whole(self, stream: Ahead) -> bytes:
        data = stream.peek(self.limits.document_bytes + 1)
        if len(data) > self.limits.document_bytes:
            raise self._too_large(self.limits.document_bytes)
        return data

    def _no_json(self, broken: BrokenJson, data: bytes) -> InputError:
        what = broken.why
        if what == NOT_JSON and data[-64:].rstrip()[-1:] not in {b"]", b"}"}:
            what = "is cut off"
        return InputError(what, where=self.where, fix="export it again, whole")

    def table(self, rows: Rows, name: str) -> Iterator[Batch]:
        first = [*islice(rows, 1)]
        columns = tuple(first[0][1]) if first else ()
        taken = fields_of(columns)
        kind = None if self.mapping else recognise(dict.fromkeys(columns))
        kind = None if kind is PLAIN else kind
        known = kind or self.mapping or set(taken.values()) - _NONE_OF_OURS
        if not known:
            raise not_recognised(self.where)
        self.format = f"{kind.name} in {name}" if kind else name
        yield from self._pack(self._of_table(chain(first, rows), taken, kind))

    def _of_table(
        self, rows: Rows, taken: Mapping[str, str], kind: TraceFormat | None
    ) -> Iterator[Row]:
        for place, whole in rows:
            row = {name: cell for name, cell in whole.items() if cell is not None}
            self.tally.records += 1
            self.tally.size += sum(len(cell) for cell in row.values() if isinstance(cell, str))
            if self.mapping is not None:
                yield from self._mapped(row, place)
            elif kind is not None and kind.rows is not None:
                yield from sound(kind.rows(row, place, self.context), self.tally, place)
            else:
                yield from self._plain({taken[k]: v for k, v in row.items() if k in taken}, place)


def _keys(raw: msgspec.Raw) -> Raws:
    try:
        return decode(raw, Raws)
    except BrokenJson:
        return {}
