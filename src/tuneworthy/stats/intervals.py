"""Intervals for a share, and the number of cases that exclude a target."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

Z95 = 1.959963984540054  #: The normal quantile that leaves 2.5% on either side.
Z80 = 0.8416212335729143  #: The normal quantile that gives a power of 80%.

_MOST_CASES = 10**15  # nobody has as many
Ends = tuple[float, float]  #: The low and the high end of an interval.


def wilson(successes: float, n: float) -> Ends:
    """The 95% score interval of a share (Wilson 1927, without continuity correction).

    Counts need not be whole, as after a correction for cases that aren't independent. The observed
    share lies within it; (0, 1) when ``n`` is 0, because nothing is known then. Raises ValueError
    if ``n`` is negative or ``successes`` lies outside 0 … ``n``.
    """
    _check(successes, n)
    if n == 0:
        return 0.0, 1.0
    share = successes / n
    z2 = Z95 * Z95 / n
    middle = share + z2 / 2
    half = Z95 * math.sqrt((share * (1 - share) + z2 / 4) / n)
    # rounding may put an end a hair past the share or past 0 and 1; it belongs on it
    low = min(max((middle - half) / (1 + z2), 0.0), share)
    high = max(min((middle + half) / (1 + z2), 1.0), share)
    return (0.0 if successes == 0 else low), (1.0 if successes == n else high)


def independent_cases(clusters: Sequence[str]) -> float:
    """Return how many independent cases are worth as much, if a cluster has equal answers (Kish 1965).

    0.0 for no case.
    """
    if not clusters:
        return 0.0
    sizes = Counter(clusters).values()
    return len(clusters) ** 2 / sum(size**2 for size in sizes)


def wilson_by_cluster(successes: int, clusters: Sequence[str]) -> Ends:
    """Return the 95% interval of a share, if a cluster has equal answers."""
    worth = independent_cases(clusters)
    return wilson(successes / len(clusters) * worth, worth)


def _check(successes: float, n: float) -> None:
    if not (0 <= successes <= n < math.inf):
        raise ValueError("successes must lie between 0 and n")


def cases_to_exclude(rate: float, target: float) -> int | None:
    """The fewest cases at which the interval around a rate no longer holds a target, 1 or more.

    Wilson's interval holds exactly the targets that a score test doesn't reject, so the count is
    the first n with ``(rate - target)² > z² · target · (1 - target) / n``. The observed rate is
    assumed to stay the same with more cases. None when no number of cases would do: the rate is the
    target, or so close to it that more than 10^15 would be needed. Raises ValueError if one of the
    two isn't a share.
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


#: Cases that a team labels at most to tell two numbers from each other.
MOST_USEFUL = 2_000
BY_MARGIN = (
    f"decide by the margin: {MOST_USEFUL:,} cases would hardly tell the two apart"
)


def cases_to_tell(rate: float, target: float, n: int) -> int | None:
    """Cases of a set, half of which are held out, that distinguish a share from its target.

    It counts like a ceiling lab whose arms are right in ``rate`` of ``n`` independent cases of
    either part. None where the number is more than labelling is worth. The number is even.
    """
    low, high = clopper_pearson(rate * n, n)
    # the half of the interval towards the target
    half = high - rate if rate < target else rate - low
    needed = useful(2 * n, times_longer(half, abs(rate - target)))
    if needed is None:
        return None
    return needed + needed % 2  # both halves have the same number


def times_longer(half: float, distance: float) -> float:
    """Return the factor on its cases with which an interval clears a target in 80 of 100 repetitions.

    ``half`` is its length towards the target, and ``distance`` the distance to the target.
    """
    distance = max(distance, 1e-9)  # a rate at its target would need infinitely many
    return (half / distance * (Z95 + Z80) / Z95) ** 2


def useful(now: int, longer: float) -> int | None:
    """Return the number of cases after a factor; None where it is more than labelling is worth.

    It is at least one more than ``now``, as the present cases didn't settle the question.
    """
    needed = math.ceil(now * max(1.0, longer))
    if needed > max(MOST_USEFUL, 2 * now):
        return None
    return max(needed, now + 1)


_TINY = 1e-300  # nearly the smallest number above 0
_STEPS = 10_000  # of a continued fraction, which ends long before
_HALVINGS = 200  # of a bracket, more than the digits of a number can hold


@lru_cache(maxsize=1024)  # a decision asks for the same one several times
def clopper_pearson(successes: float, n: float) -> Ends:
    """The 95% interval of a share by the beta distribution (Clopper and Pearson 1934).

    Its ends are exact, so each may be compared with a target. Counts need not be whole, as in
    ``wilson`` (Korn and Graubard 1998); (0, 1) when ``n`` is 0. Raises as ``wilson`` does.
    """
    _check(successes, n)
    if n == 0:
        return 0.0, 1.0
    low = beta_quantile(0.025, successes, n - successes + 1) if successes > 0 else 0.0
    high = beta_quantile(0.975, successes + 1, n - successes) if successes < n else 1.0
    share = successes / n
    return min(low, share), max(high, share)


def beta_quantile(chance: float, a: float, b: float) -> float:
    """Return the quantile of a beta distribution, by Newton's steps inside a shrinking bracket."""
    low = 0.0
    high = 1.0
    # the start: two standard deviations from the mean, and not beyond half of the way to an end
    mean = a / (a + b)
    deviation = math.sqrt(mean * (1 - mean) / (a + b + 1))
    x = mean + math.copysign(2 * deviation, chance - 0.5)
    x = min(max(x, mean / 2), (1 + mean) / 2)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    for _ in range(_HALVINGS):
        miss = beta_share(x, a, b) - chance
        if miss > 0:
            high = x
        else:
            low = x
        if abs(miss) < 1e-10 or high - low < 1e-12:
            break
        density = math.exp(front + (a - 1) * math.log(x) + (b - 1) * math.log1p(-x))
        # a step is taken only within the bracket; else the bracket is halved
        halved = (low + high) / 2
        if density <= _TINY:  # too flat to divide by
            x = halved
            continue
        newton = x - miss / density
        x = newton if low < newton < high else halved
    return x


def beta_share(x: float, a: float, b: float) -> float:
    """The share of a beta distribution below ``x``: the incomplete beta function.

    By the continued fraction of the NIST handbook (Olver et al. 2010, 8.17.22).
    """
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    # the fraction converges fast below this point, and above it for the mirrored distribution
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_share(1 - x, b, a)
    # the factor before the fraction, as a logarithm: gamma functions overflow
    log_factor = (
        math.lgamma(a + b)
        - math.lgamma(a)
        - math.lgamma(b)
        + a * math.log(x)
        + b * math.log1p(-x)
    )
    return math.exp(log_factor) * _beta_fraction(x, a, b) / a


def _beta_fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function, evaluated after Lentz (1976)."""
    # Lentz keeps two ratios of neighbouring convergents, named C and D as in the source
    c = 1.0
    d = 1 / _not_zero(1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for coefficient in (even, odd):
            d = 1 / _not_zero(1 + coefficient * d)
            c = _not_zero(1 + coefficient / c)
            fraction *= d * c
        if abs(d * c - 1) < 1e-14:  # the last step changed nothing any more
            break
    return fraction


def _not_zero(number: float) -> float:
    """The number itself, or a tiny one instead of zero, so that it may be divided by."""
    return number if number != 0 else _TINY
