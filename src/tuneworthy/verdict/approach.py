"""Each goal to the approach that serves it, held against what the team has."""

from __future__ import annotations

from collections.abc import Mapping

from tuneworthy.domain.case import Case
from tuneworthy.domain.decision import ApproachFit
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.record import State

_NOBODY: Mapping[str, tuple[str, ...]] = {}


def approaches(
    case: Case, framework: Framework, offered: Mapping[str, tuple[str, ...]] = _NOBODY
) -> tuple[ApproachFit, ...]:
    """Approaches in the order of the goals, the primary one first with priority 0.

    Args:
        case: The case, for its goals and what the team has.
        framework: Says which approach serves a goal, and what it takes.
        offered: Approach to who takes new work of that kind. It is shown and settles nothing.

    Returns:
        One for each goal the framework knows; empty when the case names no goal.
    """
    fits: list[ApproachFit] = []
    for goal in case.goals:
        rule = framework.goals.get(goal)
        if rule is None:
            continue
        approach = framework.approaches[rule.approach]
        have = held(case, approach.data.unit)
        feasible: State = "unknown"
        if have is not None:
            feasible = "yes" if have >= approach.data.low else "no"
        fits.append(
            ApproachFit(
                goal=goal,
                approach=rule.approach,
                low=approach.data.low,
                high=approach.data.high,
                unit=approach.data.unit,
                have=have,
                compute=approach.compute,
                priority=len(fits),
                feasible=feasible,
                missing=None if have is None else max(0, approach.data.low - have),
                offered_by=offered.get(rule.approach, ()),
            )
        )
    return tuple(fits)


def held(case: Case, unit: str) -> int | None:
    """How many of a kind of data the team has: the usable ones where they were counted."""
    holding = {
        "examples": case.data.examples,
        "preference_pairs": case.data.preference_pairs,
        "documents": case.data.documents,
    }[unit]
    return holding.good if holding else None
