"""Pictures of a ceiling lab: every arm with its interval, and the best so far, arm by arm."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import altair as alt

from tuneworthy.domain.lab import ArmResult, CurvePoint
from tuneworthy.domain.record import Unknown
from tuneworthy.report.charts.draw import (
    CON,
    MUTED,
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

_MOST_ARMS = 12


def board(found: Sequence[ArmResult], target: float | None) -> Drawing | None:
    """Arms by their quality on the cases for selecting, with 95% intervals; the target as a line.

    Returns:
        The picture of the first twelve that were run, or None for none.
    """
    told = [(one, one.quality) for one in found if not isinstance(one.quality, Unknown)]
    if not told:
        return None
    titles = labels([one.arm.id for one, _ in told[:_MOST_ARMS]])
    rows: list[Row] = [
        {
            "title": title,
            "value": share.value,
            "low": share.low,
            "high": share.high,
            "look": "stayed" if one.dropped_after is None else "left",
        }
        for title, (one, share) in zip(titles, told, strict=False)
    ]
    return drawn(partial(_board, rows, titles, target), len(rows) + 1)


def _board(rows: list[Row], titles: list[str], target: float | None, width: int) -> Layers:
    axis = alt.Axis(tickCount=3 if width == NARROW else 6, format=".2~f")
    scale = alt.Scale(domain=[0, 1])
    x = partial(alt.X, title="share of cases", axis=axis, scale=scale)
    looks = ["stayed", "left"]
    line = alt.Stroke("look:N", legend=None).scale(domain=looks, range=[PRO, OPEN])
    fill = alt.Fill("look:N", legend=None).scale(domain=looks, range=[PRO, PAPER])
    base = in_rows(rows, titles)
    span = base.mark_rule(strokeWidth=3).encode(x=x("low:Q"), x2="high:Q", stroke=line)
    dots = base.mark_point(size=110, opacity=1, strokeWidth=2)
    layers = [span, dots.encode(x=x("value:Q"), fill=fill, stroke=line)]
    if target is not None:
        layers.append(_line("at", target).encode(x=x("at:Q")))
    return alt.layer(*layers)


def _line(name: str, at: float, colour: str = CON) -> alt.Chart:
    chart: alt.Chart = alt.Chart(alt.InlineData(values=[{name: at}])).mark_rule(
        color=colour, strokeWidth=2, strokeDash=[6, 3]
    )
    return chart


def curve(
    points: Sequence[CurvePoint], *, target: float | None, upper: float | None
) -> Drawing | None:
    """The best so far after each arm, with the target and the bound that all arms stay under.

    Returns:
        The picture, or None for fewer than two arms.
    """
    if len(points) < 2:
        return None
    rows: list[Row] = [{"arms": one.arms, "best": one.best} for one in points]
    return drawn(partial(_curve, rows, target, upper))


def _curve(rows: list[Row], target: float | None, upper: float | None, width: int) -> Layers:
    axis = alt.Axis(grid=False, tickMinStep=1, tickCount=5 if width == NARROW else 10, format="d")
    x = alt.X("arms:Q", title="arms tried", axis=axis, scale=alt.Scale(nice=False, zero=False))
    ends = alt.Axis(tickCount=5, domain=False, ticks=False, format=".2~f")
    y = partial(alt.Y, title=None, axis=ends, scale=alt.Scale(zero=False, nice=True))
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=x, y=y("best:Q"))
    line = base.mark_line(color=PRO, strokeWidth=2.5, interpolate="step-after")
    layers = [line, base.mark_point(size=60, opacity=1, fill=PRO, stroke=PRO)]
    for at, colour in ((target, CON), (upper, MUTED)):
        if at is not None:
            layers.append(_line("at", at, colour).encode(y=y("at:Q")))
    return alt.layer(*layers)
