"""Templates: our own files, filled with values that are escaped, beside the report's blocks."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator, Callable
from functools import cache
from importlib.resources import files
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from fastapi import HTTPException, Request
from jinja2 import Environment, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from tuneworthy import __version__
from tuneworthy.lab.background import LabRun
from tuneworthy.report.blocks import Picture
from tuneworthy.report.charts import WIDE
from tuneworthy.report.html import environment, script_digest, style
from tuneworthy.report.sections.common import day, finality, headline
from tuneworthy.web.guard import API, Site
from tuneworthy.workspace.reports import render
from tuneworthy.workspace.workspace import EvaluatedCase, Workspace

# A picture on a page of the server: drawn by the browser, still where it runs no script.

SCRIPT = "/charts.js"
"""Where the script that draws is served; it isn't in the package, but made from a library."""

_BOX = Markup(
    '<div class="chart" data-chart="{at}.json" data-script="{script}" role="img"'
    ' aria-label="{label}"><svg viewBox="0 0 {width} {height}" aria-hidden="true"></svg></div>'
    '<noscript><picture><source media="(max-width: 44rem)" srcset="{at}.svg?width=narrow">'
    '<img class="still" src="{at}.svg" alt="{label}" loading="lazy" width="{width}"'
    ' height="{height}"></picture></noscript>'
)


@pass_context
def framed(context: Context, block: Picture, label: str) -> Markup:
    """A box that names where its chart is, as high as the chart will be.

    Args:
        context: Of the template: ``charts`` is where its charts lie, else they lie under ``base``.
        block: The picture.
        label: What it says, for those who don't see it.
    """
    folder = context.get("charts") or f"{context['base']}/charts"
    return _BOX.format(
        at=f"{folder}/{block.id}",
        script=f"{SCRIPT}?{script_digest()}",
        label=label,
        width=WIDE,
        height=block.drawing.height(WIDE),
    )


# Templates: our own files, filled with values that are escaped, beside the report's blocks.

_HERE = files("tuneworthy.web")


def site_of(request: Request) -> Site:
    """The server a request came to."""
    found: Site = request.app.state.site
    return found


def wants_part(request: Request) -> bool:
    """Whether htmx asks for a part of the page, and not a browser for the whole."""
    return request.headers.get("hx-request") == "true"


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A template filled; it knows ``site``, ``csrf``, ``version`` and ``asset`` by itself."""
    site = site_of(request)
    text = (
        _environment()
        .get_template(template)
        .render(site=site, csrf=site.csrf, version=__version__, path=request.url.path, **values)
    )
    return HTMLResponse(text, status)


@cache
def _environment() -> Environment:
    folder = _HERE.joinpath("templates")
    sources = {
        one.name: one.read_text(encoding="utf-8")
        for one in folder.iterdir()
        if one.name.endswith(".html")
    }
    made = environment(sources)
    made.globals["asset"] = asset
    made.globals["touch"] = True
    made.globals["picture"] = framed
    return made


@cache
def assets() -> dict[str, tuple[bytes, str]]:
    """Every file that a page may load: name to its bytes and their short digest."""
    found = {
        one.name: one.read_bytes()
        for one in _HERE.joinpath("static").iterdir()
        if one.name.endswith((".js", ".css"))
    }
    found["blocks.css"] = style().encode()
    return {name: (data, hashlib.sha256(data).hexdigest()[:16]) for name, data in found.items()}


def load() -> None:
    """Read and compile what pages are made from, so that no request has to wait for it."""
    assets()
    made = _environment()
    for name in made.list_templates():
        made.get_template(name)


def asset(name: str) -> str:
    """The address of a file; another one when its content changes, so that it may be kept."""
    return f"/static/{name}?{assets()[name][1]}"


# The tabs of a case: each is an address of its own, and works as a plain link.


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


def told(name: str, evaluated: EvaluatedCase) -> dict[str, Any]:
    """What every page of a case shows: its verdict, and where its tabs are."""
    dossier = evaluated.dossier
    by = f"By the {dossier.framework.name} framework, as of {day(dossier.as_of)}."
    return {
        "name": name,
        "base": address(name),
        "evaluated": evaluated,
        "headline": headline(dossier),
        "byline": f"{finality(dossier)} {by}",
        "tabs": TABS,
        "swap": False,
        "sections": (),
    }


def tab_page(
    request: Request,
    name: str,
    evaluated: EvaluatedCase,
    tab: str,
    template: str = "case.html",
    status: int = 200,
    **values: Any,
) -> HTMLResponse:
    """A page of a case.

    Args:
        request: What asked for it.
        name: The case.
        evaluated: The same, evaluated.
        tab: Id of the tab it is.
        template: One that extends ``case.html``; that one itself shows ``sections``.
        status: Of the answer.
        values: What the template needs besides.
    """
    return page(request, template, status, **{**told(name, evaluated), "tab": tab, **values})


# The report as a file: the bytes of the command line, from the same call.

ExportForm = Literal["text", "markdown", "html", "json", "record"]


class _Kind(NamedTuple):
    ending: str
    media: str
    title: str
    says: str


FORMS: dict[ExportForm, _Kind] = {
    "html": _Kind(
        "html", "text/html", "Web page", "One file to forward, with pictures, that prints well."
    ),
    "text": _Kind("txt", "text/plain", "Text", "As a terminal shows it."),
    "markdown": _Kind("md", "text/markdown", "Markdown", "For a wiki or a pull request."),
    "record": _Kind(
        "md",
        "text/markdown",
        "Decision record",
        "Markdown in the form of an architecture decision record.",
    ),
    "json": _Kind(
        "json",
        "application/json",
        "Dossier",
        "Everything, for programs, and to compare with later.",
    ),
}
"""What can be had, the most asked for first."""


def exported(
    workspace: Workspace, name: str, form: ExportForm, *, attached: bool = True
) -> Response:
    """The report of a case.

    Args:
        workspace: The cases.
        name: Which.
        form: How.
        attached: To be saved, and not shown.

    Raises:
        InputError: If there is no such case, or it can't be evaluated.
    """
    text = render(
        workspace.evaluated(name).dossier, form, case_path=str(workspace.directory.path(name))
    )
    kind = FORMS[form]
    headers = {}
    if attached:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "case"
        file = f"{plain}{'-record' if form == 'record' else ''}.{kind.ending}"
        headers["Content-Disposition"] = f'attachment; filename="{file}"'
    elif form == "html":
        headers["Content-Security-Policy"] = _own_policy(text)
    return Response(text, media_type=kind.media, headers=headers)


def _own_policy(text: str) -> str:
    """The policy that the page carries in itself: its style is allowed by its digest."""
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    said = found.group(1).replace("&#39;", "'") if found else "default-src 'none'"
    return f"{said}; frame-ancestors 'none'; sandbox allow-top-navigation-by-user-activation"


def link(name: str, form: str) -> str:
    """Where a case's report is to be had."""
    return f"/cases/{quote(name, safe='')}/report/{form}"


# A run followed by somebody who looks: server-sent events, each a whole picture.

_LOOK_S = 0.25
_QUIET_S = 10.0  # a sign of life that often, so that a connection that is gone is noticed
_AGAIN_MS = 1000


async def followed(running: LabRun, part: Callable[[], str], last: str) -> AsyncIterator[str]:
    """Events ``stand`` each time the run has moved, then ``over``.

    Args:
        running: The run.
        part: How it stands, as markup.
        last: Id of the event that was seen last; empty for none.
    """
    seen, spoke = last, time.monotonic()
    yield f"retry: {_AGAIN_MS}\n\n"
    while True:
        now = running.progress
        if (mark := f"{running.id}-{now.number}") != seen:
            yield event("stand", part(), mark)
            seen, spoke = mark, time.monotonic()
        if now.over:
            yield event("over", now.state, mark)
            return
        if time.monotonic() - spoke > _QUIET_S:
            yield ": still here\n\n"
            spoke = time.monotonic()
        await asyncio.sleep(_LOOK_S)


def event(name: str, data: str, mark: str) -> str:
    """A server-sent event; every line of its data is a line of its own."""
    lines = data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    told = "".join(f"data: {line}\n" for line in lines)
    return f"id: {mark}\nevent: {name}\n{told}\n"


# A change has to carry what only a page of this server, or a program that means it, can know.

HEADER = "X-Tuneworthy"
"""A program's change carries it: another site's page can't send a header of its own choosing."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


async def checked(request: Request) -> None:
    """Refuse a change that may have been made up by another site.

    Every route passes here. A form carries ``csrf``, a script sends it as ``X-CSRF``; a program
    that uses the API sends ``X-Tuneworthy: 1`` or its token.
    """
    if request.method in _SAFE:
        return
    site = site_of(request)
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and site.is_token(given.strip()):
        return
    if site.is_csrf(request.headers.get("x-csrf", "")):
        return
    if request.url.path.startswith(API):
        if request.headers.get(HEADER):
            return
        raise HTTPException(403, f"a change by a program carries the header {HEADER}: 1")
    form = await request.form()
    carried = form.get("csrf")
    if not isinstance(carried, str) or not site.is_csrf(carried):
        raise HTTPException(403, "this form is from before the server was started; load it again")
