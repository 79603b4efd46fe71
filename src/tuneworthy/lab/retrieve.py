"""The retrieval lab: which way of retrieving finds the known passage, and the loss in answers.

Documents are cut into pieces and searched in every way by known libraries, bm25s and wordllama. A
way is chosen on some questions and reported on others. Retrieving is free and sends nothing.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

import numpy as np

from tuneworthy.errors import CaseError, InputError
from tuneworthy.files.case import beside
from tuneworthy.files.documents import TeamDocument, read_documents
from tuneworthy.files.evalset import parted
from tuneworthy.files.stores import append_evidence, files_now
from tuneworthy.lab.evidence import interval_evidence, measured_in
from tuneworthy.lab.plan import Asked, LabPlan, joined
from tuneworthy.lab.pool import Cases, nearest_places
from tuneworthy.lab.prepare import (
    CallSettings,
    PreparedLab,
    evalset_of,
    paid,
    probed,
)
from tuneworthy.lab.prepare import prepare as prepare_lab
from tuneworthy.lab.quote import price_rows
from tuneworthy.lab.result import ENOUGH, contrast
from tuneworthy.lab.scores import Scores, first_of
from tuneworthy.lab.session import PaidCalls, ledger_or_none, with_spent
from tuneworthy.llm.hosts import find_strange_hosts
from tuneworthy.llm.ledger import Ledger
from tuneworthy.llm.runner import Job, quote
from tuneworthy.measure.signals.knowledge import sentences
from tuneworthy.model.base import Unknown
from tuneworthy.model.case import Case, Holding
from tuneworthy.model.evalset import CasePassage, EvalCase
from tuneworthy.model.evidence import Evidence, Measured, MeasuredFile
from tuneworthy.model.lab import (
    Arm,
    Contrast,
    Quote,
    RetrievalResult,
    Retrieved,
    ShareOf,
    SynthesisResult,
)
from tuneworthy.pipeline import framework_of, load_case
from tuneworthy.report import render as render_document
from tuneworthy.report.sections.lab import lab_dict
from tuneworthy.report.sections.lab_quote import quote_document, quote_json
from tuneworthy.report.sections.lab_retrieval import retrieval_document
from tuneworthy.text.embedding import embed
from tuneworthy.words import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]


Span = tuple[int, int]

DEPTH = 100  #: Pieces of each list that are looked at.
_RRF = 60  # as Cormack, Clarke and Büttcher (2009)
# The next three are ours, and tuned on nothing.
_RERANKED = 30  # first pieces of a list that are sorted again by their sentences
_FED_BACK = 3  # first pieces whose words and vectors widen a question
_TERMS = 10  # words that widen a question
_MOST_PIECES = 200_000  # that are indexed
_MOST_PLACES = 20  # of one passage that are looked at
_WORD = re.compile(r"\S+")
_TERM = re.compile(r"\w+")
_HEADING = re.compile(r"^#{1,6}[ \t]+\S.*$", re.MULTILINE)
_EDGE = re.compile(r"(?:\A|\n)(?=#{1,6}[ \t])|\n[ \t]*\n\s*(?=\S)")


def overlapping(text: str, most: int) -> Iterator[Span]:
    """Yield pieces of ``most`` words, each of which repeats the last fifth of the one before.

    The last piece may be shorter. A text without a word has none.
    """
    words = [match.span() for match in _WORD.finditer(text)]
    if not words:
        return
    shared = most // 5
    step = most - shared
    # no piece begins in the last words that the one before has already
    for first in range(0, max(1, len(words) - shared), step):
        last = min(first + most, len(words)) - 1
        start, _ = words[first]
        _, end = words[last]
        yield start, end


def sections(text: str, most: int) -> Iterator[Span]:
    """Yield paragraphs under one heading, joined up to ``most`` words; longer ones are cut."""
    words = [match.span() for match in _WORD.finditer(text)]
    # the letters at which a paragraph or a heading begins, and the word at each
    edges = [match.end() for match in _EDGE.finditer(text.rstrip())]
    first_words = [bisect_left(words, (edge, 0)) for edge in edges]
    ends = [*first_words[1:], len(words)]
    begin = 0  # the first word of the paragraphs that are joined so far
    for edge, first_word, end in zip(edges, first_words, ends, strict=False):
        is_heading = text[edge] == "#"
        if is_heading or end - begin > most:
            yield from _runs(words, begin, first_word, most)
            begin = first_word
    yield from _runs(words, begin, len(words), most)


def _runs(words: Sequence[Span], first: int, last: int, most: int) -> Iterator[Span]:
    """Yield the spans of runs of at most ``most`` words, from the first to the one before ``last``."""
    for place in range(first, last, most):
        start, _ = words[place]
        _, end = words[min(place + most, last) - 1]
        yield start, end


CHUNKINGS = {"fixed": overlapping, "sections": sections}


class Piece(NamedTuple):
    """A part of a document."""

    document: int
    start: int
    end: int
    text: str  #: With the heading it stands under, where it doesn't begin with one.

    def holds(self, document: int, span: Span) -> bool:
        """Whether it shares half of a passage, or half of its own text with it."""
        if self.document != document:
            return False
        start, end = span
        shared = min(self.end, end) - max(self.start, start)
        shorter = min(self.end - self.start, end - start)
        return 2 * shared >= shorter


def cut(
    documents: Sequence[TeamDocument], chunking: str, most: int
) -> tuple[Piece, ...]:
    """Cut documents into pieces of at most ``most`` words, in their order.

    A later part of a section begins with its heading, which isn't counted among the words. Raises
    CaseError for too many pieces.
    """
    pieces: list[Piece] = []
    for number, document in enumerate(documents):
        text = document.text
        headings = [match.span() for match in _HEADING.finditer(text)]
        for start, end in CHUNKINGS[chunking](text, most):
            shown = _with_heading(text, headings, start, end)
            pieces.append(Piece(number, start, end, shown))
        if len(pieces) > _MOST_PIECES:
            what = f"exceed {_MOST_PIECES:,} pieces"
            raise CaseError(what, where="the documents", fix="name a part of them")
    return tuple(pieces)


def _with_heading(text: str, headings: Sequence[Span], start: int, end: int) -> str:
    """Return a part of a text after its heading; the part alone where it has none, or begins with it."""
    part = text[start:end]
    headings_so_far = bisect_right(headings, (start, len(text)))
    if not headings_so_far:
        return part
    heading_start, heading_end = headings[headings_so_far - 1]
    if heading_start == start:
        return part
    return f"{text[heading_start:heading_end]}\n{part}"


class PassagePlace(NamedTuple):
    """Where a passage stands."""

    document: int
    span: Span


class Shelf:
    """Places of passages in documents; blanks and line ends don't count."""

    def __init__(self, documents: Sequence[TeamDocument]) -> None:
        self._texts = [document.text for document in documents]
        self._names = {
            document.name: number for number, document in enumerate(documents)
        }
        # all documents without blanks, in one text: a passage is found by one search
        bare = ["".join(text.split()) for text in self._texts]
        self._all = "\0".join(bare)
        # where each document begins in it, after a mark that no passage contains
        self._starts = [0, *np.cumsum([len(text) + 1 for text in bare]).tolist()]
        self._letters = dict[int, "NDArray[np.int32]"]()

    def places(self, passage: CasePassage) -> tuple[PassagePlace, ...]:
        """Return each place of a passage; the whole document where a passage only names it."""
        letters = "".join(passage.text.split())
        if not letters:
            number = self._names.get(passage.id)
            if number is None:
                return ()
            return (PassagePlace(number, (0, len(self._texts[number]))),)
        places = list[PassagePlace]()
        at = self._all.find(letters)
        while at >= 0 and len(places) < _MOST_PLACES:
            number = bisect_right(self._starts, at) - 1
            first = at - self._starts[number]
            last = first + len(letters) - 1
            # back to places in the text with its blanks
            place_of = self._places_of_letters(number)
            span = (int(place_of[first]), int(place_of[last]) + 1)
            places.append(PassagePlace(number, span))
            at = self._all.find(letters, at + len(letters))
        return tuple(places)

    def _places_of_letters(self, number: int) -> NDArray[np.int32]:
        """Return the places of the characters in a document that aren't blanks; computed once."""
        if number not in self._letters:
            blank = np.fromiter(map(str.isspace, self._texts[number]), dtype=bool)
            self._letters[number] = np.flatnonzero(~blank).astype(np.int32)
        return self._letters[number]


def best_places(scores: Floats) -> list[int]:
    """Return places of the highest positive scores, the highest first; equal ones in their order."""
    nearest = nearest_places(scores, DEPTH)
    return [place for place in nearest if scores[place] > 0]


def fused(*orders: Sequence[int]) -> list[int]:
    """Join orders by reciprocal rank fusion; equal ones in the order of the pieces."""
    worth = defaultdict[int, float](float)
    for order in orders:
        for rank, place in enumerate(order, start=1):
            worth[place] += 1 / (_RRF + rank)
    return sorted(worth, key=lambda place: (-worth[place], place))[:DEPTH]


class Finder:
    """Texts that can be searched in every way."""

    def __init__(self, texts: Sequence[str]) -> None:
        try:
            import bm25s
        except ImportError:
            fix = "install it: pip install 'tuneworthy[retrieval]'"
            raise InputError("searching by words needs bm25s", fix=fix) from None
        bm25s.logger.setLevel("WARNING")
        self._texts = texts
        # bm25s refuses a text without any word
        self._terms = [_terms(text) or [""] for text in texts]
        self._counts = Counter[str]()  # texts that a word is in
        for terms in self._terms:
            self._counts.update(set(terms))
        self._vectors = embed([_flat(text) for text in texts])
        self._sentences = dict[int, "Floats"]()  # by text a row for each of its own
        self._bm25 = bm25s.BM25()
        self._bm25.index(self._terms, show_progress=False)

    def orders(self, questions: Sequence[str]) -> Iterator[dict[str, list[int]]]:
        """Yield the places of the first pieces for each question, by method, the best first."""
        vectors = embed([_flat(text) for text in questions])
        searches = list[_QuestionSearch]()
        read_again = set[int]()
        for text, vector in zip(questions, vectors, strict=True):
            terms = _terms(text)
            by_words = self._order_by_words(terms)
            by_vector = best_places(self._vectors @ vector)
            hybrid = fused(by_words, by_vector)
            searches.append(_QuestionSearch(terms, vector, by_words, by_vector, hybrid))
            read_again.update(hybrid[:_RERANKED])
        # the sentences of all questions at once, because that is faster
        self._embed_sentences(read_again)
        for search in searches:
            yield {
                "BM25": search.by_words,
                "dense": search.by_vector,
                "hybrid": search.hybrid,
                "hybrid reranked": self._rerank_by_sentence(
                    search.vector, search.hybrid
                ),
                "hybrid expanded": self._order_expanded(search),
            }

    def _order_by_words(self, terms: list[str]) -> list[int]:
        return best_places(self._bm25.get_scores(terms)) if terms else []

    def _rerank_by_sentence(self, vector: Floats, order: Sequence[int]) -> list[int]:
        """Sort the first places of an order again, by their sentence nearest to the question."""
        nearness = dict[int, float]()
        for place in order[:_RERANKED]:
            nearness[place] = float((self._sentences[place] @ vector).max())
        first = sorted(nearness, key=lambda place: nearness[place], reverse=True)
        return [*first, *order[_RERANKED:]]

    def _order_expanded(self, search: _QuestionSearch) -> list[int]:
        """Return places for a question that is extended by words of its first pieces.

        The question counts twice as much as the additions: its words are repeated, and the mean of
        the added vectors is halved.
        """
        typical = self._typical_words(search.by_words[:_FED_BACK])
        wider = [*search.terms, *search.terms, *typical]
        nearest = self._vectors[search.by_vector[:_FED_BACK]]
        added = nearest.sum(axis=0) / (2 * _FED_BACK)
        by_vector = best_places(self._vectors @ (search.vector + added))
        return fused(self._order_by_words(wider), by_vector)

    def _embed_sentences(self, places: Collection[int]) -> None:
        """Embed the sentences of some texts, as a piece is as near as its nearest sentence."""
        new = sorted(place for place in places if place not in self._sentences)
        flat = list[str]()
        ends = [0]
        for place in new:
            text = self._texts[place]
            flat += sentences(text) or [text]
            ends.append(len(flat))
        vectors = embed(flat)
        for place, (first, end) in zip(new, pairwise(ends), strict=True):
            self._sentences[place] = vectors[first:end]

    def _typical_words(self, places: Iterable[int]) -> list[str]:
        """Return the words typical of some texts: frequent in these, in few of all."""
        counts = Counter[str]()
        for place in places:
            counts.update(self._terms[place])
        weights = dict[str, float]()
        for term, n in counts.items():
            weights[term] = n * math.log(len(self._texts) / self._counts[term])
        return sorted(weights, key=lambda term: (-weights[term], term))[:_TERMS]


class _QuestionSearch(NamedTuple):
    """A question, and the places of its first pieces by the methods that others build on."""

    terms: list[str]
    vector: Floats
    by_words: list[int]
    by_vector: list[int]
    hybrid: list[int]


def _flat(text: str) -> str:
    """Return a text on one line, as line ends change wordllama's vectors."""
    return " ".join(text.split())


def _terms(text: str) -> list[str]:
    return _TERM.findall(text.casefold())


# The lab.

RETRIEVE_RUN = "retrieve"
# Ids of the arms that answer.
_RETRIEVED = "retrieved passages"
_KNOWN = "known passages"
_WITHOUT = "no passages"
UNANSWERABLE = "unanswerable"  #: Tag of a case that no passage answers, by design.


class Question(NamedTuple):
    """A question with the places of each of its known passages."""

    case: EvalCase
    passages: tuple[tuple[PassagePlace, ...], ...]


def _rank(pieces: Sequence[Piece], places: Sequence[PassagePlace]) -> int:
    """Return the rank of the first piece with one of some places, from 1; 0 for none."""
    for rank, piece in enumerate(pieces, start=1):
        if any(piece.holds(place.document, place.span) for place in places):
            return rank
    return 0


def _texts_by_form(questions: Sequence[Question]) -> dict[str, list[str]]:
    """Return the texts to search with, by what is added to the name of a way.

    These are the last turns and, if any question has several, all turns.
    """
    forms = {"": [question.case.text for question in questions]}
    all_turns = list[str]()
    for question in questions:
        messages = question.case.messages
        turns = [message.content for message in messages if message.role == "user"]
        if len(turns) > 1:
            forms[" · all turns"] = all_turns
        all_turns.append(" ".join(turns) if turns else question.case.text)
    return forms


class SearchedWays:
    """The first ``k`` pieces that every way finds for some questions."""

    def __init__(
        self,
        questions: Sequence[Question],
        pieces: Mapping[str, Sequence[Piece]],
        k: int,
    ) -> None:
        self.pieces_of: dict[str, dict[str, tuple[CasePassage, ...]]] = {}
        """By way and id of the case, as passages for answering; the plainest way first."""
        self.recall = Scores()  #: Whether a known passage is among the pieces.
        self.mrr = Scores()  #: One over the rank of the first one.
        self.passages = Scores()  #: The share of known passages among the pieces.
        forms = _texts_by_form(questions)
        for name, parts in pieces.items():
            finder = Finder([piece.text for piece in parts])
            for form, texts in forms.items():
                orders_by_question = finder.orders(texts)
                for question, orders in zip(questions, orders_by_question, strict=True):
                    for method, order in orders.items():
                        first = [parts[place] for place in order[:k]]
                        self._score_ranks(f"{name} · {method}{form}", question, first)

    def _score_ranks(
        self, way: str, question: Question, first: Sequence[Piece]
    ) -> None:
        """Score the first pieces of a way for a question, and keep them."""
        case = question.case
        ranks = [_rank(first, places) for places in question.passages]
        retrieved = [rank for rank in ranks if rank > 0]
        self.recall.note_score(way, case, float(len(retrieved) > 0))
        self.mrr.note_score(way, case, 1 / min(retrieved) if retrieved else 0.0)
        self.passages.note_score(way, case, len(retrieved) / len(ranks))
        passages = tuple(CasePassage(text=piece.text) for piece in first)
        self.pieces_of.setdefault(way, {})[case.id] = passages

    def row(self, way: str, cases: Cases) -> Retrieved:
        """Return the result of a way on some cases."""
        arm = _arm(way)
        words = 0
        for case in cases:
            for piece in self.pieces_of[way][case.id]:
                words += len(piece.text.split())
        recall = self.recall.share(arm, cases)
        mrr = self.mrr.share(arm, cases)
        assert not isinstance(recall, Unknown)  # every way was searched on every case
        assert not isinstance(mrr, Unknown)
        return Retrieved(
            way=way,
            recall=recall,
            mrr=mrr,
            # a mean of ones may be a rounding error above 1
            passages=min(1.0, float(self.passages.row(arm, cases).mean())),
            words=words / len(cases),
        )


def _arm(way: str) -> Arm:
    return Arm(id=way, kind="baseline", of="retrieval")


class PreparedRetrieval(NamedTuple):
    """A retrieval lab after its free part."""

    case: Case
    as_of: date
    #: Recall from which the framework calls retrieval good enough.
    enough: float | None
    result: RetrievalResult  #: Without answers.
    #: The model that answers, ready to run; None where no model shall.
    lab: PreparedLab | None
    asked: tuple[tuple[Arm, EvalCase], ...]
    """Each held-out question with retrieved, with known and with no passages."""
    #: Its questions and documents as they were when it read them.
    files: tuple[MeasuredFile, ...]


def prepare(
    source: str | Path,
    *,
    documents: str | None = None,
    k: int = 5,
    words: int = 200,
    answers: bool = False,
    arm: str | None = None,
    seed: int = 0,
    as_of: date | None = None,
    **lab: Any,
) -> PreparedRetrieval:
    """Cut, index and search in every way; nothing is sent.

    ``documents`` is a path below the case folder, by default ``data.documents``, and else the
    passages of the evaluation set itself. A model may get ``k`` pieces of at most ``words`` words.
    ``arm`` is the prompt and model for ``answers``, as ``v3 · gpt-6-luna``; by default, the first
    one with passages. All other settings are those of ``prepare.prepare``.
    """
    case = load_case(source)
    named = _with_documents(case, documents)
    files = files_now(named, "evaluation", "documents")
    cases = evalset_of(case, source)
    where = "--documents" if documents else "data.documents"
    corpus = _read_corpus(named, cases, where)
    questions, left_out = _questions(joined(cases), corpus.documents)
    select, report = parted([question.case for question in questions], seed=seed)
    if not select or not report:
        raise _too_few_questions(case)
    pieces = {name: cut(corpus.documents, name, words) for name in CHUNKINGS}
    ways = SearchedWays(questions, pieces, k)
    compared = _compare_ways(ways, select, report)
    result = RetrievalResult(
        ways=compared.rows,
        best=compared.best,
        contrasts=compared.contrasts,
        k=k,
        words=words,
        source=corpus.path,
        documents=len(corpus.documents),
        pieces={name: len(parts) for name, parts in pieces.items()},
        select=len(select),
        report=len(report),
        left_out=left_out,
        other_files=corpus.other_files,
        seed=seed,
        answers=Unknown(ask="have a model answer: --answers"),
    )
    answering = None
    asked = tuple[tuple[Arm, EvalCase], ...]()
    if answers:
        ready = prepare_lab(source, seed=seed, as_of=as_of, **lab)
        answering = _lab_of_one_arm(ready, arm)
        # only the best way's passages are worth the price of answers
        pieces_by_case = ways.pieces_of[compared.best.way]
        passages = {case.id: pieces_by_case[case.id] for case in report}
        asked = tuple(_ask_three_ways(answering.plan, passages))
    return PreparedRetrieval(
        case=case,
        as_of=as_of or date.today(),
        enough=framework_of(case).threshold("retrieval_recall"),
        result=result,
        lab=answering,
        asked=asked,
        files=files,
    )


class _ComparedWays(NamedTuple):
    """The ways to search, compared with each other."""

    rows: tuple[Retrieved, ...]  #: On the cases for selecting, the best first.
    best: Retrieved  #: On the held-out cases.
    contrasts: tuple[Contrast, ...]  #: Of the best with others, on the held-out cases.


def _with_documents(case: Case, documents: str | None) -> Case:
    """Return a case that names the documents at a path below its folder; the case itself for None.

    Raises an InputError for a path that leads out of the folder.
    """
    beside(case, "--documents", documents)
    if not documents:
        return case
    holding = Holding.model_construct(path=documents)
    data = case.data.model_copy(update={"documents": holding})
    return case.model_copy(update={"data": data})


def _too_few_questions(case: Case) -> CaseError:
    what = "has too few questions with a known passage to part them"
    fix = "give cases contexts: the passages with the answer, as they stand in the documents"
    return CaseError(what, where=case.where("data", "evaluation"), fix=fix)


def _compare_ways(ways: SearchedWays, select: Cases, report: Cases) -> _ComparedWays:
    """Choose the best way on some cases, and compare it with others on cases that chose nothing."""
    rows = [ways.row(way, select) for way in ways.pieces_of]
    plainest = rows[0].way
    # of equal ways the plainer one, which comes first
    rows.sort(key=lambda row: (-row.recall.value, -row.mrr.value))
    best = rows[0].way
    contrasts = [
        contrast(ways.recall, _arm(best), _arm(rival), report)
        for rival in _rivals_of_best(rows, plainest=plainest)
    ]
    return _ComparedWays(tuple(rows), ways.row(best, report), tuple(contrasts))


class _Corpus(NamedTuple):
    """The documents that are searched."""

    documents: Sequence[TeamDocument]
    path: str  #: Below the case folder; empty for the passages of the evaluation set.
    other_files: int = 0  #: Files of other kinds, which are left out.


def _read_corpus(case: Case, cases: Cases, where: str) -> _Corpus:
    """Read the documents that a case names; where it names none, take its own passages."""
    holding = case.data.documents
    path = None if holding is None else holding.path
    if not path:
        return _Corpus(_own_passages(cases), "")
    documents, other_files = read_documents(case, path, where)
    return _Corpus(documents, path, other_files)


def _own_passages(cases: Iterable[EvalCase]) -> tuple[TeamDocument, ...]:
    """Return the passages of the cases as documents, each text once, under its first id by name.

    The order of the cases decides nothing: neither which id a text gets, nor the order of the
    documents.
    """
    ids = dict[str, str]()
    for case in cases:
        for passage in case.contexts:
            if passage.text.strip():
                known = ids.get(passage.text, passage.id)
                ids[passage.text] = min(known, passage.id)
    return tuple(TeamDocument(ids[text], text) for text in sorted(ids))


def _rivals_of_best(rows: Sequence[Retrieved], *, plainest: str) -> list[str]:
    """Return the ways to compare the first one with: the second, and the plainest of all."""
    ordered = [row.way for row in rows]
    rivals = ordered[1:2]
    if plainest not in ordered[:2]:
        rivals.append(plainest)
    return rivals


def _questions(
    cases: Cases, documents: Sequence[TeamDocument]
) -> tuple[list[Question], dict[str, int]]:
    """Return the cases with a known passage in the documents, and how many others lack one and why."""
    shelf = Shelf(documents)
    known = list[Question]()
    left_out = Counter[str]()
    for row in cases:
        places_of_passages = [shelf.places(passage) for passage in row.contexts]
        in_documents = tuple(places for places in places_of_passages if places)
        if UNANSWERABLE in row.tags:
            left_out[UNANSWERABLE] += 1
        elif in_documents:
            known.append(Question(row, in_documents))
        else:
            left_out["not_in_documents" if row.contexts else "no_passage"] += 1
    return known, dict(left_out)


def _lab_of_one_arm(lab: PreparedLab, wanted: str | None) -> PreparedLab:
    """Return the lab with only the arm that answers, with its prompt as written.

    ``wanted`` is its prompt and model; None for the first arm with passages. Raises CaseError
    where there is none.
    """
    for arm in lab.plan.of_kind("prompt"):
        names = (
            f"{arm.prompt} · {lab.plan.named(arm.model)}",
            f"{arm.prompt} · {arm.model}",
        )
        is_wanted = wanted is None or wanted in names
        if is_wanted and arm.retrieval and not arm.steps:
            plan = replace(lab.plan, arms=(arm,))
            # the probes of the whole lab may be those of other arms
            return replace(lab, plan=plan.probing() if plan.probes else plan)
    what = "names no prompt that shows passages"
    if wanted:
        what += f' for "{wanted[:80]}"'
    fix = "write one with {{ contexts }} in it, and name it as PROMPT · MODEL"
    raise CaseError(what, where=lab.case.where("data", "prompts"), fix=fix)


def _ask_three_ways(
    plan: LabPlan, passages: Mapping[str, tuple[CasePassage, ...]]
) -> Iterator[tuple[Arm, EvalCase]]:
    """Yield each question three times: with retrieved passages, with the known ones, and with none."""
    (arm,) = plan.arms
    retrieved = arm.model_copy(update={"id": _RETRIEVED, "retrieval": True})
    known = arm.model_copy(update={"id": _KNOWN, "retrieval": True})
    without = arm.model_copy(update={"id": _WITHOUT, "retrieval": False})
    for case in plan.report:
        if case.id in passages:
            yield retrieved, case.model_copy(update={"contexts": passages[case.id]})
            yield known, case
            yield without, case


def price(prepared: PreparedRetrieval, ledger: Ledger | None) -> Quote:
    """The most that the answers would cost; nothing where no model has to answer."""
    if prepared.lab is None:
        return quote([], ledger, lambda _: None)
    plan = prepared.lab.plan
    jobs = list[Job]()
    for arm, case in prepared.asked:
        jobs += [job for job, _, _ in plan.calls([arm], [case])]
    return quote([*plan.probe_jobs(), *jobs], ledger, prepared.lab.price_of)


def quoted(prepared: PreparedRetrieval) -> Quote:
    """The most that the answers would still cost; nothing is sent."""
    with ledger_or_none(prepared.case) as ledger:
        return with_spent(price(prepared, ledger), ledger, RETRIEVE_RUN)


def run(
    prepared: PreparedRetrieval,
    *,
    cap_usd: float = 0.0,
    **settings: Unpack[CallSettings],
) -> RetrievalResult:
    """Let a model answer, if one has to, and keep the results as evidence.

    Raises as ``ceiling.run`` does.
    """
    result = prepared.result
    if prepared.lab is not None:
        work = partial(_answer_three_ways, prepared)
        to_pay = lambda _, ledger: price(prepared, ledger)  # noqa: E731  # of this lab, not of its own
        more = paid(
            prepared.lab, RETRIEVE_RUN, to_pay, work, cap_usd=cap_usd, **settings
        )
        result = result.model_copy(update=more)
    append_evidence(prepared.case, evidence_of(result, prepared), prepared.files)
    return result


async def _answer_three_ways(
    prepared: PreparedRetrieval, calls: PaidCalls, _: Quote
) -> dict[str, Any]:
    """Make the calls; return the fields of the result about the answers, or why it ended early."""
    assert prepared.lab is not None  # the caller has made sure that a model answers
    lab, stop = await probed(prepared.lab, calls)
    wanted = list[Asked]()
    for arm, case in prepared.asked:
        wanted += lab.plan.calls([arm], [case])
    if not stop:
        show_progress = calls.counting(len(wanted), running=3)
        stop = (await lab.scores.run(calls.runner(show_progress), wanted)).stop
    if stop:
        unknown = Unknown(ask="run it to its end")
        return {"answers": unknown, "spend": calls.spend, **stop.of_result}
    arms = {arm.id: arm for arm, _ in prepared.asked}
    # each question once, though its case is asked with three sets of passages
    cases = [case for arm, case in prepared.asked if arm.id == _KNOWN]
    answers = _compare_three_ways(lab, arms, cases)
    reasons = [
        lab.scores.unanswered(arms[name], cases)
        for name in (_RETRIEVED, _KNOWN, _WITHOUT)
    ]
    lost = first_of([reason for reason in reasons if reason])
    return {"answers": answers, "spend": calls.spend, **lost.of_result}


def _compare_three_ways(
    lab: PreparedLab, arms: Mapping[str, Arm], cases: Cases
) -> SynthesisResult:
    """Return the quality of the three ways to answer, and the gaps between them."""
    scores = lab.scores
    retrieved = arms[_RETRIEVED]
    known = arms[_KNOWN]
    without = arms[_WITHOUT]
    if not scores.unanswered(known, cases):
        # without a passage "I don't know" may be all that a good model says
        scores.believed.add(without.id)
    right = scores.share(known, cases)
    return SynthesisResult(
        arm=f"{known.prompt} · {lab.plan.named(known.model)}",
        retrieved=scores.share(retrieved, cases),
        known=right,
        none=scores.share(without, cases),
        retrieval_gap=contrast(scores, known, retrieved, cases),
        synthesis_gap=_share_of_others(right),
        gain=contrast(scores, retrieved, without, cases),
    )


def _share_of_others(share: ShareOf | Unknown) -> ShareOf | Unknown:
    """Return the share of all other cases, such as of the wrong ones for that of the right ones."""
    if isinstance(share, Unknown):
        return share
    return share.model_copy(
        update={"value": 1 - share.value, "low": 1 - share.high, "high": 1 - share.low}
    )


def evidence_of(
    result: RetrievalResult, prepared: PreparedRetrieval
) -> Measured | None:
    """Return the lab's evidence for the case; None where it has too few questions."""
    kept = list[Evidence]()
    # among the passages of the evaluation set alone, a passage is found too easily
    if result.source and result.best.recall.clusters >= ENOUGH:
        kept += _recall_evidence(result, prepared)
    answers = result.answers
    if not isinstance(answers, Unknown):
        gap = answers.synthesis_gap
        if not isinstance(gap, Unknown) and gap.clusters >= ENOUGH:
            kept.append(_synthesis_evidence(result, answers.arm, gap, prepared.as_of))
    return measured_in(result, *kept) if kept else None


def _recall_evidence(
    result: RetrievalResult, prepared: PreparedRetrieval
) -> Iterator[Evidence]:
    """Yield the recall of the best way and, where it is enough, that retrieval is optimized.

    Where it isn't enough, another embedding or another reranker may still find more.
    """
    recall = result.best.recall
    source = f"retrieval lab: {result.best.way}"
    stated = prepared.case.today.retrieval_recall
    name = "retrieval_recall"
    path = "today.retrieval_recall"
    lowest = recall.low
    if stated is not None:
        # the stated recall is of the search in use, and the best way is another
        name = "best_retrieval_recall"
        path = ""
        lowest = min(stated, recall.low)
    yield interval_evidence(
        name,
        recall,
        prepared.as_of,
        unit="share of questions",
        source=source,
        method=f"a known passage among the first {result.k} pieces, on questions that chose nothing",
        factor=path,
    )
    if prepared.enough is not None and lowest >= prepared.enough:
        n = len(result.ways)
        yield interval_evidence(
            "retrieval_ways",
            recall.model_copy(update={"value": n, "low": n, "high": n}),
            prepared.as_of,
            unit="ways",
            source=source,
            method="compared by recall on the same questions",
            factor="retrieval_optimised",
        )


def _synthesis_evidence(
    result: RetrievalResult, arm: str, gap: ShareOf, as_of: date
) -> Evidence:
    """Return the share of answers that are wrong though the known passages are before the model."""
    return interval_evidence(
        "synthesis_failure_share",
        gap,
        as_of,
        unit="share of answers with sufficient context",
        source=f"retrieval lab: {result.best.way}",
        method=f"wrong with the known passages before it, by {arm}",
        factor="knowledge_gaps",
    )


def render(
    result: RetrievalResult,
    form: str = "text",
    *,
    folder: str = ".",
    colour: bool = False,
) -> str:
    """The result as ``text`` or ``json``."""
    if form == "json":
        return lab_dict("retrieval", result)
    return render_document(retrieval_document(result, folder=folder), colour=colour)


def render_quote(
    prepared: PreparedRetrieval,
    quote: Quote,
    form: str = "text",
    *,
    cap_usd: float | None = None,
    colour: bool = False,
) -> str:
    """The documents to search, the models to ask, and the price, as ``text`` or ``json``."""
    result = prepared.result
    answering = {arm.id: arm for arm, _ in prepared.asked}
    arms = (*(_arm(row.way) for row in result.ways), *answering.values())
    parts = result.select, result.report
    if form == "json":
        if prepared.lab is None:
            return quote_json(arms, *parts, quote)
        return quote_json(
            arms,
            *parts,
            quote,
            hosts=find_strange_hosts(prepared.lab.places),
            proxies=prepared.lab.proxies,
            unconfirmed=prepared.lab.unconfirmed,
        )
    searched = (
        f"{counted(result.documents, 'document')}, which is free and sends nothing"
    )
    cap = cap_usd if answering else None
    more = [("Searched", searched)]
    if prepared.lab:
        more += price_rows(prepared.lab)
    document = quote_document(arms, *parts, quote, cap_usd=cap, more=more)
    return render_document(document, colour=colour, everything=True)
