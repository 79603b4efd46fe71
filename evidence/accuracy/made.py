"""Made-up traces with planted faults, and how often a signal fires on them: for the other scripts.

Faults come in conversations: with an intraclass correlation of 0.3, 300 conversations of 3 turns.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tuneworthy.measure.signals.base import TraceSignal as Signal
    from tuneworthy.model.evidence import Batch, Evidence, TextColumn

RATES = (0.0, 0.01, 0.05, 0.1, 0.2)
SETS = 400


def told(signal: Signal, measured: str, batch: Batch) -> Evidence:
    """One piece of a signal's evidence on a batch, by the plainest engine."""
    from plain_engine import measure

    return next(each for each in measure(signal, batch).evidence if each.id == measured)


def names(at_fault: NDArray[np.bool_]) -> TextColumn:
    """The conversation of each trace."""
    conversations, turns = at_fault.shape
    return [f"c{row}" for row in range(conversations) for _ in range(turns)]


def table(
    what: str, fires: Callable[[NDArray[np.bool_]], bool], *, sets: int = SETS
) -> None:
    """Print how often something fires, by the share of faults planted."""
    from planted import fired

    print(f"  {what}, {sets} data sets each:")
    for place, rate in enumerate(RATES):
        print(
            f"    {rate:4.0%} planted: fires in {fired(fires, rate, sets=sets, seed=place):.1%}"
        )
