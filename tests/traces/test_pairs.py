"""Two statements of one dossier never contradict each other, on any surface that shows them."""

from __future__ import annotations

import math
import re
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from tuneworthy import Dossier, decide, load_case
from tuneworthy.cases.reports import render
from tuneworthy.interview import pages as interview_pages
from tuneworthy.model.base import Unknown
from tuneworthy.model.dossier import Recommendation
from tuneworthy.pipeline import framework_of
from tuneworthy.report import charts as report_charts
from tuneworthy.report import document as report_document
from tuneworthy.report.sections import common as section_common
from tuneworthy.report.sections import verdict as sections_verdict
from tuneworthy.report.sections.verdict import short

DAY = date(2026, 11, 24)
ROOT = Path(__file__).parents[2]
GALLERY = sorted(ROOT.glob("examples/*/case.yaml"))
EXPERTS = sorted((ROOT.parent / "shared/expert-cases").glob("*/case.yaml"))
PATHS = GALLERY + EXPERTS
every_case = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.parent.name)


@cache
def judged(path: Path) -> Dossier:
    case = load_case(path)
    return decide(case, framework_of(case), as_of=DAY)


@cache
def told(path: Path) -> dict[str, str]:
    """What each surface says of a case, on one line."""
    dossier = judged(path)
    texts = {
        "screen": render(dossier, "text", case_path="CASE"),
        "report": report_document.markdown(dossier),
        "memo": report_document.markdown(dossier, short=True),
        "record": render(dossier, "record"),
    }
    return {
        name: " ".join(text.replace("’", "'").split()) for name, text in texts.items()
    }


def steps_of(dossier: Dossier) -> Recommendation:
    assert isinstance(dossier.recommendation, Recommendation)
    return dossier.recommendation


def has_a_target(dossier: Dossier) -> bool:
    limits = {
        name: target.limit
        for name, target in dossier.targets.items()
        if name != "privacy"
    }
    return any(not isinstance(limit, Unknown) for limit in limits.values())


@pytest.mark.slow
@every_case
def test_every_surface_begins_with_the_same_answer(path: Path) -> None:
    headline = " ".join(judged(path).verdict.headline.replace("’", "'").split())
    plain = headline.replace("_", r"\_")
    assert [name for name, text in told(path).items() if plain not in text[:600]] == []


@pytest.mark.slow
@every_case
def test_there_is_one_first_thing_to_do(path: Path) -> None:
    """Pair 3: a pilot first, and first something else."""
    dossier = judged(path)
    first, *_ = steps_of(dossier).steps
    assert first.title in dossier.verdict.now or first.option in (
        "keep_prompt",
        "label",
        "roll_out",
    )
    assert [name for name, text in told(path).items() if "First: " in text] == []
    assert not re.search(
        r"\bfirst\b.*\bfirst\b", f"{dossier.verdict.headline} {first.title}"
    )


@pytest.mark.slow
@every_case
def test_nobody_asks_whether_to_fine_tune_in_an_answer(path: Path) -> None:
    assert [name for name, text in told(path).items() if "Fine-tune?" in text] == []


@pytest.mark.slow
@every_case
def test_what_is_known_is_never_called_nothing(path: Path) -> None:
    """Pair 2: nothing is answered yet, beside figures."""
    dossier = judged(path)
    known = any(
        not isinstance(figure, Unknown) and figure.grade != "rule_of_thumb"
        for way in dossier.ways
        for figure in way.figures.values()
    )
    if known:
        assert "Nothing is answered yet" not in section_common.finality(dossier)


@pytest.mark.slow
@every_case
def test_a_ceiling_that_nobody_measured_is_only_claimed(path: Path) -> None:
    """Pair 4: prompting is at its ceiling, and the next step is a better prompt."""
    dossier = judged(path)
    sources = {check.source for check in dossier.ceiling.checks.values()}
    if "measured" not in sources:
        head = dossier.verdict.headline
        assert "ceiling" not in head
        assert "at its limit" not in head or "at its limit, which nobody" in head
    if dossier.ceiling.reached == "yes" and "measured" not in sources:
        assert section_common.ceiling_text(dossier).startswith("claimed")


@pytest.mark.slow
@every_case
def test_targets_are_spoken_of_as_they_are_stated(path: Path) -> None:
    """Pairs 5, 10 and 16: every target is met, and none is stated; or the other way round."""
    dossier = judged(path)
    stops = [step.stop_when for step in steps_of(dossier).steps]
    says = [dossier.verdict.because, *(way.because for way in dossier.ways), *stops]
    if has_a_target(dossier):
        assert [
            text for text in says if "no target" in text or "a target is stated" in text
        ] == []
    else:
        assert "every target" not in dossier.verdict.because


@pytest.mark.slow
@every_case
def test_an_open_answer_that_turns_it_is_never_said_not_to(path: Path) -> None:
    """Pairs 6 and 7: any one of twelve would change the answer, and no open answer can."""
    dossier = judged(path)
    still = {
        name
        for answers in (dossier.factors, dossier.ceiling.checks)
        for name, answer in answers.items()
        if answer.state == "unknown"
    }
    says = section_common.finality(dossier)
    if still & set(dossier.verdict.basis.turning):
        assert "can’t change it" not in says
        assert "No unanswered question alone" not in says
    if not dossier.reach.exact:
        assert "none of it" not in says
        assert "can’t" not in says


@pytest.mark.slow
@every_case
def test_a_step_moves_nothing_that_is_met(path: Path) -> None:
    """Pair 9: tuning has to pay for privacy, which is met."""
    dossier = judged(path)
    met = {name for name, target in dossier.targets.items() if target.state == "met"}
    assert [
        step.option for step in steps_of(dossier).steps if met & set(step.targets)
    ] == []


@pytest.mark.slow
@every_case
def test_statements_and_measurements_are_counted_once(path: Path) -> None:
    """Pair 15: thirteen statements, and twelve stated."""
    dossier = judged(path)
    basis = dossier.verdict.basis
    sources = [
        answer.source
        for answers in (dossier.factors, dossier.ceiling.checks)
        for answer in answers.values()
        if answer.state != "unknown"
    ]
    assert (basis.stated, basis.assumed) == (
        sources.count("stated"),
        sources.count("assumed"),
    )
    if basis.assumed:
        assert "inferred)" in section_common.finality(dossier)


@pytest.mark.slow
@every_case
def test_contradictions_are_counted_the_same_everywhere(path: Path) -> None:
    """Pair 20: one contradiction to settle, and see all seven."""
    dossier = judged(path)
    many = [claim.severity for claim in dossier.challenges].count("contradiction")
    badge = sections_verdict.badge(dossier)
    assert badge == (f"{many} contradiction{'s' * (many != 1)}" if many else "")
    tally = section_common.tally(dossier.challenges)
    assert ("contradiction" in tally) is (many > 0)
    if dossier.challenges:
        assert tally[1:] in interview_pages.doubts(dossier)
        assert tally[1:] in told(path)["memo"]


@pytest.mark.slow
@every_case
def test_the_first_step_serves_the_reason(path: Path) -> None:
    """Pair 21: the data isn't reviewed, and the first step is another one."""
    dossier = judged(path)
    refused = [gate.why for gate in dossier.verdict.gates if gate.state == "no"]
    reason = dossier.verdict.because.rstrip(".").casefold()
    if reason in [why.casefold() for why in refused]:
        options = [step.option for step in steps_of(dossier).steps]
        assert "clear_reasons_against" in options[: 2 - has_a_target(dossier)]


@pytest.mark.slow
@every_case
def test_the_way_that_is_advised_is_in_the_tables_that_advise(path: Path) -> None:
    dossier = judged(path)
    titles = {way.id: way.title for way in dossier.ways}
    first, *_ = steps_of(dossier).steps
    if first.way:
        before, _, _ = told(path)["report"].partition(
            "and why they aren't advised here"
        )
        assert titles[first.way].replace("_", r"\_").replace("’", "'") in before


@pytest.mark.slow
@every_case
def test_a_dot_is_only_where_a_line_has_paid_itself_back(path: Path) -> None:
    """Pair 14: a dot at 21 months, on a line that never leaves its loss."""
    money = judged(path).investment
    if isinstance(money, Unknown) or isinstance(money.simulation, Unknown):
        return
    drawing = report_charts.fan(money, money.simulation)
    assert drawing is not None
    for dot in (row for row in drawing.rows if "back" in row):
        name = dot["back"]
        line = {row["month"]: row[name] for row in drawing.rows if name in row}
        before = math.ceil(dot["month"]) - 1
        assert line[before] < 0 <= line[before + 1]


def test_the_screen_reads_the_same_without_colour() -> None:
    dossier = judged(GALLERY[0])
    plain = render(dossier, "text")
    coloured = render(dossier, "text", colour=True)
    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain
    assert short(dossier).word == "Can't say yet"
