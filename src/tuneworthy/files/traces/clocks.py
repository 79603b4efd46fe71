"""Timestamps of a column, as seconds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from tuneworthy.files.traces.values import FAR_S, when


def times(values: Sequence[Any]) -> Sequence[Any]:
    """Seconds since 1970, of clocks or of numbers."""
    kinds = set(map(type, values))
    if kinds == {float} and min(values) >= 0 and max(values) <= FAR_S:
        return values
    return [None if value is None else _seconds(value) for value in values]


def _seconds(given: datetime | float) -> float | None:
    if isinstance(given, datetime):
        return (given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp()
    return when(given)
