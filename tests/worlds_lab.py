"""Labs in which it is known how good every arm is, and what a judge gets wrong.

An answer is right where a normal value lies below the quantile of its arm's share. The value has a
part that all arms share in a conversation, one they share in a case (so that arms tie on easy and
hard ones), and one of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.stats import compare as stats_compare
from tuneworthy.stats.clustered import Estimate, share
from tuneworthy.stats.compare import ceiling

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST = 6
CONVERSATION, CASE = 0.3, 0.4
"""Parts of the variance that arms share."""
ROUNDS, FEWEST = 8, 10
_NORMAL = NormalDist()
_SIZES = np.arange(1, LONGEST + 1)


def conversations(rng: np.random.Generator, n: int, longest: int) -> NDArray[np.int64]:
    """The conversation of each of ``n`` cases; conversations have one to ``longest``."""
    sizes = rng.integers(1, longest + 1, size=n)
    return np.repeat(np.arange(n), sizes)[:n].astype(np.int64)


def answers(
    rng: np.random.Generator,
    talk: NDArray[np.int64],
    shares: Sequence[float],
    *,
    lean: float = 0.0,
) -> NDArray[np.float64]:
    """Arms × cases, 1 for a right answer.

    Args:
        rng: The source of chance.
        talk: The conversation of each case.
        shares: The true share of each arm, over cases.
        lean: How much worse the first, third … arm gets, and how much better the others, with each
            case more in a conversation, in standard deviations.
    """
    k, n, arms = int(talk[-1]) + 1, len(talk), len(shares)
    shared = np.sqrt(CONVERSATION) * rng.normal(size=k)[talk]
    shared = shared + np.sqrt(CASE) * rng.normal(size=n)
    own = np.sqrt(1 - CONVERSATION - CASE) * rng.normal(size=(arms, n))
    slopes = np.where(np.arange(arms) % 2, -lean, lean)
    long = np.bincount(talk)[talk] - _SIZES.mean()
    bars = [
        _bar(share, slope) for share, slope in zip(shares, slopes.tolist(), strict=True)
    ]
    right = shared + own + slopes[:, None] * long < np.array(bars)[:, None]
    return np.asarray(right, dtype=np.float64)


def _bar(share: float, slope: float) -> float:
    """What a value must lie below so that a share of all cases does; by halving."""
    if not slope:
        return _NORMAL.inv_cdf(share)
    low, high = -10.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        right = [
            _NORMAL.cdf(middle - slope * (size - _SIZES.mean()))
            for size in _SIZES.tolist()
        ]
        low, high = (
            (middle, high)
            if np.average(right, weights=_SIZES) < share
            else (low, middle)
        )
    return low


@dataclass(frozen=True, slots=True)
class LabWorld:
    """What a lab did in a world."""

    answer: stats_compare.Ceiling
    chosen: int
    reported: Estimate
    behind: float
    """How much better the winner would have been, had no arm been dropped; on the same cases."""
    dropped: tuple[int | None, ...]
    saved: float
    """Share of all runs that weren't made."""


def raced(
    scores: NDArray[np.float64], talk: NDArray[np.int64], alpha: float = 0.02, *,
    by_case: bool = True,
) -> stats_compare.Race:  # fmt: skip
    """Run a race over the cases, in rounds of whole conversations.

    Args:
        scores: Arms × cases.
        talk: The conversation of each case.
        alpha: Of the race.
        by_case: Whether a case weighs the same in a long conversation, as in a lab; otherwise a
            conversation does.
    """
    race, k = stats_compare.Race(len(scores), alpha), int(talk[-1]) + 1
    sizes = np.bincount(talk)
    sums = np.array([np.bincount(talk, weights=row, minlength=k) for row in scores])
    sums /= sizes.max() if by_case else sizes
    # cases after each conversation
    ends = np.flatnonzero(np.append(np.diff(talk) > 0, [True])) + 1
    size, start, last = max(FEWEST, -(-len(talk) // ROUNDS)), 0, 0
    for place, end in enumerate(ends.tolist(), start=1):
        if end - last >= size or place == k:
            race.add({arm: sums[arm, start:place].tolist() for arm in race.running})
            start, last = place, end
    return race


def estimates(
    scores: NDArray[np.float64], clusters: NDArray[np.int64]
) -> tuple[Estimate, ...]:
    """The share of each arm that has a case, with ends that may be held against a target."""
    shares = (share(row, clusters, exact=True) for row in scores)
    return tuple(arm for arm in shares if arm is not None)


def lab(
    rng: np.random.Generator,
    n: int,
    longest: int,
    shares: Sequence[float],
    target: float,
) -> LabWorld:
    """A lab with ``n`` cases to select on and as many to report on."""
    select, report = (conversations(rng, n, longest) for _ in range(2))
    seen, later = answers(rng, select, shares), answers(rng, report, shares)
    race = raced(seen, select)
    ended = race.result()
    means = seen.mean(axis=1)
    tried = estimates(seen[list(race.running)], select)
    reported = estimates(later[[ended.winner]], report)[0]
    return LabWorld(
        ceiling(tried, reported, target), ended.winner, reported,
        float(means.max() - means[ended.winner]), ended.dropped_after,
        1 - ended.runs / (len(shares) * (int(select[-1]) + 1)),
    )  # fmt: skip


def judged(
    rng: np.random.Generator,
    talk: NDArray[np.int64],
    shares: tuple[float, float],
    agrees: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What people say of two arms, and what a judge says that favours the second.

    Where it doesn't see what people see, it calls 30% of the first right and 95% of the second.

    Returns:
        Human labels and judge's scores, both arms × cases.
    """
    human = answers(rng, talk, shares)
    blind = rng.random(human.shape) < np.array([[0.3], [0.95]])
    sees = rng.random(human.shape) < agrees
    return human, np.where(sees, human, blind.astype(np.float64))
