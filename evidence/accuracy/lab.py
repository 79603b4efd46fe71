"""How often the statistics of the labs are right, in worlds where the truth is known.

    python evidence/accuracy/lab.py [--worlds N] [--only TABLE]

The worlds stand in tests/worlds_lab.py. Conversations have one case, or one to six.
"""

from __future__ import annotations

import argparse
import sys
from multiprocessing import Pool
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.stats.clustered import Estimate, mean
from tuneworthy.stats.compare import (
    expected_gain,
    paired_difference,
    predicted_difference,
    predicted_mean,
)
from worlds_lab import LONGEST, answers, conversations, judged, lab

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEED = 20261124
Row = tuple[str, ...]
ARMS: dict[str, tuple[int, float]] = {
    "2, 0.1 apart": (2, 0.1),
    "20, alike": (20, 0.0),
    "20, each 0.03 apart": (20, 0.03),
}


def shares_of(arms: str, best: float) -> list[float]:
    """True shares, the best first."""
    number, step = ARMS[arms]
    return [max(0.02, best - step * place) for place in range(number)]


def holds(found: Estimate | None, truth: float) -> bool:
    """Whether an interval holds the truth."""
    return found is not None and found.low <= truth <= found.high


def told(*values: float) -> Row:
    """Shares as words."""
    return tuple(f"{value:.3f}" for value in values)


def ceiling_row(given: tuple[int, float, str, int, int]) -> Row:
    """Answers with the best arm at the target, above, below and far below."""
    worlds, target, arms, longest, n = given
    wrong, covered, total, dropped, other, saved = [], 0, 0, 0, 0, 0.0
    for off, answer in ((0.0, "yes"), (0.02, "yes"), (-0.02, "no"), (-0.1, "yes")):
        shares, count = shares_of(arms, target + off), 0
        for world in range(made := worlds if off > -0.1 else worlds // 5):
            rng = np.random.default_rng([SEED, world, n, longest, *arms.encode()])
            found = lab(rng, n, longest, shares, target)
            count += found.answer.reached == answer
            covered += holds(found.reported, shares[found.chosen])
            dropped += not off and found.dropped[0] is not None
            other += not off and found.behind > 1e-9
            saved += 0.0 if off else found.saved
        wrong.append(count / made)
        total += made
    race = told(dropped / worlds, other / worlds, saved / worlds)
    return (arms, f"1 to {longest}" if longest > 1 else "1", str(n), f"{target}",
            *told(*wrong, covered / total), *race)  # fmt: skip


def paired_row(given: tuple[int, float, float, int, int]) -> Row:
    """Coverage of the paired difference."""
    worlds, first, second, longest, n = given
    held, apart, width = 0, 0, 0.0
    for world in range(worlds):
        rng = np.random.default_rng([SEED, world, n, longest, int(1000 * first)])
        talk = conversations(rng, n, longest)
        one, other = answers(rng, talk, (first, second))
        found = paired_difference(one, other, talk)
        assert found is not None
        held += holds(found, first - second)
        apart += found.low > 0 or found.high < 0
        width += found.high - found.low
    return (f"{first} and {second}", f"1 to {longest}" if longest > 1 else "1", str(n),
            *told(held / worlds, apart / worlds, width / worlds))  # fmt: skip


def judge_row(given: tuple[int, float, float, int, int, int]) -> Row:
    """Coverage with a judge that favours the second arm, and that of the judge alone."""
    worlds, first, agrees, longest, n, labels = given
    shares, counts, said = (first, first - 0.05), np.zeros(5), 0
    for world in range(worlds):
        rng = np.random.default_rng(
            [SEED, world, n, labels, longest, int(1000 * first)]
        )
        talk = conversations(rng, n, longest)
        human, judge = judged(rng, talk, shares, agrees)
        seen = np.full(human.shape, np.nan)
        picked = rng.choice(n, labels, replace=False)
        seen[:, picked] = human[:, picked]
        one = predicted_mean(judge[0], seen[0], talk)
        both = predicted_difference((judge[0], judge[1]), (seen[0], seen[1]), talk)
        if one is None or both is None:
            continue
        plain = paired_difference(seen[0], seen[1], talk)
        assert plain is not None
        said += 1
        counts += (
            holds(one, shares[0]), holds(both, shares[0] - shares[1]),
            holds(mean(judge[0] - judge[1], talk), shares[0] - shares[1]),
            both.high - both.low, plain.high - plain.low,
        )  # fmt: skip
    return (f"{first}", f"{agrees}", f"1 to {longest}" if longest > 1 else "1", str(n), str(labels),
            *(told(*counts / said) if said > worlds / 20 else ("–",) * 5),
            *told(said / worlds))  # fmt: skip


GENERATORS: dict[str, Callable[[np.random.Generator, int], NDArray[np.float64]]] = {
    "bell around 0.7, deviation 0.05": lambda rng, n: rng.normal(0.7, 0.05, n).clip(
        0, 1
    ),
    "anything from 0 to 1 alike": lambda rng, n: rng.random(n),
    "0.6, and 0.9 once in ten": lambda rng, n: np.where(rng.random(n) < 0.1, 0.9, 0.6),
    "long tail down from 0.8": lambda rng, n: (
        0.8 - rng.exponential(0.1, n).clip(0, 0.8)
    ),
}


def plateau_row(given: tuple[int, str, int]) -> Row:
    """How often the interval holds what the next draw would add on average, given the best."""
    worlds, name, n = given
    draw, held, values, gains, highs = GENERATORS[name], 0, 0.0, 0.0, 0.0
    population = draw(np.random.default_rng(SEED), 20_000)
    for world in range(worlds):
        scores = draw(np.random.default_rng([SEED, world, n, *name.encode()]), n)
        found = expected_gain(scores)
        assert found is not None
        gain = float((population - scores.max()).clip(0).mean())
        held += found[1] <= gain <= found[2] + 1e-12
        values, gains, highs = values + found[0], gains + gain, highs + found[2]
    return (
        name,
        str(n),
        *told(held / worlds, values / worlds, gains / worlds, highs / worlds),
    )


def tables(
    worlds: int,
) -> dict[str, tuple[Row, Callable[..., Row], list[tuple[object, ...]]]]:
    """Each table: its heads, what makes a row, and the rows to make."""
    both, cases = (1, LONGEST), (30, 100, 300)
    labs = [
        (worlds, 0.9, arms, each, n) for arms in ARMS for each in both for n in cases
    ]
    labs += [(worlds, 0.7, "2, 0.1 apart", each, n) for each in both for n in cases]
    pairs = [(worlds, *p, each, n) for p in ((0.7, 0.7), (0.9, 0.85), (0.99, 0.97))
             for each in both for n in cases]  # fmt: skip
    labelled = ((60, 30), (100, 50), (300, 50), (300, 150))
    judges = [(worlds, first, agrees, each, *n) for first in (0.8, 0.95) for agrees in (0.9, 0.3)
              for each in both for n in labelled]  # fmt: skip
    return {
        "ceiling": (
            ("arms", "cases a conversation", "n", "target", "yes, best at it", "yes, best above",
             "no, best below", "yes, best 0.1 below", "reported holds", "best dropped",
             "other winner", "runs saved"), ceiling_row, list(labs)),
        "paired": (("shares", "cases a conversation", "n", "holds", "told apart", "width"),
                   paired_row, list(pairs)),
        "judge": (("share", "judge sees", "cases a conversation", "n", "labels", "mean holds",
                   "difference holds", "judge alone holds", "width", "width of labels alone",
                   "answered"), judge_row, list(judges)),
        "plateau": (("generator", "draws", "holds", "value", "true gain", "upper end"),
                    plateau_row, [(worlds, name, n) for name in GENERATORS for n in (5, 20, 80)]),
    }  # fmt: skip


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--only", default="", help="one table")
    asked = parser.parse_args()
    with Pool() as pool:
        for name, (heads, row, rows) in tables(asked.worlds).items():
            if asked.only not in ("", name):
                continue
            print(f"\n{name}\n\n| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
            for cells in pool.imap(row, rows):
                print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
