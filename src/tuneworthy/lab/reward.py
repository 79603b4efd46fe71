"""Whether reinforcement tuning could learn anything, by a lab with repeats.

It learns from cases in which a model sometimes succeeds. If a case always fails, no answer is
better than another; if it always succeeds, there is nothing to improve. The limits are those of
AWS's guide to reinforcement tuning of Nova (read on 2026-11-30): a mean reward above 0.95 needs
none, and one of 0 needs supervised tuning first.
"""

from __future__ import annotations

import numpy as np

from tuneworthy.lab.scores import Scores, clusters_of
from tuneworthy.model.base import Estimated
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.lab import Arm, RewardSignal, RewardState, ShareOf
from tuneworthy.stats.clustered import Estimate, mean, share

FEWEST_REPEATS = 4  #: Tries of a case, below which a rare success is seldom seen.
ENOUGH = 0.95
SIGNAL = 0.05


def reward_signal(
    scores: Scores, arm: Arm, cases: tuple[EvalCase, ...], repeats: int
) -> RewardSignal | None:
    """How often an arm succeeds on held-out cases; None for too few tries or cases."""
    if repeats < FEWEST_REPEATS:
        return None
    right, scored = scores.arm_scores(arm).columns(cases, "right", "scored")
    tried = scored >= FEWEST_REPEATS
    clusters = np.array(clusters_of(cases), dtype=object)[tried]
    rates = right[tried] / scored[tried]
    mixed = share((rates > 0) & (rates < 1), clusters)
    never = share(rates == 0, clusters)
    always = share(rates == 1, clusters)
    average = mean(rates, clusters)
    gap = mean((rates > 0) - rates, clusters)
    if (
        mixed is None
        or never is None
        or always is None
        or average is None
        or gap is None
    ):
        return None
    return RewardSignal(
        arm=arm.id,
        repeats=repeats,
        mixed=_share_of(mixed),
        never=_share_of(never),
        always=_share_of(always),
        right=_share_of(average),
        headroom=_clip_to_share(gap),
        state=_state(mixed, average),
    )


def _state(mixed: Estimate, average: Estimate) -> RewardState:
    """The state by ends of intervals, so that few cases settle nothing."""
    if average.low > ENOUGH:
        return "nothing_to_gain"
    if mixed.low > SIGNAL:
        return "signal"
    return "none" if mixed.high < SIGNAL else "unclear"


def _share_of(estimate: Estimate) -> ShareOf:
    low = max(0.0, estimate.low)
    high = min(1.0, estimate.high)
    more = {"n": estimate.n, "clusters": estimate.clusters}
    return ShareOf(value=estimate.value, low=low, high=high, **more)


def _clip_to_share(estimate: Estimate) -> Estimated:
    low = max(0.0, estimate.low)
    high = min(1.0, estimate.high)
    return Estimated(value=estimate.value, low=low, high=high)
