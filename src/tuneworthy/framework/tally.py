"""Counts every completion of the open answers by the step of a tree that it ends at.

A completion gives every open answer a yes or a no. Completions are not listed one by one. Answers
that the tree asks for by name are put into it one after the other, and trees that become equal are
counted together. The other answers fall into three groups: checks, indicators and anti-indicators.
Of a group the tree reads only how many are yes and, at a few bounds, what they weigh. So a group is
reduced to the number of completions for each count and weight, and the weights are compared with
the bounds.

Everything is whole numbers, so the shares are exact.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise, product
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from tuneworthy.errors import CaseError
from tuneworthy.framework.rules import (
    Measure,
    Reaches,
    Rules,
    Test,
    YesTo,
    holds,
    put_in,
)
from tuneworthy.model.base import State, States
from tuneworthy.model.framework import OUTCOMES, Outcome

# states of a group, or pairs of states, that Python goes through one by one
_LOOP_UP_TO = 4096
# cells of a table of counts and weights: 128 MiB of whole numbers
_TABLE_UP_TO = 1 << 24
_MOST = 1 << 22  # completions of a group whose weights are too many for a table
_MOST_STATES = 32_768  # of the trees, each of which is then counted by itself
_LOOP_IF_INEXACT = 1 << 20  # pairs, where only Python's whole numbers are large enough
_EXACT = 62  # open answers whose completions a 64-bit whole number counts

Cell = tuple[int, int, int]
"""How many open checks, indicators and anti-indicators a completion answers with yes."""

Weighed = tuple[int, int]
"""How many answers of a group are yes, and their scaled weight; 0 where the tree reads no weight."""

Tests = tuple[Test, ...]  #: Of which the first that holds decides, as in a tree.

Trees = Counter[tuple[tuple[Tests, ...], Cell, tuple[int, int]]]
"""How many completions lead to each state of the trees.

A state has the tests that are left of each tree, and the yes answers and the weights that answers
put in by name have added."""


class TallyGroup(NamedTuple):
    """The answers of one kind, reduced to what the tree can distinguish."""

    known: Weighed  #: The answers that are certainly yes.
    #: Scaled weight of every open answer that nothing names, sorted.
    open: tuple[int, ...]
    size: int  #: How many answers there are, open, yes or no.


Named = tuple[tuple[str, State], ...]  #: Answers that the tree asks for by name.
#: Checks, indicators and anti-indicators.
Groups = tuple[TallyGroup, TallyGroup, TallyGroup]


class SplitAnswers(NamedTuple):
    """The answers of a case as the tree reads them."""

    groups: Groups
    named: Named


@dataclass(frozen=True, eq=False)
class Completions:
    open: Cell  #: Open answers of each group: checks, indicators, anti-indicators.
    steps: tuple[dict[Cell, int], ...]
    """For each step of the tree, how many completions end there, by how many of each group are yes."""
    outcomes: tuple[Outcome, ...]  #: The outcome of each step.

    @property
    def ending(self) -> tuple[int, ...]:
        """The number of completions that end at each step."""
        return tuple(sum(cells.values()) for cells in self.steps)

    @cached_property
    def reach(self) -> frozenset[Outcome]:
        """The outcomes that some completion reaches; never empty."""
        reached = set[Outcome]()
        for outcome, cells in zip(self.outcomes, self.steps, strict=True):
            if cells:
                reached.add(outcome)
        return frozenset(reached)

    @cached_property
    def even(self) -> Mapping[Outcome, float]:
        """The share of each outcome at even odds for every open answer."""
        return self.shares()

    @cached_property
    def doubt(self) -> float:
        """The bits of doubt about the outcome at even odds for every open answer."""
        return -sum(
            share * math.log2(share) for share in self.even.values() if share > 0
        )

    def shares(
        self, odds: tuple[float, float, float] = (0.5, 0.5, 0.5)
    ) -> dict[Outcome, float]:
        """The share of each outcome when every open answer of a group is yes with the group's odds."""
        odds_of_checks, odds_of_reasons, odds_of_against = odds
        open_checks, open_reasons, open_against = self.open
        of_checks = _chances_by_yeses(odds_of_checks, open_checks)
        of_reasons = _chances_by_yeses(odds_of_reasons, open_reasons)
        of_against = _chances_by_yeses(odds_of_against, open_against)
        ends: dict[Outcome, list[float]] = {outcome: [] for outcome in OUTCOMES}
        for outcome, cells in zip(self.outcomes, self.steps, strict=True):
            ends[outcome] += [
                many * of_checks[checks] * of_reasons[reasons] * of_against[against]
                for (checks, reasons, against), many in cells.items()
            ]
        # rounding may add up to a little more than 1
        return {outcome: min(1.0, math.fsum(terms)) for outcome, terms in ends.items()}


def _chances_by_yeses(odds: float, answers: int) -> list[float]:
    """For each number of yeses, the chance that just certain answers are yes."""
    return [odds**yes * (1 - odds) ** (answers - yes) for yes in range(answers + 1)]


_COUNTED = WeakKeyDictionary[Rules, dict[SplitAnswers, Completions]]()
_STEPS = WeakKeyDictionary[
    Rules, dict[tuple[Tests, ...], dict[tuple[int, ...], tuple[int, ...]]]
]()
"""Steps that were computed before, kept while their framework is in use.

Equal answers lead to equal tallies."""


def tally(rules: Rules, states: States) -> Completions:
    """Count the completions of ``states``, where missing answers are open; a CaseError if too many."""
    answers = _groups(rules, states)
    counted = _COUNTED.setdefault(rules, {})
    if answers not in counted:
        counted[answers] = _count(rules, answers)
    return counted[answers]


def _names_by_group(rules: Rules) -> tuple[tuple[tuple[str, ...], bool], ...]:
    """The names of each group's answers, and whether the tree reads their weight or number only.

    Where the tree reads the difference of reasons for and against, the weights of both matter.
    """
    reads_difference = "difference" in rules.bounds
    for_weighs = reads_difference or "indicator_weight" in rules.bounds
    against_weighs = reads_difference or "anti_indicator_weight" in rules.bounds
    return (
        (rules.checks, False),
        (rules.indicators, for_weighs),
        (rules.anti_indicators, against_weighs),
    )


def _groups(rules: Rules, states: States) -> SplitAnswers:
    """Split the answers into three groups, and those that the tree asks for by name."""
    groups = []
    for names, weighs in _names_by_group(rules):
        sure = list[int]()
        still_open = list[int]()
        for name in names:
            weight = rules.weights[name] if weighs else 0
            state = states.get(name, "unknown")
            if state == "yes":
                sure.append(weight)
            elif state == "unknown" and name not in rules.asked:
                still_open.append(weight)
        known = (len(sure), sum(sure))
        # sorted, so that equal groups are equal whatever the order of their answers
        groups.append(TallyGroup(known, tuple(sorted(still_open)), len(names)))
    named = tuple((name, states.get(name, "unknown")) for name in sorted(rules.asked))
    checks, indicators, anti_indicators = groups
    return SplitAnswers((checks, indicators, anti_indicators), named)


def effort(rules: Rules, states: States) -> int:
    """A rough number of the steps that one tally takes.

    A pair of states that Python goes through counts 10 for each number of checks, and a cell of a
    table 1.
    """
    checks, *weighed = _groups(rules, states).groups
    cells = 1
    for group in weighed:
        many = len(group.open)
        by_completion = 1 << many
        by_count_and_weight = (many + 1) * (sum(group.open) + 1)
        cells *= min(by_completion, by_count_and_weight)
    looped = 10 * min(cells, _LOOP_UP_TO) * (len(checks.open) + 1)
    return looped + min(cells, _TABLE_UP_TO)


def _count(rules: Rules, answers: SplitAnswers) -> Completions:
    """Count the completions of all open answers by the step at which the tree ends."""
    tree = tuple(test for test, _ in rules.steps)
    steps: list[dict[Cell, int]] = [{} for _ in tree]
    for (ends, cell), many in _count_endings(rules, (tree,), answers).items():
        (step,) = ends  # there is one tree
        steps[step][cell] = many
    still_open = []
    for (names, _), group in zip(_names_by_group(rules), answers.groups, strict=True):
        many = len(group.open)
        # a group's open answers lack those that the tree asks for by name
        for name, state in answers.named:
            if name in names and state == "unknown":
                many += 1
        still_open.append(many)
    checks, indicators, anti_indicators = still_open
    outcomes = tuple(outcome for _, outcome in rules.steps)
    return Completions((checks, indicators, anti_indicators), tuple(steps), outcomes)


def ending(
    rules: Rules, trees: tuple[Tests, ...], states: States
) -> Counter[tuple[tuple[int, ...], Cell]]:
    """Count completions by where they end in each of several trees, and by yeses in each group.

    The trees ask by name only for what the tree of ``rules`` asks for, and have the same bounds.
    """
    return _count_endings(rules, trees, _groups(rules, states))


def _count_endings(
    rules: Rules, trees: tuple[Tests, ...], answers: SplitAnswers
) -> Counter[tuple[tuple[int, ...], Cell]]:
    """Count completions by the step at which each tree ends, and by each group's yes answers.

    The answers that a tree asks for by name come first. Of the others only numbers and weights
    matter, so equal ones are counted together: checks by binomial coefficients, reasons for and
    against in pairs.
    """
    checks, indicators, antis = answers.groups
    known_checks, _ = checks.known
    known_indicators, _ = indicators.known
    known_antis, _ = antis.known
    # for each number of open checks that are yes, how many completions have it
    choices = [math.comb(len(checks.open), yes) for yes in range(len(checks.open) + 1)]
    endings: Counter[tuple[tuple[int, ...], Cell]] = Counter()
    after_named = _answer_named(rules, trees, answers.named)
    for (trees_left, added_yes, added_weights), same_state in after_named.items():
        named_checks, named_indicators, named_antis = added_yes
        indicator_weight, anti_weight = added_weights
        pro = _add_known_yes(indicators, named_indicators, indicator_weight)
        con = _add_known_yes(antis, named_antis, anti_weight)
        by_checks = [same_state * many for many in choices]
        # later tallies of the same rules meet the same combinations
        memory = _STEPS.setdefault(rules, {}).setdefault(trees_left, {})
        # how many of the open checks have to be yes for all checks to be yes
        checks_lacking = checks.size - known_checks - named_checks
        for *pair, pair_completions in _pairs(rules.bounds, pro, con):
            pro_yes, _, con_yes, _, _ = pair
            for checks_yes, completions in enumerate(by_checks):
                combination = (checks_yes == checks_lacking, *pair)
                ends = memory.get(combination)
                if ends is None:
                    ends = tuple(ends_at(tests, combination) for tests in trees_left)
                    memory[combination] = ends
                # a cell counts open answers alone
                cell = (
                    named_checks + checks_yes,
                    pro_yes - known_indicators,
                    con_yes - known_antis,
                )
                endings[ends, cell] += completions * pair_completions
    return endings


def _add_known_yes(group: TallyGroup, yes: int, weight: int) -> TallyGroup:
    """Add answers to a group that are known to be yes."""
    known_yes, known_weight = group.known
    return group._replace(known=(known_yes + yes, known_weight + weight))


def ends_at(
    tests: Tests, combination: tuple[int, ...], yes: Container[str] = ()
) -> int:
    """The index of the first test that holds; ``yes`` has the answers that are still asked by name.

    A ``combination`` is whether all checks are yes, the number and weight of reasons for, the number
    and weight of reasons against, and the difference of the weights.
    """
    all_checks, pro, pro_weight, con, con_weight, difference = combination
    measured: Mapping[Measure, int] = {
        "indicators": pro,
        "indicator_weight": pro_weight,
        "anti_indicators": con,
        "anti_indicator_weight": con_weight,
        "difference": difference,
    }

    def read(atom: Reaches | YesTo) -> bool:
        if isinstance(atom, Reaches):
            return measured[atom.measure] >= atom.bound
        return atom.name in yes if atom.name else bool(all_checks)

    for index, test in enumerate(tests):
        if holds(test, read):
            return index
    raise AssertionError("the last test of a tree always holds")


def _answer_named(rules: Rules, whole: tuple[Tests, ...], named: Named) -> Trees:
    """The trees that are left after every way to answer the questions that they ask by name."""
    no_yes: Cell = (0, 0, 0)
    no_weight = (0, 0)
    trees: Trees = Counter({(whole, no_yes, no_weight): 1})
    for name, state in named:
        trees = _put_answer_in(rules, trees, name, state)
        if len(trees) > _MOST_STATES:
            still_open = [name for name, each in named if each == "unknown"]
            raise _too_many(len(still_open))
    return trees


def _put_answer_in(rules: Rules, trees: Trees, name: str, state: State) -> Trees:
    """Put one answer into every state of the trees, an open one as a no and as a yes.

    An answer that is yes is among the known ones of its group already, so only an open one that
    becomes yes adds to numbers and weights.
    """
    grown: Trees = Counter()
    added = _added_by_yes(rules, name)
    forests = {forest for forest, _, _ in trees}
    after_no = {forest: _answer_forest(forest, name, False) for forest in forests}
    after_yes = {forest: _answer_forest(forest, name, True) for forest in forests}
    for (forest, cell, weights), many in trees.items():
        if state == "yes":
            grown[after_yes[forest], cell, weights] += many
            continue
        grown[after_no[forest], cell, weights] += many
        if state == "unknown":
            checks, pro, con = cell
            cell_if_yes = (
                checks + added.checks,
                pro + added.indicators,
                con + added.anti_indicators,
            )
            pro_weight, con_weight = weights
            weights_if_yes = (
                pro_weight + added.indicator_weight,
                con_weight + added.anti_indicator_weight,
            )
            grown[after_yes[forest], cell_if_yes, weights_if_yes] += many
    return grown


class _Added(NamedTuple):
    """The effect of one yes on the numbers of the three groups, and on two weights."""

    checks: int = 0
    indicators: int = 0
    anti_indicators: int = 0
    indicator_weight: int = 0
    anti_indicator_weight: int = 0


def _added_by_yes(rules: Rules, name: str) -> _Added:
    """The effect of one yes; a weight that the tree doesn't read counts as 0."""
    _, (_, for_weighs), (_, against_weighs) = _names_by_group(rules)
    weight = rules.weights[name]
    if name in rules.checks:
        return _Added(checks=1)
    if name in rules.indicators:
        return _Added(indicators=1, indicator_weight=weight if for_weighs else 0)
    return _Added(
        anti_indicators=1, anti_indicator_weight=weight if against_weighs else 0
    )


def _answer_forest(
    forest: tuple[Tests, ...], name: str, answer: bool
) -> tuple[Tests, ...]:
    return tuple(_put_in_each(tests, name, answer) for tests in forest)


def _put_in_each(tests: Tests, name: str, answer: bool) -> Tests:
    """Put one answer into the tests; tests behind one that holds for certain are left out."""
    reached = []
    for test in tests:
        test_then = put_in(test, name, answer)
        reached.append(test_then)
        if test_then is True:  # the tree ends here
            break
    return tuple(reached)


def _too_many(still_open: int) -> CaseError:
    return CaseError(
        f"{still_open} answers of different weight are open, "
        "more combinations than can be gone through",
        fix="answer a few of them, or give some of them equal weights",
    )


Pair = tuple[int, int, int, int, int, int]
"""The counts and weights of indicators and anti-indicators, the difference, and the completions."""


def _pairs(
    bounds: Mapping[Measure, tuple[int, ...]], left: TallyGroup, right: TallyGroup
) -> Iterable[Pair]:
    """Pair the completions of two groups: one by one while they are few, else by bounds reached."""
    if len(left.open) + len(right.open) <= _EXACT:
        most = _LOOP_UP_TO
    else:  # the classes count in 64 bits, which these completions exceed
        most = _LOOP_IF_INEXACT
    lefts = _states(left)
    rights = _states(right)
    if lefts is not None and rights is not None and len(lefts) * len(rights) <= most:
        return _products(lefts, rights)
    return _classes(bounds, left, right)


def _products(
    lefts: Mapping[Weighed, int], rights: Mapping[Weighed, int]
) -> Iterator[Pair]:
    """Pair every completion of one group with every one of the other."""
    for (count, weight), many in lefts.items():
        for (other_count, other_weight), other_many in rights.items():
            difference = weight - other_weight
            both = many * other_many
            yield count, weight, other_count, other_weight, difference, both


@lru_cache(maxsize=1024)
def _states(group: TallyGroup) -> dict[Weighed, int] | None:
    """The completions of a group by count and weight; None where these are too many."""
    states = {group.known: 1}
    for weight in group.open:
        # each state stays for a no, and moves on for a yes
        for (yes, total), many in list(states.items()):
            with_yes = (yes + 1, total + weight)
            states[with_yes] = states.get(with_yes, 0) + many
        if len(states) > _LOOP_UP_TO:
            return None
    return states


def _classes(
    bounds: Mapping[Measure, tuple[int, ...]], left: TallyGroup, right: TallyGroup
) -> Iterator[Pair]:
    """Pair the completions of two groups by count and by the bounds that their weights reach."""
    import numpy as np  # only here: most frameworks count, and never need it

    if len(left.open) + len(right.open) > _EXACT:
        raise _too_many(len(left.open) + len(right.open))
    cuts = bounds.get("difference", ())
    lefts = _weights_by_class(left, bounds.get("indicator_weight", ()), bool(cuts))
    rights = _weights_by_class(
        right, bounds.get("anti_indicator_weight", ()), bool(cuts)
    )
    counters = [_make_counter(np, weights) for _, weights, _ in rights]
    # each class of differences is named by its lower bound, the first by a number below all bounds
    classes = [cuts[0] - 1 if cuts else 0, *cuts]
    pairs = product(lefts, zip(rights, counters, strict=True))
    for left_class, (right_class, count_up_to) in pairs:
        left_yes_and_weight, left_weights, left_counts = left_class
        right_yes_and_weight, _, right_counts = right_class
        # completions of both whose difference reaches the bound of each class; the first is all
        reaching = [int(left_counts.sum()) * int(right_counts.sum())]
        # completions of the n lightest on the right
        lightest = np.append(0, np.cumsum(right_counts))
        for cut in cuts:
            # left - right reaches the cut where right is at most left - cut
            partners = lightest[count_up_to(left_weights - cut)]
            reaching.append(int((partners * left_counts).sum()))
        # what reaches a class but not the next one is in it; the last class has no next
        reaching.append(0)
        for difference, (here, next_one) in zip(
            classes, pairwise(reaching), strict=True
        ):
            in_class = here - next_one
            if in_class:
                yield *left_yes_and_weight, *right_yes_and_weight, difference, in_class


def _make_counter(np: Any, weights: Any) -> Callable[[Any], Any]:
    """A function that says how many of the rising weights are at most another one.

    Where the weights are dense, it looks this up in a table.
    """
    lightest = int(weights[0])
    below = lightest - 1  # the place in the table of what no weight reaches
    span = int(weights[-1]) - lightest
    if span > 8 * len(weights):  # so sparse a table would cost more than a search
        return lambda others: np.searchsorted(weights, others, side="right")
    table = np.bincount(weights - below).cumsum()
    return lambda others: table[np.clip(others - below, 0, span + 1)]


@lru_cache(maxsize=4)
def _weights_by_class(
    group: TallyGroup, bounds: tuple[int, ...], whole: bool
) -> list[tuple[Weighed, Any, Any]]:
    """For each count and each bound reached: the weights that stand for it, and the completions.

    A weight stands for all weights of its class, and weights are sorted. Without ``whole`` all
    weights are one class.
    """
    import numpy as np

    classes = []
    # each class is named by its lower bound, the first by a number below all bounds
    names = [bounds[0] - 1 if bounds else 0, *bounds]
    for yes, weights, counts in _weights_by_count(np, group):
        ends = [0, *np.searchsorted(weights, bounds).tolist(), len(weights)]
        for weight, (first, last) in zip(names, pairwise(ends), strict=True):
            in_class = counts[first:last]
            if not in_class.any():
                continue
            if whole:
                occurs = in_class.nonzero()
                own = weights[first:last][occurs]
                classes.append(((yes, weight), own, in_class[occurs]))
            else:
                total = np.array([in_class.sum()])
                classes.append(((yes, weight), np.array([weight]), total))
    return classes


def _weights_by_count(np: Any, group: TallyGroup) -> Iterator[tuple[int, Any, Any]]:
    """For each count of answers that are yes: the rising weights, and the completions of each."""
    size = len(group.open)
    span = sum(group.open)
    yes, weight = group.known
    if (size + 1) * (span + 1) <= _TABLE_UP_TO:
        table = _table_of_completions(np, group.open)
        weights = np.arange(weight, weight + span + 1)
        for many, counts in enumerate(table):
            yield yes + many, weights, counts
        return
    if 1 << size > _MOST:
        raise _too_many(size)
    # rows[n] has the weight of every completion with n yeses
    rows = [np.full(1, weight, dtype=np.int64)]
    for more in group.open:
        # with one more answer: as many yeses without it, or one fewer and this one
        with_it = [row + more for row in rows]
        both = [
            np.append(without, one_fewer)
            for without, one_fewer in zip(rows[1:], with_it[:-1], strict=True)
        ]
        rows = [rows[0], *both, with_it[-1]]
    for many, row in enumerate(rows):
        weights = np.sort(row)
        yield yes + many, weights, np.ones(len(row), dtype=np.int64)


def _table_of_completions(np: Any, weights: tuple[int, ...]) -> Any:
    """The completions of open answers, by how many are yes (rows) and what they weigh (columns)."""
    table = np.zeros((len(weights) + 1, sum(weights) + 1), dtype=np.int64)
    table[0, 0] = 1
    heaviest = 0  # of the answers that are in the table
    for done, weight in enumerate(weights):
        # a yes moves a completion one row down, and to the right by its weight
        before = table[: done + 1, : heaviest + 1]
        table[1 : done + 2, weight : heaviest + weight + 1] += before
        heaviest += weight
    return table
