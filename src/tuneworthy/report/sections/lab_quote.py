"""What a lab would take before it starts, and how far it is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from tuneworthy.llm.endpoints import STATE_PRICE
from tuneworthy.model.base import json_text
from tuneworthy.model.lab import (
    Arm,
    JudgePlan,
    Quote,
    Stand,
)
from tuneworthy.report import blocks as b
from tuneworthy.report.sections.lab import MOST_ARMS, share_text, spent_rows
from tuneworthy.words import (
    count,
    counted,
    few,
    listing,
    several,
    share,
    small_usd,
)

_MOST_QUOTED = 12


def quote_dict(
    arms: Sequence[Arm],
    select: int,
    report: int,
    quote: Quote,
    proposing: Mapping[str, object] | None = None,
    general: int = 0,
    judge: JudgePlan | None = None,
    hosts: Sequence[str] = (),
    proxies: Sequence[str] = (),
    unconfirmed: Sequence[str] = (),
) -> str:
    """The plan and its price as JSON, with the arms that are known before a search.

    ``hosts`` are those other than the vendors' own, ``unconfirmed`` names the hosts that nobody
    confirmed, and calls go through ``proxies``.
    """
    judged = judge and judge.model_dump(mode="json")
    more = {
        "proposing": proposing,
        "general": general,
        "judge": judged,
        "hosts": hosts,
        "proxies": proxies,
        "unconfirmed": unconfirmed,
    }
    plan: dict[str, object] = {
        "schema": "tuneworthy/quote/1",
        "arms": [arm.model_dump(mode="json") for arm in arms],
        "select": select,
        "report": report,
    }
    plan.update(quote.model_dump(mode="json"))
    plan.update({name: value for name, value in more.items() if value})
    return json_text(plan)


def quote_blocks(
    arms: Sequence[Arm],
    select: int,
    report: int,
    quote: Quote,
    *,
    more: Iterable[tuple[str, str]],
) -> tuple[b.Block, ...]:
    """The plan and its price: cases, calls, price, further rows, and the arms."""
    price = "nothing"
    if quote.usd_most > 0:
        price = (
            f"about {small_usd(quote.usd_likely)}, {small_usd(quote.usd_most)} at most"
        )
    if quote.unpriced:
        beside = f". Everything else: {price}" if quote.usd_most > 0 else ""
        price = f"not known for {listing(quote.unpriced)}, so nothing is sent: {STATE_PRICE}{beside}"
    rows = [
        ("Cases", f"{count(select)} selection cases, {count(report)} held-out cases"),
        (
            "Calls",
            f"at most {count(quote.calls)}, {counted(quote.reused, 'answer')} kept from before",
        ),
        ("Price", price),
    ]
    names = [f"{arm.id} ({arm.kind})" for arm in arms[:_MOST_QUOTED]]
    rest = len(arms) - _MOST_QUOTED
    if rest > 0:
        names.append(f"and {few(rest)} more")
    title = several(len(arms), "arm").capitalize()
    folds = [b.fold(title, b.bullets(names))] if arms else []
    return b.facts([*rows, *more]), *folds


def quote_document(
    arms: Sequence[Arm],
    select: int,
    report: int,
    quote: Quote,
    *,
    cap_usd: float | None,
    more: Sequence[tuple[str, str]] = (),
) -> b.Document:
    """The plan of a lab and its price."""
    rows = list(more)
    if cap_usd is not None and not quote.unpriced:  # else no budget is enough
        rows.append(("Budget", budget(cap_usd, quote)))
    section = b.section(
        "quote", "", quote_blocks(arms, select, report, quote, more=rows)
    )
    return b.Document("", "What the lab would do and cost (a quote)", [section])


def general_row(tasks: int) -> tuple[str, str]:
    return "In general", f"{count(tasks)} general tasks for each of the two models"


def proposals_row(draws: int, model: str, shown: int) -> tuple[str, str]:
    text = (
        f"for better prompts, at most {counted(draws, 'draw')}, written by {model}, on "
    )
    text += f"{counted(shown, 'more case')} used for nothing else"
    return "Search", f"{text}. It has a cap of its own (--search-budget)"


def budget(cap_usd: float, quote: Quote) -> str:
    """The budget in words, with the amount that would be enough."""
    if quote.usd_most <= 0:
        return f"{small_usd(cap_usd)} is enough"
    enough = max(0.01, math.ceil(100 * (quote.usd_spent + quote.usd_most)) / 100)
    if cap_usd <= 0:
        if quote.usd_spent:
            before = f", {small_usd(quote.usd_spent)} of it is spent"
        else:
            before = ""
        return f"none: give one, as --budget {enough:.2f}{before}"
    more = f". For all of it: --budget {enough:.2f}" if enough > cap_usd else ""
    return f"{small_usd(cap_usd)}: nothing is sent that could pass it{more}"


def left_s(stand: Stand, passed_s: float) -> float | None:
    """Seconds to go at the pace so far, if no further arm is dropped; None before 1% is done."""
    if not stand.done or stand.done < stand.of / 100:
        return None
    return passed_s * (stand.of - stand.done) / stand.done


def duration(seconds: float) -> str:
    """A time in the unit that fits: ``40 s``, ``3 min``, ``2 h``."""
    for limit, unit, length in ((100, "s", 1), (100 * 60, "min", 60)):
        if seconds < limit:
            return f"{count(round(seconds / length))} {unit}"
    return f"{count(round(seconds / 3600))} h"


def progress_blocks(stand: Stand, passed_s: float) -> tuple[b.Block, ...]:
    """The state of a running lab, and the arms so far."""
    done = share(stand.done / stand.of) if stand.of else "nothing to ask"
    left = left_s(stand, passed_s)
    to_go = "" if left is None else f", about {duration(left)} to go"
    rows = [("Waiting", stand.waiting)] if stand.waiting else []
    answered = f"{count(stand.done)} of at most {counted(stand.of, 'call')} ({done})"
    rows.append(("Answered", answered))
    ahead = f"{share_text(stand.quality)} {stand.arm}" if stand.arm else "–"
    rows.append(("Ahead", ahead))
    rows.append(("In the race", counted(stand.running, "arm")))
    rows += spent_rows(stand.spend)
    rows.append(("Time", f"{duration(passed_s)} so far{to_go}"))
    if not stand.board:
        says = "The leaderboard comes with the first round."
        return b.facts(rows), b.Prose(says, "small")
    board = []
    for row in stand.board[:MOST_ARMS]:
        state = "in the race" if row.running else "left behind"
        board.append((row.arm, share_text(row.quality), state))
    title = "Arms so far, on the cases for selecting"
    return b.facts(rows), b.table(title, "Arm | #Quality | State", board)
