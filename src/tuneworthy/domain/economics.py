"""Money, work and traffic as stated; every unit is in the name of its field."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from tuneworthy.domain.record import FileRecord, NonNegative, Share, State, Tri, wrong


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

    def at_most(self, limit: float) -> State:
        """Whether it stays within a limit: yes or no only where all of it is on one side."""
        if self.high <= limit:
            return "yes"
        return "no" if self.low > limit else "unknown"

    @model_validator(mode="after")
    def _in_order(self) -> Amount:
        if not self.low <= self.likely <= self.high:
            raise wrong("is out of order", "write low ≤ likely ≤ high")
        return self


Quantity = Annotated[
    Amount, BeforeValidator(_to_amount, json_schema_input_type=NonNegative | Amount)
]
"""An amount as people write it: a number, or ``{low, likely, high}``."""

_Rate = Annotated[float, Field(ge=-1, le=10)]
_Positive = Annotated[float, Field(ge=1e-6, le=1e15)]  # it is divided by
_PositiveShare = Annotated[float, Field(ge=1e-6, le=1)]  # the same
_Lasting = Annotated[float, Field(ge=1, le=1200)]


class GrowthAmount(Amount):
    """Growth a month as a share; negative where traffic shrinks."""

    low: _Rate
    """The least it could be."""
    likely: _Rate
    """The likeliest."""
    high: _Rate
    """The most it could be."""


class PositiveAmount(Amount):
    """An amount above zero."""

    low: _Positive
    """The least it could be."""
    likely: _Positive
    """The likeliest."""
    high: _Positive
    """The most it could be."""


class ShareAmount(Amount):
    """A share between 0 and 1."""

    low: Share
    """The least it could be."""
    likely: Share
    """The likeliest."""
    high: Share
    """The most it could be."""


class PositiveShareAmount(Amount):
    """A share above 0 and up to 1."""

    low: _PositiveShare
    """The least it could be."""
    likely: _PositiveShare
    """The likeliest."""
    high: _PositiveShare
    """The most it could be."""


class LastingAmount(Amount):
    """Months, one or more."""

    low: _Lasting
    """The least it could be."""
    likely: _Lasting
    """The likeliest."""
    high: _Lasting
    """The most it could be."""


Growth = Annotated[
    GrowthAmount, BeforeValidator(_to_amount, json_schema_input_type=_Rate | GrowthAmount)
]
PositiveQuantity = Annotated[
    PositiveAmount, BeforeValidator(_to_amount, json_schema_input_type=_Positive | PositiveAmount)
]
ShareQuantity = Annotated[
    ShareAmount, BeforeValidator(_to_amount, json_schema_input_type=Share | ShareAmount)
]
PositiveShareQuantity = Annotated[
    PositiveShareAmount,
    BeforeValidator(_to_amount, json_schema_input_type=_PositiveShare | PositiveShareAmount),
]
LastingQuantity = Annotated[
    LastingAmount, BeforeValidator(_to_amount, json_schema_input_type=_Lasting | LastingAmount)
]


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
    growth_per_month: Growth | None = None
    """Growth a month as a share: 0.5 is half as much again every month."""
    input_tokens: Quantity | None = None
    """Input tokens a request."""
    output_tokens: Quantity | None = None
    """Output tokens a request."""
    cached_share: Share | None = None
    """Share of the input tokens that is read from a cache."""
    cacheable_share: Share | None = None
    """Share of the input tokens that is the same in every call, so that it could be cached."""
    batchable: Tri = "unknown"
    """Whether nobody waits for the answer, so that calls could be sent as a batch."""
    tuned_input_tokens: Quantity | None = None
    """Input tokens a request once the model is tuned."""
    tuned_output_tokens: Quantity | None = None
    """Output tokens a request once the model is tuned."""


class Serving(FileRecord):
    """Serving a model on GPUs of one's own, bought or rented."""

    gpu_usd_per_hour: Quantity | None = None
    """USD an hour of a GPU, or of the group of them that one copy of the model takes."""
    requests_per_gpu_hour: PositiveQuantity | None = None
    """Requests that GPU can answer in an hour under full load."""
    utilisation: PositiveShareQuantity | None = None
    """Share of a paid hour in which it works under full load."""
    always_on_gpus: Quantity | None = None
    """How many of them are paid day and night, whether somebody asks or not."""


class Assumptions(FileRecord):
    """What a forecast takes for granted."""

    discount_per_year: ShareQuantity | None = None
    """What money a year later is worth less, as a share."""
    failure_chance: ShareQuantity | None = None
    """Chance that tuning brings nothing that goes into use."""
    model_life_months: LastingQuantity | None = None
    """Months after which the model has to be tuned again, on a newer base."""
    horizon_months: Annotated[int, Field(ge=1, le=120)] = 36
    """Months to look ahead."""


class Economics(FileRecord):
    """Money, as stated."""

    hourly_rate_usd: Quantity | None = None
    """USD an hour of the team's work."""
    hours_per_week: PositiveQuantity | None = None
    """Hours a week the team can give to it."""
    upfront: Upfront = Upfront()
    """Cost up to the first version."""
    monthly: Monthly = Monthly()
    """Benefits and costs a month."""
    traffic: Traffic = Traffic()
    """Use of the system."""
    serving: Serving = Serving()
    """How models of one's own are served."""
    assumptions: Assumptions = Assumptions()
    """What the forecast takes for granted."""
