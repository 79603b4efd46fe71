"""Laws of the decision, held against a brute-force reading of the same framework."""

from __future__ import annotations

import random
from datetime import date
from fractions import Fraction
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import brute
from tuneworthy import Framework, decide, load_case, load_framework, verdicts
from tuneworthy.answers import count as answers_count
from tuneworthy.framework import tally as framework_tally
from tuneworthy.framework import tally as tally_module
from tuneworthy.framework.rules import compile_rules
from tuneworthy.model import framework as model_framework
from tuneworthy.model.base import Range, State

LESSON = load_framework("lesson")
RULES = compile_rules(LESSON)
NAMES = [*LESSON.ceiling, *LESSON.factors]
DAY = date(2026, 11, 24)

seeds = st.integers(0, 2**32)
states = st.sampled_from(["yes", "no", "unknown"])
lesson_answers = st.fixed_dictionaries(dict.fromkeys(NAMES, states))
two_values = st.fixed_dictionaries(
    {name: st.sampled_from(["yes", "no"]) for name in NAMES}
)


def worlds(
    seed: int, *, open_share: float = 0.5, most: int = 4
) -> tuple[Framework, dict[str, Any]]:
    rng = random.Random(seed)
    framework = brute.random_framework(rng, most=most)
    return framework, brute.random_answers(rng, framework, open_share)


def ends(value: float | Range) -> tuple[float, float]:
    """The least and the most of a number that may be open."""
    return (value.low, value.most) if isinstance(value, Range) else (value, value)


def lowest(band: Any) -> int:
    """The place of a band, or of the lower one of two."""
    return model_framework.BANDS.index(getattr(band, "low", band))


def case_of(answers: dict[str, Any]) -> Any:
    checks = {n: answers[n] for n in LESSON.ceiling}
    return load_case(
        {
            "name": "x",
            "ceiling": checks,
            "factors": {n: answers[n] for n in LESSON.factors},
        }
    )


@given(seeds)
def test_reach_and_shares_equal_brute_force_on_random_frameworks(seed: int) -> None:
    framework, answers = worlds(seed)
    decision = answers_count.apply_rules(answers, framework, compile_rules(framework))
    assert set(decision.reach) == brute.reach(framework, answers)
    half = Fraction(1, 2)
    expected = brute.shares(framework, answers, (half, half, half))
    for outcome, share in decision.distribution.items():
        assert share == pytest.approx(float(expected.get(outcome, 0)), abs=1e-12)
    assert sum(decision.distribution.values()) == pytest.approx(1, abs=1e-12)


@given(seeds)
def test_score_difference_and_bands_equal_brute_force(seed: int) -> None:
    framework, answers = worlds(seed)
    decision = answers_count.apply_rules(answers, framework, compile_rules(framework))
    values = [brute.measures(framework, one) for one in brute.completions(answers)]
    for name, rule in (
        ("score", decision.rules.score),
        ("difference", decision.rules.difference),
    ):
        low, high = ends(rule.value)
        assert low == pytest.approx(float(min(v[name] for v in values)), abs=1e-12)
        assert high == pytest.approx(float(max(v[name] for v in values)), abs=1e-12)
    bands = set()
    for value in values:
        bands.add(brute.band(framework.scoring.score, value["score"]))
        bands.add(brute.band(framework.scoring.difference, value["difference"]))
    order = [name for name in model_framework.BANDS if name in bands]
    assert (decision.strength.low, decision.strength.high) == (order[0], order[-1])


@given(seeds)
def test_bounds_hold_every_odds_and_are_reached_at_some(seed: int) -> None:
    framework, answers = worlds(seed, open_share=0.6, most=3)
    decision = answers_count.apply_rules(answers, framework, compile_rules(framework))
    rng = random.Random(seed)
    for _ in range(3):
        odds = tuple(Fraction(rng.randint(10, 90), 100) for _ in range(3))
        for outcome, share in brute.shares(framework, answers, odds).items():  # type: ignore[arg-type]  # three of them
            bound = decision.bounds[outcome]  # type: ignore[index]  # an outcome
            # a bound that isn't monotone is searched on a grid: its ends may lie a hair off
            assert bound.low - 0.002 <= float(share) <= bound.most + 0.002


@given(lesson_answers)
def test_for_the_lesson_the_bounds_are_its_corners(answers: dict[str, State]) -> None:
    decision = answers_count.apply_rules(answers, LESSON, RULES)
    counted = framework_tally.tally(RULES, answers)
    corners = [
        counted.shares((first, second, third))
        for first, second, third in product((0.1, 0.9), repeat=3)
    ]
    for outcome, bound in decision.bounds.items():
        values = [corner[outcome] for corner in corners]
        assert bound.low == pytest.approx(min(values), abs=1e-12)
        assert bound.high == pytest.approx(max(values), abs=1e-12)


@given(seeds)
def test_flips_flip_are_minimal_and_none_of_the_smallest_size_is_missing(
    seed: int,
) -> None:
    framework, answers = worlds(seed, open_share=0.3, most=2)
    rules = compile_rules(framework)
    before = answers_count.apply_rules(answers, framework, rules).outcome
    sets, _ = answers_count.flips(answers, rules, before)
    changes = [tuple((one.factor, one.to) for one in flip.changes) for flip in sets]
    assert set(changes) == brute.smallest_flips(framework, answers)
    for flip, to in zip(sets, changes, strict=True):
        assert flip.outcome == brute.verdict(framework, {**answers, **dict(to)})


@pytest.mark.slow
@given(lesson_answers)
def test_for_the_lesson_the_search_for_flips_is_never_cut_short(
    answers: dict[str, State],
) -> None:
    sets, _ = answers_count.flips(
        answers, RULES, answers_count.apply_rules(answers, LESSON, RULES).outcome
    )
    assert sets
    assert framework_tally.effort(RULES, answers) < answers_count.MOST_WORK / 20_000


@pytest.mark.slow
@given(lesson_answers)
def test_flips_of_the_lesson_flip(answers: dict[str, Any]) -> None:
    dossier = decide(case_of(answers), LESSON, as_of=DAY)
    for flip in dossier.flips[:20]:
        changed = {**answers, **{change.factor: change.to for change in flip.changes}}
        again = decide(case_of(changed), LESSON, as_of=DAY)
        assert again.verdict.outcome == flip.outcome != dossier.verdict.outcome


@given(lesson_answers, st.data())
def test_any_completion_lies_in_the_reported_reach(
    answers: dict[str, Any], data: Any
) -> None:
    decision = answers_count.apply_rules(answers, LESSON, RULES)
    done = dict(answers)
    for name in NAMES:
        if done[name] == "unknown":
            done[name] = data.draw(st.sampled_from(["yes", "no"]))
    after = answers_count.apply_rules(done, LESSON, RULES)
    assert after.final
    assert after.outcome in decision.reach
    if decision.final:
        assert after.outcome == decision.outcome
    least, most = ends(decision.rules.score.value)
    assert least <= ends(after.rules.score.value)[0] <= most
    low, high = (
        model_framework.BANDS.index(b)
        for b in (decision.strength.low, decision.strength.high)
    )
    assert (
        low
        <= model_framework.BANDS.index(after.strength.low)
        <= model_framework.BANDS.index(after.strength.high)
        <= high
    )


@given(two_values, st.sampled_from(list(LESSON.indicators)))
def test_one_more_reason_for_never_lowers_the_score(
    answers: dict[str, State], name: str
) -> None:
    before = answers_count.apply_rules({**answers, name: "no"}, LESSON, RULES)
    after = answers_count.apply_rules({**answers, name: "yes"}, LESSON, RULES)
    first, then = before.rules.score, after.rules.score
    assert ends(then.value)[0] > ends(first.value)[0]
    assert lowest(then.band) >= lowest(first.band)


@given(lesson_answers, st.sampled_from(NAMES))
def test_knowing_less_never_settles_more(answers: dict[str, State], name: str) -> None:
    before = answers_count.apply_rules(answers, LESSON, RULES)
    after = answers_count.apply_rules({**answers, name: "unknown"}, LESSON, RULES)
    assert set(before.reach) <= set(after.reach)


@given(lesson_answers)
def test_questions_gain_no_more_than_there_is_and_none_is_left_when_final(
    answers: dict[str, State],
) -> None:
    decision = answers_count.apply_rules(answers, LESSON, RULES)
    asked = answers_count.questions(answers, LESSON, RULES)
    assert bool(asked) != decision.final
    for one in asked:
        assert answers[one.factor] == "unknown"
        assert 0 < one.gain_bits <= 2
    rates = [one.gain_bits / one.minutes for one in asked]
    assert rates == sorted(rates, reverse=True)


@pytest.mark.slow
@given(lesson_answers)
def test_the_same_inputs_give_the_same_bytes(answers: dict[str, Any]) -> None:
    first = decide(case_of(answers), LESSON, as_of=DAY, seed=7).to_json()
    turned = dict(reversed(answers.items()))
    assert (
        decide(case_of(turned), load_framework("lesson"), as_of=DAY, seed=7).to_json()
        == first
    )


@pytest.mark.slow
@given(st.lists(lesson_answers, max_size=6))
def test_the_batch_form_says_what_decide_says(many: list[dict[str, Any]]) -> None:
    cases = [case_of(answers) for answers in many]
    for case, quick in zip(cases, verdicts(cases, LESSON), strict=True):
        dossier = decide(case, LESSON, as_of=DAY)
        assert quick.outcome == dossier.verdict.outcome
        assert quick.final == dossier.verdict.final
        assert quick.distribution == dossier.distribution


@given(seeds)
def test_arrays_and_loops_count_alike(seed: int) -> None:
    framework, answers = worlds(seed, open_share=0.8)
    looped = framework_tally.tally(compile_rules(framework), answers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tally_module, "_LOOP_UP_TO", 1)
        patch.setattr(tally_module, "_TABLE_UP_TO", 1 << (seed % 2 * 20))
        arrays = framework_tally.tally(compile_rules(framework), answers)
    told, again = ((each.open, each.steps, each.outcomes) for each in (looped, arrays))
    assert again == told


def wide(
    pro: int, con: int, tree: list[dict[str, Any]], weight: Any = lambda _: 1
) -> Any:
    """A framework of many factors and no ceiling, of which everything is open."""
    factors = {
        kind: {
            f"{kind}{n}": {"title": "t", "ask": "?", "weight": weight(n)}
            for n in range(many)
        }
        for kind, many in (("p", pro), ("c", con))
    }
    bands = {"strong": {"at_least": 2}, "moderate": {"at_least": 1}}
    return load_framework(
        {
            "name": "wide",
            "indicators": factors["p"],
            "anti_indicators": factors["c"],
            "scoring": {
                "weights": "counted",
                "denominator": 1,
                "score": bands,
                "difference": bands,
            },
            "tree": [*tree, {"outcome": "fine_tune_candidate"}],
        }
    )


@pytest.mark.slow
@pytest.mark.parametrize(("pro", "con"), [(15, 10), (30, 20)])
@pytest.mark.parametrize("measure", ["indicator_weight", "difference"])
def test_many_weights_are_counted_exactly(pro: int, con: int, measure: str) -> None:
    def weight(n: int) -> float:
        return (n * n * 37 % 4999 + 1) / 1000

    bound = 9.5 if measure == "difference" else 21.25
    asks = {
        "when": {measure: {"at_least": bound}},
        "outcome": "improve_rag_or_switch_model",
    }
    counted = framework_tally.tally(compile_rules(wide(pro, con, [asks], weight)), {})
    sums = {0: 1}  # every subset by its weight in thousandths, an answer at a time
    for n in range(pro):
        step = round(weight(n) * 1000)
        sums = add(sums, step)
    for n in range(con):
        sums = add(sums, -round(weight(n) * 1000) if measure == "difference" else 0)
    want = sum(many for total, many in sums.items() if total >= round(bound * 1000))
    assert counted.ending == (want, (1 << (pro + con)) - want)


def add(sums: dict[int, int], step: int) -> dict[int, int]:
    grown = dict(sums)
    for total, many in sums.items():
        grown[total + step] = grown.get(total + step, 0) + many
    return grown


def test_a_tree_that_names_many_answers_is_counted_exactly() -> None:
    named = [{"answers": {f"p{n}": "yes", f"p{n + 1}": "yes"}} for n in range(0, 40, 2)]
    asks = {"when": {"any": named}, "outcome": "improve_rag_or_switch_model"}
    counted = framework_tally.tally(
        compile_rules(wide(40, 0, [asks])), {"p0": "no", "p2": "yes"}
    )
    assert counted.ending[1] == 2 * 1 * 3**18  # one pair is out, of one half is known
    assert sum(counted.ending) == 2**38


@pytest.mark.slow
def test_what_nothing_changes_is_known_without_trying_every_set() -> None:
    asks = {
        "when": {"difference": {"at_least": 9.5}},
        "outcome": "improve_rag_or_switch_model",
    }
    for pro, con in (
        (8, 8),
        (18, 5),
    ):  # no set of answers changes it; 817,190 of one size do
        rules = compile_rules(wide(pro, con, [asks]))
        states: dict[str, State] = dict.fromkeys(rules.weights, "unknown")
        decision = answers_count.apply_rules(states, wide(pro, con, [asks]), rules)
        found, size = answers_count.flips(states, rules, decision.outcome)
        assert (found, size) == ((), 10 if con == 8 else 8)


@given(lesson_answers)
def test_the_tree_stops_where_its_path_says(answers: dict[str, State]) -> None:
    decision = answers_count.apply_rules(answers, LESSON, RULES)
    said = [step.answer for step in decision.rules.tree.path]
    if decision.final and "yes" in said:
        assert said.index("yes") == len(said) - 1
        assert decision.rules.tree.path[-1].outcome == decision.outcome
    if not decision.final:
        assert "unknown" in said


def test_a_tenth_and_two_tenths_are_three_tenths() -> None:
    weights = {"a": 0.1, "b": 0.2}
    data = {
        "name": "tenths",
        "indicators": {
            n: {"title": n, "ask": "?", "weight": w} for n, w in weights.items()
        },
        "anti_indicators": {},
        "scoring": {
            "weights": "counted",
            "denominator": 1,
            "score": {"strong": {"at_least": 0.3}, "moderate": {"at_least": 0.2}},
            "difference": {"strong": {"more_than": 0.3}, "moderate": {"at_least": 0.3}},
        },
        "tree": [
            {"when": {"score": {"at_least": 0.3}}, "outcome": "fine_tune_candidate"},
            {"outcome": "keep_optimizing_prompts"},
        ],
    }
    case = load_case({"name": "x", "factors": {"a": "yes", "b": "yes"}})
    dossier = decide(case, load_framework(data), as_of=DAY)
    assert dossier.verdict.outcome == "fine_tune_candidate"
    assert (dossier.rules.score.band, dossier.rules.difference.band) == (
        "strong",
        "moderate",
    )
