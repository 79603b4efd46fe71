"""The grader of a lab, called through the lab's ledger and cap, and corrected by people's labels.

Its word alone reports nothing. It grades every output. People label a random sample, which is drawn
before anybody looks, and the result is a prediction-powered interval (``stats.compare``). Equal
outputs for one case are one item, whichever arm wrote them: they need one call and one label.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tuneworthy.errors import CaseError, InputError, one_line
from tuneworthy.files.disk import MIB, read_text
from tuneworthy.files.stores import ADJUDICATED, read_labels
from tuneworthy.lab.plan import PROBE_TOKENS, request_to
from tuneworthy.lab.pool import Cases
from tuneworthy.llm.choose import prices_of
from tuneworthy.llm.endpoints import Reached, reach
from tuneworthy.llm.hosts import name_with_host
from tuneworthy.llm.ledger import Ledger
from tuneworthy.llm.runner import PROBES, Job, Outcome, Runner, Stop
from tuneworthy.measure.personal import mask
from tuneworthy.model.case import Case, Model
from tuneworthy.model.evalset import EvalCase, Label, digest_of
from tuneworthy.model.lab import ChatMessage, JudgePlan, Settled
from tuneworthy.scoring.base import Kit, Output, Scored, make, unscored
from tuneworthy.scoring.judge import LONGEST_PART, Judge
from tuneworthy.stats.clustered import Estimate
from tuneworthy.stats.compare import ENOUGH_LABELS, predicted_difference, predicted_mean

if TYPE_CHECKING:
    from tuneworthy.stats.clustered import Floats, Ints

UNREADABLE = 0.5
"""The grade that counts where the grader's answer can't be used. Any fixed number is honest here,
as people's labels correct it like all others."""
LABELS = 50  #: Cases of a part that people label where nothing else is stated.
SCALE = "yes-no"  #: People's answers for a lab: a target is a share of cases, each a yes or a no.
BYTES_A_TOKEN = 8
"""The assumed length of a missing answer, for a quote. The cap holds for longer answers, too."""


def shuffled(cases: Iterable[EvalCase], seed: int) -> list[EvalCase]:
    """Cases in an order that depends only on their ids and the seed."""
    return sorted(cases, key=lambda case: digest_of("order", str(seed), case.id))


def label_sample(cases: Cases, labels: int, seed: int) -> tuple[EvalCase, ...]:
    """Return the cases of one part on which people's labels count: a random sample, fixed beforehand.

    The sample has the first ``labels`` cases of an order that the seed draws, and more of them
    until 20 conversations are included; all cases where the part has fewer.
    """
    sample: list[EvalCase] = []
    clusters: set[str] = set()
    for case in shuffled(cases, seed):
        if len(sample) >= labels and len(clusters) >= ENOUGH_LABELS:
            break
        sample.append(case)
        clusters.add(case.cluster)
    return tuple(sample)


_SHOWN_OF_WORDS = 80  # characters that are shown of an answer that can't be used


@dataclass(slots=True)
class LabJudge:
    """A grader with its endpoint, and people's labels so far."""

    judge: Judge
    place: Reached
    model: Model
    plan: JudgePlan
    labels: Mapping[tuple[str, str], float]
    """By case and digest of the output, from 0 for no to 1 for yes."""
    #: The rubric's file as the user named it, for a command to copy.
    rubric_file: str = ""
    answers: dict[tuple[str, Output], Settled] = field(default_factory=dict)
    """The grader's answers by case and output."""

    @property
    def name(self) -> str:
        """The scorer in words, for the report and the plan. Another rubric is another scorer."""
        plan = self.plan
        return f"{self.named} as judge by {plan.file} ({plan.rubric[:6]}), {plan.labels} labels"

    @property
    def named(self) -> str:
        """The name of the model for people."""
        return name_with_host(self.model.id, self.place.base_url)

    def job(self, output: Output, case: EvalCase) -> Job | None:
        """The call about an output; None where it is too long to be shown whole."""
        asked = self.judge.question(output, case)
        if asked is None:
            return None
        return Job(request_to(self.place, **asked))

    async def ask(
        self, runner: Runner, outputs: Iterable[tuple[Output, EvalCase]]
    ) -> Outcome | None:
        """Ask about each different output once; None without any output to ask about."""
        jobs = dict[tuple[str, Output], Job]()
        for output, case in outputs:
            job = self.job(output, case)
            if job is not None:
                jobs[case.id, output] = job
        if not jobs:
            return None
        outcome = await runner.all(list(jobs.values()))
        for case_and_output, job in jobs.items():
            settled = outcome.get(job.key)
            if settled is not None:
                self.answers[case_and_output] = settled
        return outcome

    def score(self, output: Output, case: EvalCase) -> Scored:
        """Return the grader's score of an output.

        There is none where the output is too long, or where its call failed or is in doubt.
        """
        settled = self.answers.get((case.id, output))
        if settled is None or settled.whole is None:
            return unscored("judge_not_heard")
        return self.judge.read(settled.whole)

    def unheard(self, most: float) -> Stop:
        """Return a reason to stop where the grader can't be heard; empty where it can.

        It can't where more than a share of ``most`` of its calls got no answer, or where none of
        its answers can be used.
        """
        lost = [call for call in self.answers.values() if call.whole is None]
        # as few lost calls as a probe survives are chance
        few = len(lost) < PROBES
        if few or len(lost) <= most * len(self.answers):
            return self._unusable()
        last = lost[-1]
        why = last.reply.lacks if last.reply else last.why
        lost_of = f"{len(lost)} of {len(self.answers)} calls of the judge got no answer ({why})"
        return Stop(lost_of, "unanswered")

    def _unusable(self) -> Stop:
        """Return a reason to stop where none of the grader's answers holds a score; else empty."""
        replies = [call.whole for call in self.answers.values()]
        answered = [reply for reply in replies if reply is not None]
        if len(answered) < PROBES:  # fewer answers show nothing
            return Stop()
        if any(self.judge.read(reply).ok is not None for reply in answered):
            return Stop()
        first = one_line(mask(answered[0].text), limit=_SHOWN_OF_WORDS)
        none = f"none of {len(answered)} answers of the judge holds a score it may give"
        return Stop(f'{none} ("{first}")', "unanswered")

    def sample(self, cases: Cases) -> tuple[EvalCase, ...]:
        """The cases of one part on which people's labels count."""
        return label_sample(cases, self.plan.labels, self.plan.seed)

    def expected(
        self, job: Job, case: EvalCase, ledger: Ledger | None
    ) -> Iterator[Job]:
        """Yield the grader's call after a call of an arm, for a quote; none where it makes none.

        The call is about the answer in the ledger. Without one, it is about an answer of the
        greatest length.
        """
        known = ledger.find(job.key) if ledger is not None else None
        if known is None:
            output = _longest_output(job)
        elif known.whole is not None:
            output = Output.from_reply(known.whole)
        else:
            return  # a call in doubt is never sent again, so nothing will be graded
        question = self.job(output, case)
        if question is not None:
            yield question


def _longest_output(job: Job) -> Output:
    """Return a text as long as an answer to a call may be; different calls get different texts."""
    longest = BYTES_A_TOKEN * (job.request.max_tokens or PROBE_TOKENS)
    longest = min(longest, LONGEST_PART)  # a longer one isn't graded
    return Output(job.key.ljust(longest, "x")[:longest])


class JudgedScores(NamedTuple):
    """An arm on some cases: the grader's scores, people's labels, and the number of missing ones."""

    judge: Floats
    """0 … 1; ``UNREADABLE`` for an unusable answer, NaN without an output."""
    people: Floats
    """0 … 1 on the sample; NaN elsewhere, and without a label."""
    missing: int  #: Cases of the sample whose output nobody has labelled.

    def estimate(self, clusters: Ints) -> Estimate | None:
        """Return the share of outputs that people would pass.

        None while labels are missing, and where the sample has under 20 conversations.
        """
        kept = ~np.isnan(self.judge)
        # people who have labelled half of a sample may have begun with the easy half
        if self.missing or not kept.any():
            return None
        return predicted_mean(self.judge[kept], self.people[kept], clusters[kept])

    def less(self, other: JudgedScores, clusters: Ints) -> Estimate | None:
        """Return by how much more outputs people would pass than another arm's, on the same cases.

        None while labels are missing, and with under 20 labelled conversations.
        """
        kept = ~(np.isnan(self.judge) | np.isnan(other.judge))
        if self.missing or other.missing or not kept.any():
            return None
        return predicted_difference(
            (self.judge[kept], other.judge[kept]),
            (self.people[kept], other.people[kept]),
            clusters[kept],
        )


def label_more(outputs: int) -> str:
    """Say what has to be done before anything is reported."""
    if not outputs:
        return "make more cases: the drawn ones come from under 20 conversations"
    return f"label {outputs} more outputs (tuneworthy evalset export --for)"


class JudgeChoice(NamedTuple):
    """The user's choice of a grader."""

    rubric: str | Path  #: File with what an output has to meet.
    model: str  #: One of the case's models, or another.
    #: Where another is served; empty for its provider's usual address.
    base_url: str = ""
    usd_per_mtok: tuple[float, float] | None = None
    """The stated price for input and output of an unlisted model; else its list price counts."""
    labels: int = LABELS  #: Cases of a part on which people's labels count.


def judge_setup(
    case: Case, choice: JudgeChoice, *, seed: int, max_tokens: int, as_of: date
) -> LabJudge:
    """Return a grader that can be called, with people's labels so far.

    Raises InputError for a model without a price or with an invalid address, CaseError for an
    empty rubric.
    """
    text = rubric_text(choice.rubric)
    model = _judging_model(case, choice)
    place = reach(model)
    _refuse_unpriced_grader(case, choice, model, place, as_of)
    plan = JudgePlan(
        model=model.id,
        base_url=choice.base_url,
        file=Path(choice.rubric).name,
        rubric=digest_of(text, SCALE),
        labels=choice.labels,
        seed=seed,
        max_tokens=max_tokens,
    )
    return LabJudge(
        judge=make(Judge, text, Kit()),
        place=place,
        model=model,
        plan=plan,
        labels=people_labels(case, plan.rubric),
        rubric_file=str(choice.rubric),
    )


def _refuse_unpriced_grader(
    case: Case, choice: JudgeChoice, model: Model, place: Reached, as_of: date
) -> None:
    """Refuse a grader without a price, as no cap could limit its calls."""
    # a price that the user states for the grader counts even below the list price
    trusted = {model.id} if choice.usd_per_mtok else set[str]()
    price_of = prices_of((*case.models, model), as_of, trusted)
    if price_of(request_to(place, [ChatMessage(role="user", content="")])) is None:
        fix = "give its price in USD for a million tokens: --judge-price IN OUT; 0 is a price"
        raise InputError(
            f'"{model.id[:80]}" has no price', where="--judge-model", fix=fix
        )


def rubric_text(path: str | Path) -> str:
    """Return a rubric as people and the grader see it."""
    text = read_text(Path(path), MIB, CaseError).strip()
    if not text:
        raise CaseError(
            "holds no rubric", where=str(path), fix="write what an output has to meet"
        )
    return text


def people_labels(case: Case, rubric: str) -> dict[tuple[str, str], float]:
    """Return people's labels of outputs by case and digest of the output, from 0 for no to 1 for yes.

    The label is the settled one where people have settled it, else the mean of all labellers'.
    """
    by_labeller = defaultdict[tuple[str, str], list[float]](list)
    settled = dict[tuple[str, str], float]()
    for labeller, labels in read_labels(case).items():
        for case_and_output, value in _last_values(labels, rubric).items():
            if labeller == ADJUDICATED:
                settled[case_and_output] = value
            else:
                by_labeller[case_and_output].append(value)
    means = {
        case_and_output: fmean(values)
        for case_and_output, values in by_labeller.items()
    }
    return means | settled


def _last_values(labels: Iterable[Label], rubric: str) -> dict[tuple[str, str], float]:
    """Return a labeller's last label of each output under a rubric, by case and digest."""
    last = dict[tuple[str, str], Label]()
    for label in labels:
        if label.rubric == rubric:
            last[label.case, label.output] = label
    return {
        case_and_output: float(label.value == "yes")
        for case_and_output, label in last.items()
        if label.task == "rubric" and label.value in ("yes", "no")
    }


def _judging_model(case: Case, choice: JudgeChoice) -> Model:
    """Return the model that grades: one of the case, or one with its own address and price."""
    for model in case.models:
        if model.id != choice.model:
            continue
        if choice.base_url or choice.usd_per_mtok is not None:
            fix = "leave out --judge-url and --judge-price, or name another model"
            what = f'"{choice.model[:80]}" is a model of the case, with its own address and price'
            raise InputError(what, where="--judge-model", fix=fix)
        return model
    price = None
    if choice.usd_per_mtok is not None:
        usd_input, usd_output = choice.usd_per_mtok
        price = {"input": usd_input, "output": usd_output}
    values = {
        "id": choice.model,
        "base_url": choice.base_url or None,
        "usd_per_mtok": price,
    }
    try:
        return Model.model_validate(values)
    except ValueError:
        fix = "give an address that starts with https:// or http://, without a key"
        raise InputError(
            "has an invalid address", where="--judge-url", fix=fix
        ) from None
