"""Texts of a batch as one run of bytes, so that all of them are looked at in one go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tuneworthy.texts.memory import remembered
from tuneworthy.texts.needle import BETWEEN, as_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray


_BEHIND = 64
SPACES = np.array([chr(byte).isspace() or byte >= 0x80 for byte in range(256)])
"""Bytes that a space may begin with, by their number."""


class Joined:
    """Texts as UTF-8, with ``BETWEEN`` between them.

    Args:
        texts: Any texts; None counts as an empty one. Half a surrogate pair, as broken JSON has it,
            is three bytes of its own.
    """

    def __init__(self, texts: Sequence[str | None]) -> None:
        self.there: NDArray[np.bool_] = np.ones(len(texts), dtype=bool)
        """Which are not None."""
        try:
            whole = "\n".join(texts)  # type: ignore[arg-type]  # says so itself where one is None
            self._texts: Sequence[str] = texts  # type: ignore[assignment]  # none of them is None
        except TypeError:
            self.there = np.array([text is not None for text in texts], dtype=bool)
            self._texts = [text or "" for text in texts]
            whole = "\n".join(self._texts)
        if whole.isascii():  # as most are: a text has as many bytes as characters
            self.plain: NDArray[np.bool_] = np.ones(len(texts), dtype=bool)
            """Which are nothing but ASCII."""
            sizes: Iterable[int] = map(len, self._texts)
        else:
            self.plain = np.fromiter(map(str.isascii, self._texts), bool, len(texts))
            sizes = (len(text) if text.isascii() else len(as_bytes(text)) for text in self._texts)
        self.lengths: NDArray[np.int64] = np.fromiter(sizes, np.int64, len(texts))
        """Bytes of each text."""
        self.ends: NDArray[np.int64] = np.cumsum(self.lengths + 1) - 1
        """Where each text ends."""
        self.data = bytearray(as_bytes(whole)) + bytes(_BEHIND)
        """All texts, and zeros behind the last."""
        self._bytes: NDArray[np.uint8] = np.frombuffer(self.data, dtype=np.uint8)
        self._bytes[self.ends[:-1]] = BETWEEN[0]

    def __len__(self) -> int:
        return len(self.lengths)

    def one(self, row: int) -> bytes:
        """A text as UTF-8."""
        end = int(self.ends[row])
        return bytes(self.data[end - int(self.lengths[row]) : end])

    def opening(self, most: int) -> NDArray[np.uint8]:
        """The first bytes of each text, a row each; zeros behind the end of a shorter one.

        Args:
            most: How many; 64 at most.
        """
        every = as_strided(self._bytes, (len(self._bytes) - most + 1, most), (1, 1))
        found: NDArray[np.uint8] = every[self.ends - self.lengths]
        short = np.flatnonzero(self.lengths < most)
        found[short] *= np.arange(most) < self.lengths[short, None]
        return found

    def holding(self, piece: bytes) -> NDArray[np.bool_]:
        """Which texts hold some bytes."""
        held = np.zeros(len(self), dtype=bool)
        # One byte is looked for far quicker than several, and mostly it isn't there.
        at = self.data.find(piece, self.data.find(piece[:1])) if piece[:1] in self.data else -1
        while at >= 0:
            row = int(np.searchsorted(self.ends, at))
            held[row] = True
            at = self.data.find(piece, int(self.ends[row]))
        return held

    @cached_property
    def first(self) -> NDArray[np.uint8]:
        """The first byte of each text; 0 for an empty one."""
        return self.opening(1)[:, 0]

    @cached_property
    def blank(self) -> NDArray[np.bool_]:
        """Which texts are empty or nothing but spaces."""
        blank: NDArray[np.bool_] = self.lengths == 0
        for row in np.flatnonzero(~blank & SPACES[self.first]).tolist():
            blank[row] = self._texts[row].isspace()
        return blank


@remembered(4)  # outputs and inputs of a batch, which several signals look through
def joined(texts: Sequence[str | None]) -> Joined:
    """Texts as one run of bytes."""
    return Joined(texts)
