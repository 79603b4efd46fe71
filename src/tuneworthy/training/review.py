"""Which candidates people look at first, and what they see of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import takewhile, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from tuneworthy.errors import InputError, StoppedError
from tuneworthy.files.stores import written_choice
from tuneworthy.lab.prepare import paid, prepare
from tuneworthy.lab.session import PaidCalls, ledger_or_none
from tuneworthy.llm.runner import Job, quote
from tuneworthy.model.evalset import PAIRS, CaseMessage, EvalCase, digest_of
from tuneworthy.model.lab import Settled
from tuneworthy.model.training import REVIEWS, ChatTurn, TrainingExample
from tuneworthy.report.sections.evalset import Item
from tuneworthy.scoring.base import Output
from tuneworthy.syntax.document import did_you_mean
from tuneworthy.training.candidates import Candidate, training_set

LABEL = "label"  #: The arm's name of an example's own answer, where people compare it.
_LABEL_CHARACTERS = 80
_MOST_LABELS = 50


def review_order(found: Sequence[Candidate]) -> list[TrainingExample]:
    """Candidates in the order of review: one at random, then the most doubtful of a stratum.

    Strata are kinds of answer (labels, where these are few and short), origin and length; doubt is
    an answer that is cut off, or unusually long or short for its question. The order follows from
    what the examples say, so that two people meet and nobody has to begin again.
    """
    turns = zip_longest(_at_random(found), _by_doubt(found))
    return [*dict.fromkeys(one.example for pair in turns for one in pair if one is not None)]


def random_part(found: Sequence[Candidate], reviewed: Container[str]) -> list[str]:
    """Ids of a random sample all of which is reviewed: what is true of it is true of them all."""
    ids = (one.example.id for one in _at_random(found))
    return [*takewhile(lambda id_: id_ in reviewed, ids)]


def _at_random(found: Sequence[Candidate]) -> list[Candidate]:
    return sorted(found, key=lambda one: digest_of("review", one.example.id))


def _by_doubt(found: Sequence[Candidate]) -> Iterator[Candidate]:
    """One of each stratum, the smallest first, and then the next of each."""
    answers = {one.example.answer.content for one in found}
    few = len(answers) <= _MOST_LABELS and all(len(a) <= _LABEL_CHARACTERS for a in answers)
    sizes = sorted(len(one.example.asked) for one in found)
    ends = [sizes[len(sizes) * n // 3] for n in (1, 2)] if sizes else []
    strata: dict[tuple[str, str, int], list[Candidate]] = defaultdict(list)
    for one in _at_random(found):
        length = sum(len(one.example.asked) > end for end in ends)
        kind = one.example.answer.content if few else ""
        strata[kind, one.example.origin, length].append(one)
    groups = sorted(strata.values(), key=len)
    for group in groups:
        middle = sorted(map(_ratio, group))[len(group) // 2]
        group.sort(key=lambda one, usual=middle: (not one.cut, -abs(_ratio(one) - usual)))  # type: ignore[misc]  # the median of its own group
    for row in zip_longest(*groups):
        yield from (one for one in row if one is not None)


def _ratio(one: Candidate) -> float:
    return len(one.example.answer.content) / (len(one.example.asked) + 20)


def turn_shown(turn: ChatTurn) -> str:
    """What a turn says, calls of tools as lines of their own."""
    calls = [f"{call.function.name}({call.function.arguments})" for call in turn.tool_calls]
    return "\n".join(filter(None, (turn.content, *calls)))


def as_case(one: TrainingExample) -> EvalCase:
    """What is asked, without its answer."""
    turns = [CaseMessage(role=t.role, content=turn_shown(t)) for t in one.messages[:-1]]
    return EvalCase(id=one.id, messages=tuple(turns))


def review_items(found: Sequence[Candidate]) -> list[Item]:
    """What reviewers see: a conversation and its answer, and neither its source nor its model."""
    return [
        Item("training", as_case(one), outputs=(turn_shown(one.answer),), choices=REVIEWS)
        for one in review_order(found)
    ]


def pair_items(own: OwnAnswers) -> list[Item]:
    """Labels beside an arm's own answers, in an order that says nothing of which is which."""
    made = []
    for one in (one for one in own.examples if one.id in own.answers):
        outputs = (turn_shown(one.answer), own.answers[one.id])
        flip = digest_of("flip", one.id)[0] in "13579bdf"
        made.append(Item("pairwise", as_case(one), (LABEL, own.arm), outputs, PAIRS, flip))
    return made


# Labels against the model's own answers.

MOST_COMPARED = 1000
COMPARE_RUN = "compare"  #: Name of the run whose cap counts.


class OwnAnswers(NamedTuple):
    """What an arm makes of some examples of the training set."""

    arm: str
    examples: tuple[TrainingExample, ...]  #: In the order of showing.
    answers: dict[str, str]  #: By id; an example without a whole answer has none.


def own_answers(
    source: str | Path,
    *,
    arm: str = "",
    n: int = MOST_COMPARED,
    send: bool = False,
    cap_usd: float = 0.0,
    **settings: Any,
) -> OwnAnswers:
    """What the best arm answers to examples drawn from the training set.

    Args:
        source: The case folder or file.
        arm: The arm; the one that the ceiling lab chose when not given, else the first with a
            prompt.
        n: The most examples; whoever only reads gets all that were answered.
        send: Ask for what isn't in the ledger yet; nothing is paid twice.
        cap_usd: The most that may cost.
        settings: As for ``lab.prepare.paid``.

    Raises:
        InputError: If there is no training set, no such arm, or the cap is too small.
    """
    lab = prepare(source, scored=False)
    _, kept = training_set(lab.case)
    arms = {one.id: one for one in lab.plan.called if not one.steps}
    choice = written_choice(lab.case)
    best = next((one for one in (choice.chosen if choice else ()) if one in arms), "")
    name = arm or best or next(iter(arms), "")
    if name not in arms:
        fix = did_you_mean(name, (*arms,))
        raise InputError(f'"{name[:80]}" is no arm of one call', where="--arm", fix=fix)
    examples = sorted(kept, key=lambda one: digest_of("compare", one.id))[:n]
    jobs = {one.id: next(lab.plan.calls([arms[name]], [as_case(one)]))[0] for one in examples}
    settled: Mapping[str, Settled | None] = {}
    if send:
        every = [*jobs.values()]
        parts = (
            lambda _, ledger: quote(every, ledger, lab.price_of),
            lambda c, _: _asked(c, every),
        )
        settled = paid(lab, COMPARE_RUN, *parts, cap_usd=cap_usd, **settings)
    else:
        with ledger_or_none(lab.case) as ledger:
            settled = ledger.found([j.key for j in jobs.values()]) if ledger else {}
    answers = {}
    for id_, job in jobs.items():
        one = settled.get(job.key)
        if one is not None and one.reply is not None and not one.reply.lacks:
            answers[id_] = Output.of(one.reply).shown
    return OwnAnswers(name, tuple(examples), answers)


async def _asked(calls: PaidCalls, jobs: Sequence[Job]) -> Mapping[str, Settled]:
    outcome = await calls.runner().all(jobs)
    if outcome.stopped:
        raise StoppedError(outcome.why)
    return outcome.some([job.key for job in jobs])
