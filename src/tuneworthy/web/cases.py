"""The first page: the cases side by side; and the form for a new one."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, File, Form, HTTPException, Query, Request, UploadFile
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tuneworthy.errors import ConflictError, InputError
from tuneworthy.interview.questions import levers as lever_asks
from tuneworthy.model.base import State
from tuneworthy.report.blocks import Picture, pictures_in
from tuneworthy.report.charts import NARROW, WIDE
from tuneworthy.report.document import pictures
from tuneworthy.report.html import STYLE, chart_script, policy, script_digest, still
from tuneworthy.report.sections import answer_form, money, record, verdict
from tuneworthy.report.sections import options as instead
from tuneworthy.report.sections import plan as plans
from tuneworthy.report.sections import precedents as others
from tuneworthy.report.sections.answer_form import titles
from tuneworthy.report.sections.common import gates, strength_text
from tuneworthy.report.sections.difference import difference, version_lines
from tuneworthy.report.sections.money import LEVERS, Lever, compared, grouped, lever
from tuneworthy.report.sections.verdict import how_many
from tuneworthy.web.guard import COOKIE
from tuneworthy.web.render import (
    FORMS,
    SCRIPT,
    ExportForm,
    address,
    exported,
    link,
    page,
    site_of,
    tab_page,
    told,
    wants_part,
)
from tuneworthy.workspace.cases import stated
from tuneworthy.workspace.workspace import EvaluatedCase, earlier, since, since_dossier

# The first page: the cases side by side; and the form for a new one.

# The first page: the cases side by side; and the form for a new one.

cases_router = APIRouter(include_in_schema=False)


@cases_router.get("/")
def cases(
    request: Request,
    find: Annotated[str, Query(max_length=100)] = "",
    after: Annotated[str, Query(max_length=100)] = "",
) -> HTMLResponse:
    """One line a case; more on demand."""
    found = site_of(request).workspace.listed(find, after)
    more = ""
    if found.rows and found.left:
        more = "/?" + urlencode({"find": find, "after": found.rows[-1].name})
    shown = {
        "rows": found.rows,
        "total": found.total,
        "find": find,
        "more": more,
        "says": how_many(found.total, found.matching),
    }
    part = wants_part(request) and after
    return page(request, "rows.html" if part else "list.html", found=shown)


@cases_router.get("/new")
def new(request: Request) -> HTMLResponse:
    """The form for a new case."""
    return page(request, "new.html", given={"folder": "", "title": ""}, wrong="")


@cases_router.post("/new")
def make(
    request: Request,
    title: Annotated[str, Form(max_length=200)],
    folder: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Make a case folder, and go to its interview; one that is there is never touched."""
    workspace = site_of(request).workspace
    try:
        place = workspace.start(folder.strip() or folder_name(title), title)
    except InputError as caught:
        given, wrong = {"folder": folder, "title": title}, workspace.directory.plain_error(caught)
        return page(request, "new.html", 422, given=given, wrong=wrong)
    return RedirectResponse(f"{address(place.name)}/interview", 303)


def folder_name(title: str) -> str:
    """A name for a folder from what a case is called; empty where no letter is left."""
    words = re.findall(r"\w+", title.lower())
    return "-".join(words)[:60].strip("-_")


# A case: answers that toggle, and what moves with them.

answers_router = APIRouter(include_in_schema=False)


@answers_router.get("/cases/{name}")
def case(request: Request, name: str) -> Response:
    """The answers of a case beside what they come to."""
    evaluated = site_of(request).workspace.evaluated(name)
    return tab_page(request, name, evaluated, "answers", "answers.html", **moving(evaluated))


def stated_on(evaluated: EvaluatedCase) -> dict[str, State]:
    """What the case file says to each question, by path."""
    return stated(evaluated.case, evaluated.framework)


def moving(evaluated: EvaluatedCase) -> dict[str, Any]:
    """Everything on the page that an answer can move."""
    dossier, said = evaluated.dossier, stated_on(evaluated)
    candidate = dossier.verdict.outcome == "fine_tune_candidate"
    return {
        "groups": answer_form.groups(dossier, evaluated.framework, said),
        "reached": answer_form.possible_outcomes(dossier),
        "next": answer_form.next_question(dossier),
        "change": verdict.change(dossier),
        "fit": verdict.fit(dossier),
        "strength": strength_text(dossier),
        "gates": gates(dossier) if candidate else None,
        "seen": " ".join(f"{key}={value}" for key, value in said.items()),
    }


@answers_router.post("/cases/{name}/answers")
async def answer(request: Request, name: str) -> Response:
    """Write what changed on the form, if the case is still as the form was made from it."""
    from starlette.concurrency import run_in_threadpool

    form = {key: value for key, value in (await request.form()).items() if isinstance(value, str)}
    return await run_in_threadpool(_answered, request, name, form)


def _answered(request: Request, name: str, form: dict[str, str]) -> Response:
    workspace = site_of(request).workspace
    asked = stated_on(workspace.evaluated(name))
    pairs = (pair.partition("=")[::2] for pair in form.get("seen", "").split())
    seen = {key: value for key, value in pairs if key in asked}
    mine = {key: form[key] for key in seen if key in form and form[key] != seen[key]}
    try:
        evaluated = (
            workspace.set_answers(name, mine, form.get("digest", ""))
            if mine
            else workspace.evaluated(name)
        )
    except ConflictError:
        return _conflict(request, name, seen, mine)
    if not wants_part(request):
        return RedirectResponse(address(name), 303)
    return page(
        request, "moved.html", **{**told(name, evaluated), **moving(evaluated), "swap": True}
    )


def _conflict(request: Request, name: str, seen: dict[str, str], mine: dict[str, str]) -> Response:
    evaluated = site_of(request).workspace.evaluated(name)
    now = stated_on(evaluated)
    titles = answer_form.titles(evaluated.framework)
    known = {key: value for key, value in seen.items() if key in titles}
    values = {
        "theirs": [(titles[k], was, now[k]) for k, was in known.items() if now[k] != was],
        "mine": [(k, titles[k], v, now[k]) for k, v in mine.items() if k in titles],
        **moving(evaluated),
    }
    if wants_part(request):
        part = page(request, "conflict.html", 409, **{**told(name, evaluated), **values})
        part.headers["HX-Retarget"], part.headers["HX-Reswap"] = "#notice", "innerHTML"
        return part
    return tab_page(request, name, evaluated, "answers", "conflicted.html", 409, **values)


# Tabs that show a part of the report.

tabs_router = APIRouter(include_in_schema=False)


@tabs_router.get("/cases/{name}/evidence")
def evidence(request: Request, name: str) -> HTMLResponse:
    """Every answer with where it comes from, and what was measured."""
    evaluated = site_of(request).workspace.evaluated(name)
    return tab_page(
        request, name, evaluated, "evidence", sections=(record.answers(evaluated.dossier),)
    )


@tabs_router.get("/cases/{name}/options")
def options(request: Request, name: str) -> HTMLResponse:
    """What could be done instead, all of it side by side, and how tuning would be done."""
    evaluated = site_of(request).workspace.evaluated(name)
    found = (
        instead.section(evaluated.dossier, folded=False),
        instead.approaches(evaluated.dossier),
    )
    return tab_page(request, name, evaluated, "options", sections=found)


@tabs_router.get("/cases/{name}/precedents")
def precedents(request: Request, name: str) -> HTMLResponse:
    """What happened to others."""
    evaluated = site_of(request).workspace.evaluated(name)
    return tab_page(
        request, name, evaluated, "precedents", sections=(others.others(evaluated.dossier),)
    )


@tabs_router.get("/cases/{name}/plan")
def plan(request: Request, name: str) -> HTMLResponse:
    """The phases, with dates."""
    evaluated = site_of(request).workspace.evaluated(name)
    return tab_page(request, name, evaluated, "plan", sections=(plans.section(evaluated.dossier),))


# What a case said before, and what changed since.

history_router = APIRouter(include_in_schema=False)


@history_router.get("/cases/{name}/history")
def history(
    request: Request, name: str, then: Annotated[str, Query(pattern="^[0-9a-f]{64}$|^$")] = ""
) -> Response:
    """The versions that were written from here; and, for one of them, what changed since."""
    evaluated = site_of(request).workspace.evaluated(name)
    if not then:
        return _page(request, name, evaluated)
    found = since(evaluated, then)
    return _page(
        request, name, evaluated, sections=(difference(found.difference),), lines=found.lines
    )


@history_router.post("/cases/{name}/history")
def cases_compared(request: Request, name: str, dossier: Annotated[UploadFile, File()]) -> Response:
    """What changed since a dossier that was kept; the file isn't stored."""
    evaluated = site_of(request).workspace.evaluated(name)
    try:
        raw = dossier.file.read().decode("utf-8", "replace")
        found = since_dossier(raw, evaluated)
    except InputError as caught:
        return _page(request, name, evaluated, 422, wrong=str(caught))
    return _page(request, name, evaluated, sections=(difference(found),))


def _page(
    request: Request, name: str, evaluated: EvaluatedCase, status: int = 200, **values: Any
) -> Response:
    told = {"sections": (), "lines": (), "wrong": "", **values}
    found = earlier(evaluated.case, evaluated.framework)
    kept = version_lines(
        [(one.at, one.digest, one.verdict, one.answers) for one in found],
        titles(evaluated.framework),
        evaluated.digest,
    )
    return tab_page(
        request, name, evaluated, "history", "history.html", status, versions=kept, **told
    )


# The report of a case, to read and to take along.

router = APIRouter(include_in_schema=False)


@router.get("/cases/{name}/report")
def report(request: Request, name: str) -> Response:
    """What there is, in which form."""
    evaluated = site_of(request).workspace.evaluated(name)
    forms = [(kind.title, kind.says, link(name, form)) for form, kind in FORMS.items()]
    return tab_page(request, name, evaluated, "report", "report.html", forms=forms)


@router.get("/cases/{name}/report/view")
def view(request: Request, name: str) -> Response:
    """The page that is one file, shown."""
    return exported(site_of(request).workspace, name, "html", attached=False)


@router.get("/cases/{name}/report/{form}")
def file(request: Request, name: str, form: ExportForm) -> Response:
    """A file to save."""
    return exported(site_of(request).workspace, name, form)


# The charts of a case: each at an address of its own, and the script that draws them.

charts_router = APIRouter(include_in_schema=False)

Width = Annotated[Literal["wide", "narrow"], Query()]
_FOREVER = "public, max-age=31536000, immutable"
_MAKER = ThreadPoolExecutor(1, "charts")
"""Who waits for the script to be made takes no thread from other requests."""


@charts_router.get(SCRIPT)
async def script(request: Request) -> Response:
    """The script that draws; made once, in seconds, and kept."""
    digest = script_digest()
    headers = {"ETag": f'"{digest}"', "Cache-Control": "no-cache"}
    if request.url.query == digest:
        headers["Cache-Control"] = _FOREVER
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    made = await asyncio.get_running_loop().run_in_executor(_MAKER, chart_script)
    return Response(made, media_type="text/javascript", headers=headers)


@charts_router.get("/cases/{name}/charts/{chart}")
def cases_chart(request: Request, name: str, chart: str, width: Width = "wide") -> Response:
    """A chart of the case's report: ``NAME.json`` for Vega-Lite, ``NAME.svg`` as it stands."""
    return chart_answer(
        request, pictures(site_of(request).workspace.evaluated(name).dossier), chart, width
    )


def chart_answer(
    request: Request, found: Mapping[str, Picture], chart: str, width: Literal["wide", "narrow"]
) -> Response:
    """One of some pictures, by its name and the form it is wanted in.

    Args:
        request: What asked for it.
        found: Pictures by id.
        chart: Id and ending.
        width: For a desk or for a telephone.

    Raises:
        HTTPException: 404 if there is none of that name.
    """
    name, _, form = chart.rpartition(".")
    picture = found.get(name)
    if picture is None or form not in ("json", "svg"):
        raise HTTPException(404, "there is no such chart; what it showed may have changed")
    narrow = width == "narrow"
    if form == "svg":
        body = still(picture.drawing, narrow=narrow)
        media = "image/svg+xml"
    else:
        body = json.dumps(picture.drawing.spec(NARROW if narrow else WIDE), allow_nan=False)
        media = "application/json"
    headers = {
        "ETag": f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"',
        "Cache-Control": "private, no-cache",
    }
    if form == "svg":
        headers["Content-Security-Policy"] = policy(STYLE)
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media, headers=headers)


# The money of a case: what it comes to, and what it would come to with other amounts.

# The money of a case: what it comes to, and what it would come to with other amounts.

money_router = APIRouter(include_in_schema=False)

_LONGEST = 4_000
_MEANWHILE = (
    "Somebody else changed this case meanwhile, so nothing is written yet. Below, your numbers "
    "are shown next to what the file says now."
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

login_router = APIRouter(include_in_schema=False)


@login_router.get("/login")
def login(request: Request) -> Response:
    """The form; nobody needs it on the loopback."""
    if site_of(request).token is None:
        return RedirectResponse("/", 303)
    return page(request, "login.html", wrong=False)


@login_router.post("/login")
def enter(request: Request, token: Annotated[str, Form(max_length=200)]) -> Response:
    """Hand out the session, if the token is right."""
    site = site_of(request)
    if not site.is_token(token.strip()):
        wrong: HTMLResponse = page(request, "login.html", 401, wrong=True)
        return wrong
    entered = RedirectResponse("/", 303)
    entered.set_cookie(COOKIE, site.session, httponly=True, samesite="strict", path="/")
    return entered
