"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from contextlib import suppress
from datetime import date
from pathlib import Path

import click

from tuneworthy.domain.errors import InputError, OutputError, visible
from tuneworthy.report.width import WIDEST, lay_out_for

_STRANGE_OR_PAINT = re.compile(r"[^\n\t -~]")
_STRANGE = re.compile(rf"(?!\x1b\[[0-9;]*m){_STRANGE_OR_PAINT.pattern}")


def _shown(strange: re.Match[str]) -> str:
    """A character as a terminal may have it; spaces of any width are as good as letters."""
    letter = strange[0]
    return letter if unicodedata.category(letter) == "Zs" else visible(letter)


def _for_a_file(_: object, __: object, output: str | None) -> str | None:
    """A file is as wide as ever, however narrow the terminal is that it is asked for in."""
    if output is not None:
        lay_out_for(WIDEST)
    return output


case_argument = click.argument("case", metavar="[CASE]", default=".", required=False)
framework_option = click.option(
    "--framework",
    metavar="NAME|FILE",
    help="Framework to judge by; the case's own or the lesson when not given.",
)
set_option = click.option(
    "--set",
    "answers",
    metavar="KEY=VALUE",
    multiple=True,
    help="Another answer, as a what-if; may be repeated. KEY is a check, factor or dotted path.",
)
output_option = click.option(
    "--output",
    metavar="FILE",
    callback=_for_a_file,
    help="Write there, not to the terminal.",
)
force_option = click.option("--force", is_flag=True, help="Replace a file that is there.")
as_of_option = click.option(
    "--as-of",
    metavar="DATE",
    help="The day the answer speaks for, as 2026-11-24; today if not given.",
)


def colour() -> bool:
    """Whether the terminal takes colour and nobody asked for none."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def day(given: str | None, where: str = "--as-of") -> date | None:
    """A date as people write it in ISO form; None for none.

    Raises:
        InputError: If it is no date.
    """
    if given is None:
        return None
    found = None
    with suppress(ValueError):
        found = date.fromisoformat(given)
    if found is None or not 1970 <= found.year <= 2200:
        raise InputError(f'"{given}" is no date', where=where, fix="write 2026-11-24")
    return found


def pairs(given: tuple[str, ...], where: str, *, strict: bool = False) -> dict[str, str]:
    """``key=value`` texts as a mapping; the last of equal keys counts unless ``strict``.

    Raises:
        InputError: If one has no key or no equals sign; when strict, no value or a key twice.
    """
    found = {}
    for text in given:
        key, sign, value = text.partition("=")
        if not sign or not key.strip():
            raise InputError(f'"{text}" is no KEY=VALUE', where=where, fix="write brand_voice=yes")
        if strict and not value.strip():
            raise InputError(
                f"{key.strip()} gets no value", where=where, fix="write yes, no or unknown"
            )
        if strict and key.strip() in found:
            raise InputError(f"{key.strip()} is given twice", where=where, fix="give it once")
        found[key.strip()] = value.strip()
    return found


def wanted(output: str | None, force: bool) -> None:
    """Refuse an output that is there already, before money is spent on what would go into it.

    Raises:
        OutputError: If it is there, and ``--force`` isn't given.
    """
    if output is not None and not force and os.path.lexists(output):
        raise OutputError("exists already", where=output, fix="use --force to replace it")


def deliver(text: str, output: str | None, force: bool, *, painted: bool = True) -> None:
    """Print a text, or write it to a file.

    A file and a pipe get it to the letter. On a terminal, which would obey them, control characters
    are shown as escapes.

    Args:
        text: The text.
        output: A file; None for the standard output.
        force: Replace a file that is there.
        painted: Whether colours in it are the report's own; a stranger's are shown as escapes.
    """
    if output is None:
        if sys.stdout.isatty():
            text = (_STRANGE if painted else _STRANGE_OR_PAINT).sub(_shown, text)
        click.echo(text, nl=False, color=True)  # the report has decided about colour
        return
    from tuneworthy.api.reports import save

    save(Path(output), text, force=force)
