"""The ceiling lab: find out, instead of asking, whether prompting has reached its limit.

Arms race on the cases for selecting; the contrasts are written down; only then the chosen arm meets
the cases that chose nothing. Every call goes through the ledger, so the same lab again costs
nothing and a lab that was cut off goes on where it stood.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tuneworthy.calls.ledger import Ledger
from tuneworthy.calls.run import Job, PriceOf, Runner
from tuneworthy.calls.transport import Transport
from tuneworthy.domain.calls import Request, Settled
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.lab import Arm, Placed, Stand
from tuneworthy.domain.record import Unknown
from tuneworthy.files.evalset import parted
from tuneworthy.labs.pool import question
from tuneworthy.labs.requests import Setting, request_for
from tuneworthy.labs.scores import Scores, share_of
from tuneworthy.scoring import Output
from tuneworthy.stats.sequential import Race

ROUNDS = 8
"""Rounds the race is run in; after each the hopeless are dropped."""
FEWEST_A_ROUND = 10
_TELL_EVERY = 16  # calls: often enough to watch, and the ledger isn't asked for each
RUN = "ceiling"
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
    arms: Sequence[Arm], cases: Sequence[EvalCase], setting: Setting, *,
    repeats: int = 1, seed: int = 0,
) -> Plan:  # fmt: skip
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
        self, plan: Plan, scores: Scores, ledger: Ledger, transport: Transport, price_of: PriceOf,
        *, cap_usd: float, at_once: int = 16, watch: Watch | None = None, run: str = RUN,
    ) -> None:  # fmt: skip
        self.plan, self.scores, self._ledger, self._cap = plan, scores, ledger, cap_usd
        self._runner = Runner(
            ledger, transport, price_of, run=run, cap_usd=cap_usd, at_once=at_once,
            progress=self._one_more,
        )  # fmt: skip
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
        judge nobody is dropped: it may be wrong about each arm in a way of its own.
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
            race.add({place: self._sums(arms[place], cases, longest) for place in race.running})
            self._leader = arms[race.result().winner]
            self._running = len(race.running)
            if self._watch is not None:
                self._board = self._placed({arms[place].id for place in race.running})
            self._tell()
        result = race.result()
        self.dropped = {arm.id: result.dropped_after[i] for i, arm in enumerate(arms)}

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
                arm=leader.id if leader else "", quality=told, done=self._done,
                of=max(self._left, self._done), running=self._running, spend=spend,
                board=self._board,
            )
        )  # fmt: skip


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
