"""Tabs that show a part of the report."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from tuneworthy.report.html import ahead, others, record
from tuneworthy.surfaces.web.render import site_of
from tuneworthy.surfaces.web.tabs import tab_page

router = APIRouter(include_in_schema=False)


@router.get("/cases/{name}/evidence")
def evidence(request: Request, name: str) -> HTMLResponse:
    """Every answer with where it comes from, and what was measured."""
    judged = site_of(request).board.judged(name)
    return tab_page(
        request, name, judged, "evidence", sections=(record.answers(judged.dossier),)
    )  # fmt: skip


@router.get("/cases/{name}/options")
def options(request: Request, name: str) -> HTMLResponse:
    """What could be done instead, all of it side by side, and how tuning would be done."""
    judged = site_of(request).board.judged(name)
    found = (
        ahead.options(judged.dossier, folded=False),
        ahead.side_by_side(judged.dossier),
        ahead.approaches(judged.dossier),
    )
    return tab_page(request, name, judged, "options", sections=found)


@router.get("/cases/{name}/precedents")
def precedents(request: Request, name: str) -> HTMLResponse:
    """What happened to others."""
    judged = site_of(request).board.judged(name)
    return tab_page(request, name, judged, "precedents", sections=(others.others(judged.dossier),))


@router.get("/cases/{name}/plan")
def plan(request: Request, name: str) -> HTMLResponse:
    """The phases, with dates."""
    judged = site_of(request).board.judged(name)
    return tab_page(request, name, judged, "plan", sections=(ahead.plan(judged.dossier),))
