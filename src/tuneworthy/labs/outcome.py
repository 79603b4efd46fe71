"""What a ceiling lab found: leaderboard, contrasts, ceiling and failures."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Literal, TypeVar

import numpy as np

from tuneworthy.domain.calls import Quote, Spend
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.lab import Arm, ArmResult, CeilingResult, CurvePoint, Failures
from tuneworthy.domain.published import PublishedFigure
from tuneworthy.domain.record import Unknown
from tuneworthy.labs.ceiling import Lab
from tuneworthy.labs.choice import contrast
from tuneworthy.labs.judged import ENOUGH, LABEL_ALL, judge_of, tried_by_people
from tuneworthy.labs.scores import Scores, estimate, share_of, shown
from tuneworthy.labs.shown import checks_shown, distinct, effort, models_of
from tuneworthy.stats.ceiling import Ceiling, ceiling
from tuneworthy.stats.clustered import Estimate

Reached = Literal["yes", "no", "too_few_cases", "unknown"]

_MENDS: dict[str, Literal["yes", "no", "unknown"]] = {
    "inconsistent_format": "yes",
    "terminology_errors": "yes",
    "voice_drift": "yes",
    "instruction_limit": "yes",
    "knowledge_gaps": "no",
    "no_answer": "no",
}
"""Form, words, voice and rules can be trained; facts that weren't there and lost calls can't."""


def outcome(
    lab: Lab, chosen: Sequence[Arm], framework: Framework, *,
    target: float | None, quote: Quote, spend: Spend, scorer: str,
    published: tuple[PublishedFigure, ...] = (),
) -> CeilingResult:  # fmt: skip
    """Everything the lab found, after both parts were run."""
    plan, scores = lab.plan, lab.scores
    rows = [_arm(scores, arm, plan.select, lab.dropped.get(arm.id)) for arm in plan.arms]
    prompts = [r.arm for r in rows if r.arm.kind == "prompt" and not isinstance(r.quality, Unknown)]
    told, reached, needed = _judged(lab, chosen, target)
    ask = "run it to its end: the chosen arm has to meet cases that chose nothing"
    bound = ask if scores.judging is None or lab.stopped else LABEL_ALL
    return CeilingResult(
        arms=tuple(sorted(rows, key=_quality, reverse=True)),
        best=chosen[0].id if chosen else "",
        reported=share_of(scores, chosen[0], plan.report, exact=True)
        if chosen
        else Unknown(ask=ask),
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
        stopped=lab.stopped,
        quote=quote,
        spend=spend,
    )


T = TypeVar("T")


def _or(ask: str, value: T | None) -> T | Unknown:
    """A value, or how to get one."""
    return Unknown(ask=ask) if value is None else value


def _judged(
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
    scores: Scores, reported: Estimate, stayed: Sequence[Arm], cases: Sequence[EvalCase],
    target: float | None,
) -> tuple[Ceiling | None, Reached, int | None]:  # fmt: skip
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
        if np.isnan(row).all():
            continue
        if lab.dropped.get(arm.id) is None:
            best = max(best, float(np.nanmean(row)))
        found.append(CurvePoint(arms=number, best=min(1.0, best)))
    return tuple(found)
