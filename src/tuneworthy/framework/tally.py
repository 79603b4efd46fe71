"""Every completion of the open answers, counted by the step of the tree it ends at.

Answers fall into three groups (checks, indicators, anti-indicators) that meet only in the tree. A
group's open answers are convolved into its distinct states, so answers that count alike are counted
together; the tree then runs once for every combination of states. With few states that is a plain
loop, with many (distinct weights) it is one pass over arrays. Both are exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from tuneworthy.errors import CaseError
from tuneworthy.framework.rules import Measures, Rules
from tuneworthy.model.base import State
from tuneworthy.model.framework import OUTCOMES, Outcome

_LOOP_UP_TO = 4096
_CHUNK = 1 << 18
_MOST = 1 << 26

Cell = tuple[int, int, int]
"""Open checks, indicators and anti-indicators that a completion answers with yes."""

GroupState = tuple[int, int, int]
"""Answers that are yes, their scaled weight, and the bits of those the tree asks for by name."""

Merged = tuple[dict[GroupState, int], tuple[tuple[int, int], ...]]


class TallyGroup(NamedTuple):
    """The answers of one kind, reduced to what the tree can distinguish."""

    known: GroupState  #: What is yes for certain.
    open: tuple[tuple[int, int], ...]  #: Scaled weight and bit of every open answer, sorted.
    size: int  #: How many answers there are, open, yes or no.


Groups = tuple[TallyGroup, TallyGroup, TallyGroup]  #: Checks, indicators and anti-indicators.


def group(rules: Rules, names: Iterable[str], states: Mapping[str, State]) -> TallyGroup:
    """The group of ``names``; a name without a state is open."""
    yes = weight = bits = size = 0
    still_open = []
    for name in names:
        size += 1
        state = states.get(name, "unknown")
        if state == "no":
            continue
        if state == "yes":
            yes += 1
            weight += rules.weights[name]
            bits |= rules.bits.get(name, 0)
        else:
            still_open.append((rules.weights[name], rules.bits.get(name, 0)))
    still_open.sort()
    return TallyGroup((yes, weight, bits), tuple(still_open), size)


class Completions(NamedTuple):
    open: Cell  #: Open answers of each group: checks, indicators, anti-indicators.
    steps: tuple[dict[Cell, int], ...]
    """For each step of the tree: completions that end there, by how many of each group are yes."""
    outcomes: tuple[Outcome, ...]  #: The outcome of each step.

    @property
    def ending(self) -> tuple[int, ...]:
        """Completions that end at each step."""
        return tuple(sum(cells.values()) for cells in self.steps)

    @property
    def reach(self) -> frozenset[Outcome]:
        """Outcomes that some completion comes to; never empty."""
        return frozenset(o for o, cells in zip(self.outcomes, self.steps, strict=True) if cells)

    def shares(self, odds: tuple[float, float, float] = (0.5, 0.5, 0.5)) -> dict[Outcome, float]:
        """Share of each outcome when every open answer of a group is yes with the group's odds."""
        powers = [
            [p**k * (1 - p) ** (n - k) for k in range(n + 1)]
            for p, n in zip(odds, self.open, strict=True)
        ]
        result: dict[Outcome, float] = dict.fromkeys(OUTCOMES, 0.0)
        for outcome, cells in zip(self.outcomes, self.steps, strict=True):
            result[outcome] += sum(
                count * powers[0][c] * powers[1][i] * powers[2][a]
                for (c, i, a), count in cells.items()
            )
        return result


_COUNTED: WeakKeyDictionary[Rules, dict[Groups, Completions]] = WeakKeyDictionary()
_STEPS: WeakKeyDictionary[Rules, dict[tuple[Any, ...], int]] = WeakKeyDictionary()
"""What was worked out for a framework that is still in use; equal answers give equal tallies."""


def tally(rules: Rules, states: Mapping[str, State]) -> Completions:
    """Count the completions of ``states``, absent ones open; a CaseError if they are too many."""
    groups = _groups(rules, states)
    counted = _COUNTED.setdefault(rules, {})
    if groups not in counted:
        counted[groups] = _count(rules, groups)
    return counted[groups]


def _groups(rules: Rules, states: Mapping[str, State]) -> Groups:
    return (
        group(rules, rules.checks, states),
        group(rules, rules.indicators, states),
        group(rules, rules.anti_indicators, states),
    )


def effort(rules: Rules, states: Mapping[str, State]) -> int:
    """About how many combinations one tally goes through; a plain loop counts tenfold."""
    merged = map(_merge, _groups(rules, states))
    sizes = [len(states) << len(rest) for states, rest in merged]
    cells = sizes[0] * sizes[1] * sizes[2]
    return cells * 10 if cells <= _LOOP_UP_TO else cells


def _count(rules: Rules, groups: Groups) -> Completions:
    checks, indicators, antis = groups
    merged = _merge(checks), _merge(indicators), _merge(antis)
    few = math.prod(len(states) for states, _ in merged) <= _LOOP_UP_TO
    if few and not any(rest for _, rest in merged):
        steps = _loop(rules, groups, [states for states, _ in merged])
    else:
        steps = _arrays(rules, groups, merged)
    still_open = len(checks.open), len(indicators.open), len(antis.open)
    return Completions(still_open, tuple(steps), tuple(outcome for _, outcome in rules.steps))


def _merge(group: TallyGroup) -> Merged:
    """States of a group to the completions that give them, while they are few; the open rest."""
    states = {group.known: 1}
    for position, (weight, bit) in enumerate(group.open):
        if len(states) > _LOOP_UP_TO // 2:
            return states, group.open[position:]
        grown = dict(states)
        for (yes, total, bits), count in states.items():
            key = (yes + 1, total + weight, bits | bit)
            grown[key] = grown.get(key, 0) + count
        states = grown
    return states, ()


def _loop(
    rules: Rules, groups: Groups, states: list[dict[GroupState, int]]
) -> list[dict[Cell, int]]:
    steps: list[dict[Cell, int]] = [{} for _ in rules.steps]
    memory, size = _STEPS.setdefault(rules, {}), groups[0].size
    c_known, i_known, a_known = (one.known[0] for one in groups)
    for (c_yes, _, c_bits), c_count in states[0].items():
        for (i_yes, i_weight, i_bits), i_count in states[1].items():
            for (a_yes, a_weight, a_bits), a_count in states[2].items():
                key = (c_yes == size, c_bits | i_bits | a_bits, i_yes, i_weight, a_yes, a_weight)
                step = memory.get(key)
                if step is None:
                    step = memory[key] = rules.step(_measures(rules, *key))
                cell = (c_yes - c_known, i_yes - i_known, a_yes - a_known)
                cells = steps[step]
                cells[cell] = cells.get(cell, 0) + c_count * i_count * a_count
    return steps


def _measures(rules: Rules, reached: Any, bits: Any, i: Any, iw: Any, a: Any, aw: Any) -> Measures:
    answers = {name: (bits & bit) != 0 for name, bit in rules.bits.items()}
    return Measures(i, iw, a, aw, reached, answers)


def fired(np: Any, rules: Rules, measures: Measures, shape: tuple[int, ...]) -> Any:
    """Index of the step of the tree that each combination ends at."""
    steps = np.full(shape, len(rules.steps) - 1, dtype=np.uint8)
    for index in range(len(rules.steps) - 2, -1, -1):
        held = np.asarray(rules.steps[index][0](measures))
        steps[np.broadcast_to(held, shape)] = index
    return steps


def _arrays(
    rules: Rules, groups: Groups, merged: tuple[Merged, Merged, Merged]
) -> list[dict[Cell, int]]:
    import numpy as np  # only here: most cases have few states and never need it

    cells = [len(states) << len(rest) for states, rest in merged]
    if cells[0] * cells[1] * cells[2] > _MOST:
        raise CaseError(
            f"{sum(len(one.open) for one in groups)} answers of different weight are open, "
            "more combinations than can be gone through",
            fix="answer a few of them, or give some of them equal weights",
        )
    steps: list[dict[Cell, int]] = [{} for _ in rules.steps]
    by_sight: dict[tuple[bool, int], list[tuple[int, int]]] = {}
    for c_yes, _, c_bits, c_count in zip(*_expand(np, merged[0]), strict=True):
        seen = by_sight.setdefault((bool(c_yes == groups[0].size), int(c_bits)), [])
        seen.append((int(c_yes) - groups[0].known[0], int(c_count)))
    left, right = _expand(np, merged[1]), _expand(np, merged[2])
    rows = max(1, _CHUNK // right[0].size)
    for start in range(0, left[0].size, rows):
        part = tuple(column[start : start + rows] for column in left)
        for (reached, c_bits), c_cells in by_sight.items():
            columns = _measures(
                rules,
                reached,
                c_bits | part[2][:, None] | right[2][None, :] if rules.bits else c_bits,
                part[0][:, None],
                part[1][:, None],
                right[0][None, :],
                right[1][None, :],
            )
            ended = fired(np, rules, columns, (part[0].size, right[0].size))
            counts = _by_yes(np, ended, len(steps), groups, part, right)
            for step, i, a in zip(*np.nonzero(counts), strict=True):
                for c, c_count in c_cells:
                    cell = (c, int(i), int(a))
                    more = c_count * int(counts[step, i, a])
                    steps[step][cell] = steps[step].get(cell, 0) + more
    return steps


def _expand(np: Any, merged: Merged) -> tuple[Any, Any, Any, Any]:
    """States as columns: answers that are yes, scaled weight, bits, completions."""
    states, rest = merged
    yes, weight, bits = (np.array(column, dtype=np.int64) for column in zip(*states, strict=True))
    count = np.array(list(states.values()), dtype=np.float64)
    for more, bit in rest:
        yes = np.concatenate((yes, yes + 1))
        weight = np.concatenate((weight, weight + more))
        bits = np.concatenate((bits, bits | bit))
        count = np.concatenate((count, count))
    return yes, weight, bits, count


def _by_yes(np: Any, fired: Any, steps: int, groups: Groups, left: Any, right: Any) -> Any:
    """Completions by step and by how many open answers of either side are yes.

    A count of keys and no matrix product: the product's threads spin while other work waits.
    """
    shape = (steps, len(groups[1].open) + 1, len(groups[2].open) + 1)
    yes_left, yes_right = left[0] - groups[1].known[0], right[0] - groups[2].known[0]
    keys = (fired.astype(np.int64) * shape[1] + yes_left[:, None]) * shape[2] + yes_right
    weights = left[3][:, None] * right[3]
    counted = np.bincount(keys.ravel(), weights.ravel(), minlength=shape[0] * shape[1] * shape[2])
    return counted.reshape(shape)
