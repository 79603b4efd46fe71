"""Numbers into words. Rounding happens here and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tuneworthy.domain.decision import Ends

_SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def usd(amount: float) -> str:
    """An amount of money: ``$1,500``, cents below ten dollars."""
    cents = 0 < abs(amount) < 10 and amount != round(amount)
    text = f"{abs(amount):,.2f}" if cents else f"{abs(amount):,.0f}"
    return f"-${text}" if amount < 0 and text.strip("0.") else f"${text}"


def small_usd(amount: float) -> str:
    """An amount with two digits that say something, however small it is: ``$0.0041``."""
    if not 0 < abs(amount) < 0.1:
        return usd(amount)
    places = min(1 - math.floor(math.log10(abs(amount))), 15)
    return f"{'-' if amount < 0 else ''}${abs(amount):.{places}f}"


def usd_range(low: float, high: float) -> str:
    """Two amounts, or one where they are the same."""
    if usd(low) == usd(high):
        return usd(low)
    return f"{usd(low)} to {usd(high)}" if low < 0 else f"{usd(low)}–{usd(high)}"


def count(number: float) -> str:
    """A whole count with thousands, ``83,000`` for a large estimate rounded to two digits."""
    whole = round(number)
    if whole >= 10_000 and whole != number:
        places = len(str(whole)) - 2
        whole = round(whole, -places)
    return f"{whole:,}"


def few(number: int) -> str:
    """A small count as a word."""
    return _SMALL[number] if 0 <= number < len(_SMALL) else f"{number:,}"


def several(number: int, one: str) -> str:
    """A small count with its noun: ``one prompt``, ``four prompts``."""
    return f"{few(number)} {one}" if number == 1 else f"{few(number)} {one}s"


def counted(number: float, one: str) -> str:
    """A count in digits with its noun: ``1 prompt``, ``4,000 prompts``."""
    return f"{count(number)} {one}" if round(number) == 1 else f"{count(number)} {one}s"


def share(value: float) -> str:
    """A share as a percentage, never rounded onto 0% or 100% from beside them."""
    if 0 < value < 0.005:
        return "under 1%"
    if 0.995 <= value < 1:
        return "over 99%"
    return f"{value * 100:.0f}%"


def quality(value: float) -> str:
    """A share with two digits behind the point, three where two would round it to a whole."""
    return f"{value:.3f}" if 0 < value < 1 and round(value, 2) in (0, 1) else f"{value:.2f}"


def months(value: float) -> str:
    """Months to one digit; ``never`` for infinity."""
    if math.isinf(value):
        return "never"
    return f"{value:.1f} month" if f"{value:.1f}" == "1.0" else f"{value:.1f} months"


def months_range(low: float, high: float) -> str:
    """From the best to the worst."""
    if math.isinf(low):
        return "never"
    if months(low) == months(high):
        return months(low)
    best = f"{low:.1f}" if not math.isinf(high) else months(low)
    return f"{best} to {months(high)}"


def number(value: float) -> str:
    """A score or a count: no more digits than it needs."""
    text = f"{value:,.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def figure(value: float) -> str:
    """A number in a calculation: six digits that say something, never an exponent."""
    if value == 0:
        return "0"
    places = min(max(5 - math.floor(math.log10(abs(value))), 0), 15)
    text = f"{value:,.{places}f}"
    return text.rstrip("0").rstrip(".") if places else text


def bits(value: float) -> str:
    """An amount of information with two digits that say something."""
    return (
        f"{value:.2f}" if value >= 0.095 else f"{value:.1g}" if value < 0.00095 else f"{value:.4f}"
    )


def ends(value: Ends) -> str:
    """A number, or its ends."""
    low, high = number(value.low), number(value.high)
    return low if low == high else f"{low} to {high}"


def listing(items: Sequence[str], last: str = "and") -> str:
    """Items in a sentence; empty for none."""
    if len(items) <= 1:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def plain(name: str) -> str:
    """An id as words."""
    return name.replace("_", " ")


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!", "…")) else f"{text}."
