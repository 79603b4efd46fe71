"""What a lab measured is used: whole commands against a server on the loopback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from internals import run as command
from lab_world import folder_of
from test_labs_unanswered import models, served
from test_labs_verify import RIGHT

DAY = ("--as-of", "2026-11-24")
GENERAL = {"one": RIGHT, "mine": RIGHT}
MONEY = (
    "economics: {traffic: {requests_per_month: 300000, input_tokens: 900, output_tokens: 60}}\n"
    "goals: [classification]\n"
)
TODAY = "today: {quality: 0.6, cases: 200}\n"


def told(capsys: pytest.CaptureFixture[str], name: str, folder: Path, *more: str) -> Any:
    """What a command says, as JSON or as one line of text."""
    capsys.readouterr()
    assert command([name, str(folder), *more, *DAY]) == 0
    text = capsys.readouterr().out
    return json.loads(text) if "json" in more else " ".join(text.split())


def options(dossier: Any) -> dict[str, Any]:
    return {one["id"]: one for one in dossier["options"]}


def test_after_a_lab_every_surface_speaks_of_its_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served({"one": 0.6, "mine": 0.95}, general=GENERAL) as endpoint:
        names = models(endpoint, "one", tuned="mine")
        folder = folder_of(
            tmp_path, n=240, prompts={"p": "Answer.\n"}, models=names, more=MONEY + TODAY
        )
        before = told(capsys, "decide", folder, "--format", "json")
        lab = json.loads(told_lab(capsys, "ceiling", folder, "--format", "json"))
        after = told(capsys, "decide", folder, "--format", "json")
    # its best arm isn't what runs today: what is stated of that stays
    assert after["targets"]["quality"] == before["targets"]["quality"]
    best = next(one for one in after["evidence"] if one["id"] == "best_prompt_share")
    assert best["value"] == lab["reported"]["value"]
    tuned = options(after)["supervised_fine_tuning"]
    row = next(row for row in lab["arms"] if row["arm"]["kind"] == "tuned")
    assert tuned["moves"]["quality"] == {"effect": "meets", "grade": "measured"}
    assert tuned["quality"]["low"] == pytest.approx(row["quality"]["low"])
    near = options(after)["retrieved_examples"]["quality"]
    prompts = [row for row in lab["arms"] if row["arm"]["kind"] == "prompt"]
    arms = [r["quality"]["low"] for r in prompts if r["arm"]["few_shot_from"] == "nearest"]
    assert near["low"] == pytest.approx(max(arms))
    assert options(after)["plain_classifier"]["moves"]["quality"]["effect"] == "worsens"
    page = told(capsys, "decide", folder)
    assert "quality missed (60% today, at least 90% wanted)" in page
    shown = told(capsys, "show", folder, "options", "--all")
    assert f"{row['quality']['low']:.2f}" in shown
    for name in ("plan", "money"):
        assert after["verdict"]["headline"][:60] in told(capsys, "show", folder, name)


def told_lab(capsys: pytest.CaptureFixture[str], name: str, folder: Path, *more: str) -> str:
    capsys.readouterr()
    assert command([name, str(folder), *DAY, *more]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("mine", "outcome", "answers"),
    [(0.95, "improved", {"yes", "pilot"}), (0.3, "regressed", {"no", "not_yet"})],
)
def test_after_verify_the_answer_follows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mine: float, outcome: str,
    answers: set[str],
) -> None:  # fmt: skip
    with served({"one": 0.6, "mine": mine}, general=GENERAL) as endpoint:
        names = models(endpoint, "one", tuned="mine")
        folder = folder_of(tmp_path, n=240, prompts={"p": "Answer.\n"}, models=names)
        assert json.loads(told_lab(capsys, "verify", folder, "--format", "json"))["outcome"] == (
            outcome
        )
        after = told(capsys, "decide", folder, "--format", "json")
    assert after["verdict"]["answer"] in answers
    assert "proven" in {one["rule"] for one in after["verdict"]["departs"]}
    assert "held-out cases" in told(capsys, "decide", folder)


def test_a_lookup_that_meets_the_target_is_an_option_that_helps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It costs nothing: once the page said "ceiling reached", and nothing of it."""
    with served({"one": 0.2}) as endpoint:
        folder = folder_of(
            tmp_path, n=240, prompts={"p": "Name it.\n"}, models=models(endpoint, "one"), more=TODAY
        )
        rows = [{"id": f"c{i}", "input": f"lost my {w} card {i}", "reference": w}
                for i, w in enumerate(["gold", "blue", "work", "gift"] * 50)]  # fmt: skip
        for name, part in (("eval.jsonl", rows[:160]), ("examples.jsonl", rows[160:])):
            (folder / name).write_text("".join(json.dumps(row) + "\n" for row in part))
        told_lab(capsys, "ceiling", folder)
        after = told(capsys, "decide", folder, "--format", "json")
    classifier = options(after)["plain_classifier"]
    assert classifier["quality"]["low"] > 0.9
    assert classifier["helps"] in ("yes", "partly")
    assert classifier["moves"]["quality"]["grade"] == "measured"
