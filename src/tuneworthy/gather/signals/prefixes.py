"""What a prefix cache would take of the input: tokens that an earlier call had begun with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.gather.signals.base import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_TOKENS = 1024
"""Shortest prefix that is cached: what OpenAI, Gemini and many Claude models ask for; some take 512
and some 4,096 (docs.litellm.ai, prompt caching, read 2026-11-24)."""

HOUR_S = 3600.0
MINUTES_5_S = 300.0


@dataclass(frozen=True, slots=True)
class Followers:
    """Calls that follow another which began alike, and how long after it, in seconds."""

    of_prompt: NDArray[np.int64]
    """Rows that follow a call with the same system prompt to the same model."""
    after_prompt_s: NDArray[np.float64]
    of_turn: NDArray[np.int64]
    """Rows that follow a call of their conversation, with the same system prompt and model."""
    before: NDArray[np.int64]
    """That call's row."""
    after_turn_s: NDArray[np.float64]


def followers(
    table: Table,
    usable: NDArray[np.bool_],
    read: NDArray[np.float64],
    system: NDArray[np.float64],
) -> Followers:
    """Which calls follow which.

    Args:
        table: The traces.
        usable: Which have a timestamp.
        read: Input tokens; NaN where unknown.
        system: Tokens of the system prompt; NaN for none.

    Returns:
        Every call that follows another; only those that read at least as much as the call of their
        conversation before, for a history is taken to be sent whole and only added to.
    """
    named = np.flatnonzero(usable & (table.system >= 0) & np.isfinite(system))
    later, _, after = _next(table, named, (table.system, table.model))
    turns = np.flatnonzero(usable & np.isfinite(read))
    turn, before, gap = _next(table, turns, (table.conversation, table.system, table.model))
    grown = read[turn] >= read[before]
    return Followers(later, after, turn[grown], before[grown], gap[grown])


def repeated(
    of: Followers, read: NDArray[np.float64], system: NDArray[np.float64], lives_s: float
) -> NDArray[np.float64]:
    """Tokens of each call that a call shortly before it had begun with.

    The system prompt, where the same text was sent to the same model; and in a conversation all
    that its call before had read. The longer of the two counts.

    Args:
        of: Which calls follow which.
        read: Input tokens; NaN where unknown.
        system: Tokens of the system prompt; NaN for none.
        lives_s: How long after its last use a prefix is kept, in seconds.

    Returns:
        Tokens, 0 under ``LEAST_TOKENS``; NaN where the input tokens are unknown.
    """
    again = np.zeros(len(read))
    later = of.of_prompt[of.after_prompt_s <= lives_s]
    again[later] = np.minimum(system[later], np.nan_to_num(read[later]))
    near = of.after_turn_s <= lives_s
    turn, before = of.of_turn[near], of.before[near]
    again[turn] = np.maximum(again[turn], read[before])
    again[again < LEAST_TOKENS] = 0.0
    return np.where(np.isfinite(read), again, np.nan)


def _next(
    table: Table, rows: NDArray[np.int64], same: tuple[NDArray[np.int64], ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Rows that follow another of the same kind in time, that other, and the seconds between."""
    turn, time = np.nan_to_num(table.turn[rows]), table.time[rows]
    order = rows[np.lexsort((turn, time, *(each[rows] for each in same)))]
    later, before = order[1:], order[:-1]
    follows = np.ones(len(later), dtype=bool)
    for each in same:
        follows &= each[later] == each[before]
    later, before = later[follows], before[follows]
    return later, before, table.time[later] - table.time[before]
