"""Files of traces or results, read once, in batches."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from copy import copy
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tuneworthy.errors import CaseError, InputError, one_line
from tuneworthy.files.case import beside
from tuneworthy.files.disk import MIB, matching
from tuneworthy.model.case import Case, Holding
from tuneworthy.model.evidence import COLUMNS, Batch, Coverage, FileReading, Skipped
from tuneworthy.traces.content import Beside, Content, NotTraces, not_recognised
from tuneworthy.traces.mapping import FieldMap, read_mapping
from tuneworthy.traces.remote import RemoteFile, RemoteRaw, is_remote, listed
from tuneworthy.traces.sheets import BOOK, OLD_EXCEL, SQLITE
from tuneworthy.traces.skipped import CUT_OFF, UNREAD
from tuneworthy.traces.stream import (
    GZIP,
    UNPACKING,
    ZIP,
    ZSTD,
    Ahead,
    Limits,
    Pieces,
    Raw,
    Unpacked,
    check_ratio,
)

if sys.version_info >= (3, 14):
    import zipfile
else:
    # knows members packed by zstd, as Inspect writes them
    from backports.zstd import zipfile

# Which files a case, a pattern or a folder stands for.

Entry = Literal["traces", "training", "examples", "preference_pairs", "evaluation"]
_SIGNS = "*?["
Place = Path | RemoteFile


def named(case: Case, entry: Entry, limits: Limits | None = None) -> tuple[Path, ...]:
    """The files of an entry of the case's ``data``, all of them inside its folder.

    Returns:
        Their paths by name; () where the case names none, or has no folder.

    Raises:
        CaseError: If one leads out of the folder, or there is none.
    """
    held = getattr(case.data, entry)
    held = held.path if isinstance(held, Holding) else held
    values = held if isinstance(held, tuple) else (held,)
    paths = [beside(case, f"data.{entry}", value) for value in values]
    where = case.where("data", entry)
    most = limits or Limits()
    files = [file for path in paths if path for file in local(path, most, where=where)]
    for file in files:
        # a pattern may find a link that leads out
        beside(case, f"data.{entry}", str(file))
    return once(files)


def case_map(case: Case, other: str | Path | None = None) -> FieldMap | None:
    """The mapping for a case's logs: another file, else the one the case names; None for neither.

    Raises:
        InputError: If the file isn't a mapping.
    """
    path = other or beside(case, "data.trace_map", case.data.trace_map)
    return None if path is None else read_mapping(Path(path))


def local(path: Path | str, limits: Limits, *, where: str = "") -> list[Path]:
    """The files of a path, a folder or a pattern, by name. Hidden files of a folder don't count.

    Raises:
        InputError: If there are none, or far too many. A ``CaseError`` where a case named them.
    """
    error = CaseError if where else InputError
    source = Path(path)
    text = str(path)
    if "\0" in text:
        raise error("can't be read", where=where or text, fix="check the path")
    try:
        there = os.path.lexists(source)
        if not there and any(sign in text for sign in _SIGNS):
            files = _files(matching(text), limits)
        elif there and source.is_dir():
            files = _files(_inside(source), limits)
        else:
            return [source]
    except (OSError, ValueError):
        raise error(
            "can't be read", where=where or text, fix="check the path"
        ) from None
    if not files:
        raise error(f'"{text}" holds no file', where=where, fix="check the path")
    if len(files) > limits.files:
        fix = "name fewer, or put them together"
        raise error(
            f'"{text}" holds more than {limits.files:,} files', where=where, fix=fix
        )
    return sorted(files)


def _inside(folder: Path) -> Iterator[Path]:
    """The files in a folder, and in its subfolders with a name like ``key=value``."""
    folders = [folder]
    for path in chain.from_iterable(f.iterdir() for f in folders):
        if "=" in path.name and path.is_dir() and not path.is_symlink():
            folders.append(path)
        elif not path.name.startswith("."):
            yield path


def _files(paths: Iterable[Path], limits: Limits) -> list[Path]:
    return list(islice((path for path in paths if path.is_file()), limits.files + 1))


def once(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Paths in their order without repetitions."""
    seen: dict[str, Path] = {}
    for path in paths:
        seen.setdefault(os.path.realpath(path), path)
    return tuple(seen.values())


class TraceChunk(NamedTuple):
    """Some traces of one file, and the progress of reading."""

    batch: Batch  #: The traces; at least one.
    done_bytes: int  #: Bytes read of all files so far, as they lie on disk.
    total_bytes: int  #: Bytes of all files; 0 for what lies on another machine.
    piece: int = 0  #: The number of that file.


_SHOWN = 3


class Guess(NamedTuple):
    """A guessed mapping, and the first records as it reads them."""

    name: str  #: The file.
    written: str  #: The mapping, as a file of its own would hold it.
    first: Sequence[Mapping[str, Any]]  #: Values by column.
    unread: Sequence[str] = ()  #: Fields that it takes nothing from.


class Source(NamedTuple):
    """A path or a remote file, with a ``name`` that no other source has."""

    place: Place
    name: str
    searched: bool  #: Whether it was found in a folder or by a pattern, and may be something else.
    side: int = 0  #: The number of what was named, of which it is one.

    @property
    def size(self) -> int:
        with suppress(OSError, ValueError):
            return (
                self.place.stat().st_size
                if isinstance(self.place, Path)
                else self.place.size
            )
        return 0


class TraceFiles:
    """Files, patterns, folders or remote addresses as traces, to be read once.

    Iterate for the chunks, then ask for ``readings``: files come in the order they are named, those
    of a folder or pattern by name, and are opened one after the other. What belongs to the records
    of other files, such as scores, is read before them.

    Args:
        sources: What to read; a text that begins ``s3://`` or ``https://`` is an address, and
            one of S3 a single file, all below a prefix, or a pattern.
        mapping: Where our fields stand in their records, from ``mapping.read_mapping``.
        limits: Bounds.
        searched: Whether the files were only found in a folder or by a pattern, as those of
            ``named`` may be: one that isn't of ours is then passed over, as long as another is.

    Raises:
        InputError: If a source does not exist; and while iterating, if a file can't be read, isn't
            recognised, is empty, holds no trace or has too many broken records: what came before
            it must then not be used.
    """

    def __init__(
        self,
        sources: Sequence[Path | str],
        *,
        mapping: FieldMap | None = None,
        limits: Limits | None = None,
        searched: bool = False,
    ) -> None:
        limits = limits or Limits()
        self._sources = tuple(_list_sources(sources, limits, searched=searched))
        if not self._sources:
            raise InputError("nothing to read", fix="name a file")
        #: The number of the named source that each file belongs to.
        self.sides = [s.side for s in self._sources]
        self.total_bytes = sum(s.size for s in self._sources)
        self._readings: list[FileReading] = []
        self.guesses: list[Guess] = []
        self.piece = 0  #: The number of the file that is being read.
        self._beside: Beside = {}
        self._how = mapping, limits, self._beside
        self._refused: NotTraces | None = None
        self._patient = False  # whether others may hold what this one doesn't

    def apart(self) -> list[TraceFiles]:
        """Each file as a separate source.

        Raises:
            InputError: If scores or feedback are in a file beside a log, as both are needed together.
        """
        for source in self._files_beside():
            what = "belongs to the records of other files, which takes one process"
            raise InputError(what, where=source.name, fix="measure without --on")
        return [self._alone(source) for source in self._sources]

    def _alone(self, source: Source) -> TraceFiles:
        """The same settings for one file, with nothing read yet."""
        alone = copy(self)
        alone.restart((source,))
        return alone

    def restart(self, sources: tuple[Source, ...]) -> None:
        """Read these sources instead, from the beginning. A source without a trace is no error."""
        self._sources = sources
        self._readings = []
        self.guesses = []
        self._patient = True

    def _files_beside(self) -> Iterator[Source]:
        """Files with values for the records of others, such as scores; a single file never is one."""
        if len(self._sources) > 1:
            yield from filter(self._is_aside, self._sources)

    def add_read(self, other: TraceFiles) -> None:
        """Add the readings of a file that another process read."""
        self._readings += other._readings
        self.guesses += other.guesses
        self._refused = self._refused or other._refused

    def check(self) -> None:
        """Refuse files if none of them has a trace.

        Raises:
            InputError: With the fault of the first file.
        """
        if not any(reading.traces for reading in self._readings):
            raise self._refused or _no_answers(self._sources[0].name)

    @property
    def readings(self) -> tuple[FileReading, ...]:
        return tuple(self._readings)

    def __iter__(self) -> Iterator[TraceChunk]:
        self._refused = None
        self._readings = []
        self.guesses = []
        done = 0
        self._beside.clear()
        aside = set(self._files_beside())
        for piece, source in enumerate(self._sources):
            self.piece = piece
            if source not in aside:
                yield from self._of_one(source, done)
            done += source.size
        if not self._patient:
            self.check()

    def _of_one(self, source: Source, done: int) -> Iterator[TraceChunk]:
        """Read one file; a file found by a pattern is passed over where it holds no traces."""
        with closing(Opened(source, *self._how)) as opened:
            try:
                # By ``map``, not by a loop, which would keep a batch while the next is read.
                yield from map(partial(self._chunk, opened, done), opened.batches())
            except NotTraces as nothing:
                if not source.searched:
                    raise
                self._refused = self._refused or nothing
                skipped = Skipped(why=nothing.what, n=1, where=(source.name,))
                self._readings.append(opened.reading("not traces", (skipped,)))
                return
            self._readings.append(opened.reading())
            if (guessed := opened.content.guessed) is not None:
                details = guessed.written, opened.first, opened.content.unread
                self.guesses.append(Guess(source.name, *details))

    def _chunk(self, opened: Opened, before: int, batch: Batch) -> TraceChunk:
        return TraceChunk(batch, before + opened.raw.done, self.total_bytes, self.piece)

    def _is_aside(self, source: Source) -> bool:
        """Whether a file holds values for the records of others. Then it is read at once."""
        if not _may_be_aside(source.place):
            return False
        mapping, limits, beside = self._how
        limits = replace(limits, batch_traces=256)  # of a log a few will do
        with (
            suppress(InputError),
            closing(Opened(source, mapping, limits, beside)) as opened,
        ):
            with suppress(NotTraces):
                next(opened.batches(), None)
            if opened.content.kept:
                self._readings.append(opened.reading())
            return opened.content.kept
        return False


_SCORED = re.compile(
    rb"\b(?:score|rating|thumbs|feedback|passed|correct)\b"
    rb"|custom_id|annotator_kind|data_?type|run_id",
    re.IGNORECASE,
)


def _may_be_aside(place: Place) -> bool:
    """Whether a file may hold scores for the traces of other files, by its beginning or end."""
    with suppress(InputError), closing(_raw(place)) as file:
        head = Ahead(file).peek(MIB // 16)
        if head.startswith(_PARQUET) and (end := file.end(MIB // 16)):
            # its columns' names: no copy for a look
            return _SCORED.search(end) is not None
        return (
            head.startswith((_PARQUET, GZIP, ZSTD)) or _SCORED.search(head) is not None
        )
    return False


def _list_sources(
    sources: Sequence[Path | str], limits: Limits, *, searched: bool
) -> Iterator[Source]:
    """Every file once, with a unique name; files of this machine come first."""
    sides: dict[Place, int] = {}
    searched_for: set[Place] = set()
    for side, source in enumerate(sources):
        if is_remote(source):
            for remote in listed(str(source), limits):
                sides.setdefault(remote, side)
            continue
        for file in local(source, limits):
            sides.setdefault(file, side)
            if searched or file != Path(source):
                searched_for.add(file)
    here = once([place for place in sides if isinstance(place, Path)])
    elsewhere = [place for place in sides if isinstance(place, RemoteFile)]
    times = Counter[str]()
    places: list[Place] = [*here, *elsewhere]
    for place in places:
        name = _source_name(place)
        times[name] += 1
        number = f" ({times[name]})" if times[name] > 1 else ""
        by_search = (
            place.searched if isinstance(place, RemoteFile) else place in searched_for
        )
        yield Source(place, f"{name}{number}", by_search, sides[place])


def _source_name(place: Place) -> str:
    """The name of a file after those of its folders that are values, as ``date=2026-11-01``."""
    where = place.where if isinstance(place, RemoteFile) else str(place)
    *folders, _ = where.split("/")
    keys = [folder for folder in folders if "=" in folder]
    return one_line("/".join([*keys, place.name]), limit=120)


def _no_answers(where: str) -> NotTraces:
    what = "holds scores or requests, and no answers"
    fix = "name the log they belong to beside it"
    return NotTraces(what, where=where, fix=fix)


# One file, opened: unpacked if it is packed, and given to whoever reads what it is.

_PARQUET = b"PAR1"
_BAD_ZIP: tuple[type[Exception], ...] = (
    *(zipfile.BadZipFile, NotImplementedError, OSError, ValueError),
    *UNPACKING,
)


def _raw(place: Place) -> Raw:
    return Raw(place) if isinstance(place, Path) else RemoteRaw(place)


class Opened:
    """A file or a remote address while it is read.

    Raises:
        InputError: If it can't be opened.
    """

    def __init__(
        self, source: Source, mapping: FieldMap | None, limits: Limits, beside: Beside
    ) -> None:
        self.raw = _raw(source.place)
        self.name = source.name
        self._limits = limits
        self._traces = 0
        self.content = Content(source.name, str(self.raw.path), mapping, limits, beside)
        self.first: list[dict[str, Any]] = []
        self._covered = Counter[str]()

    def batches(self) -> Iterator[Batch]:
        """The batches of a file; refuse it where few of its records can be used."""
        yield from map(self._counted, self._read(self.raw))
        content = self.content
        content.finish()
        content.tally.check(content.where, self._limits)
        unread = sum(content.tally.reasons.get(why, 0) for why in UNREAD)
        if unread > self._traces > 0:
            what = (
                f"has {unread} records that can't be used, and {self._traces} that can"
            )
            fix = "say by a mapping (--map) where their outputs stand, or take them out"
            raise InputError(what, where=content.where, fix=fix)
        if not self._traces:
            skipped = ", ".join(f"{s.n} {s.predicate}" for s in content.tally.skipped())
            what = f"holds no trace ({skipped})" if skipped else "holds no trace"
            fix = (
                "name a file with outputs, or say where they stand by a mapping (--map)"
            )
            if content.kept:
                raise _no_answers(content.where)
            if content.mapping is not None:
                fix = "check the paths of the mapping"
            raise NotTraces(what, where=content.where, fix=fix)

    def reading(
        self, form: str | None = None, skipped: tuple[Skipped, ...] | None = None
    ) -> FileReading:
        """The record of this file's reading. With ``form``, none of its records count as traces."""
        return FileReading(
            name=self.name,
            format=form or self.content.described(),
            digest=self.raw.digest(),
            size=self.raw.size,
            traces=0 if form else self._traces,
            skipped=self.content.tally.skipped() if skipped is None else skipped,
            coverage=None if form else Coverage(**self._covered),
        )

    def close(self) -> None:
        self.raw.close()

    def _counted(self, batch: Batch) -> Batch:
        """Count a batch, and keep its first traces to show them."""
        self._traces += len(batch)
        self._covered.update(batch.coverage().model_dump())
        for row in range(min(len(batch), _SHOWN - len(self.first))):
            fields = {
                name: getattr(batch, name)[row]
                for name in COLUMNS
                if getattr(batch, name)
            }
            self.first.append(fields)
        return batch

    def _read(self, raw: Raw) -> Iterator[Batch]:
        """Read a file by its first bytes: an archive, Parquet, SQLite, or text."""
        content = self.content
        stream = Ahead(raw)
        head = stream.peek(4)
        if head == ZIP:
            raw.on_disk(stream)
            raw.digest()
            content.packed = "zip"
            yield from self._archive(raw)
        elif head == _PARQUET:
            yield from content.parquet(raw.on_disk(stream))
        elif stream.peek(len(SQLITE)) == SQLITE:
            path = raw.on_disk(stream)
            raw.digest()
            yield from content.database(path)
        elif head == OLD_EXCEL:
            what = "is a workbook in Excel's old form"
            raise NotTraces(what, where=content.where, fix="save it as .xlsx or CSV")
        elif head.startswith((GZIP, ZSTD)):
            unpacked = Unpacked(stream, raw, self._limits)
            content.packed = unpacked.kind
            inner = Ahead(unpacked)
            if inner.peek(4).startswith((ZIP, GZIP, ZSTD, _PARQUET)):
                raise not_recognised(content.where)
            if not inner.peek(1) and unpacked.torn:
                what = "is cut off before its first record"
                raise NotTraces(
                    what, where=content.where, fix="pack it again, or fetch it anew"
                )
            yield from content.text(inner)
            if unpacked.torn and CUT_OFF not in content.tally.reasons:
                content.tally.skip(CUT_OFF, "end")
        else:
            yield from content.text(stream)

    def _archive(self, raw: Raw) -> Iterator[Batch]:
        """Traces in Inspect's ``.eval``, or in any zip of known files."""
        content = self.content
        limits = self._limits
        unpacked = 0

        def opened(member: Any) -> Ahead:
            """Open a member of an archive; refuse it if it unpacks to far too much."""

            def read(size: int) -> bytes:
                nonlocal unpacked
                data: bytes = file.read(size)
                unpacked += len(data)
                check_ratio(unpacked, raw.size, content.where, limits)
                return data

            file = archive.open(member)
            return Ahead(Pieces(iter(partial(read, MIB), b"")))

        try:
            with (
                os.fdopen(os.dup(raw.descriptor), "rb") as under,
                zipfile.ZipFile(under) as archive,
            ):
                members = [m for m in archive.infolist() if not m.is_dir()]
                if len(members) > limits.members:
                    what = f"holds more than {limits.members:,} files"
                    raise InputError(what, where=content.where, fix="split it")
                members.sort(key=lambda m: m.filename)
                if any(m.filename == BOOK for m in members):
                    names = {m.filename: m for m in members}
                    yield from content.sheet(
                        lambda name: opened(names[name]) if name in names else None
                    )
                    return
                log = [
                    m
                    for m in members
                    if m.filename in {"header.json", "_journal/start.json"}
                ]
                if log:
                    samples = [m for m in members if m.filename.startswith("samples/")]
                    yield from content.log(opened(log[0]), map(opened, samples))
                else:
                    yield from self._members(map(opened, members))
        except _BAD_ZIP:
            fix = "unpack it yourself, or export it again"
            raise InputError(
                "can't be unpacked", where=content.where, fix=fix
            ) from None

    def _members(self, streams: Iterator[Ahead]) -> Iterator[Batch]:
        """Read the files of an archive; those that hold no traces are skipped."""
        content = self.content
        recognised = False
        name = self.name
        for number, stream in enumerate(streams, start=1):
            content.tally.name = content.context.file = f"{name}/{number}"
            if stream.peek(4).startswith((ZIP, GZIP, ZSTD)):
                content.tally.skip("is packed inside an archive", 1)
                continue
            try:
                for batch in content.text(stream):
                    recognised = True
                    yield batch
            except NotTraces as nothing:
                content.tally.skip(nothing.what, 1)
        content.tally.name = content.context.file = name
        if not recognised:
            raise not_recognised(content.where)
