"""Whether the record could be chance: other seeds, fewer cases, outcomes in another order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from refit_data import Array, Data
from refit_models import CANDIDATES, QUICK, sigmoid
from refit_nested import Settings, choose, nested, row_weights
from refit_study import laid_end_to_end


@dataclass(frozen=True)
class Effort:
    """How much is computed."""

    settings: Settings
    draws: int
    slopes: int
    curve: int
    permutations: int
    seeds: int


FULL = Effort(Settings(CANDIDATES), 10_000, 1000, 40, 300, 5)
QUICK_EFFORT = Effort(Settings(QUICK, repeats=1), 200, 20, 2, 3, 1)


def _gain(data: Data, chance: Array) -> tuple[float, float]:
    """Gains in Brier score and accuracy over the share of wins, both coders together."""
    won, rate = data.won, data.won.mean()
    accuracy = ((chance > 0.5) == (won > 0.5)).mean() - max(rate, 1 - rate)
    return float(((rate - won) ** 2 - (chance - won) ** 2).mean()), float(accuracy)


def seeds(data: Data, effort: Effort, seed: int) -> dict[str, Any]:
    """How much hangs on how inner folds were dealt."""
    gains = [
        _gain(
            data, nested(data, effort.settings, rng=np.random.default_rng(seed + k))[0]
        )
        for k in range(1, effort.seeds + 1)
    ]
    return {
        "more_seeds": effort.seeds,
        "brier_gain": [round(gain, 4) for gain, _ in gains],
        "accuracy_gain": [round(gain, 4) for _, gain in gains],
    }


def curve(data: Data, effort: Effort, seed: int) -> list[dict[str, float]]:
    """The gain on all other clusters after training on some of them, drawn again and again."""
    rng = np.random.default_rng(seed)
    names = np.unique(data.cluster)
    found = []
    for size in (15, 30, 45, 60):
        if size >= len(names):
            continue
        parts = np.stack(
            [
                np.isin(data.cluster, rng.choice(names, size, replace=False))
                for _ in range(effort.curve)
            ]
        )
        won = np.broadcast_to(data.won, parts.shape)
        chosen = choose(data, parts * row_weights(data), won, effort.settings, rng)
        chance = sigmoid(chosen.coefs @ data.design.T)
        rate = (parts * won).sum(1, keepdims=True) / parts.sum(1, keepdims=True)
        better = ((rate - won) ** 2 - (chance - won) ** 2) * ~parts
        gains = better.sum(1) / (~parts).sum(1)
        low, high = np.percentile(gains, (10, 90))
        found.append(
            {
                "clusters": size, "brier_gain": round(float(gains.mean()), 4),
                "tenth": round(float(low), 4), "ninetieth": round(float(high), 4),
            }
        )  # fmt: skip
    return found


def permutation(data: Data, effort: Effort, seed: int) -> dict[str, Any]:
    """The whole procedure on outcomes laid on the cases in another order; ten outer folds."""
    rng = np.random.default_rng(seed)
    first = data.coder == 0
    many = len(np.unique(data.coder))

    def once(one: Data) -> tuple[float, float]:
        chance, _ = nested(
            one, effort.settings, rng=np.random.default_rng(seed), outer=10
        )
        return _gain(one, chance)

    real = once(data)
    found = []
    for _ in range(effort.permutations):
        won = laid_end_to_end(data.won[first], data.cluster[first], rng)
        found.append(once(data.with_won(np.tile(won, many))))
    told = {}
    for k, name in enumerate(("brier_gain", "accuracy_gain")):
        others = np.array([one[k] for one in found])
        told[name] = {
            "real": round(real[k], 4), "permuted_mean": round(float(others.mean()), 4),
            "permuted_most": round(float(others.max()), 4),
            "p": round(float((1 + (others >= real[k] - 1e-12).sum()) / (1 + len(others))), 4),
        }  # fmt: skip
    return {"permutations": effort.permutations, "outer_folds": 10, **told}
