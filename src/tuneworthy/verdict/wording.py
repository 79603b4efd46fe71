"""Findings as clauses: the finding, its numbers, the consequence."""

from __future__ import annotations

from tuneworthy.ways.chances import chance_word
from tuneworthy.ways.table import WayTable
from tuneworthy.ways.way import KnownNumber, Way
from tuneworthy.words import capital, count, few, number, quality, quality_interval, usd

_MOST_NAMED = 2


def say_quality(known: KnownNumber) -> str:
    """A share, with its interval if it has one."""
    if known.low == known.high:
        return quality(known.value)
    return quality_interval(known.value, known.low, known.high)


def say_figures(way: Way) -> str:
    """Figures of a way, such as ``0.95 (0.94–0.96) right, 4.1 s, $3,813 per month``."""
    parts: list[str] = []
    right = way.figures.get("quality")
    if right is not None:
        parts.append(f"{say_quality(right)} right")
    seconds = way.figures.get("latency_p95_s")
    if seconds is not None:
        parts.append(f"{number(seconds.value)} s")
    bill = way.figures.get("usd_per_month")
    if bill is not None:
        parts.append(f"{usd(bill.value)} per month")
    return ", ".join(parts)


def say_met(table: WayTable, way: Way) -> str:
    """Say that a way is enough, with its figures."""
    who = "what runs today" if way.kind == "now" else way.title
    figures = say_figures(way)
    if table.criterion.admits(way) == "met":
        already = "" if way.kind == "now" else "already "
        return f"{who} {already}meets every target: {figures}"
    wanted = quality(table.criterion.limits["quality"])
    return f"{who} is at its target as far as can be told: {figures}, and {wanted} is wanted"


def say_simpler(table: WayTable, *, fair: bool) -> str:
    """Say which simpler ways are untried, and how likely they are enough.

    ``fair`` is whether they have a fair chance; without one, tuning has hardly any either.
    """
    able = [way for way in table.to_try if chance_word(table.chance(way)) != "unlikely"]
    titles = list[str]()
    for way in able or table.to_try:
        if way.title not in titles:
            titles.append(way.title)
    named = ", then ".join(titles[:_MOST_NAMED])
    if not fair and able:
        return f"tuning is unlikely to be enough, so try {named}"
    if not fair:
        return f"neither tuning nor anything simpler is likely to be enough. First to try: {named}"
    word = _HOW_LIKELY.get(chance_word(table.simpler), "hardly")
    what = "something simpler is"
    if not able and len(titles) > 1:  # none is enough alone
        what = "simpler ways together are"
    return f"{what} {word} enough: {named}"


_HOW_LIKELY = {"likely": "likely", "possible": "possibly"}


def say_pilot(table: WayTable, data_there: str) -> str:
    """Say the results of untuned ways, and what a pilot would show."""
    wanted = table.criterion.limits.get("quality")
    best = table.gap.quality
    missed = table.gap.missed
    if "quality" not in missed or wanted is None or best is None:
        names = table.criterion.name_targets(missed)
        verb = "is" if len(missed) == 1 else "are"
        return f"{names} {verb} missed, and no simpler way has a fair chance. {capital(data_there)}"
    who = _name_best_untuned(table, best)
    gap = f"{who} is {quality(best.value)} right, and {quality(wanted)} is wanted"
    ceiling = _CEILING.get(table.gap.facts.ceiling_grade, "")
    return f"{gap}{ceiling}. {capital(data_there)}"


def _name_best_untuned(table: WayTable, best: KnownNumber) -> str:
    """Name the untuned way whose quality the gap is reckoned from."""
    scored = [way for way in table.gap.tried if not way.tuned and way.lapses is None]
    if len(scored) > 1:
        if best.value < max(way.figures["quality"].value for way in scored):
            return "the best untuned way that misses no other target"
        return f"the best of {few(len(scored))} untuned ways"
    if scored and scored[0].kind != "now":
        return scored[0].title
    return "what runs today"


_CEILING = {
    "claimed": ". Prompting is said to be at its limit, which nobody measured",
    "tried": ". The ceiling of its prompts was tried, not searched",
    "searched": ". A search found no prompt that closes the gap",
}
"""How well the ceiling is known, as the end of a sentence."""


def say_too_few(known: KnownNumber, wanted: float, who: str = "") -> str:
    """Say that a share rests on too few cases to settle it."""
    cases = known.cases or 0
    of = f"{count(known.value * cases)} of {count(cases)} right"
    subject = f"{who}: {of}" if who else of
    low = quality(known.low)
    high = quality(known.high)
    return (
        f"{subject} is anything from {low} to {high}, and {quality(wanted)} is wanted"
    )
