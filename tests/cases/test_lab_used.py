"""What a lab measured is used: whole commands against a server on the loopback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_labs_unanswered import models, served
from test_labs_verify import RIGHT

from lab_world import folder_of
from tuneworthy.cli import run as command

DAY = ("--as-of", "2026-11-24")
GENERAL = {"one": RIGHT, "mine": RIGHT}
MONEY = (
    "economics: {traffic: {requests_per_month: 300000, input_tokens: 900, output_tokens: 60}}\n"
    "goals: [classification]\n"
)
TODAY = "today: {quality: 0.6, cases: 200}\n"


def told(
    capsys: pytest.CaptureFixture[str], name: str, folder: Path, *more: str
) -> Any:
    """What a command says, as JSON or as one line of text."""
    capsys.readouterr()
    assert command([name, str(folder), *more, *DAY]) == 0
    text = capsys.readouterr().out
    return json.loads(text) if "json" in more else " ".join(text.split())


def ways(dossier: Any) -> dict[str, Any]:
    return {one["id"]: one for one in dossier["ways"]}


@pytest.mark.slow
def test_after_a_lab_every_surface_speaks_of_its_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served({"one": 0.6, "mine": 0.98}, general=GENERAL) as endpoint:
        names = models(endpoint, "one", tuned="mine")
        folder = folder_of(
            tmp_path,
            n=240,
            prompts={"p": "Answer.\n"},
            models=names,
            more=MONEY + TODAY,
        )
        before = told(capsys, "decide", folder, "--format", "json")
        lab = json.loads(told_lab(capsys, "ceiling", folder, "--format", "json"))
        after = told(capsys, "decide", folder, "--format", "json")
    # its best arm isn't what runs today: what is stated of that stays
    assert after["targets"]["quality"] == before["targets"]["quality"]
    best = next(one for one in after["evidence"] if one["id"] == "best_prompt_share")
    assert best["value"] == lab["reported"]["value"]
    kept = ways(after)
    for row in lab["arms"]:
        way = kept[f"ceiling:{row['arm']['id']}"]
        assert way["kind"] == {"prompt": "arm", "baseline": "no_model"}.get(
            row["arm"]["kind"], "tuned"
        )
        assert way["figures"]["quality"]["grade"] in ("held_out", "measured")
    tuned = next(
        way for way in kept.values() if way["id"].startswith("ceiling:p · my:mine")
    )
    assert tuned["admissible"]["quality"] == "met"
    assert kept["ceiling:majority"]["admissible"]["quality"] == "missed"
    assert before["verdict"]["answer"] != "yes"
    assert (after["verdict"]["answer"], after["verdict"]["rule"]) == ("yes", "proven")
    page = told(capsys, "decide", folder)
    assert f"{tuned['figures']['quality']['value']:.2f}"[1:] in page or "98%" in page
    for name in ("plan", "money"):
        assert after["verdict"]["headline"][:60] in told(capsys, "show", folder, name)


def told_lab(
    capsys: pytest.CaptureFixture[str], name: str, folder: Path, *more: str
) -> str:
    capsys.readouterr()
    assert command([name, str(folder), *DAY, *more]) == 0
    return capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("one", "mine", "outcome", "answer", "rule"),
    [
        (0.6, 0.98, "meets", "yes", "proven"),
        (0.6, 0.3, "misses", "no", "proven"),
        (0.98, 0.98, "not_needed", "no", "met"),
    ],
)
def test_after_verify_the_answer_follows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], one: float, mine: float, outcome: str,
    answer: str, rule: str,
) -> None:  # fmt: skip
    with served({"one": one, "mine": mine}, general=GENERAL) as endpoint:
        names = models(endpoint, "one", tuned="mine")
        folder = folder_of(tmp_path, n=240, prompts={"p": "Answer.\n"}, models=names)
        found = json.loads(told_lab(capsys, "verify", folder, "--format", "json"))
        after = told(capsys, "decide", folder, "--format", "json")
    assert found["outcome"] == outcome
    assert (after["verdict"]["answer"], after["verdict"]["rule"]) == (answer, rule)
    if outcome == "not_needed":
        assert found["enough"].casefold() in after["verdict"]["headline"].casefold()


@pytest.mark.slow
def test_a_lookup_that_meets_the_target_ends_the_case(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It costs nothing: once the page said "ceiling reached", and nothing of it."""
    with served({"one": 0.2}) as endpoint:
        folder = folder_of(
            tmp_path,
            n=240,
            prompts={"p": "Name it.\n"},
            models=models(endpoint, "one"),
            more=TODAY,
        )
        rows = [{"id": f"c{i}", "input": f"lost my {w} card {i}", "reference": w}
                for i, w in enumerate(["gold", "blue", "work", "gift"] * 50)]  # fmt: skip
        for name, part in (("eval.jsonl", rows[:160]), ("examples.jsonl", rows[160:])):
            (folder / name).write_text("".join(json.dumps(row) + "\n" for row in part))
        told_lab(capsys, "ceiling", folder)
        after = told(capsys, "decide", folder, "--format", "json")
    assert (after["verdict"]["answer"], after["verdict"]["rule"]) == ("no", "met")
    first = after["recommendation"]["steps"][0]
    assert first["option"] == "plain_classifier"
    assert ways(after)[first["way"]]["figures"]["quality"]["low"] > 0.9
