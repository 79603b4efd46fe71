"""What a page is made of: plain nouns that a template turns into markup."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from tuneworthy.report.charts import Drawing

Kind = Literal["text", "number", "state", "date"]
"""How a column reads."""


@dataclass(frozen=True, slots=True)
class Prose:
    """A paragraph."""

    text: str
    look: Literal["plain", "lead", "small"] = "plain"
    block: ClassVar[str] = "prose"


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list."""

    items: tuple[str, ...]
    ordered: bool = False
    block: ClassVar[str] = "bullets"


@dataclass(frozen=True, slots=True)
class Fact:
    """Something with a name, and what is to be known about it."""

    label: str
    value: str
    beside: str = ""
    link: str = ""
    """Id of the section that says more; empty for none."""
    source: str = ""
    """Where the value comes from, for a page that can be touched; empty where it stands beside."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A list of facts."""

    rows: tuple[Fact, ...]
    look: Literal["plain", "key", "words"] = "plain"
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
    """A web address to go to, one that starts with http; empty for none."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first cell of a row names it."""

    caption: str
    head: tuple[Column, ...]
    rows: tuple[tuple[str | Cell, ...], ...]
    quiet: bool = False
    """The heading above says the same: the caption is for screen readers only."""
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
    """Opened by a click; always open; or folded, and left out on paper for one that says more."""
    block: ClassVar[str] = "picture"


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that doesn't fit together."""

    kind: str
    label: str
    text: str
    settle: str
    where: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Claims:
    """Things that don't fit together, counted."""

    items: tuple[Claim, ...]
    block: ClassVar[str] = "claims"


@dataclass(frozen=True, slots=True)
class Todo:
    """Something nobody knows yet, and what would settle it."""

    ask: str
    what: str = ""
    block: ClassVar[str] = "todo"


@dataclass(frozen=True, slots=True)
class Fold:
    """Details that open on demand, and on paper."""

    summary: str
    blocks: tuple[Block, ...]
    block: ClassVar[str] = "fold"


@dataclass(frozen=True, slots=True)
class Part:
    """A heading inside a section, with its blocks."""

    title: str
    blocks: tuple[Block, ...]
    block: ClassVar[str] = "part"


Block = Prose | Bullets | Facts | Table | Picture | Claims | Todo | Fold | Part


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the page."""

    id: str
    title: str
    blocks: tuple[Block, ...]
    short: str = ""
    """The title in the list of contents; the whole one when empty."""


@dataclass(frozen=True, slots=True)
class Page:
    """The whole page."""

    name: str
    headline: str
    byline: str
    lead: tuple[str, ...]
    facts: Facts
    warning: tuple[str, ...]
    """What speaks against relying on it, at once."""
    sections: tuple[Section, ...]
    record: tuple[tuple[str, str], ...] = field(default=())
    """Lines for machines: name and value."""
