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
from typing import Any, NamedTuple, TypeVar

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
"""A character that YAML doesn't allow, or the mark of the byte order."""
_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})  #: YAML's words for no value.


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
    forbidden = _FORBIDDEN.search(text)
    if forbidden is not None:
        what = f"holds a character that YAML doesn't allow (U+{ord(forbidden[0]):04X})"
        line = text.count("\n", 0, forbidden.start()) + 1
        fix = "remove it, or save the file as UTF-8 text"
        raise error(what, where=f"{name}:{line}", fix=fix)
    reader = _Reader(text, name, error)
    try:
        data = reader.read()
    except yaml.YAMLError as caught:
        mark = getattr(caught, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        problem = getattr(caught, "problem", None) or getattr(caught, "reason", None)
        what = f"is not YAML: {problem or 'it can not be parsed'}"
        fix = "check indentation, quotes and colons"
        raise error(what, where=where, fix=fix) from None
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
        """The error for the line on which an event begins."""
        where = f"{self.name}:{event.start_mark.line + 1}"
        return self.error(what, where=where, fix=fix)

    def _value(self, event: Any, path: Path) -> Any:
        """Read a value, and note the lines of what is inside it."""
        self._refuse(event, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._items(path)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        # In quotes, these words are texts.
        is_nothing = not event.style and event.value in _NOTHING
        return None if is_nothing else event.value

    def _items(self, path: Path) -> list[Any]:
        """Read the items of a list up to its end."""
        items: list[Any] = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            place = (*path, len(items))
            self.lines[place] = event.start_mark.line + 1
            items.append(self._value(event, place))
        return items

    def _mapping(self, path: Path) -> dict[str, Any]:
        """Read the keys and values of a mapping up to its end."""
        mapping: dict[str, Any] = {}
        for key in self.events:
            if isinstance(key, yaml.MappingEndEvent):
                break
            self._refuse(key, path)
            self._refuse_key(key, mapping)
            place = (*path, key.value)
            self.lines[place] = key.start_mark.line + 1
            mapping[key.value] = self._value(next(self.events), place)
        return mapping

    def _refuse(self, event: Any, path: Path) -> None:
        """Refuse YAML that isn't plain data: aliases, anchors, tags, and nesting that is too deep."""
        if isinstance(event, yaml.AliasEvent):
            what = f'alias "*{event.anchor}" is not supported'
            raise self._wrong(event, what, "repeat the value")
        if event.anchor is not None:
            what = f'anchor "&{event.anchor}" is not supported'
            raise self._wrong(event, what, "repeat the value")
        if event.tag is not None and event.tag != "!":  # a lone ! only means a text
            what = f'tag "{event.tag}" is not supported'
            raise self._wrong(event, what, "write the plain value")
        if len(path) >= MAX_DEPTH and not isinstance(event, yaml.ScalarEvent):
            what = f"is nested deeper than {MAX_DEPTH} levels"
            raise self._wrong(event, what, "flatten it")

    def _refuse_key(self, key: Any, mapping: dict[str, Any]) -> None:
        """Refuse a key that isn't plain text, stands there twice, or merges."""
        if not isinstance(key, yaml.ScalarEvent):
            what = "a key has to be plain text"
            raise self._wrong(key, what, "write the key as a word")
        if key.value in mapping:
            what = f'key "{key.value}" appears twice'
            raise self._wrong(key, what, "keep one of them")
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

_SHOWN_KEYS = 4  #: Keys shown of a mapping that isn't there.
_SHOWN_WORDS = 12  #: Known words that are shown where none is close to an unknown one.
_PERCENT = re.compile(r"(?P<number>\d{1,9}(?:\.\d{1,9})?)\s*%")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3}){1,4}(?:\.\d+)?")


_MOST_NODES = 5_000_000  #: Of a value that aliases may repeat.


def plain_values(text: str, name: str, error: Error = InputError) -> Any:
    """Parse one YAML document of a stranger as values of JSON: numbers, yes and no become such.

    Aliases are expanded. An ``error`` if it isn't plain data.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        data = yaml.load(text, Loader=loader)  # noqa: S506  # it builds plain values alone
        nodes = _nodes(data, {})
    except (yaml.YAMLError, ValueError, RecursionError):
        raise error("isn't YAML", where=name, fix="export it again, whole") from None
    # Aliases of aliases make a short text stand for any number of values.
    if nodes > _MOST_NODES:
        what = "repeats too much of itself"
        raise error(what, where=name, fix="write it without aliases")
    return data


def _nodes(value: Any, known: dict[int, int]) -> int:
    """The number of values inside a value; one that contains itself has too many.

    ``known`` holds the numbers of collections by their identity, as an alias is the same object.
    """
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
    except RecursionError:
        what = "is nested too deeply"
        raise error(what, where=document.name, fix="flatten it") from None
    # Where a value may be of several types, pydantic has a finding for each of them.
    places = {_path(finding["loc"], document.data) for finding in findings}
    first, *_ = findings
    fault = _explain(first, document)
    fix = fault.fix
    if len(places) > 1:
        fix += f" ({len(places) - 1} more to fix after this)"
    raise error(fault.what, where=fault.where, fix=fix)


def _findings(caught: ValidationError, document: ParsedFile, error: Error) -> list[Any]:
    """The faults that pydantic found."""
    try:
        return list(caught.errors(include_url=False, include_context=True))
    # half a character, which only a mapping from Python can hold
    except UnicodeEncodeError:
        what = "holds text that is not Unicode"
        fix = "write whole characters"
        raise error(what, where=document.name, fix=fix) from None


def did_you_mean(word: str, known: tuple[str, ...] | list[str]) -> str:
    """The fix for an unknown word: the likeliest known one, else the first few known ones."""
    closest = get_close_matches(word.casefold(), known, n=1, cutoff=0.6)
    if closest:
        (likeliest,) = closest
        return f'Did you mean "{likeliest}"?'
    if not known:
        return ""
    more = ", …" if len(known) > _SHOWN_WORDS else ""
    return f"Known here: {', '.join(known[:_SHOWN_WORDS])}{more}"


class _Fault(NamedTuple):
    """A fault in words, as an error says it."""

    what: str
    where: str
    fix: str


def _explain(finding: Any, document: ParsedFile) -> _Fault:
    """Turn one of pydantic's findings into words."""
    kind = finding["type"]
    context = finding.get("ctx", {})
    path = _path(finding["loc"], document.data)
    if kind == "unknown_key":
        return _explain_unknown_key(path, context, document)
    if kind == "missing":
        # what is missing isn't in the data, so its own key is added
        *_, missing_key = finding["loc"]
        path = (*path, missing_key)
    what, fix = _words(kind, finding, context)
    if kind == "no_mapping" and not path:
        what = "is not a mapping of keys and values"
        fix = "start with name: …"
    whose = _label(path) or "the file"
    return _Fault(f"{whose} {what}", document.where(path), fix)


def _explain_unknown_key(path: Path, context: Any, document: ParsedFile) -> _Fault:
    """The fault of a key that the mapping at a path doesn't know."""
    key = context["key"]
    fix = did_you_mean(key, context["known"])
    if context["empty"] and "Did you mean" not in fix:
        # in braces, the part of a text behind a comma is a key without a value
        fix = "A text with a comma in it goes in quotes"
    # a file of a later version may say which one it is
    if not path and key.strip("$") in ("schema", "schema_version", "version"):
        fix = "Tuneworthy reads one version of it: leave the key out, or update Tuneworthy"
    what = f'"{short_text(key)}" is not a key of {_label(path) or "this file"}'
    return _Fault(what, document.where((*path, key)), fix)


def _words(kind: str, finding: Any, context: Any) -> tuple[str, str]:
    """The fault of a value and its fix, in our own words."""
    value = finding.get("input")
    picture = f'is "{short_text(value)}"'
    if kind == "missing":
        return _FIXES[kind]
    if kind in _FIXES:
        what, fix = _FIXES[kind]
        intended = _intended_number(value) if "number" in fix else ""
        return f"{picture}, which {what}", intended or fix
    if kind == "no_mapping":
        keys = [f"{key}: …" for key in context["known"][:_SHOWN_KEYS]]
        if len(context["known"]) > _SHOWN_KEYS:
            keys.append("…")
        return f"{picture}, which is not a mapping", f"write {{{', '.join(keys)}}}"
    if kind == "fix":  # a check of ours, which words it itself
        return str(context["what"]), str(context["fix"])
    if kind == "greater_than_equal":
        return f"is {short_text(value)}", f"use {context['ge']:g} or more"
    if kind == "less_than_equal":
        return f"is {short_text(value)}", f"use {context['le']:g} or less"
    if kind.startswith("date_"):
        return f"{picture}, which is not a day", "write it as 2026-11-24"
    return picture, _other_fix(kind, finding, context)


def _other_fix(kind: str, finding: Any, context: Any) -> str:
    """The fix for a value that isn't one of some words, or that breaks a rule of pydantic's."""
    if kind == "state":
        return "use yes, no or unknown"
    if kind == "literal_error":
        return f"use {context.get('expected', 'one of the listed words')}"
    message = str(finding["msg"])  # pydantic's own words, which are a sentence
    return message[:1].lower() + message[1:]


def _intended_number(value: Any) -> str:
    """How to write a number that was meant as a share or with separated thousands; "" for others."""
    text = value.strip() if isinstance(value, str) else ""
    percent = _PERCENT.fullmatch(text)
    if percent is not None:
        return f"write {float(percent['number']) / 100:g}"
    if _THOUSANDS.fullmatch(text):
        return f"write {text.replace(',', '')}"
    return ""


def _path(loc: Path, data: Any) -> Path:
    """The part of pydantic's location that is in the data. It also names the types it tried."""
    path: list[str | int] = []
    value = data
    for step in loc:
        if isinstance(value, list | tuple):
            exists = isinstance(step, int) and step < len(value)
        else:
            exists = isinstance(value, Mapping) and step in value
        if exists:
            path.append(step)
            value = value[step]
    return tuple(path)


def _label(path: Path) -> str:
    """A path as people write it: ``models[2].price``; empty for the whole file."""
    label = ""
    for step in path:
        label += f"[{step + 1}]" if isinstance(step, int) else f".{short_text(step)}"
    return label.removeprefix(".")
