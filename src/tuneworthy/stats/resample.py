"""Intervals by drawing whole clusters again, for cases that are not independent.

Cases of one paper, one company or one conversation stand or fall together. Drawing them one by one
would pretend that there is more evidence than there is, so a cluster is always drawn whole. numpy
is imported where it is used: nothing that starts the program needs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

DRAWS = 10_000
"""With so many, the ends of an interval 20 points wide differ by under half a point by the seed."""

_CELLS = 1 << 22


def cluster_means(
    values: ArrayLike,
    clusters: Sequence[str],
    *,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> NDArray[np.float64]:
    """Means of per-case values under drawing whole clusters with replacement.

    As many clusters are drawn as there are; the mean is over the cases drawn, so large clusters
    weigh what their cases weigh (Davison and Hinkley 1997, on hierarchical data).

    Args:
        values: One row a case, one column a measure; all measures see the same draws.
        clusters: The cluster of each case.
        rng: The source of chance.
        draws: How often to draw.

    Returns:
        An array of (draws × measures).

    Raises:
        ValueError: If there is no case, or rows and clusters differ in number.
    """
    import numpy as np

    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or not len(clusters) or len(table) != len(clusters):
        raise ValueError("values need one row for each case, and a case")
    # sorted, so that the order in which cases stand in a file changes nothing
    place = {name: position for position, name in enumerate(sorted(set(clusters)))}
    member, count = [place[name] for name in clusters], len(place)
    sums = np.zeros((count, table.shape[1]))
    np.add.at(sums, member, table)
    sizes = np.bincount(member, minlength=count).astype(np.float64)
    result = np.empty((draws, table.shape[1]))
    rows = max(1, _CELLS // count)
    for start in range(0, draws, rows):
        drawn = rng.multinomial(count, np.full(count, 1 / count), size=min(rows, draws - start))
        weights = drawn.astype(np.float64)
        result[start : start + rows] = (weights @ sums) / (weights @ sizes)[:, None]
    return result


def percentile_interval(means: Any) -> list[tuple[float, float]]:
    """The 95% percentile interval of each column of ``cluster_means``."""
    import numpy as np

    ends = np.percentile(means, (2.5, 97.5), axis=0)
    return [(float(low), float(high)) for low, high in ends.T]


def cluster_interval(
    values: Sequence[float],
    clusters: Sequence[str],
    *,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> tuple[float, float]:
    """The 95% percentile interval of a mean, whole clusters drawn again.

    Args:
        values: A value for each case; 1 and 0 for a share.
        clusters: The cluster of each case.
        rng: The source of chance.
        draws: How often to draw.

    Returns:
        Lower and upper end. With one cluster both are the mean, which says nothing; with few
        clusters the interval is too narrow. The caller decides how many are enough.

    Raises:
        ValueError: If there is no case, or values and clusters differ in number.
    """
    columns = [(float(value),) for value in values]
    means = cluster_means(columns, clusters, rng=rng, draws=draws)
    return percentile_interval(means)[0]


def independent_cases(clusters: Sequence[str]) -> float:
    """How many independent cases these are worth if cases of one cluster answer all alike.

    The design effect of unequal clusters at an intraclass correlation of one (Kish 1965) is the sum
    of squared sizes over the number of cases. It is the most that clustering can cost.

    Returns:
        A number between 1 and the number of cases; 0.0 without a case.
    """
    sizes: dict[str, int] = {}
    for name in clusters:
        sizes[name] = sizes.get(name, 0) + 1
    squares = sum(size * size for size in sizes.values())
    return len(clusters) ** 2 / squares if squares else 0.0
