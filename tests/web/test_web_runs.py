"""Labs of every kind on the page: kept, listed after a restart, shown again, case by case."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient
from test_retrieval import reader, town

from faulty import Fake
from lab_world import CAREFUL, LOUD, PLAIN, folder_of, known
from live import LONGEST_S
from pilot_world import FakeTrainer, case_of
from tuneworthy import load_case
from tuneworthy.cases.workspace import Workspace, open_directory
from tuneworthy.cli import run as command
from tuneworthy.model.lab import CeilingResult
from tuneworthy.runs import labs as runs_labs
from tuneworthy.runs.labs import Labs, LabSettings
from tuneworthy.web.guard import Site
from web_world import DAY, Seen, a_client

PROMPTS = {"plain": PLAIN, "careful": CAREFUL, "loud": LOUD}
RIGHT = {"careful": 0.6, "SHOUT": 0.3, "Answer": 0.5}
PRICED = "[{id: 'fake:one', usd_per_mtok: {input: 1, output: 2}}]"
AT = "/cases/library"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_of(tmp_path / "library", n=60, prompts=PROMPTS, models=PRICED)


def site_of(folder: Path, fake: Fake) -> Site:
    board = Workspace(open_directory(folder.parent), None, DAY)
    return Site(board, labs=Labs(lambda ready: fake))


def ran(folder: Path, fake: Fake, kind: str = "ceiling") -> TestClient:
    """A page on which a lab ran to its end."""
    site = site_of(folder, fake)
    client = a_client(site)
    asked = {"kind": kind}
    seen = Seen(client.get(f"{AT}/lab/offer", params=asked).text)
    fields = {name: seen.hidden(name) for name in ("csrf", "calls", "usd")}
    started = client.post(f"{AT}/lab", data={**asked, **fields, "cap_usd": "5"})
    assert started.status_code == 303, started.text
    running = site.labs.last(folder)
    assert running is not None
    assert running.wait(LONGEST_S)
    assert running.error is None, running.error
    return client


@pytest.mark.slow
def test_a_run_is_there_after_a_restart_as_it_was_told(folder: Path) -> None:
    before = Seen(ran(folder, known(RIGHT)).get(f"{AT}/lab").text)
    client = a_client(site_of(folder, known({})))  # another server
    (one,) = runs_labs.kept_runs(load_case(folder))
    listed = Seen(client.get(f"{AT}/runs").text)
    assert one.says in listed.text
    shown = Seen(client.get(f"{AT}/runs/{one.id}").text)
    for part in (
        "Best prompt",
        "Ceiling",
        "Arms (a prompt with a model)",
        "Where the best prompt",
    ):
        assert part in before.text
        assert part in shown.text
    chart = client.get(f"{AT}/runs/{one.id}/charts/lab-board.svg")
    assert chart.headers["content-type"].startswith("image/svg")
    assert (
        "Start one" in Seen(a_client(empty(folder)).get("/cases/other/runs").text).text
    )


def empty(folder: Path) -> Site:
    folder_of(folder.parent / "other", n=8, prompts=PROMPTS, models=PRICED)
    return site_of(folder, known({}))


@pytest.mark.slow
def test_cases_by_arms_are_those_of_the_command_and_open_one_by_one(
    folder: Path,
) -> None:
    client = ran(folder, known(RIGHT))
    (run,) = runs_labs.kept_runs(load_case(folder))
    here = f"{AT}/runs/{run.id}/cases"
    told = json.loads(
        (folder / ".tuneworthy/runs" / f"{run.id}.cases.json").read_text("utf-8")
    )
    head, rows = told[0], told[1:]
    assert isinstance(run.result, CeilingResult)
    best = run.result.best
    right = {row[0]: row[head.index(best)].startswith("1.00") for row in rows}
    assert len(rows) == run.result.report
    whole = Seen(client.get(here).text)
    assert f"{len(rows)} cases." in whole.text
    wrong = Seen(client.get(here, params={"show": "wrong", "arm": best}).text)
    named = {one["id"] for one in wrong.all("tr") if "id" in one}
    assert named == {f"case-{case}" for case, is_right in right.items() if not is_right}
    for case, is_right in list(right.items())[:5]:
        opened = Seen(client.get(here, params={"case": case}).text)
        row = next(row for row in rows if row[0] == case)
        for text in row[1:3]:
            assert text in opened.text
        assert is_right == (f"{best} right" in opened.text)
    differ = Seen(client.get(here, params={"show": "differ"}).text)
    assert len(differ.all("tr")) <= len(whole.all("tr"))


@pytest.mark.slow
def test_every_mark_of_the_arms_leads_to_the_cases_that_it_was_asked(
    folder: Path,
) -> None:
    client = ran(folder, known(RIGHT))
    (run,) = runs_labs.kept_runs(load_case(folder))
    at = f"{AT}/runs/{run.id}"
    drawn = client.get(f"{at}/charts/lab-board.json").json()["data"]["values"]
    links = [row["lead"] for row in drawn]
    assert all(link.startswith(f"{at}/cases?part=select") for link in links)
    file = folder / ".tuneworthy" / "runs" / f"{run.id}.select.json"
    head, *rows = json.loads(file.read_text("utf-8"))
    assert isinstance(run.result, CeilingResult)
    assert len(rows) == run.result.select
    for row, link in zip(drawn, links, strict=True):
        asked = [one[0] for one in rows if one[head.index(row["title"])]]
        seen = Seen(client.get(link).text)
        assert {one["id"] for one in seen.all("tr") if "id" in one} == {
            f"case-{case}" for case in asked
        }
    file.unlink()  # as in a run of an older version
    older = Seen(client.get(links[0]).text)
    assert "weren’t kept" not in older.text
    assert {one.get("value") for one in older.all("option") if "selected" in one} >= {
        "report"
    }
    still = client.get(f"{at}/charts/lab-board.svg").text
    assert "href" not in still


@pytest.mark.slow
def test_a_lab_of_the_command_line_is_listed_too(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "case.yaml"
    path.write_text(path.read_text("utf-8").replace("fake:one", "fake:echo"), "utf-8")
    assert command(["ceiling", str(folder), "--budget", "1", "--cases", "csv"]) == 0
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    client = a_client(site_of(folder, known({})))
    (run,) = runs_labs.kept_runs(load_case(folder))
    shown = Seen(client.get(f"{AT}/runs/{run.id}/cases").text)
    told = {f"case-{row['case']}" for row in table if row["part"] == "report"}
    assert {one["id"] for one in shown.all("tr") if "id" in one} == told


@pytest.mark.slow
def test_the_retrieval_lab_is_free_and_answers_are_quoted(tmp_path: Path) -> None:
    folder = town(tmp_path / "library", n=60)
    client = ran(folder, reader(), "retrieve")
    (run,) = runs_labs.kept_runs(load_case(folder))
    assert run.kind == "retrieve"
    assert run.result.spend is None
    assert "Best way" in Seen(client.get(f"{AT}/runs/{run.id}").text).text
    asked = {"kind": "retrieve", "answers": "true"}
    quoted = Seen(client.get(f"{AT}/lab/offer", params=asked).text)
    assert int(quoted.hidden("calls")) > 0


@pytest.mark.slow
def test_verify_says_what_it_lacks(folder: Path) -> None:
    client = a_client(site_of(folder, known(RIGHT)))
    seen = Seen(client.get(f"{AT}/lab/offer", params={"kind": "verify"}).text)
    assert "names no tuned model" in seen.text
    assert any(link.get("href") == f"{AT}/models" for link in seen.all("a"))


@pytest.mark.slow
def test_verify_runs_and_is_kept(tmp_path: Path) -> None:
    models = (
        PRICED[:-1]
        + ", {id: 'fake:t', kind: tuned, usd_per_mtok: {input: 1, output: 2}}]"
    )
    folder = folder_of(tmp_path / "library", n=60, prompts=PROMPTS, models=models)
    client = ran(folder, known({"t": 1.0, **RIGHT}), "verify")
    (run,) = runs_labs.kept_runs(load_case(folder))
    assert run.kind == "verify"
    shown = Seen(client.get(f"{AT}/runs/{run.id}").text)
    assert run.says in shown.text
    assert "written down on" in shown.text


@pytest.mark.slow
def test_a_pilot_is_quoted_run_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = case_of(tmp_path / "library", cases=60, models="[{id: 'local:smollm2'}]")
    trainer = FakeTrainer(tmp_path / "log")
    monkeypatch.setattr("tuneworthy.runs.labs.LoraTrainer", lambda _: trainer)
    fake = known({"Answer": 0.3})
    seen = Seen(a_client(site_of(folder, fake)).get(f"{AT}/lab/offer?kind=pilot").text)
    assert "Time to train" in seen.text
    client = ran(folder, fake, "pilot")
    (run,) = runs_labs.kept_runs(load_case(folder))
    assert run.kind == "pilot"
    assert run.says in Seen(client.get(f"{AT}/runs").text).text
    assert (
        "The ways on the held-out cases"
        in Seen(client.get(f"{AT}/runs/{run.id}").text).text
    )
    shutil.rmtree(folder / ".tuneworthy/runs")
    told = Seen(client.get(AT).text).text
    assert ", by the pilot of " in told, "its card alone is a finding"


@pytest.mark.slow
def test_what_sends_nothing_is_done_at_once(folder: Path) -> None:
    client = a_client(site_of(folder, known(RIGHT)))
    csrf = {"csrf": Seen(client.get(f"{AT}/lab").text).hidden("csrf")}
    looked = [
        client.post(f"{AT}/lab/watch", data=csrf).headers["location"] for _ in range(2)
    ]
    assert looked[0] == looked[1]  # what says the same isn't kept twice
    again = a_client(site_of(folder, known({})))
    assert "Nobody has signed" in Seen(again.get(looked[0]).text).text
    ids = [
        one["id"]
        for one in Seen(again.get(looked[0]).text).all("section")
        if "id" in one
    ]
    assert len(set(ids)) == len(ids)
    listed = Seen(again.get(f"{AT}/runs").text).text
    assert "The signed decision" in listed
    path = folder / "case.yaml"
    path.write_text(
        path.read_text("utf-8").replace("data: {", "data: {training: t.jsonl, ")
    )
    assert client.post(f"{AT}/lab/data", data=csrf).status_code == 422
    (folder / "t.jsonl").write_text('{"input": "a", "output": "b"}\n', "utf-8")
    done = client.post(f"{AT}/lab/data", data=csrf).headers["location"]
    assert (folder / ".tuneworthy" / "training.json").exists()
    assert "1 example passed every gate" in Seen(again.get(done).text).text


def test_a_kept_check_with_a_broken_table_is_no_run(folder: Path) -> None:
    client = a_client(site_of(folder, known({})))
    csrf = {"csrf": Seen(client.get(f"{AT}/lab").text).hidden("csrf")}
    at = client.post(f"{AT}/lab/watch", data=csrf).headers["location"]
    path = folder / ".tuneworthy" / "runs" / f"{at.rpartition('/')[2]}.json"
    told = json.loads(path.read_text("utf-8"))
    table = {"caption": "x", "head": [{"title": "x"}], "rows": [[]]}
    for rows, status in (([["a"]], 200), ([[]], 422)):
        told["result"]["sections"] = [["x", [{**table, "rows": rows}]]]
        path.write_text(json.dumps(told), "utf-8")
        assert client.get(at).status_code == status
        listed = Seen(client.get(f"{AT}/runs").text).text
        assert ("1 more in that folder can’t be shown" in listed) is (status == 422)
        assert "None yet" not in listed


def test_of_large_runs_a_list_shows_the_newest(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = a_client(site_of(folder, known({})))
    csrf = {"csrf": Seen(client.get(f"{AT}/lab").text).hidden("csrf")}
    at = client.post(f"{AT}/lab/watch", data=csrf).headers["location"]
    (run,) = runs_labs.kept_runs(load_case(folder))
    path = folder / ".tuneworthy" / "runs" / f"{at.rpartition('/')[2]}.json"
    old = "20200101T000000-aaaaaaaa"
    text = path.read_text("utf-8")
    path.with_name(f"{old}.json").write_text(text.replace(run.id, old), "utf-8")
    assert [one.id for one in runs_labs.kept_runs(load_case(folder))] == [run.id, old]
    monkeypatch.setattr("tuneworthy.runs.labs._MOST_LISTED", len(text.encode()) + 10)
    assert [one.id for one in runs_labs.kept_runs(load_case(folder))] == [run.id]


def test_a_check_that_cannot_be_kept_is_shown_all_the_same(folder: Path) -> None:
    client = a_client(site_of(folder, known({})))
    csrf = {"csrf": Seen(client.get(f"{AT}/lab").text).hidden("csrf")}
    (folder / ".tuneworthy").mkdir(exist_ok=True)
    (folder / ".tuneworthy" / "runs").write_text("in the way", "utf-8")
    done = client.post(f"{AT}/lab/watch", data=csrf)
    assert done.status_code == 200, done.headers.get("location")
    assert "Nobody has signed" in Seen(done.text).text
    assert "couldn’t be kept" in Seen(done.text).text


def test_a_check_is_told_where_the_runs_are_not_ours_to_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / ".tuneworthy" / "runs").mkdir(parents=True)

    within = Path.iterdir

    def refused(self: Path) -> Iterator[Path]:
        if self.name == "runs":
            raise PermissionError(13, "Permission denied")
        return within(self)

    monkeypatch.setattr(Path, "iterdir", refused)
    assert command(["watch", str(folder)]) == 1
    assert "Nobody has signed" in capsys.readouterr().out


def test_a_watch_of_every_night_is_one_run_of_the_last_day_until_it_says_something_else(
    folder: Path,
) -> None:
    for day in (24, 25, 26):
        assert command(["watch", str(folder), "--as-of", f"2026-11-{day}"]) == 1
    (run,) = runs_labs.kept_runs(load_case(folder))
    assert run.says == "1 thing to look at, as of 26 Nov 2026"
    path = folder / "case.yaml"
    path.write_text(
        path.read_text("utf-8") + "\ndecision: {review_on: 2026-11-25}\n", "utf-8"
    )
    assert command(["watch", str(folder), "--as-of", "2026-11-27"]) == 1
    assert [one.says[:8] for one in runs_labs.kept_runs(load_case(folder))] == [
        "2 things",
        "1 thing ",
    ]


@pytest.mark.slow
def test_what_is_no_run_is_not_listed(folder: Path) -> None:
    client = ran(folder, known(RIGHT))
    runs = folder / ".tuneworthy" / "runs"
    (run,) = runs_labs.kept_runs(load_case(folder))
    other = json.loads((runs / f"{run.id}.json").read_text("utf-8"))
    names = ("20260101T000000-aaaaaaaa", "x", "20260101T000000-AAAAAAAA", "..x")
    for told in (
        "",
        "{",
        "[]",
        '{"id": "x"}',
        "null",
        "\x00",
        "[" * 5000,
        json.dumps(other),
    ):
        for name in names:
            (runs / f"{name}.json").write_text(told, "utf-8")
            (runs / f"{name}.cases.json").write_text(told, "utf-8")
        (runs / f"{run.id}.cases.json").write_text(told, "utf-8")
        assert [one.id for one in runs_labs.kept_runs(load_case(folder))] == [run.id]
        assert client.get(f"{AT}/runs").status_code == 200
        assert "weren’t kept" in client.get(f"{AT}/runs/{run.id}/cases").text
        for name in (*names, "..%2f..%2fcase", "%00"):
            assert client.get(f"{AT}/runs/{name}").status_code in (404, 422)


def test_a_run_is_of_the_kind_that_it_says_and_may_be_large(folder: Path) -> None:
    ran(folder, known(RIGHT))
    (run,) = runs_labs.kept_runs(load_case(folder))
    path = folder / ".tuneworthy" / "runs" / f"{run.id}.json"
    told = json.loads(path.read_text("utf-8"))
    for kind in ("verify", "retrieve", "pilot", "data", "watch", "x"):
        path.write_text(json.dumps({**told, "kind": kind}), "utf-8")
        assert runs_labs.kept_runs(load_case(folder)) == ()
    told["answered"] = [["Long", "x" * 2_000_000]]
    path.write_text(json.dumps(told), "utf-8")
    assert [one.id for one in runs_labs.kept_runs(load_case(folder))] == [run.id]


@pytest.mark.slow
def test_a_link_in_the_place_of_runs_leads_nowhere(
    folder: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder / ".tuneworthy").mkdir()
    (folder / ".tuneworthy" / "runs").symlink_to(outside)
    client = ran(folder, known(RIGHT))
    assert list(outside.iterdir()) == []
    assert client.get(f"{AT}/runs").status_code == 422


@pytest.mark.slow
def test_markup_in_answers_is_text(folder: Path) -> None:
    evil = "<script>alert(1)</script>"
    client = ran(folder, Fake(lambda request: evil))
    (run,) = runs_labs.kept_runs(load_case(folder))
    for path in ("", "/cases", "/cases?" + urlencode({"case": "eval.jsonl 2"})):
        seen = Seen(client.get(f"{AT}/runs/{run.id}{path}").text)
        assert not [one for one in seen.all("script") if "src" not in one]


# Models ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_models_are_chosen_with_prices_and_no_key_is_shown(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "sk-verysecret"
    monkeypatch.setenv("OPENAI_API_KEY", secret)
    client = a_client(site_of(folder, known({})))

    def add(**given: str) -> int:
        seen = Seen(client.get(f"{AT}/models").text)
        form = {name: seen.hidden(name) for name in ("csrf", "digest")}
        return client.post(f"{AT}/models", data={**form, **given}).status_code

    assert add(id="openai:gpt-4o") == 303
    page = client.get(f"{AT}/models").text
    assert "OPENAI_API_KEY" in page
    assert "2.5 in, 10 out" in page
    assert secret not in page
    assert add(id="openai:gpt-4o", usd_in="3", usd_out="12") == 303
    assert add(id="acme:tuned", kind="tuned", usd_in="1", usd_out="2") == 303
    assert add(id="acme:x", usd_in="dear") == 422
    assert add(id="x\n  base_url: http://evil") in (303, 422)
    models = {model.id: model for model in load_case(folder).models}
    assert models["openai:gpt-4o"].usd_per_mtok is not None
    assert models["acme:tuned"].kind == "tuned"
    assert all(model.base_url is None for model in models.values())
    text = "".join(
        path.read_text("utf-8") for path in folder.rglob("*.*l*") if path.is_file()
    )
    assert secret not in text


def test_settings_of_a_lab_are_ceilings_by_themselves() -> None:
    assert LabSettings().kind == "ceiling"
