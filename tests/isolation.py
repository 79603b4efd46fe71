"""What a test does to its process is undone, so that the order of tests decides nothing."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def process_restored() -> Iterator[None]:
    """Put back what commands and servers set for a whole process, and what tests set with them.

    A variable that wasn't there before is taken away only if it is ours: libraries set some when
    they are loaded, and rely on them.
    """
    variables = dict(os.environ)
    place = _place()
    threshold = gc.get_threshold()
    switched_after_s = sys.getswitchinterval()
    quiet_below = logging.root.manager.disable
    excepthook = threading.excepthook
    temporary = tempfile.tempdir
    handlers = {kind: signal.getsignal(kind) for kind in _SIGNALS}
    try:
        yield
    finally:
        _restore_variables(variables)
        if place and _place() != place:
            os.chdir(place)
        gc.set_threshold(*threshold)
        if gc.get_freeze_count():
            gc.unfreeze()
        sys.setswitchinterval(switched_after_s)
        logging.disable(quiet_below)
        threading.excepthook = excepthook
        tempfile.tempdir = temporary
        for kind, handler in handlers.items():
            if signal.getsignal(kind) is not handler:
                signal.signal(kind, handler)
        _forget_terminal()


def _place() -> str:
    """The current folder; empty where it is gone."""
    try:
        return os.getcwd()  # noqa: PTH109  # before and after each test: a path is dear
    except FileNotFoundError:
        return ""


def _restore_variables(before: dict[str, str]) -> None:
    if os.environ == before:
        return
    for name in os.environ.keys() - before.keys():
        if name.startswith("TUNEWORTHY_"):
            del os.environ[name]
    for name, text in before.items():
        if os.environ.get(name) != text:
            os.environ[name] = text


def _forget_terminal() -> None:
    """Lay out texts as for a file, where a command was told the width of a terminal."""
    room = sys.modules.get("tuneworthy.report.width")
    if room is not None:
        room.lay_out_for(0)
