"""What is asked for now: everything that is spent up to the next decision."""

from __future__ import annotations

from collections.abc import Sequence

from tuneworthy.model.base import Range, Unknown
from tuneworthy.model.dossier import Ask, AskPart, Phase, Plan

_DECISIONS = ("pilot", "decide", "deployment")  #: Phases that end in a decision.


def ask_now(plan: Plan | Unknown) -> Ask | Unknown:
    """The work and money up to and with the first phase of a plan that ends in a decision.

    One number for every surface: the page, the memo, the list and a budget read this.
    """
    if isinstance(plan, Unknown):
        return plan
    phases = _before_the_decision(plan.phases)
    usd = Range.total(phase.usd for phase in phases)
    return Ask(
        low=usd.low,
        high=usd.high,
        hours=Range.total(phase.hours for phase in phases),
        parts=tuple(AskPart(what=p.title, hours=p.hours, usd=p.usd) for p in phases),
        until=phases[-1].title if phases else "",
    )


def _before_the_decision(phases: Sequence[Phase]) -> tuple[Phase, ...]:
    for number, phase in enumerate(phases, start=1):
        if phase.id in _DECISIONS:
            return tuple(phases[:number])
    return tuple(phases)
