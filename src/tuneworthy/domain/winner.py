"""Which approach measured best in a published case; apart, so that a decision loads little."""

from __future__ import annotations

from typing import Literal

Winner = Literal["fine_tune", "hybrid", "rag", "prompt", "model_switch", "decomposition", "tie"]
"""The approach that measured best; hybrid is tuning together with retrieval or better prompts."""

WINS_OF_TUNING: frozenset[Winner] = frozenset({"fine_tune", "hybrid"})
"""Those in which tuning had a part."""
