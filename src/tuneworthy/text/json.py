"""JSON as models write it: bare, or in one fenced block."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import numpy as np
from msgspec import MsgspecError
from msgspec.json import Decoder

from tuneworthy.text.search import SPACES, joined, remembered

if TYPE_CHECKING:
    from tuneworthy.text.search import Flags, Texts


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
    """The type of ``UNREAD``, the value of a text that isn't JSON. None stands for JSON's null."""


UNREAD: Final = _Unread()  #: Stands for a text that can't be read as JSON.


def read_json(text: str) -> tuple[Any, bool]:
    """The JSON value of a text, and whether it was alone in a fenced block.

    ``UNREAD`` for an unreadable text, also for one that is too deep or not valid Unicode.
    """
    if text.lstrip()[:1] not in _BEGINS:
        return UNREAD, False
    value = _decode_or_text(text)
    if value is UNREAD and "```" in text[:200]:
        block = _FENCED.fullmatch(text)
        if block is not None:
            return _decode_or_text(block[1]), True
    return value, False


def read_rows(texts: Texts) -> Iterator[tuple[int, Any, bool]]:
    """Read the texts that are JSON: yields the place, the value, and whether a fence was around it."""
    read = np.zeros(len(texts), dtype=bool)
    for row in np.flatnonzero(_MAY_BEGIN[joined(texts).first]).tolist():
        text = texts[row] or ""
        try:
            value = _decode(text)
            fenced = False
        except _NO_JSON:
            value, fenced = read_json(text)
            if value is UNREAD:
                continue
        read[row] = True
        yield row, value, fenced
    readable.note(texts, read)


@remembered(1)
def readable(texts: Texts) -> Flags:
    """Which texts ``read_json`` can read; None can't be read."""
    read = np.zeros(len(texts), dtype=bool)
    read[[row for row, _, _ in read_rows(texts)]] = True
    return read


def looking(texts: Texts) -> Flags:
    """Which texts ``looks_like_json`` accepts; it doesn't accept None."""
    whole = joined(texts)
    flags: Flags = whole.first == ord("{")
    perhaps = _MAY_LOOK[whole.first] | whole.holding(b"```")
    for row in np.flatnonzero(perhaps & ~flags).tolist():
        flags[row] = looks_like_json(texts[row] or "")
    return flags


def looks_like_json(text: str) -> bool:
    """Whether a text should be a JSON object or list, or has one in a fenced block.

    A plain number or word is JSON too, but no sign of a structure.
    """
    first = text[:1]
    if (first in _LOOKS_FROM or first.isspace()) and _LOOKS.match(text):
        return True
    return "```" in text and _BLOCK.search(text) is not None


def _decode_or_text(text: str) -> Any:
    try:
        return _decode(text)
    except _NO_JSON:
        return UNREAD


_ALL_APPLY = (
    *(
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "if",
        "then",
        "else",
        "dependentSchemas",
        "dependencies",
    ),
    *(
        "patternProperties",
        "additionalProperties",
        "propertyNames",
        "additionalItems",
        "contains",
    ),
    *("unevaluatedProperties", "unevaluatedItems"),
)
_ONE_APPLIES = (
    "properties",
    "prefixItems",
    "items",
)  # a value below has one name or one number
_BY_NAME = frozenset(
    {"properties", "patternProperties", "dependentSchemas", "dependencies"}
)
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_MOST_SAME = 100  # parts of one name; a schema that is one has a single part of each
# measured: what an unevaluated… keyword looks at is gone through about this often
_AGAIN = 4


class _Size:
    """Counts how often parts of a schema are applied for one place of a value, at worst."""

    def __init__(self, root: Any) -> None:
        self._named: dict[str, list[Any]] = {"": [root]}  #: Parts by id or anchor.
        self._base: dict[int, Any] = {}  #: The document that a part stands in.
        self._counts: dict[int, int] = {}
        waiting = [(root, root)]
        while waiting:
            part, base = waiting.pop()
            if isinstance(part, dict):
                base = self._name(part, base)
                self._base[id(part)] = base
            below = part.values() if isinstance(part, dict) else part
            waiting += [(item, base) for item in below if isinstance(item, dict | list)]

    def _name(self, part: dict[str, Any], base: Any) -> Any:
        """Store a part under its names, and return the document that its references start from."""
        for key in ("$id", "id", "$anchor", "$dynamicAnchor"):
            name = part.get(key)
            if not isinstance(name, str):
                continue
            address, _, anchor = name.partition("#")
            if address and key.endswith("id"):
                base = part
            same = self._named.setdefault(_last_name(address, anchor), [])
            if len(same) < _MOST_SAME:
                same.append(part)
        return base

    def count(self, part: Any) -> int:
        """The most schemas that are applied to one value, by a schema and all that it refers to.

        A schema that refers to itself counts once, as the validator remembers its result for a
        place. Raises RecursionError for a schema that is too deep.
        """
        place = id(part)
        if place in self._counts:
            return self._counts[place]
        # 0 until it is known, for a schema that leads back to itself
        self._counts[place] = 0
        total = 1
        for key in _ALL_APPLY:
            total += sum(map(self.count, _schemas(key, part.get(key))))
        for key in _ONE_APPLIES:
            total += max(map(self.count, _schemas(key, part.get(key))), default=0)
        for key in _REFERENCES:
            targets = self._targets(part, part.get(key))
            total += max(map(self.count, targets), default=0)
        if "unevaluatedProperties" in part or "unevaluatedItems" in part:
            total *= _AGAIN
        self._counts[place] = total
        return total

    def _targets(self, part: Any, reference: Any) -> list[Any]:
        """The schemas that a reference may mean; [] where it leads out of the file."""
        if not isinstance(reference, str):
            return []
        address, _, place = unquote(reference).partition("#")
        if place and not place.startswith("/"):
            return self._named.get(place, [])
        wholes = [self._base[id(part)]]
        if address:
            wholes = self._named.get(_last_name(address, ""), [])
        targets = (_resolve_pointer(whole, place) for whole in wholes)
        return [target for target in targets if target is not None]


def _last_name(address: str, anchor: str) -> str:
    """The name of a part: its anchor, else the last part of its address."""
    return anchor or address.rpartition("/")[2]


def _schemas(key: str, value: Any) -> list[Any]:
    """The schemas under a keyword: one, a list of them, or some by name."""
    if isinstance(value, dict):
        value = value.values() if key in _BY_NAME else [value]
    elif not isinstance(value, list):
        return []
    return [item for item in value if isinstance(item, dict)]


def _resolve_pointer(whole: Any, pointer: str) -> Any:
    """The schema at a JSON pointer; None where there is none."""
    for name in pointer.split("/")[1:]:
        key = name.replace("~1", "/").replace("~0", "~")
        if isinstance(whole, list):
            place = int(key) if re.fullmatch("[0-9]{1,6}", key) else len(whole)
            whole = whole[place] if place < len(whole) else None
        else:
            whole = whole.get(key) if isinstance(whole, dict) else None
    return whole if isinstance(whole, dict) else None


Validator = Callable[[Any], bool]

MOST_PARTS = 5_000
"""The most parts of a schema to apply for one place of a value: some milliseconds at worst."""


def validator(schema: Mapping[str, Any] | None) -> tuple[Validator | None, str]:
    """A test for one schema, or the fix for an invalid one; neither without a schema.

    References to other documents are refused, as nothing is fetched. Patterns are matched by an
    engine with linear time. A schema whose references multiply is refused before it is used. A
    value that is too deep doesn't pass.
    """
    if schema is None:
        return None, ""
    import jsonschema_rs

    root = dict(schema)
    try:
        parts = _Size(root).count(root)
    except RecursionError:
        parts = MOST_PARTS
    if parts >= MOST_PARTS:
        return None, (
            f"fix data.output_schema: its references lead to {MOST_PARTS:,} parts or more for one"
            " value; let fewer of allOf, anyOf and oneOf lead to each other"
        )
    try:
        compiled = jsonschema_rs.validator_for(
            root, offline=True, pattern_options=jsonschema_rs.RegexOptions()
        )
    except (
        jsonschema_rs.ValidationError,
        jsonschema_rs.ReferencingError,
        ValueError,
    ) as problem:
        says = " ".join(str(problem).split())[:120]
        return (
            None,
            f"fix data.output_schema: it is not a JSON Schema that stands alone ({says})",
        )

    def valid(value: Any) -> bool:
        try:
            return compiled.is_valid(value)
        except (ValueError, RecursionError, jsonschema_rs.ValidationError):
            return False

    return valid, ""
