"""YAML as plain data, with the line of every value.

Read from the parser's events and not through a loader, so that no tag can build an object, no
alias can multiply, no nesting can exhaust the stack, and a key can't stand twice. A plain scalar
stays text: what ``yes``, ``60`` or ``no`` mean is for the field that receives it to say, so a case
called ``no`` is called "no" and an answer ``Off`` is a no.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml

from tuneworthy.domain.errors import InputError

MAX_DEPTH = 24
"""Deeper nesting than any case or framework needs."""

Path = tuple[str | int, ...]

PARSER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""Reads events; the one in C where it is there. Its marks count characters."""
_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file."""

    data: Any
    """Mappings, lists, text and None."""
    name: str
    """The file as the user named it, for error messages."""
    lines: dict[Path, int] = field(default_factory=dict)
    """The line, from 1, on which the key or item of each path stands."""

    def where(self, path: Path) -> str:
        """``file:line`` of the nearest thing that stands in the file."""
        trimmed = tuple(path)
        while trimmed and trimmed not in self.lines:
            trimmed = trimmed[:-1]
        return f"{self.name}:{self.lines.get(trimmed, 1)}"


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being filled."""

    value: dict[str, Any] | list[Any]
    path: Path
    key: str | None = None


def parse(text: str, name: str, error: Callable[..., InputError]) -> Document:
    """Parse one YAML document.

    Args:
        text: The whole file.
        name: What to call it in errors.
        error: The error class to raise, called as ``error(what, where=…, fix=…)``.

    Returns:
        The document; its data is None when the file is empty.

    Raises:
        InputError: As ``error``, for anything that isn't plain data.
    """
    reader = _Reader(name, error)
    if found := _FORBIDDEN.search(text):
        what = f"holds a character that YAML doesn't allow (U+{ord(found[0]):04X})"
        line = text.count("\n", 0, found.start()) + 1
        raise error(what, where=f"{name}:{line}", fix="remove it, or save the file as UTF-8 text")
    try:
        for event in yaml.parse(text, Loader=PARSER):
            reader.take(event)
    except yaml.YAMLError as caught:
        raise reader.broken(caught) from None
    except (RecursionError, ValueError, UnicodeError):
        raise error("is not YAML", where=name, fix="check its syntax") from None
    return Document(reader.root, name, reader.lines)


class _Reader:
    """Builds plain values from events, one level of an explicit stack at a time."""

    def __init__(self, name: str, error: Callable[..., InputError]) -> None:
        self.name, self.error = name, error
        self.root: Any = None
        self.lines: dict[Path, int] = {}
        self.stack: list[_Open] = []
        self.documents = 0

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._refuse_tricks(event)
            self._scalar(event)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._refuse_tricks(event)
            self._open({} if isinstance(event, yaml.MappingStartEvent) else [], event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self.stack.pop()
        elif isinstance(event, yaml.AliasEvent):
            raise self._wrong(
                event, f'alias "*{event.anchor}" is not supported', "repeat the value"
            )
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise self._wrong(
                    event, "a second document starts here", "keep one file to one document"
                )

    def broken(self, caught: yaml.YAMLError) -> InputError:
        """What the parser didn't understand, with its line."""
        mark = getattr(caught, "problem_mark", None)
        where = f"{self.name}:{mark.line + 1}" if mark else self.name
        problem = getattr(caught, "problem", None) or getattr(caught, "reason", None)
        return self.error(
            f"is not YAML: {problem or 'it can not be parsed'}", where=where,
            fix="check indentation, quotes and colons",
        )  # fmt: skip

    def _wrong(self, event: Any, what: str, fix: str) -> InputError:
        return self.error(what, where=f"{self.name}:{event.start_mark.line + 1}", fix=fix)

    def _refuse_tricks(self, event: Any) -> None:
        if event.anchor is not None:
            raise self._wrong(
                event, f'anchor "&{event.anchor}" is not supported', "repeat the value"
            )
        if event.tag is not None and event.tag != "!":
            raise self._wrong(event, f'tag "{event.tag}" is not supported', "write the plain value")

    def _scalar(self, event: Any) -> None:
        top = self.stack[-1] if self.stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            self._key(top, event)
            return
        plain = event.style in (None, "")
        self._put(None if plain and event.value in _NOTHING else event.value, event)

    def _key(self, top: _Open, event: Any) -> None:
        key = event.value
        if key in top.value:
            raise self._wrong(event, f'key "{key}" stands twice', "keep one of them")
        if event.style in (None, "") and key == "<<":
            raise self._wrong(event, "merge keys are not supported", "repeat the values")
        top.key = key
        self.lines[(*top.path, key)] = event.start_mark.line + 1

    def _open(self, value: dict[str, Any] | list[Any], event: Any) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise self._wrong(event, f"is nested deeper than {MAX_DEPTH} levels", "flatten it")
        top = self.stack[-1] if self.stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            raise self._wrong(event, "a key has to be plain text", "write the key as a word")
        path = self._put(value, event)
        self.stack.append(_Open(value, path))

    def _put(self, value: Any, event: Any) -> Path:
        if not self.stack:
            self.root = value
            return ()
        top = self.stack[-1]
        if isinstance(top.value, dict):
            assert top.key is not None  # _scalar and _open made sure
            top.value[top.key] = value
            path: Path = (*top.path, top.key)
            top.key = None
            return path
        top.value.append(value)
        path = (*top.path, len(top.value) - 1)
        self.lines[path] = event.start_mark.line + 1
        return path
