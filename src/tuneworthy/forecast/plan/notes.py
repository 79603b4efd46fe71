"""What a plan rests on, and what to expect of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from tuneworthy.domain.assessment import Reason
from tuneworthy.domain.decision import ApproachFit, Decision
from tuneworthy.domain.investment import Appraisal
from tuneworthy.domain.outline import DatedPhase
from tuneworthy.forecast.plan.desk import Desk


def notes(
    desk: Desk,
    decision: Decision,
    fits: Sequence[ApproachFit],
    phases: Sequence[DatedPhase],
    appraisal: Appraisal,
) -> tuple[Reason, ...]:
    """Everything a reader has to know before believing the dates and the sums."""
    stated = desk.case.economics.hours_per_week
    hours = desk.rule.hours_per_week if stated is None else stated.likely
    found = [Reason("capacity", {"hours": hours, "stated": stated is not None})]
    if desk.case.economics.hourly_rate_usd is None:
        found.append(Reason("unpriced"))
    if decision.outcome == "undecided":
        found.append(Reason("leaning", {"outcome": decision.leaning}))
    launch = next((p.end for p in phases if p.draft.id == "deployment"), None)
    if launch is not None:
        found += _tuned(desk, fits, phases, appraisal, launch)
    return tuple(found)


def _tuned(
    desk: Desk,
    fits: Sequence[ApproachFit],
    phases: Sequence[DatedPhase],
    appraisal: Appraisal,
    launch: date,
) -> Iterator[Reason]:
    stated = desk.case.economics.upfront.hours
    version = [p.draft.hours for p in phases if p.draft.part == "first_version"]
    if stated is not None:
        low, high = sum(h.low for h in version), sum(h.high for h in version)
        yield Reason(
            "hours_in_all",
            {"stated_low": stated.low, "stated_high": stated.high, "low": low, "high": high},
        )
    for fit in fits:
        if fit.have is None:
            yield Reason("not_counted", {"goal": fit.goal, "unit": fit.unit, "low": fit.low})
    until = desk.case.tuning.until
    if until is not None and desk.start < until <= max(phase.end for phase in phases):
        yield Reason("service_ends", {"until": until, "launch": launch})
    if appraisal.investment is not None:
        months = appraisal.investment.months
        numbers = {"launch": launch, "low": months.low, "high": months.high}
        yield Reason("pays_back", numbers)
