"""The interview on the page: one question at a time, its effect, and its conflicts.

The server remembers only the case file between two requests. The address holds which questions were
asked, and which of them the user didn't know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tuneworthy.errors import ConflictError, InputError
from tuneworthy.interview import pages as words
from tuneworthy.interview.answers import EvaluatedCase, conflict_of, growth_doubt
from tuneworthy.interview.questions import offers
from tuneworthy.model.base import UNKNOWN_WORDS
from tuneworthy.model.interview import PARTS, Ask, Conflict, Part
from tuneworthy.web.overview import first_step
from tuneworthy.web.render import AskedCase, OfCase, query

router = APIRouter()

_LONGEST_WAY = 12_000  #: Characters: an address with more is refused on its way.
_MOST_CLASHES = 20  #: Conflicts of one answer that an address may name.
_MOST_OTHERS = 3  #: Other answers of a conflict that have a button.
_MEANWHILE = (
    "Somebody else changed this case meanwhile, so your answer isn’t written yet. Below is what "
    "the file says now; answer again, or go on."
)

Id = Annotated[str, Field(max_length=200)]


class AskedHow(BaseModel, frozen=True):
    """The progress of an interview, in an address or a form."""

    part: Literal["", Part] = ""
    """The part of the interview; empty for the answers that can change the verdict."""
    way: str = Field("", max_length=_LONGEST_WAY, pattern=r"^[-a-z0-9_. ]*$")
    """Ids of asked questions, in order; a hyphen marks one that the user didn't know."""

    @property
    def asked(self) -> list[str]:
        """The steps so far."""
        return self.way.split()

    @property
    def passed(self) -> set[str]:
        """Ids of questions that the user didn't know."""
        unknown = [step for step in self.asked if step.startswith("-")]
        return {step.removeprefix("-") for step in unknown}

    def after(self, ask_id: str, *, known: bool) -> AskedHow:
        """The progress with one step more; a repeated step counts once."""
        steps = [step for step in self.asked if step.removeprefix("-") != ask_id]
        return self.with_steps([*steps, ask_id if known else f"-{ask_id}"])

    def with_steps(self, steps: list[str]) -> AskedHow:
        """This progress with other steps; the oldest are dropped where there are too many."""
        way = " ".join(steps)
        while len(way) > _LONGEST_WAY:
            _, _, way = way.partition(" ")
        return AskedHow(way=way, part=self.part)

    def address(self, base: str, **more: str) -> str:
        """The address of the next question, for the case at ``base``."""
        return f"{base}/interview" + query(self, AskedHow, **more)

    def within(self, base: str, part: Part) -> str:
        """The address of the next question in a part."""
        return AskedHow(way=self.way, part=part).address(base)

    def back(self, base: str) -> str:
        """The address of the question before; empty at the first one."""
        if not self.asked:
            return ""
        *before, last = self.asked
        # the hyphen only says that the user didn't know it
        return self.with_steps(before).address(base, ask=last.removeprefix("-"))

    def again(self, base: str) -> str:
        """The address at which the questions that the user didn't know are asked again."""
        known = [step for step in self.asked if not step.startswith("-")]
        return self.with_steps(known).address(base)


class Wanted(AskedHow):
    """A question by its id, or the next one."""

    ask: Id = ""
    #: Ids of what doesn't fit with its answer, with commas between them.
    clash: Id = ""


class QuestionAnswer(AskedHow):
    """A reply to a question, as the form sends it."""

    ask: Id
    digest: str = Field(max_length=64)
    said: str = Field("", max_length=200)
    """The pressed button; empty for a typed or ticked answer."""
    typed: str = Field("", max_length=8_000)
    first: Id = ""
    also: Annotated[tuple[Id, ...], Field(max_length=100)] = ()
    none: Id = ""  #: The answer where nothing was ticked.

    @property
    def answer_text(self) -> str:
        """The answer as a person would type it: a button before ticks, ticks before a text."""
        ticked: list[str] = []
        for choice in (self.first, *self.also):
            if choice and choice not in ticked:  # the first choice may be ticked, too
                ticked.append(choice)
        return self.said or ", ".join(ticked) or self.typed or self.none


class Kept(AskedHow):
    """The user's choice to keep both sides of a conflict."""

    ask: Id
    digest: str = Field(max_length=64)
    challenge: Id
    clash: Id = ""


@router.get("/cases/{name}/interview")
def interview(of: OfCase, way: Annotated[Wanted, Query()]) -> HTMLResponse:
    """Show the next question, a chosen one, or the conflict with its answer."""
    return _interview_page(of, way, way.ask, way.clash)


@router.post("/cases/{name}/interview")
def save_answer(of: OfCase, reply: Annotated[QuestionAnswer, Form()]) -> Response:
    """Write an answer, and go on to its conflict or to the next question."""
    text = reply.answer_text
    clash = ""
    values: dict[str, Any] = {}
    try:
        # not ``of.evaluated``: it is read once, and has to be the case after the writing
        before = of.workspace.evaluated(of.name)
        doubt = growth_doubt(before.ask(reply.ask), text)
        if doubt is not None:
            return _interview_page(
                of, reply, reply.ask, status=422, doubt=doubt, typed=reply.typed
            )
        step = of.workspace.answer(of.name, reply.ask, text, reply.digest)
    except ConflictError:
        # a form that was sent twice has its answer in the file already, and goes on
        if not of.workspace.says_already(of.name, reply.ask, text):
            again = {"notice": _MEANWHILE, "typed": text}
            return _interview_page(of, reply, reply.ask, status=409, **again)
    except InputError as caught:
        is_about_answer = caught.where == reply.ask
        wrong = words.refused(caught) if is_about_answer else ""
        again = {"wrong": wrong or of.plain(caught), "typed": reply.typed}
        return _interview_page(of, reply, reply.ask, status=422, **again)
    else:
        clash = ",".join(conflict.challenge.id for conflict in step.conflicts)
        values["saved"] = step.digest != reply.digest
        if values["saved"] and not clash:
            values["moved"] = words.moved_text(
                step.before, step.dossier, of.evaluated.framework
            )
    known = text.strip().casefold() not in UNKNOWN_WORDS
    return _onward(of, reply.after(reply.ask, known=known), reply.ask, clash, **values)


@router.post("/cases/{name}/interview/kept")
def kept(of: OfCase, choice: Annotated[Kept, Form()]) -> Response:
    """Note that both sides of a contradiction stay, and go on with the next question."""
    try:
        of.workspace.accept_conflict(
            of.name, choice.ask, choice.challenge, choice.digest
        )
    except ConflictError:
        return _interview_page(
            of, choice, choice.ask, choice.clash, status=409, notice=_MEANWHILE
        )
    clashes = choice.clash.split(",")
    left = [name for name in clashes if name != choice.challenge]
    return _onward(of, choice, choice.ask, ",".join(left), saved=True)


def _onward(
    of: AskedCase, way: AskedHow, ask_id: str, clash: str, **values: Any
) -> Response:
    """Redirect to the page after an answer: its conflict, or the next question.

    The page's address names everything it shows.
    """
    shown_id = ask_id
    if not clash:
        following = _ask(of, way, "")
        shown_id = "" if following is None else following.id
    address = way.address(of.base, ask=shown_id, clash=clash)
    if not of.part:
        return RedirectResponse(address, 303)
    part = _interview_page(of, way, shown_id, clash, **values)
    part.headers["HX-Push-Url"] = address
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
    """The page of the interview with one question; ``values`` are what happened to its answer."""
    ask = _ask(of, way, ask_id)
    now = of.evaluated
    open_parts = offers(now.case, now.framework, passed=way.passed)
    shown = {
        "moved": "",
        "notice": "",
        "wrong": "",
        "typed": "",
        "saved": False,
        "doubt": None,
        **values,
        "ask": ask,
        "at": way,
        "words": words,
        "clash": None if ask is None else _clash(of, way, ask, clash),
        "parts": PARTS,
        "open": {offer.part: offer for offer in open_parts},
        "rest": words.rest(of.dossier, now.framework),
        "first": first_step(of.dossier, of.name),
        "swap": of.part,
    }
    return of.page("asked.html" if of.part else "interview.html", status, **shown)


def _ask(of: AskedCase, way: AskedHow, ask_id: str) -> Ask | None:
    """The question with this id, or the next one; None without any."""
    return of.evaluated.next(ask_id, passed=way.passed, part=way.part or None)


def _clash(
    of: AskedCase, way: AskedHow, ask: Ask, wanted: str
) -> dict[str, Any] | None:
    """The first unsettled conflict of an answer; None without one.

    ``wanted`` has the ids of its conflicts, with commas between them.
    """
    conflict = _first_conflict(of.evaluated, ask, wanted.split(",")[:_MOST_CLASHES])
    if conflict is None:
        return None
    others = of.evaluated.asks(conflict.others)
    sides = [
        (f"Change {side.title}", way.address(of.base, ask=side.id))
        for side in (ask, *others[:_MOST_OTHERS])
    ]
    return {"conflict": conflict, "others": others, "all": wanted, "change": sides}


def _first_conflict(
    now: EvaluatedCase, ask: Ask, names: Sequence[str]
) -> Conflict | None:
    """The first of some conflicts that the case still has; an empty name is none."""
    for name in names:
        if name:
            conflict = conflict_of(now.case, ask.id, now.dossier, name)
            if conflict is not None:
                return conflict
    return None
