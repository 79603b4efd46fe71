"""Instructions with the outputs they were held against, counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuneworthy.domain.evidence import Series
from tuneworthy.gather.signals.telling import readable
from tuneworthy.texts.verifiable import Instruction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_SHOWN = 100
"""Instructions that the picture shows."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One instruction of one prompt over the outputs it bears on."""

    instruction: Instruction
    ignored: NDArray[np.bool_]
    """One an output."""
    conversation: NDArray[np.int64]
    """Those the outputs come from."""
    of: int
    """How many instructions its prompt has."""

    @property
    def asks(self) -> tuple[object, ...]:
        """What is asked, wherever and in whatever words: prompts that ask it share it."""
        one = self.instruction
        return one.kind, one.amount, one.words


def quotes(checks: Sequence[Checked]) -> list[str]:
    """Each instruction with its failures and checks, those most often ignored first."""
    return [
        f"{one.quote[:100]}{''.join(f' [{word[:30]}]' for word in one.words)}: {failed} of {n}"
        for one, n, failed in _counted(checks)
    ]


def series(checks: Sequence[Checked]) -> Series:
    """For each instruction its place and how often it was followed; the hundred worst."""
    rows = _counted(checks)[:MOST_SHOWN]
    return Series(
        id="instructions",
        columns={
            "quote": tuple(readable(one.quote, 120) for one, _, _ in rows),
            "kind": tuple(one.kind for one, _, _ in rows),
            "position": tuple(one.position for one, _, _ in rows),
            "followed_share": tuple(1 - failed / n for _, n, failed in rows),
            "n": tuple(n for _, n, _ in rows),
        },
    )


def _counted(checks: Sequence[Checked]) -> list[tuple[Instruction, int, int]]:
    """Instruction, checks and failures; one that stands in several prompts is one. Worst first."""
    sums: dict[tuple[object, ...], tuple[Instruction, int, int]] = {}
    for each in checks:
        first, n, failed = sums.get(each.asks, (each.instruction, 0, 0))
        sums[each.asks] = first, n + len(each.ignored), failed + int(each.ignored.sum())
    return sorted(sums.values(), key=lambda row: (-row[2] / row[1], row[0].quote, row[0].words))
