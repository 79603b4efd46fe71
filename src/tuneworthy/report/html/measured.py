"""Pictures of what was measured, each with its words and the same as a table."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence

from tuneworthy.domain.evidence import Series
from tuneworthy.domain.record import Unknown
from tuneworthy.report.charts import evidence as charts
from tuneworthy.report.charts.draw import Drawing
from tuneworthy.report.evidence.numbers import Row, rows_of, series_of
from tuneworthy.report.evidence.steps import steps_of
from tuneworthy.report.html.blocks import Cell, Column, Picture, Table
from tuneworthy.report.words import count, counted, number, quality, share

_MOST_ARMS = 12
_MOST_VERSIONS = 20
_MOST_MONTHS = 30

Found = Sequence[Series] | Unknown


def pictures(found: Found) -> tuple[Picture, ...]:
    """Every picture there are numbers for, in the order of the road: traffic first."""
    makers: tuple[Callable[[Found], Picture | None], ...] = (
        _arms, _volume, _latency, _signatures, _voice, _knowledge, _examples,
    )  # fmt: skip
    return tuple(made for make in makers if (made := make(found)) is not None)


def _picture(
    name: str, title: str, says: str, drawing: Drawing | None,
    head: Sequence[tuple[str, bool]], rows: Iterator[tuple[str | Cell, ...]],
    key: tuple[tuple[str, str], ...] = (),
) -> Picture | None:  # fmt: skip
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
        + " Tests share no case: only what is of one test can be compared." * several,
        charts.arms(rows, short) if rows else None,
        (("Prompt and model", False), ("Score", True), ("Interval", True), ("Cases", True)),
        (
            (name, quality(row["value"]), f"{quality(row['low_of_all'])} to "
             f"{quality(row['high_of_all'])}", count(row["cases"]))
            for name, row in zip(names, map(_numbers, rows), strict=True)
        ),
    )  # fmt: skip


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
        "of 20." if ahead else " The log is too short, or has gaps, for a trend."
    )  # fmt: skip
    key = [("pro", "counted")] + [("open", "month that the log holds in part")] * part
    key += [("band", "forecast, with its interval")] * ahead
    return _picture(
        "volume", "Requests by month", says, charts.volume(rows),
        (("Month", False), ("Requests", True), ("Interval", True), ("What it is", False)),
        (
            (str(row["month"]), count(round(float(row["requests"]))), _between(row), _kind(row))
            for row in rows
        ),
        tuple(key),
    )  # fmt: skip


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
            (f"{count(row['input_tokens_low'])} to {count(row['input_tokens_high'])}",
             f"{number(row['p50_s'])} s", f"{number(row['p95_s'])} s", count(row["n"]))
            for row in map(_numbers, rows)
        ),
        (("pro", "median"), ("con", "95th percentile (dashed)")),
    )  # fmt: skip


def _signatures(found: Found) -> Picture | None:
    numbers = ("outputs", "read_share", "right_share", "usual_keys_share", "different_keys")
    rows = rows_of(series_of(found, "signatures"), numbers, ("prompt",))[:_MOST_VERSIONS]
    return _picture(
        "signatures",
        "Outputs by form, for each version of the prompt",
        "How many outputs can be read as JSON, and how many of those have the right form: by the "
        "schema where there is one, else the keys that most have.",
        charts.signatures(rows),
        (("Prompt", False), ("Outputs", True), ("Can be read", True), ("Right form", True),
         ("Forms seen", True)),
        (
            (str(row["prompt"]), count(float(row["outputs"])), share(float(row["read_share"])),
             share(float(row["right_share"])), count(float(row["different_keys"])))
            for row in rows
        ),
        (("band", "can be read"), ("pro", "and has the right form")),
    )  # fmt: skip


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
            (count(row["turn"] + 1), share(row["share"]),
             f"{share(row['low'])} to {share(row['high'])}", count(row["n"]))
            for row in map(_numbers, rows)
        ),
        (("pro", "share"), ("band", "95% interval")),
    )  # fmt: skip


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
            ("there" if row["sufficient"] else "missing", "right" if row["right"] else "wrong",
             count(float(row["n"])), share(float(row["n"]) / total))
            for row in rows
        ),
        (("con", "wrong although the passage was there"),),
    )  # fmt: skip


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
