"""How well published effects tell what happens in a paper or company that they haven't seen.

python evidence/published/held_out.py    print the tables of docs/evidence/accuracy.md (seconds)

Each paper, company or document is left out in turn. For every comparison of it, the others give the
chance that its arm takes away 20%, 40% and 60% of the errors, and that is scored against what
happened by the squared difference (Brier; lower is better). Beside it stands the base rate: how
often any change of the others reached as much, whatever it was. Clusters count alike.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from effects import Comparison, effect, every_comparison, weights

from tuneworthy.stats.clustered import RESAMPLES, cluster_means, percentile_interval
from tuneworthy.ways.gap import chance_of_reduction

NEEDS = (0.2, 0.4, 0.6)


class Told(NamedTuple):
    """One chance, and what happened."""

    case: Comparison
    need: float
    chance: float
    base: float

    @property
    def reached(self) -> bool:
        """Whether the comparison came to the need."""
        return self.case.reduction >= self.need


def share_that_reach(others: Sequence[Comparison], need: float) -> float:
    """How often others reach a need, each cluster counting alike."""
    heavy = weights(others)
    reached = [
        weight
        for each, weight in zip(others, heavy, strict=True)
        if each.reduction >= need
    ]
    return sum(reached) / sum(heavy)


def chance_told(
    others: Sequence[Comparison], case: Comparison, need: float
) -> float | None:
    """The triangle that ships: of arm and goal, else of the arm; None where they are too few."""
    found = None
    if case.goal is not None:
        found = effect(others, case.arm, case.goal)
    found = found or effect(others, case.arm)
    return None if found is None else chance_of_reduction(need, *found.triangle)


def tell_left_out(comparisons: Sequence[Comparison]) -> list[Told]:
    """Every chance that can be told with a cluster left out."""
    told = []
    for case in comparisons:
        others = [each for each in comparisons if each.cluster != case.cluster]
        for need in NEEDS:
            chance = chance_told(others, case, need)
            if chance is not None:
                told.append(Told(case, need, chance, share_that_reach(others, need)))
    return told


def by_cluster(told: Sequence[Told]) -> list[tuple[float, float, float]]:
    """Of each cluster: the mean score, that of the base rate, and by how much that is worse."""
    members: dict[str, list[Told]] = {}
    for each in told:
        members.setdefault(each.case.cluster, []).append(each)
    rows = []
    for inside in members.values():
        own = np.mean([(each.chance - each.reached) ** 2 for each in inside])
        base = np.mean([(each.base - each.reached) ** 2 for each in inside])
        rows.append((float(own), float(base), float(base - own)))
    return rows


def print_scores(told: Sequence[Told], name: str) -> None:
    """A row: the way, comparisons, clusters, both scores and the gain with its 95% interval."""
    rows = by_cluster(told)
    names = [str(place) for place in range(len(rows))]
    draws = cluster_means(rows, names, rng=np.random.default_rng(0), draws=RESAMPLES)
    low, high = percentile_interval(draws)[2]
    own, base, gain = np.mean(rows, axis=0)
    n = len({each.case for each in told})
    won = f"{gain:.3f} ({low:.3f} to {high:.3f})"
    print(f"| {name} | {n} | {len(rows)} | {own:.3f} | {base:.3f} | {won} |")


CUTS = (0.0, 0.125, 0.25, 0.5, 0.75, 1.01)


def print_calibration(told: Sequence[Told]) -> None:
    """What was told beside what happened, by what was told; clusters count alike."""
    heavy = np.array(weights([each.case for each in told]))
    chances = np.array([each.chance for each in told])
    reached = np.array([each.reached for each in told], dtype=float)
    for low, high in pairwise(CUTS):
        inside = (chances >= low) & (chances < high)
        if not inside.any():
            continue
        mean = np.average(chances[inside], weights=heavy[inside])
        share = np.average(reached[inside], weights=heavy[inside])
        clusters = len(
            {told[int(place)].case.cluster for place in np.flatnonzero(inside)}
        )
        told_between = f"{low:g} to {min(high, 1):g}"
        print(
            f"| {told_between} | {inside.sum()} | {clusters} | {mean:.2f} | {share:.2f} |"
        )


def main() -> int:
    """Print the tables."""
    comparisons = every_comparison()
    print("| told by | comparisons | clusters | score | base rate | gain |")
    print("|---|---:|---:|---:|---:|---|")
    told = tell_left_out(comparisons)
    print_scores(told, "the triangle that ships")
    for need in NEEDS:
        print_scores(
            [each for each in told if each.need == need], f"{need:.0%} of the errors"
        )
    for arm in sorted({each.case.arm for each in told}):
        print_scores([each for each in told if each.case.arm == arm], arm)
    print("\n| told | chances | clusters | mean told | came true |")
    print("|---|---:|---:|---:|---:|")
    print_calibration(told)
    return 0


if __name__ == "__main__":
    sys.exit(main())
