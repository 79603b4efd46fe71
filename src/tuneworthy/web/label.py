"""Labelling on the page: the items, one question at a time, and the agreement of people.

The server remembers nothing between two requests. A question is identified by what it shows, and a
label is kept as soon as it is sent.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, Response

from tuneworthy.errors import ConflictError, InputError
from tuneworthy.lab.prepare import MOST_TOKENS
from tuneworthy.labelling.failures import record_now_and_then
from tuneworthy.labelling.queue import (
    LONGEST,
    Kind,
    LabelQueue,
    LabelTask,
    add_rubric,
    agreement_and_rubrics,
    overview,
)
from tuneworthy.report.sections import evalset as words
from tuneworthy.web.render import AskedCase, OfCase, query

router = APIRouter()

Short = Annotated[str, Field(max_length=40)]


class Outputs(BaseModel, frozen=True):
    """The outputs of the lab to label."""

    seed: int = Field(0, ge=0, lt=2**32)
    max_tokens: int = Field(MOST_TOKENS, ge=0, le=100_000)


class LabelQuery(Outputs):
    """The labelling task, as a form or an address states it."""

    kind: Kind
    labeller: Short = ""
    rubric: Short = ""
    scale: Short = "yes-no"
    arms: Annotated[
        tuple[Annotated[str, Field(max_length=400)], ...], Field(max_length=200)
    ] = ()

    @property
    def task(self) -> LabelTask:
        """The task in the form that ``labelling`` takes."""
        return LabelTask(
            seed=self.seed,
            max_tokens=self.max_tokens,
            kind=self.kind,
            labeller=self.labeller,
            rubric=self.rubric,
            scale=self.scale,
            arms=self.arms,
        )

    def address(self, **more: str) -> str:
        """The address of its questions, relative to the case's."""
        return "/label/next" + query(self, LabelQuery, **more)


class Next(LabelQuery):
    """A question by its id, or the first open one after another."""

    item: Short = ""
    after: Short = ""


class LabelAnswer(LabelQuery):
    """A person's label for an item."""

    item: Short
    said: Annotated[str, Field(max_length=LONGEST)]
    better: Annotated[str, Field(max_length=LONGEST)] = ""  #: The answer of an edit.
    why: Annotated[str, Field(max_length=LONGEST)] = ""  #: Of a rejection.


class Rubric(LabelQuery):
    """A new rubric, and the person who labels by it."""

    text: Annotated[str, Field(max_length=LONGEST)] = ""


@router.get("/cases/{name}/label")
def label(of: OfCase, outputs: Annotated[Outputs, Query()]) -> HTMLResponse:
    """Show the items to label, and how many are done."""
    progress = overview(of.path, seed=outputs.seed, max_tokens=outputs.max_tokens)
    return of.page("label.html", found=progress, outputs=outputs, words=words)


@router.get("/cases/{name}/label/agreement")
def agreement(of: OfCase) -> HTMLResponse:
    """Show how far labellers agree, and the items on which they differ, by name."""
    results, rubrics = agreement_and_rubrics(of.path)
    agreed = words.agreement_parts(results, rubrics)
    return of.page("agreement.html", agreed=agreed)


@router.post("/cases/{name}/label/rubric")
def rubric(of: OfCase, choice: Annotated[Rubric, Form()]) -> Response:
    """Keep a new rubric, if one was written, and go on to the first output."""
    chosen = add_rubric(of.path, choice.text) if choice.text.strip() else choice.rubric
    return of.to(choice.model_copy(update={"rubric": chosen}).address())


@router.get("/cases/{name}/label/next")
def following(of: OfCase, asked: Annotated[Next, Query()]) -> HTMLResponse:
    """Show a question, or the progress where none is left."""
    queue = of.site.queues.open(of.path, asked.task)
    return _question(of, asked, queue, asked.item or queue.open_after(asked.after))


@router.post("/cases/{name}/label/said")
def save_label(of: OfCase, answer: Annotated[LabelAnswer, Form()]) -> Response:
    """Keep a label, and go on; nothing is kept if the question has changed."""
    queue = of.site.queues.open(of.path, answer.task)
    beside = answer.better.replace("\r\n", "\n")  # as a browser sends line ends
    if answer.said == "reject":
        beside = answer.why
    try:
        queue.label(answer.item, answer.said, beside)
    except ConflictError as caught:
        return _question(of, answer, queue, queue.open_after(), 409, caught.what)
    except InputError as caught:
        says = of.plain(caught)
        return _question(of, answer, queue, answer.item, 422, says, answer.said)
    if queue.items[answer.item].task == "failure":  # also one that is settled
        record_now_and_then(queue.case, queue.done, len(queue.items))
    return of.to(answer.address(after=answer.item))


def _question(
    of: AskedCase,
    asked: LabelQuery,
    queue: LabelQueue,
    wanted: str,
    status: int = 200,
    notice: str = "",
    typed: str = "",
) -> HTMLResponse:
    """The page of a question, with the typed answer if there was a fault in it."""
    item = queue.items.get(wanted)
    if wanted and item is None and not notice:
        notice = "that question has changed since, or is settled"
    begun = typed  # the answer to begin with: a label, or else what the log has
    if item is not None and not typed:
        begun = queue.value_of(wanted) or item.case.logged or ""
    return of.page(
        "question.html",
        status,
        asked=asked,
        queue=queue,
        wanted=wanted,
        notice=notice,
        words=words,
        begun=begun,
    )
