"""The procedure whose record is told: every choice inside the fold, nothing from outside it.

Cases of one paper or company are left out together, in the outer loop and in the inner one. Inside,
each candidate is judged by log loss in five folds, twice; the best is fitted to the whole training
part. Questions are chosen, numbers fitted and shrunk anew each time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from refit_data import Array, Data
from refit_models import CANDIDATES, Candidate, fit, sigmoid

INNER_FOLDS = 5
INNER_REPEATS = 2
_ROWS_AT_ONCE = 400


@dataclass(frozen=True)
class Settings:
    """What the procedure may choose from."""

    candidates: tuple[Candidate, ...] = CANDIDATES
    repeats: int = INNER_REPEATS


@dataclass(frozen=True)
class Chosen:
    """The outcome of the procedure for each training part."""

    coefs: Array
    """(parts × columns of the design)."""
    index: Array
    """(parts), place of the candidate chosen."""
    inner_loss: Array
    """(parts × candidates), inner log loss."""


def folds(clusters: Array, *, rng: np.random.Generator, count: int) -> Array:
    """The fold of each row: whole clusters, dealt out in a random order."""
    names = np.unique(clusters)
    place = {name: k % count for k, name in enumerate(rng.permutation(names))}
    return np.array([place[name] for name in clusters])


def choose(
    data: Data, weights: Array, won: Array, settings: Settings, rng: np.random.Generator
) -> Chosen:
    """Choose and fit a candidate for every training part.

    Args:
        data: All rows; those outside a part weigh nothing in it.
        weights: (parts × rows).
        won: (parts × rows), the outcomes each part is told.
        settings: What may be chosen.
        rng: Deals the inner folds.

    Returns:
        What was chosen for each part.
    """
    dealt = [
        folds(data.cluster, rng=rng, count=INNER_FOLDS) for _ in range(settings.repeats)
    ]
    held = np.stack([one == k for one in dealt for k in range(INNER_FOLDS)]).astype(
        float
    )
    parts, rows = weights.shape
    losses = np.zeros((parts, len(settings.candidates)))
    fits: list[Array] = []
    for place, candidate in enumerate(settings.candidates):
        fits.append(_in_pieces(candidate, data, weights, won))
        for start in range(0, parts, max(1, _ROWS_AT_ONCE // len(held))):
            some = slice(start, start + max(1, _ROWS_AT_ONCE // len(held)))
            w = weights[some, None]
            y = np.broadcast_to(won[some, None], (len(w), len(held), rows))
            inner = (w * (1 - held)).reshape(-1, rows)
            coefs = fit(candidate, data, inner, y.reshape(-1, rows))
            chance = sigmoid(coefs @ data.design.T).reshape(y.shape)
            loss = -(y * np.log(chance) + (1 - y) * np.log(1 - chance))
            judged = w * held
            losses[some, place] = (judged * loss).sum((1, 2)) / judged.sum((1, 2))
    # a hair of a difference is none: the simpler one stands first
    index = np.argmax(losses <= losses.min(1, keepdims=True) + 1e-9, axis=1)
    coefs = np.stack(fits)[index, np.arange(parts)]
    return Chosen(coefs, index, losses)


def _in_pieces(candidate: Candidate, data: Data, weights: Array, won: Array) -> Array:
    pieces = range(0, len(weights), _ROWS_AT_ONCE)
    return np.concatenate(
        [
            fit(
                candidate,
                data,
                weights[k : k + _ROWS_AT_ONCE],
                won[k : k + _ROWS_AT_ONCE],
            )
            for k in pieces
        ]
    )


def row_weights(data: Data) -> Array:
    """Every case weighs one, however often it was coded."""
    return np.full(len(data.won), 1.0 / len(np.unique(data.coder)))


def left_out(data: Data, count: int | None, rng: np.random.Generator) -> Array:
    """(folds × rows), true where a row is held out: one cluster a fold, or ``count`` folds."""
    if count is None:
        return np.stack([data.cluster == name for name in np.unique(data.cluster)])
    dealt = folds(data.cluster, rng=rng, count=count)
    return np.stack([dealt == k for k in range(count)])


def nested(
    data: Data,
    settings: Settings,
    *,
    rng: np.random.Generator,
    outer: int | None = None,
    train: Array | None = None,
) -> tuple[Array, Chosen]:
    """Chances for rows by fits that never saw their cluster.

    Args:
        data: All rows.
        settings: What may be chosen.
        rng: Deals folds.
        outer: Folds of the outer loop; one for each cluster when not given.
        train: Rows that may be trained on (all when not given), such as those of one coder.

    Returns:
        A chance for every row, and what was chosen in each fold.
    """
    out = left_out(data, outer, rng)
    weights = row_weights(data) if train is None else train.astype(float)
    chosen = choose(
        data, weights * ~out, np.broadcast_to(data.won, out.shape), settings, rng
    )
    table = sigmoid(chosen.coefs @ data.design.T)
    return (table * out).sum(0), chosen
