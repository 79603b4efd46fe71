"""What agents and CI are given: commands that run, fields that exist, and a safe script."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tuneworthy.cli import run

PROJECT = Path(__file__).resolve().parents[2]
SKILL = (PROJECT / "skills/tuneworthy/SKILL.md").read_text("utf-8")
ACTION = yaml.safe_load((PROJECT / "action.yml").read_text("utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
FIELDS = {
    "measure": ("readings", "evidence", "outcome"),
    "ceiling": ("calls", "usd_most", "usd_likely", "arms", "unpriced"),
    "retrieve": (),
    "data": ("train", "unreviewed", "gates"),
    "export": (),
    "pilot": ("training", "calls"),
}
"""What the skill tells to read of each command's JSON, beside its table for ``decide``."""


def shown() -> list[list[str]]:
    """Every command line of the skill's blocks, as words."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", SKILL, re.MULTILINE | re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def copy(slug: str, to: Path) -> None:
    shutil.copytree(PROJECT / "examples" / slug, to)


def test_the_skill_names_itself() -> None:
    front = yaml.safe_load(SKILL.split("---")[1])
    assert front["name"] == "tuneworthy"  # as its folder is called, or it isn't found
    assert 50 < len(front["description"]) <= 1024


@pytest.mark.slow
@pytest.mark.usefixtures("quick_quotes")
def test_the_road_of_the_skill_can_be_gone(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each command of it runs on a case of the gallery, and gives the fields it names."""
    seen = set()
    for words in shown():
        assert words[0] == "tuneworthy"
        if words[1] == "init":
            assert run(["init", "fresh", *words[3:]]) == 0
            copy("municipal-services", copied / "my-case")
            continue
        code = run(words[1:])
        captured = capsys.readouterr()
        if words[1] == "pilot" and code == 2:  # it needs what trains
            assert "tuneworthy[pilot]" in captured.err
            continue
        assert code == 0, (words, captured.err)
        if "--format" in words:
            told = json.loads(captured.out)
            seen.add(words[1])
            for name in FIELDS.get(words[1], ()):
                assert name in told, (words, name)
                assert f"`{name}`" in SKILL
    assert seen >= {"measure", "decide", "ceiling", "retrieve", "data", "export"}


@pytest.mark.slow
def test_what_the_skill_reads_of_a_decision_is_there(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy("bank-call-routing", copied / "my-case")
    assert run(["decide", "my-case", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    for path in re.findall(r"^\| `([a-z_.]+)` \|", SKILL, re.MULTILINE):
        found: Any = told
        for name in path.split("."):
            found = found[name]
    step = told["recommendation"]["steps"][0]
    assert {"command", "stop_when"} <= set(step)
    assert {"says", "settle"} <= set(told["challenges"][0])


@pytest.mark.parametrize(
    "page", ["AGENTS.md", "llms.txt", "skills/tuneworthy/SKILL.md"]
)
def test_links_for_agents_lead_somewhere(page: str) -> None:
    text = (PROJECT / page).read_text("utf-8")
    links = re.findall(r"\]\(([^)\s#]+)", text)
    assert [
        link for link in links if not ((PROJECT / page).parent / link).exists()
    ] == []


def test_before_each_cost_there_is_a_quote() -> None:
    for words in shown():
        if words[1] in {"ceiling", "pilot", "verify"}:
            assert "--dry-run" in words
        assert "--answers" not in words


# The action ---------------------------------------------------------------------------------------


def step(
    name: str, place: Path, **inputs: str
) -> tuple[subprocess.CompletedProcess[str], str]:
    """One step of the action as a runner starts it, with what it wrote for the summary."""
    tools = place / "tools"
    tools.mkdir(exist_ok=True)
    tool = tools / "tuneworthy"
    source = PROJECT / "src"
    tool.write_text(
        f'#!/bin/sh\nPYTHONPATH="{source}" exec "{sys.executable}" -m tuneworthy "$@"\n',
        "utf-8",
    )
    python = tools / "python3"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', "utf-8")
    for each in (tool, python):
        each.chmod(each.stat().st_mode | stat.S_IXUSR)
    known = dict.fromkeys(STEPS[name]["env"], "") | inputs
    env = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "HOME": str(tools), "COLUMNS": "80", "NO_COLOR": "1", "GITHUB_REPOSITORY": "us/ours",
        "GITHUB_STEP_SUMMARY": str(place / "summary.md"), "GITHUB_OUTPUT": str(place / "output"),
        **known,
    }  # fmt: skip
    done = subprocess.run(
        ["bash", "-c", STEPS[name]["run"]],
        cwd=place, env=env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    summary = place / "summary.md"
    return done, summary.read_text("utf-8") if summary.exists() else ""


def outputs(place: Path) -> dict[str, str]:
    rows = (place / "output").read_text("utf-8").splitlines()
    return dict(row.split("=", 1) for row in rows)


@pytest.mark.slow
def test_the_action_says_the_answer_and_fails_where_it_has_to(copied: Path) -> None:
    copy("task-api", copied / "my case")
    done, summary = step("Decide", copied, CASE="my case", REQUIRE="yes")
    assert done.returncode == 0, done.stderr
    assert "Pilot it," in summary
    assert summary.startswith("> **This check requires the answer “tune it”")
    assert "it fails" in summary.splitlines()[0]
    assert "<details>" in summary
    told = outputs(copied)
    assert told["answer"] == "pilot"
    assert Path(told["report"]).read_text("utf-8") == summary
    assert step("Require", copied, CODE=told["code"])[0].returncode == 1
    (copied / "output").unlink()
    step("Decide", copied, CASE="my case", REQUIRE="pilot")
    assert step("Require", copied, CODE=outputs(copied)["code"])[0].returncode == 0


def git(place: Path, *arguments: str) -> str:
    who = ("-c", "user.name=one", "-c", "user.email=one@example.org")
    command = ["git", *who, *arguments]
    done = subprocess.run(
        command, cwd=place, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.slow
def test_the_comment_says_what_a_pull_request_changes(copied: Path) -> None:
    checkout = copied / "checkout"
    checkout.mkdir()
    copy("task-api", checkout / "case")
    git(checkout, "init", "--quiet")
    git(checkout, "add", "case")
    git(checkout, "commit", "--quiet", "-m", "base")
    base = git(checkout, "rev-parse", "HEAD")
    assert run(["answer", str(checkout / "case"), "brand_voice=no"]) == 0
    done, summary = step("Decide", checkout, CASE="case", BASE=base)
    assert done.returncode == 0, done.stderr
    changed, _, _ = summary.partition("\n\n# ")
    assert (
        "Compared with the base, the answer was “pilot it” and is “not yet”" in changed
    )
    assert "| Brand voice | yes | no |" in summary
    (checkout / "summary.md").unlink()
    done, summary = step("Decide", checkout, CASE="case", BASE="0" * 40)
    assert done.returncode == 0, done.stderr
    assert "can't be read at the base" in done.stderr
    assert summary.startswith("# Task API assistant: Fine-tune it? Not yet.")


@pytest.mark.slow
def test_wrong_input_stops_the_action_with_one_line(copied: Path) -> None:
    done, summary = step("Decide", copied, CASE="nowhere")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert summary == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["CASE", "REQUIRE", "RESULTS", "AS_OF", "BASE"])
def test_an_input_is_never_run(copied: Path, name: str) -> None:
    copy("first-idea", copied / "case")
    bad = "$(touch pwned) `touch pwned`; touch pwned; \" ; touch pwned; \" '; touch pwned; '"
    step("Decide", copied, **({"CASE": "case"} | {name: bad}))
    assert not (copied / "pwned").exists()


def test_inputs_reach_a_script_by_the_environment_alone() -> None:
    for each in STEPS.values():
        assert "${{" not in each["run"]


PLANTED = (
    "json",
    "os",
    "re",
    "pip",
    "sitecustomize",
    "usercustomize",
    "tuneworthy",
    "encodings",
)
"""Modules that a pull request may put where a careless call of Python finds them."""


def plant(checkout: Path) -> Path:
    """Modules that leave a file behind when they are imported; that file."""
    trap = checkout.with_name("sprung")
    code = f"open({str(trap)!r}, 'a').write(__name__)\n"
    for name in PLANTED:
        (checkout / f"{name}.py").write_text(code, "utf-8")
        (checkout / name).mkdir()
        for file in ("__init__.py", "__main__.py"):
            (checkout / name / file).write_text(code, "utf-8")
    for file in ("setup.py", "conftest.py", "gh", "jq", "python3", "tuneworthy.sh"):
        (checkout / file).write_text(f"#!/bin/sh\necho {file} >> {trap}\n", "utf-8")
        (checkout / file).chmod(0o755)
    (checkout / "pip.conf").write_text(
        "[global]\nindex-url = http://127.0.0.1:9/\n", "utf-8"
    )
    (checkout / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "setup"\nbackend-path = ["."]\n',
        "utf-8",
    )
    return trap


@pytest.mark.slow
@pytest.mark.parametrize("path", ["", ".", "HERE"])
def test_the_action_runs_no_code_of_the_checkout(copied: Path, path: str) -> None:
    checkout = copied / "checkout"
    checkout.mkdir()
    trap = plant(checkout)
    copy("task-api", checkout / "case")
    where = path.replace("HERE", str(checkout))
    hostile = (
        {"PYTHONPATH": where, "PYTHONSTARTUP": str(checkout / "os.py")} if path else {}
    )

    # pip is loaded, and finds nothing to install: no network is needed to see what it imports
    done, _ = step(
        "Install",
        checkout,
        ACTION=str(copied / "no-action"),
        PIP_NO_INDEX="1",
        **hostile,
    )
    assert done.returncode == 1
    assert "no-action" in done.stderr
    done, summary = step("Decide", checkout, CASE="case", REQUIRE="yes", **hostile)
    assert done.returncode == 0, done.stderr
    assert "Pilot it," in summary
    told = outputs(checkout)
    assert told["answer"] == "pilot"
    (checkout / "tools" / "gh").write_text("#!/bin/sh\npwd\n", "utf-8")
    (checkout / "tools" / "gh").chmod(0o755)
    given = {
        "REPORT": told["report"],
        "GH_TOKEN": "ghs_secretsecretsecret",
        "NUMBER": "12",
    }
    done, _ = step("Comment", checkout, **given, **hostile)
    assert done.returncode == 0, done.stderr
    step("Require", checkout, CODE=told["code"], **hostile)
    assert not trap.exists(), trap.read_text("utf-8")


def test_only_the_step_that_comments_gets_the_token() -> None:
    holders = [name for name, each in STEPS.items() if "inputs.token" in str(each)]
    assert holders == ["Comment"]
    assert "python" not in STEPS["Comment"]["run"]


def test_the_comment_is_one_and_shows_no_token(copied: Path) -> None:
    log, gh = copied / "asked", copied / "tools" / "gh"
    gh.parent.mkdir()
    gh.write_text(f'#!/bin/sh\necho "$@" >> {log}\n', "utf-8")
    gh.chmod(0o755)
    (copied / "report.md").write_text("# Case: Not yet\n", "utf-8")
    given = {"REPORT": str(copied / "report.md"), "GH_TOKEN": "ghs_secretsecretsecret",
             "NUMBER": "12"}  # fmt: skip
    done, _ = step("Comment", copied, **given)
    assert done.returncode == 0, done.stderr
    asked = log.read_text("utf-8")
    assert "POST repos/us/ours/issues/12/comments" in asked
    assert "ghs_" not in asked + done.stdout + done.stderr
    gh.write_text(
        f'#!/bin/sh\necho "$@" >> {log}\ncase "$*" in *--jq*) echo 77;; esac\n'
    )
    step("Comment", copied, **given)
    assert "PATCH repos/us/ours/issues/comments/77" in log.read_text("utf-8")
    for number in ("", "1; rm"):
        done, _ = step("Comment", copied, **(given | {"NUMBER": number}))
        assert "no comment" in done.stdout
