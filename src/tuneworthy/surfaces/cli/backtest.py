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
        "tuneworthy backtest our-cases.yaml --framework ours.yaml",
    )
)
@click.argument("file", metavar="[FILE]", required=False)
@click.option(
    "--framework",
    metavar="NAME|FILE",
    default="lesson",
    show_default=True,
    help="Framework to judge by.",
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
def backtest(file: str | None, framework: str, codes: str, seed: int, form: str) -> None:
    """Show how often a framework's rules were right about published cases, or those in FILE."""
    from tuneworthy.api import backtest as history

    found = history.backtest(file, framework, codes=codes, seed=seed)  # type: ignore[arg-type]  # click made sure
    if form == "json":
        deliver(json_text(history.backtest_dict(found, seed=seed)), None, False)
    else:
        deliver(history.backtest_text(found, form, seed=seed), None, False)
