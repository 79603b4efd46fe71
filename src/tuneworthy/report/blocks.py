"""The blocks of a document. Terminal, Markdown and HTML are three renderers of them.

A section is a function ``dossier -> Section`` in ``sections/``, made by the functions in lower case
below. Write plain sentences and never escape anything: each renderer does that. A text among blocks
is a paragraph, a list is opened, and what is empty is left out. ``detail=True`` on a block means
that a terminal shows it only with ``--all``; a ``Fold`` is such a detail, closed on the page. A
fact's ``value`` and ``beside`` are read in one go ("$6,000" "once"). A ``Picture`` is drawn on the
page; the others show its table.

    def waiting(dossier: Dossier) -> Section:
        rows = (("Left a month", "$1,500", "as stated"),)
        return section("waiting", "What waiting costs", "In short.", facts(rows))

``text.render(document)``, ``markdown.render(document)`` and ``html.render(document)`` show a
``Document`` of sections.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from tuneworthy.words import fill

if TYPE_CHECKING:
    from tuneworthy.model.dossier import ChallengeResult, Severity
    from tuneworthy.report.charts import Drawing

Kind = Literal["text", "number", "state", "date"]  #: How a column reads.

Look = Literal["strong", "good", "bad", "warn"]
FactsLook = Literal["plain", "key", "words", "sign"]

SEVERITIES: dict[Severity, tuple[str, str]] = {
    "contradiction": ("Contradiction", "two statements exclude each other"),
    "doubt": ("Doubt", "a statement lacks the evidence that would support it"),
    "pushback": ("Too optimistic", "an expectation is too optimistic"),
}
"""The name of each severity of a challenge and its meaning, the most severe first."""


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
    #: The mark before an item in a terminal; empty for lines without one.
    mark: str = "-"
    block: ClassVar[str] = "bullets"


@dataclass(frozen=True, slots=True)
class Fact:
    """A label with its value."""

    label: str
    value: str
    beside: str = ""  #: Text that continues the value, smaller.
    link: str = ""  #: Id of the section that says more; empty for none.


@dataclass(frozen=True, slots=True)
class Facts:
    """A list of facts."""

    rows: tuple[Fact, ...]
    look: FactsLook = "plain"
    block: ClassVar[str] = "facts"


@dataclass(frozen=True, slots=True)
class Column:
    """The head of a column."""

    title: str
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Glyph:
    """A figure drawn in its cell, on the axis that its column shares, in percent of that axis.

    It is drawn only on a page; a terminal shows the figure as text.
    """

    at: float
    low: float  #: Ends of its interval; ``at`` for none.
    high: float
    limit: float | None  #: Where what is wanted lies; None for nothing wanted.
    #: Whether it meets its target; ``work`` for hours, which have none.
    state: Literal["met", "missed", "unknown", "work"]
    shape: Literal["dot", "bar"]  #: A bar begins at nought.
    counted: bool  #: Whether it was measured or computed; an outline marks what is only stated.


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell with small text under it."""

    text: str
    below: str = ""
    href: str = ""  #: A web address to go to, which starts with http; empty for none.
    aside: bool = False  #: Whether what is below is left out on paper.
    glyph: Glyph | None = None
    page: str = ""  #: A page of the case that shows more, where the case is on a page of its own.


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first cell of a row names it."""

    caption: str
    head: tuple[Column, ...]
    rows: tuple[Sequence[str | Cell], ...]
    quiet: bool = False  #: The heading above says the same: only a screen reader needs the caption.
    detail: bool = False
    chosen: int | None = None  #: Number of the row that is advised, from 0 on.
    block: ClassVar[str] = "table"


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing, its finding in words, and its numbers as a table."""

    id: str
    title: str
    says: str
    drawing: Drawing
    table: Table
    key: tuple[tuple[str, str], ...] = ()  #: Look of a mark, and what it means.
    is_open: bool = False  #: Whether the table is open; a click opens it else.
    block: ClassVar[str] = "picture"


@dataclass(frozen=True, slots=True)
class Claims:
    """Numbered challenges."""

    items: tuple[ChallengeResult, ...]
    block: ClassVar[str] = "claims"


@dataclass(frozen=True, slots=True)
class Todo:
    """Something unknown, and the step that would settle it."""

    ask: str
    what: str = "Not known."
    block: ClassVar[str] = "todo"


@dataclass(frozen=True, slots=True)
class Fold:
    """Details: closed on the page, open on paper and in Markdown; in a terminal with ``--all``."""

    title: str
    blocks: tuple[Block, ...]
    id: str = ""
    block: ClassVar[str] = "fold"
    detail: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Part:
    """A heading inside a section, with its blocks."""

    title: str
    blocks: tuple[Block, ...]
    block: ClassVar[str] = "part"


Block = Prose | Bullets | Facts | Table | Picture | Claims | Todo | Fold | Part


@dataclass(frozen=True, slots=True)
class Section:
    """A section; one without a title opens its document."""

    id: str
    title: str
    blocks: tuple[Block, ...]
    detail: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """A document as the three renderers take it."""

    name: str  #: The subject of the document: the case.
    headline: str  #: The first thing to know, in a sentence.
    sections: Sequence[Section]
    above: Sequence[str] = ()  #: The lines over the title, in Markdown.
    byline: Sequence[str] = ()
    facts: Facts | None = None
    warning: Sequence[str] = ()  #: The reasons not to rely on it.
    opening: Sequence[Block] = ()  #: The rest of its first page.
    #: The blocks that Markdown shows closed, the record with it.
    closed: Sequence[Fold] = ()
    record: Sequence[tuple[str, str]] = ()  #: Lines for machines: name and value.
    after: Sequence[str] = ()  #: Where to go on from here, in a terminal.
    look: Look = "strong"  #: Of the title in a terminal.
    word: str = ""  #: How the title begins, where this alone has the look.
    lead: str = ""  #: The step to take now, under the title of a terminal.
    badge: str = ""  #: The badge at the right end of that line.

    @property
    def title(self) -> str:
        if self.name:
            return f"{self.name}: {self.headline}"
        return self.headline


Parts: TypeAlias = Block | str | Iterable["Parts"] | None
"""Blocks; a text is a paragraph, and an empty part is left out."""


def flat(*parts: Parts) -> tuple[Block, ...]:
    """The parts as one row of blocks; a text becomes a paragraph, and what is empty is left out."""
    blocks: list[Block] = []
    for each in parts:
        if isinstance(each, str):
            if each:
                blocks.append(Prose(each))
        elif isinstance(each, Iterable):
            blocks += flat(*each)
        elif each is not None:
            blocks.append(each)
    return tuple(blocks)


def section(id: str, title: str, *parts: Parts, detail: bool = False) -> Section:
    return Section(id, title, flat(*parts), detail)


def part(title: str, *parts: Parts) -> Part:
    return Part(title, flat(*parts))


def fold(title: str, *parts: Parts, id: str = "") -> Fold:
    return Fold(title, flat(*parts), id)


def bullets(items: Iterable[str], *, ordered: bool = False, mark: str = "-") -> Bullets:
    return Bullets(tuple(items), ordered, mark)


def facts(rows: Iterable[Fact | tuple[str, ...]], look: FactsLook = "plain") -> Facts:
    """Make facts. A row may be a label, a value, and a text beside it."""
    return Facts(
        tuple(row if isinstance(row, Fact) else Fact(*row) for row in rows), look
    )


_MARKS: dict[str, Kind] = {"#": "number", "?": "state", "@": "date"}


def head(*titles: str) -> tuple[Column, ...]:
    """The head of a table: ``#Weeks`` holds numbers, ``?Holds`` states, ``@To`` days."""
    columns = []
    for title in titles:
        kind = _MARKS.get(title[:1])
        columns.append(Column(title[1:], kind) if kind else Column(title))
    return tuple(columns)


def table(
    caption: str,
    titles: str | Iterable[str],
    rows: Iterable[Sequence[str | Cell]],
    *,
    quiet: bool = False,
    detail: bool = False,
    chosen: int | None = None,
) -> Table:
    """A table; ``titles`` as for ``head``, or in one text as ``Option | #Weeks | ?Helps``."""
    names = titles.split(" | ") if isinstance(titles, str) else titles
    return Table(caption, head(*names), tuple(rows), quiet, detail, chosen)


def records(
    caption: str, titles: str, cells: str, every: Iterable[Any], *, quiet: bool = False
) -> Table:
    """A table with a row for each record: ``{title} | {n:count}``, as ``words.fill`` fills it."""
    templates = cells.split(" | ")
    rows = [[fill(cell, record) for cell in templates] for record in every]
    return table(caption, titles, rows, quiet=quiet)


def pictures_in(sections: Iterable[Section]) -> dict[str, Picture]:
    """The pictures of sections by their ids, also those inside folds and parts."""
    pictures = {}
    for section in sections:
        for picture in _pictures_among(section.blocks):
            pictures[picture.id] = picture
    return pictures


def _pictures_among(blocks: Iterable[Block]) -> Iterator[Picture]:
    for block in blocks:
        if isinstance(block, Picture):
            yield block
        elif isinstance(block, Fold | Part):
            yield from _pictures_among(block.blocks)
