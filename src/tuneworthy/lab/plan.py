"""The plan of a lab: the ways to answer a case, the cases, and the requests."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np

from tuneworthy.files.evalset import parted
from tuneworthy.files.materials import chain_of, filled, names
from tuneworthy.lab.pool import Cases, Pool, question
from tuneworthy.llm.endpoints import TOKENS_A_MESSAGE, Reached, most_input_tokens
from tuneworthy.llm.hosts import name_with_host
from tuneworthy.llm.runner import Job
from tuneworthy.model.base import as_bytes
from tuneworthy.model.case import Case, Model, PromptVariant
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.lab import Arm, ChatMessage, Request, Settled

Arms = Sequence[Arm]
Asked = tuple[Job, Arm, EvalCase]
NEAREST = 8  #: Examples that are retrieved where a prompt doesn't say how many.
_LONGEST = 180  # characters of a name, with room for a number
FEWEST_TOKENS = 512  #: The least limit of an answer for which nobody states one.
PROBE_TOKENS = 8192  #: The most tokens of an answer to a probe.
#: Cases that each model is asked with the most, to see how much it uses.
PROBE_CASES = 3
_ROOM_FOR_ANSWERS = 1.5  # of the longest probe: a few probes show no longest answer
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
    """Return the prompts × models as written, and further arms that teams forget to try.

    Three baselines need no model: the most frequent answer, the answer of the nearest example, and
    a ``head``, where there are enough examples to train one. ``examples`` is the number of existing
    examples, and ``schema`` says whether outputs have one. Ids are unique, and baselines come last.
    """
    named = {prompt.name: prompt for prompt in prompts}
    earlier_steps = {prompt.after for prompt in prompts}
    # an arm is named after the last prompt of its chain
    ends = [prompt for prompt in prompts if prompt.name not in earlier_steps]
    with_passages = any(row.contexts for row in evalset)
    arms = list[Arm]()
    for prompt, model in product(ends, case.models):
        if prompt.model not in (None, model.id):
            continue
        steps = chain_of(prompt, named)
        texts = [named[name] for name in (*steps, prompt.name)]
        passages = with_passages and any("contexts" in names(text) for text in texts)
        # an example doesn't have what the steps before the last one write
        pool = 0 if steps else examples
        written = _arm_as_written(
            prompt, model, steps=steps, examples=pool, passages=passages
        )
        # each further arm differs from it in one thing
        _, *other_efforts = model.effort or ("",)
        changes: list[dict[str, Any]] = [{"effort": effort} for effort in other_efforts]
        if pool and written.few_shot_from != "nearest":
            changes.append({"few_shot": min(NEAREST, pool), "few_shot_from": "nearest"})
        # passages and the schema are tried with one prompt alone: each arm is a pass over the cases
        if prompt is ends[0] and written.retrieval:
            changes.append({"retrieval": False})
        can_constrain = schema and not prompt.constrained and model.api == "chat"
        if prompt is ends[0] and can_constrain:
            changes.append({"constrained": "schema"})
        called = name_with_host(model.id, model.base_url)
        for change in ({}, *changes):
            arms.append(_with_name(written.model_copy(update=change), called))
    if examples and any(row.accepted for row in evalset):
        baselines = BASELINES if head else BASELINES[:2]
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
    few_shot = 0
    few_shot_from = "none"
    if prompt.few_shot is not None and prompt.few_shot.k and examples:
        few_shot = min(prompt.few_shot.k, examples)
        few_shot_from = prompt.few_shot.source
    return Arm(
        id=prompt.name,
        kind="tuned" if model.kind == "tuned" else "prompt",
        prompt=prompt.name,
        model=model.id,
        constrained=prompt.constrained or "none",
        few_shot=few_shot,
        few_shot_from=few_shot_from,
        effort=model.effort[0] if model.effort else "",
        retrieval=passages,
        steps=steps,
    )


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


class Form:
    """The part that the requests of an arm at one step have in common, in every case.

    ``step`` counts the prompts of a chain from 0, and ``most`` is the most tokens of an answer.
    """

    def __init__(
        self, arm: Arm, setting: Setting, step: int = 0, most: int = 0
    ) -> None:
        prompt = setting.prompts[(*arm.steps, arm.prompt)[step]]
        model = prompt.model or arm.model
        self.arm = arm
        self.pool = setting.pool
        self.prompt = prompt
        self.variables = names(prompt)
        # the schema is of the case's outputs, and earlier steps write for the next prompt
        constrained = arm.constrained if step == len(arm.steps) else "none"
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

    def messages(self, case: EvalCase, said: Sequence[str] = ()) -> list[ChatMessage]:
        """Return the messages about a case; ``said`` are the answers of the arm's earlier steps.

        Examples go in where a prompt names them, and otherwise as turns of the conversation, which
        models follow far better than a list in a text. A case brings no system message: that is the
        prompt's place. What was said after its newest question is no part of it.
        """
        previous = said[-1] if said else ""
        values = {"input": case.text, "previous": previous}
        talk = list[ChatMessage]()
        questions = [
            place
            for place, message in enumerate(case.messages)
            if message.role == "user"
        ]
        if questions:
            values["input"] = case.messages[questions[-1]].content
            talk = [
                ChatMessage(role=message.role, content=message.content)
                for message in case.messages[: questions[-1]]
                if message.role in ("user", "assistant") and message.content
            ]
        if self.arm.retrieval and "contexts" in self.variables:
            passages = [passage.text for passage in case.contexts]
            values["contexts"] = "\n\n".join(passages)
        shown = self.pool.shown_to(self.arm, case)
        turns = list[ChatMessage]()
        if "examples" in self.variables:
            solved = []
            for place in shown:
                answer = self.pool.answer_of(place)
                asked = self.pool.examples[place].text
                solved.append(f"Input: {asked}\nOutput: {answer}")
            values["examples"] = "\n\n".join(solved)
        else:
            for place in shown:
                turns += self.pool.turns(self.prompt.user, previous, place)
        newest = ChatMessage(role="user", content=filled(self.prompt.user, values))
        system = filled(self.prompt.system, values)
        if system.strip():
            turns.insert(0, ChatMessage(role="system", content=system))
        return [*turns, *talk, newest]


def request_for(arm: Arm, case: EvalCase, setting: Setting) -> Request:
    """Return the request of an arm for one case; for a chain, its first step."""
    form = Form(arm, setting)
    return form.request.model_copy(update={"messages": tuple(form.messages(case))})


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
    forms: dict[tuple[str, int, int], Form] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    """What requests have in common, by arm, step and most tokens; each made once."""

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
        most = self.setting.max_tokens
        if (arm.id, case.id) in self.probes:
            most = PROBE_TOKENS
        name = (arm.id, len(said), most)
        if name not in self.forms:
            self.forms[name] = Form(arm, self.setting, len(said), most)
        form = self.forms[name]
        messages = form.messages(case, said)
        before, after = form.request.around(repeat)
        talk = as_bytes(",".join([message.canonical for message in messages]))
        sizes = [message.size + TOKENS_A_MESSAGE for message in messages]
        return Job(
            form.request,
            repeat,
            key=hashlib.sha256(before + talk + after).hexdigest(),
            tokens=form.tokens + sum(sizes),
            # made again when the call is sent: a plan of many calls holds no messages
            messages=lambda: tuple(form.messages(case, said)),
            expects=self.setting.answer_tokens,
        )

    def calls(
        self, arms: Iterable[Arm], cases: Cases, heard: Told | None = None
    ) -> Iterator[Asked]:
        """Yield the calls of some arms on some cases, each with its arm and case.

        There is none for a baseline. For a chain, it is the call of the last step, or of the first
        one whose predecessor ``heard`` doesn't know the answer of.
        """
        for case, arm in product(cases, arms):
            for jobs in self.walks(arm, case, heard):
                yield jobs[-1], arm, case

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
        pairs = product(first.values(), self.select[:PROBE_CASES])
        return replace(self, probes=frozenset((arm.id, case.id) for arm, case in pairs))

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
        replies = [call.reply for call in settled if call is not None]
        tokens = [reply.usage.output_tokens for reply in replies if reply is not None]
        limit = FEWEST_TOKENS
        while limit < min(_ROOM_FOR_ANSWERS * max(tokens, default=0), PROBE_TOKENS):
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
    conversations = defaultdict[str, list[EvalCase]](list)
    for case in select:
        conversations[case.cluster].append(case)
    # files are often sorted, and an arm dropped early should have met cases of all kinds
    order = list(conversations)
    np.random.default_rng(seed).shuffle(order)
    shuffled = tuple(case for name in order for case in conversations[name])
    setting.pool.expect((*shuffled, *report))
    return LabPlan(tuple(arms), shuffled, report, setting, repeats, seed)


def joined(cases: Cases) -> tuple[EvalCase, ...]:
    """Put equal cases into one conversation, as the same input twice is one thing to learn from.

    Cases with a conversation stay in it.
    """
    first_to_ask = dict[str, str]()  # the id of the first case with a question
    together = list[EvalCase]()
    for case in cases:
        if case.conversation_id is None:
            first = first_to_ask.setdefault(question(case), case.id)
            case = case.model_copy(update={"conversation_id": f"case {first}"})  # noqa: PLW2901  # as joined
        together.append(case)
    return tuple(together)


def system_of(request: Request) -> str:
    """The system prompt of a request; empty without one."""
    first = request.messages[0]
    return first.content if first.role == "system" else ""
