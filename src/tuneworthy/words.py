"""Numbers in words. This is the only module that rounds."""

from __future__ import annotations

import math
from calendar import monthrange
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from string import Formatter
from typing import Any, NamedTuple

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
    with_cents = 0 < abs(amount) < 10 and amount != round(amount)
    text = f"{abs(amount):,.2f}" if with_cents else f"{abs(amount):,.0f}"
    rounds_to_zero = not text.strip("0.")
    if amount < 0 and not rounds_to_zero:  # nobody reads -$0
        return f"-${text}"
    return f"${text}"


def small_usd(amount: float) -> str:
    """An amount with two significant digits, however small: ``$0.0041``."""
    if not 0 < abs(amount) < 0.1:
        return usd(amount)
    first_digit = -math.floor(math.log10(abs(amount)))  # its place after the point
    places = min(first_digit + 1, _MOST_PLACES)
    sign = "-" if amount < 0 else ""
    return f"{sign}${abs(amount):.{places}f}"


_MOST_PLACES = 15  #: Places after the point: a float has no true digits beyond them.


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
        return "under 1%"
    if 0.995 <= value < 1:
        return "over 99%"
    return f"{value * 100:.0f}%"


def points(value: float) -> str:
    """A difference of shares in whole percentage points."""
    return str(round(100 * value))


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
    if isinstance(value, str):
        return value
    if math.isinf(value):
        return "never"
    text = _month(value)
    return f"{text} month{'' if text == '1' else 's'}"


def _month(value: float) -> str:
    """Months without a superfluous digit: ``6`` for 6.0, ``21`` for 21.3."""
    if value < 9.95:
        return f"{value:.1f}".removesuffix(".0")
    return f"{value:,.0f}"


def months_range(low: float, high: float) -> str:
    """Months from the best to the worst: ``6 to 21 months``, ``6 months to never``."""
    if math.isinf(low):
        return "never"
    if months(low) == months(high):
        return months(low)
    if math.isinf(high):  # "never" has no unit that the first number could share
        return f"{months(low)} to never"
    return f"{_month(low)} to {months(high)}"


def number(value: float) -> str:
    """A score or a count with as few digits as it needs."""
    text = f"{value:,.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def figure(value: float) -> str:
    """A number in a calculation: six significant digits, never an exponent."""
    if value == 0:
        return "0"
    digits_before_point = 1 + math.floor(math.log10(abs(value)))
    places = min(6 - digits_before_point, _MOST_PLACES)
    if places <= 0:
        return f"{value:,.0f}"
    return f"{value:,.{places}f}".rstrip("0").rstrip(".")


def listing(items: Sequence[str], last: str = "and") -> str:
    """Items as a list in a sentence; empty for none."""
    if len(items) <= 1:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def unique(items: Iterable[str]) -> list[str]:
    """Texts in the order in which they first come, each once."""
    return list(dict.fromkeys(items))


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
    """Fills a template's fields from a mapping or a record, and words them by this module."""

    def get_value(self, key: int | str, args: Any, kwargs: Any) -> Any:  # noqa: ARG002  # a Formatter's
        if isinstance(kwargs, Mapping):
            return kwargs[key]
        return getattr(kwargs, str(key))

    def format_field(self, value: Any, format_spec: str) -> str:
        """Word a value by the function of this module that stands behind the field's colon."""
        if not format_spec:
            return str(value)
        word = globals()[format_spec]
        return str(word(value))


def fill(template: str, values: Any) -> str:
    """Fill a sentence such as ``{p50_s:number} s``. A function of this module follows the colon.

    The values are those of a mapping, or the attributes of a record.
    """
    return _Words().vformat(template, (), values)


# the units that lose their s after a 1
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


class _UnitStyle(NamedTuple):
    """How numbers of a unit are written."""

    write: Callable[[float], str]
    after: str  #: The words behind the number; they begin with a blank, or are empty.


def _style_of(unit: str) -> _UnitStyle:
    """The style of a unit: ``share of outputs`` is written in percent, ``USD`` with its sign."""
    if unit == "points":
        return _UnitStyle(points, " points")
    if unit.startswith("share"):
        return _UnitStyle(_percent, unit.removeprefix("share"))
    if unit.startswith("USD"):
        after = unit.removeprefix("USD").replace(" a month", " per month")
        return _UnitStyle(small_usd, after)
    return _UnitStyle(amount, f" {unit}")


def interval_text(value: Any, low: Any, high: Any, unit: str) -> str:
    """A value and its interval with their unit: ``12% (9–15%) of outputs``.

    ``at least 19,366 requests a month`` without an upper end; ``unknown`` for an unknown value.
    """
    if isinstance(value, Unknown) or value is None:
        return "unknown"
    style = _style_of(unit)
    if high == "open":
        number_text = style.write(low)
        text = f"at least {number_text}"
    else:
        number_text = _with_ends(value, low, high, style)
        text = number_text
    after = style.after
    if unit in _PLURALS and number_text == "1":
        after = after.removesuffix("s")
    return f"{text}{after}".rstrip()


def _with_ends(value: float, low: Any, high: Any, style: _UnitStyle) -> str:
    """A value with the ends of its interval, if it has both and they read differently."""
    text = style.write(value)
    if low is None or high is None:
        return text
    low_text = style.write(low)
    high_text = style.write(high)
    if low_text == text == high_text:
        return text
    return f"{text} ({low_text}–{high_text})"


def limit_text(limit: float, unit: str) -> str:
    """A limit in the unit of its measurement, without the unit itself."""
    return _style_of(unit).write(limit)


def _percent(value: float) -> str:
    """Percent, with a decimal under ten, so that small shares stay distinct."""
    hundred = value * 100
    if 0 < abs(hundred) < 10:
        return f"{hundred:.1f}%"
    return f"{hundred:.0f}%"


def amount(value: float) -> str:
    """A count or a measure with three significant digits."""
    if value == round(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    three_digits = float(f"{value:.3g}")
    return number(three_digits)


def read_day(text: Any) -> date | None:
    """Read a day as 2026-11-24; None for another text, and for a day far from any decision."""
    try:
        value = date.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    if 1970 <= value.year <= 2200:  # any other year is a slip of the pen, or a default
        return value
    return None


def day(value: date) -> str:
    """A day as people write it, with the month's name."""
    return f"{value.day} {value:%b} {value.year}"


def weekday(value: date, *, after: date | None = None) -> str:
    """A day with its weekday, without its year if the day ``after`` that a text just named has it."""
    if after is not None and after.year == value.year:
        return f"{value:%a} {value.day} {value:%b}"
    return f"{value:%a} {day(value)}"


def months_later(day: date, months: int) -> date:
    """The same day some months later, or the last day of that month if it is shorter."""
    months_on = day.month - 1 + months  # counted from January of the day's year
    year = min(day.year + months_on // 12, date.max.year)  # a date can't be later
    month = months_on % 12 + 1
    _, last_day = monthrange(year, month)
    return date(year, month, min(day.day, last_day))
