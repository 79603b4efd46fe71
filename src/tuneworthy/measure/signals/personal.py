"""Personal and secret data in requests to the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tuneworthy.measure.personal import KINDS, excerpt, shared_scanner, spans
from tuneworthy.measure.signals.base import (
    Findings,
    Flags,
    Ints,
    Measure,
    Numbers,
    Span,
    TraceSignal,
    TraceTable,
    distinct,
    how_many,
    text_number,
)
from tuneworthy.model.evidence import Batch, Evidence, Scalar
from tuneworthy.stats.clustered import Estimate, share, true_share
from tuneworthy.text.search import joined

# Shares of messages that hold such data and are found, and of others that are left alone: 95%
# intervals on the half of presidio_synth (v2) that nothing was chosen on, 2026-11-24, by
# evidence/accuracy/personal.py. The mix of kinds of other data is another, so the best that could
# be found is everything.
PATTERNS_FIND = (0.7979, 1.0)
PATTERNS_SPARE = (0.9922, 1.0)

_MOST_SYSTEMS = 20_000  #: System prompts remembered at once.
_REGULAR = 0.01  #: The share of conversations in which one customer may come again.
_MOST_EXAMPLES = 10
_UNIT = "share of requests"
_FACTOR = "data_sovereignty"
_ASK = "record what users ask: the field input, or messages"


# Bit k of a number is the k-th kind of data.
SECRET_BITS = sum(
    1 << place for place, kind in enumerate(KINDS) if kind.sort == "secret"
)
ALL_BITS = (1 << len(KINDS)) - 1


class _SystemData(NamedTuple):
    """The data in a system prompt."""

    kinds: float  #: Bits.
    values: float  #: A number for the values, equal for equal values; 0 for none.


_NO_DATA = _SystemData(0.0, 0.0)


class PersonalSignal(TraceSignal):
    """How many requests carry personal or secret data.

    ``personal_data_share`` and ``secret_share`` are shares of requests in whose newest message, or
    in whose filled-in system prompt, a pattern with its check finds something (patterns with source
    in ``kinds.toml``). What more than one conversation in a hundred have in their system prompts is
    the template's own and counts for secrets alone. Intervals: Wilson's over conversations, widened
    by the patterns' errors on labelled messages (Rogan and Gladen 1978); the value is what was
    seen. Where a tool's answer is the newest message, it counts as one.

    It can't see: names, health, faith or opinions told in plain words, data in retrieved passages
    and in answers, earlier turns that were not logged as requests, pictures.
    """

    id = "personal"

    def __init__(self) -> None:
        self._scanner = shared_scanner()
        # By a hash, as the texts may be long; 0 for none.
        self._systems: dict[int, _SystemData] = {}

    def rows(self, batch: Batch) -> Numbers:
        """The kinds that were found, as a sum of powers of two; NaN without a message."""
        questions = batch.column("input")
        kinds = np.where(joined(questions).there, self._scanner.bits(questions), np.nan)
        systems, place = distinct(batch.column("system"))
        data = self._data_of(systems)
        return {
            "input_kinds": kinds,
            "system_kinds": np.array([each.kinds for each in data])[place],
            "system_number": np.array([each.values for each in data])[place],
        }

    def _data_of(self, systems: Sequence[str | None]) -> list[_SystemData]:
        """The data in each system prompt; every text is read once."""
        keys = [hash(text) if text else 0 for text in systems]
        if len(self._systems) + len(keys) > _MOST_SYSTEMS:
            self._systems.clear()
        self._systems[0] = _NO_DATA
        pairs = zip(keys, systems, strict=True)
        new = {key: text for key, text in pairs if text and key not in self._systems}
        bits = self._scanner.bits([*new.values()]).tolist()
        for (key, text), kinds in zip(new.items(), bits, strict=True):
            self._systems[key] = (
                _SystemData(kinds, _number_of_values(text)) if kinds else _NO_DATA
            )
        return [self._systems[key] for key in keys]

    def finish(self, table: TraceTable) -> Findings:
        """The shares of requests with personal data and with secrets."""
        kinds = np.nan_to_num(table.numbers["input_kinds"]).astype(np.int64)
        system = table.numbers["system_kinds"].astype(np.int64)
        if system.any():
            # A template's own address is nobody's; a secret in it is one all the same.
            kinds |= np.where(_of_the_template(table), system & SECRET_BITS, system)
        shares = (
            self._share(table, "personal_data_share", kinds, ALL_BITS),
            self._share(table, "secret_share", kinds, SECRET_BITS),
        )
        return Findings(shares)

    def _share(
        self, table: TraceTable, name: str, kinds: Ints, wanted: int
    ) -> Evidence:
        """The share of requests that hold data of the wanted kinds."""
        kept = ~np.isnan(table.numbers["input_kinds"])
        bits = kinds[kept] & wanted
        seen = share(bits != 0, table.conversation[kept])
        with_data = bits[bits != 0]  # mostly few, and each kind is counted among them
        details: dict[str, Scalar] = {}
        for place, kind in enumerate(KINDS):
            count = int((with_data >> place & 1).sum())
            if count:
                details[kind.id] = count
        return Measure(name, _UNIT, _FACTOR).make_evidence(
            table,
            None if seen is None else widened(seen, PATTERNS_FIND, PATTERNS_SPARE),
            _ASK,
            method="patterns and check digits on every request; Wilson's interval over "
            "conversations, widened by the patterns' errors on labelled messages",
            details=details,
            examples=self._examples(table.sample, wanted),
        )

    def _examples(self, sample: Batch, wanted: int) -> list[str]:
        """Masked pieces of the first different messages with personal or secret data."""
        texts = [text for text in sample.input if text]
        kinds = [kind for place, kind in enumerate(KINDS) if wanted >> place & 1]
        examples: list[str] = []
        for row in np.flatnonzero(self._scanner.bits(texts) & wanted).tolist():
            first, *_ = spans(texts[row], kinds)
            example = excerpt(texts[row], first.start, first.end)
            if example not in examples:
                examples.append(example)
            if len(examples) == _MOST_EXAMPLES:
                break
        return examples


def _number_of_values(text: str) -> float:
    """A number for the values in a text, equal for equal values."""
    values = sorted({text[span.start : span.end] for span in spans(text)})
    return float(text_number("\0".join(values)))


def _of_the_template(table: TraceTable) -> Flags:
    """Which requests have values in their system prompt that many conversations share.

    Such values belong to the template.
    """
    _, number = np.unique(table.numbers["system_number"], return_inverse=True)
    # A pair of values and conversation as one number, once.
    talks = int(table.conversation.max(initial=0)) + 1
    pairs = np.unique(number * talks + table.conversation)
    conversations_with = np.bincount(pairs // talks)
    most = max(1.0, _REGULAR * how_many(table.conversation))
    return np.asarray(conversations_with > most)[number]


def widened(seen: Estimate, find: Span, spare: Span) -> Estimate:
    """The observed share, with the detector's errors in its ends.

    ``find`` is the range of the share of real cases that are flagged, ``spare`` that of other cases
    that aren't. The new ends are never closer than the old ones.
    """
    _, low, high = true_share(seen, find, spare)
    return replace(seen, low=min(low, seen.low), high=max(high, seen.high))
