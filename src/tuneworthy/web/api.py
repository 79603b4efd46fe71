"""The same for programs: JSON with a schema at ``/api/v1/openapi.json``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from anyio import open_file
from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.concurrency import contextmanager_in_threadpool
from pydantic import Field
from starlette.responses import Response

from tuneworthy.errors import ConflictError
from tuneworthy.files.disk import writing
from tuneworthy.model.base import LateRecord, NonNegative, Record, State, Unknown
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import (
    ChallengeResult,
    Difference,
    Dossier,
    OptionResult,
    QuestionResult,
    Recommendation,
    VerdictResult,
)
from tuneworthy.model.lab import Stand
from tuneworthy.web.guard import HEADER, PROBLEM, site_of
from tuneworthy.web.render import FORMS, AskedCase, ExportForm, exported, in_reading
from tuneworthy.workspace.labs import (
    KeptRun,
    LabOffer,
    LabRun,
    LabSettings,
    LabState,
    LabTerms,
    Result,
    kept_runs,
    result_of,
)
from tuneworthy.workspace.measure import FileKind, clean_name
from tuneworthy.workspace.portfolio import CaseQuery, Portfolio
from tuneworthy.workspace.workspace import Workspace

Name = Annotated[str, Path(min_length=1, max_length=100, description="Name of the case's folder.")]
Key = Annotated[str, Field(min_length=1, max_length=200)]
Value = Annotated[str, Field(max_length=4000)]


class Whole(Record):
    """A case as the API gives it."""

    name: str
    digest: str  #: SHA-256 of the case file; an answer has to name it.
    answers: dict[str, State]
    """What it says to every check, factor and signal, by path, as ``factors.brand_voice``."""
    case: Case


class NewCase(Record):
    """A case to start."""

    name: Annotated[str, Field(min_length=1, max_length=100)]  #: Of its folder.
    title: Annotated[str, Field(min_length=1, max_length=200)]  #: What the use case is called.


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


class FileAdded(Record):
    """A file that was taken in."""

    name: str  #: Where it lies, below the case folder.
    difference: Difference  #: What it changed.


class Options(Record):
    """What could be done instead, or as well."""

    options: tuple[OptionResult, ...] | Unknown
    recommendation: Recommendation | Unknown


def _problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    """What the description of the API says of some errors."""
    content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {code: {"description": "what went wrong", "content": content} for code in codes}


router = APIRouter(
    prefix="/api/v1", responses=_problems(400, 401, 403, 404, 413, 421, 422), tags=["cases"]
)
_BY_A_PROGRAM: dict[str, Any] = {
    "parameters": [
        {
            "name": HEADER,
            "in": "header",
            "required": True,
            "schema": {"type": "string", "enum": ["1"]},
            "description": "Shows that a program sends it, and no other site's page.",
        }
    ]
}  #: What the description says of a change: the header that it carries.


def _named(request: Request, name: Name) -> AskedCase:
    return AskedCase(request, name)


OfCase = Annotated[AskedCase, Depends(_named)]


@router.get("/cases")
def cases(request: Request, asked: Annotated[CaseQuery, Query()]) -> Portfolio:
    """One row a case, with all that fit in sum; those that can't be read say why."""
    return site_of(request).workspace.listed(asked)


@router.post("/cases", status_code=201, openapi_extra=_BY_A_PROGRAM)
def new_case(request: Request, new: NewCase) -> Whole:
    """Make a case folder with nothing answered; one that is there is never touched."""
    of = AskedCase(request, new.name)
    of.workspace.start(new.name, new.title)
    return case(of)


@router.get("/cases/{name}")
def case(of: OfCase) -> Whole:
    """A case, with the digest that an answer has to name."""
    now = of.evaluated
    return Whole(name=of.name, digest=now.digest, answers=of.stated, case=now.case)


@router.post("/cases/{name}/answers", responses=_problems(409), openapi_extra=_BY_A_PROGRAM)
def answer(of: OfCase, answers: Answers) -> Answered:
    """Write answers into the case file, if it is still as it was read."""
    now = of.workspace.set_answers(of.name, answers.answers, answers.digest)
    return Answered(
        digest=now.digest,
        verdict=now.dossier.verdict,
        next_questions=now.dossier.next_questions,
        challenges=now.dossier.challenges,
    )


_OCTETS = {"requestBody": {"content": {"application/octet-stream": {}}, "required": True}}


@router.post("/cases/{name}/files/{kind}", status_code=201, openapi_extra=_BY_A_PROGRAM | _OCTETS)
async def add_file(
    of: OfCase, kind: FileKind, file: Annotated[str, Query(max_length=300)]
) -> FileAdded:
    """Take a file in, which is the body: read it, keep it beside the case file, name it there."""
    async with contextmanager_in_threadpool(of.inbox()) as folder:
        place = folder / clean_name(file)
        with writing(place):
            async with await open_file(place, "xb") as to:
                async for chunk in of.request.stream():
                    await to.write(chunk)
        names, _, changed = await in_reading(of.workspace.add_files, of.name, kind, [place])
    return FileAdded(name=names[0], difference=changed)


@router.get("/cases/{name}/dossier", response_model=Dossier)
def dossier(of: OfCase) -> Response:
    """Everything: the bytes of ``tuneworthy decide --format json``."""
    return Response(of.dossier.to_json(), media_type="application/json")


def _section(name: str, field: str, says: str) -> None:
    """An address for a section of the dossier."""
    kind = Dossier.model_fields[field].annotation

    @router.get(f"/cases/{{name}}/{name}", name=name, description=says, response_model=kind)
    def section(of: OfCase) -> Any:
        return getattr(of.dossier, field)


_section(
    "questions",
    "next_questions",
    "Open answers, the most worthwhile first; none when nothing can change the verdict.",
)
_section("challenges", "challenges", "What doesn't fit together.")


@router.get("/cases/{name}/options")
def options(of: OfCase) -> Options:
    """What could be done instead, or as well."""
    return Options.model_validate(of.dossier, from_attributes=True)


_section("investment", "investment", "What it costs and brings.")
_section("plan", "plan", "Phases, hours, cost and dates.")
_section("precedents", "precedents", "What happened to others.")

_TYPES: dict[int | str, dict[str, Any]] = {
    200: {"description": "the report", "content": {media: {} for _, media in FORMS.values()}}
}


@router.get("/cases/{name}/report/{form}", response_class=Response, responses=_TYPES)
def report(request: Request, name: Name, form: ExportForm) -> Response:
    """The report in one of its forms: the bytes of ``tuneworthy decide --format``."""
    return exported(AskedCase(request, name), form)


# The ceiling lab for programs: offered, started, looked at and stopped.

lab_router = APIRouter(
    prefix="/api/v1/cases/{name}/lab",
    responses=_problems(400, 401, 403, 404, 413, 421, 422),
    tags=["lab"],
)


def lab_settings(terms: LabTerms, workspace: Workspace) -> LabSettings:
    """How a lab is run, by the framework and on the day that the server goes by."""
    settings = terms.model_dump(include=set(LabTerms.model_fields))
    return LabSettings(**settings, chosen=workspace.chosen, as_of=workspace.as_of)


class LabStart(LabTerms):
    """A lab to start: the cap, and the numbers of the offer that somebody has seen."""

    cap_usd: float = Field(ge=0, le=1e9, allow_inf_nan=False)
    """The most its calls may cost, those of earlier runs included."""
    calls: int = Field(ge=0, le=10**12)  #: ``most_calls`` of the offer.
    usd: float = Field(ge=0, le=1e12, allow_inf_nan=False)  #: ``most_usd`` of the offer.

    def start(self, of: AskedCase) -> LabRun:
        """Start it for a case."""
        seen = self.model_dump(include={"cap_usd", "calls", "usd"})
        return of.site.labs.start(of.path, lab_settings(self, of.workspace), **seen)


class ApiLabLabState(LateRecord):
    """The lab that runs, or ran last."""

    run: str = ""  #: Its id; empty where none ran since the server was started.
    state: LabState | Literal["none"] = "none"
    passed_s: NonNegative = 0.0
    stand: Stand | None = None
    problem: str = ""  #: Why it failed; empty where it didn't.
    result: Result | None = None  #: What it found, once it is over.


class LabStop(Record):
    """Which run to stop."""

    run: Annotated[str, Field(max_length=40)]


@lab_router.get("")
def lab(of: OfCase) -> ApiLabLabState:
    """How the lab of a case stands."""
    running = of.last_lab
    return ApiLabLabState() if running is None else _state(of, running)


@lab_router.get("/runs")
def runs(of: OfCase) -> tuple[KeptRun, ...]:
    """Labs that ran, the newest first, wherever they were started."""
    return kept_runs(of.evaluated.case)


@lab_router.get("/offer")
def offer(of: OfCase, asked: Annotated[LabTerms, Query()]) -> LabOffer:
    """What a lab would run and cost; nothing is sent."""
    return of.site.labs.offer(of.path, lab_settings(asked, of.workspace))


@lab_router.post("", status_code=202, responses=_problems(409), openapi_extra=_BY_A_PROGRAM)
def start(of: OfCase, terms: LabStart) -> ApiLabLabState:
    """Start the lab that was offered; refused where it would be more by now, or one is running."""
    return _state(of, terms.start(of))


@lab_router.post("/stop", responses=_problems(409), openapi_extra=_BY_A_PROGRAM)
def stop(of: OfCase, which: LabStop) -> ApiLabLabState:
    """Send nothing more, and wait for what is on the wire; another run is never stopped."""
    running = of.last_lab
    if running is None or running.id != which.run:
        raise ConflictError("that run isn't the last one", where=of.name, fix="look which is")
    running.stop()
    return _state(of, running)


def _state(of: AskedCase, running: LabRun) -> ApiLabLabState:
    now, done, error = running.progress, running.done, running.error
    return ApiLabLabState(
        run=running.id,
        state=now.state,
        passed_s=now.passed_s,
        stand=now.stand,
        problem="" if error is None else of.plain(error),
        result=None if done is None else result_of(done),
    )
