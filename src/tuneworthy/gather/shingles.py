"""Texts as signatures of their runs of three words, so that near copies can be found.

The words of many texts are hashed at once, by their first and last eight bytes and their length.
The signature is the MinHash of the set of runs (Broder 1997): two texts agree in one of its places
with a chance of their Jaccard similarity.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLACES = 64
"""Length of a signature; similarity is known to about 0.05 (one standard error at 0.8)."""

LONGEST = 20_000
"""Characters of a text that are looked at; what comes after them is not."""

_SEED = 20_261_124
_BLOCK = 1 << 18  # bytes hashed at once: small enough for the arrays to stay in the cache
_IDEOGRAPHS = 0xE3  # lead bytes from here on begin a sign that stands for a word or a syllable
_SPACE, _BEFORE = 0x20, 8  # spaces stand before the first text, and behind the last
_WEIGHTS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
_MIX64 = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)  # Stafford's thirteenth, as in SplitMix64


def mix64(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Every bit of a number made to depend on every other."""
    mixed = values ^ (values >> np.uint64(30))
    mixed *= np.uint64(_MIX64[0])
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(_MIX64[1])
    mixed ^= mixed >> np.uint64(31)
    return mixed


def _as_letters() -> bytes:
    """What each byte counts as: a small letter, a digit, a byte of another alphabet, or a space."""
    return bytes(
        code if code >= 128 else ord(chr(code).lower()) if chr(code).isalnum() else _SPACE
        for code in range(256)
    )


_LETTERS = _as_letters()
_FIRST_BYTES = np.array([(1 << 8 * n) - 1 for n in range(9)], dtype=np.uint64)
"""Masks of the first bytes of eight, by how many are wanted."""


def signatures(texts: Sequence[str]) -> NDArray[np.uint32]:
    """MinHash signatures of texts, case and punctuation ignored.

    A text of one or two words is one run; a text without a word has a signature of nothing but the
    largest number.

    Args:
        texts: Any texts; what comes after ``LONGEST`` characters is ignored.

    Returns:
        One row of ``PLACES`` numbers a text; no row for no text.
    """
    from rensa import RMinHash

    found = [np.empty((0, PLACES), dtype=np.uint32)]
    for encoded in _blocks(texts):
        runs, offsets = _runs(encoded)
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(runs, offsets, PLACES, _SEED)
        found.append(np.array(matrix.to_rows(), dtype=np.uint32).reshape(-1, PLACES))
    return np.concatenate(found)


def _blocks(texts: Sequence[str]) -> Iterator[list[bytes]]:
    """Texts in UTF-8, some at a time."""
    block: list[bytes] = []
    size = 0
    for text in texts:
        encoded = text[:LONGEST].encode("utf-8", "replace")
        if block and size + len(encoded) + 1 > _BLOCK:
            yield block
            block, size = [], 0
        block.append(encoded)
        size += len(encoded) + 1
    if block:
        yield block


def _runs(encoded: Sequence[bytes]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Hashes of all runs of three words, and where each text's runs begin; one more for the end."""
    text = b" ".join((b"       ", *encoded, b"        ")).translate(_LETTERS)
    data = np.frombuffer(text, dtype=np.uint8)
    within = data != _SPACE
    edges = np.flatnonzero(within[1:] != within[:-1]) + 1  # a space stands at both ends
    starts, ends = edges[::2], edges[1::2]
    signs = data >= _IDEOGRAPHS
    if signs.any():
        signs[starts] = True
        whole, starts = ends, np.flatnonzero(signs)
        ends = np.minimum(whole[np.searchsorted(whole, starts, "right")],
                          np.append(starts[1:], len(data)))  # fmt: skip
    words = _words(data, starts, ends)
    lengths = np.fromiter((len(one) + 1 for one in encoded), dtype=np.int64, count=len(encoded))
    first = np.searchsorted(starts, np.concatenate(([0], np.cumsum(lengths))) + _BEFORE)
    return _threes(words, first)


def _words(
    data: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """A hash of each word; eight bytes have to stand before and behind all of them."""
    eight = np.ndarray(len(data) - 7, dtype="<u8", buffer=data, strides=(1,))
    lengths = ends - starts
    head = eight[starts] & _FIRST_BYTES[np.minimum(lengths, 8)]
    tail = eight[ends - 8]
    tail[lengths <= 8] = 0
    one, two, three = (np.uint64(weight) for weight in _WEIGHTS)
    mixed: NDArray[np.uint64] = head * one + tail * two + lengths.astype(np.uint64) * three
    mixed ^= mixed >> np.uint64(32)
    mixed *= np.uint64(_MIX64[0])
    mixed ^= mixed >> np.uint64(29)
    return mixed


def _threes(
    words: NDArray[np.uint64], first: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Runs of three from words; text i has the words from ``first[i]`` to ``first[i + 1]``."""
    one, two, three = (np.uint64(weight) for weight in _WEIGHTS)
    padded = np.concatenate((words, np.zeros(2, dtype=np.uint64)))
    runs = words * one + padded[1:-1] * two + padded[2:] * three
    counts = np.diff(first)
    kept = np.ones(len(words), dtype=bool)
    kept[first[1:][counts > 0] - 1] = False  # these runs would go on into the next text
    kept[first[1:][counts > 1] - 2] = False
    alone, pair = first[:-1][counts == 1], first[:-1][counts == 2]
    runs[alone] = words[alone] * one
    runs[pair] = words[pair] * one + words[pair + 1] * two
    kept[alone] = kept[pair] = True
    per_text = np.where(counts > 2, counts - 2, counts > 0)
    offsets = np.concatenate(([0], np.cumsum(per_text))).astype(np.uint64)
    return mix64(runs[kept]), offsets
