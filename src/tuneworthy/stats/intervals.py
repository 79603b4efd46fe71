"""Intervals for a share, and how many cases it takes to rule a target out."""

from __future__ import annotations

import math

Z95 = 1.959963984540054
"""The normal quantile that leaves 2.5% on either side."""
Z80 = 0.8416212335729143
"""The normal quantile that gives a power of 80%."""

_MOST_CASES = 10**15


def wilson(successes: float, n: float) -> tuple[float, float]:
    """The 95% score interval of a share (Wilson 1927, without continuity correction).

    Args:
        successes: How many succeeded, between 0 and ``n``; need not be whole.
        n: How many there were; need not be whole, as after a correction for cases that aren't
            independent.

    Returns:
        Lower and upper end, both between 0 and 1, with the observed share between them; (0, 1)
        when ``n`` is 0, because nothing is known then.

    Raises:
        ValueError: If ``n`` is negative or ``successes`` lies outside 0 … ``n``.
    """
    if not (0 <= successes <= n < math.inf):
        raise ValueError("successes must lie between 0 and n")
    if n == 0:
        return 0.0, 1.0
    share, z2 = successes / n, Z95 * Z95 / n
    middle = share + z2 / 2
    half = Z95 * math.sqrt((share * (1 - share) + z2 / 4) / n)
    # rounding may put an end a hair past the share or past 0 and 1; it belongs on it
    low = min(max((middle - half) / (1 + z2), 0.0), share)
    high = max(min((middle + half) / (1 + z2), 1.0), share)
    return (0.0 if successes == 0 else low), (1.0 if successes == n else high)


def cases_to_exclude(rate: float, target: float) -> int | None:
    """The fewest cases at which the interval around a rate no longer holds a target.

    Wilson's interval holds exactly the targets that a score test doesn't reject, so the count is
    the first n with ``(rate - target)² > z² · target · (1 - target) / n``.

    Args:
        rate: The share observed, assumed to stay the same with more cases.
        target: The share it is held against.

    Returns:
        A count, 1 or more; None when no number of cases would do: the rate is the target, or so
        close to it that more than 10^15 cases would be needed.

    Raises:
        ValueError: If one of the two isn't a share.
    """
    if not (0 <= rate <= 1 and 0 <= target <= 1):
        raise ValueError("rate and target must lie between 0 and 1")
    distance = abs(rate - target)
    if distance == 0:
        return None
    limit = Z95 / distance * math.sqrt(target * (1 - target))
    if limit * limit >= _MOST_CASES:
        return None
    return math.floor(limit * limit) + 1
