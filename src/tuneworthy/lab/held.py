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
    """The gain of a tuned arm over an untuned one; unknown on too few cases.

    It is unknown, too, where the interval includes the margin and answers are missing: the missing
    answers may have made the interval that wide.
    """
    lacking = isinstance(contrast.difference, Unknown) or contrast.clusters < ENOUGH
    wide = contrast.low <= plan.margin < contrast.high
    if lacking or (wide and contrast.n < plan.cases):
        return Unknown(ask="compare them on more cases")
    # otherwise an answer is missing
    assert not isinstance(contrast.difference, Unknown)
    return Figure(
        value=contrast.difference,
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
    gaining = replace(criterion, margin_quality=margin)
    needless = table.makes_needless(way)
    as_good: State = "unknown"
    if simpler is not None:
        other = table.find(simpler[0])
        brings = gaining.gains(replace(way, gain=simpler[1]), other)
        as_good = {"yes": "no", "no": "yes"}.get(brings, "unknown")  # type: ignore[assignment]  # states all
    return HeldArm(
        targets=hold_targets(table, way),
        admits=criterion.admits(way),
        gains=gaining.gains(way, table.find(way.beside)),
        enough=needless[0].title if needless else "",
        may_be_enough=_rival(table, way),
        needless_too=as_good,
    )


def _rival(table: WayTable, way: Way) -> str:
    """An untuned way that may be enough too, with its figure; empty for none."""
    rivals = table.may_be_enough(way)
    if not rivals:
        return ""
    known = rivals[0].figures["quality"]
    limit = table.criterion.limits["quality"]
    ends = quality_interval(known.value, known.low, known.high)
    says = f"{rivals[0].title} may meet every target without tuning: {ends}, of {quality(limit)}"
    return f"{says}. To tell: {_settles('quality', known, limit)}"


def hold_targets(table: WayTable, way: Way) -> dict[TargetId, HeldTarget]:
    """Every target that counts for a way, with the way's known figure."""
    held = {}
    for target, state in table.criterion.judge(way).items():
        limit = table.criterion.limits.get(target)
        known = way.figure(target)
        if target == "privacy":
            limit = 1.0
        held[target] = HeldTarget(
            state=state,
            limit=_NO_WORSE if limit is None else limit,
            figure=dossier_figure(FIGURE_OF[target], _finite(known)),
            settles=_settles(target, known, limit) if state == "unknown" else "",
        )
    return held


def _finite(known: KnownNumber | None) -> KnownNumber | None:
    if known is None or math.isfinite(known.high):
        return known
    return None


def _settles(target: TargetId, known: KnownNumber | None, limit: float | None) -> str:
    """Say what would settle whether a target is met."""
    if target != "quality" or known is None or not known.cases:
        return _SETTLES[target]
    if limit is None:
        return _SETTLES["gain"]
    telling = cases_to_tell(known.value, limit, known.cases)
    if telling is None:
        return "decide by the margin: more cases than are worth their labels would hardly tell"
    return f"about {count(telling - 2 * known.cases)} more cases, half of them held out"


def name_targets(
    targets: Mapping[TargetId, HeldTarget], state: TargetState
) -> tuple[str, ...]:
    """Names of the targets with a state."""
    return tuple(
        TARGETS[target].name for target, held in targets.items() if held.state == state
    )
