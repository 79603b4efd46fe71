"""Requests unlike anything before: is the use case still being explored?"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from tuneworthy.domain.evidence import Evidence
from tuneworthy.domain.traces import Batch
from tuneworthy.gather.embedding import MODEL, embed
from tuneworthy.gather.signals.base import ENOUGH_CONVERSATIONS, Found, Numbers, Table, how_many
from tuneworthy.gather.signals.clock import DAY_S, END_S, MONTH_DAYS, Clock, Teller, clock, few
from tuneworthy.gather.signals.neighbours import flagged, neighbours
from tuneworthy.stats.clustered import share, true_share
from tuneworthy.stats.drift import drift
from tuneworthy.stats.intervals import Z95

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

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
            return Found((
                tell.unknown(_NOVEL, lacking, unit=_UNIT, factor=_FACTOR),
                tell.unknown(_DRIFT, lacking, unit=_SQUARED),
            ))  # fmt: skip
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
