"""What traffic says about logs that were counted by hand, by a generator, and in production."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plain_engine import batch, measure, table_of
from tuneworthy.measure.signals import traffic as signal_traffic
from tuneworthy.model.base import Unknown
from tuneworthy.model.evidence import Batch, Evidence, Series
from tuneworthy.stats import forecast as stats_forecast
from worlds_traffic import DAY_S, MONTH_DAYS, START_S, visits


def evidence(
    *batches: Batch, signal: signal_traffic.TrafficSignal | None = None
) -> dict[str, Evidence]:
    return {
        each.id: each
        for each in measure(signal or signal_traffic.TrafficSignal(), *batches).evidence
    }


def series(*batches: Batch) -> Series:
    (found,) = measure(signal_traffic.TrafficSignal(), *batches).series
    return found


def asks(one: Evidence) -> str:
    assert isinstance(one.value, Unknown), one
    return one.value.ask


def hourly(days: float, every_h: float = 1.0) -> list[float]:
    return [
        START_S + 3600 * every_h * each for each in range(int(days * 24 / every_h) + 1)
    ]


def test_an_hour_of_production_gives_a_lower_end_and_no_trend(shared: Path) -> None:
    path = shared / "real" / "azure_llm" / "AzureLLMInferenceTrace_conv.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = evidence(
        batch(
            timestamp=[
                datetime.fromisoformat(f"{row['TIMESTAMP'][:26]}+00:00").timestamp()
                for row in rows
            ],
            input_tokens=[float(row["ContextTokens"]) for row in rows],
            output_tokens=[float(row["GeneratedTokens"]) for row in rows],
        )
    )
    requests = found["requests_per_month"]
    assert (requests.value, requests.low, requests.high) == (19366, 19366, "open")
    assert str(requests.since) == str(requests.observed_on) == "2023-11-16"
    assert "three whole months" in asks(found["growth_per_month"])
    # the mean of the column, added up by another way
    total = sum(int(row["ContextTokens"]) for row in rows)
    assert found["input_tokens"].value == pytest.approx(total / 19366)
    assert "`usd`" in asks(found["usd_per_month"])


def test_under_28_days_nothing_is_extrapolated() -> None:
    found = evidence(batch(timestamp=hourly(27)))["requests_per_month"]
    assert (found.value, found.low, found.high) == (649, 649, "open")


def test_a_month_of_one_call_an_hour_is_730_and_a_half_calls() -> None:
    found = evidence(batch(timestamp=hourly(40)))["requests_per_month"]
    assert found.value == pytest.approx(24 * 30.4375, rel=0.01)
    assert isinstance(found.high, float)
    assert found.low is not None
    assert found.low < 24 * 30.4375 < found.high


def test_what_few_conversations_say_of_others_is_anything() -> None:
    found = evidence(
        batch(timestamp=hourly(1), conversation=["one"] * 25, input_tokens=[10.0] * 25)
    )
    assert found["requests_per_month"].value == 25
    tokens = found["input_tokens"]
    assert (tokens.value, tokens.low, tokens.high) == (10, 0, "open")


def test_without_a_clock_there_is_no_month() -> None:
    found = evidence(batch(input_tokens=[1.0] * 30))
    for name in ("requests_per_month", "growth_per_month", "cacheable_share"):
        assert "`timestamp`" in asks(found[name])
    assert found["input_tokens"].value == 1.0


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("output_tokens", "output_tokens"), ("cached_share", "cached_tokens"),
        ("usd_per_request", "usd"), ("usd_per_month", "usd"), ("models_seen", "model"),
        ("cacheable_share", "system"), ("input_tokens", "input_tokens"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(name: str, field: str) -> None:
    bare = Batch(output=[None] * 30, timestamp=list(map(float, hourly(1.25)[:30])))
    assert f"`{field}`" in asks(evidence(bare)[name])


def test_tokens_that_are_not_reported_are_estimated_and_their_interval_says_so() -> (
    None
):
    texts = batch(
        input=["x" * 80] * 40, output=["y" * 40] * 40, system=["z" * 320] * 40
    )
    found = evidence(texts)
    assert not found["input_tokens"].is_known
    read = found["input_tokens_estimate"]
    # 80 and 320 characters at four a token; every call alike, so only the factor 1.5 is left
    assert (read.value, read.low, read.high) == pytest.approx((100, 100 / 1.5, 150))
    assert "characters/4" in read.method
    assert found["output_tokens_estimate"].value == 10


def test_reported_tokens_are_taken_where_half_of_the_calls_have_them() -> None:
    found = evidence(
        batch(input=["x" * 4000] * 40, input_tokens=[8.0] * 20 + [None] * 20)
    )["input_tokens"]  # fmt: skip
    assert (found.value, found.n, found.method[:34]) == (
        8.0,
        20,
        "mean over requests, reported; conv",
    )


def test_amounts_that_can_not_be_amounts_are_left_out() -> None:
    wild = [math.nan, math.inf, -5.0, 1e300, None]
    found = evidence(batch(input_tokens=[7.0] * 30 + wild, usd=[0.5] * 30 + wild))
    assert found["input_tokens"].value == 7.0
    assert found["usd_per_request"].value == 0.5


def test_cached_share_is_of_tokens_not_of_calls() -> None:
    found = evidence(
        batch(
            input_tokens=[100.0] * 20 + [900.0] * 20,
            cached_tokens=[100.0] * 20 + [0.0] * 20,
        )
    )["cached_share"]
    assert found.value == pytest.approx(0.1)


def test_a_system_prompt_sent_again_within_the_hour_could_come_from_a_cache() -> None:
    times = [START_S + 1800.0 * each for each in range(40)]
    calls = batch(
        timestamp=times, system=["s" * 16_000] * 40, input_tokens=[8000.0] * 40
    )
    found = evidence(calls)["cacheable_share"]
    # 4,000 of 8,000 tokens in 39 of 40 calls
    assert found.value == pytest.approx(0.5 * 39 / 40)
    assert found.details["within_5_minutes"] == 0.0
    # 16,000 characters may be 2,667 or 6,000 tokens
    assert found.low is not None
    assert isinstance(found.high, float)
    assert found.low <= 1 / 3 * 39 / 40
    assert found.high >= 3 / 4 * 39 / 40


def test_a_short_prefix_is_not_cached_and_neither_is_one_of_yesterday() -> None:
    daily = [START_S + DAY_S * each for each in range(40)]
    close = [START_S + 60 * each for each in range(40)]
    for times, size in ((daily, 16_000), (close, 2_000)):
        calls = batch(
            timestamp=times, system=["s" * size] * 40, input_tokens=[8000.0] * 40
        )
        assert evidence(calls)["cacheable_share"].value == 0


def test_a_history_that_is_sent_again_could_come_from_a_cache() -> None:
    talks = [f"t{each // 2}" for each in range(60)]
    calls = batch(
        timestamp=[START_S + 10.0 * each for each in range(60)],
        conversation=talks,
        input_tokens=[2000.0, 3000.0] * 30,
    )
    # the second call of each repeats the 2,000 tokens of the first
    assert evidence(calls)["cacheable_share"].value == pytest.approx(2000 / 5000)
    cut = batch(
        timestamp=list(calls.timestamp),
        conversation=talks,
        input_tokens=[3e3, 2e3] * 30,
    )
    assert evidence(cut)["cacheable_share"].value == 0


def test_spend_is_a_sum_and_a_mean() -> None:
    times = hourly(40)
    found = evidence(batch(timestamp=times, usd=[0.02] * len(times)))
    assert found["usd_per_request"].value == pytest.approx(0.02)
    assert found["usd_per_month"].value == pytest.approx(0.02 * 24 * 30.4375, rel=0.01)
    priced = [0.02 if place % 2 else None for place in range(len(times))]
    assert evidence(batch(timestamp=times, usd=priced))["usd_per_month"].high == "open"


def test_models_are_counted_by_what_they_are() -> None:
    names = [
        "gpt-4o",
        "openai/gpt-4o-2024-08-06",
        "azure:GPT-4o",
        "claude-sonnet-4-20250514",
    ]
    assert signal_traffic.distinct_models(names) == 2
    found = evidence(batch(model=names))["models_seen"]
    assert (found.value, found.low, found.high) == (2, 2, "open")


def test_growth_without_noise_is_found() -> None:
    times, at = [], START_S
    while at < START_S + 200 * DAY_S:
        times.append(at)
        at += DAY_S / 20 / 1.1 ** ((at - START_S) / DAY_S / MONTH_DAYS)
    found = evidence(batch(timestamp=times))["growth_per_month"]
    assert found.value == pytest.approx(0.1, abs=0.01)
    rows = series(batch(timestamp=times)).columns
    assert sum(map(bool, rows["forecast"])) == 6
    ahead = [
        float(v) for v, f in zip(rows["requests"], rows["forecast"], strict=True) if f
    ]
    # 20 a day at first, 10% more every month, from the first day to the middle of a month ahead
    length = (datetime(2027, 1, 1, tzinfo=UTC).timestamp() - START_S) / DAY_S - 15.5
    assert rows["month"][-1] == "2027-01"
    length += 31
    assert ahead[-1] == pytest.approx(31 * 20 * 1.1 ** (length / MONTH_DAYS), rel=0.05)


def test_a_growth_that_is_not_told_from_none_says_how_many_months_would() -> None:
    # by hand: t of 10 degrees is 2.2281, so (2.2281 + 0.8416) · 0.05 = 0.1535 must fit into 0.1;
    # the error falls with the power 1.5 of the length: 3 · 1.535^(2/3) = 3.99 months
    line = stats_forecast.Trend(
        growth=0.1, error=0.05, degrees=10, level=0.0, level_error=0.0, covariance=0.0,
        scatter=0.0, autocorrelation=0.0,
    )  # fmt: skip
    assert signal_traffic.months_needed(line, 3.0) == 4
    assert signal_traffic.months_needed(line._replace(growth=-0.1), 3.0) == 4
    # 3 · 3.07^(2/3) = 6.3
    assert signal_traffic.months_needed(line._replace(growth=0.05), 3.0) == 7
    assert signal_traffic.months_needed(line._replace(growth=0.0), 3.0) is None
    # never fewer than there are
    assert signal_traffic.months_needed(line._replace(error=0.01), 3.0) == 4


def test_three_months_of_growth_ask_for_more_only_where_none_is_seen() -> None:
    asked = []
    for seed in range(6):
        log = visits(np.random.default_rng(seed), a_day=30, months=3.1, growth=0.2)
        found = evidence(log)["growth_per_month"]
        assert found.low is not None
        open_still = found.low <= 0
        assert open_still is (
            "are needed to tell this growth from zero" in found.method
        )
        if open_still:
            asked.append(int(found.details["months_needed"]))
    assert all(4 <= each <= 36 for each in asked)
    assert asked


def test_a_log_with_gaps_has_no_trend() -> None:
    times = [t for t in hourly(200) if not 30 < (t - START_S) / DAY_S < 150]
    assert "gaps" in asks(evidence(batch(timestamp=times))["growth_per_month"])


def test_a_month_is_whole_or_has_no_upper_end() -> None:
    rows = series(batch(timestamp=hourly(70))).columns  # 1 January to 12 March
    assert rows["month"] == ("2026-01", "2026-02", "2026-03")
    assert rows["requests"] == (744, 672, 265)
    assert rows["high"] == (744, 672, "open")
    assert rows["whole"] == (True, True, False)


def test_clocks_that_are_wrong_are_ignored_and_counted() -> None:
    wrong = [0.0, -1e12, 1e15, math.nan, START_S + 4000 * DAY_S]
    found = evidence(batch(timestamp=[*wrong, *hourly(40)]))["requests_per_month"]
    assert found.value == pytest.approx(24 * 30.4375, rel=0.01)
    assert (
        found.details["timestamps_ignored"],
        found.details["without_timestamp"],
    ) == (4, 1)


def test_many_calls_without_a_clock_leave_the_upper_end_open() -> None:
    times: list[float | None] = [*hourly(40), *([None] * 100)]
    assert evidence(batch(timestamp=times))["requests_per_month"].high == "open"


@given(st.permutations(range(60)))
def test_the_order_of_the_log_changes_nothing(order: list[int]) -> None:
    times = [START_S + 40 * 3600.0 * each for each in range(60)]
    usd, talk = (
        [each % 7 / 100 for each in range(60)],
        [f"t{each // 2}" for each in range(60)],
    )
    columns: dict[str, list[Any]] = {
        "timestamp": times,
        "usd": usd,
        "conversation": talk,
        "system": ["s" * 9000] * 60,
    }
    one = evidence(batch(**columns))
    other = evidence(
        batch(**{name: [v[each] for each in order] for name, v in columns.items()})
    )
    for name, found in one.items():
        assert other[name].is_known == found.is_known
        if found.is_known:
            ends = (found.value, found.low, found.high)
            same = (other[name].value, other[name].low, other[name].high)
            assert same == pytest.approx(ends) or "open" in ends


def test_nothing_at_all_is_unknown_and_no_error() -> None:
    found = measure(signal_traffic.TrafficSignal(), Batch())
    assert not found.series
    assert all(not each.is_known for each in found.evidence)


@pytest.mark.slow
@pytest.mark.parametrize(("growth", "least", "most"), [(0.0, 0, 4), (0.2, 36, 40)])
def test_growth_is_seen_where_it_is_and_not_where_it_isn_t(
    growth: float, least: int, most: int
) -> None:
    """A small form of what docs/evidence/accuracy.md counts: six months, forty logs."""
    seen = held = 0
    for seed in range(40):
        log = visits(np.random.default_rng(seed), a_day=30, months=6, growth=growth)
        found = evidence(log)["growth_per_month"]
        assert found.low is not None
        assert isinstance(found.high, float)
        seen += found.low > 0 or found.high < 0
        held += found.low <= growth <= found.high
    assert least <= seen <= most
    assert held >= 35


def test_months_of_a_draw_have_its_error() -> None:
    log = batch(
        timestamp=hourly(90), conversation=[f"c{n // 3}" for n in range(90 * 24 + 1)]
    )
    drawn = replace(table_of(signal_traffic.TrafficSignal(), [log]), share=0.25)
    (volume,), exact = (
        signal_traffic.TrafficSignal().finish(drawn).series,
        series(log).columns,
    )
    for n, whole in enumerate(volume.columns["whole"]):
        if volume.columns["forecast"][n]:
            continue
        seen, low, high = (
            volume.columns[name][n] for name in ("requests", "low", "high")
        )
        counted = exact["requests"][n]
        assert isinstance(counted, int)
        assert seen == 4 * counted
        error = 1.96 * (0.75 * counted / 3 * 144) ** 0.5
        assert low == pytest.approx(max(0, seen - error), rel=0.02)
        assert high == (pytest.approx(seen + error, rel=0.02) if whole else "open")
        assert exact["low"][n] == counted


def test_runs_of_a_test_say_nothing_about_the_volume_of_real_use() -> None:
    day = 86_400.0
    columns: dict[str, list[Any]] = {
        "timestamp": [1_750_000_000 + n * day / 20 for n in range(900)],
        "conversation": [f"c{n}" for n in range(900)],
        "usd": [0.01] * 900,
    }
    used = {
        one.id: one
        for one in measure(signal_traffic.TrafficSignal(), batch(**columns)).evidence
    }
    tested = measure(
        signal_traffic.TrafficSignal(),
        batch(**columns, case=[f"t{n}" for n in range(900)]),
    )
    found = {one.id: one for one in tested.evidence}
    for name in ("requests_per_month", "usd_per_month"):
        assert used[name].is_known
        assert not found[name].is_known
    assert found["usd_per_request"].is_known
    assert tested.series == ()


def test_passages_beside_the_question_are_tokens_too() -> None:
    asked = ["what is the harbour called?"] * 30
    name = "input_tokens_estimate"
    plain = evidence(batch(output=["Amber."] * 30, input=asked))[name]
    passages = [("x" * 400, "y" * 400)] * 30
    more = evidence(batch(output=["Amber."] * 30, input=asked, contexts=passages))[name]
    assert more.number == plain.number + 200
    held = [f"{each} {'x' * 400}" for each in asked]
    with_one = evidence(batch(output=["A"] * 30, input=held, contexts=passages))[name]
    assert with_one.number == pytest.approx(more.number, abs=1)


def test_a_passage_is_not_looked_for_in_the_word_none_of_an_absent_prompt() -> None:
    rows: dict[str, list[Any]] = {"input": ["x" * 396] * 30}
    rows["contexts"] = [("None",)] * 30
    assert evidence(batch(**rows))["input_tokens_estimate"].value == pytest.approx(100)


def test_tools_on_offer_count_as_input_where_nobody_logged_tokens() -> None:
    """400 characters of question and 1,200 of tools are about 400 tokens."""
    more: dict[str, list[Any]] = {"input": ["x" * 400] * 30, "tools": [1200.0] * 30}
    assert evidence(batch(**more))["input_tokens_estimate"].value == pytest.approx(400)
    logged = evidence(batch(**more, input_tokens=[70.0] * 30))
    assert logged["input_tokens"].value == pytest.approx(70)
