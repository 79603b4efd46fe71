"""What was measured, with its interval, its method and where it comes from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator

from tuneworthy.model.base import (
    Ident,
    LateRecord,
    Name,
    Natural,
    Record,
    State,
    Text,
    Unknown,
    wrong,
)

# What was measured, with its interval, its method and where it comes from.

Scalar = float | int | str | bool


class Evidence(LateRecord):
    """One measurement; ``value`` lies within ``low`` … ``high``, all three in ``unit``."""

    id: Ident
    """What was measured, as ``invalid_output_share``."""
    factor: str = ""
    """The signal, factor, check or dotted path of the case file it bears on."""
    value: float | Unknown
    """The best single number; unknown, with the field that is missing, where none can be given."""
    low: float | None = None
    """Lower end of the 95% interval; None for an unknown value."""
    high: float | Literal["open"] | None = None
    """Upper end; ``open`` where only a lower end is known."""
    unit: Name
    """Unit of the three."""
    n: Natural = 0
    """Traces, or cases, it was counted on."""
    clusters: Natural = 0
    """Conversations those come from."""
    method: Text = ""
    """How value and interval were made."""
    source: Text = ""
    """What it was measured on: names of files and their format."""
    observed_on: date | None = None
    """Last day of the data, by its own clock; None where the data has no clock."""
    since: date | None = None
    """First day of the data."""
    sample: Literal["all", "sampled"] = "all"
    """Whether every trace was looked at."""
    grade: Literal["measured", "published"] = "measured"
    """Measured on the case's own data; or published by somebody else, which settles nothing."""
    details: dict[Ident, Scalar] = {}
    """Further numbers that the report shows, such as the four counts of a 2×2."""
    examples: Annotated[tuple[Text, ...], Field(max_length=10)] = ()
    """What was found, in a few masked samples."""

    @model_validator(mode="after")
    def _in_order(self) -> Evidence:
        if isinstance(self.value, Unknown):
            return self
        low = -math.inf if self.low is None else self.low
        high = self.high if isinstance(self.high, float | int) else math.inf
        if self.low is None or self.high is None or not low <= self.value <= high:
            raise wrong("is out of order", "write low ≤ value ≤ high")
        return self

    @property
    def number(self) -> float:
        """The value of a known measurement.

        Raises:
            TypeError: If it is unknown.
        """
        if isinstance(self.value, Unknown):
            raise TypeError(f"{self.id} is unknown")
        return self.value

    @property
    def known(self) -> bool:
        """Whether there is a number."""
        return not isinstance(self.value, Unknown)


class Series(LateRecord):
    """Numbers for one picture: columns of equal length, as measured."""

    id: Ident
    """The picture, as ``volume``."""
    columns: dict[Ident, tuple[Scalar, ...]]
    """Columns by name; units stand in the names."""


_OF_SEVERAL = {"is": "are", "isn't": "aren't", "has": "have", "holds": "hold"}


class Skipped(LateRecord):
    """Records that couldn't be used, whole or in part, and why."""

    why: Name
    """The reason."""
    n: Natural
    """How many."""
    where: Annotated[tuple[str, ...], Field(max_length=10)] = ()
    """The first of them, as ``file:line``."""
    in_part: bool = False
    """Whether only a part of each was left out, and the rest was used."""

    @property
    def predicate(self) -> str:
        """The reason with its verb in the number of the records, as ``aren't JSON`` of two."""
        verb, _, rest = self.why.partition(" ")
        return f"{_OF_SEVERAL.get(verb, verb) if self.n != 1 else verb} {rest}"


class FileReading(LateRecord):
    """What was read."""

    name: str
    """File name, without the folder."""
    format: Name
    """Recognised by content, as ``Inspect log``."""
    digest: str
    """BLAKE3 of its bytes, in 64 hexadecimal digits."""
    size: Natural
    """Bytes on disk."""
    traces: Natural
    """Traces it gave."""
    skipped: tuple[Skipped, ...] = ()
    """What it held that couldn't be used."""


class Measured(LateRecord):
    """One run of ``measure``: what was read, what it showed, and the pictures' numbers."""

    schema_: str = Field(default="tuneworthy/evidence/1", alias="schema")
    inputs: str
    """SHA-256 of everything the evidence rests on: data, materials and the measures' version."""
    readings: tuple[FileReading, ...] = ()
    """Files read."""
    evidence: tuple[Evidence, ...]
    """What they showed."""
    series: tuple[Series, ...] = ()
    """For pictures."""


def latest(runs: Sequence[Measured]) -> dict[str, Evidence]:
    """The newest known measurement of each id; an unknown one never hides what was known before."""
    found: dict[str, Evidence] = {}
    for run in runs:
        for one in run.evidence:
            if one.known or one.id not in found:
                found[one.id] = one
    return found


def latest_series(runs: Sequence[Measured]) -> tuple[Series, ...]:
    """The newest numbers of each picture, in the order in which they were first measured."""
    found: dict[str, Series] = {}
    for run in runs:
        found |= {one.id: one for one in run.series}
    return tuple(found.values())


# What a model was asked and what it answered, as columns.


class Message(NamedTuple):
    """A turn of a conversation."""

    role: str
    """``system``, ``user``, ``assistant`` or ``tool``."""
    content: str
    """Its text; empty for a turn without one."""


class ToolCall(NamedTuple):
    """A call of a tool that the model asked for."""

    name: str
    """The tool."""
    arguments: str
    """Its arguments as the model wrote them: JSON, if all went well."""


@dataclass(slots=True)
class Batch:
    """Some traces: every column is as long as ``output``, or empty where no trace has it.

    Times are seconds (``timestamp`` since 1970 in UTC), amounts USD, sizes tokens. A value that is
    missing is None.
    """

    output: list[str | None] = field(default_factory=list)
    """What the model wrote."""
    conversation: list[str | None] = field(default_factory=list)
    """Traces of one conversation share it; one without stands alone."""
    turn: list[int | None] = field(default_factory=list)
    """Place in the conversation, from 0."""
    timestamp: list[float | None] = field(default_factory=list)
    """When the call was made."""
    model: list[str | None] = field(default_factory=list)
    """The model that answered."""
    prompt: list[str | None] = field(default_factory=list)
    """Name and version of the prompt, as ``name version``."""
    system: list[str | None] = field(default_factory=list)
    """The system prompt."""
    input: list[str | None] = field(default_factory=list)
    """What the user asked: the last message that isn't the assistant's."""
    messages: Sequence[Sequence[Message] | None] = field(default_factory=list)
    """The conversation so far, where it is there; what isn't new is there again."""
    tool_calls: list[Sequence[ToolCall] | None] = field(default_factory=list)
    """Tools the output calls."""
    contexts: Sequence[Sequence[str] | None] = field(default_factory=list)
    """Passages that were given to the model."""
    reference: list[str | None] = field(default_factory=list)
    """The right answer."""
    answerable: list[bool | None] = field(default_factory=list)
    """Whether the contexts hold the answer, where somebody labelled that."""
    latency_s: list[float | None] = field(default_factory=list)
    """Until the answer was whole."""
    time_to_first_token_s: list[float | None] = field(default_factory=list)
    """Until its first token."""
    input_tokens: list[float | None] = field(default_factory=list)
    """Tokens read, those from a cache among them."""
    output_tokens: list[float | None] = field(default_factory=list)
    """Tokens written."""
    cached_tokens: list[float | None] = field(default_factory=list)
    """Tokens read from a cache."""
    usd: list[float | None] = field(default_factory=list)
    """What the call cost."""
    error: list[str | None] = field(default_factory=list)
    """What went wrong; None where nothing did."""
    score: list[float | None] = field(default_factory=list)
    """How good it was, by feedback, a label or a test: 1 right, 0 wrong."""
    label: list[str | None] = field(default_factory=list)
    """The same in a word."""
    case: list[str | None] = field(default_factory=list)
    """For results of a test: the test case."""

    def __len__(self) -> int:
        return len(self.output)

    def column(self, name: str) -> list[object]:
        """A column whole: as long as ``output``, of None where no trace has it."""
        values: list[object] = getattr(self, name)
        return values or [None] * len(self.output)


COLUMNS: tuple[str, ...] = tuple(each.name for each in fields(Batch))
"""Names of the columns."""


@dataclass(frozen=True, slots=True)
class SystemPrompt:
    """A system prompt that was seen, with when."""

    text: str
    n: int
    """Traces that carry it."""
    first: float | None
    """Earliest timestamp, seconds since 1970."""
    last: float | None
    """Latest timestamp."""


# Prompts and models side by side on the same test cases.


class PromptArm(Record):
    """A prompt with a model, as it did on the cases.

    ``value`` is the mean score over cases, repeats of a case averaged first.
    """

    prompt: str
    """Name and version of the prompt; empty where none is recorded."""
    model: str
    """The model; empty where none is recorded."""
    value: float
    low: float
    """Lower end of the 95% interval of this arm alone."""
    high: float
    """Upper end."""
    low_of_all: float
    """Lower end where all arms' intervals hold at once: the one to trust for the best of them."""
    high_of_all: float
    """Upper end of that."""
    cases: Natural
    """Cases it has a score for, among those compared."""
    runs: Natural
    """Times it was run, repeats and failures among them."""
    errors: Natural
    """Runs that ended in an error: left out of the score."""
    usd_per_run: float | Unknown
    """Mean cost of a run."""
    usd_per_run_low: float | Unknown
    """Lower end of its 95% interval, cases as clusters; unknown where a single case has a cost."""
    usd_per_run_high: float | Unknown
    """Upper end."""
    latency_p50_s: float | Unknown
    """Median time of a call."""


class Lead(Record):
    """How far the best arm is ahead of the next, on the cases that both have."""

    value: float
    """Mean paired difference of the scores."""
    low: float
    """Lower end of the 95% interval."""
    high: float
    """Upper end, which holds for all pairs at once, because the two were picked."""
    cases: Natural
    """Cases that both have."""
    told_apart: State
    """Yes when the interval lies above zero; unknown under 20 cases."""
    cases_needed: int | Unknown
    """Shared cases that would tell them apart with the chance ``power``, were the difference and
    its spread those seen."""
    power: float = 0.8


class ArmsResult(Record):
    """What a test of several arms shows."""

    arms: tuple[PromptArm, ...]
    """The best first; none where no case has a score."""
    lead: Lead | Unknown
    """Of the first over the second; unknown for a single arm."""
    cases: Natural
    """Cases compared."""
    same_cases: bool
    """Whether every arm is judged on the same cases."""
    scale: Literal["share", "score"]
    """A share where all scores lie within 0 and 1, else a score on its own scale."""
    left_out: Natural = 0
    """Arms beyond the most that are compared, those with the fewest cases; and those that share
    no case with any other, where these have too few to be a test of their own."""
