"""The page of a retrieval lab: what finds the passage that is known, and what answers lose."""

from __future__ import annotations

from tuneworthy.errors import argument
from tuneworthy.model.base import Unknown
from tuneworthy.model.lab import (
    Contrast,
    RetrievalResult,
)
from tuneworthy.report import blocks as b
from tuneworthy.report.named import named
from tuneworthy.report.sections.common import Rows
from tuneworthy.report.sections.lab import (
    CORRECT,
    ask_again_text,
    cut_off_text,
    difference_text,
    rerun_text,
    share_text,
    spent_rows,
)
from tuneworthy.words import (
    count,
    counted,
    listing,
    quality,
)

# What finds the known passage, and what answers lose.

_WHY = named("why")
_OWN = (
    "the passages of the evaluation set itself. Among all your documents less is found: name them "
    "under data.documents. Until then recall is not evidence of the case"
)


def retrieval_document(result: RetrievalResult, *, folder: str) -> b.Document:
    """The document of a retrieval lab; ``folder`` is the case as the user named it."""
    title = f"On {counted(result.report, 'held-out question')}"
    board = f"Ways, on the {counted(result.select, 'question')} for selecting"
    head = f"Way | #Recall at {result.k} | #MRR | #Of all passages | #Words"
    rows = [
        (
            row.way,
            share_text(row.recall),
            share_text(row.mrr),
            quality(row.passages),
            count(row.words),
        )
        for row in result.ways
    ]
    note = (
        "The best of many looks too good here: only held-out questions count. Words are "
        f"those of {result.k} pieces: longer pieces hold more, and cost more to read."
    )
    sections = [
        b.section("retrieval", title, b.facts(_retrieval_rows(result))),
        b.section(
            "retrieval-ways", board, b.table(board, head, rows, quiet=True), note
        ),
    ]
    if not isinstance(result.answers, Unknown):
        gaps = b.facts(_gaps(result))
        sections.insert(1, b.section("retrieval-gaps", "What answers lose", gaps))
    if result.spend:
        spent = b.facts(spent_rows(result.spend, stopped=result.stopped))
        sections.append(b.section("retrieval-spent", "", spent))
    now = f"Now: {_next_of_retrieval(result, argument(folder))}"
    best = result.best
    recall = (
        f"{share_text(best.recall)} of {counted(result.report, 'held-out question')}"
    )
    finds = f"it finds a known passage among the first {result.k} pieces for {recall}"
    return b.Document("", f"Best is {best.way}: {finds}.", sections, lead=now)


def _retrieval_rows(result: RetrievalResult) -> Rows:
    """The rows of a comparison of ways to retrieve."""
    best = result.best
    yield "Best way", best.way
    first = f"a known passage among the first {counted(result.k, 'piece')}"
    yield (
        f"Recall at {result.k}",
        f"{share_text(best.recall)}: {first}, {count(best.words)} words",
    )
    yield (
        "MRR",
        f"{share_text(best.mrr)}. It finds {quality(best.passages)} of all known passages",
    )
    for contrast in result.contrasts:
        how = "" if contrast.told_apart == "yes" else "can't be distinguished: "
        how += difference_text(contrast)
        yield "Against", f"{how} less {contrast.second}{_needed(contrast)}"
    pieces = listing([f"{count(n)} {name}" for name, n in result.pieces.items()])
    where = result.source or _OWN
    yield "Searched", f"{counted(result.documents, 'document')} in {where}"
    yield "Pieces", f"{pieces}, of at most {count(result.words)} words"
    left = [f"{count(n)} {_WHY[why]}" for why, n in result.left_out.items()]
    if left:
        yield "Left out", listing(left)
    if result.other_files:
        yield "Not read", f"{counted(result.other_files, 'file')} of other kinds"


def _needed(contrast: Contrast) -> str:
    if contrast.told_apart == "yes" or isinstance(contrast.cases_needed, Unknown):
        return ""
    return f". About {count(contrast.cases_needed)} questions are needed"


def _gaps(result: RetrievalResult) -> Rows:
    """The rows on what answers lose by retrieving and by reading."""
    answers = result.answers
    assert not isinstance(answers, Unknown)  # only shown then
    yield "Answered by", answers.arm
    retrieved = share_text(answers.retrieved, "not measured")
    known = share_text(answers.known, "not measured")
    none = share_text(answers.none, "not measured")
    which = f"{retrieved} with retrieved passages, {known} with the known ones, {none} with none"
    yield "Quality", which
    contrasts = {"Retrieval gap": answers.retrieval_gap, "Retrieval adds": answers.gain}
    for name, contrast in contrasts.items():
        gained = difference_text(contrast)
        measured = not isinstance(contrast.difference, Unknown)
        if measured and contrast.told_apart == "no":
            gained += ", can't be distinguished from zero"
        yield name, gained
    gap = answers.synthesis_gap
    if isinstance(gap, Unknown):
        yield "Synthesis gap", f"unknown: {gap.ask}"
    else:
        yield (
            "Synthesis gap",
            f"{share_text(gap)}: wrong although the known passages were there",
        )


def _next_of_retrieval(result: RetrievalResult, folder: str) -> str:
    if result.spend and cut_off_text(result.spend, result.stopped_by):
        command = f"tuneworthy retrieve {folder} --answers"
        return ask_again_text(result.spend, command)
    if result.stopped:
        return rerun_text(result, f"tuneworthy retrieve {folder} --answers")
    if isinstance(result.answers, Unknown):
        return f"if a prompt shows contexts: tuneworthy retrieve {folder} --answers --dry-run"
    if isinstance(result.answers.synthesis_gap, Unknown):
        return CORRECT
    return f"tuneworthy decide {folder}"
