"""Which texts are near copies of an earlier one, by runs of three words.

The cost of bands: two texts at exactly 0.8 share no band once in a hundred times, and of a band
that many texts share each is compared with its first text and its last three neighbours only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Places = NDArray[np.int64]
    Signatures = NDArray[np.uint32]

Run = tuple[str, ...]

ALIKE = 0.8
"""Share of three-word runs in common from which texts are copies; the lesson's ``near_copy``."""

BANDS, ROWS = 12, 5
"""Two texts meet in one of 12 bands of 5 places: with a chance of 0.99 at 0.8, 0.32 at 0.5."""

PLACES = BANDS * ROWS
"""Length of a signature; similarity is known to about 0.05 (one standard error at 0.8)."""

LONGEST = 20_000
"""Characters of a text that are compared."""

_SEED = 20_261_124
_PAIRS = 1 << 16  # pairs compared at once
_WEIGHTS = np.array(
    (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xBF58476D1CE4E5B9, 1), np.uint64
)
_LETTERS = bytes(code if code >= 128 or chr(code).isalnum() else 32 for code in range(256))
_IDEOGRAPH = re.compile("([\u3000-\U0010ffff])")  # each is a word or a syllable
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


def runs_of(words: Sequence[str]) -> frozenset[Run]:
    """Runs of three words; fewer words are one run."""
    return frozenset(zip(words, words[1:], words[2:], strict=False)) or frozenset({tuple(words)})


def jaccard(left: frozenset[Run], right: frozenset[Run]) -> float:
    """The share of runs in common; 1 for two empty sets."""
    both = len(left | right)
    return len(left & right) / both if both else 1.0


def similar_groups(texts: Sequence[frozenset[Run]], near_copy: float) -> list[list[frozenset[Run]]]:
    """A few texts in groups of near copies; copies of copies join one group."""
    groups: list[list[frozenset[Run]]] = []
    for text in texts:
        near = [g for g in groups if any(jaccard(text, other) >= near_copy for other in g)]
        groups = [g for g in groups if g not in near]
        groups.append([text, *chain.from_iterable(near)])
    return groups


def distinct_prompts(texts: Sequence[str], near_copy: float) -> int:
    """How many prompts are left when near copies count once, front matter and case aside."""
    words = (re.findall(r"\w+", _FRONT_MATTER.sub("", text).casefold()) for text in texts)
    return len(similar_groups([*map(runs_of, words)], near_copy))


def compared_text(question: str | None, answer: str | None) -> str | None:
    """The text of a trace that is compared; None for a trace without an answer."""
    return None if answer is None else f"{question or ''}\n{answer}"


def signatures(texts: Sequence[str | None], first_row: int = 0) -> Signatures:
    """MinHash signatures by ``rensa``, a row a text; case and punctuation don't count.

    A text without a word equals only the very same text, and None equals nothing: ``first_row``
    is the place of the first text among all.
    """
    from rensa import RMinHash

    if not texts:
        return np.empty((0, PLACES), dtype=np.uint32)
    words = [_words(text, row) for row, text in enumerate(texts, start=first_row)]
    counts = np.fromiter(map(len, words), np.int64, len(words))
    hashes = np.fromiter(map(crc32, chain.from_iterable(words)), np.uint64, int(counts.sum()))
    ends = np.cumsum(counts)
    within = np.ones(len(hashes), dtype=bool)  # these runs don't reach into the next text
    within[ends - 1] = within[ends - 2] = False
    one, two, three = _WEIGHTS[:3]
    runs = hashes * one + np.roll(hashes, -1) * two + np.roll(hashes, -2) * three
    offsets = np.append(0, np.cumsum(counts - 2)).astype(np.uint64)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(runs[within], offsets, PLACES, _SEED)
    numbers = chain.from_iterable(matrix.to_rows())
    return np.fromiter(numbers, np.uint32, len(words) * PLACES).reshape(-1, PLACES)


def _words(text: str | None, row: int) -> list[bytes]:
    """Words in small letters, at least three of them so that each text has a run."""
    short = f"\0{row}" if text is None else text[:LONGEST]
    spaced = short if short.isascii() else _IDEOGRAPH.sub(r" \1 ", short)
    words = spaced.lower().encode("utf-8", "replace").translate(_LETTERS).split()
    words = words or [b"\0" + short.encode("utf-8", "replace")]
    return words if len(words) > 2 else [*words, b"", b""]


def near_copies(matrix: Signatures, alike: float = ALIKE) -> Places:
    """For each signature the place of the first of its group; its own where it is no copy."""
    rows = np.arange(len(matrix), dtype=np.int64)
    group = rows.copy()
    for band in range(BANDS):
        keys = matrix[:, band * ROWS : (band + 1) * ROWS].astype(np.uint64) @ _WEIGHTS
        order = np.argsort(keys, kind="stable")
        begins = np.append(True, keys[order][1:] != keys[order][:-1])[: len(rows)]
        first = order[np.maximum.accumulate(np.where(begins, rows, 0))]
        for other in (first, *(np.roll(order, back) for back in (1, 2, 3))):
            apart = (keys[order] == keys[other]) & (group[order] != group[other])
            left, right = other[apart], order[apart]
            near = _agreement(matrix, left, right) >= alike
            group = joined_groups(group, left[near], right[near])
    return group


def duplicate_groups(texts: Sequence[str | None], alike: float = ALIKE) -> Places:
    """For each text the place of the first text of its group; its own where it is no copy."""
    return near_copies(signatures(texts), alike)


def _agreement(matrix: Signatures, left: Places, right: Places) -> NDArray[np.float64]:
    """The share of places in which the signatures of each pair agree."""
    shares = np.empty(len(left))
    for at in range(0, len(left), _PAIRS):
        some = slice(at, at + _PAIRS)
        shares[some] = (matrix[left[some]] == matrix[right[some]]).mean(axis=1)
    return shares


def joined_groups(group: Places, left: Places, right: Places) -> Places:
    """Groups after some pairs were found alike; a group has the number of its first member."""
    while len(left):
        low = np.minimum(group[left], group[right])
        lower = group.copy()
        np.minimum.at(lower, group[left], low)
        np.minimum.at(lower, group[right], low)
        lower = lower[lower]
        if np.array_equal(lower, group):
            break
        group = lower
    return group
