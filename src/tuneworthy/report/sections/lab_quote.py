"""What a lab would take before it starts, and how far it is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from tuneworthy.llm.prices import STATE_PRICE
from tuneworthy.model.base import json_text
from tuneworthy.model.lab import (
    Arm,
    JudgePlan,
    Quote,
    Stand,
)
from tuneworthy.report import blocks as b
from tuneworthy.words import (
    count,
    counted,
    few,
    listing,
    several,
    small_usd,
)

_MOST_QUOTED = 12  #: Arms that a quote names.


def quote_json(
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
    plan: dict[str, object] = {
        "schema": "tuneworthy/quote/1",
        "arms": [arm.model_dump(mode="json") for arm in arms],
        "select": select,
        "report": report,
        **quote.model_dump(mode="json"),
    }
    where_any = {
        "proposing": proposing,
        "general": general,
        "judge": None if judge is None else judge.model_dump(mode="json"),
        "hosts": hosts,
        "proxies": proxies,
        "unconfirmed": unconfirmed,
    }
    plan |= {name: value for name, value in where_any.items() if value}
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
    rows = [
        ("Cases", f"{count(select)} selection cases, {count(report)} held-out cases"),
        (
            "Calls",
            f"at most {count(quote.calls)}, {counted(quote.reused, 'answer')} kept from before",
        ),
        ("Price", _price_text(quote)),
        *more,
    ]
    if not arms:
        return (b.facts(rows),)
    names = [f"{arm.id} ({arm.kind})" for arm in arms[:_MOST_QUOTED]]
    left_out = len(arms) - _MOST_QUOTED
    if left_out > 0:
        names.append(f"and {few(left_out)} more")
    title = several(len(arms), "arm").capitalize()
    return b.facts(rows), b.fold(title, b.bullets(names))


def _price_text(quote: Quote) -> str:
    """The price, likely and at most; or the arms whose price nobody knows."""
    price = "nothing"
    if quote.usd_most > 0:
        price = (
            f"about {small_usd(quote.usd_likely)}, {small_usd(quote.usd_most)} at most"
        )
    if not quote.unpriced:
        return price
    text = f"not known for {listing(quote.unpriced)}, so nothing is sent: {STATE_PRICE}"
    if quote.usd_most > 0:
        text += f". Everything else: {price}"
    return text


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
    """The row about a search for better prompts; ``shown`` is the number of cases it learns from."""
    return "Search", (
        f"for better prompts, at most {counted(draws, 'draw')}, written by {model}, on "
        f"{counted(shown, 'more case')} used for nothing else. It has a cap of its own "
        "(--search-budget)"
    )


def budget(cap_usd: float, quote: Quote) -> str:
    """The budget in words, with the amount that would be enough."""
    if quote.usd_most <= 0:
        return f"{small_usd(cap_usd)} is enough"
    whole_usd = quote.usd_spent + quote.usd_most
    # a budget is given in cents, and rounded down it would be too small
    enough = max(0.01, math.ceil(100 * whole_usd) / 100)
    if cap_usd <= 0:
        text = f"none: give one, as --budget {enough:.2f}"
        if quote.usd_spent:
            text += f", {small_usd(quote.usd_spent)} of it is spent"
        return text
    text = f"{small_usd(cap_usd)}: nothing is sent that could pass it"
    if enough > cap_usd:
        text += f". For all of it: --budget {enough:.2f}"
    return text


def left_s(stand: Stand, passed_s: float) -> float | None:
    """Seconds to go at the pace so far, if no further arm is dropped; None before 1% is done."""
    if not stand.done or stand.done < stand.of / 100:
        return None
    return passed_s * (stand.of - stand.done) / stand.done


def duration(seconds: float) -> str:
    """A time in the unit that fits: ``40 s``, ``3 min``, ``2 h``."""
    if seconds < 100:
        return f"{count(round(seconds))} s"
    minutes = seconds / 60
    if minutes < 100:
        return f"{count(round(minutes))} min"
    return f"{count(round(minutes / 60))} h"
