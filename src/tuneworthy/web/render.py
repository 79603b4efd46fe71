"""Our templates, filled with escaped values and with the report's blocks."""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal, NamedTuple, TypeVar
from urllib.parse import quote, unquote, urlencode

from fastapi import Depends, Form, Request
from jinja2 import Environment, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from pydantic import BaseModel
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tuneworthy import __version__
from tuneworthy.cases.judging import stated
from tuneworthy.cases.portfolio import RISING, STAKE
from tuneworthy.cases.reports import render
from tuneworthy.errors import one_line
from tuneworthy.files.disk import writing
from tuneworthy.interview.answers import (
    EvaluatedCase,
    UnconfirmedAnswer,
    unconfirmed_answers,
)
from tuneworthy.model.base import State
from tuneworthy.model.dossier import Dossier
from tuneworthy.report.blocks import Picture
from tuneworthy.report.charts import WIDE
from tuneworthy.report.document import report
from tuneworthy.report.html import environment, page_style, policy, style
from tuneworthy.report.named import template
from tuneworthy.report.sections import common, signing
from tuneworthy.verdict.headline import ANSWER_WORDS
from tuneworthy.web.commands import said_on_page
from tuneworthy.web.guard import site_of
from tuneworthy.words import counted, share, small_usd, usd_range

# A picture on a page of the server, which the browser asks for when it comes into view.

_PICTURE = Markup(
    '<picture><source media="(max-width: 44rem)" srcset="{at}.svg?width=narrow">'
    '<img class="still" src="{at}.svg" alt="{label}" loading="lazy" width="{width}"'
    ' height="{height}"></picture>'
)


@pass_context
def framed(context: Context, block: Picture, label: str) -> Markup:
    """A picture by its address, which is below the template's ``charts``, else ``base``."""
    folder = context.get("charts") or f"{context['base']}/charts"
    return _PICTURE.format(
        at=f"{folder}/{block.id}",
        label=label,
        width=WIDE,
        height=block.drawing.height(WIDE),
    )


# Templates, and the files that a page may load.

_HERE = files("tuneworthy.web")


def wants_part(request: Request) -> bool:
    """Whether htmx asks for a part of the page; otherwise a browser asks for the whole."""
    return request.headers.get("hx-request") == "true"


def page(
    request: Request, template: str, status: int = 200, **values: Any
) -> HTMLResponse:
    """Fill a template. ``csrf`` and ``version`` are added."""
    filled = _environment().get_template(template)
    text = filled.render(csrf=site_of(request).csrf, version=__version__, **values)
    return HTMLResponse(text, status)


def for_notice(part: Response) -> Response:
    """Make htmx put a part into the page's place for errors, whatever it asked for."""
    part.headers["HX-Retarget"] = "#notice"
    part.headers["HX-Reswap"] = "innerHTML"
    return part


@cache
def _environment() -> Environment:
    """The templates with the functions and words that they use."""
    templates = _files("templates", ".html")
    env = environment({name: text.decode() for name, text in templates.items()})
    env.filters["said"] = said_on_page
    env.globals |= {
        "asset": asset,
        "picture": framed,
        "tabs": TABS,
        "common": common,
        "signing": signing,
        "counted": counted,
        "usd": small_usd,
        "usd_range": usd_range,
        "answers": ANSWER_WORDS,
        "rising": RISING,
        "stake": STAKE,
        "share": share,
    }
    return env


def _files(folder: str, *endings: str) -> dict[str, bytes]:
    """The files of a folder of this package that have one of some endings, by name."""
    return {
        file.name: file.read_bytes()
        for file in _HERE.joinpath(folder).iterdir()
        if file.name.endswith(endings)
    }


class Asset(NamedTuple):
    """A file that a page may load."""

    data: bytes
    digest: str  #: Short, of the data; the file's address has it.


@cache
def assets() -> dict[str, Asset]:
    """Every file that a page may load, by name."""
    contents = {**_files("static", ".js", ".css"), "blocks.css": style().encode()}
    return {
        name: Asset(data, hashlib.sha256(data).hexdigest()[:16])
        for name, data in contents.items()
    }


def load() -> None:
    """Read and compile the templates, so that no request has to wait for it."""
    assets()
    env = _environment()
    for name in env.list_templates():
        env.get_template(name)


FOREVER = "public, max-age=31536000, immutable"
"""The caching of a file whose address changes with its content."""


def asset(name: str) -> str:
    """The address of a file. It changes with the content, so that browsers may keep the file."""
    return f"/static/{name}?{assets()[name].digest}"


# A case on the page. Each of its pages is an address of its own, and works as a plain link.

TABS = {
    "Overview": {"": "Overview"},
    "Answers": {"answers": "All answers", "interview": "Interview"},
    "Evidence": {"evidence": "What is known", "files": "Add files"},
    "Lab": {"lab": "Labs", "runs": "Runs", "models": "Models", "label": "Labels"},
    "Money": {"money": "Money"},
    "Options & plan": {"options": "Options", "plan": "Plan"},
    "Report": {"report": "Report"},
}
"""Tabs in their order, each with its pages: the title by the end of the address. A new page needs
an entry here and a route of its own."""


Typed = Annotated[str, Form(max_length=200)]
ReadDigest = Annotated[str, Form(max_length=64)]
"""The digest of the case file at the time when a form was made."""

AUTHOR = "tuneworthy-author"
"""The cookie with the name that is shown beside notes."""


def address(name: str) -> str:
    return f"/cases/{quote(name, safe='')}"


def behind(fields: Mapping[str, Any]) -> str:
    """Fields as a query string; empty for none."""
    return "?" + urlencode(fields, doseq=True) if fields else ""


def query(asked: BaseModel, kind: type[BaseModel], **more: str) -> str:
    """A query string from the fields of a record and further values; empty for none."""
    fields = asked.model_dump(include=set(kind.model_fields), exclude_defaults=True)
    return behind(fields | {key: text for key, text in more.items() if text})


class AskedCase:
    """The case of a request, for every route under its address."""

    def __init__(self, request: Request, name: str) -> None:
        self.request = request
        self.name = name
        self.base = address(name)
        self.site = site_of(request)
        self.workspace = self.site.workspace.written_by(self.author)
        self.part = wants_part(request)

    @cached_property
    def evaluated(self) -> EvaluatedCase:
        """The case at the first look of this request. A route that writes replaces it."""
        return self.workspace.evaluated(self.name)

    @property
    def dossier(self) -> Dossier:
        return self.evaluated.dossier

    @property
    def stated(self) -> dict[str, State]:
        """The stated answer to each question, by path."""
        return stated(self.evaluated.case, self.evaluated.framework)

    @cached_property
    def unconfirmed(self) -> dict[str, UnconfirmedAnswer]:
        """The answers by an assistant that no person has confirmed, by path."""
        waiting = unconfirmed_answers(self.evaluated.case, self.evaluated.framework)
        return {answer.key: answer for answer in waiting}

    def note(self, key: str) -> str:
        """The note beside an answer in the case file; empty without one."""
        room, _, name = key.partition(".")
        answer = getattr(self.evaluated.case, room).get(name)
        return "" if answer is None else answer.note

    @property
    def author(self) -> str:
        """The name that this browser gave for its notes; empty for none."""
        return one_line(unquote(self.request.cookies.get(AUTHOR, "")))[:80]

    @property
    def path(self) -> Path:
        return self.workspace.directory.path(self.name)

    @contextmanager
    def inbox(self) -> Iterator[Path]:
        """A folder for uploaded files, which is removed afterwards in any case."""
        self._remove_old_inboxes()
        with writing(self.path):
            inbox = TemporaryDirectory(prefix=INBOX, dir=self.path)
        with inbox as folder:
            yield Path(folder)

    def _remove_old_inboxes(self) -> None:
        """Remove the folders for uploads that a killed server has left behind."""
        oldest = time.time() - _FORGOTTEN_S
        for folder in self.path.glob(f"{INBOX}*"):
            with suppress(OSError):  # another request may have removed it
                # through a link, files elsewhere would be removed
                if not folder.is_symlink() and folder.stat().st_mtime < oldest:
                    shutil.rmtree(folder, ignore_errors=True)

    def plain(self, caught: Exception) -> str:
        """An error in one line, with paths relative to the served folder."""
        line = self.workspace.directory.plain_error(caught)
        # a user knows a sent file by its name, and not by its place in the inbox
        return re.sub(rf"{re.escape(INBOX)}\w+/\d+/", "", line)

    def to(self, path: str) -> Response:
        return RedirectResponse(self.base + path, 303)

    def page(
        self, template: str = "case.html", status: int = 200, **values: Any
    ) -> HTMLResponse:
        """A page of the case, or a part that is swapped into the page.

        ``case.html``, which the others extend, shows ``sections`` of the report.
        """
        # "", "cases", the name, and the tab, which the first page lacks
        _, _, _, tab, *_ = [*self.request.url.path.split("/"), ""]
        shared = {
            "of": self,
            "name": self.name,
            "base": self.base,
            "evaluated": self.evaluated,
            "dossier": self.dossier,
            "tab": tab,
            "swap": False,
            "sections": (),
        }
        return page(self.request, template, status, **{**shared, **values})


OfCase = Annotated[AskedCase, Depends()]

INBOX = ".tuneworthy-upload-"  #: The beginning of the names of folders for uploads.
_FORGOTTEN_S = 86_400.0  #: No upload takes a day: an older folder was left behind.
_READING = ThreadPoolExecutor(2, "reading")
T = TypeVar("T")


async def in_reading(work: Callable[..., T], *args: Any) -> T:
    """Run slow work in a thread of its own, so that a large file delays no other request."""
    return await asyncio.get_running_loop().run_in_executor(_READING, work, *args)


# The report as a file: the bytes of the command line, from the same call.

ExportForm = Literal["text", "markdown", "html", "json", "record", "pdf"]


class _FileForm(NamedTuple):
    """How a report is sent as a file."""

    ending: str  #: Of the file's name.
    media: str


FORMS: dict[ExportForm, _FileForm] = {
    "html": _FileForm(".html", "text/html"),
    "text": _FileForm(".txt", "text/plain"),
    "markdown": _FileForm(".md", "text/markdown"),
    "record": _FileForm("-record.md", "text/markdown"),
    "json": _FileForm(".json", "application/json"),
    "pdf": _FileForm(".pdf", "application/pdf"),
}


def exported(of: AskedCase, form: ExportForm, *, attached: bool = True) -> Response:
    """The report of a case as a download, or, not ``attached``, as a page to read."""
    file_form = FORMS[form]
    memo = True if form == "pdf" else None
    text = render(of.dossier, form, case_path=str(of.path), memo=memo)
    if attached:
        # a header holds only plain letters
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", of.name).strip("-.") or "case"
        disposition = f'attachment; filename="{name}{file_form.ending}"'
        headers = {"Content-Disposition": disposition}
    else:
        css = page_style(report(of.dossier))
        own = policy(css, template("page.js"))  # as the page carries it in itself
        more = "frame-ancestors 'none'; sandbox allow-scripts allow-top-navigation-by-user-activation"
        headers = {"Content-Security-Policy": f"{own}; {more}"}
    return Response(text, media_type=file_form.media, headers=headers)
