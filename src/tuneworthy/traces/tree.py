"""Nested records such as spans: each call of a model once.

Of nested model spans, the innermost is the call. It gets missing values from those around it: the
session, the prompt, the score, the right answer, and an error where it has no answer. Records with
one id are joined, as a stream or an update writes two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, compress
from typing import Any, NamedTuple

from tuneworthy.files.disk import MIB
from tuneworthy.traces import skipped
from tuneworthy.traces.mapping import FieldMap, Path_, RecordChunk, hold
from tuneworthy.traces.rows import Place, has_value
from tuneworthy.traces.skipped import SkippedRecords
from tuneworthy.traces.values import name, when

MOST = 8192
"""The number of records that are looked at together. Records farther apart in a file aren't joined."""

MOST_BYTES = 8 * MIB
"""Bytes of records that are looked at together, as they were read: so many close the window too."""

TOGETHER = 256  #: Records that are looked into together.
_LATE = 8
"""One part in so many is the last of a window; its traces may go on behind it."""
_WAITING = 2
"""One part in so many of a window may wait for the next window, so that each takes a step ahead."""
_DEEPEST = 200  #: Records around a record; a file of a stranger may nest any number.
_FROM_AROUND = (
    "conversation_id",
    "prompt_name",
    "prompt_version",
    "score",
    "label",
    "feedback",
    "reference",
    "case",
    "group",
)
"""Fields that hold for all calls inside a record."""
_OF_THE_ONLY_CALL = (
    "input",
    "messages",
    "system",
    "output",
    "tool_calls",
    "contexts",
    "model",
    "provider",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "usd",
    "finish",
    "time_to_first_token_s",
)
"""Fields that a model span repeats from the single call inside it."""
PIECES = frozenset({"heard", "answered"})
"""Attributes that records of one call add to, as some logs write each turn as a record."""


class TreeRows(NamedTuple):
    """Some calls of a file, each once, with the values of the records around them."""

    places: list[Place]
    chunk: RecordChunk
    #: Values by our field; for a call that has its own they don't count.
    around: dict[str, list[Any]]


class _Part(NamedTuple):
    """Records that are processed together."""

    places: list[Place]
    chunk: RecordChunk
    size: int  #: Bytes of the records as they were read, and of those that were chosen from.

    def only(self, kept: Sequence[bool]) -> _Part:
        if all(kept):
            return self
        places = [*compress(self.places, kept)]
        return _Part(places, self.chunk.only(kept), self.size)


class _Window(RecordChunk):
    """Consecutive parts of a file, with their columns joined."""

    def __init__(self, parts: Sequence[_Part]) -> None:
        self.parts = parts

    def __len__(self) -> int:
        return sum(len(part.places) for part in self.parts)

    @property
    def places(self) -> list[Place]:
        return [*chain.from_iterable(part.places for part in self.parts)]

    @property
    def records(self) -> list[Any]:
        return [*chain.from_iterable(part.chunk.records for part in self.parts)]

    def values(self, path: Path_) -> list[Any] | None:
        """A column over all parts; None where no part has it."""
        columns = [part.chunk.values(path) for part in self.parts]
        if all(column is None for column in columns):
            return None
        whole: list[Any] = []
        for part, column in zip(self.parts, columns, strict=True):
            whole += [None] * len(part.places) if column is None else column
        return whole

    def choose(self, kept: Sequence[bool]) -> list[_Part]:
        """The parts with only the kept records."""
        chosen: list[_Part] = []
        end = 0
        for part in self.parts:
            begin = end
            end += len(part.places)
            some = part.only(kept[begin:end])
            if some.places:
                chosen.append(some)
        return chosen


class CallTree:
    """The records of one file, window by window."""

    def __init__(
        self,
        kind: FieldMap,
        tally: SkippedRecords,
        folders: Mapping[str, str],
        most: int,
    ) -> None:
        """``most`` is the number of calls that are handed on together."""
        self._kind = kind
        self._together = min(TOGETHER, most)
        self._tally = tally
        self._folders = folders
        #: Records that wait for the rest of their window.
        self._parts: list[_Part] = []
        self._read_bytes = 0  #: Of the file so far.
        self._waiting = 0  #: Records in the parts.
        self._waiting_bytes = 0

    def add(
        self, places: Sequence[Place], records: Sequence[Any]
    ) -> Iterator[TreeRows]:
        """Add the next records of the file, and give the calls of a window that is full."""
        size = self._tally.size - self._read_bytes
        self._read_bytes = self._tally.size
        self._parts += self._cut(places, records, size)
        self._waiting += len(records)
        self._waiting_bytes += size
        if self._waiting >= MOST or self._waiting_bytes >= MOST_BYTES:
            yield from self._rows(whole=False)

    def rest(self) -> Iterator[TreeRows]:
        if self._parts:
            yield from self._rows(whole=True)

    def _cut(
        self, places: Sequence[Place], records: Sequence[Any], size: int
    ) -> Iterator[_Part]:
        """Cut records into parts, which share their ``size`` in bytes by their number."""
        bytes_per_record = size / max(1, len(records))  # of no records there is no part
        for begin in range(0, len(records), self._together):
            some = slice(begin, begin + self._together)
            chunk = RecordChunk([*records[some]], self._folders)
            yield _Part([*places[some]], chunk, round(bytes_per_record * len(chunk)))

    def _rows(self, *, whole: bool) -> Iterator[TreeRows]:
        """The calls so far. Unless ``whole``, calls whose trace may continue are left for later."""
        window = _Window(self._parts)
        self._parts = []
        if not whole:
            window = self._without_late(window)  # puts what waits into the parts
        self._waiting = sum(len(part.places) for part in self._parts)
        self._waiting_bytes = sum(part.size for part in self._parts)
        # Without a path to ids no record has one.
        ids = [name(id_) for id_ in window.first(self._kind.id) or [None] * len(window)]
        if len(set(ids)) < len(ids):
            window, ids = self._merged(window, ids)
        yield from self._folded(window, ids)

    def _without_late(self, window: _Window) -> _Window:
        """A window without the traces that may continue behind it, which wait for the next one.

        Those are the traces with a record in the last part of the window. If too much would have to
        wait, nothing does: else the records in memory become no fewer.
        """
        traces = window.first(self._kind.trace)
        if traces is None:
            return window
        # At least one record: of 0 the slice would be the whole list.
        last = traces[-max(1, len(traces) // _LATE) :]
        late = {name(trace) for trace in last} - {None}
        waits = [name(trace) in late for trace in traces]
        waiting = window.choose(waits)
        size = sum(part.size for part in waiting)
        fits = waits.count(True) <= len(waits) // _WAITING
        if not waiting or not fits or size > MOST_BYTES // _WAITING:
            return window
        self._parts = waiting
        return _Window(window.choose([not wait for wait in waits]))

    def _merged(
        self, window: _Window, ids: list[str | None]
    ) -> tuple[_Window, list[str | None]]:
        """Join records with one id; where two values differ, the later one counts."""
        row_of_id: dict[str, int] = {}
        records: list[Any] = []
        places: list[Place] = []
        ids_left: list[str | None] = []
        for place, record, id_ in zip(window.places, window.records, ids, strict=True):
            row = None if id_ is None else row_of_id.get(id_)
            if row is not None and isinstance(record, dict):
                records[row] = _merge(records[row], record)
                # A turn of a call is a record by itself in some logs, and no repetition.
                if PIECES.isdisjoint(record.get("attributes") or ()):
                    self._tally.skip(skipped.TWICE, place)
                continue
            if id_ is not None:
                row_of_id[id_] = len(records)
            records.append(record)
            places.append(place)
            ids_left.append(id_)
        if len(records) == len(ids):
            return window, ids
        # The bytes were counted when the records were added.
        return _Window([*self._cut(places, records, 0)]), ids_left

    def _folded(self, window: _Window, ids: list[str | None]) -> Iterator[TreeRows]:
        """Fold a window of spans into one row for each innermost call of a model.

        The rows are given by the parts of the window, whose columns are read already.
        """
        calls = hold(self._kind.only, window)
        numbers = [n for n, is_call in enumerate(calls) if is_call]
        around = self._around_calls(window, ids, numbers)
        inside = _calls_inside(window, calls, around)
        keeps = [False] * len(window)
        innermost: list[int] = []
        around_innermost: list[list[int]] = []
        for n, ancestors in zip(numbers, around, strict=True):
            if not inside.get(n):
                keeps[n] = True
                innermost.append(n)
                around_innermost.append(ancestors)
        self._count_skipped(window, calls, keeps)
        fields = self._fields_around(window, innermost, around_innermost, inside)
        end = 0
        for part in window.choose(keeps):
            begin = end
            end += len(part.places)
            some = {field: values[begin:end] for field, values in fields.items()}
            yield TreeRows(part.places, part.chunk, some)

    def _around_calls(
        self, window: _Window, ids: Sequence[str | None], numbers: Sequence[int]
    ) -> list[list[int]]:
        """For each call, the places of the records around it, from the inside out."""
        place_of_id = {id_: n for n, id_ in enumerate(ids) if id_ is not None}
        parents = window.first(self._kind.parent) or [None] * len(window)
        above = [place_of_id.get(name(parent) or "") for parent in parents]
        around = [_ancestors(n, above) for n in numbers]
        # A twin is around the call from outside all that the records link, so it comes last.
        outer = self._twins(window, numbers)
        for n, ancestors in zip(numbers, around, strict=True):
            twin = outer.get(n)
            if twin is not None and twin not in ancestors:
                ancestors += [twin, *_ancestors(twin, above)]
        return around

    def _count_skipped(
        self, window: _Window, calls: Sequence[bool], keeps: Sequence[bool]
    ) -> None:
        """Count the skipped records: first those around a call, then those that aren't calls."""
        if all(keeps):
            return
        places = window.places
        for place, is_call, stays in zip(places, calls, keeps, strict=True):
            if is_call and not stays:
                self._tally.skip(skipped.AROUND_A_CALL, place)
        for place, is_call in zip(places, calls, strict=True):
            if not is_call:
                self._tally.skip(skipped.NO_CALL, place)

    def _twins(self, chunk: RecordChunk, numbers: Sequence[int]) -> dict[int, int]:
        """Pairs of records that two tracers wrote of one call without a link: inner to outer place.

        They have different names, one lies within the other in time, and both read and wrote as
        many tokens, or both failed.
        """
        names = chunk.values(("name",))
        took = self._kind.picks.get("latency_s")
        if names is None or took is None or took.clocks is None:
            return {}
        if len({name(names[n]) for n in numbers}) < 2:
            return {}  # one tracer calls all its calls the same
        start_paths, end_paths = took.clocks
        starts = chunk.first(start_paths) or [None] * len(chunk)
        ends = chunk.first(end_paths) or [None] * len(chunk)
        models = self._column("model", chunk)
        outer: dict[int, int] = {}
        for rows in self._with_same_amounts(chunk, numbers):
            if len({name(names[n]) for n in rows}) < 2:
                continue
            spans: list[_Span] = []
            for n in rows:
                start_s = when(starts[n])
                end_s = when(ends[n])
                if start_s is not None and end_s is not None:
                    spans.append(_Span(start_s, end_s, n, names[n], models[n]))
            outer |= _pair(spans)
        return outer

    def _with_same_amounts(
        self, chunk: RecordChunk, numbers: Sequence[int]
    ) -> list[list[int]]:
        """Calls that read and wrote as many tokens, or failed, together; others can't be one call."""
        read = self._column("input_tokens", chunk)
        written = self._column("output_tokens", chunk)
        errors = self._column("error", chunk)
        groups: dict[tuple[str | None, str | None, bool], list[int]] = {}
        for n in numbers:
            failed = errors[n] is not None
            amounts = (name(read[n]), name(written[n]), failed)
            if failed or name(read[n]) is not None:
                groups.setdefault(amounts, []).append(n)
        return [*groups.values()]

    def _column(self, field: str, chunk: RecordChunk) -> list[Any]:
        """The values of a field of ours, one for each record."""
        pick = self._kind.picks.get(field)
        values = pick.read_values(chunk) if pick is not None else None
        return values or [None] * len(chunk)

    def _fields_around(
        self,
        chunk: RecordChunk,
        kept: Sequence[int],
        around: Sequence[Sequence[int]],
        inside: Mapping[int, int],
    ) -> dict[str, list[Any]]:
        """The fields that each kept call takes from the spans around it."""
        fields: dict[str, list[Any]] = {}
        if any(around):
            # What two calls share can't be the prompt or the tokens of one of them.
            around_only_call = [_with_single_call(rows, inside) for rows in around]
            for field in _FROM_AROUND:
                fields[field] = self._nearest(field, chunk, around)
            for field in _OF_THE_ONLY_CALL:
                fields[field] = self._nearest(field, chunk, around_only_call)
            for field in ("error", "status"):
                fields[f"{field}{AROUND}"] = self._nearest(field, chunk, around)
        traces = chunk.first(self._kind.trace)
        if traces is not None:
            # Calls without a session belong together by their trace.
            sessions = fields.get("conversation_id") or [None] * len(kept)
            pairs = zip(kept, sessions, strict=True)
            fields["conversation_id"] = [
                traces[n] if s is None else s for n, s in pairs
            ]
        return {field: values for field, values in fields.items() if has_value(values)}

    def _nearest(
        self, field: str, chunk: RecordChunk, around: Sequence[Sequence[int]]
    ) -> list[Any]:
        """For each call, the value of a field in the nearest record around that has one.

        [] where none of them has one: the field adds nothing to any call.
        """
        if not any(around):
            return []
        values = self._column(field, chunk)
        if not has_value(values):
            return []
        return [_first_value(values, rows) for rows in around]


AROUND = " around"
"""The suffix of a field's name that counts only for a call without an answer."""


def _with_single_call(rows: Sequence[int], inside: Mapping[int, int]) -> list[int]:
    """Those of some records around a call that have no other call inside."""
    return [row for row in rows if inside.get(row) == 1]


def _calls_inside(
    window: _Window, calls: Sequence[bool], around: Sequence[Sequence[int]]
) -> dict[int, int]:
    """The number of calls inside each call that is around any."""
    inside: dict[int, int] = {}
    if not any(around):
        return inside
    records = window.records
    for ancestors in around:
        for n in ancestors:
            if _is_tool(records[n]):
                # the span around a tool belongs to another call than those inside the tool
                break
            if calls[n]:
                inside[n] = inside.get(n, 0) + 1
    return inside


_LOOKED_BACK = 8
"""Records that began before one, and may be around it: two tracers write one call close together."""


class _Span(NamedTuple):
    """A record with its times, in seconds since 1970."""

    start_s: float
    end_s: float
    row: int
    name: Any
    model: Any


def _pair(spans: Sequence[_Span]) -> dict[int, int]:
    """Find for each span the last one before it that contains it: inner to outer row.

    A span is in one pair, as a third tracer of one call is unlikely.
    """
    # Of two that begin together, the longer one is the outer.
    spans = sorted(spans, key=lambda span: (span.start_s, -span.end_s, span.row))
    outer: dict[int, int] = {}
    taken: set[int] = set()
    for place, span in enumerate(spans):
        before = spans[max(0, place - _LOOKED_BACK) : place]
        for other in reversed(before):
            contains = other.end_s >= span.end_s
            is_free = other.row not in taken and other.row not in outer
            may_be_one = other.name != span.name and _alias(other.model, span.model)
            if contains and is_free and may_be_one:
                outer[span.row] = other.row
                taken.add(other.row)
                break
    return outer


def _alias(first: Any, second: Any) -> bool:
    """Whether two names may mean one model: an alias and its snapshot, or one name is missing."""
    own = str(first or "").rpartition("/")[2]
    others = str(second or "").rpartition("/")[2]
    return own.startswith(others) or others.startswith(own)


_TOOLS = frozenset({"tool", "execute_tool"})
_KINDS = (
    *("openinference.span.kind", "gen_ai.operation.name", "langfuse.observation.type"),
    "mlflow.spanType",
)


def _is_tool(record: Any) -> bool:
    """Whether a record is a tool that a model called, by its maker's word."""
    if not isinstance(record, dict):
        return False
    attributes = record.get("attributes")
    kinds = [record.get(key) for key in ("run_type", "type", "span_kind", "span_type")]
    if isinstance(attributes, dict):
        kinds += [attributes.get(key) for key in _KINDS]
    return any(isinstance(kind, str) and kind.casefold() in _TOOLS for kind in kinds)


def _first_value(values: Sequence[Any], rows: Sequence[int]) -> Any:
    """The first value among some rows; None where none has one."""
    for row in rows:
        if _is_said(values[row]):
            return values[row]
    return None


def _is_said(value: Any) -> bool:
    """Whether a value says something; an empty text or list doesn't, 0 and False do."""
    return value is not None and value not in ("", [])


def _ancestors(n: int, above: Sequence[int | None]) -> list[int]:
    """The places of the records around a record, from the inside out."""
    ancestors: list[int] = []
    outer = above[n]
    # In a broken file, records may be around each other in a circle.
    while outer is not None and outer != n and outer not in ancestors:
        if len(ancestors) == _DEEPEST:
            break
        ancestors.append(outer)
        outer = above[outer]
    return ancestors


def _merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Join two records with one id; objects in them are joined, too, and so are lists of turns."""
    merged = {**old}
    for key, value in new.items():
        there = merged.get(key)
        if key in PIECES and isinstance(there, list) and isinstance(value, list):
            merged[key] = [*there, *value]
        elif isinstance(there, dict) and isinstance(value, dict):
            merged[key] = _merge(there, value)
        elif _is_said(value) and value != {}:
            # An update mostly writes the fields that it doesn't know as empty.
            merged[key] = value
    return merged
