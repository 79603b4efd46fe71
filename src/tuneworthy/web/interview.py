"""The interview on the page: one question at a time, what it moved, and what doesn't fit with it.

Nothing is remembered between two requests but the case file: which questions were asked, and which
of them weren't known, stands in the address.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tuneworthy.errors import ConflictError, InputError
from tuneworthy.interview import pages as words
from tuneworthy.interview.answers import conflict_of
from tuneworthy.interview.questions import ask_of, asked_again, next_ask, offers, standing
from tuneworthy.model.base import UNKNOWN_WORDS
from tuneworthy.model.interview import PARTS, Ask, Part
from tuneworthy.report.sections.answer_form import possible_outcomes
from tuneworthy.web.render import address, page, site_of, tab_page, told, wants_part
from tuneworthy.workspace.workspace import EvaluatedCase

router = APIRouter(include_in_schema=False)

_LONGEST_WAY = 12_000
_MEANWHILE = (
    "Somebody else changed this case meanwhile, so your answer isn’t written yet. Below is what "
    "the file says now; answer again, or go on."
)

Id = Annotated[str, Field(max_length=200)]


class Way(BaseModel):
    """How far somebody has come, as an address or a form says it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    way: str = Field("", max_length=_LONGEST_WAY, pattern=r"^[-a-z0-9_. ]*$")
    """Ids that were asked, in order; one that wasn't known has a hyphen before it."""
    part: Literal["", Part] = ""
    """The conversation; empty for the answers that can change the verdict."""

    @property
    def asked(self) -> list[str]:
        """The steps of the way."""
        return self.way.split()

    @property
    def passed(self) -> set[str]:
        """Ids that weren't known."""
        return {step[1:] for step in self.asked if step.startswith("-")}

    @property
    def chosen(self) -> Part | None:
        """The part as the interview takes it."""
        return self.part or None

    def after(self, ask_id: str, *, known: bool) -> Way:
        """The way with one step more; a step that was taken again counts once."""
        steps = [step for step in self.asked if step.removeprefix("-") != ask_id]
        return self.of([*steps, ask_id if known else f"-{ask_id}"])

    def of(self, steps: list[str]) -> Way:
        """The same with other steps; the oldest are forgotten where there are too many."""
        while len(" ".join(steps)) > _LONGEST_WAY:
            steps = steps[1:]
        return Way(way=" ".join(steps), part=self.part)

    def at(self, name: str, **more: str) -> str:
        """Where it goes on."""
        given = {"part": self.part, "way": self.way, **more}
        query = urlencode({key: value for key, value in given.items() if value})
        return f"{address(name)}/interview" + (f"?{query}" if query else "")


class Wanted(Way):
    """Which question is wanted; the next one for none."""

    ask: Id = ""
    clash: Id = ""
    """Ids of what doesn't fit with its answer, with commas between them."""


class QuestionAnswer(Way):
    """What was said to a question."""

    ask: Id
    digest: str = Field(max_length=64)
    said: str = Field("", max_length=200)
    """The button that was pressed; empty for what was typed or ticked."""
    typed: str = Field("", max_length=8_000)
    first: Id = ""
    also: Annotated[tuple[Id, ...], Field(max_length=100)] = ()
    none: Id = ""
    """What it means that nothing was ticked."""

    @property
    def given(self) -> str:
        """The same as a person would say it."""
        ticked = dict.fromkeys(one for one in (self.first, *self.also) if one)
        return self.said or ", ".join(ticked) or self.typed or self.none


class Kept(Way):
    """That both sides of something that doesn't fit stay."""

    ask: Id
    digest: str = Field(max_length=64)
    challenge: Id
    clash: Id = ""


@router.get("/cases/{name}/interview")
def interview(request: Request, name: str, wanted: Annotated[Wanted, Query()]) -> HTMLResponse:
    """The next question, the one that is wanted, or what doesn't fit with its answer."""
    return _shown(request, name, wanted, wanted.ask, wanted.clash)


@router.post("/cases/{name}/interview")
def said(request: Request, name: str, given: Annotated[QuestionAnswer, Form()]) -> Response:
    """Write an answer, and go on to what doesn't fit with it, or to the next question."""
    workspace = site_of(request).workspace
    try:
        step = workspace.answer(name, given.ask, given.given, given.digest)
    except ConflictError:
        if not workspace.says_already(name, given.ask, given.given):
            return _shown(
                request, name, given, given.ask, status=409, notice=_MEANWHILE, typed=given.given
            )
        step = None  # the same was sent twice
    except InputError as caught:
        says = words.refused(caught) if caught.where == given.ask else ""
        says = says or workspace.directory.plain_error(caught)
        return _shown(request, name, given, given.ask, status=422, wrong=says, typed=given.typed)
    known = given.given.strip().casefold() not in UNKNOWN_WORDS
    way = given.after(given.ask, known=known)
    clash = "" if step is None else ",".join(one.challenge.id for one in step.conflicts)
    saved, moved = step is not None and step.digest != given.digest, ""
    if step is not None and saved and not clash:
        moved = words.moved_text(step.before, step.dossier, standing(step.dossier)).strip()
    return _onward(request, name, way, given.ask if clash else "", clash, moved=moved, saved=saved)


@router.post("/cases/{name}/interview/kept")
def kept(request: Request, name: str, given: Annotated[Kept, Form()]) -> Response:
    """Note that both sides stay, and go on."""
    workspace = site_of(request).workspace
    try:
        workspace.accept_conflict(name, given.ask, given.challenge, given.digest)
    except ConflictError:
        return _shown(request, name, given, given.ask, given.clash, status=409, notice=_MEANWHILE)
    left = ",".join(one for one in given.clash.split(",") if one != given.challenge)
    return _onward(request, name, given, given.ask if left else "", left)


def _onward(
    request: Request,
    name: str,
    way: Way,
    ask: str,
    clash: str,
    *,
    moved: str = "",
    saved: bool = True,
) -> Response:
    """To the page behind an answer, whose address names what it shows."""
    if not ask:
        evaluated = site_of(request).workspace.evaluated(name)
        following = next_ask(
            evaluated.case, evaluated.framework, passed=way.passed, part=way.chosen
        )
        ask = "" if following is None else following.id
    at = way.at(name, ask=ask, clash=clash)
    if not wants_part(request):
        return RedirectResponse(at, 303)
    part = _shown(request, name, way, ask, clash, moved=moved, saved=saved)
    part.headers["HX-Push-Url"] = at
    return part


def _shown(
    request: Request,
    name: str,
    way: Way,
    ask_id: str = "",
    clash: str = "",
    *,
    status: int = 200,
    moved: str = "",
    notice: str = "",
    wrong: str = "",
    typed: str = "",
    saved: bool = False,
) -> HTMLResponse:
    evaluated = site_of(request).workspace.evaluated(name)
    ask = _ask(evaluated, way, ask_id)
    back = way.of(way.asked[:-1])
    values: dict[str, Any] = {
        "ask": ask,
        "at": way,
        "moved": moved,
        "notice": notice,
        "wrong": wrong,
        "typed": typed,
        "saved": saved,
        "clash": _clash(evaluated, way, name, ask, clash),
        "here": way.at(name),
        "back": back.at(name, ask=way.asked[-1].removeprefix("-")) if way.asked else "",
        **_side(evaluated, way, name),
    }
    if ask is not None:
        values |= {
            "place": words.place(len(way.asked) + 1, ask),
            "why": words.why_text(ask),
            "hint": words.hint(ask),
            "value": words.value_words(ask),
        }
    else:
        values["rest"] = words.rest(evaluated.dossier, standing(evaluated.dossier))
    if wants_part(request):
        return page(
            request, "asked.html", status, **{**told(name, evaluated), **values, "swap": True}
        )
    return tab_page(request, name, evaluated, "interview", "interview.html", status, **values)


def _ask(evaluated: EvaluatedCase, way: Way, ask_id: str) -> Ask | None:
    case, framework = evaluated.case, evaluated.framework
    if ask_id:
        return asked_again(case, framework, ask_id, passed=way.passed, part=way.chosen)
    return next_ask(case, framework, passed=way.passed, part=way.chosen)


def _clash(
    evaluated: EvaluatedCase, way: Way, name: str, ask: Ask | None, wanted: str
) -> dict[str, Any] | None:
    """What doesn't fit with an answer, the first that isn't settled; None for nothing."""
    found = (
        conflict_of(evaluated.case, ask.id, evaluated.dossier, one)
        for one in wanted.split(",")[:20]
        if ask is not None and one
    )
    conflict = next((one for one in found if one is not None), None)
    if conflict is None or ask is None:
        return None
    others = []
    for path in conflict.others:
        try:
            others.append(ask_of(evaluated.case, evaluated.framework, path))
        except InputError:  # a side that is no question of the interview
            continue
    change = [(f"Change {one.title}", way.at(name, ask=one.id)) for one in (ask, *others[:3])]
    return {
        "head": words.conflict_head(others),
        "says": conflict.challenge.says,
        "all": wanted,
        "settle": conflict.challenge.settle,
        "id": conflict.challenge.id,
        "change": change,
        "keep": words.keep_both(conflict, alone=not others),
    }


def _side(evaluated: EvaluatedCase, way: Way, name: str) -> dict[str, Any]:
    """What is shown next to a question: what is possible, and the parts of the interview."""
    open_parts = {
        one.part: one for one in offers(evaluated.case, evaluated.framework, passed=way.passed)
    }
    parts = [
        (
            *words.part(part, open_parts.get(part)),
            Way(way=way.way, part=part).at(name),
            part == (way.part or "evaluate"),
            part in open_parts,
        )
        for part in PARTS
    ]
    again = ""
    if way.passed:
        again = way.of([step for step in way.asked if not step.startswith("-")]).at(name)
    return {
        "reached": possible_outcomes(evaluated.dossier),
        "parts": parts,
        "again": again,
        "unknowns": words.unknowns(len(way.passed)),
        "doubts": words.doubts(evaluated.dossier),
    }
