"""Requests unlike anything before: is the use case still being explored?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from tuneworthy.domain.evidence import Evidence
from tuneworthy.domain.traces import Batch
from tuneworthy.gather.embedding import MODEL, embed
from tuneworthy.gather.signals.base import ENOUGH_CONVERSATIONS, Found, Numbers, Table, how_many
from tuneworthy.gather.signals.clock import DAY_S, END_S, MONTH_DAYS, Clock, Teller, clock, few
from tuneworthy.stats.clustered import Estimate, share, true_share
from tuneworthy.stats.drift import drift

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

UNLIKE = 0.2
"""A request is flagged when it is less like any earlier one than this share of the earlier ones are
like any of the others."""

SENSITIVITY = ((1_500, (0.39, 0.92)), (400, (0.23, 0.92)))
"""Share of really new requests that is flagged, by how many earlier ones there are, over kinds of
new: the lower end for intents of the same domain that were held out (CLINC150, BANKING77), the
upper for requests of none of 150 intents (CLINC150 out of scope); 95% of draws (ours, measured
2026-11-24, tools/accuracy/novelty.py)."""

LEAST_EARLIER = SENSITIVITY[-1][0]
"""With fewer earlier requests too few of the new ones are told."""

LEAST_DAYS = 2 * MONTH_DAYS - 2
MOST_REQUESTS = 3_000
_LONG_WORDS = 50
_THE_SAME = 0.95  # a cosine from here on is the same request in other letters
_BLOCK = 512
_NOVEL, _DRIFT = "novel_request_share", "intent_drift"
_UNIT = "share of requests of the last month"
_SQUARED = "squared distance of unit vectors"
_FACTOR = "exploration_phase"

_DIGITS = re.compile(r"\d+")
"""Numbers of orders and dates: another number makes no other kind of request."""


@dataclass(frozen=True, slots=True)
class Novelty:
    """How new the requests of the last month are, on the sample.

    * ``novel_request_share``: share of the requests of the last 30.4 days that are unlike all
      earlier ones. A request is flagged when its nearest earlier one (cosine of embeddings) is
      farther than for four in five of the earlier requests among themselves, another conversation
      each time; so one in five is flagged where nothing is new, or fewer where the same is asked
      again and again. What is flagged beyond that is divided by what a detector of this kind finds,
      see ``SENSITIVITY`` (Rogan and Gladen 1978): both errors are in the interval. Needs two months
      of clock, 400 earlier requests and 20 conversations on either side.
    * ``intent_drift``: squared distance between the mean vectors of the last month and of what came
      before, without what scatter gives; its interval over conversations, and how often shuffled
      conversations are as far apart.

    It can't see new kinds of request behind the same words, nor what was new a month ago; a request
    in another language counts as new. Its error was measured on short messages: where the median
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
            vectors = embed([_DIGITS.sub("0", text) for text in asked.texts])
            lacking = "" if vectors is not None else "install tuneworthy[traces]"
        if vectors is None:
            return Found((
                tell.unknown(_NOVEL, lacking, unit=_UNIT, factor=_FACTOR),
                tell.unknown(_DRIFT, lacking, unit=_SQUARED),
            ))  # fmt: skip
        return Found((_novel(tell, asked, vectors), self._drift(tell, asked, vectors)))

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


def novel_share(
    flagged: Estimate, unlike: Estimate, sensitivity: tuple[float, float]
) -> tuple[float, float, float]:
    """The share that is really new.

    Args:
        flagged: Share of the later requests that is flagged.
        unlike: Share of the earlier ones that is, where nothing is new.
        sensitivity: Least and most that is flagged of what is new.

    Returns:
        Value, low and high; the errors of both shares are taken together, as independent.
    """
    low = flagged.value - np.hypot(flagged.value - flagged.low, unlike.high - unlike.value)
    high = flagged.value + np.hypot(flagged.high - flagged.value, unlike.value - unlike.low)
    ends = max(0.0, float(low)), min(1.0, float(high))
    both = Estimate(flagged.value, *ends, flagged.n, flagged.clusters)
    spared = 1 - unlike.value
    return true_share(both, sensitivity, (spared, spared))


def nearest(of: Vectors, among: Vectors, own: NDArray[np.bool_] | None = None) -> Vectors:
    """Cosine of each vector to its nearest; those of its own conversation are left out.

    Args:
        of: Unit vectors.
        among: Unit vectors it may be near to.
        own: Which of ``among`` belong to the conversation of each, by row.

    Returns:
        A cosine each; -1 where nothing is left.
    """
    found = np.full(len(of), -1.0, dtype=np.float32)
    for start in range(0, len(of), _BLOCK):
        rows = slice(start, start + _BLOCK)
        cosines = of[rows] @ among.T
        if own is not None:
            cosines[own[rows]] = -1.0
        found[rows] = cosines.max(axis=1, initial=-1.0)
    return found


def _novel(tell: Teller, asked: _Requests, vectors: Vectors) -> Evidence:
    before, later = vectors[~asked.later], vectors[asked.later]
    talks, late_talks = asked.conversation[~asked.later], asked.conversation[asked.later]
    among = nearest(before, before, talks[:, None] == talks)
    limit = min(float(np.quantile(among, UNLIKE)), _THE_SAME)
    new = nearest(later, before, late_talks[:, None] == talks)
    flagged, unlike = share(new < limit, late_talks), share(among < limit, talks)
    assert flagged is not None  # both sides have requests
    assert unlike is not None
    words = float(np.median([len(each.split()) for each in asked.texts]))
    detects = next(ends for least, ends in SENSITIVITY if len(before) >= least)
    value, low, high = novel_share(flagged, unlike, detects)
    if words > _LONG_WORDS:
        high = 1.0
    return tell.known(
        _NOVEL,
        (value, low, high),
        n=flagged.n,
        clusters=flagged.clusters,
        unit=_UNIT,
        method=f"{MODEL}; less like any earlier request than earlier ones are; detector's error in",
        factor=_FACTOR,
        sample=asked.of,
        details={
            "flagged": flagged.value,
            "flagged_where_nothing_is_new": unlike.value,
            "cosine_limit": limit,
            "earlier_requests": len(before),
            "median_words": words,
        },
    )


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
