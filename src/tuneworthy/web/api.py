"""The same for programs: JSON with a schema at ``/api/v1/openapi.json``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field
from starlette.responses import Response

from tuneworthy.errors import ConflictError
from tuneworthy.lab.background import LabRun, LabSettings, LabState
from tuneworthy.lab.prepare import MOST_TOKENS
from tuneworthy.model.base import LateRecord, Natural, NonNegative, Record, State, Unknown
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import (
    ChallengeResult,
    Dossier,
    InvestmentResult,
    OptionResult,
    Plan,
    QuestionResult,
    Recommendation,
    Verdict,
    VerdictResult,
)
from tuneworthy.model.lab import Arm, CeilingResult, Quote, Stand
from tuneworthy.model.precedents import PrecedentsResult
from tuneworthy.web.render import FORMS, HEADER, ExportForm, exported, site_of
from tuneworthy.workspace.cases import stated
from tuneworthy.workspace.workspace import EvaluatedCase, Workspace

# The same for programs: JSON with a schema at ``/api/v1/openapi.json``.

Name = Annotated[str, Path(min_length=1, max_length=100, description="Name of the case's folder.")]
Key = Annotated[str, Field(min_length=1, max_length=200)]
Value = Annotated[str, Field(max_length=4000)]


class Problem(Record):
    """What went wrong, in one line."""

    title: str
    status: int
    detail: str
    """What, where, and the fix."""


class Line(Record):
    """A case in the list."""

    name: str
    title: str = ""
    outcome: Verdict | None = None
    """None where the case can't be read."""
    final: bool | None = None
    says: str = ""
    open: str = ""
    pays_back: str = ""
    next: str = ""
    problem: str = ""
    """Why it can't be read; empty where it can."""


class CaseLines(Record):
    """A part of the list."""

    cases: tuple[Line, ...]
    total: int
    matching: int
    more: bool
    """Whether more follow: ask again, after the last name."""


class Whole(Record):
    """A case as the API gives it."""

    name: str
    digest: str
    """SHA-256 of the case file; an answer has to name it."""
    answers: dict[str, State]
    """What it says to every check, factor and signal, by path, as ``factors.brand_voice``."""
    case: Case


class NewCase(Record):
    """A case to start."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    """Of its folder."""
    title: Annotated[str, Field(min_length=1, max_length=200)]
    """What the use case is called."""


class Answers(Record):
    """Answers to write."""

    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """Of the case file as it was read; if it is another one now, nothing is written."""
    answers: Annotated[dict[Key, Value], Field(min_length=1, max_length=100)]
    """Check, factor, signal or dotted path to its value."""


class Answered(Record):
    """What the answers came to."""

    digest: str
    verdict: VerdictResult
    next_questions: tuple[QuestionResult, ...]
    challenges: tuple[ChallengeResult, ...]


class Options(Record):
    """What could be done instead, or as well."""

    options: tuple[OptionResult, ...] | Unknown
    recommendation: Recommendation | Unknown


def problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    """What the description of the API says of some errors."""
    schema = {"$ref": "#/components/schemas/Problem"}
    content = {"application/problem+json": {"schema": schema}}
    return {code: {"description": "what went wrong", "content": content} for code in codes}


api_v1_router = APIRouter(
    prefix="/api/v1",
    responses=problems(400, 401, 403, 404, 413, 421, 422),
    tags=["cases"],
)
BY_A_PROGRAM: dict[str, Any] = {
    "parameters": [
        {
            "name": HEADER,
            "in": "header",
            "required": True,
            "schema": {"type": "string", "enum": ["1"]},
            "description": "Shows that a program sends it, and no other site's page.",
        }
    ]
}
"""What the description says of a change: the header that it carries."""


@api_v1_router.get("/cases")
def cases(
    request: Request,
    find: Annotated[str, Query(max_length=100)] = "",
    after: Annotated[str, Query(max_length=100)] = "",
) -> CaseLines:
    """One line a case; those that can't be read say why."""
    found = site_of(request).workspace.listed(find, after)
    lines = tuple(
        Line(name=row.name, problem=row.error)
        if row.glance is None
        else Line(
            name=row.name,
            title=row.glance.title,
            outcome=row.glance.outcome,
            final=row.glance.final,
            says=row.glance.says,
            open=row.glance.open,
            pays_back=row.glance.pays_back,
            next=row.glance.next,
        )
        for row in found.rows
    )
    return CaseLines(cases=lines, total=found.total, matching=found.matching, more=found.left)


@api_v1_router.post("/cases", status_code=201, openapi_extra=BY_A_PROGRAM)
def api_v1_start(request: Request, new: NewCase) -> Whole:
    """Make a case folder with nothing answered; one that is there is never touched."""
    workspace = site_of(request).workspace
    workspace.start(new.name, new.title)
    return _whole(new.name, workspace.evaluated(new.name))


@api_v1_router.get("/cases/{name}")
def case(request: Request, name: Name) -> Whole:
    """A case, with the digest that an answer has to name."""
    return _whole(name, site_of(request).workspace.evaluated(name))


def _whole(name: str, evaluated: EvaluatedCase) -> Whole:
    return Whole(
        name=name,
        digest=evaluated.digest,
        answers=stated(evaluated.case, evaluated.framework),
        case=evaluated.case,
    )


@api_v1_router.post("/cases/{name}/answers", responses=problems(409), openapi_extra=BY_A_PROGRAM)
def answer(request: Request, name: Name, given: Answers) -> Answered:
    """Write answers into the case file, if it is still as it was read."""
    evaluated = site_of(request).workspace.set_answers(name, given.answers, given.digest)
    found = evaluated.dossier
    return Answered(
        digest=evaluated.digest,
        verdict=found.verdict,
        next_questions=found.next_questions,
        challenges=found.challenges,
    )


@api_v1_router.get("/cases/{name}/dossier", response_model=Dossier)
def dossier(request: Request, name: Name) -> Response:
    """Everything: the bytes of ``tuneworthy decide --format json``."""
    text = site_of(request).workspace.evaluated(name).dossier.to_json()
    return Response(text, media_type="application/json")


@api_v1_router.get("/cases/{name}/questions")
def questions(request: Request, name: Name) -> tuple[QuestionResult, ...]:
    """Open answers, the most worthwhile first; none when nothing can change the verdict."""
    return site_of(request).workspace.evaluated(name).dossier.next_questions


@api_v1_router.get("/cases/{name}/challenges")
def challenges(request: Request, name: Name) -> tuple[ChallengeResult, ...]:
    """What doesn't fit together."""
    return site_of(request).workspace.evaluated(name).dossier.challenges


@api_v1_router.get("/cases/{name}/options")
def options(request: Request, name: Name) -> Options:
    """What could be done instead, or as well."""
    found = site_of(request).workspace.evaluated(name).dossier
    return Options(options=found.options, recommendation=found.recommendation)


@api_v1_router.get("/cases/{name}/investment")
def investment(request: Request, name: Name) -> InvestmentResult | Unknown:
    """What it costs and brings."""
    return site_of(request).workspace.evaluated(name).dossier.investment


@api_v1_router.get("/cases/{name}/plan")
def plan(request: Request, name: Name) -> Plan | Unknown:
    """Phases, hours, cost and dates."""
    return site_of(request).workspace.evaluated(name).dossier.plan


@api_v1_router.get("/cases/{name}/precedents")
def precedents(request: Request, name: Name) -> PrecedentsResult | Unknown:
    """What happened to others."""
    return site_of(request).workspace.evaluated(name).dossier.precedents


_TYPES: dict[int | str, dict[str, Any]] = {
    200: {"description": "the report", "content": {form.media: {} for form in FORMS.values()}}
}


@api_v1_router.get("/cases/{name}/report/{form}", response_class=Response, responses=_TYPES)
def report(request: Request, name: Name, form: ExportForm) -> Response:
    """The report in one of its forms: the bytes of ``tuneworthy decide --format``."""
    return exported(site_of(request).workspace, name, form)


# The ceiling lab for programs: offered, started, looked at and stopped.

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

    def terms(self, workspace: Workspace) -> LabSettings:
        """The same for the API, by the framework and on the day that the page goes by."""
        told = self.max_tokens, self.seed, self.at_once, self.ask_again
        return LabSettings(*told, workspace.chosen, workspace.as_of)


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


class ApiLabLabState(LateRecord):
    """The lab that runs, or ran last."""

    run: str = ""
    """Its id; empty where none ran since the server was started."""
    state: LabState | Literal["none"] = "none"
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
def lab(request: Request, name: Name) -> ApiLabLabState:
    """How the lab of a case stands."""
    site = site_of(request)
    return _state(request, site.labs.last(site.workspace.directory.path(name)))


@router.get("/offer")
def offer(request: Request, name: Name, asked: Annotated[LabTerms, Query()]) -> LabOffer:
    """What a lab would run and cost; nothing is sent."""
    site = site_of(request)
    found = site.labs.offer(site.workspace.directory.path(name), asked.terms(site.workspace))
    return LabOffer(
        arms=found.arms,
        select=found.select,
        report=found.report,
        quote=found.quote,
        places=found.places,
        doubtful=found.doubtful,
        most_calls=found.most_calls,
        most_usd=found.most_usd,
    )


@router.post("", status_code=202, responses=problems(409), openapi_extra=BY_A_PROGRAM)
def start(request: Request, name: Name, given: LabStart) -> ApiLabLabState:
    """Start the lab that was offered; refused where it would be more by now, or one is running."""
    site = site_of(request)
    begun = site.labs.start(
        site.workspace.directory.path(name),
        given.terms(site.workspace),
        cap_usd=given.cap_usd,
        calls=given.calls,
        usd=given.usd,
    )
    return _state(request, begun)


@router.post("/stop", responses=problems(409), openapi_extra=BY_A_PROGRAM)
def stop(request: Request, name: Name, which: LabStop) -> ApiLabLabState:
    """Send nothing more, and wait for what is on the wire; another run is never stopped."""
    site = site_of(request)
    running = site.labs.last(site.workspace.directory.path(name))
    if running is None or running.id != which.run:
        raise ConflictError("that run isn't the last one", where=name, fix="look which is")
    running.stop()
    return _state(request, running)


def _state(request: Request, running: LabRun | None) -> ApiLabLabState:
    if running is None:
        return ApiLabLabState()
    now, done, error = running.progress, running.done, running.error
    directory = site_of(request).workspace.directory
    return ApiLabLabState(
        run=running.id,
        state=now.state,
        passed_s=now.passed_s,
        stand=now.stand,
        problem="" if error is None else directory.plain_error(error),
        result=None if done is None else done.result,
    )
