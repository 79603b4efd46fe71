"""Two frameworks against each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuneworthy.domain.errors import CaseError
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.history import Gap, RuleGap
from tuneworthy.domain.precedent import RULES, Codes, Interval, PublishedCase, RuleId
from tuneworthy.domain.record import State, Unknown
from tuneworthy.framework.rules import compile_rules
from tuneworthy.precedent.backtest import ENOUGH_CLUSTERS
from tuneworthy.precedent.trials import Trial, tried
from tuneworthy.stats.resample import (
    DRAWS,
    cluster_means,
    percentile_interval,
)

if TYPE_CHECKING:
    import numpy as np

_ASKED = tuple(rule for rule in RULES if rule not in ("always", "never"))

_MORE = Unknown(ask=f"Add cases from at least {ENOUGH_CLUSTERS} papers, companies or projects")


def gap(
    cases: Sequence[PublishedCase],
    framework: Framework,
    other: Framework,
    *,
    codes: Codes,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> Gap:
    """Compare the rules of two frameworks case by case.

    Args:
        cases: Published cases; ties are left out.
        framework: The one.
        other: The other.
        codes: Whose answers count.
        rng: The source of chance for the intervals.
        draws: How often clusters are drawn again.

    Returns:
        For each rule that asks something the paired difference with a 95% interval.

    Raises:
        CaseError: If there is no case that isn't a tie.
        FrameworkError: If the weights of one can't be computed with.
    """
    kept = [case for case in cases if case.winner != "tie"]
    if not kept:
        raise CaseError("there is no case with a winner", fix="add cases whose winner is no tie")
    mine, its = (tried(kept, compile_rules(each), codes) for each in (framework, other))
    clusters = [case.group for case in kept]
    leads = [_leads(mine, its, rule) for rule in _ASKED]
    drawn = _drawn(leads, clusters, rng, draws)
    return Gap(
        framework=framework.name,
        other=other.name,
        codes=codes,
        n=len(kept),
        clusters=len(set(clusters)),
        rules=tuple(
            _rule_gap(rule, mine, its, interval)
            for rule, interval in zip(_ASKED, drawn, strict=True)
        ),
    )


def _leads(mine: Sequence[Trial], its: Sequence[Trial], rule: RuleId) -> list[float]:
    """For each case 1 where only the one is right, -1 where only the other is, 0 otherwise."""
    pairs = zip(mine, its, strict=True)
    return [float(a.says[rule] == a.won) - float(b.says[rule] == b.won) for a, b in pairs]


def _rule_gap(
    rule: RuleId, mine: Sequence[Trial], its: Sequence[Trial], interval: Interval | Unknown
) -> RuleGap:
    lead = _leads(mine, its, rule)
    return RuleGap(
        rule=rule,
        agreed=sum(one.says[rule] == one.won for one in mine),
        other_agreed=sum(one.says[rule] == one.won for one in its),
        apart=sum(one != 0 for one in lead),
        difference=sum(lead) / len(lead),
        interval=interval,
        excludes_zero=_excludes_zero(interval),
    )


def _drawn(
    columns: Sequence[Sequence[float]],
    clusters: Sequence[str],
    rng: np.random.Generator,
    draws: int,
) -> list[Interval | Unknown]:
    """An interval for each column on the same draws, or what it takes where clusters are few."""
    if len(set(clusters)) < ENOUGH_CLUSTERS:
        return [_MORE] * len(columns)
    rows = list(zip(*columns, strict=True))
    return [
        Interval(low=low, high=high, method="cluster_bootstrap")
        for low, high in percentile_interval(cluster_means(rows, clusters, rng=rng, draws=draws))
    ]


def _excludes_zero(interval: Interval | Unknown) -> State:
    if isinstance(interval, Unknown):
        return "unknown"
    return "yes" if interval.low > 0 or interval.high < 0 else "no"
