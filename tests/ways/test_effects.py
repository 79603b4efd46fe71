"""Error reduction: its chance, what a target needs, and what published comparisons say of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworthy.ways import effects as published
from tuneworthy.ways import gap as ways_gap

sys.path.append(str(Path(__file__).parents[2] / "evidence" / "published"))

import effects as tool  # it counts the effects, and is a script beside the package
import held_out
from published import PublishedArm

ROOT = Path(__file__).parents[2]

Triangle = tuple[float, float, float]

shares = st.floats(0, 1)
reductions = st.floats(-3, 1)
triangles = st.tuples(reductions, reductions, reductions).map(
    lambda ends: tuple(sorted(ends))
)
corners = st.sampled_from(
    [(0.2, 0.2, 0.8), (0.2, 0.8, 0.8), (0.5, 0.5, 0.5), (-1.0, 0.0, 1.0)]
)
every_triangle = triangles | corners

HAIR = 1e-9


@given(every_triangle, reductions, reductions)
def test_a_looser_need_never_lowers_the_chance(
    triangle: Triangle, one: float, other: float
) -> None:
    looser = ways_gap.chance_of_reduction(min(one, other), *triangle)
    tighter = ways_gap.chance_of_reduction(max(one, other), *triangle)
    assert 0 <= tighter <= looser + HAIR
    assert looser <= 1


@given(every_triangle, st.floats(0, 2))
def test_a_need_outside_the_triangle_is_certain_or_hopeless(
    triangle: Triangle, by: float
) -> None:
    low, _, high = triangle
    assert ways_gap.chance_of_reduction(low - by, *triangle) == 1
    if high + by > low:
        assert ways_gap.chance_of_reduction(high + by, *triangle) == 0


@given(st.tuples(reductions, shares, shares), shares)
def test_the_chance_is_the_area_of_the_triangle_from_the_need_on(
    drawn: tuple[float, float, float], part: float
) -> None:
    low, width, place = drawn
    high = low + 0.05 + width
    usual = low + place * (high - low)
    needed = low + part * (high - low)
    # The mean of a falling line's ends is its area, so each side of the peak is exact.
    knots = sorted({needed, max(usual, needed), high})
    heights = np.interp(knots, [low, usual, high], [0, 2 / (high - low), 0])
    if usual <= low:
        heights = np.interp(knots, [low, high], [2 / (high - low), 0])
    if usual >= high:
        heights = np.interp(knots, [low, high], [0, 2 / (high - low)])
    area = sum(np.diff(knots) * (heights[1:] + heights[:-1]) / 2)
    found = ways_gap.chance_of_reduction(needed, low, usual, high)
    assert found == pytest.approx(float(area), abs=1e-6)


def test_where_all_three_are_one_value_the_reduction_is_that_value() -> None:
    assert ways_gap.chance_of_reduction(0.5, 0.5, 0.5, 0.5) == 1
    assert ways_gap.chance_of_reduction(0.5 + HAIR, 0.5, 0.5, 0.5) == 0


def test_a_triangle_out_of_order_is_refused() -> None:
    with pytest.raises(ValueError, match="goes up from low to high"):
        ways_gap.chance_of_reduction(0.3, 0.5, 0.2, 0.9)


def test_the_lessons_own_figures_come_out() -> None:
    assert ways_gap.reduction_from(0.80, 0.92) == pytest.approx(0.6)
    assert ways_gap.reduction_from(0.80, 0.60) == pytest.approx(-1)


@given(st.lists(shares, max_size=6), shares)
def test_one_more_way_never_lowers_the_chance_of_any(
    chances: list[float], more: float
) -> None:
    together = ways_gap.combined_chance(chances)
    assert max(chances, default=0) - HAIR <= together <= 1
    assert ways_gap.combined_chance([*chances, more]) >= together - HAIR


@given(shares, shares)
def test_two_ways_fail_together_as_often_as_the_product_says(
    one: float, other: float
) -> None:
    together = ways_gap.combined_chance([one, other])
    assert 1 - together == pytest.approx((1 - one) * (1 - other))


def test_no_way_has_no_chance() -> None:
    assert ways_gap.combined_chance([]) == 0


def test_the_effects_that_ship_are_those_that_the_tool_counts() -> None:
    assert tool.file_text(tool.every_comparison()) == tool.PATH.read_text("utf-8")


def test_every_effect_goes_up_and_has_enough_behind_it() -> None:
    for each in published.published_effects().effects:
        assert each.low <= each.usual <= each.high <= 1
        assert each.p10 <= each.p25 <= each.p50 <= each.p75 <= each.p90 <= 1
        assert each.n >= tool.ENOUGH
        assert each.clusters >= tool.ENOUGH_SOURCES


def test_every_comparison_has_its_source_in_the_file_that_ships() -> None:
    shipped = published.published_effects()
    comparisons = tool.every_comparison()
    assert sum(each.n for each in shipped.sources) == len(comparisons)
    assert {each.cluster for each in shipped.sources} == {
        each.cluster for each in comparisons
    }
    further = [
        each for each in comparisons if "/" in each.url and each.status != "recalled"
    ]
    assert all(each.url.startswith("http") for each in further)


def test_a_goal_with_too_few_gets_what_all_goals_show() -> None:
    every = published.effect_of("fine_tune")
    assert every is not None
    assert published.effect_of("fine_tune", "persona") == every
    own = published.effect_of("fine_tune", "classification")
    assert own is not None
    assert own.goal == "classification"
    assert own != every


def test_an_arm_with_too_few_has_no_effect() -> None:
    counted = {each.arm for each in published.published_effects().effects}
    for arm in get_args(published.EffectArm):
        assert (published.effect_of(arm) is not None) == (arm in counted)
    assert published.effect_of("hybrid", "knowledge") is None


@pytest.mark.parametrize(
    ("metric", "value", "share"),
    [
        ("accuracy", "0.83", 0.83),
        ("accuracy %", "9.64", 0.0964),
        ("F1", "86", 0.86),
        ("accuracy", "about 82%, 83.5% with RAG", 0.82),
        ("error rate", "below 9%", 0.91),
        ("accuracy % (MedQA)", "72.6", 0.726),
        ("accuracy", "0.353-0.481", None),
        ("accuracy hard set", "80-82%", None),
        ("accuracy", "80-82%", None),
        ("BLEU", "62", None),
        ("accuracy", "not read", None),
        ("accuracy", None, None),
    ],
)
def test_a_share_is_read_as_its_source_gives_it(
    metric: str, value: str | None, share: float | None
) -> None:
    found = tool.share_of(PublishedArm(metric=metric, value=value))
    if share is None:
        assert found is None
    else:
        assert found is not None
        assert found[1] == pytest.approx(share)


@given(st.lists(st.floats(0, 0.7), min_size=3, max_size=3).map(sorted))
def test_one_in_ten_lies_beyond_either_end_that_was_given(
    percentiles: list[float],
) -> None:
    tenth, middle, ninetieth = percentiles
    ninetieth += 0.05  # a width, so that the triangle has an area
    low, usual, high = tool.triangle_around(tenth, middle, ninetieth)
    assert low <= usual <= high
    assert usual == middle
    beyond = ways_gap.chance_of_reduction(tenth, low, usual, high)
    if high < 1:
        assert beyond == pytest.approx(0.9, abs=0.001)
        above = ways_gap.chance_of_reduction(ninetieth, low, usual, high)
        assert above == pytest.approx(0.1, abs=0.001)


def test_a_paper_with_many_comparisons_weighs_as_much_as_one_with_one() -> None:
    comparisons = tool.every_comparison()
    heavy: dict[str, float] = {}
    for each, weight in zip(comparisons, tool.weights(comparisons), strict=True):
        heavy[each.cluster] = heavy.get(each.cluster, 0) + weight
    assert heavy == pytest.approx(dict.fromkeys(heavy, 1.0))


@pytest.mark.slow
def test_the_document_gives_the_scores_that_the_tool_counts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    held_out.main()
    rows = [
        line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")
    ]
    figures = [row for row in rows if "comparisons" not in row and "chances" not in row]
    said = (ROOT / "docs" / "evidence" / "accuracy.md").read_text("utf-8")
    assert len(figures) > len(held_out.NEEDS)
    assert not [row for row in figures if row not in said]
