"""The ceiling lab of a case: quote, run, report, and evidence in its ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from tuneworthy.api.interrupt import Handle, stopped_by_user
from tuneworthy.api.lab import (
    Ready,
    ledger_of,
    prepare,
    price,
    quoted,
    refuse_unpriced,
    transport_of,
)
from tuneworthy.api.proposals import add, with_proposals
from tuneworthy.api.quoting import judge_rows
from tuneworthy.api.road import decide
from tuneworthy.calls.ledger import Ledger
from tuneworthy.calls.transport import Transport
from tuneworthy.domain.calls import Quote
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.lab import Arm, CeilingResult, Stand
from tuneworthy.files.evidence import append_evidence
from tuneworthy.files.labs import write_choice
from tuneworthy.labs.ceiling import RUN, Lab, Plan
from tuneworthy.labs.choice import chosen_arms, plan_of
from tuneworthy.labs.outcome import outcome
from tuneworthy.labs.shown import evidence_of
from tuneworthy.report.lab import ceiling_dict, ceiling_page
from tuneworthy.report.lab.proposed import asked_row
from tuneworthy.report.lab.quote import quote_dict, quote_page
from tuneworthy.stats.published import figures

__all__ = (
    "Done", "Ready", "Watch", "prepare", "quoted", "render", "render_quote", "run",
    "with_proposals",
)  # fmt: skip

Watch = Callable[[Stand], None]


@dataclass(frozen=True, slots=True)
class Done:
    """A lab that ran."""

    result: CeilingResult
    dossier: Dossier
    before: Dossier
    folder: str
    rubric: str = ""
    """How the user named a judge's rubric."""


def run(
    ready: Ready, *, cap_usd: float, at_once: int = 16, ask_again: bool = False,
    watch: Watch | None = None, transport: Transport | None = None, source: str = ".",
    handle: Handle | None = None,
) -> Done:  # fmt: skip
    """Run the lab to its end, the cap or a stop, and add what it shows to the case's evidence.

    Args:
        ready: The plan.
        cap_usd: The most its calls may cost, those of earlier runs included.
        at_once: The most calls on the wire.
        ask_again: Send calls in doubt once more; some of them may be paid twice.
        watch: Told how it stands.
        transport: What sends, in place of the case's own endpoints.
        source: How the user named the case.
        handle: Stops it from another thread.

    Raises:
        InputError: If a model has no price, an endpoint can't be reached or a ledger can't be used.
    """
    case, framework, as_of = ready.case, ready.framework, ready.as_of
    before = decide(case, framework, as_of=as_of)
    with ledger_of(case) as ledger:
        if ask_again:
            ledger.release(RUN)
        told = price(ready, ledger)
        refuse_unpriced(told)
        result, plan = asyncio.run(
            _go(ready, ledger, transport, cap_usd, at_once, watch, told, handle)
        )
    measured = evidence_of(result, plan, as_of)
    if measured is not None:
        append_evidence(case, measured)
    rubric = ready.scores.judging.given if ready.scores.judging else ""
    return Done(result, decide(case, framework, as_of=as_of), before, source, rubric)


async def _go(
    ready: Ready, ledger: Ledger, transport: Transport | None, cap_usd: float, at_once: int,
    watch: Watch | None, told: Quote, handle: Handle | None,
) -> tuple[CeilingResult, Plan]:  # fmt: skip
    sends = transport or transport_of(ready, at_once)
    try:
        with stopped_by_user(handle) as on_interrupt:
            more = await add(ready, ledger, sends, cap_usd=cap_usd, at_once=at_once, watch=watch,
                             on_interrupt=on_interrupt)  # fmt: skip
            lab = Lab(more.plan, ready.scores, ledger, sends, ready.price_of,
                      cap_usd=cap_usd, at_once=at_once, watch=watch)  # fmt: skip
            on_interrupt(lab.stop)
            lab.stopped = more.stopped
            chosen = () if lab.stopped else await _raced(ready, lab)
    finally:
        await sends.close()
    quality = ready.case.targets.quality
    result = outcome(
        lab, chosen, ready.framework, target=quality.at_least if quality else None, quote=told,
        spend=ledger.spend(RUN, cap_usd), scorer=ready.scorer, published=figures(ready.case),
    )  # fmt: skip
    told_too = {"proposing": more.proposing, "plateau": more.plateau}
    return result.model_copy(update=told_too), lab.plan


async def _raced(ready: Ready, lab: Lab) -> tuple[Arm, ...]:
    """The arms that were chosen on one part of the cases, after they met the other."""
    await lab.race()
    chosen = chosen_arms(lab.plan, ready.scores, lab.dropped)
    if chosen and not lab.stopped:
        write_choice(ready.case, plan_of(lab.plan, chosen, ready.as_of, ready.judge))
        await lab.report(chosen)
    return chosen


def render(done: Done, form: str = "text", *, colour: bool = False) -> str:
    """What the lab found, as ``text`` or ``json``."""
    if form == "json":
        return ceiling_dict(done.result, done.dossier)
    return ceiling_page(done.result, done.dossier, done.before, folder=done.folder,
                        rubric=done.rubric, colour=colour)  # fmt: skip


def render_quote(
    ready: Ready, told: Quote, form: str = "text", *, cap_usd: float | None = None,
    colour: bool = False,
) -> str:  # fmt: skip
    """The plan and what it would cost, as ``text`` or ``json``."""
    plan = ready.plan
    parts = len(plan.select), len(plan.report)
    wish = ready.wish
    asked = (wish.draws, wish.model.id, len(wish.taught)) if wish else None
    if form == "json":
        names = ("draws", "model", "shown")
        told_too = asked and dict(zip(names, asked, strict=True))
        return quote_dict(plan.arms, *parts, told, told_too, judge=ready.judge)
    published = tuple(one.model for one in figures(ready.case))
    more = (*((asked_row(*asked),) if asked else ()), *judge_rows(ready))
    return quote_page(plan.arms, *parts, told, published=published, more=more, cap_usd=cap_usd,
                      colour=colour)  # fmt: skip
