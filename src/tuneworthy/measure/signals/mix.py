"""The kinds of requests in a log, stored so that a later log can be compared with it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np

from tuneworthy.measure.signals.base import Findings, TraceSignal, TraceTable
from tuneworthy.measure.signals.novelty import DIGITS, Vectors
from tuneworthy.model.evalset import digest_of
from tuneworthy.model.evidence import RequestMix
from tuneworthy.text.embedding import embed

LIST = 1  #: Number of the list of words; mixes of another one can't be compared.
LEAST_CONVERSATIONS = 200
MOST_CONVERSATIONS = 3_000


class MixSignal(TraceSignal):
    """The distribution of the first requests of conversations over 256 fixed words, on the sample.

    Each request counts for the word with the nearest vector. A hash of their names splits
    conversations into two halves, so that the differences of two logs are chosen on one half and
    counted on the other. No text is kept. It needs 200 conversations.
    """

    id = "mix"

    def finish(self, table: TraceTable) -> Findings:
        """Count the nearest word of the list for the first request of each conversation."""
        first: dict[str, str] = {}
        columns = (table.sample.column(name) for name in ("conversation", "input"))
        for row, (name, text) in enumerate(zip(*columns, strict=True)):
            if text and text.strip():
                first.setdefault(name or f"row {row}", text)
        if len(first) < LEAST_CONVERSATIONS:
            return Findings()
        names = sorted(first, key=lambda name: digest_of("mix", name))[
            :MOST_CONVERSATIONS
        ]
        vectors = embed([DIGITS.sub("0", first[name]) for name in names])
        nearest = (vectors @ _words().T).argmax(axis=1)
        # two halves of an order by hash, so they are drawn at random
        halves = (nearest[::2], nearest[1::2])
        counts = [
            tuple(np.bincount(half, minlength=len(_words())).tolist())
            for half in halves
        ]
        day = table.clock.day(-1)
        return Findings(
            mix=RequestMix(words=LIST, halves=(counts[0], counts[1]), observed_on=day)
        )


@cache
def _words() -> Vectors:
    """The vectors of the list of words."""
    lines = (
        files("tuneworthy.measure")
        .joinpath("mix_words.txt")
        .read_text("utf-8")
        .splitlines()
    )
    return embed([line for line in lines if not line.startswith("#")])
