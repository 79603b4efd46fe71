"""A document as Markdown: every section and every detail, to be kept and forwarded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import count

from tuneworthy.model.dossier import ChallengeResult
from tuneworthy.report import blocks as b
from tuneworthy.report.named import field_name, name_fields
from tuneworthy.report.text import safe


def md(text: str) -> str:
    """Escape a text of a user, so that Markdown shows it as written and does nothing else."""
    escaped = _escape_html(name_fields(safe(text)))
    escaped = re.sub(r"([\\`*_\[\]|~])", r"\\\1", escaped)
    escaped = re.sub(r"^(\s*\d*)([#+.)-])(?=\s)", r"\1\\\2", escaped)
    return _CALLS.sub(rf"\g<0>{_NOTHING}", escaped)


def _escape_html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_NOTHING = (
    "&#8203;"  #: A space of no width: it breaks what a host would make a link of.
)

_CALLS = re.compile(
    r"@(?=\w)"  # a mention of somebody, or a mail address
    r"|#(?=\d)|\bGH-(?=\d)"  # an issue
    # an address, because an issue's address becomes a link to it
    r"|\b[a-z]+:(?=//)|\bwww(?=\.)",
    re.IGNORECASE,
)
"""Text that a code host turns into a mention or a link, wherever it stands."""


def render(document: b.Document) -> str:
    """Write a document as Markdown."""
    parts = [f"> **{md(text)}**" for text in document.above]
    parts += [f"# {md(document.title)}", *map(md, document.byline)]
    if document.facts is not None:
        parts += _block(document.facts, 3)
    if document.warning:
        parts += ["**Before you rely on it**", _list(document.warning)]
    parts += _blocks(document.opening, 2)
    for section in document.sections:
        if section.title:
            parts.append(f"## {md(section.title)}")
        parts += _blocks(section.blocks, 3)
    parts += [text for fold in document.closed for text in _closed(fold)]
    if document.record:
        lines = [f"{name}: {value}" for name, value in document.record]
        record = b.Fold("For the record", (b.bullets(lines),))
        parts += _closed(record) if document.closed else _block(record, 2)
    return "\n\n".join(parts) + "\n"


def _blocks(blocks: Iterable[b.Block], level: int) -> list[str]:
    """The paragraphs of blocks, their headings at a level."""
    return [text for block in blocks for text in _block(block, level)]


def _block(block: b.Block, level: int) -> list[str]:
    """Write one block as Markdown; ``level`` is that of its heading."""
    match block:
        case b.Prose():
            return [md(block.text)]
        case b.Todo():
            return [md(f"{block.what} To find out: {block.ask}")]
        case b.Bullets():
            return [_list(block.items, ordered=block.ordered)]
        case b.Claims():
            return ["\n".join(map(_claim, count(1), block.items))]
        case b.Facts():
            rows = (
                (fact.label, f"{fact.value} {fact.beside}".strip())
                for fact in block.rows
            )
            return [_table(b.head("", ""), rows)]
        case b.Table():
            caption = [] if block.quiet else [f"{md(block.caption)}:"]
            return [*caption, _table(block.head, block.rows)]
        case b.Picture():
            if block.table_is == "elsewhere":
                return []
            return _block(block.table, level)
        case b.Fold() | b.Part():
            heading = f"{'#' * level} {md(block.title)}"
            return [heading, *_blocks(block.blocks, min(level + 1, 6))]


def _closed(fold: b.Fold) -> list[str]:
    """A fold that opens on a click where Markdown is shown. Its title is HTML."""
    title = _CALLS.sub(rf"\g<0>{_NOTHING}", _escape_html(safe(fold.title)))
    opened = f"<details>\n<summary>{title}</summary>"
    return [opened, *_blocks(fold.blocks, 3), "</details>"]


def _list(items: Iterable[str], *, ordered: bool = False) -> str:
    marks = (f"{n}." if ordered else "-" for n in count(1))
    return "\n".join(
        f"{mark} {md(item)}" for item, mark in zip(items, marks, strict=False)
    )


def _cell(cell: str | b.Cell) -> str:
    if isinstance(cell, str):
        return md(cell)
    # an address can't end the link that it is in
    address = (
        safe(cell.href).replace("<", "%3C").replace(">", "%3E").replace("|", "%7C")
    )
    text = f"[{md(cell.text)}](<{address}>)" if address else md(cell.text)
    return f"{text} ({md(cell.below)})" if cell.below else text


def _table(head: Sequence[b.Column], rows: Iterable[Sequence[str | b.Cell]]) -> str:
    titles = [md(column.title) for column in head]
    rules = ["---:" if column.kind == "number" else "---" for column in head]
    lines = (titles, rules, *(map(_cell, row) for row in rows))
    return "\n".join(
        f"| {' | '.join(cell or ' ' for cell in line)} |" for line in lines
    )


def _claim(number: int, claim: ChallengeResult) -> str:
    where = ", ".join(md(field_name(path)) for path in claim.between)
    label = f"**{md(b.SEVERITIES[claim.severity][0])}**" + (
        f" ({where})" if where else ""
    )
    return f"{number}. {label}: {md(claim.says)}\n   To settle: {md(claim.settle)}"
