"""Solved cases of a lab, to show as examples, to look up, and to train a small classifier on."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tuneworthy.files.materials import filled
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.lab import Arm, ChatMessage
from tuneworthy.text.embedding import embed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tuneworthy.stats.clustered import Ints, Vectors

Cases = Sequence[EvalCase]
# nearest examples kept for each case: enough for most arms, with some to spare
_KEPT = 64
_BLOCK = 128  # texts that are compared with all examples at a time
_TURNS = 8192  # examples kept as turns, because labs show the same ones again and again
_DIGITS = 6  # digits of a cosine; further digits depend on the machine
FOLDS = 5
NO_FOLD = -1  #: The fold of a case that is like no example: its head learns from all.


class Head(NamedTuple):
    """A trained classifier of embeddings."""

    labels: NDArray[np.object_]
    weights: Vectors  #: A column for each label, the intercept in the last row.


class Pool:
    """Solved cases to show as examples or to look up.

    A case never gets its own conversation, nor its own input under another name: examples are often
    from the data that the evaluation set was cut from. Cases without a reference are left out.
    """

    def __init__(self, examples: Cases) -> None:
        self.examples = tuple(example for example in examples if example.accepted)
        self._questions = tuple(map(question, self.examples))
        self._clusters = tuple(example.cluster for example in self.examples)
        self._texts = tuple(
            answer_text(example.accepted[0]) for example in self.examples
        )
        self._vectors: Vectors | None = None
        # texts of announced cases that nobody has looked up yet; a dictionary keeps their order
        self._waiting: dict[str, None] = {}
        # by text of a case: its vector, and the places of the examples nearest to it
        self._neighbours: dict[str, tuple[Vectors, list[int]]] = {}
        by_answer = defaultdict[str, list[int]](list)
        for place, text in enumerate(self._texts):
            by_answer[text].append(place)
        # the first example of each answer, then the second of each, and so on
        turns = zip_longest(*by_answer.values())
        self._spread = [at for turn in turns for at in turn if at is not None]
        # the most frequent first, and equally frequent ones by the alphabet
        self._answers = sorted(
            by_answer, key=lambda text: (-len(by_answer[text]), text)
        )
        self._folds: tuple[Ints, Mapping[str, int]] | None = None
        self._heads: dict[int, Head] = {}
        self._drawn: dict[str, list[int]] = {}
        # results that many arms ask for
        self._shown: dict[tuple[object, ...], tuple[int, ...]] = {}
        self.turns = lru_cache(maxsize=_TURNS)(self._turns)

    def __len__(self) -> int:
        return len(self.examples)

    def expect(self, cases: Iterable[EvalCase]) -> None:
        """Announce cases that will be asked about, so that many are looked up at a time."""
        self._waiting |= dict.fromkeys(case.text for case in cases)

    def _visible(self, case: EvalCase, places: Iterable[int]) -> Iterator[int]:
        """Yield the places of the examples that a case may get, in their order."""
        cluster = case.cluster
        own = question(case)
        for place in places:
            if self._clusters[place] != cluster and self._questions[place] != own:
                yield place

    def fixed(self, k: int, case: EvalCase) -> tuple[int, ...]:
        """Return places of ``k`` examples of other conversations, spread over the answers."""
        return tuple(islice(self._visible(case, self._spread), k))

    def drawn(self, name: str, k: int, case: EvalCase) -> tuple[int, ...]:
        """Return places of ``k`` examples of other conversations, in an order drawn for a name.

        The name ends in the number that the order is drawn by, as ``drawn-2``.
        """
        if name not in self._drawn:
            seed = int(name.rpartition("-")[2])
            order = np.random.default_rng(seed).permutation(len(self.examples))
            self._drawn[name] = order.tolist()
        return tuple(islice(self._visible(case, self._drawn[name]), k))

    def nearest(self, k: int, case: EvalCase) -> tuple[int, ...]:
        """Return places of the ``k`` nearest examples of other conversations, by the cosine.

        The nearest comes last, where a model reads it last. There are fewer in a small pool.
        """
        if not self.examples or k < 1:
            return ()
        vector, places = self._neighbours_of(case.text)
        near = list(islice(self._visible(case, places), k))
        if len(near) < k and len(self.examples) > _KEPT:
            # many of the nearest are of its own conversation: all are looked through
            every = nearest_places(self._likeness(vector), len(self.examples))
            near = list(islice(self._visible(case, every), k))
        return tuple(reversed(near))

    def shown_to(self, arm: Arm, case: EvalCase) -> tuple[int, ...]:
        """Return places of the examples that an arm shows a model with a case."""
        source = arm.few_shot_from
        if source == "none":
            return ()
        key = (source, arm.few_shot, case.cluster, case.input or case.messages)
        if key not in self._shown:
            if source == "fixed":
                self._shown[key] = self.fixed(arm.few_shot, case)
            elif source == "nearest":
                self._shown[key] = self.nearest(arm.few_shot, case)
            else:
                self._shown[key] = self.drawn(source, arm.few_shot, case)
        return self._shown[key]

    def _turns(
        self, template: str, previous: str, place: int
    ) -> tuple[ChatMessage, ChatMessage]:
        """Return an example as two turns of a conversation, its question in the template's form."""
        values = {"input": self.examples[place].text, "previous": previous}
        return (
            ChatMessage(role="user", content=filled(template, values)),
            ChatMessage(role="assistant", content=self._texts[place]),
        )

    def look_up(self, arm: Arm, case: EvalCase) -> str:
        """Return the answer of a baseline; empty for an empty pool."""
        if not self.examples:
            return ""
        if arm.of == "majority":
            # counted over all examples: without its own, a case would vote against itself
            return self._answers[0]
        if arm.of == "nearest_neighbour":
            return "".join(self._texts[place] for place in self.nearest(1, case))
        return self.head(case)

    @property
    def teaches(self) -> bool:
        """Whether a classifier can be trained on it: twenty examples, and five for each class."""
        classes = len(self._answers)
        return classes > 1 and len(self) >= max(20, 5 * classes)

    def head(self, case: EvalCase) -> str:
        """Return the label by a logistic regression on embeddings, trained without this conversation.

        Conversations that share a question are one group, and groups fall into five folds. A case
        of a group is answered by the head of the other folds, any other by one head of all.
        """
        head, scores = self._head_scores(case)
        return str(head.labels[int(np.argmax(scores))])

    def sureness(self, case: EvalCase) -> float:
        """Return the probability that the head gives to its label."""
        _, scores = self._head_scores(case)
        raised = np.exp(scores - scores.max())  # the largest is 1, so none overflows
        return float(np.round(raised.max() / raised.sum(), _DIGITS))

    def _head_scores(self, case: EvalCase) -> tuple[Head, Vectors]:
        """Return the head that may answer a case, and its score for each label."""
        _, fold_of_key = self._folds_once()
        # a head must not have learned from the case's own conversation or question
        fold = fold_of_key.get(f"cluster {case.cluster}")
        if fold is None:
            fold = fold_of_key.get(f"question {question(case)}", NO_FOLD)
        head = self.head_without(fold)
        vector, _ = self._neighbours_of(case.text)
        return head, np.append(vector, 1.0) @ head.weights  # 1 for the intercept

    def _folds_once(self) -> tuple[Ints, Mapping[str, int]]:
        """Return the fold of each example, and of each conversation and question by its key."""
        if self._folds is None:
            self._folds = _fold(self._clusters, self._questions)
        return self._folds

    def head_without(self, fold: int = NO_FOLD) -> Head:
        """Return the head that was trained on all examples but those of a fold."""
        if fold not in self._heads:
            fold_of_example, _ = self._folds_once()
            kept = np.flatnonzero(fold_of_example != fold)
            # every n-th, so that no more than the most are learned from
            kept = kept[:: math.ceil(len(kept) / _MOST_TAUGHT)]
            texts = np.array(self._texts, dtype=object)[kept]
            labels, codes = np.unique(texts, return_inverse=True)
            self._heads[fold] = Head(labels, logistic(self.vectors[kept], codes))
        return self._heads[fold]

    def answer_of(self, place: int) -> str:
        """Return the answer of an example, in the form that a model is shown."""
        return self._texts[place]

    @property
    def vectors(self) -> Vectors:
        """The embeddings of the examples, a row for each; computed once."""
        if self._vectors is None:
            self._vectors = embed([example.text for example in self.examples])
        return self._vectors

    def _likeness(self, vectors: Vectors) -> Vectors:
        return np.round(vectors @ self.vectors.T, _DIGITS)

    def _neighbours_of(self, text: str) -> tuple[Vectors, list[int]]:
        """Return the vector of a text and its nearest examples, the nearest first.

        A block of announced texts is computed with it, which is faster than one at a time.
        """
        if text not in self._neighbours:
            self._waiting.pop(text, None)
            block = [text, *islice(self._waiting, _BLOCK - 1)]
            vectors = embed(block)
            scores = self._likeness(vectors)
            for own, vector, row in zip(block, vectors, scores, strict=True):
                self._waiting.pop(own, None)
                self._neighbours[own] = (vector, nearest_places(row, _KEPT))
        return self._neighbours[text]


def nearest_places(scores: NDArray[np.floating[Any]], most: int) -> list[int]:
    """Return places of the ``most`` highest scores, the highest first; equal ones in their order."""
    lower_bound: Any = -np.inf
    if len(scores) > most:  # sorting all is slow, so low scores are left out first
        lower_bound = np.partition(scores, -most)[-most]
    places = np.flatnonzero(scores >= lower_bound)
    highest_first = np.argsort(-scores[places], kind="stable")
    nearest: list[int] = places[highest_first][:most].tolist()
    return nearest


_STEPS = 75  # of the regression
_MOST_TAUGHT = 1_000  # examples that a head learns from
# about the length of centered vectors, so that steps can be long
_INTERCEPT = np.float32(0.3)


def _fold(
    clusters: Sequence[str], questions: Sequence[str]
) -> tuple[Ints, Mapping[str, int]]:
    """Deal examples to folds, so that no head learns from the case it answers.

    Conversations with a common question stay together. Returns the fold of each example, and by
    conversation and by question, each with its kind before it.
    """
    # the group of each conversation or question; all its members share one list
    groups = dict[str, list[str]]()
    keys = [f"cluster {cluster}" for cluster in clusters]
    for key, text in zip(keys, questions, strict=True):
        asked = f"question {text}"
        group = groups.setdefault(key, [key])
        other = groups.setdefault(asked, [asked])
        if group is not other:
            group += other
            groups |= dict.fromkeys(other, group)
    fold_of_key = dict[str, int]()
    dealt = 0
    for key, group in groups.items():
        if key not in fold_of_key:  # else its group was dealt with an earlier member
            fold_of_key |= dict.fromkeys(group, dealt % FOLDS)
            dealt += 1
    fold_of_example = np.array([fold_of_key[key] for key in keys], dtype=np.int64)
    return fold_of_example, fold_of_key


def logistic(vectors: Vectors, codes: Ints) -> Vectors:
    """Weights of a softmax regression with a ridge: a column for each class, the intercept last.

    Nesterov's steps in single precision, as long as the curvature of the loss allows. The vectors
    are centered because their common part would make the steps short.
    """
    n = len(vectors)
    classes = int(codes.max()) + 1  # codes are numbered from 0
    single = np.float32
    center = vectors.mean(axis=0)
    rows = np.hstack([vectors - center, np.full((n, 1), _INTERCEPT)])
    columns = np.ascontiguousarray(rows.T)
    ridge = single(1 / (10 * n))  # keeps weights finite where classes are apart
    # one over the largest curvature that the loss can have
    length = 1 / (0.5 * np.linalg.norm(columns @ rows / n, 2) + ridge)
    weights = np.zeros((rows.shape[1], classes), dtype=single)
    ahead = weights  # where the gradient is taken: a little farther in the direction of the last step
    for step in range(_STEPS):
        by_scores = _gradient_by_scores(rows @ ahead, codes)
        gradient = columns @ by_scores / n + ridge * ahead
        before = weights
        weights = ahead - length * gradient
        # Nesterov's momentum, which grows from 0 towards 1
        ahead = weights + single(step / (step + 3)) * (weights - before)
    # the intercept for vectors that aren't centered
    intercept = _INTERCEPT * weights[-1:] - center @ weights[:-1]
    return np.vstack([weights[:-1], intercept])


def _gradient_by_scores(scores: Vectors, codes: Ints) -> Vectors:
    """Return the gradient of the loss by the scores: their softmax, less 1 for the right class."""
    # the largest score is taken away, so that no exponential overflows
    chances: Vectors = np.exp(scores - scores.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    chances[np.arange(len(codes)), codes] -= 1
    return chances


def question(case: EvalCase) -> str:
    """Return the input of a case, as a text that is equal for equal questions."""
    if case.input is not None:
        text = case.input
    else:
        turns = [[message.role, message.content] for message in case.messages]
        text = json.dumps(turns, ensure_ascii=False)
    return " ".join(text.casefold().split())


def answer_text(reference: Any) -> str:
    """A reference as the text that a model would write; keys stay in the order of the file."""
    if isinstance(reference, str):
        return reference
    return json.dumps(reference, ensure_ascii=False)
