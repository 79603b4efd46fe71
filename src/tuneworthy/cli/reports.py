"""tuneworthy decide."""

from __future__ import annotations

import click

from tuneworthy.cli import examples
from tuneworthy.cli.options import (
    as_of_option,
    case_argument,
    colour,
    day,
    deliver,
    force_option,
    framework_option,
    output_option,
    pairs,
    set_option,
)
from tuneworthy.model.base import json_text

# tuneworthy decide.

_OUTCOMES = (
    "keep_optimizing_prompts",
    "improve_rag_or_switch_model",
    "address_anti_indicators",
    "fine_tune_candidate",
)

_ACTIONS = (
    "keep_prompting",
    "improve_rag_or_switch",
    "clear_anti_indicators",
    "explore_alternatives",
    "clear_gates",
    "pilot",
    "proceed",
)


@click.command(
    epilog=examples(
        "tuneworthy decide examples/task-api",
        "tuneworthy decide examples/task-api --set brand_voice=no",
        "tuneworthy decide examples/task-api --format json --output dossier.json",
        "tuneworthy decide examples/task-api --format html --output report.html",
        "tuneworthy decide . --require pilot && ./start-pilot",
    )
)
@case_argument
@framework_option
@set_option
@click.option(
    "--require",
    metavar="OUTCOME|ACTION",
    type=click.Choice((*_OUTCOMES, *_ACTIONS)),
    help="Exit with 1 unless the verdict is this outcome, or asks for this action.",
)
@as_of_option
@click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Seed for everything drawn at random.",
)
@click.option(
    "--quick", is_flag=True, help="Only the three strongest reasons: can it be ruled out?"
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "html", "json", "record"]),
    default="text",
    show_default=True,
    help="How to report.",
)
@output_option
@force_option
def decide(
    case: str,
    framework: str | None,
    answers: tuple[str, ...],
    require: str | None,
    as_of: str | None,
    seed: int,
    quick: bool,
    form: str,
    output: str | None,
    force: bool,
) -> int:
    """Judge CASE, a case folder or its case.yaml (the present folder when not given).

    Writes nothing but the file named with --output. Exits with 0 when answered, 1 when --require
    isn't met, 2 when the input is wrong.
    """
    from tuneworthy.workspace import cases, reports

    wanted = pairs(answers, "--set")
    dossier = cases.judge_case(
        case, framework, answers=wanted, as_of=day(as_of), seed=seed, quick=quick
    )
    deliver(
        reports.render(dossier, form, case_path=case, colour=colour() and output is None),
        output,
        force,
    )
    return 0 if require in (None, dossier.verdict.outcome, dossier.verdict.action) else 1


# tuneworthy options.


@click.command(
    epilog=examples(
        "tuneworthy options examples/task-api",
        "tuneworthy options examples/task-api --all",
        "tuneworthy options examples/task-api --set few_shot=no",
        "tuneworthy options examples/task-api --format markdown --output options.md",
    )
)
@case_argument
@click.option("--all", "everything", is_flag=True, help="Every option, not only five.")
@set_option
@framework_option
@as_of_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="How to report; all but text hold every option.",
)
@output_option
@force_option
def options(
    case: str,
    everything: bool,
    answers: tuple[str, ...],
    framework: str | None,
    as_of: str | None,
    form: str,
    output: str | None,
    force: bool,
) -> None:
    """Say of each option whether it would help CASE, why or why not, and where to begin.

    Options are ranked by what they promise, by what that rests on, and by effort. Ends with a
    recommendation: fine-tune, or the simpler path.
    """
    from tuneworthy.workspace.reports import case_report

    text = case_report(
        "options",
        case,
        form,
        chosen=framework,
        answers=pairs(answers, "--set"),
        as_of=day(as_of),
        everything=everything,
        colour=colour() and output is None,
    )
    deliver(text, output, force)


# tuneworthy invest.

_HORIZON = "economics.assumptions.horizon_months"


@click.command(
    epilog=examples(
        "tuneworthy invest examples/task-api",
        "tuneworthy invest examples/task-api --months 12",
        "tuneworthy invest examples/task-api --set economics.upfront.hours=90",
        "tuneworthy invest examples/task-api --format markdown --output money.md",
    )
)
@case_argument
@click.option(
    "--months",
    metavar="N",
    type=click.IntRange(1, 120),
    help="Months to look ahead; what the case says, else 36.",
)
@framework_option
@set_option
@as_of_option
@click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Seed for everything drawn at random.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="How to report.",
)
@output_option
@force_option
def invest(
    case: str,
    months: int | None,
    framework: str | None,
    answers: tuple[str, ...],
    as_of: str | None,
    seed: int,
    form: str,
    output: str | None,
    force: bool,
) -> None:
    """Compute what tuning costs and brings for CASE, step by step, and how sure that is.

    Stated amounts count first; traffic and prices are computed beside them. Ranges are drawn many
    times, month by month.
    """
    from tuneworthy.workspace.reports import case_report

    horizon = {} if months is None else {_HORIZON: str(months)}
    text = case_report(
        "invest",
        case,
        form,
        chosen=framework,
        answers=pairs(answers, "--set") | horizon,
        as_of=day(as_of),
        seed=seed,
        colour=colour() and output is None,
    )
    deliver(text, output, force)


# tuneworthy plan.


@click.command(
    epilog=examples(
        "tuneworthy plan examples/task-api",
        "tuneworthy plan examples/task-api --start 2027-01-04",
        "tuneworthy plan examples/task-api --set economics.hours_per_week=40",
        "tuneworthy plan examples/task-api --format csv --output plan.csv",
    )
)
@case_argument
@click.option(
    "--start",
    metavar="DATE",
    help="The day to begin, as 2026-11-24; today if not given. The case is judged as of then.",
)
@framework_option
@set_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json", "csv", "mermaid"]),
    default="text",
    show_default=True,
    help="How to report.",
)
@output_option
@force_option
def plan(
    case: str,
    start: str | None,
    framework: str | None,
    answers: tuple[str, ...],
    form: str,
    output: str | None,
    force: bool,
) -> None:
    """Plan what the verdict on CASE asks for: phases, hours, cost, dates, and when each is done.

    A candidate is planned up to a tuned model that is watched and retrained; any other verdict up
    to the next decision. It ends with the expectations that look unrealistic.
    """
    from tuneworthy.workspace.reports import case_report

    text = case_report(
        "plan",
        case,
        form,
        chosen=framework,
        answers=pairs(answers, "--set"),
        as_of=day(start, "--start"),
        colour=colour() and output is None,
    )
    deliver(text, output, force)


# tuneworthy precedents.


@click.command(
    epilog=examples(
        "tuneworthy precedents examples/insurance-claims",
        "tuneworthy precedents examples/task-api --set brand_voice=no",
        "tuneworthy precedents . --format markdown --output others.md",
    )
)
@case_argument
@framework_option
@set_option
@as_of_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="How to report.",
)
@output_option
@force_option
def precedents(
    case: str,
    framework: str | None,
    answers: tuple[str, ...],
    as_of: str | None,
    form: str,
    output: str | None,
    force: bool,
) -> None:
    """Show what happened to others: the published cases most like CASE, and how often tuning won.

    Says why each is alike, what was tried, what won and by how much, and where to read it. None
    of it is a chance that tuning wins for you.
    """
    from tuneworthy.workspace.reports import case_report

    text = case_report(
        "precedents",
        case,
        form,
        chosen=framework,
        answers=pairs(answers, "--set"),
        as_of=day(as_of),
        colour=colour() and output is None,
    )
    deliver(text, output, force)


# tuneworthy explain.


@click.command(
    epilog=examples(
        "tuneworthy explain examples/task-api",
        "tuneworthy explain examples/task-api low_volume",
        "tuneworthy explain examples/task-api --set brand_voice=no",
        "tuneworthy explain --factor voice_drift",
    )
)
@click.argument("case", metavar="[CASE]", required=False)
@click.argument("name", metavar="[FACTOR]", required=False)
@click.option("--factor", metavar="ID", help="Explain a factor, signal or check without a case.")
@framework_option
@set_option
@as_of_option
def explain(
    case: str | None,
    name: str | None,
    factor: str | None,
    framework: str | None,
    answers: tuple[str, ...],
    as_of: str | None,
) -> None:
    """Walk through the verdict on CASE with its own numbers, or look at one FACTOR of it."""
    from tuneworthy.workspace import reports

    wanted = pairs(answers, "--set")
    if factor is not None and case is None:
        if wanted:
            raise click.UsageError("--set needs a CASE.")
        deliver(reports.explain_factor(factor, framework), None, False)
    elif factor is not None and name is not None:
        raise click.UsageError("Name the factor once: CASE FACTOR, or --factor ID.")
    else:
        told = reports.explain(
            case or ".", name or factor, framework, answers=wanted, as_of=day(as_of)
        )
        deliver(told, None, False)


# tuneworthy diff.


@click.command(
    epilog=examples(
        "tuneworthy diff march.json june.json",
        "tuneworthy diff my-case --since march.json",
    )
)
@click.argument("first", metavar="A.json|CASE")
@click.argument("second", metavar="[B.json]", required=False)
@click.option(
    "--since", metavar="FILE", help="The earlier dossier; then the argument is the later."
)
@framework_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to report.",
)
def diff(
    first: str, second: str | None, since: str | None, framework: str | None, form: str
) -> None:
    """Say what changed from dossier A to dossier B, and which answers moved the verdict.

    A dossier is what decide --format json writes. With --since, the later side may be a case
    folder, which is judged as of today.
    """
    from tuneworthy.report.sections.difference import document
    from tuneworthy.report.text import render
    from tuneworthy.workspace import reports

    if (second is None) == (since is None):
        raise click.UsageError("Name two dossiers, or one with --since FILE.")
    before, after = (since, first) if since is not None else (first, str(second))
    found = reports.difference(before, after, framework)
    deliver(
        json_text(found.model_dump(mode="json")) if form == "json" else render(document(found)),
        None,
        False,
    )
