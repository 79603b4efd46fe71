"""Money worked out by hand, and what holds for all of it."""

from __future__ import annotations

import json
import math
import random
import re
import socket
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworthy import decide, load_case, load_framework
from tuneworthy.cases import reports as workspace_reports
from tuneworthy.llm import prices as llm_prices
from tuneworthy.model import base as model_base
from tuneworthy.model import case as model_case
from tuneworthy.model.base import Unknown
from tuneworthy.model.case import Model
from tuneworthy.money import investment as money_investment
from tuneworthy.money import savings as money_savings
from tuneworthy.money import simulate as money_simulate
from tuneworthy.money import terms as money_terms
from tuneworthy.money.serving import serving_costs
from tuneworthy.pipeline import framework_of
from tuneworthy.report import text as report_text
from tuneworthy.report.sections import money as sections_money
from tuneworthy.report.sections import payback as sections_payback
from tuneworthy.report.sections import ways as sections_ways
from tuneworthy.report.sections.verdict import short

GALLERY = Path(__file__).resolve().parents[2] / "examples"
DAY = date(2026, 11, 24)
LESSON = load_framework("lesson")
YES = dict.fromkeys(LESSON.ceiling, "yes")
CANDIDATE = {
    "ceiling": YES,
    "factors": {
        **dict.fromkeys(list(LESSON.indicators)[:5], "yes"),
        "data_sovereignty": "no",
        **dict.fromkeys(LESSON.anti_indicators, "no"),
    },
}
HOSTED: dict[str, Any] = {
    "models": [
        {"id": "big", "usd_per_mtok": {"input": 2.5, "output": 10}},
        {
            "id": "small-tuned",
            "kind": "tuned",
            "usd_per_mtok": {"input": 3, "output": 12},
        },
    ],
    "tuning": {"service": "hosted"},
}
TRAFFIC = {"requests_per_month": 100_000, "input_tokens": 3000, "output_tokens": 200,
           "tuned_input_tokens": 600}  # fmt: skip
WORK = {"hourly_rate_usd": 100, "upfront": {"hours": 10}}
WATCHED = {"ongoing": {"monitoring_hours": 4}}


def case_of(economics: dict[str, Any], **more: Any) -> Any:
    return load_case(
        {
            "name": "x",
            "strategic_value": "high",
            **CANDIDATE,
            "economics": economics,
            **more,
        }
    )


SURE = {"failure_chance": 0, "discount_per_year": 0, "price_fall_per_year": 0,
        "model_life_months": 1200}  # fmt: skip
"""Nothing is left to what sources say: what is worked out by hand has no chance in it."""


def told(economics: dict[str, Any], **more: Any) -> Any:
    """The whole dossier as plain values."""
    sure = {**economics, "assumptions": {**SURE, **economics.get("assumptions", {})}}
    return decide(case_of(sure, **more), LESSON, as_of=DAY).to_dict()


def money(economics: dict[str, Any], **more: Any) -> Any:
    return told(economics, **more)["investment"]


def gate(dossier: Any) -> Any:
    return next(one for one in dossier["verdict"]["gates"] if one["id"] == "investment")


def ranged(low: float, likely: float, high: float) -> dict[str, float]:
    return {"low": low, "likely": likely, "high": high}


# Worked out by hand ------------------------------------------------------------------------------


def test_by_hand_the_lessons_example() -> None:
    found = money({
        "hourly_rate_usd": 100, "upfront": {"hours": 60},
        "monthly": {"api_savings_usd": 1500, "quality_value_usd": 500, "ongoing_usd": 500},
    })  # fmt: skip
    assert found["upfront_usd"] == 6000  # 60 h x $100
    assert found["monthly_net_usd"] == 1500  # 1,500 + 500 - 500
    assert found["break_even_months"] == {
        "point": 4,
        "p10": 4,
        "p50": 4,
        "p90": 4,
    }  # 6,000 / 1,500
    assert found["justified"] == "yes"
    # by the table: 200 + 5 x 100 + 10 x 100 / 3 = 1,033.33; 6,000 / (2,000 - 1,033.33) = 6.2069
    assert found["by_table"]["ongoing_usd"]["low"] == pytest.approx(1033.33, abs=0.01)
    assert found["by_table"]["break_even_months"]["low"] == pytest.approx(
        6.2069, abs=1e-4
    )
    assert found["by_table"]["break_even_months"]["high"] == "open"
    drawn = found["simulation"]
    assert drawn["npv_usd"] == {
        "p10": 48_000,
        "p50": 48_000,
        "p90": 48_000,
    }  # 36 x 1,500 - 6,000
    assert drawn["curve"][12] == {
        "month": 12, "p10": 12_000, "p50": 12_000, "p90": 12_000, "if_works": 12_000,
    }  # fmt: skip
    assert drawn["cost_of_waiting_usd"] == 1500  # one month of 36 is lost
    assert (drawn["draws"], drawn["p_never"], found["worth"]) == (1, 0, [])
    # a quarter more or less of a single number: 25% of $6,000, and of 36 x $1,500, $500, $500
    swings = {
        one["input"]: abs(one["high_usd"] - one["low_usd"]) for one in drawn["tornado"]
    }
    assert swings["saving on calls"] == pytest.approx(0.5 * 1500 * 36)
    assert swings["hours up front"] == pytest.approx(0.5 * 6000)
    worst, likely, best = found["scenarios"]
    assert (likely["break_even_months"], likely["npv_usd"]) == (4, 48_000)
    # 75% of $2,000 less 125% of $500 after 60 h x 1.25 at $100 x 1.25, and the other way round
    assert worst["first_month_usd"] == pytest.approx(1500 - 625)
    assert worst["upfront_usd"] == pytest.approx(6000 * 1.25**2)
    assert best["break_even_months"] == pytest.approx(6000 * 0.75**2 / (2500 - 375))


def test_by_hand_six_months_are_not_under_six() -> None:
    stated = {
        "upfront": {"usd": 9000},
        "monthly": {"api_savings_usd": 2000, "ongoing_usd": 500},
    }
    found = money(stated)  # 9,000 / 1,500
    assert found["break_even_months"]["point"] == 6.0
    assert found["break_even_months"]["p50"] == pytest.approx(6.0)
    assert (found["justified"], found["p_within_6_months"]) == ("no", 0)
    sooner = money({**stated, "upfront": {"usd": 8985}})  # 5.99
    assert (sooner["justified"], sooner["p_within_6_months"]) == ("yes", 1)


def test_by_hand_a_hosted_model_against_a_tuned_one() -> None:
    found = money({**WORK, "traffic": TRAFFIC, "monthly": WATCHED}, **HOSTED)
    computed = found["computed"]
    # untuned 100,000 x (3,000 x 2.50 + 200 x 10) / 1,000,000 = 950
    # tuned   100,000 x (600 x 3 + 200 x 12) / 1,000,000 = 420
    costs = {one["model"]: one["usd_per_month"] for one in computed["servings"]}
    assert costs == {"big": pytest.approx(950), "small-tuned": pytest.approx(420)}
    assert computed["savings_usd_per_month"] == pytest.approx(530)
    # 4 h x $100 = 400 over 0.0095 - 0.0042 a call
    assert computed["pays_from_requests_per_month"] == pytest.approx(400 / 0.0053)
    assert computed["pays_from_month"] == 0
    assert found["assumed"] == ["economics.monthly.api_savings_usd"]
    # 10 h x $100 / (530 - 400)
    assert found["break_even_months"]["point"] == pytest.approx(1000 / 130)
    assert any("= $950 per month" in step for step in computed["steps"])


def test_by_hand_growth_brings_the_volume_in_month_14() -> None:
    traffic = {**TRAFFIC, "requests_per_month": 20_000, "growth_per_month": 0.1}
    found = money({**WORK, "traffic": traffic, "monthly": WATCHED}, **HOSTED)
    # 75,472 are wanted: 20,000 x 1.1^13 = 69,045, x 1.1^14 = 75,950
    assert found["computed"]["pays_from_month"] == 14
    # today 20,000 x 0.0053 - 400 = -294 a month: never, at today's volume
    assert found["break_even_months"]["point"] == "never"
    # 36 months from today: 106 x (1.1^36 - 1) / 0.1 - 400 x 36 - 1,000
    worth = 106 * (1.1**36 - 1) / 0.1 - 14_400 - 1000
    assert found["simulation"]["npv_usd"]["p50"] == pytest.approx(worth)
    assert found["simulation"]["cost_of_waiting_usd"] == pytest.approx(106 - 400)


def test_by_hand_gpus_that_are_always_on_cost_a_floor() -> None:
    serving = {"gpu_usd_per_hour": 2, "requests_per_gpu_hour": 500, "utilisation": 0.5,
               "always_on_gpus": 1}  # fmt: skip
    models = [HOSTED["models"][0], {"id": "ours", "kind": "tuned", "runs": "own"}]
    economics = {**WORK, "traffic": TRAFFIC, "monthly": WATCHED, "serving": serving}
    computed = money(economics, models=models)["computed"]
    # 100,000 / (500 x 0.5) = 400 GPU hours, fewer than 730: 730 x $2 = 1,460
    assert computed["savings_usd_per_month"] == pytest.approx(950 - 1460)
    # with the GPU full at 182,500 calls: 182,500 x 0.0095 = 1,733.75 is under 1,460 + 400.
    # Beyond it a call costs 2 / 250 = 0.008: 400 / (0.0095 - 0.008) = 266,667
    assert computed["pays_from_requests_per_month"] == pytest.approx(400 / 0.0015)
    cheap = money(
        {**economics, "monthly": {"ongoing": {"monitoring_hours": 1}}}, models=models
    )
    # (1,460 + 100) / 0.0095 = 164,211, before the GPU is full
    assert cheap["computed"]["pays_from_requests_per_month"] == pytest.approx(
        1560 / 0.0095
    )


def test_by_hand_a_saving_is_largest_where_the_gpu_is_full() -> None:
    serving = {"gpu_usd_per_hour": 2.5, "requests_per_gpu_hour": 500, "utilisation": 0.5,
               "always_on_gpus": 1}  # fmt: skip
    models = [HOSTED["models"][0], {"id": "ours", "kind": "tuned", "runs": "own"}]
    traffic = {**TRAFFIC, "requests_per_month": ranged(100_000, 150_000, 300_000)}
    economics = {**WORK, "traffic": traffic, "monthly": WATCHED, "serving": serving}
    computed = money(economics, models=models)["computed"]
    # 100,000: 950 - 730 x 2.50 = -875; full at 182,500: 1,733.75 - 1,825 = -91.25;
    # 300,000: 2,850 - 1,200 x 2.50 = -150
    assert computed["savings_usd_per_month"] == pytest.approx(
        {"low": -875, "high": -91.25}
    )


def test_by_hand_a_cached_prompt_is_the_better_rival() -> None:
    price = {"input": 2.5, "output": 10, "cached_input": 1.25, "batch_discount": 0.5}
    models = [{"id": "big", "usd_per_mtok": price}, HOSTED["models"][1]]
    traffic = {**TRAFFIC, "cacheable_share": 0.8, "batchable": "no"}
    computed = money({**WORK, "traffic": traffic, "monthly": WATCHED}, models=models)[
        "computed"
    ]
    costs = {
        one["how"]: one["usd_per_month"]
        for one in computed["servings"]
        if not one["tuned"]
    }
    # input 2.50 x 0.2 + 1.25 x 0.8 = 1.50; 100,000 x (3,000 x 1.50 + 200 x 10) / 1,000,000 = 650
    assert costs == {"cached": pytest.approx(650), "as_is": pytest.approx(950)}
    assert computed["best_untuned"] == "big with the prompt cached"
    assert computed["savings_usd_per_month"] == pytest.approx(650 - 420)


@pytest.mark.parametrize(
    ("batchable", "targets", "admissible", "saving"),
    [
        ("yes", {}, "yes", 570 - 420),  # 950 less two fifths
        ("unknown", {}, "unknown", {"low": 570 - 420, "high": 950 - 420}),
        ("yes", {"latency_p95_s": 5}, "no", {"low": 530, "high": 530}),
    ],
)
def test_by_hand_a_batch_costs_less_where_nobody_waits(
    batchable: str, targets: dict[str, Any], admissible: str, saving: Any
) -> None:
    price = {"input": 2.5, "output": 10, "batch_discount": 0.4}
    models = [
        {"id": "big", "usd_per_mtok": price, "latency_p95_s": 1},
        HOSTED["models"][1],
    ]
    economics = {
        **WORK,
        "traffic": {**TRAFFIC, "batchable": batchable},
        "monthly": WATCHED,
    }
    computed = money(economics, models=models, targets=targets)["computed"]
    batch = next(one for one in computed["servings"] if one["how"] == "batched")
    assert batch["usd_per_month"] == pytest.approx(570)
    assert batch["admissible"] == admissible
    found = computed["savings_usd_per_month"]
    ends = found if isinstance(found, dict) else {"low": found, "high": found}
    wanted = saving if isinstance(saving, dict) else {"low": saving, "high": saving}
    assert ends == pytest.approx(wanted)


def test_by_hand_one_total_of_running_costs_holds_the_serving() -> None:
    found = money(
        {**WORK, "traffic": TRAFFIC, "monthly": {"ongoing_usd": 700}}, **HOSTED
    )
    # 950 untuned less all of 700, the 420 of serving among it: the serving counts once
    assert found["monthly_net_usd"] == pytest.approx(950 - 700)
    # beside the serving 700 - 420 = 280, over 0.0053 a call
    assert found["computed"]["pays_from_requests_per_month"] == pytest.approx(
        280 / 0.0053
    )


def test_by_hand_running_costs_by_category_are_added_up() -> None:
    ongoing = {
        "inference_usd": 450,
        "monitoring_hours": 6,
        "retraining_hours_per_quarter": 12,
    }
    found = money({
        "hourly_rate_usd": 75, "upfront": {"hours": 60},
        "monthly": {"api_savings_usd": 3000, "ongoing": ongoing},
    })  # fmt: skip
    # 450 + 6 x 75 + 12 x 75 / 3 = 1,200; 60 x 75 = 4,500; 4,500 / 1,800
    assert found["monthly_net_usd"] == pytest.approx(1800)
    assert found["break_even_months"]["point"] == pytest.approx(2.5)
    assert "retraining 12 h × $75 / 3" in found["steps"][2]


def test_by_hand_what_tuning_takes_out_of_the_prompt_was_the_cached_part() -> None:
    price = {"input": 2.5, "output": 10, "cached_input": 0.5}
    tuned = {"id": "t", "kind": "tuned", "usd_per_mtok": {**price, "input": 3}}
    traffic = {**TRAFFIC, "cached_share": 0.5}
    models = [{"id": "big", "usd_per_mtok": price}, tuned]
    computed = money({**WORK, "traffic": traffic, "monthly": WATCHED}, models=models)[
        "computed"
    ]
    costs = {one["model"]: one["usd_per_month"] for one in computed["servings"]}
    # untuned input at (2.50 + 0.50) / 2 = 1.50: 100,000 x (3,000 x 1.50 + 200 x 10) / 1,000,000
    # tuned 100,000 x (600 x 3 + 200 x 10) / 1,000,000, nothing of it from the cache
    assert costs == {"big": pytest.approx(650), "t": pytest.approx(380)}


def test_by_hand_discount_is_an_annuity() -> None:
    found = money({
        "upfront": {"usd": 6000}, "monthly": {"api_savings_usd": 1500, "ongoing_usd": 0},
        "assumptions": {"discount_per_year": 0.1, "horizon_months": 12},
    })  # fmt: skip
    rate = 1.1 ** (1 / 12) - 1
    worth = 1500 * (1 - 1.1**-1) / rate - 6000
    assert found["simulation"]["npv_usd"]["p50"] == pytest.approx(worth)
    assert found["break_even_months"]["p50"] == pytest.approx(4)  # it isn't discounted
    # a month later: upfront in month 1, and eleven months of income, from month 2 to 12
    later = sum(1500 / (1 + rate) ** month for month in range(2, 13)) - 6000 / (
        1 + rate
    )
    assert found["simulation"]["cost_of_waiting_usd"] == pytest.approx(worth - later)


def test_by_hand_a_model_that_lasts_a_year_is_tuned_again() -> None:
    upfront = {"data_preparation": {"usd": 3000}, "training": {"usd": 600},
               "evaluation": {"usd": 1400}, "deployment": {"usd": 1000}}  # fmt: skip
    found = money({
        "upfront": upfront, "monthly": {"api_savings_usd": 1500, "ongoing_usd": 500},
        "assumptions": {"model_life_months": 12, "horizon_months": 24},
    })  # fmt: skip
    # 24 x 1,000 - 6,000, and once more data and training, 3,600, in month 13; not in month 25
    assert found["simulation"]["npv_usd"]["p50"] == pytest.approx(24_000 - 6000 - 3600)
    curve = found["simulation"]["curve"]
    assert curve[12]["p50"] == pytest.approx(6000)
    assert curve[13]["p50"] == pytest.approx(7000 - 3600)


def test_by_hand_to_wait_moves_the_next_tuning_as_well() -> None:
    found = money({
        "upfront": {"data_preparation": {"usd": 3000}, "deployment": {"usd": 1000}},
        "monthly": {"api_savings_usd": 1500, "ongoing_usd": 500},
        "assumptions": {"model_life_months": 12, "horizon_months": 24, "discount_per_year": 0.1},
    })["simulation"]  # fmt: skip

    def worth(start: int) -> float:
        """Paid at once and again after twelve months of use, earned from the next month on."""
        later = [1000 / 1.1 ** (month / 12) for month in range(start + 1, 25)]
        spent = 4000 / 1.1 ** (start / 12) + 3000 / 1.1 ** ((start + 13) / 12)
        return float(sum(later) - spent)

    assert found["npv_usd"]["p50"] == pytest.approx(worth(0))
    assert found["cost_of_waiting_usd"] == pytest.approx(worth(0) - worth(1))


def test_by_hand_by_total_the_table_says_what_is_paid_again() -> None:
    found = money({
        **WORK, "upfront": {"hours": 60}, "monthly": {"api_savings_usd": 1500, "ongoing_usd": 500},
        "assumptions": {"model_life_months": 12, "horizon_months": 24},
    })  # fmt: skip
    # of the table's 30 + 15 + 15 h, 30 h are data; hours come again by hours, at any rate
    again = 6000 * 30 / 60
    assert found["simulation"]["npv_usd"]["p50"] == pytest.approx(24_000 - 6000 - again)


def test_by_hand_a_tuning_that_fails_costs_what_was_spent() -> None:
    stated = {
        "upfront": {"usd": 6000},
        "monthly": {"api_savings_usd": 1500, "ongoing_usd": 0},
    }
    blind: dict[str, Any] = {"tuning": {"pilot": "no"}}
    lost = money({**stated, "assumptions": {"failure_chance": 1}}, **blind)
    assert lost["break_even_months"]["p10"] == "never"
    assert lost["simulation"]["npv_usd"]["p90"] == -6000
    found = money({**stated, "assumptions": {"failure_chance": 0.25}}, **blind)
    drawn = found["simulation"]
    assert drawn["p_never"] == pytest.approx(
        0.25, abs=0.03
    )  # 2,000 draws: three errors of 1%
    assert (drawn["npv_usd"]["p10"], drawn["npv_usd"]["p50"]) == (-6000, 48_000)
    assert found["break_even_months"]["p90"] == pytest.approx(4)  # if it works


def test_by_hand_a_pilot_is_worth_what_it_spares() -> None:
    """A tenth of the data and of the training, and three quarters of the evaluation: $1,600."""
    upfront = {"data_preparation": {"usd": 3000}, "training": {"usd": 1000},
               "evaluation": {"usd": 1600}, "deployment": {"usd": 4400}}  # fmt: skip
    stated = {"upfront": upfront, "monthly": {"api_savings_usd": 1000, "ongoing_usd": 0},
              "assumptions": {"failure_chance": 0.5, "horizon_months": 24}}  # fmt: skip
    found = money(stated)
    assert found["ask_usd"] == {
        "pilot": 300 + 100 + 1200,
        "build": 8400,
        "run_month": 0,
    }
    works = found["simulation"]["p_works"]
    assert works == pytest.approx(0.5, abs=0.034)
    # 24 x 1,000 - 10,000 where it works, the pilot where it fails; without one all of it
    assert found["gain_usd"] == pytest.approx(works * 14_000 - (1 - works) * 1600)
    (pilot,) = [one for one in found["worth"] if "pilot" in one["what"]]
    assert pilot["usd"] == pytest.approx((1 - works) * (10_000 - 1600))


def test_by_hand_no_saving_is_above_the_bill_of_its_month() -> None:
    """100,000 calls at $0.0095 are $950: of $1,500 a month no more than that is saved."""
    stated = {**WORK, "traffic": TRAFFIC,
              "monthly": {"api_savings_usd": 1500, "ongoing_usd": 100}}  # fmt: skip
    found = money(stated, models=HOSTED["models"][:1])
    assert found["bill_usd"] == pytest.approx(950)
    assert found["possible_saving_usd"] == pytest.approx(950)
    assert (found["capped"], found["contradicted"]) == (True, True)
    assert found["break_even_months"]["point"] == pytest.approx(
        1000 / 1400
    )  # as stated
    assert found["break_even_months"]["p50"] == pytest.approx(
        1000 / 850
    )  # within the bill
    assert found["simulation"]["npv_usd"]["p50"] == pytest.approx(36 * 850 - 1000)
    assert found["must_bring_usd"] == pytest.approx(100 + 1000 / 6)
    grown = money({**stated, "traffic": {**TRAFFIC, "growth_per_month": 0.5}},
                  models=HOSTED["models"][:1])  # fmt: skip
    # month 1 at 950, month 2 at 1,425, then all of it
    assert grown["simulation"]["npv_usd"]["p50"] == pytest.approx(
        850 + 1325 + 34 * 1400 - 1000
    )


def test_by_hand_without_a_benefit_it_says_what_it_would_have_to_bring() -> None:
    found = money({**WORK, "traffic": TRAFFIC, "monthly": {"ongoing_usd": 100}},
                  models=HOSTED["models"][:1])  # fmt: skip
    assert found["must_bring_usd"] == pytest.approx(100 + 1000 / 6)
    assert found["possible_saving_usd"] == {"low": 0, "high": pytest.approx(950)}
    assert found["break_even_months"]["point"]["unknown"] is True
    small = money({**WORK, "traffic": {**TRAFFIC, "requests_per_month": 10},
                   "monthly": {"ongoing_usd": 100}}, models=HOSTED["models"][:1])  # fmt: skip
    assert "the whole bill is $0.10" in small["why"]


@pytest.mark.parametrize(("worth", "justified"), [(300, "no"), (301, "yes")])
def test_by_hand_it_pays_back_in_time_with_more_than_it_must_bring(
    worth: int, justified: str
) -> None:
    """$1,200 in six months, and $100 a month to run it: $300 takes six, and under six is asked."""
    monthly = {"quality_value_usd": worth, "ongoing_usd": 100}
    found = money(
        {**WORK, "upfront": {"hours": 12}, "monthly": monthly}, strategic_value="high"
    )
    assert (found["must_bring_usd"], found["justified"]) == (300, justified)


def test_a_category_without_an_amount_is_as_good_as_not_named() -> None:
    stated = {"hourly_rate_usd": 100, "monthly": {"quality_value_usd": 900}}
    silent = money(stated)
    empty = money({**stated, "upfront": {"data_preparation": {}}})
    assert silent["upfront_usd"]["low"] > 0
    assert empty["upfront_usd"] == silent["upfront_usd"]


@pytest.mark.parametrize(("worth", "is_said"), [(300, True), (301, True), (900, False)])
def test_where_a_few_dollars_decide_the_answer_says_so(
    worth: int, is_said: bool
) -> None:
    monthly = {"quality_value_usd": worth, "ongoing_usd": 100}
    economics = {
        **WORK,
        "upfront": {"hours": 12},
        "monthly": monthly,
        "assumptions": SURE,
    }
    answer = sections_payback.pays_back(decide(case_of(economics), LESSON, as_of=DAY))
    says = f"more than $300 per month is needed, and ${worth} is stated."
    assert (says in answer.beside) == is_said


@pytest.mark.parametrize("value", ["low", "medium", "high", "unknown"])
def test_no_strategic_value_refuses_money_that_pays_back(value: str) -> None:
    """A value of *medium* once refused $84,000 a month that paid back in half a month."""
    monthly = {"quality_value_usd": 301, "ongoing_usd": 100}
    found = money(
        {**WORK, "upfront": {"hours": 12}, "monthly": monthly}, strategic_value=value
    )
    assert found["justified"] == "yes"
    late = {**monthly, "quality_value_usd": 299}
    found = money(
        {**WORK, "upfront": {"hours": 12}, "monthly": late}, strategic_value=value
    )
    assert found["justified"] == "no"


@pytest.mark.parametrize(
    ("value", "justified"),
    [("low", "no"), ("medium", "no"), ("high", "unknown"), ("unknown", "unknown")],
)
def test_a_strategic_value_that_is_too_low_decides_where_money_can_t(
    value: str, justified: str
) -> None:
    monthly = {"quality_value_usd": ranged(200, 301, 400), "ongoing_usd": 100}
    open_ = money(
        {**WORK, "upfront": {"hours": 12}, "monthly": monthly}, strategic_value=value
    )
    stated = {**WORK, "traffic": TRAFFIC, "monthly": {"ongoing_usd": 100}}
    unstated = money(stated, strategic_value=value, models=HOSTED["models"][:1])
    for found in (open_, unstated):
        assert found["justified"] == justified
        if justified == "no":
            assert f"strategic value is {value} but has to be high" in found["why"]


def test_by_hand_tuning_that_costs_more_than_the_budget_still_saves_beside_what_runs() -> (
    None
):
    """$950 and $420 a month today; ten times the calls are ten times both, over any budget."""
    more = {**TRAFFIC, "requests_per_month": 10 * TRAFFIC["requests_per_month"]}
    target = {"targets": {"usd_per_month": 500}}
    monthly = {"ongoing": {"other_usd": 1}}
    small = money({**WORK, "traffic": TRAFFIC, "monthly": monthly}, **HOSTED, **target)
    large = money({**WORK, "traffic": more, "monthly": monthly}, **HOSTED, **target)
    assert small["computed"]["savings_usd_per_month"] == pytest.approx(950 - 420)
    assert large["computed"]["savings_usd_per_month"] == pytest.approx(9500 - 4200)
    assert large["computed"]["servings"][0]["admissible"] == "no"


def test_by_hand_a_price_that_falls_takes_the_saving_along() -> None:
    """950 - 420 today; a year later the untuned price is half."""
    found = money({**WORK, "traffic": TRAFFIC, "monthly": {"ongoing": {"other_usd": 1}},
                   "assumptions": {"price_fall_per_year": 0.5, "horizon_months": 13}},
                  **HOSTED)["simulation"]  # fmt: skip
    earned = sum(950 * 0.5 ** (month / 12) - 420 - 1 for month in range(13))
    assert found["npv_usd"]["p50"] == pytest.approx(earned - 1000)


def test_by_hand_a_model_that_ends_leaves_its_successors_price() -> None:
    """gpt-4o until 2027-01-14, 1.68 months away, then gpt-6-luna: $950 and $40 a month."""
    models = [{"id": "openai:gpt-4o", "usd_per_mtok": {"input": 2.5, "output": 10}},
              HOSTED["models"][1]]  # fmt: skip
    dossier = told({**WORK, "traffic": TRAFFIC, "monthly": {"ongoing": {"other_usd": 1}},
                    "assumptions": {"horizon_months": 12}},
                   models=models, tuning={"service": "hosted"})  # fmt: skip
    luna = 100_000 * (3000 * 0.1 + 200 * 0.5) / 1e6
    worth = dossier["investment"]["simulation"]["npv_usd"]["p50"]
    assert worth == pytest.approx(2 * 950 + 10 * luna - 12 * 421 - 1000)
    assert "model_in_use_ends" in {one["id"] for one in dossier["challenges"]}
    assert (
        "with openai:gpt-6-luna, which would take away what tuning saves on calls"
        in gate(dossier)["why"]
    )
    rivals = dossier["investment"]["computed"]["rivals"]
    assert [one["model"] for one in rivals][:1] == ["openai:gpt-6-luna"]
    assert len(rivals) == 3
    elsewhere = [{**models[0], "base_url": "https://eu.example/v1"}, models[1]]
    dossier = told(
        {**WORK, "traffic": TRAFFIC}, models=elsewhere, tuning={"service": "hosted"}
    )
    assert "model_in_use_ends" not in {
        one["id"] for one in dossier["challenges"]
    }  # other dates


def test_by_hand_cached_and_batched_is_one_way_and_the_budget_is_no_reason_to_be_dear() -> (
    None
):
    """At half the price for a batch, and cached input at a tenth: both come off."""
    price = {"input": 2, "output": 8, "cached_input": 0.2, "batch_discount": 0.5}
    small = {"id": "t", "kind": "tuned", "usd_per_mtok": {"input": 0.5, "output": 2}}
    models = [
        {"id": "big", "quality": 0.97, "cases": 2000, "usd_per_mtok": price},
        small,
    ]
    found = money(
        {**WORK, "monthly": WATCHED,
         "traffic": {**TRAFFIC, "cacheable_share": 0.5, "batchable": "yes"}},
        models=models, tuning={"service": "hosted"},
        targets={"quality": {"at_least": 0.9}, "usd_per_month": 200},
    )["computed"]  # fmt: skip
    costs = {
        one["how"]: one["usd_per_month"]
        for one in found["servings"]
        if not one["tuned"]
    }
    assert costs["as_is"] == pytest.approx(100_000 * (3000 * 2 + 200 * 8) / 1e6)
    assert costs["batched"] == pytest.approx(100_000 * (3000 * 1 + 200 * 4) / 1e6)
    both = 100_000 * (1500 * 1 + 1500 * 0.2 + 200 * 4) / 1e6
    assert costs["cached_batched"] == pytest.approx(both)
    # no way is within $200; all meet the quality, and whether both come off is to be asked
    saving, tuned = (
        found["savings_usd_per_month"],
        100_000 * (600 * 0.5 + 200 * 2) / 1e6,
    )
    assert saving["high"] == pytest.approx(costs["batched"] - tuned)
    assert saving["low"] == pytest.approx(both - tuned)


def test_an_unmeasured_rival_widens_and_never_makes_a_no() -> None:
    dear = {"id": "big", "quality": 0.97, "cases": 2000,
            "usd_per_mtok": {"input": 2.5, "output": 10}}  # fmt: skip
    cheap = {"id": "new", "usd_per_mtok": {"input": 0.1, "output": 0.5}}
    told_ = {**WORK, "traffic": TRAFFIC, "monthly": {"ongoing": {"other_usd": 1}}}
    target = {"quality": {"at_least": 0.9}, "usd_per_month": 500}
    dossier = told(told_, models=[dear, cheap, HOSTED["models"][1]], targets=target,
                   tuning={"service": "hosted"})  # fmt: skip
    saving = dossier["investment"]["computed"]["savings_usd_per_month"]
    assert saving == {"low": pytest.approx(40 - 420), "high": pytest.approx(530)}
    assert gate(dossier)["state"] == "unknown"


def pert(rng: random.Random, low: float, likely: float, high: float) -> float:
    rise = 1 + 4 * (likely - low) / (high - low)
    return low + (high - low) * rng.betavariate(rise, 6 - rise)


def by_loops(rng: random.Random, failure: float, fall: float) -> float:
    """A case's worth worked out again, a month after the other, with nothing of the program's.

    $4,000 to $9,000 up front, a pilot of it about a quarter; a saving of $1,500 as far as the bill
    allows it, $300 of running costs, traffic that grows, and a model that is tuned anew.
    """
    upfront, growth = pert(rng, 40, 60, 90) * 100, pert(rng, 0.0, 0.02, 0.05)
    if rng.random() < failure:
        return -upfront * 0.2375  # (3 + 11.25) of 60 hours
    worth, discounted = -upfront, 1.0
    for month in range(1, 37):
        discounted *= 1.07 ** (-1 / 12)
        bill = 950 * (1 + growth) ** (month - 1) * (1 - fall) ** ((month - 1) / 12)
        again = (
            upfront / 2 if month in (19, 37) else 0.0
        )  # half the hours are data preparation
        worth += (min(1500.0, bill) - 300 - again) * discounted
    return worth


@pytest.mark.slow
@pytest.mark.parametrize(("failure", "fall"), [(0.0, 0.0), (0.3, 0.2)])
def test_an_independent_simulation_agrees_within_chance(
    failure: float, fall: float
) -> None:
    found = money(
        {"hourly_rate_usd": 100, "upfront": {"hours": ranged(40, 60, 90)},
         "monthly": {"api_savings_usd": 1500, "ongoing_usd": 300},
         "traffic": {**TRAFFIC, "growth_per_month": ranged(0, 0.02, 0.05)},
         "assumptions": {"failure_chance": failure, "discount_per_year": 0.07,
                         "price_fall_per_year": fall, "model_life_months": 18}},
        models=HOSTED["models"][:1],
    )  # fmt: skip
    rng = random.Random(4)
    again = np.array([by_loops(rng, failure, fall) for _ in range(8000)])
    chance = 4 * float(np.std(again)) * (1 / 8000 + 1 / 10_000) ** 0.5
    assert found["gain_usd"] == pytest.approx(float(np.mean(again)), abs=chance)
    low, high = np.quantile(again, [0.1, 0.9])
    assert found["simulation"]["npv_usd"]["p10"] == pytest.approx(
        low, rel=0.05, abs=100
    )
    assert found["simulation"]["npv_usd"]["p90"] == pytest.approx(
        high, rel=0.05, abs=100
    )


def computed_by_loops(rng: random.Random, fall: float, ends: float) -> float:
    """A computed saving's worth, a month after the other, with nothing of the program's.

    A dear model that ends after some months, when its successor's price holds, beside a tuned one
    whose price stays; traffic grows, the untuned price falls, and nothing fails.
    """
    growth, calls = pert(rng, 0.0, 0.02, 0.05), pert(rng, 50_000, 100_000, 150_000)
    worth = -1000.0
    for month in range(1, 37):
        now = calls * (1 + growth) ** (month - 1)
        usd_in, usd_out = (2.5, 10) if month - 1 <= ends else (0.1, 0.5)
        dear = (
            now
            * (3000 * usd_in + 200 * usd_out)
            / 1e6
            * (1 - fall) ** ((month - 1) / 12)
        )
        worth += (dear - now * (600 * 3 + 200 * 12) / 1e6 - 400) * 1.07 ** (-month / 12)
    return worth


@pytest.mark.parametrize(("fall", "ends"), [(0.0, False), (0.3, False), (0.3, True)])
def test_a_computed_saving_agrees_with_an_independent_simulation(
    fall: float, ends: bool
) -> None:
    dear = {**HOSTED["models"][0]}
    if ends:  # gpt-6-luna is named in its place, at $0.10 and $0.50
        dear |= {"id": "openai:gpt-4o", "ends": "2027-11-24"}
    found = money(
        {**WORK, "monthly": WATCHED,
         "assumptions": {"discount_per_year": 0.07, "price_fall_per_year": fall},
         "traffic": {**TRAFFIC, "requests_per_month": ranged(50_000, 100_000, 150_000),
                     "growth_per_month": ranged(0, 0.02, 0.05)}},
        models=[dear, HOSTED["models"][1]], tuning={"service": "hosted"},
    )  # fmt: skip
    rng, months = random.Random(9), 365 / (365.25 / 12) if ends else math.inf
    again = np.array([computed_by_loops(rng, fall, months) for _ in range(4000)])
    chance = 4 * float(np.std(again)) * (1 / 4000 + 1 / 10_000) ** 0.5
    assert found["gain_usd"] == pytest.approx(float(np.mean(again)), abs=chance)


JOB: dict[str, Any] = {
    "workload": "one_off",
    "models": [
        {
            "id": "big",
            "usd_per_mtok": {"input": 2.5, "output": 10, "batch_discount": 0.5},
        }
    ],
    "tuning": {"service": "hosted"},
}


@pytest.mark.parametrize(("worth", "months"), [(6100, 1.0), (6099, "never")])
def test_by_hand_a_job_that_runs_once_pays_with_the_job_or_never(
    worth: int, months: Any
) -> None:
    traffic = {"requests_per_month": 20_000, "input_tokens": 2400, "output_tokens": 160,
               "growth_per_month": 0.1}  # fmt: skip
    dossier = told(
        {"hourly_rate_usd": 100, "upfront": {"hours": 60}, "traffic": traffic,
         "monthly": {"quality_value_usd": worth, "ongoing_usd": 100}}, **JOB,
    )  # fmt: skip
    found = dossier["investment"]
    assert found["bill_usd"] == pytest.approx(
        20_000 * (2400 * 1.25 + 160 * 5) / 1e6
    )  # a batch
    assert found["must_bring_usd"] == 6100
    assert found["break_even_months"] == dict.fromkeys(
        ("point", "p10", "p50", "p90"), months
    )
    assert found["scenarios"][1]["npv_usd"] == pytest.approx(
        worth - 6100
    )  # one month, no more
    hinges = {one["input"] for one in found["simulation"]["tornado"]}
    assert not hinges & {"growth of traffic", "life of a tuned model"}
    phases = {phase["id"] for phase in dossier["plan"]["phases"]}
    assert not phases & {"retraining", "monitoring"}
    assert dossier["plan"]["aim"] != "tune" or "job" in phases


@pytest.mark.parametrize("upfront", [500, 1000, 1500])
def test_a_rival_that_takes_the_saving_of_a_job_leaves_no_yes(upfront: int) -> None:
    traffic = {
        "requests_per_month": 2_000_000,
        "input_tokens": 1000,
        "output_tokens": 100,
    }
    monthly = {"api_savings_usd": 2200, "ongoing_usd": 100}
    found = gate(told(
        {"upfront": {"usd": upfront}, "monthly": monthly, "traffic": traffic},
        workload="one_off", models=[{"id": "openai:gpt-5"}],
    ))  # fmt: skip
    assert found["state"] == "unknown"
    assert "nobody has run it here" in found["why"]
    assert "a month" not in found["why"]


def test_the_bill_of_a_job_and_its_saving_have_one_baseline() -> None:
    """Nobody asked whether it may be batched: 20,000 x (2,400 x 2.50 + 160 x 10) / 1e6 = 152."""
    traffic = {"requests_per_month": 20_000, "input_tokens": 2400, "output_tokens": 160}
    tuned = {"id": "ours", "kind": "tuned", "usd_per_mtok": {"input": 0.5, "output": 2}}
    found = money(
        {"upfront": {"usd": 0}, "traffic": traffic, "monthly": {"ongoing": {"other_usd": 0}}},
        workload="one_off", models=[*JOB["models"], tuned],
        targets={"quality": {"at_least": 0.9}},
    )  # fmt: skip
    assert found["bill_usd"] == pytest.approx(76)  # a batch
    assert found["computed"]["savings_usd_per_month"] == pytest.approx(76 - 30.4)
    assert found["possible_saving_usd"] == pytest.approx(76 - 30.4)


@pytest.mark.slow
@given(st.data())
def test_a_job_never_saves_more_than_its_bill_in_any_draw(data: st.DataObject) -> None:
    def some(low: float, high: float) -> Any:
        ends = sorted(data.draw(st.floats(low, high)) for _ in range(3))
        return ranged(*ends) if data.draw(st.booleans()) else ends[1]

    def model(name: str, **more: Any) -> dict[str, Any]:
        price = {
            "input": data.draw(st.floats(0.1, 20)),
            "output": data.draw(st.floats(0.1, 90)),
        }
        price |= {"batch_discount": 0.5} if data.draw(st.booleans()) else {}
        right = {"quality": data.draw(st.sampled_from([0.5, 0.99])), "cases": 1000}
        unmeasured = data.draw(st.booleans())
        known: dict[str, Any] = {} if more or unmeasured else right
        return {"id": name, "usd_per_mtok": price, **known, **more}

    traffic = {"requests_per_month": some(1, 1e6), "input_tokens": some(10, 5000),
               "output_tokens": some(1, 500)}  # fmt: skip
    today = {"usd_per_month": some(1, 1e4)} if data.draw(st.booleans()) else {}
    economics = {"upfront": {"usd": some(0, 5000)}, "traffic": traffic,
                 "monthly": {"ongoing": {"other_usd": 0}}, "assumptions": SURE}  # fmt: skip
    case = case_of(
        economics, workload="one_off", today=today, targets={"quality": {"at_least": 0.9}},
        models=[model("now"), model("other"), model("ours", kind="tuned")],
    )  # fmt: skip
    ways, model_ = (
        serving_costs(case, model_case.NO_PRICES, "no"),
        money_terms.build_cost_model(case, LESSON),
    )
    savings, today_ = money_savings.compare(case, ways, model_), ways.bill
    assert today_ is not None
    assert today_.usd is not None
    assert isinstance(savings, money_savings.Savings)
    saved = savings.usd
    assert saved.value <= today_.usd.value * (1 + 1e-9)
    assert saved.high <= today_.usd.high * (1 + 1e-9)
    flow = money_simulate.CashFlow(
        money_investment.stakes_of(
            money_investment.MoneyContext(case, LESSON, model_case.NO_PRICES),
            money_investment.CaseAmounts(model_, ways, savings, math.inf),
        )
    )
    rng = np.random.default_rng(1)
    values = {
        name: rng.uniform(at.low, at.high, 50) for name, at in flow.inputs.items()
    }
    sums = flow.follow(values, np.ones(50)).cumulated
    line = today_.option.line(values)
    bill = np.maximum(line.floor, line.slope * values[money_terms.REQUESTS])
    assert np.all(sums[1] - sums[0] <= bill * (1 + 1e-9) + 1e-9)


def test_a_job_without_upfront_cost_pays_with_the_job_everywhere() -> None:
    def job(worth: float) -> Any:
        return told(
            {
                "upfront": {"usd": 0},
                "monthly": {"quality_value_usd": worth, "ongoing_usd": 10},
            },
            workload="one_off",
        )["investment"]

    free, dear = job(20), job(5)
    assert free["break_even_months"] == dict.fromkeys(
        ("point", "p10", "p50", "p90"), 1.0
    )
    assert free["p_within_6_months"] == 1
    assert free["steps"][-1] == "Left: $10. Break-even: with the job"
    assert dear["break_even_months"] == dict.fromkeys(
        ("point", "p10", "p50", "p90"), "never"
    )
    assert (
        dear["steps"][-1] == "Left: -$5. Break-even: never, as less than that remains"
    )


def test_a_job_without_known_sums_speaks_of_no_month() -> None:
    case = case_of(
        {**WORK, "monthly": {"ongoing_usd": 10}, "traffic": TRAFFIC}, workload="one_off",
        targets={"quality": {"at_least": 0.9}, "usd_per_month": 5}, tuning=HOSTED["tuning"],
    )  # fmt: skip
    dossier = decide(case, LESSON, as_of=DAY)
    assert isinstance(dossier.investment, Unknown)
    page = report_text.render(sections_money.invest(dossier, LESSON))
    assert not re.search(r"\bmonths?\b", page)


@pytest.mark.slow
@given(st.data())
def test_no_page_of_a_job_speaks_of_months(data: st.DataObject) -> None:
    one_of, yes = data.draw, st.booleans()
    monthly: dict[str, Any] = {"ongoing_usd": one_of(st.sampled_from([10, 5000]))}
    monthly |= (
        {"api_savings_usd": one_of(st.sampled_from([9, 9e5]))} if one_of(yes) else {}
    )
    monthly |= {"quality_value_usd": ranged(0, 500, 9000)} if one_of(yes) else {}
    traffic = {"requests_per_month": one_of(st.sampled_from([500, 2_000_000])),
               "input_tokens": 3000, "output_tokens": 200}  # fmt: skip
    models = [{"id": "openai:gpt-4o"}, *(HOSTED["models"][1:] if one_of(yes) else [])]
    models = models if one_of(yes) else []  # and no sums
    case = case_of(
        {**WORK, "monthly": monthly, "traffic": traffic}, workload="one_off", models=models,
        today={"usd_per_month": 700} if one_of(yes) else {},
        targets={"quality": {"at_least": 0.9}, "usd_per_month": one_of(st.sampled_from([5, 900]))},
        tuning=HOSTED["tuning"],
        factors={**CANDIDATE["factors"], "low_volume": one_of(st.sampled_from(["yes", "no"]))},
    )  # fmt: skip
    dossier = decide(case, LESSON, as_of=DAY)
    pages = [sections_money.invest(dossier, LESSON), short(dossier)]
    pages += [sections_ways.document(dossier, LESSON)]
    spoken = [
        line
        for page in map(report_text.render, pages)
        for line in page.splitlines()
        if re.search(r"\bmonths?\b", line)
    ]
    assert spoken == []


_AT = re.compile(r"\$?([\d.,]+)(?: \(\$?([\d.,]+)–\$?([\d.,]+)\))?")


def by_calculator(says: str, end: int) -> float:
    """Products and sums as they are printed, every amount at its low, likely or high end."""
    chosen = _AT.sub(lambda m: (m[(2, 1, 3)[end]] or m[1]).replace(",", ""), says)
    terms = [re.sub(r"[^\d.×/]", "", term) for term in chosen.split(" + ")]
    return sum(
        math.prod(map(float, term.partition("/")[0].split("×")))
        / float(term.partition("/")[2] or 1)
        for term in terms
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", sorted(path.parent.name for path in GALLERY.glob("*/case.yaml"))
)
def test_every_line_of_the_gallery_follows_by_calculator(case: str) -> None:
    """Each end of a sum from the ends that are printed beside it, and the months from those."""
    read = load_case(GALLERY / case)
    found = json.loads(decide(read, framework_of(read), as_of=DAY).to_json())[
        "investment"
    ]
    for line in found.get("steps", ())[:3]:
        terms, _, whole = line.partition(": ")[2].partition(" = ")
        for end in range(3) if whole else ():
            assert by_calculator(terms, end) == pytest.approx(
                by_calculator(whole, end), abs=1.01
            )
    for item in found.get("items", ()):
        if " examples × " in item["source"]:
            terms = re.sub(r"[a-z]", "", item["source"])
            ends = item["usd"]
            assert by_calculator(terms, 0) / 1e6 == pytest.approx(ends["low"], rel=0.02)
            assert by_calculator(terms, 2) / 1e6 == pytest.approx(
                ends["high"], rel=0.02
            )


def test_a_stated_kind_of_work_counts_and_no_growth_overrules_it() -> None:
    ends = {**WORK, "traffic": {**TRAFFIC, "growth_per_month": -1}}
    assert money(ends, workload="steady", **HOSTED)["one_off"] is False


def test_a_growth_that_ends_everything_is_a_job_too() -> None:
    once = {**WORK, "traffic": {**TRAFFIC, "growth_per_month": -1},
            "monthly": {"quality_value_usd": 5000, "ongoing_usd": 100}}  # fmt: skip
    said = {**once, "traffic": TRAFFIC}
    models = {"models": HOSTED["models"][:1]}
    one, other = money(once, **models), money(said, workload="one_off", **models)
    assert one == other
    assert one["one_off"] is True


amounts = st.floats(1, 1e5)


@pytest.mark.slow
@given(amounts, amounts, amounts, st.floats(0, 0.9), st.floats(0, 0.9))
def test_within_the_bill_is_never_better_than_stated_and_a_fall_never_helps(
    saving: float, running: float, volume: float, fall: float, more: float
) -> None:
    def worth(**assumed: float) -> Any:
        case = case_of(
            {**WORK, "traffic": {**TRAFFIC, "requests_per_month": volume},
             "monthly": {"api_savings_usd": saving, "ongoing_usd": running},
             "assumptions": assumed},
            models=HOSTED["models"][:1],
        )  # fmt: skip
        return outlook(case)

    _, closed, drawn = worth()
    stated = 36 * closed.net.value - closed.upfront.value
    assert drawn.gain_usd <= stated + 1e-6 * (1 + abs(stated))
    less = worth(price_fall_per_year=min(fall, more))[2].gain_usd
    least = worth(price_fall_per_year=max(fall, more))[2].gain_usd
    assert least <= less + 1e-6 * (1 + abs(less))
    assert less <= drawn.gain_usd + 1e-6 * (1 + abs(stated))


@pytest.mark.slow
@given(st.floats(1, 1e6), st.floats(0, 0.9), st.floats(0, 0.9))
def test_a_fall_in_price_never_raises_a_computed_saving(
    volume: float, fall: float, more: float
) -> None:
    def worth(share: float) -> float:
        case = case_of(
            {**WORK, "traffic": {**TRAFFIC, "requests_per_month": volume}, "monthly": WATCHED,
             "assumptions": {"price_fall_per_year": share}}, **HOSTED,
        )  # fmt: skip
        return float(outlook(case)[2].gain_usd)

    less, least = worth(min(fall, more)), worth(max(fall, more))
    assert least <= less + 1e-6 * (1 + abs(less))


# What isn't known --------------------------------------------------------------------------------


def test_a_model_without_a_price_is_unknown_and_says_where_to_state_it() -> None:
    models = [{"id": "in-house", "runs": "own"}, HOSTED["models"][1]]
    computed = money(
        {**WORK, "traffic": TRAFFIC, "monthly": {"api_savings_usd": 9}}, models=models
    )["computed"]
    (unpriced,) = [one for one in computed["servings"] if one["model"] == "in-house"]
    assert unpriced["usd_per_month"]["unknown"] is True
    assert "models.1.usd_per_mtok" in unpriced["usd_per_month"]["ask"]
    assert computed["savings_usd_per_month"]["unknown"] is True
    assert computed["servings"][-1] == unpriced  # behind those with a price


@pytest.mark.slow
@pytest.mark.parametrize(
    "missing",
    ["gpu_usd_per_hour", "requests_per_gpu_hour", "utilisation", "always_on_gpus"],
)
def test_a_gpu_is_priced_by_four_statements_or_not_at_all(missing: str) -> None:
    serving = {"gpu_usd_per_hour": 2, "requests_per_gpu_hour": 500, "utilisation": 0.5,
               "always_on_gpus": 0}  # fmt: skip
    del serving[missing]
    models = [HOSTED["models"][0], {"id": "ours", "kind": "tuned", "runs": "own"}]
    economics = {
        **WORK,
        "traffic": TRAFFIC,
        "serving": serving,
        "monthly": {"api_savings_usd": 9},
    }
    saving = money(economics, models=models)["computed"]["savings_usd_per_month"]
    assert saving == {"unknown": True, "ask": f"state economics.serving.{missing}"}


def test_stated_savings_win_and_the_computed_ones_stand_beside_them() -> None:
    monthly = {**WATCHED, "api_savings_usd": 1400}
    found = money({**WORK, "traffic": TRAFFIC, "monthly": monthly}, **HOSTED)
    assert found["break_even_months"]["point"] == pytest.approx(
        1
    )  # 1,000 / (1,400 - 400)
    assert found["computed"]["savings_usd_per_month"] == pytest.approx(530)
    assert found["assumed"] == []
    assert any(
        "Stated is a saving of $1,400" in step for step in found["computed"]["steps"]
    )


def test_a_rival_below_the_quality_target_is_no_rival() -> None:
    small = {
        "id": "small",
        "usd_per_mtok": {"input": 0.1, "output": 0.4},
        "cases": 1000,
    }
    economics = {**WORK, "traffic": TRAFFIC, "monthly": WATCHED}
    big, tuned = HOSTED["models"]

    def saving(quality: float) -> tuple[str, Any]:
        models = [
            {**big, "quality": 0.97, "cases": 1000},
            {**small, "quality": quality},
            tuned,
        ]
        computed = money(
            economics, models=models, targets={"quality": {"at_least": 0.9}}
        )["computed"]
        (rival,) = [one for one in computed["servings"] if one["model"] == "small"]
        return rival["admissible"], computed["savings_usd_per_month"]

    # small: 100,000 x (3,000 x 0.10 + 200 x 0.40) / 1,000,000 = 38
    assert saving(0.80) == ("no", pytest.approx(530))
    assert saving(0.95) == ("yes", pytest.approx(38 - 420))
    state, ends = saving(0.89)  # of 1,000: 0.869 to 0.908 hold the target
    assert state == "unknown"
    assert ends == {"low": pytest.approx(38 - 420), "high": pytest.approx(530)}


def test_where_no_rival_meets_the_targets_tuning_is_held_against_today() -> None:
    big, tuned = HOSTED["models"]
    models = [{**big, "quality": 0.7, "cases": 1000}, tuned]
    economics = {**WORK, "traffic": TRAFFIC, "monthly": WATCHED}
    computed = money(economics, models=models, targets={"quality": {"at_least": 0.9}})[
        "computed"
    ]
    assert computed["best_untuned"] == "none"
    assert computed["savings_usd_per_month"] == pytest.approx(530)
    assert "No untuned way meets the targets" in computed["steps"][0]


# Sovereignty -------------------------------------------------------------------------------------

INSIDE = {
    "gpu_usd_per_hour": 2,
    "requests_per_gpu_hour": 500,
    "utilisation": 1,
    "always_on_gpus": 1,
}
OWN_BIG = {"id": "own-70b", "runs": "own", "quality": 0.95, "cases": 1000,
           "serving": {**INSIDE, "always_on_gpus": 4}}  # fmt: skip


def sovereign(models: list[Any], **more: Any) -> Any:
    factors = {**CANDIDATE["factors"], "data_sovereignty": "yes"}
    economics = {**WORK, "traffic": TRAFFIC, "serving": INSIDE,
                 "monthly": {"quality_value_usd": 1, "ongoing_usd": 1900}}  # fmt: skip
    targets = {"quality": {"at_least": 0.9}}
    return told(economics, factors=factors, models=models,
                **{"targets": targets, "tuning": {"service": "self_hosted"}, **more})  # fmt: skip


def test_where_data_may_not_leave_money_is_reckoned_as_anywhere() -> None:
    """What stays inside is a row of the table of ways; whether it pays back is one question."""
    api = {
        "id": "big",
        "runs": "third_party",
        "usd_per_mtok": {"input": 2.5, "output": 10},
    }
    for models in ([], [api]):
        found = sovereign(models)
        assert (
            found["investment"]["justified"] == "no"
        )  # $1 a month to pay the work back
        assert "remains to repay" in gate(found)["why"]
    ways = sovereign([api])["investment"]["computed"]["servings"]
    assert {way["admissible"] for way in ways if way["model"] == "big"} == {"no"}


def test_an_untuned_survivor_that_is_cheaper_and_good_enough_ends_the_case() -> None:
    cheap = {**OWN_BIG, "serving": {**INSIDE, "gpu_usd_per_hour": 1}}
    found = sovereign(
        [{"id": "today"}, cheap], today={"api": "own", "quality": 0.5, "cases": 900}
    )
    assert (found["verdict"]["answer"], found["verdict"]["rule"]) == ("no", "met")
    assert found["recommendation"]["steps"][0]["way"] == "model:own-70b"
    unmeasured = {
        key: value for key, value in cheap.items() if key not in ("quality", "cases")
    }
    found = sovereign([{"id": "today"}, unmeasured])
    assert found["verdict"]["rule"] != "met"


@pytest.mark.slow
def test_a_way_that_money_calls_admissible_is_never_missed_by_the_criterion() -> None:
    """Money counts a serving that may be used; nothing says of the same way that it may not."""
    seen = 0
    for slug in sorted(path.parent.name for path in GALLERY.glob("*/case.yaml")):
        case = load_case(GALLERY / slug)
        dossier = decide(case, framework_of(case), as_of=DAY)
        seen += agreeing(dossier)
    targets = {"quality": {"at_least": 0.9}, "latency_p95_s": 2.0, "usd_per_month": 900}
    random_ = random.Random(5)
    for _ in range(60):
        models: list[Any] = [
            {
                "id": f"m{number}", "quality": random_.choice([0.8, 0.9, 0.97, 0.97]),
                "cases": random_.choice([50, 3000, 3000]),
                "latency_p95_s": random_.choice([1, 1, 3]),
                "usd_per_mtok": {"input": random_.choice([0.1, 2, 9]), "output": 4},
                "runs": random_.choice(["own", "third_party"]),
            }
            for number in range(4)
        ]  # fmt: skip
        factors = {
            **CANDIDATE["factors"],
            "data_sovereignty": random_.choice(["yes", "no"]),
        }
        some = {
            name: limit for name, limit in targets.items() if random_.random() < 0.8
        }
        case = case_of(
            {**WORK, "traffic": TRAFFIC}, models=models, targets=some, factors=factors
        )
        seen += agreeing(decide(case, LESSON, as_of=DAY))
    assert seen > 40


def agreeing(dossier: Any) -> int:
    """How many servings that may be used were held against the criterion, none of them missed."""
    money_ = dossier.investment
    if isinstance(money_, Unknown) or isinstance(money_.computed, Unknown):
        return 0
    ways = {
        way.model: way for way in dossier.ways if way.kind in ("now", "model", "tuned")
    }
    asked = 0
    for serving in money_.computed.servings:
        way = ways.get(serving.model)
        if (
            serving.admissible != "yes"
            or serving.how not in ("as_is", "self_hosted")
            or way is None
        ):
            continue
        asked += 1
        assert "missed" not in way.admissible.values(), (serving, way)
    return asked


# Prices ------------------------------------------------------------------------------------------


def test_the_catalogue_prices_hosted_models_without_a_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket, "socket", refuse)
    found = llm_prices.price_on("openai:gpt-4o", DAY)
    assert found is not None
    assert (found.input, found.output, found.cached_input) == (2.5, 10, 1.25)
    assert found.context_tokens == 128_000
    assert found.catalogue.startswith("genai-prices ")


@pytest.mark.parametrize(
    "name", ["ollama:llama3", "openai:of-our-own", "gpt-4o", ":", "", "openai:"]
)
def test_a_model_the_catalogue_does_not_know_has_no_price(name: str) -> None:
    assert llm_prices.price_on(name, DAY) is None


@pytest.mark.parametrize(
    "address",
    ["https://my_host:8000/v1", "https://b\u00fccher.example/v1", "https://a:99999/v1"],
)
def test_an_address_that_cannot_be_called_has_no_list_price(address: str) -> None:
    assert llm_prices.price_on("own:llama", DAY, base_url=address) is None


def test_a_price_belongs_to_its_day_and_its_length() -> None:
    early, late = (
        llm_prices.price_on("openai:o3", date(2025, 5, 1)),
        llm_prices.price_on("openai:o3", DAY),
    )
    assert early is not None
    assert late is not None
    assert early.input > late.input
    short, long = (llm_prices.price_on("anthropic:claude-sonnet-4-5", DAY, input_tokens=n)
                   for n in (200_000, 200_001))  # fmt: skip
    assert short is not None
    assert long is not None
    assert long.input > short.input


@pytest.mark.parametrize(
    "model",
    [
        {"id": "openai:gpt-4o", "usd_per_mtok": {"input": 0, "output": 0}},
        {"id": "openai:gpt-4o", "kind": "tuned"},
        {"id": "openai:gpt-4o", "runs": "own"},
        {"id": "openai:gpt-4o", "base_url": "http://localhost:8000/v1"},
    ],
)
def test_what_is_stated_tuned_or_local_is_never_looked_up(
    model: dict[str, Any],
) -> None:
    assert llm_prices.look_up([Model.model_validate(model)], DAY) == {}


def test_a_looked_up_price_fires_the_challenge_of_a_saving_above_the_bill() -> None:
    def fired(models: list[dict[str, str]]) -> set[str]:
        economics = {
            **WORK, "monthly": {"api_savings_usd": 1500, "ongoing_usd": 500},
            "traffic": {"requests_per_month": 2000, "input_tokens": 6000, "output_tokens": 300},
        }  # fmt: skip
        return {one["id"] for one in told(economics, models=models)["challenges"]}

    assert "saving_above_bill" in fired([{"id": "openai:gpt-4o"}])
    assert "saving_above_bill" not in fired([{"id": "in-house"}])


def test_a_request_that_does_not_fit_the_window_is_no_way() -> None:
    traffic = {**TRAFFIC, "input_tokens": 150_000}
    models = [{"id": "openai:gpt-4o"}, HOSTED["models"][1]]
    monthly = {**WATCHED, "api_savings_usd": 900}
    computed = money({**WORK, "traffic": traffic, "monthly": monthly}, models=models)[
        "computed"
    ]
    way = next(one for one in computed["servings"] if one["model"] == "openai:gpt-4o")
    assert way["admissible"] == "no"
    assert "128,000" in way["why"]


# Laws --------------------------------------------------------------------------------------------

usd = st.floats(0, 1e6)
prices = st.floats(0.01, 50)
tokens = st.floats(1, 1e5)
requests = st.floats(1, 1e8)
wild = st.one_of(st.sampled_from([0.0, 1e-6, 1.0, 1e15]), st.floats(0, 1e15))


def outlook(case: Any, draws: int = 400, seed: int = 1) -> Any:
    """The stages one after the other: what is computed, the closed form, what is drawn."""
    ways = serving_costs(case, model_case.NO_PRICES, "no")
    model = money_terms.build_cost_model(case, LESSON)
    savings = money_savings.compare(case, ways, model)
    context = money_investment.MoneyContext(case, LESSON, model_case.NO_PRICES)
    amounts = money_investment.CaseAmounts(model, ways, savings, math.inf)
    stakes = money_investment.stakes_of(context, amounts)._replace(taken={}, says={})
    drawn = money_simulate.simulate(stakes, seed, draws)
    return savings, amounts, drawn


def three(percentiles: Any) -> tuple[float, float, float]:
    return percentiles.p10, percentiles.p50, percentiles.p90


@given(usd, usd, usd, st.floats(0, 200), st.floats(1, 500))
def test_where_nothing_is_a_range_the_draws_are_the_closed_form(
    savings: float, quality: float, ongoing: float, hours: float, rate: float
) -> None:
    case = case_of({
        "hourly_rate_usd": rate, "upfront": {"hours": hours},
        "monthly": {"api_savings_usd": savings, "quality_value_usd": quality,
                    "ongoing_usd": ongoing},
    })  # fmt: skip
    _, closed, drawn = outlook(case)
    assert closed.months.low == closed.months.high
    assert drawn.simulation.draws == 1
    if math.isinf(closed.months.low):
        # what is left a month may be nothing but rounding: then it takes about for ever
        assert all(month > 1e6 for month in drawn.months)
    else:
        assert drawn.months == pytest.approx((closed.months.low,) * 3, rel=1e-6)
    worth = 36 * closed.net.value - closed.upfront.value
    assert drawn.simulation.npv_usd.p50 == pytest.approx(worth, rel=1e-6, abs=1e-3)


@pytest.mark.slow
@given(requests, tokens, tokens, prices, prices, st.floats(0, 40))
def test_computed_savings_without_growth_are_drawn_as_the_closed_form(
    volume: float,
    tokens_in: float,
    tokens_out: float,
    price: float,
    tuned: float,
    hours: float,
) -> None:
    case = hosted(volume, tokens_in, tokens_out, price, tuned, hours)
    _, closed, drawn = outlook(case)
    if closed.months.low < 1e6:
        assert drawn.months == pytest.approx((closed.months.low,) * 3, rel=1e-6)
    elif math.isinf(closed.months.low) and closed.net.value < -1e-6:
        assert drawn.months == (math.inf,) * 3


def hosted(
    volume: float,
    tokens_in: float,
    tokens_out: float,
    price: float,
    tuned: float,
    hours: float,
) -> Any:
    models = [
        {"id": "big", "usd_per_mtok": {"input": price, "output": price}},
        {
            "id": "tuned",
            "kind": "tuned",
            "usd_per_mtok": {"input": tuned, "output": tuned},
        },
    ]
    traffic = {
        "requests_per_month": volume,
        "input_tokens": tokens_in,
        "output_tokens": tokens_out,
    }
    watched = {"ongoing": {"monitoring_hours": hours}}
    return case_of({**WORK, "traffic": traffic, "monthly": watched}, models=models)


@pytest.mark.slow
@given(requests, st.floats(1, 10), tokens, tokens, prices, st.floats(0, 40))
def test_at_a_positive_saving_more_volume_never_pays_later(
    volume: float,
    times: float,
    tokens_in: float,
    tokens_out: float,
    price: float,
    hours: float,
) -> None:
    found = [outlook(hosted(n, tokens_in, tokens_out, price, price / 2, hours))[1]
             for n in (volume, volume * times)]  # fmt: skip
    assert found[1].months.low <= found[0].months.low
    assert found[1].net.value >= found[0].net.value


@pytest.mark.slow
@given(
    requests,
    tokens,
    tokens,
    prices,
    prices,
    st.floats(0, 1),
    st.sampled_from(["0.8", "0.95", ""]),
)
def test_a_cheaper_untuned_model_never_raises_the_saving(
    volume: float, tokens_in: float, tokens_out: float, price: float, tuned: float, part: float,
    quality: str,
) -> None:  # fmt: skip
    before = hosted(volume, tokens_in, tokens_out, price, tuned, 1)
    data = before.model_dump(mode="json", exclude_defaults=True)
    data["targets"] = {"quality": {"at_least": 0.9}}
    data["today"] = {"quality": 0.97, "cases": 2000}
    rival = {
        "id": "rival",
        "usd_per_mtok": {"input": price * part, "output": price * part},
    }
    measured = {"quality": float(quality), "cases": 2000} if quality else {}
    alone = outlook(load_case(data))[0]
    data["models"].append({**rival, **measured})
    beside = outlook(load_case(data))[0]
    assert beside.usd.value <= alone.usd.value
    assert beside.usd.low <= alone.usd.low
    assert beside.usd.high <= alone.usd.high
    if quality == "0.8":
        assert beside.usd == alone.usd


@pytest.mark.slow
@given(st.floats(0.5, 100), st.integers(1, 400))
def test_a_covered_volume_covers_and_a_smaller_one_does_not(
    hour: float, each: int
) -> None:
    serving = {"gpu_usd_per_hour": hour, "requests_per_gpu_hour": each, "utilisation": 0.5,
               "always_on_gpus": 1}  # fmt: skip
    models = [HOSTED["models"][0], {"id": "ours", "kind": "tuned", "runs": "own"}]
    saved = outlook(case_of(
        {**WORK, "traffic": TRAFFIC, "monthly": WATCHED, "serving": serving}, models=models
    ))[0]  # fmt: skip
    assert isinstance(saved, money_savings.Savings)
    assert isinstance(saved.volume, model_base.Interval)
    values = {name: spread.value for name, spread in saved.inputs.items()}

    def left(volume: float) -> float:
        values[money_terms.REQUESTS] = volume
        lines = saved.baseline[0].line(values), saved.tuned.line(values)
        return lines[0].usd(volume) - lines[1].usd(volume) - 400

    if math.isinf(saved.volume.value):
        assert all(left(10.0**power) < 0 for power in range(12))
    else:
        assert left(saved.volume.value) == pytest.approx(
            0, abs=1e-6 * saved.volume.value + 1e-6
        )
        assert left(saved.volume.value * 0.99) < 0


def scattered(low: float, high: float) -> st.SearchStrategy[dict[str, float]]:
    """Three amounts in order."""
    ends = st.lists(st.floats(low, high), min_size=3, max_size=3)
    return ends.map(lambda three: ranged(*sorted(three)))


@pytest.mark.slow
@given(st.data())
def test_no_values_within_the_ranges_save_more_or_less_than_the_ends(
    data: st.DataObject,
) -> None:
    def serving() -> dict[str, Any]:
        return {
            "gpu_usd_per_hour": data.draw(scattered(0.5, 5)),
            "requests_per_gpu_hour": data.draw(scattered(100, 3000)),
            "utilisation": data.draw(scattered(0.1, 1)),
            "always_on_gpus": data.draw(scattered(0, 3)),
        }

    traffic = {
        "requests_per_month": data.draw(scattered(1000, 3e6)),
        "input_tokens": data.draw(scattered(100, 5000)),
        "output_tokens": data.draw(scattered(10, 500)),
    }
    price = {"input": data.draw(prices), "output": data.draw(prices)}
    own, tuned = {"id": "own", "runs": "own"}, {"id": "t", "kind": "tuned"}
    models = [
        HOSTED["models"][0],
        {**own, "serving": serving()} if data.draw(st.booleans()) else own,
        {**tuned, "usd_per_mtok": price}
        if data.draw(st.booleans())
        else {**tuned, "runs": "own"},
    ]
    economics = {**WORK, "traffic": traffic, "serving": serving(), "monthly": WATCHED}
    saved = outlook(case_of(economics, models=models))[0]
    rng = random.Random(data.draw(st.integers(0, 10**6)))
    for _ in range(60):
        values = {
            name: rng.choice(
                [spread.low, spread.high, rng.uniform(spread.low, spread.high)]
            )
            for name, spread in saved.inputs.items()
        }
        lines, rival = (
            saved.tuned.line(values),
            [way.line(values) for way in saved.baseline],
        )
        full = lines.floor / lines.slope  # where its GPU is full; 0 for a hosted one
        volume = rng.choice([values[money_terms.REQUESTS], full])
        if (
            saved.inputs[money_terms.REQUESTS].low
            <= volume
            <= saved.inputs[money_terms.REQUESTS].high
        ):
            best = min(line.usd(volume) for line in rival)
            slack = 1e-9 * (1 + abs(best))
            saving = best - lines.usd(volume)
            assert saved.usd.low - slack <= saving <= saved.usd.high + slack


amounts = st.one_of(
    wild, st.lists(wild, min_size=3, max_size=3).map(lambda n: ranged(*sorted(n)))
)
positive = st.one_of(st.sampled_from([1e-6, 1.0, 1e15]), st.floats(1e-6, 1e15))
shares = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1))


def maybe(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


economies = maybe(
    hourly_rate_usd=amounts,
    upfront=maybe(hours=amounts, usd=amounts),
    monthly=maybe(
        api_savings_usd=amounts, quality_value_usd=amounts,
        ongoing=maybe(inference_usd=amounts, monitoring_hours=amounts, other_usd=amounts),
    ),
    traffic=maybe(
        requests_per_month=amounts, growth_per_month=st.floats(-1, 10), input_tokens=amounts,
        output_tokens=amounts, tuned_input_tokens=amounts, cached_share=shares,
        cacheable_share=shares, batchable=st.sampled_from(["yes", "no"]),
    ),
    serving=maybe(
        gpu_usd_per_hour=amounts, requests_per_gpu_hour=positive, always_on_gpus=amounts,
        utilisation=st.sampled_from([1e-6, 0.5, 1.0]),
    ),
    assumptions=maybe(
        discount_per_year=shares, failure_chance=shares, model_life_months=st.floats(1, 1200),
        horizon_months=st.integers(1, 120),
    ),
)  # fmt: skip
token_prices = maybe(cached_input=wild, batch_discount=shares).flatmap(
    lambda more: st.fixed_dictionaries({"input": wild, "output": wild}).map(
        lambda p: {**p, **more}
    )
)
all_models = st.lists(
    maybe(
        kind=st.sampled_from(["prompted", "tuned"]), runs=st.sampled_from(["own", "third_party"]),
        usd_per_mtok=token_prices, quality=shares, cases=st.integers(0, 10**6),
    ).map(lambda model: {"id": "m", **model}),
    max_size=4,
)  # fmt: skip


def numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for inner in value.values() for number in numbers(inner)]
    if isinstance(value, list):
        return [number for inner in value for number in numbers(inner)]
    return [value] if isinstance(value, float) else []


@pytest.mark.slow
@given(economies, all_models, st.sampled_from(["yes", "no", "unknown"]))
def test_no_amount_however_wild_makes_a_number_that_is_none(
    economics: dict[str, Any], models: list[Any], sovereignty: str
) -> None:
    factors = {**CANDIDATE["factors"], "data_sovereignty": sovereignty}
    case = case_of(
        economics, models=models, factors=factors, tuning={"service": "self_hosted"}
    )
    found = decide(case, LESSON, as_of=DAY).to_dict()
    assert all(math.isfinite(number) for number in numbers(found))
    json.dumps(found, allow_nan=False)


def uncertain(width: float) -> Any:
    """A case whose every amount is a range of so many per cent to either side."""

    def around(value: float) -> dict[str, float]:
        return ranged(value * (1 - width), value, value * (1 + width))

    return case_of({
        "hourly_rate_usd": around(100), "upfront": {"hours": around(80)},
        "monthly": {"api_savings_usd": around(1500), "quality_value_usd": around(500),
                    "ongoing_usd": around(600)},
    })  # fmt: skip


@pytest.mark.slow
@given(st.floats(0.0001, 0.02), st.integers(0, 10**6))
def test_narrow_ranges_are_drawn_near_the_closed_form(width: float, seed: int) -> None:
    _, closed, drawn = outlook(uncertain(width), seed=seed)
    point = closed.upfront.value / closed.net.value
    # eight thousand of upfront and three amounts a month: none moves it by more than 4 widths
    assert drawn.months[1] == pytest.approx(point, rel=4 * width)
    assert closed.months.low <= drawn.months[0]
    assert drawn.months[2] <= closed.months.high


@pytest.mark.slow
@given(st.floats(0.05, 0.9), st.integers(0, 10**6), shares)
def test_percentiles_are_ordered_and_shares_are_shares(
    width: float, seed: int, failure: float
) -> None:
    data = uncertain(width).model_dump(mode="json", exclude_defaults=True)
    data["economics"]["assumptions"] = {"failure_chance": failure}
    _, _, drawn = outlook(load_case(data), seed=seed)
    found = drawn.simulation
    for low, middle, high in (drawn.months, *map(three, (found.npv_usd, *found.curve))):
        assert low <= middle <= high
    assert 0 <= drawn.in_time * found.p_works <= 1 - found.p_never + 1e-12
    assert 0 <= found.p_never <= 1
    widths = [abs(swing.high_usd - swing.low_usd) for swing in found.tornado]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.slow
def test_the_seed_decides_every_draw() -> None:
    case = uncertain(0.3)
    first, again, other = (
        decide(case, LESSON, as_of=DAY, seed=n).to_json() for n in (7, 7, 8)
    )
    assert first == again
    assert json.loads(first)["investment"] != json.loads(other)["investment"]


def test_a_pert_draw_has_its_mean_and_keeps_to_its_ends() -> None:
    spread = model_base.Interval(10.0, 20.0, 60.0)
    drawn = np.asarray(money_simulate._draw(spread, 3, "one", 200_000))
    assert drawn.mean() == pytest.approx((10 + 4 * 20 + 60) / 6, rel=0.005)
    assert drawn.min() >= 10
    assert drawn.max() <= 60


@pytest.mark.slow
@given(st.floats(0.1, 10))
def test_money_in_another_currency_changes_amounts_and_no_month(times: float) -> None:
    """Units: every amount in USD scales what is in USD, and leaves months and shares alone."""
    scaled = uncertain(0.3).model_dump(mode="json", exclude_defaults=True)
    economics = scaled["economics"]
    for holder, name in ((economics, "hourly_rate_usd"), *(
        (economics["monthly"], name) for name in economics["monthly"]
    )):  # fmt: skip
        holder[name] = {end: value * times for end, value in holder[name].items()}
    _, _, before = outlook(uncertain(0.3))
    _, _, after = outlook(load_case(scaled))
    assert after.months == pytest.approx(before.months)
    assert after.simulation.p_never == before.simulation.p_never
    scaled_npv = [npv * times for npv in three(before.simulation.npv_usd)]
    assert three(after.simulation.npv_usd) == pytest.approx(scaled_npv, rel=1e-6)


def test_a_token_price_is_for_a_million() -> None:
    assert model_base.usd_per_request(
        input_tokens=1_000_000,
        output_tokens=0,
        usd_per_mtok_input=2.5,
        usd_per_mtok_output=10,
    ) == pytest.approx(2.5)


@given(st.floats(1e-9, 1e15), st.floats(1e-9, 1e15), st.floats(-1, 10))
def test_the_month_of_a_volume_is_the_first_that_has_it(
    now: float, target: float, growth: float
) -> None:
    month = model_base.months_to_reach(now=now, target=target, growth_per_month=growth)
    if month is None:
        assert target > now
    else:
        assert now * (1 + growth) ** month >= target * (1 - 1e-6)
        assert month == 0 or now * (1 + growth) ** (month - 1) <= target * (1 + 1e-6)


# As people read it -------------------------------------------------------------------------------


def test_the_report_of_the_money_says_the_calculation_and_looks_as_far_as_asked() -> (
    None
):
    path, year = GALLERY / "task-api", {"economics.assumptions.horizon_months": "12"}
    text = workspace_reports.case_report("money", path, answers=year, as_of=DAY)
    assert "$6,000 / $1,500 = 4 months" in text
    assert "Worth over 12 months" in text
    assert max(map(len, text.splitlines())) <= 80
    found = json.loads(
        workspace_reports.case_report("money", path, "json", answers=year, as_of=DAY)
    )
    assert found["simulation"]["horizon_months"] == 12
    hours = {"economics.upfront.hours": "90"}
    markdown = workspace_reports.case_report(
        "money", path, "markdown", answers=hours, as_of=DAY
    )
    assert "90 h × $100 = $9,000" in markdown
    unknown = workspace_reports.case_report("money", GALLERY / "first-idea", as_of=DAY)
    assert "can't be worked out yet" in unknown


def test_the_terminal_says_what_the_draws_say_only_where_something_varies() -> None:

    sure = {**uncertain(0.3).model_dump(mode="json", exclude_defaults=True)}
    sure["economics"] = {"upfront": {"usd": 10}, "assumptions": SURE,
                         "monthly": {"quality_value_usd": 10, "ongoing_usd": 1}}  # fmt: skip
    told = sections_money.pays_back_text(decide(load_case(sure), LESSON, as_of=DAY))
    assert "onth by month" not in told
    said = sections_money.pays_back_text(decide(uncertain(0.3), LESSON, as_of=DAY))
    assert "if it works, as it does in" in said
    assert "80% range" in said


def test_by_hand_one_total_of_running_costs_holds_the_serving_once() -> None:
    # untuned 100,000 x 2,100 x $10 / 1M = $2,100; serving is inside the $1,000: $1,100 at every end
    tokens = {"low": 100, "likely": 500, "high": 1000}
    found = money(
        {
            "hourly_rate_usd": 20,
            "upfront": {"usd": 10_000},
            "monthly": {"ongoing_usd": 1000},
            "traffic": {
                "requests_per_month": 100_000, "input_tokens": 2000, "output_tokens": 100,
                "tuned_input_tokens": tokens,
            },
        },
        models=[
            {"id": "p", "usd_per_mtok": {"input": 10, "output": 10}},
            {"id": "t", "kind": "tuned", "usd_per_mtok": {"input": 8, "output": 8}},
        ],
    )  # fmt: skip
    assert found["monthly_net_usd"] == pytest.approx(1100)
    assert found["break_even_months"]["point"] == pytest.approx(10_000 / 1100)


def test_a_yes_that_shrinking_traffic_takes_back_is_unknown() -> None:
    # $300 saved - $50 a month today, half of it every month: 250 + 100 + 25, then losses
    found = money(
        {
            "upfront": {"usd": 1000},
            "monthly": {"ongoing": {"other_usd": 50}},
            "traffic": {
                "requests_per_month": 100_000, "growth_per_month": -0.5,
                "input_tokens": 1000, "output_tokens": 0,
            },
        },
        strategic_value="high",
        models=[
            {"id": "p", "usd_per_mtok": {"input": 4, "output": 0}},
            {"id": "t", "kind": "tuned", "usd_per_mtok": {"input": 1, "output": 0}},
        ],
    )  # fmt: skip
    assert found["break_even_months"] == {
        "point": 4.0,
        "p10": "never",
        "p50": "never",
        "p90": "never",
    }
    assert found["justified"] == "unknown"
    assert "Month by month" in found["why"]


@pytest.mark.parametrize("rates", [(5, 20), (20, 100), (100, 500)])
def test_a_dearer_hour_never_makes_the_investment_better(
    rates: tuple[int, int],
) -> None:
    cheap, dear = (
        money(
            {
                "hourly_rate_usd": rate,
                "upfront": {"hours": 1, "usd": 100_000},
                "monthly": {"api_savings_usd": 9000, "ongoing_usd": 100},
                "assumptions": {"model_life_months": 6},
            }
        )["simulation"]["npv_usd"]["p50"]
        for rate in rates
    )
    assert dear < cheap


@pytest.mark.parametrize("many", [5, 20])
def test_many_ways_of_ones_own_are_gone_through_once_each(many: int) -> None:
    """Their private ranges are not paired with each other: that would be 2 to the 4 x many."""
    spread = {"low": 1, "likely": 2, "high": 3}
    serving = {
        "gpu_usd_per_hour": spread, "requests_per_gpu_hour": ranged(100, 200, 300),
        "utilisation": ranged(0.1, 0.2, 0.3), "always_on_gpus": spread,
    }  # fmt: skip
    own = [{"id": f"m{n}", "runs": "own", "serving": serving} for n in range(many)]
    tuned = {"id": "t", "kind": "tuned", "usd_per_mtok": {"input": 1, "output": 1}}
    traffic = {"requests_per_month": 1000, "input_tokens": 1000, "output_tokens": 100}
    found = money(
        {"hourly_rate_usd": 90, "upfront": {"hours": 10}, "monthly": {"ongoing_usd": 10},
         "traffic": traffic},
        models=[tuned, *own],
    )["computed"]  # fmt: skip
    assert len(found["servings"]) == many + 1


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_doubts_about_money_are_told_in_the_words_of_the_report(form: str) -> None:
    dossier = decide(load_case(GALLERY / "task-api"), LESSON, as_of=DAY)
    about = {
        "saving_above_bill",
        "low_volume_now",
        "ongoing_below_table",
        "model_in_use_ends",
    }
    out = " ".join(
        workspace_reports.case_report(
            "money", GALLERY / "task-api", form, as_of=DAY
        ).split()
    )
    assert about < {one.id for one in dossier.challenges}
    for one in dossier.challenges:
        assert (one.says in out) == (one.id in about), one.id
        assert (one.settle in out) == (one.id in about), one.id
    clash = next(
        one.says for one in dossier.challenges if one.severity == "contradiction"
    )
    assert out.index(clash) < out.index("The bill today")


def test_money_that_can_not_be_computed_has_its_doubts_and_latency_is_none() -> None:
    told = {
        "name": "x",
        "factors": {"latency_requirements": "yes"},
        "economics": {"traffic": {"input_tokens": 300}},
    }
    dossier = decide(load_case(told), LESSON, as_of=DAY)
    assert any(
        "economics.traffic.input_tokens" in one.between for one in dossier.challenges
    )
    assert "fit together" not in report_text.render(sections_money.invest(dossier))
    told["factors"] = {"cost_optimization": "yes", "low_volume": "yes"}
    dossier = decide(load_case(told), LESSON, as_of=DAY)
    shown = report_text.render(sections_money.invest(dossier))
    assert "can't be worked out yet" in shown
    assert "What doesn't fit together" in shown


def test_what_may_be_cheaper_is_cheaper() -> None:
    traffic = {"low": 60_000, "likely": 100_000, "high": 130_000}
    models = [
        {
            "id": f"y:{n}",
            "quality": 0.9,
            "usd_per_mtok": {"input": 10 + n / 2, "output": 10 + n / 2},
        }
        for n in range(10)
    ]
    tuned = {
        "id": "y:t",
        "kind": "tuned",
        "quality": 0.9,
        "usd_per_mtok": {"input": 1, "output": 1},
    }
    case = {
        "name": "A case",
        "today": {"usd_per_month": 1850},  # beside 1,800 of the cheapest model
        "economics": {
            "traffic": {
                "requests_per_month": traffic,
                "input_tokens": 1000,
                "output_tokens": 800,
            },
            "hourly_rate_usd": 100,
        },
        "models": [*models, tuned],
    }
    dossier = decide(load_case(case), load_framework("lesson"), as_of=DAY)
    said = json.dumps(dossier.to_dict())
    assert "Cheaper, if it may be used" not in said
