"""The content of one file in any format, as batches of traces."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import chain, compress, islice
from operator import not_
from pathlib import Path
from typing import Any

import msgspec

from tuneworthy.errors import InputError, one_line
from tuneworthy.files.disk import MIB
from tuneworthy.model.evidence import Batch
from tuneworthy.syntax.document import plain_values
from tuneworthy.traces import skipped
from tuneworthy.traces.bill import price_batch
from tuneworthy.traces.formats import (
    formats,
    formats_by_name,
    own_scores,
    plain,
    recognise,
    recognise_most,
)
from tuneworthy.traces.formats.prepare import (
    EXPORT,
    FINISH,
    PREPARE,
    Export,
    exported,
    laid_spans,
)
from tuneworthy.traces.formats.sessions import is_promptfoo_table
from tuneworthy.traces.guess import OF_FOLDERS, guess, merged, name_fields, with_rest
from tuneworthy.traces.mapping import FieldMap, RecordChunk, folder_keys, hold
from tuneworthy.traces.remote import is_remote
from tuneworthy.traces.rows import (
    NUMBERS,
    Place,
    ReadContext,
    batch_of,
    has_value,
    packed,
)
from tuneworthy.traces.sheets import Opening, database_rows, database_tables, sheet_rows
from tuneworthy.traces.skipped import SkippedRecords
from tuneworthy.traces.stream import Ahead, Block, Limits, Pieces, blocks
from tuneworthy.traces.tables import (
    Rows,
    TableRows,
    array_rows,
    csv_rows,
    looks_like_table,
    parquet,
    with_literals,
    with_points,
)
from tuneworthy.traces.tree import AROUND, TOGETHER, CallTree, TreeRows
from tuneworthy.traces.values import (
    BrokenJson,
    Bytes,
    Raws,
    decode,
    has_too_much,
    name,
    unpacked,
)

# What a file of text is by its beginning: lines of JSON, one JSON value, or a table.

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


class NotTraces(InputError):  # noqa: N818  # a finding: InputError stands behind it
    """A file without traces. Among the files of a folder, it is skipped."""


def not_recognised(where: str, fields: str = "") -> NotTraces:
    """The error for a file whose format isn't known."""
    held = f"; its fields are {one_line(fields, limit=240)}" if fields else ""
    if _SPEAKERS.search(fields):
        held += "; rows that are turns are read as one record a conversation, with `messages`"
    fix = (
        "what is understood: plain traces, CSV, Parquet and the logs of makers that the guide to "
        f"measuring lists; of any other, say by a mapping (--map) which field holds what{held}"
    )
    return NotTraces("isn't recognised", where=where, fix=fix)


def shape(stream: Ahead, where: str, limits: Limits) -> str:
    """The layout of a text: lines, document, or a table's separator. Skips a byte order mark."""
    head = stream.peek(MIB)
    if head.startswith(codecs.BOM_UTF8):
        stream.read(3)
        head = stream.peek(MIB)
    if (wide := _wide(head)) is not None:
        raise InputError(f"is {wide} text", where=where, fix="save it as UTF-8")
    if not head.strip():
        raise NotTraces(
            "is empty", where=where, fix="name a file with traces or results"
        )
    head = _first_line(stream, head, limits)
    start = head.lstrip()[:1]
    if start == b"[" and _are_lists(head):
        return "lists"
    too_much = len(head) > limits.document_bytes and b"\n" not in head
    if too_much and start == b"{":  # this line is passed over; others may follow
        return "lines"
    if start == b"[" or (start == b"{" and not _is_lines(head)):
        return "document"
    if _is_lines(head):
        return "lines"
    if start != b"{" and (sign := looks_like_table(head)) is not None:
        return sign
    raise not_recognised(where)


def _first_line(stream: Ahead, head: bytes, limits: Limits) -> bytes:
    """The beginning of a text up to the end of its first line, within the limits."""
    for size in (limits.line_bytes, limits.document_bytes):
        if b"\n" not in head:
            head = stream.peek(size + 1)
    return head


def _are_lists(head: bytes) -> bool:
    """Whether each line is a list: the first line is a whole one, and a second one begins."""
    first, _, rest = head.lstrip().partition(b"\n")
    if rest.lstrip()[:1] != b"[":
        return False
    try:
        return bool(decode(first, list[msgspec.Raw]))
    except BrokenJson:
        return False


def _wide(head: bytes) -> str | None:
    """The encoding of a text with two or four bytes a character, by its mark or zeros; else None."""
    zeros = tuple(place for place, byte in enumerate(head[:4]) if not byte)
    if head.startswith(_UTF32) or zeros in {(0, 1, 2), (1, 2, 3)}:
        return "UTF-32"
    return "UTF-16" if head.startswith(_UTF16) or zeros in {(0, 2), (1, 3)} else None


def _is_lines(head: bytes) -> bool:
    """Whether each line is a JSON value: the first is an object, and more lines follow."""
    number, _ = next(objects(head, most=1), (-1, b""))
    return number > 0 or (
        number == 0 and bool(head.lstrip().partition(b"\n")[2].strip())
    )


def objects(head: bytes, most: int) -> Iterator[tuple[int, bytes]]:
    """The first lines that are nonempty objects, with their places from 0."""
    for number, line in enumerate(head.lstrip().split(b"\n")):
        if not line.startswith(b"{"):
            continue
        try:
            keys = decode(line, dict[str, msgspec.Raw])
        except BrokenJson:
            continue
        if keys:
            yield number, line
            most -= 1
        if not most:
            return


# One file, whatever it is.

_TRIED = 20
_WRAPPED = ("data", "observations", "traces", "items", "records", "calls")
Beside = dict[str, dict[str, Any]]
"""Fields of records, by id, that another file than the record's own holds."""
Records = Iterator[tuple[Place, Any]]
Groups = Iterator[tuple[list[Place], Any]]
"""Places and their records: a list, or rows of a table."""


def _unread(
    record: Mapping[str, Any], read: set[tuple[str, ...]], *at: str
) -> Iterator[str]:
    """Dotted names of unused fields; for an unused object, only its own name."""
    for key, value in record.items():
        path = (*at, key)
        if not any(taken[: len(path)] == path for taken in read):
            yield ".".join(path)
        elif path not in read and isinstance(value, Mapping):
            yield from _unread(value, read, *path)


class Content:
    """One file.

    ``name`` is for conversations that have none, ``where`` for errors. ``mapping`` says where our
    fields are in records of an unknown format.
    """

    def __init__(
        self,
        name: str,
        where: str,
        mapping: FieldMap | None,
        limits: Limits,
        beside: Beside,
    ) -> None:
        self.where = where
        self.mapping = mapping
        self.limits = limits
        self.beside = beside
        self.kept = False
        self.tally = SkippedRecords(name, until_s=limits.until_s)
        self.context = ReadContext(self.tally, name, Path(where).parent.name)
        self.format = ""
        self.packed = ""
        self.joined = 0
        self.guessed: FieldMap | None = None
        self.unread: tuple[str, ...] = ()  #: Fields that the guess takes nothing from.
        self._folders = folder_keys(where)
        self._unseen = set(mapping.led if mapping is not None else ())

    def described(self) -> str:
        beside = (
            [f"{self.joined:,} joined to a file beside it"]
            if self.beside and not self.kept
            else []
        )
        text = ", ".join((self.format, *self.context.notes, *beside))
        return one_line(f"{text} ({self.packed})" if self.packed else text, limit=200)

    def text(self, stream: Ahead) -> Iterator[Batch]:
        """Traces in a text: lines of JSON, one JSON value, or a table."""
        if self.where.endswith(_YAML):
            yield from packed(self._yaml(stream), self.limits, self.tally)
            return
        form = shape(stream, self.where, self.limits)
        if form == "lists":
            yield from packed(self._lists(stream), self.limits, self.tally)
            return
        if form in {"lines", "document"}:
            parts = self._lines(stream) if form == "lines" else self._document(stream)
            yield from packed(parts, self.limits, self.tally)
        else:
            rows = csv_rows(stream, form, self.tally, self.limits, self.where)
            yield from self.table(rows, decimal_commas=form == ";")

    def _yaml(self, stream: Ahead) -> Iterator[Batch]:
        """Traces in a YAML document, read as the same document in JSON."""
        text = self._whole(stream).decode("utf-8", "replace")
        data = msgspec.json.encode(plain_values(text, self.where))
        if data[:1] not in {b"{", b"["}:
            raise not_recognised(self.where)
        return self._document(Ahead(Pieces(iter([data]))))

    def _lists(self, stream: Ahead) -> Iterator[Batch]:
        """Traces in lines that are lists: the turns of a conversation, or records."""
        items: list[msgspec.Raw] = []
        for line in self._whole(stream).splitlines():
            if not line.strip():
                continue
            try:
                inner = decode(line, list[msgspec.Raw])
            except BrokenJson as broken:
                self.tally.records += 1
                self.tally.skip(broken.why, len(items) + 1)
                continue
            items += [_as_talk(line)] if _are_turns(inner) else inner
        return self._array(items)

    def _lines(self, stream: Ahead) -> Iterator[Batch]:
        """Read JSON lines; the first ones tell the format."""
        lines = blocks(stream, self.limits.line_bytes)
        held: list[Block] = []
        samples: list[Mapping[str, Any]] = []
        for block in lines:
            held.append(block)
            records = objects(bytes(block.data), most=_TRIED - len(samples))
            samples += [_keys(line) for _, line in records]
            if self.mapping or len(samples) >= _TRIED or recognise_most(samples):
                break
        if (
            not samples
            and self.mapping is None
            and any(block.too_long for block in held)
        ):
            raise self._too_large(self.limits.line_bytes)
        kind = self._kind(samples)
        yield from self.traces(self._decoded(chain(held, lines), kind), kind)

    def _decoded(self, lines: Iterator[Block], kind: FieldMap) -> Groups:
        """The records of some blocks at once; line by line where one line needs a closer look."""
        places: list[Place] = []
        held: list[Any] = []
        most = self.tally.size + self.limits.batch_bytes // 2
        decoders = (
            (EXPORT, kind.decoder)
            if kind.each and kind.prepare == "span"
            else (kind.decoder,)
        )
        for block in lines:
            records: list[Any] = []
            whole = not block.too_long and not has_too_much(block.data)
            for decoder in decoders if whole else ():
                with suppress(msgspec.MsgspecError, ValueError, RecursionError):
                    records = decoder.decode_lines(block.data)
                    break
            self.tally.records += len(records)
            self.tally.size += len(block.data) if records else 0
            held += records
            numbers = range(block.first, block.first + block.lines)
            places += (
                numbers
                if len(records) == len(numbers)
                else [block.first] * len(records)
            )
            if held and (
                len(held) >= TOGETHER or not records or self.tally.size > most
            ):
                yield places, held
                places = []
                held = []
                most = self.tally.size + self.limits.batch_bytes // 2
            if not records:
                yield from self._grouped(self._each_line(block))
        yield places, held

    def _each_line(self, block: Block) -> Records:
        """Lines with their numbers, all counted; blank ones are skipped."""
        tally = self.tally
        if block.too_long:
            tally.records += 1
            tally.skip(skipped.TOO_LONG, block.first)
            return
        lines = bytes(block.data).split(b"\n")
        for number, data in enumerate(lines, start=block.first):
            if not data.strip():
                continue
            tally.records += 1
            tally.size += len(data)
            last = not block.ended and number == block.first + len(lines) - 1
            if last and _why_broken(data) in {skipped.NOT_JSON, skipped.NOT_UTF8}:
                tally.skip(skipped.CUT_OFF, number)
            else:
                yield number, data

    def _kind(self, samples: Sequence[Mapping[str, Any]], table: str = "") -> FieldMap:
        """The format of some records: by the mapping, by the first known record, or by a guess.

        ``table`` is the kind of table they are from; empty for none. Our own field names may belong
        to another tool if a record has no answer. An id with a score may be a part of a log.
        """
        kind = recognise_most(samples)
        if self.mapping is None and (kind is None or kind is plain()) and not table:
            kind = self._inside_shipped(samples) or kind
        if self.mapping is not None:
            if kind is not None and kind.joins and not self._leads_to_answers(samples):
                # The mapping describes the log and not the files beside it.
                self._unseen.clear()
                return kind
            kind = self._mapped(self.mapping, kind, samples)
        kind = self._guessed_or(kind, samples, table)
        if kind is None:
            raise not_recognised(self.where, ", ".join(name_fields(samples)))
        self._note_unread(samples)
        if self.mapping is None:
            self._forget_folders(kind)
        self._name_format(kind, table)
        return kind

    def _guessed_or(
        self, kind: FieldMap | None, samples: Sequence[Mapping[str, Any]], table: str
    ) -> FieldMap | None:
        """A known format completed by a guess, or a guess instead of it; None without either."""
        are_scores = kind is own_scores()
        is_ours = kind is plain()
        if (
            kind is None
            or are_scores
            or (is_ours and (table or not _answered(samples)))
        ):
            own = [{**self._folders, **sample} for sample in samples]
            may_lack_answers = bool(table) and not are_scores
            self.guessed = guess(own, self._folders, table=may_lack_answers)
            if self.guessed is not None:
                return self.guessed
            # A table that has our names and can't be guessed holds nothing that we read.
            return kind if are_scores or not table else None
        if is_ours and self.mapping is None:
            return with_rest(kind, samples)
        return kind

    def _forget_folders(self, kind: FieldMap) -> None:
        """Ignore values in a folder's name for fields that the records have themselves."""
        own_keys: set[Any] = set()
        for field, pick in kind.picks.items():
            if field not in OF_FOLDERS:
                own_keys.update(first for first, *_ in pick.paths)
        self._folders = {
            key: value for key, value in self._folders.items() if key not in own_keys
        }

    def _name_format(self, kind: FieldMap, table: str) -> None:
        """Name the format in the reading: a table or a guess; other formats have their own name."""
        if table:
            ours = self.guessed is None and self.mapping is None
            self.format = f"{kind.name} in {table}" if ours else table
        elif self.guessed is not None:
            lines = ", ".join(line.replace(": ", "=", 1) for line in self.guessed.lines)
            by = "JSON" if self.mapping is None else "JSON by a mapping"
            self.format = f"{by}, guessed: {lines}"

    def _note_unread(self, samples: Sequence[Mapping[str, Any]]) -> None:
        """Remember the fields that a guess doesn't use."""
        if self.guessed is None:
            return
        paths = chain(self.guessed.id, *(p.paths for p in self.guessed.picks.values()))
        read = {tuple(map(str, path)) for path in paths}
        read |= {(".".join(path),) for path in read}
        rows = ({**self._folders, **sample} for sample in samples)
        self.unread = tuple(dict.fromkeys(chain(*(_unread(row, read) for row in rows))))

    def _inside_shipped(self, samples: Sequence[Mapping[str, Any]]) -> FieldMap | None:
        """The format of records that a log collector wrapped in records of its own."""
        for key in _SHIPPED:
            inner = [unpacked(sample.get(key)) for sample in samples]
            objects_ = [each for each in inner if isinstance(each, dict) and each]
            if not objects_ or len(objects_) * 2 < len(samples):
                continue
            kind = recognise_most(objects_)
            if (
                kind is not None
                and kind is not plain()
                and not kind.each
                and not kind.joins
            ):
                return replace(kind, each=((key,),))
        return None

    def _mapped(
        self,
        mapping: FieldMap,
        kind: FieldMap | None,
        samples: Sequence[Mapping[str, Any]],
    ) -> FieldMap:
        """A mapping, completed by the maker's format or by a guess."""
        if kind is not None and kind is not plain() and not kind.joins:
            if _SAYING.isdisjoint(mapping.picks) and not mapping.each:
                return replace(kind, picks={**kind.picks, **mapping.picks})
            return mapping
        whole = merged(mapping, samples)
        if whole is not mapping:
            self.guessed = whole
        return whole

    def _leads_to_answers(self, samples: Sequence[Mapping[str, Any]]) -> bool:
        assert self.mapping is not None
        fields = self.mapping.fields(RecordChunk([*samples]))
        return any(has_value(fields.get(name, ())) for name in (*_SAYING, "error"))

    def _too_large(self, most: int) -> InputError:
        what = f"is one JSON value of more than {most // MIB} MiB"
        return InputError(what, where=self.where, fix="write one record a line")

    def traces(self, groups: Groups, kind: FieldMap) -> Iterator[Batch]:
        """Traces from groups of records, decoded or as bytes."""
        self.format = self.format or kind.name
        tree = None
        if kind.parent:
            most = self.limits.batch_traces
            tree = CallTree(kind, self.tally, self._folders, most)
        for group in groups:
            yield from self._calls(tree, *self._laid(*group, kind), kind)
        left = [*FINISH[kind.prepare](self.context)]
        yield from self._calls(tree, ["end"] * len(left), left, kind)
        yield from self._tree_batches(tree.rest() if tree is not None else (), kind)

    def _calls(
        self, tree: CallTree | None, places: list[Place], records: Any, kind: FieldMap
    ) -> Iterator[Batch]:
        if tree is None:
            yield from self._chunks(places, records, kind)
        else:
            yield from self._tree_batches(tree.add(places, records), kind)

    def _tree_batches(
        self, groups: Iterable[TreeRows], kind: FieldMap
    ) -> Iterator[Batch]:
        for rows in groups:
            batch = self._batch(rows.places, rows.chunk, kind, rows.around)
            if batch is not None:
                yield batch

    def _chunks(
        self, places: list[Place], records: Any, kind: FieldMap
    ) -> Iterator[Batch]:
        """Read records in batches of a limited size."""
        most = self.limits.batch_traces
        for start in range(0, len(records), most):
            some = slice(start, start + most)
            chunk = RecordChunk(records[some], self._folders)
            batch = self._batch(places[some], chunk, kind, {})
            if batch is not None:
                yield batch

    def _batch(
        self,
        places: list[Place],
        chunk: RecordChunk,
        kind: FieldMap,
        around: Mapping[str, list[Any]],
    ) -> Batch | None:
        """Traces of some records, without duplicates and those that aren't calls; None without any.

        ``around`` holds values of the records around them. Records that belong to those of another
        file are kept for it, and give no trace.
        """
        if not kind.parent:  # a tree passes on only calls
            places, chunk = self._keep_rows(
                skipped.NO_CALL, hold(kind.only, chunk), places, chunk
            )
        if kind.once:
            places, chunk = self._keep_rows(
                skipped.TWICE, self._new(chunk, kind), places, chunk
            )
        if kind.joins:
            self._keep(chunk, kind)
            return None
        fields = self._fields(chunk, kind)
        batch = batch_of(with_around(fields, around), places, self.context)
        if batch is not None:
            price_batch(batch)
        return batch

    def _keep_rows(
        self, why: str, kept: list[bool], places: list[Place], chunk: RecordChunk
    ) -> tuple[list[Place], RecordChunk]:
        """The records to keep, with their places. The others are counted under the reason ``why``."""
        if all(kept):
            return places, chunk
        for place in compress(places, map(not_, kept)):
            self.tally.skip(why, place)
        return [*compress(places, kept)], chunk.only(kept)

    def _new(self, chunk: RecordChunk, kind: FieldMap) -> list[bool]:
        seen = self.context.state.setdefault("seen", set())
        new = []
        for key in map(name, chunk.first(kind.once) or [None] * len(chunk)):
            new.append(key is None or key not in seen)
            seen.add(key)
        return new

    def _fields(self, chunk: RecordChunk, kind: FieldMap) -> dict[str, list[Any]]:
        """The values of our fields, with those from files beside the log."""
        fields = kind.fields(chunk)
        if chunk.lent:
            read = {first for pick in kind.picks.values() for first, *_ in pick.paths}
            for key in sorted(chunk.lent & read):
                self.context.note(f"{key} by its folder")
        if self._unseen:
            self._unseen -= {
                name for name, values in fields.items() if has_value(values)
            }
        if self.beside:
            for path in kind.id:
                self._join_beside(fields, chunk.values(path) or (), len(chunk))
        return fields

    def _join_beside(
        self, fields: dict[str, list[Any]], ids: Sequence[Any], records: int
    ) -> None:
        """Add values from files beside the log, by record id, where a record lacks them."""
        for row, id_ in enumerate(ids):
            beside = self.beside.get(name(id_) or "", {})
            self.joined += bool(beside)
            for field, value in beside.items():
                values = fields.setdefault(field, [None] * records)
                if values[row] is None:
                    values[row] = value

    def _keep(self, chunk: RecordChunk, kind: FieldMap) -> None:
        """Remember values for the log beside this file; of several for one record, the first."""
        self.kept = True
        fields = kind.fields(chunk)
        for n, id_ in enumerate(chunk.first(kind.joins) or ()):
            row = {
                key: values[n]
                for key, values in fields.items()
                if values[n] is not None
            }
            self.beside.setdefault(name(id_) or "", row)

    def _grouped(self, records: Records) -> Groups:
        """Group records that are processed together: many at once, but of a limited size."""
        places: list[Place] = []
        held: list[Any] = []
        most = self.tally.size + self.limits.batch_bytes // 2
        for place, record in records:
            places.append(place)
            held.append(record)
            if len(held) == TOGETHER or self.tally.size > most:
                yield places, held
                places = []
                held = []
                most = self.tally.size + self.limits.batch_bytes // 2
        yield places, held

    def _laid(
        self, places: list[Place], records: Any, kind: FieldMap
    ) -> tuple[list[Place], list[Any]]:
        """Records with their places, after the map's own rearrangement."""
        kinds = set() if type(records) is TableRows else {*map(type, records)}
        quick = None
        if not kind.each and not kind.prepare and kinds <= {dict, kind.line}:
            quick = records
        elif not kind.each and kind.prepare == "span" and kinds == {dict}:
            quick = laid_spans(records)
        if quick is not None:
            return places, quick
        pairs: list[tuple[Place, Any]] = []
        for place, record in zip(places, records, strict=True):
            try:
                decoded = isinstance(record, dict | Export)
                value = (
                    record
                    if decoded
                    else decode(record, object if kind.each else kind.line)
                )
            except BrokenJson as broken:
                self.tally.skip(broken.why, place)
                continue
            inside = exported(value) if type(value) is Export else kind.records(value)
            for number, inner in enumerate(inside, start=1):
                exact = f"{place} {kind.called} {number}" if kind.each else place
                if isinstance(inner, dict if kind.prepare else dict | msgspec.Struct):
                    pairs.append((exact, inner))
                else:
                    self.tally.skip(skipped.NO_OBJECT, exact)
        exact_places = [place for place, _ in pairs]
        held = [record for _, record in pairs]
        quick = laid_spans(held) if held and kind.prepare == "span" else None
        if quick is not None or not kind.prepare:
            return exact_places, held if quick is None else quick
        pairs = [
            (place, laid)
            for place, record in pairs
            for laid in PREPARE[kind.prepare](record, self.context)
        ]
        return [place for place, _ in pairs], [record for _, record in pairs]

    def finish(self) -> None:
        """Count paths of the mapping that match no record, as they are probably typing errors."""
        led = self.mapping.led if self.mapping is not None else {}
        for field in sorted(self._unseen):
            path = one_line(led[field], limit=100)
            why = f'{skipped.NOTHING_AT}"{path}", where {field} is said to be'
            self.tally.reasons[why] = self.tally.records
            self.tally.places[why] = []

    def log(self, header: Ahead, samples: Iterator[Ahead]) -> Iterator[Batch]:
        """Traces in Inspect's samples, each of which is a file of its own."""
        try:
            top = decode(self._whole(header), dict[str, Any])
        except BrokenJson:
            raise InputError("has no readable header", where=self.where) from None
        kind = next(f for f in formats() if f.prepare == "inspect")
        parts = self.traces(
            self._grouped(self._inside(map(self._whole, samples), top, "sample")),
            replace(kind, each=()),
        )
        yield from packed(parts, self.limits, self.tally)

    def _document(self, stream: Ahead) -> Iterator[Batch]:
        """Read a JSON document: an array, or an object that wraps records."""
        if stream.peek(64).lstrip()[:1] == b"[":
            data = stream.peek(self.limits.document_bytes + 1)
            # too large to hold in memory, so DuckDB reads it
            if len(data) > self.limits.document_bytes:
                on_disk = not self.packed and not is_remote(self.where)
                groups = array_rows(
                    stream, self.tally, self.limits, self.where, on_disk=on_disk
                )
                first = [*islice(groups, 1)]
                samples = first[0][1][:_TRIED] if first else []
                return self.traces(chain(first, groups), self._kind(samples))
        data = self._whole(stream)
        try:
            if data[:64].lstrip()[:1] == b"[":
                return self._array(decode(data, list[msgspec.Raw]))
            top = decode(data, Raws)
            sample = _keys(data)
            items = self._wrapped(top) if recognise(sample) is None else None
        except BrokenJson as broken:
            cut = broken.why == skipped.NOT_JSON and data[-64:].rstrip()[-1:] not in {
                b"]",
                b"}",
            }
            what = "is cut off" if cut else broken.why
            fix = "export it again, whole"
            raise InputError(what, where=self.where, fix=fix) from None
        if items is not None:
            return self._array(items)
        kind = self._kind([sample])
        for path in kind.each:
            try:
                rest, items = parted(data, path)
            except BrokenJson:
                continue
            top = {key: unpacked(value) for key, value in rest.items()}
            self.format = kind.name
            return self.traces(
                self._grouped(self._inside(items, top, kind.called)),
                replace(kind, each=()),
            )
        self.tally.records += 1
        return self.traces(iter([([1], [data])]), kind)

    def _wrapped(self, top: Raws) -> list[msgspec.Raw] | None:
        """The records in an envelope: its only list of objects, or each of its values.

        A mapping with a path that begins with a name of the envelope is about the envelope itself,
        and so is a mapping with ``each``.
        """
        picks = self.mapping.picks.values() if self.mapping is not None else ()
        led = {path[0] for pick in picks for path in pick.paths}
        if self.mapping is not None and (self.mapping.each or not led.isdisjoint(top)):
            return None
        lists = [key for key, raw in top.items() if _LISTED.match(raw)]
        named = next((key for key in _WRAPPED if key in lists), None)
        if len(lists) > 1:
            what = f"holds several lists: {one_line(', '.join(lists), limit=100)}"
            fix = f"say by a mapping (--map) which are the records, as each: {named or lists[0]}"
            raise InputError(what, where=self.where, fix=fix)
        if lists:
            return decode(top[lists[0]], list[msgspec.Raw])
        first = [_keys(raw).keys() for raw in islice(top.values(), _TRIED)]
        alike = (
            len(first) > 2 and len(frozenset.intersection(*map(frozenset, first))) > 1
        )
        return [*top.values()] if alike else None

    def _inside(
        self, items: Iterable[Bytes], top: Mapping[str, Any], called: str
    ) -> Records:
        """Give each record the fields of the object around it."""
        for place, raw in self._counted(items):
            number = f"{called} {place}"
            try:
                value = decode(raw, object)
            except BrokenJson as broken:
                self.tally.skip(broken.why, number)
                continue
            yield number, {"^": top, **value} if isinstance(value, dict) else raw

    def _counted(self, items: Iterable[Bytes]) -> Records:
        for number, item in enumerate(items, start=1):
            self.tally.records += 1
            self.tally.size += memoryview(item).nbytes
            yield number, item

    def _array(self, items: list[msgspec.Raw]) -> Iterator[Batch]:
        if _are_turns(items):
            items = [_as_talk(msgspec.json.encode(items))]
        samples = [*filter(None, map(_keys, items[:_TRIED]))]
        return self.traces(self._grouped(self._counted(items)), self._kind(samples))

    def _whole(self, stream: Ahead) -> bytes:
        data = stream.peek(self.limits.document_bytes + 1)
        if len(data) > self.limits.document_bytes:
            raise self._too_large(self.limits.document_bytes)
        return data

    def parquet(self, path: str) -> Iterator[Batch]:
        """Traces in a Parquet file. Only the columns that the format uses are read."""
        with parquet(path, self.limits) as file:
            kind = self._table_kind([*file.first_rows()[:_TRIED]], "Parquet")
            batches = self.traces(file.rows(self.tally, kind), kind)
            yield from packed(batches, self.limits, self.tally)

    def table(
        self, groups: Rows, *, decimal_commas: bool, name: str = "CSV"
    ) -> Iterator[Batch]:
        """Read the rows of a table as traces."""
        first = [*islice(groups, 1)]
        rows = [dict(row) for row in first[0][1][:_TRIED]] if first else []
        if decimal_commas:
            with_points(rows)
        kind = self._table_kind(rows, name)
        groups = chain(first, groups)
        if self.guessed is None and self.mapping is None and kind is not plain():
            # cells of a maker's data frame were written as Python literals
            groups = ((places, with_literals(rows)) for places, rows in groups)
        if decimal_commas:  # only numbers change; texts stay as they were written
            picks = [pick for field, pick in kind.picks.items() if field in NUMBERS]
            paths = {".".join(map(str, path)) for pick in picks for path in pick.paths}
            stars = [path for path in paths if "*" in path]
            names = rows[0] if rows else ()
            columns = paths | {
                n for n in names if any(fnmatchcase(n, star) for star in stars)
            }
            groups = ((places, with_points(rows, columns)) for places, rows in groups)
        yield from packed(self.traces(groups, kind), self.limits, self.tally)

    def sheet(self, opened: Opening) -> Iterator[Batch]:
        """Traces in the rows of a workbook."""
        self.packed = ""
        rows = sheet_rows(opened, self.tally, self.limits, self.where)
        yield from self.table(rows, decimal_commas=False, name="Excel")

    def database(self, path: str) -> Iterator[Batch]:
        """Traces in the table of a database whose rows are calls."""
        best = ""
        rank: tuple[bool, int] = (False, 0)
        names: list[str] = []
        for table, rows in database_tables(path, self.where):
            names.append(table)
            chunk = RecordChunk(rows)
            kind = recognise_most(rows)
            if kind is None or kind is plain():
                kind = guess(rows)
            fields = (
                kind.fields(chunk)
                if kind is not None and not kind.joins and rows
                else {}
            )
            answers = sum(v is not None for v in fields.get("output", ()))
            known = sum(has_value(values) for values in fields.values())
            if answers and (kind is not None, known) > rank:
                best = table
                rank = (True, known)
        if not best:
            what = f"has no table with answers; its tables are {one_line(', '.join(names), limit=120)}"
            raise NotTraces(
                what, where=self.where, fix="export the table of calls as CSV"
            )
        self.context.note(f"table {one_line(best, limit=60)}")
        rows_ = database_rows(path, best, self.tally, self.limits, self.where)
        yield from self.table(rows_, decimal_commas=False, name="SQLite")

    def _table_kind(self, rows: Sequence[Mapping[str, Any]], name: str) -> FieldMap:
        """The format of a table. A column that is empty at first counts, too."""
        if self.mapping is None and any(map(is_promptfoo_table, rows)):
            kind = formats_by_name()["promptfoo_table"]
            self.format = f"{kind.name} in {name}"
            return kind
        samples = [
            {key: "" if v is None else v for key, v in row.items()} for row in rows
        ]
        return self._kind(samples, table=name)


def with_around(
    fields: dict[str, list[Any]], around: Mapping[str, list[Any]]
) -> dict[str, list[Any]]:
    """Our fields, completed by the values around a call where it has none itself."""
    none = [None] * max(map(len, around.values()), default=0)
    answers = (fields.get("output") or none, fields.get("output_tokens") or none)
    for title, values in around.items():
        field = title.removesuffix(AROUND)
        said = values
        if title != field:
            pairs = zip(values, zip(*answers, strict=True), strict=True)
            said = [None if any(answered) else value for value, answered in pairs]
        own = fields.get(field)
        if own is None:
            fields[field] = said
        else:
            fields[field] = [
                b if a is None else a for a, b in zip(own, said, strict=True)
            ]
    return fields


def _why_broken(data: bytes) -> str:
    try:
        decode(data, msgspec.Raw)
    except BrokenJson as broken:
        return broken.why
    return ""


def _answered(samples: Sequence[Mapping[str, Any]]) -> bool:
    """Whether at least half of the records have an output, messages or tool calls, in our fields."""
    answered = sum(
        not _SAYING.isdisjoint(k for k, v in sample.items() if v) for sample in samples
    )
    return answered * 2 >= len(samples)


_SAYING = frozenset({"output", "messages", "tool_calls"})


def parted(
    data: Bytes, path: tuple[str | int | None, ...]
) -> tuple[Raws, list[msgspec.Raw]]:
    """The undecoded items of a list deep inside a value, and the value without them.

    Raises:
        BrokenJson: If there is no list at the path.
    """
    step = path[0]
    rest = decode(data, Raws)
    if not isinstance(step, str) or step not in rest:
        raise BrokenJson(skipped.NO_OBJECT)
    inner = rest.pop(step)
    if len(path) == 1:
        return rest, decode(inner, list[msgspec.Raw])
    held, items = parted(inner, path[1:])
    return rest | {step: msgspec.Raw(msgspec.json.encode(held))}, items


def _keys(raw: Bytes) -> dict[str, Any]:
    """A record for a first look: large values stay undecoded."""
    try:
        return {
            key: unpacked(value) if memoryview(value).nbytes < _LARGE else value
            for key, value in decode(raw, Raws).items()
        }
    except BrokenJson:
        return {}


_LARGE = 4096
_SHIPPED = (
    "message",
    "@message",
    "log",
    "_source",
    "jsonPayload",
    "textPayload",
    "event",
    "result",
)
"""Keys under which log collectors keep the record that a program wrote."""
_YAML = (".yaml", ".yml")


def _are_turns(items: Sequence[Bytes]) -> bool:
    """Whether values are the turns of one conversation, as the run of an agent writes them."""
    first = _keys(items[0]) if items else {}
    return name(first.get("kind")) in {"request", "response"} and "parts" in first


def _as_talk(turns: bytes) -> msgspec.Raw:
    return msgspec.Raw(b'{"messages":' + turns + b"}")


_SPEAKERS = re.compile(r"\b(?:role|speaker|sender|author|from)\b", re.IGNORECASE)
_LISTED = re.compile(rb"\s*\[\s*\{")
