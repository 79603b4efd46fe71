"""Which texts are near copies of an earlier one.

Signatures lie in a file, so memory holds one band of them at a time. Texts whose signatures are
equal are one; the others are compared where a band of their signatures agrees, and are copies where
the signatures agree in the share asked for. Copies of copies are one group.

What it cannot see: two texts at exactly 0.8 meet in no band once in a hundred times, and of a band
shared by many texts each is compared with the first and with the few before it only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneworthy.measure.store import Memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tuneworthy.measure.store import Columns


# Texts as signatures of their runs of three words, so that near copies can be found.

PLACES = 64
"""Length of a signature; similarity is known to about 0.05 (one standard error at 0.8)."""

LONGEST = 20_000
"""Characters of a text that are looked at; what comes after them is not."""

_SEED = 20_261_124
_ROW = Struct(f"={PLACES}I")
_BLOCK = 1 << 17  # bytes hashed at once: small enough for the arrays to stay in the cache
_IDEOGRAPHS = 0xE3  # lead bytes from here on begin a sign that stands for a word or a syllable
_SPACE, _SHINGLES_BEFORE = 0x20, 8
_SPACES = b" " * _SHINGLES_BEFORE  # before the first text, and behind the last
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
        runs, offsets = _shingles_runs(text, lengths)
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


def _shingles_runs(
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
        ends = np.minimum(
            whole[np.searchsorted(whole, starts, "right")], np.append(starts[1:], len(data))
        )
    words = _words(data, starts, ends)
    first = np.searchsorted(starts, np.concatenate(([0], np.cumsum(lengths))) + _SHINGLES_BEFORE)
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


# Which texts are near copies of an earlier one.

ALIKE = 0.8
"""Share of three-word runs in common from which texts are copies; the lesson's ``near_copy``."""

BANDS, ROWS = 12, 5
"""Two texts meet in one of 12 bands of 5 places: with a chance of 0.99 at 0.8, 0.32 at 0.5."""

_BEFORE = 3  # neighbours in a band that a text is compared with, besides the first
_PAIRS = 1 << 16  # pairs compared at once
_READ_BYTES = PLACES * 4 << 14  # sixteen thousand signatures
_NO_WORD = np.uint32(0xFFFFFFFF)


class Copies:
    """Gathers texts and says in the end which are copies.

    Args:
        store: Where columns of numbers are kept.
        alike: Share of runs in common from which texts are copies.
        folder: For the signatures; None keeps them in memory.
    """

    def __init__(self, store: Columns, alike: float = ALIKE, folder: Path | None = None) -> None:
        self._store, self._alike = store, alike
        self._path = None if folder is None else folder / "signatures"
        self._kept: list[NDArray[np.uint32]] = []
        self._texts = 0

    def add(self, texts: Sequence[str | None]) -> Mapping[str, NDArray[np.uint64]]:
        """Take more texts.

        Args:
            texts: The texts; None is a copy of nothing.

        Returns:
            Columns that have to be in the store, as long as ``texts``, before ``groups`` is asked.
        """
        found = signatures([text or "" for text in texts])
        self._keep(found)
        whole = _keys(found.view(np.uint64))
        for row in np.flatnonzero((found == _NO_WORD).all(axis=1)).tolist():
            text = texts[row]  # without a word: the same only where it is the same to the letter
            place = self._texts + row
            whole[row] = _digest(f"\0{place}" if text is None else text[:LONGEST])
        self._texts += len(texts)
        return {"whole": whole}

    def groups(self) -> NDArray[np.int64]:
        """For each text the place of the first text of its group; its own where it is no copy."""
        if not self._texts:
            return np.empty(0, dtype=np.int64)
        whole = self._store.get(["whole"])["whole"]
        _, first, member = np.unique(whole, return_index=True, return_inverse=True)
        del whole
        rows = np.sort(first)  # one text for each signature, in the order of reading
        group = np.arange(len(rows), dtype=np.int64)
        for band in range(BANDS):
            for left, right in _pairs(self._band(band)[rows]):
                apart = group[left] != group[right]
                one, other = left[apart], right[apart]
                same = self._similar(rows[one], rows[other])
                group = _joined(group, one[same], other[same])
        return rows[group[np.searchsorted(rows, first)]][member.ravel()]

    def _keep(self, found: NDArray[np.uint32]) -> None:
        if self._path is None:
            self._kept.append(found)
            return
        with self._path.open("ab") as file:
            file.write(found.tobytes())

    def _band(self, band: int) -> NDArray[np.uint64]:
        """A number for one band of each signature; places left over are in none."""
        places = slice(band * ROWS, (band + 1) * ROWS)
        return np.concatenate([_keys(some[:, places]) for some in self._signatures()])

    def _signatures(self) -> Iterator[NDArray[np.uint32]]:
        """All signatures, some at a time."""
        if self._path is None:
            yield from self._kept
            return
        with self._path.open("rb") as file:
            while data := file.read(_READ_BYTES):
                yield np.frombuffer(data, dtype=np.uint32).reshape(-1, PLACES)

    def _similar(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the signatures of two rows agree in the share asked for."""
        if not len(left):
            return np.zeros(0, dtype=bool)
        if self._path is None:
            whole: NDArray[np.uint32] = np.concatenate(self._kept)
            self._kept = [whole]
        else:  # mapped anew each time, so that what was looked at doesn't stay in memory
            whole = np.memmap(self._path, dtype=np.uint32, mode="r", shape=(self._texts, PLACES))
        both = (whole[left] == whole[right]) & (whole[left] != _NO_WORD)
        share: NDArray[np.bool_] = both.mean(axis=1) >= self._alike
        return share


def duplicate_groups(texts: Sequence[str | None], alike: float = ALIKE) -> NDArray[np.int64]:
    """Which texts are near copies of an earlier one, for texts that fit into memory.

    Args:
        texts: Any texts; case and punctuation don't count. None is a copy of nothing.
        alike: Share of three-word runs in common from which texts are copies.

    Returns:
        For each text the place of the first text of its group: its own where it is no copy.
    """
    store = Memory()
    copies = Copies(store, alike)
    store.add(copies.add(texts))
    return copies.groups()


def compared_text(asked: str | None, answer: str | None) -> str | None:
    """What of a trace has to be alike: question and answer; None for a trace without an answer."""
    return None if answer is None else f"{asked or ''}\n{answer}"


def _keys(numbers: NDArray[Any]) -> NDArray[np.uint64]:
    """One number for each row of some."""
    keys = np.zeros(len(numbers), dtype=np.uint64)
    for column in np.ascontiguousarray(numbers.T):
        keys = mix64(keys + column)
    return keys


def _digest(text: str) -> int:
    data = text.encode("utf-8", "replace")
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")


def _pairs(
    keys: NDArray[np.uint64],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Places with the same key, some pairs at a time: each with the first and the few before it."""
    # Numbers that carry their place in the lowest bits are sorted several times as quickly as
    # places by their numbers; the bits that gives up only let some strangers be compared.
    low = np.uint64(max(1, len(keys)).bit_length())
    ordered = np.sort((keys >> low << low) | np.arange(len(keys), dtype=np.uint64))
    order = (ordered & np.uint64((1 << int(low)) - 1)).astype(np.int64)
    ordered >>= low
    changes = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    begin = np.repeat(changes, np.diff(np.append(changes, len(keys))))
    place = np.arange(len(keys))
    shared = place[place > begin]
    for start in range(0, len(shared), _PAIRS):
        some = shared[start : start + _PAIRS]
        yield order[begin[some]], order[some]
        for back in range(1, _BEFORE + 1):
            near = some[some - back > begin[some]]
            yield order[near - back], order[near]


def _joined(
    group: NDArray[np.int64], left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Groups after some of them are found to be one; a group is named after its first member."""
    parent: dict[int, int] = {}

    def find(one: int) -> int:
        root = one
        while (above := parent.get(root, root)) != root:
            root = above
        while (above := parent.get(one, one)) != root:
            parent[one], one = root, above
        return root

    for a, b in zip(group[left].tolist(), group[right].tolist(), strict=True):
        low, high = sorted((find(a), find(b)))
        if low != high:
            parent[high] = low
    if not parent:
        return group
    names = np.array(sorted(parent), dtype=np.int64)
    roots = np.array([find(one) for one in names.tolist()], dtype=np.int64)
    spot = np.minimum(np.searchsorted(names, group), len(names) - 1)
    return np.where(names[spot] == group, roots[spot], group)


# How many of a team's prompt variants really differ.

_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


def distinct_prompts(texts: Sequence[str], near_copy: float) -> int:
    """Prompts left when near copies count once.

    Two prompts are near copies when the Jaccard similarity of their three-word runs is at least
    ``near_copy``; front matter, case and punctuation don't count. Copies of copies join one group.

    Args:
        texts: The prompt files.
        near_copy: Similarity between 0 and 1.

    Returns:
        The number of groups; 0 for no prompts. Prompts without a word count as one.
    """
    runs = [_runs(text) for text in texts]
    group = list(range(len(runs)))

    def root(index: int) -> int:
        while group[index] != index:
            index = group[index]
        return index

    for later in range(len(runs)):
        for earlier in range(later):
            if _alike(runs[later], runs[earlier]) >= near_copy:
                group[root(later)] = root(earlier)
    return sum(root(index) == index for index in range(len(runs)))


def _runs(text: str) -> frozenset[tuple[str, ...]]:
    words = re.findall(r"\w+", _FRONT_MATTER.sub("", text).casefold())
    if len(words) < 3:
        return frozenset({tuple(words)})
    return frozenset(zip(words, words[1:], words[2:], strict=False))


def _alike(left: frozenset[tuple[str, ...]], right: frozenset[tuple[str, ...]]) -> float:
    return len(left & right) / len(left | right)
