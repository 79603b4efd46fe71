"""Evidence: pictures and rows of what was measured, and of what others published."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from tuneworthy.model.base import Unknown
from tuneworthy.model.dossier import Dossier, EvidenceResult
from tuneworthy.model.evidence import Scalar, Series
from tuneworthy.report import charts
from tuneworthy.report.blocks import (
    Block,
    Bullets,
    Cell,
    Fold,
    Part,
    Picture,
    Prose,
    Section,
    Table,
    Todo,
    head,
)
from tuneworthy.report.charts import Drawing
from tuneworthy.verdict.weigh import NOTHING_MEASURED
from tuneworthy.words import (
    LIMITS,
    count,
    counted,
    few,
    fill,
    interval_text,
    limit_text,
    plain,
    sentence,
)

# A picture's numbers as rows, checked: a ledger is a file that anybody may have written in.

Row = dict[str, Any]
"""One row of a series: numbers are finite, an open end is ``inf``."""

_MOST_POINTS = 200


def series_of(every: Sequence[Series] | Unknown, name: str) -> Series | None:
    """One picture's numbers; None where there are none."""
    if isinstance(every, Unknown):
        return None
    return next((one for one in every if one.id == name), None)


def rows_of(
    series: Series | None,
    numbers: Sequence[str],
    texts: Sequence[str] = (),
    flags: Sequence[str] = (),
) -> list[Row]:
    """The first 200 rows of a series.

    None where a column is missing, is of another kind or has another length.
    """
    if series is None:
        return []
    kinds: dict[str, type] = dict.fromkeys(numbers, float)
    kinds |= dict.fromkeys(texts, str) | dict.fromkeys(flags, bool)
    columns = [
        [_value(value, kind) for value in series.columns.get(name, ())[:_MOST_POINTS]]
        for name, kind in kinds.items()
    ]
    if any(None in column for column in columns) or len(set(map(len, columns))) != 1:
        return []
    return [dict(zip(kinds, row, strict=True)) for row in zip(*columns, strict=True)]


def _value(value: Scalar, kind: type) -> Scalar | None:
    """A value of a kind; None for one of another kind."""
    if kind is not float:
        return value if isinstance(value, kind) else None
    if value == "open":
        return math.inf
    if isinstance(value, bool | str) or not math.isfinite(value):
        return None
    return float(value)


# The steps from all answers to those that a model could learn from.

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


def steps_of(series: Series) -> Iterator[tuple[str, float, bool]]:
    """Words, count, and whether it is a whole rather than what is taken off; no step of none."""
    columns = series.columns
    for name, n in zip(columns.get("step", ()), columns.get("n", ()), strict=False):
        whole = name in ("all", "usable")
        if whole or n:
            yield STEPS.get(str(name), plain(str(name))), float(n), whole


def steps_table(series: Series, *, quiet: bool = False) -> Table:
    """The same as a table, for the page and for ``measure --examples``."""
    rows = tuple((words, ("" if whole else "–") + count(n)) for words, n, whole in steps_of(series))
    return Table("From answers to examples to learn from", head("Step", "#Answers"), rows, quiet)


# Pictures of what was measured, each with its words and the same as a table.

_MOST_ARMS = 12
_MOST_VERSIONS = 20
_MOST_MONTHS = 30

SeriesList = Sequence[Series] | Unknown


def pictures(every: SeriesList) -> tuple[Picture, ...]:
    """Every picture there are numbers for, the comparison of prompts and the traffic first."""
    makers = (_arms, _volume, _latency, _signatures, _voice, _knowledge, _examples)
    return tuple(picture for make in makers if (picture := make(every)) is not None)


def _picture(
    drawing: Drawing | None,
    rows: Sequence[Row],
    title: str,
    says: str,
    columns: Mapping[str, str],
    **key: str,
) -> Picture | None:
    """A picture with its table; None where nothing was drawn. ``key``: what each look means."""
    if drawing is None:
        return None
    cells = tuple(tuple(fill(cell, row) for cell in columns.values()) for row in rows)
    table = Table(title, head(*columns), cells)
    return Picture(f"measured-{drawing.look}", title, says, drawing, table, tuple(key.items()))


def _arms(every: SeriesList) -> Picture | None:
    series = series_of(every, "arms")
    apart = series is not None and "test" in series.columns
    numbers = ("value", "low_of_all", "high_of_all", "cases", *["test"] * apart)
    rows = rows_of(series, numbers, ("prompt", "model"))[:_MOST_ARMS]
    prompts, models = ({row[name] for row in rows} for name in ("prompt", "model"))

    def name(row: Row, prompt: str, model: str) -> str:
        test = f"test {row['test']:.0f}: " if apart else ""
        return test + (", ".join(part for part in (prompt, model) if part) or "the prompt")

    def short(row: Row) -> str:
        """For an axis: what all have in common is left out, and the provider of a model."""
        prompt = row["prompt"] if len(prompts) > 1 or len(models) == 1 else ""
        return name(row, prompt, re.split("[:/]", row["model"])[-1] if len(models) > 1 else "")

    return _picture(
        charts.arms(rows, [short(row) for row in rows]),
        [{**row, "name": name(row, row["prompt"], row["model"])} for row in rows],
        "Prompts and models side by side",
        "The mean score over the cases of the test. The bars are intervals that hold for all of "
        "them at once, because the best was picked on the same cases."
        + " Tests share no case: only arms of one test can be compared."
        * apart,
        {
            "Prompt and model": "{name}",
            "#Score": "{value:quality}",
            "#Interval": "{low_of_all:quality} to {high_of_all:quality}",
            "#Cases": "{cases:count}",
        },
    )


def _volume(every: SeriesList) -> Picture | None:
    series = series_of(every, "volume")
    rows = rows_of(series, ("requests", "low", "high"), ("month",), ("forecast", "whole"))
    rows = rows[-_MOST_MONTHS:]
    kinds = [_month_kind(row) for row in rows]
    key = {"pro": "counted"}
    if _IN_PART in kinds:
        key["open"] = "month that the log holds in part"
    trend = "The log is too short, or has gaps, for a trend."
    if "forecast" in kinds:
        key["band"] = "forecast, with its interval"
        trend = (
            "Pale bars are the forecast by the trend, with the range it should fall into in 19 "
            "months of 20."
        )
    return _picture(
        charts.volume(rows),
        [
            {**row, "n": round(row["requests"]), "ends": _between(row), "kind": kind}
            for row, kind in zip(rows, kinds, strict=True)
        ],
        "Requests by month",
        f"Requests a calendar month, as counted. {trend}",
        {
            "Month": "{month}",
            "#Requests": "{n:count}",
            "#Interval": "{ends}",
            "Counted or forecast": "{kind}",
        },
        **key,
    )


_IN_PART = "counted in part of the month"


def _month_kind(row: Row) -> str:
    return "forecast" if row["forecast"] else "counted" if row["whole"] else _IN_PART


def _between(row: Row) -> str:
    low, high = row["low"], row["high"]
    if math.isinf(high):
        return f"at least {count(round(low))}"
    return "" if low == high else f"{count(round(low))} to {count(round(high))}"


def _latency(every: SeriesList) -> Picture | None:
    names = ("input_tokens_low", "input_tokens_high", "p50_s", "p95_s", "n")
    rows = rows_of(series_of(every, "latency_by_tokens"), names)
    return _picture(
        charts.latency(rows),
        rows,
        "Latency by length of the input",
        "Calls sorted by their input tokens and cut into groups of equal size. A line that climbs "
        "says that a shorter prompt would answer sooner.",
        {
            "Input tokens": "{input_tokens_low:count} to {input_tokens_high:count}",
            "#Median": "{p50_s:number} s",
            "#95th percentile": "{p95_s:number} s",
            "#Calls": "{n:count}",
        },
        pro="median",
        con="95th percentile (dashed)",
    )


def _signatures(every: SeriesList) -> Picture | None:
    numbers = ("outputs", "read_share", "right_share", "usual_keys_share", "different_keys")
    rows = rows_of(series_of(every, "signatures"), numbers, ("prompt",))[:_MOST_VERSIONS]
    return _picture(
        charts.signatures(rows),
        rows,
        "Outputs by form, for each version of the prompt",
        "How many outputs can be read as JSON, and how many of those have the right form: by the "
        "schema where there is one, else the keys that most have.",
        {
            "Prompt": "{prompt}",
            "#Outputs": "{outputs:count}",
            "#Can be read": "{read_share:share}",
            "#Right form": "{right_share:share}",
            "#Forms seen": "{different_keys:count}",
        },
        band="can be read",
        pro="and has the right form",
    )


def _voice(every: SeriesList) -> Picture | None:
    rows = rows_of(series_of(every, "voice_by_turn"), ("turn", "share", "low", "high", "n"))
    return _picture(
        charts.voice(rows),
        [{**row, "place": row["turn"] + 1} for row in rows],
        "Generic phrasing along a conversation",
        "The share of answers with a phrase that any assistant could have written, by the place of "
        "the answer in its conversation. The last answers of long conversations are few.",
        {
            "#Answer": "{place:count}",
            "#Share": "{share:share}",
            "#Interval": "{low:share} to {high:share}",
            "#Answers": "{n:count}",
        },
        pro="share",
        band="95% interval",
    )


def _knowledge(every: SeriesList) -> Picture | None:
    rows = rows_of(series_of(every, "knowledge"), ("n",), (), ("sufficient", "right"))
    total = sum(row["n"] for row in rows)
    return _picture(
        charts.knowledge(rows),
        [
            {
                "n": row["n"],
                "passage": "there" if row["sufficient"] else "missing",
                "answer": "right" if row["right"] else "wrong",
                "part": row["n"] / total if total else 0,
            }
            for row in rows
        ],
        "Was the passage there, and was the answer right?",
        f"{counted(total, 'answer')} by two questions. Tuning could change the wrong answers that "
        "had their passage; a missing passage is for retrieval to find.",
        {
            "Passage": "{passage}",
            "Answer": "{answer}",
            "#Answers": "{n:count}",
            "#Share": "{part:share}",
        },
        con="wrong although the passage was there",
    )


def _examples(every: SeriesList) -> Picture | None:
    series = series_of(every, "examples_waterfall")
    if series is None or not rows_of(series, ("n",), ("step",)):
        return None
    drawing, table = charts.waterfall(tuple(steps_of(series))), steps_table(series)
    says = (
        "What is left when answers are taken out that teach the wrong thing. The first reason that "
        "holds counts."
    )
    key = (("pro", "kept"), ("con", "taken out"))
    if drawing is None:
        return None
    return Picture("measured-examples", table.caption, says, drawing, table, key)


# Measurements as rows.

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
    every = () if isinstance(dossier.evidence, Unknown) else dossier.evidence
    own, published = ([e for e in every if e.grade == grade] for grade in ("measured", "published"))
    return own, published


def evidence_rows(dossier: Dossier, some: Iterable[EvidenceResult]) -> tuple[EvidenceRow, ...]:
    """Measurements as rows, those that settle or challenge an answer first, unknown ones last."""

    def order(one: EvidenceResult) -> tuple[bool, bool, bool]:
        return isinstance(one.value, Unknown), not _carries(one, dossier), one.says == "unknown"

    return tuple(_evidence_row(one, dossier) for one in sorted(some, key=order))


def _carries(one: EvidenceResult, dossier: Dossier) -> bool:
    """Whether it settles an answer, or a challenge compares it with what somebody stated."""
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


def _evidence_row(one: EvidenceResult, dossier: Dossier) -> EvidenceRow:
    value = (
        f"unknown: {one.value.ask}"
        if isinstance(one.value, Unknown)
        else interval_text(one.value, one.low, one.high, one.unit)
    )
    title = sentence(measured_name(one.id, one.title))[:-1]
    return EvidenceRow(title, value, _bears(one, dossier), _counted_on(one), one.method, one.source)


def _bears(one: EvidenceResult, dossier: Dossier) -> str:
    if not one.factor or isinstance(one.value, Unknown):
        return ""
    about = _ANSWERS.get(one.id, one.factor)
    name = plain(about)
    if isinstance(one.limit, Unknown):
        answer = dossier.factors.get(about) or dossier.ceiling.checks.get(about)
        return f"{name} is {answer.state}" if answer and answer.source == "measured" else ""
    limit = f"(line {limit_text(one.limit, one.unit)})"
    if one.says == "unknown":
        return f"{name} stays open {limit}"
    if one.role == "settles" and _source(about, dossier) != "measured":
        return f"{name} isn’t settled by it {limit}"
    if one.role == "supports":
        return f"speaks {'for' if one.says == 'yes' else 'against'} {name} {limit}"
    return f"{name} is {one.says} {limit}"


def _source(name: str, dossier: Dossier) -> str:
    """Where an answer comes from."""
    rooms = (dossier.signals, dossier.factors, dossier.ceiling.checks)
    return next((room[name].source for room in rooms if name in room), "")


def _counted_on(one: EvidenceResult) -> str:
    parts = []
    if one.n:
        apart = f" ({count(one.clusters)} independent)" if 0 < one.clusters < one.n else ""
        parts.append(f"{count(one.n)}{apart}")
    if one.sample == "sampled":
        parts.append("a sample")
    if not isinstance(one.observed_on, Unknown):
        parts.append(between_days(one.since, one.observed_on))
    return ", ".join(parts)


def between_days(since: date | Unknown | None, until: date) -> str:
    """A day, or the first and the last."""
    alone = since is None or isinstance(since, Unknown) or since == until
    return str(until) if alone else f"{since} to {until}"


def in_short(dossier: Dossier) -> Section | None:
    """What was measured and bears on an answer; None where nothing was.

    It is cut where it is long, but never before the last row that settles or challenges an answer.
    """
    own, _ = by_grade(dossier)
    if not own:
        return None
    bearing = [one for one in own if one.factor and not isinstance(one.value, Unknown)]
    carrying = sum(_carries(one, dossier) for one in bearing)
    shown = evidence_rows(dossier, bearing)[: max(_MOST_ROWS, carrying)]
    rows = tuple((row.title, row.value, row.bears) for row in shown)
    title = "What was measured"
    blocks: list[Block] = [Table(title, head("Measured", "Value", "Says"), rows, quiet=True)]
    if more := len(own) - len(rows):
        hint = f"{few(more)} more, with methods and what couldn’t be measured: --format markdown"
        blocks.append(Prose(sentence(hint)[:-1]))
    return Section("measured", title, tuple(blocks))


def measured(dossier: Dossier) -> Part:
    """Pictures, then measurements with interval, count, method and source; samples fold away."""
    own, published = by_grade(dossier)
    blocks: list[Block] = [*pictures(dossier.series)]
    if own:
        title = "What was measured, with 95% intervals"
        blocks.append(evidence_table(dossier, own, "Measured", title))
    else:
        ask = (
            dossier.evidence.ask if isinstance(dossier.evidence, Unknown) else NOTHING_MEASURED.ask
        )
        blocks.append(Todo(ask, "Nothing was measured."))
    samples = [(measured_name(one.id, one.title), one.examples) for one in own if one.examples]
    blocks += [Fold(f"Samples: {title}", (Bullets(texts),)) for title, texts in samples]
    if published:
        title = f"What others published, not measured here. {LIMITS}"
        blocks.append(evidence_table(dossier, published, "Published", title))
    return Part("Measured", tuple(blocks))


def evidence_table(
    dossier: Dossier, some: Sequence[EvidenceResult], first: str, title: str
) -> Table:
    """Measurements with what they bear on, where they were counted, and how."""
    rows = tuple(
        (Cell(row.title, row.bears), row.value, Cell(row.counted, row.source), row.method)
        for row in evidence_rows(dossier, some)
    )
    return Table(title, head(first, "Value", "On", "How"), rows)
