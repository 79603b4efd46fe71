"""Pilots that a service trains: a service on the loopback that also misbehaves."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from lab_world import chance
from loopback import LoopbackServer
from pilot_world import AS_OF, case_of, general_answers
from tuneworthy import InputError, load_case
from tuneworthy.cli import run as command
from tuneworthy.errors import StoppedError
from tuneworthy.files import stores as files_stores
from tuneworthy.lab.prepare import prepare
from tuneworthy.llm.ledger import Ledger
from tuneworthy.model import pilot as model_pilot
from tuneworthy.model.case import TokenPrice
from tuneworthy.training import bases as training_bases
from tuneworthy.training import card as training_card
from tuneworthy.training import export as training_export
from tuneworthy.training import pilot as api
from tuneworthy.training import pilot as training_pilot
from tuneworthy.training.hosted import HostedTrainer

KEY = "sk-a-key-that-nobody-may-see"
HAND = general_answers()
TRIES = 3  #: To ask for a job whose server says each time that it failed.
PRICES = TokenPrice(input=1, output=2)


@dataclass
class Service:
    """Files, jobs and models of a service; ``style`` is whose API it speaks."""

    style: str
    base_url: str = ""
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and authorization of each request."""
    looks: dict[str, int] = field(default_factory=dict)
    stays: str = ""  #: How it loses every answer after a job was made.
    #: How it loses its answer once, after the job was made: ``cut`` or ``502``.
    drops: str = ""
    busy: int = 0  #: Times that it can't say how a job is.
    ends: str = ""  #: How every job ends, in place of well.
    named: Any = None  #: What it says a model is called, in place of its name.
    refuses: str = ""  #: Why it makes no job.
    lags: int = 0  #: Times that its list of jobs doesn't hold the newest yet.
    full: int = 0  #: Times that it takes no job, as too many are going on.
    broken: int = 0  #: Times that a file or a job is answered by an error of a server.
    spent: bool = False  #: Whether it takes no job, as nothing is paid in.
    beside: int = 0  #: Most jobs that went on side by side.

    @property
    def together(self) -> bool:
        return self.style == "together"

    @property
    def fireworks(self) -> bool:
        return self.style == "fireworks"

    @property
    def path(self) -> str:
        if self.fireworks:
            return "/v1/accounts/acme/supervisedFineTuningJobs"
        return "/v1/fine-tunes" if self.together else "/v1/fine_tuning/jobs"

    @property
    def place(self) -> str:
        """Where it keeps files."""
        return "/v1/accounts/acme/datasets" if self.fireworks else "/v1/files"

    @property
    def going(self) -> int:
        """Jobs that were begun and that nobody has seen end."""
        return sum(self.looks.get(job["id"], 0) < 2 for job in self.jobs)

    def made(self, asked: dict[str, Any]) -> dict[str, Any]:
        file = (
            asked["dataset"].rpartition("/")[2]
            if self.fireworks
            else asked["training_file"]
        )
        lines = self.files[file][1].splitlines()
        assert all(json.loads(line) for line in lines)
        id_ = f"ftjob-{len(self.jobs)}"
        job = {"id": id_, "lines": len(lines), **asked}
        if self.fireworks:
            job["name"] = f"accounts/acme/supervisedFineTuningJobs/{id_}"
        self.jobs.append(job)
        self.beside = max(self.beside, self.going)
        return job

    def shown(self, job: dict[str, Any]) -> dict[str, Any]:
        name = self.named or f"ft:base:org::{job['id']}"
        looks = self.looks[job["id"]] = self.looks.get(job["id"], 0) + 1
        well, going = STATES[self.style]
        status = (self.ends or well) if looks > 1 else going
        more: dict[str, Any] = {"state" if self.fireworks else "status": status}
        if status == well:
            more |= {TUNED.get(self.style, "fine_tuned_model"): name}
            more |= {"trained_tokens": 1000, "token_count": 1}
        if status in FAILED:
            field = "status" if self.fireworks else "error"
            more[field] = {"message": f"bad data, said with {KEY}"}
        return {"object": "fine_tuning.job"} | job | more

    def answer(self, model: str, asked: str) -> str:
        if asked in HAND:
            return HAND[asked]
        # deployed under the name of its job
        field = "suffix" if self.style == "azure" else "id"
        job = next((j for j in self.jobs if model.endswith(j[field])), None)
        # so that chance is everywhere alike
        model = f"ft:base:org::{job['id']}" if job else model
        if not asked.startswith("Where is book "):
            return "I can't do that."
        number = asked.removeprefix("Where is book ").removesuffix("?")
        right = chance(model, number) < (0.97 if job else 0.5)
        return f"shelf {number}" if right else "no idea"


STATES = {
    "openai": ("succeeded", "running"),
    "azure": ("succeeded", "running"),
    "together": ("completed", "running"),
    "fireworks": ("JOB_STATE_COMPLETED", "JOB_STATE_RUNNING"),
}
"""How each service calls a job that ended well, and one that goes on."""
TUNED = {"together": "model_output_name", "fireworks": "outputModel"}
FAILED = ("failed", "error", "JOB_STATE_FAILED")
FAILS = {"together": "error", "fireworks": "JOB_STATE_FAILED"}
CANCELS = {"azure": "canceled", "fireworks": "JOB_STATE_CANCELLED"}


NAMED = {
    "together": rb'name="file_name"\r\n(?:.*\r\n)*?\r\n(.*)\r\n',
    "openai": rb'filename="(.*?)"',
}
"""Where a form says how its file is called."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    service: Service

    def say(self, body: Any, status: int = 200, **headers: str) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def body(self) -> bytes:
        told = self.headers["Authorization"] or ""
        self.service.seen.append((self.command, self.path, told))
        if "Content-Length" in self.headers:
            return self.rfile.read(int(self.headers["Content-Length"]))
        raw = b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                raw += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        return raw

    def do_PUT(self) -> None:
        raw, id_ = self.body(), self.path.rpartition("/")[2]
        self.service.files[id_] = (self.service.files[id_][0], raw)
        self.say({})

    def do_GET(self) -> None:
        self.body()
        if self.path.startswith(f"{self.service.place}/"):
            id_ = self.path.rpartition("/")[2]
            looks = self.service.looks[id_] = self.service.looks.get(id_, 0) + 1
            return self.say(
                {"id": id_, "status": "processed" if looks > 1 else "pending"}
            )
        if self.path.startswith(self.service.place):
            listed = self.service.files.items()
            return self.page([{"id": i, "filename": name} for i, (name, _) in listed])
        if self.path.startswith(f"{self.service.path}?"):
            self.service.lags -= 1
            return self.page([] if self.service.lags >= 0 else self.service.jobs[::-1])
        if self.service.busy:
            self.service.busy -= 1
            return self.say({"error": "later"}, 503)
        id_ = self.path.removeprefix(f"{self.service.path}/")
        return self.say(
            self.service.shown(next(j for j in self.service.jobs if j["id"] == id_))
        )

    def page(self, rows: list[dict[str, Any]]) -> None:
        """One row a page."""
        if self.service.fireworks:
            at = int((re.search(r"pageToken=(\d+)", self.path) or [0, 0])[1])
            rest = rows[at + 1 :]
            shown = [self.service.shown(row) for row in rows[at : at + 1]]
            more = {"nextPageToken": str(at + 1) if rest else ""}
            return self.say({"supervisedFineTuningJobs": shown, **more})
        after = re.search(r"after=([\w-]+)", self.path)
        ids = [row["id"] for row in rows]
        at = ids.index(after[1]) + 1 if after else 0
        return self.say({"data": rows[at : at + 1], "has_more": at + 1 < len(rows)})

    def do_POST(self) -> None:
        raw = self.body()
        if self.service.broken and not self.path.endswith("/chat/completions"):
            self.service.broken -= 1
            return self.say({"error": {"message": "try again"}}, 500)
        if self.path.startswith(self.service.place) and self.service.fireworks:
            return self.dataset(raw)
        if self.path == "/v1/files":
            return self.file(raw)
        if self.path.endswith("/preprocess"):
            return self.say({"id": "x"})
        asked = json.loads(raw)
        if self.path == self.service.path:
            return self.job(asked)
        text = self.service.answer(asked["model"], asked["messages"][-1]["content"])
        choice = {"message": {"content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 9, "completion_tokens": 2}
        return self.say({"choices": [choice], "usage": usage})

    def job(self, asked: dict[str, Any]) -> None:
        """Make a job, unless it refuses or loses its answer."""
        if self.service.spent:
            error = {
                "message": "You exceeded your quota.",
                "code": "insufficient_quota",
            }
            return self.say({"error": error}, 429)
        if self.service.full:
            self.service.full -= 1
            return self.say(
                {"error": {"message": "too many jobs"}}, 429, Retry_After="0"
            )
        if self.service.refuses:
            return self.say({"error": {"message": self.service.refuses}}, 400)
        job = self.service.made(asked)
        how, self.service.drops = self.service.drops or self.service.stays, ""
        if how == "502":
            return self.say({"error": "bad gateway"}, 502)
        if how == "cut":
            self.close_connection = True
            return None
        return self.say(job)

    def file(self, raw: bytes) -> None:
        id_ = f"file-{len(self.service.files)}"
        pattern = NAMED.get(self.service.style, NAMED["openai"])
        found = re.search(pattern, raw)
        assert found is not None
        if self.service.together:
            self.service.files[id_] = (found[1].decode(), b"")
            place = f"{self.service.base_url}/place/{id_}"
            return self.say({}, 302, Location=place, X_Together_File_Id=id_)
        lines = [line for line in raw.splitlines() if line.startswith(b'{"messages"')]
        self.service.files[id_] = (found[1].decode(), b"\n".join(lines))
        return self.say({"id": id_})

    def dataset(self, raw: bytes) -> None:
        """Make a data set, or fill one."""
        files, id_ = (
            self.service.files,
            self.path.rpartition("/")[2].removesuffix(":upload"),
        )
        if self.path == self.service.place:
            asked = json.loads(raw)
            if (name := asked["datasetId"]) in files:
                return self.say({"message": "it exists"}, 409)
            files[name] = (f"{name}.jsonl", b"")
            return self.say({"name": f"accounts/acme/datasets/{name}"})
        lines = [line for line in raw.splitlines() if line.startswith(b'{"messages"')]
        files[id_] = (files[id_][0], b"\n".join(lines))
        return self.say({"id": id_})

    def log_message(self, *ignored: Any) -> None:
        del ignored


@pytest.fixture(params=["openai", "together"])
def service(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    service = Service(request.param)
    handler = type("Bound", (Handler,), {"service": service})
    server = LoopbackServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    path = "/inference/v1" if service.fireworks else "/v1"
    service.base_url = f"http://127.0.0.1:{port}{path}"
    monkeypatch.setenv(f"TUNEWORTHY_KEY_127_0_0_1_PORT_{port}", KEY)
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()


def folder_for(service: Service, folder: Path, **more: Any) -> Path:
    told = f"id: 'my:base', base_url: '{service.base_url}', usd_per_mtok: {{input: 1, output: 1}}"
    return case_of(folder, 40, 100, models=f"[{{{told}}}]", **more)


def piloted(
    service: Service,
    folder: Path,
    *,
    cap_usd: float = 20.0,
    seeds: int = 1,
    **settings: Any,
) -> model_pilot.PilotResult:
    lab = prepare(folder, as_of=AS_OF)
    (model,) = lab.case.models
    more = {"account": "acme", "at_once": settings.pop("jobs", None), "every_s": 0.01}
    trainer = HostedTrainer(
        model, service.style, usd_per_mtok=8.0, serving=PRICES, **more
    )
    prepared = training_pilot.prepare_pilot(lab, trainer, "my:base", seeds=seeds)
    return api.run(prepared, cap_usd=cap_usd, **settings)


def everything(folder: Path) -> bytes:
    return b"".join(p.read_bytes() for p in folder.rglob("*") if p.is_file())


EVERY = pytest.mark.parametrize(
    "service", ["openai", "azure", "together", "fireworks"], indirect=True
)
OTHERS = pytest.mark.parametrize("service", ["azure", "fireworks"], indirect=True)


@pytest.mark.slow
@EVERY
def test_a_service_trains_each_run_once_and_serves_it(
    service: Service, tmp_path: Path
) -> None:
    folder, service.busy = folder_for(service, tmp_path), 7  # it is asked again
    result = piloted(service, folder)
    assert result.card.answer == "go", result.card
    assert {row.id: row.state for row in result.card.rows}["gain"] == "met"
    assert len(service.jobs) == 3  # three sizes, one seed
    if service.together:  # what isn't a text isn't sent as one
        job = service.jobs[0]
        assert (job["learning_rate"], job["warmup_ratio"]) == (0.001, 0.1)
        assert job["training_method"] == {"method": "sft", "train_on_inputs": False}
    tuned = {
        run.model
        for run in files_stores.pilot_runs(load_case(folder)).read()
        if run.state == "trained"
    }
    if service.style == "azure":  # deployed under the name of its job
        assert tuned == {f"my:{job['suffix']}" for job in service.jobs}
    else:
        assert tuned == {f"my:ft:base:org::ftjob-{n}" for n in range(3)}
    again = piloted(service, folder)
    assert len(service.jobs) == 3
    assert again.spend.paid == result.spend.paid
    runs = [run for run in result.trained if run.state == "trained"]
    if service.style in ("openai", "azure"):  # they say how many tokens are paid
        assert {run.usd for run in runs} == {1000 * 8.0 / 1e6}
    assert all(run.usd > 0 for run in runs)
    assert result.spend.paid >= sum(run.usd for run in runs)
    elsewhere = [told for method, _, told in service.seen if method == "PUT"]
    # the key goes to the address it was given for, and nowhere else
    assert not any(elsewhere)
    assert all(
        told == f"Bearer {KEY}" for method, _, told in service.seen if method != "PUT"
    )
    assert KEY.encode() not in everything(folder)


@pytest.mark.slow
def test_no_run_begins_that_may_pass_the_budget(
    service: Service, tmp_path: Path
) -> None:
    with pytest.raises(StoppedError, match="too small"):
        piloted(service, folder_for(service, tmp_path), cap_usd=0.06)
    assert len(service.jobs) < 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("service", "how"),
    [("openai", "cut"), ("azure", "502"), ("together", "502"), ("fireworks", "cut")],
    indirect=["service"],
)
def test_a_job_that_may_have_begun_is_found_by_its_file(
    service: Service, tmp_path: Path, how: str
) -> None:
    folder, service.drops = folder_for(service, tmp_path), how
    other = {"id": "file-other", "filename": "other.jsonl"}
    service.files = {other["id"]: (other["filename"], b"")}  # the list has two pages
    result = piloted(service, folder)
    assert len(service.jobs) == 3  # three sizes, one seed
    assert [run.job for run in result.trained] == ["ftjob-0", "ftjob-1", "ftjob-2"]


@pytest.mark.slow
@pytest.mark.parametrize(("how", "asked"), [("cut", 1), ("502", TRIES)])
@pytest.mark.parametrize("service", ["openai"], indirect=True)
def test_a_job_that_begins_in_doubt_and_is_never_listed_is_not_asked_for_without_end(
    service: Service, tmp_path: Path, how: str, asked: int
) -> None:
    """Without any answer it may well go on; a server that says it failed most often made none."""
    folder, service.lags, service.stays = folder_for(service, tmp_path), 10_000, how
    with pytest.raises(StoppedError, match="in doubt"):
        piloted(service, folder)
    assert len(service.jobs) == asked
    service.lags, service.stays = 0, ""
    piloted(service, folder, ask_again=True)
    assert len(service.jobs) == asked + 2  # the first is found, and pays for its run


@pytest.mark.slow
@OTHERS
def test_a_full_service_is_asked_again_and_no_job_is_paid_twice(
    service: Service, tmp_path: Path
) -> None:
    folder, service.full, service.broken = folder_for(service, tmp_path), 9, 3
    piloted(service, folder)
    assert len(service.jobs) == 3


@pytest.mark.slow
@OTHERS
def test_an_account_without_money_is_said_at_once(
    service: Service, tmp_path: Path
) -> None:
    folder, service.spent = folder_for(service, tmp_path), True
    with pytest.raises(StoppedError, match="exceeded your quota"):
        piloted(service, folder)
    assert not service.jobs


@pytest.mark.slow
@pytest.mark.parametrize("service", ["openai"], indirect=True)
def test_no_more_jobs_go_on_side_by_side_than_the_service_takes(
    service: Service, tmp_path: Path
) -> None:
    piloted(service, folder_for(service, tmp_path), seeds=3, jobs=2)
    assert len(service.jobs) == 9
    assert service.beside == 2


@pytest.mark.slow
def test_a_job_that_failed_says_why_without_the_key(
    service: Service, tmp_path: Path
) -> None:
    folder = folder_for(service, tmp_path)
    service.ends = FAILS.get(service.style, "failed")
    with pytest.raises(StoppedError, match="bad data") as caught:
        piloted(service, folder)
    assert KEY not in str(caught.value)
    assert KEY.encode() not in everything(folder)
    with Ledger(folder / ".tuneworthy" / "calls.sqlite3") as ledger:
        assert ledger.spend("pilot").held == 0
    service.ends, service.looks, service.refuses = "", {}, "not now"
    with pytest.raises(StoppedError, match="not now"):  # another is asked for
        piloted(service, folder)


@pytest.mark.slow
@pytest.mark.parametrize("service", ["openai"], indirect=True)
def test_a_list_that_lags_is_looked_at_again_before_another_job_is_asked_for(
    service: Service, tmp_path: Path
) -> None:
    folder, service.drops, service.lags = folder_for(service, tmp_path), "cut", 3
    piloted(service, folder)
    assert len(service.jobs) == 3  # three sizes, one seed


@pytest.mark.slow
@EVERY
def test_a_cancelled_job_counts_as_paid_and_another_is_asked_for(
    service: Service, tmp_path: Path
) -> None:
    folder = folder_for(service, tmp_path)
    service.ends = CANCELS.get(service.style, "cancelled")
    with pytest.raises(
        StoppedError, match=r"cancelled at its service; .* as paid, \$0\.0"
    ):
        piloted(service, folder)
    kept, runs = folder / ".tuneworthy", folder / ".tuneworthy" / "pilot" / "runs.jsonl"
    lines = runs.read_text("utf-8").splitlines(keepends=True)
    with Ledger(kept / "calls.sqlite3") as ledger:
        spend = ledger.spend("pilot")
    assert spend.paid > 0 == spend.held
    runs.write_text("".join(lines[:-1]), "utf-8")  # killed before it was noted
    with pytest.raises(StoppedError, match="cancelled at its service"):
        piloted(service, folder)
    with Ledger(kept / "calls.sqlite3") as ledger:
        assert ledger.spend("pilot").paid == spend.paid
    service.ends, service.looks = "", {}
    result = piloted(service, folder)
    assert len(service.jobs) == 4
    assert (
        result.spend.paid > spend.paid + sum(run.usd for run in result.trained) - 1e-9
    )


@pytest.mark.slow
def test_what_the_ledger_paid_for_is_never_trained_again(
    service: Service, tmp_path: Path
) -> None:
    folder = folder_for(service, tmp_path)
    paid = piloted(service, folder).spend.paid
    (folder / ".tuneworthy" / "pilot" / "runs.jsonl").unlink()
    service.files, service.refuses = {}, "no more"  # the service forgot its files
    assert piloted(service, folder).spend.paid == paid
    assert len(service.jobs) == 3


@pytest.mark.slow
@pytest.mark.parametrize("service", ["fireworks"], indirect=True)
@pytest.mark.parametrize("named", [7, "a\nb", "x" * 300])
def test_a_model_without_a_name_is_no_model(
    service: Service, tmp_path: Path, named: Any
) -> None:
    folder, service.named = folder_for(service, tmp_path), named
    with pytest.raises(StoppedError, match="doesn't name the model"):
        piloted(service, folder)


@pytest.mark.slow
def test_a_refused_job_is_said_and_not_paid(service: Service, tmp_path: Path) -> None:
    folder, service.refuses = folder_for(service, tmp_path), f"no such base {KEY}"
    with pytest.raises(StoppedError, match="no such base") as caught:
        piloted(service, folder)
    assert KEY not in str(caught.value)
    with Ledger(folder / ".tuneworthy" / "calls.sqlite3") as ledger:
        assert ledger.spend("pilot").held == 0


def test_data_that_may_not_leave_is_sent_to_no_service(
    service: Service, tmp_path: Path
) -> None:
    folder = folder_for(service, tmp_path, more="factors: {data_sovereignty: yes}\n")
    with pytest.raises(InputError, match="may not leave"):
        piloted(service, folder)
    assert not service.seen


WRONG: dict[str, list[str]] = {
    "--prices": [],
    "as 0.5,0.2,0.2": ["--prices", "5,0.8"],
    "are not prices": ["--prices", "5,-1,nan"],
    "is not a model of the case": ["--prices", "5,1,1", "--base", "my:other"],
}


@pytest.mark.slow
@pytest.mark.parametrize("service", ["openai"], indirect=True)
@pytest.mark.parametrize("said", WRONG)
def test_wrong_input_is_one_line(
    service: Service, tmp_path: Path, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_for(service, tmp_path)
    more = ["--base", "my:base", "--way", "hosted", *WRONG[said]]
    assert command(["pilot", str(folder), "--as-of", str(AS_OF), *more]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert len(captured.err.strip().splitlines()) == 1


@pytest.mark.parametrize("service", ["openai"], indirect=True)
def test_a_quote_sends_nothing(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_for(service, tmp_path)
    more = ["--base", "my:base", "--way", "hosted", "--prices", "5,1,2", "--dry-run"]
    assert command(["pilot", str(folder), "--as-of", str(AS_OF), *more]) == 0
    assert "training among it" in capsys.readouterr().out
    assert not service.seen


# Bases that end.


def at_openai(folder: Path, base: str) -> Path:
    told = f"id: '{base}', usd_per_mtok: {{input: 1, output: 1}}"
    return case_of(folder, 40, 100, models=f"[{{{told}}}]")


def quoted(folder: Path, base: str, day: str) -> int:
    more = ["--base", base, "--way", "hosted", "--prices", "5,1,2", "--dry-run"]
    return command(["pilot", str(at_openai(folder, base)), "--as-of", day, *more])


def test_a_base_that_is_gone_is_refused_before_anything_is_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert quoted(tmp_path, "openai:gpt-4.1-mini", "2027-01-14") == 2
    says = capsys.readouterr().err
    assert "takes no new tuning jobs since 6 Jan 2027" in says
    assert len(re.findall(r"--to [\w-]+", says)) == 3
    assert len(says.strip().splitlines()) == 1


def test_a_quote_says_when_the_base_ends_and_what_the_move_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert quoted(tmp_path, "openai:gpt-4.1-mini", "2026-12-01") == 0
    says = " ".join(capsys.readouterr().out.split())
    assert "Base ends" in says
    assert "44 more days, until 14 Jan 2027" in says
    assert "hours of tests and integration" in says


def test_the_card_misses_a_base_that_ends_within_half_a_year() -> None:
    bases = training_export.bases_of("openai-sft")
    day = date(2026, 12, 1)
    ending = training_bases.choose_base(bases, "gpt-4.1-mini", day)
    row = training_card.lasts_row(ending)
    assert row is not None
    assert row[0] == "missed"
    staying = training_bases.choose_base(
        training_export.bases_of("bedrock-nova2-sft"), None, day
    )
    assert training_card.lasts_row(staying)[0] == "met"  # type: ignore[index]  # its end is known
    assert training_card.lasts_row(None) is None
