"""The rows of the five-minute page."""

from __future__ import annotations

from collections.abc import Iterator

from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.evidence import Evidence, Measured, Series
from tuneworthy.domain.record import Unknown
from tuneworthy.report.evidence.values import interval_text
from tuneworthy.report.layout import safe
from tuneworthy.report.words import count, few, listing, quality, share, usd


def quick_rows(measured: Measured, dossier: Dossier) -> list[tuple[str, str]]:
    """Label and text of each row: what is best, the bill, caching, the ceiling, what decides."""
    found = {one.id: one for one in measured.evidence if one.known}
    asks = {one.id: one.value.ask for one in measured.evidence if isinstance(one.value, Unknown)}
    arms = next((s for s in measured.series if s.id == "arms"), None)
    return [
        *_arms(arms, found, asks),
        ("The bill", _bill(found, asks)),
        ("Caching", _caching(found, asks)),
        ("The ceiling", _ceiling(dossier)),
        ("What decides", _decides(found, dossier)),
    ]


def _arms(
    arms: Series | None, found: dict[str, Evidence], asks: dict[str, str]
) -> Iterator[tuple[str, str]]:
    """The best arm, the next, and whether they can be told apart."""
    if arms is None or not arms.columns.get("value"):
        one = found.get("success_share")
        if one is not None:
            yield "Success", interval_text(one.value, one.low, one.high, one.unit)
        else:
            ask = asks.get("success_share") or asks.get("best_arm_share", "label some outputs")
            yield "Success", f"unknown: {ask}"
        return
    yield "Best so far", _arm(arms, 0)
    if len(arms.columns["value"]) > 1:
        lead = found.get("best_arm_lead")
        yield "Next best", _arm(arms, 1)
        yield "", _apart(lead, asks)


def _arm(arms: Series, place: int) -> str:
    names = {name: values[place] for name, values in arms.columns.items()}
    prompt = f'prompt "{safe(str(names["prompt"]))}"' if names.get("prompt") else ""
    model = f"on {safe(str(names['model']))}" if names.get("model") else ""
    low, high = float(names["low_of_all"]), float(names["high_of_all"])
    called = " ".join(part for part in (prompt, model) if part) or "the only one"
    return f"{called}: {quality(float(names['value']))} ({quality(low)}–{quality(high)})"


def _apart(lead: Evidence | None, asks: dict[str, str]) -> str:
    if lead is None:
        return asks.get("best_arm_lead", "not told apart")
    if lead.details.get("told_apart") == "yes":
        return "told apart: the interval of the difference lies above zero"
    needed = lead.details.get("cases_needed")
    if not isinstance(needed, int | float):
        return "not told apart: no number of cases would tell, as they stand"
    more = max(0, int(needed) - lead.n)
    return f"not told apart: about {count(more)} more paired cases would be needed"


def _bill(found: dict[str, Evidence], asks: dict[str, str]) -> str:
    one = found.get("usd_per_request")
    if one is None:
        return f"unknown: {asks.get('usd_per_request', 'log what a call costs')}"
    value = one.number
    said = f"{usd(value) if value >= 0.01 else f'${value:.4f}'} a call"
    month = found.get("usd_per_month")
    if month is not None:
        bill = month.number
        return f"{said}, {usd(bill)} a month; no tuning can save more than that"
    return (
        f"{said}; at 10,000 calls a month {usd(value * 10_000)}. No tuning can save more than the "
        "whole bill"
    )


def _caching(found: dict[str, Evidence], asks: dict[str, str]) -> str:
    one = found.get("cacheable_share")
    if one is None:
        return f"unknown: {asks.get('cacheable_share', 'log messages with a timestamp')}"
    told = interval_text(one.value, one.low, one.high, "share of input tokens")
    taken = found.get("cached_share")
    now = f", {share(taken.number)} is today" if taken is not None else ""
    return f"{told} could be read from a cache{now}"


def _ceiling(dossier: Dossier) -> str:
    """How many checks are answered, and with which counts."""
    checks = dossier.ceiling.checks
    answered = [one for one in checks.values() if one.state != "unknown"]
    reached = {"yes": "Reached", "no": "Not reached", "unknown": "Open"}[dossier.ceiling.reached]
    counts = [f"{safe(one.title)} {one.value} ({one.state})" for one in answered]
    beside = f": {listing(counts)}" if counts else ""
    return f"{few(len(answered))} of {len(checks)} checks answered by this{beside}. {reached}"


def _decides(found: dict[str, Evidence], dossier: Dossier) -> str:
    """The one answer that would change the verdict."""
    best = found.get("best_arm_share") or found.get("success_share")
    met = dossier.factors.get("success_with_prompts")
    if best is not None and met is not None and met.state == "unknown":
        low, high = float(best.low or 0), best.high
        top = quality(float(high)) if isinstance(high, int | float) else "1"
        return (
            f"What share right is good enough? A target up to {quality(low)} is met already and "
            f"keeps the prompt; one above {top} is missed; between them more cases decide "
            "(targets.quality.at_least)"
        )
    if dossier.next_questions:
        return safe(dossier.next_questions[0].ask)
    return safe(dossier.verdict.next)
