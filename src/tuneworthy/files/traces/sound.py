"""Values that can't be true are left out of a trace, and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from tuneworthy.files.traces.plain import AMOUNTS
from tuneworthy.files.traces.tally import BELOW_ZERO, TO_COME, Tally
from tuneworthy.files.traces.values import Row


def sound(rows: Iterable[Row], tally: Tally, place: int | str) -> Iterator[Row]:
    """The traces of one record without amounts below zero and times that are still to come.

    Args:
        rows: The traces; they are changed in place.
        tally: Where the record is counted, once for each reason; knows when the future begins.
        place: Line or number of the record.
    """
    told: set[str] = set()
    for row in rows:
        found = []
        below = [key for key in AMOUNTS if (row.get(key) or 0) < 0]
        if below:
            row.update(dict.fromkeys(below))
            found.append(BELOW_ZERO)
        if (row.get("timestamp") or 0) > tally.until_s:
            row["timestamp"] = None
            found.append(TO_COME)
        for why in found:
            if why not in told:
                tally.skip(why, place)
        told.update(found)
        yield row


def sound_columns(
    columns: dict[str, Sequence[Any]], tally: Tally, lines: Callable[[], Sequence[int]]
) -> None:
    """The same for traces as columns, which are changed in place.

    Args:
        columns: Columns by name.
        tally: As above.
        lines: Gives the line of each trace; asked for only where there is something to count.
    """
    debts: set[int] = set()
    for amount in AMOUNTS:
        values = columns.get(amount, ())
        if below_zero(values):
            debts |= {n for n, value in enumerate(values) if value is not None and value < 0}
            columns[amount] = without_debts(values)
    clocks = columns.get("timestamp", ())
    late = set()
    if max(filter(None, clocks), default=0.0) > tally.until_s:
        late = {n for n, clock in enumerate(clocks) if clock is not None and clock > tally.until_s}
        columns["timestamp"] = [None if n in late else clock for n, clock in enumerate(clocks)]
    for why, found in ((BELOW_ZERO, debts), (TO_COME, late)):
        places = lines() if found else ()
        for place in sorted(found):
            tally.skip(why, places[place])


def below_zero(values: Sequence[Any]) -> bool:
    """Whether a column of numbers and None holds one below zero."""
    return min(filter(None, values), default=0) < 0


def without_debts(values: Sequence[Any]) -> Sequence[Any]:
    """A column of numbers as it is; one below zero is none."""
    if below_zero(values):
        return [None if value is None or value < 0 else value for value in values]
    return values
