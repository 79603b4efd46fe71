"""Shares of failures by their cause, of wrong references, and the quality that follows."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tuneworthy.model.base import Interval, Unknown
from tuneworthy.model.framework import CAUSES, CauseId
from tuneworthy.stats.intervals import Ends, wilson

_COUNT = Unknown(
    ask="count the causes of 30 to 50 failures: tuneworthy evalset failures CASE"
)


class FailureShare(NamedTuple):
    """How many of the failures have one cause."""

    cause: CauseId
    n: int  #: Failures with it; 0 where nobody counted.
    share: float | Unknown  #: Unknown where it is only said that it leads.
    low: float
    high: float


def failure_shares(counts: Mapping[CauseId, int]) -> tuple[FailureShare, ...]:
    """The share of each counted cause with its 95% interval (Wilson), the commonest first.

    Of equals the one that the list of causes has first; () where nothing failed.
    """
    total = sum(counts.values())
    if total == 0:
        return ()
    shares = []
    for cause in CAUSES:
        if cause not in counts:
            continue
        low, high = wilson(counts[cause], total)
        shares.append(
            FailureShare(cause, counts[cause], counts[cause] / total, low, high)
        )
    return tuple(sorted(shares, key=lambda share: -share.n))


def leading_share(cause: CauseId) -> FailureShare:
    """The share of a leading cause, where only that is stated: no less than one cause's part."""
    return FailureShare(cause, 0, _COUNT, 1 / len(CAUSES), 1.0)


def most_of(counts: Mapping[CauseId, int], causes: Sequence[CauseId]) -> float:
    """The most that some causes have together of all failures: the upper end of their share."""
    together = sum(counts.get(cause, 0) for cause in causes)
    _, high = wilson(together, sum(counts.values()))
    return high if causes else 0.0


def most_beside(leading: CauseId, causes: Sequence[CauseId]) -> float:
    """The most that some causes have together, where only the leading cause is stated.

    All failures where the leading cause is among them. Otherwise each of them has as many as the
    leading one at most: two have two thirds at most.
    """
    if leading in causes:
        return 1.0
    return len(causes) / (len(causes) + 1)


def corrected_quality(quality: Interval, wrong: FailureShare) -> Interval:
    """Quality where ``wrong`` of what counts as a failure has a wrong reference.

    A share q of right answers becomes q + (1 - q)·w. Both ends are taken together, so that the
    interval is wider than one of 95%, and never too narrow.
    """
    share = 0.0 if isinstance(wrong.share, Unknown) else wrong.share
    return Interval(
        _raised(quality.low, wrong.low),
        _raised(quality.value, share),
        _raised(quality.high, wrong.high),
    )


def _raised(quality: float, wrong: float) -> float:
    """Never under what was measured, which rounding could else come to."""
    return min(1.0, max(quality, quality + (1 - quality) * wrong))


def share_interval(share: float, cases: int | None) -> Interval:
    """A share with Wilson's interval; without a count of cases its ends are the share itself."""
    if not cases:
        return Interval.certain(share)
    ends: Ends = wilson(share * cases, cases)
    return Interval(ends[0], share, ends[1])


def draw_alike(kinds: Sequence[str], n: int, seed: int) -> list[int]:
    """Places of ``n`` things of several kinds: of each kind the same part; all where there are few.

    Things of a kind lie side by side in an order that the seed draws, and from a start that it
    draws too every so many-th is taken. So a small kind is met as often as it occurs, and a share
    of what was drawn estimates the share of all. The order of the places is drawn as well.
    """
    draw = random.Random(f"failures {seed}")  # noqa: S311  # which are read is no secret
    order = sorted(range(len(kinds)), key=lambda place: (kinds[place], draw.random()))
    if len(order) > n:
        step = len(order) / n
        start = draw.random() * step
        order = [order[int(start + number * step)] for number in range(n)]
    draw.shuffle(order)
    return order
