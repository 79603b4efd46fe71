"""Why the money is or isn't justified, in words, and the gate before it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from tuneworthy.model.base import State
from tuneworthy.model.dossier import Assessment, GateResult, Outlook, Reason
from tuneworthy.words import (
    count,
    listing,
    months,
    months_range,
    number,
    quality,
    usd,
    usd_range,
)


def investment_gate(assessment: Assessment, money: Outlook) -> GateResult:
    """Whether the money is justified."""
    state, reason = investment_reason(assessment, money)
    return GateResult(id="investment", state=state, why=why(reason))


def investment_reason(assessment: Assessment, money: Outlook) -> tuple[State, Reason]:
    """Where data may not leave, what stays inside is compared, and savings alone don't sink it."""
    appraisal, comparison = money.appraisal, money.comparison
    if assessment.state("data_sovereignty") == "yes":
        if comparison.stays_inside != "unknown":
            return comparison.stays_inside, comparison.inside_why
        if appraisal.justified == "no":
            return "unknown", Reason("sovereignty_first", {"inside": comparison.inside_why})
    return appraisal.justified, appraisal.why


def why(reason: Reason) -> str:
    """A reason about money in words."""
    return _WHY[reason.id](reason.numbers)


HOW = {
    "as_is": "as it is",
    "cached": "with the prompt cached",
    "batched": "in batches",
    "self_hosted": "self-hosted",
}


def way_name(model: str, how: str) -> str:
    """A model and how it is served: ``openai:gpt-4o in batches``."""
    return f"{model} {HOW[how]}"


def _interval(n: Mapping[str, Any]) -> str:
    return (
        f"{quality(n['quality'])} right on {count(n['cases'])} cases, {quality(n['low'])} to "
        f"{quality(n['high'])} within chance, {quality(n['target'])} wanted"
    )


def _unmeasured(n: Mapping[str, Any]) -> str:
    if n["quality"] is not None:
        return f"{quality(n['quality'])} right on nobody knows how many cases: count them"
    return (
        "nobody can measure its quality before it is tuned: a pilot tells"
        if n["tuned"]
        else "its quality was never measured: run it on the evaluation set"
    )


def _no_price(n: Mapping[str, Any]) -> str:
    serving = "economics.serving, or " if n["own"] else ""
    return f"state what {n['model']} costs ({serving}{n['where']})"


def _no_tuned(n: Mapping[str, Any]) -> str:
    if n["service"] == "self_hosted":
        return "state how the tuned model would be served (economics.serving)"
    return "add the tuned model with its price (models: kind tuned, usd_per_mtok)"


def _inside_open(n: Mapping[str, Any]) -> str:
    return f"{n['model']} stays inside, too: {why(n['why'])}"


def _inside_cheaper(n: Mapping[str, Any]) -> str:
    return (
        f"{way_name(n['model'], n['how'])} stays inside, meets the targets and costs "
        f"{usd(n['usd'])} a month; the tuned model {usd(n['tuned_usd'])}"
    )


def _drawn(middle: float) -> str:
    """What the middle draw says."""
    return "never" if math.isinf(middle) else f"in {months(middle)}"


_WHY: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "no_benefit_stated": lambda _: "state what it saves or is worth a month (economics.monthly)",
    "no_hourly_rate": lambda _: "state what an hour of work costs (economics.hourly_rate_usd)",
    "no_break_even_rule": lambda n: (
        f"pays back in {months_range(n['low'], n['high'])}; no rule judges it"
    ),
    "pays_too_late": lambda n: (
        f"pays back in {months_range(n['low'], n['high'])}, not under {months(n['under'])}"
        if n["low"] != float("inf")
        else "never pays back as stated"
    ),
    "strategic_value_low": lambda n: (
        f"strategic value is {n['strategic']}, {n['wanted']} is asked for"
    ),
    "strategic_value_unknown": lambda n: (
        f"pays back in {months_range(n['low'], n['high'])}; ask how high the strategic value is"
    ),
    "pays_perhaps": lambda n: (
        f"pays back in {months_range(n['low'], n['high'])}: narrow the amounts; under "
        f"{months(n['under'])} is asked for"
    ),
    "draws_too_late": lambda n: (
        f"pays back in {months_range(n['low'], n['high'])} by one month's amounts; month by month, "
        f"with growth and the model's life, {_drawn(n['drawn'])}"
    ),
    "pays_in_time": lambda n: (
        f"pays back in {months_range(n['low'], n['high'])}, under {months(n['under'])}, and the "
        f"strategic value is {n['strategic']}"
    ),
    "sovereignty_first": lambda n: (
        "savings don't carry it, and data may not leave: compare the options that keep it inside; "
        + why(n["inside"])
    ),
    "data_would_leave": lambda _: "a third party runs it, and data may not leave",
    "runs_unknown": lambda n: f"say who runs {n['model']} (runs)",
    "sovereignty_unknown": lambda _: "ask whether data may go to a third party",
    "window_short": lambda n: (
        f"{count(n['tokens'])} tokens don't fit its window of {count(n['window'])}"
    ),
    "batch_waits": lambda n: f"a batch takes hours, and {number(n['target'])} s are wanted",
    "batchable_unknown": lambda _: (
        "ask whether anybody waits for the answer (economics.traffic.batchable)"
    ),
    "quality_unmeasured": _unmeasured,
    "quality_met": _interval,
    "quality_below": _interval,
    "quality_open": lambda n: f"{_interval(n)}: measure more cases",
    "latency_unmeasured": lambda n: (
        f"measure how fast it answers: {number(n['target'])} s are wanted"
    ),
    "latency_open": lambda n: (
        f"the interval around {number(n['latency'])} s still holds the {number(n['target'])} s "
        "wanted: time more of it"
    ),
    "too_slow": lambda n: f"{number(n['latency'])} s, {number(n['target'])} s are wanted",
    "fast_enough": lambda n: f"{number(n['latency'])} s, {number(n['target'])} s are wanted",
    "over_budget": lambda n: f"over the budget of {usd(n['target'])} a month",
    "perhaps_over_budget": lambda n: (
        f"{usd_range(n['low'], n['high'])} a month, {usd(n['target'])} is the budget"
    ),
    "within_budget": lambda n: f"within the budget of {usd(n['target'])} a month",
    "nothing_against": lambda _: "no stated target rules it out",
    "no_price": _no_price,
    "no_traffic": lambda n: f"state {listing(n['names'])}",
    "no_model": lambda _: "name the models in use and in question, the one in use first (models)",
    "no_tuned_model": _no_tuned,
    "no_tuned_allowed": lambda n: f"{n['model']} may not be used: see why beside it",
    "no_untuned_model": lambda _: "name the model in use and those in question (models)",
    "nothing_untuned_allowed": lambda _: (
        "no untuned way may be used, so there is nothing to save against: state what the tuned "
        "one is worth (economics.monthly.quality_value_usd)"
    ),
    "no_running_costs": lambda _: (
        "state the running costs by category (economics.monthly.ongoing), or an hourly rate"
    ),
    "no_growth": lambda _: "state how traffic grows (economics.traffic.growth_per_month)",
    "no_sovereignty": lambda _: "data may go to a third party, as far as is known",
    "no_quality_target": lambda _: "state the quality that is good enough (targets.quality)",
    "costs_overlap": lambda _: "the two cost about the same: narrow the amounts",
    "inside_unlisted": lambda _: "name the untuned models that could stay inside (models)",
    "inside_tuned_unknown": lambda n: (
        "say that the tuned model would run inside (runs: own)"
        if n["listed"]
        else "say how the tuned model would be served inside (models, economics.serving)"
    ),
    "inside_alone": lambda n: (
        f"data may not leave, and of all listed only {n['model']} stays inside and may meet the "
        "targets"
    ),
    "inside_open": _inside_open,
    "inside_cheaper": _inside_cheaper,
    "inside_cheapest": lambda n: (
        f"data may not leave, and of what stays inside the tuned model costs least, {usd(n['usd'])}"
        " a month"
    ),
}
"""Reason id to its words, from its numbers."""
