"""What finding out is worth: against a published example, closed forms, and a simulation."""

from __future__ import annotations

import math
import re
from datetime import date
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab_world import folder_of, known
from tuneworthy import decide, load_case, load_framework
from tuneworthy.framework.rules import compile_rules
from tuneworthy.lab import ceiling
from tuneworthy.lab.prepare import prepare
from tuneworthy.model.base import Unknown
from tuneworthy.model.dossier import QuestionResult
from tuneworthy.money import worth as money_worth

LESSON = load_framework("lesson")
DAY = date(2026, 11, 24)
UNIT = NormalDist()


def unit_loss(mean: float, spread: float) -> float:
    """The mean of what is above zero of a normal quantity."""
    return mean * UNIT.cdf(mean / spread) + spread * UNIT.pdf(mean / spread)


@pytest.mark.slow
def test_the_published_example_of_the_voi_package() -> None:
    """y = p1 - p2 against nothing, p1 ~ N(1, 1), p2 ~ N(0, 2).

    The overview of the R package voi (Jackson and Heath, chjackson.github.io/voi/articles/voi.html)
    works it out: deciding now brings 1, and knowing both adds E[max(0, N(1, sqrt 5))] - 1 = 0.476.
    """
    rng = np.random.default_rng(1)
    p1, p2 = rng.normal(1, 1, 200_000), rng.normal(0, 2, 200_000)
    net = p1 - p2
    # 0.083
    assert money_worth.evppi(net, p1) == pytest.approx(unit_loss(1, 1) - 1, abs=0.01)
    # 0.396
    assert money_worth.evppi(net, p2) == pytest.approx(unit_loss(1, 2) - 1, abs=0.02)
    assert money_worth.evppi(net, net) == pytest.approx(
        unit_loss(1, math.sqrt(5)) - 1, abs=0.03
    )  # 0.476


def test_amounts_that_hardly_differ_tell_nothing() -> None:
    """Ends that lie a subnormal number apart made the fit overflow."""
    known = np.array([0.0, 0.0, 2.2250738585e-313] * 4)
    assert money_worth.evppi(np.linspace(-1, 1, 12), known) == 0.0


def test_a_closed_form_of_an_even_amount() -> None:
    """100 x (u - 0.6) with u even from 0 to 1: nothing now, 100 x 0.4^2 / 2 = 8 once u is known."""
    u = np.random.default_rng(2).random(100_000)
    noise = np.random.default_rng(3).normal(0, 300, len(u))
    assert money_worth.evppi(100 * (u - 0.6), u) == pytest.approx(8, abs=0.3)
    assert money_worth.evppi(100 * (u - 0.6) + noise, u) == pytest.approx(8, abs=2)


@given(st.integers(0, 10**6), st.floats(-5, 5), st.floats(0.01, 10))
def test_knowing_is_never_worth_less_than_nothing_nor_more_than_everything(
    seed: int, middle: float, spread: float
) -> None:
    rng = np.random.default_rng(seed)
    known = rng.normal(0, 1, 500)
    net = middle + spread * known + rng.normal(0, 1, 500)
    most = float(np.mean(np.maximum(net, 0))) - max(float(np.mean(net)), 0.0)
    assert 0 <= money_worth.evppi(net, known) <= most + 1e-9
    # what doesn't vary tells nothing
    assert money_worth.evppi(net, np.full(500, 3.0)) == 0


def simulated(
    right: float, cases: int, target: float, more: int, gain: float, loss: float
) -> float:
    """The same by counting: shares drawn from a beta prior, cases drawn from each, no formula."""
    rng = np.random.default_rng(5)
    truth = rng.beta(right * cases + 1, (1 - right) * cases + 1, 400_000)
    seen = rng.binomial(more, truth)
    times = np.bincount(seen, minlength=more + 1)
    below = np.bincount(seen, truth < target, minlength=more + 1) / np.maximum(times, 1)
    best = np.maximum(below * gain - (1 - below) * loss, 0.0)
    chance = float(np.mean(truth < target))
    return float(np.sum(best * times) / len(truth)) - max(
        chance * gain - (1 - chance) * loss, 0.0
    )


@pytest.mark.parametrize(
    ("right", "cases", "target", "more"),
    [(0.85, 100, 0.88, 100), (0.9, 200, 0.88, 400), (0.8, 60, 0.82, 50)],
)
def test_cases_are_worth_what_a_simulation_says(
    right: float, cases: int, target: float, more: int
) -> None:
    gain, loss = 1000.0, 2000.0
    by_hand = money_worth.worth_of_cases(
        right, cases, target, more, gain_usd=gain, loss_usd=loss
    )
    drawn = simulated(right, cases, target, more, gain, loss)
    assert by_hand == pytest.approx(drawn, rel=0.15, abs=5)


@given(st.floats(0, 1), st.integers(1, 2000), st.floats(0, 1), st.integers(1, 2000),
       st.floats(0, 1e7), st.floats(0, 1e6))  # fmt: skip
def test_cases_are_never_worth_more_than_what_is_at_stake(
    right: float, cases: int, target: float, more: int, gain: float, loss: float
) -> None:
    worth = money_worth.worth_of_cases(
        right, cases, target, more, gain_usd=gain, loss_usd=loss
    )
    assert 0 <= worth <= min(gain, loss)
    assert (
        money_worth.worth_of_cases(
            right, cases, target, 0, gain_usd=gain, loss_usd=loss
        )
        == 0
    )


def told(**more: Any) -> Any:
    case = {
        "name": "x",
        "ceiling": {"few_shot": "yes", "prompt_variations": "yes", "foundation_models": "yes"},
        "targets": {"quality": {"at_least": 0.9}},
        "today": {"quality": 0.88, "cases": 100},
        "economics": {
            "hourly_rate_usd": 100, "upfront": {"hours": 60},
            "monthly": {"quality_value_usd": 9000, "ongoing_usd": 500},
        },
        **more,
    }  # fmt: skip
    return decide(load_case(case), LESSON, as_of=DAY)


def test_more_cases_are_worth_it_near_the_target_and_not_far_from_it() -> None:
    money = told().investment
    near, far = (
        money_worth.more_cases(money, 0.95, 100, 0.9),
        money_worth.more_cases(money, 0.2, 400, 0.9),
    )
    assert near is not None
    assert far is not None
    assert far.usd == 0  # labels cost something, and no case can change the choice
    assert near.usd > 0
    many, labels = (
        float(n.replace(",", "")) for n in re.findall(r"\d[\d,]*", near.what)
    )
    # half of 15 h for 200 cases
    assert labels == pytest.approx(many * 15 * 100 * 0.5 / 200)
    assert money_worth.more_cases(Unknown(ask="x"), 0.88, 100, 0.9) is None


@pytest.mark.slow
def test_a_lab_asks_for_no_cases_that_are_not_worth_their_labels(
    tmp_path: Path,
) -> None:
    """A whole run at a fake: the page never says both, and says what the case's money says."""
    economics = (
        "goals: [classification]\nstrategic_value: high\neconomics: {hourly_rate_usd: 100, "
        "upfront: {evaluation: {hours: 20}, data_preparation: {hours: 40}}, "
        "monthly: {quality_value_usd: 3000, ongoing_usd: 500}}\n"
        "today: {quality: 0.82, cases: 56}\n"
    )
    folder = folder_of(tmp_path, more=economics)
    done = ceiling.run(
        prepare(folder, as_of=DAY),
        cap_usd=0,
        transport=known({"careful": 0.82, "Answer": 0.2}),
    )
    assert done.result.reached == "too_few_cases"
    page = " ".join(ceiling.render(done).split())
    assert " ".join(money_worth.cases_note(done.dossier.investment).split()) in page
    assert "more cases aren't worth what it takes to label them" in page
    assert "labelled cases to the evaluation set" not in page


@pytest.mark.slow
def test_questions_come_in_the_order_of_their_dollars_where_money_is_known() -> None:
    asked = told().next_questions
    assert all(isinstance(question.worth_usd, float) for question in asked)
    by_minute = [question.worth_usd / question.minutes for question in asked]
    assert by_minute == sorted(by_minute, reverse=True)
    assert by_minute[0] > 0
    without = told(economics={}).next_questions
    assert all(isinstance(question.worth_usd, Unknown) for question in without)


def test_by_hand_an_answer_at_even_odds() -> None:
    """The last open check decides: a candidate by yes, not by no; $1,000 to win, $400 to lose."""
    case = told(ceiling=dict.fromkeys(LESSON.ceiling, "yes") | {"few_shot": "unknown"}, factors={
        **dict.fromkeys(LESSON.indicators, "yes"), **dict.fromkeys(LESSON.anti_indicators, "no"),
    })  # fmt: skip
    states = {
        name: one.state for name, one in {**case.ceiling.checks, **case.factors}.items()
    }
    asked = (QuestionResult(factor="few_shot", ask="?", gain_bits=1, minutes=5),)
    (one,) = money_worth.by_worth(asked, states, compile_rules(LESSON), (1000.0, 400.0))
    # now half a chance of 1,000 less half of 400 is 300; knowing it brings 500
    assert one.worth_usd == pytest.approx(500 - 300)
    assert money_worth.by_worth(asked, states, compile_rules(LESSON), None) == asked
