"""Rows into batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

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


def joined(parts: Sequence[Batch]) -> Batch:
    """Batches as one."""
    made: dict[str, list[Any]] = {}
    for name in COLUMNS:
        if any(getattr(part, name) for part in parts):
            made[name] = list(chain.from_iterable(part.column(name) for part in parts))
    return slim(Batch(**made))


def slim(batch: Batch) -> Batch:
    """A batch whose columns without any value are empty, but for the outputs."""
    for name in COLUMNS:
        values = getattr(batch, name)
        if values and name != "output" and not has_value(values):
            setattr(batch, name, [])
    return batch


def has_value(values: Sequence[object]) -> bool:
    """Whether anything but None is among some values; False for none."""
    # Mostly the first tells, and None is quickly compared with None alone.
    return bool(values) and (values[0] is not None or values.count(None) < len(values))
