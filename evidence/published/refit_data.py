"""Published cases as arrays for the fit, and what was decided before any number was looked at.

An answer is +1 where it speaks for tuning, -1 where it speaks against and 0 where it is unknown,
so that a fitted number below zero always means the same: it speaks the wrong way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from published import Codes, PublishedCase

from tuneworthy.model.framework import GOALS

Array = Any

# Which way a yes speaks, and why, stated before fitting. A fitted number that goes the other way is
# held at zero: with 84 cases it is likelier noise than a discovery.
SANE: dict[str, tuple[int, str]] = {
    "consistent_behavior": (1, "the lesson counts it for tuning"),
    "domain_knowledge": (1, "the lesson counts it for tuning"),
    "brand_voice": (1, "the lesson counts it for tuning"),
    "cost_optimization": (1, "the lesson counts it for tuning"),
    "latency_requirements": (1, "the lesson counts it for tuning"),
    "data_sovereignty": (1, "the lesson counts it for tuning"),
    "rapidly_changing_requirements": (-1, "the lesson counts it against tuning"),
    "low_volume": (-1, "the lesson counts it against tuning"),
    "exploration_phase": (-1, "the lesson counts it against tuning"),
    "insufficient_data": (-1, "the lesson counts it against tuning"),
    "success_with_prompts": (-1, "the lesson counts it against tuning"),
    "house_convention": (1, "what follows from no description has to be shown by examples"),
    "narrow_task": (1, "one kind of input and output is what a small training set can cover"),
    "constraint_gap": (1, "cost, time or privacy is what a small tuned model can bring"),
    "output_gradable": (1, "what can be checked can be filtered into training data"),
    "knowledge_facts": (-1, "facts are looked up; training on them is slow and leaky"),
    "open_ended_chat": (-1, "no training set covers a conversation that can go anywhere"),
    "content_changes": (-1, "what changes belongs in retrieval"),
    "policy_changes": (-1, "rules that change mean training again"),
}  # fmt: skip

LEFT_OUT = {
    "high_stakes": "no sane sign: stakes ask for reliability, which speaks for tuning, and for "
    "caution, which speaks against"
}

LESSON_ASKS = tuple(SANE)[:11]
"""What the lesson asks; the coder who knew the outcome answered only these."""


@dataclass(frozen=True)
class Data:
    """Rows are a case with one coder's answers: all cases for the first coder, then the second."""

    names: tuple[str, ...]
    """Questions, in the order of the columns."""
    signs: Array
    """+1 or -1 for each question."""
    answers: Array
    """(rows × questions), +1 for tuning, -1 against, 0 unknown."""
    goals: Array
    """(rows × 9), one for the case's goal."""
    won: Array
    """(rows), 1.0 where tuning won."""
    case: Array
    """(rows), number of the case."""
    cluster: Array
    """(rows), number of the cluster."""
    coder: Array
    """(rows), 0 or 1."""

    @property
    def design(self) -> Array:
        """(rows × 1 + 2·questions + goals): one, speaks for, speaks against, the goal."""
        ones = np.ones((len(self.won), 1))
        return np.hstack([ones, self.answers > 0, self.answers < 0, self.goals]).astype(
            float
        )

    def with_won(self, won: Array) -> Data:
        """The same cases with other outcomes, one a row."""
        return replace(self, won=np.asarray(won, dtype=float))

    def with_answers(self, answers: Array) -> Data:
        """The same cases with other answers."""
        return replace(self, answers=answers)


def untied(cases: Sequence[PublishedCase]) -> list[PublishedCase]:
    """Cases that have a winner, in the order of the file."""
    return [case for case in cases if case.winner != "tie"]


def arrays(
    cases: Sequence[PublishedCase],
    coders: Sequence[Codes] = ("blind1", "blind2"),
    names: Sequence[str] = tuple(SANE),
) -> Data:
    """The arrays of cases that are no tie."""
    kept = untied(cases)
    number = {"yes": 1, "no": -1, "unknown": 0}
    signs = np.array([SANE[name][0] for name in names])
    clusters = sorted({case.group for case in kept})
    table = [
        [number[case.coded(codes).get(name, "unknown")] for name in names]
        for codes in coders
        for case in kept
    ]
    many = len(coders)
    goals = [[float(case.goal_kind == goal) for goal in GOALS] for case in kept]
    return Data(
        names=tuple(names),
        signs=signs,
        answers=np.array(table) * signs,
        goals=np.array(goals * many),
        won=np.array([float(case.tuning_won) for case in kept] * many),
        case=np.array(list(range(len(kept))) * many),
        cluster=np.array([clusters.index(case.group) for case in kept] * many),
        coder=np.repeat(np.arange(many), len(kept)),
    )


def digest(cases: Sequence[PublishedCase]) -> str:
    """SHA-256 of all that the fit reads of the cases, whatever else is written beside them."""
    told = [
        {
            "id": case.id, "cluster": case.group, "goal": case.goal_kind, "won": case.tuning_won,
            "blind1": case.coded("blind1"), "blind2": case.coded("blind2"),
        }
        for case in untied(cases)
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
