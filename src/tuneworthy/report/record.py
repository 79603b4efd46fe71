"""The decision record: what was decided, why, and when to look at it again."""

from __future__ import annotations

from calendar import monthrange
from datetime import date

from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.record import Unknown
from tuneworthy.domain.sections import CheckResult, FactorResult
from tuneworthy.report.flips import flip_lines
from tuneworthy.report.markdown import md
from tuneworthy.report.precedents.text import others_text
from tuneworthy.report.text import (
    ceiling_text,
    finality,
    headline,
    pays_back_text,
    strength_text,
)
from tuneworthy.report.verdicts import ACTION_WORDS, OUTCOME_WORDS
from tuneworthy.report.words import listing, sentence

REVIEW_AFTER_MONTHS = 3
"""A quarter, the rhythm in which the lesson plans to retrain."""


def record(dossier: Dossier) -> str:
    """The decision record as Markdown."""
    head = [
        f"- Date: {dossier.as_of}",
        "- Status: proposed",
        f"- Framework: {md(dossier.framework.name)} (`{dossier.framework.digest[:12]}`)",
        f"- Case: `{dossier.case.digest[:12]}`",
    ]
    outcome = sentence(OUTCOME_WORDS[dossier.verdict.outcome])
    action = sentence(f"action: {ACTION_WORDS[dossier.verdict.action]}")
    review = months_later(dossier.as_of, REVIEW_AFTER_MONTHS)
    sections = {
        "Context": _context(dossier),
        "Decision": [
            f"{outcome} {action} {finality(dossier)}",
            "",
            f"Next: {md(dossier.verdict.next)}",
        ],
        "Evidence": _evidence(dossier),
        "What would change it": _change(dossier),
        "Review": [f"On {review}, or as soon as one of the answers above changes."],
    }
    blocks = [f"# Decision: {md(headline(dossier))}", "\n".join(head)]
    for title, lines in sections.items():
        blocks += [f"## {title}", "\n".join(lines)]
    return "\n\n".join(blocks) + "\n"


def months_later(day: date, months: int) -> date:
    """The same day some months later, or the last day of that month where it has none such."""
    years, month = divmod(day.month - 1 + months, 12)
    year = min(day.year + years, date.max.year)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _context(dossier: Dossier) -> list[str]:
    lines = [f"- Ceiling: {md(ceiling_text(dossier))}"]
    for kind, label in (("indicator", "Reasons for"), ("anti_indicator", "Reasons against")):
        held = [md(f.title) for f in dossier.factors.values() if (f.kind, f.state) == (kind, "yes")]
        lines.append(f"- {label}: {listing(held) or 'none that is known to hold'}")
    still_open = [md(f.title) for f in dossier.factors.values() if f.state == "unknown"]
    if still_open:
        lines.append(f"- Open: {listing(still_open)}")
    return lines


def _evidence(dossier: Dossier) -> list[str]:
    answers: list[FactorResult | CheckResult] = [
        *dossier.factors.values(),
        *dossier.ceiling.checks.values(),
    ]
    known = [answer.source for answer in answers if answer.state != "unknown"]
    sources = {source: known.count(source) for source in ("stated", "measured", "assumed")}
    lines = [
        (
            f"- {sources['stated']} answers stated, {sources['measured']} measured, "
            f"{sources['assumed']} inferred from stated numbers"
        ),
        f"- Strength: {md(strength_text(dossier))}",
        f"- Pays back: {md(pays_back_text(dossier))}",
    ]
    lines += [f"- Gate {g.id}: {g.state}, {md(g.why)}" for g in dossier.verdict.gates]
    if not isinstance(dossier.precedents, Unknown):
        lines.append(f"- Others: {md(others_text(dossier.precedents))}")
    lines += [f"- {sentence(one.severity)} {md(one.says)}" for one in dossier.challenges]
    return lines


def _change(dossier: Dossier) -> list[str]:
    pairs = flip_lines(dossier)
    lines = [f"- {md(what)}: {outcome}" for what, outcome in pairs]
    return lines or [f"- No set of up to {dossier.flips_searched_to} answers."]
