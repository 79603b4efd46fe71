"""Laws of the comparison of prompts and models: the best of many is the luckiest too."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plain_engine import batch, measure, table_of
from tuneworthy.measure.signals.arms import ArmsSignal as Arms
from tuneworthy.measure.signals.base import Findings as Found
from tuneworthy.model import evidence as model_evidence
from tuneworthy.model.base import Unknown
from tuneworthy.model.evidence import Batch, Evidence
from tuneworthy.stats import compare as stats_compare
from tuneworthy.stats import intervals as stats_intervals


def trial(scores: Any, **more: Any) -> Batch:
    """Results of a test: one row of scores a case, one column a prompt."""
    table = np.asarray(scores, dtype=float)
    cases, arms = table.shape
    return batch(
        score=[None if np.isnan(each) else float(each) for each in table.ravel()],
        case=[f"case {row}" for row in range(cases) for _ in range(arms)],
        prompt=[f"p{arm}" for _ in range(cases) for arm in range(arms)],
        model=["m"] * cases * arms, **more,
    )  # fmt: skip


def result(*batches: Batch) -> model_evidence.ArmsResult:
    (found,) = results(*batches)
    return found


def results(*batches: Batch) -> tuple[model_evidence.ArmsResult, ...]:
    signal = Arms()
    return signal.results(table_of(signal, batches))


def lead(*batches: Batch) -> model_evidence.Lead:
    found = result(*batches).lead
    assert isinstance(found, model_evidence.Lead)
    return found


def evidence(found: Found, measured: str) -> Evidence:
    return next(each for each in found.evidence if each.id == measured)


def drawn(rng: np.random.Generator, rates: list[float], cases: int = 200) -> Any:
    """Right and wrong by case and arm; an easy case is easy for all."""
    ease = rng.normal(size=(cases, 1))
    noise = rng.normal(size=(cases, len(rates)))
    cut = np.array([NormalDist().inv_cdf(rate) for rate in rates])
    return ((ease + noise) / np.sqrt(2) < cut) * 1.0


# p0 right in 30 of 40 cases, p1 in 20, p2 in 10; each case p1 solves p0 solves too.
THREE = [[1, 1, 1]] * 10 + [[1, 1, 0]] * 10 + [[1, 0, 0]] * 10 + [[0, 0, 0]] * 10


def test_arms_by_hand() -> None:
    found = result(trial(THREE))
    assert [(arm.prompt, arm.value, arm.cases, arm.runs) for arm in found.arms] == [
        ("p0", 0.75, 40, 40), ("p1", 0.5, 40, 40), ("p2", 0.25, 40, 40),
    ]  # fmt: skip
    assert (found.cases, found.same_cases, found.scale) == (40, True, "share")
    # Wilson for 30 of 40 is 0.598 to 0.858
    assert found.arms[0].low == pytest.approx(0.598, abs=0.01)
    assert found.arms[0].high == pytest.approx(0.858, abs=0.01)


def test_the_lead_by_hand() -> None:
    found = lead(trial(THREE))
    # 10 of 40 differ by one: mean 0.25, standard deviation √(0.25·0.75·40/39) = 0.4385
    assert found.value == 0.25
    assert found.cases == 40
    assert found.told_apart == "yes"
    error = 0.4385 / np.sqrt(40)
    # Student's quantile for 39 degrees of freedom is 2.0227
    assert found.low == pytest.approx(0.25 - 2.0227 * error, abs=0.001)
    assert 0.25 + 2.0227 * error <= found.high < 0.25 + 3 * error
    # ((1.96 + 0.8416) · 0.4385 / 0.25)² = 24.1
    assert found.cases_needed == 25


def test_two_arms_need_what_the_textbook_says() -> None:
    # ((1.96 + 0.8416) · s / d)², with d = 0.1 and s = √(0.1·0.9·40/39) = 0.3038: 72.4
    one = np.array([1.0] * 24 + [0.0] * 16)
    other = np.array([1.0] * 20 + [0.0] * 20)
    found = stats_compare.paired(one, other)
    assert found is not None
    assert found[0].value == pytest.approx(0.1)
    assert found[1] == 73


def test_equal_arms_need_no_number_of_cases() -> None:
    found = lead(trial([[1, 1], [0, 0]] * 20))
    assert found.value == 0
    assert found.told_apart == "no"
    assert isinstance(found.cases_needed, Unknown)


def test_under_20_cases_nothing_is_told_apart() -> None:
    found = measure(Arms(), trial([[1, 0]] * 19))
    assert isinstance(evidence(found, "best_arm_share").value, Unknown)
    assert isinstance(evidence(found, "best_arm_lead").value, Unknown)
    assert lead(trial([[1, 0]] * 19)).told_apart == "unknown"
    assert lead(trial([[1, 0]] * 20)).told_apart == "yes"


def test_the_interval_of_the_best_is_wider_than_its_own() -> None:
    for arm in result(trial(drawn(np.random.default_rng(1), [0.5] * 6))).arms:
        assert arm.low_of_all < arm.low < arm.value < arm.high < arm.high_of_all


def test_more_arms_widen_the_interval_of_the_best() -> None:
    scores = drawn(np.random.default_rng(2), [0.5] * 12)
    reaches = [
        stats_compare.quantiles(scores[:, :arms], np.random.default_rng(0)).arms
        for arms in (1, 3, 12)
    ]
    assert reaches == sorted(reaches)
    assert reaches[0] == pytest.approx(1.96, abs=0.1)
    assert reaches[2] < 2.9  # Bonferroni's for twelve is 2.87


def test_repeats_of_a_case_are_averaged_first() -> None:
    # one case is run nine times and always right; the other 39 once and wrong
    cases = ["often"] * 9 + [f"c{each}" for each in range(39)]
    found = result(batch(score=[1.0] * 9 + [0.0] * 39, case=cases, prompt=["p"] * 48))
    assert found.arms[0].value == pytest.approx(1 / 40)
    assert (found.arms[0].cases, found.arms[0].runs) == (40, 48)


def test_turns_of_a_run_are_one_run() -> None:
    names = [f"run {each // 3}" for each in range(90)]
    found = result(batch(
        score=[1.0] * 90, case=names, conversation=names, prompt=["p"] * 90, usd=[0.01] * 90,
    ))  # fmt: skip
    assert found.arms[0].runs == 30
    assert found.arms[0].usd_per_run == pytest.approx(0.03)


def test_runs_that_broke_are_left_out_of_the_score_and_counted() -> None:
    error = [None, "timeout"] * 10 + [None, None] * 20
    found = result(trial([[1, 0]] * 10 + [[1, 1]] * 20, error=error))
    assert {arm.prompt: (arm.value, arm.errors) for arm in found.arms} == {
        "p0": (1.0, 0), "p1": (1.0, 10),
    }  # fmt: skip
    # Wilson for 20 of 30 is 0.488 to 0.808; as right all 30 are
    assert found.arms[1].low == pytest.approx(0.488, abs=0.02)
    assert found.arms[1].high == 1
    assert found.arms[0].low > 0.85


@pytest.mark.slow
@given(lost=st.sets(st.integers(0, 39), max_size=40), arm=st.integers(0, 1))
def test_no_number_of_failed_calls_puts_an_arm_ahead(lost: set[int], arm: int) -> None:
    """p0 is right in 22 of 40 and p1 in 20: failures may hide that, and distinguish nothing."""
    scores = [[1, 1]] * 20 + [[1, 0]] * 2 + [[0, 0]] * 18
    error = [
        None if n not in lost or side != arm else "x"
        for n in range(40)
        for side in (0, 1)
    ]
    found = lead(trial(scores, error=error))
    assert found.told_apart in {"no", "unknown"}
    whole = lead(trial(scores))
    assert found.low <= whole.value <= found.high


def test_an_arm_that_often_fails_is_not_best_because_of_what_is_left() -> None:
    error = [None, "timeout"] * 60 + [None, None] * 90
    found = result(
        trial(
            [[1, 0]] * 50 + [[0, 0]] * 10 + [[1, 1]] * 80 + [[0, 0]] * 10, error=error
        )
    )
    assert [(arm.prompt, round(arm.value, 2)) for arm in found.arms] == [
        ("p0", 0.87),
        ("p1", 0.89),
    ]
    assert isinstance(found.lead, model_evidence.Lead)
    assert found.lead.told_apart == "no"


@pytest.mark.parametrize("column", ["conversation", "group"])
def test_cases_of_a_conversation_or_document_are_no_independent_cases(
    column: str,
) -> None:
    """A is right in all of 7 documents, B in 3: by the sign test that is no difference."""
    scores = [[1, 0]] * 140 + [[0, 1]] * 60
    names = [f"d{row // 20}" for row in range(200) for _ in (0, 1)]
    alone, found = lead(trial(scores)), result(trial(scores, **{column: names}))
    assert alone.told_apart == "yes"
    assert isinstance(found.lead, model_evidence.Lead)
    assert (found.lead.told_apart, found.lead.clusters) == ("unknown", 10)
    assert found.arms[0].clusters == 10
    assert found.lead.low < 0 < found.lead.high
    shown = evidence(
        measure(Arms(), trial(scores, **{column: names})), "best_arm_share"
    )
    assert isinstance(shown.value, Unknown)
    assert "10 bear on it" in shown.value.ask


def test_arms_with_few_cases_in_common_are_judged_on_their_own() -> None:
    scores = np.full((60, 2), np.nan)
    scores[:35, 0], scores[25:, 1] = 1, 0
    found = result(trial(scores))
    assert not found.same_cases
    assert [arm.cases for arm in found.arms] == [35, 35]
    assert isinstance(found.lead, model_evidence.Lead)
    assert found.lead.cases == 10


def test_arms_with_enough_cases_in_common_are_judged_on_those_alone() -> None:
    scores = np.ones((50, 2))
    scores[:20, 0], scores[:20, 1] = 0, np.nan  # hard cases that only p0 was given
    found = result(trial(scores))
    assert found.same_cases
    assert [(arm.value, arm.cases) for arm in found.arms] == [(1.0, 30), (1.0, 30)]


@pytest.mark.slow
def test_of_very_many_arms_those_with_most_cases_are_compared() -> None:
    many = 3000
    often = trial(np.ones((30, 2)))
    rare = batch(
        score=[1.0] * many, case=[f"case {row % 30}" for row in range(many)],
        prompt=[f"user {row}" for row in range(many)], model=["m"] * many,
    )  # fmt: skip
    found = result(rare, often)
    assert (len(found.arms), found.left_out) == (50, many + 2 - 50)
    assert {"p0", "p1"} <= {arm.prompt for arm in found.arms}


def renamed(traces: Batch, mark: str) -> Batch:
    """The same results with cases and prompts of other names."""
    traces.case = [f"{mark} {each}" for each in traces.case]
    traces.prompt = [f"{mark} {each}" for each in traces.prompt]
    return traces


def test_what_shares_no_case_is_another_test_and_no_match() -> None:
    easy, hard = renamed(trial([[1, 1]] * 40), "easy"), renamed(trial(THREE), "hard")
    found = results(hard, easy)
    assert [[arm.prompt for arm in one.arms] for one in found] == [
        ["hard p0", "hard p1", "hard p2"], ["easy p0", "easy p1"],
    ]  # fmt: skip
    assert [
        one.lead.told_apart
        for one in found
        if isinstance(one.lead, model_evidence.Lead)
    ] == [
        "yes",
        "no",
    ]
    both = measure(Arms(), hard, easy)
    for name in ("best_arm_share", "best_arm_lead"):
        value = evidence(both, name).value
        assert isinstance(value, Unknown)
        assert "2 tests" in value.ask
    (picture,) = both.series
    assert picture.columns["test"] == (1, 1, 1, 2, 2)
    # each by itself says what it said alone
    assert found[0].arms == result(hard).arms


def test_a_few_stray_cases_are_no_test_of_their_own() -> None:
    found = results(trial(THREE), renamed(trial([[1, 1]] * 19), "stray"))
    assert len(found) == 1
    assert (len(found[0].arms), found[0].left_out) == (3, 2)
    assert evidence(measure(Arms(), trial(THREE)), "best_arm_share").is_known


def test_a_case_that_leads_from_one_to_the_other_makes_one_test() -> None:
    scores = np.full((61, 3), np.nan)
    scores[:40, 0], scores[39:61, 1], scores[60:, 2] = 1, 0, 1
    assert [len(one.arms) for one in results(trial(scores))] == [3]


@pytest.mark.slow
def test_a_long_chain_of_arms_is_followed_in_moments() -> None:
    size = 20_000
    chain = batch(
        score=[1.0] * 2 * size,
        case=[f"c{place + side}" for place in range(size) for side in (0, 1)],
        prompt=[f"p{place}" for place in range(size) for _ in (0, 1)],
    )
    found = result(chain)
    assert (len(found.arms), found.left_out) == (50, size - 50)


def test_costs_and_times_are_per_run_and_unknown_where_not_logged() -> None:
    arm = result(
        trial([[1]] * 30, usd=[0.02, 0.04] * 15, latency_s=[1.0, 2.0, 6.0] * 10)
    ).arms[0]
    assert arm.usd_per_run == pytest.approx(0.03)
    assert arm.latency_p50_s == 2
    bare = result(trial([[1]] * 30)).arms[0]
    assert isinstance(bare.usd_per_run, Unknown)
    assert isinstance(bare.latency_p50_s, Unknown)


def test_the_cost_of_a_run_has_an_interval_over_cases() -> None:
    # by hand: ten cases cost 1 and ten 3, twice each; over the 20 means of cases the mean is 2 and
    # the deviation √(20/19); t of 19 degrees is 2.0930, so half the interval is 0.4801
    costs = [1.0, 3.0] * 10
    twice = batch(
        score=[1.0] * 40, case=[f"c{each}" for each in range(20)] * 2, prompt=["p"] * 40,
        conversation=[f"r{each}" for each in range(40)], usd=costs * 2,
    )  # fmt: skip
    arm = result(twice).arms[0]
    assert arm.usd_per_run == 2
    assert isinstance(arm.usd_per_run_low, float)
    assert isinstance(arm.usd_per_run_high, float)
    assert arm.usd_per_run_low == pytest.approx(2 - 0.4801, abs=0.06)
    assert arm.usd_per_run_high == pytest.approx(2 + 0.4801, abs=0.06)
    alone = result(
        batch(score=[1.0] * 3, case=["a"] * 3, prompt=["p"] * 3, usd=[1.0] * 3)
    ).arms[0]
    assert isinstance(alone.usd_per_run_high, Unknown)


def test_what_is_missing_is_named() -> None:
    traffic = measure(Arms(), batch(score=[1.0] * 30, prompt=["a", "b"] * 15))
    value = evidence(traffic, "best_arm_share").value
    assert isinstance(value, Unknown)
    assert "case" in value.ask
    unscored = evidence(measure(Arms(), batch(case=["a"] * 30)), "best_arm_share").value
    assert isinstance(unscored, Unknown)
    assert "score" in unscored.ask
    alone = evidence(measure(Arms(), trial([[1]] * 30)), "best_arm_lead").value
    assert isinstance(alone, Unknown)
    assert "another prompt" in alone.ask
    stars = evidence(measure(Arms(), trial([[5, 4]] * 30)), "best_arm_share").value
    assert isinstance(stars, Unknown)
    assert "scale" in stars.ask
    assert traffic.series == ()


def test_scores_on_another_scale_are_still_compared() -> None:
    found = result(trial([[5, 4], [3, 3]] * 15))
    assert found.scale == "score"
    assert (found.arms[0].value, found.arms[1].value) == (4.0, 3.5)
    assert (
        found.lead.value == 0.5
        if isinstance(found.lead, model_evidence.Lead)
        else False
    )


def test_the_picture_has_a_row_for_every_arm() -> None:
    (picture,) = measure(Arms(), trial(THREE, usd=[0.1] * 120)).series
    assert picture.columns["prompt"] == ("p0", "p1", "p2")
    assert picture.columns["value"] == (0.75, 0.5, 0.25)
    assert "usd_per_run" in picture.columns
    assert "latency_p50_s" not in picture.columns


@pytest.mark.slow
def test_equal_arms_are_seldom_told_apart() -> None:
    rng = np.random.default_rng(5)
    told = [lead(trial(drawn(rng, [0.7] * 4))).told_apart == "yes" for _ in range(40)]
    assert np.mean(told) <= 0.05


@pytest.mark.slow
def test_the_interval_of_the_best_of_many_holds_its_true_score() -> None:
    rng = np.random.default_rng(6)
    held = own = 0
    for _ in range(60):
        best = result(trial(drawn(rng, [0.7] * 10, cases=120))).arms[0]
        held += best.low_of_all <= 0.7 <= best.high_of_all
        own += best.low <= 0.7 <= best.high
    assert held >= 55
    assert own < held  # its own interval doesn't: that is why there are two


def test_an_arm_that_is_20_points_better_is_told_apart() -> None:
    rng = np.random.default_rng(7)
    leads = [lead(trial(drawn(rng, [0.8, 0.6, 0.6]))) for _ in range(15)]
    assert np.mean([each.told_apart == "yes" for each in leads]) >= 0.9


@pytest.mark.slow
def test_the_number_of_cases_needed_is_about_enough() -> None:
    rng = np.random.default_rng(8)
    small = [
        lead(trial(drawn(rng, [0.75, 0.6], cases=400))).cases_needed for _ in range(12)
    ]
    needed = int(np.median([each for each in small if isinstance(each, int)]))
    told = [
        lead(trial(drawn(rng, [0.75, 0.6], cases=needed))).told_apart == "yes"
        for _ in range(60)
    ]
    assert 0.65 <= np.mean(told) <= 0.95


@pytest.mark.slow
@given(st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0, None]), min_size=3, max_size=3),
                min_size=1, max_size=40), st.randoms())  # fmt: skip
def test_the_order_of_the_rows_changes_no_score(rows: list[Any], chance: Any) -> None:
    whole = trial([[np.nan if each is None else each for each in row] for row in rows])
    order = list(range(len(whole)))
    chance.shuffle(order)
    shuffled = Batch(**{
        name: [getattr(whole, name)[row] for row in order]
        for name in ("output", "score", "case", "prompt", "model")
    })  # fmt: skip
    one, other = (
        [arm for each in results(log) for arm in each.arms] for log in (whole, shuffled)
    )
    assert sorted((arm.prompt, arm.value, arm.cases) for arm in one) == sorted(
        (arm.prompt, arm.value, arm.cases) for arm in other
    )
    assert all(
        arm.low_of_all <= arm.low <= arm.value <= arm.high <= arm.high_of_all
        for arm in one
    )


def test_an_interval_for_a_single_arm_is_its_own() -> None:
    scores = np.array([1.0] * 80 + [0.0] * 20)
    one, low, high = stats_compare.arm_estimate(
        scores, np.arange(100), stats_intervals.Z95, as_share=True
    )
    assert (low, high) == pytest.approx((one.low, one.high))


def test_repeats_of_a_case_say_more_than_one_run_and_less_than_as_many_cases() -> None:
    """Four runs of each case: half of the cases are hard, and half of their runs fail."""
    hard, once = np.array([1.0, 0.0, 1.0, 0.0]), np.ones(4)
    repeated = np.concatenate([hard if case % 2 else once for case in range(40)])
    cases = np.repeat(np.arange(40), 4)
    widths = []
    means = repeated.reshape(40, 4).mean(axis=1)
    ways = ((repeated, np.arange(160)), (repeated, cases), (means, cases[::4]))
    for scores, clusters in ways:
        one, low, high = stats_compare.arm_estimate(
            scores, clusters, 2.5, as_share=True
        )
        assert one.value == 0.75
        assert low < one.low < 0.75 < one.high < high
        widths.append(one.high - one.low)
    assert widths[0] <= widths[1] < widths[2]
