"""The pages for files, labs and models of a case.

No lab starts here and nothing is paid for: the page shows what a lab would cost, the command that
runs it, and what runs found.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, File, Form, Query, UploadFile
from starlette.responses import HTMLResponse, Response

from tuneworthy.cases.labs import offer_lab, run_sections
from tuneworthy.cases.reports import models_of
from tuneworthy.errors import InputError
from tuneworthy.files.disk import writing
from tuneworthy.files.runs import (
    LabKind,
    Shown,
    count_unread_runs,
    graded_cases,
    kept_run,
    kept_runs,
)
from tuneworthy.intake.measure import FileKind, clean_name
from tuneworthy.intake.recognise import KIND_WORDS, recognise_files
from tuneworthy.model.evalset import Split
from tuneworthy.report.blocks import pictures_in, section
from tuneworthy.report.sections.framework import models_report
from tuneworthy.web.cases import Width, chart_answer
from tuneworthy.web.render import AskedCase, OfCase, Typed, in_reading

router = APIRouter()


@router.get("/cases/{name}/lab")
def lab(of: OfCase, kind: LabKind = "ceiling") -> HTMLResponse:
    """Show the labs, with the command of one; its price comes when it is asked for."""
    return of.page("lab.html", kind=kind)


@router.get("/cases/{name}/lab/offer")
def offer(of: OfCase, kind: LabKind = "ceiling") -> HTMLResponse:
    """Show what a lab would do and cost, and the command that runs it; nothing is sent."""
    workspace = of.workspace
    values: dict[str, Any] = {"kind": kind}
    try:
        values["offered"] = offer_lab(of.path, of.name, kind, workspace.as_of)
    except InputError as caught:
        values["refused"] = of.plain(caught)
    return of.page("offer.html" if of.part else "lab.html", **values)


# Files that are sent: streamed to the disk, read, and named in the case.


@router.get("/cases/{name}/files")
def files(of: OfCase, kind: FileKind | Literal[""] = "") -> HTMLResponse:
    """Show the form for files."""
    return of.page("files.html", kind=kind)


@router.post("/cases/{name}/files")
async def add(
    of: OfCase,
    files: Annotated[list[UploadFile], File()],
    kind: Annotated[FileKind | Literal[""], Form()] = "",
) -> Response:
    """Copy files into the case, and show what they hold and what changed; a refusal leaves none.

    Without a kind, it is recognized.
    """
    return await in_reading(_added, of, kind, files)


def _added(
    of: AskedCase, kind: FileKind | Literal[""], files: list[UploadFile]
) -> Response:
    """Add uploaded files to the case and show what was read from them."""
    recognised = ""
    try:
        with of.inbox() as folder:
            paths = _save_uploads(files, folder)
            if not kind:
                kind = recognise_files(paths)
                recognised = KIND_WORDS[kind]
            names, read, changed = of.workspace.add_files(of.name, kind, paths)
    except InputError as caught:
        wrong = of.plain(caught)
        return of.page("files.html", 422, kind=kind, wrong=wrong, recognised=recognised)
    return of.page(
        "files.html",
        kind=kind,
        added=names,
        recognised=recognised,
        sections=(section("read", "What was read", read),),
        changes=changed,
    )


def _save_uploads(files: Sequence[UploadFile], folder: Path) -> list[Path]:
    """Copy uploaded files to the disk, each into a folder of its own, as two may have one name."""
    paths = []
    for number, file in enumerate(files):
        path = folder / str(number) / clean_name(file.filename or "")
        with writing(path):
            path.parent.mkdir()
            with path.open("xb") as target:
                shutil.copyfileobj(file.file, target)
        paths.append(path)
    return paths


# Labs that ran, and the cases of one, one by one.


@router.get("/cases/{name}/runs")
def runs(of: OfCase) -> HTMLResponse:
    """Show every kept run, wherever it was started."""
    case = of.evaluated.case
    kept = kept_runs(case)
    return of.page("runs.html", runs=kept, unread=count_unread_runs(case, kept))


@router.get("/cases/{name}/runs/{run}")
def run(of: OfCase, run: str) -> HTMLResponse:
    """Show the result of a run."""
    kept = kept_run(of.evaluated.case, run)
    sections = run_sections(kept, of.dossier)
    charts = f"{of.base}/runs/{run}/charts"
    return of.page("run.html", kept=kept, sections=sections, charts=charts)


@router.get("/cases/{name}/runs/{run}/charts/{chart}")
def run_chart(of: OfCase, run: str, chart: str, width: Width = "wide") -> Response:
    """Serve a chart of a run."""
    sections = run_sections(kept_run(of.evaluated.case, run), of.dossier)
    return chart_answer(of, pictures_in(sections), chart, width)


_A_PAGE = 100  #: Cases.


@router.get("/cases/{name}/runs/{run}/cases")
def cases(
    of: OfCase,
    run: str,
    arm: Annotated[str, Query(max_length=400)] = "",
    show: Shown = "all",
    case: Annotated[str, Query(max_length=400)] = "",
    part: Split = "report",
    start: Annotated[int, Query(ge=0, le=10**6)] = 0,
) -> HTMLResponse:
    """Show cases by arms: all, those that an arm gets wrong, those on which arms differ; or one."""
    kept = kept_run(of.evaluated.case, run)
    arms, rows = graded_cases(of.evaluated.case, kept, arm, show, part)
    if not arms:  # an older run kept the held-out cases alone
        part = "report"
        arms, rows = graded_cases(of.evaluated.case, kept, arm, show, part)
    asked = {"arm": arm, "show": show, "part": part}
    end = start + _A_PAGE
    more = urlencode({**asked, "start": end}) if end < len(rows) else ""
    opened = None
    for row in rows:
        if row.id == case:
            opened = row
            break
    return of.page(
        "grid.html",
        kept=kept,
        arms=arms,
        opened=opened,
        more=more,
        rows=rows[start:end],
        n=len(rows),
        asked=asked,
    )


# The models that labs call: those of the case, with their prices, and where keys come from.


@router.get("/cases/{name}/models")
def models(of: OfCase) -> HTMLResponse:
    """Show the models that can be called, their prices, and the names of the variables with keys."""
    return _models(of)


def _models(of: AskedCase, status: int = 200, **values: Any) -> HTMLResponse:
    report = models_report(*models_of(of.evaluated.case.models, of.workspace.as_of))
    return of.page("models.html", status, sections=report.sections, **values)


@router.post("/cases/{name}/models")
def choose(
    of: OfCase,
    id: Typed,
    digest: Typed,
    kind: Typed = "",
    usd_in: Typed = "",
    usd_out: Typed = "",
) -> Response:
    """Add a model to the case, or change the price of one. Without a price, the list price counts."""
    model: dict[str, Any] = {"id": id.strip()}
    if kind == "tuned":
        model["kind"] = kind
    if usd_in.strip() or usd_out.strip():
        model["usd_per_mtok"] = {"input": usd_in.strip(), "output": usd_out.strip()}
    try:
        of.workspace.set_answers(of.name, {"models": json.dumps([model])}, digest)
    except InputError as caught:
        typed = {"id": id, "kind": kind, "usd_in": usd_in, "usd_out": usd_out}
        return _models(of, 422, given=typed, wrong=of.plain(caught))
    return of.to("/models")
