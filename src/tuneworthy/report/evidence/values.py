"""A measured value with its interval, in words."""

from __future__ import annotations

from typing import Any

from tuneworthy.domain.record import Unknown
from tuneworthy.report.words import number, small_usd

_SHARE = "share"
_MONEY = "USD"
_PLURALS = ("prompts", "models", "examples", "tokens", "seconds")


def interval_text(value: Any, low: Any, high: Any, unit: str) -> str:
    """A value and its interval with their unit: ``12% (9–15%) of outputs``.

    Returns:
        ``at least 19,366 requests a month`` where there is no upper end, and ``unknown`` for an
        unknown value.
    """
    if isinstance(value, Unknown) or value is None:
        return "unknown"
    if unit.startswith(_SHARE):
        return f"{_ends(value, low, high, _percent)}{unit.removeprefix(_SHARE)}"
    if unit.startswith(_MONEY):
        return f"{_ends(value, low, high, small_usd)}{unit.removeprefix(_MONEY)}"
    said = _ends(value, low, high, amount)
    alone = said.removeprefix("at least ") == "1"
    return f"{said} {unit.removesuffix('s') if alone and unit in _PLURALS else unit}".rstrip()


def _ends(value: float, low: Any, high: Any, say: Any) -> str:
    if high == "open":
        return f"at least {say(low)}"
    if low is None or high is None or say(low) == say(high) == say(value):
        return str(say(value))
    return f"{say(value)} ({say(low)}–{say(high)})"


def limit_text(limit: float, unit: str) -> str:
    """A limit in the unit of its measurement, the unit itself left out."""
    if unit.startswith(_SHARE):
        return _percent(limit)
    return small_usd(limit) if unit.startswith(_MONEY) else amount(limit)


def _percent(value: float) -> str:
    """Percent with a digit behind the point under ten, so that small shares stay apart."""
    hundred = value * 100
    return f"{hundred:.1f}%" if 0 < abs(hundred) < 10 else f"{hundred:.0f}%"


def amount(value: float) -> str:
    """A count or a measure with three digits that say something."""
    if value == round(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return number(float(f"{value:.3g}"))
