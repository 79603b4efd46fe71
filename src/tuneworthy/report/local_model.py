"""Words about the embedded model."""

from __future__ import annotations

from typing import Any

from tuneworthy.domain.errors import one_line
from tuneworthy.report.layout import safe

FOR_TRYING = (
    "It is for trying things out: it shows how a lab works, and no product should rest on it."
)
"""What the embedded model is good for."""


def pulled_text(model_id: str, path: str, *, size_bytes: int, fetched: bool) -> str:
    """What fetching came to.

    Args:
        model_id: The model.
        path: Where its weights are.
        size_bytes: How large they are.
        fetched: False where they were there already.

    Returns:
        Lines for a terminal.
    """
    done = "Fetched" if fetched else "There already"
    size = f"{size_bytes / 1e6:.0f} MB"
    return f"{done}: the weights of {model_id}, {size}.\n{one_line(path)}\n{FOR_TRYING}\n"


def embedded_record(why: str) -> dict[str, Any]:
    """The embedded model in a list of models.

    Args:
        why: What is missing to run it, with its cure; the empty text if nothing is.
    """
    return {
        "name": "local:smollm2",
        "ready": not why,
        "why": why or None,
        "usd_per_mtok": {"input": 0, "output": 0},
        "note": FOR_TRYING,
    }


def embedded_row(inside: dict[str, Any]) -> tuple[str, str]:
    """Its name and how it stands, for a table."""
    stands = "ready" if inside["ready"] else f"not ready: {safe(inside['why'])}"
    return inside["name"], f"{stands}. {inside['note']}"
