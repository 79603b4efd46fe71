"""YAML as plain data, with the line of every value.

Read from the parser's events and not through a loader, so that no tag can build an object, no
alias can multiply, no nesting can exhaust the stack, and a key can't stand twice. A plain scalar
stays text: what ``yes``, ``60`` or ``no`` mean is for the field that receives it to say, so a case
called ``no`` is called "no" and an answer ``Off`` is a no.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from tuneworthy.errors import InputError
from tuneworthy.model.base import Record, shown

# YAML as plain data, with the line of every value.

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
            f"is not YAML: {problem or 'it can not be parsed'}",
            where=where,
            fix="check indentation, quotes and colons",
        )

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


# Plain values into records, and pydantic's findings into one line with a place and a fix.

R = TypeVar("R", bound=Record)

_FIXES: dict[str, tuple[str, str]] = {
    "missing": ("is missing", "add it"),
    "float_parsing": ("is not a number", "write a plain number"),
    "float_type": ("is not a number", "write a plain number"),
    "int_parsing": ("is not a whole number", "write a whole number"),
    "int_type": ("is not a whole number", "write a whole number"),
    "int_from_float": ("is not a whole number", "write a whole number"),
    "finite_number": ("is not a finite number", "write a plain number"),
    "string_type": ("is not text", "write text, in quotes if it looks like a number"),
    "tuple_type": ("is not a list", "write a list"),
    "dict_type": ("is not a mapping", "write keys and values"),
}

_SHOWN_KEYS = 4  # of a mapping that isn't there
_PERCENT = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*%")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3}){1,4}(?:\.\d+)?")


def build(kind: type[R], document: Document, error: Callable[..., InputError]) -> R:
    """A record from a parsed file or a mapping.

    Raises:
        InputError: As ``error``, for the first thing that is wrong, with its line.
    """
    try:
        return kind.model_validate(document.data)
    except ValidationError as caught:
        findings = _findings(caught, document, error)
        places = {_path(finding["loc"], document.data) for finding in findings}
        raise explain(findings[0], len(places) - 1, document, error) from None
    except RecursionError:
        raise error("is nested too deeply", where=document.name, fix="flatten it") from None


def _findings(
    caught: ValidationError, document: Document, error: Callable[..., InputError]
) -> list[Any]:
    try:
        return list(caught.errors(include_url=False, include_context=True))
    except UnicodeEncodeError:  # half a character, which only a mapping from Python can hold
        fix = "write whole characters"
        raise error("holds text that is not Unicode", where=document.name, fix=fix) from None


def did_you_mean(given: str, known: tuple[str, ...] | list[str]) -> str:
    """The fix for a word that isn't known: the likeliest one, or all of them when they are few."""
    close = get_close_matches(given.casefold(), known, n=1, cutoff=0.6)
    if close:
        return f'Did you mean "{close[0]}"?'
    listed = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
    return f"Known here: {listed}" if known else ""


def explain(
    finding: Any, more: int, document: Document, error: Callable[..., InputError]
) -> InputError:
    """One finding of pydantic as one of our errors."""
    kind = finding["type"]
    path = _path(finding["loc"], document.data)
    if kind == "missing":
        path = (*path, finding["loc"][-1])
    context = finding.get("ctx", {})
    label = _label(path)
    if kind == "unknown_key":
        key = context["key"]
        what = f'"{shown(key)}" is not a key of {label or "this file"}'
        fix = did_you_mean(key, context["known"])
        if context["empty"] and "Did you mean" not in fix:
            fix = "A text with a comma in it goes in quotes"
        return _made(error, what, document.where((*path, key)), fix, more)
    what, fix = _words(kind, finding, context)
    if kind == "no_mapping" and not path:
        what, fix = "is not a mapping of keys and values", "start with name: …"
        label = "the file"
    return _made(error, f"{label or 'the file'} {what}", document.where(path), fix, more)


def _made(
    error: Callable[..., InputError], what: str, where: str, fix: str, more: int
) -> InputError:
    if more:
        fix = f"{fix} ({more} more to mend after this)"
    return error(what, where=where, fix=fix)


def _words(kind: str, finding: Any, context: Any) -> tuple[str, str]:
    given = shown(finding.get("input"))
    if kind in _FIXES:
        what, fix = _FIXES[kind]
        if "number" in fix:
            fix = _as_number(finding.get("input")) or fix
        return (what, fix) if kind == "missing" else (f'is "{given}", which {what}', fix)
    if kind == "no_mapping":
        keys = [f"{key}: …" for key in context["known"][:_SHOWN_KEYS]]
        more = ", …" if len(context["known"]) > _SHOWN_KEYS else ""
        return f'is "{given}", which is not a mapping', f"write {{{', '.join(keys)}{more}}}"
    if kind == "state":
        return f'is "{given}"', "use yes, no or unknown"
    if kind in ("literal_error", "enum"):
        return f'is "{given}"', f"use {context.get('expected', 'one of the listed words')}"
    if kind == "greater_than_equal":
        return f"is {given}", f"use {context['ge']:g} or more"
    if kind == "less_than_equal":
        return f"is {given}", f"use {context['le']:g} or less"
    if kind == "fix":
        return str(context["what"]), str(context["fix"])
    message = str(finding["msg"])
    return f'is "{given}"', f"pydantic says: {message[:1].lower()}{message[1:]}".removeprefix(
        "pydantic says: "
    )


def _as_number(given: Any) -> str:
    """How to write a number that was meant as a share or with thousands apart; "" for no such."""
    if not isinstance(given, str):
        return ""
    if found := _PERCENT.fullmatch(given.strip()):
        return f"write {float(found[1]) / 100:g}"
    if _THOUSANDS.fullmatch(given.strip()):
        return f"write {given.strip().replace(',', '')}"
    return ""


def _path(loc: tuple[Any, ...], data: Any) -> tuple[str | int, ...]:
    """The part of pydantic's location that stands in the data (it also names types it tried)."""
    path: list[str | int] = []
    here = data
    for step in loc:
        if isinstance(here, Mapping) and step in here:
            path.append(step)
            here = here[step]
        elif isinstance(here, list | tuple) and isinstance(step, int) and step < len(here):
            path.append(step)
            here = here[step]
    return tuple(path)


def _label(path: tuple[str | int, ...]) -> str:
    text = ""
    for step in path:
        text += (
            f"[{step + 1}]" if isinstance(step, int) else f".{shown(step)}" if text else shown(step)
        )
    return text
