"""Texts as vectors, by a table of word pieces that lies beside this in ``wordllama/``.

The table and the list of pieces are wordllama's; ``tools/vendor.py`` takes them from its release
and holds the vectors of this module against it. Its own package would bring a tokenizer with a
client that downloads models.
"""

from __future__ import annotations

import heapq
import json
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

MODEL = "wordllama l2_supercat_256"  #: What the table is called where it comes from.
LONGEST = 2_000  #: Characters of a text that are embedded.

_FOLDER = Path(__file__).parent / "wordllama"
_SPACE = "\u2581"  # stands for a space in pieces
_WORD = re.compile(f"{_SPACE}+[^{_SPACE}]*")
_MARKS = re.compile("(<unk>|<s>|</s>)")  # pieces of their own wherever they stand
_MOST_WORDS = 1 << 16  # that are remembered
_MOST_LETTERS = 64  # of a word that is remembered


class Tokenizer:
    """Cuts a text into the pieces of a vocabulary, by merging letters (byte pair encoding).

    The pair of neighbours that comes first in the list of merges is merged first, the leftmost of
    several. No piece goes over the beginning of a word, so that each word is cut by itself. A
    letter without a piece is cut into its bytes.
    """

    def __init__(self, vocabulary: dict[str, int], merges: Sequence[str]) -> None:
        self._ids = vocabulary
        self._bytes = [vocabulary[f"<0x{byte:02X}>"] for byte in range(256)]
        self._merges: dict[tuple[int, int], tuple[int, int]] = {}
        for rank, merge in enumerate(merges):
            left, _, right = merge.partition(" ")
            pair = (vocabulary[left], vocabulary[right])
            self._merges[pair] = (rank, vocabulary[left + right])
        self._known: dict[str, list[int]] = {}

    def pieces(self, text: str) -> list[int]:
        """The numbers of a text's pieces, in their order."""
        numbers: list[int] = []
        for part in _MARKS.split(text):
            if _MARKS.fullmatch(part):
                numbers.append(self._ids[part])
            elif part:
                spaced = _SPACE + part.replace(" ", _SPACE)
                for word in _WORD.findall(spaced):
                    numbers += self._known.get(word) or self._of_word(word)
        return numbers

    def _of_word(self, word: str) -> list[int]:
        numbers = self._merged(list(chain.from_iterable(map(self._of_letter, word))))
        if len(word) <= _MOST_LETTERS:
            if len(self._known) >= _MOST_WORDS:
                self._known.clear()
            self._known[word] = numbers
        return numbers

    def _of_letter(self, letter: str) -> Sequence[int]:
        number = self._ids.get(letter)
        if number is not None:
            return (number,)
        return [self._bytes[byte] for byte in letter.encode()]

    def _merged(self, numbers: list[int]) -> list[int]:
        """Merge neighbours until no pair is in the list.

        A merged piece stays at the place of its left half, and the place of the right one is -1.
        """
        behind = list(range(1, len(numbers) + 1))
        before = list(range(-1, len(numbers) - 1))
        waiting: list[
            tuple[int, int, int, int]
        ] = []  # rank, place, and the pieces that it is of
        for place, (left, right) in enumerate(pairwise(numbers)):
            if (left, right) in self._merges:
                waiting.append((self._merges[left, right][0], place, left, right))
        heapq.heapify(waiting)
        while waiting:
            _, place, left, right = heapq.heappop(waiting)
            second = behind[place]
            if second == len(numbers) or (numbers[place], numbers[second]) != (
                left,
                right,
            ):
                continue  # one of the two was merged with another meanwhile
            numbers[place] = self._merges[left, right][1]
            numbers[second] = -1
            behind[place] = behind[second]
            if behind[place] < len(numbers):
                before[behind[place]] = place
            for first in (before[place], place):
                if first < 0 or behind[first] == len(numbers):
                    continue
                pair = (numbers[first], numbers[behind[first]])
                if pair in self._merges:
                    heapq.heappush(waiting, (self._merges[pair][0], first, *pair))
        return [number for number in numbers if number >= 0]


@lru_cache(maxsize=1)
def tokenizer() -> Tokenizer:
    """The tokenizer whose pieces the table is of."""
    model = json.loads((_FOLDER / "tokenizer.json").read_text("utf-8"))["model"]
    return Tokenizer(model["vocab"], model["merges"])


@lru_cache(maxsize=1)
def table() -> Vectors:
    """A vector for each piece, a row each."""
    return np.asarray(np.load(_FOLDER / "vectors.npy"), dtype=np.float32)


def mean_vectors(texts: Iterable[str]) -> Vectors:
    """The mean of the vectors of each text's pieces, a row a text; zeros for one without any."""
    vectors = table()
    cut = tokenizer()
    rows = []
    for text in texts:
        numbers = cut.pieces(text)
        rows.append(
            vectors[numbers].mean(axis=0) if numbers else np.zeros_like(vectors[0])
        )
    return np.array(rows, dtype=np.float32).reshape(-1, vectors.shape[1])


def embed(texts: Sequence[str]) -> Vectors:
    """Unit vectors, a row a text: a product of two is a cosine. Only the opening of a text counts.

    A row is of zeros where a text has no piece that the table knows.
    """
    # Half a pair of UTF-16 has no bytes, and a text of nothing no pieces.
    openings = (
        text[:LONGEST].encode("utf-8", "replace").decode() or " " for text in texts
    )
    vectors = mean_vectors(openings)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1.0), dtype=np.float32)
