"""A plan is walked: each command that it prints is run as printed, one after the other.

The model and its training are stand-ins, of which the truth is set. All the rest is the product, as
a team meets it in a copy of a gallery case, offline.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from test_winners import script_of

from faulty import Fake
from lab_world import chance
from pilot_world import FakeTrainer, general_answers
from tuneworthy import load_case
from tuneworthy.cli import run as command
from tuneworthy.files import stores as files_stores
from tuneworthy.llm import embedded as llm_embedded
from tuneworthy.model import ways as model_ways
from tuneworthy.model.base import Unknown
from tuneworthy.model.case import Model
from tuneworthy.model.lab import Request
from tuneworthy.training import card as training_card
from tuneworthy.training import trainers as training_trainers
from tuneworthy.training.trainers import TrainingWork

EXAMPLES = Path(__file__).parents[2] / "examples"
SHARES = {"untuned": 0.5, "nearest": 0.6, "tuned": 1.0}
MOST_ROUNDS = 4


class OwnAdapters(FakeTrainer):
    """Trains at once, and names its models as the embedded way does."""

    async def finish(
        self, work: TrainingWork, id: str, step: training_trainers.Step
    ) -> training_trainers.Finished:
        done = await super().finish(work, id, step)
        return done._replace(model=f"local:smollm2+{work.job.key[:16]}")

    def served(self, model: str) -> Model:
        return Model(id=model, kind="tuned", runs="own")


def model_of(case: Path) -> Fake:
    """A model that is right as often as ``SHARES`` says, on the cases of a set."""
    lines = (case / "eval.jsonl").read_text("utf-8").splitlines()
    right = {}
    for row in map(json.loads, lines):
        reference = row["reference"]
        text = reference if isinstance(reference, str) else json.dumps(reference)
        right[row["input"]] = text
    answers = [*right.values()] * 2
    places = {case: place for place, case in enumerate(right)}
    general = general_answers()
    refused = {case.text for case in training_card.refusal_probes()}

    def answer(request: Request) -> str:
        asked = request.messages[-1].content
        if asked in general:
            return general[asked]
        if asked in refused:
            return "I'm sorry, but I can't help with that."
        kind = "nearest" if len(request.messages) > 3 else "untuned"
        if "+" in request.model:
            kind = "tuned"
        # whatever a prompt writes around it, and whatever examples it shows before
        case = max(right, key=asked.rfind)
        if case not in asked:
            return "{}"  # a planted secret is no case
        if chance(0, kind, case) < SHARES[kind]:
            return right[case]
        return next(text for text in answers[places[case] :] if text != right[case])

    return Fake(answer)


@pytest.fixture
def copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Path:
    """A copy of a case in the present folder, with stand-ins for its model and training."""
    case = tmp_path / "case"
    shutil.copytree(EXAMPLES / request.param, case)
    monkeypatch.chdir(tmp_path)
    model = model_of(case)
    monkeypatch.setattr(llm_embedded, "local_model", lambda _: model)
    trainer = OwnAdapters(tmp_path / "log")
    monkeypatch.setattr(training_trainers, "LoraTrainer", lambda *_, **__: trainer)
    return case


def said(capsys: pytest.CaptureFixture[str], *line: str) -> str:
    """What a command prints, without the breaks of its lines; it has to end well."""
    code = command([*line])
    printed = capsys.readouterr()
    assert code == 0, (line, printed.out[:1500], printed.err[-500:])
    return " ".join(printed.out.split())


def first_commands(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    """The commands of the first phase of the plan, as it prints them, but for those with a gap."""
    phases = json.loads(said(capsys, "show", "case", "plan", "--format", "json"))
    title = " ".join(phases["phases"][0]["title"].split())
    _, _, after = said(capsys, "show", "case", "plan", "--all").partition(
        f"1 {title} -"
    )
    tasks, _, _ = after.partition("Done when")
    assert tasks, title
    lines = []
    for printed, dry in re.findall(r"`tuneworthy ([^`]+)`(, and without)?", tasks):
        words = shlex.split(printed)
        if any(word.isupper() and word.isalpha() for word in words):
            continue  # a log or a result that only the team has
        assert not any("CASE" in word for word in words), printed
        lines.append(words)
        if dry:
            lines.append([word for word in words if word != "--dry-run"])
    return lines


def walked(capsys: pytest.CaptureFixture[str], until: Path) -> list[str]:
    """The commands that were run, phase after phase, until a file is there."""
    ran: list[str] = []
    for _ in range(MOST_ROUNDS):
        before = len(ran)
        for words in first_commands(capsys):
            said(capsys, *words)
            ran.append(" ".join(words))
        assert len(ran) > before, "a phase that names nothing to run"
        if until.exists():
            return ran
    pytest.fail(f"{until.name} wasn't reached: {ran}")


@pytest.mark.slow
@pytest.mark.parametrize("copied", ["logistics-dispatch"], indirect=True)
def test_a_plan_leads_from_a_case_to_the_card_by_its_own_commands(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = walked(capsys, copied / ".tuneworthy" / "pilot" / "result.json")
    names = [line.split()[0] for line in ran]
    assert names == ["ceiling", "ceiling", "data", "pilot", "pilot", "decide"]
    result = files_stores.read_pilot(load_case(copied))
    assert result is not None
    rows = {row.id: row for row in result.card.rows}
    assert rows["gain"].state == "met"
    quality = result.verify.targets["quality"].figure
    assert isinstance(quality, model_ways.Figure)
    assert quality.value == SHARES["tuned"]
    untuned = result.verify.untuned
    assert not isinstance(untuned, Unknown)
    assert untuned.low < SHARES["nearest"]
    assert untuned.high > SHARES["untuned"]
    # too few cases are held out for this target; the plan says how many more, and can draw them
    assert rows["quality"].state == "unknown"
    more = json.loads(said(capsys, "show", "case", "plan", "--format", "json"))
    number = re.search(r"label (\d+) more cases", more["phases"][0]["title"])
    assert number is not None
    assert f"label {number[1]} more cases" in said(capsys, "decide", "case")
    (draw,) = first_commands(capsys)
    assert draw == [
        *["evalset", "case", "--n"],
        number[1],
        "--output",
        "case/more.jsonl",
    ]
    said(capsys, *draw)
    assert (copied / "more.jsonl").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("copied", ["bank-call-routing"], indirect=True)
def test_a_plan_hands_over_the_head_that_ends_a_case(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied / "export" / "head"
    ran = walked(capsys, folder)
    assert ran[-1] == "export case --to head"
    decided = said(capsys, "decide", "case")
    assert "switch to a plain classifier and watch it for two weeks" in decided
    assert "tuneworthy export case --to head" in decided
    script = script_of(folder)
    cases: list[dict[str, Any]] = [
        json.loads(line)
        for line in (copied / "eval.jsonl").read_text("utf-8").splitlines()
    ]
    right = [script.label(row["input"])["label"] == row["reference"] for row in cases]
    assert sum(right) / len(right) >= 0.93
