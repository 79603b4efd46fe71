"""Ways to serve the traffic, what each costs, and what tuning saves beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tuneworthy.domain.assessment import Reason
from tuneworthy.domain.books import Inputs, Spread, Terms, Values, total
from tuneworthy.domain.investment import Money
from tuneworthy.domain.record import State
from tuneworthy.domain.units import HOURS_PER_MONTH

How = Literal["as_is", "cached", "batched", "self_hosted"]
Runs = Literal["third_party", "own", "unknown"]


@dataclass(frozen=True, slots=True)
class Gpu:
    """Names of the inputs that price a GPU."""

    usd_per_hour: str
    requests_per_hour: str
    utilisation: str
    always_on: str

    @property
    def names(self) -> tuple[str, ...]:
        """All four."""
        return self.usd_per_hour, self.requests_per_hour, self.utilisation, self.always_on


@dataclass(frozen=True, slots=True)
class Line:
    """USD a month over requests a month: at least ``floor``, and ``slope`` for each request."""

    floor: float
    slope: float

    def usd(self, requests: float) -> float:
        """USD a month at so many requests."""
        return max(self.floor, self.slope * requests)


@dataclass(frozen=True, slots=True)
class Way:
    """A way to serve the traffic; at most one of its prices is set."""

    model: str
    how: How
    tuned: bool
    runs: Runs
    request: Terms = ()
    """USD a request, for a price by tokens."""
    gpu: Gpu | None = None
    """GPUs of one's own."""
    bill_usd: float | None = None
    """A stated bill, USD a month."""
    bill_for: str | None = None
    """Input with the requests that bill is for; None when it is the same at any volume."""
    catalogue: str = ""
    """Where its price was looked up; empty when it is stated in the case."""

    @property
    def names(self) -> tuple[str, ...]:
        """Inputs that its cost depends on, the number of requests aside."""
        from_terms = tuple(name for term in self.request for name in term.names)
        from_bill = (self.bill_for,) if self.bill_for else ()
        return from_terms + from_bill + (self.gpu.names if self.gpu else ())

    def parts(self, values: Values) -> tuple[Any, Any]:
        """Floor (USD a month) and slope (USD a request): numbers, or arrays where values are."""
        if self.gpu is not None:
            hour, each, share, always = (values[name] for name in self.gpu.names)
            return always * HOURS_PER_MONTH * hour, hour / (each * share)
        if self.bill_usd is not None:
            if self.bill_for is None:
                return self.bill_usd, 0.0
            return 0.0, self.bill_usd / values[self.bill_for]
        return 0.0, total(self.request, values)

    def line(self, values: Values) -> Line:
        """Its cost at one number for every input."""
        floor, slope = self.parts(values)
        return Line(float(floor), float(slope))


@dataclass(frozen=True, slots=True)
class Judged:
    """A way with what it costs and whether it may be used."""

    way: Way
    usd: Money | None
    """USD a month; None where it has no price."""
    admissible: State
    reasons: tuple[Reason, ...]
    """What makes it so; what lacks for a price comes first."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What the tuned way saves, all of it on the same traffic."""

    inputs: Inputs
    """The inputs of the ways, and the requests."""
    baseline: tuple[Way, ...]
    """Untuned ways whose cheapest it is held against."""
    tuned: Way
    from_today: bool
    """No untuned way meets the targets: it is held against what runs today."""
    best: Judged
    """The cheapest of the baseline at the likely values."""
    usd: Money
    """USD a month; may be negative."""
    fixed: Money | None
    """Running costs that don't depend on traffic, USD a month; None when nobody knows them."""
    serving_in_total: bool
    """The stated running costs were one total; the serving was taken out of it."""
    net: Money | None
    """The saving less one total of running costs, in which the tuned serving cancels out; None
    where the running costs beside the serving are known by themselves."""
    volume: Spread | Reason
    """Requests a month from which the running costs are earned back; ``math.inf`` for never."""
    month: Spread | Reason
    """Months until the stated growth gets there; ``math.inf`` for never."""
    cheaper_perhaps: Judged | None
    """An untuned way that costs less and may or may not meet the targets."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every way to serve the traffic side by side."""

    ways: tuple[Judged, ...]
    """The cheapest first, those without a price last; empty when no model is named."""
    saved: Saved | Reason
    """What tuning saves, or what lacks to compute it."""
    stays_inside: State
    """Where data may not leave: whether tuning is the best of what stays inside."""
    inside_why: Reason
    growth: Spread | None
    """Growth a month as stated."""


def cheapest(ways: tuple[Way, ...], values: Values, requests: float) -> float:
    """USD a month of the cheapest way at so many requests; ways must not be empty."""
    return min(way.line(values).usd(requests) for way in ways)
