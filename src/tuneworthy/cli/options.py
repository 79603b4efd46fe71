"""Options that commands share, how their values are read, and how a result is delivered."""

from __future__ import annotations

import os
import re
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from tuneworthy.cli import (
    columns_of,
    examples,
    help_all_option,
    shows_all,
)
from tuneworthy.errors import InputError, one_line, visible
from tuneworthy.report import render
from tuneworthy.report.width import USUAL, Extent, lay_out_for, shown_to_extent
from tuneworthy.words import read_day, small_usd

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from tuneworthy.model.lab import Stand
    from tuneworthy.report.blocks import Document

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[Any], Any]


def with_options(*decorators: Decorator) -> Callable[[F], F]:
    """A command with some arguments and options, in their order."""

    def decorate(command: F) -> F:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


class ListedOption(click.Option):
    """An option whose help says verb, object, unit and default; an error names its range."""

    def get_help_extra(self, ctx: click.Context) -> Any:
        extra = super().get_help_extra(ctx)
        extra.pop("range", None)
        if isinstance(self.default, float):
            extra["default"] = f"{self.default:g}"
        return extra


class RareOption(ListedOption):
    """An option that most never need: ``--help`` leaves it out, ``--help-all`` lists it."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        return super().get_help_record(ctx) if shows_all(ctx) else None


class BudgetOption(ListedOption):
    """A budget, which is a user's own where a command names none."""


class Command(click.Command):
    """A command with ``--help-all``, which its help names where there is more to list."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        has_more = any(isinstance(parameter, RareOption) for parameter in self.params)
        self.params.append(help_all_option(hidden=not has_more))

    def invoke(self, ctx: click.Context) -> Any:
        """Run it; a budget that isn't given is the one of a configuration."""
        for parameter in self.params:
            name = str(parameter.name)
            is_given = ctx.get_parameter_source(name) is not ParameterSource.DEFAULT
            if isinstance(parameter, BudgetOption) and not is_given:
                ctx.params[name] = _usual_budget(str(ctx.params.get("case") or "."))
        with shown_to_extent(self._extent(ctx)):
            return super().invoke(ctx)

    def _extent(self, ctx: click.Context) -> Extent:
        """How much is shown: what was asked for, one screen where there is more, else the whole.

        Commands keep ``--all`` with how they deliver, or as a parameter of their own.
        """
        delivery = ctx.ensure_object(Delivery)
        if delivery.everything or ctx.params.get("everything"):
            return "everything"
        has_rest = any("--all" in parameter.opts for parameter in self.params)
        return "screen" if has_rest else "whole"


def _usual_budget(case: str) -> float:
    """The budget of the configuration, which is said on the other channel."""
    from tuneworthy.files.case import case_path
    from tuneworthy.files.config import find_budget

    budget = find_budget(case_path(case).parent)
    if budget.says:
        click.echo(one_line(f"{budget.says}."), err=True)
    return budget.usd


def say_defaults(case: str) -> None:
    """Say on the other channel what a configuration says in the place of a case, and which."""
    from tuneworthy.files.case import case_path
    from tuneworthy.files.config import describe_defaults

    line = describe_defaults(case_path(case))
    if line:
        click.echo(one_line(line), err=True)


class Group(click.Group):
    """A group whose help has a whole sentence on each of its commands."""

    command_class = Command

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.params.append(help_all_option(hidden=True))

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # as click calls it
        # in the order in which they are used, not by the alphabet
        return list(self.commands)

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write each command with the whole first sentence of its help."""
        rows = []
        for name in self.list_commands(ctx):
            sentence = self.commands[name].get_short_help_str(limit=_LONGEST_SENTENCE)
            rows.append((name, sentence))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


_LONGEST_SENTENCE = 1_000  # characters; click would cut it at 45


def command(
    *lines: str, of: click.Group | None = None
) -> Callable[[Any], click.Command]:
    """A command whose help ends with examples, one a line; of a group where one is given."""
    if of is not None:
        return of.command(epilog=examples(*lines))
    return click.command(cls=Command, epilog=examples(*lines))


def group(*lines: str, first: str = "") -> Callable[[Any], click.Group]:
    """A group with examples; where its first word is no command, ``first`` is put before it."""

    class CaseFirst(Group):
        def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
            """Put the usual command first where the first word is none."""
            word = args[0] if args else ""
            known = (*self.commands, *ctx.help_option_names, "--help-all")
            if word not in known:
                args = [first, *args]
            return super().parse_args(ctx, args)

    return click.group(cls=CaseFirst if first else Group, epilog=examples(*lines))


def option(
    spec: str,
    help: str,
    name: str | None = None,
    *,
    rare: bool = False,
    kind: type[click.Option] = ListedOption,
    **more: Any,
) -> Decorator:
    """An option, written as its help shows it: ``--output FILE``; and its parameter's name.

    One that is ``rare`` is listed by ``--help-all`` alone.
    """
    flag, _, metavar = spec.partition(" ")
    names = (flag,) if name is None else (flag, name)
    if rare:
        kind = RareOption
    return click.option(*names, cls=kind, metavar=metavar or None, help=help, **more)


def flag(
    spec: str, help: str, name: str | None = None, *, rare: bool = False
) -> Decorator:
    return option(spec, help, name, rare=rare, is_flag=True)


class AnyNumber(click.FloatRange):
    name = "number"  # as errors call it


class WholeNumber(click.IntRange):
    name = "whole number"

    def get_metavar(self, *_: object, **__: object) -> str:
        return "N"


def number(
    spec: str,
    low: float,
    high: float | None,
    default: float | None,
    help: str,
    *,
    rare: bool = False,
) -> Decorator:
    """An option that takes a number from a range; a whole one unless default or end is a float."""
    any_number = isinstance(default, float) or isinstance(low, float)
    kind: Any = AnyNumber if any_number else WholeNumber
    return option(spec, help, rare=rare, type=kind(low, high), default=default)


T = TypeVar("T")


def take(record: type[T], options: dict[str, Any]) -> T:
    """Take the fields of a record out of the options of a command, which names each as the record."""
    names = record.__dataclass_fields__  # type: ignore[attr-defined]  # it is a dataclass
    return record(**{name: options.pop(name) for name in names if name in options})


@dataclass(slots=True)
class Delivery:
    """How a result was asked for. Kept with the command that runs, which hands on results alone."""

    form: str = "text"
    output: str | None = None  #: A file; None for the terminal.
    force: bool = False  #: Whether a file that is there is replaced.
    everything: bool = False  #: Whether all is shown, and not one screen.


def asked() -> Delivery:
    """How the command that runs was asked to deliver."""
    context = click.get_current_context(silent=True)
    return context.ensure_object(Delivery) if context else Delivery()


def _note_output_option(
    context: click.Context, parameter: click.Parameter, value: Any
) -> None:
    setattr(context.ensure_object(Delivery), str(parameter.name), value)
    if parameter.name == "output" and value is not None:
        lay_out_for(USUAL)  # a file has its usual width, however narrow the terminal is


_DELIVERY: dict[str, Any] = {"callback": _note_output_option, "expose_value": False}


to_option = option(
    "--to HOST",
    "Call models at this host, too. May be repeated. Hosts of vendors, this machine, and those in "
    "your configuration are allowed without it.",
    multiple=True,
)


def _through(context: click.Context, _parameter: object, value: str | None) -> None:
    if value is not None and not context.resilient_parsing:
        from tuneworthy.llm.hosts import use_proxy

        context.with_resource(use_proxy(value))


proxy_option = option(
    "--proxy URL",
    "Send calls through this proxy, as http://proxy.example:3128. It sees hosts, and no key or "
    "text.  [default: HTTPS_PROXY]",
    rare=True,
    expose_value=False,
    callback=_through,
)


def format_option(*forms: str, help: str = "Print in this form.") -> Decorator:
    """``--format`` with its choices, the first of which is the default."""
    kind = click.Choice(forms)
    return option("--format", help, "form", type=kind, default=forms[0], **_DELIVERY)


def day(_context: object, parameter: click.Parameter, text: str | None) -> date | None:
    """A date as people write it in ISO form; None for none."""
    value = read_day(text)
    if value is None and text is not None:
        where = parameter.opts[0]
        raise InputError(f'"{text}" is not a date', where=where, fix="write 2026-11-24")
    return value


def nearest_case() -> str:
    """The case folder that is meant where none is named: the present one, or the nearest above.

    One above is said. Where there is none it is the present one, and reading it says what to do.
    """
    from tuneworthy.files.case import CASE_FILE
    from tuneworthy.files.config import find_upwards

    here = Path.cwd()
    nearest = find_upwards(CASE_FILE, here)
    if nearest is None or nearest.parent == here:
        return "."
    folder = os.path.relpath(nearest.parent, here)
    click.echo(one_line(f"Case: {folder} ({nearest.parent.name})"), err=True)
    return folder


def case_or_nearest(
    context: click.Context, _parameter: object, value: str | None
) -> str:
    """The case that is named, else the nearest one."""
    if value is not None:
        return value or "."
    if context.resilient_parsing:  # a shell only completes a word
        return "."
    return nearest_case()


def complete_path(
    _context: object, _parameter: object, begun: str
) -> list[CompletionItem]:
    """Have the shell complete the name of a file or folder."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(begun, type="file")]


case_argument = click.argument(
    "case",
    metavar="[CASE]",
    required=False,
    callback=case_or_nearest,
    shell_complete=complete_path,
)
set_option = option(
    "--set KEY=VALUE",
    "Suppose another answer, and write nothing. May be repeated.",
    "answers",
    multiple=True,
    callback=lambda _context, _parameter, texts: pairs(texts, "--set"),
)
all_option = option(
    "--all",
    "Show everything, and not one screen.",
    "everything",
    is_flag=True,
    **_DELIVERY,
)
output_options = with_options(
    option(
        "--output FILE", "Write into this file.  [default: the terminal]", **_DELIVERY
    ),
    option(
        "--force", "Replace an existing file.", rare=True, is_flag=True, **_DELIVERY
    ),
)
as_of_option = option(
    "--as-of DATE",
    "Judge as of this day, as 2026-11-24.  [default: today]",
    callback=day,
    rare=True,
)
seed_option = number(
    "--seed N", 0, None, 0, "Draw at random with this seed.", rare=True
)
mapping_option = option(
    "--map FILE", "Map their fields to ours by this file.", "mapping", rare=True
)


def sources_option(what: str, where: str) -> Decorator:
    places = "a file, pattern, folder or address"
    text = f"{what.capitalize()} these traces or results: {places}. May be repeated. {where}"
    return option("--from PATH", text, "sources", multiple=True)


def seed_for(what: str) -> Decorator:
    return number("--seed", 0, 2**32 - 1, 0, what, rare=True)


def tokens_option(what: str) -> Decorator:
    text = f"{what} 0 sets it from a few trial calls per model."
    return number("--max-tokens", 0, 100_000, 0, text, rare=True)


def budget_option(what: str) -> Decorator:
    """``--budget``; ``what`` ends the sentence: *all calls of this lab may cost*."""
    text = f"Set the most {what}; models that cost nothing need none."
    return option(
        "--budget USD",
        f"{text}  [default: your configuration's, else 0]",
        type=AnyNumber(0, 1e9),
        default=0.0,
        show_default=False,
        kind=BudgetOption,
    )


def pairs(
    texts: tuple[str, ...], where: str, *, strict: bool = False
) -> dict[str, str]:
    """``key=value`` texts as a mapping; the last of equal keys counts unless ``strict``."""
    answers: dict[str, str] = {}
    for text in texts:
        typed_key, sign, typed_value = text.partition("=")
        key = typed_key.strip()
        value = typed_value.strip()
        if not sign or not key:
            raise InputError(
                f'"{text}" is not a KEY=VALUE', where=where, fix="write brand_voice=yes"
            )
        if strict and not value:
            raise InputError(
                f"{key} gets no value", where=where, fix="write yes, no or unknown"
            )
        if strict and key in answers:
            raise InputError(f"{key} is given twice", where=where, fix="give it once")
        answers[key] = value
    return answers


#: What isn't plain ASCII: a terminal may obey it. A colour begins with such a character.
_STRANGE_OR_PAINT = re.compile(r"[^\n\t -~]")
#: What isn't plain ASCII and begins no colour.
_STRANGE = re.compile(rf"(?!\x1b\[[0-9;]*m){_STRANGE_OR_PAINT.pattern}")


def colour() -> bool:
    """Whether the terminal takes colour and nobody asked for none; a file takes none."""
    if asked().output is not None or os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def refuse_output() -> None:
    """Refuse a file that is there before money is spent on what would go into it."""
    from tuneworthy.files.disk import refuse_existing

    how = asked()
    if how.output is not None and not how.force:
        refuse_existing(how.output, "use --force to replace it")


def show(
    document: Document,
    json: Callable[[], str] | None = None,
    *,
    everything: bool = False,
) -> None:
    """Deliver a document in words, or what it is in JSON where that is asked for."""
    form = asked().form
    if json is not None and form == "json":
        deliver(json())
    else:
        deliver(render(document, form, colour=colour(), everything=everything))


def deliver(text: str | bytes, *, painted: bool = True) -> None:
    """Print a text, or write it to the file that was asked for; what is no text needs one.

    A file and a pipe get it to the letter. On a terminal, which would obey them, control characters
    are shown as escapes; ``painted`` says that colours in it are the report's own.
    """
    how = asked()
    if how.output is not None:
        from tuneworthy.files.disk import write_new

        write_new(Path(how.output), text, force=how.force)
        return
    if sys.stdout.isatty() and isinstance(text, str):
        strange = _STRANGE if painted else _STRANGE_OR_PAINT
        text = strange.sub(_escape_for_terminal, text)
    click.echo(text, nl=False, color=True)  # the report has decided about colour


def _escape_for_terminal(strange: re.Match[str]) -> str:
    """A character as a terminal may have it; spaces of any width are as good as letters."""
    letter = strange[0]
    if unicodedata.category(letter) == "Zs":
        return letter
    return visible(letter)


_EVERY_S = 0.2  # between two texts on the live line
_A_LINE_S = 60.0  # between two lines where there is no terminal
_ERASE = "\r\x1b[K"  # back to the first column, and erase the line


@contextmanager
def live_line(of: Callable[[Callable[[str], None]], T]) -> Iterator[T]:
    """Show progress on one line that is overwritten, and erased at the end.

    ``of`` takes the function that shows a text, and returns the progress that the block gets.
    Without a terminal on stderr, a line is written each minute.
    """
    stream = sys.stderr
    last = time.monotonic()
    is_live = stream.isatty()

    def show(text: str) -> None:
        """Write the text over the last one, or once in a while on a line of its own."""
        nonlocal last
        now = time.monotonic()
        if is_live:
            width = columns_of(stream) or USUAL
            line = one_line(text, limit=width - 1)  # a line that wraps can't be erased
            stream.write(f"{_ERASE}{line}")
        elif now - last >= _A_LINE_S:
            last = now
            stream.write(one_line(text, limit=USUAL) + "\n")
        stream.flush()

    try:
        yield of(show)
    finally:
        if is_live:
            stream.write(_ERASE)
            stream.flush()


def reading_progress(show: Callable[[str], None]) -> Callable[[int, int, int], None]:
    """Make a function that shows how far the reading is, once in a while."""
    started = time.monotonic()
    last = 0.0

    def progress(done: int, total: int, traces: int) -> None:
        """Show the bytes that are ``done`` of ``total``, 0 for unknown, and the traces so far."""
        nonlocal last
        now = time.monotonic()
        if now - last < _EVERY_S:
            return
        last = now
        read = f"{traces:,} traces"
        if total:
            share = min(done / total, 1.0)  # a file may grow while it is read
            read = f"{share:.0%} read, {read}"
            if share > 0.02:  # before that nobody can say how long it takes
                left = (now - started) * (1 - share) / share
                read += f", {left:.0f} s left"
        show(read)

    return progress


def lab_progress(show: Callable[[str], None]) -> Callable[[Stand], None]:
    """Make a function that shows the state of a lab's calls on one line."""
    from tuneworthy.report.sections.lab import share_text
    from tuneworthy.report.sections.lab_quote import duration, left_s

    started = time.monotonic()

    def progress(stand: Stand) -> None:
        """Show what is waited for, else how far the calls are."""
        paid = small_usd(stand.spend.paid)
        if stand.waiting:
            show(f"{stand.waiting} ({paid} so far)")
            return
        # prompts are proposed first, and nobody knows in how many calls
        if not stand.of:
            show(f"prompts are proposed: {stand.done} calls, {paid}")
            return
        text = f"{stand.done / stand.of:.0%}, {stand.running} arms in, {paid}"
        seconds = left_s(stand, time.monotonic() - started)
        if seconds is not None:
            text += f", {duration(seconds)} left"
        if stand.arm:
            text += f"; ahead: {share_text(stand.quality)} {one_line(stand.arm)}"
        show(text)

    return progress
