"""The run of a lab's arms: in rounds on the cases for selecting, then the chosen on the held-out ones."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import product

import numpy as np

from tuneworthy.lab.plan import Arms, Asked, LabPlan
from tuneworthy.lab.pool import Cases
from tuneworthy.lab.scores import MOST_MISSING, Scores, clusters_of, run_in_thread
from tuneworthy.lab.session import PaidCalls
from tuneworthy.llm.runner import Job, Stop
from tuneworthy.model.base import Unknown
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.lab import Arm, Settled, ShareOf
from tuneworthy.scoring.base import Output
from tuneworthy.stats.compare import Race

ROUNDS = 8  #: Rounds the race is run in; after each the hopeless are dropped.
FEWEST_A_ROUND = 10  #: Cases of a round; of fewer, none would be dropped.
_SHOW_EVERY_S = 0.1  # the shortest time between two showings of how the lab stands
_APART = 50  # the next showing waits so many times as long as this one took


class Lab:
    """A lab while it runs; ``stop`` is why it ended early, empty if it didn't."""

    def __init__(
        self, plan: LabPlan, scores: Scores, calls: PaidCalls, stop: Stop | None = None
    ) -> None:
        self.plan = plan
        self.scores = scores
        self.calls = calls
        self.stop = stop or Stop()
        self.dropped: dict[str, int | None] = {}
        """By arm, the number of conversations after which it was dropped; None for one that stayed."""
        self._runner = calls.runner(self._call_ended, self._show)
        self._done = 0
        self._total = 0
        self._running = len(plan.arms)
        self._leader = ""
        self._quality: ShareOf | Unknown = Unknown(ask="wait for the first round")
        self._seen = list[EvalCase]()  # the cases of the rounds so far
        self._next_show = 0.0  # on the monotonic clock
        self._heard: dict[str, str] = {}  # answers of earlier steps of chains, by key

    async def race(self) -> None:
        """Run arms on the cases for selecting, in rounds, and drop those that can't win.

        An arm is only dropped if it is behind even when all its missing answers count as right, and
        those of others as wrong.
        """
        if self.stop:
            return
        arms = self.plan.arms
        select = self.plan.select
        # one arm of each kind will be asked the held-out cases
        later = len({arm.kind for arm in self.plan.called}) * len(self.plan.report)
        race = Race(len(arms), groups=[self._rivals_of(arm) for arm in arms])
        longest = max(Counter(case.cluster for case in select).values(), default=1)
        for cases in _rounds(select):
            running = [place for place in race.running if self._goes_on(arms[place])]
            ahead = len(select) - len(self._seen)
            await self._run([arms[place] for place in running], cases, ahead, later)
            if self.stop:
                break
            self._seen += cases
            lows = {}
            highs = {}
            for place in running:
                lows[place] = self._sums(arms[place], cases, longest, missing=0.0)
                highs[place] = self._sums(arms[place], cases, longest, missing=1.0)
            race.add(lows, highs)
            self._running = len(race.running)
            if self.calls.watch is not None:
                leader = arms[race.result().winner]
                self._leader = leader.id
                self._quality = self.scores.share(leader, self._seen)
            self._show()
        names = [arm.id for arm in arms]
        self.dropped = dict(zip(names, race.result().dropped_after, strict=True))

    def _rivals_of(self, arm: Arm) -> str:
        """Return the group in which an arm may be dropped; its own id for one that races nobody.

        Prompts race against prompts, and tuned models against tuned ones, so that a tuned model
        with a large lead doesn't drop the best prompt.
        """
        # a grader may be wrong about each arm in another way, and a baseline costs nothing to run
        if self.scores.judge is not None or arm.kind == "baseline":
            return arm.id
        return arm.kind

    def _goes_on(self, arm: Arm) -> bool:
        """Whether more answers of an arm would be informative."""
        scores = self.scores
        if scores.impossible(arm, self._seen):
            return False
        # equal or wrapped answers, none of them right, will go on like that
        return not (scores.same_words(arm, self._seen) or scores.wrapped(arm))

    async def report(self, chosen: Arms) -> None:
        """Run the chosen arms on the held-out cases."""
        await self._run(chosen, self.plan.report, len(self.plan.report))
        # equal calls were made once
        self._total = self._total if self.stop else self._done
        self._show()  # the last answers may have come too soon after others to be shown

    def stayed(self, *kinds: str) -> list[Arm]:
        """Return the arms of some kinds that the race didn't drop; of all kinds if none is named."""
        arms = (arm for arm in self.plan.arms if self.dropped.get(arm.id) is None)
        return [arm for arm in arms if not kinds or arm.kind in kinds]

    def unanswered(self, arms: Iterable[Arm], cases: Cases) -> tuple[str, ...]:
        """Return a sentence for each arm that isn't measured on cases; () for none.

        Arms that a model can't be asked at all are left out, as they hide nothing.
        """
        possible = (arm for arm in arms if not self.scores.impossible(arm, cases))
        reasons = (self.scores.unanswered(arm, cases) for arm in possible)
        return tuple(reason for reason in reasons if reason)

    async def _run(self, arms: Arms, cases: Cases, ahead: int, later: int = 0) -> None:
        """Run some arms on some cases.

        Progress is measured by ``ahead``, the cases that each of them may still get, and by
        ``later``, the calls on held-out cases that follow.
        """
        baselines = [arm for arm in arms if arm.kind == "baseline"]
        await run_in_thread(
            partial(self._answer_baseline, arm, case)
            for arm, case in product(baselines, cases)
        )
        left = (len(arms) - len(baselines)) * ahead + later
        judge = self.scores.judge
        # the grader is called about each answer
        self._total = self._done + left * self.plan.repeats * (2 if judge else 1)
        await self._run_earlier_steps(arms, cases)
        calls = list(self.plan.calls(arms, cases, self._heard_answer))
        if calls and not self.stop:
            self.stop = (await self.scores.run(self._runner, calls)).stop
            if judge is not None and not self.stop:
                self.stop = judge.unheard(MOST_MISSING)

    def _heard_answer(self, job: Job) -> str | None:
        """Return the answer to an earlier step of a chain; None where there is none."""
        return self._heard.get(job.key)

    def _answer_baseline(self, arm: Arm, case: EvalCase) -> None:
        output = Output(self.plan.setting.pool.look_up(arm, case))
        self.scores.answer(arm.id, case, output)

    def _calls_at(self, at: int, arms: Arms, cases: Cases) -> Iterator[Asked]:
        """Yield the calls of chains whose next step is ``at``, counted from 0."""
        for arm, case in product(arms, cases):
            if len(arm.steps) > at:
                # a walk ends with the first step that nobody has answered yet
                for walk in self.plan.walks(arm, case, self._heard_answer):
                    if len(walk) == at + 1:
                        yield walk[at], arm, case

    async def _run_earlier_steps(self, arms: Arms, cases: Cases) -> None:
        """Run all but the last step of chains, one step at a time for all of them."""
        most_steps = max((len(arm.steps) for arm in arms), default=0)
        for at in range(most_steps):
            calls = list(self._calls_at(at, arms, cases))
            outcome = await self._runner.all([job for job, *_ in calls])
            settled = outcome.some([job.key for job, *_ in calls])
            for job, arm, case in calls:
                if job.key in settled:  # else it was never sent
                    answer = self.scores.step(arm, case, at, job, settled[job.key])
                    if answer is not None:
                        self._heard[job.key] = answer
            if outcome.stop:
                self.stop = outcome.stop
                return

    def _sums(
        self, arm: Arm, cases: Cases, longest: int, missing: float
    ) -> list[float]:
        """Return the score of each conversation, over the number of cases of the longest one.

        This gives each case the same weight. ``missing`` is the score of an answer that didn't
        come; an answer that no scorer can judge is half right.
        """
        scores = np.nan_to_num(self.scores.row(arm, cases, missing), nan=0.5)
        if self.scores.is_hollow(arm, self._seen):
            # such answers count as missing: a gateway may have given them, and not the model
            scores = np.full(len(cases), missing)
        sums = np.bincount(clusters_of(cases), scores) / longest
        return list(sums.tolist())

    def _call_ended(self, _: Settled) -> None:
        """Count a call, and show how the lab stands, unless that was shown just now."""
        self._done += 1
        now = time.monotonic()
        if now >= self._next_show:
            self._show()
            # a slow terminal or page must not slow the calls down
            took = time.monotonic() - now
            self._next_show = now + max(_SHOW_EVERY_S, _APART * took)

    def _show(self, waiting: str = "") -> None:
        """Show the state of the lab to whoever watches."""
        self.calls.show(
            self._quality,
            arm=self._leader,
            done=self._done,
            of=max(self._total, self._done),
            running=self._running,
            waiting=waiting,
        )


def _rounds(cases: Cases) -> list[list[EvalCase]]:
    """Split cases into rounds of about equal size; whole conversations stay in one round.

    The cases of a conversation follow each other.
    """
    size = max(FEWEST_A_ROUND, math.ceil(len(cases) / ROUNDS))
    rounds = list[list[EvalCase]]()
    for case in cases:
        goes_on = rounds and rounds[-1][-1].cluster == case.cluster
        if not rounds or (len(rounds[-1]) >= size and not goes_on):
            rounds.append([])
        rounds[-1].append(case)
    return rounds
