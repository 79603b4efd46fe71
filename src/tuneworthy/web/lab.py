"""The ceiling lab of a case: offered with its price, started under a cap, followed, stopped."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode
from weakref import WeakKeyDictionary

from fastapi import APIRouter, Form, Query, Request
from pydantic import ConfigDict, Field
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from tuneworthy.errors import InputError
from tuneworthy.lab.background import LabRun, QuoteExceededError
from tuneworthy.report.blocks import Section, pictures_in
from tuneworthy.report.sections import lab as words
from tuneworthy.report.sections.lab import STATES
from tuneworthy.web.api import LabTerms
from tuneworthy.web.cases import Width, chart_answer
from tuneworthy.web.render import address, followed, page, site_of, tab_page, wants_part
from tuneworthy.words import listing

router = APIRouter(include_in_schema=False)
_DRAWN: WeakKeyDictionary[LabRun, tuple[int, str]] = WeakKeyDictionary()
"""How each run stands as markup, with its number: drawn once for all who follow it."""


class LabQuery(LabTerms):
    """What a lab is run by, as a form says it."""

    model_config = ConfigDict(extra="ignore")

    @property
    def query(self) -> str:
        """The same behind an address."""
        given = self.model_dump(include=set(LabQuery.model_fields), exclude_defaults=True)
        return "?" + urlencode(given) if given else ""


class Confirmed(LabQuery):
    """The same with the cap that somebody typed, and the numbers that were shown."""

    cap_usd: float = Field(ge=0, le=1e9, allow_inf_nan=False)
    calls: int = Field(ge=0, le=10**12)
    usd: float = Field(ge=0, le=1e12, allow_inf_nan=False)


@router.get("/cases/{name}/lab")
def lab(request: Request, name: str, asked: Annotated[LabQuery, Query()]) -> HTMLResponse:
    """The lab that runs or ran, and the form that starts one."""
    return _shown(request, name, asked)


@router.get("/cases/{name}/lab/offer")
def offer(request: Request, name: str, asked: Annotated[LabQuery, Query()]) -> HTMLResponse:
    """What a lab would run and cost, with the form that confirms it."""
    values = _offer(request, name, asked)
    if wants_part(request):
        return page(request, "offer.html", base=address(name), asked=asked, **values)
    return _shown(request, name, asked, **values)


@router.post("/cases/{name}/lab")
def start(request: Request, name: str, given: Annotated[Confirmed, Form()]) -> Response:
    """Start a lab that was shown with its price; ask again where that has grown."""
    site = site_of(request)
    source = site.workspace.directory.path(name)
    running = site.labs.last(source)
    if running is None or running.progress.over:  # else a second click: there it is
        try:
            site.labs.start(
                source,
                given.terms(site.workspace),
                cap_usd=given.cap_usd,
                calls=given.calls,
                usd=given.usd,
            )
        except QuoteExceededError as caught:
            values = {**_offer(request, name, given), "grown": caught.what}
            return _shown(request, name, given, 409, **values)
        except InputError:
            running = site.labs.last(source)
            if running is None or running.progress.over:
                raise
    return RedirectResponse(f"{address(name)}/lab", 303)


@router.post("/cases/{name}/lab/stop")
def stop(request: Request, name: str, run: Annotated[str, Form(max_length=40)]) -> Response:
    """Stop a run; the one that the form was made for, and no later one."""
    running = _running(request, name)
    if running is not None and running.id == run:
        running.stop()
    return RedirectResponse(f"{address(name)}/lab", 303)


@router.get("/cases/{name}/lab/events")
def events(request: Request, name: str, run: Annotated[str, Query(max_length=40)]) -> Response:
    """How a run stands, as server-sent events: the same part as on the page, each time it moves.

    204 ends it for good, where there is no such run any more.
    """
    running = _running(request, name)
    if running is None or running.id != run:
        return Response(status_code=204)

    def part() -> str:
        number = running.progress.number
        if (kept := _DRAWN.get(running)) is None or kept[0] != number:
            told = page(request, "stand.html", **_standing(name, running))
            kept = _DRAWN[running] = number, bytes(told.body).decode()
        return kept[1]

    last = request.headers.get("last-event-id", "")
    told = followed(running, part, last)
    return StreamingResponse(told, media_type="text/event-stream")


@router.get("/cases/{name}/lab/charts/{chart}")
def chart(request: Request, name: str, chart: str, width: Width = "wide") -> Response:
    """A chart of the last lab."""
    running = _running(request, name)
    sections = () if running is None else _found(running)
    return chart_answer(request, pictures_in(sections), chart, width)


def _running(request: Request, name: str) -> LabRun | None:
    site = site_of(request)
    return site.labs.last(site.workspace.directory.path(name))


def _offer(request: Request, name: str, asked: LabQuery) -> dict[str, Any]:
    """What would run, or why nothing can."""
    site = site_of(request)
    try:
        found = site.labs.offer(site.workspace.directory.path(name), asked.terms(site.workspace))
    except InputError as caught:
        return {
            "offered": None,
            "refused": site.workspace.directory.plain_error(caught),
            "grown": "",
        }
    more = (("Sent to", listing(found.places)),)
    blocks = words.quote_blocks(found.arms, found.select, found.report, found.quote, more=more)
    return {"offered": found, "blocks_offered": blocks, "refused": "", "grown": ""}


def _shown(
    request: Request, name: str, asked: LabQuery, status: int = 200, **values: Any
) -> HTMLResponse:
    site = site_of(request)
    running = _running(request, name)
    shown = {
        "asked": asked,
        "offered": None,
        "refused": "",
        "grown": "",
        "run": running,
        "charts": f"{address(name)}/lab/charts",
        "ended": None,
        **_standing(name, running),
    }
    if running is not None and running.done is not None:
        shown |= {"ended": words.ended(running.done.result), "sections": _found(running)}
    if running is not None and running.error is not None:
        shown["failed"] = site.workspace.directory.plain_error(running.error)
    evaluated = site.workspace.evaluated(name)
    return tab_page(request, name, evaluated, "lab", "lab.html", status, **(shown | values))


def _standing(name: str, running: LabRun | None) -> dict[str, Any]:
    """How a run stands: a sentence, and its numbers."""
    if running is None:
        return {"state": "", "says": "", "stand": (), "done": 0, "of": 0, "failed": ""}
    now = running.progress
    stand = now.stand
    return {
        "base": address(name),
        "state": now.state,
        "says": STATES[now.state],
        "stand": () if stand is None else words.progress_blocks(stand, now.passed_s),
        "done": 0 if stand is None else stand.done,
        "of": 0 if stand is None else stand.of,
        "failed": "",
    }


def _found(running: LabRun) -> tuple[Section, ...]:
    done = running.done
    return () if done is None else words.ceiling_sections(done.result, done.dossier, done.before)
