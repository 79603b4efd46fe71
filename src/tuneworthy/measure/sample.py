"""A sample of traces, for work that is too expensive on all of them.

It consists of whole conversations, those with the smallest hashes of their names. So any way of
reading the same traces gives the same sample.
"""

from __future__ import annotations

import io
import lzma
import math
import mmap
import re
import struct
import zipfile
from array import array
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from tuneworthy.model.evidence import COLUMNS, Batch
from tuneworthy.text.embedding import embed
from tuneworthy.text.kept import keep, key_of, open_kept

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Places = NDArray[np.int64]
    Signatures = NDArray[np.uint32]


TRACES = 2_000  #: Traces of a sample, at most.

CHARACTERS = 16 << 20
"""The most characters of a sample. System prompts don't count, as many traces share one."""

LONGEST_TEXT = 20_000  #: Characters that are kept of one text.

_MOST_TURNS = 100  # the newest messages, and the first passages and calls, are kept
_TEXTS = frozenset({"output", "input", "reference", "error", "label"})
_LISTS = frozenset({"messages", "contexts", "tool_calls"})


class _Trace(NamedTuple):
    """A trace of the sample. Its key and row are its place in the order of the draw."""

    key: int
    row: int
    size: int
    cut: int
    values: dict[str, Any]


class Sample:
    """Draws traces while they are read, up to a number of traces and of characters."""

    def __init__(self, traces: int = TRACES, characters: int = CHARACTERS) -> None:
        self._traces = traces
        self._characters = characters
        self._shrunk_at = (
            self._traces + self._traces // 4
        )  # often: what is out is not taken again
        self._kept: list[_Trace] = []
        self._size = 0
        self._limit: int | None = None  # the smallest hash that is too large

    def add(self, batch: Batch, keys: NDArray[np.uint64], first_row: int) -> None:
        """Add traces; ``keys`` are the hashes of their conversations."""
        rows = np.arange(len(keys))
        if self._limit is not None:
            rows = np.flatnonzero(keys < np.uint64(self._limit))
        drawn = np.append(
            np.fromiter((t.key for t in self._kept), np.uint64), keys[rows]
        )
        if (
            len(drawn) > self._traces
        ):  # what is further behind is dropped, and needn't be looked at
            rows = rows[keys[rows] <= np.partition(drawn, self._traces)[self._traces]]
        columns = {name: values for name in COLUMNS if (values := getattr(batch, name))}
        long = [name for name in columns if name in _TEXTS | _LISTS]
        for row in rows.tolist():
            values = {name: each[row] for name, each in columns.items()}
            size = cut = 0
            for name in long:
                if values[name] is not None:
                    values[name], many, shorter = _shortened(name, values[name])
                    size = size + many
                    cut = cut + shorter
            self._kept.append(
                _Trace(int(keys[row]), first_row + row, size, cut, values)
            )
            self._size += size
            if len(self._kept) > self._shrunk_at or self._size > 2 * self._characters:
                self._shrink()

    def batch(self) -> tuple[Batch, int]:
        """The sample in the order of reading, and the number of texts that were cut.

        A conversation that doesn't fit as a whole is left out, unless it is the only one.
        """
        self._shrink()
        whole = [trace for trace in self._kept if trace.key != self._limit]
        kept = sorted(whole or self._kept, key=attrgetter("row"))
        sample = Batch()
        for name in COLUMNS:
            values = [trace.values.get(name) for trace in kept]
            if name == "output" or any(value is not None for value in values):
                setattr(sample, name, values)
        return sample, sum(trace.cut for trace in kept)

    def add_sample(self, other: Sample) -> None:
        """Add the sample of other traces."""
        former = (self._limit, other._limit)
        self._kept += other._kept
        self._shrink()
        limits = [limit for limit in (*former, self._limit) if limit is not None]
        self._limit = min(limits, default=None)

    def _shrink(self) -> None:
        """Keep the first traces in the order of the draw, as many as fit.

        A dropped trace can never come back: more traces only push others farther behind.
        """
        self._kept.sort(key=attrgetter("key", "row"))
        size = 0
        for place, trace in enumerate(self._kept):
            if place == self._traces or (
                place and size + trace.size > self._characters
            ):
                self._limit = trace.key
                del self._kept[place:]
                break
            size += trace.size
        self._size = size


def _shortened(name: str, value: Any) -> tuple[Any, int, bool]:
    """The part of a value that is kept, its number of characters, and whether it was cut."""
    if name in _TEXTS:
        text = value[:LONGEST_TEXT]
        return text, len(text), len(text) < len(value)
    some = tuple(value[-_MOST_TURNS:] if name == "messages" else value[:_MOST_TURNS])
    whole = (
        name == "contexts"
    )  # messages and calls of tools have their text in second place
    sizes = [len(each if whole else each[1]) for each in some]
    if max(sizes, default=0) <= LONGEST_TEXT:
        return some, sum(sizes), len(some) < len(value)
    if whole:
        some = tuple(text[:LONGEST_TEXT] for text in some)
    else:
        some = tuple(type(each)(each[0], each[1][:LONGEST_TEXT]) for each in some)
    return some, sum(min(size, LONGEST_TEXT) for size in sizes), True


LETTERS = 10
LOOKED_AT = 240
SURE = 0.7
"""The fewest letters, the characters that are read, and the lowest probability for naming a text's
language (our choice: none of 7,580 English requests gets another one; docs/evidence/accuracy.md)."""


def languages(texts: Sequence[str], sure_from: float = SURE) -> list[str | None] | None:
    """The ISO 639 code of each text's language; None for a short, mixed or unknown one.

    It depends on the letters alone, by a model inside its package; None where the package is
    missing.
    """
    model = _language_model()
    if model is None:
        return None
    known: dict[str, str | None] = {}
    for text in dict.fromkeys(texts):
        part = text[:LOOKED_AT].encode("utf-8", "replace").decode()
        short = sum(map(str.isalpha, part)) < LETTERS
        code, sure = (_NONE, 1.0) if short else _likeliest(model, part)
        known[text] = code if sure >= sure_from and code != _NONE else None
    return [known[text] for text in texts]


def _likeliest(model: Any, text: str) -> tuple[str, float]:
    """The likeliest of the languages that may be named, and its probability among them."""
    ranked = [
        (code, score) for code, score in model.rank(text) if code not in _NOT_TOLD
    ]
    code, score = ranked[0]
    return code, score / sum(each for _, each in ranked)


_NONE = "zxx"  # what is no language, by ISO 639
_NOT_TOLD = frozenset(
    ["an", "eo", "ext", "gcf", "gcr", "gl", "la", "lij", "oc", "pcm", "vec", "vo", "wa"]
)
"""Small languages that a model confuses with larger ones in short texts; half of the Spanish texts
were confused."""


@lru_cache(maxsize=1)
def _language_model() -> Any:
    """The model that tells languages; None where its library isn't installed."""
    try:
        from py3langid.langid import MODEL_DIR, MODEL_FILE, LanguageIdentifier
    except ImportError:
        return None
    arrays = _model_arrays(Path(MODEL_DIR) / MODEL_FILE)
    if not arrays.keys() >= {
        "ptc",
        "pc",
        "classes",
        "nextmove",
        "nextmove_row",
        "out_feat",
    }:
        return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    moves: Any = arrays[
        "nextmove"
    ]  # a memoryview, because reading one item of it is faster than of an array
    return LanguageIdentifier(
        arrays["ptc"],
        arrays["pc"],
        arrays["classes"].tolist(),
        memoryview(moves),
        arrays["out_feat"].tolist(),
        norm_probs=True,
        tk_row=arrays["nextmove_row"].tolist(),
    )


def _model_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a packed model. Its 70 MB are kept unpacked on the disk until they are used.

    They are kept by what the file holds, so all environments of a user share them.
    """
    packed = path.read_bytes()
    key = key_of([packed])
    kept = open_kept("languages", key)
    if kept is not None:
        with kept, suppress(OSError, ValueError, zipfile.BadZipFile):
            data = mmap.mmap(kept.fileno(), 0, access=mmap.ACCESS_READ)
            return _arrays_in(kept, data)
    unpacked = lzma.decompress(packed)
    keep("languages", key, unpacked)
    return _arrays_in(io.BytesIO(unpacked), unpacked)


def _arrays_in(packed: BinaryIO, data: bytes | mmap.mmap) -> dict[str, NDArray[Any]]:
    """The arrays of a file, used where they lie in its bytes: numpy would copy them twice."""
    arrays = {}
    with zipfile.ZipFile(packed) as archive:
        for member in archive.infolist():
            if member.compress_type != zipfile.ZIP_STORED:
                return {}
            with archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                if version != (1, 0):
                    return {}
                shape, _, kind = np.lib.format.read_array_header_1_0(file)
                begin = _begin_of(data, member.header_offset) + file.tell()
            values = np.frombuffer(data, kind, math.prod(shape), begin)
            arrays[member.filename.removesuffix(".npy")] = values.reshape(shape)
    return arrays


def _begin_of(data: bytes | mmap.mmap, header: int) -> int:
    """The start of a member's bytes in an archive, after its header and its name."""
    name, more = struct.unpack_from("<HH", data, header + _NAME_SIZE_AT)
    return int(header + _HEADER_SIZE + name + more)


_NAME_SIZE_AT = 26
_HEADER_SIZE = 30
"""The size of a member's header in a zip archive (PKWARE's APPNOTE 6.3, 4.3.7)."""


def load_models() -> None:
    """Load the models for vectors and languages before they are needed."""
    embed(["ready"])
    _language_model()


# Which texts are near copies of an earlier one, by runs of three words.

Run = tuple[str, ...]

ALIKE = 0.8
"""The share of common three-word runs from which texts are near copies; the lesson's ``near_copy``."""

BANDS = 12
ROWS = 5
"""Places in each of the 12 bands of a signature. Two rows share a band with a chance of 0.99 at a
similarity of 0.8, and of 0.32 at 0.5."""

PLACES = BANDS * ROWS
ASKED = 8 * ROWS
"""Places of a signature for the question; the others are for the answer. The similarity is
estimated to about 0.06 and 0.09 (one standard error at 0.8)."""

_TOGETHER = 128  #: Rows whose letters a processor holds near.
FIRST = 1_000  #: Rows from which is known what many rows share.
SHARED = 0.2
SHARED_ROWS = 10
"""A run in more than a fifth of the first rows, and in at least ten, is no sign of a copy: it is an
instruction, a list of labels or a greeting. Rows with only such runs are compared as a whole."""

LONGEST = 20_000  #: Characters of a text that are compared.

_SEED = 20_261_124
_PAIRS = 1 << 12  # pairs compared at once, so that a processor holds them near
_OPENING = 16  # places of each side that are compared before the others
_SIDES = np.array((ASKED, PLACES - ASKED))
_ONES = np.kron(
    np.eye(2, dtype=np.uint64), np.full((2, 1), 0x0101010101010101, np.uint64)
)
_OF_WORDS = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
_WEIGHTS = np.array((*_OF_WORDS, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB), np.uint64)


def _letter(code: int) -> int:
    """A byte of a letter or digit in small letters; 0 for any other of ASCII."""
    if code >= 128:
        return code
    return ord(chr(code).lower()) if chr(code).isalnum() else 0


_LETTERS = bytes(map(_letter, range(256)))
_AT_ONCE = 1 << 20  # bytes of words whose letters are numbers at once
_POWER = 0x9E3779B1
_INVERSE = pow(_POWER, -1, 1 << 32)
_IDEOGRAPH = re.compile("([\u3000-\U0010ffff])")  # each is a word or a syllable
_NARROW = bytes(range(0xE3))  #: Of UTF-8, what begins no ideograph.
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


def runs_of(words: Sequence[str]) -> frozenset[Run]:
    """The runs of three words in a text; fewer words are one run."""
    return frozenset(zip(words, words[1:], words[2:], strict=False)) or frozenset(
        {tuple(words)}
    )


def jaccard(left: frozenset[Run], right: frozenset[Run]) -> float:
    """The share of common runs; 1 for two empty sets."""
    both = len(left | right)
    return len(left & right) / both if both else 1.0


def similar_groups(
    texts: Sequence[frozenset[Run]], near_copy: float
) -> list[list[frozenset[Run]]]:
    """Group a few texts by near copies; copies of copies join one group."""
    groups: list[list[frozenset[Run]]] = []
    for text in texts:
        near = [
            g for g in groups if any(jaccard(text, other) >= near_copy for other in g)
        ]
        groups = [g for g in groups if g not in near]
        groups.append([text, *chain.from_iterable(near)])
    return groups


def distinct_prompts(texts: Sequence[str], near_copy: float) -> int:
    """The number of prompts if near copies count once; front matter and case don't count."""
    words = (
        re.findall(r"\w+", _FRONT_MATTER.sub("", text).casefold()) for text in texts
    )
    return len(similar_groups([*map(runs_of, words)], near_copy))


Shared = tuple["NDArray[np.uint64]", ...]
"""Runs of words that many rows share, in the questions and in the answers."""


class Signer:
    """Computes signatures of questions and answers in the order of their rows.

    It waits until it knows which runs many rows share, which it learns from the first thousand.
    Case and punctuation don't count. A text without a word equals only the very same text, and None
    for an answer equals nothing.
    """

    def __init__(self, shared: Shared = ()) -> None:
        self._held: list[tuple[str, str | None, int]] = []
        self.shared = shared

    def add(
        self,
        questions: Sequence[str | None],
        answers: Sequence[str | None],
        first_row: int = 0,
    ) -> Signatures:
        """Add rows, and return the signatures that are ready, usually those of these rows."""
        rows = range(first_row, first_row + len(answers))
        self._held += zip(
            (each or "" for each in questions), answers, rows, strict=True
        )
        return (
            self.rest() if self.shared or len(self._held) >= FIRST else _NO_SIGNATURES
        )

    def rest(self) -> Signatures:
        """The signatures of all rows that still wait."""
        if not self._held:
            return _NO_SIGNATURES
        asked, said, rows = zip(*self._held, strict=True)
        self._held = []
        sides = asked, said
        self.shared = self.shared or tuple(
            _shared(*_runs_of(each[:FIRST], rows)) for each in sides
        )
        pieces = [slice(at, at + _TOGETHER) for at in range(0, len(rows), _TOGETHER)]
        each = [
            np.vstack(
                [
                    _signed(*_runs_of(texts[at], rows[at]), shared, places)
                    for at in pieces
                ]
            )
            for texts, shared, places in zip(
                sides, self.shared, (ASKED, PLACES - ASKED), strict=True
            )
        ]
        return np.hstack(each)


_NO_SIGNATURES = np.empty((0, PLACES), dtype=np.uint32)


def _runs_of(
    texts: Sequence[str | None], rows: Sequence[int]
) -> tuple[NDArray[np.uint64], Places]:
    """Hashes of all runs of three words, and the text of each run."""
    return _hashed([*map(_spaced, texts, rows)])


def _hashed(spaced: list[bytes]) -> tuple[NDArray[np.uint64], Places]:
    """Hash every run of three words; returns the hashes, and the text that each is in."""
    if (half := len(spaced) // 2) and sum(map(len, spaced)) > _AT_ONCE:
        runs, text = _hashed(spaced[:half])
        more, behind = _hashed(spaced[half:])
        return np.append(runs, more), np.append(text, behind + half)
    letters = np.frombuffer(b"".join((b"\0", *spaced)), np.uint8)
    gaps = letters == 0
    begins = np.flatnonzero(gaps[:-1] > gaps[1:]) + 1
    # A word's letters, weighed by the powers of a number from the first of all letters on: what
    # stands before it is taken out of the sum, and the power of its place out of the powers.
    powers, inverse = (
        _powers(n, len(letters).bit_length()) for n in (_POWER, _INVERSE)
    )
    sums = np.cumsum(letters * powers[: len(letters)], dtype=np.uint32)
    words = np.diff(sums[begins - 1], append=sums[-1:]) * inverse[begins]
    words = words.astype(np.uint64)
    first = np.searchsorted(
        begins, np.cumsum([1, *map(len, spaced)])
    )  # words of each text
    many = np.diff(first) - 2
    many -= 2 * (
        many > 2
    )  # where there are enough words, runs don't reach over the ends of a text
    text = np.repeat(np.arange(len(spaced)), many)
    place = np.arange(len(text)) + (first[:-1] - np.cumsum(many) + many)[text]
    start, middle, end = (words * weight for weight in _WEIGHTS[:3])
    return (start[:-2] + middle[1:-1] + end[2:])[place], text


@lru_cache(maxsize=4)
def _powers(number: int, doubled: int) -> NDArray[np.uint32]:
    """The first powers of a number, in 32 bits; ``2 ** doubled`` of them."""
    return np.cumprod(
        np.append(1, np.full((1 << doubled) - 1, number)), dtype=np.uint32
    )


def _shared(runs: NDArray[np.uint64], text: Places) -> NDArray[np.uint64]:
    """Runs that are in many of these texts."""
    rows = int(text[-1]) + 1
    order = np.lexsort((text, runs))
    of = text[order]
    runs = runs[order]
    new = np.append(True, (runs[1:] != runs[:-1]) | (of[1:] != of[:-1]))
    each, many = np.unique(runs[new], return_counts=True)
    return np.asarray(each[many > max(SHARED * rows, SHARED_ROWS)])


def _signed(
    runs: NDArray[np.uint64], text: Places, shared: NDArray[np.uint64], places: int
) -> Signatures:
    """MinHash signatures by ``rensa``, a row for each text."""
    from rensa import RMinHash

    many = int(text[-1]) + 1
    own = np.append(shared, np.uint64(0))[np.searchsorted(shared, runs)] != runs
    counts = np.bincount(text[own], minlength=many)
    if not counts.all():
        own |= (counts == 0)[text]
        counts = np.bincount(text[own], minlength=many)
    offsets = np.append(0, np.cumsum(counts)).astype(np.uint64)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(
        runs[own], offsets, places, _SEED
    )
    numbers = array("I")
    for row in matrix.to_rows():
        numbers.fromlist(row)
    return np.frombuffer(numbers, np.uint32).reshape(-1, places)


def _spaced(text: str | None, row: int) -> bytes:
    """Words in small letters, each followed by a zero; after the last, two words that no text has."""
    short = f"\0{row}" if text is None else text[:LONGEST]
    lower = short if short.isascii() else short.lower()
    if lower is not short and short.encode("utf-8", "surrogatepass").translate(
        None, _NARROW
    ):
        lower = " ".join(_IDEOGRAPH.split(short)).lower()
    words = lower.encode("utf-8", "replace").translate(_LETTERS)
    if not words.strip(b"\0"):
        words = b"\1" + short.encode("utf-8", "replace").hex().encode()
    return words + b"\0\xff\0\xff\0"


def near_copies(matrix: Signatures, alike: float = ALIKE) -> Places:
    """For each signature, the place of the first one that it is a copy of; else its own place.

    Copies of copies don't count: each is similar to the first of its group.
    """
    rows = np.arange(len(matrix), dtype=np.int64)
    group = rows.copy()
    bits = np.uint64(len(rows).bit_length())
    sides = (matrix[:, at : at + _OPENING] for at in (0, ASKED))
    openings = np.hstack([each.astype(np.uint8) for each in sides])
    # rows that are equal in one band are compared: each with the first one of its run, and with
    # the three rows before it; so the work stays linear, however many rows are equal
    for band in range(BANDS):
        keys = matrix[:, band * ROWS : (band + 1) * ROWS].astype(np.uint64) @ _WEIGHTS
        # a key carries its row's place in its lowest bits
        keys = keys >> bits << bits | rows.astype(np.uint64)
        keys.sort()
        ordered = keys >> bits
        order = (keys - (ordered << bits)).astype(np.int64)
        again = ordered[1:] == ordered[:-1]
        beside = (np.append(again, False) | np.append(False, again))[
            : len(rows)
        ]  # mostly a few
        order = order[beside]
        ordered = ordered[beside]
        begins = np.append(True, ordered[1:] != ordered[:-1])[: len(order)]
        first = order[np.maximum.accumulate(np.where(begins, rows[: len(order)], 0))]
        turned = [(np.roll(order, back), np.roll(ordered, back)) for back in (1, 2, 3)]
        for other, theirs in ((first, ordered), *turned):
            apart = (theirs == ordered) & (group[order] != group[other])
            left = other[apart]
            right = order[apart]
            near = _alike(matrix, openings, left, right, alike)
            group = joined_groups(group, left[near], right[near])
    # a group may be a chain of copies of copies: rows that are unlike its first form a new one
    copy_of = rows.copy()
    left = rows[group != rows]
    for _ in range(_ROUNDS):
        near = _alike(matrix, openings, group[left], left, alike)
        copy_of[left[near]] = group[left[near]]
        left = left[~near]
        _, first, member = np.unique(
            group[left], return_index=True, return_inverse=True
        )
        group[left] = left[first][member]
        left = left[group[left] != left]
    return copy_of


_ROUNDS = 20  # of looking for another first in what is like none so far


def duplicate_groups(
    texts: Sequence[str | None],
    alike: float = ALIKE,
    answers: Sequence[str | None] | None = None,
) -> Places:
    """For each text, the place of the first one that it is a copy of; else its own place.

    Answers have to agree too, if there are any.
    """
    signer = Signer()
    if answers is None:
        answers = [None if text is None else "" for text in texts]
    return near_copies(np.vstack([signer.add(texts, answers), signer.rest()]), alike)


def _alike(
    matrix: Signatures,
    openings: NDArray[np.uint8],
    left: Places,
    right: Places,
    alike: float,
) -> NDArray[np.bool_]:
    """Whether the questions and the answers of each pair agree.

    Most pairs have only one band of both in common. A few bytes, the openings, show that quickly.
    """
    near = np.zeros(len(left), dtype=bool)
    needed = [next(n for n in range(each + 1) if n / each >= alike) for each in _SIDES]
    least = np.array(needed) - _SIDES + _OPENING
    for at in range(0, len(left), _PAIRS):
        pairs = slice(at, at + _PAIRS)
        same = openings.take(left[pairs], axis=0) == openings.take(right[pairs], axis=0)
        many = same.view(np.uint64) @ _ONES >> np.uint64(
            56
        )  # how many are the same on each side
        some = at + np.flatnonzero((many.astype(np.int64) >= least).all(axis=1))
        same = matrix[left[some]] == matrix[right[some]]
        near[some] = np.count_nonzero(same[:, :ASKED], axis=1) >= needed[0]
        near[some] &= np.count_nonzero(same[:, ASKED:], axis=1) >= needed[1]
    return near


def joined_groups(group: Places, left: Places, right: Places) -> Places:
    """Join groups by similar pairs. A group has the number of its first member."""
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
