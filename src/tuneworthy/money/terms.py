"""A case's statements about money, and the framework's table where the case is silent, as terms."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from tuneworthy.model.base import MONTHS_PER_QUARTER, Interval
from tuneworthy.model.case import Amount, Case, Effort
from tuneworthy.model.dossier import (
    DISCOUNT,
    FAILURE,
    GROWTH,
    LIFE,
    RATE,
    AgainIs,
    Appraisal,
    Books,
    Comparison,
    Drawn,
    Investment,
    Reason,
    Saved,
    Term,
    Terms,
    Values,
    break_even,
    money,
)
from tuneworthy.model.framework import CostRow, Costs, Framework, Span
from tuneworthy.words import count, number, plain, usd

# A case's statements about money, and the framework's table where the case is silent, as terms.

_AGAIN = ("data_preparation", "training")
"""What is done again for the next base model; the test and the integration stay."""
_TERMS_SERVING = "inference"


def keep_books(case: Case, costs: Costs | None) -> Books:
    """Every amount of a case as terms over its inputs.

    A cost nobody stated comes from the framework's table, which takes an hourly rate; a benefit
    nobody stated is left out.
    """
    book = _Book(case, costs)
    upfront, again, again_is = book.upfront()
    running, besides = book.running()
    table = book.table("ongoing")
    besides_table = book.table("ongoing", but=(_TERMS_SERVING,))
    monthly = case.economics.monthly
    savings = book.stated("economics.monthly.api_savings_usd", monthly.api_savings_usd)
    quality = book.stated("economics.monthly.quality_value_usd", monthly.quality_value_usd)
    book.forecast()
    return Books(
        inputs=book.inputs,
        upfront=upfront,
        again=again,
        again_is=again_is,
        running=running,
        running_besides=besides,
        savings=savings,
        quality=quality,
        table_running=table,
        table_besides=besides_table,
        assumed=tuple(book.assumed),
    )


class _Book:
    """Collects inputs while terms are made of them."""

    def __init__(self, case: Case, costs: Costs | None) -> None:
        self.economics, self.costs = case.economics, costs
        self.inputs: dict[str, Interval] = {}
        self.assumed: list[str] = []
        self.priced = self.note(RATE, case.economics.hourly_rate_usd)

    def note(self, name: str, amount: Amount | None) -> bool:
        """Take an input down; False when nobody stated it."""
        if amount is None:
            return False
        self.inputs[name] = Interval(amount.low, amount.likely, amount.high)
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
        return _joined(
            (self.hours(f"{path}.hours", effort.hours), self.stated(f"{path}.usd", effort.usd))
        )

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
        middles = {name: _middle(span).value for name, span in spans.items() if span is not None}
        whole = sum(middles.values())
        return sum(middles.get(name, 0.0) for name in _AGAIN) / whole if whole > 0 else 1.0

    def running(self) -> tuple[Terms | None, Terms | None]:
        """Running costs a month, and those beside the serving where they are stated apart."""
        monthly, path = self.economics.monthly, "economics.monthly"
        if monthly.ongoing_usd is not None:
            return self.stated(f"{path}.ongoing_usd", monthly.ongoing_usd), None
        if monthly.ongoing is not None:
            kinds, path = monthly.ongoing, f"{path}.ongoing"
            besides = _joined(
                (
                    self.stated(f"{path}.other_usd", kinds.other_usd),
                    self.hours(f"{path}.monitoring_hours", kinds.monitoring_hours),
                    self.hours(
                        f"{path}.retraining_hours_per_quarter",
                        kinds.retraining_hours_per_quarter,
                        1 / MONTHS_PER_QUARTER,
                    ),
                )
            )
            serving = self.stated(f"{path}.inference_usd", kinds.inference_usd)
            return _joined((serving, besides)), besides
        whole = self.table("ongoing")
        if whole is not None:
            self.assumed.append(f"{path}.ongoing_usd")
        return whole, self.table("ongoing", but=(_TERMS_SERVING,))

    def forecast(self) -> None:
        """Take down what only a look ahead reads."""
        assumptions = self.economics.assumptions
        self.note(GROWTH, self.economics.traffic.growth_per_month)
        self.note(DISCOUNT, assumptions.discount_per_year)
        self.note(FAILURE, assumptions.failure_chance)
        self.note(LIFE, assumptions.model_life_months)


def _middle(span: Span) -> Interval:
    """A range of a table; its likely value is its middle."""
    return Interval(span.low, (span.low + span.high) / 2, span.high)


def _joined(parts: Iterable[Terms | None]) -> Terms | None:
    """All terms together; None when a part couldn't be priced."""
    found: list[Term] = []
    for part in parts:
        if part is None:
            return None
        found += part
    return tuple(found)


# The closed form of the investment: stated amounts win, the table stands in for unstated costs.

SAVINGS = "economics.monthly.api_savings_usd"

_WORTH = ("low", "medium", "high")


def appraise(case: Case, framework: Framework, books: Books, comparison: Comparison) -> Appraisal:
    """Compute the investment and hold it against the framework's break-even rule.

    A saving nobody stated is computed where traffic and prices allow it, at today's volume; any
    other benefit nobody stated counts as none: it has no default. A cost nobody stated is taken
    from the framework's table, which takes an hourly rate.

    Returns:
        Justified: yes when every pairing of the ranges pays back in time and the strategic value is
        high enough; no when none does or the value isn't; unknown with what to ask otherwise.
    """
    saved = computed_saving(books, comparison)
    if not books.savings and not books.quality and saved is None:
        return Appraisal(None, "unknown", Reason("no_benefit_stated"))
    running = saved.fixed if saved else _money(books.running, books)
    upfront = _money(books.upfront, books)
    if upfront is None or running is None:
        return Appraisal(None, "unknown", Reason("no_hourly_rate"))
    quality = money(books.quality, books.inputs)
    benefits = (saved.usd if saved else money(books.savings, books.inputs)) + quality
    net = saved.net + quality if saved and saved.net is not None else benefits - running
    table = _money(books.table_besides if saved else books.table_running, books)
    investment = Investment(
        upfront=upfront,
        monthly_net=net,
        months=break_even(upfront, net),
        table_ongoing=table,
        table_months=break_even(upfront, benefits - table) if table else None,
        assumed=(*books.assumed, SAVINGS) if saved else books.assumed,
    )
    return _judge(investment, case, framework)


def computed_saving(books: Books, comparison: Comparison) -> Saved | None:
    """The computed saving where it counts: when none is stated and both sides have a price."""
    saved = comparison.saved
    return saved if isinstance(saved, Saved) and not books.savings else None


def _money(terms: Terms | None, books: Books) -> Interval | None:
    return None if terms is None else money(terms, books.inputs)


def _judge(investment: Investment, case: Case, framework: Framework) -> Appraisal:
    rule = framework.break_even
    numbers: dict[str, object] = {
        "low": investment.months.low,
        "high": investment.months.high,
    }
    if rule is None:
        return Appraisal(investment, "unknown", Reason("no_break_even_rule", numbers))
    numbers = {
        **numbers,
        "under": rule.under_months,
        "wanted": rule.strategic_value,
        "strategic": case.strategic_value,
    }
    if investment.months.low >= rule.under_months:
        return Appraisal(investment, "no", Reason("pays_too_late", numbers))
    value = case.strategic_value
    if value != "unknown" and _WORTH.index(value) < _WORTH.index(rule.strategic_value):
        return Appraisal(investment, "no", Reason("strategic_value_low", numbers))
    if investment.months.high >= rule.under_months:
        return Appraisal(investment, "unknown", Reason("pays_perhaps", numbers))
    if value == "unknown":
        return Appraisal(investment, "unknown", Reason("strategic_value_unknown", numbers))
    return Appraisal(investment, "yes", Reason("pays_in_time", numbers))


def with_draws(appraisal: Appraisal, drawn: Drawn | None, framework: Framework) -> Appraisal:
    """The appraisal, held against what the draws say.

    The closed form knows one month; growth, the model's life and the chance that tuning fails are
    in the draws alone. A yes that the middle draw doesn't bear out is unknown.
    """
    rule = framework.break_even
    if drawn is None or rule is None or appraisal.justified != "yes":
        return appraisal
    if drawn.months[1] < rule.under_months:
        return appraisal
    numbers = {**appraisal.why.numbers, "drawn": drawn.months[1]}
    return Appraisal(appraisal.investment, "unknown", Reason("draws_too_late", numbers))


# Inputs and small amounts of money in words.

_LABELS = {
    "economics.hourly_rate_usd": "hourly rate",
    "economics.upfront.hours": "hours up front",
    "economics.upfront.usd": "money up front",
    "economics.monthly.api_savings_usd": "saving on calls",
    "economics.monthly.quality_value_usd": "worth of better answers",
    "economics.monthly.ongoing_usd": "running costs",
    "economics.monthly.ongoing.inference_usd": "serving",
    "economics.monthly.ongoing.monitoring_hours": "hours of monitoring",
    "economics.monthly.ongoing.retraining_hours_per_quarter": "hours of retraining",
    "economics.monthly.ongoing.other_usd": "other running costs",
    "economics.traffic.requests_per_month": "calls a month",
    "economics.traffic.growth_per_month": "growth of traffic",
    "economics.traffic.input_tokens": "input tokens a call",
    "economics.traffic.output_tokens": "output tokens a call",
    "economics.traffic.tuned_input_tokens": "input tokens a call, tuned",
    "economics.traffic.tuned_output_tokens": "output tokens a call, tuned",
    "economics.assumptions.discount_per_year": "discount a year",
    "economics.assumptions.failure_chance": "chance that tuning fails",
    "economics.assumptions.model_life_months": "life of a tuned model",
}
_SERVING = {
    "gpu_usd_per_hour": "price of a GPU hour",
    "requests_per_gpu_hour": "calls a GPU answers in an hour",
    "utilisation": "utilisation of the GPUs",
    "always_on_gpus": "GPUs always on",
}


def label(path: str) -> str:
    """An input in words: ``hours of monitoring`` for its dotted path."""
    if path in _LABELS:
        return _LABELS[path]
    parts = path.split(".")
    if parts[-1] in _SERVING:
        which = f" (model {int(parts[1]) + 1})" if parts[0] == "models" else ""
        return _SERVING[parts[-1]] + which
    of = {"hours": "hours of", "usd": "money for"}.get(parts[-1])
    table = " (table)" if parts[0] == "table" else ""
    return f"{of} {plain(parts[-2])}{table}" if of else plain(parts[-1])


def small_usd(amount: float) -> str:
    """An amount with three digits that say something, for the price of a call: ``$0.0183``."""
    if amount == 0 or abs(amount) >= 1:
        return usd(amount)
    places = min(2 - math.floor(math.log10(abs(amount))), 15)
    text = f"{abs(amount):.{places}f}".rstrip("0").rstrip(".")
    if text == "0":
        return "next to $0"
    return f"-${text}" if amount < 0 else f"${text}"


def rate(usd_per_mtok: float) -> str:
    """A price for a million tokens: ``$2.50``."""
    if 0 < usd_per_mtok < 0.0001:
        return small_usd(usd_per_mtok)
    text = f"{usd_per_mtok:.4f}".rstrip("0")
    whole, _, cents = text.partition(".")
    return f"${whole}.{cents:0<2}"


def product(term: Term, values: Values) -> str:
    """A term as it is reckoned: ``60 h × $100``, with what it is for where that isn't plain."""
    factors = [_factor(name, float(values[name])) for name in term.names]
    quarter = (
        " / 3"
        if term.names[0].endswith(("retraining_hours_per_quarter", "retraining.hours"))
        else ""
    )
    return f"{_purpose(term.names[0])}{' × '.join(factors)}{quarter}"


def _purpose(path: str) -> str:
    parts = path.split(".")
    if parts[0] == "table" or (parts[1] == "upfront" and len(parts) == 4):
        return f"{plain(parts[-2])} "
    if parts[2:3] == ["ongoing"]:
        return f"{plain(parts[-1].split('_')[0])} "
    return ""


def _factor(path: str, value: float) -> str:
    if path.endswith("usd"):
        return usd(value)
    return f"{number(value) if value < 1000 else count(value)} h"
