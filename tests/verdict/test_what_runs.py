"""Which listed model runs today, what follows where it is switched off, and thinking as a lever."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tuneworthy import CaseError, Dossier, decide, load_case, load_framework
from tuneworthy.llm import embedded as llm_embedded
from tuneworthy.llm import endpoints as llm_endpoints
from tuneworthy.model import case as model_case
from tuneworthy.model.base import Unknown

DAY = date(2026, 12, 3)
LESSON = load_framework("lesson")
SURE = {"quality": 0.94, "cases": 1600, "latency_p95_s": 0.9}
TUNED = {"id": "openai:gpt-4.1-mini", "kind": "tuned", **SURE}
PLAIN = {"id": "acme:plain", "quality": 0.81, "cases": 1600, "latency_p95_s": 1.3}
TIRED = {
    "name": "Orders in shorthand",
    "goals": ["format"],
    "ceiling": dict.fromkeys(LESSON.ceiling, "yes"),
    "signals": {"terminology_errors": "yes"},
    "factors": {
        **dict.fromkeys(LESSON.anti_indicators, "no"),
        "domain_knowledge": "yes",
    },
    "targets": {
        "quality": {"metric": "right", "at_least": 0.92},
        "latency_p95_s": 2,
    },
    "today": SURE,
    "data": {"examples": 27_000},
}


def judged(case: dict[str, Any], day: date = DAY) -> Dossier:
    return decide(load_case(case), LESSON, as_of=day)


def in_use_of(case: dict[str, Any]) -> str:
    model = model_case.in_use(load_case(case))
    return "" if model is None else model.id


def first_step(dossier: Dossier) -> str:
    assert not isinstance(dossier.recommendation, Unknown)
    return dossier.recommendation.steps[0].option


def titles(dossier: Dossier) -> list[str]:
    return [way.title for way in dossier.ways]


# Which model it is -----------------------------------------------------------------------------


@pytest.mark.parametrize("models", [[PLAIN, TUNED], [TUNED, PLAIN]])
def test_the_listed_model_with_the_figures_of_today_runs_wherever_it_stands(
    models: list[dict[str, Any]],
) -> None:
    case = {**TIRED, "models": models}
    assert in_use_of(case) == TUNED["id"]
    assert f"now: {TUNED['id']}" in titles(judged(case))


@pytest.mark.parametrize(
    "other", [{"cases": 1500}, {"latency_p95_s": 1.0}, {"quality": 0.93}]
)
def test_a_figure_that_differs_makes_it_another_model(other: dict[str, Any]) -> None:
    case = {**TIRED, "models": [PLAIN, {**TUNED, **other}]}
    assert in_use_of(case) == PLAIN["id"]


def test_a_tested_model_with_the_same_score_is_not_taken_for_the_one_that_runs() -> (
    None
):
    """Two models of equal score are common; the first one, without a score of its own, runs."""
    tested = {"id": "acme:tested", "quality": SURE["quality"], "cases": SURE["cases"]}
    tuned = {**tested, "id": "acme:ft", "kind": "tuned"}
    for other in (tested, tuned):
        case = {**TIRED, "models": [{"id": "acme:runs"}, other]}
        assert in_use_of(case) == "acme:runs"


def test_a_named_model_runs_whatever_its_figures() -> None:
    named = {**SURE, "model": PLAIN["id"]}
    assert in_use_of({**TIRED, "today": named, "models": [TUNED, PLAIN]}) == PLAIN["id"]
    with pytest.raises(CaseError, match="runs today, which models"):
        load_case({**TIRED, "today": {"model": "acme:none"}, "models": [PLAIN]})


def test_a_local_model_of_ones_own_is_a_way_and_the_embedded_one_is_none() -> None:
    own = {"id": "local:own-4b", "quality": 0.95, "cases": 1600, "latency_p95_s": 1}
    tried_out = {**own, "id": "local:smollm2"}
    today = {"quality": 0.81, "cases": 1600, "latency_p95_s": 1.3}
    case = {**TIRED, "today": today, "models": [PLAIN, own, tried_out]}
    dossier = judged(case)
    assert "local:own-4b" in titles(dossier)
    assert "local:smollm2" not in titles(dossier)
    assert dossier.verdict.answer == "no"
    assert first_step(dossier) == "other_model"


def test_the_embedded_model_is_known_by_its_name() -> None:
    """The record can't import the module that loads weights, so it spells the names itself."""
    for name in (llm_embedded.MODEL, f"{llm_embedded.MODEL}-q8"):
        for adapter in ("", "+0123456789abcdef"):
            assert model_case.Model(
                id=f"{llm_endpoints.LOCAL}:{name}{adapter}"
            ).embedded
    assert not model_case.Model(
        id=f"{llm_endpoints.LOCAL}:{llm_embedded.MODEL}-mine"
    ).embedded


def test_a_supposed_figure_of_today_names_no_other_model() -> None:
    """What would turn the answer is judged with other figures of the same model."""
    dossier = judged({**TIRED, "models": [PLAIN, {**TUNED, "ends": "2028-01-01"}]})
    assert dossier.verdict.answer == "no"
    (turn,) = (each for each in dossier.verdict.turns if "quality" in each.path)
    assert turn.what == "quality today is under 0.92"
    assert turn.answer != "no"


# What is switched off --------------------------------------------------------------------------


def test_a_tuned_model_that_is_switched_off_soon_is_no_way_to_keep() -> None:
    dossier = judged({**TIRED, "models": [TUNED, PLAIN]})
    assert dossier.verdict.answer == "pilot"
    assert dossier.verdict.headline.startswith(
        "Pilot it. What runs today is tuned, and is switched off on 14 Jan 2027. "
        "acme:plain is 0.81 right, and 0.92 is wanted."
    )
    better = {**PLAIN, "id": "acme:better", "quality": 0.96}
    instead = judged({**TIRED, "models": [TUNED, PLAIN, better]})
    assert instead.verdict.answer == "no"
    assert first_step(instead) == "other_model"


ENDING = {"id": "acme:ft-old", "kind": "tuned", "ends": "2027-02-01"}
ECONOMICS = {
    "hourly_rate_usd": 100,
    "upfront": {"hours": 60, "usd": 50},
    "traffic": {
        "requests_per_month": 200_000,
        "input_tokens": 3000,
        "output_tokens": 300,
    },
}


def ending(*others: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A case whose tuned model, right enough today, is switched off in two months."""
    today = {"model": ENDING["id"], "quality": 0.95, "cases": 500, "usd_per_month": 180}
    return {
        **TIRED,
        "today": {**today, "api": "third_party"},
        "models": [ENDING, *others],
        "economics": ECONOMICS,
        **fields,
    }


def test_where_nothing_else_was_scored_what_comes_after_it_is_not_known() -> None:
    """It said: keep it, look again before the day its model ends."""
    dossier = judged(ending(economics={}))
    assert dossier.verdict.answer == "open"
    assert "Nobody has scored a model that could take its place" in (
        dossier.verdict.headline
    )
    assert first_step(dossier) == "other_model"


@pytest.mark.parametrize("day", [DAY, date(2027, 3, 1)])
def test_a_model_that_ends_is_never_kept_where_tuning_costs_more_than_it_brings(
    day: date,
) -> None:
    scored = {"id": "acme:plain", "quality": 0.7, "cases": 500}
    worth = {**ECONOMICS, "monthly": {"quality_value_usd": 50}}
    for others in ([], [scored]):
        dossier = judged(ending(*others, economics=worth), day)
        assert dossier.verdict.answer == "no"
        assert first_step(dossier) == "other_model"
        was = "was" if day > DAY else "is"
        assert f"{was} switched off on 1 Feb 2027" in dossier.verdict.headline


def test_a_better_tuned_model_takes_its_place_at_once() -> None:
    """The one that ends was held against it as a rival that may be enough as well."""
    new = {"id": "acme:ft-new", "kind": "tuned", "quality": 0.96, "cases": 500}
    only = {"quality": {"metric": "right", "at_least": 0.92}}
    dossier = judged(ending({**new, "ends": "2029-12-01"}, targets=only))
    assert dossier.verdict.answer == "yes"
    assert first_step(dossier) == "roll_out"
    # the end of the old one is none of the new one's
    assert not any("1 Feb 2027" in each for each in dossier.verdict.conditions)
    assert any("1 Dec 2029" in each for each in dossier.verdict.conditions)


def test_the_cases_to_label_are_those_of_the_model_that_stays() -> None:
    scored = {"id": "acme:plain", "quality": 0.93, "cases": 100}
    dossier = judged(ending(scored, economics={}))
    assert dossier.verdict.answer == "open"
    assert "acme:plain: 93 of 100 right" in dossier.verdict.headline
    assert not isinstance(dossier.recommendation, Unknown)
    (first, *_) = dossier.recommendation.steps
    assert first.option == "label"
    way = next(way for way in dossier.ways if way.id == first.way)
    assert way.title == "acme:plain"


def test_without_a_target_for_quality_a_model_that_stays_is_judged_by_todays() -> None:
    """It ended in an internal error."""
    scored = {"id": "openai:gpt-6-luna", "quality": 0.93, "cases": 500}
    dossier = judged(ending(scored, targets={"usd_per_month": 200}))
    assert dossier.verdict.headline


@pytest.mark.parametrize("ends", ["2028-01-01", None])
def test_a_tuned_model_that_stays_and_meets_every_target_is_kept(
    ends: str | None,
) -> None:
    stays = {**TUNED, "id": "local:own", "ends": ends}
    dossier = judged({**TIRED, "models": [stays, PLAIN]})
    assert (dossier.verdict.answer, first_step(dossier)) == ("no", "keep_prompt")


# Thinking --------------------------------------------------------------------------------------


def too_dear(**traffic: Any) -> dict[str, Any]:
    """A classification that is right enough, and too slow and dear."""
    return {
        "name": "Priority of mails",
        "goals": ["classification"],
        "ceiling": dict.fromkeys(LESSON.ceiling, "yes"),
        "factors": dict.fromkeys(LESSON.anti_indicators, "no"),
        "targets": {
            "quality": {"metric": "right", "at_least": 0.93},
            "latency_p95_s": 8,
            "usd_per_month": 1000,
        },
        "today": {
            "quality": 0.97,
            "cases": 1100,
            "latency_p95_s": 19,
            "usd_per_month": 2990,
        },
        "economics": {"traffic": {"requests_per_month": 180_000, **traffic}},
    }


@pytest.mark.parametrize(
    ("traffic", "offered"),
    [
        ({"output_tokens": 2900, "tuned_output_tokens": 40}, True),
        ({"output_tokens": 2900}, True),
        ({"output_tokens": 40, "tuned_output_tokens": 4}, False),
        ({"output_tokens": 900, "tuned_output_tokens": 850}, False),
        ({}, False),
    ],
)
def test_less_thinking_is_tried_where_calls_write_far_more_than_their_answer(
    traffic: dict[str, Any], offered: bool
) -> None:
    dossier = judged(too_dear(**traffic))
    (effort,) = (way for way in dossier.ways if way.id == "reasoning_effort")
    assert (effort.state == "untried") is offered
    if offered:
        assert effort.title == "less reasoning effort"
        assert first_step(dossier) == "reasoning_effort"
        assert not isinstance(dossier.recommendation, Unknown)
        assert dossier.recommendation.steps[0].title == "less reasoning effort"


def test_a_model_that_takes_no_effort_is_not_asked_to_think_less() -> None:
    """Found by a reader: the price was looked at first, and the model after it."""
    case = too_dear(output_tokens=2900, tuned_output_tokens=40)
    case["models"] = [{"id": "openai:gpt-4.1"}]
    dossier = judged(case)
    (effort,) = (way for way in dossier.ways if way.id == "reasoning_effort")
    assert effort.state != "untried"
    assert "openai:gpt-4.1 takes no reasoning effort" in effort.because


def test_where_no_model_thinks_and_reasoning_lacks_another_model_is_tried_first() -> (
    None
):
    tutor = {
        "name": "Maths tutor",
        "goals": ["generation"],
        "ceiling": dict.fromkeys(LESSON.ceiling, "yes"),
        "signals": dict.fromkeys(LESSON.signals, "no"),
        "factors": {
            **dict.fromkeys(LESSON.anti_indicators, "no"),
            "domain_knowledge": "no",
            "brand_voice": "no",
        },
        "attempts": [{"name": "prompts", "models": ["openai:gpt-4o", "openai:gpt-4.1"]}],
        "targets": {"quality": {"metric": "right", "at_least": 0.9}},
        "today": {"quality": 0.74, "cases": 300},
        "models": [{"id": "openai:gpt-4.1"}],
        "data": {"examples": 400},
    }  # fmt: skip
    dossier = judged(tutor)
    assert first_step(dossier) == "other_model"
    (other,) = (way for way in dossier.ways if way.id == "other_model")
    assert other.because.startswith("no model that thinks was tried")
    # before that was looked up, the same model may think
    assert first_step(judged(tutor, date(2026, 11, 24))) == "reasoning_effort"
