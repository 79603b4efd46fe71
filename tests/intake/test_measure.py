"""``tuneworthy measure`` as a user meets it."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import wcwidth
from backports import zstd

from tuneworthy import CaseError, load_case
from tuneworthy import pipeline as pipeline_room
from tuneworthy.cli import run
from tuneworthy.errors import InputError
from tuneworthy.files.stores import read_evidence
from tuneworthy.intake import measure as api
from tuneworthy.intake import measure as workspace_measure
from tuneworthy.intake import ray as intake_ray
from tuneworthy.interview.questions import part_asks
from tuneworthy.model import evidence as model_evidence
from tuneworthy.model.evidence import Evidence, Measured, Series
from tuneworthy.report.sections import evidence as section_evidence

FIXTURES = Path(__file__).parents[1] / "fixtures" / "traces"
HOSTILE = 'x\'); DROP TABLE rows0; -- "q" {a: [b]} # !!python/object:os.system \x1b[31m\u202e\ud800'
TAU = (
    "messages: traj\nconversation_id: [task_id, trial]\ncase: task_id\nscore: reward\n"
)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    """What a command says; an error is one line and nothing else."""
    assert run(arguments) == code
    out, err = capsys.readouterr()
    if code == 2:
        assert out == ""
        assert err.count("\n") == 1
        return err
    assert err == ""
    for line in () if "json" in arguments else out.splitlines():
        assert wcwidth.width(line) <= 80, line
    return out


def rows(count: int, **more: Any) -> list[dict[str, Any]]:
    """Traces, two to a conversation, that differ."""
    things = [
        "apple",
        "river",
        "stone",
        "candle",
        "window",
        "garden",
        "mirror",
        "ladder",
        "basket",
        "harbour",
    ]
    return [
        {
            "timestamp": f"2026-10-{1 + n % 28:02d}T10:00:00Z", "conversation_id": f"c{n // 2}",
            "input": f"where is the {things[n % 10]} number {n}?", "latency_s": 1.5, "usd": 0.01,
            "output": f"{things[n % 10]}{n} lies by the {things[n // 10 % 10]}{n} of house {n}",
            "model": "openai/gpt-4o-mini", "input_tokens": 1000, "output_tokens": 100,
        } | more
        for n in range(count)
    ]  # fmt: skip


def jsonl(found: list[dict[str, Any]]) -> bytes:
    """Traces as lines."""
    return "".join(json.dumps(row) + "\n" for row in found).encode()


def results(arms: list[tuple[str, str, int]], cases: int = 60) -> str:
    """Results of a test in promptfoo's form: prompt, model, and how many of the cases are right."""
    told = [
        {
            "id": f"{arm} {n}", "promptIdx": arm, "testIdx": n, "promptId": f"p{arm}",
            "testCase": {"vars": {"q": str(n)}, "assert": [{"type": "equals", "value": "x"}]},
            "provider": {"id": model, "label": ""},
            "prompt": {"raw": f"Say {n}", "label": prompt},
            "response": {"output": f"say {n}", "tokenUsage": {"prompt": 900, "completion": 100}},
            "failureReason": int(n >= right), "success": n < right, "score": int(n < right),
            "gradingResult": {"pass": n < right, "score": int(n < right), "reason": "r"},
            "latencyMs": 900, "cost": 0.002 * (arm + 1),
        }
        for arm, (prompt, model, right) in enumerate(arms)
        for n in range(cases)
    ]  # fmt: skip
    whole = {
        "version": 3,
        "timestamp": "2026-11-20T10:00:00.000Z",
        "prompts": [],
        "results": told,
    }
    return json.dumps({"evalId": "e", "results": whole, "config": {}, "metadata": {}})


def case(folder: Path, data: str) -> Path:
    """A case that names some data."""
    folder.mkdir()
    (folder / "case.yaml").write_text(f"name: x\ngoals: [format]\ndata: {data}\n")
    return folder


def ledger(folder: Path) -> list[Measured]:
    """The runs that were recorded."""
    return [*read_evidence(load_case(folder))]


def known(folder: Path) -> dict[str, Evidence]:
    """What the last run showed."""
    return {one.id: one for one in ledger(folder)[-1].evidence if one.is_known}


# A case that names its traces -------------------------------------------------------------------


def test_a_case_s_traces_are_read_however_they_are_packed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = [rows(40), rows(80)[40:], rows(120)[80:], rows(160)[120:]]
    folder = case(tmp_path / "c", "{traces: ['logs/*.jsonl*', logs/d.parquet]}")
    logs = folder / "logs"
    logs.mkdir()
    (logs / "a.jsonl.gz").write_bytes(gzip.compress(jsonl(parts[0])))
    (logs / "b.jsonl.zst").write_bytes(zstd.compress(jsonl(parts[1])))
    (logs / "c.jsonl").write_bytes(jsonl(parts[2]))
    (tmp_path / "d.jsonl").write_bytes(jsonl(parts[3]))
    duckdb.execute(
        "COPY (SELECT * FROM 'd.jsonl') TO 'c/logs/d.parquet' (FORMAT parquet)"
    )
    text = said(capsys, "measure", "c", "--all")
    assert [(one.name, one.traces) for one in ledger(folder)[0].readings] == [
        ("a.jsonl.gz", 40), ("b.jsonl.zst", 40), ("c.jsonl", 40), ("d.parquet", 40)
    ]  # fmt: skip
    assert known(folder)["input_tokens"].number == 1000
    assert known(folder)["usable_examples"].n == 160
    assert "Input tokens a request" in text
    assert "as before" in text.partition("The verdict")[2].partition("changed:")[0]


@pytest.mark.slow
def test_the_same_again_adds_nothing_and_a_new_file_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = case(tmp_path / "c", "{traces: [logs]}")
    (folder / "logs").mkdir()
    (folder / "logs" / "a.jsonl").write_bytes(jsonl(rows(60)))
    said(capsys, "measure", "c")
    first = (folder / ".tuneworthy" / "evidence.jsonl").read_bytes()
    told = (folder / "case.yaml").read_bytes()
    assert "was measured before" in said(capsys, "measure", "c")
    assert (folder / ".tuneworthy" / "evidence.jsonl").read_bytes() == first
    (folder / "logs" / "b.jsonl").write_bytes(jsonl(rows(90)[60:]))
    assert "was measured before" not in said(capsys, "measure", "c")
    both = (folder / ".tuneworthy" / "evidence.jsonl").read_bytes()
    assert both.startswith(first)
    assert len(ledger(folder)) == 2
    assert (folder / "case.yaml").read_bytes() == told


def test_measured_numbers_are_used_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = case(tmp_path / "c", "{traces: [a.jsonl]}")
    with (folder / "case.yaml").open("a") as file:
        file.write("targets: {latency_p95_s: 1.0}\nfactors: {insufficient_data: no}\n")
    (folder / "a.jsonl").write_bytes(jsonl(rows(160)))
    said(capsys, "measure", "c")
    dossier = json.loads(said(capsys, "decide", "c", "--format", "json"))
    # a log is no stock
    assert dossier["factors"]["insufficient_data"]["source"] == "stated"
    assert dossier["targets"]["latency"]["source"] == "measured"
    assert {"volume", "latency_by_tokens"} <= {one["id"] for one in dossier["series"]}


def test_traces_that_a_case_doesn_t_name_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case(tmp_path / "c", "{}")
    assert "give --from FILE" in said(capsys, "measure", "c", code=2)
    assert not (tmp_path / "c" / ".tuneworthy").exists()


def test_json_is_the_same_bytes_every_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl(rows(60)))
    case(tmp_path / "c", "{}")
    case(tmp_path / "d", "{}")
    one, other = (said_json(capsys, name) for name in ("c", "d"))
    assert one == other
    data = json.loads(one)
    assert set(data) == {
        "schema", "inputs", "added", "case", "outcome", "readings", "evidence", "series"
    }  # fmt: skip
    assert data["added"] is True
    assert "NaN" not in one


def said_json(capsys: pytest.CaptureFixture[str], folder: str) -> str:
    """The run as JSON, the case's name and digest being the same."""
    return said(capsys, "measure", folder, "--from", "a.jsonl", "--format", "json")


@pytest.mark.slow
def test_the_same_file_in_a_folder_that_says_something_else_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = case(tmp_path / "c", "{}")
    for model in ("gpt", "other"):
        (tmp_path / f"model={model}").mkdir()
        told = [{"input": f"q{n}", "output": "a"} for n in range(40)]
        (tmp_path / f"model={model}" / "l.jsonl").write_bytes(jsonl(told))
        for added in (True, False):
            source = f"model={model}/l.jsonl"
            text = said(
                capsys, "measure", str(folder), "--from", source, "--format", "json"
            )
            assert json.loads(text)["added"] is added
    assert len(ledger(folder)) == 2


# The five-minute start --------------------------------------------------------------------------


BESIDE = {
    "langfuse-scores.jsonl", "langsmith-feedback.jsonl", "openai_batch_requests.jsonl",
    "phoenix-annotations.jsonl",
}  # fmt: skip
"""Scores and requests that lie beside a log and are none themselves."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", sorted(path.name for path in FIXTURES.iterdir() if path.name not in BESIDE)
)
def test_every_format_alone_makes_a_case_that_decides(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(capsys, "measure", "--from", str(FIXTURES / name))
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert f"Wrote {folder.name}/" in " ".join(text.split())
    assert "\n  The bill " in text
    assert len(text.splitlines()) <= 24  # one screen
    said(capsys, "decide", folder.name)
    again = said(capsys, "measure", folder.name, "--from", str(FIXTURES / name))
    assert "was measured before" in again
    assert sorted(path.name for path in folder.iterdir()) == [
        ".tuneworthy", "case.schema.json", "case.yaml"
    ]  # fmt: skip


def test_the_page_says_what_a_test_of_prompts_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arms = [("v1", "openai:gpt-4o-mini", 30), ("v2", "openai:gpt-4o-mini", 54),
            ("v2", "openai:gpt-4o", 55)]  # fmt: skip
    (tmp_path / "results.json").write_text(results(arms))
    text = " ".join(said(capsys, "measure", "--from", "results.json").split())
    assert "180 answers to 60 cases, 20 Nov 2026: openai:gpt-4o-mini" in text
    assert 'Best so far prompt "v2" on openai:gpt-4o: 0.92 (' in text
    assert 'Next best prompt "v2" on openai:gpt-4o-mini: 0.90 (' in text
    assert "Difference 0.02 (-0.0" in text.replace("+", "")
    assert "can't be distinguished: about " in text
    assert "$60 per month at 10,000 calls with the best: the most that" in text
    assert "Is 0.92 good enough?" in text
    made = load_case(tmp_path / "results-case")
    # two were seen, more may be known
    assert made.ceiling["prompt_variations"].count is None
    assert [model.id for model in made.models] == [
        "openai:gpt-4o-mini",
        "openai:gpt-4o",
    ]


def test_a_bill_nobody_logged_is_priced_by_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = [{k: v for k, v in row.items() if k != "usd"} for row in rows(60)]
    (tmp_path / "a.jsonl").write_bytes(jsonl(told))
    said(capsys, "measure", "--from", "a.jsonl")
    text = " ".join(
        said(capsys, "measure", "a-case", "--from", "a.jsonl", "--all").split()
    )
    # 1,000 tokens at $0.15 and 100 at $0.60 a million, for 60 calls
    assert "At least $0.013 per month by list price (genai-prices" in text
    assert "A call costs $0.00021" in text.replace("  ", " ")
    assert [model.id for model in load_case(tmp_path / "a-case").models] == [
        "openai:gpt-4o-mini"
    ]


@pytest.mark.slow
def test_a_log_answers_on_its_first_screen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = [
        row | {
            "model": "gpt-4.1-mini-2025-04-14", "prompt_name": "ticket",
            "prompt_version": "v3" if n < 30 else "v4", "score": int(n % 5 > 0),
            "timestamp": f"2026-10-{1 + n // 2:02d}T10:00:00Z",
            "finish_reason": "length" if n % 10 == 0 else "stop",
        } | ({"error": "429", "output": None} if n % 20 == 1 else {})
        for n, row in enumerate(rows(60))
    ]  # fmt: skip
    (tmp_path / "a.jsonl").write_bytes(jsonl(told))
    lines = said(capsys, "measure", "--from", "a.jsonl").splitlines()
    assert len(lines) <= 16
    text = " ".join(" ".join(lines).split())
    assert text.startswith("60 calls, 1 Oct 2026 to 30 Oct 2026: ")
    assert (
        "gpt-4.1-mini-2025-04-14 (ends 14 Jan 2027), prompt ticket v3, then ticket v4"
        in text
    )
    assert "since 16 Oct 2026." in text
    assert "per month: the most that tuning could save." in text
    assert "p95 at least 1.5 seconds" in text
    assert "failed 3 (5%), cut off 6 (11%)" in text
    assert "Success 80% (" in text
    assert "Read as plain traces: text 60, tokens 57, price 60, session 60" in text
    assert "tuneworthy decide a-case (made from this log: " in text
    whole = said(capsys, "measure", "a-case", "--from", "a.jsonl", "--all")
    for row in (
        "ticket v4  30",
        "a.jsonl (plain traces)",
        "What decides",
        "Not measured",
    ):
        assert row in whole


@pytest.mark.slow
def test_coverage_names_the_column_that_a_log_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lacks = {"price": {"usd", "model"}, "session": {"conversation_id"}}
    lacks["outcome"] = {"score"}
    for name, fields in lacks.items():
        told = [
            {k: v for k, v in row.items() if k not in fields}
            for row in rows(25, score=1)
        ]
        (tmp_path / f"{name}.jsonl").write_bytes(jsonl(told))
        run = json.loads(
            said(capsys, "measure", "--from", f"{name}.jsonl", "--format", "json")
        )
        full = {"text": 25, "tokens": 25, "price": 25, "session": 25, "outcome": 25}
        assert run["readings"][0]["coverage"] == full | {name: 0}


def test_a_case_made_from_a_log_asks_only_what_the_log_leaves_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl(rows(160)))
    said(capsys, "measure", "--from", "a.jsonl")
    made = load_case(tmp_path / "a-case")
    framework = pipeline_room.framework_of(made)
    left = {name for part in (None, "options", "investment")
            for name in part_asks(made, framework, part)}  # fmt: skip
    answered = {"economics.traffic.input_tokens", "economics.traffic.output_tokens",
                "today.latency_p95_s"}  # fmt: skip
    assert left.isdisjoint(answered)
    blank = load_case({"name": "x"})
    assert answered & {*part_asks(blank, framework, "investment")}


def test_the_bill_of_several_models_is_the_sum_of_their_list_prices(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = [
        {
            **{k: v for k, v in row.items() if k != "usd"},
            "model": f"openai/gpt-4o{'-mini' * (n % 2)}",
        }
        for n, row in enumerate(rows(60))
    ]
    (tmp_path / "a.jsonl").write_bytes(jsonl(told))
    text = " ".join(said(capsys, "measure", "--from", "a.jsonl").split())
    # 1,000 tokens at $0.15 and 100 at $0.60 a million, or at $2.50 and $10: 30 calls of each
    assert "The bill At least $0.11 per month by list price" in text


def test_a_case_that_is_there_is_never_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl(rows(40)))
    said(capsys, "measure", "--from", "a.jsonl")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    err = said(capsys, "measure", "--from", "a.jsonl", code=2)
    assert err.startswith("a-case: holds a case already")
    assert "tuneworthy measure a-case --from a.jsonl" in err
    assert {
        path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
    } == before
    (tmp_path / "b-case").mkdir()
    (tmp_path / "b.jsonl").write_bytes(jsonl(rows(40)))
    assert "exists already" in said(capsys, "measure", "--from", "b.jsonl", code=2)
    assert list((tmp_path / "b-case").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.jsonl", b""),
        ("words.txt", b"these are no traces at all\n" * 5),
        ("broken.jsonl", b'{"output": "a\n' * 50),
        ("bomb.jsonl.gz", b"\x1f\x8b\x08\x00broken"),
        ("deep.json", b"[" * 100_000),
        ("other.json", b'{"a": 1}'),
        ("nul.jsonl", b"\x00" * 1000),
    ],
)
def test_what_can_t_be_read_is_one_line_and_leaves_nothing(
    name: str, content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    assert name in said(capsys, "measure", "--from", name, code=2)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_that_isn_t_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for missing in ("nowhere.jsonl", "no/*.jsonl", "a\0b", ""):
        said(capsys, "measure", "--from", missing, code=2)
    said(capsys, "measure", "nowhere", code=2)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a b.jsonl").write_bytes(jsonl(rows(40)))
    for empty in ("", " "):
        assert "a source is empty" in said(capsys, "measure", "--from", empty, code=2)
    said(capsys, "measure", "--from", "a b.jsonl")
    again = said(capsys, "measure", "--from", "a b.jsonl", code=2)
    assert "tuneworthy measure a-b-case --from 'a b.jsonl'" in again


def test_secrets_in_names_are_never_shown_or_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = "sk-proj-" + "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7dE9fG1hJ3"
    told = [
        row | {
            "model": f"gpt-4o-2024-08-06 {key}", "prompt_name": f"ask bob@acme.com {key} {n % 2}",
            "case": f"{key}{n % 30}", "conversation_id": f"{key}{n}", "score": n % 3 > 0,
        }
        for n, row in enumerate(rows(60))
    ]  # fmt: skip
    (tmp_path / "a.jsonl").write_bytes(jsonl(told))
    page = said(capsys, "measure", "--from", "a.jsonl")
    assert "gpt-4o-2024-08-06" in page
    pages = [said(capsys, "decide", "a-case", "--format", "json")]
    kept = [
        path.read_text() for path in (tmp_path / "a-case").rglob("*") if path.is_file()
    ]
    for text in (page, *pages, *kept):
        assert "aB3dE5fG7" not in text
        assert "bob@acme" not in text


def test_prompts_of_several_tests_are_no_comparison(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = [
        row | {"case": f"{n % 2} {n}", "prompt_name": f"p{n % 2}", "score": 1}
        for n, row in enumerate(rows(60))
    ]
    (tmp_path / "a.jsonl").write_bytes(jsonl(told))
    text = said(capsys, "measure", "--from", "a.jsonl")
    plain = " ".join(text.split())
    assert load_case(tmp_path / "a-case").ceiling["prompt_variations"].count is None
    assert 'Test 1 prompt "p' in plain
    assert (
        "Measure each test by itself: these results are of 2 tests, which share no case."
        in plain
    )
    assert "Next best" not in plain
    assert "Best so far" not in plain


def test_the_cost_of_a_few_runs_is_no_bill(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arms = [("v1", "openai:gpt-4o", 1), ("v2", "openai:gpt-4o", 0)]
    for cases, costs in ((19, False), (20, True)):
        (tmp_path / f"r{cases}.json").write_text(results(arms, cases))
        text = said(capsys, "measure", "--from", f"r{cases}.json")
        assert ("calls with the best" in text) is costs


def test_several_records_are_left_out_in_the_plural(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "A Mine.jsonl").write_bytes(jsonl(rows(60)) + b'{"input": \n' * 2)
    text = said(capsys, "measure", "--from", "A Mine.jsonl")
    assert "left out 2 records, aren't JSON" in text
    assert load_case(tmp_path / "A-Mine-case").name == "A Mine"


@pytest.mark.slow
def test_a_single_wrong_clock_stretches_no_span(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = rows(60)
    for place, ahead in ((10, 27_000), (20, 3), (30, 1)):
        moment = datetime.combine(
            pipeline_room.today() + timedelta(days=ahead), time(1), UTC
        )
        told[place]["timestamp"] = moment.isoformat()
    (tmp_path / "a.jsonl").write_bytes(jsonl(told))
    text = said(capsys, "measure", "--from", "a.jsonl")
    plain = " ".join(text.split())
    assert (
        "2 records have a time that is still to come, which is left out: a.jsonl:11, a.jsonl:21"
        in plain
    )
    tomorrow = pipeline_room.today() + timedelta(days=1)
    shown = f"1 Oct 2026 to {tomorrow.day} {tomorrow:%b} {tomorrow.year}"
    assert shown in plain  # a clock of another zone may be ahead by a day
    days = [
        one.observed_on
        for one in ledger(tmp_path / "a-case")[-1].evidence
        if one.observed_on
    ]
    assert max(days) == tomorrow


@pytest.mark.slow
def test_amounts_below_zero_are_said_and_nothing_is_made_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = rows(60)
    told[5]["input_tokens"] = -1_000_000
    (tmp_path / "a.jsonl").write_bytes(jsonl(told))
    text = said(capsys, "measure", "--from", "a.jsonl")
    assert (
        "1 record has an amount below zero, which is left out: a.jsonl:6"
        in " ".join(text.split())
    )
    tokens = known(tmp_path / "a-case")["input_tokens"]
    assert tokens.value == 1000
    assert tokens.n == 59


def test_old_data_is_nothing_that_somebody_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = case(tmp_path / "c", "{traces: [a.jsonl]}")
    told = [row | {"timestamp": f"2020{row['timestamp'][4:]}"} for row in rows(160)]
    (folder / "a.jsonl").write_bytes(jsonl(told))
    text = said(capsys, "measure", "c")
    assert "the measurements are old" in text
    assert "fit what was measured" not in text


def test_names_that_attack_are_only_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = {"conversation_id", "model", "prompt_name", "prompt_version", "case"}
    told = [
        row
        | {
            key: f"{HOSTILE} {n // 2 if key == 'conversation_id' else ''}"
            for key in named
        }
        for n, row in enumerate(rows(60, system=HOSTILE, score=1))
    ]
    path = tmp_path / "a'; DROP TABLE rows0; --.jsonl"
    path.write_bytes(jsonl(told))
    text = said(capsys, "measure", "--from", path.name)
    assert "\x1b" not in text
    assert "\u202e" not in text
    (folder,) = (each for each in tmp_path.iterdir() if each.is_dir())
    assert len(load_case(folder).models) == 1
    assert known(folder)["input_tokens"].clusters == 30
    said(capsys, "decide", str(folder))


def test_every_line_of_a_made_case_is_a_comment_or_plain_data() -> None:
    nasty = [
        "a\nframework: evil",
        "b\u2028c: d",
        'q"}]\\',
        HOSTILE.encode("utf-8", "replace").decode(),
    ]
    seen = Evidence(
        id="models_seen", value=4, low=4, high="open", unit="models",
        examples=tuple(f"{name}: 3 traces" for name in nasty),
    )  # fmt: skip
    reading = model_evidence.FileReading(
        name=nasty[0], format="f", digest="0" * 64, size=1, traces=1
    )
    measured = Measured(inputs="0", readings=(reading,), evidence=(seen,))
    lines = workspace_measure.appendix(measured, pipeline_room.today()).splitlines()
    assert all(line.startswith(("#", "models:", '  - id: "')) for line in lines if line)
    assert sum(line.startswith("  - id") for line in lines) == 4


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("openai/gpt-4o-mini", "openai:gpt-4o-mini"),
        ("openai:chat:gpt-4o-mini", "openai:gpt-4o-mini"),
        ("openai:gpt-4o-mini", "openai:gpt-4o-mini"),
        ("gpt-4o-mini", "openai:gpt-4o-mini"),
        ("azure/gpt-4o-mini", "azure:gpt-4o-mini"),
        ("my-model", "my-model"),
        ("our-team/our-model", "our-team/our-model"),
        ("file://x", "file://x"),
    ],
)
def test_a_model_has_a_provider_where_its_name_tells_one(
    name: str, wanted: str
) -> None:
    assert workspace_measure.model_id(name, pipeline_room.today()) == wanted


# Examples ---------------------------------------------------------------------------------------


def planted() -> list[dict[str, Any]]:
    """Ninety answers: ten copies, eight refusals, six of broken JSON, five scored badly."""
    good = [row | {"output": json.dumps({"say": row["output"], "n": n})}
            for n, row in enumerate(rows(61))]  # fmt: skip
    refused = [
        row | {"output": "I'm sorry, but I can't help with that."} for row in rows(8)
    ]
    broken = [row | {"output": '{"say": "half of'} for row in rows(6)]
    bad = [row | {"score": 0, "conversation_id": f"bad {n}", "output": '{"say": 1, "n": 2}'}
           for n, row in enumerate(rows(5))]  # fmt: skip
    for row in good[:20]:
        row["input"] += " write to jo.miller@firm.com"
    copies = [dict(good[0]) for _ in range(10)]
    return [*good, *copies, *refused, *broken, *bad]


@pytest.mark.parametrize("named", ["traces", "examples"])
def test_examples_are_counted_down_with_what_was_thrown_out(
    named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = "{traces: [a.jsonl]}" if named == "traces" else "{examples: {path: a.jsonl}}"
    folder = case(tmp_path / "c", data)
    (folder / "a.jsonl").write_bytes(jsonl(planted()))
    text = said(capsys, "measure", "c", "--examples")
    found = known(folder)["usable_examples"]
    steps = {
        name: found.details[name] for name in ("refused", "not_json", "flagged", "copy")
    }
    assert steps == {"refused": 8, "not_json": 6, "flagged": 5, "copy": 10}
    assert found.number == 61
    assert found.low is not None
    assert 0 < found.low < 61 * (1 - 0.2)  # twenty of them hold an address
    for words in ("answers read", "near copies of another", "Left out: refused",
                  "personal or secret data"):  # fmt: skip
        assert words in text
    assert "jo.miller" not in text
    need = int(found.details["need"])
    assert (
        f"needs {need:,}. Here are 61 candidates that nobody has reviewed"
        in " ".join(text.split())
    )
    assert "jo.miller" not in (folder / ".tuneworthy" / "evidence.jsonl").read_text()


def test_every_measurement_has_a_title(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl(rows(60)))
    made = api.measure_new(["a.jsonl"])
    ids = {one.id for one in made.measured.evidence}
    assert len(ids) > 30
    assert {
        name for name in ids if section_evidence.measured_name(name, "?") == "?"
    } == set()
    assert len({section_evidence.measured_name(name) for name in ids}) == len(ids)


def test_a_draw_of_nothing_is_refused_and_makes_no_case(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl(rows(60)))
    with pytest.raises(InputError, match="none of them"):
        api.measure_new(["a.jsonl"], draw=intake_ray.LogDraw(0.00001, 0))
    assert not (tmp_path / "a-case").exists()


def test_the_series_of_the_last_run_count(tmp_path: Path) -> None:
    runs = [
        Measured(
            inputs=str(n),
            evidence=(),
            series=(Series(id="volume", columns={"n": (n,)}),),
        )
        for n in (1, 2)
    ]
    assert model_evidence.latest_series(runs) == runs[1].series
    assert model_evidence.latest_series(()) == ()


# As a program -----------------------------------------------------------------------------------


def start(*arguments: str, before: str = "") -> list[str]:
    """A command line in a Python of its own, with something done first."""
    code = f"{before}\nfrom tuneworthy.cli import main\nmain({list(arguments)!r})"
    return [sys.executable, "-c", code]


@pytest.mark.slow
@pytest.mark.parametrize("library", ["hyperscan", "msgspec", "rensa"])
def test_without_the_extra_one_line_says_what_to_install(
    library: str, tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl(rows(40)))
    hide = f"import sys; sys.modules[{library!r}] = None"
    done = subprocess.run(
        start("measure", "--from", "a.jsonl", before=hide), capture_output=True, text=True,
        check=False, cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert 'pip install ".[traces]"' in done.stderr
    assert library in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


@pytest.mark.slow
def test_an_interrupt_leaves_nothing_half_written(tmp_path: Path) -> None:
    place = tmp_path / "tmp"
    place.mkdir()
    stop = (
        "import tuneworthy.intake.measure as m, signal, os\n"
        # who runs the tests in the background may have told us to ignore it
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "was = m.append_evidence\n"
        "def slow(*a, **k):\n"
        "    was(*a, **k)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    import time; time.sleep(30)\n"
        "m.append_evidence = slow"
    )
    (tmp_path / "a.jsonl").write_bytes(jsonl(rows(40)))
    done = subprocess.run(
        start("measure", "--from", "a.jsonl", before=stop), capture_output=True, text=True,
        check=False, cwd=tmp_path, env={**os.environ, "TMPDIR": str(place)}, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr.strip()) == (3, "", "stopped")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "tmp"]
    assert list(place.iterdir()) == []


def test_no_progress_is_shown_where_nobody_looks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl(rows(40)))
    case(tmp_path / "c", "{}")
    said(capsys, "measure", "c", "--from", "a.jsonl")  # ``said`` wants an empty stderr


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "measure", "--help")
    assert "tuneworthy measure --from promptfoo-results.json" in text
    assert "nothing leaves this machine" in " ".join(text.split())


# What others logged -----------------------------------------------------------------------------


@pytest.mark.slow
def test_an_hour_of_traffic_is_a_least_and_no_trend(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = shared / "real" / "azure_llm" / "AzureLLMInferenceTrace_conv.csv"
    lines = path.read_text().splitlines()[1:]
    text = said(capsys, "measure", "--from", str(path))
    assert text.startswith("19,366 calls, 16 Nov 2023.")
    assert "Read as CSV: text 0, tokens 19,366, price 0" in text
    assert "a call takes 1,155 tokens in and 211 out" in " ".join(text.split())
    found = known(tmp_path / "AzureLLMInferenceTrace_conv-case")
    assert (found["requests_per_month"].low, found["requests_per_month"].high) == (
        19366,
        "open",
    )
    tokens = [int(line.split(",")[1]) for line in lines]
    assert found["input_tokens"].number == pytest.approx(sum(tokens) / len(tokens))
    assert "growth_per_month" not in found


@pytest.mark.slow
def test_tau_bench_is_measured_by_a_mapping(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "map.yaml").write_text(TAU)
    path = shared / "real" / "tau_bench" / "gpt-4o-airline.json"
    rewards = [one["reward"] for one in json.loads(path.read_text())]
    text = said(capsys, "measure", "--from", str(path), "--map", "map.yaml")
    assert text.startswith("2,454 answers to 50 cases")
    # by its characters
    assert "a call takes about 2,594 tokens in" in " ".join(text.split())
    # as options has it, by the same clusters
    assert "0.42 (0.32–0.53) on 50 cases" in text
    found = known(tmp_path / "gpt-4o-airline-case")
    assert len(rewards) == 200
    assert found["success_share"].number == pytest.approx(sum(rewards) / 200) == 0.42
    assert (found["success_share"].n, found["success_share"].clusters) == (200, 50)
    # all turns of the 116 talks that failed are out, not their last alone
    assert int(found["usable_examples"].details["flagged"]) > 1000


@pytest.mark.slow
def test_mtrag_s_questions_keep_their_own_passages(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "map.yaml").write_text(
        "conversation_id: conversation_id\nmessages: input\ncontexts: contexts[].text\n"
        "answerable: {path: 'answerability[0]', values: {ANSWERABLE: yes, UNANSWERABLE: no}}\n"
    )
    path = shared / "real" / "mtrag" / "reference.jsonl"
    said(capsys, "measure", "--from", str(path), "--map", "map.yaml")
    found = known(tmp_path / "reference-case")["retrieval_recall"]
    assert found.number == pytest.approx(285 / (285 + 97))
    assert found.n == 382


def test_inspect_logs_are_too_few_to_say_much(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pattern = str(shared / "real" / "inspect_logs" / "*.json")
    text = " ".join(said(capsys, "measure", "--from", pattern).split())
    assert text.startswith("7 answers")
    # three tests: no number of cases is that of all
    assert "cases" not in text.split(".")[0]
    for test, score in (
        ("Test 1", "1.00"),
        ("Test 2", "0.67"),
    ):  # the third has a single case
        assert score in text.split(test)[1].split(" on 3 cases")[0]
    assert "Measure each test by itself: these results are of 2 tests" in text
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert [model.id for model in load_case(folder).models] == ["openai:gpt-4o-mini"]
    # seven results are no stock of examples
    assert known(folder)["usable_examples"].high == "open"
    assert "success_share" not in known(folder)


def test_a_guess_is_shown_written_and_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    own = [{"ts": 1785000000 + n, "user": f"jo{n}@firm.com asks {n}", "response": f"open run {n}",
            "latency_ms": 2000 + n} for n in range(40)]  # fmt: skip
    (tmp_path / "own.jsonl").write_bytes(jsonl(own))
    text = said(capsys, "measure", "--from", "own.jsonl")
    assert text.count("  - input [email] asks ") == 3
    assert "latency_s 2.001" in text
    written = (tmp_path / "own-case" / "map.yaml").read_text()
    assert "latency_s: {path: latency_ms, unit: ms}" in written
    assert load_case(tmp_path / "own-case").data.trace_map == "map.yaml"
    # put right there, and used for the next file
    (tmp_path / "own-case" / "map.yaml").write_text("output: response\ninput: none\n")
    (tmp_path / "more.jsonl").write_bytes(jsonl([{"response": "x", "user": "y"}] * 3))
    said(capsys, "measure", "own-case", "--from", "more.jsonl")
    assert ledger(tmp_path / "own-case")[-1].readings[0].format == "JSON by a mapping"


def test_a_case_names_its_logs_with_their_map(tmp_path: Path) -> None:
    folder = case(tmp_path / "c", "{traces: {paths: [a.jsonl], map: m.yaml}}")
    (folder / "m.yaml").write_text("output: said\n")
    (folder / "a.jsonl").write_bytes(
        jsonl([{"said": f"answer {n}"} for n in range(30)])
    )
    assert api.measure_case(folder).measured.readings[0].traces == 30
    for wrong in (
        "{traces: {paths: a.jsonl, mapp: m.yaml}}",
        "{traces: {map: ../m.yaml}}",
    ):
        (folder / "case.yaml").write_text(f"name: x\ndata: {wrong}\n")
        with pytest.raises(CaseError):
            load_case(folder)
