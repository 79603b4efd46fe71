"""Charts as safe SVG in the page's colors; their looks are in ``charts.json``.

A look is Vega-Lite (https://vega.github.io/vega-lite/docs/) with short forms. ``narrow`` and
``wide`` are the values for a telephone and for a desk. ``level`` is a line at a number, or at a
level that the chart gets by name. ``of`` names the destination of a layer. Channels beside
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
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from tuneworthy.errors import one_line
from tuneworthy.model.base import Number, Range, Unknown
from tuneworthy.model.dossier import (
    EvidenceResult,
    FactorResult,
    InvestmentResult,
    Phase,
    Plan,
    Simulation,
)
from tuneworthy.plan.section import find_decision
from tuneworthy.report.named import template
from tuneworthy.words import (
    counted,
    cut,
    day,
    interval_text,
    limit_text,
    months,
    usd,
    usd_range,
)
from tuneworthy.words import hours as as_hours
from tuneworthy.words import quality as quality_text

if TYPE_CHECKING:
    from tuneworthy.model.lab import ArmResult
    from tuneworthy.model.pilot import CurveAt
from tuneworthy.model.ways import WayResult

Spec = dict[str, Any]  #: A part of a chart in Vega-Lite.

Rows = Sequence[Mapping[str, Any]]
"""The rows that the marks of a chart are drawn from. ``evidence.rows_of`` checks those of a series."""

#: Widths in pixels: for a desk and for paper, and for a telephone.
WIDE = 760
NARROW = 320

_MOST_LETTERS = 100  #: Of a whole label.
_LETTERS = {WIDE: 38, NARROW: 19}  #: The letters that fit on one line of a label.
_MOST_TICKS = {WIDE: 4, NARROW: 2}  #: Days or amounts that are named below a picture.
MOST_ROWS = 12  #: Rows of a chart: more don't fit on a screen. The table has all.
_MOST_SWINGS = 8  #: Bars of a tornado; the inputs behind them hardly matter.

# pixels
_LINE_HEIGHT = 16  #: Of one line of a label.
_BETWEEN_ROWS = 14
_AXIS_HEIGHT = 44  #: The axis and its title, above or below the rows.
_WIDE_HEIGHT = 280  #: Of a picture without rows.
_NARROW_HEIGHT = 240

# all that a page may hold of a drawing
_ELEMENT = re.compile("svg|g|a|path|rect|line|text|tspan|circle|polygon")
_ATTRIBUTE = re.compile(
    "c[xy]|d[xy]?|r|[xy][12]?|width|height|points|viewBox|transform|opacity|text-anchor"
    "|font-(family|size|style|weight)|fill(-opacity)?"
    "|stroke(-(dasharray|linecap|linejoin|miterlimit|opacity|width))?"
)
_PLAIN = re.compile(r"[\w\s.,#%()+-]*", re.ASCII)  #: The value of an attribute.
_LONG_NUMBER = re.compile(r"\d+\.\d{3,}")
_WHERE = re.compile(
    r"(?:isValid\()?datum\.(?P<field>\w+)\)?(?: (?P<sign>[!=]=) '?(?P<value>\w+)'?)?"
)
"""The filters that ``charts.json`` uses: ``isValid(datum.p10)`` and ``datum.side == 'left'``."""
_HREF = "{http://www.w3.org/1999/xlink}href"


class Destination(NamedTuple):
    """The destination of a mark's link."""

    says: str  #: The text at this place.
    to: str  #: ``#`` and an id of the same page, or an address below the chart's own.


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
    leads: Mapping[str, Sequence[Destination]] = field(default_factory=dict)
    """The sources of each mark, by the ``of`` that its layer or row names, else by its title. The
    first source is on a page of the server, the last in a report."""

    @property
    def role(self) -> str:
        """The ARIA role: screen readers find links in a group, but not in a picture."""
        return "group" if self.leads else "img"

    def png(self, width: int, title: str) -> bytes:
        """The picture with its title as a PNG of twice the width, for a chat or a slide."""
        import vl_convert

        spec = {**self.spec(width), "title": {"text": title, "anchor": "start"}}
        image = vl_convert.vegalite_to_png(
            spec,
            vl_version=vl_version(),
            scale=2,  # sharp on a screen with two pixels for one
            allowed_base_urls=[],  # a drawing fetches nothing
        )
        return bytes(image)

    def svg(self, width: int) -> str:
        """The ``svg`` element without a label, for a page with the places that its marks link to."""
        return _rendered(json.dumps(self.spec(width), allow_nan=False))

    def height(self, width: int) -> int:
        """The height of the drawing in pixels at one width."""
        look = looks()[self.look]
        if not self.titles and "rows" not in look:
            return _WIDE_HEIGHT if width == WIDE else _NARROW_HEIGHT
        if "rows" in look:
            rows: int = look["rows"]
        elif look["x"]["axis"] is None:
            rows = len(self.titles)
        else:  # the axis takes the place of a row
            rows = len(self.titles) + 1
        # every row is as high as the one with the longest label
        lines = max((len(lines) for lines in self._label_lines(width)), default=1)
        return rows * (_BETWEEN_ROWS + _LINE_HEIGHT * lines) + _AXIS_HEIGHT

    def _label_lines(self, width: int) -> list[list[str]]:
        """The lines of each title, as they are drawn."""
        return [_wrap_label(title, width).split("\n") for title in self.titles]

    def spec(self, width: int, base: str = "") -> Spec:
        """The picture as Vega-Lite, with the text for each address that its marks link to.

        ``base`` is the address of its page. With it, marks link to other pages of the server, too.
        """
        narrow = width == NARROW
        look: Spec = _of_width(looks()[self.look], narrow=narrow)
        destinations = self._destinations(base)
        to = {name: destination.to for name, destination in destinations.items()}
        rows = self._rows_to_draw(width, to)
        shared = self._shared_channels(look, rows, width, linked=bool(to))
        layers = [self._layer(layer, shared, to) for layer in look["layers"]]
        spec: Spec = {
            "$schema": f"https://vega.github.io/schema/vega-lite/{vl_version()}.json",
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
            "config": _of_width(looks()["config"], narrow=narrow),
            "usermeta": {
                "leads": {each.to: each.says for each in destinations.values()}
            },
        }
        return spec

    def _rows_to_draw(self, width: int, to: Mapping[str, str]) -> list[dict[str, Any]]:
        """The rows with the link of each mark, and with titles broken into lines."""
        rows = []
        for row in self.rows:
            drawn = dict(row)
            if to:
                drawn["lead"] = to.get(row.get("of", row.get("title")))
            if self.titles:
                drawn["title"] = _wrap_label(row["title"], width)
            rows.append(drawn)
        return rows

    def _shared_channels(
        self, look: Spec, rows: Rows, width: int, *, linked: bool
    ) -> Spec:
        """The channels of every layer: the axes with their ticks, the titles, and the links."""
        shared: Spec = {name: _AXIS | look[name] for name in ("x", "y") if name in look}
        if linked:
            shared["href"] = {"field": "lead"}
        if self.titles:
            shared["y"] = {
                "field": "title",
                "type": "nominal",
                "title": None,
                "axis": _TITLES,
                "sort": [_wrap_label(title, width) for title in self.titles],
            }
        if self.days:
            labelled = self._day_ticks(width)
            shared["x"]["axis"] = {**shared["x"]["axis"], "values": labelled}
            shared["x"]["title"] = _years_of(self.days)
        if "ticks" in look:
            amounts = [row[name] for row in rows for name in look["ticks"]]
            ticks = _amount_ticks(amounts, look["x"]["scale"], _MOST_TICKS[width])
            shared["x"]["axis"] = {**shared["x"]["axis"], "values": ticks}
        return shared

    def _left_padding(self, width: int) -> int:
        """Pixels at the left: more beside longer labels, for a font that is wider than ours."""
        longest = 0
        for lines in self._label_lines(width):
            longest = max(longest, *(len(line) for line in lines))
        return 8 + 2 * longest

    def _destinations(self, base: str) -> dict[str, Destination]:
        """Map the name of each mark to the place it links to, with the whole address.

        Without ``base`` only places of the same page can be reached.
        """
        reached = {}
        for name, places in self.leads.items():
            on_server, *_ = places
            *_, in_report = places
            place = on_server if base else in_report
            if place.to.startswith("#"):
                reached[name] = place
            elif place.to and base:
                reached[name] = Destination(place.says, f"{base}/{place.to}")
        return reached

    def _day_ticks(self, width: int) -> list[Spec]:
        """The labelled days of a calendar, at equal distances, as Vega-Lite writes them."""
        gaps = _MOST_TICKS[width] - 1
        step = math.ceil((len(self.days) - 1) / gaps)
        labelled = self.days[:: max(step, 1)]  # a calendar of one day has a step of 0
        return [
            {"year": day.year, "month": day.month, "date": day.day, "utc": True}
            for day in labelled
        ]

    def _layer(self, layer: Spec, shared: Spec, to: Mapping[str, str]) -> Spec | None:
        """A layer with the shared channels; None for one without a mark.

        ``to`` has the address that the marks of a layer link to, by its ``of``.
        """
        if "level" in layer:
            return self._level_line(layer, shared)
        where = layer.get("where")
        if where and not any(_holds(where, row) for row in self.rows):
            return None  # a browser complains of a scale without an end
        mark = layer["mark"]
        if "href" in shared:
            mark = {**mark, "cursor": "pointer"}
        if layer.get("of") in to:
            shared = {**shared, "href": {"value": to[layer["of"]]}}
        encoding = dict(shared)
        for name, channel in layer.items():
            if name not in ("mark", "where", "of"):  # all other keys are channels
                encoding[name] = {**shared.get(name, {}), **channel}
        drawn: Spec = {}
        if where:
            drawn["transform"] = [{"filter": where}]
        drawn["mark"] = mark
        drawn["encoding"] = encoding
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


def _holds(where: str, row: Mapping[str, Any]) -> bool:
    """Whether a row passes the filter ``where``, as a browser would decide it."""
    condition = _WHERE.fullmatch(where)
    assert condition is not None  # our own charts.json writes no other filters
    cell = row.get(condition["field"])
    if condition["sign"] is None:
        return cell is not None
    is_equal = str(cell) == condition["value"]
    return is_equal if condition["sign"] == "==" else not is_equal


_AXIS: Spec = {"type": "quantitative", "title": None}
_TITLES: Spec = {
    "ticks": False,
    "domain": False,
    "labelPadding": 10,
    "labelLimit": 0,  # none: our own line breaks bound a label
    "labelExpr": "split(datum.label, '\\n')",
}

_ROUND = [digit * 10.0**power for power in range(-2, 12) for digit in (1, 2, 5)]
"""The round numbers that ticks stand at, from 0.01 to 500 billion."""


def _even_ticks(low: float, high: float, most: int) -> list[float]:
    """The multiples of a round number between two ends, with at most about ``most`` steps."""
    wide_enough = [step for step in _ROUND if (high - low) / step <= most]
    step = min(wide_enough, default=max(_ROUND))
    first = math.ceil(low / step)
    last = math.floor(high / step)
    return [multiple * step for multiple in range(first, last + 1)]


def _years_of(days: Sequence[date]) -> str:
    """The years of days in order, as ``2026`` or ``2026–2027``."""
    first = days[0].year
    last = days[-1].year
    return str(first) if first == last else f"{first}–{last}"


def _amount_ticks(amounts: Sequence[float], scale: Spec, most: int) -> list[float]:
    """At most so many round numbers for the axis of some amounts."""
    if "type" in scale:  # the only typed scale is the root, which begins at 0
        return _root_ticks(max(amounts), most)
    return _even_ticks(min(amounts), max(amounts), most)


def _root_ticks(high: float, most: int) -> list[float]:
    """Round numbers from 0 to ``high``, far enough apart on an axis that is spaced by roots."""
    least_gap = math.sqrt(high) / most
    ticks: list[float] = []
    for value in reversed([0.0, *_ROUND]):  # large ones first: they have the room
        if value > high:
            continue
        if not ticks or math.sqrt(ticks[-1]) - math.sqrt(value) >= least_gap:
            ticks.append(value)
    ticks.reverse()
    return ticks


def _wrap_label(title: str, width: int) -> str:
    """A label broken into lines that fit. Its own line breaks stay."""
    lines: list[str] = []
    for line in title.split("\n"):
        lines += wrap(line, _LETTERS[width]) or [""]
    return "\n".join(lines)


@cache
def looks() -> Spec:
    """Read ``charts.json``: the look of each chart, and the words of charts of measurements."""
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
        vl_version=vl_version(),
        allowed_base_urls=[],  # a drawing fetches nothing
    )
    svg = ET.fromstring(drawing)  # noqa: S314  # made by our own renderer just now
    leads = json.loads(spec)["usermeta"]["leads"]
    root = _copy_safely(svg, leads, linked=set())
    assert root is not None  # the renderer draws an svg element
    del root.attrib["width"], root.attrib["height"]  # the page sizes it by its viewBox
    return ET.tostring(root, encoding="unicode", short_empty_elements=True)


def vl_version() -> str:
    import vl_convert

    return f"v{vl_convert.get_vegalite_versions()[-1]}"


def _copy_safely(
    element: ET.Element, leads: Mapping[str, str], *, linked: set[str]
) -> ET.Element | None:
    """Copy known elements and attributes only: no style, script or id, no address beyond ``leads``.

    None for an element that is unknown or that draws nothing. ``linked`` collects the places that
    are linked to.
    """
    tag = element.tag.rpartition("}")[2]  # without its namespace
    draws_nothing = element.get("display") == "none" or element.get("d") == ""
    if draws_nothing or not _ELEMENT.fullmatch(tag):
        return None
    # the renderer puts an address of its own before the "#"
    place = "#" + element.get(_HREF, "").rpartition("#")[2]
    if tag != "a":
        copy = ET.Element(tag, _safe_attributes(element))
    elif place in leads:
        copy = _link(place, leads[place], is_tab_stop=place not in linked)
        linked.add(place)
    else:  # a link to nowhere only groups its elements
        copy = ET.Element("g", _safe_attributes(element))
    copy.text = element.text
    for child in element:
        safe_child = _copy_safely(child, leads, linked=linked)
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


def _link(place: str, says: str, *, is_tab_stop: bool) -> ET.Element:
    """A link to a place of ``leads``. Only the first of several to one place is a tab stop."""
    link = ET.Element("a", {"href": place, "aria-label": says})
    if not is_tab_stop:
        link.set("tabindex", "-1")
    title = ET.SubElement(link, "title")  # what a mouse sees
    title.text = says
    return link


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


def by_title(look: str, rows: Rows, **levels: float | None) -> Drawing | None:
    """A chart with a row for each ``title``, or None without rows.

    A row may have a line ``below`` its title, and ``behind`` it a ``Destination.to``. ``levels`` are
    the values of drawn lines.
    """
    if not rows:
        return None
    titled = []
    leads: dict[str, list[Destination]] = {}
    names = labels(row["title"] for row in rows)
    for name, row in zip(names, rows, strict=True):
        drawn = dict(row)
        title = name
        if "below" in drawn:
            title = f"{name}\n{drawn.pop('below')}"
        if "behind" in drawn:
            leads[title] = [Destination(name, drawn.pop("behind"))]
        drawn["title"] = title
        titled.append(drawn)
    titles = [row["title"] for row in titled]
    return Drawing(look, titled, titles, levels, leads=leads)


def board(results: Sequence[ArmResult], target: float | None) -> Drawing | None:
    """The first twelve arms that ran: quality on the cases for selecting, 95% intervals, target."""
    rows = []
    for result in results:
        quality = result.quality
        if isinstance(quality, Unknown):
            continue
        row = {
            "title": result.arm.id,
            "value": quality.value,
            "low": quality.low,
            "high": quality.high,
            "says": quality_text(quality.value),
            "look": "stayed" if result.dropped_after is None else "left",
            "behind": f"cases?{urlencode({'part': 'select', 'arm': result.arm.id})}",
        }
        rows.append(row)
    return by_title("board", rows[:MOST_ROWS], target=target)


def ways(known: Sequence[WayResult], target: float | None) -> Drawing | None:
    """The ways with a known quality, the best on top, with the target; None for fewer than two."""
    rows: list[dict[str, Any]] = []
    for way in known:
        quality = way.figures["quality"]
        if isinstance(quality, Unknown):
            continue
        low, high = quality.interval or (quality.value, quality.value)
        # without a stated target there is none to meet
        meets_all = bool(way.admissible) and all(
            state == "met" for state in way.admissible.values()
        )
        row = {
            "title": way.title,
            "value": quality.value,
            "low": low,
            "high": high,
            "look": "met" if meets_all else "open",
            "says": quality_text(quality.value),
        }
        rows.append(row)
    if len(rows) < 2:
        return None
    rows.sort(key=lambda row: -row["value"])
    return by_title("scored", rows[:MOST_ROWS], target=target)


class _MonthEnd(NamedTuple):
    """A point of a line of money."""

    month: int
    usd: float


def fan(
    money: InvestmentResult, drawn: Simulation, facts: Mapping[str, str]
) -> Drawing | None:
    """Money month by month: all simulated runs, those in which tuning works, the stated figures.

    A line is named at its end, and marked where it crosses zero. Contradicted figures don't extend
    an axis: their line ends where the others do. A range is drawn at its middle. Marks link to
    ``facts``, which maps labels to ids.
    """
    if not drawn.curve:
        return None
    simulated = _simulated_lines(drawn)
    stated = _stated_lines(money, len(drawn.curve))
    fitting = [*simulated.values()]  # the lines that the axis is made for
    if not money.contradicted:
        fitting += stated.values()
    low, high = _ends_of_axis(drawn, fitting)
    spare = (high - low or 1.0) * _CLIPPED  # flat lines need some height, too
    lines = _lines_between({**simulated, **stated}, low - spare, high + spare)
    rows: list[dict[str, Any]] = [
        {"month": month.month, "p10": month.p10, "p90": month.p90}
        for month in drawn.curve
    ]
    for name, points in lines.items():
        for month_end in points:
            rows[month_end.month][name] = month_end.usd
    rows += _break_even_marks(lines)
    gap = (high - low) * _LABEL_GAP
    rows += _named_ends(lines, gap=gap, certain="all" not in simulated)
    leads = {}
    for name in lines:
        fact_id = f"back-{name}"
        if fact_id in facts:
            leads[name] = [Destination(facts[fact_id], f"#{fact_id}")]
    return Drawing("fan", rows, leads=leads)


def _simulated_lines(drawn: Simulation) -> dict[str, list[float]]:
    """The medians by month, in USD: of all runs, and of those in which tuning works.

    Only one line is drawn where tuning works in all runs or in none, as both would be the same.
    """
    all_runs = [month.p50 for month in drawn.curve]
    if 0 < drawn.p_works < 1:
        return {
            "all": all_runs,
            "possible": [month.if_works for month in drawn.curve],
        }
    return {"possible": all_runs}


class _AxisEnds(NamedTuple):
    """The lowest and the highest amount of an axis, in USD."""

    low: float
    high: float


def _ends_of_axis(drawn: Simulation, lines: Iterable[Sequence[float]]) -> _AxisEnds:
    """The ends of all simulated ranges and of some lines."""
    amounts = list[float]()
    for month in drawn.curve:
        amounts += (month.p10, month.p90)
    for line in lines:
        amounts += line
    return _AxisEnds(min(amounts), max(amounts))


def _lines_between(
    lines: Mapping[str, Sequence[float]], low: float, high: float
) -> dict[str, list[_MonthEnd]]:
    """The points of each line that lie between two amounts in USD; no line that leaves at once."""
    inside = {}
    for name, amounts in lines.items():
        points = [
            _MonthEnd(month, usd)
            for month, usd in enumerate(amounts)
            if low <= usd <= high
        ]
        if len(points) >= _SHORTEST_LINE * len(amounts):
            inside[name] = points
    return inside


def _break_even_marks(
    lines: Mapping[str, Sequence[_MonthEnd]],
) -> list[dict[str, Any]]:
    """A mark where each line crosses zero; none for a line that never does."""
    marks = []
    for name, line in lines.items():
        crossing = _crossing(line)
        if crossing is not None:
            says = months(crossing)
            marks.append({"month": crossing, "back": name, "of": name, "says": says})
    return marks


_CLIPPED = 0.15  #: How far a contradicted line goes beyond the others, of their span.
_SHORTEST_LINE = 0.15
"""The share of the months that a line has to lie inside to be drawn: the label of a shorter one
would leave the picture at once."""
_LABEL_GAP = 0.1  #: Between two labels at the ends of lines, of the axis.


def _stated_lines(money: InvestmentResult, months: int) -> dict[str, list[float]]:
    """Cumulated USD at the end of each month by the stated figures, and by the table's costs."""
    upfront = _middle(money.upfront_usd)
    stated_net = _middle(money.monthly_net_usd)
    if upfront is None or stated_net is None:
        return {}
    monthly = {"stated": stated_net}
    stated_running = _middle(money.ask_usd.run_month)
    table_running = _middle(money.by_table.ongoing_usd)
    if stated_running is not None and table_running is not None:
        monthly["table"] = stated_net + stated_running - table_running
    return {
        name: [net * month - upfront for month in range(months)]
        for name, net in monthly.items()
    }


def _crossing(line: Sequence[_MonthEnd]) -> float | None:
    """The month at which a line crosses zero from below, between two of its points; None for never."""
    for before, after in pairwise(line):
        if before.usd < 0 <= after.usd:
            return before.month + before.usd / (before.usd - after.usd)
    return None


_LINE_WORDS = {
    "possible": "if it works",
    "all": "all runs",
    "stated": "stated figures",
    "table": "by the table",
}


def _named_ends(
    lines: Mapping[str, Sequence[_MonthEnd]], *, gap: float, certain: bool
) -> list[dict[str, Any]]:
    """A label beside the end of each line, moved up where two would overlap.

    A line that leaves the picture at its top is named there. ``gap`` is in USD; ``certain`` means
    that tuning works in all simulated runs or in none.
    """
    ends = [
        _LineEnd(line[-1].usd, line[-1].month, name)
        for name, line in lines.items()
        if line
    ]
    last_month = max((end.month for end in ends), default=0)
    labels = []
    free_from = -math.inf  # USD on the axis, from where no label is placed yet
    for end in sorted(ends):
        words = _LINE_WORDS[end.name]
        if certain and end.name == "possible":
            words = "simulated"  # there is no other line of runs to tell it from
        row = {
            "end": end.month,
            "at": end.usd,
            "label": words,
            "line": end.name,
            "side": "top",
        }
        if end.month == last_month:
            height = max(end.usd, free_from)
            free_from = height + gap
            row |= {"at": height, "side": "beside"}
        labels.append(row)
    return labels


class _LineEnd(NamedTuple):
    """The end of a line of money. Ends sort from the lowest up."""

    usd: float
    month: int
    name: str


def _middle(value: Number) -> float | None:
    """A number, or the middle of its ends; None without both ends."""
    if isinstance(value, Unknown):
        return None
    if not isinstance(value, Range):
        return value
    return None if value.high == "open" else _middle_of(value)


def tornado(
    simulation: Simulation, leads: Mapping[str, Sequence[Destination]]
) -> Drawing | None:
    """Each uncertain input alone, from its worse to its better end; the eight longest bars."""
    swings = simulation.tornado[:_MOST_SWINGS]  # they come longest first
    if not swings:
        return None
    middle = simulation.likely_usd
    titles = labels([swing.input for swing in swings])
    rows = []
    leads_by_title = {}
    for title, swing in zip(titles, swings, strict=True):
        leads_by_title[title] = leads[swing.input]
        worse, better = sorted((swing.low_usd, swing.high_usd))
        for end, value in (("worse", worse), ("better", better)):
            row = {
                "title": title,
                "end": end,
                "value": value,
                "middle": middle,
                "says": usd(value),
                "side": "left" if value < middle else "right",
            }
            rows.append(row)
    return Drawing("tornado", rows, titles, {"middle": middle}, leads=leads_by_title)


def learning(points: Sequence[CurveAt], target: float | None) -> Drawing | None:
    """Quality by number of examples: the trained sizes, the fitted curve, and the target."""
    rows = [
        {
            "examples": point.examples,
            "value": point.value,
            "low": point.low,
            "high": point.high,
            "how": "ahead" if point.ahead else "trained",
            "says": quality_text(point.value),
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
            "behind": f"#phase-{phase.id}",
            "part": "now",
            "from": phase.start.isoformat(),
            "to": _day_after(phase).isoformat(),
        }
        if phase is decision:
            row["decides"] = end.isoformat()
        rows.append(row)
    if after:
        # the bar of later phases isn't to scale: it only says that there is more
        until = end + max(end - start, timedelta(days=2)) / 4
        rows.append(_later_bar(after, end, until))
    drawing = by_title("gantt", rows)
    assert drawing is not None  # a plan's phases include the one that decides
    days = tuple(start + timedelta(days=n) for n in range((end - start).days))
    return replace(drawing, days=days)


def _later_bar(phases: Sequence[Phase], start: date, until: date) -> dict[str, str]:
    """One bar for all phases after the decision; its title says when they really end."""
    first, *_ = phases
    really_until = day(max(phase.end for phase in phases))
    return {
        "title": f"if go: {counted(len(phases), 'phase')} more, until {really_until}",
        "behind": f"#phase-{first.id}",
        "part": "later",
        "from": start.isoformat(),
        "to": until.isoformat(),
    }


def _day_after(phase: Phase) -> date:
    """The day after a phase, because a bar ends where its last day does."""
    return phase.end + timedelta(days=1)


def spending(plan: Plan) -> Drawing | None:
    """Money up to each decision, phase by phase; hours of work where they have no price.

    The last decision is whether the model goes live. None where a phase has no upper end, or where
    there are few phases.
    """
    decision = find_decision(plan)
    phases = _phases_to_launch(plan)
    priced = all(phase.usd.high != "open" for phase in phases)
    amounts = [phase.usd if priced else phase.hours for phase in phases]
    whole = Range.total(amounts)
    if len(phases) < _FEWEST_PHASES or whole.high == "open":
        return None
    axis_end = _middle_of(whole)
    rows: list[dict[str, Any]] = []
    spent = Range.between(0.0, 0.0)
    before = 0.0
    part = "now"
    for phase, amount in zip(phases, amounts, strict=True):
        spent += amount
        after = _middle_of(spent)
        row = {"title": phase.title, "from": before, "to": after, "part": part}
        if phase.part in plan.parts:  # only those have a place in the report
            row["behind"] = f"#phase-{phase.id}"
        if phase is decision or phase is phases[-1]:
            row["decides"] = after
            row["says"] = _spent_text(spent, priced=priced)
            row["side"] = _free_side(before, after, axis_end)
        if phase is decision:
            part = "later"
        rows.append(row)
        before = after
    return by_title("spending", rows)


def _phases_to_launch(plan: Plan) -> list[Phase]:
    """The phases until the model goes live; all where none of them takes it there."""
    phases = []
    for phase in plan.phases:
        phases.append(phase)
        if phase.id == "deployment":
            break
    return phases


def _middle_of(amount: Range) -> float:
    return (amount.low + amount.most) / 2


def _spent_text(spent: Range, *, priced: bool) -> str:
    if priced:
        return usd_range(spent.low, spent.most)
    return f"{as_hours(spent.low)}–{as_hours(spent.most)} h"


def _free_side(
    start: float, end: float, axis_end: float
) -> Literal["right", "left", "above"]:
    """The side of a bar with room for its amount."""
    room = _ROOM_FOR_AMOUNT * axis_end
    if axis_end - end > room or axis_end == 0:  # without any amount, bars are empty
        return "right"
    return "left" if start > room else "above"


_ROOM_FOR_AMOUNT = 0.58  #: Of the axis: what an amount takes on a telephone.
_FEWEST_PHASES = 2  #: One bar alone shows nothing.


_WEIGHTS = {"low": 1.0, "medium": 2.0, "high": 3.0}
"""The lengths of bars whose framework weighs reasons in words."""


def reasons(
    factors: Mapping[str, FactorResult], turning: Sequence[str]
) -> Drawing | None:
    """Reasons by weight, those against to the left: state, source, and the ones that turn it."""
    heaviest = max((_weight(factor) for factor in factors.values()), default=0.0)
    unit = heaviest or 1.0  # where all weights are nought, bars are empty
    rows = []
    for name, factor in factors.items():
        sign = 1 if factor.kind == "indicator" else -1
        end = sign * _weight(factor) / unit
        row = {
            "title": factor.title,
            "behind": f"#answer-{name}",
            "known": factor.source,
            "from": 0,
            "weight": end,
            "look": factor.kind if factor.state == "yes" else factor.state,
            "flips": None,
        }
        if name in turning:
            row["flips"] = end + _BESIDE_BAR * sign
        rows.append(row)
    return by_title("reasons", rows)


_BESIDE_BAR = 0.12  #: How far behind its bar the mark of a reason that flips stands.


def _weight(factor: FactorResult) -> float:
    if isinstance(factor.weight, str):
        return _WEIGHTS.get(factor.weight, 0.0)
    return factor.weight


def measured(results: Mapping[str, EvidenceResult]) -> Drawing | None:
    """Measured values by title, with their intervals, each in multiples of its own limit."""
    rows = []
    for title, result in results.items():
        value = result.value
        limit = result.limit
        if isinstance(limit, Unknown) or isinstance(value, Unknown) or limit <= 0:
            continue  # there is nothing to take multiples of
        # an end that nobody knows is drawn at the value itself
        low = result.low if isinstance(result.low, float) else value
        high = result.high if isinstance(result.high, float) else value
        interval = interval_text(value, result.low, result.high, result.unit)
        row = {
            "title": title,
            "value": value / limit,
            "low": low / limit,
            "high": high / limit,
            "says": result.says,
            "below": f"{interval}; limit {limit_text(limit, result.unit)}",
            "behind": f"#samples-{result.id}" if result.examples else "files",
        }
        rows.append(row)
    return by_title("measured", rows[:MOST_ROWS])
