"""Results of a ceiling lab: leaderboard, contrasts, ceiling, failures, and evidence of the case.

First the arms that meet the held-out cases, how two of them differ there, and who judged them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, NamedTuple

import numpy as np

from tuneworthy.answers.arms import arms_series
from tuneworthy.answers.weigh import (
    BEST_PROMPT,
    FAMILIES,
    REWARD,
    SEARCH,
    exactly,
    maker,
)
from tuneworthy.lab.arms import MADE_OF
from tuneworthy.lab.judge import JudgedScores, LabJudge, label_more
from tuneworthy.lab.plan import Arms, Cases, LabPlan, answer_text
from tuneworthy.lab.reward import reward_signal
from tuneworthy.lab.scores import (
    Lab,
    Scores,
    StepCall,
    clusters_of,
    first_of,
    ranking_value,
    shown_share,
)
from tuneworthy.llm.hosts import find_strange_host
from tuneworthy.llm.runner import Stop
from tuneworthy.measure.sample import distinct_prompts
from tuneworthy.model.base import State, Unknown
from tuneworthy.model.case import PromptVariant
from tuneworthy.model.evalset import Coefficient, EvalCase, Split
from tuneworthy.model.evidence import Evidence, Measured, Scalar, Series
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
    JudgedArm,
    JudgedGain,
    JudgeOf,
    PartShare,
    PromptSearch,
    Proposing,
    Quote,
    RetrievalResult,
    RewardSignal,
    RubricGain,
    SearchEnd,
    ShareOf,
    StepResult,
    TunedChange,
    VerifyResult,
)
from tuneworthy.model.pilot import PilotResult
from tuneworthy.model.ways import LabArm, LabName
from tuneworthy.stats.agreement import cohen_kappa
from tuneworthy.stats.clustered import Estimate, share
from tuneworthy.stats.compare import (
    Ceiling,
    cases_needed,
    ceiling,
    paired_difference,
    quantiles,
)
from tuneworthy.stats.intervals import BY_MARGIN, Z95
from tuneworthy.words import listing

LABEL_ALL = "label every arm on the cases for selecting (tuneworthy evalset export --for choose)"
"""The step that is needed for an upper bound on everything that was tried, where a model judges."""
ENOUGH = 20  #: Under this many conversations an interval isn't held against anything.
_WORDS = {0.0: "no", 1.0: "yes"}

Who = Literal["rules", "judge", "people", "nobody"]


def means_of(scores: Scores, arms: Arms, cases: Cases) -> tuple[dict[str, float], Who]:
    """The means of arms on the cases for selecting, and who decided: rules, people or the grader.

    Where a model grades, people's labels decide as soon as every arm has them. Until then the
    grader decides, for all arms alike. An arm without a score, or with too few answers, is left
    out.
    """
    rows = {
        arm.id: scores.row(arm, cases)
        for arm in arms
        if not scores.unanswered(arm, cases)
    }
    means = {
        name: float(np.nanmean(row))
        for name, row in rows.items()
        if not np.isnan(row).all()
    }
    if scores.judge is None:
        return means, "rules"
    if len({arm.kind for arm in arms}) == len(arms):
        return means, "nobody"
    scored = [arm for arm in arms if arm.id in means]
    people = tried_by_people(scores, scored, cases)
    if not people:
        return means, "judge"
    pairs = zip(scored, people, strict=True)
    return {arm.id: estimate.value for arm, estimate in pairs}, "people"


def tried_by_people(scores: Scores, arms: Arms, cases: Cases) -> tuple[Estimate, ...]:
    """The bounds of all arms on the cases for selecting; () where labels are missing.

    A ceiling rests on every arm that was tried, so the bounds of some arms say nothing.
    """
    estimates = [scores.estimate(arm, cases, exact=True) for arm in arms]
    if all(estimates):
        return tuple(e for e in estimates if e is not None)
    return ()


def chosen_arms(lab: Lab) -> tuple[Arm, ...]:
    """The best prompt arm on the cases for selecting, then the arms to compare it with.

    These are the best tuned arm and the best baseline, if there are any: two contrasts at most,
    written down before the held-out cases are looked at. Of equal ones, the first in the plan
    counts. Where a grader alone chose, the second prompt is compared with the first, as people may
    reverse their order. () where no prompt arm has a score.
    """
    stayed = lab.stayed()
    means, who = means_of(lab.scores, stayed, lab.plan.select)

    def best(kind: str, but: Arm | None = None) -> Arm | None:
        rivals = [a for a in stayed if a.kind == kind and a.id in means and a != but]
        if kind == "baseline":
            rivals.reverse()  # of equal rivals the one that reads the case comes first
        return max(rivals, key=lambda arm: means[arm.id], default=None)

    first = best("prompt")
    if first is None:
        return ()
    by_judge = who == "judge"
    other = best("prompt", but=first) if by_judge else best("baseline")
    return (first, *(arm for arm in (best("tuned"), other) if arm is not None))


def best_before(lab: Lab, first: Arm, searched: Collection[Arm]) -> Arm | None:
    """The best prompt arm from before a search, if an arm of the search was chosen; else None.

    It meets the held-out cases too, so that the page can show the gain of the search.
    """
    if first not in searched:
        return None
    means, _ = means_of(lab.scores, lab.stayed(), lab.plan.select)
    own = [a for a in lab.stayed("prompt") if a.id in means and a not in searched]
    if own:
        return max(own, key=lambda arm: means[arm.id])
    dropped = [a for a in lab.plan.of_kind("prompt") if a not in searched]
    return max(dropped, key=lambda arm: lab.dropped.get(arm.id) or 0, default=None)


def rival_arms(
    lab: Lab, chosen: Arms, *, target: float | None, latency_s: float | None
) -> tuple[Arm, ...]:
    """Arms of other models that may be enough where the chosen prompt costs more or is too slow.

    The cheapest one that looks good enough on the cases for selecting, and the fastest one if the
    chosen prompt is slower than its target: two at most. The race may have dropped them, as they
    needn't be the best. () without a target, and with a grader, whose word alone never shows that
    an arm is good enough.
    """
    if target is None or not chosen or lab.scores.judge is not None:
        return ()
    best = arm_row(lab, chosen[0], lab.plan.select)
    enough = []
    for arm in lab.plan.of_kind("prompt"):
        row = arm_row(lab, arm, lab.plan.select)
        if arm.model != chosen[0].model and ranking_value(row.quality) >= target:
            enough.append(row)
    cheaper = [row for row in enough if _less(row.usd_per_case, best.usd_per_case)]
    rivals = [min(cheaper, key=lambda row: _amount(row.usd_per_case), default=None)]
    if latency_s is not None and _amount(best.latency_p95_s) > latency_s:
        faster = [row for row in enough if _less(row.latency_p95_s, best.latency_p95_s)]
        rivals.append(
            min(faster, key=lambda row: _amount(row.latency_p95_s), default=None)
        )
    return tuple(dict.fromkeys(row.arm for row in rivals if row is not None))


def _less(value: float | Unknown, other: float | Unknown) -> bool:
    known = not isinstance(value, Unknown) and not isinstance(other, Unknown)
    return known and _amount(value) < _amount(other)


def _amount(value: float | Unknown) -> float:
    """A number as a sort key; an unknown one comes last."""
    return math.inf if isinstance(value, Unknown) else value


def digest_of_json(data: object) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def contrast(scores: Scores, first: Arm, second: Arm, cases: Cases) -> Contrast:
    """Compare two arms on the same cases; missing answers widen the interval at both ends.

    Unknown where one of them got too few answers, and with a grader while labels are missing. Then
    the interval covers everything, and ``n`` is 0.
    """
    estimate = Estimate(0.0, -1.0, 1.0, 0, 0)
    difference: float | Unknown
    needed: int | Unknown
    apart = False
    unmeasured = scores.unanswered(first, cases) or scores.unanswered(second, cases)
    known = None if unmeasured else scores.difference(first, second, cases)
    if known is not None:
        estimate = known
        apart = known.low > 0 or known.high < 0
    difference = estimate.value
    if unmeasured:
        needed = Unknown(ask=unmeasured)
        difference = needed
    elif scores.judge is None:
        # so few conversations distinguish nothing where rules score
        apart = apart and estimate.clusters >= ENOUGH
        needed = _more_cases(scores, (first, second), cases, estimate, apart=apart)
    elif known is None:
        lacking = scores.judged(first, cases).missing
        lacking += scores.judged(second, cases).missing
        needed = Unknown(ask=label_more(lacking))
        difference = needed
    else:
        needed = Unknown(ask="let people label more: --labels with a larger number")
    return Contrast(
        first=first.id,
        second=second.id,
        difference=difference,
        low=estimate.low,
        high=estimate.high,
        n=estimate.n,
        clusters=estimate.clusters,
        told_apart="yes" if apart else "no",
        cases_needed=needed,
    )


def _more_cases(
    scores: Scores,
    arms: tuple[Arm, Arm],
    cases: Cases,
    difference: Estimate,
    *,
    apart: bool,
) -> int | Unknown:
    """The cases that would distinguish two arms; unknown where a margin has to decide."""
    first, second = (scores.row(arm, cases) for arm in arms)
    needed = cases_needed(first, second, clusters_of(cases)) if cases else None
    if needed is None:
        return Unknown(ask=BY_MARGIN)
    if apart:
        return needed
    # a power computed from chance may name fewer than there are, which weren't enough
    return max(needed, difference.n + 1, ENOUGH)


def judge_report(lab: Lab, chosen: Arms) -> JudgeOf | None:
    """The grader of a lab compared with people; None where rules score.

    All arms ran on the cases for selecting; ``chosen`` met the held-out ones.
    """
    plan = lab.plan
    scores = lab.scores
    judge = scores.judge
    who = means_of(scores, plan.arms, plan.select)[1]
    if judge is None or who == "rules":
        return None
    parts = [*_judged_arms(scores, plan.arms, plan.select, "select")]
    parts += _judged_arms(scores, chosen, plan.report, "report")
    own = own_work(judge, plan.arms)
    return JudgeOf(plan=judge.plan, own=own, chosen_by=who, arms=tuple(parts))


def own_work(judge: LabJudge, arms: Iterable[Arm]) -> tuple[str, ...]:
    """Arms whose outputs the grading model wrote itself."""
    return tuple(arm.id for arm in arms if arm.model == judge.model.id)


def rubric_gain(
    scores: Scores, searched: Arm, before: Arm, cases: Cases
) -> RubricGain | None:
    """How much of a search's gain is the judge's alone; None where rules score.

    A prompt may win by what pleases the judge and no reader. People's labels of both arms on the
    same cases show it: there the judge's gain and people's are compared.
    """
    if scores.judge is None:
        return None
    after = scores.judged(searched, cases)
    former = scores.judged(before, cases)
    clusters = clusters_of(cases)
    judged = paired_difference(after.judge, former.judge, clusters)
    ask = label_more(after.missing + former.missing)
    broken = None
    if not after.missing and not former.missing:
        # gains lie between -1 and 1: halved, as the difference of two of them is taken
        by_judge = (after.judge - former.judge) / 2
        by_people = (after.people - former.people) / 2
        broken = paired_difference(by_judge, by_people, clusters)
    return RubricGain(
        judged=_judged_gain(judged) or Unknown(ask="run it to its end"),
        broken=_judged_gain(broken, times=2) or Unknown(ask=ask),
    )


def _judged_gain(of: Estimate | None, times: int = 1) -> JudgedGain | None:
    if of is None:
        return None
    return JudgedGain(
        value=times * of.value, low=times * of.low, high=times * of.high, n=of.n
    )


def _judged_arms(
    scores: Scores, arms: Iterable[Arm], cases: Cases, part: Split
) -> Iterator[JudgedArm]:
    """Compare the grader with people on each arm: its bias, and how far they agree."""
    for arm in arms:
        words = scores.judged(arm, cases)
        graded = words.judge[~np.isnan(words.judge)]
        by_judge: float | Unknown = Unknown(ask="run it")
        if len(graded):
            by_judge = float(graded.mean())
        over = paired_difference(words.judge, words.people, clusters_of(cases))
        bias: Bias | Unknown = Unknown(ask="label some of its outputs")
        if over is not None:
            bias = Bias(value=over.value, low=over.low, high=over.high, n=over.n)
        yield JudgedArm(
            arm=arm.id,
            part=part,
            judge=by_judge,
            missing=words.missing,
            labels=int((~np.isnan(words.people)).sum()),
            bias=bias,
            kappa=_kappa(words, cases),
        )


def _kappa(words: JudgedScores, cases: Cases) -> Coefficient:
    """Agreement with people, where the grader's answer is usable and people agree."""
    pairs = zip(words.judge, words.people, strict=True)
    rows = [
        (_WORDS.get(float(judge)), _WORDS.get(float(people))) for judge, people in pairs
    ]
    kappa = cohen_kappa(
        rows, [case.cluster for case in cases], np.random.default_rng(0)
    )
    ask = "label more of its outputs, until both yes and no were said"
    return kappa or Coefficient(id="cohen_kappa", value=Unknown(ask=ask))


# What a ceiling lab found.

#: Where a framework names no threshold, only identical prompts are copies.
NEAR_COPY = 1.0
_TUNING_CHANGES: dict[str, State] = {
    "inconsistent_format": "yes",
    "terminology_errors": "yes",
    "voice_drift": "yes",
    "instruction_limit": "yes",
    "knowledge_gaps": "no",
}  #: Form, words, voice and rules can be trained; facts that weren't there can't.
_NONE = Unknown(ask="search for better prompts: --propose 20")
_NOT_PROPOSED = {"plateau": _NONE, "proposing": _NONE}
SEARCH_MARGIN = 0.02
"""The least share of cases that another draw has to add, for a framework without the threshold
``margin_quality``. Smaller differences never count."""
_NO_TARGET = "say which share is good enough (targets.quality.at_least)"
_RUN_ON = "run it to its end: the chosen arm has to meet cases that chose nothing"


def search_of(
    proposing: Proposing | Unknown,
    plateau: Gain | Unknown,
    stop: Stop,
    framework: Framework,
) -> PromptSearch:
    """How far a search went, by its result and by the gain from one more draw."""
    stated = framework.threshold("margin_quality")
    margin = SEARCH_MARGIN if stated is None else stated
    if isinstance(proposing, Unknown):
        return PromptSearch(
            ended="stopped" if stop and proposing.ask != _NONE.ask else "none"
        )
    if isinstance(plateau, Unknown):
        return PromptSearch(ended="short", draws=len(proposing.draws), margin=margin)
    ended: SearchEnd = "plateau" if plateau.value < margin else "short"
    return PromptSearch(ended=ended, draws=plateau.draws, margin=margin)


def distinct(plan: LabPlan, arms: Arms, framework: Framework) -> int:
    """The number of prompt variants of some arms, where near copies count once."""
    near = framework.threshold("near_copy")
    prompts = (
        plan.setting.prompts[name] for name in dict.fromkeys(arm.prompt for arm in arms)
    )
    texts = [f"{prompt.system}\n{prompt.user}" for prompt in prompts]
    return distinct_prompts(texts, NEAR_COPY if near is None else near)


def models_of(arms: Arms) -> tuple[str, ...]:
    return tuple(dict.fromkeys(arm.model for arm in arms))


def effort(plan: LabPlan, arms: Arms, framework: Framework) -> int:
    """Pairs of a model and a clearly different prompt variant."""
    per_model = ([a for a in arms if a.model == model] for model in models_of(arms))
    return sum(distinct(plan, own, framework) for own in per_model)


def checks_answered(
    plan: LabPlan, arms: Arms, framework: Framework
) -> dict[str, State]:
    """The checks, of five, that running some prompt arms answers with yes; it never answers no."""
    prompts = distinct(plan, arms, framework)
    makers = {maker(model) for model in models_of(arms)}
    used = [plan.setting.prompts[name] for name in {arm.prompt for arm in arms}]
    answered = {
        "prompt_variations": prompts >= _least(framework, "prompt_variations"),
        "foundation_models": len(makers) >= _least(framework, "foundation_models"),
        "few_shot": any(arm.few_shot for arm in arms),
        "structured_prompt": any(structured(prompt) for prompt in used),
    }
    return {
        name: "yes" if answered.get(name) else "unknown" for name in framework.ceiling
    }


def _least(framework: Framework, check_id: str) -> int:
    """How many of something a check requires; 1 where the framework gives no number."""
    check = framework.ceiling.get(check_id)
    if check is None or check.at_least is None:
        return 1
    return check.at_least or 1


def structured(prompt: PromptVariant) -> bool:
    """Whether its author states all four parts of a structured prompt."""
    parts = prompt.structured
    return parts is not None and set(parts.model_dump().values()) == {"yes"}


def evidence_of(
    result: CeilingResult, plan: LabPlan, arms: Sequence[LabArm], as_of: date
) -> Measured | None:
    """The lab's evidence for the case: every arm, the best prompt, and the prompts that were tried.

    None for a lab that was cut short, as a part of its result is no result. Where an arm that may
    be better got too few answers, the other arms are kept, and no best one is named.
    """
    if result.stopped_by not in ("", "unanswered") or not any_measured(arms):
        return None
    kept = tuple(_ceiling_evidence(result, plan, as_of))
    return measured_in(result, *kept, series=(arms_series("ceiling", arms),))


def any_measured(arms: Iterable[LabArm]) -> bool:
    """Whether the quality of any arm with a model is known; baselines always answer."""
    known = (arm for arm in arms if not isinstance(arm.quality, Unknown))
    return any(arm.kind != "no_model" for arm in known)


def _ceiling_evidence(
    result: CeilingResult, plan: LabPlan, as_of: date
) -> Iterator[Evidence]:
    """Evidence beside the arms; none where the best prompt is unknown.

    None either where a grader alone chose an arm that misses the target: another arm may be better,
    and this figure would count against prompting.
    """
    share = result.reported
    judge = result.judge
    if result.stopped or isinstance(share, Unknown):
        return
    if judge is not None and judge.chosen_by == "judge" and result.reached != "no":
        return
    interval = "exact interval (Clopper and Pearson) at the number of independent cases"
    if judge is not None:
        interval = "prediction-powered interval (PPI++), by people's blind labels of a random part"
    source = f"ceiling lab: {result.best}"
    method = f"{result.scorer} on cases that chose nothing; {interval}"
    (best,) = (arm for arm in plan.arms if arm.id == result.best)
    yield best_prompt_evidence(best, share, plan, as_of, source=source, method=method)
    rows = result.arms
    yield from tried_evidence(rows, plan, result.prompts, as_of, source)
    if judge is None:
        yield from options_evidence(rows, as_of, "ceiling")
    yield from _search(result, as_of, source)
    yield from _plateau(result, as_of)
    yield from _reward(result, as_of, source)


def best_prompt_evidence(
    best: Arm, share: ShareOf, plan: LabPlan, as_of: date, **about: str
) -> Evidence:
    """The quality of a lab's best prompt on held-out cases. Production may run another prompt."""
    details: dict[str, Scalar] = {"arm": best.id, "model": best.model}
    if host := find_strange_host(best.model, plan.setting.reached[best.model].base_url):
        details["host"] = host
    factor = "success_with_prompts"
    return interval_evidence(
        BEST_PROMPT, share, as_of, factor=factor, details=details, **about
    )


def tried_evidence(
    rows: Sequence[ArmResult], plan: LabPlan, prompts: int, as_of: date, source: str
) -> Iterator[Evidence]:
    """The numbers of prompts, models and other things tried, over the prompt arms with a score.

    ``prompts`` is the number of clearly different prompts.
    """
    arms = _scored_prompts(rows)
    upper_ends = [
        row.quality.high
        for row in rows
        if row.arm.kind == "prompt" and isinstance(row.quality, ShareOf)
    ]
    for tried in _count_tried(arms, plan, prompts):
        details: dict[str, Scalar] = {}
        if tried.id == FAMILIES:
            details["best_high"] = max(upper_ends, default=1.0)
        yield exactly(
            tried.id,
            tried.n,
            tried.unit,
            factor=tried.check,
            method="counted among the arms that were run",
            details=details,
            n=len(arms),
            source=source,
            observed_on=as_of,
        )


class _TriedThings(NamedTuple):
    """How many of something were tried."""

    id: str  #: Of the evidence.
    n: int
    unit: str = "arms"
    check: str = ""  #: The check of the ceiling that it answers, if there is one.


def _count_tried(arms: Arms, plan: LabPlan, prompts: int) -> Iterator[_TriedThings]:
    """What was tried, in the order of the evidence; chains and deciding models only if there are any."""
    yield _TriedThings("distinct_prompts", prompts, "prompts", "prompt_variations")
    makers = {maker(model) for model in models_of(arms)}
    yield _TriedThings(FAMILIES, len(makers), "makers", "foundation_models")
    few_shot = sum(arm.few_shot > 0 for arm in arms)
    yield _TriedThings("few_shot_arms", few_shot, check="few_shot")
    variants = [plan.setting.prompts[name] for name in {arm.prompt for arm in arms}]
    in_parts = sum(structured(variant) for variant in variants)
    yield _TriedThings("structured_prompts", in_parts, "prompts", "structured_prompt")
    nearest = sum(arm.few_shot_from == "nearest" for arm in arms)
    yield _TriedThings("nearest_example_arms", nearest)
    constrained = sum(arm.constrained != "none" for arm in arms)
    yield _TriedThings("constrained_arms", constrained)
    chained = sum(bool(arm.steps) for arm in arms)
    if chained:
        yield _TriedThings("chained_arms", chained)
    deciding = sum(arm.model in plan.setting.deciders for arm in arms)
    if deciding:
        yield _TriedThings("decision_arms", deciding)


_NO_MIXES = ("retrieved_examples", "few_shot", "constrained_output", "decomposition")
"""Options that are only counted for an arm without a tuned model."""


def options_evidence(
    rows: Sequence[ArmResult], as_of: date, lab: LabName
) -> Iterator[Evidence]:
    """The quality of each option and each tuning: that of the best arm with it that stayed."""
    stayed = [row for row in rows if row.dropped_after is None]
    stayed.sort(key=lambda row: ranking_value(row.quality), reverse=True)
    for name, uses in (*MADE_OF.items(), ("tuned", lambda arm: arm.kind == "tuned")):
        kinds = ("prompt",) if name in _NO_MIXES else ("prompt", "baseline", "tuned")
        own = [row for row in stayed if row.arm.kind in kinds and uses(row.arm)]
        if not own:
            continue
        best, *_ = own
        if not isinstance(best.quality, Unknown):
            yield interval_evidence(
                f"{name}_share",
                best.quality,
                as_of,
                source=f"{lab} lab: {best.arm.id}",
                method=f"the best of {len(own)} arms, on the cases that chose it",
            )


def interval_evidence(
    name: str,
    of: ShareOf | Gain | Contrast,
    as_of: date,
    unit: str = "share of cases",
    **more: Any,
) -> Evidence:
    """Evidence with the value and the interval of a result."""
    numbers = of.model_dump(include={"value", "low", "high", "n", "clusters"})
    return Evidence(id=name, unit=unit, observed_on=as_of, **numbers, **more)


def measured_in(
    of: CeilingResult | VerifyResult | RetrievalResult | PilotResult,
    *kept: Evidence,
    series: tuple[Series, ...] = (),
) -> Measured:
    """The evidence of a run, under the digest of its findings without its cost."""
    text = of.model_dump_json(exclude=_NOT_FOUND)
    inputs = hashlib.sha256(text.encode()).hexdigest()
    brought = 0 if of.spend is None else of.spend.brought
    return Measured(
        inputs=inputs, evidence=kept, series=series, brought_answers=brought
    )


_NOT_FOUND: Any = {
    **dict.fromkeys(
        ("quote", "spend", "failures", "stopped_by", "trained", "reward"), True
    ),
    "verify": {"spend": True},
    "card": {"rows": True, "on": True},
}
"""Fields of a result that are no finding of the lab, such as its cost and its day."""


def _search(result: CeilingResult, as_of: date, source: str) -> Iterator[Evidence]:
    """Evidence on how far prompts were searched; nothing without a search."""
    search = result.search
    if search.ended == "none":
        return
    yield exactly(
        SEARCH,
        search.draws,
        "draws",
        method="draws of a generator of prompts, each scored on the same cases",
        details={"ended": search.ended, "margin": search.margin},
        n=search.draws,
        source=source,
        observed_on=as_of,
    )


def _reward(result: CeilingResult, as_of: date, source: str) -> Iterator[Evidence]:
    """Whether reinforcement tuning had something to learn from; nothing for too few tries."""
    reward = result.reward
    if reward is None:
        return
    details: dict[str, Scalar] = {
        "state": reward.state,
        "repeats": reward.repeats,
        "never": reward.never.value,
        "right": reward.right.value,
        "headroom": reward.headroom.value,
        "headroom_high": reward.headroom.high,
    }
    if result.judge is not None:
        details["judge"] = result.judge.plan.model
        details |= _agreement(result.judge, result.best)
    yield interval_evidence(
        REWARD,
        reward.mixed,
        as_of,
        source=source,
        method="cases answered now rightly, now wrongly when asked again",
        details=details,
    )


def _agreement(judge: JudgeOf, best: str) -> dict[str, Scalar]:
    """How far a judge agrees with people on an arm's held-out outputs; empty for too few labels."""
    for arm in judge.arms:
        kappa = arm.kappa
        if arm.arm != best or arm.part != "report" or isinstance(kappa.value, Unknown):
            continue
        known: dict[str, Scalar] = {"kappa": kappa.value}
        if kappa.high is not None:
            known["kappa_high"] = kappa.high
        return known
    return {}


def _plateau(result: CeilingResult, as_of: date) -> tuple[Evidence, ...]:
    """The gain from one more draw of the generator, as evidence; () where it is unknown."""
    gain = result.plateau
    proposing = result.proposing
    if isinstance(gain, Unknown) or isinstance(proposing, Unknown):
        return ()
    source = (
        f"ceiling lab: gepa with {proposing.model}, from {listing(proposing.parents)}"
    )
    method = (
        f"mean over all orders of {gain.draws} independent draws, scored on the same cases; its "
        "upper end by the place of a draw among the others"
    )
    evidence = interval_evidence(
        "plateau_gain",
        gain,
        as_of,
        source=source,
        method=method,
        details={"draws": gain.draws},
    )
    return (evidence,)


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
    **proposed: Any,
) -> CeilingResult:
    """The result of the lab, after both parts were run.

    ``before`` is the best prompt from before a search; ``proposed`` describes the search.
    """
    plan = lab.plan
    scores = lab.scores
    own = () if before is None else (before,)
    met = tuple(dict.fromkeys((*chosen, *own)))  # arms whose outputs people label
    rows = [arm_row(lab, arm, lab.plan.select) for arm in plan.arms]
    prompts = _scored_prompts(rows)
    answer = answer_ceiling(lab, chosen, target)
    bounds = answer.bounds
    reached = answer.reached
    needed = answer.cases_needed
    stop = lab.stop or (
        Stop() if reached == "no" else _stop_for_unanswered(lab, chosen)
    )
    bound = _RUN_ON if scores.judge is None or stop else LABEL_ALL
    more = BY_MARGIN if reached == "too_few_cases" else "more cases wouldn't tell"
    about: dict[str, Any] = _NOT_PROPOSED | proposed
    search = about.pop("search", None) or search_of(
        about["proposing"], about["plateau"], stop, framework
    )
    rows.sort(key=lambda row: ranking_value(row.quality), reverse=True)
    best = _describe_best(lab, chosen, before) if chosen else _BestArm()
    return CeilingResult(
        arms=tuple(rows),
        best=best.id,
        reported=best.reported,
        contrasts=best.contrasts,
        rivals=tuple(arm_row(lab, rival, plan.report) for rival in rivals),
        gained=best.gained,
        target=Unknown(ask=_NO_TARGET) if target is None else target,
        reached=reached,
        upper=bounds.upper if bounds else Unknown(ask=bound),
        effort=effort(plan, prompts, framework),
        prompts=distinct(plan, prompts, framework),
        models=len(models_of(prompts)),
        select=len(plan.select),
        report=len(plan.report),
        seed=plan.seed,
        cases_needed=Unknown(ask=more) if needed is None else needed,
        checks=checks_answered(plan, prompts, framework),
        failures=best.failures,
        parts=best.parts,
        tuned=tuned_change(scores, chosen, plan.report),
        tied=_arms_not_behind(lab, chosen),
        curve=_curve(lab),
        scorer=scorer,
        reward=best.reward,
        judge=judge_report(lab, met),
        rubric=best.rubric,
        calls_saved=_calls_saved_by_race(lab),
        **stop.of_result,
        quote=quote,
        spend=lab.calls.spend,
        search=search,
        grade=search.grade,
        **about,
    )


_NOT_CHOSEN = Unknown(ask=_RUN_ON)


@dataclass(frozen=True, slots=True)
class _BestArm:
    """The chosen arm on the held-out cases; as it stands for a lab that chose none."""

    id: str = ""
    reported: ShareOf | Unknown = _NOT_CHOSEN
    contrasts: tuple[Contrast, ...] = ()  #: With the other chosen arms.
    gained: Contrast | None = None  #: With the best prompt from before a search.
    rubric: RubricGain | None = None
    failures: tuple[Failures, ...] = ()
    parts: tuple[PartShare, ...] = ()
    reward: RewardSignal | None = None


def _describe_best(lab: Lab, chosen: Arms, before: Arm | None) -> _BestArm:
    """The first chosen arm, compared with the others and with the one ``before`` a search."""
    best, *others = chosen
    scores = lab.scores
    cases = lab.plan.report
    gained = None
    rubric = None
    if before is not None:
        gained = contrast(scores, best, before, cases)
        rubric = rubric_gain(scores, best, before, cases)
    return _BestArm(
        id=best.id,
        reported=scores.share(best, cases, exact=True),
        contrasts=tuple(contrast(scores, best, other, cases) for other in others),
        gained=gained,
        rubric=rubric,
        failures=failures_of(scores, best, cases),
        parts=_share_by_field(scores, best, cases),
        reward=reward_signal(scores, best, cases, lab.plan.repeats),
    )


def _scored_prompts(rows: Sequence[ArmResult]) -> list[Arm]:
    scored = (row for row in rows if not isinstance(row.quality, Unknown))
    return [row.arm for row in scored if row.arm.kind == "prompt"]


def _stop_for_unanswered(lab: Lab, chosen: Arms) -> Stop:
    """A stop that names the racing prompt arms with too few answers."""
    lacking = lab.unanswered(lab.stayed("prompt"), lab.plan.select)
    return first_of(lacking + lab.unanswered(chosen[:1], lab.plan.report))


class CeilingAnswer(NamedTuple):
    """Whether prompts have reached their ceiling; unknown as it stands."""

    bounds: Ceiling | None = None
    reached: CeilingState = "unknown"
    cases_needed: int | None = None  #: To settle it.


def answer_ceiling(lab: Lab, chosen: Arms, target: float | None) -> CeilingAnswer:
    """Compare the bounds of the prompts with the target.

    A lab that was cut short answers nothing. An arm with too few answers may be the one that meets
    the target, so the only possible answer is then that another arm meets it. A grader's word
    bounds nothing: ``yes`` needs labels for every arm, and more labels settle more than more cases.
    Without a target, only the upper bound is known. With too few conversations for an interval, the
    answer says so.
    """
    plan = lab.plan
    scores = lab.scores
    if lab.stop or not chosen:
        return CeilingAnswer()
    reported = scores.estimate(chosen[0], plan.report, exact=True)
    if reported is None:
        return CeilingAnswer()
    stayed = lab.stayed("prompt")
    if scores.judge is None:
        estimates = (scores.estimate(arm, plan.select, exact=True) for arm in stayed)
        tried = tuple(estimate for estimate in estimates if estimate is not None)
    else:
        tried = tried_by_people(scores, stayed, plan.select)
    bounds = ceiling(tried, reported, 1.0 if target is None else target)
    answer: CeilingState = "unknown" if target is None else bounds.reached
    unlabelled = scores.judge is not None and not tried
    if answer != "no" and (_stop_for_unanswered(lab, chosen) or unlabelled):
        return CeilingAnswer()
    if target is None or scores.judge is not None:
        return CeilingAnswer(bounds, answer)
    fewest = min(estimate.clusters for estimate in (reported, *tried))
    if fewest < ENOUGH:
        # as many times more cases as conversations lack
        cases = len(plan.select) + len(plan.report)
        needed = math.ceil(cases * ENOUGH / max(1, fewest))
        return CeilingAnswer(bounds, "too_few_cases", max(cases + 1, needed))
    return CeilingAnswer(bounds, answer, bounds.cases_needed)


def _calls_saved_by_race(lab: Lab) -> int:
    """The calls of the full grid that the race saved."""
    plan = lab.plan
    if lab.stop:
        return 0
    made = sum(len(lab.scores.arm_scores(arm).ran(plan.select)) for arm in plan.called)
    return (len(plan.called) * len(plan.select) - made) * plan.repeats


def _steps(
    costs: Mapping[str, Sequence[StepCall]], cases: set[str]
) -> Iterator[StepResult]:
    """The cost and time of each step of a chain on some cases; nothing for other arms."""
    for prompt, calls in costs.items():
        counted = [call for call in calls if call.case in cases]
        if counted:
            usd = sum(call.usd for call in counted)
            seconds = [call.seconds for call in counted]
            yield StepResult(
                prompt=prompt,
                usd_per_case=usd / len({call.case for call in counted}),
                latency_p95_s=float(np.quantile(seconds, 0.95)),
            )


def arm_row(lab: Lab, arm: Arm, cases: Cases) -> ArmResult:
    """An arm with its scores on some cases."""
    of = lab.scores.arm_scores(arm)
    ran = of.ran(cases)
    times, _ = of.seconds(cases)
    written = of.total(ran, "written")
    thought = of.total(ran, "thought")
    more = {"thinking": min(1.0, thought / written)} if thought and written else {}
    usd_per_case: float | Unknown
    latency_p95_s: float | Unknown
    if times.size:
        usd_per_case = of.total(ran, "usd") / len(ran)
        latency_p95_s = float(np.quantile(times, 0.95))
    elif arm.kind == "baseline":
        usd_per_case = latency_p95_s = Unknown(ask="a baseline calls no model")
    else:
        usd_per_case = latency_p95_s = Unknown(ask="it wasn't run")
    return ArmResult(
        arm=arm,
        quality=lab.scores.share(arm, cases),
        usd_per_case=usd_per_case,
        latency_p95_s=latency_p95_s,
        steps=tuple(_steps(of.steps, {case.id for case in cases})),
        changed=tuple(of.changed),
        others=dict(of.others),
        wrapped=lab.scores.wrapped(arm),
        **more,
        dropped_after=None if lab.dropped.get(arm.id) is None else len(ran),
        failed=of.cases_with(ran, "failed"),
        in_doubt=of.cases_with(ran, "in_doubt"),
        unjudged=of.cases_with(ran, "unjudged"),
        aloud=of.cases_with(ran, "aloud"),
    )


_EXAMPLES = 3  #: Wrong answers shown of each signal.


def failures_of(scores: Scores, arm: Arm, cases: Cases) -> tuple[Failures, ...]:
    """Wrong answers of an arm by their sign; with a grader, those that people rejected."""
    answers = scores.wrong(arm, cases)
    examples = defaultdict[str, list[str]](list)
    counts = Counter[str]()
    for wrong in answers.wrong:
        counts[wrong.signal] += 1
        if counts[wrong.signal] <= _EXAMPLES:
            example = _example_text(scores, wrong.case, wrong.text)
            examples[wrong.signal].append(example)
    return tuple(
        Failures(
            signal=signal,
            n=n,
            of=answers.scored,
            mends=_TUNING_CHANGES.get(signal, "unknown"),
            examples=tuple(examples[signal]),
        )
        for signal, n in counts.most_common()
    )


def _example_text(scores: Scores, case: EvalCase, output: str) -> str:
    """Show a wrong answer beside its case, and at most two right answers."""
    right = [scores.shown(answer_text(answer)) for answer in case.accepted[:2]]
    expected = " or ".join(right)
    text = f"{scores.shown(case.text)} → {scores.shown(output)}"
    return f"{text} (right is {expected})" if expected else text


_MOST_PARTS = 50


def _share_by_field(scores: Scores, arm: Arm, cases: Cases) -> tuple[PartShare, ...]:
    """How often each field of an arm's answers, or each class, is right; () without fields."""
    of = scores.arm_scores(arm)
    means = zip(cases, of.means(cases).tolist(), strict=True)
    scored = [(case, mean) for case, mean in means if mean >= 0]  # not for NaN
    fields = {name for case, _ in scored for name in of.parts.get(case.id, ())}
    hits = defaultdict[str, list[float]](list)
    clusters = defaultdict[str, list[str]](list)
    for case, mean in scored:
        parts = of.parts.get(case.id, {})
        for name in sorted(fields):
            # an answer without any field has none of them right
            if name in parts or not parts:
                hits[name].append(float(parts.get(name, False)))
                clusters[name].append(case.cluster)
        if not fields and scores.marker.labels and case.accepted:
            label = answer_text(case.accepted[0])
            hits[label].append(mean)
            clusters[label].append(case.cluster)
    shares = []
    for name in hits:
        codes = {cluster: code for code, cluster in enumerate(clusters[name])}
        right = share(hits[name], [codes[cluster] for cluster in clusters[name]])
        if right is not None:
            shares.append(PartShare(part=name, **shown_share(right)))
    shares.sort(key=lambda part: (part.value, -part.n, part.part))
    return tuple(shares[:_MOST_PARTS])


def tuned_change(scores: Scores, chosen: Arms, cases: Cases) -> TunedChange | None:
    """Count the cases that a tuned arm gets right where the best prompt fails, and the reverse.

    That is the change that tuning could bring here. None without a tuned arm.
    """
    tuned = next((arm for arm in chosen[1:] if arm.kind == "tuned"), None)
    if tuned is None:
        return None
    best, *_ = chosen
    before = scores.row(best, cases)
    after = scores.row(tuned, cases)
    both = ~(np.isnan(before) | np.isnan(after))
    wrong = both & (before < 1)
    mended = after >= 1
    return TunedChange(
        arm=tuned.id,
        fixed=int((wrong & mended).sum()),
        of=int(wrong.sum()),
        broken=int((both & ~wrong & ~mended).sum()),
    )


def _arms_not_behind(lab: Lab, chosen: Arms) -> tuple[str, ...] | Unknown:
    """Other prompt arms that the best one doesn't clearly lead, on the cases that chose it."""
    cases = lab.plan.select
    scores = lab.scores
    if lab.stop or not chosen or scores.judge is not None:
        return Unknown(ask=_RUN_ON)
    others = [arm for arm in lab.stayed("prompt") if arm != chosen[0]]
    if not others:
        return Unknown(ask="compare more than one prompt")
    rows = np.array([scores.row(arm, cases) for arm in (chosen[0], *others)]).T
    # the lower end reaches farther, so that all differences hold together
    farther = quantiles(rows, np.random.default_rng(0)).pairs / Z95
    near = []
    for arm in others:
        lead = scores.difference(chosen[0], arm, cases)
        if lead is None or lead.value - (lead.value - lead.low) * farther <= 0:
            near.append(arm.id)
    return tuple(near)


def _curve(lab: Lab) -> tuple[CurvePoint, ...]:
    """The best score after each arm. An arm that was dropped has too few cases to be the best."""
    best = -1.0
    points = []
    select = lab.plan.select
    for number, arm in enumerate(lab.plan.of_kind("prompt"), start=1):
        row = lab.scores.row(arm, select)
        if np.isnan(row).all() or lab.scores.unanswered(arm, select):
            continue
        if lab.dropped.get(arm.id) is None:
            best = max(best, float(np.nanmean(row)))
        if best >= 0:
            points.append(CurvePoint(arms=number, best=min(1.0, best)))
    return tuple(points)
