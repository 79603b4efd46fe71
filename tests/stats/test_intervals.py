"""Laws of intervals: Wilson's, and those drawn by whole clusters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tuneworthy.stats import clustered as resample
from tuneworthy.stats import clustered as stats_clustered
from tuneworthy.stats import intervals as stats_intervals
from tuneworthy.stats.clustered import Estimate
from tuneworthy.stats.compare import ceiling
from tuneworthy.stats.intervals import wilson

sizes = st.integers(1, 5000)
shares = st.integers(0, 1000).map(lambda k: k / 1000)


# Newcombe (1998), two-sided confidence intervals for the single proportion, method 3.
@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_textbook_values(
    successes: int, n: int, low: float, high: float
) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=0.00005)


@given(sizes, st.data())
def test_wilson_lies_between_0_and_1_and_holds_the_share(
    n: int, data: st.DataObject
) -> None:
    successes = data.draw(st.integers(0, n))
    low, high = wilson(successes, n)
    assert 0 <= low <= successes / n <= high <= 1
    assert low < high


@given(sizes, st.data())
def test_wilson_mirrors(n: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, n))
    low, high = wilson(successes, n)
    assert wilson(n - successes, n) == pytest.approx((1 - high, 1 - low))


@given(shares, st.floats(1, 1e6), st.floats(1.01, 100))
def test_more_cases_at_the_same_share_narrow_wilson(
    share: float, n: float, more: float
) -> None:
    few, many = wilson(share * n, n), wilson(share * n * more, n * more)
    assert many[1] - many[0] < few[1] - few[0]


def test_of_no_case_nothing_is_known() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("successes", "n"), [(-1, 5), (6, 5), (0, -1), (1, float("inf"))]
)
def test_wilson_refuses_what_is_no_count(successes: float, n: float) -> None:
    with pytest.raises(ValueError, match="between 0 and n"):
        wilson(successes, n)


def test_cases_to_exclude_by_hand() -> None:
    # 1.96² · 0.6 · 0.4 / 0.1² = 92.2, so the 93rd case settles it
    assert stats_intervals.cases_to_exclude(0.5, 0.6) == 93
    # 1.96² · 0.9 · 0.1 / 0.09² = 42.7
    assert stats_intervals.cases_to_exclude(0.81, 0.9) == 43


@given(shares, shares)
def test_cases_to_exclude_is_enough_and_one_less_is_not(
    rate: float, target: float
) -> None:
    assume(rate != target)
    n = stats_intervals.cases_to_exclude(rate, target)
    assert n is not None

    def holds(cases: int) -> bool:
        low, high = wilson(min(rate * cases, cases), cases)
        return low <= target <= high

    assert not holds(n)
    assert n == 1 or holds(n - 1)


@given(shares)
def test_no_number_of_cases_tells_a_rate_from_itself(rate: float) -> None:
    assert stats_intervals.cases_to_exclude(rate, rate) is None


def test_rates_a_hair_apart_need_more_cases_than_there_are() -> None:
    assert stats_intervals.cases_to_exclude(0.5, 0.5 + 1e-9) is None
    assert stats_intervals.cases_to_exclude(5e-324, 1e-323) is None


@pytest.mark.parametrize(
    ("rate", "target"), [(1.1, 0.5), (0.5, -0.1), (float("nan"), 0.5)]
)
def test_cases_to_exclude_refuses_what_is_no_share(rate: float, target: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        stats_intervals.cases_to_exclude(rate, target)


def test_cases_that_tell_by_hand() -> None:
    # 100 of either part at 0.80: Clopper and Pearson's upper end is 0.8733, 0.0733 above;
    # (0.0733 / 0.1 · 2.8016 / 1.96)² = 1.098 times the 200 there are
    assert stats_intervals.cases_to_tell(0.8, 0.9, 100) == 220


@given(shares, shares, st.integers(10, 500))
def test_cases_that_tell_grow_as_the_target_comes_near_and_a_lab_says_the_same(
    rate: float, target: float, n: int
) -> None:
    assume(abs(rate - target) > 0.01 and 0 < rate < 1)
    needed, nearer = (
        stats_intervals.cases_to_tell(rate, t, n) for t in (target, (rate + target) / 2)
    )
    assert needed is None or 2 * n < needed <= max(stats_intervals.MOST_USEFUL, 4 * n)
    assert nearer is None or (needed is not None and needed <= nearer)
    assert stats_intervals.cases_to_tell(rate, rate, n) is None
    part = exact_share(
        [1] * round(rate * n) + [0] * (n - round(rate * n)), list(range(n))
    )
    if n >= 40 and 0 < part.value < 1 and abs(part.value - target) > 0.01:
        told, alone = (
            ceiling([part], part, target),
            stats_intervals.cases_to_tell(part.value, target, n),
        )
        if told.reached == "too_few_cases" and told.cases_needed and alone:
            # the lab widens its interval by Student's t, for few cases
            assert told.cases_needed == pytest.approx(alone, rel=0.15)


def exact_share(hits: list[int], clusters: list[int]) -> Estimate:
    """The share of a part as a lab holds it against a target."""
    found = resample.share(hits, clusters, exact=True)
    assert found is not None
    return found


def cluster_interval(
    values: list[float],
    clusters: list[str],
    *,
    rng: np.random.Generator,
    draws: int = 10_000,
) -> tuple[float, float]:
    """The 95% percentile interval of a mean, whole clusters drawn again."""
    columns = [(value,) for value in values]
    return stats_clustered.percentile_interval(
        stats_clustered.cluster_means(columns, clusters, rng=rng, draws=draws)
    )[0]


# Whole clusters ----------------------------------------------------------------------------------


def test_a_cluster_is_drawn_whole_or_not_at_all() -> None:
    means = stats_clustered.cluster_means(
        [(1.0,), (1.0,), (0.0,)],
        ["a", "a", "b"],
        rng=np.random.default_rng(0),
        draws=2000,
    )
    # twice a, a and b, twice b; drawing single cases would also give 1/3
    assert sorted({round(float(mean), 9) for mean in means[:, 0]}) == [
        0.0,
        round(2 / 3, 9),
        1.0,
    ]


def test_cases_that_stand_together_widen_the_interval() -> None:
    values = [1.0] * 30 + [0.0] * 30
    alone = [str(case) for case in range(60)]
    together = [str(case // 5) for case in range(60)]
    narrow = cluster_interval(values, alone, rng=np.random.default_rng(1))
    wide = cluster_interval(values, together, rng=np.random.default_rng(1))
    assert wide[0] < narrow[0] < 0.5 < narrow[1] < wide[1]
    # five alike are worth one, so the width grows by about the root of five
    assert (wide[1] - wide[0]) / (narrow[1] - narrow[0]) == pytest.approx(
        5**0.5, rel=0.15
    )


def test_drawing_is_the_mean_over_the_cases_drawn() -> None:
    values = [(1.0, 5.0), (0.0, 2.0), (1.0, -1.0), (0.0, 4.0)]
    clusters = ["x", "y", "x", "z"]
    means = stats_clustered.cluster_means(
        values, clusters, rng=np.random.default_rng(3), draws=50
    )
    counts = np.random.default_rng(3).multinomial(3, [1 / 3] * 3, size=50)
    for row, drawn in zip(means, counts, strict=True):
        cases = [
            value
            for value, name in zip(values, clusters, strict=True)
            for _ in range(drawn["xyz".index(name)])
        ]
        assert row == pytest.approx(np.mean(cases, axis=0))


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values, clusters = [1.0, 0.0, 1.0, 0.0, 0.0], list("aabcd")
    whole = cluster_interval(values, clusters, rng=np.random.default_rng(5), draws=999)
    monkeypatch.setattr(resample, "_CELLS", 40)
    assert whole == cluster_interval(
        values, clusters, rng=np.random.default_rng(5), draws=999
    )


@given(st.permutations(range(12)), st.integers(0, 99))
def test_the_order_of_cases_changes_nothing(order: list[int], seed: int) -> None:
    values, clusters = (
        [float(k % 3 == 0) for k in range(12)],
        [f"c{k // 2}" for k in range(12)],
    )
    first = cluster_interval(
        values, clusters, rng=np.random.default_rng(seed), draws=200
    )
    second = cluster_interval(
        [values[k] for k in order],
        [clusters[k] for k in order],
        rng=np.random.default_rng(seed),
        draws=200,
    )
    assert first == second


def test_drawing_refuses_what_does_not_fit() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="one row for each case"):
        cluster_interval([], [], rng=rng)
    with pytest.raises(ValueError, match="one row for each case"):
        cluster_interval([1.0], ["a", "b"], rng=rng)


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=60))
def test_independent_cases_lie_between_one_and_the_number_of_clusters(
    names: list[str],
) -> None:
    worth = stats_intervals.independent_cases(names)
    assert 1 - 1e-9 <= worth <= len(set(names)) + 1e-9


def test_independent_cases_at_the_ends() -> None:
    assert stats_intervals.independent_cases([]) == 0.0
    assert stats_intervals.independent_cases(["a"] * 7) == 1.0
    assert stats_intervals.independent_cases(list("abcdefg")) == pytest.approx(7)


Coverage = dict[str, float]


def covered(clusters: int, *, runs: int = 400, share: float = 0.55) -> Coverage:
    """How often each 95% interval holds the truth when cases of a cluster are all alike."""
    rng = np.random.default_rng(20)
    hits = {"drawn": 0, "wilson_by_cluster": 0, "wilson": 0}
    for _ in range(runs):
        many = rng.integers(1, 6, clusters)
        values = np.repeat((rng.random(clusters) < share).astype(float), many)
        names = [str(name) for name in np.repeat(np.arange(clusters), many)]
        mean, worth = float(values.mean()), stats_intervals.independent_cases(names)
        intervals = {
            "drawn": cluster_interval(list(values), names, rng=rng, draws=400),
            "wilson_by_cluster": wilson(mean * worth, worth),
            "wilson": wilson(float(values.sum()), len(values)),
        }
        for name, (low, high) in intervals.items():
            hits[name] += low <= share <= high
    return {name: count / runs for name, count in hits.items()}


@pytest.mark.slow
def test_clusters_that_are_ignored_make_intervals_too_sure() -> None:
    found = covered(40)
    assert found["wilson"] < 0.80
    assert 0.90 <= found["drawn"] <= 0.99
    assert 0.90 <= found["wilson_by_cluster"] <= 0.99


def test_with_few_clusters_drawing_is_too_sure_and_wilson_is_not() -> None:
    found = covered(5)
    assert found["drawn"] < 0.90
    assert found["wilson_by_cluster"] >= 0.93
