"""Whether a way to serve the traffic may be used: sovereignty, then every target."""

from __future__ import annotations

from collections.abc import Iterator

from tuneworthy.domain.assessment import Reason
from tuneworthy.domain.books import Inputs
from tuneworthy.domain.case import Case, Model
from tuneworthy.domain.economics import Amount
from tuneworthy.domain.investment import Money
from tuneworthy.domain.prices import Price, in_use
from tuneworthy.domain.record import State
from tuneworthy.domain.serving import Way
from tuneworthy.stats.intervals import wilson

TARGETS = ("quality_below", "too_slow", "over_budget")
"""Reasons that rule a way out for missing a target, and not for where it runs."""

Verdict = tuple[State, Reason]


def judge(
    case: Case, way: Way, model: Model | None, price: Price | None, usd: Money | None,
    sovereign: State, inputs: Inputs,
) -> tuple[State, tuple[Reason, ...]]:  # fmt: skip
    """Whether a way may be used, and why.

    A target nobody stated rules nothing out; one that was never measured leaves the way open.

    Returns:
        No with every reason against it; else unknown with what is open; else yes.
    """
    found = [
        *_where(way, sovereign),
        *_window(price, inputs),
        *_batch(case, way),
        *_quality(case, way, model),
        *_latency(case, way, model),
        *_budget(case, usd),
    ]
    states: tuple[State, ...] = ("no", "unknown")
    for state in states:
        reasons = tuple(reason for own, reason in found if own == state)
        if reasons:
            return state, reasons
    met = tuple(reason for _, reason in found)
    return "yes", met or (Reason("nothing_against"),)


def quality_of(case: Case, model: Model | None) -> tuple[float | None, int | None]:
    """A model's quality and the cases it was counted on; those of today for the model in use."""
    if model is None:
        return None, None
    if model.quality is None and model is in_use(case):
        return case.today.quality, case.today.cases
    return model.quality, model.cases


def _where(way: Way, sovereign: State) -> Iterator[Verdict]:
    """Where data may not leave, a third party can't serve."""
    if sovereign == "no" or way.runs == "own":
        return
    if sovereign == "yes" and way.runs == "third_party":
        yield "no", Reason("data_would_leave")
    elif way.runs == "unknown":
        if sovereign == "yes":
            yield "unknown", Reason("runs_unknown", {"model": way.model})
    else:
        yield "unknown", Reason("sovereignty_unknown")


def _window(price: Price | None, inputs: Inputs) -> Iterator[Verdict]:
    """A request that doesn't fit can't be answered."""
    names = ("economics.traffic.input_tokens", "economics.traffic.output_tokens")
    if price is None or price.context_tokens is None or not all(n in inputs for n in names):
        return
    least = sum(inputs[name].low for name in names)
    if least > price.context_tokens:
        numbers = {"tokens": least, "window": price.context_tokens}
        yield "no", Reason("window_short", numbers)


def _batch(case: Case, way: Way) -> Iterator[Verdict]:
    if way.how != "batched":
        return
    if case.targets.latency_p95_s is not None:
        yield "no", Reason("batch_waits", {"target": case.targets.latency_p95_s})
    elif case.economics.traffic.batchable == "unknown":
        yield "unknown", Reason("batchable_unknown")


def _quality(case: Case, way: Way, model: Model | None) -> Iterator[Verdict]:
    """The whole interval on one side of the target settles it."""
    target = case.targets.quality
    if target is None:
        return
    quality, cases = quality_of(case, model)
    numbers: dict[str, object] = {"target": target.at_least, "quality": quality, "cases": cases}
    if quality is None or not cases:
        yield "unknown", Reason("quality_unmeasured", {**numbers, "tuned": way.tuned})
        return
    low, high = wilson(quality * cases, cases)
    numbers |= {"low": low, "high": high}
    if low >= target.at_least:
        yield "yes", Reason("quality_met", numbers)
    elif high < target.at_least:
        yield "no", Reason("quality_below", numbers)
    else:
        yield "unknown", Reason("quality_open", numbers)


def _latency(case: Case, way: Way, model: Model | None) -> Iterator[Verdict]:
    target = case.targets.latency_p95_s
    if target is None or way.how == "batched":
        return
    latency = _latency_of(case, model)
    numbers = {"target": target, "latency": None if latency is None else latency.likely}
    state = "unknown" if latency is None else latency.at_most(target)
    because = {"yes": "fast_enough", "no": "too_slow", "unknown": "latency_open"}[state]
    yield state, Reason("latency_unmeasured" if latency is None else because, numbers)


def _latency_of(case: Case, model: Model | None) -> Amount | None:
    """What a model takes; that of today for the model in use."""
    if model is None:
        return None
    if model.latency_p95_s is None:
        return case.today.latency_p95_s if model is in_use(case) else None
    seconds = model.latency_p95_s
    return Amount(low=seconds, likely=seconds, high=seconds)


def _budget(case: Case, usd: Money | None) -> Iterator[Verdict]:
    target = case.targets.usd_per_month
    if target is None or usd is None:
        return
    numbers = {"target": target, "low": usd.low, "high": usd.high}
    if usd.low > target:
        yield "no", Reason("over_budget", numbers)
    elif usd.high > target:
        yield "unknown", Reason("perhaps_over_budget", numbers)
    else:
        yield "yes", Reason("within_budget", numbers)
