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

MOST_BASES = 4  #: Bases of a race, each of which is trained once before one is taken.


def in_order_of_size(bases: Sequence[tuple[str, float | None]]) -> list[str]:
    """Order bases by their billions of weights, the smallest first; as stated where one is unknown."""
    names = [name for name, _ in bases]
    billions_of = {name: size for name, size in bases if size is not None}
    if billions_of.keys() != set(names):
        return names
    return sorted(names, key=lambda name: billions_of[name])


def choose_smallest(
    tried: Sequence[BaseTried], at_least: float | None, margin: float
) -> str:
    """Return the first base that reaches the target; else the first within ``margin`` of the best."""
    best = max(base.right for base in tried)
    enough = best - margin
    if at_least is not None and best >= at_least:
        enough = at_least
    return next(base.base for base in tried if base.right >= enough)


def plan_of_race(plan: PilotPlan) -> dict[str, Any]:
    """Return the fields that the plan of the base that is taken keeps from the plan of the race."""
    return plan.model_dump(include={"bases", "inputs", "written_on", "after_results"})


def added_quote(first: TrainingQuote, more: TrainingQuote) -> TrainingQuote:
    """Add two quotes of runs that go on one after the other: memory is that of the larger one."""
    memory = first.memory_mib
    if not isinstance(memory, Unknown) and not isinstance(more.memory_mib, Unknown):
        memory = max(memory, more.memory_mib)
    total = {
        "jobs": first.jobs + more.jobs,
        "reused": first.reused + more.reused,
        "steps": _added(first.steps, more.steps),
        "seconds": _added(first.seconds, more.seconds),
        "memory_mib": memory,
    }
    return first.model_copy(update=total)


def _added(first: float | Unknown, second: float | Unknown) -> float | Unknown:
    """The sum of two numbers; unknown if one of them is."""
    if isinstance(first, Unknown):
        return first
    if isinstance(second, Unknown):
        return second
    return first + second
