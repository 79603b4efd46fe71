"""A sample of traces for what is too dear to do to all of them, and texts as vectors.

Whole conversations, by the smallest hash of their names: which are drawn depends on nothing but the
names, so any way of reading the same traces gives the same sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tuneworthy.model.evidence import COLUMNS, Batch

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRACES = 2_000
"""Traces of a sample, at most."""

CHARACTERS = 16 << 20
"""Characters of a sample, at most; its system prompts are not counted, as they are shared."""

LONGEST_TEXT = 20_000
"""Characters that are kept of one text."""

MODEL = "wordllama l2_supercat_256"
LONGEST = 2_000
"""Characters of a text that are embedded."""

_MOST_TURNS = 100  # the newest messages, and the first passages and calls, are kept
_TEXTS = frozenset({"output", "input", "reference", "error", "label"})
_LISTS = frozenset({"messages", "contexts", "tool_calls"})


class _Trace(NamedTuple):
    """A trace of the sample; key and row are its place in the order of the draw."""

    key: int
    row: int
    size: int
    cut: int
    values: dict[str, Any]


class Sample:
    """Draws traces while they are read.

    Args:
        traces: The most it keeps; ``TRACES`` for None.
        characters: The most of all their texts together; ``CHARACTERS`` for None.
    """

    def __init__(self, traces: int | None = None, characters: int | None = None) -> None:
        self._traces = TRACES if traces is None else traces
        self._characters = CHARACTERS if characters is None else characters
        self._shrunk_at = self._traces + self._traces // 4  # often: what is out is not taken again
        self._kept: list[_Trace] = []
        self._size = 0
        self._limit: int | None = None  # the smallest hash that is too large

    def add(self, batch: Batch, keys: NDArray[np.uint64], first_row: int) -> None:
        """Look at more traces: ``keys`` are the hashes of their conversations."""
        rows: Sequence[int] = range(len(keys))
        if self._limit is not None:
            rows = np.flatnonzero(keys < np.uint64(self._limit)).tolist()
        columns = {name: values for name in COLUMNS if (values := getattr(batch, name))}
        for row in rows:
            kept = {name: _shortened(name, values[row]) for name, values in columns.items()}
            size, cut = (sum(each[at] for each in kept.values()) for at in (1, 2))
            values = {name: value for name, (value, *_) in kept.items()}
            self._kept.append(_Trace(int(keys[row]), first_row + row, size, cut, values))
            self._size += size
            if len(self._kept) > self._shrunk_at or self._size > 2 * self._characters:
                self._shrink()

    def batch(self) -> tuple[Batch, int]:
        """The sample in the order of reading, and how many of its texts were cut.

        A conversation that doesn't fit whole is left out, unless it is the only one.
        """
        self._shrink()
        whole = [trace for trace in self._kept if trace.key != self._limit]
        kept = sorted(whole or self._kept, key=attrgetter("row"))
        sample = Batch()
        for name in COLUMNS:
            values = [trace.values.get(name) for trace in kept]
            if name == "output" or any(value is not None for value in values):
                setattr(sample, name, values)
        return sample, sum(trace.cut for trace in kept)

    def _shrink(self) -> None:
        """Keep what comes first in the order of the draw, as much as there is room for.

        What is dropped can never come back: more traces only push others further behind.
        """
        self._kept.sort(key=attrgetter("key", "row"))
        size = 0
        for place, trace in enumerate(self._kept):
            if place == self._traces or (place and size + trace.size > self._characters):
                self._limit = trace.key
                del self._kept[place:]
                break
            size += trace.size
        self._size = size


def _shortened(name: str, value: Any) -> tuple[Any, int, int]:
    """What is kept of a value, its characters, and 1 where it was cut."""
    if value is None or name not in _TEXTS | _LISTS:
        return value, 0, 0
    if name in _TEXTS:
        text = value[:LONGEST_TEXT]
        return text, len(text), int(len(text) < len(value))
    some = value[-_MOST_TURNS:] if name == "messages" else value[:_MOST_TURNS]
    if name == "contexts":
        texts = kept = tuple(text[:LONGEST_TEXT] for text in some)
    else:  # messages and calls of tools, with their text in second place
        kept = tuple(type(each)(each[0], each[1][:LONGEST_TEXT]) for each in some)
        texts = tuple(each[1] for each in kept)
    whole = len(value) == len(kept) and max(map(len, texts), default=0) < LONGEST_TEXT
    return kept, sum(map(len, texts)), int(not whole and kept != tuple(value))


def embed(texts: Sequence[str]) -> NDArray[np.float32] | None:
    """Unit vectors by a small model that lies inside its package: a product is a cosine.

    A row is of zeros where a text has no word the model knows; None where the package isn't
    installed.
    """
    model = _model()
    if model is None:
        return None
    if not texts:
        return np.zeros((0, 1), dtype=np.float32)
    # half a pair of UTF-16 is no text that a tokenizer takes
    clean = [text[:LONGEST].encode("utf-8", "replace").decode() or " " for text in texts]
    # The model takes some texts at a time, each as long as the longest of them.
    order = sorted(range(len(clean)), key=lambda row: len(clean[row]))
    vectors = np.nan_to_num(model.embed([clean[row] for row in order]))[np.argsort(order)]
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1.0), dtype=np.float32)


@lru_cache(maxsize=1)
def _model() -> Any:
    try:
        import wordllama
    except ImportError:
        return None
    folder = Path(wordllama.__file__).parent
    return wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
