"""How often latency says yes: the prompt explains it, and calls are late, planted and not.

    python evidence/accuracy/latency.py [--sets N]

Each data set has 400 calls of two models in 100 conversations; in 0.3% of calls something hung. A
yes is a whole interval above the framework's limit, which is 0.3 of the latency.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

import numpy as np

from plain_engine import measure
from tuneworthy.measure.signals.latency import LatencySignal as Latency
from tuneworthy.stats.intervals import wilson
from worlds_latency import calls

SEED = 20261124
LIMIT = 0.3
TARGET_S = 15.0


def says(count: int, sets: int) -> str:
    """A share with its interval."""
    low, high = wilson(count, sets)
    return f"{count / sets:.3f} ({low:.3f}–{high:.3f})"


def explained(share: float, sets: int) -> str:
    """A row for a share of the latency that the prompt explains; the target is always missed."""
    yes = holds = 0
    middle = []
    for each in range(sets):
        world = calls(
            np.random.default_rng([SEED, each, int(1000 * share)]), explained=share
        )
        found = {e.id: e for e in measure(Latency(target_s=1.0), world).evidence}
        one = found["prompt_latency_share"]
        assert one.low is not None
        assert isinstance(one.high, float)
        yes += one.low > LIMIT
        holds += one.low <= share <= one.high
        middle.append(float(one.value))  # type: ignore[arg-type]  # it is known in these worlds
    return (
        f"| the prompt explains {share:.2f} | {says(yes, sets)} | {np.mean(middle):.3f} "
        f"| {holds / sets:.3f} |"
    )


def late(share: float, sets: int) -> str:
    """A row for a share of conversations that are ten times slower than the others."""
    missed = kept = 0
    for each in range(sets):
        world = calls(
            np.random.default_rng([SEED, each, int(1000 * share)]), slow=share
        )
        found = {e.id: e for e in measure(Latency(target_s=TARGET_S), world).evidence}
        p95 = found["latency_p95_s"]
        missed += p95.is_known and p95.low is not None and p95.low > TARGET_S
        kept += p95.is_known and isinstance(p95.high, float) and p95.high <= TARGET_S
    return f"| {share:.0%} of conversations slow | {says(missed, sets)} | {kept / sets:.3f} |"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=200)
    sets = parser.parse_args().sets
    print(
        "| world | says yes | mean measured | intervals that hold it |\n|---|---|---|---|"
    )
    for share in (0.1, 0.2, 0.29, 0.31, 0.35, 0.5):
        print(explained(share, sets), flush=True)
    print("\n| world | target missed | target kept |\n|---|---|---|")
    for share in (0.0, 0.01, 0.05, 0.2):
        print(late(share, sets), flush=True)


if __name__ == "__main__":
    main()
