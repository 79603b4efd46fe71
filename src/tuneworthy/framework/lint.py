"""The linter checks what a framework's rules make of every combination of answers.

Combinations are counted and not listed one by one: those that the rules treat alike are one kind.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import Any, Literal, NamedTuple

from tuneworthy.errors import CaseError, FrameworkError
from tuneworthy.framework.rules import (
    Measure,
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
_CLOSE = 1e-9  # from here on two numbers of a worked example count as equal
# share of candidates with one strength at which it doesn't distinguish them
_USUAL = 0.95


def check(framework: Framework) -> Lint:
    """Count every combination of answers; raises a FrameworkError if too many weights differ."""
    table = _Table(framework, compile_rules(framework))
    findings = list[LintFinding]()
    try:
        for find in _ALL:
            findings += find(table)
    except CaseError as error:
        fix = "give some of them equal weights, or check it in parts"
        what = f"has {len(table.names)} factors, too many of different weight to check"
        raise FrameworkError(what, where=framework.name, fix=fix) from error
    name = NamedDigest(name=framework.name, digest=digest(framework))
    return Lint(
        framework=name, combinations=table.combinations, findings=tuple(findings)
    )


class _Kind(NamedTuple):
    """The combinations that the rules treat alike; a band is a number, its place in BANDS."""

    step: int  #: Of the tree, all checks yes.
    score: int
    counted: int  #: Of the score, had it the number of factors as denominator.
    difference: int
    indicators: int
    anti_indicators: int

    @property
    def strength(self) -> tuple[int, int]:
        """The weaker and the stronger of its two bands."""
        return min(self.score, self.difference), max(self.score, self.difference)


def _kind(ends: Sequence[int], indicators: int, anti_indicators: int) -> _Kind:
    """The kind of combinations that end at these steps of the trees.

    The first tree is the framework's; those of the bands begin with the highest band, and may be
    left out, which makes every band 0.
    """
    step, *band_steps = ends
    score = 0
    counted = 0
    difference = 0
    if band_steps:
        highest = len(BANDS) - 1
        score, counted, difference = (highest - end for end in band_steps)
    return _Kind(step, score, counted, difference, indicators, anti_indicators)


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
        """The factors, those for first; the place of each is its bit in a row."""
        return self.rules.indicators + self.rules.anti_indicators

    @property
    def combinations(self) -> int:
        """How many combinations of yes and no the factors have."""
        return 1 << len(self.names)

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
        steps_of_tree = tuple(test for test, _ in self.rules.steps)
        trees: list[Tests] = [steps_of_tree]
        for moderate, strong in (
            self.rules.score_cuts,
            self.counted.score_cuts,
            self.rules.difference_cuts,
        ):
            is_strong = Reaches("difference", strong)
            is_moderate = Reaches("difference", moderate)
            trees.append((is_strong, is_moderate, True))  # True holds for the rest
        return tuple(trees)

    @cached_property
    def kinds(self) -> Kinds:
        """How many combinations are of each kind."""
        counted = self._ending([self.trees], {})
        return {kind: many for (kind,), many in counted}

    def pairs(self, name: str, *, bands: bool = True) -> Pairs:
        """Count the pairs of combinations that differ only in one factor.

        Factors of equal weight are counted once. Without ``bands`` the count is faster.
        """
        adds = self._added_by(name)
        # a factor that the tree asks for by name is alike to no other
        alike: Any = name if name in self.rules.asked else tuple(adds.items())
        key = (bands, alike)
        if key not in self.counted_pairs:
            # the trees as they stand, for a no; and with the factor's weight added, for a yes
            for_no = self.trees if bands else self.trees[:1]
            for_yes = tuple(_add_to_tree(tree, name, adds) for tree in for_no)
            pairs = self._ending([for_no, for_yes], {name: "no"})
            self.counted_pairs[key] = dict(pairs)
        return self.counted_pairs[key]

    def _added_by(self, name: str) -> dict[Measure, int]:
        """The effect of one more yes on the measures."""
        weight = self.rules.weights[name]
        if name in self.rules.indicators:
            return {"indicators": 1, "indicator_weight": weight, "difference": weight}
        return {
            "anti_indicators": 1,
            "anti_indicator_weight": weight,
            "difference": -weight,
        }

    def _ending(
        self, forests: Sequence[tuple[Tests, ...]], states: Mapping[str, State]
    ) -> Iterator[tuple[tuple[Any, ...], int]]:
        """Yield the kind of combinations in each forest, and how many combinations have these kinds.

        A forest is the framework's tree, with or without the three trees of bands.
        """
        trees = tuple(chain(*forests))
        rules = replace(self.rules, bounds=bounds_of(chain(*trees)))
        # checks count as done, because without them nothing else is asked
        answers = dict(states)
        for name in rules.checks:
            answers[name] = "yes"
        for (ends, cell), many in ending(rules, trees, answers).items():
            _, indicators, anti_indicators = cell
            kinds = []
            first = 0  # the place in ``ends`` of the forest's first tree
            for forest in forests:
                own = ends[first : first + len(forest)]
                kinds.append(_kind(own, indicators, anti_indicators))
                first += len(forest)
            yield tuple(kinds), many

    def kind_of_row(self, row: int) -> _Kind:
        """The kind of the combination in which factor k is yes when bit k of ``row`` is set."""
        yes = self.yes_in(row)
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
        answered = {*yes, *self.rules.checks}
        ends = [ends_at(tests, combination, answered) for tests in self.trees]
        return _kind(ends, len(pro), len(con))

    def yes_in(self, row: int) -> tuple[str, ...]:
        """The factors that are yes in the combination with this number."""
        return tuple(name for bit, name in enumerate(self.names) if row >> bit & 1)

    @cached_property
    def first(self) -> list[_Kind]:
        """The kinds of the first combinations, by their rows: those that may be listed."""
        return [self.kind_of_row(row) for row in range(min(self.combinations, _LISTED))]

    def candidate(self, kind: _Kind) -> bool:
        """Whether the tree calls combinations of a kind candidates for tuning."""
        _, outcome = self.rules.steps[kind.step]
        return outcome == "fine_tune_candidate"

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
        if of is None:
            of = self.combinations
        return _finding(name, **numbers).model_copy(
            update={
                "count": sum(kinds.values()),
                "of": of,
                "cells": tuple(_cells(kinds, bands)),
                "combinations": tuple(self.yes_in(row) for row in rows),
            }
        )


_Rule = Literal["score", "counted", "difference"]


def _add_to_tree(tree: Tests, name: str, adds: Mapping[Measure, int]) -> Tests:
    """The tree of the other answers, where one answer is yes and adds to the measures."""
    return tuple(one_more(test, name, adds) for test in tree)


def _cells(kinds: Kinds, rules: tuple[_Rule, _Rule]) -> Iterator[LintCell]:
    """Group combinations by how many reasons for and against are yes, with their bands.

    The two rules stand for the score and the difference in the result.
    """
    by_yeses: dict[tuple[int, int], list[_Kind]] = {}
    for kind in kinds:
        yeses = (kind.indicators, kind.anti_indicators)
        by_yeses.setdefault(yeses, []).append(kind)
    of_score, of_difference = rules
    for (indicators, anti_indicators), members in sorted(by_yeses.items()):
        yield LintCell(
            combinations=sum(kinds[kind] for kind in members),
            indicators=indicators,
            anti_indicators=anti_indicators,
            score=_band_of(members, of_score),
            difference=_band_of(members, of_difference),
        )


def _band_of(kinds: Iterable[_Kind], rule: _Rule) -> Band | Literal["mixed"]:
    """The band of some kinds by a rule; ``mixed`` where they differ."""
    places: set[int] = {getattr(kind, rule) for kind in kinds}
    if len(places) > 1:
        return "mixed"
    (place,) = places
    return BANDS[place]


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
        del rules["counted"]  # they are the same
    for rule, by in rules.items():
        apart = {
            kind: many
            for kind, many in table.kinds.items()
            if getattr(kind, rule) != kind.difference
        }
        if apart:
            yield table.finding(
                "bands_disagree",
                apart,
                (rule, "difference"),
                denominator=by.denominator,
                own=rule == "score",  # the framework's own denominator
            )


def _denominator(table: _Table) -> Findings:
    """Report a denominator that isn't the number of factors, and which bands change because of it.

    With different weights nobody expects the number of factors.
    """
    rules = table.rules
    factors = len(table.names)
    all_weigh_one = all(rules.weights[name] == rules.scale for name in table.names)
    if rules.denominator == factors or not all_weigh_one:
        return
    moved = {
        kind: many for kind, many in table.kinds.items() if kind.score != kind.counted
    }
    yield table.finding(
        "denominator_not_count",
        moved,
        ("score", "counted"),
        denominator=rules.denominator,
        factors=factors,
    )


def _strengths(table: _Table) -> Findings:
    """Check whether strength can tell the tree's candidates apart."""
    candidates = {
        kind: many for kind, many in table.kinds.items() if table.candidate(kind)
    }
    by_strength: Counter[tuple[int, int]] = Counter()
    for kind, many in candidates.items():
        by_strength[kind.strength] += many
    total = by_strength.total()
    if total == 0:
        return
    usual = max(by_strength, key=lambda strength: by_strength[strength])
    if by_strength[usual] / total < _USUAL:
        return  # strength tells some of them apart
    rare = {kind: many for kind, many in candidates.items() if kind.strength != usual}
    strengths = {
        f"{BANDS[low]} to {BANDS[high]}": many
        for (low, high), many in sorted(by_strength.items())
    }
    yield table.finding("strength_tells_little", rare, of=total, strengths=strengths)


def _order(table: _Table) -> Findings:
    """Find bands where strong begins below moderate, so that no combination is moderate."""
    cuts_by_rule = {
        "score": table.rules.score_cuts,
        "difference": table.rules.difference_cuts,
    }
    for name, cuts in cuts_by_rule.items():
        if cuts.strong < cuts.moderate:
            yield _finding("bands_out_of_order", rule=name)


def _backfires(table: _Table) -> Findings:
    """Find where one more reason for ends a candidacy, or one more reason against starts one."""
    for place, name in enumerate(table.names):
        # bands don't matter here, and without them the count is faster
        pairs = table.pairs(name, bands=False)
        if not any(_is_backfire(table, name, *pair) for pair in pairs):
            continue
        wrong: Counter[_Kind] = Counter()
        for (without, with_factor), many in table.pairs(name).items():
            if _is_backfire(table, name, without, with_factor):
                wrong[without] += many
        yield table.finding(
            "reason_backfires",
            wrong,
            ("score", "score"),
            rows=_rows_backfiring(table, place, name),
            of=table.combinations // 2,  # the factor is no in half of them
            factor=name,
        )


def _is_backfire(table: _Table, name: str, without: _Kind, with_factor: _Kind) -> bool:
    """Whether a factor moves the candidacy the wrong way: a reason for ends it, one against starts it."""
    before = table.candidate(without)
    after = table.candidate(with_factor)
    if name in table.rules.indicators:
        return before and not after
    return after and not before


def _rows_backfiring(table: _Table, place: int, name: str) -> Iterator[int]:
    """The listed combinations without a factor that one more yes moves the wrong way."""
    bit = 1 << place
    for row, kind in enumerate(table.first):
        is_no = not row & bit
        if is_no and _is_backfire(table, name, kind, table.kind_of_row(row | bit)):
            yield row


def _idle(table: _Table) -> Findings:
    """Find factors whose answer never changes an outcome or a band."""
    for name in table.names:
        if _changes_kind(table.pairs(name, bands=False)):
            continue  # faster without bands, and mostly there is a difference
        if not _changes_kind(table.pairs(name)):
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
    if general is None:
        return
    less = {}
    for name, approach in table.framework.approaches.items():
        if approach.data.unit == "examples" and approach.data.low < general:
            less[name] = approach.data.low
    if less:
        yield _finding("examples_contradict_needs", general=general, needs=less)


def _check_upfront_total(table: _Table) -> Findings:
    """Compare the published total with the sum of its rows."""
    costs = table.framework.costs
    if costs is None or costs.upfront_total is None:
        return
    total = costs.upfront_total
    hours = [row.hours for row in costs.upfront.values() if row.hours]
    dollars = [row.usd for row in costs.upfront.values() if row.usd]
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
    example = table.framework.worked_example
    if example is None:
        return
    difference = example.indicators - example.anti_indicators
    score = difference / table.rules.denominator
    factors = max(len(table.names), 1)  # a framework may have none
    upfront = example.upfront_hours * example.hourly_rate_usd
    net = example.api_savings_usd + example.quality_value_usd - example.ongoing_usd
    months = upfront / net if net > 0 else math.inf
    same_score = abs(score - example.score) < _CLOSE
    same_months = abs(months - example.break_even_months) < _CLOSE
    yield _finding(
        "worked_example",
        fits=same_score and same_months,
        score=example.score,
        computed_score=score,
        score_by_count=difference / factors,
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
    if low <= example.ongoing_usd:  # the example's costs are within the table's
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
    _steps,
    _disagreements,
    _denominator,
    _strengths,
    _order,
    _backfires,
    _idle,
    _examples,
    _check_upfront_total,
    _check_worked_example,
    _running,
)
