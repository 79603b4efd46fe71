"""Published figures in words: what they say, and what they don't."""

from __future__ import annotations

from tuneworthy.domain.published import PublishedFigure
from tuneworthy.domain.record import Unknown
from tuneworthy.report.words import count, quality

LIMITS = (
    "A published figure was counted on other cases, perhaps split, cleaned and scored otherwise. "
    "It says what tuning reached there, not what it would reach here"
)
"""What a published figure doesn't tell."""


def figure_text(one: PublishedFigure) -> str:
    """A figure with its interval: ``0.94 (0.93–0.95)``."""
    return f"{quality(one.value)} ({quality(one.low)}–{quality(one.high)})"


def against_target(one: PublishedFigure) -> str:
    """How it stands to the target: ``meets the target 0.90``."""
    if isinstance(one.target, Unknown):
        return f"not held against the target ({one.target.ask})"
    target = f"the target {quality(one.target)}"
    return {
        "yes": f"meets {target}",
        "no": f"falls short of {target}",
        "unknown": f"can't be told from {target}",
    }[one.meets]


def figure_says(one: PublishedFigure) -> str:
    """A figure as a clause: who, how much, on how many cases, and how that stands to the target."""
    return (
        f"{one.model}, as published on {one.dated}, reached {figure_text(one)} by {one.metric} on "
        f"{count(one.cases)} other cases, which {_which(one)}"
    )


def _which(one: PublishedFigure) -> str:
    if isinstance(one.target, Unknown):
        return f"isn't held against a target ({one.target.ask})"
    return against_target(one)
