"""The closed form of the investment: stated amounts win, the table stands in for unstated costs."""

from __future__ import annotations

import math

from tuneworthy.domain.assessment import Reason
from tuneworthy.domain.case import Case
from tuneworthy.domain.costs import Costs, Span, ongoing_usd
from tuneworthy.domain.economics import Amount, Effort, Ongoing
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.investment import (
    NO_MONEY,
    Appraisal,
    Investment,
    Money,
    Months,
    break_even,
)
from tuneworthy.domain.units import MONTHS_PER_QUARTER

_WORTH = ("low", "medium", "high")


def appraise(case: Case, framework: Framework) -> Appraisal:
    """Compute the investment and hold it against the framework's break-even rule.

    A benefit nobody stated counts as none: it has no default. A cost nobody stated is taken from
    the framework's table, which takes an hourly rate.

    Returns:
        Justified: yes when every pairing of the ranges pays back in time and the strategic value is
        high enough; no when none does or the value isn't; unknown with what to ask otherwise.
    """
    monthly, economics = case.economics.monthly, case.economics
    if monthly.api_savings_usd is None and monthly.quality_value_usd is None:
        return Appraisal(None, "unknown", Reason("no_benefit_stated"))
    rate = _money(economics.hourly_rate_usd) if economics.hourly_rate_usd else None
    assumed: list[str] = []
    upfront = _upfront(case, framework.costs, rate, assumed)
    ongoing = _ongoing(case, framework.costs, rate, assumed)
    if upfront is None or ongoing is None:
        return Appraisal(None, "unknown", Reason("no_hourly_rate"))
    benefits = _money(monthly.api_savings_usd) + _money(monthly.quality_value_usd)
    table = _table_ongoing(framework.costs, rate)
    investment = Investment(
        upfront=upfront,
        monthly_net=benefits - ongoing,
        months=break_even(upfront, benefits - ongoing),
        table_ongoing=table,
        table_months=break_even(upfront, benefits - table) if table else None,
        assumed=tuple(assumed),
    )
    return _judge(investment, case, framework)


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


def _money(amount: Amount | None) -> Money:
    return NO_MONEY if amount is None else Money(amount.low, amount.likely, amount.high)


def _span(span: Span | None) -> Money:
    """A range of a table; its likely value is its middle."""
    return NO_MONEY if span is None else Money(span.low, (span.low + span.high) / 2, span.high)


def _effort(effort: Effort, rate: Money | None) -> Money | None:
    if effort.hours is not None and effort.hours.high > 0:
        if rate is None:
            return None
        return _money(effort.hours).times(rate) + _money(effort.usd)
    return _money(effort.usd)


def _upfront(
    case: Case, costs: Costs | None, rate: Money | None, assumed: list[str]
) -> Money | None:
    """Cost up to the first version; None when hours can't be priced."""
    stated = case.economics.upfront
    if stated.by_category:
        total: Money | None = NO_MONEY
        for effort in stated.by_category.values():
            part = _effort(effort, rate)
            total = None if part is None or total is None else total + part
        return total
    if stated.hours is not None or stated.usd is not None:
        return _effort(Effort(hours=stated.hours, usd=stated.usd), rate)
    if costs is None or rate is None:
        return None
    assumed.append("economics.upfront")
    total = NO_MONEY
    for row in costs.upfront.values():
        total = total + _span(row.hours).times(rate) + _span(row.usd)
    return total


def _ongoing(
    case: Case, costs: Costs | None, rate: Money | None, assumed: list[str]
) -> Money | None:
    """Running costs a month; None when hours can't be priced."""
    monthly = case.economics.monthly
    if monthly.ongoing_usd is not None:
        return _money(monthly.ongoing_usd)
    if monthly.ongoing is not None:
        return _by_category(monthly.ongoing, rate)
    table = _table_ongoing(costs, rate)
    if table is not None:
        assumed.append("economics.monthly.ongoing_usd")
    return table


def _by_category(ongoing: Ongoing, rate: Money | None) -> Money | None:
    watching = _effort(Effort(hours=ongoing.monitoring_hours), rate)
    retraining = _effort(Effort(hours=ongoing.retraining_hours_per_quarter), rate)
    if watching is None or retraining is None:
        return None
    third = 1 / MONTHS_PER_QUARTER
    monthly = retraining.times(Money(third, third, third))
    return _money(ongoing.inference_usd) + _money(ongoing.other_usd) + watching + monthly


def _table_ongoing(costs: Costs | None, rate: Money | None) -> Money | None:
    if costs is None or rate is None:
        return None
    low, high = ongoing_usd(costs, rate.low, "low"), ongoing_usd(costs, rate.high, "high")
    return Money(low, (low + high) / 2, high)


def never(months: Months) -> bool:
    """Whether no pairing of the ranges ever pays back."""
    return math.isinf(months.low)
