"""tuneworthy list, serve and mcp: what is made of a folder of cases."""

from __future__ import annotations

import logging
import math
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from tuneworthy.cli import ANSWERED, STOPPED
from tuneworthy.cli import options as opt
from tuneworthy.errors import InputError
from tuneworthy.model.base import json_text

if TYPE_CHECKING:
    from datetime import date

    from tuneworthy.mcp.server import AssistantServer
    from tuneworthy.mcp.tools import Desk

_ANSWERS = ("yes", "pilot", "open", "not_yet", "no")
_ORDERS = (
    "answer",
    "name",
    "ask",
    "stake",
    "contradictions",
    "review",
    "measured",
    "per_dollar",
)


@opt.command(
    "tuneworthy list cases",
    "tuneworthy list cases --answer pilot --sort stake",
    "tuneworthy list cases --budget 10000",
)
@click.argument("folder", metavar="[CASES_DIR]", default=".")
@opt.option("--find WORDS", "List cases with these words in their name or folder.")
@opt.option(
    "--answer ANSWER",
    f"List cases with this answer: {', '.join(_ANSWERS[:-1])} or {_ANSWERS[-1]}.",
    type=click.Choice(_ANSWERS),
)
@opt.option("--owner NAME", "List cases of this owner.")
@opt.flag("--contradictions", "List cases with an open contradiction.")
@opt.flag("--due", "List cases whose review is due.")
@opt.option(
    "--sort ORDER",
    f"Sort by {', '.join(_ORDERS[:-1])} or {_ORDERS[-1]}.",
    type=click.Choice(_ORDERS),
)
@opt.flag("--reverse", "Sort the other way round.")
@opt.option(
    "--budget USD",
    "Show which cases this budget funds, by worth per dollar asked.",
    type=opt.AnyNumber(0, 1e12),
)
@opt.as_of_option
@opt.format_option("text", "json")
@opt.all_option
@opt.output_options
def list(  # noqa: A001  # the name of the command
    folder: str, as_of: date | None, **asked: Any
) -> None:
    """List the cases in CASES_DIR: the answer, cost and worth of each, and the sums.

    With --budget they are in the order of their worth per dollar, with a line where the budget
    ends. A case is never funded while its cost or its worth is unknown.
    """
    from tuneworthy.cases.portfolio import document, query_of
    from tuneworthy.cases.workspace import open_workspace

    cases = open_workspace(folder, as_of).listed(query_of(asked), within_s=math.inf)
    named = {"schema": "tuneworthy/list/1"}
    opt.show(
        document(cases, folder),
        lambda: json_text(named | cases.model_dump(mode="json")),
    )


_NEEDED = ("fastapi", "uvicorn", "python_multipart", "jinja2", "vl_convert")


@opt.command(
    "tuneworthy serve",
    "tuneworthy serve examples --open",
    "tuneworthy serve cases --host 0.0.0.0 --port 9000",
)
@click.argument("folder", metavar="[CASES_DIR]", default=".")
@opt.option(
    "--host ADDRESS",
    "Listen on this address. The link that is shown includes a token.",
    default="127.0.0.1",
)
@opt.number("--port", 0, 65535, 8765, "Listen on this port. 0 takes any free one.")
@opt.number(
    "--upload-limit MIB",
    1,
    1 << 20,
    1024,
    "Take files of at most this size at a time.",
    rare=True,
)
@opt.flag("--open", "Open it in a browser.", "browse")
@opt.as_of_option
def serve(
    folder: str,
    host: str,
    port: int,
    upload_limit: int,
    browse: bool,
    as_of: date | None,
) -> None:
    """Show the cases in CASES_DIR, which may be a single case, on a page in the browser.

    Answers are written into the case files, and uploaded files are saved next to them. Earlier
    versions of a case file are kept in .tuneworthy. No lab starts from the page, and nothing is paid
    for: it shows quotes and the commands to run. Ctrl-C ends it.
    """
    for library in _NEEDED:
        if find_spec(library) is None:
            fix = 'in a clone, pip install ".[serve]" installs it'
            what = f"the page needs the extra serve ({library} is not installed)"
            raise InputError(what, where="tuneworthy serve", fix=fix)
    from tuneworthy.web.app import run

    run(
        folder,
        host=host,
        port=port,
        browse=browse,
        upload_limit=upload_limit,
        as_of=as_of,
    )


_PATIENCE_S = 5.0  # for a file that is being written when the server has to end
_EXTRA = frozenset({"mcp", "mcp_types", "anyio", "starlette", "uvicorn"})


@opt.command("tuneworthy mcp cases", "tuneworthy mcp cases --http --port 8766")
@click.argument("folder", metavar="[CASES_DIR]", default=".")
@opt.flag("--http", "Serve over streamable HTTP instead of stdio.", "over_http")
@opt.option(
    "--host ADDRESS", "With --http: listen on this address.", default="127.0.0.1"
)
@opt.number(
    "--port", 0, 65535, 8766, "With --http: listen on this port. 0 takes any free one."
)
@opt.option(
    "--allow-host NAME",
    "With --http: answer clients that use this host name. May be repeated.",
    "allowed",
    rare=True,
    multiple=True,
)
@opt.as_of_option
def mcp(
    folder: str,
    over_http: bool,
    host: str,
    port: int,
    allowed: tuple[str, ...],
    as_of: date | None,
) -> None:
    """Offer the tools to an assistant: it reads, answers and judges the cases in CASES_DIR.

    Speaks the Model Context Protocol on the standard streams, or over HTTP with --http. Writes only
    inside the case folders, and only by the tools that say so. No tool spends money. Over HTTP it
    asks for a token: TUNEWORTHY_TOKEN, or one that is shown once.
    """
    from tuneworthy.cases.workspace import open_workspace
    from tuneworthy.errors import extra_needed

    workspace = open_workspace(folder, as_of)
    with extra_needed("mcp", "the assistant's tools need", _EXTRA):
        from tuneworthy.mcp.server import AssistantServer
        from tuneworthy.mcp.tools import Desk

        # no line of a library's log, which may hold what a client sent, reaches the terminal
        if not os.environ.get("TUNEWORTHY_TRACEBACK"):
            logging.disable(logging.CRITICAL)
        desk = Desk(workspace)
        server = AssistantServer(desk)
        if over_http:
            _until_stopped(desk, _listen(server, host, port, allowed))
        else:
            _until_stopped(desk, server.run)


def _listen(
    server: AssistantServer, host: str, port: int, allowed: tuple[str, ...]
) -> Callable[[], None]:
    """Open the socket, print the address and a new token, and return what serves there."""
    from tuneworthy.listen import in_link, is_loopback, listening
    from tuneworthy.mcp import server as http

    token, is_new = http.find_token()
    listens = listening(host, port)
    app = http.make_app(server, host, token, allowed)
    address = f"http://{in_link(host)}:{listens.getsockname()[1]}{http.PATH}"
    click.echo(
        f"Serving {server.desk.workspace.directory.folder} at {address}", err=True
    )
    if is_new:
        click.echo(f"Token: {token}", err=True)
        click.echo(
            "It is shown this once: send it as Authorization: Bearer TOKEN.", err=True
        )
    if not is_loopback(host):
        click.echo("The connection isn't encrypted.", err=True)
    return partial(http.serve_http, app, listens, token)


def _until_stopped(desk: Desk, serve: Callable[[], None]) -> None:
    """Serve, then leave at once: threads that still compute have nothing to write.

    A file that is being written is waited for, and what they put aside is taken away, so that
    nothing half made is left.
    """
    set_aside = tempfile.mkdtemp(prefix="tuneworthy-mcp-")
    tempfile.tempdir = set_aside  # whatever this process puts aside lies in it

    def leave(code: int) -> None:
        desk.writing.acquire(timeout=_PATIENCE_S)
        shutil.rmtree(set_aside, ignore_errors=True)
        sys.stderr.flush()
        os._exit(code)  # an ordinary exit would wait for the threads

    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, lambda *_: leave(STOPPED))
    try:
        serve()
    except (BrokenPipeError, ExceptionGroup) as caught:
        if not _hung_up(caught):
            raise
    leave(ANSWERED)


def _hung_up(caught: BaseException) -> bool:
    """Whether nothing went wrong but that the other side reads no more."""
    if isinstance(caught, ExceptionGroup):
        return all(_hung_up(each) for each in caught.exceptions)
    return isinstance(caught, BrokenPipeError)
