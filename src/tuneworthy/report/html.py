"""A document as one HTML file, with its style inside and no link to outside; needs an extra."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from tuneworthy.errors import InputError, one_line
from tuneworthy.report.blocks import SEVERITIES, Document, Picture
from tuneworthy.report.charts import NARROW, WIDE, Drawing, looks
from tuneworthy.report.named import field_name, name_fields, template
from tuneworthy.words import cut

_HARMLESS = frozenset("\n\u200c\u200d")
"""A line break, and the two joiners that some scripts and emoji need."""


def render(document: Document) -> str:
    """A document as one HTML file."""
    css = page_style(document)
    script = template("page.js")
    page = _environment().get_template("page.html")
    return page.render(
        page=document,
        style=Markup(css),  # noqa: S704  # our own file
        script=Markup(script),  # noqa: S704  # our own file
        policy=policy(css, script),
    )


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
    script_src = ""
    if script:
        script_src = f"script-src 'sha256-{_sha256_base64(script)}'; "
    return (
        f"default-src 'none'; style-src 'sha256-{_sha256_base64(css)}'; {script_src}"
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _sha256_base64(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def escape_invisible(value: object) -> object:
    """Replace characters that hide text or reverse it with visible escapes."""
    if not isinstance(value, str) or isinstance(value, Markup) or value.isprintable():
        return value
    shown = []
    for character in value:
        if character.isprintable() or character in _HARMLESS:
            shown.append(character)
        else:  # half of a surrogate pair has no bytes of its own
            escaped = character.encode("unicode_escape", "surrogatepass")
            shown.append(escaped.decode("ascii"))
    return "".join(shown)


def picture(block: Picture, label: str) -> Markup:
    """Both widths of a drawing, each with its label; the style shows the one that fits."""
    wide = _labelled_svg(block.drawing, WIDE, "wide", label)
    return wide + _labelled_svg(block.drawing, NARROW, "narrow", label)


def _labelled_svg(drawing: Drawing, width: int, style_class: str, label: str) -> Markup:
    """A drawing with its label and the class that the style knows its width by."""
    attributes = f'role="img" aria-label="{Markup.escape(label)}"'
    start = f'<svg class="{style_class}" {attributes} '
    text = drawing.svg(width).replace("<svg ", start, 1)
    # the drawing is our own renderer's, cleaned; the label is escaped
    return Markup(text)  # noqa: S704  # see above


@cache
def _environment() -> Environment:
    return environment({"page.html": template("page.html")})


def environment(templates: Mapping[str, str]) -> Environment:
    """Templates that escape everything, show hidden characters, and know the report's blocks."""
    jinja = Environment(
        loader=DictLoader({"blocks.html": template("blocks.html"), **templates}),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=escape_invisible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters |= {"said": name_fields, "field_name": field_name}
    jinja.globals |= {"picture": picture, "severities": SEVERITIES}
    return jinja


def style(head: str = "") -> str:
    """The style of blocks, with the running head of each printed page but the first."""
    escaped = "".join(_escape_for_style(character) for character in head)
    return template("style.css").replace(_HEAD, escaped)


def _escape_for_style(character: str) -> str:
    if character.isalnum() or character in _PLAIN:
        return character
    return f"\\{ord(character):x} "  # the blank ends the number


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
    playwrights = [str(path) for path in folder.glob("chromium*/*/chrome")]
    named = os.environ.get("CHROMIUM", "")
    for name in (named, *_BROWSERS.split(), _MAC, *playwrights):
        path = shutil.which(name)  # None for one that can't be run
        if path is not None:
            return path
    return None


def pdf(document: Document) -> bytes:
    """Print a document with a browser; an InputError without one, or if it takes over a minute."""
    path = browser()
    fix = "or print the page that --format html writes: it has the same style"
    if path is None:
        what = "no Chromium, Chrome or Edge is found"
        fix = f"install one, name one in CHROMIUM, {fix}"
        raise InputError(what, where="--format pdf", fix=fix)
    with TemporaryDirectory(prefix="tuneworthy-", ignore_cleanup_errors=True) as folder:
        page = Path(folder, "report.html")
        printed = Path(folder, "report.pdf")
        page.write_text(render(document), "utf-8")
        with suppress(OSError, subprocess.SubprocessError):  # its fault is said below
            subprocess.run(  # noqa: S603  # the user's own browser, and no text of a case
                [*_printing_command(path, folder, printed), page.as_uri()],
                check=True,
                capture_output=True,
                timeout=_PRINTING_S,
                # no more of the user's environment than a browser needs
                env={
                    "PATH": os.environ.get("PATH", ""),
                    "HOME": folder,
                    "TMPDIR": folder,
                },
            )
            content = printed.read_bytes()
            if content.startswith(b"%PDF"):
                return content
    what = "the browser didn't print the report"
    raise InputError(what, where=path, fix=f"name another in CHROMIUM, {fix}")


def _printing_command(path: str, folder: str, printed: Path) -> list[str]:
    """The command that prints a page, whose address has to follow; all it writes is in ``folder``."""
    command = [
        path,
        *_FLAGS.split(),
        f"--user-data-dir={folder}/profile",
        f"--print-to-pdf={printed}",
    ]
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if is_root:
        command.append("--no-sandbox")  # without which it doesn't start for root
    return command
