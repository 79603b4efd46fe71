"""Why an option helps or doesn't, in words: a function of the reason's numbers under its id."""

from __future__ import annotations

from collections.abc import Callable

from tuneworthy.report.options.models import MODEL
from tuneworthy.report.options.pieces import Numbers
from tuneworthy.report.options.prompts import PROMPT, RETRIEVAL
from tuneworthy.report.options.tunings import TUNING

REASONS: dict[str, Callable[[Numbers], str]] = {**PROMPT, **RETRIEVAL, **MODEL, **TUNING}
"""Reason id to its words."""

ARMS = {
    "fine_tune": "tuning alone",
    "hybrid": "tuning with retrieval or a better prompt",
    "rag": "retrieval",
    "prompt": "a better prompt",
    "model_switch": "another model",
    "decomposition": "decomposition",
}
"""Arms of the published cases in words."""
