"""The plan of a lab: the ways to answer a case, the cases, and the requests."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain, islice, product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tuneworthy.files.evalset import parted
from tuneworthy.files.materials import chain_of, filled, names
from tuneworthy.llm.endpoints import TOKENS_A_MESSAGE, Reached, most_input_tokens
from tuneworthy.llm.hosts import name_with_host
from tuneworthy.llm.runner import Job
from tuneworthy.model.base import ChatRole, as_bytes
from tuneworthy.model.case import Case, Model, PromptVariant
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.lab import Arm, ChatMessage, Request, Settled, message_json
from tuneworthy.text.embedding import embed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tuneworthy.stats.clustered import Ints, Vectors

Cases = Sequence[EvalCase]
Arms = Sequence[Arm]
Asked = tuple[Job, Arm, EvalCase]
NEAREST = 8  #: Examples that are retrieved where a prompt doesn't say how many.
_LONGEST = 180  # characters of a name, with room for a number
FEWEST_TOKENS = 512  #: The least limit of an answer for which nobody states one.
PROBE_TOKENS = 8192  #: The most tokens of an answer to a probe.
#: Cases that each model is asked with the most, to see how much it uses.
PROBE_CASES = 3
_ROOM_FOR_ANSWERS = 1.5  # of the longest probe: a few probes show no longest answer
BASELINES_WITHOUT_TRAINING = ("majority", "nearest_neighbour")
BASELINES = (*BASELINES_WITHOUT_TRAINING, "trained_head")


def plan_arms(
    case: Case,
    prompts: Sequence[PromptVariant],
    evalset: Cases,
    examples: int,
    *,
    schema: bool = False,
    head: bool = False,
) -> tuple[Arm, ...]:
    """Return the prompts × models as written, and further arms that teams forget to try.

    Three baselines need no model: the most frequent answer, the answer of the nearest example, and
    a ``head``, where there are enough examples to train one. ``examples`` is the number of existing
    examples, and ``schema`` says whether outputs have one. Ids are unique, and baselines come last.
    """
    named = {prompt.name: prompt for prompt in prompts}
    earlier_steps = {prompt.after for prompt in prompts}
    # an arm is named after the last prompt of its chain
    ends = [prompt for prompt in prompts if prompt.name not in earlier_steps]
    passages = any(row.contexts for row in evalset)
    arms = list[Arm]()
    for prompt, model in product(ends, case.models):
        if prompt.model not in (None, model.id):
            continue
        chain = chain_of(prompt, named)
        texts = [named[name] for name in (*chain, prompt.name)]
        written = _arm_as_written(
            prompt,
            model,
            steps=chain,
            # an example doesn't have what the steps before the last one write
            examples=0 if chain else examples,
            passages=passages and any("contexts" in names(text) for text in texts),
        )
        arms.append(written)
        # passages and the schema are tried with one prompt alone: each arm is a pass over the cases
        can_constrain = schema and not prompt.constrained and model.api == "chat"
        is_first = prompt is ends[0]
        arms += _variants(
            written,
            model,
            examples=0 if chain else examples,
            without_passages=is_first and written.retrieval,
            with_schema=is_first and can_constrain,
        )
    if examples and any(row.accepted for row in evalset):
        baselines = BASELINES if head else BASELINES_WITHOUT_TRAINING
        arms += [Arm(id=name, kind="baseline", of=name) for name in baselines]
    return _distinct(arms)


def _arm_as_written(
    prompt: PromptVariant,
    model: Model,
    *,
    steps: tuple[str, ...],
    examples: int,
    passages: bool,
) -> Arm:
    """Return the arm that uses a prompt as its file says, with the first effort of a model."""
    efforts = model.effort or ("",)
    few_shot = 0
    few_shot_from = "none"
    if prompt.few_shot is not None and prompt.few_shot.k and examples:
        few_shot = min(prompt.few_shot.k, examples)
        few_shot_from = prompt.few_shot.source
    arm = Arm(
        id=prompt.name,
        kind="tuned" if model.kind == "tuned" else "prompt",
        prompt=prompt.name,
        model=model.id,
        constrained=prompt.constrained or "none",
        few_shot=few_shot,
        few_shot_from=few_shot_from,
        effort=efforts[0],
        retrieval=passages,
        steps=steps,
    )
    return _with_name(arm, name_with_host(model.id, model.base_url))


def _variants(
    written: Arm,
    model: Model,
    *,
    examples: int,
    without_passages: bool,
    with_schema: bool,
) -> list[Arm]:
    """Return arms that differ from an arm as it is written in one thing each."""
    _, *other_efforts = model.effort or ("",)
    changes: list[dict[str, Any]] = [{"effort": effort} for effort in other_efforts]
    if examples and written.few_shot_from != "nearest":
        changes.append({"few_shot": min(NEAREST, examples), "few_shot_from": "nearest"})
    if without_passages:
        changes.append({"retrieval": False})
    if with_schema:
        changes.append({"constrained": "schema"})
    called = name_with_host(model.id, model.base_url)
    return [_with_name(written.model_copy(update=change), called) for change in changes]


def arms_with(
    arms: Arms, more: Sequence[Arm], named: Mapping[str, str]
) -> tuple[Arm, ...]:
    """Return arms, followed by others under names that no arm has yet.

    ``named`` are the models' names for people, by id.
    """
    fresh = [_with_name(arm, named[arm.model]) for arm in more]
    return _distinct([*arms, *fresh])


def _distinct(arms: Arms) -> tuple[Arm, ...]:
    """Return arms with different names, even where long names were cut to the same one."""
    used = Counter[str]()
    distinct = list[Arm]()
    for arm in arms:
        used[arm.id] += 1
        more = f" ({used[arm.id]})" if used[arm.id] > 1 else ""
        distinct.append(arm.model_copy(update={"id": f"{arm.id}{more}"}))
    return tuple(distinct)


def _with_name(arm: Arm, model: str) -> Arm:
    """Return an arm with a name made from its parts; ``model`` is its model's name for people."""
    parts = [" → ".join((*arm.steps, arm.prompt)), model]
    if arm.few_shot:
        parts.append(f"{arm.few_shot_from} {arm.few_shot}")
    if arm.effort:
        parts.append(f"effort {arm.effort}")
    if arm.constrained != "none":
        parts.append(f"constrained by {arm.constrained}")
    if arm.retrieval:
        parts.append("with passages")
    return arm.model_copy(update={"id": " · ".join(parts)[:_LONGEST]})


# nearest examples kept for each case: enough for most arms, with some to spare
_KEPT = 64
_BLOCK = 128  # texts that are compared with all examples at a time
_TURNS = 8192  # examples kept as turns, because labs show the same ones again and again
_DIGITS = 6  # digits of a cosine; further digits depend on the machine
FOLDS = 5
NO_FOLD = (
    -1
)  #: The fold of a case that is like no example: its head learns from all of them.


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
        self._neighbours: dict[str, _Neighbours] = {}  # by text of a case
        places_by_answer = defaultdict[str, list[int]](list)
        for place, text in enumerate(self._texts):
            places_by_answer[text].append(place)
        self._spread = _in_turns(list(places_by_answer.values()))
        self._drawn: dict[str, list[int]] = {}
        # the most frequent first, and equally frequent ones by the alphabet
        self._answers = sorted(
            places_by_answer, key=lambda text: (-len(places_by_answer[text]), text)
        )
        self._folds: _Folds | None = None
        self._heads: dict[int, Head] = {}
        # results that many arms ask for
        self._shown: dict[tuple[object, ...], tuple[int, ...]] = {}
        self.turns = lru_cache(maxsize=_TURNS)(self._turns)

    def __len__(self) -> int:
        return len(self.examples)

    def expect(self, cases: Iterable[EvalCase]) -> None:
        """Announce cases that will be asked about, so that many are looked up at a time."""
        for case in cases:
            self._waiting[case.text] = None

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
        neighbours = self._neighbours_of(case.text)
        near = list(islice(self._visible(case, neighbours.places.tolist()), k))
        if len(near) < k and len(self.examples) > _KEPT:
            # many of the nearest are of its own conversation: all are looked through
            scores = self._likeness(neighbours.vector)
            every = nearest_places(scores, len(self.examples)).tolist()
            near = list(islice(self._visible(case, every), k))
        near.reverse()
        return tuple(near)

    def shown_to(self, arm: Arm, case: EvalCase) -> tuple[int, ...]:
        """Return places of the examples that an arm shows a model with a case."""
        if arm.few_shot_from == "none":
            return ()
        about = case.input or case.messages
        key = (arm.few_shot_from, arm.few_shot, case.cluster, about)
        if key not in self._shown:
            self._shown[key] = self._choose_shown(arm, case)
        return self._shown[key]

    def _choose_shown(self, arm: Arm, case: EvalCase) -> tuple[int, ...]:
        """Choose examples in the way of an arm: fixed ones, the nearest, or a named draw."""
        if arm.few_shot_from == "fixed":
            return self.fixed(arm.few_shot, case)
        if arm.few_shot_from == "nearest":
            return self.nearest(arm.few_shot, case)
        return self.drawn(arm.few_shot_from, arm.few_shot, case)

    def _turns(self, template: str, previous: str, place: int) -> Spoken:
        """Return an example as two turns of a conversation, its question in the template's form."""
        asked = filled(
            template, {"input": self.examples[place].text, "previous": previous}
        )
        return Spoken.all(
            Spoken.from_text("user", asked),
            Spoken.from_text("assistant", self._texts[place]),
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
        folds = self._folds_once()
        # a head must not have learned from the case's own conversation or question
        fold = folds.of_key.get(f"cluster {case.cluster}")
        if fold is None:
            fold = folds.of_key.get(f"question {question(case)}", NO_FOLD)
        head = self.head_without(fold)
        vector = self._neighbours_of(case.text).vector
        return head, np.append(vector, 1.0) @ head.weights  # 1 for the intercept

    def _folds_once(self) -> _Folds:
        if self._folds is None:
            self._folds = _fold(self.examples, self._questions)
        return self._folds

    def head_without(self, fold: int = NO_FOLD) -> Head:
        """Return the head that was trained on all examples but those of a fold."""
        if fold not in self._heads:
            kept = np.flatnonzero(self._folds_once().of_example != fold)
            # every n-th, so that no more than the most are learned from
            every_nth = math.ceil(len(kept) / _MOST_TAUGHT)
            kept = kept[::every_nth]
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

    def _neighbours_of(self, text: str) -> _Neighbours:
        """Return the vector of a text and its nearest examples.

        A block of announced texts is computed with it, which is faster than one at a time.
        """
        if text not in self._neighbours:
            self._waiting.pop(text, None)
            block = [text, *islice(self._waiting, _BLOCK - 1)]
            vectors = embed(block)
            scores = self._likeness(vectors)
            for own, vector, row in zip(block, vectors, scores, strict=True):
                self._waiting.pop(own, None)
                self._neighbours[own] = _Neighbours(vector, nearest_places(row, _KEPT))
        return self._neighbours[text]


class _Neighbours(NamedTuple):
    """The embedding of a text, and the examples nearest to it."""

    vector: Vectors
    places: NDArray[np.int32]  #: The nearest first.


class Head(NamedTuple):
    """A trained classifier of embeddings."""

    labels: NDArray[np.object_]
    weights: Vectors  #: A column for each label, the intercept in the last row.


def _in_turns(groups: Sequence[Sequence[int]]) -> list[int]:
    """Return the members of all groups: the first of each, then the second of each, and so on."""
    longest = max(map(len, groups), default=0)
    members = []
    for turn in range(longest):
        members += [group[turn] for group in groups if turn < len(group)]
    return members


def nearest_places(scores: NDArray[np.floating[Any]], most: int) -> NDArray[np.int32]:
    """Return places of the ``most`` highest scores, the highest first; equal ones in their order."""
    # Sorting all is slow, so low scores are left out first. Laid out in columns, the highest score
    # of each column is one of as many scores, so the ``most``-th highest of these is a lower bound.
    lower_bound: Any = -np.inf
    if len(scores) > most:
        # about four times as many columns as scores that are sought
        columns = len(scores) // max(1, len(scores) // (4 * most))
        whole_rows = scores[: len(scores) // columns * columns]
        highest = whole_rows.reshape(-1, columns).max(axis=0)
        lower_bound = np.partition(highest, -most)[-most]
    places = np.flatnonzero(scores >= lower_bound)
    highest_first = np.argsort(-scores[places], kind="stable")
    return places[highest_first][:most].astype(np.int32)


_STEPS = 75  # of the regression
_MOST_TAUGHT = 1_000  # examples that a head learns from
# about the length of centered vectors, so that steps can be long
_INTERCEPT = np.float32(0.3)


class _Folds(NamedTuple):
    """The parts that examples fall into, so that no head learns from the case it answers."""

    of_example: Ints
    of_key: Mapping[
        str, int
    ]  #: By conversation and by question, each with its kind before it.


def _fold(examples: Cases, questions: Sequence[str]) -> _Folds:
    """Deal examples to folds. Conversations with a common question stay together."""
    # the group of each conversation or question; all its members share one list
    groups = dict[str, list[str]]()
    clusters = [f"cluster {example.cluster}" for example in examples]
    for cluster, text in zip(clusters, questions, strict=True):
        asked = f"question {text}"
        group = groups.setdefault(cluster, [cluster])
        other = groups.setdefault(asked, [asked])
        if group is not other:
            group += other
            for member in other:
                groups[member] = group
    fold_of_key = dict[str, int]()
    dealt = 0
    for key, group in groups.items():
        if key in fold_of_key:
            continue  # its group was dealt with an earlier member
        for member in group:
            fold_of_key[member] = dealt % FOLDS
        dealt += 1
    of_example = np.array([fold_of_key[name] for name in clusters], dtype=np.int64)
    return _Folds(of_example, fold_of_key)


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


@dataclass(frozen=True, slots=True)
class Setting:
    """The settings that turn arms into requests."""

    prompts: Mapping[str, PromptVariant]  #: By name.
    #: Where each model of the case is called, by its id.
    reached: Mapping[str, Reached]
    pool: Pool
    schema: str | None = None  #: Output schema as JSON, for constrained arms.
    #: GBNF of the labels, for arms constrained by a grammar.
    grammar: str | None = None
    max_tokens: int = FEWEST_TOKENS
    labels: tuple[str, ...] = ()  #: The labels that decision models choose among.
    #: Ids of the models that decide, and write nothing.
    deciders: frozenset[str] = frozenset()
    #: Tokens an answer likely has, by a log or by right ones.
    answer_tokens: float | None = None


class Spoken(NamedTuple):
    """Messages that several requests share, with their part of a request's key and price."""

    talk: tuple[tuple[ChatRole, str], ...] = ()
    as_json: bytes = b""  #: As canonical JSON.
    tokens: int = 0  #: The most they can have.

    @classmethod
    def from_text(cls, role: ChatRole, text: str) -> Spoken:
        as_json = as_bytes(message_json(role, text))
        return cls(((role, text),), as_json, len(as_bytes(text)) + TOKENS_A_MESSAGE)

    @classmethod
    def all(cls, *parts: Spoken) -> Spoken:
        talk = tuple(chain.from_iterable([part.talk for part in parts]))
        as_json = b",".join([part.as_json for part in parts if part.talk])
        return cls(talk, as_json, sum([part.tokens for part in parts]))


_part = lru_cache(maxsize=256)(Spoken.from_text)


class Form:
    """The part that the requests of an arm at one step have in common, in every case.

    ``step`` counts the prompts of a chain from 0, ``most`` is the most tokens of an answer, and
    ``repeats`` is how often each case is asked.
    """

    def __init__(
        self, arm: Arm, setting: Setting, step: int = 0, most: int = 0, repeats: int = 0
    ) -> None:
        chain_of_prompts = (*arm.steps, arm.prompt)
        prompt = setting.prompts[chain_of_prompts[step]]
        model = prompt.model or arm.model
        variables = names(prompt)
        self.arm = arm
        self.pool = setting.pool
        self.prompt = prompt
        self.shows_examples_inside = "examples" in variables
        """Whether examples go into the prompt's text; else they are turns before the question."""
        self.shows_passages = arm.retrieval and "contexts" in variables
        self.only_input = variables <= {"input"}
        """Whether nothing but the input is put into the prompt."""
        shown_as_turns = (arm.few_shot_from, arm.few_shot)
        if self.shows_examples_inside:
            shown_as_turns = ("none", 0)
        self.rest_key = (prompt.user, shown_as_turns)
        """Arms with one key send the same messages after the system prompt, if only the input is
        put in."""
        # the schema is of the case's outputs, and earlier steps write for the next prompt
        is_last_step = step == len(arm.steps)
        constrained = arm.constrained if is_last_step else "none"

        self.request = request_to(
            setting.reached[model],
            (),
            max_tokens=most or setting.max_tokens,
            temperature=prompt.temperature,
            effort=arm.effort or None,
            response_schema=setting.schema if constrained == "schema" else None,
            grammar=setting.grammar if constrained == "grammar" else None,
            choices=setting.labels if model in setting.deciders else None,
        )
        self.tokens = most_input_tokens(self.request)
        self.around = [self.request.around(repeat) for repeat in range(repeats)]
        """For each repeat, the canonical JSON before the messages, and the one after them."""


class Asking:
    """The messages to models about one case; many of them are the same for several arms.

    Examples go in where a prompt names them, and otherwise as turns of the conversation, which
    models follow far better than a list in a text. A case brings no system message: that is the
    prompt's place. What was said after its newest question is no part of it.
    """

    def __init__(self, case: EvalCase) -> None:
        self.case = case
        self._text = case.text
        self._earlier = list[Spoken]()
        self._rests = dict[object, Spoken]()
        talk = case.messages
        questions = [
            place for place, message in enumerate(talk) if message.role == "user"
        ]
        if questions:
            newest = questions[-1]
            self._text = talk[newest].content
            self._earlier = [
                Spoken.from_text(message.role, message.content)
                for message in talk[:newest]
                if message.role in ("user", "assistant") and message.content
            ]

    def parts(self, form: Form, said: Sequence[str] = ()) -> MessageParts:
        """Return the messages of an arm's request; ``said`` are the answers of its earlier steps."""
        values = self._values(form, said)
        # many arms differ in nothing that changes the messages after the system prompt
        key: object = form.rest_key
        if not form.only_input:
            key = (form.rest_key, *values.items())
        if key not in self._rests:
            self._rests[key] = self._make_rest(form, values)
        system = filled(form.prompt.system, values)
        return MessageParts(
            system=_part("system", system) if system.strip() else Spoken(),
            rest=self._rests[key],
        )

    def _values(self, form: Form, said: Sequence[str]) -> dict[str, str]:
        """Return the values of a prompt's variables."""
        values = {"input": self._text, "previous": said[-1] if said else ""}
        if form.shows_passages:
            passages = [passage.text for passage in self.case.contexts]
            values["contexts"] = "\n\n".join(passages)
        if form.shows_examples_inside:
            solved = []
            for place in form.pool.shown_to(form.arm, self.case):
                example = form.pool.examples[place]
                answer = answer_text(example.accepted[0])
                solved.append(f"Input: {example.text}\nOutput: {answer}")
            values["examples"] = "\n\n".join(solved)
        return values

    def _make_rest(self, form: Form, values: dict[str, str]) -> Spoken:
        """Return examples as turns, the earlier conversation, and the newest question."""
        turns = list[Spoken]()
        if not form.shows_examples_inside:
            turns = [
                form.pool.turns(form.prompt.user, values["previous"], place)
                for place in form.pool.shown_to(form.arm, self.case)
            ]
        newest = Spoken.from_text("user", filled(form.prompt.user, values))
        return Spoken.all(*turns, *self._earlier, newest)

    def messages(self, form: Form, said: Sequence[str] = ()) -> tuple[ChatMessage, ...]:
        parts = self.parts(form, said)
        talk = Spoken.all(parts.system, parts.rest).talk
        return tuple(ChatMessage(role=role, content=text) for role, text in talk)


class MessageParts(NamedTuple):
    """The messages of a request."""

    system: Spoken  #: Empty for a prompt without one.
    rest: Spoken  #: All messages after it.


def request_for(arm: Arm, case: EvalCase, setting: Setting) -> Request:
    """Return the request of an arm for one case; for a chain, its first step."""
    form = Form(arm, setting)
    return form.request.model_copy(update={"messages": Asking(case).messages(form)})


def request_to(place: Reached, messages: Sequence[ChatMessage], **more: Any) -> Request:
    return Request(
        provider=place.provider,
        base_url=place.base_url,
        model=place.name,
        messages=tuple(messages),
        **more,
    )


Told = Callable[[Job], str | None]
"""Returns the answer to a call of an earlier step of a chain; None where there is no answer."""


@lru_cache(maxsize=256)
def _begin_digest(before: bytes, system: bytes) -> Any:
    """Begin the digest of a request: what is before its messages, and its system message."""
    comma = b"," if system else b""
    return hashlib.sha256(before + system + comma)


@dataclass(frozen=True, slots=True)
class LabPlan:
    """Everything that a lab will do, fixed before the first call."""

    arms: tuple[Arm, ...]
    select: tuple[EvalCase, ...]
    report: tuple[EvalCase, ...]
    setting: Setting
    repeats: int = 1
    seed: int = 0
    probes: frozenset[tuple[str, str]] = frozenset()
    """Arms and cases whose calls may have the most tokens. Their use sets the limit for all calls."""
    made: dict[Any, Any] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    """Forms by arm, step and most tokens, and the messages about the last case."""

    def walks(
        self, arm: Arm, case: EvalCase, heard: Told | None = None
    ) -> Iterator[list[Job]]:
        """Yield the calls of one arm on one case, a list for each repeat; none for a baseline.

        A list has the calls of a chain's steps, as far as ``heard`` knows the answers to those
        before; without steps it has one call.
        """
        if arm.kind == "baseline":
            return
        for repeat in range(self.repeats):
            jobs = [self._job(arm, case, repeat)]
            said = tuple[str, ...]()
            for _ in arm.steps:
                answer = heard(jobs[-1]) if heard is not None else None
                if answer is None:
                    break
                said += (answer,)
                jobs.append(self._job(arm, case, repeat, said))
            yield jobs

    def _job(
        self, arm: Arm, case: EvalCase, repeat: int, said: tuple[str, ...] = ()
    ) -> Job:
        """Return the call that asks an arm about a case, after the answers of its earlier steps."""
        most_tokens = self.setting.max_tokens
        if (arm.id, case.id) in self.probes:
            most_tokens = PROBE_TOKENS
        form = self._form(arm, step=len(said), most=most_tokens)
        parts = self._asking(case).parts(form, said)
        # the digest of the whole request, begun once for all calls that begin alike
        before, after = form.around[repeat]
        key = _begin_digest(before, parts.system.as_json).copy()
        key.update(parts.rest.as_json + after)
        return Job(
            form.request,
            repeat,
            key=key.hexdigest(),
            tokens=form.tokens + parts.system.tokens + parts.rest.tokens,
            # made when the call is sent: a plan of many calls holds no messages
            messages=lambda: Asking(case).messages(form, said),
            expects=self.setting.answer_tokens,
        )

    def _form(self, arm: Arm, *, step: int, most: int) -> Form:
        """Return the requests of an arm at a step without the case; made once."""
        name = (arm.id, step, most)
        form: Form | None = self.made.get(name)
        if form is None:
            form = Form(arm, self.setting, step, most, self.repeats)
            self.made[name] = form
        return form

    def _asking(self, case: EvalCase) -> Asking:
        """Return the texts of a case; kept for the next arm, as many ask about one case in a row."""
        asking: Asking | None = self.made.get("last")
        if asking is None or asking.case is not case:
            asking = Asking(case)
            self.made["last"] = asking
        return asking

    def calls(
        self, arms: Iterable[Arm], cases: Cases, heard: Told | None = None
    ) -> Iterator[Asked]:
        """Yield the calls of some arms on some cases, each with its arm and case.

        There is none for a baseline. For a chain, it is the call of the last step, or of the first
        one whose predecessor ``heard`` doesn't know the answer of.
        """
        for case, arm in product(cases, arms):
            for jobs in self.walks(arm, case, heard):
                *_, next_job = jobs
                yield next_job, arm, case

    def named(self, model: str) -> str:
        """The name of a model for people, by its id; with its host unless that is its vendor's own."""
        return name_with_host(model, self.setting.reached[model].base_url)

    def of_kind(self, kind: str) -> tuple[Arm, ...]:
        return tuple(arm for arm in self.arms if arm.kind == kind)

    @property
    def called(self) -> tuple[Arm, ...]:
        return tuple(arm for arm in self.arms if arm.kind != "baseline")

    def probing(self) -> LabPlan:
        """Return the plan with probes: each model's first arm with each effort, on the first cases."""
        first: dict[tuple[str, str], Arm] = {}
        for arm in self.called:
            decides = arm.model in self.setting.deciders  # its answer is a label
            # a model inside this process is paid by nobody, so it needs no limit
            runs_inside = not self.setting.reached[arm.model].base_url
            if not decides and not runs_inside:
                first.setdefault((arm.model, arm.effort), arm)
        probes = set[tuple[str, str]]()
        for arm in first.values():
            probes |= {(arm.id, case.id) for case in self.select[:PROBE_CASES]}
        return replace(self, probes=frozenset(probes))

    def probe_jobs(self) -> list[Job]:
        """The calls of the probes; [] without any."""
        if not self.probes:
            return []
        calls = self.calls(self.called, self.select[:PROBE_CASES])
        return [job for job, arm, case in calls if (arm.id, case.id) in self.probes]

    def capped(self, settled: Iterable[Settled | None]) -> LabPlan:
        """Return the plan with a limit that leaves room above the probes' longest answer, in tokens.

        The limit is the least power of two that does, so that probes of about the same length give
        the same limit, and answers that were paid for are used again.
        """
        longest = 0
        for call in settled:
            if call is not None and call.reply is not None:
                longest = max(longest, call.reply.usage.output_tokens)
        limit = FEWEST_TOKENS
        while limit < min(_ROOM_FOR_ANSWERS * longest, PROBE_TOKENS):
            limit *= 2
        if limit == self.setting.max_tokens:
            return self
        return replace(self, setting=replace(self.setting, max_tokens=limit))


def make_plan(
    arms: Arms, cases: Cases, setting: Setting, *, repeats: int = 1, seed: int = 0
) -> LabPlan:
    """Return a plan with its cases split and shuffled; no conversation is in both parts.

    ``repeats`` is how often each case is asked; repeats aren't cases. ``seed`` is for the split and
    the order.
    """
    select, report = parted(joined(cases), seed=seed)
    conversations: dict[str, list[EvalCase]] = {}
    for case in select:
        conversations.setdefault(case.cluster, []).append(case)
    # files are often sorted, and an arm dropped early should have met cases of all kinds
    order = list(conversations)
    np.random.default_rng(seed).shuffle(order)
    shuffled = list[EvalCase]()
    for name in order:
        shuffled += conversations[name]
    setting.pool.expect((*shuffled, *report))
    return LabPlan(tuple(arms), tuple(shuffled), report, setting, repeats, seed)


def joined(cases: Cases) -> tuple[EvalCase, ...]:
    """Put equal cases into one conversation, as the same input twice is one thing to learn from.

    Cases with a conversation stay in it.
    """
    first_to_ask = dict[str, str]()  # the id of the first case with a question
    together = list[EvalCase]()
    for case in cases:
        if case.conversation_id is None:
            first = first_to_ask.setdefault(question(case), case.id)
            update = {"conversation_id": f"case {first}"}
            together.append(case.model_copy(update=update))
        else:
            together.append(case)
    return tuple(together)


def system_of(request: Request) -> str:
    """The system prompt of a request; empty without one."""
    first = request.messages[0]
    return first.content if first.role == "system" else ""
