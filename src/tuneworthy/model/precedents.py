"""Published cases, and how often a framework's rules would have been right about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import BeforeValidator, Field, RootModel

from tuneworthy.model.base import (
    FileRecord,
    Ident,
    LateRecord,
    Name,
    Natural,
    Share,
    State,
    Text,
    Tri,
    TriInput,
    Unknown,
    as_key,
)
from tuneworthy.model.framework import Goal

Winner = Literal["fine_tune", "hybrid", "rag", "prompt", "model_switch", "decomposition", "tie"]
"""The approach that measured best; hybrid is tuning together with retrieval or better prompts."""

WINS_OF_TUNING: frozenset[Winner] = frozenset({"fine_tune", "hybrid"})
"""Those in which tuning had a part."""


Codes = Literal["value", "blind1", "blind2"]
"""Whose answers count: the coder who knew the outcome, or one of the two who did not."""

CODES: tuple[Codes, ...] = get_args(Codes)


BlindAnswers = Annotated[tuple[Tri, ...], Field(max_length=2)]
"""One answer of each blind coder; a third would be nobody's."""


def _to_source_text(value: Any) -> Any:
    """Figures stay as their source gives them; a quoted null is nothing."""
    if isinstance(value, str) and value.strip().casefold() in {"", "null", "~"}:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


SourceText = Annotated[
    Text | None, BeforeValidator(_to_source_text, json_schema_input_type=str | int | float | None)
]  #: A figure in the words of its source: "0.83", "41%", "about 9 million a month"; or None.


class PublishedArm(FileRecord):
    """One approach that was tried, with what it came to."""

    approach: SourceText = None  #: What was done.
    model: SourceText = None  #: The model it was done with.
    base_model: SourceText = None  #: For tuning: the model that was tuned.
    train_examples: SourceText = None  #: For tuning: how many examples, as the source says it.
    metric: SourceText = None  #: How it was measured.
    value: SourceText = None  #: What it came to, as the source says it.


class Account(FileRecord):
    """Money and time, as the source says it."""

    volume: SourceText = None  #: Calls in a period.
    cost_before: SourceText = None  #: Cost without tuning.
    cost_after: SourceText = None  #: Cost afterwards.
    latency_before: SourceText = None  #: Latency before.
    latency_after: SourceText = None  #: Latency afterwards.
    build_cost: SourceText = None  #: What it took to get there.


class Coded(FileRecord):
    """What coders answered about one factor."""

    value: Tri = "unknown"  #: The answer of the coder who had read the source and knew the outcome.
    reason: Text = ""  #: Why.
    blind: BlindAnswers = ()
    """Answers of the two coders who saw only the situation, in their order."""


SimpleCoded = Annotated[
    Coded, BeforeValidator(as_key("value"), json_schema_input_type=Coded | TriInput)
]


class PublishedCase(FileRecord):
    """A task on which several approaches were tried and somebody published what came out."""

    id: Name  #: A short name of its own.
    title: Name = "untitled"  #: What it is called.
    year: Annotated[int, Field(ge=1990, le=2100)] | None = None  #: The year of publication.
    kind: Literal["paper", "industry"] | None = None  #: Research, or a report from practice.
    cluster: Name | None = None
    """Cases of one paper or company share it; a case without one stands alone."""
    source_url: Text = ""  #: Where it can be read.
    source_status: Literal["read", "recalled"] | None = None
    """Whether its figures were read in the source or come from memory."""
    domain: Text = ""  #: The field it belongs to.
    task: Text = ""  #: What had to be done.
    goal_kind: Goal | None = None  #: What kind of goal that is.
    baseline: PublishedArm | None = None  #: Where it started.
    best_prompt: PublishedArm | None = None  #: The best that prompting reached.
    other_model: PublishedArm | None = None  #: Another model with a prompt.
    rag: PublishedArm | None = None  #: Retrieval.
    fine_tuned: PublishedArm | None = None  #: Tuning.
    winner: Winner  #: What measured best.
    margin: Text = ""  #: By how much.
    train_examples: Natural | None = None
    """Examples the tuning had, where the source gives a count."""
    economics: Account | None = None  #: Money and time.
    notes: Text = ""  #: What to keep in mind.
    factors: dict[Ident, SimpleCoded] = {}  #: Reasons for and against, as coded.
    extra_factors_blind: dict[Ident, BlindAnswers] = {}
    """Factors that only the blind coders answered."""
    ceiling_test: dict[Ident, Tri] = {}  #: Checks of the ceiling that the source shows.

    @property
    def tuning_won(self) -> bool:
        """Whether tuning, alone or in a hybrid, measured best; a tie is no win."""
        return self.winner in WINS_OF_TUNING

    @property
    def group(self) -> str:
        """The cluster, or the case's own id where it has none."""
        return self.cluster if self.cluster is not None else self.id

    @property
    def situation(self) -> dict[str, str]:
        """What a blind coder may see; neither title nor arms, figures or notes, which tell more."""
        start, economics = self.baseline, self.economics
        return {
            "domain": self.domain,
            "task": self.task,
            "starts_with": ", ".join(filter(None, (start.approach, start.model))) if start else "",
            "volume": (economics.volume if economics else None) or "",
            "examples": "" if self.train_examples is None else str(self.train_examples),
        }

    def coded(self, codes: Codes) -> dict[str, State]:
        """The answers of one coder by factor; one that coder left out is unknown."""
        if codes == "value":
            return {name: factor.value for name, factor in self.factors.items()}
        position = CODES.index(codes) - 1
        answers = {name: factor.blind for name, factor in self.factors.items()}
        return {
            name: blind[position] if position < len(blind) else "unknown"
            for name, blind in {**answers, **self.extra_factors_blind}.items()
        }


class PublishedCases(RootModel[tuple[PublishedCase, ...]]):
    """A file of them."""


RuleId = Literal["tree_recorded", "tree_granted", "score", "difference", "always", "never"]
"""What is put to the test; the last two ask nothing."""

RULES: tuple[RuleId, ...] = get_args(RuleId)


Method = Literal["cluster_bootstrap", "wilson_by_cluster"]
"""Whole clusters drawn again, or Wilson with cases of one cluster counted together."""


class RateInterval(LateRecord):
    """A 95% interval, in the unit of its measure."""

    low: float
    high: float
    method: Method


class RuleAgreement(LateRecord):
    """In how many cases a rule said what came out."""

    n: Natural
    agreed: Natural
    rate: Share
    interval: RateInterval


class Confusion(LateRecord):
    """What a rule said against what came out, in cases."""

    tune_won: Natural  #: Said tune; tuning won.
    tune_lost: Natural  #: Said tune; something else won.
    keep_won: Natural  #: Said don't tune; tuning won.
    keep_lost: Natural  #: Said don't tune; something else won.


class Against(LateRecord):
    """A rule's agreement less that of the better baseline, case by case."""

    baseline: RuleId  #: The baseline: always or never, whichever agrees more often.
    difference: Annotated[float, Field(ge=-1, le=1)]
    """Share of cases; above zero where the rule agrees more often."""
    interval: RateInterval | Unknown  #: 95% interval; unknown for too few clusters.
    excludes_zero: State  #: Whether the interval leaves zero out: the two are distinguished.


class GoalAgreement(LateRecord):
    """A rule's agreement among the cases of one goal."""

    goal: str  #: The goal, or ``unknown`` for cases that name none.
    won: Natural
    agreement: RuleAgreement


class RuleRecord(LateRecord):
    """How one rule did."""

    rule: RuleId
    agreement: RuleAgreement
    confusion: Confusion
    against: Against | None  #: Beside the better baseline; None for the baselines.
    by_goal: tuple[GoalAgreement, ...]  #: Agreement by goal, the most frequent goal first.


class Backtest(LateRecord):
    """How often the rules of a framework would have been right about published cases.

    ``n`` of the ``cases`` read are counted, and ``won`` of those were won by tuning.
    """

    framework: Ident
    codes: Codes
    cases: Natural
    ties: Natural  #: Cases left out because nothing won.
    n: Natural
    won: Natural
    recalled: Natural  #: Cases counted whose figures come from memory.
    clusters: Natural  #: Papers or companies that the cases counted come from.
    factors: Natural  #: Factors the framework asks about.
    uncoded: tuple[str, ...]  #: Those answered in no case counted, so that they never count as yes.
    answers: Natural  #: Factor answers wanted: cases counted times factors.
    unknown_answers: Natural  #: Those of them that are unknown, and so don't count as yes.
    checks: Natural  #: Checks of the ceiling the framework asks for.
    unknown_checks: Natural  #: Check answers, of cases times checks, that are unknown.
    ceilings: Natural  #: Cases counted in which every check is recorded as yes.
    draws: Natural  #: Times the clusters were drawn again.
    rules: tuple[RuleRecord, ...]  #: Every rule, in the order of RULES.

    def rule(self, rule: RuleId) -> RuleRecord:
        """The record of one rule."""
        return self.rules[RULES.index(rule)]


ArmId = Literal["baseline", "best_prompt", "other_model", "rag", "fine_tuned"]
"""The arms a published case may have."""

Known = Literal["yes", "no"]  #: An answer that is known.


class Precedent(NamedTuple):
    """A published case as far as likeness and rates need it."""

    shown: Mapping[str, Any]  #: What a ``Neighbour`` shows of it, by that record's names.
    cluster: str  #: Its paper or company; its own id where it stands alone.
    subjects: Sequence[str]  #: What its task is about, by the names of the vocabulary.
    words: Sequence[str]  #: The beginnings of other words of its title, domain and task.
    answers: Mapping[str, State]  #: What both blind coders answered alike.
    yes: Sequence[str]  #: The first blind coder's yes answers: rules are tried on those.


class Tried(LateRecord):
    """One approach that was tried; what the source doesn't say is an empty text."""

    arm: ArmId  #: Which arm of the comparison it is.
    approach: str = ""  #: What was done.
    model: str = ""  #: The model it was done with; for tuning the model that was tuned.
    train_examples: str = ""  #: For tuning: how many examples, as the source says it.
    metric: str = ""  #: How it was measured.
    value: str = ""  #: What it came to, as the source says it.


class Neighbour(LateRecord):
    """A published case like this one."""

    id: str  #: Its id in the catalogue's published cases.
    title: str  #: What it is called.
    winner: Winner  #: The arm that measured best, or a tie.
    source_url: str
    """Where it can be read: the first web address of its source; empty where it names none."""
    source: str  #: Its source in full.
    source_status: str  #: Whether its figures were ``read`` there, or are ``recalled`` from memory.
    year: int | Unknown  #: Year of publication.
    kind: str  #: ``paper``, or ``industry`` for a report from practice.
    goal: str  #: Its goal.
    margin: str  #: By how much it was won, as its source says it.
    tried: tuple[Tried, ...]  #: What was tried.
    own: bool = False  #: Whether it is one of the team's own cases, and not a published one.
    likeness_bits: float
    """How alike it is: bits of what both tasks are about, of the goal and of the answers."""
    subjects: tuple[str, ...]  #: What both tasks are about, the subject that says most first.
    same_goal: bool  #: Whether it has a goal of this case.
    shared: dict[str, Known]  #: Answers in common, the one that says most first.
    differs: dict[str, Known]  #: This case's answers where it answers the other way.
    why: str  #: Why it is alike, in words.


class BaseRate(LateRecord):
    """How often tuning measured best among published cases; ties are left out."""

    of: str  #: Which cases.
    n: Natural  #: Cases.
    won: Natural  #: Cases in which tuning, alone or in a hybrid, measured best.
    clusters: Natural  #: Papers or companies they come from.
    rate: Share  #: Share of cases won.
    low: Share  #: Lower end of its 95% interval.
    high: Share  #: Upper end.
    method: Method  #: How the interval was found.


@dataclass(frozen=True, eq=False)
class PrecedentIndex:
    """What a decision reads of the published cases; ``tools/precedents.py`` makes it."""

    cases: tuple[Precedent, ...]
    vocabulary: Mapping[str, Sequence[str]]
    """Words, or beginnings that end with ``*``, to the subjects they tell of; none for words that
    tell of nothing."""
    rates: Mapping[str, BaseRate]  #: By goal, kind and year; the empty key for all cases.
    own: tuple[Precedent, ...] = ()  #: The team's own cases.


class RuleOnCases(LateRecord):
    """How often a rule of the framework was right about published cases; ties are left out.

    The answers are the first blind coder's, an unknown one isn't a yes, and the ceiling is granted.
    """

    rule: RuleId  #: Which rule.
    of: str  #: Which cases: those of the primary goal, or all where there are too few of it.
    n: Natural  #: How many cases.
    right: Natural
    """Cases in which it said tune and tuning won, or said don't and something else won."""
    low: Share  #: Lower end of the 95% interval of the share it was right in.
    high: Share  #: Upper end.


class PrecedentsResult(LateRecord):
    """What happened to others."""

    nearest: tuple[Neighbour, ...] | Unknown
    """Cases most like this one, at most five, the most alike first; none under a likeness."""
    base_rate: BaseRate | Unknown  #: How often tuning won for the primary goal.
    every_rate: BaseRate  #: How often it won in all published cases.
    rates: tuple[BaseRate, ...]
    """How often it won in papers, in reports from practice, and by year."""
    own_rate: BaseRate | Unknown  #: How often it won in the team's own cases (data.history).
    record: tuple[RuleOnCases, ...]
    """How often the framework's rules were right, and always saying "fine-tune" beside them."""


Difference = Annotated[float, Field(ge=-1, le=1)]  #: A difference of two shares.


class RuleGap(LateRecord):
    """One rule as two frameworks have it, case by case."""

    rule: RuleId
    agreed: Natural  #: Cases in which the framework's was right.
    other_agreed: Natural  #: Cases in which the other's was right.
    apart: Natural  #: Cases in which they say different things.
    difference: Difference  #: Share in which the framework's was right less that of the other.
    interval: RateInterval | Unknown  #: 95% interval; unknown for too few clusters.
    excludes_zero: State  #: No means that the difference may be noise.


class Gap(LateRecord):
    """Two frameworks on the same cases."""

    framework: Ident
    other: Ident
    codes: Codes
    n: Natural
    clusters: Natural  #: Papers, companies or projects they come from.
    rules: tuple[RuleGap, ...]
