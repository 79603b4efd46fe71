"""What was measured, as part of the page."""

from __future__ import annotations

from collections.abc import Sequence

from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.record import Unknown
from tuneworthy.domain.sections import EvidenceResult
from tuneworthy.report.evidence import ASK
from tuneworthy.report.evidence.rows import by_grade, evidence_rows, measured_name
from tuneworthy.report.html.blocks import Block, Bullets, Cell, Column, Fold, Part, Table, Todo
from tuneworthy.report.html.measured import pictures
from tuneworthy.report.published import LIMITS


def measured(dossier: Dossier) -> Part:
    """Pictures, then measurements with interval, count, method and source; samples fold away."""
    own, published = by_grade(dossier)
    blocks: list[Block] = [*pictures(dossier.series)]
    if own:
        blocks.append(_table(dossier, own, "Measured", "What was measured, with 95% intervals"))
    else:
        ask = dossier.evidence.ask if isinstance(dossier.evidence, Unknown) else ASK
        blocks.append(Todo(ask, "Nothing was measured."))
    samples = [(measured_name(one.id, one.title), one.examples) for one in own if one.examples]
    blocks += [Fold(f"Samples: {title}", (Bullets(texts),)) for title, texts in samples]
    if published:
        title = f"What others published, not measured here. {LIMITS}"
        blocks.append(_table(dossier, published, "Published", title))
    return Part("Measured", tuple(blocks))


def _table(dossier: Dossier, found: Sequence[EvidenceResult], head: str, title: str) -> Table:
    rows = tuple(
        (Cell(row.title, row.bears), row.value, Cell(row.counted, row.source), row.method)
        for row in evidence_rows(dossier, found)
    )
    return Table(title, (Column(head), Column("Value"), Column("On"), Column("How")), rows)
