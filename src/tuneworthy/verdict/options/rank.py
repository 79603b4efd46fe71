"""Options in the order to try them, and which of them another one beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tuneworthy.domain.decision import Ends
from tuneworthy.domain.options import Option

HELPS = ("yes", "partly", "unknown", "no")
GRADES = ("measured", "published_cases", "rule_of_thumb")
RISKS = ("low", "medium", "high")

SAME_TROUBLE = (
    {"few_shot", "retrieved_examples"},
    {"smaller_model", "distillation"},
    {"caching", "batching"},
)
"""Options that mend the same trouble; so do the variants of one family."""


def ranked(options: Sequence[Option]) -> tuple[Option, ...]:
    """The options by what they promise, then by what that rests on, then by effort.

    An effort nobody knows comes last; what is equal keeps the framework's order. Each gets its
    rank, 1 for the first, and the option that beats it.
    """
    order = sorted(options, key=_order)
    return tuple(
        replace(one, rank=place, dominated_by=_beaten_by(one, order))
        for place, one in enumerate(order, start=1)
    )


def _order(option: Option) -> tuple[int, int, bool, float]:
    effort = option.effort_hours
    middle = (effort.low + effort.high) / 2 if effort else 0.0
    return HELPS.index(option.helps), GRADES.index(option.grade), effort is None, middle


def _beaten_by(option: Option, order: Sequence[Option]) -> str:
    """The first rival that beats it, or ``none``.

    Only options that mend the same trouble are rivals: a cheaper one that mends something else is
    no substitute.
    """
    rivals = (other for other in order if other is not option and _rivals(option, other))
    return next((other.id for other in rivals if _beats(other, option)), "none")


def _rivals(one: Option, other: Option) -> bool:
    if one.family == other.family:
        return True
    both = {one.id, other.id}
    return any(both <= group for group in SAME_TROUBLE)


def _beats(one: Option, other: Option) -> bool:
    """Whether one is no worse in anything that is known of both, and better in something.

    Only what helps can beat or be beaten, and effort and weeks have to be known of both.
    """
    if not {one.helps, other.helps} <= {"yes", "partly"}:
        return False
    pairs = [(one.effort_hours, other.effort_hours), (one.weeks, other.weeks)]
    if any(mine is None or its is None for mine, its in pairs):
        return False
    columns = [_promise(one) - _promise(other), RISKS.index(other.risk) - RISKS.index(one.risk)]
    for mine, its in (*pairs, (one.usd_per_month, other.usd_per_month)):
        columns += _less(mine, its)
    if one.quality is not None and other.quality is not None:
        columns.append(one.quality - other.quality)
    if one.latency_p95_s is not None and other.latency_p95_s is not None:
        columns.append(other.latency_p95_s - one.latency_p95_s)
    return min(columns) >= 0 and max(columns) > 0


def _promise(option: Option) -> float:
    return {"yes": 2.0, "partly": 1.0}.get(option.helps, 0.0)


def _less(mine: Ends | None, its: Ends | None) -> list[float]:
    """By how much less it is at both ends; nothing where one isn't known."""
    return [its.low - mine.low, its.high - mine.high] if mine and its else []
