"""The script that draws charts in a browser: Vega, as the renderer ships it, with a few own lines.

Expressions of a chart are walked and never compiled, so that a page's policy may forbid ``eval``;
nothing is put into the page but drawings: no style, no menu, no address.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from functools import cache
from importlib import metadata
from threading import Lock

from tuneworthy.report.charts.draw import vl_version

# A box names its chart's address; where it can't be drawn, the still picture and the table stay.
_SNIPPET = """
const telephone = matchMedia("(max-width: 44rem)");
const drawn = new WeakMap();
async function draw(box) {
  const width = telephone.matches ? "narrow" : "wide";
  if (drawn.get(box) === width) return;
  drawn.set(box, width);
  try {
    const answer = await fetch(`${box.dataset.chart}?width=${width}`);
    if (!answer.ok) throw new Error(String(answer.status));
    const inside = document.createElement("div");
    await vegaEmbed(inside, await answer.json(), {
      ast: true, renderer: "svg", actions: false, tooltip: false, defaultStyle: false,
      loader: { load: () => Promise.reject(new Error("nothing is loaded")) },
    });
    const picture = inside.querySelector("svg");
    for (const name of ["width", "height"]) picture.removeAttribute(name);
    picture.setAttribute("aria-hidden", "true");
    box.replaceChildren(picture);
    box.dataset.drawn = "yes";
  } catch {
    drawn.delete(box);
    box.dataset.drawn = "no";
    const table = box.closest("figure")?.querySelector("details");
    if (table) table.open = true;
  }
}
async function look() {
  for (const box of document.querySelectorAll("[data-chart]")) await draw(box);
}
telephone.addEventListener("change", look);
document.addEventListener("charts", look);
look();
"""
_BUILD = (
    "import sys, vl_convert;"
    "sys.stdout.buffer.write(vl_convert.javascript_bundle(sys.argv[1], sys.argv[2]).encode())"
)
_LONGEST_S = 120.0

_lock = Lock()
_kept: list[bytes] = []


@cache
def script_digest() -> str:
    """What the script is made of, in short; known before it is made."""
    told = "\0".join((metadata.version("vl-convert-python"), vl_version(), _SNIPPET))
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def chart_script() -> bytes:
    """The script, in UTF-8; made once, in seconds, and kept.

    It is made by a process of its own: the renderer would hold up every thread of this one.

    Raises:
        subprocess.SubprocessError: If it can't be made.
    """
    with _lock:
        if not _kept:
            command = [sys.executable, "-P", "-c", _BUILD, _SNIPPET, vl_version()]
            made = subprocess.run(  # noqa: S603  # our own line, and no text of a user's
                command, check=True, capture_output=True, timeout=_LONGEST_S
            )
            _kept.append(made.stdout)
        return _kept[0]
