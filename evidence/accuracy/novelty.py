"""How well new kinds of request are told from old ones, on labelled intents.

    python evidence/accuracy/novelty.py ../shared/real [--sets N] [--draws N] [--only WORDS]

First the detector: how much of what is new, and of what isn't, is flagged of 400 later requests,
with 400 and with 1,500 earlier ones. New is a request of none of CLINC150's 150 intents (out of
scope), or of a tenth of the intents of CLINC150 or BANKING77 that is held out. Then the signal:
four months of 800 conversations with two requests each, in which a share of the last month's
conversations is new; and some in which nothing is new, but old intents come more or less often in
the last month than before, each by a factor of its own (lognormal).

The two shares of the detector were chosen on other draws from CLINC150, with another seed.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

import numpy as np
from numpy.typing import NDArray

from plain_engine import measure
from tuneworthy.measure.signals import novelty
from tuneworthy.measure.signals.novelty import NoveltySignal as Novelty
from tuneworthy.measure.signals.novelty import flagged, neighbours
from tuneworthy.model.evidence import Batch
from tuneworthy.stats.intervals import wilson
from tuneworthy.text.embedding import embed
from worlds_novelty import asked

SEED = 20261125
LATER, LIMIT = 400, 0.2
Pool = tuple[list[str], list[str]]
Requests = list[tuple[str, str]]
Kinds = Callable[[np.random.Generator], Pool]


def clinc(shared: Path) -> tuple[list[tuple[str, str]], list[str]]:
    """Requests with their intents, and requests that have none."""
    data = json.loads((shared / "clinc_oos" / "data_oos_plus.json").read_text("utf-8"))
    within = [
        (text, intent)
        for part in ("train", "val", "test")
        for text, intent in data[part]
    ]
    return within, [
        text for part in ("train", "val", "test") for text, _ in data[f"oos_{part}"]
    ]


def banking(shared: Path) -> list[tuple[str, str]]:
    """Requests with their intents."""
    found = []
    for part in ("train", "test"):
        with (shared / "banking77" / f"{part}.csv").open(
            encoding="utf-8", newline=""
        ) as file:
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


def detector(
    kinds: Kinds, earlier: int, share: float, draws: int, vectors_of: Remembered
) -> str:
    """What is flagged of later requests, a share of which is of a kind not seen before."""
    spared, found = [], []
    fresh = round(share * LATER)
    for draw in range(draws):
        rng = np.random.default_rng([SEED, draw, earlier, fresh])
        known, new = kinds(rng)
        old = [
            known[each]
            for each in rng.permutation(len(known))[: earlier + LATER - fresh]
        ]
        texts = old + [new[each] for each in rng.permutation(len(new))[:fresh]]
        vectors = vectors_of([novelty.DIGITS.sub("0", text) for text in texts])
        place = np.arange(len(vectors))
        rows = flagged(
            neighbours(vectors, place, place >= earlier), place, place >= earlier, rng
        ).rows  # fmt: skip
        spared.append(1 - float(rows[earlier : len(old)].mean()))
        found.append(float(rows[len(old) :].mean()))
    ends = np.quantile(found, (0.025, 0.975))
    return f"{np.mean(found):.2f} ({ends[0]:.2f}–{ends[1]:.2f}) | {np.mean(spared):.2f}"


def signal(kinds: Kinds, share: float, sets: int) -> str:
    """How often the signal finds something new, and how often its interval holds the truth."""
    found = []
    for each in range(sets):
        rng = np.random.default_rng([SEED, each, int(1000 * share)])
        known, new = kinds(rng)
        found.append(told(asked(rng, known, new, share=share), share))
    return row(found)


def shift(requests: list[tuple[str, str]], by: float, sets: int) -> str:
    """The same where nothing is new, and old intents come more or less often than before."""
    found = []
    intents = sorted({intent for _, intent in requests})
    place = np.array([intents.index(intent) for _, intent in requests])
    for each in range(sets):
        rng = np.random.default_rng([SEED, each, int(1000 * by), 7])
        weight = np.exp(by * rng.normal(size=len(intents)))[place]
        late = rng.choice(
            len(requests), size=1_000, replace=False, p=weight / weight.sum()
        )
        rest = np.setdiff1d(np.arange(len(requests)), late)
        known, later = ([requests[at][0] for at in rows] for rows in (rest, late))
        found.append(told(asked(rng, known, (), share=0.0, later=later), 0.0))
    return row(found)


def told(log: Batch, share: float) -> tuple[bool, ...]:
    """What the columns of the table count, of one log."""
    novel, drift = measure(Novelty(), log).evidence
    assert novel.low is not None
    assert isinstance(novel.high, float)
    holds = novel.low - 1e-9 <= share <= novel.high + 1e-9
    chance = float(drift.details["chance"])
    return novel.low > 0, novel.low > LIMIT, novel.high < LIMIT, holds, chance <= 0.05


def row(found: list[tuple[bool, ...]]) -> str:
    """The columns."""
    fires, *others = np.mean(found, axis=0).tolist()
    low, high = wilson(sum(one[0] for one in found), len(found))
    return " | ".join(
        [f"{fires:.3f} ({low:.3f}–{high:.3f})", *(f"{each:.3f}" for each in others)]
    )


class Remembered:
    """Vectors of every text, made once."""

    def __init__(self, texts: list[str]) -> None:
        plain = sorted({novelty.DIGITS.sub("0", text) for text in texts})
        vectors = embed(plain)
        assert vectors is not None
        self._vectors, self._rows = (
            vectors,
            {text: row for row, text in enumerate(plain)},
        )

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Those of some texts."""
        return self._vectors[[self._rows[text] for text in texts]]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument(
        "--sets", type=int, default=200, help="a quarter for all but 0%% and 20%%"
    )
    parser.add_argument("--only", default="", help="kinds of new whose name holds this")
    parser.add_argument(
        "--draws", type=int, default=100, help="of the detector; 0 leaves it out"
    )
    asked_for = parser.parse_args()
    within, outside = clinc(asked_for.shared)
    bank = banking(asked_for.shared)
    everything = [text for text, _ in within]
    vectors_of = Remembered([*everything, *outside, *(text for text, _ in bank)])
    worlds: dict[str, Kinds] = {
        "out of scope, CLINC150": lambda _: (everything, outside),
        "held-out intents, CLINC150": held_out(within),
        "held-out intents, BANKING77": held_out(bank),
    }
    worlds = {name: kinds for name, kinds in worlds.items() if asked_for.only in name}
    shifted = {"CLINC150": within, "BANKING77": bank}
    shifted = {
        name: requests for name, requests in shifted.items() if asked_for.only in name
    }
    with mock.patch.object(novelty, "embed", vectors_of):
        if asked_for.draws:
            of_detector(worlds, asked_for.draws, vectors_of)
        if asked_for.sets:
            of_signal(worlds, shifted, asked_for.sets)


def of_detector(worlds: dict[str, Kinds], draws: int, vectors_of: Remembered) -> None:
    """Print the first table."""
    print(
        "| new is | earlier requests | new among later | new that is flagged | old that isn't |"
    )
    print("|---|---|---|---|---|")
    for name, kinds in worlds.items():
        for earlier in (400, 1500):
            for share in (0.05, 0.2, 0.5):
                flags = detector(kinds, earlier, share, draws, vectors_of)
                print(f"| {name} | {earlier} | {share:.0%} | {flags} |", flush=True)


def of_signal(
    worlds: dict[str, Kinds], shifted: dict[str, Requests], sets: int
) -> None:
    """Print the second."""
    print(
        "\n| new is | planted | low end above 0 | above 0.2 | below 0.2 | holds it | drift |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, kinds in worlds.items():
        for share in (0.0, 0.01, 0.05, 0.2, 0.5):
            some = sets if share in {0.0, 0.2} else sets // 4
            print(
                f"| {name} | {share:.0%} | {signal(kinds, share, some)} |", flush=True
            )
    for name, requests in shifted.items():
        for by in (0.35, 0.7):
            counted = shift(requests, by, sets // 2)
            print(
                f"| nothing, {name}, intents shifted by {by:g} | 0% | {counted} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
