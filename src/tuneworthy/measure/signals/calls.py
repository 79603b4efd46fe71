"""The ends of calls, and how often a question is asked again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from zlib import crc32

import numpy as np

from tuneworthy.measure.signals.base import (
    LOG_TIME,
    Findings,
    Flags,
    Floats,
    Ints,
    Measure,
    Numbers,
    TraceSignal,
    TraceTable,
    distinct,
    happened,
    rate,
)
from tuneworthy.model.evidence import Batch, Evidence
from tuneworthy.model.lab import end_kind
from tuneworthy.stats.clustered import share

AGAIN_S = 600.0
"""Seconds within which an equal question is a repeated call, and not another person's."""

_CUT_OFF = 1.0
_WITHHELD = 2.0
_KINDS = {"cut_off": _CUT_OFF, "withheld": _WITHHELD}
_OPENING = 200  #: Characters of a question that it is known by, beside its length.
_CRC_BITS = 32  #: A checksum of these characters stands in the lowest bits of a question's number,
_LENGTHS = 1 << 16  #: its length modulo this above it,
_LENGTH_BEGINS = 48
_TURNS = (
    1 << 5
)  #: and the turns modulo this above both: 53 bits, which a float holds exactly.
_CUT = Measure("cut_off_share", "share of answers")
_RETRIES = Measure("retry_share", "share of calls")


class CallsSignal(TraceSignal):
    """How calls end, and how often the same is asked again.

    * ``cut_off_share``: share of the answers that reached a limit of tokens, among those whose
      maker says how they ended. Every maker's word counts by the table that labs go by.
    * ``retry_share``: share of calls that repeat the one before within ten minutes: the same
      question after as many turns, in the same conversation. Where no conversation is named, only
      what repeats a call that failed or was cut off counts: two people may ask the same.

    It can't see an answer that a maker cut without saying so, nor what a client asked again before
    anything was logged.
    """

    id = "calls"

    def rows(self, batch: Batch) -> Numbers:
        """For each call: how it ended, whether it was of no use, and its question as a number."""
        ends = ends_of(batch)
        failed = happened(batch.column("error"))
        asked = map(_asked, batch.column("input"), batch.column("messages"))
        return {
            "ends": np.where(failed, np.nan, ends),
            "spoiled": (failed | (ends == _CUT_OFF)).astype(np.float64),
            "asked": np.fromiter(asked, np.float64, len(batch)),
        }

    def finish(self, table: TraceTable) -> Findings:
        """The share of answers that were cut off, and the share of questions asked again."""
        ends = table.numbers["ends"]
        cut = np.where(np.isnan(ends), np.nan, ends == _CUT_OFF)
        says_so = "finish" in table.present
        cut_off = _CUT.make_evidence(
            table,
            share(cut, table.conversation) if says_so else None,
            "log `finish_reason`, how each answer ended",
            method="answers that reached a limit of tokens, by their makers' words, among those "
            "that say how they ended; conversations as clusters, Wilson",
            details={"says_how_it_ended": rate(~np.isnan(ends))},
        )
        return Findings((cut_off, _retries(table)))


def ends_of(batch: Batch) -> Floats:
    """1 for an answer that was cut off, 2 for a withheld one, 0 for another; NaN if unknown."""
    words, place = distinct(batch.column("finish"))
    kinds = []
    for word in words:
        if word is None:
            kinds.append(math.nan)
        else:
            kinds.append(_KINDS.get(end_kind(word), 0.0))
    return np.array(kinds, dtype=np.float64)[place]


def withheld(batch: Batch) -> Flags:
    """Which answers a model or a filter withheld, by their maker's word."""
    return np.asarray(ends_of(batch) == _WITHHELD)


def _asked(question: str | None, turns: Sequence[Any] | None) -> float:
    """A number for a question and the turns before it; NaN without a question."""
    if not question:
        return math.nan
    opening = crc32(question[:_OPENING].encode("utf-8", "surrogatepass"))
    length = len(question) % _LENGTHS << _CRC_BITS
    turn = len(turns or ()) % _TURNS << _LENGTH_BEGINS
    return float(opening + length + turn)


def _retries(table: TraceTable) -> Evidence:
    """The share of calls that repeat one of the ten minutes before."""
    if "case" in table.present:  # a test asks the same on purpose
        return _RETRIES.make_evidence(
            table, "measure the logs of real use: these are runs of a test"
        )
    asked = table.numbers["asked"]
    kept = np.flatnonzero(table.clock.usable & np.isfinite(asked))
    if not len(kept):
        return _RETRIES.make_evidence(
            table, LOG_TIME if len(asked) else "log `input`, what was asked"
        )
    spoiled = table.numbers["spoiled"] == 1
    if "conversation" in table.present:
        later, before = _repeated(table.time, kept, (table.conversation, asked))
        where = "in one conversation"
    else:
        later, before = _repeated(table.time, kept, (asked,))
        # Two people may ask the same; after an answer of no use it is the same one.
        later = later[spoiled[before]]
        before = before[spoiled[before]]
        where = "after a call that failed or was cut off"
    again = np.zeros(len(asked))
    again[later] = 1.0
    return _RETRIES.make_evidence(
        table,
        share(again[kept], table.conversation[kept]),
        method=f"the same question within ten minutes, {where}; conversations as clusters, Wilson",
        details={"after_a_failure": rate(spoiled[before])} if len(before) else {},
    )


def _repeated(times: Floats, rows: Ints, groups: Sequence[Any]) -> tuple[Ints, Ints]:
    """Rows that repeat another row of their group soon after it, and that other row.

    Rows are of one group if all ``groups`` have the same number for them.
    """
    # By group, and in a group by time, so that a repetition stands right behind what it repeats.
    order = rows[np.lexsort((times[rows], *(group[rows] for group in groups)))]
    later = order[1:]
    before = order[:-1]
    repeats = times[later] - times[before] <= AGAIN_S
    for group in groups:
        repeats &= group[later] == group[before]
    return later[repeats], before[repeats]
