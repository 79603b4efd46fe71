"""Expectations about money that the tables, the bill or the calendar don't carry."""

from __future__ import annotations

from tuneworthy.model.base import months_to_reach
from tuneworthy.model.dossier import Challenge
from tuneworthy.model.framework import ongoing_usd
from tuneworthy.verdict.challenges.facts import Facts, Numbers, says
from tuneworthy.words import count, usd, usd_range

# Expectations about money that the tables, the bill or the calendar don't carry.


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
        "saving": saving.likely,
        "bill": bill,
        "requests": facts.requests,
        "growth": growth,
    }
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


# Words for expectations about money.


@says
def _ongoing_below_table(n: Numbers) -> tuple[str, str]:
    return (
        (
            f"Running costs of {usd(n['stated'])} a month are stated; the framework's own table "
            "(inference, "
            f"monitoring and retraining at {usd(n['rate'])} an hour) adds up to "
            f"{usd_range(n['low'], n['high'])}."
        ),
        "Price inference, monitoring and retraining one by one",
    )


@says
def _saving_above_bill(n: Numbers) -> tuple[str, str]:
    calls = f"{count(n['requests'])} calls cost" if n["requests"] else "The present system costs"
    says = (
        f"A saving of {usd(n['saving'])} a month is stated; {calls} about {usd(n['bill'])} today."
    )
    if n.get("fits_at"):
        says += f" It fits from about {count(n['fits_at'])} calls a month"
        fits_in = n.get("fits_in")
        says += (
            f": month {fits_in} at the stated growth."
            if fits_in
            else "; no growth is stated that gets there."
        )
    return says, "Confirm the growth, or state the saving at today's volume"


@says
def _saving_above_published(n: Numbers) -> tuple[str, str]:
    return (
        (
            f"A saving of {usd(n['saving'])} a month is stated; at scale "
            f"{usd_range(n['low'], n['high'])} is usual."
        ),
        "Compute it from calls, tokens and prices",
    )


@says
def _upfront_below_table(n: Numbers) -> tuple[str, str]:
    return (
        (
            f"{count(n['hours'])} hours up front are stated; data, evaluation and deployment "
            "usually "
            "take "
            f"{count(n['low'])}–{count(n['high'])}."
        ),
        "Estimate the four categories one by one",
    )


@says
def _no_retraining(n: Numbers) -> tuple[str, str]:
    usual = f" The table has {count(n['low'])}–{count(n['high'])} hours a quarter." if n else ""
    return (
        f"Nothing is planned for retraining, so the model ages with its data.{usual}",
        "Plan retraining, or say for how long the first version has to last",
    )


@says
def _no_evaluation_hours(n: Numbers) -> tuple[str, str]:
    usual = f" The table has {count(n['low'])}–{count(n['high'])} hours." if n else ""
    return (
        f"No hours are planned to evaluate the tuned model.{usual}",
        "Plan the evaluation before the training: without it nobody can tell whether it worked",
    )


@says
def _no_pilot(_: Numbers) -> tuple[str, str]:
    return (
        "No pilot is planned.",
        "Tune once on a tenth of the data and compare on untouched cases before the rest is spent",
    )


@says
def _model_switch_planned(_: Numbers) -> tuple[str, str]:
    return (
        "Another base model is planned, and tuned weights stay with the base they were made from.",
        "Switch first and measure again; keep data and evaluation, which move along",
    )
