"""The ask: everything that is spent up to the next decision."""

from __future__ import annotations

from tuneworthy.model.base import Range, Unknown
from tuneworthy.model.dossier import AskNow, AskPart, Phase, Plan

_DECISIONS = (
    "pilot",
    "decide",
    "deployment",
    "adopt",
)  #: Phases that end in a decision.


def ask_now(plan: Plan | Unknown) -> AskNow | Unknown:
    """The work and money up to and including the first phase that ends in a decision.

    The page, the memo, the list and a budget all use this one number.
    """
    if isinstance(plan, Unknown):
        return plan
    decision = find_decision(plan)
    phases = plan.phases[: plan.phases.index(decision) + 1]
    usd = Range.total(phase.usd for phase in phases)
    return AskNow(
        low=usd.low,
        high=usd.high,
        hours=Range.total(phase.hours for phase in phases),
        parts=tuple(AskPart(what=p.title, hours=p.hours, usd=p.usd) for p in phases),
        until=decision.title,
    )


def find_decision(plan: Plan) -> Phase:
    """The first phase that ends in a decision. The ask covers everything up to it."""
    return next(
        (phase for phase in plan.phases if phase.id in _DECISIONS), plan.phases[-1]
    )
