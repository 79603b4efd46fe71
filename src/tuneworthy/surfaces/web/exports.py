"""The report as a file: the bytes of the command line, from the same call."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple
from urllib.parse import quote

from starlette.responses import Response

from tuneworthy.api.board import Board
from tuneworthy.api.reports import render

Form = Literal["text", "markdown", "html", "json", "record"]


class _Kind(NamedTuple):
    ending: str
    media: str
    title: str
    says: str


FORMS: dict[Form, _Kind] = {
    "html": _Kind("html", "text/html", "Web page", "One file to forward, with pictures, that "
                  "prints well."),
    "text": _Kind("txt", "text/plain", "Text", "As a terminal shows it."),
    "markdown": _Kind("md", "text/markdown", "Markdown", "For a wiki or a pull request."),
    "record": _Kind("md", "text/markdown", "Decision record", "Markdown in the form of an "
                    "architecture decision record."),
    "json": _Kind("json", "application/json", "Dossier", "Everything, for programs, and to "
                  "compare with later."),
}  # fmt: skip
"""What can be had, the most asked for first."""


def exported(board: Board, name: str, form: Form, *, attached: bool = True) -> Response:
    """The report of a case.

    Args:
        board: The cases.
        name: Which.
        form: How.
        attached: To be saved, and not shown.

    Raises:
        InputError: If there is no such case, or it can't be judged.
    """
    text = render(board.judged(name).dossier, form, case_path=str(board.shelf.path(name)))
    kind = FORMS[form]
    headers = {}
    if attached:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "case"
        file = f"{plain}{'-record' if form == 'record' else ''}.{kind.ending}"
        headers["Content-Disposition"] = f'attachment; filename="{file}"'
    elif form == "html":
        headers["Content-Security-Policy"] = _own_policy(text)
    return Response(text, media_type=kind.media, headers=headers)


def _own_policy(text: str) -> str:
    """The policy that the page carries in itself: its style is allowed by its digest."""
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    said = found.group(1).replace("&#39;", "'") if found else "default-src 'none'"
    return f"{said}; frame-ancestors 'none'; sandbox allow-top-navigation-by-user-activation"


def link(name: str, form: str) -> str:
    """Where a case's report is to be had."""
    return f"/cases/{quote(name, safe='')}/report/{form}"
