"""What a retrieval lab shows: what finds the known passage, and what answers lose."""

from __future__ import annotations

from tuneworthy.model.base import Unknown, json_text
from tuneworthy.model.lab import Contrast, RetrievalResult
from tuneworthy.report import blocks as b
from tuneworthy.report.named import named
from tuneworthy.report.sections.lab import CORRECT, Rows, difference_text, share_text, spent_rows
from tuneworthy.words import count, counted, listing, quality

_WHY = named("why")
_OWN = (
    "the passages of the evaluation set itself. Among all your documents less is found: name them "
    "under data.documents. Until then recall is no evidence of the case"
)


def retrieval_dict(result: RetrievalResult) -> str:
    return json_text({"schema": "tuneworthy/retrieval/1", **result.model_dump(mode="json")})


def retrieval_document(result: RetrievalResult, *, folder: str) -> b.Document:
    """What a retrieval lab shows; ``folder`` as the user named the case."""
    title = f"On {counted(result.report, 'held-out question')}"
    board = f"Ways, on the {counted(result.select, 'question')} for selecting"
    head = f"Way | #Recall at {result.k} | #MRR | #Of all passages | #Words"
    rows = [
        (
            *(one.way, share_text(one.recall), share_text(one.mrr)),
            *(quality(one.passages), count(one.words)),
        )
        for one in result.ways
    ]
    note = (
        "The best of many looks too good here: only held-out questions count. Words are "
        f"those of {result.k} pieces: longer pieces hold more, and cost more to read."
    )
    sections = [
        b.section("retrieval", title, b.facts(_found(result))),
        b.section("retrieval-ways", board, note, b.table(board, head, rows, quiet=True)),
    ]
    if not isinstance(result.answers, Unknown):
        sections.insert(1, b.section("retrieval-gaps", "What answers lose", b.facts(_gaps(result))))
    if result.spend:
        spent = b.facts(spent_rows(result.spend, stopped=result.stopped))
        sections.append(b.section("retrieval-spent", "", spent))
    return b.Document(
        "", "What the retrieval lab shows", sections, after=[f"Next: {_next(result, folder)}"]
    )


def _found(result: RetrievalResult) -> Rows:
    best = result.best
    yield "Best way", best.way
    first = f"a known passage among the first {counted(result.k, 'piece')}"
    yield f"Recall at {result.k}", f"{share_text(best.recall)}: {first}, {count(best.words)} words"
    yield "MRR", f"{share_text(best.mrr)}; {quality(best.passages)} of all known passages are found"
    for one in result.contrasts:
        apart = "" if one.told_apart == "yes" else "can't be distinguished: "
        yield "Against", f"{apart}{difference_text(one)} less {one.second}{_needed(one)}"
    pieces = listing([f"{count(n)} {name}" for name, n in result.pieces.items()])
    where = result.source or _OWN
    yield "Searched", f"{counted(result.documents, 'document')} in {where}"
    yield "Pieces", f"{pieces}, of at most {count(result.words)} words"
    left = [f"{count(n)} {_WHY[why]}" for why, n in result.left_out.items()]
    if left:
        yield "Left out", listing(left)
    if result.other_files:
        yield "Not read", f"{counted(result.other_files, 'file')} of other kinds"


def _needed(one: Contrast) -> str:
    if one.told_apart == "yes" or isinstance(one.cases_needed, Unknown):
        return ""
    return f"; about {count(one.cases_needed)} questions would tell"


def _gaps(result: RetrievalResult) -> Rows:
    answers = result.answers
    assert not isinstance(answers, Unknown)  # only shown then
    yield "Answered by", answers.arm
    ways = (answers.retrieved, answers.known, answers.none)
    retrieved, known, none = (share_text(each, "not measured") for each in ways)
    which = f"{retrieved} with retrieved passages, {known} with the known ones, {none} with none"
    yield "Quality", which
    for name, one in (("Retrieval gap", answers.retrieval_gap), ("Retrieval adds", answers.gain)):
        open_ = not isinstance(one.difference, Unknown) and one.told_apart == "no"
        yield name, difference_text(one) + "; can't be distinguished from none" * open_
    gap = answers.synthesis_gap
    if isinstance(gap, Unknown):
        yield "Synthesis gap", f"unknown: {gap.ask}"
    else:
        yield "Synthesis gap", f"{share_text(gap)}: wrong although the known passages were there"


def _next(result: RetrievalResult, folder: str) -> str:
    if result.stopped:
        return f"tuneworthy retrieve {folder} --answers, with a larger --budget if that was it"
    if isinstance(result.answers, Unknown):
        return f"tuneworthy retrieve {folder} --answers --dry-run: what answers lose by it"
    if isinstance(result.answers.synthesis_gap, Unknown):
        return CORRECT
    return f"tuneworthy decide {folder}"
