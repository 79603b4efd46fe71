"""A winner without a trained model is a folder that answers as the pilot's own way did."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
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
from tuneworthy.lab import plan as lab_plan
from tuneworthy.lab.prepare import prepare
from tuneworthy.model import training as model_training
from tuneworthy.training import as_piloted as training_as_piloted
from tuneworthy.training import pilot as training_pilot
from tuneworthy.training import served as training_served
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


def test_the_head_of_the_folder_says_what_the_head_of_the_pilot_says(
    folder: Path, tmp_path: Path
) -> None:
    done = training_winners.hand_over(folder, "head", tmp_path / "head")
    assert (done.examples, done.labels) == (45, 3)
    served = training_served.ServedWay(tmp_path / "head")
    for kind, text in KINDS.items():
        answer = served.answer(f"{text} 999")
        assert answer["label"] == kind
        assert 0 < answer["score"] <= 1
    lab = prepare(folder, scored=False)
    solved = training_as_piloted.solved_examples(lab)
    pool = lab_plan.Pool(tuple(case for _, case in solved))
    for case in lab.plan.select:
        assert served.answer(case.text)["label"] == pool.head(case)


def test_the_folder_runs_alone(folder: Path, tmp_path: Path) -> None:
    training_winners.hand_over(folder, "head", tmp_path / "head")
    server = (tmp_path / "head" / "server.py").read_text("utf-8")
    assert "tuneworthy" not in server
    assert "tuneworthy" not in (tmp_path / "head" / "way.json").read_text("utf-8")
    ended = subprocess.run(
        [sys.executable, "server.py", "the screen of my device cracked"],
        cwd=tmp_path / "head",
        capture_output=True,
        check=True,
    )
    assert json.loads(ended.stdout)["label"] == "broken"
    assert (tmp_path / "head" / "wordllama" / "LICENSE").is_file()


def test_the_messages_with_the_nearest_examples_are_those_of_the_arm(
    folder: Path, tmp_path: Path
) -> None:
    training_winners.hand_over(folder, "nearest", tmp_path / "near")
    answer = training_served.ServedWay(tmp_path / "near").answer(
        "my new street is number 998"
    )
    messages = answer["messages"]
    assert messages[0] == {"role": "system", "content": "Name the kind."}
    assert len(messages) == 2 + 2 * 8
    assert messages[-2] == {"role": "assistant", "content": "moved"}
    assert answer["nearest"] == "moved"


def test_a_server_answers_texts_and_refuses_everything_else(
    folder: Path, tmp_path: Path
) -> None:
    training_winners.hand_over(folder, "head", tmp_path / "head")
    server = training_served.make_server(tmp_path / "head", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}/"

    def asked(raw: bytes) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(address, data=raw) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as caught:
            return caught.code, json.load(caught)

    try:
        assert asked(b'{"input": "the bill please"}')[1]["label"] == "invoice"
        for raw in (b"{", b"[]", b"7", b'{"input": 7}', b"[" * 9000):
            status, said = asked(raw)
            assert (status, list(said)) == (400, ["error"])
    finally:
        server.shutdown()
        server.server_close()


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
