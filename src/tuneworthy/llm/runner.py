"""Many parallel calls under one cap: each is paid once, every answer is kept, none is sent twice."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, TypeVar, cast

from tuneworthy.errors import InputError, StoppedError
from tuneworthy.llm.endpoints import (
    STATE_PRICE,
    Busy,
    CallError,
    NotSent,
    Place,
    Refused,
    Transport,
    miscount,
    most_input_tokens,
    most_usd,
    paid_usd,
    pico,
)
from tuneworthy.llm.ledger import MOST_ASKED, Answer, Ledger, UsualCall
from tuneworthy.model.base import TOKENS_PER_MTOK
from tuneworthy.model.case import Price
from tuneworthy.model.lab import (
    MAY_LACK,
    ChatMessage,
    Quote,
    Reply,
    Request,
    Settled,
    StopKind,
    Usage,
)

PROBES = 5
"""The most parallel calls to a model that has answered nothing yet. After as many failures in a row
that are alike, it gets no further call."""


T = TypeVar("T")


@dataclass(slots=True)
class Probe:
    """The answers of a model so far. A model that has answered once is never given up."""

    answered: bool = False
    why: str = ""
    alike: str = ""  #: The reason that the last unanswered calls share.
    times: int = 0
    calls: int = 0  #: Its calls that haven't ended; they may still be answered.
    #: Set as one of them ends.
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def lacked(self, why: str, alike: str = "") -> None:
        """Count a call without an answer, as one more if it failed like the last one.

        ``alike`` is the common part of failures whose ``why`` may differ in words.
        """
        cause = alike or why
        if cause == self.alike:
            self.times += 1
        else:
            self.times = 1
        self.alike = cause
        self.why = why

    @property
    def silent(self) -> bool:
        """Whether the model answers no call."""
        return self.times >= PROBES and not self.answered


Probes = defaultdict[Place, Probe]  #: Runners of one run share them.


# The rules of the gate are ours, and were chosen by benchmarks/calls.py
# (docs/evidence/benchmarks.md).
_LATEST = 20  # calls that say whether an endpoint is full
# so many answers give a place back, so that one refusal in seven changes nothing
_PLACE_BACK = 6
_ALONE_S = 30.0  # a longer wait is asked by the endpoint, for all calls that share it


def batches(jobs: Iterable[T]) -> Iterator[list[T]]:
    """Yield groups of jobs, as large as one query to the ledger."""
    rest = iter(jobs)
    group = list(islice(rest, MOST_ASKED))
    while group:
        yield group
        group = list(islice(rest, MOST_ASKED))


class Gate:
    """Places for parallel calls: fewer when the endpoint is busy, and none while it is full.

    After a single refusal, that call waits and one place goes; answers give it back. Where half of
    the latest calls are refused, every call waits as long as the endpoint asks, and half as many
    run afterwards.
    """

    def __init__(self, most: int) -> None:
        self._most = float(most)
        # calls that may be in flight; answers add fractions to it
        self._limit = float(most)
        self._busy = 0  # calls that are in flight
        self._opens = 0.0  # when the gate opens, on the monotonic clock
        # whether each call was refused
        self._latest: deque[bool] = deque(maxlen=_LATEST)
        self._over = asyncio.Event()
        self.closings = 0  #: How often it closed since the last answer.
        self.closed_since = 0.0  #: When it first did, on the monotonic clock.
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> float:
        """The most calls that may be in flight at present, a whole number."""
        if math.isinf(self._limit):
            return math.inf
        return max(1.0, math.floor(self._limit))

    async def enter(self) -> None:
        """Wait for a place, and for the time that the endpoint asked for."""
        while self._busy >= self.limit or time.monotonic() < self._opens:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                self._wake()  # the turn it may have been given goes to the next
                raise
        self._busy += 1

    def leave(self, *, answered: bool) -> None:
        """Give the place back. After an answer, a few more calls are allowed."""
        self._busy -= 1
        if answered:
            self.closings = 0
            self._latest.append(False)  # not refused
            self._limit = min(self._most, self._limit + 1 / _PLACE_BACK)
        self._wake()

    async def refused(self, seconds: float, *, last: bool = False) -> None:
        """Handle a refused call: it waits alone, unless it was its last try or the gate closes.

        The gate closes where the endpoint is full, and for a long wait: that applies to all calls,
        and would block a worker. Calls that were in flight then don't halve a closed gate again.
        """
        if math.isinf(self._limit):  # the run is over
            return
        now = time.monotonic()
        is_closed = self._opens > now
        if not is_closed:
            self._latest.append(True)
            if seconds <= _ALONE_S and not self._is_full():
                self._limit = max(1.0, self._limit - 1)
                await self._wait_alone(0.0 if last else seconds)
                return
            self._latest.clear()
            self._limit = max(1.0, self._limit / 2)
            if self.closings == 0:
                self.closed_since = now
            self.closings += 1
        self._opens = max(self._opens, now + seconds)
        asyncio.get_running_loop().call_later(seconds, self._wake)

    def _is_full(self) -> bool:
        """Whether half of the latest calls or more were refused."""
        refused = sum(1 for was_refused in self._latest if was_refused)
        return 2 * refused >= len(self._latest)

    async def _wait_alone(self, seconds: float) -> None:
        """Wait some seconds, or until nothing more is sent."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), seconds)

    def open(self) -> None:
        """Let every waiting call through: nothing more is sent, and each has to notice that."""
        self._opens = 0.0
        self._limit = math.inf
        self._most = math.inf
        self._over.set()
        self._wake()

    def _wake(self) -> None:
        """Let as many waiting calls go as the limit has room for."""
        seconds_closed = self._opens - time.monotonic()
        if seconds_closed > 0:
            if self._busy == 0 and self._waiting:  # the timer rang too early
                asyncio.get_running_loop().call_later(seconds_closed, self._wake)
            return
        free = self.limit - self._busy
        while free > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # it may have been cancelled
                turn.set_result(None)
                free -= 1


#: Times a request is offered to a busy endpoint before it counts as failed.
MOST_TRIES = 8
# between two tries, if the endpoint asks for no wait: twice as long each time
_FIRST_WAIT_S = 0.25
_LONGEST_WAIT_S = 60.0
_LONGEST_ASKED_S = 600.0  # if an endpoint asks for a longer wait, we end and say so
_NOT_BEGUN = "it was stopped before it was sent"

Messages = Callable[[], tuple[ChatMessage, ...]]


class Job:
    """A call: its endpoint, its key in the ledger, the most tokens it can have, and its request.

    Where the key and the tokens are known beforehand, its messages are made on demand and not kept.
    """

    __slots__ = ("_messages", "expects", "frame", "key", "repeat", "tokens")

    def __init__(
        self,
        frame: Request,
        repeat: int = 0,
        *,
        key: str = "",
        tokens: int = 0,
        messages: Messages | None = None,
        expects: float | None = None,
    ) -> None:
        self.frame = frame
        self.repeat = repeat
        self._messages = messages
        self.expects = expects
        """The likely tokens of its answer, for a model that has answered nothing yet."""
        self.key = key or frame.key(repeat)
        self.tokens = tokens or most_input_tokens(frame)

    @property
    def place(self) -> Place:
        return self.frame.base_url, self.frame.model

    @property
    def request(self) -> Request:
        if self._messages is None:
            return self.frame
        return self.frame.model_copy(update={"messages": self._messages()})


class Stop(NamedTuple):
    """Why a run ended early; empty for a finished one."""

    why: str = ""
    by: StopKind = ""

    def __bool__(self) -> bool:
        return bool(self.why)

    @property
    def of_result(self) -> dict[str, str]:
        """The reason as fields of a result."""
        return {"stopped": self.why, "stopped_by": self.by}

    def error(self, kept: str = "") -> StoppedError:
        """The error to raise where the run has no other result; ``kept`` says what was kept."""
        larger = ""
        if self.by == "cap":
            larger = ", with a larger --budget: --dry-run says which"
        return StoppedError(f"{self.why}{kept}", fix=f"run it again to go on{larger}")


@dataclass(slots=True)
class Outcome:
    """The result of a run. A job that isn't in ``settled`` was never sent."""

    settled: dict[str, Settled] = field(default_factory=dict)
    """By key. In a lean run, one record represents all answered jobs."""
    ledger: Ledger | None = None  #: Where a lean run left them.
    stop: Stop = field(default_factory=Stop)
    reused: int = 0  #: Answers that were there already, or that two jobs shared.

    def get(self, key: str) -> Settled | None:
        """The state of a call, with its answer read from the ledger."""
        return self.some([key]).get(key)

    def some(self, keys: Sequence[str]) -> dict[str, Settled]:
        """The states of some calls, by key."""
        settled = {key: self.settled[key] for key in keys if key in self.settled}
        if self.ledger is not None:
            answered = [key for key in settled if settled[key].status == "settled"]
            settled |= self.ledger.find_all(answered)
        return settled


_THERE = Settled(key="", status="settled")  # the ledger holds the result
_AGAIN = _THERE.model_copy(update={"reused": True})
PriceOf = Callable[[Request], Price | None]
"""The price of a request. It may depend on the place, the model, and the power of two above its
tokens."""
Progress = Callable[[Settled], None]
Waiting = Callable[[str], None]
NOTICE_S = 60.0  #: Seconds without an answer after which it is said what is waited for.


class _Attempt(NamedTuple):
    """How one try to send a call ended."""

    settled: Settled
    answered: bool = False  #: Whether the endpoint gave an answer that was paid.
    #: Seconds to wait before the next try; None where there is to be none.
    wait_s: float | None = None


class Runner:
    """Sends jobs under a cap that includes the money of earlier processes for the run.

    A request without a price is refused. ``at_once`` is the most calls in flight, and ``progress``
    is called for each call at its end. A ``lean`` run leaves answers in the ledger until they are
    needed. ``waiting`` gets a text about the wait, every ``notice_s`` seconds in which a busy
    endpoint answers nothing. Raises InputError if the cap isn't an amount of money.
    """

    def __init__(
        self,
        ledger: Ledger,
        transport: Transport,
        price_of: PriceOf,
        *,
        run: str,
        cap_usd: float,
        at_once: int = 16,
        progress: Progress | None = None,
        probes: Probes | None = None,
        lean: bool = False,
        waiting: Waiting | None = None,
        notice_s: float = NOTICE_S,
    ) -> None:
        if not 0 <= cap_usd < math.inf:
            raise InputError(
                f"a cap of {cap_usd:g} USD is not a valid cap",
                fix="give an amount, as 5",
            )
        #: Of all its calls so far.
        self.outcome = Outcome(ledger=ledger if lean else None)
        self._ledger = ledger
        self._transport = transport
        self._price_of = price_of
        self._at_once = max(1, at_once)
        self._gates: dict[str, Gate] = {}  # by address
        self._probes = defaultdict(Probe) if probes is None else probes
        self._chance = random.Random(0)  # noqa: S311  # spreads retries, hides nothing
        # calls that are being sent, by key; equal calls wait for them
        self._flying: dict[str, asyncio.Future[None]] = {}
        # the money
        self._cap = cap_usd
        self._put = partial(ledger.reserve, run=run, cap_usd=cap_usd)
        self._held = set[str]()  # keys of calls whose money is held back
        self._freed = asyncio.Event()  # set when one of them ends
        # writes to the ledger that are committed together, each with who waits for it
        self._writes = list[tuple[Callable[[], object], asyncio.Future[object]]]()
        # what is told meanwhile
        self._progress = progress or (lambda _: None)
        self._waiting = waiting
        self._notice_s = notice_s
        self._busy = ""  # what an endpoint said last in place of an answer
        self._heard = 0.0  # when a call was answered last, on the monotonic clock

    def stop(self) -> None:
        """Send nothing more; calls in flight are awaited."""
        self._end("user", "stopped by the user")

    def _end(self, reason: StopKind, why: str) -> None:
        """End the run for a reason; the first one counts."""
        if self.outcome.stop:
            return
        self.outcome.stop = Stop(why, reason)
        for gate in self._gates.values():
            gate.open()  # whoever waits there has to learn that the run is over

    async def all(self, jobs: Sequence[Job]) -> Outcome:
        """Run jobs to their end, the cap, or a stop."""
        # all workers take their jobs from this one iterator, so each job is taken once
        due = self._unsettled_jobs(jobs)
        number = min(self._at_once, len(jobs))
        workers = [self._work(due) for _ in range(number)]
        saying = asyncio.ensure_future(self._say_waits())
        # A fault in one worker ends the run after the calls that the others have in flight.
        try:
            faults = await asyncio.gather(*workers, return_exceptions=True)
        finally:
            saying.cancel()
        for fault in faults:
            if fault is not None:
                raise fault
        return self.outcome

    async def _work(self, due: Iterator[Job]) -> None:
        """Send one job after the other until none is due or the run ends.

        ``due`` is shared with the other workers. A fault of our own ends the run for all of them.
        """
        try:
            for job in due:
                if self.outcome.stop:
                    return
                await self._one(job)
        except Exception:
            self._end("fault", "a call could not be kept")
            raise

    async def _say_waits(self) -> None:
        """Report the wait now and then, while a busy endpoint answers nothing."""
        self._heard = time.monotonic()
        while self._waiting is not None:
            await asyncio.sleep(self._notice_s)
            silent_s = time.monotonic() - self._heard
            if self._busy and silent_s >= self._notice_s:
                self._waiting(
                    f"no answer for {silent_s:.0f} s, asking again: {self._busy}"
                )

    def _unsettled_jobs(self, jobs: Sequence[Job]) -> Iterator[Job]:
        """Yield the jobs that nobody has settled yet, and note how the others were settled."""
        for group in batches(jobs):
            if self.outcome.ledger is None:
                known = self._ledger.find_all([job.key for job in group])
            else:
                known = self._known_of_lean_run(group)
            for job in group:
                call = self.outcome.settled.get(job.key) or known.get(job.key)
                # one that was sent and isn't answered may be in flight now
                if call is None or call.status == "sent":
                    yield job
                else:
                    self._reuse(job, call)

    def _known_of_lean_run(self, group: Sequence[Job]) -> dict[str, Settled]:
        """The states of some jobs, by key; answers stay in the ledger where they tell nothing.

        An answer is read as long as its model hasn't answered, to learn whether it does.
        """
        statuses = self._ledger.statuses([job.key for job in group])
        known = {}
        to_read = []
        for job in group:
            status = statuses.get(job.key)
            if status is None:
                continue
            if status == "settled" and self._probes[job.place].answered:
                known[job.key] = _THERE
            else:
                to_read.append(job.key)
        return known | self._ledger.find_all(to_read)

    def _reuse(self, job: Job, known: Settled) -> None:
        """Note a job that was settled before."""
        if known.status == "settled":
            self.outcome.reused += 1
            if known.whole is not None:
                self._probes[job.place].answered = True
            if self.outcome.ledger is not None:
                known = _AGAIN
            else:
                known = known.model_copy(update={"reused": True})
        self._done(job.key, known)

    async def _one(self, job: Job) -> None:
        """Send one call, unless an equal call was answered before or is on its way."""
        key = job.key
        while key in self._flying:  # an equal call: its answer is this one's, too
            await self._flying[key]
        earlier = self.outcome.get(key) or self._ledger.find(key)
        if earlier is not None:
            self._reuse(job, earlier)
            return
        ended = asyncio.get_running_loop().create_future()
        self._flying[key] = ended
        try:
            settled = await self._offer(job)
            if settled is not None:
                self._done(key, settled)
        finally:  # equal calls go on even if this one was never sent
            del self._flying[key]
            ended.set_result(None)

    def _done(self, key: str, settled: Settled) -> None:
        """Keep the state of a call the first time, and report its end, and each reuse."""
        first = key not in self.outcome.settled
        if first:
            is_left_in_ledger = (
                self.outcome.ledger is not None and settled.status == "settled"
            )
            self.outcome.settled[key] = _THERE if is_left_in_ledger else settled
        if first or settled.reused:
            self._progress(settled)

    async def _offer(self, job: Job) -> Settled | None:
        """Run one job until it is answered, refused or in doubt; None if it was never sent."""
        request = job.request
        price = self._price_of(request)
        if price is None:
            return _not_sent(job, f"{request.model} has no price: {STATE_PRICE}")
        most = most_usd(request, price, job.tokens)
        if most is None:
            why = f"nothing bounds what {request.model} writes: set max_tokens"
            return _not_sent(job, why)
        probe = self._probes[job.place]
        # Until a model answers, few calls try it. Once these are silent, no other is sent: the last
        # of them may still be answered, and else every call fails for their reason.
        while not probe.answered:
            room = 0 if probe.silent else PROBES
            if probe.calls < room:
                break
            if probe.calls == 0:
                return _not_sent(job, probe.why)
            await probe.ended.wait()
        probe.calls += 1
        try:
            return await self._send_until_settled(job.key, request, price, most)
        finally:
            probe.calls -= 1
            probe.ended.set()
            probe.ended = asyncio.Event()

    async def _send_until_settled(
        self, key: str, request: Request, price: Price, most: float
    ) -> Settled | None:
        """Send one call, as often as the endpoint asks to come again; None if it was never sent."""
        gate = self._gates.setdefault(request.base_url, Gate(self._at_once))
        settled: Settled | None = None
        for tries in range(MOST_TRIES):
            await gate.enter()
            answered = False
            try:
                if not await self._reserve_money(key, request.model, most):
                    return settled  # as the try before ended
                attempt = await self._send_once(key, request, price, most, gate, tries)
                settled = attempt.settled
                answered = attempt.answered
            finally:
                gate.leave(answered=answered)
            if attempt.wait_s is None:
                return settled
            await gate.refused(attempt.wait_s, last=tries + 1 == MOST_TRIES)
        return settled

    async def _send_once(
        self,
        key: str,
        request: Request,
        price: Price,
        most: float,
        gate: Gate,
        tries: int,
    ) -> _Attempt:
        """Send a call whose money is reserved, after ``tries`` that failed, and free what is left.

        A busy endpoint and a call that wasn't sent are written into the ledger as a failure.
        """
        try:
            settled = await self._answer(key, request, price, most)
            self._heard = time.monotonic()
            self._busy = ""
            return _Attempt(settled, answered=settled.status == "settled")
        except (Busy, NotSent) as caught:
            self._busy = f"{request.model}: {caught}"
            settled = await self._write_together(
                partial(self._ledger.fail, key, str(caught))
            )
            wait_s = None
            if self._again(caught, gate):
                wait_s = self._wait_s(caught, max(tries, gate.closings))
            return _Attempt(settled, wait_s=wait_s)
        finally:
            self._let_go(key)

    def _again(self, caught: Busy | NotSent, gate: Gate) -> bool:
        """Whether to send the call again. If an endpoint answers nobody, the run ends."""
        if isinstance(caught, NotSent):
            if caught.again and gate.closings >= MOST_TRIES:
                self._end("refused", str(caught))
                return False
            return caught.again
        silent_s = time.monotonic() - gate.closed_since if gate.closings else 0.0
        if silent_s > _LONGEST_ASKED_S:
            self._end("refused", f"{caught}; nothing was answered for minutes")
            return False
        asked_s = caught.retry_after_s or 0.0
        if asked_s > _LONGEST_ASKED_S:
            self._end("refused", f"{caught}; it asks to come again in {asked_s:.0f} s")
            return False
        return True

    def _has_ended(self) -> bool:
        return bool(self.outcome.stop)

    async def _reserve_money(self, key: str, model: str, most: float) -> bool:
        """Reserve the money for a call, and return whether that worked.

        Where the cap is too small, calls in flight are awaited first: most cost less than their
        reserve.
        """
        while not self._has_ended():
            try:
                answer = await self._write_together(
                    partial(self._set_aside, key, model, most)
                )
                if answer == "go" and self._has_ended():  # while it waited
                    await self._write_together(
                        partial(self._ledger.fail, key, _NOT_BEGUN)
                    )
                    self._let_go(key)
                    return False
            except BaseException:  # as where it is stopped while its money is put aside
                self._take_back(key)
                raise
            if answer == "go":
                return True
            if not self._held:  # no call in flight will free any money
                self._end(
                    "cap", f"the next call could pass the cap of {self._cap:g} USD"
                )
                return False
            await self._freed.wait()
        return False

    def _set_aside(self, key: str, model: str, most: float) -> Answer:
        """Reserve a call's money in the ledger, and note whether it is held."""
        answer = self._put(key, model=model, usd=most)
        # At once, since others of its batch look at it; and a batch may be kept twice.
        if answer == "go":
            self._held.add(key)
        else:
            self._held.discard(key)
        return answer

    def _take_back(self, key: str) -> None:
        """Give back the money of a call that was stopped before it was sent."""
        self._commit()
        call = self._ledger.find(key) if key in self._held else None
        if call is not None and call.status == "sent":
            self._ledger.fail(key, _NOT_BEGUN)
        self._let_go(key)

    def _let_go(self, key: str) -> None:
        """Note that a call has ended, and let calls that wait for its money look again."""
        self._held.discard(key)
        self._freed.set()
        self._freed = asyncio.Event()  # for the next one that ends

    async def _write_together(self, write: Callable[[], T]) -> T:
        """Return the result of a write to the ledger. Writes of one moment are committed together."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._writes.append((write, future))
        # the first of this moment: others join before the loop turns
        if len(self._writes) == 1:
            loop.call_soon(self._commit)
        return cast(T, await future)

    def _commit(self) -> None:
        """Commit the waiting writes in one transaction; if that fails, each in its own."""
        writes = self._writes
        self._writes = []
        if not writes:  # others were quicker
            return
        try:
            with self._ledger.together():
                results = [write() for write, _ in writes]
        except Exception as caught:  # noqa: BLE001  # whoever waits raises it
            if len(writes) > 1:
                # one of them is at fault, and the others aren't to fail with it
                for waiting in writes:
                    self._writes = [waiting]
                    self._commit()
                return
            ((_, future),) = writes
            if not future.done():  # whoever waited may have been stopped
                future.set_exception(caught)
            return
        for (_, future), result in zip(writes, results, strict=True):
            if not future.done():
                future.set_result(result)

    async def _answer(
        self, key: str, request: Request, price: Price, most: float
    ) -> Settled:
        """Send one request, and write its result to the ledger.

        Raises Busy or NotSent where it may be sent again: then nothing is written.
        """
        probe = self._probes[request.base_url, request.model]
        ledger = self._ledger
        try:
            reply = await self._transport.send(request)
        except Refused as caught:
            if caught.for_all:
                self._end("refused", str(caught))
            failed = await self._write_together(partial(ledger.fail, key, str(caught)))
            probe.lacked(failed.why)
            return failed
        except (Busy, NotSent):
            probe.times = 0  # these failures aren't in a row any more
            raise
        except CallError as caught:  # doubtful, or a transport of somebody else's
            probe.lacked(str(caught))
            return ledger.doubt(key, str(caught))
        except asyncio.CancelledError:
            ledger.doubt(key, "the run was stopped while it was in flight")
            raise
        except Exception as caught:
            ledger.doubt(
                key, f"a fault while it was in flight: {type(caught).__name__}"
            )
            raise
        return await self._count(key, request, reply.held_against(request), price, most)

    async def _count(
        self, key: str, request: Request, reply: Reply, price: Price, most: float
    ) -> Settled:
        """Keep an answer with its cost, and note that its model has answered."""
        probe = self._probes[request.base_url, request.model]
        if reply.lacks:
            probe.lacked(reply.lacks, alike=reply.lack)
        else:
            probe.answered = True
        miscounted = miscount(reply, request)
        if miscounted:  # then the money that was put aside counts as paid
            reply = reply.model_copy(update={"usage": Usage()})
        paid = paid_usd(reply, price, most)
        if pico(paid) > pico(most):
            # if the bound doesn't hold, the cap wouldn't either
            self._end(
                "cap", f"an answer of {request.model} cost more than it could at most"
            )
        if reply.lack == MAY_LACK:
            # not kept as an answer: the cause may be gone when the run is repeated
            keep = partial(self._ledger.fail, key, reply.lacks, paid)
        else:
            keep = partial(self._ledger.settle, key, reply, paid, miscounted)
        return await self._write_together(keep)

    def _wait_s(self, caught: Busy | NotSent, before: int) -> float:
        """Seconds to wait: as the endpoint asks, else twice as long after each try ``before``."""
        if isinstance(caught, Busy) and caught.retry_after_s:
            return caught.retry_after_s
        # so that the calls of a moment don't come again in one moment
        spread = 0.5 + self._chance.random()
        doublings = min(before, 10)  # beyond these, the longest wait counts anyway
        return min(_FIRST_WAIT_S * 2.0**doublings * spread, _LONGEST_WAIT_S)


def _not_sent(job: Job, why: str) -> Settled:
    """A job that failed before it was sent."""
    return Settled(key=job.key, status="failed", why=why)


def quote(
    jobs: Iterable[Job], ledger: Ledger | None, price_of: PriceOf, *, anew: bool = False
) -> Quote:
    """Quote the price of some calls, equal ones counted once; nothing is sent or reserved.

    Answered calls cost nothing more and count as reused. A call in doubt is never sent again, and
    counts as neither. A request that would be refused, without a price or a bound on its output,
    adds no money; its model is listed in ``unpriced``. With ``anew``, existing answers count as
    calls, too: that is the cost from the beginning.
    """
    group = "all"
    by_group = quotes(((group, job) for job in jobs), ledger, price_of, anew=anew)
    return by_group.get(group, total(()))


def quotes(
    jobs: Iterable[tuple[str, Job]],
    ledger: Ledger | None,
    price_of: PriceOf,
    *,
    anew: bool = False,
) -> dict[str, Quote]:
    """Quote several groups of calls, by name; equal calls of two groups count in both."""
    groups = defaultdict[str, _QuotedCalls](_QuotedCalls)
    bounds = _Bounds(ledger, price_of)
    for some in batches(jobs):
        statuses: Mapping[str, str] = {}
        if ledger is not None and not anew:
            statuses = ledger.statuses([job.key for _, job in some])
        for name, job in some:
            groups[name].count_job(job, statuses.get(job.key, ""), bounds)
    return {name: calls.quote() for name, calls in groups.items()}


class _QuotedCalls:
    """Counts the calls of one quote, equal ones once."""

    def __init__(self) -> None:
        self._calls = 0
        self._reused = 0
        self._usd_most = 0.0
        self._usd_likely = 0.0
        self._unpriced: list[str] = []  # models, each once
        # half of each key: it is long enough, and there may be millions
        self._counted = set[bytes]()

    def count_job(self, job: Job, status: str, bounds: _Bounds) -> None:
        """Count a call; ``status`` is its state in the ledger, empty where it was never sent."""
        half = bytes.fromhex(job.key[:32])
        if half in self._counted:
            return
        self._counted.add(half)
        if status:
            if status == "settled":
                self._reused += 1
            bounds.learn(job)
            return
        usd = bounds.bounds_usd(job)
        if usd is None:
            if job.frame.model not in self._unpriced:
                self._unpriced.append(job.frame.model)
            return
        self._calls += 1
        self._usd_most += usd.most
        self._usd_likely += usd.likely

    def quote(self) -> Quote:
        return Quote(
            calls=self._calls,
            reused=self._reused,
            usd_most=self._usd_most,
            usd_likely=self._usd_likely,
            unpriced=tuple(self._unpriced),
        )


TOKENS_A_BYTE = 0.25
"""Tokens for each byte of text, roughly, until a model has counted some; at most, each byte is one."""
_COUNTED = 50  # answered calls of a model that say how many tokens its input really has


@dataclass(slots=True)
class _ReadTokens:
    """The real tokens of a model's inputs, and the most that they could have."""

    calls: int = 0
    most: int = 0
    read: int = 0


class _Bounds:
    """The highest and the likely cost of calls; equal look-ups are made once."""

    def __init__(self, ledger: Ledger | None, price_of: PriceOf) -> None:
        self._price_of = price_of
        self._ledger = ledger
        self._prices = dict[tuple[str, Place, int], Price | None]()
        self._usual = dict[str, UsualCall | None]()  # by model
        self._counted = defaultdict[str, _ReadTokens](_ReadTokens)  # by model

    def learn(self, job: Job) -> None:
        """Count the real tokens of an answered call's input, for its model's other calls."""
        counted = self._counted[job.frame.model]
        if counted.calls >= _COUNTED or self._ledger is None:
            return
        settled = self._ledger.find(job.key)
        if settled is not None and settled.reply is not None:
            counted.calls += 1
            counted.most += job.tokens
            counted.read += settled.reply.usage.input_tokens

    def bounds_usd(self, job: Job) -> _CallBounds | None:
        """The highest and the likely cost of a call in USD; None without a price or a bound."""
        price = self._price(job)
        if price is None:
            return None
        most = most_usd(job.frame, price, job.tokens)
        if most is None:
            return None
        longest = job.frame.max_tokens
        if longest is None:
            longest = price.context_tokens
        if longest is None:  # a price of 0 needs no bound
            return _CallBounds(most, most)
        read = self._likely_read(job)
        wrote = min(self._likely_written(job, longest), longest)
        likely = (read * price.input + wrote * price.output) / TOKENS_PER_MTOK
        return _CallBounds(most, min(most, likely))

    def _price(self, job: Job) -> Price | None:
        """The price of a call; it may depend on the input's size, by powers of two."""
        about = (job.frame.provider, job.place, job.tokens.bit_length())
        if about not in self._prices:
            self._prices[about] = self._price_of(job.request)
        return self._prices[about]

    def _likely_read(self, job: Job) -> float:
        """The likely tokens of a call's input, by those that its model has counted so far."""
        counted = self._counted[job.frame.model]
        a_byte = counted.read / counted.most if counted.read else TOKENS_A_BYTE
        return job.tokens * a_byte

    def _likely_written(self, job: Job, longest: int) -> float:
        """The likely tokens of an answer: its model's average, the expected ones, or half the limit."""
        model = job.frame.model
        if model not in self._usual:
            known = None if self._ledger is None else self._ledger.usual(model)
            self._usual[model] = known
        usual = self._usual[model]
        if usual is not None:
            return usual.written
        if job.expects is not None:
            return job.expects
        return longest / 2


class _CallBounds(NamedTuple):
    """The highest and the likely cost of a call, in USD."""

    most: float
    likely: float


def total(parts: Sequence[Quote]) -> Quote:
    """Add up the quotes of different calls."""
    unpriced: list[str] = []
    for part in parts:
        unpriced += [model for model in part.unpriced if model not in unpriced]
    return Quote(
        calls=sum(part.calls for part in parts),
        reused=sum(part.reused for part in parts),
        usd_most=sum(part.usd_most for part in parts),
        usd_likely=sum(part.usd_likely for part in parts),
        unpriced=tuple(unpriced),
    )
