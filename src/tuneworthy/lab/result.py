"""What a ceiling lab found: the chosen arms, how they differ, who judged them, and the ceiling."""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from tuneworthy.answers.weigh import maker
from tuneworthy.lab.judge import JudgedScores, LabJudge, label_more
from tuneworthy.lab.plan import Arms, LabPlan
from tuneworthy.lab.pool import Cases, answer_text
from tuneworthy.lab.race import Lab
from tuneworthy.lab.scores import (
    ScoredCase,
    Scores,
    StepCall,
    clusters_of,
    first_of,
    ranking_value,
    shown_share,
)
from tuneworthy.llm.runner import Stop
from tuneworthy.measure.sample import distinct_prompts
from tuneworthy.model.base import Estimated, State, Unknown
from tuneworthy.model.case import PromptVariant
from tuneworthy.model.evalset import Coefficient, Split
from tuneworthy.model.framework import Framework
from tuneworthy.model.lab import (
    Arm,
    ArmResult,
    Bias,
    CeilingResult,
    CeilingState,
    Contrast,
    CurvePoint,
    Failures,
    Gain,
    Headroom,
    JudgedArm,
    JudgedGain,
    JudgeOf,
    PartShare,
    PromptSearch,
    Proposing,
    Quote,
    RewardSignal,
    RewardState,
    RubricGain,
    StepResult,
    TunedChange,
)
from tuneworthy.stats.agreement import cohen_kappa
from tuneworthy.stats.clustered import Estimate, mean, share
from tuneworthy.stats.compare import (
    Ceiling,
    cases_needed,
    ceiling,
    paired_difference,
    quantiles,
)
from tuneworthy.stats.intervals import BY_MARGIN

ENOUGH = 20  #: Under this many conversations an interval isn't held against anything.
#: Where a framework names no threshold, only identical prompts are copies.
NEAR_COPY = 1.0
_LABEL_ALL = "label every arm on the cases for selecting (tuneworthy evalset export --for choose)"
_NO_TARGET = "say which share is good enough (targets.quality.at_least)"
_RUN_ON = Unknown(
    ask="run it to its end: the chosen arm has to meet cases that chose nothing"
)
_TUNING_CHANGES: dict[str, State] = {
    "inconsistent_format": "yes",
    "terminology_errors": "yes",
    "voice_drift": "yes",
    "instruction_limit": "yes",
    "knowledge_gaps": "no",
}  #: Form, words, voice and rules can be trained; facts that weren't there can't.

Who = Literal["rules", "judge", "people", "nobody"]


def digest_of_json(data: object) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


# The arms that meet the held-out cases, chosen on the others.


def means_of(scores: Scores, arms: Arms, cases: Cases) -> tuple[dict[str, float], Who]:
    """Return the means of arms on the cases for selecting, by arm, and who decided.

    Where a model grades, people's labels decide as soon as every arm has them. Until then the
    grader decides, for all arms alike. An arm without a score, or with too few answers, is left
    out.
    """
    means = dict[str, float]()
    for arm in arms:
        row = scores.row(arm, cases)
        if not scores.unanswered(arm, cases) and not np.isnan(row).all():
            means[arm.id] = float(np.nanmean(row))
    if scores.judge is None:
        return means, "rules"
    if len({arm.kind for arm in arms}) == len(arms):
        return means, "nobody"  # one arm of each kind leaves no choice
    scored = [arm for arm in arms if arm.id in means]
    by_people = _bounds_by_people(scores, scored, cases)
    if not by_people:
        return means, "judge"
    for arm, estimate in zip(scored, by_people, strict=True):
        means[arm.id] = estimate.value
    return means, "people"


def _bounds_by_people(scores: Scores, arms: Arms, cases: Cases) -> tuple[Estimate, ...]:
    """Return the bounds of all arms on the cases for selecting; () where labels are missing.

    A ceiling rests on every arm that was tried, so the bounds of some arms say nothing.
    """
    estimates = [scores.estimate(arm, cases, exact=True) for arm in arms]
    known = tuple(estimate for estimate in estimates if estimate is not None)
    return known if len(known) == len(estimates) else ()


def chosen_arms(lab: Lab) -> tuple[Arm, ...]:
    """Return the best prompt arm on the cases for selecting, then the arms to compare it with.

    These are the best tuned arm and the best baseline, if there are any: two contrasts at most,
    written down before the held-out cases are looked at. Of equal ones, the first in the plan
    counts. () where no prompt arm has a score.
    """
    means, who = means_of(lab.scores, lab.stayed(), lab.plan.select)
    prompts = _best_first(means, lab.stayed("prompt"))
    if not prompts:
        return ()
    tuned = _best_first(means, lab.stayed("tuned"))
    if who == "judge":
        # a grader alone chose: people may reverse the order of the two best prompts
        others = prompts[1:]
    else:
        # of equal baselines the last counts, which reads the case
        others = _best_first(means, lab.stayed("baseline")[::-1])
    return (prompts[0], *tuned[:1], *others[:1])


def _best_first(means: Mapping[str, float], arms: Arms) -> list[Arm]:
    """Return the arms with a mean, the highest first; equal ones in their order."""
    scored = [arm for arm in arms if arm.id in means]
    return sorted(scored, key=lambda arm: means[arm.id], reverse=True)


def best_before(lab: Lab, first: Arm, searched: Collection[Arm]) -> Arm | None:
    """Return the best prompt arm from before a search; None if no arm of the search was chosen.

    It meets the held-out cases too, so that the page can show the gain of the search. ``first`` is
    the chosen arm, ``searched`` are the arms of the search.
    """
    if first not in searched:
        return None
    means, _ = means_of(lab.scores, lab.stayed(), lab.plan.select)
    stayed = [arm for arm in lab.stayed("prompt") if arm not in searched]
    ranked = _best_first(means, stayed)
    if ranked:
        return ranked[0]
    # all were dropped: the one that stayed longest was the best of them
    earlier = [arm for arm in lab.plan.of_kind("prompt") if arm not in searched]
    return max(earlier, key=lambda arm: lab.dropped.get(arm.id) or 0, default=None)


def rival_arms(
    lab: Lab, chosen: Arms, *, target: float | None, latency_s: float | None
) -> tuple[Arm, ...]:
    """Return arms of other models that may be enough where the best prompt is dear or too slow.

    These are the cheapest one that looks good enough on the cases for selecting, and the fastest
    one if the best prompt is slower than its target: two at most. The race may have dropped them,
    as they needn't be the best. () without a target, and with a grader, whose word alone never
    shows that an arm is good enough.
    """
    if target is None or not chosen or lab.scores.judge is not None:
        return ()
    best = arm_row(lab, chosen[0], lab.plan.select)
    others = [arm for arm in lab.plan.of_kind("prompt") if arm.model != chosen[0].model]
    rows = [arm_row(lab, arm, lab.plan.select) for arm in others]
    enough = [row for row in rows if ranking_value(row.quality) >= target]
    rivals = _least_below(best, enough, "usd_per_case")
    slow = best.latency_p95_s
    if latency_s is not None and not isinstance(slow, Unknown) and slow > latency_s:
        rivals += _least_below(best, enough, "latency_p95_s")
    return tuple(dict.fromkeys(rivals))


def _least_below(best: ArmResult, rows: Iterable[ArmResult], figure: str) -> list[Arm]:
    """Return the arm with the least of a figure, if that is less than the best arm's; else []."""
    known = [row for row in rows if not isinstance(getattr(row, figure), Unknown)]
    least = min(known, key=lambda row: float(getattr(row, figure)), default=None)
    of_best = getattr(best, figure)
    if least is None or isinstance(of_best, Unknown):
        return []
    return [least.arm] if getattr(least, figure) < of_best else []


# How two arms differ, and who judged them.


def contrast(scores: Scores, first: Arm, second: Arm, cases: Cases) -> Contrast:
    """Compare two arms on the same cases; missing answers widen the interval at both ends.

    The difference is unknown where one of them got too few answers, and with a grader while labels
    are missing. Then the interval covers everything, and ``n`` is 0.
    """
    unknown = scores.unanswered(first, cases) or scores.unanswered(second, cases)
    estimate = None
    if not unknown:
        estimate = scores.difference(first, second, cases)
        if estimate is None and scores.judge is not None:
            lacking = [scores.judged(arm, cases).missing for arm in (first, second)]
            unknown = label_more(sum(lacking))
    if estimate is None:  # no case has both
        estimate = Estimate(0.0, -1.0, 1.0, 0, 0)
    apart = estimate.low > 0 or estimate.high < 0
    needed: int | Unknown
    if unknown:
        needed = Unknown(ask=unknown)
    elif scores.judge is not None:
        needed = Unknown(ask="let people label more: --labels with a larger number")
    else:
        # so few conversations distinguish nothing where rules score
        apart = apart and estimate.clusters >= ENOUGH
        by_chance = cases_needed(
            scores.row(first, cases), scores.row(second, cases), clusters_of(cases)
        )
        needed = Unknown(ask=BY_MARGIN) if by_chance is None else by_chance
        if by_chance is not None and not apart:
            # a power computed from chance may name fewer than there are, which weren't enough
            needed = max(by_chance, estimate.n + 1, ENOUGH)
    return Contrast(
        first=first.id,
        second=second.id,
        difference=Unknown(ask=unknown) if unknown else estimate.value,
        low=estimate.low,
        high=estimate.high,
        n=estimate.n,
        clusters=estimate.clusters,
        told_apart="yes" if apart else "no",
        cases_needed=needed,
    )


def judge_report(lab: Lab, chosen: Arms) -> JudgeOf | None:
    """Compare the grader of a lab with people; None where rules score.

    All arms ran on the cases for selecting; ``chosen`` met the held-out ones.
    """
    plan = lab.plan
    judge = lab.scores.judge
    _, who = means_of(lab.scores, plan.arms, plan.select)
    if judge is None or who == "rules":
        return None
    on_select = _judged_arms(lab.scores, plan.arms, plan.select, "select")
    on_report = _judged_arms(lab.scores, chosen, plan.report, "report")
    return JudgeOf(
        plan=judge.plan,
        own=own_work(judge, plan.arms),
        chosen_by=who,
        arms=(*on_select, *on_report),
    )


def own_work(judge: LabJudge, arms: Iterable[Arm]) -> tuple[str, ...]:
    """Return the ids of the arms whose outputs the grading model wrote itself."""
    return tuple(arm.id for arm in arms if arm.model == judge.model.id)


def _judged_arms(
    scores: Scores, arms: Iterable[Arm], cases: Cases, part: Split
) -> Iterator[JudgedArm]:
    """Compare the grader with people on each arm: its bias, and how far they agree."""
    for arm in arms:
        judged = scores.judged(arm, cases)
        graded = judged.judge[~np.isnan(judged.judge)]
        over = paired_difference(judged.judge, judged.people, clusters_of(cases))
        bias: Bias | Unknown = Unknown(ask="label some of its outputs")
        if over is not None:
            bias = Bias(value=over.value, low=over.low, high=over.high, n=over.n)
        yield JudgedArm(
            arm=arm.id,
            part=part,
            judge=float(graded.mean()) if len(graded) else Unknown(ask="run it"),
            missing=judged.missing,
            labels=int((~np.isnan(judged.people)).sum()),
            bias=bias,
            kappa=_kappa(judged, cases),
        )


def _kappa(judged: JudgedScores, cases: Cases) -> Coefficient:
    """Return the grader's agreement with people, as Cohen's kappa of their yes and no.

    An unusable grade and a label that people didn't agree on lie between, and are left out.
    """
    words = {0.0: "no", 1.0: "yes"}
    ratings = []
    for by_judge, by_people in zip(judged.judge, judged.people, strict=True):
        ratings.append((words.get(float(by_judge)), words.get(float(by_people))))
    clusters = [case.cluster for case in cases]
    # a fixed seed: the same labels give the same interval in every report
    kappa = cohen_kappa(ratings, clusters, np.random.default_rng(0))
    if kappa is None:
        ask = "label more of its outputs, until both yes and no were said"
        return Coefficient(id="cohen_kappa", value=Unknown(ask=ask))
    return kappa


def _rubric_gain(
    scores: Scores, searched: Arm, before: Arm, cases: Cases
) -> RubricGain | None:
    """Say how much of a search's gain only the grader sees; None where rules score.

    A prompt may win by what pleases the grader and no reader. People's labels of both arms on the
    same cases show it: there the grader's gain and people's are compared.
    """
    if scores.judge is None:
        return None
    after = scores.judged(searched, cases)
    former = scores.judged(before, cases)
    clusters = clusters_of(cases)
    judged = paired_difference(after.judge, former.judge, clusters)
    missing = after.missing + former.missing
    beyond_people = None
    if not missing:
        # ``paired_difference`` takes scores 0 … 1 and gains are -1 … 1, so they are halved
        by_judge = (after.judge - former.judge) / 2
        by_people = (after.people - former.people) / 2
        beyond_people = paired_difference(by_judge, by_people, clusters)
    return RubricGain(
        judged=_judged_gain(judged, ask="run it to its end"),
        broken=_judged_gain(beyond_people, times=2, ask=label_more(missing)),
    )


def _judged_gain(
    estimate: Estimate | None, *, ask: str, times: int = 1
) -> JudgedGain | Unknown:
    """Return a multiple of a gain; unknown where there is none."""
    if estimate is None:
        return Unknown(ask=ask)
    return JudgedGain(
        value=times * estimate.value,
        low=times * estimate.low,
        high=times * estimate.high,
        n=estimate.n,
    )


# How much was tried.


class SearchFindings(NamedTuple):
    """What a search for prompts found; without a search, what would find it."""

    search: PromptSearch = PromptSearch(ended="none")
    headroom: Headroom | Unknown = Unknown(
        ask="search for better prompts: --propose 20"
    )
    proposing: Proposing | Unknown = Unknown(
        ask="search for better prompts: --propose 20"
    )
    plateau: Gain | Unknown = Unknown(ask="search for better prompts: --propose 20")


def distinct(plan: LabPlan, arms: Arms, framework: Framework) -> int:
    """Count the prompt variants of some arms, near copies once."""
    prompts = variants_of(plan, arms)
    texts = [f"{prompt.system}\n{prompt.user}" for prompt in prompts]
    near = framework.threshold("near_copy")
    return distinct_prompts(texts, NEAR_COPY if near is None else near)


def variants_of(plan: LabPlan, arms: Arms) -> list[PromptVariant]:
    """Return the prompts of some arms, each once, in the order of the arms."""
    names = dict.fromkeys(arm.prompt for arm in arms)
    return [plan.setting.prompts[name] for name in names]


def models_of(arms: Arms) -> tuple[str, ...]:
    """Return the models of some arms, each once, in the order of the arms."""
    return tuple(dict.fromkeys(arm.model for arm in arms))


def is_structured(prompt: PromptVariant) -> bool:
    """Whether its author states all four parts of a structured prompt."""
    parts = prompt.structured
    return parts is not None and set(parts.model_dump().values()) == {"yes"}


def _checks_answered(
    plan: LabPlan, arms: Arms, framework: Framework
) -> dict[str, State]:
    """Return the state of each check of the ceiling, by the prompt arms that were run.

    A check is yes or unknown: what a lab didn't try, somebody may have tried elsewhere.
    """
    counts = {
        "prompt_variations": distinct(plan, arms, framework),
        "foundation_models": len({maker(model) for model in models_of(arms)}),
        "few_shot": sum(arm.few_shot > 0 for arm in arms),
        "structured_prompt": sum(map(is_structured, variants_of(plan, arms))),
    }
    least_of = {"prompt_variations": 1, "foundation_models": 1}
    states = dict[str, State]()
    for name, check in framework.ceiling.items():
        least = (name in least_of and check.at_least) or 1
        states[name] = "yes" if counts.get(name, 0) >= least else "unknown"
    return states


# The result.


def outcome(
    lab: Lab,
    chosen: Arms,
    framework: Framework,
    *,
    rivals: Arms = (),
    before: Arm | None = None,
    target: float | None,
    quote: Quote,
    scorer: str,
    searched: SearchFindings | None = None,
) -> CeilingResult:
    """Return the result of the lab, after both parts were run.

    ``before`` is the best prompt from before a search.
    """
    plan = lab.plan
    scores = lab.scores
    search_findings = searched or SearchFindings()
    rows = [arm_row(lab, arm, plan.select) for arm in plan.arms]
    prompts = scored_prompts(rows)
    rows.sort(key=lambda row: ranking_value(row.quality), reverse=True)
    answer = answer_ceiling(lab, chosen, target)
    stop = lab.stop
    if not stop and answer.reached != "no":  # no: another arm meets the target for sure
        stop = _stop_for_unanswered(lab, chosen)
    models = models_of(prompts)
    by_model = [[arm for arm in prompts if arm.model == model] for model in models]
    # people label the held-out outputs of these arms
    labelled = list(chosen)
    if before is not None and before not in labelled:
        labelled.append(before)
    result = CeilingResult(
        arms=tuple(rows),
        best="",
        reported=_RUN_ON,
        contrasts=(),
        rivals=tuple(arm_row(lab, rival, plan.report) for rival in rivals),
        target=Unknown(ask=_NO_TARGET) if target is None else target,
        reached=answer.reached,
        upper=_upper_bound(lab, answer, stop),
        effort=sum(distinct(plan, own, framework) for own in by_model),
        prompts=distinct(plan, prompts, framework),
        models=len(models),
        select=len(plan.select),
        report=len(plan.report),
        seed=plan.seed,
        cases_needed=_cases_to_settle(answer),
        checks=_checks_answered(plan, prompts, framework),
        tuned=tuned_change(scores, chosen, plan.report),
        tied=_arms_not_behind(lab, chosen),
        curve=_curve(lab),
        scorer=scorer,
        judge=judge_report(lab, labelled),
        calls_saved=_calls_saved_by_race(lab),
        **stop.of_result,
        quote=quote,
        spend=lab.calls.spend,
        headroom=search_findings.headroom,
        proposing=search_findings.proposing,
        plateau=search_findings.plateau,
        search=search_findings.search,
        grade=search_findings.search.grade,
    )
    if not chosen:
        return result
    best, *others = chosen
    cases = plan.report
    of_best: dict[str, object] = {
        "best": best.id,
        "reported": scores.share(best, cases, exact=True),
        "contrasts": tuple(contrast(scores, best, other, cases) for other in others),
        "failures": failures_of(scores, best, cases),
        "parts": _share_by_part(scores, best, cases),
        "reward": reward_signal(scores, best, cases, plan.repeats),
    }
    if before is not None:
        of_best["gained"] = contrast(scores, best, before, cases)
        of_best["rubric"] = _rubric_gain(scores, best, before, cases)
    return result.model_copy(update=of_best)


def _upper_bound(lab: Lab, answer: CeilingAnswer, stop: Stop) -> float | Unknown:
    """Return the bound on what prompts can reach; else what would give one."""
    if answer.bounds is not None:
        return answer.bounds.upper
    if lab.scores.judge is not None and not stop:
        return Unknown(ask=_LABEL_ALL)
    return _RUN_ON


def _cases_to_settle(answer: CeilingAnswer) -> int | Unknown:
    """Return the number of cases that would settle the answer; unknown where none would."""
    if answer.cases_needed is not None:
        return answer.cases_needed
    if answer.reached == "too_few_cases":
        return Unknown(ask=BY_MARGIN)
    return Unknown(ask="more cases wouldn't tell")


def scored_prompts(rows: Sequence[ArmResult]) -> list[Arm]:
    """Return the prompt arms that have a score."""
    scored = (row for row in rows if not isinstance(row.quality, Unknown))
    return [row.arm for row in scored if row.arm.kind == "prompt"]


def _stop_for_unanswered(lab: Lab, chosen: Arms) -> Stop:
    """Return a stop that names the prompt arms with too few answers; empty for none."""
    lacking = lab.unanswered(lab.stayed("prompt"), lab.plan.select)
    return first_of(lacking + lab.unanswered(chosen[:1], lab.plan.report))


class CeilingAnswer(NamedTuple):
    """Whether prompts have reached their ceiling; unknown without any fields."""

    bounds: Ceiling | None = None
    reached: CeilingState = "unknown"
    cases_needed: int | None = None  #: To settle it.


def answer_ceiling(lab: Lab, chosen: Arms, target: float | None) -> CeilingAnswer:
    """Compare the bounds of the prompts with the target.

    A lab that was cut short answers nothing. Without a target, only the upper bound is known. With
    too few conversations for an interval, the answer says so.
    """
    plan = lab.plan
    scores = lab.scores
    if lab.stop or not chosen:
        return CeilingAnswer()
    reported = scores.estimate(chosen[0], plan.report, exact=True)
    if reported is None:
        return CeilingAnswer()
    tried = _bounds_of_tried(lab)
    bounds = ceiling(tried, reported, 1.0 if target is None else target)
    reached: CeilingState = "unknown" if target is None else bounds.reached
    # an unmeasured arm may be the one that meets the target, so nothing but a "no" is sure
    unlabelled = scores.judge is not None and not tried
    if reached != "no" and (_stop_for_unanswered(lab, chosen) or unlabelled):
        return CeilingAnswer()
    if target is None or scores.judge is not None:
        # where a model grades, more labels settle more than more cases
        return CeilingAnswer(bounds, reached)
    fewest = min(estimate.clusters for estimate in (reported, *tried))
    if fewest < ENOUGH:
        # as many times more cases as conversations lack
        cases = len(plan.select) + len(plan.report)
        needed = math.ceil(cases * ENOUGH / max(1, fewest))
        return CeilingAnswer(bounds, "too_few_cases", max(cases + 1, needed))
    return CeilingAnswer(bounds, reached, bounds.cases_needed)


def _bounds_of_tried(lab: Lab) -> tuple[Estimate, ...]:
    """Return the bounds of the prompt arms that stayed, by rules or by people; () for none."""
    stayed = lab.stayed("prompt")
    select = lab.plan.select
    if lab.scores.judge is not None:
        return _bounds_by_people(lab.scores, stayed, select)
    estimates = [lab.scores.estimate(arm, select, exact=True) for arm in stayed]
    return tuple(estimate for estimate in estimates if estimate is not None)


def _calls_saved_by_race(lab: Lab) -> int:
    """Count the calls of the full grid that the race saved; 0 for a lab that ended early."""
    plan = lab.plan
    if lab.stop:
        return 0
    made = sum(len(lab.scores.arm_scores(arm).ran(plan.select)) for arm in plan.called)
    return (len(plan.called) * len(plan.select) - made) * plan.repeats


# One arm on some cases.


def arm_row(lab: Lab, arm: Arm, cases: Cases) -> ArmResult:
    """Return an arm with its scores, cost and time on some cases."""
    results = lab.scores.arm_scores(arm)
    rows = results.rows_of(results.ran(cases))
    seconds = [each for row in rows for each in row.seconds]
    is_baseline = arm.kind == "baseline"
    why = "a baseline calls no model" if is_baseline else "it wasn't run"
    usd_per_case: float | Unknown = Unknown(ask=why)
    latency_p95_s: float | Unknown = Unknown(ask=why)
    if seconds:
        usd_per_case = sum(row.usd for row in rows) / len(rows)
        latency_p95_s = float(np.quantile(seconds, 0.95))
    result = ArmResult(
        arm=arm,
        quality=lab.scores.share(arm, cases),
        usd_per_case=usd_per_case,
        latency_p95_s=latency_p95_s,
        steps=tuple(_step_results(results.steps, cases)),
        changed=tuple(results.changed),
        others=dict(results.others),
        wrapped=lab.scores.wrapped(arm),
        dropped_after=None if lab.dropped.get(arm.id) is None else len(rows),
        failed=sum(row.failed > 0 for row in rows),
        in_doubt=sum(row.in_doubt > 0 for row in rows),
        unjudged=sum(row.unjudged > 0 for row in rows),
        aloud=sum(row.aloud > 0 for row in rows),
    )
    written = sum(row.written for row in rows)
    thought = sum(row.thought for row in rows)
    if thought and written:
        # an endpoint may count hidden tokens beside the output instead of in it
        return result.model_copy(update={"thinking": min(1.0, thought / written)})
    return result


def _step_results(
    calls_by_prompt: Mapping[str, Sequence[StepCall]], cases: Cases
) -> Iterator[StepResult]:
    """Yield the cost and time of each step of a chain on some cases; nothing for other arms."""
    ids = {case.id for case in cases}
    for prompt, all_calls in calls_by_prompt.items():
        calls = [call for call in all_calls if call.case in ids]
        if calls:
            asked = {call.case for call in calls}  # repeats of a case are one
            seconds = [call.seconds for call in calls]
            yield StepResult(
                prompt=prompt,
                usd_per_case=sum(call.usd for call in calls) / len(asked),
                latency_p95_s=float(np.quantile(seconds, 0.95)),
            )


_EXAMPLES = 3  #: Wrong answers shown of each signal.


def failures_of(scores: Scores, arm: Arm, cases: Cases) -> tuple[Failures, ...]:
    """Group an arm's wrong answers by their sign; with a grader, those that people rejected."""
    wrong, scored = scores.wrong(arm, cases)
    rows_by_signal = defaultdict[str, list[ScoredCase]](list)
    for row in wrong:
        if row.wrong is not None:
            rows_by_signal[row.wrong.signal].append(row)
    failures = []
    for signal, rows in rows_by_signal.items():
        mends = _TUNING_CHANGES.get(signal, "unknown")
        examples = tuple(_example_text(scores, row) for row in rows[:_EXAMPLES])
        failures.append(
            Failures(
                signal=signal, n=len(rows), of=scored, mends=mends, examples=examples
            )
        )
    return tuple(sorted(failures, key=lambda each: -each.n))


def _example_text(scores: Scores, row: ScoredCase) -> str:
    """Show a wrong answer beside its case, and at most two right answers."""
    right = [scores.shown(answer_text(answer)) for answer in row.case.accepted[:2]]
    output = row.wrong.text if row.wrong else ""
    text = f"{scores.shown(row.case.text)} → {scores.shown(output)}"
    return f"{text} (right is {' or '.join(right)})" if right else text


_MOST_PARTS = 50  #: Fields or classes shown, the worst first.


def _share_by_part(scores: Scores, arm: Arm, cases: Cases) -> tuple[PartShare, ...]:
    """Say how often each field of an arm's answers, or each class, is right; the worst first.

    () for answers without fields and without classes.
    """
    rows = [row for row in scores.arm_scores(arm).rows_of(cases) if row.scored]
    fields = sorted({name for row in rows for name in row.parts})
    hits = defaultdict[str, list[float]](list)
    clusters = defaultdict[str, list[str]](list)
    for row in rows:
        for name in fields:
            # an answer without any field has none of them right
            if name in row.parts or not row.parts:
                hits[name].append(float(row.parts.get(name, False)))
                clusters[name].append(row.case.cluster)
        if not fields and scores.marker.labels and row.case.accepted:
            label = answer_text(row.case.accepted[0])
            hits[label].append(row.right / row.scored)
            clusters[label].append(row.case.cluster)
    shares = []
    for part, values in hits.items():
        _, numbers = np.unique(clusters[part], return_inverse=True)
        right = share(values, numbers)
        if right is not None:
            shares.append(PartShare(part=part, **dict(shown_share(right))))
    # of equal shares the one of more cases first, then by name, so that the order is always the same
    shares.sort(key=lambda part: (part.value, -part.n, part.part))
    return tuple(shares[:_MOST_PARTS])


def tuned_change(scores: Scores, chosen: Arms, cases: Cases) -> TunedChange | None:
    """Count the cases that a tuned arm gets right where the best prompt fails, and the reverse.

    ``chosen`` has the best prompt first. None without a tuned arm.
    """
    tuned = [arm for arm in chosen[1:] if arm.kind == "tuned"]
    if not tuned:
        return None
    before = scores.row(chosen[0], cases)
    after = scores.row(tuned[0], cases)
    both = ~(np.isnan(before) | np.isnan(after))
    was_wrong = both & (before < 1)
    was_right = both & (before >= 1)
    is_right = after >= 1
    return TunedChange(
        arm=tuned[0].id,
        fixed=int((was_wrong & is_right).sum()),
        of=int(was_wrong.sum()),
        broken=int((was_right & ~is_right).sum()),
    )


def _arms_not_behind(lab: Lab, chosen: Arms) -> tuple[str, ...] | Unknown:
    """Return the prompt arms that the best one doesn't clearly lead, on the cases that chose it."""
    cases = lab.plan.select
    scores = lab.scores
    if lab.stop or not chosen or scores.judge is not None:
        return _RUN_ON
    best = chosen[0]
    others = [arm for arm in lab.stayed("prompt") if arm != best]
    if not others:
        return Unknown(ask="compare more than one prompt")
    rows = np.array([scores.row(arm, cases) for arm in (best, *others)]).T
    # the ends reach farther than usual, so that all differences hold together
    reach = quantiles(rows, np.random.default_rng(0)).pairs
    near = []
    for arm in others:
        lead = scores.difference(best, arm, cases)
        if lead is None or lead.reaching(reach).low <= 0:
            near.append(arm.id)
    return tuple(near)


def _curve(lab: Lab) -> tuple[CurvePoint, ...]:
    """Return the best mean score so far after each prompt arm, in the order of the plan."""
    best: float | None = None
    points = []
    select = lab.plan.select
    for number, arm in enumerate(lab.plan.of_kind("prompt"), start=1):
        row = lab.scores.row(arm, select)
        if np.isnan(row).all() or lab.scores.unanswered(arm, select):
            continue
        # an arm that was dropped has too few cases to be the best
        if lab.dropped.get(arm.id) is None:
            mean_score = float(np.nanmean(row))
            best = mean_score if best is None else max(best, mean_score)
        if best is not None:
            points.append(CurvePoint(arms=number, best=min(1.0, best)))
    return tuple(points)


# Whether reinforcement tuning could learn anything, by a lab with repeats. It learns from cases in
# which a model sometimes succeeds: where a case always fails no answer is better than another, and
# where it always succeeds there is nothing to improve. The limits are those of AWS's guide to
# reinforcement tuning of Nova (read on 2026-11-30): a mean reward above 0.95 needs none.

FEWEST_REPEATS = 4  #: Tries of a case, below which a rare success is seldom seen.
_MEAN_REWARD = 0.95  #: Mean reward above which there is nothing to gain.
_SIGNAL = 0.05  #: Share of cases with mixed tries above which there is something to learn from.


def reward_signal(
    scores: Scores, arm: Arm, cases: Cases, repeats: int
) -> RewardSignal | None:
    """Say how often an arm succeeds on held-out cases; None for too few tries or cases."""
    right, scored = scores.arm_scores(arm).columns(cases, "right", "scored")
    tried = scored >= FEWEST_REPEATS
    if repeats < FEWEST_REPEATS or not tried.any():
        return None
    clusters = clusters_of(cases)[tried]
    rates = right[tried] / scored[tried]
    # the best of many tries is right wherever one try was; a single try is right at the rate
    headroom = mean((rates > 0) - rates, clusters)
    average = mean(rates, clusters)
    mixed = share((rates > 0) & (rates < 1), clusters)
    never = share(rates == 0, clusters)
    always = share(rates == 1, clusters)
    # there is a case
    assert headroom is not None
    assert average is not None
    assert mixed is not None
    assert never is not None
    assert always is not None
    return RewardSignal(
        arm=arm.id,
        repeats=repeats,
        mixed=shown_share(mixed),
        never=shown_share(never),
        always=shown_share(always),
        right=shown_share(average),
        headroom=Estimated(
            value=headroom.value,
            low=max(0.0, headroom.low),
            high=min(1.0, headroom.high),
        ),
        state=_reward_state(mixed, average),
    )


def _reward_state(mixed: Estimate, average: Estimate) -> RewardState:
    """Return the state by ends of intervals, so that few cases settle nothing."""
    if average.low > _MEAN_REWARD:
        return "nothing_to_gain"
    if mixed.low > _SIGNAL:
        return "signal"
    if mixed.high < _SIGNAL:
        return "none"
    return "unclear"
