"""The sections of a dossier, each as it stands in the JSON."""

from __future__ import annotations

from datetime import date
from typing import Literal

from tuneworthy.domain.assessment import Severity, Source
from tuneworthy.domain.decision import Action, GateId, Verdict
from tuneworthy.domain.record import Range, Record, State, Unknown
from tuneworthy.domain.rules import Band, Outcome


class Named(Record):
    """Something with a digest (SHA-256 of its validated canonical JSON)."""

    name: str
    digest: str


class CheckResult(Record):
    """A check of the ceiling test."""

    title: str
    state: State
    value: int | State
    """The count where one was given, else the state."""
    source: Source
    note: str = ""
    ask: str = ""
    """The question, as the framework asks it."""


class Ceiling(Record):
    """The ceiling test."""

    reached: State
    checks: dict[str, CheckResult]


class SignalResult(Record):
    """A sign that prompting has reached its limit."""

    title: str
    state: State
    source: Source
    note: str
    ask: str = ""
    """The question, as the framework asks it."""


class FactorResult(Record):
    """A reason for or against."""

    title: str
    kind: Literal["indicator", "anti_indicator"]
    state: State
    source: Source
    weight: float | str
    note: str
    ask: str = ""
    """The question, as the framework asks it."""


class EvidenceResult(Record):
    """A measurement with what it says about an answer."""

    id: str
    """What was measured, as an id."""
    title: str
    """What was measured, for people."""
    factor: str
    """The signal, factor, check or dotted path of the case that it bears on; may be empty."""
    value: float | Unknown
    """The best single number, in ``unit``."""
    low: float | Unknown
    """Lower end of the 95% interval."""
    high: float | Literal["open"] | Unknown
    """Upper end; ``open`` where only a lower one is known."""
    unit: str
    """Unit of value, low and high."""
    n: int
    """Traces or cases it was counted on."""
    clusters: int
    """Conversations those come from."""
    grade: Literal["measured", "published"]
    """Measured on the case's own data; or published by somebody else, which settles nothing."""
    says: State
    """Side of the framework's limit on which the whole interval lies; unknown across it."""
    role: Literal["settles", "supports"]
    """Whether it settles the answer, or only speaks for or against a need."""
    limit: float | Unknown
    """The framework's limit."""
    method: str
    """How value and interval were made."""
    source: str
    """What it was measured on."""
    observed_on: date | Unknown
    """Last day of the data."""
    since: date | Unknown
    """First day of the data."""
    sample: Literal["all", "sampled"]
    """Whether every trace was looked at."""
    details: dict[str, float | int | str | bool]
    """Further numbers."""
    examples: tuple[str, ...]
    """A few masked samples."""


class Counts(Record):
    """How many factors are known to hold, and how many are open."""

    indicators: int
    anti_indicators: int
    unknown: int
    """Open factors; open checks are not counted here."""


class BandRange(Record):
    """Bands from one to another."""

    low: Band
    high: Band


class Step(Record):
    """A step of the tree."""

    ask: str
    answer: State
    value: dict[str, float | Range]
    outcome: Outcome
    """What follows when the answer is yes."""


class TreeResult(Record):
    """The tree."""

    outcome: Verdict
    path: tuple[Step, ...]


class ScoreResult(Record):
    """The score."""

    value: float | Range
    denominator: float
    band: Band | BandRange


class DifferenceResult(Record):
    """The difference rule."""

    value: float | Range
    band: Band | BandRange


class RuleResults(Record):
    """The three published rules side by side."""

    tree: TreeResult
    score: ScoreResult
    difference: DifferenceResult


class Stage(Record):
    """An attempt with its own verdict."""

    name: str
    outcome: Verdict
    final: bool
    change: str


class GateResult(Record):
    """A gate and its reason."""

    id: GateId
    state: State
    why: str


class CaveatResult(Record):
    """Something to keep in mind."""

    id: str
    says: str


class VerdictResult(Record):
    """The verdict."""

    outcome: Verdict
    final: bool
    leaning: Outcome
    """The outcome when final; else the one with the largest share, the more cautious of equals."""
    action: Action
    summary: str
    gates: tuple[GateResult, ...]
    caveats: tuple[CaveatResult, ...]
    next: str
    """The next step, in one sentence."""


class Change(Record):
    """An answer to change."""

    factor: str
    to: Literal["yes", "no"]


class FlipResult(Record):
    """A smallest set of changes and the verdict it gives."""

    changes: tuple[Change, ...]
    outcome: Verdict


class QuestionResult(Record):
    """An open answer: what it is worth and what it takes."""

    factor: str
    ask: str
    gain_bits: float
    minutes: int


class ChallengeResult(Record):
    """What doesn't fit together."""

    id: str
    severity: Severity
    between: tuple[str, ...]
    says: str
    settle: str


class DataNeed(Record):
    """Data an approach takes."""

    low: int
    high: int | Literal["open"]
    unit: str


class ApproachResult(Record):
    """A goal and its approach."""

    goal: str
    approach: str
    title: str
    data: DataNeed
    compute: str
    priority: str
    feasible: State
    missing: int | Unknown = Unknown(ask="count what there is to learn from")
    """How many examples, pairs or documents lack to the least that makes sense."""
    offered_by: tuple[str, ...] = ()
    """Services and programs known to take new work of this kind, as of the dossier's day."""


class Quick(Record):
    """The short form's answer."""

    asked: tuple[str, ...]
    ruled_out: bool
    says: str
