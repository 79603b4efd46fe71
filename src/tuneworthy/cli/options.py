"""Options that commands share, how their values are read, and how a result is delivered."""

from __future__ import annotations

import os
import re
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from tuneworthy.cli import columns_of
from tuneworthy.errors import InputError, OutputError, one_line, visible
from tuneworthy.report.width import WIDEST, lay_out_for

if TYPE_CHECKING:
    from tuneworthy.lab.judge import JudgeChoice
    from tuneworthy.model.lab import Stand

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[Any], Any]

STOPPED = 3
"""Exit code of a lab that ended early; what was paid for is kept."""


def with_options(*decorators: Decorator) -> Callable[[F], F]:
    """A command with some arguments and options, in their order."""

    def decorate(command: F) -> F:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def format_option(*forms: str, help: str = "How to report.") -> Decorator:
    """``--format`` with its choices, the first of which is the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(forms),
        default=forms[0],
        show_default=True,
        help=help,
    )


def day(_context: object, parameter: click.Parameter, text: str | None) -> date | None:
    """A date as people write it in ISO form; None for none.

    Raises:
        InputError: If it is no date.
    """
    if text is None:
        return None
    value = None
    with suppress(ValueError):
        value = date.fromisoformat(text)
    if value is None or not 1970 <= value.year <= 2200:
        where = parameter.opts[0]
        raise InputError(f'"{text}" is no date', where=where, fix="write 2026-11-24")
    return value


def _for_a_file(_context: object, _parameter: object, output: str | None) -> str | None:
    """A file is laid out at full width, however narrow the terminal is."""
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
    callback=day,
    help="The day the answer speaks for, as 2026-11-24; today if not given.",
)
seed_option = click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Seed for everything drawn at random.",
)


def seed_for(what: str) -> Decorator:
    """``--seed`` of a draw, with what it is for."""
    kind = click.IntRange(0, 2**32 - 1)
    return click.option("--seed", type=kind, default=0, show_default=True, help=what)


def tokens_option(help: str) -> Decorator:
    """``--max-tokens`` of an answer."""
    kind = click.IntRange(1, 100_000)
    return click.option("--max-tokens", type=kind, default=512, show_default=True, help=help)


def pairs(texts: tuple[str, ...], where: str, *, strict: bool = False) -> dict[str, str]:
    """``key=value`` texts as a mapping; the last of equal keys counts unless ``strict``.

    Raises:
        InputError: If one has no key or no equals sign; when strict, no value or a key twice.
    """
    answers: dict[str, str] = {}
    for text in texts:
        key, sign, value = (part.strip() for part in text.partition("="))
        if not sign or not key:
            raise InputError(f'"{text}" is no KEY=VALUE', where=where, fix="write brand_voice=yes")
        if strict and not value:
            raise InputError(f"{key} gets no value", where=where, fix="write yes, no or unknown")
        if strict and key in answers:
            raise InputError(f"{key} is given twice", where=where, fix="give it once")
        answers[key] = value
    return answers


# Delivery -----------------------------------------------------------------------------------------

_STRANGE_OR_PAINT = re.compile(r"[^\n\t -~]")
_STRANGE = re.compile(rf"(?!\x1b\[[0-9;]*m){_STRANGE_OR_PAINT.pattern}")


def colour() -> bool:
    """Whether the terminal takes colour and nobody asked for none."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def refuse_output(output: str | None, force: bool) -> None:
    """Refuse an output that is there already, before money is spent on what would go into it.

    Raises:
        OutputError: If it is there, and ``--force`` isn't given.
    """
    if output is not None and not force and os.path.lexists(output):
        raise OutputError("exists already", where=output, fix="use --force to replace it")


def deliver(
    text: str, output: str | None = None, force: bool = False, *, painted: bool = True
) -> None:
    """Print a text, or write it to a file.

    A file and a pipe get it to the letter. On a terminal, which would obey them, control characters
    are shown as escapes; ``painted`` says that colours in it are the report's own.
    """
    if output is not None:
        from tuneworthy.files.disk import write_new

        write_new(Path(output), text, force=force)
        return
    if sys.stdout.isatty():
        text = (_STRANGE if painted else _STRANGE_OR_PAINT).sub(_escaped, text)
    click.echo(text, nl=False, color=True)  # the report has decided about colour


def _escaped(strange: re.Match[str]) -> str:
    """A character as a terminal may have it; spaces of any width are as good as letters."""
    letter = strange[0]
    return letter if unicodedata.category(letter) == "Zs" else visible(letter)


# Labs ---------------------------------------------------------------------------------------------

lab_options = with_options(
    click.option(
        "--budget",
        type=click.FloatRange(0, 1e9),
        metavar="USD",
        default=0.0,
        show_default=True,
        help="The most all calls of this lab may cost, earlier runs included. Models that cost "
        "nothing need none.",
    ),
    click.option(
        "--at-once",
        type=click.IntRange(1, 256),
        default=16,
        show_default=True,
        help="The most calls on the wire.",
    ),
    tokens_option("Tokens an answer may have; it bounds the price."),
    seed_for("For the split of the cases and their order."),
    click.option(
        "--ask-again",
        is_flag=True,
        help="Send calls in doubt once more; some of them may be paid twice.",
    ),
    click.option("--allow-code", is_flag=True, help="Let scorers that are functions of yours run."),
    format_option("text", "json"),
    click.option(
        "--judge",
        metavar="RUBRIC",
        help="Have a model judge every output by this file, in place of scorers; people's labels "
        "put it right.",
    ),
    click.option(
        "--judge-model",
        metavar="MODEL",
        help="The model that judges: one of CASE, or another, at its list price.",
    ),
    click.option("--judge-url", metavar="URL", help="Where another is served."),
    click.option(
        "--judge-price",
        type=click.FloatRange(0),
        nargs=2,
        metavar="IN OUT",
        help="Its price in USD for a million tokens; 0 is a price.",
    ),
    click.option(
        "--labels",
        type=click.IntRange(20, 100_000),
        metavar="N",
        help="Cases of either part on which people's labels count.  [default: 50]",
    ),
    click.option("--dry-run", is_flag=True, help="Show arms, calls and price; send nothing."),
)
"""Options of every lab, those of its judge among them, in their order."""


def judge_choice(
    judge: str | None,
    judge_model: str | None,
    judge_url: str | None,
    judge_price: tuple[float, float] | None,
    labels: int | None,
) -> JudgeChoice | None:
    """The judge that the options name; None for none.

    Raises:
        InputError: If they name half of one.
    """
    from tuneworthy.lab.judge import LABELS, JudgeChoice

    if judge is None:
        others = {
            "--judge-model": judge_model,
            "--judge-url": judge_url,
            "--judge-price": judge_price,
            "--labels": labels,
        }
        for name, value in others.items():
            if value is not None:
                fix = "give --judge RUBRIC as well, or leave it out"
                raise InputError("there is no judge", where=name, fix=fix)
        return None
    if judge_model is None:
        fix = "name a model: --judge-model MODEL"
        raise InputError("needs a model that judges", where="--judge", fix=fix)
    return JudgeChoice(judge, judge_model, judge_url or "", judge_price, labels or LABELS)


# Progress -----------------------------------------------------------------------------------------

_EVERY_S = 0.2
_ERASE = "\r\x1b[K"


@contextmanager
def _live_line(stream: TextIO) -> Iterator[Callable[[str], None]]:
    """A line that is written over; it is gone at the end."""

    def show(text: str) -> None:
        # What wraps can't be erased again.
        stream.write(_ERASE + one_line(text, limit=(columns_of(stream) or WIDEST) - 1))
        stream.flush()

    try:
        yield show
    finally:
        stream.write(_ERASE)
        stream.flush()


@contextmanager
def reading_bar(stream: TextIO) -> Iterator[Callable[[int, int, int], None] | None]:
    """A line that says how far reading has come; nothing where the stream is no terminal."""
    if not stream.isatty():
        yield None
        return
    started, last = time.monotonic(), 0.0
    with _live_line(stream) as show:

        def progress(done: int, total: int, traces: int) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last < _EVERY_S:
                return
            last = now
            share = min(done / total, 1.0) if total else 0.0
            left = (now - started) * (1 - share) / share if share > 0.02 else None
            wait = "" if left is None else f", {left:.0f} s left"
            show(f"{share:.0%} read, {traces:,} traces{wait}" if total else f"{traces:,} traces")

        yield progress


@contextmanager
def lab_line(stream: TextIO) -> Iterator[Callable[[Stand], None] | None]:
    """A line that says how far a lab is; nothing where the stream is no terminal."""
    if not stream.isatty():
        yield None
        return
    from tuneworthy.report.sections.lab import duration, left_s, share_text
    from tuneworthy.words import small_usd

    started = time.monotonic()
    with _live_line(stream) as show:

        def progress(stand: Stand) -> None:
            paid = small_usd(stand.spend.paid)
            if not stand.of:  # prompts are proposed first, and nobody knows in how many calls
                show(f"prompts are proposed: {stand.done} calls, {paid}")
                return
            seconds = left_s(stand, time.monotonic() - started)
            left = "" if seconds is None else f", {duration(seconds)} left"
            best = ""
            if stand.arm:
                best = f"; ahead: {share_text(stand.quality)} {one_line(stand.arm)}"
            share = stand.done / stand.of
            show(f"{share:.0%}, {stand.running} arms in, {paid}{left}{best}")

        yield progress
