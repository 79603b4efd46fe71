"""What all tests share: where things stand, how hard to look, and which skips are allowed."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

PROJECT = Path(__file__).resolve().parents[1]
NO_SHARED = "the shared materials do not stand beside this project"

# No law depends on the clock, so a slow machine is no failure. `quick` tries the same examples in
# every run, so a fresh clone gets the answer everybody got; `thorough` goes looking for new ones.
_CLOCKLESS = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", _CLOCKLESS, max_examples=30, derandomize=True)
settings.register_profile("thorough", _CLOCKLESS, max_examples=200, print_blob=True)
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


def _strict() -> bool:
    wanted = (os.environ.get(name, "") for name in ("CI", "TUNEWORTHY_STRICT_SKIPS"))
    return any(value.lower() in {"1", "true", "yes"} for value in wanted)


def _allowed_reasons() -> frozenset[str]:
    lines = Path(__file__).with_name("skips.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def _judge_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip for a reason nobody agreed to into a failure."""
    if not report.skipped or hasattr(report, "wasxfail") or not _strict():
        return
    told = report.longrepr[-1] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = told.removeprefix("Skipped: ")
    if reason not in _allowed_reasons():
        report.outcome = "failed"
        report.longrepr = f"skipped for a reason that is not in tests/skips.txt: {reason}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Judge the skip of a test."""
    report = yield
    _judge_skip(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Judge the skip of a whole module."""
    report = yield
    _judge_skip(report)
    return report
