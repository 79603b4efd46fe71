"""Laws of intervals over clusters, and of trends, levels and counts."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworthy.stats import clustered as stats_clustered
from tuneworthy.stats import forecast as stats_forecast
from tuneworthy.stats.clustered import share
from tuneworthy.stats.intervals import wilson

rows = st.lists(
    st.tuples(st.floats(0, 1e6, allow_subnormal=False), st.integers(0, 8)),
    min_size=1,
    max_size=60,
)
votes = st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=1, max_size=60)


def columns(pairs: list[tuple[float, int]]) -> tuple[list[float], list[int]]:
    return [float(value) for value, _ in pairs], [group for _, group in pairs]


@given(rows)
def test_every_interval_holds_its_value(pairs: list[tuple[float, int]]) -> None:
    values, groups = columns(pairs)
    every = [
        stats_clustered.mean(values, groups),
        *(stats_clustered.quantile(values, at, groups) for at in (0.05, 0.5, 0.95)),
    ]
    for found in every:
        assert found is not None
        assert found.low <= found.value <= found.high
        assert (found.n, found.clusters) == (len(values), len(set(groups)))


@given(votes)
def test_a_share_lies_within_its_interval_between_0_and_1(
    pairs: list[tuple[bool, int]],
) -> None:
    found = share(*columns(pairs))  # type: ignore[arg-type]  # yes and no are numbers here
    assert found is not None
    assert 0 <= found.low <= found.value <= found.high <= 1


@given(rows, st.randoms())
def test_the_order_of_rows_and_the_names_of_clusters_change_nothing(  # type: ignore[no-untyped-def]  # hypothesis hands in its own kind of random
    pairs, random
) -> None:
    mixed = [(value, group * 10**12 + 7) for value, group in pairs]
    random.shuffle(mixed)
    for of in (stats_clustered.mean, lambda v, g: stats_clustered.quantile(v, 0.5, g)):
        one, other = of(*columns(pairs)), of(*columns(mixed))
        assert one is not None
        assert other is not None
        for name in ("value", "low", "high"):
            assert getattr(other, name) == pytest.approx(
                getattr(one, name), rel=1e-6, abs=1e-6
            )


@given(rows)
def test_one_cluster_says_nothing(pairs: list[tuple[float, int]]) -> None:
    values, alone = columns(pairs)[0], [3] * len(pairs)
    known, middle = (
        share([value > 1 for value in values], alone),
        stats_clustered.mean(values, alone),
    )
    late = stats_clustered.quantile(values, 0.95, alone)
    assert known is not None
    assert middle is not None
    assert late is not None
    assert (known.low, known.high) == (0.0, 1.0)
    assert (middle.low, middle.high) == (late.low, late.high) == (-math.inf, math.inf)


def test_of_nothing_nothing_is_known() -> None:
    nan = [math.nan, math.nan]
    assert (
        share(nan, [1, 2])
        is stats_clustered.mean(nan, [1, 2])
        is stats_clustered.quantile(nan, 0.5, [1, 2])
        is None
    )
    assert stats_clustered.ratio([1.0, 2.0], [0.0, 0.0], [1, 2]) is None


def test_values_that_are_not_there_are_left_out() -> None:
    found = stats_clustered.mean([1.0, math.nan, 3.0], [1, 2, 3])
    assert found is not None
    assert (found.value, found.n, found.clusters) == (2.0, 2, 2)


@given(st.integers(1, 40), st.integers(41, 400))
def test_lone_traces_give_wilson_shrunk_for_their_number(k: int, n: int) -> None:
    found = share([1.0] * k + [0.0] * (n - k), range(n))
    assert found is not None
    # n of size 1: the jackknife's variance is p(1-p)/(n-1), worth n - 1 independent traces
    worth = (n - 1) * (1.959963984540054 / stats_clustered.t95(n - 1)) ** 2
    assert (found.low, found.high) == pytest.approx(
        wilson(k / n * worth, worth), rel=1e-9
    )


@given(votes, st.integers(2, 5))
def test_the_same_again_in_other_clusters_never_widens(pairs, times: int) -> None:  # type: ignore[no-untyped-def]  # yes and no are numbers here
    values, groups = columns(pairs)
    more = [group + 100 * copy for copy in range(times) for group in groups]
    few, many = share(values, groups), share(values * times, more)
    assert few is not None
    assert many is not None
    assert many.high - many.low <= few.high - few.low + 1e-9


def test_traces_alike_within_clusters_count_as_clusters() -> None:
    hits = [1.0] * 5 + [0.0] * 15
    lone = share(hits, range(20))
    alike = share(np.repeat(hits, 50), np.repeat(range(20), 50))
    assert lone is not None
    assert alike is not None
    # the same 20 answers, each fifty times over, are no more than 20
    assert alike.high - alike.low >= lone.high - lone.low - 1e-9


def test_a_mean_of_lone_values_is_at_least_as_wide_as_the_textbook_s() -> None:
    values = np.array([2.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0, 4.0])
    found = stats_clustered.mean(values, range(8))
    assert found is not None
    # mean 5, s = sqrt(32/7), t(7) = 2.3646 from a printed table
    half = 2.3646 * math.sqrt(32 / 7 / 8)
    assert found.value == 5.0
    assert found.low <= 5 - half * 0.999
    assert found.high >= 5 + half * 0.999
    assert found.high - 5 > 5 - found.low  # the one large value draws the upper end out


def test_a_ratio_is_of_sums() -> None:
    found = stats_clustered.ratio([10.0, 0.0, 5.0], [10.0, 80.0, 10.0], [1, 2, 3])
    assert found is not None
    assert found.value == pytest.approx(0.15)


def test_a_quantile_without_values_beyond_has_no_end() -> None:
    found = stats_clustered.quantile(np.arange(20.0), 0.95, range(20))
    assert found is not None
    assert found.high == math.inf
    # 0.95 of 200 lies at 10 ± t·sqrt(200·0.95·0.05) values from the top: within 4 and 17
    many = stats_clustered.quantile(np.arange(200.0), 0.95, range(200))
    assert many is not None
    assert 182 <= many.low <= 184
    assert 194 <= many.high <= 197


def test_a_slope_is_found_and_needs_variation() -> None:
    x = np.arange(30.0)
    found = stats_clustered.slope(2 * x + 1, x, range(30))
    assert found is not None
    assert found.value == pytest.approx(2.0)
    assert stats_clustered.slope(x, np.ones(30), range(30)) is None


@given(st.floats(0, 1), st.floats(0.6, 1), st.floats(0.6, 1))
def test_an_honest_detector_gives_the_true_share_back(
    real: float, sens: float, spec: float
) -> None:
    seen = share([1.0], [1])
    assert seen is not None
    flagged = real * sens + (1 - real) * (1 - spec)
    ends = replace(seen, value=flagged, low=flagged, high=flagged)
    value, low, high = stats_clustered.true_share(ends, (sens, sens), (spec, spec))
    assert value == pytest.approx(real, abs=1e-9)
    assert low <= value <= high


@pytest.mark.parametrize(
    ("degrees", "printed"), [(5, 2.571), (10, 2.228), (30, 2.042), (120, 1.980)]
)
def test_student_s_quantile_is_the_printed_one(degrees: int, printed: float) -> None:
    assert stats_clustered.t95(degrees) == pytest.approx(printed, rel=2e-3)


# Garwood's intervals as printed in tables of exact Poisson limits.
@pytest.mark.parametrize(
    ("count", "low", "high"), [(0, 0.0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.390)]
)
def test_a_count_has_its_exact_interval(count: int, low: float, high: float) -> None:
    assert stats_forecast.poisson_interval(count) == pytest.approx(
        (low, high), abs=5e-4
    )


def test_a_level_is_that_of_the_last_28_days_and_never_below_0() -> None:
    days = np.concatenate([np.full(40, 90.0), np.tile([10.0, 10, 10, 10, 10, 3, 3], 4)])
    found = stats_forecast.level(days, 0.0)
    assert found.value == pytest.approx(8.0)
    assert 0 <= found.low <= 8.0 <= found.high


def test_a_weekday_pattern_alone_is_no_scatter() -> None:
    found = stats_forecast.level(np.tile([10.0, 10, 10, 10, 10, 3, 3], 12), 0.0)
    assert found.high - found.low < 1e-6


def test_a_trend_without_noise_is_found_exactly() -> None:
    found = stats_forecast.trend(1000 * 1.05 ** np.arange(20.0))
    assert found is not None
    assert math.exp(found.growth) == pytest.approx(1.05, rel=1e-6)
    value, low, high = found.expected(4, 1)
    assert value == pytest.approx(1000 * 1.05**23, rel=1e-4)
    assert low < value < high


def test_a_trend_needs_counts_on_both_sides() -> None:
    assert stats_forecast.trend(np.array([1.0, 2.0, 3.0])) is None
    assert stats_forecast.trend(np.array([0.0, 0, 0, 0, 5, 9])) is None


def test_the_scatter_of_poisson_counts_gives_their_error() -> None:
    # the error of a log-linear slope through equal Poisson counts m at times t is 1/sqrt(m·Σ(t-t̄)²)
    counts = np.array([100.0, 99, 101, 100, 101, 99, 100, 100, 99, 101, 100, 100])
    found = stats_forecast.trend(counts)
    assert found is not None
    plain = 1 / math.sqrt(100 * 143)
    assert plain * 0.999 <= found.error <= plain * 1.2


def test_a_share_explained_without_noise_is_found_exactly() -> None:
    rng = np.random.default_rng(1)
    read, written = rng.uniform(100, 900, 60), rng.uniform(10, 90, 60)
    time = 0.5 + 0.002 * read + 0.01 * written
    found = stats_clustered.explained_share(
        time, read, written, np.full(60, -1), np.arange(60)
    )
    assert found is not None
    # the far 1% are drawn in, which moves the mean by a hair
    assert found.value == pytest.approx(0.002 * read.mean() / time.mean(), rel=0.02)


def test_a_cause_that_hardly_varies_explains_nothing_that_could_be_told() -> None:
    rng = np.random.default_rng(1)
    read, written = 500 + rng.uniform(0, 30, 60), rng.uniform(10, 90, 60)
    group, talk = np.zeros(60, dtype=np.int64), np.arange(60)
    assert (
        stats_clustered.explained_share(read / 100, read, written, group, talk) is None
    )
    # twice as long for another model is no variation within a model
    both = np.where(talk % 2, read, 2 * read)
    assert (
        stats_clustered.explained_share(both / 100, both, written, talk % 2, talk)
        is None
    )


def test_drift_is_the_squared_distance_and_by_chance_0() -> None:
    rng = np.random.default_rng(1)
    later = np.arange(400) >= 300
    vectors = rng.normal(size=(400, 3))
    talk = np.arange(400) // 2
    same = stats_clustered.drift(vectors, later, talk, rng)
    moved = stats_clustered.drift(
        vectors + 2.0 * later[:, None] * np.array([1.0, 0, 0]), later, talk, rng
    )
    assert same is not None
    assert moved is not None
    assert same.low < 0 < same.high
    assert same.chance > 0.05
    assert moved.low < 4.0 < moved.high
    assert moved.chance == pytest.approx(1 / 500)


@pytest.mark.parametrize("per_cluster", [1, 5])
def test_nineteen_of_twenty_intervals_hold_the_truth(per_cluster: int) -> None:
    """The small form of evidence/accuracy/intervals.py; 200 worlds, 60 conversations."""
    held = {"share": 0, "mean": 0, "p95": 0}
    truth = math.exp(0.0 + NormalDist().inv_cdf(0.95))
    for seed in range(200):
        rng = np.random.default_rng(seed)
        talk = np.repeat(np.arange(60), rng.geometric(1 / per_cluster, 60))
        own = rng.normal(size=60)[talk] * math.sqrt(0.3)
        values = own + math.sqrt(0.7) * rng.normal(size=len(talk))
        for name, found, real in (
            ("share", share(values > 1.0, talk), 1 - NormalDist().cdf(1.0)),
            ("mean", stats_clustered.mean(np.exp(values), talk), math.exp(0.5)),
            ("p95", stats_clustered.quantile(np.exp(values), 0.95, talk), truth),
        ):
            assert found is not None
            held[name] += found.low <= real <= found.high
    # at 95% coverage fewer than 181 of 200 come once in a hundred times
    assert min(held.values()) >= 181, held
