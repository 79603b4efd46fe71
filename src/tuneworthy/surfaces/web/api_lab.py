"""The ceiling lab for programs: offered, started, looked at and stopped."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field

from tuneworthy.api.board import Board, plain_error
from tuneworthy.api.lab import MOST_TOKENS
from tuneworthy.api.running import Running, State, Terms
from tuneworthy.domain.calls import Quote
from tuneworthy.domain.errors import ConflictError
from tuneworthy.domain.lab import Arm, CeilingResult, Stand
from tuneworthy.domain.record import LateRecord, Natural, NonNegative, Record
from tuneworthy.surfaces.web.api_v1 import BY_A_PROGRAM, Name, problems
from tuneworthy.surfaces.web.render import site_of

router = APIRouter(
    prefix="/api/v1/cases/{name}/lab",
    responses=problems(400, 401, 403, 404, 413, 421, 422),
    tags=["lab"],
)


class LabTerms(Record):
    """What a lab is run by."""

    max_tokens: int = Field(MOST_TOKENS, ge=1, le=100_000)
    """Tokens an answer may have."""
    seed: int = Field(0, ge=0, lt=2**32)
    """For the split of the cases and their order."""
    at_once: int = Field(16, ge=1, le=256)
    """The most calls on the wire."""
    ask_again: bool = False
    """Send calls in doubt once more; some of them may be paid twice."""

    def terms(self, board: Board) -> Terms:
        """The same for the API, by the framework and on the day that the page goes by."""
        told = self.max_tokens, self.seed, self.at_once, self.ask_again
        return Terms(*told, board.chosen, board.as_of)


class LabStart(LabTerms):
    """A lab to start: the cap, and the numbers of the offer that somebody has seen."""

    cap_usd: float = Field(ge=0, le=1e9, allow_inf_nan=False)
    """The most its calls may cost, those of earlier runs included."""
    calls: int = Field(ge=0, le=10**12)
    """``most_calls`` of the offer."""
    usd: float = Field(ge=0, le=1e12, allow_inf_nan=False)
    """``most_usd`` of the offer."""


class LabOffer(LateRecord):
    """What a lab would run and cost."""

    arms: tuple[Arm, ...]
    select: Natural
    """Cases for selecting."""
    report: Natural
    """Cases that will choose nothing."""
    quote: Quote
    places: tuple[str, ...]
    """Where it is sent."""
    doubtful: Natural
    """Calls of earlier runs of which nobody knows whether they were paid."""
    most_calls: Natural
    most_usd: NonNegative


class LabState(LateRecord):
    """The lab that runs, or ran last."""

    run: str = ""
    """Its id; empty where none ran since the server was started."""
    state: State | Literal["none"] = "none"
    passed_s: NonNegative = 0.0
    stand: Stand | None = None
    problem: str = ""
    """Why it failed; empty where it didn't."""
    result: CeilingResult | None = None
    """What it found, once it is over."""


class LabStop(Record):
    """Which run to stop."""

    run: Annotated[str, Field(max_length=40)]


@router.get("")
def lab(request: Request, name: Name) -> LabState:
    """How the lab of a case stands."""
    site = site_of(request)
    return _state(request, site.labs.last(site.board.shelf.path(name)))


@router.get("/offer")
def offer(request: Request, name: Name, asked: Annotated[LabTerms, Query()]) -> LabOffer:
    """What a lab would run and cost; nothing is sent."""
    site = site_of(request)
    found = site.labs.offer(site.board.shelf.path(name), asked.terms(site.board))
    return LabOffer(
        arms=found.arms, select=found.select, report=found.report, quote=found.quote,
        places=found.places, doubtful=found.doubtful, most_calls=found.most_calls,
        most_usd=found.most_usd,
    )  # fmt: skip


@router.post("", status_code=202, responses=problems(409), openapi_extra=BY_A_PROGRAM)
def start(request: Request, name: Name, given: LabStart) -> LabState:
    """Start the lab that was offered; refused where it would be more by now, or one is running."""
    site = site_of(request)
    begun = site.labs.start(
        site.board.shelf.path(name), given.terms(site.board), cap_usd=given.cap_usd,
        calls=given.calls, usd=given.usd,
    )  # fmt: skip
    return _state(request, begun)


@router.post("/stop", responses=problems(409), openapi_extra=BY_A_PROGRAM)
def stop(request: Request, name: Name, which: LabStop) -> LabState:
    """Send nothing more, and wait for what is on the wire; another run is never stopped."""
    site = site_of(request)
    running = site.labs.last(site.board.shelf.path(name))
    if running is None or running.id != which.run:
        raise ConflictError("that run isn't the last one", where=name, fix="look which is")
    running.stop()
    return _state(request, running)


def _state(request: Request, running: Running | None) -> LabState:
    if running is None:
        return LabState()
    now, done, error = running.progress, running.done, running.error
    shelf = site_of(request).board.shelf
    return LabState(
        run=running.id, state=now.state, passed_s=now.passed_s, stand=now.stand,
        problem="" if error is None else plain_error(error, shelf),
        result=None if done is None else done.result,
    )  # fmt: skip
