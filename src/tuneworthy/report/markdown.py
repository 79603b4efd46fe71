"""A document as Markdown: every section and every detail, to be kept and forwarded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import count

from tuneworthy.report.blocks import (
    Block,
    Bullets,
    Cell,
    Claim,
    Claims,
    Column,
    Document,
    Fact,
    Facts,
    Fold,
    Part,
    Picture,
    Prose,
    Section,
    Table,
    Todo,
)
from tuneworthy.report.text import safe


def md(text: str) -> str:
    """What somebody wrote, as Markdown that shows it and does nothing else."""
    shown = safe(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    shown = re.sub(r"([\\`*_\[\]|~])", r"\\\1", shown)
    return re.sub(r"^(\s*\d*)([#+.)-])(?=\s)", r"\1\\\2", shown)


def render(document: Document) -> str:
    """The whole document."""
    parts = [f"# {md(document.title)}", *map(md, (*document.byline, *document.lead))]
    if document.facts is not None:
        parts += _block(document.facts, 3)
    if document.warning:
        parts += [
            "**Before you rely on it**",
            "\n".join(f"- {md(one)}" for one in document.warning),
        ]
    for section in document.sections:
        parts += _section(section)
    if document.record:
        lines = [f"- {md(f'{name}: {value}')}" for name, value in document.record]
        parts += ["## For the record", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _section(section: Section) -> list[str]:
    heading = [f"## {md(section.title)}"] if section.title else []
    return [*heading, *(part for block in section.blocks for part in _block(block, 3))]


def _block(block: Block, level: int) -> Iterator[str]:
    """The paragraphs of a block, its headings at a level."""
    match block:
        case Prose():
            yield md(block.text)
        case Todo():
            yield md(f"{block.what or 'Not known.'} To find out: {block.ask}")
        case Bullets() | Claims():
            yield "\n".join(_list(block))
        case Facts():
            yield _table((Column(""), Column("")), [_fact(fact) for fact in block.rows])
        case Table():
            if not block.quiet:
                yield f"{md(block.caption)}:"
            yield _table(block.head, [tuple(map(_cell, row)) for row in block.rows])
        case _:
            yield from _around(block, level)


def _around(block: Picture | Fold | Part, level: int) -> Iterator[str]:
    """A block that has blocks inside."""
    if isinstance(block, Picture):
        if block.mermaid:
            yield f"```mermaid\n{block.mermaid.strip()}\n```"
        if block.table_is != "elsewhere":
            yield from _block(block.table, level)
        return
    yield f"{'#' * level} {md(block.summary if isinstance(block, Fold) else block.title)}"
    for inner in block.blocks:
        yield from _block(inner, min(level + 1, 6))


def _list(block: Bullets | Claims) -> Iterator[str]:
    if isinstance(block, Claims):
        return map(_claim, count(1), block.items)
    marks = (f"{n}." if block.ordered else "-" for n in count(1))
    return (f"{mark} {md(item)}" for mark, item in zip(marks, block.items, strict=False))


def _fact(fact: Fact) -> tuple[str, str]:
    return md(fact.label), md(f"{fact.value} {fact.beside}".strip())


def _cell(cell: str | Cell) -> str:
    if isinstance(cell, str):
        return md(cell)
    text = f"[{md(cell.text)}](<{_address(cell.href)}>)" if cell.href else md(cell.text)
    return f"{text} ({md(cell.below)})" if cell.below else text


def _address(href: str) -> str:
    """An address that can't end the link it is in."""
    return safe(href).replace("<", "%3C").replace(">", "%3E").replace("|", "%7C")


def _table(head: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    rules = ("---:" if column.kind == "number" else "---" for column in head)
    lines = [[md(column.title) for column in head], *rows]
    shown = ["| " + " | ".join(cell or " " for cell in line) + " |" for line in lines]
    return "\n".join([shown[0], "| " + " | ".join(rules) + " |", *shown[1:]])


def _claim(number: int, claim: Claim) -> str:
    where = ", ".join(f"`{_code(path)}`" for path in claim.where)
    label = f"**{md(claim.label)}**" + (f" ({where})" if where else "")
    return f"{number}. {label}: {md(claim.text)}\n   To settle: {md(claim.settle)}"


def _code(text: str) -> str:
    return safe(text).replace("`", "'")
