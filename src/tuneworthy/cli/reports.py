"""Reports on a case, and on a framework; schemas."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import click

from tuneworthy.cli import ANSWERED, NOT_MET
from tuneworthy.cli import options as opt
from tuneworthy.errors import InputError
from tuneworthy.model.base import json_text

if TYPE_CHECKING:
    from datetime import date

    from click.shell_completion import CompletionItem

    from tuneworthy.cases.reports import Topic


def case_report(forms: tuple[str, ...], *lines: str) -> Callable[[Any], click.Command]:
    """A command that judges a case: its argument, what-ifs, forms and examples."""
    shared = (
        opt.case_argument,
        opt.framework_option,
        opt.set_option,
        opt.as_of_option,
        opt.format_option(*forms),
    )
    return opt.with_options(opt.command(*lines), *shared, opt.output_options)


_ANSWERS = ("no", "not_yet", "pilot", "yes", "open")


@case_report(
    ("text", "markdown", "html", "pdf", "json", "record"),
    "tuneworthy decide examples/task-api",
    "tuneworthy decide examples/task-api --set brand_voice=no",
    "tuneworthy decide examples/task-api --format json --output dossier.json",
    "tuneworthy decide examples/task-api --format html --output report.html",
    "tuneworthy decide examples/task-api --format pdf --short --output memo.pdf",
    "tuneworthy decide . --require pilot && ./start-pilot",
)
@opt.option(
    "--require ANSWER",
    f"Exit with 1 unless this is the answer: {', '.join(_ANSWERS[:-1])} or {_ANSWERS[-1]}.",
    type=click.Choice(_ANSWERS),
)
@opt.seed_option
@opt.flag("--short", "Print the one-page memo alone: with markdown, html or pdf.", "memo")
@opt.gone_option("--quick", "is gone", "leave it out: the answer needs no more", is_flag=True)
def decide(case: str, require: str | None, memo: bool, **options: Any) -> int:
    """Judge CASE, a case folder or its case.yaml. Default: the current folder.

    Writes nothing but the file named with --output. Exits with 0 if answered, 1 if --require isn't
    met, 2 if the input is wrong.
    """
    from tuneworthy.cases.judging import judge_case
    from tuneworthy.cases.reports import render

    form = opt.asked().form
    if memo and form not in ("markdown", "html", "pdf"):
        raise click.UsageError("--short goes with --format markdown, html or pdf.")
    if form == "pdf" and opt.asked().output is None:
        raise click.UsageError("A PDF needs a file: add --output report.pdf.")
    dossier = judge_case(case, **options)
    opt.deliver(render(dossier, form, case_path=case, colour=opt.colour(), memo=memo))
    return ANSWERED if require in (None, dossier.verdict.answer) else NOT_MET


_SECTIONS = ("options", "money", "plan", "why", "others", "history")


def _complete_section(_context: object, _argument: object, begun: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(name) for name in _SECTIONS if name.startswith(begun)]


@case_report(
    ("text", "markdown", "json"),
    "tuneworthy show examples/task-api options --all",
    "tuneworthy show examples/task-api money --months 12",
    "tuneworthy show examples/task-api plan --as-of 2027-01-04",
    "tuneworthy show examples/task-api why low_volume",
    "tuneworthy show examples/task-api others --format markdown",
    "tuneworthy show my-case history --since 2026-11-01",
)
@click.argument("section", required=False, shell_complete=_complete_section)
@click.argument("name", metavar="[ID]", required=False)
@opt.flag("--all", "With options: show every option, not only five.", "everything")
@opt.number(
    "--months N",
    1,
    120,
    None,
    "With money: look N months ahead.  [default: what the case says, else 36]",
)
@opt.option(
    "--since DATE|FILE",
    "With history: compare with the case of this day, or with a dossier that was kept.",
)
@opt.number("--seed N", 0, None, None, "With money: draw by this seed.  [default: 0]", rare=True)
def show(
    case: str,
    section: str | None,
    name: str | None,
    months: int | None,
    since: str | None,
    seed: int | None,
    answers: dict[str, str],
    **options: Any,
) -> None:
    """Show one part of the verdict of CASE. Default: why it is what it is.

    \b
    options  what could be done instead or as well, and where to begin
    money    what tuning costs and brings, and how sure that is
    plan     phases, hours, cost, dates, and when each is done
    why      the answers and rules behind the verdict; with ID all about one of
             them, or about an option, goal, target or challenge
    others   the published cases most like it, and how often tuning won
    history  what changed between the versions that are kept, the latest first
    """  # noqa: D301  # click reads it as the mark of lines that aren't wrapped anew
    if case in _SECTIONS and not os.path.lexists(case):  # CASE is left out: the present folder
        case, section, name = ".", case, section
    topic = _section(section)
    _refuse("--all", options["everything"], topic, "options")
    _refuse("--months", months is not None, topic, "money")
    _refuse("--seed", seed is not None, topic, "money")
    _refuse("--since", since is not None, topic, "history")
    _refuse("ID", name is not None, topic, "why")
    if topic == "history":
        if answers:
            raise click.UsageError("--set goes with decide and the other sections, not history.")
        _show_history(case, since, options["chosen"], options["as_of"])
        return
    from tuneworthy.cases.reports import case_report

    if months is not None:
        answers = answers | {"economics.assumptions.horizon_months": str(months)}
    options["everything"] |= topic != "options"
    options |= {"name": name, "answers": answers, "seed": seed or 0, "colour": opt.colour()}
    opt.deliver(case_report(cast("Topic", topic), case, opt.asked().form, **options))


def _section(name: str | None) -> str:
    """The section of this name; an InputError that suggests the nearest for one that isn't."""
    if name is None:
        return "why"
    if name not in _SECTIONS:
        from tuneworthy.syntax.document import did_you_mean

        fix = did_you_mean(name, _SECTIONS)
        raise InputError(f'there is no section "{name}"', where="SECTION", fix=fix)
    return name


def _refuse(what: str, is_given: bool, topic: str, its: str) -> None:
    """Refuse what belongs to another section than the one that is asked for."""
    if is_given and topic != its:
        raise click.UsageError(f"{what} goes with {its}, not with {topic}.")


def _show_history(case: str, since: str | None, chosen: str | None, as_of: date | None) -> None:
    from tuneworthy.cases import history
    from tuneworthy.report.sections.difference import changes_dict, changes_document, document

    if since is not None:
        then, change = history.changed_since(case, since, chosen, as_of)
        opt.show(document(change, then), lambda: json_text(change.model_dump(mode="json")))
        return
    name, steps = history.changes(case, chosen, as_of)
    opt.show(changes_document(name, steps), lambda: json_text(changes_dict(name, steps)))


@opt.group(
    "tuneworthy framework list",
    "tuneworthy framework show lesson",
    "tuneworthy framework show lesson few_shot",
    "tuneworthy framework check ours.yaml --strict",
    "tuneworthy framework schema case > case.schema.json",
)
def framework() -> None:
    """List, show and check decision frameworks, and print schemas."""


@framework.command("list")
def list_() -> None:
    """List the frameworks of the catalogue."""
    from tuneworthy.framework.load import NAMES, load_named

    for name in NAMES:
        click.echo(f"{name}  {load_named(name).title}")


@framework.command("show")
@click.argument("name", metavar="[NAME|FILE]", default="lesson")
@click.argument("id_", metavar="[ID]", required=False)
@opt.format_option("text", "yaml", help="Print in words, or as the file.")
def show_framework(name: str, id_: str | None) -> None:
    """Show what a framework asks and how it decides, or what ID means.

    ID names a factor, check, sign, target, option, goal, approach, challenge or rule of the
    judgement. You can also write what reports call it.
    """
    from tuneworthy.framework.load import NAMES, catalogue_text
    from tuneworthy.pipeline import load_framework
    from tuneworthy.report.sections.framework import framework_report
    from tuneworthy.report.sections.record import explanation

    loaded = load_framework(name)
    if id_ is not None:
        if opt.asked().form == "yaml":
            raise click.UsageError("--format yaml is for a whole framework: leave out the ID.")
        opt.show(explanation(loaded, id_))
    elif opt.asked().form == "yaml" and name in NAMES:
        opt.deliver(catalogue_text(f"{name}.yaml"))
    else:
        opt.show(framework_report(loaded))


@framework.command()
@click.argument("name", metavar="[NAME|FILE]", default="lesson")
@opt.flag("--strict", "Exit with 1 if the check finds anything.")
@opt.format_option("text", "json")
def check(name: str, strict: bool) -> int:
    """Go through every combination of answers and say where the rules contradict each other.

    Also says how often the rules were right about published cases.
    """
    from tuneworthy.framework.lint import check as lint_of
    from tuneworthy.pipeline import load_framework
    from tuneworthy.precedents.record import record_of
    from tuneworthy.precedents.section import shipped_index
    from tuneworthy.report.sections.framework import lint_dict, lint_report

    loaded = load_framework(name)
    lint = lint_of(loaded)
    record = record_of(loaded, shipped_index())
    opt.show(lint_report(lint, record), lambda: json_text(lint_dict(lint, record)))
    return NOT_MET if strict and lint.warnings else ANSWERED


@opt.command(
    "tuneworthy framework schema case > case.schema.json",
    "tuneworthy framework schema case --framework ours.yaml",
    "tuneworthy framework schema dossier",
    of=framework,
)
@click.argument(
    "what",
    metavar="[WHAT]",
    type=click.Choice(["case", "dossier", "framework", "ceiling", "verify", "pilot"]),
    default="framework",
)
@opt.option("--framework NAME|FILE", "With case: ask what this framework asks.", "chosen")
def schema(what: str, chosen: str | None) -> None:
    """Print the JSON Schema of WHAT: case, dossier, framework, ceiling, verify or pilot.

    Results are a dossier, and what ceiling, verify and pilot found.
    """
    from tuneworthy.cases import reports

    opt.deliver(json_text(reports.schema(what, chosen)))
