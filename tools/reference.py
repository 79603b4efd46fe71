"""Writes the generated pages of docs/ again; with --check only says which are stale.

python tools/reference.py            write what has changed
python tools/reference.py --check    exit code 1 and a list if anything would change
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import keys
import meanings
from answers import Answers
from layout import NOTE, bullet, page, paragraph

from tuneworthy import Framework, load_framework
from tuneworthy.cli import ANSWERED, NOT_MET, STOPPED, WRONG_INPUT, cli, show_all
from tuneworthy.framework.schema import case_schema, dossier_schema, framework_schema
from tuneworthy.model.framework import Criterion
from tuneworthy.traces.formats import formats

PROJECT = Path(__file__).resolve().parents[1]

_COMMANDS = """
What each takes. `--help` says what an option does, with examples; `--help-all` shows the rarely
used ones, too. CASE is a case folder or its `case.yaml`. Exit codes stand with the
[dossier](dossier.md#exit-codes).
"""
_CASE = """
Every key, from the schema that `tuneworthy framework schema case` prints. Only `name` has to be
there; a key that is absent, or has nothing behind it, is unknown. A key that doesn't exist is an
error that names the one you meant. Checks, signals and factors are those of the lesson; another
framework brings its own. For yes, no and unknown, `on`, `off`, `true`, `false`, `y`, `n` and `?`
are understood too, in any case.
"""
_FRAMEWORK = """
Every key, from the schema that `tuneworthy framework schema` prints. In a file that says
`extends: lesson` only `name` has to be there: a section it has replaces the lesson's whole
section, and a section it leaves out is the lesson's (but `worked_example`). How to write one:
[a framework of your own](../guides/own-framework.md).
"""
_DOSSIER = """
What `tuneworthy decide CASE --format json` prints, from the schema that
`tuneworthy framework schema dossier` prints. Every key is always there, but for `training`
and `decision`. Names may be added under the same `schema`; none moves. Equal inputs give equal
bytes: there is no clock in it but `as_of`. The schema describes what lies deeper than here.
"""
_NUMBERS = """
A number is a number; `{low, high}` where unknowns or ranges leave it open (`high: "open"` has no
upper end); `"never"` for a break-even that doesn't come; or `{unknown: true, ask: …}`. Unknown is
never null and never 0.
"""
_MAKERS = """
What each reader of [`tuneworthy measure`](../guides/measure.md) can't tell, from the same files as
the readers. What was compared is what a maker's own software wrote against what its server
counted: calls, failures and tokens. `python tools/makers_logs.py` does so again with the newest
releases. Everything else was written from the makers' documentation, which each reader's file
names.
"""
_EXIT_CODES = {
    ANSWERED: "answered, whatever the answer is",
    NOT_MET: "`decide --require` isn't met, `measure --compare` "
    "finds no arm ahead, `framework check --strict` found something, `watch` something to look at, "
    "or `export` lines that the target would refuse",
    WRONG_INPUT: "the input is wrong: one line on stderr says what, where and the fix; nothing is "
    "written",
    STOPPED: "stopped by the user",
}


def main() -> int:
    """Write, or check, every generated page."""
    made = pages()
    unclear, needless = unclear_keys()
    for key in unclear:
        print(f"unclear: {key} needs a docstring, or a line in tools/meanings.py")
    stale = [name for name, text in made.items() if read(name) != text]
    left_over = [name for name in written() if is_generated(name) and name not in made]
    if "--check" in sys.argv[1:]:
        for name in [*stale, *left_over]:
            print(f"stale: {name} (run make docs)")
        return 1 if stale or left_over or unclear else 0
    for key in needless:
        print(f"needless: {key} in tools/meanings.py explains itself by now")
    for name in stale:
        path = PROJECT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made[name], encoding="utf-8", newline="\n")
        print(f"wrote {name}")
    for name in left_over:
        (PROJECT / name).unlink()
        print(f"removed {name}")
    return 0


def unclear_keys() -> tuple[list[str], list[str]]:
    """Keys whose meaning is said nowhere, and keys whose meaning is said twice."""
    unclear: list[str] = []
    needless: list[str] = []
    for schema, said in (
        (case_schema(load_framework("lesson")), {}),
        (framework_schema(), meanings.FRAMEWORK),
        (dossier_schema(), meanings.DOSSIER),
    ):
        unclear += sorted(keys.undocumented(schema, said))
        needless += sorted(keys.needless(schema, said))
    return unclear, needless


def read(name: str) -> str:
    """A file of the project; empty when it isn't there."""
    path = PROJECT / name
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def written() -> list[str]:
    """Every Markdown file under docs/."""
    return sorted(
        path.relative_to(PROJECT).as_posix() for path in PROJECT.glob("docs/**/*.md")
    )


def is_generated(name: str) -> bool:
    """Whether a page was made here."""
    return read(name).startswith(NOTE)


def pages() -> dict[str, str]:
    """Every generated page by its path."""
    framework = load_framework("lesson")
    answers = Answers(framework)
    return {
        "docs/reference/commands.md": page(commands()),
        "docs/reference/case.md": page(case_page(framework)),
        "docs/reference/framework.md": page(framework_page()),
        "docs/reference/dossier.md": page(dossier_page()),
        "docs/reference/makers.md": page(makers_page()),
        **answers.pages(),
    }


def commands() -> list[str]:
    """The help of every command and subcommand, in the order of the command line."""
    return ["# Commands", "", *paragraph(_COMMANDS), *_help(cli, "tuneworthy", None)]


def _help(command: click.Command, name: str, parent: click.Context | None) -> list[str]:
    with command.make_context(name, [], parent=parent, resilient_parsing=True) as here:
        show_all(here)
        lines = [f"## {here.command_path}", "", *paragraph(_says(command))]
        lines += [f"* `{word}`" for word in _words(command, here)]
        lines.append("")
        if isinstance(command, click.Group):
            for each in command.list_commands(here):
                below = command.get_command(here, each)
                assert below is not None  # it was just listed
                lines += _help(below, each, here)
    return lines


def _says(command: click.Command) -> str:
    """The first paragraph of a command's help."""
    return (command.help or "").strip().partition("\n\n")[0]


def _words(command: click.Command, here: click.Context) -> list[str]:
    """What a command takes: its arguments, then its options with what stands behind them."""
    words = []
    for each in command.get_params(here):
        if isinstance(each, click.Argument):
            words.append(each.make_metavar(here))
        elif isinstance(each, click.Option) and not each.hidden:
            flag = "" if each.is_flag else f" {each.make_metavar(here)}"
            words.append(f"{each.opts[-1]}{flag}")
    return words


def case_page(framework: Framework) -> list[str]:
    """Every key of a case file."""
    schema = case_schema(framework)
    for section in ("ceiling", "signals", "factors"):
        asked = getattr(framework, section)
        for name, node in schema["properties"][section]["properties"].items():
            # kept for another framework; it says itself what it asks
            if name not in asked:
                continue
            node["description"] = _asked(framework, name)
    lines = ["# case.yaml", "", *paragraph(_CASE)]
    return lines + keys.sections(schema, {}, mark_required=True)


def _asked(framework: Framework, name: str) -> str:
    entry: Criterion = {**framework.ceiling, **framework.signals, **framework.factors}[
        name
    ]
    return f"{framework.filled(entry.ask, entry)} ([more](questions.md#{name}))"


def framework_page() -> list[str]:
    """Every key of a framework file."""
    schema = framework_schema()
    schema["required"] = schema["then"]["required"]
    lines = ["# Framework files", "", *paragraph(_FRAMEWORK)]
    return lines + keys.sections(schema, meanings.FRAMEWORK, mark_required=True)


def dossier_page() -> list[str]:
    """Every key of a dossier, and the exit codes."""
    lines = [
        "# The dossier, and exit codes",
        "",
        *paragraph(_DOSSIER),
        *paragraph(_NUMBERS),
    ]
    lines += keys.sections(
        dossier_schema(), meanings.DOSSIER, mark_required=False, deepest=1
    )
    lines += ["## Exit codes", ""]
    for code, says in _EXIT_CODES.items():
        lines += bullet(f"`{code}`: {says}")
    return lines


def makers_page() -> list[str]:
    """Every format of a maker, with what its reader loses."""
    lines = ["# Makers of logs", "", *paragraph(_MAKERS)]
    lines += ["| format | not in it, or not read | compared with |", "|---|---|---|"]
    for kind in sorted(formats(), key=lambda kind: kind.name.casefold()):
        if kind.loses:
            tried = kind.tried or "its documented shape alone"
            lines.append(f"| {kind.name} | {kind.loses} | {tried} |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
