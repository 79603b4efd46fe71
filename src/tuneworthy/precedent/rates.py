"""How often tuning won: in all published cases, for a goal, and for a pattern of answers.

The rates stand in the index, computed once by a tool; a decision only looks them up. The questions
that make a pattern were chosen because they separate these very cases, and the most telling of them
come first, so rates of patterns lean outward: they describe what was published and are no forecast.
They are never used as odds for answers that are open.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import TYPE_CHECKING

from tuneworthy.domain.likeness import Few, Precedent, Rate, Told
from tuneworthy.domain.record import State
from tuneworthy.stats.intervals import wilson
from tuneworthy.stats.resample import DRAWS, cluster_interval, independent_cases

if TYPE_CHECKING:
    import numpy as np

ENOUGH_CLUSTERS = 20
"""Below this, drawing clusters again gives intervals that are too narrow."""

LEAST_CASES = 10
"""Cases a rate takes where a framework has no threshold ``published_cases``; the lesson's."""

LONGEST_PATTERN = 3
"""Answers in a pattern, at most."""

SEPARATING = (
    "house_convention", "narrow_task", "consistent_behavior", "knowledge_facts",
    "open_ended_chat", "low_volume", "constraint_gap",
)  # fmt: skip
"""Questions whose answers part won from lost in the published cases (docs/concepts)."""


def goal_key(goal: str) -> str:
    """Where the index keeps the rate of a goal."""
    return f"goal={goal}"


def pattern_key(pattern: Mapping[str, State] | Mapping[str, Told]) -> str:
    """Where the index keeps the rate of a pattern; the order of its answers doesn't count."""
    return "&".join(f"{name}={pattern[name]}" for name in sorted(pattern))


def rate(
    cases: Sequence[Precedent], *, rng: np.random.Generator, draws: int = DRAWS
) -> Rate | None:
    """How often tuning won.

    Args:
        cases: Published cases; ties among them are left out.
        rng: The source of chance.
        draws: How often clusters are drawn again.

    Returns:
        The rate with a 95% interval: whole clusters drawn again where there are at least
        ``ENOUGH_CLUSTERS`` and that gives a width, else Wilson's with cases of one cluster counted
        together. None without a case.
    """
    counted = [case for case in cases if case.winner != "tie"]
    if not counted:
        return None
    won = [float(case.won) for case in counted]
    clusters = [case.cluster for case in counted]
    n, wins, papers = len(counted), int(sum(won)), len(set(clusters))
    if papers >= ENOUGH_CLUSTERS:
        low, high = cluster_interval(won, clusters, rng=rng, draws=draws)
        if low < high:
            share = wins / n
            low, high = min(low, share), max(high, share)
            return Rate(n, wins, papers, low, high, "cluster_bootstrap")
    worth = independent_cases(clusters)
    low, high = wilson(wins / n * worth, worth)
    return Rate(n, wins, papers, low, high, "wilson_by_cluster")


def telling(cases: Sequence[Precedent]) -> tuple[str, ...]:
    """The separating questions, the one that tells most about the winner first.

    Told is the information about won or lost, in bits over all cases, so that a question few cases
    answer tells little; equals in order of their ids.
    """
    counted = [case for case in cases if case.winner != "tie"]
    found = {name: _information(name, counted) for name in SEPARATING}
    return tuple(sorted(found, key=lambda name: (-round(found[name], 9), name)))


def _information(name: str, cases: Sequence[Precedent]) -> float:
    """Mutual information of answer and outcome where it is answered, times the share answered."""
    cells = Counter((case.answers[name], case.won) for case in cases if name in case.answers)
    n = sum(cells.values())
    if not n:
        return 0.0
    rows, columns = Counter[str](), Counter[bool]()
    for (answer, won), count in cells.items():
        rows[answer] += count
        columns[won] += count
    bits = math.fsum(
        count / n * math.log2(count * n / (rows[answer] * columns[won]))
        for (answer, won), count in sorted(cells.items())
    )
    return bits * n / len(cases)


def every_rate(cases: Sequence[Precedent], seed: int = 0) -> dict[str, Rate]:
    """The rate of all cases, of each goal and of each pattern that some case has.

    Each is drawn with a generator of its own, so that one more case of a goal changes no other.
    """
    import numpy as np

    parts: dict[str, Sequence[Precedent]] = {"": cases}
    for goal in sorted({case.goal for case in cases}):
        parts[goal_key(goal)] = [case for case in cases if case.goal == goal]
    for pattern in _patterns():
        parts[pattern_key(pattern)] = [case for case in cases if _has(case, pattern)]
    found = {}
    for key, part in parts.items():
        counted = rate(part, rng=np.random.default_rng(seed))
        if counted is not None:
            found[key] = counted
    return found


def _patterns() -> Iterator[dict[str, State]]:
    answers: tuple[State, State] = ("yes", "no")
    for size in range(1, LONGEST_PATTERN + 1):
        for names in combinations(SEPARATING, size):
            for states in product(answers, repeat=size):
                yield dict(zip(names, states, strict=True))


def _has(case: Precedent, pattern: Mapping[str, State]) -> bool:
    return all(case.answers.get(name) == state for name, state in pattern.items())


def of_goal(rates: Mapping[str, Rate], goal: str, least: float) -> Rate | Few:
    """The rate of a goal, or too few cases of it."""
    return _enough(rates.get(goal_key(goal)), least)


def of_pattern(
    rates: Mapping[str, Rate], order: Sequence[str], answers: Mapping[str, Told], least: float
) -> tuple[dict[str, Told], Rate | Few | None]:
    """The rate of the cases that answer the most telling questions the same.

    Args:
        rates: Rates by key.
        order: The questions a pattern may hold, the most telling first.
        answers: What the case answers.
        least: The fewest cases a rate takes.

    Returns:
        The pattern, of at most three answers, each kept only while enough cases have all of them;
        and its rate. With too few cases for any: the most telling answer, and how few there are.
        With none of the questions answered: an empty pattern and None.
    """
    pattern: dict[str, Told] = {}
    asked = [name for name in order if name in answers]
    for name in asked:
        longer = {**pattern, name: answers[name]}
        if len(longer) > LONGEST_PATTERN:
            break
        if isinstance(_enough(rates.get(pattern_key(longer)), least), Rate):
            pattern = longer
    if pattern:
        return pattern, rates[pattern_key(pattern)]
    if not asked:
        return {}, None
    first: dict[str, Told] = {asked[0]: answers[asked[0]]}
    return first, _enough(rates.get(pattern_key(first)), least)


def _enough(found: Rate | None, least: float) -> Rate | Few:
    n = found.n if found else 0
    needed = max(1, math.ceil(least))
    return found if found and n >= needed else Few(n, needed)
