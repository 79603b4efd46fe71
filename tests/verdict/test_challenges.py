"""Every challenge: a case that fires it, the same case with one field changed that doesn't, and
what it says."""

from __future__ import annotations

import re
import typing
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel

from tuneworthy import Case, decide, load_case, load_framework
from tuneworthy.model import case as model_case
from tuneworthy.model import dossier as model_dossier
from tuneworthy.model.evidence import Evidence
from tuneworthy.pipeline import framework_of
from tuneworthy.verdict.challenges import ALL

PROJECT = Path(__file__).resolve().parents[2]
AS_OF = date(2026, 11, 24)
IDS = [rule.id for rule in ALL]
CHECKS = (
    "prompt_variations",
    "foundation_models",
    "retrieval_optimised",
    "few_shot",
    "structured_prompt",
)
REACHED: dict[str, Any] = dict.fromkeys(CHECKS, "yes")
PRICED = [{"id": "m", "usd_per_mtok": {"input": 2.5, "output": 10}}]
UNSET = object()
VOLUME: dict[str, Any] = {
    "id": "requests_per_month", "value": 400, "low": 380, "high": 420, "n": 1200, "clusters": 300,
    "unit": "requests a month", "observed_on": "2026-11-20",
}  # fmt: skip
"""Under the lesson's line for low volume, which is at 1,000."""


class Pair(NamedTuple):
    """A case that fires, and the one field whose other value silences it."""

    fires: dict[str, Any]
    field: str
    instead: Any
    """UNSET takes the field away."""
    between: tuple[str, ...]
    """What the challenge has to point at."""


def tokens(number: Any) -> dict[str, Any]:
    return {"traffic": {"input_tokens": number}}


def monthly(**amounts: Any) -> dict[str, Any]:
    return {"monthly": amounts}


def personal(low: float, value: float, high: float) -> dict[str, Any]:
    return {
        "id": "personal_data_share", "value": value, "low": low, "high": high, "n": 900,
        "clusters": 300, "unit": "share of requests", "observed_on": "2026-11-20",
    }  # fmt: skip


BROKEN: dict[str, Any] = {
    "id": "ignored_instruction_share", "value": 0.2, "low": 0.15, "high": 0.26, "n": 900,
    "clusters": 300, "unit": "share of checks", "observed_on": "2026-11-20",
    "details": {"instructions": 2},
}  # fmt: skip


PAIRS: dict[str, Pair] = {
    # reasons ------------------------------------------------------------------------------------
    "cost_reason_with_low_volume": Pair(
        {"factors": {"cost_optimization": "yes", "low_volume": "yes"}},
        "factors.low_volume", "no",
        ("factors.cost_optimization", "factors.low_volume"),
    ),
    # Six months of $100 are $600; the table's 40 h and $5 are $405 at $10 an hour, $805 at $20.
    "cost_reason_with_small_bill": Pair(
        {
            "factors": {"cost_optimization": "yes"},
            "economics": {"hourly_rate_usd": 20},
            "today": {"usd_per_month": 100},
        },
        "economics.hourly_rate_usd", 10,
        ("factors.cost_optimization", "today.usd_per_month"),
    ),
    "exploring_with_fixed_format": Pair(
        {"factors": {"exploration_phase": "yes", "consistent_behavior": "yes"}},
        "factors.consistent_behavior", "unknown",
        ("factors.exploration_phase", "factors.consistent_behavior"),
    ),
    "changing_requirements_baked_in": Pair(
        {"goals": ["knowledge"], "factors": {"rapidly_changing_requirements": "yes"}},
        "goals", ["persona"],
        ("factors.rapidly_changing_requirements", "goals"),
    ),
    "knowledge_goal_against_record": Pair(
        {"goals": ["persona", "knowledge"]},
        "goals", ["persona", "domain_expertise"],
        ("goals", "attempts"),
    ),
    "latency_reason_with_short_prompt": Pair(
        {"factors": {"latency_requirements": "yes"}, "economics": tokens(1999)},
        "economics.traffic.input_tokens", 2000,
        ("factors.latency_requirements", "economics.traffic.input_tokens"),
    ),
    "instruction_limit_with_short_prompt": Pair(
        {
            "signals": {"instruction_limit": "yes"},
            "economics": tokens({"low": 100, "likely": 900, "high": 1500}),
        },
        "economics.traffic.input_tokens", {"low": 100, "likely": 900, "high": 2500},
        ("signals.instruction_limit", "economics.traffic.input_tokens"),
    ),
    "low_volume_now": Pair(
        {"factors": {"low_volume": {"value": "no", "now": "yes"}}},
        "factors.low_volume.now", "no",
        ("factors.low_volume.value", "factors.low_volume.now"),
    ),
    "answer_differs_now": Pair(
        {"factors": {"brand_voice": {"value": "yes", "now": "no"}}},
        "factors.brand_voice.now", "yes",
        ("factors.brand_voice.value", "factors.brand_voice.now"),
    ),
    "volume_against_answer": Pair(
        {
            "factors": {"low_volume": "no"},
            "economics": {"traffic": {"requests_per_month": 999}},
        },
        "economics.traffic.requests_per_month", 1000,
        ("factors.low_volume", "economics.traffic.requests_per_month"),
    ),
    "sovereignty_with_hosted_tuning": Pair(
        {"factors": {"data_sovereignty": "yes"}, "tuning": {"service": "hosted"}},
        "tuning.service", "self_hosted",
        ("factors.data_sovereignty", "tuning.service"),
    ),
    "sovereignty_with_third_party_api": Pair(
        {"factors": {"data_sovereignty": "yes"}, "today": {"api": "third_party"}},
        "today.api", "own",
        ("factors.data_sovereignty", "today.api"),
    ),
    "persona_without_brand_voice": Pair(
        {"goals": ["persona"], "factors": {"brand_voice": "no"}},
        "factors.brand_voice", "yes",
        ("goals", "factors.brand_voice"),
    ),
    # claims -------------------------------------------------------------------------------------
    "success_with_ceiling_reached": Pair(
        {"ceiling": REACHED, "factors": {"success_with_prompts": "yes"}},
        "ceiling.few_shot", "no",
        ("factors.success_with_prompts", "ceiling"),
    ),
    "two_figures_for_what_runs": Pair(
        {"targets": {"quality": {"at_least": 0.9}}, "today": {"quality": 0.95, "cases": 600},
         "models": [{"id": "openai:gpt-4.1", "quality": 0.84, "cases": 600}]},
        "models.0.quality", 0.95,
        ("today.quality", "models"),
    ),
    "checks_not_shown_by_attempts": Pair(
        {"ceiling": {"prompt_variations": "yes"}, "attempts": [{"name": "a", "prompts": 4}]},
        "attempts.0.prompts", 5,
        ("ceiling.prompt_variations", "attempts"),
    ),
    "prompts_near_copies": Pair(
        {"ceiling": {"prompt_variations": "yes"}, "data": {"prompts": "prompts"}},
        "ceiling.prompt_variations", "unknown",
        ("ceiling.prompt_variations", "data.prompts"),
    ),
    "ceiling_without_evaluation": Pair(
        {"ceiling": REACHED},
        "data.evaluation", "eval.jsonl",
        ("ceiling", "data.evaluation"),
    ),
    "ceiling_within_noise": Pair(
        {
            "ceiling": REACHED,
            "targets": {"quality": {"at_least": 0.9}},
            "today": {"quality": 0.85, "cases": 50},
        },
        "today.cases", 500,
        ("ceiling", "today.quality", "targets.quality"),
    ),
    "target_already_met": Pair(
        {
            "factors": {"success_with_prompts": "no"},
            "targets": {"latency_p95_s": 2},
            "today": {"latency_p95_s": 2},
        },
        "today.latency_p95_s", 2.1,
        ("factors.success_with_prompts", "today.latency_p95_s"),
    ),
    "success_but_target_missed": Pair(
        {
            "factors": {"success_with_prompts": "yes"},
            "targets": {"usd_per_month": 500},
            "today": {"usd_per_month": 501},
        },
        "today.usd_per_month", 500,
        ("factors.success_with_prompts", "today.usd_per_month"),
    ),
    "success_with_faulty_answers": Pair(
        {
            "factors": {"success_with_prompts": "yes"},
            "signals": {"terminology_errors": "yes", "latency": "yes"},
        },
        "signals.terminology_errors", "no",  # a slow answer isn't a wrong one
        ("factors.success_with_prompts", "signals.terminology_errors"),
    ),
    "knowledge_gap_with_low_recall": Pair(
        {"signals": {"knowledge_gaps": "yes"}, "today": {"retrieval_recall": 0.79}},
        "today.retrieval_recall", 0.8,
        ("signals.knowledge_gaps", "today.retrieval_recall"),
    ),
    "format_goal_without_constrained_output": Pair(
        {"goals": ["format"], "attempts": [{"name": "a", "tried": ["few_shot"]}]},
        "attempts.0.tried", ["constrained_output"],
        ("goals", "attempts"),
    ),
    # data ---------------------------------------------------------------------------------------
    "examples_against_answer": Pair(
        {"factors": {"insufficient_data": "no"}, "data": {"examples": 999}},
        "data.examples", 1000,
        ("factors.insufficient_data", "data.examples"),
    ),
    "example_rules_differ": Pair(
        {"goals": ["persona"], "data": {"examples": 500}},
        "data.examples", 1000,
        ("data.examples", "goals"),
    ),
    "brand_voice_without_samples": Pair(
        {"factors": {"brand_voice": "yes"}},
        "data.voice", "voice",
        ("factors.brand_voice", "data.voice"),
    ),
    "safety_goal_with_few_pairs": Pair(
        {"goals": ["knowledge", "safety"], "data": {"preference_pairs": 9999}},
        "data.preference_pairs", 10000,
        ("goals", "data.preference_pairs"),
    ),
    "pretraining_with_few_documents": Pair(
        {"goals": ["domain_expertise"], "data": {"documents": 99999}},
        "data.documents", 100000,
        ("goals", "data.documents"),
    ),
    "data_missing": Pair(
        {"data": {"evaluation": "gone.jsonl"}},
        "data.evaluation", "eval.jsonl",
        ("data.evaluation",),
    ),
    # money --------------------------------------------------------------------------------------
    # At $100 the lesson's table adds up to 200 + 5 x 100 + 10 x 100 / 3 = 1,033.33 at the least.
    "ongoing_below_table": Pair(
        {"economics": {"hourly_rate_usd": 100, **monthly(ongoing_usd=1033)}},
        "economics.monthly.ongoing_usd", 1034,
        ("economics.monthly.ongoing_usd", "economics.hourly_rate_usd"),
    ),
    # 1,000 requests of 1,000 and 100 tokens cost 1,000 x (2.5 + 1) / 1,000 = $3.50.
    "saving_above_bill": Pair(
        {
            "economics": {
                **monthly(api_savings_usd=4),
                "traffic": {"requests_per_month": 1000, "input_tokens": 1000, "output_tokens": 100},
            },
            "models": PRICED,
        },
        "economics.monthly.api_savings_usd", 3.5,
        ("economics.monthly.api_savings_usd", "economics.traffic.requests_per_month"),
    ),
    "bill_against_prices": Pair(  # 100,000 calls cost 350 at the price of the model in use
        {
            "today": {"usd_per_month": 470},
            "economics": {"traffic": {"requests_per_month": 100_000, "input_tokens": 1000,
                                      "output_tokens": 100}},
            "models": PRICED,
        },
        "today.usd_per_month", 460,  # 350 + 0.25 × 460 = 465
        ("today.usd_per_month", "models", "economics.traffic"),
    ),
    "ongoing_below_serving": Pair(
        {
            "economics": {
                **monthly(ongoing_usd=3),
                "traffic": {"requests_per_month": 1000, "input_tokens": 1000, "output_tokens": 100},
            },
            "models": [{**PRICED[0], "kind": "tuned"}],
        },
        "economics.monthly.ongoing_usd", 3.5,
        ("economics.monthly.ongoing_usd", "models"),
    ),
    "running_costs_twice": Pair(
        {
            "today": {"usd_per_month": 3000},
            "economics": monthly(api_savings_usd=1800, ongoing_usd=1200),
        },
        "economics.monthly.api_savings_usd", 1801,
        ("economics.monthly.api_savings_usd", "economics.monthly.ongoing_usd"),
    ),
    "saving_above_published": Pair(
        {"economics": monthly(api_savings_usd=2001)},
        "economics.monthly.api_savings_usd", 2000,
        ("economics.monthly.api_savings_usd",),
    ),
    "upfront_below_table": Pair(
        {"economics": {"upfront": {"hours": 39}}},
        "economics.upfront.hours", 40,
        ("economics.upfront.hours",),
    ),
    "no_retraining": Pair(
        {"economics": monthly(ongoing={"inference_usd": 200})},
        "economics.monthly.ongoing.retraining_hours_per_quarter", 10,
        ("economics.monthly.ongoing.retraining_hours_per_quarter",),
    ),
    "no_evaluation_hours": Pair(
        {"economics": {"upfront": {"training": {"usd": 50}}}},
        "economics.upfront.evaluation", {"hours": 10},
        ("economics.upfront.evaluation.hours",),
    ),
    "no_pilot": Pair(
        {"tuning": {"pilot": "no"}},
        "tuning.pilot", "unknown",
        ("tuning.pilot",),
    ),
    "model_switch_planned": Pair(
        {"tuning": {"model_switch": "yes"}},
        "tuning.model_switch", "no",
        ("tuning.model_switch", "goals"),
    ),
    # $6,000 at 1,500 - 500 a month are back after six months; the 24th of May is 181 days away.
    "break_even_after_service_end": Pair(
        {
            "economics": {
                "hourly_rate_usd": 100,
                "upfront": {"hours": 60},
                **monthly(api_savings_usd=1500, ongoing_usd=500),
            },
            "tuning": {"until": "2027-05-24"},
        },
        "tuning.until", "2027-05-26",
        ("tuning.until", "economics"),
    ),
    "model_ends_differ": Pair(
        {"models": [{"id": "openai:gpt-4o", "ends": "2027-03-01"}]},
        "models.0.ends", "2027-01-14",
        ("models", "economics"),
    ),
    # as of the day of these tests; 36 months are looked ahead
    "model_in_use_ends": Pair(
        {"models": [{"id": "in-house", "ends": "2029-11-01"}]},
        "models.0.ends", "2029-12-24",
        ("models", "economics"),
    ),
    # evidence -----------------------------------------------------------------------------------
    "measured_against_answer": Pair(
        {"factors": {"low_volume": "no"}, "evidence": [VOLUME]},
        "factors.low_volume", "yes",
        ("factors.low_volume", "evidence"),
    ),
    "measured_against_number": Pair(
        {"economics": {"traffic": {"requests_per_month": 526}}, "evidence": [VOLUME]},
        "economics.traffic.requests_per_month", 525,  # 420 + 0.25 × 420
        ("economics.traffic.requests_per_month", "evidence"),
    ),
    "measured_beside_answer": Pair(
        {"signals": {"instruction_limit": "no"}, "evidence": [BROKEN]},
        "evidence.0.low", 0.09,  # the limit of a tenth lies inside the interval
        ("signals.instruction_limit", "evidence"),
    ),
    "need_without_support": Pair(
        {"factors": {"data_sovereignty": "yes"}, "evidence": [personal(0.001, 0.004, 0.009)]},
        "evidence.0.high", 0.011,  # the limit of 1% lies inside the interval
        ("factors.data_sovereignty", "evidence"),
    ),
    "need_seen_in_data": Pair(
        {"factors": {"data_sovereignty": "no"}, "evidence": [personal(0.011, 0.04, 0.07)]},
        "evidence.0.low", 0.009,
        ("factors.data_sovereignty", "evidence"),
    ),
    "evidence_old": Pair(
        {"evidence": [{**VOLUME, "observed_on": "2026-05-24"}]},
        "evidence.0.observed_on", "2026-05-26",  # six months are 182.6 days
        ("evidence",),
    ),
    "evidence_changed": Pair(
        {"evidence": [{**VOLUME, "changed": ["logs/may.jsonl"]}]},
        "evidence.0.changed", [],
        ("evidence",),
    ),
    "evidence_unchecked": Pair(
        {"evidence": [{**VOLUME, "brought": True}]},
        "evidence.0.brought", False,
        ("evidence",),
    ),
    "evaluation_gap": Pair(
        {"evidence": [
            {**VOLUME, "id": "evalset_language_gap", "factor": "", "unit": "share of questions",
             "value": 0.2, "low": 0.06, "high": 0.4}
        ]},
        "evidence.0.low", 0.05,
        ("data.evaluation", "evidence"),
    ),
}  # fmt: skip


# Further ways to fire one and the same challenge, and further ways not to.
ALSO: dict[str, list[Pair]] = {
    "evaluation_gap": [
        Pair(  # of fewer cases the longest tells little
            {"evidence": [
                {**VOLUME, "id": "evalset_length_gap", "factor": "", "unit": "share of questions",
                 "value": 0.2, "low": 0.06, "high": 0.4, "details": {"cases": 60}}
            ]},
            "evidence.0.details.cases", 59,
            ("data.evaluation", "evidence"),
        )
    ],
    "exploring_with_fixed_format": [
        Pair(
            {"goals": ["format"], "factors": {"exploration_phase": "yes"}},
            "goals", ["persona"],
            ("factors.exploration_phase", "goals"),
        )
    ],
    "changing_requirements_baked_in": [
        Pair(
            {"factors": {"rapidly_changing_requirements": "yes", "domain_knowledge": "yes"}},
            "factors.domain_knowledge", "no",
            ("factors.rapidly_changing_requirements", "factors.domain_knowledge"),
        )
    ],
    "volume_against_answer": [
        Pair(
            {
                "factors": {"low_volume": "yes"},
                "economics": {"traffic": {"requests_per_month": 1000}},
            },
            "economics.traffic.requests_per_month", {"low": 999, "likely": 2000, "high": 3000},
            ("factors.low_volume", "economics.traffic.requests_per_month"),
        ),
        Pair(  # low today and said so: another challenge tells that
            {
                "factors": {"low_volume": {"value": "no"}},
                "economics": {"traffic": {"requests_per_month": 300}},
            },
            "factors.low_volume.now", "yes",
            ("factors.low_volume", "economics.traffic.requests_per_month"),
        ),
    ],
    "cost_reason_with_low_volume": [
        Pair(  # the volume isn't stated but follows from the traffic
            {
                "factors": {"cost_optimization": "yes"},
                "economics": {"traffic": {"requests_per_month": 999}},
            },
            "economics.traffic.requests_per_month", 1000,
            ("factors.cost_optimization", "factors.low_volume"),
        )
    ],
    "checks_not_shown_by_attempts": [
        Pair(
            {
                "ceiling": {"foundation_models": 3},
                "attempts": [{"name": "a", "models": ["x"]}, {"name": "b", "models": ["x"]}],
            },
            "attempts.1.models", ["y"],
            ("ceiling.foundation_models", "attempts"),
        ),
        Pair(
            {
                "ceiling": {"few_shot": "yes"},
                "attempts": [{"name": "a", "ceiling": {"few_shot": "no"}}],
            },
            "attempts.0.ceiling.few_shot", "yes",
            ("ceiling.few_shot", "attempts"),
        ),
    ],
    "ceiling_without_evaluation": [
        Pair(
            {"ceiling": REACHED, "today": {"quality": 0.5}},
            "today.cases", 100,
            ("ceiling", "data.evaluation"),
        )
    ],
    "target_already_met": [
        Pair(  # 190 of 200 is at least 91%
            {
                "ceiling": REACHED,
                "targets": {"quality": {"at_least": 0.9}},
                "today": {"quality": 0.95, "cases": 200},
            },
            "targets.quality.at_least", 0.95,
            ("ceiling", "today.quality"),
        )
    ],
    "success_but_target_missed": [
        Pair(
            {
                "factors": {"success_with_prompts": "yes", "data_sovereignty": "yes"},
                "today": {"api": "third_party"},
            },
            "factors.data_sovereignty", "no",
            ("factors.success_with_prompts", "today.api"),
        ),
        Pair(  # 160 of 200 is at most 85%
            {
                "factors": {"success_with_prompts": "yes"},
                "targets": {"quality": {"at_least": 0.9}},
                "today": {"quality": 0.8, "cases": 200},
            },
            "targets.quality.at_least", 0.84,
            ("factors.success_with_prompts", "today.quality"),
        ),
    ],
    "examples_against_answer": [
        Pair(  # persona takes 500, so 600 are not too few
            {
                "goals": ["persona"],
                "factors": {"insufficient_data": "yes"},
                "data": {"examples": {"count": 600}},
            },
            "data.examples.usable", 499,
            ("factors.insufficient_data", "data.examples"),
        )
    ],
    "brand_voice_without_samples": [
        Pair({"goals": ["persona"]}, "data.voice", "voice", ("goals", "data.voice"))
    ],
    "saving_above_bill": [
        Pair(
            {"economics": monthly(api_savings_usd=101), "today": {"usd_per_month": 100}},
            "today.usd_per_month", 101,
            ("economics.monthly.api_savings_usd", "today.usd_per_month"),
        ),
        Pair(  # what is likely is more, whatever the least is
            {
                "economics": monthly(api_savings_usd={"low": 1, "likely": 150, "high": 150}),
                "today": {"usd_per_month": 100},
            },
            "today.usd_per_month", 150,
            ("economics.monthly.api_savings_usd", "today.usd_per_month"),
        ),
        Pair(  # the most that could be saved is more
            {
                "economics": monthly(api_savings_usd={"low": 50, "likely": 80, "high": 101}),
                "today": {"usd_per_month": 100},
            },
            "economics.monthly.api_savings_usd.high", 100,
            ("economics.monthly.api_savings_usd", "today.usd_per_month"),
        ),
    ],
    "cost_reason_with_small_bill": [
        Pair(  # 1,000 requests cost $3.50, so six months of them $21
            {
                "factors": {"cost_optimization": "yes"},
                "economics": {
                    "hourly_rate_usd": 100,
                    "traffic": {
                        "requests_per_month": 1000, "input_tokens": 1000, "output_tokens": 100,
                    },
                },
                "models": PRICED,
            },
            "economics.traffic.requests_per_month", 1_000_000,
            ("factors.cost_optimization", "economics.traffic.requests_per_month"),
        ),
    ],
    "sovereignty_with_third_party_api": [
        Pair(  # a model at its provider's list price
            {
                "factors": {"data_sovereignty": "yes"},
                "models": [{"id": "openai:gpt-4o"}],
                "economics": {
                    "traffic": {
                        "requests_per_month": 1000, "input_tokens": 1000, "output_tokens": 100,
                    },
                },
            },
            "models", [{"id": "openai:gpt-4o", "runs": "own"}],
            ("factors.data_sovereignty", "models"),
        ),
    ],
    "knowledge_goal_against_record": [
        Pair(
            {"goals": ["knowledge"], "attempts": [{"name": "a", "tried": ["few_shot"]}]},
            "attempts.0.tried", ["hybrid_search"],
            ("goals", "attempts"),
        ),
    ],
    "success_with_faulty_answers": [
        Pair(  # 190 of 200 is at least 91%: where quality was counted, signs don't tell
            {
                "factors": {"success_with_prompts": "yes"},
                "signals": {"knowledge_gaps": "yes"},
                "targets": {"quality": {"at_least": 0.95}},
                "today": {"quality": 0.95, "cases": 200},
            },
            "targets.quality.at_least", 0.9,
            ("factors.success_with_prompts", "signals.knowledge_gaps"),
        ),
    ],
    "saving_above_published": [
        Pair(
            {"economics": monthly(api_savings_usd={"low": 2001, "likely": 3000, "high": 4000})},
            "economics.monthly.api_savings_usd.low", 2000,
            ("economics.monthly.api_savings_usd",),
        )
    ],
    "ongoing_below_table": [
        Pair(  # even the most it could cost is less
            {
                "economics": {
                    "hourly_rate_usd": 100,
                    **monthly(ongoing_usd={"low": 500, "likely": 700, "high": 1033}),
                }
            },
            "economics.monthly.ongoing_usd.high", 1034,
            ("economics.monthly.ongoing_usd", "economics.hourly_rate_usd"),
        )
    ],
    "upfront_below_table": [
        Pair(
            {"economics": {"upfront": {"hours": {"low": 10, "likely": 20, "high": 39}}}},
            "economics.upfront.hours.high", 40,
            ("economics.upfront.hours",),
        )
    ],
    "no_retraining": [
        Pair(
            {"economics": monthly(ongoing={"retraining_hours_per_quarter": 0})},
            "economics.monthly.ongoing.retraining_hours_per_quarter",
            {"low": 0, "likely": 0, "high": 1},
            ("economics.monthly.ongoing.retraining_hours_per_quarter",),
        )
    ],
}  # fmt: skip

EVERY = [(name, pair) for name in PAIRS for pair in [PAIRS[name], *ALSO.get(name, [])]]


def changed(case: dict[str, Any], field: str, instead: Any) -> dict[str, Any]:
    """The case with one field set to something else, or taken away."""
    result: dict[str, Any] = deepcopy(case)
    *way, last = field.split(".")
    here: Any = result
    for step in way:
        here = here[int(step)] if isinstance(here, list) else here.setdefault(step, {})
    if instead is UNSET:
        del here[last]
    else:
        here[last] = instead
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an evaluation set, a voice, and five prompts that differ in one word."""
    place = tmp_path_factory.mktemp("case")
    (place / "eval.jsonl").write_text('{"id": "1", "input": "a"}\n', encoding="utf-8")
    (place / "voice").mkdir()
    (place / "prompts").mkdir()
    text = " ".join(f"word{number}" for number in range(60))
    for number, greeting in enumerate(("Hello", "Hi", "Welcome", "Greetings", "Howdy")):
        prompt = place / "prompts" / f"{number}.md"
        prompt.write_text(
            f"---\nname: p{number}\n---\n# system\n{greeting}. {text}\n", "utf-8"
        )
    return place


def challenges(
    data: dict[str, Any], folder: Path | None = None
) -> dict[str, model_dossier.ChallengeResult]:
    """Challenges of a case by id; in a folder where it names data."""
    told = {key: value for key, value in data.items() if key != "evidence"}
    case = load_case({"name": "A case", **told})
    if folder is not None and "data" in data:
        case = case.with_origin(model_case.CaseOrigin(folder=folder))
    found = [Evidence.model_validate(one) for one in data.get("evidence", ())]
    evidence = {one.id: one for one in found}
    dossier = decide(case, load_framework("lesson"), as_of=AS_OF, evidence=evidence)
    return {one.id: one for one in dossier.challenges}


@pytest.fixture(scope="module")
def firing(
    folder: Path,
) -> list[tuple[str, Pair, model_dossier.ChallengeResult | None]]:
    """Every pair with what its challenge says where it fires; None where it doesn't."""
    return [
        (name, pair, challenges(pair.fires, folder).get(name)) for name, pair in EVERY
    ]


Fired = list[tuple[str, Pair, model_dossier.ChallengeResult]]


@pytest.fixture(scope="module")
def fired(
    firing: list[tuple[str, Pair, model_dossier.ChallengeResult | None]],
) -> Fired:
    """Those that fire."""
    return [(name, pair, result) for name, pair, result in firing if result is not None]


def test_every_challenge_has_its_pair() -> None:
    assert list(PAIRS) == IDS, "add the pair to PAIRS, in the order of the modules"
    assert set(ALSO) <= set(IDS)
    assert len(set(IDS)) == len(IDS)


@pytest.mark.slow
def test_every_challenge_fires_and_points_at_both_statements(
    firing: list[tuple[str, Pair, model_dossier.ChallengeResult | None]],
) -> None:
    assert [name for name, _, result in firing if result is None] == []
    assert [
        (name, result.between)
        for name, pair, result in firing
        if result is not None and result.between != pair.between
    ] == []


@pytest.mark.slow
def test_one_field_makes_the_difference(folder: Path) -> None:
    unmoved = []
    for name, pair in EVERY:
        silent = changed(pair.fires, pair.field, pair.instead)
        assert silent != pair.fires
        if name in challenges(silent, folder):
            unmoved.append((name, pair.field))
    assert unmoved == []


def test_nothing_said_is_nothing_to_challenge() -> None:
    assert challenges({}) == {}


@pytest.mark.slow
def test_an_unknown_in_either_statement_silences(folder: Path) -> None:
    """No challenge is made of what nobody said: take either statement away and it is gone."""
    absence_is_the_statement = {
        "ceiling_without_evaluation",
        "brand_voice_without_samples",
        "no_retraining",
        "no_evaluation_hours",
        "format_goal_without_constrained_output",
        "knowledge_goal_against_record",
    }
    still_there = []
    for name, pair in EVERY:
        for room in dict.fromkeys(
            path.split(".", maxsplit=1)[0] for path in pair.between
        ):
            is_absent = name in absence_is_the_statement and room == "attempts"
            if room not in pair.fires or is_absent:
                continue
            left = {key: value for key, value in pair.fires.items() if key != room}
            if name in challenges(left, folder):
                still_there.append((name, room))
    assert still_there == []


# What a challenge points at ---------------------------------------------------------------------


def named(kind: Any, path: list[str]) -> bool:
    """Whether a path of keys exists in a record's schema; free keys of a mapping always do."""
    if not path:
        return True
    found: list[Any] = [kind]
    while found:
        one = found.pop()
        if isinstance(one, type) and issubclass(one, BaseModel):
            field = one.model_fields.get(path[0])
            return field is not None and named(field.annotation, path[1:])
        if typing.get_origin(one) is dict:
            return named(typing.get_args(one)[1], path[1:])
        found.extend(typing.get_args(one))
    return False


def test_a_path_is_found_in_the_schema_or_not() -> None:
    assert named(Case, ["factors", "anything", "now"])
    assert named(
        Case, ["economics", "monthly", "ongoing", "retraining_hours_per_quarter"]
    )
    assert not named(Case, ["factors", "anything", "never"])
    assert not named(Case, ["economics", "savings"])
    assert not named(Case, ["name", "first"])


def test_between_points_into_the_case(fired: Fired) -> None:
    lesson = load_framework("lesson")
    asked = {
        "ceiling": set(lesson.ceiling),
        "signals": set(lesson.signals),
        "factors": set(lesson.factors),
    }
    for name, _, result in fired:
        assert result.between, name
        for path in result.between:
            room, *rest = path.split(".")
            assert path == "evidence" or named(Case, [room, *rest]), (name, path)
            if room in asked and rest:
                assert rest[0] in asked[room], (name, path)


def test_it_says_something_and_how_to_settle_it(fired: Fired) -> None:
    for name, _, result in fired:
        for text in (result.says, result.settle):
            assert len(text.split()) >= 4, name
            assert text[text[0] == "“"].isupper() or text[0].isdigit(), (name, text)
            assert text.endswith((".", "?")), (name, text)
            assert not re.search(r"[{}_]|None|nan|inf\b", text), (name, text)


# The case's own numbers -------------------------------------------------------------------------

SAYS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "cost_reason_with_low_volume": (
        {
            "factors": {"cost_optimization": "yes", "low_volume": "yes"},
            "today": {"usd_per_month": 36},
        },
        (r"\$36",),
    ),
    "cost_reason_with_small_bill": (
        PAIRS["cost_reason_with_small_bill"].fires, (r"\$600", r"\$805")),
    "knowledge_goal_against_record": (
        PAIRS["knowledge_goal_against_record"].fires, ("Knowledge", "20", "4 times", "retrieval")),
    "success_with_faulty_answers": (
        PAIRS["success_with_faulty_answers"].fires, ("terminology errors",)),
    "break_even_after_service_end": (
        PAIRS["break_even_after_service_end"].fires, ("24 May 2027", "6 months")),
    "model_in_use_ends": (
        {"models": [{"id": "openai:gpt-4.1"}]}, ("openai:gpt-4.1", "14 Jan 2027", "gpt-6-luna")),
    "changing_requirements_baked_in": (
        {
            "goals": ["knowledge"],
            "factors": {"rapidly_changing_requirements": {"value": "yes", "changes": "policy"}},
        },
        ("hybrid|retrieve", "wait"),
    ),
    "latency_reason_with_short_prompt": (
        PAIRS["latency_reason_with_short_prompt"].fires, ("1,999", "2,000")),
    "instruction_limit_with_short_prompt": (
        PAIRS["instruction_limit_with_short_prompt"].fires, ("900", "2,000")),
    # 500 requests growing by a tenth for twelve months: 500 x 1.1 ^ 12 = 1,569
    "low_volume_now": (
        {
            "factors": {"low_volume": {"value": "no", "now": "yes", "by_month": 12}},
            "economics": {"traffic": {"requests_per_month": 500, "growth_per_month": 0.1}},
        },
        ("500", "10%", "month 12", "1,569"),
    ),
    "answer_differs_now": (PAIRS["answer_differs_now"].fires, ("brand voice",)),
    "volume_against_answer": (PAIRS["volume_against_answer"].fires, ("no", "999", "1,000")),
    "checks_not_shown_by_attempts": (
        PAIRS["checks_not_shown_by_attempts"].fires, ("[Pp]rompt variations", "5 wanted", "four")),
    "prompts_near_copies": (PAIRS["prompts_near_copies"].fires, ("Five", "80%", r"\bone\b")),
    # 0.85 of 50 by Wilson: (0.888 ± 0.106) / 1.077; (0.9 x 0.1) x (1.96 / 0.05)^2 = 138.3
    "ceiling_within_noise": (
        PAIRS["ceiling_within_noise"].fires, ("0.85", "50", "0.73", "0.92", "0.90", "594")),
    "target_already_met": (PAIRS["target_already_met"].fires, ("latency",)),
    "success_but_target_missed": (PAIRS["success_but_target_missed"].fires, ("the bill",)),
    "knowledge_gap_with_low_recall": (
        PAIRS["knowledge_gap_with_low_recall"].fires, ("79%", "80%")),
    "examples_against_answer": (
        ALSO["examples_against_answer"][0].fires, ("600", "500", "persona", "[Tt]oo few")),
    "example_rules_differ": (PAIRS["example_rules_differ"].fires, ("500", "1,000", "persona")),
    "safety_goal_with_few_pairs": (
        PAIRS["safety_goal_with_few_pairs"].fires, ("9,999", "10,000")),
    "pretraining_with_few_documents": (
        PAIRS["pretraining_with_few_documents"].fires, ("99,999", "100,000")),
    # at $100: 1,033.33 to 1,000 + 1,000 + 666.67 = 2,666.67
    "ongoing_below_table": (
        PAIRS["ongoing_below_table"].fires, (r"\$1,033", r"\$100", r"\$2,667")),
    "saving_above_bill": (PAIRS["saving_above_bill"].fires, (r"\$4", "1,000", r"\$3.50", "1,143")),
    "saving_above_published": (
        PAIRS["saving_above_published"].fires, (r"\$2,001", r"\$1,000", r"\$2,000")),
    "upfront_below_table": (PAIRS["upfront_below_table"].fires, ("39", "40", "80")),
    "measured_against_answer": (
        PAIRS["measured_against_answer"].fires,
        ("[Ll]ow volume", "answered no", "380–420")),
    "measured_against_number": (PAIRS["measured_against_number"].fires, ("526", "380–420")),
    "measured_beside_answer": (
        PAIRS["measured_beside_answer"].fires, ("[Ii]nstruction limit", "answered no", "15%–26%")),
    "need_without_support": (
        PAIRS["need_without_support"].fires, (r"0\.1%–0\.9%", "sovereignty")),
    "need_seen_in_data": (PAIRS["need_seen_in_data"].fires, (r"1\.1%–7\.0%", "sovereignty")),
    "evidence_old": (PAIRS["evidence_old"].fires, ("24 May 2026", "six")),
    "evaluation_gap": (
        PAIRS["evaluation_gap"].fires,
        (r"^20% \(6\.0%–40%\) of questions are", "no case", "no score")),
    "evidence_changed": (
        PAIRS["evidence_changed"].fires,
        ("[Oo]ne measurement is of an earlier version of logs/may.jsonl", "low volume")),
    "evidence_unchecked": (
        PAIRS["evidence_unchecked"].fires,
        ("^One measurement came with the folder and was not checked here", "low volume")),
    "no_retraining": (PAIRS["no_retraining"].fires, ("10", "20")),
    "no_evaluation_hours": (PAIRS["no_evaluation_hours"].fires, ("10", "20")),
}  # fmt: skip


@pytest.mark.slow
def test_it_says_the_numbers_of_the_case(folder: Path) -> None:
    for name, (data, wanted) in SAYS.items():
        result = challenges(data, folder)[name]
        text = f"{result.says} {result.settle}"
        assert [pattern for pattern in wanted if not re.search(pattern, text)] == [], (
            name,
            text,
        )


def test_the_worked_example_says_when_its_saving_fits() -> None:
    case = load_case(PROJECT / "examples" / "task-api")
    found = {
        one.id: one for one in decide(case, framework_of(case), as_of=AS_OF).challenges
    }
    bill = found["saving_above_bill"].says
    # 2,000 calls at $0.018 are $36; 1,500 / 0.018 = 83,333 calls; 2,000 x 1.5 ^ 9.2 reaches them
    assert {"$1,500", "2,000", "$36", "83,000"} <= set(re.findall(r"\$?[\d,]+\d", bill))
    assert "10 months from now" in bill
    # and when the saving fits stands there
    assert "month 6 has" in found["low_volume_now"].says
    shown = found["checks_not_shown_by_attempts"].says
    assert "four prompts" in shown
    assert "one model" in shown


def test_contradictions_come_first() -> None:
    case = load_case(PROJECT / "examples" / "travel-concierge")
    order = ["contradiction", "doubt", "pushback"]
    grades = [
        one.severity for one in decide(case, framework_of(case), as_of=AS_OF).challenges
    ]
    assert [order.index(grade) for grade in grades] == sorted(map(order.index, grades))
    assert set(grades) == set(order)


def test_what_serving_costs_is_that_of_the_cheapest_tuned_way() -> None:
    wide = {"low": 200, "likely": 250, "high": 300}
    small = {
        "id": "own:small",
        "kind": "tuned",
        "usd_per_mtok": {"input": 1, "output": 2},
    }
    big = {
        "id": "own:big",
        "kind": "tuned",
        "usd_per_mtok": {"input": 400, "output": 0},
    }
    economics = {
        **monthly(ongoing_usd=500),
        "traffic": {
            "requests_per_month": 100_000,
            "input_tokens": 500,
            "output_tokens": wide,
        },
    }
    data = {"economics": economics, "models": [*PRICED, small, big]}
    assert "ongoing_below_serving" not in challenges(data)  # 50 + 40 to 60, not 20,000
    less = changed(data, "economics.monthly.ongoing_usd", 80)
    assert "own:small alone costs $90" in challenges(less)["ongoing_below_serving"].says
