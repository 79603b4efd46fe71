"""Pictures of what was measured, each with its words and the same as a table."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tuneworthy.model.base import Unknown, json_text
from tuneworthy.model.case import Price
from tuneworthy.model.dossier import Dossier, EvidenceResult
from tuneworthy.model.evidence import Evidence, Measured, Scalar, Series
from tuneworthy.report import charts
from tuneworthy.report.blocks import Block, Bullets, Cell, Column, Fold, Part, Picture, Table, Todo
from tuneworthy.report.charts import Drawing
from tuneworthy.report.text import Paint, row, safe, table, wrapped
from tuneworthy.verdict.headline import OUTCOME_WORDS
from tuneworthy.verdict.weigh import ASK
from tuneworthy.words import (
    LIMITS,
    count,
    counted,
    few,
    interval_text,
    limit_text,
    listing,
    number,
    plain,
    quality,
    sentence,
    several,
    share,
    small_usd,
    usd,
)

# Numbers of a picture as rows, checked: a ledger is a file that anybody may have written in.

Row = dict[str, float | str | bool]
"""One row of a series: numbers are finite, an open end is ``inf``."""

_NUMBERS_MOST_ROWS = 200


def series_of(found: Sequence[Series] | Unknown, name: str) -> Series | None:
    """One picture's numbers; None where there are none."""
    if isinstance(found, Unknown):
        return None
    return next((one for one in found if one.id == name), None)


def rows_of(
    series: Series | None,
    numbers: Sequence[str],
    texts: Sequence[str] = (),
    flags: Sequence[str] = (),
) -> list[Row]:
    """A series as rows.

    Args:
        series: Its columns; None gives no rows.
        numbers: Columns of numbers, or of ``open`` for an end that isn't known.
        texts: Columns of texts.
        flags: Columns of true and false.

    Returns:
        The first 200 rows; () where a column is missing, is of another kind, or has another length,
        as in a file that something else wrote.
    """
    if series is None:
        return []
    columns: dict[str, list[float | str | bool]] = {}
    for name in (*numbers, *texts, *flags):
        values = series.columns.get(name, ())[:_NUMBERS_MOST_ROWS]
        if name in numbers:
            read = [_number(value) for value in values]
            if any(value is None for value in read):
                return []
            columns[name] = [value for value in read if value is not None]
        else:
            wanted = str if name in texts else bool
            if not all(isinstance(value, wanted) for value in values):
                return []
            columns[name] = [value for value in values if isinstance(value, str | bool)]
    sizes = {len(values) for values in columns.values()}
    if len(sizes) != 1:
        return []
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _number(value: Scalar) -> float | None:
    if value == "open":
        return math.inf
    if isinstance(value, bool | str) or not math.isfinite(value):
        return None
    return float(value)


# The steps from all answers to those that a model could learn from, in words.

STEPS = {
    "all": "answers read",
    "no_output": "without an output",
    "error": "ended in an error",
    "refused": "refused",
    "not_json": "not the JSON they should be",
    "flagged": "bad score or feedback",
    "copy": "near copies of another",
    "usable": "usable",
}
"""Why an answer is no example, by the id of the step."""

_WHOLE = ("all", "usable")


def steps_of(series: Series) -> Iterator[tuple[str, float, bool]]:
    """Words, count, and whether it is a whole rather than what is taken off; no step of none."""
    columns = series.columns
    for name, n in zip(columns.get("step", ()), columns.get("n", ()), strict=False):
        whole = name in _WHOLE
        if whole or n:
            yield STEPS.get(str(name), str(name).replace("_", " ")), float(n), whole


def parted(sample: str) -> tuple[str, str]:
    """A sample's reason, where it has one of ours in front, and its text."""
    reason, sign, text = sample.partition(": ")
    return (reason, text) if sign and reason in STEPS else ("", sample)


# Pictures of what was measured, each with its words and the same as a table.

_MOST_ARMS = 12
_MOST_VERSIONS = 20
_MOST_MONTHS = 30

Found = Sequence[Series] | Unknown


def pictures(found: Found) -> tuple[Picture, ...]:
    """Every picture there are numbers for, in the order of the road: traffic first."""
    makers: tuple[Callable[[Found], Picture | None], ...] = (
        _arms,
        _volume,
        _latency,
        _signatures,
        _voice,
        _knowledge,
        _examples,
    )
    return tuple(made for make in makers if (made := make(found)) is not None)


def _picture(
    name: str,
    title: str,
    says: str,
    drawing: Drawing | None,
    head: Sequence[tuple[str, bool]],
    rows: Iterator[tuple[str | Cell, ...]],
    key: tuple[tuple[str, str], ...] = (),
) -> Picture | None:
    """A picture with its table; None where nothing was drawn."""
    if drawing is None:
        return None
    columns = tuple(Column(words, "number" if right else "text") for words, right in head)
    return Picture(
        f"measured-{name}", title, says, drawing, Table(title, columns, tuple(rows)), key
    )


def _arms(found: Found) -> Picture | None:
    series = series_of(found, "arms")
    several = series is not None and "test" in series.columns
    numbers = ("value", "low_of_all", "high_of_all", "cases", *["test"] * several)
    rows = rows_of(series, numbers, ("prompt", "model"))[:_MOST_ARMS]
    names = [_of_test(row, _arm(row)) for row in rows]
    short = [_of_test(row, name) for row, name in zip(rows, _short(rows), strict=True)]
    return _picture(
        "arms",
        "Prompts and models side by side",
        "The mean score over the cases of the test. The bars are intervals that hold for all of "
        "them at once, because the best was picked on the same cases."
        + " Tests share no case: only what is of one test can be compared."
        * several,
        charts.arms(rows, short) if rows else None,
        (("Prompt and model", False), ("Score", True), ("Interval", True), ("Cases", True)),
        (
            (
                name,
                quality(row["value"]),
                f"{quality(row['low_of_all'])} to {quality(row['high_of_all'])}",
                count(row["cases"]),
            )
            for name, row in zip(names, map(_numbers, rows), strict=True)
        ),
    )


def _of_test(row: Row, name: str) -> str:
    """A name with the number of its test, where there are several."""
    return f"test {row['test']:.0f}: {name}" if "test" in row else name


def _arm(row: Row) -> str:
    parts = (str(row["prompt"]), str(row["model"]))
    return ", ".join(part for part in parts if part) or "the prompt"


def _short(rows: Sequence[Row]) -> list[str]:
    """Names for an axis: what all have in common is left out, and who serves a model."""
    prompts, models = ({row[name] for row in rows} for name in ("prompt", "model"))
    return [
        ", ".join(
            [str(row["prompt"])] * (len(prompts) > 1 or len(models) == 1)
            + [re.split(r"[:/]", str(row["model"]))[-1]] * (len(models) > 1)
        )
        for row in rows
    ]


def _volume(found: Found) -> Picture | None:
    series = series_of(found, "volume")
    rows = rows_of(series, ("requests", "low", "high"), ("month",), ("forecast", "whole"))
    rows = rows[-_MOST_MONTHS:]
    ahead = any(row["forecast"] for row in rows)
    part = any(not row["whole"] and not row["forecast"] for row in rows)
    says = "Requests a calendar month, as counted." + (
        " Pale bars are the forecast by the trend, with the range it should fall into in 19 months "
        "of 20."
        if ahead
        else " The log is too short, or has gaps, for a trend."
    )
    key = [("pro", "counted")] + [("open", "month that the log holds in part")] * part
    key += [("band", "forecast, with its interval")] * ahead
    return _picture(
        "volume",
        "Requests by month",
        says,
        charts.volume(rows),
        (("Month", False), ("Requests", True), ("Interval", True), ("What it is", False)),
        (
            (str(row["month"]), count(round(float(row["requests"]))), _between(row), _kind(row))
            for row in rows
        ),
        tuple(key),
    )


def _between(row: Row) -> str:
    low, high = float(row["low"]), float(row["high"])
    if math.isinf(high):
        return f"at least {count(round(low))}"
    return "" if low == high else f"{count(round(low))} to {count(round(high))}"


def _kind(row: Row) -> str:
    if row["forecast"]:
        return "forecast"
    return "counted" if row["whole"] else "counted in part of the month"


def _latency(found: Found) -> Picture | None:
    names = ("input_tokens_low", "input_tokens_high", "p50_s", "p95_s", "n")
    rows = rows_of(series_of(found, "latency_by_tokens"), names)
    return _picture(
        "latency",
        "Waiting time by length of the input",
        "Calls sorted by their input tokens and cut into groups of equal size. A line that climbs "
        "says that a shorter prompt would answer sooner.",
        charts.latency(rows),
        (("Input tokens", False), ("Median", True), ("95th percentile", True), ("Calls", True)),
        (
            (
                f"{count(row['input_tokens_low'])} to {count(row['input_tokens_high'])}",
                f"{number(row['p50_s'])} s",
                f"{number(row['p95_s'])} s",
                count(row["n"]),
            )
            for row in map(_numbers, rows)
        ),
        (("pro", "median"), ("con", "95th percentile (dashed)")),
    )


def _signatures(found: Found) -> Picture | None:
    numbers = ("outputs", "read_share", "right_share", "usual_keys_share", "different_keys")
    rows = rows_of(series_of(found, "signatures"), numbers, ("prompt",))[:_MOST_VERSIONS]
    return _picture(
        "signatures",
        "Outputs by form, for each version of the prompt",
        "How many outputs can be read as JSON, and how many of those have the right form: by the "
        "schema where there is one, else the keys that most have.",
        charts.signatures(rows),
        (
            ("Prompt", False),
            ("Outputs", True),
            ("Can be read", True),
            ("Right form", True),
            ("Forms seen", True),
        ),
        (
            (
                str(row["prompt"]),
                count(float(row["outputs"])),
                share(float(row["read_share"])),
                share(float(row["right_share"])),
                count(float(row["different_keys"])),
            )
            for row in rows
        ),
        (("band", "can be read"), ("pro", "and has the right form")),
    )


def _voice(found: Found) -> Picture | None:
    rows = rows_of(series_of(found, "voice_by_turn"), ("turn", "share", "low", "high", "n"))
    return _picture(
        "voice",
        "Generic phrasing along a conversation",
        "The share of answers with a phrase that any assistant could have written, by the place of "
        "the answer in its conversation. The last answers of long conversations are few.",
        charts.voice(rows),
        (("Answer", True), ("Share", True), ("Interval", True), ("Answers", True)),
        (
            (
                count(row["turn"] + 1),
                share(row["share"]),
                f"{share(row['low'])} to {share(row['high'])}",
                count(row["n"]),
            )
            for row in map(_numbers, rows)
        ),
        (("pro", "share"), ("band", "95% interval")),
    )


def _knowledge(found: Found) -> Picture | None:
    rows = rows_of(series_of(found, "knowledge"), ("n",), (), ("sufficient", "right"))
    total = sum(float(row["n"]) for row in rows)
    return _picture(
        "knowledge",
        "Was the passage there, and was the answer right?",
        f"{counted(total, 'answer')} by two questions. Wrong with the passage there is what tuning "
        "could mend; a missing passage is for retrieval to find.",
        charts.knowledge(rows),
        (("Passage", False), ("Answer", False), ("Answers", True), ("Share", True)),
        (
            (
                "there" if row["sufficient"] else "missing",
                "right" if row["right"] else "wrong",
                count(float(row["n"])),
                share(float(row["n"]) / total),
            )
            for row in rows
        ),
        (("con", "wrong although the passage was there"),),
    )


def _examples(found: Found) -> Picture | None:
    series = series_of(found, "examples_waterfall")
    if series is None or not rows_of(series, ("n",), ("step",)):
        return None
    steps = tuple(steps_of(series))
    return _picture(
        "examples",
        "From answers to examples to learn from",
        "What is left when answers are taken out that teach the wrong thing. The first reason that "
        "holds counts.",
        charts.waterfall(steps),
        (("Step", False), ("Answers", True)),
        ((words, ("" if whole else "–") + count(n)) for words, n, whole in steps),
        (("pro", "kept"), ("con", "taken out")),
    )


def _numbers(row: Row) -> dict[str, float]:
    return {name: float(value) for name, value in row.items() if not isinstance(value, str)}


# Measurements as rows, for every form of the report.

_MOST_ROWS = 8


class EvidenceRow(NamedTuple):
    """A measurement in words."""

    title: str
    value: str
    """With its interval and unit, or what would make it known."""
    bears: str
    """What it says about which answer; empty where it bears on none."""
    counted: str
    """How many traces, how many of them independent where those are fewer, and on which days."""
    method: str
    source: str


_TITLES = {
    "arms": "prompts and models compared",
    "best_arm_lead": "lead of the best prompt",
    "best_arm_share": "best prompt so far",
    "cacheable_share": "input that a cache could take",
    "cached_share": "input read from a cache",
    "constrained_arms": "arms with constrained output",
    "distinct_prompts": "prompts that differ",
    "error_share": "calls that failed",
    "few_shot_arms": "arms with examples",
    "first_token_p95_s": "95th percentile of the first token",
    "forbidden_term_share": "wrong terms that the prompt has right",
    "generic_phrase_share": "generic phrasing",
    "growth_per_month": "growth a month",
    "ignored_instruction_share": "instructions not followed",
    "input_latency_share": "latency explained by the input",
    "input_tokens": "input tokens a request",
    "intent_drift": "drift of what is asked",
    "invalid_output_share": "outputs out of format",
    "invalid_tool_call_share": "tool calls with wrong arguments",
    "latency_over_target_share": "calls slower than the target",
    "latency_p50_s": "median latency",
    "latency_p95_s": "95th percentile of latency",
    "models_seen": "models seen",
    "named_person_share": "requests naming a person",
    "nearest_example_arms": "arms with the nearest examples",
    "novel_request_share": "requests unlike anything before",
    "output_tokens": "output tokens a request",
    "personal_data_share": "requests with personal or secret data",
    "plateau_gain": "gain of one more proposed prompt",
    "position_effect": "instructions lost by position",
    "prompt_changes_per_month": "changes of the system prompt",
    "prompt_latency_share": "missed latency due to the prompt",
    "refusal_share": "refusals",
    "requests_per_month": "requests a month",
    "retrieval_recall": "answer among the passages",
    "secret_share": "requests with a secret",
    "structured_prompts": "structured prompts",
    "success_share": "success",
    "synthesis_failure_share": "wrong with the passage there",
    "system_prompt_tokens": "length of the system prompt",
    "unsupported_answer_share": "answers their passages don’t hold",
    "usable_examples": "usable examples",
    "usd_per_month": "bill a month",
    "usd_per_request": "cost of a request",
    "voice_distance": "distance to the voice samples",
    "voice_drift_per_turn": "generic phrasing by turn",
}
"""What each measurement is called, in few words; a framework's own title is used for others."""

_ANSWERS = {
    "requests_per_month": "low_volume",
    "usable_examples": "insufficient_data",
    "success_share": "success_with_prompts",
}
"""Answers that are settled through a number of the case file."""


def measured_name(measure: str, otherwise: str = "") -> str:
    """What a measurement is called."""
    return _TITLES.get(measure) or otherwise or plain(measure)


def by_grade(dossier: Dossier) -> tuple[list[EvidenceResult], list[EvidenceResult]]:
    """What was measured, and what somebody else published; both empty where nothing is there."""
    found = () if isinstance(dossier.evidence, Unknown) else dossier.evidence
    own = [one for one in found if one.grade == "measured"]
    return own, [one for one in found if one.grade == "published"]


def evidence_rows(dossier: Dossier, found: Sequence[EvidenceResult]) -> tuple[EvidenceRow, ...]:
    """Measurements as rows, those that settle or challenge an answer first, unknown ones last."""
    return tuple(_row(one, dossier) for one in _ordered(dossier, found))


def _ordered(dossier: Dossier, found: Sequence[EvidenceResult]) -> list[EvidenceResult]:
    return sorted(
        found,
        key=lambda one: (
            isinstance(one.value, Unknown),
            not _carries(one, dossier),
            one.says == "unknown",
        ),
    )


def _carries(one: EvidenceResult, dossier: Dossier) -> bool:
    """Whether it settles an answer, or a challenge holds it against what was said."""
    if not one.factor or isinstance(one.value, Unknown):
        return False
    about = _ANSWERS.get(one.id, one.factor)
    decided = isinstance(one.limit, Unknown) or one.says != "unknown"
    if one.role == "settles" and decided and _source(about, dossier) == "measured":
        return True
    paths = {one.factor, *(f"{kind}.{about}" for kind in ("factors", "ceiling", "signals"))}
    return any(
        "evidence" in each.between and paths & set(each.between) for each in dossier.challenges
    )


def _row(one: EvidenceResult, dossier: Dossier) -> EvidenceRow:
    value = (
        f"unknown: {one.value.ask}"
        if isinstance(one.value, Unknown)
        else interval_text(one.value, one.low, one.high, one.unit)
    )
    title = sentence(measured_name(one.id, one.title))[:-1]
    return EvidenceRow(title, value, _bears(one, dossier), _counted(one), one.method, one.source)


def _bears(one: EvidenceResult, dossier: Dossier) -> str:
    if not one.factor or isinstance(one.value, Unknown):
        return ""
    about = _ANSWERS.get(one.id, one.factor)
    name = plain(about)
    if isinstance(one.limit, Unknown):
        answer = dossier.factors.get(about) or dossier.ceiling.checks.get(about)
        settled = answer is not None and answer.source == "measured"
        return f"{name} is {answer.state}" if settled and answer is not None else ""
    line = limit_text(one.limit, one.unit)
    if one.says == "unknown":
        return f"{name} stays open (line {line})"
    if one.role == "settles" and _source(about, dossier) != "measured":
        return f"{name} isn’t settled by it (line {line})"
    if one.role == "supports":
        return f"speaks {'for' if one.says == 'yes' else 'against'} {name} (line {line})"
    return f"{name} is {one.says} (line {line})"


def _source(name: str, dossier: Dossier) -> str:
    """Where an answer comes from."""
    answer = (
        dossier.signals.get(name) or dossier.factors.get(name) or dossier.ceiling.checks.get(name)
    )
    return answer.source if answer else ""


def _counted(one: EvidenceResult) -> str:
    parts = []
    if one.n:
        apart = 0 < one.clusters < one.n
        parts.append(
            f"{count(one.n)} ({count(one.clusters)} independent)" if apart else count(one.n)
        )
    if one.sample == "sampled":
        parts.append("a sample")
    if not isinstance(one.observed_on, Unknown):
        days = {str(one.since), str(one.observed_on)} - {""}
        parts.append(
            str(one.observed_on)
            if isinstance(one.since, Unknown) or len(days) == 1
            else f"{one.since} to {one.observed_on}"
        )
    return ", ".join(parts)


def measured_text(dossier: Dossier, paint: Paint) -> list[str]:
    """The block of the terminal's report: what was measured and bears on an answer.

    It is cut where it is long, but never before the last that settles or challenges one.

    Returns:
        Lines; none where nothing was measured: a published figure was not.
    """
    own, _ = by_grade(dossier)
    if not own:
        return []
    told = [one for one in own if not isinstance(one.value, Unknown)]
    bearing = [one for one in told if one.factor]
    carrying = sum(_carries(one, dossier) for one in bearing)
    shown = evidence_rows(dossier, bearing)[: max(_MOST_ROWS, carrying)]
    rows = [(safe(row.title), safe(row.value), safe(row.bears)) for row in shown]
    lines = [paint("strong", "Measured"), *table(rows)]
    if len(own) > len(shown):
        lines += wrapped(
            f"{few(len(own) - len(shown))} more, with methods and what couldn't be "
            "measured: --format markdown",
            first="  ",
        )
    return lines


# What was measured, as part of the page.


def measured(dossier: Dossier) -> Part:
    """Pictures, then measurements with interval, count, method and source; samples fold away."""
    own, published = by_grade(dossier)
    blocks: list[Block] = [*pictures(dossier.series)]
    if own:
        blocks.append(_table(dossier, own, "Measured", "What was measured, with 95% intervals"))
    else:
        ask = dossier.evidence.ask if isinstance(dossier.evidence, Unknown) else ASK
        blocks.append(Todo(ask, "Nothing was measured."))
    samples = [(measured_name(one.id, one.title), one.examples) for one in own if one.examples]
    blocks += [Fold(f"Samples: {title}", (Bullets(texts),)) for title, texts in samples]
    if published:
        title = f"What others published, not measured here. {LIMITS}"
        blocks.append(_table(dossier, published, "Published", title))
    return Part("Measured", tuple(blocks))


def _table(dossier: Dossier, found: Sequence[EvidenceResult], head: str, title: str) -> Table:
    rows = tuple(
        (Cell(row.title, row.bears), row.value, Cell(row.counted, row.source), row.method)
        for row in evidence_rows(dossier, found)
    )
    return Table(title, (Column(head), Column("Value"), Column("On"), Column("How")), rows)


# What a run of ``measure`` found, to be told.


@dataclass(frozen=True, slots=True)
class MeasureReport:
    """A run of ``measure``."""

    measured: Measured
    added: bool
    """False where the last run had measured the same."""
    dossier: Dossier
    """The case with it."""
    before: Dossier | None
    """The case without it; None for a case that was made for it."""
    folder: str
    price: Price | None = None
    """List price of the one model that answered."""
    models: tuple[str, ...] = ()
    """Models that answered."""
    wanted: Mapping[str, float] = field(default_factory=dict)
    """How many a check of the ceiling asks for, by check."""

    def one(self, name: str) -> Evidence | None:
        """A measurement that has a value."""
        found = next((one for one in self.measured.evidence if one.id == name), None)
        return found if found is not None and found.known else None

    def count(self, name: str) -> float | None:
        """What a measurement counts, by name where nothing but names is known."""
        one, names = self.one(name), self.details(name).get("names")
        return names if isinstance(names, int) else None if one is None else one.number

    def details(self, name: str) -> Mapping[str, object]:
        """Further numbers of a measurement, known or not; none where it wasn't tried."""
        found = next((one for one in self.measured.evidence if one.id == name), None)
        return {} if found is None else found.details

    def ask(self, name: str, otherwise: str) -> str:
        """What would make a measurement known."""
        for one in self.measured.evidence:
            if one.id == name and isinstance(one.value, Unknown):
                return one.value.ask
        return otherwise

    def series(self, name: str) -> Series | None:
        """Numbers of a picture; None where there are none."""
        return next((one for one in self.measured.series if one.id == name), None)

    @property
    def arms(self) -> int:
        """Prompts with models that were tested on cases; 0 where it was no test."""
        found = self.series("arms")
        return 0 if found is None else len(found.columns["value"])


# What the calls cost, the most that tuning could save, and what a cache would.

_EXAMPLE_CALLS = 10_000
_MILLION = 1e6

ENOUGH_RUNS = 20
"""Runs of the best prompt from which their mean cost is told: as many as any measurement takes."""

_LOG = "log the `usd` of every call, or its `model`, `input_tokens` and `output_tokens`"


class _Cost(NamedTuple):
    """USD a call, with its interval where it has one, and where it comes from."""

    value: float
    low: float
    high: float
    how: str


class _Volume(NamedTuple):
    """Calls a month."""

    calls: float
    words: str
    """Such as ``at least $164 a month``, with the amount left to fill in."""


def bill_text(found: MeasureReport) -> str:
    """The cost of a call and of a month, and that no tuning can save more."""
    cost = _cost(found)
    if cost is None:
        return f"unknown: {_missing(found)}"
    month = found.one("usd_per_month")
    if month is not None and not found.arms:
        least = "at least " if month.high == "open" else ""
        beside = f", {least}{usd(month.number)} a month"
    else:
        volume = _bill_volume(found)
        beside = f",{volume.words.format(small_usd(cost.value * volume.calls))}"
    return f"{_each(cost)}{beside}. No tuning can save more than the whole bill"


def caching_text(found: MeasureReport) -> str:
    """The share of the input that a cache would take, and what that is worth by list price."""
    one = found.one("cacheable_share")
    if one is None:
        return f"unknown: {found.ask('cacheable_share', 'log messages with a timestamp')}"
    told = interval_text(one.value, one.low, one.high, "share of input tokens")
    taken = found.one("cached_share")
    now = f"; {share(taken.number)} is today" if taken is not None else ""
    more = one.number - (taken.number if taken is not None else 0.0)
    return f"{told} could be read from a cache{now}{_worth(found, more)}"


def _worth(found: MeasureReport, more: float) -> str:
    """What the input that isn't cached yet would save; nothing where no price is known."""
    price, tokens = found.price, found.one("input_tokens")
    if price is None or price.cached_input is None or tokens is None or more <= 0:
        return ""
    volume = _bill_volume(found)
    saved = more * tokens.number * (price.input - price.cached_input) / _MILLION
    return f". That would save{volume.words.format(small_usd(saved * volume.calls))} by list price"


def _bill_volume(found: MeasureReport) -> _Volume:
    """Calls a month as counted; an example where they are those of a test, or unknown."""
    one = found.one("requests_per_month")
    if one is None or found.arms or one.number < 1:
        return _Volume(_EXAMPLE_CALLS, f" {{}} at {count(_EXAMPLE_CALLS)} calls a month")
    least = "at least " if one.high == "open" else ""
    return _Volume(one.number, f" {least}{{}} a month")


def _each(cost: _Cost) -> str:
    said = small_usd(cost.value)
    ends = (small_usd(cost.low), small_usd(cost.high))
    beside = f" ({ends[0]}–{ends[1]})" if set(ends) != {said} else ""
    return f"{said}{beside} a call{cost.how}"


def _cost(found: MeasureReport) -> _Cost | None:
    """As reported for the best arm, as reported for all, or by list price."""
    told = found.details("best_arm_share")
    ends = [told.get(f"best_usd_per_run{end}") for end in ("", "_low", "_high")]
    best = [float(end) for end in ends if isinstance(end, int | float)]
    runs = told.get("best_runs")
    enough = isinstance(runs, int | float) and runs >= ENOUGH_RUNS
    if found.arms > 1 and enough and len(best) == len(ends):
        return _Cost(best[0], best[1], best[2], " with the best")
    one = found.one("usd_per_request")
    if one is not None and one.low is not None and isinstance(one.high, int | float):
        return _Cost(one.number, one.low, one.high, "")
    read, written = found.one("input_tokens"), found.one("output_tokens")
    if found.price is None or read is None or written is None:
        return None
    middle, low, high = (_priced(found, found.price, end) for end in _ends(read, written))
    over = ", over all that were tried" if found.arms > 1 else ""
    return _Cost(middle, low, high, f" by list price ({found.price.catalogue}){over}")


def _ends(read: Evidence, written: Evidence) -> tuple[tuple[float, float], ...]:
    """Tokens in and out: the middle, the least and the most."""
    most = [
        float(one.high) if isinstance(one.high, int | float) else math.inf
        for one in (read, written)
    ]
    least = (read.low or 0.0, written.low or 0.0)
    return (read.number, written.number), least, (most[0], most[1])


def _priced(found: MeasureReport, price: Price, tokens: tuple[float, float]) -> float:
    cached = found.one("cached_share")
    held = cached.number if cached is not None and price.cached_input is not None else 0.0
    read = price.input * (1 - held) + (price.cached_input or 0.0) * held
    return (tokens[0] * read + tokens[1] * price.output) / _MILLION


def _missing(found: MeasureReport) -> str:
    """What would make the bill known."""
    if found.details("usd_per_request") and found.one("usd_per_request") is None:
        return found.ask("usd_per_request", _LOG)
    for name in ("input_tokens", "output_tokens"):
        if found.one(name) is None:
            return f"{found.ask(name, _LOG)}, or log the `usd` of every call"
    if len(found.models) > 1:
        answered = f"{few(len(found.models))} models answered, at different list prices"
        return f"log the `usd` of every call; {answered}"
    if found.models:
        name = safe(found.models[0])
        named = "" if ":" in name else f"; name it with its provider, as openai:{name}"
        return f"log the `usd` of every call; no list price is known for {name}{named}"
    names = ("input_tokens", "output_tokens")
    tokens = [count(one.number) for name in names if (one := found.one(name)) is not None]
    guessed = "" if all(found.details(name).get("reported") for name in names) else "about "
    takes = f"a call takes {guessed}{' tokens in and '.join(tokens)} out"
    return f"{takes}, but whose they are isn't logged: log its `model`, or its `usd`"


# The rows of the five-minute page.

_LONGEST_NAME = 40
_MOST_TESTS = 5
_COUNTS = {
    "prompt_variations": ("distinct_prompts", "prompt"),
    "foundation_models": ("models_seen", "model"),
}
"""Checks that a count answers: the measurement, and what it counts."""


def opening(found: MeasureReport) -> str:
    """What was read in one sentence: how much of what, from which tool, of which days."""
    parts = [_size(found)]
    for measure, noun in _COUNTS.values():
        number = found.count(measure)
        if number is not None:
            parts.append(counted(number, noun))
    formats = dict.fromkeys(one.format for one in found.measured.readings if one.traces)
    days = sorted(
        {
            day
            for one in found.measured.evidence
            for day in (one.since, one.observed_on)
            if day is not None
        }
    )
    beside = [*formats]
    if days:
        beside.append(f"{days[0]} to {days[-1]}" if len(days) > 1 else str(days[0]))
    return safe(f"Read {', '.join(parts)} ({', '.join(beside)}).")


def _size(found: MeasureReport) -> str:
    """Traces; of a test, answers, and to how many cases where every prompt was run on the same."""
    arms = found.series("arms")
    traces = sum(one.traces for one in found.measured.readings)
    if arms is None:
        return counted(traces, "trace")
    told = counted(traces, "answer")
    same = found.arms == 1 or found.details("best_arm_lead").get("same_cases") is True
    same = same and not _others(found)
    return f"{told} to {counted(float(arms.columns['cases'][0]), 'case')}" if same else told


def quick_rows(found: MeasureReport) -> list[tuple[str, str]]:
    """Label and text of each row: what is best, the bill, caching, the ceiling, what decides."""
    return [
        *_quick_arms(found),
        ("The bill", sentence(bill_text(found))),
        ("Caching", sentence(caching_text(found))),
        *_ceiling(found),
        ("What decides", sentence(_decides(found))),
    ]


def _quick_arms(found: MeasureReport) -> Iterator[tuple[str, str]]:
    """The best arm, the next, and whether they can be told apart."""
    arms = found.series("arms")
    if arms is None:
        one = found.one("success_share")
        ask = found.ask("success_share", "label some outputs as right or wrong")
        yield "Success", _with_interval(one) if one is not None else sentence(f"unknown: {ask}")
        return
    if (tests := arms.columns.get("test")) is not None:
        yield from _tests(found, arms, tests)
        return
    yield ("Best so far" if found.arms > 1 else "So far"), _quick_arm(arms, 0)
    if found.arms > 1:
        yield "Next best", _quick_arm(arms, 1)
        yield "", sentence(_apart(found))
    if others := _others(found):
        yield "", sentence(f"{few(others)} more can't be compared: they share no case with these")


def _tests(
    found: MeasureReport, arms: Series, tests: Sequence[object]
) -> Iterator[tuple[str, str]]:
    """The best of each of the first tests, and that these can't be compared."""
    firsts = [place for place, test in enumerate(tests) if test not in tests[:place]]
    for place in firsts[:_MOST_TESTS]:
        several = tests.count(tests[place]) > 1
        yield f"Test {tests[place]}", f"{'best so far: ' * several}{_quick_arm(arms, place)}"
    yield "", sentence(found.ask("best_arm_share", "measure each test by itself"))


def _others(found: MeasureReport) -> int:
    """Prompts with models that aren't among those compared."""
    told = found.details("best_arm_share").get("arms")
    return int(told) - found.arms if isinstance(told, int | float) else 0


def _with_interval(one: Evidence) -> str:
    return interval_text(one.value, one.low, one.high, one.unit)


def _quick_arm(arms: Series, place: int) -> str:
    names = {name: values[place] for name, values in arms.columns.items()}
    prompt = f'prompt "{_quick_short(names["prompt"])}"' if names.get("prompt") else ""
    model = f"on {_quick_short(names['model'])}" if names.get("model") else ""
    called = " ".join(part for part in (prompt, model) if part) or "the prompt"
    low, high = float(names["low_of_all"]), float(names["high_of_all"])
    cases = counted(float(names["cases"]), "case")
    score = f"{quality(float(names['value']))} ({quality(low)}–{quality(high)})"
    return f"{called}: {score} on {cases}"


def _quick_short(name: object) -> str:
    flat = safe(" ".join(str(name).split()))
    return flat if len(flat) <= _LONGEST_NAME else flat[: _LONGEST_NAME - 1] + "…"


def _apart(found: MeasureReport) -> str:
    """Whether the two best can be told apart, and how many more cases that would take."""
    told = found.details("best_arm_lead")
    if told.get("told_apart") == "yes":
        return "told apart: the interval of the difference lies above zero"
    if "told_apart" not in told:
        return found.ask("best_arm_lead", "not told apart")
    needed, paired = told.get("cases_needed"), _paired(found)
    if not isinstance(needed, int | float) or paired is None:
        return "not told apart, and no number of cases would tell while they differ so little"
    more = max(1, int(needed) - paired)
    noun = "paired case" if more == 1 else "paired cases"
    verb = "is" if more == 1 else "are"
    return f"not told apart: about {count(more)} more {noun} {verb} needed"


def _paired(found: MeasureReport) -> int | None:
    return next((one.n for one in found.measured.evidence if one.id == "best_arm_lead"), None)


def _ceiling(found: MeasureReport) -> Iterator[tuple[str, str]]:
    """How many checks are answered, and by which counts."""
    ceiling = found.dossier.ceiling
    if not ceiling.checks:
        return
    answered = [name for name, one in ceiling.checks.items() if one.state != "unknown"]
    verb = "is" if len(answered) <= 1 else "are"
    who = "none" if not answered else few(len(answered))
    first = f"{who} of the {few(len(ceiling.checks))} checks {verb} answered by this"
    counts = [_count(found, name) for name in answered]
    beside = f": {listing([one for one in counts if one])}" if any(counts) else ""
    reached = {
        "yes": "It is reached",
        "no": "It is not reached",
        "unknown": "Whether it is reached stays open",
    }
    yield "The ceiling", f"{sentence(first + beside)} {reached[ceiling.reached]}."


def _count(found: MeasureReport, check: str) -> str:
    measure, noun = _COUNTS.get(check, ("", ""))
    number, wanted = found.count(measure), found.wanted.get(check)
    if number is None:
        return ""
    said = counted(number, noun)
    return said if wanted is None or number >= wanted else f"{said} ({count(wanted)} wanted)"


def _decides(found: MeasureReport) -> str:
    """The one answer that would change the verdict."""
    dossier = found.dossier
    best = found.one("best_arm_share") or found.one("success_share")
    met = dossier.factors.get("success_with_prompts")
    if best is not None and met is not None and met.state == "unknown":
        low = float(best.low or 0)
        top = quality(float(best.high)) if isinstance(best.high, int | float) else "1"
        return (
            f"is {quality(best.number)} good enough? A target up to {quality(low)} is met "
            f"already, one above {top} is missed, and in between more cases decide. State it as "
            "targets.quality.at_least"
        )
    if dossier.next_questions:
        return safe(dossier.next_questions[0].ask)
    return safe(dossier.verdict.next)


# Examples to learn from, step by step, with what was thrown out.


def examples_text(found: MeasureReport, paint: Paint) -> list[str]:
    """From all answers to those that could be used, against the need, with masked samples.

    Returns:
        Lines for a terminal; one that says what is missing where nothing could be counted.
    """
    one, series = found.one("usable_examples"), found.series("examples_waterfall")
    head = paint("strong", "Examples to learn from")
    if one is None or series is None:
        ask = found.ask("usable_examples", "log `output`, what the model wrote")
        return [head, *wrapped(safe(f"unknown: {ask}"), first="  ")]
    rows = [(words, ("" if whole else "–") + count(n)) for words, n, whole in steps_of(series)]
    width = max(len(number) for _, number in rows)
    lines = [head, *table([(words, number.rjust(width)) for words, number in rows])]
    lines += wrapped(_need(found, one.number), first="  ")
    personal = one.details.get("personal_share")
    if isinstance(personal, float) and personal > 0 and one.low is not None:
        cleaned = (
            f"{share(personal)} of those looked at hold personal or secret data: at least "
            f"{count(one.low)} are usable as they are, the rest after cleaning"
        )
        lines += wrapped(cleaned, first="  ")
    return [*lines, *_thrown_out(one.examples, paint)]


def _need(found: MeasureReport, usable: float) -> str:
    need = found.details("usable_examples").get("need")
    if not isinstance(need, int | float):
        return "How many are needed depends on the approach: state a goal in the case"
    verb = "enough" if usable >= need else f"{count(need - usable)} short"
    return f"The approach of the primary goal needs {count(need)}: {verb}"


def _thrown_out(samples: tuple[str, ...], paint: Paint) -> list[str]:
    """Samples by their reason, what is personal in them masked."""
    lines: list[str] = []
    last = ""
    for sample in samples:
        reason, text = parted(sample)
        if reason != last:
            lines += ["", paint("strong", f"Thrown out: {STEPS.get(reason, reason)}")]
            last = reason
        lines += wrapped(safe(text) or "(empty)", first="  · ", rest="    ")
    return lines


# What was measured, as one page for a terminal.


def measure_dict(found: MeasureReport) -> str:
    """The run as JSON: what was read, the evidence as the dossier has it, and the pictures."""
    told = found.measured.model_dump(mode="json", by_alias=True)
    whole = found.dossier.to_dict()
    evidence, verdict = whole["evidence"], whole["verdict"]["outcome"]
    parts = {"readings": told["readings"], "evidence": evidence, "series": told["series"]}
    head = {"schema": told["schema"], "inputs": told["inputs"], "added": found.added}
    return json_text({**head, "case": whole["case"], "outcome": verdict, **parts})


def measure_page(found: MeasureReport, *, examples: bool = False, colour: bool = False) -> str:
    """What was read, what it showed, what couldn't be measured, and what it did to the verdict."""
    paint = Paint(colour)
    blocks = [
        _read(found),
        _known(found, paint),
        examples_text(found, paint) if examples else [],
        _unknown(found, paint),
        _moved(found, paint),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def quick_page(found: MeasureReport, *, examples: bool = False, colour: bool = False) -> str:
    """The five-minute page: what results alone say about prompts, the bill and the ceiling."""
    paint, folder = Paint(colour), safe(found.folder)
    more = f"tuneworthy decide {folder} --format markdown lists every measurement"
    blocks = [
        [*wrapped(opening(found)), *_left_out(found), *wrapped(f"Wrote {folder}/")],
        [line for label, text in quick_rows(found) for line in row(label, text, label_width=14)],
        examples_text(found, paint) if examples else [],
        [*wrapped(f"tuneworthy decide {folder}", first="Next: "), *wrapped(more, first="More: ")],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _read(found: MeasureReport) -> list[str]:
    lines: list[str] = []
    for one in found.measured.readings:
        traces = counted(one.traces, "trace")
        lines += wrapped(safe(f"Read {traces} of {one.name} ({one.format})"))
    lines += _left_out(found)
    if not found.added:
        lines += wrapped("The same was measured before: nothing is added to the ledger.")
    return lines


def _left_out(found: MeasureReport) -> list[str]:
    """What was skipped, how often, why, and where."""
    lines: list[str] = []
    for one in found.measured.readings:
        for skipped in one.skipped:
            places = f": {', '.join(skipped.where[:3])}" if skipped.where else ""
            more = ", …" if skipped.n > len(skipped.where[:3]) and skipped.where else ""
            records = counted(skipped.n, "record")
            said = (
                f"{records} {skipped.predicate}"
                if skipped.in_part
                else (f"left out {records}, {skipped.predicate}")
            )
            said += f"{places}{more}"
            lines += wrapped(safe(said), first="  ", rest="    ")
    return lines


def _known(found: MeasureReport, paint: Paint) -> list[str]:
    """Every known measurement with its interval, and what it says."""
    told = found.dossier.evidence
    if isinstance(told, Unknown):
        return []
    ids = {one.id for one in found.measured.evidence if one.known}
    rows = evidence_rows(found.dossier, [one for one in told if one.id in ids])
    cells = [(safe(one.title), safe(one.value), safe(one.bears)) for one in rows]
    return [paint("strong", "Measured, with 95% intervals"), *table(cells)] if cells else []


def _unknown(found: MeasureReport, paint: Paint) -> list[str]:
    """What couldn't be measured, by what would make it known."""
    asks: dict[str, list[str]] = {}
    for one in found.measured.evidence:
        if isinstance(one.value, Unknown):
            asks.setdefault(one.value.ask, []).append(measured_name(one.id))
    if not asks:
        return []
    lines = [paint("strong", "Not measured, and what would be needed")]
    for ask, names in asks.items():
        lines += wrapped(safe(f"{', '.join(names)}: {ask}"), first="  ", rest="      ")
    return lines


def _moved(found: MeasureReport, paint: Paint) -> list[str]:
    """What the evidence did to the verdict."""
    after, before = found.dossier, found.before
    if before is None:
        return []
    lines = [paint("strong", "The verdict")]
    was, now = OUTCOME_WORDS[before.verdict.outcome], OUTCOME_WORDS[after.verdict.outcome]
    lines += wrapped(f"{now}, as before" if was == now else f"{was} before, {now} now", first="  ")
    changed = _changed(before, after)
    if changed:
        lines += wrapped(f"changed: {', '.join(changed)}", first="  ")
    against = [c for c in after.challenges if c.id.startswith(("measured_", "need_"))]
    if against:
        what = several(len(against), "thing")
        verb = "doesn't" if len(against) == 1 else "don't"
        lines += wrapped(f"{what} said {verb} fit what was measured", first="  ")
    if any(c.id == "evidence_old" for c in after.challenges):
        lines += wrapped("what was measured is old: measure newer data", first="  ")
    return [*lines, "", *wrapped(f"tuneworthy decide {safe(found.folder)}", first="Next: ")]


def _states(dossier: Dossier) -> Iterator[tuple[str, str, str]]:
    """Id, title and state of every answer."""
    yield from ((name, one.title, one.state) for name, one in dossier.ceiling.checks.items())
    yield from ((name, one.title, one.state) for name, one in dossier.factors.items())
    yield from ((name, one.title, one.state) for name, one in dossier.signals.items())


def _changed(before: Dossier, after: Dossier) -> list[str]:
    """Answers with another state than before."""
    then = {name: state for name, _, state in _states(before)}
    found = [
        f"{safe(title)} {then[name]} → {state}"
        for name, title, state in _states(after)
        if name in then and then[name] != state
    ]
    return found[:8] + ([f"and {few(len(found) - 8)} more"] if len(found) > 8 else [])
