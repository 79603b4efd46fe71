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
from itertools import chain
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
            over = self._now.over
            passed_s = monotonic() - self._began
            if over:
                return self._now
            return replace(self._now, passed_s=passed_s)

    @property
    def usd(self) -> float:
        """The cost of this run alone, in USD. Until that is known, all that the run may cost."""
        if self.done is None:
            return self.cap_usd - self.before_usd
        spend = result_of(self.done).spend  # none where nothing was to be sent
        return spend.paid + spend.held - self.before_usd if spend else 0.0

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
        self._offers: Cache[LabOffer] = Cache(100)
        # money of runs that a later run of the same case replaced
        self._spent_usd = 0.0
        self._lock = threading.Lock()

    @property
    def running(self) -> int:
        """The number of labs that are running."""
        return sum(not run.progress.over for run in tuple(self._runs.values()))

    def last(self, source: str | Path) -> LabRun | None:
        """The lab of a case that runs, or that ran last since the server began."""
        return self._runs.get(Path(source).resolve())

    def offer(self, source: str | Path, settings: LabSettings) -> LabOffer:
        """The arms and the price of a lab; nothing is sent.

        The offer is computed again only when a file of the case changes.
        """
        asked = (str(source), settings, today(), read_config())
        files = stamps(Path(source))
        last_offer = self._offers.find(asked, files)
        return last_offer or self._offers.keep(
            asked, files, self._worked_out(source, settings)
        )

    def _worked_out(self, source: str | Path, settings: LabSettings) -> LabOffer:
        """Work out the offer of a lab, with the time and memory that a pilot's training takes."""
        lab = _prepare_lab(source, settings)
        offer = self._offer(lab, settings)
        if not isinstance(lab, pilot.PreparedPilot):
            return offer
        # a page can't wait for the calls to be timed, so they aren't
        training = asyncio.run(pilot.quoted_training(lab, calls=False))
        facts = lab_pilot.pilot_quote_document(
            lab.plan, training, offer.quote, math.inf
        ).facts
        more = list[tuple[str, str]]()
        for row in () if facts is None else facts.rows:
            if row.label not in ("Calls", "Price"):
                more.append((row.label, row.value))
        return offer.model_copy(update={"more": tuple(more)})

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
        if offered.most_calls > calls or offered.most_usd > usd * (1 + 1e-9):
            fix = "look at the new numbers, and confirm them"
            what = "more would be sent than was confirmed"
            raise QuoteExceededError(what, where="the lab", fix=fix)
        caller = _caller(lab)
        if caller is not None and self._transport is None:
            refuse_unconfirmed(caller.places, caller.confirmed)
        transport = self._transport(caller) if self._transport and caller else None
        before = min(cap_usd, offered.spent_usd)
        own = Path(source).resolve()
        if self.budget_usd is not None:  # the run may cost no more than was confirmed
            cap_usd = min(cap_usd, before + offered.most_usd * (1 + 1e-9))
        run = LabRun(lab, settings, cap_usd, before, str(source), transport)
        with self._lock:
            self._refuse(source)
            if self.budget_usd is None:
                left = math.inf
            else:
                left = self.budget_usd - self._spent_usd
            left -= sum(running.usd for running in self._runs.values())
            if run.usd > left + 1e-9:
                fix = "start it in a terminal (tuneworthy ceiling), or serve with --lab-budget"
                what = f"may cost {run.usd:.2f} USD, and labs on this page {max(0, left):.2f} more"
                raise CaseError(what, where="the lab", fix=fix)
            if own in self._runs:
                self._spent_usd += self._runs[own].usd
            self._runs[own] = run
            run.thread.start()
        return run

    def close(self, timeout_s: float = 60.0) -> bool:
        """Stop all runs, and wait for calls in flight; returns whether all ended in time.

        Others are in doubt at the next start.
        """
        running = [run for run in self._runs.values() if not run.progress.over]
        for run in running:
            run.stop()
        until = monotonic() + timeout_s
        return all(run.wait(max(0.0, until - monotonic())) for run in running)

    def _offer(self, lab: Any, settings: LabSettings) -> LabOffer:
        """The offer of a lab: its arms, calls and price, and what earlier runs have spent."""
        kind = LABS[settings.kind]
        caller = _caller(lab)
        with ledger_or_none((caller or lab).case) as ledger:
            runs = runs_beside(kind.paid_as)
            spent_usd = 0.0
            of_runs = []
            if ledger is not None:
                of_runs = [ledger.doubtful(run) for run in runs]
                spend = spend_of(ledger, runs)
                spent_usd = spend.paid + spend.held
        doubtful = list(chain.from_iterable(of_runs))
        plan = caller.plan if caller else None
        reached = plan.setting.reached.values() if plan else ()
        if plan is None:
            arms: tuple[Arm, ...] = ()
        elif settings.kind == "verify":
            arms = plan.called
        else:
            arms = plan.arms
        quote = kind.quoted(lab)
        more = []
        if caller is not None:
            more = [*caller.search_rows]
            if quote.calls:
                more.append(time_row(caller, quote, settings.at_once))
        again = [call for call in doubtful if settings.ask_again or not call.usd]
        places = dict.fromkeys(place.base_url or place.provider for place in reached)
        return LabOffer(
            places=tuple(places),
            arms=arms,
            select=len(plan.select) if plan else lab.result.select,
            report=len(plan.report) if plan else lab.result.report,
            quote=quote,
            doubtful=len(doubtful),
            most_calls=quote.calls + len(again),
            most_usd=quote.usd_most + sum(call.usd for call in again),
            spent_usd=spent_usd,
            lacking=_lacking(list(reached)) if self._transport is None else (),
            unconfirmed=caller.unconfirmed
            if caller and self._transport is None
            else (),
            more=tuple(more),
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
        return ceiling.with_search(lab, None if settings.search else 0)
    return lab


def _caller(lab: Any) -> PreparedLab | None:
    """The part of a lab that calls models; None where it calls none."""
    caller: PreparedLab | None = lab if isinstance(lab, PreparedLab) else lab.lab
    return caller


# Runs that were kept, wherever they were started. Each is two files: what was found, and what every
# arm answered to every held-out case, masked.

_RUNS = f"{FOLDER}/runs"
_MOST_RUNS = 50
_MOST_CASES = 2_000
_MOST_LETTERS = 8_000_000
_MOST_LISTED = 64 * MIB  # of files, for one list
_RUN = re.compile(r"[0-9]{8}T[0-9]{6}-[0-9a-f]{8}")


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
        blocks = chain.from_iterable(blocks for _, blocks in self.sections)
        tables = (block for block in blocks if isinstance(block, b.Table))
        if any(len(row) != len(table.head) for table in tables for row in table.rows):
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
        lab = LABS.get(self.kind)
        if not isinstance(self.result, lab.result if lab else LookResult):
            raise ValueError(f"holds no {self.kind}")  # noqa: TRY004  # what pydantic takes
        return self

    def sections(self, dossier: Dossier) -> tuple[b.Section, ...]:
        """The sections of its command's document; ``dossier`` is the case as it is now."""
        result = self.result
        if isinstance(result, LookResult):
            parts = enumerate(result.sections, start=1)
            looked = (
                b.section(f"looked-{n}", title, blocks) for n, (title, blocks) in parts
            )
            return *looked, b.section(
                "looked", "", [b.Prose(line) for line in result.lines]
            )
        if not isinstance(result, CeilingResult):
            return tuple(LABS[self.kind].document(result).sections)
        sections = lab_ceiling.ceiling_sections(result, dossier, dossier)
        if not self.answered:
            return sections
        # the remarks on the case are those of that day and not today's
        checks = b.facts(self.answered)
        shown = []
        for section in sections:
            if section.id == "lab-checks":
                rest = section.blocks[1:]
                section_then = b.section(section.id, section.title, checks, rest)
                shown.append(section_then)
            else:
                shown.append(section)
        return tuple(shown)


LABS: dict[str, _Lab] = {
    "ceiling": _Lab(CEILING_RUN, prepare, quoted, ceiling.run, CeilingResult),
    "retrieve": _Lab(
        *(retrieve.RETRIEVE_RUN, retrieve.prepare, retrieve.quoted, retrieve.run),
        *(RetrievalResult, partial(lab_retrieval.retrieval_document, folder="")),
    ),
    "verify": _Lab(
        verify.VERIFY_RUN,
        prepare,
        verify.quoted,
        verify.run,
        VerifyResult,
        lab_verify.verify_document,
    ),
    "pilot": _Lab(
        pilot.PILOT_RUN,
        _pilot,
        _quoted_pilot,
        pilot.run,
        PilotResult,
        lab_pilot.pilot_document,
    ),
}


def result_of(done: Any) -> LabResult:
    """The result of a lab, alone or as a part of the value that its ``run`` returned."""
    result: LabResult = getattr(done, "result", done)
    return result


def keep_run(source: str | Path, kind: LabKind, done: Any) -> tuple[KeptRun, bool]:
    """Keep the result of a lab beside its case, and return whether that worked; it never fails."""
    result = result_of(done)
    now = datetime.now(UTC)
    rows: tuple[tuple[str, str], ...] = ()
    if isinstance(result, CeilingResult):
        summary = dict(lab_ceiling.ceiling_rows(result))
        ceiling = summary["Ceiling"]
        if not ceiling.startswith("too few"):
            ceiling = f"ceiling {ceiling}"
        says = f"{capital(ceiling)}. Best prompt {summary['Best prompt']}"
        rows = tuple(lab_ceiling.answered_rows(result, done.dossier, done.before))
    elif isinstance(result, RetrievalResult):
        says = (
            f"Best way {result.best.way}: recall {lab.share_text(result.best.recall)}"
        )
    else:
        says = LABS[kind].document(result).headline
    kept = KeptRun(
        id=_id(now), kind=kind, at=now, says=says, answered=rows, result=result
    )
    grids: dict[Split, list[list[str]]] = {}
    for part in get_args(Split) if isinstance(result, CeilingResult) else ():
        left = _MOST_LETTERS
        grids[part] = []
        for row in done.grid(part, most=_MOST_CASES):
            left -= sum(map(len, row))
            if left > 0:
                grids[part].append(row)
    more = {_GRIDS[part]: json_text(rows) for part, rows in grids.items()}
    return kept, _write(source, kept, **more)


def keep_look(
    source: str | Path, kind: LookKind, document: b.Document
) -> tuple[KeptRun, bool]:
    """Keep the result of a look as a run, and return whether that worked.

    It replaces the last run of its kind if that has the same text, maybe of another day.
    """
    sections = list[tuple[str, tuple[Any, ...]]]()
    now = datetime.now(UTC)
    for section in document.sections:
        blocks = (
            [part]
            if not isinstance(part, b.Part)
            else [b.Prose(sentence(part.title)), *part.blocks]
            for part in section.blocks
        )
        sections.append((section.title, tuple(chain.from_iterable(blocks))))
    result = LookResult(lines=tuple(document.after), sections=tuple(sections))
    kept = KeptRun(
        id=_id(now), kind=kind, at=now, says=document.headline, result=result
    )
    with suppress(InputError):
        last = next(
            (run for run in kept_runs(load_case(source)) if run.kind == kind), kept
        )
        if _result_key(last) == _result_key(kept):
            kept = kept.model_copy(update={"id": last.id})
    return kept, _write(source, kept)


def _result_key(look: KeptRun) -> tuple[str, str]:
    return look.says.partition(", as of ")[0], look.result.model_dump_json()


def _id(now: datetime) -> str:
    return f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def _write(source: str | Path, kept: KeptRun, **more: str) -> bool:
    """Keep a run beside its case; False where that fails.

    ``more`` maps the endings of further files' names to their texts.
    """
    # the record comes last: a run is listed by it, and then all its files are there
    texts = {**more, "json": kept.model_dump_json()}
    with suppress(InputError):
        case = load_case(source)
        for name, text in texts.items():
            path = _kept_path(case, f"{kept.id}.{name}")
            if path is None:
                return False
            write_new(path, text, force=True)
        return True
    return False


def kept_runs(case: Case, most: int = _MOST_RUNS) -> tuple[KeptRun, ...]:
    """Kept runs of a case, the newest first: at most fifty, and as many as fit in a list.

    A file without a valid run is left out; () where none is kept.
    """
    names = list[str]()
    runs = list[KeptRun]()
    left = _MOST_LISTED  # bytes
    folder = _kept_path(case, "")
    if folder is None:
        return ()
    with suppress(OSError):  # there is no such folder, or we may not read it
        names = sorted(
            (p.stem for p in folder.iterdir() if _RUN.fullmatch(p.stem)), reverse=True
        )
    for name in names[:most]:
        with suppress(CaseError, OSError):
            left -= min((folder / f"{name}.json").stat().st_size, CASES_LIMIT)
            if left < 0:
                break
            runs.append(kept_run(case, name))
    return tuple(sorted(runs, key=lambda run: run.at, reverse=True))


def kept_run(case: Case, run_id: str) -> KeptRun:
    """A kept run by its id; an error without one."""
    path = _kept_path(case, f"{run_id}.json") if _RUN.fullmatch(run_id) else None
    run = path and JsonLines(path, KeptRun, "kept run", "take it out").read_whole(
        CASES_LIMIT
    )
    if not run or run.id != run_id:
        raise NoSuchCaseError(
            "there is no such run", where=case.name, fix="choose one of the list"
        )
    return run


class Graded(NamedTuple):
    """A held-out case with the answers of all arms."""

    id: str
    asked: str
    right: str  #: Every answer that counts as right.
    answers: tuple[tuple[bool | None, str], ...]
    """For each arm, whether its answer is wholly right (None without one), and the answer after its
    score."""


Shown = Literal["all", "wrong", "differ"]
_GRIDS: dict[Split, str] = {"report": "cases.json", "select": "select.json"}


def graded_cases(
    case: Case,
    run: KeptRun,
    arm: str = "",
    show: Shown = "all",
    part: Split = "report",
) -> tuple[tuple[str, ...], list[Graded]]:
    """The arms of a run, and its cases: those that an arm (or any) was asked, or got wrong.

    With ``differ``, those on which arms differ.
    """
    path = _kept_path(case, f"{run.id}.{_GRIDS[part]}")
    rows: tuple[tuple[str, ...], ...] = ()
    if path is not None and path.is_file():
        with suppress(ValueError):  # otherwise somebody else wrote the file
            rows = _GRID.validate_json(read_text(path, CASES_LIMIT, CaseError))
    if not rows:
        return (), []
    arms = tuple(rows[0][3:])
    graded = list[Graded]()
    whole = (row for row in rows[1:] if len(row) == len(rows[0]))
    for case_id, question, right, *texts in whole:
        answers = tuple((_is_right(text), text) for text in texts)
        case_shown = Graded(case_id, question, right, answers)
        if _is_shown(case_shown, arms, arm, show):
            graded.append(case_shown)
    return arms, graded


def _is_shown(graded: Graded, arms: Sequence[str], arm: str, show: Shown) -> bool:
    """Whether a case is to be shown; ``arm`` is empty for any arm."""
    if show == "differ":
        return len({is_right for is_right, _ in graded.answers}) > 1
    answered = [
        is_right
        for name, (is_right, text) in zip(arms, graded.answers, strict=True)
        if arm in ("", name) and text  # no text: it wasn't asked
    ]
    if show == "wrong":
        return False in answered
    return bool(answered)


def _is_right(text: str) -> bool | None:
    try:
        return float(text.partition(":")[0]) == 1
    except ValueError:
        return None


_GRID = TypeAdapter(tuple[Annotated[tuple[str, ...], Field(min_length=4)], ...])


def _kept_path(case: Case, name: str) -> Path | None:
    return beside(case, _RUNS, f"{_RUNS}/{name}")
