"""Documents in pieces, and every way to search them: by known libraries, bm25s and wordllama."""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tuneworthy.errors import CaseError, InputError
from tuneworthy.files.documents import TeamDocument
from tuneworthy.lab.plan import embedded, nearest_places
from tuneworthy.measure.signals.knowledge import sentences
from tuneworthy.model.evalset import CasePassage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

Span = tuple[int, int]

DEPTH = 100  #: Pieces of each list that are looked at.
_RRF = 60  # as Cormack, Clarke and Büttcher (2009)
# Ours, and tuned on nothing: pieces read again; pieces and words that widen a question.
_RERANKED, _FED_BACK, _TERMS = 30, 3, 10
_MOST_PIECES, _MOST_PLACES = 200_000, 20
_BLANKS = [code for code in range(0x3001) if chr(code).isspace()]
_WORD, _TERM = re.compile(r"\S+"), re.compile(r"\w+")
_HEADING = re.compile(r"^#{1,6}[ \t]+\S.*$", re.MULTILINE)
_EDGE = re.compile(r"(?:\A|\n)(?=#{1,6}[ \t])|\n[ \t]*\n\s*(?=\S)")


def fixed(text: str, most: int) -> Iterator[Span]:
    """Pieces of ``most`` words; a fifth of each is in the next one too."""
    words, shared = [found.span() for found in _WORD.finditer(text)], most // 5
    for first in range(0, max(1, len(words) - shared), most - shared):
        yield from _runs(words, first, min(first + most, len(words)), most)


def sections(text: str, most: int) -> Iterator[Span]:
    """Paragraphs under one heading together, as many as ``most`` words allow; longer ones cut."""
    words, begin = [found.span() for found in _WORD.finditer(text)], 0
    edges = [found.end() for found in _EDGE.finditer(text.rstrip())]
    places = [bisect_left(words, (edge, 0)) for edge in edges]
    for (at, end), edge in zip(pairwise([*places, len(words)]), edges, strict=True):
        if text[edge] == "#" or end - begin > most:
            yield from _runs(words, begin, at, most)
            begin = at
    yield from _runs(words, begin, len(words), most)


def _runs(words: Sequence[Span], first: int, last: int, most: int) -> Iterator[Span]:
    for at in range(first, last, most):
        yield words[at][0], words[min(at + most, last) - 1][1]


CHUNKINGS = {"fixed": fixed, "sections": sections}


class Piece(NamedTuple):
    """A part of a document."""

    document: int
    start: int
    end: int
    text: str  #: With the heading it stands under, where it doesn't begin with one.

    def holds(self, document: int, span: Span) -> bool:
        """Whether a half of a passage, or of the piece, is in both."""
        both = min(self.end, span[1]) - max(self.start, span[0])
        least = min(self.end - self.start, span[1] - span[0])
        return self.document == document and 2 * both >= least


def cut(documents: Sequence[TeamDocument], chunking: str, most: int) -> tuple[Piece, ...]:
    """Documents in pieces of at most ``most`` words, in their order."""
    pieces: list[Piece] = []
    for number, (_, text) in enumerate(documents):
        heads = [found.span() for found in _HEADING.finditer(text)]
        for start, end in CHUNKINGS[chunking](text, most):
            above = heads[: bisect_right(heads, (start, len(text)))][-1:]
            over = [text[slice(*head)] for head in above if head[0] < start]
            pieces.append(Piece(number, start, end, "\n".join([*over, text[start:end]])))
        if len(pieces) > _MOST_PIECES:
            what = f"come to more than {_MOST_PIECES:,} pieces"
            raise CaseError(what, where="the documents", fix="name a part of them")
    return tuple(pieces)


class Shelf:
    """Where passages stand in documents; blanks and line ends don't count."""

    def __init__(self, documents: Sequence[TeamDocument]) -> None:
        self._texts = [document.text for document in documents]
        self._names = {document.name: number for number, document in enumerate(documents)}
        bare = ["".join(text.split()) for text in self._texts]
        self._starts = [0, *np.cumsum([len(text) + 1 for text in bare]).tolist()]
        self._all = "\0".join(bare)
        self._solids = dict[int, "NDArray[np.int32]"]()

    def places(self, passage: CasePassage) -> tuple[tuple[int, Span], ...]:
        """Document and span of each place; the whole document where only its name is given."""
        wanted = "".join(passage.text.split())
        if not wanted:
            number = self._names.get(passage.id)
            return () if number is None else ((number, (0, len(self._texts[number]))),)
        found: list[tuple[int, Span]] = []
        at = self._all.find(wanted)
        while at >= 0 and len(found) < _MOST_PLACES:
            number = bisect_right(self._starts, at) - 1
            first = at - self._starts[number]
            solid = self._solid(number)[[first, first + len(wanted) - 1]].tolist()
            found.append((number, (solid[0], solid[1] + 1)))
            at = self._all.find(wanted, at + len(wanted))
        return tuple(found)

    def _solid(self, number: int) -> NDArray[np.int32]:
        """Where the letters of a document stand that are no blanks."""
        if number not in self._solids:
            letters = self._texts[number].encode("utf-32-le", "surrogatepass")
            blank = np.isin(np.frombuffer(letters, dtype=np.uint32), _BLANKS)
            self._solids[number] = np.flatnonzero(~blank).astype(np.int32)
        return self._solids[number]


METHODS = ("BM25", "dense", "hybrid", "hybrid reranked", "hybrid expanded")


def best_places(scores: Floats) -> list[int]:
    """Places of the largest positive scores, the largest first; of equals the first piece."""
    return [place for place in nearest_places(scores, DEPTH).tolist() if scores[place] > 0]


def fused(*orders: Sequence[int]) -> list[int]:
    """Orders by reciprocal rank fusion; of equals the first piece."""
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
        self._texts, self._terms = texts, [_terms(text) or [""] for text in texts]
        self._counts = Counter(term for terms in self._terms for term in set(terms))
        self._vectors, self._parts = (
            embedded([_flat(text) for text in texts]),
            dict[int, "Floats"](),
        )
        self._bm25 = bm25s.BM25()
        self._bm25.index(self._terms, show_progress=False)

    def orders(self, questions: Sequence[str]) -> Iterator[dict[str, list[int]]]:
        """The first pieces for each question, by method."""
        asked = [_terms(text) for text in questions]
        vectors = embedded([_flat(text) for text in questions])
        words = [self._by_words(terms) for terms in asked]
        dense = [best_places(self._vectors @ vector) for vector in vectors]
        both = [fused(*pair) for pair in zip(words, dense, strict=True)]
        self._read({place for order in both for place in order[:_RERANKED]})
        for terms, vector, *orders in zip(asked, vectors, words, dense, both, strict=True):
            near = {at: float((self._parts[at] @ vector).max()) for at in orders[2][:_RERANKED]}
            again = sorted(near, key=near.__getitem__, reverse=True)
            fed = vector + self._vectors[orders[1][:_FED_BACK]].sum(axis=0) / (2 * _FED_BACK)
            wider = [*terms, *terms, *self._telling(orders[0][:_FED_BACK])]
            expanded = fused(self._by_words(wider), best_places(self._vectors @ fed))
            every = (*orders, [*again, *orders[2][_RERANKED:]], expanded)
            yield dict(zip(METHODS, every, strict=True))

    def _by_words(self, terms: list[str]) -> list[int]:
        return best_places(self._bm25.get_scores(terms)) if terms else []

    def _read(self, places: Iterable[int]) -> None:
        """Note the vectors of the sentences of some texts: a piece is as near as its nearest."""
        new = sorted({*places} - {*self._parts})
        texts = [sentences(self._texts[place]) or [self._texts[place]] for place in new]
        vectors = embedded([text for each in texts for text in each])
        ends = np.cumsum([0, *map(len, texts)]).tolist()
        self._parts |= {
            at: vectors[slice(*each)] for at, each in zip(new, pairwise(ends), strict=True)
        }

    def _telling(self, places: Iterable[int]) -> list[str]:
        """The words that tell some texts from the rest."""
        found = Counter(term for place in places for term in self._terms[place])
        worth = {t: n * math.log(len(self._texts) / self._counts[t]) for t, n in found.items()}
        return sorted(worth, key=lambda term: (-worth[term], term))[:_TERMS]


def _flat(text: str) -> str:
    """A text on one line: line ends move the vectors of wordllama."""
    return " ".join(text.split())


def _terms(text: str) -> list[str]:
    return _TERM.findall(text.casefold())
