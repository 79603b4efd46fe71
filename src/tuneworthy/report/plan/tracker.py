"""The plan as CSV for a tracker."""

from __future__ import annotations

import csv
import io

from tuneworthy.domain.outlook import Plan
from tuneworthy.report.layout import safe

COLUMNS = (
    "id", "title", "start", "end", "hours_low", "hours_high", "usd_low", "usd_high", "needs",
    "done_when",
)  # fmt: skip

_FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What a spreadsheet may take for the beginning of a formula; the last four are full-width."""


def tracker(plan: Plan) -> str:
    """The phases as a table by RFC 4180: a head, then one line for each, ended by CR LF.

    Several needs are parted by blanks. ``open`` in a column of numbers has no upper end. A cell
    that a spreadsheet would take for a formula begins with an apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for phase in plan.phases:
        texts = (cell(phase.id), cell(phase.title), phase.start, phase.end)
        ranges = (phase.hours.low, phase.hours.high, phase.usd.low, phase.usd.high)
        amounts = map(_number, ranges)
        writer.writerow((*texts, *amounts, cell(" ".join(phase.needs)), cell(phase.done_when)))
    return out.getvalue()


def _number(value: float | str) -> str:
    """Two digits behind the point at most, and no exponent."""
    if isinstance(value, str):
        return value
    return f"{value:.2f}".rstrip("0").rstrip(".")


def cell(text: str) -> str:
    """A text no spreadsheet computes."""
    shown = safe(text)
    begins = text.lstrip(" \"'")[:1] or " "
    return f"'{shown}" if begins in _FORMULA else shown
