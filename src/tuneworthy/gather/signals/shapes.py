"""The shape of a JSON value: which keys it has, and of which types those at the top are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

Shape = str | tuple[str, tuple[Any, ...]]
"""A leaf is one letter; an object ``{`` with its keys and their shapes, sorted; a list ``[`` with
the shapes its items have, sorted and each once."""

_DEEPEST = 5
_MOST_ITEMS = 5
_MOST_KEYS = 400
_MOST_KNOWN = 20_000
_MOST_SEEN = 2000


def shape_of(value: Any, depth: int = 0) -> Shape:
    """The shape of a value as JSON gives it.

    Below the top a leaf is a leaf, whatever its type. Only five items of a list, the first
    400 keys of an object and five levels are looked at, so that no value takes long.
    """
    if isinstance(value, dict):
        if depth > _DEEPEST:
            return "{"
        keys = sorted(value)[:_MOST_KEYS]
        return "{", tuple((key, shape_of(value[key], depth + 1)) for key in keys)
    if isinstance(value, list):
        if depth > _DEEPEST:
            return "["
        items = {shape_of(item, depth + 1) for item in value[:_MOST_ITEMS]}
        return "[", tuple(sorted(items, key=repr))
    if value is None:
        return "0"
    return kind_of(value) if depth <= 1 else "."


def kind_of(value: Any) -> str:
    """The type of a value in one letter: whole and other numbers are one type."""
    if value is None:
        return "0"
    if isinstance(value, bool):
        return "b"
    if isinstance(value, str):
        return "s"
    if isinstance(value, dict):
        return "{"
    return "[" if isinstance(value, list) else "n"


class Numbered:
    """Gives the shape of a value a number of its own, the same in every run and process."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], float] = {}

    def __call__(self, value: Any) -> float:
        """A whole number below 2**48, which a float holds exactly."""
        skeleton = _skeleton(value)
        number = self._known.get(skeleton)
        if number is None:
            number = number_of(shape_of(value))
            if _size(skeleton) <= _MOST_SEEN:  # larger ones aren't worth remembering
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[skeleton] = number
        return number


def number_of(shape: Shape) -> float:
    """The number of a shape."""
    text = repr(shape).encode("utf-8", "backslashreplace")
    return float(int.from_bytes(blake2b(text, digest_size=6).digest(), "big"))


def _skeleton(value: Any, depth: int = 0) -> tuple[Any, ...]:
    """What decides the shape, made as quickly as Python can: keys as they come, and types."""
    kind = type(value)
    seen: list[Any] = []
    if kind is dict:
        for key, one in value.items():
            kind = type(one)
            seen.append(key)
            seen.append(_inside(one, depth) if kind is dict or kind is list else kind)
        return tuple(seen)
    seen.append(kind)
    for one in value[:_MOST_ITEMS] if kind is list else ():
        kind = type(one)
        seen.append(_inside(one, depth) if kind is dict or kind is list else kind)
    return tuple(seen)


def _inside(value: Any, depth: int) -> Any:
    """The skeleton of a value that others stand in; of one too deep nothing but its type."""
    return _skeleton(value, depth + 1) if depth < _DEEPEST else type(value)


def _size(skeleton: tuple[Any, ...]) -> int:
    """How many keys and types it holds."""
    return sum(_size(each) if type(each) is tuple else 1 for each in skeleton)


def fits(one: Shape, other: Shape) -> bool:
    """Whether two shapes differ in nothing but values that are null, or lists that are empty."""
    if one == other or "0" in (one, other):
        return True
    if isinstance(one, str) or isinstance(other, str) or one[0] != other[0]:
        return False
    if one[0] == "[":
        return all(any(fits(mine, yours) for yours in other[1]) for mine in one[1]) or not other[1]
    mine, yours = dict(one[1]), dict(other[1])
    return mine.keys() == yours.keys() and all(fits(mine[key], yours[key]) for key in mine)


def differences(one: Shape, usual: Shape) -> Iterator[str]:
    """What tells a shape from the usual one, by the keys at its top."""
    if isinstance(one, str) or isinstance(usual, str) or one[0] != usual[0] or one[0] != "{":
        yield "is of another type"
        return
    mine: Mapping[str, Shape] = dict(one[1])
    yours: Mapping[str, Shape] = dict(usual[1])
    yield from (f"lacks {key[:60]}" for key in yours if key not in mine)
    yield from (f"has {key[:60]}, which others lack" for key in mine if key not in yours)
    both = [key for key in mine if key in yours and not fits(mine[key], yours[key])]
    yield from (f"has another type or other keys in {key[:60]}" for key in both)
