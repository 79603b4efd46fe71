"""Answers into scores: one number for each arm and case, repeats averaged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.domain.calls import Settled
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.lab import Arm, ShareOf
from tuneworthy.domain.record import Unknown
from tuneworthy.gather.personal.mask import mask
from tuneworthy.scoring import Context, Marker, Output, Scored
from tuneworthy.stats.clustered import Estimate, share

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHOWN = 200
_MASKED = 4000  # masked before it is cut, so that no half of a secret is left


@dataclass(slots=True)
class Cell:
    """What an arm did on a case."""

    scores: list[float] = field(default_factory=list)
    """One a repeat; a call that failed is a 0."""
    usd: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    failed: int = 0
    in_doubt: int = 0
    unjudged: int = 0
    """Answers that no scorer can say anything about."""
    wrong: tuple[str, str] | None = None
    """For a wrong answer: its signal, and what came, masked."""

    @property
    def score(self) -> float:
        """Mean over repeats; NaN where nothing is known."""
        return sum(self.scores) / len(self.scores) if self.scores else math.nan


class Scores:
    """Cells by arm and case.

    Args:
        marker: What judges an answer.
    """

    def __init__(self, marker: Marker) -> None:
        self._marker = marker
        self._cells: dict[str, dict[str, Cell]] = {}

    def cell(self, arm: str, case: str) -> Cell:
        """The cell of an arm and a case, made on first use."""
        return self._cells.setdefault(arm, {}).setdefault(case, Cell())

    def answer(self, arm: str, case: EvalCase, text: Output, system: str = "") -> Scored:
        """Judge an answer and put it in its cell."""
        cell, told = self.cell(arm, case.id), self._marker.score(text, case, Context(system))
        if told.ok is None:
            cell.unjudged += 1
            return told
        cell.scores.append(told.value)
        if not told.ok:
            cell.wrong = (told.signal or "wrong_answer", shown(text.text))
        return told

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


def shown(text: str) -> str:
    """A text masked, and then cut for showing."""
    return mask(text[:_MASKED])[:_SHOWN]


def clusters_of(cases: Sequence[EvalCase]) -> NDArray[np.int64]:
    """Conversations as whole numbers, in the order of their first case."""
    codes: dict[str, int] = {}
    return np.array([codes.setdefault(one.cluster, len(codes)) for one in cases], dtype=np.int64)


def estimate(
    scores: Scores, arm: Arm, cases: Sequence[EvalCase], *, exact: bool = False
) -> Estimate | None:
    """An arm's share of right cases; None where it wasn't run.

    Args:
        scores: What was scored.
        arm: The arm.
        cases: The cases that count.
        exact: With ends that may be held against a target.
    """
    if not cases:
        return None
    return share(scores.row(arm.id, cases), clusters_of(cases), exact=exact)


def as_record(one: Estimate) -> ShareOf:
    """An estimate as the result holds it."""
    ends = {"low": max(0.0, one.low), "high": min(1.0, one.high)}
    return ShareOf(value=one.value, **ends, n=one.n, clusters=one.clusters)


def share_of(
    scores: Scores, arm: Arm, cases: Sequence[EvalCase], *, exact: bool = False
) -> ShareOf | Unknown:
    """An arm's share of right cases with its interval; unknown where it wasn't run."""
    found = estimate(scores, arm, cases, exact=exact)
    return Unknown(ask="it wasn't run") if found is None else as_record(found)
