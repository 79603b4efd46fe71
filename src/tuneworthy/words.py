"""Numbers in words. This is the only module that rounds."""

from __future__ import annotations

import math
from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date
from string import Formatter
from typing import Any

from tuneworthy.model.base import Unknown

_SMALL = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
)


def usd(amount: float) -> str:
    """An amount of money: ``$1,500``, with cents below ten dollars."""
    cents = 0 < abs(amount) < 10 and amount != round(amount)
    text = f"{abs(amount):,.2f}" if cents else f"{abs(amount):,.0f}"
    return f"-${text}" if amount < 0 and text.strip("0.") else f"${text}"


def small_usd(amount: float) -> str:
    """An amount with two significant digits, however small: ``$0.0041``."""
    if not 0 < abs(amount) < 0.1:
        return usd(amount)
    places = min(1 - math.floor(math.log10(abs(amount))), 15)
    return f"{'-' if amount < 0 else ''}${abs(amount):.{places}f}"


def usd_range(low: float, high: float) -> str:
    """Two amounts, or one where they are written the same."""
    if usd(low) == usd(high):
        return usd(low)
    if low < 0:
        return f"{usd(low)} to {usd(high)}"
    return f"{usd(low)}–{usd(high)}"


def count(number: float) -> str:
    """A whole count with thousands; a large one has two significant digits: ``83,000``."""
    whole = round(number)
    if whole >= 10_000 and whole != number:
        whole = round(whole, 2 - len(str(whole)))
    return f"{whole:,}"


def few(number: int) -> str:
    """A small count as a word."""
    return _SMALL[number] if 0 <= number < len(_SMALL) else f"{number:,}"


def several(number: int, noun: str) -> str:
    """A small count with its noun: ``one prompt``, ``four prompts``."""
    if number == 1:
        return f"{few(number)} {noun}"
    return f"{few(number)} {noun}s"


def counted(number: float, noun: str) -> str:
    """A count in digits with its noun: ``1 prompt``, ``4,000 prompts``."""
    if round(number) == 1:
        return f"{count(number)} {noun}"
    return f"{count(number)} {noun}s"


def share(value: float) -> str:
    """A share as a percentage. Only 0 and 1 are written as 0% and 100%."""
    if 0 < value < 0.005:
        near = "under 1%"
    elif 0.995 <= value < 1:
        near = "over 99%"
    else:
        near = ""
    return near or f"{value * 100:.0f}%"


def points(value: float, *, sign: bool = False) -> str:
    """A difference of shares in whole percentage points; ``sign`` adds its sign."""
    whole = round(100 * value)
    return f"{whole:+d}" if sign and whole else str(whole)


def quality(value: float) -> str:
    """A share with two decimals, or three where two would round it to 0 or 1."""
    near = 0 < abs(value) < 1 and round(abs(value), 2) in (0, 1)
    return f"{value:.3f}" if near else f"{value:.2f}"


def signed(value: float) -> str:
    """A difference of shares with two decimals and its sign; zero has none."""
    return f"{value:+.2f}" if round(value, 2) else "0.00"


def quality_interval(value: float, low: float, high: float) -> str:
    """A share with its interval: ``0.81 (0.77–0.85)``."""
    return f"{quality(value)} ({quality(low)}–{quality(high)})"


def hours(value: float) -> str:
    """Hours of work without their unit: to one digit, whole from ten on."""
    return f"{round(value, 1):g}" if value < 9.95 else count(round(value))


def months(value: float | str) -> str:
    """Months with one decimal, whole from ten on; ``never`` for infinity; a word as it is."""
    if isinstance(value, str) or math.isinf(value):
        return value if isinstance(value, str) else "never"
    text = _month(value)
    return f"{text} month{'' if text == '1' else 's'}"


def _month(value: float) -> str:
    """Months without a superfluous digit: ``6`` for 6.0, ``21`` for 21.3."""
    if value < 9.95:
        return f"{value:.1f}".removesuffix(".0")
    return f"{value:,.0f}"


def months_range(low: float, high: float) -> str:
    """Months from the best to the worst."""
    if math.isinf(low):
        return "never"
    if months(low) == months(high):
        return months(low)
    return f"{months(low) if math.isinf(high) else _month(low)} to {months(high)}"


def number(value: float) -> str:
    """A score or a count with as few digits as it needs."""
    text = f"{value:,.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def figure(value: float) -> str:
    """A number in a calculation: six significant digits, never an exponent."""
    if value == 0:
        return "0"
    places = min(max(5 - math.floor(math.log10(abs(value))), 0), 15)
    text = f"{value:,.{places}f}"
    return text.rstrip("0").rstrip(".") if places else text


def listing(items: Sequence[str], last: str = "and") -> str:
    """Items as a list in a sentence; empty for none."""
    if len(items) <= 1:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def cut(text: str, most: int) -> str:
    """A text on one line, cut to this many characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1].rstrip() + "…"


def plain(name: str) -> str:
    """An id as words."""
    return name.replace("_", " ")


def capital(text: str) -> str:
    """A text with a capital; an id at its start stays as it is."""
    first = text.split(maxsplit=1)[0] if text.strip() else ""
    if _is_id(first.rstrip(".,:;!?")):
        return text
    return text[:1].upper() + text[1:]


def _is_id(word: str) -> bool:
    """Whether a word is a name that machines read: ``gpt-6-luna``, ``anthropic:claude``."""
    return any(mark in word for mark in ":/_") or any(c.isdigit() for c in word)


def sentence(text: str) -> str:
    """A text with a capital and a full stop."""
    text = capital(text)
    return text if text.endswith((".", "?", "!", "…")) else f"{text}."


class _Words(Formatter):
    def get_value(self, key: int | str, args: Any, kwargs: Any) -> Any:  # noqa: ARG002  # a Formatter's
        if isinstance(kwargs, Mapping):
            return kwargs[key]
        return getattr(kwargs, str(key))

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec:
            return str(globals()[format_spec](value))
        return str(value)


def fill(template: str, values: Any) -> str:
    """Fill a sentence such as ``{p50_s:number} s``. A function of this module follows the colon.

    The values are those of a mapping, or the attributes of a record.
    """
    return _Words().vformat(template, (), values)


_PLURALS = (
    "arms",
    "examples",
    "makers",
    "models",
    "points",
    "prompts",
    "seconds",
    "tokens",
)


def _style(unit: str) -> tuple[Callable[[float], str], str]:
    """The function that writes numbers of a unit, and the words behind them."""
    if unit == "points":
        return points, " points"
    if unit.startswith("share"):
        return _percent, unit.removeprefix("share")
    if unit.startswith("USD"):
        return small_usd, unit.removeprefix("USD").replace(" a month", " per month")
    return amount, f" {unit}"


def interval_text(value: Any, low: Any, high: Any, unit: str) -> str:
    """A value and its interval with their unit: ``12% (9–15%) of outputs``.

    ``at least 19,366 requests a month`` without an upper end; ``unknown`` for an unknown value.
    """
    if isinstance(value, Unknown) or value is None:
        return "unknown"
    write, after = _style(unit)
    text = write(value)
    if high == "open":
        text = f"at least {write(low)}"
    elif low is not None and high is not None and {write(low), write(high)} != {text}:
        text = f"{text} ({write(low)}–{write(high)})"
    if unit in _PLURALS and text.removeprefix("at least ") == "1":
        after = after.removesuffix("s")
    return f"{text}{after}".rstrip()


def limit_text(limit: float, unit: str) -> str:
    """A limit in the unit of its measurement, without the unit itself."""
    return _style(unit)[0](limit)


def _percent(value: float) -> str:
    """Percent, with a decimal under ten, so that small shares stay distinct."""
    hundred = value * 100
    if 0 < abs(hundred) < 10:
        return f"{hundred:.1f}%"
    return f"{hundred:.0f}%"


def amount(value: float) -> str:
    """A count or a measure with three significant digits."""
    whole = value == round(value) or abs(value) >= 100
    return f"{value:,.0f}" if whole else number(float(f"{value:.3g}"))


def read_day(text: Any) -> date | None:
    """Read a day as 2026-11-24; None for another text, and for a day far from any decision."""
    with suppress(TypeError, ValueError):
        if 1970 <= (value := date.fromisoformat(text)).year <= 2200:
            return value
    return None


def day(value: date) -> str:
    """A day as people write it, with the month's name."""
    return f"{value.day} {value:%b} {value.year}"


def weekday(value: date, *, after: date | None = None) -> str:
    """A day with its weekday; without its year where ``after``, said before it, has the same."""
    when = f"{value:%a} {day(value)}"
    if after is None or after.year != value.year:
        return when
    return when.removesuffix(f" {value.year}")


def months_later(day: date, months: int) -> date:
    """The same day some months later, or the last day of that month if it is shorter."""
    years, month = divmod(day.month - 1 + months, 12)
    year = min(day.year + years, date.max.year)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
