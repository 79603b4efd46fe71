"""The answer to a case as one object: what ``--format json`` prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, NamedTuple, get_args

from pydantic import Field

from tuneworthy.model.base import (
    LazyRecord,
    Number,
    Range,
    Record,
    State,
    Strings,
    Unknown,
    json_text,
)
from tuneworthy.model.case import Amount, CaseDecision, DefaultValue, Prices
from tuneworthy.model.evidence import Evidence, Extent, PilotCard, Series, TargetState
from tuneworthy.model.framework import Band, CauseId, JudgementRule, Outcome, TargetId
from tuneworthy.model.ways import CeilingGrade, WayResult

Source = Literal["stated", "measured", "assumed"]
"""Said by a person; counted from data; or inferred, which includes nothing said at all."""

Severity = Literal["contradiction", "doubt", "pushback"]
"""Statements exclude each other; one lacks what would carry it; an expectation is unrealistic."""


class Replaced(NamedTuple):
    """A number of the case file that gave way to a measured one."""

    path: str  #: Dotted path in the case file.
    #: The stated number as low and high; None where none was stated.
    stated: tuple[float, float] | None
    evidence: Evidence  #: The measurement.


@dataclass(frozen=True, slots=True)
class CaseFindings:
    #: Prompt files in the case's folder; None when it names none.
    prompts: int | None = None
    #: How many of them are no near copies of another.
    distinct_prompts: int | None = None
    #: Files and folders that aren't there, by the dotted paths of the entries that name them.
    missing: Mapping[str, str] = field(default_factory=dict)
    prices: Prices = field(default_factory=dict)  #: Those looked up for its models.
    #: The measurements, by id.
    ledger: Mapping[str, Evidence] = field(default_factory=dict)
    #: Numbers of the case file that gave way to measured ones.
    replaced: tuple[Replaced, ...] = ()
    as_of: date | None = None  #: The day the dossier speaks for.
    #: Every way to serve the traffic, with its price.
    servings: tuple[ServingResult, ...] = ()
    #: Hosted models that nobody listed, with their price.
    rivals: tuple[ServingResult, ...] = ()
    #: The upfront cost of tuning; None where nobody knows it.
    upfront_usd: Number | None = None
    bill: Amount | None = None  #: USD a month the present system costs.
    break_even_months: Duration | None = None  #: When it would have paid.
    #: Paths of answers by an assistant that nobody confirmed.
    unconfirmed: tuple[str, ...] = ()


class Assessment(NamedTuple):
    """Every answer of a case, weighed."""

    ceiling: CeilingTest
    signals: dict[str, SignalResult]
    factors: dict[str, FactorResult]

    @property
    def states(self) -> dict[str, State]:
        """State of every check and factor, in the framework's order."""
        checks = {name: check.state for name, check in self.ceiling.checks.items()}
        return checks | {name: factor.state for name, factor in self.factors.items()}

    def _answer(self, name: str) -> CheckResult | FactorResult | SignalResult | None:
        return (
            self.ceiling.checks.get(name)
            or self.factors.get(name)
            or self.signals.get(name)
        )

    def state(self, name: str) -> State:
        """State of a check, factor or signal; unknown for one the framework doesn't have."""
        answer = self._answer(name)
        return answer.state if answer else "unknown"

    def source(self, name: str) -> Source:
        """The source of an answer; assumed for one the framework doesn't have."""
        answer = self._answer(name)
        return answer.source if answer else "assumed"

    @property
    def counts(self) -> Counts:
        """How many factors are known to hold, and how many are open."""
        factors = self.factors.values()
        held = [factor.kind for factor in factors if factor.state == "yes"]
        still_open = [factor for factor in factors if factor.state == "unknown"]
        return Counts(
            indicators=held.count("indicator"),
            anti_indicators=held.count("anti_indicator"),
            unknown=len(still_open),
        )


Verdict = Literal[Outcome, "undecided"]
How = Literal["as_is", "cached", "batched", "cached_batched", "self_hosted"]
TuningAnswer = Literal["no", "not_yet", "pilot", "yes", "open"]
"""Whether to fine-tune; ``open`` where answers that decide are missing."""

GateId = Literal["feasibility", "investment", "safety"]


class Decision(NamedTuple):
    """The framework's rules applied to an assessment."""

    outcome: Verdict
    leaning: Outcome  #: The outcome when final; else the likeliest, the more cautious of equals.
    reach: tuple[Outcome, ...]
    rules: RuleResults
    strength: BandRange
    distribution: dict[Outcome, float]
    bounds: dict[Outcome, Range]

    @property
    def final(self) -> bool:
        """Whether no open answer can change the outcome."""
        return self.outcome != "undecided"


class NamedDigest(Record):
    """Something with a digest (SHA-256 of its validated canonical JSON)."""

    name: str
    digest: str


class CheckResult(Record):
    """A check of the ceiling test."""

    title: str
    state: State
    value: int | State  #: The count where one was given, else the state.
    source: Source
    note: str = ""
    ask: str = ""  #: The question, as the framework asks it.


class CeilingTest(Record):
    """The ceiling test."""

    reached: State
    #: Empty where nobody claims or tried a ceiling.
    grade: CeilingGrade | Literal[""] = ""
    checks: dict[str, CheckResult]


class SignalResult(Record):
    """A sign that prompting has reached its limit."""

    title: str
    state: State
    source: Source
    note: str
    ask: str = ""  #: The question, as the framework asks it.
    #: The measurement that would confirm a sign which is only stated; else empty.
    confirm: str = ""


class FactorResult(Record):
    """A reason for or against."""

    title: str
    kind: Literal["indicator", "anti_indicator"]
    state: State
    source: Source
    weight: float | str
    note: str
    ask: str = ""  #: The question, as the framework asks it.


class EvidenceResult(Record):
    """A measurement with what it says about an answer."""

    id: str  #: The id of the measurement.
    title: str  #: The name of the measurement, for people.
    factor: str  #: The signal, factor, check or path of the case that it bears on; may be empty.
    value: float | Unknown  #: The best single number, in ``unit``.
    low: float | Unknown  #: Lower end of the 95% interval.
    #: Upper end; ``open`` where only a lower one is known.
    high: float | Literal["open"] | Unknown
    unit: str  #: Unit of value, low and high.
    n: int  #: Traces or cases it was counted on.
    clusters: int  #: Conversations those come from.
    #: Side of the limit on which the whole interval lies; unknown across it.
    says: State
    role: Literal["settles", "supports"]
    """Whether it settles the answer, or only speaks for or against a need."""
    limit: float | Unknown  #: The framework's limit.
    method: str  #: How value and interval were made.
    source: str  #: The files that it was measured on.
    observed_on: date | Unknown  #: Last day of the data.
    since: date | Unknown  #: First day of the data.
    sample: Extent  #: Whether every trace was looked at.
    details: dict[str, float | int | str | bool]  #: Further numbers.
    examples: tuple[str, ...]  #: A few masked samples.
    ignored: str = ""  #: Why a person overrules it; empty where it counts.


class Counts(Record):
    """How many factors are known to hold, and how many are open."""

    indicators: int
    anti_indicators: int
    unknown: int  #: Open factors; open checks are not counted here.


class BandRange(Record):
    """Bands from one to another."""

    low: Band
    high: Band


class TreeStep(Record):
    """A step of the tree."""

    ask: str
    answer: State
    value: dict[str, float | Range]
    outcome: Outcome  #: The outcome when the answer is yes.


class TreeResult(Record):
    """The tree."""

    outcome: Verdict
    path: tuple[TreeStep, ...]


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
    result: str = ""  #: The result of the attempt.


class GateResult(Record):
    """A gate and its reason."""

    id: GateId
    state: State
    why: str


class CaveatResult(Record):
    """Something to keep in mind."""

    id: str
    says: str


class Basis(LazyRecord):
    """Answers and measurements that the verdict rests on, by their kind."""

    #: Answers that data settled, and ways that were measured on this case.
    measured: int
    stated: int  #: Answers that a person gave.
    assumed: int  #: Answers inferred from stated numbers.
    #: Answers that, changed alone, would change the answer or the first step.
    flips: int
    turning: tuple[str, ...]  #: Those that alone would change the answer.


class Turn(Record):
    """One change after which the answer is another."""

    path: str  #: Of the case file; ``ways`` or ``ways.ID`` for what is found of a way.
    what: str  #: The answer or figure that changes, in words.
    to: str  #: The value it changes to.
    answer: TuningAnswer  #: The answer then.
    first_step: str  #: The kind of its first step.


class Reach(Record):
    """Verdicts and first steps that open answers could still lead to, today's first."""

    answers: tuple[TuningAnswer, ...]
    first_steps: tuple[str, ...]
    exact: bool = False  #: Whether every way to answer what is open was judged.


class VerdictResult(LazyRecord):
    """The verdict."""

    answer: TuningAnswer  #: Whether to fine-tune, from everything together.
    headline: str  #: The answer in a word, and the finding that decides, in one clause.
    now: str  #: The step to take now, in one line.
    rule: JudgementRule | Literal["no_target"]
    """The rule of the framework that answers; ``no_target`` for the count's default."""
    because: str  #: The finding that decides.
    #: Conditions that a tuned model has to meet before it goes live and that are still open.
    conditions: Strings
    outcome: Verdict  #: The framework's count, to the letter; it moves nothing where targets are.
    basis: Basis
    #: Single changes of an answer, a figure or a way that turn the answer.
    turns: tuple[Turn, ...]
    final: bool  #: Whether no open answer can change the count.
    leaning: Outcome
    """The count's outcome when final; else the likeliest, the more cautious of equals."""
    summary: str  #: The count in words.
    gates: tuple[GateResult, ...]  #: A service, safety, and money that comes back.
    caveats: tuple[CaveatResult, ...]


class AskPart(Record):
    """A part of what is asked for now."""

    what: str
    hours: Range
    usd: Range


class AskNow(Record):
    """Everything that is spent up to the next decision, its conditions included."""

    low: float  #: USD at least.
    high: float | Literal["open"]  #: USD at most; ``open`` where hours have no price.
    hours: Range
    #: The parts that the ask is made of, in the order of the steps.
    parts: tuple[AskPart, ...]
    until: str  #: The decision that it leads to.


class AnswerFlip(Record):
    """An answer to change."""

    factor: str
    to: Literal["yes", "no"]


class FlipResult(Record):
    """A smallest set of changes and the verdict it gives."""

    changes: tuple[AnswerFlip, ...]
    outcome: Verdict


class QuestionResult(Record):
    """An open answer: what it is worth and what it takes."""

    factor: str
    ask: str
    gain_bits: float
    minutes: int
    worth_usd: float | Unknown = Unknown(
        ask="state what tuning saves or is worth per month"
    )
    """Expected gain from knowing the answer before the choice to tune."""


class ChallengeResult(Record):
    """A challenge: statements that don't fit together, or a statement without its evidence."""

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


#: Months; ``never`` for what doesn't come.
Duration = float | Range | Literal["never"] | Unknown

Choice = Literal["fine_tune", "simpler_path", "both", "undecided"]
Aim = Literal["tune", "adopt", "confirm", "change"]
"""Tune; put another way to use; keep what runs and look again; or go to the next decision."""

Part = Literal["steps", "first_version", "running", "later_goals"]
"""Part of a plan: what comes before or instead, up to the launch, after it, and further goals."""


class TargetResult(Record):
    """A target against what there is today."""

    state: TargetState
    limit: Number  #: Least quality, most seconds or USD a month; for privacy 1: no data leaves.
    today: Number
    source: Source


class Step(Record):
    """Something to do, in its order."""

    option: str  #: Its kind: an option's id, or keep_prompt, measure, label, settle, target, …
    way: str  #: Id of the way that it is about; empty for none.
    title: str
    because: str
    targets: tuple[TargetId, ...]  #: Missed targets it moves.
    #: The command of this program that does it or prepares it; empty for none.
    command: str
    stop_when: str
    hours: Number
    usd: Number


class Recommendation(Record):
    """The next steps, the same on every surface."""

    choice: Choice
    options: tuple[str, ...]  #: Options among the steps, in order.
    steps: tuple[Step, ...]  #: The first is the next thing to do.
    says: str


class BreakEven(Record):
    """Months until it has paid itself back."""

    point: Duration
    p10: Duration
    p50: Duration
    p90: Duration


class ByTable(Record):
    """Break-even with the running costs of the framework's own table."""

    ongoing_usd: Number
    break_even_months: Duration


class ServingResult(Record):
    """One way to serve the traffic, with its price."""

    model: str
    how: How
    tuned: bool
    usd_per_month: Number
    admissible: State
    why: str  #: Why it is admissible or not: targets, sovereignty, a price that isn't known.


class Computed(Record):
    """Saving of tuning, computed from traffic and prices, beside the stated one."""

    servings: tuple[ServingResult, ...]
    """Every way, the cheapest first; those without a price last, with what would give them one."""
    rivals: tuple[ServingResult, ...] = ()
    """Hosted models that the case doesn't list and nobody ran on its cases, the cheapest first."""
    best_untuned: str
    """The cheapest admissible untuned serving; one that may turn out admissible where there is none
    yet; or ``none``."""
    savings_usd_per_month: Number
    """Cost of that one less the tuned one, on the same traffic; may be negative."""
    pays_from_requests_per_month: Number | Literal["never"]
    """The monthly volume from which the running costs are earned back."""
    #: The month in which the stated growth gets there; 0 for today.
    pays_from_month: Duration
    steps: tuple[str, ...]  #: The calculation, line by line, so that it can be checked.


class Percentiles(Record):
    """10th, 50th and 90th percentile."""

    p10: float
    p50: float
    p90: float


class Month(Percentiles):
    """Cumulated money at the end of a month, in USD."""

    month: int
    if_works: float
    """The median of the draws in which tuning works; of all draws where it works in none."""


class Swing(Record):
    """The net present value with one input at its low and at its high end, all others unchanged."""

    input: str
    low_usd: float
    high_usd: float


ScenarioName = Literal["pessimistic", "likely", "optimistic"]


class CostItem(Record):
    """A line of what tuning costs."""

    when: Literal["up front", "each month", "for the job", "each change"]
    what: str
    usd: Number
    source: str  #: Where it is known from, or what would tell.
    in_sum: bool = True  #: False for a part of another line, and for what comes on top.


class Scenario(Record):
    """Every amount at its worse end, its likeliest, or its better end, for a tuning that works."""

    name: ScenarioName
    upfront_usd: float
    first_month_usd: float  #: The savings of the first month, less its running costs.
    break_even_months: float | Literal["never"]
    npv_usd: float


class InformationValue(Record):
    """Gain from finding something out before anything is decided."""

    kind: Literal["pilot", "cases", "amount"]  #: A pilot, more cases, or an amount.
    what: str
    usd: float  #: Expected gain over deciding now; for what costs something, less its cost.


class Simulation(LazyRecord):
    """The investment drawn many times."""

    draws: int  #: 1 where nothing varies: every draw would be the same.
    horizon_months: int
    p_works: float = 1.0  #: Share of draws in which tuning works.
    #: Net present value at the likeliest amounts, failure at its odds.
    likely_usd: float
    p_never: float
    """Share of draws that don't pay back within the horizon, those that fail among them."""
    npv_usd: Percentiles
    curve: tuple[Month, ...]
    #: Ranges, and single numbers by a quarter; the widest first.
    tornado: tuple[Swing, ...]
    cost_of_waiting_usd: Number
    """Net present value lost for each month the start is put off; negative when waiting pays."""
    assumes: tuple[str, ...]  #: The assumptions made where nobody stated a value.


StepId = Literal["upfront", "benefits", "running", "net"]
"""A step of the calculation from the amounts to the break-even."""


class AskUsd(Record):
    """Amounts that are asked for, in their order; the first two are the upfront cost."""

    pilot: Number  #: Now, until it is known whether tuning works.
    build: Number  #: Then, up to the first version.
    run_month: Number  #: Each month from then on.


class InvestmentResult(LazyRecord):
    """The money."""

    #: The monthly cost of the present system; no tuning can save more.
    bill_usd: Number
    #: A month: the stated saving as far as the bill allows it.
    possible_saving_usd: Number
    #: The monthly gain that pays for running it and pays back in time.
    must_bring_usd: Number
    ask_usd: AskUsd  #: The money asked for: now, then, and each month.
    #: The parts of the costs, and the parts that aren't known.
    items: tuple[CostItem, ...] = ()
    case_usd: Number  #: The cost of labelling one more case of the evaluation set.
    #: Mean net present value of a pilot and, if it works, of the rest.
    gain_usd: Number
    scenarios: tuple[Scenario, ...] = ()
    #: The worth of each measurement, the most first.
    worth: tuple[InformationValue, ...] = ()
    #: Whether a stated amount stands in an open contradiction.
    contradicted: bool = False
    capped: bool = False  #: Whether a stated saving is above the bill.
    #: A job that runs once: a month's amounts are those of the whole job.
    one_off: bool = False
    upfront_usd: Number
    brings_usd: Number  #: A month, by the statements, before running costs.
    gained_usd: Number  #: The part that better answers are worth; the rest is saved.
    #: Of traffic, on which the bill hangs: a share.
    growth_per_month: Number
    monthly_net_usd: Number  #: A month, after running costs.
    break_even_months: BreakEven
    limit_months: Number  #: Months within which it has to be back, by the framework.
    p_within_6_months: Number
    justified: State
    why: str
    but: str  #: The sentence of it that objects to a payback in time; empty for none.
    assumed: tuple[str, ...]  #: Costs nobody stated, taken from the framework's table.
    by_table: ByTable
    #: A line for each ``StepId``, up to the break-even; or none.
    steps: tuple[str, ...]
    computed: Computed | Unknown
    simulation: Simulation | Unknown

    @property
    def a_month(self) -> str:
        """The words behind a monthly amount; empty for a job, which is paid once."""
        return "" if self.one_off else " per month"

    def step(self, name: StepId) -> str:
        """A line of the calculation; empty where nothing was calculated."""
        names: tuple[str, ...] = get_args(StepId)
        return self.steps[names.index(name)] if self.steps else ""


class Phase(Record):
    """A phase of the plan."""

    id: str
    title: str
    part: Part  #: The part of the plan it belongs to.
    hours: Range
    usd: Range  #: ``open`` at its upper end where hours have no price.
    needs: tuple[str, ...]  #: Ids of phases that have to be done before.
    start: date
    end: date  #: The last day, included.
    steps: tuple[str, ...]  #: The tasks in it.
    done_when: str


class PartTotal(Record):
    """A part of the plan in sum."""

    hours: Range
    usd: Range
    end: date  #: The last day of its last phase.


class Plan(Record):
    """From here to a tuned model in production; for other verdicts, to a verdict that stands."""

    aim: Aim
    start: date  #: The first working day.
    phases: tuple[Phase, ...]
    hours: Range
    usd: Range
    weeks: float  #: Weeks of five working days until everything is done.
    #: Sums of the parts that have a phase, in their order.
    parts: dict[Part, PartTotal]
    notes: tuple[str, ...]  #: The assumptions it rests on, and the results to expect.


SCHEMA = "tuneworthy/dossier/1"  #: Names may be added under this number; none moves.


class TrainingResult(Record):
    """The training set beside a case, as ``tuneworthy data`` last wrote it."""

    digest: str  #: SHA-256 over its examples and their parts.
    train: int  #: Examples to train on.
    validation: int  #: Examples held back to validate on.
    accepted: int  #: Candidates that a person accepted.
    edited: int  #: Candidates that a person gave a better answer.
    stated: int  #: Examples of training files that nobody reviewed one by one.
    rejected: int  #: Candidates that a person rejected.
    unreviewed: int  #: Candidates of logs that nobody reviewed; none of them is in it.


class FailureResult(Record):
    """A cause of failures: how many have it, and what can help."""

    cause: CauseId  #: Its id in the framework.
    title: str
    n: int  #: Failures with it; 0 where it is only said that it leads.
    share: float | Unknown  #: Of all failures whose cause is known.
    low: float  #: Lower end of the 95% interval of the share.
    high: float  #: Upper end.
    #: Read failure by failure, or said by a person.
    grade: Literal["measured", "stated"]
    helped_by: Strings  #: Options and kinds of tuning that can remove such a failure.
    quality_at_most: Number
    """Quality if every failure with it went, at the upper end of its share; unknown where nothing
    that is tried on the system helps."""
    says: str  #: The options that help, or its meaning for the measured quality.


class Dossier(LazyRecord):
    """Everything Tuneworthy has to say about a case.

    Frozen; what a list of cases doesn't show, as what open answers would make of it, is worked out
    when first read. ``to_dict`` gives the published names in their order, ``to_json`` the same as
    bytes that are equal for equal inputs.
    """

    schema_: str = Field(default=SCHEMA, alias="schema")
    case: NamedDigest
    framework: NamedDigest
    as_of: date
    seed: int
    ceiling: CeilingTest
    signals: dict[str, SignalResult]
    factors: dict[str, FactorResult]
    counts: Counts
    rules: RuleResults
    strength: BandRange
    stages: tuple[Stage, ...]
    verdict: VerdictResult
    targets: dict[TargetId, TargetResult]
    reach: Reach
    distribution: dict[Outcome, float]
    bounds: dict[Outcome, Range]
    flips: tuple[FlipResult, ...]
    flips_searched_to: int  #: Sets of up to this many answers were all tried.
    next_questions: tuple[QuestionResult, ...]
    challenges: tuple[ChallengeResult, ...]
    approaches: tuple[ApproachResult, ...] | Unknown
    #: Everything that could run, those that are enough first.
    ways: tuple[WayResult, ...]
    recommendation: Recommendation | Unknown
    ask: AskNow | Unknown  #: The money that is asked for now.
    investment: InvestmentResult | Unknown
    plan: Plan | Unknown
    evidence: tuple[EvidenceResult, ...] | Unknown
    series: tuple[Series, ...] | Unknown
    """Numbers of the pictures of what was measured; unknown where nothing was."""
    #: Only where a training set passed the gates.
    training: TrainingResult | None = None
    one_off: Literal[True] | None = None  #: Only for a job that runs once.
    decision: CaseDecision | None = None  #: Only where the case names one.
    #: The card of the last pilot; only where one has ended.
    pilot: PilotCard | None = None
    failures: tuple[FailureResult, ...] = ()
    """Why answers are wrong, the commonest cause first; only where that is known."""
    defaults: tuple[DefaultValue, ...] = ()
    """Values that a configuration states and the case doesn't; empty without such values."""

    def to_dict(self) -> dict[str, Any]:
        """The object as plain JSON values, without the sections that a case doesn't have."""
        data = self.model_dump(mode="json", by_alias=True)
        for name in ("training", "one_off", "decision", "pilot"):
            if data[name] is None:
                del data[name]
        for name in ("failures", "defaults"):
            if not data[name]:
                del data[name]
        for way in data["ways"]:
            if way["ends"] is None:
                del way["ends"]
        return data

    def to_json(self) -> str:
        """The object as text, two spaces deep, with a line feed at its end."""
        return json_text(self.to_dict())


Grade = Literal["warning", "note"]
"""Something to fix, or to know before relying on it; or a figure computed again that fits."""


class LintCell(Record):
    """Combinations with the same numbers of reasons for and against."""

    indicators: int
    anti_indicators: int
    combinations: int
    #: That of the score, for another denominator by its own.
    score: Band | Literal["mixed"]
    #: For another denominator that of the score by it.
    difference: Band | Literal["mixed"]


class LintFinding(Record):
    """One finding with its numbers; the report makes the words."""

    id: str
    grade: Grade
    numbers: dict[str, Any]
    count: int = 0  #: Combinations it concerns.
    of: int = 0  #: Combinations that were gone through for it.
    cells: tuple[LintCell, ...] = ()  #: Those combinations by how many reasons hold.
    combinations: tuple[tuple[str, ...], ...] = ()
    """For each combination the factors that are yes: of the first 4,096 there are."""


class Lint(Record):
    """Everything the linter found."""

    framework: NamedDigest
    combinations: int  #: Combinations of answers to the factors.
    findings: tuple[LintFinding, ...]

    @property
    def warnings(self) -> tuple[LintFinding, ...]:
        """The findings that ``--strict`` fails on."""
        return tuple(finding for finding in self.findings if finding.grade == "warning")
