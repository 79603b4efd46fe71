"""From a chart to an SVG that is safe, takes the page's colours and needs nothing from outside."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree as ET

import altair as alt
import vl_convert

from tuneworthy.report.layout import safe

Layers = alt.LayerChart | alt.FacetChart
"""What layering charts gives."""

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
