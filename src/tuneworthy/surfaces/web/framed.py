"""A picture on a page of the server: drawn by the browser, still where it runs no script."""

from __future__ import annotations

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from tuneworthy.report.charts.draw import WIDE
from tuneworthy.report.charts.script import script_digest
from tuneworthy.report.html.blocks import Picture

SCRIPT = "/charts.js"
"""Where the script that draws is served; it isn't in the package, but made from a library."""

_BOX = Markup(
    '<div class="chart" data-chart="{at}.json" data-script="{script}" role="img"'
    ' aria-label="{label}"><svg viewBox="0 0 {width} {height}" aria-hidden="true"></svg></div>'
    '<noscript><picture><source media="(max-width: 44rem)" srcset="{at}.svg?width=narrow">'
    '<img class="still" src="{at}.svg" alt="{label}" loading="lazy" width="{width}"'
    ' height="{height}"></picture></noscript>'
)


@pass_context
def framed(context: Context, block: Picture, label: str) -> Markup:
    """A box that names where its chart is, as high as the chart will be.

    Args:
        context: Of the template: ``charts`` is where its charts lie, else they lie under ``base``.
        block: The picture.
        label: What it says, for those who don't see it.
    """
    folder = context.get("charts") or f"{context['base']}/charts"
    return _BOX.format(
        at=f"{folder}/{block.id}",
        script=f"{SCRIPT}?{script_digest()}",
        label=label,
        width=WIDE,
        height=block.drawing.height(WIDE),
    )
