"""Error reduction: the share of the remaining errors that a change removes, and its chance.

From 0.80 to 0.92 right removes 60% of the errors: 1 - 0.08 / 0.20. The possible effect of a change
is a triangle: a low and a high end, and a usual value between them, the likeliest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable


def reduction_from(before: float, after: float) -> float | None:
    """The share of the errors that is gone: 1 - (1 - after) / (1 - before).

    Below 0 where there are more errors than before. None where nothing was wrong before.
    """
    if before >= 1:
        return None
    return 1 - (1 - after) / (1 - before)


def chance_of_reduction(needed: float, low: float, usual: float, high: float) -> float:
    """The chance that an error reduction spread over a triangle is at least ``needed``.

    With r for ``needed``: 1 for r <= low and 0 for r >= high; between them
    1 - (r - low)^2 / ((high - low) (usual - low)) up to the usual value, and
    (high - r)^2 / ((high - low) (high - usual)) from there on. Where low or high is the usual
    value, the triangle has that side alone; where all three are one value, the reduction is that
    value, and a need of exactly it is met. Raises ValueError where the three are out of order.
    """
    if not low <= usual <= high:
        raise ValueError(
            f"a triangle goes up from low to high, not {low}, {usual}, {high}"
        )
    if needed <= low:
        return 1.0
    if needed >= high:
        return 0.0
    whole = high - low
    if needed <= usual:
        # Ratios first: a square of a tiny length would be rounded to 0.
        return 1 - (needed - low) / whole * ((needed - low) / (usual - low))
    return (high - needed) / whole * ((high - needed) / (high - usual))


def combined_chance(chances: Iterable[float]) -> float:
    """The chance that at least one of several comes true: 1 - (1 - p) (1 - q) ...; 0 for none.

    They count as independent. Ways against the same errors aren't, so for them it is too high.
    """
    return 1 - math.prod(1 - chance for chance in chances)
