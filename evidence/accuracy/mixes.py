"""How often watch sees that requests are of other kinds than in an older log.

    python evidence/accuracy/mixes.py ../shared/real [--draws N]

Two logs of so many conversations each are drawn from labelled requests (CLINC150, BANKING77) of ten
or sixty kinds that come with the same shares. In the newer log a part is of a quarter as many kinds
more, which the older one has nothing of.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from novelty import banking, clinc
from numpy.typing import NDArray

from tuneworthy.measure.signals.mix import _words
from tuneworthy.measure.signals.novelty import DIGITS
from tuneworthy.stats.mixes import Halves, moved_share
from tuneworthy.text.embedding import embed
from tuneworthy.training.watch import MOVED, STAYED


def halves(
    nearest: NDArray[np.int64], rows: NDArray[np.int64], rng: np.random.Generator
) -> Halves:
    order = rng.permutation(rows)
    parts = (nearest[order[::2]], nearest[order[1::2]])
    first, second = (
        np.bincount(part, minlength=len(_words())).tolist() for part in parts
    )
    return first, second


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("real", type=Path)
    parser.add_argument("--draws", type=int, default=40)
    options = parser.parse_args()
    for name, rows in {
        "CLINC150": clinc(options.real)[0],
        "BANKING77": banking(options.real),
    }.items():
        vectors = embed([DIGITS.sub("0", text) for text, _ in rows])
        nearest = (vectors @ _words().T).argmax(axis=1)
        labels, kinds = np.unique([label for _, label in rows], return_inverse=True)
        places = [np.flatnonzero(kinds == kind) for kind in range(len(labels))]
        for known in (10, 60):
            for n in (400, 800, 3_000):
                for part in (0.0, 0.25, 0.5):
                    seen = {"attention": 0, "unknown": 0, "holds": 0}
                    for seed in range(options.draws):
                        rng = np.random.default_rng(seed)
                        order = rng.permutation(len(labels))
                        shares = rng.dirichlet(np.full(known, 5.0))
                        old = rng.choice(order[:known], n, p=shares)
                        new = rng.choice(order[:known], n, p=shares)
                        others = order[known : known + max(3, known // 4)]
                        swapped = rng.random(n) < part
                        new = np.where(swapped, rng.choice(others, n), new)
                        drawn = (
                            np.array([rng.choice(places[kind]) for kind in log])
                            for log in (old, new)
                        )
                        mixes = [halves(nearest, log, rng) for log in drawn]
                        moved = moved_share(mixes[0], mixes[1])
                        state = "attention" if moved.low > MOVED else "unknown"
                        state = (
                            "holds"
                            if moved.high <= STAYED and state == "unknown"
                            else state
                        )
                        seen[state] += 1
                    print(
                        f"{name}, {known} kinds, {n} conversations, {part:.0%} new: {seen}"
                    )


if __name__ == "__main__":
    main()
