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
)

_LONGEST_NAME = 40
_MOST_MODELS = 3
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
        nothing = Evidence(id=name, value=Unknown(ask=""), unit="none")
        return next((m for m in self.measured.evidence if m.id == name), nothing)

    def known_measurement(self, name: str) -> Evidence | None:
        evidence = self.measurement(name)
        return evidence if evidence.is_known else None

    def count(self, name: str) -> float | None:
        """The number of names that a measurement lists, else its value; None where it is unknown."""
        evidence = self.measurement(name)
        names = self.measurement(name).details.get("names")
        if isinstance(names, int):
            return names
        if evidence.is_known:
            return evidence.number
        return None

    def detail(self, name: str, number: str) -> float | None:
        """A further number of a measurement; None where it is unknown."""
        value = self.measurement(name).details.get(number)
        return value if isinstance(value, int | float) else None

    def ask(self, name: str, otherwise: str) -> str:
        value = self.measurement(name).value
        return (isinstance(value, Unknown) and value.ask) or otherwise

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
    days = sorted(
        {d for m in report.measured.evidence for d in (m.since, m.observed_on) if d}
    )
    when = f", {between_days(days[0], days[-1])}" if days else ""
    return f"{counted(traces, 'call')}{when}{_who(report)}."


def _who(report: MeasureReport) -> str:
    parts = [*_models(report), *_prompts(report)]
    return f": {', '.join(parts)}" if parts else ""


def _models(report: MeasureReport) -> Iterator[str]:
    names = [name for name in report.models if not _is_alias(name, report.models)]
    named = names[:_MOST_MODELS]
    for name in named:
        end = report.ends.get(name)
        yield f"{cut(name, _LONGEST_NAME)}{f' (ends {day(end)})' if end else ''}"
    more = len(names) - len(named)
    if more:
        yield f"{few(more)} more"


def _is_alias(name: str, names: Sequence[str]) -> bool:
    """Whether a name is short for a dated one: failed calls have the name that was requested."""
    return any(other.startswith(f"{name}-20") for other in names)


def _prompts(report: MeasureReport) -> Iterator[str]:
    """The prompt version in use, and the one before it."""
    series = report.series("prompt_versions")
    if series is None:
        return
    columns = series.columns
    names = [str(name) for name in columns["prompt"]]
    first = [str(each) for each in columns["first"]]
    if len(names) == 1:
        if not names[0].startswith(_UNNAMED):
            yield f"prompt {cut(names[0], _LONGEST_NAME)}"
        return
    if first[-1] == _UNKNOWN:
        since = ""
    else:
        since = f" since {day(date.fromisoformat(first[-1]))}"
    if len(names) == 2 and first[0] != first[1]:
        former, newest = (cut(name, _LONGEST_NAME) for name in names)
        yield f"prompt {former}, then {newest}{since}"
    elif len(set(first)) > 1:
        yield f"{few(len(names))} prompts, the newest {cut(names[-1], _LONGEST_NAME)}{since}"
    else:
        yield f"{few(len(names))} prompts"


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
    """Lines on calls that went wrong."""
    for name, what in WENT_WRONG.items():
        measured = report.known_measurement(name)
        if measured is not None:
            many = round(measured.number * measured.n)
            if many:
                yield f"{what} {count(many)} ({share(measured.number)})"
            elif name == "error_share":
                yield "none failed"


def _success(report: MeasureReport) -> str:
    """The success that the log shows, in a sentence; how to learn it where it is unknown."""
    success = report.known_measurement("success_share")
    if success is None:
        ask = report.ask("success_share", "label some outputs as right or wrong")
        return sentence(f"unknown: {ask}")
    text = interval_text(success.value, success.low, success.high, success.unit)
    rated = report.detail("success_share", "labelled_share")
    scored = report.detail("success_share", "scored_traces")
    if report.detail("success_share", "tested_share") == 1 or not rated or rated >= 1:
        return sentence(text)
    return sentence(
        f"{text}, by the {count(scored or 0)} ({share(rated)}) that were rated"
    )


def coverage_line(readings: Sequence[FileReading]) -> str:
    """Say how many calls have each field; empty where nobody counted."""
    covered = [
        reading.coverage for reading in readings if reading.coverage and reading.traces
    ]
    if not covered:
        return ""
    every = sum(reading.traces for reading in readings)
    names = Coverage.model_fields
    sums = {name: sum(getattr(each, name) for each in covered) for name in names}
    parts = [f"{name} {count(many)}" for name, many in sums.items()]
    formats = dict.fromkeys(reading.format for reading in readings if reading.traces)
    return f"Read as {listing([*formats])}: {', '.join(parts)} of {count(every)}."


def coverage_table(readings: Sequence[FileReading]) -> b.Table | None:
    """The same for each file; None where one line is enough."""
    covered = [reading for reading in readings if reading.coverage and reading.traces]
    names = [*Coverage.model_fields]
    heads = ["File", "#Calls", *(f"#{name.capitalize()}" for name in names)]
    rows = (
        (
            f"{reading.name} ({reading.format})",
            count(reading.traces),
            *(count(getattr(reading.coverage, name)) for name in names),
        )
        for reading in covered
    )
    if covered:
        return b.table("What each file says", " | ".join(heads), rows)
    return None


def prompt_table(report: MeasureReport) -> b.Table | None:
    """Each prompt version with its days and the price of its calls; None for a single version."""
    series = report.series("prompt_versions")
    if series is None or len(series.columns["prompt"]) < 2:
        return None
    rows = (
        (
            str(name),
            count(float(calls)),
            str(first),
            _price(usd, low, high),
            _tokens(read),
            _tokens(written),
        )
        for name, calls, first, usd, low, high, read, written in zip(
            *(
                series.columns[column]
                for column in (
                    *("prompt", "calls", "first", "usd", "usd_low", "usd_high"),
                    *("input_tokens", "output_tokens"),
                )
            ),
            strict=True,
        )
    )
    heads = "Prompt | #Calls | Since | #USD a call | #Tokens in | #Tokens out"
    return b.table("What a call costs by prompt", heads, rows)


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
    """The names of unused fields; empty where all fields were used."""
    names = [name for fields in report.unread.values() for name in fields]
    if names:
        return f"Not read: {listing([*dict.fromkeys(names)])}."
    return ""
