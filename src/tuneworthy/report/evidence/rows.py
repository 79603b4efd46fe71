"""Measurements as rows, for every form of the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.record import Unknown
from tuneworthy.domain.sections import EvidenceResult
from tuneworthy.report.evidence.values import interval_text, limit_text
from tuneworthy.report.layout import Paint, safe, table, wrapped
from tuneworthy.report.words import count, few, plain, sentence

_MOST_ROWS = 8


class Row(NamedTuple):
    """A measurement in words."""

    title: str
    value: str
    """With its interval and unit, or what would make it known."""
    bears: str
    """What it says about which answer; empty where it bears on none."""
    counted: str
    """How many traces of how many conversations, on which days."""
    method: str
    source: str


_TITLES = {
    "requests_per_month": "requests a month",
    "growth_per_month": "growth a month",
    "input_tokens": "input tokens a request",
    "output_tokens": "output tokens a request",
    "cached_share": "input read from a cache",
    "cacheable_share": "input that caching could take",
    "usd_per_month": "bill a month",
    "usd_per_request": "cost of a request",
    "latency_p50_s": "latency, median",
    "latency_p95_s": "latency, 95th percentile",
    "success_share": "right answers",
    "retrieval_recall": "passage retrieved",
    "usable_examples": "usable examples",
    "models_seen": "models seen",
    "distinct_prompts": "prompts that differ",
}

_ANSWERS = {
    "requests_per_month": "low_volume",
    "usable_examples": "insufficient_data",
    "success_share": "success_with_prompts",
}
"""Answers that are settled through a number of the case file."""


def evidence_rows(dossier: Dossier, found: Sequence[EvidenceResult]) -> tuple[Row, ...]:
    """Measurements as rows, those that settle an answer first, unknown ones last."""
    order = sorted(found, key=lambda one: (isinstance(one.value, Unknown), one.says == "unknown"))
    return tuple(_row(one, dossier) for one in order)


def _row(one: EvidenceResult, dossier: Dossier) -> Row:
    value = (
        f"unknown: {one.value.ask}"
        if isinstance(one.value, Unknown)
        else interval_text(one.value, one.low, one.high, one.unit)
    )
    title = sentence(_TITLES.get(one.id, one.title))[:-1]
    return Row(title, value, _bears(one, dossier), _counted(one), one.method, one.source)


def _bears(one: EvidenceResult, dossier: Dossier) -> str:
    if not one.factor or isinstance(one.value, Unknown):
        return ""
    about = _ANSWERS.get(one.id, one.factor)
    name = plain(about)
    if isinstance(one.limit, Unknown):
        answer = dossier.factors.get(about) or dossier.ceiling.checks.get(about)
        settled = answer is not None and answer.source == "measured"
        return f"{name} is {answer.state}" if settled and answer is not None else ""
    line = limit_text(one.limit, one.unit)
    if one.says == "unknown":
        return f"{name} stays open (line {line})"
    if one.role == "supports":
        return f"speaks {'for' if one.says == 'yes' else 'against'} {name} (line {line})"
    return f"{name} is {one.says} (line {line})"


def _counted(one: EvidenceResult) -> str:
    parts = []
    if one.n:
        parts.append(f"{count(one.n)} of {count(one.clusters)}" if one.clusters else count(one.n))
    if one.sample == "sampled":
        parts.append("a sample")
    if not isinstance(one.observed_on, Unknown):
        days = {str(one.since), str(one.observed_on)} - {""}
        parts.append(
            str(one.observed_on)
            if isinstance(one.since, Unknown) or len(days) == 1
            else f"{one.since} to {one.observed_on}"
        )
    return ", ".join(parts)


def measured_text(dossier: Dossier, paint: Paint) -> list[str]:
    """The block of the terminal's report: what was measured and bears on an answer.

    Returns:
        Lines; none where nothing was measured.
    """
    if isinstance(dossier.evidence, Unknown):
        return []
    told = [one for one in dossier.evidence if not isinstance(one.value, Unknown)]
    bearing = [one for one in told if one.factor]
    shown = evidence_rows(dossier, bearing)[:_MOST_ROWS]
    rows = [(safe(row.title), safe(row.value), safe(row.bears)) for row in shown]
    lines = [paint("strong", "Measured"), *table(rows)]
    if len(dossier.evidence) > len(shown):
        lines += wrapped(
            f"{few(len(dossier.evidence) - len(shown))} more, with methods and what couldn't be "
            "measured: --format markdown",
            first="  ",
        )
    return lines
