"""Figures a framework publishes, computed again from its own rules and tables."""

from __future__ import annotations

import math

from tuneworthy.domain.costs import Costs, WorkedExample, ongoing_usd
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.investment import Money, break_even
from tuneworthy.domain.lint import LintFinding
from tuneworthy.framework.rules import Rules

_CLOSE = 1e-9


def figures(framework: Framework, rules: Rules) -> list[LintFinding]:
    """Findings about published numbers: notes where they fit, warnings where they don't."""
    found = [*_examples(framework)]
    if framework.costs is not None:
        found += _upfront(framework.costs)
    if framework.worked_example is not None:
        found += _worked(framework.worked_example, framework, rules)
        if framework.costs is not None:
            found += _table(framework.worked_example, framework.costs)
    return found


def _examples(framework: Framework) -> list[LintFinding]:
    """A general number of examples that contradicts what single approaches need."""
    general = framework.threshold("few_examples")
    if general is None:
        return []
    less = {
        name: approach.data.low
        for name, approach in framework.approaches.items()
        if approach.data.unit == "examples" and approach.data.low < general
    }
    if not less:
        return []
    numbers = {"general": general, "needs": less}
    return [LintFinding(id="examples_contradict_needs", grade="warning", numbers=numbers)]


def _upfront(costs: Costs) -> list[LintFinding]:
    """The published total against the sum of its rows."""
    total = costs.upfront_total
    if total is None:
        return []
    rows = costs.upfront.values()
    hours = [sum(getattr(r.hours, end) for r in rows if r.hours) for end in ("low", "high")]
    usd = sum(r.usd.high for r in rows if r.usd)
    fits = hours == [total.hours.low, total.hours.high] and usd < total.usd_under
    numbers = {
        "sum_low": hours[0], "sum_high": hours[1], "usd": usd,
        "low": total.hours.low, "high": total.hours.high, "under": total.usd_under,
        "usd_low": sum(r.usd.low for r in rows if r.usd),
    }  # fmt: skip
    return [LintFinding(id="upfront_total", grade="note" if fits else "warning", numbers=numbers)]


def _worked(example: WorkedExample, framework: Framework, rules: Rules) -> list[LintFinding]:
    """The example's score and break-even by the rules as they stand."""
    score = (example.indicators - example.anti_indicators) / rules.denominator
    counted = (example.indicators - example.anti_indicators) / max(len(framework.factors), 1)
    upfront = example.upfront_hours * example.hourly_rate_usd
    net = example.api_savings_usd + example.quality_value_usd - example.ongoing_usd
    months = upfront / net if net > 0 else math.inf
    fits = abs(score - example.score) < _CLOSE and abs(months - example.break_even_months) < _CLOSE
    numbers = {
        "score": example.score, "computed_score": score, "score_by_count": counted,
        "months": example.break_even_months,
        "computed_months": "never" if math.isinf(months) else months,
        "upfront_usd": upfront, "net_usd": net,
    }  # fmt: skip
    return [LintFinding(id="worked_example", grade="note" if fits else "warning", numbers=numbers)]


def _table(example: WorkedExample, costs: Costs) -> list[LintFinding]:
    """The example's running costs against the framework's own table."""
    rate = example.hourly_rate_usd
    low, high = ongoing_usd(costs, rate, "low"), ongoing_usd(costs, rate, "high")
    if low <= example.ongoing_usd:
        return []
    upfront = example.upfront_hours * rate
    benefit = example.api_savings_usd + example.quality_value_usd
    net = Money(benefit - high, benefit - (low + high) / 2, benefit - low)
    months = break_even(Money(upfront, upfront, upfront), net)
    best, worst = ("never" if math.isinf(m) else m for m in (months.low, months.high))
    numbers = {
        "ongoing": example.ongoing_usd,
        "low": low,
        "high": high,
        "best": best,
        "worst": worst,
    }
    return [LintFinding(id="example_below_table", grade="warning", numbers=numbers)]
