"""The cost of a change once the system runs: from a fault to its fix, by prompt or by training."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from tuneworthy.model.base import Interval, Number, Unknown
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import CostItem
from tuneworthy.model.framework import Framework
from tuneworthy.words import amount, counted

_DAYS_PER_WEEK = 7
_NO_RATE = "state an hourly rate (economics.hourly_rate_usd)"


def change_items(case: Case, framework: Framework) -> Iterator[CostItem]:
    """The cost of one change of a prompt, and of a tuned model, with the days that each takes."""
    if case.one_off:
        # A job that runs once is changed by nobody afterwards.
        return
    prompt = _prompt_hours(framework)
    if prompt is not None:
        yield _item(case, framework, "one change of the prompt", prompt)
    training = _retraining_hours(case, framework)
    if training is not None:
        yield _item(case, framework, "one change of the tuned model", training)


class _ChangeHours(NamedTuple):
    """The hours of one change, and where they come from."""

    hours: Interval
    says: str


def _prompt_hours(framework: Framework) -> _ChangeHours | None:
    """The fewest hours among the framework's options that change only a prompt."""
    cheapest = None
    for rule in framework.options.values():
        if rule.kind != "prompt" or rule.effort_hours is None:
            continue
        if cheapest is None or rule.effort_hours.high < cheapest.hours.high:
            hours = _with_middle(rule.effort_hours.low, rule.effort_hours.high)
            cheapest = _ChangeHours(hours, f"as for {rule.title}")
    return cheapest


def _with_middle(low: float, high: float) -> Interval:
    """A range of which nobody says what is likely: the middle is."""
    return Interval(low, (low + high) / 2, high)


def _retraining_hours(case: Case, framework: Framework) -> _ChangeHours | None:
    """The hours of one retraining: as the case states them for a quarter, else by the table."""
    ongoing = case.economics.monthly.ongoing
    stated = None if ongoing is None else ongoing.retraining_hours_per_quarter
    if stated is not None:
        return _ChangeHours(stated.interval, "as the case states for a quarter")
    row = None if framework.costs is None else framework.costs.ongoing.get("retraining")
    if row is None or row.hours is None:
        return None
    hours = _with_middle(row.hours.low, row.hours.high)
    return _ChangeHours(hours, "as the framework's table has it for a quarter")


def _item(
    case: Case, framework: Framework, what: str, change: _ChangeHours
) -> CostItem:
    """A row of costs for a change, shown beside the sums and not part of them."""
    hours = change.hours
    rate = case.economics.hourly_rate_usd
    usd: Number = Unknown(ask=_NO_RATE)
    if rate is not None:
        cost = Interval(
            hours.low * rate.low, hours.value * rate.likely, hours.high * rate.high
        )
        usd = cost.narrowed()
    ends = amount(hours.low)
    # Compared as they are shown: ends that differ less than that are one.
    if amount(hours.high) != ends:
        ends = f"{ends}–{amount(hours.high)}"
    days = _days(case, framework, hours)
    source = f"not in the sums: {ends} hours{days}, {change.says}"
    return CostItem(when="each change", what=what, usd=usd, source=source, in_sum=False)


def _days(case: Case, framework: Framework, hours: Interval) -> str:
    """Days for these hours at the team's pace; empty where the pace is unknown."""
    stated = case.economics.hours_per_week
    pace = framework.plan.hours_per_week if framework.plan is not None else None
    if stated is not None:
        pace = stated.likely
    if not pace:
        return ""
    least = math.ceil(hours.low / pace * _DAYS_PER_WEEK)
    most = math.ceil(hours.high / pace * _DAYS_PER_WEEK)
    span = counted(most, "day")
    if least != most:
        span = f"{least}–{span}"
    return f", {span} at {amount(pace)} hours a week"
