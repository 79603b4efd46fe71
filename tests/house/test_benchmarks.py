"""Benchmarks time what they say: a step that did nothing, or too little, fails."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SIZE = 2_000_000  # bytes: 550 traces, in which every signal finds enough


@pytest.fixture(scope="module")
def timing(project: Path) -> Iterator[Any]:
    """The benchmark of traces, as a module that leaves our garbage collector alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "set_threshold", lambda *_: None)
        patch.syspath_prepend(str(project / "benchmarks"))
        yield importlib.import_module("traces")


@pytest.fixture(scope="module")
def log(timing: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A log of the benchmark's own, and how many traces it holds."""
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    return path, timing.write(path, size_bytes=SIZE)


@pytest.mark.slow
def test_the_light_signals_are_thirteen_and_all_of_them_see_every_trace(
    timing: Any, log: tuple[Path, int]
) -> None:
    figures = timing.light(*log)
    assert figures["signals"] == len(timing.LIGHT) == 13
    assert figures["known"] >= figures["signals"] - len(timing.SILENT)


def test_a_step_that_saw_too_few_traces_fails(
    timing: Any, log: tuple[Path, int]
) -> None:
    path, traces = log
    timing.read_only(path, traces)
    with pytest.raises(AssertionError, match=f"saw {traces} traces of {traces + 1}"):
        timing.read_only(path, traces + 1)
