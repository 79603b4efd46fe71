"""Templates: our own files, filled with values that are escaped, beside the report's blocks."""

from __future__ import annotations

import hashlib
import re
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import quote, urlencode

from fastapi import Depends, Request
from jinja2 import Environment, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tuneworthy import __version__
from tuneworthy.interview.answers import EvaluatedCase
from tuneworthy.lab.background import LabRun
from tuneworthy.model.dossier import Dossier
from tuneworthy.report.blocks import Picture
from tuneworthy.report.charts import WIDE
from tuneworthy.report.html import environment, script_digest, style
from tuneworthy.report.sections.common import day, finality, headline
from tuneworthy.web.guard import site_of
from tuneworthy.workspace.reports import render

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


# Templates, and the files that a page may load.

_HERE = files("tuneworthy.web")


def wants_part(request: Request) -> bool:
    """Whether htmx asks for a part of the page, and not a browser for the whole."""
    return request.headers.get("hx-request") == "true"


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A template filled; it knows ``csrf``, ``version`` and ``asset`` by itself."""
    filled = _environment().get_template(template)
    text = filled.render(csrf=site_of(request).csrf, version=__version__, **values)
    return HTMLResponse(text, status)


def for_notice(part: Response) -> Response:
    """A part that htmx puts where the page shows what went wrong, whatever it asked for."""
    part.headers["HX-Retarget"], part.headers["HX-Reswap"] = "#notice", "innerHTML"
    return part


@cache
def _environment() -> Environment:
    made = environment({name: text.decode() for name, text in _files("templates", ".html").items()})
    made.globals |= {"asset": asset, "touch": True, "picture": framed, "tabs": TABS}
    return made


def _files(folder: str, *endings: str) -> dict[str, bytes]:
    inside = _HERE.joinpath(folder).iterdir()
    return {one.name: one.read_bytes() for one in inside if one.name.endswith(endings)}


@cache
def assets() -> dict[str, tuple[bytes, str]]:
    """Every file that a page may load: name to its bytes and their short digest."""
    found = {**_files("static", ".js", ".css"), "blocks.css": style().encode()}
    return {name: (data, hashlib.sha256(data).hexdigest()[:16]) for name, data in found.items()}


def load() -> None:
    """Read and compile what pages are made from, so that no request has to wait for it."""
    assets()
    made = _environment()
    for name in made.list_templates():
        made.get_template(name)


FOREVER = "public, max-age=31536000, immutable"
"""How long a file may be kept whose address changes with it."""


def asset(name: str) -> str:
    """The address of a file; another one when its content changes, so that it may be kept."""
    return f"/static/{name}?{assets()[name][1]}"


# A case on the page. Each of its tabs is an address of its own, and works as a plain link.

TABS = {
    "interview": "Interview",
    "answers": "Answers",
    "evidence": "Evidence",
    "options": "Options",
    "money": "Money",
    "plan": "Plan",
    "precedents": "Precedents",
    "lab": "Lab",
    "label": "Labels",
    "history": "History",
    "report": "Report",
}
"""Titles in the order they stand there, by what follows the case's address; the answers are at the
address itself. A new one is a line here and a route of its own."""


def address(name: str) -> str:
    """Where a case stands on this server."""
    return f"/cases/{quote(name, safe='')}"


def query(given: Any) -> str:
    """What is given, behind an address; empty for nothing."""
    return "?" + urlencode(given, doseq=True) if given else ""


class AskedCase:
    """The case that a request is about: what every route under its address begins with."""

    def __init__(self, request: Request, name: str) -> None:
        self.request, self.name, self.base = request, name, address(name)
        self.site = site_of(request)
        self.workspace = self.site.workspace
        self.part = wants_part(request)

    @cached_property
    def evaluated(self) -> EvaluatedCase:
        """The case as it is when it is first looked at; a route that writes puts the new one."""
        return self.workspace.evaluated(self.name)

    @property
    def dossier(self) -> Dossier:
        """Its dossier."""
        return self.evaluated.dossier

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.workspace.directory.path(self.name)

    @property
    def last_lab(self) -> LabRun | None:
        """Its lab that runs, or that ran last."""
        return self.site.labs.last(self.path)

    def plain(self, caught: Exception) -> str:
        """An error in one line, with paths as seen from the folder that is served."""
        return self.workspace.directory.plain_error(caught)

    def to(self, path: str) -> Response:
        """On to one of its pages."""
        return RedirectResponse(self.base + path, 303)

    def page(self, template: str = "case.html", status: int = 200, **values: Any) -> HTMLResponse:
        """A page of it, or a part of one, which is swapped into the page.

        Args:
            template: One that extends ``case.html``; that one itself shows ``sections``.
            status: Of the answer.
            values: What the template needs besides.
        """
        dossier = self.dossier
        by = f"By the {dossier.framework.name} framework, as of {day(dossier.as_of)}."
        shown = {
            "name": self.name,
            "base": self.base,
            "evaluated": self.evaluated,
            "headline": headline(dossier),
            "byline": f"{finality(dossier)} {by}",
            "tab": [*self.request.url.path.split("/"), "answers"][3],
            "swap": False,
            "sections": (),
        }
        return page(self.request, template, status, **{**shown, **values})


OfCase = Annotated[AskedCase, Depends()]


# The report as a file: the bytes of the command line, from the same call.

ExportForm = Literal["text", "markdown", "html", "json", "record"]


class FileKind(NamedTuple):
    """A form of the report."""

    ending: str
    media: str
    title: str
    says: str


FORMS: dict[ExportForm, FileKind] = {
    "html": FileKind(
        ".html", "text/html", "Web page", "One file to forward, with pictures, that prints well."
    ),
    "text": FileKind(".txt", "text/plain", "Text", "As a terminal shows it."),
    "markdown": FileKind(".md", "text/markdown", "Markdown", "For a wiki or a pull request."),
    "record": FileKind(
        "-record.md",
        "text/markdown",
        "Decision record",
        "Markdown in the form of an architecture decision record.",
    ),
    "json": FileKind(
        ".json",
        "application/json",
        "Dossier",
        "Everything, for programs, and to compare with later.",
    ),
}
"""What can be had, the most asked for first."""


def exported(of: AskedCase, form: ExportForm, *, attached: bool = True) -> Response:
    """The report of a case as a file to save, or, not ``attached``, as a page to read."""
    text = render(of.dossier, form, case_path=str(of.path))
    if attached:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", of.name).strip("-.") or "case"
        says = f'attachment; filename="{plain}{FORMS[form].ending}"'
        headers = {"Content-Disposition": says}
    else:  # the policy that the page carries in itself: its style is allowed by its digest
        found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
        own = found.group(1).replace("&#39;", "'") if found else "default-src 'none'"
        more = "frame-ancestors 'none'; sandbox allow-top-navigation-by-user-activation"
        headers = {"Content-Security-Policy": f"{own}; {more}"}
    return Response(text, media_type=FORMS[form].media, headers=headers)
