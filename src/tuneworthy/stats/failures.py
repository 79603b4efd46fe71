"""Shares of failures by their cause, of wrong references, and the quality that follows."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tuneworthy.model.base import Interval, Unknown
from tuneworthy.model.framework import CAUSES, CauseId
from tuneworthy.stats.intervals import wilson

_COUNT = Unknown(
    ask="count the causes of 30 to 50 failures: tuneworthy evalset failures CASE"
)


class FailureShare(NamedTuple):
    """One cause, and how many of the failures have it."""

    cause: CauseId
    n: int  #: Failures with it; 0 where nobody counted.
    share: float | Unknown  #: Unknown where it is only said that it leads.
    low: float
    high: float


def failure_shares(counts: Mapping[CauseId, int]) -> tuple[FailureShare, ...]:
    """Return the share of each counted cause with its 95% interval (Wilson), the most frequent first.

    Equal causes keep the order of the list of causes; () without failures.
    """
    total = sum(counts.values())
    if total == 0:
        return ()
    shares = []
    for cause in CAUSES:
        if cause in counts:
            n = counts[cause]
            low, high = wilson(n, total)
            shares.append(FailureShare(cause, n, n / total, low, high))
    return tuple(sorted(shares, key=lambda share: -share.n))


def leading_share(cause: CauseId) -> FailureShare:
    """The share of a stated leading cause: at least an equal part among all causes."""
    return FailureShare(cause, 0, _COUNT, 1 / len(CAUSES), 1.0)


def most_of(counts: Mapping[CauseId, int], causes: Sequence[CauseId]) -> float:
    """The most that some causes explain of all failures together: the upper end of their share."""
    together = sum(counts.get(cause, 0) for cause in causes)
    _, high = wilson(together, sum(counts.values()))
    return high if causes else 0.0


def most_beside(leading: CauseId, causes: Sequence[CauseId]) -> float:
    """The most that some causes explain together, where only the leading cause is stated.

    All failures if the leading cause is among them. Otherwise each of them explains as many as the
    leading one at most: two causes explain two thirds at most.
    """
    if leading in causes:
        return 1.0
    return len(causes) / (len(causes) + 1)


def corrected_quality(quality: Interval, wrong: FailureShare) -> Interval:
    """Quality, if a share ``wrong`` of the counted failures has a wrong reference.

    A share q of right answers becomes q + (1 - q)·w. The lower ends of both are combined, and the
    upper ones, so the interval is wider than one of 95%, and never too narrow.
    """
    share = 0.0 if isinstance(wrong.share, Unknown) else wrong.share
    return Interval(
        _raise_by_wrong_references(quality.low, wrong.low),
        _raise_by_wrong_references(quality.value, share),
        _raise_by_wrong_references(quality.high, wrong.high),
    )


def _raise_by_wrong_references(quality: float, wrong: float) -> float:
    """The corrected quality, at least the measured one: rounding could lower it."""
    return min(1.0, max(quality, quality + (1 - quality) * wrong))


def share_interval(share: float, cases: int | None) -> Interval:
    """Return a share with Wilson's interval; without a count of cases its ends are the share itself."""
    if not cases:
        return Interval.certain(share)
    low, high = wilson(share * cases, cases)
    return Interval(low, share, high)


def draw_alike(kinds: Sequence[str], n: int, seed: int) -> list[int]:
    """Draw ``n`` things of several kinds, the same share of each kind; all where there are fewer.

    Returns their places in a drawn order. Things of a kind lie side by side, in an order that the
    seed draws. From a drawn start, every so many-th is taken. So a small kind is drawn as often as
    it occurs, and a share of the draw estimates the share of all.
    """
    draw = random.Random(f"failures {seed}")  # noqa: S311  # which are read is no secret
    # by kind, and in a drawn order within each
    order = sorted(range(len(kinds)), key=lambda place: (kinds[place], draw.random()))
    if len(order) > n:
        step = len(order) / n
        start = draw.random() * step
        order = [order[int(start + number * step)] for number in range(n)]
    draw.shuffle(order)
    return order
