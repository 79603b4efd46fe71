"""A picture as a file of its own, for a browser that runs no script."""

from __future__ import annotations

from tuneworthy.report.charts.draw import (
    BAND,
    CON,
    INK,
    LINE,
    MUTED,
    OPEN,
    PAPER,
    PRO,
    Drawing,
)

DARK = {
    PAPER: "#15191d", INK: "#e7eaed", MUTED: "#a5afb9", LINE: "#3b444d",
    PRO: "#7db9f0", CON: "#f0a660", OPEN: "#98a2ad", BAND: "#2d4c6a",
}  # fmt: skip
"""What each colour is on a dark page; the same as in the page's own style."""

_RULES = "".join(
    f'[{part}="{light}"]{{{part}:{dark}}}'
    for light, dark in DARK.items()
    for part in ("fill", "stroke")
)
STYLE = f"@media (prefers-color-scheme: dark) {{{_RULES}}}"
"""The style inside such a file: it takes the reader's colours by itself."""


def still(drawing: Drawing, *, narrow: bool = False) -> str:
    """A drawing as an SVG file that loads nothing and runs nothing."""
    inside = drawing.narrow if narrow else drawing.wide
    head, rest = inside.split(">", 1)
    head = head.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    return f"{head}><style>{STYLE}</style>{rest}"
