"""The command line: parse, one call of the API, hand to the report."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

import click

from tuneworthy.domain.errors import StoppedError, TuneworthyError, one_line
from tuneworthy.report.width import lay_out_for
from tuneworthy.surfaces.cli.root import cli
from tuneworthy.surfaces.cli.terminal import columns_of

ANSWERED, NOT_MET, WRONG_INPUT, STOPPED = 0, 1, 2, 3
"""Exit codes: answered; ``--require`` not met; the input is wrong; stopped by the user or a cap."""

_COLLECTED_AFTER = 100_000
"""New objects after which Python looks for cycles among them, and not after 700: starting makes
many objects and hardly a cycle. What is there in the end goes with the process, so it is frozen:
looking through all of it once more took a sixth of the time of a whole decision."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    gc.set_threshold(_COLLECTED_AFTER, *gc.get_threshold()[1:])
    code = run(arguments)
    gc.freeze()
    sys.exit(code)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: What follows the program's name; the process's own when not given.

    Returns:
        The exit code. Whatever is wrong with the input is one line on stderr, never a traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that lacks a sign still gets the text
    lay_out_for(columns_of(sys.stdout))
    try:
        code = cli.main(arguments, prog_name="tuneworthy", standalone_mode=False)
        return code if isinstance(code, int) else ANSWERED
    except click.exceptions.Exit as caught:
        return caught.exit_code
    except SystemExit:  # how click takes it when whoever read our output has seen enough
        return ANSWERED
    except (click.Abort, KeyboardInterrupt):
        _say("stopped")
        return STOPPED
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ANSWERED
    except (TuneworthyError, click.ClickException) as caught:
        return _explained(caught)
    except Exception as caught:
        if os.environ.get("TUNEWORTHY_TRACEBACK"):
            raise
        fault = f"{type(caught).__name__}: {caught}"
        return _wrong(f"a fault of ours ({fault}); TUNEWORTHY_TRACEBACK=1 shows where")


def _explained(caught: TuneworthyError | click.ClickException) -> int:
    """One line about what is wrong; the help where nothing was asked."""
    if isinstance(caught, click.exceptions.NoArgsIsHelpError):
        click.echo(caught.ctx.get_help())
        return ANSWERED
    if isinstance(caught, StoppedError):
        _say(str(caught))
        return STOPPED
    return _wrong(_message(caught))


def _message(caught: TuneworthyError | click.ClickException) -> str:
    if isinstance(caught, TuneworthyError):
        return str(caught)
    if isinstance(caught, click.UsageError):
        path = caught.ctx.command_path if caught.ctx else "tuneworthy"
        return f"{path}: {caught.format_message()} Help: {path} --help"
    return caught.format_message()


def _wrong(message: str) -> int:
    _say(message)
    return WRONG_INPUT


def _say(message: str) -> None:
    click.echo(one_line(" ".join(message.split()), limit=1000), err=True)
