"""How often the lesson's rules would have been right about the published cases.

python evidence/published/backtest.py    print the tables of how-often-is-it-right.md (a minute)

Ties are left out. An answer that is unknown does not count as yes, neither for a reason nor against
one: a rule needs a side to be judged by.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from published import CODES, Codes, PublishedCase, untied_cases

from tuneworthy.framework.load import load_named
from tuneworthy.framework.rules import Rules, compile_rules
from tuneworthy.precedents.record import rule_says, tree_says_tune
from tuneworthy.stats.clustered import RESAMPLES, cluster_means, percentile_interval
from tuneworthy.words import plain

RULES = {
    "tree_recorded": "tree, checks as recorded",
    "tree_granted": "tree, ceiling granted",
    "score": "score moderate or up",
    "difference": "difference moderate or up",
    "always": "always fine-tune",
    "never": "never fine-tune",
}
BASELINE = "always"  #: The baseline that is right more often, and has to be beaten.


class Trial(NamedTuple):
    """One case with what every rule says about it: whether to tune."""

    cluster: str
    goal: str
    won: bool
    says: Mapping[str, bool]

    def right(self, rule: str) -> float:
        """1 where a rule is right, 0 where it isn't."""
        return float(self.says[rule] == self.won)


class Row(NamedTuple):
    """How often a rule is right, and by how much more than the baseline, with 95% intervals."""

    rule: str
    right: int
    n: int
    interval: tuple[float, float]
    lead: float
    lead_interval: tuple[float, float]

    @property
    def is_apart(self) -> bool:
        """Whether the interval of the lead leaves zero out."""
        low, high = self.lead_interval
        return low > 0 or high < 0


def trials_of(
    cases: Sequence[PublishedCase], rules: Rules, codes: Codes
) -> list[Trial]:
    """Each case with what the rules say about it, in the order of the cases."""
    trials = []
    for case in cases:
        yes = {name for name, state in case.coded(codes).items() if state == "yes"}
        checks = {name for name, state in case.ceiling_test.items() if state == "yes"}
        says = {str(rule): tune for rule, tune in rule_says(rules, yes).items()}
        says["tree_recorded"] = tree_says_tune(rules, yes, checks)
        says["never"] = False
        trials.append(
            Trial(case.group, case.goal_kind or "unknown", case.tuning_won, says)
        )
    return trials


def backtest(
    trials: Sequence[Trial], *, rng: np.random.Generator, draws: int = RESAMPLES
) -> tuple[Row, ...]:
    """Every rule on the same draws of whole clusters, so that their leads are paired."""
    right = {rule: [trial.right(rule) for trial in trials] for rule in RULES}
    columns = [*right.values()]
    for rule in RULES:
        pairs = zip(right[rule], right[BASELINE], strict=True)
        columns.append([mine - its for mine, its in pairs])
    clusters = [trial.cluster for trial in trials]
    means = cluster_means(
        list(zip(*columns, strict=True)), clusters, rng=rng, draws=draws
    )
    intervals = percentile_interval(means)
    rows = []
    for place, rule in enumerate(RULES):
        lead = columns[len(RULES) + place]
        rows.append(
            Row(
                rule=rule,
                right=int(sum(right[rule])),
                n=len(trials),
                interval=intervals[place],
                lead=sum(lead) / len(trials),
                lead_interval=intervals[len(RULES) + place],
            )
        )
    return tuple(rows)


def rows_of(codes: Codes, *, seed: int = 0, draws: int = RESAMPLES) -> tuple[Row, ...]:
    """The lesson's rules by the answers of one coder."""
    trials = trials_of(untied_cases(), compile_rules(load_named("lesson")), codes)
    return backtest(trials, rng=np.random.default_rng(seed), draws=draws)


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The lines of a coder's table on the page."""
    yield f"| Rule (n = {rows[0].n}) | right |  | 95% | points over {BASELINE} | apart |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for row in rows:
        low, high = row.interval
        cells = [RULES[row.rule], str(row.right), f"{100 * row.right / row.n:.0f}%"]
        cells.append(f"{100 * low:.0f}–{100 * high:.0f}%")
        if row.rule in ("always", "never"):
            yield f"| {' | '.join(cells)} |  |  |"
            continue
        low, high = row.lead_interval
        cells.append(f"{_points(row.lead, '+')} ({_points(low)} to {_points(high)})")
        cells.append("yes" if row.is_apart else "no")
        yield f"| {' | '.join(cells)} |"


def _points(share: float, sign: str = "") -> str:
    """Whole points, without a minus before zero."""
    rounded = round(100 * share)
    return f"{rounded:{sign}d}"


def by_goal(codes: Codes) -> Iterator[str]:
    """The lines of the table by goal, the most frequent goal first."""
    trials = trials_of(untied_cases(), compile_rules(load_named("lesson")), codes)
    sizes = Counter(trial.goal for trial in trials)
    yield "| goal | n | won | tree | granted | score | diff. | always | never |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for goal, n in sorted(sizes.items(), key=lambda item: (-item[1], item[0])):
        part = [trial for trial in trials if trial.goal == goal]
        won = sum(trial.won for trial in part)
        rights = [int(sum(trial.right(rule) for trial in part)) for rule in RULES]
        yield f"| {plain(goal)} | {n} | {won} | {' | '.join(map(str, rights))} |"


def main() -> int:
    """Print every table of the page."""
    for codes in CODES:
        print(f"Answers: {codes}\n")
        print("\n".join(table(rows_of(codes))), "\n")
    print("By goal, first blind coder\n")
    print("\n".join(by_goal("blind1")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
