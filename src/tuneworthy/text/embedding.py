"""Texts as vectors, by a table of word pieces in ``wordllama/``.

The table and the list of pieces are wordllama's; ``tools/vendor.py`` takes them from its release
and compares the vectors of this module with it. Its own package would bring a tokenizer with a
client that downloads models.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

MODEL = "wordllama l2_supercat_256"  #: The name of the table where it comes from.
LONGEST = 2_000  #: Characters of a text that are embedded.

_FOLDER = Path(__file__).parent / "wordllama"
_SPACE = "\u2581"  #: Stands for a space in pieces.
_WORD = re.compile(f"{_SPACE}+[^{_SPACE}]*")
_MARKS = re.compile("(<unk>|<s>|</s>)")  #: Pieces of their own wherever they stand.
_MOST_WORDS = 1 << 16  #: Words that are remembered.
_MOST_LETTERS = 64  #: Letters of a word that is remembered.


_Pair = tuple[int, int, str, str]
"""Two neighbors that may be merged: their rank in the list of merges, the place of the left one, and
both pieces. The smallest is merged first."""


class Tokenizer:
    """Cuts a text into the pieces of a vocabulary, by merging letters (byte pair encoding).

    The pair of neighbors that comes first in the list of merges is merged first; of several equal
    pairs, the leftmost. No piece crosses the beginning of a word, so each word is cut separately. A
    letter without a piece is cut into its bytes.
    """

    def __init__(self, vocabulary: dict[str, int], merges: Sequence[str]) -> None:
        self._ids = vocabulary
        #: The place of each pair in the list of merges, by both pieces with a space between.
        self._ranks = {merge: rank for rank, merge in enumerate(merges)}
        self._known: dict[str, list[int]] = {}  #: The numbers of words that were cut.

    def pieces(self, text: str) -> list[int]:
        """The numbers of a text's pieces, in their order."""
        numbers: list[int] = []
        for part in _MARKS.split(text):
            if _MARKS.fullmatch(part):
                numbers.append(self._ids[part])
            elif part:
                spaced = _SPACE + part.replace(" ", _SPACE)
                for word in _WORD.findall(spaced):
                    numbers += self._known.get(word) or self._cut(word)
        return numbers

    def _cut(self, word: str) -> list[int]:
        """The numbers of a word's pieces; those of short words are remembered."""
        letters: list[str] = []
        for letter in word:
            letters += self._letter_pieces(letter)
        numbers = [self._ids[piece] for piece in self._merge_pieces(letters)]
        if len(word) <= _MOST_LETTERS:
            if len(self._known) >= _MOST_WORDS:
                self._known.clear()
            self._known[word] = numbers
        return numbers

    def _letter_pieces(self, letter: str) -> Sequence[str]:
        """A letter as the piece that it is, else its bytes as pieces."""
        if letter in self._ids:
            return (letter,)
        return [f"<0x{byte:02X}>" for byte in letter.encode()]

    def _merge_pieces(self, pieces: list[str]) -> list[str]:
        """Merge neighbors until no pair is in the list.

        A merged piece takes the place of its left half, and the place of the right half stays
        empty. So a pair that waits is recognized as gone by the pieces at its places.
        """
        end = len(pieces)
        following = list(range(1, end + 1))  # the place of each piece's right neighbor
        preceding = list(range(-1, end - 1))  # and of its left one
        waiting: list[_Pair] = []
        for place, (left, right) in enumerate(pairwise(pieces)):
            self._push(waiting, place, left, right)
        while waiting:
            _, place, left, right = heapq.heappop(waiting)
            second = following[place]
            is_there = second < end and pieces[second] == right
            if not is_there or pieces[place] != left:
                continue  # one of the two was merged with another meanwhile
            pieces[place] = left + right
            pieces[second] = ""
            following[place] = following[second]
            if following[place] < end:
                preceding[following[place]] = place
            # the merged piece makes new pairs with both of its neighbors
            for first in (preceding[place], place):
                if first >= 0 and following[first] < end:
                    self._push(waiting, first, pieces[first], pieces[following[first]])
        return [piece for piece in pieces if piece]

    def _push(self, waiting: list[_Pair], place: int, left: str, right: str) -> None:
        """Let a pair wait for its turn, if it is in the list of merges."""
        rank = self._ranks.get(f"{left} {right}")
        if rank is not None:
            heapq.heappush(waiting, (rank, place, left, right))


class PieceVectors:
    """The vectors of pieces in a folder, in single precision once they are used."""

    def __init__(self, folder: Path) -> None:
        # Whole numbers of steps. Only the pages with used rows are read from the disk.
        self._file = np.load(folder / "vectors.npy", mmap_mode="r")
        self._steps = np.load(folder / "steps.npy").astype(np.float32)
        self._single: Vectors = np.empty(self._file.shape, np.float32)
        self._is_read = np.zeros(len(self._file), bool)
        self.width = int(self._file.shape[1])

    def rows(self, numbers: Sequence[int]) -> Vectors:
        """The vectors of some pieces, a row for each."""
        places = np.array(numbers, np.intp)
        new = places[~self._is_read[places]]
        self._single[new] = self._file[new] * self._steps[new, np.newaxis]
        self._is_read[new] = True
        return self._single[places]


@lru_cache(maxsize=1)
def tokenizer() -> Tokenizer:
    """The tokenizer for the pieces of the table."""
    import msgspec  # only embedding needs it, and a decision embeds nothing

    data = (_FOLDER / "tokenizer.json").read_bytes()
    model = msgspec.json.decode(data)["model"]
    return Tokenizer(model["vocab"], model["merges"])


@lru_cache(maxsize=1)
def _piece_vectors() -> PieceVectors:
    return PieceVectors(_FOLDER)


def mean_vectors(texts: Iterable[str]) -> Vectors:
    """The mean vector of each text's pieces, a row for each text; zeros without any piece."""
    vectors = _piece_vectors()
    cut = tokenizer()
    rows: list[Vectors] = []
    for text in texts:
        numbers = cut.pieces(text)
        if numbers:
            rows.append(vectors.rows(numbers).mean(axis=0))
        else:
            rows.append(np.zeros(vectors.width, np.float32))
    # Also without texts, it has a column for each number of a vector.
    return np.array(rows, dtype=np.float32).reshape(-1, vectors.width)


def embed(texts: Sequence[str]) -> Vectors:
    """Unit vectors, a row for each text, so that the product of two is a cosine.

    Only the opening of a text counts. A row is zero where a text has no piece in the table.
    """
    openings: list[str] = []
    for text in texts:
        # Half a UTF-16 pair has no bytes, and an empty text has no pieces.
        opening = text[:LONGEST].encode("utf-8", "replace").decode()
        openings.append(opening or " ")
    vectors = mean_vectors(openings)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    # Dividing zeros by one leaves them zeros.
    divisors = np.where(lengths > 0, lengths, 1.0)
    return np.asarray(vectors / divisors, dtype=np.float32)
