"""Requests unlike all earlier ones, as a sign that the use case is still being explored."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuneworthy.measure.signals.base import (
    DAY_S,
    ENOUGH_CONVERSATIONS,
    MONTH_DAYS,
    Extent,
    Findings,
    Flags,
    Ints,
    Measure,
    Span,
    TraceSignal,
    TraceTable,
    clusters_of,
    few,
    how_many,
)
from tuneworthy.model.evidence import Evidence
from tuneworthy.stats.clustered import drift, members, share, true_share
from tuneworthy.stats.intervals import Z95
from tuneworthy.text.embedding import MODEL, embed

Vectors = NDArray[np.float32]

ALONE = 0.1
"""A request is flagged when its nearest earlier one is farther than that of all but this share of
the earlier ones among themselves,"""

TOGETHER = 0.3
"""or than that of all but this share, if its nearest request is another one of the last month: new
kinds come more than once. Both were chosen on draws from CLINC150 (docs/evidence/accuracy.md)."""

DRAWS = 59  #: Shuffles of what is earlier and what later.

SENSITIVITY = ((1_500, (0.44, 0.85)), (400, (0.38, 0.81)))
"""The share of truly new requests that is flagged, by the number of earlier ones, over kinds of new
requests. The lower end is for held-out intents of the same domain (CLINC150, BANKING77), the upper
for requests of none of 150 intents (CLINC150 out of scope), in 95% of draws in which a fifth of the
later ones is new (ours, measured 2026-11-24, evidence/accuracy/novelty.py)."""

#: With fewer earlier requests too few of the new ones are seen.
LEAST_EARLIER = SENSITIVITY[-1][0]

LEAST_DAYS = 2 * MONTH_DAYS - 2
MOST_REQUESTS = 3_000

DIGITS = re.compile(r"\d+")
"""Numbers of orders and dates. Another number doesn't make another kind of request."""

_MOST = 16  #: Nearest requests that are kept of each request.
_SEED = 20_261_124  #: Of the shuffles.
_THE_SAME = 0.95  #: A cosine from here on is the same request in other letters.
_BLOCK = 512  #: Requests that are compared with all others at once, so that it fits into memory.
#: Longer requests than those that the detector's error was measured on.
_LONG_WORDS = 50
_UNIT = "share of requests of the last month"
_NOVEL = Measure("novel_request_share", _UNIT, "exploration_phase")
_DRIFT = Measure("intent_drift", "squared distance of unit vectors")


class NoveltySignal(TraceSignal):
    """How new the requests of the last month are, on the sample.

    * ``novel_request_share``: share of the requests of the last 30.4 days that are unlike all
      earlier ones. A request is flagged when its nearest earlier one (cosine of embeddings) is
      farther than for nine in ten of the earlier requests among themselves, another conversation
      each time; or than for seven in ten, where the nearest of all is another of the last month.
      What is flagged beyond what shuffled conversations give is divided by what a detector of this
      kind finds, see ``SENSITIVITY`` (Rogan and Gladen 1978): both errors are in the interval.
      Needs two months of clock, 400 earlier requests and 20 conversations on either side.
    * ``intent_drift``: squared distance between the mean vectors of the last month and of what came
      before, without what scatter gives; its interval over conversations, and how often shuffled
      conversations are as far apart.

    It can't see new kinds of request behind the same words, nor what was new a month ago; a request
    in another language counts as new. Where old kinds of request come far more often than before,
    some of them may count as new. Its error was measured on short messages: where the median
    request is over 50 words the upper end is 1.
    """

    id = "novelty"

    def finish(self, table: TraceTable) -> Findings:
        """The share of new requests, and how far requests have moved."""
        requests = _requests(table)
        lacking = _lacking(table, requests)
        if lacking:
            novel = _NOVEL.make_evidence(table, lacking)
            drift = _DRIFT.make_evidence(table, lacking)
            return Findings((novel, drift))
        vectors = embed([DIGITS.sub("0", text) for text in requests.texts])
        return Findings(
            (_novel(table, requests, vectors), _drift(table, requests, vectors))
        )


def _novel(table: TraceTable, requests: _Requests, vectors: Vectors) -> Evidence:
    """The share of last month's requests that are like none before."""
    later = requests.later
    talks = requests.conversation
    rng = np.random.default_rng(_SEED)
    new = flagged(neighbours(vectors, talks, later), talks, later, rng)
    seen = share(new.rows[later], talks[later])
    assert seen is not None  # both sides have requests
    # The scatter of shuffled draws may be wider than that of conversations.
    half = Z95 * new.spread
    seen = replace(
        seen,
        low=min(seen.low, seen.value - half),
        high=max(seen.high, seen.value + half),
    )
    earlier = int((~later).sum())
    spares = 1 - new.by_chance
    value, low, high = true_share(seen, _sensitivity(earlier), (spares, spares))
    words = float(np.median([len(text.split()) for text in requests.texts]))
    if words > _LONG_WORDS:
        high = 1.0
    return _NOVEL.make_evidence(
        table,
        (value, low, high),
        talks=talks[later],
        method=f"{MODEL}; nearest neighbours, against shuffled ones; detector's error in",
        sample=requests.extent,
        details={
            "flagged": seen.value,
            "flagged_where_nothing_is_new": new.by_chance,
            "cosine_limit": new.limits.alone,
            "cosine_limit_with_a_later_one_nearer": new.limits.together,
            "earlier_requests": earlier,
            "median_words": words,
        },
    )


def _sensitivity(earlier: int) -> Span:
    """The share of truly new requests that is flagged beside so many earlier ones, as a range."""
    for least, sensitivity in SENSITIVITY:
        if earlier >= least:
            return sensitivity
    raise ValueError(earlier)  # with fewer than ``LEAST_EARLIER`` nothing is measured


def _drift(table: TraceTable, requests: _Requests, vectors: Vectors) -> Evidence:
    """How far last month's requests have moved from those before."""
    rng = np.random.default_rng(_SEED)
    talks = requests.conversation
    moved = drift(vectors.astype(np.float64), requests.later, talks, rng)
    if moved is None:
        return _DRIFT.make_evidence(table, few(1))
    return _DRIFT.make_evidence(
        table,
        # A distance without its scatter may come out below 0, which no distance is.
        (max(0.0, moved.value), max(0.0, moved.low), max(0.0, moved.high)),
        talks=talks,
        method=f"{MODEL}; last month against before; jackknife over conversations",
        sample=requests.extent,
        details={"chance": moved.chance},
    )


class _Requests(NamedTuple):
    """Requests of the sample with a time, oldest first."""

    texts: tuple[str, ...]
    later: Flags  #: Which belong to the last month.
    conversation: Ints
    extent: Extent  #: Whether these are all requests.


class _TimedRequest(NamedTuple):
    """A request with its time, in seconds since 1970, and its conversation."""

    time: float
    text: str
    conversation: str | None


def _requests(table: TraceTable) -> _Requests:
    """Requests of the sample by time, with those of the last month marked."""
    requests = _timed_requests(table)
    extent: Extent = "sampled"
    if len(table.sample) == len(table) and len(requests) <= MOST_REQUESTS:
        extent = "all"
    if len(requests) > MOST_REQUESTS:
        # Spread evenly over the log.
        places = np.linspace(0, len(requests) - 1, MOST_REQUESTS)
        requests = [
            requests[place] for place in places.round().astype(np.int64).tolist()
        ]
    times = np.array([request.time for request in requests])
    clock = table.clock
    month_began = clock.times[-1] - MONTH_DAYS * DAY_S if len(clock.times) else 0.0
    return _Requests(
        texts=tuple(request.text for request in requests),
        later=times > month_began,
        conversation=clusters_of([request.conversation for request in requests]),
        extent=extent,
    )


def _timed_requests(table: TraceTable) -> list[_TimedRequest]:
    """Requests of the sample with a time that the clock has, oldest first."""
    clock = table.clock
    if not len(clock.times):
        return []
    first = clock.times[0]
    last = clock.times[-1]
    names = ("timestamp", "input", "conversation")
    columns = (table.sample.column(name) for name in names)
    requests = []
    for time, text, conversation in zip(*columns, strict=True):
        is_timed = time is not None and first <= time <= last
        if is_timed and text and text.strip():
            requests.append(_TimedRequest(time, text, conversation))
    requests.sort(key=lambda request: request.time)
    return requests


def _lacking(table: TraceTable, requests: _Requests) -> str:
    """The log entry that is missing to compare months; empty where none is."""
    if "input" not in table.present:
        return "log the `input` of every call"
    short = table.clock.shorter(LEAST_DAYS, "two months")
    if short:
        return short
    later = requests.later
    conversations = min(
        how_many(requests.conversation[later]), how_many(requests.conversation[~later])
    )
    if conversations < ENOUGH_CONVERSATIONS:
        return few(conversations)
    earlier = int((~later).sum())
    if earlier < LEAST_EARLIER:
        return f"measure {LEAST_EARLIER} earlier requests; the sample has {earlier}"
    return ""


# Requests unlike all earlier ones, by their nearest neighbours.


class Neighbours(NamedTuple):
    """The nearest requests of each request, in other conversations than its own."""

    places: Ints  #: Up to 16 a row, the nearest first.
    cosines: Vectors  #: Their cosines; -1 in place of one that is missing.
    earlier: Vectors  #: Cosine to the nearest earlier request; -1 where there is none.


class CosineLimits(NamedTuple):
    """Cosines below which a request is flagged as new."""

    alone: float
    together: float  #: Where its nearest request is another later one.


class Flagged(NamedTuple):
    """Later requests that are flagged as new, and the share that chance would flag."""

    rows: Flags  #: Which of all requests are.
    by_chance: float  #: Mean share of the later ones when conversations are shuffled.
    spread: float  #: Standard deviation of that share.
    limits: CosineLimits


def neighbours(vectors: Vectors, conversation: Ints, later: Flags) -> Neighbours:
    """The nearest requests of each request in other conversations.

    It needs at least two requests; ``later`` marks those of the last month.
    """
    n = len(vectors)
    most = min(_MOST, n - 1)
    places = np.empty((n, most), dtype=np.int64)
    cosines = np.empty((n, most), dtype=np.float32)
    earlier = np.empty(n, dtype=np.float32)
    for start in range(0, n, _BLOCK):
        rows = slice(start, start + _BLOCK)
        near = vectors[rows] @ vectors.T
        # The lowest cosine: a request of the same conversation is no neighbour.
        near[conversation[rows, None] == conversation] = -1.0
        earlier[rows] = near[:, ~later].max(axis=1, initial=-1.0)
        # Only the nearest are sorted, which is much faster than sorting all.
        nearest = np.argpartition(near, n - most, axis=1)[:, n - most :]
        distance = -np.take_along_axis(near, nearest, axis=1)
        order = np.argsort(distance, axis=1, kind="stable")
        places[rows] = np.take_along_axis(nearest, order, axis=1)
        cosines[rows] = np.take_along_axis(near, places[rows], axis=1)
    return Neighbours(places, cosines, earlier)


def flagged(
    near: Neighbours, conversation: Ints, later: Flags, rng: np.random.Generator
) -> Flagged:
    """Flag requests unlike all earlier ones, and compare with shuffled conversations.

    Shuffling shows how many are flagged if nothing is new, and how much that varies. Conversations
    in both periods stay where they are. At least one request has to be later, and at least one not.
    """
    limits = _limits(near.earlier, later)
    rows = _unlike(near, near.earlier, later, limits)
    member, conversations = members(conversation)
    requests_in = np.bincount(member, minlength=conversations)
    later_in = np.bincount(member, weights=later, minlength=conversations)
    in_one_period = (later_in == 0) | (later_in == requests_in)
    is_later = later_in > 0
    moved = np.zeros(conversations, dtype=bool)
    shares = []
    for _ in range(DRAWS):
        moved[in_one_period] = rng.permutation(is_later[in_one_period])
        shuffled = np.where(in_one_period[member], moved[member], later)
        earlier = _nearest_earlier(near, shuffled)
        new = _unlike(near, earlier, shuffled, _limits(earlier, shuffled))
        shares.append(float(new[shuffled].mean()))
    return Flagged(rows, float(np.mean(shares)), float(np.std(shares, ddof=1)), limits)


def _nearest_earlier(near: Neighbours, later: Flags) -> Vectors:
    """The cosine to the nearest earlier request; to the last neighbor where all are later."""
    is_earlier = ~later[near.places]
    # ``argmax`` gives the first that is true.
    first = is_earlier.argmax(axis=1)
    last = near.places.shape[1] - 1
    place = np.where(is_earlier.any(axis=1), first, last)
    return np.take_along_axis(near.cosines, place[:, None], axis=1)[:, 0]


def _limits(earlier: Vectors, later: Flags) -> CosineLimits:
    """The cosines that few earlier requests fall below, compared with each other.

    ``earlier`` is each request's cosine to its nearest earlier one.
    """
    alone, together = np.quantile(earlier[~later], (ALONE, TOGETHER)).tolist()
    # Where earlier requests repeat each other, a limit near 1 would flag other wordings.
    return CosineLimits(min(alone, _THE_SAME), min(together, _THE_SAME))


def _unlike(
    near: Neighbours, earlier: Vectors, later: Flags, limits: CosineLimits
) -> Flags:
    """Which requests are like none before, by their cosines to the nearest earlier request."""
    nearest = near.places[:, 0]
    beside_later = later[nearest]
    is_alone = earlier < limits.alone
    return is_alone | ((earlier < limits.together) & beside_later)
