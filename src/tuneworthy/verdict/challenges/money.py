"""Expectations about money that the tables, the bill or the calendar don't support."""

from __future__ import annotations

from tuneworthy.answers.facts import (
    CaseFacts,
    RaisedChallenge,
    contradiction,
    ends,
    known_range,
    monthly_pushback,
    pushback,
)
from tuneworthy.facts.load import end_day, facts_on, looked_up_end, serves_until
from tuneworthy.model.base import DAYS_PER_MONTH, Range, months_to_reach
from tuneworthy.model.case import Amount, in_use
from tuneworthy.model.framework import CostRow, ongoing_usd
from tuneworthy.words import (
    count,
    day,
    listing,
    months,
    months_range,
    plain,
    usd,
    usd_range,
)


@monthly_pushback
def ongoing_below_table(facts: CaseFacts) -> RaisedChallenge | None:
    """Running costs below the sum of the framework's own table."""
    stated = facts.case.economics.monthly.ongoing_usd
    rate = facts.case.economics.hourly_rate_usd
    costs = facts.framework.costs
    if stated is None or rate is None or costs is None:
        return None
    low = ongoing_usd(costs, rate.low, "low")
    high = ongoing_usd(costs, rate.high, "high")
    if stated.high >= low:
        return None
    return RaisedChallenge(
        between=("economics.monthly.ongoing_usd", "economics.hourly_rate_usd"),
        says=(
            f"Running costs of {usd(stated.likely)} per month are stated. The framework's own table "
            f"(inference, monitoring and retraining at {usd(rate.likely)} an hour) adds up to "
            f"{usd_range(low, high)}."
        ),
        settle="Price inference, monitoring and retraining one by one",
    )


@contradiction
def saving_above_bill(facts: CaseFacts) -> RaisedChallenge | None:
    """A saving larger than today's bill, as likely or at its highest."""
    saving = facts.case.economics.monthly.api_savings_usd
    bill = facts.bill
    if saving is None or bill is None:
        return None
    if saving.likely > bill.likely:
        stated = usd(saving.likely)
        paid = f"about {usd(bill.likely)}"
    elif saving.high > bill.high:
        stated = f"up to {usd(saving.high)}"
        most = "at most" if bill.interval.varies else "about"
        paid = f"{most} {usd(bill.high)}"
    else:
        return None
    calls = "the present system costs"
    if facts.requests:
        calls = f"{count(facts.requests)} calls cost"
    settle = "Confirm the growth, or state the saving at today's volume"
    if facts.case.one_off:
        settle = "State the saving of the job at what it costs"
    return RaisedChallenge(
        between=("economics.monthly.api_savings_usd", facts.bill_path),
        says=(
            f"A saving of {stated}{facts.case.a_month} is stated, but {calls} {paid} today."
            f"{_volume_for_saving(facts, saving, bill)}"
        ),
        settle=settle,
    )


def _volume_for_saving(facts: CaseFacts, saving: Amount, bill: Amount) -> str:
    """Say from how many calls a month a saving fits the bill, and when there will be so many.

    Empty for a one-off job, which doesn't grow, and where the cost of a call isn't known.
    """
    now = facts.requests
    usd_per_call = facts.request_usd
    if facts.case.one_off or not now or not usd_per_call:
        return ""
    amount = saving.likely if saving.likely > bill.likely else saving.high
    calls = amount / usd_per_call
    month = months_to_reach(now=now, target=calls, growth_per_month=facts.growth)
    grown = "and no stated growth gets there"
    if month:
        grown = f"{months(month)} from now at the stated growth"
    return f" It fits from about {count(calls)} calls a month, {grown}."


@contradiction
def bill_against_prices(facts: CaseFacts) -> RaisedChallenge | None:
    """A bill that clearly differs from the cost of the same calls at the model's list price."""
    used = in_use(facts.case)
    bill = facts.case.today.usd_per_month
    calls = facts.requests
    tolerance = facts.framework.threshold("stated_tolerance")
    priced = facts.serving("as_is")
    if used is None or bill is None or tolerance is None or priced is None or not calls:
        return None
    # the bill may have any discount that exists, and no surcharge
    served = [facts.serving(how) for how in _WAYS_TO_CALL]
    least = min(cost.low for cost in served if cost is not None)
    gap = max(least - bill.high, bill.low - priced.most)
    floor = facts.framework.threshold("bill_floor") or 0.0
    if gap <= max(tolerance * max(priced.most, bill.high), floor):
        return None
    return RaisedChallenge(
        between=("today.usd_per_month", "models", "economics.traffic"),
        says=(
            f"The bill is {usd_range(bill.low, bill.high)}{facts.case.a_month}, but {count(calls)} "
            f"calls at the price of {used.id} cost {usd_range(priced.low, priced.most)}. The bill "
            "counts."
        ),
        settle="Look up the invoice: what else is in it, or which calls, tokens or model are wrong here",
    )


_WAYS_TO_CALL = ("as_is", "cached", "batched", "cached_batched")


@contradiction
def ongoing_below_serving(facts: CaseFacts) -> RaisedChallenge | None:
    """Running costs below the cost of serving the tuned model alone."""
    stated = facts.case.economics.monthly.ongoing_usd
    if not stated:
        return None
    for way in facts.findings.servings:
        cost = known_range(way.usd_per_month)
        if not way.tuned or way.admissible == "no" or cost is None:
            continue
        # servings are sorted by cost, so this is the cheapest that is allowed
        if stated.high >= cost.low:
            return None
        return RaisedChallenge(
            between=("economics.monthly.ongoing_usd", "models"),
            says=(
                f"Running costs of {usd(stated.likely)}{facts.case.a_month} are stated, but serving "
                f"{way.model} alone costs {usd_range(cost.low, cost.most)}."
            ),
            settle="Correct one of the two: the running costs, or the tokens and the price",
        )
    return None


@pushback
def running_costs_twice(facts: CaseFacts) -> RaisedChallenge | None:
    """A saving that is the bill less the running costs, which are then taken off once more."""
    monthly = facts.case.economics.monthly
    saving = monthly.api_savings_usd
    bill = facts.bill
    if saving is None or bill is None:
        return None
    cost = monthly.ongoing_usd
    path = "economics.monthly.ongoing_usd"
    what = "running costs"
    if not _is_difference(saving, bill, cost):
        cost = monthly.ongoing.inference_usd if monthly.ongoing else None
        path = "economics.monthly.ongoing.inference_usd"
        what = "cost of serving"
    if cost is None or not _is_difference(saving, bill, cost):
        return None
    return RaisedChallenge(
        between=("economics.monthly.api_savings_usd", path),
        says=(
            f"The saving of {usd(saving.likely)}{facts.case.a_month} is the bill of "
            f"{usd(bill.likely)} less the {what} of {usd(cost.likely)}, to the dollar. "
            f"Those costs may count twice: they are taken off the saving again."
        ),
        settle="State the saving before running costs, or confirm that the bill falls by that much",
    )


def _is_difference(saving: Amount, bill: Amount, cost: Amount | None) -> bool:
    """Whether a saving is a bill less a cost, to the dollar; False for no cost."""
    if cost is None or not cost.likely:
        return False
    return round(bill.likely - cost.likely) == round(saving.likely)


@monthly_pushback
def saving_above_published(facts: CaseFacts) -> RaisedChallenge | None:
    """A saving above the range that the framework names for a system at scale."""
    saving = facts.case.economics.monthly.api_savings_usd
    costs = facts.framework.costs
    if saving is None or costs is None or costs.returns is None:
        return None
    span = costs.returns.api_savings_usd_per_month
    if saving.low <= span.high:
        return None
    return RaisedChallenge(
        between=("economics.monthly.api_savings_usd",),
        says=(
            f"A saving of {usd(saving.likely)} per month is stated. At scale "
            f"{usd_range(span.low, span.high)} is usual."
        ),
        settle="Compute it from calls, tokens and prices",
    )


@pushback
def upfront_below_table(facts: CaseFacts) -> RaisedChallenge | None:
    """Less work before the first version than in the framework's own table."""
    costs = facts.framework.costs
    stated = facts.case.economics.upfront.hours
    if costs is None or costs.upfront_total is None or stated is None:
        return None
    span = costs.upfront_total.hours
    if stated.high >= span.low:
        return None
    return RaisedChallenge(
        between=("economics.upfront.hours",),
        says=(
            f"{count(stated.likely)} hours up front are stated. Data, evaluation and deployment "
            f"usually take {count(span.low)}–{count(span.high)}."
        ),
        settle="Estimate the four categories one by one",
    )


@monthly_pushback
def no_retraining(facts: CaseFacts) -> RaisedChallenge | None:
    """Running costs by category in which the model is never trained again."""
    ongoing = facts.case.economics.monthly.ongoing
    costs = facts.framework.costs
    if ongoing is None:
        return None
    if _some(ongoing.retraining_hours_per_quarter):
        return None
    row = costs.ongoing.get("retraining") if costs else None
    return RaisedChallenge(
        between=("economics.monthly.ongoing.retraining_hours_per_quarter",),
        says=(
            "The running costs include nothing for retraining, so the model ages with its data."
            f"{_usual(facts, row, ' hours a quarter')}"
        ),
        settle="Plan retraining, or say for how long the first version has to last",
    )


@pushback
def no_evaluation_hours(facts: CaseFacts) -> RaisedChallenge | None:
    """Upfront costs by category in which nobody evaluates the result."""
    upfront = facts.case.economics.upfront
    costs = facts.framework.costs
    if not upfront.by_category:
        return None
    if upfront.evaluation and _some(upfront.evaluation.hours):
        return None
    row = costs.upfront.get("evaluation") if costs else None
    return RaisedChallenge(
        between=("economics.upfront.evaluation.hours",),
        says=f"No hours are planned to evaluate the tuned model.{_usual(facts, row, ' hours')}",
        settle="Plan the evaluation before the training: without it nobody can tell whether it worked",
    )


def _some(hours: Amount | None) -> bool:
    """Whether any hours are stated, and not 0 at the most."""
    return hours is not None and hours.high > 0


def _usual(facts: CaseFacts, row: CostRow | None, unit: str) -> str:
    """A sentence with the usual hours of a row in the framework's table; empty without them."""
    if row is None or row.hours is None:
        return ""
    hours = row.hours
    whose = f"{plain(facts.framework.name)}'s table of usual costs"
    return f" The {whose} has {count(hours.low)}–{count(hours.high)}{unit}."


@pushback
def no_pilot(facts: CaseFacts) -> RaisedChallenge | None:
    """Straight to production without a pilot."""
    if facts.case.tuning.pilot != "no":
        return None
    return RaisedChallenge(
        between=("tuning.pilot",),
        says="No pilot is planned.",
        settle="Tune once on a tenth of the data and compare on held-out cases before the rest is spent",
    )


@pushback
def model_switch_planned(facts: CaseFacts) -> RaisedChallenge | None:
    """A change of model is planned, but a tuned model stays with its base."""
    if facts.case.tuning.model_switch != "yes":
        return None
    return RaisedChallenge(
        between=("tuning.model_switch", "goals"),
        says="Another base model is planned, and tuned weights stay with the base they were made from.",
        settle="Switch first and measure again. Keep data and evaluation, which move along",
    )


@pushback
def break_even_after_service_end(facts: CaseFacts) -> RaisedChallenge | None:
    """The service of the tuned model ends before tuning can pay back, even at the best."""
    today = facts.findings.as_of
    until = serves_until(facts.case, today)
    paid_after = facts.findings.break_even_months
    if until is None or today is None or not isinstance(paid_after, float | Range):
        return None
    low, high = ends(paid_after)
    months_left = (until - today).days / DAYS_PER_MONTH
    if low <= months_left:
        return None
    served = "was" if until < today else "is"
    return RaisedChallenge(
        between=("tuning.until", "economics"),
        says=(
            f"The tuned model {served} served until {day(until)}, and tuning "
            f"would have paid after {months_range(low, high)}."
        ),
        settle="Name a service or a base model that stays for longer (tuning.until)",
    )


@contradiction
def model_ends_differ(facts: CaseFacts) -> RaisedChallenge | None:
    """The stated end of a model differs from the one looked up; the first such model is named."""
    for model in facts.case.models:
        fact = facts_on(facts.findings.as_of).end_of(model.id, model.base_url)
        looked_up = looked_up_end(model, facts.findings.as_of)
        if fact is None or model.ends is None or looked_up is None:
            continue
        if model.ends == looked_up:
            continue
        return RaisedChallenge(
            between=("models", "economics"),
            says=(
                f"The model {model.id} is stated to end on {day(model.ends)}, and "
                f"to end on {day(looked_up)} by a look-up on {day(fact.dated)}. The stated day "
                "counts."
            ),
            settle="Confirm the day with the maker, and correct the case where it is another",
        )
    return None


@monthly_pushback
def model_in_use_ends(facts: CaseFacts) -> RaisedChallenge | None:
    """A saving on the bill of a model that ends soon, after which the bill is another one."""
    used = in_use(facts.case)
    today = facts.findings.as_of
    if used is None or today is None:
        return None
    until = end_day(used, today)
    if until is None:
        return None
    horizon = facts.case.economics.assumptions.horizon_months
    if (until - today).days / DAYS_PER_MONTH > horizon:
        return None
    source = ""
    confirm = ""
    fact = facts_on(today).end_of(used.id, used.base_url)
    if fact is not None:
        looked = "stated" if used.ends else f"as looked up on {day(fact.dated)}"
        source = f", {looked}, and its successor is {listing(fact.successors, 'or')}"
        confirm = "Confirm the day and what comes next with the maker. "
    ends = "ends"
    also_end = "end that day"
    if until < today:
        ends = "ended"
        also_end = "ended that day"
    return RaisedChallenge(
        between=("models", "economics"),
        says=(
            f"The model in use, {used.id}, {ends} on {day(until)}{source}. Its bill, and a saving "
            f"beside it, {also_end}."
        ),
        settle=f"{confirm}Run what comes next on the evaluation set, and price the case with it",
    )
