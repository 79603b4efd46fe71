"""What the program says to people: documents of blocks, and a renderer for each form."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuneworthy.report.blocks import Document


@cache
def template(name: str) -> str:
    """A file that looks or words are kept in."""
    from importlib.resources import files

    return files("tuneworthy.report").joinpath("templates", name).read_text("utf-8")


@cache
def named(kind: str) -> dict[str, str]:
    """What ``words.json`` calls things of a kind, by their names in the code."""
    words: dict[str, str] = json.loads(template("words.json"))[kind]
    return words


def render(
    document: Document, form: str = "text", *, colour: bool = False, everything: bool = False
) -> str:
    """A document as ``text`` for a terminal or as ``markdown``."""
    from tuneworthy.report import markdown, text

    if form == "markdown":
        return markdown.render(document)
    return text.render(document, colour=colour, everything=everything)
