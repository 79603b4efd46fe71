"""An evaluation set that was drawn from traces, and how it was drawn."""

from __future__ import annotations

from typing import Literal

from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.record import Natural, NonNegative, Record

IntentBy = Literal["reference", "embedding", "nothing"]
"""What told kinds of request apart: few and short right answers, or groups of alike vectors."""


class Stratum(Record):
    """Conversations that were drawn from together."""

    intent: str
    """Kind of request; empty where kinds aren't told apart in it."""
    length: str
    """``short``, ``medium`` or ``long``; empty where lengths aren't told apart in it."""
    failed: bool | None
    """Whether something went wrong in them; None where that isn't told apart."""
    traces: Natural
    """Traces it stands for."""
    conversations: Natural
    """Conversations that could be drawn, near copies folded."""
    drawn: Natural
    """Conversations that were."""
    cases: Natural
    """Cases those gave."""


class Drawn(Record):
    """A drawn set, with what was done to it."""

    cases: tuple[EvalCase, ...]
    """The cases in the order of reading; weights have a mean of 1."""
    strata: tuple[Stratum, ...]
    """What was drawn from, failures first, then by size."""
    intent_by: IntentBy
    """What told kinds of request apart."""
    examples: dict[str, str] = {}
    """A masked request for each kind that bears only a number."""
    read: Natural
    """Traces that were read."""
    framed: Natural
    """Traces it could be drawn from: all, or those of conversations drawn by a hash."""
    without_input: Natural = 0
    """Traces of these that were left out, as nothing says what was asked."""
    folded: Natural = 0
    """Conversations folded into a near copy."""
    failures: dict[str, int] = {}
    """Traces that failed in what could be drawn from, by what gave it away."""
    masked: dict[str, int] = {}
    """Cases with hidden personal or secret data, by kind."""
    lost: Natural = 0
    """Right answers left out because masking hid what only they hold."""
    cut: Natural = 0
    """Texts of which only the beginning could be kept."""
    unlabelled: Natural = 0
    """Cases without a right answer."""


class Precision(Record):
    """How sure a score on a set can be."""

    cases: Natural
    """Cases it is counted on."""
    worth: NonNegative
    """Independent cases of equal weight these are worth, at the worst."""
    expected: float
    """The share right that is assumed."""
    low: float
    """Lower end of the 95% interval at that share."""
    high: float
    """Upper end."""
