"""Documents that the program shows to people: made of blocks, with a renderer for each form."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuneworthy.report.blocks import Document


def render(
    document: Document,
    form: str = "text",
    *,
    colour: bool = False,
    everything: bool = False,
) -> str:
    """Render a document as ``text`` for a terminal, as ``markdown`` or as ``html``."""
    from tuneworthy.report import markdown, text

    if form == "html":
        from tuneworthy.report import html

        return html.render(document)
    if form == "markdown":
        return markdown.render(document)
    return text.render(document, colour=colour, everything=everything)
