"""The content of one file as batches, whatever it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Any

import msgspec

from tuneworthy.domain.errors import InputError, one_line
from tuneworthy.domain.traces import Batch
from tuneworthy.files.disk import MIB
from tuneworthy.files.traces.building import batches
from tuneworthy.files.traces.decoding import Broken, Raws, decode, decode_object
from tuneworthy.files.traces.formats import PLAIN, recognise
from tuneworthy.files.traces.formats.base import Context, Format
from tuneworthy.files.traces.jsonl import Lines, each_line
from tuneworthy.files.traces.limits import Limits
from tuneworthy.files.traces.lines import Block, blocks
from tuneworthy.files.traces.mapping import FieldMap
from tuneworthy.files.traces.plain import trace_rows
from tuneworthy.files.traces.shape import not_recognised, objects, shape
from tuneworthy.files.traces.sound import sound
from tuneworthy.files.traces.stream import Ahead
from tuneworthy.files.traces.tally import NO_OBJECT, NOT_JSON, NOTHING_AT, Tally
from tuneworthy.files.traces.texttable import fields_of, table_rows
from tuneworthy.files.traces.values import Row

_TRIED = 20
_WRAPPED = ("data", "observations", "traces", "items", "records", "calls")
_NONE_OF_OURS = frozenset({"model", "label", "score", "error", "timestamp", "conversation_id"})
Records = Iterator[tuple[int | str, Any]]


class Content:
    """One file.

    Args:
        name: The file, for names of conversations that have none.
        where: The file as the user named it, for errors.
        mapping: Where our fields stand, for records that aren't of a format we know.
        limits: Bounds.
    """

    def __init__(self, name: str, where: str, mapping: FieldMap | None, limits: Limits) -> None:
        self.where, self.mapping, self.limits = where, mapping, limits
        self.tally = Tally(name, until_s=limits.until_s)
        self.context = Context(self.tally, name)
        self.format, self.packed = "", ""
        self._unseen = set(mapping.led if mapping is not None else ())

    def described(self) -> str:
        """The format with what there is to say of it."""
        told = ", ".join((self.format, *self.context.notes))
        return one_line(f"{told} ({self.packed})" if self.packed else told, limit=200)

    def text(self, stream: Ahead) -> Iterator[Batch]:
        """Traces of a text: lines of JSON, one JSON value, or a table.

        Raises:
            InputError: If it isn't one of them, or nothing we know.
        """
        found = shape(stream, self.where, self.limits)
        if found.kind == "table":
            longest = self.limits.line_bytes
            rows = table_rows(stream, found.sign, self.tally, where=self.where, longest=longest)
            yield from self.table(rows, "CSV")
        elif found.kind == "document":
            yield from self._pack(self._document(stream))
        else:
            yield from self._lines(stream)

    def _pack(self, rows: Iterator[Row]) -> Iterator[Batch]:
        return batches(rows, self.limits, self.tally)

    def _lines(self, stream: Ahead) -> Iterator[Batch]:
        lines, kind = blocks(stream, self.limits.line_bytes), None
        if self.mapping is None:
            kind, held = self._first_known(lines)
            lines = chain(held, lines)
        if kind is PLAIN:
            self.format = PLAIN.name
            reader = Lines(self.tally, self.context.file, self.limits)
            yield from reader.batches(lines)
            return
        records = chain.from_iterable(each_line(block, self.tally) for block in lines)
        yield from self._pack(self.rows(records, kind))

    def _first_known(self, lines: Iterator[Block]) -> tuple[Format, list[Block]]:
        """The format of the first record of one, and the blocks that were looked at."""
        held: list[Block] = []
        tried = 0
        for block in lines:
            data = bytes(block.data)
            held.append(block._replace(data=data))
            for _, line in objects(data, most=_TRIED - tried):
                tried += 1
                if (kind := recognise(decode(line, Raws))) is not None:
                    return kind, held
            if tried >= _TRIED:
                break
        if not tried and any(block.too_long for block in held):
            raise self._too_large(self.limits.line_bytes)
        raise not_recognised(self.where)

    def _too_large(self, most: int) -> InputError:
        what = f"is one JSON value of more than {most // MIB} MiB"
        return InputError(what, where=self.where, fix="write one record a line")

    def rows(self, records: Records, kind: Format | None) -> Iterator[Row]:
        """Traces of raw records, each already counted; by the mapping where there is no format."""
        self.format = kind.name if kind else "JSON by a mapping"
        for place, raw in records:
            self.tally.size += memoryview(raw).nbytes
            try:
                yield from self._record(raw, place, kind)
            except Broken as broken:
                self.tally.skip(broken.why, place)

    def _record(self, raw: Any, place: int | str, kind: Format | None) -> Iterator[Row]:
        if kind is None:
            yield from self._mapped(decode(raw, object), place)
        elif kind.document is not None:
            for number, row in enumerate(kind.document(raw, place, self.context), start=1):
                yield from sound((row,), self.tally, f"result {number}")
        elif kind.rows is not None:
            found = kind.rows(decode_object(raw), place, self.context)
            yield from sound(found, self.tally, place)

    def _mapped(self, value: Any, place: int | str) -> Iterator[Row]:
        assert self.mapping is not None  # whoever comes here has no format
        for number, record in enumerate(self.mapping.records(value), start=1):
            exact = f"{place}.{number}" if self.mapping.each else place
            if not isinstance(record, Mapping):
                self.tally.skip(NO_OBJECT, exact)
                continue
            found = self.mapping.plain(record)
            self._unseen = {name for name in self._unseen if found[name] is None}
            yield from self._plain(found, exact)

    def note_unseen(self) -> None:
        """Count paths of the mapping that led to nothing in any record: a slip is likely."""
        led = self.mapping.led if self.mapping is not None else {}
        for name in sorted(self._unseen):
            why = f'{NOTHING_AT}"{one_line(led[name], limit=100)}", where {name} is said to be'
            self.tally.reasons[why], self.tally.places[why] = self.tally.records, []

    def _plain(self, record: Mapping[str, Any], place: int | str) -> Iterator[Row]:
        conversation = f"{self.context.file}:{place}"
        found = trace_rows(record, self.tally, place, conversation=conversation)
        return sound(found, self.tally, place)

    def _document(self, stream: Ahead) -> Iterator[Row]:
        data = self._whole(stream)
        try:
            if data[:64].lstrip()[:1] == b"[":
                yield from self._array(decode(data, list[msgspec.Raw]))
                return
            top = decode(data, Raws)
        except Broken as broken:
            raise self._no_json(broken, data) from None
        kind = None if self.mapping else recognise(top)
        wrapped = next((key for key in _WRAPPED if key in top), None)
        if kind is None and self.mapping is None:
            if wrapped is None or bytes(memoryview(top[wrapped])[:1]) != b"[":
                raise not_recognised(self.where)
            yield from self._array(decode(top[wrapped], list[msgspec.Raw]))
            return
        if kind is None or kind.document is None:
            self.tally.records += 1
        yield from self.rows(iter([(1, data)]), kind)

    def _array(self, items: list[msgspec.Raw]) -> Iterator[Row]:
        kind = None
        if self.mapping is None:
            tried = (_keys(item) for item in items[:_TRIED])
            found = (recognise(keys) for keys in tried if keys)
            kind = next((one for one in found if one is not None), None)
            if kind is None:
                raise not_recognised(self.where)

        def counted() -> Records:
            for number, item in enumerate(items, start=1):
                self.tally.records += 1
                yield number, item

        yield from self.rows(counted(), kind)

    def _whole(self, stream: Ahead) -> bytes:
        data = stream.peek(self.limits.document_bytes + 1)
        if len(data) > self.limits.document_bytes:
            raise self._too_large(self.limits.document_bytes)
        return data

    def _no_json(self, broken: Broken, data: bytes) -> InputError:
        what = broken.why
        if what == NOT_JSON and data[-64:].rstrip()[-1:] not in {b"]", b"}"}:
            what = "is cut off"
        return InputError(what, where=self.where, fix="export it again, whole")

    def table(
        self, rows: Iterator[tuple[int, dict[str, Any]]], name: str, *, counted: bool = True
    ) -> Iterator[Batch]:
        """Traces of the rows of a table, by column.

        Raises:
            InputError: If its columns are nothing we know.
        """
        first = list(islice(rows, _TRIED))
        columns = tuple(dict.fromkeys(column for _, row in first for column in row))
        taken = fields_of(columns)
        kind = None if self.mapping else recognise(dict.fromkeys(columns))
        ours = kind is None or kind is PLAIN
        if self.mapping is None and ours and not set(taken.values()) - _NONE_OF_OURS:
            raise not_recognised(self.where)
        self.format = name if kind is None or kind is PLAIN else f"{kind.name} in {name}"
        yield from self._pack(self._of_table(chain(first, rows), taken, kind, counted=counted))

    def _of_table(
        self,
        rows: Iterator[tuple[int, dict[str, Any]]],
        taken: Mapping[str, str],
        kind: Format | None,
        *,
        counted: bool,
    ) -> Iterator[Row]:
        for place, row in rows:
            self.tally.records += not counted
            self.tally.size += sum(len(cell) for cell in row.values() if isinstance(cell, str))
            if self.mapping is not None:
                yield from self._mapped(row, place)
            elif kind is not None and kind is not PLAIN and kind.rows is not None:
                yield from sound(kind.rows(row, place, self.context), self.tally, place)
            else:
                yield from self._plain({taken[k]: v for k, v in row.items() if k in taken}, place)


def _keys(raw: msgspec.Raw) -> Raws:
    try:
        return decode(raw, Raws)
    except Broken:
        return {}
