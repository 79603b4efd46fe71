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
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from tuneworthy.precedents.record import tuning_won
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
    from tuneworthy.model.precedents import Precedent
from tuneworthy.model.ways import WayResult

Spec = dict[str, Any]  #: A part of a chart in Vega-Lite.

Rows = Sequence[Mapping[str, Any]]
"""The rows that the marks of a chart are drawn from. ``evidence.rows_of`` checks those of a series."""

#: Widths in pixels: for a desk and for paper, and for a telephone.
WIDE = 760
NARROW = 320

_MOST_LETTERS = 100
_LETTERS = {WIDE: 38, NARROW: 19}  #: The letters that fit on one line of a label.
_MOST_TICKS = {WIDE: 4, NARROW: 2}  #: Days or amounts that are named below a picture.
MOST_ROWS = 12
_MOST_DOTS = 60
_MOST_SWINGS = 8
_ELEMENT = re.compile("svg|g|a|path|rect|line|text|tspan|circle|polygon")
_ATTRIBUTE = re.compile(
    "c[xy]|d[xy]?|r|[xy][12]?|width|height|points|viewBox|transform|opacity|text-anchor"
    "|font-(family|size|style|weight)|fill(-opacity)?"
    "|stroke(-(dasharray|linecap|linejoin|miterlimit|opacity|width))?"
)
_WHERE = re.compile(r"^(?:isValid\()?datum\.(\w+)\)?(?: ([!=]=) '?(\w+)'?)?$")
_PLAIN = re.compile(r"[\w\s.,#%()+-]*", re.ASCII)
_DIGITS = re.compile(r"\d+\.\d{3,}")
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
            spec, vl_version=vl_version(), scale=2, allowed_base_urls=[]
        )
        return bytes(image)

    def svg(self, width: int) -> str:
        """The ``svg`` element without a label, for a page with the places that its marks link to."""
        return _rendered(json.dumps(self.spec(width), allow_nan=False))

    def height(self, width: int) -> int:
        """The height of the drawing in pixels at one width."""
        look = looks()[self.look]
        lines = max(
            (len(_lines(title, width).split("\n")) for title in self.titles), default=1
        )
        row = 14 + 16 * lines
        if self.titles or "rows" in look:
            has_axis = look["x"]["axis"] is not None
            rows: int = look.get("rows", len(self.titles) + has_axis)
            return row * rows + 44
        if width == WIDE:
            return 280
        return 240

    def spec(self, width: int, base: str = "") -> Spec:
        """The picture as Vega-Lite, with the text for each address that its marks link to.

        ``base`` is the address of its page. With it, marks link to other pages of the server, too.
        """
        look: Spec = _of_width(looks()[self.look], narrow=width == NARROW)
        shared: Spec = {name: _AXIS | look[name] for name in ("x", "y") if name in look}
        destinations = self._destinations(base)
        to = {name: destination.to for name, destination in destinations.items()}
        rows = list(self.rows)
        if to:
            rows = [
                {**row, "lead": to.get(row.get("of", row.get("title")))} for row in rows
            ]
            shared["href"] = {"field": "lead"}
        labels_in_lines = [_lines(label, width) for label in self.titles]
        if self.titles:
            shared["y"] = {
                "field": "title",
                "type": "nominal",
                "title": None,
                "axis": _TITLES,
                "sort": labels_in_lines,
            }
            rows = [{**row, "title": _lines(row["title"], width)} for row in rows]
        if self.days:
            first = self.days[0].year
            last = self.days[-1].year
            ticks = self._day_ticks(width)
            shared["x"]["axis"] = {**shared["x"]["axis"], "values": ticks}
            shared["x"]["title"] = str(first) if first == last else f"{first}–{last}"
        if "ticks" in look:
            ends = [row[name] for row in rows for name in look["ticks"]]
            amounts = _ticks(
                ends, _MOST_TICKS[width], root="type" in look["x"]["scale"]
            )
            shared["x"]["axis"] = {**shared["x"]["axis"], "values": amounts}
        layers = [self._layer(layer, shared, to) for layer in look["layers"]]
        longest = max(map(len, "\n".join(labels_in_lines).split("\n")))
        spare = 8 + 2 * longest  # spare room for a font that is wider than ours
        spec: Spec = {
            "$schema": f"https://vega.github.io/schema/vega-lite/{vl_version()}.json",
            "data": {"values": rows},
            "layer": [layer for layer in layers if layer],
        }
        if "resolve" in look:
            spec["resolve"] = look["resolve"]
        spec |= {
            "width": width,
            "height": self.height(width),
            "padding": {
                "left": spare,
                "top": 6,
                "right": 30,
                "bottom": 4,
            },
            "autosize": {"type": "fit", "contains": "padding"},
            "config": _of_width(looks()["config"], narrow=width == NARROW),
            "usermeta": {
                "leads": {each.to: each.says for each in destinations.values()}
            },
        }
        return spec

    def _destinations(self, base: str) -> dict[str, Destination]:
        """Map the name of each mark to the place it links to, with the whole address.

        Without ``base`` only places of the same page can be reached.
        """
        reached = {}
        for name, places in self.leads.items():
            says, to = places[0] if base else places[-1]
            if to.startswith("#"):
                reached[name] = Destination(says, to)
            elif to and base:
                reached[name] = Destination(says, f"{base}/{to}")
        return reached

    def _day_ticks(self, width: int) -> list[Spec]:
        """The labelled days of a calendar, at equal distances, as Vega-Lite writes them."""
        step = math.ceil((len(self.days) - 1) / (_MOST_TICKS[width] - 1))
        return [
            {"year": day.year, "month": day.month, "date": day.day, "utc": True}
            for day in self.days[:: max(step, 1)]
        ]

    def _layer(self, layer: Spec, shared: Spec, to: Mapping[str, str]) -> Spec | None:
        """A layer with the shared channels; None for one without a mark."""
        mark = layer["mark"]
        where = layer.get("where")
        if "href" in shared:
            mark = {**mark, "cursor": "pointer"}
        if "level" in layer:
            ((channel, level),) = layer["level"].items()  # it has one: x or y
            value = self.levels.get(level) if isinstance(level, str) else level
            if value is None:
                return None
            return {
                "data": {"values": [{"at": value}]},
                "mark": layer["mark"],
                "encoding": {channel: {**shared[channel], "field": "at"}},
            }
        if where and not any(_holds(where, row) for row in self.rows):
            return None  # a browser complains of a scale without an end
        own = {
            name: layer[name] for name in layer if name not in ("mark", "where", "of")
        }
        if layer.get("of") in to:
            shared = {**shared, "href": {"value": to[layer["of"]]}}
        encoding = {
            n: {**shared.get(n, {}), **own.get(n, {})} for n in {**shared, **own}
        }
        drawn: Spec = {}
        if where:
            drawn["transform"] = [{"filter": where}]
        drawn["mark"] = mark
        drawn["encoding"] = encoding
        return drawn


def _holds(where: str, row: Mapping[str, Any]) -> bool:
    """Whether a row passes the filter ``where``, as a browser would decide it."""
    ((name, sign, value),) = _WHERE.findall(where)
    cell = row.get(name)
    if sign:
        return (str(cell) == value) is (sign == "==")
    return cell is not None


_AXIS: Spec = {"type": "quantitative", "title": None}
_TITLES: Spec = {"ticks": False, "domain": False, "labelPadding": 10, "labelLimit": 0}
_TITLES |= {"labelExpr": "split(datum.label, '\\n')"}


def _ticks(ends: Sequence[float], most: int, *, root: bool) -> list[float]:
    """Round numbers between two ends, far enough apart to be read; ``root`` spaces them by roots."""
    low = min(0.0, *ends) if root else min(ends)
    high = max(ends)
    ticks = list[float]()
    powers = [k * 10.0**n for n in range(-2, 12) for k in (1, 2, 5)]
    if root:
        for value in [v for v in reversed([0.0, *powers]) if v <= high]:
            if (
                not ticks
                or math.sqrt(ticks[-1]) - math.sqrt(value) >= math.sqrt(high) / most
            ):
                ticks.append(value)
        return ticks[::-1]
    step = next((power for power in powers if (high - low) / power <= most), powers[-1])
    return [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _lines(title: str, width: int) -> str:
    """A label broken into lines that fit. Its own line breaks stay."""
    return "\n".join(
        "\n".join(wrap(line, _LETTERS[width])) for line in title.split("\n")
    )


@cache
def looks() -> Spec:
    """Read ``charts.json``: the look of each chart, and the words of charts of measurements."""
    spec: Spec = json.loads(template("charts.json"))
    return spec


def _of_width(value: Any, *, narrow: bool) -> Any:
    """Choose the values for one width, and replace names of colors by the colors."""
    if isinstance(value, dict):
        if "narrow" in value:
            return value["narrow" if narrow else "wide"]
        return {name: _of_width(entry, narrow=narrow) for name, entry in value.items()}
    if isinstance(value, list):
        return [_of_width(item, narrow=narrow) for item in value]
    if isinstance(value, str):
        return looks()["colours"].get(value, [value])[0]
    return value


# it takes a quarter of a second, and a server is asked for the same again
@lru_cache(maxsize=64)
def _rendered(spec: str) -> str:
    """Draw a specification as SVG, with only the parts that a page may hold."""
    import vl_convert

    drawing = vl_convert.vegalite_to_svg(
        spec, vl_version=vl_version(), allowed_base_urls=[]
    )
    svg = ET.fromstring(drawing)  # noqa: S314  # made by our own renderer just now
    (root,) = _kept([svg], json.loads(spec)["usermeta"]["leads"], set())
    del root.attrib["width"], root.attrib["height"]  # the page sizes it by its viewBox
    return ET.tostring(root, encoding="unicode", short_empty_elements=True)


def vl_version() -> str:
    import vl_convert

    return f"v{vl_convert.get_vegalite_versions()[-1]}"


def _kept(
    elements: Iterable[ET.Element], leads: Mapping[str, str], met: set[str]
) -> Iterator[ET.Element]:
    """Copy known elements and attributes only: no style, script or id, no address beyond ``leads``.

    The first of several links to one place is a tab stop; ``met`` collects the places.
    """
    for element in elements:
        tag = element.tag.rpartition("}")[2]
        drawn = element.get("d")
        if (
            not _ELEMENT.fullmatch(tag)
            or element.get("display") == "none"
            or drawn == ""
        ):
            continue
        own = {
            n: _DIGITS.sub(lambda match: f"{float(match[0]):.4g}", v)
            for n, v in element.items()
            if _ATTRIBUTE.fullmatch(n)
            and _PLAIN.fullmatch(v)
            and (n, v) != ("opacity", "1")
        }
        inside = [*_kept(element, leads, met)]
        place = (
            "#" + element.get(_HREF, "").rpartition("#")[2]
        )  # behind an address of the renderer
        if tag == "a" and place in leads:
            own = {"href": place, "aria-label": leads[place]}
            if place in met:
                own |= {"tabindex": "-1"}
            met.add(place)
            title = ET.Element("title")
            title.text = leads[place]
            inside.insert(0, title)
        copy = ET.Element("g" if tag == "a" and not own else tag, own)
        copy.text = element.text
        copy.extend(inside)
        yield copy


def labels(titles: Iterable[str]) -> list[str]:
    """Titles for an axis: one line each, cut to a readable length, and all different."""
    unique: list[str] = []
    for title in titles:
        line = one_line(" ".join(title.split()), limit=4000)
        # the renderer cuts characters beyond U+FFFF in half; the table has the whole title
        short = cut("".join(c if c <= "\uffff" else "□" for c in line), _MOST_LETTERS)
        label = short or "–"
        copies = 1
        while label in unique:
            copies += 1
            label = f"{short} ({copies})"
        unique.append(label)
    return unique


def by_title(look: str, rows: Rows, **levels: float | None) -> Drawing | None:
    """A chart with a row for each ``title``, or None without rows.

    A row may have a line ``below`` its title, and a ``Destination.to``.
    """
    titled = []
    leads = dict[str, list[Destination]]()
    for name, row in zip(labels(row["title"] for row in rows), rows, strict=True):
        own = dict(row)
        title = f"{name}\n{own.pop('below')}" if "below" in own else name
        if "behind" in own:
            leads[title] = [Destination(name, own.pop("behind"))]
        titled.append({**own, "title": title})
    names = [row["title"] for row in titled]
    if rows:
        return Drawing(look, titled, names, levels, leads=leads)
    return None


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
        met = bool(way.admissible) and set(way.admissible.values()) == {"met"}
        row = {
            "title": way.title,
            "value": quality.value,
            "low": low,
            "high": high,
            "look": "met" if met else "open",
            "says": quality_text(quality.value),
        }
        rows.append(row)
    rows.sort(key=lambda row: -row["value"])
    if len(rows) > 1:
        return by_title("scored", rows[:MOST_ROWS], target=target)
    return None


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
    lines = {"all": [month.p50 for month in drawn.curve]}
    if 0 < drawn.p_works < 1:
        lines["possible"] = [month.if_works for month in drawn.curve]
    else:
        lines["possible"] = lines.pop("all")
    bands = [value for month in drawn.curve for value in (month.p10, month.p90)]
    drawn_ends = [value for line in lines.values() for value in line] + bands
    stated = _stated_lines(money, len(drawn.curve))
    if not money.contradicted:
        drawn_ends += [value for line in stated.values() for value in line]
    low = min(drawn_ends)
    high = max(drawn_ends)
    spare = (high - low or 1.0) * _CLIPPED
    rows: list[dict[str, Any]] = [
        {"month": month.month, "p10": month.p10, "p90": month.p90}
        for month in drawn.curve
    ]
    shown: dict[str, list[tuple[int, float]]] = {}
    for name, values in {**lines, **stated}.items():
        inside = [
            (place, money_then)
            for place, money_then in enumerate(values)
            if low - spare <= money_then <= high + spare
        ]
        if len(inside) < _SHORTEST_LINE * len(values):
            continue  # the label would leave the picture at once
        shown[name] = inside
        for place, money_then in inside:
            rows[place][name] = money_then
    rows += _break_even_marks(shown)
    leads = {}
    for name in shown:
        id_ = f"back-{name}"
        if id_ in facts:
            leads[name] = [Destination(facts[id_], f"#{id_}")]
    gap = (high - low) * _LABEL_GAP
    rows += _named_ends(shown, gap=gap, certain="all" not in lines)
    return Drawing("fan", rows, leads=leads)


def _break_even_marks(
    lines: Mapping[str, Sequence[tuple[int, float]]],
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
_SHORTEST_LINE = 0.15  #: Of the months: what has to lie inside for a line to be drawn.
_LABEL_GAP = 0.1  #: Between two labels at the ends of lines, of the axis.


def _stated_lines(money: InvestmentResult, months: int) -> dict[str, list[float]]:
    """Cumulated USD at the end of each month by the stated figures, and by the table's costs."""
    up = _middle(money.upfront_usd)
    net = _middle(money.monthly_net_usd)
    run = _middle(money.ask_usd.run_month)
    theirs = _middle(money.by_table.ongoing_usd)
    if up is None or net is None:
        return {}
    monthly = {"stated": net}
    if run is not None and theirs is not None:
        monthly["table"] = net + run - theirs
    return {
        name: [each * month - up for month in range(months)]
        for name, each in monthly.items()
    }


def _crossing(line: Sequence[tuple[int, float]]) -> float | None:
    """The month at which a line crosses zero from below, between two of its points; None for never."""
    for (month, before), (_, after) in pairwise(line):
        if before < 0 <= after:
            return month + before / (before - after)
    return None


_LINE_WORDS = {
    "possible": "if it works",
    "all": "all runs",
    "stated": "stated figures",
    "table": "by the table",
}


def _named_ends(
    lines: Mapping[str, Sequence[tuple[int, float]]], *, gap: float, certain: bool
) -> list[dict[str, Any]]:
    """A label beside the end of each line, moved up where two would overlap.

    A line that leaves the picture at its top is named there.
    """
    last_month = max((line[-1][0] for line in lines.values() if line), default=0)
    ends = []
    for name, line in lines.items():
        if line:
            month, last = line[-1]
            ends.append((last, month, name))
    labels = []
    height = -math.inf
    for wished, month, name in sorted(ends):  # from the lowest up
        words = _LINE_WORDS[name]
        if certain and name == "possible":
            words = "simulated"  # there is no other line of runs to tell it from
        row = {"end": month, "at": wished, "label": words, "line": name, "side": "top"}
        if month == last_month:
            height = max(wished, height + gap)
            row |= {"at": height, "side": "beside"}
        labels.append(row)
    return labels


def _middle(value: Number) -> float | None:
    """A number, or the middle of its ends; None without both ends."""
    if isinstance(value, Unknown):
        return None
    if not isinstance(value, Range):
        return value
    if value.high == "open":
        return None
    return (value.low + float(value.high)) / 2


def tornado(
    simulation: Simulation, leads: Mapping[str, Sequence[Destination]]
) -> Drawing | None:
    """Each uncertain input alone, from its worse to its better end; the eight longest bars."""
    swings = simulation.tornado[:_MOST_SWINGS]
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
    if rows:
        levels = {"middle": middle}
        return Drawing("tornado", rows, titles, levels, leads=leads_by_title)
    return None


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
    last = decided_in(plan)
    before = [phase for phase in plan.phases if phase.end <= last.end]
    after = [phase for phase in plan.phases if phase not in before]
    start = min(phase.start for phase in before)
    end = last.end + timedelta(days=1)
    until = end + max(end - start, timedelta(days=2)) / 4
    rows = []
    for phase in before:
        row = {
            "title": phase.title,
            "behind": f"#phase-{phase.id}",
            "part": "now",
            "from": phase.start.isoformat(),
            "to": (phase.end + timedelta(days=1)).isoformat(),
        }
        if phase is last:
            row["decides"] = end.isoformat()
        rows.append(row)
    if after:
        over = day(max(phase.end for phase in after))
        row = {
            "title": f"if go: {counted(len(after), 'phase')} more, until {over}",
            "behind": f"#phase-{after[0].id}",
            "part": "later",
            "from": end.isoformat(),
            "to": until.isoformat(),
        }
        rows.append(row)
    drawing = by_title("gantt", rows)
    if drawing is None:
        return None
    days = tuple(start + timedelta(days=n) for n in range((end - start).days))
    return replace(drawing, days=days)


def spending(plan: Plan) -> Drawing | None:
    """Money up to each decision, phase by phase; hours of work where they have no price.

    The last decision is whether the model goes live. None where a phase has no upper end, or where
    there are few phases.
    """
    decision = decided_in(plan)
    live = next(
        (n for n, phase in enumerate(plan.phases, start=1) if phase.id == "deployment"),
        0,
    )
    phases = plan.phases[:live] if live else plan.phases
    priced = all(phase.usd.high != "open" for phase in phases)
    amounts = [phase.usd if priced else phase.hours for phase in phases]
    if len(amounts) < _FEWEST_PHASES or any(
        amount.high == "open" for amount in amounts
    ):
        return None
    whole = Range.total(amounts)
    end = (whole.low + whole.most) / 2
    rows: list[dict[str, Any]] = []
    spent = Range.between(0.0, 0.0)
    part = "now"
    for phase, amount in zip(phases, amounts, strict=True):
        before = (spent.low + spent.most) / 2
        spent = spent + amount
        after = (spent.low + spent.most) / 2
        row: dict[str, Any] = {"title": phase.title}
        if phase.part in plan.parts:
            row["behind"] = f"#phase-{phase.id}"
        row |= {"from": before, "to": after, "part": part}
        if phase is decision or phase is phases[-1]:
            hours = f"{as_hours(spent.low)}–{as_hours(spent.most)} h"
            says = usd_range(spent.low, spent.most) if priced else hours
            side = _free_side(before / end, after / end) if end else "right"
            row |= {"decides": after, "says": says, "side": side}
        if phase is decision:
            part = "later"
        rows.append(row)
    return by_title("spending", rows)


def _free_side(start: float, end: float) -> Literal["right", "left", "above"]:
    """The side of a bar with room for its amount; both ends are shares of the axis."""
    if end < 1 - _ROOM_FOR_AMOUNT:
        return "right"
    return "left" if start > _ROOM_FOR_AMOUNT else "above"


_ROOM_FOR_AMOUNT = 0.58  #: Of the axis: what an amount takes on a telephone.
_FEWEST_PHASES = 2


def decided_in(plan: Plan) -> Phase:
    """The first phase that ends with a decision, up to which the ask reaches."""
    return find_decision(plan)


_WEIGHTS = {"low": 1.0, "medium": 2.0, "high": 3.0}


def reasons(
    factors: Mapping[str, FactorResult], turning: Sequence[str]
) -> Drawing | None:
    """Reasons by weight, those against to the left: state, source, and the ones that turn it."""
    heaviest = max(map(_weight, factors.values()), default=0.0)
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
            "flips": end + _BESIDE_BAR * sign if name in turning else None,
        }
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
        limit = result.limit
        if (
            isinstance(limit, Unknown)
            or isinstance(result.value, Unknown)
            or limit <= 0
        ):
            continue
        # an end that nobody knows is drawn at the value itself
        first_end = result.low if isinstance(result.low, float) else result.value
        second_end = result.high if isinstance(result.high, float) else result.value
        low, value, high = sorted((result.value, first_end, second_end))
        interval = interval_text(result.value, result.low, result.high, result.unit)
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


def precedents(groups: Mapping[str, Sequence[Precedent]]) -> Drawing | None:
    """A dot for each published case of some groups; those that tuning won come first."""
    shown = {name: cases for name, cases in groups.items() if len(cases) <= _MOST_DOTS}
    names = labels(shown)
    rows = []
    leads = dict[str, list[Destination]]()
    for name, cases in zip(names, shown.values(), strict=True):
        won_first = sorted(cases, key=tuning_won, reverse=True)
        for place, case in enumerate(won_first, start=1):
            won = "won" if tuning_won(case) else "lost"
            id_ = case.shown["id"]
            rows.append({"title": name, "place": place, "won": won, "of": id_})
            leads[id_] = [Destination(case.shown["title"], f"#case-{id_}")]
    if rows:
        return Drawing("precedents", rows, names, leads=leads)
    return None
