"""How often a framework's rules would have been right about published cases.

Ties are left out. An answer that is unknown does not count as yes, neither for a reason nor against
one: a rule needs a side to be judged by. The record says how many answers that concerns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tuneworthy.errors import CaseError
from tuneworthy.framework.rules import Rules, compile_rules
from tuneworthy.model.base import State, Unknown
from tuneworthy.model.framework import Framework
from tuneworthy.model.precedents import (
    RULES,
    Against,
    Backtest,
    Codes,
    Confusion,
    Gap,
    GoalAgreement,
    PublishedCase,
    RateInterval,
    RuleAgreement,
    RuleGap,
    RuleId,
    RuleRecord,
)
from tuneworthy.precedents.section import rule_says
from tuneworthy.stats.clustered import RESAMPLES, cluster_means, percentile_interval
from tuneworthy.stats.intervals import wilson_by_cluster

if TYPE_CHECKING:
    import numpy as np

ENOUGH_CLUSTERS = 20
"""Below this, drawing clusters again gives intervals that are too narrow: tests simulate it."""

_BASELINES: tuple[RuleId, ...] = ("always", "never")
_MORE = Unknown(ask=f"Add cases from at least {ENOUGH_CLUSTERS} papers, companies or projects")

# What a framework's rules say about published cases, case by case.


class Trial(NamedTuple):
    """One case with what every rule says about it: whether to tune."""

    cluster: str
    goal: str
    won: bool
    says: Mapping[RuleId, bool]

    def right(self, rule: RuleId) -> float:
        """1 where a rule is right, 0 where it isn't."""
        return float(self.says[rule] == self.won)


def trials_of(cases: Sequence[PublishedCase], rules: Rules, codes: Codes) -> list[Trial]:
    """Each case with what the rules say about it, in the order of the cases."""
    trials = []
    for case in cases:
        yes = [name for name, state in case.coded(codes).items() if state == "yes"]
        says = rule_says(rules, yes, case.ceiling_test)
        trials.append(Trial(case.group, case.goal_kind or "unknown", case.tuning_won, says))
    return trials


def _untied(cases: Sequence[PublishedCase]) -> list[PublishedCase]:
    counted = [case for case in cases if case.winner != "tie"]
    if not counted:
        raise CaseError("there is no case with a winner", fix="add cases whose winner is no tie")
    return counted


# How often they would have been right.


def backtest(
    cases: Sequence[PublishedCase],
    framework: Framework,
    *,
    codes: Codes = "value",
    rng: np.random.Generator,
    draws: int = RESAMPLES,
) -> Backtest:
    """Test the rules of a framework on published cases, by the answers of one coder."""
    counted, rules = _untied(cases), compile_rules(framework)
    trials = trials_of(counted, rules, codes)
    factors = (*rules.indicators, *rules.anti_indicators)
    coded = [case.coded(codes) for case in counted]
    checks = [case.ceiling_test for case in counted]
    return Backtest(
        framework=framework.name,
        codes=codes,
        cases=len(cases),
        ties=len(cases) - len(counted),
        n=len(counted),
        won=sum(trial.won for trial in trials),
        recalled=sum(case.source_status == "recalled" for case in counted),
        clusters=len({trial.cluster for trial in trials}),
        factors=len(factors),
        uncoded=tuple(f for f in factors if all(_is_open(states, f) for states in coded)),
        answers=len(counted) * len(factors),
        unknown_answers=sum(_is_open(states, f) for states in coded for f in factors),
        checks=len(rules.checks),
        unknown_checks=sum(_is_open(states, c) for states in checks for c in rules.checks),
        ceilings=sum(all(states.get(c) == "yes" for c in rules.checks) for states in checks),
        draws=draws,
        rules=_records(trials, rng, draws),
    )


def _is_open(states: Mapping[str, State], name: str) -> bool:
    return states.get(name, "unknown") == "unknown"


def _records(trials: list[Trial], rng: np.random.Generator, draws: int) -> tuple[RuleRecord, ...]:
    """All rules on the same draws, so that their differences are paired."""
    right = {rule: [trial.right(rule) for trial in trials] for rule in RULES}
    baseline = max(_BASELINES, key=lambda rule: sum(right[rule]))
    lead = {
        rule: [mine - its for mine, its in zip(right[rule], right[baseline], strict=True)]
        for rule in RULES
    }
    clusters = [trial.cluster for trial in trials]
    drawn = _intervals([*right.values(), *lead.values()], clusters, rng, draws)
    return tuple(
        RuleRecord(
            rule=rule,
            agreement=_agreement(trials, rule, alone),
            confusion=_confusion(trials, rule),
            against=None
            if rule in _BASELINES
            else Against(baseline=baseline, **_paired(lead[rule], ahead)),
            by_goal=_by_goal(trials, rule),
        )
        for rule, alone, ahead in zip(RULES, drawn[: len(RULES)], drawn[len(RULES) :], strict=True)
    )


def _intervals(
    columns: Sequence[Sequence[float]],
    clusters: Sequence[str],
    rng: np.random.Generator,
    draws: int,
) -> list[RateInterval | None]:
    """An interval of each column's mean on the same draws; None for each where clusters are few."""
    if len(set(clusters)) < ENOUGH_CLUSTERS:
        return [None] * len(columns)
    means = cluster_means(list(zip(*columns, strict=True)), clusters, rng=rng, draws=draws)
    return [
        RateInterval(low=low, high=high, method="cluster_bootstrap")
        for low, high in percentile_interval(means)
    ]


def _paired(lead: list[float], interval: RateInterval | None) -> dict[str, Any]:
    """A paired difference of two rules, and whether they are distinguished."""
    apart: State = "unknown"
    if interval is not None:
        apart = "yes" if interval.low > 0 or interval.high < 0 else "no"
    value = sum(lead) / len(lead)
    return {"difference": value, "interval": interval or _MORE, "excludes_zero": apart}


def _agreement(
    trials: list[Trial], rule: RuleId, interval: RateInterval | None = None
) -> RuleAgreement:
    """Agreement with the interval drawn, or Wilson's where none was drawn or it has no width."""
    n, agreed = len(trials), sum(trial.says[rule] == trial.won for trial in trials)
    if interval is None or interval.low == interval.high:
        low, high = wilson_by_cluster(agreed, [trial.cluster for trial in trials])
        interval = RateInterval(low=low, high=high, method="wilson_by_cluster")
    return RuleAgreement(n=n, agreed=agreed, rate=agreed / n, interval=interval)


def _confusion(trials: list[Trial], rule: RuleId) -> Confusion:
    cells = Counter((trial.says[rule], trial.won) for trial in trials)
    return Confusion(
        tune_won=cells[True, True],
        tune_lost=cells[True, False],
        keep_won=cells[False, True],
        keep_lost=cells[False, False],
    )


def _by_goal(trials: list[Trial], rule: RuleId) -> tuple[GoalAgreement, ...]:
    """Every goal, Wilson throughout: groups are too small for drawing clusters again."""
    by_goal: dict[str, list[Trial]] = {}
    for trial in trials:
        by_goal.setdefault(trial.goal, []).append(trial)
    return tuple(
        GoalAgreement(goal=goal, won=sum(t.won for t in part), agreement=_agreement(part, rule))
        for goal, part in sorted(by_goal.items(), key=lambda item: (-len(item[1]), item[0]))
    )


# Two frameworks against each other.


def gap(
    cases: Sequence[PublishedCase],
    framework: Framework,
    other: Framework,
    *,
    codes: Codes,
    rng: np.random.Generator,
    draws: int = RESAMPLES,
) -> Gap:
    """Compare the rules of two frameworks case by case, for each rule that asks something."""
    counted = _untied(cases)
    mine, its = (trials_of(counted, compile_rules(each), codes) for each in (framework, other))
    clusters = [case.group for case in counted]
    asked = [rule for rule in RULES if rule not in _BASELINES]
    leads = [
        [a.right(rule) - b.right(rule) for a, b in zip(mine, its, strict=True)] for rule in asked
    ]
    return Gap(
        framework=framework.name,
        other=other.name,
        codes=codes,
        n=len(counted),
        clusters=len(set(clusters)),
        rules=tuple(
            RuleGap(
                rule=rule,
                agreed=sum(trial.says[rule] == trial.won for trial in mine),
                other_agreed=sum(trial.says[rule] == trial.won for trial in its),
                apart=sum(difference != 0 for difference in lead),
                **_paired(lead, interval),
            )
            for rule, lead, interval in zip(
                asked, leads, _intervals(leads, clusters, rng, draws), strict=True
            )
        ),
    )
