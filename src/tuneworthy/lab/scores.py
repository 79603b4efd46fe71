"""Answers into scores: one number for each arm and case, repeats averaged."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.lab.judge import UNREADABLE, Heard, Judging, by_people, label_more
from tuneworthy.llm.runner import Job, Outcome, Runner
from tuneworthy.measure.personal import mask
from tuneworthy.model.base import Unknown
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.lab import Arm, Settled, ShareOf
from tuneworthy.scoring import Marker
from tuneworthy.scoring.base import WRONG, Output, Scored
from tuneworthy.stats.clustered import Estimate, share

if TYPE_CHECKING:
    from numpy.typing import NDArray


MOST_MISSING = 0.05
"""Share of its calls that may lack an answer before an arm isn't judged."""
NO = 0.5
"""Under this, people say no: less than half of them let an output pass."""
_SHOWN = 200
_MASKED = 4000  # masked before it is cut, so that no half of a secret is left


@dataclass(slots=True)
class Cell:
    """What an arm did on a case."""

    scores: list[float] = field(default_factory=list)
    """One a repeat; a call without an answer has none."""
    usd: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    failed: int = 0
    """Calls without an answer: refused, withheld by a filter, or empty."""
    in_doubt: int = 0
    why: str = ""
    """What was said last in place of an answer."""
    unjudged: int = 0
    """Answers that no scorer can say anything about."""
    wrong: tuple[str, str] | None = None
    """For a wrong answer: its signal, and what came, masked."""
    label: float | None = None
    """What people say of the first answer, 0 … 1, NaN where nobody said; None without a judge."""

    @property
    def missing(self) -> int:
        """Calls that have no answer."""
        return self.failed + self.in_doubt

    @property
    def asked(self) -> int:
        """Calls, with an answer or without."""
        return len(self.scores) + self.unjudged + self.missing

    @property
    def score(self) -> float:
        """Mean over repeats; NaN where nothing is known."""
        return sum(self.scores) / len(self.scores) if self.scores else math.nan


class Scores:
    """Cells by arm and case.

    Args:
        marker: What judges an answer.
        judging: A model that judges in its place, and what people say.
    """

    def __init__(self, marker: Marker, judging: Judging | None = None) -> None:
        self.marker, self.judging = marker, judging
        self._cells: dict[str, dict[str, Cell]] = {}

    def cell(self, arm: str, case: str) -> Cell:
        """The cell of an arm and a case, made on first use."""
        return self._cells.setdefault(arm, {}).setdefault(case, Cell())

    async def judged(
        self, runner: Runner, asked: Iterable[tuple[Job, Arm, EvalCase]], outcome: Outcome
    ) -> Outcome:
        """Have a run's answers judged by the model that judges; nothing without one.

        Returns:
            What became of both.
        """
        if self.judging is None or outcome.stopped:
            return outcome
        replies = ((outcome.settled.get(job.key), case) for job, _, case in asked)
        answers = [
            (Output.of(one.reply), case)
            for one, case in replies
            if one and one.reply and not one.reply.lacks
        ]
        return await self.judging.hear(runner, answers) or outcome

    def answer(self, arm: str, case: EvalCase, text: Output, system: str = "") -> Scored:
        """Judge an answer and put it in its cell."""
        cell, judging = self.cell(arm, case.id), self.judging
        if judging is None:
            told = self.marker.score(text, case, system)
        else:
            told = judging.scored(text, case)
            if cell.label is None:
                cell.label = judging.label(text, case)
                cell.wrong = (WRONG, shown(text.text)) if cell.label < NO else None
        if told.ok is None:
            cell.unjudged += 1
            return told
        cell.scores.append(told.value)
        if not told.ok and judging is None:
            cell.wrong = (told.signal or "wrong_answer", shown(text.text))
        return told

    def call(self, arm: str, case: EvalCase, found: Settled, system: str = "") -> None:
        """Take what became of a call. One without an answer says nothing about the arm."""
        cell, reply, why = self.cell(arm, case.id), found.reply, found.why
        if reply is not None:
            cell.usd += found.usd
            cell.latencies_s.append(reply.latency_s)
            why = reply.lacks
            if not why:
                self.answer(arm, case, Output.of(reply), system)
                return
        cell.why = why[:_SHOWN]
        if found.status == "in_doubt":
            cell.in_doubt += 1
        else:
            cell.failed += 1

    def missing(self, arm: str, cases: Sequence[EvalCase]) -> float:
        """The share of an arm's calls on cases that have no answer; 0 where none was made."""
        cells = self.cells(arm, cases)
        return sum(one.missing for one in cells) / max(1, sum(one.asked for one in cells))

    def unanswered(self, arm: str, cases: Sequence[EvalCase]) -> str:
        """Why an arm isn't judged on cases: too many calls without an answer; else empty."""
        if self.missing(arm, cases) <= MOST_MISSING:
            return ""
        cells = self.cells(arm, cases)
        missing, asked = sum(one.missing for one in cells), sum(one.asked for one in cells)
        ((why, _),) = Counter(one.why for one in cells if one.missing).most_common(1)
        return f"{missing} of {asked} calls of {arm} got no answer ({why})"

    def row(self, arm: str, cases: Sequence[EvalCase]) -> NDArray[np.float64]:
        """Scores of an arm on cases, NaN where it has none."""
        cells = self._cells.get(arm, {})
        return np.array([cells[one.id].score if one.id in cells else math.nan for one in cases])

    def heard(self, arm: str, cases: Sequence[EvalCase]) -> Heard:
        """An arm as its judge and people see it; a call without an answer is left out."""
        assert self.judging is not None  # nobody asks for it without one
        cells, wanted = self._cells.get(arm, {}), {one.id for one in self.judging.drawn(cases)}
        judge, people = np.full(len(cases), math.nan), np.full(len(cases), math.nan)
        missing = 0
        for place, one in enumerate(cases):
            cell = cells.get(one.id)
            if cell is None or cell.label is None:
                continue  # it wasn't run, or nobody knows what came of it
            said = [*cell.scores, *[UNREADABLE] * cell.unjudged]
            judge[place] = sum(said) / len(said)
            if one.id in wanted:
                people[place] = cell.label
                missing += math.isnan(cell.label)
        return Heard(judge, people, missing)

    def failed(
        self, arm: str, cases: Sequence[EvalCase]
    ) -> tuple[list[tuple[EvalCase, Cell]], int]:
        """The cases an arm got wrong, by rules or by people, and how many could be told at all."""
        if self.judging is not None:
            cases = self.judging.drawn(cases)
            known = int((~np.isnan(self.heard(arm, cases).people)).sum())
        else:
            known = int((~np.isnan(self.row(arm, cases))).sum())
        cells = self._cells.get(arm, {})
        found = [(one, cells[one.id]) for one in cases if one.id in cells]
        wrong = [(one, cell) for one, cell in found if cell.wrong is not None]
        if self.judging is None:
            wrong = [(one, cell) for one, cell in wrong if cell.score < 1]
        return wrong, known

    def cells(self, arm: str, cases: Sequence[EvalCase]) -> list[Cell]:
        """The cells of an arm on cases, those it was run on."""
        cells = self._cells.get(arm, {})
        return [cells[one.id] for one in cases if one.id in cells]


def unanswered_text(found: Sequence[str]) -> str:
    """Sentences about arms without answers as one: the first, and how many more there are."""
    if not found:
        return ""
    return found[0] if len(found) == 1 else f"{found[0]}; the same goes for {len(found) - 1} more"


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
    """An arm's share of right cases; None where it wasn't run, or too few calls were answered.

    Args:
        scores: What was scored.
        arm: The arm.
        cases: The cases that count.
        exact: With ends that may be held against a target: where a model judges, what people say,
            and None until they have labelled what was drawn. Missing answers widen them, as each
            may have been right or wrong.
    """
    if not cases or scores.unanswered(arm.id, cases):
        return None
    if exact and scores.judging is not None:
        found = by_people(scores.heard(arm.id, cases), clusters_of(cases))
    else:
        found = share(scores.row(arm.id, cases), clusters_of(cases), exact=exact)
    missing = scores.missing(arm.id, cases)
    if found is None or not exact or not missing:
        return found
    return replace(found, low=max(0.0, found.low - missing), high=min(1.0, found.high + missing))


def as_record(one: Estimate) -> ShareOf:
    """An estimate as the result holds it."""
    ends = {"low": max(0.0, one.low), "high": min(1.0, one.high)}
    return ShareOf(value=one.value, **ends, n=one.n, clusters=one.clusters)


def share_of(
    scores: Scores, arm: Arm, cases: Sequence[EvalCase], *, exact: bool = False
) -> ShareOf | Unknown:
    """An arm's share of right cases with its interval; else what it takes."""
    found = estimate(scores, arm, cases, exact=exact)
    if found is not None:
        return as_record(found)
    if why := scores.unanswered(arm.id, cases):
        return Unknown(ask=why)
    if exact and scores.judging is not None:
        return Unknown(ask=label_more(scores.heard(arm.id, cases).missing))
    return Unknown(ask="it wasn't run")
