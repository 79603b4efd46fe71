"""Agreement of labellers beyond chance: kappa and alpha, with intervals over clusters.

All three are functions of sums over clusters. An interval draws whole clusters again, and computes
the function of the sums each time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneworthy.model.evalset import Coefficient
from tuneworthy.stats.clustered import percentile_interval, redrawn

if TYPE_CHECKING:
    from tuneworthy.stats.clustered import Floats, Ints, Rng

DRAWS = 4_000
FEWEST_CLUSTERS = (
    5  #: With fewer clusters there is no interval: draws of so few say little.
)
_MOST_UNDEFINED = 0.05


Ratings = Sequence[Sequence[str | None]]
"""A row for each item and a column for each labeller; None where one hasn't labelled it."""


def cohen_kappa(
    ratings: Ratings, clusters: Sequence[str], rng: Rng
) -> Coefficient | None:
    """Cohen's kappa (1960) of two labellers on the items that both have labelled.

    None without such an item. None, too, where both gave one label throughout, as chance would
    agree as much.
    """
    codes, q, names = _items_rated_enough(ratings, clusters)
    rows = np.zeros((len(codes), q * q))
    rows[np.arange(len(codes)), codes[:, 0] * q + codes[:, 1]] = 1

    def kappa(sums: Floats) -> Floats:
        table = sums.reshape(-1, q, q)
        n = table.sum(axis=(1, 2))
        seen = np.trace(table, axis1=1, axis2=2) / n
        chance = (table.sum(axis=2) * table.sum(axis=1)).sum(axis=1) / n**2
        return _beyond_chance(seen, chance)

    return _with_interval("cohen_kappa", rows, names, kappa, rng)


def fleiss_kappa(
    ratings: Ratings, clusters: Sequence[str], rng: Rng
) -> Coefficient | None:
    """Fleiss' kappa (1971) of two or more labellers on the items that all of them have labelled.

    None without such an item, and where all labels are the same.
    """
    codes, q, names = _items_rated_enough(ratings, clusters)
    raters = codes.shape[1]
    counts = _counts(codes, q)
    if not len(counts) or raters < 2:
        return None
    agree = ((counts**2).sum(axis=1) - raters) / (raters * (raters - 1))
    rows = np.column_stack([agree, np.ones(len(counts)), counts])

    def kappa(sums: Floats) -> Floats:
        agreement = sums[:, 0]
        items = sums[:, 1]
        labels = sums[:, 2:]
        shares = labels / labels.sum(axis=1, keepdims=True)
        chance = (shares**2).sum(axis=1)
        return _beyond_chance(agreement / items, chance)

    return _with_interval("fleiss_kappa", rows, names, kappa, rng)


def nominal_alpha(
    ratings: Ratings, clusters: Sequence[str], rng: Rng
) -> Coefficient | None:
    """Krippendorff's alpha (2004) for labels without order; labellers may leave items out.

    None where no item has two labels, or all labels are the same.
    """
    codes, q, names = _items_rated_enough(ratings, clusters, least=2)
    counts = _counts(codes, q)
    size = counts.sum(axis=1)
    apart = (size**2 - (counts**2).sum(axis=1)) / (
        size - 1
    )  # ordered pairs that differ
    rows = np.column_stack([apart, counts])

    def alpha(sums: Floats) -> Floats:
        totals = sums[:, 1:]
        n = totals.sum(axis=1)
        chance = n**2 - (totals**2).sum(axis=1)
        some = n > totals.max(axis=1)
        values = np.full(len(sums), np.nan)
        values[some] = 1 - (n[some] - 1) * sums[some, 0] / chance[some]
        return values

    return _with_interval("nominal_alpha", rows, names, alpha, rng)


def _items_rated_enough(
    ratings: Ratings, clusters: Sequence[str], least: int | None = None
) -> tuple[Ints, int, list[str]]:
    """The items that enough labellers have labelled, and their clusters.

    ``least`` is how many are enough; all of them where it is None. Labels are numbered, -1 for
    none. The second value is the number of labels.
    """
    items: list[Sequence[str | None]] = []
    names: list[str] = []
    for row, name in zip(ratings, clusters, strict=True):
        labelled = sum(label is not None for label in row)
        if labelled >= (len(row) if least is None else least):
            items.append(row)
            names.append(name)
    labels = {label for row in items for label in row if label is not None}
    numbers: dict[str | None, int] = {
        label: number for number, label in enumerate(sorted(labels))
    }
    codes = [[numbers.get(label, -1) for label in row] for row in items]
    labellers = max(map(len, ratings), default=2)
    table = np.array(codes, dtype=np.int64).reshape(len(items), labellers)
    return table, len(labels), names


def _counts(codes: Ints, q: int) -> Floats:
    counts: Floats = (codes[:, :, None] == np.arange(q)).sum(axis=1).astype(np.float64)
    return counts


def _beyond_chance(seen: Floats, chance: Floats) -> Floats:
    """Agreement beyond chance; NaN where chance agrees always."""
    values = np.full(len(seen), np.nan)
    some = chance < 1 - 1e-12
    values[some] = (seen[some] - chance[some]) / (1 - chance[some])
    return values


def _with_interval(
    name: Any,
    rows: Floats,
    clusters: Sequence[str],
    of: Callable[[Floats], Floats],
    rng: Rng,
) -> Coefficient | None:
    """A function of the sum of rows, with an interval from drawing whole clusters again.

    Without an interval where there are too few clusters, or where the function is undefined in over
    one of twenty draws; None where it is undefined for the data.
    """
    value = float(of(rows.sum(axis=0, keepdims=True))[0]) if len(rows) else np.nan
    if np.isnan(value):
        return None
    coefficient = Coefficient(id=name, value=value, items=len(rows))
    if len(set(clusters)) < FEWEST_CLUSTERS:
        return coefficient
    values = redrawn(rows, clusters, of, rng=rng, draws=DRAWS)
    defined = values[~np.isnan(values)]
    if len(defined) < (1 - _MOST_UNDEFINED) * DRAWS:
        return coefficient
    ((low, high),) = percentile_interval(defined[:, None])
    return coefficient.model_copy(
        update={"low": min(low, value), "high": max(high, value)}
    )
