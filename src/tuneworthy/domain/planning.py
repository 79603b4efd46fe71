"""What a plan is made from: hours and weeks of each step, with their source."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, model_validator

from tuneworthy.domain.costs import Span
from tuneworthy.domain.record import FileRecord, Ident, Natural, NonNegative, Share, Text, wrong

Rate = Annotated[float, Field(gt=0, le=1e9)]


class Work(FileRecord):
    """What a step takes."""

    hours: Span
    """Hours of work."""
    weeks: NonNegative = 0
    """Calendar weeks it takes at least, however much work is put in."""


class HourlyYield(FileRecord):
    """How much of a kind of data a person gets ready in an hour."""

    low: Rate
    """When each one is written anew."""
    high: Rate
    """When drafts are only corrected."""

    @model_validator(mode="after")
    def _in_order(self) -> HourlyYield:
        if self.low > self.high:
            raise wrong("is out of order", "write low ≤ high")
        return self


class Steps(FileRecord):
    """Steps that don't depend on what a framework asks."""

    alternatives: Work
    """Compare the alternatives side by side."""
    data_review: Work
    """Review the data for bias, harm and personal data, and name a process."""
    service: Work
    """Ask a tuning service what it will still offer, and for how long."""
    other_service: Work
    """Find another service, or hardware of one's own."""
    goal: Work
    """Name the goals, or count what there is."""
    targets: Work
    """Measure the present system against every target."""
    money: Work
    """State or narrow the amounts."""
    recall: Work
    """Measure how often the right passage is retrieved."""
    watch: Work
    """Watch, then look again."""
    decide: Work
    """Put the answers in and decide again."""


class PlanRule(FileRecord):
    """Everything a plan takes that isn't in the cost tables."""

    source: Text
    """Who says so."""
    dated: date
    """When that was."""
    hours_per_week: Rate
    """Hours a week a team gives, where the case doesn't say."""
    pilot_share: Share
    """Share of data preparation and training that a pilot takes."""
    design_share: Share
    """Share of the evaluation that is done before any training; the rest is two comparisons."""
    evaluation_cases: Natural
    """Cases to keep untouched."""
    per_hour: dict[Literal["examples", "preference_pairs", "documents"], HourlyYield]
    """Data got ready in an hour of work, by unit."""
    steps: Steps
    """Steps that don't depend on what a framework asks."""
    checks: Annotated[dict[Ident, Work], Field(min_length=1)]
    """What it takes to do a check of the ceiling test that isn't done."""
    against: Annotated[dict[Ident, Work], Field(min_length=1)]
    """What it takes to clear a reason against."""


def either(works: dict[str, Work], name: str) -> Work:
    """The row of a name; for one without a row, from the least to the most of all rows."""
    if name in works:
        return works[name]
    spans = [work.hours for work in works.values()]
    hours = Span(low=min(s.low for s in spans), high=max(s.high for s in spans))
    return Work(hours=hours, weeks=max(work.weeks for work in works.values()))
