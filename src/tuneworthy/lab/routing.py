"""Routing by confidence: a trained head answers where it is sure, and a model answers the rest.

It needs no further call, as the race has both answers for each case. The required confidence is
chosen on the cases for selecting, and its effect is measured on held-out ones.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuneworthy.lab.arms import made_of, measured_arms
from tuneworthy.lab.plan import Arms, Cases, LabPlan
from tuneworthy.lab.scores import Scores, clusters_of, shown_share
from tuneworthy.model.base import Unknown
from tuneworthy.model.lab import Arm, RoutedWay, ShareOf
from tuneworthy.model.ways import AnyFigure, Figure, LabArm, LabName
from tuneworthy.stats.clustered import share
from tuneworthy.stats.compare import quantiles

Floats = NDArray[np.float64]

SLOW_SHARE = 0.05  #: Share of slow calls up to which they don't reach a p95.


class Routing(NamedTuple):
    """Which arm answers which case."""

    head: Arm
    model: Arm
    sure_from: float
    margin: float


def route(
    plan: LabPlan, scores: Scores, reported: Arms, *, margin: float
) -> tuple[RoutedWay, Routing] | None:
    """The best routing between the head and the best prompt; None where it adds nothing.

    The model gets as few cases as possible while the routing stays within ``margin`` of the best
    one on the cases for selecting. None with a grader, as it labels only a sample of the cases.
    """
    model = next((arm for arm in reported if arm.kind == "prompt"), None)
    if model is None or scores.unanswered(model, plan.select):
        return None
    on_select = scores.row(model, plan.select)
    return route_to(model, plan, scores, reported, on_select, margin=margin)


def route_to(
    model: Arm,
    plan: LabPlan,
    scores: Scores,
    reported: Arms,
    on_select: Floats,
    *,
    margin: float,
) -> tuple[RoutedWay, Routing] | None:
    """The best routing between the head and one model; None where it adds nothing.

    ``on_select`` are that model's scores of the cases for selecting, the mean over its seeds.
    """
    head = next((arm for arm in reported if arm.of == "trained_head"), None)
    if head is None or scores.judge is not None:
        return None
    if scores.unanswered(head, plan.select):
        return None
    if any(scores.unanswered(arm, plan.report) for arm in (head, model)):
        return None
    on_head = scores.row(head, plan.select)
    sure = _sureness(plan, plan.select)
    sure_from = _choose_sureness(sure, on_head, on_select, margin)
    by_model = _sureness(plan, plan.report) < sure_from
    if not by_model.any() or by_model.all():
        return None
    by_head_alone = scores.row(head, plan.report)
    by_model_alone = scores.row(model, plan.report)
    routed = np.where(by_model, by_model_alone, by_head_alone)
    # an interval that holds together with those of both arms
    columns = np.array([by_head_alone, by_model_alone, routed]).T
    reach = quantiles(columns, np.random.default_rng(0)).arms
    estimate = share(routed, clusters_of(plan.report), exact=True, reach=reach)
    if estimate is None:
        return None
    way = RoutedWay(
        head=head.id,
        model=model.id,
        sure_from=min(1.0, sure_from),
        to_model=float(by_model.mean()),
        quality=ShareOf(**shown_share(estimate)),
    )
    return way, Routing(head, model, sure_from, margin)


def _sureness(plan: LabPlan, cases: Cases) -> Floats:
    return np.array([plan.setting.pool.sureness(case) for case in cases])


def _choose_sureness(sure: Floats, head: Floats, model: Floats, margin: float) -> float:
    """How sure the head has to be: the least with which the routing is within the margin of the best.

    ``head`` and ``model`` are their scores of the cases on which it is chosen.
    """
    # rising: the first sends no case to the model, the last sends all
    candidates = np.unique(np.append(sure, 1.1))
    means = np.array(
        [float(np.nanmean(np.where(sure < least, model, head))) for least in candidates]
    )
    good_enough = means >= means.max() - margin
    return float(candidates[good_enough][0])


def routed_arm(
    lab: LabName,
    plan: LabPlan,
    scores: Scores,
    routed: tuple[RoutedWay, Routing],
    as_of: date,
) -> tuple[LabArm, RoutedWay]:
    """The routing as a row of the table of ways, and the routing with its cost of a case."""
    way, routing = routed
    measured = measured_arms(lab, plan, scores, (routing.head, routing.model), as_of)
    model = next(arm for arm in measured if arm.id == routing.model.id)
    usd = _part(model.usd_per_call, way.to_model)
    source = f"{lab} lab, held-out cases"
    arm = LabArm(
        id=f"{routing.head.id}, else {routing.model.id}",
        title=f"{routing.head.of.replace('_', ' ')} where it is sure, else {routing.model.id}",
        lab=lab,
        kind="tuned" if routing.model.kind == "tuned" else "prompted",
        model=routing.model.model,
        prompt=routing.model.prompt,
        made_of=(*made_of(routing.model, plan), "plain_classifier"),
        quality=Figure(
            value=way.quality.value,
            low=way.quality.low,
            high=way.quality.high,
            grade="held_out",
            cases=way.quality.n,
            source=source,
        ),
        latency_p95_s=_late(model.latency_p95_s, way.to_model),
        usd_per_call=usd,
        observed_on=as_of,
    )
    if isinstance(usd, Unknown):
        shown = way
    else:
        shown = way.model_copy(update={"usd_per_case": usd.value})
    return arm, shown


def _part(usd: AnyFigure, to_model: float) -> AnyFigure:
    """The mean cost of a case, where only a share of the cases goes to the model."""
    if isinstance(usd, Unknown):
        return usd
    high = usd.high if isinstance(usd.high, Unknown) else usd.high * to_model
    low = usd.low if isinstance(usd.low, Unknown) else usd.low * to_model
    return usd.model_copy(
        update={"value": usd.value * to_model, "low": low, "high": high}
    )


def _late(seconds: AnyFigure, to_model: float) -> AnyFigure:
    """The p95 latency of both together, at most that of the model."""
    if isinstance(seconds, Unknown):
        return seconds
    if to_model <= SLOW_SHARE:
        return seconds.model_copy(
            update={"value": 0.0, "low": 0.0, "high": seconds.value}
        )
    return seconds.model_copy(update={"low": 0.0})
