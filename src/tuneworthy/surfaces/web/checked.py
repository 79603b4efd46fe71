"""A change has to carry what only a page of this server, or a program that means it, can know."""

from __future__ import annotations

from fastapi import HTTPException, Request

from tuneworthy.surfaces.web.guard import API
from tuneworthy.surfaces.web.render import site_of

HEADER = "X-Tuneworthy"
"""A program's change carries it: another site's page can't send a header of its own choosing."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


async def checked(request: Request) -> None:
    """Refuse a change that may have been made up by another site.

    Every route passes here. A form carries ``csrf``, a script sends it as ``X-CSRF``; a program
    that uses the API sends ``X-Tuneworthy: 1`` or its token.
    """
    if request.method in _SAFE:
        return
    site = site_of(request)
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and site.is_token(given.strip()):
        return
    if site.is_csrf(request.headers.get("x-csrf", "")):
        return
    if request.url.path.startswith(API):
        if request.headers.get(HEADER):
            return
        raise HTTPException(403, f"a change by a program carries the header {HEADER}: 1")
    form = await request.form()
    carried = form.get("csrf")
    if not isinstance(carried, str) or not site.is_csrf(carried):
        raise HTTPException(403, "this form is from before the server was started; load it again")
