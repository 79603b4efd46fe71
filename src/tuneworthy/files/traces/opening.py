"""One file, opened: unpacked if it is packed, and given to whoever reads what it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blake3 import blake3

from tuneworthy.domain.evidence import Reading
from tuneworthy.domain.traces import Batch
from tuneworthy.files.traces import tables
from tuneworthy.files.traces.archive import Archive
from tuneworthy.files.traces.content import Content
from tuneworthy.files.traces.limits import Limits
from tuneworthy.files.traces.mapping import FieldMap
from tuneworthy.files.traces.shape import NotTraces, not_recognised
from tuneworthy.files.traces.stream import GZIP, ZIP, ZSTD, Ahead, Raw, Unpacked
from tuneworthy.files.traces.tally import CUT_OFF
from tuneworthy.files.traces.values import dumped

_PARQUET = b"PAR1"


class Opened:
    """A file or a remote address that is being read.

    Raises:
        InputError: If it can't be opened.
    """

    def __init__(
        self, place: Path | str, name: str, mapping: FieldMap | None, limits: Limits
    ) -> None:
        self._place, self._name, self._limits = place, name, limits
        self._content = Content(name, str(place), mapping, limits)
        self._raw = Raw(place) if isinstance(place, Path) else None
        self._remote = blake3()
        self._remote_size = 0
        self._traces = 0

    @property
    def done(self) -> int:
        """Bytes read so far, as they lie on disk."""
        return self._raw.done if self._raw else 0

    def batches(self) -> Iterator[Batch]:
        """Its traces.

        Raises:
            InputError: If it is no file of traces, or broken.
        """
        yield from map(self._counted, self._local(self._raw) if self._raw else self._far())
        self._content.note_unseen()
        self._content.tally.check(self._content.where, self._limits)
        if not self._traces:
            found = self._content.tally.skipped()
            skipped = ", ".join(f"{one.n} {one.predicate}" for one in found)
            what = f"holds no trace ({skipped})" if skipped else "holds no trace"
            fix = "name a file with outputs, or say where they stand by a mapping (--map)"
            if self._content.mapping is not None:
                fix = "check the paths of the mapping"
            raise NotTraces(what, where=self._content.where, fix=fix)

    def reading(self) -> Reading:
        """What was read; for an address the digest of what it gave."""
        digest = self._raw.digest() if self._raw else self._remote.hexdigest()
        return Reading(
            name=self._name,
            format=self._content.described(),
            digest=digest,
            size=self._raw.size if self._raw else self._remote_size,
            traces=self._traces,
            skipped=self._content.tally.skipped(),
        )

    def close(self) -> None:
        """Let go of the file."""
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
            yield from content.table(rows, "Parquet", counted=False)
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
        yield from content.table(self._seen(rows), kind, counted=False)

    def _digested(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._remote.update(piece)
            self._remote_size += len(piece)
            yield piece

    def _seen(
        self, rows: Iterator[tuple[int, dict[str, Any]]]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
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
