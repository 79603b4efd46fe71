"""JSON as models write it: bare, or in one fenced block."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote

import numpy as np
from msgspec import MsgspecError
from msgspec.json import Decoder

from tuneworthy.text.search import SPACES, joined, remembered

if TYPE_CHECKING:
    from tuneworthy.text.search import Flags, Texts


_decode = Decoder().decode
_NO_JSON = (MsgspecError, RecursionError, UnicodeError, ValueError)
_FENCED = re.compile(r"\s*```[\w-]*[ \t]*\n(?P<inside>.*?)\n?[ \t]*```\s*", re.DOTALL)
"""A text that is one fenced block."""
_LOOKS = re.compile(r"\s*(?:```[\w-]*\s*)?(?:\{|\[\s*[\[{\"\]])")
"""The beginning of an object, or of a list of objects, lists or texts."""
_BEGINS = frozenset('{["-0123456789tfn`')  #: Signs that JSON or a fence begins with.
_LOOKS_FROM = frozenset("{[`")
_MAY_BEGIN = SPACES | np.isin(np.arange(256), [ord(sign) for sign in _BEGINS])
"""By the number of a first byte, whether the text may be JSON."""
_MAY_LOOK = SPACES | np.isin(np.arange(256), [ord(sign) for sign in _LOOKS_FROM])
"""By the number of a first byte, whether the text may look like JSON."""
_BLOCK = re.compile(r"```json\b|```\s*\{")  #: The beginning of a fenced block of JSON.
#: Characters within which a fence begins that is around all of a text.
_FENCE_WITHIN = 200


class _Unread:
    """The type of ``UNREAD``, the value of a text that isn't JSON. None stands for JSON's null."""


UNREAD: Final = _Unread()  #: Stands for a text that can't be read as JSON.


class JsonInText(NamedTuple):
    """What a text says as JSON."""

    value: Any  #: ``UNREAD`` where it can't be read.
    fenced: bool  #: Whether it was alone in a fenced block.


def read_json(text: str) -> JsonInText:
    """Read a text that is JSON, bare or in one fenced block.

    One that is too deep or isn't valid Unicode can't be read either.
    """
    # The quick look: most texts are words.
    if text.lstrip()[:1] not in _BEGINS:
        return JsonInText(UNREAD, fenced=False)
    value = _decode_text(text)
    if value is UNREAD and "```" in text[:_FENCE_WITHIN]:
        block = _FENCED.fullmatch(text)
        if block is not None:
            return JsonInText(_decode_text(block["inside"]), fenced=True)
    return JsonInText(value, fenced=False)


def read_rows(texts: Texts) -> Iterator[tuple[int, Any, bool]]:
    """Read the texts that are JSON: yields the place, the value, and whether a fence was around it."""
    read = np.zeros(len(texts), dtype=bool)
    # Most texts that aren't JSON are known by their first byte.
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
    # Whoever asks next which texts can be read needn't read them again.
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
    looks: Flags = whole.first == ord("{")
    # Only these need a look at all of their text.
    unsure = (_MAY_LOOK[whole.first] | whole.holding(b"```")) & ~looks
    for row in np.flatnonzero(unsure).tolist():
        looks[row] = looks_like_json(texts[row] or "")
    return looks


def looks_like_json(text: str) -> bool:
    """Whether a text should be a JSON object or list, or has one in a fenced block.

    A plain number or word is JSON too, but no sign of a structure.
    """
    first = text[:1]
    if (first in _LOOKS_FROM or first.isspace()) and _LOOKS.match(text):
        return True
    return "```" in text and _BLOCK.search(text) is not None


def _decode_text(text: str) -> Any:
    """The value of a text; ``UNREAD`` where it isn't JSON."""
    try:
        return _decode(text)
    except _NO_JSON:
        return UNREAD


_ALL_APPLY_HERE = (
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
"""Keywords whose schemas may all be applied to the value itself."""
_ALL_APPLY_BELOW = (
    "patternProperties",
    "additionalProperties",
    "propertyNames",
    "additionalItems",
    "contains",
    "unevaluatedProperties",
    "unevaluatedItems",
)
"""Keywords whose schemas may all be applied to one value below."""
_ONE_APPLIES = ("properties", "prefixItems", "items")
"""Keywords of which one schema is applied, as a value below has one name or one number."""
_BY_NAME = frozenset(
    {"properties", "patternProperties", "dependentSchemas", "dependencies"}
)
"""Keywords that hold schemas by name."""
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_MOST_SAME = 100  #: Parts of one name; a schema that is one has a single part of each.
_AGAIN = 4
"""How often, as measured, what an unevaluated… keyword looks at is gone through."""


class _Size:
    """Counts how often parts of a schema are applied for one place of a value, at worst."""

    def __init__(self, root: Any) -> None:
        self._named: dict[str, list[Any]] = {"": [root]}  #: Parts by id or anchor.
        #: The document that each part stands in, by the part's identity.
        self._base: dict[int, Any] = {}
        self._counts: dict[int, int] = {}
        #: The depth in the value at which each part that is being counted was entered.
        self._entered: dict[int, int] = {}
        #: What a part inside itself, for the same place, counts as; none on the first round.
        self._inside_itself: dict[int, int] = {}
        waiting = [(root, root)]  # parts, each with the document around it
        while waiting:
            part, base = waiting.pop()
            below: Iterable[Any] = part
            if isinstance(part, dict):
                base = self._name(part, base)
                self._base[id(part)] = base
                below = part.values()
            collections = [item for item in below if isinstance(item, dict | list)]
            waiting += [(item, base) for item in collections]

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

    def count(self, root: Any) -> int:
        """The most schemas that are applied to one value, by a schema and all that it refers to.

        The validator remembers the result of a schema that leads back to itself, for each place in
        the value. But it enters a schema inside itself once more, for the same place, before it has
        a result. So there are two rounds: on the second, that counts as all of it on the first.
        Raises RecursionError for a schema that is too deep.
        """
        self._count_part(root, 0)
        self._inside_itself = self._counts
        self._counts = {}
        return self._count_part(root, 0)

    def _count_part(self, part: Any, depth: int) -> int:
        """Count the schemas of a part, and of all that it refers to, at some depth of the value."""
        identity = id(part)
        if identity in self._counts:
            return self._counts[identity]
        if identity in self._entered:
            is_same_place = self._entered[identity] == depth
            return self._inside_itself.get(identity, 0) if is_same_place else 0
        self._entered[identity] = depth
        total = 1  # the schema itself
        for key in _ALL_APPLY_HERE:
            total += sum(self._count_each(_schemas(key, part.get(key)), depth))
        for key in _ALL_APPLY_BELOW:
            total += sum(self._count_each(_schemas(key, part.get(key)), depth + 1))
        for key in _ONE_APPLIES:
            counts = self._count_each(_schemas(key, part.get(key)), depth + 1)
            total += max(counts, default=0)
        for key in _REFERENCES:
            # A reference that may mean several means one of them.
            counts = self._count_each(self._targets(part, part.get(key)), depth)
            total += max(counts, default=0)
        if "unevaluatedProperties" in part or "unevaluatedItems" in part:
            total *= _AGAIN
        del self._entered[identity]
        self._counts[identity] = total
        return total

    def _count_each(self, parts: list[Any], depth: int) -> Iterable[int]:
        # a call of map isn't another level for Python, which allows a thousand
        return map(self._count_part, parts, repeat(depth))

    def _targets(self, part: Any, reference: Any) -> list[Any]:
        """The schemas that a reference may mean; [] where it leads out of the file."""
        if not isinstance(reference, str):
            return []
        # as #name, #/a/pointer or document#/a/pointer
        address, _, place = unquote(reference).partition("#")
        if place and not place.startswith("/"):
            return self._named.get(place, [])
        documents = [self._base[id(part)]]
        if address:
            documents = self._named.get(_last_name(address, ""), [])
        targets = [_resolve_pointer(document, place) for document in documents]
        return [target for target in targets if target is not None]


def _last_name(address: str, anchor: str) -> str:
    """The name of a part: its anchor, else the last part of its address."""
    return anchor or address.rpartition("/")[2]


def _schemas(key: str, value: Any) -> list[Any]:
    """The schemas under a keyword: one, a list of them, or some by name."""
    if isinstance(value, list):
        schemas = value
    elif isinstance(value, dict):
        schemas = [*value.values()] if key in _BY_NAME else [value]
    else:
        schemas = []
    return [schema for schema in schemas if isinstance(schema, dict)]


def _resolve_pointer(document: Any, pointer: str) -> Any:
    """The schema at a JSON pointer, as ``/$defs/price``; None where there is none."""
    part = document
    for name in pointer.split("/")[1:]:
        key = name.replace("~1", "/").replace("~0", "~")  # as pointers write / and ~
        if isinstance(part, dict):
            part = part.get(key)
        elif isinstance(part, list) and re.fullmatch("[0-9]{1,6}", key):
            place = int(key)
            part = part[place] if place < len(part) else None
        else:
            part = None
    return part if isinstance(part, dict) else None


Validator = Callable[[Any], bool]

MOST_PARTS = 5_000
"""The most parts of a schema to apply for one place of a value: some milliseconds at worst."""


class SchemaTest(NamedTuple):
    """A test by a schema, or the fix for a schema that gives none; neither without a schema."""

    test: Validator | None
    fix: str


def validator(schema: Mapping[str, Any] | None) -> SchemaTest:
    """Make a test of values from a JSON Schema.

    References to other documents are refused, as nothing is fetched. Patterns are matched by an
    engine with linear time. A schema whose references multiply is refused before it is used. A
    value that is too deep doesn't pass.
    """
    if schema is None:
        return SchemaTest(None, "")
    import jsonschema_rs

    root = dict(schema)
    if _count_parts(root) >= MOST_PARTS:
        fix = (
            f"fix data.output_schema: its references lead to {MOST_PARTS:,} parts or more for one"
            " value; let fewer of allOf, anyOf and oneOf lead to each other"
        )
        return SchemaTest(None, fix)
    errors = (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError)
    options = jsonschema_rs.RegexOptions()  # the engine with linear time
    try:
        compiled = jsonschema_rs.validator_for(
            root, offline=True, pattern_options=options
        )
    except errors as problem:
        says = " ".join(str(problem).split())[:120]
        fix = f"fix data.output_schema: it is not a JSON Schema that stands alone ({says})"
        return SchemaTest(None, fix)

    def is_valid(value: Any) -> bool:
        try:
            return compiled.is_valid(value)
        except (ValueError, RecursionError, jsonschema_rs.ValidationError):
            return False

    return SchemaTest(is_valid, "")


def _count_parts(root: dict[str, Any]) -> int:
    """The parts of a schema that are applied for one place of a value; one too deep has too many."""
    try:
        return _Size(root).count(root)
    except RecursionError:
        return MOST_PARTS
