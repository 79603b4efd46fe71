"""Timestamps as seconds, one by one and by the column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from tuneworthy.files.traces.values import number

FAR_S = 1e11
"""The year 5138: a larger number counts something smaller than seconds."""
_ISO = re.compile(r"\d{4}-\d\d-\d\d")
_LONG_FRACTION = re.compile(r"(\.\d{6})\d+")


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


def when(value: Any) -> float | None:
    """A time as seconds since 1970; a clock without a zone counts as UTC.

    Numbers may count seconds, milliseconds, microseconds or nanoseconds.
    """
    if isinstance(value, datetime):
        moment: datetime | None = value
    else:
        found = number(value)
        if found is not None:
            return _since_1970(found)
        moment = _moment(value)
    if moment is None:
        return None
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError, OSError):
        return None


def _since_1970(found: float) -> float | None:
    while found > FAR_S:
        found /= 1000
    return found if found >= 0 else None


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        return msgspec.convert(value, datetime)  # as our own format is decoded at full speed
    except msgspec.ValidationError:
        pass
    if not _ISO.match(value) or len(value) > 64:
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(_LONG_FRACTION.sub(r"\1", value.removesuffix(" UTC")))
    except ValueError:
        return None
