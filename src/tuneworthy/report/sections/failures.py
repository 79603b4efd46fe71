"""What goes wrong: the causes of failures, with what can help."""

from __future__ import annotations

from tuneworthy.model.base import Unknown
from tuneworthy.model.dossier import Dossier, FailureResult
from tuneworthy.report import blocks as b
from tuneworthy.words import count, counted, listing, quality, share

_TITLE = "What goes wrong"


def section(dossier: Dossier) -> b.Section | None:
    """The causes with their shares; None where nobody says what goes wrong."""
    failures = dossier.failures
    if not failures:
        return None
    return b.section("failures", _TITLE, _basis(dossier), _table(failures), _bound(dossier))


def _basis(dossier: Dossier) -> str:
    """What the shares rest on."""
    first = dossier.failures[0]
    if isinstance(first.share, Unknown):
        return f"{first.title} goes wrong most, as stated; nobody counted.".capitalize()
    total = counted(sum(failure.n for failure in dossier.failures), "failure")
    if first.grade == "stated":
        return f"{total}, their causes as stated."
    return f"{total} of {_way(dossier)}, each given its cause by people."


def _way(dossier: Dossier) -> str:
    if isinstance(dossier.evidence, Unknown):
        return "what runs today"
    sources = (each.source for each in dossier.evidence if each.id == "failure_causes")
    return next(sources, "") or "what runs today"


def _table(failures: tuple[FailureResult, ...]) -> b.Table | None:
    if isinstance(failures[0].share, Unknown):
        return None
    rows = []
    for failure in failures:
        part = "" if isinstance(failure.share, Unknown) else share(failure.share)
        ends = f"{share(failure.low).removesuffix('%')}–{share(failure.high)}"
        rows.append((failure.title, count(failure.n), f"{part} ({ends})", failure.says))
    return b.table(
        "Causes of failures", "Cause | #Failures | #Share | What helps", rows, quiet=True
    )


def _bound(dossier: Dossier) -> str:
    """How far the end of the commonest cause could bring it, and what is wanted."""
    target = dossier.targets.get("quality")
    for failure in dossier.failures:
        best = failure.quality_at_most
        if not isinstance(best, float | int):
            continue
        text = f"Without any “{failure.title}” quality would come to {quality(best)} at most"
        if target is not None and isinstance(target.limit, float | int):
            text += f"; {quality(target.limit)} is wanted"
        return f"{text}."
    return ""
