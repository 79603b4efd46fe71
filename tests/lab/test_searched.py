"""What searches of other tools came to is a prompt like any other, and an arm of a lab."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab_world import folder_of, known
from tuneworthy import CaseError, decide, load_case, load_framework
from tuneworthy.files import materials as files_materials
from tuneworthy.intake.recognise import recognise_file
from tuneworthy.lab import ceiling as lab_ceiling
from tuneworthy.lab.prepare import prepare

SAY = "You are a careful clerk. Name the shelf alone."
SIGNATURE = {
    "instructions": SAY,
    "fields": [{"prefix": "Question:", "description": "${q}"}],
}
DEMO = {"augmented": True, "question": "Where is the exit?", "answer": "door"}
STEP = {"traces": [], "train": [], "demos": [DEMO], "signature": SIGNATURE, "lm": None}
MESSAGES = [
    {"role": "system", "content": SAY},
    {"role": "user", "content": [{"type": "text", "text": "Asked: {question}"}]},
]
DOUBLE = [
    {"role": "system", "content": SAY},
    {"role": "user", "content": "Asked: {{ question }}"},
]
VERSION = {"name": "qa", "version": 3, "template": "Asked: {{question}} of {{context}}"}
FILES: dict[str, tuple[Any, str, str, str]] = {
    "DSPy": (
        {"predict": STEP, "metadata": {"dependency_versions": {"dspy": "3.4.1"}}},
        "DSPy", f"{SAY}\n\nQuestion: Where is the exit?\nAnswer: door", "{{ input }}",
    ),
    "DSPy, one step": (
        {**STEP, "demos": [], "metadata": {}}, "DSPy", SAY, "{{ input }}",
    ),
    "Opik": (
        {"optimizer": "GepaOptimizer", "prompt": MESSAGES, "score": 0.8, "metric_name": "exact"},
        "Opik", SAY, "Asked: {{ input }}",
    ),
    "Opik, by name": (
        {"optimizer": "Meta", "prompt": {"system": SAY, "user": "{question}"}, "score": 0.8},
        "Opik", SAY, "{{ input }}",
    ),
    "MLflow": (
        {"optimized_prompts": [{"name": "qa", "version": 4, "template": DOUBLE}],
         "optimizer_name": "GepaPromptOptimizer", "final_eval_score": 0.9},
        "MLflow", SAY, "Asked: {{ input }}",
    ),
    "MLflow, a version": (VERSION, "", "", "Asked: {{ input }} of {{ contexts }}"),
    "promptfoo": (
        {"evalId": "e", "results": {"version": 3, "prompts": [
            {"raw": json.dumps(DOUBLE), "label": "careful", "provider": "openai:x"},
            {"raw": json.dumps(DOUBLE), "label": "careful", "provider": "openai:y"},
        ]}},
        "", SAY, "Asked: {{ input }}",
    ),
}  # fmt: skip


def laid(folder: Path, data: Any) -> Path:
    folder_of(folder, n=60, prompts={"plain": "Answer the question.\n"})
    (folder / "prompts" / "found.json").write_text(json.dumps(data))
    return folder


@pytest.mark.parametrize("kind", sorted(FILES))
def test_what_a_search_came_to_is_read_as_a_prompt(kind: str, tmp_path: Path) -> None:
    data, by, system, user = FILES[kind]
    prompts = files_materials.read_prompts(load_case(laid(tmp_path, data)))
    (found,) = (each for each in prompts if each.name != "plain")
    assert (found.name, found.searched_by) == ("found", by)
    assert (found.system, found.user) == (system, user)


@pytest.mark.parametrize("kind", sorted(FILES))
def test_a_file_of_a_search_is_recognised_as_prompts(kind: str, tmp_path: Path) -> None:
    data, by, *_ = FILES[kind]
    file = tmp_path / "found.json"
    file.write_text(json.dumps(data))
    assert (recognise_file(file) == "prompts") is bool(by)


@pytest.mark.parametrize(
    "data", [{}, [], 7, {"type": "object"}, {"prompt": "x"}, [{"name": "x"}]]
)
def test_other_json_beside_prompts_is_no_prompt(data: Any, tmp_path: Path) -> None:
    case = load_case(laid(tmp_path, data))
    assert [each.name for each in files_materials.read_prompts(case)] == ["plain"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (
            {"look": STEP, "answer.predict": STEP | {"demos": []}},
            "a program of 2 steps",
        ),
        ({**VERSION, "template": "{{a}} and {{b}}"}, "puts in a, b"),
        (
            {"optimizer": "Meta", "prompt": [{"role": "user"}]},
            "its prompts can't be read",
        ),
        (
            {**STEP, "signature": {"instructions": "{% raw %}"}},
            "more of a template language",
        ),
    ],
)
def test_what_is_no_single_request_is_refused_in_a_line(
    data: Any, says: str, tmp_path: Path
) -> None:
    with pytest.raises(CaseError, match=says):
        files_materials.read_prompts(load_case(laid(tmp_path, data)))


def test_an_imported_search_is_an_arm_and_is_tried(tmp_path: Path) -> None:
    folder = laid(tmp_path, FILES["DSPy"][0])
    fake = known({"careful": 0.6, "Answer": 0.3})
    done = lab_ceiling.run(prepare(folder), cap_usd=9, transport=fake)
    assert done.result.best.startswith("found")
    dossier = decide(load_case(folder), load_framework("lesson"))
    ways = {way.id: way for way in dossier.ways}
    assert "prompt_optimisation" in ways[f"ceiling:{done.result.best}"].made_of
    assert ways["prompt_optimisation"].state == "failed"
    assert dossier.ceiling.grade == "tried"
