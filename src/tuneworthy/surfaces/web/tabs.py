"""The tabs of a case: each is an address of its own, and works as a plain link."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse

from tuneworthy.api.board import Judged
from tuneworthy.report.html.values import day
from tuneworthy.report.plain import plain_finality, plain_headline
from tuneworthy.surfaces.web.render import page


class Tab(NamedTuple):
    """A tab: its id, its title, and what follows the case's address."""

    id: str
    title: str
    path: str


TABS = (
    Tab("interview", "Interview", "/interview"),
    Tab("answers", "Answers", ""),
    Tab("evidence", "Evidence", "/evidence"),
    Tab("options", "Options", "/options"),
    Tab("money", "Money", "/money"),
    Tab("plan", "Plan", "/plan"),
    Tab("precedents", "Precedents", "/precedents"),
    Tab("lab", "Lab", "/lab"),
    Tab("label", "Labels", "/label"),
    Tab("history", "History", "/history"),
    Tab("report", "Report", "/report"),
)
"""In the order they stand there. A new one is a line here and a route of its own."""


def address(name: str) -> str:
    """Where a case stands on this server."""
    return f"/cases/{quote(name, safe='')}"


def told(name: str, judged: Judged) -> dict[str, Any]:
    """What every page of a case shows: its verdict, and where its tabs are."""
    dossier = judged.dossier
    by = f"By the {dossier.framework.name} framework, as of {day(dossier.as_of)}."
    return {
        "name": name,
        "base": address(name),
        "judged": judged,
        "headline": plain_headline(dossier),
        "byline": f"{plain_finality(dossier)} {by}",
        "tabs": TABS,
        "swap": False,
        "sections": (),
    }


def tab_page(
    request: Request, name: str, judged: Judged, tab: str, template: str = "case.html",
    status: int = 200, **values: Any,
) -> HTMLResponse:  # fmt: skip
    """A page of a case.

    Args:
        request: What asked for it.
        name: The case.
        judged: The same, judged.
        tab: Id of the tab it is.
        template: One that extends ``case.html``; that one itself shows ``sections``.
        status: Of the answer.
        values: What the template needs besides.
    """
    return page(request, template, status, **{**told(name, judged), "tab": tab, **values})
