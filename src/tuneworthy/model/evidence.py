"""Measurements, the traces they were made on, and prompts and models side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, model_validator

from tuneworthy.model.base import (
    Estimated,
    Ident,
    Name,
    Natural,
    Record,
    RelativePath,
    State,
    Strings,
    Text,
    Unknown,
    wrong,
)

Scalar = float | int | str | bool
Extent = Literal["all", "sampled"]
TargetState = Literal["met", "missed", "unknown"]
GoNoGo = Literal["go", "no_go", "open"]


class Evidence(Record):
    """One measurement; ``value`` lies within ``low`` … ``high``, all three in ``unit``."""

    id: Ident  #: The id of the measurement, as ``invalid_output_share``.
    #: The signal, factor, check or dotted path of the case file it bears on.
    factor: str = ""
    #: Unknown, with the field that is missing, where there is none.
    value: float | Unknown
    #: Lower end of the 95% interval; None for an unknown value.
    low: float | None = None
    high: float | Literal["open"] | None = None  #: Upper end; ``open`` for none.
    unit: Name
    n: Natural = 0  #: Traces, or cases, it was counted on.
    clusters: Natural = 0  #: Conversations those come from.
    method: Text = ""
    source: Text = ""  #: The files that it was measured on, with their format.
    #: Last day of the data; None where it has no clock.
    observed_on: date | None = None
    since: date | None = None
    sample: Extent = "all"  #: Whether every trace was looked at.
    #: Further numbers, such as the four counts of a 2×2.
    details: dict[Ident, Scalar] = {}
    #: A few masked samples.
    examples: Annotated[tuple[Text, ...], Field(max_length=10)] = ()
    changed: Strings = Field(default=(), exclude=True)
    """Files it was measured on that are others now; worked out as it is read, and never kept."""
    gone: Strings = Field(default=(), exclude=True)
    """Files it was measured on that aren't there to check it by; the same."""
    brought: bool = Field(default=False, exclude=True)
    """Whether it, or an answer it rests on, was made elsewhere: it isn't checked here; the same."""

    @model_validator(mode="before")
    @classmethod
    def _drop_the_only_grade(cls, data: Any) -> Any:
        """Drop the grade in ledgers of 0.1, which was "measured" in each line."""
        if isinstance(data, dict) and data.get("grade") == "measured":
            return {name: value for name, value in data.items() if name != "grade"}
        return data

    @model_validator(mode="after")
    def _in_order(self) -> Evidence:
        """Refuse a known value without an end, or outside its ends."""
        if isinstance(self.value, Unknown):
            return self
        most = math.inf if self.high == "open" else self.high
        if self.low is None or most is None or not self.low <= self.value <= most:
            raise wrong("is out of order", "write low ≤ value ≤ high")
        return self

    @property
    def number(self) -> float:
        """The value of a known measurement; a TypeError if it is unknown."""
        if isinstance(self.value, Unknown):
            raise TypeError(f"{self.id} is unknown")
        return self.value

    @property
    def is_known(self) -> bool:
        """Whether there is a number."""
        return not isinstance(self.value, Unknown)


class Series(Record):
    """Numbers for one picture: columns of equal length, as measured."""

    id: Ident  #: The picture, as ``volume``.
    #: Columns by name; units stand in the names.
    columns: dict[Ident, tuple[Scalar, ...]]
    brought: bool = Field(default=False, exclude=True)
    """Whether its run came with the folder; worked out as it is read, and never kept."""


_OF_SEVERAL = {"is": "are", "isn't": "aren't", "has": "have", "holds": "hold"}


class Skipped(Record):
    """Records that couldn't be used, whole or in part, and why."""

    why: Name
    n: Natural
    where: Annotated[Strings, Field(max_length=10)] = ()  #: First ones: ``file:line``.
    #: Whether only a part of each was left out, and the rest was used.
    in_part: bool = False

    @property
    def predicate(self) -> str:
        """The reason with a verb that fits the number of records, as ``aren't JSON`` for two."""
        verb, _, rest = self.why.partition(" ")
        return f"{_OF_SEVERAL.get(verb, verb) if self.n != 1 else verb} {rest}"


class Coverage(Record):
    """How many traces of a file say what, so that a column that a reader loses is seen at once."""

    text: Natural = 0  #: The text of questions or answers.
    tokens: Natural = 0  #: Tokens read and written.
    price: Natural = 0  #: The cost of the call.
    session: Natural = 0  #: The conversation it belongs to.
    outcome: Natural = 0  #: How good it was: a score, a rating or a label.


class FileReading(Record):
    """One file that was read."""

    name: str  #: File name, without the folder.
    format: Name  #: Recognised by content, as ``Inspect log``.
    digest: str  #: SHA-256 of its bytes, in 64 hexadecimal digits.
    size: Natural
    traces: Natural
    skipped: tuple[Skipped, ...] = ()  #: The records that couldn't be used.
    coverage: Coverage | None = None  #: None where an earlier release read it.


class MeasuredFile(Record):
    """A file of the case as it was when something was measured on it."""

    entry: str  #: The entry of ``data`` that it was named by, as ``evaluation``.
    path: RelativePath
    size: Natural
    modified_ns: int
    digest: str = ""  #: SHA-256 of its bytes; empty for a file over 64 MiB.


class RequestMix(Record):
    """How the requests of a log are spread over fixed words, to compare it with a later log."""

    words: Natural  #: Number of the list of words.
    halves: tuple[tuple[Natural, ...], tuple[Natural, ...]]
    """For each half of the conversations how many requests are nearest to each word."""
    #: Last day of the data; None where it has no clock.
    observed_on: date | None = None


class Measured(Record):
    """One run of ``measure``: what was read, what it showed, and the pictures' numbers."""

    schema_: str = Field(default="tuneworthy/evidence/1", alias="schema")
    inputs: str  #: SHA-256 of all it rests on: data, materials, the measures' version.
    readings: tuple[FileReading, ...] = ()
    files: tuple[MeasuredFile, ...] = ()  #: Those of the case that it rests on.
    evidence: tuple[Evidence, ...]
    series: tuple[Series, ...] = ()  #: For pictures.
    #: None of results, and of logs with few conversations.
    mix: RequestMix | None = None
    brought_answers: Natural = 0
    """Answers of models that it rests on and that weren't given on this machine."""
    brought: bool = Field(default=False, exclude=True)
    """Whether no seal of this machine is on it; worked out as it is read, and never kept."""


class CardRow(Record):
    """One line of the card."""

    id: Ident  #: The target, or what else is asked of a tuned model.
    title: Name  #: As the card says it.
    state: TargetState  #: Whether the tuned model meets it.
    says: str  #: The figure with its interval, against what is wanted.
    rests_on: str  #: How it is known.


class PilotCard(Record):
    """Go or no-go: every target, and what it rests on."""

    answer: GoNoGo  #: Go, no go, or not known yet.
    because: str  #: The line that decides.
    rows: tuple[CardRow, ...]  #: Every target, money, general skills and safety.
    signs: str  #: Who signs; or how to name somebody.
    on: date  #: The day of the pilot.
    unsearched: str = ""
    """Of a go: that nobody searched for the best prompt, and the price of that; else empty."""


READ_BESIDE = frozenset(
    name for name, field in Evidence.model_fields.items() if field.exclude
)
"""Fields of a measurement that are computed when it is read, and never stored."""


def latest(runs: Sequence[Measured]) -> dict[str, Evidence]:
    """The newest known measurement of each id; an unknown one never hides what was known before.

    ``runs`` are in the order of time.
    """
    newest: dict[str, Evidence] = {}
    for run in runs:
        for measurement in run.evidence:
            if measurement.is_known or measurement.id not in newest:
                newest[measurement.id] = measurement
    return newest


def latest_series(runs: Sequence[Measured]) -> tuple[Series, ...]:
    """The newest numbers of each picture, in the order in which they were first measured."""
    newest = {series.id: series for run in runs for series in run.series}
    return tuple(newest.values())


class Message(NamedTuple):
    role: str  #: system, user, assistant or tool
    content: str  #: empty for a turn without text


class ToolCall(NamedTuple):
    name: str
    arguments: str  #: as the model wrote them: JSON, if all went well


TextColumn = list[str | None]
NumberColumn = list[float | None]


@dataclass(slots=True)
class Batch:
    """Some traces: every column is as long as ``output``, or empty where no trace has it.

    Times are seconds (``timestamp`` since 1970 in UTC), amounts USD, sizes tokens. A value that is
    missing is None. Traces of one ``conversation`` share its name, and ``turn`` is the place in it
    from 0. ``input`` is the last message that isn't the assistant's; ``messages`` is the
    conversation so far, and repeats what isn't new. ``input_tokens`` includes those from a cache.
    ``answerable`` says whether somebody labelled the contexts as holding the answer, and is missing
    where no document would hold one; ``score`` is 1
    for right and 0 for wrong by feedback, a label or a test, ``label`` the same in a word, and
    ``case`` the test case.
    """

    output: TextColumn = field(default_factory=list)
    conversation: TextColumn = field(default_factory=list)
    turn: list[int | None] = field(default_factory=list)
    timestamp: NumberColumn = field(default_factory=list)
    model: TextColumn = field(default_factory=list)
    #: who served it, in its maker's word
    provider: TextColumn = field(default_factory=list)
    prompt: TextColumn = field(default_factory=list)  #: name and version
    system: TextColumn = field(default_factory=list)
    input: TextColumn = field(default_factory=list)
    messages: Sequence[Sequence[Message] | None] = field(default_factory=list)
    tool_calls: list[Sequence[ToolCall] | None] = field(default_factory=list)
    tools: NumberColumn = field(default_factory=list)  #: characters of those on offer
    contexts: Sequence[Sequence[str] | None] = field(default_factory=list)
    reference: TextColumn = field(default_factory=list)
    answerable: list[bool | None] = field(default_factory=list)
    latency_s: NumberColumn = field(default_factory=list)  #: until the answer was whole
    time_to_first_token_s: NumberColumn = field(default_factory=list)
    input_tokens: NumberColumn = field(default_factory=list)
    output_tokens: NumberColumn = field(default_factory=list)
    cached_tokens: NumberColumn = field(default_factory=list)
    usd: NumberColumn = field(default_factory=list)
    #: those of ``usd`` that are list prices
    listed_usd: NumberColumn = field(default_factory=list)
    error: TextColumn = field(default_factory=list)
    #: why it stopped, in its maker's word
    finish: TextColumn = field(default_factory=list)
    score: NumberColumn = field(default_factory=list)
    label: TextColumn = field(default_factory=list)
    case: TextColumn = field(default_factory=list)
    group: TextColumn = field(default_factory=list)  #: what several cases are from

    def __len__(self) -> int:
        return len(self.output)

    def column(self, name: str) -> list[Any]:
        """A whole column: as long as ``output``, with None where no trace has it."""
        values: list[Any] = getattr(self, name)
        return values or [None] * len(self.output)

    def coverage(self) -> Coverage:
        """The number of traces that have each kind of value.

        Either of two columns is enough for a text and for an outcome; tokens take both.
        """
        return Coverage(
            text=self._with_either("output", "input"),
            tokens=self._with_both("input_tokens", "output_tokens"),
            price=self._with_value("usd"),
            session=self._with_value("conversation"),
            outcome=self._with_either("score", "label"),
        )

    def _with_value(self, name: str) -> int:
        """The number of traces with a value in a column; a column that nobody logged is empty."""
        values: Sequence[object] = getattr(self, name)
        return len(values) - values.count(None)

    def _with_either(self, name: str, other: str) -> int:
        """The number of traces with a value in at least one of two columns."""
        values = getattr(self, name)
        others = getattr(self, other)
        if not values or not others:
            return self._with_value(name) + self._with_value(other)
        # mostly one column is full, which is quick to see
        if None not in values or None not in others:
            return len(self)
        return sum(
            1
            for value, other_value in zip(values, others, strict=True)
            if value is not None or other_value is not None
        )

    def _with_both(self, name: str, other: str) -> int:
        """The number of traces with a value in each of two columns."""
        values = self.column(name)
        others = self.column(other)
        if None not in values and None not in others:  # as mostly
            return len(self)
        return sum(
            1
            for value, other_value in zip(values, others, strict=True)
            if value is not None and other_value is not None
        )


COLUMNS: Strings = tuple(column.name for column in fields(Batch))


class PromptArm(Record):
    """A prompt with a model, as it did on the cases; both are empty where none is recorded."""

    prompt: str
    model: str
    value: float  #: Mean score over cases, repeats of a case averaged first.
    low: float
    high: float
    low_of_all: float  #: Ends where the intervals of all arms hold at once.
    high_of_all: float
    cases: Natural  #: Cases it has a score for, among those compared.
    #: Conversations or documents those come from; else as many as cases.
    clusters: Natural
    runs: Natural  #: Times it was run, repeats and failures among them.
    errors: Natural  #: Runs that ended in an error: out of the score, wrong or right in its ends.
    usd_per_run: float | Unknown
    #: Ends of the 95% interval; unknown with a cost of one case.
    usd_per_run_low: float | Unknown
    usd_per_run_high: float | Unknown
    latency_p50_s: float | Unknown
    latency_p95_s: float | Unknown


class Lead(Estimated):
    """How far the best arm is ahead of the next on shared cases, with an interval for all pairs."""

    cases: Natural
    clusters: Natural  #: Conversations or documents the cases come from.
    #: Yes when the interval lies above zero; unknown under 20 clusters.
    told_apart: State
    cases_needed: int | Unknown
    """Shared cases that would distinguish them with the chance ``power``, were the difference and
    its spread those seen."""
    power: float = 0.8


class ArmsResult(Record):
    """The result of a test of several arms."""

    arms: tuple[PromptArm, ...]  #: The best first; none where no case has a score.
    lead: Lead | Unknown  #: Of the first over the second; unknown for a single arm.
    cases: Natural
    same_cases: bool  #: Whether every arm is judged on the same cases.
    scale: Literal["share", "score"]  #: A share where all scores lie within 0 and 1.
    left_out: Natural = 0
    """Arms beyond the most that are compared, those with the fewest cases; and those that share
    no case with any other, where these have too few to be a test of their own."""
