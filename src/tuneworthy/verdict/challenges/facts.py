"""What every challenge reads, in one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tuneworthy.model.base import State, usd_per_request
from tuneworthy.model.case import Amount, Case, price_of
from tuneworthy.model.dossier import Assessment, Findings
from tuneworthy.model.framework import Framework, Need
from tuneworthy.stats.intervals import wilson
from tuneworthy.verdict.weigh import usable_examples

# What every challenge reads, in one place.

MOST_USD = 1e15
"""As much as any amount may be."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A case with what was made of it."""

    case: Case
    framework: Framework
    assessment: Assessment
    findings: Findings

    def holds(self, *names: str) -> bool:
        """Whether all of these answers are yes."""
        return all(self.assessment.state(name) == "yes" for name in names)

    def state(self, name: str) -> State:
        """State of an answer; unknown for one the framework doesn't have."""
        return self.assessment.state(name)

    @property
    def requests(self) -> float | None:
        """Likely requests a month today."""
        stated = self.case.economics.traffic.requests_per_month
        return stated.likely if stated else None

    @property
    def growth_per_month(self) -> float | None:
        """Likely growth a month as a share; None when nobody said."""
        stated = self.case.economics.traffic.growth_per_month
        return stated.likely if stated else None

    @property
    def request_usd(self) -> float | None:
        """USD a request costs today: the stated bill by its requests, else by the first price.

        None where neither is known. A price is that of the first priced, untuned model.
        """
        traffic, bill = self.case.economics.traffic, self.case.today.usd_per_month
        if bill is not None and self.requests:
            return bill.likely / self.requests
        known = (price_of(m, self.findings.prices) for m in self.case.models if m.kind != "tuned")
        price = next((price for price in known if price is not None), None)
        if price is None or traffic.input_tokens is None or traffic.output_tokens is None:
            return None
        cached = traffic.cached_share or 0.0
        rate = price.input if price.cached_input is None else price.cached_input
        return usd_per_request(
            input_tokens=traffic.input_tokens.likely,
            output_tokens=traffic.output_tokens.likely,
            usd_per_mtok_input=price.input * (1 - cached) + rate * cached,
            usd_per_mtok_output=price.output,
        )

    @property
    def bill(self) -> Amount | None:
        """USD a month the present system costs: as said or measured, else requests times price."""
        if self.case.today.usd_per_month is not None:
            return self.case.today.usd_per_month
        if self.requests is None or self.request_usd is None:
            return None
        usd = min(self.requests * self.request_usd, MOST_USD)
        return Amount(low=usd, likely=usd, high=usd)

    @property
    def bill_usd(self) -> float | None:
        """The likely bill."""
        return self.bill.likely if self.bill else None

    @property
    def quality(self) -> tuple[float, float] | None:
        """95% interval (Wilson) of today's quality; None without a share and its cases."""
        today = self.case.today
        if today.quality is None or not today.cases:
            return None
        return wilson(today.quality * today.cases, today.cases)

    @property
    def examples(self) -> int | None:
        """Usable examples, None when nobody said."""
        return usable_examples(self.case)

    def need(self, goal: str) -> Need | None:
        """What a goal's approach takes, None where the framework doesn't say."""
        rule = self.framework.goals.get(goal)
        return self.framework.approaches[rule.approach].data if rule else None


# Where the words of each challenge are registered, under the challenge's id.

Numbers = Mapping[str, Any]
Words = Callable[[Numbers], tuple[str, str]]

WORDS: dict[str, Words] = {}
"""Challenge id to a function from its numbers to what it says and what would settle it."""


def says(function: Words) -> Words:
    """Register a function under its own name, less the underscore."""
    WORDS[function.__name__.removeprefix("_")] = function
    return function
