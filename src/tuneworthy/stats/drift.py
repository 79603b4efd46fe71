"""Whether vectors of two times have the same middle, with cases that come in clusters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.stats.design import members, t95

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DRAWS = 499


@dataclass(frozen=True, slots=True)
class Drift:
    """The squared distance of two middles."""

    value: float
    """Without the part that scatter alone gives; noise can take it below 0."""
    low: float
    high: float
    chance: float
    """Share of shuffled clusters in which it is as large."""


def drift(
    vectors: Floats, later: NDArray[np.bool_], clusters: NDArray[np.int64], rng: np.random.Generator
) -> Drift | None:
    """The squared distance between the middles of earlier and of later vectors.

    Products of vectors from one cluster are left out, so that it is 0 on average where the middles
    are the same. The interval has the variance of the jackknife over clusters plus that of drawing
    anew which clusters are later: where the middles are the same the jackknife alone has none. The
    chance is that of the same draws. A cluster that is partly later counts as later.

    Args:
        vectors: One row a case.
        later: Which are later.
        clusters: Cases that are not independent.
        rng: For the shuffles.

    Returns:
        The distance, in squared units of the vectors; None for under two clusters on either side.
    """
    member, k = members(clusters)
    sums = np.zeros((k, vectors.shape[1]))
    sizes = np.bincount(member, minlength=k).astype(np.float64)
    np.add.at(sums, member, vectors)
    side = np.bincount(member, weights=later, minlength=k) > 0
    if side.sum() < 2 or (~side).sum() < 2:
        return None
    squares = np.einsum("ij,ij->i", sums, sums)
    value = float(_distances(sums, sizes, squares, side[None])[0])
    without = _without_each(sums, sizes, squares, side)
    error = math.sqrt((k - 1) / k * float(((without - without.mean()) ** 2).sum()))
    sides = np.array([rng.permutation(side) for _ in range(DRAWS)])
    shuffled = _distances(sums, sizes, squares, sides)
    half = t95(k - 1) * math.hypot(error, float(np.std(shuffled)))
    chance = (1 + int((shuffled >= value).sum())) / (DRAWS + 1)
    return Drift(value, value - half, value + half, chance)


def _distances(sums: Floats, sizes: Floats, squares: Floats, sides: NDArray[np.bool_]) -> Floats:
    """The distance for each way to part the clusters, a row of ``sides`` each."""
    weight = sides.astype(np.float64)
    one = weight @ sums
    other = sums.sum(axis=0) - one
    n, square, own = (
        np.array([weight @ each, each.sum() - weight @ each]) for each in (sizes, sizes**2, squares)
    )
    inner = np.array([np.einsum("ij,ij->i", each, each) for each in (one, other)])
    same = (inner - own) / (n**2 - square)
    found: Floats = same.sum(axis=0) - 2 * np.einsum("ij,ij->i", one, other) / (n[0] * n[1])
    return found


def _without_each(sums: Floats, sizes: Floats, squares: Floats, side: NDArray[np.bool_]) -> Floats:
    """The distance without each cluster."""
    found = np.zeros(len(sizes))
    totals = {each: sums[side == each].sum(axis=0) for each in (True, False)}
    for own in (True, False):
        mine = side == own
        s, o = totals[own], totals[not own]
        n, m = sizes[mine].sum() - sizes[mine], sizes[~mine].sum()
        left = s @ s - 2 * sums[mine] @ s + squares[mine]
        same = left - (squares[mine].sum() - squares[mine])
        pairs = n**2 - ((sizes[mine] ** 2).sum() - sizes[mine] ** 2)
        other = (o @ o - squares[~mine].sum()) / (m**2 - (sizes[~mine] ** 2).sum())
        cross = (s @ o - sums[mine] @ o) / (n * m)
        found[mine] = same / np.maximum(pairs, 1e-12) + other - 2 * cross
    return found
