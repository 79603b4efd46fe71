"""Looking at results as they come in, without paying for the looks.

A confidence sequence holds at all times at once, so an arm may be dropped the moment its sequence
allows it. This is the empirical-Bernstein sequence with predictable weights of Waudby-Smith and
Ramdas (2024, theorem 2), for values between 0 and 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_CAP = 0.75


def confidence_sequence(values: ArrayLike, alpha: float) -> tuple[NDArray[np.float64], ...]:
    """Lower and upper ends after each value.

    Args:
        values: Independent values between 0 and 1, such as means of conversations, in order.
        alpha: Chance that the mean ever leaves the sequence, both sides together.

    Returns:
        Two arrays as long as ``values``; each end only ever gets tighter.
    """
    x = np.asarray(values, dtype=np.float64)
    n = len(x)
    steps = np.arange(1, n + 1)
    means = (0.5 + np.cumsum(x)) / (steps + 1)
    before = np.concatenate([[0.5], means[:-1]])
    spread = (0.25 + np.cumsum((x - means) ** 2)) / (steps + 1)
    spread_before = np.concatenate([[0.25], spread[:-1]])
    weights = np.minimum(
        np.sqrt(2 * math.log(2 / alpha) / (spread_before * steps * np.log(1 + steps))), _CAP
    )
    cost = 4 * (x - before) ** 2 * (-np.log1p(-weights) - weights) / 4
    total = np.cumsum(weights)
    middle = np.cumsum(weights * x) / total
    half = (math.log(2 / alpha) + np.cumsum(cost)) / total
    low = np.maximum.accumulate(np.clip(middle - half, 0.0, 1.0))
    high = np.minimum.accumulate(np.clip(middle + half, 0.0, 1.0))
    return low, high


@dataclass(frozen=True, slots=True)
class Raced:
    """How a race ended."""

    winner: int
    """Place of the arm that leads in the end."""
    dropped_after: tuple[int | None, ...]
    """For each arm: conversations after which it was left behind; None for one that stayed."""
    runs: int
    """Arms times conversations that were run."""


class Race:
    """Arms on the same conversations, in rounds; the hopeless leave early.

    An arm leaves when the confidence sequence of its difference to some other arm lies below zero.
    The best arm is dropped with a chance of at most ``alpha``: it would take a sequence of one of
    its ``arms - 1`` differences to fail, and each fails on that side with half of
    ``2 · alpha / (arms - 1)`` at most.

    Args:
        arms: How many.
        alpha: Chance that the best arm is ever dropped.
    """

    def __init__(self, arms: int, alpha: float = 0.02) -> None:
        self._each = min(1.0, 2 * alpha / max(1, arms - 1))
        self._scores: list[list[float]] = [[] for _ in range(arms)]
        self._dropped: list[int | None] = [None] * arms

    @property
    def running(self) -> tuple[int, ...]:
        """Places of the arms that are still in."""
        return tuple(i for i, after in enumerate(self._dropped) if after is None)

    def add(self, scores: dict[int, list[float]]) -> None:
        """Scores of another round: for each running arm one for each conversation of the round."""
        for arm, values in scores.items():
            self._scores[arm] += values
        running = self.running
        means = {arm: float(np.mean(self._scores[arm])) for arm in running if self._scores[arm]}
        ahead = sorted(means, key=lambda arm: -means[arm])
        for arm in ahead[1:]:
            if any(self._behind(arm, other) for other in ahead[:3] if means[other] > means[arm]):
                self._dropped[arm] = len(self._scores[arm])

    def _behind(self, arm: int, other: int) -> bool:
        mine, its = np.array(self._scores[arm]), np.array(self._scores[other])
        n = min(len(mine), len(its))
        _, high = confidence_sequence((mine[:n] - its[:n] + 1) / 2, self._each)
        return bool(n and high[-1] < 0.5)

    def result(self) -> Raced:
        """How it stands; the leader is the best mean among those still in."""
        running = self.running
        winner = max(running, key=lambda arm: (np.mean(self._scores[arm] or [0.0]), -arm))
        runs = sum(len(values) for values in self._scores)
        return Raced(winner, tuple(self._dropped), runs)
