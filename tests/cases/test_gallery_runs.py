"""The gallery cases that run: what each command says of them agrees with what the case states.

Their records are made up; here they go through the commands that a newcomer would try, offline and
without a key.
"""

from __future__ import annotations

import json
import shutil
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tuneworthy.cli import run

PROJECT = Path(__file__).resolve().parents[2]
SLUGS = sorted(logs.parent.name for logs in (PROJECT / "examples").glob("*/logs"))
MEANT = {"insurance-claims": {"need_seen_in_data"}}
"""What a log may contradict: that nothing of the customers is in what goes to a third party."""


@pytest.fixture
def case(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A fresh copy of a case, as the present folder's."""
    shutil.copytree(PROJECT / "examples" / request.param, tmp_path / request.param)
    monkeypatch.chdir(tmp_path)
    return str(request.param)


each_case = pytest.mark.parametrize("case", SLUGS, indirect=True)


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert run(arguments) == code, capsys.readouterr().err
    captured = capsys.readouterr()
    return captured.out if code == 0 else captured.err


def dossier(capsys: pytest.CaptureFixture[str], case: str) -> Any:
    return json.loads(
        told(capsys, "decide", case, "--format", "json", "--as-of", "2026-11-24")
    )


@pytest.mark.parametrize("slug", SLUGS)
def test_a_case_stays_small(slug: str) -> None:
    files = [
        path for path in (PROJECT / "examples" / slug).rglob("*") if path.is_file()
    ]
    assert sum(path.stat().st_size for path in files) < 300_000


@pytest.mark.slow
@each_case
def test_a_log_says_what_its_case_says(
    case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = dossier(capsys, case)
    page = told(capsys, "measure", case, "--all")
    after = dossier(capsys, case)
    new = {one["id"] for one in after["challenges"]} - {
        one["id"] for one in before["challenges"]
    }
    assert new == MEANT.get(case, set())
    verdicts = [{name: found["verdict"][name] for name in ("answer", "rule", "outcome")}
                for found in (before, after)]  # fmt: skip
    assert verdicts[0] == verdicts[1]
    assert "left out 2 records, aren't JSON" in page
    assert "Calls that failed" in page


@pytest.mark.slow
@each_case
def test_its_examples_pass_the_gates_and_are_handed_on(
    case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(told(capsys, "data", case, "--format", "json"))
    assert found["train"] >= 180, found
    caught = {gate["id"] for gate in found["gates"] if gate["examples"]}
    assert len(caught) >= 2, found["gates"]
    page = told(capsys, "export", case, "--to", "trl-sft")
    assert "to train on" in " ".join(page.split())
    assert (Path(case) / "export/trl-sft/train.jsonl").is_file()
    if find_spec("torch") is None:  # where it is, other tests train
        assert "tuneworthy[pilot]" in told(capsys, "pilot", case, "--dry-run", code=2)


@pytest.mark.slow
@each_case
def test_its_labs_are_free_and_say_what_they_lack(
    case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    quote = told(capsys, "ceiling", case, "--dry-run")
    assert "Price nothing" in " ".join(quote.split())
    assert "too few" not in quote.lower()
    assert "names no tuned model" in told(capsys, "verify", case, "--dry-run", code=2)
    if case != "municipal-services":
        assert "known passage" in told(capsys, "retrieve", case, code=2)


@pytest.mark.slow
@pytest.mark.usefixtures("quick_quotes")
def test_the_demo_copies_a_case_and_walks_through_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = told(capsys, "demo", "logistics-dispatch", "--to", "my desk")
    commands = [
        line.split()[2] for line in page.splitlines() if line.startswith("$ tuneworthy")
    ]
    assert commands == ["decide", "measure", "ceiling", "data", "export", "pilot"]
    assert page.count("\n# ") == len(commands)
    copied = {path.name for path in (tmp_path / "my desk").iterdir()}
    assert {"case.yaml", "eval.jsonl", "export", ".tuneworthy"} <= copied
    assert "expected.yaml" not in copied
    before = (tmp_path / "my desk/case.yaml").read_bytes()
    assert "exists already" in told(capsys, "demo", "--to", "my desk", code=2)
    assert (tmp_path / "my desk/case.yaml").read_bytes() == before
    assert "municipal-services" in told(capsys, "demo", "../../etc", code=2)


def test_a_dry_demo_touches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = told(capsys, "demo", "municipal-services", "--dry-run")
    assert "$ tuneworthy retrieve municipal-services" in page
    assert not list(tmp_path.iterdir())


def test_what_the_demo_copies_is_in_the_package() -> None:
    told = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
    included = told["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included == {
        f"examples/{slug}": f"tuneworthy/gallery/{slug}" for slug in SLUGS
    }
