"""Every arm of a lab as a row to keep: its parts, its quality, its latency and its cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from datetime import date
from typing import Literal, NamedTuple

import numpy as np

from tuneworthy.lab.plan import Arms, Cases, LabPlan
from tuneworthy.lab.scores import Scores, clusters_of
from tuneworthy.model.base import Unknown
from tuneworthy.model.lab import Arm, ShareOf
from tuneworthy.model.ways import AnyFigure, Figure, FigureGrade, LabArm, LabName
from tuneworthy.stats.clustered import Estimate, mean, quantile
from tuneworthy.stats.compare import quantiles
from tuneworthy.stats.intervals import Z95

_WAY_KIND: dict[str, Literal["prompted", "tuned", "no_model"]] = {
    "prompt": "prompted",
    "tuned": "tuned",
    "baseline": "no_model",
}
"""The kind of way that the table of ways has for each kind of arm."""

MADE_OF: dict[str, Callable[[Arm], bool]] = {
    "retrieved_examples": lambda arm: arm.few_shot_from == "nearest",
    "few_shot": lambda arm: arm.few_shot_from not in ("none", "nearest"),
    "constrained_output": lambda arm: arm.constrained != "none",
    "reasoning_effort": lambda arm: arm.effort not in ("", "none"),
    "plain_classifier": lambda arm: arm.kind == "baseline" and arm.of != "majority",
    "decomposition": lambda arm: bool(arm.steps),
}
"""Options of the framework, each with the test whether an arm uses it."""


_MORE_CALLS = "run more cases: these are too few to bound it from above"
_NOT_TIMED = "run it: no call of it was timed"
_UNANSWERED = "run it again: too few of its calls got an answer that counts"
_NOT_PAID = "its calls cost nothing here: state a price, or how it is served"
_LOOK_UP_S = 0.1  # a search in memory or a small classifier stays far below this


class _MeasuredPart(NamedTuple):
    """The part of the cases that an arm's figures come from."""

    cases: Cases
    grade: FigureGrade
    source: str


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
    select = _MeasuredPart(
        plan.select, "measured", f"{lab} lab, the cases for selecting"
    )
    report = _MeasuredPart(plan.report, "held_out", f"{lab} lab, held-out cases")
    in_race = _shares(scores, plan.arms, plan.select)
    held_out = _shares(scores, reported, plan.report)
    only_reported = [arm for arm in reported if arm not in plan.arms]
    arms = []
    for arm in (*plan.arms, *only_reported):
        # a run that was stopped may never have come to the held-out cases
        if arm.id in held_out and scores.arm_scores(arm).ran(plan.report):
            part = report
            quality = held_out[arm.id]
        else:
            part = select
            quality = in_race[arm.id]
        arms.append(
            LabArm(
                id=arm.id,
                title=arm.id,
                lab=lab,
                kind=_WAY_KIND[arm.kind],
                model=arm.model,
                prompt=arm.prompt,
                made_of=made_of(arm, plan, proposed),
                quality=_quality_figure(scores, arm, quality, part),
                latency_p95_s=_latency_figure(scores, arm, part),
                usd_per_call=_cost_figure(scores, arm, part, plan.repeats),
                observed_on=as_of,
            )
        )
    return tuple(arms)


def made_of(arm: Arm, plan: LabPlan, proposed: Collection[str] = ()) -> tuple[str, ...]:
    """Return the options of the framework that an arm uses; () for a prompt as it is written."""
    options = [name for name, uses in MADE_OF.items() if uses(arm)]
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
    scores: Scores, arm: Arm, share: ShareOf | Unknown, part: _MeasuredPart
) -> AnyFigure:
    """Return an arm's share of right cases as a figure; unknown where too few answers came."""
    if isinstance(share, Unknown):
        # the evidence file gets our sentence, as an unknown share may quote an endpoint's text
        lacks_answers = scores.unanswered(arm, part.cases)
        return Unknown(ask=_UNANSWERED) if lacks_answers else Unknown(ask=share.ask)
    return Figure(
        value=share.value,
        low=share.low,
        high=share.high,
        grade=part.grade,
        cases=share.n,
        source=part.source,
    )


def _latency_figure(scores: Scores, arm: Arm, part: _MeasuredPart) -> AnyFigure:
    """Return the p95 latency of an answer, in seconds; for a chain, of all its calls together."""
    if arm.kind == "baseline":
        return Figure(
            value=0.0,
            low=0.0,
            high=_LOOK_UP_S,
            grade="rule_of_thumb",
            source="a look-up in memory, with no call",
        )
    if scores.unanswered(arm, part.cases):
        # the time of a refusal isn't the model's latency
        return Unknown(ask=_UNANSWERED)
    seconds, case_of_call = scores.arm_scores(arm).seconds(part.cases)
    clusters = clusters_of(part.cases)[case_of_call]
    return _amount(quantile(seconds, 0.95, clusters), _NOT_TIMED, part.source)


def _cost_figure(
    scores: Scores, arm: Arm, part: _MeasuredPart, repeats: int
) -> AnyFigure:
    """Return the mean cost of one answer to a case, in USD."""
    if arm.kind == "baseline":
        return Figure(
            value=0.0, low=0.0, high=0.0, grade="computed", source="no model is called"
        )
    if scores.unanswered(arm, part.cases):
        return Unknown(ask=_UNANSWERED)
    results = scores.arm_scores(arm)
    ran = results.ran(part.cases)
    (usd,) = results.columns(ran, "usd")
    if not ran:
        return Unknown(ask=_NOT_TIMED)
    if not usd.any():
        return Unknown(ask=_NOT_PAID)
    # the column holds what all repeats of a case have cost
    return _amount(mean(usd / repeats, clusters_of(ran)), _NOT_PAID, part.source)


def _amount(estimate: Estimate | None, ask: str, source: str) -> AnyFigure:
    """Return an estimate as a figure of at least zero; unknown, with ``ask``, where it is None.

    An upper end that isn't finite is unknown: there are too few values to bound the amount.
    """
    if estimate is None:
        return Unknown(ask=ask)
    low = max(0.0, estimate.low)  # an interval around a small amount may reach below 0
    high = estimate.high
    return Figure(
        value=estimate.value,
        low=low,
        high=high if math.isfinite(high) else Unknown(ask=_MORE_CALLS),
        grade="measured",
        cases=estimate.n,
        source=source,
    )


def with_found(
    arms: Sequence[LabArm], tuned: str, **changes: object
) -> tuple[LabArm, ...]:
    """Return the arms with some fields of the tuned one changed; ``tuned`` is its id."""
    changed = []
    for arm in arms:
        is_tuned = arm.id == tuned
        changed.append(arm.model_copy(update=changes) if is_tuned else arm)

    return tuple(changed)
