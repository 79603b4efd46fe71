"""Many parallel calls under one cap: each is paid once, every answer is kept, none is sent twice."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple, TypeVar

from tuneworthy.errors import InputError, StoppedError
from tuneworthy.llm.endpoints import (
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
from tuneworthy.llm.ledger import MOST_ASKED, Ledger, UsualCall
from tuneworthy.llm.prices import STATE_PRICE
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

    ledger: Ledger  #: Where the answers are.
    settled: dict[str, Settled] = field(default_factory=dict)
    """By key. One record represents all answered jobs, so that memory stays flat."""
    stop: Stop = field(default_factory=Stop)
    reused: int = 0  #: Answers that were there already, or that two jobs shared.

    def get(self, key: str) -> Settled | None:
        """The state of a call, with its answer."""
        return self.some([key]).get(key)

    def some(self, keys: Sequence[str]) -> dict[str, Settled]:
        """The states of some calls, by key, with their answers."""
        settled = {key: self.settled[key] for key in keys if key in self.settled}
        answered = [key for key in settled if settled[key].status == "settled"]
        return settled | self.ledger.find_all(answered)


_THERE = Settled(key="", status="settled")  # the ledger holds the result
_AGAIN = _THERE.model_copy(update={"reused": True})
PriceOf = Callable[[Request], Price | None]
"""The price of a request. It may depend on the place, the model, and the power of two above its
tokens."""
Progress = Callable[[Settled], None]
Waiting = Callable[[str], None]
NOTICE_S = 60.0  #: Seconds without an answer after which it is said what is waited for.


class Runner:
    """Sends jobs under a cap that includes the money of earlier processes for the run.

    A request without a price is refused. ``at_once`` is the most calls in flight, and ``progress``
    is called for each call at its end. Answers stay in the ledger. ``waiting`` gets a text about
    the wait, every ``notice_s`` seconds in which a busy endpoint answers nothing. Raises InputError
    if the cap isn't an amount of money.
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
        waiting: Waiting | None = None,
        notice_s: float = NOTICE_S,
    ) -> None:
        if not 0 <= cap_usd < math.inf:
            raise InputError(
                f"a cap of {cap_usd:g} USD is not a valid cap",
                fix="give an amount, as 5",
            )
        self.outcome = Outcome(ledger)  #: Of all its calls so far.
        self._ledger = ledger
        self._transport = transport
        self._price_of = price_of
        self._run = run
        self._cap = cap_usd
        self._at_once = max(1, at_once)
        self._gates: dict[str, Gate] = {}  # by address
        self._probes = defaultdict(Probe) if probes is None else probes
        self._chance = random.Random(0)  # noqa: S311  # spreads retries, hides nothing
        # calls that are being sent, by key; equal calls wait for them
        self._flying: dict[str, asyncio.Future[None]] = {}
        self._held = 0  # calls whose money is put aside
        self._freed = asyncio.Event()  # set when one of them ends
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
            statuses = self._ledger.statuses([job.key for job in group])
            for job in group:
                if not self._note_known(job, statuses.get(job.key)):
                    yield job

    def _note_known(self, job: Job, status: str | None) -> bool:
        """Note a job that was settled before, in this run or by the ledger; False for another."""
        key = job.key
        before = self.outcome.settled.get(key)
        if before is not None:
            status = before.status
        # one that was sent and isn't answered may be in flight now
        if status is None or status == "sent":
            return False
        if status != "settled":
            known = before or self._ledger.find(key)
            if known is not None:
                self._done(key, known)
            return True
        self.outcome.reused += 1
        probe = self._probes[job.place]
        if not probe.answered:  # does its model answer?
            call = self._ledger.find(key)
            probe.answered = call is not None and call.whole is not None
        self._done(key, _AGAIN)
        return True

    async def _one(self, job: Job) -> None:
        """Send one call, unless an equal call was answered before or is on its way."""
        key = job.key
        while key in self._flying:  # an equal call: its answer is this one's, too
            await self._flying[key]
        if self._note_known(job, self._ledger.statuses([key]).get(key)):
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
            is_in_ledger = settled.status == "settled"
            self.outcome.settled[key] = _THERE if is_in_ledger else settled
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
        """Send one call, as often as the endpoint asks to come again; None if it was never sent.

        A busy endpoint and a call that wasn't sent are written into the ledger as a failure.
        """
        gate = self._gates.setdefault(request.base_url, Gate(self._at_once))
        settled: Settled | None = None
        for tries in range(MOST_TRIES):
            await gate.enter()
            answered = False
            wait_s: float | None = None
            try:
                if not await self._reserve(key, request.model, most):
                    return settled  # as the try before ended
                try:
                    settled = await self._answer(key, request, price, most)
                    answered = settled.status == "settled"
                except (Busy, NotSent) as caught:
                    settled = self._ledger.fail(key, str(caught))
                    self._busy = f"{request.model}: {caught}"
                    if self._again(caught, gate):
                        wait_s = self._wait_s(caught, max(tries, gate.closings))
                finally:
                    self._let_go()
            finally:
                gate.leave(answered=answered)
            if wait_s is None:
                return settled
            await gate.refused(wait_s, last=tries + 1 == MOST_TRIES)
        return settled

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

    async def _reserve(self, key: str, model: str, most: float) -> bool:
        """Reserve the money for a call, and return whether that worked.

        Where the cap is too small, calls in flight are awaited first: most cost less than their
        reserve.
        """
        while not self.outcome.stop:
            answer = self._ledger.reserve(
                key, run=self._run, model=model, usd=most, cap_usd=self._cap
            )
            if answer == "go":
                self._held += 1
                return True
            if self._held == 0:
                await asyncio.sleep(0)  # calls of the same moment may need less
            if self._held == 0:  # no call in flight will free any money
                why = f"the next call could pass the cap of {self._cap:g} USD"
                self._end("cap", why)
                return False
            await self._freed.wait()
        return False

    def _let_go(self) -> None:
        """Note that a call has ended, and let calls that wait for its money look again."""
        self._held -= 1
        self._freed.set()
        self._freed = asyncio.Event()  # for the next one that ends

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
            probe.lacked(str(caught))
            settled = ledger.fail(key, str(caught))
        except (Busy, NotSent):
            probe.times = 0  # these failures aren't in a row any more
            raise
        except CallError as caught:  # doubtful, or a transport of somebody else's
            probe.lacked(str(caught))
            settled = ledger.doubt(key, str(caught))
        except asyncio.CancelledError:
            ledger.doubt(key, "the run was stopped while it was in flight")
            raise
        except Exception as caught:
            ledger.doubt(
                key, f"a fault while it was in flight: {type(caught).__name__}"
            )
            raise
        else:
            reply = reply.held_against(request)
            settled = self._keep(key, request, reply, price, most)
        self._heard = time.monotonic()
        self._busy = ""
        return settled

    def _keep(
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
            return self._ledger.fail(key, reply.lacks, paid)
        return self._ledger.settle(key, reply, paid, miscounted)

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
    costs = _Costs(ledger, price_of)
    for some in batches(jobs):
        statuses: Mapping[str, str] = {}
        if ledger is not None and not anew:
            statuses = ledger.statuses([job.key for _, job in some])
        for name, job in some:
            groups[name].count_job(job, statuses.get(job.key), costs)
    return {name: calls.quote() for name, calls in groups.items()}


class _QuotedCalls:
    """Counts the calls of one quote, equal ones once."""

    def __init__(self) -> None:
        self._calls = 0
        self._reused = 0
        self._usd_most = 0.0
        self._usd_likely = 0.0
        self._unpriced: dict[str, None] = {}  # models, each once
        # half of each key: it is long enough, and there may be millions
        self._counted = set[bytes]()

    def count_job(self, job: Job, status: str | None, costs: _Costs) -> None:
        """Count a call; ``status`` is its state in the ledger, None where it was never sent."""
        half = bytes.fromhex(job.key[:32])
        if half in self._counted:
            return
        self._counted.add(half)
        if status is not None:
            self._reused += status == "settled"
            costs.learn(job)
            return
        usd = costs.bounds(job)
        if usd is None:
            self._unpriced[job.frame.model] = None
            return
        most, likely = usd
        self._calls += 1
        self._usd_most += most
        self._usd_likely += likely

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


class _Costs:
    """The highest and the likely cost of calls; equal look-ups are made once."""

    def __init__(self, ledger: Ledger | None, price_of: PriceOf) -> None:
        self._price_of = price_of
        self._ledger = ledger
        self._prices = dict[tuple[str, Place, int], Price | None]()
        # by model
        self._usual = dict[str, UsualCall | None]()
        self._learned = Counter[str]()  # answered calls that were looked at
        self._most_read = Counter[str]()  # the most tokens that their inputs could have
        self._read = Counter[str]()  # and the real ones

    def learn(self, job: Job) -> None:
        """Count the real tokens of an answered call's input, for its model's other calls."""
        model = job.frame.model
        if self._learned[model] >= _COUNTED or self._ledger is None:
            return
        settled = self._ledger.find(job.key)
        if settled is not None and settled.reply is not None:
            self._learned[model] += 1
            self._most_read[model] += job.tokens
            self._read[model] += settled.reply.usage.input_tokens

    def bounds(self, job: Job) -> tuple[float, float] | None:
        """The highest and the likely cost of a call in USD; None without a price or a bound."""
        price = self._price(job)
        most = None if price is None else most_usd(job.frame, price, job.tokens)
        if price is None or most is None:
            return None
        longest = job.frame.max_tokens
        if longest is None:
            longest = price.context_tokens
        if longest is None:  # a price of 0 needs no bound
            return most, most
        read = job.tokens * self._tokens_a_byte(job.frame.model)
        wrote = min(self._likely_written(job, longest), longest)
        likely = (read * price.input + wrote * price.output) / TOKENS_PER_MTOK
        return most, min(most, likely)

    def _price(self, job: Job) -> Price | None:
        """The price of a call; it may depend on the input's size, by powers of two."""
        about = (job.frame.provider, job.place, job.tokens.bit_length())
        if about not in self._prices:
            self._prices[about] = self._price_of(job.request)
        return self._prices[about]

    def _tokens_a_byte(self, model: str) -> float:
        """Tokens for each byte of a model's input, by those that it has counted so far."""
        if not self._read[model]:
            return TOKENS_A_BYTE
        return self._read[model] / self._most_read[model]

    def _likely_written(self, job: Job, longest: int) -> float:
        """The likely tokens of an answer: its model's average, the expected ones, or half the limit."""
        model = job.frame.model
        if model not in self._usual and self._ledger is not None:
            self._usual[model] = self._ledger.usual(model)
        usual = self._usual.get(model)
        if usual is not None:
            return usual.written
        return longest / 2 if job.expects is None else job.expects


def total(parts: Sequence[Quote]) -> Quote:
    """Add up the quotes of different calls."""
    unpriced: dict[str, None] = {}  # each once
    for part in parts:
        unpriced |= dict.fromkeys(part.unpriced)
    return Quote(
        calls=sum(part.calls for part in parts),
        reused=sum(part.reused for part in parts),
        usd_most=sum(part.usd_most for part in parts),
        usd_likely=sum(part.usd_likely for part in parts),
        unpriced=tuple(unpriced),
    )
