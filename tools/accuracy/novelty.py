"""How well new kinds of request are told from old ones, on labelled intents.

    python tools/accuracy/novelty.py ../shared/real [--sets N] [--draws N] [--only WORDS]

First the detector: how much of what is new, and of what isn't, is flagged, with 400 and with 1,500
earlier requests. New is a request of none of CLINC150's 150 intents (out of scope), or of a tenth
of the intents of CLINC150 or BANKING77 that is held out. Then the signal: four months of 800
conversations with two requests each, in which a share of the last month's conversations is new.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

import numpy as np

from plain_engine import measure
from tuneworthy.gather.embedding import embed
from tuneworthy.gather.signals.novelty import UNLIKE, Novelty, nearest
from tuneworthy.stats.intervals import wilson
from worlds_novelty import asked

SEED = 20261124
Pool = tuple[list[str], list[str]]
Kinds = Callable[[np.random.Generator], Pool]


def clinc(shared: Path) -> tuple[list[tuple[str, str]], list[str]]:
    """Requests with their intents, and requests that have none."""
    data = json.loads((shared / "clinc_oos" / "data_oos_plus.json").read_text("utf-8"))
    within = [(text, intent) for part in ("train", "val", "test") for text, intent in data[part]]
    return within, [text for part in ("train", "val", "test") for text, _ in data[f"oos_{part}"]]


def banking(shared: Path) -> list[tuple[str, str]]:
    """Requests with their intents."""
    found = []
    for part in ("train", "test"):
        with (shared / "banking77" / f"{part}.csv").open(encoding="utf-8", newline="") as file:
            found += [(row["text"], row["category"]) for row in csv.DictReader(file)]
    return found


def held_out(requests: list[tuple[str, str]]) -> Kinds:
    """A tenth of the intents is new."""
    intents = sorted({intent for _, intent in requests})

    def split(rng: np.random.Generator) -> Pool:
        new = set(rng.permutation(intents)[: len(intents) // 10].tolist())
        known = [text for text, intent in requests if intent not in new]
        return known, [text for text, intent in requests if intent in new]

    return split


def detector(kinds: Kinds, earlier: int, draws: int) -> str:
    """What is flagged of 300 new requests and of 300 that are of a kind seen before."""
    spared, found = [], []
    for draw in range(draws):
        rng = np.random.default_rng([SEED, draw])
        known, new = kinds(rng)
        old = [known[each] for each in rng.permutation(len(known))[: earlier + 300]]
        vectors = embed(old + [new[each] for each in rng.permutation(len(new))[:300]])
        assert vectors is not None
        before, same, other = np.split(vectors, [earlier, earlier + 300])
        limit = np.quantile(nearest(before, before, np.eye(earlier, dtype=bool)), UNLIKE)
        spared.append(float((nearest(same, before) >= limit).mean()))
        found.append(float((nearest(other, before) < limit).mean()))
    ends = np.quantile(found, (0.025, 0.975))
    return f"{np.mean(found):.2f} ({ends[0]:.2f}–{ends[1]:.2f}) | {np.mean(spared):.2f}"


def signal(kinds: Kinds, share: float, sets: int) -> str:
    """How often the signal finds something new, and how often its interval holds the truth."""
    fires = above = below = holds = drifts = 0
    for each in range(sets):
        rng = np.random.default_rng([SEED, each, int(1000 * share)])
        novel, drift = measure(Novelty(), asked(rng, *kinds(rng), share=share)).evidence
        assert novel.low is not None
        assert isinstance(novel.high, float)
        fires += novel.low > 0
        above += novel.low > 0.2
        below += novel.high < 0.2
        holds += novel.low - 1e-9 <= share <= novel.high + 1e-9
        drifts += float(drift.details["chance"]) <= 0.05
    low, high = wilson(fires, sets)
    return (
        f"{fires / sets:.3f} ({low:.3f}–{high:.3f}) | {above / sets:.3f} | {below / sets:.3f} "
        f"| {holds / sets:.3f} | {drifts / sets:.3f}"
    )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--sets", type=int, default=200, help="a quarter for all but 0% and 20%")
    parser.add_argument("--only", default="", help="kinds of new whose name holds this")
    parser.add_argument("--draws", type=int, default=100, help="of the detector; 0 leaves it out")
    asked_for = parser.parse_args()
    within, outside = clinc(asked_for.shared)
    everything = [text for text, _ in within]
    worlds: dict[str, Kinds] = {
        "out of scope, CLINC150": lambda _: (everything, outside),
        "held-out intents, CLINC150": held_out(within),
        "held-out intents, BANKING77": held_out(banking(asked_for.shared)),
    }
    worlds = {name: kinds for name, kinds in worlds.items() if asked_for.only in name}
    print("| new is | earlier requests | new that is flagged | old that isn't |\n|---|---|---|---|")
    for name, kinds in worlds.items():
        for earlier in (400, 1500) if asked_for.draws else ():
            told = detector(kinds, earlier, asked_for.draws)
            print(f"| {name} | {earlier} | {told} |", flush=True)
    print("\n| new is | planted | low end above 0 | above 0.2 | below 0.2 | holds it | drift |")
    print("|---|---|---|---|---|---|---|")
    for name, kinds in worlds.items():
        for share in (0.0, 0.01, 0.05, 0.2, 0.5):
            sets = asked_for.sets if share in {0.0, 0.2} else asked_for.sets // 4
            print(f"| {name} | {share:.0%} | {signal(kinds, share, sets)} |", flush=True)


if __name__ == "__main__":
    main()
