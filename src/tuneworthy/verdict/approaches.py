"""Approaches to the goals, each compared with the team's data."""

from __future__ import annotations

from collections.abc import Mapping

from tuneworthy.model.base import State, Strings, Unknown
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import ApproachResult, DataNeed
from tuneworthy.model.framework import Framework
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
    for goal in (goal for goal in case.goals if goal in framework.goals):
        name = framework.goals[goal].approach
        approach = framework.approaches[name]
        need = framework.approaches[name].data
        have = case.usable_data(need.unit)
        missing: int | Unknown = Unknown(
            ask=f"count the {plain(need.unit)} (data.{need.unit})"
        )
        feasible: State = "unknown"
        if have is not None:
            missing = max(0, need.low - have)
            # tuning won 14 of 16 published cases with fewer examples than a thousand, so a rule of
            # thumb leaves it open; with none at all there is nothing to try
            open_to_trial = need.unit == "examples" and have > 0
            if not missing:
                feasible = "yes"
            elif open_to_trial:
                feasible = "unknown"
            else:
                feasible = "no"
        fits.append(
            ApproachResult(
                goal=goal,
                approach=name,
                title=approach.title,
                data=DataNeed(**need.model_dump()),
                compute=approach.compute,
                priority=f"P{len(fits)}",
                feasible=feasible,
                missing=missing,
                offered_by=offered.get(name, ()),
            )
        )
    return tuple(fits)
