"""The plan of a lab: the ways to answer a case, the cases, and the requests."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain, islice, product, zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tuneworthy.files.evalset import parted
from tuneworthy.files.materials import chain_of, filled, names
from tuneworthy.llm.endpoints import TOKENS_A_MESSAGE, Reached, most_input_tokens
from tuneworthy.llm.hosts import name_with_host
from tuneworthy.llm.runner import Job
from tuneworthy.model.base import ChatRole, as_bytes
from tuneworthy.model.case import Case, PromptVariant
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
FEWEST_TOKENS = 512
PROBE_TOKENS = 8192
"""The least limit of an answer for which nobody states one, and the most tokens of a probe."""
#: Cases that each model is asked with the most, to see how much it uses.
PROBE_CASES = 3
BASELINES = ("majority", "nearest_neighbour", "trained_head")


def plan_arms(
    case: Case,
    prompts: Sequence[PromptVariant],
    evalset: Cases,
    examples: int,
    *,
    schema: bool = False,
    head: bool = False,
) -> tuple[Arm, ...]:
    """Prompts × models as written, and further arms that teams forget to try.

    For each prompt and model: as the prompt's file says, and with each effort of the model. With
    the nearest examples retrieved for each case, if there are examples and the prompt has none of
    its own. For the first prompt also without its passages, where cases have some, and constrained
    by the output schema, if there is one. Three baselines need no model: the most frequent answer,
    the answer of the nearest example, and a ``head``, where there are enough examples to train one.
    Ids are unique, and baselines come last. A tuned model is one more model.
    """
    passages = any(row.contexts for row in evalset)
    arms = list[Arm]()
    named = {prompt.name: prompt for prompt in prompts}
    steps = {prompt.after for prompt in prompts}
    # of a chain the last prompt
    ends = [prompt for prompt in prompts if prompt.name not in steps]
    for prompt, model in product(ends, case.models):
        if prompt.model not in (None, model.id):
            continue
        chain = chain_of(prompt, named)
        first = prompt is ends[0]
        shows = any("contexts" in names(named[n]) for n in (*chain, prompt.name))
        own = passages and shows
        most = 0 if chain else examples
        shot = prompt.few_shot
        effort, *other_efforts = model.effort or ("",)
        written = {
            "kind": "tuned" if model.kind == "tuned" else "prompt",
            "prompt": prompt.name,
            "model": model.id,
            "constrained": prompt.constrained or "none",
            "few_shot": min(shot.k, most) if shot else 0,
            "few_shot_from": shot.source if shot and shot.k and most else "none",
            "effort": effort,
            "retrieval": own,
            "steps": chain,
        }
        near = {"few_shot": min(NEAREST, most), "few_shot_from": "nearest"}
        # each arm uses its prompt as it is written, with one change
        ways: list[dict[str, Any]] = [{}]
        ways += [{"effort": each} for each in other_efforts]
        if most and written["few_shot_from"] != "nearest":
            ways.append(near)
        if own and first:
            ways.append({"retrieval": False})
        free = schema and first and not prompt.constrained and model.api == "chat"
        if free:
            ways.append({"constrained": "schema"})
        called = name_with_host(model.id, model.base_url)
        arms += [_arm(written | way, called) for way in ways]
    if examples and any(row.accepted for row in evalset):
        for name in BASELINES:
            if head or name != "trained_head":
                arms.append(Arm(id=name, kind="baseline", of=name))
    return _distinct(arms)


def arms_with(
    arms: Arms, more: Sequence[Arm], named: Mapping[str, str]
) -> tuple[Arm, ...]:
    """Arms, followed by others under names that no arm has yet.

    ``named`` are the models' names for people, by id.
    """
    fresh = [_arm(arm.model_dump(exclude={"id"}), named[arm.model]) for arm in more]
    return _distinct([*arms, *fresh])


def _distinct(arms: Arms) -> tuple[Arm, ...]:
    """Arms with different names, even where long names were cut to the same one."""
    used = Counter[str]()
    distinct = list[Arm]()
    for arm in arms:
        used[arm.id] += 1
        more = f" ({used[arm.id]})" if used[arm.id] > 1 else ""
        distinct.append(arm.model_copy(update={"id": f"{arm.id}{more}"}))
    return tuple(distinct)


def _arm(values: Mapping[str, Any], named: str) -> Arm:
    """An arm with a name made from its parts, and from its model's name for people."""
    parts = [" → ".join((*values["steps"], values["prompt"])), named]
    if values["few_shot"]:
        parts.append(f"{values['few_shot_from']} {values['few_shot']}")
    if values["effort"]:
        parts.append(f"effort {values['effort']}")
    if values["constrained"] != "none":
        parts.append(f"constrained by {values['constrained']}")
    if values["retrieval"]:
        parts.append("with passages")
    return Arm.model_validate({"id": " · ".join(parts)[:_LONGEST], **values})


# nearest examples kept for each case: enough for most arms, with some to spare
_KEPT = 64
_BLOCK = 128  # texts that are compared with all examples at a time
_TURNS = 8192  # examples kept as turns, because labs show the same ones again and again
_DIGITS = 6  # digits of a cosine; further digits depend on the machine


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
        self._waiting: dict[str, None] = {}
        self._asked: dict[str, tuple[Vectors, NDArray[np.int32]]] = {}
        groups: dict[str, list[int]] = {}
        for place, text in enumerate(self._texts):
            groups.setdefault(text, []).append(place)
        rounds = chain.from_iterable(zip_longest(*groups.values()))
        self._spread = [place for place in rounds if place is not None]
        self._drawn: dict[str, list[int]] = {}
        self._answers = sorted(groups, key=lambda text: (-len(groups[text]), text))
        self._folds: tuple[Ints, dict[str, int]] | None = None
        self._heads: dict[int, tuple[NDArray[np.object_], Vectors]] = {}
        # results that many arms ask for
        self._found: dict[tuple[object, ...], tuple[int, ...]] = {}
        self.turns = lru_cache(maxsize=_TURNS)(self._turns)

    def __len__(self) -> int:
        return len(self.examples)

    def expect(self, cases: Iterable[EvalCase]) -> None:
        """Announce cases that will be asked about, so that many are looked up at a time."""
        self._waiting |= dict.fromkeys(case.text for case in cases)

    def _visible(self, case: EvalCase, places: Iterable[int]) -> Iterator[int]:
        cluster = case.cluster
        own = question(case)
        for place in places:
            if self._clusters[place] != cluster and self._questions[place] != own:
                yield place

    def fixed(self, k: int, case: EvalCase) -> tuple[int, ...]:
        """Places of ``k`` examples of other conversations, spread over the different answers."""
        return tuple(islice(self._visible(case, self._spread), k))

    def drawn(self, name: str, k: int, case: EvalCase) -> tuple[int, ...]:
        """Places of ``k`` examples of other conversations, in an order that depends on the name."""
        if name not in self._drawn:
            order = np.random.default_rng(int(name.rpartition("-")[2]))
            self._drawn[name] = order.permutation(len(self.examples)).tolist()
        return tuple(islice(self._visible(case, self._drawn[name]), k))

    def nearest(self, k: int, case: EvalCase) -> tuple[int, ...]:
        """Places of the ``k`` nearest examples of other conversations, by the cosine of embeddings.

        The nearest comes last, where a model reads it last. There are fewer in a small pool.
        """
        if not self.examples or k < 1:
            return ()
        vector, nearest = self._near(case.text)
        near = list(islice(self._visible(case, nearest.tolist()), k))
        if len(near) < k and len(self.examples) > _KEPT:
            # many of the nearest are of its own conversation: all are looked through
            scores = self._likeness(vector)
            every = nearest_places(scores, len(self.examples)).tolist()
            near = list(islice(self._visible(case, every), k))
        return tuple(reversed(near))

    def shown_to(self, arm: Arm, case: EvalCase) -> tuple[int, ...]:
        """Places of the examples that an arm shows a model with a case."""
        if arm.few_shot_from == "none":
            return ()
        about = case.input or case.messages
        asked = (arm.few_shot_from, arm.few_shot, case.cluster, about)
        if asked not in self._found:
            self._found[asked] = self._choose_shown(arm, case)
        return self._found[asked]

    def _choose_shown(self, arm: Arm, case: EvalCase) -> tuple[int, ...]:
        """Choose examples in the way of an arm: fixed ones, the nearest, or a named draw."""
        if arm.few_shot_from == "fixed":
            return self.fixed(arm.few_shot, case)
        if arm.few_shot_from == "nearest":
            return self.nearest(arm.few_shot, case)
        return self.drawn(arm.few_shot_from, arm.few_shot, case)

    def _turns(self, template: str, previous: str, place: int) -> Spoken:
        """An example as two turns of a conversation, with the question in the template's form."""
        asked = filled(
            template, {"input": self.examples[place].text, "previous": previous}
        )
        return Spoken.all(
            Spoken.from_text("user", asked),
            Spoken.from_text("assistant", self._texts[place]),
        )

    def look_up(self, arm: Arm, case: EvalCase) -> str:
        """The answer of a baseline; empty for an empty pool."""
        if arm.of == "majority":
            # the means are of all examples: without its own, a case would vote against itself
            return self._answers[0] if self._answers else ""
        if arm.of == "nearest_neighbour":
            return "".join(self._texts[place] for place in self.nearest(1, case))
        return self.head(case)

    @property
    def teaches(self) -> bool:
        """Whether a classifier can be trained on it: twenty examples, and five for each class."""
        classes = len(self._answers)
        return classes > 1 and len(self) >= max(20, 5 * classes)

    def head(self, case: EvalCase) -> str:
        """The label by a logistic regression on embeddings, trained without this conversation.

        Conversations that share a question are one group, and groups fall into five folds. A case
        of a group is answered by the head of the other folds, any other by one head of all.
        """
        classes, scores = self._head_scores(case)
        return str(classes[int(np.argmax(scores))])

    def sureness(self, case: EvalCase) -> float:
        """The probability that the head gives to its label."""
        _, scores = self._head_scores(case)
        raised = np.exp(scores - scores.max())
        return float(np.round(raised.max() / raised.sum(), _DIGITS))

    def _head_scores(self, case: EvalCase) -> tuple[NDArray[np.object_], Vectors]:
        """The labels, and the head's score for each."""
        _, fold_by_key = self._folds_once()
        # a head must not have learned from the case's own conversation or question
        fold = fold_by_key.get(f"cluster {case.cluster}")
        if fold is None:
            fold = fold_by_key.get(f"question {question(case)}", -1)
        classes, weights = self.head_without(fold)
        vector, _ = self._near(case.text)
        return classes, np.append(vector, 1.0) @ weights  # 1 for the intercept

    def _folds_once(self) -> tuple[Ints, dict[str, int]]:
        """The folds of the examples, and of their clusters and questions; computed once."""
        if self._folds is None:
            self._folds = _folds(self.examples, self._questions)
        return self._folds

    def head_without(self, fold: int = -1) -> tuple[NDArray[np.object_], Vectors]:
        """Labels and weights of the head that was trained without a fold; of all examples for -1."""
        if fold not in self._heads:
            folds, _ = self._folds_once()
            kept = np.flatnonzero(folds != fold)
            # every n-th, so that no more than the most are learned from
            kept = kept[:: -(-len(kept) // _MOST_TAUGHT)]
            texts = np.array(self._texts, dtype=object)[kept]
            classes, codes = np.unique(texts, return_inverse=True)
            self._heads[fold] = classes, logistic(self._vectors_once()[kept], codes)
        return self._heads[fold]

    def answer_of(self, place: int) -> str:
        """The answer of an example, in the form that a model is shown."""
        return self._texts[place]

    @property
    def vectors(self) -> Vectors:
        """The embeddings of the examples, a row for each."""
        return self._vectors_once()

    def _vectors_once(self) -> Vectors:
        if self._vectors is None:
            self._vectors = embed([example.text for example in self.examples])
        return self._vectors

    def _likeness(self, vectors: Vectors) -> Vectors:
        return np.round(vectors @ self._vectors_once().T, _DIGITS)

    def _near(self, text: str) -> tuple[Vectors, NDArray[np.int32]]:
        """The vector of a text, and its nearest places; announced cases are computed with it."""
        if text not in self._asked:
            self._waiting.pop(text, None)
            texts = [text, *islice(self._waiting, _BLOCK - 1)]
            vectors = embed(texts)
            for own, vector, row in zip(
                texts, vectors, self._likeness(vectors), strict=True
            ):
                self._waiting.pop(own, None)
                self._asked[own] = vector, nearest_places(row, _KEPT)
        return self._asked[text]


def nearest_places(scores: NDArray[np.floating[Any]], most: int) -> NDArray[np.int32]:
    """Places of the highest scores, the highest first; equal ones in their order."""
    least: Any = -np.inf
    # Sorting all is slow. Laid out in columns, the highest score of each is one of as many scores,
    # so the ``most``-th highest of these is a lower bound.
    if len(scores) > most:
        columns = len(scores) // max(1, len(scores) // (4 * most))
        whole_rows = scores[: len(scores) // columns * columns]
        highest = whole_rows.reshape(-1, columns).max(axis=0)
        least = np.partition(highest, -most)[-most]
    places = np.flatnonzero(scores >= least)
    return places[np.argsort(-scores[places], kind="stable")][:most].astype(np.int32)


FOLDS = 5
_STEPS = 75
_MOST_TAUGHT = 1_000
# about the length of centered vectors, so that steps can be long
_INTERCEPT = np.float32(0.3)


def _folds(examples: Cases, questions: Sequence[str]) -> tuple[Ints, dict[str, int]]:
    """The fold of each example, and of each of their conversations and questions.

    Conversations with a common question are one group, and groups are dealt to the folds in turn.
    """
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
    folds = dict[str, int]()
    dealt = 0
    for key, group in groups.items():
        if key not in folds:
            folds |= dict.fromkeys(group, dealt % FOLDS)
            dealt += 1
    return np.array([folds[cluster] for cluster in clusters], dtype=np.int64), folds


def logistic(vectors: Vectors, codes: Ints) -> Vectors:
    """Weights of a softmax regression with a ridge: a column for each class, the intercept last.

    Nesterov's steps in single precision, as long as the curvature of the loss allows. The vectors
    are centered because their common part would make the steps short.
    """
    n = len(vectors)
    classes = int(codes.max()) + 1
    single = np.float32
    center = vectors.mean(axis=0)
    rows = np.hstack([vectors - center, np.full((n, 1), _INTERCEPT)])
    columns = np.ascontiguousarray(rows.T)
    places = np.arange(n)
    ridge = single(1 / (10 * n))
    # one over the largest curvature that the loss can have
    length = 1 / (0.5 * np.linalg.norm(columns @ rows / n, 2) + ridge)
    weights = np.zeros((rows.shape[1], classes), dtype=single)
    ahead = weights  # where the gradient is taken: a little farther in the direction of the last step
    for step in range(_STEPS):
        # the softmax of the scores less 1 for the right class is the gradient of the loss by them
        off = rows @ ahead
        off = np.exp(off - off.max(axis=1, keepdims=True))
        off /= off.sum(axis=1, keepdims=True)
        off[places, codes] -= 1
        before = weights
        weights = ahead - length * (columns @ off / n + ridge * ahead)
        ahead = weights + single(step / (step + 3)) * (weights - before)
    # the intercept for vectors that aren't centered
    intercept = _INTERCEPT * weights[-1:] - center @ weights[:-1]
    return np.vstack([weights[:-1], intercept])


def question(case: EvalCase) -> str:
    """The input of a case, as a text that is equal for equal questions."""
    if case.input is not None:
        text = case.input
    else:
        text = json.dumps(
            [[m.role, m.content] for m in case.messages], ensure_ascii=False
        )
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
    """The part that the requests of an arm at one step have in common, in every case."""

    def __init__(
        self, arm: Arm, setting: Setting, step: int = 0, most: int = 0, repeats: int = 0
    ) -> None:
        prompt = setting.prompts[(*arm.steps, arm.prompt)[step]]
        last = step == len(arm.steps)
        model = prompt.model or arm.model
        named = names(prompt)
        self.arm = arm
        self.pool = setting.pool
        self.prompt = prompt
        self.inside = "examples" in named
        self.contexts = arm.retrieval and "contexts" in named
        self.plain = named <= {"input"}  # nothing else is put in
        self.rest = prompt.user, self.inside or (arm.few_shot_from, arm.few_shot)
        self.request = request_to(
            setting.reached[model],
            (),
            max_tokens=most or setting.max_tokens,
            temperature=prompt.temperature,
            effort=arm.effort or None,
            response_schema=setting.schema
            if last and arm.constrained == "schema"
            else None,
            grammar=setting.grammar if last and arm.constrained == "grammar" else None,
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
        asked = [place for place, message in enumerate(talk) if message.role == "user"]
        if asked:
            self._text = talk[asked[-1]].content
            before = (
                m
                for m in talk[: asked[-1]]
                if m.role in ("user", "assistant") and m.content
            )
            self._earlier = [Spoken.from_text(m.role, m.content) for m in before]

    def parts(self, form: Form, said: Sequence[str] = ()) -> tuple[Spoken, Spoken]:
        """The system prompt, and the messages after it."""
        prompt = form.prompt
        pool = form.pool
        previous = said[-1] if said else ""
        values = {"input": self._text, "previous": previous}
        if form.contexts:
            values["contexts"] = "\n\n".join(
                passage.text for passage in self.case.contexts
            )
        if form.inside:
            solved = (
                pool.examples[place] for place in pool.shown_to(form.arm, self.case)
            )
            values["examples"] = "\n\n".join(
                f"Input: {each.text}\nOutput: {answer_text(each.accepted[0])}"
                for each in solved
            )
        about = form.rest if form.plain else (form.rest, *values.items())
        if about not in self._rests:
            shown = () if form.inside else pool.shown_to(form.arm, self.case)
            turns = (pool.turns(prompt.user, previous, place) for place in shown)
            newest = Spoken.from_text("user", filled(prompt.user, values))
            self._rests[about] = Spoken.all(*turns, *self._earlier, newest)
        system = filled(prompt.system, values)
        return _part("system", system) if system.strip() else Spoken(), self._rests[
            about
        ]

    def messages(self, form: Form, said: Sequence[str] = ()) -> tuple[ChatMessage, ...]:
        talk = Spoken.all(*self.parts(form, said)).talk
        return tuple(ChatMessage(role=role, content=text) for role, text in talk)


def request_for(arm: Arm, case: EvalCase, setting: Setting) -> Request:
    """The request of an arm for one case; for a chain, its first step."""
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
    return hashlib.sha256(before + system + (b"," if system else b""))


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
        """For each repeat, the steps of one arm on one case, as far as earlier answers exist."""
        for repeat in range(0 if arm.kind == "baseline" else self.repeats):
            jobs = [self._job(arm, case, repeat)]
            said = tuple[str, ...]()
            for _ in arm.steps:
                text = heard(jobs[-1]) if heard is not None else None
                if text is None:
                    break
                said += (text,)
                jobs.append(self._job(arm, case, repeat, said))
            yield jobs

    def _job(
        self, arm: Arm, case: EvalCase, repeat: int, said: tuple[str, ...] = ()
    ) -> Job:
        """The call that asks an arm about a case; ``said`` are the answers of its earlier steps."""
        if (arm.id, case.id) in self.probes:
            most = PROBE_TOKENS
        else:
            most = self.setting.max_tokens
        form = self._form(arm, step=len(said), most=most)
        # many arms ask about one case in a row, so its texts are made once
        asking = self.made.get("last")
        if asking is None or asking.case is not case:
            asking = Asking(case)
            self.made["last"] = asking
        system, rest = asking.parts(form, said)
        # the digest of the whole request, begun once for all calls that begin alike
        before, after = form.around[repeat]
        key = _begin_digest(before, system.as_json).copy()
        key.update(rest.as_json + after)
        return Job(
            form.request,
            repeat,
            key=key.hexdigest(),
            tokens=form.tokens + system.tokens + rest.tokens,
            messages=lambda: Asking(case).messages(form, said),
            expects=self.setting.answer_tokens,
        )

    def _form(self, arm: Arm, *, step: int, most: int) -> Form:
        """The requests of an arm at a step without the case; made once."""
        name = (arm.id, step, most)
        form: Form | None = self.made.get(name)
        if form is None:
            form = Form(arm, self.setting, step, most, self.repeats)
            self.made[name] = form
        return form

    def calls(
        self, arms: Iterable[Arm], cases: Cases, heard: Told | None = None
    ) -> Iterator[Asked]:
        """The calls of some arms on some cases, each with its arm and case; none for a baseline.

        For a chain, the last call, or the first one without an answer.
        """
        for case, arm in product(cases, arms):
            for walk in self.walks(arm, case, heard):
                yield walk[-1], arm, case

    def named(self, model: str) -> str:
        """The name of a model for people, by its id; with its host unless that is its vendor's own."""
        return name_with_host(model, self.setting.reached[model].base_url)

    def of_kind(self, kind: str) -> tuple[Arm, ...]:
        return tuple(arm for arm in self.arms if arm.kind == kind)

    @property
    def called(self) -> tuple[Arm, ...]:
        return tuple(arm for arm in self.arms if arm.kind != "baseline")

    def probing(self) -> LabPlan:
        """The same plan with probes: each model's first arm with each effort, on the first cases."""
        first: dict[tuple[str, str], Arm] = {}
        for arm in self.called:
            runs_inside = not self.setting.reached[arm.model].base_url
            if arm.model not in self.setting.deciders and not runs_inside:
                first.setdefault((arm.model, arm.effort), arm)
        asked = product(first.values(), self.select[:PROBE_CASES])
        return replace(self, probes=frozenset((arm.id, case.id) for arm, case in asked))

    def probe_jobs(self) -> list[Job]:
        """The calls of the probes; [] without any."""
        if not self.probes:
            return []
        calls = self.calls(self.called, self.select[:PROBE_CASES])
        return [job for job, arm, case in calls if (arm.id, case.id) in self.probes]

    def capped(self, settled: Iterable[Settled | None]) -> LabPlan:
        """The same plan with a limit of half as much again as the probes' longest answer.

        The limit is a power of two.
        """
        replies = (
            call.reply
            for call in settled
            if call is not None and call.reply is not None
        )
        used = max((reply.usage.output_tokens for reply in replies), default=0)
        most = FEWEST_TOKENS
        while most < min(1.5 * used, PROBE_TOKENS):
            most *= 2
        if most == self.setting.max_tokens:
            return self
        return replace(self, setting=replace(self.setting, max_tokens=most))


def make_plan(
    arms: Arms, cases: Cases, setting: Setting, *, repeats: int = 1, seed: int = 0
) -> LabPlan:
    """A plan with its cases split and shuffled; no conversation is in both parts.

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
    first: dict[str, str] = {}  # by question the first case that asks it
    together = list[EvalCase]()
    for case in cases:
        if case.conversation_id is not None:
            together.append(case)
            continue
        name = f"case {first.setdefault(question(case), case.id)}"
        together.append(case.model_copy(update={"conversation_id": name}))
    return tuple(together)


def system_of(request: Request) -> str:
    """The system prompt of a request; empty without one."""
    first = request.messages[0]
    return first.content if first.role == "system" else ""
