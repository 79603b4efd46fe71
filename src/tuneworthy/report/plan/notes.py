"""Words for what a plan rests on, and for why there is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from tuneworthy.domain.assessment import Reason
from tuneworthy.report.record import months_later
from tuneworthy.report.verdicts import OUTCOME_WORDS
from tuneworthy.report.words import count, months_range, number, plain, several

Numbers = Mapping[str, Any]

DAYS_PER_MONTH = 365.25 / 12
_FAR_MONTHS = 1200
"""A century: nobody names the day."""


def hours_text(low: float, high: float | str) -> str:
    """Hours as ``18–36 hours``."""
    if high == "open":
        return f"{_hours(low)} hours or more"
    if float(high) < 1:
        return several(max(1, round(float(high) * 60)), "minute")
    one, other = _hours(low), _hours(float(high))
    if one == other:
        return f"{one} hour" if one == "1" else f"{one} hours"
    return f"{one}–{other} hours"


def _hours(value: float) -> str:
    return f"{round(value, 1):g}" if value < 20 else count(round(value))


def _capacity(n: Numbers) -> str:
    whose = "as stated" if n["stated"] else "the framework's figure; state economics.hours_per_week"
    return (
        f"Dates are for {number(n['hours'])} hours a week ({whose}), one phase at a time, at the "
        "upper end of the hours. Weekends are free; holidays are not known."
    )


def _hours_in_all(n: Numbers) -> str:
    stated = hours_text(n["stated_low"], n["stated_high"])
    if n["stated_high"] < n["low"]:
        told = "which is below it"
    elif n["stated_low"] > n["high"]:
        told = "which is above it"
    else:
        told = "which fits"
    return (
        f"Up to the launch the framework's table makes {hours_text(n['low'], n['high'])}; the case "
        f"states {stated} in all, {told}. State them by category (economics.upfront) to "
        "have them planned."
    )


def _service_ends(n: Numbers) -> str:
    if n["until"] <= n["launch"]:
        return (
            f"The tuning service ends on {n['until']}, before the launch on {n['launch']}: find "
            "another first."
        )
    return (
        f"The tuning service ends on {n['until']}, after the launch on {n['launch']} and before "
        "this plan is through: plan the move now."
    )


def _pays_back(n: Numbers) -> str:
    low, high, launch = n["low"], n["high"], n["launch"]
    if math.isinf(low):
        return "By today's amounts it never pays back."
    told = f"Live on {launch} at the latest; by today's amounts it pays back after "
    told += f"{months_range(low, high)}"
    day = _later(launch, high)
    return f"{told}, so by {day}." if day else f"{told}."


def _later(launch: date, months: float) -> date | None:
    if math.isinf(months) or months > _FAR_MONTHS:
        return None
    whole = math.floor(months + 1e-9)
    if launch.year + whole / 12 >= date.max.year - 1:
        return None
    days = max(0, math.ceil((months - whole) * DAYS_PER_MONTH - 1e-6))
    return months_later(launch, whole) + timedelta(days=days)


_NOTES: dict[str, Callable[[Numbers], str]] = {
    "capacity": _capacity,
    "unpriced": lambda _: (
        "No hourly rate is stated, so the sums hold only what is priced in USD and are open "
        "upwards: state economics.hourly_rate_usd."
    ),
    "leaning": lambda n: (
        f"What follows the questions is for {OUTCOME_WORDS[n['outcome']]}, the outcome it leans "
        "to; other answers make another plan."
    ),
    "hours_in_all": _hours_in_all,
    "not_counted": lambda n: (
        f"Nobody has counted the {plain(n['unit'])} for {plain(n['goal'])}: its hours reach from "
        f"none missing to all {count(n['low'])} missing."
    ),
    "service_ends": _service_ends,
    "pays_back": _pays_back,
}

_NO_PLAN: dict[str, Callable[[Numbers], str]] = {
    "no_plan_section": lambda _: (
        "add a plan section to the framework, or let it extend one that has it"
    ),
    "no_row": lambda n: (
        f"add costs.{n['table']}.{n['category']} to the framework, or state it in economics"
    ),
    "no_yield": lambda n: f"add plan.per_hour.{n['unit']} to the framework",
    "beyond_calendar": lambda _: (
        "check the hours and economics.hours_per_week: the plan ends after the year 9999"
    ),
}


def note(reason: Reason) -> str:
    """A note in words."""
    return _NOTES[reason.id](reason.numbers)


def cure(reason: Reason) -> str:
    """What would make a plan possible."""
    return _NO_PLAN[reason.id](reason.numbers)
