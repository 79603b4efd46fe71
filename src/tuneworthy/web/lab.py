"""What a case is tried on and with: files that are taken in, and labs.

A lab is offered with its price, started under a cap, followed, and stopped.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any
from weakref import WeakKeyDictionary

from fastapi import APIRouter, File, Form, Query, UploadFile
from pydantic import ConfigDict
from starlette.responses import HTMLResponse, Response, StreamingResponse

from tuneworthy.errors import InputError
from tuneworthy.files.disk import writing
from tuneworthy.lab.background import LabRun, QuoteExceededError
from tuneworthy.report.blocks import Section, pictures_in, section
from tuneworthy.report.sections import lab as words
from tuneworthy.report.sections.difference import difference
from tuneworthy.web.api import LabStart, LabTerms
from tuneworthy.web.cases import Width, chart_answer
from tuneworthy.web.render import AskedCase, OfCase, in_reading, page, query
from tuneworthy.words import listing
from tuneworthy.workspace.measure import FileKind, clean_name

router = APIRouter(include_in_schema=False)
_DRAWN: WeakKeyDictionary[LabRun, tuple[int, str]] = WeakKeyDictionary()
"""How each run stands as markup, with its number: drawn once for all who follow it."""


class LabQuery(LabTerms):
    """What a lab is run by, as a form says it."""

    model_config = ConfigDict(extra="ignore")

    @property
    def query(self) -> str:
        """The same behind an address."""
        return query(self, LabTerms)


class Confirmed(LabStart, LabQuery):
    """The same with the cap that somebody typed, and the numbers that were shown."""


@router.get("/cases/{name}/lab")
def lab(of: OfCase, asked: Annotated[LabQuery, Query()]) -> HTMLResponse:
    """The lab that runs or ran, and the form that starts one."""
    return _shown(of, asked)


@router.get("/cases/{name}/lab/offer")
def offer(of: OfCase, asked: Annotated[LabQuery, Query()]) -> HTMLResponse:
    """What a lab would run and cost, with the form that confirms it."""
    values = _offer(of, asked)
    if of.part:
        return page(of.request, "offer.html", base=of.base, asked=asked, **values)
    return _shown(of, asked, **values)


@router.post("/cases/{name}/lab")
def start(of: OfCase, given: Annotated[Confirmed, Form()]) -> Response:
    """Start a lab that was shown with its price; ask again where that has grown."""
    if not _runs(of):  # else a second click: there it is
        try:
            given.start(of)
        except QuoteExceededError as caught:
            return _shown(of, given, 409, **_offer(of, given), grown=caught.what)
        except InputError:
            if not _runs(of):
                raise
    return of.to("/lab")


@router.post("/cases/{name}/lab/stop")
def stop(of: OfCase, run: Annotated[str, Form(max_length=40)]) -> Response:
    """Stop a run; the one that the form was made for, and no later one."""
    running = of.last_lab
    if running is not None and running.id == run:
        running.stop()
    return of.to("/lab")


@router.get("/cases/{name}/lab/events")
def events(of: OfCase, run: Annotated[str, Query(max_length=40)]) -> Response:
    """How a run stands, as server-sent events: the same part as on the page, each time it moves.

    204 ends it for good, where there is no such run any more.
    """
    running = of.last_lab
    if running is None or running.id != run:
        return Response(status_code=204)

    def part() -> str:
        now = running.progress
        if (kept := _DRAWN.get(running)) is None or kept[0] != now.number:
            told = page(of.request, "stand.html", base=of.base, now=now, words=words)
            kept = _DRAWN[running] = now.number, bytes(told.body).decode()
        return kept[1]

    told = followed(running, part, of.request.headers.get("last-event-id", ""))
    return StreamingResponse(told, media_type="text/event-stream")


@router.get("/cases/{name}/lab/charts/{chart}")
def chart(of: OfCase, chart: str, width: Width = "wide") -> Response:
    """A chart of the last lab."""
    return chart_answer(of.request, pictures_in(_found(of.last_lab)), chart, width)


# Files that are sent: streamed to the disk, read, and named in the case.


@router.get("/cases/{name}/files")
def files(of: OfCase, kind: FileKind = "traces") -> HTMLResponse:
    """The form that sends files."""
    return of.page("files.html", tab="evidence", kind=kind)


@router.post("/cases/{name}/files")
async def add(
    of: OfCase, kind: Annotated[FileKind, Form()], files: Annotated[list[UploadFile], File()]
) -> Response:
    """Take files in, and show what they hold and what changed; a refusal leaves none."""
    return await in_reading(_added, of, kind, files)


def _added(of: AskedCase, kind: FileKind, files: list[UploadFile]) -> Response:
    shown: dict[str, Any] = {"tab": "evidence", "kind": kind}
    try:
        with of.inbox() as folder:
            sent = [folder / str(n) / clean_name(f.filename or "") for n, f in enumerate(files)]
            for place, file in zip(sent, files, strict=True):
                with writing(place):
                    place.parent.mkdir()
                    with place.open("xb") as to:
                        shutil.copyfileobj(file.file, to)
            added = of.workspace.add_files(of.name, kind, sent)
    except InputError as caught:
        return of.page("files.html", 422, **shown, wrong=of.plain(caught))
    read = section("read", "What was read", added.read)
    sections = (read, difference(added.difference))
    return of.page("files.html", **shown, added=added, sections=sections)


def _runs(of: AskedCase) -> bool:
    running = of.last_lab
    return running is not None and not running.progress.over


def _offer(of: AskedCase, asked: LabQuery) -> dict[str, Any]:
    """What would run, or why nothing can."""
    try:
        found = of.site.labs.offer(of.path, asked.settings(of.workspace))
    except InputError as caught:
        return {"refused": of.plain(caught)}
    more = (("Sent to", listing(found.places)),)
    blocks = words.quote_blocks(found.arms, found.select, found.report, found.quote, more=more)
    return {"offered": found, "blocks_offered": blocks}


def _shown(of: AskedCase, asked: LabQuery, status: int = 200, **values: Any) -> HTMLResponse:
    run = of.last_lab
    now = None if run is None else run.progress  # first: what it found is there once it is over
    values |= {"asked": asked, "run": run, "now": now, "words": words, "sections": _found(run)}
    return of.page("lab.html", status, charts=f"{of.base}/lab/charts", **values)


def _found(running: LabRun | None) -> tuple[Section, ...]:
    done = None if running is None else running.done
    if done is None:
        return ()
    return words.ceiling_sections(done.result, done.dossier, done.before, done.grid(most=50))


# A run followed by somebody who looks: server-sent events, each a whole picture.

_LOOK_S = 0.25
_QUIET_S = 10.0  # a sign of life that often, so that a connection that is gone is noticed
_AGAIN_MS = 1000


async def followed(running: LabRun, part: Callable[[], str], last: str) -> AsyncIterator[str]:
    """Events ``stand``, a part each time the run has moved since the last event, then ``over``."""
    seen, spoke = last, time.monotonic()
    yield f"retry: {_AGAIN_MS}\n\n"
    while True:
        now = running.progress
        if (mark := f"{running.id}-{now.number}") != seen:
            yield event("stand", part(), mark)
            seen, spoke = mark, time.monotonic()
        if now.over:
            yield event("over", now.state, mark)
            return
        if time.monotonic() - spoke > _QUIET_S:
            yield ": still here\n\n"
            spoke = time.monotonic()
        await asyncio.sleep(_LOOK_S)


def event(name: str, data: str, mark: str) -> str:
    """A server-sent event; every line of its data is a line of its own."""
    lines = data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    told = "".join(f"data: {line}\n" for line in lines)
    return f"id: {mark}\nevent: {name}\n{told}\n"
