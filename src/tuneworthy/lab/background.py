"""Ceiling labs in the background of a server: quoted, confirmed, watched by many, stopped in order.

A run shows a whole picture each time, so that a follower who misses one, comes late or goes away
changes nothing.
"""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from tuneworthy.errors import CaseError, ConflictError, InputError
from tuneworthy.lab import ceiling
from tuneworthy.lab.prepare import MOST_TOKENS, PreparedLab, prepare, price, refuse_unpriced
from tuneworthy.lab.session import StopHandle, ledger_or_none
from tuneworthy.llm.choose import lacking_keys
from tuneworthy.llm.endpoints import Transport
from tuneworthy.model.lab import Arm, Quote, Stand

MOST_RUNS = 4  #: Labs of different cases that may run at a time.

LabState = Literal["running", "stopping", "done", "stopped", "failed"]
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class LabSettings:
    """How a lab is run. Scorers that are functions of the user's own never run from here."""

    max_tokens: int = MOST_TOKENS  #: Tokens an answer may have; it bounds the price.
    seed: int = 0  #: For the split of the cases and their order.
    at_once: int = 16  #: The most calls on the wire.
    ask_again: bool = False
    """Whether calls in doubt are sent once more; some of them may be paid twice."""
    chosen: str | None = None  #: Framework that the verdict goes by; the case's own when not given.
    as_of: date | None = None  #: The day, for prices and evidence; today when not given.


@dataclass(frozen=True, slots=True)
class QuotedLab:
    """What a lab would do and cost: to be shown, and confirmed by its numbers."""

    arms: tuple[Arm, ...]
    select: int  #: Cases for selecting.
    report: int  #: Cases that will choose nothing.
    quote: Quote
    places: tuple[str, ...]
    """Where it is sent: addresses, and the names of models inside this program."""
    doubtful: int  #: Calls of earlier runs of which nobody knows whether they were paid.
    held_usd: float  #: What is put aside for those.
    spent_usd: float  #: What earlier runs have paid and put aside.
    again: bool  #: Whether those would be sent once more.
    lacking: tuple[str, ...] = ()  #: Keys that it takes and that aren't there, a sentence each.

    @property
    def most_calls(self) -> int:
        """Calls that may be sent."""
        return self.quote.calls + self.doubtful * self.again

    @property
    def most_usd(self) -> float:
        """What they may cost."""
        return self.quote.usd_most + self.held_usd * self.again


class QuoteExceededError(ConflictError):
    """More would be sent, or paid, than was confirmed."""


@dataclass(frozen=True, slots=True)
class LabProgress:
    """How a run stands at a moment."""

    number: int  #: Of this picture; a later one has a larger number.
    state: LabState
    stand: Stand | None  #: None before the first calls are in.
    passed_s: float  #: Seconds since it began; until its end once it is over.

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ("done", "stopped", "failed")


class LabRun:
    """A lab that runs in a thread of its own, or that has."""

    def __init__(
        self,
        lab: PreparedLab,
        settings: LabSettings,
        cap_usd: float,
        before_usd: float,
        source: str,
        transport: Transport | None,
        clock: Clock,
    ) -> None:
        self.id = secrets.token_hex(8)
        self.settings, self.cap_usd, self.source = settings, cap_usd, source
        self.before_usd = before_usd
        self.done: ceiling.CeilingRun | None = None
        self.error: InputError | None = None
        self._handle, self._lock, self._clock = StopHandle(), threading.Lock(), clock
        self._state: LabState = "running"
        self._stand: Stand | None = None
        self._number, self._began, self._ended = 0, clock(), 0.0
        self.thread = threading.Thread(
            target=self._go, args=(lab, transport), name=f"lab {self.id}", daemon=True
        )

    @property
    def progress(self) -> LabProgress:
        """How it stands now; any thread may look."""
        with self._lock:
            end = self._ended or self._clock()
            return LabProgress(self._number, self._state, self._stand, end - self._began)

    @property
    def usd(self) -> float:
        """What it has cost by itself; all it may, until that is known."""
        spend = self.done.result.spend if self.done else None
        return (spend.paid + spend.held if spend else self.cap_usd) - self.before_usd

    def stop(self) -> None:
        """Send nothing more, and wait for what is on the wire; nothing for one that is over."""
        with self._lock:
            if self._state != "running":
                return
            self._state, self._number = "stopping", self._number + 1
        self._handle.stop()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for its end; whether it came in time."""
        self.thread.join(timeout_s)
        return not self.thread.is_alive()

    def _watch(self, stand: Stand) -> None:
        with self._lock:
            self._stand, self._number = stand, self._number + 1

    def _go(self, lab: PreparedLab, transport: Transport | None) -> None:
        state: LabState = "failed"
        try:
            self.done = ceiling.run(
                lab,
                cap_usd=self.cap_usd,
                at_once=self.settings.at_once,
                ask_again=self.settings.ask_again,
                watch=self._watch,
                transport=transport,
                source=self.source,
                handle=self._handle,
            )
            state = "stopped" if self.done.result.stopped else "done"
        except InputError as caught:
            self.error = caught
        except Exception as caught:  # noqa: BLE001  # nobody stands above a thread to tell it to
            self.error = InputError(f"an internal error ({type(caught).__name__}: {caught})")
        with self._lock:
            self._state, self._ended, self._number = state, self._clock(), self._number + 1


class Labs:
    """The labs of a server: one at a time for each case, and the last of each case remembered.

    Args:
        transport: Gives what sends for a plan, in place of its endpoints.
        clock: Seconds that only go forward.
        budget_usd: The most that all of them may cost together; None for no such limit.
    """

    def __init__(
        self,
        transport: Callable[[PreparedLab], Transport] | None = None,
        clock: Clock = time.monotonic,
        budget_usd: float | None = None,
    ) -> None:
        self._transport, self._clock, self.budget_usd = transport, clock, budget_usd
        self._runs: dict[Path, LabRun] = {}
        self._spent_usd = 0.0  # by runs that later ones of their case took the place of
        self._lock = threading.Lock()

    @property
    def running(self) -> int:
        """Labs that aren't over."""
        return sum(not run.progress.over for run in tuple(self._runs.values()))

    def last(self, source: str | Path) -> LabRun | None:
        """The lab of a case that runs, or that ran last since the server began."""
        return self._runs.get(Path(source).resolve())

    def offer(self, source: str | Path, settings: LabSettings) -> QuotedLab:
        """What a lab would do and cost; nothing is sent."""
        return self._offer(_prepared(source, settings), settings)

    def start(
        self, source: str | Path, settings: LabSettings, *, cap_usd: float, calls: int, usd: float
    ) -> LabRun:
        """Begin a lab that was offered and confirmed. One that was stopped goes on.

        ``calls`` and ``usd`` are the confirmed ``most_calls`` and ``most_usd`` of the offer, and
        ``cap_usd`` is the most its calls may cost, those of earlier runs included. If by now it
        would be more than was confirmed, nothing is sent.
        """
        self._refuse(source)
        lab = _prepared(source, settings)
        quoted = self._offer(lab, settings)
        refuse_unpriced(quoted.quote)
        if quoted.most_calls > calls or quoted.most_usd > usd * (1 + 1e-9):
            fix = "look at the new numbers, and confirm them"
            what = "more would be sent than was confirmed"
            raise QuoteExceededError(what, where="the lab", fix=fix)
        transport = None if self._transport is None else self._transport(lab)
        before, own = min(cap_usd, quoted.spent_usd), Path(source).resolve()
        if self.budget_usd is not None:  # it may cost no more than was confirmed
            cap_usd = min(cap_usd, before + quoted.most_usd * (1 + 1e-9))
        run = LabRun(lab, settings, cap_usd, before, str(source), transport, self._clock)
        with self._lock:
            self._refuse(source)
            left = math.inf if self.budget_usd is None else self.budget_usd - self._spent_usd
            left -= sum(each.usd for each in self._runs.values())
            if run.usd > left + 1e-9:
                fix = "start it in a terminal (tuneworthy ceiling), or serve with --lab-budget"
                what = f"may cost {run.usd:.2f} USD, and labs on this page {max(0, left):.2f} more"
                raise CaseError(what, where="the lab", fix=fix)
            self._spent_usd += self._runs[own].usd if own in self._runs else 0.0
            self._runs[own] = run
            run.thread.start()
        return run

    def close(self, timeout_s: float = 60.0) -> bool:
        """Stop all that run, and wait for what is on the wire; whether all ended in time.

        What didn't is in doubt at the next start.
        """
        running = [run for run in self._runs.values() if not run.progress.over]
        for run in running:
            run.stop()
        until = time.monotonic() + timeout_s
        return all(run.wait(max(0.0, until - time.monotonic())) for run in running)

    def _offer(self, lab: PreparedLab, settings: LabSettings) -> QuotedLab:
        with ledger_or_none(lab.case) as ledger:
            doubtful = () if ledger is None else ledger.doubtful(ceiling.CEILING_RUN)
            spend = None if ledger is None else ledger.spend(ceiling.CEILING_RUN)
            quote = price(lab, ledger)
        plan = lab.plan
        reached = plan.setting.reached.values()
        return QuotedLab(
            places=tuple(dict.fromkeys(place.base_url or place.provider for place in reached)),
            arms=plan.arms,
            select=len(plan.select),
            report=len(plan.report),
            quote=quote,
            doubtful=len(doubtful),
            held_usd=sum(call.usd for call in doubtful),
            spent_usd=spend.paid + spend.held if spend else 0.0,
            again=settings.ask_again,
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


def _prepared(source: str | Path, settings: LabSettings) -> PreparedLab:
    """The plan of a lab by its settings; code beside a case is never run."""
    names = ("chosen", "seed", "max_tokens", "as_of")
    return prepare(source, **{name: getattr(settings, name) for name in names})
