"""The content of one file in any format, as batches of traces."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import chain, islice
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
from tuneworthy.traces.sheets import database_rows, database_tables, sheet_rows
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
    """The error for a file whose format isn't known; ``fields`` are the names in its records."""
    seen = ""
    if fields:
        seen = f"; its fields are {one_line(fields, limit=240)}"
    if _SPEAKERS.search(fields):
        seen += "; rows that are turns are read as one record a conversation, with `messages`"
    fix = (
        "what is understood: plain traces, CSV, Parquet and the logs of makers that the guide to "
        f"measuring lists; of any other, say by a mapping (--map) which field holds what{seen}"
    )
    return NotTraces("isn't recognised", where=where, fix=fix)


def shape(stream: Ahead, where: str, limits: Limits) -> str:
    """The layout of a text: lines, lists, document, or a table's separator.

    A byte order mark is skipped.

    Raises:
        InputError: For a text that isn't UTF-8, is empty, or is none of these.
    """
    head = stream.peek(MIB)
    if head.startswith(codecs.BOM_UTF8):
        stream.read(len(codecs.BOM_UTF8))
        head = stream.peek(MIB)
    wide = _wide(head)
    if wide is not None:
        raise InputError(f"is {wide} text", where=where, fix="save it as UTF-8")
    if not head.strip():
        raise NotTraces(
            "is empty", where=where, fix="name a file with traces or results"
        )
    head = _first_line(stream, head, limits)
    start = head.lstrip()[:1]
    if start == b"[":
        return "lists" if _are_lists(head) else "document"
    is_too_long = len(head) > limits.document_bytes and b"\n" not in head
    # A line that is too long is passed over; others may follow.
    if (start == b"{" and is_too_long) or _is_lines(head):
        return "lines"
    if start == b"{":
        return "document"
    sign = looks_like_table(head)
    if sign is None:
        raise not_recognised(where)
    return sign


def _first_line(stream: Ahead, head: bytes, limits: Limits) -> bytes:
    """The beginning of a text up to the end of its first line, within the limits."""
    # Most lines are short, so the larger limit is only read where the smaller one isn't enough.
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
    # A Latin letter is one byte and zeros, before or behind it.
    zeros = tuple(place for place, byte in enumerate(head[:4]) if not byte)
    if head.startswith(_UTF32) or zeros in {(0, 1, 2), (1, 2, 3)}:
        return "UTF-32"
    return "UTF-16" if head.startswith(_UTF16) or zeros in {(0, 2), (1, 3)} else None


def _is_lines(head: bytes) -> bool:
    """Whether each line is a JSON value: a whole line is an object, and it isn't the only line."""
    for place, _ in objects(head, most=1):
        _, _, other_lines = head.lstrip().partition(b"\n")
        # A later line follows others by itself; the first one may be all of a document.
        return place > 0 or bool(other_lines.strip())
    return False


def objects(head: bytes, most: int) -> Iterator[tuple[int, bytes]]:
    """The first ``most`` lines that are nonempty objects, with their places from 0."""
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

_TRIED = 20  #: Records that are enough to tell a format.
_WRAPPED = ("data", "observations", "traces", "items", "records", "calls")
"""Usual names of the list of records in an envelope."""
Beside = dict[str, dict[str, Any]]
"""Fields of records, by id, that another file than the record's own holds."""
Records = Iterator[tuple[Place, Any]]
Groups = Iterator[tuple[list[Place], Any]]
"""Places and their records: a list, or rows of a table."""


def _unread(
    record: Mapping[str, Any], read: set[tuple[str, ...]], *above: str
) -> Iterator[str]:
    """Dotted names of the fields of a record that no path in ``read`` leads to or through.

    An object that holds no used field is named alone, without its own fields. ``above`` is the path
    of the record itself.
    """
    for key, value in record.items():
        path = (*above, key)
        is_read_or_holds_read = any(used[: len(path)] == path for used in read)
        if not is_read_or_holds_read:
            yield ".".join(path)
        elif path not in read and isinstance(value, Mapping):
            yield from _unread(value, read, *path)


class _Gathered:
    """Records that wait until they are enough to be processed together."""

    def __init__(self, tally: SkippedRecords, limits: Limits) -> None:
        self._tally = tally
        self._most_bytes = limits.batch_bytes // 2
        self._begin()

    def is_full(self) -> bool:
        """Many records are processed faster at once, but only a limited size fits in memory."""
        return len(self.records) >= TOGETHER or self._tally.size > self._closes_at

    def hand_on(self) -> tuple[list[Place], list[Any]]:
        """Hand on the places and records, and begin again without any."""
        group = (self.places, self.records)
        self._begin()
        return group

    def _begin(self) -> None:
        self.places: list[Place] = []
        self.records: list[Any] = []
        self._closes_at = self._tally.size + self._most_bytes


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
        self.kept = False  #: Whether its records were kept for the log beside it.
        self.tally = SkippedRecords(name, until_s=limits.until_s)
        self.context = ReadContext(self.tally, name, Path(where).parent.name)
        self.format = ""  #: The name of its format; empty until it is known.
        self.packed = ""  #: How the file is packed; empty where it isn't.
        self.joined = 0  #: Records with values from a file beside it.
        self.guessed: FieldMap | None = None
        self.unread: tuple[str, ...] = ()  #: Fields that the guess takes nothing from.
        self._folders = folder_keys(where)
        #: Fields of the mapping for which no record had a value yet.
        self._unseen: set[str] = set()
        if mapping is not None:
            self._unseen.update(mapping.led)

    def described(self) -> str:
        """The format in words, with what the user should know of the reading."""
        parts = [self.format, *self.context.notes]
        if self.beside and not self.kept:
            parts.append(f"{self.joined:,} joined to a file beside it")
        text = ", ".join(parts)
        if self.packed:
            text += f" ({self.packed})"
        return one_line(text, limit=200)

    def text(self, stream: Ahead) -> Iterator[Batch]:
        """Traces in a text: YAML, lines of JSON, one JSON value, or a table."""
        if self.where.endswith(_YAML):
            batches = self._yaml(stream)
        else:
            form = shape(stream, self.where, self.limits)
            if form == "lists":
                batches = self._lists(stream)
            elif form == "lines":
                batches = self._lines(stream)
            elif form == "document":
                batches = self._document(stream)
            else:
                rows = csv_rows(stream, form, self.tally, self.limits, self.where)
                # Where a semicolon parts the cells, the comma is for decimals.
                yield from self.table(rows, decimal_commas=form == ";")
                return
        yield from packed(batches, self.limits, self.tally)

    def _yaml(self, stream: Ahead) -> Iterator[Batch]:
        """Traces in a YAML document, read as the same document in JSON."""
        text = self._whole(stream).decode("utf-8", "replace")
        data = msgspec.json.encode(plain_values(text, self.where))
        if data[:1] not in {b"{", b"["}:
            raise not_recognised(self.where)
        return self._document(Ahead(Pieces(iter([data]))))

    def _lists(self, stream: Ahead) -> Iterator[Batch]:
        """Traces in lines that are lists: the turns of a conversation, or records.

        A list of turns becomes one record, and other lists are joined into one.
        """
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
            if _are_turns(inner):
                items.append(_as_talk(line))
            else:
                items += inner
        return self._array(items)

    def _lines(self, stream: Ahead) -> Iterator[Batch]:
        """Read JSON lines; the first ones tell the format."""
        lines = blocks(stream, self.limits.line_bytes)
        looked_at: list[Block] = []
        samples: list[Mapping[str, Any]] = []
        for block in lines:
            looked_at.append(block)
            records = objects(bytes(block.data), most=_TRIED - len(samples))
            samples += [_keys(line) for _, line in records]
            # A mapping says the format already, and a maker's one is known by few records.
            if self.mapping or len(samples) >= _TRIED or recognise_most(samples):
                break
        has_long_line = any(block.too_long for block in looked_at)
        if not samples and self.mapping is None and has_long_line:
            raise self._too_large(self.limits.line_bytes)
        kind = self._kind(samples)
        yield from self.traces(self._decoded(chain(looked_at, lines), kind), kind)

    def _decoded(self, lines: Iterator[Block], kind: FieldMap) -> Groups:
        """The records of some blocks at once; line by line where one line needs a closer look."""
        decoders = [kind.decoder]
        if kind.each and kind.prepare == "span":
            # The usual form of OTLP is decoded much faster by a type of its own.
            decoders = [EXPORT, kind.decoder]
        gathered = _Gathered(self.tally, self.limits)
        for block in lines:
            records = _decode_block(block, decoders)
            if not records:
                # What came before goes first, as records are in the order of the file.
                if gathered.records:
                    yield gathered.hand_on()
                yield from self._grouped(self._each_line(block))
                continue
            self.tally.records += len(records)
            self.tally.size += len(block.data)
            gathered.records += records
            # Blank lines give no record; then only the place of the block is known.
            if len(records) == block.lines:
                gathered.places += range(block.first, block.first + block.lines)
            else:
                gathered.places += [block.first] * len(records)
            if gathered.is_full():
                yield gathered.hand_on()
        yield gathered.hand_on()

    def _each_line(self, block: Block) -> Records:
        """Lines with their numbers, all counted; blank ones are skipped."""
        tally = self.tally
        if block.too_long:
            tally.records += 1
            tally.skip(skipped.TOO_LONG, block.first)
            return
        lines = bytes(block.data).split(b"\n")
        last = block.first + len(lines) - 1
        for number, data in enumerate(lines, start=block.first):
            if not data.strip():
                continue
            tally.records += 1
            tally.size += len(data)
            # A program may still be writing the last line, so it isn't a fault of the file.
            is_unfinished = number == last and not block.ended
            if is_unfinished and _why_broken(data) in {
                skipped.NOT_JSON,
                skipped.NOT_UTF8,
            }:
                tally.skip(skipped.CUT_OFF, number)
            else:
                yield number, data

    def _kind(self, samples: Sequence[Mapping[str, Any]], table: str = "") -> FieldMap:
        """The format of some records: by the mapping, by the first known record, or by a guess.

        ``table`` is the kind of table they are from; empty for none.

        Raises:
            InputError: If no format fits.
        """
        kind = recognise_most(samples)
        if self.mapping is not None:
            if kind is not None and kind.joins and not self._leads_to_answers(samples):
                # The mapping describes the log and not the files beside it.
                self._unseen.clear()
                return kind
            kind = self._mapped(self.mapping, kind, samples)
        elif not table and (kind is None or kind is plain()):
            # Our own field names say little: a collector's record may have them around the real one.
            kind = self._inside_shipped(samples) or kind
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
        """A known format completed by a guess, or a guess instead of it; None without either.

        A maker's format is certain. Our own ones aren't: our field names may belong to another tool,
        in any table and in records without an answer, and an id with a score may be a part of a log.
        """
        are_scores = kind is own_scores()
        is_ours = kind is plain()
        is_doubtful = are_scores or (is_ours and (table or not _answered(samples)))
        if kind is not None and not is_doubtful:
            if is_ours and self.mapping is None:
                return with_rest(kind, samples)
            return kind
        with_folders = [{**self._folders, **sample} for sample in samples]
        may_lack_answers = bool(table) and not are_scores
        self.guessed = guess(with_folders, self._folders, table=may_lack_answers)
        if self.guessed is not None:
            return self.guessed
        # A table that has our names and can't be guessed holds nothing that we read.
        return kind if are_scores or not table else None

    def _forget_folders(self, kind: FieldMap) -> None:
        """Ignore values in a folder's name for fields that the records have themselves."""
        own_keys: set[Any] = set()
        for field, pick in kind.picks.items():
            # Only the fields of ``OF_FOLDERS`` may come from a folder's name.
            if field not in OF_FOLDERS:
                own_keys.update(first for first, *_ in pick.paths)
        for key in own_keys & self._folders.keys():
            del self._folders[key]

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
        """Remember the fields that a guess doesn't use, in the order of the records."""
        if self.guessed is None:
            return
        paths = [*self.guessed.id]
        for pick in self.guessed.picks.values():
            paths += pick.paths
        read = {tuple(map(str, path)) for path in paths}
        read |= {(".".join(path),) for path in read}  # a key may hold dots itself
        unread: list[str] = []
        noted: set[str] = set()
        for sample in samples:
            for field in _unread({**self._folders, **sample}, read):
                if field not in noted:
                    noted.add(field)
                    unread.append(field)
        self.unread = tuple(unread)

    def _inside_shipped(self, samples: Sequence[Mapping[str, Any]]) -> FieldMap | None:
        """The format of records that a log collector wrapped in records of its own."""
        for key in _SHIPPED:
            inner = [unpacked(sample.get(key)) for sample in samples]
            records = [each for each in inner if isinstance(each, dict) and each]
            # Collectors also write lines of their own, but most hold a record.
            if not records or len(records) * 2 < len(samples):
                continue
            kind = recognise_most(records)
            if kind is None or kind is plain():
                continue
            # A path that leads to records is already taken, and files beside aren't shipped.
            if not kind.each and not kind.joins:
                return replace(kind, each=((key,),))
        return None

    def _mapped(
        self,
        mapping: FieldMap,
        kind: FieldMap | None,
        samples: Sequence[Mapping[str, Any]],
    ) -> FieldMap:
        """A mapping, completed by the maker's format or by a guess."""
        if kind is None or kind is plain() or kind.joins:
            whole = merged(mapping, samples)
            if whole is not mapping:
                self.guessed = whole
            return whole
        # A mapping that says where the answers are describes another layout than the maker's.
        says_where_answers_are = not _SAYING.isdisjoint(mapping.picks)
        if says_where_answers_are or mapping.each:
            return mapping
        return replace(kind, picks={**kind.picks, **mapping.picks})

    def _leads_to_answers(self, samples: Sequence[Mapping[str, Any]]) -> bool:
        """Whether the paths of the mapping lead to an answer or an error in these records."""
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
        for places, records in groups:
            yield from self._calls(tree, *self._laid(places, records, kind), kind)
        # Some formats know only at the end of the file that a call is complete.
        left = [*FINISH[kind.prepare](self.context)]
        yield from self._calls(tree, ["end"] * len(left), left, kind)
        if tree is not None:
            yield from self._tree_batches(tree.rest(), kind)

    def _calls(
        self, tree: CallTree | None, places: list[Place], records: Any, kind: FieldMap
    ) -> Iterator[Batch]:
        """Traces of records that are calls, or that a tree of spans finds the calls in."""
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
        kept_places: list[Place] = []
        for place, stays in zip(places, kept, strict=True):
            if stays:
                kept_places.append(place)
            else:
                self.tally.skip(why, place)
        return kept_places, chunk.only(kept)

    def _new(self, chunk: RecordChunk, kind: FieldMap) -> list[bool]:
        """Whether each record is the first of its id in this file; one without an id is."""
        seen = self.context.state.setdefault("seen", set())
        new: list[bool] = []
        for key in map(name, chunk.first(kind.once) or [None] * len(chunk)):
            new.append(key is None or key not in seen)
            seen.add(key)
        return new

    def _fields(self, chunk: RecordChunk, kind: FieldMap) -> dict[str, list[Any]]:
        """The values of our fields, with those from files beside the log."""
        fields = kind.fields(chunk)
        self._note_folders(chunk, kind)
        if self._unseen:
            seen = {name for name, values in fields.items() if has_value(values)}
            self._unseen -= seen
        if self.beside:
            for path in kind.id:
                self._join_beside(fields, chunk.values(path) or (), len(chunk))
        return fields

    def _note_folders(self, chunk: RecordChunk, kind: FieldMap) -> None:
        """Note the values that were read from the names of folders."""
        if not chunk.lent:
            return
        read = {first for pick in kind.picks.values() for first, *_ in pick.paths}
        for key in sorted(chunk.lent & read):
            self.context.note(f"{key} by its folder")

    def _join_beside(
        self, fields: dict[str, list[Any]], ids: Sequence[Any], records: int
    ) -> None:
        """Add values from files beside the log, by record id, where a record lacks them."""
        for row, id_ in enumerate(ids):
            beside = self.beside.get(name(id_) or "")
            if not beside:
                continue
            self.joined += 1
            for field, value in beside.items():
                values = fields.setdefault(field, [None] * records)
                if values[row] is None:
                    values[row] = value

    def _keep(self, chunk: RecordChunk, kind: FieldMap) -> None:
        """Remember values for the log beside this file; of several for one record, the first."""
        self.kept = True
        fields = kind.fields(chunk)
        for n, id_ in enumerate(chunk.first(kind.joins) or ()):
            row = {key: v[n] for key, v in fields.items() if v[n] is not None}
            self.beside.setdefault(name(id_) or "", row)

    def _grouped(self, records: Records) -> Groups:
        """Group records that are processed together."""
        gathered = _Gathered(self.tally, self.limits)
        for place, record in records:
            gathered.places.append(place)
            gathered.records.append(record)
            if gathered.is_full():
                yield gathered.hand_on()
        yield gathered.hand_on()

    def _laid(
        self, places: list[Place], records: Any, kind: FieldMap
    ) -> tuple[list[Place], Any]:
        """Records with their places, opened and after the map's own rearrangement."""
        # Rows of a table are plain already. Else one record of another type needs opening.
        types = set() if type(records) is TableRows else {*map(type, records)}
        is_span = kind.prepare == "span"
        if not kind.each and not kind.prepare and types <= {dict, kind.line}:
            return places, records
        # Spans that were decoded and hold no records go on as they are: most logs are these.
        if kind.each or not is_span or types != {dict}:
            places, records = self._opened(places, records, kind)
        if not kind.prepare:
            return places, records
        if is_span and records:
            spans = laid_spans(records)
            if spans is not None:
                return places, spans
        laid: list[Any] = []
        laid_places: list[Place] = []
        for place, record in zip(places, records, strict=True):
            for each in PREPARE[kind.prepare](record, self.context):
                laid.append(each)
                laid_places.append(place)
        return laid_places, laid

    def _opened(
        self, places: list[Place], records: Any, kind: FieldMap
    ) -> tuple[list[Place], list[Any]]:
        """Records decoded where they aren't yet, and those inside them where the map says so.

        What can't be decoded, or is no object, is counted and left out.
        """
        objects_: tuple[type, ...] = (dict,) if kind.prepare else (dict, msgspec.Struct)
        opened: list[Any] = []
        opened_places: list[Place] = []
        for place, record in zip(places, records, strict=True):
            try:
                inside = self._records_in(record, kind)
            except BrokenJson as broken:
                self.tally.skip(broken.why, place)
                continue
            for number, inner in enumerate(inside, start=1):
                exact = f"{place} {kind.called} {number}" if kind.each else place
                if isinstance(inner, objects_):
                    opened.append(inner)
                    opened_places.append(exact)
                else:
                    self.tally.skip(skipped.NO_OBJECT, exact)
        return opened_places, opened

    def _records_in(self, record: Any, kind: FieldMap) -> Iterator[Any]:
        """The records in one that is decoded or not; itself where the map names no path to them."""
        if isinstance(record, Export):
            return exported(record)
        if not isinstance(record, dict):
            # Records inside may be anywhere, so all of it is decoded, else only what is read.
            as_type = object if kind.each else kind.line
            record = decode(record, as_type)
        return kind.records(record)

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
        kind = replace(formats_by_name()["inspect"], each=())
        records = self._inside(map(self._whole, samples), top, "sample")
        batches = self.traces(self._grouped(records), kind)
        yield from packed(batches, self.limits, self.tally)

    def _document(self, stream: Ahead) -> Iterator[Batch]:
        """Read a JSON document: an array, an object that wraps records, or one that is a record.

        An object of a known format isn't looked into here, as its map says where its records are.
        """
        most = self.limits.document_bytes
        is_array = stream.peek(_HEAD).lstrip()[:1] == b"["
        if is_array and len(stream.peek(most + 1)) > most:
            return self._large_array(stream)
        data = self._whole(stream)
        try:
            if is_array:
                return self._array(decode(data, list[msgspec.Raw]))
            top = decode(data, Raws)
            sample = _keys(data)
            items = self._wrapped(top) if recognise(sample) is None else None
        except BrokenJson as broken:
            ends_like_json = data[-_HEAD:].rstrip()[-1:] in {b"]", b"}"}
            is_cut = broken.why == skipped.NOT_JSON and not ends_like_json
            what = "is cut off" if is_cut else broken.why
            fix = "export it again, whole"
            raise InputError(what, where=self.where, fix=fix) from None
        if items is not None:
            return self._array(items)
        return self._single(data, self._kind([sample]))

    def _large_array(self, stream: Ahead) -> Iterator[Batch]:
        """Read an array that is too large to hold in memory; DuckDB reads it."""
        on_disk = not self.packed and not is_remote(self.where)
        groups = array_rows(
            stream, self.tally, self.limits, self.where, on_disk=on_disk
        )
        first = [*islice(groups, 1)]
        samples: list[dict[str, Any]] = []
        for _, rows in first:
            samples = rows[:_TRIED]
        return self.traces(chain(first, groups), self._kind(samples))

    def _single(self, data: bytes, kind: FieldMap) -> Iterator[Batch]:
        """Read one object of a known format, which may hold many records."""
        for path in kind.each:
            try:
                rest, items = parted(data, path)
            except BrokenJson:
                continue
            # So that a long list isn't decoded whole, its records come one by one.
            top = {key: unpacked(value) for key, value in rest.items()}
            self.format = kind.name
            records = self._inside(items, top, kind.called)
            return self.traces(self._grouped(records), replace(kind, each=()))
        self.tally.records += 1
        only_group: tuple[list[Place], Any] = ([1], [data])
        return self.traces(iter([only_group]), kind)

    def _wrapped(self, top: Raws) -> list[msgspec.Raw] | None:
        """The records in an envelope: its only list of objects, or each of its values.

        None where it is no envelope, or where the mapping is about the envelope itself: it has
        ``each``, or a path that begins with a name of the envelope.
        """
        if self.mapping is not None:
            firsts = {
                first
                for pick in self.mapping.picks.values()
                for first, *_ in pick.paths
            }
            if self.mapping.each or not firsts.isdisjoint(top):
                return None
        lists = [key for key, raw in top.items() if _LISTED.match(raw)]
        if len(lists) > 1:
            raise self._several_lists(lists)
        if lists:
            (only_list,) = lists
            return decode(top[only_list], list[msgspec.Raw])
        return [*top.values()] if _are_similar(top) else None

    def _several_lists(self, lists: Sequence[str]) -> InputError:
        """The error for an envelope with several lists, with the likeliest one in its fix."""
        usual = [key for key in _WRAPPED if key in lists]
        likeliest, *_ = usual or lists
        what = f"holds several lists: {one_line(', '.join(lists), limit=100)}"
        fix = f"say by a mapping (--map) which are the records, as each: {likeliest}"
        return InputError(what, where=self.where, fix=fix)

    def _inside(
        self, items: Iterable[Bytes], top: Mapping[str, Any], called: str
    ) -> Records:
        """Give each record the fields of the object around it, under ``^``."""
        for place, raw in self._counted(items):
            number = f"{called} {place}"
            try:
                value = decode(raw, object)
            except BrokenJson as broken:
                self.tally.skip(broken.why, number)
                continue
            # Whatever is no object is skipped later, with the other records of its kind.
            yield number, {"^": top, **value} if isinstance(value, dict) else raw

    def _counted(self, items: Iterable[Bytes]) -> Records:
        for number, item in enumerate(items, start=1):
            self.tally.records += 1
            self.tally.size += memoryview(item).nbytes
            yield number, item

    def _array(self, items: list[msgspec.Raw]) -> Iterator[Batch]:
        """Read a list of records, or a list that is one conversation."""
        if _are_turns(items):
            items = [_as_talk(msgspec.json.encode(items))]
        samples = [keys for keys in map(_keys, items[:_TRIED]) if keys]
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
            groups = file.rows(self.tally, kind.keys, kind.later)
            yield from packed(self.traces(groups, kind), self.limits, self.tally)

    def table(
        self, groups: Rows, *, decimal_commas: bool, name: str = "CSV"
    ) -> Iterator[Batch]:
        """Read the rows of a table as traces; ``name`` is what kind of table it is."""
        first = [*islice(groups, 1)]
        samples: list[dict[str, Any]] = []
        for _, rows in first:
            samples = [dict(row) for row in rows[:_TRIED]]
        if decimal_commas:
            with_points(samples)
        kind = self._table_kind(samples, name)
        groups = chain(first, groups)  # the rows that were looked at are read again
        if self.guessed is None and self.mapping is None and kind is not plain():
            # cells of a maker's data frame were written as Python literals
            groups = ((places, with_literals(rows)) for places, rows in groups)
        if decimal_commas:  # only numbers change; texts stay as they were written
            columns = _columns_of_numbers(kind, samples)
            groups = ((places, with_points(rows, columns)) for places, rows in groups)
        yield from packed(self.traces(groups, kind), self.limits, self.tally)

    def sheet(self, path: str) -> Iterator[Batch]:
        """Traces in the rows of a workbook."""
        rows = sheet_rows(path, self.tally, self.limits, self.where)
        yield from self.table(rows, decimal_commas=False, name="Excel")

    def database(self, path: str) -> Iterator[Batch]:
        """Traces in the table of a database whose rows are calls: the one with the most known fields."""
        best = ""
        most = 0
        names: list[str] = []
        for table, rows in database_tables(path, self.where):
            names.append(table)
            known = _known_fields(rows)
            if known > most:
                best = table
                most = known
        if not best:
            tables = one_line(", ".join(names), limit=120)
            what = f"has no table with answers; its tables are {tables}"
            fix = "export the table of calls as CSV"
            raise NotTraces(what, where=self.where, fix=fix)
        self.context.note(f"table {one_line(best, limit=60)}")
        groups = database_rows(path, best, self.tally, self.limits, self.where)
        yield from self.table(groups, decimal_commas=False, name="SQLite")

    def _table_kind(self, rows: Sequence[Mapping[str, Any]], name: str) -> FieldMap:
        """The format of a table. A column that is empty at first counts, too."""
        if self.mapping is None and any(map(is_promptfoo_table, rows)):
            kind = formats_by_name()["promptfoo_table"]
            self.format = f"{kind.name} in {name}"
            return kind
        # Formats look for keys with a value, and a later row may have one.
        samples = [_with_empty_texts(row) for row in rows]
        return self._kind(samples, table=name)


def _with_empty_texts(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with an empty text in place of each missing value."""
    return {key: "" if value is None else value for key, value in row.items()}


def _decode_block(
    block: Block, decoders: Sequence[msgspec.json.Decoder[Any]]
) -> list[Any]:
    """The records of all lines of a block; [] where a line needs a look by itself."""
    if block.too_long or has_too_much(block.data):
        return []
    for decoder in decoders:
        with suppress(msgspec.MsgspecError, ValueError, RecursionError):
            return decoder.decode_lines(block.data)
    return []


def _are_similar(top: Raws) -> bool:
    """Whether the values of an object are records by their id: three or more with keys in common."""
    keys_of_first = [frozenset(_keys(raw)) for raw in islice(top.values(), _TRIED)]
    if len(keys_of_first) < _FEWEST_SIMILAR:
        return False
    # One key in common, such as an id, may be chance.
    return len(frozenset.intersection(*keys_of_first)) > 1


_FEWEST_SIMILAR = 3  #: Values of an object that are enough to call them records.


def _columns_of_numbers(
    kind: FieldMap, samples: Sequence[Mapping[str, Any]]
) -> set[str]:
    """The columns that a map reads numbers from. Its paths may be patterns of their names."""
    columns: set[str] = set()
    for field, pick in kind.picks.items():
        if field in NUMBERS:
            columns |= {".".join(map(str, path)) for path in pick.paths}
    patterns = [column for column in columns if "*" in column]
    for sample in samples[:1]:  # all rows of a table have the same columns
        for column in sample:
            if any(fnmatchcase(column, pattern) for pattern in patterns):
                columns.add(column)
    return columns


def _known_fields(rows: list[dict[str, Any]]) -> int:
    """The number of our fields that a table's first rows have; 0 for rows without an answer."""
    if not rows:
        return 0
    kind = recognise_most(rows)
    if kind is None or kind is plain():
        kind = guess(rows)
    if kind is None or kind.joins:
        return 0
    fields = kind.fields(RecordChunk(rows))
    if not has_value(fields.get("output", ())):
        return 0
    return sum(1 for values in fields.values() if has_value(values))


def with_around(
    fields: dict[str, list[Any]], around: Mapping[str, list[Any]]
) -> dict[str, list[Any]]:
    """Our fields, completed by the values ``around`` a call where it has none itself.

    Values whose name ends with ``AROUND`` are failures, which count for calls without an answer only.
    """
    if not around:
        return fields
    rows = max(map(len, around.values()))
    none = [None] * rows
    outputs = fields.get("output") or none
    written = fields.get("output_tokens") or none
    for around_name, values in around.items():
        field = around_name.removesuffix(AROUND)
        usable = values
        if around_name != field:
            # A call with an answer didn't fail, whatever is said around it.
            answers = zip(values, outputs, written, strict=True)
            usable = [
                None if text or tokens else value for value, text, tokens in answers
            ]
        pairs = zip(fields.get(field) or none, usable, strict=True)
        fields[field] = [outer if own is None else own for own, outer in pairs]
    return fields


def _why_broken(data: bytes) -> str:
    """The reason why a line isn't JSON; empty for one that is."""
    try:
        decode(data, msgspec.Raw)
    except BrokenJson as broken:
        return broken.why
    return ""


def _answered(samples: Sequence[Mapping[str, Any]]) -> bool:
    """Whether at least half of the records have an output, messages or tool calls, in our fields."""
    answered = 0
    for sample in samples:
        if any(sample.get(field) for field in _SAYING):
            answered += 1
    return answered * 2 >= len(samples)


_SAYING = frozenset({"output", "messages", "tool_calls"})
"""Fields that hold an answer."""


def parted(
    data: Bytes, path: tuple[str | int | None, ...]
) -> tuple[Raws, list[msgspec.Raw]]:
    """Take the list at a path out of an object: return the rest of it, and the undecoded items.

    Raises:
        BrokenJson: If there is no list at the path.
    """
    key, *below = path
    rest = decode(data, Raws)
    if not isinstance(key, str) or key not in rest:
        raise BrokenJson(skipped.NO_OBJECT)
    inner = rest.pop(key)
    if not below:
        return rest, decode(inner, list[msgspec.Raw])
    # What is beside the list in the inner object stays in it.
    rest_of_inner, items = parted(inner, tuple(below))
    rest[key] = msgspec.Raw(msgspec.json.encode(rest_of_inner))
    return rest, items


def _keys(raw: Bytes) -> dict[str, Any]:
    """A record for a first look: large values stay undecoded. {} for what is no object."""
    try:
        record = decode(raw, Raws)
    except BrokenJson:
        return {}
    keys: dict[str, Any] = {}
    for key, value in record.items():
        is_small = memoryview(value).nbytes < _LARGE
        keys[key] = unpacked(value) if is_small else value
    return keys


_LARGE = 4096  #: Bytes of a value that tells nothing of the format.
_HEAD = 64  #: Bytes at the beginning or the end, blanks included.
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
    """A record that holds a list of turns."""
    return msgspec.Raw(b'{"messages":' + turns + b"}")


_SPEAKERS = re.compile(r"\b(?:role|speaker|sender|author|from)\b", re.IGNORECASE)
_LISTED = re.compile(rb"\s*\[\s*\{")  #: How a list of objects begins.
