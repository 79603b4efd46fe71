"""How often a loss of general skills is seen: simulated comparisons of two models.

    python evidence/accuracy/general.py [COMPARISONS]

Both models answer the general tasks that ship. The untuned one passes a share of them; the tuned
one fails some of those and passes some others. A loss is seen where the whole interval of the
paired difference lies below zero; skills are called held where it lies above a loss of ten points.
"""

from __future__ import annotations

import sys

import numpy as np

from tuneworthy.lab.verify import GENERAL_MARGIN, general_skills
from tuneworthy.stats.compare import paired_difference


def main() -> None:
    """Print the table."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    tasks = len(general_skills())
    clusters = np.arange(tasks)
    print(f"{times} comparisons a row, {tasks} tasks")
    print(
        "passes  loses  gains  seen   held   said to have fallen by more than ten points"
    )
    for passes in (0.3, 0.6, 0.9):
        for loss, gains in (
            (0.0, 0.0),
            (0.0, 0.05),
            (0.1, 0.0),
            (0.1, 0.05),
            (0.2, 0.05),
        ):
            rng = np.random.default_rng(0)
            seen = held = fell = 0
            for _ in range(times):
                before = rng.random(tasks) < passes
                lost = before & (rng.random(tasks) < (loss + gains) / passes)
                gained = ~before & (rng.random(tasks) < gains / (1 - passes))
                after = (before & ~lost) | gained
                found = paired_difference(
                    after.astype(float), before.astype(float), clusters
                )
                assert found is not None  # there are tasks
                seen += found.high < 0
                held += found.low >= -GENERAL_MARGIN
                fell += found.high < -GENERAL_MARGIN
            print(
                f"{passes:.1f}     {loss + gains:.2f}   {gains:.2f}   {seen / times:.3f}  "
                f"{held / times:.3f}  {fell / times:.3f}"
            )


if __name__ == "__main__":
    main()
