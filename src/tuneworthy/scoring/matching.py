"""Patterns of Python's `re`, matched in a separate process with a time limit.

A pattern or a text may be made so that matching never ends, and a process can't stop a match of its
own. This file is also the program of that process, in which it imports nothing else from here.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import IO, Literal

SECONDS = 2.0  #: The longest that a match, or making a pattern, may take.
_ORPHANED_S = 60  # seconds of a match after which the process ends itself
#: Matches of a pattern that took too long, after which it isn't tried again.
MOST_SLOW = 3
_MOST_MEMORY = 1 << 30  # of the process, in bytes, where the system limits it
# variables that are passed on; without the second Windows can't start Python
_KEPT = ("PATH", "SYSTEMROOT")

Answer = Literal["yes", "no", "no_pattern", "too_slow"]
#: The lines of the matching process.
_ANSWERS: dict[bytes, Answer] = {
    b"yes\n": "yes",
    b"no\n": "no",
    b"no_pattern\n": "no_pattern",
}


class Matcher:
    """Matches texts, one at a time, in a process that is ended when a match takes too long."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._slow = Counter[str]()

    def try_out(self, pattern: str, *, capitals: bool) -> Answer:
        """Match the empty text, to test whether a pattern is valid and compiles in time."""
        with self._turn:
            return self._answer([pattern, "", False, capitals])

    def ask(self, pattern: str, text: str, *, whole: bool, capitals: bool) -> Answer:
        """Whether a text matches a pattern; ``no_pattern`` for an invalid one."""
        with self._turn:
            if self._slow[pattern] >= MOST_SLOW:
                return "too_slow"
            answer = self._answer([pattern, text, whole, capitals])
            if answer == "too_slow":
                self._slow[pattern] += 1
        return answer

    def _answer(self, question: list[str | bool]) -> Answer:
        """Ask the matching process; kill it where it takes too long."""
        line = json.dumps(question).encode() + b"\n"
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        timed_out = threading.Event()

        def end() -> None:
            timed_out.set()
            process.kill()

        timer = threading.Timer(SECONDS, end)
        timer.daemon = True
        timer.start()
        answer = b""
        with contextlib.suppress(OSError):  # the process was killed
            process.stdin.write(line)
            process.stdin.flush()
            answer = process.stdout.readline()
        timer.cancel()
        timer.join()  # it may be ending the process just now
        if timed_out.is_set() or not answer:
            # waited for, so that the next text gets a new process and not this one
            process.kill()
            process.wait()
        return _ANSWERS.get(answer, "too_slow")

    def _running(self) -> subprocess.Popen[bytes]:
        """Return the matching process, and start it where none is running."""
        if self._process is not None:
            if self._process.poll() is None:
                return self._process
            _end(self._process)  # it has ended, and its pipes are closed here
        self._process = subprocess.Popen(  # noqa: S603  # this very file, by this very Python
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
        )
        weakref.finalize(self, _end, self._process)
        assert self._process.stdout is not None
        self._process.stdout.readline()  # it is ready: starting is no part of matching
        return self._process


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError), process:
        process.kill()


@cache
def matcher() -> Matcher:
    """The one process that matches all patterns; it starts with the first one."""
    return Matcher()


def _answer_lines(questions: IO[bytes]) -> Iterator[str]:
    """The answer of this process to each line: yes, no, or no_pattern."""
    for line in questions:
        pattern, text, whole, capitals = json.loads(line)
        try:
            compiled = re.compile(pattern, 0 if capitals else re.IGNORECASE)
        except (re.error, OverflowError, RecursionError):
            yield "no_pattern"
            continue
        _alarm(_ORPHANED_S)
        match = compiled.fullmatch(text) if whole else compiled.search(text)
        _alarm(0)
        yield "no" if match is None else "yes"


def _alarm(seconds: int) -> None:
    """Have the system end this process after some seconds: its parent may be gone by then."""
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)


def _main() -> None:
    """Answer questions from the input until it ends, with little memory."""
    # not every system limits memory
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    _write_line("ready")
    for answer in _answer_lines(sys.stdin.buffer):
        _write_line(answer)


def _write_line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()  # whoever started this process waits for the line


if __name__ == "__main__":
    _main()
