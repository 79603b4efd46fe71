"""What a ceiling lab adds to what is known of a case: checks it has answered, and evidence."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from typing import Literal

from tuneworthy.domain.evidence import Evidence, Measured
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.lab import Arm, CeilingResult
from tuneworthy.domain.prompts import PromptVariant
from tuneworthy.domain.record import Unknown
from tuneworthy.gather.prompts import distinct_prompts
from tuneworthy.labs.ceiling import Plan

NEAR_COPY = 1.0
"""Where a framework names no threshold, only identical prompts are copies."""


def distinct(plan: Plan, arms: Sequence[Arm], framework: Framework) -> int:
    """Prompt variants of some arms; near copies count once."""
    near = framework.threshold("near_copy")
    names = dict.fromkeys(arm.prompt for arm in arms)
    texts = [f"{p.system}\n{p.user}" for p in (plan.setting.prompts[name] for name in names)]
    return distinct_prompts(texts, NEAR_COPY if near is None else near)


def models_of(arms: Sequence[Arm]) -> tuple[str, ...]:
    """The models of some arms, each once."""
    return tuple(dict.fromkeys(arm.model for arm in arms))


def effort(plan: Plan, arms: Sequence[Arm], framework: Framework) -> int:
    """Pairs of a model and a prompt variant that really differs."""
    per_model = ([a for a in arms if a.model == model] for model in models_of(arms))
    return sum(distinct(plan, own, framework) for own in per_model)


def checks_shown(
    plan: Plan, arms: Sequence[Arm], framework: Framework
) -> dict[str, Literal["yes", "no", "unknown"]]:
    """What running some prompt arms shows about the five checks; a yes at most, never a no."""
    used = [plan.setting.prompts[name] for name in {arm.prompt for arm in arms}]
    wanted = {name: _wanted(framework, name) for name in ("prompt_variations", "foundation_models")}
    shown = {
        "prompt_variations": distinct(plan, arms, framework) >= wanted["prompt_variations"],
        "foundation_models": len(models_of(arms)) >= wanted["foundation_models"],
        "few_shot": any(arm.few_shot for arm in arms),
        "structured_prompt": any(structured(prompt) for prompt in used),
    }  # fmt: skip
    return {name: "yes" if shown.get(name) else "unknown" for name in framework.ceiling}


def structured(prompt: PromptVariant) -> bool:
    """Whether its author says that all four parts of a structured prompt are there."""
    parts = prompt.structured
    return parts is not None and set(parts.model_dump().values()) == {"yes"}


def _wanted(framework: Framework, name: str) -> int:
    check = framework.ceiling.get(name)
    return (check.at_least if check else None) or 1


def _interval(result: CeilingResult) -> str:
    if result.judge is not None:
        return "prediction-powered interval (PPI++), by people's blind labels of a random part"
    return "exact interval (Clopper and Pearson) at the number of independent cases"


def evidence_of(result: CeilingResult, plan: Plan, as_of: date) -> Measured | None:
    """What the lab adds to the ledger: quality on untouched cases, and what was tried.

    Returns:
        None for a lab that was cut short: part of an answer is none. None also where a judge's word
        alone chose an arm that doesn't meet the target: another may be better, and a number of this
        one would speak against prompting.
    """
    one = result.reported
    if result.stopped or isinstance(one, Unknown):
        return None
    if result.judge is not None and result.judge.chosen_by == "judge" and result.reached != "no":
        return None
    source = f"ceiling lab: {result.best}"
    quality = Evidence(
        id="success_share", factor="today.quality", value=one.value, low=one.low, high=one.high,
        unit="share of cases", n=one.n, clusters=one.clusters, source=source, observed_on=as_of,
        method=f"{result.scorer} on cases that chose nothing; {_interval(result)}",
    )  # fmt: skip
    arms = [row.arm for row in result.arms if row.arm.kind == "prompt"]
    prompts = [plan.setting.prompts[name] for name in {arm.prompt for arm in arms}]
    tried = (
        ("distinct_prompts", "prompt_variations", result.prompts, "prompts"),
        ("models_seen", "foundation_models", result.models, "models"),
        ("few_shot_arms", "few_shot", sum(arm.few_shot > 0 for arm in arms), "arms"),
        ("structured_prompts", "structured_prompt", sum(map(structured, prompts)), "prompts"),
        ("nearest_example_arms", "", sum(arm.few_shot_from == "nearest" for arm in arms), "arms"),
        ("constrained_arms", "", sum(arm.constrained != "none" for arm in arms), "arms"),
    )
    counts = [
        Evidence(id=name, factor=check, value=n, low=n, high=n, unit=unit, n=len(arms),
                 source=source, observed_on=as_of, method="counted among the arms that were run")
        for name, check, n, unit in tried
    ]  # fmt: skip
    told = result.model_dump_json(exclude={"quote", "spend"})
    inputs = hashlib.sha256(told.encode()).hexdigest()
    return Measured(inputs=inputs, evidence=(quality, *counts, *_plateau(result, as_of)))


def _plateau(result: CeilingResult, as_of: date) -> tuple[Evidence, ...]:
    """What one more draw of the generator would add, where that is known."""
    gain, asked = result.plateau, result.proposing
    if isinstance(gain, Unknown) or isinstance(asked, Unknown):
        return ()
    return (
        Evidence(
            id="plateau_gain", value=gain.value, low=gain.low, high=gain.high,
            unit="share of cases", n=gain.n, clusters=gain.clusters, observed_on=as_of,
            source=f"ceiling lab: gepa with {asked.model}, from {asked.parent}",
            method=f"mean over all orders of {gain.draws} independent draws, scored on the same "
            "cases; its upper end by the place of a draw among the others",
            details={"draws": gain.draws},
        ),
    )  # fmt: skip
