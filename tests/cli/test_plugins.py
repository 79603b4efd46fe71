"""What an installed package adds is there, and one that is broken is named in one line.

The package is the one of the guide, to the letter.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guides" / "python.md"
DAY = ("--as-of", "2026-11-30")


def blocks(kind: str) -> list[str]:
    """The blocks of the guide in one language."""
    return re.findall(rf"```{kind}\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)


def install(folder: Path, module: str, entry_points: str) -> None:
    """Lay a package into a folder as an installer would."""
    about = folder / "acme_tuning-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: acme-tuning\nVersion: 1.0\n"
    )
    listed = re.sub(r'\[project\.entry-points\."(.*?)"\]', r"[\1]", entry_points)
    (about / "entry_points.txt").write_text(listed.replace('"', ""), "utf-8")
    package = folder / "acme_tuning"
    package.mkdir()
    (package / "__init__.py").write_text(module, "utf-8")
    log_map, target, _ = blocks("yaml")
    for name, text in (
        ("formats/acme_gateway", log_map),
        ("targets/acme-trainer", target),
    ):
        path = package / f"{name}.yaml"
        path.parent.mkdir()
        path.write_text(text, "utf-8")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of packages that holds the guide's."""
    folder = tmp_path / "site"
    *_, module = blocks("python")
    (entry_points,) = blocks("toml")
    install(folder, module, entry_points)
    return folder


def tuneworthy(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line where a folder of packages is installed too."""
    places = os.pathsep.join([str(ROOT / "src"), str(site)])
    return subprocess.run(
        [sys.executable, "-m", "tuneworthy", *arguments],
        env={**os.environ, "PYTHONPATH": places, "COLUMNS": "100"},
        cwd=site.parent,
        capture_output=True,
        text=True,
        check=False,
    )


def make_case(folder: Path, more: str = "") -> None:
    folder.mkdir()
    text = (
        f"name: Acme\ntargets: {{quality: {{metric: polite, at_least: 0.9}}}}\n{more}"
    )
    (folder / "case.yaml").write_text(text, "utf-8")


@pytest.mark.slow
def test_a_format_and_a_signal_of_a_package_are_measured(site: Path) -> None:
    asked = ["Thank you, where is my parcel?", "Where is it?"]
    calls = [
        {
            "acme_call": {
                "at": "2026-11-01T08:00:00Z",
                "model": "m",
                "asked": text,
                "said": "There",
            }
        }
        for text in asked * 20
    ]
    log = site.parent / "log.jsonl"
    log.write_text("".join(f"{json.dumps(call)}\n" for call in calls), "utf-8")
    done = tuneworthy(site, "measure", "--from", str(log), "--format", "json")
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    evidence = {each["id"]: each for each in measured["evidence"]}
    assert evidence["thanks_share"]["value"] == 0.5
    assert "Acme's gateway" in done.stdout


@pytest.mark.slow
def test_a_target_of_a_package_is_written(site: Path) -> None:
    make_case(site.parent / "case", "data: {training: pairs.jsonl}\n")
    pairs = [
        {"messages": [{"role": "user", "content": f"Which shelf holds book {n} of room {n % 7}?"},
                      {"role": "assistant", "content": f"Shelf {n * 7 % 31}, please look there."}]}
        for n in range(60)
    ]  # fmt: skip
    lines = "".join(f"{json.dumps(pair)}\n" for pair in pairs)
    (site.parent / "case" / "pairs.jsonl").write_text(lines, "utf-8")
    gated = tuneworthy(site, "data", "case")
    assert gated.returncode == 0, gated.stderr
    done = tuneworthy(site, "export", "case", "--to", "acme-trainer")
    assert done.returncode == 0, done.stderr
    first, *_ = (site.parent / "case" / "export").rglob("train.jsonl")
    assert json.loads(first.read_text("utf-8").splitlines()[0])["messages"]


@pytest.mark.slow
def test_a_scorer_of_a_package_scores_where_the_target_or_a_case_names_it(
    site: Path,
) -> None:
    make_case(
        site.parent / "case",
        'models: [{id: "fake:echo"}]\ndata: {evaluation: eval.jsonl, prompts: prompts}\n',
    )
    prompts = site.parent / "case" / "prompts"
    prompts.mkdir()
    (prompts / "plain.md").write_text("Answer.\n", "utf-8")
    cases: list[dict[str, Any]] = [
        {
            "id": f"c{n}",
            "input": f"Say {'please' if n % 2 else 'it'} {n}",
            "reference": f"it {n}",
        }
        for n in range(40)
    ]
    cases[0]["checks"] = [{"scorer": "polite"}]
    lines = "".join(f"{json.dumps(case)}\n" for case in cases)
    (site.parent / "case" / "eval.jsonl").write_text(lines, "utf-8")
    done = tuneworthy(site, "ceiling", "case", "--cases", "json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    scores = {row["case"]: row["plain · fake:echo"] for row in rows}
    assert scores["c1"].startswith("1.00")  # it says please, as it was asked to
    assert scores["c2"].startswith("0.00")


@pytest.mark.slow
def test_an_option_of_a_package_is_judged_by_its_rule(site: Path) -> None:
    *_, framework = blocks("yaml")
    own = "framework: acme.yaml\ntoday: {quality: 0.7, cases: 321}\n"
    make_case(site.parent / "case", own)
    (site.parent / "case" / "acme.yaml").write_text(framework, "utf-8")
    asked = ("decide", "case", "--format", "json", *DAY)
    done = tuneworthy(site, *asked)
    assert done.returncode == 0, done.stderr
    ways = {each["id"]: each for each in json.loads(done.stdout)["ways"]}
    # it takes 67% of the errors away
    assert ways["review_queue"]["chance_word"] == "unlikely"
    assert ways["review_queue"]["because"].startswith("321 cases are there")


@pytest.mark.slow
@pytest.mark.parametrize(
    "module", ["raise RuntimeError('no\\x1b[31m luck')", "import nowhere_at_all"]
)
def test_a_package_that_breaks_is_named_in_one_line(
    tmp_path: Path, module: str
) -> None:
    site = tmp_path / "site"
    (entry_points,) = blocks("toml")
    install(site, module, entry_points)
    log = tmp_path / "log.jsonl"
    log.write_text('{"input": "a", "output": "b"}\n', "utf-8")
    done = tuneworthy(site, "measure", "--from", str(log))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "acme-tuning" in done.stderr
    assert "\x1b" not in done.stderr
    assert (
        tuneworthy(site, "decide", str(ROOT / "examples" / "first-idea")).returncode
        == 0
    )
