"""The prompt, examples and recipe of a pilot, so that an export hands off the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tuneworthy.errors import CaseError, argument
from tuneworthy.files.stores import read_pilot
from tuneworthy.lab.plan import Setting, question, request_for
from tuneworthy.lab.prepare import PreparedLab, prepare
from tuneworthy.lab.verify import bundled
from tuneworthy.model.case import PromptVariant
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.lab import Arm
from tuneworthy.model.pilot import PilotResult, Recipe
from tuneworthy.model.training import ChatTurn, TrainingExample, TrainingSet, content_id
from tuneworthy.training.candidates import training_set

Row = dict[str, Any]
Solved = list[tuple[TrainingExample, EvalCase]]
#: General examples for each of the task, so that general skills are kept.
REPLAYED = 0.1


PILOTED = ("sft", "dpo")  #: Methods that a pilot runs.


def example_case(example: TrainingExample) -> EvalCase | None:
    """A training example as a solved case; None where its answer isn't text."""
    turns = [t for t in example.messages[:-1] if t.role in ("user", "assistant")]
    if not example.answer.content.strip() or example.answer.tool_calls or not turns:
        return None
    messages = [{"role": turn.role, "content": turn.content} for turn in turns]
    talk = {"messages": messages} if len(turns) > 1 else {"input": turns[0].content}
    answer = {"reference": example.answer.content, "conversation_id": example.cluster}
    return EvalCase.model_validate({"id": example.id, **talk, **answer})


def solved_examples(lab: PreparedLab) -> Solved:
    """Examples of the training part with a text as answer; none of them is a test case."""
    _, passed = training_set(lab.case)
    solved = _solved(example for example in passed if example.split == "train")
    questions = {question(case) for case in (*lab.plan.select, *lab.plan.report)}
    if same := sum(question(case) in questions for _, case in solved):
        fix = (
            f"make the training set again: tuneworthy data {argument(lab.case.folder)}"
        )
        what = (
            f"{same} of {len(solved)} training examples are cases of the evaluation set"
        )
        raise CaseError(what, where="data.training", fix=fix)
    return solved


def _solved(examples: Iterable[TrainingExample]) -> Solved:
    return [(e, c) for e in examples if (c := example_case(e)) is not None]


def prompt_for(prompts: Iterable[PromptVariant], base: str) -> PromptVariant | None:
    """The prompt under which a base is tuned: the first one that it would be asked with."""
    return next((p for p in prompts if p.model in (None, base)), None)


def asked_under(
    prompt: PromptVariant, base: str, case: EvalCase, setting: Setting
) -> list[Row]:
    """The messages of a case to a model that is tuned under a prompt."""
    arm = Arm(id="as written", kind="prompt", prompt=prompt.name, model=base)
    return [
        message.model_dump() for message in request_for(arm, case, setting).messages
    ]


def chat(messages: list[Row], answer: str) -> Row:
    return {"messages": [*messages, {"role": "assistant", "content": answer}]}


def replay_rows() -> list[Row]:
    """General examples that keep general skills; none of them is among the general tasks of a test."""
    rows = bundled("training/replay.jsonl")
    return [
        chat([{"role": "user", "content": row["input"]}], row["answer"]) for row in rows
    ]


def drawn_places(n: int, size: int, seed: int) -> list[int]:
    """The places of the ``size`` examples, of ``n``, that a run with a seed learns from, in order."""
    return [int(place) for place in np.random.default_rng(seed).permutation(n)[:size]]


@dataclass(frozen=True)
class AsPiloted:
    """The parts that an export takes from a pilot, or from the pilot that would run."""

    base: str  #: Id of the model that was tuned, or would be.
    prompt: str  #: Name of the prompt under which it was.
    recipe: Recipe | None  #: None where no pilot has run.
    #: In the order of the first seed, general ones last.
    train: tuple[TrainingExample, ...]
    validation: tuple[TrainingExample, ...]
    general: int  #: General examples among those to train on.
    there: int  #: Examples of the task that could be trained on.
    #: Examples whose tools are left out: a pilot asks without any.
    tooled: int = 0
    calling: int = 0  #: Examples left out, as a pilot learns no call of a tool.
    secrets: int = 0  #: Planted secrets of the pilot's runs, which aren't handed off.
    way: str = ""  #: Where the pilot trained; empty where none has run.
    #: Whether the training set is the pilot's; None for unknown.
    same_set: bool | None = None
    card: str = ""  #: The text of its card; empty where no pilot has run.

    @property
    def epochs(self) -> int:
        """The epochs of a run with these examples."""
        recipe = self.recipe or Recipe()
        if self.way == "hosted":
            return recipe.epochs
        return recipe.epochs_of(len(self.train))


def as_piloted(
    source: str | Path,
    training: TrainingSet,
    examples: Sequence[TrainingExample],
    method: str,
) -> AsPiloted:
    """The examples as a pilot trains on them, for a target that learns by ``method``.

    Raises CaseError where the case has no model, no prompt or no evaluation set.
    """
    lab = prepare(source, scored=False)
    result = read_pilot(lab.case)
    base = result.plan.base if result else _first_model(lab)
    prompts = lab.plan.setting.prompts
    prompt = prompts.get(result.plan.prompt) if result else None
    prompt = prompt or prompt_for(prompts.values(), base)
    if prompt is None:
        raise CaseError(
            f'has no prompt for "{base[:80]}"',
            where=lab.case.where("data"),
            fix="add one",
        )

    # examples that no pilot runs keep their tools
    tools_stay = method not in PILOTED

    def under(example: TrainingExample, case: EvalCase) -> TrainingExample:
        """The example with the messages that the pilot's prompt makes of its question."""
        turns = [
            ChatTurn.model_validate(m)
            for m in asked_under(prompt, base, case, lab.plan.setting)
        ]
        messages = (*turns, example.answer)
        tools = example.tools if tools_stay else ()
        id_ = content_id(messages, tools, example.rejected)
        update = {"id": id_, "messages": messages, "tools": tools}
        return example.model_copy(update=update)

    solved = solved_examples(lab)
    if method == "dpo":
        solved = [(example, case) for example, case in solved if example.rejected]
    size, same = _size(result, training, len(solved))
    drawn = [solved[place] for place in drawn_places(len(solved), size, 0)]
    task = [under(*pair) for pair in drawn]
    general = _general_examples()[: round(size * REPLAYED)] if method == "sft" else []
    held = _solved(example for example in examples if example.split == "validation")
    piloted = AsPiloted(
        base=base,
        prompt=prompt.name,
        recipe=None,
        train=(*task, *general),
        validation=tuple(under(*pair) for pair in held),
        general=len(general),
        there=len(solved),
        tooled=0 if tools_stay else sum(bool(each.tools) for each, _ in drawn),
        calling=sum(bool(each.answer.tool_calls) for each in examples),
        same_set=same,
    )
    if result is None:
        return piloted
    plan = result.plan
    return replace(
        piloted,
        recipe=plan.recipe,
        secrets=plan.canaries,
        way=plan.way,
        card=result.card.answer,
    )


def _first_model(lab: PreparedLab) -> str:
    """The first model of the case that can be tuned."""
    base = next(
        (model.id for model in lab.case.models if model.kind == "prompted"), None
    )
    if base is None:
        fix = 'name the model to tune: models: [{id: "…"}]'
        raise CaseError("has no model to tune", where=lab.case.where("models"), fix=fix)
    return base


def _size(
    result: PilotResult | None, training: TrainingSet, there: int
) -> tuple[int, bool | None]:
    """The number of examples of the judged size, and whether the pilot's training set is this one."""
    if result is None:
        return there, None
    if result.plan.training_set and result.plan.training_set != training.digest:
        return there, False
    trained = [point.examples for point in result.curve.points if not point.ahead]
    same = True if result.plan.training_set else None
    return min(there, max(trained, default=there)), same


def _general_examples() -> list[TrainingExample]:
    """The general examples that a pilot adds to its training set."""
    examples = []
    for number, row in enumerate(replay_rows(), start=1):
        turns = tuple(ChatTurn.model_validate(turn) for turn in row["messages"])
        source = f"general example {number}"
        examples.append(
            TrainingExample(id=content_id(turns), messages=turns, source=source)
        )
    return examples
