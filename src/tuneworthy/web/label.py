"""Labelling on the page: what there is to label, one question at a time, and how far people agree.

Nothing is remembered between two requests: a question is known by what it shows, and a label is
kept as soon as it is sent.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tuneworthy.errors import ConflictError
from tuneworthy.lab.prepare import MOST_TOKENS
from tuneworthy.report.sections.evalset import (
    QUESTIONS,
    agreement_parts,
    item_parts,
    keys_of,
    to_settle,
)
from tuneworthy.web.render import address, site_of, tab_page
from tuneworthy.workspace.labelling import (
    LONGEST,
    LabelQueue,
    LabelTask,
    add_rubric,
    agreement_and_rubrics,
    overview,
)

router = APIRouter(include_in_schema=False)

Short = Annotated[str, Field(max_length=40)]
Id = Annotated[str, Field(max_length=40)]


class Outputs(BaseModel):
    """Which outputs of the lab are labelled."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    seed: int = Field(0, ge=0, lt=2**32)
    max_tokens: int = Field(MOST_TOKENS, ge=1, le=100_000)


class LabelQuery(Outputs):
    """What somebody labels, as a form or an address says it."""

    kind: Literal["answer", "rubric", "pairwise", "settle"]
    labeller: Short = ""
    rubric: Short = ""
    scale: Short = "yes-no"
    arms: Annotated[tuple[Annotated[str, Field(max_length=400)], ...], Field(max_length=200)] = ()

    @property
    def task(self) -> LabelTask:
        """The same for the API."""
        return LabelTask(**{name: getattr(self, name) for name in LabelQuery.model_fields})

    def at(self, name: str, **more: str) -> str:
        """Where its questions are, on the server."""
        given = self.model_dump(include=set(LabelQuery.model_fields), exclude_defaults=True)
        told = {key: value for key, value in more.items() if value}
        return f"{address(name)}/label/next?" + urlencode({**given, **told}, doseq=True)


class Next(LabelQuery):
    """Which question is wanted: one by its id, or the first open one behind another."""

    item: Id = ""
    after: Id = ""


class LabelAnswer(LabelQuery):
    """What was said of a question."""

    item: Id
    said: Annotated[str, Field(max_length=LONGEST)]


class Rubric(LabelQuery):
    """A rubric to write down, and who labels by it."""

    text: Annotated[str, Field(max_length=LONGEST)] = ""


@router.get("/cases/{name}/label")
def label(request: Request, name: str, outputs: Annotated[Outputs, Query()]) -> HTMLResponse:
    """What there is to label, and how far it has come."""
    site = site_of(request)
    workspace, source = site.workspace, site.workspace.directory.path(name)
    ran = site.labs.last(source)
    if ran is not None and not outputs.model_fields_set:
        outputs = Outputs(seed=ran.settings.seed, max_tokens=ran.settings.max_tokens)
    found = overview(source, seed=outputs.seed, max_tokens=outputs.max_tokens)
    why = "" if found.no_arms is None else workspace.directory.plain_error(found.no_arms)
    return tab_page(
        request,
        name,
        workspace.evaluated(name),
        "label",
        "label.html",
        found=found,
        why=why,
        outputs=outputs,
        labelled=sum(one.labelled for one in found.agreement),
        unsettled=to_settle(found.agreement),
    )


@router.get("/cases/{name}/label/agreement")
def agreement(request: Request, name: str) -> HTMLResponse:
    """How far labellers agree, and what they differ on, by name."""
    workspace = site_of(request).workspace
    found, texts = agreement_and_rubrics(workspace.directory.path(name))
    told = agreement_parts(found, texts)
    return tab_page(
        request, name, workspace.evaluated(name), "label", "agreement.html", agreed=told
    )


@router.post("/cases/{name}/label/rubric")
def rubric(request: Request, name: str, given: Annotated[Rubric, Form()]) -> Response:
    """Keep a rubric, where a new one was written, and go on to the first output."""
    chosen = given.rubric
    if given.text.strip():
        chosen = add_rubric(site_of(request).workspace.directory.path(name), given.text)
    return RedirectResponse(given.model_copy(update={"rubric": chosen}).at(name), 303)


@router.get("/cases/{name}/label/next")
def following(request: Request, name: str, asked: Annotated[Next, Query()]) -> HTMLResponse:
    """A question; the page that says how far one has come where none is left."""
    queue = _queue(request, name, asked)
    return _question(request, name, asked, queue, asked.item or queue.open_after(asked.after))


@router.post("/cases/{name}/label/said")
def said(request: Request, name: str, given: Annotated[LabelAnswer, Form()]) -> Response:
    """Keep what was said, and go on; nothing is kept of a question that has changed."""
    queue = _queue(request, name, given)
    try:
        queue.label(given.item, given.said)
    except ConflictError as caught:
        return _question(request, name, given, queue, queue.open_after(), 409, caught.what)
    return RedirectResponse(given.at(name, after=given.item), 303)


def _queue(request: Request, name: str, asked: LabelQuery) -> LabelQueue:
    site = site_of(request)
    return site.queues.open(site.workspace.directory.path(name), asked.task)


def _question(
    request: Request,
    name: str,
    asked: LabelQuery,
    queue: LabelQueue,
    wanted: str,
    status: int = 200,
    notice: str = "",
) -> HTMLResponse:
    item = queue.item(wanted)
    values: dict[str, Any] = {
        "asked": asked,
        "item": None,
        "done": queue.done,
        "of": len(queue.items),
        "notice": notice,
        "again": asked.at(name),
    }
    if item is not None:
        before = queue.before(wanted)
        values |= {
            "item": wanted,
            "place": queue.place(wanted),
            "parts": item_parts(item, rubric=queue.rubric, labels=queue.notes_on(wanted)),
            "question": QUESTIONS[item.task],
            "keys": keys_of(item),
            "said": queue.value_of(wanted),
            "skip": asked.at(name, after=wanted),
            "back": asked.at(name, item=before) if before else "",
        }
    elif wanted or notice:
        values["notice"] = notice or "that question has changed since, or is settled"
    evaluated = site_of(request).workspace.evaluated(name)
    return tab_page(request, name, evaluated, "label", "question.html", status, **values)
