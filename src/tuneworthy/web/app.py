"""The page: one application made from a workspace of cases.

How it is put together:

* ``make_app(site)`` gives the application. ``guard.Guard`` wraps it (Host, Origin, token, size of
  bodies, headers of safety), ``guard.checked`` runs before every route (CSRF), and errors become
  a page or a part here. A route never has to think of these.
* A page is a ``router`` in a module of this folder, listed in ``_PAGES`` below. A route is a plain
  function, run in a thread. One below the address of a case takes ``of: OfCase``, makes one call of
  ``of.workspace``, and returns ``of.page("lab.html", …)``; another ``page(request, "x.html", …)``.
* Templates are in ``templates/``; those of a case extend ``case.html`` and fill ``content``. All
  that the report knows is there as well: ``{% import "blocks.html" as blocks %}``, then
  ``blocks.all(section.blocks, 3)`` for blocks of the report. Everything is escaped.
* Files to load are in ``static/`` (``.js``, ``.css``) and are named with ``asset("page.js")``. No
  script and no style is allowed inside a page: the policy refuses both.
* A form has ``<input type="hidden" name="csrf" value="{{ csrf }}">``; htmx sends it by itself, and
  a script of ours sends the same as the header ``X-CSRF``.
* Raise an ``InputError`` for whatever the user can fix; its status is chosen here.
"""

from __future__ import annotations

import logging
import secrets
import socket
import threading
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import date
from functools import partial
from http import HTTPStatus
from threading import Thread
from typing import NamedTuple

import click
from anyio import to_thread
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response

from tuneworthy.cases.workspace import Workspace, open_workspace
from tuneworthy.errors import ConflictError, InputError, NoSuchCaseError, one_line
from tuneworthy.listen import EVERYWHERE, in_link, is_loopback, listening, serve
from tuneworthy.web import cases, interview, lab, label, signing
from tuneworthy.web.guard import (
    HEADERS,
    LOOPBACK,
    Guard,
    Site,
    checked,
    shows_token,
    site_of,
)
from tuneworthy.web.render import FOREVER, assets, for_notice, load, page, wants_part

# What went wrong, in one line, with the right status; never where in our code.

_TITLES = {
    400: "That request can’t be read",
    401: "Sign in first",
    403: "Not done",
    404: "Not found",
    405: "Not possible here",
    409: "Changed meanwhile",
    413: "Too large",
    422: "That doesn’t work",
    500: "An internal error",
}


def wrong(request: Request, caught: Exception) -> Response:
    """An error as a part for htmx, or as a page for a browser."""
    status, says = _explained(request, caught)
    title = _TITLES.get(status, HTTPStatus(status).phrase)
    if wants_part(request):
        answer = for_notice(page(request, "said.html", status, title=title, says=says))
    else:
        answer = page(request, "message.html", status, title=title, says=says)
    # the answer to a fault of ours is made outside the guard
    answer.headers.update(HEADERS)
    return answer


class _Explained(NamedTuple):
    """An error as a visitor may see it."""

    status: int
    says: str


def _explained(request: Request, caught: Exception) -> _Explained:
    """The status and the text of a page for an error."""
    match caught:
        case InputError():
            says = site_of(request).workspace.directory.plain_error(caught)
            return _Explained(_status_of(caught), says)
        case HTTPException(status_code=404, detail="Not Found"):  # the library's own
            return _Explained(404, "Nothing is at this address.")
        case HTTPException():
            return _Explained(caught.status_code, str(caught.detail))
        case RequestValidationError():
            return _Explained(422, _first_fault(caught))
    return _Explained(500, "The terminal that runs the server says more.")


def _status_of(caught: InputError) -> int:
    if isinstance(caught, NoSuchCaseError):
        return 404
    if isinstance(caught, ConflictError):
        return 409
    return 422


def _first_fault(caught: RequestValidationError) -> str:
    """The first field of a form or an address that is wrong, and why; cut, as a user sent it."""
    first, *_ = caught.errors()
    path = first["loc"][1:]  # behind the part of the request, such as "query"
    where = ".".join(str(part) for part in path)
    return f"{where[:80]}: {first['msg'][:200]}"


# The page: one application made from a workspace of cases.

_PAGES = (cases.router, signing.router, interview.router, lab.router, label.router)
_THREADS = 8  #: Requests that are worked on at a time.


def make_app(site: Site) -> FastAPI:
    """The application that serves a site."""
    app = FastAPI(
        openapi_url=None,
        dependencies=[Depends(checked)],
        lifespan=_lifespan,
    )
    app.state.site = site
    for router in _PAGES:
        app.include_router(router)
    app.get("/static/{name}")(static)
    for kind in (InputError, HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, wrong)
    app.add_middleware(Guard, site=site)
    return app


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Limit the threads, as they share one interpreter."""
    to_thread.current_default_thread_limiter().total_tokens = _THREADS
    yield


def static(request: Request, name: str) -> Response:
    """A script or a style, only from the package."""
    file = assets().get(name)
    if file is None:
        return PlainTextResponse("there is no such file\n", 404)
    media = "text/javascript" if name.endswith(".js") else "text/css"
    # an address with the digest of this content never has another one
    caching = FOREVER if request.url.query == file.digest else "no-cache"
    return Response(file.data, media_type=media, headers={"Cache-Control": caching})


# What a server that runs writes on the terminal: a fault may repeat what a stranger wrote.

_LONGEST = 1000  # characters of a line; the message of a fault may be a whole file


class Plain(logging.Formatter):
    """Formats log lines, those of tracebacks too, so that no character controls the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The record with control characters as visible escapes, and each line cut to a length."""
        lines = super().format(record).split("\n")
        return "\n".join(one_line(line, limit=_LONGEST) for line in lines)


def keep_plain() -> None:
    """Write all later log records, and errors that end a thread, to stderr as ``Plain``.

    The server must not have its own way to log.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(Plain("%(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    threading.excepthook = _ended


def _ended(args: threading.ExceptHookArgs) -> None:
    """Log the fault that ended a thread; one that ends without a fault is as it should be."""
    if args.exc_value is not None:
        logging.getLogger("tuneworthy.web").error(
            "A thread ended", exc_info=args.exc_value
        )


# The server started: where it listens, whom it lets in, and what the terminal shows.

_PREPARE_S = 1.0
"""The most seconds that judging cases may delay a start. The rest is judged beside the requests."""


def run(
    folder: str,
    *,
    host: str,
    port: int,
    browse: bool,
    upload_limit: int,
    as_of: date | None,
) -> None:
    """Serve until it is stopped, taking ``upload_limit`` MiB of files at a time."""
    workspace = open_workspace(folder, as_of)
    site = replace(make_site(workspace, host), upload_mib=upload_limit)
    with listening(host, port) as sock:
        keep_plain()
        prepare(site)
        _, actual_port, *_ = sock.getsockname()  # port 0 asks for any free one
        address = f"http://{in_link(host)}:{actual_port}/"
        for line in start_lines(address, site):
            click.echo(line)
        Thread(target=site.workspace.watch, name="watch", daemon=True).start()
        if browse:
            webbrowser.open(f"{address}?token={site.token}")
        with suppress(KeyboardInterrupt):  # how it is meant to end
            shows = partial(shows_token, site=site)
            serve(make_app(site), sock, shows=shows, patience_s=3, log="warning")


def prepare(site: Site) -> None:
    """Load everything that would delay the first request: templates, and the list's first rows."""
    load()
    site.workspace.warm(within_s=_PREPARE_S)


def make_site(workspace: Workspace, host: str) -> Site:
    """The site for an address. Visitors need its token."""
    token = secrets.token_urlsafe(32)
    if is_loopback(host):
        return Site(workspace, token=token)
    names = {host.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}
    return Site(
        workspace,
        hosts=LOOPBACK | names,
        any_address=host in EVERYWHERE,
        token=token,
    )


def start_lines(address: str, site: Site) -> list[str]:
    """The lines that the terminal shows at the start."""
    lines = [
        f"Serving {site.workspace.directory.folder} at {address}?token={site.token}",
        "Ctrl-C ends it. Anyone with this link can read and change every case here.",
    ]
    if site.hosts != LOOPBACK:
        lines += [
            "The connection isn't encrypted: others on the network can read along.",
            "Where that matters, leave --host out and use a tunnel.",
        ]
    return lines
