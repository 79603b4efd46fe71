"""How the money of a case recurs: month after month, or once, for a job that ends."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tuneworthy.model.base import break_even
from tuneworthy.model.case import Case

GROWTH = "economics.traffic.growth_per_month"
LIFE = "economics.assumptions.model_life_months"
PRICE_FALL = "economics.assumptions.price_fall_per_year"


@dataclass(frozen=True, slots=True)
class Recurrence:
    """What differs between work that goes on and a job that runs once."""

    repeats: bool  #: Whether there is a second month.
    a_month: str  #: The words behind the amount of a period.
    when: str  #: The period of an amount in the list of costs.
    left_out: frozenset[str]  #: Inputs that change nothing.
    never_ends: str  #: What is assumed without a life of the tuned model.
    drawn: str  #: How a saving is simulated.
    drawn_capped: str  #: The same for a saving above the bill.
    find_saving: str  #: What to do where the simulated runs don't pay back.

    def months(self, wanted: float) -> int | float:
        """The months that money counts for: as many as wanted; one for a job."""
        return wanted if self.repeats else 1

    def limit_months(self, under_months: float) -> float:
        """Months within which the money has to come back; infinite for a job, which has one."""
        return under_months if self.repeats else math.inf

    def months_to_repay(self, spent: float, left: float) -> float:
        """Months until ``left`` a period repays what was spent; infinite for never.

        A job repays it at once or never.
        """
        if self.repeats:
            return break_even(spent, left)
        return 1.0 if left >= spent else math.inf


MONTHLY = Recurrence(
    repeats=True,
    a_month=" per month",
    when="each month",
    left_out=frozenset(),
    never_ends="the tuned model never has to be tuned anew",
    drawn="month by month, with growth and the model's life,",
    drawn_capped="capped at each month's bill,",
    find_saving="find a saving within the month's bill, or state the growth that brings it",
)

ONCE = Recurrence(
    repeats=False,
    a_month="",
    when="for the job",
    # a job is over before traffic grows, a price falls or a model ends
    left_out=frozenset({GROWTH, LIFE, PRICE_FALL}),
    never_ends="the job runs once: nothing is trained again, and nothing comes after it",
    drawn="capped at its bill,",
    drawn_capped="capped at its bill,",
    find_saving="find a saving within the bill of the job",
)


def recurrence_of(case: Case) -> Recurrence:
    """How the money of a case recurs."""
    return ONCE if case.one_off else MONTHLY
