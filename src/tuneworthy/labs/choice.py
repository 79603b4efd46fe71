"""Which arms meet the untouched cases, and how two of them differ there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date

from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.judging import JudgePlan
from tuneworthy.domain.lab import Arm, CeilingPlan, Contrast
from tuneworthy.domain.record import Unknown
from tuneworthy.labs.ceiling import Plan
from tuneworthy.labs.judged import ENOUGH, contrast_by_people, means_of
from tuneworthy.labs.scores import Scores, clusters_of
from tuneworthy.stats.clustered import Estimate
from tuneworthy.stats.paired import cases_needed, paired_difference


def chosen_arms(plan: Plan, scores: Scores, dropped: Mapping[str, int | None]) -> tuple[Arm, ...]:
    """The best prompt arm on the cases for selecting, then what it is held against.

    That is the best tuned arm where there is one, and the nearest-neighbour baseline where there is
    one: two contrasts at most, written down before the untouched cases are looked at. Of equals the
    one that was planned first. Where a judge chose on its word alone, the second of the prompts is
    held against the first: people may turn the order of the two.

    Returns:
        One to three arms, the chosen first; () where no prompt arm was scored.
    """
    stayed = [arm for arm in plan.arms if dropped.get(arm.id) is None]
    means, who = means_of(scores, stayed, plan.select)

    def best(kind: str, of: str = "", but: Arm | None = None) -> Arm | None:
        found = [a for a in stayed if a.kind == kind and a.id in means and a.of == of and a != but]
        return max(found, key=lambda arm: means[arm.id], default=None)

    first = best("prompt")
    if first is None:
        return ()
    other = best("baseline", "nearest_neighbour")
    if who == "judge":
        other = best("prompt", but=first)
    return (first, *(arm for arm in (best("tuned"), other) if arm is not None))


def plan_of(
    plan: Plan, chosen: Sequence[Arm], as_of: date, judge: JudgePlan | None = None
) -> CeilingPlan:
    """The choice, to be written down before it is tested."""
    told = [
        [one.model_dump(mode="json", exclude_defaults=True) for one in plan.report],
        [arm.model_dump(mode="json") for arm in plan.arms],
    ]
    return CeilingPlan(
        chosen=tuple(arm.id for arm in chosen), select=len(plan.select), report=len(plan.report),
        inputs=hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest(),
        judge=judge, written_on=as_of,
    )  # fmt: skip


def contrast(scores: Scores, first: Arm, second: Arm, cases: Sequence[EvalCase]) -> Contrast:
    """Two arms on the same cases; an interval of everything where no case has both."""
    if scores.judging is not None:
        return contrast_by_people(scores, first, second, cases)
    one, other = scores.row(first.id, cases), scores.row(second.id, cases)
    clusters = clusters_of(cases)
    found = paired_difference(one, other, clusters) if len(cases) else None
    if found is None:
        found = Estimate(0.0, -1.0, 1.0, 0, 0)
    apart = found.clusters >= ENOUGH and (found.low > 0 or found.high < 0)
    needed = cases_needed(one, other, clusters) if len(cases) else None
    return Contrast(
        first=first.id, second=second.id, difference=found.value, low=found.low, high=found.high,
        n=found.n, clusters=found.clusters, told_apart="yes" if apart else "no",
        cases_needed=Unknown(ask="they don't differ") if needed is None else needed,
    )  # fmt: skip
