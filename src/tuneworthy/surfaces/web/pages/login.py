"""Giving the token, where the server listens to more than its own machine."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tuneworthy.surfaces.web.guard import COOKIE
from tuneworthy.surfaces.web.render import page, site_of

router = APIRouter(include_in_schema=False)


@router.get("/login")
def login(request: Request) -> Response:
    """The form; nobody needs it on the loopback."""
    if site_of(request).token is None:
        return RedirectResponse("/", 303)
    return page(request, "login.html", wrong=False)


@router.post("/login")
def enter(request: Request, token: Annotated[str, Form(max_length=200)]) -> Response:
    """Hand out the session, if the token is right."""
    site = site_of(request)
    if not site.is_token(token.strip()):
        wrong: HTMLResponse = page(request, "login.html", 401, wrong=True)
        return wrong
    entered = RedirectResponse("/", 303)
    entered.set_cookie(COOKIE, site.session, httponly=True, samesite="strict", path="/")
    return entered
