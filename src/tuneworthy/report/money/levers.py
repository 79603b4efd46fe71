"""The amounts of a case that can be moved to see what they do, as levers with a field beside."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from tuneworthy.domain.interview import Ask

Unit = Literal["", "USD", "USD/h", "%", "hours", "months", "tokens"]

_USD_MONTH, _TOKENS = 5_000.0, 10_000.0
LEVERS: dict[str, tuple[str, Unit, float]] = {
    "economics.monthly.api_savings_usd": ("Each month", "USD", _USD_MONTH),
    "economics.monthly.quality_value_usd": ("Each month", "USD", _USD_MONTH),
    "economics.monthly.ongoing_usd": ("Each month", "USD", _USD_MONTH),
    "economics.hourly_rate_usd": ("Spent once", "USD/h", 200),
    "economics.upfront.hours": ("Spent once", "hours", 200),
    "economics.upfront.usd": ("Spent once", "USD", 1_000),
    "economics.traffic.requests_per_month": ("Traffic", "", 100_000),
    "economics.traffic.growth_per_month": ("Traffic", "%", 20),
    "economics.traffic.input_tokens": ("Traffic", "tokens", _TOKENS),
    "economics.traffic.output_tokens": ("Traffic", "tokens", 2_000),
    "economics.traffic.tuned_input_tokens": ("Traffic", "tokens", _TOKENS),
    "economics.traffic.cacheable_share": ("Traffic", "%", 100),
    "economics.assumptions.horizon_months": ("Looking ahead", "months", 120),
}
"""Question to its group, its unit, and the end of its lever where the case says nothing. Where it
says something the lever goes further than that, but for the two that have an end of their own."""

_ENDED = ("economics.traffic.cacheable_share", "economics.assumptions.horizon_months")
_BEYOND = 4.0  # how far a lever goes beyond what is stated
_STEPS = 200.0
_BETWEEN = re.compile(r"\s+to\s+|(?<=[\d%])\s*-\s*")


@dataclass(frozen=True, slots=True)
class Lever:
    """An amount that can be moved."""

    id: str
    """Of the question that asks for it."""
    title: str
    question: str
    group: str
    unit: Unit
    text: str
    """What its field shows; empty for what isn't known."""
    stated: str
    """What the case file says, as the field would show it."""
    at: float
    """Where the lever stands: the middle of a range, its least end for what isn't known."""
    least: float
    most: float
    step: float


def grouped(levers: Sequence[Lever]) -> tuple[tuple[str, tuple[Lever, ...]], ...]:
    """Levers with the title of their group, in their order."""
    return tuple((name, tuple(found)) for name, found in groupby(levers, lambda one: one.group))


def lever(ask: Ask, text: str | None = None) -> Lever:
    """A lever for a question about an amount.

    Args:
        ask: The question, with what the case says to it.
        text: What somebody gave instead; None for nothing.

    Raises:
        KeyError: If there is no lever for that question.
    """
    group, unit, end = LEVERS[ask.id]
    per_cent = unit == "%"
    stated = _shown(ask.value, per_cent=per_cent)
    numbers = _numbers(stated)
    most, least = end, min([0.0, *numbers])
    if numbers and max(numbers) > 0 and ask.id not in _ENDED:
        most = _rounded_up(_BEYOND * max(numbers))
    most = max([most, *numbers])
    shown = stated if text is None else text
    moved = _numbers(shown)
    at = moved[len(moved) // 2] if len(moved) != 2 and moved else sum(moved) / max(len(moved), 1)
    step = _rounded_up((most - least) / _STEPS) if unit != "months" else 1.0
    return Lever(
        id=ask.id, title=ask.title[:1].upper() + ask.title[1:], question=ask.question, group=group,
        unit=unit, text=shown, stated=stated, at=min(max(at, least), most),
        least=_floor(least, step), most=most, step=step,
    )  # fmt: skip


def _shown(value: str, *, per_cent: bool) -> str:
    """A value as it is given, shares in per cent."""
    if not per_cent or not value:
        return value
    return " to ".join(f"{round(100 * number, 6):g}%" for number in map(float, value.split(" to ")))


def _numbers(text: str) -> list[float]:
    """The plain numbers of a text as ``800``, ``5%``, ``0 to 10`` or ``40-80``; [] for others."""
    parts = _BETWEEN.split(text)
    try:
        found = [float(part.strip(" %$").replace(",", "")) for part in parts if part]
    except ValueError:
        return []
    return found if all(map(math.isfinite, found)) else []


def _rounded_up(number: float) -> float:
    """The next number of the kind 1, 2 or 5 with noughts."""
    power = 10.0 ** math.floor(math.log10(number))
    return next(k * power for k in (1, 2, 5, 10) if k * power >= number * (1 - 1e-9))


def _floor(number: float, step: float) -> float:
    return math.floor(number / step) * step
