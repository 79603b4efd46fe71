"""The ceiling lab: find out, instead of asking, whether prompting has reached its limit.

Arms race on the cases for selecting; the contrasts are written down; only then the chosen arm meets
the cases that chose nothing. Every call goes through the ledger, so the same lab again costs
nothing and a lab that was cut off goes on where it stood.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tuneworthy.calls.ledger import Ledger
from tuneworthy.calls.run import Job, PriceOf, Runner
from tuneworthy.calls.transport import Transport
from tuneworthy.domain.calls import Settled, Spend
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.lab import Arm
from tuneworthy.files.evalset import parted
from tuneworthy.labs.requests import Setting, request_for
from tuneworthy.labs.scores import Scores
from tuneworthy.scoring import Output
from tuneworthy.stats.sequential import Race

ROUNDS = 8
"""Rounds the race is run in; after each the hopeless are dropped."""
FEWEST_A_ROUND = 10
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

    def every_job(self) -> list[Job]:
        """The most that could be called: all arms for selecting, then the longest two to report."""
        found = [job for arm in self.arms for case in self.select for job in self.jobs(arm, case)]
        longest = [arm for arm in self.arms if arm.kind != "baseline"][:2]
        return found + [j for arm in longest for case in self.report for j in self.jobs(arm, case)]


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
    select, report = parted(cases, seed=seed)
    order = np.random.default_rng(seed)
    groups: dict[str, list[EvalCase]] = {}
    for one in select:
        groups.setdefault(one.cluster, []).append(one)
    names = list(groups)
    order.shuffle(names)
    mixed = tuple(case for name in names for case in groups[name])
    return Plan(tuple(arms), mixed, report, setting, repeats, seed)


@dataclass(frozen=True, slots=True)
class Stand:
    """How a lab stands, after each round."""

    arm: str
    """The leader."""
    done: int
    """Arms times cases that are scored."""
    of: int
    """As many as could be."""
    running: int
    """Arms still in the race."""
    spend: Spend


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
        watch: Told how it stands after each round.
    """

    def __init__(
        self, plan: Plan, scores: Scores, ledger: Ledger, transport: Transport, price_of: PriceOf,
        *, cap_usd: float, at_once: int = 16, watch: Watch | None = None,
    ) -> None:  # fmt: skip
        self.plan, self.scores, self._ledger, self._cap = plan, scores, ledger, cap_usd
        self._runner = Runner(
            ledger, transport, price_of, run=RUN, cap_usd=cap_usd, at_once=at_once
        )
        self._watch = watch or (lambda _: None)
        self.stopped = ""
        self.dropped: dict[str, int | None] = {}
        self._done = 0

    def stop(self) -> None:
        """End after what is on the wire."""
        self._runner.stop()

    async def race(self) -> None:
        """Run arms on the cases for selecting, dropping those that can't win."""
        arms, race = self.plan.arms, Race(len(self.plan.arms))
        for cases in _rounds(self.plan.select):
            running = [arms[place] for place in race.running]
            await self._run(running, cases)
            if self.stopped:
                break
            race.add({place: self._means(arms[place], cases) for place in race.running})
            self._tell(arms[race.result().winner].id, len(race.running))
        result = race.result()
        self.dropped = {arm.id: result.dropped_after[i] for i, arm in enumerate(arms)}

    async def report(self, chosen: Sequence[Arm]) -> None:
        """Run the chosen arms on the cases that chose nothing."""
        await self._run(chosen, self.plan.report)

    async def _run(self, arms: Sequence[Arm], cases: Sequence[EvalCase]) -> None:
        asked: dict[str, list[tuple[Arm, EvalCase]]] = {}
        jobs: list[Job] = []
        for case in cases:
            for arm in arms:
                if arm.kind == "baseline":
                    self._baseline(arm, case)
                for job in self.plan.jobs(arm, case):
                    jobs.append(job)
                    asked.setdefault(job.key, []).append((arm, case))
        if jobs:
            outcome = await self._runner.all(jobs)
            self.stopped = outcome.why if outcome.stopped else ""
            self._take(asked, outcome.settled)
        self._done += len(arms) * len(cases)

    def _take(
        self, asked: Mapping[str, list[tuple[Arm, EvalCase]]], settled: Mapping[str, Settled]
    ) -> None:
        for key, places in asked.items():
            if (found := settled.get(key)) is not None:
                for arm, case in places:
                    system = self.plan.setting.prompts[arm.prompt].system
                    self.scores.call(arm.id, case, found, system)

    def _baseline(self, arm: Arm, case: EvalCase) -> None:
        pool = self.plan.setting.pool
        text = pool.majority(case) if arm.of == "majority" else pool.neighbour(case)
        self.scores.answer(arm.id, case, Output(text))

    def _means(self, arm: Arm, cases: Sequence[EvalCase]) -> list[float]:
        """Mean score of each conversation; one of which nobody knows counts as half right."""
        row = self.scores.row(arm.id, cases)
        groups: dict[str, list[float]] = {}
        for one, score in zip(cases, row, strict=True):
            groups.setdefault(one.cluster, []).append(0.5 if np.isnan(score) else float(score))
        return [sum(values) / len(values) for values in groups.values()]

    def _tell(self, leader: str, running: int) -> None:
        arms, cases = len(self.plan.arms), len(self.plan.select)
        spend = self._ledger.spend(RUN, self._cap)
        self._watch(Stand(leader, self._done, arms * cases, running, spend))


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
