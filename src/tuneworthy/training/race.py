"""Several bases in one pilot: the smallest that does it is gone on with.

Bases are compared on the cases for selecting alone, each by one run of the largest size, which is
a run of the pilot too: whatever base is taken, it isn't trained again. Held-out cases are kept for
the one that is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tuneworthy.model.base import Unknown
from tuneworthy.model.pilot import BaseTried, PilotPlan, TrainingQuote

MOST_BASES = 4


def in_order_of_size(bases: Sequence[tuple[str, float | None]]) -> list[str]:
    """Ids of bases, the smallest first by billions of weights; as stated where one isn't known."""
    if any(billions is None for _, billions in bases):
        return [name for name, _ in bases]
    by_size = sorted(bases, key=lambda base: base[1] or 0.0)
    return [name for name, _ in by_size]


def choose_smallest(
    tried: Sequence[BaseTried], at_least: float | None, margin: float
) -> str:
    """The first base that reaches the target; else the first within ``margin`` of the best."""
    best = max(each.right for each in tried)
    enough = best - margin if at_least is None or best < at_least else at_least
    return next(each.base for each in tried if each.right >= enough)


def plan_of_race(plan: PilotPlan) -> dict[str, Any]:
    """The words of a plan written for several bases on the base that is taken."""
    return plan.model_dump(include={"bases", "inputs", "written_on", "after_results"})


def added_quote(first: TrainingQuote, more: TrainingQuote) -> TrainingQuote:
    """Two quotes of runs that go on one after the other."""
    memory = first.memory_mib
    if not isinstance(memory, Unknown) and not isinstance(more.memory_mib, Unknown):
        memory = max(memory, more.memory_mib)
    return first.model_copy(
        update={
            "jobs": first.jobs + more.jobs,
            "reused": first.reused + more.reused,
            "steps": _added(first.steps, more.steps),
            "seconds": _added(first.seconds, more.seconds),
            "memory_mib": memory,
        }
    )


def _added(first: float | Unknown, second: float | Unknown) -> float | Unknown:
    if isinstance(first, Unknown):
        return first
    return second if isinstance(second, Unknown) else first + second
