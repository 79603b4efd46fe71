"""The columns an option is compared by: what this case states, else the framework's own figures."""

from __future__ import annotations

from tuneworthy.domain.case import Case
from tuneworthy.domain.costs import Span
from tuneworthy.domain.decision import Ends
from tuneworthy.domain.economics import Amount, Effort
from tuneworthy.domain.framework import Framework


def tuning_hours(case: Case, framework: Framework) -> Ends | None:
    """Hours up to the first tuned version: as stated, else the framework's table.

    Categories nobody stated are taken from the table; None where that has none either.
    """
    upfront = case.economics.upfront
    if upfront.hours is not None:
        return _ends(upfront.hours)
    costs = framework.costs
    rows = costs.upfront if costs is not None else {}
    table: dict[str, Span | None] = {name: row.hours for name, row in rows.items()}
    stated = upfront.by_category
    if stated:
        spans = [
            _hours(stated.get(name)) or _ends(table.get(name))
            for name in dict.fromkeys((*table, *stated))
        ]
        known = [span for span in spans if span is not None]
        return Ends(sum(one.low for one in known), sum(one.high for one in known))
    if costs is None or costs.upfront_total is None:
        return None
    return _ends(costs.upfront_total.hours)


def tuned_usd_per_month(case: Case) -> Ends | None:
    """USD a month a tuned model takes, as stated; None where nobody said."""
    return _ends(case.economics.monthly.ongoing_usd)


def added(one: Ends | None, other: Ends | None) -> Ends | None:
    """Both together; None where one isn't known."""
    if one is None or other is None:
        return None
    return Ends(one.low + other.low, one.high + other.high)


def span(value: Span | None) -> Ends | None:
    """A framework's range."""
    return _ends(value)


def _hours(effort: Effort | None) -> Ends | None:
    return _ends(effort.hours) if effort is not None else None


def _ends(value: Amount | Span | None) -> Ends | None:
    return Ends(value.low, value.high) if value is not None else None
