"""The use case as a person writes it in ``case.yaml``, and the files beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
    field_validator,
    model_validator,
)

from tuneworthy.model.base import (
    FileRecord,
    Ident,
    Interval,
    Name,
    Natural,
    NonNegative,
    Record,
    RelativePath,
    Share,
    State,
    Strings,
    Text,
    Tri,
    TriInput,
    as_key,
    inside_folder,
    one_or_many,
    short_text,
    wrong,
)
from tuneworthy.model.framework import CAUSES, CauseId, Goal, Goals


class FactorAnswer(FileRecord):
    """An answer about a factor or a signal."""

    value: Tri = "unknown"  #: The answer that counts.
    note: Text = ""  #: Why, for people; no rule reads it.
    #: The answer as things stand today, when ``value`` speaks of later.
    now: Tri | None = None
    by_month: Annotated[int, Field(ge=0, le=120)] | None = None
    """Months from today until ``value`` holds."""
    changes: Literal["content", "policy", "both"] | None = None
    """For changing requirements: what changes, the facts or the rules of behaviour."""


class CheckAnswer(FileRecord):
    """An answer to one check of the ceiling test."""

    value: Tri = "unknown"  #: Whether it was done.
    count: Natural | None = None
    """How many, for checks that count: prompt variations, foundation models."""
    needed: Tri | None = None
    """No where the task takes none of it; with a value of yes, since then nothing is left to do."""
    note: Text = ""  #: Why, for people; no rule reads it.


SimpleAnswer = Annotated[
    FactorAnswer,
    BeforeValidator(as_key("value"), json_schema_input_type=TriInput | FactorAnswer),
]
SimpleCheck = Annotated[
    CheckAnswer,
    BeforeValidator(
        as_key("value", count="count"),
        json_schema_input_type=TriInput | Natural | CheckAnswer,
    ),
]


# an earlier edition could convert it to eight bits, and called that -q8
_EMBEDDED = re.compile(r"local:smollm2(?:-q8)?(?:\+[0-9a-f]{16})?")
_COUNTED = re.compile(r"[~<>]?\s*\d[\d.,_' ]*\s*[kKmM]?")
"""A count as people write it to each other; no file has such a name."""


class Holding(FileRecord):
    """Something the team has: how many, where it lies, or both."""

    path: str | None = None  #: Relative path of the file or folder.
    count: Natural | None = None  #: How many there are.
    usable: Natural | None = None
    """How many of them are good enough to learn from, when somebody has counted."""

    @property
    def good(self) -> int | None:
        """The number that counts: the usable ones, or all where nobody counted those."""
        return min(
            (n for n in (self.count, self.usable) if n is not None), default=None
        )

    @field_validator("path")
    @classmethod
    def _path_inside(cls, value: str | None) -> str | None:
        """Refuse a path out of the folder, and a number that is meant as a count."""
        if value is None:
            return None
        if _COUNTED.fullmatch(value):
            raise wrong(
                f'is "{short_text(value)}"',
                "write the count as a plain number, such as 10000",
            )
        return inside_folder(value)


SimpleHolding = Annotated[
    Holding,
    BeforeValidator(
        as_key("path", count="count"), json_schema_input_type=Natural | str | Holding
    ),
]


Hiding = Literal["keep", "fakes", "words"]
"""Values as they are, fakes of the same shape, or words such as [name]."""


def _listed(value: Any) -> Any:
    """Read words from a list, or from a text with commas."""
    if isinstance(value, str):
        words = [word.strip() for word in value.split(",")]
        return tuple(word for word in words if word)
    return value


WordList = Annotated[
    Strings, BeforeValidator(_listed, json_schema_input_type=str | Strings)
]


class PersonalPolicy(FileRecord):
    """The personal data in this case, and how files and exports treat it."""

    fields: WordList = ()
    """Fields of an answer that are meant to hold such data, as name and amount of an extraction."""
    words: WordList = ()  #: Words that are none, as the names of products.
    local: Hiding = "keep"  #: How personal data is treated in files beside the case.
    #: The text that replaces personal data in exported files.
    exports: Literal["fakes", "words"] = "fakes"


Medium = Literal["image", "audio", "video"]
"""Media that a request may hold beside text."""


class Data(FileRecord):
    """Files beside the case, by relative path, or a count where there is no file."""

    traces: Annotated[
        tuple[RelativePath, ...],
        BeforeValidator(
            one_or_many, json_schema_input_type=str | Strings | dict[str, str | Strings]
        ),
        Field(max_length=1000),
    ] = ()  #: Logs of calls; globs are allowed. As {paths, map} with what says how to read them.
    #: That map, by itself: fields of records by ours.
    trace_map: RelativePath | None = None
    evaluation: RelativePath | None = None  #: Evaluation set (JSONL).
    #: Documents to retrieve from or to pretrain on.
    documents: SimpleHolding | None = None
    #: Quality examples of input and wanted output.
    examples: SimpleHolding | None = None
    #: Pairs of a better and a worse answer.
    preference_pairs: SimpleHolding | None = None
    prompts: RelativePath | None = None  #: Folder of prompt variants.
    glossary: RelativePath | None = None  #: Terms and the variants that are wrong.
    voice: RelativePath | None = None  #: Folder of samples of how the brand speaks.
    output_schema: RelativePath | None = None  #: JSON Schema of the output.
    #: Tools the model may call today: a JSON list of them.
    tools: RelativePath | None = None
    #: The kinds of content beside text that requests hold; a model has to read them.
    media: Annotated[
        tuple[Medium, ...],
        BeforeValidator(
            one_or_many, json_schema_input_type=Medium | tuple[Medium, ...]
        ),
    ] = ()
    training: Annotated[
        tuple[RelativePath, ...],
        BeforeValidator(one_or_many, json_schema_input_type=str | Strings),
        Field(max_length=1000),
    ] = ()  #: Files of examples to tune on, as the team made them; globs are allowed.
    personal: PersonalPolicy | None = None
    """Personal data in this case. Without it, evaluation sets hold words instead of personal data,
    and training sets leave such examples out."""

    @model_validator(mode="before")
    @classmethod
    def _with_a_map(cls, value: Any) -> Any:
        """Split ``traces`` with its own map of fields into the two entries it stands for."""
        traces = value.get("traces") if isinstance(value, dict) else None
        if not isinstance(traces, dict) or not traces:
            return value
        if not traces.keys() <= {"paths", "map"}:
            return value  # the check of traces names the wrong key
        split = dict(value)
        split["traces"] = traces.get("paths", ())
        if traces.get("map") is not None:
            split["trace_map"] = traces["map"]
        return split


def _to_amount(value: Any) -> Any:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        return {"low": value, "likely": value, "high": value}
    return value


N = TypeVar("N", bound=float)


class AmountOf(FileRecord, Generic[N]):
    """A number, or three of them when it isn't certain; the unit is in the field's name."""

    low: N  #: The least it could be.
    likely: N  #: The likeliest.
    high: N  #: The most it could be.

    @classmethod
    def model_parametrized_name(cls, params: Any) -> str:
        """The name in schemas. Only the classes below are named there."""
        return f"_{super().model_parametrized_name(params)}"

    @property
    def interval(self) -> Interval:
        """The amount as an interval, for calculations."""
        return Interval(self.low, self.likely, self.high)

    def at_most(self, limit: float) -> State:
        """Whether it stays within a limit: yes or no only where all of it is on one side."""
        if self.high <= limit:
            return "yes"
        return "no" if self.low > limit else "unknown"

    @model_validator(mode="after")
    def _in_order(self) -> AmountOf[N]:
        if not self.low <= self.likely <= self.high:
            raise wrong("is out of order", "write low ≤ likely ≤ high")
        return self


AnyAmount = AmountOf[float]  #: One of the kinds below.

_Rate = Annotated[float, Field(ge=-1, le=10)]
# numbers divide by it, so it can't be 0
_Positive = Annotated[float, Field(ge=1e-6, le=1e15)]
_PositiveShare = Annotated[float, Field(ge=1e-6, le=1)]  # the same
_Lasting = Annotated[float, Field(ge=1, le=1200)]


class Amount(AmountOf[NonNegative]):
    """An amount of 0 or more."""


class GrowthAmount(AmountOf[_Rate]):
    """Growth a month as a share; negative where traffic shrinks."""


class PositiveAmount(AmountOf[_Positive]):
    """An amount above zero."""


class ShareAmount(AmountOf[Share]):
    """A share between 0 and 1."""


class PositiveShareAmount(AmountOf[_PositiveShare]):
    """A share above 0 and up to 1."""


class LastingAmount(AmountOf[_Lasting]):
    """Months, one or more."""


_AsAmount = partial(BeforeValidator, _to_amount)

Quantity = Annotated[Amount, _AsAmount(json_schema_input_type=NonNegative | Amount)]
"""An amount as people write it: a number, or ``{low, likely, high}``."""
Growth = Annotated[GrowthAmount, _AsAmount(json_schema_input_type=_Rate | GrowthAmount)]
PositiveQuantity = Annotated[
    PositiveAmount, _AsAmount(json_schema_input_type=_Positive | PositiveAmount)
]
ShareQuantity = Annotated[
    ShareAmount, _AsAmount(json_schema_input_type=Share | ShareAmount)
]
PositiveShareQuantity = Annotated[
    PositiveShareAmount,
    _AsAmount(json_schema_input_type=_PositiveShare | PositiveShareAmount),
]
LastingQuantity = Annotated[
    LastingAmount, _AsAmount(json_schema_input_type=_Lasting | LastingAmount)
]


class Effort(FileRecord):
    """Work and money for one thing."""

    hours: Quantity | None = None  #: Hours of work.
    usd: Quantity | None = None  #: USD beside the work.

    @property
    def is_empty(self) -> bool:
        """Whether neither hours nor money are stated."""
        return self.hours is None and self.usd is None


class Upfront(FileRecord):
    """Cost up to the first version: in all, or by category."""

    hours: Quantity | None = None  #: Hours in all.
    usd: Quantity | None = None  #: USD in all, beside the hours.
    data_preparation: Effort | None = None  #: Cleaning, formatting, review.
    training: Effort | None = None  #: Training runs.
    evaluation: Effort | None = None  #: Design of the test and human evaluation.
    deployment: Effort | None = None  #: Infrastructure and integration.

    @property
    def by_category(self) -> dict[str, Effort]:
        """The categories with an amount; {} where only totals are stated.

        A category that is named without an amount counts as unknown, as if it weren't named.
        """
        categories: dict[str, Effort | None] = {
            "data_preparation": self.data_preparation,
            "training": self.training,
            "evaluation": self.evaluation,
            "deployment": self.deployment,
        }
        return {
            name: effort
            for name, effort in categories.items()
            if effort is not None and not effort.is_empty
        }

    @model_validator(mode="after")
    def _one_way(self) -> Upfront:
        if self.by_category and (self.hours or self.usd):
            raise wrong("gives totals and categories", "keep one of them")
        return self


class Ongoing(FileRecord):
    """Running cost by category."""

    inference_usd: Quantity | None = None  #: USD a month for serving the tuned model.
    monitoring_hours: Quantity | None = None  #: Hours a month of quality checks.
    #: Hours a quarter to keep it fresh.
    retraining_hours_per_quarter: Quantity | None = None
    other_usd: Quantity | None = None  #: USD a month for anything else.


class Monthly(FileRecord):
    """Amounts that tuning saves, earns and costs per month, as stated."""

    api_savings_usd: Quantity | None = None  #: USD a month saved on calls.
    #: USD a month that better answers are worth.
    quality_value_usd: Quantity | None = None
    #: USD a month to run, watch and retrain the tuned model.
    ongoing_usd: Quantity | None = None
    ongoing: Ongoing | None = None  #: The running costs by category.

    @model_validator(mode="after")
    def _one_way(self) -> Monthly:
        if self.ongoing is not None and self.ongoing_usd is not None:
            raise wrong("gives ongoing_usd and ongoing", "keep one of them")
        return self


class Traffic(FileRecord):
    """How much the system is used."""

    requests_per_month: Quantity | None = None  #: Requests a month.
    growth_per_month: Growth | None = None
    """Growth a month as a share: 0.5 is half as much again every month."""
    input_tokens: Quantity | None = None  #: Input tokens a request.
    output_tokens: Quantity | None = None  #: Output tokens a request.
    #: Share of the input tokens that is read from a cache.
    cached_share: Share | None = None
    cacheable_share: Share | None = None
    """Share of the input tokens that is the same in every call, so that it could be cached."""
    batchable: Tri = "unknown"
    """Whether nobody waits for the answer, so that calls could be sent as a batch."""
    #: Input tokens a request once the model is tuned.
    tuned_input_tokens: Quantity | None = None
    #: Output tokens a request once the model is tuned.
    tuned_output_tokens: Quantity | None = None


class GpuServing(FileRecord):
    """Serving a model on your own GPUs, bought or rented."""

    gpu_usd_per_hour: Quantity | None = None
    """USD an hour of a GPU, or of the group of them that one copy of the model takes."""
    requests_per_gpu_hour: PositiveQuantity | None = None
    """Requests that GPU can answer in an hour under full load."""
    utilisation: PositiveShareQuantity | None = None
    """Share of a paid hour in which it works under full load."""
    always_on_gpus: Quantity | None = None
    """How many of them are paid day and night, whether somebody asks or not."""


class Assumptions(FileRecord):
    """Assumptions of a forecast."""

    discount_per_year: ShareQuantity | None = None  #: Share that money loses in a year.
    #: Chance that nothing of it goes into use.
    failure_chance: ShareQuantity | None = None
    price_fall_per_year: ShareQuantity | None = None
    """Share by which the untuned model gets cheaper in a year; a tuned model keeps its price."""
    model_life_months: LastingQuantity | None = None
    """Months after which the model has to be tuned again, on a newer base."""
    horizon_months: Annotated[int, Field(ge=1, le=120)] = 36  #: Months to look ahead.


class Economics(FileRecord):
    """Money, as stated."""

    hourly_rate_usd: Quantity | None = None  #: USD an hour of the team's work.
    #: Hours a week the team can give to it.
    hours_per_week: PositiveQuantity | None = None
    upfront: Upfront = Upfront()  #: Cost up to the first version.
    monthly: Monthly = Monthly()  #: Benefits and costs a month.
    traffic: Traffic = Traffic()  #: Use of the system.
    serving: GpuServing = GpuServing()  #: How self-hosted models are served.
    #: The assumptions that the forecast makes.
    assumptions: Assumptions = Assumptions()


class Attempt(FileRecord):
    """Something that was tried, in order; it becomes a stage with its own verdict."""

    name: Name  #: The name of the attempt.
    change: Text = ""  #: The change that was made.
    result: Text = ""  #: The result of the attempt.
    prompts: Natural = 1  #: How many prompts were compared in it.
    #: The models it was run with.
    models: Annotated[tuple[Name, ...], Field(max_length=100)] = ()
    tried: Annotated[tuple[Ident, ...], Field(max_length=100)] = ()
    """Options of the framework it made use of, such as few_shot or constrained_output."""
    #: Checks whose answer was different at that time.
    ceiling: dict[str, SimpleCheck] = {}
    #: Factors whose answer was different at that time.
    factors: dict[str, SimpleAnswer] = {}


class QualityTarget(FileRecord):
    """The quality that is good enough."""

    metric: Name = "quality"  #: How it is measured.
    at_least: Share  #: The share that has to be reached.


class Targets(FileRecord):
    """Targets that the system has to reach, all of them."""

    quality: QualityTarget | None = None  #: Quality that is good enough.
    #: Seconds in which 95 of 100 answers have to come.
    latency_p95_s: NonNegative | None = None
    usd_per_month: NonNegative | None = None  #: USD a month it may cost to run.


class StatedFailures(FileRecord):
    """Why answers are wrong, as a person says it: how many of each cause were counted.

    Where nobody counted, the cause that most failures have is something too.
    """

    passage_not_found: Natural | None = None  #: The right passage wasn't retrieved.
    passage_misread: Natural | None = None  #: The passage was there and was misread.
    fact_not_given: Natural | None = None  #: A fact is needed that nothing gives.
    reasoning: Natural | None = None  #: The conclusion or the sum is wrong.
    format: Natural | None = None  #: The form is wrong, and what it says is right.
    #: A term or a convention of the house is broken.
    house_convention: Natural | None = None
    style: Natural | None = None  #: It doesn't sound as it should.
    #: The wrong tool was called, or with wrong arguments.
    wrong_tool: Natural | None = None
    #: The prompt says it, and the answer doesn't do it.
    instruction_ignored: Natural | None = None
    cut_off: Natural | None = None  #: It declined, ended early or came empty.
    #: The answer is right, and its reference is wrong.
    wrong_reference: Natural | None = None
    #: The question can be read in several ways.
    ambiguous_question: Natural | None = None
    mostly: CauseId | Literal["unknown"] = "unknown"
    """The cause that more failures have than any other; counts, where there are any, say it
    better."""

    @property
    def counts(self) -> dict[CauseId, int]:
        """How many failures have each cause that somebody counted."""
        stated = {cause: getattr(self, cause) for cause in CAUSES}
        return {cause: count for cause, count in stated.items() if count is not None}


Runs = Literal["third_party", "own", "unknown"]


class Today(FileRecord):
    """Figures of the present system, as far as they are known."""

    model: Name | None = None
    """The model that runs, by its id in ``models``; else the listed one with exactly these figures."""
    #: Share of cases it gets right, by the metric of the target.
    quality: Share | None = None
    cases: Natural | None = None  #: How many cases that share was counted on.
    #: Seconds within which 95 of 100 answers arrive.
    latency_p95_s: Quantity | None = None
    usd_per_month: Quantity | None = None  #: USD a month it costs to run.
    retrieval_recall: Share | None = None
    """Share of questions for which the passage that holds the answer is retrieved."""
    api: Runs = "unknown"  #: Who runs the model that sees the prompts today.


class TokenPrice(FileRecord):
    """USD for a million tokens."""

    input: NonNegative  #: Of input.
    output: NonNegative  #: Of output.
    cached_input: NonNegative | None = None  #: Of input read from a cache.
    batch_discount: Share | None = None
    """Share of the price that is left off when calls are sent as a batch."""


class Model(FileRecord):
    """A model in use or in question."""

    id: Name  #: Provider and name, as ``openai:gpt-6-luna``.
    base_url: Annotated[str, Field(max_length=500)] | None = None
    """Where it is served, when not at its provider's usual address."""
    kind: Literal["prompted", "tuned"] = "prompted"  #: Used as it comes, or tuned.
    api: Literal["chat", "decisions"] = "chat"
    """The protocol: chat completions; or decisions, which choose among the labels and write nothing
    (``POST /decisions``, as OpenAI's and others' decision models)."""
    usd_per_mtok: TokenPrice | None = None  #: Its price; 0 is a price.
    ends: date | None = None  #: The day from which it is no longer served.
    effort: tuple[Annotated[str, Field(pattern="^[a-z]{1,20}$")], ...] = ()
    """How long it may think, in its endpoint's words, as low and high: a lab tries each."""
    #: Share of cases it gets right, by the metric of the target.
    quality: Share | None = None
    cases: Natural | None = None  #: How many cases that share was counted on.
    #: Seconds in which 95 of 100 of its answers come.
    latency_p95_s: NonNegative | None = None
    runs: Runs = "unknown"  #: Who runs it and sees prompts.
    #: How it is served, when not as economics.serving says.
    serving: GpuServing | None = None

    @property
    def embedded(self) -> bool:
        """Whether it is the model that ships with a package, which is only for trying things out."""
        return self.base_url is None and _EMBEDDED.fullmatch(self.id) is not None

    @field_validator("base_url")
    @classmethod
    def _plain_url(cls, value: str | None) -> str | None:
        """Refuse an address that may carry a key, because case files are shared."""
        if value is None:
            return None
        if not re.match(r"https?://[^\s/]", value):
            fix = "write an address that starts with https:// or http://"
            raise wrong(f'is "{short_text(value)}"', fix)
        if "?" in value or "#" in value:
            raise wrong(
                "carries a query", "keep keys in the environment, never in an address"
            )
        _, _, after_scheme = value.partition("://")
        host, _, _ = after_scheme.partition("/")
        if "@" in host:
            raise wrong(
                "carries a user or a key",
                "keep keys in the environment, never in a file",
            )
        return value


class Tuning(FileRecord):
    """How the tuning would be done, as far as that is known."""

    service: Literal["hosted", "self_hosted", "unknown"] = "unknown"
    """Who would run the training: a provider's service, or the team itself."""
    #: Whether it takes new work and will still serve the model.
    available: Tri = "unknown"
    #: The day on which the service ends, when one is announced.
    until: date | None = None
    pilot: Tri = "unknown"  #: Whether a pilot comes first.
    #: Whether another base model is planned for the near future.
    model_switch: Tri = "unknown"


class Safety(FileRecord):
    """Responsible tuning: a model learns what is in its data."""

    #: Whether it was reviewed for bias, harm and personal data.
    data_reviewed: Tri = "unknown"
    #: Whether somebody and some process are named for safety.
    process_named: Tri = "unknown"


class Signature(FileRecord):
    """Who decided, when, and what."""

    by: Name  #: Who signed.
    on: date  #: The day.
    #: The decision about fine-tuning.
    answer: Literal["no", "not_yet", "pilot", "yes"]
    ask: Text = ""  #: The ask, in the words that were shown.
    stop_rule: Text = ""  #: The next decision, and the result that would stop the work.
    contradictions: int = Field(0, ge=0)  #: How many were open, each of them seen.
    case_digest: str = Field("", pattern="^([0-9a-f]{64})?$")
    """SHA-256 of the case file as it was shown."""


class CaseDecision(FileRecord):
    """Who decides, who approves, when it is looked at again, and what was signed."""

    owner: Name | None = None  #: Who answers for it.
    approver: Name | None = None  #: Who signs.
    review_on: date | None = None  #: The day on which it is looked at again.
    signed: Signature | None = None  #: The decision as it was signed.


class Ignored(FileRecord):
    """A measurement that a person overrules."""

    id: Ident  #: The id of the measurement.
    #: Why it doesn't count; every page shows it.
    because: Annotated[Text, Field(min_length=1)]


Overruling = dict[
    Literal["ignore"], Annotated[tuple[Ignored, ...], Field(max_length=100)]
]


def dotted(path: tuple[str | int, ...]) -> str:
    """A path in a case as text with dots."""
    return ".".join(map(str, path))


def overlaps(path: str, other: str) -> bool:
    """Whether two dotted paths are the same, or one is below the other."""
    return f"{path}.".startswith(f"{other}.") or f"{other}.".startswith(f"{path}.")


class DefaultValue(Record):
    """A value that a configuration states and the case doesn't."""

    path: str  #: Dotted path in the case file.
    value: str  #: As people read it.
    file: str  #: The configuration that says it.


def defaults_sentence(defaults: Iterable[DefaultValue]) -> str:
    """Name the values that configurations state instead of the case, by file; empty for none."""
    by_file: dict[str, list[str]] = {}
    for default in defaults:
        by_file.setdefault(default.file, []).append(f"{default.path} {default.value}")
    if not by_file:
        return ""
    clauses = [f"{' and '.join(values)}, by {file}" for file, values in by_file.items()]
    return f"Not in the case: {'; '.join(clauses)}."


@dataclass(frozen=True, slots=True)
class CaseOrigin:
    """Where a case comes from: what a decision has to know beside the file's own words."""

    #: File and line of a value, for errors.
    where: Callable[[tuple[str | int, ...]], str] = dotted
    #: The folder its data lie in; None for a case from a mapping.
    folder: Path | None = None
    #: Paths of what-if values: nothing overrules them.
    assumed: frozenset[str] = frozenset()
    #: Options of the framework that a lab has run on its cases.
    ran: frozenset[str] = frozenset()
    #: The values that a configuration states and the case doesn't.
    defaults: tuple[DefaultValue, ...] = ()


_NOWHERE = CaseOrigin()


class Case(FileRecord):
    """A use case. A key that is absent means unknown."""

    name: Name  #: The name of the use case.
    description: Text = ""  #: The purpose of the use case, for people.
    #: A name, or a file beside it; the lesson when absent.
    framework: RelativePath | None = None
    goals: Goals = ()  #: The goals of tuning, the primary goal first.
    ceiling: dict[str, SimpleCheck] = {}  #: The checks of the ceiling test.
    #: Signs that prompting has reached its limit.
    signals: dict[str, SimpleAnswer] = {}
    factors: dict[str, SimpleAnswer] = {}  #: Reasons for tuning and reasons against it.
    #: The attempts that were made.
    attempts: Annotated[tuple[Attempt, ...], Field(max_length=200)] = ()
    targets: Targets = Targets()  #: The targets that have to be met.
    today: Today = Today()  #: The results of the present system.
    failures: StatedFailures | None = None  #: Why its answers are wrong.
    economics: Economics = Economics()  #: Money and traffic.
    workload: Literal["one_off", "growing", "steady", "unknown"] = "unknown"
    """A job that runs once, or work that goes on, growing or as it is."""
    #: Beyond money.
    strategic_value: Literal["low", "medium", "high", "unknown"] = "unknown"
    data: Data = Data()  #: The data that the team has.
    #: In use or in question.
    models: Annotated[tuple[Model, ...], Field(max_length=200)] = ()
    tuning: Tuning = Tuning()  #: How it would be tuned.
    safety: Safety = Safety()  #: Whether it can be done responsibly.
    decision: CaseDecision = CaseDecision()  #: Who decides, and what was signed.
    evidence: Overruling = {}  #: The measurements that a person overrules.

    _origin: CaseOrigin = PrivateAttr(default_factory=lambda: _NOWHERE)

    @model_validator(mode="after")
    def _names_a_model(self) -> Case:
        """Refuse a model of today that the case doesn't list."""
        runs = self.today.model
        if runs is not None and runs not in {model.id for model in self.models}:
            raise wrong(
                f'says that "{short_text(runs)}" runs today, which models doesn\'t list',
                "write the id of an entry of models in today.model, or leave it out",
            )
        return self

    @property
    def one_off(self) -> bool:
        """Whether the traffic is a job that ends, not a stream of requests.

        As stated; else by a growth of -100% a month, after which no request is left.
        """
        if self.workload != "unknown":
            return self.workload == "one_off"
        growth = self.economics.traffic.growth_per_month
        return growth is not None and growth.high <= -1

    @property
    def a_month(self) -> str:
        """The words behind a monthly amount; empty for a job, which is paid once."""
        return "" if self.one_off else " per month"

    def usable_data(self, unit: str) -> int | None:
        """The number of usable data of a kind, or of all where nobody counted the usable ones."""
        holding: Holding | None = getattr(self.data, unit)
        return holding.good if holding else None

    @property
    def origin(self) -> CaseOrigin:
        """The origin of the case."""
        return self._origin

    def with_origin(self, origin: CaseOrigin) -> Case:
        """A copy of the case with another origin."""
        case = self.model_copy()
        case._origin = origin  # noqa: SLF001  # a copy of its own kind, seen by nobody yet
        return case

    def where(self, *path: str | int) -> str:
        """File and line of a value, for errors; only the dotted path when there is no file."""
        return self._origin.where(path)

    @property
    def folder(self) -> Path | None:
        """The folder of the case; None for a case that came from a mapping."""
        return self._origin.folder

    @field_validator("goals")
    @classmethod
    def _goals_once(cls, value: tuple[Goal, ...]) -> tuple[Goal, ...]:
        if len(set(value)) < len(value):
            raise wrong(
                "names a goal twice", "keep each goal once, the primary one first"
            )
        return value


class Structure(FileRecord):
    """The four parts of a structured prompt, as its author sees them."""

    persona: Tri = "unknown"
    context: Tri = "unknown"
    task: Tri = "unknown"
    format: Tri = "unknown"


class FewShot(FileRecord):
    """Examples in the prompt."""

    k: int = Field(default=8, ge=0, le=200)  #: How many.
    source: Literal["fixed", "nearest", "drawn-1", "drawn-2", "drawn-3"] = Field(
        default="fixed", alias="from"
    )
    """Equal examples for every case, spread over the answers; the nearest to each one; or one of
    three sets that were drawn at random."""


class PromptVariant(FileRecord):
    """A prompt: its front matter and its two templates."""

    name: Name
    #: Model it was written for; every model of the case when absent.
    model: str | None = None
    after: str | None = None
    """Prompt whose answer this one goes on from, as ``{{ previous }}``: the two are a chain."""
    structured: Structure | None = None
    few_shot: FewShot | None = None
    constrained: Literal["schema", "grammar"] | None = None
    #: Sent only when asked for.
    temperature: float | None = Field(default=None, ge=0, le=2)
    #: Tool whose search wrote it; empty for one that people wrote.
    searched_by: str = ""
    system: str = ""
    """Template of the system message; ``{{ input }}``, ``{{ contexts }}``, ``{{ examples }}``, and
    in a chain ``{{ previous }}``."""
    user: str = "{{ input }}"  #: Template of the user message.


class Term(FileRecord):
    """A term of a glossary."""

    term: Name
    means: Text = ""
    forbidden: tuple[Name, ...] = ()  #: Words that are wrong for it.
    case_sensitive: bool = False
    due_when: tuple[Name, ...] = ()  #: Words of the input that call for the term.


class VoiceSamples(NamedTuple):
    samples: Strings
    avoid: Strings = ()


class PromptWording(NamedTuple):
    """The text of a prompt file that every call has, by which a log shows which prompt ran."""

    name: str
    pieces: Strings  #: The texts around its variables, in their order, blanks as one.


@dataclass(frozen=True, slots=True)
class Materials:
    """Material that says how outputs should be, and targets of the case. None: the case names none."""

    glossary: tuple[Term, ...] | None = None
    voice: VoiceSamples | None = None
    output_schema: Mapping[str, Any] | None = None
    asked: Strings = ()  #: The questions in its evaluation set, where they are needed.
    #: Examples the approach of the primary goal needs at least.
    examples_need: int | None = None
    latency_target_s: float | None = None
    #: Of its prompt files, where production may run one.
    prompts: tuple[PromptWording, ...] = ()


OTHER_NAMES = {
    "exact match": "match",
    "accuracy": "label",
    "field accuracy": "json_fields",
}
"""Metrics of a case file that mean a scorer, by its id."""


def metric_named(name: str) -> str:
    """The id of a metric's scorer, whatever its capitals and blanks."""
    plain = name.strip().casefold()
    return OTHER_NAMES.get(plain.replace("_", " "), plain)


class Price(NamedTuple):
    """USD for a million tokens of one model."""

    input: float
    output: float
    #: Input read from a cache; None where nobody says.
    cached_input: float | None = None
    #: Input of a call in a batch; None where nobody says.
    batch_input: float | None = None
    batch_output: float | None = None  #: Output of such a call.
    #: Cached input of such a call, where both come off.
    batch_cached_input: float | None = None
    #: Most tokens of a request; None where nobody says.
    context_tokens: int | None = None
    #: Where it was looked up, with the version; empty for a stated price.
    catalogue: str = ""


Prices = Mapping[tuple[str, str | None], Price]
"""Prices that were looked up, by model id and the address it is served at."""

NO_PRICES: Prices = {}


def price_of(model: Model, looked_up: Prices) -> Price | None:
    """The price of a model: the one stated with it, else the one looked up, else None."""
    usd = model.usd_per_mtok
    if usd is None:
        return looked_up.get((model.id, model.base_url))
    price = Price(usd.input, usd.output, usd.cached_input)
    if usd.batch_discount is None:
        return price
    rest = 1 - usd.batch_discount
    return price._replace(
        batch_input=price.input * rest, batch_output=price.output * rest
    )


def in_use(case: Case) -> Model | None:
    """The model in use today; None without one.

    The one that ``today`` names; else the first that is neither tuned nor embedded. Where that has a
    quality of its own, which isn't today's, it is the listed one with the figures of today.
    """
    for model in case.models:
        if model.id == case.today.model:
            return model
    return _in_use_by_figures(case) or _first_untuned(case)


def _first_untuned(case: Case) -> Model | None:
    """The first listed model that is neither tuned nor embedded; None without one."""
    for model in case.models:
        if model.kind == "prompted" and not model.embedded:
            return model
    return None


def name_model_in_use(case: Case) -> Case:
    """The case with the name of the model in use, where its figures of today tell which that is.

    Otherwise other figures of today, as somebody supposes them, would make it another model.
    """
    model = _in_use_by_figures(case)
    if model is None or case.today.model is not None:
        return case
    today = case.today.model_copy(update={"model": model.id})
    return case.model_copy(update={"today": today})


def _in_use_by_figures(case: Case) -> Model | None:
    """The first listed model whose quality, cases and time are those of today; None without one.

    None, too, where the first untuned one has no quality of its own: then today's is its quality, and
    another with the same figures came to them by chance.
    """
    usual = _first_untuned(case)
    if usual is not None and usual.quality is None:
        return None
    for model in case.models:
        if _runs_today(model, case.today):
            return model
    return None


def _runs_today(model: Model, today: Today) -> bool:
    """Whether a model has the quality that is stated of today, and no other figure contradicts it."""
    if model.embedded or today.quality is None or model.quality != today.quality:
        return False
    if model.cases is not None and today.cases not in (None, model.cases):
        return False
    seconds = today.latency_p95_s
    if model.latency_p95_s is None or seconds is None:
        return True
    return seconds.low <= model.latency_p95_s <= seconds.high
