"""Values of fields, compared in the sense each kind has."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from tuneworthy.scoring.normal import normal
from tuneworthy.scoring.numbers import as_number, near

KINDS = ("exact", "text", "number", "date", "set")
Path = tuple[str, ...]

_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
_NAMED = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?\.? ([a-z]{3,9})\.?,? (\d{4})")
_ENGLISH = re.compile(r"([a-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class How:
    """How a field is compared."""

    kind: str = ""
    """One of ``KINDS``; empty: by the type of the right value."""
    within: float = 0.0
    relative: float = 0.0


def alike(said: Any, wanted: Any, how: How) -> bool:
    """Whether a value is the right one, in the sense of its kind."""
    kind = how.kind or _kind(wanted)
    if kind == "number":
        one, other = as_number(said), as_number(wanted)
        if one is None or other is None:
            return False
        return near(one, other, within=how.within, relative=how.relative)
    if kind == "text":
        return isinstance(said, str | int | float) and _plain(said) == _plain(wanted)
    if kind == "date":
        day = as_date(said)
        return day is not None and day == as_date(wanted)
    if kind == "set":
        return _bag(said) == _bag(wanted)
    return same(said, wanted)


def _kind(wanted: Any) -> str:
    if isinstance(wanted, str):
        return "text"
    number = isinstance(wanted, int | float) and not isinstance(wanted, bool)
    return "number" if number else "exact"


def _plain(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return normal(text) or " ".join(text.split())


def _bag(value: Any) -> Counter[str]:
    """Items without their order; a single value is a list of one, a text is compared plainly."""
    items = value if isinstance(value, list | tuple) else [value]
    return Counter(f"t {_plain(one)}" if isinstance(one, str) else key_of(one) for one in items)


def key_of(value: Any) -> str:
    """A value as text, equal for equal values; 1 and 1.0 are equal, 1 and true are not."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    try:
        return json.dumps(value, sort_keys=True, default=str)
    except (ValueError, RecursionError, TypeError):
        return f"deep {type(value).__name__}"


def same(said: Any, wanted: Any) -> bool:
    """Whether two JSON values are equal; true is not 1, and 1 is 1.0. Any depth is fine."""
    pairs = [(said, wanted)]
    while pairs:
        one, other = pairs.pop()
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            if one.keys() != other.keys():
                return False
            pairs += [(one[key], other[key]) for key in one]
        elif isinstance(one, list | tuple) and isinstance(other, list | tuple):
            if len(one) != len(other):
                return False
            pairs += list(zip(one, other, strict=True))
        elif isinstance(one, bool) != isinstance(other, bool) or one != other:
            return False
    return True


def as_date(value: Any) -> date | None:
    """A day, as ISO 8601, ``24.11.2026`` or with an English month's name; else None.

    ``05/06/2026`` has two readings, and so none.
    """
    if not isinstance(value, str) or len(value) > 60:
        return None
    text = " ".join(value.split())
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        pass
    if found := _DOTTED.fullmatch(text):
        return _day(found[3], found[2], found[1])
    low = text.casefold()
    if found := _NAMED.fullmatch(low):
        return _day(found[3], _month(found[2]), found[1])
    found = _ENGLISH.fullmatch(low)
    return _day(found[3], _month(found[1]), found[2]) if found else None


def _month(name: str) -> str:
    return str(_MONTHS.index(name[:3]) + 1) if name[:3] in _MONTHS else "0"


def _day(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def leaves(value: Mapping[str, Any], above: Path = ()) -> Iterator[Path]:
    """Paths to what is no object inside an object; an empty or very deep one is a leaf."""
    for key, inner in value.items():
        path = (*above, str(key))
        if isinstance(inner, Mapping) and inner and len(path) < _DEEPEST:
            yield from leaves(inner, path)
        else:
            yield path


def at(value: Any, path: Path) -> tuple[bool, Any]:
    """Whether a path leads somewhere in a value, and what stands there."""
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return False, None
        value = value[key]
    return True, value
