"""How often volume and growth hold the truth, and how often growth is seen where there is none.

    python evidence/accuracy/traffic.py [--sets N] [--months N ...]

Each data set is a log of calls in conversations of three, 40 calls a day at its end; weekdays
differ, days scatter by 20% beyond that, and the correlation of a day with the next is 0.5.

*At best* is how often a trend would be seen by an interval around the same estimate that knew its
true error, taken from the estimates of all logs of the row.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from statistics import NormalDist

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

import numpy as np

from plain_engine import measure
from tuneworthy.measure.signals.traffic import TrafficSignal as Traffic
from tuneworthy.model.evidence import Evidence
from tuneworthy.stats.intervals import wilson
from worlds_traffic import MONTH_DAYS, visits

SEED = 20261125
A_DAY = 40.0


def ends(one: Evidence) -> tuple[float, float]:
    """The interval of known evidence."""
    assert one.low is not None, one
    assert isinstance(one.high, float)
    return one.low, one.high


def row(months: float, growth: float, sets: int) -> str:
    """A row of the table: coverage of both, and how often growth or decline is seen."""
    volume = grows = seen = 0
    estimates = []
    for each in range(sets):
        rng = np.random.default_rng([SEED, each, int(months * 10), int(growth * 1000)])
        log = visits(rng, a_day=A_DAY, months=months, growth=growth)
        found = {e.id: e for e in measure(Traffic(), log).evidence}
        low, high = ends(found["requests_per_month"])
        # the level is that of the last 28 days, which lie 14 before the end on average
        truth = A_DAY * MONTH_DAYS * (1 + growth) ** (-14 / MONTH_DAYS)
        volume += low <= truth <= high
        if found["growth_per_month"].is_known:
            low, high = ends(found["growth_per_month"])
            estimates.append(math.log1p(found["growth_per_month"].number))
            grows += low <= growth <= high
            seen += low > 0 or high < 0
    told = "unknown | unknown | unknown"
    if known := len(estimates):
        low, high = wilson(seen, known)
        told = f"{grows / known:.3f} | {seen / known:.3f} ({low:.3f}–{high:.3f})"
        told += f" | {at_best(growth, float(np.std(estimates, ddof=1))):.3f}"
    return f"| {months:g} months | {growth:.0%} | {volume / sets:.3f} | {told} |"


def at_best(growth: float, error: float) -> float:
    """The power of a normal test at 5% whose standard error is known."""
    away = math.log1p(growth) / error
    return NormalDist().cdf(away - 1.96) + NormalDist().cdf(-away - 1.96)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument(
        "--months", type=float, nargs="+", default=[1.0, 3.1, 4.0, 6.0, 12.0]
    )
    asked = parser.parse_args()
    print(
        "| log | growth a month | volume holds | growth holds | a trend is seen | at best |"
    )
    print("|---|---|---|---|---|---|")
    for months in asked.months:
        for growth in (0.2, 0.0, 0.05, 0.01):
            print(row(months, growth, asked.sets), flush=True)


if __name__ == "__main__":
    main()
