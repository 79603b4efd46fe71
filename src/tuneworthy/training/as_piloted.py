"""The prompt, examples and recipe of a pilot, so that an export hands off the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tuneworthy.errors import CaseError, argument
from tuneworthy.files.stores import read_pilot
from tuneworthy.lab.plan import Setting, request_for
from tuneworthy.lab.pool import question
from tuneworthy.lab.prepare import PreparedLab, prepare
from tuneworthy.lab.verify import bundled
from tuneworthy.model.case import PromptVariant
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.lab import Arm
from tuneworthy.model.pilot import PilotResult, Recipe
from tuneworthy.model.training import ChatTurn, TrainingExample, TrainingSet, content_id
from tuneworthy.training.candidates import training_set

Row = dict[str, Any]
#: General examples for each of the task, so that general skills are kept.
REPLAYED = 0.1


class SolvedExample(NamedTuple):
    """A training example, and the same as a case with its right answer."""

    example: TrainingExample
    case: EvalCase


PILOTED = ("sft", "dpo")  #: Methods that a pilot runs.


def example_case(example: TrainingExample) -> EvalCase | None:
    """Return a training example as a solved case; None where its answer isn't text."""
    answer = example.answer.content
    # the pilot's own prompt takes the place of the example's system message
    turns = [t for t in example.messages[:-1] if t.role in ("user", "assistant")]
    if not answer.strip() or example.answer.tool_calls or not turns:
        return None
    fields: dict[str, Any] = {
        "id": example.id,
        "reference": answer,
        "conversation_id": example.cluster,
    }
    if len(turns) > 1:
        fields["messages"] = [
            {"role": turn.role, "content": turn.content} for turn in turns
        ]
    else:
        fields["input"] = turns[0].content
    return EvalCase.model_validate(fields)


def solved_examples(lab: PreparedLab) -> list[SolvedExample]:
    """Return the examples of the training part with a text as answer.

    Raises:
        CaseError: If one of them is a case of the evaluation set.
    """
    _, passed = training_set(lab.case)
    solved = _solved(example for example in passed if example.split == "train")
    tested = {question(case) for case in (*lab.plan.select, *lab.plan.report)}
    same = [each for each in solved if question(each.case) in tested]
    if same:
        fix = (
            f"make the training set again: tuneworthy data {argument(lab.case.folder)}"
        )
        what = f"{len(same)} of {len(solved)} training examples are cases of the evaluation set"
        raise CaseError(what, where="data.training", fix=fix)
    return solved


def _solved(examples: Iterable[TrainingExample]) -> list[SolvedExample]:
    """The examples with a text as answer, each with its solved case."""
    solved = []
    for example in examples:
        case = example_case(example)
        if case is not None:
            solved.append(SolvedExample(example, case))
    return solved


def prompt_for(prompts: Iterable[PromptVariant], base: str) -> PromptVariant | None:
    """Return the prompt under which a base is tuned: the first one it would be asked with."""
    for prompt in prompts:
        if prompt.model is None or prompt.model == base:
            return prompt
    return None


def asked_under(
    prompt: PromptVariant, base: str, case: EvalCase, setting: Setting
) -> list[Row]:
    """Return the messages of a case to a model that is tuned under a prompt."""
    arm = Arm(id="as written", kind="prompt", prompt=prompt.name, model=base)
    request = request_for(arm, case, setting)
    return [message.model_dump() for message in request.messages]


def chat(messages: list[Row], answer: str) -> Row:
    return {"messages": [*messages, {"role": "assistant", "content": answer}]}


def replay_rows() -> list[Row]:
    """Return general examples that keep general skills; no test of a lab has one of them."""
    rows = []
    for example in bundled("training/replay.jsonl"):
        asked = [{"role": "user", "content": example["input"]}]
        rows.append(chat(asked, example["answer"]))
    return rows


def drawn_places(n: int, size: int, seed: int) -> list[int]:
    """Draw the places of ``size`` of ``n`` examples, in the order in which a run learns them.

    The draws of one seed are nested: a larger one begins with the smaller one.
    """
    order = np.random.default_rng(seed).permutation(n)
    return [int(place) for place in order[:size]]


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
    available: int  #: Examples of the task that could be trained on.
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
    """Return the examples as a pilot trains on them, for a target that learns by ``method``.

    Raises CaseError where the case has no model, no prompt or no evaluation set.
    """
    lab = prepare(source, scored=False)
    result = read_pilot(lab.case)
    base = result.plan.base if result else _first_model(lab)
    prompt = _piloted_prompt(lab, result, base)
    # examples that no pilot runs keep their tools
    tools_stay = method not in PILOTED
    writer = _ExampleWriter(lab.plan.setting, prompt, base, tools_stay)
    solved = solved_examples(lab)
    if method == "dpo":
        solved = [each for each in solved if each.example.rejected]
    size, same_set = _size(result, training, len(solved))
    # a file to train on has one order: that of the first seed
    drawn = [solved[place] for place in drawn_places(len(solved), size, seed=0)]
    task = [writer.under_prompt(each) for each in drawn]
    general = _general_examples()[: round(size * REPLAYED)] if method == "sft" else []
    held = _solved(example for example in examples if example.split == "validation")
    tooled = [each for each in drawn if each.example.tools]
    calling = [each for each in examples if each.answer.tool_calls]
    piloted = AsPiloted(
        base=base,
        prompt=prompt.name,
        recipe=None,
        train=(*task, *general),
        validation=tuple(writer.under_prompt(each) for each in held),
        general=len(general),
        available=len(solved),
        tooled=0 if tools_stay else len(tooled),
        calling=len(calling),
        same_set=same_set,
    )
    if result is None:
        return piloted
    return replace(
        piloted,
        recipe=result.plan.recipe,
        secrets=result.plan.canaries,
        way=result.plan.way,
        card=result.card.answer,
    )


def _piloted_prompt(
    lab: PreparedLab, result: PilotResult | None, base: str
) -> PromptVariant:
    """The prompt of the pilot that ran, else of one that would run.

    Raises:
        CaseError: If the base would be asked with none.
    """
    prompts = lab.plan.setting.prompts
    if result is not None and result.plan.prompt in prompts:
        return prompts[result.plan.prompt]
    prompt = prompt_for(prompts.values(), base)
    if prompt is None:
        where = lab.case.where("data")
        raise CaseError(f'has no prompt for "{base[:80]}"', where=where, fix="add one")
    return prompt


@dataclass(frozen=True)
class _ExampleWriter:
    """Writes examples with the messages that the pilot's prompt makes of their questions."""

    setting: Setting
    prompt: PromptVariant
    base: str
    tools_stay: bool

    def under_prompt(self, solved: SolvedExample) -> TrainingExample:
        """The example under the prompt, with the id of its new content."""
        example = solved.example
        asked = asked_under(self.prompt, self.base, solved.case, self.setting)
        turns = [ChatTurn.model_validate(message) for message in asked]
        messages = (*turns, example.answer)
        tools = example.tools if self.tools_stay else ()
        new_id = content_id(messages, tools, example.rejected)
        update = {"id": new_id, "messages": messages, "tools": tools}
        return example.model_copy(update=update)


def _first_model(lab: PreparedLab) -> str:
    """The id of the first model of the case that can be tuned.

    Raises:
        CaseError: If there is none.
    """
    for model in lab.case.models:
        if model.kind == "prompted":
            return model.id
    fix = 'name the model to tune: models: [{id: "…"}]'
    raise CaseError("has no model to tune", where=lab.case.where("models"), fix=fix)


def _size(
    result: PilotResult | None, training: TrainingSet, available: int
) -> tuple[int, bool | None]:
    """How many examples the judged model was trained on, and whether this is the pilot's set.

    All available ones where no pilot has run, or it ran on another set. The second value is None
    where nobody knows.
    """
    if result is None:
        return available, None
    digest = result.plan.training_set  # empty in plans of earlier versions
    if digest and digest != training.digest:
        return available, False
    trained = [point.examples for point in result.curve.points if not point.ahead]
    size = min(available, max(trained, default=available))
    return size, True if digest else None


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
