"""A model that is a function and misbehaves on demand."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

from tuneworthy.llm.choose import Answer
from tuneworthy.llm.choose import Fake as PlainFake
from tuneworthy.llm.endpoints import Busy, Doubtful, NotSent, Refused
from tuneworthy.model.lab import Reply, Request, Usage


@dataclass(frozen=True, slots=True)
class Manners:
    """How a fake behaves; every share is of its calls, and what is left is answered.

    A call that is busy or refused wasn't answered; one that is malformed or hangs was, and is paid.
    """

    latency_s: float = 0.0
    busy: float = 0.0  #: Answered with "too many requests".
    retry_after_s: float | None = None
    """What such an answer asks for; None for one that doesn't say."""
    broken: float = 0.0  #: Answered with an internal error.
    refused: float = 0.0
    not_sent: float = 0.0
    malformed: float = 0.0
    hangs: float = 0.0  #: Given up on after ``timeout_s``.
    timeout_s: float = 0.05
    wrong_key: bool = False  #: Every call is refused, and would be.
    usage_factor: float = 1.0  #: By how much the tokens it counts are too many.
    counts_tokens: bool = True  #: False for one that doesn't say what it used.
    seed: int = 0


class Fake(PlainFake):
    """A transport whose answers come from a function.

    Args:
        answer: What it says to a request.
        manners: How it misbehaves.
    """

    def __init__(self, answer: Answer, manners: Manners | None = None) -> None:
        super().__init__(answer)
        self.manners = manners or Manners()
        self._chance = random.Random(self.manners.seed)  # faults are no secrets
        self.sent = 0
        """Calls that reached it, whatever became of them."""
        self.answered = 0
        """Calls that a real endpoint would have been paid for."""
        self.at_once = 0
        self.most_at_once = 0

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
        reply = await super().send(request)
        more = {"usage": self._used(reply.usage), "latency_s": manners.latency_s}
        return reply.model_copy(update=more)

    def _used(self, usage: Usage) -> Usage:
        if not self.manners.counts_tokens:
            return Usage()
        factor = self.manners.usage_factor
        return Usage(
            input_tokens=round(usage.input_tokens * factor),
            output_tokens=round(usage.output_tokens * factor),
        )
