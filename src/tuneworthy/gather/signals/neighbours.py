"""Which requests are unlike all earlier ones, told by their nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.stats.design import members

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    Mask = NDArray[np.bool_]

ALONE = 0.1
"""A request is flagged when its nearest earlier one is farther than that of all but this share of
the earlier ones among themselves,"""

TOGETHER = 0.3
"""or than that of all but this share, if the nearest of all is another of the last month: what is
new comes more than once. Both were chosen on draws from CLINC150 (docs/accuracy.md)."""

DRAWS = 59
"""Shuffles of what is earlier and what later."""

_MOST = 16
_THE_SAME = 0.95  # a cosine from here on is the same request in other letters
_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest of each request, those of its own conversation left out."""

    places: NDArray[np.int64]
    """Up to 16 a row, the nearest first."""
    cosines: Vectors
    """Their cosines; -1 in place of one that is missing."""
    earlier: Vectors
    """Cosine to the nearest earlier request; -1 where there is none."""


@dataclass(frozen=True, slots=True)
class Flagged:
    """What is flagged of the later requests, and what would be by chance."""

    rows: Mask
    """Which of all requests are."""
    by_chance: float
    """Mean share of the later ones when conversations are shuffled."""
    spread: float
    """Standard deviation of that share."""
    limits: tuple[float, float]
    """Cosines below which one is flagged: alone, and with a later one that is nearer."""


def neighbours(vectors: Vectors, conversation: NDArray[np.int64], later: Mask) -> Neighbours:
    """The nearest of each request among the requests of other conversations.

    Args:
        vectors: Unit vectors, one a request.
        conversation: Of each.
        later: Which requests are not earlier ones.

    Returns:
        Neighbours by row; for two requests or more.
    """
    n = len(vectors)
    most = min(_MOST, n - 1)
    places = np.empty((n, most), dtype=np.int64)
    cosines = np.empty((n, most), dtype=np.float32)
    earlier = np.empty(n, dtype=np.float32)
    for start in range(0, n, _BLOCK):
        rows = slice(start, start + _BLOCK)
        near = vectors[rows] @ vectors.T
        near[conversation[rows, None] == conversation] = -1.0
        earlier[rows] = near[:, ~later].max(axis=1, initial=-1.0)
        some = np.argpartition(near, n - most, axis=1)[:, n - most :]
        found = np.take_along_axis(near, some, axis=1)
        order = np.argsort(-found, axis=1, kind="stable")
        places[rows] = np.take_along_axis(some, order, axis=1)
        cosines[rows] = np.take_along_axis(found, order, axis=1)
    return Neighbours(places, cosines, earlier)


def flagged(
    near: Neighbours, conversation: NDArray[np.int64], later: Mask, rng: np.random.Generator
) -> Flagged:
    """Which requests are unlike all earlier ones, against shuffled conversations.

    Shuffling says what is flagged where nothing is new, and how much that varies, whatever the
    conversations hold; those that reach over both times stay where they are.

    Args:
        near: The neighbours of each request.
        conversation: Of each.
        later: Which are later; at least one request must be, and at least one not.
        rng: For the shuffles.
    """
    rows, limits = _unlike(near, near.earlier, later)
    member, k = members(conversation)
    of = np.bincount(member, weights=later, minlength=k)
    whole = (of == 0) | (of == np.bincount(member, minlength=k))
    side, moved = of > 0, np.zeros(k, dtype=bool)
    shares = []
    for _ in range(DRAWS):
        moved[whole] = rng.permutation(side[whole])
        shuffled = np.where(whole[member], moved[member], later)
        shares.append(float(_unlike(near, _first(near, shuffled), shuffled)[0][shuffled].mean()))
    return Flagged(rows, float(np.mean(shares)), float(np.std(shares, ddof=1)), limits)


def _first(near: Neighbours, later: Mask) -> Vectors:
    """Cosine to the first neighbour that isn't later; the last one's where all are."""
    others = ~later[near.places]
    place = np.where(others.any(axis=1), others.argmax(axis=1), near.places.shape[1] - 1)
    first: Vectors = near.cosines[np.arange(len(place)), place]
    return first


def _unlike(near: Neighbours, earlier: Vectors, later: Mask) -> tuple[Mask, tuple[float, float]]:
    alone, together = (
        min(float(each), _THE_SAME) for each in np.quantile(earlier[~later], (ALONE, TOGETHER))
    )
    beside = later[near.places[:, 0]]
    return (earlier < alone) | ((earlier < together) & beside), (alone, together)
