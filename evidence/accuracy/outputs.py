"""How often format, terms, voice and instructions say yes, on clean traces and on planted faults.

    python evidence/accuracy/outputs.py [WORLD …] [--sets N]

Each data set has 400 traces in 100 conversations; faults are planted by conversation, with an
intraclass correlation of 0.3. A yes is a whole interval above the framework's limit. The worlds
stand in tests/worlds_outputs.py.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

import numpy as np

from plain_engine import measure
from planted import faults
from tuneworthy.stats.intervals import wilson
from worlds_outputs import WORLDS

RATES = (0.0, 0.01, 0.05, 0.2)
SEED = 20261124


def yes_share(name: str, rate: float, sets: int) -> tuple[int, float, float]:
    """Of some data sets of a world, how many say yes; and the mean share and its coverage.

    Returns:
        How many said yes, the mean of what was measured, and the share of intervals that hold the
        planted rate.
    """
    world, measured, limit = WORLDS[name]
    rng = np.random.default_rng([SEED, int(rate * 1000), *name.encode()])
    yes, values, holds = 0, [], 0
    for _ in range(sets):
        traces, signal = world(rng, faults(rng, rate, conversations=100, turns=4))
        found = next(e for e in measure(signal, traces).evidence if e.id == measured)
        assert isinstance(found.value, float), found
        assert isinstance(found.low, float)
        assert isinstance(found.high, float)
        yes += found.low > limit
        values.append(found.value)
        holds += found.low <= rate <= found.high
    return yes, float(np.mean(values)), holds / sets


def main() -> None:
    """Print a table for the worlds named, or for all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("world", nargs="*", help=", ".join(WORLDS))
    parser.add_argument("--sets", type=int, default=200)
    asked = parser.parse_args()
    if strange := set(asked.world) - set(WORLDS):
        parser.error(f"no such world: {', '.join(sorted(strange))}")
    print(
        "| world | planted | says yes | 95% interval | mean measured | intervals that hold it |"
    )
    print("|---|---|---|---|---|---|")
    for name in asked.world or WORLDS:
        for rate in RATES:
            yes, value, holds = yes_share(name, rate, asked.sets)
            low, high = wilson(yes, asked.sets)
            told = f"{yes} of {asked.sets} | {low:.1%}–{high:.1%} | {value:.3f} | {holds:.1%}"
            print(f"| {name} | {rate:.0%} | {told} |", flush=True)


if __name__ == "__main__":
    main()
