"""The page tells what the scripts beside it count: ``python -m pytest evidence/published``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import backtest
import pytest
import yaml
from published import CASES, CODES, Codes, untied_cases

from tuneworthy.framework.load import load_named
from tuneworthy.framework.rules import compile_rules

LESSON = load_named("lesson")
PAGE = Path(__file__).with_name("how-often-is-it-right.md").read_text("utf-8")


@pytest.mark.parametrize("codes", CODES)
def test_the_page_tells_the_table_of_each_coder(codes: Codes) -> None:
    section = PAGE.split(f"(`{codes}`)", 1)[1].split("\n## ", 1)[0]
    for line in backtest.table(backtest.rows_of(codes)):
        assert line in section


def test_the_page_tells_the_table_by_goal() -> None:
    for line in backtest.by_goal("blind1"):
        assert line in PAGE


@pytest.mark.parametrize("codes", CODES)
def test_a_plain_count_comes_to_the_same(codes: Codes) -> None:
    """The lesson's rules once more, written out by hand over another YAML reader."""
    right: Counter[str] = Counter()
    for entry in yaml.safe_load(CASES.read_text("utf-8")):
        if entry["winner"] == "tie":
            continue
        won = entry["winner"] in ("fine_tune", "hybrid")
        answers = {}
        for name, coded in entry["factors"].items():
            answers[name] = (
                coded["value"]
                if codes == "value"
                else coded["blind"][codes == "blind2"]
            )
        reasons = sum(answers[name] == "yes" for name in LESSON.indicators)
        against = sum(answers[name] == "yes" for name in LESSON.anti_indicators)
        reached = all(entry["ceiling_test"][name] == "yes" for name in LESSON.ceiling)
        candidate = reasons >= 4 and against <= 1
        right["tree_recorded"] += (reached and candidate) == won
        right["tree_granted"] += candidate == won
        right["score"] += ((reasons - against) / 10 >= 0.2) == won
        right["difference"] += (reasons - against >= 1) == won
        right["always"] += won
        right["never"] += not won
    rows = backtest.rows_of(codes, draws=20)
    assert {row.rule: row.right for row in rows} == dict(right)


def test_the_page_tells_how_often_the_tree_says_tune() -> None:
    counts = []
    for codes in CODES:
        trials = backtest.trials_of(untied_cases(), compile_rules(LESSON), codes)
        counts.append(sum(trial.says["tree_granted"] for trial in trials))
    assert f"says tune in {counts[0]}, {counts[1]} and {counts[2]} cases" in PAGE


def test_the_page_tells_what_looking_back_finds() -> None:
    cases = untied_cases()
    by_goal = sum((case.goal_kind != "knowledge") == case.tuning_won for case in cases)
    assert f'everything else" is right in {by_goal} of 141 cases' in " ".join(
        PAGE.split()
    )
