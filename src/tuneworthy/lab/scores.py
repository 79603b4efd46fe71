"""The score table of a lab: what each arm answered to each case, and what that is worth.

A score of a case is the mean of its repeats. A call without an answer has no score: it widens an
interval at both ends, and an arm that lacks too many answers isn't measured.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache, partial
from itertools import islice, product
from statistics import mode
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tuneworthy.answers.arms import is_same_model
from tuneworthy.errors import one_line
from tuneworthy.lab.judge import UNREADABLE, JudgedScores, LabJudge, label_more
from tuneworthy.lab.plan import Asked, system_of
from tuneworthy.lab.pool import Cases, answer_text, question
from tuneworthy.llm.endpoints import TAKES_NO
from tuneworthy.llm.runner import Job, Outcome, Runner, Stop
from tuneworthy.measure.personal import mask
from tuneworthy.model.base import Unknown
from tuneworthy.model.evalset import EvalCase, digest_of
from tuneworthy.model.lab import Arm, Reply, Settled, ShareOf
from tuneworthy.scoring import Marker
from tuneworthy.scoring.base import RUN_STOPPED, WRONG, Kit, Output, without_thinking
from tuneworthy.stats.clustered import Estimate, share
from tuneworthy.stats.compare import paired_difference
from tuneworthy.stats.intervals import Z95

Unwrap = Callable[[str], str | None]
"""An answer without the text around it; None for an answer without such text."""

SHARED = 0.95  #: Share of answers that have to have a wrapper for it to be one.
# characters that a wrapper needs at least if it is equal in every answer
_LEAST_MARKS = 2

_MOST_CUT = 4  # words that wrapper and right answers may share
_WORD = re.compile(r"\w+")

_BLOCK = re.compile(r"\s*<([A-Za-z_]{1,30})>.*?</\1>\s*", re.DOTALL)
_FENCED = re.compile(r"```[a-z]{0,12}\n(.*?)```", re.DOTALL)
_LED = re.compile(
    r"\b(?:answer|result|output|label)(?: is)?\W{0,3}[:=]\W{0,3}", re.IGNORECASE
)


def _after_a_block(text: str) -> str | None:
    block = _BLOCK.match(text)
    if block is None or block.end() == len(text):
        return None
    return text[block.end() :]


def _in_a_fence(text: str) -> str | None:
    fence = _FENCED.search(text)
    return fence[1] if fence else None


def _after_a_lead(text: str) -> str | None:
    leads = list(_LED.finditer(text))
    if not leads:
        return None
    last = leads[-1]  # a model may write its thoughts with such words before it answers
    return text[last.end() :].strip(" .*\n")


def _last_line(text: str) -> str | None:
    lines = text.strip().splitlines()
    return lines[-1].lstrip("# ") if len(lines) > 1 else None


_KINDS: dict[str, Unwrap] = {
    "a block between tags before it": _after_a_block,
    "a fence around it": _in_a_fence,
    "a lead before it, as “Answer:”": _after_a_lead,
    "other lines before it": _last_line,
}


def wrappers_of(texts: Sequence[str]) -> dict[str, Unwrap]:
    """Return the wrappers that nearly all answers have, each under its description."""
    least = SHARED * len(texts)
    shared = dict[str, Unwrap]()
    for name, unwrap in {**_same_around(texts), **_KINDS}.items():
        wrapped = [text for text in texts if unwrap(text) is not None]
        if len(wrapped) >= least:
            shared[name] = unwrap
    return shared


def _same_around(texts: Sequence[str]) -> dict[str, Unwrap]:
    """Return pairs of a beginning and an end that nearly all answers share, the longest first.

    Right answers may begin or end alike themselves, as in ``shelf 4``, so shorter pairs count, too.
    """
    longest = _shared_beginning(texts)
    bare = [text[len(longest) :] for text in texts if text.startswith(longest)]
    # the end of a text is the beginning of its reverse
    reversed_end = _shared_beginning([text[::-1] for text in bare])
    around: dict[str, Unwrap] = {}
    for before, reversed_after in product(_shorter(longest), _shorter(reversed_end)):
        after = reversed_after[::-1]
        if len(before.strip()) + len(after.strip()) >= _LEAST_MARKS:
            name = f"“{before.strip()}…{after.strip()}” around it"
            around[name] = partial(_without, before=before, after=after)
    return around


def _without(text: str, *, before: str, after: str) -> str | None:
    """Return a text without its beginning and its end; None where it lacks one of them."""
    if not text.startswith(before):
        return None
    inner = text[len(before) :]
    if inner.endswith(after):
        return inner[: len(inner) - len(after)].strip()
    return None


def _shorter(text: str) -> list[str]:
    """Return a text, and the same with its last words removed one by one."""
    word_starts = [match.start() for match in _WORD.finditer(text)]
    last_starts = word_starts[-_MOST_CUT:]
    return [text, *(text[:start] for start in reversed(last_starts))]


def _shared_beginning(texts: Sequence[str]) -> str:
    """Return the longest common beginning of nearly all texts, without a partial word at its end.

    In sorted order, texts with one beginning are next to each other, so the first and the last of a
    run show it.
    """
    ordered = sorted(texts)
    size = math.ceil(SHARED * len(ordered))
    longest = ""
    # each run of as many texts as are nearly all: its first text with its last
    for first, last in zip(ordered, ordered[size - 1 :], strict=False):
        beginning = _common_beginning(first, last)
        if len(beginning) > len(longest):
            longest = beginning
    return re.sub(r"\w+\Z", "", longest)


def _common_beginning(text: str, other: str) -> str:
    shared = 0
    for mine, theirs in zip(text, other, strict=False):
        if mine != theirs:
            break
        shared += 1
    return text[:shared]


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
NO = 0.5  #: Under this, people say no: less than half of them pass an output.
_MOST_UNWRAPPED = 40  # answers that are scored without their wrapper
_SHOWN = 200
_SHOWN_OF_SAME = 80
_MASKED = 4000  # masked before it is cut, so that no half of a secret is left
# answers scored together, and the seconds between looks for new ones
_AT_ONCE = 250
_LOOK_EVERY_S = 0.05


class StepCall(NamedTuple):
    """One call in a step of a chain."""

    case: str
    usd: float
    seconds: float


class WrongAnswer(NamedTuple):
    """A wrong answer with its sign."""

    signal: str
    text: str  #: Its beginning.


@dataclass(slots=True)
class ScoredCase:
    """The results of an arm on one case, all repeats together."""

    case: EvalCase
    right: float = 0.0  #: The sum of its scores.
    scored: int = 0  #: Answers with a score.
    unjudged: int = 0  #: Answers without one.
    whole: int = 0  #: Answers that are wholly right.
    aloud: int = 0  #: Answers that began with thinking in the open.
    failed: int = 0  #: Calls refused, withheld by a filter, cut off or empty.
    in_doubt: int = 0  #: Calls of which nobody knows what became.
    usd: float = 0.0
    written: int = 0  #: Tokens of the output.
    thought: int = 0  #: Those of them that aren't shown.
    seconds: list[float] = field(default_factory=list)  #: Of each call.
    output: str | None = None  #: The first answer with a score.
    wrong: WrongAnswer | None = None  #: The last wrong one.
    text: int | None = None  #: The digest of the first answer, in this process.
    varies: bool = False  #: Whether its repeats gave different answers.
    why: str = ""  #: The last reason for a missing answer.
    parts: dict[str, bool] = field(
        default_factory=dict
    )  #: Whether each field is right.
    label: float = math.nan  #: People's, of the first answer: 0 … 1.

    @property
    def lost(self) -> int:
        """Calls without an answer."""
        return self.failed + self.in_doubt


class ArmScores:
    """The results of an arm: a row for each case it was run on."""

    def __init__(self) -> None:
        self.rows = dict[str, ScoredCase]()  #: By id of the case.
        #: The wrapper for which none of its answers is right, in words; empty for none.
        self.wrapper = ""
        self.unwrapped_at = 0  #: Answers of which a wrapper was looked for last.
        #: Parameters its model refused, and what it got instead; a dictionary keeps their order.
        self.changed = dict[str, None]()
        #: Answers by models with another name than the requested one.
        self.others = Counter[str]()
        self.steps = dict[str, list[StepCall]]()  #: By prompt of a chain.

    def row(self, case: EvalCase) -> ScoredCase:
        """Return the row of a case; a new one where it wasn't run before."""
        if case.id not in self.rows:
            self.rows[case.id] = ScoredCase(case)
        return self.rows[case.id]

    def ran(self, cases: Cases) -> list[EvalCase]:
        """The cases that the arm was run on."""
        return [case for case in cases if case.id in self.rows]

    def rows_of(self, cases: Cases) -> list[ScoredCase]:
        """Return a row for each case; an empty one where the arm wasn't run."""
        return [self.rows.get(case.id) or ScoredCase(case) for case in cases]

    def columns(self, cases: Cases, *names: str) -> list[Floats]:
        """Return fields of the rows, each as an array with an entry for each case."""
        rows = self.rows_of(cases)
        return [
            np.array([getattr(row, name) for row in rows], dtype=np.float64)
            for name in names
        ]

    @property
    def has_right(self) -> bool:
        """Whether any of its answers is right."""
        return any(row.whole for row in self.rows.values())

    def means(
        self, cases: Cases, missing: float = math.nan, unjudged: float = math.nan
    ) -> Floats:
        """Return the scores of cases, each the mean of its repeats; NaN without any.

        A call without an answer counts as ``missing``, an answer that no scorer can judge as
        ``unjudged``; NaN leaves it out.
        """
        means = []
        for row in self.rows_of(cases):
            right = row.right
            scored = row.scored
            if not math.isnan(missing):
                right += missing * row.lost
                scored += row.lost
            if not math.isnan(unjudged):
                right += unjudged * row.unjudged
                scored += row.unjudged
            means.append(right / scored if scored else math.nan)
        return np.array(means, dtype=np.float64)

    def one_text(self, cases: Cases) -> list[ScoredCase]:
        """Return the answered rows, if all have one and the same text and none is right; else []."""
        answered = [row for row in self.rows_of(cases) if row.text is not None]
        for row in answered:
            if row.varies or row.text != answered[0].text:
                return []
            if row.whole or row.label >= NO:
                return []
        return answered


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
        #: Arms that may give one answer to everything, as their model is known to answer.
        self.believed = set[str]()
        #: How texts of cases and answers are shown.
        self.shown: Callable[[str], str] = masked
        self._arms = defaultdict[str, ArmScores](ArmScores)
        # seconds of the earlier steps of a chain, by arm, case and repeat
        self._waited = defaultdict[tuple[str, str, int], float](float)
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
        """Return the calls before the first one in flight; [] with a grader, which is asked last."""
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
        return await self.judge.ask(runner, answers) or outcome

    async def score_calls(
        self, calls: Iterable[Asked], settled: Mapping[str, Settled]
    ) -> None:
        """Score the answers to calls; ``settled`` has their outcomes by key."""
        steps = list[Callable[[], None]]()
        arms = dict[str, None]()
        for job, arm, case in calls:
            call = settled.get(job.key)
            if call is not None:  # else it was never sent
                steps.append(partial(self._score_call, job, arm, case, call))
                arms[arm.id] = None
        if self.judge is None and self.looks_for_wrappers:
            steps += [partial(self._look_for_wrapper, arm) for arm in arms]
        await run_in_thread(steps)

    def _look_for_wrapper(self, arm: str) -> None:
        """Note the text around an arm's answers if it makes all of them wrong.

        It is searched each time the arm has twice as many answers as at the last search.
        """
        results = self._arms[arm]
        rows = [row for row in results.rows.values() if row.case.accepted]
        if len(rows) < max(SAME_WORDS, 2 * results.unwrapped_at) or results.has_right:
            return
        results.unwrapped_at = len(rows)
        # one answer for each different question
        answers = {
            question(row.case): row
            for row in islice(rows, _MOST_UNWRAPPED)
            if row.output
        }
        # of fewer answers, many may share their text by chance
        if len(answers) < SAME_WORDS:
            return
        texts = [row.output or "" for row in answers.values()]
        for wrapper, unwrap in wrappers_of(texts).items():
            right = 0
            for text, row in zip(texts, answers.values(), strict=True):
                bare = unwrap(text)
                right += bool(bare and self.marker.score(Output(bare), row.case).ok)
            if right >= UNWRAPPED:
                results.wrapper = (
                    f"{wrapper}: without it {right} of {len(answers)} are right"
                )
                return

    def _score_call(self, job: Job, arm: Arm, case: EvalCase, call: Settled) -> None:
        """Note a call of an arm, and score its answer if there is a whole one."""
        # the answer took the time of all steps of a chain
        waited = self._waited.pop((arm.id, case.id, job.repeat), 0.0)
        # a chain that was cut short has no last step: this is the call of the step that failed
        if arm.steps and (arm.id, job.key) not in self._cut_short:
            self._note_step(arm, case, arm.prompt, call)
        results = self._arms[arm.id]
        row = results.row(case)
        reply = call.reply
        if reply is not None:
            if reply.model and not is_same_model(reply.model, job.frame.model):
                results.others[reply.model] += 1
            row.seconds.append(waited + reply.latency_s)
            row.usd += call.usd
            row.written += reply.usage.output_tokens
            row.thought += reply.usage.reasoning_tokens
            results.changed |= dict.fromkeys(reply.changed)
            if not reply.lacks:
                output = _answer_of(reply, case)
                row.aloud += output.text != reply.text
                system = ""
                if self.judge is None and self.marker.reads_system(case):
                    system = system_of(job.request)
                self.answer(arm.id, case, output, system)
                return
        # a call without an answer says nothing about the arm, so it has no score
        row.why = (call.why if reply is None else reply.lacks)[:_SHOWN]
        if call.status == "in_doubt":
            row.in_doubt += 1
        else:
            row.failed += 1

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
        self._arms[arm.id].row(case).usd += settled.usd
        self._waited[arm.id, case.id, job.repeat] += settled.whole.latency_s
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
        row = self._arms[arm].row(case)
        text = output.text_with_calls
        is_first = row.text is None
        if is_first:
            row.text = hash(text)
        row.varies |= row.text != hash(text)
        judge = self.judge
        if judge is None:
            scored = self.marker.score(output, case, system)
        else:
            scored = judge.score(output, case)
            if is_first:  # people label the first of the repeats
                row.label = judge.labels.get((case.id, digest_of(text)), math.nan)
        if scored.why == RUN_STOPPED:
            return  # as if it had not been asked; the next run scores it
        # with a grader only people say which answer is wrong
        if row.label < NO and is_first:
            row.wrong = WrongAnswer(WRONG, output.text[:_MASKED])
        elif judge is None and scored.ok is False:
            row.wrong = WrongAnswer(scored.signal or WRONG, output.text[:_MASKED])
        if scored.ok is None:
            row.unjudged += 1
            return
        row.right += scored.value
        row.scored += 1
        row.whole += scored.ok
        if row.output is None:
            row.output = text[:_MASKED]
            row.parts = scored.parts

    def note_score(self, arm: str, case: EvalCase, score: float) -> None:
        """Note a score that needs no scorer, such as one of retrieval."""
        row = self._arms[arm].row(case)
        row.right += score
        row.scored += 1

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
        rows = results.rows_of(results.ran(cases))
        return bool(rows) and all(
            row.why.startswith(TAKES_NO) and not row.scored for row in rows
        )

    def unanswered(self, arm: Arm, cases: Cases) -> str:
        """Return the reason why an arm isn't measured on cases; empty for a measured one.

        Too many calls have no answer, all answers are equal, or text around them hides them from
        the scorer.
        """
        return (
            self.missing_answers(arm, cases)
            or self.same_words(arm, cases)
            or self.wrapped(arm)
        )

    def why_unanswered(self, arm: Arm, cases: Cases) -> str:
        """Return the reason of ``unanswered`` as one of ``WHY_UNANSWERED``; empty for a measured arm."""
        if self.missing_answers(arm, cases):
            return "unanswered"
        if self.same_words(arm, cases):
            return "same_words"
        return "wrapped" if self.wrapped(arm) else ""

    def missing_answers(self, arm: Arm, cases: Cases) -> str:
        """Complain about an arm with too many calls without an answer; else empty."""
        rows = self.arm_scores(arm).rows_of(cases)
        missing = sum(row.lost for row in rows)
        calls = missing + sum(row.scored + row.unjudged for row in rows)
        if missing <= self.most_missing * calls:
            return ""
        reason = mode(row.why for row in rows if row.lost)
        return f"{missing} of {calls} calls of {arm.id} got no answer ({reason})"

    def same_words(self, arm: Arm, cases: Cases) -> str:
        """Complain about an arm that gives many different inputs one wrong answer; else empty."""
        if arm.kind == "baseline" or arm.id in self.believed:
            return ""
        answered = self.arm_scores(arm).one_text(cases)
        inputs = len({question(row.case) for row in answered})
        if inputs < SAME_WORDS:
            return ""
        text = one_line(self.shown(answered[0].output or ""), limit=_SHOWN_OF_SAME)
        return f'every answer of {arm.id} to {inputs} inputs was: "{text}", and none is right'

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
        rows = results.rows_of(cases)
        people = np.array([missing if row.text is None else row.label for row in rows])
        people[~drawn] = math.nan
        return JudgedScores(judge, people, int(np.isnan(people[drawn]).sum()))

    def wrong(self, arm: Arm, cases: Cases) -> tuple[list[ScoredCase], int]:
        """Return an arm's cases with a wrong answer, by rules or by people; and those with a score."""
        scores = self.row(arm, cases)
        if self.judge is not None:
            cases = self.judge.sample(cases)
            scores = self.judged(arm, cases).people
        wrong = []
        for row, score in zip(
            self.arm_scores(arm).rows_of(cases), scores.tolist(), strict=True
        ):
            if row.wrong is not None and (self.judge is not None or score < 1):
                wrong.append(row)
        return wrong, int((~np.isnan(scores)).sum())

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
        clusters = clusters_of(cases)

        def counting(missing: float) -> Estimate | None:
            """Return the share with a score for each missing answer."""
            if exact and self.judge is not None:
                by_people = self.judged(arm, cases, missing).estimate(clusters)
                return by_people and by_people.reaching(reach)
            row = self.row(arm, cases, missing)
            return share(row, clusters, exact=exact, reach=reach)

        known = counting(math.nan)
        if not any(row.lost for row in self.arm_scores(arm).rows_of(cases)):
            return known
        return _widened(known, counting(0.0), counting(1.0))

    def difference(self, first: Arm, second: Arm, cases: Cases) -> Estimate | None:
        """Return the first arm less the second on the same cases, with ends for any missing answers.

        None where no case has both, and with a grader while labels are missing.
        """
        if not cases:
            return None
        clusters = clusters_of(cases)

        def counting(of_first: float, of_second: float) -> Estimate | None:
            """Return the difference with a score for the missing answers of each."""
            if self.judge is None:
                before = self.row(first, cases, of_first)
                return paired_difference(
                    before, self.row(second, cases, of_second), clusters
                )
            judged = self.judged(first, cases, of_first)
            return judged.less(self.judged(second, cases, of_second), clusters)

        known = counting(math.nan, math.nan)
        return _widened(known, counting(0.0, 1.0), counting(1.0, 0.0))

    def share(
        self, arm: Arm, cases: Cases, *, exact: bool = False, reach: float = Z95
    ) -> ShareOf | Unknown:
        """Return the share for a result; where there is none, the step that would give one."""
        estimate = self.estimate(arm, cases, exact=exact, reach=reach)
        if estimate is not None:
            return shown_share(estimate)
        why = self.unanswered(arm, cases)
        if why:
            return Unknown(ask=why)
        if exact and self.judge is not None:
            return Unknown(ask=label_more(self.judged(arm, cases).missing))
        return Unknown(ask="it wasn't run")


def _answer_of(reply: Reply, case: EvalCase) -> Output:
    """Return the answer in a reply, without thinking unless right answers of the case think, too."""
    texts = [answer_text(reference) for reference in case.accepted]
    if any(without_thinking(text) != text for text in texts):
        return Output(reply.text, reply.tool_calls)
    return Output.from_reply(reply)


def shown_share(estimate: Estimate, **more: Any) -> ShareOf:
    """Return a share with its ends cut to 0 and 1."""
    fields = asdict(estimate)
    fields["low"] = max(0.0, estimate.low)
    fields["high"] = min(1.0, estimate.high)
    return ShareOf(**fields, **more)


def _widened(
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
    # a new conversation gets the next number
    return np.array(
        [numbers.setdefault(case.cluster, len(numbers)) for case in cases],
        dtype=np.int64,
    )
