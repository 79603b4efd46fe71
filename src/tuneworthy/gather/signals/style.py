"""How a text is written, whatever it is about: rates of small words, sentences, punctuation.

The distance is Burrows's Delta (2002): each rate standardised by its spread among the samples, and
the mean of the absolute differences from the samples' middle. Rates of short texts scatter more, so
samples and outputs are first cut into pieces of the same number of words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIECE_WORDS = 60
"""Words of a piece."""

_SMALL = (
    "the", "a", "an", "and", "or", "but", "so", "if", "of", "in", "on", "at", "to", "for", "with",
    "from", "by", "as", "it", "this", "that", "these", "you", "your", "we", "our", "us", "i", "my",
    "me", "is", "are", "be", "was", "have", "has", "can", "could", "will", "would", "may", "should",
    "do", "not", "no", "just", "very", "please", "there", "any", "all", "more", "here", "what",
)  # fmt: skip
_MARKS = (",", ";", ":", "!", "?", "—", "(", "…", "*", "\n")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_SENTENCE = re.compile(r"[.!?]+(?=\s|\Z)")

FEATURES = len(_SMALL) + len(_MARKS) + 4
"""Numbers that describe a piece."""


def pieces(texts: Iterable[str]) -> Iterator[str]:
    """Texts put end to end and cut into pieces of ``PIECE_WORDS`` words.

    Args:
        texts: Texts of one writer.

    Yields:
        Whole pieces; what is left at the end is left out, so a few words give none.
    """
    whole = " ".join(texts)
    start = 0
    for n, match in enumerate(_WORD.finditer(whole), start=1):
        if n % PIECE_WORDS == 0:
            stop = match.end()
            while stop < len(whole) and not whole[stop].isalnum() and not whole[stop].isspace():
                stop += 1  # punctuation belongs to the word before
            yield whole[start:stop]
            start = stop


def features(piece: str) -> NDArray[np.float64]:
    """What describes a piece: rates a word, mean lengths of word and sentence.

    Returns:
        ``FEATURES`` numbers; zeros for a text without a word.
    """
    words = [word.replace("’", "'") for word in _WORD.findall(piece.casefold())]
    if not words:
        return np.zeros(FEATURES)
    n, counts = len(words), Counter(words)
    contracted = sum("'" in word for word in words)
    sentences = max(1, len(_SENTENCE.findall(piece)))
    values = [counts[word] / n for word in _SMALL]
    values += [piece.count(mark) / n for mark in _MARKS]
    values += [
        contracted / n,
        sum(map(len, words)) / n / 50,
        1 / sentences,
        sum(letter.isupper() for letter in piece) / max(1, len(piece)),
    ]
    return np.array(values)


class Style:
    """The way some samples are written.

    Args:
        samples: Texts that sound right, two or more of them with a piece each.
    """

    def __init__(self, samples: Sequence[str]) -> None:
        cut = [[features(piece) for piece in pieces([text])] for text in samples]
        self._cut = [np.array(each) for each in cut if each]

    def __len__(self) -> int:
        """Samples long enough for a piece."""
        return len(self._cut)

    def among_themselves(self) -> NDArray[np.float64]:
        """For each sample the mean distance of its pieces from all the others."""
        means = []
        for left_out, own in enumerate(self._cut):
            others = np.concatenate([each for k, each in enumerate(self._cut) if k != left_out])
            means.append(_delta(own, others).mean())
        return np.array(means)

    def distances(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """The distance of each piece of one writer's texts from the samples; none for few words."""
        found = np.array([features(piece) for piece in pieces(texts)])
        return _delta(found, np.concatenate(self._cut)) if len(found) else np.empty(0)


def _delta(found: NDArray[np.float64], usual: NDArray[np.float64]) -> NDArray[np.float64]:
    """Burrows's Delta of each row; a rate that is rare in the samples has the spread of a count."""
    middle = usual.mean(axis=0)
    counted = np.sqrt((middle + 1 / PIECE_WORDS) / PIECE_WORDS)
    spread = np.maximum(usual.std(axis=0), counted)
    return np.asarray(np.mean(np.abs(found - middle) / spread, axis=1))
