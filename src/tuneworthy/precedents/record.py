"""How often a framework's rules were right about the published cases.

The answers are the first blind coder's. An unknown one doesn't count as yes, neither for a reason
nor against one, as a rule needs a definite answer. Ties are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache

from tuneworthy.framework.rules import Rules, compile_rules
from tuneworthy.framework.tally import tally
from tuneworthy.model.base import State, Unknown
from tuneworthy.model.framework import Framework
from tuneworthy.model.precedents import (
    WINS_OF_TUNING,
    Precedent,
    PrecedentIndex,
    RuleId,
    RuleOnCases,
)
from tuneworthy.stats.intervals import wilson_by_cluster
from tuneworthy.words import plain

_RULES: tuple[RuleId, ...] = ("tree_granted", "score", "difference", "always")


def tuning_won(case: Precedent) -> bool:
    """Whether tuning, alone or in a hybrid, measured best; a tie isn't a win."""
    return case.shown["winner"] in WINS_OF_TUNING


def tree_says_tune(rules: Rules, yes: Collection[str], checks: Collection[str]) -> bool:
    """Whether the tree ends at a candidate if these factors and checks are yes, and others no."""
    states: dict[str, State] = {}
    for name in (*rules.indicators, *rules.anti_indicators):
        states[name] = "yes" if name in yes else "no"
    for name in rules.checks:
        states[name] = "yes" if name in checks else "no"
    return tally(rules, states).reach == {"fine_tune_candidate"}


def rule_says(rules: Rules, yes: Collection[str]) -> dict[RuleId, bool]:
    """Whether each rule says tune, if these factors are yes and the ceiling is granted.

    A rule with grades says so at moderate or above.
    """
    reasons = sum(rules.weights[name] for name in rules.indicators if name in yes)
    against = sum(rules.weights[name] for name in rules.anti_indicators if name in yes)
    difference = reasons - against
    return {
        "tree_granted": tree_says_tune(rules, yes, rules.checks),
        "score": rules.score_cuts.band(difference) != "weak",
        "difference": rules.difference_cuts.band(difference) != "weak",
        "always": True,
    }


@lru_cache(maxsize=64)
def record_for_goal(
    index: PrecedentIndex, goal: str, rules: Rules, least: int
) -> tuple[RuleOnCases, ...]:
    """How often each rule was right for the primary goal; for all goals where it has too few cases."""
    untied = _cases_with_winner(index)
    of_goal = [case for case in untied if case.shown["goal"] == goal]
    if len(of_goal) >= least:
        return _record(of_goal, f"published cases of {plain(goal)}", rules)
    return _record(untied, "published cases", rules)


def record_of(
    framework: Framework, index: PrecedentIndex
) -> tuple[RuleOnCases, ...] | Unknown:
    """How often a framework's rules were right about all published cases.

    Unknown for a framework that was fitted to such cases, as they can't judge it. Unknown, too, for
    one whose questions no case answers: it would say no to each.
    """
    if framework.fitted_on is not None:
        return Unknown(ask="judge it by cases that it wasn't fitted to")
    rules = compile_rules(framework)
    answered = {name for case in index.cases for name in case.answers}
    if answered.isdisjoint((*rules.indicators, *rules.anti_indicators)):
        return Unknown(ask="the published cases answer none of its questions")
    return _record(_cases_with_winner(index), "published cases", rules)


def _cases_with_winner(index: PrecedentIndex) -> list[Precedent]:
    return [case for case in index.cases if case.shown["winner"] != "tie"]


def _record(
    cases: Sequence[Precedent], of: str, rules: Rules
) -> tuple[RuleOnCases, ...]:
    """How often each rule was right about published cases, with an interval over clusters.

    Cases from one paper or company aren't independent, so they are one cluster.
    """
    clusters = [case.cluster for case in cases]
    verdicts = [rule_says(rules, case.yes) for case in cases]
    wins = [tuning_won(case) for case in cases]
    rows: list[RuleOnCases] = []
    for rule in _RULES:
        pairs = zip(verdicts, wins, strict=True)
        right = [says[rule] == won for says, won in pairs].count(True)
        low, high = wilson_by_cluster(right, clusters)
        rows.append(
            RuleOnCases(rule=rule, of=of, n=len(cases), right=right, low=low, high=high)
        )
    return tuple(rows)
