"""From a chart to an SVG that is safe, takes the page's colours and needs nothing from outside."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from tuneworthy.model.base import Range, Unknown
from tuneworthy.model.dossier import Dossier, FactorResult, Number, OptionResult, Plan, Simulation
from tuneworthy.model.lab import ArmResult, CurvePoint
from tuneworthy.report.text import safe
from tuneworthy.verdict.headline import OUTCOME_WORDS
from tuneworthy.words import share

# From a chart to an SVG that is safe, takes the page's colours and needs nothing from outside.

if TYPE_CHECKING:
    import altair as alt

    Layers = alt.LayerChart | alt.FacetChart
    """What layering charts gives."""
else:

    class _AtFirstUse:
        """The drawing library: an extra, which text and Markdown must not need."""

        def __getattr__(self, name: str) -> Any:
            import altair as alt

            return getattr(alt, name)

    alt = _AtFirstUse()

Row = dict[str, object]
"""What one mark of a chart is drawn from."""

INK, MUTED, LINE, PAPER = "#1d2329", "#59636e", "#d0d5da", "#fdfdfc"
PRO, CON, OPEN, BAND = "#14609f", "#a8500c", "#7a8490", "#bcd4ea"
"""Colours of the light scheme. The page's style maps each to its own variable, so a dark page or a
reader's own style recolours the picture; blue and orange stay apart for colour-blind readers."""

WIDE, NARROW = 760, 320
"""Widths in pixels: for a desk and for paper, and for a telephone."""

FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
"""Faces of one width: what the text was measured with is what the reader sees."""

_MOST_LETTERS = 60
_ELEMENTS = frozenset({"svg", "g", "path", "rect", "line", "text", "tspan", "circle", "polygon"})
_ATTRIBUTES = frozenset(
    {
        *("class", "cx", "cy", "d", "dx", "dy", "fill", "fill-opacity", "font-family", "font-size"),
        *("font-style", "font-weight", "height", "opacity", "points", "r", "stroke", "transform"),
        *("stroke-dasharray", "stroke-linecap", "stroke-linejoin", "stroke-miterlimit", "width"),
        *("stroke-opacity", "stroke-width", "text-anchor", "viewBox", "x", "x1", "x2", "y", "y1"),
        "y2",
    }
)
_PLAIN = re.compile(r"[\w\s.,#%()+-]*")


@dataclass(frozen=True, slots=True)
class Drawing:
    """One picture, drawn when it is asked for. Equal charts give equal text."""

    chart: Callable[[int], Layers]
    """Makes the chart for a width in pixels."""
    rows: int | None = None
    """For a chart of rows: how many; it decides the height."""

    @property
    def wide(self) -> str:
        """For a desk and for paper: the text of an ``svg`` element without its label."""
        return _svg(self.spec(WIDE))

    @property
    def narrow(self) -> str:
        """The same for a telephone."""
        return _svg(self.spec(NARROW))

    def height(self, width: int) -> int:
        """Its height in pixels, at a width."""
        return 30 * self.rows + 44 if self.rows else (320 if width == WIDE else 240)

    def spec(self, width: int) -> dict[str, Any]:
        """The picture as Vega-Lite, for whoever draws it elsewhere.

        Held against the grammar in the tests and not here: that takes most of the time.
        """
        fit = alt.AutoSizeParams(type="fit", contains="padding")
        chart = self.chart(width).properties(width=width, height=self.height(width), autosize=fit)
        return chart.to_dict(validate=False) | {"config": _config(narrow=width == NARROW)}


def drawn(chart: Callable[[int], Layers], rows: int | None = None) -> Drawing:
    """A chart as a picture, in both widths.

    Args:
        chart: Makes the chart for a width in pixels.
        rows: For a chart of rows: how many; it decides the height.
    """
    return Drawing(chart, rows)


def labels(titles: Sequence[str]) -> list[str]:
    """Titles for an axis: one line, cut to a length that can be read, and no two alike."""
    found: list[str] = []
    for title in titles:
        # the renderer cuts characters beyond U+FFFF in half; the table has the whole title
        flat = "".join(c if c <= "\uffff" else "□" for c in safe(" ".join(title.split())))
        short = flat if len(flat) <= _MOST_LETTERS else flat[: _MOST_LETTERS - 1] + "…"
        label, copies = short or "–", 1
        while label in found:
            copies += 1
            label = f"{short} ({copies})"
        found.append(label)
    return found


def in_rows(rows: Sequence[Row], titles: Sequence[str]) -> alt.Chart:
    """A chart of one row for each title, in their order; ``title`` names the row of a mark."""
    axis = alt.Axis(ticks=False, domain=False, labelPadding=10)
    y = alt.Y("title:N", sort=list(titles), title=None, axis=axis)
    chart: alt.Chart = alt.Chart(alt.InlineData(values=list(rows))).encode(y=y)
    return chart


def _svg(spec: dict[str, Any]) -> str:
    return _rendered(json.dumps(spec, allow_nan=False))


@lru_cache(maxsize=64)  # it takes a quarter of a second, and a server is asked for the same again
def _rendered(spec: str) -> str:
    import vl_convert

    drawing = vl_convert.vegalite_to_svg(spec, vl_version=vl_version(), allowed_base_urls=[])
    return _clean(drawing)


def vl_version() -> str:
    """The version of Vega-Lite that charts are made for, as the renderer names it."""
    return "v" + ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])


def _config(*, narrow: bool) -> dict[str, Any]:
    size = 13 if narrow else 15
    return {
        "background": None,
        "font": FONT,
        "padding": 2,
        "view": {"stroke": None},
        "text": {"color": INK, "fontSize": size},
        "axis": {
            "labelColor": INK,
            "labelFontSize": size,
            "labelLimit": 155 if narrow else 310,
            "titleColor": MUTED,
            "titleFontSize": size,
            "titleFontWeight": "normal",
            "domainColor": LINE,
            "gridColor": LINE,
            "tickColor": LINE,
        },
    }


def _clean(svg: str) -> str:
    """Known elements and attributes only: no style, no script, no link, no id, no address."""
    root = ET.fromstring(svg)  # noqa: S314  # made by our own renderer just now
    size = {name: root.get(name, "") for name in ("width", "height")}
    _prune(root)
    for name in size:
        root.attrib.pop(name, None)  # the page sizes it; viewBox keeps the proportions
    return ET.tostring(root, encoding="unicode", short_empty_elements=True)


def _prune(element: ET.Element) -> None:
    element.tag = _local(element.tag)
    kept = {name: value for name, value in element.attrib.items() if _allowed(name, value)}
    element.attrib.clear()
    element.attrib.update(kept)
    element.attrib.pop("class", None)
    for child in list(element):
        tag = _local(child.tag)
        unseen = child.get("display") == "none" or (tag == "path" and not child.get("d"))
        if unseen or tag not in _ELEMENTS:
            element.remove(child)
        else:
            _prune(child)


def _allowed(name: str, value: str) -> bool:
    return name in _ATTRIBUTES and (name == "d" or _PLAIN.fullmatch(value) is not None)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


# Pictures of what was measured: volume, latency, voice, passages, formats, arms and examples.

Found = Sequence[dict[str, Any]]
"""Rows of a picture's numbers, checked by ``report.evidence.numbers``."""


def _share_scale() -> alt.Scale:
    return alt.Scale(domain=[0, 1])


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
    axis = alt.Axis(
        labelAngle=0, labelOverlap="greedy", labelSeparation=apart, ticks=False, labelPadding=8
    )
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
    x = partial(alt.X, title=None, axis=_percent(width), scale=_share_scale())
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


# Pictures of a ceiling lab: every arm with its interval, and the best so far, arm by arm.

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


# Pictures of the money: the months until it is back, and what moves the result most.

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


# Pictures of what lies ahead: the options by how soon they help, and the plan on a calendar.

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


# Pictures of the verdict: the balance of the reasons, and how far the verdict is open.


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
