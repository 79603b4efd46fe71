"""The ceiling lab: find out, instead of asking, whether prompting has reached its limit.

Arms race on the cases for selecting; the contrasts are written down; only then the chosen arm meets
the cases that chose nothing. Every call goes through the ledger, so the same lab again costs
nothing and a lab that was cut off goes on where it stood.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np

from tuneworthy.files.evalset import parted
from tuneworthy.lab.judge import Heard, Judging, apart_by_people, label_more
from tuneworthy.lab.plan import Setting, question, request_for
from tuneworthy.lab.scores import Scores, clusters_of, estimate, share_of
from tuneworthy.llm.endpoints import Transport
from tuneworthy.llm.ledger import Ledger
from tuneworthy.llm.runner import Job, PriceOf, Runner
from tuneworthy.model.base import Unknown
from tuneworthy.model.evalset import Coefficient, EvalCase
from tuneworthy.model.lab import (
    Arm,
    Bias,
    CeilingPlan,
    Contrast,
    JudgedArm,
    JudgeOf,
    JudgePlan,
    Placed,
    Request,
    Settled,
    Stand,
)
from tuneworthy.scoring.base import Output
from tuneworthy.stats.agreement import cohen_kappa
from tuneworthy.stats.clustered import Estimate
from tuneworthy.stats.compare import Race, cases_needed, paired_difference

# The ceiling lab: find out, instead of asking, whether prompting has reached its limit.

ROUNDS = 8
"""Rounds the race is run in; after each the hopeless are dropped."""
FEWEST_A_ROUND = 10
_TELL_EVERY = 16  # calls: often enough to watch, and the ledger isn't asked for each
CEILING_RUN = "ceiling"
"""Name of the run whose cap counts."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a ceiling lab will do, fixed before the first call."""

    arms: tuple[Arm, ...]
    select: tuple[EvalCase, ...]
    report: tuple[EvalCase, ...]
    setting: Setting
    repeats: int = 1
    seed: int = 0

    def jobs(self, arm: Arm, case: EvalCase) -> tuple[Job, ...]:
        """The calls of one arm on one case; none for a baseline."""
        if arm.kind == "baseline":
            return ()
        request = request_for(arm, case, self.setting)
        return tuple(Job(request, repeat) for repeat in range(self.repeats))

    def all_jobs(self, arms: Sequence[Arm], cases: Sequence[EvalCase]) -> list[Job]:
        """The calls of some arms on some cases."""
        return [job for arm in arms for case in cases for job in self.jobs(arm, case)]


def make_plan(
    arms: Sequence[Arm],
    cases: Sequence[EvalCase],
    setting: Setting,
    *,
    repeats: int = 1,
    seed: int = 0,
) -> Plan:
    """A plan with its cases parted; no conversation is in both parts.

    Args:
        arms: What is compared.
        cases: The evaluation set.
        setting: Prompts, models and examples.
        repeats: Times each case is asked; repeats are no cases.
        seed: For the split and the order.
    """
    select, report = parted(together(cases), seed=seed)
    order = np.random.default_rng(seed)
    groups: dict[str, list[EvalCase]] = {}
    for one in select:
        groups.setdefault(one.cluster, []).append(one)
    names = list(groups)
    order.shuffle(names)
    mixed = tuple(case for name in names for case in groups[name])
    return Plan(tuple(arms), mixed, report, setting, repeats, seed)


def together(cases: Sequence[EvalCase]) -> tuple[EvalCase, ...]:
    """Cases with equal ones joined: the same input twice is one thing to learn from.

    Cases that belong to a conversation stay with it.
    """
    first: dict[str, str] = {}
    found = []
    for one in cases:
        if one.conversation_id is None:
            name = first.setdefault(question(one), one.id)
            found.append(one.model_copy(update={"conversation_id": f"case {name}"}))
        else:
            found.append(one)
    return tuple(found)


Watch = Callable[[Stand], None]


class Lab:
    """A ceiling lab on the way.

    Args:
        plan: What to do.
        scores: Where answers are judged and kept.
        ledger: Where calls are kept.
        transport: What sends.
        price_of: The price of a request.
        cap_usd: The most all calls of this lab may cost, those of earlier processes included.
        at_once: The most calls on the wire.
        watch: Told how it stands, now and then.
        run: Name of the run whose cap counts.
    """

    def __init__(
        self,
        plan: Plan,
        scores: Scores,
        ledger: Ledger,
        transport: Transport,
        price_of: PriceOf,
        *,
        cap_usd: float,
        at_once: int = 16,
        watch: Watch | None = None,
        run: str = CEILING_RUN,
    ) -> None:
        self.plan, self.scores, self._ledger, self._cap = plan, scores, ledger, cap_usd
        self._runner = Runner(
            ledger,
            transport,
            price_of,
            run=run,
            cap_usd=cap_usd,
            at_once=at_once,
            progress=self._one_more,
        )
        self._name, self._watch = run, watch
        self.stopped = ""
        self.dropped: dict[str, int | None] = {}
        self._done, self._left, self._running = 0, 0, len(plan.arms)
        self._leader: Arm | None = None
        self._board: tuple[Placed, ...] = ()
        self._seen: list[EvalCase] = []

    def stop(self) -> None:
        """End after what is on the wire."""
        self._runner.stop()

    async def race(self) -> None:
        """Run arms on the cases for selecting, dropping those that can't win.

        Prompts race against prompts, tuned models against tuned ones, and baselines, which cost
        nothing, against nobody: a tuned model that is far ahead leaves the best prompt in. Under a
        judge nobody is dropped: it may be wrong about each arm in a way of its own. An arm with too
        few answers drops nobody and isn't dropped: nobody knows how good it is.
        """
        arms = self.plan.arms
        later = len({arm.kind for arm in arms} - {"baseline"}) * len(self.plan.report)
        alone = self.scores.judging is not None
        groups = [arm.id if alone or arm.kind == "baseline" else arm.kind for arm in arms]
        race, longest = Race(len(arms), groups=groups), _longest(self.plan.select)
        for cases in _rounds(self.plan.select):
            running = [arms[place] for place in race.running]
            calling = sum(arm.kind != "baseline" for arm in running)
            left = calling * (len(self.plan.select) - len(self._seen))
            await self._run(running, cases, left=left + later)
            if self.stopped:
                break
            self._seen += cases
            answered = (i for i in race.running if not self.unanswered([arms[i]], self._seen))
            race.add({place: self._sums(arms[place], cases, longest) for place in answered})
            self._leader = arms[race.result().winner]
            self._running = len(race.running)
            if self._watch is not None:
                self._board = self._placed({arms[place].id for place in race.running})
            self._tell()
        result = race.result()
        self.dropped = {arm.id: result.dropped_after[i] for i, arm in enumerate(arms)}

    def unanswered(self, arms: Iterable[Arm], cases: Sequence[EvalCase]) -> tuple[str, ...]:
        """Why some arms aren't judged on cases, a sentence each; () where all are."""
        found = (self.scores.unanswered(arm.id, cases) for arm in arms)
        return tuple(why for why in found if why)

    async def report(self, chosen: Sequence[Arm]) -> None:
        """Run the chosen arms on the cases that chose nothing."""
        left = sum(arm.kind != "baseline" for arm in chosen) * len(self.plan.report)
        await self._run(chosen, self.plan.report, left=left)

    async def _run(self, arms: Sequence[Arm], cases: Sequence[EvalCase], *, left: int) -> None:
        asked: dict[str, list[tuple[Job, Arm, EvalCase]]] = {}
        jobs: list[Job] = []
        for case in cases:
            for arm in arms:
                if arm.kind == "baseline":
                    self._baseline(arm, case)
                for job in self.plan.jobs(arm, case):
                    jobs.append(job)
                    asked.setdefault(job.key, []).append((job, arm, case))
        calls = 1 if self.scores.judging is None else 2
        self._left = self._done + left * self.plan.repeats * calls
        if jobs:
            outcome = await self._runner.all(jobs)
            answered = (place for places in asked.values() for place in places)
            outcome = await self.scores.judged(self._runner, answered, outcome)
            self.stopped = outcome.why if outcome.stopped else ""
            self._take(asked, outcome.settled)

    def _take(
        self, asked: Mapping[str, list[tuple[Job, Arm, EvalCase]]], settled: Mapping[str, Settled]
    ) -> None:
        for key, places in asked.items():
            if (found := settled.get(key)) is not None:
                for job, arm, case in places:
                    self.scores.call(arm.id, case, found, system_of(job.request))

    def _baseline(self, arm: Arm, case: EvalCase) -> None:
        pool = self.plan.setting.pool
        text = pool.majority(case) if arm.of == "majority" else pool.neighbour(case)
        self.scores.answer(arm.id, case, Output(text))

    def _sums(self, arm: Arm, cases: Sequence[EvalCase], longest: int) -> list[float]:
        """Score of each conversation over the cases of the longest, so that cases weigh alike.

        A case of which nobody knows counts as half right.
        """
        row = self.scores.row(arm.id, cases)
        groups: dict[str, float] = {}
        for one, score in zip(cases, row, strict=True):
            known = 0.5 if np.isnan(score) else float(score)
            groups[one.cluster] = groups.get(one.cluster, 0.0) + known
        return [total / longest for total in groups.values()]

    def _one_more(self, found: Settled) -> None:
        del found
        self._done += 1
        if self._done % _TELL_EVERY == 0:
            self._tell()

    def _placed(self, running: Collection[str]) -> tuple[Placed, ...]:
        """Every arm, those that are left behind after the others."""
        found = [
            Placed(
                arm=arm.id,
                quality=share_of(self.scores, arm, self._seen),
                running=arm.id in running,
            )
            for arm in self.plan.arms
        ]
        return tuple(sorted(found, key=_place, reverse=True))

    def _tell(self) -> None:
        if self._watch is None:
            return
        spend, leader = self._ledger.spend(self._name, self._cap), self._leader
        quality = Unknown(ask="wait for the first round")
        told = quality if leader is None else share_of(self.scores, leader, self._seen)
        self._watch(
            Stand(
                arm=leader.id if leader else "",
                quality=told,
                done=self._done,
                of=max(self._left, self._done),
                running=self._running,
                spend=spend,
                board=self._board,
            )
        )


def _place(one: Placed) -> tuple[bool, float]:
    return one.running, -1.0 if isinstance(one.quality, Unknown) else one.quality.value


def system_of(request: Request) -> str:
    """The system prompt as it is sent; empty where there is none."""
    first = request.messages[0]
    return first.content if first.role == "system" else ""


def _longest(cases: Sequence[EvalCase]) -> int:
    """Cases of the longest conversation; 1 for none."""
    return max(Counter(one.cluster for one in cases).values(), default=1)


def _rounds(cases: Sequence[EvalCase]) -> list[list[EvalCase]]:
    """Whole conversations in rounds of about equal size."""
    size = max(FEWEST_A_ROUND, -(-len(cases) // ROUNDS))
    found: list[list[EvalCase]] = [[]]
    for place, one in enumerate(cases):
        fresh = place == 0 or cases[place - 1].cluster != one.cluster
        if fresh and len(found[-1]) >= size:
            found.append([])
        found[-1].append(one)
    return [each for each in found if each]


# What a judged lab may say: who chose, how far the judge and people agree, and what is missing.

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
        Means by the id of the arm; one without a score, or with too few answers, is left out.
    """
    answered = (arm for arm in arms if not scores.unanswered(arm.id, cases))
    rows = {arm.id: scores.row(arm.id, cases) for arm in answered}
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
            first=first.id,
            second=second.id,
            difference=ask,
            low=-1.0,
            high=1.0,
            n=0,
            told_apart="no",
            cases_needed=ask,
        )
    apart = found.low > 0 or found.high < 0
    return Contrast(
        first=first.id,
        second=second.id,
        difference=found.value,
        low=found.low,
        high=found.high,
        n=found.n,
        clusters=found.clusters,
        told_apart="yes" if apart else "no",
        cases_needed=Unknown(ask="let people label more: --labels with a larger number"),
    )


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
    scores: Scores,
    arms: Sequence[Arm],
    chosen: Sequence[Arm],
    select: Sequence[EvalCase],
    report: Sequence[EvalCase],
) -> JudgeOf | None:
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
            arm=arm.id,
            part=part,
            judge=word,
            missing=heard.missing,
            labels=int((~np.isnan(heard.people)).sum()),
            bias=_bias(heard, clusters),
            kappa=_kappa(heard, cases),
        )


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
    plan: Plan,
    judging: Judging | None,
    arms: Sequence[Arm],
    cases: Sequence[EvalCase],
    ledger: Ledger | None,
) -> list[Job]:
    """The calls of some arms on some cases for a quote, those of the judge among them."""
    asked = [(job, case) for arm in arms for case in cases for job in plan.jobs(arm, case)]
    own = [job for job, _ in asked]
    return own if judging is None else [*own, *judging.expected(asked, ledger)]


# Which arms meet the untouched cases, and how two of them differ there.


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
        chosen=tuple(arm.id for arm in chosen),
        select=len(plan.select),
        report=len(plan.report),
        inputs=hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest(),
        judge=judge,
        written_on=as_of,
    )


def contrast(scores: Scores, first: Arm, second: Arm, cases: Sequence[EvalCase]) -> Contrast:
    """Two arms on the same cases; an interval of everything where no case has both.

    Unknown where one of the two got too few answers.
    """
    if why := scores.unanswered(first.id, cases) or scores.unanswered(second.id, cases):
        ask = Unknown(ask=why)
        return Contrast(
            first=first.id,
            second=second.id,
            difference=ask,
            low=-1.0,
            high=1.0,
            n=0,
            told_apart="no",
            cases_needed=ask,
        )
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
        first=first.id,
        second=second.id,
        difference=found.value,
        low=found.low,
        high=found.high,
        n=found.n,
        clusters=found.clusters,
        told_apart="yes" if apart else "no",
        cases_needed=Unknown(ask="they don't differ") if needed is None else needed,
    )
