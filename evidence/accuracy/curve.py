"""How often the learning curve of a pilot holds the truth: simulated pilots.

    python evidence/accuracy/curve.py [PILOTS]

Each world has a true curve, cases of unequal difficulty, and seeds that differ. None is drawn by
the fit's own law but ``power``. A pilot sees a sixteenth, an eighth and a quarter of the examples;
its curve has to hold the true score of the quarter, of a half and of all of them, and the score
that training on all of them comes to on the same cases.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from tuneworthy.stats.intervals import wilson
from tuneworthy.training.curve import learning_curve

PILOTS = (
    (200, 3, 50),
    (48, 3, 10),
    (48, 1, 6),
)  #: Cases, seeds, and the smallest size.
_NORMAL = np.array([NormalDist().inv_cdf((i + 0.5) / 400) for i in range(400)])
Law = Callable[[float], float]  #: The true score by the number of examples.
World = Callable[[np.random.Generator, float], Law]


def flat(rng: np.random.Generator, _: float) -> Law:
    share = rng.uniform(0.05, 1.0)
    return lambda _: share


def nothing(_: np.random.Generator, __: float) -> Law:
    """Never right, whatever the number of examples."""
    return lambda _: 0.0


def power(rng: np.random.Generator, first: float) -> Law:
    floor, beta = rng.uniform(0.0, 0.3), rng.uniform(0.2, 1.2)
    lead = rng.choice([0.0, 1.0, 5.0]) * (first / 2) ** beta
    scale = rng.uniform(0.1, 0.6) * (lead + (first / 2) ** beta)
    return lambda n: 1 - min(1.0, floor + scale / (lead + n**beta))


def logistic(rng: np.random.Generator, first: float) -> Law:
    floor, gain, width = (
        rng.uniform(0.0, 0.3),
        rng.uniform(0.1, 0.6),
        rng.uniform(0.5, 1.5),
    )
    middle = math.log(first) + rng.uniform(-1.0, 1.4)
    return lambda n: 1 - floor - gain / (1 + math.exp((math.log(n) - middle) / width))


def jump(
    rng: np.random.Generator, first: float, low: tuple[float, float] = (0.0, 0.05)
) -> Law:
    """A step in log n, most of it after what is seen and before all of the data."""
    bottom, top, width = (
        rng.uniform(*low),
        rng.uniform(0.5, 1.0),
        rng.uniform(0.15, 0.5),
    )
    middle = math.log(4 * first) + rng.uniform(0.2, 1.2)
    step = NormalDist(middle, width).cdf
    return lambda n: bottom + (top - bottom) * step(math.log(n))


def jump_higher(rng: np.random.Generator, first: float) -> Law:
    """The same of a model that is right in a third to a half of the cases already."""
    return jump(rng, first, (0.3, 0.5))


def falling(rng: np.random.Generator, first: float) -> Law:
    top, less = rng.uniform(0.5, 0.9), rng.uniform(0.01, 0.04)
    return lambda n: top - less * math.log2(n / first)


WORLDS: tuple[World, ...] = (flat, nothing, power, logistic, jump, jump_higher, falling)


def runs(
    rng: np.random.Generator,
    share: float,
    ease: NDArray[np.float64],
    seeds: int,
    apart: float,
) -> NDArray[np.float64]:
    """Scores of some seeds on the same cases, drawn from many whose mean chance is the share."""
    rows = []
    for _ in range(seeds):
        wanted = np.clip(share + rng.normal(0, apart), 0, 1)
        low, shift, high = -30.0, 0.0, 30.0
        for _ in range(40):
            shift = (low + high) / 2
            mean = (1 / (1 + np.exp(-(shift + ease.std() * _NORMAL)))).mean()
            low, high = (shift, high) if mean < wanted else (low, shift)
        rows.append(rng.random(len(ease)) < 1 / (1 + np.exp(-(shift + ease))))
    return np.array(rows, float) * (share > 0)


def main() -> None:
    """Print the table."""
    pilots = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print(
        f"{pilots} pilots a row: holds the quarter, a half, all, the run on all (95% interval)"
    )
    for cases, seeds, first in PILOTS:
        sizes = [first, 2 * first, 4 * first]
        print(f"{cases} cases, {seeds} seeds, sizes {sizes}")
        for world in WORLDS:
            told, width = Counter[str](), 0.0
            for number in range(pilots):
                rng = np.random.default_rng(number)
                truth, ease = (
                    world(rng, first),
                    rng.normal(0, rng.uniform(0.5, 4), cases),
                )
                apart = rng.uniform(0.0, 0.03)
                tables = [
                    runs(rng, truth(n), ease, seeds, apart)
                    for n in (*sizes, 16 * first)
                ]
                goal = truth(16 * first) - 0.01
                target = goal if goal > 0 else None
                curve = learning_curve(
                    sizes, tables[:-1], np.arange(cases), margin=0.02, target=target
                )
                points = curve.points[2:]
                # as told
                ends = [(round(point.low, 2), round(point.high, 2)) for point in points]
                for name, point, (low, high) in zip(
                    ("quarter", "half", "all"), points, ends, strict=True
                ):
                    told[name] += low <= truth(point.examples) <= high
                low, high = ends[-1]
                width += high - low
                told["run"] += bool(low <= tables[-1].mean() <= high)
                more = truth(8 * first) - truth(4 * first) >= 0.02
                told["flat"] += curve.outlook == "flat"
                told["flat, gains"] += curve.outlook == "flat" and more
                told["never, is met"] += getattr(curve.needed, "low", "") == "never"
            rates = [
                f"{told[name] / pilots:.3f}"
                for name in ("quarter", "half", "all", "run")
            ]
            low, high = wilson(told["all"], pilots)
            print(
                f"  {world.__name__:12} {' '.join(rates)} (all: {low:.3f} to {high:.3f})  "
                f"width {width / pilots:.2f}  flat {told['flat']}, of them wrongly "
                f"{told['flat, gains']}  never wrongly {told['never, is met']}",
                flush=True,
            )


if __name__ == "__main__":
    main()
