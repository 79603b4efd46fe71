"""What a document is made of. Terminal, Markdown and HTML are three renderers of these blocks.

A section is a function ``dossier -> Section`` in ``sections/``, made of the blocks below. Write
plain sentences and never escape anything: each renderer does that. ``detail=True`` on a block means
that a terminal shows it only with ``--all``; a ``Fold`` is such a detail, closed on the page. A
fact's ``value`` and ``beside`` are read in one go ("$6,000" "once"). A ``Picture`` is drawn on the
page; the others show its table, but for ``table_is="elsewhere"``: another table has it all.

    def waiting(dossier: Dossier) -> Section:
        rows = (Fact("Left a month", "$1,500", "as stated"),)
        return Section("waiting", "What waiting costs", (Prose("In short."), Facts(rows)))

``text.render(document)``, ``markdown.render(document)`` and ``html.render(document)`` show a
``Document`` of sections.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from tuneworthy.report.charts import Drawing

Kind = Literal["text", "number", "state", "date"]
"""How a column reads."""


@dataclass(frozen=True, slots=True)
class Prose:
    """A paragraph."""

    text: str
    look: Literal["plain", "lead", "small"] = "plain"
    detail: bool = False
    block: ClassVar[str] = "prose"


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list."""

    items: tuple[str, ...]
    ordered: bool = False
    detail: bool = False
    block: ClassVar[str] = "bullets"


@dataclass(frozen=True, slots=True)
class Fact:
    """A label with its value."""

    label: str
    value: str
    beside: str = ""
    """What continues the value, smaller."""
    link: str = ""
    """Id of the section that says more; empty for none."""
    source: str = ""
    """Where the value comes from, for a page that can be touched."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A list of facts."""

    rows: tuple[Fact, ...]
    look: Literal["plain", "key", "words"] = "plain"
    detail: bool = False
    block: ClassVar[str] = "facts"


@dataclass(frozen=True, slots=True)
class Column:
    """The head of a column."""

    title: str
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell with something small under it."""

    text: str
    below: str = ""
    href: str = ""
    """A web address to go to, which starts with http; empty for none."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first cell of a row names it."""

    caption: str
    head: tuple[Column, ...]
    rows: tuple[tuple[str | Cell, ...], ...]
    quiet: bool = False
    """The heading above says the same: only a screen reader needs the caption."""
    detail: bool = False
    block: ClassVar[str] = "table"


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing, what it shows in words, and the same as a table."""

    id: str
    title: str
    says: str
    drawing: Drawing
    table: Table
    key: tuple[tuple[str, str], ...] = ()
    """Look of a mark, and what it means."""
    table_is: Literal["folded", "open", "elsewhere"] = "folded"
    """Opened by a click; always open; or left out on paper and in text for one that says more."""
    mermaid: str = ""
    """The drawing as Mermaid source, for Markdown; empty for none."""
    detail: bool = False
    block: ClassVar[str] = "picture"


@dataclass(frozen=True, slots=True)
class Claim:
    """Statements that don't fit together."""

    kind: str
    label: str
    text: str
    settle: str
    where: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Claims:
    """Numbered claims."""

    items: tuple[Claim, ...]
    detail: bool = False
    block: ClassVar[str] = "claims"


@dataclass(frozen=True, slots=True)
class Todo:
    """What nobody knows yet, and what would settle it."""

    ask: str
    what: str = ""
    detail: bool = False
    block: ClassVar[str] = "todo"


@dataclass(frozen=True, slots=True)
class Fold:
    """Details: closed on the page, open on paper and in Markdown; in a terminal with ``--all``."""

    summary: str
    blocks: tuple[Block, ...]
    block: ClassVar[str] = "fold"
    detail: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Part:
    """A heading inside a section, with its blocks."""

    title: str
    blocks: tuple[Block, ...]
    detail: bool = False
    block: ClassVar[str] = "part"


Block = Prose | Bullets | Facts | Table | Picture | Claims | Todo | Fold | Part


@dataclass(frozen=True, slots=True)
class Section:
    """A section; one without a title opens its document."""

    id: str
    title: str
    blocks: tuple[Block, ...]
    short: str = ""
    """The title in the list of contents; the whole one when empty."""
    detail: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """What is rendered."""

    name: str
    """What it is about: the case."""
    headline: str
    """What is to be known first, in a sentence."""
    sections: tuple[Section, ...]
    byline: tuple[str, ...] = ()
    lead: tuple[str, ...] = ()
    """For somebody who knows no term of the field; not in a terminal."""
    facts: Facts | None = None
    warning: tuple[str, ...] = ()
    """What speaks against relying on it."""
    record: tuple[tuple[str, str], ...] = ()
    """Lines for machines: name and value."""
    after: tuple[str, ...] = ()
    """Where to go on from here, in a terminal."""

    @property
    def title(self) -> str:
        """The first line."""
        return f"{self.name}: {self.headline}" if self.name else self.headline


_MARKS: dict[str, Kind] = {"#": "number", "?": "state", "@": "date"}


def head(*titles: str) -> tuple[Column, ...]:
    """The head of a table: ``#Weeks`` holds numbers, ``?Holds`` states, ``@To`` days."""
    marked = ((title[:1], title) for title in titles)
    return tuple(
        Column(title[1:], _MARKS[mark]) if mark in _MARKS else Column(title)
        for mark, title in marked
    )


def pictures_in(sections: Iterable[Section]) -> dict[str, Picture]:
    """The pictures of some sections by their id, in their order."""

    def inside(blocks: Iterable[Block]) -> Iterator[Picture]:
        for block in blocks:
            if isinstance(block, Picture):
                yield block
            elif isinstance(block, Fold | Part):
                yield from inside(block.blocks)

    return {picture.id: picture for one in sections for picture in inside(one.blocks)}
