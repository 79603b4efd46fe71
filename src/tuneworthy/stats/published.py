"""Published shares of tuned models, with their intervals and held against a target."""

from __future__ import annotations

from tuneworthy.domain.case import Case, PublishedScore, QualityTarget
from tuneworthy.domain.metrics import metric_named
from tuneworthy.domain.published import PublishedFigure
from tuneworthy.domain.record import State, Unknown
from tuneworthy.stats.intervals import wilson

_ANY = QualityTarget.model_fields["metric"].default
"""The metric of a target that names none."""


def figures(case: Case) -> tuple[PublishedFigure, ...]:
    """The published figures of a case's models, the highest first; () where it names none."""
    held = [
        _figure(model.id, model.published, case.targets.quality)
        for model in case.models
        if model.published is not None
    ]
    return tuple(sorted(held, key=lambda one: -one.value))


def _figure(model: str, told: PublishedScore, wanted: QualityTarget | None) -> PublishedFigure:
    low, high = wilson(told.quality * told.cases, told.cases)
    low, high = min(low, told.quality), max(high, told.quality)  # that product is rounded
    target = _target(told.metric, wanted)
    meets: State = "unknown"
    if not isinstance(target, Unknown):
        meets = "yes" if low >= target else "no" if high < target else "unknown"
    return PublishedFigure(
        model=model, metric=told.metric, value=told.quality, low=low, high=high,
        cases=told.cases, source=told.source, dated=told.dated, target=target, meets=meets,
    )  # fmt: skip


def _target(metric: str, wanted: QualityTarget | None) -> float | Unknown:
    """The target by the same metric; one that is named by no metric is taken for any."""
    if wanted is None:
        return Unknown(ask="say which share is good enough (targets.quality.at_least)")
    if metric_named(wanted.metric) in (metric_named(metric), _ANY):
        return wanted.at_least
    return Unknown(ask=f"the target is by {wanted.metric}: find a figure by that")
