"""Which texts are near copies of an earlier one.

Signatures lie in a file, so memory holds one band of them at a time. Texts whose signatures are
equal are one; the others are compared where a band of their signatures agrees, and are copies where
the signatures agree in the share asked for. Copies of copies are one group.

What it cannot see: two texts at exactly 0.8 meet in no band once in a hundred times, and of a band
shared by many texts each is compared with the first and with the few before it only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneworthy.gather.shingles import LONGEST, PLACES, mix64, signatures
from tuneworthy.gather.store import Memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tuneworthy.gather.store import Columns

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
