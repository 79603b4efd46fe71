"""Arithmetic of money, tokens and months. Every name carries its unit."""

from __future__ import annotations

import math

MONTHS_PER_QUARTER = 3
MONTHS_PER_YEAR = 12
HOURS_PER_MONTH = 730.0  # 365 days of 24 hours, over 12
TOKENS_PER_MTOK = 1_000_000


def usd_per_request(
    *,
    input_tokens: float,
    output_tokens: float,
    usd_per_mtok_input: float,
    usd_per_mtok_output: float,
) -> float:
    """Price of one request in USD, nothing cached."""
    return (
        input_tokens * usd_per_mtok_input + output_tokens * usd_per_mtok_output
    ) / TOKENS_PER_MTOK


def months_to_reach(*, now: float, target: float, growth_per_month: float) -> int | None:
    """The first month in which ``now`` growing by ``growth_per_month`` has reached ``target``.

    Args:
        now: Requests a month today.
        target: Requests a month wanted.
        growth_per_month: Growth as a share: 0.5 is half as much again every month.

    Returns:
        A count of months from today, 0 when it is reached already, or None when it never is.
    """
    if now >= target:
        return 0
    if now <= 0 or growth_per_month <= 0:
        return None
    months = (math.log(target) - math.log(now)) / math.log1p(growth_per_month) - 1e-9
    return math.ceil(months) if months <= 1200 else None  # a century of growth is no plan


def growth_needed(*, now: float, target: float, months: int) -> float | None:
    """The monthly growth that takes ``now`` to ``target`` in ``months``, as a share.

    Returns:
        0.0 when the target is met already; None when nothing can get there (no traffic, no months).
    """
    if now >= target:
        return 0.0
    if now <= 0 or months <= 0:
        return None
    return float((target / now) ** (1 / months) - 1)
