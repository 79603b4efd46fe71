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
from typing import Any, BinaryIO

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

_MOST_CHARACTERS = 64 << 20  # of all system prompts together
_MOST_DIGESTS = 1_000_000  # counted no further
_LONGEST_NAME = 200
_COLLECTED_AFTER = 100_000
_NONE = -1
_MOST_ROWS = 1 << 40  # of a file


class ColumnFiles:
    """Columns of numbers in plain files, a file for each column."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._files: dict[str, tuple[BinaryIO, np.dtype[Any]]] = {}

    def add(self, columns: Mapping[str, NDArray[Any]]) -> None:
        """Add rows, with the same columns and types every time."""
        for name, values in columns.items():
            if name not in self._files:
                path = self._folder / f"{len(self._files)}.column"
                self._files[name] = (
                    self._stack.enter_context(path.open("wb")),
                    values.dtype,
                )
            self._files[name][0].write(np.ascontiguousarray(values).data)

    @property
    def names(self) -> list[str]:
        return [*self._files]

    def get(self, name: str) -> NDArray[Any]:
        """A whole column, in the order of its rows."""
        file, kind = self._files[name]
        file.flush()
        return np.fromfile(file.name, dtype=kind)


class Names:
    """Numbers for models or prompt versions, in the order of their first appearance."""

    def __init__(self) -> None:
        self._codes: dict[str | None, int] = {None: _NONE}

    def number_names(self, values: Sequence[Any]) -> Ints:
        return np.fromiter(map(self._code, values), np.int64, len(values))

    def _code(self, value: str | None) -> int:
        if value is not None:
            value = value[:_LONGEST_NAME]
        if value not in self._codes and len(self._codes) <= MOST_NAMES:
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
        self._codes: dict[str, int] | None = {}
        self._characters = 0
        self._digests: set[bytes] = set()

    def number_texts(self, values: Sequence[str | None]) -> Ints:
        texts, place = distinct(values)
        codes = [_NONE if text is None else self._code(text) for text in texts]
        return np.array(codes, np.int64)[place]

    def _code(self, text: str) -> int:
        """The number of a system prompt; none once there are too many to keep."""
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
        return self._codes.setdefault(text, len(self._codes))

    def add_prompts(self, other: SystemPrompts) -> Ints:
        """Add the system prompts of another run, and return our number for each of its numbers."""
        self._digests |= other._digests
        if other._codes is None:
            self._codes = None
            return np.full(MOST_NAMES, _NONE, np.int64)
        codes = [self._code(text) for text in other._codes]
        return np.array(codes, np.int64)

    def kept(self, conversations: int) -> tuple[str, ...]:
        """The system prompts by number; () where each conversation has another one."""
        template = (
            conversations >= ENOUGH_CONVERSATIONS
            and len(self._digests) >= conversations
        )
        return () if template else tuple(self._codes or ())


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


@lru_cache(maxsize=4096)
def _key(name: str) -> int:
    return int.from_bytes(_digest(name), "little")


def conversation_keys(
    names: Sequence[str | None], first_row: int, salt: str = ""
) -> NDArray[np.uint64]:
    """A hash for each conversation, the same in every run. A trace without a name has its own."""
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
        """The traces of a batch that are in the sample; files come in the order of their numbers."""
        if self.share >= 1:
            return batch
        if piece != self._piece:
            self._piece = piece
            self._row = piece * _MOST_ROWS
        pairs = zip(batch.column("case"), batch.column("conversation"), strict=True)
        keys = conversation_keys(
            [case or talk for case, talk in pairs], self._row, self._salt
        )
        self._row += len(batch)
        kept = (keys < np.uint64(self.share * 2.0**64)).tolist()
        columns = {name: values for name in COLUMNS if (values := getattr(batch, name))}
        return Batch(
            **{name: [*compress(values, kept)] for name, values in columns.items()}
        )


def measure(
    batches: Iterable[Batch],
    signals: Sequence[TraceSignal],
    *,
    folder: Path,
    piece: Callable[[], int] = int,
    share: float = 1.0,
) -> tuple[Findings, ...]:
    """Measure each signal on the traces, one result a signal; without a trace none has evidence.

    The same traces give the same result, however they are cut into batches.

    Args:
        batches: The traces; each batch is let go of after it was looked at.
        signals: What to measure.
        folder: Where a temporary folder may be made; it is gone afterwards, whatever happens.
        piece: The number of the file that the batch just given is of, from 0.
        share: What share of the conversations these are, where they were drawn.

    Raises:
        InputError: If there is no room for the temporary files, or reading a batch raises it.
    """
    with _store(folder) as store:
        run = _Run(store, signals).filled(batches, piece)
        return run.answers(share)


@dataclass(slots=True)
class MeasuredPart:
    """The measurements of one file alone, for ``merged``."""

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
    """Measure one file; None without a trace. ``shared`` is from the first traces of all files."""
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
    """A store in a folder of its own, both removed at the end.

    Meanwhile Python's collector of cycles runs after a hundred thousand new objects, not after 700.
    A batch is some ten thousand objects without a cycle, and running it more often takes a
    twentieth of all the time. Caches of functions for texts are emptied, as they belong to this run
    alone.
    """
    before = gc.get_threshold()
    if before[0]:
        gc.set_threshold(max(_COLLECTED_AFTER, before[0]), *before[1:])
    forget()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="measure-", dir=folder) as name,
            ExitStack() as stack,
        ):
            yield ColumnFiles(Path(name), stack)
    except OSError as problem:
        reason = (str(problem).strip().splitlines() or ["no reason given"])[0]
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
        self.traces = self._piece = self._row = 0
        self._store = store
        self._signals = signals
        self._columns: dict[int, list[str]] = {}
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
            self._store.add({"signature": self._signer.rest()})
        return self

    def add(self, batch: Batch, piece: int) -> None:
        """Add some traces of a file. The rows of each file have numbers of their own."""
        if piece != self._piece:
            self._piece = piece
            self._row = piece * _MOST_ROWS
        for name in COLUMNS:
            if name not in self._present and any(
                v is not None for v in getattr(batch, name)
            ):
                self._present.add(name)
        keys = conversation_keys(batch.column("conversation"), self._row)
        columns: dict[str, NDArray[Any]] = {
            "conversation": keys,
            "time": as_numbers(batch.column("timestamp")),
            "turn": as_numbers(batch.column("turn")),
            "model": self._models.number_names(batch.column("model")),
            "prompt": self._prompts.number_names(
                [name or None for name in batch.column("prompt")]
            ),
            "system": self._systems.number_texts(batch.column("system")),
        }
        for place, signal in enumerate(self._signals):
            numbers = signal.rows(batch)
            self._columns[place] = list(numbers)
            columns |= {f"{place} {name}": values for name, values in numbers.items()}
        if self._compares:
            texts = batch.column("input"), batch.output
            columns["signature"] = self._signer.add(*texts, self._row)
            columns["answered"] = np.array([text is not None for text in batch.output])
        self._sample.add(batch, keys, self._row)
        self._store.add(columns)
        self.traces += len(batch)
        self._row += len(batch)

    def part(self) -> MeasuredPart:
        """The whole run, in a form that another process can take."""
        columns = {name: self._store.get(name) for name in self._store.names}
        names = self._models.all, self._prompts.all, self._systems
        return MeasuredPart(columns, self._columns, *names, self._sample, self._present)

    def add_part(self, part: MeasuredPart) -> None:
        """Append the part of another file."""
        columns = dict(part.columns)
        texts = (
            ("model", self._models, part.models),
            ("prompt", self._prompts, part.prompts),
        )
        codes = {name: names.number_names(theirs) for name, names, theirs in texts}
        codes["system"] = self._systems.add_prompts(part.systems)
        for name, ours in codes.items():
            columns[name] = np.append(ours, _NONE)[columns[name]]
        self._store.add(columns)
        self._columns = part.named
        self.traces += len(columns["model"])
        self._present |= part.present
        self._sample.add_sample(part.sample)

    def answers(self, share: float) -> tuple[Findings, ...]:
        """Finish every signal; those that need near copies come last, while copies are compared."""
        if not self.traces:
            return tuple(Findings() for _ in self._signals)
        table = replace(self._table(), share=share)
        findings = dict[int, Findings]()
        waits = [signal.wants_duplicates for signal in self._signals]
        # arrays are compared while others are evaluated
        with ThreadPoolExecutor(1) as beside:
            copies = beside.submit(self._copies) if self._compares else None
            for place in sorted(range(len(waits)), key=waits.__getitem__):
                names = self._columns[place]
                numbers = {name: self._store.get(f"{place} {name}") for name in names}
                if copies is not None and waits[place]:
                    numbers[DUPLICATE_OF] = copies.result()
                findings[place] = self._signals[place].finish(
                    replace(table, numbers=numbers)
                )
        return tuple(findings[place] for place in range(len(waits)))

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
    """Prompt versions by name; without a name, by the number of the system prompt."""
    either = np.where(
        named >= 0, named, np.where(system >= 0, system + len(names), _NONE)
    )
    codes, first = np.unique(either, return_index=True)
    versions: dict[str, int] = {}
    of_code = np.full(int(either.max(initial=-1)) + 2, _NONE, dtype=np.int64)
    for code in codes[np.argsort(first)].tolist():
        if code >= 0:
            name = (
                names[code] if code < len(names) else f"system {code - len(names) + 1}"
            )
            of_code[code] = versions.setdefault(name, len(versions))
    return of_code[either], tuple(versions)  # the last of ``of_code`` stands for none
