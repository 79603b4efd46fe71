"""Archives: Inspect's ``.eval``, and any zip of files that are understood.

Names inside are never used as paths. Members are read as streams, and what they unfold to is
bounded.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from tuneworthy.domain.errors import InputError
from tuneworthy.domain.traces import Batch
from tuneworthy.files.traces.building import batches
from tuneworthy.files.traces.content import Content
from tuneworthy.files.traces.decoding import Broken, decode
from tuneworthy.files.traces.formats.inspect_log import INSPECT, Header, sample_rows
from tuneworthy.files.traces.limits import Limits
from tuneworthy.files.traces.shape import NotTraces, not_recognised
from tuneworthy.files.traces.sound import sound
from tuneworthy.files.traces.stream import GZIP, ZIP, ZSTD, Ahead, Raw, check_ratio
from tuneworthy.files.traces.values import Row

_PACKED = "is packed inside an archive"


class Archive:
    """A zip, by the file it lies in."""

    def __init__(self, raw: Raw, content: Content, limits: Limits) -> None:
        self._raw, self._content, self._limits = raw, content, limits
        self._given = 0

    def batches(self) -> Iterator[Batch]:
        """Its traces.

        Raises:
            InputError: If it is damaged, unfolds to too much, or holds nothing we know.
        """
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
                rows = self._samples(archive, header, members)
                yield from batches(rows, self._limits, self._content.tally)
            else:
                yield from self._members(archive, members)

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """What zipfile says, as one of our errors."""
        try:
            yield
        except (
            zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError,
            ValueError,
        ):  # fmt: skip
            fix = "unpack it yourself, or export it again"
            raise InputError("can't be unpacked", where=self._content.where, fix=fix) from None

    def _samples(
        self, archive: zipfile.ZipFile, header: zipfile.ZipInfo, members: list[zipfile.ZipInfo]
    ) -> Iterator[Row]:
        self._content.format = INSPECT.name
        try:
            log = decode(self._whole(archive, header), Header)
        except Broken:
            raise InputError("has no readable header", where=self._content.where) from None
        tally = self._content.tally
        samples = sorted(one.filename for one in members if one.filename.startswith("samples/"))
        for number, name in enumerate(samples, start=1):
            tally.records += 1
            try:
                data = self._whole(archive, archive.getinfo(name))
                tally.size += len(data)
                found = sample_rows(data, log, f"sample {number}", self._content.context)
                yield from sound(found, tally, f"sample {number}")
            except Broken as broken:
                tally.skip(broken.why, f"sample {number}")

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
        """Bytes that were unfolded."""
        self._given += size
        check_ratio(self._given, self._raw.size, self._content.where, self._limits)


class _Bounded:
    """A member, every byte of which is counted."""

    def __init__(self, file: object, archive: Archive) -> None:
        self._file, self._archive = file, archive

    def read(self, size: int, /) -> bytes:
        data: bytes = self._file.read(size)  # type: ignore[attr-defined]  # a member of a zip
        self._archive.count(len(data))
        return data
