"""Texts as signatures of their runs of three words, so that near copies can be found.

The words of many texts are hashed at once, by their first and last eight bytes and their length.
The signature is the MinHash of the set of runs (Broder 1997): two texts agree in one of its places
with a chance of their Jaccard similarity.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLACES = 64
"""Length of a signature; similarity is known to about 0.05 (one standard error at 0.8)."""

LONGEST = 20_000
"""Characters of a text that are looked at; what comes after them is not."""

_SEED = 20_261_124
_ROW = Struct(f"={PLACES}I")
_BLOCK = 1 << 17  # bytes hashed at once: small enough for the arrays to stay in the cache
_IDEOGRAPHS = 0xE3  # lead bytes from here on begin a sign that stands for a word or a syllable
_SPACE, _BEFORE = 0x20, 8
_SPACES = b" " * _BEFORE  # before the first text, and behind the last
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
    for text, lengths in _blocks([text[:LONGEST] for text in texts]):
        runs, offsets = _runs(text, lengths)
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(runs, offsets, PLACES, _SEED)
        # Packing each row is twice as quick as an array of all the lists of numbers.
        packed = b"".join([_ROW.pack(*row) for row in matrix.to_rows()])
        found.append(np.frombuffer(packed, dtype=np.uint32).reshape(-1, PLACES))
    return np.concatenate(found)


def _blocks(texts: Sequence[str]) -> Iterator[tuple[bytes, NDArray[np.int64]]]:
    """Texts in UTF-8, some at a time: a space behind each; and how long they are with it."""
    if all(map(str.isascii, texts)):  # needs no encoding one by one
        for start, stop, lengths in _some(list(map(len, texts))):
            yield " ".join((*texts[start:stop], "")).encode("ascii"), lengths
    else:
        encoded = [text.encode("utf-8", "replace") for text in texts]
        for start, stop, lengths in _some(list(map(len, encoded))):
            yield b" ".join((*encoded[start:stop], b"")), lengths


def _some(sizes: list[int]) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
    """Where each block begins and ends, and the lengths in it."""
    lengths = np.array(sizes, dtype=np.int64) + 1
    ends, start = np.cumsum(lengths), 0
    while start < len(sizes):
        before = ends[start] - lengths[start]
        stop = max(start + 1, int(np.searchsorted(ends, before + _BLOCK, side="right")))
        yield start, stop, lengths[start:stop]
        start = stop


def _runs(
    texts: bytes, lengths: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Hashes of all runs of three words, and where each text's runs begin; one more for the end."""
    text = b"".join((_SPACES, texts, _SPACES)).translate(_LETTERS)
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
    first = np.searchsorted(starts, np.concatenate(([0], np.cumsum(lengths))) + _BEFORE)
    return _threes(words, first)


def _words(
    data: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """A hash of each word; eight bytes have to stand before and behind all of them."""
    eight = np.ndarray(len(data) - 7, dtype="<u8", buffer=data, strides=(1,))
    lengths = ends - starts
    one, two, three = (np.uint64(weight) for weight in _WEIGHTS)
    mixed: NDArray[np.uint64] = eight[starts]
    mixed &= _FIRST_BYTES[np.minimum(lengths, 8)]
    mixed *= one
    longer = np.flatnonzero(lengths > 8)
    mixed[longer] += eight[ends[longer] - 8] * two
    mixed += lengths.view(np.uint64) * three
    mixed ^= mixed >> np.uint64(32)
    mixed *= np.uint64(_MIX64[0])
    mixed ^= mixed >> np.uint64(29)
    return mixed


def _threes(
    words: NDArray[np.uint64], first: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Runs of three from words; text i has the words from ``first[i]`` to ``first[i + 1]``."""
    one, two, three = (np.uint64(weight) for weight in _WEIGHTS)
    runs, part = words * one, words[1:] * two
    runs[:-1] += part
    np.multiply(words[2:], three, out=part[:-1])
    runs[:-2] += part[:-1]
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
    return runs[kept], offsets  # sums of numbers that are mixed already
