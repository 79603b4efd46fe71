"""The linter: every combination of answers, and what a framework's rules make of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain
from typing import Any, Literal, NamedTuple

import numpy as np

from tuneworthy.errors import FrameworkError
from tuneworthy.framework.rules import Cuts, Measure, Reaches, Rules, YesTo, compile_rules, held
from tuneworthy.framework.tally import tally
from tuneworthy.model.base import break_even, digest
from tuneworthy.model.dossier import Lint, LintCell, LintFinding, NamedDigest
from tuneworthy.model.framework import BANDS, OUTCOMES, Band, Framework, ongoing_usd

MOST_FACTORS = 22
LISTED = 4096
_CLOSE = 1e-9
_USUAL = 0.95  # of the candidates with one strength: it distinguishes them no more

Array = Any


def check(framework: Framework) -> Lint:
    """Go through every combination of answers; a FrameworkError if there are too many factors."""
    rules = compile_rules(framework)
    size = len(rules.indicators) + len(rules.anti_indicators)
    if size > MOST_FACTORS:
        fix = f"keep to {MOST_FACTORS}, or check it in parts"
        what = f"has {size} factors, too many to check"
        raise FrameworkError(what, where=framework.name, fix=fix)
    table = _Table.of(framework, rules)
    return Lint(
        framework=NamedDigest(name=framework.name, digest=digest(framework)),
        combinations=1 << size,
        findings=tuple(chain.from_iterable(findings(table) for findings in _ALL)),
    )


class _Table(NamedTuple):
    """Every combination as a row: row r answers factor k with yes when bit k of r is set."""

    framework: Framework
    rules: Rules
    counted: Rules  #: With the number of factors as denominator, in place of another number.
    names: tuple[str, ...]
    yes: Array  #: Booleans, combinations × factors.
    columns: dict[Measure, Array]  #: Measures of each combination, all checks yes.
    fired: Array  #: Step of the tree each ends at, all checks yes.
    candidate: Array  #: Whether that step says fine-tune.

    @classmethod
    def of(cls, framework: Framework, rules: Rules) -> _Table:
        numeric = not isinstance(framework.scoring.denominator, str)
        counted = compile_rules(framework, "count") if numeric else rules
        names = (*rules.indicators, *rules.anti_indicators)
        rows = np.arange(1 << len(names), dtype=np.int64)
        yes = ((rows[:, None] >> np.arange(len(names))) & 1).astype(bool)
        cut = len(rules.indicators)
        weights = np.array([rules.weights[name] for name in names], dtype=np.int64)
        weighs = yes[:, :cut] @ weights[:cut], yes[:, cut:] @ weights[cut:]
        columns: dict[Measure, Array] = {
            "indicators": yes[:, :cut].sum(axis=1),
            "indicator_weight": weighs[0],
            "anti_indicators": yes[:, cut:].sum(axis=1),
            "anti_indicator_weight": weighs[1],
            "difference": weighs[0] - weighs[1],
        }

        def value(atom: Reaches | YesTo) -> Array:
            if isinstance(atom, Reaches):
                return columns[atom.measure] >= atom.bound
            return yes[:, names.index(atom.name)] if atom.name in names else np.True_

        steps = np.full(rows.shape, len(rules.steps) - 1, dtype=np.uint8)
        for index in range(len(rules.steps) - 2, -1, -1):
            steps[np.broadcast_to(held(rules.steps[index][0], value), rows.shape)] = index
        candidate = np.array([outcome == "fine_tune_candidate" for _, outcome in rules.steps])
        return cls(framework, rules, counted, names, yes, columns, steps, candidate[steps])

    def bands(self, cuts: Cuts) -> Array:
        """0 for weak, 1 for moderate, 2 for strong, as ``Cuts.band`` decides."""
        difference = self.columns["difference"]
        moderate = (difference >= cuts.moderate).astype(np.int64)
        return np.where(difference >= cuts.strong, 2, moderate)

    def without(self, factor: int) -> Array:
        """Rows in which a factor is no; with its bit they are those in which it is yes."""
        return np.flatnonzero(~self.yes[:, factor])

    def finding(
        self, name: str, where: Array, of: int, bands: tuple[Array, Array], **numbers: Any
    ) -> LintFinding:
        """A warning about the combinations in ``where`` (booleans), with two bands of each."""
        rows = np.flatnonzero(where)
        listed = tuple(
            tuple(n for n, held in zip(self.names, self.yes[row], strict=True) if held)
            for row in rows[:LISTED]
        )
        more = {"count": len(rows), "of": of, "cells": self._cells(rows, bands)}
        return _finding(name, **numbers).model_copy(update=more | {"combinations": listed})

    def _cells(self, rows: Array, bands: tuple[Array, Array]) -> tuple[LintCell, ...]:
        groups: dict[tuple[int, int], list[int]] = {}
        for row in rows.tolist():
            key = (int(self.columns["indicators"][row]), int(self.columns["anti_indicators"][row]))
            groups.setdefault(key, []).append(row)

        def shared(values: Array, members: list[int]) -> Band | Literal["mixed"]:
            found = set(values[members].tolist())
            return BANDS[found.pop()] if len(found) == 1 else "mixed"

        return tuple(
            LintCell(
                indicators=indicators,
                anti_indicators=anti,
                combinations=len(members),
                score=shared(bands[0], members),
                difference=shared(bands[1], members),
            )
            for (indicators, anti), members in sorted(groups.items())
        )


def _steps(table: _Table) -> Iterator[LintFinding]:
    """Steps no combination ends at, outcomes none comes to, and a ceiling nobody asks about."""
    everything = tally(table.rules, {})
    ending = zip(table.framework.tree, everything.ending, strict=True)
    for number, (step, completions) in enumerate(ending, start=1):
        if not completions:
            yield _finding("step_never_holds", step=number, outcome=step.outcome)
    for outcome in OUTCOMES:
        if outcome not in everything.reach:
            yield _finding("outcome_unreachable", outcome=outcome)
    if not table.framework.ceiling:
        yield _finding("no_ceiling_test")


def _disagreements(table: _Table) -> Iterator[LintFinding]:
    """Combinations that score and difference put into different bands, for both denominators."""
    own, counted = table.rules, table.counted
    difference = table.bands(own.difference_cuts)
    for rules in (own,) if own.denominator == counted.denominator else (own, counted):
        score = table.bands(rules.score_cuts)
        apart = score != difference
        if apart.any():
            numbers = {"denominator": rules.denominator, "own": rules is own}
            bands = score, difference
            yield table.finding("bands_disagree", apart, len(score), bands, **numbers)


def _denominator(table: _Table) -> Iterator[LintFinding]:
    """A denominator that isn't the number of factors, and what that moves."""
    rules, factors = table.rules, len(table.names)
    if rules.denominator == factors or any(rules.weights[n] != rules.scale for n in table.names):
        return
    bands = table.bands(rules.score_cuts), table.bands(table.counted.score_cuts)
    moved = bands[0] != bands[1]
    numbers = {"denominator": rules.denominator, "factors": factors}
    yield table.finding("denominator_not_count", moved, len(moved), bands, **numbers)


def _strengths(table: _Table) -> Iterator[LintFinding]:
    """Whether strength tells the tree's candidates apart."""
    total = int(table.candidate.sum())
    if not total:
        return
    bands = table.bands(table.rules.score_cuts), table.bands(table.rules.difference_cuts)
    strength = np.minimum(*bands) * 3 + np.maximum(*bands)
    kinds, counts = np.unique(strength[table.candidate], return_counts=True)
    if len(kinds) > 1 and counts.max() / total < _USUAL:
        return
    by_strength = {
        f"{BANDS[kind // 3]} to {BANDS[kind % 3]}": many
        for kind, many in zip(kinds.tolist(), counts.tolist(), strict=True)
    }
    rare = table.candidate & (strength != kinds[counts.argmax()])
    yield table.finding("strength_tells_little", rare, total, bands, strengths=by_strength)


def _order(table: _Table) -> Iterator[LintFinding]:
    """Bands of which strong begins below moderate, so that moderate is empty."""
    rules = table.rules
    for name, cuts in (("score", rules.score_cuts), ("difference", rules.difference_cuts)):
        if cuts.strong < cuts.moderate:
            yield _finding("bands_out_of_order", rule=name)


def _backfires(table: _Table) -> Iterator[LintFinding]:
    """One more reason for that ends a candidacy, or one more against that starts one."""
    band = table.bands(table.rules.score_cuts)
    for k, name in enumerate(table.names):
        rows = table.without(k)
        before, after = table.candidate[rows], table.candidate[rows | (1 << k)]
        where = np.zeros(len(table.candidate), dtype=bool)
        where[rows] = before & ~after if name in table.rules.indicators else ~before & after
        if where.any():
            yield table.finding("reason_backfires", where, len(rows), (band, band), factor=name)


def _idle(table: _Table) -> Iterator[LintFinding]:
    """Factors whose answer never changes an outcome or a band."""
    cuts = table.rules.score_cuts, table.rules.difference_cuts
    results = (table.fired, *map(table.bands, cuts))
    for k, name in enumerate(table.names):
        rows = table.without(k)
        if all((values[rows] == values[rows | (1 << k)]).all() for values in results):
            yield _finding("factor_never_matters", factor=name)


def _finding(name: str, *, fits: bool = False, **numbers: Any) -> LintFinding:
    """A warning; a note where a published number fits."""
    return LintFinding(id=name, grade="note" if fits else "warning", numbers=numbers)


def _examples(table: _Table) -> Iterator[LintFinding]:
    """A general number of examples that contradicts what single approaches need."""
    general = table.framework.threshold("few_examples")
    less = {
        name: approach.data.low
        for name, approach in table.framework.approaches.items()
        if approach.data.unit == "examples" and general is not None and approach.data.low < general
    }
    if less:
        yield _finding("examples_contradict_needs", general=general, needs=less)


def _upfront(table: _Table) -> Iterator[LintFinding]:
    """The published total against the sum of its rows."""
    costs = table.framework.costs
    if costs is None or (total := costs.upfront_total) is None:
        return
    rows = costs.upfront.values()
    low, high = (sum(getattr(r.hours, end) for r in rows if r.hours) for end in ("low", "high"))
    usd = sum(r.usd.high for r in rows if r.usd)
    yield _finding(
        "upfront_total",
        fits=(low, high) == (total.hours.low, total.hours.high) and usd < total.usd_under,
        sum_low=low,
        sum_high=high,
        usd=usd,
        low=total.hours.low,
        high=total.hours.high,
        under=total.usd_under,
        usd_low=sum(r.usd.low for r in rows if r.usd),
    )


def _worked(table: _Table) -> Iterator[LintFinding]:
    """The example's score and break-even by the rules as they stand."""
    if (example := table.framework.worked_example) is None:
        return
    difference = example.indicators - example.anti_indicators
    score = difference / table.rules.denominator
    upfront = example.upfront_hours * example.hourly_rate_usd
    net = example.api_savings_usd + example.quality_value_usd - example.ongoing_usd
    months = upfront / net if net > 0 else math.inf
    yield _finding(
        "worked_example",
        fits=abs(score - example.score) < _CLOSE
        and abs(months - example.break_even_months) < _CLOSE,
        score=example.score,
        computed_score=score,
        score_by_count=difference / max(len(table.names), 1),
        months=example.break_even_months,
        computed_months=_months(months),
        upfront_usd=upfront,
        net_usd=net,
    )


def _months(months: float) -> float | str:
    return "never" if math.isinf(months) else months


def _running(table: _Table) -> Iterator[LintFinding]:
    """The example's running costs against the framework's own table."""
    example, costs = table.framework.worked_example, table.framework.costs
    if example is None or costs is None:
        return
    rate = example.hourly_rate_usd
    low, high = ongoing_usd(costs, rate, "low"), ongoing_usd(costs, rate, "high")
    if low <= example.ongoing_usd:
        return
    upfront = example.upfront_hours * rate
    benefit = example.api_savings_usd + example.quality_value_usd
    yield _finding(
        "example_below_table",
        ongoing=example.ongoing_usd,
        low=low,
        high=high,
        best=_months(break_even(upfront, benefit - low)),
        worst=_months(break_even(upfront, benefit - high)),
    )


_ALL = (
    *(_steps, _disagreements, _denominator, _strengths, _order, _backfires, _idle),
    *(_examples, _upfront, _worked, _running),
)
