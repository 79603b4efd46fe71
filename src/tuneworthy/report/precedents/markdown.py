"""What happened to others, in Markdown."""

from __future__ import annotations

from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.likeness import Neighbour, PrecedentsResult
from tuneworthy.domain.record import Unknown
from tuneworthy.report.markdown import md
from tuneworthy.report.precedents.words import (
    BEWARE,
    kind_text,
    rate_text,
    tried_text,
    won_text,
)
from tuneworthy.report.words import few, sentence


def precedents_markdown(dossier: Dossier) -> str:
    """The precedents of a dossier as a document of their own."""
    head = [
        f"# {md(dossier.case.name)}: what happened to others",
        f"By the answers to the {md(dossier.framework.name)} framework, as of {dossier.as_of}.",
    ]
    found = dossier.precedents
    if isinstance(found, Unknown):
        return "\n\n".join([*head, f"Unknown: {md(found.ask)}."]) + "\n"
    return "\n\n".join([*head, *precedent_blocks(found, "##")]) + "\n"


def precedent_blocks(found: PrecedentsResult, level: str) -> list[str]:
    """Rates and nearest cases, each as a block.

    Args:
        found: What happened to others.
        level: How headings begin, as ``##``.
    """
    rates = [found.base_rate, found.pattern_rate, found.every_rate]
    blocks = ["\n".join(f"- {md(sentence(rate_text(one)))}" for one in rates)]
    if isinstance(found.nearest, Unknown):
        blocks.append(f"Nearest cases: unknown; {md(found.nearest.ask)}.")
    else:
        blocks.append(f"{level} The nearest cases")
        blocks += [_near(place, one) for place, one in enumerate(found.nearest, start=1)]
        if found.as_near:
            last = "is" if found.as_near == 1 else "are"
            blocks.append(f"{few(found.as_near).capitalize()} more {last} as alike as the last.")
    return [*blocks, BEWARE]


def link(near: Neighbour) -> str:
    """The title of a published case, linked where its source is a web address."""
    title = md(near.title)
    return f"[{title}](<{near.source_url}>)" if near.source_url else title


def _near(place: int, near: Neighbour) -> str:
    lines = [
        f"{place}. **{link(near)}** ({md(kind_text(near))})",
        f"   - Alike: {md(near.why)}",
        f"   - Tried: {md(tried_text(near)) or 'not said'}",
        f"   - Won: {md(won_text(near))}",
    ]
    if not near.source_url:
        lines.append(f"   - Source: {md(near.source) or 'not named'}")
    return "\n".join(lines)
