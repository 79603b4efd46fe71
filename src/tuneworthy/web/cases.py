"""The list of cases, and the pages of a case: answers, parts of the report, money, charts."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, quote, urlencode

from fastapi import APIRouter, File, Form, HTTPException, Query, Request, UploadFile
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from tuneworthy.cases.portfolio import CaseQuery, total_facts
from tuneworthy.cases.workspace import (
    MOST_CASES,
    answers_since,
    since_dossier,
    writers_since,
)
from tuneworthy.errors import ConflictError, InputError, one_line
from tuneworthy.interview.questions import levers as lever_asks
from tuneworthy.model.base import Unknown
from tuneworthy.model.dossier import Dossier
from tuneworthy.report import blocks as b
from tuneworthy.report.blocks import Picture, Section, pictures_in
from tuneworthy.report.charts import NARROW, WIDE
from tuneworthy.report.document import pictures
from tuneworthy.report.document import report as memo_of
from tuneworthy.report.html import STYLE, chart_script, policy, script_digest, still
from tuneworthy.report.sections import memo, money, payback, plan, record, verdict
from tuneworthy.report.sections import precedents as others
from tuneworthy.report.sections import ways as table
from tuneworthy.report.sections.deltas import deltas
from tuneworthy.report.sections.difference import beside, difference
from tuneworthy.runs.labs import kept_runs
from tuneworthy.web.guard import let_in, site_of
from tuneworthy.web.overview import look_at
from tuneworthy.web.render import (
    AUTHOR,
    FOREVER,
    SCRIPT,
    AskedCase,
    ExportForm,
    OfCase,
    ReadDigest,
    Typed,
    address,
    behind,
    exported,
    for_notice,
    page,
    query,
    wants_part,
)
from tuneworthy.words import capital, day, interval_text, listing

router = APIRouter()

# The first page: the cases side by side; the form for a new one; and the token, where one is asked.


class Listed(CaseQuery):
    """The query of the list."""

    shown: int = Field(0, ge=0, le=MOST_CASES)
    """The number of rows on the page that are looked at again; 0 for the first part."""
    again: int = Field(0, ge=0, le=5)
    """How often they were looked at again in a row, while cases are judged."""


@router.get("/")
def cases(request: Request, asked: Annotated[Listed, Query()]) -> HTMLResponse:
    """Show a row for each case; more on demand."""
    portfolio = site_of(request).workspace.listed(asked, most=asked.shown)
    part = wants_part(request) and asked.after
    return page(
        request,
        "rows.html" if part else "list.html",
        found=portfolio,
        asked=asked,
        at=partial(_list_address, asked),
        sums=b.facts([*total_facts(portfolio)][1:]),
        people=portfolio.owners or portfolio.totals.due or asked.order == "review",
    )


class Sides(BaseModel):
    """The cases to compare, each with answers to suppose, as ``few_shot=yes low_volume=no``."""

    of: list[str] = []  #: The two that were ticked in the list.
    a: str = ""
    b: str = ""
    a_if: str = Field("", max_length=2000)
    b_if: str = Field("", max_length=2000)


@router.get("/compare")
def compared(request: Request, asked: Annotated[Sides, Query()]) -> HTMLResponse:
    """Show two cases side by side, or a case and a what-if of it."""
    workspace = site_of(request).workspace
    wrong = ""
    a, b_ = [*asked.of, asked.a, asked.b][:2]
    dossiers = list[Dossier]()
    titles = list[str]()
    try:
        for name, supposed in ((a, asked.a_if), (b_, asked.b_if)):
            if name:
                pairs = (pair.partition("=")[::2] for pair in supposed.split())
                dossiers.append(workspace.what_if(name, dict(pairs)).dossier)
                title = dossiers[-1].case.name
                if supposed:
                    title += f" with {supposed}"
                titles.append(title)
    except InputError as caught:
        wrong = workspace.directory.plain_error(caught)
    sections: list[Section] = []
    if len(dossiers) == 2:
        first, second = dossiers
        sections += beside(first, second, titles)
    fields = {"a": a, "b": b_, "a_if": asked.a_if, "b_if": asked.b_if}
    more = [*filter(None, asked.of[2:])]
    if more:
        fields["left"] = f"Only the first two are compared; left out: {listing(more)}."
    else:
        fields["left"] = ""
    values = {
        "told": fields,
        "names": workspace.names(),
        "wrong": wrong,
        "sections": sections,
    }
    return page(request, "compare.html", 422 if wrong else 200, **values)


def _list_address(asked: Listed, **changes: Any) -> str:
    """The address of the list with some changes, at its beginning unless they say otherwise."""
    begun = asked.model_copy(update={"after": "", "shown": 0, "again": 0, **changes})
    return "/" + query(begun, Listed)


@router.get("/new")
def new(request: Request) -> HTMLResponse:
    """Show the form for a new case."""
    return page(request, "new.html", given={"folder": "", "title": ""}, wrong="")


@router.post("/new")
def make(
    request: Request,
    title: Typed,
    folder: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Make a case folder, and go to its interview; an existing folder is never changed."""
    workspace = site_of(request).workspace
    words = re.findall(r"\w+", title.lower())
    try:
        place = workspace.start(
            folder.strip() or "-".join(words)[:60].strip("-_"), title
        )
    except InputError as caught:
        typed = {"folder": folder, "title": title}
        wrong = workspace.directory.plain_error(caught)
        return page(request, "new.html", 422, given=typed, wrong=wrong)
    return RedirectResponse(f"{address(place.name)}/interview", 303)


@router.get("/login")
def login(request: Request) -> Response:
    """Show the form for visitors without the link."""
    return page(request, "login.html", wrong=False)


@router.post("/login")
def enter(request: Request, token: Typed) -> Response:
    """Give the session to a visitor with the right token."""
    site = site_of(request)
    if not site.is_token(token.strip()):
        return page(request, "login.html", 401, wrong=True)
    return let_in(RedirectResponse("/", 303), site)


# A case: all that decides, on one screen.


@router.get("/cases/{name}")
def overview(of: OfCase) -> Response:
    """Show the answer, its grounds, the money, the challenges, and the next step."""
    decided = of.evaluated.case.decision
    named: dict[str, object] = {
        "an owner": decided.owner,
        "an approver": decided.approver,
    }
    named["a day of review"] = decided.review_on
    lacks = listing([what for what, there in named.items() if not there])
    shown = look_at(of.evaluated, of.name)
    return of.page("overview.html", shown=shown, decided=decided, lacks=lacks)


# Answers that toggle, and what moves with them.

_MOVING: dict[str, Any] = {"form": record, "verdict": verdict}
"""The parts of a page that an answer can change."""


Digest = Annotated[str, Query(pattern="^[0-9a-f]{64}$|^$")]


@router.get("/cases/{name}/answers")
def answers(of: OfCase, undo: Digest = "", made: Digest = "") -> Response:
    """Show the answers of a case beside their verdict; answers in the address are a what-if.

    ``undo`` is the version before the last save, and ``made`` the version after it.
    """
    asked = of.stated
    states = {
        key: of.request.query_params.get(key, state) for key, state in asked.items()
    }
    mine = {key: state for key, state in states.items() if state != asked[key]}
    if made != of.evaluated.digest:
        undo = ""
    return of.page("answers.html", **_supposed(of, mine, undo))


def _supposed(of: AskedCase, mine: Mapping[str, str], undo: str = "") -> dict[str, Any]:
    """The values of the answers tab: the case judged as if these answers were written."""
    supposed = of.workspace.what_if(of.name, mine, as_written=True).dossier
    named = record.titles(of.evaluated.framework)
    lines = [f"{named[key]}: {state}" for key, state in mine.items()]
    values = {
        "mine": lines,
        "undo": undo,
        "supposed": supposed,
        "states": {**of.stated, **mine},
    }
    return {**_MOVING, **values, "changes": deltas(of.dossier, supposed)}


class AnswerForm(BaseModel, extra="allow"):
    """The form of a case: answers by path, and the digest of the file that it was made from."""

    digest: str = ""
    seen: str = ""  #: Each question with its answer as it was shown, as ``factors.brand_voice=no``.

    def changed_answers(
        self, asked: Mapping[str, str]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """The shown answers, and those that changed, for questions that are asked."""
        posted = {
            k: v for k, v in (self.model_extra or {}).items() if isinstance(v, str)
        }
        pairs = (pair.partition("=")[::2] for pair in self.seen.split())
        seen = {key: value for key, value in pairs if key in asked}
        return seen, {
            key: posted[key] for key in seen if posted.get(key, seen[key]) != seen[key]
        }


@router.post("/cases/{name}/answers/if")
def suppose(of: OfCase, form: Annotated[AnswerForm, Form()]) -> Response:
    """Show how the answers of the form would change the verdict; nothing is written."""
    _, mine = form.changed_answers(of.stated)
    at = "/answers" + behind(mine)
    if not of.part:
        return of.to(at)
    part = of.page("moved.html", **_supposed(of, mine), swap=True, saved=False)
    part.headers["HX-Replace-Url"] = of.base + at
    return part


@router.post("/cases/{name}/answers")
def answer(of: OfCase, form: Annotated[AnswerForm, Form()]) -> Response:
    """Write the changes of the form, if the case file hasn't changed since."""
    seen, mine = form.changed_answers(of.stated)
    try:
        if mine:
            of.evaluated = of.workspace.set_answers(of.name, mine, form.digest)
    except ConflictError:
        return _conflict(AskedCase(of.request, of.name), seen, mine, form.digest)
    if not of.part:
        saved = {"undo": form.digest, "made": of.evaluated.digest} if mine else {}
        return of.to("/answers" + behind(saved))
    values = _supposed(of, {}, form.digest if mine else "")
    part = of.page("moved.html", **values, swap=True, saved=True)
    part.headers["HX-Replace-Url"] = f"{of.base}/answers"
    return part


def _conflict(
    of: AskedCase, seen: dict[str, str], mine: dict[str, str], digest: str
) -> Response:
    """The page that shows two people's answers to the same questions."""
    now = of.stated
    titles = record.titles(of.evaluated.framework)
    others = (key for key, was in seen.items() if key in titles and now[key] != was)
    theirs = [(titles[key], seen[key], now[key]) for key in others]
    template = "conflict.html" if of.part else "answers.html"
    more = _supposed(of, {})
    more |= {"who": writers_since(of.evaluated.case, digest)}
    response = of.page(template, 409, **more, given=mine, theirs=theirs, titles=titles)
    return for_notice(response) if of.part else response


@router.post("/cases/{name}/answers/undo")
def undo(of: OfCase, then: ReadDigest, digest: ReadDigest) -> Response:
    """Take back the last save; the present file is kept as a version.

    If others wrote since the page was made, nothing is written, and the page names them.
    """
    try:
        of.workspace.undo(of.name, then, digest)
    except ConflictError:
        now = of.evaluated
        what = "other fields"
        with suppress(InputError):  # the version may not be kept
            what = listing(answers_since(now, digest)) or what
        why = f"{writers_since(now.case, digest)} changed it since ({what}), and that would go"
        raise ConflictError(
            why, fix="look at it, and answer again what you want otherwise"
        ) from None
    return of.to("/answers")


@router.post("/cases/{name}/confirm")
def confirm(of: OfCase, digest: ReadDigest) -> Response:
    """Confirm the answers by an assistant, if the case file hasn't changed since."""
    of.workspace.confirm(of.name, digest)
    return of.to("/answers")


class NoteForm(BaseModel, extra="allow"):
    """The notes beside the answers: the one to save, its author, and all texts."""

    digest: str = Field("", max_length=64)
    key: str = Field("", max_length=200)
    by: str = Field("", max_length=80)


@router.post("/cases/{name}/notes")
def note(of: OfCase, form: Annotated[NoteForm, Form()]) -> Response:
    """Write a note beside an answer, with its author and time; the author's name is remembered."""
    by = one_line(form.by.strip())
    notes = form.model_extra or {}
    if form.key and form.key not in of.stated:
        raise HTTPException(404, "there is no such question")
    was = of.note(form.key) if form.key else ""
    text = " ".join(str(notes.get(f"note.{form.key}", was)).split()) if form.key else ""
    if text != was:
        if text and by:
            unsigned = re.sub(rf" \({re.escape(by)}, [^()]*\)$", "", text)
            text = f"{unsigned} ({by}, {day(of.dossier.as_of)})"
        mine = {f"{form.key}.note": text}
        of.evaluated = of.workspace.written_by(by).set_answers(
            of.name, mine, form.digest
        )
    at = "/answers"
    if form.key:
        at += f"#q-{form.key}"
    response = of.page("noted.html", key=form.key, swap=True) if of.part else of.to(at)
    response.set_cookie(AUTHOR, quote(by), 31_536_000, httponly=True, samesite="strict")
    return response


# What the palette finds inside a case: questions, runs and numbers.


@router.get("/cases/{name}/find")
def find_inside(
    of: OfCase, words: Annotated[str, Query(max_length=100)] = ""
) -> JSONResponse:
    """Questions, runs and numbers with these words in their name: address, text and kind of each."""
    named_words = words.casefold().split()
    places = [
        [address, text, kind]
        for address, text, kind in _places(of)
        if all(word in text.casefold() for word in named_words)
    ]
    return JSONResponse(places[:_MOST_FOUND])


_MOST_FOUND = 12


def _places(of: AskedCase) -> Iterator[tuple[str, str, str]]:
    """Everything in a case with an address of its own."""
    for key, title in record.titles(of.evaluated.framework).items():
        yield f"{of.base}/answers#q-{key}", capital(title), "question"
    for fact in (*money.ask_facts(of.dossier), *money.facts(of.dossier)):
        yield f"{of.base}/money", f"{fact.label}: {fact.value}", "number"
    for run in kept_runs(of.evaluated.case):
        yield f"{of.base}/runs/{run.id}", f"{run.says} ({day(run.at.date())})", "run"


# Tabs that show a part of the report, and the report itself.

_PARTS: dict[str, tuple[Callable[[Dossier], Section], ...]] = {
    "evidence": (record.answers,),
    "options": (partial(table.section, folded=False), table.approaches),
    "precedents": (others.others,),
    "plan": (plan.section,),
}


def part_of_report(of: OfCase) -> HTMLResponse:
    """Show the sections of a tab."""
    parts = _PARTS[of.request.url.path.rpartition("/")[2]]
    return of.page(sections=[section(of.dossier) for section in parts])


for _tab in _PARTS:
    router.get(f"/cases/{{name}}/{_tab}")(part_of_report)


@router.get("/cases/{name}/report")
def report(of: OfCase) -> Response:
    """Show the memo, and the forms to download it."""
    return _report_page(of)


def _report_page(of: OfCase, status: int = 200, **values: Any) -> Response:
    return of.page(
        "report.html", status, memo=memo_of(of.dossier, short=True), **values
    )


@router.post("/cases/{name}/report/since")
def compared_with(of: OfCase, dossier: Annotated[UploadFile, File()]) -> Response:
    """Show the changes since a dossier that the user uploads; the file isn't stored."""
    try:
        changes = since_dossier(
            dossier.file.read().decode("utf-8", "replace"), of.evaluated
        )
    except InputError as caught:
        return _report_page(of, 422, wrong=str(caught))
    return _report_page(of, sections=(difference(changes),))


@router.get("/cases/{name}/report/view")
def view(of: OfCase) -> Response:
    """Show the report that is one file."""
    return exported(of, "html", attached=False)


@router.get("/cases/{name}/report/{form}")
def file(of: OfCase, form: ExportForm) -> Response:
    """Download the report; as PDF, the memo alone, printed by a browser of this machine."""
    try:
        return exported(of, form)
    except InputError as caught:  # no browser that prints
        return _report_page(of, 503, wrong_form=of.plain(caught))


# The charts of a case: each at an address of its own, and the script that draws them.

Width = Annotated[Literal["wide", "narrow"], Query()]
_MAKER = ThreadPoolExecutor(1, "charts")
"""A thread of its own for requests that wait for the script, so that no other request waits."""


@router.get(SCRIPT)
async def script(request: Request) -> Response:
    """Serve the script that draws charts. It is built once, in some seconds, and kept."""
    digest = script_digest()
    headers = {"ETag": f'"{digest}"', "Cache-Control": "no-cache"}
    if request.url.query == digest:
        headers["Cache-Control"] = FOREVER
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    text = await asyncio.get_running_loop().run_in_executor(_MAKER, chart_script)
    return Response(text, media_type="text/javascript", headers=headers)


@router.get("/cases/{name}/charts/{chart}")
def case_chart(of: OfCase, chart: str, width: Width = "wide") -> Response:
    """Serve a chart of the report: ``NAME.json`` for Vega-Lite, ``NAME.svg`` as a still picture."""
    return chart_answer(of, pictures(of.dossier), chart, width)


def chart_answer(
    of: AskedCase,
    drawn: Mapping[str, Picture],
    chart: str,
    width: Literal["wide", "narrow"],
) -> Response:
    """One of some pictures by its id, in the format of its ending, for a desk or a telephone."""
    name, _, form = chart.rpartition(".")
    picture = drawn.get(name)
    narrow = width == "narrow"
    headers = {"Cache-Control": "private, no-cache"}
    if picture is not None and form == "svg":
        body = still(picture.drawing, narrow=narrow)
        media = "image/svg+xml"
        headers["Content-Security-Policy"] = policy(STYLE)
    elif picture is not None and form == "json":
        base = of.request.url.path.rpartition("/charts/")[0]
        body = json.dumps(
            picture.drawing.spec(NARROW if narrow else WIDE, base), allow_nan=False
        )
        media = "application/json"
    else:
        raise HTTPException(
            404, "there is no such chart; what it showed may have changed"
        )
    headers["ETag"] = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
    if of.request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media, headers=headers)


# The money of a case: what it comes to, and what it would come to with other amounts.

_LONGEST = 4_000
_MEANWHILE = (
    "Somebody else changed this case meanwhile, so nothing is written yet. Below, your numbers "
    "are shown next to what the file says now."
)


@router.get("/cases/{name}/money")
def investment(of: OfCase) -> HTMLResponse:
    """Show the money of a case; amounts in the address replace the case's own."""
    return _with_amounts(
        of, {key: text.strip() for key, text in of.request.query_params.items()}
    )


@router.post("/cases/{name}/money")
def write(
    of: OfCase,
    code: Annotated[str, Form(alias="given", max_length=_LONGEST)],
    digest: ReadDigest,
) -> Response:
    """Write the amounts of a what-if into the case."""
    amounts = _amounts_from_code(code)
    try:
        of.workspace.set_answers(of.name, amounts, digest)
    except ConflictError:
        return _with_amounts(of, amounts, 409, _MEANWHILE)
    return of.to("/money")


@router.get("/cases/{name}/money/if/{code}/charts/{chart}")
def chart(of: OfCase, code: str, chart: str, width: Width = "wide") -> Response:
    """Serve a chart of a what-if."""
    supposed = of.workspace.what_if(of.name, _amounts_from_code(code))
    drawn = pictures_in((money.investment(supposed.dossier),))
    return chart_answer(of, drawn, chart, width)


def _with_amounts(
    of: AskedCase, texts: Mapping[str, str], status: int = 200, notice: str = ""
) -> HTMLResponse:
    """The page on money with other amounts supposed; nothing is written."""
    now = supposed = of.evaluated
    asks = {ask.id: ask for ask in lever_asks(now.case, now.framework)}
    levers = [
        money.lever(asks[name], texts.get(name))
        for name in money.LEVERS
        if name in asks
    ]
    amounts = {
        lever.id: lever.text or "unknown"
        for lever in levers
        if lever.text != lever.stated
    }
    code = urlsafe_b64encode(urlencode(amounts).encode()).decode()
    values: dict[str, Any] = {
        "notice": notice,
        "given": code,
        "wrong": "",
        "compared": None,
    }
    evidence = () if isinstance(now.dossier.evidence, Unknown) else now.dossier.evidence
    values["measured"] = {
        item.factor: interval_text(item.value, item.low, item.high, item.unit)
        for item in evidence
        if not item.ignored
    }
    try:
        supposed = of.workspace.what_if(of.name, amounts)
    except InputError as caught:
        values["wrong"] = of.plain(caught)
        status = 422
    else:
        if amounts:
            values["charts"] = f"{of.base}/money/if/{code}/charts"
            values["compared"] = money.compared(now.dossier, supposed.dossier)
            values["changes"] = deltas(now.dossier, supposed.dossier)
    values |= {
        "in_short": _money_in_short(now.dossier),
        "groups": money.grouped(levers),
        "sections": (money.investment(supposed.dossier),),
    }
    if not of.part:
        return of.page("money.html", status, **values)
    part = of.page("worked.html", status, **values, swap=True)
    typed = {lever.id: lever.text for lever in levers if lever.id in amounts}
    part.headers["HX-Replace-Url"] = f"{of.base}/money{behind(typed)}"
    return part


def _money_in_short(dossier: Dossier) -> b.Facts:
    """What the amounts come to, as the first page of the case says it."""
    ask = memo.cost(dossier)
    back = payback.pays_back(dossier)
    late = payback.never_repaid(dossier)
    rows = [
        b.Fact("Ask now", ask.value.rstrip(",")),
        b.Fact(back.label, back.value, late),
    ]
    return b.facts([*rows, *payback.rival_facts(dossier)])


def _amounts_from_code(code: str) -> dict[str, str]:
    """Decode the amounts in a part of an address."""
    try:
        decoded = urlsafe_b64decode(code[:_LONGEST]).decode()
    except ValueError:
        raise HTTPException(404, "there is no such what-if") from None
    return {key: text for key, text in parse_qsl(decoded) if key in money.LEVERS}
