"""A model that is a function, and that can be told to misbehave: for tests and trials."""

from __future__ import annotations

import asyncio
import json
import random
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from tuneworthy.errors import InputError
from tuneworthy.llm.endpoints import Busy, Doubtful, NotSent, Refused, Transport
from tuneworthy.model.lab import Reply, Request, Usage

# A model that is a function, and that can be told to misbehave: for tests and trials.

Answer = Callable[[Request], str]


@dataclass(frozen=True, slots=True)
class Manners:
    """How a fake behaves; every share is of its calls, and what is left is answered.

    A call that is busy or refused wasn't answered; one that is malformed or hangs was, and is paid.
    """

    latency_s: float = 0.0
    busy: float = 0.0
    """Answered with "too many requests"."""
    retry_after_s: float | None = None
    """What such an answer asks for; None for one that doesn't say."""
    broken: float = 0.0
    """Answered with an internal error."""
    refused: float = 0.0
    not_sent: float = 0.0
    malformed: float = 0.0
    hangs: float = 0.0
    """Given up on after ``timeout_s``."""
    timeout_s: float = 0.05
    wrong_key: bool = False
    """Every call is refused, and would be."""
    usage_factor: float = 1.0
    """By how much the tokens it counts are too many."""
    counts_tokens: bool = True
    """False for one that doesn't say what it used."""
    seed: int = 0


class Fake:
    """A transport whose answers come from a function.

    Args:
        answer: What it says to a request.
        manners: How it misbehaves.
    """

    def __init__(self, answer: Answer, manners: Manners | None = None) -> None:
        self._answer, self.manners = answer, manners or Manners()
        self._chance = random.Random(self.manners.seed)  # noqa: S311  # faults are no secrets
        self.sent = 0
        """Calls that reached it, whatever became of them."""
        self.answered = 0
        """Calls that a real endpoint would have been paid for."""
        self.at_once = 0
        self.most_at_once = 0

    async def close(self) -> None:
        """Nothing is held."""

    async def send(self, request: Request) -> Reply:
        """Answer, or misbehave; see ``Transport``."""
        fault = self._fault()
        if fault == "not_sent":
            raise NotSent("can't connect to the fake")
        self.sent += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.manners.latency_s)
            return await self._behave(request, fault)
        finally:
            self.at_once -= 1

    def _fault(self) -> str:
        manners, drawn = self.manners, self._chance.random()
        for name in ("busy", "broken", "refused", "not_sent", "malformed", "hangs"):
            drawn -= getattr(manners, name)
            if drawn < 0:
                return name
        return ""

    async def _behave(self, request: Request, fault: str) -> Reply:
        manners = self.manners
        if manners.wrong_key:
            raise Refused("HTTP 401: no such key", for_all=True)
        if fault == "busy":
            raise Busy("HTTP 429: too many requests", manners.retry_after_s)
        if fault == "broken":
            raise Busy("HTTP 500: internal error")
        if fault == "refused":
            raise Refused("HTTP 400: no")
        self.answered += 1
        if fault == "malformed":
            raise Doubtful("the answer can't be read")
        if fault == "hangs":
            await asyncio.sleep(manners.timeout_s)
            raise Doubtful(f"no answer within {manners.timeout_s:g} s")
        # Half a pair of UTF-16, as it comes with somebody's cases, can't be kept.
        text = self._answer(request).encode("utf-8", "replace").decode("utf-8")
        return Reply(text=text, usage=self._usage(request, text), latency_s=manners.latency_s)

    def _usage(self, request: Request, text: str) -> Usage:
        """Words stand for tokens; at least one of each, and no more than may be written."""
        if not self.manners.counts_tokens:
            return Usage()
        read = max(1, sum(len(message.content.split()) for message in request.messages))
        wrote = max(1, len(text.split()))
        if request.max_tokens is not None:
            wrote = min(wrote, request.max_tokens)
        factor = self.manners.usage_factor
        return Usage(input_tokens=round(read * factor), output_tokens=round(wrote * factor))


def echo(request: Request) -> str:
    """The last message, as it came; the empty string without one."""
    return request.messages[-1].content if request.messages else ""


def parrot(request: Request) -> str:
    """The answer of the last example in the conversation; the last message without one."""
    said = [message.content for message in request.messages if message.role == "assistant"]
    return said[-1] if said else echo(request)


FAKES: Mapping[str, Answer] = {"echo": echo, "parrot": parrot}
"""What a model id such as ``fake:echo`` does."""


# Answers played back from a file, and the recording of one.

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
