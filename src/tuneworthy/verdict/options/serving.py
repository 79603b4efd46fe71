"""Options that change how the same model is called."""

from __future__ import annotations

from tuneworthy.domain.options import Judgement
from tuneworthy.verdict.options.facts import Facts, judged


def caching(facts: Facts) -> Judgement:
    """Helps with cost and waiting time where a long beginning is the same in every call."""
    if facts.tried("caching"):
        return judged("no", "tried")
    if facts.pressure == "no":
        return judged("no", "no_pressure")
    limit = facts.framework.threshold("short_prompt")
    tokens, cached = facts.tokens, facts.case.economics.traffic.cached_share
    if facts.long_prompt == "no":
        return judged("no", "prompt_too_short", tokens=tokens, limit=limit)
    if facts.pressure == "unknown" or facts.long_prompt == "unknown":
        return judged("unknown", "caching_open", tokens=tokens, pressure=facts.pressure)
    if cached:
        return judged("no" if cached == 1 else "partly", "cached_already", share=cached)
    if facts.quality_short != "no":
        return judged("partly", "cheaper_not_better", tokens=tokens, by=facts.pressed_by)
    return judged("yes", "long_prefix", tokens=tokens, by=facts.pressed_by)


def batching(facts: Facts) -> Judgement:
    """Helps with cost where nobody waits for the answer."""
    if facts.tried("batching"):
        return judged("no", "tried")
    most = facts.case.targets.latency_p95_s
    waits, cost = facts.state("latency_requirements"), facts.state("cost_optimization")
    if waits == "yes" or most is not None:
        return judged("no", "somebody_waits", most=most)
    if cost == "no" and facts.target("cost") != "no":
        return judged("no", "no_cost_reason")
    if waits == "unknown" or (cost == "unknown" and facts.target("cost") != "no"):
        return judged("unknown", "batching_open", waits=waits, cost=cost)
    if facts.quality_short != "no":
        return judged("partly", "batch_cheaper_not_better")
    return judged("yes", "nobody_waits")
