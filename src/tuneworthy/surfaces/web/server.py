"""The server started: where it listens, whom it lets in, and what the terminal is told."""

from __future__ import annotations

import secrets
import socket
import sys
import webbrowser
from contextlib import suppress
from datetime import date
from threading import Thread

import click
import uvicorn

from tuneworthy.api.board import Board
from tuneworthy.api.shelf import open_shelf
from tuneworthy.report.charts.script import chart_script
from tuneworthy.surfaces.listen import EVERYWHERE, in_link, is_loopback, listening
from tuneworthy.surfaces.web.app import make_app
from tuneworthy.surfaces.web.render import load
from tuneworthy.surfaces.web.site import LOOPBACK, Site
from tuneworthy.surfaces.web.terminal import keep_plain

_MOST_AT_ONCE = 256
_PREPARE_S = 1.0
"""How long a start may be held up by judging cases; the rest is judged beside the requests."""
_SWITCH_S = 0.001
"""How long a thread may keep others waiting: a lab that computes must not hold up the readers."""


def run(
    folder: str, *, host: str, port: int, browse: bool, chosen: str | None, as_of: date | None
) -> None:
    """Serve until it is stopped.

    Raises:
        InputError: If there is no such folder, or the address can't be listened on.
    """
    site = make_site(Board(open_shelf(folder), chosen, as_of), host)
    with listening(host, port) as sock:
        keep_plain()
        prepare(site)
        address = f"http://{in_link(host)}:{sock.getsockname()[1]}/"
        for line in told(address, site):
            click.echo(line)
        Thread(target=site.board.warm, name="warm", daemon=True).start()
        Thread(target=chart_script, name="charts", daemon=True).start()
        if browse:
            webbrowser.open(address)
        config = uvicorn.Config(
            make_app(site), log_level="warning", access_log=False, server_header=False,
            limit_concurrency=_MOST_AT_ONCE, timeout_graceful_shutdown=3, proxy_headers=False,
            log_config=None,
        )  # fmt: skip
        with suppress(KeyboardInterrupt):  # how it is meant to end
            uvicorn.Server(config).run(sockets=[sock])


def prepare(site: Site) -> None:
    """Load what the first request would wait for: templates, and the first lines of the list."""
    load()
    site.board.warm(within_s=_PREPARE_S)
    sys.setswitchinterval(_SWITCH_S)


def make_site(board: Board, host: str) -> Site:
    """The site for an address: anything but the loopback gets a token."""
    if is_loopback(host):
        return Site(board)
    names = {host.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}
    return Site(board, LOOPBACK | names, host in EVERYWHERE, secrets.token_urlsafe(32))


def told(address: str, site: Site) -> list[str]:
    """What the terminal says at the start."""
    lines = [f"Serving {site.board.shelf.folder} at {address} (Ctrl-C ends it)"]
    if site.token is not None:
        lines += [
            f"Token: {site.token}",
            "Whoever knows the token can read and change every case here. It is shown this once.",
            "The connection isn't encrypted: others on the network can read along.",
            "Where that matters, leave --host out and use a tunnel.",
        ]
    return lines
