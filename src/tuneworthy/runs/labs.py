"""Labs in the background of a server: quoted, confirmed, watched by many, stopped in order, kept.

A run always shows its whole state. So nothing changes for a viewer who misses a state, comes late
or goes away. Results are kept beside the case, wherever the run was started.
"""

from __future__ import annotations

import asyncio
import math
import re
import secrets
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, get_args

from pydantic import Field, TypeAdapter, model_validator

from tuneworthy.errors import CaseError, ConflictError, InputError, NoSuchCaseError
from tuneworthy.files.cache import Cache, stamps
from tuneworthy.files.case import beside
from tuneworthy.files.config import read_config
from tuneworthy.files.disk import CASES_LIMIT, MIB, read_text, write_new
from tuneworthy.files.stores import FOLDER, JsonLines, Moment, pilot_folder
from tuneworthy.lab import ceiling, retrieve, verify
from tuneworthy.lab.plan import LabPlan
from tuneworthy.lab.prepare import (
    CEILING_RUN,
    MOST_TOKENS,
    PreparedLab,
    prepare,
    quoted,
    refuse_unpriced,
    runs_beside,
    time_row,
)
from tuneworthy.lab.session import StopHandle, ledger_or_none, spend_of
from tuneworthy.llm.choose import lacking_keys
from tuneworthy.llm.embedded import lacking as lacking_embedded
from tuneworthy.llm.endpoints import LOCAL, Reached, Transport
from tuneworthy.llm.hosts import refuse_unconfirmed
from tuneworthy.model.base import Natural, NonNegative, Record, json_text
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.evalset import Split
from tuneworthy.model.lab import (
    Arm,
    CeilingResult,
    Quote,
    RetrievalResult,
    Settled,
    Stand,
    VerifyResult,
)
from tuneworthy.model.pilot import PilotResult
from tuneworthy.pipeline import load_case, today
from tuneworthy.report import blocks as b
from tuneworthy.report.sections import (
    lab,
    lab_ceiling,
    lab_pilot,
    lab_retrieval,
    lab_verify,
)
from tuneworthy.training import pilot
from tuneworthy.training.trainers import EMBEDDED, LoraTrainer
from tuneworthy.words import capital, sentence

MOST_RUNS = 4  #: Labs of different cases that may run at a time.

LabKind = Literal["ceiling", "retrieve", "verify", "pilot"]
LookKind = Literal["data", "watch"]
"""Kinds of results that need no model call: gates of examples, or a decision compared with today's."""


class _Lab(NamedTuple):
    """A kind of lab: how to prepare, price, run and report it, and the name of its paid run."""

    paid_as: str
    prepare: Callable[..., Any]
    quoted: Callable[[Any], Quote]
    run: Callable[..., Any]
    result: type[LabResult]
    #: Its document; None for a ceiling, told beside the case as it is now.
    document: Any = None


def _pilot(source: str | Path, **settings: Any) -> pilot.PreparedPilot:
    """A pilot that needs only this machine."""
    lab = prepare(source, **settings)
    return pilot.prepare_pilot(lab, LoraTrainer(pilot_folder(lab.case)), EMBEDDED)


def _quoted_pilot(ready: pilot.PreparedPilot) -> Quote:
    return quoted(
        ready.lab, lambda _, ledger: pilot.pilot_price(ready, ledger), pilot.PILOT_RUN
    )


LabState = Literal["running", "stopping", "done", "stopped", "failed"]


class LabTerms(Record):
    """The settings of a lab. A user's own scorer functions never run from here."""

    kind: LabKind = "ceiling"
    #: For ``retrieve``: whether a model shall answer with what is found.
    answers: bool = False
    max_tokens: int = Field(MOST_TOKENS, ge=0, le=100_000)
    """The most tokens of an answer; 0 means by probes."""
    seed: int = Field(0, ge=0, lt=2**32)  #: For the split of the cases and their order.
    at_once: int = Field(16, ge=1, le=256)  #: The most calls on the wire.
    #: Send calls in doubt once more; some of them may be paid twice.
    ask_again: bool = False
    search: bool = True
    """For ``ceiling``: whether to search for better prompts first, if a model can write them."""


class LabSettings(LabTerms):
    """The settings with the framework and the day."""

    #: Framework that the verdict goes by; the case's own when not given.
    chosen: str | None = None
    #: The day, for prices and evidence; today when not given.
    as_of: date | None = None


class LabOffer(Record):
    """The arms, cases and price of a lab that could be started."""

    arms: tuple[Arm, ...]
    select: Natural  #: Cases for selecting.
    report: Natural  #: Cases that will choose nothing.
    quote: Quote
    places: tuple[str, ...]  #: Where it is sent.
    #: Calls of earlier runs of which nobody knows whether they were paid.
    doubtful: Natural
    most_calls: Natural
    most_usd: NonNegative
    #: The money that earlier runs have paid and put aside.
    spent_usd: float = Field(exclude=True)
    lacking: tuple[str, ...] = Field((), exclude=True)
    """A sentence for each missing key."""
    unconfirmed: tuple[str, ...] = Field((), exclude=True)
    """A sentence for each host that nobody confirmed. The lab is refused until they are."""
    more: tuple[tuple[str, str], ...] = Field((), exclude=True)
    """Further requirements, as label and text."""


class QuoteExceededError(ConflictError):
    """The calls or the price exceed the confirmed ones."""


@dataclass(frozen=True, slots=True)
class LabProgress:
    """The state of a run at one moment."""

    number: int  #: Of this picture; a later one has a larger number.
    state: LabState
    stand: Stand | None  #: None before the first calls are in.
    says: str  #: The present work, where it isn't only calls; empty otherwise.
    passed_s: float  #: Seconds since it began; until its end once it is over.

    @property
    def over(self) -> bool:
        """Whether the run has ended, so that nothing changes any more."""
        return self.state in ("done", "stopped", "failed")


class LabRun:
    """A lab that runs in a thread of its own, or has run there."""

    def __init__(
        self,
        lab: Any,
        settings: LabSettings,
        cap_usd: float,
        before_usd: float,
        source: str,
        transport: Transport | None,
    ) -> None:
        self.id = secrets.token_hex(8)
        self.settings = settings
        self.cap_usd = cap_usd
        self.source = source
        self.before_usd = before_usd
        #: The value that its lab's ``run`` returned; None until then.
        self.done: Any = None
        self.kept: KeptRun | None = None  #: The same, as it is kept,
        self.is_kept = False  #: where it could be.
        self.error: InputError | None = None
        self._handle = StopHandle()
        self._lock = threading.RLock()
        self._now = LabProgress(0, "running", None, "", 0.0)
        self._began = monotonic()
        self.thread = threading.Thread(
            target=self._go, args=(lab, transport), name=f"lab {self.id}", daemon=True
        )

    @property
    def progress(self) -> LabProgress:
        """The present state; any thread may look."""
        with self._lock:
            if self._now.over:
                return self._now
            return replace(self._now, passed_s=monotonic() - self._began)

    @property
    def usd(self) -> float:
        """The cost of this run alone, in USD. Until that is known, all that the run may cost."""
        if self.done is None:
            return self.cap_usd - self.before_usd
        spend = result_of(self.done).spend
        if spend is None:  # nothing was to be sent
            return 0.0
        return spend.paid + spend.held - self.before_usd

    def stop(self) -> None:
        """Send nothing more, and wait for calls in flight; no effect after the end."""
        with self._lock:
            if self._now.state != "running":
                return
            self._tell(state="stopping")
        self._handle.stop()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end, and return whether it came in time."""
        self.thread.join(timeout_s)
        return not self.thread.is_alive()

    def _tell(self, **changed: Any) -> None:
        with self._lock:
            self._now = replace(self._now, number=self._now.number + 1, **changed)

    def _go(self, lab: Any, transport: Transport | None) -> None:
        """Run the lab in its thread; every error is kept, because nobody else could report it."""
        state: LabState = "failed"
        if isinstance(lab, pilot.PreparedPilot):
            lab = replace(lab, say=lambda says: self._tell(says=says))
        try:
            self.done = LABS[self.settings.kind].run(
                lab,
                cap_usd=self.cap_usd,
                at_once=self.settings.at_once,
                ask_again=self.settings.ask_again,
                watch=lambda stand: self._tell(stand=stand),
                transport=transport,
                handle=self._handle,
            )
            state = "stopped" if result_of(self.done).stopped else "done"
            self.kept, self.is_kept = keep_run(
                self.source, self.settings.kind, self.done
            )
        except InputError as caught:
            self.error = caught
        except Exception as caught:  # noqa: BLE001  # nobody stands above a thread to tell it to
            self.error = InputError(
                f"an internal error ({type(caught).__name__}: {caught})"
            )
        self._tell(state=state, passed_s=monotonic() - self._began)


_ROUNDING = 1e-9
"""Slack, in USD and as a share, for comparisons of amounts that are sums in another order."""
_MOST_OFFERS = 100  # offers that a server remembers


class Labs:
    """The labs of a server: one at a time for each case. The last one of each case is remembered.

    Args:
        transport: Makes the transport for a plan, instead of its endpoints.
        budget_usd: The most that all of them may cost together; None for no such limit.
    """

    def __init__(
        self,
        transport: Callable[[PreparedLab], Transport] | None = None,
        budget_usd: float | None = None,
    ) -> None:
        self._transport = transport
        self.budget_usd = budget_usd
        self._runs: dict[Path, LabRun] = {}
        self._offers: Cache[LabOffer] = Cache(_MOST_OFFERS)
        # money of runs that a later run of the same case replaced
        self._spent_usd = 0.0
        self._lock = threading.Lock()

    @property
    def running(self) -> int:
        """The number of labs that are running."""
        # a copy, as another thread may add one meanwhile
        runs = tuple(self._runs.values())
        return sum(1 for run in runs if not run.progress.over)

    def last(self, source: str | Path) -> LabRun | None:
        """The lab of a case that runs, or that ran last since the server began."""
        return self._runs.get(Path(source).resolve())

    def offer(self, source: str | Path, settings: LabSettings) -> LabOffer:
        """Return the arms and the price of a lab; nothing is sent.

        The offer is computed again only when a file of the case changes.
        """
        asked = (str(source), settings, today(), read_config())
        files = stamps(Path(source))
        last_offer = self._offers.find(asked, files)
        if last_offer is not None:
            return last_offer
        return self._offers.keep(asked, files, self._worked_out(source, settings))

    def _worked_out(self, source: str | Path, settings: LabSettings) -> LabOffer:
        """Work out the offer of a lab, with the time and memory that a pilot's training takes."""
        lab = _prepare_lab(source, settings)
        offer = self._offer(lab, settings)
        if not isinstance(lab, pilot.PreparedPilot):
            return offer
        # a page can't wait for the calls to be timed, so they aren't
        training = asyncio.run(pilot.quoted_training(lab, calls=False))
        document = lab_pilot.pilot_quote_document(
            lab.plan, training, offer.quote, math.inf
        )
        rows = () if document.facts is None else document.facts.rows
        # the page shows these two itself
        more = tuple(
            (row.label, row.value)
            for row in rows
            if row.label not in ("Calls", "Price")
        )
        return offer.model_copy(update={"more": more})

    def start(
        self,
        source: str | Path,
        settings: LabSettings,
        *,
        cap_usd: float,
        calls: int,
        usd: float,
    ) -> LabRun:
        """Start a lab that was offered and confirmed. One that was stopped continues.

        ``calls`` and ``usd`` are the confirmed ``most_calls`` and ``most_usd`` of the offer.
        ``cap_usd`` is the most that its calls may cost, together with those of earlier runs. If the
        price has grown beyond the confirmed one, nothing is sent.
        """
        self._refuse(source)
        lab = _prepare_lab(source, settings)
        offered = self._offer(lab, settings)
        refuse_unpriced(offered.quote)
        if offered.most_calls > calls or offered.most_usd > usd * (1 + _ROUNDING):
            fix = "look at the new numbers, and confirm them"
            what = "more would be sent than was confirmed"
            raise QuoteExceededError(what, where="the lab", fix=fix)
        transport = self._transport_for(_caller(lab))
        before_usd = min(cap_usd, offered.spent_usd)
        if self.budget_usd is not None:  # the run may cost no more than was confirmed
            cap_usd = min(cap_usd, before_usd + offered.most_usd * (1 + _ROUNDING))
        run = LabRun(lab, settings, cap_usd, before_usd, str(source), transport)
        with self._lock:
            self._refuse(source)  # another may have been started meanwhile
            self._refuse_beyond_budget(run)
            own = Path(source).resolve()
            if own in self._runs:
                self._spent_usd += self._runs[own].usd
            self._runs[own] = run
            run.thread.start()
        return run

    def _transport_for(self, caller: PreparedLab | None) -> Transport | None:
        """The transport of this server for a lab; None where the lab opens its own.

        Raises InputError if the lab would call a host that nobody confirmed.
        """
        if caller is None:
            return None
        if self._transport is None:
            refuse_unconfirmed(caller.places, caller.confirmed)
            return None
        return self._transport(caller)

    def _refuse_beyond_budget(self, run: LabRun) -> None:
        """Raise CaseError for a run that may cost more than the labs of this server may yet."""
        if self.budget_usd is None:
            return
        running = sum(each.usd for each in self._runs.values())
        left = self.budget_usd - self._spent_usd - running
        if run.usd > left + _ROUNDING:
            fix = "start it in a terminal (tuneworthy ceiling), or serve with --lab-budget"
            what = f"may cost {run.usd:.2f} USD, and labs on this page {max(0, left):.2f} more"
            raise CaseError(what, where="the lab", fix=fix)

    def close(self, timeout_s: float = 60.0) -> bool:
        """Stop all runs, and wait for calls in flight; returns whether all ended in time.

        Others are in doubt at the next start.
        """
        running = [run for run in self._runs.values() if not run.progress.over]
        for run in running:
            run.stop()
        until = monotonic() + timeout_s
        # each waits for what is left of the time
        return all(run.wait(max(0.0, until - monotonic())) for run in running)

    def _offer(self, lab: Any, settings: LabSettings) -> LabOffer:
        """The offer of a lab: its arms, calls and price, and what earlier runs have spent."""
        kind = LABS[settings.kind]
        caller = _caller(lab)
        plan = None if caller is None else caller.plan
        earlier = _earlier_runs(lab, kind)
        reached = () if plan is None else tuple(plan.setting.reached.values())
        places = [place.base_url or place.provider for place in reached]
        quote = kind.quoted(lab)
        # what costs nothing is sent again without being asked
        sent_again = [
            call for call in earlier.doubtful if settings.ask_again or not call.usd
        ]
        has_own_endpoints = self._transport is None
        # a lab that calls no model has its result already
        return LabOffer(
            places=tuple(dict.fromkeys(places)),
            arms=_arms_of(plan, settings.kind),
            select=len(plan.select) if plan else lab.result.select,
            report=len(plan.report) if plan else lab.result.report,
            quote=quote,
            doubtful=len(earlier.doubtful),
            most_calls=quote.calls + len(sent_again),
            most_usd=quote.usd_most + sum(call.usd for call in sent_again),
            spent_usd=earlier.spent_usd,
            lacking=_lacking(reached) if has_own_endpoints else (),
            unconfirmed=caller.unconfirmed if caller and has_own_endpoints else (),
            more=_further_rows(caller, quote, settings),
        )

    def _refuse(self, source: str | Path) -> None:
        """Refuse a second lab of a case, and too many labs together."""
        own = self.last(source)
        if own is not None and not own.progress.over:
            fix = "follow it, or stop it"
            raise ConflictError("has a lab that is running", where=str(source), fix=fix)
        if self.running >= MOST_RUNS:
            raise CaseError(
                f"{MOST_RUNS} labs are running", where=str(source), fix="wait for one"
            )


def _arms_of(plan: LabPlan | None, kind: LabKind) -> tuple[Arm, ...]:
    """The arms that a lab shows in its offer; () where it calls no model."""
    if plan is None:
        return ()
    # a verification has tuned arms that nothing calls
    return plan.called if kind == "verify" else plan.arms


def _further_rows(
    caller: PreparedLab | None, quote: Quote, settings: LabSettings
) -> tuple[tuple[str, str], ...]:
    """What else a lab takes, as label and text: its search, and its time."""
    if caller is None:
        return ()
    rows = list(caller.search_rows)
    if quote.calls:
        rows.append(time_row(caller, quote, settings.at_once))
    return tuple(rows)


class _EarlierRuns(NamedTuple):
    """What earlier runs of a lab have left in the ledger."""

    doubtful: tuple[
        Settled, ...
    ]  #: Calls of which nobody knows whether they were paid.
    spent_usd: float  #: Paid, or held for calls.


def _earlier_runs(lab: Any, kind: _Lab) -> _EarlierRuns:
    """Read what earlier runs have spent; the runs beside a lab share its cap."""
    runs = runs_beside(kind.paid_as)
    with ledger_or_none((_caller(lab) or lab).case) as ledger:
        if ledger is None:
            return _EarlierRuns((), 0.0)
        doubtful: list[Settled] = []
        for run in runs:
            doubtful += ledger.doubtful(run)
        spend = spend_of(ledger, runs)
        return _EarlierRuns(tuple(doubtful), spend.paid + spend.held)


def _lacking(places: Sequence[Reached]) -> tuple[str, ...]:
    """The keys that a lab lacks, and the embedded model if that is missing."""
    lacks = list(lacking_keys(places))
    if any(place.provider == LOCAL for place in places):
        missing = lacking_embedded()
        if missing:
            lacks.append(f"The embedded model can’t run: {missing}")
    return tuple(lacks)


def _prepare_lab(source: str | Path, settings: LabSettings) -> Any:
    """Prepare a lab by its settings. Code beside a case never runs here."""
    names = {"chosen", "seed", "max_tokens", "as_of"}
    if settings.kind == "retrieve":
        names.add("answers")
    lab = LABS[settings.kind].prepare(source, **settings.model_dump(include=names))
    if settings.kind == "ceiling":
        # None for the usual number of draws
        return ceiling.with_search(lab, None if settings.search else 0)
    return lab


def _caller(lab: Any) -> PreparedLab | None:
    """The part of a lab that calls models; None where it calls none."""
    caller: PreparedLab | None = lab if isinstance(lab, PreparedLab) else lab.lab
    return caller


# Runs that were kept, wherever they were started. Each is two files: what was found, and what every
# arm answered to every held-out case, masked.

_RUNS = f"{FOLDER}/runs"
_MOST_RUNS = 50  # runs of a list
_MOST_CASES = 2_000  # cases whose answers are kept
_MOST_LETTERS = 8_000_000  # characters of these answers
_MOST_LISTED = 64 * MIB  # of files, for one list
_RUN = re.compile(r"[0-9]{8}T[0-9]{6}-[0-9a-f]{8}")  # time and a random part


class LookResult(Record):
    """The result of a look, in words."""

    lines: tuple[str, ...]  #: Where to go on from here.
    sections: tuple[
        tuple[str, tuple[b.Prose | b.Bullets | b.Facts | b.Table, ...]], ...
    ]
    """Titles, each with the blocks below it."""
    stopped: ClassVar[str] = ""
    spend: ClassVar[None] = None

    @model_validator(mode="after")
    def _whole_rows(self) -> Self:
        """Refuse a table that couldn't be laid out."""
        for _, blocks in self.sections:
            for block in blocks:
                if not isinstance(block, b.Table):
                    continue
                if any(len(row) != len(block.head) for row in block.rows):
                    raise ValueError("holds a table with a row of another length")
        return self


LabResult = CeilingResult | VerifyResult | RetrievalResult | PilotResult
Result = LabResult | LookResult


class KeptRun(Record):
    """A lab that ran, or a look, in the words of its day."""

    id: Annotated[str, Field(pattern=_RUN.pattern)]
    kind: LabKind | LookKind
    at: Moment  #: Its end.
    says: str  #: The finding, in a sentence.
    #: Its remarks on the case, as label and text.
    answered: tuple[tuple[str, str], ...] = ()
    result: Result

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        """Refuse the result of another kind of lab."""
        lab = LABS.get(self.kind)
        if not isinstance(self.result, lab.result if lab else LookResult):
            raise ValueError(f"holds no {self.kind}")  # noqa: TRY004  # what pydantic takes
        return self

    def sections(self, dossier: Dossier) -> tuple[b.Section, ...]:
        """Return the sections of its command's document; ``dossier`` is the case as it is now."""
        result = self.result
        if isinstance(result, LookResult):
            return _look_sections(result)
        if isinstance(result, CeilingResult):
            sections = lab_ceiling.ceiling_sections(result, dossier, dossier)
            return tuple(self._with_own_remarks(section) for section in sections)
        return tuple(LABS[self.kind].document(result).sections)

    def _with_own_remarks(self, section: b.Section) -> b.Section:
        """The section with the remarks of the run's day on the case, in place of today's."""
        if section.id != "lab-checks" or not self.answered:
            return section
        _, *rest = section.blocks  # the remarks stand first
        return b.section(section.id, section.title, b.facts(self.answered), rest)


def _look_sections(look: LookResult) -> tuple[b.Section, ...]:
    """The sections of a look, and a last one that says where to go on."""
    sections = []
    for number, (title, blocks) in enumerate(look.sections, start=1):
        sections.append(b.section(f"looked-{number}", title, blocks))
    lines = [b.Prose(line) for line in look.lines]
    sections.append(b.section("looked", "", lines))
    return tuple(sections)


LABS: dict[str, _Lab] = {
    "ceiling": _Lab(
        paid_as=CEILING_RUN,
        prepare=prepare,
        quoted=quoted,
        run=ceiling.run,
        result=CeilingResult,
    ),
    "retrieve": _Lab(
        paid_as=retrieve.RETRIEVE_RUN,
        prepare=retrieve.prepare,
        quoted=retrieve.quoted,
        run=retrieve.run,
        result=RetrievalResult,
        document=partial(lab_retrieval.retrieval_document, folder=""),
    ),
    "verify": _Lab(
        paid_as=verify.VERIFY_RUN,
        prepare=prepare,
        quoted=verify.quoted,
        run=verify.run,
        result=VerifyResult,
        document=lab_verify.verify_document,
    ),
    "pilot": _Lab(
        paid_as=pilot.PILOT_RUN,
        prepare=_pilot,
        quoted=_quoted_pilot,
        run=pilot.run,
        result=PilotResult,
        document=lab_pilot.pilot_document,
    ),
}


def result_of(done: Any) -> LabResult:
    """The result of a lab, alone or as a part of the value that its ``run`` returned."""
    result: LabResult = getattr(done, "result", done)
    return result


def keep_run(source: str | Path, kind: LabKind, done: Any) -> tuple[KeptRun, bool]:
    """Keep the result of a lab beside its case, and return whether that worked; it never fails.

    ``done`` is the value that the lab's ``run`` returned.
    """
    result = result_of(done)
    now = datetime.now(UTC)
    remarks: tuple[tuple[str, str], ...] = ()
    grids: dict[str, str] = {}
    if isinstance(result, CeilingResult):
        remarks = tuple(lab_ceiling.answered_rows(result, done.dossier, done.before))
        for part in get_args(Split):
            grids[_GRIDS[part]] = json_text(_grid(done, part))
    kept = KeptRun(
        id=_id(now),
        kind=kind,
        at=now,
        says=_finding(kind, result),
        answered=remarks,
        result=result,
    )
    return kept, _write(source, kept, **grids)


def _finding(kind: LabKind, result: LabResult) -> str:
    """The finding of a lab in a sentence, as a list of runs shows it."""
    if isinstance(result, CeilingResult):
        rows = dict(lab_ceiling.ceiling_rows(result))
        ceiling = rows["Ceiling"]
        if not ceiling.startswith("too few"):
            ceiling = f"ceiling {ceiling}"
        return f"{capital(ceiling)}. Best prompt {rows['Best prompt']}"
    if isinstance(result, RetrievalResult):
        recall = lab.share_text(result.best.recall)
        return f"Best way {result.best.way}: recall {recall}"
    headline: str = LABS[kind].document(result).headline
    return headline


def _grid(done: Any, part: Split) -> list[list[str]]:
    """The answers of all arms to a part of the cases, as many as may be kept."""
    grid = []
    left = _MOST_LETTERS
    for row in done.grid(part, most=_MOST_CASES):
        left -= sum(len(text) for text in row)
        if left > 0:
            grid.append(row)
    return grid


def keep_look(
    source: str | Path, kind: LookKind, document: b.Document
) -> tuple[KeptRun, bool]:
    """Keep the result of a look as a run, and return whether that worked.

    It replaces the last run of its kind if that has the same text, maybe of another day.
    """
    now = datetime.now(UTC)
    sections = [(each.title, _plain_blocks(each)) for each in document.sections]
    result = LookResult(lines=tuple(document.after), sections=tuple(sections))
    kept = KeptRun(
        id=_id(now), kind=kind, at=now, says=document.headline, result=result
    )
    with suppress(InputError):  # a case that can't be read keeps nothing, as said below
        for run in kept_runs(load_case(source)):
            if run.kind == kind:  # the newest one
                if _result_key(run) == _result_key(kept):
                    kept = kept.model_copy(update={"id": run.id})
                break
    return kept, _write(source, kept)


def _plain_blocks(section: b.Section) -> tuple[Any, ...]:
    """The blocks of a section; a part with a title becomes a sentence and its blocks."""
    blocks: list[Any] = []
    for block in section.blocks:
        if isinstance(block, b.Part):
            blocks.append(b.Prose(sentence(block.title)))
            blocks += block.blocks
        else:
            blocks.append(block)
    return tuple(blocks)


def _result_key(look: KeptRun) -> tuple[str, str]:
    """What a look says, without the day at the end of its headline."""
    headline, _, _ = look.says.partition(", as of ")
    return headline, look.result.model_dump_json()


def _id(now: datetime) -> str:
    return f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def _write(source: str | Path, kept: KeptRun, **more: str) -> bool:
    """Keep a run beside its case; False where that fails.

    ``more`` maps the endings of further files' names to their texts.
    """
    # the record comes last: a run is listed by it, and then all its files are there
    texts = {**more, "json": kept.model_dump_json()}
    try:
        case = load_case(source)
        for ending, text in texts.items():
            path = _kept_path(case, f"{kept.id}.{ending}")
            if path is None:
                return False
            write_new(path, text, force=True)
    except InputError:
        return False
    return True


def kept_runs(case: Case, most: int = _MOST_RUNS) -> tuple[KeptRun, ...]:
    """Read the kept runs of a case, the newest first: fifty at most, and as many as fit in a list.

    A file without a valid run is left out; () where none is kept.
    """
    folder = _kept_path(case, "")
    if folder is None:
        return ()
    ids = _run_ids(folder)
    runs = list[KeptRun]()
    left = _MOST_LISTED  # bytes
    for run_id in ids[:most]:
        with suppress(CaseError, OSError):
            size = (folder / f"{run_id}.json").stat().st_size
            left -= min(size, CASES_LIMIT)  # a larger file isn't read
            if left < 0:
                break
            runs.append(kept_run(case, run_id))
    # a file may have been renamed, so the time inside counts
    return tuple(sorted(runs, key=lambda run: run.at, reverse=True))


def count_unread_runs(case: Case, runs: Sequence[KeptRun]) -> int:
    """The number of files of runs beside those that were read: of another version, or too many."""
    folder = _kept_path(case, "")
    if folder is None:
        return 0
    read = {run.id for run in runs}
    return sum(1 for run_id in _run_ids(folder) if run_id not in read)


def _run_ids(folder: Path) -> list[str]:
    """The ids of the runs that have a file, the newest first; [] without a folder."""
    ids = set[str]()
    with suppress(OSError):  # there is no such folder, or we may not read it
        ids = {path.stem for path in folder.iterdir() if _RUN.fullmatch(path.stem)}
    return sorted(ids, reverse=True)  # an id begins with the run's time


def kept_run(case: Case, run_id: str) -> KeptRun:
    """Read a kept run by its id.

    Raises:
        NoSuchCaseError: If there is none.
    """
    # an id of another form could lead out of the folder
    path = _kept_path(case, f"{run_id}.json") if _RUN.fullmatch(run_id) else None
    run = None
    if path is not None:
        lines = JsonLines(path, KeptRun, "kept run", "take it out")
        run = lines.read_whole(CASES_LIMIT)
    if run is None or run.id != run_id:
        raise NoSuchCaseError(
            "there is no such run", where=case.name, fix="choose one of the list"
        )
    return run


class GradedAnswer(NamedTuple):
    """The answer of one arm."""

    is_right: bool | None  #: Whether every part is right; None without an answer.
    text: str  #: The answer after its score; empty where the arm wasn't asked.


class Graded(NamedTuple):
    """A held-out case with the answers of all arms."""

    id: str
    asked: str
    right: str  #: Every answer that counts as right.
    answers: tuple[GradedAnswer, ...]  #: One for each arm.


Shown = Literal["all", "wrong", "differ"]
_GRIDS: dict[Split, str] = {"report": "cases.json", "select": "select.json"}


def graded_cases(
    case: Case,
    run: KeptRun,
    arm: str = "",
    show: Shown = "all",
    part: Split = "report",
) -> tuple[tuple[str, ...], list[Graded]]:
    """Return the arms of a run, and the cases to show: asked or wrong ones of an arm, or of any.

    With ``differ``, the cases on which arms differ.
    """
    grid = _read_grid(case, run, part)
    if not grid:
        return (), []
    head, *rows = grid
    arms = tuple(head[_COLUMNS_BEFORE_ARMS:])
    graded = list[Graded]()
    for row in rows:
        if len(row) != len(head):  # somebody else wrote it
            continue
        case_id, question, right, *texts = row
        answers = tuple(GradedAnswer(_is_right(text), text) for text in texts)
        case_shown = Graded(case_id, question, right, answers)
        if _is_shown(case_shown, arms, arm, show):
            graded.append(case_shown)
    return arms, graded


# of a grid: the case's id, its question, and its right answers
_COLUMNS_BEFORE_ARMS = 3


def _read_grid(case: Case, run: KeptRun, part: Split) -> tuple[tuple[str, ...], ...]:
    """The kept answers of a part of the cases, with their head; () without any."""
    path = _kept_path(case, f"{run.id}.{_GRIDS[part]}")
    if path is not None and path.is_file():
        with suppress(ValueError):  # somebody else wrote the file
            return _GRID.validate_json(read_text(path, CASES_LIMIT, CaseError))
    return ()


def _is_shown(graded: Graded, arms: Sequence[str], arm: str, show: Shown) -> bool:
    """Whether a case is to be shown; ``arm`` is empty for any arm."""
    if show == "differ":
        return len({answer.is_right for answer in graded.answers}) > 1
    asked = [
        answer.is_right
        for name, answer in zip(arms, graded.answers, strict=True)
        if arm in ("", name) and answer.text
    ]
    if show == "wrong":
        return False in asked
    return bool(asked)


def _is_right(text: str) -> bool | None:
    """Whether a kept answer has the score 1, which stands before it; None without a score."""
    score, _, _ = text.partition(":")
    try:
        return float(score) == 1
    except ValueError:
        return None


_GRID = TypeAdapter(tuple[Annotated[tuple[str, ...], Field(min_length=4)], ...])


def _kept_path(case: Case, name: str) -> Path | None:
    return beside(case, _RUNS, f"{_RUNS}/{name}")
