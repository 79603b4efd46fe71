"""Approaches to the goals, each compared with the team's data."""

from __future__ import annotations

from collections.abc import Mapping

from tuneworthy.model.base import State, Strings, Unknown
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import ApproachResult, DataNeed
from tuneworthy.model.framework import Framework, Need
from tuneworthy.words import plain

NO_GOAL = Unknown(ask="name the goals, the primary one first")
"""The value instead of approaches where no goal is named."""


def approaches(
    case: Case, framework: Framework, offered: Mapping[str, Strings]
) -> tuple[ApproachResult, ...]:
    """Each goal with the approach that serves it, compared with the team's data.

    ``offered`` maps an approach to the services that take new work of that kind. It is only shown.
    """
    fits: list[ApproachResult] = []
    for goal in case.goals:
        if goal not in framework.goals:
            continue
        name = framework.goals[goal].approach
        approach = framework.approaches[name]
        need = approach.data
        have = case.usable_data(need.unit)
        missing: int | Unknown
        if have is None:
            missing = Unknown(ask=f"count the {plain(need.unit)} (data.{need.unit})")
        else:
            missing = max(0, need.low - have)
        fits.append(
            ApproachResult(
                goal=goal,
                approach=name,
                title=approach.title,
                data=DataNeed(**need.model_dump()),
                compute=approach.compute,
                priority=f"P{len(fits)}",
                feasible=_is_feasible(need, have),
                missing=missing,
                offered_by=offered.get(name, ()),
            )
        )
    return tuple(fits)


def _is_feasible(need: Need, have: int | None) -> State:
    """Whether the data is enough for an approach.

    Tuning won 14 of 16 published cases with fewer examples than a thousand, so too few examples by
    a rule of thumb leave it open; with none at all there is nothing to try.
    """
    if have is None:
        return "unknown"
    if have >= need.low:
        return "yes"
    return "unknown" if need.unit == "examples" and have > 0 else "no"
