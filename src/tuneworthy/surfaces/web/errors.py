"""What went wrong, in one line, with the right number; never where in our code."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from tuneworthy.api.board import plain_error
from tuneworthy.domain.errors import ConflictError, InputError, NoSuchCaseError
from tuneworthy.surfaces.web.guard import API, HEADERS
from tuneworthy.surfaces.web.render import page, site_of, wants_part

_TITLES = {
    400: "That request can’t be read", 401: "Sign in first", 403: "Not done",
    404: "Not found", 405: "Not possible here", 409: "Changed meanwhile",
    413: "Too large", 422: "That doesn’t work", 500: "A fault of ours",
}  # fmt: skip


def _status(caught: InputError) -> int:
    if isinstance(caught, NoSuchCaseError):
        return 404
    return 409 if isinstance(caught, ConflictError) else 422


def answer(request: Request, status: int, says: str) -> Response:
    """An error as problem JSON to a program, as a part to htmx, as a page to a browser."""
    title = _TITLES.get(status, HTTPStatus(status).phrase)
    if request.url.path.startswith(API):
        told = {"title": title, "status": status, "detail": says}
        return JSONResponse(told, status, media_type="application/problem+json")
    if wants_part(request):
        part = page(request, "said.html", status, title=title, says=says)
        part.headers["HX-Retarget"], part.headers["HX-Reswap"] = "#notice", "innerHTML"
        return part
    return page(request, "message.html", status, title=title, says=says)


def register(app: FastAPI) -> None:
    """Give every kind of error its answer."""

    @app.exception_handler(InputError)
    def wrong(request: Request, caught: InputError) -> Response:
        return answer(request, _status(caught), plain_error(caught, site_of(request).board.shelf))

    @app.exception_handler(HTTPException)
    def refused(request: Request, caught: HTTPException) -> Response:
        bare = caught.detail == HTTPStatus(caught.status_code).phrase
        says = (
            "Nothing is at this address." if bare and caught.status_code == 404 else caught.detail
        )
        return answer(request, caught.status_code, str(says))

    @app.exception_handler(RequestValidationError)
    def unreadable(request: Request, caught: RequestValidationError) -> Response:
        first = caught.errors()[0]
        where = ".".join(map(str, first["loc"][1:]))[:80]
        return answer(request, 422, f"{where}: {first['msg'][:200]}")

    @app.exception_handler(Exception)
    def fault(request: Request, _: Exception) -> Response:
        told = answer(request, 500, "The terminal that runs the server says more.")
        told.headers.update(HEADERS)  # this one is made outside of the guard
        return told
