"""Progress of long work: one line on stderr, and only where somebody looks at it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from tuneworthy.domain.errors import one_line
from tuneworthy.report.width import WIDEST
from tuneworthy.surfaces.cli.terminal import columns_of

if TYPE_CHECKING:
    from tuneworthy.domain.lab import Stand

_EVERY_S = 0.2
_ERASE = "\r\x1b[K"


def _on_one_line(text: str, stream: TextIO) -> str:
    """As much as the terminal has room for: what wraps can't be erased again."""
    return one_line(text, limit=(columns_of(stream) or WIDEST) - 1)


@contextmanager
def reading_bar(stream: TextIO) -> Iterator[Callable[[int, int, int], None] | None]:
    """A line that says how far reading has come; nothing where the stream is no terminal."""
    if not stream.isatty():
        yield None
        return
    started, last = time.monotonic(), 0.0

    def told(done: int, total: int, traces: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _EVERY_S:
            return
        last = now
        share = min(done / total, 1.0) if total else 0.0
        left = (now - started) * (1 - share) / share if share > 0.02 else None
        wait = "" if left is None else f", {left:.0f} s left"
        part = f"{share:.0%} read, " if total else ""
        stream.write(_ERASE + _on_one_line(f"{part}{traces:,} traces{wait}", stream))
        stream.flush()

    try:
        yield told
    finally:
        stream.write(_ERASE)
        stream.flush()


@contextmanager
def lab_line(stream: TextIO) -> Iterator[Callable[[Stand], None] | None]:
    """A line that says how a lab stands; nothing where the stream is no terminal."""
    if not stream.isatty():
        yield None
        return
    from tuneworthy.report.lab.live import duration, left_s
    from tuneworthy.report.lab.words import share_text
    from tuneworthy.report.words import small_usd

    started = time.monotonic()

    def told(stand: Stand) -> None:
        share = stand.done / stand.of if stand.of else 1.0
        seconds = left_s(stand, time.monotonic() - started)
        left = "" if seconds is None else f", {duration(seconds)} left"
        best = f"; ahead: {share_text(stand.quality)} {one_line(stand.arm)}" if stand.arm else ""
        line = f"{share:.0%}, {stand.running} arms in, {small_usd(stand.spend.paid)}{left}{best}"
        if not stand.of:  # prompts are proposed first, and nobody knows in how many calls
            line = f"prompts are proposed: {stand.done} calls, {small_usd(stand.spend.paid)}"
        stream.write(_ERASE + _on_one_line(line, stream))
        stream.flush()

    try:
        yield told
    finally:
        stream.write(_ERASE)
        stream.flush()
