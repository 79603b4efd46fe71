"""What was measured, as part of the page."""

from __future__ import annotations

from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.record import Unknown
from tuneworthy.report.evidence.rows import evidence_rows, measured_name
from tuneworthy.report.html.blocks import Block, Bullets, Cell, Column, Fold, Part, Table, Todo
from tuneworthy.report.html.measured import pictures


def measured(dossier: Dossier) -> Part:
    """Pictures, then measurements with interval, count, method and source; samples fold away."""
    found = dossier.evidence
    if isinstance(found, Unknown):
        return Part("Measured", (Todo(found.ask, "Nothing was measured."),))
    rows = tuple(
        (Cell(row.title, row.bears), row.value, Cell(row.counted, row.source), row.method)
        for row in evidence_rows(dossier, found)
    )
    head = (Column("Measured"), Column("Value"), Column("On"), Column("How"))
    blocks: list[Block] = [*pictures(dossier.series)]
    blocks.append(Table("What was measured, with 95% intervals", head, rows))
    samples = [(measured_name(one.id, one.title), one.examples) for one in found if one.examples]
    blocks += [Fold(f"Samples: {title}", (Bullets(texts),)) for title, texts in samples]
    return Part("Measured", tuple(blocks))
