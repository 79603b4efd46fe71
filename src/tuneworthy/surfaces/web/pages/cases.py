"""The first page: the cases side by side; and the form for a new one."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tuneworthy.api.board import plain_error
from tuneworthy.domain.errors import InputError
from tuneworthy.report.glance import how_many
from tuneworthy.surfaces.web.render import page, site_of, wants_part
from tuneworthy.surfaces.web.tabs import address

router = APIRouter(include_in_schema=False)


@router.get("/")
def cases(
    request: Request,
    find: Annotated[str, Query(max_length=100)] = "",
    after: Annotated[str, Query(max_length=100)] = "",
) -> HTMLResponse:
    """One line a case; more on demand."""
    found = site_of(request).board.listed(find, after)
    more = ""
    if found.rows and found.left:
        more = "/?" + urlencode({"find": find, "after": found.rows[-1].name})
    shown = {"rows": found.rows, "total": found.total, "find": find, "more": more,
             "says": how_many(found.total, found.matching)}  # fmt: skip
    part = wants_part(request) and after
    return page(request, "rows.html" if part else "list.html", found=shown)


@router.get("/new")
def new(request: Request) -> HTMLResponse:
    """The form for a new case."""
    return page(request, "new.html", given={"folder": "", "title": ""}, wrong="")


@router.post("/new")
def make(
    request: Request,
    title: Annotated[str, Form(max_length=200)],
    folder: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Make a case folder, and go to its interview; one that is there is never touched."""
    board = site_of(request).board
    try:
        place = board.start(folder.strip() or folder_name(title), title)
    except InputError as caught:
        given, wrong = {"folder": folder, "title": title}, plain_error(caught, board.shelf)
        return page(request, "new.html", 422, given=given, wrong=wrong)
    return RedirectResponse(f"{address(place.name)}/interview", 303)


def folder_name(title: str) -> str:
    """A name for a folder from what a case is called; empty where no letter is left."""
    words = re.findall(r"\w+", title.lower())
    return "-".join(words)[:60].strip("-_")
