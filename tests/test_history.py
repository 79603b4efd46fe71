"""Laws of comparing: what was fitted to cases isn't judged by them, and noise is called noise."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from internals import (
    Gap,
    PublishedCase,
    Unknown,
    cases_schema,
    catalogue_text,
    gap,
    history,
    history_report,
    load_document,
    load_named,
    parse,
    read_cases,
    render_document,
    shipped_cases,
)
from tuneworthy import CaseError, Framework, FrameworkError, load_framework

CASES = shipped_cases()
LESSON = load_named("lesson")
FITTED = str(Path(__file__).parents[1] / "tools" / "precedent.yaml")
PRECEDENT = load_framework(FITTED)


def renamed(**changes: Any) -> list[Any]:
    """The shipped cases as somebody's own."""
    cases = yaml.safe_load(catalogue_text("published_cases.yaml"))
    return [{**case, "id": f"own-{case['id']}", **changes} for case in cases]


def put(folder: Path, cases: list[Any]) -> str:
    path = folder / "cases.yaml"
    path.write_text(yaml.safe_dump(cases), encoding="utf-8")
    return str(path)


def compared(framework: Framework, other: Framework, cases: Any = CASES) -> Gap:
    rng = np.random.default_rng(0)
    return gap(cases, framework, other, codes="blind1", rng=rng, draws=400)


# Never on its own cases ---------------------------------------------------------------------------


def test_a_fitted_framework_has_no_record_on_its_own_cases(tmp_path: Path) -> None:
    copy = tmp_path / "copy.yaml"
    copy.write_text(catalogue_text("published_cases.yaml"), encoding="utf-8")
    for file in (None, str(copy)):
        with pytest.raises(
            CaseError, match="fitted to, so how often it is right there says nothing"
        ):
            history(file, FITTED, codes="blind1")


def test_a_comparison_on_the_cases_one_was_fitted_to_is_refused() -> None:
    for names in ((FITTED, "lesson"), ("lesson", FITTED)):
        with pytest.raises(CaseError, match="says nothing"):
            history(framework=names[0], against=names[1])


def test_one_case_that_a_framework_was_fitted_to_is_too_many(tmp_path: Path) -> None:
    cases = renamed()
    assert history(put(tmp_path, cases), FITTED, codes="blind1").backtest.cases == 156
    cases[0]["id"] = cases[0]["id"].removeprefix("own-")
    with pytest.raises(CaseError, match="says nothing"):
        history(put(tmp_path, cases), FITTED, codes="blind1")
    # the lesson was fitted to nothing
    assert history(put(tmp_path, cases), "lesson").backtest.cases == 156


# Two frameworks -----------------------------------------------------------------------------------


def test_a_framework_is_no_better_than_itself() -> None:
    found = compared(LESSON, LESSON)
    assert {rule.rule for rule in found.rules} == {
        "tree_recorded", "tree_granted", "score", "difference",
    }  # fmt: skip
    for rule in found.rules:
        assert (rule.apart, rule.difference, rule.excludes_zero) == (0, 0, "no")


def test_a_comparison_turned_around_turns_its_sign() -> None:
    one, other = compared(PRECEDENT, LESSON), compared(LESSON, PRECEDENT)
    for mine, its in zip(one.rules, other.rules, strict=True):
        assert mine.difference == -its.difference
        assert (mine.agreed, mine.other_agreed) == (its.other_agreed, its.agreed)
        assert mine.excludes_zero == its.excludes_zero
        assert mine.apart >= abs(mine.agreed - mine.other_agreed)


STRICT = """
name: strict
extends: lesson
tree:
  - {when: {answers: {consistent_behavior: no}}, outcome: keep_optimizing_prompts}
  - {outcome: fine_tune_candidate}
"""


def made_up(count: int, **more: Any) -> list[PublishedCase]:
    """Cases in which everything is said for tuning, and tuning never won."""
    return [
        PublishedCase.model_validate({"id": f"c{k}", "winner": "rag", "factors": {
            "consistent_behavior": {"blind": ["no", "no"]},
            **{name: {"blind": ["yes", "yes"]} for name in list(LESSON.indicators)[1:]},
        }, **more})
        for k in range(count)
    ]  # fmt: skip


def test_a_clear_difference_is_more_than_noise_and_few_sources_tell_nothing() -> None:
    strict = load_document(parse(STRICT, "strict.yaml", FrameworkError))
    clear = compared(strict, LESSON, made_up(30)).rules[1]
    assert (clear.agreed, clear.other_agreed, clear.difference) == (30, 0, 1)
    assert clear.excludes_zero == "yes"
    for cases in (made_up(19), made_up(30, cluster="one house")):
        few = compared(strict, LESSON, cases).rules[1]
        assert (few.difference, few.excludes_zero) == (1, "unknown")
        assert isinstance(few.interval, Unknown)


def test_noise_is_called_noise(tmp_path: Path) -> None:
    other = tmp_path / "near.yaml"
    text = catalogue_text("lesson.yaml").replace("name: lesson", "name: near")
    other.write_text(
        text.replace("{anti_indicators: {at_least: 2}}", "{anti_indicators: {at_least: 3}}"),
        encoding="utf-8",
    )
    told = " ".join(render_document(history_report(history(against=str(other)), seed=0)[0]).split())
    assert "lesson against near" in told
    assert "cases apart" in told
    assert "may be noise" in told
    assert "more than noise" not in told


# The command and the format -----------------------------------------------------------------------


def test_every_line_fits_a_terminal(tmp_path: Path) -> None:
    found = history(put(tmp_path, renamed()), FITTED, against="lesson", codes="blind1")
    document, _ = history_report(found, seed=0)
    assert max(map(len, render_document(document).splitlines())) <= 80


def test_shipped_cases_and_the_guide_fit_the_schema(project: Path) -> None:
    from jsonschema import Draft202012Validator

    schema = cases_schema()
    Draft202012Validator.check_schema(schema)
    judge = Draft202012Validator(schema)
    assert judge.is_valid(yaml.safe_load(catalogue_text("published_cases.yaml")))
    guide = (project / "docs" / "guides" / "own-cases.md").read_text("utf-8")
    text = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)[0]
    assert judge.is_valid(yaml.safe_load(text))
    assert len(read_cases(parse(text, "our-cases.yaml", CaseError))) == 2
    assert not judge.is_valid([{"id": "a"}])
    assert not judge.is_valid([{"id": "a", "winner": "luck"}])
    assert not judge.is_valid([])


def test_every_case_file_that_the_schema_refuses_is_refused_by_the_reader() -> None:
    for text in ("[]", "[{id: a}]", "[{id: a, winner: luck}]"):
        with pytest.raises(CaseError):
            read_cases(parse(text, "own.yaml", CaseError))


def test_a_framework_is_not_compared_with_itself() -> None:
    with pytest.raises(CaseError, match="itself"):
        history(framework="lesson", against="lesson")


def test_a_third_blind_answer_is_refused_and_not_ignored() -> None:
    def of(blind: str) -> str:
        return f"- {{id: a, winner: fine_tune, factors: {{voice: {{value: yes, blind: {blind}}}}}}}"

    assert read_cases(parse(of("[yes, no]"), "x", CaseError))
    with pytest.raises(CaseError, match="blind"):
        read_cases(parse(of("[yes, no, no]"), "x", CaseError))
