"""Cases judged once, and again when anything they rest on has changed."""

from __future__ import annotations

import json
import os
import re
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneworthy import CaseError, InputError, decide, load_case, load_framework
from tuneworthy import errors as errors_room
from tuneworthy.cases import portfolio as cases_portfolio
from tuneworthy.cases import workspace as workspace_module
from tuneworthy.cases.workspace import Workspace, open_directory
from tuneworthy.errors import ConflictError
from tuneworthy.files.stores import read_versions
from tuneworthy.framework.load import catalogue_text
from tuneworthy.pipeline import framework_of
from web_world import DAY, OPEN_CASE, a_shelf

RICH = """\
name: Rich
framework: own.yaml
data: {prompts: prompts, voice: voice.md}
ceiling: {prompt_variations: 5}
"""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, a part of a list ends when it is full."""
    monkeypatch.setattr("tuneworthy.cases.workspace._MOMENT_S", 60.0)


def a_board(folder: Path) -> Workspace:
    return Workspace(open_directory(folder), DAY)


def fresh(folder: Path) -> str:
    """The dossier as a command would make it now."""
    case = load_case(folder)
    return decide(case, framework_of(case), as_of=DAY).to_json()


@pytest.fixture
def rich(tmp_path: Path, project: Path) -> Path:
    """A case that rests on every kind of file: framework, prompts, evidence, and one that lacks."""
    folder = a_shelf(tmp_path / "shelf", rich=RICH) / "rich"
    (folder / "own.yaml").write_text(catalogue_text("lesson.yaml"), "utf-8")
    (folder / "prompts").mkdir()
    for number in range(2):
        (folder / "prompts" / f"{number}.md").write_text(
            f"Prompt {number}: " + "do " * 30, "utf-8"
        )
    ledger = project / "examples/broadband-helpdesk/.tuneworthy/evidence.jsonl"
    (folder / ".tuneworthy").mkdir()
    shutil.copy(ledger, folder / ".tuneworthy" / "evidence.jsonl")
    return folder


def swap(path: Path, old: str, new: str) -> None:
    """Change a file in place to one of the same size and the same times."""
    times, text = path.stat(), path.read_text("utf-8")
    assert old in text
    assert len(old) == len(new)
    path.write_text(text.replace(old, new), "utf-8")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_what_has_not_changed_is_not_judged_again(rich: Path) -> None:
    board = a_board(rich.parent)
    assert board.evaluated("rich") is board.evaluated("rich")
    assert board.evaluated("rich").dossier.to_json() == fresh(rich)


@pytest.mark.slow
@pytest.mark.parametrize(
    "change", ["case", "framework", "prompt", "evidence", "missing", "torn"]
)
def test_no_verdict_is_stale_however_quietly_a_file_changes(
    rich: Path, change: str
) -> None:
    if change == "prompt":  # measured prompts would count before those that lie there
        (rich / ".tuneworthy" / "evidence.jsonl").unlink()
    board = a_board(rich.parent)
    before = board.evaluated("rich").dossier.to_json()
    if change == "case":
        swap(rich / "case.yaml", "prompt_variations: 5", "prompt_variations: 2")
    elif change == "framework":
        swap(rich / "own.yaml", "denominator: 10", "denominator: 11")
    elif change == "prompt":
        other = (rich / "prompts" / "0.md").read_text("utf-8")
        (rich / "prompts" / "1.md").write_text(other, "utf-8")
    elif change == "evidence":
        (rich / ".tuneworthy" / "evidence.jsonl").unlink()
    elif change == "missing":
        (rich / "voice.md").write_text("ours", "utf-8")
    else:
        path = rich / ".tuneworthy" / "evidence.jsonl"
        lines = path.read_text("utf-8").splitlines(keepends=True)
        path.write_text("".join(lines[:-1]), "utf-8")
    after = board.evaluated("rich").dossier.to_json()
    assert after == fresh(rich)
    assert after != before
    assert board.row("rich").answer is not None


def test_today_moves_on_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = Workspace(open_directory(a_shelf(tmp_path, one=OPEN_CASE)))
    for day in (date(2026, 11, 24), date(2026, 11, 25)):
        monkeypatch.setattr("tuneworthy.cases.workspace.today", lambda day=day: day)
        assert board.evaluated("one").dossier.as_of == day


def test_what_was_there_only_while_it_was_judged_is_not_kept(
    rich: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board, lacking = a_board(rich.parent), rich / "voice.md"
    real = board.decide

    def meanwhile(*given: object) -> object:
        lacking.write_text("ours", "utf-8")
        return real(*given)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(board, "decide", meanwhile)
    board.evaluated("rich")
    monkeypatch.setattr(board, "decide", real)
    lacking.unlink()
    assert board.evaluated("rich").dossier.to_json() == fresh(rich)


LESSON = load_framework("lesson")
NAMES = [*LESSON.ceiling, *LESSON.factors, *LESSON.signals]
MONEY = """\
name: Money
goals: [persona]
economics:
  hourly_rate_usd: 100
  upfront: {hours: {low: 40, likely: 60, high: 80}}
  monthly:
    api_savings_usd: {low: 500, likely: 1500, high: 2500}
    ongoing_usd: {low: 100, likely: 400, high: 900}
  traffic: {requests_per_month: 200000, input_tokens: 3000, output_tokens: 300}
models: [{id: "openai:gpt-4o"}]
data: {examples: 4000}
"""


@pytest.mark.slow
@settings(max_examples=10)
@given(
    st.lists(
        st.tuples(st.sampled_from(NAMES), st.sampled_from(["yes", "no", "unknown"])),
        max_size=4,
    )
)
def test_toggling_one_answer_after_the_other_comes_to_what_the_file_says(
    tmp_path_factory: pytest.TempPathFactory, toggles: list[tuple[str, str]]
) -> None:
    folder = a_shelf(tmp_path_factory.mktemp("toggled"), money=MONEY)
    board = a_board(folder)
    for name, state in toggles:
        judged = board.set_answers(
            "money", {name: state}, board.evaluated("money").digest
        )
        assert judged is board.evaluated("money")
    assert board.evaluated("money").dossier.to_json() == fresh(folder / "money")


def test_an_answer_to_another_file_is_a_conflict_and_writes_nothing(
    tmp_path: Path,
) -> None:
    folder = a_shelf(tmp_path, one=OPEN_CASE)
    board, path = a_board(folder), folder / "one" / "case.yaml"
    seen = board.evaluated("one").digest
    path.write_text(OPEN_CASE + "description: theirs\n", "utf-8")
    with pytest.raises(ConflictError):
        board.set_answers("one", {"few_shot": "yes"}, seen)
    assert path.read_text("utf-8") == OPEN_CASE + "description: theirs\n"


def test_a_wrong_answer_writes_nothing(tmp_path: Path) -> None:
    folder = a_shelf(tmp_path, one=OPEN_CASE)
    board = a_board(folder)
    for answers in ({"few_shot": "perhaps"}, {"nonsense": "yes"}, {"few_shot": "9"}):
        with pytest.raises(CaseError):
            board.set_answers("one", answers, board.evaluated("one").digest)
    assert (folder / "one" / "case.yaml").read_text("utf-8") == OPEN_CASE


def test_the_parts_of_a_list_hold_every_case_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {f"case-{n:03}" for n in range(7)}
    board = a_board(a_shelf(tmp_path, **dict.fromkeys(names, OPEN_CASE)))
    monkeypatch.setattr("tuneworthy.cases.workspace._MOMENT_S", 60.0)
    for page, few in ((3, 200), (3, 0), (50, 200)):
        monkeypatch.setattr("tuneworthy.cases.workspace._PAGE", page)
        monkeypatch.setattr("tuneworthy.cases.workspace._FEW", few)
        found: list[str] = []
        part = board.listed(cases_portfolio.CaseQuery())
        while True:
            found += [row.name for row in part.cases]
            if not part.more:
                break
            part = board.listed(cases_portfolio.CaseQuery(after=found[-1]))
        assert found == sorted(names)
    assert [
        row.name for row in board.listed(cases_portfolio.CaseQuery(find="005")).cases
    ] == ["case-005"]


def test_what_is_not_worked_out_in_a_moment_is_pending_and_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = a_board(a_shelf(tmp_path, one=OPEN_CASE, two=OPEN_CASE))
    monkeypatch.setattr("tuneworthy.cases.workspace._MOMENT_S", 0.0)
    found = board.listed(cases_portfolio.CaseQuery(budget=10))
    assert [(row.name, row.answer, row.pending) for row in found.cases] == [
        ("one", None, True), ("two", None, True)
    ]  # fmt: skip
    assert found.totals.pending == 2
    assert found.funding is not None
    assert set(found.funding.left_out.values()) == {"being worked out"}
    board.warm()
    assert [row.pending for row in board.listed(cases_portfolio.CaseQuery()).cases] == [
        False,
        False,
    ]


def test_a_case_that_cannot_be_read_is_listed_with_its_reason(tmp_path: Path) -> None:
    folder = a_shelf(
        tmp_path, bad="name: [", good=OPEN_CASE, strange="name: x\nfactors: {a: yes}\n"
    )
    rows = {
        row.name: row
        for row in a_board(folder).listed(cases_portfolio.CaseQuery(), 60).cases
    }
    assert set(rows) == {"bad", "good", "strange"}
    assert rows["good"].answer is not None
    assert rows["good"].problem == ""
    assert rows["strange"].answer is None
    assert rows["strange"].problem.startswith("strange/case.yaml:2: ")
    assert str(tmp_path) not in rows["bad"].problem + rows["strange"].problem


def test_a_case_that_fails_for_a_reason_nobody_foresaw_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = a_board(a_shelf(tmp_path, good=OPEN_CASE, odd="name: Odd\n"))

    take_snapshot = workspace_module.take_snapshot

    def failing(folder: Path, *more: Any) -> Any:
        if folder.name == "odd":
            raise RecursionError("too deep\nby far")
        return take_snapshot(folder, *more)

    monkeypatch.setattr("tuneworthy.cases.workspace.take_snapshot", failing)
    board.warm()
    good, odd = board.listed(cases_portfolio.CaseQuery()).cases
    assert (good.answer is not None, good.problem) == (True, "")
    assert odd.answer is None
    assert odd.problem == r"odd: an internal error (RecursionError: too deep\nby far)"


@pytest.mark.parametrize("value", ["b/" * 3000 + "*", "b/" * 100 + "*", "**/" * 3000])
def test_a_pattern_of_many_parts_is_told_with_its_line(
    tmp_path: Path, value: str
) -> None:
    case = f"name: x\ndata:\n  traces:\n    - {json.dumps(value)}\n"
    row = a_board(a_shelf(tmp_path, deep=case)).row("deep")
    assert re.match(r"deep/case\.yaml:[34]: data\.traces", row.problem)
    assert row.problem.endswith("has more than 100 parts. Name a shorter path")


def test_a_name_that_is_no_case_is_told_apart(tmp_path: Path) -> None:
    board = a_board(a_shelf(tmp_path, one=OPEN_CASE))
    for name in ("two", "../one", "", "one/../one"):
        with pytest.raises(errors_room.NoSuchCaseError):
            board.evaluated(name)


# History ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_version_that_was_written_is_kept_with_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = a_shelf(tmp_path, one=OPEN_CASE)
    board = a_board(folder)
    first = board.evaluated("one")
    board.set_answers("one", {"few_shot": "yes"}, first.digest)
    path = folder / "one" / "case.yaml"
    path.write_text(
        path.read_text("utf-8").replace("few_shot: yes", "few_shot: no"), "utf-8"
    )
    by_hand = board.evaluated("one")
    now = board.set_answers("one", {"brand_voice": "yes"}, by_hand.digest)
    kept = read_versions(now.case)
    said = [load_case(yaml.safe_load(one.text)) for one in kept]
    few_shot = [case.ceiling.get("few_shot") for case in said]
    assert [one and one.value for one in few_shot] == [None, "yes", "no", "no"]
    assert [case.factors["brand_voice"].value for case in said] == [
        "no",
        "no",
        "no",
        "yes",
    ]
    assert workspace_module.answers_since(now, first.digest) == [
        "few-shot examples: no",
        "brand voice: yes",
    ]
    with pytest.raises(CaseError):
        workspace_module.answers_since(now, "0" * 64)


def test_only_the_last_save_is_taken_back(tmp_path: Path) -> None:
    folder = a_shelf(tmp_path, one=OPEN_CASE)
    board = a_board(folder)
    first = board.evaluated("one")
    second = board.set_answers("one", {"few_shot": "yes"}, first.digest)
    third = board.set_answers("one", {"brand_voice": "yes"}, second.digest)
    with pytest.raises(CaseError, match="only the last save can be taken back"):
        board.undo("one", first.digest, third.digest)
    with pytest.raises(ConflictError):
        board.undo("one", first.digest, second.digest)
    assert board.evaluated("one").digest == third.digest
    undone = board.undo("one", second.digest, third.digest)
    assert undone.text == second.text
    assert undone.dossier == second.dossier
    assert read_versions(undone.case)[-1].digest == second.digest


def test_a_history_that_leads_out_or_is_torn_stops_no_answer(tmp_path: Path) -> None:
    folder = a_shelf(tmp_path / "shelf", one=OPEN_CASE)
    outside = tmp_path / "outside"
    outside.write_text("theirs", "utf-8")
    (folder / "one" / ".tuneworthy").mkdir()
    history = folder / "one" / ".tuneworthy" / "history.jsonl"
    history.symlink_to(outside)
    board = a_board(folder)
    judged = board.set_answers(
        "one", {"few_shot": "yes"}, board.evaluated("one").digest
    )
    assert outside.read_text("utf-8") == "theirs"
    history.unlink()
    history.write_text('{"at": "2026-11-24T00', "utf-8")
    assert read_versions(judged.case) == ()
    judged = board.set_answers("one", {"few_shot": "no"}, judged.digest)
    assert ["few_shot: no" in one.text for one in read_versions(judged.case)] == [
        False,
        True,
    ]


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
           "2026-11-24T00:00:00"],
)  # fmt: skip
def test_a_version_of_a_time_that_no_calendar_has_is_left_out(
    tmp_path: Path, at: str
) -> None:
    folder = a_shelf(tmp_path, one=OPEN_CASE)
    (folder / "one" / ".tuneworthy").mkdir()
    told = {"at": at, "digest": "b" * 64, "text": OPEN_CASE}
    history = folder / "one" / ".tuneworthy" / "history.jsonl"
    history.write_text(json.dumps(told) + "\n", "utf-8")
    assert read_versions(load_case(folder / "one")) == ()
    told["at"] = "2026-11-24T00:00:00Z"
    history.write_text(json.dumps(told) + "\n", "utf-8")
    assert len(read_versions(load_case(folder / "one"))) == 1


@pytest.mark.slow
def test_a_history_keeps_to_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = a_shelf(tmp_path, one=OPEN_CASE)
    monkeypatch.setattr("tuneworthy.files.stores._MOST", 3000)
    board = a_board(folder)
    judged = board.evaluated("one")
    for n in range(12):
        state = ("yes", "no")[n % 2]
        judged = board.set_answers("one", {"few_shot": state}, judged.digest)
        assert (folder / "one" / ".tuneworthy" / "history.jsonl").stat().st_size <= 3000
    kept = read_versions(judged.case)
    assert kept[-1].digest == judged.digest
    assert 2 <= len(kept) < 12


@pytest.mark.parametrize("spoken", ["absolute", "relative", "here"])
def test_an_error_is_told_as_seen_from_the_folder_of_cases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoken: str
) -> None:
    folder = a_shelf(tmp_path / "c", bad="name: x\nfactors: {a: c/c}\n")
    monkeypatch.chdir(folder if spoken == "here" else tmp_path)
    shelf = open_directory(
        {"absolute": folder, "relative": Path("c"), "here": Path()}[spoken]
    )
    error = Workspace(shelf, DAY).row("bad").problem
    assert error.startswith("bad/case.yaml:2: ")
    assert str(tmp_path) not in error
    told = InputError("is abc/d", where=str(folder), fix="look into c/x.c/y")
    said = shelf.plain_error(told)
    assert re.fullmatch(r"(c|the folder): is abc/d\. Look into (c/)?x\.c/y", said)
