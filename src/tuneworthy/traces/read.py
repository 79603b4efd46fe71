"""Files of traces or results, read once, in batches."""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from blake3 import blake3

from tuneworthy.errors import CaseError, InputError, one_line
from tuneworthy.files.case import beside
from tuneworthy.files.disk import MIB, matching
from tuneworthy.model.case import Case
from tuneworthy.model.evidence import Batch, FileReading, Skipped
from tuneworthy.traces import tables
from tuneworthy.traces.content import Beside, Content, NotTraces, not_recognised
from tuneworthy.traces.formats import formats
from tuneworthy.traces.mapping import FieldMap
from tuneworthy.traces.rows import packed
from tuneworthy.traces.skipped import CUT_OFF
from tuneworthy.traces.stream import GZIP, ZIP, ZSTD, Ahead, Limits, Raw, Unpacked, check_ratio
from tuneworthy.traces.values import BrokenJson, decode_object, dumped

# Which files a case, a pattern or a folder stands for.

Entry = Literal["traces", "examples", "preference_pairs", "evaluation"]
_REMOTE = re.compile(r"(?:s3|s3a|s3n|gs|gcs|r2|az|azure|abfss|hf|https?)://", re.IGNORECASE)
_SIGNS = "*?["


def is_remote(source: Path | str) -> bool:
    """Whether a source lies on another machine, by its address."""
    return isinstance(source, str) and _REMOTE.match(source) is not None


def named(case: Case, entry: Entry, limits: Limits | None = None) -> tuple[Path, ...]:
    """Files that an entry of the case's ``data`` stands for, all of them inside its folder.

    Returns:
        Their paths by name, for ``read``; () where the case names none, or has no folder.

    Raises:
        CaseError: If one leads out of the folder, or nothing is there.
    """
    data = case.data
    values: tuple[str | None, ...] = data.traces
    if entry != "traces":
        held = getattr(data, entry)
        values = (held if isinstance(held, str) or held is None else held.path,)
    found: list[Path] = []
    for value in values:
        path = beside(case, f"data.{entry}", value)
        if path is None:
            continue
        for each in local(path, limits or Limits(), where=case.where("data", entry)):
            beside(case, f"data.{entry}", str(each))  # a pattern may find a link that leads out
            found.append(each)
    return once(found)


def local(path: Path | str, limits: Limits, *, where: str = "") -> list[Path]:
    """The files of a path, a folder or a pattern, by name. Hidden files of a folder don't count.

    Raises:
        InputError: If nothing is there, or far too much. As ``CaseError`` where a case named it.
    """
    error = CaseError if where else InputError
    given, text = Path(path), str(path)
    if "\0" in text:
        raise error("can't be read", where=where or text, fix="check the path")
    try:
        there = os.path.lexists(given)
        if not there and any(sign in text for sign in _SIGNS):
            found = _files(matching(text), limits)
        elif there and given.is_dir():
            listed = (one for one in given.iterdir() if not one.name.startswith("."))
            found = _files(listed, limits)
        else:
            return [given]
    except (OSError, ValueError):
        raise error("can't be read", where=where or text, fix="check the path") from None
    if not found:
        raise error(f'"{text}" holds no file', where=where, fix="check the path")
    if len(found) > limits.files:
        fix = "name fewer, or put them together"
        raise error(f'"{text}" holds more than {limits.files:,} files', where=where, fix=fix)
    return sorted(found)


def _files(paths: Iterable[Path], limits: Limits) -> list[Path]:
    kept = (one for one in paths if one.is_file())
    return list(islice(kept, limits.files + 1))


def once(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Paths in their order, one that was named twice only once."""
    seen: dict[str, Path] = {}
    for path in paths:
        seen.setdefault(os.path.realpath(path), path)
    return tuple(seen.values())


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some traces of one file, and how far reading has come."""

    batch: Batch
    """The traces; at least one."""
    name: str
    """Name of the file they come from, without its folder."""
    done_bytes: int
    """Bytes read of all files so far, as they lie on disk."""
    total_bytes: int
    """Bytes of all files; 0 for what lies on another machine."""


@dataclass(frozen=True, slots=True)
class _Source:
    place: Path | str
    """A path, or an address."""
    name: str
    """Name of the file, made different from the others'."""
    searched: bool
    """Whether it was found in a folder or by a pattern, and may be something else."""


class TraceFiles:
    """Files to be read once: iterate for the chunks, then ask for ``readings``.

    Iterating raises InputError for a file that can't be read, isn't recognised, is empty, holds no
    trace or has too many broken records; what came before it must then not be used. A file that
    was only found in a folder, or by a pattern, is passed over where it isn't of ours, as long as
    another is.
    """

    def __init__(
        self,
        sources: Sequence[Path | str],
        mapping: FieldMap | None,
        limits: Limits,
        *,
        searched: bool,
    ) -> None:
        self._mapping, self._limits = mapping, limits
        self._sources = tuple(_found(sources, limits, searched=searched))
        if not self._sources:
            raise InputError("nothing to read", fix="name a file")
        self.total_bytes = sum(_size(each) for each in self._sources)
        self._readings: list[FileReading] = []
        self._beside: Beside = {}

    @property
    def readings(self) -> tuple[FileReading, ...]:
        return tuple(self._readings)

    def __iter__(self) -> Iterator[Chunk]:
        refused: NotTraces | None = None
        self._readings, done = [], 0
        aside = self._read_aside() if len(self._sources) > 1 else set()
        for source in self._sources:
            if source.name in aside:
                done += _size(source)
                continue
            try:
                yield from self._chunks(source, done)
            except NotTraces as nothing:
                if not source.searched:
                    raise
                refused = refused or nothing
                self._pass_over(source, nothing.what)
            done += _size(source)
        if refused is not None and not any(one.traces for one in self._readings):
            raise refused

    def _read_aside(self) -> set[str]:
        """Read what belongs to the records of other files; gives the names of those files."""
        aside = set()
        self._beside.clear()
        for source in self._sources:
            if not isinstance(source.place, Path) or not _may_be_beside(source.place):
                continue
            with suppress(InputError):
                opened = Opened(source, self._mapping, self._limits, self._beside)
                try:
                    with suppress(NotTraces):
                        next(opened.batches(), None)
                    if opened.kept:
                        self._readings.append(opened.reading())
                        aside.add(source.name)
                finally:
                    opened.close()
        return aside

    def _chunks(self, source: _Source, before: int) -> Iterator[Chunk]:
        opened = Opened(source, self._mapping, self._limits, self._beside)

        def chunk(batch: Batch) -> Chunk:
            return Chunk(batch, source.name, before + opened.done, self.total_bytes)

        try:
            # By ``map``, and not by a loop, which would keep the last batch while the next is read.
            yield from map(chunk, opened.batches())
            self._readings.append(opened.reading())
        finally:
            opened.close()

    def _pass_over(self, source: _Source, why: str) -> None:
        assert isinstance(source.place, Path)  # only what lies here is searched for
        raw = Raw(source.place)
        try:
            digest = raw.digest()
        finally:
            raw.close()
        skipped = (Skipped(why=why, n=1, where=(source.name,)),)
        self._readings.append(
            FileReading(
                name=source.name,
                format="not traces",
                digest=digest,
                size=raw.size,
                traces=0,
                skipped=skipped,
            )
        )


_TELLING = re.compile(rb"custom_id|annotator_kind|data_?type|run_id", re.IGNORECASE)


def _may_be_beside(path: Path) -> bool:
    """Whether the beginning of a file looks like scores or requests that belong to a log."""
    try:
        with path.open("rb") as file:
            head = file.read(MIB // 16)
    except OSError:
        return False
    return head.startswith((_PARQUET, GZIP, ZSTD)) or _TELLING.search(head) is not None


def _found(sources: Sequence[Path | str], limits: Limits, *, searched: bool) -> Iterator[_Source]:
    """Every file once, with a name that no other has."""
    remote = [one for one in sources if isinstance(one, str) and is_remote(one)]
    among: set[Path] = set()
    paths: list[Path] = []
    for one in (each for each in sources if not is_remote(each)):
        files = local(one, limits)
        paths += files
        among |= {file for file in files if searched or file != Path(one)}
    taken: dict[str, int] = {}
    places: list[Path | str] = [*once(paths), *remote]
    for place in places:
        name = place.name if isinstance(place, Path) else place.split("?", 1)[0].rpartition("/")[2]
        name = one_line(name, limit=120)
        taken[name] = taken.get(name, 0) + 1
        number = f" ({taken[name]})" if taken[name] > 1 else ""
        yield _Source(place, f"{name}{number}", place in among)


def _size(source: _Source) -> int:
    if not isinstance(source.place, Path):
        return 0
    try:
        return source.place.stat().st_size
    except (OSError, ValueError):
        return 0


def read(
    sources: Sequence[Path | str],
    *,
    mapping: FieldMap | None = None,
    limits: Limits | None = None,
    searched: bool = False,
) -> TraceFiles:
    """Files, patterns, folders or remote addresses as traces: files in the order they are named.

    Args:
        sources: What to read; a text that begins ``s3://``, ``https://`` or the like is remote.
        mapping: Where our fields stand in their records, from ``mapping.read_mapping``.
        limits: Bounds.
        searched: Whether the files were only found in a folder or by a pattern, as those of
            ``sources.named`` may be: one that isn't of ours is then passed over.

    Returns:
        The files, opened when they are iterated; files of a folder or pattern by name.

    Raises:
        InputError: If a source does not exist or is nothing that can be read.
    """
    return TraceFiles(sources, mapping, limits or Limits(), searched=searched)


# Archives: Inspect's ``.eval``, and any zip of files that are understood.

_PACKED = "is packed inside an archive"


class Archive:
    def __init__(self, raw: Raw, content: Content, limits: Limits) -> None:
        self._raw, self._content, self._limits = raw, content, limits
        self._given = 0

    def batches(self) -> Iterator[Batch]:
        with (
            self._guard(),
            os.fdopen(os.dup(self._raw.descriptor), "rb") as file,
            zipfile.ZipFile(file) as archive,
        ):
            members = [one for one in archive.infolist() if not one.is_dir()]
            if len(members) > self._limits.members:
                what = f"holds more than {self._limits.members:,} files"
                raise InputError(what, where=self._content.where, fix="split it")
            names = {one.filename: one for one in members}
            header = names.get("header.json") or names.get("_journal/start.json")
            if header is not None:
                yield from self._samples(archive, header, members)
            else:
                yield from self._members(archive, members)

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            RuntimeError,
            NotImplementedError,
            OSError,
            ValueError,
        ):
            fix = "unpack it yourself, or export it again"
            raise InputError("can't be unpacked", where=self._content.where, fix=fix) from None

    def _samples(
        self, archive: zipfile.ZipFile, header: zipfile.ZipInfo, members: list[zipfile.ZipInfo]
    ) -> Iterator[Batch]:
        content = self._content
        try:
            top = decode_object(self._whole(archive, header))
        except BrokenJson:
            raise InputError("has no readable header", where=content.where) from None
        samples = sorted(one.filename for one in members if one.filename.startswith("samples/"))

        def records() -> Iterator[tuple[int | str, Any]]:
            for number, name in enumerate(samples, start=1):
                content.tally.records += 1
                data = self._whole(archive, archive.getinfo(name))
                content.tally.size += len(data)
                try:
                    yield f"sample {number}", {"^": top, **decode_object(data)}
                except BrokenJson as broken:
                    content.tally.skip(broken.why, f"sample {number}")

        kind = next(one for one in formats() if one.prepare == "inspect")
        parts = content.traces(records(), replace(kind, each=()))
        yield from packed(parts, self._limits, content.tally)

    def _whole(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
        with archive.open(member) as file:
            stream = Ahead(_Bounded(file, self))
            data = stream.peek(self._limits.document_bytes + 1)
        if len(data) > self._limits.document_bytes:
            raise InputError("holds a sample that is too large", where=self._content.where)
        return data

    def _members(self, archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> Iterator[Batch]:
        content, known = self._content, False
        name = content.tally.name
        for number, member in enumerate(sorted(members, key=lambda one: one.filename), start=1):
            content.tally.name = content.context.file = f"{name}/{number}"
            with archive.open(member) as file:
                stream = Ahead(_Bounded(file, self))
                if stream.peek(4).startswith((ZIP, GZIP, ZSTD)):
                    content.tally.skip(_PACKED, 1)
                    continue
                try:
                    for batch in content.text(stream):
                        known = True
                        yield batch
                except NotTraces as nothing:
                    content.tally.skip(nothing.what, 1)
        content.tally.name = content.context.file = name
        if not known:
            raise not_recognised(content.where)

    def count(self, size: int) -> None:
        self._given += size
        check_ratio(self._given, self._raw.size, self._content.where, self._limits)


class _Bounded:
    def __init__(self, file: object, archive: Archive) -> None:
        self._file, self._archive = file, archive

    def read(self, size: int, /) -> bytes:
        data: bytes = self._file.read(size)  # type: ignore[attr-defined]  # a member of a zip
        self._archive.count(len(data))
        return data


# One file, opened: unpacked if it is packed, and given to whoever reads what it is.

_PARQUET = b"PAR1"


class Opened:
    """A file or a remote address that is being read.

    Raises:
        InputError: If it can't be opened.
    """

    def __init__(
        self, source: _Source, mapping: FieldMap | None, limits: Limits, beside: Beside
    ) -> None:
        place = source.place
        self._place, self._name, self._limits = place, source.name, limits
        self._content = Content(source.name, str(place), mapping, limits, beside)
        self._raw = Raw(place) if isinstance(place, Path) else None
        self._remote = blake3()
        self._remote_size = 0
        self._traces = 0

    @property
    def kept(self) -> bool:
        """Whether it belongs to the records of other files."""
        return self._content.kept

    @property
    def done(self) -> int:
        return self._raw.done if self._raw else 0

    def batches(self) -> Iterator[Batch]:
        yield from map(self._counted, self._local(self._raw) if self._raw else self._far())
        self._content.note_unseen()
        self._content.tally.check(self._content.where, self._limits)
        if not self._traces:
            found = self._content.tally.skipped()
            skipped = ", ".join(f"{one.n} {one.predicate}" for one in found)
            what = f"holds no trace ({skipped})" if skipped else "holds no trace"
            fix = "name a file with outputs, or say where they stand by a mapping (--map)"
            if self.kept:
                what = f"holds {self._content.format}, and no answers"
                fix = "name the log they belong to beside it"
            if self._content.mapping is not None:
                fix = "check the paths of the mapping"
            raise NotTraces(what, where=self._content.where, fix=fix)

    def reading(self) -> FileReading:
        """What was read; for an address the digest of what it gave."""
        digest = self._raw.digest() if self._raw else self._remote.hexdigest()
        return FileReading(
            name=self._name,
            format=self._content.described(),
            digest=digest,
            size=self._raw.size if self._raw else self._remote_size,
            traces=self._traces,
            skipped=self._content.tally.skipped(),
        )

    def close(self) -> None:
        if self._raw:
            self._raw.close()

    def _counted(self, batch: Batch) -> Batch:
        self._traces += len(batch)
        return batch

    def _local(self, raw: Raw) -> Iterator[Batch]:
        content, stream = self._content, Ahead(raw)
        head = stream.peek(4)
        if head == ZIP:
            raw.digest()
            content.packed = "zip"
            yield from Archive(raw, content, self._limits).batches()
        elif head == _PARQUET:
            rows = tables.parquet_rows(str(raw.path), self._limits)
            yield from content.table(rows, "Parquet")
        elif head.startswith((GZIP, ZSTD)):
            packed = Unpacked(stream, raw, self._limits)
            content.packed = packed.kind
            inner = Ahead(packed)
            if inner.peek(4).startswith((ZIP, GZIP, ZSTD, _PARQUET)):
                raise not_recognised(content.where)
            if not inner.peek(1) and packed.torn:
                what = "is cut off before its first record"
                raise NotTraces(what, where=content.where, fix="pack it again, or fetch it anew")
            yield from content.text(inner)
            if packed.torn and CUT_OFF not in content.tally.reasons:
                content.tally.skip(CUT_OFF, "end")
        else:
            yield from content.text(stream)

    def _far(self) -> Iterator[Batch]:
        content, address = self._content, str(self._place)
        kind = tables.remote_kind(address)
        if kind in {"json", "jsonl"}:
            stream = Ahead(_Far(self._digested(_pieces(address, kind, self._limits))))
            yield from content.text(stream)
            return
        rows = tables.remote_rows(address, self._limits)
        yield from content.table(self._seen(rows), kind)

    def _digested(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._remote.update(piece)
            self._remote_size += len(piece)
            yield piece

    def _seen(self, rows: tables.Rows) -> tables.Rows:
        for number, row in rows:
            self._remote.update(dumped(row).encode())
            yield number, row


def _pieces(address: str, kind: str, limits: Limits) -> Iterator[bytes]:
    if kind == "json":
        yield tables.remote_document(address, limits)
        return
    for line in tables.remote_lines(address, limits):
        yield line + b"\n"


class _Far:
    """Pieces that come from another machine, as a stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def read(self, size: int, /) -> bytes:
        self._rest = self._rest or next(self._pieces, b"")
        data, self._rest = self._rest[:size], self._rest[size:]
        return data
