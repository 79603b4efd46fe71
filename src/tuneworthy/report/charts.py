"""Charts as Vega-Lite, and as SVG that is safe and takes the page's colours.

A chart is plain data. A tuple in it holds two values: for a telephone, and for a desk or paper.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree as ET

from tuneworthy.errors import one_line
from tuneworthy.model.base import Range, Unknown
from tuneworthy.model.dossier import Dossier, FactorResult, Number, OptionResult, Plan, Simulation
from tuneworthy.model.lab import ArmResult, CurvePoint
from tuneworthy.verdict.headline import OUTCOME_WORDS
from tuneworthy.words import cut, share

Spec = dict[str, Any]
"""A part of a chart."""

INK, MUTED, LINE, PAPER = "#1d2329", "#59636e", "#d0d5da", "#fdfdfc"
PRO, CON, OPEN, BAND = "#14609f", "#a8500c", "#7a8490", "#bcd4ea"
"""Colours of the light scheme. The page's style maps each to its own variable, so a dark page or a
reader's own style recolours the picture; blue and orange stay apart for colour-blind readers."""

WIDE, NARROW = 760, 320
"""Widths in pixels: for a desk and for paper, and for a telephone."""

FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
"""Faces of one width: what the text was measured with is what the reader sees."""

_MOST_LETTERS = 60
_MOST_ROWS = 12
_MOST_SWINGS = 10
_ELEMENT = re.compile("svg|g|path|rect|line|text|tspan|circle|polygon")
_ATTRIBUTE = re.compile(
    "c[xy]|d[xy]?|r|[xy][12]?|width|height|points|viewBox|transform|opacity|text-anchor"
    "|font-(family|size|style|weight)|fill(-opacity)?"
    "|stroke(-(dasharray|linecap|linejoin|miterlimit|opacity|width))?"
)
_PLAIN = re.compile(r"[\w\s.,#%()+-]*")


@dataclass(frozen=True, slots=True)
class Drawing:
    """One picture, drawn when somebody looks at it. Equal charts give equal text."""

    chart: Spec
    rows: int | None = None
    """For a chart of rows: how many; it decides the height."""

    @property
    def wide(self) -> str:
        """For a desk and for paper: the text of an ``svg`` element without its label."""
        return _rendered(json.dumps(self.spec(WIDE), allow_nan=False))

    @property
    def narrow(self) -> str:
        """The same for a telephone."""
        return _rendered(json.dumps(self.spec(NARROW), allow_nan=False))

    def height(self, width: int) -> int:
        """Its height in pixels, at a width."""
        return 30 * self.rows + 44 if self.rows else (320 if width == WIDE else 240)

    def spec(self, width: int) -> Spec:
        """The picture as Vega-Lite, for a browser that draws it itself."""
        narrow = width == NARROW
        chart: Spec = _of_width(self.chart, narrow=narrow)
        return {
            "$schema": f"https://vega.github.io/schema/vega-lite/{vl_version()}.json",
            **chart,
            "width": width,
            "height": self.height(width),
            "autosize": {"type": "fit", "contains": "padding"},
            "config": _config(narrow=narrow),
        }


def _of_width(value: Any, *, narrow: bool) -> Any:
    if isinstance(value, tuple):
        return value[0 if narrow else 1]
    if isinstance(value, dict):
        return {name: _of_width(one, narrow=narrow) for name, one in value.items()}
    return [_of_width(one, narrow=narrow) for one in value] if isinstance(value, list) else value


@lru_cache(maxsize=64)  # it takes a quarter of a second, and a server is asked for the same again
def _rendered(spec: str) -> str:
    import vl_convert

    drawing = vl_convert.vegalite_to_svg(spec, vl_version=vl_version(), allowed_base_urls=[])
    return _clean(drawing)


def vl_version() -> str:
    """The newest version of Vega-Lite that the renderer knows."""
    import vl_convert

    return f"v{vl_convert.get_vegalite_versions()[-1]}"


def _config(*, narrow: bool) -> Spec:
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
    _prune(root)
    for name in ("width", "height"):
        root.attrib.pop(name, None)  # the page sizes it; viewBox keeps the proportions
    return ET.tostring(root, encoding="unicode", short_empty_elements=True)


def _prune(element: ET.Element) -> None:
    element.tag = _local(element.tag)
    for name, value in list(element.attrib.items()):
        if not (_ATTRIBUTE.fullmatch(name) and (name == "d" or _PLAIN.fullmatch(value))):
            del element.attrib[name]
    for child in list(element):
        tag = _local(child.tag)
        unseen = child.get("display") == "none" or (tag == "path" and not child.get("d"))
        if unseen or not _ELEMENT.fullmatch(tag):
            element.remove(child)
        else:
            _prune(child)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def labels(titles: Iterable[str]) -> list[str]:
    """Titles for an axis: one line, cut to a length that can be read, and no two alike."""
    unique: list[str] = []
    for title in titles:
        line = one_line(" ".join(title.split()), limit=4000)
        # the renderer cuts characters beyond U+FFFF in half; the table has the whole title
        short = cut("".join(c if c <= "\uffff" else "□" for c in line), _MOST_LETTERS)
        label, copies = short or "–", 1
        while label in unique:
            copies += 1
            label = f"{short} ({copies})"
        unique.append(label)
    return unique


# The parts of a chart.


def _axis(title: str | None = None, *, scale: Spec | None = None, **axis: Any) -> Spec:
    """A channel of numbers with its axis."""
    return {"type": "quantitative", "title": title, "axis": axis, "scale": scale or {}}


def _upright(title: str | None = None, *, scale: Spec | None = None, **axis: Any) -> Spec:
    return _axis(title, scale=scale, tickCount=5, domain=False, ticks=False, **axis)


def _share_axis() -> Spec:
    return _axis(scale={"domain": [0, 1]}, format="%", tickCount=(2, 5))


def _by(field: str, **looks: str) -> Spec:
    """A colour or shape for each value of a field."""
    scale = {"domain": list(looks), "range": list(looks.values())}
    return {"field": field, "type": "nominal", "legend": None, "scale": scale}


def _mark(kind: str, look: Spec | None = None, *, where: str = "", **channels: str | Spec) -> Spec:
    """A layer of marks, for the rows where a condition holds; a channel may be a field's name."""
    encoding = {n: {"field": c} if isinstance(c, str) else c for n, c in channels.items()}
    only = {"transform": [{"filter": where}]} if where else {}
    return {**only, "mark": {"type": kind, **(look or {})}, "encoding": encoding}


def _level(channel: str, at: float, **look: Any) -> Spec:
    """A line at a value of its own."""
    return {"data": {"values": [{"at": at}]}, **_mark("rule", look, **{channel: "at"})}


def _levels(channel: str, *levels: tuple[float | None, str]) -> list[Spec]:
    """A dashed line in a colour for each value that is known."""
    dashed = {"strokeWidth": 2, "strokeDash": [6, 3]}
    return [_level(channel, at, color=colour, **dashed) for at, colour in levels if at is not None]


def _point(colour: str = PRO, size: int = 110) -> Spec:
    return {"size": size, "opacity": 1, "fill": colour, "stroke": colour}


_BAR: Spec = {"height": 16}
_OUTLINED: Spec = {"stroke": PRO, "strokeWidth": 1.5}
_UNSURE: Spec = {"stroke": OPEN, "strokeWidth": 1.5, "strokeDash": [4, 3]}


def _chart(rows: Sequence[Spec], layers: Iterable[Spec], **shared: Spec) -> Spec:
    """Layers over the same rows; each takes the shared channels, a line of its own only its own."""
    whole = []
    for layer in layers:
        own = layer["encoding"]
        names = own if "data" in layer else {**shared, **own}
        encoding = {name: {**shared.get(name, {}), **own.get(name, {})} for name in names}
        whole.append({**layer, "encoding": encoding})
    return {"data": {"values": list(rows)}, "layer": whole}


def _row_chart(
    titles: Sequence[str], rows: Sequence[Spec], x: Spec, *layers: Spec, axis: bool = True
) -> Drawing:
    """A chart of one row for each title, in their order; ``title`` names the row of a mark."""
    y = {
        "field": "title",
        "type": "nominal",
        "sort": list(titles),
        "title": None,
        "axis": {"ticks": False, "domain": False, "labelPadding": 10},
    }
    return Drawing(_chart(rows, layers, x=x, y=y), len(titles) + axis)


def _titled(titles: Sequence[str], rows: Iterable[Spec]) -> list[Spec]:
    return [{"title": title, **row} for title, row in zip(titles, rows, strict=False)]


# Pictures of measurements: volume, latency, voice, passages, formats, arms and examples.

Rows = Sequence[dict[str, Any]]
"""Rows of a series, checked by ``report.sections.evidence.rows_of``."""


def volume(series: Rows) -> Drawing | None:
    """Requests by month as bars; months to come pale, with their interval; part months dashed."""
    if not series:
        return None
    rows: list[Spec] = [
        {
            "month": row["month"],
            "requests": row["requests"],
            "low": row["low"],
            "high": row["high"] if math.isfinite(row["high"]) else row["requests"],
            "kind": "ahead" if row["forecast"] else "whole" if row["whole"] else "part",
        }
        for row in series
    ]
    axis = {"labelAngle": 0, "labelOverlap": "greedy", "ticks": False, "labelPadding": 8}
    x = {
        "field": "month",
        "type": "ordinal",
        "title": None,
        "axis": {**axis, "labelSeparation": (16, 8)},
        "sort": [row["month"] for row in rows],
    }
    looks = {"whole": {"fill": PRO}, "part": {"fill": PAPER, **_UNSURE}}
    looks["ahead"] = {"fill": BAND, **_OUTLINED}
    ahead = "datum.kind == 'ahead'"
    layers = [
        *(
            _mark("bar", look, where=f"datum.kind == '{kind}'", y="requests")
            for kind, look in looks.items()
        ),
        _mark("rule", {"color": INK, "strokeWidth": 1.5}, where=ahead, y="low", y2="high"),
    ]
    return Drawing(_chart(rows, layers, x=x, y=_upright(format=",.0f")))


def latency(series: Rows) -> Drawing | None:
    """Median and 95th percentile of the seconds by input tokens, bins of equal numbers of calls."""
    if len(series) < 2:
        return None
    rows: list[Spec] = [
        {
            "tokens": (row["input_tokens_low"] + row["input_tokens_high"]) / 2,
            "p50": row["p50_s"],
            "p95": row["p95_s"],
        }
        for row in series
    ]
    layers = []
    for name, colour, dash in (("p50", PRO, [1, 0]), ("p95", CON, [6, 3])):
        line = {"color": colour, "strokeWidth": 2.5, "strokeDash": dash}
        layers += [_mark("line", line, y=name), _mark("point", _point(colour, 36), y=name)]
    axis: Spec = {"grid": False, "tickCount": (4, 8), "format": ",.0f"}
    x = {"field": "tokens", **_axis("input tokens", scale={"zero": False}, **axis)}
    return Drawing(_chart(rows, layers, x=x, y=_upright("seconds")))


def _counted_axis(field: str, title: str, **scale: Any) -> Spec:
    """An axis of whole numbers: turns, arms."""
    axis: Spec = {"grid": False, "tickMinStep": 1, "tickCount": (5, 10), "format": "d"}
    return {"field": field, **_axis(title, scale={"nice": False, **scale}, **axis)}


def voice(series: Rows) -> Drawing | None:
    """The share of generic answers turn by turn, with its interval."""
    if len(series) < 2:
        return None
    rows = [{**row, "turn": row["turn"] + 1} for row in series]
    layers = (
        _mark("area", {"color": BAND}, y="low", y2="high"),
        _mark("line", {"color": PRO, "strokeWidth": 2.5}, y="share"),
    )
    x = _counted_axis("turn", "answer of the conversation")
    return Drawing(_chart(rows, layers, x=x, y=_upright(format="%")))


def knowledge(series: Rows) -> Drawing | None:
    """The four counts of passage and answer as a square; the fault that tuning meets stands out."""
    total = sum(row["n"] for row in series)
    if not total:
        return None
    rows: list[Spec] = [
        {
            "passage": "passage there" if row["sufficient"] else "passage missing",
            "answer": "right" if row["right"] else "wrong",
            "says": f"{row['n']:,.0f} ({row['n'] / total:.0%})",
            "look": ("fine" if row["right"] else "synthesis") if row["sufficient"] else "retrieval",
        }
        for row in series
    ]
    axis: Spec = {"ticks": False, "domain": False, "labelAngle": 0}
    square = {
        "x": {"field": "answer", "sort": ["right", "wrong"], "axis": {**axis, "orient": "top"}},
        "y": {"field": "passage", "sort": ["passage there", "passage missing"], "axis": axis},
    }
    shared = {n: {"type": "nominal", "title": None, **channel} for n, channel in square.items()}
    fill = _by("look", fine=BAND, synthesis=CON, retrieval=LINE)
    ink = _by("look", fine=INK, synthesis=PAPER, retrieval=INK)
    says = {"field": "says", "type": "nominal"}
    bold = {"fontSize": (14, 18), "fontWeight": "bold"}
    layers = (
        _mark("rect", {"stroke": PAPER, "strokeWidth": 4}, fill=fill),
        _mark("text", bold, text=says, color=ink),
    )
    apart = {"resolve": {"scale": {"fill": "independent", "color": "independent"}}}
    return Drawing({**_chart(rows, layers, **shared), **apart}, 5)


def signatures(series: Rows) -> Drawing | None:
    """For each prompt version the share that can be read, and that has the right form."""
    if not series:
        return None
    titles = labels([row["prompt"] for row in series])
    return _row_chart(
        titles,
        _titled(titles, series),
        _share_axis(),
        _mark("bar", {**_BAR, "fill": BAND, **_OUTLINED}, x="read_share"),
        _mark("bar", {**_BAR, "color": PRO}, x="right_share"),
    )


def arms(series: Rows, names: Sequence[str]) -> Drawing | None:
    """Every prompt with its model: the mean score and the interval that holds for all at once."""
    if not series:
        return None
    titles = labels(names)
    scale = {"zero": False, "nice": True}
    return _row_chart(
        titles,
        _titled(titles, series),
        _axis("mean score", scale=scale, tickCount=(3, 6), format=".2~f"),
        _mark("rule", {"color": PRO, "strokeWidth": 3}, x="low_of_all", x2="high_of_all"),
        _mark("point", _point(), x="value"),
    )


def waterfall(steps: Sequence[tuple[str, float, bool]]) -> Drawing | None:
    """From all answers down to the usable ones: each step with what it takes off."""
    if not steps:
        return None
    rows: list[Spec] = []
    left = 0.0
    for _, n, whole in steps:
        start, end = (0.0, n) if whole else (left - n, left)
        left = n if whole else left - n
        rows.append({"start": start, "end": end, "kind": "kept" if whole else "off"})
    titles = labels([words for words, _, _ in steps])
    return _row_chart(
        titles,
        _titled(titles, rows),
        _axis(tickCount=(3, 6), format=",.0f"),
        _mark("bar", _BAR, x="start", x2="end", color=_by("kind", kept=PRO, off=CON)),
    )


# Pictures of a ceiling lab: every arm with its interval, and the best so far, arm by arm.


def board(results: Sequence[ArmResult], target: float | None) -> Drawing | None:
    """The first twelve arms that ran: quality on the cases for selecting, 95% intervals, target."""
    ran = [(one, q) for one in results if not isinstance(q := one.quality, Unknown)][:_MOST_ROWS]
    if not ran:
        return None
    titles = labels([one.arm.id for one, _ in ran])
    rows: list[Spec] = [
        {
            "value": quality.value,
            "low": quality.low,
            "high": quality.high,
            "look": "stayed" if one.dropped_after is None else "left",
        }
        for one, quality in ran
    ]
    line, fill = _by("look", stayed=PRO, left=OPEN), _by("look", stayed=PRO, left=PAPER)
    dot = {"size": 110, "opacity": 1, "strokeWidth": 2}
    return _row_chart(
        titles,
        _titled(titles, rows),
        _axis("share of cases", scale={"domain": [0, 1]}, tickCount=(3, 6), format=".2~f"),
        _mark("rule", {"strokeWidth": 3}, x="low", x2="high", stroke=line),
        _mark("point", dot, x="value", fill=fill, stroke=line),
        *_levels("x", (target, CON)),
    )


def curve(
    points: Sequence[CurvePoint], *, target: float | None, upper: float | None
) -> Drawing | None:
    """The best so far after each arm, with the target and the bound that all arms stay under."""
    if len(points) < 2:
        return None
    rows: list[Spec] = [{"arms": one.arms, "best": one.best} for one in points]
    step = {"color": PRO, "strokeWidth": 2.5, "interpolate": "step-after"}
    layers = [_mark("line", step, y="best"), _mark("point", _point(size=60), y="best")]
    layers += _levels("y", (target, CON), (upper, MUTED))
    x = _counted_axis("arms", "arms tried", zero=False)
    y = _upright(scale={"zero": False, "nice": True}, format=".2~f")
    return Drawing(_chart(rows, layers, x=x, y=y))


# Pictures of the money: the months until it is back, and what moves the result most.

_USD = "$,.0f"


def fan(simulation: Simulation) -> Drawing | None:
    """Cumulated money month by month: the middle draw, and the band of eight draws in ten."""
    rows = [{"month": m.month, "p10": m.p10, "p50": m.p50, "p90": m.p90} for m in simulation.curve]
    if not rows:
        return None
    layers = (
        _mark("area", {"color": BAND}, y="p10", y2="p90"),
        _level("y", 0, color=INK, strokeWidth=1.5),
        _mark("line", {"color": PRO, "strokeWidth": 2.5}, y="p50"),
    )
    axis: Spec = {"grid": False, "tickCount": (5, 8), "format": "d"}
    x = {"field": "month", **_axis("months from the start", scale={"nice": False}, **axis)}
    return Drawing(_chart(rows, layers, x=x, y=_upright(format=_USD)))


def tornado(simulation: Simulation) -> Drawing | None:
    """Each uncertain input alone, from its low to its high end; the ten widest."""
    swings = simulation.tornado[:_MOST_SWINGS]
    if not swings:
        return None
    titles, middle = labels([swing.input for swing in swings]), simulation.npv_usd.p50
    rows: list[Spec] = [
        {"title": title, "end": end, "value": value, "middle": middle}
        for title, swing in zip(titles, swings, strict=True)
        for end, value in (("low", swing.low_usd), ("high", swing.high_usd))
    ]
    return _row_chart(
        titles,
        rows,
        _axis(scale={"zero": False}, format=_USD, tickCount=(2, 5)),
        _mark("bar", _BAR, x="middle", x2="value", color=_by("end", low=CON, high=PRO)),
        _level("x", middle, color=MUTED),
    )


# Pictures of what lies ahead: the options by how soon they help, and the plan on a calendar.


def options(results: Sequence[OptionResult]) -> Drawing | None:
    """Options that help by the weeks until they are in production; the first twelve by rank."""
    ranked = sorted(results, key=lambda option: option.rank)
    timed = [
        (option, ends)
        for option in ranked
        if option.helps in ("yes", "partly", "unknown") and (ends := _ends(option.weeks))
    ][:_MOST_ROWS]
    if not timed:
        return None
    titles = labels([option.title for option, _ in timed])
    rows: list[Spec] = [
        {"low": low, "high": high, "helps": option.helps, "middle": (low + high) / 2}
        for option, (low, high) in timed
    ]
    fill = _by("helps", yes=PRO, partly=PAPER, unknown=PAPER)
    shape = _by("helps", yes="circle", partly="circle", unknown="diamond")
    dot = {"size": 110, "opacity": 1, "strokeWidth": 2, "stroke": PRO}
    return _row_chart(
        titles,
        _titled(titles, rows),
        _axis("weeks", scale={"zero": True, "nice": True}, tickCount=(4, 6), tickMinStep=1),
        _mark("rule", {"color": PRO, "strokeWidth": 3}, x="low", x2="high"),
        _mark("point", dot, x="middle", fill=fill, shape=shape),
    )


def _ends(value: Number) -> tuple[float, float] | None:
    if isinstance(value, Unknown):
        return None
    if isinstance(value, Range):
        return value.low, value.low if value.high == "open" else value.high
    return value, value


def gantt(plan: Plan) -> Drawing | None:
    """The phases of the plan from their first to their last day."""
    if not plan.phases:
        return None
    titles = labels([phase.title for phase in plan.phases])
    rows: list[Spec] = [
        {
            "from": phase.start.isoformat(),
            "to": (phase.end + timedelta(days=1)).isoformat(),
            "part": "later" if phase.part == "later_goals" else "now",
        }
        for phase in plan.phases
    ]
    axis = {"format": "%-d %b", "tickCount": (3, 6), "labelOverlap": True}
    x = {"type": "temporal", "title": None, "axis": axis, "scale": {"type": "utc"}}
    fill = _by("part", now=PRO, later=BAND)
    bar = _mark("bar", {**_BAR, **_OUTLINED}, x="from", x2="to", fill=fill)
    return _row_chart(titles, _titled(titles, rows), x, bar)


# Pictures of the verdict: the balance of the reasons, and how far the verdict is open.


def balance(dossier: Dossier) -> Drawing | None:
    """Every reason as a bar: those for to the right, those against to the left."""
    factors = list(dossier.factors.values())
    if not factors:
        return None
    titles, lengths = labels([factor.title for factor in factors]), _lengths(factors)
    rows: list[Spec] = []
    for factor, length in zip(factors, lengths, strict=True):
        side = 1 if factor.kind == "indicator" else -1
        rows.append(
            {
                "end": 0 if factor.state == "no" else side * length,
                "state": factor.kind if factor.state == "yes" else factor.state,
                "mark": "?" if factor.state == "unknown" else "",
                "at": side * length / 2,
            }
        )
    most = max(lengths) * 1.05
    x = {"type": "quantitative", "axis": None, "scale": {"domain": [-most, most]}}
    fill = _by("state", indicator=PRO, anti_indicator=CON, unknown=PAPER, no=LINE)
    query = {"field": "mark", "type": "nominal"}
    none = {"size": 70, "opacity": 1, "fill": MUTED, "stroke": PAPER, "strokeWidth": 2}
    return _row_chart(
        titles,
        _titled(titles, rows),
        x,
        _mark("bar", _BAR, where="datum.state != 'unknown'", x="end", color=fill),
        _mark("bar", {**_BAR, **_UNSURE}, where="datum.state == 'unknown'", x="end", color=fill),
        _level("x", 0, color=MUTED),
        _mark("point", none, where="datum.state == 'no'", x="end"),
        _mark("text", {"fontWeight": "bold", "color": INK}, x="at", text=query),
        axis=False,
    )


def _lengths(factors: Sequence[FactorResult]) -> list[float]:
    """What each counts: its weight where that is a number, else one."""
    weights = [factor.weight for factor in factors]
    numbers = [float(w) for w in weights if not isinstance(w, str)]
    return numbers if len(numbers) == len(weights) and any(numbers) else [1.0] * len(weights)


def reach(dossier: Dossier) -> Drawing | None:
    """The share of each outcome among the ways to answer what is open, with its bounds.

    None for a final verdict.
    """
    if dossier.verdict.final:
        return None
    shares = sorted(dossier.distribution.items(), key=lambda item: -item[1])
    titles = labels([OUTCOME_WORDS[outcome] for outcome, _ in shares])
    rows: list[Spec] = [
        {
            "share": value,
            "low": dossier.bounds[outcome].low,
            "high": dossier.bounds[outcome].high,
            "says": share(value),
        }
        for outcome, value in shares
    ]
    thin = {"color": INK, "thickness": 1.5, "size": 9}
    return _row_chart(
        titles,
        _titled(titles, rows),
        _share_axis(),
        _mark("bar", {**_BAR, "color": PRO}, x="share"),
        _mark("rule", {"color": INK, "strokeWidth": 1.5}, x="low", x2="high"),
        *(_mark("tick", thin, x=end) for end in ("low", "high")),
    )
