"""Pictures of the verdict: the balance of the reasons, and how far the verdict is open."""

from __future__ import annotations

from functools import partial

import altair as alt

from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.sections import FactorResult
from tuneworthy.report.charts.draw import (
    CON,
    INK,
    LINE,
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
from tuneworthy.report.verdicts import OUTCOME_WORDS
from tuneworthy.report.words import share


def balance(dossier: Dossier) -> Drawing | None:
    """Every reason as a bar: those for to the right, those against to the left.

    Returns:
        The picture, or None where a framework has no reasons.
    """
    if not dossier.factors:
        return None
    found = list(dossier.factors.values())
    titles = labels([factor.title for factor in found])
    lengths = _lengths(found)
    rows: list[Row] = []
    for title, factor, length in zip(titles, found, lengths, strict=True):
        side = 1 if factor.kind == "indicator" else -1
        rows.append(
            {
                "title": title,
                "end": 0 if factor.state == "no" else side * length,
                "state": factor.state if factor.state != "yes" else factor.kind,
                "mark": "?" if factor.state == "unknown" else "",
                "at": side * length / 2,
            }
        )
    return drawn(partial(_balance, rows, titles, max(lengths)), len(rows))


def _lengths(factors: list[FactorResult]) -> list[float]:
    """What each counts: its weight where that is a number, else one."""
    weights = [factor.weight for factor in factors]
    numbers = [float(w) for w in weights if not isinstance(w, str)]
    return numbers if len(numbers) == len(weights) and any(numbers) else [1.0] * len(weights)


def _balance(rows: list[Row], titles: list[str], most: float, _: int) -> Layers:
    scale = alt.Scale(domain=[-most * 1.05, most * 1.05])
    x = partial(alt.X, axis=None, scale=scale)
    fill = alt.Color("state:N", legend=None).scale(
        domain=["indicator", "anti_indicator", "unknown", "no"], range=[PRO, CON, PAPER, LINE]
    )
    base = in_rows(rows, titles)
    bars = base.encode(x=x("end:Q"), color=fill)
    known = bars.transform_filter("datum.state != 'unknown'").mark_bar(height=16)
    unsure = bars.transform_filter("datum.state == 'unknown'").mark_bar(
        height=16, stroke=OPEN, strokeWidth=1.5, strokeDash=[4, 3]
    )
    nothing = base.transform_filter("datum.state == 'no'").mark_point(
        size=70, opacity=1, fill=MUTED, stroke=PAPER, strokeWidth=2
    )
    query = base.mark_text(fontWeight="bold", color=INK).encode(x=x("at:Q"), text="mark:N")
    zero = alt.Chart(alt.InlineData(values=[{"at": 0}])).mark_rule(color=MUTED)
    return alt.layer(known, unsure, zero.encode(x=x("at:Q")), nothing.encode(x=x("end:Q")), query)


def reach(dossier: Dossier) -> Drawing | None:
    """The share of each outcome among the ways to answer what is open, with its bounds.

    Returns:
        The picture, or None when the verdict is final and nothing is to be seen.
    """
    if dossier.verdict.final:
        return None
    shares = sorted(dossier.distribution.items(), key=lambda item: -item[1])
    titles = labels([OUTCOME_WORDS[outcome] for outcome, _ in shares])
    rows: list[Row] = [
        {
            "title": title,
            "share": value,
            "low": dossier.bounds[outcome].low,
            "high": dossier.bounds[outcome].high,
            "says": share(value),
        }
        for title, (outcome, value) in zip(titles, shares, strict=True)
    ]
    return drawn(partial(_reach, rows, titles), len(rows) + 1)


def _reach(rows: list[Row], titles: list[str], width: int) -> Layers:
    axis = alt.Axis(format="%", tickCount=5 if width > NARROW else 2)
    x = partial(alt.X, axis=axis, scale=alt.Scale(domain=[0, 1]), title=None)
    base = in_rows(rows, titles)
    bars = base.mark_bar(height=16, color=PRO).encode(x=x("share:Q"))
    span = base.mark_rule(color=INK, strokeWidth=1.5).encode(x=x("low:Q"), x2="high:Q")
    ends = [
        base.mark_tick(color=INK, thickness=1.5, size=9).encode(x=x(f"{end}:Q"))
        for end in ("low", "high")
    ]
    return alt.layer(bars, span, *ends)
