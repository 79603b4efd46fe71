"""Which traces of the sample a slow detector reads, and which of them stand or fall together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tuneworthy.domain.traces import Batch
from tuneworthy.gather.signals.telling import clusters_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def picked(batch: Batch, most: int, wanted: Callable[[int], bool]) -> list[int]:
    """Rows to look at: whole conversations or test cases, evenly over the sample.

    Args:
        batch: The sample.
        most: Rows at most.
        wanted: Whether a row is worth looking at.

    Returns:
        Rows in their order; none of an empty batch.
    """
    rows = [row for row in range(len(batch)) if wanted(row)]
    every = -(-len(rows) // most)
    if every <= 1:
        return rows
    places = members(batch, rows) % every
    return [row for row, place in zip(rows, places.tolist(), strict=True) if not place][:most]


def members(batch: Batch, rows: Sequence[int]) -> NDArray[np.int64]:
    """The cluster of some rows: the test case, else the conversation, else the row alone."""
    cases, names = batch.column("case"), batch.column("conversation")
    return clusters_of([names[row] if cases[row] is None else f"\0{cases[row]}" for row in rows])
