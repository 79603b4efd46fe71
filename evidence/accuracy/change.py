"""How often changes of the prompt say yes: logs with rewrites of known number and size.

    python evidence/accuracy/change.py [--sets N] [--only WORDS] [--possible N]

Each data set is six months of four conversations a day under a prompt of 240 words, unless it says
otherwise. A yes is a whole interval above the framework's limit of one change a month.

*At best* is how often the most powerful test would say yes that is given every rewrite, and says
yes in at most 2.5% of logs with one rewrite a month at random times (Neyman and Pearson 1933; by
the draw of a lot at the count where that share is reached). No 95% interval can do better.
``--possible`` prints that alone, and what the exact Poisson interval of all rewrites would say,
over N draws of the times of rewrites.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from typing import Any

import numpy as np

from plain_engine import measure
from tuneworthy.measure.signals.base import MONTH_DAYS
from tuneworthy.measure.signals.change import ChangeSignal as Change
from tuneworthy.stats.forecast import poisson_interval
from tuneworthy.stats.intervals import wilson
from worlds_change import prompted, rewrites

SEED = 20261125
LIMIT, LEVEL = 1.0, 0.025
WORLDS: dict[str, dict[str, Any]] = {
    "never rewritten, nothing filled in": {"filled": False},
    "never rewritten, filled in each call": {},
    "never rewritten, a variant tested for a month": {"variant": True},
    "3 a month, 1% of the text": {"a_month": 3.0, "rewritten": 0.01},
    "3 a month, 5% of the text": {"a_month": 3.0, "rewritten": 0.05},
    "3 a month, 20% of the text": {"a_month": 3.0, "rewritten": 0.2},
    "half a change a month, 30% of the text": {"a_month": 0.5},
    "1 a month, 30% of the text": {"a_month": 1.0},
    "3 a month, 30% of the text": {"a_month": 3.0},
    "3 a month, 30%, a variant tested": {"a_month": 3.0, "variant": True},
    "3 a month, 30%, nine months": {"a_month": 3.0, "months": 9},
    "3 a month, 30%, twelve months": {"a_month": 3.0, "months": 12},
    "1 a month, 30%, twelve months": {"a_month": 1.0, "months": 12},
}


def best(count: int, expected: float) -> float:
    """The chance that the most powerful test says yes to a count.

    Args:
        count: How many rewrites there were.
        expected: How many the limit allows over the span of the log.
    """
    chances = [math.exp(-expected)]
    while sum(chances) < 1 - LEVEL:
        chances.append(chances[-1] * expected / len(chances))
    edge = len(chances) - 1
    above = 1 - sum(chances)
    if count == edge:
        return (LEVEL - above) / chances[-1]
    return float(count > edge)


def possible(a_month: float, months: int, draws: int) -> str:
    """What could be said at best of rewrites at some rate, from their number alone."""
    rng = np.random.default_rng([SEED, months, int(10 * a_month)])
    expected = LIMIT * 30 * months / MONTH_DAYS
    counts = (
        np.bincount([len(rewrites(rng, a_month, months)) for _ in range(draws)]) / draws
    )
    at_best = sum(
        part * best(count, expected) for count, part in enumerate(counts.tolist())
    )
    exact = sum(
        part
        for count, part in enumerate(counts.tolist())
        if poisson_interval(count)[0] > expected
    )
    return f"| {a_month:g} | {months} | {at_best:.3f} | {exact:.3f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--only", default="", help="worlds whose name holds this")
    parser.add_argument(
        "--possible", type=int, default=0, help="draws of rewrites alone"
    )
    asked = parser.parse_args()
    sets = asked.sets
    if asked.possible:
        print(
            "| rewrites a month | months | at best | exact interval |\n|---|---|---|---|"
        )
        for a_month, months in ((1, 6), (3, 6), (3, 9), (3, 12), (4, 6)):
            print(possible(a_month, months, asked.possible), flush=True)
        return
    print(
        "| world | says yes | at best | rewrites | changes counted |\n|---|---|---|---|---|"
    )
    for name, world in WORLDS.items():
        if asked.only not in name:
            continue
        yes, made, counted, reach = 0, [], [], 0.0
        for each in range(sets):
            log, made_of = prompted(
                np.random.default_rng([SEED, each, *name.encode()]), **world
            )
            found = measure(Change(), log).evidence[0]
            assert isinstance(found.low, float), found
            yes += found.low > LIMIT
            reach += best(made_of, LIMIT * float(found.details["months"]))
            made.append(made_of)
            counted.append(int(found.details["changes"]))
        low, high = wilson(yes, sets)
        print(
            f"| {name} | {yes / sets:.3f} ({low:.3f}–{high:.3f}) | {reach / sets:.3f} "
            f"| {np.mean(made):.2f} | {np.mean(counted):.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
