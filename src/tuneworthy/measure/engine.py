"""Traces through every signal, in bounded memory.

Batches come and go; what stays of a trace are the numbers the signals made of it, in a file. In the
end each signal gets its own columns whole, one signal after the other.
"""

from __future__ import annotations

import gc
import math
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneworthy.errors import InputError
from tuneworthy.measure.duplicates import Copies, compared_text, mix64
from tuneworthy.measure.sample import Sample
from tuneworthy.measure.signals.base import (
    DUPLICATE_OF,
    ENOUGH_CONVERSATIONS,
    Found,
    Signal,
    Table,
    as_numbers,
    distinct,
    how_many,
)
from tuneworthy.measure.store import Store
from tuneworthy.model.evidence import COLUMNS, Batch, SystemPrompt
from tuneworthy.text.search import Joined, forget

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Numbers for names, and for the system prompts, of which there may be too many to keep.

MOST_NAMES = 5_000
"""More distinct models, prompts or system prompts than this are no versions of one thing."""

_MOST_CHARACTERS = 64 << 20  # of all system prompts together
_HASHED_AT_ONCE = 64  # characters of a name
_MOST_DIGESTS = 1_000_000  # counted no further
_LONGEST_NAME = 200
_NEITHER = -1


class Names:
    """Models or prompt versions by number, in the order of their first appearance."""

    def __init__(self) -> None:
        self._codes: dict[str | None, int] = {None: _NEITHER}

    def of(self, values: Sequence[str | None]) -> NDArray[np.int64]:
        """The number of each; -1 for none, and for what comes after too many."""
        codes = self._codes
        try:
            return np.fromiter(map(codes.__getitem__, values), np.int64, len(values))
        except KeyError:
            return np.array([self._code(value) for value in values], dtype=np.int64)

    def _code(self, value: str | None) -> int:
        if value is not None and len(value) > _LONGEST_NAME:
            value = value[:_LONGEST_NAME]
        known = self._codes.get(value)
        if known is not None:
            return known
        if len(self._codes) > MOST_NAMES:
            return _NEITHER
        self._codes[value] = len(self._codes) - 1
        return len(self._codes) - 2

    @property
    def all(self) -> tuple[str, ...]:
        """The names by number."""
        return tuple(name for name in self._codes if name is not None)


class _Seen:
    """How often a system prompt was seen, and when."""

    __slots__ = ("first", "last", "n")

    def __init__(self) -> None:
        self.n = 0
        self.first: float | None = None
        self.last: float | None = None

    def note(self, n: int, first: float, last: float) -> None:
        """Seen so often more, between these times; NaN where no time is known."""
        self.n += n
        if not math.isnan(first):
            self.first = first if self.first is None else min(first, self.first)
            self.last = last if self.last is None else max(last, self.last)


class Systems:
    """System prompts by number, in the order of their first appearance.

    Where there are more than ``MOST_NAMES``, or more text than memory should hold, none is kept:
    they are a template with something else filled in each time.
    """

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._seen: list[_Seen] = []
        self._characters = 0
        self._digests: set[bytes] | None = None

    def of(self, values: Sequence[str | None], times: NDArray[np.float64]) -> NDArray[np.int64]:
        """The number of each; -1 for none."""
        texts, place = distinct(values)
        codes = [_NEITHER if text is None else self._code(text) for text in texts]
        found = np.array(codes, dtype=np.int64)[place]
        self._note(found, times)
        return found

    def _code(self, value: str) -> int:
        if self._digests is not None:
            if len(self._digests) < _MOST_DIGESTS:
                self._digests.add(_digest(value))
            return _NEITHER
        known = self._codes.get(value)
        if known is not None:
            return known
        self._codes[value] = len(self._seen)
        self._seen.append(_Seen())
        self._characters += len(value)
        if len(self._seen) > MOST_NAMES or self._characters > _MOST_CHARACTERS:
            self._digests = {_digest(text) for text in self._codes}
            self._codes, self._seen = {}, []
            return _NEITHER
        return len(self._seen) - 1

    def _note(self, found: NDArray[np.int64], times: NDArray[np.float64]) -> None:
        """Count what was seen, and when."""
        if not self._seen or not len(found):
            return
        order = np.argsort(found, kind="stable")
        ordered, clock = found[order], times[order]
        begins = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
        counts = np.diff(np.append(begins, len(found)))
        first, last = np.fmin.reduceat(clock, begins), np.fmax.reduceat(clock, begins)
        for place, code in enumerate(ordered[begins].tolist()):
            if 0 <= code < len(self._seen):
                self._seen[code].note(int(counts[place]), float(first[place]), float(last[place]))

    @property
    def distinct(self) -> int:
        """How many there were."""
        return len(self._seen) if self._digests is None else len(self._digests)

    def kept(self, conversations: int) -> tuple[SystemPrompt, ...]:
        """The system prompts by number.

        Args:
            conversations: Conversations that have one; where each has another the prompts are a
                template, and none is given.
        """
        if conversations >= ENOUGH_CONVERSATIONS and self.distinct >= conversations:
            return ()
        return tuple(
            SystemPrompt(text, seen.n, seen.first, seen.last)
            for text, seen in zip(self._codes, self._seen, strict=True)
        )


def hashed(names: Sequence[str]) -> NDArray[np.uint64]:
    """A hash of each name, the same in every run: of all its characters, two at a time."""
    found = np.zeros(len(names), dtype=np.uint64)
    for pair in _characters(names).view(np.uint64).T:
        found = np.where(pair != 0, mix64(found ^ pair), found)
    return found


def _characters(names: Sequence[str]) -> NDArray[np.uint32]:
    """Characters by number, an even number a name; of a long name those of its digest."""
    whole = Joined(names)
    if whole.plain.all() and (longest := int(whole.lengths.max(initial=0))) <= _HASHED_AT_ONCE:
        return whole.opening(longest + longest % 2).astype(np.uint32)
    short = [name if len(name) <= _HASHED_AT_ONCE else _digest(name).hex() for name in names]
    table = np.array(short)
    characters = table.dtype.itemsize // 4
    table = table.astype(f"U{characters + characters % 2}")
    return table.view(np.uint32).reshape(len(names), -1)


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


# Traces through every signal, in bounded memory.

_ALONE = np.uint64(0x6A09E667F3BCC909)  # apart from the hashes of names
_COLLECTED_AFTER = 100_000
_BASE = ("conversation", "time", "turn", "model", "prompt", "system")


def measure(
    batches: Iterable[Batch],
    signals: Sequence[Signal],
    *,
    folder: Path,
    memory: str = "512MB",
    progress: Callable[[int], None] | None = None,
) -> tuple[Found, ...]:
    """What signals say about traces.

    The same traces give the same answer, however they are cut into batches.

    Args:
        batches: The traces; each batch is let go of after it was looked at.
        signals: What to measure.
        folder: Where a temporary folder may be made; it is gone afterwards, whatever happens.
        memory: The most that DuckDB may take; signals and one batch come on top.
        progress: Told the number of traces so far, after each batch.

    Returns:
        One answer a signal, in their order; none of them has evidence if there is no trace.

    Raises:
        InputError: If there is no room for the temporary file, or reading a batch raises it.
    """
    with _rarely_collected(), _forgotten(), _store(folder, memory) as (store, place):
        run = _Run(store, signals, place)
        for batch in batches:
            if len(batch):
                run.add(batch)
            if progress is not None:
                progress(run.traces)
            # Gone before the next one is read, which then lies where the processor has it near.
            del batch
            forget()
        return tuple(run.answers())


@contextmanager
def _rarely_collected() -> Iterator[None]:
    """Python looks for cycles of objects after a hundred thousand new ones, and not after 700.

    A batch is some ten thousand objects without a cycle among them: looking costs a twentieth of
    all the time, and finds nothing.
    """
    before = gc.get_threshold()
    if before[0] == 0:  # whoever asked for none gets none
        yield
        return
    gc.set_threshold(max(_COLLECTED_AFTER, before[0]), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def _forgotten() -> Iterator[None]:
    """What functions remember of texts is of this run alone."""
    forget()
    try:
        yield
    finally:
        forget()


@contextmanager
def _store(folder: Path, memory: str) -> Iterator[tuple[Store, Path]]:
    """A store in a folder of its own, both gone in the end."""
    import duckdb

    try:
        with tempfile.TemporaryDirectory(prefix="measure-", dir=folder) as name:
            store = Store(Path(name), memory)
            try:
                yield store, Path(name)
            finally:
                store.close()
    except (OSError, duckdb.Error) as problem:
        told = str(problem).strip().splitlines()
        raise InputError(
            f"can't keep the numbers of a measurement: {told[0] if told else 'no reason given'}",
            where=str(folder),
            fix="make room on the disk, or name another folder for temporary files with TMPDIR",
        ) from problem


class _Run:
    """One pass over the traces."""

    def __init__(self, store: Store, signals: Sequence[Signal], folder: Path) -> None:
        self.traces = 0
        self._store, self._signals = store, signals
        self._columns: dict[int, list[str]] = {place: [] for place in range(len(signals))}
        self._models, self._prompts, self._systems = Names(), Names(), Systems()
        self._present: set[str] = set()
        self._sample = Sample()
        wanted = any(getattr(signal, "wants_duplicates", False) for signal in signals)
        self._copies = Copies(store, folder=folder) if wanted else None

    def add(self, batch: Batch) -> None:
        """Look at some traces."""
        self._note_present(batch)
        times = as_numbers(batch.column("timestamp"))
        keys = conversation_keys(batch.conversation or [None] * len(batch), self.traces)
        columns: dict[str, NDArray[Any]] = {
            "conversation": keys,
            "time": times,
            "turn": as_numbers(batch.column("turn")),
            "model": self._models.of(batch.model or [None] * len(batch)),
            "prompt": self._prompts.of([name or None for name in batch.column("prompt")]),  # type: ignore[misc]  # a column of texts
            "system": self._systems.of(batch.system or [None] * len(batch), times),
        }
        for place, signal in enumerate(self._signals):
            found = signal.rows(batch)
            self._columns[place] = list(found)
            columns |= {f"{place} {name}": values for name, values in found.items()}
        if self._copies is not None:
            asked, answers = batch.column("input"), batch.output
            texts = [compared_text(a, b) for a, b in zip(asked, answers, strict=True)]  # type: ignore[arg-type]  # a column of texts
            columns |= self._copies.add(texts)
            columns["answered"] = as_numbers(None if text is None else 1 for text in texts)
        self._sample.add(batch, keys, self.traces)
        self._store.add(columns)
        self.traces += len(batch)

    def answers(self) -> Iterator[Found]:
        """What each signal says in the end."""
        if not self.traces:
            yield from (Found() for _ in self._signals)
            return
        shared = self._shared()
        copies = None if self._copies is None else self._duplicate_of(self._copies)
        for place, signal in enumerate(self._signals):
            stored = self._store.get([f"{place} {name}" for name in self._columns[place]])
            numbers = {name: stored[f"{place} {name}"] for name in self._columns[place]}
            if copies is not None and getattr(signal, "wants_duplicates", False):
                numbers[DUPLICATE_OF] = copies
            yield signal.finish(Table(numbers=numbers, **shared))

    def _note_present(self, batch: Batch) -> None:
        for name in COLUMNS:
            if name not in self._present:
                values = getattr(batch, name)
                if any(value is not None for value in values):
                    self._present.add(name)

    def _shared(self) -> dict[str, Any]:
        """What the table of every signal has in common."""
        base = self._store.get(_BASE)
        keys, system = base["conversation"], base["system"]
        sample, cut = self._sample.batch()
        conversation = _by_appearance(keys)
        systems = self._systems.kept(how_many(conversation[system >= 0]))
        if not systems:
            system = np.full_like(system, -1)
        prompt, prompts = _versions(base["prompt"], self._prompts.all, system)
        return {
            "conversation": conversation,
            "time": base["time"],
            "turn": base["turn"],
            "model": base["model"],
            "models": self._models.all,
            "prompt": prompt,
            "prompts": prompts,
            "system": system,
            "systems": systems,
            "present": frozenset(self._present),
            "sample": sample,
            "distinct_systems": self._systems.distinct,
            "cut_texts": cut,
        }

    def _duplicate_of(self, copies: Copies) -> NDArray[np.float64]:
        groups = copies.groups().astype(np.float64)
        groups[np.isnan(self._store.get(["answered"])["answered"])] = np.nan
        return groups


def conversation_keys(names: Sequence[str | None], first_row: int) -> NDArray[np.uint64]:
    """A hash for each conversation; a trace without one has its own."""
    if all(names):
        return hashed(names)  # type: ignore[arg-type]  # none of them is None
    keys = mix64(np.arange(first_row, first_row + len(names), dtype=np.uint64) ^ _ALONE)
    if given := [name for name in names if name]:
        keys[[row for row, name in enumerate(names) if name]] = hashed(given)
    return keys


def _by_appearance(keys: NDArray[Any]) -> NDArray[np.int64]:
    """Values as numbers from 0, in the order of their first appearance."""
    _, first, member = np.unique(keys, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[member.ravel()]


def _versions(
    named: NDArray[np.int64], names: Sequence[str], system: NDArray[np.int64]
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Prompt versions: by name, and where there is none by the number of the system prompt."""
    either = np.where(named >= 0, named, np.where(system >= 0, system + len(names), -1))
    codes, first = np.unique(either, return_index=True)
    versions: dict[str, int] = {}
    of_code = np.full(int(either.max(initial=-1)) + 2, -1, dtype=np.int64)
    for code in codes[np.argsort(first)].tolist():
        if code >= 0:
            name = names[code] if code < len(names) else f"system {code - len(names) + 1}"
            of_code[code] = versions.setdefault(name, len(versions))
    return of_code[either], tuple(versions)  # the last of ``of_code`` stands for none
