"""A case's statements about money, and the framework's table where the case is silent, as sums."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal

from tuneworthy.framework.load import case_fields, field_path
from tuneworthy.model.base import MONTHS_PER_QUARTER, Interval
from tuneworthy.model.case import Amount, AnyAmount, Case, Effort
from tuneworthy.model.framework import CostRow, Costs, Span
from tuneworthy.words import count, number, plain, usd

RATE = "economics.hourly_rate_usd"
REQUESTS = "economics.traffic.requests_per_month"
GROWTH = "economics.traffic.growth_per_month"
DISCOUNT = "economics.assumptions.discount_per_year"
FAILURE = "economics.assumptions.failure_chance"
LIFE = "economics.assumptions.model_life_months"
SAVINGS = "economics.monthly.api_savings_usd"

Values = Mapping[str, Any]
"""Value of every input: a number, or an array with one number for each draw."""


Inputs = Mapping[str, Interval]
"""Inputs by the dotted path of what states them; ``table.…`` for those of the framework."""


@dataclass(frozen=True, slots=True)
class Product:
    """A product of inputs, times a constant, in the unit that its inputs make."""

    names: tuple[str, ...]
    factor: float = 1.0

    def value(self, values: Values) -> Any:
        """The product; an array where values are."""
        result: Any = 1.0
        for name in self.names:
            result = result * values[name]
        return result * self.factor

    def text(self, values: Values) -> str:
        """As it is reckoned: ``60 h × $100``, with what it is for where that isn't plain."""
        first = self.names[0]
        parts, what = first.split("."), ""
        if parts[0] == "table" or (parts[1] == "upfront" and len(parts) == 4):
            what = f"{plain(parts[-2])} "
        elif parts[2:3] == ["ongoing"]:
            what = f"{plain(parts[-1].split('_')[0])} "
        by_quarter = first.endswith(("retraining_hours_per_quarter", "retraining.hours"))
        factors = [_factor(name, float(values[name])) for name in self.names]
        return f"{what}{' × '.join(factors)}{' / 3' if by_quarter else ''}"


Sum = tuple[Product, ...]


def total(terms: Iterable[Product], values: Values) -> Any:
    """The sum of products; 0 for none."""
    return sum((term.value(values) for term in terms), 0.0)


def likely(inputs: Inputs) -> dict[str, float]:
    """Every input at its likeliest."""
    return {name: amount.value for name, amount in inputs.items()}


def corners(inputs: Inputs, names: Iterable[str]) -> Iterator[dict[str, float]]:
    """Every pairing of the ends of some inputs, the others at their likeliest: 2ⁿ for n ranges."""
    open_names = sorted({name for name in names if name in inputs and inputs[name].varies})
    for chosen in product(*((inputs[name].low, inputs[name].high) for name in open_names)):
        yield {**likely(inputs), **dict(zip(open_names, chosen, strict=True))}


# What tuning costs and brings.

_RETRAINED = ("data_preparation", "training")
"""What is done again for the next base model; the test and the integration stay."""


@dataclass(frozen=True, slots=True)
class CostModel:
    """Costs and benefits of tuning as sums over the inputs of a case, in USD."""

    inputs: Inputs
    upfront: Sum | None
    """Before the first version is live; None when hours can't be priced."""
    retraining: Sum
    """The part of it that is paid again when the model has to be tuned anew."""
    retraining_is: str
    """How it is known what is paid again."""
    running: Sum | None
    """A month, the tuned model's serving among it; None when hours can't be priced."""
    running_besides: Sum | None
    """The same without the serving, where that is stated apart; None where it isn't."""
    savings: Sum
    """A month saved on calls, as stated; empty when nobody stated it."""
    quality: Sum
    """What better answers are worth a month; empty when nobody stated it."""
    table_running: Sum | None
    """Running costs by the framework's table; None without a table or an hourly rate."""
    table_besides: Sum | None
    """The same without serving."""
    assumed: tuple[str, ...]
    """Costs nobody stated, taken from the table."""

    def amount(self, terms: Sum) -> Interval:
        """A sum at the low ends, at the likely values and at the high ends of its inputs.

        Right only where every input raises the sum, which hours, rates and amounts do.
        """
        ends = (
            {name: getattr(amount, end) for name, amount in self.inputs.items()}
            for end in ("low", "value", "high")
        )
        return Interval(*(float(total(terms, values)) for values in ends))

    def sum_text(self, terms: Sum) -> str:
        """Products and their sum; the sum alone where it is a single amount."""
        value, line = usd(self.amount(terms).value), self.text(terms)
        return value if not line or line == value else f"{line} = {value}"

    def text(self, terms: Sum) -> str:
        """Products with a plus between; empty for none."""
        values = likely(self.inputs)
        return " + ".join(term.text(values) for term in terms)


def build_cost_model(case: Case, costs: Costs | None) -> CostModel:
    """Every amount of a case as sums over its inputs.

    A cost nobody stated comes from the framework's table, which takes an hourly rate; a benefit
    nobody stated is left out.
    """
    builder, economics = _Builder(case, costs), case.economics
    monthly, assumptions = economics.monthly, economics.assumptions
    upfront, retraining, retraining_is = builder.upfront()
    running, besides = builder.running()
    for name, amount in (
        (GROWTH, economics.traffic.growth_per_month),
        (DISCOUNT, assumptions.discount_per_year),
        (FAILURE, assumptions.failure_chance),
        (LIFE, assumptions.model_life_months),
    ):
        builder.note(name, amount)
    return CostModel(
        upfront=upfront,
        retraining=retraining,
        retraining_is=retraining_is,
        running=running,
        running_besides=besides,
        savings=builder.money(SAVINGS, monthly.api_savings_usd),
        quality=builder.money("economics.monthly.quality_value_usd", monthly.quality_value_usd),
        table_running=builder.table("ongoing"),
        table_besides=builder.table("ongoing", but=("inference",)),
        inputs=builder.inputs,
        assumed=tuple(builder.assumed),
    )


class _Builder:
    """Collects inputs while sums are made of them."""

    def __init__(self, case: Case, costs: Costs | None) -> None:
        self.economics, self.costs = case.economics, costs
        self.inputs: dict[str, Interval] = {}
        self.assumed: list[str] = []
        self.priced = self.note(RATE, case.economics.hourly_rate_usd)

    def note(self, name: str, amount: AnyAmount | None) -> bool:
        """Record an input; False when nobody stated it."""
        if amount is None:
            return False
        self.inputs[name] = amount.interval
        return True

    def money(self, name: str, amount: Amount | None) -> Sum:
        """An amount of money as it is stated; nothing when nobody stated it."""
        return (Product((name,)),) if self.note(name, amount) else ()

    def hours(self, name: str, amount: Amount | None, factor: float = 1.0) -> Sum | None:
        """Hours at the hourly rate; None when there are some and no rate."""
        if amount is None or amount.high == 0:
            return ()
        if not self.priced:
            return None
        self.note(name, amount)
        return (Product((name, RATE), factor),)

    def effort(self, path: str, effort: Effort) -> Sum | None:
        """Hours at the rate, and money beside them."""
        hours = self.hours(f"{path}.hours", effort.hours)
        return _joined((hours, self.money(f"{path}.usd", effort.usd)))

    def rows(self, table: Literal["upfront", "ongoing"]) -> dict[str, CostRow]:
        """Rows of one of the framework's two tables; empty without one."""
        rows = None if self.costs is None else getattr(self.costs, table)
        return {str(name): row for name, row in (rows or {}).items()}

    def table(self, table: Literal["upfront", "ongoing"], but: tuple[str, ...] = ()) -> Sum | None:
        """The framework's table; None without one, or without a price for hours."""
        if self.costs is None or not self.priced:
            return None
        terms: list[Product] = []
        for name, row in self.rows(table).items():
            factor = 1 / MONTHS_PER_QUARTER if row.every == "quarter" else 1.0
            for kind, span, rest in (("hours", row.hours, (RATE,)), ("usd", row.usd, ())):
                if span is not None and name not in but:
                    path = f"table.{table}.{name}.{kind}"
                    self.inputs[path] = Interval(span.low, _middle(span), span.high)
                    terms.append(Product((path, *rest), factor))
        return tuple(terms)

    def upfront(self) -> tuple[Sum | None, Sum, str]:
        """Cost up to the first version, what of it is paid again, and how that is known."""
        stated, path = self.economics.upfront, "economics.upfront"
        known = "data preparation and training are paid again"
        if stated.by_category:
            parts = {
                name: self.effort(f"{path}.{name}", effort)
                for name, effort in stated.by_category.items()
            }
            again = _joined(part for name, part in parts.items() if name in _RETRAINED)
            return _joined(parts.values()), again or (), known
        if stated.hours is not None or stated.usd is not None:
            terms = self.effort(path, Effort(hours=stated.hours, usd=stated.usd))
            hours, money = self._share_retrained("hours"), self._share_retrained("usd")
            again = tuple(
                replace(term, factor=term.factor * (hours if RATE in term.names else money))
                for term in terms or ()
            )
            if hours == money == 1:
                known = (
                    "the whole upfront cost is paid again, because nobody said what of it is data "
                    "preparation and training"
                )
            else:
                known += ", at their share of the framework's table"
            return terms, again, known
        whole = self.table("upfront")
        if whole is None:
            return None, (), known
        self.assumed.append(path)
        stays = tuple(name for name in self.rows("upfront") if name not in _RETRAINED)
        return whole, self.table("upfront", but=stays) or (), known

    def _share_retrained(self, kind: Literal["hours", "usd"]) -> float:
        """Share of the table's upfront hours, or money, that comes again; 1 where it has none."""
        spans = {name: getattr(row, kind) for name, row in self.rows("upfront").items()}
        middles = {name: _middle(span) for name, span in spans.items() if span is not None}
        whole = sum(middles.values())
        return sum(middles.get(name, 0.0) for name in _RETRAINED) / whole if whole > 0 else 1.0

    def running(self) -> tuple[Sum | None, Sum | None]:
        """Running costs a month, and those beside the serving where they are stated apart."""
        monthly, path = self.economics.monthly, "economics.monthly"
        if monthly.ongoing_usd is not None:
            return self.money(f"{path}.ongoing_usd", monthly.ongoing_usd), None
        if monthly.ongoing is None:
            whole = self.table("ongoing")
            if whole is not None:
                self.assumed.append(f"{path}.ongoing_usd")
            return whole, self.table("ongoing", but=("inference",))
        kinds, path = monthly.ongoing, f"{path}.ongoing"
        quarterly, retraining = f"{path}.retraining_hours_per_quarter", 1 / MONTHS_PER_QUARTER
        besides = _joined(
            (
                self.money(f"{path}.other_usd", kinds.other_usd),
                self.hours(f"{path}.monitoring_hours", kinds.monitoring_hours),
                self.hours(quarterly, kinds.retraining_hours_per_quarter, retraining),
            )
        )
        return _joined((self.money(f"{path}.inference_usd", kinds.inference_usd), besides)), besides


def _middle(span: Span) -> float:
    return (span.low + span.high) / 2


def _joined(parts: Iterable[Sum | None]) -> Sum | None:
    """All products together; None when a part couldn't be priced."""
    joined: Sum = ()
    for part in parts:
        if part is None:
            return None
        joined += part
    return joined


# Inputs and small amounts of money in words.


def label(path: str) -> str:
    """An input in words: ``hours of monitoring`` for its dotted path."""
    parts = path.split(".")
    field = case_fields().get(field_path(path))
    if field is not None:
        which = f" (model {int(parts[1]) + 1})" if parts[0] == "models" else ""
        return (field.label or field.title) + which
    of = {"hours": "hours of", "usd": "money for"}.get(parts[-1])
    table = " (table)" if parts[0] == "table" else ""
    return f"{of} {plain(parts[-2])}{table}" if of else plain(parts[-1])


def call_usd(amount: float) -> str:
    """The price of a call, with three digits that say something: ``$0.0183``."""
    if amount == 0 or abs(amount) >= 1:
        return usd(amount)
    places = min(2 - math.floor(math.log10(abs(amount))), 15)
    text = f"{abs(amount):.{places}f}".rstrip("0").rstrip(".")
    if text == "0":
        return "next to $0"
    return f"-${text}" if amount < 0 else f"${text}"


def mtok_usd(usd_per_mtok: float) -> str:
    """A price for a million tokens: ``$2.50``."""
    if 0 < usd_per_mtok < 0.0001:
        return call_usd(usd_per_mtok)
    whole, _, cents = f"{usd_per_mtok:.4f}".rstrip("0").partition(".")
    return f"${whole}.{cents:0<2}"


def _factor(path: str, value: float) -> str:
    if path.endswith("usd"):
        return usd(value)
    return f"{number(value) if value < 1000 else count(value)} h"
