"""The answer to a case as one object: what ``--format json`` prints."""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import Field

from tuneworthy.domain.canonical import json_text
from tuneworthy.domain.evidence import Series
from tuneworthy.domain.likeness import PrecedentsResult
from tuneworthy.domain.outlook import InvestmentResult, OptionResult, Plan, Recommendation
from tuneworthy.domain.record import Range, Record, Unknown
from tuneworthy.domain.rules import Outcome
from tuneworthy.domain.sections import (
    ApproachResult,
    BandRange,
    Ceiling,
    ChallengeResult,
    Counts,
    EvidenceResult,
    FactorResult,
    FlipResult,
    Named,
    QuestionResult,
    Quick,
    RuleResults,
    SignalResult,
    Stage,
    VerdictResult,
)

SCHEMA = "tuneworthy/dossier/1"
"""Names may be added under this number; none moves."""


class Dossier(Record):
    """Everything Tuneworthy has to say about a case.

    Frozen; ``to_dict`` gives the published names in their order, ``to_json`` the same as bytes that
    are equal for equal inputs.
    """

    schema_: str = Field(default=SCHEMA, alias="schema")
    case: Named
    framework: Named
    as_of: date
    seed: int
    ceiling: Ceiling
    signals: dict[str, SignalResult]
    factors: dict[str, FactorResult]
    counts: Counts
    rules: RuleResults
    strength: BandRange
    stages: tuple[Stage, ...]
    verdict: VerdictResult
    distribution: dict[Outcome, float]
    bounds: dict[Outcome, Range]
    flips: tuple[FlipResult, ...]
    flips_searched_to: int
    """Sets of up to this many answers were all tried."""
    next_questions: tuple[QuestionResult, ...]
    challenges: tuple[ChallengeResult, ...]
    approaches: tuple[ApproachResult, ...] | Unknown
    options: tuple[OptionResult, ...] | Unknown
    recommendation: Recommendation | Unknown
    investment: InvestmentResult | Unknown
    precedents: PrecedentsResult | Unknown
    plan: Plan | Unknown
    evidence: tuple[EvidenceResult, ...] | Unknown
    series: tuple[Series, ...] | Unknown
    """Numbers of the pictures of what was measured; unknown where nothing was."""
    quick: Quick | None = None
    """Only for the short form."""

    def to_dict(self) -> dict[str, Any]:
        """The object as plain JSON values."""
        data = self.model_dump(mode="json", by_alias=True)
        if self.quick is None:
            del data["quick"]
        return data

    def to_json(self) -> str:
        """The object as text, two spaces deep, with a line feed at its end."""
        return json_text(self.to_dict())
