"""A whole decision framework: its questions, how answers count, and what follows."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from importlib.resources import files
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, FailFast, Field, model_validator

from tuneworthy.model.base import (
    MONTHS_PER_QUARTER,
    FileRecord,
    Ident,
    Name,
    Natural,
    NonNegative,
    Range,
    Share,
    State,
    Text,
    Tri,
    one_or_many,
    short_text,
    wrong,
)

Outcome = Literal[
    "keep_optimizing_prompts",
    "improve_rag_or_switch_model",
    "address_anti_indicators",
    "fine_tune_candidate",
]  #: The outcomes of a tree, the most cautious first.

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

Band = Literal["weak", "moderate", "strong"]
DataUnit = Literal["examples", "preference_pairs", "documents"]
BANDS: tuple[Band, ...] = get_args(Band)


class Bound(FileRecord):
    """One or two ends that a measure has to keep to."""

    at_least: float | None = None  #: Equal or more.
    more_than: float | None = None  #: More, not equal.
    at_most: float | None = None  #: Equal or less.
    less_than: float | None = None  #: Less, not equal.

    @model_validator(mode="after")
    def _some_end(self) -> Bound:
        if self.at_least is self.more_than is self.at_most is self.less_than is None:
            raise wrong(
                "names no bound", "use at_least, more_than, at_most or less_than"
            )
        return self


Conditions = Annotated[tuple["Condition", ...], Field(max_length=50)]


class Condition(FileRecord):
    """A condition of the tree. Several keys in one condition have to hold together."""

    ceiling: Tri | None = None  #: The ceiling is reached (yes) or not (no).
    indicators: Bound | None = None  #: Number of reasons for that hold.
    anti_indicators: Bound | None = None  #: Number of reasons against that hold.
    indicator_weight: Bound | None = None  #: Weight of the reasons for that hold.
    #: Weight of the reasons against that hold.
    anti_indicator_weight: Bound | None = None
    difference: Bound | None = None
    """Weight of the reasons for less weight of the reasons against."""
    score: Bound | None = None  #: The difference divided by the denominator.
    #: Single factors or checks with the answer they must have.
    answers: dict[Ident, Tri] = {}
    all: Conditions = ()  #: Every one of these holds.
    any: Conditions = ()  #: At least one of these holds.
    none: Conditions = ()  #: Not one of these holds.

    @model_validator(mode="after")
    def _something(self) -> Condition:
        """Refuse a condition that asks for nothing, or for unknown."""
        if not self.model_fields_set:
            raise wrong(
                "names no condition",
                "use ceiling, indicators, score, answers, all, any …",
            )
        if self.ceiling == "unknown" or "unknown" in self.answers.values():
            raise wrong(
                "asks for unknown",
                "a condition asks for yes or no; unknown is not an answer",
            )
        return self

    def walk(self) -> Iterator[Condition]:
        """This condition and every condition inside it."""
        yield self
        for part in (*self.all, *self.any, *self.none):
            yield from part.walk()


class TreeRule(FileRecord):
    """One step of the tree: the first whose condition holds gives the outcome."""

    when: Condition | None = None  #: The condition; only the last step has none.
    outcome: Outcome  #: The outcome that follows.


class Bands(FileRecord):
    """Where moderate and strong begin; what is below both is weak."""

    strong: Bound  #: Begins with ``more_than`` or ``at_least``.
    moderate: Bound  #: Begins with ``more_than`` or ``at_least``.

    @model_validator(mode="after")
    def _lower_ends(self) -> Bands:
        """Refuse a band that doesn't say just where it begins."""
        for bound in (self.strong, self.moderate):
            if bound.at_most is not None or bound.less_than is not None:
                raise wrong(
                    "gives an upper end", "say where it begins: more_than or at_least"
                )
            if bound.at_least is not None and bound.more_than is not None:
                raise wrong("gives two lower ends", "keep more_than or at_least")
        return self


class Scoring(FileRecord):
    """How answers become a score and two bands."""

    weights: Literal["shown", "counted"] = "shown"
    """Whether weights are only shown with the factors or count in score and difference."""
    weight_values: dict[Literal["high", "medium", "low"], NonNegative] = {}
    """The number that a weight in words stands for, where weights count."""
    denominator: Literal["count", "weight"] | Annotated[float, Field(gt=0, le=1e9)] = (
        "count"
    )
    """The divisor of the difference: a number, the number of factors, or their total weight."""
    score: Bands  #: Bands of the score.
    difference: Bands  #: Bands of the difference.


class _Ordered(FileRecord):
    low: float
    high: float

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low > self.high:
            raise wrong("is out of order", "write low ≤ high")
        return self


class Span(_Ordered):
    """A range of a table."""

    low: NonNegative  #: The least.
    high: NonNegative  #: The most.

    @property
    def range(self) -> Range:
        """The range in the form of a dossier."""
        return Range(low=self.low, high=self.high)


class CostRow(FileRecord):
    """A row of a cost table."""

    hours: Span | None = None  #: Hours of work.
    usd: Span | None = None  #: USD beside the work.
    every: Literal["month", "quarter"] | None = None  #: How often, for running costs.
    pays_for: Text = ""  #: The work or service that it pays for.


class UpfrontTotal(FileRecord):
    """The total as published."""

    hours: Span  #: Hours of work.
    usd_under: NonNegative  #: USD beside the work stay below this.


class Returns(FileRecord):
    """Stated benefits of tuning."""

    api_savings_usd_per_month: Span  #: USD a month saved on calls at scale.
    #: Returns that are harder to count: how far each can be counted, and what it is.
    also: dict[str, Text] = {}


class Costs(FileRecord):
    """Cost tables: ``upfront`` and ``ongoing`` by category."""

    upfront: dict[
        Literal["data_preparation", "training", "evaluation", "deployment"], CostRow
    ]
    """Up to the first version."""
    upfront_total: UpfrontTotal | None = None  #: The total as published.
    #: Running costs.
    ongoing: dict[Literal["inference", "monitoring", "retraining"], CostRow]
    ongoing_also: Text = ""  #: Costs that the table can't put a number on.
    returns: Returns | None = None  #: The returns that it is said to bring.


class BreakEvenRule(FileRecord):
    """When an investment is justified."""

    under_months: Annotated[float, Field(ge=0, le=1200)]
    """It has to pay back in less than this many months."""
    strategic_value: Literal["low", "medium", "high"] = "high"
    """And be worth at least this much beyond money."""


class WorkedExample(FileRecord):
    """An example that the framework's publication computes; the linter computes it again."""

    indicators: Natural
    anti_indicators: Natural
    score: float
    upfront_hours: NonNegative
    hourly_rate_usd: NonNegative
    api_savings_usd: NonNegative
    quality_value_usd: NonNegative
    ongoing_usd: NonNegative
    break_even_months: NonNegative


def ongoing_usd(
    costs: Costs, hourly_rate_usd: float, end: Literal["low", "high"]
) -> float:
    """The running costs of the table at one end, in USD per month."""
    total = 0.0
    for row in costs.ongoing.values():
        hours = getattr(row.hours, end) if row.hours else 0.0
        usd = getattr(row.usd, end) if row.usd else 0.0
        months = MONTHS_PER_QUARTER if row.every == "quarter" else 1
        total += (hours * hourly_rate_usd + usd) / months
    return total


Rate = Annotated[float, Field(gt=0, le=1e9)]


class StepWork(FileRecord):
    """Time that a step takes."""

    hours: Span  #: Hours of work.
    #: Calendar weeks it takes at least, however much work is put in.
    weeks: NonNegative = 0


class HourlyYield(_Ordered):
    """How much of a kind of data a person gets ready in an hour."""

    low: Rate  #: When each one is written anew.
    high: Rate  #: When drafts are only corrected.


class Steps(FileRecord):
    """Steps that don't depend on what a framework asks."""

    data_review: StepWork  #: Review the data for bias, harm and personal data, and name a process.
    #: Ask a tuning service what it will still offer, and for how long.
    service: StepWork
    other_service: StepWork  #: Find another service, or your own hardware.
    goal: StepWork  #: Name the goals, or count what there is.
    targets: StepWork  #: Measure the present system against every target.
    money: StepWork  #: State or narrow the amounts.
    recall: StepWork  #: Measure how often the right passage is retrieved.
    watch: StepWork  #: Watch, then look again.
    decide: StepWork  #: Put the answers in and decide again.


class PlanRule(FileRecord):
    """Everything a plan takes that isn't in the cost tables."""

    source: Text  #: Who says so.
    dated: date  #: When that was.
    hours_per_week: Rate  #: Hours a week a team gives, where the case doesn't say.
    pilot_share: Share  #: Share of data preparation and training that a pilot takes.
    design_share: Share
    """Share of the evaluation that is done before any training; the rest is two comparisons."""
    evaluation_cases: Natural  #: Cases to hold out.
    #: Data got ready in an hour of work, by unit.
    per_hour: dict[DataUnit, HourlyYield]
    steps: Steps  #: Steps that don't depend on what a framework asks.
    against: Annotated[dict[Ident, StepWork], Field(min_length=1)]
    """Work until a reason against tuning no longer holds."""


def either(works: dict[str, StepWork], name: str) -> StepWork:
    """The row with a name; without one, the range from the least to the most of all rows."""
    if name in works:
        return works[name]
    rows = works.values()
    least = min(row.hours.low for row in rows)
    most = max(row.hours.high for row in rows)
    weeks = max(row.weeks for row in rows)
    return StepWork(hours=Span(low=least, high=most), weeks=weeks)


class Threshold(FileRecord):
    """A number that a challenge or a derivation uses."""

    value: NonNegative  #: The number.
    unit: Name  #: Its unit.
    says: Text  #: The meaning of a value beyond it.
    source: Text  #: Who says so.
    dated: date  #: When that was.


class MeasureRule(FileRecord):
    """How a measurement answers a question: yes on one side of a limit, no on the other."""

    title: Name  #: The name of the measurement.
    about: Ident  #: Signal, factor or check it bears on.
    role: Literal["settles", "supports"] = "settles"
    """Settles what can be observed; supports or challenges a need, which stays as it was said."""
    #: Side of the limit on which the answer is yes.
    yes: Literal["above", "below"] = "above"
    one_sided: bool = False  #: Whether the other side says nothing.
    limit: NonNegative  #: The limit, in the unit of the measurement.
    unit: Name  #: Unit of the measurement.
    says: Text  #: Why there.
    source: Text  #: Who says so.
    dated: date  #: When that was.

    def side(self, low: float | None, high: float | Literal["open"] | None) -> State:
        """The answer on the side of the limit where the whole interval lies; unknown across it."""
        if low is None or high is None:
            return "unknown"
        above = low > self.limit
        below = high != "open" and high < self.limit
        if not above and not below:
            return "unknown"
        means_yes = "above" if above else "below"
        if self.yes == means_yes:
            return "yes"
        # a measurement that may miss some of what it counts can't show that there is little
        return "unknown" if self.one_sided else "no"


#: Minutes it takes to find an answer out.
Minutes = Annotated[int, Field(ge=1, le=100_000)]

OptionKind = Literal["prompt", "retrieval", "model", "serving", "tuning"]
"""The part of a system that an option changes."""

CostTable = Literal["upfront", "ongoing"]
#: How much can go wrong, or be hard to take back.
Risk = Literal["low", "medium", "high"]


class Criterion(FileRecord):
    """Something a person is asked about."""

    title: Name  #: The name of the target in a sentence.
    ask: Text  #: The question; ``{threshold}`` stands for a number of this framework.
    why: Text = ""  #: Why it means what it means.
    example: Text = ""  #: An example of a yes.


class CeilingSignal(Criterion):
    """A sign that prompting has reached its limit."""


class Check(Criterion):
    """One of the checks that must all be yes before the ceiling counts as reached."""

    at_least: Natural | None = None  #: For a check that counts: how many are wanted.
    #: Minutes it takes to find the answer out (not to do what is asked).
    minutes: Minutes = 2
    settle: Text = ""  #: The step that would make it a yes.


class Factor(Criterion):
    """A reason for tuning, or a reason against it."""

    means: Text = ""  #: When the answer is yes.
    weight: Literal["high", "medium", "low"] | NonNegative = 1.0
    """How much it weighs: a word that is shown, or a number that counts."""
    minutes: Minutes = 5  #: Minutes it takes to find the answer out.


class GoalRule(FileRecord):
    """A goal and the approach that serves it."""

    title: Name  #: The name of the goal.
    need: Text = ""  #: The everyday need behind it.
    approach: Ident  #: Id of the approach.
    source: Text = ""  #: Who says so.


class Need(FileRecord):
    """How much data an approach takes."""

    low: Natural  #: The least that makes sense.
    high: Natural | Literal["open"]  #: The most that is usual, or ``open``.
    unit: DataUnit  #: The things that are counted.


#: The requirements that a use case has to meet.
TargetId = Literal["quality", "latency", "cost", "privacy"]


class Move(FileRecord):
    """The factor by which an option multiplies today's latency or bill."""

    low: Annotated[float, Field(ge=0, le=1e6)]
    high: Annotated[float, Field(ge=0, le=1e6)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low > self.high:
            raise wrong("is out of order", "write low ≤ high")
        return self


Moves = dict[Literal["latency", "cost"], Move]


class Triangle(FileRecord):
    """Share of the remaining errors that something removes; negative where it adds some.

    From 0.80 to 0.92 right takes 60% of the errors away.
    """

    low: Annotated[float, Field(ge=-10, le=1)]  #: The least.
    likely: Annotated[float, Field(ge=-10, le=1)]  #: The likeliest.
    high: Annotated[float, Field(ge=-10, le=1)]  #: The most.

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.low <= self.likely <= self.high:
            raise wrong("is out of order", "write low ≤ likely ≤ high")
        return self

    def up_to(self, most: float) -> Triangle:
        """This effect, if at most a part of the errors can be removed."""
        return Triangle.model_construct(
            low=min(self.low, most),
            likely=min(self.likely, most),
            high=min(self.high, most),
        )


class ApproachRule(FileRecord):
    """A kind of tuning."""

    title: Name  #: The name of the approach.
    data: Need  #: Data it takes.
    compute: Name  #: Compute it takes, in words.
    #: The share of the errors that are left that it takes away.
    errors: Triangle | None = None
    errors_where: dict[Ident, Triangle] = {}  #: Its errors in other situations.
    moves: Moves = {}  #: The usual effect on latency and cost.
    weeks: Span | None = None  #: Weeks until it is in production.
    risk: Risk = "medium"  #: How much can go wrong.
    figures_from: Text = ""  #: Who says weeks and risk.
    dated: date | None = None  #: When that was.


class OptionRule(FileRecord):
    """An alternative to tuning, or something to do beside it."""

    title: Name  #: The name of the option.
    helps_when: Text  #: When it works.
    not_when: Text  #: When it doesn't.
    kinds: dict[Ident, Text] = {}  #: Its parts or variants.
    kind: OptionKind = "prompt"  #: The part of a system that it works on.
    variant_of: Ident | None = None  #: Option of which this is one variant.
    #: Hours of work; a tuning has those of the cost table.
    effort_hours: Span | None = None
    weeks: Span | None = None
    """Weeks until it is in production; for the hybrid those beside the tuning."""
    risk: Risk = "medium"  #: How much can go wrong.
    errors: Triangle | None = None
    """The share of the errors that are left that it takes away; None where it mends no answer."""
    errors_where: dict[Ident, Triangle] = {}  #: Its errors in other situations.
    moves: Moves = {}
    """Factors on latency and cost; a target that isn't named it leaves alone."""
    moves_where: dict[Ident, Moves] = {}  #: Its moves in other situations.
    source: Text = ""  #: Who says when it works and when it doesn't.
    figures_from: Text = ""  #: Who says effort, weeks and risk.
    dated: date | None = None  #: When that was.


CauseId = Literal[
    "passage_not_found",
    "passage_misread",
    "fact_not_given",
    "reasoning",
    "format",
    "house_convention",
    "style",
    "wrong_tool",
    "instruction_ignored",
    "cut_off",
    "wrong_reference",
    "ambiguous_question",
]
"""Why an answer is wrong: a closed list. Of the last two it isn't the answer that is at fault."""

CAUSES: tuple[CauseId, ...] = get_args(CauseId)


class FailureCause(FileRecord):
    """Why an answer may be wrong, and what can remove such a failure."""

    title: Name  #: The name of the kind of failure.
    means: Text  #: When a failure has this cause, in one sentence.
    helped_by: tuple[Ident, ...] = ()
    """Options and kinds of tuning that can remove such a failure; all others remove none. One that
    this framework hasn't is left out: who extends another may have fewer options."""
    source: Text  #: Who says so.
    dated: date  #: When that was.


JudgementRule = Literal[
    "proven",
    "met",
    "refused",
    "undecided",
    "moving",
    "simpler",
    "worth_a_pilot",
    "short_of_data",
    "nothing_left",
]  #: Rules of the answer, in the order in which they are asked.


class AnswerRule(FileRecord):
    """A rule that answers whether to tune; the first that holds counts."""

    says: Text  #: When it holds, and what follows, in one sentence.
    source: Text = ""  #: Who says so.
    dated: date | None = None  #: When that was.


class ModelStrengths(FileRecord):
    """Stated strengths of models."""

    dated: date  #: When it was said.
    says: Text  #: How to read it.
    strengths: dict[str, Text]  #: Model to strength.
    suits: dict[str, tuple[Ident, ...]] = {}
    """Model to the goals, signals and factors its strength speaks to."""
    ids: dict[str, Name] = {}  #: Model to its id, by which its end is looked up.
    measure: Text = ""  #: How to measure instead of believing it.


class SafetyQuestions(FileRecord):
    """Questions that are asked before a model is trained on data."""

    data_reviewed: Text  #: Asks about the data.
    process_named: Text  #: Asks about the process.


class Framework(FileRecord):
    """A decision framework."""

    name: Ident  #: How it is called on the command line and in a dossier.
    title: Name = "A decision framework"  #: The name of the framework, for people.
    source: Text = ""  #: Where it comes from.
    dated: date | None = None  #: When it was written.
    extends: Ident | None = None
    """A framework of the catalogue whose sections stand where this file has none."""
    signals: dict[Ident, CeilingSignal] = {}  #: Signs of a ceiling.
    ceiling: dict[Ident, Check] = {}  #: The checks of the ceiling test.
    indicators: dict[Ident, Factor]  #: Reasons for tuning.
    anti_indicators: dict[Ident, Factor]  #: Reasons against tuning.
    scoring: Scoring  #: Score, difference and their bands.
    tree: Annotated[tuple[TreeRule, ...], Field(min_length=1, max_length=100)]
    """Steps in order; the first that holds counts."""
    thresholds: dict[Ident, Threshold] = {}  #: Numbers that challenges use.
    measures: dict[Ident, MeasureRule] = {}
    """How measurements answer questions. An answer is settled only if the whole interval is on one
    side."""
    goals: dict[Ident, GoalRule] = {}  #: Goal to approach.
    approaches: dict[Ident, ApproachRule] = {}  #: Kinds of tuning.
    options: dict[Ident, OptionRule] = {}  #: The options besides fine-tuning.
    causes: dict[CauseId, FailureCause] = {}
    """Why answers are wrong, in the order of asking: all twelve, or none, and then failures aren't
    analyzed."""
    judgement: dict[JudgementRule, AnswerRule] = {}
    """Rules of the answer; one that is left out is off."""
    models: ModelStrengths | None = None  #: The strengths that models are said to have.
    costs: Costs | None = None  #: Cost tables.
    break_even: BreakEvenRule | None = None  #: When it pays.
    plan: PlanRule | None = None  #: The hours and money of a plan's steps.
    safety: SafetyQuestions | None = None  #: The questions about safety.
    worked_example: WorkedExample | None = None  #: An example to be computed again.

    @model_validator(mode="after")
    def _fits_together(self) -> Framework:
        """Refuse a framework whose parts name something that it doesn't have."""
        ids = Counter([*self.ceiling, *self.indicators, *self.anti_indicators])
        for name, times in ids.items():
            if times > 1:
                what = f'uses the id "{name}" twice'
                raise wrong(what, "give each check and factor its own id")
        _check_references(self)
        _check_tree(self)
        _check_weights(self)
        return self

    @property
    def factors(self) -> dict[str, Factor]:
        """Reasons for, then reasons against, by id."""
        return {**self.indicators, **self.anti_indicators}

    def filled(self, text: str, of: Criterion | None = None) -> str:
        """A text of this framework, with values for ``{threshold}`` and a check's ``{at_least}``.

        ``of`` is the check or factor that the text belongs to.
        """
        if "{" not in text:
            return text
        numbers = {name: entry.value for name, entry in self.thresholds.items()}
        if isinstance(of, Check) and of.at_least is not None:
            numbers["at_least"] = of.at_least
        for name, number in numbers.items():
            text = text.replace("{" + name + "}", f"{number:,g}")
        return text

    @property
    def asked(self) -> dict[str, Check | Factor]:
        """Checks of the ceiling, then reasons for and against, by id."""
        return {**self.ceiling, **self.factors}

    def question(self, name: str) -> str:
        """The question about a check or a factor, with its numbers filled in."""
        return self.filled(self.asked[name].ask, self.asked[name])

    def threshold(self, name: str) -> float | None:
        """A threshold's number, or None where this framework has none."""
        threshold = self.thresholds.get(name)
        return threshold.value if threshold else None


def _check_references(framework: Framework) -> None:
    """Refuse goals, options, causes and measures that name something unknown."""
    for name, goal in framework.goals.items():
        if goal.approach not in framework.approaches:
            what = f'leads goal "{name}" to "{goal.approach}", which is not an approach'
            raise wrong(what, "name one of its approaches")
    for name, option in framework.options.items():
        if option.variant_of is not None and option.variant_of not in framework.options:
            what = f'makes "{name}" a variant of "{option.variant_of}", which is not an option'
            raise wrong(what, "name one of its options")
    lacking = [cause for cause in CAUSES if cause not in framework.causes]
    if framework.causes and lacking:
        what = f'lacks the cause "{lacking[0]}"'
        raise wrong(what, "the list is closed: give all twelve, or leave causes out")
    for name, measure in framework.measures.items():
        if (
            measure.about not in framework.asked
            and measure.about not in framework.signals
        ):
            what = f'measures "{name}" for "{measure.about}", which it doesn\'t ask'
            raise wrong(what, "name a signal, check or factor")


def _check_weights(framework: Framework) -> None:
    """Refuse a weight in words without a number, where weights count."""
    if framework.scoring.weights != "counted":
        return
    for factor in framework.factors.values():
        word = factor.weight
        if isinstance(word, str) and word not in framework.scoring.weight_values:
            raise wrong(
                f'counts weights in words, and "{word}" has no number',
                "add scoring.weight_values, or write weights as numbers",
            )


def _check_tree(framework: Framework) -> None:
    """Check that only the last step has no condition, and that conditions ask for existing answers."""
    for number, step in enumerate(framework.tree, start=1):
        last = number == len(framework.tree)
        if (step.when is None) != last:
            raise wrong(
                f"has a tree whose step {number} {'has' if last else 'lacks'} a condition",
                "every step but the last has a when, the last has none",
            )
        if step.when is None:
            continue
        for part in step.when.walk():
            for name in part.answers:
                if name not in framework.asked:
                    what = f'has a tree that asks for "{name}"'
                    raise wrong(what, "name a factor or a check")


Goal = Literal[
    "knowledge",
    "persona",
    "format",
    "tool_calling",
    "safety",
    "domain_expertise",
    "classification",
    "extraction",
    "generation",
]  #: The lesson's six goals, and three plain tasks.

GOALS: tuple[Goal, ...] = get_args(Goal)

_WORDS = tomllib.loads(
    files("tuneworthy.model").joinpath("words.toml").read_text("utf-8")
)
SPOKEN: Mapping[Goal, list[str]] = _WORDS["spoken"]
"""Phrases that people write for each goal, in small letters: its title, and the need behind it."""
NO_LONGER_ASKED: frozenset[str] = frozenset(_WORDS["no_longer_asked"])
"""Factors that a case file may still answer; nothing reads them."""

_HARM = re.compile(r"avoid harmful (?:answers|responses|outputs)(?: about .+)?")
_OTHER_SPELLING = {"know specialised vocabulary": "know specialized vocabulary"}


def to_goal(value: Any) -> Any:
    """The id of the goal that a person means, in any case; other types of values stay as they are.

    Another text raises an error of the validator, with the goal that was likely meant.
    """
    if not isinstance(value, str):
        return value  # pydantic refuses it, with its type
    words = re.sub(r"[\s_-]+", " ", value.casefold()).strip(" .\"'")
    words = _OTHER_SPELLING.get(words, words)
    for goal in GOALS:
        if words == goal.replace("_", " ") or words in SPOKEN[goal]:
            return goal
    if _HARM.fullmatch(words):
        return "safety"
    raise wrong(f'is "{short_text(value)}", which is not a goal', _meant(words))


def _meant(words: str) -> str:
    """A fix that names the likeliest goal, or all of them."""
    from difflib import get_close_matches  # needed only for an error

    goals: dict[str, str] = {}  # by each of their spoken forms
    for goal in GOALS:
        for spoken in (goal.replace("_", " "), *SPOKEN[goal]):
            goals[spoken] = goal
    for spoken in get_close_matches(words, list(goals), n=1, cutoff=0.6):
        return f'Did you mean "{goals[spoken]}"?'
    return f"use one of {', '.join(GOALS)}, or the need as the lesson words it"


def _pattern() -> str:
    """A pattern of every spoken form in any case, for editors."""
    phrases = set[str]()
    for forms in SPOKEN.values():
        phrases.update(forms)
    patterns = []
    for phrase in sorted(phrases):  # sorted, so that the schema is always the same
        letters = [f"[{c.upper()}{c}]" if c.isalpha() else c for c in phrase]
        patterns.append("".join(letters))
    return f"^(?:{'|'.join(patterns)})[.]?$"


_SPOKEN = Annotated[
    str,
    Field(
        pattern=_pattern(), description="Its title, or the need behind it, in any case."
    ),
]

_SpokenGoal = Annotated[
    Goal, BeforeValidator(to_goal, json_schema_input_type=Goal | _SPOKEN)
]

Goals = Annotated[
    tuple[_SpokenGoal, ...],
    FailFast(),  # suggestions for a hundred thousand wrong keys would take long
    BeforeValidator(
        one_or_many, json_schema_input_type=Goal | _SPOKEN | tuple[Goal | _SPOKEN, ...]
    ),
]  #: Goals as people write them, the primary one first.
