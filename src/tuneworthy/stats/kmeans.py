"""Groups of alike vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROUNDS = 30


def kmeans(
    vectors: NDArray[np.float32], groups: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Vectors in groups around their means (Lloyd 1982), begun as Arthur and Vassilvitskii (2007).

    Args:
        vectors: One a row.
        groups: The most groups; fewer come out where there are fewer distinct vectors.
        rng: The source of chance.

    Returns:
        The group of each row, the largest group 0; and its squared distance to the group's mean.
        Empty for no vectors.
    """
    if not len(vectors):
        return np.empty(0, dtype=np.int64), np.empty(0)
    centres = _begun(vectors, groups, rng)
    member = _nearest(vectors, centres)[0]
    for _ in range(_ROUNDS):
        sums = np.zeros(centres.shape)
        np.add.at(sums, member, vectors)
        count = np.bincount(member, minlength=len(centres))
        full = count > 0
        centres[full] = (sums[full] / count[full, None]).astype(np.float32)
        moved, _ = _nearest(vectors, centres)
        if np.array_equal(moved, member):
            break
        member = moved
    member, away = _nearest(vectors, centres)
    count = np.bincount(member, minlength=len(centres))
    rank = np.empty(len(centres), dtype=np.int64)
    rank[np.argsort(-count, kind="stable")] = np.arange(len(centres))
    return rank[member], away


def _begun(
    vectors: NDArray[np.float32], groups: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """First centres: each far from those before it, by chance."""
    centres = [vectors[int(rng.integers(len(vectors)))]]
    away = _nearest(vectors, np.array(centres))[1]
    while len(centres) < groups:
        away[away < 1e-6] = 0.0  # the same vector, but for rounding
        total = away.sum()
        if total <= 0:
            break
        centres.append(vectors[int(rng.choice(len(vectors), p=away / total))])
        away = np.minimum(away, _nearest(vectors, np.array(centres[-1:]))[1])
    return np.array(centres, dtype=np.float32)


def _nearest(
    vectors: NDArray[np.float32], centres: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The nearest centre of each vector, and the squared distance to it."""
    square = (
        (vectors.astype(np.float64) ** 2).sum(axis=1)[:, None]
        - 2.0 * (vectors @ centres.T)
        + (centres.astype(np.float64) ** 2).sum(axis=1)
    )
    found = square.argmin(axis=1).astype(np.int64)
    return found, np.maximum(square[np.arange(len(vectors)), found], 0.0)
