"""Examples to show a model, and the nearest of them to a case."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneworthy.domain.errors import InputError
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.gather.embedding import embed

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NEAREST_KEPT = 1024  # of each case: more than may be shown, with room for its own conversation


class Pool:
    """Solved cases that may be shown or looked up.

    A case never sees its own conversation, nor its own input under another name: examples are often
    the data that the evaluation set was cut from.

    Args:
        examples: Cases with a reference; those without one are left out.
    """

    def __init__(self, examples: Sequence[EvalCase]) -> None:
        self._examples = tuple(one for one in examples if one.accepted)
        self._asked = tuple(question(one) for one in self._examples)
        self._vectors: NDArray[np.float32] | None = None
        self._orders: dict[str, NDArray[np.int64]] = {}

    def __len__(self) -> int:
        return len(self._examples)

    @property
    def examples(self) -> tuple[EvalCase, ...]:
        """All that are in it."""
        return self._examples

    def _apart(self, case: EvalCase, places: Iterable[int]) -> Iterator[EvalCase]:
        """Those of some examples that a case may see."""
        cluster, own = case.cluster, question(case)
        for place in places:
            one = self._examples[place]
            if one.cluster != cluster and self._asked[place] != own:
                yield one

    def fixed(self, k: int, case: EvalCase) -> tuple[EvalCase, ...]:
        """The first ``k`` of other conversations, spread over the answers there are."""
        by_answer: dict[str, list[EvalCase]] = {}
        for one in self._apart(case, range(len(self._examples))):
            by_answer.setdefault(answer_text(one.accepted[0]), []).append(one)
        chosen: list[EvalCase] = []
        depth = 0
        while len(chosen) < k and any(depth < len(ones) for ones in by_answer.values()):
            chosen += [ones[depth] for ones in by_answer.values() if depth < len(ones)]
            depth += 1
        return tuple(chosen[:k])

    def nearest(self, k: int, case: EvalCase) -> tuple[EvalCase, ...]:
        """The ``k`` nearest of other conversations by the cosine of their embeddings.

        Returns:
            The nearest last, where a model reads it last; fewer where the pool is small.
        """
        if not self._examples or k < 1:
            return ()
        found = islice(self._apart(case, map(int, self._order(case.text))), k)
        return tuple(reversed(tuple(found)))

    def majority(self, case: EvalCase) -> str:
        """The commonest answer of other conversations; empty for an empty pool."""
        everybody = range(len(self._examples))
        counted = Counter(answer_text(one.accepted[0]) for one in self._apart(case, everybody))
        return min(counted, key=lambda text: (-counted[text], text)) if counted else ""

    def neighbour(self, case: EvalCase) -> str:
        """The answer of the nearest of other conversations; empty for an empty pool."""
        near = self.nearest(1, case)
        return answer_text(near[0].accepted[0]) if near else ""

    def _order(self, text: str) -> NDArray[np.int64]:
        """Places of the nearest to a text, looked up once."""
        if text not in self._orders:
            if self._vectors is None:
                self._vectors = _vectors([one.text for one in self._examples])
            likeness = self._vectors @ _vectors([text])[0]
            self._orders[text] = np.argsort(-likeness, kind="stable")[:_NEAREST_KEPT].copy()
        return self._orders[text]


def _vectors(texts: Sequence[str]) -> NDArray[np.float32]:
    found = embed(texts)
    if found is None:
        fix = "install it: pip install 'tuneworthy[lab]'"
        raise InputError("finding the nearest examples needs wordllama", fix=fix)
    return found


def question(case: EvalCase) -> str:
    """What a case asks, as text by which the same question is known again."""
    told = case.input if case.input is not None else [[m.role, m.content] for m in case.messages]
    text = told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)
    return " ".join(text.casefold().split())


def answer_text(reference: Any) -> str:
    """A reference as the text a model would write; keys stand in the order of the file."""
    if isinstance(reference, str):
        return reference
    return json.dumps(reference, ensure_ascii=False)
