"""What a framework's rules say about published cases, case by case.

Unknown counts as not yes here, neither for a reason nor against one: a rule needs a side to be
judged by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tuneworthy.domain.precedent import Codes, PublishedCase, RuleId
from tuneworthy.domain.record import State
from tuneworthy.framework.rules import Rules
from tuneworthy.framework.tally import group, tally


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
