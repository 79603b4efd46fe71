"""What tuning costs, brings, and when it has paid itself back."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tuneworthy.domain.assessment import Reason
from tuneworthy.domain.record import State


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in USD as three numbers; equal when it is certain."""

    low: float
    likely: float
    high: float

    def __add__(self, other: Money) -> Money:
        return Money(self.low + other.low, self.likely + other.likely, self.high + other.high)

    def __sub__(self, other: Money) -> Money:
        """The widest difference: the least less the most, and the other way round."""
        return Money(self.low - other.high, self.likely - other.likely, self.high - other.low)


@dataclass(frozen=True, slots=True)
class Months:
    """Months until the money is back; ``math.inf`` stands for never, inside the program only."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Investment:
    """The closed form: upfront / (savings + quality value - ongoing)."""

    upfront: Money
    """USD before the first version is live."""
    monthly_net: Money
    """USD a month after running costs."""
    months: Months
    """Months to break-even, from best to worst."""
    table_ongoing: Money | None
    """Running costs by the framework's own table, USD a month; None without an hourly rate."""
    table_months: Months | None
    """Months to break-even with those."""
    assumed: tuple[str, ...]
    """Costs nobody stated, taken from the table."""


@dataclass(frozen=True, slots=True)
class Appraisal:
    """The investment judged by the framework's rule."""

    investment: Investment | None
    """None when too little is stated to compute it."""
    justified: State
    why: Reason


def break_even(upfront: Money, net: Money) -> Months:
    """Months until ``upfront`` is back at ``net`` a month, from the best pairing to the worst.

    Returns:
        0 for no upfront cost, ``math.inf`` where the monthly net is not positive.
    """
    return Months(_months(upfront.low, net.high), _months(upfront.high, net.low))


def _months(upfront_usd: float, net_usd: float) -> float:
    if upfront_usd <= 0:
        return 0.0
    return upfront_usd / net_usd if net_usd > 0 else math.inf
