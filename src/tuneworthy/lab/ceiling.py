"""The ceiling lab of a case: quote, run, report, and what it adds to the evidence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Unpack

from tuneworthy.errors import CaseError
from tuneworthy.files.stores import append_evidence, write_choice, write_prompts
from tuneworthy.lab.contrast import chosen_arms, plan_of
from tuneworthy.lab.plan import LabPlan
from tuneworthy.lab.prepare import CallSettings, PreparedLab, paid, price
from tuneworthy.lab.propose import (
    CandidateEvaluator,
    CutShortError,
    ProposalRequest,
    as_written,
    gepa,
    parted_for,
    propose,
)
from tuneworthy.lab.result import evidence_of, outcome
from tuneworthy.lab.scores import Lab, Scores
from tuneworthy.lab.session import PaidCalls
from tuneworthy.llm.endpoints import LOCAL, reach
from tuneworthy.llm.runner import Job, Runner
from tuneworthy.model.base import Unknown
from tuneworthy.model.case import Case, Model
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.lab import Arm, CeilingResult, Gain, Proposing, Quote, Settled, Stand
from tuneworthy.pipeline import decide
from tuneworthy.report import render as render_document
from tuneworthy.report.sections.lab import (
    ceiling_dict,
    ceiling_document,
    proposals_row,
    quote_dict,
    quote_document,
)
from tuneworthy.verdict.weigh import figures

CEILING_RUN = "ceiling"
"""Name of the run whose cap counts."""
FEWEST_TAUGHT = 3
"""Cases a generator has to learn from."""
_WATCH_EVERY = 4  # calls: written texts are few and slow
_LOOK_S = 5.0  # seconds after which a waiting thread looks whether anybody will answer


@dataclass(frozen=True, slots=True)
class CeilingRun:
    """A ceiling lab that ran."""

    result: CeilingResult
    dossier: Dossier
    before: Dossier
    folder: str
    rubric: str = ""
    """How the user named a judge's rubric."""


def run(
    lab: PreparedLab, *, cap_usd: float, source: str = ".", **settings: Unpack[CallSettings]
) -> CeilingRun:
    """Run the lab to its end, the cap or a stop, and add what it shows to the case's evidence.

    Args:
        lab: The plan.
        cap_usd: The most its calls may cost, those of earlier runs included.
        source: How the user named the case.
        settings: How its calls are made.

    Raises:
        InputError: If a model has no price, an endpoint can't be reached or a ledger can't be used.
    """
    case, framework, as_of = lab.case, lab.framework, lab.as_of
    before = decide(case, framework, as_of=as_of)
    work = partial(_run, lab)
    result, plan = paid(lab, CEILING_RUN, price, work, cap_usd=cap_usd, **settings)
    measured = evidence_of(result, plan, as_of)
    if measured is not None:
        append_evidence(case, measured)
    rubric = lab.scores.judge.rubric_file if lab.scores.judge else ""
    return CeilingRun(result, decide(case, framework, as_of=as_of), before, source, rubric)


async def _run(
    prepared: PreparedLab, calls: PaidCalls, quote: Quote
) -> tuple[CeilingResult, LabPlan]:
    proposed = await _proposed(prepared, calls)
    lab = Lab(proposed.plan, prepared.scores, calls)
    lab.stopped = proposed.stopped
    chosen: tuple[Arm, ...] = ()
    if not lab.stopped:
        await lab.race()
        chosen = chosen_arms(lab.plan, lab.scores, lab.dropped)
        if chosen and not lab.stopped:
            choice = plan_of(lab.plan, chosen, prepared.as_of, prepared.judge)
            write_choice(prepared.case, choice)  # before the held-out cases are looked at
            await lab.report(chosen)
    quality = prepared.case.targets.quality
    result = outcome(
        lab,
        chosen,
        prepared.framework,
        target=quality.at_least if quality else None,
        quote=quote,
        spend=calls.spend,
        scorer=prepared.scorer,
        published=figures(prepared.case),
    )
    more = {"proposing": proposed.proposing, "plateau": proposed.plateau}
    return result.model_copy(update=more), lab.plan


def render(done: CeilingRun, form: str = "text", *, colour: bool = False) -> str:
    """What the lab found, as ``text`` or ``json``."""
    if form == "json":
        return ceiling_dict(done.result, done.dossier)
    document = ceiling_document(
        done.result, done.dossier, done.before, folder=done.folder, rubric=done.rubric
    )
    return render_document(document, colour=colour)


def render_quote(
    lab: PreparedLab,
    quote: Quote,
    form: str = "text",
    *,
    cap_usd: float | None = None,
    colour: bool = False,
) -> str:
    """The plan and what it would cost, as ``text`` or ``json``."""
    plan, request = lab.plan, lab.request
    parts = len(plan.select), len(plan.report)
    proposals = (request.draws, request.model.id, len(request.taught)) if request else None
    if form == "json":
        proposing = proposals and dict(zip(("draws", "model", "shown"), proposals, strict=True))
        return quote_dict(plan.arms, *parts, quote, proposing, judge=lab.judge)
    published = tuple(figure.model for figure in figures(lab.case))
    more = (*((proposals_row(*proposals),) if proposals else ()), *lab.judge_rows)
    document = quote_document(
        plan.arms, *parts, quote, published=published, more=more, cap_usd=cap_usd
    )
    return render_document(document, colour=colour, everything=True)


def with_proposals(lab: PreparedLab, draws: int, model: str | None = None) -> PreparedLab:
    """A lab in which a generator proposes prompts first. Some cases are parted off to learn from.

    Args:
        lab: The lab without.
        draws: Times the generator starts anew; 0 for none.
        model: Id of the model that writes; the case's first prompted one when not given. One that
            the case doesn't list is called at its provider, at its list price.
    """
    if not draws:
        if model is not None:
            raise CaseError("nothing is to be proposed", fix="add --propose 5")
        return lab
    case = lab.case
    if not as_written(lab.plan.arms):
        fix = "add the model that is prompted today"
        raise CaseError("names no model but tuned ones", where=case.where("models"), fix=fix)
    if lab.scores.judge is not None:
        fix = "propose with a scorer that is a rule; let a model judge what came in a second run"
        raise CaseError("a judging model's word alone is no ground to write prompts by", fix=fix)
    gepa()
    writer = _writer(case, model)
    plan, taught = parted_for(lab.plan)
    if len(taught) < FEWEST_TAUGHT:
        what = f"has {len(taught)} cases for selecting that a generator could learn from"
        fix = f"make more: {FEWEST_TAUGHT} are the fewest, and one in three is taken"
        raise CaseError(what, where=case.where("data", "evaluation"), fix=fix)
    request = ProposalRequest(draws, writer, reach(writer), taught)
    return replace(lab, plan=plan, request=request)


def _writer(case: Case, model: str | None) -> Model:
    if model is None:
        writer = next(each for each in case.callable_models if each.kind == "prompted")
    else:
        listed = (each for each in case.callable_models if each.id == model)
        writer = next(listed, None) or Model(id=model)
    if writer.base_url is None and writer.id.startswith(f"{LOCAL}:"):
        fix = "name a capable one, as --propose-with openai:gpt-5"
        raise CaseError(f'model "{writer.id}" is too weak to write prompts', fix=fix)
    return writer


@dataclass(frozen=True, slots=True)
class _Proposed:
    """A plan with the prompts that were proposed, and the report on them."""

    plan: LabPlan
    proposing: Proposing | Unknown
    plateau: Gain | Unknown
    stopped: str = ""
    """Why it ended before its end; empty where it didn't."""


async def _proposed(lab: PreparedLab, calls: PaidCalls) -> _Proposed:
    """Have prompts proposed, keep them beside the case, and score every draw on the same cases.

    All calls count against the lab's cap.
    """
    request, marker = lab.request, lab.scores.marker
    if request is None:
        none = Unknown(ask="let a generator propose prompts: --propose 5")
        return _Proposed(lab.plan, none, none)
    runner, loop = calls.runner(_watching(calls, len(lab.plan.arms))), asyncio.get_running_loop()

    def ask(jobs: Sequence[Job]) -> Mapping[str, Settled]:
        return _waited(asyncio.run_coroutine_threadsafe(_all(runner, jobs), loop), loop)

    scores = Scores(marker)
    try:
        evaluator = CandidateEvaluator(lab.plan, request, marker, ask)
        drawn = await asyncio.to_thread(propose, evaluator)
        write_prompts(lab.case, drawn.prompts)
        jobs = list(drawn.plan.calls(dict.fromkeys(drawn.arms), drawn.plan.select))
        scores.take(jobs, await _all(runner, [job for job, *_ in jobs]))
    except CutShortError as cut:
        unknown = Unknown(ask="run it to its end")
        return _Proposed(lab.plan, unknown, unknown, stopped=str(cut))
    return _Proposed(drawn.plan, drawn.report(request, scores), drawn.plateau(scores))


async def _all(runner: Runner, jobs: Sequence[Job]) -> Mapping[str, Settled]:
    """What became of some calls."""
    outcome = await runner.all(jobs)
    settled = {job.key: outcome.settled[job.key] for job in jobs if job.key in outcome.settled}
    if outcome.stopped or not all(job.key in settled for job in jobs):
        raise CutShortError(outcome.why)
    return settled


def _waited(
    future: Future[Mapping[str, Settled]], loop: asyncio.AbstractEventLoop
) -> Mapping[str, Settled]:
    """The result of a call on the loop, for a thread beside it; a loop that is over has none."""
    while True:
        try:
            return future.result(timeout=_LOOK_S)
        except TimeoutError:
            if future.done() or loop.is_closed():
                raise


def _watching(calls: PaidCalls, arms: int) -> Callable[[Settled], None]:
    """Shows how proposing stands, every few calls."""
    done = 0

    def ended(_: Settled) -> None:
        nonlocal done
        done += 1
        if calls.watch is not None and done % _WATCH_EVERY == 0:
            quality = Unknown(ask="wait for the first round")
            calls.watch(
                Stand(arm="", quality=quality, done=done, of=0, running=arms, spend=calls.spend)
            )

    return ended
