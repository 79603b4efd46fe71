"""How far labellers agree, for the page: the words of the terminal's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tuneworthy.domain.labels import AgreementOf
from tuneworthy.report.agreement import rows_of, said_of, title_of
from tuneworthy.report.html.blocks import Block, Bullets, Column, Fold, Part, Prose, Table
from tuneworthy.report.words import counted, sentence


def agreed(found: Sequence[AgreementOf], texts: Mapping[str, str]) -> tuple[Block, ...]:
    """A part for each task and rubric.

    Args:
        found: What was labelled, and how far labellers agree.
        texts: What a rubric says, by its digest.

    Returns:
        One sentence where nothing was labelled.
    """
    if not found:
        return (Prose("Nothing is labelled yet. Two labellers who don't see each other's answers "
                      "make agreement known."),)  # fmt: skip
    return tuple(_part(one, texts.get(one.rubric, "")) for one in found)


def _part(one: AgreementOf, rubric: str) -> Part:
    blocks: list[Block] = [Bullets(tuple(sentence(said) for said in said_of(one)))]
    if rubric:
        blocks.append(Fold("The rubric", (Prose(rubric),)))
    if one.disagreements:
        head, *rows = rows_of(one.disagreements)
        columns = tuple(Column(title) for title in head)
        blocks.append(Table("What they differ on", columns, tuple(rows)))
        if (more := len(one.disagreements) - len(rows)) > 0:
            blocks.append(Prose(f"and {counted(more, 'item')} more", "small"))
    return Part(title_of(one), tuple(blocks))


def to_settle(found: Sequence[AgreementOf]) -> int:
    """Items that labellers differ on and nobody has settled."""
    return sum(each.settled is None for one in found for each in one.disagreements)
