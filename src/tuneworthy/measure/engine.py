"""Traces through every signal, in bounded memory.

Batches are dropped after use. Only the numbers that the signals made of each trace stay, in a file.
At the end, the signals get their own whole columns, one signal after the other.
"""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from itertools import compress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuneworthy.errors import InputError
from tuneworthy.measure.sample import PLACES, Sample, Shared, Signer, near_copies
from tuneworthy.measure.signals.base import (
    DUPLICATE_OF,
    ENOUGH_CONVERSATIONS,
    Findings,
    Ints,
    TraceSignal,
    TraceTable,
    as_numbers,
    distinct,
    how_many,
)
from tuneworthy.model.evidence import COLUMNS, Batch
from tuneworthy.stats.clustered import members
from tuneworthy.text.search import forget

MOST_NAMES = 5_000
"""More distinct models, prompts or system prompts than this aren't versions of one thing."""

_MOST_CHARACTERS = 64 << 20
"""Characters of all system prompts together, so that they fit into memory."""

_MOST_DIGESTS = 1_000_000
"""Different system prompts are counted up to here, so that their digests fit into memory."""

#: Characters of a name; some tools use the text of a prompt as its name.
_LONGEST_NAME = 200

#: New objects between two runs of Python's collector of cycles.
_COLLECTED_AFTER = 100_000

_NONE = -1  #: The number that stands for no name, and for a name that isn't kept.

_MOST_ROWS = 1 << 40
"""Rows of one file at most. The rows of file k are numbered from k times this on, so a trace has
the same number whether files are read one after the other or at the same time."""


class _ColumnFile(NamedTuple):
    """The open file of one column."""

    file: BinaryIO
    kind: np.dtype[Any]


class ColumnFiles:
    """Columns of numbers in plain files, a file for each column."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._files: dict[str, _ColumnFile] = {}

    def add(self, columns: Mapping[str, NDArray[Any]]) -> None:
        """Add rows, with the same columns and types every time."""
        for name, values in columns.items():
            if name not in self._files:
                path = self._folder / f"{len(self._files)}.column"
                file = self._stack.enter_context(path.open("wb"))
                self._files[name] = _ColumnFile(file, values.dtype)
            self._files[name].file.write(np.ascontiguousarray(values).data)

    @property
    def names(self) -> list[str]:
        return [*self._files]

    def get(self, name: str) -> NDArray[Any]:
        """A whole column, in the order of its rows."""
        column = self._files[name]
        # What was written last may still be in the buffer of the open file.
        column.file.flush()
        return np.fromfile(column.file.name, dtype=column.kind)


class Names:
    """Numbers for models or prompt versions, in the order of their first appearance."""

    def __init__(self) -> None:
        self._codes: dict[str | None, int] = {None: _NONE}

    def number_names(self, values: Sequence[Any]) -> Ints:
        return np.fromiter(map(self._code, values), np.int64, len(values))

    def _code(self, value: str | None) -> int:
        """Return the number of a name; -1 for None, and for new names after too many."""
        if value is not None:
            value = value[:_LONGEST_NAME]
        if value not in self._codes and len(self._codes) <= MOST_NAMES:
            # The entry for None has no number of its own.
            self._codes[value] = len(self._codes) - 1
        return self._codes.get(value, _NONE)

    @property
    def all(self) -> tuple[str, ...]:
        return tuple(name for name in self._codes if name is not None)


class SystemPrompts:
    """Numbers for system prompts, in the order of their first appearance.

    None of them is kept where there are more than ``MOST_NAMES``, or more text than memory should
    hold: then they are a template that is filled in differently each time.
    """

    def __init__(self) -> None:
        self._codes: dict[str, int] | None = {}  # None: there are too many to keep
        self._characters = 0
        self._digests: set[bytes] = set()  # counts the texts, kept or not

    def number_texts(self, values: Sequence[str | None]) -> Ints:
        """Return the number of each system prompt; -1 for None, and for all once too many came."""
        texts, place = distinct(values)
        codes = [_NONE if text is None else self._code(text) for text in texts]
        return np.array(codes, np.int64)[place]

    def _code(self, text: str) -> int:
        """Return the number of a system prompt; -1 once there are too many to keep."""
        if self._codes is not None and text in self._codes:
            return self._codes[text]
        if len(self._digests) < _MOST_DIGESTS:
            self._digests.add(_digest(text))
        if self._codes is None:
            return _NONE
        self._characters += len(text)
        if len(self._codes) == MOST_NAMES or self._characters > _MOST_CHARACTERS:
            self._codes = None
            return _NONE
        code = len(self._codes)
        self._codes[text] = code
        return code

    def add_prompts(self, other: SystemPrompts) -> Ints:
        """Add the system prompts of another run, and return our number for each of its numbers."""
        self._digests |= other._digests
        if other._codes is None:
            # Its first rows have numbers from before it gave up, of texts that it no longer has.
            self._codes = None
            return np.full(MOST_NAMES, _NONE, np.int64)
        codes = [self._code(text) for text in other._codes]
        return np.array(codes, np.int64)

    def kept(self, conversations: int) -> tuple[str, ...]:
        """Return the system prompts by number; () where each conversation has another one."""
        if self._codes is None:
            return ()
        differ = len(self._digests) >= conversations
        # In a few conversations, as many prompts may still be versions of one.
        if differ and conversations >= ENOUGH_CONVERSATIONS:
            return ()
        return tuple(self._codes)


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


@lru_cache(maxsize=4096)
def _key(name: str) -> int:
    return int.from_bytes(_digest(name), "little")


def conversation_keys(
    names: Sequence[str | None], first_row: int, salt: str = ""
) -> NDArray[np.uint64]:
    """Hash the conversation of each trace, the same in every run.

    A trace without a name is a conversation of its own: its row is hashed instead. Another ``salt``
    gives hashes that have nothing to do with these, for another draw.
    """
    rows = enumerate(names, start=first_row)
    keys = (_key(f"{salt}{name}" if name else f"{salt}\0{row}") for row, name in rows)
    return np.fromiter(keys, np.uint64, len(names))


class Sampling:
    """A share of the conversations or test cases, drawn by a hash of their names and of the seed.

    The draw depends on nothing else, so any way of reading the same files draws the same.
    """

    def __init__(self, share: float, seed: int) -> None:
        self.share = share
        self._salt = f"drawn {seed} "
        self._piece = -1
        self._row = 0

    def draw_traces(self, batch: Batch, piece: int) -> Batch:
        """Return the traces of a batch that are in the sample.

        ``piece`` is the number of the batch's file, from 0; files come in that order.
        """
        if self.share >= 1:
            return batch
        if piece != self._piece:
            self._piece = piece
            self._row = piece * _MOST_ROWS
        # Arms of a test answer a case in conversations of their own: they are drawn together.
        pairs = zip(batch.column("case"), batch.column("conversation"), strict=True)
        names = [case or talk for case, talk in pairs]
        keys = conversation_keys(names, self._row, self._salt)
        self._row += len(batch)
        # Hashes are spread evenly over 64 bits, so this share of them is below the limit.
        is_drawn = (keys < np.uint64(self.share * 2.0**64)).tolist()
        columns = {}
        for name in COLUMNS:
            values = getattr(batch, name)
            if values:
                columns[name] = [*compress(values, is_drawn)]
        return Batch(**columns)


def _first_file() -> int:
    """The number of the file where all traces are taken for those of one."""
    return 0


def measure(
    batches: Iterable[Batch],
    signals: Sequence[TraceSignal],
    *,
    folder: Path,
    piece: Callable[[], int] = _first_file,
    share: float = 1.0,
) -> tuple[Findings, ...]:
    """Measure each signal on the traces, one result a signal; without a trace none has evidence.

    The same traces give the same result, however they are cut into batches.

    Args:
        batches: The traces; each batch is let go of after it was looked at.
        signals: What to measure.
        folder: Where a temporary folder may be made; it is gone afterwards, whatever happens.
        piece: Says the number of the file that the batch just given is of, from 0; asked after each
            batch.
        share: What share of the conversations these are, where they were drawn.

    Raises:
        InputError: If there is no room for the temporary files, or reading a batch raises it.
    """
    with _store(folder) as store:
        run = _Run(store, signals).filled(batches, piece)
        return run.answers(share)


@dataclass(slots=True)
class MeasuredPart:
    """The measurements of one file alone, to be merged with those of other files."""

    columns: dict[str, NDArray[Any]]
    named: dict[int, list[str]]  #: The columns of each signal.
    models: tuple[str, ...]
    prompts: tuple[str, ...]
    systems: SystemPrompts
    sample: Sample
    present: set[str]


def part_of(
    batches: Iterable[Batch],
    signals: Sequence[TraceSignal],
    *,
    folder: Path,
    piece: int = 0,
    shared: Shared = (),
) -> MeasuredPart | None:
    """Measure one file alone; None without a trace.

    Args:
        batches: The traces of the file.
        signals: What to measure.
        folder: Where a temporary folder may be made.
        piece: The number of the file, from 0.
        shared: Runs of words that many of the first traces of all files share.
    """
    with _store(folder) as store:
        run = _Run(store, signals, shared).filled(batches, lambda: piece)
        return run.part() if run.traces else None


def merged(
    parts: Iterable[MeasuredPart],
    signals: Sequence[TraceSignal],
    *,
    folder: Path,
    share: float = 1.0,
) -> tuple[Findings, ...]:
    """Merge parts of files, in the files' order, into the result that ``measure`` gives for all."""
    with _store(folder) as store:
        run = _Run(store, signals)
        for part in parts:
            run.add_part(part)
        return run.answers(share)


@contextmanager
def _store(folder: Path) -> Iterator[ColumnFiles]:
    """Open a store in a folder of its own, and remove both at the end.

    Meanwhile Python's collector of cycles runs after a hundred thousand new objects, not after 700.
    A batch is some ten thousand objects without a cycle, and running it more often takes a
    twentieth of all the time. Caches of functions for texts are emptied, as they belong to this run
    alone.
    """
    before = gc.get_threshold()
    new_objects = before[0]
    # At 0 the collector is off, and stays so.
    if new_objects:
        gc.set_threshold(max(_COLLECTED_AFTER, new_objects), *before[1:])
    forget()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="measure-", dir=folder) as name,
            ExitStack() as stack,
        ):
            yield ColumnFiles(Path(name), stack)
    except OSError as problem:
        lines = str(problem).strip().splitlines()
        reason = lines[0] if lines else "no reason given"
        raise InputError(
            f"can't keep the numbers of a measurement: {reason}",
            where=str(folder),
            fix="make room on the disk, or name another folder for temporary files with TMPDIR",
        ) from problem
    finally:
        forget()
        gc.set_threshold(*before)


class _Run:
    """One pass over the traces."""

    def __init__(
        self, store: ColumnFiles, signals: Sequence[TraceSignal], shared: Shared = ()
    ) -> None:
        self.traces = 0
        self._piece = 0  # the file that is being read
        self._row = 0  # the number of the next trace
        self._store = store
        self._signals = signals
        self._columns: dict[int, list[str]] = {}  # the columns of each signal
        self._models = Names()
        self._prompts = Names()
        self._systems = SystemPrompts()
        self._present: set[str] = set()
        self._sample = Sample()
        self._signer = Signer(shared)
        self._compares = any(signal.wants_duplicates for signal in signals)

    def filled(self, batches: Iterable[Batch], piece: Callable[[], int]) -> _Run:
        """Add all batches, each with the number of its file."""
        for batch in batches:
            if len(batch):
                self.add(batch, piece())
            # Gone before the next one is read, which then lies where the processor has it near.
            del batch
            forget()
        if self._compares and self.traces:
            # Signatures of the last traces may still wait for the runs that many traces share.
            self._store.add({"signature": self._signer.rest()})
        return self

    def add(self, batch: Batch, piece: int) -> None:
        """Add some traces of a file. The rows of each file have numbers of their own."""
        if piece != self._piece:
            self._piece = piece
            self._row = piece * _MOST_ROWS
        self._note_present(batch)
        keys = conversation_keys(batch.column("conversation"), self._row)
        columns = self._common_columns(batch, keys)
        for place, signal in enumerate(self._signals):
            numbers = signal.rows(batch)
            self._columns[place] = list(numbers)
            columns |= {f"{place} {name}": values for name, values in numbers.items()}
        if self._compares:
            columns["signature"] = self._signer.add(
                batch.column("input"), batch.output, self._row
            )
            columns["answered"] = np.array([text is not None for text in batch.output])
        self._sample.add(batch, keys, self._row)
        self._store.add(columns)
        self.traces += len(batch)
        self._row += len(batch)

    def _note_present(self, batch: Batch) -> None:
        """Remember which columns have a value anywhere in the traces."""
        for name in COLUMNS:
            if name in self._present:
                continue
            if any(value is not None for value in getattr(batch, name)):
                self._present.add(name)

    def _common_columns(
        self, batch: Batch, keys: NDArray[np.uint64]
    ) -> dict[str, NDArray[Any]]:
        """The numbers of each trace that every signal gets. ``keys`` hash its conversation."""
        prompts = [name or None for name in batch.column("prompt")]
        return {
            "conversation": keys,
            "time": as_numbers(batch.column("timestamp")),
            "turn": as_numbers(batch.column("turn")),
            "model": self._models.number_names(batch.column("model")),
            "prompt": self._prompts.number_names(prompts),
            "system": self._systems.number_texts(batch.column("system")),
        }

    def part(self) -> MeasuredPart:
        """The whole run, in a form that another process can take."""
        return MeasuredPart(
            columns={name: self._store.get(name) for name in self._store.names},
            named=self._columns,
            models=self._models.all,
            prompts=self._prompts.all,
            systems=self._systems,
            sample=self._sample,
            present=self._present,
        )

    def add_part(self, part: MeasuredPart) -> None:
        """Append the part of another file."""
        columns = dict(part.columns)
        # Our number for each number of the part, which numbered its names alone.
        ours = {
            "model": self._models.number_names(part.models),
            "prompt": self._prompts.number_names(part.prompts),
            "system": self._systems.add_prompts(part.systems),
        }
        for name, numbers in ours.items():
            # The last entry stays for -1, no name, which indexes from the end.
            columns[name] = np.append(numbers, _NONE)[columns[name]]
        self._store.add(columns)
        self._columns = part.named
        self.traces += len(columns["model"])
        self._present |= part.present
        self._sample.add_sample(part.sample)

    def answers(self, share: float) -> tuple[Findings, ...]:
        """Finish every signal, in the order of the signals; without traces none finds anything.

        Those that need near copies are finished last: copies are compared meanwhile.
        """
        if not self.traces:
            return tuple(Findings() for _ in self._signals)
        table = replace(self._table(), share=share)
        findings: dict[int, Findings] = {}
        waiting = []
        with ThreadPoolExecutor(1) as beside:
            copies = beside.submit(self._copies) if self._compares else None
            for place, signal in enumerate(self._signals):
                if signal.wants_duplicates:
                    waiting.append(place)
                else:
                    numbers = self._numbers(place)
                    findings[place] = signal.finish(replace(table, numbers=numbers))
            for place in waiting:
                numbers = self._numbers(place)
                if copies is not None:
                    numbers[DUPLICATE_OF] = copies.result()
                signal = self._signals[place]
                findings[place] = signal.finish(replace(table, numbers=numbers))
        return tuple(findings[place] for place in range(len(self._signals)))

    def _numbers(self, place: int) -> dict[str, NDArray[Any]]:
        """Read the columns of one signal, by the names that the signal gave them."""
        names = self._columns[place]
        return {name: self._store.get(f"{place} {name}") for name in names}

    def _copies(self) -> NDArray[Any]:
        """For each trace with an answer, the trace that it is a near copy of."""
        groups = near_copies(self._store.get("signature").reshape(-1, PLACES))
        return np.where(self._store.get("answered"), groups.astype(np.float64), np.nan)

    def _table(self) -> TraceTable:
        """The table that every signal gets, before its own numbers are added."""
        system = self._store.get("system")
        conversation, _ = members(self._store.get("conversation"))
        systems = self._systems.kept(how_many(conversation[system >= 0]))
        if not systems:
            system = np.full_like(system, _NONE)
        prompt, prompts = _versions(
            self._store.get("prompt"), self._prompts.all, system
        )
        return TraceTable(
            numbers={},
            conversation=conversation,
            time=self._store.get("time"),
            turn=self._store.get("turn"),
            model=self._store.get("model"),
            models=self._models.all,
            prompt=prompt,
            prompts=prompts,
            system=system,
            systems=systems,
            present=frozenset(self._present),
            sample=self._sample.batch()[0],
        )


def _versions(
    named: Ints, names: Sequence[str], system: Ints
) -> tuple[Ints, tuple[str, ...]]:
    """Number the prompt versions of all traces in order of appearance, and name them.

    A version is a name of ``names``; where a trace has none (-1), the number of its system prompt.
    """
    # System prompts are numbered behind the names, so that one array holds both.
    unnamed = np.where(system >= 0, system + len(names), _NONE)
    either = np.where(named >= 0, named, unnamed)
    codes, first_rows = np.unique(either, return_index=True)
    versions: dict[str, int] = {}
    # The last entry stays for -1, no version, which indexes from the end.
    of_code = np.full(int(either.max(initial=-1)) + 2, _NONE, dtype=np.int64)
    for code in codes[np.argsort(first_rows)].tolist():
        if code == _NONE:
            continue
        if code < len(names):
            name = names[code]
        else:
            name = f"system {code - len(names) + 1}"
        # A named prompt may be called "system 1" too: then both are one version.
        of_code[code] = versions.setdefault(name, len(versions))
    return of_code[either], tuple(versions)
