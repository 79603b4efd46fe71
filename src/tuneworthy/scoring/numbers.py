"""Numbers as people and models write them."""

from __future__ import annotations

import math
import re
from typing import Any

_NUMBER = re.compile(
    r"(?<![\w.,])(?P<sign>[-+\u2212]?)(?:[$€£¥]\s?)?"
    r"(?P<whole>\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?P<rest>\.\d+)?(?P<power>[eE][-+]?\d{1,3})?"
    r"(?![.,]?\d)"
)
_SCALE = re.compile(r"[ \t-]?(thousand|million|billion|trillion)\b", re.IGNORECASE)
_SCALES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_UNCLEAR = re.compile(r"(?:[kKMBT]|bn|mn|Mio|Mrd)(?![A-Za-z0-9])")


def numbers_in(text: str) -> list[float | None]:
    """Every number of a text, in order.

    ``1,234.5`` has a comma for thousands; ``3 million`` is multiplied out; a unit, ``%`` or sign of
    money beside it is left off and changes nothing. A digit inside a word (``v2``) or a chain
    (``1.2.3``, ``1,5``) is no number.

    Returns:
        Finite numbers; None for one whose scale is unclear, as ``5k``, or that is too large.
    """
    found: list[float | None] = []
    for match in _NUMBER.finditer(text):
        sign = -1.0 if match["sign"] in {"-", "\u2212"} else 1.0
        value = sign * float(
            match["whole"].replace(",", "") + (match["rest"] or "") + (match["power"] or "")
        )
        scale = _SCALE.match(text, match.end())
        if scale is not None:
            value *= _SCALES[scale[1].casefold()]
        unclear = scale is None and _UNCLEAR.match(text, match.end())
        found.append(None if unclear or not math.isfinite(value) else value)
    return found


def as_number(value: Any) -> float | None:
    """A value as a finite number: a number, or a text that holds exactly one; else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        try:
            number = float(value)
        except OverflowError:
            return None
        return number if math.isfinite(number) else None
    if isinstance(value, str):
        found = numbers_in(value)
        return found[0] if len(found) == 1 else None
    return None


def near(said: float, wanted: float, *, within: float, relative: float) -> bool:
    """Whether a number lies within the wider of two tolerances; both ends included.

    Args:
        said: The number to judge.
        wanted: The right one.
        within: Absolute tolerance.
        relative: Tolerance as a share of the right one.
    """
    slack = 4e-16 * max(abs(said), abs(wanted))  # rounding of the decimals as they were written
    return abs(said - wanted) <= max(within, relative * abs(wanted)) + slack
