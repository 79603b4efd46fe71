"""What a ceiling lab found: leaderboard, contrasts, ceiling and failures."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Literal, TypeVar

import numpy as np

from tuneworthy.lab.race import ENOUGH, LABEL_ALL, Lab, Plan, contrast, judge_of, tried_by_people
from tuneworthy.lab.scores import Scores, estimate, share_of, shown, unanswered_text
from tuneworthy.measure.duplicates import distinct_prompts
from tuneworthy.model.base import Unknown
from tuneworthy.model.case import PromptVariant, PublishedFigure
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.evidence import Evidence, Measured
from tuneworthy.model.framework import Framework
from tuneworthy.model.lab import Arm, ArmResult, CeilingResult, CurvePoint, Failures, Quote, Spend
from tuneworthy.stats.clustered import Estimate
from tuneworthy.stats.compare import Ceiling, ceiling

# What a ceiling lab adds to what is known of a case: checks it has answered, and evidence.

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
    }
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
        None for a lab that was cut short, or in which an arm that may be better got too few
        answers: part of an answer is none. None also where a judge's word
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
        id="success_share",
        factor="today.quality",
        value=one.value,
        low=one.low,
        high=one.high,
        unit="share of cases",
        n=one.n,
        clusters=one.clusters,
        source=source,
        observed_on=as_of,
        method=f"{result.scorer} on cases that chose nothing; {_interval(result)}",
    )
    arms = [
        row.arm
        for row in result.arms
        if row.arm.kind == "prompt" and not isinstance(row.quality, Unknown)
    ]
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
        Evidence(
            id=name,
            factor=check,
            value=n,
            low=n,
            high=n,
            unit=unit,
            n=len(arms),
            source=source,
            observed_on=as_of,
            method="counted among the arms that were run",
        )
        for name, check, n, unit in tried
    ]
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
            id="plateau_gain",
            value=gain.value,
            low=gain.low,
            high=gain.high,
            unit="share of cases",
            n=gain.n,
            clusters=gain.clusters,
            observed_on=as_of,
            source=f"ceiling lab: gepa with {asked.model}, from {asked.parent}",
            method=f"mean over all orders of {gain.draws} independent draws, scored on the same "
            "cases; its upper end by the place of a draw among the others",
            details={"draws": gain.draws},
        ),
    )


# What a ceiling lab found: leaderboard, contrasts, ceiling and failures.

Reached = Literal["yes", "no", "too_few_cases", "unknown"]

_MENDS: dict[str, Literal["yes", "no", "unknown"]] = {
    "inconsistent_format": "yes",
    "terminology_errors": "yes",
    "voice_drift": "yes",
    "instruction_limit": "yes",
    "knowledge_gaps": "no",
}
"""Form, words, voice and rules can be trained; facts that weren't there can't."""
_RUN_ON = "run it to its end: the chosen arm has to meet cases that chose nothing"


def outcome(
    lab: Lab,
    chosen: Sequence[Arm],
    framework: Framework,
    *,
    target: float | None,
    quote: Quote,
    spend: Spend,
    scorer: str,
    published: tuple[PublishedFigure, ...] = (),
) -> CeilingResult:
    """Everything the lab found, after both parts were run."""
    plan, scores = lab.plan, lab.scores
    rows = [_arm(scores, arm, plan.select, lab.dropped.get(arm.id)) for arm in plan.arms]
    prompts = [r.arm for r in rows if r.arm.kind == "prompt" and not isinstance(r.quality, Unknown)]
    told, reached, needed = _judged(lab, chosen, target)
    stopped = lab.stopped or ("" if reached == "no" else _unanswered(lab, chosen))
    bound = _RUN_ON if scores.judging is None or stopped else LABEL_ALL
    return CeilingResult(
        arms=tuple(sorted(rows, key=_quality, reverse=True)),
        best=chosen[0].id if chosen else "",
        reported=share_of(scores, chosen[0], plan.report, exact=True)
        if chosen
        else Unknown(ask=_RUN_ON),
        contrasts=tuple(contrast(scores, chosen[0], rival, plan.report) for rival in chosen[1:]),
        target=_or("say which share is good enough (targets.quality.at_least)", target),
        reached=reached,
        upper=_or(bound, told.upper if told else None),
        effort=effort(plan, prompts, framework),
        prompts=distinct(plan, prompts, framework),
        models=len(models_of(prompts)),
        select=len(plan.select),
        report=len(plan.report),
        seed=plan.seed,
        plateau=Unknown(ask="let one generator propose variants: hand-written ones are no sample"),
        cases_needed=_or("more cases wouldn't tell", needed),
        checks=checks_shown(plan, prompts, framework),
        failures=_failures(scores, chosen[0], plan.report) if chosen else (),
        published=published,
        curve=_curve(lab),
        scorer=scorer,
        judge=judge_of(scores, [r.arm for r in rows], chosen, plan.select, plan.report),
        calls_saved=_saved(lab),
        stopped=stopped,
        quote=quote,
        spend=spend,
    )


def _unanswered(lab: Lab, chosen: Sequence[Arm]) -> str:
    """Which prompt arms got too few answers to be judged; empty where all got enough."""
    prompts = (arm for arm in lab.plan.arms if arm.kind == "prompt")
    found = lab.unanswered(prompts, lab.plan.select)
    found += lab.unanswered(chosen[:1], lab.plan.report)
    return unanswered_text(found)


T = TypeVar("T")


def _or(ask: str, value: T | None) -> T | Unknown:
    """A value, or how to get one."""
    return Unknown(ask=ask) if value is None else value


def _judged(
    lab: Lab, chosen: Sequence[Arm], target: float | None
) -> tuple[Ceiling | None, Reached, int | None]:
    """The bounds, the answer, and the cases that would give one.

    Where an arm got too few answers, it may be the one that meets the target: then the only answer
    is that another meets it.
    """
    found = _held_against(lab, chosen, target)
    return found if found[1] == "no" or not _unanswered(lab, chosen) else (None, "unknown", None)


def _held_against(
    lab: Lab, chosen: Sequence[Arm], target: float | None
) -> tuple[Ceiling | None, Reached, int | None]:
    """The bounds, the answer, and the cases that would give one; a lab cut short answers nothing.

    Where there are too few conversations to trust an interval, the answer is that; without a target
    the upper bound is all there is to say.
    """
    plan, scores = lab.plan, lab.scores
    reported = estimate(scores, chosen[0], plan.report, exact=True) if chosen else None
    if lab.stopped or reported is None:
        return None, "unknown", None
    stayed = [a for a in plan.arms if a.kind == "prompt" and lab.dropped.get(a.id) is None]
    if scores.judging is not None:
        return _by_people(scores, reported, stayed, plan.select, target)
    found = (estimate(scores, arm, plan.select, exact=True) for arm in stayed)
    tried = [one for one in found if one is not None]
    told = ceiling(tried, reported, 1.0 if target is None else target)
    if target is None:
        return told, "unknown", None
    fewest = min([reported, *tried], key=lambda one: one.clusters)
    if fewest.clusters < ENOUGH:
        cases = len(plan.select) + len(plan.report)
        longer = ENOUGH / max(1, fewest.clusters)
        return told, "too_few_cases", max(cases + 1, math.ceil(cases * longer))
    return told, told.reached, told.cases_needed


def _by_people(
    scores: Scores,
    reported: Estimate,
    stayed: Sequence[Arm],
    cases: Sequence[EvalCase],
    target: float | None,
) -> tuple[Ceiling | None, Reached, int | None]:
    """The same under a judge: its word bounds nothing, so ``yes`` takes labels of every arm.

    More labels would tell more than more cases, so no number of cases is given.
    """
    tried = tried_by_people(scores, stayed, cases)
    told = ceiling(tried, reported, 1.0 if target is None else target)
    if target is None or (told.reached != "no" and not tried):
        return (told if tried else None), "unknown", None
    return told, told.reached, None


def _saved(lab: Lab) -> int:
    """Calls of the full grid that the race didn't make."""
    plan = lab.plan
    if lab.stopped:
        return 0
    asked = [arm for arm in plan.arms if arm.kind != "baseline"]
    made = sum(len(lab.scores.cells(arm.id, plan.select)) for arm in asked)
    return (len(asked) * len(plan.select) - made) * plan.repeats


def _quality(row: ArmResult) -> float:
    return -1.0 if isinstance(row.quality, Unknown) else row.quality.value


def _arm(scores: Scores, arm: Arm, cases: Sequence[EvalCase], dropped: int | None) -> ArmResult:
    cells = scores.cells(arm.id, cases)
    times = [seconds for cell in cells for seconds in cell.latencies_s]
    free = Unknown(ask="a baseline calls no model" if arm.kind == "baseline" else "it wasn't run")
    return ArmResult(
        arm=arm,
        quality=share_of(scores, arm, cases),
        usd_per_case=sum(cell.usd for cell in cells) / len(cells) if times else free,
        latency_p95_s=float(np.quantile(times, 0.95)) if times else free,
        dropped_after=None if dropped is None else len(cells),
        failed=sum(cell.failed > 0 for cell in cells),
        in_doubt=sum(cell.in_doubt > 0 for cell in cells),
        unjudged=sum(cell.unjudged > 0 for cell in cells),
    )


def _failures(scores: Scores, arm: Arm, cases: Sequence[EvalCase]) -> tuple[Failures, ...]:
    """Wrong answers of an arm by what they are a sign of; under a judge, what people said no to."""
    wrong, judged = scores.failed(arm.id, cases)
    found = [
        (cell.wrong[0], f"{shown(one.text)} → {cell.wrong[1]}")
        for one, cell in wrong
        if cell.wrong is not None
    ]
    counted = Counter(signal for signal, _ in found)
    return tuple(
        Failures(
            signal=signal,
            n=n,
            of=judged,
            mends=_MENDS.get(signal, "unknown"),
            examples=tuple(text for told, text in found if told == signal)[:3],
        )
        for signal, n in counted.most_common()
    )


def _curve(lab: Lab) -> tuple[CurvePoint, ...]:
    """The best so far; an arm that was left behind is on too few cases to be the best of any."""
    best, found, plan = 0.0, [], lab.plan
    for number, arm in enumerate((a for a in plan.arms if a.kind == "prompt"), start=1):
        row = lab.scores.row(arm.id, plan.select)
        if np.isnan(row).all() or lab.scores.unanswered(arm.id, plan.select):
            continue
        if lab.dropped.get(arm.id) is None:
            best = max(best, float(np.nanmean(row)))
        found.append(CurvePoint(arms=number, best=min(1.0, best)))
    return tuple(found)
