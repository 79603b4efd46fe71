"""A folder as a portfolio: its order and sums, what a budget funds, and what is kept of it."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneworthy.cases import portfolio as cases_portfolio
from tuneworthy.cases.workspace import Workspace, open_directory
from tuneworthy.cli import run
from tuneworthy.model.base import Range, Unknown
from web_world import DAY, OPEN_CASE, Seen, a_client, a_shelf, a_site, with_examples

ANSWERS = ("yes", "pilot", "open", "not_yet", "no")
LACKS = Unknown(ask="state it")
AMOUNTS = st.one_of(
    st.none(),
    st.just(LACKS),
    st.integers(-500, 2_000).map(float),
    st.tuples(st.integers(0, 900), st.integers(0, 900)).map(
        lambda ends: Range(low=min(ends), high=max(ends))
    ),
    st.just(Range(low=3, high="open")),
)


@st.composite
def shelves(draw: st.DrawFn) -> list[cases_portfolio.CaseRow]:
    """Rows of a few cases: those that ask, those that don't, and those that can't be read."""
    rows = []
    for number in range(draw(st.integers(0, 7))):
        if draw(st.integers(0, 9)) == 0:
            rows.append(cases_portfolio.CaseRow(name=f"n{number}", problem="no case"))
            continue
        answer = draw(st.sampled_from(ANSWERS))
        rows.append(
            cases_portfolio.CaseRow(
                name=f"n{number}",
                title=draw(st.sampled_from(["Alpha", "beta", "Gamma"])),
                answer=answer,
                ask_usd=draw(AMOUNTS),
                worth_usd=draw(AMOUNTS),
                contradictions=draw(st.integers(0, 2)),
                measured=draw(st.integers(0, 3)),
                answered=3,
                due=draw(st.booleans()),
            )
        )
    return rows


# A budget ---------------------------------------------------------------------------------------


def per_dollar(row: cases_portfolio.CaseRow) -> float:
    most = row.ask_usd.high if isinstance(row.ask_usd, Range) else row.ask_usd
    assert isinstance(most, float)
    assert isinstance(row.worth_usd, float | Range)
    worth = row.worth_usd.high if isinstance(row.worth_usd, Range) else row.worth_usd
    assert isinstance(worth, float)
    return worth / most if most > 0 else float("inf")


def most_of(row: cases_portfolio.CaseRow) -> float:
    return row.ask_usd.high if isinstance(row.ask_usd, Range) else row.ask_usd  # type: ignore[return-value]  # a funded one's is a number


BUDGETS = st.integers(0, 3_000)


@settings(deadline=None)
@given(shelves(), BUDGETS)
def test_with_a_budget_cases_come_by_what_they_are_worth_for_a_dollar(
    rows: list[cases_portfolio.CaseRow], budget: int
) -> None:
    found = cases_portfolio.portfolio(rows, cases_portfolio.CaseQuery(budget=budget))
    assert found.funding is not None
    can = [
        row
        for row in found.cases
        if row.name in found.funding.funded
        or "below the line" in found.funding.describe_funding(row)
    ]
    values = [per_dollar(row) for row in can]
    assert values == sorted(values, reverse=True)
    assert [*found.cases[: len(can)]] == can  # what can't be funded is behind them
    assert [row.name for row in can][: len(found.funding.funded)] == [
        *found.funding.funded
    ]


@settings(deadline=None)
@given(shelves(), BUDGETS)
def test_the_line_falls_where_the_asks_pass_the_budget(
    rows: list[cases_portfolio.CaseRow], budget: int
) -> None:
    found = cases_portfolio.portfolio(rows, cases_portfolio.CaseQuery(budget=budget))
    funding = found.funding
    assert funding is not None
    by_name = {row.name: row for row in rows}
    asked = sum(most_of(by_name[name]) for name in funding.funded)
    assert funding.ask_usd == pytest.approx(asked)
    assert asked <= budget
    if found.line:
        assert asked + most_of(by_name[found.line]) > budget
        names = [row.name for row in found.cases]
        assert names[: names.index(found.line)] == [*funding.funded]
    assert (
        cases_portfolio.portfolio(
            rows, cases_portfolio.CaseQuery(budget=budget, sort="name")
        ).line
        == ""
    )
    assert (
        cases_portfolio.portfolio(
            rows, cases_portfolio.CaseQuery(budget=budget, reverse=True)
        ).line
        == ""
    )


@settings(deadline=None)
@given(shelves(), BUDGETS, BUDGETS)
def test_more_budget_never_takes_a_case_away(
    rows: list[cases_portfolio.CaseRow], budget: int, more: int
) -> None:
    small, large = (
        cases_portfolio.fund(rows, budget),
        cases_portfolio.fund(rows, budget + more),
    )
    assert {*small.funded} <= {*large.funded}
    assert small.worth_usd <= large.worth_usd
    assert {*small.funded, *small.left_out} == {row.name for row in rows}
    assert not set(small.funded) & set(small.left_out)
    assert all(small.left_out.values())
    for row in rows:
        if row.name in small.funded:
            assert row.answer not in (None, "no")
            assert not isinstance(row.ask_usd, Unknown)
            assert not isinstance(row.worth_usd, Unknown)


def test_what_is_left_out_says_why() -> None:
    def asks(name: str, ask: Any, worth: Any, **more: Any) -> cases_portfolio.CaseRow:
        told = {
            "title": name,
            "answer": "pilot",
            "ask_usd": ask,
            "worth_usd": worth,
            **more,
        }
        return cases_portfolio.CaseRow(name=name, **told)

    rows = [
        asks("small", 100.0, 300.0),
        asks("free", 0.0, 1.0),
        asks("wide", Range(low=50, high=901), 5_000.0),
        asks("lossy", 10.0, -20.0),
        asks("unsaid", LACKS, 20.0),
        asks("unworth", 10.0, LACKS),
        asks("endless", Range(low=1, high="open"), 20.0),
        cases_portfolio.CaseRow(name="no", answer="no", ask_usd=10.0, worth_usd=99.0),
        cases_portfolio.CaseRow(name="planless", answer="open", worth_usd=99.0),
        cases_portfolio.CaseRow(name="broken", problem="no case"),
        cases_portfolio.CaseRow(name="new", pending=True),
    ]
    found = cases_portfolio.fund(rows, 1_000)
    assert found.funded == {"free": None, "wide": pytest.approx(5_000 / 901)}
    assert (found.ask_usd, found.worth_usd) == (901, 5_001)
    assert (found.next, found.next_ask_usd) == ("small", 100)
    assert found.left_out == {
        "small": "below the line: asks $100, and $901 of $1,000 go to what is worth more a dollar",
        "lossy": "worth -$20 on average",
        "unsaid": "what it asks isn’t known: state it",
        "unworth": "what it is worth isn’t known: state it",
        "endless": "what it asks isn’t known: it has no upper end",
        "no": "nothing for tuning: the answer is don't tune",
        "planless": "asks for nothing: there is no plan yet",
        "broken": "can’t be read",
        "new": "being worked out",
    }


# Order and sums ---------------------------------------------------------------------------------


def test_the_command_sorts_by_every_order_there_is_and_by_no_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["list", "--help"]) == 0
    says = " ".join(capsys.readouterr().out.split())
    named = re.search(r"Sort by ([a-z_, ]+)\.", says)
    assert named is not None
    words = named[1].replace(" or ", ", ").split(", ")
    assert sorted(words) == sorted(get_args(cases_portfolio.Order))


@given(shelves(), st.sampled_from(get_args(cases_portfolio.Order)), st.booleans())
def test_an_order_loses_nothing_and_what_is_unknown_is_last(
    rows: list[cases_portfolio.CaseRow], order: Any, reverse: bool
) -> None:
    found = cases_portfolio.in_order(rows, order, reverse=reverse)
    assert sorted(row.name for row in found) == sorted(row.name for row in rows)
    assert found == cases_portfolio.in_order(found[::-1], order, reverse=reverse)
    if order == "ask":
        amounts = [
            one.high if isinstance(one := row.ask_usd, Range) else one for row in found
        ]
        known = [one for one in amounts if isinstance(one, float)]
        assert amounts[: len(known)] == sorted(known, reverse=not reverse)
    if order == "answer" and not reverse:
        places = [ANSWERS.index(row.answer) for row in found if row.answer]
        assert places == sorted(places)
        assert all(row.answer is None for row in found[len(places) :])


@given(
    shelves(),
    st.sampled_from(["", *ANSWERS]),
    st.booleans(),
    st.booleans(),
    st.integers(1, 3),
)
def test_parts_of_a_list_hold_what_fits_once_and_sums_are_of_all_that_fits(
    rows: list[cases_portfolio.CaseRow], answer: Any, clash: bool, due: bool, size: int
) -> None:
    query = cases_portfolio.CaseQuery(answer=answer, contradictions=clash, due=due)
    whole = cases_portfolio.portfolio(rows, query)
    found, after = list[cases_portfolio.CaseRow](), ""
    while True:
        part = cases_portfolio.portfolio(
            rows, query.model_copy(update={"after": after}), size
        )
        found += part.cases
        assert part.totals == whole.totals
        if not part.more:
            break
        after = found[-1].name
    assert tuple(found) == whole.cases
    assert len(found) == whole.matching
    for row in rows:
        fits = (
            answer in ("", row.answer)
            and row.contradictions >= clash
            and row.due >= due
        )
        assert (row in found) == fits
    asking = [row for row in found if row.ask_usd is not None]
    assert whole.totals.asking == len(asking)
    known = [row for row in asking if isinstance(row.ask_usd, float | Range)]
    assert whole.totals.ask_unknown == sum(
        not (isinstance(row.ask_usd, float) or row.ask_usd.high != "open")
        for row in known
        if isinstance(row.ask_usd, float | Range)
    ) + len(asking) - len(known)
    assert sum(whole.totals.answers.values()) >= whole.matching - whole.totals.problems


@pytest.mark.slow
def test_every_surface_says_the_same_of_a_folder(
    tmp_path: Path, project: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("tuneworthy.cases.workspace._MOMENT_S", 60.0)
    names = ("task-api", "game-dialogue", "law-firm", "ecommerce-returns")
    folder = with_examples(tmp_path / "shelf", project, *names)
    path = folder / "task-api" / "case.yaml"
    told = "decision: {owner: Ann <b>, review_on: 2026-11-01}\n"
    path.write_text(path.read_text("utf-8") + told, "utf-8")
    asked = ["list", str(folder), "--as-of", DAY.isoformat(), "--budget", "3000"]
    assert run([*asked, "--format", "json"]) == 0
    cli = json.loads(capsys.readouterr().out)
    client = a_client(a_site(folder))
    assert cli["totals"]["asking"] == 4
    assert set(cli["funding"]["funded"]) == {"game-dialogue"}
    assert run([*asked, "--all"]) == 0
    # cells wrap: no phrase is whole in a line
    words = set(re.split(r"[\s:,]+", capsys.readouterr().out))
    seen = Seen(client.get("/?budget=3000").text)
    for said in (
        "$3,000 funds 1 case for $2,860", "The budget of $3,000 ends here",
        "funded: worth $9.23 a dollar", "$780–$2,860", "Ann <b>",
        "nothing for tuning: the answer is don't tune", "1 Nov 2026, due",
    ):  # fmt: skip
        assert set(re.split(r"[\s:,]+", said)) <= words, said
        assert said in seen.text
    only = Seen(client.get("/?owner=Ann+%3Cb%3E&due=true").text)
    links = [one.get("href") for one in only.all("a")]
    assert [link for link in links if (link or "").startswith("/cases/")] == [
        "/cases/task-api"
    ]
    assert client.get("/?sort=nothing").status_code == 422
    assert client.get("/?budget=-1").status_code == 422
    assert client.get("/?budget=&owner=&find=").status_code == 200


@pytest.mark.parametrize(
    ("option", "value"), [("--budget", "much"), ("--budget", "-3"), ("--budget", "nan"),
                          ("--sort", "x"), ("--answer", "maybe"), ("--find", "x" * 101)]
)  # fmt: skip
def test_a_wrong_question_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    assert run(["list", str(tmp_path), option, value]) == 2
    error = capsys.readouterr().err
    assert error.startswith(
        (f"{option}: is wrong: ", f"tuneworthy list: Invalid value for '{option}'")
    )
    assert error.count("\n") == 1


# What is kept -----------------------------------------------------------------------------------


def board(folder: Path, kept: Path) -> Workspace:
    return Workspace(open_directory(folder), DAY, cases_portfolio.KeptCases(kept))


def never(*_: object, **__: object) -> Any:
    raise AssertionError("it was judged again")


@pytest.mark.slow
def test_a_row_that_was_worked_out_is_there_at_the_next_start(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("broadband-helpdesk", "credit-memos", "first-idea")
    folder = with_examples(tmp_path / "shelf", project, *names)
    kept = tmp_path / "cache" / "kept.sqlite"
    first = board(folder, kept)
    rows = first.listed(cases_portfolio.CaseQuery(), 60)
    assert kept.stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr("tuneworthy.cases.workspace.decide", never)
    again = board(folder, kept)
    assert again.listed(cases_portfolio.CaseQuery(), 0.0) == rows
    path = folder / "first-idea" / "case.yaml"
    path.write_text(
        path.read_text("utf-8") + "\nname: Another\n".replace("name", "description")
    )
    assert [
        row.name
        for row in again.listed(cases_portfolio.CaseQuery(), 0.0).cases
        if row.pending
    ] == ["first-idea"]


def never_worked_out(*_: Any, **__: Any) -> Any:
    raise AssertionError("a list doesn't show that")


def test_a_list_says_what_the_report_says_and_works_out_nothing_else(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("task-api", "first-idea")
    folder = with_examples(tmp_path / "shelf", project, *names)
    with monkeypatch.context() as patch:
        patch.setattr("tuneworthy.verdict.judge._look_ahead", never_worked_out)
        patch.setattr("tuneworthy.money.simulate._Runs.details", never_worked_out)
        rows = board(folder, tmp_path / "kept.sqlite").listed(
            cases_portfolio.CaseQuery(sort="name"), 60
        )
    assert sorted(row.name for row in rows.cases) == sorted(names)
    shelf = Workspace(open_directory(folder), DAY)
    for row in rows.cases:
        case = shelf.evaluated(row.name)
        assert case.dossier.to_json()  # nothing of it waits any more
        report = cases_portfolio.case_row(row.name, case.dossier)
        assert row == report


def test_of_a_large_folder_what_was_looked_at_on_another_day_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {f"n{n}": OPEN_CASE for n in range(4)}
    folder, kept = (
        a_shelf(tmp_path / "shelf", **names),
        cases_portfolio.KeptCases(tmp_path / "kept.sqlite"),
    )
    monkeypatch.setattr("tuneworthy.cases.workspace._FEW", 1)
    Workspace(open_directory(folder), DAY, kept).warm()
    later = Workspace(open_directory(folder), DAY + timedelta(1), kept)
    found = later.listed(cases_portfolio.CaseQuery(), most=1)
    assert found.totals.pending == 4
    assert "4 cases being worked out" in found.totals.says
    later.warm()
    found = later.listed(cases_portfolio.CaseQuery(), most=1)
    assert found.totals.pending == 0


def test_another_version_of_the_program_judges_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, kept = a_shelf(tmp_path / "shelf", one=OPEN_CASE), tmp_path / "kept.sqlite"
    board(folder, kept).warm()
    monkeypatch.setattr("tuneworthy.cases.portfolio._program", lambda: "another")
    row = board(folder, kept).listed(cases_portfolio.CaseQuery(), 0.0).cases[0]
    assert (row.title, row.pending) == (
        "Warehouse helper",
        True,
    )  # as it was, and said so


def change(statement: str, *values: object) -> Callable[[Path], None]:
    def do(path: Path) -> None:
        base = sqlite3.connect(path)
        base.execute(statement, values)
        base.commit()
        base.close()

    return do


BROKEN: dict[str, Callable[[Path], object]] = {
    "nothing": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not a database, whatever it is called" * 99),
    "half": lambda path: path.write_bytes(path.read_bytes()[:3000]),
    "another table": change("DROP TABLE kept"),
    "a list": change("UPDATE kept SET row = '[]'"),
    "numbers": change("UPDATE kept SET row = 7, key = 7"),
    "deep": change("UPDATE kept SET row = ?", "[" * 100_000),
    "strange text": change("UPDATE kept SET row = CAST(X'FFFE' AS TEXT)"),
    "another's row": change(
        "UPDATE kept SET row = ?", '{"name": "../../x", "title": "mine"}'
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("broken", list(BROKEN))
def test_a_broken_file_is_as_good_as_none(tmp_path: Path, broken: str) -> None:
    folder, kept = a_shelf(tmp_path / "shelf", one=OPEN_CASE), tmp_path / "kept.sqlite"
    board(folder, kept).warm()
    change("PRAGMA wal_checkpoint(TRUNCATE)")(kept)
    for more in ("-wal", "-shm"):
        kept.with_name(kept.name + more).unlink(missing_ok=True)
    BROKEN[broken](kept)
    for _ in range(2):
        found = board(folder, kept).listed(cases_portfolio.CaseQuery(), 60)
        assert [(row.name, row.title, row.pending) for row in found.cases] == [
            ("one", "Warehouse helper", False)
        ]


def test_a_list_that_waits_looks_again_less_and_less_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = cases_portfolio.portfolio(
        [cases_portfolio.CaseRow(name="new", pending=True)], cases_portfolio.CaseQuery()
    )
    monkeypatch.setattr(Workspace, "listed", lambda *_, **__: found)
    client, address, waits = a_client(a_site(tmp_path)), "/", []
    for _ in range(8):
        (box,) = (
            one
            for one in Seen(client.get(address).text).all("div")
            if one.get("id") == "cases"
        )
        address = str(box["hx-get"])
        waits.append(str(box["hx-trigger"]).partition("delay:")[2])
    assert waits == ["2s", "4s", "8s", "16s", "32s", "60s", "60s", "60s"]
    assert client.get("/?again=1000000").status_code == 422


def test_where_nothing_can_be_kept_all_goes_on(tmp_path: Path) -> None:
    folder = a_shelf(tmp_path / "shelf", one=OPEN_CASE)
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "kept.sqlite", tmp_path):
        assert (
            board(folder, place).listed(cases_portfolio.CaseQuery(), 60).cases[0].title
            == "Warehouse helper"
        )


def test_what_a_training_record_or_a_pilot_says_is_part_of_what_was_judged(
    tmp_path: Path,
) -> None:
    told = "name: Tuned\ndata: {training: [learn/*.jsonl]}\n"
    folder = a_shelf(tmp_path / "shelf", one=told)
    (folder / "one" / "learn").mkdir()
    (folder / "one" / "learn" / "a.jsonl").write_text('{"a": 1}\n')
    shelf = Workspace(open_directory(folder), DAY)
    keys = [shelf.evaluated("one").key]
    with (folder / "one" / "learn" / "a.jsonl").open("a") as more:
        more.write('{"a": 2}\n')
    keys.append(shelf.evaluated("one").key)
    (folder / "one" / ".tuneworthy" / "pilot").mkdir(parents=True)
    (folder / "one" / ".tuneworthy" / "pilot" / "result.json").write_text("{")
    assert shelf.row("one").problem
    assert len(set(keys)) == 2


CLAIMED = """\
name: Claimed
ceiling:
  prompt_variations: yes
  foundation_models: yes
  retrieval_optimised: yes
  few_shot: yes
  structured_prompt: yes
"""


@pytest.mark.slow
def test_a_list_says_what_each_ceiling_rests_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in (("first", CLAIMED), ("second", "name: Idea\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "case.yaml").write_text(text)
    assert run(["list", str(tmp_path), "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["cases"]
    grades = {row["name"]: row.get("grade", "") for row in rows}
    assert grades == {"first": "claimed", "second": ""}
    assert run(["list", str(tmp_path), "--all"]) == 0
    table = capsys.readouterr().out
    assert re.search(r"Claimed .* claimed$", table, re.MULTILINE)
    assert re.search(r"Idea .* –$", table, re.MULTILINE)
    with a_client(a_site(tmp_path)) as client:
        assert client.get("/").text.count("ceiling claimed") == 1
