"""What every request passes before anything else sees it, and what every answer carries."""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tuneworthy.lab.background import Labs
from tuneworthy.workspace.labelling import LabelQueues
from tuneworthy.workspace.workspace import Workspace

# What a running server knows: its cases, whom it answers, and its secrets.

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Site:
    """One server. Its secrets are made anew at every start and are in no file."""

    workspace: Workspace
    hosts: frozenset[str] = LOOPBACK
    """Names it answers to, without a port."""
    any_address: bool = False
    """Whether it also answers to any numeric address, where it listens on all of them."""
    token: str | None = field(default=None, repr=False)
    """What a visitor has to know; None on the loopback."""
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    labs: Labs = field(default_factory=Labs)
    """The labs that run here; they end with the server."""
    queues: LabelQueues = field(default_factory=LabelQueues)
    """What is being labelled here."""

    @property
    def csrf(self) -> str:
        """What a form has to carry, so that it can only be one of our own pages."""
        return self._signed("csrf")

    @property
    def session(self) -> str:
        """What the cookie of a visitor holds who gave the token."""
        return self._signed("session")

    def is_token(self, given: str) -> bool:
        """Whether this is the token, compared in constant time."""
        return self.token is not None and _same(given, self.token)

    def is_session(self, given: str) -> bool:
        """Whether this is the session's value, compared in constant time."""
        return _same(given, self.session)

    def is_csrf(self, given: str) -> bool:
        """Whether this is the form's value, compared in constant time."""
        return _same(given, self.csrf)

    def _signed(self, purpose: str) -> str:
        return hmac.new(self.secret, purpose.encode(), sha256).hexdigest()


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode())


# What every request passes before anything else sees it, and what every answer carries.

MIB = 1024 * 1024
BODY_LIMIT = MIB
"""Bytes of a request."""
COOKIE = "tuneworthy"
API = "/api/"
_UPLOADS = ((re.compile(r"/cases/[^/]+/(?:history|label)(?:/.*)?"), 17 * MIB),)
"""Addresses that take a file, and the bytes of a request to them."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # not no-referrer: with it a browser says "Origin: null" for our own forms
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""What an answer carries unless it says otherwise itself."""

_LENGTH = re.compile(r"[0-9]{1,12}")
_HOST = re.compile(r"\[([0-9a-f:.]+)\](?::[0-9]{1,5})?|([^:\[\]]*)(?::[0-9]{1,5})?")
_OWN_SITE = frozenset({"same-origin", "none"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN = frozenset({"/login"})


class Refusal(NamedTuple):
    """Why a request goes no further."""

    status: int
    says: str


class TooLargeError(Exception):
    """A body longer than its address takes."""


class Guard:
    """Refuses what isn't meant for this server, limits bodies, and adds the headers of safety."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self.app, self.site = app, site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        dressed = _dressed(send)
        refused = self._refusal(scope, headers)
        if refused is not None:
            await _answer(scope, refused)(scope, receive, dressed)
        elif not self._known(scope, headers):
            await self._ask(scope)(scope, receive, dressed)
        else:
            await self._limited(scope, receive, dressed)

    def _refusal(self, scope: Scope, headers: Headers) -> Refusal | None:
        host = headers.get("host", "")
        if not self._ours(host):
            return Refusal(421, "this server does not answer to that name")
        elsewhere = not _OWN_SITE.issuperset(headers.getlist("sec-fetch-site"))
        if scope["method"] not in _SAFE:
            ours = {f"{scheme}://{host.lower()}" for scheme in ("http", "https")}
            if elsewhere or not ours.issuperset(map(str.lower, headers.getlist("origin"))):
                return Refusal(403, "a change has to come from a page of this server")
        elif elsewhere and not _follows_a_link(headers):
            return Refusal(403, "a page of another site may link here, and load nothing from here")
        length = headers.get("content-length", "0")
        if not _LENGTH.fullmatch(length) or int(length) > _limit(scope["path"]):
            return Refusal(413, _too_large(scope["path"]))
        return None

    def _ours(self, host: str) -> bool:
        """Whether a Host header names this server: else another site's name may lead here."""
        name = _without_port(host)
        if name in self.site.hosts:
            return True
        return self.site.any_address and _is_address(name)

    def _known(self, scope: Scope, headers: Headers) -> bool:
        """Whether the visitor may come in."""
        if (
            self.site.token is None
            or scope["path"] in _OPEN
            or scope["path"].startswith("/static/")
        ):
            return True
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self.site.is_token(given.strip()):
            return True
        return self.site.is_session(cookie_parser(headers.get("cookie", "")).get(COOKIE, ""))

    def _ask(self, scope: Scope) -> Response:
        if scope["method"] in _SAFE and not scope["path"].startswith(API):
            return RedirectResponse("/login", 303)
        refused = _answer(scope, Refusal(401, "give the token that the terminal showed"))
        refused.headers["WWW-Authenticate"] = "Bearer"
        return refused

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on with a body that ends at its limit, also where no length was told."""
        left, started = _limit(scope["path"]), False

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise TooLargeError
            return message

        async def watched(message: Message) -> None:
            """Whatever the inside made of the end of its body, it was too large."""
            nonlocal started
            if left < 0 and not started:
                raise TooLargeError
            started = True
            await send(message)

        try:
            await self.app(scope, counted, watched)
        except TooLargeError:
            if started:
                raise
            refused = _answer(scope, Refusal(413, _too_large(scope["path"])))
            await refused(scope, receive, send)


def _limit(path: str) -> int:
    return next((most for known, most in _UPLOADS if known.fullmatch(path)), BODY_LIMIT)


def _too_large(path: str) -> str:
    return f"a request may have {_limit(path) // MIB} MiB here"


def _follows_a_link(headers: Headers) -> bool:
    """Whether a browser says that somebody opens a page, and no other page loads it as a part."""
    return (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == (
        "navigate",
        "document",
    )


def _without_port(host: str) -> str:
    """The name in a Host header; empty, which nobody is called, for what is none."""
    found = _HOST.fullmatch(host.strip().lower())
    return "" if found is None else found[1] or found[2] or ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _answer(scope: Scope, refused: Refusal) -> Response:
    if scope["path"].startswith(API):
        told = {"title": "refused", "status": refused.status, "detail": refused.says}
        return JSONResponse(told, refused.status, media_type="application/problem+json")
    return PlainTextResponse(refused.says + "\n", refused.status)


def _dressed(send: Send) -> Send:
    async def dressed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return dressed
