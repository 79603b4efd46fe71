"""Words for expectations about money."""

from __future__ import annotations

from tuneworthy.report.challenges.registry import Numbers, says
from tuneworthy.report.words import count, usd, usd_range


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
