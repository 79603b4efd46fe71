"""Cost tables, the break-even rule, and the example that is computed again."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tuneworthy.domain.record import FileRecord, Natural, NonNegative, Text, wrong
from tuneworthy.domain.units import MONTHS_PER_QUARTER


class Span(FileRecord):
    """A range of a table."""

    low: NonNegative
    """The least."""
    high: NonNegative
    """The most."""

    @model_validator(mode="after")
    def _in_order(self) -> Span:
        if self.low > self.high:
            raise wrong("is out of order", "write low ≤ high")
        return self


class CostRow(FileRecord):
    """A row of a cost table."""

    hours: Span | None = None
    """Hours of work."""
    usd: Span | None = None
    """USD beside the work."""
    every: Literal["month", "quarter"] | None = None
    """How often, for running costs."""
    pays_for: Text = ""
    """What it pays for."""


class UpfrontTotal(FileRecord):
    """The total as published."""

    hours: Span
    """Hours of work."""
    usd_under: NonNegative
    """USD beside the work stay below this."""


class Returns(FileRecord):
    """What tuning is said to bring."""

    api_savings_usd_per_month: Span
    """USD a month saved on calls at scale."""
    also: tuple[Text, ...] = ()
    """What is harder to count."""


class Costs(FileRecord):
    """Cost tables: ``upfront`` and ``ongoing`` by category."""

    upfront: dict[Literal["data_preparation", "training", "evaluation", "deployment"], CostRow]
    """Up to the first version."""
    upfront_total: UpfrontTotal | None = None
    """The total as published."""
    ongoing: dict[Literal["inference", "monitoring", "retraining"], CostRow]
    """Running costs."""
    ongoing_also: Text = ""
    """What the table can't put a number on."""
    returns: Returns | None = None
    """What it is said to bring."""


class BreakEvenRule(FileRecord):
    """When an investment is justified."""

    under_months: Annotated[float, Field(ge=0, le=1200)]
    """It has to pay back in less than this many months."""
    strategic_value: Literal["low", "medium", "high"] = "high"
    """And be worth at least this much beyond money."""


class WorkedExample(FileRecord):
    """An example that the framework's publication computes; the linter computes it again."""

    indicators: Natural
    anti_indicators: Natural
    score: float
    upfront_hours: NonNegative
    hourly_rate_usd: NonNegative
    api_savings_usd: NonNegative
    quality_value_usd: NonNegative
    ongoing_usd: NonNegative
    break_even_months: NonNegative


def ongoing_usd(costs: Costs, hourly_rate_usd: float, end: Literal["low", "high"]) -> float:
    """One end of the running costs that the table adds up to, in USD a month."""
    total = 0.0
    for row in costs.ongoing.values():
        months = MONTHS_PER_QUARTER if row.every == "quarter" else 1
        hours = getattr(row.hours, end) if row.hours else 0.0
        usd = getattr(row.usd, end) if row.usd else 0.0
        total += (hours * hourly_rate_usd + usd) / months
    return total
