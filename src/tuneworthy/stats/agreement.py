"""Agreement of labellers beyond chance: kappa and alpha, with intervals over clusters.

All three are functions of sums over clusters. An interval draws whole clusters again, and computes
the function of the sums each time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tuneworthy.model.evalset import Coefficient
from tuneworthy.stats.clustered import percentile_interval, redrawn

if TYPE_CHECKING:
    from tuneworthy.stats.clustered import Floats, Ints, Rng

DRAWS = 4_000
#: With fewer clusters there is no interval: draws of so few say little.
FEWEST_CLUSTERS = 5
_MOST_UNDEFINED = 0.05  # share of draws in which a coefficient may be undefined


Ratings = Sequence[Sequence[str | None]]
"""A row for each item and a column for each labeller; None where one hasn't labelled it."""


def cohen_kappa(
    ratings: Ratings, clusters: Sequence[str], rng: Rng
) -> Coefficient | None:
    """Cohen's kappa (1960) of two labellers on the items that both have labelled.

    None without such an item. None, too, where both gave one label throughout, as chance would
    agree as much.
    """
    items = _items_rated_enough(ratings, clusters)
    codes = items.codes
    q = items.labels
    # a row an item: 1 in the cell of both labels, of the table that the sums give
    rows = np.zeros((len(codes), q * q))
    rows[np.arange(len(codes)), codes[:, 0] * q + codes[:, 1]] = 1

    def kappa(sums: Floats) -> Floats:
        table = sums.reshape(-1, q, q)
        n = table.sum(axis=(1, 2))
        agreement = np.trace(table, axis1=1, axis2=2) / n
        chance = (table.sum(axis=2) * table.sum(axis=1)).sum(axis=1) / n**2
        return _beyond_chance(agreement, chance)

    return _with_interval("cohen_kappa", rows, items.clusters, kappa, rng)


def fleiss_kappa(
    ratings: Ratings, clusters: Sequence[str], rng: Rng
) -> Coefficient | None:
    """Fleiss' kappa (1971) of two or more labellers on the items that all of them have labelled.

    None without such an item, and where all labels are the same.
    """
    items = _items_rated_enough(ratings, clusters)
    counts = _label_counts(items)
    raters = items.codes.shape[1]
    if not len(counts) or raters < 2:
        return None
    # the share of pairs of labellers that agree on each item
    agreement = ((counts**2).sum(axis=1) - raters) / (raters * (raters - 1))
    rows = np.column_stack([agreement, np.ones(len(counts)), counts])

    def kappa(sums: Floats) -> Floats:
        mean_agreement = sums[:, 0] / sums[:, 1]
        labels = sums[:, 2:]
        shares = labels / labels.sum(axis=1, keepdims=True)
        chance = (shares**2).sum(axis=1)
        return _beyond_chance(mean_agreement, chance)

    return _with_interval("fleiss_kappa", rows, items.clusters, kappa, rng)


def nominal_alpha(
    ratings: Ratings, clusters: Sequence[str], rng: Rng
) -> Coefficient | None:
    """Krippendorff's alpha (2004) for labels without order; labellers may leave items out.

    None where no item has two labels, or all labels are the same.
    """
    items = _items_rated_enough(ratings, clusters, least=2)
    counts = _label_counts(items)
    size = counts.sum(axis=1)
    # the ordered pairs of an item's labels that differ, over the other labels of the item
    apart = (size**2 - (counts**2).sum(axis=1)) / (size - 1)
    rows = np.column_stack([apart, counts])

    def alpha(sums: Floats) -> Floats:
        totals = sums[:, 1:]
        n = totals.sum(axis=1)
        apart_by_chance = n**2 - (totals**2).sum(axis=1)
        differ = n > totals.max(axis=1)
        values = np.full(len(sums), np.nan)
        values[differ] = 1 - (n[differ] - 1) * sums[differ, 0] / apart_by_chance[differ]
        return values

    return _with_interval("nominal_alpha", rows, items.clusters, alpha, rng)


class _RatedItems(NamedTuple):
    """The items that enough labellers have labelled."""

    codes: Ints
    """The number of each label, a row for each item and a column for each labeller; -1 for none."""
    labels: int  #: Different labels.
    clusters: list[str]  #: Of each item.


def _items_rated_enough(
    ratings: Ratings, clusters: Sequence[str], least: int | None = None
) -> _RatedItems:
    """Return the items with ``least`` labels or more; those that all have labelled for None."""
    items: list[Sequence[str | None]] = []
    names: list[str] = []
    different = set[str]()
    for row, name in zip(ratings, clusters, strict=True):
        labels = [label for label in row if label is not None]
        enough = len(row) if least is None else least
        if len(labels) >= enough:
            items.append(row)
            names.append(name)
            different.update(labels)
    numbers: dict[str | None, int] = {
        label: number for number, label in enumerate(sorted(different))
    }
    numbers[None] = -1
    codes = [[numbers[label] for label in row] for row in items]
    labellers = max(map(len, ratings), default=2)
    # reshaped, as no item would make a table without columns
    table = np.array(codes, dtype=np.int64).reshape(len(items), labellers)
    return _RatedItems(table, len(different), names)


def _label_counts(items: _RatedItems) -> Floats:
    """Count each label of each item: a row for each item and a column for each label."""
    has_label = items.codes[:, :, None] == np.arange(items.labels)
    counts: Floats = has_label.sum(axis=1).astype(np.float64)
    return counts


def _beyond_chance(agreement: Floats, chance: Floats) -> Floats:
    """Return the part of the agreement beyond chance; NaN where chance agrees always."""
    values = np.full(len(agreement), np.nan)
    some = chance < 1 - 1e-12  # up to a rounding error
    values[some] = (agreement[some] - chance[some]) / (1 - chance[some])
    return values


def _with_interval(
    name: Any,
    rows: Floats,
    clusters: Sequence[str],
    coefficient_of: Callable[[Floats], Floats],
    rng: Rng,
) -> Coefficient | None:
    """Return a function of the sum of rows, with an interval from drawing whole clusters again.

    Without an interval where there are too few clusters, or where the function is undefined in over
    one of twenty draws; None where it is undefined for the data.
    """
    if not len(rows):
        return None
    (value,) = coefficient_of(rows.sum(axis=0, keepdims=True)).tolist()
    if math.isnan(value):
        return None
    coefficient = Coefficient(id=name, value=value, items=len(rows))
    if len(set(clusters)) < FEWEST_CLUSTERS:
        return coefficient
    values = redrawn(rows, clusters, coefficient_of, rng=rng, draws=DRAWS)
    defined = values[~np.isnan(values)]
    if len(defined) < (1 - _MOST_UNDEFINED) * DRAWS:
        return coefficient
    ((low, high),) = percentile_interval(defined[:, None])
    # a coefficient isn't linear, so a skewed interval may miss the value
    return coefficient.model_copy(
        update={"low": min(low, value), "high": max(high, value)}
    )
