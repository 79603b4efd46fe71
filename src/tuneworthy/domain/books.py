"""The money of a case as sums of products over its inputs.

One description that can be computed, drawn many times and shown line by line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

from tuneworthy.domain.investment import Money

RATE = "economics.hourly_rate_usd"
REQUESTS = "economics.traffic.requests_per_month"
GROWTH = "economics.traffic.growth_per_month"
DISCOUNT = "economics.assumptions.discount_per_year"
FAILURE = "economics.assumptions.failure_chance"
LIFE = "economics.assumptions.model_life_months"

Values = Mapping[str, Any]
"""Value of every input: a number, or an array with one number for each draw."""


@dataclass(frozen=True, slots=True)
class Spread:
    """An input: its least, likeliest and greatest value, equal when it is certain."""

    low: float
    likely: float
    high: float

    @property
    def varies(self) -> bool:
        """Whether it is a range."""
        return self.low < self.high


Inputs = Mapping[str, Spread]
"""Inputs by the dotted path of what states them; ``table.…`` for those of the framework."""


@dataclass(frozen=True, slots=True)
class Term:
    """A product of inputs, times a constant."""

    names: tuple[str, ...]
    factor: float = 1.0

    def value(self, values: Values) -> Any:
        """The product, in the unit that its inputs make."""
        result: Any = 1.0
        for name in self.names:
            result = result * values[name]
        return result * self.factor


Terms = tuple[Term, ...]


def total(terms: Iterable[Term], values: Values) -> Any:
    """The sum of terms; 0 for none."""
    return sum((term.value(values) for term in terms), 0.0)


def likely(inputs: Inputs) -> dict[str, float]:
    """Every input at its likeliest."""
    return {name: spread.likely for name, spread in inputs.items()}


def money(terms: Terms, inputs: Inputs) -> Money:
    """A sum at the low ends, at the likely values and at the high ends of its inputs.

    Right only where every input raises the sum, which hours, rates and amounts do.
    """
    ends = ({n: getattr(s, end) for n, s in inputs.items()} for end in ("low", "likely", "high"))
    return Money(*(float(total(terms, values)) for values in ends))


def corners(inputs: Inputs, names: Iterable[str]) -> Iterator[dict[str, float]]:
    """Every pairing of the ends of some inputs, the others at their likeliest.

    Yields:
        One mapping when none of them is a range, 2ⁿ for n ranges.
    """
    base = likely(inputs)
    open_names = sorted({name for name in names if name in inputs and inputs[name].varies})
    ends = [(inputs[name].low, inputs[name].high) for name in open_names]
    for chosen in product(*ends):
        yield {**base, **dict(zip(open_names, chosen, strict=True))}


AgainIs = Literal["stated", "by_table", "all"]
"""How it is known what tuning again costs: by category as stated, by the table's proportion, or
not at all, so that everything is paid again."""


@dataclass(frozen=True, slots=True)
class Books:
    """Costs and benefits of tuning as terms over the inputs of a case."""

    inputs: Inputs
    upfront: Terms | None
    """USD before the first version is live; None when hours can't be priced."""
    again: Terms
    """The part of it that is paid again when the model has to be tuned anew."""
    again_is: AgainIs
    running: Terms | None
    """USD a month, the tuned model's serving among it; None when hours can't be priced."""
    running_besides: Terms | None
    """The same without the serving, where that is stated apart; None where it isn't."""
    savings: Terms
    """USD a month saved on calls, as stated; empty when nobody stated it."""
    quality: Terms
    """USD a month that better answers are worth; empty when nobody stated it."""
    table_running: Terms | None
    """Running costs by the framework's table; None without a table or an hourly rate."""
    table_besides: Terms | None
    """The same without serving."""
    assumed: tuple[str, ...]
    """Costs nobody stated, taken from the table."""
