"""The documentation: generated pages are fresh, links lead somewhere, and what it shows is true."""

from __future__ import annotations

import ast
import contextlib
import io
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest

from internals import cli_room, model_framework, run
from tuneworthy import decide, load_case, load_framework

PROJECT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    path.relative_to(PROJECT).as_posix()
    for path in (
        PROJECT / "README.md",
        PROJECT / "CONTRIBUTING.md",
        *(PROJECT / "docs").rglob("*.md"),
        *(PROJECT / "evidence").rglob("*.md"),
    )
)
NOT_OURS = {"python3", ".", "pip", "git", "make"}
"""First words of command lines that set a machine up; they are shown and not run here."""

STANDS_FOR = {"make demo": "tuneworthy decide examples/task-api"}
"""What a command that sets up first comes to in the end."""

COMMAND_WORD = re.compile(r"(?<![\w/.-])tuneworthy ([a-z]+)(?: ([a-z]+))?")


def text_of(page: str) -> str:
    return (PROJECT / page).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language, in order."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for block in found]


def prose(text: str) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


# Generated pages --------------------------------------------------------------------------------


def reference(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROJECT / "tools" / "reference.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_generated_pages_are_up_to_date() -> None:
    done = reference("--check")
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def commands(
    command: click.Command = cli_room.cli, path: str = "tuneworthy"
) -> Iterator[tuple[str, Any]]:
    """Every command with its full name, the root first."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, f"{path} {name}")


def test_every_command_and_option_is_in_the_reference() -> None:
    text = text_of("docs/reference/commands.md")
    for path, command in commands():
        section = text.partition(f"## {path}\n")[2].partition("\n## ")[0]
        assert section, path
        listed = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
        options = [option for parameter in listed for option in parameter.opts]
        assert [option for option in options if option not in section] == []


def test_every_factor_has_a_page_that_says_what_is_inferred() -> None:
    """A page says so exactly where stated numbers alone settle the answer."""
    framework = load_framework("lesson")
    traffic, data = {"traffic": {"requests_per_month": 10}}, {"examples": 10}
    told = decide(load_case({"name": "a", "economics": traffic, "data": data}), framework)
    inferred = {name for name, factor in told.factors.items() if factor.state != "unknown"}
    says = {
        name
        for name in framework.factors
        if "is `assumed`" in text_of(f"docs/concepts/factors/{name}.md")
    }
    assert says == inferred != set()


# Links and names --------------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_relative_link_leads_somewhere() -> None:
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", prose(text_of(page))):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            there = (PROJECT / page).parent / path if path else PROJECT / page
            found = there.exists() and there.resolve().is_relative_to(PROJECT)
            if not found or (anchor and anchor not in anchors(there.read_text(encoding="utf-8"))):
                broken.append((page, target))
    assert broken == []


def test_commands_and_options_that_are_mentioned_exist() -> None:
    known = dict(commands())
    options = {o for command in known.values() for p in command.params for o in p.opts} | {"--help"}
    for page in PAGES:
        spoken: list[str] = re.findall(r"`([^`\n]+)`", prose(text_of(page)))
        spoken += [step.command for step in shown(text_of(page))]
        for span in spoken:
            if not re.match(r"tuneworthy |--[a-z]", span):
                continue
            for first, second in COMMAND_WORD.findall(span):
                assert f"tuneworthy {first}" in known, (page, span)
                if isinstance(known[f"tuneworthy {first}"], click.Group) and second:
                    assert f"tuneworthy {first} {second}" in known, (page, span)
            assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", span)) <= options, (page, span)


SPOKEN = re.compile(
    r"(?<![\w/.@-])tuneworthy (?=[a-z-])(?!import )((?:(?!tuneworthy)[^`\n\"';<>()])*)"
)
"""A command line in a sentence, up to what can't belong to it; an import is none."""

SECTIONS = {"options", "money", "plan", "why", "others", "history"}


def strings(tree: ast.AST) -> Iterator[str]:
    """The texts of a module, with X for what is filled in; f-strings come whole."""
    inside = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
              for part in ast.walk(node) if part is not node}  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in inside:
            yield node.value


def product_texts() -> Iterator[tuple[str, str]]:
    """What the product may say, and what its skill says, each with the file that it is in."""
    package = PROJECT / "src" / "tuneworthy"
    kinds = (".py", ".yaml", ".toml", ".html", ".js", ".json", ".md")
    files = [path for path in sorted(package.rglob("*")) if path.suffix in kinds]
    for path in [*files, *sorted((PROJECT / "skills").rglob("*.md")), PROJECT / "llms.txt"]:
        name, text = path.relative_to(PROJECT).as_posix(), path.read_text(encoding="utf-8")
        for each in strings(ast.parse(text)) if path.suffix == ".py" else [text]:
            yield name, each


def wrong_in(spoken: str, known: dict[str, click.Command]) -> str:
    """What is wrong with a command line in a sentence; empty for nothing."""
    words = [word.rstrip(",.:") for word in spoken.split()]
    command = known.get(f"tuneworthy {words[0]}")
    if command is None:
        return "" if words[0].startswith("--") else f"no command {words[0]}"
    below: list[click.Command] = [command]
    if isinstance(command, click.Group):
        named = command.commands.get(words[1]) if len(words) > 1 else None
        below = [named] if named else [*command.commands.values()]
    options = {o for each in below for p in each.params for o in p.opts} | {"--help", "-h"}
    unknown = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", spoken)) - options
    if unknown:
        return f"{words[0]} has no {', '.join(sorted(unknown))}"
    section = re.match(r"show \S+ ([a-z|]+)", spoken)
    if section and not {*section[1].split("|")} <= SECTIONS:
        return f"show has no section {section[1]}"
    return ""


def test_the_product_names_no_command_or_option_that_is_not_there() -> None:
    known = dict(commands())
    wrong = {
        (name, spoken, problem)
        for name, text in product_texts()
        for spoken in SPOKEN.findall(text)
        if (problem := wrong_in(spoken, known))
    }
    assert wrong == set()


def test_the_law_above_sees_what_is_gone() -> None:
    known = dict(commands())
    for gone in ("invest CASE", "decide CASE --bogus", "show CASE costs", "show CASE why|costs"):
        assert wrong_in(gone, known), gone
    for there in ("show CASE options --all", "evalset CASE --n 4", "show CASE why|money", "init"):
        assert wrong_in(there, known) == "", there


def test_tables_are_whole() -> None:
    """A line with a cell's bar is a row of a table: it begins and ends with one."""
    for page in PAGES:
        rows = [line for line in prose(text_of(page)).splitlines() if re.search(r"\|.*\|", line)]
        open_rows = [row for row in rows if not re.fullmatch(r"\|.*\|", row)]
        assert [row for row in open_rows if "|" in re.sub("`.*?`", "", row)] == [], page
        rules = [row for row in rows if "|---|" in row]
        assert [row for row in rules if not re.fullmatch(r"[|: -]+", row)] == [], page


# Command lines ----------------------------------------------------------------------------------


class Shown(NamedTuple):
    """A command line of a page and what it is said to print."""

    command: str
    output: list[str]


def shown(text: str) -> list[Shown]:
    """The command lines of the console blocks, in order."""
    found: list[Shown] = []
    for block in blocks(text, "console"):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Shown(line[2:], []))
            elif found:
                found[-1].output.append(line)
    return found


WITH_COMMANDS = [page for page in PAGES if shown(text_of(page))]


def fits(output: list[str], said: str) -> bool:
    """Whether what is shown is what was said; a line with nothing but ``…`` leaves lines out."""
    parts = [r"(?:.*\n)*?" if line == "…" else re.escape(line) + r"\n" for line in output]
    return re.fullmatch("".join(parts), said) is not None


def undated(text: str) -> str:
    months = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
    return re.sub(rf"\d{{4}}-\d{{2}}-\d{{2}}|\b\d{{1,2}} (?:{months}) \d{{4}}", "DATE", text)


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the examples to work in, away from the project."""
    shutil.copytree(PROJECT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    for name in ("FORCE_COLOR", "TUNEWORTHY_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def put_files(text: str, folder: Path) -> list[Path]:
    """Write the YAML blocks whose first line names a file, as a reader would."""
    found = []
    for block in blocks(text, "yaml"):
        named = re.match(r"# ([\w./-]+\.yaml)\n", block)
        if named:
            path = folder / named[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block, encoding="utf-8")
            found.append(path)
    return found


def told(command: str) -> tuple[int, str]:
    """Exit code and output of one command line."""
    words = shlex.split(command, comments=True)
    if words[0] == "cp":
        shutil.copy(words[1], words[2])
        return 0, ""
    assert words[0] == "tuneworthy", command
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = run(words[1:])
    return code, said.getvalue()


@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_command_lines_do_what_the_page_shows(page: str, copy: Path) -> None:
    put_files(text_of(page), copy)
    steps = shown(text_of(page))
    for position, (written, output) in enumerate(steps):
        command = STANDS_FOR.get(written, written)
        if command.split()[0] in NOT_OURS or command == "echo $?":
            continue
        code, said = told(command)
        after = steps[position + 1] if position + 1 < len(steps) else None
        wanted = int(after.output[0]) if after and after.command == "echo $?" else 0
        assert code == wanted, f"{command}\n{said}"
        if output:
            dated = [undated(line) for line in output]
            assert fits(dated, undated(said)), f"{command}\n{said}"


def test_the_start_and_the_readme_show_commands() -> None:
    assert {"README.md", "docs/start.md"} <= set(WITH_COMMANDS)


def test_what_is_shown_is_compared() -> None:
    assert fits(["a", "…", "d"], "a\nb\nc\nd\n")
    assert not fits(["a", "…", "d"], "a\nb\nc\n")
    assert not fits(["a", "c"], "a\nb\nc\n")


# Python -----------------------------------------------------------------------------------------

WITH_PYTHON = ["README.md", "docs/guides/python.md"]


@pytest.mark.parametrize("page", WITH_PYTHON)
def test_python_examples_run(page: str, copy: Path) -> None:
    """A line that ends with ``# → value`` is an expression that has that value."""
    found = blocks(text_of(page), "python")
    assert found
    names: dict[str, Any] = {}
    for block in found:
        exec(compile(block, page, "exec"), names)
        for line in block.splitlines():
            expression, arrow, value = line.partition("  # → ")
            if arrow:
                assert repr(eval(expression, names)) == value, line
    assert copy == Path.cwd()


# Guides -----------------------------------------------------------------------------------------


def test_the_frameworks_of_the_guide_load_and_decide(copy: Path) -> None:
    paths = put_files(text_of("docs/guides/own-framework.md"), copy)
    assert len(paths) >= 3
    for path in paths:
        framework = load_framework(path)
        answers = dict.fromkeys(framework.indicators, "yes") | dict.fromkeys(
            framework.anti_indicators, "no"
        )
        checks = dict.fromkeys(framework.ceiling, "yes")
        case = load_case({"name": "a", "factors": answers, "ceiling": checks})
        assert decide(case, framework).verdict.outcome == "fine_tune_candidate"


def test_the_guide_shows_every_key_of_a_condition() -> None:
    text = "\n".join(blocks(text_of("docs/guides/own-framework.md"), "yaml"))
    for key in (*model_framework.Condition.model_fields, *model_framework.Bound.model_fields):
        assert re.search(rf"\b{key}:", text), key


def test_the_guides_leave_nothing_of_the_lesson_out() -> None:
    framework = load_framework("lesson")
    alternatives, pilot = (text_of(f"docs/guides/{name}.md") for name in ("alternatives", "pilot"))
    for name, option in framework.options.items():
        assert f"`{name}`" in alternatives, name
        assert [kind for kind in option.kinds if f"`{kind}`" not in alternatives] == []
    assert framework.models is not None
    assert str(framework.models.dated) in alternatives
    assert [name for name in framework.models.strengths if name not in alternatives] == []
    assert framework.costs is not None
    for row in (*framework.costs.upfront.values(), *framework.costs.ongoing.values()):
        for span, unit in ((row.hours, "hours"), (row.usd, "USD")):
            if span is not None:
                shown_as = f"{span.low:,.0f}–{span.high:,.0f} {unit}"
                assert shown_as in pilot, shown_as
    for approach in framework.approaches.values():
        assert f"| {approach.title} | {approach.data.low:,}" in pilot, approach.title


def test_numbered_decisions_follow_one_another() -> None:
    names = sorted(path.name for path in (PROJECT / "docs" / "decisions").glob("*.md"))
    assert [name[:4] for name in names] == [f"{n:04d}" for n in range(1, len(names) + 1)]
    for name in names:
        text = text_of(f"docs/decisions/{name}")
        found = [text.find(f"\n## {part}\n") for part in ("Context", "Decision", "Consequences")]
        assert found == sorted(found), name
        assert -1 not in found, name
