"""What a step takes: from the case where it is stated, else from the framework."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from tuneworthy.domain.assessment import Assessment, Reason
from tuneworthy.domain.case import Case
from tuneworthy.domain.costs import CostRow, Costs, Span
from tuneworthy.domain.decision import ApproachFit, Ends
from tuneworthy.domain.economics import Amount, Ongoing
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.outline import Draft
from tuneworthy.domain.outlook import Part
from tuneworthy.domain.planning import PlanRule, Work, either
from tuneworthy.domain.units import MONTHS_PER_QUARTER

NOTHING = Ends(0.0, 0.0)


class LackingError(Exception):
    """A figure that neither the case nor the framework gives; it never leaves this room."""

    def __init__(self, why: Reason) -> None:
        self.why = why
        super().__init__(why.id)


@dataclass(frozen=True, slots=True)
class Taken:
    """Hours of work, and USD beside the work."""

    hours: Ends
    usd: Ends

    def __add__(self, other: Taken) -> Taken:
        return Taken(_sum(self.hours, other.hours), _sum(self.usd, other.usd))

    def part(self, share: float) -> Taken:
        """A share of it."""
        return Taken(
            Ends(self.hours.low * share, self.hours.high * share),
            Ends(self.usd.low * share, self.usd.high * share),
        )

    def less(self, share: float) -> Taken:
        """What is left after a share, so that both add up to the whole."""
        gone = self.part(share)
        return Taken(_rest(self.hours, gone.hours), _rest(self.usd, gone.usd))


FREE = Taken(NOTHING, NOTHING)


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything the phases are made from."""

    case: Case
    framework: Framework
    rule: PlanRule
    assessment: Assessment
    start: date

    def draft(
        self,
        name: str,
        what: Reason,
        taken: Taken,
        *,
        part: Part = "steps",
        needs: tuple[str, ...] = (),
        weeks: float = 0.0,
    ) -> Draft:
        """A phase with its hours priced at the case's rate, which nobody may have stated."""
        rate = self.case.economics.hourly_rate_usd
        if rate is not None:
            work = Ends(taken.hours.low * rate.low, taken.hours.high * rate.high)
        else:
            work = Ends(0.0, math.inf if taken.hours.high > 0 else 0.0)
        return Draft(name, what, part, taken.hours, _sum(taken.usd, work), needs, weeks)

    def step(self, name: str, what: Reason, work: Work, needs: tuple[str, ...] = ()) -> Draft:
        """A phase that takes what a row of the framework's plan says."""
        return self.draft(name, what, hours(work.hours), needs=needs, weeks=work.weeks)

    def upfront(self, category: str) -> Taken:
        """A category of the upfront costs.

        Raises:
            LackingError: If neither the case nor the framework has it.
        """
        stated = self.case.economics.upfront.by_category.get(category)
        if stated is not None and (stated.hours is not None or stated.usd is not None):
            return Taken(_ends(stated.hours), _ends(stated.usd))
        return _taken(_row(self.framework.costs, "upfront", category))

    def table(self, category: str) -> Taken:
        """The framework's own row; what the case states only where the framework has none.

        Raises:
            LackingError: As ``upfront``.
        """
        rows = {} if self.framework.costs is None else dict(self.framework.costs.upfront)
        row = {str(name): each for name, each in rows.items()}.get(category)
        return self.upfront(category) if row is None else _taken(row)

    def quarter(self) -> Taken:
        """Three months of serving and watching.

        Raises:
            LackingError: As ``upfront``.
        """
        stated = self.case.economics.monthly.ongoing or Ongoing()
        if stated.monitoring_hours is not None:
            watching = _quarterly(Taken(_ends(stated.monitoring_hours), NOTHING))
        else:
            watching = self._running("monitoring")
        if stated.inference_usd is not None:
            serving = _quarterly(Taken(NOTHING, _ends(stated.inference_usd)))
        else:
            serving = self._running("inference")
        return watching + serving + _quarterly(Taken(NOTHING, _ends(stated.other_usd)))

    def retraining(self) -> Taken:
        """One retraining, a quarter after the last.

        Raises:
            LackingError: As ``upfront``.
        """
        stated = self.case.economics.monthly.ongoing
        if stated is not None and stated.retraining_hours_per_quarter is not None:
            return Taken(_ends(stated.retraining_hours_per_quarter), NOTHING)
        return self._running("retraining")

    def _running(self, category: str) -> Taken:
        row = _row(self.framework.costs, "ongoing", category)
        return _taken(row) if row.every == "quarter" else _quarterly(_taken(row))

    def option(self, name: str) -> Taken:
        """Work on an option of the framework; where it says none, what a check may take."""
        effort = self.framework.options[name].effort_hours
        return hours(either(self.rule.checks, "").hours if effort is None else effort)

    def collecting(self, fit: ApproachFit, share: float = 1.0) -> Taken:
        """Hours to get ready what lacks of a share of an approach's need.

        Nothing lacks at the lower end where nobody has counted, and everything at the upper.
        """
        wanted = fit.low * share
        lacking = wanted if fit.have is None else max(0.0, wanted - fit.have)
        return self.collected(fit.unit, 0.0 if fit.have is None else lacking, lacking)

    def collected(self, unit: str, least: float, most: float) -> Taken:
        """Hours to get ready from ``least`` to ``most`` pieces of data.

        Raises:
            LackingError: If the framework has no figure for the unit.
        """
        found = {str(name): each for name, each in self.rule.per_hour.items()}.get(unit)
        if most == 0:
            return FREE
        if found is None:
            raise LackingError(Reason("no_yield", {"unit": unit}))
        return Taken(Ends(least / found.high, most / found.low), NOTHING)


def hours(span: Span) -> Taken:
    """Nothing but work."""
    return Taken(Ends(span.low, span.high), NOTHING)


def _row(costs: Costs | None, table: str, category: str) -> CostRow:
    rows: dict[str, CostRow] = {} if costs is None else dict(getattr(costs, table))
    if category not in rows:
        raise LackingError(Reason("no_row", {"table": table, "category": category}))
    return rows[category]


def _taken(row: CostRow) -> Taken:
    return Taken(
        NOTHING if row.hours is None else Ends(row.hours.low, row.hours.high),
        NOTHING if row.usd is None else Ends(row.usd.low, row.usd.high),
    )


def _quarterly(monthly: Taken) -> Taken:
    return monthly.part(MONTHS_PER_QUARTER)


def _ends(amount: Amount | None) -> Ends:
    return NOTHING if amount is None else Ends(amount.low, amount.high)


def _sum(one: Ends, other: Ends) -> Ends:
    return Ends(one.low + other.low, one.high + other.high)


def _rest(whole: Ends, gone: Ends) -> Ends:
    return Ends(whole.low - gone.low, whole.high - gone.high)
