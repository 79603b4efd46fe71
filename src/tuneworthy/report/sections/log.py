"""The first screen for a log: the model, the bill, the latency, and the failures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from tuneworthy.model.base import Unknown
from tuneworthy.model.case import Price
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.evidence import Coverage, Evidence, FileReading, Measured, Series
from tuneworthy.report import blocks as b
from tuneworthy.report.sections.common import Rows
from tuneworthy.report.sections.evidence import between_days, series_of
from tuneworthy.words import (
    count,
    counted,
    cut,
    day,
    few,
    interval_text,
    listing,
    sentence,
    share,
    small_usd,
    unique,
)

_LONGEST_NAME = 40  #: Characters of a model's or a prompt's name in the heading.
_MOST_MODELS = 3  #: Models that the heading names.
#: The beginning of a prompt's name where its log gives it none.
_UNNAMED = "system "
_UNKNOWN = "unknown"

WENT_WRONG = {
    "error_share": "failed",
    "cut_off_share": "cut off",
    "refusal_share": "refused",
    "retry_share": "asked again",
    "refused_tool_call_share": "tool calls with an error",
    "invalid_output_share": "not in form",
}
"""The word for each kind of failed call, by the measurement of its share."""


@dataclass(frozen=True, slots=True)
class MeasureReport:
    """The result of one run of ``measure``."""

    measured: Measured
    added: bool  #: False where the last run had measured the same.
    dossier: Dossier  #: The case with it.
    #: The case without it; None for a case that was made for it.
    before: Dossier | None
    folder: str
    price: Price | None = None  #: List price of the one model that answered.
    models: tuple[str, ...] = ()  #: Models that answered.
    wanted: Mapping[str, float] = field(default_factory=dict)
    """The number that each check of the ceiling requires."""
    guessed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The first records of each file whose format was guessed, as they were read."""
    unread: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The names of unused fields, by file."""
    ends: Mapping[str, date] = field(default_factory=dict)  #: When models end, by name.
    left: Mapping[str, int] = field(default_factory=dict)
    """The minutes for each question that the case still asks."""

    def measurement(self, name: str) -> Evidence:
        """A measurement; an unknown one where it wasn't tried."""
        for evidence in self.measured.evidence:
            if evidence.id == name:
                return evidence
        return Evidence(id=name, value=Unknown(ask=""), unit="none")

    def known_measurement(self, name: str) -> Evidence | None:
        evidence = self.measurement(name)
        return evidence if evidence.is_known else None

    def count(self, name: str) -> float | None:
        """The number of names that a measurement lists, else its value; None where it is unknown."""
        evidence = self.measurement(name)
        names = evidence.details.get("names")
        if isinstance(names, int):
            return names
        return evidence.number if evidence.is_known else None

    def detail(self, name: str, number: str) -> float | None:
        """A further number of a measurement; None where it is unknown."""
        value = self.measurement(name).details.get(number)
        return value if isinstance(value, int | float) else None

    def ask(self, name: str, otherwise: str) -> str:
        """The step that makes a measurement known; ``otherwise`` where it names none."""
        value = self.measurement(name).value
        if isinstance(value, Unknown) and value.ask:
            return value.ask
        return otherwise

    def series(self, name: str) -> Series | None:
        return series_of(self.measured.series, name)

    @property
    def arms(self) -> int:
        """The number of prompts with models that were tested on cases; 0 for a log."""
        series = self.series("arms")
        return 0 if series is None else len(series.columns["value"])


def heading(report: MeasureReport) -> str:
    """Say how many calls were read, of which days, models and prompts."""
    traces = sum(reading.traces for reading in report.measured.readings)
    text = counted(traces, "call")
    when = days_text(report)
    if when:
        text += f", {when}"
    who = [*_models(report), *_prompts(report)]
    if who:
        text += f": {', '.join(who)}"
    return f"{text}."


def days_text(report: MeasureReport) -> str:
    """The first and the last day that was measured; empty where no day is known."""
    days: set[date] = set()
    for evidence in report.measured.evidence:
        days |= {on for on in (evidence.since, evidence.observed_on) if on is not None}
    if not days:
        return ""
    return between_days(min(days), max(days))


def _models(report: MeasureReport) -> Iterator[str]:
    """The models that answered, with their ends; of many, the number of the rest."""
    names = [name for name in report.models if not _is_alias(name, report.models)]
    for name in names[:_MOST_MODELS]:
        text = cut(name, _LONGEST_NAME)
        end = report.ends.get(name)
        yield f"{text} (ends {day(end)})" if end else text
    left_out = len(names) - _MOST_MODELS
    if left_out > 0:
        yield f"{few(left_out)} more"


def _is_alias(name: str, names: Sequence[str]) -> bool:
    """Whether a name is short for a dated one: failed calls have the name that was requested."""
    return any(other.startswith(f"{name}-20") for other in names)


def _prompts(report: MeasureReport) -> Iterator[str]:
    """The prompt version in use, and the one before it."""
    series = report.series("prompt_versions")
    if series is None:
        return
    names = [str(name) for name in series.columns["prompt"]]
    first_days = [str(first) for first in series.columns["first"]]
    newest = cut(names[-1], _LONGEST_NAME)  # versions come in the order of their days
    many = few(len(names))
    if len(names) == 1:
        if not newest.startswith(_UNNAMED):
            yield f"prompt {newest}"
    elif len(set(first_days)) == 1:  # they ran side by side: none is the newest
        yield f"{many} prompts"
    else:
        since = ""
        if first_days[-1] != _UNKNOWN:
            since = f" since {day(date.fromisoformat(first_days[-1]))}"
        if len(names) == 2:
            former = cut(names[0], _LONGEST_NAME)
            yield f"prompt {former}, then {newest}{since}"
        else:
            yield f"{many} prompts, the newest {newest}{since}"


def log_rows(report: MeasureReport, bill: str) -> Rows:
    """The bill, the latency, the failures, and how often it works."""
    yield "The bill", sentence(bill)
    late = report.known_measurement("latency_p95_s")
    if late is not None:
        yield "p95", interval_text(late.value, late.low, late.high, late.unit)
    wrong = [*_went_wrong(report)]
    if wrong:
        yield "Went wrong", ", ".join(wrong)
    yield "Success", _success(report)


def _went_wrong(report: MeasureReport) -> Iterator[str]:
    """How many calls went wrong in each way, with their share; or that none failed."""
    for name, what in WENT_WRONG.items():
        measured = report.known_measurement(name)
        if measured is None:
            continue
        many = round(measured.number * measured.n)
        if many:
            yield f"{what} {count(many)} ({share(measured.number)})"
        elif name == "error_share":  # the one that every reader asks for
            yield "none failed"


def _success(report: MeasureReport) -> str:
    """The success that the log shows, in a sentence; how to learn it where it is unknown."""
    success = report.known_measurement("success_share")
    if success is None:
        ask = report.ask("success_share", "label some outputs as right or wrong")
        return sentence(f"unknown: {ask}")
    text = interval_text(success.value, success.low, success.high, success.unit)
    rated = report.detail("success_share", "labelled_share")
    is_test = report.detail("success_share", "tested_share") == 1
    if not is_test and rated and rated < 1:
        scored = report.detail("success_share", "scored_traces") or 0
        text += f", by the {count(scored)} ({share(rated)}) that were rated"
    return sentence(text)


def coverage_line(readings: Sequence[FileReading]) -> str:
    """Say how many calls have each field; empty where nobody counted."""
    read = [reading for reading in readings if reading.traces]
    covered = [reading.coverage for reading in read if reading.coverage]
    if not covered:
        return ""
    parts = []
    for name in Coverage.model_fields:
        many = sum(getattr(coverage, name) for coverage in covered)
        parts.append(f"{name} {count(many)}")
    every = count(sum(reading.traces for reading in read))
    formats = listing(formats_of(read))
    return f"Read as {formats}: {', '.join(parts)} of {every}."


def formats_of(readings: Sequence[FileReading]) -> list[str]:
    """The formats that traces were read from, each once."""
    return unique(reading.format for reading in readings if reading.traces)


def coverage_table(readings: Sequence[FileReading]) -> b.Table | None:
    """How many calls of each file have each field; None where nobody counted."""
    names = list(Coverage.model_fields)
    rows = []
    for reading in readings:
        if reading.coverage and reading.traces:
            file = f"{reading.name} ({reading.format})"
            counts = [count(getattr(reading.coverage, name)) for name in names]
            rows.append([file, count(reading.traces), *counts])
    if not rows:
        return None
    titles = ["File", "#Calls", *(f"#{name.capitalize()}" for name in names)]
    return b.table("What each file says", titles, rows)


def prompt_table(report: MeasureReport) -> b.Table | None:
    """Each prompt version with its days and the price of its calls; None for a single version."""
    series = report.series("prompt_versions")
    if series is None or len(series.columns["prompt"]) < 2:
        return None
    rows = []
    for place, name in enumerate(series.columns["prompt"]):
        version = {column: cells[place] for column, cells in series.columns.items()}
        row = (
            str(name),
            count(float(version["calls"])),
            str(version["first"]),
            _price(version["usd"], version["usd_low"], version["usd_high"]),
            _tokens(version["input_tokens"]),
            _tokens(version["output_tokens"]),
        )
        rows.append(row)
    titles = "Prompt | #Calls | Since | #USD a call | #Tokens in | #Tokens out"
    return b.table("What a call costs by prompt", titles, rows)


def _price(usd: object, low: object, high: object) -> str:
    """A price with its interval, where both ends are known."""
    if not isinstance(usd, int | float):
        return _UNKNOWN
    text = small_usd(usd)
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return text
    first = small_usd(low)
    last = small_usd(high)
    if first == last == text:
        return text
    return f"{text} ({first}–{last})"


def _tokens(number: object) -> str:
    return count(number) if isinstance(number, int | float) else _UNKNOWN


def next_line(report: MeasureReport, case: str) -> str:
    """The next step for a case that was made from this log, with the questions still open."""
    text = f"Next: tuneworthy decide {case}"
    if report.before is not None or not report.left:
        return text
    minutes = sum(report.left.values())
    questions = counted(len(report.left), "question")
    verb = "is" if len(report.left) == 1 else "are"
    return f"{text} (made from this log: {questions} {verb} left, {minutes} min)"


def unread_line(report: MeasureReport) -> str:
    """The names of unused fields, each once; empty where all fields were used."""
    names: list[str] = []
    for fields in report.unread.values():
        names += fields
    if names:
        return f"Not read: {listing(unique(names))}."
    return ""
