"""How often volume and growth hold the truth, and how often growth is seen where there is none.

    python tools/accuracy/traffic.py [--sets N]

Each data set is a log of calls in conversations of three, 40 calls a day at its end; weekdays
differ, days scatter by 20% beyond that, and the correlation of a day with the next is 0.5.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

import numpy as np

from plain_engine import measure
from tuneworthy.domain.evidence import Evidence
from tuneworthy.gather.signals.traffic import Traffic
from tuneworthy.stats.intervals import wilson
from worlds_traffic import MONTH_DAYS, visits

SEED = 20261124
A_DAY = 40.0


def ends(one: Evidence) -> tuple[float, float]:
    """The interval of known evidence."""
    assert one.low is not None, one
    assert isinstance(one.high, float)
    return one.low, one.high


def row(months: float, growth: float, sets: int) -> str:
    """A row of the table: coverage of both, and how often growth or decline is seen."""
    volume = grows = seen = known = 0
    for each in range(sets):
        rng = np.random.default_rng([SEED, each, int(months * 10), int(growth * 1000)])
        log = visits(rng, a_day=A_DAY, months=months, growth=growth)
        found = {e.id: e for e in measure(Traffic(), log).evidence}
        low, high = ends(found["requests_per_month"])
        # the level is that of the last 28 days, which lie 14 before the end on average
        truth = A_DAY * MONTH_DAYS * (1 + growth) ** (-14 / MONTH_DAYS)
        volume += low <= truth <= high
        if found["growth_per_month"].known:
            low, high = ends(found["growth_per_month"])
            known += 1
            grows += low <= growth <= high
            seen += low > 0 or high < 0
    told = "unknown | unknown"
    if known:
        low, high = wilson(seen, known)
        told = f"{grows / known:.3f} | {seen / known:.3f} ({low:.3f}–{high:.3f})"
    return f"| {months:g} months | {growth:.0%} | {volume / sets:.3f} | {told} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=200)
    sets = parser.parse_args().sets
    print("| log | growth a month | volume holds | growth holds | a trend is seen |")
    print("|---|---|---|---|---|")
    for months in (1.0, 3.1, 6.0, 12.0):
        for growth in (0.0, 0.01, 0.05, 0.2):
            print(row(months, growth, sets), flush=True)


if __name__ == "__main__":
    main()
