"""Texts as vectors, by a small model that is inside its package: nothing is fetched."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MODEL = "wordllama l2_supercat_256"
LONGEST = 2_000
"""Characters of a text that are looked at."""


def embed(texts: Sequence[str]) -> NDArray[np.float32] | None:
    """Unit vectors, so that a product is a cosine.

    Returns:
        One row a text, of zeros where it has no word the model knows; None where the package isn't
        installed.
    """
    model = _model()
    if model is None:
        return None
    if not texts:
        return np.zeros((0, 1), dtype=np.float32)
    # half a pair of UTF-16 is no text that a tokenizer takes
    clean = [each[:LONGEST].encode("utf-8", "replace").decode() or " " for each in texts]
    # The model takes some texts at a time, each as long as the longest of them.
    order = sorted(range(len(clean)), key=lambda row: len(clean[row]))
    found = np.nan_to_num(model.embed([clean[row] for row in order]))[np.argsort(order)]
    length = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(found / np.where(length > 0, length, 1.0), dtype=np.float32)


@lru_cache(maxsize=1)
def _model() -> Any:
    try:
        import wordllama
    except ImportError:
        return None
    folder = Path(wordllama.__file__).parent
    return wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
