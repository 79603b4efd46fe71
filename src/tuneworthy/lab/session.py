"""Paid calls of a case: its ledger, the cap of a run, and the user's stop."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from tuneworthy.errors import OutputError
from tuneworthy.files.case import beside
from tuneworthy.files.disk import make_folder
from tuneworthy.files.stores import FOLDER
from tuneworthy.llm.endpoints import Transport
from tuneworthy.llm.ledger import Ledger, NothingKeptError, ReadOnlyLedger
from tuneworthy.llm.runner import PriceOf, Probe, Probes, Progress, Runner, Waiting
from tuneworthy.model.base import Strings, Unknown
from tuneworthy.model.case import Case
from tuneworthy.model.lab import Settled, Spend, Stand

CALLS = "calls.sqlite3"  #: The ledger of paid calls, in the folder of what is computed for a case.

Watch = Callable[[Stand], None]
OnStop = Callable[[Callable[[], None]], object]
"""Takes a function that is called when the user stops a run."""


def ledger_or_none(case: Case) -> AbstractContextManager[Ledger | None]:
    """The ledger of a case for reading, also during a run; None where nothing was ever sent."""
    path = _ledger_path(case)
    if not os.path.lexists(path):
        return nullcontext()
    try:
        return ReadOnlyLedger(path)
    except NothingKeptError:
        return nullcontext()


def ledger_of(case: Case) -> Ledger:
    path = _ledger_path(case)
    with suppress(OSError):  # the ledger says what is wrong
        make_folder(path.parent)
    return Ledger(path)


def _ledger_path(case: Case) -> Path:
    path = beside(case, FOLDER, f"{FOLDER}/{CALLS}")
    if path is None:
        raise OutputError(
            "has no folder", where=case.name, fix="keep the case in a folder"
        )
    return path


@dataclass(frozen=True, slots=True)
class PaidCalls:
    """Makes the calls of a run, which count against its cap."""

    run: str  #: Name of the run whose cap counts.
    ledger: Ledger
    transport: Transport
    price_of: PriceOf
    cap_usd: float  #: The most all calls of the run may cost, those of earlier processes included.
    at_once: int = 16  #: The most calls on the wire.
    watch: Watch | None = None  #: Called with how the run stands, now and then.
    on_stop: OnStop = lambda _: None
    probes: Probes = field(default_factory=lambda: defaultdict(Probe))
    hosts: Strings = ()  #: Hosts they go to that aren't their vendors' own.
    beside: str = ""
    """The name of a run with a separate cap whose calls count against this one too; empty for none."""

    def with_own_cap(self, cap_usd: float) -> PaidCalls:
        """The calls of the run beside. They may cost this much, and at most the rest of this cap."""
        rest = self.cap_usd - _taken_from_cap(self.ledger.spend(self.run))
        return replace(
            self, run=self.beside, beside="", cap_usd=max(0.0, min(cap_usd, rest))
        )

    def runner(
        self,
        progress: Progress | None = None,
        waiting: Waiting | None = None,
        *,
        lean: bool = True,
    ) -> Runner:
        """A runner that ends after the calls in flight when the user stops it.

        ``waiting`` gets texts about a wait; by default, the observer gets them. A ``lean`` runner
        leaves answers in the ledger until they are read, so that memory stays flat.
        """
        runner = Runner(
            self.ledger,
            self.transport,
            self.price_of,
            run=self.run,
            cap_usd=max(0.0, self.cap_usd - self.spent_beside),
            at_once=self.at_once,
            progress=progress,
            probes=self.probes,
            lean=lean,
            waiting=waiting or self._say_waiting,
        )
        self.on_stop(runner.stop)
        return runner

    def counting(
        self, of: int, *, running: int, ask: str = "wait for the end"
    ) -> Progress:
        """A function to call when a call has ended, which shows how many of ``of`` have.

        It shows each hundredth of them, so that many calls don't flood whoever watches. ``running``
        is how many arms do; ``ask`` says what is awaited.
        """
        ended = count(1)
        every_nth = 1 + of // 100

        def note_end(_: Settled) -> None:
            done = next(ended)
            if done % every_nth or self.watch is None:
                return
            stand = Stand(
                arm="",
                quality=Unknown(ask=ask),
                done=done,
                of=of,
                running=running,
                spend=self.spend,
            )
            self.watch(stand)

        return note_end

    def _say_waiting(self, why: str) -> None:
        if self.watch is not None:
            ask = Unknown(ask="wait for an answer")
            stand = Stand(
                arm="", quality=ask, done=0, of=0, running=0, spend=self.spend
            )
            self.watch(stand.model_copy(update={"waiting": why}))

    @property
    def spent_beside(self) -> float:
        """Money that the run beside has paid and reserved."""
        if self.beside:
            return _taken_from_cap(self.ledger.spend(self.beside))
        return 0.0

    @property
    def spend(self) -> Spend:
        runs = (self.run, self.beside) if self.beside else (self.run,)
        spend = spend_of(self.ledger, runs, self.cap_usd)
        if self.hosts:
            return spend.model_copy(update={"hosts": self.hosts})
        return spend


def _taken_from_cap(spend: Spend) -> float:
    return spend.paid + spend.held


_ADDED = (
    "paid",
    "held",
    "calls",
    "reused",
    "in_doubt",
    "failed",
    "cut_off",
    "miscounted",
)


def spend_of(ledger: Ledger, runs: Sequence[str], cap_usd: float = 0.0) -> Spend:
    """The money of several runs together."""
    spends = [ledger.spend(run, cap_usd) for run in runs]
    sums = {name: sum(getattr(spend, name) for spend in spends) for name in _ADDED}
    return spends[0].model_copy(update=sums)


def correct_spent(ledger: Ledger, runs: Sequence[str], usd: float) -> None:
    """Correct the total that several runs have paid; each keeps its share of the count."""
    counted = [ledger.spend(run).paid for run in runs]
    whole = sum(counted)
    for run, before in zip(runs, counted, strict=True):
        if before:
            ledger.correct(run, usd * before / whole)


class StopHandle:
    """Stops a run from any thread, as the first Ctrl-C does; also one that hasn't begun."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stopped = False
        self._stop: Callable[[], object] | None = None

    def stop(self) -> None:
        """Ask for the stop; asking twice has no further effect."""
        with self._lock:
            if not self._stopped and self._stop is not None:
                self._stop()
            self._stopped = True

    def held_by(self, stop: Callable[[], object] | None) -> None:
        """Set the function that stops the run from now on; None once the run is over."""
        with self._lock:
            self._stop = stop
            if self._stopped and stop is not None:
                stop()


_STOPS = (signal.SIGINT, signal.SIGTERM)  # the second is what supervisors send


@contextmanager
def stopped_by_user(handle: StopHandle | None = None) -> Iterator[OnStop]:
    """The first Ctrl-C or SIGTERM stops a run and lets it end; the second ends the program at once.

    This works only in the main thread, where signals arrive; elsewhere, a handle stops the run.
    Yields a function that takes the function to call on a stop.
    """
    loop = asyncio.get_running_loop()
    stops: list[Callable[[], None]] = []
    # other threads, and loops of systems without signals, refuse
    refusals = (NotImplementedError, RuntimeError, ValueError)

    def let_go() -> None:
        for number in _STOPS:
            with suppress(*refusals):
                loop.remove_signal_handler(number)

    def pressed() -> None:
        let_go()
        for stop in stops:
            stop()

    for number in _STOPS:
        with suppress(*refusals):
            loop.add_signal_handler(number, pressed)
    if handle is not None:
        handle.held_by(lambda: loop.call_soon_threadsafe(pressed))
    try:
        yield stops.append
    finally:
        if handle is not None:
            handle.held_by(None)
        let_go()
