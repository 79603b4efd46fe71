"""The cost of a change once the system runs: from a fault to its fix, by prompt or by training."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tuneworthy.model.base import Interval, Number, Unknown
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import CostItem
from tuneworthy.model.framework import Framework
from tuneworthy.words import amount, counted

_DAYS_PER_WEEK = 7
_NO_RATE = "state an hourly rate (economics.hourly_rate_usd)"


def change_items(case: Case, framework: Framework) -> Iterator[CostItem]:
    """The cost of one change of a prompt, and of a tuned model, with the days that each takes."""
    prompt = _prompt_hours(framework)
    if prompt is not None and not case.one_off:
        hours, title = prompt
        yield _item(
            case, framework, "one change of the prompt", hours, f"as for {title}"
        )
    training = _retraining_hours(case, framework)
    if training is not None and not case.one_off:
        hours, says = training
        yield _item(case, framework, "one change of the tuned model", hours, says)


def _prompt_hours(framework: Framework) -> tuple[Interval, str] | None:
    """The fewest hours among the framework's options that change only a prompt."""
    options = [
        (rule.effort_hours, rule.title)
        for rule in framework.options.values()
        if rule.kind == "prompt" and rule.effort_hours is not None
    ]
    if not options:
        return None
    hours, title = min(options, key=lambda option: option[0].high)
    return Interval(hours.low, (hours.low + hours.high) / 2, hours.high), title


def _retraining_hours(case: Case, framework: Framework) -> tuple[Interval, str] | None:
    """The hours of one retraining: as the case states them for a quarter, else by the table."""
    ongoing = case.economics.monthly.ongoing
    stated = None if ongoing is None else ongoing.retraining_hours_per_quarter
    if stated is not None:
        return stated.interval, "as the case states for a quarter"
    row = None if framework.costs is None else framework.costs.ongoing.get("retraining")
    if row is None or row.hours is None:
        return None
    low = row.hours.low
    high = row.hours.high
    return Interval(
        low, (low + high) / 2, high
    ), "as the framework's table has it for a quarter"


def _item(
    case: Case, framework: Framework, what: str, hours: Interval, says: str
) -> CostItem:
    """A row of costs for a change, shown beside the sums and not part of them."""
    rate = case.economics.hourly_rate_usd
    usd: Number = Unknown(ask=_NO_RATE)
    if rate is not None:
        cost = Interval(
            hours.low * rate.low, hours.value * rate.likely, hours.high * rate.high
        )
        usd = cost.narrowed()
    ends = "–".join(dict.fromkeys((amount(hours.low), amount(hours.high))))
    days = _days(case, framework, hours)
    source = f"not in the sums: {ends} hours{days}, {says}"
    return CostItem(when="each change", what=what, usd=usd, source=source, in_sum=False)


def _days(case: Case, framework: Framework, hours: Interval) -> str:
    """Days for these hours at the team's pace; empty where the pace is unknown."""
    stated = case.economics.hours_per_week
    pace = framework.plan.hours_per_week if framework.plan is not None else None
    if stated is not None:
        pace = stated.likely
    if not pace:
        return ""
    least, most = (
        math.ceil(end / pace * _DAYS_PER_WEEK) for end in (hours.low, hours.high)
    )
    span = counted(most, "day") if least == most else f"{least}–{counted(most, 'day')}"
    return f", {span} at {amount(pace)} hours a week"
