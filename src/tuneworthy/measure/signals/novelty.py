"""Requests unlike anything before: is the use case still being explored?"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from tuneworthy.measure.sample import MODEL, embed
from tuneworthy.measure.signals.base import (
    DAY_S,
    END_S,
    ENOUGH_CONVERSATIONS,
    MONTH_DAYS,
    Clock,
    Found,
    Numbers,
    Table,
    Teller,
    clock,
    few,
    how_many,
)
from tuneworthy.model.evidence import Batch, Evidence
from tuneworthy.stats.clustered import drift, members, share, true_share
from tuneworthy.stats.intervals import Z95

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    Mask = NDArray[np.bool_]


# Which requests are unlike all earlier ones, told by their nearest neighbours.

ALONE = 0.1
"""A request is flagged when its nearest earlier one is farther than that of all but this share of
the earlier ones among themselves,"""

TOGETHER = 0.3
"""or than that of all but this share, if the nearest of all is another of the last month: what is
new comes more than once. Both were chosen on draws from CLINC150 (docs/accuracy.md)."""

DRAWS = 59
"""Shuffles of what is earlier and what later."""

_MOST = 16
_THE_SAME = 0.95  # a cosine from here on is the same request in other letters
_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest of each request, those of its own conversation left out."""

    places: NDArray[np.int64]
    """Up to 16 a row, the nearest first."""
    cosines: Vectors
    """Their cosines; -1 in place of one that is missing."""
    earlier: Vectors
    """Cosine to the nearest earlier request; -1 where there is none."""


@dataclass(frozen=True, slots=True)
class Flagged:
    """What is flagged of the later requests, and what would be by chance."""

    rows: Mask
    """Which of all requests are."""
    by_chance: float
    """Mean share of the later ones when conversations are shuffled."""
    spread: float
    """Standard deviation of that share."""
    limits: tuple[float, float]
    """Cosines below which one is flagged: alone, and with a later one that is nearer."""


def neighbours(vectors: Vectors, conversation: NDArray[np.int64], later: Mask) -> Neighbours:
    """The nearest of each request among the requests of other conversations.

    Args:
        vectors: Unit vectors, one a request.
        conversation: Of each.
        later: Which requests are not earlier ones.

    Returns:
        Neighbours by row; for two requests or more.
    """
    n = len(vectors)
    most = min(_MOST, n - 1)
    places = np.empty((n, most), dtype=np.int64)
    cosines = np.empty((n, most), dtype=np.float32)
    earlier = np.empty(n, dtype=np.float32)
    for start in range(0, n, _BLOCK):
        rows = slice(start, start + _BLOCK)
        near = vectors[rows] @ vectors.T
        near[conversation[rows, None] == conversation] = -1.0
        earlier[rows] = near[:, ~later].max(axis=1, initial=-1.0)
        some = np.argpartition(near, n - most, axis=1)[:, n - most :]
        found = np.take_along_axis(near, some, axis=1)
        order = np.argsort(-found, axis=1, kind="stable")
        places[rows] = np.take_along_axis(some, order, axis=1)
        cosines[rows] = np.take_along_axis(found, order, axis=1)
    return Neighbours(places, cosines, earlier)


def flagged(
    near: Neighbours, conversation: NDArray[np.int64], later: Mask, rng: np.random.Generator
) -> Flagged:
    """Which requests are unlike all earlier ones, against shuffled conversations.

    Shuffling says what is flagged where nothing is new, and how much that varies, whatever the
    conversations hold; those that reach over both times stay where they are.

    Args:
        near: The neighbours of each request.
        conversation: Of each.
        later: Which are later; at least one request must be, and at least one not.
        rng: For the shuffles.
    """
    rows, limits = _unlike(near, near.earlier, later)
    member, k = members(conversation)
    of = np.bincount(member, weights=later, minlength=k)
    whole = (of == 0) | (of == np.bincount(member, minlength=k))
    side, moved = of > 0, np.zeros(k, dtype=bool)
    shares = []
    for _ in range(DRAWS):
        moved[whole] = rng.permutation(side[whole])
        shuffled = np.where(whole[member], moved[member], later)
        shares.append(float(_unlike(near, _first(near, shuffled), shuffled)[0][shuffled].mean()))
    return Flagged(rows, float(np.mean(shares)), float(np.std(shares, ddof=1)), limits)


def _first(near: Neighbours, later: Mask) -> Vectors:
    """Cosine to the first neighbour that isn't later; the last one's where all are."""
    others = ~later[near.places]
    place = np.where(others.any(axis=1), others.argmax(axis=1), near.places.shape[1] - 1)
    first: Vectors = near.cosines[np.arange(len(place)), place]
    return first


def _unlike(near: Neighbours, earlier: Vectors, later: Mask) -> tuple[Mask, tuple[float, float]]:
    alone, together = (
        min(float(each), _THE_SAME) for each in np.quantile(earlier[~later], (ALONE, TOGETHER))
    )
    beside = later[near.places[:, 0]]
    return (earlier < alone) | ((earlier < together) & beside), (alone, together)


# Requests unlike anything before: is the use case still being explored?

SENSITIVITY = ((1_500, (0.44, 0.85)), (400, (0.38, 0.81)))
"""Share of really new requests that is flagged, by how many earlier ones there are, over kinds of
new: the lower end for intents of the same domain that were held out (CLINC150, BANKING77), the
upper for requests of none of 150 intents (CLINC150 out of scope); 95% of draws in which a fifth of
the later ones is new (ours, measured 2026-11-24, tools/accuracy/novelty.py)."""

LEAST_EARLIER = SENSITIVITY[-1][0]
"""With fewer earlier requests too few of the new ones are told."""

LEAST_DAYS = 2 * MONTH_DAYS - 2
MOST_REQUESTS = 3_000
_LONG_WORDS = 50
_NOVEL, _DRIFT = "novel_request_share", "intent_drift"
_UNIT = "share of requests of the last month"
_SQUARED = "squared distance of unit vectors"
_FACTOR = "exploration_phase"

DIGITS = re.compile(r"\d+")
"""Numbers of orders and dates: another number makes no other kind of request."""


@dataclass(frozen=True, slots=True)
class Novelty:
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

    end_s: float = END_S
    """Timestamps from here on are in the future, seconds since 1970."""
    seed: int = 20261124
    """For the shuffles."""

    id = "novelty"
    needs = ("timestamp", "conversation", "input")

    def rows(self, batch: Batch) -> Numbers:  # noqa: ARG002  # all is done on the sample
        """No numbers: embeddings are made of the sample only."""
        return {}

    def finish(self, table: Table) -> Found:
        """Evidence on novelty and on drift."""
        at = clock(table, self.end_s)
        tell = Teller(at)
        asked = _requests(table, at)
        vectors = None
        if not (lacking := _lacking(table, at, asked)):
            vectors = embed([DIGITS.sub("0", text) for text in asked.texts])
            lacking = "" if vectors is not None else "install tuneworthy[traces]"
        if vectors is None:
            return Found(
                (
                    tell.unknown(_NOVEL, lacking, unit=_UNIT, factor=_FACTOR),
                    tell.unknown(_DRIFT, lacking, unit=_SQUARED),
                )
            )
        return Found((self._novel(tell, asked, vectors), self._drift(tell, asked, vectors)))

    def _novel(self, tell: Teller, asked: _Requests, vectors: Vectors) -> Evidence:
        later, talks = asked.later, asked.conversation
        rng = np.random.default_rng(self.seed)
        found = flagged(neighbours(vectors, talks, later), talks, later, rng)
        seen = share(found.rows[later], talks[later])
        assert seen is not None  # both sides have requests
        half = Z95 * found.spread
        ends = min(seen.low, seen.value - half), max(seen.high, seen.value + half)
        seen = replace(seen, low=ends[0], high=ends[1])
        earlier = int((~later).sum())
        detects = next(ends for least, ends in SENSITIVITY if earlier >= least)
        value, low, high = true_share(seen, detects, (1 - found.by_chance,) * 2)
        words = float(np.median([len(each.split()) for each in asked.texts]))
        if words > _LONG_WORDS:
            high = 1.0
        return tell.known(
            _NOVEL,
            (value, low, high),
            n=seen.n,
            clusters=seen.clusters,
            unit=_UNIT,
            method=f"{MODEL}; nearest neighbours, against shuffled ones; detector's error in",
            factor=_FACTOR,
            sample=asked.of,
            details={
                "flagged": seen.value,
                "flagged_where_nothing_is_new": found.by_chance,
                "cosine_limit": found.limits[0],
                "cosine_limit_with_a_later_one_nearer": found.limits[1],
                "earlier_requests": earlier,
                "median_words": words,
            },
        )

    def _drift(self, tell: Teller, asked: _Requests, vectors: Vectors) -> Evidence:
        rng = np.random.default_rng(self.seed)
        found = drift(vectors.astype(np.float64), asked.later, asked.conversation, rng)
        if found is None:
            return tell.unknown(_DRIFT, few(1), unit=_SQUARED)
        value, low, high = (max(0.0, each) for each in (found.value, found.low, found.high))
        return tell.known(
            _DRIFT,
            (value, low, high),
            n=len(asked.texts),
            clusters=how_many(asked.conversation),
            unit=_SQUARED,
            method=f"{MODEL}; last month against before; jackknife over conversations",
            sample=asked.of,
            details={"chance": found.chance},
        )


@dataclass(frozen=True, slots=True)
class _Requests:
    """Requests of the sample that have a time, oldest first."""

    texts: tuple[str, ...]
    later: NDArray[np.bool_]
    """Which belong to the last month."""
    conversation: NDArray[np.int64]
    of: Literal["all", "sampled"]
    """Whether these are all requests."""


def _lacking(table: Table, at: Clock, asked: _Requests) -> str:
    if "input" not in table.present:
        return "log the `input` of every call"
    if not len(at.times):
        return "log the `timestamp` of every call"
    if at.days < LEAST_DAYS:
        return "measure traces of two months; the clock spans fewer"
    held = min(how_many(asked.conversation[side]) for side in (asked.later, ~asked.later))
    if held < ENOUGH_CONVERSATIONS:
        return few(held)
    earlier = int((~asked.later).sum())
    if earlier < LEAST_EARLIER:
        return f"measure {LEAST_EARLIER} earlier requests; the sample has {earlier}"
    return ""


def _requests(table: Table, at: Clock) -> _Requests:
    sample = table.sample
    rows: list[tuple[float, str, str]] = []
    columns = (sample.column(name) for name in ("timestamp", "input", "conversation"))
    for row, (time, text, talk) in enumerate(zip(*columns, strict=True)):
        timed = isinstance(time, float | int) and len(at.times)
        if timed and isinstance(text, str) and text.strip():
            name = f"\0{row}" if talk is None else str(talk)
            rows.append((float(str(time)), text, name))
    rows = [row for row in rows if at.times[0] <= row[0] <= at.times[-1]]
    rows.sort(key=lambda row: row[0])
    whole = len(sample) == len(table) and len(rows) <= MOST_REQUESTS
    if len(rows) > MOST_REQUESTS:
        places = np.linspace(0, len(rows) - 1, MOST_REQUESTS).round().astype(np.int64).tolist()
        rows = [rows[place] for place in places]
    codes: dict[str, int] = {}
    talks = np.array([codes.setdefault(row[2], len(codes)) for row in rows], dtype=np.int64)
    start = at.times[-1] - MONTH_DAYS * DAY_S if len(at.times) else 0.0
    later = np.array([row[0] > start for row in rows], dtype=bool)
    of: Literal["all", "sampled"] = "all" if whole else "sampled"
    return _Requests(tuple(row[1] for row in rows), later, talks, of)
