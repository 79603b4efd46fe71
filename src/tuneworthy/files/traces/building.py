"""Rows into batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tuneworthy.domain.traces import COLUMNS, Batch
from tuneworthy.files.traces.values import Row


def batches(rows: Iterable[Row], size: int) -> Iterator[Batch]:
    """Rows in batches of ``size``; none for no rows. A column no row has a value in is empty."""
    held: list[Row] = []
    for row in rows:
        held.append(row)
        if len(held) >= size:
            yield _batch(held)
            held = []
    if held:
        yield _batch(held)


def _batch(rows: list[Row]) -> Batch:
    columns = {name: [row.get(name) for row in rows] for name in COLUMNS}
    return slim(Batch(**columns))


def extend(batch: Batch, part: Batch) -> None:
    """Add the traces of ``part``; afterwards every column is as long as the outputs."""
    for name in COLUMNS:
        getattr(batch, name).extend(part.column(name))


def slim(batch: Batch) -> Batch:
    """A batch whose columns without any value are empty, but for the outputs."""
    for name in COLUMNS:
        values = getattr(batch, name)
        if name != "output" and values.count(None) == len(values):
            setattr(batch, name, [])
    return batch
