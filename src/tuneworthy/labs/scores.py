"""Answers into scores: one number for each arm and case, repeats averaged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.domain.calls import Settled
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.gather.personal.mask import mask
from tuneworthy.scoring import Context, Output, Scored, Scorer

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHOWN = 200


@dataclass(slots=True)
class Cell:
    """What an arm did on a case."""

    scores: list[float] = field(default_factory=list)
    """One a repeat; a call that failed is a 0."""
    usd: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    failed: int = 0
    in_doubt: int = 0
    wrong: tuple[str, str] | None = None
    """For a wrong answer: its signal, and what came, masked."""

    @property
    def score(self) -> float:
        """Mean over repeats; NaN where nothing is known."""
        return sum(self.scores) / len(self.scores) if self.scores else math.nan


class Scores:
    """Cells by arm and case.

    Args:
        scorers: What judges an answer; a case's own checks come on top.
        own: Scorers of single cases, by case id.
    """

    def __init__(
        self, scorers: Sequence[Scorer], own: Mapping[str, Sequence[Scorer]] | None = None
    ) -> None:
        self._scorers, self._own = tuple(scorers), dict(own or {})
        self._cells: dict[str, dict[str, Cell]] = {}

    def cell(self, arm: str, case: str) -> Cell:
        """The cell of an arm and a case, made on first use."""
        return self._cells.setdefault(arm, {}).setdefault(case, Cell())

    def answer(self, arm: str, case: EvalCase, text: Output, system: str = "") -> Scored:
        """Judge an answer and put it in its cell."""
        cell = self.cell(arm, case.id)
        judged = [
            scorer.score(text, case, Context(system))
            for scorer in (*self._scorers, *self._own.get(case.id, ()))
        ]
        told = [one for one in judged if one.ok is not None]
        if told:
            cell.scores.append(min(one.value for one in told))
        bad = next((one for one in told if not one.ok), None)
        if bad is not None:
            cell.wrong = (bad.signal or "wrong_answer", mask(text.text[:_SHOWN]))
        return bad or (told[0] if told else judged[0])

    def call(self, arm: str, case: EvalCase, found: Settled, system: str = "") -> None:
        """Take what became of a call: an answer, a failure, or nobody knows."""
        cell = self.cell(arm, case.id)
        if found.status == "in_doubt":
            cell.in_doubt += 1
        elif found.reply is None:
            cell.failed += 1
            cell.scores.append(0.0)
            cell.wrong = ("no_answer", found.why[:_SHOWN])
        else:
            cell.usd += found.usd
            cell.latencies_s.append(found.reply.latency_s)
            self.answer(arm, case, Output.of(found.reply), system)

    def row(self, arm: str, cases: Sequence[EvalCase]) -> NDArray[np.float64]:
        """Scores of an arm on cases, NaN where it has none."""
        cells = self._cells.get(arm, {})
        return np.array([cells[one.id].score if one.id in cells else math.nan for one in cases])

    def cells(self, arm: str, cases: Sequence[EvalCase]) -> list[Cell]:
        """The cells of an arm on cases, those it was run on."""
        cells = self._cells.get(arm, {})
        return [cells[one.id] for one in cases if one.id in cells]


def clusters_of(cases: Sequence[EvalCase]) -> NDArray[np.int64]:
    """Conversations as whole numbers, in the order of their first case."""
    codes: dict[str, int] = {}
    return np.array([codes.setdefault(one.cluster, len(codes)) for one in cases], dtype=np.int64)
