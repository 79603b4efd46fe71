"""Did tuning work? The tuned model of a case against its best untuned arm."""

from __future__ import annotations

import asyncio

from tuneworthy.api.ceiling import Watch
from tuneworthy.api.interrupt import stopped_by_user
from tuneworthy.api.lab import Ready, ledger_of, ledger_or_none, refuse_unpriced, transport_of
from tuneworthy.api.quoting import judge_rows, verify_price
from tuneworthy.calls.ledger import Ledger
from tuneworthy.calls.transport import Transport
from tuneworthy.domain.calls import Quote
from tuneworthy.domain.errors import CaseError, StoppedError
from tuneworthy.domain.lab import Arm, VerifyResult
from tuneworthy.files.labs import write_plan
from tuneworthy.labs.ceiling import Lab
from tuneworthy.labs.choice import chosen_arms
from tuneworthy.labs.verify import RUN, compare, general_skills, judge, write_down
from tuneworthy.report.lab.quote import general_row, quote_dict, quote_page
from tuneworthy.report.lab.verify import verify_dict, verify_page


def run(
    ready: Ready, *, cap_usd: float, margin: float = 0.0, again: bool = False,
    ask_again: bool = False,     at_once: int = 16, watch: Watch | None = None,
    transport: Transport | None = None,
) -> VerifyResult:  # fmt: skip
    """Choose both arms on the cases for selecting, write the plan down, then compare.

    What the ceiling lab has paid for is used again; what is new counts against this cap.

    Args:
        ready: The lab's plan, from ``prepare``.
        cap_usd: The most all its calls may cost, those of earlier runs included.
        margin: Share of cases by which the tuned arm has to be better.
        again: Compare something else than the plan that was written down.
        at_once: The most calls on the wire.
        ask_again: Send calls in doubt once more; some of them may be paid twice.
        watch: Told how the choice stands.
        transport: What sends, in place of the case's own endpoints.

    Raises:
        InputError: If the case has no tuned model, a model has no price, or another plan was
            written down before.
        StoppedError: If it was stopped before both arms were chosen.
    """
    _refuse_one_sided(ready)
    with ledger_of(ready.case) as ledger:
        if ask_again:
            ledger.release(RUN)
        refuse_unpriced(verify_price(ready, ledger))
        return asyncio.run(_go(ready, ledger, cap_usd, margin, again, at_once, watch, transport))


def quoted(ready: Ready) -> Quote:
    """What verifying would send at most, the general tasks among it; nothing is sent.

    Raises:
        InputError: If there is nothing to compare, the case has no folder, or its ledger is in use.
    """
    _refuse_one_sided(ready)
    with ledger_or_none(ready.case) as ledger:
        return verify_price(ready, ledger)


def _refuse_one_sided(ready: Ready) -> None:
    """A case without a tuned model, or with nothing but tuned ones."""
    where = ready.case.where("models")
    if not any(arm.kind == "tuned" for arm in ready.plan.arms):
        told = any(model.published for model in ready.case.models)
        what = "names only published figures of tuned models, and a figure can't be called"
        fix = "add it to models with kind: tuned; it may be served anywhere"
        raise CaseError(what if told else "names no tuned model", where=where, fix=fix)
    if not any(arm.kind == "prompt" for arm in ready.plan.arms):
        fix = "add the model that is prompted today, to hold the tuned one against"
        raise CaseError("names no model but tuned ones", where=where, fix=fix)


async def _go(
    ready: Ready, ledger: Ledger, cap_usd: float, margin: float, again: bool,
    at_once: int, watch: Watch | None, transport: Transport | None,
) -> VerifyResult:  # fmt: skip
    sends = transport or transport_of(ready, at_once)
    price_of = ready.price_of
    lab = Lab(ready.plan, ready.scores, ledger, sends, price_of,
              cap_usd=cap_usd, at_once=at_once, watch=watch, run=RUN)  # fmt: skip
    try:
        with stopped_by_user() as on_interrupt:
            on_interrupt(lab.stop)
            await lab.race()
            if lab.stopped:
                fix = "run it again to go on, with a larger --budget where that was in the way"
                raise StoppedError(f"{lab.stopped}; what was paid for is kept", fix=fix)
            arms = _pair(chosen_arms(ready.plan, ready.scores, lab.dropped))
            plan = write_down(
                ready.plan,
                *arms,
                margin=margin,
                scorer=ready.scorer,
                as_of=ready.as_of,
                judge=ready.judge,
            )
            plan = write_plan(ready.case, plan, again=again)
            found = await compare(
                ready.plan, arms, ready.scores, ledger, sends, price_of,
                cap_usd=cap_usd, at_once=at_once, starts=on_interrupt,
            )  # fmt: skip
    finally:
        await sends.close()
    return judge(plan, ready.plan, arms, found, ledger.spend(RUN, cap_usd))


def _pair(chosen: tuple[Arm, ...]) -> tuple[Arm, Arm]:
    """The tuned arm, and the best untuned one."""
    tuned = next((arm for arm in chosen if arm.kind == "tuned"), None)
    if tuned is None:
        raise CaseError("has no scored arm to compare", fix="look at: tuneworthy ceiling")
    return tuned, chosen[0]


def render(
    result: VerifyResult, form: str = "text", *, folder: str = ".", rubric: str = "",
    colour: bool = False,
) -> str:  # fmt: skip
    """The result as ``text`` or ``json``."""
    if form == "json":
        return verify_dict(result)
    return verify_page(result, folder=folder, rubric=rubric, colour=colour)


def render_quote(
    ready: Ready, told: Quote, form: str = "text", *, cap_usd: float | None = None,
    colour: bool = False,
) -> str:  # fmt: skip
    """What would be compared and what it would cost, as ``text`` or ``json``."""
    plan = ready.plan
    arms = [arm for arm in plan.arms if arm.kind != "baseline"]
    parts, general = (len(plan.select), len(plan.report)), len(general_skills())
    if form == "json":
        return quote_dict(arms, *parts, told, general=general, judge=ready.judge)
    more = (*judge_rows(ready), general_row(general))
    return quote_page(arms, *parts, told, more=more, cap_usd=cap_usd, colour=colour)
