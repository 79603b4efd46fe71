"""The causes of failures, with the ways that can help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tuneworthy.errors import argument
from tuneworthy.model.base import Unknown
from tuneworthy.model.dossier import Dossier, FailureResult
from tuneworthy.model.evalset import SaidCauses
from tuneworthy.report import blocks as b
from tuneworthy.words import capital, count, counted, quality, sentence, share

_TITLE = "What goes wrong"


def section(dossier: Dossier) -> b.Section | None:
    """The causes with their shares; None where nobody stated or counted causes."""
    failures = dossier.failures
    if not failures:
        return None
    return b.section(
        "failures", _TITLE, _basis(dossier), _table(failures), _bound(dossier)
    )


def _basis(dossier: Dossier) -> str:
    """Say how the shares are known: the team says so, stated them, or people labelled failures."""
    most_frequent, *_ = dossier.failures
    if isinstance(most_frequent.share, Unknown):
        return f"{capital(most_frequent.title)} goes wrong most, the team says. Nobody counted it."
    total = counted(sum(failure.n for failure in dossier.failures), "failure")
    # all causes are known in the same way
    if most_frequent.grade == "stated":
        return f"{total}, with causes that the team stated."
    return f"{total} of {_failing_way(dossier)}, each given its cause by people."


def _failing_way(dossier: Dossier) -> str:
    """The way whose failures people labelled; what runs today where no measurement names it."""
    if not isinstance(dossier.evidence, Unknown):
        for result in dossier.evidence:
            if result.id == "failure_causes" and result.source:
                return result.source
    return "what runs today"


def _table(failures: tuple[FailureResult, ...]) -> b.Table | None:
    """The table of causes; None where the causes weren't counted."""
    rows = []
    for failure in failures:
        if isinstance(failure.share, Unknown):  # all causes are known in the same way
            return None
        low = share(failure.low).removesuffix("%")  # one sign for both ends
        interval = f"{share(failure.share)} ({low}–{share(failure.high)})"
        rows.append((failure.title, count(failure.n), interval, failure.says))
    return b.table(
        "Causes of failures",
        "Cause | #Failures | #Share | What helps",
        rows,
        quiet=True,
    )


def _bound(dossier: Dossier) -> str:
    """How much quality can rise if the most frequent cause is removed, and the target."""
    target = dossier.targets.get("quality")
    for failure in dossier.failures:  # the most frequent first
        best = failure.quality_at_most
        if not isinstance(best, float | int):
            continue
        text = f"Without any “{failure.title}” quality would be {quality(best)} at most"
        if target is not None and isinstance(target.limit, float | int):
            text += f", and {quality(target.limit)} is wanted"
        return f"{text}."
    return ""


def failures_document(
    dossier: Dossier, said: SaidCauses, *, sheet: str, folder: str
) -> b.Document:
    """The failures that were drawn, the causes that people named, and how to name the rest.

    ``sheet`` is the path of a sheet to fill in, empty for none; ``folder`` is the case as the user
    named it.
    """
    draw = said.draw
    drawn = counted(len(draw.drawn), "failure")
    causes = section(dossier)
    return b.Document(
        "",
        f"{drawn} of {count(draw.failures)}, of {draw.way}",
        [] if causes is None else [causes],
        byline=[sentence(line) for line in _drawn_lines(said)],
        after=list(_next_steps(said, sheet, folder)),
    )


def failures_dict(dossier: Dossier, said: SaidCauses, *, sheet: str) -> dict[str, Any]:
    """The drawn failures and their causes, as plain JSON values; the sheet has the failures' texts."""
    return {
        "schema": "tuneworthy/failures/1",
        "draw": said.draw.model_dump(mode="json", exclude={"drawn"}),
        "drawn": len(said.draw.drawn),
        "open": said.open,
        "differ": said.differ,
        "counts": dict(said.counts),
        "causes": [failure.model_dump(mode="json") for failure in dossier.failures],
        "sheet": sheet or None,
    }


def _drawn_lines(said: SaidCauses) -> Iterator[str]:
    """How the failures were drawn, and how many have been read."""
    draw = said.draw
    if draw.source == "log":
        source = "scored answers in its logs"
    else:
        source = "what the last lab kept"
    yield f"drawn with seed {draw.seed} from {source}, each kind of case alike"
    if draw.held_out:
        held = counted(draw.held_out, "held-out case")
        yield f"{held} among them: what is changed after reading them needs new cases to report on"
    read = len(draw.drawn) - said.open
    text = f"{count(read)} of {count(len(draw.drawn))} have a cause"
    if said.differ:
        text += (
            f". On {count(said.differ)} of these people differ, so they don't count yet"
        )
    yield text


def _next_steps(said: SaidCauses, sheet: str, folder: str) -> Iterator[str]:
    """How to name the causes that are still open, and to settle those on which people differ."""
    case = argument(folder)
    if said.open and sheet:
        file = argument(sheet)
        command = f"tuneworthy evalset failures {case} --from {file}"
        yield f"Fill in the column label of {file}, then: {command}"
        yield f"Or on the page, with one key each: tuneworthy serve {case}"
    if said.differ:
        yield f"Settle what differs: tuneworthy evalset export {case} --settle"
    if not said.open and not said.differ:
        yield f"Next: tuneworthy decide {case}"
