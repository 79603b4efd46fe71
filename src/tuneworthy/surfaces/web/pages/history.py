"""What a case said before, and what changed since."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, File, Query, Request, UploadFile
from starlette.responses import Response

from tuneworthy.api.board import Judged
from tuneworthy.api.history import earlier, since, since_dossier
from tuneworthy.domain.errors import InputError
from tuneworthy.report.html.difference import difference
from tuneworthy.report.toggles import titles
from tuneworthy.report.versions import version_lines
from tuneworthy.surfaces.web.render import site_of
from tuneworthy.surfaces.web.tabs import tab_page

router = APIRouter(include_in_schema=False)


@router.get("/cases/{name}/history")
def history(
    request: Request, name: str, then: Annotated[str, Query(pattern="^[0-9a-f]{64}$|^$")] = ""
) -> Response:
    """The versions that were written from here; and, for one of them, what changed since."""
    judged = site_of(request).board.judged(name)
    if not then:
        return _page(request, name, judged)
    found = since(judged.case, judged.framework, judged.dossier, judged.text, then)
    return _page(
        request, name, judged, sections=(difference(found.difference),), lines=found.lines
    )  # fmt: skip


@router.post("/cases/{name}/history")
def compared(request: Request, name: str, dossier: Annotated[UploadFile, File()]) -> Response:
    """What changed since a dossier that was kept; the file isn't stored."""
    judged = site_of(request).board.judged(name)
    try:
        raw = dossier.file.read().decode("utf-8", "replace")
        found = since_dossier(raw, judged.dossier, judged.framework)
    except InputError as caught:
        return _page(request, name, judged, 422, wrong=str(caught))
    return _page(request, name, judged, sections=(difference(found),))


def _page(
    request: Request, name: str, judged: Judged, status: int = 200, **values: Any
) -> Response:
    told = {"sections": (), "lines": (), "wrong": "", **values}
    found = earlier(judged.case, judged.framework)
    kept = version_lines(
        [(one.at, one.digest, one.verdict, one.said) for one in found],
        titles(judged.framework),
        judged.digest,
    )
    return tab_page(
        request, name, judged, "history", "history.html", status, versions=kept, **told
    )  # fmt: skip
