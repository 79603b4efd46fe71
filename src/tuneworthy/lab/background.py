"""Ceiling labs in the background of a server: quoted, confirmed, watched by many, stopped in order.

What a run tells is a whole picture each time, so that a follower who misses one, comes late or goes
away changes nothing: nobody is told, everybody looks.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from tuneworthy.errors import CaseError, ConflictError, InputError
from tuneworthy.lab.race import CEILING_RUN
from tuneworthy.lab.run import (
    MOST_TOKENS,
    Done,
    Handle,
    Ready,
    ceiling_run,
    ledger_or_none,
    prepare,
    price,
    refuse_unpriced,
)
from tuneworthy.llm.choose import lacking_keys
from tuneworthy.llm.endpoints import Transport
from tuneworthy.model.lab import Arm, Quote, Stand

MOST_RUNS = 4
"""Labs of different cases that may run at a time."""

LabState = Literal["running", "stopping", "done", "stopped", "failed"]
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a lab is run by. Scorers that are functions of the user's own never run from here."""

    max_tokens: int = MOST_TOKENS
    """Tokens an answer may have; it bounds the price."""
    seed: int = 0
    """For the split of the cases and their order."""
    at_once: int = 16
    """The most calls on the wire."""
    ask_again: bool = False
    """Whether calls in doubt are sent once more; some of them may be paid twice."""
    chosen: str | None = None
    """Framework that the verdict goes by; the case's own when not given."""
    as_of: date | None = None
    """The day, for prices and evidence; today when not given."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a lab would do and cost: to be shown, and confirmed by its numbers."""

    arms: tuple[Arm, ...]
    select: int
    """Cases for selecting."""
    report: int
    """Cases that will choose nothing."""
    quote: Quote
    places: tuple[str, ...]
    """Where it is sent: addresses, and the names of models inside this program."""
    doubtful: int
    """Calls of earlier runs of which nobody knows whether they were paid."""
    held_usd: float
    """What is put aside for those."""
    again: bool
    """Whether those would be sent once more."""
    lacking: tuple[str, ...] = ()
    """Keys that it takes and that aren't there, a sentence each."""

    @property
    def most_calls(self) -> int:
        """Calls that may be sent."""
        return self.quote.calls + self.doubtful * self.again

    @property
    def most_usd(self) -> float:
        """What they may cost."""
        return self.quote.usd_most + self.held_usd * self.again


class GrownError(ConflictError):
    """More would be sent, or paid, than was confirmed."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How a run stands at a moment."""

    number: int
    """Of this picture; a later one has a larger number."""
    state: LabState
    stand: Stand | None
    """None before the first calls are in."""
    passed_s: float
    """Seconds since it began; until its end once it is over."""

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ("done", "stopped", "failed")


class Running:
    """A lab that runs in a thread of its own, or that has.

    Args:
        ready: Its plan.
        terms: What it is run by.
        cap_usd: The most its calls may cost, those of earlier runs included.
        source: How the case is named.
        transport: What sends, in place of the case's own endpoints.
        clock: Seconds that only go forward.
    """

    def __init__(
        self,
        ready: Ready,
        terms: Terms,
        cap_usd: float,
        source: str,
        transport: Transport | None,
        clock: Clock,
    ) -> None:
        self.id = secrets.token_hex(8)
        self.terms, self.cap_usd, self.source = terms, cap_usd, source
        self.done: Done | None = None
        self.error: InputError | None = None
        self._handle, self._lock, self._clock = Handle(), threading.Lock(), clock
        self._state: LabState = "running"
        self._stand: Stand | None = None
        self._number, self._began, self._ended = 0, clock(), 0.0
        self._thread = threading.Thread(
            target=self._go, args=(ready, transport), name=f"lab {self.id}", daemon=True
        )

    @property
    def progress(self) -> Progress:
        """How it stands now; any thread may look."""
        with self._lock:
            end = self._ended or self._clock()
            return Progress(self._number, self._state, self._stand, end - self._began)

    def begin(self) -> None:
        """Run it; once."""
        self._thread.start()

    def stop(self) -> None:
        """Send nothing more, and wait for what is on the wire; nothing for one that is over."""
        with self._lock:
            if self._state != "running":
                return
            self._state, self._number = "stopping", self._number + 1
        self._handle.stop()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for its end; whether it came in time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _watch(self, stand: Stand) -> None:
        with self._lock:
            self._stand, self._number = stand, self._number + 1

    def _go(self, ready: Ready, transport: Transport | None) -> None:
        state: LabState = "failed"
        try:
            self.done = ceiling_run(
                ready,
                cap_usd=self.cap_usd,
                at_once=self.terms.at_once,
                ask_again=self.terms.ask_again,
                watch=self._watch,
                transport=transport,
                source=self.source,
                handle=self._handle,
            )
            state = "stopped" if self.done.result.stopped else "done"
        except InputError as caught:
            self.error = caught
        except Exception as caught:  # noqa: BLE001  # nobody stands above a thread to tell it to
            self.error = InputError(f"a fault of ours ({type(caught).__name__}: {caught})")
        with self._lock:
            self._state, self._ended, self._number = state, self._clock(), self._number + 1


class Labs:
    """The labs of a server: one at a time for each case, and the last of each case remembered.

    Args:
        transport: Gives what sends for a plan, in place of its endpoints.
        clock: Seconds that only go forward.
    """

    def __init__(
        self, transport: Callable[[Ready], Transport] | None = None, clock: Clock = time.monotonic
    ) -> None:
        self._transport, self._clock = transport, clock
        self._runs: dict[Path, Running] = {}
        self._lock = threading.Lock()

    @property
    def running(self) -> int:
        """Labs that aren't over."""
        return sum(not one.progress.over for one in tuple(self._runs.values()))

    def last(self, source: str | Path) -> Running | None:
        """The lab of a case that runs, or that ran last since the server began."""
        return self._runs.get(Path(source).resolve())

    def offer(self, source: str | Path, terms: Terms) -> Offer:
        """What a lab would do and cost; nothing is sent.

        Raises:
            InputError: If it can't run, or another process is running it.
        """
        return self._offer(prepare_for(source, terms), terms)

    def start(
        self, source: str | Path, terms: Terms, *, cap_usd: float, calls: int, usd: float
    ) -> Running:
        """Begin a lab that was offered and confirmed. One that was stopped goes on.

        Args:
            source: The case.
            terms: What it is run by.
            cap_usd: The most its calls may cost, those of earlier runs included.
            calls: The calls that were confirmed: the offer's ``most_calls``.
            usd: What was confirmed that they may cost: the offer's ``most_usd``.

        Raises:
            GrownError: If by now it would be more than that; nothing is sent.
            InputError: If it can't run, or is running already.
        """
        self._refuse(source)
        ready = prepare_for(source, terms)
        found = self._offer(ready, terms)
        refuse_unpriced(found.quote)
        if found.most_calls > calls or found.most_usd > usd * (1 + 1e-9):
            fix = "look at the new numbers, and confirm them"
            raise GrownError("more would be sent than was confirmed", where="the lab", fix=fix)
        sends = None if self._transport is None else self._transport(ready)
        begun = Running(ready, terms, cap_usd, str(source), sends, self._clock)
        with self._lock:
            self._refuse(source)
            self._runs[Path(source).resolve()] = begun
            begun.begin()
        return begun

    def close(self, timeout_s: float = 60.0) -> bool:
        """Stop all that run, and wait for what is on the wire.

        Returns:
            Whether all came to their end in time; what didn't is in doubt at the next start.
        """
        running = [one for one in self._runs.values() if not one.progress.over]
        for one in running:
            one.stop()
        until = time.monotonic() + timeout_s
        return all(one.wait(max(0.0, until - time.monotonic())) for one in running)

    def _offer(self, ready: Ready, terms: Terms) -> Offer:
        with ledger_or_none(ready.case) as ledger:
            doubtful = () if ledger is None else ledger.doubtful(CEILING_RUN)
            told = price(ready, ledger)
        plan = ready.plan
        reached = plan.setting.reached.values()
        return Offer(
            places=tuple(dict.fromkeys(one.base_url or one.provider for one in reached)),
            arms=plan.arms,
            select=len(plan.select),
            report=len(plan.report),
            quote=told,
            doubtful=len(doubtful),
            held_usd=sum(one.usd for one in doubtful),
            again=terms.ask_again,
            lacking=lacking_keys(reached) if self._transport is None else (),
        )

    def _refuse(self, source: str | Path) -> None:
        """One lab a case, and not too many together."""
        own = self.last(source)
        if own is not None and not own.progress.over:
            fix = "follow it, or stop it"
            raise ConflictError("has a lab that is running", where=str(source), fix=fix)
        if self.running >= MOST_RUNS:
            raise CaseError(f"{MOST_RUNS} labs are running", where=str(source), fix="wait for one")


def prepare_for(source: str | Path, terms: Terms) -> Ready:
    """The plan of a lab by its terms; code beside a case is never run.

    Raises:
        InputError: If it can't run.
    """
    return prepare(
        source,
        chosen=terms.chosen,
        seed=terms.seed,
        max_tokens=terms.max_tokens,
        allow_code=False,
        as_of=terms.as_of,
    )
