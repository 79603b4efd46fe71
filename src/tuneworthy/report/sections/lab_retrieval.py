"""The page of a retrieval lab: what finds the passage that is known, and what answers lose."""

from __future__ import annotations

from tuneworthy.errors import argument
from tuneworthy.model.base import Unknown
from tuneworthy.model.lab import (
    Contrast,
    RetrievalResult,
    SynthesisResult,
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

_WHY = named("why")
_OWN = (
    "the passages of the evaluation set itself. Among all your documents less is found: name them "
    "under data.documents. Until then recall is not evidence of the case"
)


def retrieval_document(result: RetrievalResult, *, folder: str) -> b.Document:
    """The document of a retrieval lab; ``folder`` is the case as the user named it."""
    best = result.best
    questions = counted(result.report, "held-out question")
    recall = f"{share_text(best.recall)} of {questions}"
    finds = f"it finds a known passage among the first {result.k} pieces for {recall}"
    rows = b.facts(_retrieval_rows(result))
    sections = [b.section("retrieval", f"On {questions}", rows)]
    if not isinstance(result.answers, Unknown):
        gaps = b.facts(_gaps(result.answers))
        sections.append(b.section("retrieval-gaps", "What answers lose", gaps))
    sections.append(_ways_section(result))
    if result.spend:
        spent = b.facts(spent_rows(result.spend, stopped=result.stopped))
        sections.append(b.section("retrieval-spent", "", spent))
    now = f"Now: {_next_of_retrieval(result, argument(folder))}"
    return b.Document("", f"Best is {best.way}: {finds}.", sections, lead=now)


def _ways_section(result: RetrievalResult) -> b.Section:
    """The table of the ways to retrieve, on the questions for selecting."""
    board = f"Ways, on the {counted(result.select, 'question')} for selecting"
    titles = f"Way | #Recall at {result.k} | #MRR | #Of all passages | #Words"
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
    table = b.table(board, titles, rows, quiet=True)
    return b.section("retrieval-ways", board, table, note)


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
        yield "Against", _against_text(contrast)
    yield (
        "Searched",
        (f"{counted(result.documents, 'document')} in {result.source or _OWN}"),
    )
    pieces = listing([f"{count(n)} {name}" for name, n in result.pieces.items()])
    yield "Pieces", f"{pieces}, of at most {count(result.words)} words"
    left_out = [f"{count(n)} {_WHY[why]}" for why, n in result.left_out.items()]
    if left_out:
        yield "Left out", listing(left_out)
    if result.other_files:
        yield "Not read", f"{counted(result.other_files, 'file')} of other kinds"


def _against_text(contrast: Contrast) -> str:
    """The best way less another, and how many questions would make the difference clear."""
    text = f"{difference_text(contrast)} less {contrast.second}"
    if contrast.told_apart == "yes":
        return text
    text = f"can't be distinguished: {text}"
    if isinstance(contrast.cases_needed, Unknown):
        return text
    return f"{text}. About {count(contrast.cases_needed)} questions are needed"


def _gaps(answers: SynthesisResult) -> Rows:
    """The rows on what answers lose by retrieving and by reading."""
    yield "Answered by", answers.arm
    retrieved = share_text(answers.retrieved, "not measured")
    known = share_text(answers.known, "not measured")
    none = share_text(answers.none, "not measured")
    yield (
        "Quality",
        (
            f"{retrieved} with retrieved passages, {known} with the known ones, {none} with none"
        ),
    )
    yield "Retrieval gap", _gap_text(answers.retrieval_gap)
    yield "Retrieval adds", _gap_text(answers.gain)
    gap = answers.synthesis_gap
    if isinstance(gap, Unknown):
        yield "Synthesis gap", f"unknown: {gap.ask}"
    else:
        wrong = "wrong although the known passages were there"
        yield "Synthesis gap", f"{share_text(gap)}: {wrong}"


def _gap_text(contrast: Contrast) -> str:
    """A difference with its interval, and whether chance alone may explain it."""
    text = difference_text(contrast)
    is_measured = not isinstance(contrast.difference, Unknown)
    if is_measured and contrast.told_apart == "no":
        return f"{text}, can't be distinguished from zero"
    return text


def _next_of_retrieval(result: RetrievalResult, folder: str) -> str:
    """The next step: finish the run, measure what answers lose, correct an arm, or decide."""
    answers_command = f"tuneworthy retrieve {folder} --answers"
    if result.spend and cut_off_text(result.spend, result.stopped_by):
        # a killed run left calls in doubt, which are not sent again unasked
        return ask_again_text(result.spend, answers_command)
    if result.stopped:
        return rerun_text(result, answers_command)
    if isinstance(result.answers, Unknown):  # so far nothing was paid: quote it first
        return f"if a prompt shows contexts: {answers_command} --dry-run"
    if isinstance(result.answers.synthesis_gap, Unknown):  # too few answers came
        return CORRECT
    return f"tuneworthy decide {folder}"
