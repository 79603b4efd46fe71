"""Answers into scores: one number for each arm and case, repeats averaged."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product, takewhile
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneworthy.lab.judge import UNREADABLE, JudgedScores, LabJudge, label_more
from tuneworthy.lab.plan import LabPlan, system_of
from tuneworthy.lab.session import PaidCalls
from tuneworthy.llm.endpoints import TAKES_NO
from tuneworthy.llm.runner import Job, Outcome, Runner
from tuneworthy.measure.personal import mask
from tuneworthy.model.base import Unknown
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.lab import Arm, Placed, Settled, ShareOf, Stand
from tuneworthy.scoring import Marker
from tuneworthy.scoring.base import WRONG, Output
from tuneworthy.stats.clustered import Estimate, share
from tuneworthy.stats.compare import Race, paired_difference

if TYPE_CHECKING:
    from numpy.typing import NDArray


MOST_MISSING = 0.02  #: Share of its calls that may lack an answer before an arm isn't measured.
NO = 0.5  #: Under this, people say no: less than half of them pass an output.
_NO_ROUND = Unknown(ask="wait for the first round")
_SHOWN = 200
_MASKED = 4000  # masked before it is cut, so that no half of a secret is left


Asked = tuple[Job, Arm, EvalCase]
_AT_ONCE, _LOOK_EVERY_S = 64, 0.05  # answers scored together, and how often is looked for some


@dataclass(slots=True)
class CaseScores:
    """What an arm did on a case."""

    scores: list[float] = field(default_factory=list)
    """One a repeat; a call without an answer has none."""
    usd: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    written: int = 0  #: Tokens of the output.
    thought: int = 0  #: Those of them that weren't shown.
    failed: int = 0  #: Calls without an answer: refused, withheld by a filter, cut off, or empty.
    in_doubt: int = 0
    why: str = ""  #: The last reason for a missing answer.
    unjudged: int = 0  #: Answers that no scorer can say anything about.
    wrong: tuple[str, str] | None = None  #: For a wrong answer: its signal, and what came.
    output: str | None = None  #: The first answer.
    parts: dict[str, bool] | None = None  #: Whether each of its fields is right.
    label: float | None = None
    """People's label of the first answer, 0 … 1, NaN where nobody gave one; None without a
    judge."""

    @property
    def missing(self) -> int:
        return self.failed + self.in_doubt

    @property
    def calls(self) -> int:
        return len(self.scores) + self.unjudged + self.missing

    def score(self, missing: float = math.nan) -> float:
        """Mean over repeats, what has no answer counted as ``missing``; NaN leaves it out."""
        known, n, lost = sum(self.scores), len(self.scores), self.failed + self.in_doubt
        if n == 1 and not lost:
            return self.scores[0]
        if lost and not math.isnan(missing):
            known, n = known + missing * lost, n + lost
        return known / n if n else math.nan


class Scores:
    """Scores by arm and case.

    Args:
        marker: What scores an answer.
        judge: A model that judges in its place, with people's labels.
        most_missing: Share of its calls that may lack an answer before an arm isn't measured.
    """

    def __init__(
        self, marker: Marker, judge: LabJudge | None = None, most_missing: float = MOST_MISSING
    ) -> None:
        self.marker, self.judge, self.most_missing = marker, judge, most_missing
        self.shown: Callable[[str], str] = masked  #: How texts of cases and answers are shown.
        self._cells: dict[str, dict[str, CaseScores]] = {}
        self._lost: set[str] = set()  # arms that lack an answer
        self.changed: dict[str, dict[str, None]] = {}
        """By arm: parameters that its model refused, and what it got instead."""
        self.steps: dict[str, dict[str, list[tuple[str, float, float]]]] = {}
        """By chain and prompt: the case, USD and seconds of each call."""
        self._waited: dict[tuple[str, str, int], float] = {}
        self._cut_short: set[tuple[str, str]] = set()  # arm and step without an answer

    async def run(self, runner: Runner, calls: Sequence[Asked]) -> Outcome:
        """Make some calls, have their answers judged where a model judges, and take the scores.

        Answers are scored as they come, in the order of the calls and in a thread: a function of
        the user's may take seconds, and calls, progress and a stop don't wait for it.
        """

        def is_there(call: Asked) -> bool:
            return call[0].key in runner.outcome.settled

        await asyncio.to_thread(self.marker.check)
        going, taken = asyncio.ensure_future(self._answered(runner, calls)), 0
        try:
            while taken < len(calls):
                await asyncio.wait([going], timeout=_LOOK_EVERY_S)
                some = calls[taken : taken + _AT_ONCE]
                if not going.done():
                    some = list(takewhile(is_there, some))
                    if self.judge is not None or not some:
                        continue
                await self.take(some, runner.outcome.some([job.key for job, *_ in some]))
                taken += len(some)
            return await going
        finally:
            going.cancel()
            await asyncio.wait([going])  # what it has on the wire is noted as in doubt

    async def _answered(self, runner: Runner, calls: Sequence[Asked]) -> Outcome:
        outcome = await runner.all([job for job, *_ in calls])
        if self.judge is None or outcome.stopped:
            return outcome
        became = outcome.some([job.key for job, *_ in calls])
        replies = ((became.get(job.key), case) for job, _, case in calls)
        answers = [
            (Output.of(call.reply), case)
            for call, case in replies
            if call and call.reply and not call.reply.lacks
        ]
        return await self.judge.ask(runner, answers) or outcome

    async def take(self, calls: Iterable[Asked], became: Mapping[str, Settled]) -> None:
        """Score what became of calls, by key."""
        systems = {
            job.key: system_of(job.request)
            for job, _, case in calls
            if self.judge is None and self.marker.reads_system(case)
        }
        await aside(self._taken(calls, became, systems))

    def _taken(
        self, calls: Iterable[Asked], became: Mapping[str, Settled], systems: Mapping[str, str]
    ) -> Iterator[None]:
        for job, arm, case in calls:
            yield
            if (call := became.get(job.key)) is None:
                continue
            waited = self._waited.pop((arm.id, case.id, job.repeat), 0.0)
            if arm.steps and (arm.id, job.key) not in self._cut_short:
                self._step(arm, case, arm.prompt, call)
            self._call(arm.id, case, call, systems.get(job.key, ""), waited)

    def step(self, arm: Arm, case: EvalCase, at: int, job: Job, settled: Settled) -> str | None:
        """Note what a step of a chain cost, and give its answer; None for none, which ends it."""
        self._step(arm, case, arm.steps[at], settled)
        if settled.reply is None or settled.reply.lacks:
            self._cut_short.add((arm.id, job.key))
            return None
        self._cell(arm.id, case.id).usd += settled.usd
        place = (arm.id, case.id, job.repeat)
        self._waited[place] = self._waited.get(place, 0.0) + settled.reply.latency_s
        return settled.reply.text

    def _step(self, arm: Arm, case: EvalCase, prompt: str, settled: Settled) -> None:
        if settled.reply is not None:
            costs = self.steps.setdefault(arm.id, {}).setdefault(prompt, [])
            costs.append((case.id, settled.usd, settled.reply.latency_s))

    def answer(self, arm: str, case: EvalCase, output: Output, system: str = "") -> None:
        """Score an answer."""
        cell, judge = self._cell(arm, case.id), self.judge
        if judge is None:
            scored = self.marker.score(output, case, system)
        else:
            scored = judge.score(output, case)
            if cell.label is None:
                cell.label = judge.label(output, case)
                cell.wrong = (WRONG, output.text[:_MASKED]) if cell.label < NO else None
        if scored.ok is None:
            cell.unjudged += 1
            return
        cell.scores.append(scored.value)
        if cell.output is None:
            cell.output, cell.parts = output.shown[:_MASKED], scored.parts or None
        if not scored.ok and judge is None:
            cell.wrong = (scored.signal or WRONG, output.text[:_MASKED])

    def _call(self, arm: str, case: EvalCase, settled: Settled, system: str, waited: float) -> None:
        """A call without an answer says nothing about the arm."""
        cell, reply, why = self._cell(arm, case.id), settled.reply, settled.why
        if reply is not None:
            cell.usd += settled.usd
            self.changed.setdefault(arm, {}).update(dict.fromkeys(reply.changed))
            cell.latencies_s.append(waited + reply.latency_s)
            cell.written += reply.usage.output_tokens
            cell.thought += reply.usage.reasoning_tokens
            why = reply.lacks
            if not why:
                self.answer(arm, case, Output.of(reply), system)
                return
        self._lost.add(arm)
        cell.why = why[:_SHOWN]
        if settled.status == "in_doubt":
            cell.in_doubt += 1
        else:
            cell.failed += 1

    def put(self, arm: str, case: str, score: float) -> None:
        """Note a score that needs no scorer, as of what was retrieved."""
        self._cell(arm, case).scores.append(score)

    def _cell(self, arm: str, case: str) -> CaseScores:
        return self._cells.setdefault(arm, {}).setdefault(case, CaseScores())

    def cells(self, arm: str, cases: Sequence[EvalCase]) -> list[CaseScores]:
        """An arm's results on cases, those it was run on."""
        cells = self._cells.get(arm, {})
        return [cells[case.id] for case in cases if case.id in cells]

    def missing(self, arm: str, cases: Sequence[EvalCase]) -> float:
        """The share of an arm's calls on cases that have no answer; 0 where none was made."""
        cells = self.cells(arm, cases) if arm in self._lost else ()
        missing = sum(c.failed + c.in_doubt for c in cells)
        return missing / sum(c.calls for c in cells) if missing else 0.0

    def changes(self, arms: Iterable[Arm]) -> tuple[str, ...]:
        """What the models of some arms got instead of parameters they refused, for a plan."""
        models = {arm.model: ", ".join(self.changed.get(arm.id, ())) for arm in arms}
        return tuple(f"{model}: {changed}" for model, changed in models.items() if changed)

    def impossible(self, arm: Arm, cases: Sequence[EvalCase]) -> bool:
        """Whether its model can't be asked so at all: then nobody can use the arm either."""
        cells = self.cells(arm.id, cases)
        return bool(cells) and all(c.why.startswith(TAKES_NO) and not c.scores for c in cells)

    def unanswered(self, arm: str, cases: Sequence[EvalCase]) -> str:
        """Why an arm isn't measured on cases: too many calls without an answer; else empty."""
        if self.missing(arm, cases) <= self.most_missing:
            return ""
        cells = self.cells(arm, cases)
        missing, calls = sum(c.missing for c in cells), sum(c.calls for c in cells)
        ((why, _),) = Counter(c.why for c in cells if c.missing).most_common(1)
        return f"{missing} of {calls} calls of {arm} got no answer ({why})"

    def row(
        self, arm: str, cases: Sequence[EvalCase], missing: float = math.nan
    ) -> NDArray[np.float64]:
        """Scores of an arm on cases, NaN where it has none; ``missing`` for what has no answer."""
        none, cells = CaseScores(), self._cells.get(arm, {})
        return np.array([cells.get(case.id, none).score(missing) for case in cases])

    def judged(
        self, arm: str, cases: Sequence[EvalCase], missing: float = math.nan
    ) -> JudgedScores:
        """An arm as its judge and people see it.

        ``missing`` is what both say of a call without an answer; NaN leaves it out.
        """
        assert self.judge is not None  # nobody asks for it without one
        cells, sample = self._cells.get(arm, {}), {case.id for case in self.judge.sample(cases)}
        judge, people = np.full(len(cases), math.nan), np.full(len(cases), math.nan)
        unlabelled = 0
        for place, case in enumerate(cases):
            cell = cells.get(case.id, CaseScores())
            words = [*cell.scores, *[UNREADABLE] * cell.unjudged, *[missing] * cell.missing]
            known = [word for word in words if not math.isnan(word)]
            if not known:
                continue  # it wasn't run, or nobody knows what came of it
            judge[place] = sum(known) / len(known)
            if case.id in sample:
                people[place] = missing if cell.label is None else cell.label
                unlabelled += math.isnan(people[place])
        return JudgedScores(judge, people, unlabelled)

    def wrong(
        self, arm: str, cases: Sequence[EvalCase]
    ) -> tuple[list[tuple[EvalCase, str, str]], int]:
        """An arm's wrong answers, by rules or by people, and how many could be scored at all.

        Each with its case, its signal and what came.
        """
        if self.judge is not None:
            cases = self.judge.sample(cases)
            known = self.judged(arm, cases).people
        else:
            known = self.row(arm, cases)
        cells = self._cells.get(arm, {})
        pairs = ((case, cells[case.id]) for case in cases if case.id in cells)
        wrong = [
            (case, *cell.wrong)
            for case, cell in pairs
            if cell.wrong is not None and (self.judge is not None or cell.score() < 1)
        ]
        return wrong, int((~np.isnan(known)).sum())

    def estimate(
        self, arm: Arm, cases: Sequence[EvalCase], *, exact: bool = False
    ) -> Estimate | None:
        """An arm's share of right cases; None where it wasn't run, or too few calls were answered.

        Its ends hold whatever the missing answers were: the lower one with all of them wrong, the
        upper one with all of them right. With ``exact`` they may be held against a target: where a
        model judges, it is then what people say, and None until they have labelled the sample.
        """
        if not cases or self.unanswered(arm.id, cases):
            return None
        clusters = clusters_of(cases)

        def counted(missing: float) -> Estimate | None:
            if exact and self.judge is not None:
                return self.judged(arm.id, cases, missing).estimate(clusters)
            return share(self.row(arm.id, cases, missing), clusters, exact=exact)

        if self.judge is None and not self.missing(arm.id, cases):
            return counted(math.nan)
        return widened(counted(math.nan), *map(counted, (0.0, 1.0)))

    def difference(self, first: Arm, second: Arm, cases: Sequence[EvalCase]) -> Estimate | None:
        """First less second on the same cases; its ends hold whatever missing answers were.

        None where no case has both, and under a judge while labels lack.
        """
        clusters = clusters_of(cases)

        def counted(mine: float, others: float) -> Estimate | None:
            if self.judge is None:
                row = self.row(first.id, cases, mine)
                return paired_difference(row, self.row(second.id, cases, others), clusters)
            right = self.judged(second.id, cases, others)
            return self.judged(first.id, cases, mine).less(right, clusters)

        known = counted(math.nan, math.nan) if cases else None
        return widened(known, counted(0.0, 1.0), counted(1.0, 0.0)) if known else None

    def share(
        self, arm: Arm, cases: Sequence[EvalCase], *, exact: bool = False
    ) -> ShareOf | Unknown:
        """The same for a result; or what it takes."""
        estimate = self.estimate(arm, cases, exact=exact)
        if estimate is not None:
            return ShareOf(
                value=estimate.value,
                low=max(0.0, estimate.low),
                high=min(1.0, estimate.high),
                n=estimate.n,
                clusters=estimate.clusters,
            )
        if why := self.unanswered(arm.id, cases):
            return Unknown(ask=why)
        if exact and self.judge is not None:
            return Unknown(ask=label_more(self.judged(arm.id, cases).missing))
        return Unknown(ask="it wasn't run")


def widened(
    known: Estimate | None, worst: Estimate | None, best: Estimate | None
) -> Estimate | None:
    """An estimate whose ends are the farthest of what missing answers may have made of it."""
    if known is None:
        return None
    ends = [each for each in (known, worst, best) if each is not None]
    return replace(known, low=min(e.low for e in ends), high=max(e.high for e in ends))


async def aside(steps: Iterable[object]) -> None:
    """Go through steps in a thread; whoever is cancelled leaves it after the one it is at."""
    over = Event()

    def go() -> None:
        for _ in steps:
            if over.is_set():
                return

    try:
        await asyncio.to_thread(go)
    finally:
        over.set()


def worth(quality: ShareOf | Unknown) -> float:
    """What a share is ranked by."""
    return -1.0 if isinstance(quality, Unknown) else quality.value


def first_of(sentences: Sequence[str]) -> str:
    """Sentences about arms without answers as one: the first, and how many more there are."""
    if len(sentences) < 2:
        return "".join(sentences)
    return f"{sentences[0]}; the same goes for {len(sentences) - 1} more"


def masked(text: str) -> str:
    """A text masked, and then cut for showing."""
    return mask(text[:_MASKED])[:_SHOWN]


def plainly(text: str) -> str:
    """A text cut for showing to whoever may read all of it: on a terminal of the user's own."""
    return text[:_SHOWN]


def clusters_of(cases: Iterable[EvalCase]) -> NDArray[np.int64]:
    """Conversations as whole numbers, in the order of their first case."""
    codes: dict[str, int] = {}
    return np.array([codes.setdefault(case.cluster, len(codes)) for case in cases], dtype=np.int64)


ROUNDS = 8  #: Rounds the race is run in; after each the hopeless are dropped.
FEWEST_A_ROUND = 10
WATCH_EVERY = 16  #: Calls: often enough to watch, and the ledger isn't read for each.
_SHOW_EVERY_S = 0.1
_APART = 20  # times as long as showing took, the next waits: reading what was spent takes longer


class Lab:
    """A lab on the way."""

    def __init__(self, plan: LabPlan, scores: Scores, calls: PaidCalls) -> None:
        self.plan, self.scores = plan, scores
        self._calls, self._runner = calls, calls.runner(self._call_ended)
        self.stopped = ""  #: Why it ended before its end; empty where it didn't.
        self.dropped: dict[str, int | None] = {}
        """By arm: conversations after which it was left behind; None for one that stayed."""
        self._done, self._total, self._running = 0, 0, len(plan.arms)
        self._ahead: dict[str, Any] = {"arm": "", "quality": _NO_ROUND}
        self._seen, self._next_show = list[EvalCase](), 0.0  # the latter on the monotonic clock
        self._heard: dict[str, str] = {}  # answers of earlier steps of chains, by key

    async def race(self) -> None:
        """Run arms on the cases for selecting, dropping those that can't win.

        Prompts race against prompts, tuned models against tuned ones, and baselines, which cost
        nothing, against nobody: a tuned model that is far ahead leaves the best prompt in. Under a
        judge nobody is dropped: it may be wrong about each arm in a way of its own. An arm is only
        dropped if it is behind with all its missing answers right, and those of others wrong.
        """
        arms, select = self.plan.arms, self.plan.select
        later = len({arm.kind for arm in self.plan.called}) * len(self.plan.report)
        alone = self.scores.judge is not None
        groups = [arm.id if alone or arm.kind == "baseline" else arm.kind for arm in arms]
        race = Race(len(arms), groups=groups)
        longest = max(Counter(case.cluster for case in select).values(), default=1)
        for cases in _rounds(select):
            places = [i for i in race.running if not self.scores.impossible(arms[i], self._seen)]
            await self._run([arms[i] for i in places], cases, len(select) - len(self._seen), later)
            if self.stopped:
                break
            self._seen += cases
            lows, highs = (
                {place: self._sums(arms[place], cases, longest, end) for place in places}
                for end in (0.0, 1.0)
            )
            race.add(lows, highs)
            self._running = len(race.running)
            if self._calls.watch is not None:
                leader = arms[race.result().winner]
                self._ahead = {
                    "arm": leader.id,
                    "quality": self.scores.share(leader, self._seen),
                    "board": self._placed({arms[place].id for place in race.running}),
                }
            self._show()
        self.dropped = dict(zip((arm.id for arm in arms), race.result().dropped_after, strict=True))

    async def report(self, chosen: Sequence[Arm]) -> None:
        """Run the chosen arms on the cases that chose nothing."""
        await self._run(chosen, self.plan.report, len(self.plan.report))
        self._total = self._total if self.stopped else self._done  # equal calls were made once
        self._show()  # the last ones may have come too soon after others to be told

    def stayed(self, *kinds: str) -> list[Arm]:
        """Arms of some kinds that the race didn't leave behind; of all kinds if none is named."""
        arms = (arm for arm in self.plan.arms if self.dropped.get(arm.id) is None)
        return [arm for arm in arms if not kinds or arm.kind in kinds]

    def unanswered(self, arms: Iterable[Arm], cases: Sequence[EvalCase]) -> tuple[str, ...]:
        """Why some arms aren't measured on cases, a sentence each; () where all are.

        What a model can't be asked at all is left out: it hides nothing.
        """
        possible = (arm for arm in arms if not self.scores.impossible(arm, cases))
        reasons = (self.scores.unanswered(arm.id, cases) for arm in possible)
        return tuple(reason for reason in reasons if reason)

    async def _run(
        self, arms: Sequence[Arm], cases: Sequence[EvalCase], ahead: int, later: int = 0
    ) -> None:
        pool, alone = self.plan.setting.pool, [arm for arm in arms if arm.kind == "baseline"]
        answer, look_up = self.scores.answer, pool.look_up
        await aside(
            answer(a.id, case, Output(look_up(a, case))) for a, case in product(alone, cases)
        )
        left = (len(arms) - len(alone)) * ahead + later
        calls_a_case = self.plan.repeats * (1 if self.scores.judge is None else 2)
        self._total = self._done + left * calls_a_case
        await self._earlier(arms, cases)
        told = self._heard.get
        calls = [c for case in cases for c in self.plan.calls(arms, [case], lambda j: told(j.key))]
        if calls and not self.stopped:
            outcome = await self.scores.run(self._runner, calls)
            self.stopped = outcome.why if outcome.stopped else ""
            if self.scores.judge is not None and not self.stopped:
                self.stopped = self.scores.judge.unheard(MOST_MISSING)

    async def _earlier(self, arms: Sequence[Arm], cases: Sequence[EvalCase]) -> None:
        """Run what comes before the last step of chains, a step at a time for all of them."""
        for at in range(max((len(arm.steps) for arm in arms), default=0)):
            calls = [
                (walk[at], arm, case)
                for arm in arms
                for case in cases
                if len(arm.steps) > at
                for walk in self.plan.walks(arm, case, lambda job: self._heard.get(job.key))
                if len(walk) == at + 1
            ]
            outcome = await self._runner.all([job for job, *_ in calls])
            became = outcome.some([job.key for job, *_ in calls])
            for job, arm, case in calls:
                if (settled := became.get(job.key)) is not None:
                    text = self.scores.step(arm, case, at, job, settled)
                    self._heard |= {} if text is None else {job.key: text}
            if outcome.stopped:
                self.stopped = outcome.why
                return

    def _sums(
        self, arm: Arm, cases: Sequence[EvalCase], longest: int, missing: float
    ) -> list[float]:
        """Score of each conversation over the cases of the longest, so that cases weigh alike.

        ``missing`` is what an answer that didn't come counts; one that no scorer can judge is half
        right.
        """
        row = self.scores.row(arm.id, cases, missing)
        groups: dict[str, float] = {}
        for case, score in zip(cases, row, strict=True):
            known = 0.5 if np.isnan(score) else float(score)
            groups[case.cluster] = groups.get(case.cluster, 0.0) + known
        return [total / longest for total in groups.values()]

    def _call_ended(self, _: Settled) -> None:
        self._done += 1
        if self._done % WATCH_EVERY == 0 and (now := time.monotonic()) >= self._next_show:
            self._show()
            took = time.monotonic() - now
            self._next_show = now + max(_SHOW_EVERY_S, _APART * took)

    def _placed(self, running: Collection[str]) -> tuple[Placed, ...]:
        """Every arm, those that are left behind after the others."""
        share, seen = self.scores.share, self._seen
        board = (
            Placed(arm=arm.id, quality=share(arm, seen), running=arm.id in running)
            for arm in self.plan.arms
        )
        return tuple(sorted(board, key=lambda p: (p.running, worth(p.quality)), reverse=True))

    def _show(self) -> None:
        if self._calls.watch is None:
            return
        stand = Stand(
            done=self._done,
            of=max(self._total, self._done),
            running=self._running,
            spend=self._calls.spend,
            **self._ahead,
        )
        self._calls.watch(stand)


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
