"""The one criterion and the chances, as laws over all figures."""

from __future__ import annotations

import math

from hypothesis import assume, given
from hypothesis import strategies as st

from tuneworthy.model.framework import Move
from tuneworthy.ways import chances as ways_chances
from tuneworthy.ways import way as ways_way

SHARE = st.floats(0.01, 0.99)
CASES = st.integers(1, 5000)
SECONDS = st.floats(0.01, 1000)
FACTOR = st.floats(0.01, 100)

TargetCriterion = ways_way.TargetCriterion
Way = ways_way.Way
STEPS = {"missed": 0, "unknown": 1, "met": 2}


def a_way(
    share: float, cases: int | None, seconds: float = 1.0, private: str = "yes"
) -> Way:
    """A way with so many right of its cases, and its seconds."""
    quality = ways_way.share_of_cases(share, cases, "measured")
    latency = ways_way.KnownNumber(seconds, seconds, seconds, "measured")
    figures = {"quality": quality, "latency_p95_s": latency}
    return Way(
        "x",
        "x",
        "model",
        "other_model",
        "stated",
        figures=figures,  # type: ignore[arg-type]  # two of them
        private=private,  # type: ignore[arg-type]  # two states
    )


@given(SHARE, CASES, SHARE, SHARE)
def test_a_looser_target_is_met_no_worse(
    share: float, cases: int, one: float, two: float
) -> None:
    loose, tight = sorted((one, two))
    states = [
        TargetCriterion({"quality": limit}, "no").judge(a_way(share, cases))["quality"]
        for limit in (loose, tight)
    ]
    assert STEPS[states[0]] >= STEPS[states[1]]


@given(SHARE, CASES, SHARE)
def test_more_cases_of_the_same_share_never_turn_met_into_missed(
    share: float, cases: int, limit: float
) -> None:
    few, many = (
        TargetCriterion({"quality": limit}, "no").judge(a_way(share, n))["quality"]
        for n in (cases, 50 * cases)
    )
    assert {few, many} != {"met", "missed"}


@given(SHARE, SHARE)
def test_a_share_without_its_cases_is_never_met(share: float, limit: float) -> None:
    assert (
        TargetCriterion({"quality": limit}, "no").judge(a_way(share, None))["quality"]
        == "unknown"
    )


@given(SHARE, CASES, SHARE, SECONDS, SECONDS)
def test_a_way_is_admitted_only_with_every_target_met(
    share: float, cases: int, limit: float, seconds: float, most: float
) -> None:
    criterion = TargetCriterion({"quality": limit, "latency": most}, "yes")
    way = a_way(share, cases, seconds)
    states = criterion.judge(way)
    met = set(states.values()) == {"met"}
    assert (criterion.admits(way) == "met") == met
    # data leave
    assert criterion.admits(a_way(share, cases, seconds, "no")) == "missed"


@given(SHARE, CASES, SHARE)
def test_what_nearly_meets_a_target_is_at_it(
    share: float, cases: int, limit: float
) -> None:
    criterion = TargetCriterion({"quality": limit}, "no")
    way = a_way(share, cases)
    if criterion.admits(way) == "met":
        assert criterion.nearly_admits(way)
    if criterion.nearly_admits(way):
        known = way.figures["quality"]
        assert known.value >= limit
        assert known.low >= limit - 2 * criterion.margin_quality


@given(SECONDS, SECONDS, SECONDS, FACTOR, FACTOR)
def test_a_looser_limit_never_lowers_the_chance_to_stay_within(
    today: float, one: float, two: float, low: float, high: float
) -> None:
    assume(low <= high)
    move = Move.model_construct(low=low, high=high)
    tight, loose = (
        ways_chances.chance_within(today, limit, move) for limit in sorted((one, two))
    )
    assert 0 <= tight <= loose <= 1
    if math.isclose(low, high):
        assert tight in (0.0, 1.0) or math.isclose(one / today, low)
