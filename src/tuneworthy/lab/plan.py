"""Arms: every way to answer a case that a ceiling lab compares."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneworthy.errors import InputError
from tuneworthy.files.materials import filled, names
from tuneworthy.llm.endpoints import Reached
from tuneworthy.measure.sample import embed
from tuneworthy.model.case import Case, Model, PromptVariant
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.lab import Arm, ChatMessage, Request

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Arms: every way to answer a case that a ceiling lab compares.

NEAREST = 8
"""Examples that are retrieved where a prompt doesn't say how many."""
_LONGEST = 180  # characters of a name, with room for a number
BASELINES = ("majority", "nearest_neighbour")


def plan_arms(
    case: Case,
    prompts: Sequence[PromptVariant],
    evalset: Sequence[EvalCase],
    examples: int,
    *,
    schema: bool = False,
) -> tuple[Arm, ...]:
    """Prompts × models as written, and beside them what teams forget to try.

    For each prompt and model: as its file says; with the nearest examples retrieved for each case,
    where examples are there and the prompt brings none; for the first prompt also without its
    passages, where cases have some, and constrained by the output schema, where there is one. Two
    baselines need no model: the commonest answer, and the answer of the nearest example.

    Args:
        case: For its models; a tuned one is one more model, a published figure is none.
        prompts: At least one.
        evalset: The cases; only whether they have passages and references counts here.
        examples: Solved cases that may be shown.
        schema: Whether the case has an output schema.

    Returns:
        Arms with unique ids, baselines last.
    """
    passages = any(one.contexts for one in evalset)
    found: list[Arm] = []
    for place, prompt in enumerate(prompts):
        shown = passages and "contexts" in names(prompt)
        for model in case.callable_models:
            if prompt.model is None or prompt.model == model.id:
                more = place == 0
                found += _of(prompt, model, examples, passages=shown, more=more, schema=schema)
    if examples and any(one.accepted for one in evalset):
        found += [Arm(id=name, kind="baseline", of=name) for name in BASELINES]
    return _apart(found)


def with_proposals(arms: Sequence[Arm], parent: Arm, names: Sequence[str]) -> tuple[Arm, ...]:
    """Arms, and after them those of proposed prompts: each tried in the ways its parent is.

    That is as written and with the nearest examples, with the parent's model, for which they are.

    Args:
        arms: Those of the team's prompts.
        parent: The arm the proposals come from.
        names: Names of the proposed prompts; () adds none.
    """

    def made(arm: Arm) -> tuple[object, ...]:
        return arm.kind, arm.prompt, arm.model, arm.retrieval, arm.constrained

    ways = [arm.model_dump(exclude={"id"}) for arm in arms if made(arm) == made(parent)]
    return _apart([*arms, *(_arm({**way, "prompt": name}) for name in names for way in ways)])


def _apart(arms: Sequence[Arm]) -> tuple[Arm, ...]:
    """Arms under names that differ, also where long names were cut to the same one."""
    used: Counter[str] = Counter()
    found = []
    for arm in arms:
        used[arm.id] += 1
        again = used[arm.id] > 1
        found.append(arm.model_copy(update={"id": f"{arm.id} ({used[arm.id]})"}) if again else arm)
    return tuple(found)


def _of(
    prompt: PromptVariant,
    model: Model,
    examples: int,
    *,
    passages: bool,
    more: bool,
    schema: bool,
) -> Iterator[Arm]:
    kind = "tuned" if model.kind == "tuned" else "prompt"
    shot, constrained = prompt.few_shot, prompt.constrained or "none"
    base = {"kind": kind, "prompt": prompt.name, "model": model.id, "constrained": constrained}
    own = {"few_shot": 0, "few_shot_from": "none"}
    if shot is not None and shot.k and examples:
        own = {"few_shot": min(shot.k, examples), "few_shot_from": shot.source}
    yield _arm({**base, **own, "retrieval": passages})
    if examples and own["few_shot_from"] != "nearest":
        near = {"few_shot": min(NEAREST, examples), "few_shot_from": "nearest"}
        yield _arm({**base, **near, "retrieval": passages})
    if passages and more:
        yield _arm({**base, **own, "retrieval": False})
    if schema and more and constrained == "none":
        yield _arm({**base, **own, "constrained": "schema", "retrieval": passages})


def _arm(values: dict[str, object]) -> Arm:
    """An arm named after what it is made of."""
    parts = [str(values["prompt"]), str(values["model"])]
    if values["few_shot"]:
        parts.append(f"{values['few_shot_from']} {values['few_shot']}")
    if values["constrained"] != "none":
        parts.append(f"constrained by {values['constrained']}")
    if values["retrieval"]:
        parts.append("with passages")
    return Arm.model_validate({"id": " · ".join(parts)[:_LONGEST], **values})


# Examples to show a model, and the nearest of them to a case.

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


# An arm and a case as a request.


@dataclass(frozen=True, slots=True)
class Setting:
    """What turns arms into requests."""

    prompts: Mapping[str, PromptVariant]
    """By name."""
    reached: Mapping[str, Reached]
    """Where each model of the case is called, by its id."""
    pool: Pool
    schema: str | None = None
    """Output schema as canonical JSON, for constrained arms."""
    grammar: str | None = None
    """GBNF of the labels, for arms constrained by a grammar."""
    max_tokens: int = 512


def request_for(arm: Arm, case: EvalCase, setting: Setting) -> Request:
    """What is asked of a model for one case.

    Examples go in where the prompt names them, and otherwise as turns of the conversation, which
    models follow far better than a list in a text.
    """
    prompt, place = setting.prompts[arm.prompt], setting.reached[arm.model]
    shown = _examples(arm, case, setting.pool)
    inside = "examples" in names(prompt)
    earlier, asked = _turns(case)
    values = {
        "input": asked,
        "contexts": "\n\n".join(p.text for p in case.contexts) if arm.retrieval else "",
        "examples": _listed(shown) if inside else "",
    }
    system = filled(prompt.system, values)
    messages = [ChatMessage(role="system", content=system)] if system.strip() else []
    if not inside:
        for one in shown:
            asked = filled(prompt.user, {**values, "input": one.text, "contexts": ""})
            messages.append(ChatMessage(role="user", content=asked))
            answer = answer_text(one.accepted[0])
            messages.append(ChatMessage(role="assistant", content=answer))
    messages += earlier
    messages.append(ChatMessage(role="user", content=filled(prompt.user, values)))
    return Request(
        provider=place.provider,
        base_url=place.base_url,
        model=place.name,
        messages=tuple(messages),
        max_tokens=setting.max_tokens,
        temperature=prompt.temperature,
        response_schema=setting.schema if arm.constrained == "schema" else None,
        grammar=setting.grammar if arm.constrained == "grammar" else None,
    )


def _turns(case: EvalCase) -> tuple[list[ChatMessage], str]:
    """What was said before, and what is asked now; what comes after that is no part of it.

    A case brings no system message: that is the prompt's place.
    """
    if case.input is not None:
        return [], case.input
    last = max((i for i, m in enumerate(case.messages) if m.role == "user"), default=None)
    if last is None:
        return [], case.text
    before = (m for m in case.messages[:last] if m.role in ("user", "assistant") and m.content)
    said = [ChatMessage(role=m.role, content=m.content) for m in before]
    return said, case.messages[last].content


def _examples(arm: Arm, case: EvalCase, pool: Pool) -> tuple[EvalCase, ...]:
    if arm.few_shot_from == "nearest":
        return pool.nearest(arm.few_shot, case)
    return pool.fixed(arm.few_shot, case) if arm.few_shot_from == "fixed" else ()


def _listed(examples: tuple[EvalCase, ...]) -> str:
    return "\n\n".join(
        f"Input: {one.text}\nOutput: {answer_text(one.accepted[0])}" for one in examples
    )
