"""The sheet to sign: what it covers, who decides, and a tick for each contradiction."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.responses import Response

from tuneworthy.cases.judging import signature
from tuneworthy.errors import ConflictError, InputError
from tuneworthy.model.dossier import Dossier
from tuneworthy.report.sections.record import review_day
from tuneworthy.report.sections.signing import contradictions, sheet
from tuneworthy.web.render import AskedCase, OfCase, ReadDigest, Typed

router = APIRouter()


@router.get("/cases/{name}/sign")
def sign_page(of: OfCase) -> Response:
    """Show the lines to sign, the people who decide, and the field for the name."""
    return _sheet(of)


@router.post("/cases/{name}/sign")
def sign(
    of: OfCase,
    digest: ReadDigest,
    owner: Typed = "",
    approver: Typed = "",
    review_on: Annotated[str, Form(max_length=20)] = "",
    by: Typed = "",
    answer: Annotated[str, Form(max_length=20)] = "",
    seen: Annotated[list[str], Form(max_length=100)] = [],  # noqa: B006  # FastAPI copies it
) -> Response:
    """Write who decides and the day of the review; with a name, sign the shown answer.

    Each open contradiction has to be ticked. If the answer isn't the shown one, it is a conflict,
    and nothing is written.
    """
    dossier = of.dossier
    name = by.strip()
    people = {
        "owner": owner.strip(),
        "approver": approver.strip(),
        "review_on": review_on.strip(),
    }
    changes = _changed_people(of, people)
    if name:
        if dossier.verdict.answer == "open":
            raise InputError("no answer can be signed yet", where=of.name)
        if answer != dossier.verdict.answer:
            # the digest doesn't show it: evidence came in, which is in no case file
            what = "has another answer by now"
            raise ConflictError(what, where=of.name, fix="look, then sign")
        warning = _unseen(dossier, seen)
        if warning:
            typed = {**people, "by": name}
            return _sheet(of, 422, wrong=warning, typed=typed, seen=seen)
        changes |= signature(dossier, name, digest)
    if changes:
        of.workspace.set_answers(of.name, changes, digest)
    return of.to("")


def _changed_people(of: AskedCase, people: dict[str, str]) -> dict[str, Any]:
    """The fields of the decision that the form changes, by their path in the case file."""
    was = of.evaluated.case.decision.model_dump(mode="json")
    return {
        f"decision.{field}": text
        for field, text in people.items()
        if text != (was[field] or "")
    }


def _unseen(dossier: Dossier, seen: list[str]) -> str:
    """The warning where a contradiction wasn't ticked; empty where all were."""
    if all(each.id in seen for each in contradictions(dossier)):
        return ""
    return "Tick each open contradiction: who signs has to have seen it."


def _sheet(
    of: OfCase,
    status: int = 200,
    *,
    wrong: str = "",
    typed: dict[str, str] | None = None,
    seen: list[str] | None = None,
) -> Response:
    """The sheet to sign, filled in by the last attempt, ``typed``, or else by the case."""
    dossier = of.dossier
    decided = of.evaluated.case.decision
    filled = typed
    if filled is None:
        filled = {
            "owner": decided.owner or "",
            "approver": decided.approver or "",
            "review_on": str(decided.review_on or review_day(dossier)),
            "by": "",
        }
    return of.page(
        "sign.html",
        status,
        sheet=sheet(dossier, of.evaluated.digest),
        contradictions=contradictions(dossier),
        filled=filled,
        seen=seen or [],
        wrong=wrong,
    )
