"""Each extra alone brings all that its commands import."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from shutil import copytree

import httpx
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
CASE = ROOT / "examples" / "insurance-claims"
AS_OF = ("--as-of", "2026-11-24")


def brought(extra: str) -> Iterator[Distribution]:
    """What pip would install for Tuneworthy with one extra, as far as it is installed here."""
    waiting, seen = [(Requirement(f"tuneworthy[{extra}]"))], set[tuple[str, str]]()
    while waiting:
        asked = waiting.pop()
        for name in asked.extras or {""}:
            if (asked.name.lower(), name) in seen:
                continue
            seen.add((asked.name.lower(), name))
            try:
                found = distribution(asked.name)
            except PackageNotFoundError:
                continue
            yield found
            needs = [Requirement(line) for line in found.requires or ()]
            waiting += [
                each for each in needs
                if each.marker is None or any(
                    each.marker.evaluate({"extra": one}) for one in {"", name}
                )
            ]  # fmt: skip


def environment(extra: str, folder: Path) -> dict[str, str]:
    """Variables under which Python finds Tuneworthy and nothing but what an extra brings."""
    for each in brought(extra):
        for file in each.files or ():
            top = file.parts[0]
            place, link = Path(str(each.locate_file(top))), folder / top
            if (
                top not in {"..", "__pycache__"}
                and place.exists()
                and not link.exists()
            ):
                link.symlink_to(place)
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("TUNEWORTHY_", "PYTHON"))
    }
    return kept | {
        "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{folder}",
        "HOME": str(folder),
    }


COMMANDS: dict[str, tuple[str, ...]] = {
    "": ("decide", "case", *AS_OF),
    "report": ("decide", "case", *AS_OF, "--format", "html"),
    "traces": ("measure", "--from", "t.jsonl"),
    "lab": ("ceiling", "case", "--budget", "5", "--dry-run"),
    "retrieval": ("retrieve", "town"),
    "mcp": ("mcp", ".", *AS_OF),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A case with all that a lab needs, a log of calls, and an empty folder for libraries."""
    copytree(CASE, tmp_path / "case")
    copytree(CASE.parent / "municipal-services", tmp_path / "town")
    path = tmp_path / "case" / "case.yaml"
    path.write_text(
        path.read_text("utf-8").replace("local:smollm2", "openai:gpt-4o-mini"), "utf-8"
    )
    record = {"output": '{"a": 1}', "input": "Where is it?", "conversation_id": "c"}
    (tmp_path / "t.jsonl").write_text(
        "".join(json.dumps(record) + "\n" for _ in range(30))
    )
    (tmp_path / "site").mkdir()
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("extra", COMMANDS)
def test_an_extra_alone_brings_what_its_command_imports(
    extra: str, folder: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-m", "tuneworthy", *COMMANDS[extra]],
        capture_output=True, text=True, check=False, cwd=folder, stdin=subprocess.DEVNULL,
        env=environment(extra, folder / "site"), timeout=300,
    )  # fmt: skip
    assert (done.returncode, "install" in done.stderr) == (0, False), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("extra", ["traces", "lab", "retrieval"])
def test_without_an_extra_a_command_says_what_installs_it(
    extra: str, folder: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-m", "tuneworthy", *COMMANDS[extra]],
        capture_output=True, text=True, check=False, cwd=folder, stdin=subprocess.DEVNULL,
        env=environment("report", folder / "site"), timeout=300,
    )  # fmt: skip
    assert done.returncode == 2
    assert "pip install" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_the_page_alone_brings_what_it_imports(folder: Path) -> None:
    command = [sys.executable, "-S", "-m", "tuneworthy", "serve", "case", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
        env=environment("serve", folder / "site"),
    ) as it:  # fmt: skip
        try:
            assert it.stdout is not None
            said = it.stdout.readline()
            home = re.search(r"http://127\.0\.0\.1:\d+/\S+", said)
            assert home is not None, said
            with httpx.Client(timeout=60, follow_redirects=True) as client:
                assert client.get(home.group()).status_code == 200
            it.send_signal(signal.SIGINT)
            _, wrong = it.communicate(timeout=60)
        finally:
            it.kill()
    assert wrong == ""


# What make and CI install -------------------------------------------------------------------------

LOCKS = Path(__file__).resolve().parents[2] / "requirements"


def locked(name: str) -> dict[str, str]:
    """The releases of a lock, each with its lines, by the name of the library."""
    text = (LOCKS / f"{name}.txt").read_text("utf-8")
    blocks = re.findall(r"^[a-z0-9].*(?:\n    .*)*", text, re.MULTILINE)
    return {re.split(r"[=\[ ]", block)[0]: block for block in blocks}


@pytest.mark.parametrize("name", ["core", "report", "dev", "local", "browser"])
def test_a_lock_has_hashes_and_names_no_host(name: str) -> None:
    for block in locked(name).values():
        assert re.match(r"[\w.-]+==\S+", block), block
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block
        assert "://" not in block
        assert "index" not in block.partition("==")[2]


def test_what_we_name_is_locked() -> None:
    """Every library of an extra stands in the lock of that extra or of one below it."""
    told = tomllib.loads((LOCKS.parent / "pyproject.toml").read_text("utf-8"))[
        "project"
    ]
    extras = told["optional-dependencies"]
    named = {"core": told["dependencies"], "report": extras["report"], "local": extras["local"],
             "browser": extras["browser"]}  # fmt: skip
    named["dev"] = [each for name in ("report", "traces", "lab", "retrieval", "optimise",
                    "serve", "mcp", "dev") for each in extras[name]]  # fmt: skip
    below = locked("core") | locked("report") | locked("dev")
    for name, needs in named.items():
        there = below | locked(name)
        ours = (Requirement(each).name for each in needs)
        assert {canonicalize_name(each) for each in ours} - {"tuneworthy"} - set(
            there
        ) == set()
