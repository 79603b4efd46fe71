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
from itertools import islice
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
from tuneworthy.traces.sheets import BOOKS, OLD_EXCEL, SQLITE
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
_SIGNS = "*?["  #: Signs that make a path a pattern.
Place = Path | RemoteFile


def named(case: Case, entry: Entry, limits: Limits | None = None) -> tuple[Path, ...]:
    """The files of an entry of the case's ``data``, all of them inside its folder.

    Returns:
        Their paths by name; () where the case names none, or has no folder.

    Raises:
        CaseError: If one leads out of the folder, or there is none.
    """
    stated = getattr(case.data, entry)
    value = stated.path if isinstance(stated, Holding) else stated
    values = value if isinstance(value, tuple) else (value,)
    where = case.where("data", entry)
    files: list[Path] = []
    for each in values:
        path = beside(case, f"data.{entry}", each)
        if path:
            files += local(path, limits or Limits(), where=where)
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
    if "\0" in text:  # which no system allows, and Python takes for a missing file
        raise error("can't be read", where=where or text, fix="check the path")
    try:
        exists = os.path.lexists(source)
        # A file's name may hold such a sign itself.
        is_pattern = not exists and any(sign in text for sign in _SIGNS)
        if is_pattern:
            files = _files(matching(text), limits)
        elif source.is_dir():
            files = _files(_inside(source), limits)
        else:
            return [source]
    except (OSError, ValueError):
        fix = "check the path"
        raise error("can't be read", where=where or text, fix=fix) from None
    if not files:
        raise error(f'"{text}" holds no file', where=where, fix="check the path")
    if len(files) > limits.files:
        what = f'"{text}" holds more than {limits.files:,} files'
        raise error(what, where=where, fix="name fewer, or put them together")
    return sorted(files)


def _inside(folder: Path) -> Iterator[Path]:
    """The files in a folder, and in its subfolders with a name like ``key=value``."""
    folders = [folder]
    # The list grows while it is gone through.
    for each in folders:
        for path in each.iterdir():
            # A link may lead back up, without end.
            if "=" in path.name and path.is_dir() and not path.is_symlink():
                folders.append(path)
            elif not path.name.startswith("."):
                yield path


def _files(paths: Iterable[Path], limits: Limits) -> list[Path]:
    """The files among some paths; at most one above the limit, which shows that it is exceeded."""
    return list(islice((path for path in paths if path.is_file()), limits.files + 1))


def once(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Paths in their order without repetitions, also under another name."""
    by_real_path: dict[str, Path] = {}
    for path in paths:
        by_real_path.setdefault(os.path.realpath(path), path)
    return tuple(by_real_path.values())


class TraceChunk(NamedTuple):
    """Some traces of one file, and the progress of reading."""

    batch: Batch  #: The traces; at least one.
    done_bytes: int  #: Bytes read of all files so far, as they lie on disk.
    total_bytes: int  #: Bytes of all files; 0 for what lies on another machine.
    piece: int = 0  #: The number of that file.


_SHOWN = 3  #: The first traces of a file, which show the user what was read.


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
        """Bytes; 0 where they aren't known."""
        if isinstance(self.place, RemoteFile):
            return self.place.size
        try:
            return self.place.stat().st_size
        except (OSError, ValueError):  # opening it will say what is wrong
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
        self._mapping = mapping
        self._limits = limits or Limits()
        self._sources = tuple(_list_sources(sources, self._limits, searched=searched))
        if not self._sources:
            raise InputError("nothing to read", fix="name a file")
        #: The number of the named source that each file belongs to.
        self.sides = [s.side for s in self._sources]
        self.total_bytes = sum(s.size for s in self._sources)
        self._readings: list[FileReading] = []
        self.guesses: list[Guess] = []
        self.piece = 0  #: The number of the file that is being read.
        self._beside: Beside = {}
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
            yield from filter(self._is_beside, self._sources)

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
        self._beside.clear()
        files_beside = set(self._files_beside())
        done_bytes = 0
        for piece, source in enumerate(self._sources):
            self.piece = piece
            if source not in files_beside:
                yield from self._of_one(source, done_bytes)
            done_bytes += source.size
        if not self._patient:
            self.check()

    def _of_one(self, source: Source, done_bytes: int) -> Iterator[TraceChunk]:
        """Read one file; a file found by a pattern is passed over where it holds no traces."""
        with closing(self._open(source, self._limits)) as opened:
            as_chunk = partial(self._chunk, opened, done_bytes)
            try:
                # By ``map``, not by a loop, which would keep a batch while the next is read.
                yield from map(as_chunk, opened.batches())
            except NotTraces as nothing:
                if not source.searched:
                    raise
                self._refused = self._refused or nothing
                skipped = Skipped(why=nothing.what, n=1, where=(source.name,))
                self._readings.append(opened.reading("not traces", (skipped,)))
                return
            self._readings.append(opened.reading())
            guessed = opened.content.guessed
            if guessed is not None:
                unread = opened.content.unread
                guess = Guess(source.name, guessed.written, opened.first, unread)
                self.guesses.append(guess)

    def _open(self, source: Source, limits: Limits) -> Opened:
        return Opened(source, self._mapping, limits, self._beside)

    def _chunk(self, opened: Opened, done_bytes: int, batch: Batch) -> TraceChunk:
        """A batch with the progress of reading; ``done_bytes`` are those of the files before it."""
        done = done_bytes + opened.raw.done
        return TraceChunk(batch, done, self.total_bytes, self.piece)

    def _is_beside(self, source: Source) -> bool:
        """Whether a file holds values for the records of others. Then it is read at once."""
        if not _may_be_beside(source.place):
            return False
        limits = replace(self._limits, batch_traces=256)  # of a log a few will do
        try:
            with closing(self._open(source, limits)) as opened:
                # A file that holds only scores is read to its end, and then has no traces.
                with suppress(NotTraces):
                    next(opened.batches(), None)
                if opened.content.kept:
                    self._readings.append(opened.reading())
                return opened.content.kept
        except InputError:  # said when it is read as a log
            return False


_SCORED = re.compile(
    rb"\b(?:score|rating|thumbs|feedback|passed|correct)\b"
    rb"|custom_id|annotator_kind|data_?type|run_id",
    re.IGNORECASE,
)
"""A name that files with scores or answers for other files have."""
_LOOK = MIB // 16  #: Bytes of a file for a first look.


def _may_be_beside(place: Place) -> bool:
    """Whether a file may hold scores for the traces of other files, by its beginning or end."""
    with suppress(InputError), closing(_raw(place)) as file:
        head = Ahead(file).peek(_LOOK)
        if head.startswith(_PARQUET):
            end = file.end(_LOOK)
            if end:
                # its columns' names: no copy for a look
                return _SCORED.search(end) is not None
        # What is packed shows no names.
        if head.startswith((_PARQUET, GZIP, ZSTD)):
            return True
        return _SCORED.search(head) is not None
    return False


def _list_sources(
    sources: Sequence[Path | str], limits: Limits, *, searched: bool
) -> Iterator[Source]:
    """Every file once, with a unique name; files of this machine come first."""
    sides: dict[Place, int] = {}  # of what was named first, if two of it hold one file
    by_search: set[Place] = set()
    for side, source in enumerate(sources):
        if is_remote(source):
            for remote in listed(str(source), limits):
                sides.setdefault(remote, side)
                if remote.searched:
                    by_search.add(remote)
            continue
        for file in local(source, limits):
            sides.setdefault(file, side)
            if searched or file != Path(source):
                by_search.add(file)
    here = once([place for place in sides if isinstance(place, Path)])
    elsewhere = [place for place in sides if isinstance(place, RemoteFile)]
    uses = Counter[str]()
    places: list[Place] = [*here, *elsewhere]
    for place in places:
        name = _source_name(place)
        uses[name] += 1
        if uses[name] > 1:
            name = f"{name} ({uses[name]})"
        yield Source(place, name, place in by_search, sides[place])


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
    zipfile.BadZipFile,
    NotImplementedError,
    OSError,
    ValueError,
    *UNPACKING,
)
"""Errors that Python raises for a damaged archive, or one packed in an unknown way."""


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
        """The batches of a file; refuse it where few of its records can be used.

        Raises:
            NotTraces: If it holds no trace.
            InputError: If it can't be read, or is mostly of another form.
        """
        yield from map(self._counted, self._read(self.raw))
        content = self.content
        content.finish()
        content.tally.check(content.where, self._limits)
        if not self._traces:
            raise self._no_trace()
        unread = sum(content.tally.reasons.get(why, 0) for why in UNREAD)
        if unread > self._traces:
            what = (
                f"has {unread} records that can't be used, and {self._traces} that can"
            )
            fix = "say by a mapping (--map) where their outputs stand, or take them out"
            raise InputError(what, where=content.where, fix=fix)

    def _no_trace(self) -> NotTraces:
        """The error for a file that was read to its end without a trace."""
        content = self.content
        if content.kept:
            return _no_answers(content.where)
        what = "holds no trace"
        reasons = [f"{each.n} {each.predicate}" for each in content.tally.skipped()]
        if reasons:
            what = f"{what} ({', '.join(reasons)})"
        fix = "name a file with outputs, or say where they stand by a mapping (--map)"
        if content.mapping is not None:
            fix = "check the paths of the mapping"
        return NotTraces(what, where=content.where, fix=fix)

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
        columns = {name: getattr(batch, name) for name in COLUMNS}
        for row in range(min(len(batch), _SHOWN - len(self.first))):
            trace = {name: values[row] for name, values in columns.items() if values}
            self.first.append(trace)
        return batch

    def _read(self, raw: Raw) -> Iterator[Batch]:
        """Read a file by its first bytes: an archive, Parquet, SQLite, or text."""
        content = self.content
        stream = Ahead(raw)
        head = stream.peek(4)
        if head == ZIP:
            # The readers that go back and forth don't count what they read, so the digest is
            # taken before.
            path = raw.on_disk(stream)
            raw.digest()
            yield from self._archive(raw, path)
        elif head == _PARQUET:
            yield from content.parquet(raw.on_disk(stream))
        elif stream.peek(len(SQLITE)) == SQLITE:
            path = raw.on_disk(stream)
            raw.digest()
            yield from content.database(path)
        elif head == OLD_EXCEL:
            path = raw.on_disk(stream)
            raw.digest()
            yield from content.sheet(path)
        elif head.startswith((GZIP, ZSTD)):
            yield from self._packed(Unpacked(stream, raw, self._limits))
        else:
            yield from content.text(stream)

    def _packed(self, unpacked: Unpacked) -> Iterator[Batch]:
        """Traces in a packed text; one that is cut off is read as far as it goes."""
        content = self.content
        content.packed = unpacked.kind
        stream = Ahead(unpacked)
        # Packed twice, or a table that has to be read back and forth.
        if stream.peek(4).startswith((ZIP, GZIP, ZSTD, _PARQUET)):
            raise not_recognised(content.where)
        if not stream.peek(1) and unpacked.torn:
            what = "is cut off before its first record"
            fix = "pack it again, or fetch it anew"
            raise NotTraces(what, where=content.where, fix=fix)
        yield from content.text(stream)
        if unpacked.torn and CUT_OFF not in content.tally.reasons:
            content.tally.skip(CUT_OFF, "end")

    def _archive(self, raw: Raw, path: str) -> Iterator[Batch]:
        """Traces in a workbook, in Inspect's ``.eval``, or in any zip of known files."""
        content = self.content
        try:
            with (
                os.fdopen(os.dup(raw.descriptor), "rb") as under,
                zipfile.ZipFile(under) as archive,
            ):
                members = _Members(archive, raw.size, content.where, self._limits)
                # of a run, broken off or not
                header = members.named("_journal/start.json")
                if header is None:
                    header = members.named("header.json")  # of older versions
                if any(members.named(book) is not None for book in BOOKS):
                    yield from content.sheet(path)
                    return
                content.packed = "zip"
                if header is not None:
                    yield from content.log(header, members.below("samples/"))
                else:
                    yield from self._members(members.below(""))
        except _BAD_ZIP:
            what = "can't be unpacked"
            fix = "unpack it yourself, or export it again"
            raise InputError(what, where=content.where, fix=fix) from None

    def _members(self, streams: Iterator[Ahead]) -> Iterator[Batch]:
        """Read the files of an archive; those that hold no traces are skipped."""
        content = self.content
        recognised = False
        for number, stream in enumerate(streams, start=1):
            # A name in an archive may be anything, so places have its number.
            self._name_places(f"{self.name}/{number}")
            if stream.peek(4).startswith((ZIP, GZIP, ZSTD)):
                content.tally.skip("is packed inside an archive", 1)
                continue
            try:
                for batch in content.text(stream):
                    recognised = True
                    yield batch
            except NotTraces as nothing:
                content.tally.skip(nothing.what, 1)
        self._name_places(self.name)
        if not recognised:
            raise not_recognised(content.where)

    def _name_places(self, name: str) -> None:
        """Set the name that places and conversations begin with."""
        self.content.tally.name = name
        self.content.context.file = name


class _Members:
    """The files in an archive, each opened as a stream, which together unpack within the limits."""

    def __init__(
        self, archive: zipfile.ZipFile, packed_bytes: int, where: str, limits: Limits
    ) -> None:
        members = [info for info in archive.infolist() if not info.is_dir()]
        if len(members) > limits.members:
            what = f"holds more than {limits.members:,} files"
            raise InputError(what, where=where, fix="split it")
        self._members = sorted(members, key=lambda info: info.filename)
        self._by_name = {info.filename: info for info in self._members}
        self._archive = archive
        self._packed_bytes = packed_bytes
        self._unpacked_bytes = 0
        self._where = where
        self._limits = limits

    def named(self, name: str) -> Ahead | None:
        """The file of this name; None where the archive has no such file."""
        member = self._by_name.get(name)
        return None if member is None else Ahead(Pieces(self._pieces(member)))

    def below(self, folder: str) -> Iterator[Ahead]:
        """The files whose names begin with that of a folder, in their order."""
        for member in self._members:
            if member.filename.startswith(folder):
                yield Ahead(Pieces(self._pieces(member)))

    def _pieces(self, member: zipfile.ZipInfo) -> Iterator[bytes]:
        """Unpack a file; refuse an archive that unpacks to far more bytes than it has."""
        with self._archive.open(member) as file:
            while data := file.read(MIB):
                self._unpacked_bytes += len(data)
                check_ratio(
                    self._unpacked_bytes, self._packed_bytes, self._where, self._limits
                )
                yield data
