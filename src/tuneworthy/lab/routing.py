"""Routing by confidence: a trained head answers where it is sure, and a model answers the rest.

It needs no further call, as the race has both answers for each case. The required confidence is
chosen on the cases for selecting, and its effect is measured on held-out ones.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuneworthy.lab.evidence import made_of, measured_arms
from tuneworthy.lab.plan import Arms, LabPlan
from tuneworthy.lab.pool import Cases
from tuneworthy.lab.scores import Scores, clusters_of, shown_share
from tuneworthy.model.base import Unknown
from tuneworthy.model.lab import Arm, RoutedWay, ShareOf
from tuneworthy.model.ways import AnyFigure, Figure, LabArm, LabName
from tuneworthy.stats.clustered import share
from tuneworthy.stats.compare import quantiles

Floats = NDArray[np.float64]

SLOW_SHARE = 0.05  #: Share of slow calls up to which they don't reach a p95.
_SURER_THAN_SURE = 1.1  #: Above every probability: the head is never this sure.


class Routing(NamedTuple):
    """A head that answers where it is sure, a model for the rest, and what was measured of both."""

    head: Arm
    model: Arm
    way: RoutedWay


class MeasuredRouting(NamedTuple):
    """A routing as a row of the table of ways, and as a result names it."""

    arm: LabArm
    way: RoutedWay  #: With the cost of a case, where that is known.


def route(
    plan: LabPlan, scores: Scores, reported: Arms, *, margin: float
) -> Routing | None:
    """Return the best routing between the head and the best prompt; None where it adds nothing.

    ``reported`` are the arms that met the held-out cases, the best first. The model gets as few
    cases as possible while the routing stays within ``margin`` of the best one on the cases for
    selecting. None with a grader, as people label only a sample of the cases.
    """
    prompts = [arm for arm in reported if arm.kind == "prompt"]
    if not prompts:
        return None
    best, *_ = prompts
    if scores.unanswered(best, plan.select):
        return None
    on_select = scores.row(best, plan.select)
    return route_to(best, plan, scores, reported, on_select, margin=margin)


def route_to(
    model: Arm,
    plan: LabPlan,
    scores: Scores,
    reported: Arms,
    on_select: Floats,
    *,
    margin: float,
) -> Routing | None:
    """Return the best routing between the head and one model; None where it adds nothing.

    ``on_select`` are that model's scores of the cases for selecting, the mean over its seeds.
    """
    head = _measured_head(plan, scores, reported)
    if head is None or scores.unanswered(model, plan.report):
        return None
    on_head = scores.row(head, plan.select)
    sure = _sureness(plan, plan.select)
    sure_from = _choose_sureness(sure, on_head, on_select, margin)
    by_model = _sureness(plan, plan.report) < sure_from
    if not by_model.any() or by_model.all():
        return None  # one of both answers alone, which is an arm already
    quality = _routed_quality(plan, scores, head, model, by_model)
    if quality is None:
        return None
    way = RoutedWay(
        head=head.id,
        model=model.id,
        sure_from=min(1.0, sure_from),
        to_model=float(by_model.mean()),
        quality=quality,
    )
    return Routing(head, model, way)


def _measured_head(plan: LabPlan, scores: Scores, reported: Arms) -> Arm | None:
    """Return the trained head, if rules scored it on both parts of the cases; else None."""
    if scores.judge is not None:
        return None
    for arm in reported:
        if arm.of == "trained_head":
            parts = (plan.select, plan.report)
            lacking = any(scores.unanswered(arm, cases) for cases in parts)
            return None if lacking else arm
    return None


def _routed_quality(
    plan: LabPlan, scores: Scores, head: Arm, model: Arm, by_model: NDArray[np.bool_]
) -> ShareOf | None:
    """Return the share of held-out cases that a routing gets right; None where none was scored.

    ``by_model`` says for each held-out case whether the model answers it.
    """
    by_head_alone = scores.row(head, plan.report)
    by_model_alone = scores.row(model, plan.report)
    routed = np.where(by_model, by_model_alone, by_head_alone)
    # the interval has to hold together with those of both arms, as all three are compared
    columns = np.array([by_head_alone, by_model_alone, routed]).T
    # a fixed seed: the same scores give the same figures in every report
    reach = quantiles(columns, np.random.default_rng(0)).arms
    estimate = share(routed, clusters_of(plan.report), exact=True, reach=reach)
    return None if estimate is None else shown_share(estimate)


def _sureness(plan: LabPlan, cases: Cases) -> Floats:
    """Return the probability that the head gives to its label, for each case."""
    return np.array([plan.setting.pool.sureness(case) for case in cases])


def _choose_sureness(sure: Floats, head: Floats, model: Floats, margin: float) -> float:
    """Return the lowest required sureness with which the routing is within the margin of the best.

    ``sure`` is the head's sureness of each case, ``head`` and ``model`` are the scores of both.
    The lowest sends the fewest cases to the model, which costs the least.
    """
    # sorted: the first sends no case to the model, the last sends all
    candidates = np.unique(np.append(sure, _SURER_THAN_SURE))
    means = []
    for sure_from in candidates:
        routed = np.where(sure < sure_from, model, head)
        means.append(float(np.nanmean(routed)))
    least_mean = max(means) - margin
    good_enough = np.array(means) >= least_mean
    return float(candidates[good_enough].min())


def routed_arm(
    lab: LabName,
    plan: LabPlan,
    scores: Scores,
    routing: Routing,
    as_of: date,
) -> MeasuredRouting:
    """Return a routing as a row of the table of ways, with its cost of a case."""
    head, model, way = routing
    measured = measured_arms(lab, plan, scores, (head, model), as_of)
    (model_alone,) = (arm for arm in measured if arm.id == model.id)
    usd = _share_of_cost(model_alone.usd_per_call, way.to_model)
    arm = LabArm(
        id=f"{head.id}, else {model.id}",
        title=f"{head.of.replace('_', ' ')} where it is sure, else {model.id}",
        lab=lab,
        kind="tuned" if model.kind == "tuned" else "prompted",
        model=model.model,
        prompt=model.prompt,
        made_of=(*made_of(model, plan), "plain_classifier"),
        quality=Figure(
            value=way.quality.value,
            low=way.quality.low,
            high=way.quality.high,
            grade="held_out",
            cases=way.quality.n,
            source=f"{lab} lab, held-out cases",
        ),
        latency_p95_s=_routed_latency(model_alone.latency_p95_s, way.to_model),
        usd_per_call=usd,
        observed_on=as_of,
    )
    if not isinstance(usd, Unknown):
        way = way.model_copy(update={"usd_per_case": usd.value})
    return MeasuredRouting(arm, way)


def _share_of_cost(usd: AnyFigure, to_model: float) -> AnyFigure:
    """Return the mean cost of a case in USD, where only a share of the cases goes to the model."""
    if isinstance(usd, Unknown):
        return usd
    high = usd.high if isinstance(usd.high, Unknown) else usd.high * to_model
    low = usd.low if isinstance(usd.low, Unknown) else usd.low * to_model
    return usd.model_copy(
        update={"value": usd.value * to_model, "low": low, "high": high}
    )


def _routed_latency(seconds: AnyFigure, to_model: float) -> AnyFigure:
    """Return the p95 latency of head and model together, in seconds.

    It is at most that of the model, ``seconds``, and may be as low as the head's, which takes none.
    """
    if isinstance(seconds, Unknown):
        return seconds
    if to_model <= SLOW_SHARE:  # 95 of 100 cases never wait for the model
        return seconds.model_copy(
            update={"value": 0.0, "low": 0.0, "high": seconds.value}
        )
    return seconds.model_copy(update={"low": 0.0})
