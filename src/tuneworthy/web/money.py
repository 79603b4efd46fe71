"""The money of a case: what it comes to, and what it would come to with other amounts.

A what-if stands in the address and is written nowhere, until somebody says so.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Form, HTTPException, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tuneworthy.errors import ConflictError, InputError
from tuneworthy.interview.questions import levers as lever_asks
from tuneworthy.report.blocks import pictures_in
from tuneworthy.report.sections import money
from tuneworthy.report.sections.money import LEVERS, Lever, compared, grouped, lever
from tuneworthy.web.cases import Width, chart_answer
from tuneworthy.web.guard import COOKIE
from tuneworthy.web.render import address, page, site_of, tab_page, told, wants_part
from tuneworthy.workspace.workspace import EvaluatedCase

# The money of a case: what it comes to, and what it would come to with other amounts.

money_router = APIRouter(include_in_schema=False)

_LONGEST = 4_000
_MEANWHILE = (
    "Somebody else changed this case meanwhile, so nothing is written yet. Below, your numbers "
    "stand beside what the file says now."
)

Code = Annotated[str, Form(max_length=_LONGEST)]


@money_router.get("/cases/{name}/money")
def investment(request: Request, name: str) -> HTMLResponse:
    """What it costs and brings, with the amounts of the address in the place of the case's own."""
    given = {key: text.strip() for key, text in request.query_params.items() if key in LEVERS}
    return _shown(request, name, given)


@money_router.post("/cases/{name}/money")
def write(
    request: Request, name: str, given: Code, digest: Annotated[str, Form(max_length=64)]
) -> Response:
    """Write the amounts of a what-if into the case."""
    wanted = _given(given)
    try:
        site_of(request).workspace.write_all(name, wanted, digest)
    except ConflictError:
        return _shown(request, name, wanted, 409, _MEANWHILE)
    return RedirectResponse(f"{address(name)}/money", 303)


@money_router.get("/cases/{name}/money/if/{code}/charts/{chart}")
def chart(request: Request, name: str, code: str, chart: str, width: Width = "wide") -> Response:
    """A chart of a what-if."""
    found = site_of(request).workspace.what_if(name, _given(code))
    section = money.investment(found.dossier)
    return chart_answer(request, pictures_in((section,)), chart, width)


def _shown(
    request: Request, name: str, texts: dict[str, str], status: int = 200, notice: str = ""
) -> HTMLResponse:
    workspace = site_of(request).workspace
    evaluated, wrong = workspace.evaluated(name), ""
    levers = _levers(evaluated, texts)
    given = {one.id: one.text or "unknown" for one in levers if one.text != one.stated}
    try:
        found = workspace.what_if(name, given)
    except InputError as caught:
        found, wrong, status = evaluated, workspace.directory.plain_error(caught), 422
    code = _code(given)
    values: dict[str, Any] = {
        "groups": grouped(levers),
        "notice": notice,
        "wrong": wrong,
        "given": code,
        "sections": (money.investment(found.dossier),),
        "compared": compared(evaluated.dossier, found.dossier) if given and not wrong else None,
    }
    if given and not wrong:
        values["charts"] = f"{address(name)}/money/if/{code}/charts"
    if not wants_part(request):
        return tab_page(request, name, evaluated, "money", "money.html", status, **values)
    values = {**told(name, evaluated), **values, "swap": True}
    part = page(request, "worked.html", status, **values)
    query = urlencode({one.id: one.text for one in levers if one.id in given})
    part.headers["HX-Replace-Url"] = f"{address(name)}/money" + (f"?{query}" if query else "")
    return part


def _levers(evaluated: EvaluatedCase, texts: dict[str, str]) -> list[Lever]:
    asks = {ask.id: ask for ask in lever_asks(evaluated.case, evaluated.framework)}
    return [lever(asks[name], texts.get(name)) for name in LEVERS if name in asks]


def _code(given: dict[str, str]) -> str:
    """Amounts as a part of an address."""
    return urlsafe_b64encode(urlencode(given).encode()).decode()


def _given(code: str) -> dict[str, str]:
    """The amounts of a part of an address.

    Raises:
        HTTPException: 404 if it is none of ours.
    """
    try:
        query = urlsafe_b64decode(code[:_LONGEST]).decode()
    except ValueError:
        raise HTTPException(404, "there is no such what-if") from None
    return {key: text for key, text in parse_qsl(query) if key in LEVERS}


# Giving the token, where the server listens to more than its own machine.

router = APIRouter(include_in_schema=False)


@router.get("/login")
def login(request: Request) -> Response:
    """The form; nobody needs it on the loopback."""
    if site_of(request).token is None:
        return RedirectResponse("/", 303)
    return page(request, "login.html", wrong=False)


@router.post("/login")
def enter(request: Request, token: Annotated[str, Form(max_length=200)]) -> Response:
    """Hand out the session, if the token is right."""
    site = site_of(request)
    if not site.is_token(token.strip()):
        wrong: HTMLResponse = page(request, "login.html", 401, wrong=True)
        return wrong
    entered = RedirectResponse("/", 303)
    entered.set_cookie(COOKIE, site.session, httponly=True, samesite="strict", path="/")
    return entered
