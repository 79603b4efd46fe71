"""Tests are independent of their order: what one does to the process, the next doesn't see."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from isolation import process_restored
from tuneworthy import cli as cli_module
from tuneworthy.report import width as report_width


def seen() -> tuple[object, ...]:
    """All of the process that a command or a server may set."""
    return (
        dict(os.environ), Path.cwd(), gc.get_threshold(), gc.get_freeze_count(),
        sys.getswitchinterval(), logging.root.manager.disable, threading.excepthook,
        tempfile.tempdir, signal.getsignal(signal.SIGTERM), report_width.columns(),
    )  # fmt: skip


def test_what_a_test_does_to_the_process_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONE_OF_THE_USER", "there")
    before = seen()
    with process_restored():
        os.environ["TUNEWORTHY_TRACEBACK"] = "1"
        os.environ["ONE_OF_THE_USER"] = "another"
        del os.environ["PATH"]
        os.chdir(tmp_path)
        sys.setswitchinterval(1.0)
        logging.disable(logging.CRITICAL)
        threading.excepthook = lambda _: None
        tempfile.tempdir = str(tmp_path)
        signal.signal(signal.SIGTERM, lambda *_: None)
        report_width.lay_out_for(60)
    assert seen() == before


def test_the_command_line_in_this_process_leaves_its_collector_as_it_was() -> None:
    before = gc.get_threshold()
    with process_restored(), pytest.raises(SystemExit):
        cli_module.main(["--version"])
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
