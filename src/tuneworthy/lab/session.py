"""Paid calls of a case: its ledger, the cap of a run, and the user's stop."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from tuneworthy.errors import OutputError
from tuneworthy.files.case import beside
from tuneworthy.files.disk import make_folder
from tuneworthy.files.stores import FOLDER
from tuneworthy.llm.endpoints import Transport
from tuneworthy.llm.ledger import Ledger, NothingKeptError, ReadOnlyLedger
from tuneworthy.llm.runner import (
    Job,
    PriceOf,
    Probe,
    Probes,
    Progress,
    Runner,
    Waiting,
)
from tuneworthy.model.base import Strings, Unknown
from tuneworthy.model.case import Case
from tuneworthy.model.lab import Quote, Settled, ShareOf, Spend, Stand

CEILING_RUN = "ceiling"  #: Name of the run whose cap counts.
SEARCH_RUN = "search"  #: Name of the run of a search for prompts, whose cap is its own.
CALLS = "calls.sqlite3"  #: The ledger of paid calls, in the folder of what is computed for a case.

Watch = Callable[[Stand], None]
OnStop = Callable[[Callable[[], None]], object]
"""Takes a function that is called when the user stops a run."""


def ledger_or_none(case: Case) -> AbstractContextManager[Ledger | None]:
    """Return the ledger of a case for reading, also during a run; None where nothing was ever sent."""
    path = _ledger_path(case)
    # a broken link is no reason to say that nothing was sent: the ledger refuses it
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
        """Return the calls of the run beside. They cost this much at most, and the rest of this cap."""
        rest = self.cap_usd - _taken_from_cap(self.ledger.spend(self.run))
        # earlier runs may have had a larger cap and taken more than this one
        cap_usd = max(0.0, min(cap_usd, rest))
        return replace(self, run=self.beside, beside="", cap_usd=cap_usd)

    def runner(
        self,
        progress: Progress | None = None,
        waiting: Waiting | None = None,
    ) -> Runner:
        """Return a runner that ends after the calls in flight when the user stops it.

        ``progress`` is called with each call that has ended. ``waiting`` gets texts about a wait;
        by default, the observer gets them.
        """
        runner = Runner(
            self.ledger,
            self.transport,
            self.price_of,
            run=self.run,
            # the run beside may have taken all that this cap has
            cap_usd=max(0.0, self.cap_usd - self.spent_beside),
            at_once=self.at_once,
            progress=progress,
            probes=self.probes,
            waiting=waiting or self._say_waiting,
        )
        self.on_stop(runner.stop)
        return runner

    def counting(
        self, of: int, *, running: int, ask: str = "wait for the end"
    ) -> Progress:
        """Return a function to call when a call has ended, which shows how many of ``of`` have.

        It shows each hundredth of them, so that many calls don't flood whoever watches. ``running``
        is how many arms do; ``ask`` says what is awaited.
        """
        done = 0
        every_nth = 1 + of // 100

        def note_end(_: Settled) -> None:
            nonlocal done
            done += 1
            if done % every_nth == 0:
                self.show(Unknown(ask=ask), done=done, of=of, running=running)

        return note_end

    def _say_waiting(self, why: str) -> None:
        self.show(Unknown(ask="wait for an answer"), waiting=why)

    def show(
        self,
        quality: ShareOf | Unknown,
        *,
        arm: str = "",
        done: int = 0,
        of: int = 0,
        running: int = 0,
        waiting: str = "",
    ) -> None:
        """Show how the run stands to whoever watches; see ``Stand``."""
        if self.watch is not None:
            stand = Stand(
                arm=arm,
                quality=quality,
                done=done,
                of=of,
                running=running,
                spend=self.spend,
                waiting=waiting,
            )
            self.watch(stand)

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


#: Fields of ``Spend`` that add up over runs; the others are those of the first run.
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
    """Return the money of one run or several together; the cap is that of the first."""
    spends = [ledger.spend(run, cap_usd) for run in runs]
    sums = {name: sum(getattr(spend, name) for spend in spends) for name in _ADDED}
    return spends[0].model_copy(update=sums)


def with_spent(quote: Quote, ledger: Ledger | None, run: str) -> Quote:
    """Return a quote with the amount that earlier calls of its run have taken from the cap."""
    if ledger is None:
        return quote
    spend = spend_of(ledger, runs_beside(run))
    return quote.model_copy(update={"usd_spent": spend.paid + spend.held})


def runs_beside(run: str) -> tuple[str, ...]:
    """A run, and the runs whose calls count against its cap."""
    return (run, SEARCH_RUN) if run == CEILING_RUN else (run,)


def told_by(ledger: Ledger | None) -> Callable[[Job], str | None]:
    """A function that looks up answers to earlier steps of chains in the ledger."""
    return lambda job: ledger.text(job.key) if ledger else None


def correct_spent(ledger: Ledger, runs: Sequence[str], usd: float) -> None:
    """Correct the total that several runs have paid to ``usd``; each keeps its share of it."""
    counted = [ledger.spend(run).paid for run in runs]
    whole = sum(counted)
    for run, paid in zip(runs, counted, strict=True):
        if paid:  # a run that paid nothing has no share, and the whole may be 0
            ledger.correct(run, usd * paid / whole)


_STOPS = (signal.SIGINT, signal.SIGTERM)  # the second is what supervisors send
# other threads, and loops of systems without signals, refuse a handler by these
_SIGNAL_REFUSALS = (NotImplementedError, RuntimeError, ValueError)


@contextmanager
def stopped_by_user() -> Iterator[OnStop]:
    """Stop a run on the first Ctrl-C or SIGTERM and let it end; the second ends the program at once.

    This works only in the main thread, where signals arrive. Yields a function that takes the
    function to call on a stop.
    """
    loop = asyncio.get_running_loop()
    stops: list[Callable[[], None]] = []

    def stop_all() -> None:
        _release_signals(loop)  # so that the second one ends the program
        for stop in stops:
            stop()

    for number in _STOPS:
        with suppress(*_SIGNAL_REFUSALS):
            loop.add_signal_handler(number, stop_all)
    try:
        yield stops.append
    finally:
        _release_signals(loop)


def _release_signals(loop: asyncio.AbstractEventLoop) -> None:
    """Give the signals back to Python, which ends the program on one."""
    for number in _STOPS:
        with suppress(*_SIGNAL_REFUSALS):
            loop.remove_signal_handler(number)
