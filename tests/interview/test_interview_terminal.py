"""The interview in a terminal: lines, a file of answers, and leaving at any moment."""

from __future__ import annotations

import io
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest
import wcwidth
from test_gallery import agrees, expected
from test_gallery import said as parts

from answering import answer_in, evaluated
from tuneworthy import decide, load_case
from tuneworthy.cli import run
from tuneworthy.interview import pages as interview_pages
from tuneworthy.interview.questions import part_asks
from tuneworthy.interview.start import start_case
from tuneworthy.pipeline import framework_of
from tuneworthy.terminal import lines as terminal_lines

AS_OF = date(2026, 11, 24)
ANSWERS = Path(__file__).resolve().parents[2] / "examples" / "task-api" / "answers.yaml"
CLASH = "cost_reason_with_low_volume"
START = "from tuneworthy.cli import main; main()"
SECONDS = 60


class Seen(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


def tuneworthy(*arguments: str | Path, typed: str = "") -> Seen:
    """Run a command in this process, with some lines typed."""
    out, err, before = io.StringIO(), io.StringIO(), sys.stdin
    sys.stdin = io.StringIO(typed)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = run([str(argument) for argument in arguments])
    finally:
        sys.stdin = before
    return Seen(code, out.getvalue(), err.getvalue())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A case with a goal, in which nothing else is answered."""
    start_case(tmp_path / "case", "A case")
    answer_in(tmp_path / "case", "goals", "format")
    return tmp_path / "case"


def case_text(folder: Path) -> str:
    return (folder / "case.yaml").read_text("utf-8")


def script(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "answers.yaml"
    path.write_text(text, encoding="utf-8")
    return path


# A file of answers ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Seen]:
    """The published lesson's example, made from its answers."""
    folder = tmp_path_factory.mktemp("rebuilt") / "case"
    return folder, tuneworthy(
        "interview", folder, "--answers", ANSWERS, "--as-of", "2026-11-24"
    )


@pytest.mark.slow
def test_the_lessons_example_asked_anew_gives_the_verdict_worked_out_by_hand(
    rebuilt: tuple[Path, Seen],
) -> None:
    folder, seen = rebuilt
    assert (seen.code, seen.err) == (0, "")
    case, written = load_case(folder), expected("task-api")
    dossier = decide(case, framework_of(case), as_of=AS_OF).to_dict()
    told = parts(dossier)
    wrong = {
        key
        for key in told.keys() & written.keys()
        if not agrees(told[key], written[key])
    }
    assert wrong == set()
    assert {one["id"] for one in dossier["challenges"]} == set(
        written["challenges"]["fire"]
    )
    assert "Pilot it," in seen.out.replace("\n", " ")


@pytest.mark.slow
def test_answers_given_again_change_no_byte(rebuilt: tuple[Path, Seen]) -> None:
    folder, _ = rebuilt
    before = case_text(folder)
    assert tuneworthy("interview", folder, "--answers", ANSWERS).code == 0
    assert case_text(folder) == before


@pytest.mark.slow
def test_a_file_of_answers_says_what_answer_says(tmp_path: Path) -> None:
    yaml = script(
        tmp_path, "# ours\nname: A = B\ngoals: [format, persona]\nceiling.few_shot: no\n"
        "economics.hourly_rate_usd: {low: 80, likely: 90, high: 120}\n",
    )  # fmt: skip
    assert tuneworthy("interview", tmp_path / "one", "--answers", yaml).code == 0
    start_case(tmp_path / "other", "A = B")
    told = (
        "goals=format,persona",
        "few-shot examples=n",
        "economics.hourly_rate_usd=$80-90-120",
    )
    assert tuneworthy("answer", tmp_path / "other", *told).code == 0
    assert case_text(tmp_path / "one") == case_text(tmp_path / "other")
    assert load_case(tmp_path / "one").name == "A = B"


@pytest.mark.slow
def test_both_are_kept_where_the_file_says_so(tmp_path: Path) -> None:
    told = "cost_optimization: yes\nlow_volume: yes\n"
    assert (
        tuneworthy(
            "interview", tmp_path / "a", "--answers", script(tmp_path, told)
        ).code
        == 0
    )
    assert "both kept" not in case_text(tmp_path / "a")
    kept = script(tmp_path, f"{told}kept: [{CLASH}]\n")
    seen = tuneworthy("interview", tmp_path / "b", "--answers", kept)
    assert seen.code == 0
    assert f"both kept: {CLASH}" in case_text(tmp_path / "b")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("goals: format\nfew_shto: yes\n", 2, "few_shto"),
        ("goals: format\nfew_shot: perhaps\n", 2, "perhaps"),
        ("few_shot: yes\nceiling.few_shot: no\n", 2, "twice"),
        (
            "few_shot: yes\nlatency: no\n",
            2,
            "factors.latency_requirements or signals.latency",
        ),
        ("few_shot: yes\ndata.glossary: glossary.yaml\n", 2, "isn't there"),
        (f"few_shot: yes\nkept: [{CLASH}]\n", 2, f"{CLASH} never came up"),
        ("few_shot: yes\nfew_shot: no\n", 2, "twice"),
        ("few_shot: {a: b}\n", 1, "is not an answer"),
        ("- few_shot\n", None, "is not a list of answers"),
        ("few_shot: *a\n", 1, "alias"),
    ],
)
def test_what_is_wrong_in_a_file_of_answers_is_named_with_its_line(
    text: str, line: int | None, what: str, tmp_path: Path
) -> None:
    path = script(tmp_path, text)
    seen = tuneworthy("interview", tmp_path / "case", "--answers", path)
    assert seen.code == 2
    assert seen.err.count("\n") == 1
    assert seen.err.startswith(f"{path}:{line}: " if line else f"{path}: ")
    assert what in seen.err


def test_a_file_that_answers_what_nobody_asks_begins_nothing(tmp_path: Path) -> None:
    for text in (
        "nothing: yes",
        "few_shot: perhaps",
        "data.glossary: glossary.yaml",
        f"few_shot: yes\nkept: [{CLASH}]",
        "name: a\ntargets.quality.at_least: 7",
    ):
        seen = tuneworthy(
            "interview", tmp_path / "new", "--answers", script(tmp_path, text)
        )
        assert seen.code == 2
        assert not (tmp_path / "new").exists()
    (tmp_path / "there").mkdir()
    seen = tuneworthy(
        "interview", tmp_path / "there", "--answers", tmp_path / "answers.yaml"
    )
    assert seen.code == 2
    assert list((tmp_path / "there").iterdir()) == []


def test_a_file_that_keeps_what_never_came_up_writes_nothing(
    folder: Path, tmp_path: Path
) -> None:
    before = case_text(folder)
    path = script(tmp_path, f"few_shot: yes\nkept: [{CLASH}]\n")
    assert tuneworthy("interview", folder, "--answers", path).code == 2
    assert case_text(folder) == before


# Lines ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_case_that_isnt_there_is_made_after_asking_for_its_name(
    tmp_path: Path,
) -> None:
    seen = tuneworthy(
        "interview", tmp_path / "my-case", typed="Claims bot\nformat\nq\n"
    )
    assert seen.code == 0
    case = load_case(tmp_path / "my-case")
    assert (case.name, case.goals) == ("Claims bot", ("format",))
    assert tuneworthy("interview", tmp_path / "no-case", typed="q\n").code == 0
    assert not (tmp_path / "no-case").exists()
    assert tuneworthy("interview", tmp_path / "some-case", typed="\nq\n").code == 0
    assert load_case(tmp_path / "some-case").name == "Some case"
    seen = tuneworthy("interview", tmp_path / "red\x1b[31m\u202e", typed="q\n")
    assert (seen.code, r"(Enter: Red\x1b[31m\u202e; q stops)" in seen.out) == (0, True)
    assert "\x1b" not in seen.out
    seen = tuneworthy("interview", tmp_path / "gone.yaml", typed="x\n")
    assert (seen.code, "does not exist" in seen.err) == (2, True)


def test_answers_are_written_one_by_one_and_the_talk_goes_on_where_it_stopped(
    folder: Path,
) -> None:
    seen = tuneworthy("interview", folder, typed="y\nq\n")
    assert seen.code == 0
    assert "2/17" in seen.out
    assert load_case(folder).ceiling["few_shot"].value == "yes"
    again = tuneworthy("interview", folder, typed="q\n")
    assert "3/17" in again.out
    assert "Have you tried examples in the prompt?" not in again.out


@pytest.mark.slow
def test_the_end_of_the_input_is_the_end_of_the_talk(folder: Path) -> None:
    seen = tuneworthy("interview", folder, typed="y")
    assert seen.code == 0
    assert load_case(folder).ceiling["few_shot"].value == "yes"
    assert "tuneworthy decide" in seen.out


def test_going_back_over_several_changes_each_and_goes_on_after_them(
    folder: Path,
) -> None:
    assert (
        "This is the first one." in tuneworthy("interview", folder, typed="b\nq\n").out
    )
    seen = tuneworthy(
        "interview", folder, typed="y\n7\nd\nb\nb\n\nb\n1\ny\nb\nb\nb\nq\n"
    )
    case = load_case(folder)
    assert case.ceiling["few_shot"].value == "yes"
    assert case.ceiling["foundation_models"].count == 1
    assert "Now: 7  (Enter keeps it)" in seen.out


@pytest.mark.slow
def test_from_the_end_of_a_part_one_can_go_back_too(folder: Path) -> None:
    passed = "d\n" * 15
    seen = tuneworthy("interview", folder, typed=f"{passed}n\nb\ny\nq\n")
    assert "Now: no  (Enter keeps it)" in seen.out
    assert load_case(folder).factors["success_with_prompts"].value == "yes"
    assert seen.out.count("17/17") == 2


@pytest.mark.slow
def test_quitting_while_another_answer_is_changed_is_quitting(folder: Path) -> None:
    answer_in(folder, "cost_optimization", "yes")
    asks = part_asks(load_case(folder), framework_of(load_case(folder)))
    typed = "d\n" * asks.index("factors.low_volume") + "y\n2\nq\n"
    seen = tuneworthy("interview", folder, typed=f"{typed}n\nn\nn\n")
    assert load_case(folder).factors["exploration_phase"].value == "unknown"
    assert seen.out.count("All answers are in the case file.") == 1


@pytest.mark.slow
def test_it_says_what_is_settled_for_today_asks_on_and_offers_what_else_is_worth_knowing(
    folder: Path,
) -> None:
    answer_in(folder, "data.examples", "5000")
    typed = "n\n" + "d\n" * 14 + "n\nx\no\nA bot\ns\nm\nd\n2k\nq\n"
    seen = tuneworthy("interview", folder, typed=typed)
    told = " ".join(seen.out.split())
    assert "Settled for today: not yet." in told
    assert (
        "If you do the missing check (few-shot examples) and a target is still missed"
        in told
    )
    assert "With the missing check done, it would depend on the open answers." in told
    for step in ("Ceiling not reached", "For 0 of 6", "Against 0 of 5", "Score"):
        assert step in told
    for part in ("[e] evaluation", "[o] options", "[m] money", "[q] that's enough"):
        assert part in told
    assert "Type e, o, m, b or q." in told
    case = load_case(folder)
    assert case.description == "A bot"
    requests = case.economics.traffic.requests_per_month
    assert requests is not None
    assert requests.likely == 2000


@pytest.mark.slow
def test_with_answers_passed_over_it_does_not_call_the_verdict_settled(
    folder: Path,
) -> None:
    answer_in(folder, "data.examples", "5000")
    seen = tuneworthy("interview", folder, typed="d\n" * 16 + "q\n")
    told = seen.out.replace("\n", " ")
    assert "Still possible: " in told
    assert "Settled for today" not in told


@pytest.mark.slow
def test_a_clash_is_talked_over_at_once(folder: Path) -> None:
    answer_in(folder, "cost_optimization", "yes")
    asks = part_asks(load_case(folder), framework_of(load_case(folder)))
    typed = "d\n" * asks.index("factors.low_volume")
    before = case_text(folder)
    for then, low, cost in (
        ("y\n1\nn\nq\n", "no", "yes"),      # this answer is changed
        ("y\n2\nn\nq\n", "yes", "no"),      # the other one is
        ("y\n9\n3\nq\n", "yes", "yes"),     # both are kept
        ("y\nb\nn\nq\n", "no", "yes"),      # back to this answer
        ("y\n2\nb\n2\nn\nq\n", "yes", "no"),  # back from the other one
        ("y\nd\nq\n", "yes", "yes"),        # nobody knows
        ("y\nq\nn\nn\n", "yes", "yes"),       # enough
    ):  # fmt: skip
        (folder / "case.yaml").write_text(before, encoding="utf-8")
        seen = tuneworthy("interview", folder, typed=typed + then)
        assert "That doesn't fit with cost (yes)." in seen.out
        factors = load_case(folder).factors
        assert (factors["low_volume"].value, factors["cost_optimization"].value) == (
            low,
            cost,
        )
        assert (CLASH in case_text(folder)) == ("3" in then)
        assert seen.out.count("All answers are in the case file.") == 1


@pytest.mark.slow
def test_every_line_fits_eighty_columns_and_nothing_moves_the_cursor(
    tmp_path: Path,
) -> None:
    start_case(tmp_path / "case", "A \x1b[31mcase\u202e " + "w" * 150)
    typed = (
        "format\n?\ny\n\x1b[2J\n"
        + "d\n" * 14
        + "e\n?\n"
        + "y\n" * 6
        + "o\n?\nx\nb\ns\nq\n"
    )
    seen = tuneworthy("interview", tmp_path / "case", typed=typed)
    assert seen.code == 0
    assert re.sub(r"[\n]", "", seen.out).isprintable()
    assert max(wcwidth.width(line) for line in seen.out.splitlines()) <= 80
    assert "Holds a character that can't be shown" in seen.out


@pytest.mark.slow
def test_an_answer_that_looks_like_a_command_is_written_behind_a_sign(
    folder: Path,
) -> None:
    tuneworthy("interview", folder, typed="s\no\n=q\nq\n")
    assert load_case(folder).description == "q"


def test_a_file_that_changes_between_question_and_answer_is_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = iter(["y\n", "y\n", "q\n"])

    def line(_: terminal_lines.LineTerminal) -> str:
        given = next(lines)
        # the other editor is quicker
        if case_text(folder).count("brand_voice: unknown"):
            text = case_text(folder).replace("brand_voice: unknown", "brand_voice: yes")
            (folder / "case.yaml").write_text(text, encoding="utf-8")
        return given

    monkeypatch.setattr(terminal_lines.LineTerminal, "_line", line)
    seen = tuneworthy("interview", folder)
    assert "was changed by somebody else meanwhile" in seen.out
    case = load_case(folder)
    assert (case.ceiling["few_shot"].value, case.factors["brand_voice"].value) == (
        "yes",
        "yes",
    )


# A real terminal --------------------------------------------------------------------------------


class Screen:
    """A command on the other side of a pseudo-terminal."""

    def __init__(self, *arguments: str | Path, term: str = "xterm") -> None:
        import pty

        ours, theirs = pty.openpty()
        env = {
            **os.environ,
            "TERM": term,
            "NO_COLOR": "1",
            "COLUMNS": "80",
            "LINES": "24",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, *map(str, arguments)],
            stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self._fd = ours
        self.text = ""

    def wait_for(self, text: str) -> str:
        """Read until a text has come, after all that was waited for before; what came ahead."""
        until = time.monotonic() + SECONDS
        while text not in self.text:
            assert time.monotonic() < until, self.text[-2000:]
            if select.select([self._fd], [], [], 0.2)[0]:
                try:
                    self.text += os.read(self._fd, 65536).decode("utf-8", "replace")
                except OSError:
                    break
        assert text in self.text
        ahead, self.text = self.text.split(text, 1)
        return ahead

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._fd, keys.encode())

    def end(self) -> int:
        """The exit code."""
        self.wait_for_end()
        os.close(self._fd)
        return self.process.returncode

    def wait_for_end(self) -> None:
        """Take what is still said, until the command has ended."""
        until = time.monotonic() + SECONDS
        while self.process.poll() is None and time.monotonic() < until:
            if select.select([self._fd], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self._fd, 65536).decode("utf-8", "replace")
                except OSError:
                    break
        self.process.wait(SECONDS)


@pytest.fixture
def screens() -> Iterator[list[Screen]]:
    """Screens that are switched off at the end."""
    opened: list[Screen] = []
    yield opened
    for screen in opened:
        if screen.process.poll() is None:
            screen.process.kill()
            screen.process.wait()


PROMPT = f"\r\n{interview_pages.MARGIN}> "


@pytest.fixture
def screen(folder: Path, screens: list[Screen]) -> Screen:
    """The interview about a case with a goal, in a terminal."""
    screens.append(Screen("interview", folder))
    return screens[0]


@pytest.mark.slow
def test_a_whole_word_and_enter_is_one_answer(folder: Path, screen: Screen) -> None:
    passed = set[str]()
    answers = dict[str, str]()
    words = ("y", "yes", "no", "no idea", "N", "don't know", "Don’t know")
    for word, value in zip(words, ("yes", "yes", "no", "", "no", "", ""), strict=True):
        shown = screen.wait_for(PROMPT)
        ask = evaluated(folder, as_of=AS_OF).next(passed=passed)
        assert ask is not None
        assert ask.id not in answers
        assert f"\r\n{ask.number}/{ask.of}" in shown
        screen.press(f"{word}\r")
        answers[ask.id] = value
        if not value:
            passed.add(ask.id)
    screen.wait_for(PROMPT)
    screen.press("quit\r")
    assert screen.end() == 0
    now = evaluated(folder, as_of=AS_OF)
    assert {name: now.ask(name).value for name in answers} == answers
    assert len(answers) == len(words)


@pytest.mark.slow
def test_what_is_no_answer_is_followed_by_the_same_question(
    folder: Path, screen: Screen
) -> None:
    before = case_text(folder)
    assert "\r\n2/17 " in screen.wait_for(PROMPT)
    for word, says in (
        ("?", "It is kept as ceiling.few_shot."),
        ("why", "It is kept as ceiling.few_shot."),
        ("", "Answer it, or d if you don't know."),
        ("maybe", '"maybe" is not an answer to this.'),
        ("yes please", '"yes please" is not an answer to this.'),
        ("ye", '"ye" is not an answer to this.'),
        ("yd", '"yd" is not an answer to this.'),
    ):
        screen.press(f"{word}\r")
        shown = " ".join(screen.wait_for(PROMPT).split())
        assert says in shown
        assert "3/17" not in shown
        assert case_text(folder) == before
    screen.press("yes\r")
    assert "\r\n3/17 " in screen.wait_for(PROMPT)
    assert load_case(folder).ceiling["few_shot"].value == "yes"
    screen.press("q\r")
    assert screen.end() == 0


@pytest.mark.slow
def test_lines_typed_ahead_answer_no_question_that_was_not_shown(
    folder: Path, screen: Screen
) -> None:
    screen.press("no\rno\r")  # before anything is shown
    assert "\r\n2/17 " in screen.wait_for(PROMPT)
    # one answer, and what was pasted or typed behind it
    screen.press("yes\rs\r\rno\rq\r")
    assert "\r\n3/17 " in screen.wait_for(PROMPT)
    screen.press("q\r")
    assert screen.end() == 0
    case = load_case(folder)
    assert {name: answer.value for name, answer in case.ceiling.items()} == {
        name: "yes" if name == "few_shot" else "unknown" for name in case.ceiling
    }
    assert {answer.value for answer in case.factors.values()} == {"unknown"}


@pytest.mark.slow
def test_typed_ahead_lines_settle_no_conflict_and_choose_no_part(
    folder: Path, screens: list[Screen]
) -> None:
    answer_in(folder, "cost_optimization", "yes")
    screens.append(Screen("interview", folder))
    (screen,) = screens
    asks = part_asks(load_case(folder), framework_of(load_case(folder)))
    for _ in range(asks.index("factors.low_volume")):
        screen.wait_for(PROMPT)
        screen.press("no idea\r")
    screen.wait_for(PROMPT)
    screen.press("yes\r3\rs\r")
    assert "Which holds?" in screen.wait_for(PROMPT)
    screen.press("maybe\r")
    assert "Type 1, 2, 3, d, b or q." in screen.wait_for(PROMPT)
    screen.press("quit\r")
    assert screen.end() == 0
    assert CLASH not in case_text(folder)


@pytest.mark.slow
def test_one_word_at_every_question_skips_none_of_them(
    folder: Path, screen: Screen
) -> None:
    """In an earlier version "yes" was read key by key, and its "s" left the whole part."""
    numbers = list[int]()
    shown = ""
    for _ in range(40):  # seventeen questions, and what they conflict with
        shown = screen.wait_for(PROMPT)
        if "that's enough" in shown:
            break
        numbers += [int(number) for number in re.findall(r"\r\n(\d+)/17 ", shown)]
        noted = re.search(r"\[(\d)\] [^\[]*,\s+and\s+note it", shown)
        screen.press(f"{noted[1]}\r" if noted else "yes\r")
    assert "that's enough" in shown
    assert numbers == [*range(numbers[0], 18)]
    screen.press("q\r")
    assert screen.end() == 0
    case = load_case(folder)
    assert {answer.value for answer in case.factors.values()} == {"yes"}


@pytest.mark.slow
def test_a_growth_is_asked_back_in_a_terminal_and_no_line_typed_ahead_settles_it(
    folder: Path, screens: list[Screen]
) -> None:
    answer_in(folder, "economics.traffic.requests_per_month", "2000")
    asks = part_asks(load_case(folder), framework_of(load_case(folder)), "investment")
    screens.append(Screen("interview", folder))
    (screen,) = screens
    screen.wait_for(PROMPT)
    screen.press("skip\r")
    assert "[m] money" in screen.wait_for(PROMPT)
    screen.press("money\r")
    for _ in asks:
        if "By how much does that grow a month?" in screen.wait_for(PROMPT):
            break
        screen.press("no idea\r")
    screen.press("5\rno\r")
    assert "5 means 500% a month. Did you mean 5%?" in " ".join(
        screen.wait_for(PROMPT).split()
    )
    assert load_case(folder).economics.traffic.growth_per_month is None
    screen.press("yes\r")
    screen.wait_for(PROMPT)
    screen.press("q\r")
    assert screen.end() == 0
    growth = load_case(folder).economics.traffic.growth_per_month
    assert growth is not None
    assert growth.likely == 0.05


@pytest.mark.slow
@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1", "yes"), ("y", "yes"), ("yes", "yes"),
        ("2", "not_needed"), ("not_needed", "not_needed"), ("not needed", "not_needed"),
        ("3", "no"), ("n", "no"), ("no", "no"), ("no idea", ""),
    ],
)  # fmt: skip
def test_a_question_with_choices_has_one_list_whose_every_word_and_number_answers(
    word: str, value: str, folder: Path
) -> None:
    name = "ceiling.retrieval_optimised"
    asks = part_asks(load_case(folder), framework_of(load_case(folder)))
    seen = tuneworthy(
        "interview", folder, typed="d\n" * asks.index(name) + f"{word}\nq\n"
    )
    question = seen.out.partition("Have you optimized retrieval")[2].partition("> ")[0]
    assert question.count("not_needed") == 1
    assert "[y]es" not in question
    assert evaluated(folder, as_of=AS_OF).ask(name).value == value


@pytest.mark.slow
@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_an_interrupt_leaves_the_file_whole_with_all_that_was_answered(
    term: str, folder: Path, screens: list[Screen]
) -> None:
    screens.append(Screen("interview", folder, term=term))
    (screen,) = screens
    screen.wait_for(PROMPT)
    screen.press("y\r")
    screen.wait_for("Still:")
    screen.wait_for(PROMPT)
    screen.process.send_signal(signal.SIGINT)
    assert screen.end() == 3
    assert load_case(folder).ceiling["few_shot"].value == "yes"
    assert not [path for path in folder.iterdir() if path.suffix == ".part"]


# What is asked back ------------------------------------------------------------------------------

GROWTH = "economics.traffic.growth_per_month"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("5\ny\n", (0.05, 0.05)),       # as it was meant
        ("5\nno\n", (5, 5)),            # as it was typed
        ("5\nb\n7%\n", (0.07, 0.07)),   # asked again
        ("2-8\nyes\n", (0.02, 0.08)),
        ("1\n", (1, 1)),                # 100% is not asked back
        ("150%\n", (1.5, 1.5)),         # who writes per cent means it
        ("5\n", None),                  # the input ends before it is clear
        ("5\nq\n", None),
    ],
)  # fmt: skip
def test_a_growth_of_more_than_all_a_month_is_asked_back_once(
    typed: str, kept: tuple[float, float] | None, folder: Path
) -> None:
    answer_in(folder, "economics.traffic.requests_per_month", "2000")
    asks = part_asks(load_case(folder), framework_of(load_case(folder)), "investment")
    typed = "skip\nmoney\n" + "d\n" * asks.index(GROWTH) + typed
    seen = tuneworthy(
        "interview", folder, typed=f"{typed}" if kept is None else f"{typed}q\n"
    )
    assert seen.code == 0
    told = " ".join(seen.out.split())
    if "5\n" in typed:
        assert told.count("5 means 500% a month. Did you mean 5%?") == 1
    growth = load_case(folder).economics.traffic.growth_per_month
    assert (None if growth is None else (growth.low, growth.high)) == kept


# What is gone ------------------------------------------------------------------------------------
