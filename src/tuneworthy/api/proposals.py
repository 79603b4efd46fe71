"""Prompts that a generator proposes for a ceiling lab: who writes, what is sent, what is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from tuneworthy.api.lab import Ready
from tuneworthy.calls.endpoints import LOCAL, reach
from tuneworthy.calls.ledger import Ledger
from tuneworthy.calls.run import Job, Runner
from tuneworthy.calls.transport import Transport
from tuneworthy.domain.calls import Settled
from tuneworthy.domain.case import Case, Model
from tuneworthy.domain.errors import CaseError
from tuneworthy.domain.lab import Stand
from tuneworthy.domain.proposing import Gain, Proposing
from tuneworthy.domain.record import Unknown
from tuneworthy.files.labs import write_prompts
from tuneworthy.labs.ceiling import RUN, Plan, system_of
from tuneworthy.labs.proposing import (
    Bench,
    CutShortError,
    Wish,
    as_written,
    extended,
    gepa,
    parted_for,
    plateau,
    propose,
    told_of,
)
from tuneworthy.labs.scores import Scores

FEWEST_TAUGHT = 3
"""Cases a generator has to learn from."""
_TELL_EVERY = 4  # calls: written texts are few and slow
_LOOK_S = 5.0  # seconds after which a waiting thread looks whether anybody will answer
_NONE = Unknown(ask="let a generator propose prompts: --propose 5")
_CUT = Unknown(ask="run it to its end")


def with_proposals(ready: Ready, draws: int, model: str | None = None) -> Ready:
    """A lab in which a generator proposes prompts first. Some cases are parted off to learn from.

    Args:
        ready: The lab without.
        draws: Times the generator is begun afresh; 0 for none.
        model: Id of the model that writes; the case's first prompted one when not given. One that
            the case doesn't list is called at its provider, at its list price.

    Raises:
        InputError: If gepa isn't installed, the model can't be reached or is too weak, or there is
            nothing to begin from or to learn from.
    """
    if not draws:
        if model is not None:
            raise CaseError("nothing is to be proposed", fix="add --propose 5")
        return ready
    case = ready.case
    if not as_written(ready.plan.arms):
        fix = "add the model that is prompted today"
        raise CaseError("names no model but tuned ones", where=case.where("models"), fix=fix)
    if ready.scores.judging is not None:
        fix = "propose with a scorer that is a rule; let a model judge what came in a second run"
        raise CaseError("a judging model's word alone is no ground to write prompts by", fix=fix)
    gepa()
    writer = _writer(case, model)
    plan, taught = parted_for(ready.plan)
    if len(taught) < FEWEST_TAUGHT:
        what = f"has {len(taught)} cases for selecting that a generator could learn from"
        fix = f"make more: {FEWEST_TAUGHT} are the fewest, and one in three is taken"
        raise CaseError(what, where=case.where("data", "evaluation"), fix=fix)
    return replace(ready, plan=plan, wish=Wish(draws, writer, reach(writer), taught))


def _writer(case: Case, model: str | None) -> Model:
    """The model that writes."""
    if model is None:
        found = next(one for one in case.callable_models if one.kind == "prompted")
    else:
        named = (one for one in case.callable_models if one.id == model)
        found = next(named, None) or Model(id=model)
    if found.base_url is None and found.id.startswith(f"{LOCAL}:"):
        fix = "name a capable one, as --propose-with openai:gpt-5"
        raise CaseError(f'model "{found.id}" is too weak to write prompts', fix=fix)
    return found


@dataclass(frozen=True, slots=True)
class Added:
    """A plan with the prompts that were proposed, and what is told of them."""

    plan: Plan
    proposing: Proposing | Unknown = _NONE
    plateau: Gain | Unknown = _NONE
    stopped: str = ""
    """Why it ended before its end; empty where it didn't."""


async def add(
    ready: Ready, ledger: Ledger, transport: Transport, *, cap_usd: float, at_once: int,
    watch: Callable[[Stand], None] | None, on_interrupt: Callable[[Callable[[], None]], None],
) -> Added:  # fmt: skip
    """Have prompts proposed, keep them beside the case, and score every draw on the same cases.

    All calls count against the lab's cap. A lab without a wish is given back as it is.

    Raises:
        InputError: If the ledger can't be used, or a prompt can't be kept.
    """
    if ready.wish is None:
        return Added(ready.plan)
    telling = _Telling(ledger, cap_usd, watch, len(ready.plan.arms))
    runner = Runner(ledger, transport, ready.price_of, run=RUN, cap_usd=cap_usd, at_once=at_once,
                    progress=telling.one_more)  # fmt: skip
    on_interrupt(runner.stop)
    loop = asyncio.get_running_loop()

    def ask(jobs: Sequence[Job]) -> Mapping[str, Settled]:
        return _waited(asyncio.run_coroutine_threadsafe(_all(runner, jobs), loop), loop)

    bench = Bench(ready.plan, ready.wish, ready.scores.marker, ask)
    try:
        found = await asyncio.to_thread(propose, bench)
        drawn = [one for one in found.draws if one is not None]
        assert found.parent is not None  # it ran to its end
        more = extended(ready.plan, found.parent, drawn)
        write_prompts(ready.case, more.prompts)
        jobs = [(job, arm, case) for arm in dict.fromkeys(more.arms) for case in more.plan.select
                for job in more.plan.jobs(arm, case)]  # fmt: skip
        settled = await _all(runner, [job for job, *_ in jobs])
    except CutShortError as cut:
        return Added(ready.plan, _CUT, _CUT, stopped=str(cut))
    scores = Scores(ready.scores.marker)
    for job, arm, case in jobs:
        scores.call(arm.id, case, settled[job.key], system_of(job.request))
    told = told_of(ready.wish, found.parent, drawn, more, scores)
    return Added(more.plan, told, plateau(drawn, more, scores))


async def _all(runner: Runner, jobs: Sequence[Job]) -> Mapping[str, Settled]:
    """What became of some calls.

    Raises:
        CutShortError: If some weren't sent.
    """
    outcome = await runner.all(jobs)
    found = {job.key: outcome.settled.get(job.key) for job in jobs}
    known = {key: one for key, one in found.items() if one is not None}
    if outcome.stopped or len(known) < len(found):
        raise CutShortError(outcome.why)
    return known


def _waited(
    future: Future[Mapping[str, Settled]], loop: asyncio.AbstractEventLoop
) -> Mapping[str, Settled]:
    """What a call on the loop gives, for a thread beside it; a loop that is over gives nothing."""
    while True:
        try:
            return future.result(timeout=_LOOK_S)
        except TimeoutError:
            if future.done() or loop.is_closed():
                raise


class _Telling:
    """Says how proposing stands, every few calls."""

    def __init__(
        self, ledger: Ledger, cap_usd: float, watch: Callable[[Stand], None] | None, arms: int
    ) -> None:
        self._ledger, self._cap, self._watch, self._arms = ledger, cap_usd, watch, arms
        self._done = 0

    def one_more(self, found: Settled) -> None:
        """A call has ended."""
        del found
        self._done += 1
        if self._watch is not None and self._done % _TELL_EVERY == 0:
            told = Unknown(ask="wait for the first round")
            self._watch(Stand(
                arm="", quality=told, done=self._done, of=0, running=self._arms,
                spend=self._ledger.spend(RUN, self._cap),
            ))  # fmt: skip
