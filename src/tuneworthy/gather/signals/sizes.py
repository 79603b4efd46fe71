"""How much a call read and wrote: tokens as reported, or estimated from characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.domain.traces import Batch, Message
from tuneworthy.gather.signals.base import Numbers, as_numbers
from tuneworthy.texts.memory import remembered

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHARACTERS_A_TOKEN = 4.0
"""The usual rule for English text."""

ESTIMATE_FACTOR = 1.5
"""How far an estimate from characters may be off, either way. Over whole collections o200k_base and
cl100k_base take 2.8 characters a token (JSON of tools in tau_bench) to 4.9 (its English system
prompt), with 3.9 to 4.6 for English questions, passages and SQL between: 4 is off by 1.45 at most
(ours, measured 2026-11-24 with bpe-openai). Other scripts can take one or two."""

_MOST = 1e12

COLUMNS = ("input_tokens", "output_tokens", "system", "input", "output", "messages")
"""What ``token_numbers`` reads."""


def amounts(values: Sequence[float | None], length: int) -> NDArray[np.float64]:
    """A column of amounts as an array; NaN where there is none, or none that can be one.

    Args:
        values: The column; may be empty.
        length: How long it is where it is empty.
    """
    return _possible(values) if values else np.full(length, np.nan)


@remembered(4)  # several signals count tokens
def _possible(values: Sequence[float | None]) -> NDArray[np.float64]:
    found = as_numbers(values)
    return np.where((found >= 0) & (found <= _MOST), found, np.nan)


def token_numbers(batch: Batch) -> Numbers:
    """Tokens of each trace: reported ones, and an estimate where they aren't reported.

    The estimate of the input counts the conversation so far, or else the system prompt and the
    question; tools that were offered to the model and passages outside of both are not in it.
    """
    n = len(batch)
    read, written = amounts(batch.input_tokens, n), amounts(batch.output_tokens, n)
    guessed, guessed_out = np.full(n, np.nan), np.full(n, np.nan)
    for row in np.flatnonzero(np.isnan(read)).tolist():
        guessed[row] = _characters_read(batch, row)
    for row in np.flatnonzero(np.isnan(written)).tolist():
        if (text := batch.output[row]) is not None:
            guessed_out[row] = len(text)
    return {
        "input_tokens": read,
        "output_tokens": written,
        "input_estimate": guessed / CHARACTERS_A_TOKEN,
        "output_estimate": guessed_out / CHARACTERS_A_TOKEN,
    }


def chosen(
    reported: NDArray[np.float64], estimate: NDArray[np.float64]
) -> tuple[NDArray[np.float64], bool]:
    """Tokens to count with, and whether they are estimates.

    Reported ones where at least half of the traces have them (the rest is left out); otherwise
    estimates for all that have none.
    """
    if 2 * int(np.isfinite(reported).sum()) >= len(reported):
        return reported, False
    return np.where(np.isnan(reported), estimate, reported), True


def _characters_read(batch: Batch, row: int) -> float:
    system = batch.system[row] if batch.system else None
    turns: Sequence[Message] | None = batch.messages[row] if batch.messages else None
    if turns is not None and len(turns):
        told = sum(len(turn.content) for turn in turns)
        apart = system is not None and not any(turn.role == "system" for turn in turns)
        return float(told + (len(system or "") if apart else 0))
    asked = batch.input[row] if batch.input else None
    if system is None and asked is None:
        return float("nan")
    return float(len(system or "") + len(asked or ""))
