"""Inputs and small amounts of money in words."""

from __future__ import annotations

import math

from tuneworthy.domain.books import Term, Values
from tuneworthy.report.words import count, number, plain, usd

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
    quarter = " / 3" if term.names[0].endswith(("retraining_hours_per_quarter",
                                                "retraining.hours")) else ""  # fmt: skip
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
