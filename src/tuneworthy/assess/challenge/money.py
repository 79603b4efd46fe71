"""Expectations about money that the tables, the bill or the calendar don't carry."""

from __future__ import annotations

from tuneworthy.assess.challenge.facts import Facts
from tuneworthy.domain.assessment import Challenge
from tuneworthy.domain.costs import ongoing_usd
from tuneworthy.domain.units import months_to_reach


def ongoing_below_table(facts: Facts) -> Challenge | None:
    """Running costs below what the framework's own table adds up to."""
    stated = facts.case.economics.monthly.ongoing_usd
    rate, costs = facts.case.economics.hourly_rate_usd, facts.framework.costs
    if stated is None or rate is None or costs is None:
        return None
    low, high = ongoing_usd(costs, rate.low, "low"), ongoing_usd(costs, rate.high, "high")
    if stated.high >= low:
        return None
    numbers = {"stated": stated.likely, "low": low, "high": high, "rate": rate.likely}
    between = ("economics.monthly.ongoing_usd", "economics.hourly_rate_usd")
    return Challenge("ongoing_below_table", "pushback", between, numbers)


def saving_above_bill(facts: Facts) -> Challenge | None:
    """A saving that is larger than what is paid today."""
    saving, bill = facts.case.economics.monthly.api_savings_usd, facts.bill_usd
    if saving is None or bill is None or saving.low <= bill:
        return None
    growth = facts.growth_per_month
    numbers: dict[str, object] = {
        "saving": saving.likely, "bill": bill, "requests": facts.requests, "growth": growth,
    }  # fmt: skip
    if facts.request_usd and facts.requests:
        numbers["fits_at"] = saving.likely / facts.request_usd
        numbers["fits_in"] = months_to_reach(
            now=facts.requests,
            target=saving.likely / facts.request_usd,
            growth_per_month=growth or 0.0,
        )
    stated = facts.case.today.usd_per_month is not None
    between = (
        "economics.monthly.api_savings_usd",
        "today.usd_per_month" if stated else "economics.traffic.requests_per_month",
    )
    return Challenge("saving_above_bill", "contradiction", between, numbers)


def saving_above_published(facts: Facts) -> Challenge | None:
    """A saving above the range that the framework names for a system at scale."""
    saving, costs = facts.case.economics.monthly.api_savings_usd, facts.framework.costs
    if saving is None or costs is None or costs.returns is None:
        return None
    span = costs.returns.api_savings_usd_per_month
    if saving.low <= span.high:
        return None
    numbers = {"saving": saving.likely, "low": span.low, "high": span.high}
    between = ("economics.monthly.api_savings_usd",)
    return Challenge("saving_above_published", "pushback", between, numbers)


def upfront_below_table(facts: Facts) -> Challenge | None:
    """Less work before the first version than the framework's own table."""
    costs, stated = facts.framework.costs, facts.case.economics.upfront.hours
    if costs is None or costs.upfront_total is None or stated is None:
        return None
    span = costs.upfront_total.hours
    if stated.high >= span.low:
        return None
    numbers = {"hours": stated.likely, "low": span.low, "high": span.high}
    between = ("economics.upfront.hours",)
    return Challenge("upfront_below_table", "pushback", between, numbers)


def no_retraining(facts: Facts) -> Challenge | None:
    """Running costs by category in which the model is never trained again."""
    ongoing = facts.case.economics.monthly.ongoing
    if ongoing is None:
        return None
    hours = ongoing.retraining_hours_per_quarter
    if hours is not None and hours.high > 0:
        return None
    row = facts.framework.costs.ongoing.get("retraining") if facts.framework.costs else None
    span = row.hours if row else None
    numbers = {"low": span.low, "high": span.high} if span else {}
    between = ("economics.monthly.ongoing.retraining_hours_per_quarter",)
    return Challenge("no_retraining", "pushback", between, numbers)


def no_evaluation_hours(facts: Facts) -> Challenge | None:
    """Upfront costs by category in which nobody evaluates the result."""
    upfront = facts.case.economics.upfront
    if not upfront.by_category:
        return None
    hours = upfront.evaluation.hours if upfront.evaluation else None
    if hours is not None and hours.high > 0:
        return None
    row = facts.framework.costs.upfront.get("evaluation") if facts.framework.costs else None
    span = row.hours if row else None
    numbers = {"low": span.low, "high": span.high} if span else {}
    between = ("economics.upfront.evaluation.hours",)
    return Challenge("no_evaluation_hours", "pushback", between, numbers)


def no_pilot(facts: Facts) -> Challenge | None:
    """Straight to production without a pilot."""
    if facts.case.tuning.pilot != "no":
        return None
    return Challenge("no_pilot", "pushback", ("tuning.pilot",))


def model_switch_planned(facts: Facts) -> Challenge | None:
    """A tuned model stays with the base it was made from."""
    if facts.case.tuning.model_switch != "yes":
        return None
    return Challenge("model_switch_planned", "pushback", ("tuning.model_switch", "goals"))


ALL = (
    ongoing_below_table,
    saving_above_bill,
    saving_above_published,
    upfront_below_table,
    no_retraining,
    no_evaluation_hours,
    no_pilot,
    model_switch_planned,
)
