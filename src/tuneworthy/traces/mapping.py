"""Where our fields stand in records of any make: one language for ours and for the users' own.

output: answer.text | answer.said    # a path; "a"."b.c" quotes a key; [0] is an item, [] every one
contexts: passages[].text            # a * in a key stands for anything
conversation_id: [user, session]     # several values make one id
model: {value: gpt-6-luna}           # the same for every record
latency_s: {path: took, unit: ms}    # or s, us, ns
latency_s: {from: start, to: end, path: took}         # between two clocks; else what is at path
input_tokens: {sum: [usage.in, usage.cached]}
answerable: {path: label, values: {full: yes, none: no}}
error: {path: message, value: failed, when: {level: [ERROR]}}    # the value where path has none
score: none                          # nothing, whatever may be guessed
each: data.calls                     # the list of records inside one, if they don't stand apart
id: request_id                       # what scores that stand in a file beside it call a record by

What a maker's map says besides: ``format``, its name; ``source``, where its fields are documented;
``like``, a map whose fields it shares; ``fits``, what a record of it has; ``only``, what a call of
a model has; ``prepare``, code that lays a record out before the paths are followed; ``called``,
the word for a record inside another; ``once``, the id of a record that may be written twice;
``joins``, what a record that belongs to another calls that by; ``parent`` and ``trace``, the id of
the record that this one is inside, and of all that came of one request; ``loses``, what the reader
can't tell; ``tried``, whose files it was compared with, and in which version.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import chain, compress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec.structs import astuple

from tuneworthy.errors import InputError, one_line
from tuneworthy.files.disk import CASE_LIMIT, read_text
from tuneworthy.syntax.document import ParsedFile, did_you_mean, parse
from tuneworthy.traces.rows import FIELDS, has_value
from tuneworthy.traces.tables import TableRows
from tuneworthy.traces.values import ItemsLater, dumped, number, spent_between, unpacked

_EACH = "each"
_MAKERS = (
    *(
        "format",
        "source",
        "like",
        "fits",
        "only",
        "prepare",
        "called",
        "once",
        "id",
        "joins",
    ),
    *("parent", "trace", "loses", "tried"),
)
_KEY = r"\"[^\"]+\"|[^.\[\]|\"\s][^.\[\]|\"]*"
_STEP = re.compile(rf"\[(\d{{0,6}})\]|({_KEY})")
_PATH = re.compile(rf"(?:{_KEY}|\[\d{{0,6}}\])(?:\.(?:{_KEY})|\[\d{{0,6}}\])*")
_LATER = ("messages", "input")  #: Fields that may be lists of turns.
_MOST = 10_000
_DEEPEST = 30
_LONGEST = 40
UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}  #: How many of each make a second.

#: Steps: a key, a place in a list, or None for every item.
Path_ = tuple[str | int | None, ...]
Paths = tuple[Path_, ...]  #: The first that leads to something counts.


class RecordChunk:
    """Some records, read level by level. A level that no record has costs nothing."""

    def __init__(
        self, records: list[Any] | TableRows, folders: Mapping[str, str] | None = None
    ) -> None:
        self._folders = folders or {}
        self._levels: dict[Path_, Any] = {(): records}
        self._objects: dict[Path_, list[Any]] = {}
        self._keys: dict[Path_, set[str]] = {}
        by_key: Mapping[str, list[Any]] = {}
        if isinstance(records, TableRows):
            by_key = records.columns
        elif records and isinstance(records[0], msgspec.Struct):
            columns = map(list, zip(*map(astuple, records), strict=True))
            by_key = dict(
                zip(records[0].__struct_encode_fields__, columns, strict=True)
            )
        if by_key:
            self._keys[()] = {
                key for key, values in by_key.items() if has_value(values)
            }
            self._levels |= {(key,): values for key, values in by_key.items()}
        self.lent = self._folders.keys() - (self._keys_at(()) if folders else ())
        for key in self.lent:
            self._levels[(key,)] = [self._folders[key]] * len(records)
            self._keys[()].add(key)

    def __len__(self) -> int:
        return len(self._levels[()])

    @property
    def records(self) -> Any:
        return self._levels[()]

    def only(self, kept: Sequence[bool]) -> RecordChunk:
        if all(kept):
            return self
        records = self._levels[()]
        table = isinstance(records, TableRows)
        some = records.only(kept) if table else [*compress(records, kept)]
        return RecordChunk(some, self._folders)

    def first(self, paths: Paths) -> list[Any] | None:
        """For each record, the value of the first path that isn't empty; None without any value."""
        column: list[Any] | None = None
        for path in paths:
            values = self.values(path)
            if values is None:
                continue
            if column is not None:
                pairs = zip(column, values, strict=True)
                values = [
                    old if new is None or (old and old != "") else new
                    for old, new in pairs
                ]
            column = values
            if None not in column and "" not in column:
                break
        return column

    def values(self, path: Path_) -> list[Any] | None:
        """The value at a path in each record; None where no record has the path."""
        dotted: list[Any] | None = None
        for place, step in enumerate(path):
            at = path[:place]
            rest = path[place:]
            if isinstance(step, str) and "*" in step and len(rest) == 1:
                return self._several(at, step)
            if not isinstance(step, str) or "*" in step:
                return [None if v is None else walk(v, rest) for v in self._level(at)]
            known = self._keys_at(at)
            if len(rest) > 1 and (whole := ".".join(map(str, rest))) in known:
                dotted = self._level((*at, whole))  # a key may hold dots itself
            if step not in known:
                return dotted
        values = self._level(path)
        if dotted is None:
            return values
        return [a if b is None else b for a, b in zip(dotted, values, strict=True)]

    def _several(self, at: Path_, step: str) -> list[Any] | None:
        """The values under all names that match a pattern, as a list for each record."""
        columns = [
            self._level((*at, name))
            for name in self._keys_at(at)
            if fnmatchcase(name, step)
        ]
        if len(columns) < 2:
            return columns[0] if columns else None
        return [
            [v for v in row if v is not None] or None
            for row in zip(*columns, strict=True)
        ]

    def _level(self, path: Path_) -> list[Any]:
        """The values at a path, one for each record."""
        values = self._levels.get(path)
        if values is None:
            step = path[-1]
            above = self._opened(path[:-1])
            values = [v.get(step) if type(v) is dict else None for v in above]
            self._levels[path] = values
        return values

    def _opened(self, path: Path_) -> list[Any]:
        """The values at a path; objects that were written as text are decoded."""
        values = self._objects.get(path)
        if values is None:
            values = self._level(path)
            quick = set(map(type, values)) <= _OBJECTS
            values = self._objects[path] = values if quick else [*map(unpacked, values)]
        return values

    def _keys_at(self, path: Path_) -> set[str]:
        """The keys that objects at a path have."""
        keys = self._keys.get(path)
        if keys is None:
            keys = self._keys[path] = set()
            for value in self._opened(path):
                if type(value) is dict and not value.keys() <= keys:
                    keys.update(value)
        return keys


_OBJECTS = frozenset({dict, type(None)})
_FOLDER_KEY = re.compile(r"(?:^|(?<=/))([A-Za-z_]\w*)=([^/]*)(?=/)")


def folder_keys(path: str) -> dict[str, str]:
    """Values for all records of a file, by folders of Hive's layout as ``date=2026-11-01``."""
    values = {key: unquote(value) for key, value in _FOLDER_KEY.findall(path)}
    return {key: value for key, value in values.items() if value != _NO_VALUE}


_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, slots=True)
class When:
    """A condition on the value at a path: one of some values, anything, or nothing."""

    paths: Paths
    values: frozenset[str] | None
    there: bool = True

    def holds(self, chunk: RecordChunk) -> list[bool]:
        column = chunk.first(self.paths) or [None] * len(chunk)
        if self.values is None:
            return [(value is not None) is self.there for value in column]
        words = column if {*map(type, column)} == {str} else [*map(_word, column)]
        fits = {word: self._is_wanted(word) for word in {*words}}
        return [*map(fits.__getitem__, words)]

    def _is_wanted(self, word: str) -> bool:
        return any(
            fnmatchcase(word.casefold(), p.casefold()) for p in self.values or ()
        )


def hold(conditions: tuple[When, ...], chunk: RecordChunk) -> list[bool]:
    """Whether all conditions hold, for each record."""
    columns = [condition.holds(chunk) for condition in conditions]
    return [*map(all, zip(*columns, strict=True))] if columns else [True] * len(chunk)


def _word(value: Any) -> str:
    return "null" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Pick:
    """The way to find one field."""

    choices: tuple[Paths, ...] = ()  #: Where; several make one id, or a sum.
    constant: str | None = None
    values: Mapping[str, str | None] | None = None
    unit: float | None = None
    summed: bool = False
    clocks: tuple[Paths, Paths] | None = None
    when: tuple[When, ...] = ()

    @property
    def paths(self) -> Paths:
        return tuple(chain.from_iterable((*self.choices, *(self.clocks or ()))))

    def read_values(self, chunk: RecordChunk) -> list[Any] | None:
        """A value for each record; None where no record has one."""
        values = self._read_paths(chunk)
        if self.constant is not None:
            stated = values or [None] * len(chunk)
            values = [self.constant if value is None else value for value in stated]
        if self.clocks is not None:
            values = self._time_between_clocks(chunk, self.clocks, values)
        if values is not None and self.when:
            pairs = zip(values, hold(self.when, chunk), strict=True)
            values = [value if holds else None for value, holds in pairs]
        return values

    @staticmethod
    def _time_between_clocks(
        chunk: RecordChunk, clocks: tuple[Paths, Paths], stated: list[Any] | None
    ) -> list[Any] | None:
        """Seconds between two clocks; the stated value where one of them is missing."""
        starts_at, ends_at = clocks
        start = chunk.first(starts_at)
        end = chunk.first(ends_at)
        if start is None or end is None:
            return stated
        spent = spent_between(start, end)
        pairs = zip(spent, stated or [None] * len(chunk), strict=True)
        return [other if seconds is None else seconds for seconds, other in pairs]

    def _read_paths(self, chunk: RecordChunk) -> list[Any] | None:
        """The values at the paths: summed, joined, translated, in seconds, or as they are."""
        columns: list[list[Any]] = []
        for paths in self.choices:
            column = chunk.first(paths)
            if column is not None:
                columns.append(column)
        if not columns:
            return None
        first, *others = columns
        if self.summed:
            # A single column without lists has nothing to be summed.
            if not others and list not in set(map(type, first)):
                return first
            return [*map(_sum, zip(*columns, strict=True))]
        if len(self.choices) > 1:
            return [*map(_joined, zip(*columns, strict=True))]
        if self.values is not None:
            ours = self.values
            return [ours.get(v if isinstance(v, str) else dumped(v)) for v in first]
        if self.unit is not None:
            return [None if (n := number(v)) is None else n / self.unit for v in first]
        return first


def _joined(row: tuple[Any, ...]) -> str | None:
    """Several values as one text; None without any."""
    texts = [v if isinstance(v, str) else dumped(v) for v in row if v is not None]
    return " ".join(texts) or None


def _sum(row: tuple[Any, ...]) -> float | None:
    """The sum of all numbers, those in lists included; None without any."""
    amounts: list[float] = []
    for value in row:
        for item in value if type(value) is list else (value,):
            amount = number(item)
            if amount is not None:
                amounts.append(amount)
    return sum(amounts) if amounts else None


@dataclass(frozen=True)
class FieldMap:
    """Our fields, each with the paths to its value."""

    picks: Mapping[str, Pick]
    #: The paths of each field that has one, as they are written.
    led: Mapping[str, str]
    written: str  #: The mapping file.
    name: str
    each: Paths = ()
    fits: tuple[tuple[When, ...], ...] = ()
    only: tuple[When, ...] = ()
    prepare: str = ""
    called: str = "record"
    once: Paths = ()
    id: Paths = ()
    joins: Paths = ()
    parent: Paths = ()
    trace: Paths = ()
    like: str = ""
    without: frozenset[str] = frozenset()  #: Fields that nothing is read into.
    source: str = ""
    loses: str = ""
    tried: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 of the mapping file."""
        return hashlib.sha256(self.written.encode()).hexdigest()

    @property
    def lines(self) -> list[str]:
        """The lines of the mapping, except those with a field's own name as its path."""
        return [
            line for line in self.written.splitlines() if len(set(line.split(": "))) > 1
        ]

    @cached_property
    def keys(self) -> Collection[str] | None:
        """The first keys of all paths in a record; None where a path may begin with any key."""
        paths = [*self.once, *self.id, *self.joins, *self.parent, *self.trace]
        conditions = list(self.only)
        for pick in self.picks.values():
            paths += pick.paths
            conditions += pick.when
        for condition in conditions:
            paths += condition.paths
        firsts = {str(first) for first, *_ in paths}
        if self.each or self.prepare or any("*" in first for first in firsts):
            return None
        # A key may hold dots itself.
        firsts |= {".".join(map(str, path)) for path in paths}
        return sorted(firsts)

    @cached_property
    def later(self) -> Collection[Any]:
        """Keys that may hold turns."""
        picks = [self.picks[field] for field in _LATER if field in self.picks]
        paths = chain.from_iterable(pick.paths for pick in picks)
        return {first for first, *_ in paths}

    @cached_property
    def looks_up(self) -> bool:
        """Whether a path leads into the record around this one."""
        paths = chain.from_iterable(pick.paths for pick in self.picks.values())
        return bool(self.prepare) or any(path[0] == "^" for path in paths)

    @cached_property
    def line(self) -> Any:
        """The type for decoding a record: the first keys of all paths, if they are plain keys.

        Turns stay undecoded in it until they are needed.
        """
        if self.keys is None:
            return dict[str, Any]
        fields = {f"_{n}": first for n, first in enumerate(self.keys)}
        types = [
            (n, ItemsLater if key in self.later else Any, None)
            for n, key in fields.items()
        ]
        return msgspec.defstruct("Line", types, rename=fields, gc=False)

    @cached_property
    def decoder(self) -> msgspec.json.Decoder[Any]:
        return msgspec.json.Decoder(self.line)

    def records(self, value: Any) -> Iterator[Any]:
        """The records inside a value, by the first path with any.

        Where a path leads into the record around them, each record has it under ``^``.
        """
        if not self.each:
            yield value
            return
        for path in self.each:
            inner = walk(value, path)
            if inner is None:
                continue
            for item in flat(inner):
                if self.looks_up and isinstance(item, dict):
                    yield {"^": value, **item}
                else:
                    yield item
            return

    def fields(self, chunk: RecordChunk) -> dict[str, list[Any]]:
        """The values of each of our fields that at least one record has."""
        columns = {name: pick.read_values(chunk) for name, pick in self.picks.items()}
        return {name: values for name, values in columns.items() if values is not None}


def flat(value: Any) -> Iterator[Any]:
    """The items of nested lists; a single value gives itself."""
    value = unpacked(value)
    if isinstance(value, list):
        for item in value:
            yield from flat(item)
    elif value is not None:
        yield value


def walk(value: Any, path: Path_) -> Any:
    """Follow a path into a value; None where it leads nowhere.

    A step into every item of a list gives a list, of at most 10,000 values.
    """
    for place, step in enumerate(path):
        if type(value) is not dict and type(value) is not list:
            value = unpacked(value)
        if step is None:
            items = value[:_MOST] if isinstance(value, list) else []
            values = [walk(item, path[place + 1 :]) for item in items]
            return [v for v in values if v is not None]
        if isinstance(step, int):
            value = (
                value[step] if isinstance(value, list) and step < len(value) else None
            )
        elif isinstance(value, dict):
            # a key may hold dots itself, as gen_ai.request.model does
            if step not in value:
                return _by_pattern_or_dotted_key(value, path[place:])
            value = value[step]
        else:
            return None
    return value


def _by_pattern_or_dotted_key(value: Mapping[str, Any], path: Path_) -> Any:
    """The values at a path that begins with a pattern, or the value of a key that has dots in it."""
    first, *rest = path
    pattern = str(first)
    if "*" in pattern:
        matching = (v for key, v in value.items() if fnmatchcase(key, pattern))
        values = [walk(v, tuple(rest)) for v in matching]
        return [v for v in values if v is not None] or None
    if all(isinstance(step, str) for step in path):
        return value.get(".".join(map(str, path)))
    return None


def read_mapping(path: Path) -> FieldMap:
    """Read a mapping file.

    Raises:
        InputError: If it isn't one, or names an unknown field.
    """
    return mapping_from_text(read_text(path, CASE_LIMIT, InputError), str(path))


def mapping_from_text(written: str, name: str, *, makers: bool = False) -> FieldMap:
    """Parse the text of a mapping file; ``name`` is its name in errors.

    Raises:
        InputError: If it isn't one, or names an unknown field.
    """
    document = parse(written, name, InputError)
    data = document.data
    if not isinstance(data, dict) or not data:
        fix = "write lines such as output: answer.text"
        raise InputError("is not a mapping of fields to paths", where=name, fix=fix)
    _check_keys(document, name, (*FIELDS, _EACH, *(_MAKERS if makers else ("id",))))
    without = frozenset(
        key for key, value in data.items() if value == "none" and key in FIELDS
    )
    data = {key: value for key, value in data.items() if key not in without}
    picks = {
        key: _pick(value, (key,), document)
        for key, value in data.items()
        if key in FIELDS
    }
    if not picks and "like" not in data:
        raise InputError("maps no field", where=name, fix="add at least output: …")

    def paths(key: str) -> Paths:
        return _paths(data[key], (key,), document) if data.get(key) else ()

    fits = data.get("fits") or []
    alternatives = fits if isinstance(fits, list) else [fits]
    return FieldMap(
        picks,
        _written_paths(data),
        written,
        str(data.get("format") or "JSON by a mapping"),
        each=tuple(map(_without_last_items, paths("each"))),
        fits=tuple(_conditions(each, document) for each in alternatives),
        only=_conditions(data.get("only"), document),
        prepare=data.get("prepare", ""),
        called=data.get("called", "record"),
        once=paths("once"),
        id=paths("id"),
        joins=paths("joins"),
        parent=paths("parent"),
        trace=paths("trace"),
        like=data.get("like", ""),
        without=without,
        source=str(data.get("source") or ""),
        loses=str(data.get("loses") or ""),
        tried=str(data.get("tried") or ""),
    )


def _check_keys(document: ParsedFile, name: str, ours: tuple[str, ...]) -> None:
    """Refuse a file with an unknown key.

    Raises:
        InputError: With the known key that was probably meant.
    """
    keys = [*document.data]
    if not any(_is_near(key, ours) for key in keys):
        # Some other file: what stands in it is nobody's business.
        raise InputError(
            "is not a mapping file: none of its keys is a field",
            where=name,
            fix="name a file with lines such as output: answer.text",
        )
    for key in keys:
        if key not in ours:
            raise InputError(
                f"{_quoted(key)} is not a field",
                where=document.where((key,)),
                fix=did_you_mean(key, ours),
            )


def _is_near(key: Any, ours: Sequence[str]) -> bool:
    return bool(get_close_matches(str(key).casefold()[:_LONGEST], ours, n=1))


def _written_paths(data: Mapping[str, Any]) -> dict[str, str]:
    """The written paths of each field that has any."""
    written: dict[str, str] = {}
    for key, value in data.items():
        path = value.get("path") if isinstance(value, dict) else value
        if key in FIELDS and path is not None:
            several = path if isinstance(path, list) else [path]
            written[key] = " or ".join(map(str, several))
    return written


def _without_last_items(path: Path_) -> Path_:
    """A path without ``[]`` at its end, as every item of a list of records is a record anyway."""
    *before, last = path
    return tuple(before) if last is None else path


def _quoted(word: str) -> str:
    """A word of the file, cut and cleaned, as the file may be anybody's."""
    return f'"{one_line(word, limit=_LONGEST)}"'


_Keys = tuple[str | int, ...]
_PICKED = ("value", "path", "values", "unit", "sum", "from", "to", "when")


def _pick(value: Any, key: _Keys, document: ParsedFile) -> Pick:
    """Read a field's line of the mapping."""
    if not isinstance(value, dict):
        return Pick(_each_of(value, key, document))
    _check_pick(value, key, document)
    unit = value.get("unit")
    constant = value.get("value") if isinstance(value.get("value"), str) else None
    clocks = None
    if "from" in value or "to" in value:
        clocks = (
            _paths(value.get("from"), (*key, "from"), document),
            _paths(value.get("to"), (*key, "to"), document),
        )
    paths = value.get("sum", value.get("path"))
    needs_no_path = constant is not None or clocks is not None
    choices: tuple[Paths, ...] = ()
    if paths is not None or not needs_no_path:
        choices = _each_of(paths, (*key, "path"), document)
    return Pick(
        choices,
        constant=constant,
        values=value.get("values"),
        unit=UNITS.get(unit) if unit else None,
        summed="sum" in value,
        clocks=clocks,
        when=_conditions(value.get("when"), document),
    )


def _check_pick(value: Mapping[str, Any], key: _Keys, document: ParsedFile) -> None:
    """Refuse an invalid line of a field.

    Raises:
        InputError: For an unknown key, value or unit.
    """
    unknown = set(value) - set(_PICKED)
    if unknown:
        word = min(unknown)
        raise InputError(
            f"{_quoted(word)} is not a key here",
            where=document.where((*key, word)),
            fix=did_you_mean(word, _PICKED),
        )
    values = value.get("values")
    if values is not None and not isinstance(values, dict):
        raise InputError(
            "values is not a mapping",
            where=document.where((*key, "values")),
            fix="write values: {theirs: ours}",
        )
    unit = value.get("unit")
    if unit is not None and unit not in UNITS:
        raise InputError(
            "has no such unit",
            where=document.where((*key, "unit")),
            fix=f"write one of {', '.join(UNITS)}",
        )


def _each_of(value: Any, key: _Keys, document: ParsedFile) -> tuple[Paths, ...]:
    if isinstance(value, list):
        return tuple(
            _paths(item, (*key, place), document) for place, item in enumerate(value)
        )
    return (_paths(value, key, document),)


def _paths(value: Any, key: _Keys, document: ParsedFile) -> Paths:
    """Read paths separated by bars, of which the first with a value counts."""
    written = (
        [path.strip() for path in value.split("|")] if isinstance(value, str) else [""]
    )
    if not all(map(_PATH.fullmatch, written)):
        fix = "write a path such as answer.text, items[0] or items[].text"
        raise InputError(f"{key[0]} has no path", where=document.where(key), fix=fix)
    paths = tuple(
        tuple(
            name.strip('"') or (int(place) if place else None)
            for place, name in _STEP.findall(path)
        )
        for path in written
    )
    if max(map(len, paths)) > _DEEPEST:
        fix = f"use at most {_DEEPEST} steps"
        raise InputError(
            f"{key[0]} has too long a path", where=document.where(key), fix=fix
        )
    return paths


def _conditions(value: Any, document: ParsedFile) -> tuple[When, ...]:
    """Read the conditions: each path with ``any``, ``none``, or a list of values."""
    pairs = value.items() if isinstance(value, dict) else ()
    return tuple(
        When(
            _paths(path, ("when", path), document),
            frozenset(map(str, values)) if isinstance(values, list) else None,
            there=values != "none",
        )
        for path, values in pairs
    )
