"""How firmly a verdict stands: what would change it, and what is worth asking next."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Literal

from tuneworthy.domain.decision import Decision, Flip, Flips, Question, Verdict
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.record import State
from tuneworthy.framework.rules import Rules
from tuneworthy.framework.tally import effort, tally

MOST_WORK = 60_000_000
"""Combinations that the search for flips may go through. The lesson never needs as many."""

Target = Literal["yes", "no"]


def verdict_of(rules: Rules, states: Mapping[str, State]) -> Verdict:
    """The outcome if only one is reachable, else ``undecided``."""
    reach = tally(rules, states).reach
    return next(iter(reach)) if len(reach) == 1 else "undecided"


def questions(
    states: Mapping[str, State], framework: Framework, rules: Rules
) -> tuple[Question, ...]:
    """Open answers by the doubt they remove for a minute of work.

    The gain is the mutual information between the answer and the outcome at even odds for every
    open answer, in bits.

    Returns:
        The open answers that can matter, best first; empty when nothing can change the verdict.
    """
    before = _entropy(rules, states)
    found = []
    for name, state in states.items():
        if state != "unknown":
            continue
        after = [_entropy(rules, {**states, name: to}) for to in ("yes", "no")]
        gain = before - sum(after) / 2
        if gain > 1e-12:
            asked = framework.ceiling.get(name) or framework.factors[name]
            found.append(Question(name, gain, asked.minutes))
    return tuple(sorted(found, key=lambda q: (-q.gain_bits / q.minutes, q.minutes, q.id)))


def _entropy(rules: Rules, states: Mapping[str, State]) -> float:
    shares = tally(rules, states).shares().values()
    return -sum(share * math.log2(share) for share in shares if share > 0)


@dataclass(frozen=True, slots=True)
class _Kind:
    """Changes that are interchangeable: same group, weight and state, same new answer."""

    group: str
    weight: int
    bit: int
    state: State
    to: Target


def flips(states: Mapping[str, State], rules: Rules, decision: Decision) -> Flips:
    """All the smallest sets of answers that change the verdict's outcome.

    A set gives each of its answers another value than it has now: a yes becomes no, a no yes, an
    open answer either. Sets whose answers are interchangeable are tried once and listed each.

    Returns:
        Every set of the smallest size that changes the outcome. Empty, with how far the search
        went, when no set of a size that could be searched does: with many open answers of
        different weight larger sets are too many to try.
    """
    kinds: dict[_Kind, list[str]] = {}
    for name, state in states.items():
        for to in _other(state):
            kind = _Kind(
                _group(name, rules), rules.weights[name], rules.bits.get(name, 0), state, to
            )
            kinds.setdefault(kind, []).append(name)
    work, each = 0, effort(rules, states)
    for size in range(1, len(states) + 1):
        work += comb(len(kinds) + size - 1, size) * each
        if size > 1 and work > MOST_WORK:
            return Flips((), size - 1)
        found = [
            flip
            for picked in _pick(list(kinds.items()), size)
            if (flip := _tried(picked, states, rules, decision.outcome)) is not None
        ]
        if found:
            sets = [Flip(changes, flip) for picked, flip in found for changes in _each(picked)]
            return Flips(tuple(sorted(sets, key=lambda one: one.changes)), size)
    return Flips((), len(states))


def _other(state: State) -> tuple[Target, ...]:
    if state == "yes":
        return ("no",)
    return ("yes",) if state == "no" else ("yes", "no")


def _group(name: str, rules: Rules) -> str:
    if name in rules.checks:
        return "check"
    return "indicator" if name in rules.indicators else "anti_indicator"


Picked = tuple[tuple[_Kind, list[str], int], ...]


def _pick(kinds: Sequence[tuple[_Kind, list[str]]], size: int) -> Iterator[Picked]:
    """Every way to take ``size`` answers, by how many of each kind."""
    if size == 0:
        yield ()
        return
    for position, (kind, names) in enumerate(kinds):
        for many in range(1, min(len(names), size) + 1):
            for rest in _pick(kinds[position + 1 :], size - many):
                yield ((kind, names, many), *rest)


def _tried(
    picked: Picked, states: Mapping[str, State], rules: Rules, before: Verdict
) -> tuple[Picked, Verdict] | None:
    """The verdict after one set of this kind, if it is another."""
    changes = next(_each(picked), None)
    if changes is None:
        return None
    after = verdict_of(rules, {**states, **dict(changes)})
    return None if after == before else (picked, after)


def _each(picked: Picked) -> Iterator[tuple[tuple[str, Target], ...]]:
    """Every set of concrete answers; none that answers one question twice."""
    if not picked:
        yield ()
        return
    (kind, names, many), rest = picked[0], picked[1:]
    for chosen in combinations(names, many):
        for others in _each(rest):
            changes = (*((name, kind.to) for name in chosen), *others)
            if max(Counter(name for name, _ in changes).values()) == 1:
                yield tuple(sorted(changes))
