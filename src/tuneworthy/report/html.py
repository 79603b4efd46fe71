"""A document as one HTML file, with its style inside and no link to outside; needs an extra."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from tuneworthy.errors import InputError, one_line
from tuneworthy.report.blocks import SEVERITIES, Document, Picture
from tuneworthy.report.charts import NARROW, WIDE, Drawing, looks, vl_version
from tuneworthy.report.named import field_name, name_fields, template
from tuneworthy.words import cut

_HARMLESS = frozenset("\n\u200c\u200d")
"""A line break, and the two joiners that some scripts and emoji need."""


def render(document: Document) -> str:
    """A document as one HTML file."""
    css = page_style(document)
    script = template("page.js")
    made = _environment().get_template("page.html")
    own = {"style": Markup(css), "script": Markup(script)}  # noqa: S704  # our own files
    return made.render(page=document, **own, policy=policy(css, script))


def page_style(document: Document) -> str:
    """The style of a document's file: the common one, and its own running head on paper."""
    if document.name:
        says = f"{document.name}: {document.headline}"
    else:
        says = document.headline
    return style(cut(one_line(says), _LONGEST_HEAD))


_LONGEST_HEAD = 90  # characters


def policy(css: str, script: str = "") -> str:
    """The content security policy: load and send nothing, except our style and script by digest."""
    style, run = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (css, script)
    )
    runs = f"script-src 'sha256-{run}'; " if script else ""
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; {runs}img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def escape_invisible(value: object) -> object:
    """Replace characters that hide text or reverse it with visible escapes."""
    if not isinstance(value, str) or isinstance(value, Markup) or value.isprintable():
        return value
    return "".join(
        c
        if c.isprintable() or c in _HARMLESS
        else c.encode("unicode_escape", "surrogatepass").decode("ascii")
        for c in value
    )


def picture(block: Picture, label: str) -> Markup:
    """Both widths of a drawing, each with its label; the style shows the one that fits."""
    attributes = f'role="{block.drawing.role}" aria-label="{Markup.escape(label)}"'
    # the drawing is our own renderer's, cleaned; the label is escaped
    return Markup("").join(
        Markup(text.replace("<svg ", f'<svg class="{name}" {attributes} ', 1))  # noqa: S704  # see above
        for name, text in (
            ("wide", block.drawing.svg(WIDE)),
            ("narrow", block.drawing.svg(NARROW)),
        )
    )


@cache
def _environment() -> Environment:
    return environment({"page.html": template("page.html")})


def environment(templates: Mapping[str, str]) -> Environment:
    """Templates that escape everything, show hidden characters, and know the report's blocks."""
    made = Environment(
        loader=DictLoader({"blocks.html": template("blocks.html"), **templates}),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=escape_invisible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # a file shows all at once; a page may fold where numbers are from
    made.filters |= {"said": name_fields, "field_name": field_name}
    made.globals |= {"picture": picture, "severities": SEVERITIES, "touch": False}
    return made


def style(head: str = "") -> str:
    """The style of blocks, with the running head of each printed page but the first."""
    escaped = "".join(
        c if c.isalnum() or c in _PLAIN else f"\\{ord(c):x} " for c in head
    )
    return template("style.css").replace(_HEAD, escaped)


_HEAD = "RUNNING-HEAD"  #: Its place in the style.
#: The signs, beside letters and digits, that need no escape in a text of a style.
_PLAIN = " .,:?-"


DARK = dict(looks()["colours"].values())
"""Each color of the charts to its color on a dark page, as in the page's own style."""

_RULES = "".join(
    f'[{part}="{light}"]{{{part}:{dark}}}'
    for light, dark in DARK.items()
    for part in ("fill", "stroke")
)
STYLE = f"@media (prefers-color-scheme: dark) {{{_RULES}}}"
"""The style of a report's file. It follows the reader's light or dark setting."""


def still(drawing: Drawing, *, narrow: bool = False) -> str:
    """A drawing as an SVG file that loads nothing and runs nothing."""
    head, rest = drawing.svg(NARROW if narrow else WIDE).split(">", 1)
    head = head.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    return f"{head}><style>{STYLE}</style>{rest}"


_BROWSERS = "chromium chromium-browser google-chrome google-chrome-stable chrome msedge"
_MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
_CACHE = "~/.cache/ms-playwright"
_PRINTING_S = 60.0
_FLAGS = """
--headless --disable-gpu --no-first-run --no-default-browser-check --no-pings --disable-sync
--disable-extensions --disable-background-networking --disable-component-update
--disable-domain-reliability --disable-dev-shm-usage --no-pdf-header-footer
--proxy-server=socks5://127.0.0.1:9
"""  #: Nothing is fetched by the browser itself; what the page may do, its own policy says.


def browser() -> str | None:
    """A browser that prints: the one named in CHROMIUM, one on the path, or Playwright's."""
    folder = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or _CACHE).expanduser()
    names = (os.environ.get("CHROMIUM", ""), *_BROWSERS.split(), _MAC)
    candidates = (*names, *map(str, folder.glob("chromium*/*/chrome")))
    return next(filter(None, map(shutil.which, candidates)), None)


def pdf(document: Document) -> bytes:
    """Print a document with a browser; an InputError without one, or if it takes over a minute."""
    path = browser()
    fix = "or print the page that --format html writes: it has the same style"
    if path is None:
        what = "no Chromium, Chrome or Edge is found"
        raise InputError(
            what, where="--format pdf", fix=f"install one, name one in CHROMIUM, {fix}"
        )
    with TemporaryDirectory(prefix="tuneworthy-", ignore_cleanup_errors=True) as folder:
        page = Path(folder, "report.html")
        made = Path(folder, "report.pdf")
        page.write_text(render(document), "utf-8")
        command = [
            path,
            *_FLAGS.split(),
            f"--user-data-dir={folder}/profile",
            f"--print-to-pdf={made}",
        ]
        if getattr(os, "geteuid", lambda: 1)() == 0:
            command.append("--no-sandbox")  # without which it doesn't start for root
        own = {"PATH": os.environ.get("PATH", ""), "HOME": folder, "TMPDIR": folder}
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run(  # noqa: S603  # the user's own browser, and no text of a case
                [*command, page.as_uri()],
                check=True,
                capture_output=True,
                timeout=_PRINTING_S,
                env=own,
            )
            if (printed := made.read_bytes()).startswith(b"%PDF"):
                return printed
    what = "the browser didn't print the report"
    raise InputError(what, where=path, fix=f"name another in CHROMIUM, {fix}")


_SNIPPET = template("charts.js")
"""The script that draws charts. A box names its chart's address. Where it can't be drawn, the still
picture and the table stay."""
_BUILD = (
    "import sys, vl_convert;"
    "sys.stdout.buffer.write(vl_convert.javascript_bundle(sys.argv[1], sys.argv[2]).encode())"
)
_LONGEST_S = 120.0

_lock = Lock()
_kept: list[bytes] = []


@cache
def script_digest() -> str:
    """A short digest of the versions and the code that the script is built from.

    It is known before the script is built, so pages can put it into the script's address: a browser
    that has an older script loads the new one.
    """
    made_of = "\0".join((metadata.version("vl-convert-python"), vl_version(), _SNIPPET))
    return hashlib.sha256(made_of.encode()).hexdigest()[:16]


def chart_script() -> bytes:
    """The script in UTF-8, built once in some seconds; a SubprocessError if that fails.

    A separate process builds it, as the renderer would block every thread of this one.
    """
    with _lock:
        if not _kept:
            command = [sys.executable, "-P", "-c", _BUILD, _SNIPPET, vl_version()]
            made = subprocess.run(  # noqa: S603  # our own line, and no text of a user's
                command, check=True, capture_output=True, timeout=_LONGEST_S
            )
            _kept.append(made.stdout)
        return _kept[0]
