"""Every arm of a lab as a row to keep: its parts, its quality, its latency and its cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from datetime import date
from typing import Literal

import numpy as np

from tuneworthy.lab.plan import Arms, Cases, LabPlan
from tuneworthy.lab.scores import Scores, clusters_of
from tuneworthy.model.base import Unknown
from tuneworthy.model.lab import Arm, ShareOf
from tuneworthy.model.ways import AnyFigure, Figure, FigureGrade, LabArm, LabName
from tuneworthy.stats.clustered import Estimate, mean, quantile
from tuneworthy.stats.compare import quantiles
from tuneworthy.stats.intervals import Z95

OF_KIND: dict[str, Literal["prompted", "tuned", "no_model"]] = {
    "prompt": "prompted",
    "tuned": "tuned",
    "baseline": "no_model",
}
MADE_OF: dict[str, Callable[[Arm], bool]] = {
    "retrieved_examples": lambda arm: arm.few_shot_from == "nearest",
    "few_shot": lambda arm: arm.few_shot_from not in ("none", "nearest"),
    "constrained_output": lambda arm: arm.constrained != "none",
    "reasoning_effort": lambda arm: arm.effort not in ("", "none"),
    "plain_classifier": lambda arm: arm.kind == "baseline" and arm.of != "majority",
    "decomposition": lambda arm: bool(arm.steps),
}
"""Options of the framework, each with the test whether an arm uses it."""

_ON_SELECT = "the cases for selecting"
_ON_REPORT = "held-out cases"
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
    """Every arm of a lab with its figures.

    ``reported`` are the arms that met the held-out cases, so their quality is from these. The
    quality of the others is from the cases for selecting. On either part, the interval holds for
    all arms together that were compared there, so that the best of many doesn't look too good.
    ``proposed`` are names of prompts that a generator wrote.
    """
    in_race = _shares(scores, plan.arms, plan.select)
    held_out = _shares(scores, reported, plan.report)
    arms = []
    for arm in dict.fromkeys((*plan.arms, *reported)):
        on_report = arm.id in held_out and bool(scores.arm_scores(arm).ran(plan.report))
        quality = held_out[arm.id] if on_report else in_race[arm.id]
        cases = plan.report if on_report else plan.select
        grade: FigureGrade = "held_out" if on_report else "measured"
        source = f"{lab} lab, {_ON_REPORT if on_report else _ON_SELECT}"
        arms.append(
            LabArm(
                id=arm.id,
                title=arm.id,
                lab=lab,
                kind=OF_KIND[arm.kind],
                model=arm.model,
                prompt=arm.prompt,
                made_of=made_of(arm, plan, proposed),
                quality=_quality(
                    quality, grade, source, lacks=bool(scores.unanswered(arm, cases))
                ),
                latency_p95_s=_latency(scores, arm, cases, source),
                usd_per_call=_usd(scores, arm, cases, plan.repeats, source),
                observed_on=as_of,
            )
        )
    return tuple(arms)


def made_of(arm: Arm, plan: LabPlan, proposed: Collection[str] = ()) -> tuple[str, ...]:
    """The options that an arm uses; () for a prompt as it is written."""
    options = [name for name, uses in MADE_OF.items() if uses(arm)]
    prompt = plan.setting.prompts.get(arm.prompt)
    if arm.prompt in proposed or (prompt is not None and prompt.searched_by):
        options.append("prompt_optimisation")
    if arm.model in plan.setting.deciders:
        options.append("decision_model")
    return tuple(options)


def _shares(scores: Scores, arms: Arms, cases: Cases) -> dict[str, ShareOf | Unknown]:
    """The quality of some arms on the same cases, with intervals that hold for all together."""
    if not arms or not cases:
        return {}
    rows = np.array([scores.row(arm, cases) for arm in arms])
    scored = rows[~np.isnan(rows).all(axis=1)]
    if len(scored) > 1:
        reach = quantiles(scored.T, np.random.default_rng(0)).arms
    else:
        reach = Z95
    return {arm.id: scores.share(arm, cases, exact=True, reach=reach) for arm in arms}


def _quality(
    share: ShareOf | Unknown, grade: FigureGrade, source: str, *, lacks: bool
) -> AnyFigure:
    """A share as a figure. With ``lacks``, too few answers came, and the figure is unknown.

    A text that an endpoint sent instead of answers isn't kept.
    """
    if isinstance(share, Unknown):
        return Unknown(ask=_UNANSWERED if lacks else share.ask)
    return Figure(
        value=share.value,
        low=share.low,
        high=share.high,
        grade=grade,
        cases=share.n,
        source=source,
    )


def _latency(scores: Scores, arm: Arm, cases: Cases, source: str) -> AnyFigure:
    """The p95 latency of a call; for a chain, of all its calls together."""
    if arm.kind == "baseline":
        source = "a look-up in memory, with no call"
        return Figure(
            value=0.0, low=0.0, high=_LOOK_UP_S, grade="rule_of_thumb", source=source
        )
    if scores.unanswered(arm, cases):
        # the time of a refusal isn't the model's latency
        return Unknown(ask=_UNANSWERED)
    seconds, places = scores.arm_scores(arm).seconds(cases)
    clusters = clusters_of(cases)[places] if len(places) else places
    return _amount(quantile(seconds, 0.95, clusters), _NOT_TIMED, source)


def _usd(
    scores: Scores, arm: Arm, cases: Cases, repeats: int, source: str
) -> AnyFigure:
    """The mean cost of a case in USD. Each repeat counts as a case."""
    if arm.kind == "baseline":
        return Figure(
            value=0.0, low=0.0, high=0.0, grade="computed", source="no model is called"
        )
    if scores.unanswered(arm, cases):
        return Unknown(ask=_UNANSWERED)
    of = scores.arm_scores(arm)
    ran = of.ran(cases)
    (usd,) = of.columns(ran, "usd")
    if not usd.any():
        return Unknown(ask=_NOT_PAID if ran else _NOT_TIMED)
    return _amount(mean(usd / repeats, clusters_of(ran)), _NOT_PAID, source)


def _amount(of: Estimate | None, ask: str, source: str) -> AnyFigure:
    """An amount of at least zero; an end that isn't finite is unknown."""
    if of is None:
        return Unknown(ask=ask)
    return Figure(
        value=of.value,
        low=max(0.0, of.low),
        high=of.high if math.isfinite(of.high) else Unknown(ask=_MORE_CALLS),
        grade="measured",
        cases=of.n,
        source=source,
    )


def with_found(
    arms: Sequence[LabArm], tuned: str, **changes: object
) -> tuple[LabArm, ...]:
    """The same arms, with new figures for the tuned one."""
    return tuple(
        arm.model_copy(update=changes) if arm.id == tuned else arm for arm in arms
    )
