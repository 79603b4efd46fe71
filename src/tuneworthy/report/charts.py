"""Charts as safe SVG in the page's colors; their looks are in ``charts.json``.

A look is Vega-Lite (https://vega.github.io/vega-lite/docs/) with short forms. ``narrow`` and
``wide`` are the values for a telephone and for a desk. ``level`` is a line at a number, or at a
level that the chart gets by name. ``where`` is a field that a row has to have. Channels beside
``layers`` hold for every layer. Colors are named, light and dark. The page's style maps each to a
variable of its own, so a dark page or a reader's own style recolors a picture. Blue and orange stay
distinct for color-blind readers.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cache, lru_cache
from itertools import pairwise
from textwrap import wrap
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from tuneworthy.answers.facts import ends
from tuneworthy.errors import one_line
from tuneworthy.model.base import Number, Unknown
from tuneworthy.model.dossier import InvestmentResult, Phase, Plan, Simulation
from tuneworthy.model.ways import WayResult
from tuneworthy.plan.section import find_decision
from tuneworthy.report.named import template
from tuneworthy.words import counted, cut, day, months, quality

if TYPE_CHECKING:
    from tuneworthy.model.lab import ArmResult
    from tuneworthy.model.pilot import CurveAt

Spec = dict[str, Any]  #: A part of a chart in Vega-Lite.

Rows = Sequence[Mapping[str, Any]]
"""The rows that the marks of a chart are drawn from."""

#: Widths in pixels: for a desk and for paper, and for a telephone.
WIDE = 760
NARROW = 320

_MOST_LETTERS = 100  #: Of a whole label.
_LETTERS = {WIDE: 38, NARROW: 19}  #: The letters that fit on one line of a label.
_MOST_TICKS = {WIDE: 4, NARROW: 2}  #: Days that are named below a picture.
MOST_ROWS = 12  #: Rows of a chart: more don't fit on a screen. The table has all.

# pixels
_LINE_HEIGHT = 16  #: Of one line of a label.
_BETWEEN_ROWS = 14
_AXIS_HEIGHT = 44  #: The axis and its title, above or below the rows.
_HEIGHTS = {WIDE: 280, NARROW: 240}  #: Of a picture without rows.

# all that a page may hold of a drawing
_ELEMENT = re.compile("svg|g|path|rect|line|text|tspan|circle|polygon")
_ATTRIBUTE = re.compile(
    "c[xy]|d[xy]?|r|[xy][12]?|width|height|points|viewBox|transform|opacity|text-anchor"
    "|font-(family|size|style|weight)|fill(-opacity)?"
    "|stroke(-(dasharray|linecap|linejoin|miterlimit|opacity|width))?"
)
_PLAIN = re.compile(r"[\w\s.,#%()+-]*", re.ASCII)  #: The value of an attribute.
_LONG_NUMBER = re.compile(r"\d+\.\d{3,}")


@dataclass(frozen=True, slots=True)
class Drawing:
    """One picture, drawn only when it is shown. Equal charts give equal text."""

    look: str  #: Its entry in ``charts.json``.
    rows: Rows
    titles: Sequence[str] = ()
    """For a chart with one row for each title: the titles in order. ``title`` names the row of a
    mark."""
    levels: Mapping[str, float | None] = field(default_factory=dict)
    """The values of drawn lines; None draws no line."""
    days: Sequence[date] = ()
    """For a calendar: its days in order. Only some of them get a label."""

    def png(self, width: int, title: str) -> bytes:
        """The picture with its title as a PNG of twice the width, for a chat or a slide."""
        import vl_convert

        spec = {**self.spec(width), "title": {"text": title, "anchor": "start"}}
        image = vl_convert.vegalite_to_png(
            spec,
            vl_version=_vl_version(),
            scale=2,  # sharp on a screen with two pixels for one
            allowed_base_urls=[],  # a drawing fetches nothing
        )
        return bytes(image)

    def svg(self, width: int) -> str:
        """The ``svg`` element without a label."""
        return _rendered(json.dumps(self.spec(width), allow_nan=False))

    def height(self, width: int) -> int:
        """The height of the drawing in pixels at one width."""
        if not self.titles:
            return _HEIGHTS[width]
        # every row is as high as the one with the longest label; the axis takes a row's place
        lines = max(len(_label_lines(title, width)) for title in self.titles)
        row_height = _BETWEEN_ROWS + _LINE_HEIGHT * lines
        return (len(self.titles) + 1) * row_height + _AXIS_HEIGHT

    def spec(self, width: int) -> Spec:
        """The picture as Vega-Lite."""
        look: Spec = _of_width(looks()[self.look], narrow=width == NARROW)
        rows = [dict(row) for row in self.rows]
        for row in rows:
            if self.titles:
                row["title"] = "\n".join(_label_lines(row["title"], width))
        shared = self._shared_channels(look, width)
        layers = [self._layer(layer, shared) for layer in look["layers"]]
        spec: Spec = {
            "$schema": f"https://vega.github.io/schema/vega-lite/{_vl_version()}.json",
            "data": {"values": rows},
            "layer": [layer for layer in layers if layer is not None],
        }
        if "resolve" in look:
            spec["resolve"] = look["resolve"]
        spec |= {
            "width": width,
            "height": self.height(width),
            "padding": {
                "left": self._left_padding(width),
                "top": 6,
                "right": 30,  # half of a label at the end of an axis
                "bottom": 4,
            },
            "autosize": {"type": "fit", "contains": "padding"},
            "config": _of_width(looks()["config"], narrow=width == NARROW),
        }
        return spec

    def _shared_channels(self, look: Spec, width: int) -> Spec:
        """The channels of every layer: the axes with their ticks, and the titles."""
        shared: Spec = {name: _AXIS | look[name] for name in ("x", "y") if name in look}
        if self.titles:
            labels = ["\n".join(_label_lines(title, width)) for title in self.titles]
            shared["y"] = {
                "field": "title",
                "type": "nominal",
                "title": None,
                "axis": _TITLES,
                "sort": labels,
            }
        if self.days:
            labelled = self._day_ticks(width)
            shared["x"]["axis"] = {**shared["x"]["axis"], "values": labelled}
            shared["x"]["title"] = _years_of(self.days)
        return shared

    def _left_padding(self, width: int) -> int:
        """Pixels at the left: more beside longer labels, for a font that is wider than ours."""
        longest = 0
        for title in self.titles:
            longest = max(longest, *map(len, _label_lines(title, width)))
        return 8 + 2 * longest

    def _day_ticks(self, width: int) -> list[Spec]:
        """The labelled days of a calendar, at equal distances, as Vega-Lite writes them."""
        gaps = _MOST_TICKS[width] - 1
        step = math.ceil((len(self.days) - 1) / gaps)
        labelled = self.days[:: max(step, 1)]  # a calendar of one day has a step of 0
        return [
            {"year": day.year, "month": day.month, "date": day.day, "utc": True}
            for day in labelled
        ]

    def _layer(self, layer: Spec, shared: Spec) -> Spec | None:
        """A layer with the shared channels; None for one without a mark."""
        if "level" in layer:
            return self._level_line(layer, shared)
        where = layer.get("where")
        # the renderer complains of a scale without an end
        if where and all(row.get(where) is None for row in self.rows):
            return None
        encoding = dict(shared)
        for name, channel in layer.items():
            if name not in ("mark", "where"):  # all other keys are channels
                encoding[name] = {**shared.get(name, {}), **channel}
        drawn: Spec = {"mark": layer["mark"], "encoding": encoding}
        if where:
            drawn["transform"] = [{"filter": f"isValid(datum.{where})"}]
        return drawn

    def _level_line(self, layer: Spec, shared: Spec) -> Spec | None:
        """A straight line at a level of one axis; None where the chart got no such level."""
        ((channel, level),) = layer["level"].items()  # it has one: x or y
        value = self.levels.get(level) if isinstance(level, str) else level
        if value is None:
            return None
        return {
            "data": {"values": [{"at": value}]},
            "mark": layer["mark"],
            "encoding": {channel: {**shared[channel], "field": "at"}},
        }


_AXIS: Spec = {"type": "quantitative", "title": None}
_TITLES: Spec = {
    "ticks": False,
    "domain": False,
    "labelPadding": 10,
    "labelLimit": 0,  # none: our own line breaks bound a label
    "labelExpr": "split(datum.label, '\\n')",
}


def _years_of(days: Sequence[date]) -> str:
    """The years of days in order, as ``2026`` or ``2026–2027``."""
    first = days[0].year
    last = days[-1].year
    return str(first) if first == last else f"{first}–{last}"


def _label_lines(title: str, width: int) -> list[str]:
    """A label broken into lines that fit."""
    return wrap(title, _LETTERS[width])


@cache
def looks() -> Spec:
    """Read ``charts.json``: the look of each chart, with its title and its legend."""
    spec: Spec = json.loads(template("charts.json"))
    return spec


def _of_width(value: Any, *, narrow: bool) -> Any:
    """Choose the values for one width, and replace names of colors by the colors."""
    if isinstance(value, dict):
        if "narrow" in value:  # the two widths differ here
            return value["narrow" if narrow else "wide"]
        return {name: _of_width(entry, narrow=narrow) for name, entry in value.items()}
    if isinstance(value, list):
        return [_of_width(item, narrow=narrow) for item in value]
    if isinstance(value, str) and value in looks()["colours"]:
        light, _ = looks()["colours"][value]  # the page's style makes it dark
        return light
    return value


# drawing takes a quarter of a second, and a server is asked for the same again
@lru_cache(maxsize=64)
def _rendered(spec: str) -> str:
    """Draw a specification as SVG, with only the parts that a page may hold."""
    import vl_convert

    drawing = vl_convert.vegalite_to_svg(
        spec,
        vl_version=_vl_version(),
        allowed_base_urls=[],  # a drawing fetches nothing
    )
    svg = ET.fromstring(drawing)  # noqa: S314  # made by our own renderer just now
    root = _copy_safely(svg)
    assert root is not None  # the renderer draws an svg element
    del root.attrib["width"], root.attrib["height"]  # the page sizes it by its viewBox
    return ET.tostring(root, encoding="unicode", short_empty_elements=True)


def _vl_version() -> str:
    import vl_convert

    return f"v{vl_convert.get_vegalite_versions()[-1]}"


def _copy_safely(element: ET.Element) -> ET.Element | None:
    """Copy known elements and attributes only: no style, script, id or address.

    None for an element that is unknown or that draws nothing.
    """
    tag = element.tag.rpartition("}")[2]  # without its namespace
    draws_nothing = element.get("display") == "none" or element.get("d") == ""
    if draws_nothing or not _ELEMENT.fullmatch(tag):
        return None
    copy = ET.Element(tag, _safe_attributes(element))
    copy.text = element.text
    for child in element:
        safe_child = _copy_safely(child)
        if safe_child is not None:
            copy.append(safe_child)
    return copy


def _safe_attributes(element: ET.Element) -> dict[str, str]:
    """The known attributes with plain values; long numbers are rounded to four digits."""
    attributes = {}
    for name, value in element.items():
        is_default = name == "opacity" and value == "1"
        if is_default or not _ATTRIBUTE.fullmatch(name) or not _PLAIN.fullmatch(value):
            continue
        attributes[name] = _LONG_NUMBER.sub(
            lambda number: f"{float(number[0]):.4g}", value
        )
    return attributes


def labels(titles: Iterable[str]) -> list[str]:
    """Titles for an axis: one line each, cut to a readable length, and all different."""
    unique: list[str] = []
    for title in titles:
        line = one_line(" ".join(title.split()), limit=4000)
        # the renderer cuts characters beyond U+FFFF in half; the table has the whole title
        drawable = "".join(c if c <= "\uffff" else "□" for c in line)
        short = cut(drawable, _MOST_LETTERS)
        label = short or "–"
        copies = 1
        while label in unique:
            copies += 1
            label = f"{short} ({copies})"
        unique.append(label)
    return unique


def _by_title(look: str, rows: Rows, **levels: float | None) -> Drawing:
    """A chart with a row for each ``title``; ``levels`` are the values of drawn lines."""
    names = labels(row["title"] for row in rows)
    titled = [{**row, "title": name} for name, row in zip(names, rows, strict=True)]
    return Drawing(look, titled, names, levels)


def board(results: Sequence[ArmResult], target: float | None) -> Drawing | None:
    """The first twelve arms that ran, with 95% intervals and the target; None for none."""
    rows = []
    for result in results:
        score = result.quality
        if not isinstance(score, Unknown):
            is_enough = target is not None and score.low >= target
            row = _scored(result.arm.id, score.value, score.low, score.high, is_enough)
            rows.append(row)
    return _by_title("scored", rows[:MOST_ROWS], target=target) if rows else None


def ways(known: Sequence[WayResult], target: float | None) -> Drawing | None:
    """The ways with a known quality, the best on top, with the target; None for fewer than two."""
    rows = []
    for way in known:
        score = way.figures["quality"]
        if isinstance(score, Unknown):
            continue
        low, high = score.interval or (score.value, score.value)
        # without a stated target there is none to meet
        states = way.admissible.values()
        is_enough = bool(states) and all(state == "met" for state in states)
        rows.append(_scored(way.title, score.value, low, high, is_enough))
    if len(rows) < 2:
        return None
    rows.sort(key=lambda row: -row["value"])
    return _by_title("scored", rows[:MOST_ROWS], target=target)


def _scored(
    title: str, value: float, low: float, high: float, is_enough: bool
) -> dict[str, Any]:
    """The row of a way or an arm with its interval."""
    return {
        "title": title,
        "value": value,
        "low": low,
        "high": high,
        "look": "met" if is_enough else "open",
        "says": quality(value),
    }


def fan(money: InvestmentResult, drawn: Simulation) -> Drawing | None:
    """Money month by month: all simulated runs, those in which tuning works, the stated figures.

    A line is named at its end, and marked where it crosses zero. Contradicted figures have no line.
    """
    if not drawn.curve:
        return None
    lines = _lines_of_money(money, drawn)
    rows: list[dict[str, Any]] = [
        {"month": month.month, "p10": month.p10, "p90": month.p90}
        for month in drawn.curve
    ]
    marks = []
    for name, line in lines.items():
        for row, usd in zip(rows, line, strict=True):
            row[name] = usd
        crossing = _crossing(line)
        if crossing is not None:
            mark: dict[str, Any] = {"month": crossing, "back": name}
            if name == "possible":
                mark["says"] = months(crossing)
            marks.append(mark)
    amounts = [month.p10 for month in drawn.curve]
    amounts += [month.p90 for month in drawn.curve]
    for line in lines.values():
        amounts += line
    gap = (max(amounts) - min(amounts)) * _LABEL_GAP
    named_ends = _named_ends(lines, gap=gap)
    return Drawing("fan", [*rows, *marks, *named_ends])


def _lines_of_money(
    money: InvestmentResult, drawn: Simulation
) -> dict[str, list[float]]:
    """USD at the end of each month: the medians of the runs, and the stated figures.

    Only one median is drawn where tuning works in all runs or in none, as both would be the same.
    """
    medians = [month.p50 for month in drawn.curve]
    lines = {"possible": medians}
    if 0 < drawn.p_works < 1:
        lines = {
            "all": medians,
            "possible": [month.if_works for month in drawn.curve],
        }
    upfront = _middle(money.upfront_usd)
    net = _middle(money.monthly_net_usd)
    if upfront is not None and net is not None and not money.contradicted:
        lines["stated"] = [net * month.month - upfront for month in drawn.curve]
    return lines


def _middle(value: Number) -> float | None:
    """A number, or the middle of its ends; None without both ends."""
    if isinstance(value, Unknown):
        return None
    low, high = ends(value)
    return (low + high) / 2 if math.isfinite(high) else None


_LABEL_GAP = 0.1  #: Between two labels at the ends of lines, of the axis.


def _crossing(line: Sequence[float]) -> float | None:
    """The month at which a line crosses zero from below; None for never."""
    for month, (before, after) in enumerate(pairwise(line)):
        if before < 0 <= after:
            return month + before / (before - after)
    return None


_LINE_WORDS = {"possible": "if it works", "all": "all runs", "stated": "stated figures"}


def _named_ends(
    lines: Mapping[str, Sequence[float]], *, gap: float
) -> list[dict[str, Any]]:
    """A label beside the end of each line, moved up where two would overlap; ``gap`` is in USD."""
    words = dict(_LINE_WORDS)
    if "all" not in lines:
        words["possible"] = "simulated"  # no other line of runs to tell it from
    rows = []
    free_from = -math.inf  # USD on the axis, from where no label is placed yet
    for name in sorted(lines, key=lambda name: lines[name][-1]):
        height = max(lines[name][-1], free_from)
        free_from = height + gap
        last_month = len(lines[name]) - 1
        row = {"end": last_month, "at": height, "label": words[name], "line": name}
        rows.append(row)
    return rows


def learning(points: Sequence[CurveAt], target: float | None) -> Drawing | None:
    """Quality by number of examples: the trained sizes, the fitted curve, and the target."""
    rows = [
        {
            "examples": point.examples,
            "value": point.value,
            "low": point.low,
            "high": point.high,
            "how": "ahead" if point.ahead else "trained",
            "says": quality(point.value),
        }
        for point in points
    ]
    if len(rows) > 1:
        return Drawing("learning", rows, levels={"target": target})
    return None


def gantt(plan: Plan) -> Drawing | None:
    """The phases up to the first decision, and one bar for all later ones."""
    if not plan.phases:
        return None
    decision = find_decision(plan)
    before = [phase for phase in plan.phases if phase.end <= decision.end]
    after = [phase for phase in plan.phases if phase not in before]
    start = min(phase.start for phase in before)
    end = _day_after(decision)
    rows = []
    for phase in before:
        row = {
            "title": phase.title,
            "part": "now",
            "from": phase.start.isoformat(),
            "to": _day_after(phase).isoformat(),
        }
        if phase is decision:
            row["decides"] = end.isoformat()
        rows.append(row)
    if after:
        # the bar of later phases isn't to scale: its title says when they really end
        until = end + max(end - start, timedelta(days=2)) / 4
        last_day = day(max(phase.end for phase in after))
        row = {
            "title": f"if go: {counted(len(after), 'phase')} more, until {last_day}",
            "part": "later",
            "from": end.isoformat(),
            "to": until.isoformat(),
        }
        rows.append(row)
    days = tuple(start + timedelta(days=n) for n in range((end - start).days))
    return replace(_by_title("gantt", rows), days=days)


def _day_after(phase: Phase) -> date:
    """The day after a phase, because a bar ends where its last day does."""
    return phase.end + timedelta(days=1)
