"""A mapping file: where our fields stand in records of any other make.

each: data.calls            # the list of records inside one file, if they don't stand apart
output: answer.text         # a path; [0] is an item of a list, [] every item
contexts: passages[].text
conversation_id: [user, session]            # several values make one id
model: {value: gpt-4o}                      # the same for every record
answerable: {path: label, values: {full: yes, none: no}}
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from tuneworthy.errors import InputError, one_line
from tuneworthy.files.disk import CASE_LIMIT, read_text
from tuneworthy.syntax.document import ParsedFile, did_you_mean, parse
from tuneworthy.traces.fields import FIELDS, dumped

_EACH = "each"
_STEP = re.compile(r"\[(\d{0,6})\]|([^.\[\]]+)")
_PATH = re.compile(r"(?:[^.\[\]]+|\[\d{0,6}\])(?:\.[^.\[\]]+|\[\d{0,6}\])*")
_MOST = 10_000
_DEEPEST = 30
_LONGEST = 40

Path_ = tuple[str | int | None, ...]
"""Steps: a key, a place in a list, or None for every item."""


@dataclass(frozen=True, slots=True)
class Pick:
    paths: tuple[Path_, ...] = ()
    constant: str | None = None
    values: Mapping[str, str | None] | None = None

    def of(self, record: Any) -> Any:
        """Its value; None where nothing is there."""
        if self.constant is not None:
            return self.constant
        found = [walk(record, path) for path in self.paths]
        if len(found) == 1:
            return found[0] if self.values is None else self._translated(found[0])
        known = [one if isinstance(one, str) else dumped(one) for one in found if one is not None]
        return " ".join(known) or None

    def _translated(self, found: Any) -> str | None:
        assert self.values is not None  # the caller asked
        key = found if isinstance(found, str) else dumped(found)
        return self.values.get(key)


@dataclass(frozen=True, slots=True)
class FieldMap:
    """Our fields by the paths that lead to them."""

    picks: Mapping[str, Pick]
    """How each of our fields is found."""
    each: Path_ = ()
    """Where the records stand inside what the file holds; () where they are that."""
    digest: str = ""
    """SHA-256 of the mapping file."""

    def records(self, value: Any) -> Iterator[Any]:
        found = walk(value, self.each) if self.each else value
        if isinstance(found, list):
            yield from found
        elif found is not None:
            yield found

    @property
    def led(self) -> dict[str, str]:
        """The paths of each field that has one, as they are written."""
        return {
            name: " or ".join(map(shown, pick.paths))
            for name, pick in self.picks.items()
            if pick.paths
        }

    def plain(self, record: Any) -> dict[str, Any]:
        return {name: pick.of(record) for name, pick in self.picks.items()}


def shown(path: Path_) -> str:
    steps = (
        "[]" if step is None else f"[{step}]" if isinstance(step, int) else f".{step}"
        for step in path
    )
    return "".join(steps).removeprefix(".")


def walk(value: Any, path: Path_) -> Any:
    """What a path leads to; None for nothing. Every item of a list makes a list, at most 10,000."""
    for number, step in enumerate(path):
        if step is None:
            items = value[:_MOST] if isinstance(value, list) else []
            found = [walk(item, path[number + 1 :]) for item in items]
            return [one for one in found if one is not None]
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        elif isinstance(value, Mapping):
            if step not in value:  # a key may hold dots itself, as gen_ai.request.model does
                rest = path[number:]
                whole = ".".join(str(one) for one in rest)
                return value.get(whole) if all(isinstance(one, str) for one in rest) else None
            value = value[step]
        else:
            return None
    return value


def read_mapping(path: Path) -> FieldMap:
    """A mapping file.

    Raises:
        InputError: If it isn't one, or names a field we don't have.
    """
    return mapping_from_text(read_text(path, CASE_LIMIT, InputError), str(path))


def mapping_from_text(written: str, name: str) -> FieldMap:
    """The text of a mapping file; ``name`` is what errors call it.

    Raises:
        InputError: If it isn't one, or names a field we don't have.
    """
    document = parse(written, name, InputError)
    data = document.data
    if not isinstance(data, dict) or not data:
        fix = "write lines such as output: answer.text"
        raise InputError("is not a mapping of fields to paths", where=name, fix=fix)
    ours = (*FIELDS, _EACH)
    if not any(get_close_matches(str(key).casefold()[:_LONGEST], ours, n=1) for key in data):
        # some other file: what stands in it is nobody's business
        fix = "name a file with lines such as output: answer.text"
        raise InputError("is not a mapping file: none of its keys is a field", where=name, fix=fix)
    for key in data:
        if key not in ours:
            fix = did_you_mean(key, ours)
            raise InputError(
                f"{_quoted(key)} is not a field", where=document.where((key,)), fix=fix
            )
    picks = {key: _pick(value, (key,), document) for key, value in data.items() if key != _EACH}
    if not picks:
        raise InputError("maps no field", where=name, fix="add at least output: …")
    each = _path(data[_EACH], (_EACH,), document) if data.get(_EACH) else ()
    digest = hashlib.sha256(written.encode()).hexdigest()
    return FieldMap(picks, each[:-1] if each and each[-1] is None else each, digest)


def _quoted(word: str) -> str:
    """A word of the file, which may be any file, cut and cleaned."""
    return f'"{one_line(word, limit=_LONGEST)}"'


def _pick(value: Any, key: tuple[str | int, ...], document: ParsedFile) -> Pick:
    if isinstance(value, list):
        return Pick(tuple(_path(one, (*key, i), document) for i, one in enumerate(value)))
    if not isinstance(value, dict):
        return Pick((_path(value, key, document),))
    if unknown := set(value) - {"value", "path", "values"}:
        word = min(unknown)
        fix = did_you_mean(word, ("value", "path", "values"))
        raise InputError(
            f"{_quoted(word)} is not a key here", where=document.where((*key, word)), fix=fix
        )
    if isinstance(value.get("value"), str):
        return Pick(constant=value["value"])
    values = value.get("values")
    if values is not None and not isinstance(values, dict):
        fix = "write values: {theirs: ours}"
        raise InputError("values is not a mapping", where=document.where((*key, "values")), fix=fix)
    return Pick((_path(value.get("path"), (*key, "path"), document),), values=values)


def _path(value: Any, key: tuple[str | int, ...], document: ParsedFile) -> Path_:
    if not isinstance(value, str) or not _PATH.fullmatch(value):
        fix = "write a path such as answer.text, items[0] or items[].text"
        raise InputError(f"{key[0]} has no path", where=document.where(key), fix=fix)
    steps = _STEP.findall(value)
    if len(steps) > _DEEPEST:
        fix = f"use at most {_DEEPEST} steps"
        raise InputError(f"{key[0]} has too long a path", where=document.where(key), fix=fix)
    return tuple(name or (int(place) if place else None) for place, name in steps)
