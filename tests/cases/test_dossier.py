"""The machine-readable contract: names, values, schema, exactness."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from tuneworthy import Dossier, decide, load_case, load_framework
from tuneworthy.framework import schema as framework_schemas
from tuneworthy.model import base as model_base
from tuneworthy.model.base import digest
from tuneworthy.pipeline import framework_of

DAY = date(2026, 11, 24)
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*/case.yaml"))
TOP = [
    "schema", "case", "framework", "as_of", "seed", "ceiling", "signals", "factors", "counts",
    "rules", "strength", "stages", "verdict", "distribution", "bounds", "flips", "next_questions",
    "challenges", "approaches", "ways", "investment", "plan", "evidence",
]  # fmt: skip


def decided(path: Path) -> Dossier:
    case = load_case(path)
    return decide(case, framework_of(case), as_of=DAY)


@pytest.fixture(scope="module")
def task_api() -> dict[str, Any]:
    return decided(EXAMPLES[0].parents[1] / "task-api" / "case.yaml").to_dict()


def test_the_published_names_are_there_in_their_order(task_api: dict[str, Any]) -> None:
    assert [name for name in task_api if name in TOP] == TOP
    assert set(task_api) - set(TOP) == {
        "flips_searched_to",
        "recommendation",
        "ask",
        "series",
        "targets",
        "reach",
    }
    shapes = {
        "case": {"name", "digest"},
        "framework": {"name", "digest"},
        "ceiling": {"reached", "grade", "checks"},
        "counts": {"indicators", "anti_indicators", "unknown"},
        "rules": {"tree", "score", "difference"},
        "strength": {"low", "high"},
    }
    for name, keys in shapes.items():
        assert set(task_api[name]) == keys
    verdict = {"outcome", "final", "leaning", "summary", "gates", "caveats", "answer", "headline",
        "now", "rule", "because", "conditions", "turns", "basis",
    }  # fmt: skip
    assert verdict <= set(task_api["verdict"])
    assert {"state", "value", "source"} <= set(
        task_api["ceiling"]["checks"]["few_shot"]
    )
    assert {"state", "source", "note"} <= set(task_api["signals"]["latency"])
    factor = {"kind", "state", "source", "weight", "note"}
    assert factor <= set(task_api["factors"]["brand_voice"])
    assert {"ask", "answer", "value"} <= set(task_api["rules"]["tree"]["path"][0])
    assert {"value", "denominator", "band"} == set(task_api["rules"]["score"])
    assert {"value", "band"} == set(task_api["rules"]["difference"])
    assert {"name", "outcome", "final", "change", "result"} == set(
        task_api["stages"][0]
    )
    assert {"changes", "outcome"} == set(task_api["flips"][0])
    assert {"factor", "to"} == set(task_api["flips"][0]["changes"][0])
    assert {"id", "severity", "between", "says", "settle"} == set(
        task_api["challenges"][0]
    )
    approach = {"goal", "approach", "data", "compute", "priority", "feasible"}
    assert approach <= set(task_api["approaches"][0])
    money = {
        "upfront_usd",
        "monthly_net_usd",
        "break_even_months",
        "p_within_6_months",
        "justified",
    }
    assert money <= set(task_api["investment"])
    assert {"point", "p10", "p50", "p90"} == set(
        task_api["investment"]["break_even_months"]
    )


def test_the_worked_example_comes_out_to_the_letter(task_api: dict[str, Any]) -> None:
    assert task_api["counts"] == {"indicators": 4, "anti_indicators": 0, "unknown": 0}
    assert task_api["rules"]["score"] == {
        "value": 0.4,
        "denominator": 10,
        "band": "moderate",
    }
    assert task_api["strength"] == {"low": "moderate", "high": "strong"}
    verdict = task_api["verdict"]
    assert (verdict["outcome"], verdict["final"]) == ("fine_tune_candidate", True)
    assert verdict["summary"] == "By the lesson's checklist: fine-tune candidate."
    assert (verdict["answer"], verdict["rule"]) == ("pilot", "no_target")
    assert task_api["recommendation"]["steps"][0]["option"] == "target"
    assert [step["option"] for step in task_api["recommendation"]["steps"]][-1] == (
        "supervised_fine_tuning"
    )
    assert any(
        "volume is low at present" in caveat["says"] for caveat in verdict["caveats"]
    )
    assert [stage["outcome"] for stage in task_api["stages"]] == [
        "keep_optimizing_prompts"
    ] * 4
    assert task_api["investment"]["break_even_months"]["point"] == 4.0
    # its saving is above the bill
    assert task_api["investment"]["justified"] == "unknown"
    table = task_api["investment"]["by_table"]["break_even_months"]
    assert table["low"] == pytest.approx(6000 / (2000 - (200 + 500 + 1000 / 3)))
    assert table["high"] == "open"
    approaches = [(a["approach"], a["priority"]) for a in task_api["approaches"]]
    assert approaches == [
        ("supervised_fine_tuning", "P0"),
        ("persona_tuning", "P1"),
        ("function_calling_tuning", "P2"),
        ("preference_tuning", "P3"),
    ]
    said = {one["id"]: one["says"] for one in task_api["challenges"]}
    shown = said["checks_not_shown_by_attempts"]
    assert "four prompts and one model" in shown
    assert "5 wanted" in shown
    assert "2 wanted" in shown


def test_a_remembered_digest_is_that_of_its_own_record() -> None:
    lesson = load_framework()
    other = lesson.model_copy(update={"name": "other"})
    for each in (lesson, other, lesson, lesson, other):
        assert model_base.remembered_digest(each) == digest(each)
    assert model_base.remembered_digest(lesson) != model_base.remembered_digest(other)


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_every_dossier_keeps_its_schema_and_reads_back(path: Path) -> None:
    dossier = decided(path)
    data = json.loads(dossier.to_json())
    jsonschema.Draft202012Validator(framework_schemas.dossier_schema()).validate(data)
    assert Dossier.model_validate(data) == dossier
    assert decided(path).to_json() == dossier.to_json()


@pytest.mark.parametrize(
    "kept",
    [
        lambda dossier: pickle.loads(pickle.dumps(dossier)),
        copy.copy,
        copy.deepcopy,
        Dossier.model_copy,
        lambda dossier: Dossier.model_construct(**dict(dossier)),
        lambda dossier: Dossier.model_validate(dossier.model_dump(by_alias=True)),
        lambda dossier: Dossier.model_validate_json(
            dossier.model_dump_json(by_alias=True)
        ),
    ],
)
def test_a_dossier_that_nobody_read_is_kept_whole(
    kept: Callable[[Dossier], Dossier],
) -> None:
    path = EXAMPLES[0].parents[1] / "first-idea" / "case.yaml"
    assert kept(decided(path)).to_json() == decided(path).to_json()


def test_what_open_answers_would_make_of_it_is_the_same_whenever_it_is_read() -> None:
    case = load_case(
        {"name": "x", "ceiling": dict.fromkeys(load_framework().ceiling, "yes")}
    )
    early, late, never = (decide(case, load_framework(), as_of=DAY) for _ in range(3))
    assert "reach" not in vars(never)
    assert early.reach.answers
    assert early.verdict == decide(case, load_framework(), as_of=DAY).verdict
    assert decide(case, load_framework(), as_of=DAY) == early
    assert list(vars(early)) == list(Dossier.model_fields)
    assert late.verdict.basis == early.verdict.basis
    assert never.to_json() == late.to_json() == early.to_json()
    assert never == late == early
    assert copy.deepcopy(early) == early
    with pytest.raises(AttributeError):
        never.reaches  # type: ignore[attr-defined]  # noqa: B018  # there is no such field


def test_unknown_is_never_null_nan_or_nothing() -> None:
    data = decide(load_case({"name": "x"}), load_framework(), as_of=DAY).to_dict()

    def walk(value: Any, path: str) -> None:
        assert value is not None, path
        assert value == value, path  # noqa: PLR0124  # only NaN differs from itself
        if isinstance(value, dict):
            if value.get("unknown") is True:
                assert value["ask"], path
            for key, below in value.items():
                walk(below, f"{path}.{key}")
        elif isinstance(value, list):
            for number, below in enumerate(value):
                walk(below, f"{path}[{number}]")

    walk(data, "dossier")
    for section in ("approaches", "investment", "evidence"):
        assert data[section]["unknown"] is True


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_the_editor_accepts_what_the_loader_accepts(path: Path) -> None:
    case = load_case(path)
    schema = framework_schemas.case_schema(framework_of(case))
    jsonschema.Draft202012Validator.check_schema(schema)
    data = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(
        json.loads(json.dumps(data, default=str))
    )


def test_the_editor_refuses_what_the_loader_refuses() -> None:
    validator = jsonschema.Draft202012Validator(
        framework_schemas.case_schema(load_framework())
    )
    for wrong in (
        {"name": "x", "factors": {"low_volum": "yes"}},
        {"name": "x", "goal": ["persona"]},
        {"name": "x", "goals": ["speed"]},
        {"name": "x", "factors": {"low_volume": "perhaps"}},
        {"name": "x", "economics": {"hourly_rate_usd": -1}},
        {},
    ):
        assert not validator.is_valid(wrong), wrong
        assert validator.is_valid({"name": "x"})


def test_a_framework_file_keeps_its_schema(package: Path) -> None:
    text = (package / "framework/catalogue/lesson.yaml").read_text(encoding="utf-8")
    data = json.loads(json.dumps(YAML(typ="safe", pure=True).load(text), default=str))
    validator = jsonschema.Draft202012Validator(framework_schemas.framework_schema())
    validator.validate(data)
    validator.validate({"name": "ours", "extends": "lesson"})
    assert not validator.is_valid({"name": "ours"})


@pytest.mark.slow
def test_a_digest_hears_meaning_and_not_spelling() -> None:
    def digest(**data: Any) -> str:
        return decide(load_case(data), load_framework(), as_of=DAY).case.digest

    plain = digest(name="x", factors={"low_volume": "yes"})
    assert digest(factors={"low_volume": {"value": "YES"}}, name="x") == plain
    assert digest(name="x", factors={"low_volume": True}) == plain
    assert digest(name="x", factors={"low_volume": "no"}) != plain
    assert (
        digest(name="x", factors={"low_volume": {"value": "yes", "note": "n"}}) != plain
    )
