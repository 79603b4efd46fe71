"""What a newcomer reads first: one screen never says two things about the same answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tuneworthy import Dossier, decide, load_case, load_framework
from tuneworthy.cases.reports import render
from tuneworthy.interview import pages as interview_pages
from tuneworthy.model.dossier import Recommendation
from tuneworthy.pipeline import framework_of
from tuneworthy.report import render as render_document
from tuneworthy.report import width as report_width
from tuneworthy.report.sections import common as section_common
from tuneworthy.report.sections import ways as sections_ways
from tuneworthy.report.sections.verdict import short

DAY = date(2026, 11, 24)
NO = ("domain_knowledge", "brand_voice", "data_sovereignty")
DONE = ("prompt_variations", "foundation_models", "retrieval_optimised", "few_shot")
LETTERS: dict[str, Any] = {
    "name": "Letters", "goals": ["classification", "format"],
    "ceiling": dict.fromkeys(DONE, "yes"),
    "factors": {
        **dict.fromkeys(("consistent_behavior", "cost_optimization"), "yes"),
        **dict.fromkeys(NO, "no"),
    },
}  # fmt: skip
ROOT = Path(__file__).parents[2]
GALLERY = sorted(ROOT.glob("examples/*/case.yaml"))
EXPERTS = sorted((ROOT.parent / "shared/expert-cases").glob("*/case.yaml"))
MOST_LINES = 24


def decided(case: dict[str, Any]) -> Dossier:
    return decide(load_case(case), load_framework("lesson"), as_of=DAY)


def judged(path: Path) -> Dossier:
    case = load_case(path)
    return decide(case, framework_of(case), as_of=DAY)


@pytest.fixture(params=[100, 80])
def wide(request: pytest.FixtureRequest) -> Iterator[int]:
    report_width.lay_out_for(request.param)
    yield request.param
    report_width.lay_out_for(0)


def screen(dossier: Dossier, path: str) -> list[str]:
    text: str = render(dossier, "text", case_path=path)
    return text.rstrip("\n").split("\n")


@pytest.mark.slow
@pytest.mark.parametrize("path", GALLERY + EXPERTS, ids=lambda path: path.parent.name)
def test_the_first_screen_has_at_most_24_lines(path: Path) -> None:
    report_width.lay_out_for(100)
    lines = screen(judged(path), path.parent.name)
    report_width.lay_out_for(0)
    assert len(lines) <= MOST_LINES


def test_a_case_with_nothing_but_a_name_has_its_first_screen(wide: int) -> None:
    lines = screen(decided({"name": "Only a name"}), "case")
    assert len(lines) <= MOST_LINES + 4 * (wide == 80)
    text = "\n".join(lines)
    assert "Nothing is answered yet." in text
    assert "Answer next: " in text
    assert "Only a name: By the framework “lesson”" in text


@pytest.mark.slow
@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.parent.name)
def test_the_first_screen_says_what_the_dossier_says(path: Path) -> None:
    report_width.lay_out_for(100)
    dossier = judged(path)
    told = " ".join(" ".join(screen(dossier, "CASE")).split())
    report_width.lay_out_for(0)
    verdict = dossier.verdict
    assert told.startswith(" ".join(verdict.headline.replace("’", "'").split()))
    contradictions = [c.severity for c in dossier.challenges].count("contradiction")
    badge = f"{contradictions} contradiction{'s' * (contradictions != 1)}"
    now, _, rest = told.partition(" quality p95 ")
    assert (badge in now) is (contradictions > 0)
    assert " ".join(verdict.now.split()) in now
    turns = verdict.turns[:2]
    assert ("It turns if " in rest) is bool(turns)
    assert all(" ".join(turn.what.replace("’", "'").split()) in rest for turn in turns)


def test_only_the_word_of_the_answer_is_coloured_and_nothing_is_lost_without() -> None:
    document = short(judged(ROOT / "examples/task-api"))
    told = render_document(document, colour=True)
    assert told.startswith("\x1b[32mPilot it\x1b[0m")
    assert "\x1b[33m1 contradiction\x1b[0m" in told
    assert "\x1b[33m!\x1b[0m " in told


def test_interview_and_report_say_the_same_of_open_answers() -> None:
    found = decided(LETTERS)
    reach = section_common.reach_text(found)
    assert reach
    assert reach in section_common.finality(found)
    assert (
        interview_pages.rest(found, load_framework("lesson"))[1]
        == f"{found.verdict.now}."
    )


@pytest.mark.slow
@pytest.mark.parametrize("path", GALLERY + EXPERTS, ids=lambda path: path.parent.name)
def test_what_the_first_step_is_about_is_shown_and_marked(path: Path) -> None:
    dossier = judged(path)
    assert isinstance(dossier.recommendation, Recommendation)
    first, *_ = dossier.recommendation.steps
    shown = [way.id for way in sections_ways.first_rows(dossier)]
    assert len(shown) <= sections_ways.MOST_ROWS
    assert len(shown) == len(set(shown))
    assert "now" in shown
    marked = sections_ways.first_table(dossier).chosen
    assert (marked is not None) is bool(first.way)
    if marked is not None:
        assert shown[marked - 1] == first.way
