"""A case in one line, for lists of many."""

from __future__ import annotations

from dataclasses import dataclass

from tuneworthy.domain.decision import Verdict
from tuneworthy.domain.dossier import Dossier
from tuneworthy.report.layout import safe
from tuneworthy.report.plain import open_answers, plain_headline, possible
from tuneworthy.report.text import pays_back_text
from tuneworthy.report.words import counted, sentence, several


@dataclass(frozen=True, slots=True)
class Glance:
    """What one line of a list says."""

    title: str
    """The case's own name."""
    outcome: Verdict
    says: str
    """The verdict as a sentence."""
    final: bool
    open: str
    """What is open, and where the verdict can still go."""
    pays_back: str
    next: str


def glance(dossier: Dossier) -> Glance:
    """The line for a dossier."""
    return Glance(
        title=safe(dossier.case.name),
        outcome=dossier.verdict.outcome,
        says=plain_headline(dossier),
        final=dossier.verdict.final,
        open=_open(dossier),
        pays_back=sentence(pays_back_text(dossier).partition("; ")[0]),
        next=dossier.verdict.next,
    )


def _open(dossier: Dossier) -> str:
    many = open_answers(dossier)
    if not many:
        return "Nothing: every answer is in."
    said = sentence(several(many, "answer"))[:-1]
    if dossier.verdict.final:
        return f"{said}; none can change the verdict."
    return f"{said}. Still possible: {possible(dossier)}."


def how_many(total: int, matching: int) -> str:
    """How many cases there are, and how many of them a filter leaves."""
    said = counted(total, "case")
    return said if total == matching else f"{matching} of {said}"
