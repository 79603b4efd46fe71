"""A case's statements about money, and the framework's table where the case is silent, as terms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from tuneworthy.domain.books import (
    DISCOUNT,
    FAILURE,
    GROWTH,
    LIFE,
    RATE,
    AgainIs,
    Books,
    Spread,
    Term,
    Terms,
)
from tuneworthy.domain.case import Case
from tuneworthy.domain.costs import CostRow, Costs, Span
from tuneworthy.domain.economics import Amount, Effort
from tuneworthy.domain.units import MONTHS_PER_QUARTER

_AGAIN = ("data_preparation", "training")
"""What is done again for the next base model; the test and the integration stay."""
_SERVING = "inference"


def keep_books(case: Case, costs: Costs | None) -> Books:
    """Every amount of a case as terms over its inputs.

    A cost nobody stated comes from the framework's table, which takes an hourly rate; a benefit
    nobody stated is left out.
    """
    book = _Book(case, costs)
    upfront, again, again_is = book.upfront()
    running, besides = book.running()
    table = book.table("ongoing")
    besides_table = book.table("ongoing", but=(_SERVING,))
    monthly = case.economics.monthly
    savings = book.stated("economics.monthly.api_savings_usd", monthly.api_savings_usd)
    quality = book.stated("economics.monthly.quality_value_usd", monthly.quality_value_usd)
    book.forecast()
    return Books(
        inputs=book.inputs, upfront=upfront, again=again, again_is=again_is, running=running,
        running_besides=besides, savings=savings, quality=quality, table_running=table,
        table_besides=besides_table, assumed=tuple(book.assumed),
    )  # fmt: skip


class _Book:
    """Collects inputs while terms are made of them."""

    def __init__(self, case: Case, costs: Costs | None) -> None:
        self.economics, self.costs = case.economics, costs
        self.inputs: dict[str, Spread] = {}
        self.assumed: list[str] = []
        self.priced = self.note(RATE, case.economics.hourly_rate_usd)

    def note(self, name: str, amount: Amount | None) -> bool:
        """Take an input down; False when nobody stated it."""
        if amount is None:
            return False
        self.inputs[name] = Spread(amount.low, amount.likely, amount.high)
        return True

    def stated(self, name: str, amount: Amount | None, factor: float = 1.0) -> Terms:
        """An amount of money as it stands; no term when nobody stated it."""
        return (Term((name,), factor),) if self.note(name, amount) else ()

    def hours(self, name: str, amount: Amount | None, factor: float = 1.0) -> Terms | None:
        """Hours at the hourly rate; None when there are some and no rate."""
        if amount is None or amount.high == 0:
            return ()
        if not self.priced:
            return None
        self.note(name, amount)
        return (Term((name, RATE), factor),)

    def effort(self, path: str, effort: Effort) -> Terms | None:
        """Hours at the rate, and money beside them."""
        return _joined((self.hours(f"{path}.hours", effort.hours),
                        self.stated(f"{path}.usd", effort.usd)))  # fmt: skip

    def table(self, room: str, but: tuple[str, ...] = ()) -> Terms | None:
        """Rows of the framework's table; None without one, or without a price for hours."""
        if self.costs is None or not self.priced:
            return None
        terms: list[Term] = []
        for name, row in self.rows(room).items():
            if name in but:
                continue
            factor = 1 / MONTHS_PER_QUARTER if row.every == "quarter" else 1.0
            path = f"table.{room}.{name}"
            if row.hours is not None:
                self.inputs[f"{path}.hours"] = _middle(row.hours)
                terms.append(Term((f"{path}.hours", RATE), factor))
            if row.usd is not None:
                self.inputs[f"{path}.usd"] = _middle(row.usd)
                terms.append(Term((f"{path}.usd",), factor))
        return tuple(terms)

    def rows(self, room: str) -> dict[str, CostRow]:
        """Rows of one of the two tables by name; empty without a table."""
        if self.costs is None:
            return {}
        found = self.costs.upfront if room == "upfront" else self.costs.ongoing
        return {str(name): row for name, row in found.items()}

    def upfront(self) -> tuple[Terms | None, Terms, AgainIs]:
        """Cost up to the first version, and what of it comes again."""
        stated, path = self.economics.upfront, "economics.upfront"
        if stated.by_category:
            each = stated.by_category.items()
            parts = {name: self.effort(f"{path}.{name}", effort) for name, effort in each}
            again = _joined(part for name, part in parts.items() if name in _AGAIN)
            return _joined(parts.values()), again or (), "stated"
        if stated.hours is not None or stated.usd is not None:
            terms = self.effort(path, Effort(hours=stated.hours, usd=stated.usd))
            hours, usd = self.share_again("hours"), self.share_again("usd")
            again = tuple(
                replace(t, factor=t.factor * (hours if RATE in t.names else usd))
                for t in terms or ()
            )
            return terms, again, "all" if hours == usd == 1 else "by_table"
        whole = self.table("upfront")
        if whole is None:
            return None, (), "stated"
        self.assumed.append(path)
        stays = tuple(name for name in self.rows("upfront") if name not in _AGAIN)
        return whole, self.table("upfront", but=stays) or (), "stated"

    def share_again(self, kind: Literal["hours", "usd"]) -> float:
        """Share of the table's upfront hours, or money, that comes again; 1 where it has none."""
        spans = {name: getattr(row, kind) for name, row in self.rows("upfront").items()}
        middles = {name: _middle(span).likely for name, span in spans.items() if span is not None}
        whole = sum(middles.values())
        return sum(middles.get(name, 0.0) for name in _AGAIN) / whole if whole > 0 else 1.0

    def running(self) -> tuple[Terms | None, Terms | None]:
        """Running costs a month, and those beside the serving where they are stated apart."""
        monthly, path = self.economics.monthly, "economics.monthly"
        if monthly.ongoing_usd is not None:
            return self.stated(f"{path}.ongoing_usd", monthly.ongoing_usd), None
        if monthly.ongoing is not None:
            kinds, path = monthly.ongoing, f"{path}.ongoing"
            besides = _joined((
                self.stated(f"{path}.other_usd", kinds.other_usd),
                self.hours(f"{path}.monitoring_hours", kinds.monitoring_hours),
                self.hours(f"{path}.retraining_hours_per_quarter",
                           kinds.retraining_hours_per_quarter, 1 / MONTHS_PER_QUARTER),
            ))  # fmt: skip
            serving = self.stated(f"{path}.inference_usd", kinds.inference_usd)
            return _joined((serving, besides)), besides
        whole = self.table("ongoing")
        if whole is not None:
            self.assumed.append(f"{path}.ongoing_usd")
        return whole, self.table("ongoing", but=(_SERVING,))

    def forecast(self) -> None:
        """Take down what only a look ahead reads."""
        assumptions = self.economics.assumptions
        self.note(GROWTH, self.economics.traffic.growth_per_month)
        self.note(DISCOUNT, assumptions.discount_per_year)
        self.note(FAILURE, assumptions.failure_chance)
        self.note(LIFE, assumptions.model_life_months)


def _middle(span: Span) -> Spread:
    """A range of a table; its likely value is its middle."""
    return Spread(span.low, (span.low + span.high) / 2, span.high)


def _joined(parts: Iterable[Terms | None]) -> Terms | None:
    """All terms together; None when a part couldn't be priced."""
    found: list[Term] = []
    for part in parts:
        if part is None:
            return None
        found += part
    return tuple(found)
