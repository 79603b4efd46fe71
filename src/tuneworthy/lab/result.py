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
    Headroom,
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
_WORDS = {0.0: "no", 1.0: "yes"}  # scores that are labels; others lie between them

Who = Literal["rules", "judge", "people", "nobody"]


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
    kinds = {arm.kind for arm in arms}
    if len(kinds) == len(arms):  # one arm of each kind leaves no choice
        return means, "nobody"
    scored = [arm for arm in arms if arm.id in means]
    by_people = tried_by_people(scores, scored, cases)
    if not by_people:
        return means, "judge"
    for arm, estimate in zip(scored, by_people, strict=True):
        means[arm.id] = estimate.value
    return means, "people"


def tried_by_people(scores: Scores, arms: Arms, cases: Cases) -> tuple[Estimate, ...]:
    """Return the bounds of all arms on the cases for selecting; () where labels are missing.

    A ceiling rests on every arm that was tried, so the bounds of some arms say nothing.
    """
    estimates = list[Estimate]()
    for arm in arms:
        estimate = scores.estimate(arm, cases, exact=True)
        if estimate is None:
            return ()
        estimates.append(estimate)
    return tuple(estimates)


def chosen_arms(lab: Lab) -> tuple[Arm, ...]:
    """Return the best prompt arm on the cases for selecting, then the arms to compare it with.

    These are the best tuned arm and the best baseline, if there are any: two contrasts at most,
    written down before the held-out cases are looked at. Of equal ones, the first in the plan
    counts. () where no prompt arm has a score.
    """
    means, who = means_of(lab.scores, lab.stayed(), lab.plan.select)
    prompts = [arm for arm in lab.stayed("prompt") if arm.id in means]
    tuned = [arm for arm in lab.stayed("tuned") if arm.id in means]
    best_prompt = _best_by(means, prompts)
    if best_prompt is None:
        return ()
    if who == "judge":
        # a grader alone chose: people may reverse the order of the two best prompts
        prompts.remove(best_prompt)
        other = _best_by(means, prompts)
    else:
        baselines = [arm for arm in lab.stayed("baseline") if arm.id in means]
        baselines.reverse()  # of equal ones the last counts, which reads the case
        other = _best_by(means, baselines)
    candidates = (best_prompt, _best_by(means, tuned), other)
    return tuple(arm for arm in candidates if arm is not None)


def _best_by(means: Mapping[str, float], arms: Sequence[Arm]) -> Arm | None:
    """Return the arm with the highest mean, the first of equal ones; None for no arm."""
    return max(arms, key=lambda arm: means[arm.id], default=None)


def best_before(lab: Lab, first: Arm, searched: Collection[Arm]) -> Arm | None:
    """Return the best prompt arm from before a search; None if no arm of the search was chosen.

    It meets the held-out cases too, so that the page can show the gain of the search. ``first`` is
    the chosen arm, ``searched`` are the arms of the search.
    """
    if first not in searched:
        return None
    means, _ = means_of(lab.scores, lab.stayed(), lab.plan.select)
    stayed = [arm for arm in lab.stayed("prompt") if arm not in searched]
    scored = [arm for arm in stayed if arm.id in means]
    if scored:
        return _best_by(means, scored)
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
    best_prompt = chosen[0]
    best = arm_row(lab, best_prompt, lab.plan.select)
    enough = []
    for arm in lab.plan.of_kind("prompt"):
        row = arm_row(lab, arm, lab.plan.select)
        if arm.model != best_prompt.model and ranking_value(row.quality) >= target:
            enough.append(row)
    rivals = list[Arm]()
    cheapest = min(enough, key=lambda row: _amount(row.usd_per_case), default=None)
    if cheapest and _less(cheapest.usd_per_case, best.usd_per_case):
        rivals.append(cheapest.arm)
    too_slow = latency_s is not None and _amount(best.latency_p95_s) > latency_s
    fastest = min(enough, key=lambda row: _amount(row.latency_p95_s), default=None)
    if fastest is None or not too_slow or fastest.arm in rivals:
        return tuple(rivals)
    if _less(fastest.latency_p95_s, best.latency_p95_s):
        rivals.append(fastest.arm)
    return tuple(rivals)


def _less(value: float | Unknown, other: float | Unknown) -> bool:
    """Whether both numbers are known, and the first is smaller."""
    if isinstance(value, Unknown) or isinstance(other, Unknown):
        return False
    return value < other


def _amount(value: float | Unknown) -> float:
    """Return a number as a sort key; an unknown one comes last."""
    return math.inf if isinstance(value, Unknown) else value


def digest_of_json(data: object) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def contrast(scores: Scores, first: Arm, second: Arm, cases: Cases) -> Contrast:
    """Compare two arms on the same cases; missing answers widen the interval at both ends.

    The difference is unknown where one of them got too few answers, and with a grader while labels
    are missing. Then the interval covers everything, and ``n`` is 0.
    """
    unmeasured = scores.unanswered(first, cases) or scores.unanswered(second, cases)
    if unmeasured:
        return _unknown_contrast(first, second, unmeasured)
    estimate = scores.difference(first, second, cases)
    apart = estimate is not None and (estimate.low > 0 or estimate.high < 0)
    needed: int | Unknown
    if scores.judge is not None:
        if estimate is None:
            lacking = scores.judged(first, cases).missing
            lacking += scores.judged(second, cases).missing
            return _unknown_contrast(first, second, label_more(lacking))
        needed = Unknown(ask="let people label more: --labels with a larger number")
    else:
        if estimate is None:  # no case has both
            estimate = _NOTHING_COMPARED
        # so few conversations distinguish nothing where rules score
        apart = apart and estimate.clusters >= ENOUGH
        needed = _cases_to_distinguish(
            scores, (first, second), cases, estimate, apart=apart
        )
    return Contrast(
        first=first.id,
        second=second.id,
        difference=estimate.value,
        low=estimate.low,
        high=estimate.high,
        n=estimate.n,
        clusters=estimate.clusters,
        told_apart="yes" if apart else "no",
        cases_needed=needed,
    )


#: A difference between two shares of which nothing is known.
_NOTHING_COMPARED = Estimate(0.0, -1.0, 1.0, 0, 0)


def _unknown_contrast(first: Arm, second: Arm, ask: str) -> Contrast:
    """Return a contrast of which nothing is known; ``ask`` says why, or what would settle it."""
    return Contrast(
        first=first.id,
        second=second.id,
        difference=Unknown(ask=ask),
        low=_NOTHING_COMPARED.low,
        high=_NOTHING_COMPARED.high,
        n=0,
        clusters=0,
        told_apart="no",
        cases_needed=Unknown(ask=ask),
    )


def _cases_to_distinguish(
    scores: Scores,
    arms: tuple[Arm, Arm],
    cases: Cases,
    difference: Estimate,
    *,
    apart: bool,
) -> int | Unknown:
    """Return how many cases would distinguish two arms; unknown where a margin has to decide.

    ``apart`` says whether the existing cases distinguish them.
    """
    if not cases:
        return Unknown(ask=BY_MARGIN)
    first, second = (scores.row(arm, cases) for arm in arms)
    needed = cases_needed(first, second, clusters_of(cases))
    if needed is None:
        return Unknown(ask=BY_MARGIN)
    if apart:
        return needed
    # a power computed from chance may name fewer than there are, which weren't enough
    return max(needed, difference.n + 1, ENOUGH)


def judge_report(lab: Lab, chosen: Arms) -> JudgeOf | None:
    """Compare the grader of a lab with people; None where rules score.

    All arms ran on the cases for selecting; ``chosen`` met the held-out ones.
    """
    plan = lab.plan
    scores = lab.scores
    judge = scores.judge
    _, who = means_of(scores, plan.arms, plan.select)
    if judge is None or who == "rules":
        return None
    on_select = _judged_arms(scores, plan.arms, plan.select, "select")
    on_report = _judged_arms(scores, chosen, plan.report, "report")
    return JudgeOf(
        plan=judge.plan,
        own=own_work(judge, plan.arms),
        chosen_by=who,
        arms=(*on_select, *on_report),
    )


def own_work(judge: LabJudge, arms: Iterable[Arm]) -> tuple[str, ...]:
    """Return the ids of the arms whose outputs the grading model wrote itself."""
    return tuple(arm.id for arm in arms if arm.model == judge.model.id)


def rubric_gain(
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


def _judged_arms(
    scores: Scores, arms: Iterable[Arm], cases: Cases, part: Split
) -> Iterator[JudgedArm]:
    """Compare the grader with people on each arm: its bias, and how far they agree."""
    for arm in arms:
        judged = scores.judged(arm, cases)
        graded = judged.judge[~np.isnan(judged.judge)]
        by_judge: float | Unknown = Unknown(ask="run it")
        if len(graded):
            by_judge = float(graded.mean())
        over = paired_difference(judged.judge, judged.people, clusters_of(cases))
        bias: Bias | Unknown = Unknown(ask="label some of its outputs")
        if over is not None:
            bias = Bias(value=over.value, low=over.low, high=over.high, n=over.n)
        yield JudgedArm(
            arm=arm.id,
            part=part,
            judge=by_judge,
            missing=judged.missing,
            labels=int((~np.isnan(judged.people)).sum()),
            bias=bias,
            kappa=_kappa(judged, cases),
        )


def _kappa(judged: JudgedScores, cases: Cases) -> Coefficient:
    """Return the grader's agreement with people, as Cohen's kappa of their yes and no.

    An unusable grade and a label that people didn't agree on are left out.
    """
    ratings = []
    for by_judge, by_people in zip(judged.judge, judged.people, strict=True):
        ratings.append((_WORDS.get(float(by_judge)), _WORDS.get(float(by_people))))
    clusters = [case.cluster for case in cases]
    # a fixed seed: the same labels give the same interval in every report
    kappa = cohen_kappa(ratings, clusters, np.random.default_rng(0))
    if kappa is None:
        ask = "label more of its outputs, until both yes and no were said"
        return Coefficient(id="cohen_kappa", value=Unknown(ask=ask))
    return kappa


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
SEARCH_MARGIN = 0.02
"""The least share of cases that another draw has to add, for a framework without the threshold
``margin_quality``. Smaller differences never count."""
_NO_TARGET = "say which share is good enough (targets.quality.at_least)"
_RUN_ON = "run it to its end: the chosen arm has to meet cases that chose nothing"


class SearchFindings(NamedTuple):
    """What a search for prompts found; without a search, what would find it."""

    headroom: Headroom | Unknown = _NONE
    proposing: Proposing | Unknown = _NONE
    plateau: Gain | Unknown = _NONE
    #: How far it went; None where the others say it.
    search: PromptSearch | None = None


NO_SEARCH = SearchFindings()


def search_of(
    proposing: Proposing | Unknown,
    plateau: Gain | Unknown,
    stop: Stop,
    framework: Framework,
) -> PromptSearch:
    """Say how far a search went, by its result and by the gain from one more draw."""
    stated = framework.threshold("margin_quality")
    margin = SEARCH_MARGIN if stated is None else stated
    if isinstance(proposing, Unknown):
        was_asked_for = proposing.ask != _NONE.ask
        return PromptSearch(ended="stopped" if stop and was_asked_for else "none")
    if isinstance(plateau, Unknown):  # too few draws to say what one more would add
        return PromptSearch(ended="short", draws=len(proposing.draws), margin=margin)
    ended: SearchEnd = "plateau" if plateau.value < margin else "short"
    return PromptSearch(ended=ended, draws=plateau.draws, margin=margin)


def distinct(plan: LabPlan, arms: Arms, framework: Framework) -> int:
    """Count the prompt variants of some arms, near copies once."""
    prompts = _variants_of(plan, arms)
    texts = [f"{prompt.system}\n{prompt.user}" for prompt in prompts]
    near = framework.threshold("near_copy")
    return distinct_prompts(texts, NEAR_COPY if near is None else near)


def _variants_of(plan: LabPlan, arms: Arms) -> list[PromptVariant]:
    """Return the prompts of some arms, each once, in the order of the arms."""
    names = list[str]()
    for arm in arms:
        if arm.prompt not in names:
            names.append(arm.prompt)
    return [plan.setting.prompts[name] for name in names]


def models_of(arms: Arms) -> tuple[str, ...]:
    """Return the models of some arms, each once, in the order of the arms."""
    models = list[str]()
    for arm in arms:
        if arm.model not in models:
            models.append(arm.model)
    return tuple(models)


def effort(plan: LabPlan, arms: Arms, framework: Framework) -> int:
    """Count the pairs of a model and a clearly different prompt variant."""
    pairs = 0
    for model in models_of(arms):
        own = [arm for arm in arms if arm.model == model]
        pairs += distinct(plan, own, framework)
    return pairs


def checks_answered(
    plan: LabPlan, arms: Arms, framework: Framework
) -> dict[str, State]:
    """Return the state of each check of the ceiling, by the prompt arms that were run.

    A check is yes or unknown: what a lab didn't try, somebody may have tried elsewhere.
    """
    prompts = distinct(plan, arms, framework)
    makers = {maker(model) for model in models_of(arms)}
    done = {
        "prompt_variations": prompts >= _least(framework, "prompt_variations"),
        "foundation_models": len(makers) >= _least(framework, "foundation_models"),
        "few_shot": any(arm.few_shot for arm in arms),
        "structured_prompt": any(map(structured, _variants_of(plan, arms))),
    }
    states = dict[str, State]()
    for check in framework.ceiling:
        states[check] = "yes" if done.get(check) else "unknown"
    return states


def _least(framework: Framework, check_id: str) -> int:
    """Return how many of something a check requires, 1 or more."""
    check = framework.ceiling.get(check_id)
    if check is None or not check.at_least:
        return 1
    return check.at_least


def structured(prompt: PromptVariant) -> bool:
    """Whether its author states all four parts of a structured prompt."""
    parts = prompt.structured
    return parts is not None and set(parts.model_dump().values()) == {"yes"}


def evidence_of(
    result: CeilingResult, plan: LabPlan, arms: Sequence[LabArm], as_of: date
) -> Measured | None:
    """Return the lab's evidence for the case: every arm, the best prompt, and what was tried.

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
    """Yield the evidence beside the arms; nothing where the best prompt is unknown."""
    share = result.reported
    judge = result.judge
    if result.stopped or isinstance(share, Unknown):
        return
    if judge is not None and judge.chosen_by == "judge" and result.reached != "no":
        # a grader alone chose, and the arm isn't shown to meet the target: another arm may be
        # better, and this figure would count against prompting
        return
    interval = "exact interval (Clopper and Pearson) at the number of independent cases"
    if judge is not None:
        interval = "prediction-powered interval (PPI++), by people's blind labels of a random part"
    source = f"ceiling lab: {result.best}"
    method = f"{result.scorer} on cases that chose nothing; {interval}"
    (best,) = (arm for arm in plan.arms if arm.id == result.best)
    yield best_prompt_evidence(best, share, plan, as_of, source=source, method=method)
    yield from tried_evidence(result.arms, plan, result.prompts, as_of, source)
    if judge is None:
        yield from options_evidence(result.arms, as_of, "ceiling")
    yield from _search_evidence(result, as_of, source)
    yield from _plateau_evidence(result, as_of)
    yield from _reward_evidence(result, as_of, source)


def best_prompt_evidence(
    best: Arm, share: ShareOf, plan: LabPlan, as_of: date, **about: str
) -> Evidence:
    """Return the quality of a lab's best prompt on held-out cases. Production may run another prompt."""
    details: dict[str, Scalar] = {"arm": best.id, "model": best.model}
    host = find_strange_host(best.model, plan.setting.reached[best.model].base_url)
    if host:
        details["host"] = host
    factor = "success_with_prompts"
    return interval_evidence(
        BEST_PROMPT, share, as_of, factor=factor, details=details, **about
    )


def tried_evidence(
    rows: Sequence[ArmResult], plan: LabPlan, prompts: int, as_of: date, source: str
) -> Iterator[Evidence]:
    """Yield the numbers of prompts, models and other things tried, over the scored prompt arms.

    ``prompts`` is the number of clearly different prompts.
    """
    arms = _scored_prompts(rows)
    for tried in _count_tried(arms, plan, prompts):
        details: dict[str, Scalar] = {}
        if tried.id == FAMILIES:
            details["best_high"] = _highest_end(rows)
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


def _highest_end(rows: Sequence[ArmResult]) -> float:
    """Return the highest upper end of the prompt arms' shares; 1 without any."""
    ends = [
        row.quality.high
        for row in rows
        if row.arm.kind == "prompt" and isinstance(row.quality, ShareOf)
    ]
    return max(ends, default=1.0)


class _TriedThings(NamedTuple):
    """How many of something were tried."""

    id: str  #: Of the evidence.
    n: int
    unit: str = "arms"
    check: str = ""  #: The check of the ceiling that it answers, if there is one.


def _count_tried(arms: Arms, plan: LabPlan, prompts: int) -> Iterator[_TriedThings]:
    """Count what was tried, in the order of the evidence."""
    yield _TriedThings("distinct_prompts", prompts, "prompts", "prompt_variations")
    makers = {maker(model) for model in models_of(arms)}
    yield _TriedThings(FAMILIES, len(makers), "makers", "foundation_models")
    few_shot = [arm for arm in arms if arm.few_shot]
    yield _TriedThings("few_shot_arms", len(few_shot), check="few_shot")
    in_parts = [prompt for prompt in _variants_of(plan, arms) if structured(prompt)]
    yield _TriedThings(
        "structured_prompts", len(in_parts), "prompts", "structured_prompt"
    )
    nearest = [arm for arm in arms if arm.few_shot_from == "nearest"]
    yield _TriedThings("nearest_example_arms", len(nearest))
    constrained = [arm for arm in arms if arm.constrained != "none"]
    yield _TriedThings("constrained_arms", len(constrained))
    # named only where there are any: they come from the case, and a lab adds none
    chained = [arm for arm in arms if arm.steps]
    if chained:
        yield _TriedThings("chained_arms", len(chained))
    deciding = [arm for arm in arms if arm.model in plan.setting.deciders]
    if deciding:
        yield _TriedThings("decision_arms", len(deciding))


_NO_MIXES = ("retrieved_examples", "few_shot", "constrained_output", "decomposition")
"""Options that are only counted for an arm without a tuned model."""


def options_evidence(
    rows: Sequence[ArmResult], as_of: date, lab: LabName
) -> Iterator[Evidence]:
    """Yield the quality of each option and of tuning: that of the best arm with it that stayed."""
    stayed = [row for row in rows if row.dropped_after is None]
    with_option = dict[str, list[ArmResult]]()
    for name, uses in MADE_OF.items():
        with_option[name] = [row for row in stayed if uses(row.arm)]
        if name in _NO_MIXES:
            with_option[name] = [
                row for row in with_option[name] if row.arm.kind == "prompt"
            ]
    with_option["tuned"] = [row for row in stayed if row.arm.kind == "tuned"]
    for name, own in with_option.items():
        if not own:
            continue
        best = max(own, key=lambda row: ranking_value(row.quality))
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
    result: ShareOf | Gain | Contrast,
    as_of: date,
    unit: str = "share of cases",
    **more: Any,
) -> Evidence:
    """Return evidence with the value and the interval of a result; ``more`` are further fields."""
    numbers = result.model_dump(include={"value", "low", "high", "n", "clusters"})
    return Evidence(id=name, unit=unit, observed_on=as_of, **numbers, **more)


def measured_in(
    result: CeilingResult | VerifyResult | RetrievalResult | PilotResult,
    *kept: Evidence,
    series: tuple[Series, ...] = (),
) -> Measured:
    """Return the evidence of a run, under the digest of its findings without its cost."""
    findings = result.model_dump_json(exclude=_NO_FINDINGS)
    return Measured(
        inputs=hashlib.sha256(findings.encode()).hexdigest(),
        evidence=kept,
        series=series,
        brought_answers=0 if result.spend is None else result.spend.brought,
    )


_NO_FINDINGS: Any = {
    "quote": True,
    "spend": True,
    "failures": True,
    "stopped_by": True,
    "trained": True,
    "reward": True,
    "verify": {"spend": True},
    "card": {"rows": True, "on": True},
}
"""Fields of a result that are no finding of the lab, such as its cost and its day."""


def _search_evidence(
    result: CeilingResult, as_of: date, source: str
) -> Iterator[Evidence]:
    """Yield how far prompts were searched; nothing without a search."""
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


def _reward_evidence(
    result: CeilingResult, as_of: date, source: str
) -> Iterator[Evidence]:
    """Yield whether reinforcement tuning had something to learn from; nothing for too few tries."""
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
    """Return a grader's agreement with people on an arm's held-out outputs; {} for too few labels."""
    for arm in judge.arms:
        if arm.arm != best or arm.part != "report":
            continue
        kappa = arm.kappa
        if isinstance(kappa.value, Unknown):
            return {}
        agreement: dict[str, Scalar] = {"kappa": kappa.value}
        if kappa.high is not None:
            agreement["kappa_high"] = kappa.high
        return agreement
    return {}


def _plateau_evidence(result: CeilingResult, as_of: date) -> Iterator[Evidence]:
    """Yield the gain from one more draw of the generator; nothing where it is unknown."""
    gain = result.plateau
    proposing = result.proposing
    if isinstance(gain, Unknown) or isinstance(proposing, Unknown):
        return
    source = (
        f"ceiling lab: gepa with {proposing.model}, from {listing(proposing.parents)}"
    )
    method = (
        f"mean over all orders of {gain.draws} independent draws, scored on the same cases; its "
        "upper end by the place of a draw among the others"
    )
    yield interval_evidence(
        "plateau_gain",
        gain,
        as_of,
        source=source,
        method=method,
        details={"draws": gain.draws},
    )


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
    searched: SearchFindings = NO_SEARCH,
) -> CeilingResult:
    """Return the result of the lab, after both parts were run.

    ``before`` is the best prompt from before a search.
    """
    plan = lab.plan
    rows = [arm_row(lab, arm, plan.select) for arm in plan.arms]
    prompts = _scored_prompts(rows)
    rows.sort(key=lambda row: ranking_value(row.quality), reverse=True)
    answer = answer_ceiling(lab, chosen, target)
    stop = _stop_of(lab, chosen, answer)
    search = searched.search
    if search is None:
        search = search_of(searched.proposing, searched.plateau, stop, framework)
    best = _describe_best(lab, chosen, before) if chosen else _BestArm()
    # people label the held-out outputs of these arms
    labelled = list(chosen)
    if before is not None and before not in labelled:
        labelled.append(before)
    return CeilingResult(
        arms=tuple(rows),
        best=best.id,
        reported=best.reported,
        contrasts=best.contrasts,
        rivals=tuple(arm_row(lab, rival, plan.report) for rival in rivals),
        gained=best.gained,
        target=Unknown(ask=_NO_TARGET) if target is None else target,
        reached=answer.reached,
        upper=_upper_bound(lab, answer, stop),
        effort=effort(plan, prompts, framework),
        prompts=distinct(plan, prompts, framework),
        models=len(models_of(prompts)),
        select=len(plan.select),
        report=len(plan.report),
        seed=plan.seed,
        cases_needed=_cases_to_settle(answer),
        checks=checks_answered(plan, prompts, framework),
        failures=best.failures,
        parts=best.parts,
        tuned=tuned_change(lab.scores, chosen, plan.report),
        tied=_arms_not_behind(lab, chosen),
        curve=_curve(lab),
        scorer=scorer,
        reward=best.reward,
        judge=judge_report(lab, labelled),
        rubric=best.rubric,
        calls_saved=_calls_saved_by_race(lab),
        **stop.of_result,
        quote=quote,
        spend=lab.calls.spend,
        headroom=searched.headroom,
        proposing=searched.proposing,
        plateau=searched.plateau,
        search=search,
        grade=search.grade,
    )


def _stop_of(lab: Lab, chosen: Arms, answer: CeilingAnswer) -> Stop:
    """Return why the lab ended early, or why it can't be judged; empty for a lab that can."""
    if lab.stop or answer.reached == "no":  # no: another arm meets the target for sure
        return lab.stop
    return _stop_for_unanswered(lab, chosen)


def _upper_bound(lab: Lab, answer: CeilingAnswer, stop: Stop) -> float | Unknown:
    """Return the bound on what prompts can reach; else what would give one."""
    if answer.bounds is not None:
        return answer.bounds.upper
    if lab.scores.judge is not None and not stop:
        return Unknown(ask=LABEL_ALL)
    return Unknown(ask=_RUN_ON)


def _cases_to_settle(answer: CeilingAnswer) -> int | Unknown:
    """Return the number of cases that would settle the answer; unknown where none would."""
    if answer.cases_needed is not None:
        return answer.cases_needed
    if answer.reached == "too_few_cases":
        return Unknown(ask=BY_MARGIN)
    return Unknown(ask="more cases wouldn't tell")


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
    """Describe the best prompt, compared with the other chosen arms and with the one ``before``."""
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
        parts=_share_by_part(scores, best, cases),
        reward=reward_signal(scores, best, cases, lab.plan.repeats),
    )


def _scored_prompts(rows: Sequence[ArmResult]) -> list[Arm]:
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
        return tried_by_people(lab.scores, stayed, select)
    estimates = [lab.scores.estimate(arm, select, exact=True) for arm in stayed]
    return tuple(estimate for estimate in estimates if estimate is not None)


def _calls_saved_by_race(lab: Lab) -> int:
    """Count the calls of the full grid that the race saved; 0 for a lab that ended early."""
    plan = lab.plan
    if lab.stop:
        return 0
    made = 0
    for arm in plan.called:
        made += len(lab.scores.arm_scores(arm).ran(plan.select))
    return (len(plan.called) * len(plan.select) - made) * plan.repeats


def _step_results(
    calls_by_prompt: Mapping[str, Sequence[StepCall]], cases: Cases
) -> Iterator[StepResult]:
    """Yield the cost and time of each step of a chain on some cases; nothing for other arms."""
    ids = {case.id for case in cases}
    for prompt, all_calls in calls_by_prompt.items():
        calls = [call for call in all_calls if call.case in ids]
        if not calls:
            continue
        usd = sum(call.usd for call in calls)
        asked = {call.case for call in calls}  # repeats of a case are one
        seconds = [call.seconds for call in calls]
        yield StepResult(
            prompt=prompt,
            usd_per_case=usd / len(asked),
            latency_p95_s=float(np.quantile(seconds, 0.95)),
        )


def arm_row(lab: Lab, arm: Arm, cases: Cases) -> ArmResult:
    """Return an arm with its scores, cost and time on some cases."""
    results = lab.scores.arm_scores(arm)
    ran = results.ran(cases)
    seconds, _ = results.seconds(cases)
    usd_per_case: float | Unknown
    latency_p95_s: float | Unknown
    if seconds.size:
        usd_per_case = results.total(ran, "usd") / len(ran)
        latency_p95_s = float(np.quantile(seconds, 0.95))
    else:
        is_baseline = arm.kind == "baseline"
        why = "a baseline calls no model" if is_baseline else "it wasn't run"
        usd_per_case = Unknown(ask=why)
        latency_p95_s = Unknown(ask=why)
    row = ArmResult(
        arm=arm,
        quality=lab.scores.share(arm, cases),
        usd_per_case=usd_per_case,
        latency_p95_s=latency_p95_s,
        steps=tuple(_step_results(results.steps, cases)),
        changed=tuple(results.changed),
        others=dict(results.others),
        wrapped=lab.scores.wrapped(arm),
        dropped_after=None if lab.dropped.get(arm.id) is None else len(ran),
        failed=results.cases_with(ran, "failed"),
        in_doubt=results.cases_with(ran, "in_doubt"),
        unjudged=results.cases_with(ran, "unjudged"),
        aloud=results.cases_with(ran, "aloud"),
    )
    written = results.total(ran, "written")
    thought = results.total(ran, "thought")
    if thought and written:
        # an endpoint may count hidden tokens beside the output instead of in it
        return row.model_copy(update={"thinking": min(1.0, thought / written)})
    return row


_EXAMPLES = 3  #: Wrong answers shown of each signal.


def failures_of(scores: Scores, arm: Arm, cases: Cases) -> tuple[Failures, ...]:
    """Group an arm's wrong answers by their sign; with a grader, those that people rejected."""
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


_MOST_PARTS = 50  #: Fields or classes shown, the worst first.


def _share_by_part(scores: Scores, arm: Arm, cases: Cases) -> tuple[PartShare, ...]:
    """Say how often each field of an arm's answers, or each class, is right; the worst first.

    () for answers without fields and without classes.
    """
    scored = _scored_parts(scores, arm, cases)
    clusters_by_part = defaultdict[str, list[str]](list)
    hits_by_part = defaultdict[str, list[float]](list)
    for each in scored:
        hits_by_part[each.part].append(each.score)
        clusters_by_part[each.part].append(each.cluster)
    shares = []
    for part, hits in hits_by_part.items():
        _, clusters = np.unique(clusters_by_part[part], return_inverse=True)
        right = share(hits, clusters)
        if right is not None:
            shares.append(PartShare(part=part, **shown_share(right)))
    # of equal shares the one of more cases first, then by name, so that the order is always the same
    shares.sort(key=lambda part: (part.value, -part.n, part.part))
    return tuple(shares[:_MOST_PARTS])


class _ScoredPart(NamedTuple):
    """A field or the class of one case, with its score."""

    part: str
    score: float
    cluster: str  #: The conversation of the case.


def _scored_parts(scores: Scores, arm: Arm, cases: Cases) -> list[_ScoredPart]:
    """Return the scored fields of an arm's answers; where they have none, the classes of the cases."""
    results = scores.arm_scores(arm)
    ran = [
        (case, mean)
        for case, mean in zip(cases, results.means(cases).tolist(), strict=True)
        if not math.isnan(mean)
    ]
    fields = set[str]()
    for case, _ in ran:
        fields.update(results.parts.get(case.id, ()))
    scored = []
    for case, mean in ran:
        parts = results.parts.get(case.id, {})
        for name in sorted(fields):
            # an answer without any field has none of them right
            if name in parts or not parts:
                right = float(parts.get(name, False))
                scored.append(_ScoredPart(name, right, case.cluster))
        if not fields and scores.marker.labels and case.accepted:
            label = answer_text(case.accepted[0])
            scored.append(_ScoredPart(label, mean, case.cluster))
    return scored


def tuned_change(scores: Scores, chosen: Arms, cases: Cases) -> TunedChange | None:
    """Count the cases that a tuned arm gets right where the best prompt fails, and the reverse.

    ``chosen`` has the best prompt first. None without a tuned arm.
    """
    tuned = [arm for arm in chosen[1:] if arm.kind == "tuned"]
    if not tuned:
        return None
    best_prompt = chosen[0]
    best_tuned = tuned[0]
    before = scores.row(best_prompt, cases)
    after = scores.row(best_tuned, cases)
    both = ~(np.isnan(before) | np.isnan(after))
    was_wrong = both & (before < 1)
    was_right = both & (before >= 1)
    is_right = after >= 1
    return TunedChange(
        arm=best_tuned.id,
        fixed=int((was_wrong & is_right).sum()),
        of=int(was_wrong.sum()),
        broken=int((was_right & ~is_right).sum()),
    )


def _arms_not_behind(lab: Lab, chosen: Arms) -> tuple[str, ...] | Unknown:
    """Return the prompt arms that the best one doesn't clearly lead, on the cases that chose it."""
    cases = lab.plan.select
    scores = lab.scores
    if lab.stop or not chosen or scores.judge is not None:
        return Unknown(ask=_RUN_ON)
    best = chosen[0]
    others = [arm for arm in lab.stayed("prompt") if arm != best]
    if not others:
        return Unknown(ask="compare more than one prompt")
    rows = np.array([scores.row(arm, cases) for arm in (best, *others)]).T
    # the lower ends reach farther than usual, so that all differences hold together
    farther = quantiles(rows, np.random.default_rng(0)).pairs / Z95
    near = []
    for arm in others:
        lead = scores.difference(best, arm, cases)
        if lead is None:
            near.append(arm.id)
            continue
        lower_end = lead.value - (lead.value - lead.low) * farther
        if lower_end <= 0:
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
            mean = float(np.nanmean(row))
            best = mean if best is None else max(best, mean)
        if best is not None:
            points.append(CurvePoint(arms=number, best=min(1.0, best)))
    return tuple(points)
