"""The command line as a user meets it."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import get_args

import click
import pytest
import yaml

from lab_world import folder_of
from tuneworthy import cli as cli_room
from tuneworthy import load_case, load_framework
from tuneworthy.cli import options as cli_options
from tuneworthy.cli import reports as decide_command
from tuneworthy.cli import run
from tuneworthy.model import dossier as model_dossier
from tuneworthy.model.framework import OUTCOMES
from tuneworthy.verdict.challenges import ALL as CHALLENGES

TASK = "examples/task-api"
ON = ("--as-of", "2026-11-24")


@pytest.fixture(autouse=True)
def _from_the_root(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setenv("NO_COLOR", "1")


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert run(arguments) == code
    out, err = capsys.readouterr()
    if code == 2:
        assert out == ""
        assert err.count("\n") == 1
        return err
    assert err == ""
    return out


def test_the_verdict_is_in_the_first_line(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "decide", TASK, *ON)
    answer, clause, now, *_ = out.splitlines()
    assert answer.startswith("Pilot it, if prompt decomposition isn't enough. ")
    assert clause.endswith(" no target is stated.")
    assert now.startswith(f"Now: state a target: tuneworthy answer {TASK}")


@pytest.mark.parametrize("seconds", [0.0, 3600.0, 253402214400.0, 1e11])
def test_a_clock_that_is_wrong_is_one_line_before_anything_is_paid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    seconds: float,
) -> None:  # fmt: skip
    """Once a lab of 1970 paid and then ended in an internal error."""
    folder = folder_of(tmp_path, n=40, models="[{id: 'fake:echo'}]")
    monkeypatch.setattr(time, "time", lambda: seconds)
    for arguments in (
        ["ceiling", str(folder), "--budget", "1"],
        ["decide", str(folder)],
    ):
        assert run(arguments) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "the clock of this machine is at" in line
        assert "set the clock" in line.lower()
    assert not (folder / ".tuneworthy").exists()


@pytest.mark.parametrize("answer", get_args(model_dossier.TuningAnswer))
def test_require_is_met_by_that_answer_alone(
    capsys: pytest.CaptureFixture[str], answer: model_dossier.TuningAnswer
) -> None:
    said(
        capsys, "decide", TASK, "--require", answer, code=0 if answer == "pilot" else 1
    )


def test_an_open_answer_meets_only_open(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    target = "targets: {quality: {at_least: 0.9}}\ndata: {examples: {count: 5000, usable: 5000}}\n"
    (tmp_path / "case.yaml").write_text(f"name: x\n{target}")
    for answer in get_args(model_dossier.TuningAnswer):
        code = 0 if answer == "open" else 1
        said(capsys, "decide", str(tmp_path), "--require", answer, code=code)


@pytest.mark.parametrize("word", [*OUTCOMES, "clear_gates", "proceed"])
def test_outcomes_and_actions_are_no_answers(
    capsys: pytest.CaptureFixture[str], word: str
) -> None:
    err = said(capsys, "decide", TASK, "--require", word, code=2)
    for answer in get_args(model_dossier.TuningAnswer):
        assert f"'{answer}'" in err


def test_a_what_if_changes_the_verdict_and_no_file(
    capsys: pytest.CaptureFixture[str], project: Path
) -> None:
    before = (project / TASK / "case.yaml").read_bytes()
    out = said(capsys, "decide", TASK, "--set", "brand_voice=no", "--format", "json")
    assert json.loads(out)["verdict"]["outcome"] == "improve_rag_or_switch_model"
    out = said(
        capsys, "decide", TASK, "--set", "safety.data_reviewed=no", "--format", "json"
    )
    assert (
        json.loads(out)["recommendation"]["steps"][1]["option"]
        == "clear_reasons_against"
    )
    assert (project / TASK / "case.yaml").read_bytes() == before


def test_an_error_says_where_what_and_the_fix(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    case = tmp_path / "case.yaml"
    case.write_text("name: x\nfactors:\n  brand_voice: yes\n  low_volum: no\n")
    err = said(capsys, "decide", str(case), code=2)
    assert err == (
        f'{case}:4: factor "low_volum" is not in the lesson framework. Did you mean "low_volume"?\n'
    )
    assert 'Did you mean "decide"?' in said(capsys, "decied", code=2)
    err = said(capsys, "framework", "show", "lessn", code=2)
    assert (
        err
        == '"lessn" names no known framework. Write lesson, or name a file with its path\n'
    )
    (tmp_path / "list.json").write_text("[]")
    memo = ("decide", TASK, "--format", "markdown")
    err = said(capsys, *memo, "--since", str(tmp_path / "list.json"), code=2)
    assert "list.json: is not a dossier but another kind of JSON. Write one with" in err
    assert "--as-of" in said(capsys, "decide", TASK, "--as-of", "tomorrow", code=2)


@pytest.mark.slow
def test_why_walks_the_tree_with_the_case_s_numbers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert said(capsys, "show", TASK, "why") == said(capsys, "show", TASK)
    out = said(capsys, "show", TASK, "why", "--all")
    assert out == said(capsys, "show", TASK, "--all")
    assert "Reasons for at most 3?" in out
    assert "for: 4)" in out
    assert "By this count: fine-tune candidate." in out
    assert "Divided by 10" in out
    out = said(capsys, "show", TASK, "why", "brand_voice")
    assert "it would be: improve retrieval or switch model" in out
    assert "To settle: Collect texts that sound right" in out


def every_id() -> list[str]:
    """All that has an id in the lesson, in the judgement and among the challenges."""
    lesson = load_framework()
    rooms = (lesson.factors, lesson.ceiling, lesson.signals, lesson.goals, lesson.approaches,
             lesson.options, lesson.judgement)  # fmt: skip
    targets = ("quality", "latency", "cost", "privacy")
    named = [name for room in rooms for name in room]
    return sorted({*named, *targets, *(each.id for each in CHALLENGES)})


@pytest.mark.slow
def test_every_id_is_explained_alone_and_in_a_case(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in every_id():
        alone = said(capsys, "framework", "show", "lesson", name)
        assert f"({name}), a" in flat(alone)
        assert "{" not in alone
        here = said(capsys, "show", TASK, "why", name)
        assert "Here" in here, name
        assert flat(alone).split("(")[0] in flat(here)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (("framework", "show", "lesson", "hybird"), 'Did you mean "hybrid"?'),
        (("show", TASK, "why", "personna"), 'Did you mean "persona"?'),
        (("show", TASK, "why", "no such thing"), "is nothing that can be explained"),
        (
            ("framework", "show", "lesson", "few_shot", "--format", "yaml"),
            "leave out the ID",
        ),
        (("show", "nowhere", "why", "brand_voice"), "Check the path"),
    ],
)
def test_what_has_no_id_is_told_the_nearest(
    capsys: pytest.CaptureFixture[str], asked: tuple[str, ...], says: str
) -> None:
    assert says in said(capsys, *asked, code=2)


def test_one_name_of_several_things_explains_them_all(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = flat(said(capsys, "framework", "show", "lesson", "latency"))
    for kind in ("a reason for fine-tuning", "a sign of a ceiling", "a target"):
        assert kind in out
    out = flat(said(capsys, "framework", "show", "lesson", "Few-shot examples"))
    assert out.startswith("few-shot examples (few_")


def test_the_next_question_comes_with_the_command_that_answers_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "c"
    said(capsys, "init", str(folder))
    out = flat(said(capsys, "decide", str(folder)))
    asked = json.loads(said(capsys, "decide", str(folder), "--format", "json"))[
        "next_questions"
    ][0]
    assert f"Answer next: {asked['ask']} tuneworthy answer" in out
    assert f"{asked['factor']}=yes (or no)" in out
    assert "=yes (or no)" not in said(capsys, "decide", TASK)


@pytest.mark.slow
def test_next_commands_of_a_folder_with_a_blank_can_be_pasted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(TASK, tmp_path / "my case")
    monkeypatch.chdir(tmp_path)
    for command in (("decide",), ("show", "options"), ("show", "why")):
        out = flat(said(capsys, command[0], "my case", *command[1:]))
        assert "'my case'" in out
        assert not re.search(r"tuneworthy [a-z|]+ my case", out)
    (tmp_path / "my case" / "case.yaml").write_text("name: x\n")
    (tmp_path / "no case").mkdir()
    for command in (
        ("ceiling", "my case"),
        ("pilot", "my case"),
        ("decide", "no case"),
    ):
        assert re.search(
            r"tuneworthy [a-z]+ '(my|no) case'", said(capsys, *command, code=2)
        )


@pytest.mark.slow
def test_one_ask_is_shown_by_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """A page once asked $1,425, and its conditions, $2,800–$7,600, stood beside it."""
    ask = json.loads(said(capsys, "decide", TASK, *ON, "--format", "json"))["ask"]
    usd = f"${ask['low']:,.0f}–${ask['high']:,.0f}"
    for command in (
        ("decide", TASK), ("decide", TASK, "--format", "markdown"),
        ("show", TASK, "money", "--all"), ("show", TASK, "plan"), ("list", "examples", "--all"),
    ):  # fmt: skip
        told = flat(said(capsys, *command, *ON))
        assert usd in told
        assert "aren't in it" not in told.replace("’", "'")


def test_why_names_nobody_as_the_source_of_what_is_unknown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, title in (("latency", "latency"), ("brand_voice", "brand voice")):
        out = said(capsys, "show", "examples/first-idea", "why", name)
        assert out.startswith(title)
        assert "unknown (not answered)" in flat(out)
    assert "Here yes (the team)" in flat(
        said(capsys, "show", TASK, "why", "brand_voice")
    )


def test_init_starts_a_case_that_decides(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "claims-bot"
    said(capsys, "init", str(folder))
    told = said(capsys, "decide", str(folder))
    assert "Nothing is answered yet." in told
    assert "Claims bot: By the framework “lesson”" in told
    assert "exists already" in said(capsys, "init", str(folder), code=2)
    schema = json.loads((folder / "case.schema.json").read_text(encoding="utf-8"))
    assert "low_volume" in schema["properties"]["factors"]["properties"]


def test_a_new_case_has_the_reasons_against_under_factors_where_none_are_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """They once stood under the signals, where no reason can be answered."""
    lesson = load_framework("lesson").model_dump(mode="json", exclude_defaults=True)
    against = list(lesson["anti_indicators"])
    kept = {"name": "own", "extends": "lesson", "indicators": {}, "measures": {}}
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump(kept))
    said(capsys, "init", str(tmp_path / "bot"), "--framework", str(own))
    started = yaml.safe_load((tmp_path / "bot" / "case.yaml").read_text("utf-8"))
    assert list(started["factors"]) == against
    assert not set(started["signals"]) & set(against)


@pytest.mark.slow
def test_the_comment_says_in_short_what_moved_since_the_base(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder, old = tmp_path / "bot", tmp_path / "old.json"
    said(capsys, "init", str(folder))
    said(capsys, "decide", str(folder), "--format", "json", "--output", str(old))
    said(capsys, "answer", str(folder), "few_shot=no", "brand_voice=yes")
    memo = ("decide", str(folder), "--format", "markdown", "--since", str(old))
    out = said(capsys, *memo)
    for row in ("For it | Brand voice; five open.", "Against it | Nothing; five open."):
        assert row in out
    assert "the answer was “can't say yet” and is “not yet”." in out
    assert "| Answer | Can't say yet | Not yet |" in out
    old.unlink()
    said(capsys, "decide", str(folder), "--format", "json", "--output", str(old))
    out = said(capsys, *memo)
    assert "the answer stays “not yet”." in out
    assert (
        "| Answer |" not in out.partition("What changed")[2].partition("</details>")[0]
    )


def test_a_wrong_value_names_its_key_once_and_a_day_says_how_it_is_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said(capsys, "init", str(tmp_path / "bot"))
    for typed, says in {
        "decision.review_on=soon": 'decision.review_on is "soon", which is not a day. Write it as',
        "targets.quality.at_least=140%": "targets.quality.at_least is 1.4. Use 1 or less",
    }.items():
        assert said(capsys, "answer", str(tmp_path / "bot"), typed, code=2).startswith(
            says
        )


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.slow
def test_nothing_is_called_justified_or_final_beside_a_contradiction(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "1 contradiction" in flat(said(capsys, "decide", TASK))
    for form in ("text", "markdown", "html", "record"):
        page = flat(said(capsys, "decide", TASK, "--format", form))
        assert "justified" not in page.lower().replace('"justified"', "")
        assert not re.search(r"\b(?:Final|Not final|Go ahead)\b", page)


def test_the_framework_commands_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Reasons against tuning" in said(
        capsys, "framework", "show", "lesson", "--all"
    )
    assert said(capsys, "framework", "show", "lesson", "--format", "yaml").startswith(
        "# The"
    )
    lint = json.loads(said(capsys, "framework", "check", "lesson", "--format", "json"))
    assert [f["count"] for f in lint["findings"] if f["id"] == "bands_disagree"] == [
        693,
        1023,
    ]
    said(capsys, "framework", "check", "lesson", "--strict", code=1)
    assert (
        json.loads(said(capsys, "framework", "schema"))["title"]
        == "Tuneworthy framework"
    )


@pytest.mark.slow
def test_a_closed_pipe_is_no_error(project: Path) -> None:
    script = f"{sys.executable} -m tuneworthy framework check lesson --format json | head -c 10"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {script}"],
        cwd=project,
        capture_output=True,
        check=False,
    )
    assert done.stderr == b""


@pytest.mark.slow
def test_an_ascii_terminal_is_no_error(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tuneworthy", "show", TASK],
        cwd=project, capture_output=True, check=True,
        env={"PYTHONIOENCODING": "ascii", "PATH": "/usr/bin:/bin", "PYTHONUTF8": "0"},
    )  # fmt: skip
    assert b"Answers and where they come from" in done.stdout
    assert done.stderr == b""


def test_colour_only_where_it_is_wanted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = said(capsys, "decide", TASK, *ON)
    assert "\x1b" not in plain
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("FORCE_COLOR", "1")
    coloured = said(capsys, "decide", TASK, *ON)
    assert "\x1b[" in coloured
    import re

    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_a_pilot_that_cannot_pay_is_not_required_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    # a candidate that doesn't pay is no candidate for a pilot
    loses = ("--set", "economics.monthly.ongoing_usd=9000")
    said(capsys, "decide", TASK, *loses, "--require", "pilot", code=1)


def test_what_to_do_now_is_the_first_step_of_the_recommendation(
    capsys: pytest.CaptureFixture[str],
) -> None:
    dossier = json.loads(said(capsys, "decide", TASK, "--format", "json"))
    first, *_ = dossier["recommendation"]["steps"]
    assert dossier["verdict"]["now"] == f"Now: {first['title']}: {first['command']}"


TYPED = {
    "goals=persona,generation": "goals: unknown → persona, generation",
    "goals=[format, persona]": "goals: unknown → format, persona",
    "cost=yes": "cost (factors.cost_optimization): unknown → yes",
    "Brand Voice=y": "brand voice (factors.brand_voice): unknown → yes",
    "retrieval_optimised=not_needed": "(ceiling.retrieval_optimised): unknown → not_needed",
    "prompt_variations=7": "prompt variations (ceiling.prompt_variations): unknown → 7",
    "data.examples=5k": "examples (data.examples): unknown → 5000",
    "today.quality=90%": "quality today (today.quality): unknown → 0.9",
    "economics.hourly_rate_usd=$800-1,600": "(economics.hourly_rate_usd): unknown → 800 to 1600",
    "economics.hourly_rate_usd={low: 1, likely: 2, high: 6}": "unknown → 1 to 2 to 6",
    "models=openai:gpt-4o, b": "models: unknown → openai:gpt-4o, b",
    "models=[{id: a, quality: 0.8}, {id: b}]": "models: unknown → a, b",
    "attempts=[{name: one, tried: [few_shot]}]": "attempts: unknown → one",
    "factors.brand_voice.note=Ann says so": "factors.brand_voice.note: unknown → Ann says so",
    "framework=lesson": "framework: unknown → lesson",
    "economics.assumptions.failure_chance=0.2": "failure_chance: unknown → 0.2",
}


@pytest.mark.slow
@pytest.mark.parametrize("typed", TYPED)
def test_answer_takes_what_people_type_and_says_what_became_of_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, typed: str
) -> None:
    case = tmp_path / "case.yaml"
    case.write_text("name: x  # ours\n")
    assert TYPED[typed] in flat(said(capsys, "answer", str(case), typed))
    once = case.read_bytes()
    assert once.startswith(b"name: x  # ours\n")
    assert ", as before" in flat(said(capsys, "answer", str(case), typed))
    assert case.read_bytes() == once
    said(capsys, "decide", str(case))  # what is written is judged


def test_one_model_more_leaves_those_that_are_there(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    case = tmp_path / "case.yaml"
    case.write_text("name: x\nmodels:\n  - {id: a, quality: 0.8}\n")
    said(capsys, "answer", str(case), "models=[{id: b}, {id: a, cases: 50}]")
    kept = [(each.id, each.quality, each.cases) for each in load_case(case).models]
    assert kept == [("a", 0.8, 50), ("b", None, None)]


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("latency=no", "factors.latency_requirements or signals.latency"),
        ("hallucination=yes", "nothing the lesson framework asks"),
        ("hourly_rate_usd=9", 'Did you mean "economics.hourly_rate_usd"?'),
        ("factors.nothing=yes", "nothing"),
        ("data.evaluation=100", "isn't there. Name a file or folder"),
        ("models=[{quality: 0.8}]", "names none"),
        ("models=[{id: a, usd_per_mtok: {input: {x: 1}}}]", "plain values"),
        ("framework=lessn", "lessn"),
        ("brand_voice=perhaps", "Answer yes, no or unknown"),
        ("economics.upfront.hours=-3", "Use 0 or more"),
    ],
)
def test_what_can_not_be_judged_is_refused_in_one_line_and_not_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, typed: str, says: str
) -> None:
    case = tmp_path / "case.yaml"
    case.write_text("name: x\n")
    for command in (("answer", str(case)), ("decide", str(case), "--set")):
        err = said(capsys, *command, typed, code=2)
        assert says in err
        assert err.count("\n") == 1
    assert case.read_text() == "name: x\n"


def test_another_framework_can_be_supposed_and_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    ours = "name: ours\nextends: lesson\nthresholds:\n  low_volume: {value: 5, unit: requests, "
    ours += "says: few, source: us, dated: 2026-11-27}\n"
    (tmp_path / "ours.yaml").write_text(ours)
    (tmp_path / "case.yaml").write_text(
        "name: x\neconomics: {traffic: {requests_per_month: 300}}\n"
    )
    case = str(tmp_path)
    supposed = ("--set", "framework=ours.yaml", "--format", "json")
    dossier = json.loads(said(capsys, "decide", case, *supposed))
    assert dossier["framework"]["name"] == "ours"
    assert dossier["factors"]["low_volume"]["state"] == "no"
    assert (
        json.loads(said(capsys, "decide", case, "--format", "json"))["framework"][
            "name"
        ]
        == "lesson"
    )
    said(capsys, "answer", case, "framework=ours.yaml")
    assert json.loads(said(capsys, "decide", case, "--format", "json")) == dossier


def test_a_case_that_can_not_be_written_whole_is_not_begun(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full after the first file."""
    real = os.fsync
    written: list[int] = []

    def full(descriptor: int) -> None:
        written.append(descriptor)
        if len(written) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    assert "No space left" in said(capsys, "init", str(tmp_path / "a" / "case"), code=2)
    assert not (tmp_path / "a" / "case").exists()
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "notes.txt").write_text("ours")
    written.clear()
    said(capsys, "init", str(tmp_path / "here"), code=2)
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        (["data.examples=many"], "isn't there. Write a count"),
        (
            ["data.prompts=nowhere", "brand_voice=no"],
            'data.prompts: "nowhere" isn\'t there',
        ),
        (["brand_voice="], "gets no value"),
        (["brand_voice=no", "brand_voice=yes"], "is given twice"),
    ],
)
def test_an_answer_that_can_not_be_meant_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, answers: list[str], says: str
) -> None:
    case = tmp_path / "case.yaml"
    case.write_text("name: x\ndata: {examples: 3000}\nfactors: {brand_voice: yes}\n")
    before = case.read_bytes()
    assert says in said(capsys, "answer", str(case), *answers, code=2)
    assert case.read_bytes() == before


def test_one_mistake_is_counted_once(capsys: pytest.CaptureFixture[str]) -> None:
    err = said(capsys, "decide", TASK, "--set", "economics.upfront.hours=-3", code=2)
    assert "more to mend" not in err


def test_nothing_asked_is_answered_with_the_help(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert said(capsys).startswith("Usage: tuneworthy")
    assert said(capsys, "framework").startswith("Usage: tuneworthy framework")


def test_a_stated_bill_and_its_volume_are_one_basis(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    case = tmp_path / "case.yaml"
    case.write_text(
        "name: x\n"
        "today: {usd_per_month: 1500}\n"
        "models: [{id: 'openai:gpt-4o', usd_per_mtok: {input: 2.5, output: 10}}]\n"
        "economics:\n"
        "  monthly: {api_savings_usd: 2500}\n"
        "  traffic: {requests_per_month: 60000, input_tokens: 3000, output_tokens: 300}\n"
    )
    dossier = json.loads(said(capsys, "decide", str(case), "--format", "json"))
    (one,) = (c for c in dossier["challenges"] if c["id"] == "saving_above_bill")
    # 60,000 x 2,500 / 1,500
    assert "It fits from about 100,000 calls a month" in one["says"]


def test_what_may_be_required_is_what_a_verdict_can_say() -> None:
    """The command names them itself, so that its help needs none of the nouns."""
    assert set(decide_command._ANSWERS) == {*get_args(model_dossier.TuningAnswer)}


@pytest.mark.slow
def test_leaving_looks_for_no_cycles_and_still_runs_what_waits_for_the_end() -> None:
    code = (
        "import atexit, gc, sys\n"
        "from tuneworthy.cli import main\n"
        "atexit.register(lambda: print('frozen' if gc.get_freeze_count() > 1000 else 'thawed'))\n"
        "main(['decide', 'nowhere'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "frozen\n")
    assert done.stderr.count("\n") == 1


def test_every_command_takes_one_thread_of_the_linear_algebra() -> None:
    code = (
        "import os, tuneworthy.cli as cli\n"
        "try: cli.main(['--version'])\n"
        "except SystemExit: print(os.environ['OPENBLAS_NUM_THREADS'])"
    )
    clean = {
        name: text
        for name, text in os.environ.items()
        if name != "OPENBLAS_NUM_THREADS"
    }
    said = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=clean,
    )
    assert said.stdout.splitlines()[-1] == "1"


# What the commands are, and what their help says ------------------------------------------------


def test_there_are_twenty_commands_in_four_groups(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = said(capsys, "--help")
    groups = re.findall(r"^([A-Z][a-z ]+):$", out, re.MULTILINE)
    assert groups == ["Options", "Decide", "Prove", "Do", "Look up"]
    listed = re.findall(r"^  ([a-z]+)  ", out, re.MULTILINE)
    assert " ".join(listed) == (
        "init interview answer decide show measure evalset ceiling retrieve verify data export "
        "pilot watch list serve mcp framework models demo"
    )


def every_command(
    command: click.Command = cli_room.cli, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from every_command(below, (*words, name))


def test_help_lists_all_but_what_is_rare_and_help_all_lists_that_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for words, command in every_command():
        short, whole = (
            said(capsys, *words, option) for option in ("--help", "--help-all")
        )
        assert "…" not in short
        assert "..." not in re.sub(r"KEY=VALUE\.\.\.|\[ARGS\]\.\.\.", "", short)
        options = [
            p for p in command.params if isinstance(p, click.Option) and not p.hidden
        ]
        rare = {p.opts[0] for p in options if isinstance(p, cli_options.RareOption)}
        for option in (p.opts[0] for p in options):
            assert f"  {option}" in whole, (words, option)
            listed = re.search(rf"^  {option}\b", short, re.MULTILINE)
            assert (listed is None) is (option in rare), (words, option)
        assert ("--help-all" in short) is bool(rare), words


def test_an_option_that_help_leaves_out_still_works_and_is_completed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "as of 24 Nov 2026" in said(capsys, "decide", TASK, *ON)
    assert "--as-of" not in said(capsys, "decide", "--help")
    assert "--as-of" in completed("decide", "--a")


def completed(*words: str) -> list[str]:
    from click.shell_completion import ShellComplete

    *before, begun = words
    found = ShellComplete(cli_room.cli, {}, "tuneworthy", "_X").get_completions(
        before, begun
    )
    return [item.value for item in found]


def test_a_shell_completes_commands_options_choices_and_paths(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {"decide", "show", "verify"} <= {*completed("")}
    assert completed("decide", TASK, "--format", "j") == ["json"]
    assert completed("decide", "examples/t") == ["examples/t"]
    monkeypatch.setenv("_TUNEWORTHY_COMPLETE", "bash_source")
    assert "complete" in said(capsys)


# show -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("section", ["options", "money", "plan", "why"])
def test_every_section_comes_as_text_markdown_and_json(
    capsys: pytest.CaptureFixture[str], section: str
) -> None:
    text, page, data = (
        said(capsys, "show", TASK, section, *ON, "--format", form)
        for form in ("text", "markdown", "json")
    )
    assert "Task API assistant" in text
    assert page.startswith("# Task API assistant")
    assert json.loads(data)
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (("optoins",), 'Did you mean "options"?'),
        (("why", "--months", "3"), "--months goes with money, not with why"),
        (("options", "--seed", "3"), "--seed goes with money, not with options"),
        (("money", "few_shot"), "ID goes with why, not with money"),
    ],
)
def test_what_does_not_go_with_a_section_is_refused(
    capsys: pytest.CaptureFixture[str], asked: tuple[str, ...], says: str
) -> None:
    assert says in said(capsys, "show", TASK, *asked, code=2)


def test_the_case_is_the_present_folder_where_none_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = said(capsys, "show", TASK, "plan", *ON)
    one = said(capsys, "show", TASK, "why", "few_shot", *ON)
    monkeypatch.chdir(TASK)
    flat_whole = flat(whole).replace(TASK, ".")
    assert flat(said(capsys, "show", "plan", *ON)) == flat_whole
    assert said(capsys, "show", "why", "few_shot", *ON) == one
    # a third name would be dropped without a word
    assert "nothing goes with extra" in said(
        capsys, "show", "why", "few_shot", "extra", code=2
    )


def test_the_json_of_an_id_holds_what_its_text_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = json.loads(
        said(capsys, "show", TASK, "why", "brand_voice", "--format", "json")
    )
    (meaning,) = data["meanings"]
    assert (meaning["id"], meaning["here"]) == ("brand_voice", ["yes (the team)"])
    assert data["otherwise"]["no"] == "improve_rag_or_switch_model"
    text = flat(said(capsys, "show", TASK, "why", "brand_voice"))
    for says in (
        *meaning["says"].values(),
        *(claim["says"] for claim in data["challenges"]),
    ):
        assert flat(says).replace("’", "'") in text


# The first screen -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_the_lesson_s_count_stands_in_its_checklist_and_nowhere_before(
    capsys: pytest.CaptureFixture[str], form: str
) -> None:
    """Rows of the count, its strength and the record are under all that decides."""
    if form == "html":
        pytest.importorskip("jinja2")
    out = said(capsys, "decide", "examples/insurance-claims", *ON, "--format", form)
    tags = r"<style.*?</style>|<script.*?</script>|<[^>]+>"
    plain = flat(unescape(re.sub(tags, " ", out, flags=re.DOTALL))).replace("’", "'")
    if form == "text":  # one line of it, below all that decides
        assert plain.count("fine-tune candidate") == 1
        assert plain.index("The lesson's checklist") > plain.index("Ask now")
        return
    _, title, after = plain.partition(
        "The checklist's count" if form == "markdown" else "Show the count"
    )
    assert title
    for says in (
        "By the lesson's checklist: fine-tune candidate",
        "strong (difference",
    ):
        assert says in after
        assert says not in plain.replace(title + after, "")
