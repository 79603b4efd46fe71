"""How often a lab or a verification is wrong where models cut, think, filter, refuse or stall.

    python evidence/accuracy/withheld.py [--worlds N]

The worlds stand in tests/worlds_withheld.py: how often every model is right is known, and a share
of its answers doesn't come, any of them or the right ones alone.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import replace
from multiprocessing import Pool
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from datetime import date

import numpy as np

from tuneworthy.lab import verify as lab_held
from tuneworthy.lab import verify as lab_verify
from tuneworthy.model import lab as model_lab
from tuneworthy.model.base import Unknown
from tuneworthy.model.lab import Contrast
from worlds_withheld import WAYS, World

PLAN = model_lab.VerifyPlan(
    tuned="t", untuned="u", margin=0, general_margin=0.1, cases=0, general=40, inputs="",
    written_on=date(2026, 11, 27),
)  # fmt: skip
SAME = Contrast(
    first="t", second="u", difference=0, low=-0.05, high=0.05, n=40, clusters=40, told_apart="no",
    cases_needed=Unknown(ask=""),
)  # fmt: skip
LOST = (0.0, 0.0, 0.0, 0.003, 0.006, 0.01, 0.02, 0.25)


def one(seed: int) -> tuple[str, ...]:
    """What was said in a world, and what of it is wrong."""
    rng = np.random.default_rng(seed)
    best = float(rng.uniform(0.4, 0.97))
    mine = float(np.clip(best + rng.choice([-0.2, -0.1, 0.0, 0.0, 0.1, 0.2]), 0, 1))
    shares = {"careful": best, "plain": float(rng.uniform(0.2, best)), "mine": mine}
    way, turns = str(rng.choice(list(WAYS))), int(rng.choice([1, 1, 3]))
    world = World(shares, int(rng.choice([120, 240])) * turns, turns, seed, way)
    right_only, lost = (
        bool(rng.random() < 0.5),
        {key: float(rng.choice(LOST)) for key in shares},
    )
    held = frozenset(
        call
        for call in world.order("any")
        if rng.random() < lost[call[0]] and (world.right(*call) or not right_only)
    )
    world = replace(world, held=held)
    target = float(np.clip(best + rng.choice([-0.15, -0.05, 0.0, 0.05, 0.15]), 0.05, 1))
    reached, compared = world.reached(target), world.compared()
    said = [f"ceiling {reached}"]
    if reached == "yes" and best >= target:
        said.append("false ceiling")
    outcome = "not judged"
    if compared:
        plan = PLAN.model_copy(update={"cases": max(PLAN.cases, compared.n)})
        # no target is stated
        nothing = lab_held.HeldArm({}, "unknown", "unknown", "", "unknown")
        outcome = lab_verify.judge_outcome(plan, compared, SAME, nothing, "yes")[0]
    said.append(f"verify {outcome}")
    if outcome == "improved" and shares["mine"] <= best:
        said.append("false win")
    if outcome == "regressed" and shares["mine"] >= best:
        said.append("false loss")
    return tuple(said)


def main() -> None:
    """Count over many worlds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=1000)
    worlds = parser.parse_args().worlds
    with Pool() as pool:
        counted = Counter(
            word for said in pool.map(one, range(worlds), 10) for word in said
        )
    for name, n in sorted(counted.items()):
        print(f"{name:24}{n:6}{n / worlds:8.1%}")


if __name__ == "__main__":
    main()
