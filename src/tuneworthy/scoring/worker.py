"""A process of its own for what must not be able to harm: it has limits, and no secrets."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MOST_BYTES = 16 * 1024 * 1024
"""Of one answer; a longer one is no answer."""


class Worker:
    """A Python process that answers one line of JSON with another.

    It starts when it is first asked. It is ended when an answer takes too long, and started anew
    for the next question. Its environment is empty but for the path.

    Args:
        script: File to run.
        arguments: Its arguments.
        seconds: The longest an answer may take.
        bare: Start it without the packages that are installed here.
        folder: Where it starts, so that a bare name of a file means one that lies there.
    """

    def __init__(
        self, script: Path, arguments: Sequence[str] = (), *, seconds: float, bare: bool,
        folder: Path | None = None,
    ) -> None:  # fmt: skip
        flags = ["-I", "-S"] if bare else ["-I"]
        self._command = [sys.executable, *flags, str(script), *arguments]
        self._seconds, self._turn, self._folder = seconds, threading.Lock(), folder
        self._process: subprocess.Popen[bytes] | None = None
        self._ending: weakref.finalize[..., Worker] | None = None

    def ask(self, question: Any) -> tuple[Any, str]:
        """The answer and "", or None and why there is none: too_slow, ended, unreadable."""
        with self._turn:
            try:
                line = json.dumps(question).encode() + b"\n"
            except (ValueError, TypeError, RecursionError):
                return None, "unreadable"
            data, why = self._exchange(line)
            if why:
                self._end()
                return None, why
        try:
            return json.loads(data, parse_constant=_none), ""
        except (ValueError, RecursionError):
            return None, "unreadable"

    def _exchange(self, line: bytes) -> tuple[bytes, str]:
        until = time.monotonic() + self._seconds
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        taken, received = 0, bytearray()
        with selectors.DefaultSelector() as ready:
            ready.register(process.stdin, selectors.EVENT_WRITE)
            ready.register(process.stdout, selectors.EVENT_READ)
            while not received.endswith(b"\n"):
                left = until - time.monotonic()
                events = ready.select(left) if left > 0 else []
                if not events:
                    return b"", "too_slow"
                for key, _ in events:
                    try:
                        if key.fileobj is process.stdin:
                            taken += os.write(key.fd, line[taken : taken + 65536])
                            if taken == len(line):
                                ready.unregister(process.stdin)
                            continue
                        part = os.read(key.fd, 65536)
                    except (BrokenPipeError, ConnectionError):
                        return b"", "ended"
                    if not part or len(received) > MOST_BYTES:
                        return b"", "ended"
                    received += part
        return bytes(received), ""

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = subprocess.Popen(  # noqa: S603  # our own script, by this very Python
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"PATH": os.environ.get("PATH", "")},
                cwd=self._folder,
                start_new_session=True,
                bufsize=0,
            )
            assert self._process.stdin is not None
            os.set_blocking(self._process.stdin.fileno(), False)
            self._ending = weakref.finalize(self, _stop, self._process)
        return self._process

    def _end(self) -> None:
        if self._ending is not None:
            self._ending()
        self._process, self._ending = None, None


def _stop(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _none(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
