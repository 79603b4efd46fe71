"""What a run would cost, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tuneworthy.calls.ledger import Ledger
from tuneworthy.calls.money import most_usd
from tuneworthy.calls.run import Job, PriceOf
from tuneworthy.domain.calls import Quote, Request
from tuneworthy.domain.prices import Price


def quote(jobs: Iterable[Job], ledger: Ledger | None, price_of: PriceOf) -> Quote:
    """What some calls would cost; nothing is sent and nothing put aside.

    Args:
        jobs: The calls; equal ones count once.
        ledger: What was paid for before; None for a case without a ledger.
        price_of: The price of a request.

    Returns:
        Calls that were answered cost nothing more and count as reused. One in doubt is never sent
        again and counts as neither. A request that is refused, for want of a price or of a bound
        on its output, adds no money; its model stands in ``unpriced``.
    """
    new, reused = _sorted(jobs, ledger)
    written: dict[str, float | None] = {}
    unpriced: dict[str, None] = {}
    most = likely = 0.0
    calls = 0
    for request in new:
        price = price_of(request)
        bound = None if price is None else most_usd(request, price)
        if price is None or bound is None:
            unpriced[request.model] = None
            continue
        if request.model not in written:
            told = ledger.output_tokens(request.model) if ledger is not None else None
            written[request.model] = told
        calls, most = calls + 1, most + bound
        likely += _likely(request, price, bound, written[request.model])
    return Quote(
        calls=calls, reused=reused, usd_most=most, usd_likely=likely, unpriced=tuple(unpriced)
    )


def total(parts: Sequence[Quote]) -> Quote:
    """Quotes for different calls as one."""
    return Quote(
        calls=sum(one.calls for one in parts),
        reused=sum(one.reused for one in parts),
        usd_most=sum(one.usd_most for one in parts),
        usd_likely=sum(one.usd_likely for one in parts),
        unpriced=tuple(dict.fromkeys(name for one in parts for name in one.unpriced)),
    )


def _sorted(jobs: Iterable[Job], ledger: Ledger | None) -> tuple[list[Request], int]:
    """Requests that would be sent, and how many were answered before."""
    new: list[Request] = []
    seen: set[str] = set()
    reused = 0
    for job in jobs:
        if (key := job.key) in seen:
            continue
        seen.add(key)
        found = ledger.find(key) if ledger is not None else None
        if found is None:
            new.append(job.request)
        elif found.status == "settled":
            reused += 1
    return new, reused


def _likely(request: Request, price: Price, most: float, written: float | None) -> float:
    """The most, with an output as long as those so far, or half as long as it may be."""
    longest = price.context_tokens if request.max_tokens is None else request.max_tokens
    if longest is None:
        return most
    expected = longest / 2 if written is None else min(written, longest)
    return max(0.0, most - (longest - expected) * price.output / 1e6)
