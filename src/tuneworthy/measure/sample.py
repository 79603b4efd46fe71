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
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
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

#: Messages (the newest), passages and calls of tools (the first) of a trace.
_MOST_TURNS = 100
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
        # A quarter above the limit: shrinking often keeps out what would be dropped anyway, and
        # sorts each time.
        self._shrunk_at = self._traces + self._traces // 4
        self._kept: list[_Trace] = []
        self._size = 0
        self._limit: int | None = None  # the smallest hash that is too large

    def add(self, batch: Batch, keys: NDArray[np.uint64], first_row: int) -> None:
        """Add traces; ``keys`` are the hashes of their conversations."""
        columns = {}
        for name in COLUMNS:
            values = getattr(batch, name)
            if values:
                columns[name] = values
        long = [name for name in columns if name in _TEXTS | _LISTS]
        for row in self._candidates(keys).tolist():
            values = {name: each[row] for name, each in columns.items()}
            size = 0
            cut = 0
            for name in long:
                if values[name] is not None:
                    short = _shortened(name, values[name])
                    values[name] = short.value
                    size += short.size
                    if short.is_cut:
                        cut += 1
            self._kept.append(
                _Trace(int(keys[row]), first_row + row, size, cut, values)
            )
            self._size += size
            if len(self._kept) > self._shrunk_at or self._size > 2 * self._characters:
                self._shrink()

    def _candidates(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The rows with these keys that may be in the sample, as far as is known yet."""
        rows = np.arange(len(keys))
        if self._limit is not None:
            rows = np.flatnonzero(keys < np.uint64(self._limit))
        kept = np.fromiter((trace.key for trace in self._kept), np.uint64)
        drawn = np.append(kept, keys[rows])
        if len(drawn) > self._traces:
            # What comes after as many smaller keys as fit is dropped in any case.
            largest = np.partition(drawn, self._traces)[self._traces]
            rows = rows[keys[rows] <= largest]
        return rows

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
        # Shrinking sets a limit only where it drops something, so the earlier ones are kept here.
        limits = [self._limit, other._limit]
        self._kept += other._kept
        self._shrink()
        limits.append(self._limit)
        self._limit = min(
            (limit for limit in limits if limit is not None), default=None
        )

    def _shrink(self) -> None:
        """Keep the first traces in the order of the draw, as many as fit; at least one.

        A dropped trace can never come back: more traces only push others farther behind.
        """
        self._kept.sort(key=attrgetter("key", "row"))
        size = 0
        for place, trace in enumerate(self._kept):
            is_too_large = place > 0 and size + trace.size > self._characters
            if place == self._traces or is_too_large:
                self._limit = trace.key
                del self._kept[place:]
                break
            size += trace.size
        self._size = size


class _Shortened(NamedTuple):
    """The part of a value that is kept."""

    value: Any
    size: int  #: Characters.
    is_cut: bool


def _shortened(name: str, value: Any) -> _Shortened:
    """Cut a value of a column of texts, or of lists of texts, to what a sample keeps."""
    if name in _TEXTS:
        text = value[:LONGEST_TEXT]
        return _Shortened(text, len(text), len(text) < len(value))
    some = tuple(value[-_MOST_TURNS:] if name == "messages" else value[:_MOST_TURNS])
    # A passage is a text; a message and a call of a tool are pairs with their text behind.
    if name == "contexts":
        sizes = [len(text) for text in some]
    else:
        sizes = [len(text) for _, text in some]
    if max(sizes, default=0) <= LONGEST_TEXT:
        return _Shortened(some, sum(sizes), len(some) < len(value))
    if name == "contexts":
        some = tuple(text[:LONGEST_TEXT] for text in some)
    else:
        some = tuple(type(pair)(pair[0], pair[1][:LONGEST_TEXT]) for pair in some)
    return _Shortened(some, sum(min(size, LONGEST_TEXT) for size in sizes), True)


LETTERS = 10  #: The fewest letters from which a text's language is named.
LOOKED_AT = 240  #: The characters of a text that are read for it.
SURE = 0.7
"""The lowest probability for naming a text's language. These three are our choice: none of 7,580
English requests gets another language (docs/evidence/accuracy.md)."""


def languages(texts: Sequence[str], sure_from: float = SURE) -> list[str | None] | None:
    """The ISO 639 code of each text's language; None for a short, mixed or unknown one.

    It depends on the letters alone, by a model inside its package; None where the package is
    missing.
    """
    model = _language_model()
    if model is None:
        return None
    known: dict[str, str | None] = {}
    for text in texts:
        if text not in known:
            known[text] = _language(model, text, sure_from)
    return [known[text] for text in texts]


def _language(model: Any, text: str, sure_from: float) -> str | None:
    """The code of a text's language; None where it is short, or none is as likely as that."""
    # Half a pair of UTF-16 becomes a question mark, as the model takes no half.
    part = text[:LOOKED_AT].encode("utf-8", "replace").decode()
    letters = sum(1 for each in part if each.isalpha())
    if letters < LETTERS:
        return None
    code, probability = _likeliest(model, part)
    if code == _NO_LANGUAGE or probability < sure_from:
        return None
    return code


def _likeliest(model: Any, text: str) -> tuple[str, float]:
    """The likeliest of the languages that may be named, and its probability among them."""
    ranked = [
        (code, score) for code, score in model.rank(text) if code not in _CONFUSED
    ]
    total = sum(score for _, score in ranked)
    # The model gives the likeliest first.
    code, score = ranked[0]
    return code, score / total


_NO_LANGUAGE = "zxx"  #: The code of ISO 639 for what is no language.
_CONFUSED = frozenset(
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
    if not arrays.keys() >= _MODEL_ARRAYS:
        # Another release packs its model otherwise: it reads that itself, more slowly.
        return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    moves: Any = arrays["nextmove"]
    return LanguageIdentifier(
        arrays["ptc"],
        arrays["pc"],
        arrays["classes"].tolist(),
        # Reading one item of a memoryview is faster than reading one of an array.
        memoryview(moves),
        arrays["out_feat"].tolist(),
        norm_probs=True,
        tk_row=arrays["nextmove_row"].tolist(),
    )


_MODEL_ARRAYS = {"ptc", "pc", "classes", "nextmove", "nextmove_row", "out_feat"}


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
    """The arrays of a file by name, used where they lie in its bytes: numpy would copy them twice.

    ``packed`` and ``data`` are the same file. It is {} where an array is compressed, or its header
    isn't of numpy's first version: then its bytes can't be used as they are.
    """
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
                header_size = file.tell()
            begin = _begin_of(data, member.header_offset) + header_size
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
_PAIRS = 1 << 12  #: Pairs compared at once, so that a processor holds them near.
_OPENING = 16  #: Places of each side, question and answer, that are compared before the others.
_SIDES = np.array((ASKED, PLACES - ASKED))
_ONES = np.kron(
    np.eye(2, dtype=np.uint64), np.full((2, 1), 0x0101010101010101, np.uint64)
)
"""Sums the bytes of two pairs of 64-bit numbers, a pair for each side, into the top byte of each."""

_WEIGHTS = np.array(
    (
        0x9E3779B97F4A7C15,
        0xC2B2AE3D27D4EB4F,
        0x165667B19E3779F9,
        0xBF58476D1CE4E5B9,
        0x94D049BB133111EB,
    ),
    np.uint64,
)
"""Large odd numbers without a pattern: of the words of a run, and of the places of a band."""


def _letter(code: int) -> int:
    """A byte of a letter or digit in small letters; 0 for any other of ASCII."""
    if code >= 128:
        return code
    return ord(chr(code).lower()) if chr(code).isalnum() else 0


_LETTERS = bytes(map(_letter, range(256)))
_AT_ONCE = 1 << 20  #: Bytes of words whose letters are numbers at once.
_POWER = 0x9E3779B1  #: An odd number without a pattern, whose powers weigh the letters of a word.
_INVERSE = pow(_POWER, -1, 1 << 32)  #: It undoes a product with ``_POWER`` in 32 bits.
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
        # The text joins every group with a near copy of it to one.
        joined = [text]
        apart = []
        for group in groups:
            if any(jaccard(text, other) >= near_copy for other in group):
                joined += group
            else:
                apart.append(group)
        groups = [*apart, joined]
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
        self._waiting: list[_SignedRow] = []
        self.shared = shared

    def add(
        self,
        questions: Sequence[str | None],
        answers: Sequence[str | None],
        first_row: int = 0,
    ) -> Signatures:
        """Add rows, and return the signatures that are ready, usually those of these rows."""
        pairs = zip(questions, answers, strict=True)
        for row, (question, answer) in enumerate(pairs, start=first_row):
            self._waiting.append(_SignedRow(question or "", answer, row))
        if self.shared or len(self._waiting) >= FIRST:
            return self.rest()
        return _NO_SIGNATURES

    def rest(self) -> Signatures:
        """The signatures of all rows that still wait."""
        if not self._waiting:
            return _NO_SIGNATURES
        questions = [each.question for each in self._waiting]
        answers = [each.answer for each in self._waiting]
        rows = [each.row for each in self._waiting]
        self._waiting = []
        if not self.shared:
            self.shared = (
                _shared(*_runs_of(questions[:FIRST], rows[:FIRST])),
                _shared(*_runs_of(answers[:FIRST], rows[:FIRST])),
            )
        shared_questions, shared_answers = self.shared
        asked = _signatures(questions, rows, shared_questions, ASKED)
        answered = _signatures(answers, rows, shared_answers, PLACES - ASKED)
        return np.hstack([asked, answered])


class _SignedRow(NamedTuple):
    """A row that waits for its signature."""

    question: str
    answer: str | None
    row: int


def _signatures(
    texts: Sequence[str | None],
    rows: Sequence[int],
    shared: NDArray[np.uint64],
    places: int,
) -> Signatures:
    """The signatures of some texts, with so many places; without the runs that many rows share."""
    signed = []
    for start in range(0, len(rows), _TOGETHER):
        piece = slice(start, start + _TOGETHER)
        runs, text = _runs_of(texts[piece], rows[piece])
        signed.append(_signed(runs, text, shared, places))
    return np.vstack(signed)


_NO_SIGNATURES = np.empty((0, PLACES), dtype=np.uint32)


def _runs_of(
    texts: Sequence[str | None], rows: Sequence[int]
) -> tuple[NDArray[np.uint64], Places]:
    """Hashes of all runs of three words, and the text of each run."""
    return _hashed([*map(_spaced, texts, rows)])


def _hashed(spaced: list[bytes]) -> tuple[NDArray[np.uint64], Places]:
    """Hash every run of three words; returns the hashes, and the text that each is in."""
    if len(spaced) > 1 and sum(map(len, spaced)) > _AT_ONCE:
        # In halves, so that the arrays below stay small.
        half = len(spaced) // 2
        runs, text = _hashed(spaced[:half])
        more_runs, more_text = _hashed(spaced[half:])
        return np.append(runs, more_runs), np.append(text, more_text + half)
    letters = np.frombuffer(b"".join((b"\0", *spaced)), np.uint8)
    gaps = letters == 0
    begins = np.flatnonzero(gaps[:-1] > gaps[1:]) + 1
    words = _word_hashes(letters, begins)
    # The first word of each text, and one place behind the last.
    first = np.searchsorted(begins, np.cumsum([1, *map(len, spaced)]))
    runs_in = _runs_in(np.diff(first))
    text = np.repeat(np.arange(len(spaced)), runs_in)
    # The word that each run begins with: the first of its text, and then one after the other.
    run_in_text = np.arange(len(text)) - (np.cumsum(runs_in) - runs_in)[text]
    place = first[:-1][text] + run_in_text
    start, middle, end = (words * weight for weight in _WEIGHTS[:3])
    return (start[:-2] + middle[1:-1] + end[2:])[place], text


def _word_hashes(letters: NDArray[np.uint8], begins: Places) -> NDArray[np.uint64]:
    """Hash every word: the sum of its letters, each times a power of a number by its place in it.

    All sums are made at once, from the first of all letters on. The sum in front of a word is taken
    out of it, and the power at its begin is divided out, all in whole numbers of 32 bits.
    """
    doubled = len(letters).bit_length()
    powers = _powers(_POWER, doubled)
    inverse = _powers(_INVERSE, doubled)
    sums = np.cumsum(letters * powers[: len(letters)], dtype=np.uint32)
    hashes = np.diff(sums[begins - 1], append=sums[-1:]) * inverse[begins]
    return hashes.astype(np.uint64)


def _runs_in(words: Places) -> Places:
    """The number of three-word runs in texts with so many words, the two added ones included.

    With three words of its own or more, a text needs no run that holds an added word. With fewer,
    these are all that it has.
    """
    runs = words - 2
    return runs - 2 * (runs > 2)


@lru_cache(maxsize=4)
def _powers(number: int, doubled: int) -> NDArray[np.uint32]:
    """The first powers of a number, in 32 bits; ``2 ** doubled`` of them."""
    return np.cumprod(
        np.append(1, np.full((1 << doubled) - 1, number)), dtype=np.uint32
    )


def _shared(runs: NDArray[np.uint64], text: Places) -> NDArray[np.uint64]:
    """Runs that are in many of these texts, in order; ``text`` is the place of each run's text."""
    rows = int(text[-1]) + 1
    order = np.lexsort((text, runs))
    text = text[order]
    runs = runs[order]
    # A run counts once for each text.
    is_new = np.append(True, (runs[1:] != runs[:-1]) | (text[1:] != text[:-1]))
    different, texts_with = np.unique(runs[is_new], return_counts=True)
    return np.asarray(different[texts_with > max(SHARED * rows, SHARED_ROWS)])


def _signed(
    runs: NDArray[np.uint64], text: Places, shared: NDArray[np.uint64], places: int
) -> Signatures:
    """MinHash signatures by ``rensa``, a row for each text.

    Runs that many rows share are left out, except in a text that has no others.
    """
    from rensa import RMinHash

    texts = int(text[-1]) + 1
    # ``shared`` is in order, so each run can only be at one place in it; 0 stands behind the last.
    is_own = np.append(shared, np.uint64(0))[np.searchsorted(shared, runs)] != runs
    counts = np.bincount(text[is_own], minlength=texts)
    if not counts.all():
        is_own |= (counts == 0)[text]
        counts = np.bincount(text[is_own], minlength=texts)
    offsets = np.append(0, np.cumsum(counts)).astype(np.uint64)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(
        runs[is_own], offsets, places, _SEED
    )
    numbers = array("I")
    for row in matrix.to_rows():
        numbers.fromlist(row)
    return np.frombuffer(numbers, np.uint32).reshape(-1, places)


def _spaced(text: str | None, row: int) -> bytes:
    """Words in small letters, each followed by a zero; after the last, two words that no text has.

    A missing text is the word of its row, which no other has. A text without a word is one word of
    all its bytes.
    """
    short = f"\0{row}" if text is None else text[:LONGEST]
    if short.isascii():
        lower = short
    elif short.encode("utf-8", "surrogatepass").translate(None, _NARROW):
        # Something is left beside narrow letters: ideographs, and each is a word.
        lower = " ".join(_IDEOGRAPH.split(short)).lower()
    else:
        lower = short.lower()
    # Capitals of ASCII become small in this table, and its signs become zeros.
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
    openings = np.hstack(
        [
            matrix[:, :_OPENING].astype(np.uint8),
            matrix[:, ASKED : ASKED + _OPENING].astype(np.uint8),
        ]
    )
    for band in range(BANDS):
        for left, right in _pairs_of_band(matrix, band):
            apart = group[left] != group[right]
            near = _alike(matrix, openings, left[apart], right[apart], alike)
            group = joined_groups(group, left[apart][near], right[apart][near])
    return _first_copies(matrix, openings, group, alike)


def _pairs_of_band(matrix: Signatures, band: int) -> Iterator[tuple[Places, Places]]:
    """Pairs of rows to compare, because they are equal in one band: earlier rows, and later ones.

    Each row is paired with the first one equal to it, and with the three before it. So the work
    stays linear, however many rows are equal.
    """
    rows = np.arange(len(matrix), dtype=np.int64)
    bits = np.uint64(len(rows).bit_length())
    keys = matrix[:, band * ROWS : (band + 1) * ROWS].astype(np.uint64) @ _WEIGHTS
    # A key carries its row's place in its lowest bits, so sorting keys sorts the rows.
    keys = keys >> bits << bits | rows.astype(np.uint64)
    keys.sort()
    ordered = keys >> bits
    order = (keys - (ordered << bits)).astype(np.int64)
    # Only rows that equal another are paired, mostly a few.
    again = ordered[1:] == ordered[:-1]
    is_equal = np.append(again, False) | np.append(False, again)
    is_equal = is_equal[: len(rows)]
    order = order[is_equal]
    ordered = ordered[is_equal]
    begins = np.append(True, ordered[1:] != ordered[:-1])[: len(order)]
    first = order[np.maximum.accumulate(np.where(begins, rows[: len(order)], 0))]
    yield first, order
    for back in (1, 2, 3):
        same = np.roll(ordered, back) == ordered
        yield np.roll(order, back)[same], order[same]


def _first_copies(
    matrix: Signatures, openings: NDArray[np.uint8], group: Places, alike: float
) -> Places:
    """The first row that each is similar to; ``group`` joins rows by copies of copies.

    Rows that are unlike the first of their group form a new one, again and again.
    """
    copy_of = np.arange(len(matrix), dtype=np.int64)
    group = group.copy()
    left = np.flatnonzero(group != copy_of)
    for _ in range(_ROUNDS):
        near = _alike(matrix, openings, group[left], left, alike)
        copy_of[left[near]] = group[left[near]]
        left = left[~near]
        _, first, member = np.unique(
            group[left], return_index=True, return_inverse=True
        )
        group[left] = left[first][member]
        # The first of a new group stands for itself.
        left = left[group[left] != left]
    return copy_of


_ROUNDS = 20  #: Groups that a chain of copies of copies is cut into, at most.


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
    needed_asked = _places_for(alike, ASKED)
    needed_answered = _places_for(alike, PLACES - ASKED)
    # All places beyond the openings may agree: so many at least have to agree in them.
    least = np.array([needed_asked, needed_answered]) - _SIDES + _OPENING
    for start in range(0, len(left), _PAIRS):
        pairs = slice(start, start + _PAIRS)
        same = openings.take(left[pairs], axis=0) == openings.take(right[pairs], axis=0)
        # Eight bytes of ones and zeros as one number: this product has their sum in its top byte.
        opened = same.view(np.uint64) @ _ONES >> np.uint64(56)
        enough = (opened.astype(np.int64) >= least).all(axis=1)
        some = start + np.flatnonzero(enough)
        same = matrix[left[some]] == matrix[right[some]]
        near[some] = np.count_nonzero(same[:, :ASKED], axis=1) >= needed_asked
        near[some] &= np.count_nonzero(same[:, ASKED:], axis=1) >= needed_answered
    return near


def _places_for(alike: float, places: int) -> int:
    """The fewest of some places that have to agree for a share of at least ``alike``."""
    for fewest in range(places):
        if fewest / places >= alike:
            return fewest
    return places


def joined_groups(group: Places, left: Places, right: Places) -> Places:
    """Join groups by similar pairs. A group has the number of its first member."""
    while len(left):
        low = np.minimum(group[left], group[right])
        lower = group.copy()
        np.minimum.at(lower, group[left], low)
        np.minimum.at(lower, group[right], low)
        # A group that was joined to another follows it to where that was joined.
        lower = lower[lower]
        if np.array_equal(lower, group):
            break
        group = lower
    return group
