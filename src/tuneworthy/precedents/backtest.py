"""How often a framework's rules would have been right about published cases.

A rule is right when it says tune and tuning won, or says don't and something else won. Ties are
left out. An answer that is unknown does not count as yes, neither for a reason nor against one:
this is the one place where unknown is settled, because a rule needs a side to be judged by. The
record says how many answers that concerns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuneworthy.errors import CaseError
from tuneworthy.framework.rules import Rules, compile_rules
from tuneworthy.framework.tally import group, tally
from tuneworthy.model.base import State, Unknown
from tuneworthy.model.framework import Framework
from tuneworthy.model.precedents import (
    RULES,
    Against,
    Backtest,
    Codes,
    Confusion,
    Gap,
    GoalRecord,
    PublishedCase,
    RateInterval,
    RuleAgreement,
    RuleGap,
    RuleId,
    RuleRecord,
)
from tuneworthy.stats.clustered import (
    RESAMPLES,
    cluster_means,
    independent_cases,
    percentile_interval,
)
from tuneworthy.stats.intervals import wilson

if TYPE_CHECKING:
    import numpy as np


# What a framework's rules say about published cases, case by case.


@dataclass(frozen=True, slots=True)
class Trial:
    """One case with what every rule says about it."""

    cluster: str
    """Its paper or company."""
    goal: str
    """Its goal, or ``unknown``."""
    won: bool
    """Whether tuning won."""
    says: Mapping[RuleId, bool]
    """For each rule whether it says tune."""


def tried(cases: Sequence[PublishedCase], rules: Rules, codes: Codes) -> list[Trial]:
    """Each case with what the rules say about it, in the order given; empty without cases."""
    return [_trial(rules, case, codes) for case in cases]


def _trial(rules: Rules, case: PublishedCase, codes: Codes) -> Trial:
    coded = case.coded(codes)
    factors = {f: _counts(coded, f) for f in (*rules.indicators, *rules.anti_indicators)}
    recorded = {name: _counts(case.ceiling_test, name) for name in rules.checks}
    granted: dict[str, State] = dict.fromkeys(rules.checks, "yes")
    reasons_for = group(rules, rules.indicators, factors).known[1]
    difference = reasons_for - group(rules, rules.anti_indicators, factors).known[1]
    says: dict[RuleId, bool] = {
        "tree_recorded": _candidate(rules, {**factors, **recorded}),
        "tree_granted": _candidate(rules, {**factors, **granted}),
        "score": rules.score_cuts.band(difference) != "weak",
        "difference": rules.difference_cuts.band(difference) != "weak",
        "always": True,
        "never": False,
    }
    return Trial(case.group, case.goal_kind or "unknown", case.tuning_won, says)


def _counts(states: Mapping[str, State], name: str) -> State:
    """Unknown is not yes, so it counts as no here."""
    return "yes" if states.get(name) == "yes" else "no"


def _candidate(rules: Rules, states: Mapping[str, State]) -> bool:
    """Whether the tree comes to a candidate; every answer is settled, so it comes to one thing."""
    return tally(rules, states).reach == {"fine_tune_candidate"}


# How often a framework's rules would have been right about published cases.

ENOUGH_CLUSTERS = 20
"""Below this, drawing clusters again gives intervals that are too narrow: tests simulate it."""

_BASELINES: tuple[RuleId, ...] = ("always", "never")


def backtest(
    cases: Sequence[PublishedCase],
    framework: Framework,
    *,
    codes: Codes = "value",
    rng: np.random.Generator,
    draws: int = RESAMPLES,
) -> Backtest:
    """Put the rules of a framework to the test of published cases.

    Args:
        cases: Published cases; ties among them are left out.
        framework: Any framework. Factors and checks that the cases don't answer stay unknown, and
            so don't count as yes.
        codes: Whose answers count.
        rng: The source of chance for the intervals.
        draws: How often clusters are drawn again.

    Returns:
        The record: for each rule agreement with a 95% interval, the confusion table, the paired
        difference from the better baseline and agreement by goal.

    Raises:
        CaseError: If there is no case that isn't a tie.
        FrameworkError: If the framework's weights can't be computed with.
    """
    counted = [case for case in cases if case.winner != "tie"]
    if not counted:
        raise CaseError("there is no case with a winner", fix="add cases whose winner is no tie")
    rules = compile_rules(framework)
    trials = tried(counted, rules, codes)
    return Backtest(
        framework=framework.name,
        codes=codes,
        cases=len(cases),
        ties=len(cases) - len(counted),
        n=len(counted),
        won=sum(trial.won for trial in trials),
        recalled=sum(case.source_status == "recalled" for case in counted),
        clusters=len({trial.cluster for trial in trials}),
        draws=draws,
        rules=_records(trials, rng, draws),
        **_known(counted, rules, codes),
    )


def _known(cases: list[PublishedCase], rules: Rules, codes: Codes) -> dict[str, Any]:
    """How much of what the framework asks the cases answer at all."""
    factors = (*rules.indicators, *rules.anti_indicators)
    coded = [case.coded(codes) for case in cases]
    checks = [case.ceiling_test for case in cases]
    return {
        "factors": len(factors),
        "uncoded": tuple(name for name in factors if all(_open(one, name) for one in coded)),
        "answers": len(cases) * len(factors),
        "unknown_answers": sum(_open(one, name) for one in coded for name in factors),
        "checks": len(rules.checks),
        "unknown_checks": sum(_open(one, name) for one in checks for name in rules.checks),
        "ceilings": sum(all(one.get(name) == "yes" for name in rules.checks) for one in checks),
    }


def _open(states: Mapping[str, State], name: str) -> bool:
    return states.get(name, "unknown") == "unknown"


def _records(trials: list[Trial], rng: np.random.Generator, draws: int) -> tuple[RuleRecord, ...]:
    """All rules on the same draws, so that their differences are paired."""
    right = {rule: [float(trial.says[rule] == trial.won) for trial in trials] for rule in RULES}
    baseline = max(_BASELINES, key=lambda rule: sum(right[rule]))
    lead = {
        rule: [mine - its for mine, its in zip(right[rule], right[baseline], strict=True)]
        for rule in RULES
    }
    columns = [*(right[rule] for rule in RULES), *(lead[rule] for rule in RULES)]
    drawn = _drawn(columns, [trial.cluster for trial in trials], rng, draws)
    return tuple(
        RuleRecord(
            rule=rule,
            agreement=_agreement(trials, rule, alone),
            confusion=_confusion(trials, rule),
            against=None if rule in _BASELINES else _against(baseline, lead[rule], ahead),
            by_goal=_by_goal(trials, rule),
        )
        for rule, alone, ahead in zip(RULES, drawn[: len(RULES)], drawn[len(RULES) :], strict=True)
    )


def _drawn(
    columns: list[list[float]], clusters: list[str], rng: np.random.Generator, draws: int
) -> Sequence[tuple[float, float] | None]:
    """An interval for each column, or None for each where there are too few clusters."""
    if len(set(clusters)) < ENOUGH_CLUSTERS:
        return [None] * len(columns)
    rows = list(zip(*columns, strict=True))
    return percentile_interval(cluster_means(rows, clusters, rng=rng, draws=draws))


def _agreement(
    trials: list[Trial], rule: RuleId, drawn: tuple[float, float] | None = None
) -> RuleAgreement:
    """Agreement with the interval drawn, or Wilson's where none was drawn or it has no width."""
    n, agreed = len(trials), sum(trial.says[rule] == trial.won for trial in trials)
    if drawn is not None and drawn[0] < drawn[1]:
        interval = RateInterval(low=drawn[0], high=drawn[1], method="cluster_bootstrap")
    else:
        worth = independent_cases([trial.cluster for trial in trials])
        low, high = wilson(agreed / n * worth, worth)
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


def _against(baseline: RuleId, lead: list[float], drawn: tuple[float, float] | None) -> Against:
    value = sum(lead) / len(lead)
    if drawn is None:
        cure = Unknown(ask=f"Add cases from at least {ENOUGH_CLUSTERS} papers or companies")
        return Against(baseline=baseline, difference=value, interval=cure, excludes_zero="unknown")
    low, high = drawn
    return Against(
        baseline=baseline,
        difference=value,
        interval=RateInterval(low=low, high=high, method="cluster_bootstrap"),
        excludes_zero="yes" if low > 0 or high < 0 else "no",
    )


def _by_goal(trials: list[Trial], rule: RuleId) -> tuple[GoalRecord, ...]:
    """Every goal, Wilson throughout: groups are too small for drawing clusters again."""
    sizes = Counter(trial.goal for trial in trials)
    result = []
    for goal in sorted(sizes, key=lambda goal: (-sizes[goal], goal)):
        part = [trial for trial in trials if trial.goal == goal]
        won = sum(trial.won for trial in part)
        result.append(GoalRecord(goal=goal, won=won, agreement=_agreement(part, rule)))
    return tuple(result)


# Two frameworks against each other.

_ASKED = tuple(rule for rule in RULES if rule not in ("always", "never"))

_MORE = Unknown(ask=f"Add cases from at least {ENOUGH_CLUSTERS} papers, companies or projects")


def gap(
    cases: Sequence[PublishedCase],
    framework: Framework,
    other: Framework,
    *,
    codes: Codes,
    rng: np.random.Generator,
    draws: int = RESAMPLES,
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
    drawn = _judge_drawn(leads, clusters, rng, draws)
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
    rule: RuleId, mine: Sequence[Trial], its: Sequence[Trial], interval: RateInterval | Unknown
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


def _judge_drawn(
    columns: Sequence[Sequence[float]],
    clusters: Sequence[str],
    rng: np.random.Generator,
    draws: int,
) -> list[RateInterval | Unknown]:
    """An interval for each column on the same draws, or what it takes where clusters are few."""
    if len(set(clusters)) < ENOUGH_CLUSTERS:
        return [_MORE] * len(columns)
    rows = list(zip(*columns, strict=True))
    return [
        RateInterval(low=low, high=high, method="cluster_bootstrap")
        for low, high in percentile_interval(cluster_means(rows, clusters, rng=rng, draws=draws))
    ]


def _excludes_zero(interval: RateInterval | Unknown) -> State:
    if isinstance(interval, Unknown):
        return "unknown"
    return "yes" if interval.low > 0 or interval.high < 0 else "no"
