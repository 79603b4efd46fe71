"""The protocol over HTTP: on this machine, or with a token."""

from __future__ import annotations

import hmac
import os
import secrets
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mcp.server import Server
from mcp.server.transport_security import TransportSecuritySettings

from tuneworthy.domain.errors import InputError
from tuneworthy.surfaces.listen import in_link, is_loopback

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

PATH = "/mcp"
LARGEST_BODY = 2 * 1024 * 1024
"""Bytes of a request."""
TOKEN = "TUNEWORTHY_TOKEN"  # noqa: S105  # the name of a variable, and no secret
_SHORTEST = 16
_AT_ONCE = 64
"""Connections at a time; more are turned away."""
_LOCAL = ("127.0.0.1", "localhost", "[::1]")


def token_for(host: str) -> tuple[str | None, bool]:
    """The token that clients have to show, and whether it was made just now.

    The environment's, where it has one; else none on this machine, and a new one elsewhere.

    Raises:
        InputError: If the environment's is too short to protect anything.
    """
    given = os.environ.get(TOKEN)
    if given:
        if len(given) < _SHORTEST:
            fix = "use 32 random characters, or leave it out"
            raise InputError(f"is shorter than {_SHORTEST} characters", where=TOKEN, fix=fix)
        return given, False
    return (None, False) if is_loopback(host) else (secrets.token_urlsafe(32), True)


def address_of(host: str, listens: socket.socket) -> str:
    """Where clients find the server."""
    return f"http://{in_link(host)}:{listens.getsockname()[1]}{PATH}"


def security(host: str, allowed: Sequence[str] = ()) -> TransportSecuritySettings:
    """Names under which requests are answered; any other is a page that was led here by its name.

    Args:
        host: Where the server listens.
        allowed: Further names by which it may be called.
    """
    names = dict.fromkeys((*_LOCAL, in_link(host), *allowed))
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=[*names, *(f"{name}:*" for name in names)],
        allowed_origins=[f"http://{name}:*" for name in names],
    )


def make_app(
    server: Server[Any], host: str, token: str | None, allowed: Sequence[str] = ()
) -> ASGIApp:
    """The application: every request stands by itself, is small, and has shown the token."""
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        stateless_http=True,
        max_request_body_size=LARGEST_BODY,
        transport_security=security(host, allowed),
        host=host,
    )
    posts = _without_streams(app)
    return posts if token is None else _guarded(posts, token)


def _without_streams(app: ASGIApp) -> ASGIApp:
    """Refuse GET: where requests stand by themselves a stream would only hold a connection."""

    async def only(scope: Scope, receive: Receive, send: Send) -> None:
        reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        if reads and scope["path"] == PATH:
            from starlette.responses import PlainTextResponse

            refused = PlainTextResponse("send a POST", 405, {"Allow": "POST"})
            await refused(scope, receive, send)
            return
        await app(scope, receive, send)

    return only


def _guarded(app: ASGIApp, token: str) -> ASGIApp:
    wanted = f"Bearer {token}".encode()

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            shown = [value for name, value in scope["headers"] if name == b"authorization"]
            if len(shown) != 1 or not hmac.compare_digest(shown[0], wanted):
                from starlette.responses import PlainTextResponse

                told = {"WWW-Authenticate": "Bearer"}
                await PlainTextResponse("a token is needed", 401, told)(scope, receive, send)
                return
        await app(scope, receive, send)

    return guard


def serve_http(app: ASGIApp, listens: socket.socket) -> None:
    """Serve until it is interrupted; whoever is still connected then is cut off in a second."""
    import uvicorn

    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        limit_concurrency=_AT_ONCE,
        timeout_graceful_shutdown=1,
        ws="none",
    )
    uvicorn.Server(config).run(sockets=[listens])
