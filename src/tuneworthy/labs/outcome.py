"""What a ceiling lab found: leaderboard, contrasts, ceiling, failures, evidence."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Literal, TypeVar

import numpy as np

from tuneworthy.domain.calls import Quote, Spend
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.evidence import Evidence, Measured
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.lab import (
    Arm,
    ArmResult,
    CeilingResult,
    Contrast,
    CurvePoint,
    Failures,
    ShareOf,
)
from tuneworthy.domain.record import Unknown
from tuneworthy.gather.prompts import distinct_prompts
from tuneworthy.labs.ceiling import Lab, Plan
from tuneworthy.labs.scores import Scores, clusters_of
from tuneworthy.stats.ceiling import ceiling
from tuneworthy.stats.clustered import Estimate, share
from tuneworthy.stats.paired import cases_needed, paired_difference

ENOUGH = 20
"""Under this many conversations an interval isn't held against a target."""
_MENDS: dict[str, Literal["yes", "no", "unknown"]] = {
    "inconsistent_format": "yes",
    "terminology_errors": "yes",
    "voice_drift": "yes",
    "instruction_limit": "yes",
    "knowledge_gaps": "no",
    "no_answer": "no",
}
"""Form, words, voice and rules can be trained; facts that weren't there and lost calls can't."""


def chosen_arms(plan: Plan, scores: Scores, dropped: Mapping[str, int | None]) -> tuple[Arm, ...]:
    """The best prompt arm on the cases for selecting, then what it is held against.

    That is the best tuned arm where there is one, and the nearest-neighbour baseline where there is
    one: two contrasts at most, written down before the untouched cases are looked at.

    Returns:
        One to three arms, the chosen first; () where no prompt arm was scored.
    """
    means = {
        arm.id: float(np.nanmean(row))
        for arm in plan.arms
        if dropped.get(arm.id) is None
        and not np.isnan(row := scores.row(arm.id, plan.select)).all()
    }

    def best(kind: str, of: str = "") -> Arm | None:
        found = [a for a in plan.arms if a.kind == kind and a.id in means and a.of == of]
        return max(found, key=lambda arm: means[arm.id], default=None)

    first = best("prompt")
    if first is None:
        return ()
    rivals = (best("tuned"), best("baseline", "nearest_neighbour"))
    return (first, *(arm for arm in rivals if arm is not None))


def outcome(
    lab: Lab, chosen: Sequence[Arm], framework: Framework, *,
    target: float | None, quote: Quote, spend: Spend, scorer: str,
) -> CeilingResult:  # fmt: skip
    """Everything the lab found, after both parts were run."""
    plan, scores = lab.plan, lab.scores
    reported = _estimate(scores, chosen[0], plan.report) if chosen else None
    tried = _stayed(lab)
    rows = [_arm(scores, arm, plan.select, lab.dropped.get(arm.id)) for arm in plan.arms]
    reached, needed = _reached(tried, reported, target)
    return CeilingResult(
        arms=tuple(sorted(rows, key=_quality, reverse=True)),
        best=chosen[0].id if chosen else "",
        reported=_or("run the chosen arm on untouched cases", reported and _record(reported)),
        contrasts=tuple(contrast(scores, chosen[0], rival, plan.report) for rival in chosen[1:]),
        target=_or("say which share is good enough (targets.quality.at_least)", target),
        reached=reached,
        upper=_or("run the lab", max((one.high for one in tried), default=None)),
        effort=_effort(plan),
        plateau=Unknown(ask="let one generator propose variants: hand-written ones are no sample"),
        cases_needed=_or("more cases wouldn't tell", needed),
        checks=_checks(plan, framework),
        failures=_failures(scores, chosen[0], plan.report) if chosen else (),
        curve=_curve(plan, scores),
        scorer=scorer,
        calls_saved=_saved(lab),
        stopped=lab.stopped,
        quote=quote,
        spend=spend,
    )


T = TypeVar("T")


def _or(ask: str, value: T | None) -> T | Unknown:
    """A value, or how to get one."""
    return Unknown(ask=ask) if value is None else value


def _stayed(lab: Lab) -> list[Estimate]:
    """Prompt arms that weren't left behind, on the cases for selecting."""
    arms = [a for a in lab.plan.arms if a.kind == "prompt" and lab.dropped.get(a.id) is None]
    found = (_estimate(lab.scores, arm, lab.plan.select) for arm in arms)
    return [one for one in found if one is not None]


def _saved(lab: Lab) -> int:
    """Calls of the full grid that the race didn't make."""
    plan = lab.plan
    asked = [arm for arm in plan.arms if arm.kind != "baseline"]
    cells = [cell for arm in asked for cell in lab.scores.cells(arm.id, plan.select)]
    made = sum(len(cell.scores) + cell.in_doubt for cell in cells)
    return max(0, len(asked) * len(plan.select) * plan.repeats - made)


def _reached(
    tried: Sequence[Estimate], reported: Estimate | None, target: float | None
) -> tuple[Literal["yes", "no", "too_few_cases", "unknown"], int | None]:
    if target is None or reported is None:
        return "unknown", None
    if reported.clusters < ENOUGH:
        return "too_few_cases", ENOUGH
    found = ceiling(tried, reported, target)
    return found.reached, found.cases_needed


def _estimate(scores: Scores, arm: Arm, cases: Sequence[EvalCase]) -> Estimate | None:
    return share(scores.row(arm.id, cases), clusters_of(cases)) if cases else None


def _record(one: Estimate) -> ShareOf:
    ends = {"low": max(0.0, one.low), "high": min(1.0, one.high)}
    return ShareOf(value=one.value, **ends, n=one.n, clusters=one.clusters)


def _quality(row: ArmResult) -> float:
    return -1.0 if isinstance(row.quality, Unknown) else row.quality.value


def _arm(scores: Scores, arm: Arm, cases: Sequence[EvalCase], dropped: int | None) -> ArmResult:
    estimate, cells = _estimate(scores, arm, cases), scores.cells(arm.id, cases)
    times = [seconds for cell in cells for seconds in cell.latencies_s]
    free = Unknown(ask="a baseline calls no model")
    return ArmResult(
        arm=arm,
        quality=Unknown(ask="it wasn't run") if estimate is None else _record(estimate),
        usd_per_case=sum(cell.usd for cell in cells) / len(cells) if times else free,
        latency_p95_s=float(np.quantile(times, 0.95)) if times else free,
        dropped_after=dropped,
        failed=sum(cell.failed > 0 for cell in cells),
        in_doubt=sum(cell.in_doubt > 0 for cell in cells),
    )


def share_of(scores: Scores, arm: Arm, cases: Sequence[EvalCase]) -> ShareOf | Unknown:
    """An arm's share of right cases with its interval; unknown where it wasn't run."""
    estimate = _estimate(scores, arm, cases)
    return Unknown(ask="it wasn't run") if estimate is None else _record(estimate)


def contrast(scores: Scores, first: Arm, second: Arm, cases: Sequence[EvalCase]) -> Contrast:
    """Two arms on the same cases; an interval of everything where no case has both."""
    one, other = scores.row(first.id, cases), scores.row(second.id, cases)
    found = paired_difference(one, other, clusters_of(cases)) if len(cases) else None
    if found is None:
        found = Estimate(0.0, -1.0, 1.0, 0, 0)
    apart = found.clusters >= ENOUGH and (found.low > 0 or found.high < 0)
    needed = cases_needed(one, other) if len(cases) else None
    return Contrast(
        first=first.id, second=second.id, difference=found.value, low=found.low, high=found.high,
        n=found.n, told_apart="yes" if apart else "no",
        cases_needed=Unknown(ask="they don't differ") if needed is None else needed,
    )  # fmt: skip


def _effort(plan: Plan) -> int:
    """Prompt variants that really differ, times models."""
    prompts = _distinct(plan)
    return prompts * len({arm.model for arm in plan.arms if arm.kind == "prompt"})


def _distinct(plan: Plan) -> int:
    used = {arm.prompt for arm in plan.arms if arm.kind == "prompt"}
    texts = [f"{p.system}\n{p.user}" for name, p in plan.setting.prompts.items() if name in used]
    return distinct_prompts(texts, 0.8)


def _checks(plan: Plan, framework: Framework) -> dict[str, Literal["yes", "no", "unknown"]]:
    """What running these arms shows about the five checks; it can show a yes and never a no."""
    prompts = [arm for arm in plan.arms if arm.kind == "prompt"]
    models = len({arm.model for arm in prompts})
    used = [plan.setting.prompts[name] for name in {arm.prompt for arm in prompts}]
    shown = {
        "prompt_variations": _distinct(plan) >= (_wanted(framework, "prompt_variations") or 1),
        "foundation_models": models >= (_wanted(framework, "foundation_models") or 1),
        "few_shot": any(arm.few_shot for arm in prompts),
        "structured_prompt": any(
            p.structured is not None and set(p.structured.model_dump().values()) == {"yes"}
            for p in used
        ),
    }
    return {name: "yes" if shown.get(name) else "unknown" for name in framework.ceiling}


def _wanted(framework: Framework, name: str) -> int | None:
    check = framework.ceiling.get(name)
    return check.at_least if check else None


def _failures(scores: Scores, arm: Arm, cases: Sequence[EvalCase]) -> tuple[Failures, ...]:
    """Wrong answers of an arm by what they are a sign of."""
    cells = scores.cells(arm.id, cases)
    wrong = [cell.wrong for cell in cells if cell.wrong is not None and not cell.score >= 1]
    counted = Counter(signal for signal, _ in wrong)
    return tuple(
        Failures(
            signal=signal,
            n=n,
            of=len(cells),
            mends=_MENDS.get(signal, "unknown"),
            examples=tuple(text for told, text in wrong if told == signal and text)[:3],
        )
        for signal, n in counted.most_common()
    )


def _curve(plan: Plan, scores: Scores) -> tuple[CurvePoint, ...]:
    best, found = 0.0, []
    for number, arm in enumerate((a for a in plan.arms if a.kind == "prompt"), start=1):
        row = scores.row(arm.id, plan.select)
        if not np.isnan(row).all():
            best = max(best, float(np.nanmean(row)))
            found.append(CurvePoint(arms=number, best=min(1.0, best)))
    return tuple(found)


def evidence_of(result: CeilingResult, plan: Plan, as_of: date) -> Measured:
    """What the lab adds to the ledger: quality on untouched cases, and what was tried."""
    source = f"ceiling lab: {result.best}"[:2000]
    found: list[Evidence] = []
    if not isinstance(result.reported, Unknown):
        one = result.reported
        found.append(Evidence(
            id="success_share", factor="today.quality", value=one.value, low=one.low, high=one.high,
            unit="share of cases", n=one.n, clusters=one.clusters, source=source, observed_on=as_of,
            method=f"{result.scorer} on cases that chose nothing; Wilson at the number of "
            "independent cases",
        ))  # fmt: skip
    tried = (("distinct_prompts", "prompt_variations", _distinct(plan), "prompts"),
             ("models_seen", "foundation_models",
              len({a.model for a in plan.arms if a.kind == "prompt"}), "models"),
             ("few_shot_arms", "few_shot",
              sum(a.few_shot > 0 for a in plan.arms if a.kind == "prompt"), "arms"),
             ("structured_prompts", "structured_prompt",
              int(result.checks.get("structured_prompt") == "yes"), "prompts"))  # fmt: skip
    found += [
        Evidence(id=name, factor=check, value=n, low=n, high=n, unit=unit, n=result.effort,
                 source=source, observed_on=as_of, method="counted among the arms that were run")
        for name, check, n, unit in tried
    ]  # fmt: skip
    told = result.model_dump_json(exclude={"quote", "spend"})
    return Measured(inputs=hashlib.sha256(told.encode()).hexdigest(), evidence=tuple(found))
