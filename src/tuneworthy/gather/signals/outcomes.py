"""What scores say, and what stands or falls together: shared by the signals that read scores."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.domain.traces import Batch
from tuneworthy.gather.personal.mask import without_secrets
from tuneworthy.gather.signals.base import Table, as_numbers
from tuneworthy.texts.memory import remembered

if TYPE_CHECKING:
    from numpy.typing import NDArray

RIGHT_FROM = 0.5
"""A score from this on counts as right; below, as wrong."""

_GOOD = (
    "yes true pass passed correct right good great positive up thumbs_up thumbsup like liked "
    "helpful success successful resolved satisfied accepted"
)
_BAD = (
    "no false fail failed incorrect wrong bad poor negative down thumbs_down thumbsdown dislike "
    "disliked unhelpful failure unsuccessful unresolved dissatisfied rejected"
)
_IN_WORDS = dict.fromkeys(_GOOD.split(), 1.0) | dict.fromkeys(_BAD.split(), 0.0)


def scores_of(batch: Batch) -> NDArray[np.float64]:
    """The score of each trace; where there is none, 1 or 0 by its label.

    Labels are read by a closed list of English words; a label in another word counts as none.

    Returns:
        One number a trace on whatever scale it was given; NaN where there is none.
    """
    size = len(batch)
    scores = _numbers(batch.score) if batch.score else np.full(size, np.nan)
    if batch.label:
        by_label = as_numbers(None if each is None else _in_words(each) for each in batch.label)
        scores = np.where(np.isnan(scores), by_label, scores)
    return scores


@remembered(1)
def _numbers(values: Sequence[float | None]) -> NDArray[np.float64]:
    return as_numbers(values)


def on_scale(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores between 0 and 1; NaN where there is none, or one on another scale."""
    return np.where((scores >= 0) & (scores <= 1), scores, np.nan)


def right(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """1.0 for a right answer, 0.0 for a wrong one; NaN stays."""
    return np.where(np.isnan(scores), np.nan, (scores >= RIGHT_FROM) * 1.0)


def case_numbers(batch: Batch) -> NDArray[np.float64]:
    """A number for each test case, the same in every batch; NaN for a trace without one.

    48 bits of a hash: among a million cases two meet with a chance of one in six hundred.
    """
    if not batch.case:
        return np.full(len(batch), np.nan)
    return as_numbers(None if case is None else _number(case) for case in batch.case)


def clusters(table: Table, cases: NDArray[np.float64]) -> NDArray[np.int64]:
    """What stands or falls together: the test case where there is one, else the conversation.

    Trials of one task are no independent tasks.
    """
    names = np.where(np.isnan(cases), -1.0 - table.conversation, cases)
    members: NDArray[np.int64] = np.unique(names, return_inverse=True)[1].astype(np.int64)
    return members


def shown(text: str, longest: int = 120) -> str:
    """A text of the data that a record can hold: no secret, cut, half surrogate pairs replaced."""
    text = without_secrets(text)
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return cut.encode("utf-8", "replace").decode()


@lru_cache(maxsize=4096)
def _in_words(label: str) -> float | None:
    """What a label says."""
    return _IN_WORDS.get(label[:40].strip().casefold().replace(" ", "_").replace("-", "_"))


@lru_cache(maxsize=65_536)
def _number(case: str) -> float:
    digest = hashlib.blake2b(case.encode("utf-8", "surrogatepass"), digest_size=6).digest()
    return float(int.from_bytes(digest, "big"))
