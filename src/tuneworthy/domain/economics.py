"""Money, work and traffic as stated; every unit is in the name of its field."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from tuneworthy.domain.record import FileRecord, NonNegative, Share, wrong


def _to_amount(value: Any) -> Any:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        return {"low": value, "likely": value, "high": value}
    return value


class Amount(FileRecord):
    """A number, or three of them when it isn't certain; the unit is in the field's name."""

    low: NonNegative
    """The least it could be."""
    likely: NonNegative
    """The likeliest."""
    high: NonNegative
    """The most it could be."""

    @model_validator(mode="after")
    def _in_order(self) -> Amount:
        if not self.low <= self.likely <= self.high:
            raise wrong("is out of order", "write low ≤ likely ≤ high")
        return self


Quantity = Annotated[
    Amount, BeforeValidator(_to_amount, json_schema_input_type=NonNegative | Amount)
]
"""An amount as people write it: a number, or ``{low, likely, high}``."""


class Effort(FileRecord):
    """Work and money for one thing."""

    hours: Quantity | None = None
    """Hours of work."""
    usd: Quantity | None = None
    """USD beside the work."""


class Upfront(FileRecord):
    """Cost up to the first version: in all, or by category."""

    hours: Quantity | None = None
    """Hours in all."""
    usd: Quantity | None = None
    """USD in all, beside the hours."""
    data_preparation: Effort | None = None
    """Cleaning, formatting, review."""
    training: Effort | None = None
    """Training runs."""
    evaluation: Effort | None = None
    """Design of the test and human evaluation."""
    deployment: Effort | None = None
    """Infrastructure and integration."""

    @property
    def by_category(self) -> dict[str, Effort]:
        """The categories that were named; empty when only totals were."""
        names = ("data_preparation", "training", "evaluation", "deployment")
        return {name: effort for name in names if (effort := getattr(self, name)) is not None}

    @model_validator(mode="after")
    def _one_way(self) -> Upfront:
        if self.by_category and (self.hours or self.usd):
            raise wrong("gives totals and categories", "keep one of them")
        return self


class Ongoing(FileRecord):
    """Running cost by category."""

    inference_usd: Quantity | None = None
    """USD a month for serving the tuned model."""
    monitoring_hours: Quantity | None = None
    """Hours a month of quality checks."""
    retraining_hours_per_quarter: Quantity | None = None
    """Hours a quarter to keep the model fresh."""
    other_usd: Quantity | None = None
    """USD a month for anything else."""


class Monthly(FileRecord):
    """What tuning brings and costs a month, as stated."""

    api_savings_usd: Quantity | None = None
    """USD a month saved on calls."""
    quality_value_usd: Quantity | None = None
    """USD a month that better answers are worth."""
    ongoing_usd: Quantity | None = None
    """USD a month the tuned model costs to run, watch and retrain."""
    ongoing: Ongoing | None = None
    """The same by category."""

    @model_validator(mode="after")
    def _one_way(self) -> Monthly:
        if self.ongoing is not None and self.ongoing_usd is not None:
            raise wrong("gives ongoing_usd and ongoing", "keep one of them")
        return self


class Traffic(FileRecord):
    """How much the system is used."""

    requests_per_month: Quantity | None = None
    """Requests a month."""
    growth_per_month: Annotated[float, Field(ge=-1, le=10)] | None = None
    """Growth a month as a share: 0.5 is half as much again every month."""
    input_tokens: Quantity | None = None
    """Input tokens a request."""
    output_tokens: Quantity | None = None
    """Output tokens a request."""
    cached_share: Share | None = None
    """Share of the input tokens that is read from a cache."""


class Economics(FileRecord):
    """Money, as stated."""

    hourly_rate_usd: Quantity | None = None
    """USD an hour of the team's work."""
    upfront: Upfront = Upfront()
    """Cost up to the first version."""
    monthly: Monthly = Monthly()
    """Benefits and costs a month."""
    traffic: Traffic = Traffic()
    """Use of the system."""
