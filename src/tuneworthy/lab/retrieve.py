"""The retrieval lab: which way of retrieving finds the known passage, and the loss in answers.

Documents are cut into pieces and searched in every way by known libraries, bm25s and wordllama. A
way is chosen on some questions and reported on others. Retrieving is free and sends nothing.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from tuneworthy.lab.plan import Asked, Cases, LabPlan, joined, nearest_places
from tuneworthy.lab.prepare import (
    CallSettings,
    PreparedLab,
    evalset_of,
    paid,
    probed,
    with_spent,
)
from tuneworthy.lab.prepare import prepare as prepare_lab
from tuneworthy.lab.result import ENOUGH, contrast, interval_evidence, measured_in
from tuneworthy.lab.scores import Scores, first_of
from tuneworthy.lab.session import PaidCalls, ledger_or_none
from tuneworthy.llm.hosts import find_strange_hosts
from tuneworthy.llm.ledger import Ledger
from tuneworthy.llm.runner import Job, quote
from tuneworthy.measure.signals.knowledge import sentences
from tuneworthy.model import lab as of
from tuneworthy.model.base import Unknown
from tuneworthy.model.case import Case, Holding
from tuneworthy.model.evalset import CasePassage, EvalCase
from tuneworthy.model.evidence import Evidence, Measured, MeasuredFile
from tuneworthy.pipeline import framework_of, load_case
from tuneworthy.report import render as render_document
from tuneworthy.report.sections.lab import lab_dict
from tuneworthy.report.sections.lab_quote import quote_dict, quote_document
from tuneworthy.report.sections.lab_retrieval import retrieval_document
from tuneworthy.text.embedding import embed
from tuneworthy.words import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]


Span = tuple[int, int]

DEPTH = 100  #: Pieces of each list that are looked at.
_RRF = 60  # as Cormack, Clarke and Büttcher (2009)
# Ours, and tuned on nothing: pieces read again; pieces and words that widen a question.
_RERANKED = 30
_FED_BACK = 3
_TERMS = 10
_MOST_PIECES = 200_000
_MOST_PLACES = 20
_WORD = re.compile(r"\S+")
_TERM = re.compile(r"\w+")
_HEADING = re.compile(r"^#{1,6}[ \t]+\S.*$", re.MULTILINE)
_EDGE = re.compile(r"(?:\A|\n)(?=#{1,6}[ \t])|\n[ \t]*\n\s*(?=\S)")


def fixed(text: str, most: int) -> Iterator[Span]:
    """Pieces of ``most`` words, each of which repeats a fifth of the one before."""
    words = [match.span() for match in _WORD.finditer(text)]
    shared = most // 5
    for first in range(0, max(1, len(words) - shared), most - shared):
        yield from _runs(words, first, min(first + most, len(words)), most)


def sections(text: str, most: int) -> Iterator[Span]:
    """Paragraphs under one heading, joined up to ``most`` words; longer ones are cut."""
    words = [match.span() for match in _WORD.finditer(text)]
    begin = 0
    edges = [match.end() for match in _EDGE.finditer(text.rstrip())]
    places = [bisect_left(words, (edge, 0)) for edge in edges]
    for (at, end), edge in zip(pairwise([*places, len(words)]), edges, strict=True):
        if text[edge] == "#" or end - begin > most:
            yield from _runs(words, begin, at, most)
            begin = at
    yield from _runs(words, begin, len(words), most)


def _runs(words: Sequence[Span], first: int, last: int, most: int) -> Iterator[Span]:
    """Runs of at most ``most`` words, from the first to the one before ``last``."""
    for place in range(first, last, most):
        start, _ = words[place]
        _, end = words[min(place + most, last) - 1]
        yield start, end


CHUNKINGS = {"fixed": fixed, "sections": sections}


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
    """Documents in pieces of at most ``most`` words, in their order.

    A later part of a section begins with its heading, which isn't counted among the words.
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
    """A part of a text after its heading; the part alone where it has none, or begins with it."""
    part = text[start:end]
    before = bisect_right(headings, (start, len(text)))
    if not before:
        return part
    first, last = headings[before - 1]
    if first == start:
        return part
    return f"{text[first:last]}\n{part}"


class Shelf:
    """Places of passages in documents; blanks and line ends don't count."""

    def __init__(self, documents: Sequence[TeamDocument]) -> None:
        self._texts = [document.text for document in documents]
        self._names = {
            document.name: number for number, document in enumerate(documents)
        }
        bare = ["".join(text.split()) for text in self._texts]
        self._starts = [0, *np.cumsum([len(text) + 1 for text in bare]).tolist()]
        self._all = "\0".join(bare)
        self._solids = dict[int, "NDArray[np.int32]"]()

    def places(self, passage: CasePassage) -> tuple[tuple[int, Span], ...]:
        """The document and span of each place; the whole document where a passage only names it."""
        letters = "".join(passage.text.split())
        if not letters:
            number = self._names.get(passage.id)
            if number is None:
                return ()
            return ((number, (0, len(self._texts[number]))),)
        places: list[tuple[int, Span]] = []
        at = self._all.find(letters)
        while at >= 0 and len(places) < _MOST_PLACES:
            number = bisect_right(self._starts, at) - 1
            first = at - self._starts[number]
            last = first + len(letters) - 1
            solid = self._solid(number)  # back to places in the text with its blanks
            places.append((number, (int(solid[first]), int(solid[last]) + 1)))
            at = self._all.find(letters, at + len(letters))
        return tuple(places)

    def _solid(self, number: int) -> NDArray[np.int32]:
        """The places of the characters in a document that aren't blanks."""
        if number not in self._solids:
            blank = np.fromiter(map(str.isspace, self._texts[number]), dtype=bool)
            self._solids[number] = np.flatnonzero(~blank).astype(np.int32)
        return self._solids[number]


def best_places(scores: Floats) -> list[int]:
    """Places of the highest positive scores, the highest first; equal ones in their order."""
    return [
        place for place in nearest_places(scores, DEPTH).tolist() if scores[place] > 0
    ]


def fused(*orders: Sequence[int]) -> list[int]:
    """Join orders by reciprocal rank fusion; equal ones in the order of the pieces."""
    worth: Counter[int] = Counter()
    for order in orders:
        for rank, place in enumerate(order, start=1):
            worth[place] += 1 / (_RRF + rank)  # type: ignore[assignment]  # a weight
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
        self._terms = [_terms(text) or [""] for text in texts]
        self._counts = Counter[str]()  # texts that a word is in
        for terms in self._terms:
            self._counts.update(set(terms))
        self._vectors = embed([_flat(text) for text in texts])
        self._sentences = dict[int, "Floats"]()  # by text a row for each of its own
        self._bm25 = bm25s.BM25()
        self._bm25.index(self._terms, show_progress=False)

    def orders(self, questions: Sequence[str]) -> Iterator[dict[str, list[int]]]:
        """The first pieces for each question, by method."""
        asked = [_terms(text) for text in questions]
        vectors = embed([_flat(text) for text in questions])
        by_words = [self._order_by_words(terms) for terms in asked]
        by_vector = [best_places(self._vectors @ vector) for vector in vectors]
        hybrids = [fused(*pair) for pair in zip(by_words, by_vector, strict=True)]
        read_again = set[int]()
        for hybrid in hybrids:
            read_again.update(hybrid[:_RERANKED])
        # the sentences of all questions at once, because that is faster
        self._embed_sentences(read_again)
        for terms, vector, words, dense, hybrid in zip(
            asked, vectors, by_words, by_vector, hybrids, strict=True
        ):
            yield {
                "BM25": words,
                "dense": dense,
                "hybrid": hybrid,
                "hybrid reranked": self._rerank_by_sentence(vector, hybrid),
                "hybrid expanded": self._order_expanded(terms, vector, words, dense),
            }

    def _order_by_words(self, terms: list[str]) -> list[int]:
        return best_places(self._bm25.get_scores(terms)) if terms else []

    def _rerank_by_sentence(self, vector: Floats, order: Sequence[int]) -> list[int]:
        """An order whose first places are sorted again, by their sentence nearest to the question."""
        nearness = {
            place: float((self._sentences[place] @ vector).max())
            for place in order[:_RERANKED]
        }
        first = sorted(nearness, key=nearness.__getitem__, reverse=True)
        return [*first, *order[_RERANKED:]]

    def _order_expanded(
        self,
        terms: Sequence[str],
        vector: Floats,
        words: Sequence[int],
        dense: Sequence[int],
    ) -> list[int]:
        """Places for a question that is extended by words of its first pieces.

        The question counts twice as much as the additions: its words are repeated, and the mean of
        the added vectors is halved.
        """
        wider = [*terms, *terms, *self._typical_words(words[:_FED_BACK])]
        added = self._vectors[dense[:_FED_BACK]].sum(axis=0) / (2 * _FED_BACK)
        return fused(
            self._order_by_words(wider), best_places(self._vectors @ (vector + added))
        )

    def _embed_sentences(self, places: Iterable[int]) -> None:
        """Embed the sentences of some texts, as a piece is as near as its nearest sentence."""
        new = sorted({*places} - {*self._sentences})
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
        """The words typical of some texts: frequent in these, in few of all."""
        counts = Counter[str]()
        for place in places:
            counts.update(self._terms[place])
        weights = {
            term: n * math.log(len(self._texts) / self._counts[term])
            for term, n in counts.items()
        }
        return sorted(weights, key=lambda term: (-weights[term], term))[:_TERMS]


def _flat(text: str) -> str:
    """A text on one line, as line ends change wordllama's vectors."""
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
    passages: tuple[tuple[tuple[int, Span], ...], ...]


def _rank(pieces: Sequence[Piece], places: Iterable[tuple[int, Span]]) -> int:
    """The rank of the first piece with one of some places, from 1; 0 for none."""
    for rank, piece in enumerate(pieces, start=1):
        if any(piece.holds(*place) for place in places):
            return rank
    return 0


def _texts_by_form(questions: Sequence[Question]) -> dict[str, list[str]]:
    """The texts to search with: the last turn and, if any question has several, all turns."""
    last_turns = [question.case.text for question in questions]
    all_turns = []
    has_several = False
    for question in questions:
        turns = [each.content for each in question.case.messages if each.role == "user"]
        has_several = has_several or len(turns) > 1
        all_turns.append(" ".join(turns) or question.case.text)
    if has_several:
        return {"": last_turns, " · all turns": all_turns}
    return {"": last_turns}


class SearchedWays:
    """The first ``k`` pieces that every way finds for some questions."""

    def __init__(
        self,
        questions: Sequence[Question],
        pieces: Mapping[str, Sequence[Piece]],
        k: int,
    ) -> None:
        self.found: dict[str, dict[str, tuple[CasePassage, ...]]] = {}
        """By way and id of the case: the pieces, as passages for answering."""
        self.recall = Scores()
        self.mrr = Scores()
        self.passages = Scores()
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
        case = question.case.id
        ranks = [_rank(first, places) for places in question.passages]
        retrieved = [rank for rank in ranks if rank > 0]
        self.recall.note_score(way, case, float(len(retrieved) > 0))
        self.mrr.note_score(way, case, 1 / min(retrieved) if retrieved else 0.0)
        self.passages.note_score(way, case, len(retrieved) / len(ranks))
        passages = tuple(CasePassage(text=piece.text) for piece in first)
        self.found.setdefault(way, {})[case] = passages

    def row(self, way: str, cases: Cases) -> of.Retrieved:
        """The result of a way on some cases; ``words`` is the mean number in a case's pieces."""
        arm = _arm(way)
        words = 0
        for case in cases:
            words += sum(len(piece.text.split()) for piece in self.found[way][case.id])
        return of.Retrieved.model_validate(
            {
                "way": way,
                "recall": self.recall.share(arm, cases),
                "mrr": self.mrr.share(arm, cases),
                "passages": min(1.0, float(self.passages.row(arm, cases).mean())),
                "words": words / len(cases),
            }
        )


def _arm(way: str) -> of.Arm:
    return of.Arm(id=way, kind="baseline", of="retrieval")


class PreparedRetrieval(NamedTuple):
    """A retrieval lab after its free part."""

    case: Case
    as_of: date
    #: Recall from which the framework calls retrieval good enough.
    enough: float | None
    result: of.RetrievalResult  #: Without answers.
    #: The model that answers, ready to run; None where no model shall.
    lab: PreparedLab | None
    asked: tuple[tuple[of.Arm, EvalCase], ...]
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
    chosen: str | None = None,
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
    beside(case, "--documents", documents)  # refuses a path that leads out of the case
    data = case.data
    where = "data.documents"
    if documents:
        named = Holding.model_construct(path=documents)
        data = data.model_copy(update={"documents": named})
        where = "--documents"
    files = files_now(case.model_copy(update={"data": data}), "evaluation", "documents")
    cases = evalset_of(case, source)
    path = ""
    if data.documents is not None:
        path = data.documents.path or ""
    if path:
        texts, others = read_documents(case, path, where)
    else:
        texts = _own_passages(cases)
        others = 0
    questions, left_out = _questions(joined(cases), texts)
    select, report = parted([question.case for question in questions], seed=seed)
    if not select or not report:
        what = "has too few questions with a known passage to part them"
        fix = "give cases contexts: the passages with the answer, as they stand in the documents"
        raise CaseError(what, where=case.where("data", "evaluation"), fix=fix)
    pieces = {name: cut(texts, name, words) for name in CHUNKINGS}
    ways = SearchedWays(questions, pieces, k)
    rows = [ways.row(way, select) for way in ways.found]
    # of equal ways the plainer one, which comes first in ``ways.found``
    rows.sort(key=lambda row: (-row.recall.value, -row.mrr.value))
    best, rivals = _best_and_rivals(rows, plainest=next(iter(ways.found)))
    result = of.RetrievalResult(
        ways=tuple(rows),
        best=ways.row(best, report),
        contrasts=tuple(
            contrast(ways.recall, _arm(best), _arm(r), report) for r in rivals
        ),
        k=k,
        words=words,
        source=path,
        documents=len(texts),
        pieces={name: len(parts) for name, parts in pieces.items()},
        select=len(select),
        report=len(report),
        left_out=left_out,
        other_files=others,
        seed=seed,
        answers=Unknown(ask="have a model answer: --answers"),
    )
    enough = framework_of(case, chosen).threshold("retrieval_recall")
    answering = None
    asked = tuple[tuple[of.Arm, EvalCase], ...]()
    if answers:
        ready = prepare_lab(source, chosen=chosen, seed=seed, as_of=as_of, **lab)
        answering = _answering(ready, arm)
        passages = {case.id: ways.found[best][case.id] for case in report}
        asked = tuple(_ask_three_ways(answering.plan, passages))
    day = as_of or date.today()
    return PreparedRetrieval(case, day, enough, result, answering, asked, files)


def _own_passages(cases: Iterable[EvalCase]) -> tuple[TeamDocument, ...]:
    """The passages of the cases as documents, each text once, under its last id."""
    ids = dict[str, str]()
    for case in cases:
        for passage in case.contexts:
            if passage.text.strip():
                ids[passage.text] = passage.id
    return tuple(TeamDocument(ids[text], text) for text in sorted(ids))


def _best_and_rivals(
    rows: Sequence[of.Retrieved], *, plainest: str
) -> tuple[str, list[str]]:
    """The best way, and the ways to compare it with: the second best, and the plainest."""
    ordered = [row.way for row in rows]
    best = ordered[0]
    rivals = dict.fromkeys((*ordered[1:2], plainest))
    rivals.pop(best, None)
    return best, list(rivals)


def _questions(
    cases: Cases, documents: Sequence[TeamDocument]
) -> tuple[list[Question], dict[str, int]]:
    """Cases with a known passage in the documents, and the reasons why others are left out."""
    shelf = Shelf(documents)
    known = list[Question]()
    left_out = Counter[str]()
    for row in cases:
        places = tuple(filter(None, map(shelf.places, row.contexts)))
        if UNANSWERABLE in row.tags:
            left_out[UNANSWERABLE] += 1
        elif not places:
            left_out["not_in_documents" if row.contexts else "no_passage"] += 1
        else:
            known.append(Question(row, places))
    return known, dict(left_out)


def _answering(lab: PreparedLab, wanted: str | None) -> PreparedLab:
    """The lab with only the arm that answers, with its prompt as written."""
    for arm in lab.plan.of_kind("prompt"):
        named = f"{arm.prompt} · {lab.plan.named(arm.model)}"
        names = (None, named, f"{arm.prompt} · {arm.model}")
        if arm.retrieval and not arm.steps and wanted in names:
            plan = replace(lab.plan, arms=(arm,))
            return replace(lab, plan=plan.probing() if plan.probes else plan)
    what = "names no prompt that shows passages" + (
        f' for "{wanted[:80]}"' if wanted else ""
    )
    fix = "write one with {{ contexts }} in it, and name it as PROMPT · MODEL"
    raise CaseError(what, where=lab.case.where("data", "prompts"), fix=fix)


def _ask_three_ways(
    plan: LabPlan, passages: Mapping[str, tuple[CasePassage, ...]]
) -> Iterator[tuple[of.Arm, EvalCase]]:
    """Each question three times: with the retrieved passages, with the known ones, and with none."""
    (arm,) = plan.arms
    retrieved = arm.model_copy(update={"id": _RETRIEVED, "retrieval": True})
    known = arm.model_copy(update={"id": _KNOWN, "retrieval": True})
    without = arm.model_copy(update={"id": _WITHOUT, "retrieval": False})
    for case in plan.report:
        if case.id in passages:
            yield retrieved, case.model_copy(update={"contexts": passages[case.id]})
            yield known, case
            yield without, case


def price(prepared: PreparedRetrieval, ledger: Ledger | None) -> of.Quote:
    """The most that the answers would cost; nothing where no model has to answer."""
    if prepared.lab is None:
        return quote([], ledger, lambda _: None)
    plan = prepared.lab.plan
    jobs = list[Job]()
    for arm, case in prepared.asked:
        jobs += [job for job, _, _ in plan.calls([arm], [case])]
    return quote([*plan.probe_jobs(), *jobs], ledger, prepared.lab.price_of)


def quoted(prepared: PreparedRetrieval) -> of.Quote:
    """The most that the answers would still cost; nothing is sent."""
    with ledger_or_none(prepared.case) as ledger:
        return with_spent(price(prepared, ledger), ledger, RETRIEVE_RUN)


def run(
    prepared: PreparedRetrieval,
    *,
    cap_usd: float = 0.0,
    **settings: Unpack[CallSettings],
) -> of.RetrievalResult:
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
    prepared: PreparedRetrieval, calls: PaidCalls, _: of.Quote
) -> dict[str, Any]:
    """The three ways to answer and the gaps between them, or why it ended early."""
    assert prepared.lab is not None  # the caller has made sure that a model answers
    lab, stop = await probed(prepared.lab, calls)
    wanted = list[Asked]()
    for arm, case in prepared.asked:
        wanted += lab.plan.calls([arm], [case])
    ended = calls.counting(len(wanted), running=3)
    if not stop:
        stop = (await lab.scores.run(calls.runner(ended), wanted)).stop
    if stop:
        unknown = Unknown(ask="run it to its end")
        return {"answers": unknown, "spend": calls.spend, **stop.of_result}
    cases = tuple({case.id: case for _, _, case in wanted}.values())
    arms = {arm.id: arm for _, arm, _ in wanted}
    retrieved = arms[_RETRIEVED]
    known = arms[_KNOWN]
    none = arms[_WITHOUT]
    if not lab.scores.unanswered(known, cases):
        # Without a passage "I don't know" may be all that a good model says.
        lab.scores.believed.add(none.id)
    right = lab.scores.share(known, cases)
    wrong = right
    if not isinstance(right, Unknown):
        ends = {"value": 1 - right.value, "low": 1 - right.high, "high": 1 - right.low}
        wrong = right.model_copy(update=ends)
    answers = of.SynthesisResult(
        arm=f"{known.prompt} · {lab.plan.named(known.model)}",
        retrieved=lab.scores.share(retrieved, cases),
        known=right,
        none=lab.scores.share(none, cases),
        retrieval_gap=contrast(lab.scores, known, retrieved, cases),
        synthesis_gap=wrong,
        gain=contrast(lab.scores, retrieved, none, cases),
    )
    stops = [lab.scores.unanswered(arm, cases) for arm in (retrieved, known, none)]
    lost = [stop for stop in stops if stop]
    return {"answers": answers, "spend": calls.spend, **first_of(lost).of_result}


def evidence_of(
    result: of.RetrievalResult, prepared: PreparedRetrieval
) -> Measured | None:
    """The lab's evidence for the case; None where it has too few questions.

    Recall counts only on the team's documents: among the passages of the evaluation set alone, a
    passage is found too easily. Where the case states the recall of today's search, that stays, and
    the recall of the best way is added beside it. Where enough is found, the evidence says that
    retrieval is optimized. Otherwise another embedding or another reranker may still find more.
    """
    best = result.best
    answers = result.answers
    kept = list[Evidence]()

    def keep(name: str, factor: str, value: of.ShareOf, unit: str, method: str) -> None:
        """Keep a measurement if it rests on enough conversations."""
        more = {
            "source": f"retrieval lab: {best.way}",
            "method": method,
            "factor": factor,
        }
        if value.clusters >= ENOUGH:
            kept.append(
                interval_evidence(name, value, prepared.as_of, unit=unit, **more)
            )

    stated = prepared.case.today.retrieval_recall
    if result.source:
        how = f"a known passage among the first {result.k} pieces, on questions that chose nothing"
        name = "retrieval_recall"
        path = "today.retrieval_recall"
        # the stated recall is of the search in use, and the best way is another
        if stated is not None:
            name = "best_retrieval_recall"
            path = ""
        keep(name, path, best.recall, "share of questions", how)
        low = best.recall.low if stated is None else min(stated, best.recall.low)
        if prepared.enough is not None and low >= prepared.enough:
            n = len(result.ways)
            ways = best.recall.model_copy(update={"value": n, "low": n, "high": n})
            how = "compared by recall on the same questions"
            keep("retrieval_ways", "retrieval_optimised", ways, "ways", how)
    if not isinstance(answers, Unknown) and not isinstance(
        answers.synthesis_gap, Unknown
    ):
        unit = "share of answers with sufficient context"
        how = f"wrong with the known passages before it, by {answers.arm}"
        keep(
            "synthesis_failure_share",
            "knowledge_gaps",
            answers.synthesis_gap,
            unit,
            how,
        )
    return measured_in(result, *kept) if kept else None


def render(
    result: of.RetrievalResult,
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
    quote: of.Quote,
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
            return quote_dict(arms, *parts, quote)
        return quote_dict(
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
        more += prepared.lab.price_rows
    document = quote_document(arms, *parts, quote, cap_usd=cap, more=more)
    return render_document(document, colour=colour, everything=True)
