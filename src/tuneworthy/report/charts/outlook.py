"""Pictures of what lies ahead: the options by how soon they help, and the plan on a calendar."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import altair as alt

from tuneworthy.domain.outlook import Number, OptionResult, Plan
from tuneworthy.domain.record import Range, Unknown
from tuneworthy.report.charts.draw import (
    BAND,
    NARROW,
    PAPER,
    PRO,
    Drawing,
    Layers,
    Row,
    drawn,
    in_rows,
    labels,
)

_MOST_OPTIONS = 12
_HELPS = ("yes", "partly", "unknown")


def options(found: tuple[OptionResult, ...]) -> Drawing | None:
    """Options that help by the weeks until they are in production; those of no help are left out.

    Returns:
        The picture of the first twelve by rank whose weeks are known, or None for none.
    """
    ranked = sorted(found, key=lambda option: option.rank)
    shown = [
        (option, ends)
        for option in ranked
        if option.helps in _HELPS and (ends := _ends(option.weeks)) is not None
    ][:_MOST_OPTIONS]
    if not shown:
        return None
    titles = labels([option.title for option, _ in shown])
    rows: list[Row] = [
        {
            "title": title,
            "low": low,
            "high": high,
            "helps": option.helps,
            "middle": (low + high) / 2,
        }
        for title, (option, (low, high)) in zip(titles, shown, strict=True)
    ]
    return drawn(partial(_options, rows, titles), len(rows) + 1)


def _ends(value: Number) -> tuple[float, float] | None:
    if isinstance(value, Unknown):
        return None
    if isinstance(value, Range):
        return (value.low, value.low if value.high == "open" else value.high)
    return (value, value)


def _options(rows: list[Row], titles: list[str], width: int) -> Layers:
    axis = alt.Axis(tickCount=4 if width == NARROW else 6, tickMinStep=1)
    x = partial(alt.X, title="weeks", axis=axis, scale=alt.Scale(zero=True, nice=True))
    fill = alt.Fill("helps:N", legend=None).scale(domain=list(_HELPS), range=[PRO, PAPER, PAPER])
    shape = alt.Shape("helps:N", legend=None).scale(
        domain=list(_HELPS), range=["circle", "circle", "diamond"]
    )
    base = in_rows(rows, titles)
    lines = base.mark_rule(color=PRO, strokeWidth=3).encode(x=x("low:Q"), x2="high:Q")
    dots = base.mark_point(size=110, opacity=1, strokeWidth=2, stroke=PRO)
    return alt.layer(lines, dots.encode(x=x("middle:Q"), fill=fill, shape=shape))


def gantt(plan: Plan) -> Drawing | None:
    """The phases of the plan from their first to their last day.

    Returns:
        The picture, or None for a plan of no phase.
    """
    if not plan.phases:
        return None
    titles = labels([phase.title for phase in plan.phases])
    rows: list[Row] = [
        {
            "title": title,
            "from": phase.start.isoformat(),
            "to": (phase.end + timedelta(days=1)).isoformat(),
            "later": phase.part == "later_goals",
        }
        for title, phase in zip(titles, plan.phases, strict=True)
    ]
    return drawn(partial(_gantt, rows, titles), len(rows) + 1)


def _gantt(rows: list[Row], titles: list[str], width: int) -> Layers:
    axis = alt.Axis(format="%-d %b", tickCount=3 if width == NARROW else 6, labelOverlap=True)
    x = alt.X("from:T", title=None, axis=axis, scale=alt.Scale(type="utc"))
    fill = alt.Fill("later:N", legend=None).scale(domain=[False, True], range=[PRO, BAND])
    bars = in_rows(rows, titles).mark_bar(height=16, stroke=PRO, strokeWidth=1.5)
    return alt.layer(bars.encode(x=x, x2="to:T", fill=fill))
