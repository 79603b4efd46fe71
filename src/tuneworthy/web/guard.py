"""Checks that every request passes first, and headers that every response carries."""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from fastapi import HTTPException, Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tuneworthy.cases.workspace import Workspace
from tuneworthy.labelling.queue import LabelQueues

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Site:
    """One server. Its secrets are new at every start, and are in no file."""

    workspace: Workspace
    hosts: frozenset[str] = LOOPBACK  #: Names it answers to, without a port.
    any_address: bool = False
    """Whether it also answers to any numeric address, as it listens on all of them."""
    token: str | None = field(default=None, repr=False)
    """The token that a visitor needs; None only for tests and programs of your own."""
    csrf: str = field(default_factory=secrets.token_hex, repr=False)
    """The secret that every form carries, to prove that it is from one of our own pages."""
    session: str = field(default_factory=secrets.token_hex, repr=False)
    """The value of the cookie of a visitor who gave the token."""
    upload_mib: int = 1024  #: The most that files sent at a time may have.
    #: The queues of labelling that are open here.
    queues: LabelQueues = field(default_factory=LabelQueues)

    def is_token(self, token: str) -> bool:
        return self.token is not None and same(token, self.token)

    def is_shown(self, headers: Headers) -> bool:
        """Whether a request has the token in a header, as programs send it."""
        kind, _, token = headers.get("authorization", "").partition(" ")
        return kind.lower() == "bearer" and self.is_token(token.strip())


def let_in(answer: Response, site: Site) -> Response:
    """Add the session cookie to a response, for a visitor who has shown the token."""
    answer.set_cookie(COOKIE, site.session, httponly=True, samesite="strict", path="/")
    return answer


def same(candidate: str, secret: str) -> bool:
    """Whether two secrets are equal, compared in constant time."""
    return hmac.compare_digest(
        candidate.encode("utf-8", "surrogatepass"), secret.encode()
    )


def site_of(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


MIB = 1024 * 1024
BODY_LIMIT = MIB  #: Bytes of a request.
_UPLOAD = re.compile(r"/cases/[^/]+/label(?:/.*)?")
_UPLOAD_LIMIT = 17 * MIB
"""Addresses that take a file, and the most bytes of a request to each."""
_FILES = re.compile(r"/cases/[^/]+/files(?:/.*)?")
"""Addresses that take files of a case. These are written to the disk as they arrive."""
COOKIE = "tuneworthy"
_STRANGERS_AT_ONCE = 8  # a form to sign in, and what a browser loads with it

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
}  #: The headers of an answer that sets none itself.

_LENGTH = re.compile(r"[0-9]{1,12}")
_HOST = re.compile(
    r"\[(?P<address>[0-9a-f:.]+)\](?::[0-9]{1,5})?"  # of IPv6, with a port
    r"|(?P<name>[^:\[\]]*)(?::[0-9]{1,5})?"
)
_OWN_SITE = frozenset({"same-origin", "none"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class TooLargeError(Exception):
    """A body is longer than its address takes."""


class Guard:
    """Refuses requests for other servers, limits bodies, and adds security headers."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self.app = app
        self.site = site
        self._strangers = 0  # requests without the token that are worked on

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            refusal = self._refused(scope, Headers(scope=scope))
            answer: ASGIApp = self._work_on if refusal is None else refusal
            with suppress(ClientDisconnect):  # then there is nobody to tell
                await answer(scope, receive, _dressed(send))

    async def _work_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on. Few without the token run at once, so that no reader waits for them."""
        if self.site.token is None or shows_token(scope, self.site):
            await self._limited(scope, receive, send)
            return
        if self._strangers >= _STRANGERS_AT_ONCE:
            busy = _refusal(503, "many ask without the token; try again in a moment")
            await busy(scope, receive, send)
            return

        async def receive_aside() -> Message:
            """Give the place free while a body arrives, so that a slow one blocks nobody."""
            self._strangers -= 1
            try:
                return await receive()
            finally:
                self._strangers += 1

        self._strangers += 1
        try:
            await self._limited(scope, receive_aside, send)
        finally:
            self._strangers -= 1

    def _refused(self, scope: Scope, headers: Headers) -> Response | None:
        """The refusal of a request; None where it may go on.

        What comes from elsewhere is refused first, so that it learns nothing, not even a limit.
        """
        path = scope["path"]
        reads = scope["method"] in _SAFE
        if not self._ours(headers.get("host", "").lower()):
            return _refusal(421, "this server does not answer to that name")
        from_elsewhere = _refused_from_elsewhere(headers, reads=reads)
        if from_elsewhere is not None:
            return from_elsewhere
        length = headers.get("content-length", "0")
        if not _LENGTH.fullmatch(length) or int(length) > self._limit(path):
            return self._too_large(path)
        if self._is_signed_in(path, headers):
            return None
        if not reads:
            refused = _refusal(401, "give the token that the terminal showed")
            refused.headers["WWW-Authenticate"] = "Bearer"
            return refused
        if self.site.is_token(_token_in_link(scope)):
            # on to the address without the token, which a history or a screen would show;
            # with one slash, as two would begin the address of another server
            return let_in(RedirectResponse("/" + path.lstrip("/"), 303), self.site)
        return RedirectResponse("/login", 303)

    def _ours(self, host: str) -> bool:
        """Whether a Host header names this server; otherwise another site's name may point here."""
        match = _HOST.fullmatch(host.strip())
        if match is None:
            return False
        name = match["address"] or match["name"] or ""
        if name in self.site.hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:  # another name
            return False
        return self.site.any_address

    def _is_signed_in(self, path: str, headers: Headers) -> bool:
        if self.site.token is None or path == "/login" or path.startswith("/static/"):
            return True
        return _has_session(headers, self.site)

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and cut its body off at its limit, even if it states no length."""
        left = self._limit(scope["path"])  # bytes
        has_answered = False

        async def receive_within_limit() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise TooLargeError
            return message

        async def send_if_whole(message: Message) -> None:
            """Refuse a request whose body was cut off, whatever the route answered."""
            nonlocal has_answered
            if left < 0 and not has_answered:
                raise TooLargeError
            has_answered = True
            await send(message)

        try:
            await self.app(scope, receive_within_limit, send_if_whole)
        except TooLargeError:
            if has_answered:  # it is too late for another answer
                raise
            await self._too_large(scope["path"])(scope, receive, send)

    def _limit(self, path: str) -> int:
        if _FILES.fullmatch(path):
            return self.site.upload_mib * MIB
        return _UPLOAD_LIMIT if _UPLOAD.fullmatch(path) else BODY_LIMIT

    def _too_large(self, path: str) -> Response:
        says = f"a request may have {self._limit(path) // MIB} MiB here"
        if _FILES.fullmatch(path):
            says += "; serve with a larger --upload-limit, or copy the file into the case folder"
        return _refusal(413, says)


def _refused_from_elsewhere(headers: Headers, *, reads: bool) -> Response | None:
    """The refusal of what a page of another site sends or loads; None for our own pages and links."""
    host = headers.get("host", "").lower()
    own_origins = {f"http://{host}", f"https://{host}"}
    origins = {origin.lower() for origin in headers.getlist("origin")}
    is_elsewhere = not _OWN_SITE.issuperset(headers.getlist("sec-fetch-site"))
    if not reads and (is_elsewhere or not origins <= own_origins):
        return _refusal(403, "a change has to come from a page of this server")
    mode = headers.get("sec-fetch-mode")
    opens_page = mode == "navigate" and headers.get("sec-fetch-dest") == "document"
    if is_elsewhere and not opens_page:
        says = "a page of another site may link here, and load nothing from here"
        return _refusal(403, says)
    return None


def shows_token(scope: Scope, site: Site) -> bool:
    """Whether a request has the token in any way: in its link, a header or the cookie."""
    headers = Headers(scope=scope)
    return _has_session(headers, site) or site.is_token(_token_in_link(scope))


def _has_session(headers: Headers, site: Site) -> bool:
    cookies = cookie_parser(headers.get("cookie", ""))
    return site.is_shown(headers) or same(cookies.get(COOKIE, ""), site.session)


def _token_in_link(scope: Scope) -> str:
    query: dict[str, list[str]] = parse_qs(scope["query_string"].decode("latin-1"))
    token, *_ = query.get("token", [""])
    return token


def _refusal(status: int, says: str) -> Response:
    return PlainTextResponse(says + "\n", status)


def _dressed(send: Send) -> Send:
    """Add our headers to every answer that hasn't its own."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers


# A change has to carry what only a page of this server, or a program with the token, can know.


async def checked(request: Request) -> None:
    """Refuse a change that another site may have forged.

    Every route calls this first. A form carries ``csrf``, a script sends it as ``X-CSRF``, and a
    program sends the token.
    """
    site = site_of(request)
    headers = request.headers
    if request.method in _SAFE or site.is_shown(headers):
        return
    if same(headers.get("x-csrf", ""), site.csrf):
        return
    form = await request.form()
    in_form = form.get("csrf")  # text, or a file that somebody sent in its place
    if not isinstance(in_form, str) or not same(in_form, site.csrf):
        raise HTTPException(
            403, "this form is from before the server was started; load it again"
        )
