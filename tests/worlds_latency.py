"""Calls whose time is known to be made of so much prompt, so much answer and so much else."""

from __future__ import annotations

import numpy as np

from plain_engine import batch
from tuneworthy.model.evidence import Batch

MEAN_INPUT, MEAN_OUTPUT, MEAN_S = 3000.0, 200.0, 3.0


def calls(
    rng: np.random.Generator,
    *,
    explained: float = 0.15,
    written: float = 0.4,
    slow: float = 0.0,
    conversations: int = 100,
    turns: int = 4,
) -> Batch:
    """Calls in conversations, by two models.

    Args:
        rng: The source of chance.
        explained: Share of the mean latency that is proportional to input tokens.
        written: Share that is proportional to output tokens.
        slow: Share of conversations whose every call takes ten times as long.
        conversations: How many.
        turns: Calls in each.
    """
    n = conversations * turns
    talk = np.repeat(np.arange(conversations), turns)
    turn = np.tile(np.arange(turns), conversations)
    # a longer prompt makes a longer answer a little likelier, and a history makes later turns long
    length = rng.lognormal(-0.08, 0.4, conversations)[talk] * (0.7 + 0.2 * turn)
    read = MEAN_INPUT * length / (0.7 + 0.1 * (turns - 1))
    out = MEAN_OUTPUT * rng.lognormal(-0.125, 0.5, n) * (0.8 + 0.2 * read / MEAN_INPUT)
    model = rng.integers(0, 2, conversations)[talk]
    rest = (1 - explained - written) * np.where(model == 1, 1.4, 0.6)
    made = explained * read / MEAN_INPUT + written * out / MEAN_OUTPUT + rest
    busy = rng.lognormal(-0.02, 0.2, conversations)[talk] * rng.lognormal(
        -0.03, 0.25, n
    )
    took = MEAN_S * made * busy
    took[rng.random(n) < 0.003] *= 15  # calls that hung
    late = rng.permutation(conversations) < round(slow * conversations)
    took = np.where(late[talk], took * 10, took)
    return batch(
        conversation=[f"c{each}" for each in talk],
        turn=turn.tolist(),
        model=[f"m{each}" for each in model],
        latency_s=took.tolist(),
        input_tokens=np.round(read).tolist(),
        output_tokens=np.round(out).tolist(),
    )
