"""Would one more variant help? Only where variants are draws of one generator can that be said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

ENOUGH_DRAWS = 5
"""Under this many draws nothing is said."""


def expected_gain(
    scores: ArrayLike, *, rng: np.random.Generator, draws: int = 2000
) -> tuple[float, float, float] | None:
    """What the last draw of a generator was worth on average, which bounds what the next will be.

    Over all orders in which ``n`` exchangeable draws could have come, the last one raised the best
    by ``(largest - second largest) / n`` on average; each further draw is worth no more than the
    one before it.

    Args:
        scores: One a variant, all from the same generator. Hand-written variants are no sample of
            anything: don't ask about them.
        rng: The source of chance for the interval.
        draws: Bootstrap draws.

    Returns:
        Value, low and high (95%, by drawing the variants again); None under five draws.
    """
    values = np.sort(np.asarray(scores, dtype=np.float64))
    n = len(values)
    if n < ENOUGH_DRAWS:
        return None
    again = np.sort(values[rng.integers(0, n, size=(draws, n))], axis=1)
    gains = (again[:, -1] - again[:, -2]) / n
    value = float(values[-1] - values[-2]) / n
    low, high = np.percentile(gains, (2.5, 97.5))
    return value, min(float(low), value), max(float(high), value)
