"""What a ceiling rests on: claimed, tried or searched, and where each sends to."""

from __future__ import annotations

from typing import Any

import pytest

from tuneworthy import Dossier, decide, load_case
from tuneworthy.answers import weigh as answers_weigh
from tuneworthy.model import dossier as model_dossier
from tuneworthy.model.dossier import Recommendation
from tuneworthy.model.evidence import Evidence
from tuneworthy.report.sections import common as section_common
from ways_world import DAY, LESSON, gallery

CASE = next(world.case for world in gallery() if world.id == "code-assistant")
"""A pilot whose ceiling is claimed."""
WITH_CASES = {**CASE, "data": {**CASE.get("data", {}), "evaluation": "eval.jsonl"}}


def measured(name: str, value: float, **details: Any) -> dict[str, Evidence]:
    return {
        name: Evidence(
            id=name,
            value=value,
            low=value,
            high=value,
            unit="draws",
            n=9,
            details=details,
        )
    }


SEARCHED = measured(answers_weigh.SEARCH, 8, ended="plateau", margin=0.02)
CUT_SHORT = measured(answers_weigh.SEARCH, 3, ended="short", margin=0.02)
TRIED = measured(answers_weigh.BEST_PROMPT, 0.6)


def decided(
    case: dict[str, Any], evidence: dict[str, Evidence] | None = None
) -> Dossier:
    return decide(load_case(case), LESSON, as_of=DAY, evidence=evidence or {})


def steps_of(dossier: Dossier) -> tuple[model_dossier.Step, ...]:
    assert isinstance(dossier.recommendation, Recommendation)
    return dossier.recommendation.steps


def state_of_search(dossier: Dossier) -> str:
    return next(way.state for way in dossier.ways if way.id == "prompt_optimisation")


@pytest.mark.parametrize(
    ("evidence", "grade", "state"),
    [
        ({}, "claimed", "untried"),
        (TRIED, "tried", "untried"),
        (TRIED | CUT_SHORT, "tried", "untried"),
        (TRIED | SEARCHED, "searched", "failed"),
    ],
)
def test_a_search_is_untried_until_it_came_to_its_plateau(
    evidence: dict[str, Evidence], grade: str, state: str
) -> None:
    dossier = decided(WITH_CASES, evidence)
    assert dossier.ceiling.grade == grade
    assert state_of_search(dossier) == state
    assert grade in section_common.ceiling_text(dossier)


def test_a_claimed_ceiling_sends_to_the_search_before_a_pilot_where_cases_exist() -> (
    None
):
    dossier = decided(WITH_CASES)
    first, second = steps_of(dossier)[:2]
    assert dossier.verdict.answer == "pilot"
    assert (first.option, second.option) == (
        "prompt_optimisation",
        "supervised_fine_tuning",
    )
    assert first.hours == 1
    assert first.command == "tuneworthy ceiling CASE --dry-run"
    assert "which nobody measured" in dossier.verdict.headline


@pytest.mark.parametrize("case", [CASE, WITH_CASES], ids=["no cases", "cases"])
@pytest.mark.parametrize(
    "evidence", [{}, TRIED | SEARCHED], ids=["claimed", "searched"]
)
def test_a_search_comes_first_only_where_it_is_due_and_can_be_run(
    case: dict[str, Any], evidence: dict[str, Evidence]
) -> None:
    due = case is WITH_CASES and not evidence
    first = steps_of(decided(case, evidence))[0]
    assert (first.option == "prompt_optimisation") is due


def test_nobody_says_that_prompts_levelled_off_without_a_search() -> None:
    dossier = decided(CASE)
    assert "levelled off" not in dossier.model_dump_json()


MODELS = {
    "one maker": ["openai:gpt-4o", "gpt-4.1"],
    "two makers": ["openai:gpt-4o", "claude-5"],
}


@pytest.mark.parametrize("models", sorted(MODELS))
def test_two_models_of_one_maker_are_one_family_wherever_attempts_name_them(
    models: str,
) -> None:
    attempt = {
        "name": "both",
        "prompts": 5,
        "models": MODELS[models],
        "tried": ["other_model"],
    }
    ceiling = {**CASE.get("ceiling", {}), "foundation_models": "yes"}
    dossier = decided({**CASE, "ceiling": ceiling, "attempts": [attempt]})
    state = next(way.state for way in dossier.ways if way.id == "other_model")
    says = " ".join(challenge.says for challenge in dossier.challenges)
    assert (state == "untried") is (models == "one maker")
    assert ("two models of one maker" in says) is (models == "one maker")


def test_more_effort_can_be_worth_trying_and_is_not_where_there_is_no_time() -> None:
    """Once no case could bring it up."""
    case: dict[str, Any] = {
        "name": "Sums", "goals": ["generation"], "factors": {}, "signals": {"knowledge_gaps": "no"},
        "targets": {"quality": {"metric": "exact", "at_least": 0.8}, "latency_p95_s": 60},
        "today": {"quality": 0.6, "cases": 400, "latency_p95_s": 2},
        "failures": {"reasoning": 40, "format": 20},
    }  # fmt: skip
    slack = decided(case)
    hurried = decided({**case, "targets": {**case["targets"], "latency_p95_s": 2.5}})
    chances = []
    for dossier in (slack, hurried):
        (chance,) = (way.chance for way in dossier.ways if way.id == "reasoning_effort")
        assert isinstance(chance, float)
        chances.append(chance)
    assert chances[0] > 0.3
    assert chances[1] < 0.1
    assert "reasoning_effort" in {step.option for step in steps_of(slack)}
