"""Charts as SVG that is safe and takes the page's colours; their looks are in ``charts.json``.

A look is Vega-Lite (https://vega.github.io/vega-lite/docs/) with short forms: a channel may be the
name of a field; ``by`` gives each value of a field its colour or shape; ``narrow`` and ``wide``
differ between a telephone and a desk; ``level`` is a line at a number, or at one of the levels that
a chart is given by name. Channels beside ``layers`` hold for every layer. Colours are named.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from tuneworthy.errors import one_line
from tuneworthy.model.base import Range, Unknown
from tuneworthy.model.dossier import OptionResult, Plan, Simulation
from tuneworthy.report.named import template
from tuneworthy.words import cut

if TYPE_CHECKING:
    from tuneworthy.model.lab import ArmResult, CurvePoint

Spec = dict[str, Any]  #: A part of a chart in Vega-Lite.

Rows = Sequence[Mapping[str, Any]]
"""What the marks of a chart are drawn from; of a series, checked by ``evidence.rows_of``."""

COLOURS = {
    "PAPER": ("#fdfdfc", "#15191d"),
    "INK": ("#1d2329", "#e7eaed"),
    "MUTED": ("#59636e", "#a5afb9"),
    "LINE": ("#d0d5da", "#3b444d"),
    "PRO": ("#14609f", "#7db9f0"),
    "CON": ("#a8500c", "#f0a660"),
    "OPEN": ("#7a8490", "#98a2ad"),
    "BAND": ("#bcd4ea", "#2d4c6a"),
}
"""Light and dark. The page's style maps each to its own variable, so a dark page or a reader's own
style recolours the picture; blue and orange stay apart for colour-blind readers."""

WIDE, NARROW = 760, 320  #: Widths in pixels: for a desk and for paper, and for a telephone.

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

    look: str  #: Its entry in ``charts.json``.
    rows: Rows
    titles: Sequence[str] = ()
    """Of a chart of one row for each title, in their order; ``title`` names the row of a mark."""
    levels: Mapping[str, float | None] = field(default_factory=dict)
    """Values that lines are drawn at; no line for None."""

    @property
    def wide(self) -> str:
        """For a desk and for paper: the text of an ``svg`` element without its label."""
        return _rendered(json.dumps(self.spec(WIDE), allow_nan=False))

    @property
    def narrow(self) -> str:
        return _rendered(json.dumps(self.spec(NARROW), allow_nan=False))

    def height(self, width: int) -> int:
        look = looks()[self.look]
        axis = look["x"]["axis"] is not None
        rows = look.get("rows", len(self.titles) + axis if self.titles else 0)
        return 30 * rows + 44 if rows else (320 if width == WIDE else 240)

    def spec(self, width: int) -> Spec:
        """The picture as Vega-Lite, for a browser that draws it itself."""
        look: Spec = _of_width(looks()[self.look], narrow=width == NARROW)
        shared: Spec = {name: _AXIS | look[name] for name in ("x", "y") if name in look}
        if self.titles:
            axis = {"ticks": False, "domain": False, "labelPadding": 10}
            title = {"field": "title", "type": "nominal", "title": None}
            shared["y"] = {**title, "sort": list(self.titles), "axis": axis}
        layers = (self._layer(layer, shared) for layer in look["layers"])
        return {
            "$schema": f"https://vega.github.io/schema/vega-lite/{vl_version()}.json",
            "data": {"values": list(self.rows)},
            "layer": [layer for layer in layers if layer],
            **({"resolve": look["resolve"]} if "resolve" in look else {}),
            "width": width,
            "height": self.height(width),
            "autosize": {"type": "fit", "contains": "padding"},
            "config": _of_width(looks()["config"], narrow=width == NARROW),
        }

    def _layer(self, layer: Spec, shared: Spec) -> Spec | None:
        """A layer with the shared channels; None for a line at a value that isn't known."""
        mark, where = layer["mark"], layer.get("where")
        if "level" in layer:
            ((channel, level),) = layer["level"].items()
            at = self.levels.get(level) if isinstance(level, str) else level
            encoding = {channel: {**shared[channel], "field": "at"}}
            data = {"data": {"values": [{"at": at}]}}
            return None if at is None else {**data, "mark": mark, "encoding": encoding}
        own = {name: _channel(layer[name]) for name in layer if name not in ("mark", "where")}
        encoding = {n: {**shared.get(n, {}), **own.get(n, {})} for n in {**shared, **own}}
        only = {"transform": [{"filter": where}]} if where else {}
        return {**only, "mark": mark, "encoding": encoding}


_AXIS: Spec = {"type": "quantitative", "title": None}


def _channel(value: str | Spec) -> Spec:
    """A channel from the name of a field, from ``by`` with a look for each value, or as it is."""
    if isinstance(value, str):
        return {"field": value}
    if "by" not in value:
        return value
    looks = {name: look for name, look in value.items() if name != "by"}
    scale = {"domain": list(looks), "range": list(looks.values())}
    return {"field": value["by"], "type": "nominal", "legend": None, "scale": scale}


@cache
def looks() -> Spec:
    """What ``charts.json`` says of each; of what was measured, also its words."""
    found: Spec = json.loads(template("charts.json"))
    return found


def _of_width(value: Any, *, narrow: bool) -> Any:
    """What holds for a width, with colours for their names."""
    if isinstance(value, dict):
        if "narrow" in value:
            return value["narrow" if narrow else "wide"]
        return {name: _of_width(one, narrow=narrow) for name, one in value.items()}
    if isinstance(value, list):
        return [_of_width(one, narrow=narrow) for one in value]
    return COLOURS[value][0] if isinstance(value, str) and value in COLOURS else value


@lru_cache(maxsize=64)  # it takes a quarter of a second, and a server is asked for the same again
def _rendered(spec: str) -> str:
    import vl_convert

    drawing = vl_convert.vegalite_to_svg(spec, vl_version=vl_version(), allowed_base_urls=[])
    return _clean(drawing)


def vl_version() -> str:
    import vl_convert

    return f"v{vl_convert.get_vegalite_versions()[-1]}"


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


def by_title(
    look: str, titles: Iterable[str], rows: Rows, **levels: float | None
) -> Drawing | None:
    """A chart of one row for each title; None for no title."""
    names = labels(titles)
    titled = [{"title": name, **row} for name, row in zip(names, rows, strict=True)]
    return Drawing(look, titled, names, levels) if names else None


def board(results: Sequence[ArmResult], target: float | None) -> Drawing | None:
    """The first twelve arms that ran: quality on the cases for selecting, 95% intervals, target."""
    ran = [(one, q) for one in results if not isinstance(q := one.quality, Unknown)][:_MOST_ROWS]
    rows = [
        {
            "value": quality.value,
            "low": quality.low,
            "high": quality.high,
            "look": "stayed" if one.dropped_after is None else "left",
        }
        for one, quality in ran
    ]
    return by_title("board", [one.arm.id for one, _ in ran], rows, target=target)


def curve(
    points: Sequence[CurvePoint], *, target: float | None, upper: float | None
) -> Drawing | None:
    """The best so far after each arm, with the target and the bound that all arms stay under."""
    rows = [point.model_dump() for point in points]
    levels = {"target": target, "upper": upper}
    return Drawing("curve", rows, levels=levels) if len(rows) > 1 else None


def fan(simulation: Simulation) -> Drawing | None:
    """Cumulated money month by month: the middle draw, and the band of eight draws in ten."""
    names = ("month", "p10", "p50", "p90")
    rows = [{name: getattr(month, name) for name in names} for month in simulation.curve]
    return Drawing("fan", rows) if rows else None


def tornado(simulation: Simulation) -> Drawing | None:
    """Each uncertain input alone, from its low to its high end; the ten widest."""
    swings, middle = simulation.tornado[:_MOST_SWINGS], simulation.npv_usd.p50
    titles = labels([swing.input for swing in swings])
    rows = [
        {"title": title, "end": end, "value": value, "middle": middle}
        for title, swing in zip(titles, swings, strict=True)
        for end, value in (("low", swing.low_usd), ("high", swing.high_usd))
    ]
    return Drawing("tornado", rows, titles, {"middle": middle}) if rows else None


def options(results: Sequence[OptionResult]) -> Drawing | None:
    """Options that help by the weeks until they are in production; the first twelve by rank."""
    titles, rows = [], []
    for option in sorted(results, key=lambda option: option.rank):
        weeks = option.weeks
        if option.helps != "no" and not isinstance(weeks, Unknown):
            low = high = weeks.low if isinstance(weeks, Range) else weeks
            if isinstance(weeks, Range) and weeks.high != "open":
                high = weeks.high
            titles.append(option.title)
            middle = (low + high) / 2
            rows.append({"low": low, "high": high, "helps": option.helps, "middle": middle})
    return by_title("options", titles[:_MOST_ROWS], rows[:_MOST_ROWS])


def gantt(plan: Plan) -> Drawing | None:
    rows = [
        {
            "from": phase.start.isoformat(),
            "to": (phase.end + timedelta(days=1)).isoformat(),
            "part": "later" if phase.part == "later_goals" else "now",
        }
        for phase in plan.phases
    ]
    return by_title("gantt", [phase.title for phase in plan.phases], rows)
