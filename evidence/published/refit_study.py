"""What is measured about the procedure, and against what: plain tables of per-case values first.

Every method gives each case a chance (or a yes or no) that was made without its paper or company;
all of them are then compared on the same draws of whole papers and companies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from refit_data import Array, Data
from refit_models import sigmoid
from refit_nested import left_out

from tuneworthy.stats.clustered import cluster_means, percentile_interval

GOAL_CASES = 4.0
"""Cases at the common rate that a goal is given in thought, for the baseline by goal."""
NEIGHBOURS = 5
"""Cases that vote in the baseline by nearest cases, with two more in thought at the base rate."""
BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Measured:
    """Values by case (and clusters for drawing), one column a method and measure."""

    columns: Mapping[str, Array]
    clusters: Sequence[str]

    def intervals(
        self, pairs: Mapping[str, tuple[str, str | None]], *, seed: int, draws: int
    ) -> dict[str, dict[str, float]]:
        """Mean and 95% interval of columns, or of the first less the second.

        All of one call share their draws.
        """
        table = np.column_stack(
            [
                self.columns[a] - (self.columns[b] if b is not None else 0.0)
                for a, b in pairs.values()
            ]
        )
        means = cluster_means(
            table, self.clusters, rng=np.random.default_rng(seed), draws=draws
        )
        return {
            name: estimated(float(table[:, k].mean()), low, high)
            for k, (name, (low, high)) in enumerate(
                zip(pairs, percentile_interval(means), strict=True)
            )
        }


def estimated(value: float, low: float, high: float) -> dict[str, float]:
    """A number with its interval, rounded as it is written."""
    told = {"value": value, "low": low, "high": high}
    return {name: round(float(number), 4) for name, number in told.items()}


def scores(name: str, chance: Array, won: Array) -> dict[str, Array]:
    """Right or wrong, Brier score and log loss of each case; an even chance is half right."""
    held = np.clip(chance, 1e-6, 1 - 1e-6)
    right = np.where(np.abs(chance - 0.5) < 1e-9, 0.5, (chance > 0.5) == (won > 0.5))
    return {
        f"{name}.accuracy": right.astype(float),
        f"{name}.brier": (chance - won) ** 2,
        f"{name}.log_loss": -(won * np.log(held) + (1 - won) * np.log(1 - held)),
    }


def base_rate(data: Data) -> Array:
    """The share of wins outside each row's cluster, counted by case.

    Leaving a winner out lowers the share that it is then judged by, so this is a little worse than
    a rate that was known beforehand; the share of all cases, which has seen the answer, is a little
    better. A fit has to beat the latter.
    """
    return _outside(
        data, lambda train, _: np.full(len(data.won), data.won[train].mean())
    )


def goal_alone(data: Data) -> Array:
    """The share of wins of the same goal outside each row's cluster, pulled to the base rate."""

    def told(train: Array, _: Array) -> Array:
        rate = data.won[train].mean()
        per_case = train.astype(float) / len(np.unique(data.coder))
        wins = (per_case * data.won) @ data.goals
        shares = (wins + GOAL_CASES * rate) / (per_case @ data.goals + GOAL_CASES)
        return np.where(data.goals.any(1), data.goals @ shares, rate)

    return _outside(data, told)


def nearest_vote(data: Data) -> Array:
    """The vote of the most alike cases, by the same coder's answers, outside each row's cluster.

    Alike: answers that are the same less answers that differ, and one more for the same goal.
    """
    alike = data.answers @ data.answers.T + data.goals @ data.goals.T
    alike = np.where(data.coder[:, None] == data.coder[None, :], alike, -np.inf)

    def told(train: Array, out: Array) -> Array:
        rate = data.won[train].mean()
        result = np.full(len(data.won), rate)
        for row in np.flatnonzero(out):
            near = np.argsort(-np.where(train, alike[row], -np.inf), kind="stable")[
                :NEIGHBOURS
            ]
            result[row] = (data.won[near].sum() + 2 * rate) / (NEIGHBOURS + 2)
        return result

    return _outside(data, told)


def _outside(data: Data, told: Any) -> Array:
    result = np.zeros(len(data.won))
    for out in left_out(data, None, np.random.default_rng(0)):
        result[out] = told(~out, out)[out]
    return result


def calibration(
    chance: Array, won: Array, clusters: Array, *, seed: int, draws: int
) -> Any:
    """Reliability by fifths of the scale, and slope and start of a logistic recalibration.

    A slope of 1 and a start of 0 are perfect; a slope below 1 says that chances are too bold.
    """
    from sklearn.linear_model import LogisticRegression

    logit = np.log(chance / (1 - chance))[:, None]

    def line(weights: Array) -> tuple[float, float]:
        model = LogisticRegression(C=1e6, tol=1e-8, max_iter=1000)
        model.fit(logit, won, sample_weight=weights)
        return float(model.coef_[0, 0]), float(model.intercept_[0])

    rng = np.random.default_rng(seed)
    names = np.unique(clusters)
    drawn = []
    if np.ptp(logit) > 1e-9:
        for _ in range(draws):
            counts = np.bincount(
                rng.integers(len(names), size=len(names)), minlength=len(names)
            )
            weights = counts[np.searchsorted(names, clusters)].astype(float)
            if 0 < (weights * won).sum() < weights.sum():
                drawn.append(line(weights))
    table = _reliability(chance, won)
    if not drawn:
        return {"table": table}
    ends = np.percentile(np.array(drawn), (2.5, 97.5), axis=0)
    slope, start = line(np.ones(len(won)))
    return {
        "slope": estimated(slope, *ends[:, 0]), "start": estimated(start, *ends[:, 1]),
        "table": table,
    }  # fmt: skip


def _reliability(chance: Array, won: Array) -> list[dict[str, float]]:
    table = []
    for low, high in pairwise(BINS):
        inside = (chance >= low) & ((chance < high) | (high == 1.0))
        if inside.any():
            table.append(
                {
                    "from": low, "to": high, "cases": int(inside.sum()),
                    "said": round(float(chance[inside].mean()), 3), "won": int(won[inside].sum()),
                }
            )  # fmt: skip
    return table


def recoded(data: Data, way: str) -> Data:
    """The same cases with unknown taken for something, as if it were not missing by chance.

    Args:
        data: The cases.
        way: ``no`` and ``yes`` say what every unknown answer is; ``against`` and ``for`` set each
            to the side it speaks for; ``worst`` to the side that lost.
    """
    unknown = data.answers == 0
    side = {
        "no": -data.signs, "yes": data.signs,
        "against": -np.ones_like(data.signs), "for": np.ones_like(data.signs),
    }.get(way)  # fmt: skip
    if side is None:
        side = np.where(data.won > 0.5, -1, 1)[:, None]
    return data.with_answers(np.where(unknown, side, data.answers))


def predicted_again(data: Data, chosen_coefs: Array, other: Data) -> Array:
    """Chances from the fits of each fold for other answers to the same cases."""
    out = left_out(data, None, np.random.default_rng(0))
    return (sigmoid(chosen_coefs @ other.design.T) * out).sum(0)


def laid_end_to_end(won: Array, clusters: Array, rng: np.random.Generator) -> Array:
    """Outcomes of whole clusters in a new order, dealt to the cases cluster by cluster.

    Runs of equal outcomes inside a paper or company mostly stay together, and every case can come
    to any outcome.
    """
    names = np.unique(clusters)
    outcomes = np.concatenate(
        [won[clusters == name] for name in rng.permutation(names)]
    )
    places = np.concatenate(
        [np.flatnonzero(clusters == name) for name in rng.permutation(names)]
    )
    result = np.empty_like(won)
    result[places] = outcomes
    return result
