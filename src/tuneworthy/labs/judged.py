"""What a judged lab may say: who chose, how far the judge and people agree, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import numpy as np

from tuneworthy.calls.ledger import Ledger
from tuneworthy.calls.run import Job
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.judging import Bias, JudgedArm, JudgeOf
from tuneworthy.domain.lab import Arm, Contrast
from tuneworthy.domain.labels import Coefficient
from tuneworthy.domain.record import Unknown
from tuneworthy.labs.ceiling import Plan
from tuneworthy.labs.judging import Heard, Judging, apart_by_people, label_more
from tuneworthy.labs.scores import Scores, clusters_of, estimate
from tuneworthy.stats.agreement import cohen_kappa
from tuneworthy.stats.clustered import Estimate
from tuneworthy.stats.paired import paired_difference

_WORDS = {0.0: "no", 1.0: "yes"}


LABEL_ALL = "label every arm on the cases for selecting (tuneworthy evalset label --for choose)"
"""What a bound on everything that was tried takes where a model judges."""
ENOUGH = 20
"""Under this many conversations an interval isn't held against anything."""

Who = Literal["rules", "judge", "people", "nobody"]


def means_of(
    scores: Scores, arms: Sequence[Arm], cases: Sequence[EvalCase]
) -> tuple[dict[str, float], Who]:
    """How good arms look on the cases for selecting, and by whose word.

    Where a model judges, people's word decides as soon as every arm has its labels; until then the
    judge's does. Never one for some arms and the other for others.

    Returns:
        Means by the id of the arm; one without a score is left out.
    """
    rows = {arm.id: scores.row(arm.id, cases) for arm in arms}
    plain = {name: float(np.nanmean(row)) for name, row in rows.items() if not np.isnan(row).all()}
    people = _people(scores, [arm for arm in arms if arm.id in plain], cases)
    if scores.judging is None:
        return plain, "rules"
    if len({arm.kind for arm in arms}) == len(arms):
        return plain, "nobody"
    return (plain, "judge") if people is None else (people, "people")


def contrast_by_people(
    scores: Scores, first: Arm, second: Arm, cases: Sequence[EvalCase]
) -> Contrast:
    """Two arms on the same cases by a judge and people's labels; unknown while labels are missing.

    Of an unknown one the interval holds everything, and ``n`` is 0.
    """
    one, other = scores.heard(first.id, cases), scores.heard(second.id, cases)
    found = apart_by_people(one, other, clusters_of(cases)) if cases else None
    if found is None:
        ask = Unknown(ask=label_more(one.missing + other.missing))
        return Contrast(
            first=first.id, second=second.id, difference=ask, low=-1.0, high=1.0, n=0,
            told_apart="no", cases_needed=ask,
        )  # fmt: skip
    apart = found.low > 0 or found.high < 0
    return Contrast(
        first=first.id, second=second.id, difference=found.value, low=found.low, high=found.high,
        n=found.n, clusters=found.clusters, told_apart="yes" if apart else "no",
        cases_needed=Unknown(ask="let people label more: --labels with a larger number"),
    )  # fmt: skip


def tried_by_people(
    scores: Scores, arms: Sequence[Arm], cases: Sequence[EvalCase]
) -> tuple[Estimate, ...]:
    """The bounds of all arms on the cases for selecting; () where one of them lacks labels.

    A ceiling rests on every arm that was tried, so a part of them says nothing.
    """
    found = [estimate(scores, arm, cases, exact=True) for arm in arms]
    return tuple(one for one in found if one is not None) if all(found) else ()


def _people(
    scores: Scores, arms: Sequence[Arm], cases: Sequence[EvalCase]
) -> dict[str, float] | None:
    """What people say of every arm; None without a judge, and where one lacks labels."""
    if scores.judging is None or not arms:
        return None
    found = {}
    for arm in arms:
        one = estimate(scores, arm, cases, exact=True)
        if one is None:
            return None
        found[arm.id] = one.value
    return found


def judge_of(
    scores: Scores, arms: Sequence[Arm], chosen: Sequence[Arm],
    select: Sequence[EvalCase], report: Sequence[EvalCase],
) -> JudgeOf | None:  # fmt: skip
    """The judge of a lab, held against people; None where rules score.

    Args:
        scores: What was scored.
        arms: Every arm that ran on the cases for selecting.
        chosen: Those that met the untouched cases.
        select: The cases for selecting.
        report: The untouched cases.
    """
    judging = scores.judging
    if judging is None:
        return None
    parts = [("select", arms, select), ("report", chosen, report)]
    return JudgeOf(
        plan=judging.plan,
        own=own_work(judging, arms),
        chosen_by=_chosen_by(means_of(scores, arms, select)[1]),
        arms=tuple(
            one for name, of, cases in parts for one in _arms(scores, of, cases, _part(name))
        ),
    )


def own_work(judging: Judging, arms: Iterable[Arm]) -> tuple[str, ...]:
    """Arms whose outputs the judging model wrote itself."""
    return tuple(arm.id for arm in arms if arm.model == judging.model.id)


def _chosen_by(who: Who) -> Literal["judge", "people", "nobody"]:
    assert who != "rules"  # there is a judge
    return who


Part = Literal["select", "report"]


def _part(name: str) -> Part:
    return "select" if name == "select" else "report"


def _arms(
    scores: Scores, arms: Iterable[Arm], cases: Sequence[EvalCase], part: Part
) -> Iterator[JudgedArm]:
    clusters = clusters_of(cases)
    for arm in arms:
        heard = scores.heard(arm.id, cases)
        there = ~np.isnan(heard.judge)
        word = float(heard.judge[there].mean()) if there.any() else Unknown(ask="run it")
        yield JudgedArm(
            arm=arm.id, part=part, judge=word, missing=heard.missing,
            labels=int((~np.isnan(heard.people)).sum()),
            bias=_bias(heard, clusters), kappa=_kappa(heard, cases),
        )  # fmt: skip


def _bias(heard: Heard, clusters: np.ndarray) -> Bias | Unknown:
    found = paired_difference(heard.judge, heard.people, clusters)
    if found is None:
        return Unknown(ask="label some of its outputs")
    return Bias(value=found.value, low=found.low, high=found.high, n=found.n)


def _kappa(heard: Heard, cases: Sequence[EvalCase]) -> Coefficient:
    """Agreement where the judge's word can be used and people are of one mind."""
    rows = [
        (_WORDS.get(float(judge)), _WORDS.get(float(people)))
        for judge, people in zip(heard.judge, heard.people, strict=True)
    ]
    found = cohen_kappa(rows, [one.cluster for one in cases], np.random.default_rng(0))
    if found is None:
        ask = "label more of its outputs, until both yes and no were said"
        return Coefficient(id="cohen_kappa", value=Unknown(ask=ask))
    return Coefficient(
        id="cohen_kappa", value=found.value, low=found.low, high=found.high, items=found.items
    )


def all_jobs(
    plan: Plan, judging: Judging | None, arms: Sequence[Arm], cases: Sequence[EvalCase],
    ledger: Ledger | None,
) -> list[Job]:  # fmt: skip
    """The calls of some arms on some cases for a quote, those of the judge among them."""
    asked = [(job, case) for arm in arms for case in cases for job in plan.jobs(arm, case)]
    own = [job for job, _ in asked]
    return own if judging is None else [*own, *judging.expected(asked, ledger)]
