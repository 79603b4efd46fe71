"""Many calls at a time under one cap: each paid once, every answer kept, nothing sent twice.

Identical requests on the wire share one payment. A busy endpoint closes a gate that all its calls
wait at, for as long as it asks, and halves how many are sent at a time; each answer opens it by a
little. Nothing is retried that may have been paid.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tuneworthy.calls.gate import Gate
from tuneworthy.calls.ledger import Ledger
from tuneworthy.calls.money import most_usd, paid_usd, pico
from tuneworthy.calls.transport import Busy, CallError, NotSent, Refused, Transport
from tuneworthy.domain.calls import Request, Settled
from tuneworthy.domain.errors import InputError, StoppedError
from tuneworthy.domain.prices import Price

MOST_TRIES = 8
"""Times a request is offered to a busy endpoint before it counts as failed."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.25, 60.0
_LONGEST_ASKED_S = 600.0  # asked to wait longer, we end and say so

Stopped = Literal["", "cap", "refused", "user", "fault"]
_FIXES: dict[Stopped, str] = {
    "cap": "raise the cap and run it again; nothing is paid twice",
    "refused": "mend that and run it again; nothing is paid twice",
    "user": "run it again to go on; nothing is paid twice",
    "fault": "run it again; nothing is paid twice",
}


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
    """Why it ended before its end: the cap, an endpoint that refuses everything, the user, or a
    fault of ours."""
    why: str = ""
    reused: int = 0
    """Answers that were there already, or that two jobs shared."""

    def raise_if_stopped(self) -> None:
        """Say why the run ended before its end.

        Raises:
            StoppedError: If it did.
        """
        if self.stopped:
            raise StoppedError(self.why, fix=_FIXES[self.stopped])


PriceOf = Callable[[Request], Price | None]
Progress = Callable[[Settled], None]


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

    Raises:
        InputError: If the cap is no amount of money.
    """

    def __init__(
        self, ledger: Ledger, transport: Transport, price_of: PriceOf, *,
        run: str, cap_usd: float, at_once: int = 16, progress: Progress | None = None,
    ) -> None:  # fmt: skip
        if not 0 <= cap_usd < math.inf:
            raise InputError(f"a cap of {cap_usd:g} USD is no cap", fix="give an amount, as 5")
        self._ledger, self._transport, self._price_of = ledger, transport, price_of
        self._run, self._cap, self._at_once = run, cap_usd, max(1, at_once)
        self._gates: dict[str, Gate] = {}
        self._flying: dict[str, asyncio.Future[None]] = {}
        self._progress = progress or (lambda _: None)
        self._outcome = Outcome()
        self._held, self._freed = 0, asyncio.Event()
        self._chance = random.Random(0)  # noqa: S311  # spreads retries, hides nothing

    def stop(self) -> None:
        """Send nothing more; what is on the wire is waited for."""
        self._end("user", "stopped by the user")

    def _end(self, reason: Stopped, why: str) -> None:
        if not self._outcome.stopped:
            self._outcome.stopped, self._outcome.why = reason, why
            for gate in self._gates.values():
                gate.open()  # who waits there has to learn that it is over

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
                try:
                    await self._one(job)
                except Exception:
                    self._end("fault", "a call could not be kept")
                    raise

        workers = (worker() for _ in range(min(self._at_once, len(jobs))))
        # A fault in one worker ends the run; what the others have on the wire is waited for.
        for fault in await asyncio.gather(*workers, return_exceptions=True):
            if fault is not None:
                raise fault
        return self._outcome

    async def _one(self, job: Job) -> None:
        key = job.key
        while (flying := self._flying.get(key)) is not None:
            await flying
        known = self._outcome.settled.get(key) or self._ledger.find(key)
        if known is not None:
            if known.status == "settled":
                self._outcome.reused += 1
                known = known.model_copy(update={"reused": True})
            self._done(known)
            return
        future = self._flying[key] = asyncio.get_running_loop().create_future()
        try:
            found = await self._offer(job)
            if found is not None:
                self._done(found)
        finally:
            del self._flying[key]
            future.set_result(None)

    def _done(self, found: Settled) -> None:
        first = self._outcome.settled.setdefault(found.key, found)
        if first is found or found.reused:
            self._progress(found)

    async def _offer(self, job: Job) -> Settled | None:
        """One job, offered until it is answered, refused or in doubt; None if it was never sent."""
        price = self._price_of(job.request)
        if price is None:
            why = f"{job.request.model} has no price: state usd_per_mtok; 0 is a price"
            return Settled(key=job.key, status="failed", why=why)
        most = most_usd(job.request, price)
        if most is None:
            why = f"nothing bounds what {job.request.model} writes: set max_tokens"
            return Settled(key=job.key, status="failed", why=why)
        gate = self._gates.setdefault(job.request.base_url, Gate(self._at_once))
        found: Settled | None = None
        for _ in range(MOST_TRIES):
            await gate.enter()
            answered = False
            try:
                if not await self._reserved(job, most):
                    return found
                try:
                    found = await self._answer(job, price, most)
                except (Busy, NotSent) as caught:
                    found = self._ledger.fail(job.key, str(caught))
                    if not self._again(caught, gate):
                        return found
                    gate.close_for(self._wait(caught, gate.closings))
                else:
                    answered = found.status == "settled"
                    return found
                finally:
                    self._free()
            finally:
                gate.leave(answered=answered)
        return found

    def _again(self, caught: Busy | NotSent, gate: Gate) -> bool:
        """Whether to offer it again; where an endpoint answers nobody, the run ends."""
        silent = gate.closings >= MOST_TRIES
        if isinstance(caught, NotSent):
            if caught.again and silent:
                self._end("refused", str(caught))
            return caught.again and not silent
        if silent and time.monotonic() - gate.closed_since > _LONGEST_ASKED_S:
            self._end("refused", f"{caught}; nothing was answered for minutes")
            return False
        if (caught.retry_after_s or 0.0) > _LONGEST_ASKED_S:
            self._end("refused", f"{caught}; it asks to come again in {caught.retry_after_s:.0f} s")
            return False
        return True

    async def _reserved(self, job: Job, most: float) -> bool:
        """Whether the money is put aside.

        Where the cap is in the way, calls on the wire are waited for first: most cost less than
        was put aside for them.
        """
        while not self._outcome.stopped:
            told = self._ledger.reserve(
                job.key, run=self._run, model=job.request.model, usd=most, cap_usd=self._cap
            )
            if told == "go":
                self._held += 1
                return True
            if not self._held:
                self._end("cap", f"the next call could pass the cap of {self._cap:g} USD")
                return False
            await self._freed.wait()
        return False

    def _free(self) -> None:
        self._held -= 1
        self._freed.set()
        self._freed = asyncio.Event()

    async def _answer(self, job: Job, price: Price, most: float) -> Settled:
        try:
            reply = await self._transport.send(job.request)
        except Refused as caught:
            if caught.for_all:
                self._end("refused", str(caught))
            return self._ledger.fail(job.key, str(caught))
        except (Busy, NotSent):
            raise
        except CallError as caught:  # doubtful, or a transport of somebody else's
            return self._ledger.doubt(job.key, str(caught))
        except asyncio.CancelledError:
            self._ledger.doubt(job.key, "the run was stopped while it was on the wire")
            raise
        except Exception as caught:
            self._ledger.doubt(
                job.key, f"a fault while it was on the wire: {type(caught).__name__}"
            )
            raise
        paid = paid_usd(reply, price, most)
        if pico(paid) > pico(most):  # then the bound doesn't hold, and neither would the cap
            self._end("cap", f"an answer of {job.request.model} cost more than it could at most")
        return self._ledger.settle(job.key, reply, paid)

    def _wait(self, caught: Busy | NotSent, closings: int) -> float:
        asked = caught.retry_after_s if isinstance(caught, Busy) else None
        if asked:
            return asked
        spread = 0.5 + self._chance.random()
        return min(_FIRST_WAIT_S * 2.0 ** min(closings, 10) * spread, _LONGEST_WAIT_S)
