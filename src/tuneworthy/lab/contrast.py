"""Which arms meet the held-out cases, how two of them differ there, and by whose word."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import numpy as np

from tuneworthy.lab.judge import JudgedScores, LabJudge, label_more
from tuneworthy.lab.plan import LabPlan
from tuneworthy.lab.scores import Scores, clusters_of
from tuneworthy.model.base import Unknown
from tuneworthy.model.evalset import Coefficient, EvalCase
from tuneworthy.model.lab import Arm, Bias, Contrast, JudgedArm, JudgeOf
from tuneworthy.stats.agreement import cohen_kappa
from tuneworthy.stats.clustered import Estimate
from tuneworthy.stats.compare import cases_needed, paired_difference
from tuneworthy.stats.intervals import BY_MARGIN

LABEL_ALL = "label every arm on the cases for selecting (tuneworthy evalset label --for choose)"
"""What a bound on everything that was tried takes where a model judges."""
ENOUGH = 20  #: Under this many conversations an interval isn't held against anything.
_WORDS = {0.0: "no", 1.0: "yes"}

Who = Literal["rules", "judge", "people", "nobody"]


def means_of(
    scores: Scores, arms: Sequence[Arm], cases: Sequence[EvalCase]
) -> tuple[dict[str, float], Who]:
    """How good arms look on the cases for selecting, and by whose word.

    Where a model judges, people's word decides as soon as every arm has its labels; until then the
    judge's does. Never one for some arms and the other for others. An arm without a score, or with
    too few answers, is left out.
    """
    rows = {
        arm.id: scores.row(arm.id, cases) for arm in arms if not scores.unanswered(arm.id, cases)
    }
    means = {name: float(np.nanmean(row)) for name, row in rows.items() if not np.isnan(row).all()}
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


def tried_by_people(
    scores: Scores, arms: Sequence[Arm], cases: Sequence[EvalCase]
) -> tuple[Estimate, ...]:
    """The bounds of all arms on the cases for selecting; () where one of them lacks labels.

    A ceiling rests on every arm that was tried, so a part of them says nothing.
    """
    estimates = [scores.estimate(arm, cases, exact=True) for arm in arms]
    return tuple(e for e in estimates if e is not None) if all(estimates) else ()


def chosen_arms(
    plan: LabPlan, scores: Scores, dropped: Mapping[str, int | None]
) -> tuple[Arm, ...]:
    """The best prompt arm on the cases for selecting, then what it is held against.

    That is the best tuned arm where there is one, and the best baseline where there is one: two
    contrasts at most, written down before the held-out cases are looked at. Of equals the
    one that was planned first. Where a judge chose on its word alone, the second of the prompts is
    held against the first: people may turn the order of the two.

    Returns:
        One to three arms, the chosen first; () where no prompt arm was scored.
    """
    stayed = [arm for arm in plan.arms if dropped.get(arm.id) is None]
    means, who = means_of(scores, stayed, plan.select)

    def best(kind: str, but: Arm | None = None) -> Arm | None:
        rivals = [a for a in stayed if a.kind == kind and a.id in means and a != but]
        if kind == "baseline":
            rivals.reverse()  # of equals the one that reads the case
        return max(rivals, key=lambda arm: means[arm.id], default=None)

    first = best("prompt")
    if first is None:
        return ()
    by_judge = who == "judge"
    other = best("prompt", but=first) if by_judge else best("baseline")
    return (first, *(arm for arm in (best("tuned"), other) if arm is not None))


def digest_of_json(data: object) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def contrast(scores: Scores, first: Arm, second: Arm, cases: Sequence[EvalCase]) -> Contrast:
    """Two arms on the same cases; missing answers widen the interval at both ends.

    Unknown where one of the two got too few answers, and under a judge while labels lack. Of an
    unknown one the interval holds everything, and ``n`` is 0.
    """
    why = scores.unanswered(first.id, cases) or scores.unanswered(second.id, cases)
    estimate = None if why else scores.difference(first, second, cases)
    e = estimate or Estimate(0.0, -1.0, 1.0, 0, 0)
    rules = scores.judge is None
    apart = e.clusters >= ENOUGH * rules and (e.low > 0 or e.high < 0)
    needed: int | Unknown
    if why:
        needed = Unknown(ask=why)
    elif rules:
        left, right = (scores.row(arm.id, cases) for arm in (first, second))
        more = cases_needed(left, right, clusters_of(cases)) if cases else None
        at_least = 0 if apart else max(e.n + 1, ENOUGH)
        needed = Unknown(ask=BY_MARGIN) if more is None else max(more, at_least)
    elif estimate is None:
        lacking = (scores.judged(arm.id, cases).missing for arm in (first, second))
        needed = Unknown(ask=label_more(sum(lacking)))
    else:
        needed = Unknown(ask="let people label more: --labels with a larger number")
    unknown = isinstance(needed, Unknown) and (bool(why) or (estimate is None and not rules))
    ends = {"low": e.low, "high": e.high, "n": e.n, "clusters": e.clusters}
    told = {"difference": needed if unknown else e.value, "cases_needed": needed}
    arms = {"first": first.id, "second": second.id, "told_apart": "yes" if apart else "no"}
    return Contrast.model_validate({**arms, **told, **ends})


def judge_report(
    scores: Scores,
    arms: Sequence[Arm],
    chosen: Sequence[Arm],
    select: Sequence[EvalCase],
    report: Sequence[EvalCase],
) -> JudgeOf | None:
    """The judge of a lab, held against people; None where rules score.

    ``arms`` ran on the cases for selecting, ``chosen`` met the held-out ones.
    """
    judge, who = scores.judge, means_of(scores, arms, select)[1]
    if judge is None or who == "rules":
        return None
    parts = [*_judged_arms(scores, arms, select, "select")]
    parts += _judged_arms(scores, chosen, report, "report")
    own = own_work(judge, arms)
    return JudgeOf(plan=judge.plan, own=own, chosen_by=who, arms=tuple(parts))


def own_work(judge: LabJudge, arms: Iterable[Arm]) -> tuple[str, ...]:
    """Arms whose outputs the judging model wrote itself."""
    return tuple(arm.id for arm in arms if arm.model == judge.model.id)


def _judged_arms(
    scores: Scores,
    arms: Iterable[Arm],
    cases: Sequence[EvalCase],
    part: Literal["select", "report"],
) -> Iterator[JudgedArm]:
    for arm in arms:
        words = scores.judged(arm.id, cases)
        there = ~np.isnan(words.judge)
        bias = paired_difference(words.judge, words.people, clusters_of(cases))
        yield JudgedArm(
            arm=arm.id,
            part=part,
            judge=float(words.judge[there].mean()) if there.any() else Unknown(ask="run it"),
            missing=words.missing,
            labels=int((~np.isnan(words.people)).sum()),
            bias=Unknown(ask="label some of its outputs")
            if bias is None
            else Bias(value=bias.value, low=bias.low, high=bias.high, n=bias.n),
            kappa=_kappa(words, cases),
        )


def _kappa(words: JudgedScores, cases: Sequence[EvalCase]) -> Coefficient:
    """Agreement where the judge's word can be used and people are of one mind."""
    pairs = zip(words.judge, words.people, strict=True)
    rows = [(_WORDS.get(float(judge)), _WORDS.get(float(people))) for judge, people in pairs]
    kappa = cohen_kappa(rows, [case.cluster for case in cases], np.random.default_rng(0))
    ask = "label more of its outputs, until both yes and no were said"
    return kappa or Coefficient(id="cohen_kappa", value=Unknown(ask=ask))
