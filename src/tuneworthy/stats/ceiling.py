"""Has what was tried reached its ceiling? Three answers, and how many cases a fourth would take.

*Reached* is claimed only when the upper bound of every arm lies below the target. If an arm truly
meets the target, that claim needs its own bound to fail, so its chance of being wrong is that of
one bound however many arms there are (an intersection-union test: Berger 1982); an arm that a race
dropped is bounded by the leader it fell behind, which adds the race's own error. *Not reached* is
claimed when the arm that was chosen on other cases meets the target with its lower bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from tuneworthy.stats.clustered import Estimate, share
from tuneworthy.stats.intervals import cases_to_exclude

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Answer = Literal["yes", "no", "too_few_cases"]


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Whether the ceiling is reached."""

    reached: Answer
    upper: float
    """The largest upper bound of an arm: of the best that was tried, not more than this."""
    cases_needed: int | None
    """Where more cases would tell: how many in all; None where it is told, or none would."""


def ceiling(
    tried: Sequence[Estimate], chosen: Estimate, target: float, *, effect: float = 1.0
) -> Ceiling:
    """Hold every arm's bounds against a target.

    Args:
        tried: Each arm that stayed in the race, on the cases used for choosing.
        chosen: The chosen arm, on cases that chose nothing.
        target: The share that is wanted.
        effect: Design effect of the conversations, for the number of cases needed.

    Returns:
        The answer. With no arm, or where both claims could be made, it is ``too_few_cases``.
    """
    upper = max([*(one.high for one in tried), chosen.high], default=1.0)
    if chosen.low >= target:
        return Ceiling("no", upper, None)
    if tried and upper < target:
        return Ceiling("yes", upper, None)
    needed = cases_to_exclude(chosen.value, target)
    more = None if needed is None else math.ceil(needed * max(1.0, effect))
    return Ceiling("too_few_cases", upper, more)


def estimates(scores: NDArray[np.float64], clusters: NDArray[np.int64]) -> tuple[Estimate, ...]:
    """Each arm's share with its interval.

    Args:
        scores: Arms × cases, 0 … 1; NaN where an arm wasn't run.
        clusters: The conversation of each case.
    """
    found = (share(row, clusters) for row in scores)
    return tuple(one for one in found if one is not None)
