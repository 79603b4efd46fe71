"""tuneworthy backtest."""

from __future__ import annotations

import click

from tuneworthy.domain.canonical import json_text
from tuneworthy.surfaces.cli.options import deliver
from tuneworthy.surfaces.cli.root import examples


@click.command(
    epilog=examples(
        "tuneworthy backtest",
        "tuneworthy backtest --codes blind1",
        "tuneworthy backtest --cases our-cases.yaml --framework ours.yaml --against lesson",
    )
)
@click.argument("file", metavar="[FILE]", required=False)
@click.option("--cases", metavar="FILE", help="The same as FILE: cases of your own.")
@click.option(
    "--framework",
    metavar="NAME|FILE",
    default="lesson",
    show_default=True,
    help="Framework to judge by.",
)
@click.option(
    "--against",
    metavar="NAME|FILE",
    help="Another framework to compare with, case by case.",
)
@click.option(
    "--codes",
    type=click.Choice(["value", "blind1", "blind2"]),
    default="value",
    show_default=True,
    help="Whose answers: a coder who knew the outcome, or one who didn't.",
)
@click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Seed for the intervals.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="How to report.",
)
def backtest(
    file: str | None, cases: str | None, framework: str, against: str | None, codes: str, seed: int,
    form: str,
) -> None:  # fmt: skip
    """Show how often a framework's rules were right about published cases, or those in FILE."""
    from tuneworthy.api import backtest as history

    if file is not None and cases is not None:
        raise click.UsageError("The cases are named twice: give FILE or --cases FILE, not both.")
    found = history.history(file or cases, framework, against=against, codes=codes, seed=seed)  # type: ignore[arg-type]  # click made sure
    if form == "json":
        deliver(json_text(history.history_dict(found, seed=seed)), None, False)
    else:
        deliver(history.history_text(found, form, seed=seed), None, False)
