"""The charts of a case: each at an address of its own, and the script that draws them."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.responses import Response

from tuneworthy.report.charts.draw import NARROW, WIDE
from tuneworthy.report.charts.script import chart_script, script_digest
from tuneworthy.report.charts.still import STYLE, still
from tuneworthy.report.html.blocks import Picture
from tuneworthy.report.html.page import policy
from tuneworthy.report.html.pictures import pictures
from tuneworthy.surfaces.web.framed import SCRIPT
from tuneworthy.surfaces.web.render import site_of

router = APIRouter(include_in_schema=False)

Width = Annotated[Literal["wide", "narrow"], Query()]
_FOREVER = "public, max-age=31536000, immutable"
_MAKER = ThreadPoolExecutor(1, "charts")
"""Who waits for the script to be made takes no thread from other requests."""


@router.get(SCRIPT)
async def script(request: Request) -> Response:
    """The script that draws; made once, in seconds, and kept."""
    digest = script_digest()
    headers = {"ETag": f'"{digest}"', "Cache-Control": "no-cache"}
    if request.url.query == digest:
        headers["Cache-Control"] = _FOREVER
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    made = await asyncio.get_running_loop().run_in_executor(_MAKER, chart_script)
    return Response(made, media_type="text/javascript", headers=headers)


@router.get("/cases/{name}/charts/{chart}")
def chart(request: Request, name: str, chart: str, width: Width = "wide") -> Response:
    """A chart of the case's report: ``NAME.json`` for Vega-Lite, ``NAME.svg`` as it stands."""
    return chart_answer(
        request, pictures(site_of(request).board.judged(name).dossier), chart, width
    )


def chart_answer(
    request: Request, found: Mapping[str, Picture], chart: str, width: Literal["wide", "narrow"]
) -> Response:
    """One of some pictures, by its name and the form it is wanted in.

    Args:
        request: What asked for it.
        found: Pictures by id.
        chart: Id and ending.
        width: For a desk or for a telephone.

    Raises:
        HTTPException: 404 if there is none of that name.
    """
    name, _, form = chart.rpartition(".")
    picture = found.get(name)
    if picture is None or form not in ("json", "svg"):
        raise HTTPException(404, "there is no such chart; what it showed may have changed")
    narrow = width == "narrow"
    if form == "svg":
        body = still(picture.drawing, narrow=narrow)
        media = "image/svg+xml"
    else:
        body = json.dumps(picture.drawing.spec(NARROW if narrow else WIDE), allow_nan=False)
        media = "application/json"
    headers = {
        "ETag": f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"',
        "Cache-Control": "private, no-cache",
    }
    if form == "svg":
        headers["Content-Security-Policy"] = policy(STYLE)
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media, headers=headers)
