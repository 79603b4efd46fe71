"""Scores of answers: one number for each arm and case, the mean of its repeats."""

from __future__ import annotations

import asyncio
import math
import time
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import lru_cache, partial
from itertools import islice, product
from statistics import mode
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
from tuneworthy.lab.wrapped import Unwrap, wrappers_of
from tuneworthy.llm.endpoints import TAKES_NO
from tuneworthy.llm.runner import Job, Outcome, Runner, Stop
from tuneworthy.measure.personal import mask
from tuneworthy.model.base import Unknown
from tuneworthy.model.evalset import EvalCase, digest_of
from tuneworthy.model.lab import Arm, Reply, Settled, ShareOf, Stand
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
    """Return the first of equal objects, which saves memory as many answers are equal."""
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
        self._row_of_call = array("q")
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
        #: Parameters its model refused, and what it got instead; a dictionary keeps their order.
        self.changed = dict[str, None]()
        self.others = Counter[str]()
        """Answers by models with another name than the requested one."""
        self.steps = dict[str, list[StepCall]]()  #: By prompt of a chain.

    def add(self, case: str, seconds: float | None = None, **amounts: float) -> None:
        """Add amounts to the columns of a case; ``seconds`` are those of one call."""
        row = self._rows.get(case)
        if row is None:
            row = self._new_row(case)
        for column, amount in amounts.items():
            self._columns[column][row] += amount
        if seconds is not None:
            self._seconds.append(seconds)
            self._row_of_call.append(row)

    def _new_row(self, case: str) -> int:
        """Make a row for a case that the arm wasn't run on before; return its place."""
        row = len(self._answers)
        self._rows[case] = row
        for column in self._columns.values():
            column.append(0.0)
        self._answers.append((None, None))
        self._texts.append(_NO_TEXT)
        return row

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
        before = self._texts[row]
        if before == _NO_TEXT:
            self._texts[row] = digest
        elif before != digest:
            self._texts[row] = _TEXTS

    def one_text(self, cases: Cases) -> list[EvalCase]:
        """Return the answered cases, if all have one and the same text and none is right; else []."""
        answered = list[EvalCase]()
        shared = _NO_TEXT
        for case in cases:
            row = self._rows.get(case.id, 0)
            text = self._texts[row]
            if text == _NO_TEXT:
                continue
            if shared == _NO_TEXT:
                shared = text
            if text == _TEXTS or text != shared:
                return []
            if self._columns["whole"][row] or self.labels.get(case.id, 0.0) >= NO:
                return []
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
        """Return columns of counts, each with a row for each case."""
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
        """Return the time of each call on some cases, and the place of its case among them."""
        elsewhere = -1
        place_of_row = np.full(len(self._answers), elsewhere)
        place_of_row[self._rows_of(cases)] = range(len(cases))
        place_of_row[0] = elsewhere  # the row of all cases that weren't run
        place_of_call = place_of_row[np.array(self._row_of_call)]
        wanted = place_of_call != elsewhere
        return np.array(self._seconds)[wanted], place_of_call[wanted]

    def means(
        self, cases: Cases, missing: float = math.nan, unjudged: float = math.nan
    ) -> Floats:
        """Return the scores of cases, each the mean of its repeats; NaN without any.

        A call without an answer counts as ``missing``, an answer that no scorer can judge as
        ``unjudged``; NaN leaves it out.
        """
        names = ("right", "scored", "unjudged", "failed", "in_doubt")
        right, scored, without_score, failed, in_doubt = self.columns(cases, *names)
        if not math.isnan(missing):
            lost = failed + in_doubt
            right = right + missing * lost
            scored = scored + lost
        if not math.isnan(unjudged):
            right = right + unjudged * without_score
            scored = scored + without_score
        means: Floats = np.full(len(right), math.nan)
        return np.divide(right, scored, out=means, where=scored > 0)

    def missing(self, cases: Cases) -> MissingAnswers:
        """Count the calls on cases without an answer, and all calls."""
        if not self.why:  # nothing was ever lost, which saves the counting
            return MissingAnswers(0, 0)
        lost = int(self.total(cases, "failed") + self.total(cases, "in_doubt"))
        answered = int(self.total(cases, "scored") + self.total(cases, "unjudged"))
        return MissingAnswers(lost, lost + answered)


class MissingAnswers(NamedTuple):
    """How many calls got no answer."""

    missing: int
    calls: int  #: All of them.


class WrongCase(NamedTuple):
    """A case with a wrong answer."""

    case: EvalCase
    signal: str
    text: str  #: The beginning of the answer.


class WrongCases(NamedTuple):
    """The cases that an arm got wrong, by rules or by people."""

    wrong: list[WrongCase]
    scored: int  #: Cases with a score, right ones included.


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
        await run_in_thread([self.marker.check])
        asking = asyncio.ensure_future(self._ask_all(runner, calls))
        scored = 0
        try:
            while scored < len(calls):
                await asyncio.wait([asking], timeout=_LOOK_EVERY_S)
                some = calls[scored : scored + _AT_ONCE]
                if not asking.done():
                    some = self._answered_first(some, runner.outcome.settled)
                if some:
                    keys = [job.key for job, *_ in some]
                    await self.score_calls(some, runner.outcome.some(keys))
                    scored += len(some)
            return await asking
        finally:
            asking.cancel()
            await asyncio.wait([asking])  # what it has in flight is noted as in doubt

    def _answered_first(
        self, calls: Sequence[Asked], settled: Mapping[str, Settled]
    ) -> Sequence[Asked]:
        """Return the calls before the first one that is still in flight; [] with a grader.

        The grader is asked when all answers are in.
        """
        if self.judge is not None:
            return []
        for place, (job, *_) in enumerate(calls):
            if job.key not in settled:
                return calls[:place]
        return calls

    async def _ask_all(self, runner: Runner, calls: Sequence[Asked]) -> Outcome:
        """Send the calls, and then ask the grader about their answers."""
        outcome = await runner.all([job for job, *_ in calls])
        if self.judge is None or outcome.stop:
            return outcome
        settled = outcome.some([job.key for job, *_ in calls])
        answers = []
        for job, _, case in calls:
            call = settled.get(job.key)
            if call is not None and call.whole is not None:
                answers.append((_answer_of(call.whole, case), case))
        graded = await self.judge.ask(runner, answers)
        return outcome if graded is None else graded

    async def score_calls(
        self, calls: Iterable[Asked], settled: Mapping[str, Settled]
    ) -> None:
        """Score the answers to calls; ``settled`` has their outcomes by key."""
        steps = list[Callable[[], None]]()
        cases_of = defaultdict[str, list[EvalCase]](list)
        for job, arm, case in calls:
            call = settled.get(job.key)
            if call is None:  # it was never sent
                continue
            system = ""
            if self.judge is None and self.marker.reads_system(case):
                system = system_of(job.request)
            steps.append(partial(self._score_call, job, arm, case, call, system))
            cases_of[arm.id].append(case)
        await run_in_thread(steps)
        if self.judge is None and self.looks_for_wrappers:
            await run_in_thread(
                partial(self._look_for_wrapper, arm, cases)
                for arm, cases in cases_of.items()
            )

    def _look_for_wrapper(self, arm: str, cases: Sequence[EvalCase]) -> None:
        """Note the text around an arm's answers if it makes all of them wrong.

        It is searched each time the arm has twice as many answers as at the last search.
        """
        results = self._arms[arm]
        if results.has_right:
            return
        for case in cases:
            if case.accepted:
                results.cases[case.id] = case
        answered = len(results.cases)
        if answered < max(SAME_WORDS, 2 * results.unwrapped_at):
            return
        results.unwrapped_at = answered
        answers = _one_answer_a_question(results)
        # of fewer answers, many may share their text by chance
        if len(answers) < SAME_WORDS:
            return
        texts = [answer.text for answer in answers]
        for wrapper, unwrap in wrappers_of(texts).items():
            right = self._count_right_without(unwrap, answers)
            if right >= UNWRAPPED:
                results.wrapper = (
                    f"{wrapper}: without it {right} of {len(answers)} are right"
                )
                return

    def _count_right_without(
        self, unwrap: Unwrap, answers: Sequence[_CaseAnswer]
    ) -> int:
        """Count the answers that are right once the text around them is gone."""
        right = 0
        for answer in answers:
            bare = unwrap(answer.text)
            if bare and self.marker.score(Output(bare), answer.case).ok:
                right += 1
        return right

    def _score_call(
        self, job: Job, arm: Arm, case: EvalCase, call: Settled, system: str
    ) -> None:
        """Score one call of an arm, and note it if another model answered."""
        # the answer took the time of all steps of a chain
        waited = self._waited.pop((arm.id, case.id, job.repeat), 0.0)
        # a chain that was cut short has no last step: this is the call of the step that failed
        if arm.steps and (arm.id, job.key) not in self._cut_short:
            self._note_step(arm, case, arm.prompt, call)
        answered_by = call.reply.model if call.reply else ""
        if answered_by and not is_same_model(answered_by, job.frame.model):
            self._arms[arm.id].others[answered_by] += 1
        self._note_call(arm.id, case, call, system, waited)

    def step(
        self, arm: Arm, case: EvalCase, at: int, job: Job, settled: Settled
    ) -> str | None:
        """Note the cost of a chain's step, and return its answer; None ends the chain.

        ``at`` counts the steps from 0.
        """
        self._note_step(arm, case, arm.steps[at], settled)
        if settled.whole is None:
            self._cut_short.add((arm.id, job.key))
            return None
        self._arms[arm.id].add(case.id, usd=settled.usd)
        place = (arm.id, case.id, job.repeat)
        self._waited[place] = self._waited.get(place, 0.0) + settled.whole.latency_s
        return without_thinking(settled.whole.text)

    def _note_step(
        self, arm: Arm, case: EvalCase, prompt: str, settled: Settled
    ) -> None:
        """Note the cost and the time of a step of a chain, by its prompt."""
        if settled.reply is not None:
            costs = self._arms[arm.id].steps.setdefault(prompt, [])
            costs.append(StepCall(case.id, settled.usd, settled.reply.latency_s))

    def answer(
        self, arm: str, case: EvalCase, output: Output, system: str = ""
    ) -> None:
        """Score an answer of an arm to a case, and note the result."""
        results = self._arms[arm]
        judge = self.judge
        results.add(case.id)
        results.note_text(case.id, output.text_with_calls)
        if judge is None:
            scored = self.marker.score(output, case, system)
        else:
            scored = judge.score(output, case)
            if case.id not in results.labels:  # people label the first of the repeats
                _note_label(results, judge, output, case)
        if scored.why == RUN_STOPPED:
            return  # as if it had not been asked; the next run scores it
        if scored.ok is None:
            results.add(case.id, unjudged=1)
            return
        results.add(case.id, right=scored.value, scored=1, whole=bool(scored.ok))
        if scored.parts and results.first_output(case) is None:
            results.parts[case.id] = scored.parts
        results.note_output(case.id, output.text_with_calls[:_MASKED])
        # with a grader only people say which answer is wrong
        if judge is None and not scored.ok:
            signal = scored.signal or WRONG
            results.note_wrong(case.id, WrongAnswer(signal, output.text[:_MASKED]))

    def _note_call(
        self, arm: str, case: EvalCase, settled: Settled, system: str, waited: float
    ) -> None:
        """Note a call of an arm, and score its answer if there is a whole one.

        ``waited`` are the seconds of the earlier steps of a chain.
        """
        results = self._arms[arm]
        reply = settled.reply
        if reply is not None:
            results.add(
                case.id,
                seconds=waited + reply.latency_s,
                usd=settled.usd,
                written=reply.usage.output_tokens,
                thought=reply.usage.reasoning_tokens,
            )
            for change in reply.changed:
                results.changed[change] = None
            if not reply.lacks:
                output = _answer_of(reply, case)
                results.add(case.id, aloud=output.text != reply.text)
                self.answer(arm, case, output, system)
                return
        # a call without an answer says nothing about the arm, so it has no score
        why = settled.why if reply is None else reply.lacks
        results.why[case.id] = why[:_SHOWN]
        if settled.status == "in_doubt":
            results.add(case.id, in_doubt=1)
        else:
            results.add(case.id, failed=1)

    def note_score(self, arm: str, case: str, score: float) -> None:
        """Note a score that needs no scorer, such as one of retrieval."""
        self._arms[arm].add(case, right=score, scored=1)

    def arm_scores(self, arm: Arm) -> ArmScores:
        """The results of an arm; empty for one that wasn't run."""
        return self._arms.get(arm.id) or ArmScores()

    def changes(self, arms: Iterable[Arm]) -> tuple[str, ...]:
        """Return the parameters that models refused, with their replacements: a text for each model."""
        # two arms of one model may differ in the parameters they send, such as an effort
        changes_of = defaultdict[str, dict[str, None]](dict)
        for arm in arms:
            changes_of[arm.model].update(self.arm_scores(arm).changed)
        return tuple(
            f"{model}: {', '.join(changes)}"
            for model, changes in changes_of.items()
            if changes
        )

    def impossible(self, arm: Arm, cases: Cases) -> bool:
        """Whether its model can't take such requests at all, so that nobody can use the arm either."""
        results = self.arm_scores(arm)
        ran = results.ran(cases)
        if not ran or results.cases_with(ran, "scored"):
            return False
        return all(results.why.get(case.id, "").startswith(TAKES_NO) for case in ran)

    def unanswered(self, arm: Arm, cases: Cases) -> str:
        """Return the reason why an arm isn't measured on cases; empty for a measured one.

        Too many calls have no answer, all answers are equal, or text around them hides them from
        the scorer.
        """
        missing = self.missing_answers(arm, cases)
        if missing:
            return missing
        same_words = self.same_words(arm, cases)
        if same_words:
            return same_words
        return self.wrapped(arm)

    def why_unanswered(self, arm: Arm, cases: Cases) -> str:
        """Return the reason of ``unanswered`` as one of ``WHY_UNANSWERED``; empty for a measured arm."""
        if self.missing_answers(arm, cases):
            return "unanswered"
        if self.same_words(arm, cases):
            return "same_words"
        return "wrapped" if self.wrapped(arm) else ""

    def wrapped(self, arm: Arm) -> str:
        """Name the text around every answer of an arm if it makes each one wrong; else empty."""
        results = self.arm_scores(arm)
        if not results.wrapper or results.has_right:
            return ""
        return f"every answer of {arm.id} has {results.wrapper}"

    def is_hollow(self, arm: Arm, cases: Cases) -> bool:
        """Whether all answers of a model so far are equal, or wrapped, and none is right."""
        if self.wrapped(arm):
            return True
        # a baseline gives one answer to everything where one label is that frequent
        return arm.kind != "baseline" and bool(self.arm_scores(arm).one_text(cases))

    def same_words(self, arm: Arm, cases: Cases) -> str:
        """Complain about an arm that gives many different inputs one wrong answer; else empty."""
        if arm.kind == "baseline" or arm.id in self.believed:
            return ""
        results = self.arm_scores(arm)
        answered = results.one_text(cases)
        inputs = len({question(case) for case in answered})
        if inputs < SAME_WORDS:
            return ""
        output = results.first_output(answered[0]) or ""
        text = one_line(self.shown(output), limit=_SHOWN_OF_SAME)
        return f'every answer of {arm.id} to {inputs} inputs was: "{text}", and none is right'

    def missing_answers(self, arm: Arm, cases: Cases) -> str:
        """Complain about an arm with too many calls without an answer; else empty."""
        results = self.arm_scores(arm)
        count = results.missing(cases)
        if count.missing <= self.most_missing * count.calls:
            return ""
        reasons = [results.why[case.id] for case in cases if case.id in results.why]
        return (
            f"{count.missing} of {count.calls} calls of {arm.id} got no answer "
            f"({mode(reasons)})"
        )

    def row(self, arm: Arm, cases: Cases, missing: float = math.nan) -> Floats:
        """Return an arm's scores on cases; NaN without any, ``missing`` for a call without an answer."""
        return self.arm_scores(arm).means(cases, missing)

    def judged(self, arm: Arm, cases: Cases, missing: float = math.nan) -> JudgedScores:
        """Return an arm's scores by the grader and by people.

        ``missing`` is the score of both for a call without an answer; NaN leaves it out.
        """
        assert self.judge is not None  # nobody asks for it without one
        results = self.arm_scores(arm)
        judge = results.means(cases, missing, UNREADABLE)
        sample = {case.id for case in self.judge.sample(cases)}
        in_sample = np.array([case.id in sample for case in cases], dtype=bool)
        # labels outside the sample don't count: people chose which outputs to label
        drawn = in_sample & ~np.isnan(judge)
        people = np.array([results.labels.get(case.id, missing) for case in cases])
        people[~drawn] = math.nan
        return JudgedScores(judge, people, int(np.isnan(people[drawn]).sum()))

    def wrong(self, arm: Arm, cases: Cases) -> WrongCases:
        """Return an arm's wrong answers, by rules or by people."""
        results = self.arm_scores(arm)
        by_people = self.judge is not None
        scores = self.row(arm, cases)
        if self.judge is not None:
            cases = self.judge.sample(cases)
            scores = self.judged(arm, cases).people
        wrong = list[WrongCase]()
        for case, score in zip(cases, scores.tolist(), strict=True):
            answer = results.last_wrong(case)
            if answer is not None and (by_people or score < 1):
                wrong.append(WrongCase(case, answer.signal, answer.text))
        return WrongCases(wrong, int((~np.isnan(scores)).sum()))

    def estimate(
        self, arm: Arm, cases: Cases, *, exact: bool = False, reach: float = Z95
    ) -> Estimate | None:
        """Return an arm's share of right cases; None where too few calls were answered, or none made.

        Its ends hold whatever the missing answers were: the lower one counts them all as wrong, the
        upper one as right. With ``exact``, each end may be compared with a target. With a grader,
        it is then the share by people, and None until they have labelled the sample. ``reach`` is
        the length of the interval in standard errors: longer where it has to hold for several arms
        together.
        """
        if not cases or self.unanswered(arm, cases):
            return None
        estimate = partial(
            self._estimate_with, arm, cases, clusters_of(cases), exact, reach
        )
        left_out = estimate(math.nan)
        if self.judge is None and not self.arm_scores(arm).why:
            return left_out  # nothing is missing, so the other two are equal to it
        return widened(left_out, estimate(0.0), estimate(1.0))

    def _estimate_with(
        self,
        arm: Arm,
        cases: Cases,
        clusters: Ints,
        exact: bool,
        reach: float,
        missing: float,
    ) -> Estimate | None:
        """Return an arm's share of right cases, with a score for each missing answer."""
        if exact and self.judge is not None:
            by_people = self.judged(arm, cases, missing).estimate(clusters)
            return widened_to(by_people, reach)
        row = self.row(arm, cases, missing)
        return share(row, clusters, exact=exact, reach=reach)

    def difference(self, first: Arm, second: Arm, cases: Cases) -> Estimate | None:
        """Return the first arm less the second on the same cases, with ends for any missing answers.

        None where no case has both, and with a grader while labels are missing.
        """
        if not cases:
            return None
        difference = partial(
            self._difference_with, first, second, cases, clusters_of(cases)
        )
        left_out = difference(math.nan, math.nan)
        return widened(left_out, difference(0.0, 1.0), difference(1.0, 0.0))

    def _difference_with(
        self,
        first: Arm,
        second: Arm,
        cases: Cases,
        clusters: Ints,
        missing_of_first: float,
        missing_of_second: float,
    ) -> Estimate | None:
        """Return the difference of two arms, with a score for the missing answers of each."""
        if self.judge is None:
            return paired_difference(
                self.row(first, cases, missing_of_first),
                self.row(second, cases, missing_of_second),
                clusters,
            )
        judged_first = self.judged(first, cases, missing_of_first)
        judged_second = self.judged(second, cases, missing_of_second)
        return judged_first.less(judged_second, clusters)

    def share(
        self, arm: Arm, cases: Cases, *, exact: bool = False, reach: float = Z95
    ) -> ShareOf | Unknown:
        """Return the share for a result; where there is none, the step that would give one."""
        estimate = self.estimate(arm, cases, exact=exact, reach=reach)
        if estimate is not None:
            return ShareOf(**shown_share(estimate))
        why = self.unanswered(arm, cases)
        if why:
            return Unknown(ask=why)
        if exact and self.judge is not None:
            return Unknown(ask=label_more(self.judged(arm, cases).missing))
        return Unknown(ask="it wasn't run")


class _CaseAnswer(NamedTuple):
    """A case with the first answer to it."""

    case: EvalCase
    text: str


def _one_answer_a_question(results: ArmScores) -> list[_CaseAnswer]:
    """Return some answers of an arm, one for each different question among its first cases."""
    by_question = dict[str, _CaseAnswer]()
    for case in islice(results.cases.values(), _MOST_UNWRAPPED):
        text = results.first_output(case)
        if text:
            by_question[question(case)] = _CaseAnswer(case, text)
    return list(by_question.values())


def _note_label(
    results: ArmScores, judge: LabJudge, output: Output, case: EvalCase
) -> None:
    """Note people's label of an answer, if there is one, and a wrong answer by it."""
    digest = digest_of(output.text_with_calls)
    label = judge.labels.get((case.id, digest), math.nan)
    results.labels[case.id] = label
    if label < NO:
        results.note_wrong(case.id, WrongAnswer(WRONG, output.text[:_MASKED]))


def _answer_of(reply: Reply, case: EvalCase) -> Output:
    """Return the answer in a reply, without thinking unless right answers of the case think, too."""
    texts = [answer_text(reference) for reference in case.accepted]
    if any(without_thinking(text) != text for text in texts):
        return Output(reply.text, reply.tool_calls)
    return Output.from_reply(reply)


def shown_share(estimate: Estimate) -> dict[str, Any]:
    """Return the fields of a share with its ends cut to 0 and 1."""
    fields = asdict(estimate)
    fields["low"] = max(0.0, estimate.low)
    fields["high"] = min(1.0, estimate.high)
    return fields


def widened_to(estimate: Estimate | None, reach: float) -> Estimate | None:
    """Return an estimate of 95% with its ends moved to ``reach`` standard errors."""
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
    """Return an estimate with the widest ends that missing answers allow; None without ``known``."""
    if known is None:
        return None
    estimates = [each for each in (known, worst, best) if each is not None]
    return replace(
        known,
        low=min(estimate.low for estimate in estimates),
        high=max(estimate.high for estimate in estimates),
    )


async def run_in_thread(steps: Iterable[Callable[[], None]]) -> None:
    """Call functions in a thread, one after the other; raise the first exception.

    A cancelled caller leaves the thread after its present step. A process that ends doesn't wait
    for that step either, as it may be a user's slow scorer.
    """
    loop = asyncio.get_running_loop()
    called_off = Event()
    ended: asyncio.Future[None] = loop.create_future()

    def end(fault: BaseException | None) -> None:
        """End the wait, in the loop's own thread."""
        if ended.done():  # the caller was cancelled
            return
        if fault is None:
            ended.set_result(None)
        else:
            ended.set_exception(fault)

    def take_steps() -> None:
        fault: BaseException | None = None
        try:
            for step in steps:
                step()
                if called_off.is_set():
                    break
        except BaseException as caught:  # noqa: BLE001  # whoever waits raises it
            fault = caught
        with suppress(RuntimeError):  # the loop is over
            loop.call_soon_threadsafe(end, fault)

    Thread(target=take_steps, daemon=True).start()
    try:
        await ended
    finally:
        called_off.set()


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
    """Return the number of each case's conversation, counted from 0 in the order of first cases."""
    numbers = dict[str, int]()
    numbers_of_cases = []
    for case in cases:
        # a new conversation gets the next number
        number = numbers.setdefault(case.cluster, len(numbers))
        numbers_of_cases.append(number)
    return np.array(numbers_of_cases, dtype=np.int64)


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
        self._runner = calls.runner(self._call_ended, self._show)
        self.stop = stop or Stop()
        self.dropped: dict[str, int | None] = {}
        """By arm, the number of conversations after which it was dropped; None for one that stayed."""
        self._done = 0
        self._total = 0
        self._running = len(plan.arms)
        self._ahead: dict[str, Any] = {"arm": "", "quality": _NO_ROUND}
        # the leaderboard, by the last round of each arm
        # the cases seen, and the time of the next showing on the monotonic clock
        self._seen = list[EvalCase]()
        self._next_show = 0.0
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
                self._note_leader(race)
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

    def _note_leader(self, race: Race) -> None:
        """Note the leader after a round."""
        leader = self.plan.arms[race.result().winner]
        quality = self.scores.share(leader, self._seen)
        self._ahead = {"arm": leader.id, "quality": quality}

    def _goes_on(self, arm: Arm) -> bool:
        """Whether more answers of an arm would be informative."""
        seen = self._seen
        if self.scores.impossible(arm, seen):
            return False
        # equal or wrapped answers, none of them right, will go on like that
        return not (self.scores.same_words(arm, seen) or self.scores.wrapped(arm))

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
        calls_a_case = self.plan.repeats
        if self.scores.judge is not None:
            calls_a_case *= 2  # the grader is called about each answer
        self._total = self._done + left * calls_a_case
        await self._run_earlier_steps(arms, cases)
        calls = list(self.plan.calls(arms, cases, self._heard_answer))
        if calls and not self.stop:
            self.stop = (await self.scores.run(self._runner, calls)).stop
            if self.scores.judge is not None and not self.stop:
                self.stop = self.scores.judge.unheard(MOST_MISSING)

    def _heard_answer(self, job: Job) -> str | None:
        """Return the answer to an earlier step of a chain; None where there is none."""
        return self._heard.get(job.key)

    def _answer_baseline(self, arm: Arm, case: EvalCase) -> None:
        output = Output(self.plan.setting.pool.look_up(arm, case))
        self.scores.answer(arm.id, case, output)

    def _calls_at(self, at: int, arms: Arms, cases: Cases) -> Iterator[Asked]:
        """Yield the calls of chains whose next step is ``at``, counted from 0."""
        for arm in arms:
            if len(arm.steps) <= at:
                continue
            for case in cases:
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
                call = settled.get(job.key)
                if call is None:  # it was never sent
                    continue
                answer = self.scores.step(arm, case, at, job, call)
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
    """Split cases into rounds of about equal size; whole conversations stay in one round.

    The cases of a conversation follow each other.
    """
    if not cases:
        return []
    size = max(FEWEST_A_ROUND, math.ceil(len(cases) / ROUNDS))
    round_of_cases = list[EvalCase]()
    rounds = [round_of_cases]
    for case in cases:
        goes_on = round_of_cases and round_of_cases[-1].cluster == case.cluster
        if len(round_of_cases) >= size and not goes_on:
            round_of_cases = []
            rounds.append(round_of_cases)
        round_of_cases.append(case)
    return rounds
