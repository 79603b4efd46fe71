"""Templates: our own files, filled with values that are escaped, beside the report's blocks."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse

from tuneworthy.domain.version import __version__
from tuneworthy.report.html.page import environment, style
from tuneworthy.surfaces.web.framed import framed
from tuneworthy.surfaces.web.site import Site

_HERE = files("tuneworthy.surfaces.web")


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
    text = _environment().get_template(template).render(
        site=site, csrf=site.csrf, version=__version__, path=request.url.path, **values
    )  # fmt: skip
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
