"""Has what was tried reached its ceiling? Three answers, and how many cases a fourth would take.

*Reached* is claimed only when the upper bound of every arm lies below the target. If an arm truly
meets the target, that claim needs the bound of the best arm to fail, so its chance of being wrong
is that of one bound, 2.5%, however many arms there are (an intersection-union test: Berger 1982).
Arms that a race dropped are left out; that adds the race's own chance of dropping the best, 2%.
*Not reached* is claimed when the arm that was chosen on other cases meets the target with its lower
bound. docs/accuracy.md says how often either is wrong.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from tuneworthy.stats.clustered import Estimate, share
from tuneworthy.stats.intervals import Z80, Z95

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Answer = Literal["yes", "no", "too_few_cases"]

_MOST_CASES = 10**9
_FARTHEST = 1e9  # half-widths of an interval: its square is more cases than any


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Whether the ceiling is reached."""

    reached: Answer
    upper: float
    """The largest upper bound of an arm: of the best that was tried, not more than this."""
    cases_needed: int | None
    """Where more cases would tell: how many in all; None where it is told, or none would."""


def ceiling(tried: Sequence[Estimate], chosen: Estimate, target: float) -> Ceiling:
    """Hold every arm's bounds against a target.

    Args:
        tried: Each arm that stayed in the race, on the cases used for choosing.
        chosen: The chosen arm, on cases that chose nothing.
        target: The share that is wanted.

    Returns:
        The answer. Without a tried arm it is never ``yes``.
    """
    upper = max([*(one.high for one in tried), chosen.high])
    if chosen.low >= target:
        return Ceiling("no", upper, None)
    if tried and upper < target:
        return Ceiling("yes", upper, None)
    return Ceiling("too_few_cases", upper, _cases_needed(tried, chosen, target))


def _cases_needed(tried: Sequence[Estimate], chosen: Estimate, target: float) -> int | None:
    """Cases in all with which the bounds would clear the target in 80 of 100 repetitions.

    Shares are taken to stay as they are; an interval shrinks with the root of its cases, so the
    design effect of conversations is in it. A tried arm counts where it lies below the target: one
    above it was luckier than the chosen one and will come down or be chosen.
    """
    if chosen.value == target:
        return None
    blocking = [chosen]
    if chosen.value < target:
        blocking += [one for one in tried if one.value < target]
    longer = max(_longer(one, target) for one in blocking)
    now = chosen.n + max((one.n for one in tried), default=0)
    needed = math.ceil(now * max(1.0, longer)) if longer < _MOST_CASES else _MOST_CASES + 1
    return max(needed, now + 1) if needed <= _MOST_CASES else None


def _longer(one: Estimate, target: float) -> float:
    """How many times its cases an estimate would need."""
    half = one.high - one.value if one.value < target else one.value - one.low
    times = min(abs(half / (one.value - target)), _FARTHEST)  # next to the target without end
    return float(times**2 * ((Z95 + Z80) / Z95) ** 2)


def estimates(scores: NDArray[np.float64], clusters: NDArray[np.int64]) -> tuple[Estimate, ...]:
    """Each arm's share with an interval whose ends may be held against a target.

    Args:
        scores: Arms × cases, 0 … 1; NaN where an arm wasn't run.
        clusters: The conversation of each case.

    Returns:
        One for each arm that has a case.
    """
    found = (share(row, clusters, exact=True) for row in scores)
    return tuple(one for one in found if one is not None)
