"""Rendered reports against their snapshots: what a reader sees, reviewed like code.

``TUNEWORTHY_SNAPSHOTS=write`` renews them; the verdicts themselves are checked elsewhere, against
expectations written by hand.
"""

from __future__ import annotations

import fcntl
import html
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from datetime import date
from functools import cache
from pathlib import Path

import pytest
import wcwidth

from frozen import DOSSIERS
from tuneworthy import Dossier, decide, load_case, load_framework
from tuneworthy.cases.reports import render
from tuneworthy.model.base import Unknown
from tuneworthy.model.dossier import AskNow
from tuneworthy.pipeline import framework_of
from tuneworthy.report import markdown as report_markdown
from tuneworthy.report import width as report_width
from tuneworthy.report.sections import plan as sections_plan
from tuneworthy.verdict.headline import ANSWER_WORDS

DAY = date(2026, 11, 24)
ROOT = Path(__file__).parents[2]
SNAPSHOTS = Path(__file__).parents[1].joinpath("snapshots")
EXAMPLES = sorted(path.parent.name for path in (ROOT / "examples").glob("*/case.yaml"))
FORMS = {"text": "txt", "markdown": "md", "whole": "whole.md"}
"""Each form with the ending of its snapshots; ``whole`` is the report as Markdown, all of it."""
READ = [(name, form) for name in DOSSIERS for form in ("text", "markdown")]
READ.append(("task-api", "whole"))


@cache
def judged(name: str) -> Dossier:
    case = load_case(ROOT / "examples" / name)
    return decide(case, framework_of(case), as_of=DAY)


def rendered(name: str, form: str) -> str:
    dossier = judged(name)
    if form == "whole":
        return str(render(dossier, "markdown", memo=False))
    return str(render(dossier, form, case_path=f"examples/{name}"))


def without_digests(text: str) -> str:
    """A report without digests: they change with every word of a framework."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "<digest>", text)
    return re.sub(r"\([0-9a-f]{12}\)", "(<digest>)", text)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "form"), READ)
def test_the_report_reads_as_reviewed(name: str, form: str) -> None:
    text = without_digests(rendered(name, form))
    path = SNAPSHOTS / f"{name}.{FORMS[form]}"
    if os.environ.get("TUNEWORTHY_SNAPSHOTS") == "write":
        SNAPSHOTS.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    renew = "read it, then TUNEWORTHY_SNAPSHOTS=write pytest --all tests/house/test_reports.py"
    assert text == path.read_text(encoding="utf-8"), renew


QUESTIONS = (
    "What to do now", "What it costs", "Decide on ", "Does tuning pay back?",
    "What would change the answer",
)  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_memo_answers_each_question_in_one_row_before_all_else(name: str) -> None:
    memo = rendered(name, "markdown")
    rows = [line for line in memo.splitlines()[:16] if line.startswith("| ")]
    for question in QUESTIONS:
        answers = [row for row in rows if row.startswith(f"| {question}")]
        assert answers
        assert all(len(row.split("|")[2].split()) > 1 for row in answers)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_memo_asks_what_the_dossier_asks_until_its_decision(name: str) -> None:
    dossier = judged(name)
    memo = rendered(name, "markdown")
    assert isinstance(dossier.ask, AskNow)
    (row,) = [
        line for line in memo.splitlines() if line.startswith("| What it costs |")
    ]
    for part in sections_plan.ask_text(dossier.ask).split(" of work, "):
        assert part.removesuffix(" of work") in row
    until = re.findall(r"up to the decision on (\w{3} \d+ \w+ \d+)\.", memo)
    assert len(until) == 1
    assert f"| Decide on {until[0]} |" in memo


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_memo_says_what_the_answer_becomes_by_each_fact(name: str) -> None:
    dossier = judged(name)
    memo = rendered(name, "markdown")
    for turn in dossier.verdict.turns:
        becomes = f"It becomes “{ANSWER_WORDS[turn.answer]}” "
        assert re.search(rf"{re.escape(becomes)}\([a-z ]+\) if ", memo)
        named = turn.path.startswith(("ceiling.", "factors."))
        titles = [f"{turn.what}{after}" for after in (",", " or", ")")]
        asked = _questions(dossier, turn.what)
        assert not named or any(text in memo for text in (*titles, *asked))
    here = dossier.verdict.answer in ("pilot", "yes")
    leads = any(turn.answer in ("pilot", "yes") for turn in dossier.verdict.turns)
    if dossier.verdict.turns and not here:
        assert ("No single fact that was checked leads to tuning." in memo) != leads


def _questions(dossier: Dossier, title: str) -> list[str]:
    checks = dossier.ceiling.checks.values()
    asks = [check.ask for check in checks if check.title == title]
    factors = dossier.factors.values()
    return [*asks, *(factor.ask for factor in factors if factor.title == title)]


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_said_to_be_gained_adds_up_to_the_stated_benefit(name: str) -> None:
    money = judged(name).investment
    row = _payback_row(rendered(name, "markdown"))
    gained = re.search(r"\(([^()]*) stated, less", row)
    if gained is None or isinstance(money, Unknown):
        return
    brings = money.brings_usd
    assert not isinstance(brings, Unknown)
    ends = (brings, brings) if isinstance(brings, float) else (brings.low, brings.high)
    lines = re.findall(r"\$([\d,]+)(?:–\$?([\d,]+))?", gained[1])
    lows = sum(float(low.replace(",", "")) for low, _ in lines)
    highs = sum(float((high or low).replace(",", "")) for low, high in lines)
    assert (lows, highs) == ends


def _payback_row(memo: str) -> str:
    label = "| Does tuning pay back? | "
    rows = [line for line in memo.splitlines() if line.startswith(label)]
    return rows[0].removeprefix(label)


def test_tuning_is_never_said_to_pay_back_where_the_targets_are_met_without_it() -> (
    None
):
    """A saving that is stated against today's bill is none beside a model that costs less."""
    case = load_case({
        "name": "x", "targets": {"quality": {"at_least": 0.93}},
        "today": {"quality": 0.85, "cases": 1400, "usd_per_month": 9000},
        "models": [{"id": "openai:gpt-4o"}, {"id": "openai:x", "quality": 0.96, "cases": 4000}],
        "economics": {
            "upfront": {"hours": 100}, "hourly_rate_usd": 100,
            "monthly": {"api_savings_usd": 8000, "ongoing_usd": 100},
        },
    })  # fmt: skip
    dossier = decide(case, load_framework("lesson"), as_of=DAY)
    memo = str(render(dossier, "markdown"))
    assert dossier.verdict.rule == "met"
    assert "| Does tuning pay back? | No, there is no gap to pay for" in memo


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_memo_names_no_command_and_folds_what_it_rests_on(name: str) -> None:
    memo = rendered(name, "markdown")
    page, _, folded = memo.partition("<details>")
    assert "tuneworthy " not in page
    assert page.count("\n## ") == 0
    assert memo.count("<details>\n<summary>") == memo.count("\n</details>")
    assert "case-sha256" in folded
    assert (
        len(page.split()) < 720
    )  # one page of paper holds it: tests/test_html_browser.py


HOSTILE = (
    "@octocat", "ask @us/team", "fixes #12", "us/ours#7", "GH-3", "https://github.com/us/x/issues/1",
    "www.example.org", "me@example.org", "<details>", "</details>", "<img src=x>", "<!-- x -->",
    "[a](https://x.example)", "![a](//x)", "# title", "| a | b |", "`x`", "&commat;octocat",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_what_somebody_wrote_calls_nobody_and_links_nothing(text: str) -> None:
    shown = report_markdown.md(f"x {text} y").replace("&#8203;", "\u200b")
    assert not re.search(
        r"@\w|#\d|\bGH-\d|\b[a-z]+://|\bwww\.|<|(?<!\\)[\[\]`|]", shown
    )
    assert "&commat;" not in shown
    assert html.unescape(shown).replace("\u200b", "").replace("\\", "") == f"x {text} y"


def test_a_memo_of_a_hostile_case_holds_nothing_that_acts() -> None:
    text = "@octocat #1 <b>x</b> </details> GH-2 https://x.example/1"
    case = load_case(
        {"name": text, "factors": {"brand_voice": {"value": "yes", "note": text}}}
    )
    dossier = decide(case, load_framework("lesson"), as_of=DAY)
    memo = str(render(dossier, "markdown")).replace("&#8203;", "\u200b")
    assert not re.search(r"@\w|#\d|GH-\d|https?://|<b>", memo)
    assert memo.count("</details>") == memo.count("<details>")


@pytest.fixture
def terminal() -> Iterator[Callable[[int], None]]:
    yield report_width.lay_out_for
    report_width.lay_out_for(0)


@pytest.mark.slow
@pytest.mark.parametrize("wide", [80, 66, 56])
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_report_fits_the_terminal(
    name: str, wide: int, terminal: Callable[[int], None]
) -> None:
    terminal(wide)
    for line in rendered(name, "text").splitlines():
        assert wcwidth.width(line) <= wide
        assert line == line.rstrip()


def in_a_terminal(columns: int, *arguments: str) -> str:
    """What the command shows in a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    kept = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    with subprocess.Popen(
        [sys.executable, "-m", "tuneworthy", *arguments],
        stdin=theirs, stdout=theirs, stderr=theirs, env={**kept, "NO_COLOR": "1"},
    ) as process:  # fmt: skip
        os.close(theirs)
        shown = bytearray()
        while True:
            try:
                piece = os.read(ours, 1 << 16)
            except OSError:  # how Linux says that nobody writes any more
                break
            if not piece:
                break
            shown += piece
        os.close(ours)
        assert process.wait() == 0
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.slow
def test_a_narrow_terminal_gets_narrow_lines_and_a_file_does_not(
    tmp_path: Path,
) -> None:
    case = str(ROOT / "examples" / "task-api")
    shown = in_a_terminal(50, "decide", case)
    assert 44 < max(map(wcwidth.width, shown.splitlines())) <= 50
    written = tmp_path / "report.txt"
    in_a_terminal(50, "decide", case, "--output", str(written))
    assert 74 < max(map(wcwidth.width, written.read_text("utf-8").splitlines())) <= 80


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_no_report_says_none_nan_or_an_unfilled_number(name: str) -> None:
    for form in FORMS:
        text = rendered(name, form)
        filled = text.replace("{low, likely, high}", "a range")
        assert (
            re.findall(r"\bNone\b(?! of it)|\bnan\b|\binf\b|[{}]| [;.,](?!\d)", filled)
            == []
        )


def test_no_snapshot_is_left_over() -> None:
    wanted = {f"{name}.{FORMS[form]}" for name, form in READ}
    assert {path.name for path in SNAPSHOTS.iterdir()} == wanted
