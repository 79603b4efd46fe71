"""How often changes of the prompt say yes: logs with rewrites of known number and size.

    python tools/accuracy/change.py [--sets N] [--only WORDS]

Each data set is six months of four conversations a day under a prompt of 240 words. A yes is a
whole interval above the framework's limit of one change a month.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from typing import Any

import numpy as np

from plain_engine import measure
from tuneworthy.gather.signals.change import Change
from tuneworthy.stats.intervals import wilson
from worlds_change import prompted

SEED = 20261124
LIMIT = 1.0
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
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--only", default="", help="worlds whose name holds this")
    asked = parser.parse_args()
    sets = asked.sets
    print("| world | says yes | rewrites | changes counted |\n|---|---|---|---|")
    for name, world in WORLDS.items():
        if asked.only not in name:
            continue
        yes, made, counted = 0, [], []
        for each in range(sets):
            log, rewrites = prompted(np.random.default_rng([SEED, each, *name.encode()]), **world)
            found = measure(Change(), log).evidence[0]
            assert isinstance(found.low, float), found
            yes += found.low > LIMIT
            made.append(rewrites)
            counted.append(int(found.details["changes"]))
        low, high = wilson(yes, sets)
        print(
            f"| {name} | {yes / sets:.3f} ({low:.3f}–{high:.3f}) | {np.mean(made):.2f} "
            f"| {np.mean(counted):.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
