"""Every first screen: 24 lines at 100 columns, the answer first, and where the rest is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from test_pilot import piloted

from lab_world import folder_of
from pilot_world import case_of as pilot_case
from tuneworthy import cli as cli_room
from tuneworthy.cli import run
from tuneworthy.report import blocks
from tuneworthy.report import render as render_document
from tuneworthy.report import text as report_text
from tuneworthy.report import width as report_width
from tuneworthy.report.sections import lab_pilot as section_lab_pilot

ROOT = Path(__file__).parents[2]
GALLERY = sorted(path.parent for path in ROOT.glob("examples/*/case.yaml"))
ON = ("--as-of", "2026-11-24")
SECTIONS = ("options", "money", "plan", "why")
REST = report_text.REST
MOST_LINES = 24


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A terminal of 100 columns, and nothing of this machine's user."""
    monkeypatch.setattr(cli_room, "columns_of", lambda _: 100)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))
    monkeypatch.setenv("NO_COLOR", "1")


def screen(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """The lines of a first screen; all of it is at least as long, and says no word of a rest."""
    run(arguments)
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert len(lines) <= MOST_LINES, "\n".join(lines)
    assert max(map(len, lines)) <= 100
    assert lines[0].strip()
    return lines


def everything(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    run((*arguments, "--all"))
    return capsys.readouterr().out.splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("case", GALLERY, ids=lambda path: path.name)
def test_every_section_of_a_gallery_case_begins_with_one_screen(
    case: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for section in SECTIONS:
        screen(capsys, "show", str(case), section, *ON)


@pytest.mark.slow
def test_what_a_screen_leaves_out_is_shown_by_all(
    capsys: pytest.CaptureFixture[str],
) -> None:
    case = str(ROOT / "examples" / "task-api")
    for section in ("options", "money", "why"):
        lines = screen(capsys, "show", case, section, *ON)
        whole = everything(capsys, "show", case, section, *ON)
        assert lines[-1].startswith(REST)
        assert len(whole) > len(lines)
        assert REST not in "\n".join(whole)


def test_a_case_with_nothing_but_a_name_has_its_screens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "case.yaml").write_text("name: Only a name\n")
    for section in SECTIONS:
        screen(capsys, "show", str(tmp_path), section, *ON)
    screen(capsys, "watch", str(tmp_path), *ON)


@pytest.mark.slow
def test_the_look_ups_begin_with_one_screen(capsys: pytest.CaptureFixture[str]) -> None:
    screen(capsys, "models", *ON)
    screen(capsys, "models", str(ROOT / "examples" / "task-api"), *ON)
    screen(capsys, "list", str(ROOT / "examples"), *ON)
    screen(capsys, "framework", "show", "lesson")
    screen(capsys, "framework", "show", str(ROOT / "examples/subtitles/framework.yaml"))
    screen(capsys, "framework", "check")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bank-call-routing", "municipal-services"])
def test_what_is_measured_drawn_and_gated_begins_with_one_screen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    folder = tmp_path / name
    beside = shutil.ignore_patterns(".tuneworthy", "expected.yaml")
    shutil.copytree(ROOT / "examples" / name, folder, ignore=beside)
    first, *_ = screen(capsys, "measure", str(folder))
    assert " calls, " in first
    screen(capsys, "measure", str(folder), "--examples")
    drawn = str(tmp_path / "drawn.jsonl")
    assert screen(capsys, "evalset", str(folder), "--output", drawn)[0].startswith(
        "Wrote "
    )
    screen(capsys, "data", str(folder))
    screen(capsys, "export", str(folder), "--to", "openai-sft")
    screen(capsys, "ceiling", str(folder), "--dry-run", *ON)


def library(folder: Path) -> str:
    """A case of which one model echoes and the tuned one repeats the nearest example."""
    models = "[{id: 'fake:echo'}, {id: 'fake:parrot', kind: tuned}]"
    prompts = {
        f"prompt {n}": f"Answer the question as clerk {n * n + 7}.\n" for n in range(4)
    }
    folder_of(folder, models=models, n=60, prompts=prompts)
    asked = [
        {
            "id": f"c{n}",
            "input": f"Where is book {n % 30} of room {n}?",
            "reference": f"{n % 3}",
        }
        for n in range(60)
    ]
    (folder / "eval.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in asked))
    file = folder / "case.yaml"
    file.write_text(file.read_text().replace(", examples: examples.jsonl", ""))
    return str(folder)


@pytest.mark.slow
def test_labs_begin_with_their_answer_and_what_to_do_now(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = library(tmp_path / "case")
    for lab in ("ceiling", "verify"):
        screen(capsys, lab, folder, "--dry-run", *ON)
        lines = screen(capsys, lab, folder, *ON)
        assert any(line.startswith("Now: ") for line in lines[:4])
    whole = "\n".join(everything(capsys, "ceiling", folder, *ON))
    assert "majority" in whole


def test_retrieval_begins_with_its_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "desk"
    shutil.copytree(ROOT / "examples" / "municipal-services", folder)
    lines = screen(capsys, "retrieve", str(folder), *ON)
    assert lines[0].startswith("Best is ")
    assert any(line.startswith("Now: ") for line in lines[:4])
    assert "recall" not in lines[0].casefold()


@pytest.mark.slow
def test_a_pilots_card_is_one_screen(tmp_path: Path) -> None:
    document = section_lab_pilot.pilot_document(
        piloted(pilot_case(tmp_path)), "Library", "library"
    )
    report_width.lay_out_for(100)
    with report_width.shown_to_extent("screen"):
        lines = render_document(document).splitlines()
    report_width.lay_out_for(0)
    assert len(lines) <= MOST_LINES
    assert lines[1] == "Now: tuneworthy decide library"


@pytest.mark.slow
@pytest.mark.parametrize("rows", [0, 1, 3, 20, 22, 23, 24, 500])
@pytest.mark.parametrize(
    "after", [(), ("Next: go on", "Then: rest"), ("Next: go on", REST)]
)
@pytest.mark.parametrize("kind", ["table", "bullets", "facts", "prose"])
def test_no_document_is_longer_than_a_screen_and_one_that_fits_is_whole(
    rows: int, after: tuple[str, ...], kind: str
) -> None:
    names = [f"r{n}" for n in range(rows)]
    made: dict[str, blocks.Parts] = {
        "table": blocks.table("Rows", "One | Two", [(name, "x") for name in names]),
        "bullets": blocks.bullets(names),
        "facts": blocks.facts([(name, "x") for name in names]),
        "prose": names,
    }
    sections = [
        blocks.section("a", "First", made[kind]), blocks.section("b", "Second", "A sentence.")
    ]  # fmt: skip
    document = blocks.Document("", "The answer", sections, after=after)
    report_width.lay_out_for(100)
    whole = render_document(document)
    with report_width.shown_to_extent("screen"):
        text = render_document(document)
    report_width.lay_out_for(0)
    assert len(text.splitlines()) <= MOST_LINES
    assert (text == whole) is (len(whole.splitlines()) <= MOST_LINES)
    assert all(line in text for line in after)
    if text != whole:
        assert text.splitlines()[-1].startswith(REST)
    assert text.count(REST) <= 1
