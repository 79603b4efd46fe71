"""A separate Python process for code that must not run in this one: a query by a model, a function.

It guards against mistakes, not against malice. The user consented to the code that runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

from tuneworthy.scoring.child import end_descendants

CHILD = Path(__file__).with_name("child.py")
MOST_BYTES = 16 * 1024 * 1024  #: Of one answer; a longer one is no answer.


class Worker:
    """A process that answers one line of JSON with another.

    It starts with the first question, in a session of its own, and its environment holds no key.
    When an answer takes too long, when it is stopped, or when its parent ends, it is ended with all
    that it started. After a slow answer, the next question starts it again. ``bare`` hides the
    packages that are installed here.
    """

    def __init__(
        self,
        *arguments: str,
        seconds: float,
        folder: Path | None = None,
        bare: bool = False,
    ) -> None:
        # isolated from the environment and, with the second, from installed packages
        flags = ["-I", "-S"] if bare else ["-I"]
        self._command = [
            sys.executable,
            *flags,
            str(CHILD),
            str(os.getpid()),
            *arguments,
        ]
        self._seconds = seconds
        self._folder = folder
        self._turn = threading.Lock()
        self._stopped = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._end: weakref.finalize[..., Worker] | None = None

    def ask(self, question: Any) -> tuple[Any, str]:
        """Ask the process; return its answer and an empty text.

        Where no answer came, return None and the reason: too_slow, stopped, ended or unreadable.
        """
        try:
            line = json.dumps(question).encode() + b"\n"
            with self._turn:
                data, why = self._exchange(line)
            if why:
                return None, why
            return json.loads(data, parse_constant=_refuse_constant), ""
        except (ValueError, TypeError, RecursionError):
            return None, "unreadable"

    def stop(self) -> None:
        """End it now, from any thread, and answer no further question."""
        self._stopped.set()
        process = self._process
        if process is not None:
            _kill_session(process)

    def _exchange(self, line: bytes) -> tuple[bytes, str]:
        """Send a line to the process and read its answer, or say why none came."""
        process = self._running()
        # a stop may have come before there was a process that it could end
        if self._stopped.is_set():
            self._close()
            return b"", "stopped"
        too_slow = threading.Event()

        def end() -> None:
            too_slow.set()
            _kill_session(process)

        timer = threading.Timer(self._seconds, end)
        timer.daemon = True
        timer.start()
        data = b""
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(line)
            process.stdin.flush()
            data = process.stdout.readline(MOST_BYTES)
        except OSError:
            pass  # it has ended
        finally:
            timer.cancel()
        # without its end, a line is only the beginning of an answer
        if data.endswith(b"\n") and not too_slow.is_set():
            return data, ""
        self._close()
        if self._stopped.is_set():
            return b"", "stopped"
        return b"", "too_slow" if too_slow.is_set() else "ended"

    def _running(self) -> subprocess.Popen[bytes]:
        """Return the process, and start it where none is running."""
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._close()
        process = subprocess.Popen(  # noqa: S603  # our own script, by this very Python
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", "")},
            cwd=self._folder,
            start_new_session=True,
        )
        self._process = process
        self._end = weakref.finalize(self, _end_process, process)
        return process

    def _close(self) -> None:
        if self._end is not None:
            self._end()
        self._process = None
        self._end = None


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    end_descendants(process.pid)
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)


def _end_process(process: subprocess.Popen[bytes]) -> None:
    _kill_session(process)
    with contextlib.suppress(OSError), process:
        pass  # leaving it closes its pipes and waits for it


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
