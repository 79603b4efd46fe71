"""A sample of traces for what is too dear to do to all of them.

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

from tuneworthy.model.evidence import COLUMNS, Batch, Message, ToolCall

if TYPE_CHECKING:
    from numpy.typing import NDArray


# A sample of traces for what is too dear to do to all of them.

TRACES = 2_000
"""Traces of a sample, at most."""

CHARACTERS = 16 << 20
"""Characters of a sample, at most; its system prompts are not counted, as they are shared."""

LONGEST_TEXT = 20_000
"""Characters that are kept of one text."""

_MOST_TURNS = 100  # the newest messages, and the first passages and calls, are kept

_TEXTS = frozenset({"output", "input", "reference", "error", "label"})


class _Trace(NamedTuple):
    """A trace of the sample; the order of them is that of the draw."""

    key: int
    row: int
    size: int
    cut: int
    names: tuple[str, ...]
    values: tuple[Any, ...]
    """What the trace has, by ``names``."""


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
        """Look at more traces.

        Args:
            batch: The traces.
            keys: The hash of the conversation of each.
            first_row: Place of the first of them among all traces.
        """
        drawn = range(len(keys)) if self._limit is None else self._within(keys, self._limit)
        if not drawn:
            return
        named = {name: values for name in COLUMNS if (values := getattr(batch, name))}
        sizes, cut = np.zeros((2, len(drawn)), dtype=np.int64)
        columns = [
            _kept(name, [values[row] for row in drawn], sizes, cut)
            for name, values in named.items()
        ]
        names, places = tuple(named), [first_row + row for row in drawn]
        found = keys[list(drawn)].tolist(), places, sizes.tolist(), cut.tolist()
        for key, row, size, n, values in zip(*found, zip(*columns, strict=True), strict=True):
            self._kept.append(_Trace(key, row, size, n, names, values))
            self._size += size
            if len(self._kept) > self._shrunk_at or self._size > 2 * self._characters:
                self._shrink()

    def batch(self) -> tuple[Batch, int]:
        """The sample in the order of reading, and how many of its texts were cut.

        A conversation that doesn't fit whole is left out, unless it is the only one.
        """
        self._shrink()
        whole = [trace for trace in self._kept if trace.key != self._limit]
        kept = sorted(whole or self._kept, key=lambda trace: trace.row)
        sample = Batch()
        had = [dict(zip(trace.names, trace.values, strict=True)) for trace in kept]
        for name in COLUMNS:
            values = [each.get(name) for each in had]
            if name == "output" or any(value is not None for value in values):
                setattr(sample, name, values)
        return sample, sum(trace.cut for trace in kept)

    @staticmethod
    def _within(keys: NDArray[np.uint64], limit: int) -> Sequence[int]:
        found: list[int] = np.flatnonzero(keys < np.uint64(limit)).tolist()
        return found

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


def _kept(
    name: str, values: list[Any], sizes: NDArray[np.int64], cut: NDArray[np.int64]
) -> list[Any]:
    """Values of a column as they are kept; their characters and cuts are added up."""
    if name in _TEXTS:
        lengths = np.array([len(text) if text else 0 for text in values], dtype=np.int64)
        long = np.flatnonzero(lengths > LONGEST_TEXT)
        for place in long.tolist():
            values[place] = values[place][:LONGEST_TEXT]
        sizes += np.minimum(lengths, LONGEST_TEXT)
        cut[long] += 1
    elif name in _LISTS:
        shorten = _LISTS[name]
        for place, some in enumerate(values):
            if some is not None:
                values[place], size, shortened = shorten(some)
                sizes[place] += size
                cut[place] += shortened
    return values


def _turns(turns: Sequence[Message]) -> tuple[Sequence[Message], int, bool]:
    """The newest turns, as plain ones."""
    newest = list(turns[-_MOST_TURNS:])
    lengths = [len(turn[1]) for turn in newest]
    if len(turns) <= _MOST_TURNS and max(lengths, default=0) <= LONGEST_TEXT:
        return tuple(newest), sum(lengths), False
    cut = tuple(Message(role, content[:LONGEST_TEXT]) for role, content in newest)
    return cut, sum(len(turn.content) for turn in cut), True


def _passages(passages: Sequence[str]) -> tuple[Sequence[str], int, bool]:
    """The first passages, as plain ones."""
    some = tuple(passages[:_MOST_TURNS])
    lengths = list(map(len, some))
    if len(passages) <= _MOST_TURNS and max(lengths, default=0) <= LONGEST_TEXT:
        return some, sum(lengths), False
    cut = tuple(text[:LONGEST_TEXT] for text in some)
    return cut, sum(map(len, cut)), True


def _calls(calls: Sequence[ToolCall]) -> tuple[Sequence[ToolCall], int, bool]:
    """The first calls of tools."""
    some = tuple(calls[:_MOST_TURNS])
    lengths = [len(call.arguments) for call in some]
    if len(calls) <= _MOST_TURNS and max(lengths, default=0) <= LONGEST_TEXT:
        return some, sum(lengths), False
    cut = tuple(ToolCall(call.name, call.arguments[:LONGEST_TEXT]) for call in some)
    return cut, sum(len(call.arguments) for call in cut), True


_LISTS: dict[str, Any] = {"messages": _turns, "contexts": _passages, "tool_calls": _calls}


# Texts as vectors, by a small model that is inside its package: nothing is fetched.

MODEL = "wordllama l2_supercat_256"
LONGEST = 2_000
"""Characters of a text that are looked at."""


def embed(texts: Sequence[str]) -> NDArray[np.float32] | None:
    """Unit vectors, so that a product is a cosine.

    Returns:
        One row a text, of zeros where it has no word the model knows; None where the package isn't
        installed.
    """
    model = _model()
    if model is None:
        return None
    if not texts:
        return np.zeros((0, 1), dtype=np.float32)
    # half a pair of UTF-16 is no text that a tokenizer takes
    clean = [each[:LONGEST].encode("utf-8", "replace").decode() or " " for each in texts]
    # The model takes some texts at a time, each as long as the longest of them.
    order = sorted(range(len(clean)), key=lambda row: len(clean[row]))
    found = np.nan_to_num(model.embed([clean[row] for row in order]))[np.argsort(order)]
    length = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(found / np.where(length > 0, length, 1.0), dtype=np.float32)


@lru_cache(maxsize=1)
def _model() -> Any:
    try:
        import wordllama
    except ImportError:
        return None
    folder = Path(wordllama.__file__).parent
    return wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
