"""Did tuning work? The tuned model of a case against its best untuned arm."""

from __future__ import annotations

import asyncio

from tuneworthy.api.ceiling import Ready, Watch, ledger_of, transport_of
from tuneworthy.calls.choose import prices_of
from tuneworthy.calls.ledger import Ledger
from tuneworthy.calls.transport import Transport
from tuneworthy.domain.errors import CaseError
from tuneworthy.domain.lab import Arm, VerifyResult
from tuneworthy.files.labs import write_plan
from tuneworthy.labs.ceiling import Lab
from tuneworthy.labs.outcome import chosen_arms
from tuneworthy.labs.verify import RUN, compare, judge, write_down
from tuneworthy.report.lab.verify import verify_dict, verify_page


def run(
    ready: Ready, *, cap_usd: float, margin: float = 0.0, again: bool = False,
    at_once: int = 16, watch: Watch | None = None,
    transport: Transport | None = None,
) -> VerifyResult:  # fmt: skip
    """Choose both arms on the cases for selecting, write the plan down, then compare.

    Args:
        ready: The lab's plan, from ``ceiling.prepare``.
        cap_usd: The most all its calls may cost, those of earlier runs included.
        margin: Share of cases by which the tuned arm has to be better.
        again: Compare something else than the plan that was written down.
        at_once: The most calls on the wire.
        watch: Told how the choice stands.
        transport: What sends, in place of the case's own endpoints.

    Raises:
        InputError: If the case has no tuned model, or another plan was written down before.
    """
    if not any(arm.kind == "tuned" for arm in ready.plan.arms):
        fix = "add it to models with kind: tuned; it may be served anywhere"
        where = ready.case.where("models")
        raise CaseError("names no tuned model", where=where, fix=fix)
    with ledger_of(ready.case) as ledger:
        return asyncio.run(_go(ready, ledger, cap_usd, margin, again, at_once, watch, transport))


async def _go(
    ready: Ready, ledger: Ledger, cap_usd: float, margin: float, again: bool,
    at_once: int, watch: Watch | None, transport: Transport | None,
) -> VerifyResult:  # fmt: skip
    sends, price_of = (
        transport or transport_of(ready, at_once),
        prices_of(ready.case.models, ready.as_of),
    )
    try:
        lab = Lab(ready.plan, ready.scores, ledger, sends, price_of,
                  cap_usd=cap_usd, at_once=at_once, watch=watch)  # fmt: skip
        await lab.race()
        arms = _pair(chosen_arms(ready.plan, ready.scores, {}))
        if lab.stopped:
            raise CaseError(lab.stopped, fix="raise --budget; what was paid for is kept")
        plan = write_down(ready.plan, *arms, margin=margin, as_of=ready.as_of)
        plan = write_plan(ready.case, plan, again=again)
        found = await compare(
            ready.plan, arms, ready.scores, ledger, sends, price_of,
            cap_usd=cap_usd, at_once=at_once,
        )  # fmt: skip
    finally:
        await sends.close()
    return judge(plan, ready.plan, arms, found, ledger.spend(RUN, cap_usd))


def _pair(chosen: tuple[Arm, ...]) -> tuple[Arm, Arm]:
    """The tuned arm, and the best untuned one."""
    tuned = next((arm for arm in chosen if arm.kind == "tuned"), None)
    if not chosen or tuned is None:
        raise CaseError("has no scored arm to compare", fix="look at: tuneworthy ceiling")
    return tuned, chosen[0]


def render(result: VerifyResult, form: str = "text", *, colour: bool = False) -> str:
    """The result as ``text`` or ``json``."""
    return verify_dict(result) if form == "json" else verify_page(result, colour=colour)
