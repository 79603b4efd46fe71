"""What all tests share: where things are, how hard to look, and which skips are allowed."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from isolation import process_restored

for _name in (
    "no_proxy",
    "NO_PROXY",
):  # servers of tests are on the loopback, whoever asks
    os.environ[_name] = "127.0.0.1,localhost"

# What tests seal is sealed with a secret of their own, and not with that of whoever runs them.
_STATE = tempfile.mkdtemp(prefix="tuneworthy-state-")
atexit.register(shutil.rmtree, _STATE, ignore_errors=True)
os.environ["XDG_STATE_HOME"] = _STATE

# A process that a test starts doesn't compile every module again, whatever the machine's setting.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Tests share the cores by processes: threads of a library that computes would only wait for them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# as where a script runs us in the background
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # programs of tests hear Ctrl-C again
    signal.signal(signal.SIGINT, signal.default_int_handler)

PROJECT = Path(__file__).resolve().parents[1]
NO_SHARED = "the shared materials are not beside this project"

# No law depends on the clock, so a slow machine is no failure. `quick` and `thorough` try the same
# examples in every run, so everybody gets the same answer; `search` goes looking for new ones.
_CLOCKLESS = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", _CLOCKLESS, max_examples=30, derandomize=True)
settings.register_profile("thorough", _CLOCKLESS, max_examples=120, derandomize=True)
settings.register_profile("search", _CLOCKLESS, max_examples=200, print_blob=True)
settings.load_profile(os.environ.get("TUNEWORTHY_EXAMPLES", "quick"))


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's root."""
    return PROJECT


@pytest.fixture(scope="session")
def package() -> Path:
    """The root of the package's source."""
    return PROJECT / "src" / "tuneworthy"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Materials that stand beside the project on some machines and not on others."""
    folder = PROJECT.parent / "shared"
    if not (folder / "published-cases.yaml").is_file():
        pytest.skip(NO_SHARED)
    return folder


@pytest.fixture
def quick_quotes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pilot's quote asks two calls and trains nothing: loading what trains takes a minute.

    ``test_pilot_trains.py`` measures steps.
    """
    from tuneworthy.model import pilot as model_pilot
    from tuneworthy.training import pilot as training_pilot
    from tuneworthy.training import trainers as training_trainers

    async def quote(_: object, works: Sequence[object]) -> model_pilot.TrainingQuote:
        steps = 30 * len(works)
        return model_pilot.TrainingQuote(
            jobs=len(works), steps=steps, seconds=3.0 * steps, memory_mib=4000
        )

    monkeypatch.setattr(training_trainers.LoraTrainer, "quote", quote)
    monkeypatch.setattr(training_pilot, "TIMED_CALLS", 3)


# A stranger's run and the whole -------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--all`` runs the slow tests too."""
    parser.addoption("--all", action="store_true", help="run the tests marked slow too")


def _lines(name: str) -> frozenset[str]:
    """The lines of a file beside this one, without comments; none where it is missing."""
    path = Path(__file__).with_name(name)
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return frozenset(
        line.strip() for line in lines if line.strip() and not line.startswith("#")
    )


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Without ``--all`` leave out what is marked ``slow``: a stranger waits two minutes at most."""
    if config.getoption("--all"):
        return
    left = [item for item in items if item.get_closest_marker("slow") is not None]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item.get_closest_marker("slow") is None]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """What a test does to the process is undone before its fixtures are."""
    with process_restored():
        return (yield)


# Skips --------------------------------------------------------------------------------------------


def _strict() -> bool:
    wanted = (os.environ.get(name, "") for name in ("CI", "TUNEWORTHY_STRICT_SKIPS"))
    return any(value.lower() in {"1", "true", "yes"} for value in wanted)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    text = (
        report.longrepr[-1]
        if isinstance(report.longrepr, tuple)
        else str(report.longrepr)
    )
    return text.removeprefix("Skipped: ")


def _judge_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip for a reason nobody agreed to into a failure."""
    if not report.skipped or hasattr(report, "wasxfail") or not _strict():
        return
    reason = _reason(report)
    if reason not in _lines("skips.txt"):
        report.outcome = "failed"
        report.longrepr = (
            f"skipped for a reason that is not in tests/skips.txt: {reason}"
        )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[
    None, pytest.TestReport, pytest.TestReport
]:
    """Judge the skip of a test."""
    report = yield
    _judge_skip(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[
    None, pytest.CollectReport, pytest.CollectReport
]:
    """Judge the skip of a whole module."""
    report = yield
    _judge_skip(report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line for each reason to skip, with how many tests it skipped."""
    skipped = Counter(
        _reason(report) for report in terminalreporter.stats.get("skipped", ())
    )
    for reason, n in skipped.most_common():
        terminalreporter.write_line(f"skipped {n}: {reason}")
