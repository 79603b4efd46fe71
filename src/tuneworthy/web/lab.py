"""The pages for files and labs of a case.

A lab is offered with its price, started under a cap, followed, and stopped.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlencode
from weakref import WeakKeyDictionary

from fastapi import APIRouter, File, Form, Query, UploadFile
from pydantic import Field
from starlette.responses import HTMLResponse, Response, StreamingResponse

from tuneworthy.cases.reports import models_of
from tuneworthy.cases.workspace import Workspace
from tuneworthy.errors import InputError
from tuneworthy.files.disk import writing
from tuneworthy.intake.measure import FileKind, clean_name
from tuneworthy.intake.recognise import KIND_WORDS, recognise_files
from tuneworthy.model.evalset import Split
from tuneworthy.report.blocks import Document, pictures_in, section
from tuneworthy.report.sections import lab as lab_words
from tuneworthy.report.sections import lab_ceiling, lab_quote
from tuneworthy.report.sections.difference import difference
from tuneworthy.report.sections.framework import models_report
from tuneworthy.runs.labs import (
    LabRun,
    LabSettings,
    LabTerms,
    LookKind,
    QuoteExceededError,
    Shown,
    count_unread_runs,
    graded_cases,
    keep_look,
    kept_run,
    kept_runs,
)
from tuneworthy.training.gate import data_document, pass_gates
from tuneworthy.training.watch import watch, watch_document
from tuneworthy.web.cases import Width, chart_answer
from tuneworthy.web.render import AskedCase, OfCase, Typed, in_reading, page, query
from tuneworthy.words import listing

router = APIRouter()
_WORDS: dict[str, Any] = {
    "states": lab_words.STATES,
    "ended": lab_ceiling.ended,
    "progress_blocks": lab_quote.progress_blocks,
}
"""What a page says of a run, by its name in the templates."""


class _DrawnState(NamedTuple):
    """The markup of a run's state."""

    number: int  #: Of the state: each change of the run has a new one.
    markup: str


_DRAWN: WeakKeyDictionary[LabRun, _DrawnState] = WeakKeyDictionary()
"""The last state that was drawn of each run: drawn once for all who follow the run."""


class LabQuery(LabTerms, extra="ignore", defer_build=False):
    """The settings of a lab, as a form sends them."""

    @property
    def query(self) -> str:
        """The settings as a query string."""
        return query(self, LabTerms)


def lab_settings(terms: LabTerms, workspace: Workspace) -> LabSettings:
    """The settings of a lab, with the framework and the day of the server."""
    settings = terms.model_dump(include=set(LabTerms.model_fields))
    return LabSettings(**settings, chosen=workspace.chosen, as_of=workspace.as_of)


class Confirmed(LabQuery):
    """The settings with the cap that the user typed, and the numbers that were shown."""

    cap_usd: float = Field(ge=0, le=1e9, allow_inf_nan=False)
    """The most that its calls may cost, in USD, together with those of earlier runs."""
    calls: int = Field(ge=0, le=10**12)  #: ``most_calls`` of the offer.
    #: ``most_usd`` of the offer.
    usd: float = Field(ge=0, le=1e12, allow_inf_nan=False)

    def start(self, of: AskedCase) -> LabRun:
        """Start the lab for a case."""
        seen = self.model_dump(include={"cap_usd", "calls", "usd"})
        return of.site.labs.start(of.path, lab_settings(self, of.workspace), **seen)


@router.get("/cases/{name}/lab")
def lab(of: OfCase, asked: Annotated[LabQuery, Query()]) -> HTMLResponse:
    """Show the running or last lab, and the form to start one, with the settings of that one."""
    # with the same settings, what is paid already isn't paid again
    if of.last_lab is not None and not asked.model_fields_set:
        asked = LabQuery.model_validate(of.last_lab.settings, from_attributes=True)
    # asking again is paid twice, so it is ticked anew each time
    return _lab_page(of, asked.model_copy(update={"ask_again": False}))


@router.get("/cases/{name}/lab/offer")
def offer(of: OfCase, asked: Annotated[LabQuery, Query()]) -> HTMLResponse:
    """Show the arms and the price of a lab, with the form that confirms it."""
    values = _offer(of, asked)
    if of.part:
        return of.page("offer.html", asked=asked, **values)
    return _lab_page(of, asked, **values)


@router.post("/cases/{name}/lab")
def start(of: OfCase, confirmed: Annotated[Confirmed, Form()]) -> Response:
    """Start a lab at its shown price; ask again if the price has grown."""
    if _is_running(of):  # this is a second click
        return of.to("/lab")
    try:
        confirmed.start(of)
    except QuoteExceededError as caught:
        values = _offer(of, confirmed)
        return _lab_page(of, confirmed, 409, **values, grown=caught.what)
    except InputError:
        if not _is_running(of):  # else another click was faster
            raise
    return of.to("/lab")


@router.post("/cases/{name}/lab/stop")
def stop(of: OfCase, run: Annotated[str, Form(max_length=40)]) -> Response:
    """Stop the run that the form was made for, but no later one."""
    running = of.last_lab
    if running is not None and running.id == run:
        running.stop()
    return of.to("/lab")


@router.get("/cases/{name}/lab/events")
def events(of: OfCase, run: Annotated[str, Query(max_length=40)]) -> Response:
    """Send the state of a run as server-sent events: the page's part, each time it changes.

    Status 204 ends the stream for good, where there is no such run.
    """
    running = of.last_lab
    if running is None or running.id != run:
        return Response(status_code=204)
    stream = followed(
        running,
        partial(_draw_state, of, running),
        of.request.headers.get("last-event-id", ""),
    )
    return StreamingResponse(stream, media_type="text/event-stream")


def _draw_state(of: AskedCase, running: LabRun) -> str:
    """The markup of a run's present state."""
    now = running.progress
    drawn = _DRAWN.get(running)
    if drawn is None or drawn.number != now.number:
        response = page(of.request, "stand.html", base=of.base, now=now, **_WORDS)
        drawn = _DrawnState(now.number, bytes(response.body).decode())
        _DRAWN[running] = drawn
    return drawn.markup


# Files that are sent: streamed to the disk, read, and named in the case.


@router.get("/cases/{name}/files")
def files(of: OfCase, kind: FileKind | Literal[""] = "") -> HTMLResponse:
    """Show the form for files."""
    return of.page("files.html", kind=kind)


@router.post("/cases/{name}/files")
async def add(
    of: OfCase,
    files: Annotated[list[UploadFile], File()],
    kind: Annotated[FileKind | Literal[""], Form()] = "",
) -> Response:
    """Copy files into the case, and show what they hold and what changed; a refusal leaves none.

    Without a kind, it is recognized.
    """
    return await in_reading(_added, of, kind, files)


def _added(
    of: AskedCase, kind: FileKind | Literal[""], files: list[UploadFile]
) -> Response:
    """Add uploaded files to the case and show what was read from them."""
    recognised = ""
    try:
        with of.inbox() as folder:
            paths = _save_uploads(files, folder)
            if not kind:
                kind = recognise_files(paths)
                recognised = KIND_WORDS[kind]
            names, read, changed = of.workspace.add_files(of.name, kind, paths)
    except InputError as caught:
        wrong = of.plain(caught)
        return of.page("files.html", 422, kind=kind, wrong=wrong, recognised=recognised)
    sections = (section("read", "What was read", read), difference(changed))
    return of.page(
        "files.html", kind=kind, added=names, recognised=recognised, sections=sections
    )


def _save_uploads(files: Sequence[UploadFile], folder: Path) -> list[Path]:
    """Copy uploaded files to the disk, each into a folder of its own, as two may have one name."""
    paths = []
    for number, file in enumerate(files):
        path = folder / str(number) / clean_name(file.filename or "")
        with writing(path):
            path.parent.mkdir()
            with path.open("xb") as target:
                shutil.copyfileobj(file.file, target)
        paths.append(path)
    return paths


def _is_running(of: AskedCase) -> bool:
    """Whether a lab of the case runs now."""
    run = of.last_lab
    return run is not None and not run.progress.over


def _offer(of: AskedCase, asked: LabQuery) -> dict[str, Any]:
    """The lab that would run, or the reason why none can."""
    try:
        lab = of.site.labs.offer(of.path, lab_settings(asked, of.workspace))
    except InputError as caught:
        return {"refused": of.plain(caught)}
    sent_to = ("Sent to", listing(lab.places) or "nobody")
    blocks = lab_quote.quote_blocks(
        lab.arms, lab.select, lab.report, lab.quote, more=(*lab.more, sent_to)
    )
    return {"offered": lab, "blocks_offered": blocks}


def _lab_page(
    of: AskedCase, asked: LabQuery, status: int = 200, **values: Any
) -> HTMLResponse:
    """The page of a lab, with its run where there is one."""
    run = of.last_lab
    # the progress is read first: what a run found is kept by the time it says it is over
    now = None if run is None else run.progress
    kept = None if run is None else run.kept
    if kept is not None:
        values["sections"] = kept.sections(of.dossier)
        values["charts"] = f"{of.base}/runs/{kept.id}/charts"
    return of.page(
        "lab.html", status, **values, asked=asked, run=run, now=now, **_WORDS
    )


# Labs that ran, also before the server was started, and the cases of one, one by one.


@router.get("/cases/{name}/runs")
def runs(of: OfCase) -> HTMLResponse:
    """Show every kept run, wherever it was started."""
    case = of.evaluated.case
    kept = kept_runs(case)
    return of.page("runs.html", runs=kept, unread=count_unread_runs(case, kept))


@router.get("/cases/{name}/runs/{run}")
def run(of: OfCase, run: str) -> HTMLResponse:
    """Show the result of a run."""
    kept = kept_run(of.evaluated.case, run)
    sections = kept.sections(of.dossier)
    charts = f"{of.base}/runs/{run}/charts"
    return of.page("run.html", kept=kept, sections=sections, charts=charts)


@router.get("/cases/{name}/runs/{run}/charts/{chart}")
def run_chart(of: OfCase, run: str, chart: str, width: Width = "wide") -> Response:
    """Serve a chart of a run."""
    sections = kept_run(of.evaluated.case, run).sections(of.dossier)
    return chart_answer(of, pictures_in(sections), chart, width)


_A_PAGE = 100  #: Cases.


@router.get("/cases/{name}/runs/{run}/cases")
def cases(
    of: OfCase,
    run: str,
    arm: Annotated[str, Query(max_length=400)] = "",
    show: Shown = "all",
    case: Annotated[str, Query(max_length=400)] = "",
    part: Split = "report",
    start: Annotated[int, Query(ge=0, le=10**6)] = 0,
) -> HTMLResponse:
    """Show cases by arms: all, those that an arm gets wrong, those on which arms differ; or one."""
    kept = kept_run(of.evaluated.case, run)
    arms, rows = graded_cases(of.evaluated.case, kept, arm, show, part)
    if not arms:  # an older run kept the held-out cases alone
        part = "report"
        arms, rows = graded_cases(of.evaluated.case, kept, arm, show, part)
    asked = {"arm": arm, "show": show, "part": part}
    end = start + _A_PAGE
    more = urlencode({**asked, "start": end}) if end < len(rows) else ""
    opened = None
    for row in rows:
        if row.id == case:
            opened = row
            break
    return of.page(
        "grid.html",
        kept=kept,
        arms=arms,
        opened=opened,
        more=more,
        rows=rows[start:end],
        n=len(rows),
        asked=asked,
    )


# The models that labs call: those of the case, with their prices, and where keys come from.


@router.get("/cases/{name}/models")
def models(of: OfCase) -> HTMLResponse:
    """Show the models that can be called, their prices, and the names of the variables with keys."""
    return _models(of)


def _models(of: AskedCase, status: int = 200, **values: Any) -> HTMLResponse:
    report = models_report(*models_of(of.evaluated.case.models, of.workspace.as_of))
    return of.page("models.html", status, sections=report.sections, **values)


@router.post("/cases/{name}/models")
def choose(
    of: OfCase,
    id: Typed,
    digest: Typed,
    kind: Typed = "",
    usd_in: Typed = "",
    usd_out: Typed = "",
) -> Response:
    """Add a model to the case, or change the price of one. Without a price, the list price counts."""
    model: dict[str, Any] = {"id": id.strip()}
    if kind == "tuned":
        model["kind"] = kind
    if usd_in.strip() or usd_out.strip():
        model["usd_per_mtok"] = {"input": usd_in.strip(), "output": usd_out.strip()}
    try:
        of.workspace.set_answers(of.name, {"models": json.dumps([model])}, digest)
    except InputError as caught:
        typed = {"id": id, "kind": kind, "usd_in": usd_in, "usd_out": usd_out}
        return _models(of, 422, given=typed, wrong=of.plain(caught))
    return of.to("/models")


# Looks, which send nothing: the gates that examples pass, and a signed decision compared with today.


def _look_at_data(of: AskedCase) -> Document:
    return data_document(pass_gates(of.path))


def _look_at_decision(of: AskedCase) -> Document:
    return watch_document(watch(of.path, as_of=of.workspace.as_of))


_LOOKS: dict[LookKind, Callable[[AskedCase], Document]] = {
    "data": _look_at_data,
    "watch": _look_at_decision,
}


@router.post("/cases/{name}/lab/{what}")
async def look(of: OfCase, what: LookKind) -> Response:
    """Look at data or at a decision, and keep the result as a run; show it here if that fails."""
    return await in_reading(_keep_and_show, of, what)


def _keep_and_show(of: AskedCase, what: LookKind) -> Response:
    """Take a look, keep it, and show its page."""
    try:
        kept, is_kept = keep_look(of.path, what, _LOOKS[what](of))
    except InputError as caught:
        return _lab_page(of, LabQuery(), 422, looked=what, wrong=of.plain(caught))
    if is_kept:
        return of.to(f"/runs/{kept.id}")
    sections = kept.sections(of.dossier)
    return of.page("run.html", kept=kept, sections=sections, unkept=True)


# A run followed by somebody who looks: server-sent events, each a whole picture.

_LOOK_S = 0.25  # between two looks at the run
# a sign of life that often, so that a connection that is gone is noticed
_QUIET_S = 10.0
_AGAIN_MS = 1000  # after which a browser connects again


async def followed(
    running: LabRun, draw: Callable[[], str], last: str
) -> AsyncIterator[str]:
    """Yield an event ``stand`` with a part each time the run has changed, then ``over``.

    ``last`` is the mark of the event that the browser got last; empty for none.
    """
    shown = last
    sent_at = time.monotonic()
    yield f"retry: {_AGAIN_MS}\n\n"
    while True:
        now = running.progress
        mark = f"{running.id}-{now.number}"
        if mark != shown:
            yield event("stand", draw(), mark)
            shown = mark
            sent_at = time.monotonic()
        if now.over:
            yield event("over", now.state, mark)
            return
        if time.monotonic() - sent_at > _QUIET_S:
            yield ": still here\n\n"
            sent_at = time.monotonic()
        await asyncio.sleep(_LOOK_S)


def event(name: str, data: str, mark: str) -> str:
    """A server-sent event; each line of its data becomes a line of its own."""
    lines = data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    body = "".join(f"data: {line}\n" for line in lines)
    return f"id: {mark}\nevent: {name}\n{body}\n"
