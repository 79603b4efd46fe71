"""Evidence: pictures and rows of measurements."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
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

_MOST_POINTS = 200  #: Rows of a series that a picture shows.


def series_of(every: Sequence[Series] | Unknown, name: str) -> Series | None:
    """The series of a name; None where there is none, or nothing was measured."""
    if isinstance(every, Unknown):
        return None
    for series in every:
        if series.id == name:
            return series
    return None


def rows_of(
    series: Series | None,
    numbers: Sequence[str],
    texts: Sequence[str] = (),
    flags: Sequence[str] = (),
) -> list[Row]:
    """The first 200 rows, checked: [] where a column is missing, or has a wrong kind or length.

    A series comes from a file beside the case, which anybody may have written.
    """
    if series is None:
        return []
    columns: dict[str, list[Scalar]] = {}
    for names, kind in ((numbers, float), (texts, str), (flags, bool)):
        for name in names:
            cells = series.columns.get(name, ())[:_MOST_POINTS]
            checked = [_value(cell, kind) for cell in cells]
            columns[name] = [cell for cell in checked if cell is not None]
            if len(columns[name]) != len(cells):
                return []
    lengths = {len(column) for column in columns.values()}
    if len(lengths) != 1:
        return []
    (length,) = lengths
    return [
        {name: column[place] for name, column in columns.items()}
        for place in range(length)
    ]


def _value(cell: Scalar, kind: type) -> Scalar | None:
    """A cell as a number, an open end as infinite; None where it is of another kind."""
    if kind is not float:
        return cell if isinstance(cell, kind) else None
    if cell == "open":
        return math.inf
    if isinstance(cell, bool | str) or not math.isfinite(cell):
        return None  # a bool is an int to Python, and no number here
    return float(cell)


STEPS = named("steps")
"""Why an answer can't be an example, by the id of the step that removes it."""


def step_rows(series: Series) -> list[Row]:
    """Each step with its count and its bar, for the examples kept or removed; no step without any."""
    rows: list[Row] = []
    steps = series.columns.get("step", ())
    counts = series.columns.get("n", ())
    left = 0.0  # examples after the last step
    for name, n in zip(steps, counts, strict=False):
        many = float(n)
        row: Row = {"step": STEPS.get(str(name), plain(str(name))), "n": many}
        if name in ("all", "usable"):  # a total stands on the axis
            row |= {"start": 0.0, "end": many, "kind": "kept", "sign": ""}
            left = many
        elif many:  # what a step takes off hangs from where the last one ended
            row |= {"start": left - many, "end": left, "kind": "off", "sign": "–"}
            left -= many
        else:
            continue
        rows.append(row)
    return rows


def steps_table(series: Series, *, quiet: bool = False) -> b.Table:
    """The table of steps that keep or remove examples, for the page and ``measure --examples``."""
    return _table("waterfall", step_rows(series), quiet=quiet)


# rows of a picture; more can't be told apart on a telephone
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
    drawn = []
    for name, make in makers.items():
        series = series_of(every, name)
        picture = None if series is None else make(series)
        if picture is not None:
            drawn.append(picture)
    return tuple(drawn)


def _table(look: str, rows: Iterable[Row], *, quiet: bool = False) -> b.Table:
    """The table behind a picture; ``charts.json`` has its columns as templates of cells."""
    title = looks()[look]["title"]
    columns = looks()[look]["table"]
    cells = [[fill(cell, row) for cell in columns.values()] for row in rows]
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
    look: str, rows: Sequence[Row], fields: Sequence[str], fewest: int = 1
) -> Drawing | None:
    """A chart of some fields of rows; None for too few."""
    if len(rows) >= fewest:
        return Drawing(look, _with_fields(rows, fields))
    return None


def _with_fields(rows: Iterable[Row], fields: Sequence[str]) -> list[Row]:
    """The rows with only some of their fields, because a page holds all that a picture gets."""
    return [{name: row[name] for name in fields} for row in rows]


def _arms(series: Series) -> b.Picture | None:
    """The picture of a log's arms."""
    has_tests = "test" in series.columns
    numbers = ["value", "low_of_all", "high_of_all", "cases"]
    if has_tests:
        numbers.append("test")
    rows = rows_of(series, numbers, ("prompt", "model"))[:_MOST_ARMS]
    listed = [
        {**row, "name": _arm_name(row, row["prompt"], row["model"])} for row in rows
    ]
    titles = _arm_titles(rows)
    drawn = [{**row, "title": title} for row, title in zip(rows, titles, strict=True)]
    says = "{says}"
    if has_tests:
        says += " Tests share no case: only arms of one test can be compared."
    return _picture(by_title("arms", drawn), listed, says)


def _arm_titles(rows: Sequence[Row]) -> list[str]:
    """Short names for an axis, without what all arms share and without who serves a model."""
    one_prompt = len({row["prompt"] for row in rows}) == 1
    one_model = len({row["model"] for row in rows}) == 1
    titles = []
    for row in rows:
        prompt = row["prompt"]
        if one_prompt and not one_model:  # with both shared, the prompt stays
            prompt = ""
        model = ""
        if not one_model:
            *_provider, model = re.split("[:/]", row["model"])
        titles.append(_arm_name(row, prompt, model))
    return titles


def _arm_name(row: Row, prompt: str, model: str) -> str:
    """An arm by its prompt and its model, after the number of its test if there are several tests."""
    parts = [part for part in (prompt, model) if part]
    name = ", ".join(parts) or "the prompt"
    return f"test {row['test']:.0f}: {name}" if "test" in row else name


def _volume(series: Series) -> b.Picture | None:
    """The traffic by month. Forecast months are pale, with their interval; part months are dashed."""
    months = rows_of(
        series,
        numbers=("requests", "low", "high"),
        texts=("month",),
        flags=("forecast", "whole"),
    )
    rows = [_month_row(month) for month in months[-_MOST_MONTHS:]]  # the latest
    kinds = {row["kind"] for row in rows}
    unused_looks = []  # of the legend: bars that are open, and the band of a forecast
    if "part" not in kinds:
        unused_looks.append("open")
    if "ahead" in kinds:
        trend = (
            "Pale bars are the forecast by the trend, with the range it should fall into in 19 "
            "months of 20."
        )
    else:
        unused_looks.append("band")
        trend = "The log is too short, or has gaps, for a trend."
    fields = ("month", "requests", "low", "high", "kind")
    drawing = _drawing("volume", rows, fields, fewest=2)
    # the words of the look stand in place of {says}
    return _picture(drawing, rows, "{says} " + trend, unused_looks)


def _month_row(month: Row) -> Row:
    """A month with its kind, and with its numbers in words."""
    if month["forecast"]:
        kind = "ahead"
    else:
        kind = "whole" if month["whole"] else "part"
    low = month["low"]
    high = month["high"]
    ends = ""
    if math.isinf(high):
        ends = f"at least {count(round(low))}"
        high = month["requests"]  # an open end can't be drawn
    elif low != high:
        ends = f"{count(round(low))} to {count(round(high))}"
    return {
        **month,
        "high": high,
        "n": round(month["requests"]),
        "month": _month(month["month"]),
        "kind": kind,
        "counted": _MONTHS[kind],
        "ends": ends,
    }


def _month(text: str) -> str:
    """A month as people write it: ``Nov 2026`` for ``2026-11``; another text stays as it is."""
    try:
        first_day = date.fromisoformat(f"{text}-01")
    except ValueError:
        return text
    return day(first_day).removeprefix("1 ")


def _latency(series: Series, most_seconds: Number | None) -> b.Picture | None:
    """Median and 95th percentile by input tokens, in bins of equal numbers of calls."""
    names = ("input_tokens_low", "input_tokens_high", "p50_s", "p95_s", "n")
    rows = rows_of(series, names)
    for row in rows:
        row["p50"] = row["p50_s"]
        row["p95"] = row["p95_s"]
        row["tokens"] = (row["input_tokens_low"] + row["input_tokens_high"]) / 2
    drawing = _drawing("latency", rows, ("tokens", "p50", "p95"), fewest=2)
    if drawing is None or not isinstance(most_seconds, float | int):
        return _picture(drawing, rows, but=["dash"])  # no line of a target
    with_target = replace(drawing, levels={"target": float(most_seconds)})
    return _picture(with_target, rows)


def _signatures(series: Series) -> b.Picture | None:
    """How many outputs of each prompt are read, are right, and have the usual keys."""
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
    """The share of answers in the wanted voice by turn; people count turns from 1."""
    names = ("turn", "share", "low", "high", "n")
    rows = [{**row, "turn": row["turn"] + 1} for row in rows_of(series, names)]
    return _picture(_drawing("voice", rows, names, fewest=2), rows)


def _knowledge(series: Series) -> b.Picture | None:
    """The four counts of passage and answer as a square. The fault that tuning fixes is emphasized."""
    counts = rows_of(series, ("n",), (), ("sufficient", "right"))
    total = sum(row["n"] for row in counts)
    if not total:
        return None
    rows = [_knowledge_row(row, total) for row in counts]
    drawing = _drawing("knowledge", rows, ("passage", "answer", "says", "look"))
    says = f"{counted(total, 'answer')} by two questions. {{says}}"
    return _picture(drawing, rows, says)


def _knowledge_row(row: Row, total: float) -> Row:
    """A square's field: whether the passage was there, whether the answer was right, and its share."""
    if not row["sufficient"]:
        look = "retrieval"  # no answer can be right by what it read
    else:
        look = "fine" if row["right"] else "synthesis"
    there = "there" if row["sufficient"] else "missing"
    part = row["n"] / total
    return {
        **row,
        "there": there,
        "look": look,
        "part": part,
        "passage": f"passage {there}",
        "answer": "right" if row["right"] else "wrong",
        "says": f"{row['n']:,.0f} ({part:.0%})",
    }


def _examples(series: Series) -> b.Picture | None:
    """The steps that keep or remove examples, as a waterfall; None for a series of a wrong kind."""
    if not rows_of(series, ("n",), ("step",)):
        return None
    rows = step_rows(series)
    drawn = _with_fields(rows, ("step", "start", "end", "kind"))
    titled = [{**row, "title": row["step"]} for row in drawn]
    return _picture(by_title("waterfall", titled), rows)


class EvidenceRow(NamedTuple):
    """A measurement in words."""

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

    def order(result: EvidenceResult) -> tuple[bool, bool, bool]:
        return (  # False sorts before True
            isinstance(result.value, Unknown),
            not _carries(result, dossier),
            result.says == "unknown",
        )

    return [_evidence_row(result, dossier) for result in sorted(some, key=order)]


def _evidence_row(result: EvidenceResult, dossier: Dossier) -> EvidenceRow:
    """A measurement in words."""
    if isinstance(result.value, Unknown):
        value = f"unknown: {result.value.ask}"
    else:
        value = interval_text(result.value, result.low, result.high, result.unit)
    return EvidenceRow(
        title=capital(measured_name(result.id, result.title)),
        value=value,
        bears=_bears(result, dossier),
        counted=", ".join(_counted_parts(result)),
        method=result.method,
        source=result.source,
    )


def _counted_parts(result: EvidenceResult) -> Iterator[str]:
    """The number of traces, of independent ones if these are fewer, and the days."""
    if result.n:
        traces = count(result.n)
        if 0 < result.clusters < result.n:
            traces += f" ({count(result.clusters)} independent)"
        yield traces
    if result.sample == "sampled":
        yield "a sample"
    if not isinstance(result.observed_on, Unknown):
        yield between_days(result.since, result.observed_on)


def _carries(result: EvidenceResult, dossier: Dossier) -> bool:
    """Whether it settles an answer, or a challenge compares it with a statement."""
    if not result.factor or isinstance(result.value, Unknown):
        return False
    if result.ignored:  # a reader has to see why it doesn't count
        return True
    about = _ANSWERS.get(result.id, result.factor)
    is_decided = isinstance(result.limit, Unknown) or result.says != "unknown"
    is_from_data = _source(about, dossier) == "measured"
    if result.role == "settles" and is_decided and is_from_data:
        return True
    paths = {
        result.factor,
        f"factors.{about}",
        f"ceiling.{about}",
        f"signals.{about}",
    }
    return any(
        "evidence" in challenge.between and paths.intersection(challenge.between)
        for challenge in dossier.challenges
    )


def _bears(result: EvidenceResult, dossier: Dossier) -> str:
    """How a measurement bears on an answer, in a few words; empty where it bears on none."""
    if not result.factor or isinstance(result.value, Unknown):
        return ""
    if result.ignored:
        return f"doesn’t count: {result.ignored}"
    about = _ANSWERS.get(result.id, result.factor)
    name = plain(about)
    if isinstance(result.limit, Unknown):  # it has nothing to be compared with
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
    """The source of an answer; empty where nobody asks for it."""
    for answers in (dossier.signals, dossier.factors, dossier.ceiling.checks):
        if name in answers:
            return answers[name].source
    return ""


def between_days(since: date | Unknown | None, until: date) -> str:
    if since is None or isinstance(since, Unknown) or since == until:
        return day(until)
    return f"{day(since)} to {day(until)}"


def measured(dossier: Dossier) -> b.Part:
    """Pictures, then measurements with interval, count, method and source; samples are folded."""
    latency = dossier.targets.get("latency")
    return b.part(
        "Measured",
        pictures(dossier.series, latency.limit if latency else None),
        _measured_picture(dossier),
        _sample_folds(measurements(dossier)),
    )


def _measured_picture(dossier: Dossier) -> b.Block:
    """The measurements beside their limits, or their table where none has a limit, or what to do."""
    own = measurements(dossier)
    table = _evidence_table(dossier, own, "What was measured, with 95% intervals")
    if table is None:
        nothing = NOTHING_MEASURED
        if isinstance(dossier.evidence, Unknown):
            nothing = dossier.evidence
        return b.Todo(nothing.ask, "Nothing was measured.")
    by_name = {measured_name(result.id, result.title): result for result in own}
    return captioned(charts.measured(by_name), table, table_is="open") or table


def _sample_folds(own: Iterable[EvidenceResult]) -> Iterator[b.Fold]:
    """The sampled traces of each measurement, closed."""
    for result in own:
        if result.examples:
            name = measured_name(result.id, result.title)
            samples = b.bullets(result.examples)
            yield b.fold(f"Samples: {name}", samples, id=f"samples-{result.id}")


def _evidence_table(
    dossier: Dossier, some: Sequence[EvidenceResult], title: str
) -> b.Table | None:
    """A table of measurements: what each bears on, its source, and its method; None for none."""
    if not some:
        return None
    rows = [
        (
            b.Cell(row.title, row.bears),
            row.value,
            b.Cell(row.counted, row.source),
            row.method,
        )
        for row in evidence_rows(dossier, some)
    ]
    return b.table(title, "Measured | Value | On | How", rows)
