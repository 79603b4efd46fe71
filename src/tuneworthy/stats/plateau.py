"""Would one more variant help? Only where variants are draws of one generator can that be said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

ENOUGH_DRAWS = 5
"""Under this many draws nothing is said."""


def expected_gain(scores: ArrayLike) -> tuple[float, float, float] | None:
    """What one more draw of a generator would add to the best so far, on average.

    Over all orders in which ``n`` exchangeable draws could have come, the last one raised the best
    by ``(largest - second largest) / n`` on average, and each further draw is worth no more than
    the one before it: that is the value.

    A bootstrap would draw the largest twice and see no gap, so the interval is another. The chance
    that a draw passes the largest of ``n`` lies below ``1 - 0.025^(1/n)`` with 97.5% (a draw's
    place in its distribution is uniform), and it can't gain more than what is left up to 1: the
    product bounds the gain. Its other end is 0, which no number of draws rules out.

    Args:
        scores: Shares between 0 and 1, one a variant, all from the same generator and on the same
            cases. Hand-written variants are no sample of anything: don't ask about them.

    Returns:
        Value, low and high, in points of share; None under five draws.
    """
    values = np.sort(np.asarray(scores, dtype=np.float64))
    n = len(values)
    if n < ENOUGH_DRAWS:
        return None
    most = max(0.0, 1.0 - float(values[-1]))
    high = most * (1 - 0.025 ** (1 / n))
    return min(float(values[-1] - values[-2]) / n, high), 0.0, high
