"""Faults planted into made-up traces, conversation by conversation: some are worse than others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALIKE = 0.3
"""How alike the traces of a conversation are: their intraclass correlation."""


def faults(
    rng: np.random.Generator, rate: float, *, conversations: int = 300, turns: int = 3
) -> NDArray[np.bool_]:
    """Which traces are at fault: one row a conversation, one column a turn.

    The rate of a conversation is drawn from a beta distribution around ``rate``, so that turns of
    one correlate by ``ALIKE``.
    """
    if not 0 < rate < 1:
        return np.full((conversations, turns), rate >= 1)
    spread = 1 / ALIKE - 1
    own = rng.beta(rate * spread, (1 - rate) * spread, size=(conversations, 1))
    return rng.random((conversations, turns)) < own


def fired(
    fires: Callable[[NDArray[np.bool_]], bool], rate: float, *, sets: int, seed: int
) -> float:
    """The share of data sets with a planted fault in which something fires."""
    rng = np.random.default_rng(seed)
    return float(np.mean([fires(faults(rng, rate)) for _ in range(sets)]))
