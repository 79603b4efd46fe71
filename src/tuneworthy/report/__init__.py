"""What the program says to people: documents of blocks, and a renderer for each form."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuneworthy.report.blocks import Document


WIDEST, NARROWEST = 80, 40
"""Columns a text is laid out for, at most and at least."""

_COLUMNS: ContextVar[int] = ContextVar("columns", default=WIDEST)


def columns() -> int:
    """Columns that texts are laid out for; the last one stays free."""
    return _COLUMNS.get()


def lay_out_for(terminal: int) -> None:
    """Lay out what follows for a terminal of so many columns; 0 for one that doesn't say."""
    _COLUMNS.set(max(NARROWEST, min(WIDEST, terminal)) if terminal > 0 else WIDEST)


def render(
    document: Document, form: str = "text", *, colour: bool = False, everything: bool = False
) -> str:
    """A document as ``text`` for a terminal or as ``markdown``."""
    from tuneworthy.report import markdown, text

    if form == "markdown":
        return markdown.render(document)
    return text.render(document, colour=colour, everything=everything)
