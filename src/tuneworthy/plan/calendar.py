"""Working days: when each phase starts and ends."""

from __future__ import annotations

import math
from datetime import date

DAYS_PER_WEEK = 5
"""Working days."""

_LAST_DAY = date.max.toordinal()
_FOREVER_WEEKS = 1e9  # beyond every calendar, and still a number
_SPECK = 1e-9  # what floats leave over is no further day


class NoPlanError(Exception):
    """Why there is no plan: what would make one possible. It never leaves this room."""

    def __init__(self, ask: str) -> None:
        self.ask = ask
        super().__init__(ask)


class Calendar:
    """Gives every phase its dates.

    One team does the work at ``hours_per_week``, one phase at a time, each as soon as what it needs
    is done and the team is free. A phase takes the upper end of its hours. A phase that waits
    (``weeks``) doesn't keep the team from others.
    """

    def __init__(self, start: date, hours_per_week: float) -> None:
        self.start, self.hours_per_week = day(start, 0), hours_per_week
        self._ends: dict[str, int] = {}
        self._busy: list[tuple[int, int]] = []

    def book(
        self, name: str, hours: float, needs: tuple[str, ...] = (), weeks: float = 0.0
    ) -> tuple[date, date]:
        """The first and the last day of a phase; those it needs are booked before it.

        Raises:
            NoPlanError: If it ends after the year 9999.
        """
        lasts = min(max(hours / self.hours_per_week, weeks), _FOREVER_WEEKS)
        length = max(1, math.ceil(lasts * DAYS_PER_WEEK - _SPECK))
        first = max((self._ends[need] for need in needs), default=0)
        if not weeks:
            first = self._free(first, length)
            self._busy.append((first, first + length))
        end = self._ends[name] = first + length
        day(self.start, end)  # the team has to be free again within the calendar
        return day(self.start, first), day(self.start, end - 1)

    def _free(self, ready: int, length: int) -> int:
        """The first day from ``ready`` on at which the team is free for ``length`` days."""
        for begin, end in sorted(self._busy):
            if ready + length <= begin:
                break
            ready = max(ready, end)
        return ready


def day(start: date, number: int) -> date:
    """A working day by its number from ``start``, which is number 0 or, on a weekend, before it.

    Raises:
        NoPlanError: If it lies after the year 9999.
    """
    weekday, first = start.weekday(), start.toordinal()
    if weekday >= DAYS_PER_WEEK:
        first, weekday = first + 7 - weekday, 0
    weeks, rest = divmod(weekday + number, DAYS_PER_WEEK)
    ordinal = first - weekday + weeks * 7 + rest
    if ordinal > _LAST_DAY:
        raise NoPlanError(
            "check the hours and economics.hours_per_week: the plan ends after the year 9999"
        )
    return date.fromordinal(ordinal)


def working_days(first: date, last: date) -> int:
    """Working days from one day to another, both included; 0 when none lies between them."""
    whole, rest = divmod(max(0, (last - first).days + 1), 7)
    odd = sum((first.weekday() + k) % 7 < DAYS_PER_WEEK for k in range(rest))
    return whole * DAYS_PER_WEEK + odd
