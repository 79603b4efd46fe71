"""A winner without a trained model is a folder that answers as the pilot's own way did."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from lab_world import folder_of
from pilot_world import (
    MODELS,
    FakeTrainer,
    answers,
    case_of,
    pilot_of,
    rising,
    trained_on,
)
from tuneworthy import InputError, load_case
from tuneworthy.cli import run as command
from tuneworthy.files import stores as files_stores
from tuneworthy.lab.plan import request_for
from tuneworthy.lab.pool import Pool
from tuneworthy.lab.prepare import prepare
from tuneworthy.model import evalset as model_evalset
from tuneworthy.model import lab as model_lab
from tuneworthy.model import training as model_training
from tuneworthy.training import as_piloted as training_as_piloted
from tuneworthy.training import export as training_export
from tuneworthy.training import pilot as training_pilot
from tuneworthy.training import winners as training_winners

KINDS = {"invoice": "please send the bill for order", "moved": "my new street is number",
         "broken": "the screen of the device cracked on day"}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case whose examples are of three kinds."""
    place = tmp_path_factory.mktemp("winner")
    prompts = {"plain": "Name the kind.\n"}
    folder_of(place, n=30, models=MODELS, prompts=prompts)
    trained_on(place, 45)
    case = load_case(place)
    record, examples = files_stores.read_training(case) or pytest.fail("it was written")
    kinds = [*KINDS]
    changed = []
    for number, example in enumerate(examples):
        kind = kinds[number % 3]
        asked = example.messages[0].model_copy(
            update={"content": f"{KINDS[kind]} {number}"}
        )
        answer = example.messages[1].model_copy(update={"content": kind})
        messages = (asked, answer)
        id_ = model_training.content_id(messages)
        changed.append(example.model_copy(update={"messages": messages, "id": id_}))
    digest = model_training.set_digest(changed)
    files_stores.write_training(
        case, record.model_copy(update={"digest": digest}), changed
    )
    return place


def script_of(folder: Path) -> Any:
    """The script of a folder that was written, imported."""
    spec = spec_from_file_location("run_way", folder / "run_way.py")
    assert spec is not None
    assert spec.loader is not None
    script = module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def test_the_head_of_the_folder_says_what_the_head_of_the_pilot_says(
    folder: Path, tmp_path: Path
) -> None:
    done = training_winners.hand_over(folder, "head", tmp_path / "head")
    assert (done.examples, done.labels) == (45, 3)
    script = script_of(tmp_path / "head")
    for kind, text in KINDS.items():
        answer = script.label(f"{text} 999")
        assert answer["label"] == kind
        assert 0 < answer["score"] <= 1
    lab = prepare(folder, scored=False)
    solved = training_as_piloted.solved_examples(lab)
    pool = Pool(tuple(case for _, case in solved))
    for case in lab.plan.select:
        answer = script.label(case.text)
        assert answer["label"] == pool.head(case)
        assert answer["score"] == pytest.approx(pool.sureness(case), abs=1e-5)


def test_the_folder_runs_alone(folder: Path, tmp_path: Path) -> None:
    training_winners.hand_over(folder, "head", tmp_path / "head")
    assert "tuneworthy" not in (tmp_path / "head" / "run_way.py").read_text("utf-8")
    ended = subprocess.run(
        [sys.executable, "run_way.py", "the screen of my device cracked"],
        cwd=tmp_path / "head",
        capture_output=True,
        check=True,
    )
    assert json.loads(ended.stdout)["label"] == "broken"
    assert (tmp_path / "head" / "LICENSE-of-the-table").is_file()


def test_the_messages_with_the_nearest_examples_are_those_of_the_arm(
    folder: Path, tmp_path: Path
) -> None:
    training_winners.hand_over(folder, "nearest", tmp_path / "near")
    text = "my new street is number 998 of {{input}}"
    answer = script_of(tmp_path / "near").messages(text)
    lab = prepare(folder, scored=False)
    solved = training_as_piloted.solved_examples(lab)
    pool = Pool(tuple(case for _, case in solved))
    arm = model_lab.Arm(
        id="near", kind="prompt", prompt="plain", model="fake:base", few_shot=8,
        few_shot_from="nearest",
    )  # fmt: skip
    setting = replace(lab.plan.setting, pool=pool)
    case = model_evalset.EvalCase(id="asked", input=text)
    request = request_for(arm, case, setting)
    assert answer["messages"] == [each.model_dump() for each in request.messages]
    assert answer["nearest"] == "moved"


def test_what_nobody_measured_is_unknown_and_a_second_export_replaces_nothing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(tmp_path / "out")
    assert command(["export", str(folder), "--to", "head", "--output", place]) == 0
    assert "unknown: no pilot has measured it" in capsys.readouterr().out
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "unknown" in card
    assert command(["export", str(folder), "--to", "head", "--output", place]) != 0


@pytest.mark.slow
def test_the_card_shows_the_name_of_a_prompt_and_never_obeys_it(tmp_path: Path) -> None:
    prompts = {"<b>plain": "Answer the question.\n"}
    folder = case_of(tmp_path / "case", cases=40, prompts=prompts)
    training_pilot.run(
        pilot_of(folder, FakeTrainer(tmp_path / "log"), seeds=1),
        cap_usd=1.0,
        transport=answers(rising()),
    )
    done = training_winners.hand_over(folder, "nearest", tmp_path / "near")
    assert "<b>plain" in done.ways
    card = (tmp_path / "near" / "README.md").read_text("utf-8")
    assert "&lt;b&gt;plain" in card
    assert "<b>" not in card


def test_too_few_examples_make_no_head(tmp_path: Path) -> None:
    folder_of(tmp_path, n=30, models=MODELS, prompts={"plain": "Answer.\n"})
    trained_on(tmp_path, 15)
    with pytest.raises(InputError, match="too few to train a head"):
        training_winners.hand_over(tmp_path, "head")
    assert not (tmp_path / "export").exists()


def test_readme_and_guide_say_how_many_targets_ship() -> None:
    targets = f"{len(training_export.target_names())} targets"
    project = Path(__file__).parents[2]
    assert targets in (project / "README.md").read_text("utf-8")
    guide = project / "docs" / "guides" / "training-file.md"
    assert targets in guide.read_text("utf-8")
