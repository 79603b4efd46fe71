"""The closed form of the investment: stated amounts win, the table stands in for unstated costs."""

from __future__ import annotations

from tuneworthy.domain.assessment import Reason
from tuneworthy.domain.books import Books, Terms, money
from tuneworthy.domain.case import Case
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.investment import Appraisal, Investment, Money, break_even
from tuneworthy.domain.money import Drawn
from tuneworthy.domain.serving import Comparison, Saved

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


def _money(terms: Terms | None, books: Books) -> Money | None:
    return None if terms is None else money(terms, books.inputs)


def _judge(investment: Investment, case: Case, framework: Framework) -> Appraisal:
    rule = framework.break_even
    numbers: dict[str, object] = {
        "low": investment.months.low,
        "high": investment.months.high,
    }
    if rule is None:
        return Appraisal(investment, "unknown", Reason("no_break_even_rule", numbers))
    numbers = {**numbers, "under": rule.under_months, "wanted": rule.strategic_value,
               "strategic": case.strategic_value}  # fmt: skip
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
