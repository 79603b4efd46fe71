"""Many calls at a time under one cap: each paid once, every answer kept, nothing sent twice.

Identical requests on the wire share one payment. A busy endpoint closes a gate that all calls wait
at, for as long as it asks, and halves how many are sent at a time; each answer opens it by a
little. Nothing is retried that may have been paid.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from tuneworthy.calls.ledger import Ledger
from tuneworthy.calls.transport import Busy, CallError, Doubtful, NotSent, Refused, Transport
from tuneworthy.domain.calls import Reply, Request, Settled
from tuneworthy.domain.prices import Price
from tuneworthy.domain.units import usd_per_request

MOST_TRIES = 8
"""Times a request is offered to a busy endpoint before it counts as failed."""
_TOKENS_A_MESSAGE = 16  # what a chat template adds, generously
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 60.0

Stopped = Literal["", "cap", "refused", "user"]


@dataclass(frozen=True, slots=True)
class Job:
    """A request, and which repeat of it."""

    request: Request
    repeat: int = 0

    @property
    def key(self) -> str:
        """The key of this call in the ledger."""
        return self.request.key(self.repeat)


@dataclass(slots=True)
class Outcome:
    """What came of a run; a job that isn't in ``settled`` was never sent."""

    settled: dict[str, Settled] = field(default_factory=dict)
    """By key."""
    stopped: Stopped = ""
    """Why it ended before its end: the cap, an endpoint that refuses everything, or the user."""
    why: str = ""
    reused: int = 0
    """Answers that were there already, or that two jobs shared."""


PriceOf = Callable[[Request], Price | None]
Progress = Callable[[Settled], None]


def most_usd(request: Request, price: Price) -> float | None:
    """The most a request can cost, in USD.

    A token has at least one byte, so its input has no more tokens than bytes; its output has no
    more than it may have, or than the model's window where nobody says.

    Returns:
        None where nothing bounds the output.
    """
    told = sum(len(m.content.encode("utf-8", "surrogatepass")) for m in request.messages)
    extras = (request.response_schema, request.grammar, request.tools)
    told += sum(len(text.encode("utf-8", "surrogatepass")) for text in extras if text)
    written = price.context_tokens if request.max_tokens is None else request.max_tokens
    if written is None:
        return 0.0 if price.input == price.output == 0 else None
    return usd_per_request(
        input_tokens=told + _TOKENS_A_MESSAGE * (len(request.messages) + 1),
        output_tokens=written,
        usd_per_mtok_input=price.input,
        usd_per_mtok_output=price.output,
    )


def paid_usd(reply: Reply, price: Price, reserved: float) -> float:
    """What an answer cost by its endpoint's count of tokens; the most it could, without one."""
    usage = reply.usage
    if not usage.input_tokens and not usage.output_tokens:
        return reserved
    cached = min(usage.cached_tokens, usage.input_tokens)
    rate = price.input if price.cached_input is None else price.cached_input
    plain = usd_per_request(
        input_tokens=usage.input_tokens - cached, output_tokens=usage.output_tokens,
        usd_per_mtok_input=price.input, usd_per_mtok_output=price.output,
    )  # fmt: skip
    return plain + cached * rate / 1e6


class Gate:
    """How many may be on the wire, and when the next may go."""

    def __init__(self, most: int) -> None:
        self._most, self._limit, self._busy = most, float(most), 0
        self._opens = 0.0
        self._changed = asyncio.Condition()

    @property
    def limit(self) -> int:
        """Calls that may be on the wire at present."""
        return max(1, int(self._limit))

    async def enter(self) -> None:
        """Wait for a place, and for the time the endpoint asked for."""
        async with self._changed:
            while True:
                wait = self._opens - time.monotonic()
                if wait <= 0 and self._busy < self.limit:
                    self._busy += 1
                    return
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), wait if wait > 0 else None)

    async def leave(self, *, answered: bool) -> None:
        """Give the place back; an answer lets a little more through."""
        async with self._changed:
            self._busy -= 1
            if answered:
                self._limit = min(self._most, self._limit + 1 / self._limit)
            self._changed.notify(1 if self._busy >= self.limit else 2)

    def close_for(self, seconds: float) -> None:
        """Nobody goes for so long, and half as many at a time afterwards.

        A closed gate isn't closed again by calls that were on the wire when it closed.
        """
        now = time.monotonic()
        if self._opens <= now:
            self._limit = max(1.0, self._limit / 2)
        self._opens = max(self._opens, now + seconds)


class Runner:
    """Sends jobs under a cap.

    Args:
        ledger: Where every call is kept.
        transport: What sends.
        price_of: The price of a request; None for one without, which is refused.
        run: Name of the run whose cap counts.
        cap_usd: The most it may pay and hold, what earlier processes spent for it included.
        at_once: The most calls on the wire.
        progress: Told of each call as it ends.
    """

    def __init__(
        self, ledger: Ledger, transport: Transport, price_of: PriceOf, *,
        run: str, cap_usd: float, at_once: int = 16, progress: Progress | None = None,
    ) -> None:  # fmt: skip
        self._ledger, self._transport, self._price_of = ledger, transport, price_of
        self._run, self._cap, self._at_once = run, cap_usd, at_once
        self._gate = Gate(at_once)
        self._flying: dict[str, asyncio.Future[Settled | None]] = {}
        self._progress = progress or (lambda _: None)
        self._outcome = Outcome()
        self._chance = random.Random(0)  # noqa: S311  # spreads retries, hides nothing

    def stop(self) -> None:
        """Send nothing more; what is on the wire is waited for."""
        self._end("user", "stopped by the user")

    def _end(self, reason: Stopped, why: str) -> None:
        if not self._outcome.stopped:
            self._outcome.stopped, self._outcome.why = reason, why

    async def all(self, jobs: Sequence[Job]) -> Outcome:
        """Run jobs to their end, the cap, or a stop.

        Returns:
            What came of each job that was sent or was there already.
        """
        waiting = iter(jobs)

        async def worker() -> None:
            for job in waiting:
                if self._outcome.stopped:
                    return
                await self._one(job)

        await asyncio.gather(*(worker() for _ in range(min(self._at_once, len(jobs)))))
        return self._outcome

    async def _one(self, job: Job) -> None:
        key = job.key
        known = self._outcome.settled.get(key) or self._ledger.find(key)
        if known is None and (flying := self._flying.get(key)) is not None:
            known = await flying
        if known is not None:
            self._outcome.reused += 1
            self._done(known.model_copy(update={"reused": True}))
            return
        future = self._flying[key] = asyncio.get_running_loop().create_future()
        found: Settled | None = None
        try:
            found = await self._send(job)
        finally:
            del self._flying[key]
            future.set_result(found)
        if found is not None:
            self._done(found)

    def _done(self, found: Settled) -> None:
        self._outcome.settled[found.key] = found
        self._progress(found)

    async def _send(self, job: Job) -> Settled | None:
        """One job, offered until it is answered, refused or in doubt; None if it was never sent."""
        price = self._price_of(job.request)
        most = None if price is None else most_usd(job.request, price)
        if price is None or most is None:
            why = "has no price" if price is None else "has no bound on its output"
            return Settled(key=job.key, status="failed", why=f"{job.request.model} {why}")
        for attempt in range(MOST_TRIES):
            await self._gate.enter()
            answered = False
            try:
                if self._outcome.stopped or not self._reserved(job, most):
                    return None
                try:
                    found = await self._answer(job, price, most)
                except (Busy, NotSent) as caught:
                    found = self._ledger.fail(job.key, str(caught))
                    self._gate.close_for(self._wait(caught, attempt))
                    continue
                answered = found.status == "settled"
                return found
            finally:
                await self._gate.leave(answered=answered)
        return found

    def _reserved(self, job: Job, most: float) -> bool:
        told = self._ledger.reserve(
            job.key, run=self._run, model=job.request.model, usd=most, cap_usd=self._cap
        )
        if told == "over_cap":
            self._end("cap", f"the next call could pass the cap of {self._cap:g} USD")
        return told == "go"

    async def _answer(self, job: Job, price: Price, most: float) -> Settled:
        try:
            reply = await self._transport.send(job.request)
        except Refused as caught:
            if caught.for_all:
                self._end("refused", str(caught))
            return self._ledger.fail(job.key, str(caught))
        except Doubtful as caught:
            return self._ledger.doubt(job.key, str(caught))
        except (Busy, NotSent):
            raise
        except CallError as caught:  # a transport of somebody else's
            return self._ledger.doubt(job.key, str(caught))
        except asyncio.CancelledError:
            self._ledger.doubt(job.key, "the run was stopped while it was on the wire")
            raise
        paid = paid_usd(reply, price, most)
        found = self._ledger.settle(job.key, reply, paid)
        spent = self._ledger.spend(self._run) if paid > most else None
        if spent is not None and spent.paid + spent.held > self._cap:
            self._end("cap", "an answer cost more than it could by the endpoint's own price")
        return found

    def _wait(self, caught: Busy | NotSent, attempt: int) -> float:
        asked = caught.retry_after_s if isinstance(caught, Busy) else None
        if asked is not None:
            return min(max(asked, 0.0), _LONGEST_WAIT_S)
        spread = 0.5 + self._chance.random()
        return min(_FIRST_WAIT_S * 2.0**attempt * spread, _LONGEST_WAIT_S)
