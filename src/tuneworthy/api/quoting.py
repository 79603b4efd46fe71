"""What a judge and the general tasks add to a quote."""

from __future__ import annotations

from tuneworthy.api.lab import Ready, price
from tuneworthy.calls.ledger import Ledger
from tuneworthy.calls.quote import quote, total
from tuneworthy.domain.calls import Quote
from tuneworthy.labs.judged import own_work
from tuneworthy.labs.verify import general_jobs
from tuneworthy.report.lab.judge import judge_text


def judge_rows(ready: Ready) -> tuple[tuple[str, str], ...]:
    """Who judges, as a row of a quote; () where rules score."""
    judging = ready.scores.judging
    if judging is None:
        return ()
    return (("Judge", judge_text(judging.plan, len(own_work(judging, ready.plan.arms)))),)


def verify_price(ready: Ready, ledger: Ledger | None) -> Quote:
    """The most a verification can cost: the choice, both arms' untouched cases, general tasks.

    Which models answer the general tasks isn't known before the choice: the dearest of each kind
    count.
    """
    parts = [price(ready, ledger)]
    for kind in ("prompt", "tuned"):
        arms = {arm.model: arm for arm in ready.plan.arms if arm.kind == kind}
        each = [
            quote([job for job, _ in general_jobs(ready.plan, arm)], ledger, ready.price_of)
            for arm in arms.values()
        ]
        parts += sorted(each, key=lambda one: (one.usd_most, one.calls))[-1:]
    return total(parts)
