"""Our own format at full speed: blocks of lines into typed objects, and those into columns.

What doesn't fit the types, because another tool wrote numbers as text or content as parts, is read
again leniently, a line at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tuneworthy.domain.traces import Batch
from tuneworthy.files.traces.building import batches, joined
from tuneworthy.files.traces.columns import Gathered
from tuneworthy.files.traces.decoding import Broken, decode, decode_object, has_too_much
from tuneworthy.files.traces.limits import Limits
from tuneworthy.files.traces.lines import Block
from tuneworthy.files.traces.plain import trace_rows
from tuneworthy.files.traces.sound import sound
from tuneworthy.files.traces.tally import CUT_OFF, NOT_JSON, NOT_UTF8, TOO_LONG, Tally
from tuneworthy.files.traces.typed import Trace
from tuneworthy.files.traces.values import Row

_GIVE_UP = 3


class Lines:
    """Blocks of our own format as batches.

    Args:
        tally: Where what can't be used is counted.
        name: The file, for the names of conversations that have none.
        limits: How many traces, and how large, a batch may be.
    """

    def __init__(self, tally: Tally, name: str, limits: Limits) -> None:
        self._tally, self._name, self._limits = tally, name, limits
        self._decoder = msgspec.json.Decoder(Trace)
        self._failed = 0

    def batches(self, found: Iterator[Block]) -> Iterator[Batch]:
        """The traces of the blocks, in their order."""
        held: list[Batch] = []
        typed = Gathered(self._tally)
        traces = size = 0
        for block in found:
            many = self._typed(block, typed)
            if not many:
                held += typed.batch()
                many = self._lenient(block, held)
            traces, size = traces + many, size + len(block.data)
            if traces >= self._limits.batch_traces or size >= self._limits.batch_bytes:
                held += typed.batch()
                yield from _handed_on(held)
                traces = size = 0
        held += typed.batch()
        yield from _handed_on(held)

    def _typed(self, block: Block, typed: Gathered) -> int:
        """Gather all lines of a block; 0 where one of them wants a closer look."""
        if self._failed >= _GIVE_UP or block.too_long or has_too_much(block.data):
            return 0
        try:
            traces = self._decoder.decode_lines(block.data)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self._failed += 1
            return 0
        if not traces or not typed.add(traces, block):
            return 0
        self._failed = 0
        self._tally.records += len(traces)
        return len(traces)

    def _lenient(self, block: Block, held: list[Batch]) -> int:
        """Add what can be read of a block, a line at a time; gives how many traces that are."""
        before = len(held)
        held += batches(self._rows(block), self._limits, self._tally)
        return sum(map(len, held[before:]))

    def _rows(self, block: Block) -> Iterator[Row]:
        for line, data in each_line(block, self._tally):
            try:
                record = decode_object(data)
            except Broken as broken:
                self._tally.skip(broken.why, line)
                continue
            name = f"{self._name}:{line}"
            found = trace_rows(record, self._tally, line, conversation=name)
            yield from sound(found, self._tally, line)


def _handed_on(held: list[Batch]) -> Iterator[Batch]:
    """Batches as one, if there are any, of which nothing stays here while it is looked at."""
    if len(held) > 1:
        held[:] = [joined(held)]
    while held:
        yield held.pop()


def each_line(block: Block, tally: Tally) -> Iterator[tuple[int, bytes]]:
    """Lines of a block with their numbers, counted; blank ones are passed over."""
    if block.too_long:
        tally.records += 1
        tally.skip(TOO_LONG, block.first)
        return
    lines = bytes(block.data).split(b"\n")
    for number, data in enumerate(lines, start=block.first):
        if not data.strip():
            continue
        tally.records += 1
        if not block.ended and number == block.first + len(lines) - 1 and _is_cut(data):
            tally.skip(CUT_OFF, number)
        else:
            yield number, data


def _is_cut(data: bytes) -> bool:
    """Whether a last line without its end is no whole value."""
    try:
        decode(data, msgspec.Raw)
    except Broken as broken:
        return broken.why in {NOT_JSON, NOT_UTF8}
    return False
