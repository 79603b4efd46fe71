"""Evidence: pictures and rows of measurements."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any, NamedTuple

from tuneworthy.answers.weigh import NOTHING_MEASURED
from tuneworthy.model.base import Number, Unknown
from tuneworthy.model.dossier import Dossier, EvidenceResult
from tuneworthy.model.evidence import Scalar, Series
from tuneworthy.report import blocks as b
from tuneworthy.report import charts
from tuneworthy.report.charts import Drawing, by_title, looks
from tuneworthy.report.named import named
from tuneworthy.report.sections.common import captioned
from tuneworthy.words import (
    capital,
    count,
    counted,
    day,
    fill,
    interval_text,
    limit_text,
    plain,
)

#: One row of a series: numbers are finite, an open end is ``inf``.
Row = dict[str, Any]

_MOST_POINTS = 200


def series_of(every: Sequence[Series] | Unknown, name: str) -> Series | None:
    if isinstance(every, Unknown):
        return None
    return next((series for series in every if series.id == name), None)


def rows_of(
    series: Series | None,
    numbers: Sequence[str],
    texts: Sequence[str] = (),
    flags: Sequence[str] = (),
) -> list[Row]:
    """The first 200 rows, checked: [] where a column is missing, or has a wrong kind or length."""
    kinds: dict[str, type] = dict.fromkeys(numbers, float)
    kinds |= dict.fromkeys(texts, str) | dict.fromkeys(flags, bool)
    by_name = {} if series is None else series.columns
    columns = [
        [_value(value, kind) for value in by_name.get(name, ())[:_MOST_POINTS]]
        for name, kind in kinds.items()
    ]
    if any(None in column for column in columns) or len(set(map(len, columns))) != 1:
        return []
    return [dict(zip(kinds, row, strict=True)) for row in zip(*columns, strict=True)]


def _value(value: Scalar, kind: type) -> Scalar | None:
    """A cell as a number, an open end as infinite; None where it is of another kind."""
    if kind is not float:
        return value if isinstance(value, kind) else None
    if value == "open":
        return math.inf
    if isinstance(value, bool | str) or not math.isfinite(value):
        return None
    return float(value)


STEPS = named("steps")
"""Why an answer can't be an example, by the id of the step that removes it."""


def step_rows(series: Series) -> list[Row]:
    """Each step with its count and its bar, for the examples kept or removed; no step without any."""
    rows: list[Row] = []
    columns = series.columns
    left = 0.0
    for name, n in zip(columns.get("step", ()), columns.get("n", ()), strict=False):
        is_total = name in ("all", "usable")
        many = float(n)
        if not is_total and not many:
            continue
        # a total stands on the axis; what a step takes off hangs from where the last one ended
        if is_total:
            start = 0.0
            end = many
            left = end
        else:
            start = left - many
            end = left
            left = start
        row = {
            "step": STEPS.get(str(name), plain(str(name))),
            "n": many,
            "start": start,
            "end": end,
            "kind": "kept" if is_total else "off",
            "sign": "" if is_total else "–",
        }
        rows.append(row)
    return rows


def steps_table(series: Series, *, quiet: bool = False) -> b.Table:
    """The same as a table, for the page and for ``measure --examples``."""
    return _table("waterfall", step_rows(series), quiet=quiet)


_MOST_ARMS = 12
_MOST_VERSIONS = 20
_MOST_MONTHS = 30
_MONTHS = {
    "part": "counted in part of the month",
    "whole": "counted",
    "ahead": "forecast",
}

SeriesList = Sequence[Series] | Unknown


def pictures(
    every: SeriesList, most_seconds: Number | None = None
) -> tuple[b.Picture, ...]:
    """Every picture that there are numbers for, the comparison of prompts and the traffic first.

    Args:
        every: The series of the measurements.
        most_seconds: The target for latency; no line is drawn without one.
    """
    makers: dict[str, Callable[[Series], b.Picture | None]] = {
        "arms": _arms,
        "volume": _volume,
        "latency_by_tokens": partial(_latency, most_seconds=most_seconds),
        "signatures": _signatures,
        "voice_by_turn": _voice,
        "knowledge": _knowledge,
        "examples_waterfall": _examples,
    }
    pairs = ((make, series_of(every, name)) for name, make in makers.items())
    drawn = (make(series) for make, series in pairs if series is not None)
    return tuple(picture for picture in drawn if picture is not None)


def _table(look: str, rows: Iterable[Row], *, quiet: bool = False) -> b.Table:
    title = looks()[look]["title"]
    columns = looks()[look]["table"]
    cells = (tuple(fill(cell, row) for cell in columns.values()) for row in rows)
    return b.table(title, columns, cells, quiet=quiet)


def _picture(
    drawing: Drawing | None,
    rows: Iterable[Row],
    says: str = "{says}",
    but: Sequence[str] = (),
) -> b.Picture | None:
    """A picture with its words and its table; ``but`` are looks of the legend that no mark has."""
    if drawing is None:
        return None
    name = "measured-" + drawing.look.replace("waterfall", "examples")
    return captioned(drawing, _table(drawing.look, rows), id=name, says=says, but=but)


def _drawing(
    look: str, rows: Sequence[Row], fields: str, fewest: int = 1
) -> Drawing | None:
    """A chart of some fields of rows; None for too few."""
    if len(rows) >= fewest:
        return Drawing(look, _only(rows, fields))
    return None


def _only(rows: Iterable[Row], fields: str) -> list[Row]:
    return [{name: row[name] for name in fields.split()} for row in rows]


def _arms(series: Series) -> b.Picture | None:
    """The picture of a log's arms."""
    has_tests = "test" in series.columns
    numbers = ["value", "low_of_all", "high_of_all", "cases"]
    if has_tests:
        numbers.append("test")
    rows = rows_of(series, numbers, ("prompt", "model"))[:_MOST_ARMS]
    one_prompt = len({row["prompt"] for row in rows}) == 1
    one_model = len({row["model"] for row in rows}) == 1
    drawn = []
    listed = []
    for row in rows:
        listed.append({**row, "name": _arm_name(row, row["prompt"], row["model"])})
        # an axis has little room: it leaves out what all arms share, and who serves a model
        prompt = row["prompt"]
        if one_prompt and not one_model:
            prompt = ""
        model = ""
        if not one_model:
            *_provider, model = re.split("[:/]", row["model"])
        drawn.append({**row, "title": _arm_name(row, prompt, model)})
    says = "{says}"
    if has_tests:
        says += " Tests share no case: only arms of one test can be compared."
    return _picture(by_title("arms", drawn), listed, says)


def _arm_name(row: Row, prompt: str, model: str) -> str:
    """An arm by its prompt and its model, after the number of its test if there are several tests."""
    parts = [part for part in (prompt, model) if part]
    name = ", ".join(parts) or "the prompt"
    return f"test {row['test']:.0f}: {name}" if "test" in row else name


def _volume(series: Series) -> b.Picture | None:
    """The traffic by month. Forecast months are pale, with their interval; part months are dashed."""
    rows = rows_of(
        series, ("requests", "low", "high"), ("month",), ("forecast", "whole")
    )
    rows = rows[-_MOST_MONTHS:]
    for row in rows:
        row["n"] = round(row["requests"])
        low = row["low"]
        high = row["high"]
        row["month"] = _month(row["month"])
        if row["forecast"]:
            row["kind"] = "ahead"
        elif row["whole"]:
            row["kind"] = "whole"
        else:
            row["kind"] = "part"
        row["counted"] = _MONTHS[row["kind"]]
        row["ends"] = ""
        if math.isinf(high):
            row["ends"] = f"at least {count(round(low))}"
            row["high"] = row["requests"]
        elif low != high:
            row["ends"] = f"{count(round(low))} to {count(round(high))}"
    kinds = {row["kind"] for row in rows}
    but = []
    trend = (
        "Pale bars are the forecast by the trend, with the range it should fall into in 19 "
        "months of 20."
    )
    if "part" not in kinds:
        but.append("open")
    if "ahead" not in kinds:
        but.append("band")
        trend = "The log is too short, or has gaps, for a trend."
    drawing = _drawing("volume", rows, "month requests low high kind", 2)
    return _picture(drawing, rows, f"{{says}} {trend}", but)


def _month(text: str) -> str:
    """A month as people write it; another text stays as it is."""
    try:
        return day(date.fromisoformat(f"{text}-01")).removeprefix("1 ")
    except ValueError:
        return text


def _latency(series: Series, most_seconds: Number | None) -> b.Picture | None:
    """Median and 95th percentile by input tokens, in bins of equal numbers of calls."""
    names = ("input_tokens_low", "input_tokens_high", "p50_s", "p95_s", "n")
    rows = rows_of(series, names)
    for row in rows:
        row["p50"] = row["p50_s"]
        row["p95"] = row["p95_s"]
        row["tokens"] = (row["input_tokens_low"] + row["input_tokens_high"]) / 2
    drawing = _drawing("latency", rows, "tokens p50 p95", 2)
    if drawing is None or not isinstance(most_seconds, float | int):
        return _picture(drawing, rows, but=["dash"])
    return _picture(replace(drawing, levels={"target": float(most_seconds)}), rows)


def _signatures(series: Series) -> b.Picture | None:
    numbers = (
        "outputs",
        "read_share",
        "right_share",
        "usual_keys_share",
        "different_keys",
    )
    rows = rows_of(series, numbers, ("prompt",))[:_MOST_VERSIONS]
    titled = [{**row, "title": row["prompt"]} for row in rows]
    return _picture(by_title("signatures", titled), rows)


def _voice(series: Series) -> b.Picture | None:
    names = "turn share low high n"
    rows = [{**row, "turn": row["turn"] + 1} for row in rows_of(series, names.split())]
    return _picture(_drawing("voice", rows, names, 2), rows)


def _knowledge(series: Series) -> b.Picture | None:
    """The four counts of passage and answer as a square. The fault that tuning fixes is emphasized."""
    rows = rows_of(series, ("n",), (), ("sufficient", "right"))
    total = sum(row["n"] for row in rows)
    for row in rows:
        row["there"] = "missing"
        row["look"] = "retrieval"
        if row["sufficient"]:
            row["there"] = "there"
            row["look"] = "fine" if row["right"] else "synthesis"
        row["part"] = row["n"] / total if total else 0
        row["passage"] = f"passage {row['there']}"
        row["answer"] = "right" if row["right"] else "wrong"
        row["says"] = f"{row['n']:,.0f} ({row['part']:.0%})"
    drawing = _drawing("knowledge", rows, "passage answer says look") if total else None
    return _picture(
        drawing, rows, f"{counted(total, 'answer')} by two questions. {{says}}"
    )


def _examples(series: Series) -> b.Picture | None:
    rows = step_rows(series) if rows_of(series, ("n",), ("step",)) else []
    titled = [
        {**row, "title": row["step"]} for row in _only(rows, "step start end kind")
    ]
    return _picture(by_title("waterfall", titled), rows)


class EvidenceRow(NamedTuple):
    title: str
    value: str  #: With its interval and unit, or what would make it known.
    bears: str  #: The answer it bears on, and how; empty where it bears on none.
    counted: str
    """The number of traces, of independent ones if these are fewer, and the days."""
    method: str
    source: str


_ANSWERS = {
    "requests_per_month": "low_volume",
    "training_examples": "insufficient_data",
    "running_arm_share": "success_with_prompts",
    "success_share": "success_with_prompts",
}
"""Answers that are settled through a number of the case file."""


def measured_name(measure: str, otherwise: str = "") -> str:
    return named("measures").get(measure) or otherwise or plain(measure)


def measurements(dossier: Dossier) -> tuple[EvidenceResult, ...]:
    """The measurements of a case; () where nothing was measured."""
    if isinstance(dossier.evidence, Unknown):
        return ()
    return dossier.evidence


def evidence_rows(
    dossier: Dossier, some: Iterable[EvidenceResult]
) -> list[EvidenceRow]:
    """Measurements as rows, those that settle or challenge an answer first, unknown ones last."""

    def order(r: EvidenceResult) -> tuple[bool, bool, bool]:
        return (
            isinstance(r.value, Unknown),
            not _carries(r, dossier),
            r.says == "unknown",
        )

    rows = []
    for result in sorted(some, key=order):
        value = interval_text(result.value, result.low, result.high, result.unit)
        if isinstance(result.value, Unknown):
            value = f"unknown: {result.value.ask}"
        title = capital(measured_name(result.id, result.title))
        if 0 < result.clusters < result.n:
            apart = f" ({count(result.clusters)} independent)"
        else:
            apart = ""
        on = [f"{count(result.n)}{apart}"] if result.n else []
        if result.sample == "sampled":
            on.append("a sample")
        if not isinstance(result.observed_on, Unknown):
            on.append(between_days(result.since, result.observed_on))
        bears = _bears(result, dossier)
        rows.append(
            EvidenceRow(
                title, value, bears, ", ".join(on), result.method, result.source
            )
        )
    return rows


def _carries(result: EvidenceResult, dossier: Dossier) -> bool:
    """Whether it settles an answer, or a challenge compares it with a statement."""
    if not result.factor or isinstance(result.value, Unknown):
        return False
    about = _ANSWERS.get(result.id, result.factor)
    decided = isinstance(result.limit, Unknown) or result.says != "unknown"
    if result.ignored:
        return True
    if result.role == "settles" and decided and _source(about, dossier) == "measured":
        return True
    paths = {
        result.factor,
        *(f"{kind}.{about}" for kind in ("factors", "ceiling", "signals")),
    }
    return any(
        "evidence" in c.between and paths & set(c.between) for c in dossier.challenges
    )


def _bears(result: EvidenceResult, dossier: Dossier) -> str:
    """How a measurement bears on an answer, in a few words."""
    if not result.factor or isinstance(result.value, Unknown):
        return ""
    about = _ANSWERS.get(result.id, result.factor)
    name = plain(about)
    if result.ignored:
        return f"doesn’t count: {result.ignored}"
    if isinstance(result.limit, Unknown):
        if result.role == "supports":
            return "no conclusion"
        answer = dossier.factors.get(about) or dossier.ceiling.checks.get(about)
        if answer and answer.source == "measured":
            return f"{name} is {answer.state}"
        return ""
    limit = f"(threshold {limit_text(result.limit, result.unit)})"
    if result.says == "unknown":
        return f"{name} stays open {limit}"
    if result.role == "settles" and _source(about, dossier) != "measured":
        return f"doesn’t settle {name} {limit}"
    if result.role == "supports":
        return f"suggests “{name}: {result.says}” {limit}"
    return f"supports “{name}: {result.says}” {limit}"


def _source(name: str, dossier: Dossier) -> str:
    rooms = (dossier.signals, dossier.factors, dossier.ceiling.checks)
    return next((room[name].source for room in rooms if name in room), "")


def between_days(since: date | Unknown | None, until: date) -> str:
    if since is None or isinstance(since, Unknown) or since == until:
        return day(until)
    return f"{day(since)} to {day(until)}"


def measured(dossier: Dossier) -> b.Part:
    """Pictures, then measurements with interval, count, method and source; samples are folded."""
    own = measurements(dossier)
    if isinstance(dossier.evidence, Unknown):
        nothing = dossier.evidence
    else:
        nothing = NOTHING_MEASURED
    title = "What was measured, with 95% intervals"
    samples = (
        b.fold(
            f"Samples: {measured_name(result.id, result.title)}",
            b.bullets(result.examples),
            id=f"samples-{result.id}",
        )
        for result in own
        if result.examples
    )
    table = _evidence_table(dossier, own, title)
    against = charts.measured(
        {measured_name(result.id, result.title): result for result in own}
    )
    picture = table and captioned(against, table, table_is="open")
    latency = dossier.targets.get("latency")
    return b.part(
        "Measured",
        pictures(dossier.series, latency.limit if latency else None),
        picture or table or b.Todo(nothing.ask, "Nothing was measured."),
        samples,
    )


def _evidence_table(
    dossier: Dossier, some: Sequence[EvidenceResult], title: str
) -> b.Table | None:
    """A table of measurements: what each bears on, its source, and its method; None for none."""
    rows = (
        (
            b.Cell(row.title, row.bears),
            row.value,
            b.Cell(row.counted, row.source),
            row.method,
        )
        for row in evidence_rows(dossier, some)
    )
    if some:
        return b.table(title, "Measured | Value | On | How", rows)
    return None
