"""The same for programs: JSON with a schema at ``/api/v1/openapi.json``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field
from starlette.responses import Response

from tuneworthy.api.board import Judged
from tuneworthy.api.stated import stated
from tuneworthy.domain.case import Case
from tuneworthy.domain.decision import Verdict
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.likeness import PrecedentsResult
from tuneworthy.domain.outlook import InvestmentResult, OptionResult, Plan, Recommendation
from tuneworthy.domain.record import Record, State, Unknown
from tuneworthy.domain.sections import ChallengeResult, QuestionResult, VerdictResult
from tuneworthy.surfaces.web.checked import HEADER
from tuneworthy.surfaces.web.exports import FORMS, Form, exported
from tuneworthy.surfaces.web.render import site_of

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


class Lines(Record):
    """A part of the list."""

    cases: tuple[Line, ...]
    total: int
    matching: int
    more: bool
    """Whether more follow: ask again, after the last name."""


class Whole(Record):
    """A case as it is told."""

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


router = APIRouter(
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


@router.get("/cases")
def cases(
    request: Request,
    find: Annotated[str, Query(max_length=100)] = "",
    after: Annotated[str, Query(max_length=100)] = "",
) -> Lines:
    """One line a case; those that can't be read say why."""
    found = site_of(request).board.listed(find, after)
    lines = tuple(
        Line(name=row.name, problem=row.error)
        if row.glance is None
        else Line(
            name=row.name, title=row.glance.title, outcome=row.glance.outcome,
            final=row.glance.final, says=row.glance.says, open=row.glance.open,
            pays_back=row.glance.pays_back, next=row.glance.next,
        )
        for row in found.rows
    )  # fmt: skip
    return Lines(cases=lines, total=found.total, matching=found.matching, more=found.left)


@router.post("/cases", status_code=201, openapi_extra=BY_A_PROGRAM)
def start(request: Request, new: NewCase) -> Whole:
    """Make a case folder with nothing answered; one that is there is never touched."""
    board = site_of(request).board
    board.start(new.name, new.title)
    return _whole(new.name, board.judged(new.name))


@router.get("/cases/{name}")
def case(request: Request, name: Name) -> Whole:
    """A case as it is told, with the digest that an answer has to name."""
    return _whole(name, site_of(request).board.judged(name))


def _whole(name: str, judged: Judged) -> Whole:
    return Whole(
        name=name,
        digest=judged.digest,
        answers=stated(judged.case, judged.framework),
        case=judged.case,
    )


@router.post("/cases/{name}/answers", responses=problems(409), openapi_extra=BY_A_PROGRAM)
def answer(request: Request, name: Name, given: Answers) -> Answered:
    """Write answers into the case file, if it is still as it was read."""
    judged = site_of(request).board.answer(name, given.answers, given.digest)
    found = judged.dossier
    return Answered(
        digest=judged.digest, verdict=found.verdict, next_questions=found.next_questions,
        challenges=found.challenges,
    )  # fmt: skip


@router.get("/cases/{name}/dossier", response_model=Dossier)
def dossier(request: Request, name: Name) -> Response:
    """Everything: the bytes of ``tuneworthy decide --format json``."""
    text = site_of(request).board.judged(name).dossier.to_json()
    return Response(text, media_type="application/json")


@router.get("/cases/{name}/questions")
def questions(request: Request, name: Name) -> tuple[QuestionResult, ...]:
    """Open answers, the most worthwhile first; none when nothing can change the verdict."""
    return site_of(request).board.judged(name).dossier.next_questions


@router.get("/cases/{name}/challenges")
def challenges(request: Request, name: Name) -> tuple[ChallengeResult, ...]:
    """What doesn't fit together."""
    return site_of(request).board.judged(name).dossier.challenges


@router.get("/cases/{name}/options")
def options(request: Request, name: Name) -> Options:
    """What could be done instead, or as well."""
    found = site_of(request).board.judged(name).dossier
    return Options(options=found.options, recommendation=found.recommendation)


@router.get("/cases/{name}/investment")
def investment(request: Request, name: Name) -> InvestmentResult | Unknown:
    """What it costs and brings."""
    return site_of(request).board.judged(name).dossier.investment


@router.get("/cases/{name}/plan")
def plan(request: Request, name: Name) -> Plan | Unknown:
    """Phases, hours, cost and dates."""
    return site_of(request).board.judged(name).dossier.plan


@router.get("/cases/{name}/precedents")
def precedents(request: Request, name: Name) -> PrecedentsResult | Unknown:
    """What happened to others."""
    return site_of(request).board.judged(name).dossier.precedents


_TYPES: dict[int | str, dict[str, Any]] = {
    200: {"description": "the report", "content": {form.media: {} for form in FORMS.values()}}
}


@router.get("/cases/{name}/report/{form}", response_class=Response, responses=_TYPES)
def report(request: Request, name: Name, form: Form) -> Response:
    """The report in one of its forms: the bytes of ``tuneworthy decide --format``."""
    return exported(site_of(request).board, name, form)
