"""Drawing units from strata so that weights give back the mean of the whole.

Within a stratum a unit is drawn with a chance in proportion to its size, by a systematic draw from
a random order (Madow 1949; Cochran 1977, section 9A.10); one so large that its chance would pass 1
is always in. A unit that was drawn then stands for the stratum's size over the draws, and the
weights of a set sum to the size of the whole: the weighted mean has no bias.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HALVINGS = 200
_HAIR = 1e-9


def allocate(sizes: NDArray[np.float64], most: NDArray[np.int64], wanted: int) -> NDArray[np.int64]:
    """How many units each stratum gives: in proportion to size, at least one, at most all.

    Args:
        sizes: Size of each stratum, above 0; larger where it shall give more than its part.
        most: Units each one has, 1 or more.
        wanted: Units in all; not fewer than there are strata.

    Returns:
        Counts that sum to ``wanted``, or to all units where there are fewer.

    Raises:
        ValueError: If fewer units are wanted than there are strata.
    """
    if wanted < len(sizes):
        raise ValueError("every stratum has to give one")
    goal = min(wanted, int(most.sum()))
    low, high = 0.0, float(most.max(initial=1)) / float(sizes.min(initial=np.inf))
    for _ in range(_HALVINGS):  # the scale at which all strata give what is wanted together
        scale = (low + high) / 2
        less = np.clip(scale * sizes, 1, most).sum() < goal
        low, high = (scale, high) if less else (low, scale)
    share = np.clip(high * sizes, 1, most)
    given = np.floor(share + _HAIR).astype(np.int64)
    for place in np.argsort(given - share, kind="stable"):
        if given.sum() < goal and given[place] < most[place]:
            given[place] += 1
    return given


def draw(
    sizes: NDArray[np.float64], wanted: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Units of one stratum, drawn with a chance in proportion to their size.

    Args:
        sizes: Size of each unit, above 0.
        wanted: How many; no more than there are.
        rng: The source of chance.

    Returns:
        Places of the units in order, and what each stands for, in the unit of the sizes: size over
        chance, summing to the size of the stratum.
    """
    stands = np.zeros(len(sizes))
    rest, left = np.arange(len(sizes)), wanted
    while left and len(rest):
        large = sizes[rest] * left >= sizes[rest].sum()
        if not large.any():
            break
        stands[rest[large]] = sizes[rest[large]]
        rest, left = rest[~large], left - int(large.sum())
    if left and len(rest):
        order = rng.permutation(rest)
        ends = np.cumsum(sizes[order])
        step = ends[-1] / left
        at = np.searchsorted(ends, (rng.random() + np.arange(left)) * step, side="right")
        stands[order[np.minimum(at, len(order) - 1)]] = step
    chosen = np.flatnonzero(stands)
    return chosen, stands[chosen]


def worth(weights: NDArray[np.float64]) -> float:
    """How many cases of equal weight these are worth (Kish 1965); 0.0 for none."""
    squares = float((weights * weights).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0
