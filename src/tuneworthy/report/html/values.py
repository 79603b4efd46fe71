"""Values of a dossier as the words of a cell."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from tuneworthy.domain.outlook import Number
from tuneworthy.domain.record import Range, Unknown
from tuneworthy.report.words import count, number, share, usd

NOT_KNOWN = "not known"


def ranged(value: Number, words: Callable[[float], str], unit: str = "") -> str:
    """A number, its ends, or that it isn't known.

    Args:
        value: What to say.
        words: Makes a number readable.
        unit: What stands behind it, with its blank.
    """
    if isinstance(value, Unknown):
        return NOT_KNOWN
    if not isinstance(value, Range):
        return words(value) + unit
    low = words(value.low)
    if value.high == "open":
        return f"{low}{unit} or more"
    high = words(value.high)
    return low + unit if low == high else f"{low} to {high}{unit}"


def money(value: Number) -> str:
    """USD."""
    return ranged(value, usd)


def monthly(value: Number, gained: str, lost: str) -> tuple[str, str]:
    """A monthly result with its label: what is gained, or, where it can only be a loss, lost."""
    high = value.high if isinstance(value, Range) else value
    if isinstance(value, Unknown) or isinstance(high, str | Unknown) or high >= 0:
        return gained, money(value)
    if isinstance(value, Range):
        return lost, money(Range(low=-high, high=-value.low))
    return lost, usd(-value)


def hours(value: Number) -> str:
    """Hours of work."""
    return ranged(value, count, " h")


def weeks(value: Number) -> str:
    """Weeks, without the word."""
    return ranged(value, lambda v: f"{v:.1f}".removesuffix(".0"))


def seconds(value: Number) -> str:
    """Seconds."""
    return ranged(value, number, " s")


def quality(value: Number) -> str:
    """A share of cases."""
    return ranged(value, share)


def day(value: date) -> str:
    """A day as people write it, the same in every language's order."""
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def asks(*values: Number) -> str:
    """What would settle those that aren't known, each once; empty when all are known."""
    found = dict.fromkeys(value.ask for value in values if isinstance(value, Unknown))
    return "; ".join(found)
