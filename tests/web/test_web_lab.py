"""Labs on the page: quoted with the command that runs them, and what ran shown case by case."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient
from test_retrieval import reader, town

import hostile
from faulty import Fake
from lab_world import CAREFUL, LOUD, PLAIN, folder_of, known, lines
from pilot_world import case_of
from tuneworthy import load_case
from tuneworthy.cases import labs
from tuneworthy.cli import run as command
from tuneworthy.files import runs as files_runs
from tuneworthy.files.runs import kept_runs
from tuneworthy.lab import ceiling, retrieve, verify
from tuneworthy.lab.prepare import prepare
from tuneworthy.lab.quote import quoted
from tuneworthy.model.lab import CeilingResult
from web_world import DAY, Seen, a_client, a_site, all_routes

PROMPTS = {"plain": PLAIN, "careful": CAREFUL, "loud": LOUD}
RIGHT = {"careful": 0.6, "SHOUT": 0.3, "Answer": 0.5}
PRICE = "usd_per_mtok: {input: 1, output: 2}"
PRICED = f"[{{id: 'fake:one', {PRICE}}}]"
AT = "/cases/library"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_of(tmp_path / "library", n=60, prompts=PROMPTS, models=PRICED)


def client_of(folder: Path) -> TestClient:
    return a_client(a_site(folder.parent))


def ran(folder: Path, fake: Fake) -> files_runs.KeptRun:
    """A ceiling lab that ran to its end, as it is kept."""
    done = ceiling.run(prepare(folder, as_of=DAY), cap_usd=5, transport=fake)
    labs.keep_run(folder, "ceiling", done)
    (run,) = kept_runs(load_case(folder))
    return run


# What it would cost ----------------------------------------------------------------------------


def test_no_route_of_a_case_starts_a_lab(tmp_path: Path) -> None:
    routes = all_routes(a_client(a_site(tmp_path)))
    changing = {one.path for one in routes if "POST" in (one.methods or ())}
    assert not [path for path in changing if "/lab/" in path or path.endswith("/lab")]
    assert not [path for path in changing if "run" in path.removeprefix("/cases")]


@pytest.mark.parametrize("kind", ["ceiling", "pilot"])
def test_looking_at_a_lab_and_its_price_writes_nothing_and_copies_a_command(
    folder: Path, kind: str
) -> None:
    client = client_of(folder)
    before = sorted(folder.rglob("*"))
    assert client.get(f"{AT}/lab", params={"kind": kind}).status_code == 200
    seen = Seen(client.get(f"{AT}/lab/offer", params={"kind": kind}).text)
    (copied,) = [
        one["data-copy-text"] for one in seen.all("button") if "data-copy-text" in one
    ]
    assert (copied or "").startswith(f"tuneworthy {kind} library --")
    assert sorted(folder.rglob("*")) == before


def test_the_price_on_the_page_is_that_of_a_dry_run_and_its_budget_is_enough(
    folder: Path,
) -> None:
    ready = ceiling.with_search(prepare(folder, as_of=DAY))
    quote = quoted(ready)
    shown = Seen(client_of(folder).get(f"{AT}/lab/offer").text).text
    assert " ".join(ceiling.render_quote(ready, quote).split()) in shown
    offer = labs.offer_lab(folder, "library", "ceiling", DAY)
    budget = float(offer.command.rpartition(" ")[2])
    assert quote.usd_most <= budget < quote.usd_most + 0.01


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "says"),
    [("verify", "names no tuned model"), ("retrieve", "documents")],
)
def test_a_lab_that_cannot_run_yet_says_what_it_lacks(
    folder: Path, kind: str, says: str
) -> None:
    seen = Seen(client_of(folder).get(f"{AT}/lab/offer", params={"kind": kind}).text)
    assert "The lab can’t run yet." in seen.text
    assert says in seen.text
    assert any(form.get("action") == f"{AT}/files" for form in seen.all("form"))


@pytest.mark.slow
def test_a_price_that_nobody_knows_is_said(tmp_path: Path) -> None:
    place = "[{id: 'openai:nobody-knows', base_url: 'http://127.0.0.1:9/v1'}]"
    folder = folder_of(tmp_path / "library", models=place)
    text = Seen(client_of(folder).get(f"{AT}/lab/offer").text).text
    assert "not known for nobody-knows, so nothing is sent" in text


def test_code_beside_a_case_never_runs_from_the_page(folder: Path) -> None:
    (folder / "own.py").write_text("open('ran', 'w')\ndef score(*a):\n    return 1\n")
    lines(folder, 60, scorers=[{"id": "python", "function": "own.py:score"}])
    text = Seen(client_of(folder).get(f"{AT}/lab/offer").text).text
    assert "The lab can’t run yet." in text
    assert not (folder / "ran").exists()


@pytest.mark.slow
@pytest.mark.parametrize("change", ["runs SET paid = 'x'", "runs SET paid = -1"])
def test_a_ledger_that_somebody_spoilt_is_told_on_the_page(
    folder: Path, change: str
) -> None:
    ran(folder, known(RIGHT))
    client = client_of(folder)
    assert "calls.sqlite3" not in client.get(f"{AT}/lab/offer").text
    base = sqlite3.connect(folder / ".tuneworthy" / "calls.sqlite3")
    base.execute(f"UPDATE {change}")
    base.commit()
    base.close()
    for at in ("lab/offer", "label"):
        told = client.get(f"{AT}/{at}")
        assert told.status_code == 200
        assert "calls.sqlite3: " in told.text


# What ran ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_of_the_command_line_is_listed_and_shown_as_it_was_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = folder_of(folder.parent / "other", n=8, models=PRICED)
    client = client_of(empty)
    assert "None yet." in Seen(client.get("/cases/other/runs").text).text
    path = folder / "case.yaml"
    path.write_text(path.read_text("utf-8").replace("fake:one", "fake:echo"), "utf-8")
    assert command(["ceiling", str(folder), "--budget", "1", "--cases", "csv"]) == 0
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    (run,) = kept_runs(load_case(folder))
    assert run.says in Seen(client.get(f"{AT}/runs").text).text
    shown = Seen(client.get(f"{AT}/runs/{run.id}").text)
    for part in (run.says, "Arms (a prompt with a model)", "Where the best prompt"):
        assert part in shown.text
    assert run.says in Seen(client.get(AT).text).text
    chart = client.get(f"{AT}/runs/{run.id}/charts/lab-board.svg")
    assert chart.headers["content-type"].startswith("image/svg")
    assert "href" not in chart.text
    grid = Seen(client.get(f"{AT}/runs/{run.id}/cases").text)
    told = {f"case-{row['case']}" for row in table if row["part"] == "report"}
    assert {one["id"] for one in grid.all("tr") if "id" in one} == told


@pytest.mark.slow
def test_cases_by_arms_are_those_that_were_scored_and_open_one_by_one(
    folder: Path,
) -> None:
    run = ran(folder, known(RIGHT))
    client = client_of(folder)
    here = f"{AT}/runs/{run.id}/cases"
    file = folder / ".tuneworthy/runs" / f"{run.id}.cases.json"
    head, *rows = json.loads(file.read_text("utf-8"))
    assert isinstance(run.result, CeilingResult)
    best = run.result.best
    right = {row[0]: row[head.index(best)].startswith("1.00") for row in rows}
    assert len(rows) == run.result.report
    whole = Seen(client.get(here).text)
    assert f"{len(rows)} cases." in whole.text
    wrong = Seen(client.get(here, params={"show": "wrong", "arm": best}).text)
    named = {one["id"] for one in wrong.all("tr") if "id" in one}
    assert named == {f"case-{case}" for case, is_right in right.items() if not is_right}
    for row in rows[:5]:
        opened = Seen(client.get(here, params={"case": row[0]}).text)
        assert all(text in opened.text for text in row[1:3])
        assert right[row[0]] == (f"{best} right" in opened.text)
    differ = Seen(client.get(here, params={"show": "differ"}).text)
    assert len(differ.all("tr")) <= len(whole.all("tr"))


def _verified(tmp_path: Path) -> tuple[Path, str, Any]:
    models = f"{PRICED[:-1]}, {{id: 'fake:t', kind: tuned, {PRICE}}}]"
    folder = folder_of(tmp_path / "library", n=60, prompts=PROMPTS, models=models)
    fake = known({"t": 1.0, **RIGHT})
    done = verify.run(prepare(folder, as_of=DAY), cap_usd=5, transport=fake)
    return folder, "written down on", done


def _retrieved(tmp_path: Path) -> tuple[Path, str, Any]:
    folder = town(tmp_path / "library", n=60)
    ready = retrieve.prepare(folder, as_of=DAY)
    return folder, "Best way", retrieve.run(ready, cap_usd=0, transport=reader())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "world"), [("verify", _verified), ("retrieve", _retrieved)]
)
def test_a_lab_of_every_kind_is_kept_and_shown(
    tmp_path: Path, kind: str, world: Callable[[Path], tuple[Path, str, Any]]
) -> None:
    folder, says, done = world(tmp_path)
    labs.keep_run(folder, kind, done)  # type: ignore[arg-type]  # of the parameters
    (run,) = kept_runs(load_case(folder))
    assert run.kind == kind
    shown = Seen(client_of(folder).get(f"{AT}/runs/{run.id}").text).text
    assert run.says in shown
    assert says in shown


def test_a_pilot_is_offered_as_a_command_alone(tmp_path: Path) -> None:
    folder = case_of(tmp_path / "library", cases=60, models="[{id: 'local:smollm2'}]")
    seen = Seen(client_of(folder).get(f"{AT}/lab/offer?kind=pilot").text)
    assert "tuneworthy pilot library --dry-run" in seen.text


@pytest.mark.slow
def test_what_is_no_run_is_not_listed(folder: Path) -> None:
    run = ran(folder, known(RIGHT))
    client = client_of(folder)
    place = folder / ".tuneworthy" / "runs"
    path = place / f"{run.id}.json"
    text = path.read_text("utf-8")
    names = ("20260101T000000-aaaaaaaa", "x", "20260101T000000-AAAAAAAA", "..x")
    for told in ("", "{", "[]", '{"id": "x"}', "null", "\x00", "[" * 5000, text):
        for name in names:
            (place / f"{name}.json").write_text(told, "utf-8")
            (place / f"{name}.cases.json").write_text(told, "utf-8")
        (place / f"{run.id}.cases.json").write_text(told, "utf-8")
        assert [one.id for one in kept_runs(load_case(folder))] == [run.id]
        listed = client.get(f"{AT}/runs")
        assert "1 more in that folder can’t be shown" in Seen(listed.text).text
        assert "weren’t kept" in client.get(f"{AT}/runs/{run.id}/cases").text
        for name in (*names, "..%2f..%2fcase", "%00"):
            assert client.get(f"{AT}/runs/{name}").status_code in (404, 422)
    for kind in ("verify", "retrieve", "pilot", "watch", "x"):  # not what it says
        path.write_text(json.dumps({**json.loads(text), "kind": kind}), "utf-8")
        assert kept_runs(load_case(folder)) == ()


@pytest.mark.slow
def test_of_large_runs_a_list_shows_the_newest(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ran(folder, known(RIGHT))
    path = folder / ".tuneworthy" / "runs" / f"{run.id}.json"
    told = json.loads(path.read_text("utf-8"))
    told["answered"] = [["Long", "x" * 2_000_000]]
    text = json.dumps(told)
    path.write_text(text, "utf-8")
    old = "20200101T000000-aaaaaaaa"
    path.with_name(f"{old}.json").write_text(text.replace(run.id, old), "utf-8")
    assert [one.id for one in kept_runs(load_case(folder))] == [run.id, old]
    monkeypatch.setattr(files_runs, "_MOST_LISTED", len(text.encode()) + 10)
    assert [one.id for one in kept_runs(load_case(folder))] == [run.id]


@pytest.mark.slow
@pytest.mark.parametrize("way", ["link", "file"])
def test_a_folder_of_runs_that_is_none_costs_no_result_and_leads_nowhere(
    folder: Path, tmp_path: Path, way: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    place = folder / ".tuneworthy" / "runs"
    place.parent.mkdir()
    if way == "link":
        place.symlink_to(outside)
    else:
        place.write_text("in the way", "utf-8")
    done = ceiling.run(prepare(folder, as_of=DAY), cap_usd=5, transport=known(RIGHT))
    labs.keep_run(folder, "ceiling", done)
    assert list(outside.iterdir()) == []


@pytest.mark.slow
def test_hostile_answers_and_names_are_text_on_every_page_of_a_run(
    tmp_path: Path,
) -> None:
    prompts = {"plain": PLAIN, "x'><img src=x onerror=alert(1)>": LOUD}
    folder = folder_of(tmp_path / "library", n=48, prompts=prompts, models=PRICED)
    outputs = iter(hostile.PAYLOADS * 1000)
    run = ran(folder, Fake(lambda request: f"{next(outputs)} {hostile.HIDDEN}"))
    client = client_of(folder)
    at = f"{AT}/runs/{run.id}"
    opened = urlencode({"case": "eval.jsonl 2"})
    for path in (
        at,
        f"{at}/cases",
        f"{at}/cases?{opened}",
        f"{AT}/lab/offer",
        f"{AT}/runs",
    ):
        page = client.get(path).text
        seen = Seen(page)
        assert all((one["src"] or "").startswith(f"{at}/") for one in seen.all("img"))
        assert all((one.get("src") or "").startswith("/") for one in seen.all("script"))
        assert not [
            a for _, a in seen.elements if any(key.startswith("on") for key in a)
        ]
        assert "\u202e" not in page


# Models ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_models_are_chosen_with_prices_and_no_key_is_shown(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "sk-verysecret"
    monkeypatch.setenv("OPENAI_API_KEY", secret)
    client = client_of(folder)

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
