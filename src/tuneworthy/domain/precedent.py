"""Published cases, and how often a framework's rules would have been right about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from tuneworthy.domain.goals import Goal
from tuneworthy.domain.record import (
    FileRecord,
    Ident,
    Name,
    Natural,
    Record,
    Share,
    State,
    Text,
    Tri,
    TriInput,
    Unknown,
)
from tuneworthy.domain.winner import WINS_OF_TUNING, Winner

Codes = Literal["value", "blind1", "blind2"]
"""Whose answers count: the coder who knew the outcome, or one of the two who did not."""

CODES: tuple[Codes, ...] = get_args(Codes)


BlindAnswers = Annotated[tuple[Tri, ...], Field(max_length=2)]
"""One answer of each blind coder; a third would be nobody's."""


def _to_said(value: Any) -> Any:
    """Figures stay as their source gives them; a quoted null is nothing."""
    if isinstance(value, str) and value.strip().casefold() in {"", "null", "~"}:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


def _to_coded(value: Any) -> Any:
    return value if isinstance(value, Mapping) else {"value": value}


Said = Annotated[
    Text | None, BeforeValidator(_to_said, json_schema_input_type=str | int | float | None)
]
"""A figure in the words of its source: "0.83", "41%", "about 9 million a month"; or None."""


class Arm(FileRecord):
    """One approach that was tried, with what it came to."""

    approach: Said = None
    """What was done."""
    model: Said = None
    """The model it was done with."""
    base_model: Said = None
    """For tuning: the model that was tuned."""
    train_examples: Said = None
    """For tuning: how many examples, as the source says it."""
    metric: Said = None
    """How it was measured."""
    value: Said = None
    """What it came to, as the source says it."""


class Account(FileRecord):
    """Money and time, as the source says it."""

    volume: Said = None
    """Calls in a period."""
    cost_before: Said = None
    """Cost without tuning."""
    cost_after: Said = None
    """Cost afterwards."""
    latency_before: Said = None
    """Waiting time before."""
    latency_after: Said = None
    """Waiting time afterwards."""
    build_cost: Said = None
    """What it took to get there."""


class Coded(FileRecord):
    """What coders answered about one factor."""

    value: Tri = "unknown"
    """The answer of the coder who had read the source and knew the outcome."""
    reason: Text = ""
    """Why."""
    blind: BlindAnswers = ()
    """Answers of the two coders who saw only the situation, in their order."""


class PublishedCase(FileRecord):
    """A task on which several approaches were tried and somebody published what came out."""

    id: Name
    """A short name of its own."""
    title: Name = "untitled"
    """What it is called."""
    year: Annotated[int, Field(ge=1990, le=2100)] | None = None
    """The year of publication."""
    kind: Literal["paper", "industry"] | None = None
    """Research, or a report from practice."""
    cluster: Name | None = None
    """Cases of one paper or company share it; a case without one stands alone."""
    source_url: Text = ""
    """Where it can be read."""
    source_status: Literal["read", "recalled"] | None = None
    """Whether its figures were read in the source or come from memory."""
    domain: Text = ""
    """The field it belongs to."""
    task: Text = ""
    """What had to be done."""
    goal_kind: Goal | None = None
    """What kind of goal that is."""
    baseline: Arm | None = None
    """Where it started."""
    best_prompt: Arm | None = None
    """The best that prompting reached."""
    other_model: Arm | None = None
    """Another model with a prompt."""
    rag: Arm | None = None
    """Retrieval."""
    fine_tuned: Arm | None = None
    """Tuning."""
    winner: Winner
    """What measured best."""
    margin: Text = ""
    """By how much."""
    train_examples: Natural | None = None
    """Examples the tuning had, where the source gives a count."""
    economics: Account | None = None
    """Money and time."""
    notes: Text = ""
    """What to keep in mind."""
    factors: dict[
        Ident, Annotated[Coded, BeforeValidator(_to_coded, json_schema_input_type=Coded | TriInput)]
    ] = {}
    """Reasons for and against, as coded."""
    extra_factors_blind: dict[Ident, BlindAnswers] = {}
    """Factors that only the blind coders answered."""
    ceiling_test: dict[Ident, Tri] = {}
    """Checks of the ceiling that the source shows."""

    @property
    def tuning_won(self) -> bool:
        """Whether tuning, alone or in a hybrid, measured best; a tie is no win."""
        return self.winner in WINS_OF_TUNING

    @property
    def group(self) -> str:
        """The cluster, or the case's own id where it has none."""
        return self.cluster if self.cluster is not None else self.id

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


RuleId = Literal["tree_recorded", "tree_granted", "score", "difference", "always", "never"]
"""What is put to the test; the last two ask nothing."""

RULES: tuple[RuleId, ...] = get_args(RuleId)


class Interval(Record):
    """A 95% interval, in the unit of its measure."""

    low: float
    """Lower end."""
    high: float
    """Upper end."""
    method: Literal["cluster_bootstrap", "wilson_by_cluster"]
    """Whole clusters drawn again, or Wilson with cases of one cluster counted together."""


class Agreement(Record):
    """In how many cases a rule said what came out."""

    n: Natural
    """Cases asked."""
    agreed: Natural
    """Cases in which the rule was right."""
    rate: Share
    """Share in which it was right."""
    interval: Interval
    """95% interval of the share."""


class Confusion(Record):
    """What a rule said against what came out, in cases."""

    tune_won: Natural
    """Said tune; tuning won."""
    tune_lost: Natural
    """Said tune; something else won."""
    keep_won: Natural
    """Said don't tune; tuning won."""
    keep_lost: Natural
    """Said don't tune; something else won."""


class Against(Record):
    """A rule's agreement less that of the better baseline, case by case."""

    baseline: RuleId
    """The baseline: always or never, whichever agrees more often."""
    difference: Annotated[float, Field(ge=-1, le=1)]
    """Share of cases; above zero where the rule agrees more often."""
    interval: Interval | Unknown
    """95% interval of the difference; unknown where there are too few clusters to draw from."""
    excludes_zero: State
    """Whether the interval leaves zero out, which is to say the two are told apart."""


class GoalRecord(Record):
    """A rule's agreement among the cases of one goal."""

    goal: str
    """The goal, or ``unknown`` for cases that name none."""
    won: Natural
    """Cases in which tuning won."""
    agreement: Agreement
    """How often the rule was right."""


class RuleRecord(Record):
    """How one rule did."""

    rule: RuleId
    """The rule."""
    agreement: Agreement
    """How often it was right."""
    confusion: Confusion
    """What it said against what came out."""
    against: Against | None
    """Compared with the better baseline; None for the baselines themselves."""
    by_goal: tuple[GoalRecord, ...]
    """Agreement by goal, the most frequent goal first."""


class Backtest(Record):
    """How often the rules of a framework would have been right about published cases."""

    framework: Ident
    """The framework."""
    codes: Codes
    """Whose answers were used."""
    cases: Natural
    """Cases read."""
    ties: Natural
    """Cases left out because nothing won."""
    n: Natural
    """Cases counted."""
    won: Natural
    """Cases counted in which tuning won."""
    recalled: Natural
    """Cases counted whose figures come from memory."""
    clusters: Natural
    """Papers or companies that the cases counted come from."""
    factors: Natural
    """Factors the framework asks about."""
    uncoded: tuple[str, ...]
    """Those of them that are answered in no case counted, so that they never count as yes."""
    answers: Natural
    """Factor answers wanted: cases counted times factors."""
    unknown_answers: Natural
    """Those of them that are unknown, and so don't count as yes."""
    checks: Natural
    """Checks of the ceiling the framework asks for."""
    unknown_checks: Natural
    """Check answers, of cases times checks, that are unknown."""
    ceilings: Natural
    """Cases counted in which every check is recorded as yes."""
    draws: Natural
    """Times the clusters were drawn again."""
    rules: tuple[RuleRecord, ...]
    """Every rule, in the order of RULES."""

    def rule(self, rule: RuleId) -> RuleRecord:
        """The record of one rule."""
        return self.rules[RULES.index(rule)]
