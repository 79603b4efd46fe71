"""A separate Python process for what must not run in this one: a pattern, a query, a function.

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

_CHILD = Path(__file__).with_name("child.py")
_MOST_BYTES = 16 * 1024 * 1024  # of one answer; a longer one is no answer
# variables that are passed on, none of which is a key; Windows can't start Python without the second
_KEPT = ("PATH", "SYSTEMROOT")


class Worker:
    """A process that answers one line of JSON with another; ``arguments`` say what it does.

    It starts with the first question, in a session of its own. When an answer takes longer than
    ``seconds``, when it is stopped, or when its parent ends, it is ended with all that it started.
    After a slow answer, the next question starts it again. ``bare`` hides the packages that are
    installed here.
    """

    def __init__(
        self,
        *arguments: str,
        seconds: float,
        folder: Path | None = None,
        bare: bool = False,
    ) -> None:
        self.seconds = seconds
        # isolated from the environment and, with the second, from installed packages
        flags = ["-I", "-S"] if bare else ["-I"]
        own_pid = str(os.getpid())
        self._command = [sys.executable, *flags, str(_CHILD), own_pid, *arguments]
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

        timer = threading.Timer(self.seconds, end)
        timer.daemon = True
        timer.start()
        data = b""
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(OSError):  # it has ended
            process.stdin.write(line)
            process.stdin.flush()
            data = process.stdout.readline(_MOST_BYTES)
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
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
            cwd=self._folder,
            start_new_session=True,
        )
        self._process = process
        self._end = weakref.finalize(self, _end_process, process)
        assert process.stdout is not None
        process.stdout.readline()  # it is ready: starting is no part of an answer
        return process

    def _close(self) -> None:
        if self._end is not None:
            self._end()
        self._process = None
        self._end = None


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started; on Windows, the process alone."""
    end_descendants(process.pid)
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _end_process(process: subprocess.Popen[bytes]) -> None:
    _kill_session(process)
    with contextlib.suppress(OSError), process:
        pass  # leaving it closes its pipes and waits for it


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
