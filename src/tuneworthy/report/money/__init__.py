"""The money as a section of the dossier: numbers become words here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from tuneworthy.domain.assessment import Reason
from tuneworthy.domain.books import Spread
from tuneworthy.domain.investment import Money, Months
from tuneworthy.domain.money import Drawn, Outlook
from tuneworthy.domain.outlook import (
    BreakEven,
    ByTable,
    Computed,
    Duration,
    InvestmentResult,
    Month,
    Number,
    Percentiles,
    Serving,
    Simulation,
    Swing,
)
from tuneworthy.domain.record import Range, Unknown
from tuneworthy.domain.serving import Comparison, Judged, Saved
from tuneworthy.report.money.labels import label
from tuneworthy.report.money.steps import computed_steps, spread, stated_steps
from tuneworthy.report.serving import money_why, way_name
from tuneworthy.report.verdicts import why
from tuneworthy.report.words import count

_NO_RATE = "state what an hour of work costs (economics.hourly_rate_usd)"
_NO_RULE = "the framework has no break-even rule: add break_even.under_months"

_ASSUMES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "nothing_varies": lambda _: (
        "every amount is stated as one number, so every draw is the same: give the uncertain ones "
        "as {low, likely, high}"
    ),
    "no_discount": lambda _: (
        "money later counts as much as money now (economics.assumptions.discount_per_year)"
    ),
    "no_failure": lambda _: "the tuning works (economics.assumptions.failure_chance)",
    "no_model_end": lambda _: (
        "the tuned model never has to be tuned anew (economics.assumptions.model_life_months)"
    ),
    "tuned_again": lambda n: "when the model's life ends, " + {
        "stated": "data preparation and training are paid again",
        "by_table": "data preparation and training are paid again, at their share of the "
        "framework's table",
        "all": "the whole upfront cost is paid again, because nobody said what of it is data "
        "preparation and training",
    }[n["part"]],
    "benefits_constant": lambda n: (
        "stated benefits are the same every month"
        + (", although traffic is said to change" if n["growth"] else "")
    ),
    "traffic_constant": lambda _: (
        "traffic stays as it is (economics.traffic.growth_per_month)"
    ),
    "growth_goes_on": lambda n: (
        f"the stated growth goes on for all {n['months']} months, from {count(n['now'])} to "
        f"{count(n['then'])} calls a month"
    ),
}  # fmt: skip


def investment(outlook: Outlook) -> InvestmentResult | Unknown:
    """The money, or what to state first."""
    appraisal, found = outlook.appraisal, outlook.appraisal.investment
    comparison = outlook.comparison
    if found is None and not isinstance(comparison.saved, Saved):
        return Unknown(ask=why(appraisal.why))
    later, rate = Unknown(ask=why(appraisal.why)), Unknown(ask=_NO_RATE)
    table_usd, table_months = (found.table_ongoing, found.table_months) if found else (None, None)
    return InvestmentResult(
        upfront_usd=later if found is None else _usd(found.upfront),
        monthly_net_usd=later if found is None else _usd(found.monthly_net),
        break_even_months=_break_even(outlook),
        p_within_6_months=_in_time(outlook.drawn, later),
        justified=appraisal.justified,
        why=why(appraisal.why),
        assumed=found.assumed if found else (),
        by_table=ByTable(
            ongoing_usd=rate if table_usd is None else _usd(table_usd),
            break_even_months=rate if table_months is None else _months(table_months),
        ),
        steps=tuple(stated_steps(outlook)),
        computed=_computed(outlook),
        simulation=later if outlook.drawn is None else _simulation(outlook.drawn),
    )


def _break_even(outlook: Outlook) -> BreakEven:
    found, drawn = outlook.appraisal.investment, outlook.drawn
    later: Any = Unknown(ask=why(outlook.appraisal.why))
    ends = (later, later, later) if drawn is None else [_month(value) for value in drawn.months]
    return BreakEven(
        point=later if found is None else _months(found.months),
        p10=ends[0], p50=ends[1], p90=ends[2],
    )  # fmt: skip


def _in_time(drawn: Drawn | None, later: Unknown) -> Number:
    if drawn is None:
        return later
    return Unknown(ask=_NO_RULE) if drawn.in_time is None else drawn.in_time


def _usd(money: Money) -> Number:
    return money.likely if money.low == money.high else Range(low=money.low, high=money.high)


def _months(months: Months) -> Duration:
    if math.isinf(months.low):
        return "never"
    if math.isinf(months.high):
        return Range(low=months.low, high="open")
    return months.low if months.low == months.high else Range(low=months.low, high=months.high)


def _month(value: float) -> Duration:
    return "never" if math.isinf(value) else value


def _computed(outlook: Outlook) -> Computed | Unknown:
    comparison = outlook.comparison
    saved = comparison.saved
    if not comparison.ways:
        return Unknown(ask=money_why(saved) if isinstance(saved, Reason) else "")
    lacks: Any = Unknown(ask=money_why(saved)) if isinstance(saved, Reason) else None
    return Computed(
        servings=tuple(_serving(one) for one in comparison.ways),
        best_untuned=_best(comparison),
        savings_usd_per_month=_usd(saved.usd) if isinstance(saved, Saved) else lacks,
        pays_from_requests_per_month=_when(saved.volume) if isinstance(saved, Saved) else lacks,
        pays_from_month=_when(saved.month) if isinstance(saved, Saved) else lacks,
        steps=tuple(computed_steps(comparison, outlook.books)),
    )


def _best(comparison: Comparison) -> str:
    """The cheapest that may be used; with none, the cheapest that isn't ruled out."""
    for state in ("yes", "unknown"):
        for one in comparison.ways:
            if not one.way.tuned and one.usd is not None and one.admissible == state:
                return way_name(one.way.model, one.way.how)
    return "none"


def _when(value: Spread | Reason) -> Any:
    return Unknown(ask=money_why(value)) if isinstance(value, Reason) else spread(value)


def _serving(one: Judged) -> Serving:
    return Serving(
        model=one.way.model,
        how=one.way.how,
        tuned=one.way.tuned,
        usd_per_month=Unknown(ask=money_why(one.reasons[0])) if one.usd is None else _usd(one.usd),
        admissible=one.admissible,
        why="; ".join(money_why(reason) for reason in one.reasons),
    )


def _simulation(drawn: Drawn) -> Simulation:
    p10, p50, p90 = drawn.npv
    return Simulation(
        draws=drawn.draws,
        horizon_months=drawn.horizon_months,
        p_never=drawn.never,
        npv_usd=Percentiles(p10=p10, p50=p50, p90=p90),
        curve=tuple(
            Month(month=number, p10=low, p50=middle, p90=high)
            for number, (low, middle, high) in enumerate(drawn.curve)
        ),
        tornado=tuple(
            Swing(input=label(name), low_usd=low, high_usd=high)
            for name, low, high in drawn.tornado
        ),
        cost_of_waiting_usd=drawn.waiting_usd,
        assumes=tuple(_ASSUMES[reason.id](reason.numbers) for reason in drawn.assumes),
    )
