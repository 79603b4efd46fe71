"""How often the intervals over conversations hold the truth.

    python evidence/accuracy/intervals.py [--worlds N]

Shares are beta-binomial by conversation, at an intraclass correlation of 0.3; the values are normal
or lognormal (standard deviation of the log 1), with 0.3 of the variance between conversations.
Conversations have one trace; a geometric number, five on average; or one by a power law with
exponent 1.2, two to 200.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.stats.clustered import Estimate, mean, quantile, share

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEED = 20261124
ALIKE = 0.3
P95 = 1.6448536269514722
SIZES: dict[str, Callable[[np.random.Generator, int], NDArray[np.int64]]] = {
    "1 each": lambda _, k: np.ones(k, dtype=np.int64),
    "about 5": lambda rng, k: rng.geometric(0.2, k),
    "2 to 200": lambda rng, k: np.minimum(
        np.ceil(2 * rng.pareto(1.2, k) + 2), 200
    ).astype(np.int64),
}


def hits(
    rng: np.random.Generator, talk: NDArray[np.int64], rate: float
) -> NDArray[np.float64]:
    """Hits at a rate, alike within a conversation."""
    scale = (1 - ALIKE) / ALIKE
    own = rng.beta(scale * rate, scale * (1 - rate), int(talk[-1]) + 1)
    return (rng.random(len(talk)) < own[talk]).astype(np.float64)


def scores(rng: np.random.Generator, talk: NDArray[np.int64]) -> NDArray[np.float64]:
    """Standard normal values, alike within a conversation."""
    own = rng.normal(size=int(talk[-1]) + 1)[talk]
    return math.sqrt(ALIKE) * own + math.sqrt(1 - ALIKE) * rng.normal(size=len(talk))


def holds(found: Estimate | None, truth: float) -> bool:
    """Whether an interval holds the truth."""
    return found is not None and found.low <= truth <= found.high


def row(sizes: str, k: int, worlds: int) -> str:
    """A row of the table."""
    counts = np.zeros(9)
    for world in range(worlds):
        rng = np.random.default_rng([SEED, world, k, *sizes.encode()])
        talk = np.repeat(np.arange(k), SIZES[sizes](rng, k))
        normal = scores(rng, talk)
        skewed = np.exp(normal)
        seen = [
            *(
                holds(share(hits(rng, talk, p), talk), p)
                for p in (0.01, 0.05, 0.2, 0.5)
            ),
            holds(mean(normal, talk), 0.0),
            holds(mean(skewed, talk), math.exp(0.5)),
            holds(quantile(skewed, 0.5, talk), 1.0),
            holds(quantile(skewed, 0.95, talk), math.exp(P95)),
            quantile(skewed, 0.95, talk).high == math.inf,  # type: ignore[union-attr]  # it has values
        ]
        counts += np.array(seen, dtype=np.float64)
    told = " | ".join(f"{each:.3f}" for each in counts / worlds)
    return f"| {k} | {sizes} | {told} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=1000)
    worlds = parser.parse_args().worlds
    print(
        "| conversations | traces | share 1% | 5% | 20% | 50% | mean, normal | mean, lognormal "
        "| median | 95th percentile | of it without upper end |"
    )
    print("|" + "---|" * 11)
    for k in (20, 50, 200):
        for sizes in SIZES:
            print(row(sizes, k, worlds), flush=True)


if __name__ == "__main__":
    main()
