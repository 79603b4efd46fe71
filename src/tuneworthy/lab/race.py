"""The race of a lab: find out by running whether prompting has reached its limit.

Arms race on the cases for selecting; the contrasts are written down; only then the chosen arm meets
the cases that chose nothing. Every call goes through the ledger, so the same lab again costs
nothing and a lab that was cut off goes on where it stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from tuneworthy.lab.plan import LabPlan
from tuneworthy.lab.scores import Scores
from tuneworthy.lab.session import PaidCalls
from tuneworthy.model.base import Unknown
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.lab import Arm, Placed, Settled, Stand
from tuneworthy.scoring.base import Output
from tuneworthy.stats.compare import Race

ROUNDS = 8
"""Rounds the race is run in; after each the hopeless are dropped."""
FEWEST_A_ROUND = 10
WATCH_EVERY = 16
"""Calls: often enough to watch, and the ledger isn't read for each."""


class Lab:
    """A lab on the way."""

    def __init__(self, plan: LabPlan, scores: Scores, calls: PaidCalls) -> None:
        self.plan, self.scores = plan, scores
        self._calls, self._runner = calls, calls.runner(self._call_ended)
        self.stopped = ""
        """Why it ended before its end; empty where it didn't."""
        self.dropped: dict[str, int | None] = {}
        """By arm: conversations after which it was left behind; None for one that stayed."""
        self._done, self._total, self._running = 0, 0, len(plan.arms)
        self._leader: Arm | None = None
        self._board: tuple[Placed, ...] = ()
        self._seen: list[EvalCase] = []

    async def race(self) -> None:
        """Run arms on the cases for selecting, dropping those that can't win.

        Prompts race against prompts, tuned models against tuned ones, and baselines, which cost
        nothing, against nobody: a tuned model that is far ahead leaves the best prompt in. Under a
        judge nobody is dropped: it may be wrong about each arm in a way of its own. An arm with too
        few answers drops nobody and isn't dropped: nobody knows how good it is.
        """
        arms, select = self.plan.arms, self.plan.select
        later = len({arm.kind for arm in self.plan.called}) * len(self.plan.report)
        alone = self.scores.judge is not None
        groups = [arm.id if alone or arm.kind == "baseline" else arm.kind for arm in arms]
        race = Race(len(arms), groups=groups)
        longest = max(Counter(case.cluster for case in select).values(), default=1)
        for cases in _rounds(select):
            running = [arms[place] for place in race.running]
            calling = sum(arm.kind != "baseline" for arm in running)
            await self._run(running, cases, calling * (len(select) - len(self._seen)) + later)
            if self.stopped:
                break
            self._seen += cases
            answered = (i for i in race.running if not self.unanswered([arms[i]], self._seen))
            race.add({place: self._sums(arms[place], cases, longest) for place in answered})
            self._leader = arms[race.result().winner]
            self._running = len(race.running)
            if self._calls.watch is not None:
                self._board = self._placed({arms[place].id for place in race.running})
            self._show()
        after = race.result().dropped_after
        self.dropped = {arm.id: after[i] for i, arm in enumerate(arms)}

    async def report(self, chosen: Sequence[Arm]) -> None:
        """Run the chosen arms on the cases that chose nothing."""
        calling = sum(arm.kind != "baseline" for arm in chosen)
        await self._run(chosen, self.plan.report, calling * len(self.plan.report))

    def unanswered(self, arms: Iterable[Arm], cases: Sequence[EvalCase]) -> tuple[str, ...]:
        """Why some arms aren't judged on cases, a sentence each; () where all are."""
        reasons = (self.scores.unanswered(arm.id, cases) for arm in arms)
        return tuple(reason for reason in reasons if reason)

    async def _run(self, arms: Sequence[Arm], cases: Sequence[EvalCase], left: int) -> None:
        pool = self.plan.setting.pool
        for arm in arms:
            if arm.kind == "baseline":
                look_up = pool.majority if arm.of == "majority" else pool.neighbour
                for case in cases:
                    self.scores.answer(arm.id, case, Output(look_up(case)))
        calls_a_case = self.plan.repeats * (1 if self.scores.judge is None else 2)
        self._total = self._done + left * calls_a_case
        calls = [call for case in cases for call in self.plan.calls(arms, [case])]
        if calls:
            outcome = await self.scores.run(self._runner, calls)
            self.stopped = outcome.why if outcome.stopped else ""

    def _sums(self, arm: Arm, cases: Sequence[EvalCase], longest: int) -> list[float]:
        """Score of each conversation over the cases of the longest, so that cases weigh alike.

        A case without a score counts as half right.
        """
        row = self.scores.row(arm.id, cases)
        groups: dict[str, float] = {}
        for case, score in zip(cases, row, strict=True):
            known = 0.5 if np.isnan(score) else float(score)
            groups[case.cluster] = groups.get(case.cluster, 0.0) + known
        return [total / longest for total in groups.values()]

    def _call_ended(self, _: Settled) -> None:
        self._done += 1
        if self._done % WATCH_EVERY == 0:
            self._show()

    def _placed(self, running: Collection[str]) -> tuple[Placed, ...]:
        """Every arm, those that are left behind after the others."""

        def rank(place: Placed) -> tuple[bool, float]:
            share = place.quality
            return place.running, -1.0 if isinstance(share, Unknown) else share.value

        board = (
            Placed(
                arm=arm.id, quality=self.scores.share(arm, self._seen), running=arm.id in running
            )
            for arm in self.plan.arms
        )
        return tuple(sorted(board, key=rank, reverse=True))

    def _show(self) -> None:
        if self._calls.watch is None:
            return
        leader, quality = self._leader, Unknown(ask="wait for the first round")
        self._calls.watch(
            Stand(
                arm=leader.id if leader else "",
                quality=self.scores.share(leader, self._seen) if leader else quality,
                done=self._done,
                of=max(self._total, self._done),
                running=self._running,
                spend=self._calls.spend,
                board=self._board,
            )
        )


def _rounds(cases: Sequence[EvalCase]) -> list[list[EvalCase]]:
    """Whole conversations in rounds of about equal size."""
    size = max(FEWEST_A_ROUND, -(-len(cases) // ROUNDS))
    rounds: list[list[EvalCase]] = [[]]
    for place, case in enumerate(cases):
        fresh = place == 0 or cases[place - 1].cluster != case.cluster
        if fresh and len(rounds[-1]) >= size:
            rounds.append([])
        rounds[-1].append(case)
    return [each for each in rounds if each]
