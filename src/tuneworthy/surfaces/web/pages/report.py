"""The report of a case, to read and to take along."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from tuneworthy.surfaces.web.exports import FORMS, Form, exported, link
from tuneworthy.surfaces.web.render import site_of
from tuneworthy.surfaces.web.tabs import tab_page

router = APIRouter(include_in_schema=False)


@router.get("/cases/{name}/report")
def report(request: Request, name: str) -> Response:
    """What there is, in which form."""
    judged = site_of(request).board.judged(name)
    forms = [(kind.title, kind.says, link(name, form)) for form, kind in FORMS.items()]
    return tab_page(request, name, judged, "report", "report.html", forms=forms)


@router.get("/cases/{name}/report/view")
def view(request: Request, name: str) -> Response:
    """The page that is one file, shown."""
    return exported(site_of(request).board, name, "html", attached=False)


@router.get("/cases/{name}/report/{form}")
def file(request: Request, name: str, form: Form) -> Response:
    """A file to save."""
    return exported(site_of(request).board, name, form)
