"""Answers played back from a file, and the recording of one.

A line of JSON for each answer: ``{"key": …, "reply": {…}}``, by the key of the request. Equal
requests, as repeats are, get their answers in the order in which they were recorded.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from pathlib import Path

from pydantic import ValidationError

from tuneworthy.calls.transport import NotSent, Transport
from tuneworthy.domain.calls import Reply, Request
from tuneworthy.domain.errors import InputError

_MOST_BYTES = 256 * 1024 * 1024


class Recorded:
    """A transport that answers what was recorded and nothing else.

    Args:
        path: The recording.

    Raises:
        InputError: If it can't be read.
    """

    def __init__(self, path: Path) -> None:
        self._replies: dict[str, deque[Reply]] = defaultdict(deque)
        for number, line in enumerate(_lines(path), start=1):
            if line.strip():
                key, reply = _told(line, f"{path}:{number}")
                self._replies[key].append(reply)

    async def close(self) -> None:
        """Nothing is held."""

    async def send(self, request: Request) -> Reply:
        """Play an answer back.

        Raises:
            NotSent: If none was recorded, or all were played.
        """
        if not (replies := self._replies.get(request.key())):
            raise NotSent(f"no answer of {request.model} was recorded for this", again=False)
        return replies.popleft()


class Recording:
    """A transport that sends through another and writes down what comes back.

    Args:
        through: What sends; it is closed with the recording.
        path: The recording; what stands there stays, and new answers follow.

    Raises:
        InputError: If it can't be written.
    """

    def __init__(self, through: Transport, path: Path) -> None:
        self._through = through
        try:
            self._file = path.open("a", encoding="utf-8")
        except OSError as caught:
            what = f"can't be written ({caught.strerror})"
            raise InputError(what, where=str(path), fix="name another file") from None

    async def close(self) -> None:
        """Close the file, and what sends."""
        self._file.close()
        await self._through.close()

    async def send(self, request: Request) -> Reply:
        """Send and write down; see ``Transport``."""
        reply = await self._through.send(request)
        told = {"key": request.key(), "reply": reply.model_dump(mode="json")}
        self._file.write(json.dumps(told) + "\n")
        self._file.flush()
        return reply


def _lines(path: Path) -> list[str]:
    try:
        if not path.is_file():
            raise InputError("is not a file", where=str(path), fix="name a recording")
        if path.stat().st_size > _MOST_BYTES:
            raise InputError("is too large", where=str(path), fix="record less at a time")
        return path.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as caught:
        why = getattr(caught, "strerror", None) or "no plain text"
        raise InputError(f"can't be read ({why})", where=str(path), fix="check it") from None


def _told(line: str, where: str) -> tuple[str, Reply]:
    try:
        found = json.loads(line)
        return str(found["key"]), Reply.model_validate(found["reply"])
    except (ValueError, TypeError, KeyError, ValidationError, RecursionError):
        raise InputError("is no recorded answer", where=where, fix="record it again") from None
