"""What a lab leaves to its case: a row for each arm, and the evidence beside them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import date
from typing import Any, Literal

import numpy as np

from tuneworthy.answers.arms import arms_series
from tuneworthy.answers.weigh import (
    BEST_PROMPT,
    FAMILIES,
    REWARD,
    SEARCH,
    exactly,
    maker,
)
from tuneworthy.lab.plan import Arms, LabPlan
from tuneworthy.lab.pool import Cases
from tuneworthy.lab.result import is_structured, models_of, scored_prompts, variants_of
from tuneworthy.lab.scores import Scores, clusters_of, ranking_value
from tuneworthy.llm.hosts import find_strange_host
from tuneworthy.model.base import Unknown
from tuneworthy.model.evidence import Evidence, Measured, Scalar, Series
from tuneworthy.model.lab import (
    Arm,
    ArmResult,
    CeilingResult,
    Contrast,
    Gain,
    JudgeOf,
    RetrievalResult,
    ShareOf,
    VerifyResult,
)
from tuneworthy.model.pilot import PilotResult
from tuneworthy.model.ways import AnyFigure, Figure, FigureGrade, LabArm, LabName
from tuneworthy.stats.clustered import Estimate, mean, quantile
from tuneworthy.stats.compare import quantiles
from tuneworthy.stats.intervals import Z95
from tuneworthy.words import listing

_WAY_KIND: dict[str, Literal["prompted", "tuned", "no_model"]] = {
    "prompt": "prompted",
    "tuned": "tuned",
    "baseline": "no_model",
}
"""The kind of way that the table of ways has for each kind of arm."""

_USES: dict[str, Callable[[Arm], bool]] = {
    "retrieved_examples": lambda arm: arm.few_shot_from == "nearest",
    "few_shot": lambda arm: arm.few_shot_from not in ("none", "nearest"),
    "constrained_output": lambda arm: arm.constrained != "none",
    "reasoning_effort": lambda arm: arm.effort not in ("", "none"),
    "plain_classifier": lambda arm: arm.kind == "baseline" and arm.of != "majority",
    "decomposition": lambda arm: bool(arm.steps),
}
"""Options of the framework, each with the test whether an arm uses it."""
_NO_MIXES = ("retrieved_examples", "few_shot", "constrained_output", "decomposition")
"""Options that are only counted for an arm without a tuned model."""

_MORE_CALLS = "run more cases: these are too few to bound it from above"
_NOT_TIMED = "run it: no call of it was timed"
_UNANSWERED = "run it again: too few of its calls got an answer that counts"
_NOT_PAID = "its calls cost nothing here: state a price, or how it is served"
_LOOK_UP_S = 0.1  # a search in memory or a small classifier stays far below this


def measured_arms(
    lab: LabName,
    plan: LabPlan,
    scores: Scores,
    reported: Arms,
    as_of: date,
    *,
    proposed: Collection[str] = (),
) -> tuple[LabArm, ...]:
    """Return every arm of a lab with its figures, in the order of the plan.

    ``reported`` are the arms that met the held-out cases, so their quality is from these. The
    quality of the others is from the cases for selecting. On either part, the interval holds for
    all arms together that were compared there, so that the best of many doesn't look too good.
    ``proposed`` are names of prompts that a generator wrote.
    """
    in_race = _shares(scores, plan.arms, plan.select)
    held_out = _shares(scores, reported, plan.report)
    arms = []
    for arm in dict.fromkeys((*plan.arms, *reported)):
        cases: Cases = plan.select
        grade: FigureGrade = "measured"
        source = f"{lab} lab, the cases for selecting"
        quality = in_race.get(arm.id, Unknown(ask=_UNANSWERED))
        # a run that was stopped may never have come to the held-out cases
        if arm.id in held_out and scores.arm_scores(arm).ran(plan.report):
            cases = plan.report
            grade = "held_out"
            source = f"{lab} lab, held-out cases"
            quality = held_out[arm.id]
        lacking = bool(scores.unanswered(arm, cases))
        if isinstance(quality, Unknown) and lacking:
            # the evidence file gets our sentence, as an unknown share may quote an endpoint's text
            quality = Unknown(ask=_UNANSWERED)
        # the time and the price of a refusal aren't the model's
        unmeasured = Unknown(ask=_UNANSWERED) if lacking else None
        arms.append(
            LabArm(
                id=arm.id,
                title=arm.id,
                lab=lab,
                kind=_WAY_KIND[arm.kind],
                model=arm.model,
                prompt=arm.prompt,
                made_of=made_of(arm, plan, proposed),
                quality=_quality_figure(quality, grade, source),
                latency_p95_s=_latency_figure(scores, arm, cases, source, unmeasured),
                usd_per_call=_cost_figure(
                    scores, arm, cases, source, unmeasured, plan.repeats
                ),
                observed_on=as_of,
            )
        )
    return tuple(arms)


def made_of(arm: Arm, plan: LabPlan, proposed: Collection[str] = ()) -> tuple[str, ...]:
    """Return the options of the framework that an arm uses; () for a prompt as it is written."""
    options = [name for name, uses in _USES.items() if uses(arm)]
    prompt = plan.setting.prompts.get(arm.prompt)
    if arm.prompt in proposed or (prompt is not None and prompt.searched_by):
        options.append("prompt_optimisation")
    if arm.model in plan.setting.deciders:
        options.append("decision_model")
    return tuple(options)


def _shares(scores: Scores, arms: Arms, cases: Cases) -> dict[str, ShareOf | Unknown]:
    """Return the quality of each arm on the same cases, with intervals that hold for all together."""
    if not arms or not cases:
        return {}
    rows = np.array([scores.row(arm, cases) for arm in arms])
    # an arm without any score has no interval, so it makes the others' no longer
    scored = rows[~np.isnan(rows).all(axis=1)]
    reach = Z95
    if len(scored) > 1:
        # a fixed seed: the same scores give the same figures in every report
        reach = quantiles(scored.T, np.random.default_rng(0)).arms
    return {arm.id: scores.share(arm, cases, exact=True, reach=reach) for arm in arms}


def _quality_figure(
    share: ShareOf | Unknown, grade: FigureGrade, source: str
) -> AnyFigure:
    """Return an arm's share of right cases as a figure."""
    if isinstance(share, Unknown):
        return Unknown(ask=share.ask)
    return Figure(
        value=share.value,
        low=share.low,
        high=share.high,
        grade=grade,
        cases=share.n,
        source=source,
    )


def _latency_figure(
    scores: Scores, arm: Arm, cases: Cases, source: str, unmeasured: Unknown | None
) -> AnyFigure:
    """Return the p95 latency of an answer, in seconds; for a chain, of all its calls together."""
    if arm.kind == "baseline":
        by_rule = "a look-up in memory, with no call"
        return Figure(
            value=0.0, low=0.0, high=_LOOK_UP_S, grade="rule_of_thumb", source=by_rule
        )
    if unmeasured is not None:
        return unmeasured
    seconds = []
    clusters = []
    rows = scores.arm_scores(arm).rows_of(cases)
    for row, cluster in zip(rows, clusters_of(cases).tolist(), strict=True):
        seconds += row.seconds
        clusters += [cluster] * len(row.seconds)
    estimate = quantile(seconds, 0.95, np.array(clusters, dtype=np.int64))
    return _amount(estimate, _NOT_TIMED, source)


def _cost_figure(
    scores: Scores,
    arm: Arm,
    cases: Cases,
    source: str,
    unmeasured: Unknown | None,
    repeats: int,
) -> AnyFigure:
    """Return the mean cost of one answer to a case, in USD."""
    if arm.kind == "baseline":
        by_rule = "no model is called"
        return Figure(value=0.0, low=0.0, high=0.0, grade="computed", source=by_rule)
    if unmeasured is not None:
        return unmeasured
    results = scores.arm_scores(arm)
    ran = results.ran(cases)
    if not ran:
        return Unknown(ask=_NOT_TIMED)
    (usd,) = results.columns(ran, "usd")
    if not usd.any():
        return Unknown(ask=_NOT_PAID)
    # the column holds what all repeats of a case have cost
    return _amount(mean(usd / repeats, clusters_of(ran)), _NOT_PAID, source)


def _amount(estimate: Estimate | None, ask: str, source: str) -> AnyFigure:
    """Return an estimate as a figure of at least zero; unknown, with ``ask``, where it is None.

    An upper end that isn't finite is unknown: there are too few values to bound the amount.
    """
    if estimate is None:
        return Unknown(ask=ask)
    high = estimate.high
    return Figure(
        value=estimate.value,
        low=max(0.0, estimate.low),  # an interval of a small amount may reach below 0
        high=high if math.isfinite(high) else Unknown(ask=_MORE_CALLS),
        grade="measured",
        cases=estimate.n,
        source=source,
    )


def with_found(
    arms: Sequence[LabArm], tuned: str, **changes: object
) -> tuple[LabArm, ...]:
    """Return the arms with some fields of the tuned one changed; ``tuned`` is its id."""
    return tuple(
        arm.model_copy(update=changes) if arm.id == tuned else arm for arm in arms
    )


# The evidence of a ceiling lab.


def ceiling_evidence(
    result: CeilingResult, plan: LabPlan, arms: Sequence[LabArm], as_of: date
) -> Measured | None:
    """Return the lab's evidence for the case: every arm, the best prompt, and what was tried.

    None for a lab that was cut short, as a part of its result is no result. Where an arm that may
    be better got too few answers, the other arms are kept, and no best one is named.
    """
    if result.stopped_by not in ("", "unanswered") or not any_measured(arms):
        return None
    kept = tuple(_beside_arms(result, plan, as_of))
    return measured_in(result, *kept, series=(arms_series("ceiling", arms),))


def any_measured(arms: Iterable[LabArm]) -> bool:
    """Whether the quality of any arm with a model is known; baselines always answer."""
    known = (arm for arm in arms if not isinstance(arm.quality, Unknown))
    return any(arm.kind != "no_model" for arm in known)


def _beside_arms(
    result: CeilingResult, plan: LabPlan, as_of: date
) -> Iterator[Evidence]:
    """Yield the evidence beside the arms; nothing where the best prompt is unknown."""
    share = result.reported
    judge = result.judge
    if result.stopped or isinstance(share, Unknown):
        return
    if judge is not None and judge.chosen_by == "judge" and result.reached != "no":
        # a grader alone chose, and the arm isn't shown to meet the target: another arm may be
        # better, and this figure would count against prompting
        return
    interval = "exact interval (Clopper and Pearson) at the number of independent cases"
    if judge is not None:
        interval = "prediction-powered interval (PPI++), by people's blind labels of a random part"
    source = f"ceiling lab: {result.best}"
    method = f"{result.scorer} on cases that chose nothing; {interval}"
    (best,) = (arm for arm in plan.arms if arm.id == result.best)
    yield best_prompt_evidence(best, share, plan, as_of, source=source, method=method)
    yield from tried_evidence(result.arms, plan, result.prompts, as_of, source)
    if judge is None:
        yield from options_evidence(result.arms, as_of, "ceiling")
    yield from _search_evidence(result, as_of, source)
    yield from _reward_evidence(result, as_of, source)


def best_prompt_evidence(
    best: Arm, share: ShareOf, plan: LabPlan, as_of: date, **about: str
) -> Evidence:
    """Return the quality of a lab's best prompt on held-out cases. Production may run another prompt."""
    details: dict[str, Scalar] = {"arm": best.id, "model": best.model}
    host = find_strange_host(best.model, plan.setting.reached[best.model].base_url)
    if host:
        details["host"] = host
    factor = "success_with_prompts"
    return interval_evidence(
        BEST_PROMPT, share, as_of, factor=factor, details=details, **about
    )


def tried_evidence(
    rows: Sequence[ArmResult], plan: LabPlan, prompts: int, as_of: date, source: str
) -> Iterator[Evidence]:
    """Yield the numbers of prompts, models and other things tried, over the scored prompt arms.

    ``prompts`` is the number of clearly different prompts.
    """
    arms = scored_prompts(rows)
    makers = len({maker(model) for model in models_of(arms)})
    few_shot = sum(arm.few_shot > 0 for arm in arms)
    in_parts = sum(map(is_structured, variants_of(plan, arms)))
    nearest = sum(arm.few_shot_from == "nearest" for arm in arms)
    constrained = sum(arm.constrained != "none" for arm in arms)
    chained = sum(bool(arm.steps) for arm in arms)
    deciding = sum(arm.model in plan.setting.deciders for arm in arms)
    # the id of the evidence, its number and unit, and the check of the ceiling that it answers
    counts = [
        ("distinct_prompts", prompts, "prompts", "prompt_variations"),
        (FAMILIES, makers, "makers", "foundation_models"),
        ("few_shot_arms", few_shot, "arms", "few_shot"),
        ("structured_prompts", in_parts, "prompts", "structured_prompt"),
        ("nearest_example_arms", nearest, "arms", ""),
        ("constrained_arms", constrained, "arms", ""),
    ]
    # named only where there are any: they come from the case, and a lab adds none
    if chained:
        counts.append(("chained_arms", chained, "arms", ""))
    if deciding:
        counts.append(("decision_arms", deciding, "arms", ""))
    highest = max(
        (
            row.quality.high
            for row in rows
            if row.arm.kind == "prompt" and isinstance(row.quality, ShareOf)
        ),
        default=1.0,
    )
    for name, n, unit, check in counts:
        details: dict[str, Scalar] = {"best_high": highest} if name == FAMILIES else {}
        yield exactly(
            name,
            n,
            unit,
            factor=check,
            method="counted among the arms that were run",
            details=details,
            n=len(arms),
            source=source,
            observed_on=as_of,
        )


def options_evidence(
    rows: Sequence[ArmResult], as_of: date, lab: LabName
) -> Iterator[Evidence]:
    """Yield the quality of each option and of tuning: that of the best arm with it that stayed."""
    stayed = [row for row in rows if row.dropped_after is None]
    with_option = dict[str, list[ArmResult]]()
    for name, uses in _USES.items():
        own = [row for row in stayed if uses(row.arm)]
        if name in _NO_MIXES:
            own = [row for row in own if row.arm.kind == "prompt"]
        with_option[name] = own
    with_option["tuned"] = [row for row in stayed if row.arm.kind == "tuned"]
    for name, own in with_option.items():
        best = max(own, key=lambda row: ranking_value(row.quality), default=None)
        if best is not None and not isinstance(best.quality, Unknown):
            yield interval_evidence(
                f"{name}_share",
                best.quality,
                as_of,
                source=f"{lab} lab: {best.arm.id}",
                method=f"the best of {len(own)} arms, on the cases that chose it",
            )


def interval_evidence(
    name: str,
    result: ShareOf | Gain | Contrast,
    as_of: date,
    unit: str = "share of cases",
    **more: Any,
) -> Evidence:
    """Return evidence with the value and the interval of a result; ``more`` are further fields."""
    numbers = result.model_dump(include={"value", "low", "high", "n", "clusters"})
    return Evidence(id=name, unit=unit, observed_on=as_of, **numbers, **more)


_NO_FINDINGS: Any = {
    "quote": True,
    "spend": True,
    "failures": True,
    "stopped_by": True,
    "trained": True,
    "reward": True,
    "verify": {"spend": True},
    "card": {"rows": True, "on": True},
}
"""Fields of a result that are no finding of the lab, such as its cost and its day."""


def measured_in(
    result: CeilingResult | VerifyResult | RetrievalResult | PilotResult,
    *kept: Evidence,
    series: tuple[Series, ...] = (),
) -> Measured:
    """Return the evidence of a run, under the digest of its findings without its cost."""
    findings = result.model_dump_json(exclude=_NO_FINDINGS)
    return Measured(
        inputs=hashlib.sha256(findings.encode()).hexdigest(),
        evidence=kept,
        series=series,
        brought_answers=0 if result.spend is None else result.spend.brought,
    )


def _search_evidence(
    result: CeilingResult, as_of: date, source: str
) -> Iterator[Evidence]:
    """Yield how far prompts were searched, and the gain from one more draw; nothing for no search."""
    search = result.search
    if search.ended == "none":
        return
    yield exactly(
        SEARCH,
        search.draws,
        "draws",
        method="draws of a generator of prompts, each scored on the same cases",
        details={"ended": search.ended, "margin": search.margin},
        n=search.draws,
        source=source,
        observed_on=as_of,
    )
    gain = result.plateau
    proposing = result.proposing
    if isinstance(gain, Unknown) or isinstance(proposing, Unknown):
        return
    parents = listing(proposing.parents)
    method = (
        f"mean over all orders of {gain.draws} independent draws, scored on the same cases; its "
        "upper end by the place of a draw among the others"
    )
    yield interval_evidence(
        "plateau_gain",
        gain,
        as_of,
        source=f"ceiling lab: gepa with {proposing.model}, from {parents}",
        method=method,
        details={"draws": gain.draws},
    )


def _reward_evidence(
    result: CeilingResult, as_of: date, source: str
) -> Iterator[Evidence]:
    """Yield whether reinforcement tuning had something to learn from; nothing for too few tries."""
    reward = result.reward
    if reward is None:
        return
    details: dict[str, Scalar] = {
        "state": reward.state,
        "repeats": reward.repeats,
        "never": reward.never.value,
        "right": reward.right.value,
        "headroom": reward.headroom.value,
        "headroom_high": reward.headroom.high,
    }
    if result.judge is not None:
        details["judge"] = result.judge.plan.model
        details |= _agreement(result.judge, result.best)
    yield interval_evidence(
        REWARD,
        reward.mixed,
        as_of,
        source=source,
        method="cases answered now rightly, now wrongly when asked again",
        details=details,
    )


def _agreement(judge: JudgeOf, best: str) -> dict[str, Scalar]:
    """Return a grader's agreement with people on an arm's held-out outputs; {} for too few labels."""
    for arm in judge.arms:
        if arm.arm == best and arm.part == "report":
            kappa = arm.kappa
            if isinstance(kappa.value, Unknown):
                return {}
            agreement: dict[str, Scalar] = {"kappa": kappa.value}
            if kappa.high is not None:
                agreement["kappa_high"] = kappa.high
            return agreement
    return {}
