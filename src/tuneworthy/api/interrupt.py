"""Ctrl-C while calls are on the wire: send nothing more, and wait for what is paid already."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def stopped_by_user() -> Iterator[Callable[[Callable[[], None]], None]]:
    """The first Ctrl-C stops a run and lets it end; the second ends the program at once.

    Only in the main thread, where signals arrive; elsewhere nothing changes.

    Yields:
        A function that takes what is to be called on Ctrl-C.
    """
    loop = asyncio.get_running_loop()
    todo: list[Callable[[], None]] = []

    def pressed() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        for each in todo:
            each()

    # other threads, and loops of systems without signals, refuse
    with suppress(NotImplementedError, RuntimeError, ValueError):
        loop.add_signal_handler(signal.SIGINT, pressed)
    try:
        yield todo.append
    finally:
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.remove_signal_handler(signal.SIGINT)
