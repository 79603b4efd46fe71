"""The interview on the page: one question at a time, what it moved, and what doesn't fit with it.

Nothing is remembered between two requests but the case file: which questions were asked, and which
of them weren't known, stands in the address.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tuneworthy.errors import ConflictError, InputError
from tuneworthy.interview import pages as words
from tuneworthy.interview.answers import conflict_of, growth_doubt
from tuneworthy.interview.questions import offers
from tuneworthy.model.base import UNKNOWN_WORDS
from tuneworthy.model.interview import PARTS, Ask, Part
from tuneworthy.web.render import AskedCase, OfCase, query

router = APIRouter()

_LONGEST_WAY = 12_000
_MEANWHILE = (
    "Somebody else changed this case meanwhile, so your answer isn’t written yet. Below is what "
    "the file says now; answer again, or go on."
)

Id = Annotated[str, Field(max_length=200)]


class AskedHow(BaseModel, frozen=True):
    """How far somebody has come, as an address or a form says it."""

    part: Literal["", Part] = ""
    """The conversation; empty for the answers that can change the verdict."""
    way: str = Field("", max_length=_LONGEST_WAY, pattern=r"^[-a-z0-9_. ]*$")
    """Ids that were asked, in order; one that wasn't known has a hyphen before it."""

    @property
    def asked(self) -> list[str]:
        """The steps of the way."""
        return self.way.split()

    @property
    def passed(self) -> set[str]:
        """Ids that weren't known."""
        return {step[1:] for step in self.asked if step.startswith("-")}

    def after(self, ask_id: str, *, known: bool) -> AskedHow:
        """The way with one step more; a step that was taken again counts once."""
        steps = [step for step in self.asked if step.removeprefix("-") != ask_id]
        return self.with_steps([*steps, ask_id if known else f"-{ask_id}"])

    def with_steps(self, steps: list[str]) -> AskedHow:
        """The same with other steps; the oldest are forgotten where there are too many."""
        while len(" ".join(steps)) > _LONGEST_WAY:
            steps = steps[1:]
        return AskedHow(way=" ".join(steps), part=self.part)

    def address(self, base: str, **more: str) -> str:
        """Where it goes on, for the case at an address."""
        return f"{base}/interview" + query(self, AskedHow, **more)

    def within(self, base: str, part: Part) -> str:
        """Where it goes on in a part."""
        return AskedHow(way=self.way, part=part).address(base)

    def back(self, base: str) -> str:
        """Where it goes back to; empty at its beginning."""
        if not self.asked or not self.asked[-1]:
            return ""
        before = self.asked[:-1]
        last = self.asked[-1].removeprefix("-")  # the sign marks one that was passed
        return self.with_steps(before).address(base, ask=last)

    def again(self, base: str) -> str:
        """Where that is asked once more that wasn't known."""
        return self.with_steps(
            [step for step in self.asked if not step.startswith("-")]
        ).address(base)


class Wanted(AskedHow):
    """Which question is wanted; the next one for none."""

    ask: Id = ""
    #: Ids of what doesn't fit with its answer, with commas between them.
    clash: Id = ""


class QuestionAnswer(AskedHow):
    """A reply to a question, as the form sends it."""

    ask: Id
    digest: str = Field(max_length=64)
    said: str = Field("", max_length=200)
    """The button that was pressed; empty for what was typed or ticked."""
    typed: str = Field("", max_length=8_000)
    first: Id = ""
    also: Annotated[tuple[Id, ...], Field(max_length=100)] = ()
    none: Id = ""  #: What it means that nothing was ticked.

    @property
    def answer_text(self) -> str:
        """The same as a person would say it."""
        ticked = dict.fromkeys(filter(None, (self.first, *self.also)))
        return self.said or ", ".join(ticked) or self.typed or self.none


class Kept(AskedHow):
    """That both sides of something that doesn't fit stay."""

    ask: Id
    digest: str = Field(max_length=64)
    challenge: Id
    clash: Id = ""


@router.get("/cases/{name}/interview")
def interview(of: OfCase, way: Annotated[Wanted, Query()]) -> HTMLResponse:
    """The next question, the one that is wanted, or what doesn't fit with its answer."""
    return _interview_page(of, way, way.ask, way.clash)


@router.post("/cases/{name}/interview")
def save_answer(of: OfCase, reply: Annotated[QuestionAnswer, Form()]) -> Response:
    """Write an answer, and go on to what doesn't fit with it, or to the next question."""
    clash = ""
    values = dict[str, Any]()
    try:
        # ``of`` looks once, and that is after the writing
        before = of.workspace.evaluated(of.name)
        doubt = growth_doubt(before.ask(reply.ask), reply.answer_text)
        if doubt is not None:
            return _interview_page(
                of, reply, reply.ask, status=422, doubt=doubt, typed=reply.typed
            )
        step = of.workspace.answer(of.name, reply.ask, reply.answer_text, reply.digest)
    except ConflictError:
        # else it was sent twice
        if not of.workspace.says_already(of.name, reply.ask, reply.answer_text):
            again = {"notice": _MEANWHILE, "typed": reply.answer_text}
            return _interview_page(of, reply, reply.ask, status=409, **again)
    except InputError as caught:
        wrong = words.refused(caught) if caught.where == reply.ask else ""
        again = {"wrong": wrong or of.plain(caught), "typed": reply.typed}
        return _interview_page(of, reply, reply.ask, status=422, **again)
    else:
        clash = ",".join(conflict.challenge.id for conflict in step.conflicts)
        values["saved"] = step.digest != reply.digest
        if values["saved"] and not clash:
            values["moved"] = words.moved_text(
                step.before, step.dossier, of.evaluated.framework
            )
    known = reply.answer_text.strip().casefold() not in UNKNOWN_WORDS
    return _onward(of, reply.after(reply.ask, known=known), reply.ask, clash, **values)


@router.post("/cases/{name}/interview/kept")
def kept(of: OfCase, choice: Annotated[Kept, Form()]) -> Response:
    """Note that both sides stay, and go on."""
    try:
        of.workspace.accept_conflict(
            of.name, choice.ask, choice.challenge, choice.digest
        )
    except ConflictError:
        return _interview_page(
            of, choice, choice.ask, choice.clash, status=409, notice=_MEANWHILE
        )
    left = ",".join(
        name for name in choice.clash.split(",") if name != choice.challenge
    )
    return _onward(of, choice, choice.ask, left, saved=True)


def _onward(
    of: AskedCase, way: AskedHow, ask_id: str, clash: str, **values: Any
) -> Response:
    """To the page behind an answer, whose address names what it shows."""
    ask = ask_id
    if not clash:
        following = _ask(of, way, "")
        ask = "" if following is None else following.id
    at = way.address(of.base, ask=ask, clash=clash)
    if not of.part:
        return RedirectResponse(at, 303)
    part = _interview_page(of, way, ask, clash, **values)
    part.headers["HX-Push-Url"] = at
    return part


def _interview_page(
    of: AskedCase,
    way: AskedHow,
    ask_id: str = "",
    clash: str = "",
    *,
    status: int = 200,
    **values: Any,
) -> HTMLResponse:
    ask = _ask(of, way, ask_id)
    now = of.evaluated
    shown = {
        **dict.fromkeys(("moved", "notice", "wrong", "typed"), ""),
        "saved": False,
        "doubt": None,
        **values,
        "ask": ask,
        "at": way,
        "words": words,
        "clash": None if ask is None else _clash(of, way, ask, clash),
        "parts": PARTS,
        "open": {
            offer.part: offer
            for offer in offers(now.case, now.framework, passed=way.passed)
        },
        "rest": words.rest(of.dossier, now.framework),
        "swap": of.part,
    }
    return of.page("asked.html" if of.part else "interview.html", status, **shown)


def _ask(of: AskedCase, way: AskedHow, ask_id: str) -> Ask | None:
    """The question of this id, or the next one."""
    return of.evaluated.next(ask_id, passed=way.passed, part=way.part or None)


def _clash(
    of: AskedCase, way: AskedHow, ask: Ask, wanted: str
) -> dict[str, Any] | None:
    """The first unsettled conflict of an answer; None without one."""
    now = of.evaluated
    ids = filter(None, wanted.split(",")[:20])
    conflicts = (conflict_of(now.case, ask.id, now.dossier, name) for name in ids)
    conflict = next(filter(None, conflicts), None)
    if conflict is None:
        return None
    others = now.asks(conflict.others)
    sides = [
        (f"Change {side.title}", way.address(of.base, ask=side.id))
        for side in (ask, *others[:3])
    ]
    return {"conflict": conflict, "others": others, "all": wanted, "change": sides}
