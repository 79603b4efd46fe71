"""What ``measure`` shows: the log, its bill and failures, measurements, and what they change."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from tuneworthy.errors import argument
from tuneworthy.llm.prices import catalogue
from tuneworthy.model.base import Unknown, json_text
from tuneworthy.model.case import Price
from tuneworthy.model.dossier import (
    CheckResult,
    Dossier,
    FactorResult,
    SignalResult,
)
from tuneworthy.model.evidence import (
    Coverage,
    Evidence,
    FileReading,
    Measured,
    PromptArm,
    Series,
    Skipped,
)
from tuneworthy.model.lab import Contrast
from tuneworthy.report import blocks as b
from tuneworthy.report.named import named
from tuneworthy.report.sections.common import Rows, moved
from tuneworthy.report.sections.evidence import (
    STEPS,
    between_days,
    evidence_rows,
    measured_name,
    measurements,
    series_of,
    steps_table,
)
from tuneworthy.report.sections.lab import difference_text
from tuneworthy.report.text import REST
from tuneworthy.report.width import shows_details
from tuneworthy.verdict.headline import ANSWER_WORDS
from tuneworthy.words import (
    capital,
    count,
    counted,
    cut,
    day,
    few,
    interval_text,
    listing,
    quality,
    quality_interval,
    sentence,
    several,
    share,
    signed,
    small_usd,
    unique,
)


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


def measure_dict(report: MeasureReport) -> str:
    """The run as JSON: the readings, the evidence as in the dossier, and the pictures."""
    run = report.measured.model_dump(mode="json", by_alias=True)
    whole = report.dossier.to_dict()
    return json_text(
        {
            "schema": run["schema"],
            "inputs": run["inputs"],
            "added": report.added,
            "case": whole["case"],
            "outcome": whole["verdict"]["outcome"],
            "readings": run["readings"],
            "evidence": whole["evidence"],
            "series": run["series"],
        }
    )


def measure_report(report: MeasureReport, *, examples: bool = False) -> b.Document:
    """The document of ``measure``: the log, measurements, gaps, and the effect on the verdict.

    The first screen has the model with its end, the bill, the latency, the failures, how often it
    works, and how much of the log was read; the rest are details.
    """
    sections: list[b.Section] = []
    if examples:  # whoever asks for examples sees them first
        shown = _examples(report)
        sections.append(b.section("examples", "Examples to learn from", shown))
    sections.append(b.section("first", "", b.facts(_first_rows(report))))
    sections.append(b.section("read", "", _read(report)))
    if report.before is not None:
        moved_by = b.bullets(_verdict(report.dossier, report.before))
        sections.append(b.section("verdict", "The verdict", moved_by))
    more = b.facts(_more_rows(report))
    sections.append(b.section("quick", "More of it", more, detail=True))
    tables = (_coverage_table(report.measured.readings), _prompt_table(report))
    sections.append(b.section("files", "By file and prompt", tables, detail=True))
    sections += (_measurements(report), _not_measured(report))
    return b.Document("", _heading(report), sections, after=_after(report))


def _first_rows(report: MeasureReport) -> Rows:
    """The bill, the latency, the failures, and how often it works; for a test its arms first."""
    arms = report.series("arms")
    if arms is not None:
        yield from _arm_rows(report, arms)
    yield "The bill", sentence(_bill_text(report))
    late = report.known_measurement("latency_p95_s")
    if late is not None:
        yield "p95", interval_text(late.value, late.low, late.high, late.unit)
    wrong = [*_went_wrong(report)]
    if wrong:
        yield "Went wrong", ", ".join(wrong)
    if arms is None:
        yield "Success", _success(report)
    else:
        yield "What decides", sentence(_decides(report))


def _more_rows(report: MeasureReport) -> Rows:
    """The price of a call, the kind of answers, languages and gaps, caching, and what decides."""
    cost = _call_cost(report)
    if cost is not None:
        yield "A call costs", _price(cost.usd, cost.low, cost.high)
    texts = {
        "The answers": _answers_text(report),
        "The texts": _texts_text(report),
        "Caching": _caching_text(report),
    }
    if not report.arms:  # a test has it on its first screen
        texts["What decides"] = _decides(report)
    for label, text in texts.items():
        if text:
            yield label, sentence(text)


def _after(report: MeasureReport) -> list[str]:
    """The next command, and the way to show the details."""
    case = argument(report.folder)
    if _best(report) is None:
        after = [_next_line(report, case)]
    else:  # a share was measured that a target could be compared with
        target = f"tuneworthy answer {case} targets.quality.at_least=SHARE"
        after = [f"Next: {target}, then: tuneworthy decide {case}"]
    if not shows_details():
        after.append(REST)
    return after


def _next_line(report: MeasureReport, case: str) -> str:
    """The next step for a case that was made from this log, with the questions still open."""
    text = f"Next: tuneworthy decide {case}"
    if report.before is not None or not report.left:
        return text
    minutes = sum(report.left.values())
    questions = counted(len(report.left), "question")
    verb = "is" if len(report.left) == 1 else "are"
    return f"{text} (made from this log: {questions} {verb} left, {minutes} min)"


_LONGEST_NAME = 40  #: Characters of a model's or a prompt's name.
_MOST_MODELS = 3  #: Models that the heading names.
#: The beginning of a prompt's name where its log gives it none.
_UNNAMED = "system "
_UNKNOWN = "unknown"


def _heading(report: MeasureReport) -> str:
    """Say how many calls were read, of which days, models and prompts."""
    text = _size(report)
    days: set[date] = set()
    for evidence in report.measured.evidence:
        days |= {on for on in (evidence.since, evidence.observed_on) if on is not None}
    if days:
        text += f", {between_days(min(days), max(days))}"
    who = [*_models(report), *_prompts(report)]
    if who:
        text += f": {', '.join(who)}"
    return f"{text}{_drawn_text(report)}."


def _size(report: MeasureReport) -> str:
    """The number of calls; for a test, of answers, and of cases if every prompt ran on the same."""
    calls = sum(reading.traces for reading in report.measured.readings)
    arms = report.series("arms")
    if arms is None:
        return counted(calls, "call")
    answers = counted(calls, "answer")
    lead = report.measurement("best_arm_lead")
    same_cases = report.arms == 1 or lead.details.get("same_cases") is True
    if not same_cases or _not_compared(report):
        return answers
    cases = max(float(number) for number in arms.columns["cases"])
    return f"{answers} to {counted(cases, 'case')}"


def _drawn_text(report: MeasureReport) -> str:
    """Say which part of the conversations was measured; empty where it was all of them."""
    for evidence in report.measured.evidence:
        part = evidence.details.get("drawn_share")
        if isinstance(part, float) and part:  # one draw holds for all measurements
            return f". Measured {100 * part:g}% of their conversations, drawn by hash"
    return ""


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


WENT_WRONG = {
    "error_share": "failed",
    "cut_off_share": "cut off",
    "refusal_share": "refused",
    "retry_share": "asked again",
    "refused_tool_call_share": "tool calls with an error",
    "invalid_output_share": "not in form",
}
"""The word for each kind of failed call, by the measurement of its share."""


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


def _read(report: MeasureReport) -> Iterator[b.Parts]:
    """How much of the log was used, which records were left out, and what was written."""
    yield _coverage_line(report.measured.readings)
    unread = [name for fields in report.unread.values() for name in fields]
    if unread:
        yield f"Not read: {listing(unique(unread))}."
    skipped = [
        _skipped_text(skipped)
        for reading in report.measured.readings
        for skipped in reading.skipped
    ]
    yield b.bullets(skipped)
    is_new_case = report.before is None
    map_file = f"{report.folder}/map.yaml" if is_new_case else "a file for --map"
    for name, rows in report.guessed.items():
        yield (
            f"The fields of {name} are a guess. If these are not its records, correct "
            f"{map_file}:"
        )
        yield b.bullets(rows)
    if is_new_case:
        yield f"Wrote {report.folder}/"
    elif not report.added:
        yield "The same was measured before: nothing is added to the ledger."


_MOST_PLACES = 3  #: Records of one kind whose places are named.


def _skipped_text(skipped: Skipped) -> str:
    """How many records were left out, wholly or in part, why, and where the first ones are."""
    records = counted(skipped.n, "record")
    what = records if skipped.in_part else f"left out {records},"
    text = f"{what} {skipped.predicate}"
    if not skipped.where:
        return text
    places = list(skipped.where[:_MOST_PLACES])
    if skipped.n > len(places):
        places.append("…")
    return f"{text}: {', '.join(places)}"


def _coverage_line(readings: Sequence[FileReading]) -> str:
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
    formats = listing(unique(reading.format for reading in read))
    return f"Read as {formats}: {', '.join(parts)} of {every}."


def _coverage_table(readings: Sequence[FileReading]) -> b.Table | None:
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


def _prompt_table(report: MeasureReport) -> b.Table | None:
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
            _tokens_cell(version["input_tokens"]),
            _tokens_cell(version["output_tokens"]),
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


def _tokens_cell(number: object) -> str:
    return count(number) if isinstance(number, int | float) else _UNKNOWN


def _measurements(report: MeasureReport) -> b.Section:
    """The measurements of this run, in detail."""
    measured_now = {m.id for m in report.measured.evidence if m.is_known}
    results = [
        result for result in measurements(report.dossier) if result.id in measured_now
    ]
    rows = evidence_rows(report.dossier, results)
    title = "Measured, with 95% intervals"
    cells = "{title} | {value} | {bears}"
    table = b.records(title, "Measured | Value | What it says", cells, rows, quiet=True)
    return b.section("measured", title, table, detail=True)


def _not_measured(report: MeasureReport) -> b.Section:
    """The needs of the missing measurements; those with the same need share a line."""
    names_by_need: dict[str, list[str]] = {}
    for evidence in report.measured.evidence:
        if isinstance(evidence.value, Unknown):
            names = names_by_need.setdefault(evidence.value.ask, [])
            names.append(measured_name(evidence.id))
    needs = [f"{', '.join(names)}: {need}" for need, names in names_by_need.items()]
    title = "Not measured, and what would be needed"
    items = b.bullets(needs) if needs else None
    return b.section("open", title, items, detail=True)


def _verdict(after: Dossier, before: Dossier) -> Iterator[str]:
    """Lines on what the measurements changed in the verdict."""
    was = ANSWER_WORDS[before.verdict.answer]
    now = ANSWER_WORDS[after.verdict.answer]
    yield f"answer: {moved(was, now)}"
    changes = _answer_changes(after, before)
    if changes:
        shown = changes[:_MOST_CHANGES]
        if len(changes) > _MOST_CHANGES:
            shown.append(f"and {few(len(changes) - _MOST_CHANGES)} more")
        yield f"changed: {', '.join(shown)}"
    ids = [challenge.id for challenge in after.challenges]
    against = [name for name in ids if name.startswith(("measured_", "need_"))]
    if against:
        verb = "doesn't" if len(against) == 1 else "don't"
        statements = several(len(against), "statement")
        yield f"{statements} {verb} fit what was measured"
    if "evidence_old" in ids:
        yield "the measurements are old: measure newer data"


_MOST_CHANGES = 8  #: Answers that changed, in the line about them.


def _answer_changes(after: Dossier, before: Dossier) -> list[str]:
    """Each answer of both dossiers whose state changed."""
    were = _answers_of(before)
    changes = []
    for name, answer in _answers_of(after).items():
        was = were.get(name)
        if was is not None and was.state != answer.state:
            changes.append(f"{answer.title} {was.state} → {answer.state}")
    return changes


def _answers_of(
    dossier: Dossier,
) -> dict[str, CheckResult | FactorResult | SignalResult]:
    return {**dossier.ceiling.checks, **dossier.factors, **dossier.signals}


def _examples(report: MeasureReport) -> Iterator[b.Parts]:
    """The examples that a log would give, and why others were left out."""
    usable = report.known_measurement("usable_examples")
    series = report.series("examples_waterfall")
    if usable is None or series is None:
        ask = report.ask("usable_examples", "log `output`, what the model wrote")
        yield b.Todo(ask)
        return
    yield steps_table(series)
    if isinstance(usable.high, float) and usable.high > usable.number:
        yield "Over half are near copies, perhaps from a template: this count gives no conclusion"
    need = report.detail("usable_examples", "need")
    if need is None:
        yield "How many are needed depends on the approach: state a goal in the case"
    else:
        candidates = (
            f"Here are {count(usable.number)} candidates that nobody has reviewed"
        )
        yield f"The approach of the primary goal needs {count(need)}. {candidates} (data.training)"
    personal = usable.details.get("personal_share")
    if isinstance(personal, float) and personal > 0 and usable.low is not None:
        yield (
            f"{share(personal)} of those looked at hold personal or secret data: at least "
            f"{count(usable.low)} are usable as they are, the rest after cleaning"
        )
    for reason, texts in _left_out(usable.examples).items():
        yield b.part(f"Left out: {reason}", b.bullets(texts))


def _left_out(samples: Sequence[str]) -> dict[str, list[str]]:
    """Samples of what is no example, by the reason; a sample begins with the id of its step."""
    by_reason: dict[str, list[str]] = {}
    for sample in samples:
        step, colon, text = sample.partition(": ")
        reason = ""
        if colon and step in STEPS:
            reason = STEPS[step]
        else:  # the colon is the text's own
            text = sample
        by_reason.setdefault(reason, []).append(text or "(empty)")
    return by_reason


_EXAMPLE_CALLS = 10_000  #: Per month, for a log whose traffic is unknown.
_MILLION = 1e6  #: Prices are per million tokens.
#: Runs of the best prompt that its mean cost takes: as many as any measurement.
ENOUGH_RUNS = 20

_LOG = "log the `usd` of every call, or its `model`, `input_tokens` and `output_tokens`"


class _CallCost(NamedTuple):
    """The cost of a call in USD with its ends, and the words behind it: how it is known."""

    usd: float
    low: float
    high: float
    how: str


def _bill_text(report: MeasureReport) -> str:
    """The bill of a month, which is the most that tuning could save; or what it lacks."""
    cost = _call_cost(report)
    month = report.known_measurement("usd_per_month") or report.known_measurement(
        "listed_usd_per_month"
    )
    if cost is None and month is None:
        return f"unknown: {_bill_lacks(report)}"
    if month is not None and not report.arms:
        least = "at least " if month.high == "open" else ""
        bill = f"{least}{small_usd(month.number)} per month"
    else:
        assert cost is not None  # a test has no month, and else there is no bill
        bill = _monthly(report, cost.usd)
    how = ""
    if cost is not None:
        how = cost.how
    elif report.detail("usd_per_request", "by_list"):
        how = " by list price"
    return f"{bill}{how}: the most that tuning could save"


def _call_cost(report: MeasureReport) -> _CallCost | None:
    """The cost of a call: as reported for the best arm or for all, or else by list price."""
    return _cost_of_best(report) or _logged_cost(report) or _listed_cost(report)


def _answers_text(report: MeasureReport) -> str:
    """Say what kind of answers the log has, and what that calls for; empty where it is unknown."""
    form = report.known_measurement("fixed_form_share")
    facts = report.known_measurement("own_facts_share")
    copied = report.known_measurement("copied_share")
    repeated = report.known_measurement("repeated_answer_share")
    parts = []
    if form is not None and form.number >= _MOSTLY:
        forms = _forms_text(form)
        parts.append(
            f"{share(form.number)} are {forms}: a fixed form, which examples teach"
        )
    elif facts is not None and facts.number >= _MOSTLY:
        text = f"{share(facts.number)} in prose state a number or a name that nothing they were "
        parts.append(f"{text}given holds: facts, which belong in retrieval")
    if repeated is not None and repeated.number >= _MOSTLY:
        parts.append(
            f"{share(repeated.number)} in prose are another conversation's, word for word"
        )
    if copied is not None and copied.number >= _MOSTLY:
        parts.append(
            f"{share(copied.number)} are copied from a passage, for the most part"
        )
    return "; ".join(parts)


def _forms_text(form: Evidence) -> str:
    """The fixed forms that answers have, the most frequent first."""
    shares = {
        name: form.details[kind]
        for kind, name in _FORMS.items()
        if kind in form.details
    }
    by_share = sorted(shares, key=lambda name: (shares[name], name), reverse=True)
    return listing(by_share)


def _texts_text(report: MeasureReport) -> str:
    """What several languages, and cases that the evaluation set lacks, call for; empty for neither."""
    parts = [_languages_text(report)]
    for name, what in _GAPS.items():
        gap = report.known_measurement(name)
        if gap is not None and float(gap.low or 0) >= _SOME:
            interval = interval_text(gap.value, gap.low, gap.high, "share")
            parts.append(f"{interval} {what}")
    return ". ".join(capital(part) for part in parts if part)


def _languages_text(report: MeasureReport) -> str:
    """Say how many questions are in which other languages; empty where there are hardly any."""
    other = report.known_measurement("other_language_share")
    series = report.series("languages")
    if other is None or series is None or float(other.low or 0) < _SOME:
        return ""
    shares = dict(zip(series.columns["language"], series.columns["value"], strict=True))
    first, *others = shares  # the most frequent first
    codes = [str(code) for code in others if float(shares[code]) >= _SOME]
    text = interval_text(other.value, other.low, other.high, "share")
    return (
        f"{text} of the {count(other.n)} questions with a known language aren't in {first} "
        f"but in {listing(codes or ['others'])}: examples and the evaluation set need each language"
    )


def _caching_text(report: MeasureReport) -> str:
    """The share of tokens that a cache could read, and the money that would save."""
    cacheable = report.known_measurement("cacheable_share")
    if cacheable is None:
        ask = report.ask("cacheable_share", "log messages with a timestamp")
        return f"unknown: {ask}"
    unit = "share of input tokens"
    text = interval_text(cacheable.value, cacheable.low, cacheable.high, unit)
    text += " could be read from a cache"
    read_today = 0.0
    cached = report.known_measurement("cached_share")
    if cached is not None:
        read_today = cached.number
        text += f", and {share(read_today)} is today"
    saved_usd = _saved_by_cache(report, cacheable.number - read_today)
    if saved_usd is not None:
        text += f". That would save {_monthly(report, saved_usd)} by list price"
    return text


def _saved_by_cache(report: MeasureReport, more: float) -> float | None:
    """USD per call that are saved where a cache reads so much more of the input, by list price."""
    price = report.price
    tokens = _tokens(report, "input_tokens")
    if price is None or price.cached_input is None or tokens is None or more <= 0:
        return None
    return more * tokens.number * (price.input - price.cached_input) / _MILLION


def _monthly(report: MeasureReport, usd_per_call: float) -> str:
    """A cost per call as a cost per month; for an example volume where the volume is unknown.

    The volume of a test says nothing of the traffic, and a part of a call can't be a month's.
    """
    volume = report.known_measurement("requests_per_month")
    if volume is None or report.arms or volume.number < 1:
        amount = small_usd(usd_per_call * _EXAMPLE_CALLS)
        return f"{amount} per month at {count(_EXAMPLE_CALLS)} calls"
    amount = small_usd(usd_per_call * volume.number)
    if volume.high == "open":
        return f"at least {amount} per month"
    return f"{amount} per month"


def _cost_of_best(report: MeasureReport) -> _CallCost | None:
    """The mean cost of the best of several arms; None for one arm, and for too few runs."""
    usd = report.detail("best_arm_share", "best_usd_per_run")
    low = report.detail("best_arm_share", "best_usd_per_run_low")
    high = report.detail("best_arm_share", "best_usd_per_run_high")
    runs = report.detail("best_arm_share", "best_runs") or 0
    if (
        report.arms < 2
        or runs < ENOUGH_RUNS
        or usd is None
        or low is None
        or high is None
    ):
        return None
    return _CallCost(float(usd), float(low), float(high), " with the best")


def _logged_cost(report: MeasureReport) -> _CallCost | None:
    """The mean cost of the calls, as they state it; None without an interval."""
    logged = report.known_measurement("usd_per_request")
    if logged is None or logged.low is None or not isinstance(logged.high, int | float):
        return None
    how = ""
    if logged.details.get("by_list"):
        how = f" by list price ({catalogue()})"
    return _CallCost(logged.number, logged.low, logged.high, how)


def _listed_cost(report: MeasureReport) -> _CallCost | None:
    """The cost of a call by its tokens and the list price; None where one of them is unknown."""
    price = report.price
    read = _tokens(report, "input_tokens")
    written = _tokens(report, "output_tokens")
    if price is None or read is None or written is None:
        return None
    usd_per_read = price.input
    cached = report.known_measurement("cached_share")
    if cached is not None and price.cached_input is not None:
        part = cached.number
        usd_per_read = price.input * (1 - part) + price.cached_input * part

    def cost(tokens_read: float, tokens_written: float) -> float:
        usd = tokens_read * usd_per_read + tokens_written * price.output
        return usd / _MILLION

    over = ", over all that were tried" if report.arms > 1 else ""
    return _CallCost(
        cost(read.number, written.number),
        cost(read.low or 0.0, written.low or 0.0),
        cost(_upper_end(read), _upper_end(written)),
        f" by list price ({price.catalogue}){over}",
    )


def _tokens(report: MeasureReport, name: str) -> Evidence | None:
    """Tokens as reported, else as estimated; None where both are unknown."""
    return report.known_measurement(name) or report.known_measurement(
        f"{name}_estimate"
    )


def _upper_end(evidence: Evidence) -> float:
    """The upper end of an interval; infinite where it has none."""
    if isinstance(evidence.high, int | float):
        return float(evidence.high)
    return math.inf


def _bill_lacks(report: MeasureReport) -> str:
    """The log entries that are missing to know the bill."""
    per_request = report.measurement("usd_per_request")
    if per_request.details and not per_request.is_known:
        return report.ask("usd_per_request", _LOG)
    read = _tokens(report, "input_tokens")
    written = _tokens(report, "output_tokens")
    if read is None or written is None:
        lacking = "input_tokens" if read is None else "output_tokens"
        return f"{report.ask(lacking, _LOG)}, or log the `usd` of every call"
    models = report.models
    if len(models) > 1:
        many = few(len(models))
        return (
            f"log the `usd` of every call: {many} models answered, at different list "
            "prices"
        )
    if models:
        (name,) = models
        text = f"log the `usd` of every call: no list price is known for {name}"
        if ":" in name:  # it already has its provider
            return text
        return f"{text}. Name it with its provider, as {_likely_maker(name)}:{name}"
    whose = "but whose they are isn't logged: log its `model`, or its `usd`"
    return f"a call takes {_tokens_text(read, written)}, {whose}"


def _likely_maker(model: str) -> str:
    """The provider that a model's name suggests; for any other name, the one with most models."""
    for beginning, maker in _MAKERS.items():
        if model.startswith(beginning):
            return maker
    return "openai"


def _tokens_text(read: Evidence, written: Evidence) -> str:
    """The mean tokens of a call, read and written; ``about`` where some are estimated."""
    text = f"{count(read.number)} tokens in and {count(written.number)} out"
    if read.details.get("reported") and written.details.get("reported"):
        return text
    return f"about {text}"


_MAKERS = {
    "claude": "anthropic",
    "gemini": "google",
    "mistral": "mistral",
    "command": "cohere",
}
_MOSTLY = 0.5  # share of answers from which on a sentence mentions them
_SOME = 0.01  # share of questions from which on a language is named
_GAPS = {
    "evalset_language_gap": "are in a language of which the evaluation set has no case",
    "evalset_length_gap": "are longer than every case of the evaluation set",
}
_FORMS = {
    "label": "labels",
    "json": "JSON",
    "sql": "SQL",
    "tool_call": "calls of tools",
}
"""The words for each fixed form, by the detail that has its share."""

_MOST_TESTS = 5  #: Tests whose best arm has a row.


def _arm_rows(report: MeasureReport, arms: Series) -> Rows:
    """The best arm, the next, and whether they can be distinguished; or the best of each test."""
    if "test" in arms.columns:
        yield from _test_rows(report, arms)
        return
    if report.arms == 1:
        yield "So far", _arm(arms, 0)
    else:
        yield "Best so far", _arm(arms, 0)
        yield "Next best", _arm(arms, 1)
        yield "Difference", sentence(_apart(report))
    more = _not_compared(report)
    if more:
        text = f"{few(more)} more, which share no case with these"
        yield "Not compared", sentence(text)


def _test_rows(report: MeasureReport, arms: Series) -> Rows:
    """The best arm of each of several tests, which share no case."""
    tests = arms.columns["test"]
    # arms come by test, the best of each first
    firsts = [place for place, test in enumerate(tests) if test not in tests[:place]]
    for place in firsts[:_MOST_TESTS]:
        has_others = tests.count(tests[place]) > 1
        best = "best so far: " if has_others else ""
        yield f"Test {tests[place]}", f"{best}{_arm(arms, place)}"
    ask = report.ask("best_arm_share", "measure each test by itself")
    yield "Not compared", sentence(ask)


def _not_compared(report: MeasureReport) -> int:
    """The number of prompts with models that weren't compared."""
    every = report.detail("best_arm_share", "arms")
    return 0 if every is None else int(every) - report.arms


def _arm(arms: Series, place: int) -> str:
    """One arm of a log in words: its name, quality, cases and failed calls."""
    row = {name: column[place] for name, column in arms.columns.items()}
    prompt = cut(str(row.get("prompt", "")), _LONGEST_NAME)
    model = cut(str(row.get("model", "")), _LONGEST_NAME)
    parts = []
    if prompt:
        parts.append(f'prompt "{prompt}"')
    if model:
        parts.append(f"on {model}")
    name = " ".join(parts) or "the prompt"
    score = quality_interval(
        float(row["value"]), float(row["low_of_all"]), float(row["high_of_all"])
    )
    text = f"{name}: {score} on {counted(float(row['cases']), 'case')}"
    errors = int(row.get("errors", 0))
    if errors:
        calls = count(float(row["runs"]))
        text += f". {capital(few(errors))} of {calls} calls failed"
    return text


def _apart(report: MeasureReport) -> str:
    """The difference of the two best arms, and how many more cases would distinguish them."""
    lead = report.measurement("best_arm_lead")
    if not lead.is_known or lead.low is None or not isinstance(lead.high, int | float):
        return report.ask("best_arm_lead", "can't be distinguished")
    where = ""
    if lead.details.get("best_errors") or lead.details.get("next_errors"):
        where = " where both answered"
    interval = f"({signed(lead.low)} to {signed(lead.high)})"
    difference = f"{signed(lead.number)}{where} {interval}"
    if lead.details.get("told_apart") == "yes":
        return f"{difference}, distinguished"
    needed = report.detail("best_arm_lead", "cases_needed")
    if needed is None or needed <= lead.n:
        return f"{difference}, can't be distinguished by more such cases"
    more = int(needed) - lead.n
    cases = "case is" if more == 1 else "cases are"
    return (
        f"{difference}, can't be distinguished: about {count(more)} more paired {cases} "
        "needed"
    )


def _best(report: MeasureReport) -> Evidence | None:
    """The share of right answers that a target could be compared with.

    None where nobody measured one, or where a target or an answer exists already.
    """
    met = report.dossier.factors.get("success_with_prompts")
    is_open = met is not None and met.state == "unknown"
    target = report.dossier.targets.get("quality")
    has_target = target is not None and not isinstance(target.limit, Unknown)
    if not is_open or has_target:
        return None
    best_arm = report.known_measurement("best_arm_share")
    if best_arm is not None:
        return best_arm
    if report.detail("success_share", "tested_share") == 1:
        return report.known_measurement("success_share")
    return None  # the success of a log isn't that of a test


def _decides(report: MeasureReport) -> str:
    """The question that decides next."""
    dossier = report.dossier
    best = _best(report)
    if best is not None:
        low = quality(float(best.low or 0))
        high = quality(float(best.high)) if isinstance(best.high, int | float) else "1"
        return (
            f"is {quality(best.number)} good enough? A target up to {low} is met already, one "
            f"above {high} is missed, and in between more cases decide. State it as "
            "targets.quality.at_least"
        )
    if dossier.next_questions:
        next_question, *_ = dossier.next_questions
        return next_question.ask
    now = dossier.verdict.now.removeprefix("Now: ")
    return now.replace("CASE", argument(report.folder))


# Two arms of existing results.


class ComparedOutcome(NamedTuple):
    """The outcome of a comparison in the terms of ``verify``, and the reason."""

    outcome: str
    why: str


class ComparedReport(NamedTuple):
    """An arm compared with its baseline, on existing results."""

    arm: PromptArm
    baseline: PromptArm
    contrast: Contrast
    lacking: tuple[int, int]  #: Cases of the other that arm and baseline lack.
    margin: float  #: By how much the arm has to be better; below 0 by how much it may be worse.
    shared: bool  #: Whether cases that one of them lacks are left out.
    by_text: bool  #: Whether cases were matched by what was asked.

    @property
    def outcome(self) -> ComparedOutcome:
        """The outcome by the interval of the difference, and the reason."""
        contrast = self.contrast
        if isinstance(contrast.difference, Unknown):
            return ComparedOutcome("too_few_cases", "clusters")
        if contrast.low > self.margin:
            # below 0, the margin is what the arm may be worse by
            better = "no_worse" if self.margin < 0 else "improved"
            return ComparedOutcome(better, "task")
        if contrast.high < min(0.0, self.margin):
            return ComparedOutcome("regressed", "task")
        if contrast.high <= self.margin:
            return ComparedOutcome("no_gain", "task")
        if self.arm.errors or self.baseline.errors:
            # failed calls may be wrong or right, which widens the interval
            return ComparedOutcome("unknown", "unanswered")
        return ComparedOutcome("too_few_cases", "interval")


_COMPARED = named("compared")


def compared_dict(report: ComparedReport) -> str:
    """The comparison of two arms as JSON."""
    outcome, why = report.outcome
    arm_lacks, baseline_lacks = report.lacking
    contrast = report.contrast.model_dump(mode="json", exclude={"first", "second"})
    return json_text(
        {
            "schema": "tuneworthy/compared/1",
            "outcome": outcome,
            "why": why,
            "margin": report.margin,
            "shared_cases_only": report.shared,
            "matched_by": "input" if report.by_text else "case",
            **contrast,
            "arm": report.arm.model_dump(mode="json"),
            "baseline": report.baseline.model_dump(mode="json"),
            "lacking": {"arm": arm_lacks, "baseline": baseline_lacks},
        }
    )


def compared_report(report: ComparedReport) -> b.Document:
    """Both arms with their intervals, the difference, and the conclusion."""
    outcome, why = report.outcome
    headline = sentence(_COMPARED.get(outcome) or _COMPARED[why])
    rows = b.facts(_compared_rows(report))
    return b.Document("", headline, [b.section("compared", "", rows)])


def _compared_rows(report: ComparedReport) -> Rows:
    """The rows of a comparison, and what it can't show."""
    contrast = report.contrast
    arm_lacks, baseline_lacks = report.lacking
    yield "Arm", _compared_arm(contrast.first, report.arm, arm_lacks)
    yield "Baseline", _compared_arm(contrast.second, report.baseline, baseline_lacks)
    margin = f"; margin {signed(report.margin)}" if report.margin else ""
    yield "Difference", f"{difference_text(contrast)}{margin}"
    cases = counted(contrast.n, "case")
    if contrast.clusters < contrast.n:
        cases += f" from {counted(contrast.clusters, 'conversation or document')}"
    if report.by_text:
        by = "by what was asked, as no record names its case"
    else:
        by = "by their names"
    yield "Paired", f"on {cases}, matched {by}"
    if report.outcome.why == "interval" and not isinstance(
        contrast.cases_needed, Unknown
    ):
        # so many cases weren't enough, whatever the estimate says
        needed = count(max(contrast.cases_needed, contrast.n + 1))
        yield "Needed", f"about {needed} cases, to tell that difference from zero"
    if arm_lacks or baseline_lacks:
        yield "Lacking", "counts as failed. --shared leaves such cases out"
    yield (
        "Not seen",
        "how these cases were chosen, and general skills: it is not evidence of a case",
    )


def _compared_arm(name: str, arm: PromptArm, lacking: int) -> str:
    """An arm with its quality, its failed calls, and the cases that it lacks."""
    score = quality_interval(arm.value, arm.low, arm.high)
    text = f"{name}: {score} on {counted(arm.cases, 'case')}"
    failed = arm.errors - lacking  # a case that it lacks counts as an error, too
    if failed:
        calls = counted(arm.runs - lacking, "call")
        text += f". {capital(few(failed))} of {calls} failed or have no score"
    if lacking:
        text += f". {counted(lacking, 'case')} lacking"
    return text
