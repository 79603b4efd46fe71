"""The command line: parse, one call of the API, hand to the report."""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple, TextIO

import click

from tuneworthy import __version__
from tuneworthy.errors import (
    StoppedError,
    TuneworthyError,
    one_line,
    refuse_wrong_clock,
)
from tuneworthy.report.width import lay_out_for

_GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "Decide": {
        "init": ("cases", "Start a case folder with a commented case file."),
        "interview": (
            "cases",
            "Ask what removes most doubt, and show the verdict forming.",
        ),
        "answer": (
            "cases",
            "Write answers into a case file, leaving the rest as it is.",
        ),
        "decide": (
            "reports",
            "Judge a case: is fine-tuning worth it, and how sure is that?",
        ),
        "show": (
            "reports",
            "Show options, money, plan, reasons or other cases.",
        ),
    },
    "Prove": {
        "measure": ("cases", "Measure traces or results, and keep the evidence."),
        "evalset": ("cases", "Draw an evaluation set from traces, and label it."),
        "ceiling": ("labs", "Find out whether prompting has reached its limit."),
        "retrieve": ("labs", "Compare ways of retrieving, and what answers lose."),
        "verify": ("labs", "Compare a tuned model with the best untuned arm."),
    },
    "Do": {
        "data": ("training", "Check and review what a model may be tuned on."),
        "export": (
            "training",
            "Write the training set as a service or library takes it.",
        ),
        "pilot": (
            "training",
            "Train on growing parts of the data: does tuning work here?",
        ),
        "watch": ("training", "Check a signed decision against new logs and dates."),
    },
    "Look up": {
        "list": (
            "servers",
            "List a folder of cases: answers, cost, worth, and what to fund.",
        ),
        "serve": (
            "servers",
            "Show cases on a page in the browser, and take answers there.",
        ),
        "mcp": (
            "servers",
            "Offer the tools to an assistant over the Model Context Protocol.",
        ),
        "framework": (
            "reports",
            "List, show and check decision frameworks, and print schemas.",
        ),
        "models": ("labs", "List the models that can be called, and what they cost."),
        "demo": ("cases", "Copy a case of the gallery, and walk through it."),
    },
}
"""Each command's module and what it says of itself, in the groups and the order of the help."""


class _CommandEntry(NamedTuple):
    """A command as the help lists it, before it is imported."""

    module: str
    says: str


_COMMANDS = {
    name: _CommandEntry(*entry)
    for group in _GROUPS.values()
    for name, entry in group.items()
}

_ALL = "tuneworthy.help_all"


def shows_all(ctx: click.Context) -> bool:
    """Whether help lists the options that are rarely used, too."""
    return bool(ctx.meta.get(_ALL))


def show_all(ctx: click.Context) -> None:
    """Have help list the options that are rarely used, too."""
    ctx.meta[_ALL] = True


def _print_all(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        show_all(ctx)
        click.echo(ctx.get_help(), color=ctx.color)
        ctx.exit()


def help_all_option(*, hidden: bool) -> click.Option:
    """``--help-all``; hidden where it would say no more than ``--help``."""
    return click.Option(
        ["--help-all"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        hidden=hidden,
        callback=_print_all,
        help="Show this help with rarely used options, and exit.",
    )


class _Lazy(click.Group):
    """A group that knows what its commands are called and say, and imports each on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"tuneworthy.cli.{_COMMANDS[cmd_name].module}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write each group with its commands, all in columns of one width."""
        width = max(len(name) for name in _COMMANDS)
        for title, group in _GROUPS.items():
            rows = [(name.ljust(width), _COMMANDS[name].says) for name in group]
            with formatter.section(title):
                formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first word names; an error suggests another one."""
        name = args[0] if args else ""
        is_option = name.startswith("-")  # click refuses it itself
        if args and name not in _COMMANDS and not is_option:
            from difflib import get_close_matches

            fix = ""
            for close in get_close_matches(name, _COMMANDS, n=1):
                fix = f' Did you mean "{close}"?'
            ctx.fail(f'there is no command "{name}".{fix}')
        return super().resolve_command(ctx, args)


def examples(*lines: str) -> str:
    """An epilog of example commands, one a line."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


@click.group(
    cls=_Lazy,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 80,
        "show_default": True,
    },
    epilog=examples(
        "tuneworthy init my-case            start a case",
        "tuneworthy decide my-case          judge it",
        "tuneworthy show my-case money      see what it costs and brings",
        "",
        "Complete words in bash, or in zsh or fish by their names:",
        '  eval "$(_TUNEWORTHY_COMPLETE=bash_source tuneworthy)"',
    ),
    params=[help_all_option(hidden=True)],
)
@click.version_option(
    __version__, message="tuneworthy %(version)s", help="Print the version, and exit."
)
def cli() -> None:
    """Is fine-tuning worth it for your use case, and what instead when it isn't?

    Every answer names its evidence. It says what is unknown, and which step would settle it.
    """


def columns_of(stream: TextIO) -> int:
    """Columns of the terminal that a stream goes to; 0 for none, and for one that doesn't say."""
    try:
        return os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    except (OSError, ValueError):  # closed, or no stream of the system
        return 0


ANSWERED = 0
NOT_MET = 1
WRONG_INPUT = 2
STOPPED = 3
"""Exit codes: answered; ``--require`` not met; the input is wrong; stopped by the user or a cap."""

_COLLECTED_AFTER = 100_000
"""New objects after which Python looks for cycles among them, and not after 700: starting makes
many objects and hardly a cycle. What is there in the end goes with the process, so it is frozen:
looking through all of it once more took a sixth of the time of a whole decision."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave Python with its exit code."""
    # Before numpy comes: its threads wait awake, and for work as small as ours they only cost.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _, second, third = gc.get_threshold()
    gc.set_threshold(_COLLECTED_AFTER, second, third)
    code = run(arguments)
    gc.freeze()
    sys.exit(code)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line with what follows the program's name, and return its exit code.

    Whatever is wrong with the input is one line on stderr, never a traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # a terminal that lacks a sign still gets the text
            stream.reconfigure(errors="replace")
    lay_out_for(columns_of(sys.stdout))
    try:
        refuse_wrong_clock()
        code = cli.main(arguments, prog_name="tuneworthy", standalone_mode=False)
        return code if isinstance(code, int) else ANSWERED  # most commands return None
    except click.exceptions.Exit as caught:
        return caught.exit_code
    except SystemExit:
        # click leaves so when whoever read our output has seen enough
        return ANSWERED
    except (click.Abort, KeyboardInterrupt):
        return _say("stopped", STOPPED)
    except BrokenPipeError:
        # whoever read our output has seen enough, and Python flushes once more as it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ANSWERED
    except (TuneworthyError, click.ClickException) as caught:
        return _explain_error(caught)
    except Exception as caught:
        if os.environ.get("TUNEWORTHY_TRACEBACK"):
            raise
        return _say(_fault(caught))


def _fault(caught: Exception) -> str:
    """Explain an unexpected error: a missing library, no room on the disk, or an internal error."""
    if isinstance(caught, ModuleNotFoundError):
        library = caught.name or ""
        if library and not library.startswith("tuneworthy"):
            return f'this needs {library}. In a clone, pip install ".[all]" installs it'
    no_room = isinstance(caught, OSError) and caught.errno in _NO_ROOM
    if no_room or "No usable temporary directory" in str(caught):
        return "there is no room for temporary files. Make some, or name another folder as TMPDIR"
    return f"an internal error ({type(caught).__name__}: {caught}); TUNEWORTHY_TRACEBACK=1 shows where"


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)  #: The disk is full, or the user's part of it.


def _explain_error(caught: TuneworthyError | click.ClickException) -> int:
    """Say in one line what is wrong, or print the help where nothing was asked; the exit code."""
    if isinstance(caught, click.exceptions.NoArgsIsHelpError):
        click.echo(caught.ctx.get_help())
        return ANSWERED
    if isinstance(caught, StoppedError):
        return _say(str(caught), STOPPED)
    if isinstance(caught, TuneworthyError):
        return _say(str(caught))
    message = caught.format_message()
    if isinstance(caught, click.UsageError):
        path = caught.ctx.command_path if caught.ctx else "tuneworthy"
        message = f"{path}: {message} Help: {path} --help"
    return _say(message)


def _say(message: str, code: int = WRONG_INPUT) -> int:
    """Print a message as one line on stderr, and return the exit code."""
    click.echo(one_line(" ".join(message.split()), limit=1000), err=True)
    return code
