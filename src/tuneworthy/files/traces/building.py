"""Rows into batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from tuneworthy.domain.traces import COLUMNS, Batch
from tuneworthy.files.traces.limits import Limits
from tuneworthy.files.traces.tally import Tally
from tuneworthy.files.traces.values import Row


def batches(rows: Iterable[Row], limits: Limits, tally: Tally) -> Iterator[Batch]:
    """Rows in batches; none for no rows. A column no row has a value in is empty.

    Args:
        rows: The traces.
        limits: How many traces, and how large, a batch may be.
        tally: Knows how much of the file was read by now.
    """
    held: list[Row] = []
    closes = tally.size + limits.batch_bytes
    for row in rows:
        held.append(row)
        if len(held) >= limits.batch_traces or tally.size >= closes:
            yield _batch(held)
            held, closes = [], tally.size + limits.batch_bytes
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
