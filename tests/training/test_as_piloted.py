"""An export hands off what the pilot trained: its messages, its recipe, and nothing planted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pilot_world import FakeTrainer, answers, case_of, pilot_of, rising, trained_on
from tuneworthy import InputError, load_case
from tuneworthy.cli import run as command
from tuneworthy.files import stores as files_stores
from tuneworthy.model import pilot as model_pilot
from tuneworthy.model import training as model_training
from tuneworthy.report import render
from tuneworthy.training import as_piloted as training_as_piloted
from tuneworthy.training import export as training_export
from tuneworthy.training import pilot as training_pilot
from tuneworthy.training import recipes as training_recipes

LOCAL = [n for n in training_export.target_names() if training_export.target(n).local]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case whose pilot has ended, on 80 examples with one seed."""
    place = case_of(tmp_path_factory.mktemp("piloted"), 80, 60)
    pilot = pilot_of(place, FakeTrainer(place / "log"), seeds=1)
    transport = answers(rising())
    training_pilot.run(pilot, cap_usd=1.0, transport=transport)
    return place


def trained_rows(folder: Path) -> list[Any]:
    """What the largest run of the pilot learned from, without its secrets, as JSON."""
    pilot = pilot_of(folder, FakeTrainer(folder / "log"), seeds=1)
    rows = pilot.works[-1].rows[: -pilot.plan.canaries]
    return [json.loads(json.dumps(row["messages"])) for row in rows]


def lines(place: Path, name: str) -> list[Any]:
    return [json.loads(line) for line in (place / name).read_text("utf-8").splitlines()]


def said(turns: list[Any]) -> list[tuple[str, str]]:
    return [(turn["role"], turn["content"]) for turn in turns]


TOOL = {"type": "function", "function": {"name": "find", "parameters": {}}}


def test_tools_that_a_pilot_doesnt_ask_with_are_left_out_and_that_is_said(
    tmp_path: Path,
) -> None:
    place = case_of(tmp_path / "case", 40, 40)
    trained_on(place, 40, tools=(TOOL,))
    pilot = pilot_of(place, FakeTrainer(place / "log"), seeds=1)
    assert all(row.keys() == {"messages"} for row in pilot.works[-1].rows)
    options: dict[str, Any] = {"shape": "piloted", "output": tmp_path / "out"}
    done = training_export.export(place, "trl-sft", **options)
    assert all("tools" not in row for row in lines(tmp_path / "out", "train.jsonl"))
    assert done.piloted is not None
    assert done.piloted.tooled == 40
    facts = render(training_export.export_document(done))
    assert "Tools left out" in facts
    bare = tmp_path / "bare"
    training_export.export(place, "trl-sft", shape="bare", output=bare)
    assert all(row["tools"] == [TOOL] for row in lines(bare, "train.jsonl"))


@pytest.mark.slow
def test_an_export_writes_the_messages_of_the_judged_run_and_no_secret(
    folder: Path, tmp_path: Path
) -> None:
    done = training_export.export(folder, "trl-sft", output=tmp_path / "out")
    rows = lines(tmp_path / "out", "train.jsonl")
    written = [said([*row["prompt"], *row["completion"]]) for row in rows]
    assert written == [said(turns) for turns in trained_rows(folder)]
    assert written[0][0] == ("system", "Answer the question.")
    assert done.piloted is not None
    assert (done.piloted.general, done.piloted.secrets) == (8, 4)
    assert done.piloted.same_set is True


@pytest.mark.slow
def test_the_recipe_of_the_pilot_stands_in_every_file_that_has_a_place_for_it(
    folder: Path, tmp_path: Path
) -> None:
    """Its rate decided between 40 and 0 of 40 right answers."""
    for name in LOCAL:
        to = training_export.target(name)
        done = training_export.export(
            folder, name, output=tmp_path / name, base="my/base", leave_out=True
        )
        if done.folder is None:  # no pairs here
            assert to.method in ("dpo", "kto")
            continue
        assert "rate" not in to.cannot, name
        text = "".join((tmp_path / name / file).read_text("utf-8") for file in to.write)
        assert "0.001" in text
        assert "{{" not in text
        assert done.recipe.recipe == model_pilot.Recipe()
        assert done.recipe.epochs == 3


def test_the_card_of_an_export_says_what_the_pilot_measured_only_of_its_own_base(
    folder: Path, tmp_path: Path
) -> None:
    for name, base in (("same", None), ("other", "big/Llama-3.1-8B")):
        training_export.export(folder, "trl-sft", output=tmp_path / name, base=base)
    same = (tmp_path / "same" / "README.md").read_text("utf-8")
    other = (tmp_path / "other" / "README.md").read_text("utf-8")
    assert "Go or no-go" in same
    assert "Go or no-go" not in other
    assert other.startswith("---\nbase_model: big/Llama-3.1-8B\n")


@pytest.mark.slow
def test_a_target_says_what_of_a_recipe_it_sets_itself(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert training_export.target("trl-sft").cannot == ()
    assert "rate" in training_export.target("azure-sft").cannot
    place = str(tmp_path / "out")
    sent = ["--to", "azure-sft", "--output", place, "--all"]
    assert command(["export", str(folder), *sent]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Set by the target" in out
    assert "its files have no place for them" in out
    assert "planted secret" in out
    assert "of fake:base, and so it says nothing of this base" in out
    record = json.loads((tmp_path / "out" / "export.json").read_text("utf-8"))
    assert record["piloted"]["prompt"] == "plain"
    assert "rate" in record["recipe"]["cannot"]


def test_a_folder_of_another_size_takes_the_recipe_of_its_size(
    folder: Path, tmp_path: Path
) -> None:
    done = training_export.export(
        folder, "trl-sft", output=tmp_path / "a", base="big/Llama-3.1-8B"
    )
    assert done.recipe.recipe.rate == 0.0002
    assert "another size than the pilot's" in done.recipe.source
    assert training_recipes.recipe_row("sft", 8.0).recipe.rate == 0.0002
    assert training_recipes.recipe_row("sft", 70.0).recipe.rate == 0.0001
    assert training_recipes.recipe_row("sft", 0.135).recipe == model_pilot.Recipe()


def test_a_set_that_changed_since_is_said(folder: Path, tmp_path: Path) -> None:
    case = load_case(folder)
    training, examples = files_stores.read_training(case) or pytest.fail("it has one")
    other = training.model_copy(update={"digest": "0" * 64})
    piloted = training_as_piloted.as_piloted(folder, other, examples, "sft")
    assert piloted.same_set is False
    assert len(piloted.train) - piloted.general == piloted.available == 80


def test_bare_is_the_accepted_examples_alone(folder: Path, tmp_path: Path) -> None:
    done = training_export.export(
        folder, "trl-sft", output=tmp_path / "out", shape="bare"
    )
    accepted = files_stores.read_training(load_case(folder))
    assert accepted is not None
    rows = lines(tmp_path / "out", "train.jsonl")
    assert done.train == len(rows) == len(accepted[1])
    assert not any(turn["role"] == "system" for row in rows for turn in row["prompt"])


def test_a_base_may_be_a_folder_for_a_library_and_for_no_service(
    folder: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    base.mkdir()
    with pytest.raises(InputError, match=r"config\.json is missing"):
        training_export.export(folder, "trl-sft", output=tmp_path / "a", base=str(base))
    (base / "config.json").write_text("{}", "utf-8")
    done = training_export.export(
        folder, "trl-sft", output=tmp_path / "a", base=str(base)
    )
    assert done.base == str(base.resolve())
    assert f'"{done.base}"' in (tmp_path / "a" / "train.py").read_text("utf-8")
    with pytest.raises(InputError, match="no service reads"):
        training_export.export(
            folder, "openai-sft", output=tmp_path / "b", base=str(base)
        )


@pytest.mark.parametrize("name", ['x"; import os', "a\nb", "$(id)", "`id`", "it's"])
def test_a_base_that_would_end_the_text_it_is_written_into_is_refused(
    folder: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(InputError, match="quotation mark"):
        training_export.export(folder, "trl-sft", output=tmp_path / "a", base=name)


SIZES = {"meta-llama/Llama-3.1-8B": 8.0, "SmolLM2-135M": 0.135, "gpt-4.1-mini": None,
         "Mixtral-8x7B": 7.0, "Qwen3-0.6B-Base": 0.6, "b3b": None}  # fmt: skip


@pytest.mark.parametrize("name", SIZES)
def test_a_name_says_its_size_or_nothing(name: str) -> None:
    assert training_recipes.billions_by_name(name) == SIZES[name]


def test_every_recipe_has_a_source_and_a_day_and_every_size_a_recipe() -> None:
    rows = training_recipes.recipe_book().recipes
    assert all(row.source and row.dated.year >= 2026 for row in rows)
    for method in ("sft", "dpo", "kto"):
        for billions in (None, 0.0, 0.135, 1.0, 8.0, 20.0, 400.0):
            assert training_recipes.recipe_row(method, billions).recipe.method == method


def test_weights_are_counted_by_the_header_alone(tmp_path: Path) -> None:
    header = json.dumps({"a": {"shape": [1000, 3000]}, "__metadata__": {}}).encode()
    raw = len(header).to_bytes(8, "little") + header
    (tmp_path / "model.safetensors").write_bytes(raw)
    assert training_recipes.billions_in(tmp_path) == 0.003
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 20)
    with pytest.raises(InputError, match="is not a file of weights"):
        training_recipes.billions_in(tmp_path)


def test_a_plan_of_before_is_read() -> None:
    names = {"prompt", "training_set"}
    assert all(
        not model_pilot.PilotPlan.model_fields[name].is_required() for name in names
    )
    assert model_training.TrainingSet.model_fields["digest"].is_required()
