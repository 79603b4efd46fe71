"""JSON as models write it: bare, or in one fenced block."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import numpy as np
from msgspec import MsgspecError
from msgspec.json import Decoder

from tuneworthy.text.search import SPACES, joined, remembered

if TYPE_CHECKING:
    from numpy.typing import NDArray


# JSON as models write it: bare, or in one fenced block.

_decode = Decoder().decode
_NO_JSON = (MsgspecError, RecursionError, UnicodeError, ValueError)
_FENCED = re.compile(r"\s*```[\w-]*[ \t]*\n(.*?)\n?[ \t]*```\s*", re.DOTALL)
_LOOKS = re.compile(r"\s*(?:```[\w-]*\s*)?(?:\{|\[\s*[\[{\"\]])")
_BEGINS = frozenset('{["-0123456789tfn`')
_LOOKS_FROM = frozenset("{[`")
_MAY_BEGIN = SPACES | np.isin(np.arange(256), [ord(sign) for sign in _BEGINS])
_MAY_LOOK = SPACES | np.isin(np.arange(256), [ord(sign) for sign in _LOOKS_FROM])
_BLOCK = re.compile(r"```json\b|```\s*\{")


class _Unread:
    """What a text gives that isn't JSON; JSON has a null of its own."""


UNREAD: Final = _Unread()
"""Stands for a text that can't be read as JSON."""


def read_json(text: str) -> tuple[Any, bool]:
    """The value a text holds, whole or as the content of one fenced block and nothing else.

    Args:
        text: Any text. Hostile ones are fine: what is too deep, or no Unicode, can't be read.

    Returns:
        The value, or ``UNREAD``; and whether it stood in a fenced block.
    """
    if not may_be_json(text):
        return UNREAD, False
    value = _decoded(text)
    if value is UNREAD and "```" in text[:200] and (found := _FENCED.fullmatch(text)):
        return _decoded(found[1]), True
    return value, False


def read_rows(texts: Sequence[str | None]) -> Iterator[tuple[int, Any, bool]]:
    """What ``read_json`` gives for those texts that it can read, one at a time with its place."""
    read = np.zeros(len(texts), dtype=bool)
    for row in np.flatnonzero(_MAY_BEGIN[joined(texts).first]).tolist():
        text = texts[row] or ""
        try:
            value, fenced = _decode(text), False
        except _NO_JSON:
            value, fenced = read_json(text)
            if value is UNREAD:
                continue
        read[row] = True
        yield row, value, fenced
    readable.note(texts, read)


@remembered(1)
def readable(texts: Sequence[str | None]) -> NDArray[np.bool_]:
    """Which texts ``read_json`` can read; None isn't one."""
    read = np.zeros(len(texts), dtype=bool)
    read[[row for row, _, _ in read_rows(texts)]] = True
    return read


def looking(texts: Sequence[str | None]) -> NDArray[np.bool_]:
    """Which texts ``looks_like_json`` says yes of; None isn't one."""
    whole = joined(texts)
    found: NDArray[np.bool_] = whole.first == ord("{")
    perhaps = _MAY_LOOK[whole.first] | whole.holding(b"```")
    for row in np.flatnonzero(perhaps & ~found).tolist():
        found[row] = looks_like_json(texts[row] or "")
    return found


def may_be_json(text: str) -> bool:
    """Whether a text begins as JSON or a fenced block may; asking first is quick."""
    first = text[:1]
    return first in _BEGINS or (first.isspace() and text.lstrip()[:1] in _BEGINS)


def looks_like_json(text: str) -> bool:
    """Whether a text means to be a JSON object or list, or carries one in a fenced block.

    A plain number or word is JSON too, and yet no sign of a structure.
    """
    first = text[:1]
    if (first in _LOOKS_FROM or first.isspace()) and _LOOKS.match(text):
        return True
    return "```" in text and _BLOCK.search(text) is not None


def _decoded(text: str) -> Any:
    try:
        return _decode(text)
    except _NO_JSON:
        return UNREAD


# How often parts of a JSON Schema are gone through for one place of a value.

_SAME_PLACE = (
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentSchemas",
    "dependencies",
)
_ALL_APPLY = (
    "patternProperties",
    "additionalProperties",
    "propertyNames",
    "additionalItems",
    "contains",
    "unevaluatedProperties",
    "unevaluatedItems",
)
_ONE_APPLIES = ("properties", "prefixItems", "items")  # a value below has one name or one number
_UNEVALUATED = ("unevaluatedProperties", "unevaluatedItems")
_MOST_LOOKED = 1_000_000  # parts looked at while counting: about a second
_AGAIN = 4  # what an unevaluated… looks at is gone through about that often, as measured

_Groups = list[tuple[list[Any], bool]]
"""Schemas that lie next: of some all count, of others only the one that counts most."""


class Size:
    """Counts how often parts of a schema are gone through.

    Args:
        schema: A JSON Schema of any draft.
        most: Counting stops there.
    """

    def __init__(self, schema: Any, most: int) -> None:
        self._root, self._most = schema, most
        self._own: list[tuple[str, Any]] = []
        self._named: dict[str, list[Any]] = {}
        self._looked = 0
        for part in _parts(schema):
            for key in ("$id", "id", "$anchor", "$dynamicAnchor"):
                if isinstance(name := part.get(key), str):
                    address, _, anchor = name.partition("#")
                    if key in {"$id", "id"} and address:
                        self._own.append((address.rpartition("/")[2], part))
                    self._named.setdefault(anchor or name, []).append(part)

    def count(self) -> int:
        """Parts that are gone through for one place of a value, at worst; at most ``most``.

        What leads back to itself counts once: the validator remembers its answer for a place.
        """
        counts: dict[int, int] = {}
        waiting: list[tuple[Any, _Groups | None]] = [(self._root, None)]
        while waiting:  # not by recursion: references may be followed deeper than Python can
            part, groups = waiting.pop()
            if groups is not None:
                counts[id(part)] = min(self._sum(part, groups, counts), self._most)
            elif id(part) not in counts:
                counts[id(part)] = 0  # until it is known: met before that, it leads back to itself
                groups = list(self._next(part))
                self._looked += sum(len(parts) for parts, _ in groups)
                if self._looked > _MOST_LOOKED:
                    return self._most
                waiting.append((part, groups))
                waiting += [(each, None) for parts, _ in groups for each in parts]
        return counts[id(self._root)]

    def _sum(self, part: Any, groups: _Groups, counts: dict[int, int]) -> int:
        found = 1
        for parts, together in groups:
            found += (sum if together else max)([counts[id(each)] for each in parts])
        return found * _AGAIN if any(key in part for key in _UNEVALUATED) else found

    def _next(self, part: Any) -> Iterator[tuple[list[Any], bool]]:
        for keys, together in ((_SAME_PLACE + _ALL_APPLY, True), (_ONE_APPLIES, False)):
            for key in keys:
                if below := _schemas(key, part.get(key)):
                    yield below, together
        for key in ("$ref", "$dynamicRef", "$recursiveRef"):
            if isinstance(where := part.get(key), str) and (meant := self._meant(where)):
                yield meant, False

    def _meant(self, where: str) -> list[Any]:
        """What a reference may lead to: too much rather than too little; nothing for elsewhere."""
        address, _, place = where.partition("#")
        place = unquote(place)
        if place and not place.startswith("/"):
            return self._named.get(place, [])
        last = address.rpartition("/")[2]
        wholes = [part for name, part in self._own if not address or name == last]
        if len(wholes) != 1 or not address:
            wholes.append(self._root)
        self._looked += len(self._own)
        return [found for each in wholes if (found := _at(each, place)) is not None]


def _schemas(key: str, value: Any) -> list[Any]:
    """The schemas under a keyword: one, a list of them, or some by name."""
    if isinstance(value, list):
        return [each for each in value if isinstance(each, dict)]
    if not isinstance(value, dict):
        return []
    if key in {"properties", "patternProperties", "dependentSchemas", "dependencies"}:
        return [each for each in value.values() if isinstance(each, dict)]
    return [value]


def _at(whole: Any, pointer: str) -> Any:
    """What a JSON pointer leads to; None where it leads nowhere."""
    for name in pointer.split("/")[1:]:
        key = name.replace("~1", "/").replace("~0", "~")
        if isinstance(whole, dict):
            whole = whole.get(key)
        elif isinstance(whole, list) and re.fullmatch("[0-9]{1,6}", key) and int(key) < len(whole):
            whole = whole[int(key)]
        else:
            return None
    return whole if isinstance(whole, dict) else None


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Every object in a schema, itself included."""
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part


# A JSON Schema as a test of values; it fetches nothing and takes no time that grows wild.

Validator = Callable[[Any], bool]

MOST_PARTS = 5_000
"""Of a schema, gone through for one place of a value: some milliseconds at worst."""


def validator(schema: Mapping[str, Any] | None) -> tuple[Validator | None, str]:
    """A test for one schema.

    References to other documents are refused, because nothing is fetched; patterns are matched by
    an engine whose time is linear in the text; and a schema whose references multiply is refused
    before it is used.

    Args:
        schema: A JSON Schema of any draft; None for none.

    Returns:
        The test, and nothing; or None with what to mend, for a schema that is none; or None and
        nothing where none is given. A value too deep to be looked through doesn't pass.
    """
    if schema is None:
        return None, ""
    import jsonschema_rs

    if Size(dict(schema), MOST_PARTS).count() >= MOST_PARTS:
        return None, (
            f"mend data.output_schema: its references lead to {MOST_PARTS:,} parts or more for one"
            " value; let fewer of allOf, anyOf and oneOf lead to each other"
        )
    try:
        compiled = jsonschema_rs.validator_for(
            dict(schema), offline=True, pattern_options=jsonschema_rs.RegexOptions()
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as problem:
        says = " ".join(str(problem).split())[:120]
        return None, f"mend data.output_schema: it is no JSON Schema that stands alone ({says})"

    def valid(value: Any) -> bool:
        try:
            return compiled.is_valid(value)
        except (ValueError, RecursionError, jsonschema_rs.ValidationError):
            return False

    return valid, ""
