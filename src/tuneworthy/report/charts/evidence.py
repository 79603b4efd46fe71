"""Pictures of what was measured: volume, latency, voice, passages, formats, arms and examples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import altair as alt

from tuneworthy.report.charts.draw import (
    BAND,
    CON,
    INK,
    LINE,
    NARROW,
    OPEN,
    PAPER,
    PRO,
    Drawing,
    Layers,
    Row,
    drawn,
    in_rows,
    labels,
)

Found = Sequence[dict[str, Any]]
"""Rows of a picture's numbers, checked by ``report.evidence.numbers``."""

_SHARE = alt.Scale(domain=[0, 1])


def _percent(width: int) -> alt.Axis:
    return alt.Axis(format="%", tickCount=2 if width == NARROW else 5)


def _upright(title: str | None = None, **axis: Any) -> partial[alt.Y]:
    shown = alt.Axis(tickCount=5, domain=False, ticks=False, **axis)
    return partial(alt.Y, title=title, axis=shown)


def volume(found: Found) -> Drawing | None:
    """Requests by month as bars; months to come pale, with their interval; part months dashed."""
    if not found:
        return None
    rows: list[Row] = [
        {
            "month": row["month"],
            "requests": row["requests"],
            "low": row["low"],
            "high": row["high"] if math.isfinite(row["high"]) else row["requests"],
            "kind": "ahead" if row["forecast"] else "whole" if row["whole"] else "part",
        }
        for row in found
    ]
    return drawn(partial(_volume, rows))


def _volume(rows: list[Row], width: int) -> Layers:
    apart = 16 if width == NARROW else 8
    axis = alt.Axis(labelAngle=0, labelOverlap="greedy", labelSeparation=apart, ticks=False,
                    labelPadding=8)  # fmt: skip
    x = alt.X("month:O", title=None, axis=axis, sort=[str(row["month"]) for row in rows])
    y = _upright(format=",.0f")
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=x)
    bars = []
    looks: dict[str, dict[str, Any]] = {
        "whole": {"fill": PRO},
        "part": {"fill": PAPER, "stroke": OPEN, "strokeWidth": 1.5, "strokeDash": [4, 3]},
        "ahead": {"fill": BAND, "stroke": PRO, "strokeWidth": 1.5},
    }
    for kind, look in looks.items():
        one = base.transform_filter(f"datum.kind == '{kind}'").mark_bar(**look)
        bars.append(one.encode(y=y("requests:Q")))
    span = base.transform_filter("datum.kind == 'ahead'").mark_rule(color=INK, strokeWidth=1.5)
    return alt.layer(*bars, span.encode(y=y("low:Q"), y2="high:Q"))


def latency(found: Found) -> Drawing | None:
    """Median and 95th percentile of the seconds by input tokens, bins of equal numbers of calls."""
    if len(found) < 2:
        return None
    rows: list[Row] = [
        {
            "tokens": (row["input_tokens_low"] + row["input_tokens_high"]) / 2,
            "p50": row["p50_s"],
            "p95": row["p95_s"],
        }
        for row in found
    ]
    return drawn(partial(_latency, rows))


def _latency(rows: list[Row], width: int) -> Layers:
    axis = alt.Axis(grid=False, tickCount=4 if width == NARROW else 8, format=",.0f")
    x = alt.X("tokens:Q", title="input tokens", axis=axis, scale=alt.Scale(zero=False))
    y = _upright("seconds")
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=x)
    lines = []
    for name, colour, dash in (("p50", PRO, [1, 0]), ("p95", CON, [6, 3])):
        line = base.mark_line(color=colour, strokeWidth=2.5, strokeDash=dash)
        dots = base.mark_point(size=36, opacity=1, fill=colour, stroke=colour)
        lines += [line.encode(y=y(f"{name}:Q")), dots.encode(y=y(f"{name}:Q"))]
    return alt.layer(*lines)


def voice(found: Found) -> Drawing | None:
    """The share of generic answers turn by turn, with its interval."""
    if len(found) < 2:
        return None
    rows: list[Row] = [{**row, "turn": row["turn"] + 1} for row in found]
    return drawn(partial(_voice, rows))


def _voice(rows: list[Row], width: int) -> Layers:
    axis = alt.Axis(grid=False, tickMinStep=1, tickCount=5 if width == NARROW else 10, format="d")
    x = alt.X("turn:Q", title="answer of the conversation", axis=axis, scale=alt.Scale(nice=False))
    y = _upright(format="%")
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=x)
    band = base.mark_area(color=BAND).encode(y=y("low:Q"), y2="high:Q")
    return alt.layer(band, base.mark_line(color=PRO, strokeWidth=2.5).encode(y=y("share:Q")))


def knowledge(found: Found) -> Drawing | None:
    """The four counts of passage and answer as a square; the fault that tuning meets stands out."""
    total = sum(row["n"] for row in found)
    if not total:
        return None
    rows: list[Row] = [
        {
            "passage": "passage there" if row["sufficient"] else "passage missing",
            "answer": "right" if row["right"] else "wrong",
            "says": f"{row['n']:,.0f} ({row['n'] / total:.0%})",
            "look": ("fine" if row["right"] else "synthesis") if row["sufficient"] else "retrieval",
        }
        for row in found
    ]
    return drawn(partial(_knowledge, rows), 5)


def _knowledge(rows: list[Row], width: int) -> Layers:
    axis = partial(alt.Axis, ticks=False, domain=False, labelAngle=0)
    x = alt.X("answer:N", title=None, sort=["right", "wrong"], axis=axis(orient="top"))
    y = alt.Y("passage:N", title=None, sort=["passage there", "passage missing"], axis=axis())
    looks = ["fine", "synthesis", "retrieval"]
    fill = alt.Fill("look:N", legend=None).scale(domain=looks, range=[BAND, CON, LINE])
    ink = alt.Color("look:N", legend=None).scale(domain=looks, range=[INK, PAPER, INK])
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=x, y=y)
    cells = base.mark_rect(stroke=PAPER, strokeWidth=4).encode(fill=fill)
    size = 14 if width == NARROW else 18
    words = base.mark_text(fontSize=size, fontWeight="bold").encode(text="says:N", color=ink)
    both: Layers = alt.layer(cells, words).resolve_scale(fill="independent", color="independent")
    return both


def signatures(found: Found) -> Drawing | None:
    """For each prompt version the share that can be read, and that has the right form."""
    if not found:
        return None
    titles = labels([row["prompt"] for row in found])
    rows: list[Row] = [{**row, "title": title} for row, title in zip(found, titles, strict=True)]
    return drawn(partial(_signatures, rows, titles), len(rows) + 1)


def _signatures(rows: list[Row], titles: list[str], width: int) -> Layers:
    x = partial(alt.X, title=None, axis=_percent(width), scale=_SHARE)
    base = in_rows(rows, titles)
    read = base.mark_bar(height=16, fill=BAND, stroke=PRO, strokeWidth=1.5)
    right = base.mark_bar(height=16, color=PRO)
    return alt.layer(read.encode(x=x("read_share:Q")), right.encode(x=x("right_share:Q")))


def arms(found: Found, names: Sequence[str]) -> Drawing | None:
    """Every prompt with its model: the mean score and the interval that holds for all at once."""
    if not found:
        return None
    titles = labels(names)
    rows: list[Row] = [{**row, "title": title} for row, title in zip(found, titles, strict=True)]
    return drawn(partial(_arms, rows, titles), len(rows) + 1)


def _arms(rows: list[Row], titles: list[str], width: int) -> Layers:
    axis = alt.Axis(tickCount=3 if width == NARROW else 6, format=".2~f")
    x = partial(alt.X, title="mean score", axis=axis, scale=alt.Scale(zero=False, nice=True))
    base = in_rows(rows, titles)
    span = base.mark_rule(color=PRO, strokeWidth=3)
    dots = base.mark_point(size=110, opacity=1, fill=PRO, stroke=PRO)
    return alt.layer(
        span.encode(x=x("low_of_all:Q"), x2="high_of_all:Q"), dots.encode(x=x("value:Q"))
    )


def waterfall(steps: Sequence[tuple[str, float, bool]]) -> Drawing | None:
    """From all answers down to the usable ones: each step with what it takes off."""
    if not steps:
        return None
    titles, rows, left = labels([words for words, _, _ in steps]), [], 0.0
    for title, (_, n, whole) in zip(titles, steps, strict=True):
        start, end = (0.0, n) if whole else (left - n, left)
        left = n if whole else left - n
        row: Row = {"title": title, "start": start, "end": end, "kind": "kept" if whole else "off"}
        rows.append(row)
    return drawn(partial(_waterfall, rows, titles), len(rows) + 1)


def _waterfall(rows: list[Row], titles: list[str], width: int) -> Layers:
    axis = alt.Axis(tickCount=3 if width == NARROW else 6, format=",.0f")
    fill = alt.Color("kind:N", legend=None).scale(domain=["kept", "off"], range=[PRO, CON])
    bars = in_rows(rows, titles).mark_bar(height=16)
    return alt.layer(bars.encode(x=alt.X("start:Q", title=None, axis=axis), x2="end:Q", color=fill))
