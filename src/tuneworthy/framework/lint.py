"""The linter checks what a framework's rules make of every combination of answers.

Combinations are counted and not listed one by one: those that the rules treat alike are one kind.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, groupby
from typing import Any, Literal, NamedTuple

from tuneworthy.errors import CaseError, FrameworkError
from tuneworthy.framework.rules import (
    Reaches,
    Rules,
    bounds_of,
    compile_rules,
    one_more,
)
from tuneworthy.framework.tally import Tests, ending, ends_at, tally
from tuneworthy.model.base import State, break_even, digest
from tuneworthy.model.dossier import Lint, LintCell, LintFinding, NamedDigest
from tuneworthy.model.framework import BANDS, OUTCOMES, Band, Framework, ongoing_usd

_LISTED = 4096  # the most combinations that are listed
_CLOSE = 1e-9
# share of candidates with one strength at which it doesn't distinguish them
_USUAL = 0.95


def check(framework: Framework) -> Lint:
    """Count every combination of answers; raises a FrameworkError if too many weights differ."""
    table = _Table(framework, compile_rules(framework))
    try:
        findings = tuple(chain.from_iterable(finder(table) for finder in _ALL))
    except CaseError as error:
        fix = "give some of them equal weights, or check it in parts"
        what = f"has {len(table.names)} factors, too many of different weight to check"
        raise FrameworkError(what, where=framework.name, fix=fix) from error
    name = NamedDigest(name=framework.name, digest=digest(framework))
    return Lint(framework=name, combinations=1 << len(table.names), findings=findings)


class _Kind(NamedTuple):
    """The combinations that the rules treat alike; a band is a number, its place in BANDS."""

    step: int  #: Of the tree, all checks yes.
    score: int
    counted: int  #: Of the score, had it the number of factors as denominator.
    difference: int
    indicators: int
    anti_indicators: int

    @property
    def strength(self) -> tuple[int, ...]:
        """The weaker and the stronger of its two bands."""
        return tuple(sorted((self.score, self.difference)))


def _kind(steps: Sequence[int], yes: Iterable[int]) -> _Kind:
    """The kind by the step of each tree, the bands' trees from the highest band; 0 for no bands."""
    step, *of_bands = steps
    bands = [2 - place for place in of_bands] or [0, 0, 0]
    return _Kind(step, *bands, *yes)


Kinds = Mapping[_Kind, int]
Findings = Iterator[LintFinding]
#: How many combinations are of one kind without a factor and another with it.
Pairs = Mapping[tuple[_Kind, _Kind], int]


@dataclass(frozen=True, eq=False)
class _Table:
    framework: Framework
    rules: Rules
    counted_pairs: dict[Any, Pairs] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return self.rules.indicators + self.rules.anti_indicators

    @cached_property
    def counted(self) -> Rules:
        """The rules with the number of factors as denominator, in place of another number."""
        numeric = not isinstance(self.framework.scoring.denominator, str)
        if numeric:
            return compile_rules(self.framework, "count")
        return self.rules

    @cached_property
    def trees(self) -> tuple[Tests, ...]:
        """The tree, and each rule of bands written as a tree of three steps, from strong to weak."""
        cuts = (
            self.rules.score_cuts,
            self.counted.score_cuts,
            self.rules.difference_cuts,
        )
        bands: list[Tests] = [
            (Reaches("difference", strong), Reaches("difference", moderate), True)
            for moderate, strong in cuts
        ]
        return tuple(test for test, _ in self.rules.steps), *bands

    @cached_property
    def kinds(self) -> Kinds:
        return {kind: many for (kind,), many in self._ending(self.trees, {})}

    def pairs(self, name: str, *, bands: bool = True) -> Pairs:
        """Count the pairs of combinations that differ only in one factor.

        Factors of equal weight are counted once. Without ``bands`` the count is faster.
        """
        weight = self.rules.weights[name]
        if name in self.rules.indicators:
            side = "indicator"
            sign = 1
        else:
            side = "anti_indicator"
            sign = -1
        adds: Any = {
            f"{side}s": 1,
            f"{side}_weight": weight,
            "difference": sign * weight,
        }
        alike = name if name in self.rules.asked else tuple(adds.items())
        key = (bands, alike)
        if key not in self.counted_pairs:
            # the trees as they stand, for a no; and with the factor's weight added, for a yes
            trees = self.trees if bands else self.trees[:1]
            for_yes = [
                tuple(one_more(test, name, adds) for test in tree) for tree in trees
            ]
            pairs = self._ending((*trees, *for_yes), {name: "no"})
            self.counted_pairs[key] = dict(pairs)
        return self.counted_pairs[key]

    def _ending(
        self, trees: tuple[Tests, ...], states: Mapping[str, State]
    ) -> Iterator[tuple[tuple[Any, ...], int]]:
        """The kinds at which combinations end in several trees, each with how many end there."""
        rules = replace(self.rules, bounds=bounds_of(chain(*trees)))
        ends = ending(rules, trees, {**dict.fromkeys(rules.checks, "yes"), **states})
        width = 4 if len(trees) > 2 else 1
        for (steps, (_, *cell)), many in ends.items():
            yield (
                tuple(
                    _kind(steps[at : at + width], cell)
                    for at in range(0, len(trees), width)
                ),
                many,
            )

    def kind_of_row(self, row: int) -> _Kind:
        """The kind of the combination in which factor k is yes when bit k of ``row`` is set."""
        yes = {name for k, name in enumerate(self.names) if row >> k & 1}
        weights = self.rules.weights
        pro = [weights[name] for name in self.rules.indicators if name in yes]
        con = [weights[name] for name in self.rules.anti_indicators if name in yes]
        pro_weight = sum(pro)
        con_weight = sum(con)
        combination = (
            True,  # all checks are yes
            len(pro),
            pro_weight,
            len(con),
            con_weight,
            pro_weight - con_weight,
        )
        yes.update(self.rules.checks)
        steps = [ends_at(tests, combination, yes) for tests in self.trees]
        return _kind(steps, (len(pro), len(con)))

    @cached_property
    def first(self) -> list[_Kind]:
        return [
            self.kind_of_row(row) for row in range(min(1 << len(self.names), _LISTED))
        ]

    def candidate(self, kind: _Kind) -> bool:
        return self.rules.steps[kind.step][1] == "fine_tune_candidate"

    def finding(
        self,
        name: str,
        kinds: Kinds,
        bands: tuple[_Rule, _Rule] = ("score", "difference"),
        *,
        rows: Iterable[int] | None = None,
        of: int | None = None,
        **numbers: Any,
    ) -> LintFinding:
        """Build a warning about combinations of answers, with two bands of each.

        ``rows`` are those combinations as numbers: bit k is set where name k is yes. By default
        they are all of ``kinds``. ``of`` is how many there could be, by default all combinations.
        """
        if rows is None:
            rows = [row for row, kind in enumerate(self.first) if kind in kinds]
        combinations = []
        for row in rows:
            yes = [name for bit, name in enumerate(self.names) if row >> bit & 1]
            combinations.append(tuple(yes))
        more = {
            "count": sum(kinds.values()),
            "of": of or 2 ** len(self.names),
            "cells": tuple(_cells(kinds, bands)),
            "combinations": tuple(combinations),
        }
        return _finding(name, **numbers).model_copy(update=more)


_Rule = Literal["score", "counted", "difference"]


def _cells(kinds: Kinds, rules: tuple[_Rule, _Rule]) -> Iterator[LintCell]:
    """Group combinations by how many reasons for and against are yes, with their bands."""

    def yeses(kind: _Kind) -> tuple[int, int]:
        return kind.indicators, kind.anti_indicators

    for (indicators, anti_indicators), alike in groupby(
        sorted(kinds, key=yeses), yeses
    ):
        members = list(alike)
        bands = dict[str, Band | Literal["mixed"]]()
        for rule, name in zip(rules, ("score", "difference"), strict=True):
            places = {getattr(kind, rule) for kind in members}
            bands[name] = BANDS[places.pop()] if len(places) == 1 else "mixed"
        many: Any = {"indicators": indicators, "anti_indicators": anti_indicators}
        yield LintCell(
            combinations=sum(kinds[kind] for kind in members), **many, **bands
        )


def _steps(table: _Table) -> Findings:
    """Find steps where no combination ends, outcomes none reaches, and a ceiling nobody asks for."""
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


def _disagreements(table: _Table) -> Findings:
    """Find combinations that score and difference put into different bands, for both denominators."""
    rules: dict[_Rule, Rules] = {"score": table.rules, "counted": table.counted}
    if table.rules.denominator == table.counted.denominator:
        del rules["counted"]
    for rule, by in rules.items():
        apart = {
            k: n for k, n in table.kinds.items() if getattr(k, rule) != k.difference
        }
        if apart:
            numbers: dict[str, Any] = {
                "denominator": by.denominator,
                "own": rule == "score",
            }
            yield table.finding(
                "bands_disagree", apart, (rule, "difference"), **numbers
            )


def _denominator(table: _Table) -> Findings:
    """Report a denominator that isn't the number of factors, and which bands change because of it."""
    rules = table.rules
    factors = len(table.names)
    if rules.denominator == factors or any(
        rules.weights[n] != rules.scale for n in table.names
    ):
        return
    moved = {
        kind: many for kind, many in table.kinds.items() if kind.score != kind.counted
    }
    numbers: dict[str, Any] = {"denominator": rules.denominator, "factors": factors}
    yield table.finding("denominator_not_count", moved, ("score", "counted"), **numbers)


def _strengths(table: _Table) -> Findings:
    """Check whether strength can tell the tree's candidates apart."""
    candidates = {
        kind: many for kind, many in table.kinds.items() if table.candidate(kind)
    }
    by_strength: Counter[tuple[int, ...]] = Counter()
    for kind, many in candidates.items():
        by_strength[kind.strength] += many
    total = by_strength.total()
    if total == 0:
        return
    usual, most = max(by_strength.items(), key=lambda item: item[1])
    if most / total < _USUAL:
        return  # strength tells some of them apart
    rare = {kind: many for kind, many in candidates.items() if kind.strength != usual}
    strengths = {
        f"{BANDS[low]} to {BANDS[high]}": many
        for (low, high), many in sorted(by_strength.items())
    }
    yield table.finding("strength_tells_little", rare, of=total, strengths=strengths)


def _order(table: _Table) -> Findings:
    """Find bands where strong begins below moderate, so that no combination is moderate."""
    rules = table.rules
    for name, cuts in (
        ("score", rules.score_cuts),
        ("difference", rules.difference_cuts),
    ):
        if cuts.strong < cuts.moderate:
            yield _finding("bands_out_of_order", rule=name)


def _backfires(table: _Table) -> Findings:
    """Find where one more reason for ends a candidacy, or one more reason against starts one."""
    for k, name in enumerate(table.names):
        ends = name in table.rules.indicators, name not in table.rules.indicators

        def backfires(pair: tuple[_Kind, ...], ends: tuple[bool, ...] = ends) -> bool:
            return tuple(map(table.candidate, pair)) == ends

        if any(map(backfires, table.pairs(name, bands=False))):
            wrong: Counter[_Kind] = Counter()
            for pair, many in table.pairs(name).items():
                wrong[pair[0]] += many * backfires(pair)
            wrong = +wrong
            rows = (
                row
                for row, kind in enumerate(table.first)
                if not row >> k & 1
                and kind in wrong
                and backfires((kind, table.kind_of_row(row | 1 << k)))
            )
            rest: Any = {"rows": rows, "of": 1 << len(table.names) - 1, "factor": name}
            yield table.finding("reason_backfires", wrong, ("score", "score"), **rest)


def _idle(table: _Table) -> Findings:
    """Find factors whose answer never changes an outcome or a band."""
    for name in table.names:
        # without bands first, as that is faster and mostly finds a difference
        matters = _changes_kind(table.pairs(name, bands=False)) or _changes_kind(
            table.pairs(name)
        )
        if not matters:
            yield _finding("factor_never_matters", factor=name)


def _changes_kind(pairs: Pairs) -> bool:
    """Whether any pair ends at another step, or in another band."""
    for without, with_factor in pairs:
        if without.step != with_factor.step or without.score != with_factor.score:
            return True
        if without.difference != with_factor.difference:
            return True
    return False


def _finding(name: str, *, fits: bool = False, **numbers: Any) -> LintFinding:
    """Build a warning, or a note where a published number fits."""
    return LintFinding(id=name, grade="note" if fits else "warning", numbers=numbers)


def _examples(table: _Table) -> Findings:
    """Compare the general number of examples with what each approach needs."""
    general = table.framework.threshold("few_examples")
    less = {
        name: approach.data.low
        for name, approach in table.framework.approaches.items()
        if approach.data.unit == "examples"
        and general is not None
        and approach.data.low < general
    }
    if less:
        yield _finding("examples_contradict_needs", general=general, needs=less)


def _check_upfront_total(table: _Table) -> Findings:
    """Compare the published total with the sum of its rows."""
    costs = table.framework.costs
    total = None if costs is None else costs.upfront_total
    if costs is None or total is None:
        return
    rows = costs.upfront.values()
    hours = [row.hours for row in rows if row.hours]
    dollars = [row.usd for row in rows if row.usd]
    low = sum(each.low for each in hours)
    high = sum(each.high for each in hours)
    usd = sum(each.high for each in dollars)
    same_hours = low == total.hours.low and high == total.hours.high
    yield _finding(
        "upfront_total",
        fits=same_hours and usd < total.usd_under,
        sum_low=low,
        sum_high=high,
        usd=usd,
        low=total.hours.low,
        high=total.hours.high,
        under=total.usd_under,
        usd_low=sum(each.low for each in dollars),
    )


def _check_worked_example(table: _Table) -> Findings:
    """Compute the worked example's score and break-even by the rules as they stand."""
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


def _running(table: _Table) -> Findings:
    """Compare the worked example's running costs with the framework's own table."""
    example = table.framework.worked_example
    costs = table.framework.costs
    if example is None or costs is None:
        return
    rate = example.hourly_rate_usd
    low = ongoing_usd(costs, rate, "low")
    high = ongoing_usd(costs, rate, "high")
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
    *(_examples, _check_upfront_total, _check_worked_example, _running),
)
