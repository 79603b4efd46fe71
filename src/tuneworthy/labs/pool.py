"""Examples to show a model, and the nearest of them to a case."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneworthy.domain.errors import InputError
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.gather.embedding import embed

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Pool:
    """Solved cases that may be shown or looked up. A case never sees its own conversation.

    Args:
        examples: Cases with a reference; those without one are left out.
    """

    def __init__(self, examples: Sequence[EvalCase]) -> None:
        self._examples = tuple(one for one in examples if one.accepted)
        self._vectors: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self._examples)

    def fixed(self, k: int, case: EvalCase) -> tuple[EvalCase, ...]:
        """The first ``k`` of other conversations, spread over the answers there are."""
        by_answer: dict[str, list[EvalCase]] = {}
        for one in self._examples:
            if one.cluster != case.cluster:
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
        likeness = self._all() @ _vectors([case.text])[0]
        order = np.argsort(-likeness, kind="stable")
        found = [self._examples[i] for i in order[: 4 * k + 8].tolist()]
        apart = [one for one in found if one.cluster != case.cluster]
        if len(apart) < k:
            apart = [
                one for i in order.tolist() if (one := self._examples[i]).cluster != case.cluster
            ]
        return tuple(reversed(apart[:k]))

    def majority(self, case: EvalCase) -> str:
        """The commonest answer of other conversations; empty for an empty pool."""
        counted = Counter(
            answer_text(one.accepted[0]) for one in self._examples if one.cluster != case.cluster
        )
        return min(counted, key=lambda text: (-counted[text], text)) if counted else ""

    def neighbour(self, case: EvalCase) -> str:
        """The answer of the nearest of other conversations; empty for an empty pool."""
        near = self.nearest(1, case)
        return answer_text(near[0].accepted[0]) if near else ""

    def _all(self) -> NDArray[np.float32]:
        if self._vectors is None:
            self._vectors = _vectors([one.text for one in self._examples])
        return self._vectors


def _vectors(texts: Sequence[str]) -> NDArray[np.float32]:
    found = embed(texts)
    if found is None:
        fix = "install it: pip install 'tuneworthy[traces]'"
        raise InputError("finding the nearest examples needs wordllama", fix=fix)
    return found


def answer_text(reference: Any) -> str:
    """A reference as the text a model would write."""
    if isinstance(reference, str):
        return reference
    return json.dumps(reference, ensure_ascii=False, sort_keys=True)
