"""Working days: when each phase starts and ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date

from tuneworthy.model.dossier import DatedPhase, Draft, NoPlan, Reason

DAYS_PER_WEEK = 5
"""Working days."""

_LAST_DAY = date.max.toordinal()
_FOREVER_WEEKS = 1e9  # beyond every calendar, and still a number
_SPECK = 1e-9  # what floats leave over is no further day


def dated(
    drafts: Sequence[Draft], start: date, hours_per_week: float
) -> tuple[DatedPhase, ...] | NoPlan:
    """Give every phase its dates.

    One team does the work at ``hours_per_week``, one phase at a time, each as soon as what it needs
    is done and the team is free. A phase takes the upper end of its hours. A phase that waits
    (``weeks``) doesn't keep the team from others.

    Args:
        drafts: Phases, each after those it needs.
        start: The day to begin; on a weekend the Monday after it.
        hours_per_week: Hours a week the team gives; more than 0.

    Returns:
        The phases in the given order; why there is no plan when a date lies after the year 9999.
    """
    booked: list[tuple[int, int]] = []
    days: dict[str, tuple[int, int]] = {}
    for draft in drafts:
        ready = max((days[name][1] for name in draft.needs), default=0)
        length = _length(draft, hours_per_week)
        first = ready if draft.weeks else _free(booked, ready, length)
        days[draft.id] = (first, first + length)
        if not draft.weeks:
            booked.append(days[draft.id])
    last = max((end for _, end in days.values()), default=0)
    if _ordinal(start, last) > _LAST_DAY:
        return NoPlan(Reason("beyond_calendar", {"years": last / DAYS_PER_WEEK / 52}))
    return tuple(
        DatedPhase(draft, day(start, days[draft.id][0]), day(start, days[draft.id][1] - 1))
        for draft in drafts
    )


def _length(draft: Draft, hours_per_week: float) -> int:
    """Working days, at least one: the upper end of the hours, or the waiting if that is longer."""
    weeks = min(max(draft.hours.most / hours_per_week, draft.weeks), _FOREVER_WEEKS)
    return max(1, math.ceil(weeks * DAYS_PER_WEEK - _SPECK))


def _free(booked: Sequence[tuple[int, int]], ready: int, length: int) -> int:
    """The first day from ``ready`` on at which the team is free for ``length`` days."""
    first = ready
    for begin, end in sorted(booked):
        if first + length <= begin:
            break
        first = max(first, end)
    return first


def day(start: date, number: int) -> date:
    """A working day by its number from ``start``, which is number 0 or, on a weekend, before it.

    Raises:
        ValueError: If it lies after the year 9999.
    """
    return date.fromordinal(_ordinal(start, number))


def _ordinal(start: date, number: int) -> int:
    """The day's number in the calendar, also beyond the last day a date can say."""
    weekday, first = start.weekday(), start.toordinal()
    if weekday >= DAYS_PER_WEEK:
        first, weekday = first + 7 - weekday, 0
    weeks, rest = divmod(weekday + number, DAYS_PER_WEEK)
    return first - weekday + weeks * 7 + rest


def working_days(first: date, last: date) -> int:
    """Working days from one day to another, both included; 0 when none lies between them."""
    whole, rest = divmod(max(0, (last - first).days + 1), 7)
    odd = sum((first.weekday() + k) % 7 < DAYS_PER_WEEK for k in range(rest))
    return whole * DAYS_PER_WEEK + odd
