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

_LOOP_UP_TO = 4096
_TABLE_UP_TO = 1 << 24
_MOST = 1 << 22
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
        return frozenset(
            o for o, cells in zip(self.outcomes, self.steps, strict=True) if cells
        )

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
        of_checks, of_reasons, of_against = map(_chances_by_yeses, odds, self.open)
        ends: dict[Outcome, list[float]] = {outcome: [] for outcome in OUTCOMES}
        for outcome, cells in zip(self.outcomes, self.steps, strict=True):
            ends[outcome] += [
                many * of_checks[checks] * of_reasons[reasons] * of_against[against]
                for (checks, reasons, against), many in cells.items()
            ]
        return {outcome: min(1.0, math.fsum(terms)) for outcome, terms in ends.items()}


def _chances_by_yeses(odds: float, answers: int) -> list[float]:
    """For each number of yeses, the chance that just certain answers are yes."""
    return [odds**yes * (1 - odds) ** (answers - yes) for yes in range(answers + 1)]


_COUNTED = WeakKeyDictionary[Rules, dict[tuple[Groups, Named], Completions]]()
_STEPS = WeakKeyDictionary[
    Rules, dict[tuple[Tests, ...], dict[tuple[int, ...], tuple[int, ...]]]
]()
"""Steps that were computed before, kept while their framework is in use.

Equal answers lead to equal tallies."""


def tally(rules: Rules, states: States) -> Completions:
    """Count the completions of ``states``, where missing answers are open; a CaseError if too many."""
    asked = _groups(rules, states)
    counted = _COUNTED.setdefault(rules, {})
    if asked not in counted:
        counted[asked] = _count(rules, *asked)
    return counted[asked]


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


def _groups(rules: Rules, states: States) -> tuple[Groups, Named]:
    """Split the answers into three groups, and those that the tree asks for by name."""
    groups = []
    for names, weighs in _names_by_group(rules):
        weights = {name: rules.weights[name] if weighs else 0 for name in names}
        sure = [weight for name, weight in weights.items() if states.get(name) == "yes"]
        left = [
            weight
            for name, weight in weights.items()
            if states.get(name, "unknown") == "unknown" and name not in rules.asked
        ]
        groups.append(
            TallyGroup((len(sure), sum(sure)), tuple(sorted(left)), len(names))
        )
    named = tuple((name, states.get(name, "unknown")) for name in sorted(rules.asked))
    return (groups[0], groups[1], groups[2]), named


def effort(rules: Rules, states: States) -> int:
    """A rough number of the steps that one tally takes."""
    (checks, *weighed), _ = _groups(rules, states)
    cells = math.prod(
        min(1 << len(group.open), (len(group.open) + 1) * (sum(group.open) + 1))
        for group in weighed
    )
    return 10 * min(cells, _LOOP_UP_TO) * (len(checks.open) + 1) + min(
        cells, _TABLE_UP_TO
    )


def _count(rules: Rules, groups: Groups, named: Named) -> Completions:
    """Count the completions of all open answers by the step at which the tree ends."""
    tree = tuple(test for test, _ in rules.steps)
    steps: list[dict[Cell, int]] = [{} for _ in tree]
    for ((step,), cell), many in _count_endings(rules, (tree,), groups, named).items():
        steps[step][cell] = many
    still_open = [len(group.open) for group in groups]
    for place, names in enumerate(
        (rules.checks, rules.indicators, rules.anti_indicators)
    ):
        still_open[place] += sum(
            state == "unknown" for name, state in named if name in names
        )
    outcomes = tuple(outcome for _, outcome in rules.steps)
    return Completions(
        (still_open[0], still_open[1], still_open[2]), tuple(steps), outcomes
    )


def ending(
    rules: Rules, trees: tuple[Tests, ...], states: States
) -> Counter[tuple[tuple[int, ...], Cell]]:
    """Count completions by where they end in each of several trees, and by yeses in each group.

    The trees ask by name only for what the tree of ``rules`` asks for, and have the same bounds.
    """
    return _count_endings(rules, trees, *_groups(rules, states))


def _count_endings(
    rules: Rules, trees: tuple[Tests, ...], groups: Groups, named: Named
) -> Counter[tuple[tuple[int, ...], Cell]]:
    """Count completions by the step at which each tree ends, and by each group's yes answers.

    The answers that a tree asks for by name come first. Of the others only numbers and weights
    matter, so equal ones are counted together: checks by binomial coefficients, reasons for and
    against in pairs.
    """
    checks, indicators, antis = groups
    known_checks, _ = checks.known
    known_indicators, _ = indicators.known
    known_antis, _ = antis.known
    endings: Counter[tuple[tuple[int, ...], Cell]] = Counter()
    for (left, more, weights), alike in _answer_named(rules, trees, named).items():
        more_checks, more_indicators, more_antis = more
        indicator_weight, anti_weight = weights
        pro = _add_known_yes(indicators, more_indicators, indicator_weight)
        con = _add_known_yes(antis, more_antis, anti_weight)
        memory = _STEPS.setdefault(rules, {}).setdefault(left, {})
        ways = [
            alike * math.comb(len(checks.open), yes)
            for yes in range(len(checks.open) + 1)
        ]
        lacking = checks.size - known_checks - more_checks  # for all checks to be yes
        for *pair, count in _pairs(rules.bounds, pro, con):
            pro_yes, _, con_yes, _, _ = pair
            for yes, many in enumerate(ways):
                key = (yes == lacking, *pair)
                ends = memory.get(key)
                if ends is None:
                    ends = tuple(ends_at(tests, key) for tests in left)
                    memory[key] = ends
                cell = (
                    more_checks + yes,
                    pro_yes - known_indicators,
                    con_yes - known_antis,
                )
                endings[ends, cell] += many * count
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
    read: Mapping[Measure, int] = {
        "indicators": pro,
        "indicator_weight": pro_weight,
        "anti_indicators": con,
        "anti_indicator_weight": con_weight,
        "difference": difference,
    }

    def value(atom: Reaches | YesTo) -> bool:
        if isinstance(atom, Reaches):
            return read[atom.measure] >= atom.bound
        return atom.name in yes if atom.name else bool(all_checks)

    return next(index for index, test in enumerate(tests) if holds(test, value))


def _answer_named(rules: Rules, whole: tuple[Tests, ...], named: Named) -> Trees:
    """The trees that are left after every way to answer the questions that they ask by name."""
    trees: Trees = Counter({(whole, (0, 0, 0), (0, 0)): 1})
    for name, state in named:
        grown: Trees = Counter()
        counts, weighs = _added_by_yes(rules, name)
        forests = {forest for forest, *_ in trees}
        after_no = {forest: _answer_forest(forest, name, False) for forest in forests}
        after_yes = {forest: _answer_forest(forest, name, True) for forest in forests}
        for (forest, cell, weights), many in trees.items():
            if state != "yes":
                grown[after_no[forest], cell, weights] += many
            if state == "yes":
                grown[after_yes[forest], cell, weights] += many
            elif state == "unknown":
                checked, pro, con = cell
                cell_if_yes = (checked + counts[0], pro + counts[1], con + counts[2])
                pro_weight, con_weight = weights
                weights_if_yes = (pro_weight + weighs[0], con_weight + weighs[1])
                grown[after_yes[forest], cell_if_yes, weights_if_yes] += many
        trees = grown
        if len(trees) > _LOOP_UP_TO * 8:
            raise _too_many(sum(state == "unknown" for _, state in named))
    return trees


def _added_by_yes(rules: Rules, name: str) -> tuple[Cell, Weighed]:
    """The effect of one yes: on the number in each group, and on the weights for and against."""
    of_checks, of_indicators, of_antis = _names_by_group(rules)
    checks, _ = of_checks
    indicators, for_weighs = of_indicators
    _, against_weighs = of_antis
    if name in checks:
        return (1, 0, 0), (0, 0)
    weight = rules.weights[name]
    if name in indicators:
        return (0, 1, 0), (weight if for_weighs else 0, 0)
    return (0, 0, 1), (0, weight if against_weighs else 0)


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
    else:  # too many states for the classes, so these are gone through one by one
        most = _TABLE_UP_TO // 16
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
        for (yes, total), many in list(states.items()):
            key = (yes + 1, total + weight)
            states[key] = states.get(key, 0) + many
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
    for (i, i_weights, i_counts), ((a, _, a_counts), count_up_to) in pairs:
        # completions of both whose difference reaches the bound of each class; the first is all
        reaching = [int(i_counts.sum()) * int(a_counts.sum())]
        lightest = np.append(0, np.cumsum(a_counts))  # completions of the n lightest
        for cut in cuts:
            # i - a reaches the cut where a is at most i - cut
            partners = lightest[count_up_to(i_weights - cut)]
            reaching.append(int((partners * i_counts).sum()))
        for place, difference in enumerate(classes):
            many = reaching[place]
            if place < len(cuts):
                many -= reaching[place + 1]
            if many:
                yield *i, *a, difference, many


def _make_counter(np: Any, weights: Any) -> Callable[[Any], Any]:
    """A function that says how many of the rising weights are at most another one.

    Where the weights are dense, it looks this up in a table.
    """
    low = int(weights[0])
    span = int(weights[-1] - weights[0])
    if span > 8 * len(weights):
        return lambda others: np.searchsorted(weights, others, side="right")
    table = np.bincount(weights - (low - 1)).cumsum()
    return lambda others: table[np.clip(others - (low - 1), 0, span + 1)]


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
        table = np.zeros((size + 1, span + 1), dtype=np.int64)
        top = 0
        table[0, 0] = 1
        for done, more in enumerate(group.open):
            table[1 : done + 2, more : top + more + 1] += table[: done + 1, : top + 1]
            top += more
        weights = np.arange(weight, weight + span + 1)
        yield from ((yes + many, weights, counts) for many, counts in enumerate(table))
        return
    if 1 << size > _MOST:
        raise _too_many(size)
    rows = [np.full(1, weight, dtype=np.int64)]
    for more in group.open:
        # with one more answer: as many yeses without it, or one fewer and this one
        with_it = [row + more for row in rows]
        both = map(np.append, rows[1:], with_it)
        rows = [rows[0], *both, with_it[-1]]
    for many, row in enumerate(rows):
        weights = np.sort(row)
        yield yes + many, weights, np.ones(len(row), dtype=np.int64)
