"""Pieces of sentences that several reasons share, from the case's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuneworthy.report.words import count, few, listing, plain, quality, share

Numbers = Mapping[str, Any]

SIGNS = {
    "knowledge_gaps": "passages are found and misread",
    "terminology_errors": "terms come out wrong",
    "voice_drift": "the voice drifts",
    "inconsistent_format": "the structure varies",
}
"""Signals as a trouble one sees."""


def recalled(n: Numbers) -> str:
    """How often the passage is found, with a comma behind it; empty where nobody counted."""
    recall = n.get("recall")
    return "" if recall is None else f"the passage is found for {share(recall)} of questions, and "


def missing(n: Numbers) -> str:
    """That passages aren't found, or that nobody saw to it."""
    recall = n.get("recall")
    if recall is None:
        return "retrieval was never optimised"
    return f"the passage is found for only {share(recall)} of questions"


def long(n: Numbers) -> str:
    """Input tokens of a request in brackets; empty where nobody counted."""
    tokens = n.get("tokens")
    return "" if tokens is None else f" ({count(tokens)} input tokens a request)"


def models(n: Numbers) -> str:
    """How many models were tested."""
    return f"{few(n['count'])} models" if n.get("count") else "several models"


def shortfall(n: Numbers) -> str:
    """A quality that is missed."""
    return f"{quality(n['quality'])} where {quality(n['target'])} is wanted"


def pair(n: Numbers) -> str:
    """A quality beside its target."""
    return f"{quality(n['quality'])}, {quality(n['target'])} is wanted"


def goals(n: Numbers) -> str:
    """Goals in words."""
    return listing([plain(goal) for goal in n["goals"]])


def presses(n: Numbers) -> str:
    """Cost, latency or both as a reason to change something."""
    return f"{listing(n['by'])} {'presses' if len(n['by']) == 1 else 'press'}"
