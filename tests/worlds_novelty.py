"""Logs of short requests in which it is known how many of the last month are of a new kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plain_engine import batch
from tuneworthy.model.evidence import Batch

START_S, DAY_S = 1_767_225_600.0, 86_400.0  # 2026-01-01
DAYS = 122


def asked(
    rng: np.random.Generator,
    known: Sequence[str],
    new: Sequence[str],
    *,
    share: float,
    conversations: int = 800,
    turns: int = 2,
    later: Sequence[str] = (),
) -> Batch:
    """Four months of conversations; of the last month's a share asks for something new.

    Args:
        rng: The source of chance.
        known: Requests of kinds that were there all along.
        new: Requests of other kinds.
        share: Share of the last month's conversations whose every turn is new.
        conversations: In all four months.
        turns: Requests in each.
        later: Requests of known kinds for the last month, if they are others than before.
    """
    day = np.sort(rng.uniform(0, DAYS, conversations))
    late = np.flatnonzero(day > DAYS - 30.4)
    fresh: NDArray[np.int64] = rng.permutation(late)[: round(share * len(late))]
    picked = iter(rng.permutation(len(known)).tolist())
    unseen = iter(rng.permutation(len(new)).tolist())
    shifted = iter(rng.permutation(len(later)).tolist())
    times, texts, talks = [], [], []
    for talk in range(conversations):
        for turn in range(turns):
            if talk in fresh:
                text = new[next(unseen)]
            elif later and day[talk] > DAYS - 30.4:
                text = later[next(shifted)]
            else:
                text = known[next(picked)]
            times.append(START_S + float(day[talk]) * DAY_S + 60 * turn)
            texts.append(text)
            talks.append(f"t{talk}")
    return batch(timestamp=times, input=texts, conversation=talks)
