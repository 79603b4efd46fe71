"""A team's documents as plain text: Markdown, text, HTML and PDF below the case folder.

The documents may come from anybody. A document that is too large, takes too long to read, isn't
UTF-8 or leads out of the case folder by a link raises a ``CaseError`` of one line.
"""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from tuneworthy.errors import CaseError
from tuneworthy.files.case import beside
from tuneworthy.files.disk import MIB, matching, read_bytes, read_text
from tuneworthy.model.case import Case

MOST_FILES = 20_000  #: Documents of a case.
MOST_BYTES = 32 * MIB  #: Of one file.
MOST_CHARACTERS = 64 * MIB  #: Of all texts together.
PDF_S = 60  #: Seconds that reading one PDF may take.
_PDF_MEMORY = 1536 * MIB  #: That reading one PDF may take.


class TeamDocument(NamedTuple):
    """A document as text; lines that begin with ``#`` are headings, as in Markdown."""

    name: str  #: Its path below the folder of documents, or the id of a passage.
    text: str


def read_documents(
    case: Case, named: str, where: str
) -> tuple[tuple[TeamDocument, ...], int]:
    """Read the documents in a folder or a file, by name, and count the files of other kinds there."""
    root = beside(case, where, named)
    if root is None:
        fix = "keep the case in a folder"
        raise CaseError("has no folder", where=case.name, fix=fix)
    if not os.path.lexists(root):
        raise CaseError("does not exist", where=root, fix="check the path")
    files = _files_below(root)
    usable = [path for path in files if path.suffix.casefold() in _READERS]
    fix = f"name a folder with some: {_KINDS}"
    if not usable:
        raise CaseError("holds no document", where=root, fix=fix)
    if len(usable) > MOST_FILES:
        what = f"holds more than {MOST_FILES:,} documents"
        raise CaseError(what, where=root, fix=fix)
    return _read_each(case, usable, root, where), len(files) - len(usable)


def _read_each(
    case: Case, paths: Iterable[Path], root: Path, where: str
) -> tuple[TeamDocument, ...]:
    """Read some documents below a folder; refuse more text than can be searched."""
    documents: list[TeamDocument] = []
    characters = 0
    for path in paths:
        # Refuses a link that leads out of the case folder.
        beside(case, where, str(path.relative_to(case.folder or path)))
        text = _READERS[path.suffix.casefold()](path)
        characters += len(text)
        if characters > MOST_CHARACTERS:
            millions = MOST_CHARACTERS // MIB
            what = f"holds more than {millions} million characters of text"
            raise CaseError(what, where=root, fix="name a part of them")
        name = path.name if path == root else path.relative_to(root).as_posix()
        documents.append(TeamDocument(name, text))
    return tuple(documents)


def _files_below(root: Path) -> list[Path]:
    """The files below a folder, by name; a file itself."""
    if not root.is_dir():
        return [root]
    # Files of other kinds count too, and a folder may hold any number of them.
    entries = islice(matching("**/*", root), 10 * MOST_FILES)
    return sorted(path for path in entries if path.is_file())


def _plain(path: Path) -> str:
    return read_text(path, MOST_BYTES).replace("\r\n", "\n")


_UNSEEN = ("script", "style", "template", "!--")
"""Elements whose content isn't shown, and the beginning of a comment."""
_BLOCK = re.compile(
    "/?(?:h[1-6r]|p|div|pre|table|section|article|[uo]l|(?P<line>br|d[dlt]|li|t[dhr]))"
)
"""A tag that begins or ends a block; ``line`` for one that only breaks the line."""
_TAG = re.compile(r"/?[a-zA-Z][a-zA-Z0-9]*|!--")


def html_text(source: str) -> str:
    """The visible text of an HTML page, one line for each block.

    Each character is read only once, so a broken page can't make this slow.
    """
    first, *parts = source.split("<")
    visible = [first]
    unseen = ""  # the element or comment that we are in, if it isn't shown
    for part in parts:
        tag, _, rest = part.partition(">")
        match = _TAG.match(tag)
        name = match[0].lower() if match else ""
        if unseen:
            if not _ends_unseen(unseen, name, part):
                continue
            unseen = ""
            _, _, rest = part.rpartition(">")
        elif name == "!--" and "-->" in part:  # a comment that ends in this part
            _, _, rest = part.rpartition("-->")
        elif name in _UNSEEN:
            unseen = name
            rest = ""
        elif not match:
            # a declaration, or a sign that begins no tag
            rest = "" if part.startswith(("!", "?")) else f"<{part}"
        else:
            visible.append(_break_before(name))
        visible.append(rest)
    return html.unescape("".join(visible))


def _ends_unseen(unseen: str, name: str, part: str) -> bool:
    """Whether a part of the page ends the element or comment that isn't shown."""
    if unseen == "!--":
        return "-->" in part
    return name == f"/{unseen}"


def _break_before(name: str) -> str:
    """The line break that a tag stands for, with ``#`` for a heading; empty for an inline tag."""
    block = _BLOCK.fullmatch(name)
    if block is None:
        return ""
    if block["line"]:
        return "\n"
    heading = re.fullmatch("h(?P<level>[1-6])", name)
    if heading is None:
        return "\n\n"
    signs = "#" * int(heading["level"])
    return f"\n\n{signs} "


_PDF = """
import sys
try:
    import resource
    for kind, most in (("AS", MEMORY), ("CPU", SECONDS), ("FSIZE", 0), ("CORE", 0)):
        resource.setrlimit(getattr(resource, f"RLIMIT_{kind}"), (most, most))
except (ImportError, OSError, ValueError):
    pass
import io, logging, pypdf
logging.disable()
left = MOST
for page in pypdf.PdfReader(io.BytesIO(sys.stdin.buffer.read())).pages:
    text = page.extract_text() + "\\n\\n"
    sys.stdout.buffer.write(text[: left + 1].encode("utf-8", "replace"))
    left -= len(text)
    if left < 0:
        break
"""  #: Reads a PDF in a process of its own, with so much memory and time: the format is a program.


def _pdf(path: Path) -> str:
    """The text of a PDF, page by page; empty for scanned pages."""
    data = read_bytes(path, MOST_BYTES)
    limits = {"MEMORY": _PDF_MEMORY, "SECONDS": PDF_S, "MOST": MOST_CHARACTERS}
    code = _PDF
    for name, most in limits.items():
        code = re.sub(rf"\b{name}\b", str(most), code)
    what = "can't be read as a PDF"
    fix = "save its text beside it, and take it out"
    try:
        done = subprocess.run(  # noqa: S603  # our own Python, and words that are ours
            [sys.executable, "-I", "-c", code],
            input=data,
            capture_output=True,
            timeout=PDF_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        what = f"took more than {PDF_S} s to read"
        raise CaseError(what, where=path, fix=fix) from None
    except OSError:
        raise CaseError(what, where=path, fix=fix) from None
    if b"No module named 'pypdf'" in done.stderr:
        what = "is a PDF, which needs pypdf"
        fix = "install it: pip install 'tuneworthy[retrieval]'"
    if done.returncode:
        raise CaseError(what, where=path, fix=fix)
    return done.stdout.decode("utf-8", "replace")


def _html(path: Path) -> str:
    return html_text(_plain(path))


_READERS: dict[str, Callable[[Path], str]] = {
    ".md": _plain,
    ".markdown": _plain,
    ".txt": _plain,
    ".html": _html,
    ".htm": _html,
    ".pdf": _pdf,
}
"""By the ending of a file, the function that reads its text."""
_KINDS = ", ".join(_READERS)
