"""The list of cases, and the pages of a case: answers, parts of the report, money, charts."""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from fastapi import APIRouter, Form, HTTPException, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from tuneworthy.cases.portfolio import CaseQuery
from tuneworthy.cases.workspace import (
    MOST_CASES,
    answers_since,
    writers_since,
)
from tuneworthy.errors import ConflictError, InputError, one_line
from tuneworthy.files.runs import kept_runs
from tuneworthy.interview.answers import EvaluatedCase
from tuneworthy.interview.questions import levers as lever_asks
from tuneworthy.model.dossier import Dossier
from tuneworthy.report import blocks as b
from tuneworthy.report.blocks import Picture, Section, pictures_in
from tuneworthy.report.document import pictures
from tuneworthy.report.document import report as memo_of
from tuneworthy.report.html import STYLE, policy, still
from tuneworthy.report.sections import memo, money, payback, plan, record, verdict
from tuneworthy.report.sections import ways as table
from tuneworthy.report.sections.deltas import deltas
from tuneworthy.report.sections.evidence import measurements
from tuneworthy.web.guard import let_in, site_of
from tuneworthy.web.overview import look_at
from tuneworthy.web.render import (
    AUTHOR,
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
    wants_more_rows = wants_part(request) and asked.after
    return page(
        request,
        "rows.html" if wants_more_rows else "list.html",
        found=portfolio,
        asked=asked,
        at=partial(_list_address, asked),
        people=portfolio.owners or portfolio.totals.due or asked.order == "review",
    )


def _pairs(text: str) -> dict[str, str]:
    """The values of a text as ``few_shot=yes low_volume=no``, by their keys."""
    pairs = {}
    for pair in text.split():
        key, _, value = pair.partition("=")
        pairs[key] = value
    return pairs


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
    name = folder.strip()
    if not name:
        words = re.findall(r"\w+", title.lower())
        name = "-".join(words)[:_LONGEST_FOLDER].strip("-_")  # a cut may end in one
    try:
        place = workspace.start(name, title)
    except InputError as caught:
        typed = {"folder": folder, "title": title}
        wrong = workspace.directory.plain_error(caught)
        return page(request, "new.html", 422, given=typed, wrong=wrong)
    return RedirectResponse(f"{address(place.name)}/interview", 303)


_LONGEST_FOLDER = 60  #: Characters of a folder's name that is made from a title.


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
    lacks = []
    if not decided.owner:
        lacks.append("an owner")
    if not decided.approver:
        lacks.append("an approver")
    if not decided.review_on:
        lacks.append("a day of review")
    shown = look_at(of.evaluated, of.name)
    return of.page("overview.html", shown=shown, decided=decided, lacks=listing(lacks))


# Answers that toggle, and what moves with them.

_MOVING: dict[str, Any] = {"form": record, "verdict": verdict}
"""The parts of a page that an answer can change."""


Digest = Annotated[str, Query(pattern="^[0-9a-f]{64}$|^$")]


@router.get("/cases/{name}/answers")
def answers(of: OfCase, undo: Digest = "", made: Digest = "") -> Response:
    """Show the answers of a case beside their verdict; answers in the address are a what-if.

    ``undo`` is the version before the last save, and ``made`` the version after it.
    """
    supposed = {}
    for key, state in of.stated.items():
        in_address = of.request.query_params.get(key, state)
        if in_address != state:
            supposed[key] = in_address
    # somebody saved since, which an undo would take back
    if made != of.evaluated.digest:
        undo = ""
    return of.page("answers.html", **_supposed(of, supposed, undo))


def _supposed(of: AskedCase, mine: Mapping[str, str], undo: str = "") -> dict[str, Any]:
    """The values of the answers tab: the case judged as if these answers were written."""
    supposed = of.workspace.what_if(of.name, mine, as_written=True).dossier
    titles = record.titles(of.evaluated.framework)
    return {
        **_MOVING,
        "mine": [f"{titles[key]}: {state}" for key, state in mine.items()],
        "undo": undo,
        "supposed": supposed,
        "states": {**of.stated, **mine},
        "changes": deltas(of.dossier, supposed),
    }


class ChangedAnswers(NamedTuple):
    """Answers by the paths of their questions."""

    seen: dict[str, str]  #: As the page showed them.
    mine: dict[str, str]  #: Those that the user changed.


class AnswerForm(BaseModel, extra="allow"):
    """The form of a case: answers by path, and the digest of the file that it was made from."""

    digest: str = ""
    seen: str = ""  #: Each question with its answer as it was shown, as ``factors.brand_voice=no``.

    def changed_answers(self, stated: Mapping[str, str]) -> ChangedAnswers:
        """The shown answers, and those that changed, for the questions of ``stated``."""
        posted = self.model_extra or {}
        seen = {key: was for key, was in _pairs(self.seen).items() if key in stated}
        mine = {}
        for key, was in seen.items():
            answer = posted.get(key, was)
            if isinstance(answer, str) and answer != was:  # no file in its place
                mine[key] = answer
        return ChangedAnswers(seen, mine)


@router.post("/cases/{name}/answers/if")
def suppose(of: OfCase, form: Annotated[AnswerForm, Form()]) -> Response:
    """Show how the answers of the form would change the verdict; nothing is written."""
    mine = form.changed_answers(of.stated).mine
    path = "/answers" + behind(mine)
    if not of.part:
        return of.to(path)
    part = of.page("moved.html", **_supposed(of, mine), swap=True, saved=False)
    part.headers["HX-Replace-Url"] = of.base + path
    return part


@router.post("/cases/{name}/answers")
def answer(of: OfCase, form: Annotated[AnswerForm, Form()]) -> Response:
    """Write the changes of the form, if the case file hasn't changed since."""
    changed = form.changed_answers(of.stated)
    mine = changed.mine
    try:
        if mine:
            of.evaluated = of.workspace.set_answers(of.name, mine, form.digest)
    except ConflictError:
        now = AskedCase(of.request, of.name)  # ``of`` has looked before the change
        return _conflict(now, changed, form.digest)
    if not of.part:
        saved = {"undo": form.digest, "made": of.evaluated.digest} if mine else {}
        return of.to("/answers" + behind(saved))
    values = _supposed(of, {}, form.digest if mine else "")
    part = of.page("moved.html", **values, swap=True, saved=True)
    part.headers["HX-Replace-Url"] = f"{of.base}/answers"
    return part


def _conflict(of: AskedCase, changed: ChangedAnswers, digest: str) -> Response:
    """The page that shows two people's answers to the same questions.

    ``digest`` is that of the file that the user saw.
    """
    now = of.stated
    titles = record.titles(of.evaluated.framework)
    theirs = [
        (titles[key], was, now[key])
        for key, was in changed.seen.items()
        if key in titles and now[key] != was
    ]
    response = of.page(
        "conflict.html" if of.part else "answers.html",
        409,
        **_supposed(of, {}),
        who=writers_since(of.evaluated.case, digest),
        given=changed.mine,
        theirs=theirs,
        titles=titles,
    )
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
        who = writers_since(now.case, digest)
        why = f"{who} changed it since ({what}), and that would go"
        fix = "look at it, and answer again what you want otherwise"
        raise ConflictError(why, fix=fix) from None
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
    path = "/answers"
    if form.key:
        if form.key not in of.stated:
            raise HTTPException(404, "there is no such question")
        _write_note(of, form, by)
        path += f"#q-{form.key}"
    if of.part:
        response: Response = of.page("noted.html", key=form.key, swap=True)
    else:
        response = of.to(path)
    response.set_cookie(
        AUTHOR, quote(by), max_age=_YEAR_S, httponly=True, samesite="strict"
    )
    return response


_YEAR_S = 31_536_000


def _write_note(of: AskedCase, form: NoteForm, by: str) -> None:
    """Write the note of a form that was changed; one with an author is signed and dated."""
    was = of.note(form.key)
    posted = (form.model_extra or {}).get(f"note.{form.key}", was)
    text = " ".join(str(posted).split())
    if text == was:
        return
    if text and by:
        # a note that the same author changes isn't signed twice
        unsigned = re.sub(rf" \({re.escape(by)}, [^()]*\)$", "", text)
        text = f"{unsigned} ({by}, {day(of.dossier.as_of)})"
    workspace = of.workspace.written_by(by)
    changes = {f"{form.key}.note": text}
    of.evaluated = workspace.set_answers(of.name, changes, form.digest)


# What the palette finds inside a case: questions, runs and numbers.


@router.get("/cases/{name}/find")
def find_inside(
    of: OfCase, words: Annotated[str, Query(max_length=100)] = ""
) -> JSONResponse:
    """Questions, runs and numbers with these words in their name: address, text and kind of each."""
    wanted = words.casefold().split()
    places = [
        [address, text, kind]
        for address, text, kind in _places(of)
        if all(word in text.casefold() for word in wanted)
    ]
    return JSONResponse(places[:_MOST_FOUND])


_MOST_FOUND = 12  #: Lines below the palette.


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
    "plan": (plan.section,),
}


def part_of_report(of: OfCase) -> HTMLResponse:
    """Show the sections of the tab that the address names at its end."""
    _, _, tab = of.request.url.path.rpartition("/")
    return of.page(sections=[section(of.dossier) for section in _PARTS[tab]])


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


# The charts of a case, each at an address of its own.

Width = Annotated[Literal["wide", "narrow"], Query()]


@router.get("/cases/{name}/charts/{chart}")
def case_chart(of: OfCase, chart: str, width: Width = "wide") -> Response:
    """Serve a chart of the report as ``NAME.svg``."""
    return chart_answer(of, pictures(of.dossier), chart, width)


def chart_answer(
    of: AskedCase,
    drawn: Mapping[str, Picture],
    chart: str,
    width: Literal["wide", "narrow"],
) -> Response:
    """One of some pictures by its id, for a desk or a telephone."""
    name, _, form = chart.rpartition(".")
    picture = drawn.get(name)
    if picture is None or form != "svg":
        raise HTTPException(
            404, "there is no such chart; what it showed may have changed"
        )
    body = still(picture.drawing, narrow=width == "narrow")
    etag = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
    headers = {
        "Cache-Control": "private, no-cache",
        "Content-Security-Policy": policy(STYLE),
        "ETag": etag,
    }
    if of.request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="image/svg+xml", headers=headers)


# The money of a case: what it comes to, and what it would come to with other amounts.

_LONGEST = 4_000  #: Characters of the amounts in an address.
_MEANWHILE = (
    "Somebody else changed this case meanwhile, so nothing is written yet. Below, your numbers "
    "are shown next to what the file says now."
)


@router.get("/cases/{name}/money")
def investment(of: OfCase) -> HTMLResponse:
    """Show the money of a case; amounts in the address replace the case's own."""
    texts = {key: text.strip() for key, text in of.request.query_params.items()}
    return _with_amounts(of, texts)


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
    """The page on money with other amounts supposed; nothing is written.

    ``texts`` are the amounts as they were typed, by the ids of their levers.
    """
    now = of.evaluated
    levers = _levers(now, texts)
    changed = [lever for lever in levers if lever.text != lever.stated]
    amounts = {lever.id: lever.text or "unknown" for lever in changed}
    code = urlsafe_b64encode(urlencode(amounts).encode()).decode()
    values: dict[str, Any] = {
        "notice": notice,
        "given": code,
        "wrong": "",
        "compared": None,
        "measured": _measured_amounts(now.dossier),
        "in_short": _money_in_short(now.dossier),
        "groups": money.grouped(levers),
    }
    supposed = now
    try:
        supposed = of.workspace.what_if(of.name, amounts)
    except InputError as caught:  # a text that is no amount
        values["wrong"] = of.plain(caught)
        status = 422
    else:
        if amounts:
            values["charts"] = f"{of.base}/money/if/{code}/charts"
            values["compared"] = money.compared(now.dossier, supposed.dossier)
            values["changes"] = deltas(now.dossier, supposed.dossier)
    values["sections"] = (money.investment(supposed.dossier),)
    if not of.part:
        return of.page("money.html", status, **values)
    part = of.page("worked.html", status, **values, swap=True)
    typed = {lever.id: lever.text for lever in changed}
    part.headers["HX-Replace-Url"] = f"{of.base}/money{behind(typed)}"
    return part


def _levers(case: EvaluatedCase, texts: Mapping[str, str]) -> list[money.Lever]:
    """The levers of the amounts that a case is asked for, moved to what was typed."""
    asks = {ask.id: ask for ask in lever_asks(case.case, case.framework)}
    return [
        money.lever(asks[name], texts.get(name))
        for name in money.LEVERS
        if name in asks
    ]


def _measured_amounts(dossier: Dossier) -> dict[str, str]:
    """The measured amounts with their intervals, by the field that each replaces."""
    return {
        item.factor: interval_text(item.value, item.low, item.high, item.unit)
        for item in measurements(dossier)
        if not item.ignored
    }


def _money_in_short(dossier: Dossier) -> b.Facts:
    """The amounts in short, as the first page of the case says them."""
    ask = memo.cost(dossier)
    back = payback.pays_back(dossier)
    late = payback.never_repaid(dossier)
    rows = [
        b.Fact("Ask now", ask.value.rstrip(",")),
        b.Fact(back.label, back.value, late),
        *payback.rival_facts(dossier),
    ]
    return b.facts(rows)


def _amounts_from_code(code: str) -> dict[str, str]:
    """Decode the amounts in a part of an address."""
    try:
        decoded = urlsafe_b64decode(code[:_LONGEST]).decode()
    except ValueError:  # not one of our addresses
        raise HTTPException(404, "there is no such what-if") from None
    return {key: text for key, text in parse_qsl(decoded) if key in money.LEVERS}
