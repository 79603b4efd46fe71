"""What a lab would do and cost, before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence

from tuneworthy.domain.calls import Quote
from tuneworthy.domain.canonical import json_text
from tuneworthy.domain.lab import Arm
from tuneworthy.report.lab.words import labelled
from tuneworthy.report.layout import Paint, safe, table
from tuneworthy.report.words import count, few, listing, several, small_usd

_MOST_ARMS = 12


def quote_dict(arms: Sequence[Arm], select: int, report: int, told: Quote) -> str:
    """The plan and its price as JSON."""
    return json_text(
        {
            "schema": "tuneworthy/quote/1",
            "arms": [arm.model_dump(mode="json") for arm in arms],
            "select": select,
            "report": report,
            **told.model_dump(mode="json"),
        }
    )


def quote_page(
    arms: Sequence[Arm], select: int, report: int, told: Quote, *,
    cap_usd: float | None, colour: bool = False,
) -> str:  # fmt: skip
    """The plan and its price for a terminal."""
    rows = [(safe(arm.id), arm.kind) for arm in arms[:_MOST_ARMS]]
    lines = [Paint(colour)("strong", several(len(arms), "arm").capitalize()), *table(rows)]
    if len(arms) > _MOST_ARMS:
        lines.append(f"  and {few(len(arms) - _MOST_ARMS)} more")
    lines += ["", *labelled("Cases", f"{count(select)} to select on, {count(report)} to report on")]
    lines += labelled("Calls", f"at most {count(told.calls)}; {count(told.reused)} answers are "
                      "there already")  # fmt: skip
    likely, most = small_usd(told.usd_likely), small_usd(told.usd_most)
    priced = "nothing" if told.usd_most == 0 else f"about {likely}, {most} at most"
    lines += labelled("Price", priced)
    if told.unpriced:
        names = listing([safe(name) for name in told.unpriced])
        lines += labelled("No price", f"{names}: state usd_per_mtok under models; 0 is a price. "
                          "Until then nothing is sent")  # fmt: skip
    if cap_usd is not None:
        lines += labelled("Budget", _budget(cap_usd, told))
    return "\n".join(lines) + "\n"


def _budget(cap_usd: float, told: Quote) -> str:
    if told.usd_most <= 0:
        return f"{small_usd(cap_usd)} is enough"
    if cap_usd <= 0:
        return f"none: give one, as --budget {max(0.01, round(told.usd_most + 0.005, 2)):.2f}"
    return f"{small_usd(cap_usd)}: nothing is sent that could pass it"
