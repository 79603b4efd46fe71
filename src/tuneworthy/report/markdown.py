"""A document as Markdown: every section and every detail, to be kept and forwarded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tuneworthy.model.dossier import ChallengeResult
from tuneworthy.report import blocks as b
from tuneworthy.report.named import field_name, name_fields
from tuneworthy.report.text import safe


def md(text: str) -> str:
    """Escape a text of a user, so that Markdown shows it as written and does nothing else."""
    escaped = _escape_html(name_fields(safe(text)))
    escaped = _SIGNS.sub(r"\\\1", escaped)
    escaped = _LINE_STARTS.sub(r"\1\\\2", escaped)
    return _break_calls(escaped)


# signs that format a text wherever they stand
_SIGNS = re.compile(r"([\\`*_\[\]|~])")
# the sign of a heading or a list, which is one only at the start of a line
_LINE_STARTS = re.compile(r"^(\s*\d*)([#+.)-])(?=\s)")


def _break_calls(text: str) -> str:
    """Keep a code host from making mentions and links of a text."""
    return _CALLS.sub(rf"\g<0>{_NOTHING}", text)


def _escape_html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


#: A space of no width: it breaks what a host would make a link of.
_NOTHING = "&#8203;"

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
    parts.append(f"# {md(document.title)}")
    parts += [md(text) for text in document.byline]
    if document.facts is not None:
        parts += _block(document.facts, 3)
    if document.warning:
        parts += ["**Before you rely on it**", _list(document.warning)]
    parts += _blocks(document.opening, 2)
    for section in document.sections:
        if section.title:
            parts.append(f"## {md(section.title)}")
        parts += _blocks(section.blocks, 3)
    for fold in document.closed:
        parts += _closed(fold)
    if document.record:
        lines = [f"{name}: {value}" for name, value in document.record]
        record = b.Fold("For the record", (b.bullets(lines),))
        parts += _closed(record) if document.closed else _block(record, 2)
    return "\n\n".join(parts) + "\n"


def _blocks(blocks: Iterable[b.Block], level: int) -> list[str]:
    """The paragraphs of blocks, their headings at a level."""
    paragraphs: list[str] = []
    for block in blocks:
        paragraphs += _block(block, level)
    return paragraphs


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
            claims = [_claim(n, claim) for n, claim in enumerate(block.items, start=1)]
            return ["\n".join(claims)]
        case b.Facts():
            rows = [
                (fact.label, f"{fact.value} {fact.beside}".strip())
                for fact in block.rows
            ]
            return [_table(b.head("", ""), rows)]
        case b.Table():
            caption = [] if block.quiet else [f"{md(block.caption)}:"]
            return [*caption, _table(block.head, block.rows)]
        case b.Picture():
            return _block(block.table, level)
        case b.Fold() | b.Part():
            heading = f"{'#' * level} {md(block.title)}"
            deeper = min(level + 1, 6)  # Markdown has no deeper heading
            return [heading, *_blocks(block.blocks, deeper)]


def _closed(fold: b.Fold) -> list[str]:
    """A fold that opens on a click where Markdown is shown."""
    # HTML, in which the signs of Markdown mean nothing
    title = _break_calls(_escape_html(safe(fold.title)))
    opened = f"<details>\n<summary>{title}</summary>"
    return [opened, *_blocks(fold.blocks, 3), "</details>"]


def _list(items: Iterable[str], *, ordered: bool = False) -> str:
    lines = []
    for number, item in enumerate(items, start=1):
        mark = f"{number}." if ordered else "-"
        lines.append(f"{mark} {md(item)}")
    return "\n".join(lines)


def _cell(cell: str | b.Cell) -> str:
    """A cell with its link, and what is below it in brackets."""
    if isinstance(cell, str):
        return md(cell)
    text = md(cell.text)
    if cell.href:
        address = safe(cell.href)
        # signs that would end the address, or the cell
        for sign, escaped in (("<", "%3C"), (">", "%3E"), ("|", "%7C")):
            address = address.replace(sign, escaped)
        text = f"[{text}](<{address}>)"
    return f"{text} ({md(cell.below)})" if cell.below else text


def _table(head: Sequence[b.Column], rows: Iterable[Sequence[str | b.Cell]]) -> str:
    """A table, its numbers to the right."""
    titles = [md(column.title) for column in head]
    rules = ["---:" if column.kind == "number" else "---" for column in head]
    lines = [_row(titles), _row(rules)]
    lines += [_row([_cell(cell) for cell in row]) for row in rows]
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    # an empty cell without a blank isn't a cell to every reader of Markdown
    return f"| {' | '.join(cell or ' ' for cell in cells)} |"


def _claim(number: int, claim: ChallengeResult) -> str:
    """A challenge as an item of a list: its kind, its fields, its sentence, and what settles it."""
    name, _ = b.SEVERITIES[claim.severity]
    label = f"**{md(name)}**"
    where = ", ".join(md(field_name(path)) for path in claim.between)
    if where:
        label += f" ({where})"
    return f"{number}. {label}: {md(claim.says)}\n   To settle: {md(claim.settle)}"
