"""What proposing can cost, and the lab after it, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tuneworthy.calls.ledger import Ledger
from tuneworthy.calls.quote import quote, total
from tuneworthy.calls.run import Job, PriceOf
from tuneworthy.domain.calls import Quote
from tuneworthy.domain.lab import Arm
from tuneworthy.labs.arms import with_proposals
from tuneworthy.labs.ceiling import Plan
from tuneworthy.labs.proposing.generator import STEPS, Bench
from tuneworthy.labs.proposing.run import extended, replayed
from tuneworthy.labs.proposing.wish import as_written, filler, longest
from tuneworthy.labs.proposing.writing import longest_request

_LIKELY = 2000
"""Bytes of a prompt that isn't known yet, or of a longer parent, where the likely price is told."""


def cost(
    bench: Bench, ledger: Ledger | None, price_of: PriceOf, of_plan: Callable[[Plan], Quote]
) -> Quote:
    """What is known from the ledger at its price, and the rest at the most it can come to.

    Args:
        bench: It asks the ledger alone (``kept_in``).
        ledger: What was paid for before; None for a case without one.
        price_of: The price of a request.
        of_plan: What a plan costs, once its prompts are known.

    Raises:
        InputError: If gepa isn't installed.
    """
    known = replayed(bench)
    drawn = [one for one in known.draws if one is not None]
    plan, arms = bench.plan, as_written(bench.plan.arms)
    if known.parent is not None:
        plan = extended(plan, known.parent, drawn).plan
    prompts = bench.plan.setting.prompts
    first = [job for arm in arms for job in bench.jobs(arm, prompts[arm.prompt])]
    parts = [of_plan(plan), quote(first, ledger, price_of)]
    if open_ := len(known.draws) - len(drawn):
        each = [_of_draws(bench, parent, longest(prompts[parent.prompt]), open_, price_of)
                for parent in ([known.parent] if known.parent else arms)]  # fmt: skip
        most, parent = max(each, key=lambda one: (one[0].usd_most, one[0].calls))
        size = max(_LIKELY, len(prompts[parent.prompt].system))
        likely = _of_draws(bench, parent, size, open_, price_of)[0].usd_likely
        parts.append(most.model_copy(update={"usd_likely": min(likely, most.usd_likely)}))
    return total(parts)


def _of_draws(
    bench: Bench, parent: Arm, size: int, draws: int, price_of: PriceOf
) -> tuple[Quote, Arm]:
    """What some draws from an arm cost, and the arms they lead to, if all texts have one size.

    One of them may be reported on, beside the dearest of the others: an arm too many, at most.
    """
    plan, base = bench.plan, bench.plan.setting.prompts[parent.prompt]
    prompt = filler(base, size)

    def of(jobs: Sequence[Job], times: int) -> Quote:
        one = quote(jobs, None, price_of)
        return Quote(calls=one.calls * times, reused=0, usd_most=one.usd_most * times,
                     usd_likely=one.usd_likely * times, unpriced=one.unpriced)  # fmt: skip

    ways = with_proposals(plan.arms, parent, (prompt.name,))[len(plan.arms) :]
    select = [job for arm in ways for job in bench.jobs(arm, prompt, plan.select)]
    reported = [of(bench.jobs(arm, prompt, plan.report), plan.repeats) for arm in ways]
    parts = [
        of([Job(longest_request(bench.wish, base))], draws * STEPS),
        of(bench.jobs(parent, prompt), draws * STEPS),
        of(select, draws * plan.repeats),
        max(reported, key=lambda one: (one.usd_most, one.calls)),
    ]
    return total(parts), parent
