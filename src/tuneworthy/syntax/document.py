"""YAML as plain data with the line of every value, and plain data as records.

YAML is read from the parser's events and not through a loader. So no tag can build an object, no
alias can multiply, no nesting can exhaust the stack, and no key can appear twice. A plain scalar
stays text. The field that receives it decides what ``yes``, ``60`` or ``no`` means: a case named
``no`` is called "no", and an answer ``Off`` is a no.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from tuneworthy.errors import CaseError, InputError
from tuneworthy.model.base import short_text

MAX_DEPTH = 24  #: Deeper nesting than any case or framework needs.

Path = tuple[str | int, ...]
#: An error class, called as ``error(what, where=…, fix=…)``.
Error = Callable[..., InputError]

PARSER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""The parser in C, if it is installed. Its marks count characters."""
_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True, slots=True)
class ParsedFile:
    data: Any  #: Mappings, lists, text and None.
    name: str  #: The file as the user named it, for error messages.
    lines: dict[Path, int] = field(default_factory=dict)
    """The line, from 1, of the key or item at each path."""

    def where(self, path: Path) -> str:
        """``file:line`` of the nearest place that is in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.name}:{self.lines.get(path, 1)}"


def parse(text: str, name: str, error: Error = CaseError) -> ParsedFile:
    """Parse one YAML document, None for an empty text; an ``error`` if it isn't plain data."""
    if match := _FORBIDDEN.search(text):
        what = f"holds a character that YAML doesn't allow (U+{ord(match[0]):04X})"
        line = text.count("\n", 0, match.start()) + 1
        raise error(
            what,
            where=f"{name}:{line}",
            fix="remove it, or save the file as UTF-8 text",
        )
    reader = _Reader(text, name, error)
    try:
        data = reader.read()
    except yaml.YAMLError as caught:
        mark = getattr(caught, "problem_mark", None)
        problem = getattr(caught, "problem", None) or getattr(caught, "reason", None)
        raise error(
            f"is not YAML: {problem or 'it can not be parsed'}",
            where=f"{name}:{mark.line + 1}" if mark else name,
            fix="check indentation, quotes and colons",
        ) from None
    except (RecursionError, ValueError, UnicodeError):
        raise error("is not YAML", where=name, fix="check its syntax") from None
    return ParsedFile(data, name, reader.lines)


class _Reader:
    """Builds plain values from the parser's events."""

    def __init__(self, text: str, name: str, error: Error) -> None:
        self.name = name
        self.error = error
        self.events: Iterator[Any] = yaml.parse(text, Loader=PARSER)
        self.lines: dict[Path, int] = {}

    def read(self) -> Any:
        """Read the only document of the file as plain values; None for an empty file."""
        root = None
        documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    fix = "keep one file to one document"
                    raise self._wrong(event, "a second document starts here", fix)
            elif isinstance(event, yaml.NodeEvent):
                root = self._value(event, ())
        return root

    def _wrong(self, event: Any, what: str, fix: str) -> InputError:
        return self.error(
            what, where=f"{self.name}:{event.start_mark.line + 1}", fix=fix
        )

    def _value(self, event: Any, path: Path) -> Any:
        """Read a value with its line from the YAML events."""
        self._refuse(event, path)
        if isinstance(event, yaml.ScalarEvent):
            if not event.style and event.value in _NOTHING:
                return None
            return event.value
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Any] = []
            while not isinstance(item := next(self.events), yaml.SequenceEndEvent):
                place = (*path, len(items))
                self.lines[place] = item.start_mark.line + 1
                items.append(self._value(item, place))
            return items
        mapping: dict[str, Any] = {}
        while not isinstance(key := next(self.events), yaml.MappingEndEvent):
            self._refuse(key, path)
            self._refuse_key(key, mapping)
            place = (*path, key.value)
            self.lines[place] = key.start_mark.line + 1
            mapping[key.value] = self._value(next(self.events), place)
        return mapping

    def _refuse(self, event: Any, path: Path) -> None:
        """Refuse YAML that isn't plain data: aliases, anchors, tags, and nesting that is too deep."""
        if event.anchor is not None:
            alias = isinstance(event, yaml.AliasEvent)
            what = f'alias "*{event.anchor}"' if alias else f'anchor "&{event.anchor}"'
            raise self._wrong(event, f"{what} is not supported", "repeat the value")
        if event.tag is not None and event.tag != "!":
            raise self._wrong(
                event, f'tag "{event.tag}" is not supported', "write the plain value"
            )
        if len(path) >= MAX_DEPTH and not isinstance(event, yaml.ScalarEvent):
            raise self._wrong(
                event, f"is nested deeper than {MAX_DEPTH} levels", "flatten it"
            )

    def _refuse_key(self, key: Any, mapping: dict[str, Any]) -> None:
        """Refuse a key that isn't plain text, stands there twice, or merges."""
        if not isinstance(key, yaml.ScalarEvent):
            raise self._wrong(
                key, "a key has to be plain text", "write the key as a word"
            )
        if key.value in mapping:
            raise self._wrong(
                key, f'key "{key.value}" appears twice', "keep one of them"
            )
        if not key.style and key.value == "<<":
            raise self._wrong(key, "merge keys are not supported", "repeat the values")


R = TypeVar("R", bound=BaseModel)

_FIXES: dict[str, tuple[str, str]] = {
    "missing": ("is missing", "add it"),
    "float_parsing": ("is not a number", "write a plain number"),
    "float_type": ("is not a number", "write a plain number"),
    "int_parsing": ("is not a whole number", "write a whole number"),
    "int_type": ("is not a whole number", "write a whole number"),
    "int_from_float": ("is not a whole number", "write a whole number"),
    "finite_number": ("is not a finite number", "write a plain number"),
    "bool_type": ("is neither true nor false", "write true or false"),
    "string_type": ("is not text", "write text, in quotes if it looks like a number"),
    "tuple_type": ("is not a list", "write a list"),
    "dict_type": ("is not a mapping", "write keys and values"),
}

_SHOWN_KEYS = 4  # keys shown of a mapping that isn't there
_PERCENT = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*%")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3}){1,4}(?:\.\d+)?")


_MOST_NODES = 5_000_000  #: Of a value that aliases may repeat.


def plain_values(text: str, name: str, error: Error = InputError) -> Any:
    """Parse one YAML document of a stranger as values of JSON: numbers, yes and no become such.

    Aliases are expanded. An ``error`` if it isn't plain data.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        data = yaml.load(text, Loader=loader)  # noqa: S506  # it builds plain values alone
        if _nodes(data, {}) <= _MOST_NODES:
            return data
    except (yaml.YAMLError, ValueError, RecursionError):
        raise error("isn't YAML", where=name, fix="export it again, whole") from None
    raise error(
        "repeats too much of itself", where=name, fix="write it without aliases"
    )


def _nodes(value: Any, known: dict[int, int]) -> int:
    """The number of values inside a value; one that contains itself has too many."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        # a mark until it is known: an alias that holds itself has no end
        known[id(value)] = _MOST_NODES
        inner = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_nodes(each, known) for each in inner)
    return known[id(value)]


def build(kind: type[R], document: ParsedFile, error: Error = CaseError) -> R:
    """Build a record from parsed data; an ``error`` for the first fault, with its line."""
    try:
        return kind.model_validate(document.data)
    except ValidationError as caught:
        findings = _findings(caught, document, error)
        more = len({_path(finding["loc"], document.data) for finding in findings}) - 1
        what, where, fix = _explain(findings[0], document)
        if more:
            fix += f" ({more} more to fix after this)"
        raise error(what, where=where, fix=fix) from None
    except RecursionError:
        raise error(
            "is nested too deeply", where=document.name, fix="flatten it"
        ) from None


def _findings(caught: ValidationError, document: ParsedFile, error: Error) -> list[Any]:
    """The faults that pydantic found."""
    try:
        return list(caught.errors(include_url=False, include_context=True))
    except (
        UnicodeEncodeError
    ):  # half a character, which only a mapping from Python can hold
        fix = "write whole characters"
        raise error(
            "holds text that is not Unicode", where=document.name, fix=fix
        ) from None


def did_you_mean(word: str, known: tuple[str, ...] | list[str]) -> str:
    """The fix for an unknown word: the likeliest known one, or all when they are few."""
    close = get_close_matches(word.casefold(), known, n=1, cutoff=0.6)
    if close:
        return f'Did you mean "{close[0]}"?'
    listed = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
    return f"Known here: {listed}" if known else ""


def _explain(finding: Any, document: ParsedFile) -> tuple[str, str, str]:
    """Turn one of pydantic's findings into the fault, its place, and the fix."""
    kind = finding["type"]
    context = finding.get("ctx", {})
    path = _path(finding["loc"], document.data)
    if kind == "missing":
        path = (*path, finding["loc"][-1])
    label = _label(path)
    if kind == "unknown_key":
        key = context["key"]
        fix = did_you_mean(key, context["known"])
        if context["empty"] and "Did you mean" not in fix:
            fix = "A text with a comma in it goes in quotes"
        if not path and key.strip("$") in ("schema", "schema_version", "version"):
            fix = "Tuneworthy reads one version of it: leave the key out, or update Tuneworthy"
        what = f'"{short_text(key)}" is not a key of {label or "this file"}'
        return what, document.where((*path, key)), fix
    what, fix = _words(kind, finding, context)
    if kind == "no_mapping" and not path:
        what = "is not a mapping of keys and values"
        fix = "start with name: …"
    return f"{label or 'the file'} {what}", document.where(path), fix


def _words(kind: str, finding: Any, context: Any) -> tuple[str, str]:
    """The fault of a value and its fix, in our own words."""
    value = finding.get("input")
    message = str(finding["msg"])
    picture = f'is "{short_text(value)}"'
    if kind == "missing":
        return _FIXES[kind]
    if kind in _FIXES:
        what, fix = _FIXES[kind]
        return f"{picture}, which {what}", (
            "number" in fix and _intended_number(value)
        ) or fix
    if kind == "no_mapping":
        keys = [f"{key}: …" for key in context["known"][:_SHOWN_KEYS]]
        if len(context["known"]) > _SHOWN_KEYS:
            keys.append("…")
        return f"{picture}, which is not a mapping", f"write {{{', '.join(keys)}}}"
    if kind == "fix":
        return str(context["what"]), str(context["fix"])
    if kind == "greater_than_equal":
        return f"is {short_text(value)}", f"use {context['ge']:g} or more"
    if kind == "less_than_equal":
        return f"is {short_text(value)}", f"use {context['le']:g} or less"
    if kind.startswith("date_"):
        return f"{picture}, which is not a day", "write it as 2026-11-24"
    fixes = {
        "state": "use yes, no or unknown",
        "literal_error": f"use {context.get('expected', 'one of the listed words')}",
    }
    return picture, fixes.get(kind, message[:1].lower() + message[1:])


def _intended_number(value: Any) -> str:
    """How to write a number that was meant as a share or with separated thousands; "" for others."""
    text = value.strip() if isinstance(value, str) else ""
    if match := _PERCENT.fullmatch(text):
        return f"write {float(match[1]) / 100:g}"
    if _THOUSANDS.fullmatch(text):
        return f"write {text.replace(',', '')}"
    return ""


def _path(loc: Path, data: Any) -> Path:
    """The part of pydantic's location that is in the data. It also names the types it tried."""
    path = list[str | int]()
    here = data
    for step in loc:
        in_list = (
            isinstance(here, list | tuple)
            and isinstance(step, int)
            and step < len(here)
        )
        if in_list or (isinstance(here, Mapping) and step in here):
            path.append(step)
            here = here[step]
    return tuple(path)


def _label(path: Path) -> str:
    parts = (
        f"[{step + 1}]" if isinstance(step, int) else f".{short_text(step)}"
        for step in path
    )
    return "".join(parts).removeprefix(".")
