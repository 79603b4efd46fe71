"""How often the learning curve of a pilot holds the truth: simulated pilots.

    python tools/accuracy/curve.py [PILOTS]

Each world has a true curve (flat, a rectified power law with drawn parameters, or a logistic in
log n that is none), cases of unequal difficulty, and seeds that differ. A pilot sees three or four
nested sizes with three seeds on 200 cases; the curve has to hold the true score at the largest
size, one and two doublings ahead.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from statistics import NormalDist

import numpy as np

from tuneworthy.stats.intervals import wilson
from tuneworthy.training.curve import drawn

CASES, SEEDS = 200, 3
HEAD = "curve  sizes  ahead  holds it (95% interval)  width  flat though it gains 2 points"
_NORMAL = np.array([NormalDist().inv_cdf((i + 0.5) / 400) for i in range(400)])


def world(rng: np.random.Generator, kind: str):
    """The true share of right answers by number of examples."""
    floor, first = rng.uniform(0.0, 0.3), rng.uniform(0.1, 0.6)
    if kind == "flat":
        return lambda n: 1 - floor - 0.0 * n
    if kind == "power":
        beta, before = rng.uniform(0.2, 1.2), rng.choice([0.0, 1.0, 5.0])
        lead = before * 25**beta
        scale = first * (lead + 25**beta)
        return lambda n: 1 - min(1.0, floor + scale / (lead + n**beta))
    middle, width = rng.uniform(np.log(20), np.log(200)), rng.uniform(0.5, 1.5)
    return lambda n: 1 - floor - first / (1 + np.exp((np.log(n) - middle) / width))


def seen(rng: np.random.Generator, share: float, ease: np.ndarray, apart: float) -> np.ndarray:
    """Scores of three seeds on the same cases, drawn from many whose mean chance is the share."""
    rows = []
    for _ in range(SEEDS):
        wanted = np.clip(share + rng.normal(0, apart), 0.01, 0.99)
        low, high = -20.0, 20.0
        for _ in range(40):
            shift = (low + high) / 2
            mean = (1 / (1 + np.exp(-(shift + ease.std() * _NORMAL)))).mean()
            low, high = (shift, high) if mean < wanted else (low, shift)
        rows.append(rng.random(CASES) < 1 / (1 + np.exp(-(shift + ease))))
    return np.array(rows, float)


def main() -> None:
    """Print the table."""
    pilots = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print(f"{pilots} pilots a row, {CASES} cases, {SEEDS} seeds")
    print(HEAD)
    for kind in ("flat", "power", "logistic"):
        for sizes in ((50, 100, 200), (50, 100, 200, 400)):
            hits: dict[int, int] = defaultdict(int)
            widths: dict[int, float] = defaultdict(float)
            wrong = gains = 0
            for number in range(pilots):
                rng = np.random.default_rng(number)
                truth = world(rng, kind)
                ease = rng.normal(0, rng.uniform(0.5, 4), CASES)
                apart = rng.uniform(0.0, 0.03)
                curves = drawn(
                    sizes, [seen(rng, truth(n), ease, apart) for n in sizes], np.arange(CASES)
                )
                for ahead in (0, 1, 2):
                    size = sizes[-1] * 2**ahead
                    low, high = np.percentile(curves.score(size), (2.5, 97.5))
                    hits[ahead] += bool(low <= truth(size) <= high)
                    widths[ahead] += high - low
                gain = truth(2 * sizes[-1]) - truth(sizes[-1])
                more = np.percentile(curves.score(2 * sizes[-1]) - curves.score(sizes[-1]), 97.5)
                gains += bool(gain >= 0.02)
                wrong += bool(gain >= 0.02 and more < 0.02)
            for ahead in (0, 1, 2):
                low, high = wilson(hits[ahead], pilots)
                share = f"{wrong} of {gains}" if ahead == 1 else ""
                print(
                    f"{kind:9} {sizes!s:20} {ahead}   {hits[ahead] / pilots:.3f} "
                    f"({low:.3f} to {high:.3f})  {widths[ahead] / pilots:.3f}  {share}"
                )


if __name__ == "__main__":
    main()
