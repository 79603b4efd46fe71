"""Stopping while calls are on the wire: send nothing more, and wait for what is paid already."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class Handle:
    """Stops a run from any thread, as the first Ctrl-C does; also one that hasn't begun."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked = False
        self._tell: Callable[[], object] | None = None

    @property
    def asked(self) -> bool:
        """Whether somebody has asked for the stop."""
        return self._asked

    def stop(self) -> None:
        """Ask for it; asking twice is asking once."""
        with self._lock:
            if not self._asked and self._tell is not None:
                self._tell()
            self._asked = True

    def held_by(self, tell: Callable[[], object] | None) -> None:
        """Name what is told from now on; None once the run is over."""
        with self._lock:
            self._tell = tell
            if self._asked and tell is not None:
                tell()


@contextmanager
def stopped_by_user(handle: Handle | None = None) -> Iterator[Callable[[Callable[[], None]], None]]:
    """The first Ctrl-C stops a run and lets it end; the second ends the program at once.

    Only in the main thread, where signals arrive; elsewhere a handle is what stops it.

    Args:
        handle: Stops it from another thread.

    Yields:
        A function that takes what is to be called on Ctrl-C.
    """
    loop = asyncio.get_running_loop()
    todo: list[Callable[[], None]] = []

    def pressed() -> None:
        # other threads, and loops of systems without signals, refuse
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.remove_signal_handler(signal.SIGINT)
        for each in todo:
            each()

    with suppress(NotImplementedError, RuntimeError, ValueError):
        loop.add_signal_handler(signal.SIGINT, pressed)
    if handle is not None:
        handle.held_by(lambda: loop.call_soon_threadsafe(pressed))
    try:
        yield todo.append
    finally:
        if handle is not None:
            handle.held_by(None)
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.remove_signal_handler(signal.SIGINT)
