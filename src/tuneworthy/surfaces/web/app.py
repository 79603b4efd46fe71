"""The page: one application made from a board of cases.

How it is put together, for whoever adds to it:

* ``make_app(site)`` gives the application. ``guard.Guard`` wraps it (Host, Origin, token, size of
  bodies, headers of safety), ``checked.checked`` runs before every route (CSRF), ``errors`` turns
  what is raised into a page, a part or problem JSON. A route never has to think of these.
* A page is a module in ``pages/`` with a ``router``, listed in ``_PAGES`` below. A route is a plain
  function, run in a thread: ``judged = site_of(request).board.judged(name)``, one call of the API,
  and ``tab_page(request, name, judged, "lab", template="lab.html", …)`` for a page of a case, or
  ``page(request, "x.html", …)`` for any other.
* Templates lie in ``templates/``; those of a case extend ``case.html`` and fill ``content``. All
  that the report knows is there as well: ``{% import "blocks.html" as blocks %}``, then
  ``blocks.all(section.blocks, 3)`` for what ``report/html`` makes. Everything is escaped.
* Files to load lie in ``static/`` (``.js``, ``.css``) and are named with ``asset("page.js")``. No
  script and no style stands inside a page: the policy refuses both.
* A form has ``<input type="hidden" name="csrf" value="{{ csrf }}">``; htmx sends it by itself, and
  a script of ours sends the same as the header ``X-CSRF``.
* Raise an ``InputError`` for whatever the user can mend; ``errors`` says with which status.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import to_thread
from fastapi import Depends, FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response

from tuneworthy.domain.version import __version__
from tuneworthy.surfaces.web import api_lab, api_v1, errors
from tuneworthy.surfaces.web.checked import checked
from tuneworthy.surfaces.web.guard import Guard
from tuneworthy.surfaces.web.pages import (
    answers,
    cases,
    charts,
    history,
    interview,
    lab,
    label,
    login,
    money,
    report,
    tabs,
)
from tuneworthy.surfaces.web.render import assets
from tuneworthy.surfaces.web.site import Site

_PAGES = (
    cases.router,
    answers.router,
    interview.router,
    tabs.router,
    money.router,
    charts.router,
    lab.router,
    label.router,
    history.router,
    report.router,
    login.router,
    api_v1.router,
    api_lab.router,
)
_THREADS = 8
_FOREVER = "public, max-age=31536000, immutable"


def make_app(site: Site) -> FastAPI:
    """The application that serves a site."""
    app = FastAPI(
        title="Tuneworthy",
        version=__version__,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(checked)],
        lifespan=_lifespan,
    )
    app.state.site = site
    for router in _PAGES:
        app.include_router(router)
    app.get("/static/{name}", include_in_schema=False)(static)
    errors.register(app)
    app.add_middleware(Guard, site=site)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Few threads, as they share one interpreter; and at the end no lab is left.

    Each lab sends nothing more, and what is on the wire is waited for.
    """
    to_thread.current_default_thread_limiter().total_tokens = _THREADS
    yield
    if app.state.site.labs.running:
        logging.getLogger("tuneworthy.web").warning("A lab stops: waiting for what is on the wire.")
    await run_in_threadpool(app.state.site.labs.close)


def static(request: Request, name: str) -> Response:
    """A script or a style; nothing but what the package brought."""
    found = assets().get(name)
    if found is None:
        return PlainTextResponse("there is no such file\n", 404)
    kind = "text/javascript" if name.endswith(".js") else "text/css"
    kept = _FOREVER if request.url.query == found[1] else "no-cache"
    return Response(found[0], media_type=kind, headers={"Cache-Control": kept})
