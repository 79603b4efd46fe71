"""Texts, numbers, dates and JSON values, compared in the sense that each kind has."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime
from typing import Any, ClassVar, Literal

from pydantic import Field

from tuneworthy.scoring.base import Amount, Parameters

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_FENCE = re.compile(r"\s*```[\w-]*[ \t]*\n(.*?)\n?[ \t]*```\s*", re.DOTALL)


def normal(text: str, *, punctuation: bool = False, articles: bool = False) -> str:
    """A text without differences of case, width, spacing and punctuation.

    Unicode is brought to its compatibility form (NFKC), capitals are folded, punctuation marks of
    any script become spaces and spaces are single. A point or comma between digits, a sign before
    a digit, ``%`` and currency signs stay: they change a number.

    Args:
        text: Any text.
        punctuation: Keep the marks.
        articles: Leave out the English articles.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    if not punctuation:
        folded = "".join(" " if _is_mark(folded, at) else sign for at, sign in enumerate(folded))
    if articles:
        folded = _ARTICLES.sub(" ", folded)
    return " ".join(folded.split())


def _is_mark(text: str, at: int) -> bool:
    sign = text[at]
    if sign.isalnum() or unicodedata.category(sign)[0] != "P" or sign == "%":
        return False
    before, after = text[at - 1 : at] if at else "", text[at + 1 : at + 2]
    if sign in ".,:" and before.isdigit() and after.isdigit():
        return False
    return not (sign in "-\u2010\u2212" and after.isdigit() and not before.isalnum())


def plain(text: str) -> str:
    """A text as ``normal`` leaves it; one of marks alone keeps them, for it is not empty."""
    return normal(text) or " ".join(text.split())


def unfenced(text: str) -> str:
    """The content of a fenced block that is the whole text; other texts as they are."""
    block = _FENCE.fullmatch(text) if "```" in text[:200] else None
    return block[1] if block else text


def as_text(value: Any) -> str:
    """A reference as the text that a model would write."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


_NUMBER = re.compile(
    r"(?<![\w.,])(?P<sign>[-+\u2212]?)(?:[$€£¥]\s?)?"
    r"(?P<whole>\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?P<rest>\.\d+)?(?P<power>[eE][-+]?\d{1,3})?"
    r"(?![.,]?\d)"
)
_SCALE = re.compile(r"[ \t-]?(thousand|million|billion|trillion)\b", re.IGNORECASE)
_SCALES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_UNCLEAR = re.compile(r"(?:[kKMBT]|bn|mn|Mio|Mrd)(?![A-Za-z0-9])")


def numbers_in(text: str) -> list[float | None]:
    """Every number of a text, in order; None where its scale is unclear (``5k``) or too large.

    ``1,234.5`` has a comma for thousands; ``3 million`` is multiplied out; a unit, ``%`` or
    currency sign beside it changes nothing. A digit inside a word (``v2``) or a chain (``1.2.3``,
    ``1,5``) is not a number.
    """
    numbers: list[float | None] = []
    for match in _NUMBER.finditer(text):
        sign = -1.0 if match["sign"] in {"-", "\u2212"} else 1.0
        digits = match["whole"].replace(",", "")
        value = sign * float(digits + (match["rest"] or "") + (match["power"] or ""))
        scale = _SCALE.match(text, match.end())
        if scale is not None:
            value *= _SCALES[scale[1].casefold()]
        unclear = scale is None and _UNCLEAR.match(text, match.end())
        numbers.append(None if unclear or not math.isfinite(value) else value)
    return numbers


def as_number(value: Any) -> float | None:
    """A value as a finite number: a number, or a text that holds exactly one; else None."""
    if isinstance(value, str):
        numbers = numbers_in(value)
        return numbers[0] if len(numbers) == 1 else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def near(value: float, expected: float, *, within: float, relative: float) -> bool:
    """Whether a number lies within the wider of two tolerances; both ends included.

    Args:
        value: The number to test.
        expected: The right one.
        within: Absolute tolerance.
        relative: Tolerance as a share of the right one.
    """
    slack = 4e-16 * max(abs(value), abs(expected))  # rounding of decimals as they were written
    return abs(value - expected) <= max(within, relative * abs(expected)) + slack


class FieldRule(Parameters):
    """How a field is compared."""

    main: ClassVar[str] = "as"
    kind: Literal["exact", "text", "number", "date", "set"] | None = Field(None, alias="as")
    """None: by the type of the right value."""
    within: Amount = 0.0
    relative: Amount = 0.0

    def equal(self, value: Any, expected: Any) -> bool:
        """Whether a value is the right one, in the sense of its kind."""
        match self.kind or _kind(expected):
            case "number":
                number, right = as_number(value), as_number(expected)
                return (number is not None and right is not None) and near(
                    number, right, within=self.within, relative=self.relative
                )
            case "text":
                return isinstance(value, str | int | float) and _words(value) == _words(expected)
            case "date":
                day = as_date(value)
                return day is not None and day == as_date(expected)
            case "set":
                return _bag(value) == _bag(expected)
        return same(value, expected)


def _kind(expected: Any) -> str:
    if isinstance(expected, str):
        return "text"
    number = isinstance(expected, int | float) and not isinstance(expected, bool)
    return "number" if number else "exact"


def _words(value: Any) -> str:
    return plain(value if isinstance(value, str) else json.dumps(value, default=str))


def _bag(value: Any) -> Counter[str]:
    """Items without their order; a single value is a list of one item."""
    items = value if isinstance(value, list | tuple) else [value]
    return Counter(f"t {plain(x)}" if isinstance(x, str) else _key_of(x) for x in items)


def _key_of(value: Any) -> str:
    """A value as text, equal for equal values; 1 and 1.0 are equal, 1 and true are not."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    try:
        return json.dumps(value, sort_keys=True, default=str)
    except (ValueError, RecursionError, TypeError):
        return f"deep {type(value).__name__}"


def same(value: Any, expected: Any) -> bool:
    """Whether two JSON values are equal; true is not 1, and 1 is 1.0. Any depth is fine."""
    pairs = [(value, expected)]
    while pairs:
        left, right = pairs.pop()
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            if left.keys() != right.keys():
                return False
            pairs += [(left[key], right[key]) for key in left]
        elif isinstance(left, list | tuple) and isinstance(right, list | tuple):
            if len(left) != len(right):
                return False
            pairs += list(zip(left, right, strict=True))
        elif isinstance(left, bool) != isinstance(right, bool) or left != right:
            return False
    return True


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = (
    re.compile(r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})"),
    re.compile(r"(?P<day>\d{1,2})(?:st|nd|rd|th)?\.? (?P<month>[a-z]{3,9})\.?,? (?P<year>\d{4})"),
    re.compile(r"(?P<month>[a-z]{3,9})\.? (?P<day>\d{1,2})(?:st|nd|rd|th)?,? (?P<year>\d{4})"),
)


def as_date(value: Any) -> date | None:
    """A day, as ISO 8601, ``24.11.2026`` or with an English month's name; else None.

    ``05/06/2026`` has two readings, and so none.
    """
    if not isinstance(value, str) or len(value) > 60:
        return None
    text = " ".join(value.split())
    with suppress(ValueError):
        return datetime.fromisoformat(text).date()
    for form in _DAYS:
        if parts := form.fullmatch(text.casefold()):
            name = parts["month"]
            month = _MONTHS.index(name[:3]) + 1 if name[:3] in _MONTHS else name
            with suppress(ValueError):
                return date(int(parts["year"]), int(month), int(parts["day"]))
            return None
    return None


FieldPath = tuple[str, ...]
_DEEPEST = 20


def leaves(value: Mapping[str, Any], above: FieldPath = ()) -> Iterator[FieldPath]:
    """Paths to what is not an object inside an object; an empty or very deep one is a leaf."""
    for key, inner in value.items():
        path = (*above, str(key))
        if isinstance(inner, Mapping) and inner and len(path) < _DEEPEST:
            yield from leaves(inner, path)
        else:
            yield path


def at(value: Any, path: FieldPath) -> tuple[bool, Any]:
    """Whether a path leads somewhere in a value, and the value there."""
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return False, None
        value = value[key]
    return True, value
