"""The linter against brute force, and what it says about the lesson."""

from __future__ import annotations

import random
from itertools import product

import pytest
from test_laws import add, wide

import brute
from tuneworthy import load_framework
from tuneworthy.framework.lint import check
from tuneworthy.model import dossier as model_dossier
from tuneworthy.model import framework as model_framework
from tuneworthy.report import render as render_document
from tuneworthy.report.sections import framework as section_framework


def by_id(lint: model_dossier.Lint, name: str) -> list[model_dossier.LintFinding]:
    return [one for one in lint.findings if one.id == name]


@pytest.fixture(scope="module")
def lesson() -> model_dossier.Lint:
    return check(load_framework("lesson"))


def test_the_lesson_has_what_its_design_says(lesson: model_dossier.Lint) -> None:
    own, counted = by_id(lesson, "bands_disagree")
    assert (own.count, own.of, own.numbers["denominator"]) == (693, 2048, 10)
    assert (counted.count, counted.of, counted.numbers["denominator"]) == (
        1023,
        2048,
        11,
    )
    (moved,) = by_id(lesson, "denominator_not_count")
    assert moved.count == 330
    (strengths,) = by_id(lesson, "strength_tells_little")
    assert strengths.of == 132
    assert strengths.numbers["strengths"] == {
        "moderate to strong": 131,
        "strong to strong": 1,
    }
    (needs,) = by_id(lesson, "examples_contradict_needs")
    assert needs.numbers["needs"] == {"persona_tuning": 500, "instruction_tuning": 500}
    (table,) = by_id(lesson, "example_below_table")
    assert table.numbers["low"] == pytest.approx(200 + 5 * 100 + 10 * 100 / 3)
    assert table.numbers["high"] == pytest.approx(1000 + 10 * 100 + 20 * 100 / 3)
    assert table.numbers["best"] == pytest.approx(6000 / (2000 - table.numbers["low"]))
    assert table.numbers["worst"] == "never"
    notes = {one.id for one in lesson.findings if one.grade == "note"}
    assert notes == {"upfront_total", "worked_example"}


def test_every_combination_is_listed_and_lies_in_its_cell(
    lesson: model_dossier.Lint,
) -> None:
    framework = load_framework("lesson")
    for one in lesson.findings:
        if one.cells:
            assert sum(cell.combinations for cell in one.cells) == one.count
            assert len(set(one.combinations)) == one.count
        for held in one.combinations:
            sides = (framework.indicators, framework.anti_indicators)
            pair = tuple(sum(n in side for n in held) for side in sides)
            assert pair in {
                (cell.indicators, cell.anti_indicators) for cell in one.cells
            }


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_the_linter_equals_brute_force_on_a_random_framework(seed: int) -> None:
    framework = brute.random_framework(random.Random(f"lint {seed}"), most=5)
    lint = check(framework)
    names = [*framework.factors]
    rows = [
        {
            **dict.fromkeys(framework.ceiling, "yes"),
            **dict(zip(names, values, strict=True)),
        }
        for values in product(("no", "yes"), repeat=len(names))
    ]
    assert lint.combinations == len(rows)
    scoring = framework.scoring

    def bands(row: dict[str, str], by: object) -> tuple[str, str]:
        values = brute.measures(framework, row)
        score = values["difference"] / (
            len(names) if by == "count" else brute.denominator(framework)
        )
        return brute.band(scoring.score, score), brute.band(
            scoring.difference, values["difference"]
        )

    apart = sum(len(set(bands(row, "own"))) == 2 for row in rows)
    own = [f for f in by_id(lint, "bands_disagree") if f.numbers["own"]]
    assert [f.count for f in own] == ([apart] if apart else [])
    counted = sum(len(set(bands(row, "count"))) == 2 for row in rows)
    others = [f for f in by_id(lint, "bands_disagree") if not f.numbers["own"]]
    if isinstance(scoring.denominator, str) or brute.denominator(framework) == len(
        names
    ):
        assert not others
    else:
        assert [f.count for f in others] == ([counted] if counted else [])

    candidates = [
        row for row in rows if brute.outcome(framework, row) == "fine_tune_candidate"
    ]
    kinds: dict[str, int] = {}
    for row in candidates:
        low, high = sorted(bands(row, "own"), key=model_framework.BANDS.index)
        kinds[f"{low} to {high}"] = kinds.get(f"{low} to {high}", 0) + 1
    tells_little = bool(kinds) and (
        len(kinds) == 1 or max(kinds.values()) / len(candidates) >= 0.95
    )
    found = by_id(lint, "strength_tells_little")
    assert bool(found) == tells_little
    if found:
        assert found[0].numbers["strengths"] == kinds

    backfires = {}
    for name in names:
        wrong = 0
        for row in rows:
            if row[name] == "no":
                before = brute.outcome(framework, row) == "fine_tune_candidate"
                after = (
                    brute.outcome(framework, {**row, name: "yes"})
                    == "fine_tune_candidate"
                )
                gone = (
                    before and not after
                    if name in framework.indicators
                    else after and not before
                )
                wrong += gone
        if wrong:
            backfires[name] = wrong
    assert {
        f.numbers["factor"]: f.count for f in by_id(lint, "reason_backfires")
    } == backfires

    everything = {*framework.ceiling, *names}
    reach = brute.reach(framework, dict.fromkeys(everything, "unknown"))
    unreachable = {f.numbers["outcome"] for f in by_id(lint, "outcome_unreachable")}
    assert unreachable == set(brute._OUTCOMES) - reach

    idle = {
        name
        for name in names
        if all(
            brute.outcome(framework, row)
            == brute.outcome(framework, {**row, name: "yes"})
            and bands(row, "own") == bands({**row, name: "yes"}, "own")
            for row in rows
            if row[name] == "no"
        )
    }
    # the linter looks at the step that decides, brute force at the outcome: two steps may share one
    assert {f.numbers["factor"] for f in by_id(lint, "factor_never_matters")} <= idle


def test_every_finding_has_words_and_the_text_fits(lesson: model_dossier.Lint) -> None:
    for one in lesson.findings:
        assert section_framework.finding_says(one)
    text = render_document(section_framework.lint_report(lesson))
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "693 of 2,048" in text
    assert section_framework.lint_dict(lesson)["schema"] == "tuneworthy/lint/1"


def test_a_framework_that_agrees_with_itself_has_nothing_to_know() -> None:
    factor = {"title": "a", "ask": "?"}
    bands = {"strong": {"at_least": 2}, "moderate": {"at_least": 1}}
    framework = load_framework(
        {
            "name": "plain",
            "ceiling": {"tried": {"title": "tried", "ask": "?"}},
            "indicators": {"a": factor, "b": factor},
            "anti_indicators": {"c": factor},
            "scoring": {"denominator": 1, "score": bands, "difference": bands},
            "tree": [
                {"when": {"ceiling": "no"}, "outcome": "keep_optimizing_prompts"},
                {
                    "when": {"difference": {"less_than": 0}},
                    "outcome": "address_anti_indicators",
                },
                {
                    "when": {"difference": {"less_than": 1}},
                    "outcome": "improve_rag_or_switch_model",
                },
                {"outcome": "fine_tune_candidate"},
            ],
        }
    )
    lint = check(framework)
    assert {one.id for one in lint.findings} == {
        "bands_disagree",
        "denominator_not_count",
    }


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["one", "many"])
def test_more_factors_than_can_be_gone_through_are_counted(weights: str) -> None:
    def weight(n: int) -> float:
        return 1 if weights == "one" else (n * n * 37 % 997 + 1) / 100

    pro, con = (25, 25) if weights == "one" else (11, 6)
    asks = {
        "when": {"difference": {"at_least": 3}},
        "outcome": "improve_rag_or_switch_model",
    }
    framework = wide(pro, con, [asks], weight)
    lint = check(framework)
    sums = {0: 1}  # every subset by its weight in hundredths, a factor at a time
    for step in [round(100 * weight(n)) for n in range(pro)]:
        sums = add(sums, step)
    for step in [-round(100 * weight(n)) for n in range(con)]:
        sums = add(sums, step)
    (counted,) = (
        one for one in by_id(lint, "bands_disagree") if not one.numbers["own"]
    )
    assert counted.of == lint.combinations == 1 << (pro + con)

    def band(hundredths: float) -> int:
        return (hundredths >= 100) + (hundredths >= 200)

    apart = sum(
        n for total, n in sums.items() if band(total) != band(total / (pro + con))
    )
    assert counted.count == apart == sum(cell.combinations for cell in counted.cells)
    # what is no candidate by reasons for
    ends = sum(n for total, n in sums.items() if total < 300)
    (strengths,) = by_id(lint, "strength_tells_little") or (None,)
    assert strengths is None or strengths.of == ends
    backfires = by_id(lint, "reason_backfires")
    assert len(backfires) == pro + con  # of this tree each reason for ends candidacies
    first = next(one for one in backfires if one.numbers["factor"] == "p0")
    others = {0: 1}
    for step in [*(round(100 * weight(n)) for n in range(1, pro)),
                 *(-round(100 * weight(n)) for n in range(con))]:  # fmt: skip
        others = add(others, step)
    own = round(100 * weight(0))
    wrong = sum(n for total, n in others.items() if total < 300 <= total + own)
    assert (first.count, first.of) == (wrong, 1 << (pro + con - 1))
