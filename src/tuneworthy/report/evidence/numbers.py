"""Numbers of a picture as rows, checked: a ledger is a file that anybody may have written in."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tuneworthy.domain.evidence import Scalar, Series
from tuneworthy.domain.record import Unknown

Row = dict[str, float | str | bool]
"""One row of a series: numbers are finite, an open end is ``inf``."""

_MOST_ROWS = 200


def series_of(found: Sequence[Series] | Unknown, name: str) -> Series | None:
    """One picture's numbers; None where there are none."""
    if isinstance(found, Unknown):
        return None
    return next((one for one in found if one.id == name), None)


def rows_of(
    series: Series | None,
    numbers: Sequence[str],
    texts: Sequence[str] = (),
    flags: Sequence[str] = (),
) -> list[Row]:
    """A series as rows.

    Args:
        series: Its columns; None gives no rows.
        numbers: Columns of numbers, or of ``open`` for an end that isn't known.
        texts: Columns of texts.
        flags: Columns of true and false.

    Returns:
        The first 200 rows; () where a column is missing, is of another kind, or has another length,
        as in a file that something else wrote.
    """
    if series is None:
        return []
    columns: dict[str, list[float | str | bool]] = {}
    for name in (*numbers, *texts, *flags):
        values = series.columns.get(name, ())[:_MOST_ROWS]
        if name in numbers:
            read = [_number(value) for value in values]
            if any(value is None for value in read):
                return []
            columns[name] = [value for value in read if value is not None]
        else:
            wanted = str if name in texts else bool
            if not all(isinstance(value, wanted) for value in values):
                return []
            columns[name] = [value for value in values if isinstance(value, str | bool)]
    sizes = {len(values) for values in columns.values()}
    if len(sizes) != 1:
        return []
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _number(value: Scalar) -> float | None:
    if value == "open":
        return math.inf
    if isinstance(value, bool | str) or not math.isfinite(value):
        return None
    return float(value)
