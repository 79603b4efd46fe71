"""Looking at results as they come in, without paying for the looks.

The race bets against an arm (Waudby-Smith and Ramdas 2024, section 4): whoever stakes a share of
his wealth on every conversation wins nothing on average as long as the arm isn't behind, so wealth
of 50 is seen with a chance of at most 2% then (Ville 1939), however often one looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

_STAKES = np.geomspace(0.03, 0.95, 12)
"""Shares of the wealth that are staked, side by side: small ones find small differences."""
_BLOCK = 100
"""Conversations multiplied before a logarithm is taken; 0.05^100 is still a number."""


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

    Against every other arm of its group, a bet is kept that an arm is behind; it leaves when its
    bets are worth ``1 / alpha`` on average. Those against the best arm win nothing on average, and
    nor does their mean, so the best of a group is dropped with a chance of at most ``alpha``,
    however many arms there are. The leader never leaves.

    Args:
        arms: How many.
        alpha: Chance that the best arm of a group is ever dropped.
        groups: The group of each arm; an arm is only held against its own. One for all if left out.
    """

    def __init__(
        self, arms: int, alpha: float = 0.02, *, groups: Sequence[Hashable] | None = None
    ) -> None:
        names = [None] * arms if groups is None else list(groups)
        self._rivals = np.array([[one == other for other in names] for one in names], dtype=bool)
        self._rivals &= ~np.eye(arms, dtype=bool)
        self._worth = 1 / alpha
        self._logs = np.zeros((arms, arms, len(_STAKES)))
        self._sums, self._seen = np.zeros(arms), [0] * arms
        self._dropped: list[int | None] = [None] * arms

    @property
    def running(self) -> tuple[int, ...]:
        """Places of the arms that are still in."""
        return tuple(i for i, after in enumerate(self._dropped) if after is None)

    def add(self, scores: dict[int, list[float]]) -> None:
        """Scores of another round: for each running arm one for each conversation of the round.

        Args:
            scores: Values between 0 and 1. To hold shares of cases against each other where
                conversations differ in length, give the sum of each over the longest one's cases.
        """
        places = np.array(sorted(scores), dtype=np.int64)
        rows = np.array([scores[place] for place in places.tolist()], dtype=np.float64)
        if not rows.size:
            return
        self._sums[places] += rows.sum(axis=1)
        for place in places.tolist():
            self._seen[place] += rows.shape[1]
        for start in range(0, rows.shape[1], _BLOCK):
            grown = np.ones((len(places), len(places), len(_STAKES)))
            for values in rows[:, start : start + _BLOCK].T:  # what another had more of than I
                grown *= 1 + (values[None, :] - values[:, None])[:, :, None] * _STAKES
            self._logs[np.ix_(places, places)] += np.log(grown)
        self._leave(places)

    def _leave(self, places: NDArray[np.int64]) -> None:
        with np.errstate(over="ignore"):
            wealth = np.exp(self._logs).mean(axis=2)
        for place in places.tolist():
            mine = self._rivals[place]
            still = [i for i in places.tolist() if mine[i]]
            if not still or self._sums[place] > max(self._sums[still]) - 1e-9:
                continue
            if wealth[place][mine].mean() >= self._worth:
                self._dropped[place] = self._seen[place]

    def result(self) -> Raced:
        """How it stands; the leader is the best mean among those still in, the first of equals."""
        means = {arm: self._sums[arm] / max(1, self._seen[arm]) for arm in self.running}
        winner = max(means, key=lambda arm: (round(means[arm], 9), -arm))
        return Raced(winner, tuple(self._dropped), sum(self._seen))
