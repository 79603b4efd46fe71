"""Arms: every way to answer a case that a ceiling lab compares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tuneworthy.domain.case import Case, Model
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.lab import Arm
from tuneworthy.domain.prompts import PromptVariant

NEAREST = 8
"""Examples that are retrieved where a prompt doesn't say how many."""
BASELINES = ("majority", "nearest_neighbour")


def plan_arms(
    case: Case, prompts: Sequence[PromptVariant], evalset: Sequence[EvalCase], examples: int
) -> tuple[Arm, ...]:
    """Prompts × models as written, and beside them what teams forget to try.

    For each prompt and model: as its file says; with the nearest examples retrieved for each case,
    where examples are there and the prompt brings none; and without the passages, for the first
    prompt, where cases have passages. Two baselines need no model: the commonest answer, and the
    answer of the nearest example.

    Args:
        case: For its models; a tuned one is one more model.
        prompts: At least one.
        evalset: The cases; only whether they have passages and references counts here.
        examples: Solved cases that may be shown.

    Returns:
        Arms with unique ids, baselines last.
    """
    passages = any(one.contexts for one in evalset)
    found: dict[str, Arm] = {}
    for place, prompt in enumerate(prompts):
        for model in case.models:
            if prompt.model is not None and prompt.model != model.id:
                continue
            for arm in _of(prompt, model, examples, passages=passages, first=place == 0):
                found.setdefault(arm.id, arm)
    if examples and any(one.accepted for one in evalset):
        for name in BASELINES:
            found[name] = Arm(id=name, kind="baseline", of=name)
    return tuple(found.values())


def _of(
    prompt: PromptVariant, model: Model, examples: int, *, passages: bool, first: bool
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
    if passages and first:
        yield _arm({**base, **own, "retrieval": False})


def _arm(values: dict[str, object]) -> Arm:
    """An arm named after what it is made of."""
    parts = [str(values["prompt"]), str(values["model"])]
    if values["few_shot"]:
        parts.append(f"{values['few_shot_from']} {values['few_shot']}")
    if values["constrained"] != "none":
        parts.append(f"constrained by {values['constrained']}")
    if values["retrieval"]:
        parts.append("with passages")
    return Arm.model_validate({"id": " · ".join(parts)[:200], **values})
