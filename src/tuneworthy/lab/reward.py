"""Whether reinforcement tuning could learn anything, by a lab with repeats.

It learns from cases in which a model sometimes succeeds. If a case always fails, no answer is
better than another; if it always succeeds, there is nothing to improve. The limits are those of
AWS's guide to reinforcement tuning of Nova (read on 2026-11-30): a mean reward above 0.95 needs
none, and one of 0 needs supervised tuning first.
"""

from __future__ import annotations

from tuneworthy.lab.scores import Scores, clusters_of, shown_share
from tuneworthy.model.base import Estimated
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.lab import Arm, RewardSignal, RewardState, ShareOf
from tuneworthy.stats.clustered import Estimate, mean, share

FEWEST_REPEATS = 4  #: Tries of a case, below which a rare success is seldom seen.
ENOUGH = 0.95  #: Mean reward above which there is nothing to gain.
SIGNAL = 0.05  #: Share of cases with mixed tries above which there is something to learn from.


def reward_signal(
    scores: Scores, arm: Arm, cases: tuple[EvalCase, ...], repeats: int
) -> RewardSignal | None:
    """Say how often an arm succeeds on held-out cases; None for too few tries or cases."""
    if repeats < FEWEST_REPEATS:
        return None
    right, scored = scores.arm_scores(arm).columns(cases, "right", "scored")
    tried = scored >= FEWEST_REPEATS
    if not tried.any():
        return None
    clusters = clusters_of(cases)[tried]
    rates = right[tried] / scored[tried]
    # the best of many tries is right wherever one try was; a single try is right at the rate
    headroom = _not_none(mean((rates > 0) - rates, clusters))
    mixed = _not_none(share((rates > 0) & (rates < 1), clusters))
    average = _not_none(mean(rates, clusters))
    return RewardSignal(
        arm=arm.id,
        repeats=repeats,
        mixed=ShareOf(**shown_share(mixed)),
        never=ShareOf(**shown_share(_not_none(share(rates == 0, clusters)))),
        always=ShareOf(**shown_share(_not_none(share(rates == 1, clusters)))),
        right=ShareOf(**shown_share(average)),
        headroom=Estimated(
            value=headroom.value,
            low=max(0.0, headroom.low),
            high=min(1.0, headroom.high),
        ),
        state=_state(mixed, average),
    )


def _not_none(estimate: Estimate | None) -> Estimate:
    """Return an estimate over cases, which is None only without any case."""
    assert estimate is not None  # the caller has a case
    return estimate


def _state(mixed: Estimate, average: Estimate) -> RewardState:
    """Return the state by ends of intervals, so that few cases settle nothing."""
    if average.low > ENOUGH:
        return "nothing_to_gain"
    if mixed.low > SIGNAL:
        return "signal"
    if mixed.high < SIGNAL:
        return "none"
    return "unclear"
