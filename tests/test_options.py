"""What instead, or as well: every option with two cases that differ in one answer, and its laws."""

from __future__ import annotations

import re
from collections import Counter
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from internals import (
    Evidence,
    Range,
    Unknown,
    approaches,
    cases_judging,
    framework_load,
    framework_of,
    model_dossier,
    model_framework,
    report_text,
    run,
    shipped_index,
    short,
    answers_facts,
    verdict_options,
    answers_weigh,
)
from internals import workspace_reports as api
from internals import workspace_reports as frameworks
from tuneworthy import CaseError, decide, load_case, load_framework

PROJECT = Path(__file__).resolve().parents[1]
GALLERY = PROJECT / "examples"
AS_OF = date(2026, 11, 24)
LESSON = load_framework("lesson")
UNSET = object()

CHECKS = tuple(LESSON.ceiling)
REACHED: dict[str, Any] = dict.fromkeys(CHECKS, "yes")
SHORT: dict[str, Any] = {"success_with_prompts": "no"}
QUALITY: dict[str, Any] = {"quality": {"at_least": 0.9}}


class Pair(NamedTuple):
    """A case, the one answer that is changed, and what each makes of the option."""

    case: dict[str, Any]
    helps: str
    field: str
    instead: Any
    """UNSET takes the answer away."""
    then: str


def traffic(**numbers: Any) -> dict[str, Any]:
    return {"traffic": numbers}


PAIRS: dict[str, tuple[Pair, ...]] = {
    "keep_prompt": (
        Pair({"factors": {"success_with_prompts": "yes"}}, "yes",
             "factors.success_with_prompts", "no", "no"),
        Pair({"factors": {"success_with_prompts": "yes"}, "today": {"latency_p95_s": 3},
              "targets": {"latency_p95_s": 4}}, "yes", "today.latency_p95_s", 5, "no"),
    ),
    "prompt_optimisation": (
        Pair({"ceiling": {**REACHED, "prompt_variations": 3}, "data": {"evaluation": "e.jsonl"}},
             "yes", "ceiling.prompt_variations", 5, "no"),
        Pair({"ceiling": {"prompt_variations": 3}, "data": {"evaluation": "e.jsonl"}}, "yes",
             "data.evaluation", UNSET, "partly"),
    ),
    "few_shot": (
        Pair({"ceiling": {"few_shot": "no"}}, "yes", "ceiling.few_shot", "yes", "no"),
        Pair({"ceiling": {"few_shot": "no"}, "signals": {"instruction_limit": "no"}}, "yes",
             "signals.instruction_limit", "yes", "partly"),
    ),
    "retrieved_examples": (
        Pair({"goals": ["persona"], "data": {"examples": 2000}}, "yes",
             "data.examples", 40, "no"),
        Pair({"goals": ["persona"], "data": {"examples": 2000}}, "yes", "goals", ["safety"],
             "partly"),
    ),
    "constrained_output": (
        Pair({"signals": {"inconsistent_format": "yes"}}, "yes",
             "signals.inconsistent_format", "no", "no"),
        Pair({"goals": ["format"]}, "partly", "goals", ["knowledge"], "unknown"),
    ),
    "decomposition": (
        Pair({"signals": {"instruction_limit": "yes"}, "today": {"latency_p95_s": 1},
              "targets": {"latency_p95_s": 4}}, "yes", "targets.latency_p95_s", 1.5, "no"),
        Pair({"goals": ["persona"], "signals": {"instruction_limit": "yes"},
              "factors": {"latency_requirements": "no"}}, "yes", "signals.instruction_limit", "no",
             "no"),
    ),
    "chunk_optimization": (
        Pair({"today": {"retrieval_recall": 0.6}, "signals": {"knowledge_gaps": "yes"}}, "yes",
             "today.retrieval_recall", 0.9, "no"),
    ),
    "better_retrieval": (
        Pair({"goals": ["knowledge"], "ceiling": {"retrieval_optimised": "no"}}, "yes",
             "goals", ["format"], "partly"),
        Pair({"goals": ["format"], "ceiling": {"retrieval_optimised": "no"},
              "factors": {"domain_knowledge": "no"}}, "no",
             "factors.domain_knowledge", "yes", "partly"),
    ),
    "reasoning_effort": (
        Pair({"goals": ["generation"]}, "unknown", "goals", ["knowledge"], "no"),
        Pair({"goals": ["generation"]}, "unknown", "goals", ["persona"], "no"),
    ),
    "plain_classifier": (
        Pair({"goals": ["classification"], "data": {"examples": 8000}}, "yes",
             "data.examples", 400, "partly"),
        Pair({"goals": ["classification"], "data": {"examples": 400}}, "partly",
             "data.examples", 20, "no"),
        Pair({"goals": ["classification"], "data": {"examples": 8000}}, "yes",
             "goals", ["generation"], "no"),
    ),
    "decision_model": (
        Pair({"goals": ["classification"]}, "partly", "factors.data_sovereignty", "yes", "no"),
        Pair({"goals": ["classification"]}, "partly", "goals", ["persona"], "no"),
    ),
    "tools_and_checks": (
        Pair({"goals": ["tool_calling"], "economics": traffic(input_tokens=8000)}, "yes",
             "economics", traffic(input_tokens=500), "partly"),
        Pair({"goals": ["format"], "signals": {"inconsistent_format": "yes"}}, "yes",
             "signals.inconsistent_format", UNSET, "partly"),
        Pair({"factors": {"rapidly_changing_requirements": {"value": "yes", "changes": "content"}},
              "signals": {"inconsistent_format": "no", "terminology_errors": "no"}}, "yes",
             "factors.rapidly_changing_requirements", "no", "no"),
    ),
    "self_hosted_untuned": (
        Pair({"factors": {"data_sovereignty": "yes"}, "today": {"api": "third_party"}}, "yes",
             "today.api", "own", "no"),
        Pair({"factors": {"data_sovereignty": "no", "cost_optimization": "no"}}, "no",
             "factors.data_sovereignty", UNSET, "unknown"),
    ),
    "private_endpoint": (
        Pair({"factors": {"data_sovereignty": "yes"}, "today": {"api": "third_party"}}, "partly",
             "factors.data_sovereignty", "no", "no"),
    ),
    "human_review": (
        Pair({"economics": traffic(requests_per_month=200)}, "partly",
             "economics", traffic(requests_per_month=90000), "no"),
        Pair({"economics": traffic(requests_per_month=200)}, "partly",
             "factors.latency_requirements", "yes", "no"),
    ),
    "hybrid_search": (
        Pair({"today": {"retrieval_recall": 0.6}, "signals": {"terminology_errors": "yes"}}, "yes",
             "signals.terminology_errors", "no", "partly"),
        Pair({"goals": ["knowledge"], "ceiling": {"retrieval_optimised": "yes"},
              "signals": {"knowledge_gaps": "yes"}}, "no", "ceiling.retrieval_optimised", "no",
             "partly"),
    ),
    "reranking": (
        Pair({"today": {"retrieval_recall": 0.6}, "economics": traffic(input_tokens=6000)}, "yes",
             "economics.traffic.input_tokens", 800, "partly"),
        Pair({"today": {"retrieval_recall": 0.6}, "economics": traffic(input_tokens=6000)}, "yes",
             "signals.latency", "yes", "partly"),
    ),
    "query_expansion": (
        Pair({"today": {"retrieval_recall": 0.6}, "factors": {"exploration_phase": "yes"}}, "yes",
             "factors.exploration_phase", "no", "partly"),
        Pair({"today": {"retrieval_recall": 0.6}, "factors": {"latency_requirements": "no"}},
             "partly", "factors.latency_requirements", "yes", "no"),
    ),
    "other_model": (
        Pair({"ceiling": {"foundation_models": 1}}, "yes", "ceiling.foundation_models", 2, "no"),
        Pair({"ceiling": {"foundation_models": 2}}, "no", "tuning.model_switch", "yes", "partly"),
        Pair({"targets": QUALITY, "ceiling": {"foundation_models": 1},
              "models": [{"id": "gpt-4o"}, {"id": "gpt-4o-mini", "quality": 0.6, "cases": 900}]},
             "yes", "models",
             [{"id": "gpt-4o"}, {"id": "claude-sonnet-4", "quality": 0.6, "cases": 900}], "no"),
        Pair({"targets": QUALITY, "ceiling": {"foundation_models": 2},
              "models": [{"id": "a"}, {"id": "b", "quality": 0.97, "cases": 900}]}, "yes",
             "models", [{"id": "a"}, {"id": "b", "quality": 0.8, "cases": 900}], "no"),
    ),
    "smaller_model": (
        Pair({"factors": {"cost_optimization": "yes"}, "targets": QUALITY,
              "today": {"quality": 0.97, "cases": 900}}, "partly", "today.quality", 0.7, "no"),
        Pair({"factors": {"cost_optimization": "yes", "latency_requirements": "no",
                          "success_with_prompts": "yes"}}, "yes",
             "factors.cost_optimization", "no", "no"),
    ),
    "distillation": (
        Pair({"factors": {"cost_optimization": "yes"}, "targets": QUALITY,
              "today": {"quality": 0.97, "cases": 900}}, "yes", "today.quality", 0.7, "no"),
        Pair({"factors": {"cost_optimization": "yes", "success_with_prompts": "yes",
                          "low_volume": "no"}}, "yes", "factors.low_volume", "yes", "no"),
    ),
    "caching": (
        Pair({"factors": {"cost_optimization": "yes", "success_with_prompts": "yes"},
              "economics": traffic(input_tokens=6000)}, "yes",
             "economics.traffic.input_tokens", 900, "no"),
        Pair({"factors": {"cost_optimization": "yes", "success_with_prompts": "yes"},
              "economics": traffic(input_tokens=6000)}, "yes",
             "economics.traffic.cached_share", 0.6, "partly"),
    ),
    "batching": (
        Pair({"factors": {"cost_optimization": "yes", "latency_requirements": "no",
                          "success_with_prompts": "yes"}}, "yes",
             "factors.latency_requirements", "yes", "no"),
        Pair({"factors": {"cost_optimization": "yes", "latency_requirements": "no",
                          "success_with_prompts": "yes"}}, "yes",
             "factors.success_with_prompts", "no", "partly"),
    ),
    "hybrid": (
        Pair({"goals": ["persona", "knowledge"], "ceiling": REACHED, "data": {"examples": 2000}},
             "yes", "goals", ["knowledge"], "unknown"),
        Pair({"goals": ["persona"], "ceiling": REACHED, "data": {"examples": 2000},
              "factors": {"rapidly_changing_requirements": {"value": "yes", "changes": "content"}}},
             "yes", "factors.rapidly_changing_requirements", "no", "no"),
        Pair({"goals": ["persona", "knowledge"], "ceiling": REACHED, "data": {"examples": 2000}},
             "yes", "ceiling.few_shot", "no", "partly"),
    ),
    "supervised_fine_tuning": (
        Pair({"goals": ["knowledge"], "ceiling": REACHED, "signals": {"knowledge_gaps": "yes"},
              "data": {"examples": 2000}}, "yes", "data.examples", 400, "partly"),
        Pair({"goals": ["knowledge"], "ceiling": REACHED, "signals": {"knowledge_gaps": "yes"},
              "data": {"examples": 2000}, "today": {"retrieval_recall": 0.9}}, "yes",
             "today.retrieval_recall", 0.5, "no"),
        Pair({"goals": ["classification"], "ceiling": REACHED, "factors": SHORT,
              "data": {"examples": 2000}}, "yes", "factors.success_with_prompts", "yes", "no"),
    ),
    "persona_tuning": (
        Pair({"goals": ["persona"], "ceiling": REACHED, "signals": {"voice_drift": "yes"},
              "data": {"examples": 800}}, "yes", "signals.voice_drift", "no", "partly"),
        Pair({"goals": ["persona"], "ceiling": REACHED, "signals": {"voice_drift": "yes"},
              "data": {"examples": 800}}, "yes", "factors.exploration_phase", "yes", "no"),
    ),
    "instruction_tuning": (
        Pair({"goals": ["format"], "ceiling": REACHED, "signals": {"inconsistent_format": "yes"},
              "data": {"examples": 800}}, "yes", "ceiling.foundation_models", 1, "partly"),
    ),
    "function_calling_tuning": (
        Pair({"goals": ["tool_calling"], "ceiling": REACHED, "factors": SHORT,
              "data": {"examples": 2000}}, "yes", "data.examples", UNSET, "partly"),
    ),
    "preference_tuning": (
        Pair({"goals": ["safety"], "ceiling": REACHED, "factors": SHORT,
              "data": {"preference_pairs": 12000}}, "yes", "data.preference_pairs", 900, "no"),
    ),
    "continued_pretraining": (
        Pair({"goals": ["domain_expertise"], "ceiling": REACHED,
              "signals": {"terminology_errors": "yes"}, "data": {"documents": 200000}}, "yes",
             "factors.rapidly_changing_requirements", {"value": "yes", "changes": "content"}, "no"),
    ),
}  # fmt: skip
EVERY = [(name, pair) for name, pairs in PAIRS.items() for pair in pairs]


def made(case: dict[str, Any], field: str = "", value: Any = UNSET) -> dict[str, Any]:
    """The case under a name, with one field replaced or taken away."""
    data: dict[str, Any] = {"name": "a case", **deepcopy(case)}
    if field:
        here = data
        *path, last = field.split(".")
        for key in path:
            here = here.setdefault(key, {})
        here.pop(last, None)
        if value is not UNSET:
            here[last] = value
    return data


def facts_of(data: dict[str, Any]) -> answers_facts.CaseFacts:
    case = load_case(data)
    return answers_facts.CaseFacts(
        case, LESSON, answers_weigh.weigh(case, LESSON), approaches(case, LESSON, {})
    )


def judged(data: dict[str, Any]) -> dict[str, model_dossier.OptionResult]:
    """Every option of a case by its id."""
    compared = verdict_options.Compared(facts_of(data), framework_load.published_counts())
    return {one.id: one for one in compared.results()}


def test_every_option_there_is_has_its_pair() -> None:
    assert set(PAIRS) == set(LESSON.options) | set(LESSON.approaches)
    assert set(verdict_options.OPTIONS) == set(LESSON.options)


@pytest.mark.parametrize(("name", "pair"), EVERY, ids=[name for name, _ in EVERY])
def test_one_answer_changes_whether_an_option_helps(name: str, pair: Pair) -> None:
    assert pair.helps != pair.then
    before, after = judged(made(pair.case)), judged(made(pair.case, pair.field, pair.instead))
    assert before[name].helps == pair.helps
    # Another goal may take a kind of tuning off the table altogether.
    assert after[name].helps == pair.then


def test_where_nothing_is_said_nothing_is_known_to_help_or_not() -> None:
    found = judged({"name": "nothing"})
    assert {one.helps for one in found.values()} == {"unknown"}
    assert set(LESSON.approaches) <= set(found)


DECIDING = [
    ("keep_prompt", 0), ("prompt_optimisation", 0), ("few_shot", 0), ("retrieved_examples", 0),
    ("constrained_output", 0), ("decomposition", 0), ("better_retrieval", 0),
    ("plain_classifier", 0),    ("other_model", 0),
    ("smaller_model", 0), ("distillation", 0), ("caching", 0), ("batching", 0),
    ("supervised_fine_tuning", 0), ("persona_tuning", 0), ("instruction_tuning", 0),
    ("function_calling_tuning", 0), ("preference_tuning", 0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "place"), DECIDING)
def test_without_the_answer_that_decides_there_is_no_confident_word(name: str, place: int) -> None:
    pair = PAIRS[name][place]
    assert judged(made(pair.case, pair.field))[name].helps in {"unknown", "partly"}


# The lesson's "when it doesn't work" ------------------------------------------------------------


def because(data: dict[str, Any], name: str) -> tuple[str, str]:
    found = judged(data)[name]
    return found.helps, found.because


def test_better_retrieval_mends_no_misreading() -> None:
    counted = made({"today": {"retrieval_recall": 0.9}, "signals": {"knowledge_gaps": "yes"}})
    said = made({"ceiling": {"retrieval_optimised": "yes"}, "signals": {"knowledge_gaps": "yes"}})
    for name, rule in LESSON.options.items():
        if rule.variant_of == "better_retrieval":
            assert because(counted, name) == (
                "no",
                (
                    "The passage is found for 90% of questions, and the model misreads what it is "
                    "given."
                ),
            )
            assert because(said, name) == (
                "no",
                "The right passage is retrieved and misread, which no better search fixes.",
            )
            assert judged(counted)[name].grade == "measured"
            assert judged(said)[name].grade != "measured"


def test_another_model_does_not_help_where_the_problem_persists_across_models() -> None:
    assert because(made({"ceiling": {"foundation_models": 3}}), "other_model") == (
        "no", "Three models were tested, as stated, and none is said to be enough.",
    )  # fmt: skip


def test_a_case_that_names_no_goal_is_not_said_to_have_one() -> None:
    followed = {"signals": {"instruction_limit": "no"}}
    assert because(made(followed), "decomposition") == (
        "unknown",
        "Name the goals: whether the prompt has more than one thing to do isn't stated.",
    )
    one = {**followed, "goals": ["persona"]}
    assert because(made(one), "decomposition") == (
        "no",
        "The prompt has one thing to do and is followed to its end, as stated.",
    )
    found = Evidence(id="ignored_instruction_share", value=0.01, low=0.005, high=0.02,
                     unit="share of outputs", n=900, clusters=300,
                     details={"instructions": 6})  # fmt: skip
    counted = decide(load_case(made(followed)), LESSON, as_of=AS_OF, evidence={found.id: found})
    assert not isinstance(counted.options, Unknown)
    (split,) = [each for each in counted.options if each.id == "decomposition"]
    assert (split.helps, split.because) == ("no", "The prompt is followed to its end.")


def test_decomposition_does_not_help_without_time_or_where_steps_fail() -> None:
    overloaded = {"signals": {"instruction_limit": "yes"}}
    slow = {**overloaded, "today": {"latency_p95_s": 3}, "targets": {"latency_p95_s": 4}}
    assert because(made(slow), "decomposition") == (
        "no",
        "One call takes 3 s of the 4 s there are.",
    )
    split = {**overloaded, "factors": {"latency_requirements": "no"},
             "attempts": [{"name": "chain", "tried": ["decomposition"]}]}  # fmt: skip
    assert because(made(split), "decomposition") == (
        "no",
        "An attempt split the task, and its steps still fail.",
    )


def test_the_hybrid_needs_behaviour_to_train_and_knowledge_to_fetch() -> None:
    base = {"ceiling": REACHED, "data": {"examples": 2000}}
    calm = {"rapidly_changing_requirements": "no", "consistent_behavior": "no", "brand_voice": "no"}
    only_facts = made({**base, "goals": ["knowledge"], "factors": calm})
    only_voice = made({**base, "goals": ["persona"], "factors": calm})
    assert because(only_facts, "hybrid") == (
        "no",
        "No behavior has to be trained; retrieval alone would do.",
    )
    assert because(only_voice, "hybrid") == (
        "no",
        "No knowledge has to be fetched; tuning alone would do.",
    )


@pytest.mark.parametrize("name", ["constrained_output", "retrieved_examples", "caching"])
def test_what_was_tried_is_not_advised_again(name: str) -> None:
    case: dict[str, Any] = {
        "goals": ["format"], "signals": {"inconsistent_format": "yes"}, "data": {"examples": 2000},
        "factors": {"cost_optimization": "yes"}, "economics": traffic(input_tokens=6000),
    }  # fmt: skip
    assert judged(made(case))[name].helps in {"yes", "partly"}
    tried = {**case, "attempts": [{"name": "before", "tried": [name]}]}
    assert because(made(tried), name) == (
        "no",
        "An attempt made use of it, and the target is still missed.",
    )


# Laws over many cases ---------------------------------------------------------------------------

STATE = st.sampled_from(["yes", "no", "unknown"])
CHANGES = st.sampled_from([None, "content", "policy", "both"])
TRIED = st.lists(st.sampled_from(list(LESSON.options)), max_size=2)
TOKENS = st.sampled_from([500, 6000, {"low": 1, "likely": 2, "high": 9000}])
HOURS = {"low": 9, "likely": 9, "high": 99}
CASES = st.fixed_dictionaries(
    {
        "name": st.just("drawn"),
        "goals": st.lists(st.sampled_from(model_framework.GOALS), unique=True, max_size=3),
        "ceiling": st.fixed_dictionaries({}, optional=dict.fromkeys(CHECKS, STATE)),
        "signals": st.fixed_dictionaries({}, optional=dict.fromkeys(LESSON.signals, STATE)),
        "factors": st.fixed_dictionaries(
            {},
            optional={
                **dict.fromkeys(LESSON.factors, STATE),
                "rapidly_changing_requirements": st.fixed_dictionaries(
                    {"value": STATE, "changes": CHANGES}
                ),
            },
        ),
        "targets": st.fixed_dictionaries(
            {},
            optional={
                "quality": st.just({"at_least": 0.9}),
                "latency_p95_s": st.sampled_from([1, 4]),
                "usd_per_month": st.just(500),
            },
        ),
        "today": st.fixed_dictionaries(
            {},
            optional={
                "quality": st.sampled_from([0.6, 0.9, 0.99]),
                "cases": st.sampled_from([0, 400]),
                "latency_p95_s": st.sampled_from([0.4, 3]),
                "usd_per_month": st.sampled_from([200, 900]),
                "retrieval_recall": st.sampled_from([0.5, 0.9]),
                "api": st.sampled_from(["own", "third_party", "unknown"]),
            },
        ),
        "economics": st.fixed_dictionaries(
            {},
            optional={
                "upfront": st.sampled_from(
                    [{"hours": 60}, {"data_preparation": {"hours": HOURS}}]
                ),
                "monthly": st.just({"ongoing_usd": 700}),
                "traffic": st.fixed_dictionaries(
                    {},
                    optional={
                        "input_tokens": TOKENS,
                        "cached_share": st.sampled_from([0, 0.4, 1]),
                        "requests_per_month": st.sampled_from([300, 90000]),
                    },
                ),
            },
        ),
        "data": st.fixed_dictionaries(
            {},
            optional={
                "examples": st.sampled_from([0, 40, 600, 20000]),
                "preference_pairs": st.sampled_from([10, 20000]),
                "documents": st.sampled_from([10, 200000]),
                "evaluation": st.just("e.jsonl"),
                "output_schema": st.just("s.json"),
            },
        ),
        "tuning": st.fixed_dictionaries({}, optional={"model_switch": STATE}),
        "attempts": st.lists(
            st.fixed_dictionaries(
                {"name": st.just("a"), "tried": TRIED}
            ),
            max_size=1,
        ),
        "models": st.sampled_from(
            [
                [],
                [{"id": "a"}, {"id": "b", "quality": 0.99, "cases": 900, "latency_p95_s": 2}],
                [{"id": "a"}, {"id": "b", "quality": 0.5, "cases": 900}],
                [{"id": "t", "kind": "tuned", "quality": 0.95, "latency_p95_s": 1}],
            ]
        ),
    }
)  # fmt: skip


@given(CASES)
def test_ranks_are_a_permutation_in_the_order_of_promise_evidence_and_aims(case: Any) -> None:
    facts, found = facts_of(case), list(judged(case).values())
    assert [one.rank for one in found] == list(range(1, len(found) + 1))
    keys = []
    for one in found:
        moved = [t for t in facts.aims if one.moves[t].effect in ("meets", "improves")]
        helps = one.helps in ("yes", "partly")
        keys.append(
            (verdict_options.HELPS.index(one.helps), one.grade != "measured",
             facts.aims[:1] != tuple(moved[:1]), -len(moved))
            if helps
            else (verdict_options.HELPS.index(one.helps), verdict_options.GRADES.index(one.grade))
        )  # fmt: skip
    assert keys == sorted(keys)


@given(CASES)
def test_an_option_helps_only_if_it_moves_what_is_missed_and_worsens_nothing_missed(
    case: Any,
) -> None:
    facts = facts_of(case)
    for one in judged(case).values():
        if one.helps not in ("yes", "partly") or one.id == "keep_prompt" or not facts.aims:
            continue
        assert any(one.moves[target].effect in ("meets", "improves") for target in facts.aims)
        assert all(one.moves[target].effect != "worsens" for target in facts.missed)


def ends(number: Any) -> tuple[float, ...]:
    """The least and the most of a number; nothing for an unknown one."""
    if isinstance(number, Unknown):
        return ()
    return (number.low, number.most) if isinstance(number, Range) else (number, number)


@given(CASES)
def test_what_beats_an_option_is_no_worse_in_anything_known_and_better_in_something(
    case: Any,
) -> None:
    found = judged(case)
    for one in found.values():
        if one.dominated_by == "none":
            continue
        other = found[one.dominated_by]
        promise = (
            verdict_options.HELPS.index(one.helps) - verdict_options.HELPS.index(other.helps),
        )
        assert {one.helps, other.helps} <= {"yes", "partly"}
        gains: list[float] = [
            *promise,
            verdict_options.RISKS.index(one.risk) - verdict_options.RISKS.index(other.risk),
        ]
        for mine, its in (
            (one.effort_hours, other.effort_hours),
            (one.weeks, other.weeks),
            (one.usd_per_month, other.usd_per_month),
            (one.latency_p95_s, other.latency_p95_s),
            (other.quality, one.quality),
        ):
            gains += [m - i for m, i in zip(ends(mine), ends(its), strict=False)]
        assert min(gains) >= 0
        assert max(gains) > 0


@given(CASES)
def test_every_judgement_and_every_recommendation_has_its_words(case: Any) -> None:
    told = decide(load_case(case), LESSON, as_of=AS_OF)
    assert not isinstance(told.options, Unknown)
    assert not isinstance(told.recommendation, Unknown)
    for one in told.options:
        assert re.fullmatch(r"[A-Z0-9].*[.?!]", one.because), one
        assert "None" not in one.because
        assert "_" not in re.sub(r"\([a-z_.]+( and [a-z_.]+)?\)", "", one.because), one
    ids = [one.id for one in told.options]
    ids += [one.variant_of for one in told.options if one.variant_of != "none"]
    assert len(set(told.recommendation.options)) == len(told.recommendation.options)
    assert set(told.recommendation.options) <= set(ids)
    if told.recommendation.choice in {"both", "fine_tune"}:
        assert told.verdict.answer in {"pilot", "yes"}


@given(CASES, st.text(max_size=40))
def test_no_judgement_reads_what_an_attempt_came_to_or_a_note(case: Any, words: str) -> None:
    noted = deepcopy(case)
    noted["description"] = words
    for attempt in noted["attempts"]:
        attempt["result"] = attempt["change"] = words
    for name, state in case["factors"].items():
        given_state = dict(state) if isinstance(state, dict) else {"value": state}
        noted["factors"][name] = {**given_state, "note": words}
    assert judged(noted) == judged(case)


# The columns ------------------------------------------------------------------------------------


def test_a_tuning_takes_the_hours_that_were_stated_and_else_those_of_the_table() -> None:
    goals = {"goals": ["persona", "knowledge"]}
    table = judged(made(goals))["persona_tuning"]
    assert table.effort_hours == Range(low=40, high=80)  # the lesson's total
    stated = judged(made({**goals, "economics": {"upfront": {"hours": 60}}}))
    assert stated["persona_tuning"].effort_hours == 60
    assert stated["hybrid"].effort_hours == Range(low=80, high=100)  # and 20 to 40 beside them
    part = {"upfront": {"data_preparation": {"hours": 100}}}
    filled = judged(made({**goals, "economics": part}))["persona_tuning"]
    assert filled.effort_hours == Range(low=120, high=140)  # 10 to 20 for each of the other two


def test_what_is_stated_is_a_figure_and_what_is_usual_a_rule_of_thumb_on_todays() -> None:
    today = {"quality": 0.8, "latency_p95_s": 2, "usd_per_month": 90}
    models = [{"id": "a"}, {"id": "b", "quality": 0.85, "latency_p95_s": 1},
              {"id": "t", "kind": "tuned", "quality": 0.95}]  # fmt: skip
    economics = {"monthly": {"ongoing_usd": 700}}
    found = judged(
        made({"goals": ["persona"], "today": today, "models": models, "economics": economics})
    )
    kept, other, tuned = (found[n] for n in ("keep_prompt", "other_model", "persona_tuning"))
    assert (kept.quality, kept.usd_per_month, kept.latency_p95_s) == (0.8, 90, 2)
    assert (other.quality, other.latency_p95_s) == (0.85, 1)
    assert (tuned.quality, tuned.usd_per_month) == (0.95, 700)
    assert {kept.moves["cost"].grade, tuned.moves["cost"].grade} == {"computed"}
    # everything else is a rule of thumb on today's figure, and says so
    few_shot = found["few_shot"]
    assert few_shot.quality == Range(low=0.8, high=1.0)
    assert few_shot.usd_per_month == Range(low=90 * 1.1, high=180)
    assert few_shot.moves["quality"].grade == "rule_of_thumb"
    unstated = judged(made({"goals": ["persona"]}))
    figures = [n for o in unstated.values() for n in (o.quality, o.usd_per_month, o.latency_p95_s)]
    assert all(isinstance(number, Unknown) for number in figures)


def test_published_cases_carry_a_promise_only_where_the_arm_won_more_than_its_even_share() -> None:
    case = {
        "goals": ["extraction"],
        "ceiling": REACHED,
        "factors": SHORT,
        "data": {"examples": 2000},
    }
    found = judged(made(case))["supervised_fine_tuning"]
    assert (found.helps, found.grade) == ("yes", "published_cases")
    assert "11 of 19 published cases of extraction" in found.published
    knowledge = {**case, "goals": ["knowledge"], "signals": {"knowledge_gaps": "yes"}}
    rare = judged(made(knowledge))["supervised_fine_tuning"]
    assert rare.grade == "rule_of_thumb"
    assert "2 of 20 published cases of knowledge" in rare.published
    few = judged(made({**case, "goals": ["safety"], "data": {"preference_pairs": 12000}}))
    assert few["preference_tuning"].published == ""  # six cases are too few to say


def test_the_counts_of_published_cases_are_those_of_the_cases() -> None:
    counted: dict[str, Counter[str]] = {}
    for case in shipped_index().cases:
        goal, winner = case.shown["goal"], case.shown["winner"]
        if winner != "tie" and goal != "unknown":
            counted.setdefault(goal, Counter())[winner] += 1
    assert framework_load.published_counts() == counted


# The recommendation, worked out by hand -----------------------------------------------------------

ADVISED = {
    "ecommerce-returns": ("simpler_path", ["keep_prompt"]),
    # 8,000 labelled calls of closed intents: no language model has to answer; then what isn't tried
    "bank-call-routing": ("simpler_path", ["plain_classifier", "other_model"]),
    # the API changes: what it is today can be looked up; a new base model comes in January
    "code-assistant": ("simpler_path", ["tools_and_checks", "other_model", "caching"]),
    "energy-supplier": ("simpler_path", []),
    "first-idea": ("undecided", []),
    # 320 lines are fewer than is usual: a pilot on them would tell
    "game-dialogue": ("fine_tune", ["persona_tuning"]),
    # an answer may not leave, takes 3 s at most, and nothing simpler is left that moves quality
    "hospital-letters": ("fine_tune", ["supervised_fine_tuning"]),
    # what tuning would learn from can be retrieved first
    "law-firm": ("both", ["retrieved_examples", "supervised_fine_tuning"]),
    # 62% of passages found, and facts that change about every month
    "municipal-services": ("simpler_path", ["better_retrieval", "retrieved_examples"]),
    # 6,000 tokens of prompt for many tools
    "task-api": ("both", ["tools_and_checks", "retrieved_examples", "supervised_fine_tuning"]),
    # half the passages aren't found, and data may not leave
    "travel-concierge": ("simpler_path", ["better_retrieval", "self_hosted_untuned"]),
    "university-helpdesk": (
        "simpler_path", ["prompt_optimisation", "human_review", "tools_and_checks"],
    ),
    # parts of the long prompt are ignored and nobody is in a hurry, so it can be split
    "youth-helpline": ("both", ["decomposition", "preference_tuning"]),
}  # fmt: skip


@pytest.mark.parametrize("slug", ADVISED)
def test_the_recommendation_is_the_one_worked_out_by_hand(slug: str) -> None:
    case = load_case(GALLERY / slug)
    told = decide(case, framework_of(case), as_of=AS_OF)
    assert not isinstance(told.recommendation, Unknown)
    choice, begin = ADVISED[slug]
    assert (told.recommendation.choice, list(told.recommendation.options)) == (choice, begin)


# Frameworks of one's own ------------------------------------------------------------------------


def test_an_option_of_ones_own_is_shown_and_not_judged() -> None:
    own = load_framework({
        "extends": "lesson", "name": "ours",
        "options": {"ask_an_expert": {"title": "ask an expert", "kind": "serving",
                                      "helps_when": "one is there", "not_when": "none is"}},
    })  # fmt: skip
    told = decide(load_case({"name": "x", "goals": ["persona"]}), own, as_of=AS_OF)
    assert not isinstance(told.options, Unknown)
    found = {one.id: one for one in told.options}
    assert set(found) == {"ask_an_expert", "persona_tuning"}
    assert found["ask_an_expert"].helps == "unknown"
    assert "one is there" in found["ask_an_expert"].because
    assert isinstance(found["ask_an_expert"].effort_hours, Unknown)


def test_a_framework_without_options_says_so() -> None:
    bare = load_framework({"extends": "lesson", "name": "ours", "options": {}})
    assert isinstance(decide(load_case({"name": "x"}), bare, as_of=AS_OF).options, Unknown)


# Goals and services -----------------------------------------------------------------------------


def test_goals_are_understood_as_the_lesson_words_them() -> None:
    for goal, rule in LESSON.goals.items():
        for said in (goal, rule.title, rule.need, rule.need.upper(), f"{rule.need}."):
            assert load_case({"name": "x", "goals": [said]}).goals == (goal,), said
        assert {rule.title.casefold(), rule.need.casefold()} <= set(model_framework.SPOKEN[goal])  # type: ignore[index]  # every goal of the lesson is one
    about = "Avoid harmful responses about medication"
    assert load_case({"name": "x", "goals": about}).goals == ("safety",)


def test_a_goal_nobody_knows_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(CaseError, match=r'Did you mean "persona"'):
        load_case({"name": "x", "goals": ["speak in our brand vioce"]})
    with pytest.raises(CaseError, match=r"[Uu]se one of"):
        load_case({"name": "x", "goals": ["world peace"]})
    with pytest.raises(CaseError, match="twice"):
        load_case({"name": "x", "goals": ["persona", "Speak in our brand voice"]})


def test_the_schema_takes_needs_in_any_case_and_refuses_the_rest() -> None:
    schema = frameworks.schema("case")
    validator = jsonschema.Draft202012Validator(schema)
    for goals in ("persona", ["SPEAK in our brand voice", "format"], "Always output valid JSON"):
        assert validator.is_valid({"name": "x", "goals": goals}), goals
    assert not validator.is_valid({"name": "x", "goals": ["world peace"]})


def test_services_name_known_approaches_their_pages_and_a_day() -> None:
    for one in framework_load.services().services:
        assert set(one.approaches) <= set(LESSON.approaches), one.service
        assert one.sources
        assert one.dated <= date(2026, 11, 27)  # the day of the last look
        assert len(set(one.approaches)) == len(one.approaches)
    names = [one.service for one in framework_load.services().services]
    assert len(set(names)) == len(names)
    assert {one.kind for one in framework_load.services().services} == {"hosted", "self_hosted"}


def test_a_service_that_closes_is_offered_no_longer_and_data_that_stay_go_to_none() -> None:
    listed = framework_load.services()
    asked = ("supervised_fine_tuning", "function_calling_tuning", "preference_tuning")
    offered = listed.offered(asked, AS_OF, inside=False)
    assert "OpenAI" not in offered["supervised_fine_tuning"]
    assert "Together AI" in offered["function_calling_tuning"]
    hosted = {one.service for one in listed.services if one.kind == "hosted"}
    inside = listed.offered(asked, AS_OF, inside=True)["preference_tuning"]
    assert inside
    assert hosted & set(inside) == set()


def test_who_offers_it_is_shown_and_settles_no_gate() -> None:
    case: dict[str, Any] = {
        "name": "x", "goals": ["tool_calling"], "ceiling": REACHED, "data": {"examples": 2000},
        "factors": {"data_sovereignty": "no"},
    }  # fmt: skip
    told = decide(load_case(case), LESSON, as_of=AS_OF)
    gate = next(gate for gate in told.verdict.gates if gate.id == "feasibility")
    assert gate.state == "unknown"
    assert "Together AI" in gate.why
    case["factors"]["data_sovereignty"] = "yes"
    inside = decide(load_case(case), LESSON, as_of=AS_OF)
    gate = next(gate for gate in inside.verdict.gates if gate.id == "feasibility")
    assert gate.state == "unknown"
    assert "Together AI" not in gate.why


def test_an_approach_says_what_is_missing() -> None:
    case = {"name": "x", "goals": ["persona", "safety"], "data": {"examples": 320}}
    told = decide(load_case(case), LESSON, as_of=AS_OF)
    assert not isinstance(told.approaches, Unknown)
    short, uncounted = told.approaches
    assert short.missing == 180  # persona takes 500
    assert isinstance(uncounted.missing, Unknown)
    assert "preference pairs" in uncounted.missing.ask


@pytest.mark.parametrize(
    ("examples", "feasible", "gate"),
    [(0, "no", "no"), (1, "unknown", "unknown"), (499, "unknown", "unknown"), (500, "yes", "yes")],
)
def test_fewer_examples_than_usual_leave_it_open_and_none_at_all_do_not(
    examples: int, feasible: str, gate: str
) -> None:
    case = {
        "name": "x", "goals": ["persona"], "data": {"examples": examples},
        "tuning": {"service": "self_hosted"},
    }  # fmt: skip
    told = decide(load_case(case), LESSON, as_of=AS_OF)
    assert not isinstance(told.approaches, Unknown)
    assert told.approaches[0].feasible == feasible
    (found,) = [each for each in told.verdict.gates if each.id == "feasibility"]
    assert found.state == gate
    assert ("a pilot on them would tell" in found.why) is (gate == "unknown")


# The command ------------------------------------------------------------------------------------


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    code = run(["show", arguments[0], "options", *arguments[1:], "--as-of", "2026-11-24"])
    told = capsys.readouterr()
    assert (code, told.err) == (0, "")
    return told.out


@pytest.mark.parametrize("slug", sorted(p.parent.name for p in GALLERY.glob("*/case.yaml")))
def test_the_terminal_gets_five_and_a_recommendation_within_80_columns(
    slug: str, capsys: pytest.CaptureFixture[str]
) -> None:
    five = said(capsys, str(GALLERY / slug))
    every = said(capsys, str(GALLERY / slug), "--all")
    for text in (five, every):
        assert max(len(line) for line in text.splitlines()) <= 80
        assert "\nWhat could be done instead, or first\n" in text
    row = re.compile(r"^ {2,4}\S.*  (?:yes|partly|no|unknown) ", re.MULTILINE)
    assert len(row.findall(five)) <= 5
    assert len(row.findall(every)) > 15
    assert "--all" in five
    assert "--all" not in every


def test_markdown_holds_every_option_the_models_and_who_still_tunes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = decide(load_case(GALLERY / "task-api"), LESSON, as_of=AS_OF)
    assert not isinstance(told.options, Unknown)
    text = said(capsys, str(GALLERY / "task-api"), "--format", "markdown")
    for one in told.options:
        assert f"| {one.title} |" in text
    assert LESSON.models is not None
    for name in LESSON.models.strengths:
        assert name in text
    for service in framework_load.services().services:
        assert all(f"<{page}>" in text for page in service.sources)


def test_json_is_the_part_of_the_dossier_and_a_what_if_changes_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    dossier = cases_judging.judge_case(GALLERY / "task-api", as_of=AS_OF)
    whole = dossier.to_dict()
    text = said(capsys, str(GALLERY / "task-api"), "--format", "json")
    assert text == api.case_report("options", GALLERY / "task-api", "json", as_of=AS_OF)
    assert all(f'"{one["id"]}"' in text for one in whole["options"])
    other = said(capsys, str(GALLERY / "task-api"), "--format", "json", "--set", "few_shot=no")
    assert other != text


def test_decide_shows_the_five_and_where_the_rest_is() -> None:

    told = decide(load_case(GALLERY / "task-api"), LESSON, as_of=AS_OF)
    shown = report_text.render(short(told, "examples/task-api"))
    assert "What could be done instead, or first" in shown
    assert "tuneworthy show examples/task-api options --all" in shown


def test_a_candidate_that_no_kind_of_tuning_fits_says_so(project: Path) -> None:
    """The fitted framework weighs exploration at nothing; the options don't."""
    folder = project / "examples" / "clinic-intake"
    answers = {"house_convention": "yes", "narrow_task": "yes"}
    for exploring, told in (("yes", True), ("no", False)):
        dossier = cases_judging.judge_case(
            folder,
            "evidence/published/precedent.yaml",
            answers={**answers, "exploration_phase": exploring},
        )  # fmt: skip
        assert dossier.verdict.outcome == "fine_tune_candidate"
        assert (dossier.verdict.answer == "not_yet") is told
        assert ("the task is still moving" in dossier.verdict.headline) is told


def test_a_verdict_that_names_what_is_done_already_says_so(project: Path) -> None:
    """By the lesson's tree both checks are yes before it can send anybody there."""
    case = project / "examples" / "museum-guide"
    dossier = cases_judging.judge_case(case)
    assert dossier.verdict.outcome == "improve_rag_or_switch_model"
    assert "named_is_done" in {one.id for one in dossier.verdict.caveats}
    other = cases_judging.judge_case(case, answers={"few_shot": "no"})
    assert other.verdict.outcome == "keep_optimizing_prompts"
    assert "named_is_done" not in {one.id for one in other.verdict.caveats}
