"""Reports on a case, and on a framework; schemas."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from tuneworthy.cli import ANSWERED, NOT_MET
from tuneworthy.cli import options as opt
from tuneworthy.errors import InputError, one_line
from tuneworthy.model.base import json_text

if TYPE_CHECKING:
    from datetime import date

    from tuneworthy.cases.reports import Topic
    from tuneworthy.model.dossier import TuningAnswer


def case_report(forms: tuple[str, ...], *lines: str) -> Callable[[Any], click.Command]:
    """A command that judges a case: its argument, what-ifs, forms and examples."""
    shared = (
        opt.case_argument,
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
    "tuneworthy decide examples/task-api --format markdown --all",
    "tuneworthy decide . --require pilot && ./start-pilot",
    "tuneworthy decide my-case --sign 'Ada L.'",
)
@opt.option(
    "--require ANSWER",
    f"Exit with 1 unless this is the answer: {', '.join(_ANSWERS[:-1])} or {_ANSWERS[-1]}.",
    type=click.Choice(_ANSWERS),
)
@opt.option(
    "--sign NAME",
    "Sign the answer as it is printed, under this name, and keep that in the case file.",
    "signer",
)
@opt.seed_option
@opt.flag("--short", "Print the one-page memo alone: with html or pdf.", "memo")
@opt.flag("--all", "Print the whole report, not the memo: with markdown.", "whole")
@opt.option(
    "--since FILE",
    "Say over the memo, in short, what changed since this dossier: with markdown, as the comment "
    "on a pull request does.",
    rare=True,
)
def decide(
    case: str,
    require: TuningAnswer | None,
    signer: str | None,
    memo: bool,
    whole: bool,
    since: str | None,
    seed: int,
    answers: dict[str, str],
    as_of: date | None,
) -> int:
    """Judge CASE, a case folder or its case.yaml (the nearest one upwards when not given).

    As Markdown it is a memo of one page. Writes nothing but the file named with --output, and with
    --sign the signature. Exits with 0 when answered, 1 when --require isn't met, 2 when the input
    is wrong.
    """
    from tuneworthy.cases.judging import read_supposed, sign_answer
    from tuneworthy.cases.reports import MemoTop, read_dossier, render
    from tuneworthy.pipeline import decide as judge

    form = opt.asked().form
    _refuse_form("--short", memo, form, ("html", "pdf"))
    _refuse_form("--all", whole, form, ("markdown",))
    _refuse_form("--since", since is not None, form, ("markdown",))
    if form == "pdf" and opt.asked().output is None:
        raise click.UsageError("A PDF needs a file: add --output report.pdf.")
    read = "" if signer is None else _read_to_sign(case, signer, answers)
    before = None if since is None else read_dossier(Path(since))
    supposed, framework = read_supposed(case, answers)
    dossier = judge(supposed, framework, as_of=as_of, seed=seed)
    if signer is not None and dossier.verdict.answer == "open":
        fix = "answer what is open first"
        raise InputError("no answer can be signed yet", where="--sign", fix=fix)
    text = render(
        dossier,
        form,
        case_path=case,
        colour=opt.colour(),
        memo=not whole if form == "markdown" else memo,
        on_top=MemoTop(require, before),
    )
    opt.deliver(text)
    if require not in (None, dossier.verdict.answer):
        return NOT_MET
    if signer is not None:
        said = sign_answer(case, dossier, signer, read)
        click.echo(one_line(said), err=True)
    return ANSWERED


def _read_to_sign(case: str, signer: str, answers: dict[str, str]) -> str:
    """The digest of the case file that is about to be signed."""
    from tuneworthy.cases.judging import read_to_sign

    if answers:
        raise click.UsageError("--sign signs what the case says: leave out --set.")
    return read_to_sign(case, signer)


def _refuse_form(option: str, is_given: bool, form: str, its: tuple[str, ...]) -> None:
    """Refuse an option that belongs to another form than the one that is asked for."""
    if is_given and form not in its:
        raise click.UsageError(f"{option} goes with --format {' or '.join(its)}.")


_SECTIONS = ("options", "money", "plan", "why")


@case_report(
    ("text", "markdown", "json"),
    "tuneworthy show examples/task-api options --all",
    "tuneworthy show examples/task-api money --months 12",
    "tuneworthy show examples/task-api plan --as-of 2027-01-04",
    "tuneworthy show examples/task-api why low_volume",
)
@click.argument("section", required=False)
@click.argument("name", metavar="[ID]", required=False)
@opt.flag("--all", "Show everything, and not one screen.", "everything")
@opt.number(
    "--months N",
    1,
    120,
    None,
    "With money: look N months ahead.  [default: what the case says, else 36]",
)
@opt.number(
    "--seed N", 0, None, None, "With money: draw by this seed.  [default: 0]", rare=True
)
def show(
    case: str,
    section: str | None,
    name: str | None,
    months: int | None,
    seed: int | None,
    answers: dict[str, str],
    as_of: date | None,
    everything: bool,
) -> None:
    """Show one part of the verdict of CASE. Default: why it is what it is.

    \b
    options  what could be done instead or as well, and where to begin
    money    what tuning costs and brings, and how sure that is
    plan     phases, hours, cost, dates, and when each is done
    why      the answers and rules behind the verdict; with ID all about one of
             them, or about an option, goal, target or challenge
    """  # noqa: D301  # click reads it as the mark of lines that aren't wrapped anew
    # in "show money" the first word is the section, unless something there has that name: CASE is
    # left out, so each argument moves on by one
    is_case_left_out = case in _SECTIONS and not os.path.lexists(case)
    if is_case_left_out:
        if name is not None:
            raise click.UsageError(
                f"nothing goes with {name}: name CASE before {case}."
            )
        name = section
        section = case
        case = opt.nearest_case()
    topic = _section(section)
    _refuse("--months", months is not None, topic, "money")
    _refuse("--seed", seed is not None, topic, "money")
    _refuse("ID", name is not None, topic, "why")
    if opt.asked().form == "json":  # else the page says it
        opt.say_defaults(case)
    from tuneworthy.cases.reports import case_report

    if months is not None:
        # the horizon is an answer of the case, so --months is one more --set
        answers = answers | {"economics.assumptions.horizon_months": str(months)}
    text = case_report(
        cast("Topic", topic),
        case,
        opt.asked().form,
        name=name,
        answers=answers,
        as_of=as_of,
        seed=seed or 0,
        everything=everything,
        colour=opt.colour(),
    )
    opt.deliver(text)


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


@opt.group(
    "tuneworthy framework show lesson",
    "tuneworthy framework show lesson few_shot",
    "tuneworthy framework check ours.yaml --strict",
    "tuneworthy framework schema case > case.schema.json",
)
def framework() -> None:
    """Show and check a decision framework, and print schemas."""


@framework.command("show")
@click.argument(
    "name",
    metavar="[NAME|FILE]",
    default="lesson",
)
@click.argument("id_", metavar="[ID]", required=False)
@opt.format_option(
    "text", "yaml", "json", help="Print in words, as the file, or as JSON."
)
@opt.all_option
def show_framework(name: str, id_: str | None) -> None:
    """Show what a framework asks and how it decides, or what ID means.

    ID names a factor, check, sign, target, option, goal, approach, challenge or rule of the
    judgement. You can also write what reports call it.
    """
    from tuneworthy.framework.load import LESSON, catalogue_text
    from tuneworthy.pipeline import load_framework
    from tuneworthy.report.sections.framework import framework_report
    from tuneworthy.report.sections.record import explanation, explanation_dict

    loaded = load_framework(name)
    if id_ is not None:
        if opt.asked().form == "yaml":
            raise click.UsageError(
                "--format yaml is for a whole framework: leave out the ID."
            )
        opt.show(
            explanation(loaded, id_), lambda: json_text(explanation_dict(loaded, id_))
        )
    elif opt.asked().form == "yaml" and name == LESSON:
        opt.deliver(catalogue_text(f"{name}.yaml"))
    else:
        whole = loaded.model_dump(mode="json")
        opt.show(framework_report(loaded), lambda: json_text(whole))


@framework.command()
@click.argument(
    "name",
    metavar="[NAME|FILE]",
    default="lesson",
)
@opt.flag("--strict", "Exit with 1 if there is anything to know.")
@opt.format_option("text", "json")
@opt.all_option
def check(name: str, strict: bool) -> int:
    """Go through every combination of answers and say where the rules contradict each other."""
    from tuneworthy.framework.lint import check as lint_of
    from tuneworthy.pipeline import load_framework
    from tuneworthy.report.sections.framework import lint_dict, lint_report

    loaded = load_framework(name)
    lint = lint_of(loaded)
    opt.show(lint_report(lint), lambda: json_text(lint_dict(lint)))
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
@opt.option(
    "--framework FILE",
    "With case: ask what this framework asks.  [default: the lesson]",
    "own",
    default="lesson",
    show_default=False,
)
def schema(what: str, own: str) -> None:
    """Print the JSON Schema of WHAT: case, dossier, framework, ceiling, verify or pilot.

    Results are a dossier, and what ceiling, verify and pilot found.
    """
    from tuneworthy.cases import reports

    opt.deliver(json_text(reports.schema(what, own)))
