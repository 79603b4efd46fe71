"""What a lab would do and cost, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tuneworthy.domain.calls import Quote
from tuneworthy.domain.canonical import json_text
from tuneworthy.domain.judging import JudgePlan
from tuneworthy.domain.lab import Arm
from tuneworthy.report.lab.words import labelled
from tuneworthy.report.layout import Paint, safe, table, wrapped
from tuneworthy.report.words import count, few, listing, several, small_usd

_MOST_ARMS = 12


def quote_dict(
    arms: Sequence[Arm], select: int, report: int, told: Quote,
    proposing: Mapping[str, object] | None = None, general: int = 0,
    judge: JudgePlan | None = None,
) -> str:  # fmt: skip
    """The plan and its price as JSON; its arms are those that are known already."""
    return json_text(
        {
            "schema": "tuneworthy/quote/1",
            "arms": [arm.model_dump(mode="json") for arm in arms],
            "select": select,
            "report": report,
            **told.model_dump(mode="json"),
            **({"proposing": dict(proposing)} if proposing else {}),
            **({"general": general} if general else {}),
            **({"judge": judge.model_dump(mode="json")} if judge else {}),
        }
    )


def quote_rows(select: int, report: int, told: Quote) -> tuple[tuple[str, str], ...]:
    """The plan and its price as rows: cases, calls, price, and models without one."""
    likely, most = small_usd(told.usd_likely), small_usd(told.usd_most)
    found = [
        ("Cases", f"{count(select)} to select on, {count(report)} to report on"),
        ("Calls", f"at most {count(told.calls)}; {count(told.reused)} answers are there already"),
        ("Price", "nothing" if told.usd_most == 0 else f"about {likely}, {most} at most"),
    ]
    if told.unpriced:
        names = listing([safe(name) for name in told.unpriced])
        found.append(("No price", f"{names}: state usd_per_mtok under models; 0 is a price. "
                      "Until then nothing is sent"))  # fmt: skip
    return tuple(found)


def general_row(tasks: int) -> tuple[str, str]:
    """The general tasks of a verification."""
    return "In general", f"{count(tasks)} general tasks for each of the two models"


def quote_page(
    arms: Sequence[Arm], select: int, report: int, told: Quote, *,
    cap_usd: float | None, published: Sequence[str] = (),
    more: Sequence[tuple[str, str]] = (), colour: bool = False,
) -> str:  # fmt: skip
    """The plan and its price for a terminal."""
    rows = [(safe(arm.id), arm.kind) for arm in arms[:_MOST_ARMS]]
    lines = [Paint(colour)("strong", several(len(arms), "arm").capitalize()), *table(rows)]
    if len(arms) > _MOST_ARMS:
        lines.append(f"  and {few(len(arms) - _MOST_ARMS)} more")
    if published:
        names = listing([safe(name) for name in published[:_MOST_ARMS]])
        lines += wrapped(f"Shown beside them as published, and not called: {names}", first="  ")
    lines.append("")
    for name, said in (*more, *quote_rows(select, report, told)):
        lines += labelled(name, said)
    if cap_usd is not None:
        lines += labelled("Budget", _budget(cap_usd, told))
    return "\n".join(lines) + "\n"


def _budget(cap_usd: float, told: Quote) -> str:
    if told.usd_most <= 0:
        return f"{small_usd(cap_usd)} is enough"
    if cap_usd <= 0:
        return f"none: give one, as --budget {max(0.01, round(told.usd_most + 0.005, 2)):.2f}"
    return f"{small_usd(cap_usd)}: nothing is sent that could pass it"
