"""Nested records such as spans: each call of a model once.

Of nested model spans, the innermost is the call. It gets missing values from those around it: the
session, the prompt, the score, the right answer, and an error where it has no answer. Records with
one id are joined, as a stream or an update writes two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
_LATE = (
    8  #: One part in so many is the last of a window; its traces may go on behind it.
)
_WAITING = 2  #: One part in so many of a window may wait for the next window.
_DEEPEST = 200
_FROM_AROUND = (
    *("conversation_id", "prompt_name", "prompt_version", "score", "label", "feedback"),
    *("reference", "case", "group"),
)
_OF_THE_ONLY_CALL = (
    *(
        "input",
        "messages",
        "system",
        "output",
        "tool_calls",
        "contexts",
        "model",
        "provider",
    ),
    *(
        "input_tokens",
        "output_tokens",
        "cached_tokens",
        "usd",
        "finish",
        "time_to_first_token_s",
    ),
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
        self._kind = kind
        self._together = min(TOGETHER, most)
        self._tally = tally
        self._folders = folders
        self._parts: list[_Part] = []
        self._read = 0  # bytes of the file so far
        self._waiting = 0
        self._waiting_bytes = 0

    def add(
        self, places: Sequence[Place], records: Sequence[Any]
    ) -> Iterator[TreeRows]:
        size = self._tally.size - self._read
        self._read = self._tally.size
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
        each = size / max(1, len(records))
        for begin in range(0, len(records), self._together):
            some = slice(begin, begin + self._together)
            chunk = RecordChunk([*records[some]], self._folders)
            yield _Part([*places[some]], chunk, round(each * len(chunk)))

    def _rows(self, *, whole: bool) -> Iterator[TreeRows]:
        """The calls so far. Unless ``whole``, calls whose trace may continue are left for later."""
        window = _Window(self._parts)
        self._parts = []
        traces = None if whole else window.first(self._kind.trace)
        if traces is not None:
            last = traces[-max(1, len(traces) // _LATE) :]
            late = {trace for trace in map(name, last) if trace is not None}
            waits = [name(trace) in late for trace in traces]
            waiting = window.choose(waits)
            size = sum(part.size for part in waiting)
            fits = sum(waits) <= len(waits) // _WAITING
            if waiting and fits and size <= MOST_BYTES // _WAITING:
                self._parts = waiting
                window = _Window(window.choose([not wait for wait in waits]))
        self._waiting = sum(len(part.places) for part in self._parts)
        self._waiting_bytes = sum(part.size for part in self._parts)
        ids = [*map(name, window.first(self._kind.id) or [None] * len(window))]
        if len(set(ids)) < len(ids):
            window, ids = self._merged(window, ids)
        yield from self._folded(window, ids)

    def _merged(
        self, window: _Window, ids: list[str | None]
    ) -> tuple[_Window, list[str | None]]:
        """Join records with one id; where two values differ, the later one counts."""
        first: dict[str, int] = {}
        merged: list[Any] = []
        where: list[Place] = []
        named: list[str | None] = []
        for place, record, id_ in zip(window.places, window.records, ids, strict=True):
            if id_ is None or id_ not in first or not isinstance(record, dict):
                if id_ is not None:
                    first[id_] = len(merged)
                merged.append(record)
                where.append(place)
                named.append(id_)
                continue
            old = first[id_]
            merged[old] = _merge(merged[old], record)
            if PIECES.isdisjoint(record.get("attributes") or ()):
                self._tally.skip(skipped.TWICE, place)
        if len(merged) == len(ids):
            return window, ids
        return _Window([*self._cut(where, merged, 0)]), named

    def _folded(self, window: _Window, ids: list[str | None]) -> Iterator[TreeRows]:
        """Fold a window of spans into one row for each innermost call of a model."""
        calls = hold(self._kind.only, window)
        parents = window.first(self._kind.parent) or [None] * len(window)
        index = {id_: n for n, id_ in enumerate(ids) if id_ is not None}
        above = [
            None if parent is None else index.get(name(parent) or "")
            for parent in parents
        ]
        numbers = [n for n in range(len(above)) if calls[n]]
        around = [[] if above[n] is None else _ancestors(n, above) for n in numbers]
        outer = self._twins(window, numbers)
        for n, ancestors in zip(numbers, around, strict=True):
            if n in outer and outer[n] not in ancestors:
                ancestors += [outer[n], *_ancestors(outer[n], above)]
        inside = _calls_inside(window, calls, around)
        keeps = [False] * len(window)
        kept: list[int] = []
        kept_around: list[list[int]] = []
        for n, ancestors in zip(numbers, around, strict=True):
            if not inside.get(n):
                keeps[n] = True
                kept.append(n)
                kept_around.append(ancestors)
        self._count_skipped(window, calls, keeps)
        said = self._said_around(window, kept, kept_around, inside)
        end = 0
        for part in window.choose(keeps):
            begin = end
            end += len(part.places)
            some = {field: values[begin:end] for field, values in said.items()}
            yield TreeRows(part.places, part.chunk, some)

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

    def _twins(self, chunk: RecordChunk, numbers: list[int]) -> dict[int, int]:
        """Pairs of records that two tracers wrote of one call without a link: inner to outer place.

        They have different names, one lies within the other in time, and both read and wrote as
        many tokens, or both failed.
        """
        names = chunk.values(("name",))
        span = self._kind.picks.get("latency_s")
        if names is None or span is None or span.clocks is None:
            return {}
        if len({name(names[n]) for n in numbers}) < 2:
            return {}
        columns = [
            self._column(field, chunk) for field in ("input_tokens", "output_tokens")
        ]
        columns.append([e is not None for e in self._column("error", chunk)])
        begins, ends = (
            chunk.first(paths) or [None] * len(chunk) for paths in span.clocks
        )
        models = self._column("model", chunk)
        alike: dict[tuple[Any, ...], list[int]] = {}
        for n in numbers:
            key = tuple(
                name(column[n]) if column is not columns[2] else column[n]
                for column in columns
            )
            if key[0] is not None or key[2]:
                alike.setdefault(key, []).append(n)
        outer: dict[int, int] = {}
        for places in alike.values():
            if len({name(names[n]) for n in places}) < 2:
                continue
            times = [(when(begins[n]), when(ends[n]), n) for n in places]
            spans = sorted(
                (b, -e, n) for b, e, n in times if b is not None and e is not None
            )
            _pair(
                spans,
                outer,
                lambda a, b: names[a] != names[b] and _alias(models[a], models[b]),
            )
        return outer

    def _column(self, field: str, chunk: RecordChunk) -> list[Any]:
        pick = self._kind.picks.get(field)
        values = pick.read_values(chunk) if pick is not None else None
        return values or [None] * len(chunk)

    def _said_around(
        self,
        chunk: RecordChunk,
        kept: list[int],
        around: list[list[int]],
        inside: Mapping[int, int],
    ) -> dict[str, list[Any]]:
        """The fields that each call takes from the spans around it."""
        said: dict[str, list[Any]] = {}
        if any(around):
            for field in _FROM_AROUND:
                self._add(said, field, chunk, around)
            lone = [[n for n in above if inside.get(n) == 1] for above in around]
            for field in _OF_THE_ONLY_CALL:
                if any(lone):
                    self._add(said, field, chunk, lone)
            for field in ("error", "status"):
                self._add(said, f"{field}{AROUND}", chunk, around)
        traces = chunk.first(self._kind.trace)
        if traces is not None:
            conversations = said.get("conversation_id", [None] * len(kept))
            said["conversation_id"] = [
                traces[n] if value is None else value
                for n, value in zip(kept, conversations, strict=True)
            ]
        return said

    def _add(
        self,
        said: dict[str, list[Any]],
        field: str,
        chunk: RecordChunk,
        around: list[list[int]],
    ) -> None:
        """Add a field's values from the nearest span around each call, where any has one."""
        pick = self._kind.picks.get(field.removesuffix(AROUND))
        values = pick.read_values(chunk) if pick is not None else None
        if values is None or not has_value(values):
            return
        column = [_first_said(values, above) for above in around]
        if has_value(column):
            said[field] = column


AROUND = " around"
"""The suffix of a field's name that counts only for a call without an answer."""


def _calls_inside(
    window: _Window, calls: Sequence[bool], around: Sequence[Sequence[int]]
) -> dict[int, int]:
    """The number of calls inside each record that contains any."""
    inside: dict[int, int] = {}
    if not any(around):
        return inside
    records = window.records
    for ancestors in around:
        for n in ancestors:
            if _is_tool(records[n]):
                # the span around a tool belongs to another call than those inside the tool
                break
            inside[n] = inside.get(n, 0) + calls[n]
    return inside


_LOOKED_BACK = 8  #: Records that began before one, and may be around it.


def _pair(
    spans: Sequence[tuple[float, float, int]],
    outer: dict[int, int],
    may_be: Callable[[int, int], bool],
) -> None:
    """Find for each span, in the order of their beginnings, the last one that contains it."""
    taken: set[int] = set()
    for place, (_, ended, n) in enumerate(spans):
        for _, later, around in reversed(spans[max(0, place - _LOOKED_BACK) : place]):
            if (
                later <= ended
                and around not in taken
                and around not in outer
                and may_be(around, n)
            ):
                outer[n] = around
                taken.add(around)
                break


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


def _first_said(values: Sequence[Any], rows: Sequence[int]) -> Any:
    """The first value among some rows; None where none has one."""
    for row in rows:
        if _is_said(values[row]):
            return values[row]
    return None


def _is_said(value: Any) -> bool:
    return value is not None and value not in ("", [])


def _ancestors(n: int, above: Sequence[int | None]) -> list[int]:
    """The places of the records around a record, from the inside out."""
    ancestors: list[int] = []
    at = above[n]
    while (
        at is not None and at != n and at not in ancestors and len(ancestors) < _DEEPEST
    ):
        ancestors.append(at)
        at = above[at]
    return ancestors


def _merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Join two records with one id; objects in them are joined, too."""
    merged = {**old}
    for key, value in new.items():
        there = merged.get(key)
        if key in PIECES and isinstance(there, list) and isinstance(value, list):
            merged[key] = [*there, *value]
        elif isinstance(there, dict) and isinstance(value, dict):
            merged[key] = _merge(there, value)
        elif _is_said(value) and value != {}:
            merged[key] = value
    return merged
