"""Scores of answers: one number for each arm and case, the mean of its repeats."""

from __future__ import annotations

import asyncio
import math
import time
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import lru_cache
from itertools import islice, product, starmap, takewhile
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from tuneworthy.answers.arms import is_same_model
from tuneworthy.errors import one_line
from tuneworthy.lab.judge import UNREADABLE, JudgedScores, LabJudge, label_more
from tuneworthy.lab.plan import (
    Arms,
    Asked,
    Cases,
    LabPlan,
    answer_text,
    question,
    system_of,
)
from tuneworthy.lab.session import PaidCalls
from tuneworthy.lab.wrapped import wrappers_of
from tuneworthy.llm.endpoints import TAKES_NO
from tuneworthy.llm.runner import Job, Outcome, Runner, Stop
from tuneworthy.measure.personal import mask
from tuneworthy.model.base import Unknown
from tuneworthy.model.evalset import EvalCase, digest_of
from tuneworthy.model.lab import Arm, Placed, Reply, Settled, ShareOf, Stand
from tuneworthy.scoring import Marker
from tuneworthy.scoring.base import RUN_STOPPED, WRONG, Kit, Output, without_thinking
from tuneworthy.stats.clustered import Estimate, share
from tuneworthy.stats.compare import Race, paired_difference
from tuneworthy.stats.intervals import Z95

if TYPE_CHECKING:
    from tuneworthy.stats.clustered import Floats, Ints


#: Share of its calls that may lack an answer before an arm isn't measured.
MOST_MISSING = 0.02
SAME_WORDS = 20
"""One wrong answer to this many different inputs is no measurement: a gateway, not a model, gives
it."""
WHY_UNANSWERED = ("unanswered", "same_words", "wrapped")
"""Reasons why an arm isn't measured: calls without an answer, one text for all, or a wrapper."""
UNWRAPPED = 5
"""The fewest answers that are right without their wrapper, for an arm with none right with it."""
_MOST_UNWRAPPED = 40  # answers that are scored without it
NO = 0.5  #: Under this, people say no: less than half of them pass an output.
_NO_ROUND = Unknown(ask="wait for the first round")
_SHOWN = 200
_SHOWN_OF_SAME = 80
# stand for the digest of one text where there is none, or where there are several
_NO_TEXT = 0
_TEXTS = 1
_MASKED = 4000  # masked before it is cut, so that no half of a secret is left


T = TypeVar("T")
# answers scored together, and the seconds between looks for new ones
_AT_ONCE = 250
_LOOK_EVERY_S = 0.05

_COUNTED = (
    "right",  # the sum of its scores
    "scored",  # answers with a score
    "unjudged",  # answers without one
    "whole",  # answers that are wholly right
    "aloud",  # answers that began with thinking in the open
    "failed",  # calls refused, withheld by a filter, cut off or empty
    "in_doubt",  # calls of which nobody knows what became
    "usd",
    "written",  # tokens of the output
    "thought",  # those of them that aren't shown
)


@lru_cache(maxsize=4096)
def _one(thing: T) -> T:
    """The first of equal objects, which saves memory as many answers are equal."""
    return thing


class StepCall(NamedTuple):
    """One call in a step of a chain."""

    case: str
    usd: float
    seconds: float


class WrongAnswer(NamedTuple):
    """A wrong answer with its sign."""

    signal: str
    text: str  #: Its beginning.


class ArmScores:
    """The results of an arm: numbers by column, with a row for each case it was run on.

    The first row holds zeros. It stands for all cases that the arm wasn't run on.
    """

    def __init__(self) -> None:
        self._rows = dict[str, int]()
        self._columns = {name: array("d", [0.0]) for name in _COUNTED}
        # the latencies of its calls, and the row of each
        self._seconds = array("d")
        self._of_row = array("q")
        # for each row the first output and the last wrong answer
        self._answers: list[tuple[str | None, WrongAnswer | None]] = [(None, None)]
        #: The wrapper for which none of its answers is right, in words; empty for none.
        self.wrapper = ""
        self.unwrapped_at = 0  #: Answers of which a wrapper was looked for last.
        # the text of its answers in each row, while they are equal
        self._texts = array("q", [_NO_TEXT])
        #: Those with a right answer to compare with, by id.
        self.cases = dict[str, EvalCase]()
        self.why = dict[str, str]()  #: By case the last reason for a missing answer.
        #: By case, whether each field is right.
        self.parts = dict[str, dict[str, bool]]()
        self.labels = dict[str, float]()
        """People's label of the first answer, by case: 0 … 1; NaN without one."""
        #: Parameters its model refused, and what it got instead.
        self.changed = dict[str, None]()
        self.others = Counter[str]()
        """Answers by models with another name than the requested one."""
        self.steps = dict[str, list[StepCall]]()  #: By prompt of a chain.

    def add(self, case: str, seconds: float | None = None, **amounts: float) -> None:
        """Add amounts to a case; ``seconds`` are those of one call."""
        row = self._rows.get(case)
        if row is None:
            row = len(self._answers)
            self._rows[case] = row
            for column in self._columns.values():
                column.append(0.0)
            self._answers.append((None, None))
            self._texts.append(_NO_TEXT)
        for name, amount in amounts.items():
            self._columns[name][row] += amount
        if seconds is not None:
            self._seconds.append(seconds)
            self._of_row.append(row)

    def note_output(self, case: str, output: str) -> None:
        """Note an output for a case, unless there is one already."""
        row = self._rows[case]
        first, wrong = self._answers[row]
        if first is None:
            self._answers[row] = _one((output, wrong))

    def note_wrong(self, case: str, wrong: WrongAnswer) -> None:
        """Note a wrong answer to a case; it replaces an earlier one."""
        row = self._rows[case]
        first, _ = self._answers[row]
        self._answers[row] = _one((first, wrong))

    def note_text(self, case: str, text: str) -> None:
        """Note an answer to a case, by a digest that holds only in this process."""
        row = self._rows[case]
        digest = hash(text)
        self._texts[row] = digest if self._texts[row] in (_NO_TEXT, digest) else _TEXTS

    def one_text(self, cases: Cases) -> list[EvalCase]:
        """The answered cases, if all have one and the same text and none is right; else []."""
        answered = list[EvalCase]()
        first = _NO_TEXT
        for case in cases:
            row = self._rows.get(case.id, 0)
            text = self._texts[row]
            if text == _NO_TEXT:
                continue
            if text == _TEXTS or first not in (_NO_TEXT, text):
                return []
            if self._columns["whole"][row] or self.labels.get(case.id, 0.0) >= NO:
                return []
            first = text
            answered.append(case)
        return answered

    @property
    def has_right(self) -> bool:
        """Whether any of its answers is right."""
        return any(self._columns["whole"])

    def first_output(self, case: EvalCase) -> str | None:
        """The first output for a case; None without one."""
        output, _ = self._answers[self._rows.get(case.id, 0)]
        return output

    def last_wrong(self, case: EvalCase) -> WrongAnswer | None:
        """The last wrong answer to a case; None without one."""
        _, wrong = self._answers[self._rows.get(case.id, 0)]
        return wrong

    def ran(self, cases: Cases) -> list[EvalCase]:
        """The cases that the arm was run on."""
        return [case for case in cases if case.id in self._rows]

    def columns(self, cases: Cases, *names: str) -> list[Floats]:
        """Columns of counts for some cases."""
        rows = self._rows_of(cases)
        return [np.array(self._columns[name])[rows] for name in names]

    def total(self, cases: Cases, name: str) -> float:
        """The sum of one column over some cases."""
        (column,) = self.columns(cases, name)
        return float(sum(column.tolist()))

    def cases_with(self, cases: Cases, name: str) -> int:
        """The number of cases with a value in one column."""
        (column,) = self.columns(cases, name)
        return int((column > 0).sum())

    def _rows_of(self, cases: Cases) -> Ints:
        return np.array([self._rows.get(case.id, 0) for case in cases], dtype=np.int64)

    def seconds(self, cases: Cases) -> tuple[Floats, Ints]:
        """The time of each call on some cases, and the place of its case."""
        # the place of each row; -1 for other cases
        places = np.full(len(self._answers), -1)
        places[self._rows_of(cases)] = range(len(cases))
        places[0] = -1
        place_of_call = places[np.array(self._of_row)]
        wanted = place_of_call >= 0
        return np.array(self._seconds)[wanted], place_of_call[wanted]

    def means(
        self, cases: Cases, missing: float = math.nan, unjudged: float = math.nan
    ) -> Floats:
        """Scores of cases, the means of their repeats; NaN without any.

        A call without an answer counts as ``missing``, an answer that no scorer can judge as
        ``unjudged``; NaN leaves it out.
        """
        names = ("right", "scored", "unjudged", "failed", "in_doubt")
        right, scored, silent, failed, in_doubt = self.columns(cases, *names)
        for value, n in ((missing, failed + in_doubt), (unjudged, silent)):
            if not math.isnan(value):
                right = right + value * n
                scored = scored + n
        means: Floats = np.full(len(right), math.nan)
        return np.divide(right, scored, out=means, where=scored > 0)

    def missing(self, cases: Cases) -> tuple[int, int]:
        """The number of calls on cases without an answer, and of all calls."""
        if not self.why:
            return 0, 0
        lost = int(self.total(cases, "failed") + self.total(cases, "in_doubt"))
        answered = int(self.total(cases, "scored") + self.total(cases, "unjudged"))
        return lost, lost + answered


class Scores:
    """Scores by arm and case, from scorers or from a grader, with people's labels.

    Without a marker, only the checks of each case count. An arm isn't measured if more than
    ``most_missing`` of its calls have no answer.
    """

    #: Whether answers are wrong that are right without their wrapper.
    looks_for_wrappers = True

    def __init__(
        self,
        marker: Marker | None = None,
        judge: LabJudge | None = None,
        most_missing: float = MOST_MISSING,
    ) -> None:
        self.marker = Marker((), Kit()) if marker is None else marker
        self.judge = judge
        self.most_missing = most_missing
        self.believed = set[str]()
        """Arms that may give one answer to everything, as their model is known to answer."""
        #: How texts of cases and answers are shown.
        self.shown: Callable[[str], str] = masked
        self._arms = defaultdict[str, ArmScores](ArmScores)
        self._waited: dict[tuple[str, str, int], float] = {}
        self._cut_short: set[tuple[str, str]] = set()  # arm and step without an answer

    async def run(self, runner: Runner, calls: Sequence[Asked]) -> Outcome:
        """Make calls, have a grader grade the answers if there is one, and score them.

        Answers are scored as they come, in the order of the calls, and in a thread: a user's
        function may take seconds, and calls, progress and a stop must not wait for it.
        """
        settled = runner.outcome.settled
        await run_in_thread(starmap(self.marker.check, [()]))
        asking = asyncio.ensure_future(self._ask_all(runner, calls))
        scored = 0
        try:
            while scored < len(calls):
                await asyncio.wait([asking], timeout=_LOOK_EVERY_S)
                some = calls[scored : scored + _AT_ONCE]
                if not asking.done():
                    if self.judge is not None:
                        continue  # it grades when all answers are in
                    some = list(takewhile(lambda call: call[0].key in settled, some))
                    if not some:
                        continue
                keys = [job.key for job, *_ in some]
                await self.score_calls(some, runner.outcome.some(keys))
                scored += len(some)
            return await asking
        finally:
            asking.cancel()
            await asyncio.wait([asking])  # what it has in flight is noted as in doubt

    async def _ask_all(self, runner: Runner, calls: Sequence[Asked]) -> Outcome:
        """Send the calls, and then ask the grader about their answers."""
        outcome = await runner.all([job for job, *_ in calls])
        if self.judge is None or outcome.stop:
            return outcome
        became = outcome.some([job.key for job, *_ in calls])
        answers = []
        for job, _, case in calls:
            call = became.get(job.key)
            if call is not None and call.whole is not None:
                answers.append((_answer_of(call.whole, case), case))
        return await self.judge.ask(runner, answers) or outcome

    async def score_calls(
        self, calls: Iterable[Asked], became: Mapping[str, Settled]
    ) -> None:
        """Score the outcomes of calls, by key."""
        ended = []
        asked: dict[str, list[EvalCase]] = {}
        for job, arm, case in calls:
            if job.key in became:
                system = ""
                if self.judge is None and self.marker.reads_system(case):
                    system = system_of(job.request)
                ended.append((job, arm, case, became[job.key], system))
                asked.setdefault(arm.id, []).append(case)
        await run_in_thread(starmap(self._score_call, ended))
        if self.judge is None and self.looks_for_wrappers:
            await run_in_thread(starmap(self._look_for_wrapper, asked.items()))

    def _look_for_wrapper(self, arm: str, cases: Sequence[EvalCase]) -> None:
        """Note the text around an arm's answers if it makes all of them wrong.

        It is searched each time the arm has twice as many answers as at the last search.
        """
        of = self._arms[arm]
        if of.has_right:
            return
        of.cases.update({case.id: case for case in cases if case.accepted})
        answered = len(of.cases)
        if answered < max(SAME_WORDS, 2 * of.unwrapped_at):
            return
        of.unwrapped_at = answered
        by_question: dict[str, tuple[EvalCase, str]] = {}
        for case in islice(of.cases.values(), _MOST_UNWRAPPED):
            text = of.first_output(case)
            if text:
                by_question[question(case)] = (case, text)
        answers = list(by_question.values())
        if len(answers) < SAME_WORDS:
            return
        for says, unwrap in wrappers_of([text for _, text in answers]).items():
            right = 0
            for case, text in answers:
                bare = unwrap(text)
                if bare:
                    right += bool(self.marker.score(Output(bare), case).ok)
            if right >= UNWRAPPED:
                of.wrapper = f"{says}: without it {right} of {len(answers)} are right"
                return

    def _score_call(
        self, job: Job, arm: Arm, case: EvalCase, call: Settled, system: str
    ) -> None:
        """Score one call of an arm, and note it if another model answered."""
        waited = self._waited.pop((arm.id, case.id, job.repeat), 0.0)
        if arm.steps and (arm.id, job.key) not in self._cut_short:
            self._step(arm, case, arm.prompt, call)
        answered_by = call.reply.model if call.reply else ""
        if answered_by and not is_same_model(answered_by, job.frame.model):
            self._arms[arm.id].others[answered_by] += 1
        self._call(arm.id, case, call, system, waited)

    def step(
        self, arm: Arm, case: EvalCase, at: int, job: Job, settled: Settled
    ) -> str | None:
        """Note the cost of a chain's step, and return its answer; None ends the chain."""
        self._step(arm, case, arm.steps[at], settled)
        if settled.whole is None:
            self._cut_short.add((arm.id, job.key))
            return None
        self._arms[arm.id].add(case.id, usd=settled.usd)
        place = (arm.id, case.id, job.repeat)
        self._waited[place] = self._waited.get(place, 0.0) + settled.whole.latency_s
        return without_thinking(settled.whole.text)

    def _step(self, arm: Arm, case: EvalCase, prompt: str, settled: Settled) -> None:
        if settled.reply is not None:
            costs = self._arms[arm.id].steps.setdefault(prompt, [])
            costs.append(StepCall(case.id, settled.usd, settled.reply.latency_s))

    def answer(
        self, arm: str, case: EvalCase, output: Output, system: str = ""
    ) -> None:
        """Score an answer of an arm to a case, and note the result."""
        of = self._arms[arm]
        judge = self.judge
        of.add(case.id)
        of.note_text(case.id, output.text_with_calls)
        if judge is None:
            scored = self.marker.score(output, case, system)
        else:
            scored = judge.score(output, case)
            if case.id not in of.labels:
                _note_label(of, judge, output, case)
        if scored.why == RUN_STOPPED:
            return  # as if it had not been asked; the next run scores it
        if scored.ok is None:
            of.add(case.id, unjudged=1)
            return
        of.add(case.id, right=scored.value, scored=1, whole=bool(scored.ok))
        if scored.parts and of.first_output(case) is None:
            of.parts[case.id] = scored.parts
        of.note_output(case.id, output.text_with_calls[:_MASKED])
        # with a judge only people say which answer is wrong
        if judge is None and not scored.ok:
            of.note_wrong(
                case.id, WrongAnswer(scored.signal or WRONG, output.text[:_MASKED])
            )

    def _call(
        self, arm: str, case: EvalCase, settled: Settled, system: str, waited: float
    ) -> None:
        """Note a call. One without an answer says nothing about the arm."""
        of = self._arms[arm]
        reply = settled.reply
        why = settled.why
        if reply is not None:
            written = reply.usage.output_tokens
            thought = reply.usage.reasoning_tokens
            seconds = waited + reply.latency_s
            of.add(case.id, seconds, usd=settled.usd, written=written, thought=thought)
            of.changed.update(dict.fromkeys(reply.changed))
            why = reply.lacks
            if not why:
                output = _answer_of(reply, case)
                of.add(case.id, aloud=output.text != reply.text)
                self.answer(arm, case, output, system)
                return
        of.why[case.id] = why[:_SHOWN]
        if settled.status == "in_doubt":
            of.add(case.id, in_doubt=1)
        else:
            of.add(case.id, failed=1)

    def note_score(self, arm: str, case: str, score: float) -> None:
        """Note a score that needs no scorer, such as one of retrieval."""
        self._arms[arm].add(case, right=score, scored=1)

    def arm_scores(self, arm: Arm) -> ArmScores:
        """The results of an arm; empty for one that wasn't run."""
        return self._arms.get(arm.id) or ArmScores()

    def changes(self, arms: Iterable[Arm]) -> tuple[str, ...]:
        """Parameters that models refused, with their replacements: a text for each model."""
        models = {arm.model: ", ".join(self.arm_scores(arm).changed) for arm in arms}
        return tuple(
            f"{model}: {changed}" for model, changed in models.items() if changed
        )

    def impossible(self, arm: Arm, cases: Cases) -> bool:
        """Whether its model can't take such requests at all, so that nobody can use the arm either."""
        of = self.arm_scores(arm)
        if not of.why:
            return False
        ran = of.ran(cases)
        refused = all(of.why.get(case.id, "").startswith(TAKES_NO) for case in ran)
        return bool(ran) and refused and of.cases_with(ran, "scored") == 0

    def unanswered(self, arm: Arm, cases: Cases) -> str:
        """Why an arm isn't measured on cases; empty for a measured one.

        Too many calls have no answer, all answers are equal, or text around them hides them from
        the scorer.
        """
        missing = self.missing_answers(arm, cases) or self.same_words(arm, cases)
        return missing or self.wrapped(arm)

    def why_unanswered(self, arm: Arm, cases: Cases) -> str:
        """The reason as one of ``WHY_UNANSWERED``; empty for a measured arm."""
        if self.missing_answers(arm, cases):
            return "unanswered"
        if self.same_words(arm, cases):
            return "same_words"
        return "wrapped" if self.wrapped(arm) else ""

    def wrapped(self, arm: Arm) -> str:
        """Name the text around every answer of an arm if it makes each one wrong; else empty."""
        of = self.arm_scores(arm)
        if not of.wrapper or of.has_right:
            return ""
        return f"every answer of {arm.id} has {of.wrapper}"

    def is_hollow(self, arm: Arm, cases: Cases) -> bool:
        """Whether all answers of a model so far are equal, or wrapped, and none is right."""
        one_text = arm.kind != "baseline" and bool(self.arm_scores(arm).one_text(cases))
        return one_text or bool(self.wrapped(arm))

    def same_words(self, arm: Arm, cases: Cases) -> str:
        """The complaint about an arm that gives many different inputs one wrong answer; else empty."""
        of = self.arm_scores(arm)
        exempt = arm.kind == "baseline" or arm.id in self.believed
        answered = [] if exempt else of.one_text(cases)
        inputs = len({question(case) for case in answered})
        if inputs < SAME_WORDS:
            return ""
        text = one_line(
            self.shown(of.first_output(answered[0]) or ""), limit=_SHOWN_OF_SAME
        )
        return f'every answer of {arm.id} to {inputs} inputs was: "{text}", and none is right'

    def missing_answers(self, arm: Arm, cases: Cases) -> str:
        """The complaint about an arm with too many calls without an answer; else empty."""
        of = self.arm_scores(arm)
        missing, calls = of.missing(cases)
        if missing <= self.most_missing * calls:
            return ""
        reasons = Counter(of.why[case.id] for case in cases if case.id in of.why)
        ((why, _),) = reasons.most_common(1)
        return f"{missing} of {calls} calls of {arm.id} got no answer ({why})"

    def row(self, arm: Arm, cases: Cases, missing: float = math.nan) -> Floats:
        """Scores of an arm on cases; NaN without any, and ``missing`` for a call without an answer."""
        return self.arm_scores(arm).means(cases, missing)

    def judged(self, arm: Arm, cases: Cases, missing: float = math.nan) -> JudgedScores:
        """An arm as its grader and people see it.

        ``missing`` is the score of both for a call without an answer; NaN leaves it out.
        """
        assert self.judge is not None  # nobody asks for it without one
        of = self.arm_scores(arm)
        sample = {case.id for case in self.judge.sample(cases)}
        judge = of.means(cases, missing, UNREADABLE)
        people = np.array([of.labels.get(case.id, missing) for case in cases])
        drawn = ~np.isnan(judge) & np.array(
            [case.id in sample for case in cases], dtype=bool
        )
        people[~drawn] = math.nan
        return JudgedScores(judge, people, int(np.isnan(people[drawn]).sum()))

    def wrong(
        self, arm: Arm, cases: Cases
    ) -> tuple[list[tuple[EvalCase, str, str]], int]:
        """An arm's wrong answers, by rules or people, and the number of scored ones.

        Each has its case, its sign and its text.
        """
        of = self.arm_scores(arm)
        known = self.row(arm, cases)
        if self.judge is not None:
            cases = self.judge.sample(cases)
            known = self.judged(arm, cases).people
        wrong: list[tuple[EvalCase, str, str]] = []
        for case, score in zip(cases, known.tolist(), strict=True):
            answer = of.last_wrong(case)
            if answer is not None and (self.judge is not None or score < 1):
                wrong.append((case, answer.signal, answer.text))
        return wrong, int((~np.isnan(known)).sum())

    def estimate(
        self, arm: Arm, cases: Cases, *, exact: bool = False, reach: float = Z95
    ) -> Estimate | None:
        """An arm's share of right cases; None where it wasn't run, or too few calls were answered.

        Its ends hold whatever the missing answers were: the lower one counts them all as wrong, the
        upper one as right. With ``exact``, each end may be compared with a target. With a grader,
        it is then the share by people, and None until they have labelled the sample. ``reach`` is
        the length of the interval in standard errors: longer where it has to hold for several arms
        together.
        """
        if not cases or self.unanswered(arm, cases):
            return None
        clusters = clusters_of(cases)

        def counted(missing: float) -> Estimate | None:
            if exact and self.judge is not None:
                return widened_to(
                    self.judged(arm, cases, missing).estimate(clusters), reach
                )
            return share(
                self.row(arm, cases, missing), clusters, exact=exact, reach=reach
            )

        if self.judge is None and not self.arm_scores(arm).why:
            return counted(math.nan)
        return widened(counted(math.nan), counted(0.0), counted(1.0))

    def difference(self, first: Arm, second: Arm, cases: Cases) -> Estimate | None:
        """The first arm less the second on the same cases, with ends for any missing answers.

        None where no case has both, and with a grader while labels are missing.
        """
        clusters = clusters_of(cases)

        def counted(mine: float, others: float) -> Estimate | None:
            if self.judge is None:
                row = self.row(first, cases, mine)
                return paired_difference(row, self.row(second, cases, others), clusters)
            right = self.judged(second, cases, others)
            return self.judged(first, cases, mine).less(right, clusters)

        known = counted(math.nan, math.nan) if cases else None
        if known:
            return widened(known, counted(0.0, 1.0), counted(1.0, 0.0))
        return None

    def share(
        self, arm: Arm, cases: Cases, *, exact: bool = False, reach: float = Z95
    ) -> ShareOf | Unknown:
        """The share for a result; unknown where there is none, with the step that would give one."""
        estimate = self.estimate(arm, cases, exact=exact, reach=reach)
        if estimate is not None:
            return ShareOf(**shown_share(estimate))
        why = self.unanswered(arm, cases)
        if why:
            return Unknown(ask=why)
        if exact and self.judge is not None:
            return Unknown(ask=label_more(self.judged(arm, cases).missing))
        return Unknown(ask="it wasn't run")


def _note_label(of: ArmScores, judge: LabJudge, output: Output, case: EvalCase) -> None:
    """Note people's label of an answer, if there is one, and a wrong answer by it."""
    digest = digest_of(output.text_with_calls)
    label = judge.labels.get((case.id, digest), math.nan)
    of.labels[case.id] = label
    if label < NO:
        of.note_wrong(case.id, WrongAnswer(WRONG, output.text[:_MASKED]))


def _answer_of(reply: Reply, case: EvalCase) -> Output:
    """The answer in a reply. It may contain open thinking if right answers of the case do."""
    texts = map(answer_text, case.accepted)
    if any(without_thinking(text) != text for text in texts):
        return Output(reply.text, reply.tool_calls)
    return Output.from_reply(reply)


def shown_share(of: Estimate) -> dict[str, Any]:
    """A share with its ends cut to 0 and 1."""
    return asdict(of) | {"low": max(0.0, of.low), "high": min(1.0, of.high)}


def widened_to(estimate: Estimate | None, reach: float) -> Estimate | None:
    """An estimate whose ends are ``reach`` standard errors away."""
    if estimate is None:
        return None
    below = estimate.value - estimate.low
    above = estimate.high - estimate.value
    times = reach / Z95
    return replace(
        estimate,
        low=estimate.value - times * below,
        high=estimate.value + times * above,
    )


def widened(
    known: Estimate | None, worst: Estimate | None, best: Estimate | None
) -> Estimate | None:
    """An estimate with the widest ends that missing answers allow."""
    if known is None:
        return None
    ends = [each for each in (known, worst, best) if each is not None]
    return replace(known, low=min(e.low for e in ends), high=max(e.high for e in ends))


async def run_in_thread(steps: Iterable[object]) -> None:
    """Iterate in a thread. A cancelled caller leaves it after its present step.

    A process that ends doesn't wait for that step either, which may be a user's slow scorer.
    """
    loop = asyncio.get_running_loop()
    over = Event()
    ended: asyncio.Future[None] = loop.create_future()

    def tell(fault: BaseException | None) -> None:
        if not ended.done():
            ended.set_exception(fault) if fault else ended.set_result(None)

    def go() -> None:
        """Take the steps until they end or the work is called off, and report the fault if any."""
        fault: BaseException | None = None
        try:
            for _ in steps:
                if over.is_set():
                    break
        except BaseException as caught:  # noqa: BLE001  # whoever waits raises it
            fault = caught
        with suppress(RuntimeError):  # the loop is over
            loop.call_soon_threadsafe(tell, fault)

    Thread(target=go, daemon=True).start()
    try:
        await ended
    finally:
        over.set()


def ranking_value(quality: ShareOf | Unknown) -> float:
    """The number that a share is ranked by; -1 for an unknown one, so that it comes last."""
    return -1.0 if isinstance(quality, Unknown) else quality.value


def first_of(sentences: Sequence[str]) -> Stop:
    """Sentences about arms without answers as one stop: the first, and the number of others."""
    if not sentences:
        return Stop()
    first, *others = sentences
    if others:
        first += f"; the same goes for {len(others)} more"
    return Stop(first, "unanswered")


@lru_cache(maxsize=4096)
def masked(text: str) -> str:
    """A text, masked and then cut for showing."""
    return mask(text[:_MASKED])[:_SHOWN]


def plainly(text: str) -> str:
    """A text cut for showing to a reader who may see all of it, on the user's own terminal."""
    return text[:_SHOWN]


def clusters_of(cases: Iterable[EvalCase]) -> Ints:
    """A number for each conversation, in the order of its first case."""
    codes: dict[str, int] = {}
    return np.array(
        [codes.setdefault(case.cluster, len(codes)) for case in cases], dtype=np.int64
    )


ROUNDS = 8  #: Rounds the race is run in; after each the hopeless are dropped.
FEWEST_A_ROUND = 10
_SHOW_EVERY_S = 0.1
_APART = 50  # the next showing waits so many times as long as this one took


class Lab:
    """A lab while it runs; ``stop`` is why it ended early, empty if it didn't."""

    def __init__(
        self, plan: LabPlan, scores: Scores, calls: PaidCalls, stop: Stop | None = None
    ) -> None:
        self.plan = plan
        self.scores = scores
        self.calls = calls
        self._runner = calls.runner(self._call_ended, self._show_waiting)
        self.stop = stop or Stop()
        self.dropped: dict[str, int | None] = {}
        """By arm, the number of conversations after which it was dropped; None for one that stayed."""
        self._done = 0
        self._total = 0
        self._running = len(plan.arms)
        self._ahead: dict[str, Any] = {"arm": "", "quality": _NO_ROUND}
        # the leaderboard, by the last round of each arm
        self._board: dict[str, ShareOf | Unknown] = {}
        # the cases seen, and the time of the next showing on the monotonic clock
        self._seen = list[EvalCase]()
        self._next_show = 0.0
        self._heard: dict[str, str] = {}  # answers of earlier steps of chains, by key

    async def race(self) -> None:
        """Run arms on the cases for selecting, and drop those that can't win.

        Prompts race against prompts, and tuned models against tuned ones, so that a tuned model
        with a large lead doesn't drop the best prompt. Baselines cost nothing and race against
        nobody. With a grader, nobody is dropped, as it may be wrong about each arm in another way.
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
            running = {i: arms[i] for i in race.running if self._goes_on(arms[i])}
            ahead = len(select) - len(self._seen)
            await self._run(list(running.values()), cases, ahead, later)
            if self.stop:
                break
            self._seen += cases
            lows = {
                place: self._sums(arm, cases, longest, missing=0.0)
                for place, arm in running.items()
            }
            highs = {
                place: self._sums(arm, cases, longest, missing=1.0)
                for place, arm in running.items()
            }
            race.add(lows, highs)
            self._running = len(race.running)
            if self.calls.watch is not None:
                self._update_board(race, running.values())
            self._show()
        names = [arm.id for arm in arms]
        self.dropped = dict(zip(names, race.result().dropped_after, strict=True))

    def _rivals_of(self, arm: Arm) -> str:
        """The group in which an arm may be dropped; its own id for one that races nobody."""
        if self.scores.judge is not None or arm.kind == "baseline":
            return arm.id
        return arm.kind

    def _update_board(self, race: Race, asked: Iterable[Arm]) -> None:
        """Note the order of the arms after a round, and the leader."""
        arms = self.plan.arms
        for arm in asked:
            self._board[arm.id] = self.scores.share(arm, self._seen)
        leader = arms[race.result().winner].id
        self._ahead = {
            "arm": leader,
            "quality": self._board[leader],
            "board": self._place_arms({arms[place].id for place in race.running}),
        }

    def _goes_on(self, arm: Arm) -> bool:
        """Whether more answers of an arm would be informative."""
        seen = self._seen
        scores = self.scores
        hollow = scores.same_words(arm, seen) or scores.wrapped(arm)
        return not (scores.impossible(arm, seen) or hollow)

    async def report(self, chosen: Arms) -> None:
        """Run the chosen arms on the held-out cases."""
        await self._run(chosen, self.plan.report, len(self.plan.report))
        # equal calls were made once
        self._total = self._total if self.stop else self._done
        self._show()  # the last answers may have come too soon after others to be shown

    def stayed(self, *kinds: str) -> list[Arm]:
        """Arms of some kinds that the race didn't drop; of all kinds if none is named."""
        arms = (arm for arm in self.plan.arms if self.dropped.get(arm.id) is None)
        return [arm for arm in arms if not kinds or arm.kind in kinds]

    def unanswered(self, arms: Iterable[Arm], cases: Cases) -> tuple[str, ...]:
        """A sentence for each arm that isn't measured on cases; () for none.

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
        await run_in_thread(starmap(self._answer_baseline, product(baselines, cases)))
        left = (len(arms) - len(baselines)) * ahead + later
        calls_a_case = self.plan.repeats * (1 if self.scores.judge is None else 2)
        self._total = self._done + left * calls_a_case
        await self._earlier(arms, cases)
        heard = self._heard.get
        calls = list[Asked]()
        for case in cases:
            calls += self.plan.calls(arms, [case], lambda job: heard(job.key))
        if calls and not self.stop:
            self.stop = (await self.scores.run(self._runner, calls)).stop
            if self.scores.judge is not None and not self.stop:
                self.stop = self.scores.judge.unheard(MOST_MISSING)

    def _answer_baseline(self, arm: Arm, case: EvalCase) -> None:
        output = Output(self.plan.setting.pool.look_up(arm, case))
        self.scores.answer(arm.id, case, output)

    def _calls_at(self, at: int, arms: Arms, cases: Cases) -> Iterator[Asked]:
        """Calls of chains whose next step is ``at``, counted from 0."""
        for arm in arms:
            if len(arm.steps) <= at:
                continue
            for case in cases:
                # a walk ends with the first step that nobody has answered yet
                walks = self.plan.walks(arm, case, lambda job: self._heard.get(job.key))
                for walk in walks:
                    if len(walk) == at + 1:
                        yield walk[at], arm, case

    async def _earlier(self, arms: Arms, cases: Cases) -> None:
        """Run all but the last step of chains, one step at a time for all of them."""
        for at in range(max((len(arm.steps) for arm in arms), default=0)):
            calls = [*self._calls_at(at, arms, cases)]
            outcome = await self._runner.all([job for job, *_ in calls])
            became = outcome.some([job.key for job, *_ in calls])
            for job, arm, case in calls:
                settled = became.get(job.key)
                if settled is not None:
                    text = self.scores.step(arm, case, at, job, settled)
                    if text is not None:
                        self._heard[job.key] = text
            if outcome.stop:
                self.stop = outcome.stop
                return

    def _sums(
        self, arm: Arm, cases: Cases, longest: int, missing: float
    ) -> list[float]:
        """The score of each conversation, over the number of cases of the longest one.

        This gives each case the same weight. ``missing`` is the score of an answer that didn't
        come; an answer that no scorer can judge is half right. If an arm's answers are all equal
        and wrong so far, they count as missing, as a gateway may have given them.
        """
        known = np.nan_to_num(self.scores.row(arm, cases, missing), nan=0.5)
        if self.scores.is_hollow(arm, self._seen):
            known = np.full(len(cases), missing)
        sums = np.bincount(clusters_of(cases), known) / longest
        return list(sums.tolist())

    def _call_ended(self, _: Settled) -> None:
        self._done += 1
        now = time.monotonic()
        if now >= self._next_show:
            self._show()
            took = time.monotonic() - now
            self._next_show = now + max(_SHOW_EVERY_S, _APART * took)

    def _place_arms(self, running: Collection[str]) -> tuple[Placed, ...]:
        """Every arm; the dropped ones come after the others."""
        board = [
            Placed(arm=name, quality=quality, running=name in running)
            for name, quality in self._board.items()
        ]
        board.sort(key=lambda p: (p.running, ranking_value(p.quality)), reverse=True)
        return tuple(board)

    def _show_waiting(self, why: str) -> None:
        self._show(why)

    def _show(self, waiting: str = "") -> None:
        """Show the state of the lab to whoever watches."""
        if self.calls.watch is None:
            return
        stand = Stand(
            done=self._done,
            of=max(self._total, self._done),
            running=self._running,
            spend=self.calls.spend,
            waiting=waiting,
            **self._ahead,
        )
        self.calls.watch(stand)


def _rounds(cases: Cases) -> list[list[EvalCase]]:
    """Whole conversations in rounds of about equal size."""
    size = max(FEWEST_A_ROUND, -(-len(cases) // ROUNDS))
    rounds: list[list[EvalCase]] = [[]]
    for place, case in enumerate(cases):
        fresh = place == 0 or cases[place - 1].cluster != case.cluster
        if fresh and len(rounds[-1]) >= size:
            rounds.append([])
        rounds[-1].append(case)
    return [each for each in rounds if each]
