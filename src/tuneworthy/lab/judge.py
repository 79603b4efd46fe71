"""The grader of a lab, called through the lab's ledger and cap, and corrected by people's labels.

Its word alone reports nothing. It grades every output. People label a random sample, which is drawn
before anybody looks, and the result is a prediction-powered interval (``stats.compare``). Equal
outputs for one case are one item, whichever arm wrote them: they need one call and one label.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tuneworthy.errors import CaseError, InputError, one_line
from tuneworthy.files.disk import MIB, read_text
from tuneworthy.files.stores import ADJUDICATED, read_labels
from tuneworthy.lab.plan import PROBE_TOKENS, Cases, request_to
from tuneworthy.llm.choose import prices_of
from tuneworthy.llm.endpoints import Reached, reach
from tuneworthy.llm.hosts import name_with_host
from tuneworthy.llm.ledger import Ledger
from tuneworthy.llm.runner import PROBES, Job, Outcome, Runner, Stop
from tuneworthy.measure.personal import mask
from tuneworthy.model.case import Case, Model
from tuneworthy.model.evalset import EvalCase, digest_of
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
    """The cases of one part on which people's labels count: a random sample, fixed beforehand.

    It has the first ``labels`` cases of an order that the seed draws, and more of them until 20
    conversations are included; all cases where the part has fewer.
    """
    sample: list[EvalCase] = []
    clusters: set[str] = set()
    for case in shuffled(cases, seed):
        if len(sample) >= labels and len(clusters) >= ENOUGH_LABELS:
            break
        sample.append(case)
        clusters.add(case.cluster)
    return tuple(sample)


_SHOWN_OF_WORDS = 80  # of an answer that can't be used


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
        """Ask about each different output once; None without any output."""
        possible = {
            (case.id, output): self.job(output, case) for output, case in outputs
        }
        jobs = {name: job for name, job in possible.items() if job is not None}
        if not jobs:
            return None
        outcome = await runner.all(list(jobs.values()))
        for name, job in jobs.items():
            if (settled := outcome.get(job.key)) is not None:
                self.answers[name] = settled
        return outcome

    def score(self, output: Output, case: EvalCase) -> Scored:
        """The grader's score; none where the output is too long, or its call failed or is in doubt."""
        settled = self.answers.get((case.id, output))
        if settled is None or settled.whole is None:
            return unscored("judge_not_heard")
        return self.judge.read(settled.whole)

    def unheard(self, most: float) -> Stop:
        """A reason to stop where more than a share of ``most`` of the grader's answers is lost.

        A few lost calls are no reason.
        """
        lost = [call for call in self.answers.values() if call.whole is None]
        if len(lost) <= max(PROBES - 1, most * len(self.answers)):
            return self._unread()
        last = lost[-1]
        why = last.reply.lacks if last.reply else last.why
        lost_of = f"{len(lost)} of {len(self.answers)} calls of the judge got no answer ({why})"
        return Stop(lost_of, "unanswered")

    def _unread(self) -> Stop:
        """A reason to stop where none of its first answers can be used, as many as a probe has."""
        words = [call.whole for call in self.answers.values() if call.whole is not None]
        if len(words) < PROBES or any(
            self.judge.read(reply).ok is not None for reply in words
        ):
            return Stop()
        said = one_line(mask(words[0].text), limit=_SHOWN_OF_WORDS)
        none = f"none of {len(words)} answers of the judge holds a score it may give"
        return Stop(f'{none} ("{said}")', "unanswered")

    def sample(self, cases: Cases) -> tuple[EvalCase, ...]:
        """The cases of one part on which people's labels count."""
        return label_sample(cases, self.plan.labels, self.plan.seed)

    def expected(
        self, job: Job, case: EvalCase, ledger: Ledger | None
    ) -> Iterator[Job]:
        """The grader's call after a call of an arm, for a quote.

        It is about the answer in the ledger. Without one, it is about an assumed answer with eight
        bytes for each token it may have. A call in doubt is never sent again, so it has no call of
        the grader.
        """
        known = ledger.find(job.key) if ledger is not None else None
        if known is None:
            longest = BYTES_A_TOKEN * (job.request.max_tokens or PROBE_TOKENS)
            longest = min(longest, LONGEST_PART)  # a longer one isn't judged
            output = Output(job.key.ljust(longest, "x")[:longest])
        elif known.whole is not None:
            output = Output.from_reply(known.whole)
        else:
            return
        if (question := self.job(output, case)) is not None:
            yield question


class JudgedScores(NamedTuple):
    """An arm on some cases: the grader's scores, people's labels, and the number of missing ones."""

    judge: Floats
    """0 … 1; ``UNREADABLE`` for an unusable answer, NaN without an output."""
    people: Floats
    """0 … 1 on the sample; NaN elsewhere, and without a label."""
    missing: int  #: Cases of the sample whose output nobody has labelled.

    def estimate(self, clusters: Ints) -> Estimate | None:
        """The share of outputs that people would pass.

        None while labels are missing, and where the sample has under 20 conversations.
        """
        kept = ~np.isnan(self.judge)
        if self.missing or not kept.any():
            return None
        return predicted_mean(self.judge[kept], self.people[kept], clusters[kept])

    def less(self, other: JudgedScores, clusters: Ints) -> Estimate | None:
        """The difference to another arm, on the same cases, in the share that people would pass.

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
    """A grader that can be called, with the labels so far."""
    text = rubric_text(choice.rubric)
    model = _judging_model(case, choice)
    place = reach(model)
    probe = request_to(place, [ChatMessage(role="user", content="")])
    trusted = {model.id} if choice.usd_per_mtok else set[str]()
    if prices_of((*case.models, model), as_of, trusted)(probe) is None:
        fix = "give its price in USD for a million tokens: --judge-price IN OUT; 0 is a price"
        raise InputError(
            f'"{model.id[:80]}" has no price', where="--judge-model", fix=fix
        )
    plan = JudgePlan(
        model=model.id,
        base_url=choice.base_url,
        file=Path(choice.rubric).name,
        rubric=digest_of(text, SCALE),
        labels=choice.labels,
        seed=seed,
        max_tokens=max_tokens,
    )
    labels = people_labels(case, plan.rubric)
    return LabJudge(
        make(Judge, text, Kit()), place, model, plan, labels, str(choice.rubric)
    )


def rubric_text(path: str | Path) -> str:
    """A rubric as people and the grader see it."""
    text = read_text(Path(path), MIB, CaseError).strip()
    if not text:
        raise CaseError(
            "holds no rubric", where=str(path), fix="write what an output has to meet"
        )
    return text


def people_labels(case: Case, rubric: str) -> dict[tuple[str, str], float]:
    """People's labels of outputs: the settled one, else the mean of all its labels."""
    several: dict[tuple[str, str], list[float]] = {}
    settled: dict[tuple[str, str], float] = {}
    for name, labels in read_labels(case).items():
        last = {(label.case, label.output, label.rubric): label for label in labels}
        for label in last.values():
            if (
                label.task == "rubric"
                and label.rubric == rubric
                and label.value in ("yes", "no")
            ):
                key = (label.case, label.output)
                value = float(label.value == "yes")
                if name == ADJUDICATED:
                    settled[key] = value
                else:
                    several.setdefault(key, []).append(value)
    return {key: sum(values) / len(values) for key, values in several.items()} | settled


def _judging_model(case: Case, choice: JudgeChoice) -> Model:
    """The model that grades: one of the case, or one with its own address and price."""
    known = next((model for model in case.models if model.id == choice.model), None)
    if known is not None:
        if choice.base_url or choice.usd_per_mtok is not None:
            fix = "leave out --judge-url and --judge-price, or name another model"
            what = f'"{choice.model[:80]}" is a model of the case, with its own address and price'
            raise InputError(what, where="--judge-model", fix=fix)
        return known
    read, wrote = choice.usd_per_mtok or (None, None)
    price = None if read is None else {"input": read, "output": wrote}
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
