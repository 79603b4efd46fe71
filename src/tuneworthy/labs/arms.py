"""Arms: every way to answer a case that a ceiling lab compares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from tuneworthy.domain.case import Case, Model
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.lab import Arm
from tuneworthy.domain.prompts import PromptVariant
from tuneworthy.files.prompts import names

NEAREST = 8
"""Examples that are retrieved where a prompt doesn't say how many."""
_LONGEST = 180  # characters of a name, with room for a number
BASELINES = ("majority", "nearest_neighbour")


def plan_arms(
    case: Case, prompts: Sequence[PromptVariant], evalset: Sequence[EvalCase], examples: int,
    *, schema: bool = False,
) -> tuple[Arm, ...]:  # fmt: skip
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
    prompt: PromptVariant, model: Model, examples: int, *,
    passages: bool, more: bool, schema: bool,
) -> Iterator[Arm]:  # fmt: skip
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
