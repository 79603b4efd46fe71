"""How often parts of a JSON Schema are gone through for one place of a value.

A reference may be followed from two places, and what it leads to from two more: a short text that
is gone through more often than anybody can wait for. So it is counted before it is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

_SAME_PLACE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas",
               "dependencies")  # fmt: skip
_ALL_APPLY = ("patternProperties", "additionalProperties", "propertyNames", "additionalItems",
              "contains", "unevaluatedProperties", "unevaluatedItems")  # fmt: skip
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
