"""A case: answers that toggle, and what moves with them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from tuneworthy.api.board import Judged
from tuneworthy.api.stated import stated
from tuneworthy.domain.errors import ConflictError
from tuneworthy.domain.record import State
from tuneworthy.report import toggles
from tuneworthy.report.html import verdict
from tuneworthy.report.text import strength_text
from tuneworthy.surfaces.web.render import page, site_of, wants_part
from tuneworthy.surfaces.web.tabs import address, tab_page, told

router = APIRouter(include_in_schema=False)


@router.get("/cases/{name}")
def case(request: Request, name: str) -> Response:
    """The answers of a case beside what they come to."""
    judged = site_of(request).board.judged(name)
    return tab_page(request, name, judged, "answers", "answers.html", **moving(judged))


def stated_on(judged: Judged) -> dict[str, State]:
    """What the case file says to each question, by path."""
    return stated(judged.case, judged.framework)


def moving(judged: Judged) -> dict[str, Any]:
    """Everything on the page that an answer can move."""
    dossier, said = judged.dossier, stated_on(judged)
    candidate = dossier.verdict.outcome == "fine_tune_candidate"
    return {
        "groups": toggles.groups(dossier, judged.framework, said),
        "reached": toggles.reached(dossier),
        "next": toggles.next_question(dossier),
        "change": verdict.change(dossier),
        "fit": verdict.fit(dossier),
        "strength": strength_text(dossier),
        "gates": verdict.gates(dossier) if candidate else None,
        "seen": " ".join(f"{key}={value}" for key, value in said.items()),
    }


@router.post("/cases/{name}/answers")
async def answer(request: Request, name: str) -> Response:
    """Write what changed on the form, if the case is still as the form was made from it."""
    from starlette.concurrency import run_in_threadpool

    form = {key: value for key, value in (await request.form()).items() if isinstance(value, str)}
    return await run_in_threadpool(_answered, request, name, form)


def _answered(request: Request, name: str, form: dict[str, str]) -> Response:
    board = site_of(request).board
    asked = stated_on(board.judged(name))
    pairs = (pair.partition("=")[::2] for pair in form.get("seen", "").split())
    seen = {key: value for key, value in pairs if key in asked}
    mine = {key: form[key] for key in seen if key in form and form[key] != seen[key]}
    try:
        judged = board.answer(name, mine, form.get("digest", "")) if mine else board.judged(name)
    except ConflictError:
        return _conflict(request, name, seen, mine)
    if not wants_part(request):
        return RedirectResponse(address(name), 303)
    return page(request, "moved.html", **{**told(name, judged), **moving(judged), "swap": True})


def _conflict(request: Request, name: str, seen: dict[str, str], mine: dict[str, str]) -> Response:
    judged = site_of(request).board.judged(name)
    now = stated_on(judged)
    titles = toggles.titles(judged.framework)
    known = {key: value for key, value in seen.items() if key in titles}
    values = {
        "theirs": [(titles[k], was, now[k]) for k, was in known.items() if now[k] != was],
        "mine": [(k, titles[k], v, now[k]) for k, v in mine.items() if k in titles],
        **moving(judged),
    }
    if wants_part(request):
        part = page(request, "conflict.html", 409, **{**told(name, judged), **values})
        part.headers["HX-Retarget"], part.headers["HX-Reswap"] = "#notice", "innerHTML"
        return part
    return tab_page(request, name, judged, "answers", "conflicted.html", 409, **values)
