"""How many of the published cases shown for a description are like it: precision at five.

    python benchmarks/nearest/measure.py           the figures, from descriptions and judgements
    python benchmarks/nearest/measure.py --list    what each way finds, with what is not judged yet

``descriptions.yaml`` was written before the index was looked at. ``judgements.yaml`` says of each
case that some way found whether somebody with that task would learn from it. Two ways: as the
command ``tuneworthy show CASE others`` finds them, and by goal and answers alone, as it did before.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tuneworthy import load_case
from tuneworthy.model.base import State
from tuneworthy.model.framework import GOALS
from tuneworthy.model.precedents import PrecedentIndex
from tuneworthy.precedents.section import known_answers, nearest, shipped_index

HERE = Path(__file__).resolve().parent
SHOWN, OF_A_CLUSTER = 5, 2


def by_task(index: PrecedentIndex, told: dict[str, Any]) -> list[str]:
    """As the command finds them."""
    case = load_case({key: value for key, value in told.items() if key != "id"})
    answers = {name: factor.value for name, factor in case.factors.items()}
    found = nearest(index, f"{case.name}. {case.description}", answers, case.goals)
    return [near.case.shown["id"] for near in found]


def by_answers(index: PrecedentIndex, told: dict[str, Any]) -> list[str]:
    """Bits of the goal and of every answer, those that differ taken off; the old way."""
    case = load_case({key: value for key, value in told.items() if key != "id"})
    mine = known_answers(
        index, {name: factor.value for name, factor in case.factors.items()}
    )
    goals = Counter(each.shown["goal"] for each in index.cases)
    times = Counter(pair for each in index.cases for pair in each.answers.items())

    def surprise(name: str, state: State) -> float:
        total = times[name, "yes"] + times[name, "no"] + 2
        return math.log2(total / (times[name, state] + 1))

    rows = []
    for each in index.cases:
        bits = 0.0
        for name in mine.keys() & each.answers.keys():
            both = (surprise(name, mine[name]) + surprise(name, each.answers[name])) / 2
            bits += both if mine[name] == each.answers[name] else -both
        if (goal := each.shown["goal"]) in case.goals:
            rare = math.log2((len(index.cases) + len(GOALS)) / (goals[goal] + 1))
            bits += rare if goal == case.goals[0] else rare / 2
        if bits > 0:
            rows.append(
                (
                    -round(bits, 9),
                    -(each.shown["year"] or 0),
                    each.shown["id"],
                    each.cluster,
                )
            )
    kept, clusters = list[str](), Counter[str]()
    for *_, name, cluster in sorted(rows):
        if clusters[cluster] < OF_A_CLUSTER and len(kept) < SHOWN:
            clusters[cluster] += 1
            kept.append(name)
    return kept


WAYS = {"by the task": by_task, "by goal and answers alone": by_answers}


def main() -> int:
    """Print the figures, or what was found."""
    index = shipped_index()
    told = yaml.safe_load((HERE / "descriptions.yaml").read_text("utf-8"))
    judged = yaml.safe_load((HERE / "judgements.yaml").read_text("utf-8"))
    found = {
        way: {one["id"]: find(index, one) for one in told} for way, find in WAYS.items()
    }
    if "--list" in sys.argv[1:]:
        titles = {each.shown["id"]: each.shown["title"] for each in index.cases}
        for one in told:
            print(f"\n{one['id']}: {one['description']}")
            for name in sorted(
                {name for lists in found.values() for name in lists[one["id"]]}
            ):
                like = judged.get(one["id"], {}).get(name, "?")
                ways = "".join(
                    "x" if name in lists[one["id"]] else "." for lists in found.values()
                )
                print(f"  {like!s:5} {ways} {name}: {titles[name][:90]}")
        return 0
    assert told
    assert all(any(of.values()) for of in found.values()), "a way found nothing at all"
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(told), (10_000, len(told)))
    counts = {
        way: np.array(
            [
                (sum(judged[name][each] for each in ids), len(ids))
                for name, ids in of.items()
            ]
        )
        for way, of in found.items()
    }
    for way, rows in counts.items():
        like, shown = rows.sum(axis=0)
        sums = rows[drawn].sum(axis=1)
        low, high = np.percentile(sums[:, 0] / sums[:, 1], (2.5, 97.5))
        print(
            f"{way}: {like} of {shown} shown are alike ({like / shown:.2f}, {low:.2f} to "
            f"{high:.2f} when descriptions are drawn again); of five a description "
            f"{like / SHOWN / len(told):.2f}; {(rows[:, 0] == 0).sum()} of {len(told)} have none"
        )
    new, old = (
        rows[:, 0][drawn].sum(axis=1) / SHOWN / len(told) for rows in counts.values()
    )
    low, high = np.percentile(new - old, (2.5, 97.5))
    print(
        f"difference of five a description: {(new - old).mean():+.2f} ({low:.2f} to {high:.2f})"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
