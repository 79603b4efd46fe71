"""Reports on a case, two dossiers, a framework and published cases; schemas, and completion."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from tuneworthy.cli import ANSWERED, NOT_MET, cli
from tuneworthy.cli import options as opt
from tuneworthy.model.base import json_text
from tuneworthy.model.framework import OUTCOMES

if TYPE_CHECKING:
    from tuneworthy.workspace.reports import Topic


def case_report(
    forms: tuple[str, ...], *lines: str, note: str = "How to report.", as_of: Any = opt.as_of_option
) -> Callable[[Any], click.Command]:
    """A command that reports on a case: its argument, what-ifs, forms and examples."""
    shared = (
        opt.case_argument,
        opt.framework_option,
        opt.set_option,
        as_of,
        opt.format_option(*forms, help=note),
    )
    return opt.with_options(opt.command(*lines), *shared, opt.output_options)


def report(topic: Topic, case: str, **what_if: Any) -> None:
    from tuneworthy.workspace.reports import case_report

    opt.deliver(case_report(topic, case, opt.asked().form, colour=opt.colour(), **what_if))


_REQUIRED = (
    *("no", "not_yet", "yes"),
    *OUTCOMES,
    *("keep_prompting", "improve_rag_or_switch", "clear_anti_indicators", "explore_alternatives"),
    *("clear_gates", "pilot", "proceed"),
)  #: Answers, then outcomes of the count, then actions; a pilot is an answer and an action.


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
    "--require ANSWER|OUTCOME|ACTION",
    "Exit with 1 unless this is the answer, the outcome of the count or the action.",
    type=click.Choice(_REQUIRED),
)
@opt.seed_option
@opt.flag("--short", "Only the decision memo, one page: with markdown, html or pdf.", "memo")
def decide(case: str, require: str | None, memo: bool, **options: Any) -> int:
    """Judge CASE, a case folder or its case.yaml (the present folder when not given).

    Writes nothing but the file named with --output. Exits with 0 when answered, 1 when --require
    isn't met, 2 when the input is wrong.
    """
    from tuneworthy.workspace.cases import judge_case
    from tuneworthy.workspace.reports import render

    form = opt.asked().form
    if memo and form not in ("markdown", "html", "pdf"):
        raise click.UsageError("--short goes with --format markdown, html or pdf.")
    if form == "pdf" and opt.asked().output is None:
        raise click.UsageError("A PDF needs a file: add --output report.pdf.")
    dossier = judge_case(case, **options)
    opt.deliver(render(dossier, form, case_path=case, colour=opt.colour(), memo=memo))
    verdict = dossier.verdict
    met = require in (None, verdict.answer, verdict.outcome, verdict.action)
    return ANSWERED if met else NOT_MET


@case_report(
    ("text", "markdown", "json"),
    "tuneworthy options examples/task-api",
    "tuneworthy options examples/task-api --all",
    "tuneworthy options examples/task-api --set few_shot=no",
    "tuneworthy options examples/task-api --format markdown --output options.md",
    note="How to report; all but text hold every option.",
)
@opt.flag("--all", "Every option, not only five.", "everything")
def options(**options: Any) -> None:
    """Say for each option whether it would help CASE, why or why not, and where to begin.

    Options are ranked by what they promise, by what that rests on, and by effort. Ends with a
    recommendation: fine-tune, or the simpler path.
    """
    report("options", **options)


@case_report(
    ("text", "markdown", "json"),
    "tuneworthy invest examples/task-api",
    "tuneworthy invest examples/task-api --months 12",
    "tuneworthy invest examples/task-api --set economics.upfront.hours=90",
    "tuneworthy invest examples/task-api --format markdown --output money.md",
)
@opt.number("--months N", 1, 120, None, "Months to look ahead; what the case says, else 36.")
@opt.seed_option
def invest(months: int | None, answers: dict[str, str], **options: Any) -> None:
    """Compute what tuning costs and brings for CASE, step by step, and how sure that is.

    Stated amounts count first; traffic and prices are computed beside them. Ranges are drawn many
    times, month by month.
    """
    horizon = {} if months is None else {"economics.assumptions.horizon_months": str(months)}
    report("invest", answers=answers | horizon, **options)


@case_report(
    ("text", "markdown", "json", "csv", "mermaid"),
    "tuneworthy plan examples/task-api",
    "tuneworthy plan examples/task-api --start 2027-01-04",
    "tuneworthy plan examples/task-api --set economics.hours_per_week=40",
    "tuneworthy plan examples/task-api --format csv --output plan.csv",
    as_of=opt.option(
        "--start DATE",
        "The day to begin, as 2026-11-24; today if not given. The case is judged as of then.",
        "as_of",
        callback=opt.day,
    ),
)
def plan(**options: Any) -> None:
    """Plan what the verdict on CASE asks for: phases, hours, cost, dates, and when each is done.

    A candidate is planned up to a tuned model that is watched and retrained; any other verdict up
    to the next decision. It ends with the expectations that look unrealistic.
    """
    report("plan", **options)


@case_report(
    ("text", "markdown", "json"),
    "tuneworthy precedents examples/insurance-claims",
    "tuneworthy precedents examples/task-api --set brand_voice=no",
    "tuneworthy precedents . --format markdown --output others.md",
)
def precedents(**options: Any) -> None:
    """Show what happened to others: the published cases most like CASE, and how often tuning won.

    Says why each is alike, what was tried, what won and by how much, and where to read it. None
    of it is a chance that tuning wins for you.
    """
    report("precedents", **options)


@opt.command(
    "tuneworthy explain examples/task-api",
    "tuneworthy explain examples/task-api low_volume",
    "tuneworthy explain examples/task-api hybrid --set brand_voice=no",
    "tuneworthy explain persona_tuning",
    "tuneworthy explain dead_end",
)
@click.argument("case", metavar="[CASE]", required=False)
@click.argument("name", metavar="[ID]", required=False)
@opt.option("--factor ID", "The same as ID.")
@opt.framework_option
@opt.set_option
@opt.as_of_option
def explain(
    case: str | None,
    name: str | None,
    factor: str | None,
    chosen: str | None,
    answers: dict[str, str],
    as_of: date | None,
) -> None:
    """Walk through the verdict on CASE with its own numbers, or explain one ID, in CASE or alone.

    An ID is that of a factor, check, signal, target, option, goal, approach, challenge or rule of
    the judgement, or what reports call it.
    """
    from tuneworthy.pipeline import decide, load_framework
    from tuneworthy.report.sections.record import explanation
    from tuneworthy.workspace.cases import read_supposed
    from tuneworthy.workspace.reports import explain

    if factor is not None and name is not None:
        raise click.UsageError("Name it once: CASE ID, or --factor ID.")
    name = name or factor
    if case is not None and name is None and not os.path.lexists(case):  # no case: an id
        case, name = None, case
    if case is None and name is not None:
        if answers:
            raise click.UsageError("--set needs a CASE.")
        opt.show(explanation(load_framework(chosen or "lesson"), name))
    else:
        read, framework = read_supposed(case or ".", chosen, answers)
        dossier = decide(read, framework, as_of=as_of)
        opt.show(explain(dossier, framework, name), everything=name is None)


@opt.command(
    "tuneworthy diff march.json june.json",
    "tuneworthy diff my-case --since march.json",
    "tuneworthy diff my-case other-case",
    "tuneworthy diff my-case --set low_volume=no",
)
@click.argument("first", metavar="A.json|CASE")
@click.argument("second", metavar="[B.json|CASE]", required=False)
@opt.option("--since FILE", "The earlier dossier; then the argument is the later.")
@opt.set_option
@opt.framework_option
@opt.format_option("text", "json")
def diff(
    first: str, second: str | None, since: str | None, answers: dict[str, str], chosen: str | None
) -> None:
    """Say what changed from dossier A to dossier B, and which answers moved the verdict.

    A dossier is what decide --format json writes; with --since, the later side may be a case
    folder, which is judged as of today. Two case folders are shown side by side, and so is one
    with a what-if of it (--set).
    """
    from tuneworthy.report.sections.difference import document
    from tuneworthy.workspace import reports

    if answers and (since or (second or first).endswith(".json")):
        raise click.UsageError("--set goes with a case folder, and not with --since.")
    second = second or (first if answers else None)
    plain = opt.asked().form == "text" and not since
    if plain and second and not first.endswith(".json"):
        opt.show(reports.side_by_side(first, second, chosen, answers))
        return
    if (second is None) == (since is None):
        raise click.UsageError("Name two dossiers or two cases, or one with --since FILE or --set.")
    before, after = (since, first) if since is not None else (first, str(second))
    change = reports.difference(before, after, chosen, answers, since=since is not None)
    opt.show(document(change), lambda: json_text(change.model_dump(mode="json")))


@opt.group(
    "tuneworthy framework list",
    "tuneworthy framework show lesson",
    "tuneworthy framework check lesson",
    "tuneworthy framework check ours.yaml --strict",
)
def framework() -> None:
    """List, show and check decision frameworks."""


@framework.command("list")
def list_() -> None:
    """List the frameworks of the catalogue."""
    from tuneworthy.framework.load import NAMES, load_named

    for name in NAMES:
        click.echo(f"{name}  {load_named(name).title}")


@framework.command()
@click.argument("name", metavar="NAME|FILE", default="lesson")
@opt.format_option("text", "yaml", help="In words, or as the file.")
def show(name: str) -> None:
    """Show what a framework asks and how it decides."""
    from tuneworthy.framework.load import NAMES, catalogue_text
    from tuneworthy.pipeline import load_framework
    from tuneworthy.report.sections.framework import framework_report

    loaded = load_framework(name)
    if opt.asked().form == "yaml" and name in NAMES:
        opt.deliver(catalogue_text(f"{name}.yaml"))
    else:
        opt.show(framework_report(loaded))


@framework.command()
@click.argument("name", metavar="NAME|FILE", default="lesson")
@opt.flag("--strict", "Exit with 1 if there is anything to know.")
@opt.format_option("text", "json")
def check(name: str, strict: bool) -> int:
    """Go through every combination of answers and say where the rules contradict each other."""
    from tuneworthy.framework.lint import check as lint_of
    from tuneworthy.pipeline import load_framework
    from tuneworthy.report.sections.framework import lint_dict, lint_report

    lint = lint_of(load_framework(name))
    opt.show(lint_report(lint), lambda: json_text(lint_dict(lint)))
    return NOT_MET if strict and lint.warnings else ANSWERED


@framework.command("schema")
def framework_schema() -> None:
    """Print the JSON Schema of a framework file."""
    from tuneworthy.workspace import reports

    opt.deliver(json_text(reports.schema("framework")))


@opt.command(
    "tuneworthy backtest",
    "tuneworthy backtest --codes blind1",
    "tuneworthy backtest --cases our-cases.yaml --framework ours.yaml --against lesson",
    "tuneworthy backtest our-cases.yaml --situations --format markdown",
)
@click.argument("file", metavar="[FILE]", required=False)
@opt.option("--cases FILE", "The same as FILE: cases of your own.")
@opt.option("--framework NAME|FILE", "Framework to judge by.", default="lesson")
@opt.option("--against NAME|FILE", "Another framework to compare with, case by case.")
@opt.option(
    "--codes",
    "Whose answers: a coder who knew the outcome, or one who didn't.",
    type=click.Choice(["value", "blind1", "blind2"]),
    default="value",
)
@opt.number("--seed N", 0, None, 0, "Seed for the intervals.")
@click.option(
    "--situations", is_flag=True, help="Only what a blind coder may see: no title and no outcome."
)
@opt.format_option("text", "markdown", "json")
def backtest(
    file: str | None, cases: str | None, seed: int, situations: bool, **options: Any
) -> None:
    """Show how often a framework's rules were right about published cases, or those in FILE."""
    from tuneworthy.workspace.reports import history, history_report
    from tuneworthy.workspace.reports import situations as blind

    if file is not None and cases is not None:
        raise click.UsageError("The cases are named twice: give FILE or --cases FILE, not both.")
    if situations:
        document, data = blind(file or cases, options["framework"])
    else:
        document, data = history_report(history(file or cases, seed=seed, **options), seed=seed)
    opt.show(document, lambda: json_text(data))


@opt.command(
    "tuneworthy schema case > case.schema.json",
    "tuneworthy schema case --framework ours.yaml",
    "tuneworthy schema cases > cases.schema.json",
    "tuneworthy schema dossier",
    "tuneworthy schema ceiling",
)
@click.argument(
    "what",
    type=click.Choice(["case", "cases", "framework", "dossier", "ceiling", "verify", "pilot"]),
)
@opt.framework_option
def schema(what: str, chosen: str | None) -> None:
    """Print the JSON Schema of a case file, a file of cases, a framework file or a result.

    Results are a dossier, and what ceiling, verify and pilot found.
    """
    from tuneworthy.workspace import reports

    opt.deliver(json_text(reports.schema(what, chosen)))


@opt.command(
    'eval "$(tuneworthy completion bash)"',
    "tuneworthy completion fish > ~/.config/fish/completions/tuneworthy.fish",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes commands and options in a shell."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None  # the choice admits only shells that click knows
    click.echo(kind(cli, {}, "tuneworthy", "_TUNEWORTHY_COMPLETE").source())
