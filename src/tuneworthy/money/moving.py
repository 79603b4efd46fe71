"""The cost of tuning again on another base, after the tuned one is switched off."""

from __future__ import annotations

from typing import NamedTuple

from tuneworthy.model.base import Interval
from tuneworthy.model.case import Case
from tuneworthy.model.framework import Framework
from tuneworthy.money.terms import CostPart, TrainingCost, build_cost_model
from tuneworthy.words import amount, usd, usd_range

_AGAIN = ("training", "evaluation", "deployment")
"""Costs that are due again. The examples stay, but the tuned model has to be checked anew."""


class ForcedMove(NamedTuple):
    """Cost of a move to another base that nobody chose."""

    usd: Interval | None  #: None where hours have no rate, and nobody stated the cost.
    hours: Interval | None  #: None where neither the case nor its framework says.
    #: The part that is paid for training by its tokens, where known.
    training_usd: float | None

    @property
    def text(self) -> str:
        """In words: ``$2,012–$4,012: 20–40 hours of tests and integration, $12 of training``."""
        parts = []
        if self.hours is not None and self.hours.high:
            ends = dict.fromkeys((amount(self.hours.low), amount(self.hours.high)))
            parts.append(f"{'–'.join(ends)} hours of tests and integration")
        if self.training_usd is not None:
            parts.append(f"{usd(self.training_usd)} of training")
        detail = ", ".join(parts)
        if self.usd is None:
            if detail:
                return f"{detail}. State economics.hourly_rate_usd to price the hours"
            return ""
        whole = usd_range(self.usd.low, self.usd.high)
        return f"{whole}: {detail}" if detail else whole


def forced_move(
    case: Case, framework: Framework, training_usd: float | None = None
) -> ForcedMove:
    """The cost of tuning on another base: training, tests and integration once more."""
    if training_usd is None:
        priced = None
    else:
        cost = Interval.certain(training_usd)
        priced = TrainingCost(cost, "by its tokens", of_base=True)
    model = build_cost_model(case, framework, training=priced)
    again = CostPart()
    for name in _AGAIN:
        again += model.upfront_parts.get(name, CostPart())
    whole = model.priced(again.usd) if again.usd else None
    hours = model.amount(again.hours) if again.hours else None
    return ForcedMove(whole, hours, training_usd)
