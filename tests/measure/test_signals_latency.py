"""What latency says about calls whose time is known to be made of so much prompt."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plain_engine import batch, measure
from tuneworthy.measure.signals import latency as signal_latency
from tuneworthy.model.base import Unknown
from tuneworthy.model.evidence import Batch, Evidence
from worlds_latency import calls

MISSED_S = 0.5  # a target that no call keeps


def evidence(traces: Batch, target_s: float | None = None) -> dict[str, Evidence]:
    return {
        each.id: each
        for each in measure(signal_latency.LatencySignal(target_s), traces).evidence
    }


def asks(one: Evidence) -> str:
    assert isinstance(one.value, Unknown), one
    return one.value.ask


def ends(one: Evidence) -> tuple[float, float]:
    assert one.low is not None, one
    assert isinstance(one.high, float)
    return one.low, one.high


def test_quantiles_are_those_of_the_calls() -> None:
    found = evidence(batch(latency_s=[float(each) for each in range(1, 202)]))
    # 201 values from 1 to 201: the middle one, and the one with 95% below it
    assert found["latency_p50_s"].value == 101
    assert found["latency_p95_s"].value == 191


def test_too_few_calls_have_no_upper_end_of_their_95th_percentile() -> None:
    found = evidence(batch(latency_s=[float(each) for each in range(40)]))
    assert found["latency_p95_s"].high == "open"
    assert isinstance(found["latency_p50_s"].high, float)


def test_under_twenty_conversations_nothing_is_known() -> None:
    found = evidence(
        batch(latency_s=[1.0] * 100, conversation=[f"t{i % 19}" for i in range(100)])
    )
    assert "19 bear on this" in asks(found["latency_p95_s"])


def test_calls_that_failed_are_left_out_and_counted() -> None:
    found = evidence(
        batch(latency_s=[1.0] * 30 + [60.0] * 5, error=[None] * 30 + ["timeout"] * 5)
    )
    p95 = found["latency_p95_s"]
    assert (p95.value, p95.n, p95.details["failed"]) == (1.0, 30, 5)


@pytest.mark.parametrize(
    ("lacking", "field"),
    [("latency_s", "latency_s"), ("input_tokens", "input_tokens")],
)
def test_what_is_missing_is_named(lacking: str, field: str) -> None:
    traces = calls(np.random.default_rng(1))
    setattr(traces, lacking, [])
    assert f"`{field}`" in asks(evidence(traces, MISSED_S)["prompt_latency_share"])


def test_texts_stand_in_for_tokens_because_only_their_proportion_counts() -> None:
    traces = calls(np.random.default_rng(1), explained=0.5)
    by_count = evidence(traces, MISSED_S)["prompt_latency_share"]
    traces.input = [
        "x" * round(4 * each) for each in traces.input_tokens if each is not None
    ]
    traces.output = [
        "y" * round(4 * each) for each in traces.output_tokens if each is not None
    ]
    traces.input_tokens, traces.output_tokens = [], []
    by_text = evidence(traces, MISSED_S)["prompt_latency_share"]
    assert by_text.value == pytest.approx(by_count.value, abs=1e-6)
    assert by_text.details["tokens_estimated"] is True


def test_cached_tokens_take_no_time_to_read() -> None:
    traces = calls(np.random.default_rng(1), explained=0.5)
    plain = evidence(traces, MISSED_S)["prompt_latency_share"]
    # the same work, with a thousand tokens more that came from a cache
    traces.cached_tokens = [1000.0] * len(traces)
    traces.input_tokens = [
        None if each is None else each + 1000 for each in traces.input_tokens
    ]
    assert evidence(traces, MISSED_S)["prompt_latency_share"].value == pytest.approx(
        plain.value
    )


def test_prompts_of_one_length_explain_nothing_that_could_be_told() -> None:
    traces = calls(np.random.default_rng(1))
    traces.input_tokens = [3000.0] * len(traces)
    found = evidence(traces, 1.0)
    assert "short and a long prompt" in asks(found["prompt_latency_share"])


def test_the_signal_is_settled_only_by_a_target_that_is_missed() -> None:
    traces = calls(np.random.default_rng(1), explained=0.6, written=0.2)
    assert "targets.latency_p95_s" in asks(evidence(traces)["prompt_latency_share"])
    kept = evidence(traces, 1000.0)["prompt_latency_share"]
    assert (kept.value, kept.low, kept.high) == (0, 0, 0)
    missed = evidence(traces, MISSED_S)["prompt_latency_share"]
    assert 0 < ends(missed)[0] < 0.6 < ends(missed)[1]
    late = evidence(traces)["latency_p95_s"].value
    assert isinstance(late, float)
    between = evidence(traces, late)["prompt_latency_share"]
    assert (between.value, between.low, between.high) == (missed.value, 0, missed.high)


def test_the_first_token_is_told_where_it_is_reported() -> None:
    found = evidence(batch(latency_s=[1.0] * 30, time_to_first_token_s=[0.25] * 30))
    assert found["first_token_p95_s"].value == 0.25
    assert "first_token_p95_s" not in evidence(batch(latency_s=[1.0] * 30))


def test_bins_hold_all_calls_and_at_most_thirty() -> None:
    rng = np.random.default_rng(1)
    tokens = np.round(rng.lognormal(6, 1, 5000))
    (pictured,) = signal_latency.by_tokens(tokens / 100, tokens)
    rows = pictured.columns
    assert sum(map(int, rows["n"])) == 5000
    assert len(rows["n"]) <= 30
    lows, highs = (
        map(float, rows["input_tokens_low"][1:]),
        map(float, rows["input_tokens_high"]),
    )
    assert all(low > high for low, high in zip(lows, highs, strict=False))
    # latency is proportional here, so that each bin's 95th percentile lies within its ends
    for at in range(len(rows["n"])):
        p95 = float(rows["p95_s"][at])
        assert float(rows["input_tokens_low"][at]) / 100 <= p95
        assert p95 <= float(rows["input_tokens_high"][at]) / 100


@given(st.lists(st.sampled_from([0.0, 5.0, 5.0, 9.0, math.nan]), max_size=60))
def test_bins_of_few_or_equal_sizes_are_no_error(tokens: list[float]) -> None:
    pictured = signal_latency.by_tokens(np.ones(len(tokens)), np.array(tokens))
    known = sum(not math.isnan(each) for each in tokens)
    assert len(pictured) == (known >= 20)
    for each in pictured:
        assert sum(map(int, each.columns["n"])) == known


def test_nothing_at_all_is_unknown_and_no_error() -> None:
    found = measure(signal_latency.LatencySignal(2.0), Batch())
    assert not found.series
    assert all(not each.is_known for each in found.evidence)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("explained", "least", "most"), [(0.1, 0, 1), (0.25, 0, 3), (0.5, 35, 40)]
)
def test_what_the_prompt_explains_is_found_and_nothing_else(
    explained: float, least: int, most: int
) -> None:
    """a small form of what docs/evidence/accuracy.md counts: forty logs, the limit at 0.3."""
    yes = held = 0
    for seed in range(40):
        traces = calls(np.random.default_rng(seed), explained=explained)
        low, high = ends(evidence(traces, 1.0)["prompt_latency_share"])
        yes += low > 0.3
        held += low <= explained <= high
    assert least <= yes <= most
    assert held >= 33


def test_a_target_is_missed_where_calls_are_late_and_kept_where_a_few_are() -> None:
    def p95(slow: float) -> tuple[float, float]:
        traces = calls(np.random.default_rng(3), slow=slow)
        return ends(evidence(traces, 15.0)["latency_p95_s"])

    assert p95(0.0)[1] < 15
    assert p95(0.01)[1] < 15
    assert p95(0.2)[0] > 15
