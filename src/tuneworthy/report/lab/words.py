"""Words that the pages of all labs share."""

from __future__ import annotations

from tuneworthy.domain.calls import Spend
from tuneworthy.domain.lab import Contrast, ShareOf
from tuneworthy.domain.record import Unknown
from tuneworthy.report.layout import row, safe
from tuneworthy.report.words import count, counted, quality, small_usd

LABEL = 13
"""Columns of a label and the gap behind it."""


def labelled(label: str, text: str) -> list[str]:
    """A row of a lab's page."""
    return row(label, text, label_width=LABEL)


def share_text(value: ShareOf | Unknown, unknown: str = "not run") -> str:
    """A share with its interval: ``0.81 (0.77–0.85)``."""
    if isinstance(value, Unknown):
        return unknown
    return f"{quality(value.value)} ({quality(value.low)}–{quality(value.high)})"


def difference_text(one: Contrast) -> str:
    """A difference with its interval: ``+0.12 (+0.03 to +0.21)``."""
    if isinstance(one.difference, Unknown):
        return f"unknown: {one.difference.ask}"
    return f"{_signed(one.difference)} ({_signed(one.low)} to {_signed(one.high)})"


def _signed(value: float) -> str:
    """Two digits with a sign; what rounds to zero has none."""
    return f"{value:+.2f}" if round(value, 2) else "0.00"


def spent_text(spend: Spend, saved: int = 0) -> str:
    """What all calls of a lab have cost so far."""
    said = f"{small_usd(spend.paid)} of {small_usd(spend.cap)} so far, for "
    said += counted(spend.calls, "call")
    if spend.failed:
        said += f"; {count(spend.failed)} more failed, unpaid"
    if spend.in_doubt:
        said += f"; {count(spend.in_doubt)} in doubt hold {small_usd(spend.held)} more"
    if saved:
        said += f"; the race saved {counted(saved, 'call')}"
    return said


def spent(spend: Spend, saved: int = 0) -> list[str]:
    """The same as a row of a page."""
    return labelled("Spent", spent_text(spend, saved))


def stopped(why: str) -> list[str]:
    """Why a lab ended early; nothing for one that didn't."""
    if not why:
        return []
    return labelled("Stopped", f"{safe(why)}. What was paid for is kept: run it again to go on")
