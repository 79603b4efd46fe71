"""tuneworthy framework, backtest, schema and completion."""

from __future__ import annotations

from typing import Any

import click

from tuneworthy.cli import cli, examples
from tuneworthy.cli.options import (
    command,
    deliver,
    flag,
    format_option,
    framework_option,
    number,
    option,
)
from tuneworthy.model.base import json_text


@click.group(
    epilog=examples(
        "tuneworthy framework list",
        "tuneworthy framework show lesson",
        "tuneworthy framework check lesson",
        "tuneworthy framework check ours.yaml --strict",
    )
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
@format_option("text", "yaml", help="In words, or as the file.")
def show(name: str, form: str) -> None:
    """Show what a framework asks and how it decides."""
    from tuneworthy.workspace.reports import framework_text

    deliver(framework_text(name, form))


@framework.command()
@click.argument("name", metavar="NAME|FILE", default="lesson")
@flag("--strict", "Exit with 1 if there is anything to know.")
@format_option("text", "json")
def check(name: str, strict: bool, form: str) -> int:
    """Go through every combination of answers and say where the rules contradict each other."""
    from tuneworthy.framework.lint import check as lint_of
    from tuneworthy.pipeline import load_framework
    from tuneworthy.report import render
    from tuneworthy.report.sections.framework import lint_dict, lint_report

    lint = lint_of(load_framework(name))
    deliver(json_text(lint_dict(lint)) if form == "json" else render(lint_report(lint)))
    return 1 if strict and lint.warnings else 0


@framework.command("schema")
def framework_schema() -> None:
    """Print the JSON Schema of a framework file."""
    from tuneworthy.workspace import reports

    deliver(json_text(reports.schema("framework")))


@command(
    "tuneworthy backtest",
    "tuneworthy backtest --codes blind1",
    "tuneworthy backtest --cases our-cases.yaml --framework ours.yaml --against lesson",
)
@click.argument("file", metavar="[FILE]", required=False)
@option("--cases FILE", "The same as FILE: cases of your own.")
@option("--framework NAME|FILE", "Framework to judge by.", default="lesson")
@option("--against NAME|FILE", "Another framework to compare with, case by case.")
@option(
    "--codes",
    "Whose answers: a coder who knew the outcome, or one who didn't.",
    type=click.Choice(["value", "blind1", "blind2"]),
    default="value",
)
@number("--seed N", 0, None, 0, "Seed for the intervals.")
@format_option("text", "markdown", "json")
def backtest(file: str | None, cases: str | None, seed: int, form: str, **options: Any) -> None:
    """Show how often a framework's rules were right about published cases, or those in FILE."""
    from tuneworthy.workspace.reports import history, history_report

    if file is not None and cases is not None:
        raise click.UsageError("The cases are named twice: give FILE or --cases FILE, not both.")
    record = history(file or cases, seed=seed, **options)
    deliver(history_report(record, form, seed=seed))


@command(
    "tuneworthy schema case > case.schema.json",
    "tuneworthy schema case --framework ours.yaml",
    "tuneworthy schema cases > cases.schema.json",
    "tuneworthy schema dossier",
    "tuneworthy schema ceiling",
)
@click.argument(
    "what", type=click.Choice(["case", "cases", "framework", "dossier", "ceiling", "verify"])
)
@framework_option
def schema(what: str, chosen: str | None) -> None:
    """Print the JSON Schema of a case file, a file of cases, a framework file or a result.

    Results are a dossier, and what the labs ceiling and verify found.
    """
    from tuneworthy.workspace import reports

    deliver(json_text(reports.schema(what, chosen)))


@command(
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
