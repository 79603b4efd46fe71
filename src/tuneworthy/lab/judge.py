"""A judge on the wire: asked through the lab's ledger and cap, and put right by people.

Its word alone reports nothing. Every output is judged; people label some of them, drawn at random
before anybody looks; what is told is a prediction-powered interval (``stats.predicted``). The same
output for the same case is one thing, whichever arm wrote it: one judgement and one label serve.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tuneworthy.llm.endpoints import Reached
from tuneworthy.llm.ledger import Ledger
from tuneworthy.llm.runner import Job, Outcome, Runner
from tuneworthy.model.case import Model
from tuneworthy.model.evalset import EvalCase, digest_of
from tuneworthy.model.lab import JudgePlan, Reply, Settled
from tuneworthy.scoring.base import Output, Scored, unscored
from tuneworthy.scoring.judge import LONGEST_PART, Judge
from tuneworthy.stats.clustered import Estimate
from tuneworthy.stats.compare import ENOUGH_LABELS, predicted_difference, predicted_mean

# Which cases people label: the first of an order that is drawn, the same for all.


def shuffled(cases: Iterable[EvalCase], seed: int) -> list[EvalCase]:
    """Cases in an order that depends on their ids and the seed alone."""
    return sorted(cases, key=lambda one: digest_of("order", str(seed), one.id))


def drawn(cases: Sequence[EvalCase], labels: int, seed: int) -> tuple[EvalCase, ...]:
    """The cases on which people's word counts: a random sample, fixed before anybody labels.

    Args:
        cases: One part of the evaluation set.
        labels: How many are wanted.
        seed: Of the order.

    Returns:
        The first ``labels`` of the order, and as many more as it takes to have 20 conversations
        among them; all of them where the part has fewer.
    """
    found: list[EvalCase] = []
    seen: set[str] = set()
    for one in shuffled(cases, seed):
        if len(found) >= labels and len(seen) >= ENOUGH_LABELS:
            break
        found.append(one)
        seen.add(one.cluster)
    return tuple(found)


# A judge on the wire: asked through the lab's ledger and cap, and put right by people.

UNREADABLE = 0.5
"""What a judge is taken to say where it says nothing that can be used. Any fixed number is honest
here, because people's labels correct it as they correct the rest."""
_BYTES_A_TOKEN = 8
"""Length of an answer that isn't there yet, for a quote; the cap holds for longer ones as well."""

Said = Mapping[tuple[str, str], float]
"""What people say: by case and digest of the output, from 0 for no to 1 for yes."""


@dataclass(slots=True)
class Judging:
    """A judge, where it is reached, and what people have said so far."""

    judge: Judge
    place: Reached
    model: Model
    plan: JudgePlan
    said: Said
    given: str = ""
    """How the user named the rubric's file, for a command to copy."""
    heard: dict[tuple[str, Output], Settled] = field(default_factory=dict)
    """The judge's answers by case and output."""

    @property
    def name(self) -> str:
        """Who scores, in words for the report and the plan: another rubric is another scorer."""
        plan = self.plan
        return f"{plan.model} as judge by {plan.file} ({plan.rubric[:6]}), {plan.labels} labels"

    def job(self, output: Output, case: EvalCase) -> Job | None:
        """The question about an output; None where it is too long to be shown whole."""
        place = self.place
        request = self.judge.request(
            output, case, provider=place.provider, base_url=place.base_url, model=place.name
        )
        return None if request is None else Job(request)

    async def hear(
        self, runner: Runner, answers: Iterable[tuple[Output, EvalCase]]
    ) -> Outcome | None:
        """Ask about some outputs, each once.

        Returns:
            What became of the run; None where there was nothing to ask.
        """
        asked = {(case.id, output): self.job(output, case) for output, case in answers}
        jobs = {name: job for name, job in asked.items() if job is not None}
        if not jobs:
            return None
        outcome = await runner.all(list(jobs.values()))
        for name, job in jobs.items():
            if (found := outcome.settled.get(job.key)) is not None:
                self.heard[name] = found
        return outcome

    def scored(self, output: Output, case: EvalCase) -> Scored:
        """What the judge said of an output; not judged where it said nothing that can be used."""
        found = self.heard.get((case.id, output))
        if found is None or found.reply is None:
            return unscored("judge_not_heard")  # too long to be shown whole, failed, or in doubt
        return self.judge.read(found.reply)

    def label(self, output: Output, case: EvalCase) -> float:
        """What people say of an output; NaN where nobody has labelled it."""
        return self.said.get((case.id, digest_of(shown_text(output))), math.nan)

    def drawn(self, cases: Sequence[EvalCase]) -> tuple[EvalCase, ...]:
        """The cases of one part on which people's word counts."""
        return drawn(cases, self.plan.labels, self.plan.seed)

    def expected(
        self, asked: Iterable[tuple[Job, EvalCase]], ledger: Ledger | None
    ) -> tuple[Job, ...]:
        """The questions that would follow from some calls, for a quote.

        Args:
            asked: Calls of arms, each with its case.
            ledger: Where answers that are there already are found; None where none can be.

        Returns:
            For an answer that is there its own question, and else one about an answer of eight
            bytes a token, as many as it may have.
        """
        found = []
        for job, case in asked:
            known = ledger.find(job.key) if ledger is not None else None
            if known is not None and known.status == "failed":
                known = None
            if known is None:
                longest = _BYTES_A_TOKEN * (job.request.max_tokens or self.plan.max_tokens)
                longest = min(longest, LONGEST_PART)  # a longer one isn't judged
                output = Output(job.key.ljust(longest, "x")[:longest])
            elif known.reply is None:
                continue  # in doubt: it is never sent again, so nothing is judged
            else:
                output = Output.of(known.reply)
            if (one := self.job(output, case)) is not None:
                found.append(one)
        return tuple(found)


def shown_text(output: Output) -> str:
    """An output as people are shown it: its text, and the tools it calls."""
    calls = [{"name": name, "arguments": text} for name, text in output.tool_calls]
    told = f"{output.text}\n{json.dumps(calls, ensure_ascii=False)}" if calls else output.text
    return told.strip()


def reply_text(reply: Reply) -> str:
    """A reply as people are shown it."""
    return shown_text(Output.of(reply))


@dataclass(frozen=True, slots=True)
class Heard:
    """An arm on some cases: the judge's word, people's, and which cases have an answer at all."""

    judge: NDArray[np.float64]
    """0 … 1; ``UNREADABLE`` where it can't be used, NaN where there is nothing to judge."""
    people: NDArray[np.float64]
    """0 … 1 on the drawn cases, NaN elsewhere, and where nobody has labelled yet."""
    missing: int
    """Drawn cases whose output nobody has labelled."""


def by_people(heard: Heard, clusters: NDArray[np.int64]) -> Estimate | None:
    """The share of an arm's outputs that people would let pass; None while labels are missing.

    Also None where the drawn cases come from under 20 conversations.
    """
    there = ~np.isnan(heard.judge)
    if heard.missing or not there.any():
        return None
    return predicted_mean(heard.judge[there], heard.people[there], clusters[there])


def apart_by_people(first: Heard, second: Heard, clusters: NDArray[np.int64]) -> Estimate | None:
    """How much more of the first arm's outputs people would let pass, on the same cases.

    Returns:
        First less second; None while labels are missing, or under 20 labelled conversations.
    """
    there = ~(np.isnan(first.judge) | np.isnan(second.judge))
    if first.missing or second.missing or not there.any():
        return None
    return predicted_difference(
        (first.judge[there], second.judge[there]),
        (first.people[there], second.people[there]),
        clusters[there],
    )


def label_more(outputs: int) -> str:
    """What has to be done before anything is told."""
    if not outputs:
        return "make more cases: the drawn ones come from under 20 conversations"
    return f"label {outputs} more outputs (tuneworthy evalset label --for)"
