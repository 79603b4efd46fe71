"""How far labellers agree beyond chance: kappa and alpha, with intervals over clusters.

All three are functions of sums over clusters, so an interval draws whole clusters again and takes
the function of the sums each time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


DRAWS = 4_000
FEWEST_CLUSTERS = 5
"""With fewer clusters there is no interval: draws of so few say little."""
_MOST_UNDEFINED = 0.05


@dataclass(frozen=True, slots=True)
class Agreement:
    """A coefficient: 1 for full agreement, 0 for what chance gives, below for less."""

    value: float
    low: float | None
    """Lower end of the 95% percentile interval; None where there are too few clusters, or the
    coefficient is undefined in over one of twenty draws."""
    high: float | None
    items: int
    """Items it was counted on."""


Ratings = Sequence[Sequence[str | None]]
"""One row an item, one column a labeller; None where one has not labelled it."""


def cohen_kappa(
    ratings: Ratings, clusters: Sequence[str], rng: np.random.Generator
) -> Agreement | None:
    """Cohen's kappa (1960) of two labellers on the items that both have labelled.

    Args:
        ratings: Two columns.
        clusters: The cluster of each item.
        rng: The source of chance.

    Returns:
        None without such an item, and where both give one label throughout: then chance agrees
        as well.
    """
    kept = [(row, name) for row, name in zip(ratings, clusters, strict=True) if None not in row]
    codes = _codes([row for row, _ in kept])
    q = len(codes)
    rows = np.zeros((len(kept), q * q))
    for at, (row, _) in enumerate(kept):
        rows[at, codes[str(row[0])] * q + codes[str(row[1])]] = 1

    def kappa(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        table = sums.reshape(-1, q, q)
        n = table.sum(axis=(1, 2))
        seen = np.trace(table, axis1=1, axis2=2) / n
        chance = (table.sum(axis=2) * table.sum(axis=1)).sum(axis=1) / n**2
        return _beyond(seen, chance)

    return _found(rows, [name for _, name in kept], kappa, rng)


def fleiss_kappa(
    ratings: Ratings, clusters: Sequence[str], rng: np.random.Generator
) -> Agreement | None:
    """Fleiss' kappa (1971) of two or more labellers on the items that all of them have labelled.

    Args:
        ratings: A column for each labeller.
        clusters: The cluster of each item.
        rng: The source of chance.

    Returns:
        None without such an item, and where all labels are the same.
    """
    kept = [(row, name) for row, name in zip(ratings, clusters, strict=True) if None not in row]
    counts = _counts([row for row, _ in kept])
    if not len(counts) or counts[0].sum() < 2:
        return None
    raters = counts[0].sum()
    agree = ((counts**2).sum(axis=1) - raters) / (raters * (raters - 1))
    rows = np.column_stack([agree, np.ones(len(counts)), counts])

    def kappa(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        chance = ((sums[:, 2:] / sums[:, 2:].sum(axis=1, keepdims=True)) ** 2).sum(axis=1)
        return _beyond(sums[:, 0] / sums[:, 1], chance)

    return _found(rows, [name for _, name in kept], kappa, rng)


def nominal_alpha(
    ratings: Ratings, clusters: Sequence[str], rng: np.random.Generator
) -> Agreement | None:
    """Krippendorff's alpha (2004) for labels without order; labellers may leave items out.

    Args:
        ratings: A column for each labeller.
        clusters: The cluster of each item.
        rng: The source of chance.

    Returns:
        None where no item has two labels, or all labels are the same.
    """
    kept = [
        (row, name)
        for row, name in zip(ratings, clusters, strict=True)
        if sum(each is not None for each in row) >= 2
    ]
    counts = _counts([row for row, _ in kept])
    if not len(counts):
        return None
    size = counts.sum(axis=1)
    apart = (size**2 - (counts**2).sum(axis=1)) / (size - 1)  # ordered pairs that differ
    rows = np.column_stack([apart, counts])

    def alpha(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        totals = sums[:, 1:]
        n = totals.sum(axis=1)
        chance = n**2 - (totals**2).sum(axis=1)
        found = np.full(len(sums), np.nan)
        some = chance > 0
        found[some] = 1 - (n[some] - 1) * sums[some, 0] / chance[some]
        return found

    return _found(rows, [name for _, name in kept], alpha, rng)


def _codes(rows: Ratings) -> dict[str, int]:
    return {name: at for at, name in enumerate(sorted({str(x) for row in rows for x in row}))}


def _counts(rows: Ratings) -> NDArray[np.float64]:
    """How often each item got each label."""
    codes = _codes([[x for x in row if x is not None] for row in rows])
    found = np.zeros((len(rows), len(codes)))
    for at, row in enumerate(rows):
        for each in row:
            if each is not None:
                found[at, codes[each]] += 1
    return found


def _beyond(seen: NDArray[np.float64], chance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Agreement beyond chance; NaN where chance agrees always."""
    found = np.full(len(seen), np.nan)
    some = chance < 1 - 1e-12
    found[some] = (seen[some] - chance[some]) / (1 - chance[some])
    return found


def _found(
    rows: NDArray[np.float64],
    clusters: Sequence[str],
    of: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    rng: np.random.Generator,
) -> Agreement | None:
    """A function of the sum of rows, with its interval by drawing whole clusters again."""
    if not len(rows):
        return None
    value = float(of(rows.sum(axis=0, keepdims=True))[0])
    if np.isnan(value):
        return None
    place = {name: at for at, name in enumerate(sorted(set(clusters)))}
    sums = np.zeros((len(place), rows.shape[1]))
    np.add.at(sums, [place[name] for name in clusters], rows)
    count = len(place)
    if count < FEWEST_CLUSTERS:
        return Agreement(value, None, None, len(rows))
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=DRAWS)
    values = of(drawn.astype(np.float64) @ sums)
    known = values[~np.isnan(values)]
    if len(known) < (1 - _MOST_UNDEFINED) * DRAWS:
        return Agreement(value, None, None, len(rows))
    low, high = (float(end) for end in np.percentile(known, (2.5, 97.5)))
    return Agreement(value, min(low, value), max(high, value), len(rows))
