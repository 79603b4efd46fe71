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
    "parent",
    "trace",
    "loses",
    "tried",
)
"""Keys beside our fields in a map that ships, or comes from a package."""
_KEY = r"\"[^\"]+\"|[^.\[\]|\"\s][^.\[\]|\"]*"  #: As ``text`` or ``"gen_ai.text"``.
_STEP = re.compile(rf"\[(?P<place>\d{{0,6}})\]|(?P<key>{_KEY})")
_PATH = re.compile(rf"(?:{_KEY}|\[\d{{0,6}}\])(?:\.(?:{_KEY})|\[\d{{0,6}}\])*")
_LATER = ("messages", "input")  #: Fields that may be lists of turns.
_MOST = 10_000  #: Items of a list that a path goes over.
_DEEPEST = 30  #: Steps of a path.
_LONGEST = 40  #: Characters of a stranger's word in an error.
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
        #: The values at each path that was asked for; the records are at the empty one.
        self._levels: dict[Path_, Any] = {(): records}
        #: The same, with objects decoded that were written as text.
        self._objects: dict[Path_, list[Any]] = {}
        self._keys: dict[Path_, set[str]] = {}
        by_key = _columns_of(records)
        if by_key:
            self._keys[()] = {k for k, values in by_key.items() if has_value(values)}
            for key, values in by_key.items():
                self._levels[(key,)] = values
        #: Keys that the records don't have, whose values the names of folders lend them.
        self.lent: set[str] = set()
        if self._folders:
            self.lent = self._folders.keys() - self._keys_at(())
        for key in self.lent:
            self._levels[(key,)] = [self._folders[key]] * len(records)
            self._keys[()].add(key)

    def __len__(self) -> int:
        return len(self._levels[()])

    @property
    def records(self) -> Any:
        return self._levels[()]

    def only(self, kept: Sequence[bool]) -> RecordChunk:
        """The records to keep."""
        if all(kept):
            return self
        records = self._levels[()]
        if isinstance(records, TableRows):
            return RecordChunk(records.only(kept), self._folders)
        return RecordChunk([*compress(records, kept)], self._folders)

    def first(self, paths: Paths) -> list[Any] | None:
        """For each record, the value of the first path that isn't empty; None without any value."""
        column: list[Any] | None = None
        for path in paths:
            values = self.values(path)
            if values is None:
                continue
            column = values if column is None else _filled_up(column, values)
            if None not in column and "" not in column:
                break
        return column

    def values(self, path: Path_) -> list[Any] | None:
        """The value at a path in each record; None where no record has the path.

        Plain keys are followed column by column, which is fast. A place in a list, every item of
        one or a pattern is followed record by record.
        """
        dotted: list[Any] | None = None
        for place, step in enumerate(path):
            above = path[:place]
            rest = path[place:]
            is_pattern = isinstance(step, str) and "*" in step
            if is_pattern and len(rest) == 1:
                return self._several(above, str(step))
            if is_pattern or not isinstance(step, str):
                values = self._level(above)
                return [
                    None if value is None else walk(value, rest) for value in values
                ]
            known = self._keys_at(above)
            if len(rest) > 1:
                whole = ".".join(map(str, rest))
                if whole in known:
                    dotted = self._level((*above, whole))  # a key may hold dots itself
            if step not in known:
                return dotted
        values = self._level(path)
        if dotted is None:
            return values
        pairs = zip(dotted, values, strict=True)
        return [
            by_dots if by_steps is None else by_steps for by_dots, by_steps in pairs
        ]

    def _several(self, above: Path_, pattern: str) -> list[Any] | None:
        """The values under all names that match a pattern, as a list for each record."""
        names = [n for n in self._keys_at(above) if fnmatchcase(n, pattern)]
        columns = [self._level((*above, name)) for name in names]
        if not columns:
            return None
        # A pattern for a name that differs from log to log finds one, and then gives its values.
        if len(columns) == 1:
            return columns[0]
        lists: list[Any] = []
        for row in zip(*columns, strict=True):
            values = [value for value in row if value is not None]
            lists.append(values or None)
        return lists

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
            if not set(map(type, values)) <= _OBJECTS:
                values = [unpacked(value) for value in values]
            self._objects[path] = values
        return values

    def _keys_at(self, path: Path_) -> set[str]:
        """The keys that objects at a path have."""
        keys = self._keys.get(path)
        if keys is None:
            keys = set()
            for value in self._opened(path):
                # Records mostly have the same keys, and comparing is faster than adding.
                if type(value) is dict and not value.keys() <= keys:
                    keys.update(value)
            self._keys[path] = keys
        return keys


def _columns_of(records: list[Any] | TableRows) -> Mapping[str, list[Any]]:
    """The values by key, of records that are stored so or decoded as structs; {} of plain objects."""
    if isinstance(records, TableRows):
        return records.columns
    if not records or not isinstance(records[0], msgspec.Struct):
        return {}
    keys = records[0].__struct_encode_fields__
    rows = map(astuple, records)
    # ``zip`` of all rows gives the columns, much faster than a loop over keys
    columns = map(list, zip(*rows, strict=True))
    return dict(zip(keys, columns, strict=True))


def _filled_up(column: list[Any], others: list[Any]) -> list[Any]:
    """A column with the other values where its own are empty. An empty list or 0 gives way, too."""
    pairs = zip(column, others, strict=True)
    return [own if other is None or own else other for own, other in pairs]


_OBJECTS = frozenset({dict, type(None)})
_FOLDER_KEY = re.compile(r"(?:^|(?<=/))([A-Za-z_]\w*)=([^/]*)(?=/)")
"""A folder of a path with the name of a value, as ``date=2026-11-01``."""


def folder_keys(path: str) -> dict[str, str]:
    """Values for all records of a file, by folders of Hive's layout as ``date=2026-11-01``."""
    values = {key: unquote(value) for key, value in _FOLDER_KEY.findall(path)}
    return {key: value for key, value in values.items() if value != _NO_VALUE}


_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"  #: Hive's word for a missing value.


@dataclass(frozen=True, slots=True)
class When:
    """A condition on the value at a path: one of some values, anything, or nothing."""

    paths: Paths
    values: frozenset[str] | None  #: Values or patterns; None for anything or nothing.
    there: bool = True  #: Whether anything has to be there, or nothing.

    def holds(self, chunk: RecordChunk) -> list[bool]:
        """Whether the condition holds, for each record."""
        # Where no record has the path, nothing is there in any.
        column = chunk.first(self.paths) or [None] * len(chunk)
        if self.values is None:
            return [(value is not None) is self.there for value in column]
        # Mostly all values are texts, and records repeat the same few.
        are_texts = set(map(type, column)) == {str}
        words = column if are_texts else [_word(value) for value in column]
        fits = {word: self._is_wanted(word) for word in set(words)}
        return [fits[word] for word in words]

    def _is_wanted(self, word: str) -> bool:
        folded = word.casefold()
        return any(fnmatchcase(folded, p.casefold()) for p in self.values or ())


def hold(conditions: tuple[When, ...], chunk: RecordChunk) -> list[bool]:
    """Whether all conditions hold, for each record."""
    if not conditions:
        return [True] * len(chunk)
    columns = [condition.holds(chunk) for condition in conditions]
    return [all(row) for row in zip(*columns, strict=True)]


def _word(value: Any) -> str:
    """A value as a mapping writes it, in which ``null`` stands for a missing one."""
    return "null" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Pick:
    """The way to find one field."""

    choices: tuple[Paths, ...] = ()  #: Where; several make one id, or a sum.
    constant: str | None = None  #: The value where no path leads to one.
    values: Mapping[str, str | None] | None = None  #: Our word for each of theirs.
    unit: float | None = None  #: How many of theirs make a second.
    summed: bool = False  #: Whether several values are a sum, and no id.
    #: Where the start and the end of a time are.
    clocks: tuple[Paths, Paths] | None = None
    when: tuple[When, ...] = ()  #: Conditions without which there is no value.

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
        start_paths, end_paths = clocks
        start = chunk.first(start_paths)
        end = chunk.first(end_paths)
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
            return [_sum(row) for row in zip(*columns, strict=True)]
        if len(self.choices) > 1:
            return [_joined(row) for row in zip(*columns, strict=True)]
        if self.values is not None:
            return [self.values.get(_as_text(value)) for value in first]
        if self.unit is not None:
            return [_divided(value, self.unit) for value in first]
        return first


def _as_text(value: Any) -> str:
    """A text as it is, and any other value as JSON."""
    return value if isinstance(value, str) else dumped(value)


def _divided(value: Any, by: float) -> float | None:
    """A number divided by another; None for what is no number."""
    amount = number(value)
    return None if amount is None else amount / by


def _joined(row: tuple[Any, ...]) -> str | None:
    """Several values as one text; None without any."""
    texts = [_as_text(value) for value in row if value is not None]
    return " ".join(texts) or None


def _sum(row: tuple[Any, ...]) -> float | None:
    """The sum of all numbers, those in lists included; None without any."""
    amounts: list[float] = []
    for value in row:
        items = value if type(value) is list else [value]
        for item in items:
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
        lines: list[str] = []
        for line in self.written.splitlines():
            field, colon, path = line.partition(": ")
            if colon and field != path:
                lines.append(line)
        return lines

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
        # Records inside, or laid out anew, have other keys than the record that is decoded.
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
        # What a preparation reads isn't known here.
        if self.prepare:
            return True
        paths = chain.from_iterable(pick.paths for pick in self.picks.values())
        return any(first == "^" for first, *_ in paths)

    @cached_property
    def line(self) -> Any:
        """The type for decoding a record: the first keys of all paths, if they are plain keys.

        Turns stay undecoded in it until they are needed.
        """
        if self.keys is None:
            return dict[str, Any]
        # A field of a struct needs a Python name, which a key may not be.
        key_by_field: dict[str, str] = {}
        fields: list[tuple[str, Any, None]] = []
        for n, key in enumerate(self.keys):
            name = f"_{n}"
            key_by_field[name] = key
            fields.append((name, ItemsLater if key in self.later else Any, None))
        return msgspec.defstruct("Line", fields, rename=key_by_field, gc=False)

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

    A step into every item of a list gives a list, of at most 10,000 values; [] where there is no
    list. Such a step is None in the path.
    """
    for place, step in enumerate(path):
        # makers write lists and objects as JSON in a text, or in bytes
        if type(value) is not dict and type(value) is not list:
            value = unpacked(value)
        if step is None:
            items = value[:_MOST] if isinstance(value, list) else []
            values = [walk(item, path[place + 1 :]) for item in items]
            return [v for v in values if v is not None]
        if isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                return None
            value = value[step]
        elif not isinstance(value, dict):
            return None
        elif step in value:
            value = value[step]
        else:
            return _by_pattern_or_dotted_key(value, path[place:])
    return value


def _by_pattern_or_dotted_key(value: Mapping[str, Any], path: Path_) -> Any:
    """The values at a path that begins with a pattern, or the value of a key that has dots in it.

    ``gen_ai.request.model`` is such a key.
    """
    first, *rest = path
    pattern = str(first)
    if "*" in pattern:
        values: list[Any] = []
        for key, inner in value.items():
            reached = walk(inner, tuple(rest)) if fnmatchcase(key, pattern) else None
            if reached is not None:
                values.append(reached)
        return values or None
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

    With ``makers``, it may also have the keys of a map that ships.

    Raises:
        InputError: If it isn't one, or names an unknown field.
    """
    document = parse(written, name, InputError)
    data = document.data
    if not isinstance(data, dict) or not data:
        fix = "write lines such as output: answer.text"
        raise InputError("is not a mapping of fields to paths", where=name, fix=fix)
    other_keys = _MAKERS if makers else ("id",)
    _check_keys(document, name, (*FIELDS, _EACH, *other_keys))
    # a field with the word none is read from nowhere, whatever a guess finds
    without = frozenset(k for k, v in data.items() if v == "none" and k in FIELDS)
    data = {key: value for key, value in data.items() if key not in without}
    picks: dict[str, Pick] = {}
    for key, value in data.items():
        if key in FIELDS:
            picks[key] = _pick(value, (key,), document)
    if not picks and "like" not in data:
        raise InputError("maps no field", where=name, fix="add at least output: …")
    paths = {
        key: _paths(data[key], (key,), document) for key in _PATH_KEYS if data.get(key)
    }
    fits = data.get("fits") or []
    alternatives = fits if isinstance(fits, list) else [fits]
    return FieldMap(
        picks,
        _written_paths(data),
        written,
        str(data.get("format") or "JSON by a mapping"),
        each=tuple(map(_without_last_items, paths.get(_EACH, ()))),
        fits=tuple(_conditions(each, document) for each in alternatives),
        only=_conditions(data.get("only"), document),
        prepare=data.get("prepare", ""),
        called=data.get("called", "record"),
        once=paths.get("once", ()),
        id=paths.get("id", ()),
        joins=paths.get("joins", ()),
        parent=paths.get("parent", ()),
        trace=paths.get("trace", ()),
        like=data.get("like", ""),
        without=without,
        source=str(data.get("source") or ""),
        loses=str(data.get("loses") or ""),
        tried=str(data.get("tried") or ""),
    )


_PATH_KEYS = (_EACH, "once", "id", "joins", "parent", "trace")
"""Keys beside our fields whose values are paths."""


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
    """Whether a key is one of ours, or such a key with a typing error."""
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
    """Read a field's line of the mapping: a path, several, or an object with the keys of a pick."""
    if not isinstance(value, dict):
        return Pick(_each_of(value, key, document))
    _check_pick(value, key, document)
    constant = value.get("value")
    if not isinstance(constant, str):
        constant = None
    clocks = None
    if "from" in value or "to" in value:
        clocks = (
            _paths(value.get("from"), (*key, "from"), document),
            _paths(value.get("to"), (*key, "to"), document),
        )
    paths = value.get("sum", value.get("path"))
    choices: tuple[Paths, ...] = ()
    # A constant and a time between clocks need no path; without these, no path is an error.
    if paths is not None or (constant is None and clocks is None):
        choices = _each_of(paths, (*key, "path"), document)
    unit = value.get("unit")
    return Pick(
        choices,
        constant=constant,
        values=value.get("values"),
        unit=UNITS[unit] if unit else None,
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
    """Read a list of paths, or a single one. In errors, a path is named by its place in the list."""
    if isinstance(value, list):
        items = enumerate(value)
        return tuple(_paths(item, (*key, place), document) for place, item in items)
    return (_paths(value, key, document),)


def _paths(value: Any, key: _Keys, document: ParsedFile) -> Paths:
    """Read paths separated by bars, of which the first with a value counts."""
    field, *_ = key
    written = value.split("|") if isinstance(value, str) else [""]
    paths: list[Path_] = []
    for each in written:
        text = each.strip()
        if not _PATH.fullmatch(text):
            fix = "write a path such as answer.text, items[0] or items[].text"
            raise InputError(f"{field} has no path", where=document.where(key), fix=fix)
        paths.append(tuple(map(_step, _STEP.finditer(text))))
    if max(map(len, paths)) > _DEEPEST:
        what = f"{field} has too long a path"
        fix = f"use at most {_DEEPEST} steps"
        raise InputError(what, where=document.where(key), fix=fix)
    return tuple(paths)


def _step(match: re.Match[str]) -> str | int | None:
    """One step of a path: a key without its quotes, a place in a list, or None for every item."""
    if match["key"]:
        return match["key"].strip('"')
    return int(match["place"]) if match["place"] else None


def _conditions(value: Any, document: ParsedFile) -> tuple[When, ...]:
    """Read the conditions: each path with ``any``, ``none``, or a list of values."""
    if not isinstance(value, dict):
        return ()
    conditions: list[When] = []
    for path, wanted in value.items():
        paths = _paths(path, ("when", path), document)
        values = frozenset(map(str, wanted)) if isinstance(wanted, list) else None
        conditions.append(When(paths, values, there=wanted != "none"))
    return tuple(conditions)
