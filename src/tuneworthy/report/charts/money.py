"""Pictures of the money: the months until it is back, and what moves the result most."""

from __future__ import annotations

from functools import partial

import altair as alt

from tuneworthy.domain.outlook import Simulation
from tuneworthy.report.charts.draw import (
    BAND,
    CON,
    INK,
    MUTED,
    NARROW,
    PRO,
    Drawing,
    Layers,
    Row,
    drawn,
    in_rows,
    labels,
)

_USD = "$,.0f"
_MOST_SWINGS = 10


def fan(simulation: Simulation) -> Drawing | None:
    """Cumulated money month by month: the middle draw, and the band of eight draws in ten.

    Returns:
        The picture, or None for a simulation of no month.
    """
    rows: list[Row] = [
        {"month": m.month, "p10": m.p10, "p50": m.p50, "p90": m.p90} for m in simulation.curve
    ]
    return drawn(partial(_fan, rows)) if rows else None


def _fan(rows: list[Row], width: int) -> Layers:
    months = alt.Axis(grid=False, tickCount=5 if width == NARROW else 8, format="d")
    scale = alt.Scale(nice=False)
    x = alt.X("month:Q", title="months from the start", axis=months, scale=scale)
    y = partial(
        alt.Y, title=None, axis=alt.Axis(format=_USD, tickCount=5, domain=False, ticks=False)
    )
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=x)
    band = base.mark_area(color=BAND).encode(y=y("p10:Q"), y2="p90:Q")
    line = base.mark_line(color=PRO, strokeWidth=2.5).encode(y=y("p50:Q"))
    zero = alt.Chart(alt.InlineData(values=[{"at": 0}])).mark_rule(color=INK, strokeWidth=1.5)
    return alt.layer(band, zero.encode(y=y("at:Q")), line)


def tornado(simulation: Simulation) -> Drawing | None:
    """Each uncertain input alone, from its low to its high end.

    Returns:
        The picture of the ten widest, or None where no input is a range.
    """
    swings = simulation.tornado[:_MOST_SWINGS]
    if not swings:
        return None
    titles = labels([swing.input for swing in swings])
    rows: list[Row] = [
        {"title": title, "end": end, "value": value, "middle": simulation.npv_usd.p50}
        for title, swing in zip(titles, swings, strict=True)
        for end, value in (("low", swing.low_usd), ("high", swing.high_usd))
    ]
    return drawn(partial(_tornado, rows, titles), len(titles) + 1)


def _tornado(rows: list[Row], titles: list[str], width: int) -> Layers:
    axis = alt.Axis(format=_USD, tickCount=2 if width == NARROW else 5)
    x = partial(alt.X, title=None, axis=axis, scale=alt.Scale(zero=False))
    color = alt.Color("end:N", legend=None).scale(domain=["low", "high"], range=[CON, PRO])
    bars = in_rows(rows, titles).mark_bar(height=16)
    middle = alt.Chart(alt.InlineData(values=rows[:1])).mark_rule(color=MUTED)
    return alt.layer(
        bars.encode(x=x("middle:Q"), x2="value:Q", color=color), middle.encode(x=x("middle:Q"))
    )
