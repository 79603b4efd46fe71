"""A tuned arm of a lab compared with every target, beside the untuned ways, by the one criterion."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from tuneworthy.answers.facts import TARGETS
from tuneworthy.lab.result import ENOUGH
from tuneworthy.model.base import State, Unknown
from tuneworthy.model.evidence import TargetState
from tuneworthy.model.framework import TargetId
from tuneworthy.model.lab import Contrast, VerifyPlan
from tuneworthy.model.ways import AnyFigure, Figure, HeldTarget
from tuneworthy.report.named import named
from tuneworthy.stats.intervals import cases_to_tell
from tuneworthy.ways.table import WayTable
from tuneworthy.ways.way import FIGURE_OF, KnownNumber, Way, dossier_figure
from tuneworthy.words import count, quality, quality_interval

_SETTLES = named("settles")
_NO_WORSE = Unknown(
    ask="no quality is stated: it has to be no worse than what is untuned"
)


class HeldArm(NamedTuple):
    """A tuned arm compared with the targets, and with untuned ways."""

    targets: Mapping[TargetId, HeldTarget]
    admits: TargetState  #: Whether it meets all of them.
    gains: State  #: Whether it brings what the untuned arm beside it doesn't.
    enough: str  #: An untuned way that makes it needless; empty for none.
    needless_too: State  #: Whether the way without a model beside it brings as much.
    may_be_enough: str = ""
    """An untuned way that may be enough too, with the number of cases to settle it; empty for none."""


def gain_figure(contrast: Contrast, plan: VerifyPlan, source: str) -> AnyFigure:
    """Return the gain of a tuned arm over an untuned one; unknown on too few cases.

    It is unknown, too, where the interval includes the margin and answers are missing: the missing
    answers may have made the interval that wide.
    """
    unknown = Unknown(ask="compare them on more cases")
    difference = contrast.difference
    if isinstance(difference, Unknown) or contrast.clusters < ENOUGH:
        return unknown
    includes_margin = contrast.low <= plan.margin < contrast.high
    lacks_answers = contrast.n < plan.cases
    if includes_margin and lacks_answers:
        return unknown
    return Figure(
        value=difference,
        low=contrast.low,
        high=contrast.high,
        grade="held_out",
        cases=contrast.n,
        source=source,
    )


def hold_arm(
    table: WayTable,
    name: str,
    margin: float,
    simpler: tuple[str, KnownNumber] | None = None,
) -> HeldArm:
    """Compare a tuned way of a table with every target.

    ``margin`` is the share of cases below which a difference is no gain. ``simpler`` is a way
    without a model, by its id, and the gain of the tuned way over it.
    """
    way = table.find(name)
    assert way is not None  # its arm was put into the table
    criterion = table.criterion
    # a difference below the lab's own margin is no gain here, whatever margin the table has
    by_margin = replace(criterion, margin_quality=margin)
    needless_too: State = "unknown"
    if simpler is not None:
        simpler_id, gain_over_simpler = simpler
        over_simpler = by_margin.gains(
            replace(way, gain=gain_over_simpler), table.find(simpler_id)
        )
        needless_too = _opposite(over_simpler)
    enough = table.makes_needless(way)
    best_enough = enough[0] if enough else None
    return HeldArm(
        targets=hold_targets(table, way),
        admits=criterion.admits(way),
        gains=by_margin.gains(way, table.find(way.beside)),
        enough="" if best_enough is None else best_enough.title,
        may_be_enough=_rival_text(table, way),
        needless_too=needless_too,
    )


def _opposite(state: State) -> State:
    if state == "yes":
        return "no"
    if state == "no":
        return "yes"
    return "unknown"


def _rival_text(table: WayTable, way: Way) -> str:
    """Name an untuned way that may be enough too, with its figure; empty for none."""
    rivals = table.may_be_enough(way)
    if not rivals:
        return ""
    best = rivals[0]
    figure = best.figures["quality"]
    limit = table.criterion.limits["quality"]
    ends = quality_interval(figure.value, figure.low, figure.high)
    says = f"{best.title} may meet every target without tuning: {ends}, of {quality(limit)}"
    return f"{says}. To tell: {_settling_text('quality', figure, limit)}"


def hold_targets(table: WayTable, way: Way) -> dict[TargetId, HeldTarget]:
    """Return every target that counts for a way, with the way's known figure."""
    held = {}
    for target, state in table.criterion.judge(way).items():
        limit = table.criterion.limits.get(target)
        # a way keeps data private or doesn't, and nobody states a number
        if target == "privacy":
            limit = 1.0
        figure = way.figure(target)
        settles = ""
        if state == "unknown":
            settles = _settling_text(target, figure, limit)
        if figure is not None and not math.isfinite(figure.high):
            figure = None  # the dossier holds no infinite number
        held[target] = HeldTarget(
            state=state,
            limit=_NO_WORSE if limit is None else limit,
            figure=dossier_figure(FIGURE_OF[target], figure),
            settles=settles,
        )
    return held


def _settling_text(
    target: TargetId, figure: KnownNumber | None, limit: float | None
) -> str:
    """Say what would settle whether a target is met."""
    if target != "quality" or figure is None or not figure.cases:
        return _SETTLES[target]
    if limit is None:
        return _SETTLES["gain"]
    needed = cases_to_tell(figure.value, limit, figure.cases)
    if needed is None:
        return "decide by the margin: more cases than are worth their labels would hardly tell"
    # the figure is of the held-out half of the set
    existing = 2 * figure.cases
    return f"about {count(needed - existing)} more cases, half of them held out"


def name_targets(
    targets: Mapping[TargetId, HeldTarget], state: TargetState
) -> tuple[str, ...]:
    """Return the names of the targets that are in a state."""
    with_state = (target for target, held in targets.items() if held.state == state)
    return tuple(TARGETS[target].name for target in with_state)
