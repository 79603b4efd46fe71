"""The kinds of requests in a log, stored so that a later log can be compared with it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np

from tuneworthy.measure.signals.base import Findings, Ints, TraceSignal, TraceTable
from tuneworthy.measure.signals.novelty import DIGITS, Vectors
from tuneworthy.model.evalset import digest_of
from tuneworthy.model.evidence import Batch, RequestMix
from tuneworthy.text.embedding import embed

LIST = 1  #: Number of the list of words; mixes of another one can't be compared.
LEAST_CONVERSATIONS = 200  #: With fewer, there is too little in a half to compare.
MOST_CONVERSATIONS = 3_000  #: Of more, those with the smallest hashes of their names.


class MixSignal(TraceSignal):
    """The distribution of the first requests of conversations over 256 fixed words, on the sample.

    Each request counts for the word with the nearest vector. A hash of their names splits
    conversations into two halves, so that the differences of two logs are chosen on one half and
    counted on the other. No text is kept. It needs 200 conversations.
    """

    id = "mix"

    def finish(self, table: TraceTable) -> Findings:
        """Count the nearest word of the list for the first request of each conversation."""
        requests = _first_requests(table.sample)
        if len(requests) < LEAST_CONVERSATIONS:
            return Findings()
        names = sorted(requests, key=lambda name: digest_of("mix", name))
        names = names[:MOST_CONVERSATIONS]
        vectors = embed([DIGITS.sub("0", requests[name]) for name in names])
        nearest = (vectors @ _words().T).argmax(axis=1)
        # Every second one of an order by hash, so the halves are drawn at random.
        mix = RequestMix(
            words=LIST,
            halves=(_counts(nearest[::2]), _counts(nearest[1::2])),
            observed_on=table.clock.day(-1),
        )
        return Findings(mix=mix)


def _first_requests(sample: Batch) -> dict[str, str]:
    """The first request of each conversation, by its name; a trace without one is alone."""
    requests: dict[str, str] = {}
    pairs = zip(sample.column("conversation"), sample.column("input"), strict=True)
    for row, (name, text) in enumerate(pairs):
        if text and text.strip():
            requests.setdefault(name or f"row {row}", text)
    return requests


def _counts(nearest: Ints) -> tuple[int, ...]:
    """How many requests count for each word of the list."""
    return tuple(np.bincount(nearest, minlength=len(_words())).tolist())


@cache
def _words() -> Vectors:
    """The vectors of the list of words."""
    path = files("tuneworthy.measure").joinpath("mix_words.txt")
    lines = path.read_text("utf-8").splitlines()
    return embed([line for line in lines if not line.startswith("#")])
