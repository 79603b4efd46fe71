"""The linter: every combination of answers, and what a framework's rules make of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuneworthy.errors import FrameworkError
from tuneworthy.framework.rules import Columns, Cuts, Rules, compile_rules, holds
from tuneworthy.framework.tally import tally
from tuneworthy.model.base import Interval, digest
from tuneworthy.model.dossier import Lint, LintCell, LintFinding, Named, break_even
from tuneworthy.model.framework import BANDS, OUTCOMES, Costs, Framework, WorkedExample, ongoing_usd

# Figures a framework publishes, computed again from its own rules and tables.

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
        "sum_low": hours[0],
        "sum_high": hours[1],
        "usd": usd,
        "low": total.hours.low,
        "high": total.hours.high,
        "under": total.usd_under,
        "usd_low": sum(r.usd.low for r in rows if r.usd),
    }
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
        "score": example.score,
        "computed_score": score,
        "score_by_count": counted,
        "months": example.break_even_months,
        "computed_months": "never" if math.isinf(months) else months,
        "upfront_usd": upfront,
        "net_usd": net,
    }
    return [LintFinding(id="worked_example", grade="note" if fits else "warning", numbers=numbers)]


def _table(example: WorkedExample, costs: Costs) -> list[LintFinding]:
    """The example's running costs against the framework's own table."""
    rate = example.hourly_rate_usd
    low, high = ongoing_usd(costs, rate, "low"), ongoing_usd(costs, rate, "high")
    if low <= example.ongoing_usd:
        return []
    upfront = example.upfront_hours * rate
    benefit = example.api_savings_usd + example.quality_value_usd
    net = Interval(benefit - high, benefit - (low + high) / 2, benefit - low)
    months = break_even(Interval.certain(upfront), net)
    best, worst = ("never" if math.isinf(m) else m for m in (months.low, months.high))
    numbers = {
        "ongoing": example.ongoing_usd,
        "low": low,
        "high": high,
        "best": best,
        "worst": worst,
    }
    return [LintFinding(id="example_below_table", grade="warning", numbers=numbers)]


# The linter: every combination of answers, and what a framework's rules make of it.

MOST_FACTORS = 22
LISTED = 4096

Array = Any


def check(framework: Framework) -> Lint:
    """Go through every combination of answers to the factors.

    Args:
        framework: The framework.

    Returns:
        What was found; no finding for a framework whose rules agree with each other.

    Raises:
        FrameworkError: If it has more factors than can be gone through.
    """
    rules = compile_rules(framework)
    size = len(rules.indicators) + len(rules.anti_indicators)
    if size > MOST_FACTORS:
        fix = f"keep to {MOST_FACTORS}, or check it in parts"
        raise FrameworkError(
            f"has {size} factors, too many to check", where=framework.name, fix=fix
        )
    table = _Table.of(rules)
    numeric = not isinstance(framework.scoring.denominator, str)
    counted = compile_rules(framework, "count") if numeric else rules
    findings = [
        *_steps(framework, rules),
        *_disagreements(rules, counted, table),
        *_denominator(rules, counted, table),
        *_strengths(rules, table),
        *_order(rules),
        *_backfires(rules, table),
        *_idle(rules, table),
        *figures(framework, rules),
    ]
    return Lint(
        framework=Named(name=framework.name, digest=digest(framework)),
        combinations=1 << size,
        findings=tuple(findings),
    )


@dataclass(frozen=True, slots=True)
class _Table:
    """Every combination as a row: row r answers factor k with yes when bit k of r is set."""

    names: tuple[str, ...]
    yes: Array
    """Booleans, combinations × factors."""
    columns: Columns
    """Measures of each combination, all checks yes."""
    fired: Array
    """Step of the tree each ends at, all checks yes."""

    @classmethod
    def of(cls, rules: Rules) -> _Table:
        names = (*rules.indicators, *rules.anti_indicators)
        rows = np.arange(1 << len(names), dtype=np.int64)
        yes = ((rows[:, None] >> np.arange(len(names))) & 1).astype(bool)
        cut = len(rules.indicators)
        weights = np.array([rules.weights[name] for name in names], dtype=np.int64)
        columns = Columns(
            indicators=yes[:, :cut].sum(axis=1),
            anti_indicators=yes[:, cut:].sum(axis=1),
            indicator_weight=yes[:, :cut] @ weights[:cut],
            anti_indicator_weight=yes[:, cut:] @ weights[cut:],
            reached=True,
            answers={
                name: yes[:, names.index(name)] if name in names else True for name in rules.bits
            },
        )
        return cls(names, yes, columns, _fired(rules, columns, len(rows)))

    def finding(
        self, name: str, where: Array, of: int, bands: Sequence[Array], **numbers: Any
    ) -> LintFinding:
        """A warning about the combinations in ``where`` (booleans), with two bands of each."""
        rows = np.flatnonzero(where)
        listed = tuple(
            tuple(n for n, held in zip(self.names, self.yes[row], strict=True) if held)
            for row in rows[:LISTED]
        )
        return LintFinding(
            id=name,
            grade="warning",
            numbers=numbers,
            count=len(rows),
            of=of,
            cells=_cells(self.columns, rows, bands),
            combinations=listed,
        )


def _fired(rules: Rules, columns: Columns, size: int) -> Array:
    fired = np.full(size, len(rules.steps) - 1, dtype=np.int64)
    for index in range(len(rules.steps) - 2, -1, -1):
        fired[np.broadcast_to(np.asarray(holds(rules.steps[index][0], columns)), size)] = index
    return fired


def _band(cuts: Cuts, difference: Array) -> Array:
    """0 for weak, 1 for moderate, 2 for strong, as ``Cuts.band`` decides."""
    moderate, strong = difference >= cuts.moderate, difference >= cuts.strong
    return np.where(strong, 2, moderate.astype(np.int64))


def _cells(columns: Columns, rows: Array, bands: Sequence[Array]) -> tuple[LintCell, ...]:
    groups: dict[tuple[int, int], list[int]] = {}
    for row in rows.tolist():
        key = (int(columns.indicators[row]), int(columns.anti_indicators[row]))
        groups.setdefault(key, []).append(row)
    cells = []
    for (indicators, anti), members in sorted(groups.items()):
        shared = [
            BANDS[values[members[0]]] if len(set(values[members].tolist())) == 1 else "mixed"
            for values in bands
        ]
        cells.append(
            LintCell(
                indicators=indicators,
                anti_indicators=anti,
                combinations=len(members),
                score=shared[0],
                difference=shared[1],
            )
        )
    return tuple(cells)


def _steps(framework: Framework, rules: Rules) -> list[LintFinding]:
    """Steps no combination ends at, outcomes none comes to, and a ceiling nobody asks about."""
    everything = tally(rules, {})
    ending = zip(framework.tree, everything.ending, strict=True)
    found = [
        _warning("step_never_holds", step=number, outcome=step.outcome)
        for number, (step, many) in enumerate(ending, start=1)
        if not many
    ]
    found += [
        _warning("outcome_unreachable", outcome=outcome)
        for outcome in OUTCOMES
        if outcome not in everything.reach
    ]
    return found if framework.ceiling else [*found, _warning("no_ceiling_test")]


def _warning(name: str, **numbers: Any) -> LintFinding:
    return LintFinding(id=name, grade="warning", numbers=numbers)


def _disagreements(rules: Rules, counted: Rules, table: _Table) -> list[LintFinding]:
    """Combinations that score and difference put into different bands, for both denominators."""
    difference = _band(rules.difference_cuts, table.columns.difference)
    found = []
    for one in (rules,) if rules.denominator == counted.denominator else (rules, counted):
        score = _band(one.score_cuts, table.columns.difference)
        apart, bands = score != difference, (score, difference)
        if apart.any():
            numbers = {"denominator": one.denominator, "own": one is rules}
            found.append(table.finding("bands_disagree", apart, len(score), bands, **numbers))
    return found


def _denominator(rules: Rules, counted: Rules, table: _Table) -> list[LintFinding]:
    """A denominator that isn't the number of factors, and what that moves."""
    factors = len(table.names)
    if rules.denominator == factors or any(w != rules.scale for w in _factor_weights(rules)):
        return []
    own, other = (_band(one.score_cuts, table.columns.difference) for one in (rules, counted))
    numbers = {"denominator": rules.denominator, "factors": factors}
    moved, bands = own != other, (own, other)
    return [table.finding("denominator_not_count", moved, len(own), bands, **numbers)]


def _factor_weights(rules: Rules) -> list[int]:
    return [rules.weights[name] for name in (*rules.indicators, *rules.anti_indicators)]


def _strengths(rules: Rules, table: _Table) -> list[LintFinding]:
    """Whether strength tells the tree's candidates apart."""
    outcomes = np.array([outcome == "fine_tune_candidate" for _, outcome in rules.steps])
    candidate = outcomes[table.fired]
    total = int(candidate.sum())
    if not total:
        return []
    score = _band(rules.score_cuts, table.columns.difference)
    difference = _band(rules.difference_cuts, table.columns.difference)
    low, high = np.minimum(score, difference), np.maximum(score, difference)
    kinds, counts = np.unique(low[candidate] * 3 + high[candidate], return_counts=True)
    by_strength = {
        f"{BANDS[int(kind) // 3]} to {BANDS[int(kind) % 3]}": int(many)
        for kind, many in zip(kinds, counts, strict=True)
    }
    usual = kinds[counts.argmax()]
    rare = candidate & (low * 3 + high != usual)
    if len(by_strength) > 1 and counts.max() / total < 0.95:
        return []
    return [
        table.finding(
            "strength_tells_little", rare, total, (score, difference), strengths=by_strength
        )
    ]


def _order(rules: Rules) -> list[LintFinding]:
    """Bands of which strong begins below moderate, so that moderate is empty."""
    return [
        _warning("bands_out_of_order", rule=name)
        for name, cuts in (("score", rules.score_cuts), ("difference", rules.difference_cuts))
        if cuts.strong < cuts.moderate
    ]


def _backfires(rules: Rules, table: _Table) -> list[LintFinding]:
    """One more reason for that ends a candidacy, or one more against that starts one."""
    candidate = np.array([o == "fine_tune_candidate" for _, o in rules.steps])[table.fired]
    found = []
    rows = np.arange(len(candidate))
    bands = (_band(rules.score_cuts, table.columns.difference),) * 2
    for k, name in enumerate(table.names):
        without = rows[~table.yes[:, k]]
        before, after = candidate[without], candidate[without | (1 << k)]
        wrong = before & ~after if name in rules.indicators else ~before & after
        if wrong.any():
            where = np.zeros(len(candidate), dtype=bool)
            where[without[wrong]] = True
            found.append(table.finding("reason_backfires", where, len(without), bands, factor=name))
    return found


def _idle(rules: Rules, table: _Table) -> list[LintFinding]:
    """Factors whose answer never changes an outcome or a band."""
    rows = np.arange(len(table.fired))
    difference = table.columns.difference
    bands = (_band(cuts, difference) for cuts in (rules.score_cuts, rules.difference_cuts))
    seen = (table.fired, *bands)
    found = []
    for k, name in enumerate(table.names):
        without = rows[~table.yes[:, k]]
        if all((values[without] == values[without | (1 << k)]).all() for values in seen):
            found.append(_warning("factor_never_matters", factor=name))
    return found
